"""Slopes, differences, forecast, model, MOSFETs and unexplained heating, each by itself."""

from __future__ import annotations

from math import exp, inf, isclose, pi, sin
from random import Random

import pytest

from custom_components.jk_bms.battery.thermal.config import ThermalConfig
from custom_components.jk_bms.battery.thermal.difference import (
    Difference,
    Unlikeness,
    heater_factor,
    median,
    median_of_others,
)
from custom_components.jk_bms.battery.thermal.forecast import ahead_c, crossing_s
from custom_components.jk_bms.battery.thermal.mosfet import Mosfets
from custom_components.jk_bms.battery.thermal.pack_model import Load, PackModel
from custom_components.jk_bms.battery.thermal.probe import Probe
from custom_components.jk_bms.battery.thermal.slopes import FastSlope, SlowSlope
from custom_components.jk_bms.battery.thermal.unexplained import ALARM_C, UnexplainedHeating

PRIOR = 8.6e-8
NOISE_C2_S3 = 2e-11
TAU_S = 5.2 * 3600


@pytest.mark.parametrize("frame_s", [0.5, 1, 5, 10])
@pytest.mark.parametrize("slope_c_min", [-0.5, 0.0, 0.3, 3.0, 60.0])
def test_fast_slope_finds_a_straight_line(frame_s: float, slope_c_min: float) -> None:
    fast = FastSlope()
    for index in range(int(300 / frame_s)):
        fast.step(25 + slope_c_min / 60 * index * frame_s, frame_s if index else None)
    assert fast.slope_c_s * 60 == pytest.approx(slope_c_min, abs=0.01)


def test_fast_slope_says_how_far_above_the_expected_a_temperature_was() -> None:
    fast = FastSlope()
    fast.step(25.0, None)
    for _ in range(100):
        fast.step(25.0, 1.0)
    fast.step(25.5, 1.0)
    assert fast.error_c == pytest.approx(0.5)
    fast.jump(40.0, 0.0)
    assert fast.error_c == 0.0
    fast.step(40.5, 1.0)
    fast.step(45.0, 298.0)
    assert fast.error_c == 0.0


def test_fast_slope_after_silence_is_that_of_the_silence() -> None:
    fast = FastSlope()
    fast.step(25.0, None)
    fast.step(35.0, 200.0)
    assert (fast.level_c, fast.slope_c_s) == (35.0, 0.05)


def followed(*values_c: float, explained_c_s: float = 0.0, step_c: float = 0.1, frame_s: float = 5.0) -> SlowSlope:
    """Let a slow slope see values one after the other."""
    slow = SlowSlope()
    slow.restart(values_c[0])
    for value_c in values_c[1:]:
        slow.step(value_c, frame_s, explained_c_s, step_c, NOISE_C2_S3)
    return slow


@pytest.mark.parametrize("frame_s", [5, 10])
def test_slow_slope_is_exact_to_a_hundredth(frame_s: float) -> None:
    random = Random(1)
    slow = SlowSlope()
    slow.restart(25.0)
    errors = []
    for index in range(2000):
        value_c = round(25 + 0.2 / 60 * index * frame_s + random.gauss(0, 0.04), 1)
        slow.step(value_c, frame_s, 0.0, 0.1, NOISE_C2_S3)
        if index > 400:
            errors.append(slow.slope_c_s * 60 - 0.2)
    assert (sum(error**2 for error in errors) / len(errors)) ** 0.5 < 0.01
    assert slow.slope_sigma_c_s * 60 < 0.02
    assert slow.level_sigma_c < 0.07


def test_slow_slope_is_what_the_model_does_not_explain() -> None:
    slow = followed(*[25 + 0.3 / 60 * index * 5 for index in range(400)], explained_c_s=0.3 / 60)
    assert slow.slope_c_s == pytest.approx(0, abs=1e-6)


def test_slow_slope_follows_a_step_at_the_second_reading() -> None:
    assert followed(*[25.0] * 200, 27.0).level_c < 25.1
    assert followed(*[25.0] * 200, 27.0, 27.0).level_c > 26.9


