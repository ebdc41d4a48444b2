"""What is said of real cells: crushed ones, ones in a calorimeter, healthy ones?

A folder holds tables with `t_s`, `temp_C`, `temp2_C` … and, where known, `current_A`, `ambient_C`, `cell_V`, in the
folders `abuse`, `arc` and `normal` or beside each other. Its cases.csv says what they are; where there is none, their
course does.
"""

from __future__ import annotations

import csv
import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from math import inf
from pathlib import Path
from random import Random
from statistics import median
from typing import Final

from benchmarks.heat.course import LEVELS, Course, minutes
from benchmarks.heat.detection import FORECASTERS, THRESHOLDS_C
from benchmarks.heat.forecasts import Score, minutes_until, score, straight_on
from benchmarks.heat.helpers import Steep, rules
from custom_components.jk_bms.battery.thermal.config import ThermalConfig
from custom_components.jk_bms.battery.thermal.engine import ThermalEngine
from custom_components.jk_bms.battery.thermal.interface import ThermalSample

QUIET_S: Final = 1800.0
RATES_S: Final = (1.0, 5.0, 30.0)
DRAWS: Final = 3
LOST_SHARE: Final = 0.02
NOISE_C: Final = 0.04
EARLY_S: Final = 15.0
AGAIN_S: Final = 1.0
"""A frame that is asked for; recordings have no finer steps."""
EMERGENCY_C: Final = 65.0
SECOND_C, SECOND_S = 1.5, 30.0
"""3 °C/min of another probe."""
EMPTIED_AH: Final = 10.0
SMALL_AH: Final = 40.0
"""Cells up to here are bare ones in a laboratory: they heat and cool within half an hour."""
RUNAWAY_C: Final = 200.0
SIX_MINUTES: Final = ((5.0, 7.0),)
NEVER_C: Final = 50.0
FIFTY: Final = THRESHOLDS_C.index(NEVER_C)
WITHIN_MIN: Final = 30.0
VIEWS: Final = {"near": ("temp5", "temp", "temp2", "temp3"), "far": ("temp", "temp2", "temp3", "temp4")}
_PROBE: Final = re.compile(r"(temp\d*)_C")


@dataclass(frozen=True, slots=True)
class Recording:
    """One table. Times are seconds from its start; None is what it doesn't have."""

    name: str
    kind: str
    chemistry: str
    """As the table says; may be empty."""
    capacity_ah: float | None
    is_runaway: bool
    onset_s: float | None
    collapse_s: float | None
    """The voltage falls below half of what it was: the moment of runaway."""
    fast_s: float | None
    """Three seconds at 1 °C/s."""
    times_s: tuple[float, ...]
    probes_c: dict[str, tuple[float | None, ...]]
    currents_a: tuple[float | None, ...]
    ambients_c: tuple[float | None, ...]
    cells_v: tuple[float | None, ...]

    @property
    def views(self) -> dict[str, tuple[str, ...]]:
        """Return which probes a board might have had."""
        if len(self.probes_c) == 1:
            return {"single": tuple(self.probes_c)}
        return {
            view: tuple(name for name in names if name in self.probes_c)
            for view, names in VIEWS.items()
            if names[0] in self.probes_c
        }

    @property
    def is_house_or_car(self) -> bool:
        """Whether it is healthy and no small cell that is emptied in minutes, as those of the size 18650 are."""
        return self.kind == "normal" and (self.chemistry == "LFP" or (self.capacity_ah or inf) > EMPTIED_AH)

    @property
    def has_current(self) -> bool:
        """Whether its current was recorded: of some cells in a laboratory and of an exported history it wasn't."""
        return any(current_a is not None for current_a in self.currents_a)

    @property
    def config(self) -> ThermalConfig:
        """Return what an owner would have set up."""
        if self.capacity_ah is None:
            return ThermalConfig()
        if self.capacity_ah > SMALL_AH:
            return ThermalConfig(capacity_ah=self.capacity_ah)
        return ThermalConfig(capacity_ah=self.capacity_ah, time_constant_s=1800.0, slope_noise_c2_s3=2e-8)


