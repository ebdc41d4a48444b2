"""How fast does a probe rise: within seconds, and exactly?

The fast one is a critically damped g-h filter with a memory of 25 s. The exact one is a Kalman filter of a local linear
trend, fed with means of 5 s (the rounding of half-second frames is no white noise), whose input is the heating that the
model of the pack explains: what remains as its slope is what the model doesn't.
"""

from __future__ import annotations

from math import exp
from typing import Final

_FAST_MEMORY_S: Final = 25.0
SILENCE_S: Final = 180.0
"""After which a slope begins anew."""
_NOISE_C2: Final = 0.07**2
_FIRST_SLOPE_C2_S2: Final = (0.1 / 60) ** 2
_SURPRISE_SLOPE_C2_S2: Final = 1e-5
_SURPRISE_SIGMAS2: Final = 16.0
_ODD_SIGMAS2: Final = 9.0
_SURPRISE_C2: Final = 0.5


class FastSlope:
    """Level and slope of the last half minute."""

    __slots__ = ("error_c", "level_c", "slope_c_s")

    def __init__(self) -> None:
        self.level_c = 0.0
        self.slope_c_s = 0.0
        self.error_c = 0.0
        """How far the last temperature was above what was expected."""

    def step(self, value_c: float, since_s: float | None) -> None:
        """Take an accepted temperature, and the seconds since the one before; None for the first."""
        if since_s is None:
            self.level_c = value_c
        elif since_s > SILENCE_S:
            self.slope_c_s = (value_c - self.level_c) / since_s
            self.level_c, self.error_c = value_c, 0.0
        else:
            theta = exp(-since_s / _FAST_MEMORY_S)
            expected_c = self.level_c + self.slope_c_s * since_s
            self.error_c = error_c = value_c - expected_c
            self.level_c = expected_c + (1.0 - theta * theta) * error_c
            self.slope_c_s += (1.0 - theta) ** 2 * error_c / since_s

    def jump(self, value_c: float, slope_c_s: float) -> None:
        """Go on from a jump that was confirmed."""
        self.level_c, self.slope_c_s, self.error_c = value_c, slope_c_s, 0.0


class SlowSlope:
    """Level and unexplained slope of the last minutes, with what is known of their error."""

    __slots__ = ("_covariance", "_level_var", "_slope_var", "_surprise_c", "level_c", "slope_c_s")

    def __init__(self) -> None:
        self.slope_c_s = 0.0
        self._surprise_c = 0.0
        self.restart(0.0)

    def restart(self, value_c: float) -> None:
        """Begin anew after silence; what was unexplained before is the best guess."""
        self.level_c = value_c
        self._level_var, self._covariance, self._slope_var = _NOISE_C2, 0.0, _FIRST_SLOPE_C2_S2

    def step(
        self, value_c: float, since_s: float, explained_c_s: float, step_c: float, slope_noise_c2_s3: float
    ) -> tuple[float, float, float]:
        """Take the mean of some seconds and the time since the last one.

        `explained_c_s` is the slope that the model explains, `step_c` the resolution of the readings,
        `slope_noise_c2_s3` how fast what isn't explained may change. Return by how much it was off, and the gains of
        level and slope.
        """
        noise = slope_noise_c2_s3 * since_s
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
        self.level_c, self.slope_c_s = other.level_c, other.slope_c_s
        self._level_var, self._covariance, self._slope_var = other._level_var, other._covariance, other._slope_var

    @property
    def level_sigma_c(self) -> float:
        """Standard error of the level."""
        return float(self._level_var**0.5)

    @property
    def slope_sigma_c_s(self) -> float:
        """Standard error of the slope."""
        return float(self._slope_var**0.5)