def test_slow_slope_is_not_bent_by_whole_degrees() -> None:
    slow = followed(*[25.0] * 200, 26.0, 26.0, step_c=1.0)
    assert slow.level_c < 25.3
    assert slow.slope_c_s * 60 < 0.1


def probe_after(seconds: int) -> Probe:
    probe = Probe(None)
    for second in range(0, seconds, 5):
        probe.sum_c, probe.count = 25.0, 1
        assert probe.slow_step(float(second), 0.0, 0.0, 0.1, NOISE_C2_S3) == 25.0
    return probe


def test_slow_slopes_of_a_probe_are_ready_and_settled() -> None:
    probe = probe_after(180)
    assert not probe.ready(180.0)
    assert probe_after(190).ready(190.0)
    assert not probe.settled(590.0)
    assert probe.settled(600.0)


def test_slow_slopes_of_a_probe_begin_anew_after_silence() -> None:
    probe = probe_after(500)
    assert probe.ready(500.0)
    assert not probe.ready(1000.0)
    probe.sum_c, probe.count = 60.0, 2
    probe.slow_step(1000.0, 0.0, 0.0, 0.1, NOISE_C2_S3)
    assert (probe.slow.level_c, probe.steady.level_c) == (30.0, 30.0)
    assert not probe.ready(1000.0)
    assert not probe.settled(1000.0)


def test_medians() -> None:
    assert median([1.0, 2.0, 9.0]) == 2.0
    assert median([1.0, 2.0, 4.0, 9.0]) == 3.0
    assert median_of_others([1.0, 2.0, 9.0], 9.0) == 1.5


def judged(
    value_c: float,
    fast_c_min: float,
    seconds: float,
    *,
    factor: float = 1.0,
    allowed_c: float = 0.0,
    step_c: float = 0.1,
) -> tuple[int, int]:
    difference = Difference(0.0)
    level = (0, 0)
    for _ in range(int(seconds) + 1):
        difference.value_c = value_c
        level = difference.judge(fast_c_min / 60, 0.0, 1.0, factor=factor, allowed_c=allowed_c, step_c=step_c)
    return level


@pytest.mark.parametrize(
    ("value_c", "fast_c_min", "seconds", "expected"),
    [
        (0.99, 0.0, 600, (0, 0)),
        (1.01, 0.0, 50, (0, 0)),
        (1.01, 0.0, 60, (1, 0)),
        (1.01, -0.31, 600, (0, 0)),
        (2.01, 0.0, 60, (2, 0)),
        (4.01, 0.0, 30, (3, 0)),
        (0.0, 2.9, 600, (0, 0)),
        (0.0, 3.1, 20, (0, 2)),
        (0.0, 3.1, 15, (0, 0)),
        (0.0, 8.1, 4, (0, 3)),
    ],
)
def test_rows_of_the_table_of_differences(
    value_c: float, fast_c_min: float, seconds: float, expected: tuple[int, int]
) -> None:
    level, rate = judged(value_c, fast_c_min, seconds)
    assert (level, rate) == expected


def test_heater_doubles_the_thresholds() -> None:
    assert judged(1.9, 0.0, 600, factor=2.0)[0] == 0
    assert judged(2.1, 0.0, 600, factor=2.0)[0] == 1


@pytest.mark.parametrize(
    ("step_c", "value_c", "level"),
    [(0.4, 1.01, 1), (0.5, 1.24, 0), (0.5, 1.26, 1), (0.5, 2.01, 2), (1.0, 2.4, 0), (1.0, 2.6, 2), (1.0, 4.1, 3)],
)
def test_coarse_readings_widen_the_thresholds_to_two_and_a_half_steps(
    step_c: float, value_c: float, level: int
) -> None:
    assert judged(value_c, 0.0, 600, step_c=step_c)[0] == level


@pytest.mark.parametrize(
    ("hours", "factor"), [(0.0, 2.0), (1.0, 2.0), (3.5, 1.5), (6.0, 1.0), (100.0, 1.0), (inf, 1.0)]
)
def test_thresholds_come_back_while_the_pack_evens_out(hours: float, factor: float) -> None:
    assert heater_factor(hours * 3600) == pytest.approx(factor)