def read(folder: Path) -> list[Recording]:
    """Read every table of temperatures in a folder and in the folders in it; other tables are passed over.

    Raises ValueError that names the file if one holds what is no number.
    """
    cases: dict[str, dict[str, str]] = {}
    if (folder / "cases.csv").is_file():
        with (folder / "cases.csv").open(newline="", encoding="utf-8") as file:
            cases = {row["file"]: row for row in csv.DictReader(file)}
    paths = [path for path in sorted(folder.rglob("*.csv")) if path.name not in {"cases.csv", "scenarios.csv"}]
    read_ones = (_read(path, folder, cases.get(path.relative_to(folder).as_posix(), {})) for path in paths)
    return [recording for recording in read_ones if recording is not None]


def _number(text: str | None) -> float | None:
    return float(text) if text else None


def _read(path: Path, folder: Path, case: dict[str, str]) -> Recording | None:
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    if not rows or "t_s" not in rows[0]:
        return None
    names = {name: match[1] for name in rows[0] if (match := _PROBE.fullmatch(name)) and any(row[name] for row in rows)}
    if not names:
        return None

    def column(name: str) -> tuple[float | None, ...]:
        try:
            return tuple(_number(row.get(name)) for row in rows)
        except ValueError as error:
            raise ValueError(f"{path}, column {name}: {error}") from error

    times_s = tuple(float(row["t_s"]) for row in rows)
    probes_c = {short: column(name) for name, short in names.items()}
    cells_v = column("cell_V")
    hottest_c = max(value for values in probes_c.values() for value in values if value is not None)
    fast_s = _number(case.get("t_1Cps3s_s")) if case else fast_rise_s(times_s, probes_c)
    kind = path.parent.name if path.parent != folder else ""
    if kind not in {"abuse", "arc", "normal"}:
        kind = "normal" if fast_s is None else "abuse"
    return Recording(
        path.relative_to(folder).as_posix(),
        kind,
        case.get("chem", ""),
        _number(case.get("cap_Ah")),
        case["outcome"] == "thermal_runaway" if case else kind != "normal" and hottest_c > RUNAWAY_C,
        _number(case.get("t_onset_s")) if case else onset_s(times_s, probes_c),
        _number(case.get("t_V50pct_s")) if case else half_voltage_s(times_s, cells_v),
        fast_s,
        times_s,
        probes_c,
        column("current_A"),
        column("ambient_C"),
        cells_v,
    )


def start_c(times_s: tuple[float, ...], values_c: tuple[float | None, ...]) -> float:
    """Return the median of the first 30 s."""
    first = [value for t, value in zip(times_s, values_c, strict=True) if t - times_s[0] <= 30 and value is not None]
    return median(first) if first else next(value for value in values_c if value is not None)


def onset_s(times_s: tuple[float, ...], probes_c: dict[str, tuple[float | None, ...]]) -> float | None:
    """Return the first time from which some probe stays 1 °C above its start for 10 s."""
    onsets = []
    for values_c in probes_c.values():
        above_c = start_c(times_s, values_c) + 1
        since: float | None = None
        for t, value in zip(times_s, values_c, strict=True):
            if value is None or value <= above_c:
                since = None
                continue
            since = t if since is None else since
            if t - since >= 10:
                onsets.append(since)
                break
    return min(onsets, default=None)


def half_voltage_s(times_s: tuple[float, ...], cells_v: tuple[float | None, ...]) -> float | None:
    """Return the first time below half of the voltage at the start."""
    known = [(t, value) for t, value in zip(times_s, cells_v, strict=True) if value is not None]
    return next((t for t, value in known if value < known[0][1] / 2), None)


def fast_rise_s(times_s: tuple[float, ...], probes_c: dict[str, tuple[float | None, ...]]) -> float | None:
    """Return the first time at which some probe has risen by 3 °C or more within 3 s."""
    for index, t in enumerate(times_s):
        earlier = bisect_right(times_s, t - 3) - 1
        if earlier < 0:
            continue
        for values_c in probes_c.values():
            now, then = values_c[index], values_c[earlier]
            if now is not None and then is not None and now - then >= t - times_s[earlier] >= 3:
                return t
    return None


