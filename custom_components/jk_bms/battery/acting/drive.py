"""Is one thing as it was ordered to be, and what if it isn't?

An order is given once and then verified; what doesn't answer is asked again after 10, 30 and 60 s and every minute from
then on, and said to have failed after the second time. What was as wanted before is left alone, and so is what somebody
undid; only what was driven here is ever put back.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from math import inf
from typing import Final

from ..guardian import Finding, GuardianLevel
from .interface import ACTION, ACTION_FAILED, BOARD, OVER, Action, Command, Detail, Record, Result, Target

HOUR_S: Final = 3600.0
STARTS_PER_H: Final = 6
"""Of the cooling: what has a compressor doesn't like more."""
ORDERS_PER_H: Final = 4
"""To the board, and to each of the owner's switches."""
_BOARD_ANSWERS_S: Final = 10.0
_ENTITY_ANSWERS_S: Final = 15.0
_RETRIES_S: Final = (10.0, 30.0, 60.0)
_SAID_FAILURES: Final = 2


@dataclass(frozen=True, slots=True)
class Want:
    """What speaks for driving something."""

    action: Action
    cause: str
    reasons: Mapping[str, int]
    """The level of each, by what tells them apart."""
    due: bool = True
    """Whether they ask for it just now."""

    @property
    def is_emergency(self) -> bool:
        """Whether neither limits nor the hand of somebody count; what only cools is none."""
        return self.action is not Action.COOLING and max(self.reasons.values()) >= GuardianLevel.EMERGENCY


@dataclass(frozen=True, slots=True)
class Sight:
    """What is seen of one thing."""

    on: bool | None
    flows: bool = False
    """There is a current although it is off."""
    elsewhere: bool = False
    """Another pack holds it."""
    barred: bool = False
    """It is off by itself although it is switched on: what was driven here is no longer as it was driven."""


@dataclass(slots=True)
class Outbox:
    """What a step comes to."""

    commands: list[Command] = field(default_factory=list)
    records: list[Record] = field(default_factory=list)


class Budget:
    """How often something may be done in an hour."""

    def __init__(self, per_hour: int) -> None:
        self._spent_s: deque[float] = deque(maxlen=per_hour)
        self._per_hour = per_hour

    def left(self, now_s: float) -> int:
        """Return how often it may still be done now."""
        return self._per_hour - sum(1 for spent_s in self._spent_s if now_s - spent_s < HOUR_S)

    def spend(self, now_s: float) -> None:
        """Take note that it is done."""
        self._spent_s.append(now_s)

    def give_back(self) -> None:
        """Take note that the last time came to nothing: it wears nothing out."""
        self._spent_s.pop()

    def state(self, now_s: float) -> list[float]:
        """Return how long ago it was done, for JSON."""
        return [now_s - spent_s for spent_s in self._spent_s]

    def restore(self, stored: object, then_s: float) -> None:
        """Remember what `state` said at a time."""
        if isinstance(stored, list):
            self._spent_s.extend(then_s - age_s for age_s in map(seconds, stored) if age_s is not None)


class _Stage(StrEnum):
    IDLE = "idle"
    ASKED = "asked"
    DONE = "done"
    ENDING = "ending"


@dataclass(slots=True)
class _Effort:
    """What has come of driving something in one direction so far."""

    attempt: int = 0
    failures: int = 0
    asked_s: float | None = None
    """When it was last asked for, until that is known to have failed."""
    retry_s: float = -inf
    """Not to be asked for again before."""
    missed_s: float | None = None
    """Since when it is wanted and isn't there."""
    failing_s: float | None = None
    """Since when that is worth a finding."""
    spent: bool = False
    """The last order counts against the budget."""
    limited: bool = False
    """It was done too often of late, and that was said."""


