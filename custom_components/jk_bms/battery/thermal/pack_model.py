"""What heating does the load explain, what does the room take away, and what current will be drawn?

dT/dt = b·I² + (T_ambient - T)/τ. Both constants begin with what is usual and are learned by recursive least squares on
means of ten minutes, within bounds: sun and charging go together, and a free fit takes the one for the other.
"""

from __future__ import annotations

from math import exp
from typing import Final

_TICK_S: Final = 600.0
_FORGET_PER_TICK: Final = 1 - 1 / 432
"""Three days."""
_NOISE_C_MIN2: Final = 0.03**2
_PRIOR_VAR: Final = (0.15**2, 0.15**2, 0.02**2)
_JOULE_BOUNDS: Final = (0.5, 2.0)
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
        "_joule_prior",
        "_p",
        "_square_sum",
        "_start_c",
        "_tau_prior_s",
        "_theta",
        "_ticked_s",
        "joule_c_s_a2",
        "tau_s",
    )

    def __init__(self, joule_prior_c_s_a2: float, tau_prior_s: float, learned: tuple[float, ...]) -> None:
        self._joule_prior, self._tau_prior_s = joule_prior_c_s_a2, tau_prior_s
        self._theta = list(learned) if len(learned) == 3 else [1.0, 1.0, 0.0]
        self._p = [[_PRIOR_VAR[0], 0.0, 0.0], [0.0, _PRIOR_VAR[1], 0.0], [0.0, 0.0, _PRIOR_VAR[2]]]
        self._start_c: float | None = None
        self._ticked_s = self._square_sum = self._ambient_sum = 0.0
        self._bound()

    @property
    def learned(self) -> tuple[float, float, float]:
        """What is worth keeping: heating and cooling in terms of the prior, and a constant in °C/min."""
        return self._theta[0], self._theta[1], self._theta[2]

    def _bound(self) -> None:
        low, high = _JOULE_BOUNDS
        self._theta[0] = min(max(self._theta[0], low), high)
        self._theta[1] = min(
            max(self._theta[1], self._tau_prior_s / _TAU_BOUNDS_S[1]),
            self._tau_prior_s / min(self._tau_prior_s, _TAU_BOUNDS_S[0]),
        )
        self.joule_c_s_a2 = self._joule_prior * self._theta[0]
        self.tau_s = self._tau_prior_s / self._theta[1]

    def explained_c_s(self, level_c: float, square_a2: float, ambient_c: float | None) -> float:
        """Return the slope that load and room make."""
        cooling_c_s = 0.0 if ambient_c is None else (ambient_c - level_c) / self.tau_s
        return self.joule_c_s_a2 * square_a2 + cooling_c_s

    def learn(self, level_c: float, square_a2: float, ambient_c: float | None, since_s: float, *, usual: bool) -> None:
        """Take the median of the probes; what isn't `usual` (heater, gaps, anomalies) teaches nothing."""
        if not usual or ambient_c is None or since_s > 60.0:
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
        features = (
            self._joule_prior * self._square_sum * per_min,
            self._ambient_sum / self._tau_prior_s * per_min,
            1.0,
        )
        error = (level_c - self._start_c) * per_min - sum(f * t for f, t in zip(features, self._theta, strict=True))
        self._start_c = None
        p = self._p
        spread = [sum(p[row][column] * features[column] for column in range(3)) for row in range(3)]
        total = _NOISE_C_MIN2 + sum(f * s for f, s in zip(features, spread, strict=True))
        for row in range(3):
            self._theta[row] += spread[row] / total * error
            for column in range(3):
                p[row][column] = (p[row][column] - spread[row] * spread[column] / total) / _FORGET_PER_TICK
            p[row][row] = min(p[row][row], _PRIOR_VAR[row])
        self._bound()
