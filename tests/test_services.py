"""The actions, called as automations and people call them."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any, cast
from unittest.mock import patch

import pytest
from freezegun.api import FrozenDateTimeFactory
from homeassistant.config_entries import ConfigEntryDisabler
from homeassistant.const import ATTR_AREA_ID, ATTR_DEVICE_ID, ATTR_ENTITY_ID, STATE_OFF, STATE_ON, Platform
from homeassistant.core import Context, HomeAssistant
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError, Unauthorized
from homeassistant.helpers import area_registry as ar
from homeassistant.helpers import device_registry as dr
from homeassistant.util import dt as dt_util
from homeassistant.util.json import JsonObjectType
from homeassistant.util.yaml import load_yaml_dict
from probatio import Invalid
from pytest_homeassistant_custom_component.common import MockConfigEntry, MockUser

from custom_components.jk_bms.bms.link import LinkProblem
from custom_components.jk_bms.bms.registers import SETTINGS_BY_KEY, Instruction
from custom_components.jk_bms.bms.writing import Outcome
from custom_components.jk_bms.const import DOMAIN
from custom_components.jk_bms.permission import Permission

from .pack_values import SETTINGS_32S, telemetry_32s
from .packs import PACK_24S, PACK_32S, PACK_JK04, Pack, Packs
from .test_translations import FOLDER

SERVICES_YAML = FOLDER / "services.yaml"


@pytest.fixture
async def pack(packs: Packs) -> Pack:
    """A pack that may be changed in everything."""
    return await packs.add(*PACK_32S, permission=Permission.ALL)


def device_id(pack: Pack) -> str:
    device = pack.coordinator.device
    assert device
    return device.id


async def call(pack: Pack, service: str, *, context: Context | None = None, **data: Any) -> JsonObjectType:
    """Call an action for one pack by its device; return its answer for that pack."""
    answer = await pack.hass.services.async_call(
        DOMAIN,
        service,
        {ATTR_DEVICE_ID: device_id(pack), **data},
        blocking=True,
        return_response=True,
        context=context,
    )
    assert answer
    (one,) = cast("list[JsonObjectType]", answer["packs"])
    assert one["device_id"] == device_id(pack)
    assert one["pack"] == "Keller"
    return one


async def settings(pack: Pack) -> dict[str, dict[str, Any]]:
    """Return what `get_settings` says of each setting."""
    found = cast("list[dict[str, Any]]", (await call(pack, "get_settings"))["settings"])
    return {each["setting"]: each for each in found}


async def test_charge_limits(pack: Pack) -> None:
    answer = await call(
        pack,
        "set_charge_limits",
        charge_current=40,
        discharge_current=80.04,
        charge_voltage=3.5,
        overvoltage_protection=3.62,
        float_voltage=3.36,
    )
    assert dict(pack.link.written) == {
        "charge_current_limit_a": 40,
        "discharge_current_limit_a": 80,
        "requested_charge_voltage_v": 3.5,
        "cell_overvoltage_v": 3.62,
        "requested_float_voltage_v": 3.36,
    }
    assert answer["until"] is None
    changes = cast("list[JsonObjectType]", answer["changes"])
    assert {change["result"] for change in changes} == {"verified"}


async def test_charge_limits_for_a_time(pack: Pack, packs: Packs, freezer: FrozenDateTimeFactory) -> None:
    freezer.move_to("2026-11-22 20:00:00+00:00")
    answer = await call(pack, "set_charge_limits", charge_current=40, **cast("Any", {"for": {"hours": 2}}))
    assert answer["until"] == "2026-11-22T22:00:00+00:00"
    (returning,) = cast("list[JsonObjectType]", (await call(pack, "get_changes"))["to_return"])
    assert returning == {"setting": "charge_current_limit_a", "value": 100, "at": "2026-11-22T22:00:00+00:00"}
    await packs.advance(2 * 3600 + 1)
    assert pack.link.written[-1] == ("charge_current_limit_a", 100)


@pytest.mark.parametrize("duration", [{"seconds": 10}, {"days": 40}])
async def test_a_time_too_short_or_too_long(pack: Pack, duration: dict[str, int]) -> None:
    with pytest.raises(Invalid):
        await call(pack, "set_charge_limits", charge_current=40, **cast("Any", {"for": duration}))


async def test_no_limit_at_all(pack: Pack) -> None:
    with pytest.raises(ServiceValidationError, match="at least one limit"):
        await call(pack, "set_charge_limits")


@pytest.mark.parametrize(
    ("setting", "value", "written"),
    [
        ("balance_start_voltage_v", "3.42", 3.42),
        ("balance_start_voltage_v", 3.4001, 3.4),
        ("heating_allowed", "on", True),
        ("heating_allowed", True, True),
        ("can_protocol", "victron", 4),
        ("can_protocol", 4, 4),
        ("user_data", "Keller", "Keller"),
        ("user_data", "2026", "2026"),
    ],
)
async def test_write_setting(pack: Pack, setting: str, value: object, written: object) -> None:
    await pack.give(
        replace(PACK_32S[0], can_protocol=0, can_protocol_mask=0xFFF),
        replace(SETTINGS_32S, balance_start_voltage_v=3.38),
        telemetry_32s(),
    )
    answer = await call(pack, "write_setting", setting=setting, value=value)
    assert pack.link.written == [(setting, written)]
    assert (answer["setting"], answer["result"]) == (setting, "verified")


@pytest.mark.parametrize(
    ("setting", "value"),
    [("heating_allowed", "perhaps"), ("cell_overvoltage_v", "high"), ("can_protocol", "smoke signals")],
)
async def test_no_such_value(pack: Pack, setting: str, value: object) -> None:
    with pytest.raises(ServiceValidationError, match=f'"{value}" is no value for {setting}'):
        await call(pack, "write_setting", setting=setting, value=value)


async def test_get_settings(pack: Pack) -> None:
    await pack.give(
        replace(PACK_32S[0], can_protocol=4, can_protocol_mask=0b10001),
        replace(SETTINGS_32S, charge_undertemperature_c=-20.0, charge_undertemperature_recovery_c=-10.0),
        telemetry_32s(),
    )
    found = await settings(pack)
    assert found["charge_undertemperature_c"] == {
        "setting": "charge_undertemperature_c",
        "name": "UTP: charge undertemperature protection",
        "value": -20,
        "unit": "°C",
        "lowest": -45,
        "highest": 20,
        "step": 0.1,
        "choices": None,
        "factory": -20,
        "recommended": 2,
        "deviates": True,
        "needs_confirmation": False,
        "allowed": True,
    }
    assert found["can_protocol"]["value"] == "victron"
    assert found["can_protocol"]["choices"] == ["jk_250k", "victron"]
    assert found["charge_switch"]["value"] is True
    assert found["cell_count"]["needs_confirmation"] is True
    assert "user_data" not in found


@pytest.mark.parametrize("first", [PACK_24S, PACK_JK04])
async def test_get_settings_of_older_boards(packs: Packs, first: tuple[Any, ...]) -> None:
    pack = await packs.add(*first)
    found = await settings(pack)
    assert found["balance_trigger_voltage_v"]["allowed"] is False
    assert "can_protocol" not in found


async def test_save_and_restore(pack: Pack) -> None:
    saved = await call(pack, "save_settings", name=" before the inverter ")
    assert saved["snapshots"] == ["before the inverter"]
    await call(pack, "write_setting", setting="charge_current_limit_a", value=40)
    difference = {"setting": "charge_current_limit_a", "present": 40, "saved": 100, "possible": True}
    shown = await call(pack, "restore_settings", name="before the inverter")
    assert shown["differences"] == [difference]
    assert "changes" not in shown
    assert len(pack.link.written) == 1
    restored = await call(pack, "restore_settings", name="before the inverter", dry_run=False)
    assert restored["differences"] == [difference]
    assert pack.link.written[-1] == ("charge_current_limit_a", 100)


async def test_get_changes(pack: Pack) -> None:
    await call(pack, "write_setting", setting="charge_current_limit_a", value=40)
    answer = await call(pack, "get_changes")
    (change,) = cast("list[JsonObjectType]", answer["changes"])
    assert dt_util.parse_datetime(cast("str", change.pop("at")))
    assert change == {
        "setting": "charge_current_limit_a",
        "old": 100,
        "new": 40,
        "by": "home_assistant",
        "by_name": None,
        "result": "verified",
    }
    assert (answer["writes_today"], answer["writes_per_day"]) == (1, 50)


async def test_commands(pack: Pack) -> None:
    assert (await call(pack, "send_command", command="restart"))["result"] == "sent"
    with pytest.raises(ServiceValidationError, match="Repeat the action"):
        await call(pack, "send_command", command="factory_reset")
    await call(pack, "send_command", command="factory_reset", confirm=True)
    assert [key for key, _ in pack.link.written] == ["restart", "factory_reset"]
    changes = cast("list[JsonObjectType]", (await call(pack, "get_changes"))["changes"])
    assert changes[-1]["new"] is None


async def test_the_clock(pack: Pack, hass: HomeAssistant, freezer: FrozenDateTimeFactory) -> None:
    await hass.config.async_set_time_zone("Europe/Berlin")
    freezer.move_to("2027-01-01 00:00:00+00:00")
    await pack.give(telemetry_32s(clock_s=86_400))
    await call(pack, "set_clock")
    assert pack.link.written == [("clock_s", (365 * 7 + 2) * 86_400 + 3_600)]


async def test_pause_and_resume(pack: Pack, freezer: FrozenDateTimeFactory) -> None:
    freezer.move_to("2026-11-22 20:00:00+00:00")
    assert (await call(pack, "pause", minutes=15))["until"] == "2026-11-22T20:15:00+00:00"
    assert pack.value("pause", Platform.SWITCH) == STATE_ON
    with pytest.raises(HomeAssistantError, match="is paused until"):
        await call(pack, "get_settings")
    with pytest.raises(HomeAssistantError, match="is paused until"):
        await call(pack, "get_event_log")
    await call(pack, "resume")
    assert pack.value("pause", Platform.SWITCH) == STATE_OFF


async def test_the_log(pack: Pack) -> None:
    pack.link.log = ()
    assert (await call(pack, "get_event_log"))["entries"] == []
    pack.link.log_fails_with = LinkProblem.NO_DATA
    with pytest.raises(HomeAssistantError, match="sends no readable data"):
        await call(pack, "get_event_log")


async def test_events_of_the_guardian(pack: Pack, packs: Packs, hass: HomeAssistant) -> None:
    assert (await call(pack, "get_guardian_events"))["events"] == []
    for number in range(60):
        packs.tick(1)
        await pack.give(telemetry_32s(counter=number, current_a=number / 10))
    for number in range(2):
        packs.tick(1)
        await pack.give(telemetry_32s(counter=100 + number, cells_v=(3.3,) * 15 + (3.59,)))
    for number in range(3):
        packs.tick(1)
        await pack.give(telemetry_32s(counter=103 + number, mos_temperature_c=99.0 + number))

    answer = cast("dict[str, Any]", await call(pack, "get_guardian_events"))
    newer, older = answer["events"]
    assert newer["at"] > older["at"]
    assert older["assessment"]["findings"][0]["key"] == "cell_high"
    assert "mos_hot" in [each["key"] for each in newer["assessment"]["findings"]]
    assert older["telemetry"]["cell_voltages_v"][-1] == 3.59
    assert older["settings"]["cell_overvoltage_v"] == 3.6
    assert older["limits"]["cell_high"] == [3.5, 3.52, 3.57]
    assert set(older) == {"at", "assessment", "telemetry", "settings", "limits"}

    answer = cast("dict[str, Any]", await call(pack, "get_guardian_events", minutes_before=True))
    rows = answer["events"][1]["minutes_before"]
    assert [row["time_s"] for row in rows[-3:]] == [-2, -1, 0]
    assert [row["current_a"] for row in rows[-4:-2]] == [5.8, 5.9]


async def test_targets(pack: Pack, packs: Packs, hass: HomeAssistant) -> None:
    other = await packs.add(*PACK_32S, address="C8:47:80:00:00:02", title="Garage", permission=Permission.ALL)
    area = ar.async_get(hass).async_create("Cellar")
    for each in (pack, other):
        dr.async_get(hass).async_update_device(device_id(each), area_id=area.id)
    by_area = {ATTR_AREA_ID: area.id}
    answer = await hass.services.async_call(DOMAIN, "get_changes", by_area, blocking=True, return_response=True)
    assert answer
    assert [each["pack"] for each in cast("list[JsonObjectType]", answer["packs"])] == ["Garage", "Keller"]
    by_entity = {ATTR_ENTITY_ID: pack.entity_id(Platform.SENSOR, "state_of_charge")}
    answer = await hass.services.async_call(DOMAIN, "get_changes", by_entity, blocking=True, return_response=True)
    assert answer
    assert [each["pack"] for each in cast("list[JsonObjectType]", answer["packs"])] == ["Keller"]
    assert await hass.services.async_call(DOMAIN, "resume", by_entity, blocking=True) is None


async def test_one_of_two_packs_fails(pack: Pack, packs: Packs, hass: HomeAssistant) -> None:
    """The other is written all the same: its limits don't depend on the first."""
    other = await packs.add(*PACK_32S, address="C8:47:80:00:00:02", title="Garage", permission=Permission.ALL)
    pack.link.writing_fails_with = LinkProblem.OUT_OF_RANGE
    target = {ATTR_DEVICE_ID: [device_id(pack), device_id(other)]}
    with pytest.raises(HomeAssistantError, match="Keller can't be heard"):
        await hass.services.async_call(DOMAIN, "set_charge_limits", {**target, "charge_current": 40}, blocking=True)
    assert other.link.written == [("charge_current_limit_a", 40)]


