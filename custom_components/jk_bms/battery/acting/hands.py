"""Everything that can be driven for a pack, in the world or in a dry run."""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping
from typing import Final

from ..thermal.interface import ThermalAssessment
from .drive import ORDERS_PER_H, STARTS_PER_H, Budget, Drive, Outbox, Sight, Want
from .interface import BOARD, OVER, Action, ActionsConfig, Record, Result, Target
from .reasons import stops
from .reduction import Reduction

_ACTIONS: Final = {
    Target.COOLING: Action.COOLING,
    Target.SWITCH_CHARGE: Action.STOP_CHARGE,
    Target.SWITCH_DISCHARGE: Action.STOP_DISCHARGE,
    Target.BOARD_CHARGE: Action.STOP_CHARGE,
    Target.BOARD_DISCHARGE: Action.STOP_DISCHARGE,
    Target.SWITCH_BOTH: Action.BOTH_OFF,
}
"""In the order in which they are driven: what takes or gives the current first, what would cut it last."""


class Hands:
    """The state of all actions."""

    def __init__(self, config: ActionsConfig) -> None:
        board = Budget(ORDERS_PER_H)
        per_hour = {Target.COOLING: STARTS_PER_H}
        self.drives: Final = {
            target: Drive(target, action, board if target in BOARD else Budget(per_hour.get(target, ORDERS_PER_H)))
            for target, action in _ACTIONS.items()
        }
        self.latched = False
        """There was an emergency: nothing is put back."""
        self._config: Final = config
        self.reduction: Final = Reduction(config)
        self._reduced_for = OVER
        self._followed = False

    def drive(
        self,
        wants: Mapping[Target, Want],
        look: Callable[[Target], Sight],
        now_s: float,
        out: Outbox,
        *,
        may_end: Callable[[Drive], bool],
    ) -> None:
        """Drive each thing to where it is wanted, and what isn't wanted back in the other order."""
        in_turn = [target for target in self.drives if target in wants]
        for target in in_turn + [target for target in reversed(self.drives) if target not in wants]:
            drive = self.drives[target]
            drive.step(wants.get(target), look(target), now_s, out, may_end=may_end(drive))

    def reduce(
        self,
        level: int,
        cause: str,
        thermal: ThermalAssessment | None,
        current_a: float | None,
        now_s: float,
        out: Outbox,
    ) -> None:
        """Limit the current by a level of heat; `thermal` is None while nothing new is known."""
        reduction = self.reduction
        was_reduced = reduction.limit_a is not None
        reduction.step(level, thermal, now_s)
        if reduction.limit_a is None:
            if was_reduced:
                self._record_reduction(Result.ENDED, now_s, out, on=True)
            return
        if not was_reduced:
            self._reduced_for, self._followed = cause, False
            self._record_reduction(Result.PENDING, now_s, out)
        elif not self._followed and reduction.is_followed(current_a):
            self._followed = True
            self._record_reduction(Result.VERIFIED, now_s, out)

    def leave(self, ordered: Container[Target], now_s: float, out: Outbox) -> None:
        """Act no longer: the limit ends, and what is switched off stays so; what is ordered by hand goes on."""
        if self.reduction.limit_a is not None:
            self.reduction.end()
            self._record_reduction(Result.ENDED, now_s, out, on=True)
        for target, drive in self.drives.items():
            if drive.is_held and target is not Target.COOLING and target not in ordered:
                drive.leave(now_s, out)

    def unlatch(self, now_s: float, out: Outbox) -> None:
        """End what is latched; what is switched off for it stays so."""
        self.latched = False
        for drive in self.drives.values():
            if drive.is_emergency:
                drive.leave(now_s, out)

    def state(self, now_s: float) -> dict[str, object]:
        """Return what has to be kept over a restart, for JSON."""
        return {
            "latched": self.latched,
            "limit_a": self.reduction.limit_a,
            "drives": {target.value: drive.state(now_s) for target, drive in self.drives.items()},
            "spent": {target.value: drive.budget.state(now_s) for target, drive in self.drives.items()},
        }

    def restore(self, stored: Mapping[str, object], then_s: float, out: Outbox) -> None:
        """Remember what `state` said at a time; what the owner no longer allows is let go of."""
        self.latched = stored.get("latched") is True
        self.reduction.restore(stored.get("limit_a"))
        self._followed = self.reduction.limit_a is not None
        drives, spent = stored.get("drives"), stored.get("spent")
        allowed = self._allowed()
        for target, drive in self.drives.items():
            if isinstance(spent, dict) and target is not Target.BOARD_DISCHARGE:
                drive.budget.restore(spent.get(target.value), then_s)
            if isinstance(drives, dict):
                drive.restore(drives.get(target.value), then_s)
            if drive.is_held and target not in allowed and not drive.is_emergency:
                drive.leave(then_s, out)

    def _allowed(self) -> set[Target]:
        allowed = set() if self._config.cooling is None else {Target.COOLING}
        for _, stop, _, board, switch in stops(self._config):
            allowed |= {*(board if stop.by_board else ()), *((switch,) if stop.by_switch else ())}
        return allowed

    def _record_reduction(self, result: Result, now_s: float, out: Outbox, *, on: bool = False) -> None:
        out.records.append(Record(Action.REDUCE, on, result, OVER if on else self._reduced_for, now_s))
