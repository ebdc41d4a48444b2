"""Which numbers are held against which: every figure of the thermal benchmark beside its reference, must and aim."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import inf
from statistics import fmean, median
from typing import Any, Final

from benchmarks.heat import acting, detection, glitches, recordings, variants, year
from benchmarks.heat.course import LEVELS
from benchmarks.heat.forecasts import Score, false_share, mean_error
from benchmarks.heat.helpers import rules
from benchmarks.heat.scenarios import Scenario

ACTED: Final = ("m01", "m02", "m03", "m04", "m05", "m06", "m07", "f04", "f10", "f12")
"""Rows that are played with actions."""
DAYS_PER_YEAR: Final = 365
WITHIN_MIN: Final = {("f11", 1): 65.0, ("f12", 2): 7.0, ("f13", 3): 3.0, ("g10", 2): 11.0}
"""What the rows themselves ask for beyond the reference: minutes to a level. The gap of g10 ends after ten."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One number beside what it was for the reference, has to be, and should be."""

    section: str
    name: str
    ours: float | None
    reference: float | None = None
    must: float | None = None
    aim: float | None = None
    more_is_better: bool = field(default=False, kw_only=True)

    def meets(self, wanted: float | None) -> bool | None:
        """Return whether it is at least as good as wanted; None where nothing is."""
        if wanted is None:
            return None
        if self.ours is None:
            return False
        return self.ours >= wanted - 1e-9 if self.more_is_better else self.ours <= wanted + 1e-9


def median_or_never(values: Iterable[float | None]) -> float | None:
    """Return the median where never counts as infinite; None if that is the median."""
    middle = median(inf if value is None else value for value in values)
    return None if middle == inf else middle


def share(hits: Iterable[bool]) -> float | None:
    """Return per cent, None of nothing."""
    counted = list(hits)
    return 100 * sum(counted) / len(counted) if counted else None


# 10.1, 10.3 and the rows of 10.5


def of_model(results: Mapping[str, list[detection.Result]], rows: Sequence[Scenario]) -> dict[str, Any]:
    """Compare the model and the helpers with the columns of the table: medians over all packs."""
    compared: dict[str, dict[str, list[float | None]]] = {}
    off_pct: dict[str, list[float]] = {"model": [], "rules": []}
    for row in rows:
        for column, reference in row.reference.items():
            if column.startswith("ref_L"):
                continue
            values = [(result.marks | result.naive).get(column) for result in results[row.name]]
            ours = median_or_never(values) if values else None
            if reference or ours:
                compared.setdefault(row.name, {})[column] = [reference, None if ours is None else round(ours, 1)]
            if column == "base_derivative_raw_gt3":
                continue  # It goes by the noise of single samples.
            if reference and ours and row.kind in {"fault", "common"} and reference > 5:
                off_pct["rules" if column.startswith("base") else "model"].append(100 * abs(ours / reference - 1))
    return {
        "median_off_pct": {name: round(median(values), 2) for name, values in off_pct.items() if values},
        "worst_off_pct": {name: round(max(values), 1) for name, values in off_pct.items() if values},
        "rows": compared,
    }


