"""Does it hold with other polls, fewer probes, a restart, a thermometer that is wrong, a heater nobody tells of?"""

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


def run(scenario: Scenario, variant: str) -> Varied:
    """Play a row under other circumstances, faults by their temperatures alone."""
    kind, _, rest = variant.partition(" ")
    poll_s = float(rest.split()[0]) if kind == "poll" else None
    probe_cells = PROBE_CELLS[int(kind)] if kind.isdigit() else None
    is_fault = scenario.kind == "fault"
    play = Play(scenario, SEED, poll_s=poll_s, probe_cells=probe_cells, with_voltages=not is_fault)
    onset_s = max(scenario.onset_s, 0.0)
    course = Course(ThermalEngine(ThermalConfig()), onset_s)
    result = Varied(scenario.name, variant)
    last_s = min(scenario.duration_s, onset_s + AFTER_S) if is_fault else scenario.duration_s
    level = 0
    restart_s = onset_s + RESTART_AFTER_S if kind == "restart," else float("inf")
    for moment in play.moments(last_s):
        t, sample = moment.t_s, moment.sample
        if is_fault and t < onset_s - BEFORE_S:
            continue
        if sample is not None and not is_fault:
            sample = replace(sample, cell_voltages_v=moment.cells_v)
        if t >= restart_s:
            restart_s = float("inf")
            result.level_before_restart = level
            kept = json.loads(json.dumps(course.engine.remember())) if rest == "remembered" else None
            course.engine = ThermalEngine(ThermalConfig(), kept)
        level = int(course.take(_changed(sample, variant), t).level or 0)
        if result.level_before_restart is not None and result.minutes_to_regain is None:
            if level >= result.level_before_restart:
                result.minutes_to_regain = (t - onset_s - RESTART_AFTER_S) / 60
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
