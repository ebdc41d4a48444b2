"""What the engine says of a pack: the rows of chapters 3 and 4 of the guide."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from custom_components.jk_bms.battery.thermal.config import THRESHOLDS, ThermalConfig
from custom_components.jk_bms.battery.thermal.engine import ThermalEngine
from custom_components.jk_bms.battery.thermal.interface import (
    Cause,
    ProbeFaultReason,
    ThermalLevel,
    ThermalSample,
)
from custom_components.jk_bms.bms.telemetry import Chemistry

from .feeding import Pack, kinds

NORMAL, COOL, REDUCE, STOP, EMERGENCY = ThermalLevel


def quiet(**changes: Any) -> Pack:
    pack = Pack(**changes)
    pack.run(20)
    return pack


def test_quiet_pack_is_normal() -> None:
    pack = quiet()
    said = pack.run(60)
    assert said.level is NORMAL
    assert said.causes == ()
    assert said.hottest_c == pytest.approx(25.0, abs=0.1)
    assert said.predicted_c == pytest.approx(25.0, abs=0.5)
    assert [crossing.expected_min for crossing in said.crossings] == [None] * 4
    assert said.difference_c == pytest.approx(0, abs=0.1)
    assert said.probe_faults == ()
    assert said.blind_since_s is None


def test_nothing_is_known_before_the_first_temperature() -> None:
    pack = Pack()
    assert pack.frame(dict.fromkeys(range(4))).level is None
    assert pack.engine.step(None, pack.now_s + 1).level is None


@pytest.mark.parametrize(
    ("hot_c", "level"), [(42.5, NORMAL), (43.5, COOL), (48.5, REDUCE), (55.5, STOP), (65.5, EMERGENCY)]
)
def test_temperature(hot_c: float, level: ThermalLevel) -> None:
    pack = Pack(start_c=hot_c)
    said = pack.run(30)
    assert said.level is level
    assert kinds(said).get(Cause.TEMPERATURE, 0) == level


@pytest.mark.parametrize(
    ("chemistry", "level"), [(Chemistry.LI_ION, REDUCE), (Chemistry.LFP, COOL), (Chemistry.LTO, NORMAL)]
)
def test_chemistry_shifts_the_ladder(chemistry: Chemistry, level: ThermalLevel) -> None:
    pack = Pack(start_c=44.0, config=ThermalConfig(thresholds=THRESHOLDS[chemistry]))
    assert pack.run(30).level is level


@pytest.mark.parametrize(
    ("rise_c_min", "start_c", "level"), [(0.5, 32.0, COOL), (0.8, 36.0, REDUCE), (2.5, 46.0, STOP)]
)
def test_forecast(rise_c_min: float, start_c: float, level: ThermalLevel) -> None:
    pack = quiet(start_c=start_c - 5 * rise_c_min)
    said = pack.run(5, rise_c_min)
    assert kinds(said)[Cause.FORECAST] == level
    cause = next(cause for cause in said.causes if cause.cause is Cause.FORECAST)
    assert cause.slope_c_min == pytest.approx(rise_c_min, rel=0.1)
    assert said.heating_c_min == pytest.approx(rise_c_min, rel=0.1)


@pytest.mark.parametrize(
    ("rise_c_min", "now_c", "level"),
    [
        (0.5, 30.4, NORMAL),
        (0.5, 31.0, COOL),
        (0.5, 40.0, COOL),
        (0.5, 40.6, REDUCE),
        (1.0, 52.7, REDUCE),
        (1.0, 53.4, STOP),
    ],
)
def test_horizons_of_the_forecast(rise_c_min: float, now_c: float, level: ThermalLevel) -> None:
    """45 °C in 30 minutes, 50 in 20, 58 in 5: by 14.3, 9.7 and 5.0 °C more, as a pack gets there with 5.2 hours."""
    pack = quiet(start_c=now_c - 10 * rise_c_min)
    assert kinds(pack.run(10, rise_c_min)).get(Cause.FORECAST, NORMAL) == level


def test_load_that_has_ended_heats_no_more() -> None:
    pack = Pack(start_c=30.0)
    pack.others = replace(pack.others, current_a=200.0, ambient_c=25.0)
    heating = pack.run(30, 8.6e-8 * 200**2 * 60).crossings[0].expected_min
    assert heating is not None
    pack.others = replace(pack.others, current_a=0.0)
    paused = pack.run(0.9).crossings[0].expected_min
    assert paused is not None
    assert pack.run(0.5).crossings[0].expected_min is None
    pack.others = replace(pack.others, current_a=200.0)
    assert pack.run(0.5).crossings[0].expected_min is not None


def test_crossings_come_true_and_lie_within_their_band() -> None:
    pack = quiet()
    said = pack.run(30, 0.2)
    first = said.crossings[0]
    assert first.threshold_c == 45
    assert first.expected_min is not None
    assert first.earliest_min is not None
    # 31 °C, 14 °C to go at 0.2 °C a minute, bent by the approach to the end of an exponential of 5.2 hours.
    assert first.expected_min == pytest.approx(79, abs=3)
    assert first.earliest_min <= first.expected_min
    assert first.latest_min is None or first.latest_min >= first.expected_min


@pytest.mark.parametrize(("rise_c_min", "minutes", "level"), [(0.1, 12, COOL), (0.3, 8, REDUCE), (1.0, 6, STOP)])
def test_one_spot_heats(rise_c_min: float, minutes: float, level: ThermalLevel) -> None:
    pack = quiet()
    said = pack.run(minutes, {1: rise_c_min})
    assert said.level is not None
    assert said.level >= level
    cause = next(cause for cause in said.causes if cause.cause is Cause.DIFFERENCE)
    assert cause.probe == 1
    assert said.difference_probe == 1


@pytest.mark.parametrize("probes", [2, 3, 5])
def test_one_spot_heats_whatever_the_number_of_probes(probes: int) -> None:
    pack = quiet(probes=probes)
    assert Cause.DIFFERENCE in kinds(pack.run(8, {0: 0.4}))


def test_one_probe_has_no_difference_but_a_rate() -> None:
    pack = quiet(probes=1)
    said = pack.run(2, {0: 5.0})
    assert said.difference_c is None
    assert kinds(said)[Cause.FAST_RISE] == REDUCE


def test_common_heating_is_no_difference() -> None:
    pack = quiet()
    pack.run(60, 0.2)
    assert not any({Cause.DIFFERENCE, Cause.FAST_RISE} & set(kinds(said)) for said in pack.said)


def test_second_level_that_goes_on_rising_becomes_the_third() -> None:
    pack = quiet()
    pack.run(19, {1: 0.12})
    assert pack.said[-1].level is REDUCE
    assert pack.run(10, {1: 0.12}).level is STOP


def test_heater_doubles_the_thresholds() -> None:
    pack = quiet()
    pack.others = replace(pack.others, heating=True)
    assert Cause.DIFFERENCE not in kinds(pack.run(7, {1: 0.15}))


def unlike(current_a: float | None, common_c_min: float = 0.2) -> Pack:
    """Return a pack that warms for twenty minutes, as by a load of 200 A, one of its cells by 0.05 °C/min more."""
    pack = quiet()
    pack.others = replace(pack.others, current_a=current_a, ambient_c=25.0)
    pack.run(20, {probe: common_c_min + 0.05 * (probe == 1) for probe in range(4)})
    return pack


def test_the_same_difference_without_heat_is_one() -> None:
    assert Cause.DIFFERENCE in kinds(unlike(10.0, common_c_min=0.0).said[-1])


@pytest.mark.parametrize("current_a", [200.0, 10.0, None])
def test_unlike_cells_under_heat_are_no_difference(current_a: float | None) -> None:
    """Load heats them, or sun or a mat that nobody tells of, or nobody knows the current."""
    pack = unlike(current_a)
    assert not any(Cause.DIFFERENCE in kinds(said) for said in pack.said)
    assert pack.said[-1].difference_c == pytest.approx(1.0, abs=0.3)


def test_one_spot_is_seen_under_load() -> None:
    pack = quiet()
    pack.others = replace(pack.others, current_a=200.0)
    assert Cause.DIFFERENCE in kinds(pack.run(8, {0: 0.2, 1: 0.6, 2: 0.2, 3: 0.2}))


@pytest.mark.parametrize("wrong_a", [900.0, -9000.0, 1e9])
def test_one_wrong_current_explains_no_spot(wrong_a: float) -> None:
    pack = quiet()
    pack.others = replace(pack.others, current_a=wrong_a)
    pack.frame()
    pack.others = replace(pack.others, current_a=10.0)
    assert Cause.DIFFERENCE in kinds(pack.run(12, {1: 0.1}))


def test_fast_rise_stops_within_a_minute() -> None:
    pack = quiet(frame_s=0.5)
    said = pack.run(0.75, {1: 20.0})
    assert said.level is not None
    assert said.level >= STOP


def test_violent_rise_alone_stops_and_with_a_second_probe_is_an_emergency() -> None:
    pack = quiet(frame_s=1.0)
    assert pack.run(0.1, {1: 90.0}).level is STOP
    both = quiet(frame_s=1.0)
    assert both.run(0.3, {1: 90.0, 2: 60.0}).level is EMERGENCY


@pytest.mark.parametrize(("now_c", "level"), [(59.8, STOP), (62.0, EMERGENCY)])
def test_violent_rise_where_it_is_hot_is_an_emergency(now_c: float, level: ThermalLevel) -> None:
    """From 60 °C on, as two readings say it."""
    pack = quiet(frame_s=1.0, start_c=now_c - 9.0)
    assert kinds(pack.run(0.1, {1: 90.0}))[Cause.VIOLENT] == level


@pytest.mark.parametrize(("sag_v", "level"), [(0.0, STOP), (0.03, EMERGENCY)])
def test_violent_rise_with_a_sagging_cell_is_an_emergency(sag_v: float, level: ThermalLevel) -> None:
    pack = Pack(frame_s=1.0)
    sagging(pack, 0.0)
    pack.run(20)
    sagging(pack, sag_v)
    pack.run(0.5)
    assert kinds(pack.run(0.1, {1: 90.0}))[Cause.VIOLENT] == level


@pytest.mark.parametrize("cause", [Cause.SPIKE, Cause.VIOLENT])
def test_what_was_too_fast_counts_for_a_minute(cause: Cause) -> None:
    pack = quiet(frame_s=1.0)
    if cause is Cause.SPIKE:
        pack.levels_c[1] = 40.0
        pack.frame()
        pack.levels_c[1] = 45.0
    else:
        pack.run(0.1, {1: 90.0})
    assert cause in kinds(pack.run(0.9))
    assert cause not in kinds(pack.run(0.2))


def test_two_probes_at_level_3_of_which_one_is_fast_are_an_emergency() -> None:
    pack = quiet(frame_s=1.0)
    said = pack.run(1.5, {1: 12.0, 2: 12.0})
    assert kinds(said)[Cause.FAST_RISE] == EMERGENCY


def test_spike_is_confirmed_by_a_second_frame() -> None:
    pack = quiet()
    first = pack.frame({1: 40.0})
    assert first.level is NORMAL
    assert first.confirmation_wanted
    assert kinds(pack.frame({1: 45.0}))[Cause.SPIKE] == STOP


def test_surprise_is_no_level_but_is_looked_at_for_half_a_minute() -> None:
    pack = quiet(frame_s=30.0)
    assert not pack.said[-1].confirmation_wanted
    pack.levels_c[1] += 0.5
    said = pack.frame()
    assert said.confirmation_wanted
    assert said.level is NORMAL
    pack.frame_s = 1.0
    pack.run(0.4)
    assert pack.said[-1].confirmation_wanted
    pack.run(0.2)
    assert not pack.said[-1].confirmation_wanted
    pack.levels_c[1] -= 0.5
    assert not pack.frame().confirmation_wanted, "what cools is no surprise that matters"


def test_step_of_a_coarse_board_is_no_surprise() -> None:
    engine = ThermalEngine(ThermalConfig())
    for index in range(100):
        said = engine.step(ThermalSample((25.0, 25.0 + index // 50)), index * 30.0)
        assert index < 2 or not said.confirmation_wanted


def test_spike_is_confirmed_by_a_second_probe_in_the_same_frame() -> None:
    pack = quiet()
    said = pack.frame({1: 40.0, 2: 36.0})
    assert kinds(said)[Cause.SPIKE] == STOP
    assert not said.confirmation_wanted


def test_same_jump_of_several_probes_is_no_confirmation() -> None:
    pack = quiet()
    assert pack.frame({1: 44.0, 2: 44.0}).level is NORMAL


def test_unexplained_heating_of_the_whole_pack() -> None:
    pack = Pack()
    pack.others = replace(pack.others, current_a=0.0, ambient_c=25.0)
    pack.run(20)
    said = pack.run(25, 0.25)
    assert kinds(said)[Cause.UNEXPLAINED_HEATING] == COOL
    assert said.unexplained_c_min == pytest.approx(0.25, abs=0.05)


def test_heating_by_load_is_explained() -> None:
    pack = Pack()
    pack.others = replace(pack.others, current_a=200.0)
    pack.run(40, 8.6e-8 * 200**2 * 60)
    assert not any(Cause.UNEXPLAINED_HEATING in kinds(said) for said in pack.said)


def test_current_that_holds_the_pack_below_its_target() -> None:
    pack = Pack()
    pack.others = replace(pack.others, current_a=0.0, ambient_c=25.0)
    said = pack.run(10)
    # The root of (45 °C - 25 °C) / 5.2 h / b.
    assert said.hold_current_a == pytest.approx((20 / 18_720 / 8.6e-8) ** 0.5, rel=0.1)
    pack.others = replace(pack.others, ambient_c=50.0)
    assert pack.run(1).hold_current_a == 0.0


def test_current_that_holds_the_pack_needs_no_thermometer_in_the_room() -> None:
    """How fast the pack cools tells as much: at 35 °C in a room of 25 it loses what 67 A would heat."""
    pack = Pack(start_c=35.0)
    pack.others = replace(pack.others, current_a=0.0)
    said = pack.run(20, -10 / 18_720 * 60)
    assert said.hold_current_a == pytest.approx((20 / 18_720 / 8.6e-8) ** 0.5, rel=0.1)
    unknown = Pack()
    assert unknown.run(1).hold_current_a is None, "too early to tell"


def test_spread_is_the_backstop_of_the_first_day() -> None:
    pack = Pack()
    pack.frame_s = 30.0
    pack.levels_c[2] += 10
    said = pack.run(23.9 * 60)
    assert kinds(said) == {Cause.SPREAD: COOL}
    assert kinds(pack.run(0.2 * 60)) == {}


def test_one_frame_after_a_gap_is_no_spread() -> None:
    pack = Pack(probes=2)
    pack.levels_c[0] += 2
    pack.run(5)
    pack.now_s += 700
    pack.levels_c[0] += 8
    assert Cause.SPREAD not in kinds(pack.frame())


def test_great_spread_reduces() -> None:
    pack = Pack()
    pack.levels_c[2] += 16
    assert kinds(pack.run(15))[Cause.SPREAD] == REDUCE


@pytest.mark.parametrize(("mos_c", "level"), [(87.0, NORMAL), (88.5, REDUCE)])
def test_mosfet_temperature(mos_c: float, level: ThermalLevel) -> None:
    pack = Pack()
    pack.others = replace(pack.others, mos_temperature_c=mos_c)
    said = pack.run(5)
    assert said.level is level
    assert kinds(said).get(Cause.MOS_TEMPERATURE, 0) == level


def test_mosfet_forecast() -> None:
    pack = Pack()
    pack.others = replace(pack.others, mos_temperature_c=70.0, current_a=0.0)
    pack.run(20)
    pack.others = replace(pack.others, current_a=200.0)
    assert kinds(pack.run(4))[Cause.MOS_FORECAST] == COOL


def test_hot_mosfets_count_while_no_probe_does() -> None:
    pack = Pack()
    pack.run(2)
    pack.levels_c.clear()
    pack.others = replace(pack.others, mos_temperature_c=89.0)
    assert pack.run(1).level is REDUCE
    pack.others = replace(pack.others, mos_temperature_c=30.0)
    assert pack.run(8).level is REDUCE, "nobody knows whether it has become cool"


def test_mosfets_are_left_out_where_their_limit_is_unknown() -> None:
    pack = Pack(config=ThermalConfig(mos_limit_c=None))
    pack.others = replace(pack.others, mos_temperature_c=95.0)
    assert pack.run(5).level is NORMAL


def sagging(pack: Pack, sag_v: float) -> None:
    cells_v = [3.3] * 16
    cells_v[7] -= sag_v
    pack.others = replace(pack.others, current_a=0.0, cell_voltages_v=tuple(cells_v))


def test_sag_alone_cools_and_with_a_warm_spot_stops() -> None:
    pack = Pack()
    sagging(pack, 0.0)
    pack.run(20)
    sagging(pack, 0.03)
    said = pack.run(3)
    assert kinds(said) == {Cause.CELL_SAG: COOL}
    assert said.sag_mv == pytest.approx(30, abs=2)
    assert said.sag_cell == 7
    assert kinds(pack.run(10, {1: 0.15}))[Cause.CELL_SAG] == STOP


def test_short_at_rest_stops_within_five_minutes_wherever_the_probes_are() -> None:
    pack = Pack()
    sagging(pack, 0.0)
    pack.run(20)
    for minute in range(5):
        sagging(pack, 0.035 + 0.01 * minute)
        said = pack.run(1)
    assert said.level is STOP
    assert said.acknowledgement_wanted


def test_hot_spot_and_sag_are_an_emergency() -> None:
    pack = Pack()
    sagging(pack, 0.0)
    pack.run(20)
    sagging(pack, 0.03)
    assert pack.run(8, {1: 1.0}).level is EMERGENCY


def test_sag_confirms_a_jump_in_the_same_frame() -> None:
    pack = Pack()
    sagging(pack, 0.0)
    pack.run(20)
    sagging(pack, 0.03)
    pack.run(1)
    assert kinds(pack.frame({1: 40.0}))[Cause.SPIKE] == STOP


def test_probe_that_dies_while_rising_stops_and_in_level_3_is_an_emergency() -> None:
    pack = quiet(frame_s=1.0)
    pack.run(0.62, {1: 7.0})
    assert pack.said[-1].level is not STOP
    said = pack.run(0.5, wrong=lambda _: {1: -200.0})
    assert kinds(said)[Cause.PROBE_LOST] == STOP
    assert said.level is STOP
    assert Cause.PROBE_LOST in kinds(pack.run(9, wrong=lambda _: {1: -200.0}))
    assert Cause.PROBE_LOST not in kinds(pack.run(1, wrong=lambda _: {1: -200.0}))
    dying = quiet(frame_s=1.0)
    dying.run(1.0, {1: 15.0})
    assert dying.said[-1].level is STOP
    assert dying.run(0.5, wrong=lambda _: {1: None}).level is EMERGENCY


def test_probe_that_dies_between_two_visits_is_asked_again_at_once() -> None:
    pack = quiet(frame_s=0.5)
    pack.run(1.0, {1: 15.0})
    assert pack.said[-1].level is STOP
    pack.now_s += 600
    for asked in (True, True, False):
        said = pack.frame({1: None})
        assert said.confirmation_wanted is asked
    assert said.level is EMERGENCY


@pytest.mark.parametrize("probes", [1, 2])
def test_the_only_probes_that_die_while_rising_stop_too(probes: int) -> None:
    pack = quiet(frame_s=1.0, probes=probes)
    pack.run(0.62, 7.0)
    assert pack.said[-1].level is not STOP
    said = pack.run(0.5, wrong=lambda _: dict.fromkeys(range(probes)))
    assert kinds(said)[Cause.PROBE_LOST] == STOP
    assert said.level is STOP


def test_the_only_probes_that_are_away_for_a_moment_are_no_rise() -> None:
    pack = quiet(frame_s=1.0, probes=2)
    pack.run(0.62, 7.0)
    pack.run(0.1, wrong=lambda _: dict.fromkeys(range(2), 0.0))
    assert Cause.PROBE_LOST not in {cause for said in pack.said for cause in kinds(said)}
    assert Cause.PROBE_LOST not in kinds(pack.run(0.5))


def test_probe_that_dies_after_an_unconfirmed_jump_counts_as_risen() -> None:
    pack = quiet()
    pack.frame({1: 60.0})
    assert kinds(pack.run(0.5, wrong=lambda _: {1: None}))[Cause.PROBE_LOST] == STOP


def test_probe_that_dies_quietly_is_a_fault() -> None:
    pack = quiet()
    said = pack.run(10, wrong=lambda _: {1: None})
    assert said.level is NORMAL
    assert [(fault.probe, fault.reason) for fault in said.probe_faults] == [(1, ProbeFaultReason.SILENT)]


@pytest.mark.parametrize("probes", [2, 3, 4])
def test_probe_that_stands_still_while_the_others_warm_is_a_fault_before_they_are_a_difference(probes: int) -> None:
    pack = quiet(probes=probes)
    said = pack.run(60, 0.02, wrong=lambda _: {1: 25.0})
    assert [(fault.probe, fault.reason) for fault in said.probe_faults] == [(1, ProbeFaultReason.STUCK)]
    pack.run(60, 0.02, wrong=lambda _: {1: 25.0})
    assert pack.highest() == NORMAL


def test_constant_instead_of_a_probe_that_dies_is_no_rise() -> None:
    pack = quiet()
    pack.run(1, wrong=lambda _: {1: 44.0})
    assert pack.run(10, wrong=lambda _: {1: None}).level is NORMAL


def test_gap_holds_then_is_unknown_and_raises_nothing() -> None:
    pack = quiet(start_c=44.0)
    last_s = pack.now_s
    assert pack.silence(0.5).blind_since_s is None
    blind = pack.silence(1.0)
    assert (blind.level, blind.blind_since_s) == (COOL, last_s)
    assert blind.crossings == ()
    assert pack.silence(10).level is None
    pack.levels_c = [40.0] * 4
    pack.run(1)
    assert pack.highest() == COOL


def test_a_lost_frame_changes_nothing_that_is_done_about_it() -> None:
    pack = quiet(start_c=44.0)
    pack.others = replace(pack.others, ambient_c=30.0)
    before = pack.run(1)
    assert before.cooling_helps
    for lost in range(1, 20):
        said = pack.engine.step(None, pack.now_s + 3 * lost)
        assert (said.hottest_c, said.cooling_helps) == (before.hottest_c, True)
        assert (said.difference_c, said.difference_probe) == (before.difference_c, before.difference_probe)
    blind = pack.engine.step(None, pack.now_s + 61)
    assert (blind.hottest_c, blind.cooling_helps, blind.difference_c) == (None, False, None)
    assert blind.level is COOL
    again = pack.engine.step(pack.sample(), pack.now_s + 62)
    assert again.hottest_c == pytest.approx(44.0, abs=0.2)
    # Where the room is as warm, it doesn't help with the next lost frame either.
    warm = quiet(start_c=44.0)
    warm.others = replace(warm.others, ambient_c=43.0)
    warm.run(1)
    assert not warm.engine.step(None, warm.now_s + 5).cooling_helps


def test_short_that_begins_in_a_gap_is_seen_within_a_minute_after_it() -> None:
    pack = quiet()
    pack.now_s += 1200
    pack.levels_c[1] += 20
    assert pack.run(1).level in {REDUCE, STOP}


def test_restart_in_the_middle_of_a_fault() -> None:
    pack = quiet()
    pack.run(10, {1: 0.3})
    remembered = json.loads(json.dumps(pack.engine.remember()))
    again = Pack(remembered=remembered)
    again.levels_c = pack.levels_c
    said = again.run(2)
    assert said.level is not None
    assert said.level >= REDUCE
    assert said.difference_c == pytest.approx(pack.said[-1].difference_c, abs=0.2)


def test_what_is_too_young_is_not_remembered() -> None:
    pack = Pack(remembered={"habits_c": [1.0, 0.0, 0.0, 0.0]})
    pack.run(1)
    habits_c = pack.engine.remember()["habits_c"]
    assert habits_c[0] == pytest.approx(1.0, abs=0.01)
    young = Pack()
    young.run(1)
    assert young.engine.remember()["habits_c"] == [None] * 4


def test_each_probe_is_remembered_by_itself() -> None:
    pack = Pack()
    pack.levels_c[1] += 2.0
    pack.run(30, wrong=lambda _: {2: 0.0, 3: None})
    stored = json.loads(json.dumps(pack.engine.remember()))
    assert stored["habits_c"] == [pytest.approx(-1.0, abs=0.1), pytest.approx(1.0, abs=0.1), None, None]
    again = Pack(remembered=stored)
    again.levels_c = [25.0, 28.5, 25.0, 25.0]
    again.run(1, wrong=lambda _: {2: 0.0, 3: None})
    assert again.said[-1].difference_c == pytest.approx(1.5, abs=0.2)
    again.run(5)
    assert again.engine.remember()["habits_c"][2:] == [None, None], "too young"
    again.run(20)
    assert None not in again.engine.remember()["habits_c"]


def test_what_no_frame_has_been_seen_of_is_remembered_as_it_was() -> None:
    stored = {"habits_c": [-1.0, None, 1.0], "cell_habits_v": [0.001, None]}
    memory = ThermalEngine(ThermalConfig(), stored).remember()
    assert (memory["habits_c"], memory["cell_habits_v"]) == ([-1.0, None, 1.0], [0.001, None])
    fewer = Pack(remembered=stored, probes=1)
    fewer.run(1)
    assert fewer.engine.remember()["habits_c"][1:] == [None, 1.0]


def test_a_habit_that_holds_no_more_is_not_remembered() -> None:
    pack = quiet(frame_s=10.0, probes=2)
    probe = pack.engine._probes[1]
    probe.difference.habit_c = None
    assert pack.engine.remember()["habits_c"][1] is None


@pytest.mark.parametrize("nonsense", [None, 7, "x", {"habits_c": "x"}, {"model": [None]}, {"level": [float("nan"), 0]}])
def test_nonsense_in_the_store_is_ignored(nonsense: object) -> None:
    assert Pack(remembered=nonsense).run(5).level is NORMAL


def test_level_3_of_one_spot_waits_for_somebody_and_level_4_for_a_hand() -> None:
    pack = quiet(frame_s=5.0)
    pack.run(6, {1: 1.0})
    assert pack.said[-1].acknowledgement_wanted
    pack.levels_c[1] = 25.0
    pack.run(90)
    assert pack.said[-1].level is STOP
    pack.engine.acknowledge()
    assert pack.run(1).level is REDUCE
    assert not pack.engine.reset(pack.now_s)


def test_cooling_helps_only_where_the_air_is_cooler_and_nobody_heats() -> None:
    pack = Pack()
    assert pack.run(1).cooling_helps
    pack.others = replace(pack.others, ambient_c=24.0)
    assert not pack.run(1).cooling_helps
    pack.others = replace(pack.others, ambient_c=20.0)
    assert pack.run(1).cooling_helps
    cold = Pack(start_c=5.0)
    cold.others = replace(cold.others, heating=True)
    assert not cold.run(1).cooling_helps


@pytest.mark.parametrize(
    ("step_c", "hotter_c", "level"), [(0.1, 1.2, COOL), (0.5, 1.0, NORMAL), (0.5, 2.0, COOL), (1.0, 2.0, NORMAL)]
)
def test_the_step_of_the_readings_is_learned(step_c: float, hotter_c: float, level: ThermalLevel) -> None:
    """Two degrees are four steps of half a degree, but only two whole ones: two and a half it has to be."""
    engine = ThermalEngine(ThermalConfig(), {"habits_c": [0.0, 0.0, 0.0]})
    for index in range(600):
        others_c = 25.0 + step_c * (index // 100 % 2)
        said = engine.step(ThermalSample((others_c, others_c, round(others_c + hotter_c, 1))), index * 5.0)
    assert said.level is level


def test_whole_degrees_do_not_alarm() -> None:
    engine = ThermalEngine(ThermalConfig())
    for index in range(1000):
        said = engine.step(ThermalSample((25.0, 25.0 + (index // 50) % 3)), index * 10.0)
    assert said.level is NORMAL


def test_same_time_twice_says_the_same() -> None:
    pack = quiet()
    said = pack.said[-1]
    assert pack.engine.step(ThermalSample((99.0,) * 4), pack.now_s) is said
    assert pack.engine.step(ThermalSample((99.0,) * 4), pack.now_s - 100) is said


def test_number_of_probes_may_change() -> None:
    pack = quiet()
    pack.levels_c = pack.levels_c[:2]
    assert pack.run(1).level is NORMAL
    pack.levels_c = [*pack.levels_c, 25.0, 25.0, 25.0]
    assert pack.run(10).level is NORMAL


def test_heating_by_current_may_be_given() -> None:
    assert ThermalConfig(joule_c_s_a2=1e-7).joule_prior_c_s_a2 == 1e-7
    pack = Pack(config=ThermalConfig(joule_c_s_a2=0.0))
    pack.others = replace(pack.others, current_a=0.0, ambient_c=20.0)
    assert pack.run(5).hold_current_a is None


def test_heaviest_fall_with_a_new_habit_is_no_heat_when_it_is_believed() -> None:
    pack = quiet(frame_s=10.0)
    pack.levels_c[1] = 10.0
    pack.run(150)
    assert pack.said[-1].difference_c == pytest.approx(0, abs=0.3)
    assert not {Cause.DIFFERENCE, Cause.FAST_RISE} & set(kinds(pack.said[-1]))
