"""How far off is a forecast, and how often does it say what never comes?

Everything is in minutes and ends at three hours: what is predicted or true beyond is the same as never.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import inf
from statistics import fmean
from typing import Final

HORIZON_MIN: Final = 180.0
SETTLED_S: Final = 300.0
"""Frames sooner after a lasting change of heat are not judged."""
FALSE_WITHIN_MIN: Final = 30.0
FALSE_BEYOND_MIN: Final = 90.0


def minutes_until(times_s: Sequence[float], truth_c: Sequence[float], threshold_c: float) -> list[float]:
    """Return for each time how long it takes from there: 0 at or above the threshold, infinite if it never comes."""
    crossing_s = inf
    minutes = [0.0] * len(times_s)
    for index in range(len(times_s) - 1, -1, -1):
        if truth_c[index] >= threshold_c:
            crossing_s = times_s[index]
        else:
            minutes[index] = (crossing_s - times_s[index]) / 60
    return minutes


@dataclass(slots=True)
class Score:
    """Errors of one threshold in one run."""

    errors_min: list[float] = field(default_factory=list)
    """Of the frames within each of the bands asked for, in their order."""
    counts: list[int] = field(default_factory=list)
    frames: int = 0
    """In which nothing was about to come."""
    false_frames: int = 0
    """Those of them that said something was."""


def score(
    times_s: Sequence[float],
    minutes: Sequence[float],
    predicted_min: Sequence[float | None],
    changes_s: Sequence[float],
    bands_min: Sequence[tuple[float, float]],
) -> Score:
    """Compare predictions, one for each time and infinite for never, with what came. None is left out.

    Left out, too, is what is no longer to be predicted, and the first minutes after a change.
    """
    errors: list[list[float]] = [[] for _ in bands_min]
    result = Score()
    changes = iter([*sorted(changes_s), inf])
    changed_s, next_change_s = -inf, next(changes)
    for t, true_min, prediction in zip(times_s, minutes, predicted_min, strict=True):
        while t >= next_change_s:
            changed_s, next_change_s = next_change_s, next(changes)
        if prediction is None or true_min == 0 or t - changed_s < SETTLED_S:
            continue
        for (low, high), band in zip(bands_min, errors, strict=True):
            if low <= true_min <= high:
                band.append(abs(min(prediction, HORIZON_MIN) - true_min))
        if true_min > FALSE_BEYOND_MIN:
            result.frames += 1
            result.false_frames += prediction <= FALSE_WITHIN_MIN
    result.errors_min = [fmean(band) if band else 0.0 for band in errors]
    result.counts = [len(band) for band in errors]
    return result


def mean_error(scores: Sequence[Score], band: int) -> float | None:
    """Return the mean over runs and thresholds, whatever the number of frames in each; None without any."""
    errors = [score.errors_min[band] for score in scores if score.counts[band]]
    return fmean(errors) if errors else None


def false_share(scores: Sequence[Score]) -> float | None:
    """Return the share of all judged time."""
    frames = sum(score.frames for score in scores)
    return sum(score.false_frames for score in scores) / frames if frames else None


def straight_on(
    threshold_c: float, temperatures_c: Sequence[float | None], slopes_c_min: Sequence[float | None]
) -> float:
    """Return the minutes until the first of several probes gets there if each goes on as it does."""
    soonest = inf
    for temperature_c, slope in zip(temperatures_c, slopes_c_min, strict=True):
        if temperature_c is not None and slope is not None and slope > 0:
            soonest = min(soonest, max(threshold_c - temperature_c, 0.0) / slope)
    return soonest
