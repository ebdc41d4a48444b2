"""How does it end when the default actions are carried out? Fan, current limit and MOSFETs act on the pack.

What is done is decided by the integration's own actor, with all actions allowed at their usual levels; the pack follows
its limit, and the MOSFETs and the fan do as they are told. Of a fan that failed the switch works, and no air moves.
"""

from __future__ import annotations

from dataclasses import dataclass
from dataclasses import replace as replaced
from math import inf
from typing import Final

from benchmarks.heat.course import Course
from benchmarks.heat.scenarios import Play, Scenario
from custom_components.jk_bms.battery.acting.actor import Actor
from custom_components.jk_bms.battery.acting.interface import (
    ActionsConfig,
    Cooling,
    Decision,
    Mode,
    Seen,
    Stop,
    Target,
)
from custom_components.jk_bms.battery.guardian import Assessment, GuardianLevel
from custom_components.jk_bms.battery.protection import ProtectionAssessment
from custom_components.jk_bms.battery.thermal.config import ThermalConfig
from custom_components.jk_bms.battery.thermal.engine import ThermalEngine
from custom_components.jk_bms.battery.thermal.interface import ThermalAssessment, ThermalSample

ALLOWED: Final = ActionsConfig(
    cooling=Cooling(),
    reduce_level=2,
    stop_charge=Stop(level=3, by_board=True),
    stop_discharge=Stop(level=3, by_board=True),
    both_off=Stop(level=4, by_board=True),
    capacity_ah=280.0,
)
FRESH_S: Final = 15.0
HOUR_S: Final = 3600.0
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


class House:
    """Asks the actor about a pack and does what it says."""

    def __init__(self, play: Play, *, moves_air: bool) -> None:
        self._play, self._moves_air = play, moves_air
        self._actor = Actor(ALLOWED)
        self._heard_s = -inf
        self._current_a: float | None = None
        self._on: dict[Target, bool | None] = {
            Target.COOLING: False,
            Target.BOARD_CHARGE: True,
            Target.BOARD_DISCHARGE: True,
        }
        self.starts_s: list[float] = []
        self.decision = Decision()

    def take(self, sample: ThermalSample | None, said: ThermalAssessment, t: float) -> None:
        """Do what follows from a judgement."""
        if sample is not None:
            self._heard_s, self._current_a = t, sample.current_a
        seen = Seen(dict(self._on), self._current_a, t - self._heard_s <= FRESH_S)
        level = GuardianLevel(said.level or 0)
        assessment = Assessment(
            level=level,
            findings=(),
            protection=ProtectionAssessment(),
            thermal=said,
            probes=(),
            monitoring_lost=said.blind_since_s is not None,
        )
        self.decision = self._actor.step(assessment, seen, Mode.ACT, t)
        for command in self.decision.commands:
            self._on[command.target] = command.on
            if command.target is Target.COOLING and command.on:
                self.starts_s.append(t)
        play, limit_a = self._play, self.limit_a
        play.fan_on = self._moves_air and self._on[Target.COOLING] is True
        play.limit_charge_a = 0.0 if self.charge_off else limit_a
        play.limit_discharge_a = 0.0 if self.discharge_off else limit_a

    @property
    def limit_a(self) -> float:
        """The current that is let through."""
        return inf if self.decision.limit_a is None else self.decision.limit_a

    @property
    def charge_off(self) -> bool:
        """Whether the charge is switched off."""
        return self._on[Target.BOARD_CHARGE] is False

    @property
    def discharge_off(self) -> bool:
        """Whether the discharge is switched off."""
        return self._on[Target.BOARD_DISCHARGE] is False


def run(scenario: Scenario, seed: int, *, with_voltage: bool = True) -> Outcome:
    """Play a row with actions, and some hours more."""
    play = Play(scenario, seed)
    course = Course(ThermalEngine(ThermalConfig()), max(scenario.onset_s, 0.0))
    house = House(play, moves_air="fan stops" not in scenario.what)
    outcome = Outcome(scenario.name, seed)
    for moment in play.moments(scenario.duration_s + ENDURED_S):
        t, sample = moment.t_s, moment.sample
        if sample is not None and with_voltage:
            sample = replaced(sample, cell_voltages_v=moment.cells_v)
        said = course.take(sample, t)
        house.take(sample, said, t)
        if said.acknowledgement_wanted and t - course.changes_s[-1] >= ACKNOWLEDGED_S:
            course.engine.acknowledge()
            outcome.lowest_after_acknowledgement = outcome.last_level
        if outcome.lowest_after_acknowledgement is not None:
            outcome.lowest_after_acknowledgement = min(outcome.lowest_after_acknowledgement, int(said.level or 0))
        hottest_probe_c = max(moment.pack.probes_c)
        outcome.last_cell_c = max(moment.pack.cells_c)
        outcome.hottest_cell_c = max(outcome.hottest_cell_c, outcome.last_cell_c)
        outcome.hottest_probe_c = max(outcome.hottest_probe_c, hottest_probe_c)
        outcome.lowest_limit_a = min(outcome.lowest_limit_a, house.limit_a)
        outcome.last_level = int(said.level or 0)
        if house.charge_off and outcome.charge_stopped_after_min is None:
            outcome.charge_stopped_after_min = (t - scenario.onset_s) / 60
            outcome.probe_c_when_stopped = hottest_probe_c
        outcome.discharge_stopped = outcome.discharge_stopped or house.discharge_off
    outcome.highest = course.highest
    outcome.most_changes = course.most_changes
    starts_s = house.starts_s
    outcome.fan_starts_per_h = max(
        (sum(1 for later_s in starts_s if 0 <= later_s - start_s < HOUR_S) for start_s in starts_s), default=0
    )
    return outcome
