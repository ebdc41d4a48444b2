"""Events: every alarm once when it is raised and once when it is cleared, every setting once when it has changed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from homeassistant.const import STATE_UNAVAILABLE, STATE_UNKNOWN, Platform
from homeassistant.core import Event, EventStateChangedData, HomeAssistant, callback
from homeassistant.helpers.event import async_track_state_change_event

from custom_components.jk_bms.battery.acting.interface import Mode
from custom_components.jk_bms.bms.alarms import Alarm

from .acting_home import Appliance, Plant
from .pack_values import (
    DEVICE_INFO_32S,
    DEVICE_INFO_V19,
    SETTINGS_24S,
    SETTINGS_32S,
    SETTINGS_JK04,
    ladder,
    telemetry_24s,
    telemetry_32s,
    telemetry_jk04,
)
from .packs import PACK_24S, PACK_32S, PACK_JK04, PACK_V19, Pack, Packs
from .test_acting import HEATED_C

OVERVOLTAGE = 1 << Alarm.CELL_OVERVOLTAGE
PASSWORD = 1 << Alarm.DEFAULT_PASSWORD


ALARM = ("alarm", "event_type", "alarm", "severity")
GUARDIAN = ("alarm", "event_type", "source", "alarm", "severity", "key", "level", "family")
SETTING = ("setting_changed", "event_type", "key", "old", "new")


def record(hass: HomeAssistant, pack: Pack, what: tuple[str, ...] = ALARM) -> list[tuple[Any, ...]]:
    """Return a list that is filled with every event from now on."""
    entity, *names = what
    events: list[tuple[Any, ...]] = []

    @callback
    def take(event: Event[EventStateChangedData]) -> None:
        old, new = event.data["old_state"], event.data["new_state"]
        if new is None or new.state == STATE_UNAVAILABLE or (old and old.state in (STATE_UNAVAILABLE, new.state)):
            return
        events.append(tuple(new.attributes[name] for name in names))

    async_track_state_change_event(hass, pack.get(entity, Platform.EVENT).entity_id, take)
    return events


async def test_raised_and_cleared(packs: Packs, hass: HomeAssistant) -> None:
    pack = await packs.add(*PACK_32S)
    assert pack.value("alarm", Platform.EVENT) == STATE_UNKNOWN
    events = record(hass, pack)
    for bits in (0, OVERVOLTAGE, OVERVOLTAGE, OVERVOLTAGE | PASSWORD, 0, 0):
        packs.tick(0.5)
        await pack.give(telemetry_32s(alarm_bits=bits))
    assert events == [
        ("raised", "cell_overvoltage", "alarm"),
        ("raised", "default_password", "hint"),
        ("cleared", "cell_overvoltage", "alarm"),
        ("cleared", "default_password", "hint"),
    ]


async def test_what_stands_at_the_start_is_no_news(packs: Packs, hass: HomeAssistant) -> None:
    pack = await packs.add(DEVICE_INFO_32S, SETTINGS_32S, telemetry_32s(alarm_bits=OVERVOLTAGE))
    events = record(hass, pack)
    for bits in (OVERVOLTAGE, 0, OVERVOLTAGE):
        await pack.give(telemetry_32s(alarm_bits=bits))
    assert events == [("cleared", "cell_overvoltage", "alarm"), ("raised", "cell_overvoltage", "alarm")]


async def test_what_came_while_the_link_was_lost_is_news(packs: Packs, hass: HomeAssistant) -> None:
    pack = await packs.add(*PACK_32S)
    events = record(hass, pack)
    await packs.advance(21)
    await pack.give(telemetry_32s(alarm_bits=OVERVOLTAGE))
    assert events == [("raised", "cell_overvoltage", "alarm")]


async def test_oldest_boards_know_no_alarms_but_the_guardian_does(packs: Packs, hass: HomeAssistant) -> None:
    pack = await packs.add(*PACK_JK04)
    events = record(hass, pack, GUARDIAN)
    for number in range(4):
        packs.tick(0.5)
        await pack.give(telemetry_jk04(ladder(15), counter=number))
    assert events == [("raised", "guardian", "guardian_cell_count", "alarm", "cell_count", "critical", "data")]


async def test_what_the_guardian_finds(packs: Packs, hass: HomeAssistant) -> None:
    pack = await packs.add(*PACK_32S)
    events = record(hass, pack, GUARDIAN)
    frame = 0

    async def run(seconds: int, *, cell_v: float) -> None:
        nonlocal frame
        for _ in range(2 * seconds):
            packs.tick(0.5)
            frame += 1
            current_a = 10 + frame % 2 / 100
            await pack.give(telemetry_32s((cell_v,) * 16, counter=frame % 256, current_a=current_a))

    await run(5, cell_v=3.48)
    await run(61, cell_v=3.48)
    assert events == [], "what is only worth a look is no alarm"
    await run(12, cell_v=3.53)
    await run(2, cell_v=3.61)
    await run(130, cell_v=3.3)
    told = [
        ("guardian", "guardian_cell_high", severity, "cell_high", level, "cell_voltage")
        for severity, level in (("warning", "warning"), ("alarm", "critical"))
    ]
    of_cell = [event for event in events if event[4] == "cell_high"]
    assert of_cell == [("raised", *told[0]), ("raised", *told[1]), ("cleared", *told[0])]


async def test_what_the_board_has_said_itself_is_told_once(packs: Packs, hass: HomeAssistant) -> None:
    pack = await packs.add(*PACK_32S)
    events = record(hass, pack, ("alarm", "event_type", "source", "alarm"))
    for number in range(20):
        packs.tick(0.5)
        await pack.give(telemetry_32s(alarm_bits=OVERVOLTAGE, counter=number))
    assert events == [("raised", "board", "cell_overvoltage")]
    assert pack.value("hazard_bms_fault", Platform.BINARY_SENSOR) == "on"


async def test_that_nothing_is_heard_is_told(packs: Packs, hass: HomeAssistant) -> None:
    pack = await packs.add(*PACK_32S)
    events = record(hass, pack, GUARDIAN)
    await packs.advance(601)
    assert events == [("raised", "guardian", "guardian_data_stale", "warning", "data_stale", "warning", "data")]


async def test_settings_that_were_changed_elsewhere(packs: Packs, hass: HomeAssistant) -> None:
    pack = await packs.add(*PACK_V19)
    assert pack.value("setting_changed", Platform.EVENT) == STATE_UNKNOWN
    events = record(hass, pack, SETTING)
    await pack.give(SETTINGS_32S, telemetry_32s(), DEVICE_INFO_V19, SETTINGS_32S)
    assert events == []

    changed = replace(SETTINGS_32S, cell_overvoltage_v=3.65, charge_switch=False, control_bits=0x0008)
    await pack.give(changed)
    packs.tick(1)
    await pack.give(changed, replace(DEVICE_INFO_V19, uart2_protocol=1, requested_charge_time_h=1.5))
    packs.tick(1)
    await pack.give(replace(DEVICE_INFO_V19, uart2_protocol=99, requested_charge_time_h=1.5))
    assert events == [
        ("changed_elsewhere", "charge_switch", True, False),
        ("changed_elsewhere", "cell_overvoltage_v", 3.6, 3.65),
        ("changed_elsewhere", "smart_sleep", True, False),
        ("changed_elsewhere", "requested_charge_time_h", 1.0, 1.5),
        ("changed_elsewhere", "uart2_protocol", "pylontech_rs485", "jk_rs485_modbus_115200"),
        ("changed_elsewhere", "uart2_protocol", "jk_rs485_modbus_115200", 99),
    ]


async def test_settings_that_were_changed_here(packs: Packs, hass: HomeAssistant) -> None:
    pack = await packs.add(*PACK_V19, permission="all")
    events = record(hass, pack, SETTING)
    await pack.coordinator.changes.async_apply({"cell_overvoltage_v": 3.65})
    packs.tick(1)
    await pack.give(replace(SETTINGS_32S, cell_overvoltage_v=3.62))
    assert events == [
        ("changed_here", "cell_overvoltage_v", 3.6, 3.65),
        ("changed_elsewhere", "cell_overvoltage_v", 3.65, 3.62),
    ]


async def test_a_setting_that_was_changed_during_a_pause(packs: Packs, hass: HomeAssistant) -> None:
    pack = await packs.add(*PACK_32S)
    events = record(hass, pack, SETTING)
    await pack.link.pause(600)
    await packs.advance(120)
    pack.link.resume()
    await pack.give(replace(SETTINGS_32S, cell_overvoltage_v=3.65))
    assert pack.value("setting_changed", Platform.EVENT) == STATE_UNAVAILABLE
    await pack.give(telemetry_32s())
    assert events == [("changed_elsewhere", "cell_overvoltage_v", 3.6, 3.65)]


async def test_what_the_board_says_for_the_first_time_is_no_news(packs: Packs, hass: HomeAssistant) -> None:
    pack = await packs.add(DEVICE_INFO_32S, telemetry_32s())
    events = record(hass, pack, SETTING)
    await pack.give(SETTINGS_32S, DEVICE_INFO_V19)
    assert events == []
    await pack.give(DEVICE_INFO_32S, DEVICE_INFO_V19)
    assert events == [], "known, although not said in between"
    await pack.give(DEVICE_INFO_32S, replace(DEVICE_INFO_V19, emergency_duration_min=20))
    assert events == [("changed_elsewhere", "emergency_duration_min", 30, 20)]


async def test_texts_are_not_told(packs: Packs, hass: HomeAssistant) -> None:
    pack = await packs.add(*PACK_32S)
    events = record(hass, pack, SETTING)
    await pack.give(replace(DEVICE_INFO_32S, user_data="secret", device_passcode="4321"))
    assert events == []


async def test_numbers_of_the_oldest_boards(packs: Packs, hass: HomeAssistant) -> None:
    pack = await packs.add(*PACK_JK04)
    events = record(hass, pack, SETTING)
    await pack.give(replace(SETTINGS_JK04, balance_start_voltage_v=3.4000000953674316, voltage_calibration_v=3.0012344))
    assert events == [
        ("changed_elsewhere", "balance_start_voltage_v", 3.42, 3.4),
        ("changed_elsewhere", "voltage_calibration_v", 3.0, 3.001234),
    ]


async def test_an_element_of_an_array(packs: Packs, hass: HomeAssistant) -> None:
    info, _, telemetry = PACK_24S
    pack = await packs.add(info, replace(SETTINGS_24S, lead_resistance_calibrations_uohm=(0, 0)), telemetry)
    events = record(hass, pack, SETTING)
    await pack.give(replace(SETTINGS_24S, lead_resistance_calibrations_uohm=(0, 70)), telemetry_24s())
    assert events == [("changed_elsewhere", "lead_resistance_calibration_2_uohm", 0, 70)]


async def test_the_limit_is_told_when_the_sensor_says_it(packs: Packs, hass: HomeAssistant) -> None:
    """An automation reads the sensor as soon as it hears of the event."""
    fan = Appliance(hass, "fan.rack")
    plant = await Plant.add(packs, celsius=HEATED_C, spread_c=20, reduce_level=2, cooling_entity=fan.entity_id)
    told: list[tuple[object, ...]] = []

    @callback
    def take(event: Event[EventStateChangedData]) -> None:
        new = event.data["new_state"]
        assert new
        names = ("event_type", "action", "level", "limit")
        told.append((*(new.attributes[name] for name in names), plant.value("heat_current_limit")))

    async_track_state_change_event(hass, plant.pack.get("guardian_action", Platform.EVENT).entity_id, take)
    await plant.run(700, every_s=10)
    of_limit = [event for event in told if event[1] == "reduce"]
    assert [event[:3] for event in of_limit] == [("ordered", "reduce", "reduce"), ("started", "reduce", "reduce")]
    assert [str(limit) for *_, limit, _ in of_limit] == [sensor for *_, sensor in of_limit]
    assert {limit for _, action, _, limit, _ in told if action != "reduce"} == {None}
    plant.pack.coordinator.acting.set_mode(Mode.WATCH)
    await plant.settle()
    assert ("ended", "reduce", "reduce", None, STATE_UNKNOWN) in told