def of_detection(results: Mapping[str, list[detection.Result]], rows: Sequence[Scenario]) -> list[Figure]:
    """Return 10.1."""
    figures, ratios = [], []
    for row in (row for row in rows if row.kind == "fault"):
        for level in LEVELS[:3]:
            reference = row.reference[f"ref_L{level}_min"]
            ours = median_or_never(result.delays_min.get(level) for result in results[row.name])
            if reference is None:
                continue
            within_min = min(1.25 * reference + 0.5, WITHIN_MIN.get((row.name, level), inf))
            figures.append(Figure("10.1", f"{row.name} level {level}", ours, reference, within_min))
            if row.name.startswith("f"):
                ratios.append((inf if ours is None else ours) / reference)
    if ratios:
        figures.append(Figure("10.1", "delays to reference, f01 to f13", fmean(ratios), 1.0, None, 0.85))
    for name, level, fixed_60_c, must, aim in (
        ("f04", 2, 53, None, 60),
        ("f07", 2, -14, 40, 40),
        ("f09", 2, 72, None, 110),
        ("f09", 3, 72, 100, None),
    ):
        if name in results:
            leads = [
                result.lead_reference_min - result.delays_min.get(level, inf)
                for result in results[name]
                if result.lead_reference_min is not None
            ]
            title = f"lead of level {level}, {name}"
            figures.append(Figure("10.1", title, median(leads), fixed_60_c, must, aim, more_is_better=True))
    if died := results.get("g11"):
        lowest = min(result.lowest_after_stop for result in died)
        figures.append(Figure("10.1", "g11 lowest level once it is 3", lowest, None, 3, more_is_better=True))
        figures.append(Figure("10.1", "g11 last level", min(r.last for r in died), None, 4, more_is_better=True))
    for row in (row for row in rows if row.kind == "fault" and row.is_short):
        for level in (2, 3):
            ours = median_or_never(result.sagging_delays_min.get(level) for result in results[row.name])
            wanted = 5.0 if (row.name, level) == ("f11", 3) else None
            figures.append(Figure("10.1", f"{row.name} level {level} with cell voltages", ours, None, None, wanted))
    early = sum(result.before_onset > 0 for row in rows if row.kind == "fault" for result in results[row.name])
    figures.append(Figure("10.1", "packs with a level before the fault", early, None, 0))
    unnamed = sum(result.unnamed for of_row in results.values() for result in of_row)
    figures.append(Figure("10.1", "levels that were entered before their cause was named", unnamed, None, 0))
    return figures + _of_common(results, rows) + _of_harmless(results, rows)


def _of_common(results: Mapping[str, list[detection.Result]], rows: Sequence[Scenario]) -> list[Figure]:
    figures = []
    for row in (row for row in rows if row.kind == "common"):
        of_row = results[row.name]
        figures.append(
            Figure("10.1", f"{row.name} highest level by one spot", max(r.highest_local for r in of_row), None, 0)
        )
        for level, wanted in ((1, 20), (2, 10)):
            leads = [
                r.marks["ref_probe55_min"] - r.delays_min.get(level, inf)
                for r in of_row
                if "ref_probe55_min" in r.marks
            ]
            if leads:
                name = f"{row.name} level {level} before 55 °C"
                figures.append(Figure("10.1", name, min(leads), None, wanted, None, more_is_better=True))
    return figures


def _of_harmless(results: Mapping[str, list[detection.Result]], rows: Sequence[Scenario]) -> list[Figure]:
    figures = []
    for row in (row for row in rows if row.kind in {"benign", "never", "glitch"}):
        glitch = row.kind == "glitch"
        section = "10.5" if glitch else "10.1"
        of_row = results[row.name]

        # Temperature and forecast may justify cooling in a hot room, and MOSFETs are limited by themselves.
        figures += [
            Figure(section, f"{row.name} highest level by one spot", max(r.highest_local for r in of_row), None, 0),
            Figure(section, f"{row.name} highest level", max(r.highest for r in of_row)),
        ]
        if glitch:
            wrong = max(r.highest_while_cool for r in of_row)
            figures.append(Figure(section, f"{row.name} highest level below 40 °C", wrong, None, 0))
        else:
            of_cells = max(r.highest_of_cells for r in of_row)
            allowed = row.max_level_allowed
            figures.append(Figure(section, f"{row.name} highest level, MOSFETs aside", of_cells, None, 1, allowed))
        if glitch:
            jump = max(r.largest_jump_min for r in of_row)
            figures.append(Figure(section, f"{row.name} largest jump of a forecast", jump, None, 2))
            faults = median_or_never(r.fault_after_min for r in of_row)
            figures.append(Figure(section, f"{row.name} first probe fault", faults))
        if row.kind == "never":
            expected = sum(r.expected_55 for r in of_row)
            figures.append(Figure(section, f"{row.name} frames that expect 55 °C", expected, None, 0))
    return figures


