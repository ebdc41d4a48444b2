"""Does it hold with other polls, fewer probes, a restart, a thermometer that is wrong, a heater nobody tells of?

The rows themselves are polled each 5 s. Two polls a second are left out for common and harmless heat, and other numbers
of probes for common heat and glitches: everything but the years is to be done in five minutes.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import Final

from benchmarks.heat.course import Course
from benchmarks.heat.scenarios import Play, Scenario
from custom_components.jk_bms.battery.thermal.config import ThermalConfig
from custom_components.jk_bms.battery.thermal.engine import ThermalEngine
from custom_components.jk_bms.battery.thermal.interface import ThermalSample

POLLS_S: Final = (0.5, 1.0, 10.0, 30.0)
PROBE_CELLS: Final[dict[int, tuple[int, ...]]] = {1: (5,), 2: (5, 12), 3: (1, 5, 12), 5: (1, 5, 8, 10, 14)}
WRONG_BY_C: Final = 10.0
BEFORE_S, AFTER_S = 1800, 7200
"""Of a fault, what is played: half an hour before it and two hours of it at most."""
RESTART_AFTER_S: Final = 900.0
SEED: Final = 1


@dataclass(slots=True)
class Varied:
    """A row under other circumstances."""

    name: str
    variant: str
    delays_min: dict[int, float] = field(default_factory=dict)
    highest: int = 0
    highest_local: int = 0
    before_onset: int = 0
    level_before_restart: int | None = None
    minutes_to_regain: float | None = None
    """From a restart until the level from before it is there again."""


def variants(scenario: Scenario) -> list[str]:
    """Return the circumstances under which a row is played."""
    names = [f"poll {poll_s:g} s" for poll_s in POLLS_S if poll_s >= 1 or scenario.kind in {"fault", "glitch"}]
    if scenario.kind in {"fault", "benign"} and not scenario.corruption:
        names += [f"{count} probes" for count in PROBE_CELLS]
    if scenario.kind == "fault" and not scenario.corruption:
        names += ["restart, remembered", "restart, forgotten"]
    if scenario.kind in {"common", "benign", "never"}:
        names += ["no thermometer", "thermometer 10 low", "thermometer 10 high"]
    if "heater" in scenario.what:
        names.append("heater unknown")
    return names


def groups(scenario: Scenario) -> list[list[str]]:
    """Return the circumstances of a row, together what can be shown with one and the same play."""
    grouped: dict[tuple[float | None, tuple[int, ...] | None], list[str]] = {}
    for variant in variants(scenario):
        grouped.setdefault(_played(variant), []).append(variant)
    return list(grouped.values())


def _played(variant: str) -> tuple[float | None, tuple[int, ...] | None]:
    """Return the time between polls and the cells with probes, None where they are those of the row."""
    kind, _, rest = variant.partition(" ")
    return float(rest.split()[0]) if kind == "poll" else None, PROBE_CELLS[int(kind)] if kind.isdigit() else None


def run(scenario: Scenario, shown: list[str]) -> list[Varied]:
    """Play a row once under other circumstances that differ only in what is shown of it."""
    poll_s, probe_cells = _played(shown[0])
    is_fault = scenario.kind == "fault"
    play = Play(scenario, SEED, poll_s=poll_s, probe_cells=probe_cells, with_voltages=not is_fault)
    onset_s = max(scenario.onset_s, 0.0)
    views = [View(scenario, variant, onset_s) for variant in shown]
    last_s = min(scenario.duration_s, onset_s + AFTER_S) if is_fault else scenario.duration_s
    for moment in play.moments(last_s):
        if is_fault and moment.t_s < onset_s - BEFORE_S:
            continue
        sample = moment.sample
        # Faults are to be seen by their temperatures alone.
        if sample is not None and not is_fault:
            sample = replace(sample, cell_voltages_v=moment.cells_v)
        for view in views:
            view.take(sample, moment.t_s)
    return [view.result() for view in views]


class View:
    """What an engine is shown of a play."""

    def __init__(self, scenario: Scenario, variant: str, onset_s: float) -> None:
        self._variant = variant
        self._course = Course(ThermalEngine(ThermalConfig()), onset_s)
        self._result = Varied(scenario.name, variant)
        self._level = 0
        self._restarted_s = onset_s + RESTART_AFTER_S
        self._restarts = variant.startswith("restart")

    def take(self, sample: ThermalSample | None, t: float) -> None:
        """Take a frame, or None where it didn't come."""
        course, result = self._course, self._result
        if self._restarts and t >= self._restarted_s:
            self._restarts = False
            result.level_before_restart = self._level
            kept = json.loads(json.dumps(course.engine.remember())) if self._variant.endswith("remembered") else None
            course.engine = ThermalEngine(ThermalConfig(), kept)
        self._level = int(course.take(_changed(sample, self._variant), t).level or 0)
        if result.level_before_restart is not None and result.minutes_to_regain is None:
            if self._level >= result.level_before_restart:
                result.minutes_to_regain = (t - self._restarted_s) / 60

    def result(self) -> Varied:
        """Return what came of it."""
        course, result = self._course, self._result
        result.delays_min = {level: delay_s / 60 for level, delay_s in course.first_s.items()}
        result.highest, result.highest_local = course.highest, course.highest_local
        result.before_onset = course.before_onset
        return result


def _changed(sample: ThermalSample | None, variant: str) -> ThermalSample | None:
    if sample is None:
        return None
    match variant:
        case "no thermometer":
            return replace(sample, ambient_c=None)
        case "thermometer 10 low" if sample.ambient_c is not None:
            return replace(sample, ambient_c=sample.ambient_c - WRONG_BY_C)
        case "thermometer 10 high" if sample.ambient_c is not None:
            return replace(sample, ambient_c=sample.ambient_c + WRONG_BY_C)
        case "heater unknown":
            return replace(sample, heating=False)
    return sample
