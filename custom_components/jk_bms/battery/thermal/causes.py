"""Which causes speak for a level in this frame, and since when?"""

from __future__ import annotations

from collections.abc import Mapping

from .interface import Cause, ThermalCause, ThermalLevel


class Causes:
    """Collects the causes of a frame; of each kind the worst is kept, and the time it came up."""

    __slots__ = ("_now_s", "_since_s", "_worst")

    def __init__(self, since_s: Mapping[Cause, float], now_s: float) -> None:
        self._since_s = since_s
        self._now_s = now_s
        self._worst: dict[Cause, ThermalCause] = {}

    def add(
        self,
        cause: Cause,
        level: ThermalLevel,
        value: float | None,
        limit: float | None,
        slope_c_s: float | None = None,
        probe: int | None = None,
        cell: int | None = None,
    ) -> None:
        """Add one; `value` and `limit` in the unit of its kind."""
        known = self._worst.get(cause)
        if known is not None and (known.level, known.slope_c_min or 0.0) >= (level, (slope_c_s or 0.0) * 60.0):
            return
        slope_c_min = None if slope_c_s is None else slope_c_s * 60.0
        since_s = self._since_s.get(cause, self._now_s)
        self._worst[cause] = ThermalCause(cause, level, since_s, value, limit, slope_c_min, probe, cell)

    def found(self) -> tuple[ThermalCause, ...]:
        """Return them, the worst first and of the same level the oldest."""
        if len(self._worst) < 2:
            return tuple(self._worst.values())
        return tuple(sorted(self._worst.values(), key=lambda cause: (-cause.level, cause.since_s)))