def of_forecasts(results: Mapping[str, list[detection.Result]]) -> list[Figure]:
    """Return the simulated part of 10.3, with what the helpers would have forecast."""

    def scores(method: str, names: Iterable[str]) -> list[Score]:
        return [score for name in names for r in results.get(name, []) for score in r.scores.get(method, [])]

    figures = []
    steady, swinging = detection.STEADY, (detection.SWINGING,)
    for name, rows, band, reference, must, aim in (
        ("steady heating, error at 30 min", steady, 0, 0.6, 1.8, 0.8),
        ("steady heating, error at 10 min", steady, 1, 0.2, 0.6, 0.3),
        ("swinging load, error at 30 min", swinging, 0, 13.0, 18.0, 10.0),
    ):
        figures.append(Figure("10.3", name, mean_error(scores("ours", rows), band), reference, must, aim))
        for method, theirs in HELPERS_10_3[name].items():
            figures.append(Figure("10.3", f"{name}: {method}", mean_error(scores(method, rows), band), theirs))
    figures += [Figure("10.3", f"{row} error at 30 min", mean_error(scores("ours", (row,)), 0)) for row in steady]
    shares = {method: false_share(scores(method, results)) for method in ("ours", *HELPERS_10_3["false forecasts, %"])}
    in_pct = {method: None if value is None else 100 * value for method, value in shares.items()}
    figures.append(Figure("10.3", "false forecasts, %", in_pct.pop("ours"), 0.06, 0.2, 0.05))
    for method, value in in_pct.items():
        theirs = HELPERS_10_3["false forecasts, %"][method]
        figures.append(Figure("10.3", f"false forecasts, %: {method}", value, theirs))
    return figures


HELPERS_10_3: Final[dict[str, dict[str, float | None]]] = {
    "steady heating, error at 30 min": {
        "two-point": 26, "derivative 5 min": 3.6, "derivative 10 min": 2.4, "trend 20/600": 2.5,
    },
    "steady heating, error at 10 min": {
        "two-point": 10, "derivative 5 min": 1.5, "derivative 10 min": 1.0, "trend 20/600": 0.9,
    },
    "swinging load, error at 30 min": {
        "two-point": 29, "derivative 5 min": 20, "derivative 10 min": 23, "trend 20/600": 24,
    },
    "false forecasts, %": {
        "two-point": 86, "derivative 5 min": 0.4, "derivative 10 min": 0.2, "trend 20/600": 0.2,
    },
}  # fmt: skip
"""What the reference found for the helpers."""
HELPERS_OF_RECORDINGS: Final = {
    "error at 6 min": {"two-point": 1.3, "derivative 5 min": 1.2, "derivative 10 min": 1.5, "trend 20/600": 1.2},
    "50 °C that never comes, %": {
        "two-point": 9.8, "derivative 5 min": 6.3, "derivative 10 min": 4.6, "trend 20/600": 5.6,
    },
}  # fmt: skip
HELPERS_A_YEAR: Final = {
    "base_fixed60": 118, "base_derivative5min_gt1": 350, "base_derivative10min_gt0.5": 410,
    "base_trend20_600s_gt0.5": 430, "base_derivative_raw_gt3": 800, "base_spread_gt5": 210,
}  # fmt: skip
"""False alarms on what a board sends, glitches included; the reference was not asked for `statistics`."""


# 10.2


def of_recordings(runs: Sequence[recordings.Run], watched: Sequence[recordings.Healthy]) -> list[Figure]:
    """Return 10.2 and the recorded parts of 10.3 and 10.4."""
    figures = []
    musts = {"near": {1.0: (100, 5), 5.0: (100, 8), 30.0: (90, 25)}, "single": {}, "far": {}}
    references = {1.0: (100, 80), 5.0: (86, 75), 30.0: (67, 42)}
    for view in ("near", "far", "single"):
        for rate_s in recordings.RATES_S:
            for with_voltage in (False, True):
                of_view = [
                    run
                    for run in runs
                    if (run.view, run.rate_s, run.with_voltage) == (view, rate_s, with_voltage)
                    and run.is_runaway
                    and run.collapse_s is not None
                ]
                if not of_view:
                    continue
                label = f"{view}, {rate_s:g} s{', voltage' if with_voltage else ''}"
                figures += _of_runaways(
                    label, of_view, musts[view].get(rate_s), references.get(rate_s) if view == "near" else None
                )
    for view in ("near", "far", "single"):
        shorted = [run for run in runs if run.view == view and not run.is_runaway and not run.with_voltage]
        if shorted:
            for rate_s in recordings.RATES_S:
                at_rate = [run for run in shorted if run.rate_s == rate_s]
                label = f"{view}, {rate_s:g} s, no runaway"
                reached = share(2 in run.first_s for run in at_rate)
                figures.append(Figure("10.2", f"{label}: level 2, %", reached, None, None, 100, more_is_better=True))
                figures.append(Figure("10.2", f"{label}: level 4, %", share(4 in run.first_s for run in at_rate)))
                alone = share(run.alone for run in at_rate)
                figures.append(Figure("10.2", f"{label}: level 4 below 65 °C by one probe, %", alone, None, None, 30))
    figures.append(Figure("10.2", "runs with an alarm before anything", sum(run.early for run in runs), None, 0))
    for healthy in watched:
        if healthy.fast_s is not None and healthy.name.startswith("arc"):
            first_s = healthy.first_s.get(4)
            lead = None if first_s is None else (healthy.fast_s - first_s) / 60
            figures.append(Figure("10.2", f"{healthy.name}: level 4 before runaway", lead))
    return figures + _of_healthy([healthy for healthy in watched if not healthy.name.startswith("arc")])


