"""Delays, alarms and levels are counted as they are meant, whatever the engine is."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import inf
from typing import cast

import pytest

from benchmarks.heat.course import Course, minutes
from benchmarks.heat.figures import Figure, median_or_never, of_variants, share
from benchmarks.heat.scenarios import Scenario
from benchmarks.heat.variants import Varied
from benchmarks.heat.year import TenSeconds, surroundings
from custom_components.jk_bms.battery.thermal.engine import ThermalEngine
from custom_components.jk_bms.battery.thermal.interface import (
    Cause,
    Crossing,
    ThermalAssessment,
    ThermalCause,
    ThermalLevel,
    ThermalSample,
)
from simulator.thermal_pack import Surroundings, ThermalPack


@dataclass
class Said:
    """As much of an assessment as is counted."""

    level: ThermalLevel | None
    causes: tuple[ThermalCause, ...] = ()
    probe_faults: tuple[object, ...] = ()
    crossings: tuple[Crossing, ...] = ()


class Script:
    """An engine that says what it is told to."""

    def __init__(self, said: dict[float, Said]) -> None:
        self._said = said

    def step(self, _sample: ThermalSample | None, now_s: float) -> ThermalAssessment:
        return cast("ThermalAssessment", self._said.get(now_s, Said(ThermalLevel.NORMAL)))


def cause(kind: Cause, level: int) -> ThermalCause:
    return ThermalCause(kind, ThermalLevel(level), 0.0, None, None)


def course(said: dict[float, Said], onset_s: float = 100.0) -> Course:
    lived = Course(cast("ThermalEngine", Script(said)), onset_s)
    for t in range(0, 10_000, 10):
        lived.take(None, float(t))
    return lived


def test_a_delay_counts_from_the_onset_and_passes_all_levels_below() -> None:
    lived = course({160.0: Said(ThermalLevel(2)), 220.0: Said(ThermalLevel(4))})
    assert [lived.delay_min(level) for level in (1, 2, 3, 4)] == [1, 1, 2, 2]
    assert (lived.before_onset, lived.highest) == (0, 4)


def test_the_lowest_level_counts_from_the_first_stop_on() -> None:
    lived = course({160.0: Said(ThermalLevel(2))} | {float(t): Said(ThermalLevel(4)) for t in range(200, 10_000, 10)})
    assert (lived.lowest_after_stop, lived.level) == (4, 4)
    assert course({160.0: Said(ThermalLevel(3))}).lowest_after_stop == 0


def test_what_comes_before_the_onset_is_no_detection() -> None:
    lived = course({90.0: Said(ThermalLevel(3))})
    assert (lived.delay_min(1), lived.before_onset) == (None, 3)


def test_one_spot_is_told_from_all_the_rest() -> None:
    spot = Said(ThermalLevel(3), (cause(Cause.TEMPERATURE, 3), cause(Cause.DIFFERENCE, 1)))
    mosfets = Said(ThermalLevel(2), (cause(Cause.MOS_TEMPERATURE, 2),))
    lived = course({200.0: spot})
    assert (lived.highest, lived.highest_local, lived.highest_of_cells) == (3, 1, 3)
    lived = course({200.0: mosfets})
    assert (lived.highest, lived.highest_local, lived.highest_of_cells) == (2, 0, 0)


def test_a_level_without_its_cause_is_counted() -> None:
    named = Said(ThermalLevel(2), (cause(Cause.DIFFERENCE, 2),))
    assert course({200.0: named, 210.0: Said(ThermalLevel(2))}).unnamed == 0
    assert (
        course({200.0: Said(ThermalLevel(3), (cause(Cause.DIFFERENCE, 2),)), 400.0: Said(ThermalLevel(1))}).unnamed == 2
    )


def test_an_alarm_begins_anew_after_an_hour() -> None:
    spot = Said(ThermalLevel(1), (cause(Cause.DIFFERENCE, 1),))
    lived = course({200.0: spot, 300.0: spot, 3890.0: spot, 7500.0: spot})
    assert lived.local[1].starts_s == [200, 7500]
    assert lived.local[2].starts_s == []


def test_oscillation_is_the_most_changes_in_ten_minutes() -> None:
    high = Said(ThermalLevel(1))
    assert course({200.0: high, 400.0: high, 2000.0: high}).most_changes == 4


def test_a_forecast_of_never_is_infinite_and_none_is_none() -> None:
    said = Said(ThermalLevel(0), crossings=(Crossing(45, 12.0, 10.0, 14.0), Crossing(50, None, None, None)))
    assert [minutes(cast("ThermalAssessment", said), threshold) for threshold in (45, 50, 55)] == [12, inf, None]


def test_never_is_the_largest_of_a_median() -> None:
    assert median_or_never([1.0, None, 3.0]) == 3.0
    assert median_or_never([1.0, None, None]) is None
    assert share([True, False, False, False]) == 25
    assert share([]) is None


@pytest.mark.parametrize(
    ("ours", "more_is_better", "meets"),
    [(5.0, False, True), (5.1, False, False), (None, False, False), (5.0, True, True), (4.9, True, False)],
)
def test_meeting_what_is_wanted(ours: float | None, more_is_better: bool, meets: bool) -> None:
    figure = Figure("10.1", "x", ours, must=5.0, more_is_better=more_is_better)
    assert figure.meets(figure.must) is meets
    assert figure.meets(figure.aim) is None


def test_ten_seconds_at_once_are_ten_steps() -> None:
    probe_cells = (2, 7, 11, 15)
    quick, slow = TenSeconds(3, 10.0, probe_cells), ThermalPack(3, 10.0, probe_cells=probe_cells)
    for number, (_, lived) in enumerate(surroundings(1)):
        acting = lived if number % 50 else replace(lived, sun_w=90.0, heater_w=200.0, entropic_w_per_a=0.05)
        mosfet_c, probes_c = quick.step(acting)
        for _second in range(10):
            slow.step(acting)
        if number == 300:
            break
    assert [mosfet_c, *probes_c] == pytest.approx([slow.mosfet_c, *slow.probes_c], abs=1e-9)


def test_a_pack_that_heats_itself_is_not_lived_by_a_matrix() -> None:
    with pytest.raises(ValueError, match="heats itself"):
        TenSeconds(1, 71.0, (1,)).step(Surroundings())


def scenario(name: str, kind: str) -> Scenario:
    reference = dict.fromkeys(("ref_L1_min", "ref_L2_min", "ref_L3_min"))
    return Scenario(name, kind, "", 3600, -1.0, 5.0, None, ("c:0",) * 7, 0, 8.0, (1, 5), "", reference, 1)


@pytest.mark.parametrize(("kind", "wrong"), [("common", 1), ("benign", 1), ("never", 1), ("glitch", 2)])
def test_a_hot_spot_is_wrong_in_every_row_without_one(kind: str, wrong: int) -> None:
    """In rows of glitches any level is; what heats all cells may well be warned of."""
    varied = [
        Varied("spot", "poll 1 s", highest=2, highest_local=1),
        Varied("warm", "poll 1 s", highest=2),
        Varied("calm", "poll 1 s"),
    ]
    (figure,) = of_variants(varied, [scenario(name, kind) for name in ("spot", "warm", "calm")])
    assert (figure.ours, figure.must) == (wrong, 0)