def test_what_healthy_cells_may_part_by_is_allowed_on_top() -> None:
    assert judged(1.9, 0.0, 600, allowed_c=1.0)[0] == 0
    assert judged(2.1, 0.0, 600, allowed_c=1.0)[0] == 1
    assert judged(4.9, 0.0, 600, allowed_c=1.0)[0] == 2


def unlike(minutes: float, *, heats_c_min: float, common_c_min: float, learned: bool = True) -> float:
    """Return what is allowed after some minutes of a load."""
    unlikeness = Unlikeness(learned=learned)
    for index in range(round(minutes * 12)):
        unlikeness.step(25.0 + common_c_min * index / 12, heats_c_min / 60, 5.0)
    return unlikeness.allowed_c


def test_a_load_parts_unlike_cells_until_it_has_become_a_habit() -> None:
    # 200 A in 280 Ah: 0.2 °C/min. x = 2·(e^(-t/120) - e^(-t/60)) of 12 °C is at its height after 83 minutes.
    assert unlike(10, heats_c_min=0.0, common_c_min=0.0) == 0.0
    assert unlike(83, heats_c_min=0.2, common_c_min=0.0) == pytest.approx(0.25 * 12 * 0.5, rel=0.02)
    assert unlike(600, heats_c_min=0.2, common_c_min=0.0) < 0.1
    assert unlike(83, heats_c_min=0.2, common_c_min=0.0, learned=False) < unlike(83, heats_c_min=0.2, common_c_min=0.0)


def test_a_warmer_pack_parts_unlike_cells_a_little() -> None:
    # 0.3 °C/min for two hours: 36 °C, of which the habit lags behind by 36·e^(-1) on the way to it.
    assert unlike(120, heats_c_min=0.0, common_c_min=0.3) == pytest.approx(0.02 * 36 * (1 - exp(-1)), rel=0.02)


def test_the_load_that_ends_parts_them_as_well() -> None:
    unlikeness = Unlikeness(learned=True)
    for _ in range(8640):
        unlikeness.step(25.0, 0.2 / 60, 5.0)
    for _ in range(996):
        unlikeness.step(25.0, 0.0, 5.0)
    assert unlikeness.allowed_c == pytest.approx(0.25 * 12 * 0.5, rel=0.05)


def test_the_further_above_the_sooner_but_never_in_one_frame() -> None:
    difference = Difference(0.0)
    difference.value_c = 30.0
    assert difference.judge(0.0, 0.0, 60.0, factor=1.0, allowed_c=0.0, step_c=0.1) == (0, 0)
    assert difference.judge(0.0, 0.0, 5.0, factor=1.0, allowed_c=0.0, step_c=0.1) == (3, 0)


def test_a_probe_that_leaves_the_others_is_ahead_of_its_time() -> None:
    difference = Difference(0.0)
    for _ in range(100):
        difference.value_c = 0.5
        level = difference.judge(0.1 / 60, 0.1 / 60, 1.0, factor=1.0, allowed_c=0.0, step_c=0.1)
    assert level[0] == 1


def test_a_probe_from_which_the_others_fall_away_is_not_ahead() -> None:
    difference = Difference(0.0)
    for _ in range(1000):
        difference.value_c = 0.5
        level = difference.judge(-0.28 / 60, 0.3 / 60, 1.0, factor=1.0, allowed_c=0.0, step_c=0.1)
    assert level[0] == 0


def test_long_second_level_is_counted() -> None:
    difference = Difference(0.0)
    for _ in range(700):
        difference.value_c = 2.5
        difference.judge(0.0, 0.0, 1.0, factor=1.0, allowed_c=0.0, step_c=0.1)
    assert difference.second_s > 600
    difference.value_c = 0.0
    for _ in range(200):
        difference.judge(0.0, 0.0, 1.0, factor=1.0, allowed_c=0.0, step_c=0.1)
    assert difference.second_s == 0


