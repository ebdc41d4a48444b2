"""What asks for which current to be stopped?

Heat does from the level that the owner chose: for the charge at once, for the discharge after a time of grace. A hazard
asks for the current to be stopped that it comes from and never for the other, which may be its cure: a full pack can
be discharged, an empty one charged. What is only reported, or nothing worse than a spread, asks for nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from ...bms.alarms import Alarm
from ..guardian import HEAT, HEAT_HELD, RAISED_BY, Assessment, GuardianLevel
from ..hazards import Hazard, Kind
from .drive import Want
from .interface import BY_HAND, Action, ActionsConfig, Stop, Target


class Way(StrEnum):
    """Where a current goes."""

    CHARGE = "charge"
    DISCHARGE = "discharge"


type Ways = frozenset[Way]

NONE: Final[Ways] = frozenset()
CHARGE: Final = frozenset({Way.CHARGE})
DISCHARGE: Final = frozenset({Way.DISCHARGE})
BOTH: Final = CHARGE | DISCHARGE

CURES: Final[Mapping[Kind, Ways]] = {
    **dict.fromkeys(
        (
            Kind.CELL_HIGH,
            Kind.PACK_HIGH,
            Kind.CHARGE_COLD,
            Kind.CHARGE_HOT,
            Kind.CHARGE_CURRENT,
            Kind.CHARGE_MOSFET,
            Kind.CELL_COUNT,
        ),
        CHARGE,
    ),
    **dict.fromkeys(
        (
            Kind.CELL_LOW,
            Kind.PACK_LOW,
            Kind.DISCHARGE_COLD,
            Kind.DISCHARGE_HOT,
            Kind.DISCHARGE_CURRENT,
            Kind.DISCHARGE_MOSFET,
        ),
        DISCHARGE,
    ),
    **dict.fromkeys((Kind.MOS_HOT, Kind.CELL_READING), BOTH),
}
"""Which currents have to stop for a hazard to end. A cell that isn't read could be overcharged unseen."""

ALARM_CURES: Final[Mapping[Alarm, Ways]] = {
    **dict.fromkeys(
        (
            Alarm.CELL_COUNT,
            Alarm.CELL_OVERVOLTAGE,
            Alarm.PACK_OVERVOLTAGE,
            Alarm.CHARGE_OVERCURRENT,
            Alarm.CHARGE_OVERTEMPERATURE,
            Alarm.CHARGE_UNDERTEMPERATURE,
            Alarm.CHARGE_MOSFET,
        ),
        CHARGE,
    ),
    **dict.fromkeys(
        (
            Alarm.CELL_UNDERVOLTAGE,
            Alarm.PACK_UNDERVOLTAGE,
            Alarm.DISCHARGE_OVERCURRENT,
            Alarm.DISCHARGE_OVERCURRENT_2,
            Alarm.DISCHARGE_OVERCURRENT_3,
            Alarm.DISCHARGE_OVERTEMPERATURE,
            Alarm.DISCHARGE_UNDERTEMPERATURE,
            Alarm.DISCHARGE_SWITCH_ON_FAILED,
        ),
        DISCHARGE,
    ),
    **dict.fromkeys(
        (
            Alarm.MOS_OVERTEMPERATURE,
            Alarm.CURRENT_SENSOR,
            Alarm.CHARGE_SHORT_CIRCUIT,
            Alarm.COPROCESSOR_LINK,
            Alarm.DISCHARGE_SHORT_CIRCUIT,
            Alarm.DISCHARGE_MOSFET,
            Alarm.BATTERY_OVERTEMPERATURE,
            Alarm.SHORT_CIRCUIT_RELEASE_FAILED,
        ),
        BOTH,
    ),
}
"""The same of the board's alarms, by the guide on battery control; the bits that it doesn't know by their likes."""


