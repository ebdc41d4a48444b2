"""Where will a temperature be, and when does it get to a threshold?

Heat approaches an end: T(t) = T_end + (T - T_end)·e^(-t/τ), with T_end = T + slope·τ. A straight line would cross
thresholds that never come.
"""

from __future__ import annotations

from math import exp, log


def ahead_c(level_c: float, slope_c_s: float, tau_s: float, horizon_s: float) -> float:
    """Return the temperature after `horizon_s`."""
    return level_c + slope_c_s * tau_s * (1.0 - exp(-horizon_s / tau_s))


def crossing_s(level_c: float, slope_c_s: float, tau_s: float, threshold_c: float) -> float | None:
    """Return the time until the threshold, 0 beyond it; None where it isn't expected at all."""
    missing_c = threshold_c - level_c
    if missing_c <= 0.0:
        return 0.0
    reach_c = slope_c_s * tau_s
    if reach_c <= missing_c:
        return None
    return -tau_s * log(1.0 - missing_c / reach_c)
