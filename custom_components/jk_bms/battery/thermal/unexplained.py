"""Does the whole pack heat without a reason?

A cumulative sum of what neither load nor room explain, above what sun and open doors do.
"""

from __future__ import annotations

from typing import Final

_TOLERATED_C_MIN: Final = 0.12
ALARM_C: Final = 2.0
_MOST_C: Final = 4.0
_SETTLING_S: Final = 900.0


class UnexplainedHeating:
    """Sums up."""

    __slots__ = ("_settles_s", "sum_c")

    def __init__(self) -> None:
        self.sum_c = 0.0
        self._settles_s: float | None = None

    def step(self, unexplained_c_min: float, since_s: float, now_s: float, *, disturbed: bool) -> None:
        """Take the median of what is unexplained; a heater, a gap and the first quarter of an hour don't count."""
        if disturbed or self._settles_s is None:
            self._settles_s = now_s + _SETTLING_S
        elif now_s >= self._settles_s:
            self.sum_c = min(max(0.0, self.sum_c + (unexplained_c_min - _TOLERATED_C_MIN) * since_s / 60.0), _MOST_C)