@dataclass(slots=True)
class Run:
    """One recording as one board would have seen it; times from the start of the recording."""

    name: str
    kind: str
    view: str
    rate_s: float
    with_voltage: bool
    is_runaway: bool
    onset_s: float | None
    collapse_s: float | None
    fast_s: float | None
    first_s: dict[int, float] = field(default_factory=dict)
    naive_s: dict[str, float] = field(default_factory=dict)
    highest: int = 0
    early: bool = False
    """It said something before anything happened."""
    seen: bool = False
    """A frame of the plain poll came between the onset and the collapse: no rule can do without."""
    alone: bool = False
    """Level 4 below 65 °C, with no second probe that rises."""


class Board:
    """What a board would have sent: half an hour of quiet, then the recording."""

    def __init__(self, recording: Recording, view: str, seed: str, *, with_voltage: bool) -> None:
        self._recording, self._names = recording, recording.views[view]
        self._random = Random(seed)
        self._quiet_c = [start_c(recording.times_s, recording.probes_c[name]) for name in self._names]
        self._first_v = next((value for value in recording.cells_v if value is not None), None)
        self._with_voltage = with_voltage and self._first_v is not None

    def polls(self, rate_s: float) -> Iterator[float]:
        """Yield the times of the frames, with any phase."""
        times_s = self._recording.times_s
        t = times_s[0] - QUIET_S + self._random.uniform(0, rate_s)
        while t <= times_s[-1]:
            yield t
            t += rate_s

    def frame(self, t: float) -> ThermalSample | None:
        """Return the frame of a time, None if it gets lost."""
        recording = self._recording
        if self._random.random() < LOST_SHARE:
            return None
        probes_c: tuple[float | None, ...]
        voltage_v = self._first_v
        if t < recording.times_s[0]:
            probes_c = tuple(round(value + self._random.gauss(0, NOISE_C), 1) for value in self._quiet_c)
        else:
            row = bisect_right(recording.times_s, t) - 1
            probes_c = tuple(recording.probes_c[name][row] for name in self._names)
            voltage_v = recording.cells_v[row]
        # Nobody charges a cell while it is crushed.
        return ThermalSample(probes_c, current_a=0.0, cell_voltages_v=(voltage_v,) if self._with_voltage else ())


def run(recording: Recording, view: str, rate_s: float, draw: int, *, with_voltage: bool) -> Run:
    """Show the engine a recording of abuse."""
    result = Run(
        recording.name,
        recording.kind,
        view,
        rate_s,
        with_voltage,
        recording.is_runaway,
        recording.onset_s,
        recording.collapse_s,
        recording.fast_s,
    )
    engine = ThermalEngine(recording.config)
    naive = rules()
    board = Board(recording, view, f"{recording.name} {view} {rate_s} {draw}", with_voltage=with_voltage)
    for poll_s in board.polls(rate_s):
        sample = board.frame(poll_s)
        if sample is not None and recording.onset_s is not None and recording.collapse_s is not None:
            result.seen = result.seen or recording.onset_s <= poll_s < recording.collapse_s
        asked = _take(engine, recording, sample, poll_s, result)
        # A link that polls slowly asks for another frame as long as something waits to be confirmed.
        t = poll_s + AGAIN_S
        while asked and t < poll_s + rate_s:
            asked = _take(engine, recording, board.frame(t), t, result)
            t += AGAIN_S
        if sample is not None and not with_voltage:
            for name, rule in naive.items():
                if rule.alarms(poll_s, sample.probes_c):
                    result.naive_s.setdefault(name, poll_s)
    return result


