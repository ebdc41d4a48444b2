"""The blueprints: Home Assistant takes them, and they act when they should."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from freezegun.api import FrozenDateTimeFactory
from homeassistant.const import STATE_UNAVAILABLE, STATE_UNKNOWN
from homeassistant.core import HomeAssistant, ServiceCall
from homeassistant.helpers import device_registry as dr
from homeassistant.setup import async_setup_component
from homeassistant.util import dt as dt_util
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    async_fire_time_changed,
    async_mock_service,
)

BLUEPRINTS = Path(__file__).parent.parent / "blueprints/automation"
EVENT = "event.keller_alarm"
DOING = "event.keller_guardian_action"
CHARGE = "sensor.keller_state_of_charge"
SETTING = "event.keller_setting_changed"
TEMPERATURE = "sensor.keller_temperature_t1"
RAISED = {"event_type": "raised", "alarm": "cell_overvoltage", "severity": "alarm"}
HOT_SPOT = {
    "event_type": "raised",
    "source": "guardian",
    "alarm": "guardian_heat_difference",
    "severity": "alarm",
    "key": "heat",
    "family": "heat",
    "level": "critical",
    "value": "6.1",
    "limit": "4.0",
    "cell": "7",
}
CHANGED: dict[str, str | float] = {
    "event_type": "changed_elsewhere",
    "key": "cell_overvoltage_v",
    "old": 3.6,
    "new": 3.65,
}


@pytest.fixture(name="notified")
async def notified_fixture(hass: HomeAssistant, tmp_path: Path) -> list[ServiceCall]:
    """Return the calls that the blueprints make where nobody has chosen what to do."""
    hass.config.config_dir = str(tmp_path)
    shutil.copytree(BLUEPRINTS, tmp_path / "blueprints/automation")
    calls: list[ServiceCall] = async_mock_service(hass, "persistent_notification", "create")
    return calls


async def automate(hass: HomeAssistant, name: str, **inputs: Any) -> None:
    use = {"path": f"jk_bms/{name}.yaml", "input": inputs}
    assert await async_setup_component(hass, "automation", {"automation": {"use_blueprint": use}})
    await hass.async_block_till_done()
    assert hass.states.async_entity_ids("automation")


async def show(
    hass: HomeAssistant, entity_id: str, state: str, attributes: Mapping[str, str | float] | None = None
) -> None:
    hass.states.async_set(entity_id, state, attributes)
    await hass.async_block_till_done()


async def test_alarm(hass: HomeAssistant, notified: list[ServiceCall]) -> None:
    await show(hass, EVENT, STATE_UNKNOWN)
    await automate(hass, "alarm", alarms=[EVENT])
    await show(hass, EVENT, "2026-11-22T08:00:00.000+00:00", RAISED)
    assert len(notified) == 1
    assert "cell_overvoltage" in notified[0].data["title"]
    assert "raised" in notified[0].data["message"]

    # What is cleared, what hardly matters, and what was there before: all that is quiet unless asked for.
    await show(hass, EVENT, "2026-11-22T08:00:01.000+00:00", RAISED | {"event_type": "cleared"})
    await show(hass, EVENT, "2026-11-22T08:00:02.000+00:00", RAISED | {"severity": "hint"})
    await show(hass, EVENT, STATE_UNAVAILABLE)
    await show(hass, EVENT, "2026-11-22T08:00:00.000+00:00", RAISED)
    assert len(notified) == 1


@pytest.fixture(name="phone")
async def phone_fixture(hass: HomeAssistant, notified: list[ServiceCall]) -> AsyncIterator[list[ServiceCall]]:
    """Return the calls that ring a phone, whose owner has given it another name."""
    app = MockConfigEntry(domain="mobile_app")
    app.add_to_hass(hass)
    device = dr.async_get(hass).async_get_or_create(
        config_entry_id=app.entry_id, identifiers={("mobile_app", "1")}, name="Anna's phone"
    )
    dr.async_get(hass).async_update_device(device.id, name_by_user="The loud one")
    calls: list[ServiceCall] = async_mock_service(hass, "notify", "mobile_app_anna_s_phone")
    await show(hass, EVENT, STATE_UNKNOWN)
    await show(hass, DOING, STATE_UNKNOWN)
    await automate(hass, "guardian", phones=[device.id], alarms=[EVENT], doings=[DOING])
    yield calls
    assert not notified


async def test_guardian_rings_the_phone(
    hass: HomeAssistant, phone: list[ServiceCall], caplog: pytest.LogCaptureFixture
) -> None:
    await show(hass, EVENT, "2026-11-22T08:00:00.000+00:00", HOT_SPOT)
    (call,) = phone
    assert call.data["title"].startswith("critical: ")
    assert call.data["title"].endswith(": guardian_heat_difference")
    assert call.data["message"].startswith("raised at ")
    assert call.data["message"].endswith(", cell 7, 6.1 °C (limit 4.0).")
    assert call.data["data"]["channel"] == "alarm_stream"
    assert call.data["data"]["push"]["sound"] == {"name": "default", "critical": 1, "volume": 1.0}

    await show(hass, EVENT, "2026-11-22T08:00:01.000+00:00", HOT_SPOT | {"severity": "warning", "level": "warning"})
    await show(hass, DOING, "2026-11-22T08:00:02.000+00:00", {"event_type": "started", "action": "cooling"})
    await show(hass, DOING, "2026-11-22T08:00:03.000+00:00", {"event_type": "failed", "action": "stop_charge"})
    assert [call.data["data"]["channel"] for call in phone[1:]] == ["JK BMS", "JK BMS", "alarm_stream"]
    assert phone[1].data["data"]["push"] == {}
    assert "cooling" in phone[2].data["title"]
    assert phone[3].data["data"]["push"]["interruption-level"] == "critical"

    # What is over, what hardly matters, what would be done in a dry run, and what was there before.
    await show(hass, EVENT, "2026-11-22T08:00:04.000+00:00", HOT_SPOT | {"event_type": "cleared"})
    await show(hass, EVENT, "2026-11-22T08:00:05.000+00:00", HOT_SPOT | {"severity": "hint"})
    await show(hass, DOING, "2026-11-22T08:00:06.000+00:00", {"event_type": "would_start", "action": "cooling"})
    await show(hass, EVENT, STATE_UNAVAILABLE)
    await show(hass, EVENT, "2026-11-22T08:00:00.000+00:00", HOT_SPOT)
    assert len(phone) == 4
    assert "Template variable" not in caplog.text


async def test_an_emergency_stays_on_the_phone(hass: HomeAssistant, phone: list[ServiceCall]) -> None:
    """It begins with what to do, and only what is news of the same thing takes its place."""
    hot = HOT_SPOT | {"level": "emergency"}
    cell = HOT_SPOT | {"key": "cell_high", "severity": "warning", "level": "warning"}
    for number, event in enumerate((hot, cell, hot | {"alarm": "guardian_heat_held"}, RAISED)):
        await show(hass, EVENT, f"2026-11-22T08:00:0{number}.000+00:00", event)
    await show(hass, DOING, "2026-11-22T08:00:04.000+00:00", {"event_type": "started", "action": "both_off"})
    to_do = "Leave, close the door, call the fire brigade! "
    assert [call.data["message"].startswith(to_do) for call in phone] == [True, False, True, False, False]
    assert [call.data["title"].split(": ")[0] for call in phone[:2]] == ["emergency", "warning"]
    assert [call.data["data"]["tag"] for call in phone] == [
        f"{EVENT}_heat",
        f"{EVENT}_cell_high",
        f"{EVENT}_heat",
        f"{EVENT}_cell_overvoltage",
        f"{DOING}_both_off",
    ]


@pytest.mark.parametrize(
    ("family", "alarm", "unit"),
    [
        ("heat", "heat_forecast", "°C"),
        ("heat", "heat_fast_rise", "°C/min"),
        ("heat", "heat_cell_sag", "mV"),
        ("temperature", "mos_hot", "°C"),
        ("current", "charge_current", "A"),
        ("cell_voltage", "cell_high", "V"),
        ("pack_voltage", "pack_high", "V"),
        ("spread", "spread_top", "V"),
    ],
)
async def test_numbers_have_units(
    hass: HomeAssistant, phone: list[ServiceCall], family: str, alarm: str, unit: str
) -> None:
    event = HOT_SPOT | {"family": family, "alarm": f"guardian_{alarm}"}
    await show(hass, EVENT, "2026-11-22T08:00:00.000+00:00", event)
    assert phone[0].data["message"].endswith(f", 6.1 {unit} (limit 4.0).")


async def test_what_is_held_says_what_raised_it(hass: HomeAssistant, phone: list[ServiceCall]) -> None:
    held = {"alarm": "guardian_heat_held", "raised_by": "heat_difference", "cell": "7"}
    event = {name: said for name, said in HOT_SPOT.items() if name not in ("value", "limit")} | held
    await show(hass, EVENT, "2026-11-22T08:00:00.000+00:00", event)
    assert phone[0].data["message"].endswith(", cell 7, first found: heat_difference.")


async def test_low_charge(hass: HomeAssistant, notified: list[ServiceCall]) -> None:
    await show(hass, CHARGE, "25")
    await automate(hass, "low_charge", charges=[CHARGE], limit=20)
    await show(hass, CHARGE, "20")
    assert not notified
    await show(hass, CHARGE, "19")
    await show(hass, CHARGE, "18")
    assert [call.data["message"].rpartition(" has ")[2] for call in notified] == ["19 % left."]


async def test_setting_changed(hass: HomeAssistant, notified: list[ServiceCall]) -> None:
    await show(hass, SETTING, STATE_UNKNOWN)
    await automate(hass, "setting_changed", settings=[SETTING])
    await show(hass, SETTING, "2026-11-22T08:00:00.000+00:00", CHANGED)
    assert len(notified) == 1
    assert "cell_overvoltage_v" in notified[0].data["title"]
    assert notified[0].data["message"].endswith(": 3.6 → 3.65")

    # What Home Assistant has changed itself, and what was there before.
    await show(hass, SETTING, "2026-11-22T08:00:01.000+00:00", CHANGED | {"event_type": "changed_here"})
    await show(hass, SETTING, STATE_UNAVAILABLE)
    await show(hass, SETTING, "2026-11-22T08:00:00.000+00:00", CHANGED)
    assert len(notified) == 1


@pytest.mark.usefixtures("notified")
async def test_cold_charge(hass: HomeAssistant, freezer: FrozenDateTimeFactory) -> None:
    """While it is cold the limit is set again before it returns; else, and where nobody knows, it is left alone."""

    async def at(time: str) -> None:
        freezer.move_to(datetime.fromisoformat(f"2026-11-22T{time}:00+00:00"))
        async_fire_time_changed(hass, dt_util.utcnow())
        await hass.async_block_till_done()

    limited = async_mock_service(hass, "jk_bms", "set_charge_limits")
    freezer.move_to(datetime.fromisoformat("2026-11-22T08:01:00+00:00"))
    await show(hass, TEMPERATURE, "10")
    await automate(hass, "cold_charge", pack="keller", temperature=TEMPERATURE)
    await at("08:15")
    assert not limited
    await show(hass, TEMPERATURE, "9.9")
    assert [call.data for call in limited] == [{"device_id": ["keller"], "charge_current": 30, "for": "01:00:00"}]
    await show(hass, TEMPERATURE, "9.8")
    assert len(limited) == 1
    await at("08:30")
    assert len(limited) == 2
    await show(hass, TEMPERATURE, STATE_UNAVAILABLE)
    await at("08:45")
    await show(hass, TEMPERATURE, "10")
    await at("09:00")
    assert len(limited) == 2

    automation = {"entity_id": hass.states.async_entity_ids("automation")}
    await hass.services.async_call("automation", "turn_off", automation, blocking=True)