class Drive:
    """Drives one thing to where it is wanted and back."""

    __slots__ = (
        "_active",
        "_answers_s",
        "_dismissed",
        "_effort",
        "_gap",
        "_reasons",
        "_stage",
        "_undone",
        "_urgent",
        "action",
        "began_s",
        "budget",
        "cause",
        "target",
    )

    def __init__(self, target: Target, action: Action, budget: Budget) -> None:
        self.target: Final = target
        self.action = action
        """What it was last driven for."""
        self.cause = OVER
        self.began_s = -inf
        """When it was last asked for."""
        self._active: Final = target is Target.COOLING
        """What it is driven to."""
        self._answers_s: Final = _BOARD_ANSWERS_S if target in BOARD else _ENTITY_ANSWERS_S
        self.budget: Final = budget
        self._stage = _Stage.IDLE
        self._urgent = False
        self._reasons: Mapping[str, int] = {}
        self._undone: dict[str, int] = {}
        """Reasons at the level at which somebody decided against them."""
        self._dismissed = False
        """It is to be put back whatever else speaks for waiting."""
        self._gap = True
        """It wasn't seen at the last step."""
        self._effort = _Effort()

    @property
    def is_held(self) -> bool:
        """Whether it is driven, or was and isn't back yet."""
        return self._stage is not _Stage.IDLE

    @property
    def is_limited(self) -> bool:
        """Whether it would be ordered now, but was too often of late."""
        return self._effort.limited

    def step(self, want: Want | None, sight: Sight, now_s: float, out: Outbox, *, may_end: bool) -> None:
        """Do what follows from what is wanted and seen; `may_end`: it may be put back if it isn't wanted."""
        if sight.barred and (self.is_held or (want is not None and want.is_emergency)):
            sight = replace(sight, on=True)
        if sight.on is None:
            self._gap = True
        else:
            self._effort.missed_s = None
        wanted = self._minus_undone(want)
        if wanted is None:
            self._let_go(sight, now_s, out, may_end=may_end or self._dismissed)
        else:
            self._pursue(wanted, sight, now_s, out)
        self._gap = sight.on is None

    def dismiss(self) -> None:
        """Take note that somebody decided against it: that stands until the level rises or comes anew."""
        self._undone = dict(self._reasons)
        self._dismissed = True

    def heed(self) -> None:
        """Forget what somebody once decided."""
        self._undone = {}

    def fail(self, command: Command, now_s: float, out: Outbox, *, refused: bool) -> None:
        """Take note that a command could not be given."""
        goal = self._active if self._stage is _Stage.ASKED else not self._active
        if command.on is not goal or command.attempt != self._effort.attempt:
            return
        if self._effort.spent:
            self._effort.spent = False
            self.budget.give_back()
        if self._effort.asked_s is None:
            return
        self._failed(now_s, out, Detail.ERROR, Result.REFUSED if refused else Result.FAILED)
        if refused:
            self._effort.failing_s = now_s

    def leave(self, now_s: float, out: Outbox) -> None:
        """Let go of it as it is."""
        self._end(now_s, out, Detail.LEFT_OFF if self._stage is _Stage.DONE else "")

    @property
    def is_emergency(self) -> bool:
        """Whether it is held because of an emergency."""
        return self.is_held and self._urgent

    @property
    def finding(self) -> Finding | None:
        """What is wrong with it."""
        if self._effort.failing_s is None:
            return None
        harmless = self.target is Target.COOLING or self._stage is _Stage.ENDING
        level = GuardianLevel.WARNING if harmless else GuardianLevel.CRITICAL
        placeholders = {"action": self.action.value, "target": self.target.value}
        return Finding(f"{ACTION}_{self.target}", ACTION, level, ACTION_FAILED, self._effort.failing_s, placeholders)

    def state(self, now_s: float) -> dict[str, object]:
        """Return what has to be kept over a restart, for JSON."""
        return {
            "stage": self._stage.value,
            "action": self.action.value,
            "cause": self.cause,
            "urgent": self._urgent,
            "age_s": now_s - self.began_s if self.is_held else 0.0,
            "undone": self._undone,
        }

    def restore(self, stored: object, then_s: float) -> None:
        """Remember what `state` said at a time."""
        if not isinstance(stored, dict):
            return
        stage, action, age_s = stored.get("stage"), stored.get("action"), seconds(stored.get("age_s"))
        if stage not in list(_Stage) or action not in list(Action) or age_s is None:
            return
        self._stage, self.action = _Stage(stage), Action(action)
        self.cause = str(stored.get("cause"))
        self._urgent = stored.get("urgent") is True
        self.began_s = then_s - age_s
        undone = stored.get("undone")
        if isinstance(undone, dict):
            self._undone = {str(key): level for key, level in undone.items() if isinstance(level, int)}
        if self._stage in (_Stage.ASKED, _Stage.ENDING):  # Whether that was heard is seen at once.
            self._effort.attempt = 1

    def _minus_undone(self, want: Want | None) -> Want | None:
        self._reasons = {} if want is None else want.reasons
        if want is None:
            self._undone = {}
            return None
        if self._undone:
            self._undone = {key: level for key, level in self._undone.items() if key in want.reasons}
            if all(self._undone.get(key, -1) >= level for key, level in want.reasons.items()):
                return None
        return want if want.due else None

    def _pursue(self, want: Want, sight: Sight, now_s: float, out: Outbox) -> None:
        if want.is_emergency and not self._urgent:
            self._effort.retry_s = -inf
        self.action, self.cause, self._urgent = want.action, want.cause, want.is_emergency
        self._dismissed = False
        match self._stage:
            case _Stage.IDLE if sight.on is None:
                self._miss(now_s, out)
            case _Stage.IDLE if sight.on is self._active:
                self._effort = _Effort()
                if sight.elsewhere:
                    # An order of the other pack to put it back may still be on its way: that is nobody's decision.
                    self._stage, self.began_s, self._effort.asked_s = _Stage.DONE, now_s, now_s
            case _Stage.IDLE:
                self._ask(now_s, out)
            case _Stage.ASKED:
                self._check(sight, now_s, out, may_ask=True)
            case _Stage.ENDING:
                # The order to end it may still be on its way, so what is seen doesn't count before it is asked again.
                self._effort = _Effort()
                self._stage = _Stage.ASKED
                self._check(sight, now_s, out, may_ask=True)
            case _Stage.DONE if sight.on is None:
                if self.target not in BOARD:
                    self._miss(now_s, out)
            case _Stage.DONE if sight.on is self._active:
                if self._effort.asked_s is None or now_s - self._effort.asked_s >= self._answers_s:
                    self._effort = _Effort()
            case _Stage.DONE if self._effort.asked_s is not None:
                # It says at once what it was told, and then what it is.
                self._stage = _Stage.ASKED
                self._failed(now_s, out, Detail.NO_ANSWER)
            case _Stage.DONE if want.is_emergency or (self._gap and self.target not in BOARD):
                self._effort = _Effort()
                self._stage = _Stage.ASKED
                self._check(sight, now_s, out, may_ask=True)
            case _:
                self.dismiss()
                self._end(now_s, out, Detail.BY_HAND)

    def _let_go(self, sight: Sight, now_s: float, out: Outbox, *, may_end: bool) -> None:
        needed = sight.elsewhere and sight.on is self._active
        if self._stage is _Stage.ENDING and not needed:
            self._check(sight, now_s, out, may_ask=may_end)
            return
        self._effort.failing_s = self._effort.missed_s = None
        if self._stage is _Stage.IDLE:
            self._effort = _Effort()
            return
        asked_s = self._effort.asked_s if self._stage is _Stage.ASKED else None
        answered = asked_s is None or now_s - asked_s >= self._answers_s
        if not may_end or sight.on is None:
            return
        if sight.elsewhere:
            self._end(now_s, out, Detail.HELD_ELSEWHERE)
        elif sight.on is not self._active and answered:
            self._end(now_s, out, "")
        else:
            self._effort = _Effort(asked_s=asked_s, limited=self._effort.limited)
            self._ask(now_s, out, back=True)

    def _end(self, now_s: float, out: Outbox, detail: str) -> None:
        self._stage = _Stage.IDLE
        self._effort = _Effort()
        out.records.append(self._record(self._active, Result.ENDED, now_s, detail))

    def _check(self, sight: Sight, now_s: float, out: Outbox, *, may_ask: bool) -> None:
        """Hold what is seen against what was asked for; ask again when it is time."""
        back = self._stage is _Stage.ENDING
        goal = self._active is not back
        as_asked = sight.on is goal
        if self._effort.attempt and as_asked and not (sight.flows and not back):
            self._verified(now_s, out)
            return
        if self._effort.asked_s is not None:
            if now_s - self._effort.asked_s < self._answers_s:
                return
            self._failed(now_s, out, Detail.CURRENT_FLOWS if as_asked else Detail.NO_ANSWER)
        if sight.on is None:
            self._miss(now_s, out)
        elif may_ask and (self._gap or now_s >= self._effort.retry_s):
            self._ask(now_s, out, back=back)

    def _ask(self, now_s: float, out: Outbox, *, back: bool = False) -> None:
        on = self._active is not back
        if not self._urgent and not self._affords(now_s, back=back):
            if not self._effort.limited:
                self._effort.limited = True
                out.records.append(self._record(on, Result.LIMITED, now_s, back=back))
            if not back:
                self._effort.failing_s = now_s if self._effort.failing_s is None else self._effort.failing_s
            return
        self._effort.spent = not self._urgent and (on or self.target is not Target.COOLING)
        if self._effort.spent:
            self.budget.spend(now_s)
        if not back:
            self.began_s = now_s
        self._stage = _Stage.ENDING if back else _Stage.ASKED
        self._effort.asked_s, self._effort.limited = now_s, False
        self._effort.attempt += 1
        cause = OVER if back else self.cause
        out.commands.append(Command(self.target, on, self.action, cause, self._effort.attempt))
        if self._effort.attempt == 1:
            out.records.append(self._record(on, Result.PENDING, now_s, back=back))

    def _affords(self, now_s: float, *, back: bool) -> bool:
        """Whether it may be asked for now: what is put back has to leave an order for driving it again."""
        if self.target is Target.COOLING:
            return back or self.budget.left(now_s) > 0
        return self.budget.left(now_s) > back

    def _verified(self, now_s: float, out: Outbox) -> None:
        back = self._stage is _Stage.ENDING
        if back:
            self._stage, self._effort = _Stage.IDLE, _Effort()
        else:
            self._stage, self._effort.failing_s = _Stage.DONE, None
        out.records.append(self._record(self._active is not back, Result.VERIFIED, now_s, back=back))

    def _failed(self, now_s: float, out: Outbox, detail: Detail, result: Result = Result.FAILED) -> None:
        self._effort.asked_s = None
        self._effort.retry_s = now_s + _RETRIES_S[min(self._effort.failures, len(_RETRIES_S) - 1)]
        self._effort.failures += 1
        back = self._stage is _Stage.ENDING
        if self._effort.failures <= _SAID_FAILURES:
            out.records.append(self._record(self._active is not back, result, now_s, detail, back=back))
        if self._effort.failures >= _SAID_FAILURES and self._effort.failing_s is None:
            self._effort.failing_s = now_s

    def _miss(self, now_s: float, out: Outbox) -> None:
        """It is wanted, and it isn't there."""
        if self._effort.missed_s is None:
            self._effort.missed_s = now_s
        if self._effort.failing_s is None and now_s - self._effort.missed_s >= _ENTITY_ANSWERS_S:
            self._effort.failing_s = now_s
            back = self._stage is _Stage.ENDING
            record = self._record(self._active is not back, Result.FAILED, now_s, Detail.NOT_THERE, back=back)
            out.records.append(record)

    def _record(self, on: bool, result: Result, now_s: float, detail: str = "", *, back: bool = False) -> Record:
        return Record(self.action, on, result, OVER if back else self.cause, now_s, self.target, detail)


def seconds(stored: object) -> float | None:
    """Return an age that was stored, None if it is none."""
    return float(stored) if isinstance(stored, (int, float)) and 0 <= stored < inf else None
