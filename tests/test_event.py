"""The alarm event: every alarm once when it is raised, once when it is cleared."""

from __future__ import annotations

from typing import Any

from homeassistant.const import STATE_UNAVAILABLE, STATE_UNKNOWN, Platform
from homeassistant.core import Event, EventStateChangedData, HomeAssistant, callback
from homeassistant.helpers.event import async_track_state_change_event

from custom_components.jk_bms.bms.alarms import Alarm

from .pack_values import DEVICE_INFO_32S, SETTINGS_32S, telemetry_32s
from .packs import PACK_32S, PACK_JK04, Pack, Packs

OVERVOLTAGE = 1 << Alarm.CELL_OVERVOLTAGE
PASSWORD = 1 << Alarm.DEFAULT_PASSWORD


def record(hass: HomeAssistant, pack: Pack) -> list[tuple[Any, ...]]:
    """Return a list that is filled with every event from now on."""
    events: list[tuple[Any, ...]] = []

    @callback
    def take(event: Event[EventStateChangedData]) -> None:
        old, new = event.data["old_state"], event.data["new_state"]
        if new is None or new.state == STATE_UNAVAILABLE or (old and old.state in (STATE_UNAVAILABLE, new.state)):
            return
        events.append(tuple(new.attributes[name] for name in ("event_type", "alarm", "severity")))

    async_track_state_change_event(hass, pack.get("alarm", Platform.EVENT).entity_id, take)
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
    assert pack.value("alarm", Platform.EVENT) == STATE_UNAVAILABLE
    await pack.give(telemetry_32s(alarm_bits=OVERVOLTAGE))
    assert events == [("raised", "cell_overvoltage", "alarm")]


async def test_oldest_boards_know_no_alarms(packs: Packs) -> None:
    pack = await packs.add(*PACK_JK04)
    assert pack.entity_id(Platform.EVENT, "alarm") is None