async def test_two_of_three_packs_fail(pack: Pack, packs: Packs, hass: HomeAssistant) -> None:
    """What went wrong is said of each."""
    hass.config.language = "de"
    garage = await packs.add(*PACK_32S, address="C8:47:80:00:00:02", title="Garage", permission=Permission.ALL)
    barn = await packs.add(*PACK_32S, address="C8:47:80:00:00:03", title="Scheune", permission=Permission.ALL)
    pack.link.writing_fails_with, garage.link.writing_fails_with = LinkProblem.OUT_OF_RANGE, LinkProblem.NO_DATA
    target = {ATTR_DEVICE_ID: [device_id(each) for each in (pack, garage, barn)]}
    with pytest.raises(HomeAssistantError) as raised:
        await hass.services.async_call(DOMAIN, "set_charge_limits", {**target, "charge_current": 40}, blocking=True)
    assert raised.value.translation_placeholders
    assert raised.value.translation_placeholders["count"] == "2"
    for said in ("Keller ist nicht zu hören", "Garage nimmt die Verbindung an"):
        assert said in raised.value.translation_placeholders["reasons"]
    assert ".." not in str(raised.value)
    assert barn.link.written == [("charge_current_limit_a", 40)]
    with pytest.raises(ServiceValidationError, match=r"^Give at least one limit$"):
        await hass.services.async_call(DOMAIN, "set_charge_limits", target, blocking=True)
    with (
        patch.object(barn.link, "read_event_log", side_effect=RuntimeError("bug")),
        pytest.raises(RuntimeError, match="bug"),
    ):
        await hass.services.async_call(DOMAIN, "get_event_log", target, blocking=True, return_response=True)


