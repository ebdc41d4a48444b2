"""The event of the board's log: every new entry once, at little cost."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from freezegun.api import FrozenDateTimeFactory
from homeassistant.const import STATE_UNAVAILABLE, STATE_UNKNOWN, Platform
from homeassistant.core import Event, EventStateChangedData, HomeAssistant, State, callback
from homeassistant.helpers import restore_state
from homeassistant.helpers.event import async_track_state_change_event
from homeassistant.util import dt as dt_util

from custom_components.jk_bms.bms.alarms import Alarm
from custom_components.jk_bms.bms.event_log import LogCode
from custom_components.jk_bms.bms.link import LinkError, LinkProblem, LinkState
from custom_components.jk_bms.bms.telemetry import LogEntry, Telemetry
from custom_components.jk_bms.log_event import ATTEMPTS

from .pack_values import DEVICE_INFO_32S, SETTINGS_32S, telemetry_32s
from .packs import PACK_24S, PACK_JK04, Pack, Packs
from .radio import Radio

START_S = 86_400
OLD = (LogEntry(10, LogCode.BOOT), LogEntry(900, 0x15))


def frame(count: int, run_time_s: int = START_S, **changes: Any) -> Telemetry:
    return telemetry_32s(event_log_count=count, run_time_s=run_time_s, **changes)


async def add(packs: Packs) -> Pack:
    pack = await packs.add(DEVICE_INFO_32S, SETTINGS_32S, frame(2))
    pack.link.log = OLD
    return pack


async def settle(hass: HomeAssistant) -> None:
    await hass.async_block_till_done(wait_background_tasks=True)


async def give(pack: Pack, *values: Telemetry) -> None:
    pack.link.give(*values)
    await settle(pack.hass)


async def wait(packs: Packs, pack: Pack, seconds: float) -> None:
    """Move the time, the event loop's included, and run what is due."""
    await packs.advance(seconds)
    await settle(pack.hass)


def record(hass: HomeAssistant, entity_id: str = "event.keller_event_log") -> list[tuple[Any, ...]]:
    """Return a list that is filled with every event from now on."""
    events: list[tuple[Any, ...]] = []

    @callback
    def take(event: Event[EventStateChangedData]) -> None:
        old, new = event.data["old_state"], event.data["new_state"]
        if new is None or new.state in (STATE_UNAVAILABLE, STATE_UNKNOWN) or (old and old.state == new.state):
            return
        if old and old.state == STATE_UNAVAILABLE:
            return
        events.append(tuple(new.attributes[name] for name in ("event_type", "code", "cell", "run_time_s")))

    async_track_state_change_event(hass, entity_id, take)
    return events


async def test_new_entries_are_announced_once(packs: Packs, hass: HomeAssistant) -> None:
    pack = await add(packs)
    assert pack.value("log_entry", Platform.EVENT) == STATE_UNKNOWN
    events = record(hass)
    await give(pack, frame(2))
    assert pack.link.log_reads == 0, "nothing has happened"
    pack.link.log = (*OLD, LogEntry(START_S + 1, 0x1D), LogEntry(START_S + 1, 0xC9))
    await give(pack, frame(4, START_S + 2))
    new = [
        ("cell_undervoltage", 0x1D, None, START_S + 1),
        ("cell_overdischarge", 0xC9, 2, START_S + 1),
    ]
    assert events == new
    await give(pack, frame(4, START_S + 3))
    await wait(packs, pack, 11)
    assert (events, pack.link.log_reads) == (new, 1)
    pack.link.log = (*pack.link.log[1:], LogEntry(START_S + 13, 0x1E))
    await give(pack, frame(5, START_S + 14))
    assert events == [*new, ("cell_undervoltage_cleared", 0x1E, None, START_S + 13)]


async def test_what_comes_in_the_second_of_the_start_is_new(packs: Packs, hass: HomeAssistant) -> None:
    pack = await add(packs)
    events = record(hass)
    pack.link.log = (*OLD, LogEntry(START_S - 1, 0x19), LogEntry(START_S, 0x1A))
    await give(pack, frame(3))
    assert events == [("charge_overtemperature_cleared", 0x1A, None, START_S)]


