"""How does it end when the default actions are carried out? Fan, current limit and MOSFETs act on the pack.

Level 1 moves air for at least ten minutes, if that helps. Level 2 holds the current at what the engine says, and at
0.2 C where one spot heats; 15 minutes after it the limit rises by 0.05 C a minute. Level 3 stops charging at once and
discharging after a minute or at 58 °C. Level 4 opens both for good.
"""

from __future__ import annotations

from dataclasses import dataclass
from dataclasses import replace as replaced
from math import inf
from typing import Final

from benchmarks.heat.course import Course
from benchmarks.heat.scenarios import Play, Scenario
from custom_components.jk_bms.battery.thermal.config import ThermalConfig
from custom_components.jk_bms.battery.thermal.engine import ThermalEngine
from custom_components.jk_bms.battery.thermal.interface import LOCAL_CAUSES, ThermalAssessment

CAPACITY_AH: Final = 280.0
LOCAL_LIMIT_A: Final = 0.2 * CAPACITY_AH
FULL_A: Final = CAPACITY_AH
"""A limit that has risen to here is none."""
RISE_A_PER_S: Final = 0.05 * CAPACITY_AH / 60
HELD_S: Final = 900.0
FAN_LEAST_S: Final = 600.0
FAN_STARTS_PER_H: Final = 6
GRACE_S: Final = 60.0
DISCHARGE_ENDS_C: Final = 58.0
ACKNOWLEDGED_S: Final = 1800.0
"""Somebody has looked after this long."""
ENDURED_S: Final = 4 * 3600.0
"""How long it goes on after the end of a row."""


@dataclass(slots=True)
class Outcome:
    """How a row ended with actions."""

    name: str
    seed: int
    hottest_cell_c: float = 0.0
    hottest_probe_c: float = 0.0
    last_cell_c: float = 0.0
    charge_stopped_after_min: float | None = None
    probe_c_when_stopped: float | None = None
    discharge_stopped: bool = False
    highest: int = 0
    last_level: int = 0
    fan_starts_per_h: int = 0
    lowest_limit_a: float = inf
    lowest_after_acknowledgement: int | None = None
    most_changes: int = 0


class Actions:
    """Does by default what the levels ask for."""

    def __init__(self, play: Play, *, has_fan: bool) -> None:
        self._play, self._has_fan = play, has_fan
        self.fan_starts_s: list[float] = []
        self._fan_until_s = 0.0
        self._limit_a = inf
        self._reduced_s = -inf
        self._stop_since_s: float | None = None
        self._emergency = False
        self.charge_off = self.discharge_off = False

    def take(self, said: ThermalAssessment, t: float, passed_s: float) -> None:
        """Carry out what a judgement asks for."""
        level = int(said.level or 0)
        self._fan(said, level, t)
        self._limit(said, level, t, passed_s)
        self._switches(said, level, t)
        play = self._play
        play.limit_charge_a = 0.0 if self.charge_off else self._limit_a
        play.limit_discharge_a = 0.0 if self.discharge_off else self._limit_a

    @property
    def limit_a(self) -> float:
        """The current that is let through."""
        return self._limit_a

    def _fan(self, said: ThermalAssessment, level: int, t: float) -> None:
        play = self._play
        if level >= 1 and said.cooling_helps and self._has_fan:
            lately = sum(1 for start_s in self.fan_starts_s if t - start_s < 3600)
            if not play.fan_on and lately < FAN_STARTS_PER_H:
                play.fan_on = True
                self.fan_starts_s.append(t)
                self._fan_until_s = t + FAN_LEAST_S
        elif t >= self._fan_until_s:
            play.fan_on = False

    def _limit(self, said: ThermalAssessment, level: int, t: float, passed_s: float) -> None:
        if level >= 2:
            self._reduced_s = t
            if said.hold_current_a is not None:
                self._limit_a = said.hold_current_a
            if any(cause.cause in LOCAL_CAUSES and cause.level >= 2 for cause in said.causes):
                self._limit_a = min(self._limit_a, LOCAL_LIMIT_A)
        elif self._limit_a < FULL_A and t - self._reduced_s > HELD_S:
            self._limit_a += RISE_A_PER_S * passed_s
        elif self._limit_a >= FULL_A:
            self._limit_a = inf

    def _switches(self, said: ThermalAssessment, level: int, t: float) -> None:
        self._emergency = self._emergency or level >= 4
        if level >= 3 and self._stop_since_s is None:
            self._stop_since_s = t
        elif level < 3:
            self._stop_since_s = None
        stopping = self._stop_since_s is not None
        hot = said.hottest_c is not None and said.hottest_c >= DISCHARGE_ENDS_C
        self.charge_off = self._emergency or stopping
        self.discharge_off = self._emergency or (
            self._stop_since_s is not None and (hot or t - self._stop_since_s >= GRACE_S)
        )


def run(scenario: Scenario, seed: int, *, with_voltage: bool = True) -> Outcome:
    """Play a row with actions, and some hours more."""
    play = Play(scenario, seed)
    course = Course(ThermalEngine(ThermalConfig()), max(scenario.onset_s, 0.0))
    # A fan that fails is of no use to those who want to switch it on.
    actions = Actions(play, has_fan="fan stops" not in scenario.what)
    outcome = Outcome(scenario.name, seed)
    last_s = 0.0
    for moment in play.moments(scenario.duration_s + ENDURED_S):
        t, sample = moment.t_s, moment.sample
        if sample is not None and with_voltage:
            sample = replaced(sample, cell_voltages_v=moment.cells_v)
        said = course.take(sample, t)
        actions.take(said, t, t - last_s)
        if said.acknowledgement_wanted and t - course.changes_s[-1] >= ACKNOWLEDGED_S:
            course.engine.acknowledge()
            outcome.lowest_after_acknowledgement = outcome.last_level
        if outcome.lowest_after_acknowledgement is not None:
            outcome.lowest_after_acknowledgement = min(outcome.lowest_after_acknowledgement, int(said.level or 0))
        last_s = t
        hottest_probe_c = max(moment.pack.probes_c)
        outcome.last_cell_c = max(moment.pack.cells_c)
        outcome.hottest_cell_c = max(outcome.hottest_cell_c, outcome.last_cell_c)
        outcome.hottest_probe_c = max(outcome.hottest_probe_c, hottest_probe_c)
        outcome.lowest_limit_a = min(outcome.lowest_limit_a, actions.limit_a)
        outcome.last_level = int(said.level or 0)
        if actions.charge_off and outcome.charge_stopped_after_min is None:
            outcome.charge_stopped_after_min = (t - scenario.onset_s) / 60
            outcome.probe_c_when_stopped = hottest_probe_c
        outcome.discharge_stopped = outcome.discharge_stopped or actions.discharge_off
    outcome.highest = course.highest
    outcome.most_changes = course.most_changes
    starts_s = actions.fan_starts_s
    outcome.fan_starts_per_h = max(
        (sum(1 for later_s in starts_s if 0 <= later_s - start_s < 3600) for start_s in starts_s), default=0
    )
    return outcome
