"""How soon is each scenario seen, how good are its forecasts, and what would an owner's own rules have said?"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from math import inf
from typing import Final

from benchmarks.heat.course import STOP, Course, minutes
from benchmarks.heat.forecasts import HORIZON_MIN, SETTLED_S, Score, minutes_until, score, straight_on
from benchmarks.heat.helpers import Episodes, Rule, Steep, rules
from benchmarks.heat.scenarios import Play, Scenario
from custom_components.jk_bms.battery.thermal.config import ThermalConfig
from custom_components.jk_bms.battery.thermal.engine import ThermalEngine
from custom_components.jk_bms.battery.thermal.interface import ThermalSample

THRESHOLDS_C: Final = (45.0, 50.0, 55.0, 60.0)
BANDS_MIN: Final = ((25.0, 35.0), (8.0, 12.0))
SETTLING_S: Final = 900.0
"""Alarms of the first minutes are not counted in rows without a fault."""
COOL_C: Final = 40.0
STEADY: Final = ("m01", "m02", "m03", "m04", "m05", "m07")
SWINGING: Final = "m06"
FORECASTING: Final = ("common", "benign", "never")
"""Kinds of rows whose forecasts are scored."""

MARKS_C: Final = {
    "ref_cell60_min": ("cells", 60.0),
    "ref_cell100_min": ("cells", 100.0),
    "ref_probe45_min": ("probes", 45.0),
    "ref_probe50_min": ("probes", 50.0),
    "ref_probe55_min": ("probes", 55.0),
    "ref_probe60_min": ("probes", 60.0),
}


@dataclass(slots=True)
class Result:
    """One scenario with one drawn pack."""

    name: str
    seed: int
    marks: dict[str, float] = field(default_factory=dict)
    """Minutes after the onset at which the model gets somewhere."""
    naive: dict[str, float] = field(default_factory=dict)
    """As the columns base_*: minutes for faults and common heating, alarms for the others."""
    delays_min: dict[int, float] = field(default_factory=dict)
    causes: dict[int, str] = field(default_factory=dict)
    sagging_delays_min: dict[int, float] = field(default_factory=dict)
    """With the voltages of the cells."""
    sagging_causes: dict[int, str] = field(default_factory=dict)
    highest: int = 0
    highest_local: int = 0
    highest_of_cells: int = 0
    highest_while_cool: int = 0
    """While the hottest probe was in truth below 40 °C."""
    before_onset: int = 0
    last: int = 0
    lowest_after_stop: int = 4
    """The lowest level since it was 3 for the first time."""
    unnamed: int = 0
    """Levels that were entered without their cause."""
    fault_after_min: float | None = None
    fault_until_s: float | None = None
    most_changes: int = 0
    largest_jump_min: float = 0.0
    """Of a forecast below an hour, from one frame to the next."""
    expected_55: int = 0
    """Frames of a settled forecast with 55 °C in it."""
    scores: dict[str, list[Score]] = field(default_factory=dict)
    """By method, one for each threshold."""
    lead_reference_min: float | None = None
    """Runaway, or the hottest cell at 60 °C."""


FORECASTERS: Final = {
    "base_derivative_raw_gt3": "two-point",
    "base_derivative5min_gt1": "derivative 5 min",
    "base_derivative10min_gt0.5": "derivative 10 min",
    "base_trend20_600s_gt0.5": "trend 20/600",
}
"""Whose slopes are taken to go on straight."""


def run(scenario: Scenario, seed: int, *, with_rules: bool) -> Result:
    """Play a row."""
    forecasting = scenario.kind in FORECASTING
    is_fault = scenario.kind == "fault"
    play = Play(scenario, seed)
    result = Result(scenario.name, seed)
    course = Course(ThermalEngine(ThermalConfig()), max(scenario.onset_s, 0.0))
    sagging = Course(ThermalEngine(ThermalConfig()), max(scenario.onset_s, 0.0)) if is_fault else None
    naive = rules() if with_rules else {}
    episodes = {name: Episodes() for name in naive}

    times_s: list[float] = []
    truth_c: list[float] = []
    said: dict[str, list[list[float | None]]] = {"ours": []}
    nothing: list[float | None] = [None] * len(THRESHOLDS_C)
    before: list[float | None] = nothing
    last_s = scenario.duration_s + HORIZON_MIN * 60 if forecasting else scenario.duration_s
    for moment in play.moments(last_s):
        t = moment.t_s
        _mark(result, scenario, moment.pack.cells_c, moment.pack.probes_c, moment.pack.running_away, t)
        times_s.append(t)
        truth_c.append(max(moment.pack.probes_c))
        if t >= scenario.duration_s:
            continue
        sample = moment.sample
        if sagging is not None:
            # Level 3 is the last whose delay counts; only of a probe that dies there is more to tell.
            if STOP in course.first_s and STOP in sagging.first_s and not scenario.loses_probe:
                if sample is not None:
                    _naive(naive, episodes, result, scenario, sample, t)
                continue
            sagging.take(None if sample is None else replace(sample, cell_voltages_v=moment.cells_v), t)
        elif sample is not None:
            sample = replace(sample, cell_voltages_v=moment.cells_v)
        assessment = course.take(sample, t)
        if truth_c[-1] < COOL_C:
            result.highest_while_cool = max(result.highest_while_cool, int(assessment.level or 0))
        if sample is None:
            for series in said.values():
                series.append(nothing)
            continue
        predicted = [minutes(assessment, threshold_c) for threshold_c in THRESHOLDS_C]
        _jump(result, before, predicted)
        if t >= scenario.lasting_changes_s[-1] + SETTLED_S:
            result.expected_55 += predicted[2] is not None and predicted[2] < inf
        before = predicted
        said["ours"].append(predicted)
        _naive(naive, episodes, result, scenario, sample, t)
        if forecasting:
            for name, rule in naive.items():
                if isinstance(rule, Steep):
                    straight: list[float | None] = [
                        straight_on(threshold_c, sample.probes_c, rule.slopes_c_min) for threshold_c in THRESHOLDS_C
                    ]
                    said.setdefault(FORECASTERS[name], [nothing] * (len(said["ours"]) - 1)).append(straight)

    if not is_fault and scenario.kind != "common":
        result.naive = {name: float(len(episode.starts_s)) for name, episode in episodes.items()}
    _conclude(result, course, sagging)
    if forecasting:
        for index, threshold_c in enumerate(THRESHOLDS_C):
            until = minutes_until(times_s, truth_c, threshold_c)
            for name, series in said.items():
                count = len(series)
                result.scores.setdefault(name, []).append(
                    score(
                        times_s[:count],
                        until[:count],
                        [values[index] for values in series],
                        scenario.lasting_changes_s,
                        BANDS_MIN,
                    )
                )
    return result


def _mark(
    result: Result, scenario: Scenario, cells_c: list[float], probes_c: list[float], running_away: bool, t: float
) -> None:
    after_min = max((t - scenario.onset_s) / 60, 0.0)
    if running_away:
        result.marks.setdefault("ref_runaway_min", after_min)
    hottest = {"cells": max(cells_c), "probes": max(probes_c)}
    for name, (where, threshold_c) in MARKS_C.items():
        if hottest[where] >= threshold_c:
            result.marks.setdefault(name, after_min)


def _naive(
    naive: dict[str, Rule],
    episodes: dict[str, Episodes],
    result: Result,
    scenario: Scenario,
    sample: ThermalSample,
    t: float,
) -> None:
    for name, rule in naive.items():
        on = rule.alarms(t, sample.probes_c)
        if on and t >= scenario.onset_s:
            result.naive.setdefault(name, (t - scenario.onset_s) / 60)
        if t >= SETTLING_S:
            episodes[name].take(t, on=on)


def _jump(result: Result, before: Iterable[float | None], now: Iterable[float | None]) -> None:
    for earlier, later in zip(before, now, strict=True):
        if earlier is not None and later is not None and min(earlier, later) < 60:
            result.largest_jump_min = max(
                result.largest_jump_min, abs(min(earlier, HORIZON_MIN) - min(later, HORIZON_MIN))
            )


def _conclude(result: Result, course: Course, sagging: Course | None) -> None:
    result.delays_min = {level: delay_s / 60 for level, delay_s in course.first_s.items()}
    result.causes = course.first_causes
    if sagging is not None:
        result.sagging_delays_min = {level: delay_s / 60 for level, delay_s in sagging.first_s.items()}
        result.sagging_causes = sagging.first_causes
        result.before_onset = max(course.before_onset, sagging.before_onset)
    result.highest, result.highest_local = course.highest, course.highest_local
    result.highest_of_cells = course.highest_of_cells
    result.unnamed = course.unnamed
    result.last, result.lowest_after_stop = course.level, course.lowest_after_stop
    result.most_changes = course.most_changes
    if course.fault_first_s is not None:
        result.fault_after_min = course.fault_first_s / 60
    result.fault_until_s = course.fault_last_s
    result.lead_reference_min = result.marks.get("ref_runaway_min", result.marks.get("ref_cell60_min"))