def _of_runaways(
    label: str,
    runs: Sequence[recordings.Run],
    must: tuple[float, float] | None,
    reference: tuple[float, float] | None,
) -> list[Figure]:
    pairs = [(run.first_s.get(3), run.collapse_s or 0.0, run.onset_s or 0.0) for run in runs]
    found = share(first_s is not None and first_s < collapse_s for first_s, collapse_s, _ in pairs)
    lead = [collapse_s - first_s for first_s, collapse_s, _ in pairs if first_s is not None and first_s < collapse_s]
    delay = median_or_never(None if first_s is None else first_s - onset_s for first_s, _, onset_s in pairs)
    far = label == "far, 1 s"
    figures = [
        Figure(
            "10.2", f"{label}: level 3 before collapse, %", found,
            reference and reference[0], must and must[0], 95 if far else None, more_is_better=True,
        ),
        Figure(
            "10.2", f"{label}: lead, s", median(lead) if lead else None,
            10 if far else reference and reference[1], None, 12 if far else None, more_is_better=True,
        ),
        Figure("10.2", f"{label}: delay, s", delay, None, must and must[1]),
        Figure("10.2", f"{label}: with any frame before collapse, %", share(run.seen for run in runs)),
    ]  # fmt: skip
    for name in ("base_fixed60", "base_derivative5min_gt1", "base_trend20_600s_gt0.5", "base_spread_gt5"):
        if any(run.naive_s for run in runs):
            theirs = share(run.naive_s.get(name, inf) < (run.collapse_s or 0.0) for run in runs)
            figures.append(Figure("10.2", f"{label}: {name} before collapse, %", theirs))
    return figures


