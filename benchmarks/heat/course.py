"""What does the engine say over a run, and when?"""

from __future__ import annotations

from math import inf
from typing import Final

from benchmarks.heat.helpers import Episodes
from custom_components.jk_bms.battery.thermal.engine import ThermalEngine
from custom_components.jk_bms.battery.thermal.interface import (
    LOCAL_CAUSES,
    Cause,
    ThermalAssessment,
    ThermalLevel,
    ThermalSample,
)

LEVELS: Final = (1, 2, 3, 4)
STOP: Final = 3
MOSFET_CAUSES: Final = frozenset({Cause.MOS_TEMPERATURE, Cause.MOS_FORECAST})
OSCILLATION_S: Final = 600.0


class Course:
    """Steps an engine and keeps what is counted."""

    def __init__(self, engine: ThermalEngine, onset_s: float = 0.0, gap_s: float = 3600.0) -> None:
        self.engine = engine
        self._onset_s = onset_s
        self.first_s: dict[int, float] = {}
        """From the onset until each level."""
        self.first_causes: dict[int, str] = {}
        self.before_onset = 0
        """The highest level before the onset."""
        self.highest = 0
        self.highest_local = 0
        """By what speaks for one hot spot."""
        self.highest_of_cells = 0
        """By anything but the MOSFETs."""
        self.local = {level: Episodes(gap_s) for level in LEVELS}
        self.any = {level: Episodes(gap_s) for level in LEVELS}
        self.lowest_after_stop = 4
        """The lowest level since it was 3 for the first time."""
        self.unnamed = 0
        """How often a level was entered in a frame that named no cause for it."""
        self.changes_s: list[float] = []
        self.fault_first_s: float | None = None
        self.fault_last_s: float | None = None
        self.level = 0
        """As of the last frame; 0 where it is unknown."""
        self._last_s: float | None = None

    def take(self, sample: ThermalSample | None, t: float) -> ThermalAssessment:
        """Take a frame, or None where it didn't come."""
        said = self.engine.step(sample, t)
        level = int(said.level or 0)
        frame_s = 0.0 if self._last_s is None else min(t - self._last_s, 60.0)
        self._last_s = t
        if level != self.level:
            self.changes_s.append(t)
            self.unnamed += level > max([self.level, *(cause.level for cause in said.causes)])
            self.level = level
        if t < self._onset_s:
            self.before_onset = max(self.before_onset, level)
        else:
            for reached in range(1, level + 1):
                if reached not in self.first_s:
                    self.first_s[reached] = t - self._onset_s
                    self.first_causes[reached] = "+".join(cause.cause for cause in said.causes[:2])
        if STOP in self.first_s:
            self.lowest_after_stop = min(self.lowest_after_stop, level)
        local = max((cause.level for cause in said.causes if cause.cause in LOCAL_CAUSES), default=ThermalLevel.NORMAL)
        self.highest = max(self.highest, level)
        self.highest_local = max(self.highest_local, int(local))
        of_cells = max((cause.level for cause in said.causes if cause.cause not in MOSFET_CAUSES), default=local)
        self.highest_of_cells = max(self.highest_of_cells, int(of_cells))
        for each in LEVELS:
            if level >= each:
                self.any[each].take(t, on=True, frame_s=frame_s)
            if local >= each:
                self.local[each].take(t, on=True, frame_s=frame_s)
        if said.probe_faults:
            if self.fault_first_s is None:
                self.fault_first_s = t
            self.fault_last_s = t
        return said

    def delay_min(self, level: int) -> float | None:
        """Return minutes from the onset, None if it never came."""
        delay_s = self.first_s.get(level)
        return None if delay_s is None else delay_s / 60

    @property
    def most_changes(self) -> int:
        """The most changes of the level within ten minutes."""
        changes = self.changes_s
        return max(
            (sum(1 for later in changes[index:] if later - t <= OSCILLATION_S) for index, t in enumerate(changes)),
            default=0,
        )


def minutes(said: ThermalAssessment, threshold_c: float) -> float | None:
    """Return the forecast of one threshold: infinite where it isn't expected, None where there is no forecast."""
    for crossing in said.crossings:
        if crossing.threshold_c == threshold_c:
            return inf if crossing.expected_min is None else crossing.expected_min
    return None
