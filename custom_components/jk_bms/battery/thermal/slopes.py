"""How fast does a probe rise: within seconds, and exactly?

The fast one is a critically damped g-h filter with a memory of 25 s. The exact one is a Kalman filter of a local linear
trend, fed with means of 5 s (the rounding of half-second frames is no white noise), whose input is the heating that the
model of the pack explains: what remains as its slope is what the model doesn't.
"""

from __future__ import annotations

from math import exp
from typing import Final

_FAST_MEMORY_S: Final = 25.0
_FAST_SILENCE_S: Final = 180.0
_READY_S: Final = 180.0
_SETTLED_S: Final = 600.0
_NOISE_C2: Final = 0.07**2
_FIRST_SLOPE_C2_S2: Final = (0.1 / 60) ** 2
_SURPRISE_SLOPE_C2_S2: Final = 1e-5
_SURPRISE_SIGMAS2: Final = 16.0
_ODD_SIGMAS2: Final = 9.0
_SURPRISE_C2: Final = 0.5


class FastSlope:
    """Level and slope of the last half minute."""

    __slots__ = ("_at_s", "error_c", "level_c", "slope_c_s")

    def __init__(self) -> None:
        self.level_c = 0.0
        self.slope_c_s = 0.0
        self.error_c = 0.0
        """How far the last temperature was above what was expected."""
        self._at_s: float | None = None

    def step(self, value_c: float, now_s: float) -> None:
        """Take an accepted temperature."""
        if self._at_s is None:
            self.level_c = value_c
        else:
            since_s = now_s - self._at_s
            if since_s > _FAST_SILENCE_S:
                self.slope_c_s = (value_c - self.level_c) / since_s
                self.level_c, self.error_c = value_c, 0.0
            else:
                theta = exp(-since_s / _FAST_MEMORY_S)
                expected_c = self.level_c + self.slope_c_s * since_s
                self.error_c = error_c = value_c - expected_c
                self.level_c = expected_c + (1.0 - theta * theta) * error_c
                self.slope_c_s += (1.0 - theta) ** 2 * error_c / since_s
        self._at_s = now_s

    def jump(self, value_c: float, slope_c_s: float, now_s: float) -> None:
        """Go on from a jump that was confirmed."""
        self.level_c, self.slope_c_s, self.error_c, self._at_s = value_c, slope_c_s, 0.0, now_s


class SlowSlope:
    """Level and unexplained slope of the last minutes, with what is known of their error."""

    __slots__ = (
        "_covariance",
        "_level_var",
        "_slope_noise",
        "_slope_var",
        "_surprise_c",
        "level_c",
        "since_s",
        "slope_c_s",
        "updated_s",
    )

    def __init__(self, slope_noise_c2_s3: float) -> None:
        self._slope_noise = slope_noise_c2_s3
        self.since_s: float | None = None
        """Since when it follows this probe without a break."""
        self.updated_s = 0.0
        self.level_c = 0.0
        self.slope_c_s = 0.0
        self._level_var = _NOISE_C2
        self._covariance = 0.0
        self._surprise_c = 0.0
        self._slope_var = _FIRST_SLOPE_C2_S2

    def restart(self, value_c: float, now_s: float) -> None:
        """Begin anew after silence; what was unexplained before is the best guess."""
        self.since_s = self.updated_s = now_s
        self.level_c = value_c
        self._level_var, self._covariance, self._slope_var = _NOISE_C2, 0.0, _FIRST_SLOPE_C2_S2

    def step(self, value_c: float, now_s: float, explained_c_s: float, step_c: float) -> tuple[float, float, float]:
        """Take the mean of some seconds, the slope that the model explains and the resolution of the readings.

        Return by how much it was off, and the gains of level and slope.
        """
        if self.since_s is None or now_s - self.updated_s > _FAST_SILENCE_S:
            self.restart(value_c, now_s)
            return 0.0, 1.0, 0.0
        since_s = now_s - self.updated_s
        self.updated_s = now_s
        noise = self._slope_noise * since_s
        covariance = self._covariance + self._slope_var * since_s + noise * since_s / 2.0
        level_var = (
            self._level_var
            + (2.0 * self._covariance + self._slope_var * since_s) * since_s
            + noise * since_s * since_s / 3.0
        )
        slope_var = self._slope_var + noise
        self.level_c += (self.slope_c_s + explained_c_s) * since_s
        error_c = value_c - self.level_c
        coarse_c2 = step_c * step_c if step_c >= 0.5 else 0.0
        measured_var = _NOISE_C2 + coarse_c2 / 12.0
        total = level_var + measured_var
        surprising = error_c * error_c > max(_SURPRISE_SIGMAS2 * total, _SURPRISE_C2 + 2.0 * coarse_c2)
        if surprising and self._surprise_c * error_c > 0.0:
            level_var += error_c * error_c / 2.0
            slope_var += _SURPRISE_SLOPE_C2_S2
            total = level_var + measured_var
        else:
            # One odd reading alone bends nothing.
            limit_c = (_ODD_SIGMAS2 * total) ** 0.5
            error_c = max(-limit_c, min(limit_c, error_c))
        self._surprise_c = error_c if surprising else 0.0
        level_gain, slope_gain = level_var / total, covariance / total
        self.level_c += level_gain * error_c
        self.slope_c_s += slope_gain * error_c
        self._level_var = measured_var * level_gain
        self._covariance = measured_var * slope_gain
        self._slope_var = max(slope_var - slope_gain * covariance, 1e-14)
        return error_c, level_gain, slope_gain

    def follow(self, other: SlowSlope) -> None:
        """Go on from where a quicker one is."""
        self.since_s, self.updated_s = other.since_s, other.updated_s
        self.level_c, self.slope_c_s = other.level_c, other.slope_c_s
        self._level_var, self._covariance, self._slope_var = other._level_var, other._covariance, other._slope_var

    def settled(self, now_s: float) -> bool:
        """Whether one odd reading can't bend it any more."""
        return self.since_s is not None and now_s - self.since_s >= _SETTLED_S

    def ready(self, now_s: float) -> bool:
        """Whether it has followed for long enough to be asked."""
        return (
            self.since_s is not None and self.updated_s - self.since_s >= _READY_S and now_s - self.updated_s < _READY_S
        )

    @property
    def level_sigma_c(self) -> float:
        """Standard error of the level."""
        return float(self._level_var**0.5)

    @property
    def slope_sigma_c_s(self) -> float:
        """Standard error of the slope."""
        return float(self._slope_var**0.5)