def _of_healthy(watched: Sequence[recordings.Healthy]) -> list[Figure]:
    if not watched:
        return []
    # Cells of the size 18650 heat by 4 °C/min at three times their capacity, and nothing is wrong.
    fast = [h for h in watched if (h.capacity_ah or inf) < 5 and any(rate in h.name for rate in ("3c", "4c"))]

    def six(method: str) -> float | None:
        return mean_error([score for healthy in watched for score in healthy.six_minutes[method]], 0)

    def false_pct(method: str, of: Sequence[recordings.Healthy]) -> float | None:
        never_s = sum(healthy.never_s for healthy in of)
        return 100 * sum(healthy.never_false_s[method] for healthy in of) / never_s if never_s else None

    def hours(of: Sequence[recordings.Healthy]) -> str:
        return f"{sum(healthy.never_s for healthy in of) / 3600:.0f} h"

    known = [healthy for healthy in watched if healthy.has_current]
    never = "time that 50 °C is forecast and never comes, %"
    figures = [
        Figure("10.3", "real discharges, error at 6 min", six("ours"), 1.2, 1.5, 1.0),
        *(
            Figure("10.3", f"real discharges, error at 6 min: {method}", six(method), theirs)
            for method, theirs in HELPERS_OF_RECORDINGS["error at 6 min"].items()
        ),
        Figure("10.3", f"{never} of {hours(known)}", false_pct("ours", known), 0.8, 1.0, 0.2),
        Figure(
            "10.3", f"{never} of {hours(watched)}, current known or not", false_pct("ours", watched), 0.8, 1.0, 0.2
        ),
        *(
            Figure("10.3", f"{never}: {method}", false_pct(method, known), theirs)
            for method, theirs in HELPERS_OF_RECORDINGS["50 °C that never comes, %"].items()
        ),
        Figure("10.4", "healthy recordings at level 3 by one spot", sum(h.highest_local > 2 for h in watched), None, 0),
        Figure(
            "10.4", "healthy recordings at level 2 by one spot, 18650 at 3 C aside",
            sum(h.highest_local >= 2 and h not in fast for h in watched), None, 0,
        ),
        Figure("10.4", "healthy recordings at level 2 by anything", sum(h.highest >= 2 for h in watched)),
        Figure("10.4", "healthy recordings at level 3 by anything", sum(h.highest >= 3 for h in watched)),
        Figure(
            "10.4", f"healthy recordings at level 1 by one spot, of {len(watched)}",
            sum(h.highest_local >= 1 for h in watched), 11, 11, 4,
        ),
        *(
            Figure("10.4", f"healthy recordings with {name}, of {len(watched)}", sum(name in h.naive for h in watched))
            for name in rules()
        ),
    ]  # fmt: skip
    # What none of the recordings of a folder can tell isn't bad, it is nothing.
    return [figure for figure in figures if figure.ours is not None]


# 10.4 to 10.7


def of_years(blocks: Sequence[year.Block]) -> list[Figure]:
    """Return 10.4."""
    years = len(blocks) * year.DAYS / DAYS_PER_YEAR
    hours = sum(block.hours for block in blocks)

    def per_year(counts: Iterable[int]) -> float:
        return sum(counts) / years

    return [
        Figure("10.4", "pack-years", years),
        Figure("10.4", "level 1 by one spot, a year", per_year(b.local[1] for b in blocks), 2.7, 3.0, 1.0),
        Figure("10.4", "level 2 by one spot, a year", per_year(b.local[2] for b in blocks), 0.14, 0.2, 0.05),
        Figure("10.4", "level 3 by one spot, all", sum(b.local[3] for b in blocks), 0, 0),
        Figure("10.4", "level 1 by anything, a year", per_year(b.any[1] for b in blocks)),
        Figure("10.4", "level 2 by anything, a year", per_year(b.any[2] for b in blocks), None, 0.2, 0.05),
        Figure("10.4", "level 3 by anything, all", sum(b.any[3] for b in blocks), 0, 0),
        Figure("10.4", "level 4 by anything, all", sum(b.any[4] for b in blocks), 0, 0),
        Figure(
            "10.4", "time in level 1 by one spot, %", 100 * sum(b.local_s for b in blocks) / 3600 / hours, None, 0.1
        ),
        *(
            Figure("10.4", f"{name}, a year", per_year(b.naive[name] for b in blocks), HELPERS_A_YEAR.get(name))
            for name in rules()
        ),
    ]


def of_glitches(glitched: Sequence[glitches.Glitched]) -> list[Figure]:
    """Return 10.5 without its rows."""
    # All probes 15 °C lower might be a cold day; that isn't called a fault.
    lasting = [g for g in glitched if g.length == "an hour" and g.value not in {glitches.WRONG_KIND, glitches.EXTRA}]
    late = [g for g in lasting if g.reported_after_min is None or g.reported_after_min > glitches.REPORTED_WITHIN_MIN]
    uncleared = [g for g in lasting if g.cleared_after_min is None or g.cleared_after_min > glitches.CLEARED_WITHIN_MIN]
    return [
        Figure("10.5", f"wrong values with a level, of {len(glitched)}", sum(g.highest > 0 for g in glitched), None, 0),
        Figure("10.5", f"not reported in 10 min, of {len(lasting)}", len(late), None, 0),
        Figure("10.5", f"not cleared in 5 min, of {len(lasting)}", len(uncleared), None, 0),
    ]


