"""Is the data alive, and can its temperatures be?

Absent, broken and wrongly wired probes of JK boards read one of a few values, mostly from one frame to
the next, while a real temperature drifts through them. Cells in thermal runaway heat by 4 to 25 K/s; nothing else comes
near.
"""

from __future__ import annotations

from typing import Final

from ..bms.telemetry import Telemetry

PROBES: Final = ("temperature_1", "temperature_2", "temperature_4", "temperature_5")
"""The probes at the cells, by the names of their fields without the unit."""
_RANGE_C: Final = (-40.0, 120.0)
_SENTINELS_C: Final = frozenset({-40.0, -39.0, 0.0, 85.0, 100.0})
"""What broken or absent probes read, as far as it lies within the range."""
_SENTINEL_LEAP_K: Final = 5.0
_LEAP_K: Final = 20.0
_LEAP_K_PER_S: Final = 5.0


class Pulse:
    """Since when nothing new was heard of a pack."""

    __slots__ = ("_counter_s", "_heard_s", "_last", "_news_s", "_run_time_s", "_same_since_s")

    def __init__(self) -> None:
        self._last: Telemetry | None = None
        self._heard_s = 0.0
        self._news_s = 0.0
        self._counter_s: float | None = None
        """When the board's counter of frames moved last; None as long as it never has: not all boards move theirs."""
        self._run_time_s: float | None = None
        """The same of its run time."""
        self._same_since_s = 0.0
        """Since when the cells and the current are the same to the last digit."""

    @property
    def last(self) -> Telemetry | None:
        """The last frame that brought news."""
        return self._last

    def silent_s(self, now_s: float) -> float:
        """Return the time since the last frame; 0 before the first."""
        return 0.0 if self._last is None else now_s - self._heard_s

    @property
    def frozen_s(self) -> float:
        """For how long the board, as of the last frame, has been saying the same over and over."""
        since_s = [self._news_s]
        since_s += [moved_s for moved_s in (self._counter_s, self._run_time_s) if moved_s is not None]
        if self._last is not None and self._last.current_a:
            since_s.append(self._same_since_s)
        return self._heard_s - min(since_s)

    def excuse(self, now_s: float) -> None:
        """Take note that nobody listened until now."""
        self._heard_s = now_s

    def step(self, telemetry: Telemetry, now_s: float) -> bool:
        """Take a frame; tell whether it is another than the one before."""
        last, self._heard_s = self._last, now_s
        if last is None:
            self._news_s = self._same_since_s = now_s
            self._last = telemetry
            return True
        if telemetry.counter != last.counter:
            self._counter_s = now_s
        elif telemetry == last:
            return False
        if telemetry.run_time_s != last.run_time_s:
            self._run_time_s = now_s
        if telemetry.current_a != last.current_a or telemetry.cell_voltages_v != last.cell_voltages_v:
            self._same_since_s = now_s
        self._news_s = now_s
        self._last = telemetry
        return True


class Probes:
    """What the temperature probes at the cells say, without what can't be."""

    __slots__ = ("_at_s", "_known", "_last_c", "all_lost", "coldest", "leapt", "lost", "spread_k", "warmest")

    def __init__(self) -> None:
        self._last_c: list[float | None] = [None] * len(PROBES)
        self._at_s = [0.0] * len(PROBES)
        self._known = [False] * len(PROBES)
        """Which have said something twice: one frame makes no probe that could be missed."""
        self.coldest: tuple[float, str] | None = None
        self.warmest: tuple[float, str] | None = None
        self.spread_k: float | None = None
        """Between the two; None with fewer than two probes."""
        self.lost: str | None = None
        """The first of those that have said something before, and don't now."""
        self.all_lost = False
        self.leapt = False
        """Whether one of them moved so far that it has to say so twice."""

    def step(self, telemetry: Telemetry, now_s: float) -> None:
        """Take a frame."""
        readings_c = (
            telemetry.temperature_1_c,
            telemetry.temperature_2_c,
            telemetry.temperature_4_c,
            telemetry.temperature_5_c,
        )
        coldest: tuple[float, str] | None = None
        warmest: tuple[float, str] | None = None
        self.lost = None
        self.leapt = False
        for number, reading_c in enumerate(readings_c):
            last_c = self._last_c[number]
            if reading_c is None or not _can_be(reading_c, last_c, now_s - self._at_s[number]):
                if self._known[number] and self.lost is None:
                    self.lost = PROBES[number]
                continue
            if last_c is not None:
                self._known[number] = True
                self.leapt |= abs(reading_c - last_c) > _SENTINEL_LEAP_K
            self._last_c[number], self._at_s[number] = reading_c, now_s
            if coldest is None or reading_c < coldest[0]:
                coldest = reading_c, PROBES[number]
            if warmest is None or reading_c >= warmest[0]:
                warmest = reading_c, PROBES[number]
        self.coldest, self.warmest = coldest, warmest
        self.all_lost = self.lost is not None and warmest is None
        # Of several probes the warmest is never the coldest, even if they say the same.
        if coldest is None or warmest is None or coldest[1] == warmest[1]:
            self.spread_k = None
        else:
            self.spread_k = round(warmest[0] - coldest[0], 3)


def _can_be(reading_c: float, last_c: float | None, passed_s: float) -> bool:
    if not _RANGE_C[0] <= reading_c <= _RANGE_C[1]:
        return False
    if reading_c in _SENTINELS_C:
        return last_c is not None and abs(reading_c - last_c) <= _SENTINEL_LEAP_K
    return last_c is None or abs(reading_c - last_c) <= _LEAP_K + _LEAP_K_PER_S * passed_s