async def test_attributes(packs: Packs, hass: HomeAssistant, freezer: FrozenDateTimeFactory) -> None:
    await hass.config.async_set_time_zone("Europe/Berlin")
    freezer.move_to("2026-01-10T12:00:00+00:00")
    pack = await add(packs)
    packs.tick(10)
    pack.link.log = (*OLD, LogEntry(START_S + 3, 0x5A))
    await give(pack, frame(3, START_S + 10))
    attributes = pack.get("log_entry", Platform.EVENT).attributes
    assert {name: attributes[name] for name in ("event_type", "code", "cell", "run_time_s", "time")} == {
        "event_type": "unknown",
        "code": 0x5A,
        "cell": None,
        "run_time_s": START_S + 3,
        "time": "2026-01-10T13:00:03+01:00",
    }


async def test_a_burst_is_read_twice_at_most_in_ten_seconds(packs: Packs, hass: HomeAssistant) -> None:
    pack = await add(packs)
    events = record(hass)
    for number in range(1, 9):
        packs.tick(1)
        pack.link.log = (*pack.link.log, LogEntry(START_S + number, 0x15 + number % 2))
        await give(pack, frame(2 + number, START_S + number))
    assert pack.link.log_reads == 1
    await wait(packs, pack, 3)
    assert pack.link.log_reads == 2
    assert [run_time_s for *_, run_time_s in events] == [START_S + number for number in range(1, 9)]


async def test_software_that_does_not_count_has_its_log_read_when_an_alarm_comes(
    packs: Packs, hass: HomeAssistant
) -> None:
    pack = await packs.add(DEVICE_INFO_32S, SETTINGS_32S, frame(0))
    events = record(hass)
    pack.link.log = (*OLD, LogEntry(START_S + 1, 0x11))
    await give(pack, frame(0, START_S + 1, alarm_bits=1 << Alarm.CELL_OVERVOLTAGE))
    assert events == [("cell_overvoltage", 0x11, None, START_S + 1)]


async def test_a_cleared_log(packs: Packs, hass: HomeAssistant) -> None:
    pack = await add(packs)
    events = record(hass)
    pack.link.log = (*OLD, LogEntry(START_S + 1, 0x15))
    await give(pack, frame(3, START_S + 1))
    pack.link.log = ()
    await wait(packs, pack, 11)
    await give(pack, frame(0, START_S + 12))
    pack.link.log = (LogEntry(START_S + 24, LogCode.FACTORY_LFP),)
    await wait(packs, pack, 11)
    await give(pack, frame(1, START_S + 25))
    assert events == [
        ("charge_overcurrent", 0x15, None, START_S + 1),
        ("factory_lfp", 0x44, None, START_S + 24),
    ]


async def test_a_failed_read_is_tried_again_but_not_for_ever(packs: Packs, hass: HomeAssistant) -> None:
    pack = await add(packs)
    events = record(hass)
    pack.link.log = (*OLD, LogEntry(START_S + 1, 0x15))
    pack.link.log_fails_with = LinkProblem.NO_DATA
    for seconds in range(60):
        await give(pack, frame(3, START_S + 1 + seconds))
        await wait(packs, pack, 1)
    assert (pack.link.log_reads, events) == (3, [])
    pack.link.log_fails_with = None
    await give(pack, frame(3, START_S + 70))
    assert pack.link.log_reads == 3
    await give(pack, frame(4, START_S + 71))
    assert events == [("charge_overcurrent", 0x15, None, START_S + 1)]


@pytest.mark.parametrize("problem", [None, LinkProblem.NO_DATA])
async def test_what_comes_during_a_read_is_read_later(
    packs: Packs, hass: HomeAssistant, monkeypatch: pytest.MonkeyPatch, problem: LinkProblem | None
) -> None:
    pack = await add(packs)
    events = record(hass)
    pack.link.log_fails_with = LinkProblem.NO_DATA
    await give(pack, frame(3, START_S + 1))
    for _ in range(ATTEMPTS - 2):
        await wait(packs, pack, 11)
        await give(pack, frame(3, START_S + 1))
    await wait(packs, pack, 11)
    answer = asyncio.Event()

    async def slow() -> tuple[LogEntry, ...]:
        await answer.wait()
        if problem:
            raise LinkError(problem)
        return OLD

    with monkeypatch.context() as patched:
        patched.setattr(pack.link, "read_event_log", slow)
        pack.link.give(frame(3, START_S + 1))
        await asyncio.sleep(0)
        pack.link.give(frame(4, START_S + 1))
        answer.set()
        await settle(hass)
    assert not events
    pack.link.log_fails_with = None
    pack.link.log = (*OLD, LogEntry(START_S + 1, 0x15), LogEntry(START_S + 1, 0x16))
    await wait(packs, pack, 11)
    await give(pack, frame(4, START_S + 1))
    assert [code for _, code, *_ in events] == [0x15, 0x16]


