"""The event log in words: what can be dated by the run time, and what is new in it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from freezegun.api import FrozenDateTimeFactory
from homeassistant.core import HomeAssistant

from custom_components.jk_bms.bms.event_log import LogCode
from custom_components.jk_bms.bms.link import LinkError, LinkProblem
from custom_components.jk_bms.bms.telemetry import LogEntry
from custom_components.jk_bms.log_book import LogBookEntry, async_read_log, decoded, newer

from .pack_values import DEVICE_INFO_32S, SETTINGS_32S, telemetry_32s
from .packs import Packs
from .real_log import AGES_S, REAL_LOG

AT = datetime(2026, 1, 10, 12, 0, 0, tzinfo=UTC)
RUN_TIME_S = 100_000


def entry(ago_s: int, code: int) -> LogEntry:
    """An entry of so many seconds of run time before the telemetry."""
    return LogEntry(RUN_TIME_S - ago_s, code)


def ages(
    *entries: LogEntry, up_time_s: float | None = 90_000, run_time_s: int = RUN_TIME_S, waited_s: float = 0.3
) -> list[tuple[int, float | None]]:
    """Return each code with how long ago that was, in seconds."""
    telemetry = telemetry_32s(run_time_s=run_time_s, system_up_time_s=up_time_s)
    book = decoded(entries, telemetry, AT, AT + timedelta(seconds=waited_s))
    return [(each.code, None if each.time is None else (AT - each.time).total_seconds()) for each in book]


def test_what_came_since_the_boot_is_dated() -> None:
    assert ages(
        entry(9_000, LogCode.CHARGE_OVERCURRENT),
        entry(5_000, LogCode.SHUTDOWN),
        entry(5_000, LogCode.BOOT),
        entry(600, 0x66),
        entry(0, LogCode.CLOCK_SET),
    ) == [(LogCode.CHARGE_OVERCURRENT, None), (LogCode.SHUTDOWN, None), (LogCode.BOOT, 5_000), (0x66, 600), (0x3B, 0)]


def test_the_app_gives_the_same_ages() -> None:
    run_time_s = REAL_LOG[-1].run_time_s + AGES_S[-1]
    shown = [age for _, age in ages(*REAL_LOG, run_time_s=run_time_s, up_time_s=None)]
    # The app counts back over the last boot, too, as if the board had not been off before it.
    assert shown == [None, *AGES_S[1:]]


@pytest.mark.parametrize(
    "off",
    [LogCode.SHUTDOWN, LogCode.APP_SHUTDOWN, LogCode.BUTTON_SHUTDOWN, LogCode.RS485_SHUTDOWN, LogCode.SLEEP],
)
def test_nobody_knows_when_a_board_was_switched_off_if_its_boot_is_missing(off: LogCode) -> None:
    assert ages(entry(700, LogCode.BOOT), entry(600, off), entry(500, 0x15)) == [
        (LogCode.BOOT, None),
        (off, None),
        (0x15, 500),
    ]


def test_the_time_since_the_boot_counts_where_the_log_has_none() -> None:
    entries = entry(5_000, 0x15), entry(1_001, 0x16), entry(999, 0x17)
    assert ages(*entries, up_time_s=1_000.4) == [(0x15, None), (0x16, 1_001), (0x17, 999)], "to a second"
    assert ages(*entries, up_time_s=1_000.4, run_time_s=RUN_TIME_S + 2)[1] == (0x16, None)
    assert ages(*entries, up_time_s=None) == [(0x15, 5_000), (0x16, 1_001), (0x17, 999)]
    assert ages(*entries, up_time_s=0.0) == [(0x15, None), (0x16, None), (0x17, None)]


def test_nothing_is_dated_if_the_board_has_booted_after_the_telemetry() -> None:
    assert ages(entry(500, 0x15), entry(0, LogCode.SHUTDOWN), entry(0, LogCode.BOOT), entry(-1, 0x1D)) == [
        (0x15, None),
        (LogCode.SHUTDOWN, None),
        (LogCode.BOOT, None),
        (0x1D, None),
    ]


def test_what_came_after_the_telemetry_is_dated_too() -> None:
    assert ages(entry(-40, 0x15), waited_s=41) == [(0x15, -40)]


def test_what_lies_ahead_of_the_run_time_is_from_a_former_life() -> None:
    """Where the run time was set back, old entries look as if they were to come."""
    former = LogEntry(50_000_000, LogCode.BOOT), LogEntry(50_000_100, 0x15)
    assert ages(*former, entry(10, LogCode.BOOT), entry(5, 0x1B)) == [
        (LogCode.BOOT, None),
        (0x15, None),
        (LogCode.BOOT, 10),
        (0x1B, 5),
    ]


def test_a_log_out_of_order_is_put_in_order_and_what_came_at_once_stays_as_it_was() -> None:
    assert ages(entry(20, 0x1D), entry(20, 0xC9), entry(900, LogCode.BOOT), entry(800, 0x15)) == [
        (LogCode.BOOT, 900),
        (0x15, 800),
        (0x1D, 20),
        (0xC9, 20),
    ]


def book(*entries: tuple[int, int]) -> list[LogBookEntry]:
    return [
        LogBookEntry(event="unknown", code=code, cell=None, run_time_s=run_time_s, time=None)
        for run_time_s, code in entries
    ]


@pytest.mark.parametrize(
    ("last", "new"),
    [
        ((10, 1), [(20, 2), (20, 3), (30, 4)]),
        ((20, 2), [(20, 3), (30, 4)]),
        ((20, 3), [(30, 4)]),
        ((30, 4), []),
        # Fell out of the log, or was cleared with it
        ((5, 9), [(10, 1), (20, 2), (20, 3), (30, 4)]),
        ((20, 9), [(30, 4)]),
        ((99, 9), []),
        # Nothing known but a time
        ((20, None), [(30, 4)]),
    ],
)
def test_what_is_new(last: tuple[int, int | None], new: list[tuple[int, int]]) -> None:
    log = book((10, 1), (20, 2), (20, 3), (30, 4))
    assert [(each.run_time_s, each.code) for each in newer(log, *last)] == new
    assert not newer([], *last)


def test_the_same_twice_in_a_second_is_known_once_it_was_told() -> None:
    assert not newer(book((10, 1), (10, 1)), 10, 1)


async def test_for_a_response(packs: Packs, hass: HomeAssistant, freezer: FrozenDateTimeFactory) -> None:
    await hass.config.async_set_time_zone("Europe/Berlin")
    freezer.move_to("2026-01-10T12:00:00+00:00")
    pack = await packs.add(DEVICE_INFO_32S, SETTINGS_32S, telemetry_32s(run_time_s=RUN_TIME_S))
    packs.tick(7)
    pack.link.log = (entry(86_500, 0x02), entry(600, 0xD3), entry(-5, 0xFF))
    assert await async_read_log(pack.coordinator) == [
        {"event": "shutdown", "code": 2, "cell": None, "run_time_s": 13_500, "time": None},
        {
            "event": "cell_overdischarge",
            "code": 0xD3,
            "cell": 12,
            "run_time_s": 99_400,
            "time": "2026-01-10T12:50:00+01:00",
        },
        {"event": "unknown", "code": 0xFF, "cell": None, "run_time_s": 100_005, "time": "2026-01-10T13:00:05+01:00"},
    ]


async def test_a_board_that_does_not_answer(packs: Packs) -> None:
    pack = await packs.add(DEVICE_INFO_32S, SETTINGS_32S, telemetry_32s())
    pack.link.log_fails_with = LinkProblem.NO_DATA
    with pytest.raises(LinkError):
        await async_read_log(pack.coordinator)