@pytest.mark.parametrize(
    ("learned_s", "heated_s", "suspicious", "memory_s"),
    [
        (0.0, inf, False, 200),
        (600.0, inf, False, 7200),
        (600.0, 0.0, False, 1800),
        (600.0, 7200.0, False, 3600),
        (600.0, 0.0, True, 43200),
    ],
)
def test_how_fast_a_habit_is_learned(learned_s: float, heated_s: float, memory_s: float, *, suspicious: bool) -> None:
    difference = Difference(0.0)
    difference.learned_s = learned_s
    difference.follow(1.0, 10.0, weight=1.0, heated_s=heated_s, suspicious=suspicious)
    assert difference.habit_c == pytest.approx(10 / memory_s)
    difference.follow(1.0, 100_000.0, weight=1.0, heated_s=heated_s, suspicious=suspicious)
    assert difference.habit_c is not None
    assert difference.habit_c <= 130 / memory_s + 1e-9


def test_what_has_no_habit_yet_learns_none() -> None:
    difference = Difference(None)
    difference.follow(1.0, 10.0, weight=1.0, heated_s=inf, suspicious=False)
    assert difference.habit_c is None


def test_approach_and_crossing_agree() -> None:
    at_s = crossing_s(30.0, 0.2 / 60, TAU_S, 45.0)
    assert at_s is not None
    assert isclose(ahead_c(30.0, 0.2 / 60, TAU_S, at_s), 45.0)
    assert crossing_s(30.0, 0.04 / 60, TAU_S, 45.0) is None
    assert crossing_s(30.0, 0.0, TAU_S, 45.0) is None
    assert crossing_s(45.0, -1.0, TAU_S, 45.0) == 0.0


def test_mean_load_follows_a_lasting_step_and_not_a_swing() -> None:
    load = Load()
    for _ in range(720):
        load.step(100.0, 5.0)
    for _ in range(60):
        load.step(20_000.0, 5.0)
    assert load.mean_a2 == pytest.approx(20_000, rel=0.05)
    swinging = Load()
    for second in range(0, 4 * 3600, 5):
        swinging.step((150 + 60 * sin(2 * pi * second / 1500)) ** 2, 5.0)
    assert swinging.mean_a2 == pytest.approx(150**2 + 60**2 / 2, rel=0.05)
    assert swinging.spread_a2 > 10_000


