"""What may be done for a pack, what with, and how is it told what came of it?

Times are those of one monotonic clock in s, currents in A, temperatures in °C. Unknown is None.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from ..guardian import Finding

ACTION: Final = "action"
"""Family of the findings about actions."""
ACTION_FAILED: Final = "action_failed"
"""Cause of such a finding; its placeholders `action` and `target` are translation keys."""
BY_HAND: Final = "by_hand"
"""Cause of what the owner ordered."""
OVER: Final = "over"
"""Cause of what is undone because nothing asks for it any more."""


class Action(StrEnum):
    """What the owner can allow."""

    COOLING = "cooling"
    REDUCE = "reduce"
    STOP_CHARGE = "stop_charge"
    STOP_DISCHARGE = "stop_discharge"
    BOTH_OFF = "both_off"


class Mode(StrEnum):
    """How far the guardian goes by itself. What the owner orders by hand is done in every mode."""

    OFF = "off"
    WATCH = "watch"
    DRY_RUN = "dry_run"
    """It says what it would have done."""
    ACT = "act"


class Target(StrEnum):
    """What can be driven. Whatever switches the current is on while the current may flow."""

    COOLING = "cooling"
    BOARD_CHARGE = "board_charge"
    BOARD_DISCHARGE = "board_discharge"
    SWITCH_CHARGE = "switch_charge"
    """The owner's: a charger."""
    SWITCH_DISCHARGE = "switch_discharge"
    """The owner's: an inverter."""
    SWITCH_BOTH = "switch_both"
    """The owner's: a contactor."""


BOARD: Final = (Target.BOARD_CHARGE, Target.BOARD_DISCHARGE)


class Result(StrEnum):
    """What came of an action."""

    PENDING = "pending"
    """It was ordered; whether it worked isn't known yet."""
    VERIFIED = "verified"
    FAILED = "failed"
    REFUSED = "refused"
    """It isn't allowed."""
    LIMITED = "limited"
    """It was done too often of late."""
    WOULD = "would"
    """It is a dry run."""
    ENDED = "ended"
    """It isn't done any more, and nothing was ordered for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cooling:
    """Air is moved from this level of heat on, if that helps."""

    level: int = 1
    least_run_s: float = 600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """A current is switched off from this level on."""

    level: int
    by_board: bool = False
    by_switch: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionsConfig:
    """What the owner allowed; None is never done."""

    cooling: Cooling | None = None
    reduce_level: int | None = None
    stop_charge: Stop | None = None
    stop_discharge: Stop | None = None
    both_off: Stop | None = None
    capacity_ah: float | None = None
    grace_s: float = 60.0
    """How long at its level of heat the discharge goes on, as long as it isn't too hot for that (`Actor.adapt`)."""
    keep_supplied: bool = False
    """Below an emergency, heat doesn't stop the discharge; it is limited to 0.1 C instead."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What the things that can be driven do at present."""

    on: Mapping[Target, bool | None]
    """None, or left out: it isn't there and can't be driven now. What can be driven although nobody knows its state is
    given as it usually is: cooling off, currents on. A script is as it was last run."""
    current_a: float | None
    fresh: bool
    """Frames come. While they don't, the board can't be driven, whatever `on` says of it."""
    held_elsewhere: frozenset[Target] = frozenset()
    """What other packs hold (`Decision.held`) that share it with this one."""
    barred: frozenset[Target] = frozenset()
    """What the board holds off by itself although it is switched on."""


@dataclass(frozen=True, slots=True)
class Command:
    """Something to be done now."""

    target: Target
    on: bool
    action: Action
    cause: str
    """Translation key: that of the finding, or `BY_HAND`, or `OVER`."""
    attempt: int
    """From 1."""


@dataclass(frozen=True, slots=True)
class Record:
    """One line of what was done."""

    action: Action
    on: bool
    """As in commands; reducing is False, the full current is True."""
    result: Result
    cause: str
    at_s: float
    target: Target | None = None
    """None for what nothing is driven for: reducing."""
    detail: str = ""
    """Short key of what else there is to say, empty for nothing: see `Detail`."""


class Detail(StrEnum):
    """What else there is to say of a record."""

    NO_ANSWER = "no_answer"
    """It isn't as ordered."""
    CURRENT_FLOWS = "current_flows"
    """It is off, and yet there is a current."""
    NOT_THERE = "not_there"
    ERROR = "error"
    """The order couldn't be given."""
    BY_HAND = "by_hand"
    """Somebody undid it: his decision stands until the level rises or comes anew."""
    LEFT_OFF = "left_off"
    """It stays switched off: switching it on again is up to the owner."""
    HELD_ELSEWHERE = "held_elsewhere"
    """Another pack still needs it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What follows from one look at the pack."""

    commands: tuple[Command, ...] = ()
    """In the order in which they are to be carried out."""
    records: tuple[Record, ...] = ()
    """What is news."""
    findings: tuple[Finding, ...] = ()
    limit_a: float | None = None
    """What charge and discharge are to be reduced to; None: not at all."""
    held: frozenset[Target] = frozenset()
    """What isn't as it usually is because of us."""
    limited: frozenset[Target] = frozenset()
    """What would be driven now, but was too often of late."""
    cooling_by_hand: bool = False
    cooling_until_s: float | None = None
    """When cooling by hand ends at the latest."""
    latched: bool = False
    """After an emergency or an emergency stop: nothing is switched on again, not even after `Actor.reset`."""
    last: Record | None = None
