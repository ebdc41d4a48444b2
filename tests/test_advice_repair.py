"""Settings to review: the sensor, and the repair that goes through them click by click."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from homeassistant.const import Platform
from homeassistant.core import HomeAssistant
from homeassistant.helpers import issue_registry as ir
from homeassistant.setup import async_setup_component
from pytest_homeassistant_custom_component.typing import ClientSessionGenerator

from custom_components.jk_bms.battery.advice import Reason
from custom_components.jk_bms.bms.link import LinkProblem
from custom_components.jk_bms.const import DOMAIN

from .pack_values import DEVICE_INFO_32S, SETTINGS_32S, telemetry_32s
from .packs import BALANCER, PACK_32S, PACK_JK04, Pack, Packs

COLD = replace(SETTINGS_32S, charge_undertemperature_c=-20.0, charge_undertemperature_recovery_c=-10.0)
COLD_AND_FLAT = replace(COLD, balance_start_voltage_v=3.0)
ONLY_SLOW = replace(SETTINGS_32S, discharge_overcurrent_delay_s=300)
MINUTE_S = 60


async def a_minute(packs: Packs, pack: Pack) -> None:
    """Let the repairs be looked at, with data before and after."""
    await packs.advance(MINUTE_S)
    await pack.give(telemetry_32s())


class Review:
    """The repair, as the frontend opens it."""

    def __init__(self, hass: HomeAssistant, client: Any, pack: Pack) -> None:
        self._client = client
        self._issue_id = f"settings_to_review_{pack.entry.entry_id}"
        self._flow_id = ""
        self.hass = hass
        self.shown: dict[str, Any] = {}

    @property
    def text(self) -> dict[str, str]:
        placeholders: dict[str, str] = self.shown["description_placeholders"]
        return placeholders

    @property
    def raised(self) -> bool:
        return ir.async_get(self.hass).async_get_issue(DOMAIN, self._issue_id) is not None

    async def open(self) -> None:
        body = {"handler": DOMAIN, "issue_id": self._issue_id}
        response = await self._client.post("/api/repairs/issues/fix", json=body)
        assert response.status == 200
        self.shown = await response.json()
        self._flow_id = self.shown["flow_id"]

    async def click(self, option: str) -> None:
        assert option in self.shown["menu_options"]
        response = await self._client.post(f"/api/repairs/issues/fix/{self._flow_id}", json={"next_step_id": option})
        assert response.status == 200
        self.shown = await response.json()


@pytest.fixture
async def pack(packs: Packs) -> Pack:
    return await packs.add(DEVICE_INFO_32S, COLD_AND_FLAT, telemetry_32s(), permission="all")


@pytest.fixture
async def review(hass: HomeAssistant, hass_client: ClientSessionGenerator, packs: Packs, pack: Pack) -> Review:
    await a_minute(packs, pack)
    assert await async_setup_component(hass, "repairs", {})
    return Review(hass, await hass_client(), pack)


async def test_sensor(pack: Pack) -> None:
    state = pack.get("settings_to_review")
    assert state.state == "3"
    assert "state_class" not in state.attributes
    assert state.attributes["findings"] == [
        {
            "key": key,
            "present": present,
            "recommended": recommended,
            "unit": unit,
            "reason": reason,
        }
        for key, present, recommended, unit, reason in (
            ("charge_undertemperature_c", -20, 2, "°C", Reason.CHARGE_UNDERTEMPERATURE),
            ("charge_undertemperature_recovery_c", -10, 5, "°C", Reason.TEMPERATURE_RECOVERY),
            ("balance_start_voltage_v", 3.0, 3.42, "V", Reason.BALANCE_START),
        )
    ]
    await pack.give(SETTINGS_32S)
    assert pack.value("settings_to_review") == "0"
    assert pack.get("settings_to_review").attributes["findings"] == []


@pytest.mark.parametrize(
    "values", [BALANCER, PACK_JK04, (PACK_32S[0], PACK_32S[2])], ids=["balancer", "JK04", "unread"]
)
async def test_no_sensor_without_advice(packs: Packs, values: tuple[Any, ...]) -> None:
    pack = await packs.add(*values)
    assert pack.entity_id(Platform.SENSOR, "settings_to_review") is None


async def test_the_repair_comes_and_goes_with_what_puts_cells_at_risk(
    hass: HomeAssistant, packs: Packs, pack: Pack
) -> None:
    def raised() -> list[tuple[str | None, bool | None, ir.IssueSeverity | None]]:
        return [(each.translation_key, each.is_fixable, each.severity) for each in ir.async_get(hass).issues.values()]

    assert raised() == []
    await a_minute(packs, pack)
    assert raised() == [("settings_to_review", True, ir.IssueSeverity.WARNING)]
    await pack.give(ONLY_SLOW)
    await a_minute(packs, pack)
    assert pack.value("settings_to_review") == "1"
    assert raised() == []
    await pack.give(COLD)
    await a_minute(packs, pack)
    assert len(raised()) == 1
    await hass.config_entries.async_unload(pack.entry.entry_id)
    assert raised() == []


async def test_each_finding_is_written_by_one_click(pack: Pack, review: Review) -> None:
    await review.open()
    assert (review.shown["type"], review.shown["step_id"]) == ("menu", "finding")
    assert review.shown["menu_options"] == ["write", "skip", "accept"]
    assert pack.link.written == [], "opening it writes nothing"
    assert review.text == {
        "name": "Keller",
        "setting": "UTPR: charge undertemperature recovery",
        "reason": review.text["reason"],
        "present": "-10 °C",
        "recommended": "5 °C",
        "range": "≥ 3 °C",
        "first": "",
        "error": "",
    }
    assert review.text["reason"].startswith("After a switch-off for temperature")

    await review.click("write")
    assert pack.link.written == [("charge_undertemperature_recovery_c", 5)]
    assert (review.text["setting"], review.text["present"]) == ("UTP: charge undertemperature protection", "-20 °C")
    await review.click("write")
    assert (review.text["present"], review.text["range"]) == ("3 V", "3.38 V … 3.44 V")
    await review.click("write")
    assert pack.link.written[1:] == [("charge_undertemperature_c", 2), ("balance_start_voltage_v", 3.42)]
    assert review.shown["type"] == "create_entry"
    assert not review.raised
    assert pack.value("settings_to_review") == "0"


async def test_the_record_names_who_clicked(hass: HomeAssistant, pack: Pack, review: Review) -> None:
    (user,) = (user for user in await hass.auth.async_get_users() if not user.system_generated)
    await review.open()
    await review.click("write")
    (change,) = pack.coordinator.changes.memory.changes
    assert (change.key, change.by.kind, change.by.name) == ("charge_undertemperature_recovery_c", "user", user.name)


async def test_what_is_skipped_keeps_the_repair(hass: HomeAssistant, packs: Packs, pack: Pack, review: Review) -> None:
    await review.open()
    await review.click("skip")
    assert review.text["setting"] == "Balancing start voltage"
    await review.click("skip")
    assert review.shown["step_id"] == "blocked"
    assert review.shown["menu_options"] == ["skip", "accept"]
    assert review.text["setting"] == "UTP: charge undertemperature protection"
    assert review.text["first"] == "UTPR: charge undertemperature recovery"
    await review.click("skip")
    assert (review.shown["type"], review.shown["reason"]) == ("abort", "skipped")
    assert review.text == {"count": "3"}
    assert review.raised
    assert pack.link.written == []

    await review.open()
    assert review.text["setting"] == "UTPR: charge undertemperature recovery", "the next time it is asked again"


async def test_what_is_accepted_is_not_asked_again(
    hass: HomeAssistant, packs: Packs, pack: Pack, review: Review
) -> None:
    await review.open()
    for _ in range(3):
        await review.click("accept")
    assert review.shown["type"] == "create_entry"
    assert pack.value("settings_to_review") == "0"
    await a_minute(packs, pack)
    assert not review.raised

    await hass.config_entries.async_unload(pack.entry.entry_id)
    await packs.set_up(pack, DEVICE_INFO_32S, COLD_AND_FLAT, telemetry_32s())
    await a_minute(packs, pack)
    assert pack.value("settings_to_review") == "0"
    assert not review.raised

    await pack.give(replace(COLD_AND_FLAT, balance_start_voltage_v=3.1))
    await a_minute(packs, pack)
    assert [each["present"] for each in pack.get("settings_to_review").attributes["findings"]] == [3.1]
    assert review.raised
    assert pack.link.written == []


async def test_a_write_that_fails_says_why_in_the_language_of_home_assistant(
    hass: HomeAssistant, pack: Pack, review: Review
) -> None:
    hass.config.language = "de"
    await review.open()
    pack.link.writing_fails_with = LinkProblem.CONNECTION_FAILED
    await review.click("write")
    assert review.text["error"].startswith("Die Verbindung zu Keller ist gescheitert. Oft")


@pytest.mark.parametrize("option", ["write", "skip", "accept"])
async def test_a_write_that_fails_says_why(pack: Pack, review: Review, option: str) -> None:
    await review.open()
    pack.link.writing_fails_with = LinkProblem.CONNECTION_FAILED
    await review.click("write")
    assert (review.shown["type"], review.shown["step_id"]) == ("menu", "not_written")
    assert review.shown["menu_options"] == ["write", "skip", "accept"]
    assert review.text["error"].startswith("The connection to Keller failed.")
    assert review.text["setting"] == "UTPR: charge undertemperature recovery"
    pack.link.writing_fails_with = None
    await review.click(option)
    assert review.shown["step_id"] == "finding"
    assert len(pack.link.written) == (option == "write")


async def test_without_permission_nothing_is_written(
    hass: HomeAssistant, packs: Packs, pack: Pack, review: Review
) -> None:
    hass.config_entries.async_update_entry(pack.entry, options={})
    await hass.config_entries.async_unload(pack.entry.entry_id)
    await packs.set_up(pack, DEVICE_INFO_32S, COLD, telemetry_32s())
    await a_minute(packs, pack)
    await review.open()
    await review.click("write")
    assert review.shown["step_id"] == "not_written"
    assert pack.link.written == []

    hass.config_entries.async_update_entry(pack.entry, options={"permission": "all"})
    await hass.config_entries.async_unload(pack.entry.entry_id)
    await packs.set_up(pack, DEVICE_INFO_32S, COLD, telemetry_32s())
    await review.click("write")
    assert pack.link.written == [("charge_undertemperature_recovery_c", 5)]


@pytest.mark.parametrize("option", ["write", "skip", "accept"])
async def test_a_pack_that_is_gone_meanwhile(hass: HomeAssistant, pack: Pack, review: Review, option: str) -> None:
    await review.open()
    await hass.config_entries.async_unload(pack.entry.entry_id)
    await review.click(option)
    assert (review.shown["type"], review.shown["reason"]) == ("abort", "not_connected")


async def test_the_upper_end_of_a_range(packs: Packs, pack: Pack, review: Review) -> None:
    await pack.give(replace(SETTINGS_32S, charge_overtemperature_c=65.0, charge_overtemperature_recovery_c=45.0))
    await a_minute(packs, pack)
    await review.open()
    assert review.text["range"] == "≤ 60 °C"


@pytest.mark.parametrize("step", ["init", "finding", "blocked", "not_written"])
def test_the_steps_that_are_shown_can_be_shown_again(step: str) -> None:
    """Home Assistant wants a method for each step, even if it is never called for a menu."""
    from custom_components.jk_bms.advice_repair import ReviewFlow

    assert callable(getattr(ReviewFlow, f"async_step_{step}"))
