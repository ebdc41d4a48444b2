"""What heating does the load explain, what does the room take away, and what current will be drawn?

dT/dt = b·I² + (T_ambient - T)/τ. Both constants begin with what is usual and are learned within bounds: sun and
charging go together, and a free fit takes the one for the other. b is learned from the minutes in which the load
swings, τ by recursive least squares on means of ten minutes.
"""

from __future__ import annotations

from math import exp
from typing import Final

from .config import ThermalConfig
from .slopes import SILENCE_S, SlowSlope

_TICK_S: Final = 600.0
_FORGET_PER_TICK: Final = 1 - 1 / 432
"""Three days."""
_NOISE_C_MIN2: Final = 0.03**2
_COOLING_VAR: Final = 0.15**2
_CONSTANT_VAR: Final = 0.02**2
_JOULE_VAR: Final = 0.3**2
_JOULE_BOUNDS: Final = (0.05, 2.0)
"""Small power cells heat ten times less than thick ones scaled down."""
_JOULE_MEMORY_S: Final = 86_400.0
_LONGEST_STEP_S: Final = 60.0
"""Nobody knows what was in a longer one."""
_ERROR_C2: Final = 0.15**2
_TAU_BOUNDS_S: Final = (3600.0, 8 * 3600.0)
PROBE_LAG_S: Final = 45.0
_SHORT_S: Final = 60.0
_LONGEST_MEAN_S: Final = 3600.0
_SPREAD_MEMORY_S: Final = 3600.0
_STEP_PATIENCE_S: Final = 120.0


class Load:
    """Mean of the square of the current since the last lasting step, and how much it swings."""

    __slots__ = ("_elapsed_s", "_off_s", "_short_a2", "_since_step_s", "_variance", "lagged_a2", "mean_a2")

    def __init__(self) -> None:
        self.mean_a2: float | None = None
        self._short_a2 = 0.0
        self._variance = 0.0
        self._since_step_s = 0.0
        self._off_s = 0.0
        self._elapsed_s = _SHORT_S
        self.lagged_a2 = 0.0
        """What the probes see of it by now."""

    @property
    def spread_a2(self) -> float:
        """Standard deviation over the last hour."""
        return float(self._variance**0.5)

    def step(self, square_a2: float, since_s: float) -> None:
        """Take the mean square of the current over the last seconds."""
        mean_a2 = self.mean_a2
        if mean_a2 is None:
            self.mean_a2 = self._short_a2 = self.lagged_a2 = square_a2
            return
        since_s = min(since_s, _TICK_S)
        self.lagged_a2 += (square_a2 - self.lagged_a2) * (1.0 - exp(-since_s / PROBE_LAG_S))
        self._since_step_s += since_s
        self._short_a2 += (square_a2 - self._short_a2) * (1.0 - exp(-since_s / _SHORT_S))
        off_a2 = square_a2 - mean_a2
        self._elapsed_s += since_s
        self._variance += (off_a2 * off_a2 - self._variance) * (since_s / min(self._elapsed_s, _SPREAD_MEMORY_S))
        self.mean_a2 = mean_a2 + off_a2 * min(1.0, since_s / min(self._since_step_s, _LONGEST_MEAN_S))
        lasting = abs(self._short_a2 - self.mean_a2)
        if lasting > 2.0 * self.spread_a2 and lasting > 0.1 * max(self.mean_a2, self._short_a2) and lasting > 25.0:
            self._off_s += since_s
            if self._off_s >= _STEP_PATIENCE_S:
                self.mean_a2, self._since_step_s, self._off_s = self._short_a2, _SHORT_S, 0.0
        else:
            self._off_s = 0.0