async def test_one_of_three_packs_is_not_set_up(pack: Pack, packs: Packs, hass: HomeAssistant) -> None:
    """All others are stopped all the same; what went wrong is said at the end, of each."""
    garage = await packs.add(*PACK_32S, address="C8:47:80:00:00:02", title="Garage", permission=Permission.ALL)
    barn = await packs.add(*PACK_32S, address="C8:47:80:00:00:03", title="Barn", permission=Permission.ALL)
    target = {ATTR_DEVICE_ID: [device_id(each) for each in (pack, garage, barn)]}
    await hass.config_entries.async_unload(garage.entry.entry_id)
    off = telemetry_32s(charge_mosfet=False, discharge_mosfet=False, current_a=0.0)
    for each in (pack, barn):
        each.link.after_writing = partial(each.link.give, off)
    with pytest.raises(ServiceValidationError, match="Garage isn't set up at the moment"):
        await hass.services.async_call(DOMAIN, "emergency_stop", {**target, "confirm": True}, blocking=True)
    stopped = [("charge_switch", False), ("discharge_switch", False)]
    assert pack.link.written == barn.link.written == stopped
    barn.link.writing_fails_with = LinkProblem.OUT_OF_RANGE
    with pytest.raises(HomeAssistantError, match=r"2 packs could not do it.*Barn can't be heard.*Garage isn't set up"):
        await hass.services.async_call(DOMAIN, "set_charge_limits", {**target, "charge_current": 40}, blocking=True)
    assert pack.link.written == [*stopped, ("charge_current_limit_a", 40)]