def of_acting(outcomes: Sequence[acting.Outcome]) -> list[Figure]:
    """Return 10.6."""
    figures = []
    for name in ACTED:
        of_row = [outcome for outcome in outcomes if outcome.name == name]
        if not of_row:
            continue
        hottest = max(o.hottest_cell_c for o in of_row)
        common = name.startswith("m")
        figures.append(
            Figure("10.6", f"{name} hottest cell, °C", hottest, None, 60 if common else None, 55 if common else None)
        )
        if common:
            stopped = sum(o.charge_stopped_after_min is not None for o in of_row)
            figures.append(Figure("10.6", f"{name} packs whose charge was stopped", stopped, None, None, 0))
        if name == "f10":
            ends_well = sum(o.last_cell_c < 60 or o.last_level == 4 for o in of_row)
            title = "f10 packs below 60 °C or in level 4"
            figures.append(Figure("10.6", title, ends_well, None, len(of_row), more_is_better=True))
            stopped_c = max((o.probe_c_when_stopped or inf) for o in of_row)
            figures.append(Figure("10.6", "f10 hottest probe when charge stopped, °C", stopped_c, None, 45))
        if name == "f12":
            fallen = max(4 if (low := o.lowest_after_acknowledgement) is None else low for o in of_row)
            figures.append(Figure("10.6", "f12 lowest level after an acknowledgement", fallen, None, 2))
    figures.append(Figure("10.6", "fan starts in an hour", max(o.fan_starts_per_h for o in outcomes), None, 6))
    changes = max((o.most_changes for o in outcomes if o.name.startswith("m")), default=0)
    figures.append(Figure("10.6", "level changes in ten minutes, m01 to m07", changes, None, None, 2))
    return figures


def of_variants(varied: Sequence[variants.Varied], rows: Sequence[Scenario]) -> list[Figure]:
    """Return what other circumstances bring."""
    kinds = {row.name: row for row in rows}
    figures = []
    for variant in dict.fromkeys(v.variant for v in varied):
        of_variant = [v for v in varied if v.variant == variant]
        ratios = []
        for v in of_variant:
            row = kinds[v.name]
            for level in LEVELS[:3]:
                reference = row.reference[f"ref_L{level}_min"]
                if row.kind == "fault" and reference and reference < variants.AFTER_S / 60 / 1.5:
                    ratios.append(v.delays_min.get(level, variants.AFTER_S / 60) / reference)
        if ratios and not variant.startswith("restart"):
            figures.append(Figure("variants", f"{variant}: delays to reference", median(ratios)))
        harmless = [v for v in of_variant if kinds[v.name].kind != "fault"]
        if harmless:
            by_spot = sum(v.highest_local > 0 or (kinds[v.name].kind == "glitch" and v.highest > 0) for v in harmless)
            figures.append(Figure("variants", f"{variant}: wrong alarms in {len(harmless)} rows", by_spot, None, 0))
        regained = [v for v in of_variant if v.level_before_restart]
        if regained:
            lost = max(inf if v.minutes_to_regain is None else v.minutes_to_regain for v in regained)
            name = f"{variant}: minutes until the level is back, worst of {len(regained)}"
            figures.append(Figure("variants", name, lost))
    return figures


def of_cost(engine: Mapping[str, float], guardian: Mapping[str, Mapping[str, float]]) -> list[Figure]:
    """Return 10.7, of the heat engine alone and of the whole guardian."""
    figures = [
        Figure("10.7", "engine: µs a frame, median", engine["us_per_frame_median"], None, 100, 50),
        Figure("10.7", "engine: bytes of its numbers", engine["state_bytes_of_numbers"], None, 3000, 2000),
        Figure("10.7", "engine: bytes as objects of Python", engine["state_bytes"]),
    ]
    for pack, measured in guardian.items():
        name = f"guardian, {pack.replace('_', ' ')}"
        figures += [
            Figure("10.7", f"{name}: µs a frame, median", measured["us_per_frame_median"], None, 100),
            Figure("10.7", f"{name}: bytes of its numbers", measured["bytes_of_numbers"], None, 3000),
            Figure("10.7", f"{name}: bytes as objects of Python", measured["bytes_of_objects"]),
            Figure("10.7", f"{name}: bytes of numbers grown", measured["bytes_of_numbers_grown"], None, 0),
        ]
    return figures