def _take(engine: ThermalEngine, recording: Recording, sample: ThermalSample | None, t: float, result: Run) -> bool:
    """Take a frame and return whether another one is wanted at once."""
    said = engine.step(sample, t)
    level = int(said.level or 0)
    result.highest = max(result.highest, level)
    if recording.onset_s is not None and level and t < recording.onset_s - EARLY_S:
        result.early = True
    if level == LEVELS[-1] and LEVELS[-1] not in result.first_s:
        rising = sum(rise >= SECOND_C for rise in _rises_c(recording, result.view, t))
        result.alone = (said.hottest_c or 0.0) < EMERGENCY_C and rising < 2
    for each in LEVELS:
        if level >= each:
            result.first_s.setdefault(each, t)
    return said.confirmation_wanted


def _rises_c(recording: Recording, view: str, t: float) -> Iterator[float]:
    """Yield by how much each probe has risen within half a minute."""
    now = bisect_right(recording.times_s, t) - 1
    then = max(bisect_right(recording.times_s, t - SECOND_S) - 1, 0)
    for name in recording.views[view]:
        column = recording.probes_c[name]
        yield (column[now] or 0.0) - (column[then] or 0.0)


@dataclass(slots=True)
class Healthy:
    """A recording of normal use or of a calorimeter, row by row."""

    name: str
    highest: int
    highest_local: int
    hours: float
    causes: dict[int, str]
    first_s: dict[int, float]
    naive: list[str]
    """Rules of owners that said something."""
    six_minutes: dict[str, list[Score]]
    """By method of forecasting."""
    never_s: float
    """Time with a forecast in a healthy LFP or car recording that never gets to 50 °C."""
    never_false_s: dict[str, float]
    """How much of it each method expected that within half an hour."""
    has_current: bool
    fast_s: float | None
    capacity_ah: float | None


def watch(recording: Recording) -> Healthy:
    """Show the engine a recording as it is."""
    course = Course(ThermalEngine(recording.config))
    times_s = recording.times_s
    columns = list(recording.probes_c.values())
    naive, alarmed = rules(), set[str]()
    said: dict[str, list[list[float | None]]] = {name: [] for name in ("ours", *FORECASTERS.values())}
    truth_c: list[float] = []
    last_c = 0.0
    for index, t in enumerate(times_s):
        probes_c = tuple(column[index] for column in columns)
        last_c = max((value for value in probes_c if value is not None), default=last_c)
        truth_c.append(last_c)
        assessment = course.take(
            ThermalSample(probes_c, current_a=recording.currents_a[index], ambient_c=recording.ambients_c[index]),
            t,
        )
        said["ours"].append([minutes(assessment, threshold_c) for threshold_c in THRESHOLDS_C])
        for name, rule in naive.items():
            if rule.alarms(t, probes_c):
                alarmed.add(name)
            if isinstance(rule, Steep):
                said[FORECASTERS[name]].append(
                    [straight_on(threshold_c, probes_c, rule.slopes_c_min) for threshold_c in THRESHOLDS_C]
                )
    scores: dict[str, list[Score]] = {name: [] for name in said}
    for index, threshold_c in enumerate(THRESHOLDS_C):
        until = minutes_until(times_s, truth_c, threshold_c)
        for name, series in said.items():
            values = [each[index] for each in series]
            scores[name].append(score(times_s, until, values, [times_s[0]], SIX_MINUTES))
    never_s, never_false_s = 0.0, dict.fromkeys(said, 0.0)
    if max(truth_c) < NEVER_C and recording.is_house_or_car:
        for row, (earlier_s, t) in enumerate(pairwise(times_s)):
            if said["ours"][row][FIFTY] is None:
                continue
            never_s += t - earlier_s
            for name, series in said.items():
                fifty_min = series[row][FIFTY]
                never_false_s[name] += (t - earlier_s) * (fifty_min is not None and fifty_min <= WITHIN_MIN)
    return Healthy(
        recording.name,
        course.highest,
        course.highest_local,
        (times_s[-1] - times_s[0]) / 3600,
        course.first_causes,
        course.first_s,
        sorted(alarmed),
        scores,
        never_s,
        never_false_s,
        recording.has_current,
        recording.fast_s,
        recording.capacity_ah,
    )