async def test_a_disabled_pack_in_an_area(pack: Pack, packs: Packs, hass: HomeAssistant) -> None:
    other = await packs.add(*PACK_32S, address="C8:47:80:00:00:02", title="Garage", permission=Permission.ALL)
    area = ar.async_get(hass).async_create("Cellar")
    for each in (pack, other):
        dr.async_get(hass).async_update_device(device_id(each), area_id=area.id)
    target = {ATTR_AREA_ID: area.id, "charge_current": 40}
    await hass.config_entries.async_set_disabled_by(other.entry.entry_id, ConfigEntryDisabler.USER)
    await hass.services.async_call(DOMAIN, "set_charge_limits", target, blocking=True)
    assert pack.link.written == [("charge_current_limit_a", 40)]
    await hass.config_entries.async_set_disabled_by(pack.entry.entry_id, ConfigEntryDisabler.USER)
    with pytest.raises(HomeAssistantError, match=r"2 packs could not do it.*Garage isn't set up.*Keller isn't set up"):
        await hass.services.async_call(DOMAIN, "set_charge_limits", target, blocking=True)


@pytest.mark.parametrize(
    ("setting", "value", "said"),
    [
        ("short_circuit_delay_us", 2_000_000, "2000000 µs is out of range .* 0 µs to 1000000 µs"),
        ("cell_overvoltage_v", 4.4004, "4.4 V is out of range .* 1.2 V to 4.35 V"),
        ("heating_allowed", "on", "didn't take On for"),
        ("can_protocol", "victron", "didn't take Victron for"),
    ],
)
async def test_values_are_said_as_people_say_them(pack: Pack, setting: str, value: object, said: str) -> None:
    await pack.give(replace(PACK_32S[0], can_protocol=0, can_protocol_mask=0xFFF), telemetry_32s())
    pack.link.outcomes = {"heating_allowed": Outcome.REFUSED, "can_protocol": Outcome.REFUSED}
    with pytest.raises(HomeAssistantError, match=said):
        await call(pack, "write_setting", setting=setting, value=value)


