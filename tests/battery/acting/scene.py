"""A pack whose findings are written down, and a house in which what is ordered happens, or doesn't."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from custom_components.jk_bms.battery.acting.actor import Actor
from custom_components.jk_bms.battery.acting.interface import (
    ActionsConfig,
    Command,
    Cooling,
    Decision,
    Mode,
    Record,
    Result,
    Seen,
    Stop,
    Target,
)
from custom_components.jk_bms.battery.guardian import HEAT, Assessment, Finding, GuardianLevel
from custom_components.jk_bms.battery.hazards import Hazard, Kind, Level
from custom_components.jk_bms.battery.protection import ProtectionAssessment
from custom_components.jk_bms.battery.thermal.interface import (
    Cause,
    ThermalAssessment,
    ThermalCause,
    ThermalLevel,
)
from custom_components.jk_bms.bms.alarms import Alarm

CAPACITY_AH = 280.0
BY_BOARD = ActionsConfig(
    cooling=Cooling(),
    reduce_level=2,
    stop_charge=Stop(level=3, by_board=True),
    stop_discharge=Stop(level=3, by_board=True),
    both_off=Stop(level=4, by_board=True),
    capacity_ah=CAPACITY_AH,
)
BY_BOTH = replace(
    BY_BOARD,
    stop_charge=Stop(level=3, by_board=True, by_switch=True),
    stop_discharge=Stop(level=3, by_board=True, by_switch=True),
    both_off=Stop(level=4, by_board=True, by_switch=True),
)
USUAL = {target: target is not Target.COOLING for target in Target}

FAN = Target.COOLING
CHARGE, DISCHARGE = Target.BOARD_CHARGE, Target.BOARD_DISCHARGE
CHARGER, INVERTER, CONTACTOR = Target.SWITCH_CHARGE, Target.SWITCH_DISCHARGE, Target.SWITCH_BOTH
COOL, CHARGE_OFF, DISCHARGE_OFF = (FAN, True), (CHARGE, False), (DISCHARGE, False)
"""Orders."""


def hazard(kind: Kind, level: Level = Level.CRITICAL, alarm: Alarm | None = None) -> Hazard:
    return Hazard(kind=kind, level=level, value=None, limit=None, since_s=0.0, alarm=alarm)


def heat(
    level: int | None,
    *,
    local: bool = False,
    cause_level: int | None = None,
    helps: bool = True,
    hottest_c: float | None = 50.0,
    hold_a: float | None = 100.0,
    blind_since_s: float | None = None,
) -> ThermalAssessment:
    cause = Cause.DIFFERENCE if local else Cause.TEMPERATURE
    return ThermalAssessment(
        level=None if level is None else ThermalLevel(level),
        level_since_s=0.0,
        causes=(ThermalCause(cause, ThermalLevel(cause_level or level), 0.0, None, None),) if level else (),
        acknowledgement_wanted=False,
        hottest_c=hottest_c,
        predicted_c=None,
        crossings=(),
        heating_c_min=None,
        unexplained_c_min=None,
        unexplained_c=0.0,
        difference_c=None,
        difference_probe=None,
        hold_current_a=hold_a,
        sag_mv=None,
        sag_cell=None,
        mos_cooling_poor=False,
        cooling_helps=helps,
        temperatures_c=(),
        mos_temperature_c=None,
        probe_faults=(),
        blind_since_s=blind_since_s,
        confirmation_wanted=False,
    )


def assessed(
    thermal: ThermalAssessment,
    hazards: Iterable[Hazard] = (),
    *,
    seldom: bool = False,
    probes: tuple[str, ...] = ("temperature_1",),
) -> Assessment:
    """Return what is known; `seldom`: being blind for a while is usual."""
    hazards = tuple(hazards)
    level = GuardianLevel(thermal.level or 0)
    found = (Finding(HEAT, HEAT, level, "heat_temperature", 0.0),) if level else ()
    return Assessment(
        level=max(level, *(GuardianLevel(each.level) for each in hazards), GuardianLevel.OK),
        findings=found,
        protection=ProtectionAssessment(hazards=hazards),
        thermal=thermal,
        probes=probes,
        monitoring_lost=thermal.blind_since_s is not None and not seldom,
    )


class Scene:
    """Steps an actor; what it orders is so with the next step unless it is `deaf` or not there."""

    def __init__(
        self,
        config: ActionsConfig = BY_BOARD,
        mode: Mode = Mode.ACT,
        *,
        restored: object = None,
        elapsed_s: float = 0.0,
        now_s: float = 1000.0,
    ) -> None:
        self.config, self.mode, self.now_s = config, mode, now_s
        self.actor = Actor(config, restored, elapsed_s, now_s)
        self.on: dict[Target, bool | None] = dict(USUAL)
        self.thermal: ThermalAssessment | None = heat(0)
        self.hazards: tuple[Hazard, ...] = ()
        self.current_a: float | None = 0.0
        self.fresh = True
        self.seldom = False
        self.probes: tuple[str, ...] = ("temperature_1",)
        self.held_elsewhere: frozenset[Target] = frozenset()
        self.holding: set[Target] = set()
        """What the board doesn't let flow, whatever it is told."""
        self.barred: set[Target] = set()
        """What of that is switched on."""
        self.deaf: set[Target] = set()
        self.ordered: list[tuple[float, Target, bool]] = []
        """Every command, by the seconds from the last `mark`."""
        self.records: list[Record] = []
        self._marked_s = now_s
        self.decision = Decision()

    def step(self, after_s: float = 0.5) -> Decision:
        self.now_s += after_s
        assessment = None
        if self.thermal is not None:
            assessment = assessed(self.thermal, self.hazards, seldom=self.seldom, probes=self.probes)
        seen = Seen(dict(self.on), self.current_a, self.fresh, self.held_elsewhere, frozenset(self.barred))
        self.decision = self.actor.step(assessment, seen, self.mode, self.now_s)
        self.records += self.decision.records
        for command in self.decision.commands:
            self.ordered.append((self.now_s - self._marked_s, command.target, command.on))
            self.obey(command)
        return self.decision

    def obey(self, command: Command) -> None:
        if command.target not in self.deaf and self.on[command.target] is not None:
            held = command.target in self.holding
            self.on[command.target] = command.on and not held
            self.barred = self.barred | {command.target} if held and command.on else self.barred - {command.target}

    def run(self, seconds: float, every_s: float = 0.5) -> Decision:
        """Let frames come for a time."""
        end_s = self.now_s + seconds
        while self.now_s < end_s - 1e-9:
            self.step(min(every_s, end_s - self.now_s))
        return self.decision

    def get(self, level: int | None, **known: Any) -> Decision:
        """Let a frame come at a level of heat, and one that shows what was done about it."""
        self.thermal = heat(level, **known)
        self.step()
        return self.step()

    def mark(self) -> None:
        """Forget what was ordered and recorded so far."""
        self._marked_s = self.now_s
        self.ordered.clear()
        self.records.clear()

    @property
    def orders(self) -> list[tuple[Target, bool]]:
        return [(target, on) for _, target, on in self.ordered]

    @property
    def results(self) -> list[tuple[Target | None, bool, Result, str]]:
        return [(record.target, record.on, record.result, record.detail) for record in self.records]

    @property
    def failing(self) -> list[str]:
        return [finding.placeholders["target"] for finding in self.decision.findings]

    def restarted(self, after_s: float = 30.0, config: ActionsConfig | None = None) -> Scene:
        """Return the same scene with an actor that knows only what was stored."""
        stored = json.loads(json.dumps(self.actor.state(self.now_s), allow_nan=False))
        # Another clock: that of a computer that was started again.
        again = Scene(config or self.config, self.mode, restored=stored, elapsed_s=after_s, now_s=5.0)
        again.on, again.thermal, again.hazards = self.on, self.thermal, self.hazards
        again.current_a, again.fresh, again.deaf = self.current_a, self.fresh, self.deaf
        again.seldom = self.seldom
        return again
