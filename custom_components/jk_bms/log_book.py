"""The board's event log in words, with the time of day where the board's run time tells it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from homeassistant.util import dt as dt_util
from homeassistant.util.json import JsonArrayType, JsonObjectType

from .bms.event_log import LogCode, meaning
from .bms.telemetry import LogEntry, Telemetry
from .coordinator import JkBmsCoordinator

_OFF: Final = {
    LogCode.SHUTDOWN, LogCode.APP_SHUTDOWN, LogCode.BUTTON_SHUTDOWN, LogCode.RS485_SHUTDOWN, LogCode.SLEEP,
}  # fmt: skip
"""After these the board may have been off, for nobody knows how long."""
_ROUNDING_S: Final = 1
"""The run time comes in whole seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LogBookEntry:
    """One thing that the board has noted."""

    event: str
    """Its key, one of `LOG_KEYS`."""
    code: int
    cell: int | None
    """The cell that it names, counted from 1."""
    run_time_s: int
    time: datetime | None
    """When it was, to a second or two; None if the run time doesn't tell."""

    def as_json(self) -> JsonObjectType:
        """Return the entry for attributes and responses, with the time as ISO text of the time zone at home."""
        return {
            "event": self.event,
            "code": self.code,
            "cell": self.cell,
            "run_time_s": self.run_time_s,
            "time": None if self.time is None else dt_util.as_local(self.time).isoformat(),
        }


async def async_read(coordinator: JkBmsCoordinator) -> list[LogBookEntry]:
    """Read the log of a pack, oldest entry first. Raises LinkError, also for boards that keep none."""
    entries = await coordinator.link.read_event_log()
    state = coordinator.state
    return decoded(entries, state.telemetry, coordinator.time_of(state.last_frame_s), dt_util.utcnow())


async def async_read_log(coordinator: JkBmsCoordinator) -> JsonArrayType:
    """Read the log of a pack for a response, newest entry last. Raises LinkError, also for boards that keep none.

    Each entry has `event` (one of `LOG_KEYS`), `code`, `cell` (from 1, or None), `run_time_s` and `time` (ISO text, or
    None where nobody can tell).
    """
    return [entry.as_json() for entry in await async_read(coordinator)]


def decoded(entries: Iterable[LogEntry], telemetry: Telemetry, at: datetime, now: datetime) -> list[LogBookEntry]:
    """Return the entries, read at `now`, in words and oldest first; `telemetry` came `at` a moment before.

    An entry tells how long the board had been running in its life. That clock stands still while the board is off, and
    the log doesn't say for how long it was: so only what came since the last boot can be dated, by the run time of the
    telemetry, and nothing if that boot came after the telemetry. Where the log has no entry for the last boot, the time
    since then that the telemetry tells is what counts.
    """
    run_time_s, up_time_s = telemetry.run_time_s, telemetry.system_up_time_s
    latest_s = run_time_s + (now - at).total_seconds() + _ROUNDING_S
    earliest_s = 0 if up_time_s is None else run_time_s - up_time_s - _ROUNDING_S
    # Nothing says that a full log is sent in order. What lies ahead of the run time is from before it was set back.
    ordered = sorted(entries, key=lambda entry: (entry.run_time_s <= latest_s, entry.run_time_s))
    first = 0
    for number, entry in enumerate(ordered):
        if entry.code == LogCode.BOOT or entry.code in _OFF:
            first = number if entry.code == LogCode.BOOT else number + 1
            if run_time_s <= entry.run_time_s <= latest_s:
                first = len(ordered)
    book = []
    for number, entry in enumerate(ordered):
        event, cell = meaning(entry.code)
        dated = number >= first and earliest_s <= entry.run_time_s <= latest_s
        time = at + timedelta(seconds=entry.run_time_s - run_time_s) if dated else None
        book.append(LogBookEntry(event=event, code=entry.code, cell=cell, run_time_s=entry.run_time_s, time=time))
    return book


def newer(book: Sequence[LogBookEntry], run_time_s: int, code: int | None) -> Sequence[LogBookEntry]:
    """Return what has come after the entry of this run time and code, whether the log still has it or not."""
    for number in reversed(range(len(book))):
        if (book[number].run_time_s, book[number].code) == (run_time_s, code):
            return book[number + 1 :]
    return [entry for entry in book if entry.run_time_s > run_time_s]