def heated(true_joule: float, prior: float, seconds: int) -> PackModel:
    """Learn from a pack whose current is switched every five minutes."""
    model = PackModel(ThermalConfig(joule_c_s_a2=prior), ())
    level_c = 25.0
    for index in range(seconds // 5):
        square_a2 = 150.0**2 if (index // 60) % 2 else 0.0
        level_c += 5.0 * (true_joule * square_a2 + (20.0 - level_c) / TAU_S)
        model.learn_joule(level_c, square_a2, 20.0, 5.0, index * 5.0, 0.1)
    return model


@pytest.mark.parametrize("share", [0.2, 0.6, 1.0, 1.6])
def test_heating_by_current_is_learned_from_swings(share: float) -> None:
    assert heated(share * PRIOR, PRIOR, 8 * 3600).joule_c_s_a2 == pytest.approx(share * PRIOR, rel=0.1)


def test_heating_by_current_stays_within_bounds() -> None:
    assert heated(5 * PRIOR, PRIOR, 8 * 3600).joule_c_s_a2 == pytest.approx(2 * PRIOR)


def test_steady_load_teaches_nothing_about_heating() -> None:
    model = PackModel(ThermalConfig(), ())
    level_c = 25.0
    for index in range(4000):
        level_c += 5.0 * 2 * PRIOR * 100.0**2
        model.learn_joule(level_c, 100.0**2, None, 5.0, index * 5.0, 0.1)
    assert model.joule_c_s_a2 == pytest.approx(PRIOR, rel=0.15)


def cooled(true_tau_s: float, *, usual: bool = True) -> PackModel:
    model = PackModel(ThermalConfig(), ())
    level_c = 30.0
    for index in range(20 * 17_280):
        ambient_c = 20.0 + 8 * sin(2 * pi * index / 17_280)
        level_c += (ambient_c - level_c) * (1 - exp(-5.0 / true_tau_s))
        model.learn_cooling(level_c, 0.0, ambient_c, 5.0, usual=usual)
    return model


@pytest.mark.parametrize("true_tau_s", [4 * 3600, 7 * 3600])
def test_cooling_is_learned(true_tau_s: float) -> None:
    assert cooled(true_tau_s).tau_s == pytest.approx(true_tau_s, rel=0.2)


def test_cooling_stays_within_bounds_and_is_not_learned_from_what_is_unusual() -> None:
    assert cooled(20 * 3600).tau_s == pytest.approx(8 * 3600)
    assert cooled(4 * 3600, usual=False).tau_s == pytest.approx(TAU_S)


def test_learned_constants_are_kept() -> None:
    model = heated(0.6 * PRIOR, PRIOR, 4 * 3600)
    assert PackModel(ThermalConfig(), model.learned).joule_c_s_a2 == model.joule_c_s_a2
    assert PackModel(ThermalConfig(), (1.0,)).joule_c_s_a2 == PRIOR


def test_unexplained_heating_adds_up_beyond_what_is_tolerated() -> None:
    heating = UnexplainedHeating()
    for second in range(0, 900, 5):
        heating.step(1.0, 5.0, float(second), disturbed=False)
    assert heating.sum_c == 0.0
    for second in range(900, 3600, 5):
        heating.step(0.22, 5.0, float(second), disturbed=False)
    assert heating.sum_c == pytest.approx(4.0)
    assert heating.sum_c > ALARM_C
    for second in range(3600, 7200, 5):
        heating.step(0.0, 5.0, float(second), disturbed=False)
    assert heating.sum_c == 0.0


def test_heater_and_gap_do_not_add_up() -> None:
    heating = UnexplainedHeating()
    for second in range(0, 7200, 5):
        heating.step(1.0, 5.0, float(second), disturbed=second % 600 == 0)
    assert heating.sum_c == 0.0


def test_mosfets_go_where_their_current_takes_them() -> None:
    mosfets = Mosfets(())
    mosfets.heat(0.0, 5.0)
    # 150 A: 1.5 mK/A² make 33.75 °C, of which 15 minutes of a lag of 400 s bring 89 %.
    assert mosfets.ahead_c(30.0, 150.0**2, 900.0) == pytest.approx(30 + 33.75 * (1 - exp(-900 / 400)))
    for _ in range(1000):
        mosfets.heat(150.0**2, 5.0)
    assert mosfets.ahead_c(63.75, 150.0**2, 900.0) == pytest.approx(63.75, abs=1e-3)


def test_mosfets_that_run_hotter_than_usual_are_cooled_poorly() -> None:
    mosfets = Mosfets((1.5e-3, 36_000.0))
    for _ in range(1000):
        mosfets.heat(150.0**2, 5.0)
        mosfets.step(25 + 33.75, 25.0, 5.0, loaded=True)
    assert not mosfets.poor
    for _ in range(119):
        mosfets.step(25 + 1.7 * 33.75, 25.0, 5.0, loaded=True)
    assert not mosfets.poor
    for _ in range(2):
        mosfets.step(25 + 1.7 * 33.75, 25.0, 5.0, loaded=True)
    assert mosfets.poor
    mosfets.step(25.0, 25.0, 5.0, loaded=False)
    assert not mosfets.poor


def test_a_board_with_small_heat_sinks_is_not_cooled_worse_than_usual() -> None:
    """Nobody knows what is usual before ten hours of load; what is learned until then is kept over a restart."""
    mosfets = Mosfets(())
    for second in range(0, 36_000, 5):
        if second == 18_000:
            mosfets = Mosfets(mosfets.learned)
        mosfets.heat(150.0**2, 5.0)
        mosfets.step(25 + 2 * 33.75, 25.0, 5.0, loaded=True)
        assert not mosfets.poor
    for _ in range(130):
        mosfets.heat(150.0**2, 5.0)
        mosfets.step(25 + 4 * 33.75, 25.0, 5.0, loaded=True)
    assert mosfets.poor


@pytest.mark.parametrize("learned", [(), (1e-3,), (0.0, 36_000.0), (-1e-3, 36_000.0), (1e-3, 2e3, 3.0)])
def test_what_is_no_heating_of_mosfets_is_not_remembered(learned: tuple[float, ...]) -> None:
    assert Mosfets(learned).learned == (1.5e-3, 0.0)