@pytest.mark.usefixtures("pack")
async def test_no_pack(hass: HomeAssistant) -> None:
    other = MockConfigEntry(domain="other")
    other.add_to_hass(hass)
    stranger = dr.async_get(hass).async_get_or_create(config_entry_id=other.entry_id, identifiers={("other", "1")})
    with pytest.raises(ServiceValidationError, match="for JK BMS packs"):
        await hass.services.async_call(DOMAIN, "resume", {ATTR_DEVICE_ID: stranger.id}, blocking=True)
    with pytest.raises(Invalid):
        await hass.services.async_call(DOMAIN, "resume", {}, blocking=True)


async def test_a_pack_that_is_not_there(pack: Pack, hass: HomeAssistant) -> None:
    target = {ATTR_DEVICE_ID: device_id(pack)}
    await hass.config_entries.async_unload(pack.entry.entry_id)
    with pytest.raises(ServiceValidationError, match="Keller isn't set up at the moment"):
        await hass.services.async_call(DOMAIN, "resume", target, blocking=True)


HARMFUL: list[tuple[str, dict[str, object]]] = [
    ("send_command", {"command": "shut_down", "confirm": True}),
    ("restore_settings", {"name": "before", "dry_run": False}),
    ("write_setting", {"setting": "cell_count", "value": 15, "confirm": True}),
    ("set_charge_limits", {"overvoltage_protection": 3.7, "confirm": True}),
]


@pytest.mark.parametrize(("service", "data"), HARMFUL)
async def test_what_can_do_harm_is_for_administrators(
    pack: Pack, hass: HomeAssistant, service: str, data: dict[str, object]
) -> None:
    await call(pack, "save_settings", name="before")
    user = MockUser().add_to_hass(hass)
    with pytest.raises(Unauthorized):
        await call(pack, service, context=Context(user_id=user.id), **data)
    assert pack.link.written == []
    user.system_generated, user.is_owner = False, True
    user.invalidate_cache()
    await call(pack, service, context=Context(user_id=user.id), **data)


async def test_who_may_only_look_changes_nothing(pack: Pack, hass: HomeAssistant) -> None:
    user = MockUser().add_to_hass(hass)
    user.mock_policy({"entities": {"all": {"read": True}}})
    context = Context(user_id=user.id)
    with pytest.raises(Unauthorized):
        await call(pack, "set_charge_limits", context=context, charge_current=40)
    with pytest.raises(Unauthorized):
        await call(pack, "pause", context=context)
    assert pack.link.written == []
    await call(pack, "get_settings", context=context)


async def test_the_rest_is_for_everybody(pack: Pack, hass: HomeAssistant) -> None:
    user = MockUser().add_to_hass(hass)
    user.mock_policy({"entities": True})
    await call(pack, "send_command", context=Context(user_id=user.id), command="restart")
    await call(pack, "set_charge_limits", context=Context(user_id=user.id), charge_current=40)
    await call(pack, "save_settings", context=Context(user_id=user.id), name="before")
    await call(pack, "restore_settings", context=Context(user_id=user.id), name="before")
    assert pack.coordinator.changes.memory.changes[0].by.kind == "user"


@pytest.mark.usefixtures("pack")
async def test_the_forms_offer_all_there_is(hass: HomeAssistant) -> None:
    described = load_yaml_dict(str(SERVICES_YAML))
    assert set(described) == set(hass.services.async_services_for_domain(DOMAIN))
    write, command = (cast("dict[str, Any]", described[name]) for name in ("write_setting", "send_command"))
    assert write["fields"]["setting"]["selector"]["select"]["options"] == list(SETTINGS_BY_KEY)
    assert command["fields"]["command"]["selector"]["select"]["options"] == [each.key for each in Instruction]
