"""How much current may there be while it is warm?

What the pack can bear for good, no more than 0.2 C once one spot heats, and none in an emergency. Less is said at
once, more slowly: by 0.05 C a minute, up to 1 C, which is no limit. The level that ends has been without a cause for a
quarter of an hour, so nothing is waited for after it.
"""

from __future__ import annotations

from typing import Final

from ..thermal.interface import LOCAL_CAUSES, ThermalAssessment, ThermalLevel
from .drive import seconds
from .interface import ActionsConfig

LOCAL_RATE: Final = 0.2
SUPPLY_RATE: Final = 0.1
_RISE_RATE_S: Final = 0.05 / 60
_LONGEST_STEP_S: Final = 10.0
"""What happened in a longer silence is unknown."""
_TOLERANCE: Final = 1.05
_TOLERANCE_A: Final = 1.0


class Reduction:
    """The limit of one pack, in A for both directions."""

    def __init__(self, config: ActionsConfig) -> None:
        self._config: Final = config
        self.capacity_ah = config.capacity_ah
        self._stepped_s: float | None = None
        self._local = False
        """One spot has heated since the level was entered: it may be the next cause, but it is still that spot."""
        self.limit_a: float | None = None

    def step(self, level: int, thermal: ThermalAssessment | None, now_s: float) -> None:
        """Go by a level; what is known of the heat is None while nothing new is, and then the limit doesn't rise."""
        last_s, self._stepped_s = self._stepped_s, now_s
        limits_a = self._limits_a(level, thermal)
        if limits_a and (self.limit_a is None or min(limits_a) < self.limit_a):
            self.limit_a = min(limits_a)
        elif self.limit_a is not None and thermal is not None and last_s is not None:
            self._rise(limits_a, min(now_s - last_s, _LONGEST_STEP_S), held=self._holds(level))

    def is_followed(self, current_a: float | None) -> bool:
        """Whether the current is within the limit."""
        limit_a = self.limit_a
        return limit_a is not None and current_a is not None and abs(current_a) <= limit_a * _TOLERANCE + _TOLERANCE_A

    def end(self) -> None:
        """Limit no longer."""
        self.limit_a = None

    def restore(self, stored: object) -> None:
        """Remember a limit."""
        self.limit_a = seconds(stored)

    def _supplies(self, level: int) -> bool:
        stop = self._config.stop_discharge
        return self._config.keep_supplied and stop is not None and level >= stop.level

    def _holds(self, level: int) -> bool:
        reduce_level = self._config.reduce_level
        return self._supplies(level) or (reduce_level is not None and level >= reduce_level)

    def _limits_a(self, level: int, thermal: ThermalAssessment | None) -> list[float]:
        if level >= ThermalLevel.EMERGENCY and self._holds(level):
            return [0.0]
        limits_a: list[float] = []
        reduce_level = self._config.reduce_level
        if reduce_level is None or level < reduce_level:
            self._local = False
        elif thermal is not None:
            if thermal.hold_current_a is not None:
                limits_a.append(thermal.hold_current_a)
            self._local |= any(
                each.cause in LOCAL_CAUSES and each.level >= ThermalLevel.REDUCE for each in thermal.causes
            )
            if self._local and self.capacity_ah is not None:
                limits_a.append(LOCAL_RATE * self.capacity_ah)
        if self._supplies(level) and self.capacity_ah is not None:
            limits_a.append(SUPPLY_RATE * self.capacity_ah)
        return limits_a

    def _rise(self, limits_a: list[float], passed_s: float, *, held: bool) -> None:
        if held and not limits_a:
            return
        capacity_ah = self.capacity_ah
        if self.limit_a is None or capacity_ah is None:
            self.limit_a = min(limits_a, default=None)
            return
        self.limit_a = min([*limits_a, self.limit_a + _RISE_RATE_S * capacity_ah * passed_s])
        if not limits_a and self.limit_a >= capacity_ah:
            self.limit_a = None
