"""How long until the pack is full, or empty?

A mean of the current over the last minutes against the charge that is missing or left. The last 2 % of a charge taper
off, at half the current and at no more than 0.3 C to begin with. A pack that rests has no such time: below 0.01 C, or
beyond 240 h, there is none.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import exp
from typing import Final

from ..bms.telemetry import Telemetry

_MEAN_TIME_CONSTANT_S: Final = 150
"""An exponential mean of this time constant is as old, on average, as a plain mean over five minutes."""
_LEAST_RATE: Final = 0.01
_LONGEST_H: Final = 240
_TAPER_SHARE: Final = 0.02
_TAPER_RATE: Final = 0.3
_TAPER_MEAN: Final = 0.5


@dataclass(frozen=True, slots=True)
class TimeToGo:
    """Hours to go; None for the direction that the pack does not take."""

    to_full_h: float | None = None
    to_empty_h: float | None = None


class TimeToGoEstimator:
    """Keeps the mean current of one pack."""

    def __init__(self) -> None:
        self._mean_a: float | None = None
        self._last_s = 0.0

    def step(self, telemetry: Telemetry, now_s: float) -> TimeToGo:
        """Take a frame at a monotonic time in seconds; return the hours to go at the mean current."""
        current_a, full_ah = telemetry.current_a, telemetry.full_charge_capacity_ah
        remaining_ah = telemetry.remaining_capacity_ah
        if current_a is None or remaining_ah is None or not full_ah:
            return TimeToGo()
        if self._mean_a is None:
            self._mean_a = current_a
        else:
            # After a gap of any length the old mean has faded as much as it deserves.
            self._mean_a += (current_a - self._mean_a) * (1 - exp((self._last_s - now_s) / _MEAN_TIME_CONSTANT_S))
        self._last_s = now_s
        mean_a = self._mean_a
        if abs(mean_a) < _LEAST_RATE * full_ah:
            return TimeToGo()
        if mean_a < 0:
            return TimeToGo(to_empty_h=_shown(remaining_ah / -mean_a))
        missing_ah = max(full_ah - remaining_ah, 0)
        taper_ah = min(missing_ah, _TAPER_SHARE * full_ah)
        taper_a = _TAPER_MEAN * min(mean_a, _TAPER_RATE * full_ah)
        return TimeToGo(to_full_h=_shown((missing_ah - taper_ah) / mean_a + taper_ah / taper_a))


def _shown(hours: float) -> float | None:
    return round(hours, 2) if hours <= _LONGEST_H else None