@pytest.mark.parametrize("state", [LinkState.WAITING, LinkState.PAUSED, LinkState.CONNECTING])
async def test_no_link_is_made_for_it(packs: Packs, hass: HomeAssistant, state: LinkState) -> None:
    pack = await add(packs)
    events = record(hass)
    pack.link.log = (*OLD, LogEntry(START_S + 1, 0x15))
    pack.link.report(state=state)
    await give(pack, frame(3, START_S + 1))
    await wait(packs, pack, 11)
    assert pack.link.log_reads == 0
    pack.link.report(state=LinkState.CONNECTED)
    await give(pack, frame(3, START_S + 12))
    await wait(packs, pack, 11)
    assert events == [("charge_overcurrent", 0x15, None, START_S + 1)]


async def test_what_came_while_home_assistant_was_away(
    packs: Packs, hass: HomeAssistant, hass_storage: dict[str, Any]
) -> None:
    """The last announcement is remembered, so all behind it is new; also when it happened in the same second."""
    last = {"code": 0x15, "cell": None, "run_time_s": 900, "time": None}
    hass_storage[restore_state.STORAGE_KEY] = {
        "version": restore_state.STORAGE_VERSION,
        "key": restore_state.STORAGE_KEY,
        "data": [
            {
                "state": State("event.keller_event_log", "2026-01-01T12:00:00.000+00:00").as_dict(),
                "extra_data": {"last_event_type": "charge_overcurrent", "last_event_attributes": last},
                "last_seen": dt_util.utcnow().isoformat(),
            }
        ],
    }
    await restore_state.async_get(hass).async_load()
    pack = await add(packs)
    events = record(hass)
    pack.link.log = (*OLD, LogEntry(900, 0x16), LogEntry(5_000, 0x64))
    assert pack.get("log_entry", Platform.EVENT).attributes["code"] == 0x15
    await give(pack, frame(4))
    new = [("charge_overcurrent_cleared", 0x16, None, 900), ("cell_overcharge", 0x64, 1, 5_000)]
    assert events == new
    await wait(packs, pack, 11)
    await give(pack, frame(4))
    await wait(packs, pack, 11)
    assert (events, pack.link.log_reads) == (new, 1)


async def test_a_reload_repeats_nothing(packs: Packs, hass: HomeAssistant) -> None:
    pack = await add(packs)
    pack.link.log = (*OLD, LogEntry(START_S + 1, 0x15))
    await give(pack, frame(3, START_S + 1))
    announced = pack.value("log_entry", Platform.EVENT)
    log = pack.link.log
    await hass.config_entries.async_unload(pack.entry.entry_id)
    await packs.set_up(pack, DEVICE_INFO_32S, SETTINGS_32S, frame(3, START_S + 5))
    pack.link.log = log
    await give(pack, frame(3, START_S + 6))
    assert pack.link.log_reads == 1
    assert pack.value("log_entry", Platform.EVENT) == announced


async def test_nothing_is_read_once_the_pack_is_gone(packs: Packs, hass: HomeAssistant) -> None:
    pack = await add(packs)
    link = pack.link
    await give(pack, frame(3, START_S + 1), frame(4, START_S + 1))
    await hass.config_entries.async_unload(pack.entry.entry_id)
    await wait(packs, pack, 30)
    assert link.log_reads == 1


async def test_over_the_radio(hass: HomeAssistant, radio: Radio) -> None:
    board = radio.add()
    await radio.set_up()
    (entity_id,) = [each for each in hass.states.async_entity_ids("event") if each.endswith("event_log")]
    events = record(hass, entity_id)
    board.board.force_alarm(Alarm.CHARGE_MOSFET, raised=True)
    await radio.clock.until(lambda: events, 10)
    ((event, code, _, run_time_s),) = events
    assert (event, code) == ("charge_mosfet", 0x39)
    assert run_time_s == pytest.approx(board.board.run_time_s, abs=3)
    state = hass.states.get(entity_id)
    assert state
    assert state.attributes["time"], "the board has been on all the time"


@pytest.mark.parametrize("values", [PACK_24S, PACK_JK04], ids=["24S", "JK04"])
async def test_older_boards_keep_no_log(packs: Packs, values: tuple[Any, ...]) -> None:
    pack = await packs.add(*values)
    assert pack.entity_id(Platform.EVENT, "log_entry") is None
