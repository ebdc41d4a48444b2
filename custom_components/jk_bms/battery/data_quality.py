"""Is the data alive, and which of the temperatures that a board can say are there?"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from math import isfinite
from operator import attrgetter
from typing import Final

from ..bms.telemetry import Telemetry

PROBES: Final = ("temperature_1", "temperature_2", "temperature_4", "temperature_5")
"""The probes at the cells, by the names of their fields without the unit."""
MOSFETS: Final = "mos_temperature"
"""The probe at the MOSFETs, likewise."""
READINGS: Final = {probe: attrgetter(f"{probe}_c") for probe in (*PROBES, MOSFETS)}
"""How to read each of a frame, in °C."""
_COUNTS_ROUND_S: Final = 100.0
"""After so long the counter of frames, a byte, may be where it was without having stood still."""


def temperatures_c(telemetry: Telemetry) -> dict[str, float]:
    """Return what the probes of a frame read, whether it can be or not."""
    said_c = {probe: reading(telemetry) for probe, reading in READINGS.items()}
    return {probe: reading_c for probe, reading_c in said_c.items() if reading_c is not None and isfinite(reading_c)}


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
        last, silent_s = self._last, self.silent_s(now_s)
        self._heard_s = now_s
        if last is None:
            self._news_s = self._same_since_s = now_s
            self._last = telemetry
            return True
        counts = telemetry.counter != last.counter
        if not counts and telemetry == last:
            return False
        if counts or (self._counter_s is not None and silent_s > _COUNTS_ROUND_S):
            self._counter_s = now_s
        if telemetry.run_time_s != last.run_time_s:
            self._run_time_s = now_s
        if telemetry.current_a != last.current_a or telemetry.cell_voltages_v != last.cell_voltages_v:
            self._same_since_s = now_s
        self._news_s = now_s
        self._last = telemetry
        return True


class Probes:
    """What the probes say. `known` are those that were there before a restart."""

    __slots__ = ("_known", "all_lost", "coldest", "lost", "spread_k", "warmest")

    def __init__(self, known: Collection[str] = ()) -> None:
        self._known = set(known)
        self.coldest: tuple[float, str] | None = None
        self.warmest: tuple[float, str] | None = None
        self.spread_k: float | None = None
        """Between the two; None with fewer than two probes."""
        self.lost: str | None = None
        """The first of those that have said something before, and don't now."""
        self.all_lost = False
        """Whether this is all of those at the cells."""

    def step(self, said_c: Mapping[str, float]) -> None:
        """Take those temperatures of a frame that are there."""
        coldest: tuple[float, str] | None = None
        warmest: tuple[float, str] | None = None
        for probe in PROBES:
            reading_c = said_c.get(probe)
            if reading_c is None:
                continue
            if coldest is None or reading_c < coldest[0]:
                coldest = reading_c, probe
            if warmest is None or reading_c >= warmest[0]:
                warmest = reading_c, probe
        self._known.update(said_c)
        self.coldest, self.warmest = coldest, warmest
        self.lost = None
        if len(said_c) < len(self._known):
            self.lost = next(probe for probe in READINGS if probe in self._known and probe not in said_c)
        self.all_lost = warmest is None and self.lost not in (None, MOSFETS)
        # Of several probes the warmest is never the coldest, even if they say the same.
        if coldest is None or warmest is None or coldest[1] == warmest[1]:
            self.spread_k = None
        else:
            self.spread_k = round(warmest[0] - coldest[0], 3)