@dataclass(frozen=True, slots=True)
class Heat:
    """What is known of the heat."""

    level: int = 0
    cause: str = HEAT_HELD
    ends_discharge: bool = False
    """The time of grace is over."""


def ways(hazard: Hazard) -> Ways:
    """Return which currents a hazard asks to be stopped."""
    if hazard.alarm is not None:
        return ALARM_CURES.get(hazard.alarm, NONE)
    return CURES.get(hazard.kind, NONE)


def cause_of_heat(assessment: Assessment) -> str:
    """Return the translation key of why it is hot; of what is held, of what raised it."""
    heat = next((finding for finding in assessment.findings if finding.key == HEAT), None)
    return HEAT_HELD if heat is None else heat.placeholders.get(RAISED_BY, heat.cause)


def asks_to_end_discharge(stop: Stop, level: int, hazards: Iterable[Hazard]) -> bool:
    """Return whether heat asks for the discharge to be stopped, be it by its level or by a hazard."""
    return level >= stop.level or any(
        hazard.kind is Kind.DISCHARGE_HOT and hazard.level >= stop.level for hazard in hazards
    )


def stops(config: ActionsConfig) -> tuple[tuple[Action, Stop, Ways, tuple[Target, ...], Target], ...]:
    """Return what may be stopped: for what, how, which currents, by which of the board's switches, by which other."""
    every = (
        (Action.STOP_CHARGE, config.stop_charge, CHARGE, (Target.BOARD_CHARGE,), Target.SWITCH_CHARGE),
        (Action.STOP_DISCHARGE, config.stop_discharge, DISCHARGE, (Target.BOARD_DISCHARGE,), Target.SWITCH_DISCHARGE),
        (
            Action.BOTH_OFF,
            config.both_off,
            BOTH,
            (Target.BOARD_CHARGE, Target.BOARD_DISCHARGE),
            Target.SWITCH_BOTH,
        ),
    )
    return tuple((action, stop, of, board, switch) for action, stop, of, board, switch in every if stop is not None)


def wants(config: ActionsConfig, heat: Heat, hazards: Iterable[Hazard]) -> dict[Target, Want]:
    """Return what is to be switched off."""
    wanted: dict[Target, Want] = {}
    hazards = tuple(hazards)
    for action, stop, of, board, switch in stops(config):
        graced = action is Action.STOP_DISCHARGE and not heat.ends_discharge
        causes = {
            hazard.key: (int(hazard.level), hazard.cause)
            for hazard in hazards
            if hazard.level >= stop.level and ways(hazard) >= of and not (graced and hazard.kind is Kind.DISCHARGE_HOT)
        }
        if heat.level >= stop.level and not graced:
            causes[HEAT] = (heat.level, heat.cause)
        if not causes:
            continue
        _, cause = max(causes.values(), key=lambda each: each[0])
        reasons = {key: level for key, (level, _) in causes.items()}
        for target in (*(board if stop.by_board else ()), *((switch,) if stop.by_switch else ())):
            known = wanted.get(target)
            wanted[target] = Want(action, cause, {**(known.reasons if known else {}), **reasons})
    return wanted


def orders(config: ActionsConfig, ordered: Ways) -> dict[Target, Want]:
    """Return what an emergency stop switches off: by the board, and by every switch that the owner named for it."""
    if not ordered:
        return {}
    action = {CHARGE: Action.STOP_CHARGE, DISCHARGE: Action.STOP_DISCHARGE, BOTH: Action.BOTH_OFF}[ordered]
    want = Want(action, BY_HAND, {BY_HAND: int(GuardianLevel.EMERGENCY)})
    board = {Way.CHARGE: Target.BOARD_CHARGE, Way.DISCHARGE: Target.BOARD_DISCHARGE}
    targets = [board[way] for way in Way if way in ordered]
    targets += [switch for _, stop, of, _, switch in stops(config) if stop.by_switch and of <= ordered]
    return dict.fromkeys(targets, want)