class PackModel:
    """The constants of one pack."""

    __slots__ = (
        "_ambient_sum",
        "_config",
        "_followed_s",
        "_information",
        "_level_by_joule",
        "_p",
        "_slope_by_joule",
        "_slow",
        "_square_sum",
        "_start_c",
        "_theta",
        "_ticked_s",
    )

    def __init__(self, config: ThermalConfig, learned: tuple[float, ...]) -> None:
        self._config = config
        self._theta = list(learned) if len(learned) == 3 else [1.0, 1.0, 0.0]
        self._slow = SlowSlope()
        self._followed_s: float | None = None
        self._level_by_joule = self._slope_by_joule = 0.0
        self._information = 0.0
        self._p = [_COOLING_VAR, 0.0, _CONSTANT_VAR]
        self._start_c: float | None = None
        self._ticked_s = self._square_sum = self._ambient_sum = 0.0
        self._bound()

    @property
    def learned(self) -> tuple[float, float, float]:
        """What is worth keeping: heating and cooling in terms of the prior, and a constant in °C/min."""
        return self._theta[0], self._theta[1], self._theta[2]

    @property
    def joule_c_s_a2(self) -> float:
        """Heating by the square of the current."""
        return self._config.joule_prior_c_s_a2 * self._theta[0]

    @property
    def tau_s(self) -> float:
        """Time constant of the cooling."""
        return self._config.time_constant_s / self._theta[1]

    def _bound(self) -> None:
        prior_s = self._config.time_constant_s
        least = min(1.0, prior_s / _TAU_BOUNDS_S[1])
        most = max(1.0, prior_s / _TAU_BOUNDS_S[0])
        self._theta[0] = min(max(self._theta[0], _JOULE_BOUNDS[0]), _JOULE_BOUNDS[1])
        self._theta[1] = min(max(self._theta[1], least), most)

    def explained_c_s(self, level_c: float, square_a2: float, ambient_c: float | None) -> float:
        """Return the slope that load and room make."""
        cooling_c_s = 0.0 if ambient_c is None else (ambient_c - level_c) / self.tau_s
        return self.joule_c_s_a2 * square_a2 + cooling_c_s

    def learn_joule(
        self, level_c: float, square_a2: float, ambient_c: float | None, since_s: float, now_s: float, step_c: float
    ) -> None:
        """Learn the heating from the minutes in which the load swings.

        By the error of a prediction and by how it depends on the constant. Heat that comes and goes with the hours,
        such as that of the sun, doesn't speak here, and a load that is steady teaches nothing.
        """
        slow, followed_s, self._followed_s = self._slow, self._followed_s, now_s
        if followed_s is None or now_s - followed_s > SILENCE_S:
            slow.restart(level_c)
            self._level_by_joule = self._slope_by_joule = 0.0
            return
        explained_c_s = self.explained_c_s(slow.level_c, square_a2, ambient_c)
        error_c, level_gain, slope_gain = slow.step(
            level_c, now_s - followed_s, explained_c_s, step_c, self._config.slope_noise_c2_s3
        )
        if now_s - followed_s > _LONGEST_STEP_S:
            self._level_by_joule = self._slope_by_joule = 0.0
            return
        heat_c = self._config.joule_prior_c_s_a2 * square_a2
        by_joule = self._level_by_joule + (self._slope_by_joule + heat_c) * since_s
        self._level_by_joule = by_joule * (1.0 - level_gain)
        self._slope_by_joule -= by_joule * slope_gain
        self._information *= exp(-since_s / _JOULE_MEMORY_S)
        self._information += by_joule * by_joule / _ERROR_C2
        self._theta[0] += by_joule * error_c / _ERROR_C2 / (self._information + 1.0 / _JOULE_VAR)
        self._bound()

    def learn_cooling(
        self, level_c: float, square_a2: float, ambient_c: float | None, since_s: float, *, usual: bool
    ) -> None:
        """Learn from ten minutes what the room takes; what isn't `usual` (heater, gaps, anomalies) teaches nothing."""
        if not usual or ambient_c is None or since_s > _LONGEST_STEP_S:
            self._start_c = None
            return
        if self._start_c is None:
            self._start_c = level_c
            self._ticked_s = self._square_sum = self._ambient_sum = 0.0
            return
        self._ticked_s += since_s
        self._square_sum += square_a2 * since_s
        self._ambient_sum += (ambient_c - level_c) * since_s
        if self._ticked_s < _TICK_S:
            return
        per_min = 60.0 / self._ticked_s
        cooling = self._ambient_sum / self._config.time_constant_s * per_min
        heated_c_min = self.joule_c_s_a2 * self._square_sum * per_min
        error = (level_c - self._start_c) * per_min - heated_c_min - cooling * self._theta[1] - self._theta[2]
        self._start_c = None
        first, both, second = self._p
        spread_1, spread_2 = first * cooling + both, both * cooling + second
        total = _NOISE_C_MIN2 + cooling * spread_1 + spread_2
        self._theta[1] += spread_1 / total * error
        self._theta[2] += spread_2 / total * error
        self._p = [
            min((first - spread_1 * spread_1 / total) / _FORGET_PER_TICK, _COOLING_VAR),
            (both - spread_1 * spread_2 / total) / _FORGET_PER_TICK,
            min((second - spread_2 * spread_2 / total) / _FORGET_PER_TICK, _CONSTANT_VAR),
        ]
        self._bound()
