"""What is said of values that no temperature is: single ones, two in a row, and for an hour, on each probe?"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from typing import Final

from benchmarks.heat.course import Course
from benchmarks.heat.scenarios import Play, Scenario, with_probe
from custom_components.jk_bms.battery.thermal.config import ThermalConfig
from custom_components.jk_bms.battery.thermal.engine import ThermalEngine
from custom_components.jk_bms.battery.thermal.interface import ThermalSample

DURATION_S: Final = 3 * 3600
START_S: Final = 3600.0
PROBES: Final = 4
ALL: Final = -1
"""Instead of a probe: all of them at once."""
LENGTHS: Final = {"single": 1, "double": 2, "an hour": 720}
"""In frames of 5 s."""
REPORTED_WITHIN_MIN: Final = 10.0
CLEARED_WITHIN_MIN: Final = 5.0

type Wrong = Callable[[ThermalSample, float], float | None]


def _constant(value_c: float | None) -> Wrong:
    return lambda _sample, _true_c: value_c


GLITCHES: Final[dict[str, Wrong]] = {
    **{
        str(value_c): _constant(value_c)
        for value_c in (
            -273.1,
            -200.0,
            -127.0,
            -73.0,
            -40.0,
            -39.0,
            0.0,
            44.0,
            85.0,
            100.0,
            125.0,
            127.0,
            255.0,
            2550.0,
        )
    },
    "none": _constant(None),
    "100 - T": lambda _sample, true_c: round(100 - true_c, 1),
    "15 low": lambda _sample, true_c: round(true_c - 15, 1),
    "MOSFETs": lambda sample, _true_c: sample.mos_temperature_c,
}
BELOW_ZERO: Final = "100 - T"
"""What some boards say of cold cells."""
OF_ALL: Final = ("0.0", "15 low")
"""A frame that says nothing, and the wrong kind of probes: all of them at once."""
WRONG_KIND: Final = "15 low"
EXTRA: Final = "MOSFETs"
"""Repeated as a probe that isn't there, all along, while a load heats the MOSFETs."""


def _scenario(current: str, ambient_c: float) -> Scenario:
    return Scenario(
        "quiet", "glitch", "a room", DURATION_S, -1.0, 5.0, None,
        (current, f"c:{ambient_c}", "c:0", "c:0", "c:0", "c:0", "c:0"), 0, 8.0, (1, 5, 10, 14), "", {}, 0,
    )  # fmt: skip


_QUIET: Final = _scenario("c:50", 25)
_COLD: Final = _scenario("c:-5", -8)
_LOADED: Final = _scenario("s:0=0,3600=-150", 25)


@dataclass(frozen=True, slots=True)
class Glitched:
    """What became of one kind of wrong value."""

    value: str
    length: str
    probe: int
    highest: int
    causes: str
    reported_after_min: float | None
    cleared_after_min: float | None
    """Minutes after the end until no probe fault is reported; None where one still is, or never was."""


@cache
def _recorded(ambient: str) -> list[tuple[float, ThermalSample | None]]:
    scenario = {BELOW_ZERO: _COLD, EXTRA: _LOADED}.get(ambient, _QUIET)
    return [(moment.t_s, moment.sample) for moment in Play(scenario, 1, with_voltages=False).moments()]


def run(value: str, length: str, probe: int) -> Glitched:
    """Spoil one probe, or all, from the end of the first hour on."""
    course = Course(ThermalEngine(ThermalConfig()))
    wrong = GLITCHES[value]
    probes = range(PROBES) if probe == ALL else (probe,)
    end_s = START_S + LENGTHS[length] * 5.0
    for t, recorded in _recorded(value if value in {BELOW_ZERO, EXTRA} else ""):
        sample = recorded
        if value == EXTRA and sample is not None:
            sample = replace(sample, probes_c=(*sample.probes_c, sample.mos_temperature_c))
        elif START_S <= t < end_s and sample is not None:
            true_c = sample.probes_c
            for each in probes:
                sample = with_probe(sample, each, wrong(sample, true_c[each] or 0.0))
        course.take(sample, t)
    last_s = course.fault_last_s
    return Glitched(
        value,
        length,
        probe,
        course.highest,
        ", ".join(sorted(set(course.first_causes.values()))),
        None if course.fault_first_s is None else (course.fault_first_s - START_S) / 60,
        None if last_s is None or last_s > DURATION_S - 60 else max((last_s - end_s) / 60, 0.0),
    )


def cases() -> list[tuple[str, str, int]]:
    """Return every value with every length on every probe, and what befalls all probes."""
    return [
        *(
            (value, length, probe)
            for value in GLITCHES
            if value not in {WRONG_KIND, EXTRA}
            for length in LENGTHS
            for probe in range(PROBES)
        ),
        *((value, length, ALL) for value in OF_ALL for length in LENGTHS),
        (EXTRA, "an hour", ALL),
    ]
