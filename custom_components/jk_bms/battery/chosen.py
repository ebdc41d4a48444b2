"""Which numbers can the owner choose for a pack, how far, and what holds if he doesn't? Protection and heat as one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from ..bms.telemetry import Chemistry, Settings
from .thermal.chosen import KEYS as HEAT_KEYS
from .thermal.chosen import HeatThresholds
from .thresholds import Problem, Thresholds


@dataclass(frozen=True, slots=True)
class Choice:
    """What the owner chose for one pack, by the keys of `Thresholds` and `HeatThresholds`."""

    chemistry: Chemistry | None
    settings: Settings | None
    numbers: Mapping[str, float] = field(default_factory=dict)
    frame_period_s: float = 0.5

    def keys(self) -> tuple[str, ...]:
        """Return all numbers that can be chosen on this pack."""
        return (*self._protection.keys(), *HEAT_KEYS)

    def value(self, key: str) -> float:
        """Return the number that is gone by, for one of the keys."""
        value = self._of(key).value(key)
        assert value is not None
        return value

    def derived(self, key: str) -> float:
        """Return what would be gone by if nothing were chosen for a key."""
        others = {each: number for each, number in self.numbers.items() if each != key}
        return replace(self, numbers=others).value(key)

    def accepted_range(self, key: str) -> tuple[float, float]:
        """Return between what a number may be chosen, ends included."""
        accepted = self._of(key).accepted_range(key)
        assert accepted is not None
        return accepted

    def problems(self) -> tuple[Problem, ...]:
        """Return what is chosen that can't be gone by on this pack."""
        return self._protection.problems() + self._heat.problems()

    @property
    def _protection(self) -> Thresholds:
        return Thresholds(self.chemistry, self.settings, self.numbers, self.frame_period_s)

    @property
    def _heat(self) -> HeatThresholds:
        return HeatThresholds(self.chemistry, self.settings, self.numbers)

    def _of(self, key: str) -> Thresholds | HeatThresholds:
        return self._heat if key in HEAT_KEYS else self._protection
