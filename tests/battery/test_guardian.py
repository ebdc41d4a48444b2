"""Protection and heat together: the order of levels, what is held while nothing is heard, what a restart leaves."""

from __future__ import annotations

from dataclasses import replace
from math import inf, nan
from typing import Any

import pytest

from custom_components.jk_bms.battery.guardian import CAUSES, Assessment, Guardian, GuardianLevel
from custom_components.jk_bms.battery.hazards import Kind, Level
from custom_components.jk_bms.battery.protection import ProtectionConfig
from custom_components.jk_bms.battery.thermal.interface import Cause, ThermalLevel
from custom_components.jk_bms.bms.alarms import Alarm
from custom_components.jk_bms.bms.telemetry import BalanceAction, Chemistry

from ..pack_values import SETTINGS_32S, telemetry_balancer
from .pack_life import Watched

HOT = {"temperature_1_c": 56.0, "temperature_2_c": 56.0}
VERY_HOT = {"temperature_1_c": 66.0, "temperature_2_c": 66.0}
HIGH: dict[str, Any] = {"cells_v": (3.62,) * 16}


def causes(assessment: Assessment) -> list[tuple[str, int]]:
    return [(finding.cause, int(finding.level)) for finding in assessment.findings]


def found_of_heat(assessment: Assessment) -> list[int]:
    return [finding.level for finding in assessment.findings if finding.key == "heat"]


def test_a_healthy_pack() -> None:
    assessment = Watched().run(30)
    assert (assessment.level, assessment.findings, assessment.unacknowledged) == (GuardianLevel.OK, (), ())
    assert assessment.probes == ("temperature_1", "temperature_2")
    assert not assessment.monitoring_lost


def test_levels_of_heat_are_levels_of_hazards() -> None:
    assert [level.value for level in ThermalLevel] == [level.value for level in GuardianLevel]
    for temperature_c, level in ((44.0, 1), (49.0, 2), (56.0, 3), (66.0, 4)):
        assessment = Watched().run(10, temperature_1_c=temperature_c, temperature_2_c=temperature_c)
        assert assessment.level >= level
        (heat,) = [finding for finding in assessment.findings if finding.key == "heat"]
        assert (heat.cause, heat.family, heat.level) == ("heat_temperature", "heat", level)
        assert heat.placeholders["value"] == f"{temperature_c:.1f}"
        assert heat.placeholders["probe"] == "temperature_1"


def test_the_worst_is_named_first_and_of_two_alike_the_older() -> None:
    pack = Watched()
    assert causes(pack.run(2, **HIGH))[0] == ("cell_high", 3)
    assert causes(pack.run(10, **HIGH | HOT))[0] == ("cell_high", 3)
    worst = pack.run(10, **HIGH | VERY_HOT).findings[0]
    assert (worst.key, worst.level) == ("heat", GuardianLevel.EMERGENCY)


def test_every_cause_has_a_key_of_its_own() -> None:
    assert len(set(CAUSES)) == len(Kind) + len(Cause) + 1


def test_a_level_outlasts_its_causes() -> None:
    pack = Watched()
    pack.run(10, **HOT)
    assessment = pack.run(600, temperature_1_c=40.0, temperature_2_c=40.0)
    (heat,) = [finding for finding in assessment.findings if finding.key == "heat"]
    assert (heat.cause, heat.level) == ("heat_held", 3)
    assert heat.placeholders == {"raised_by": "heat_temperature", "probe": "temperature_1"}, "and no reading of then"


def test_a_lesser_cause_does_not_explain_a_level_that_is_held() -> None:
    pack = Watched()
    pack.run(10, **HOT)
    for temperature_c in range(56, 43, -1):
        assessment = pack.run(30, temperature_1_c=temperature_c, temperature_2_c=temperature_c)
    assert assessment.thermal.causes[0].level is ThermalLevel.COOL
    (heat,) = [finding for finding in assessment.findings if finding.key == "heat"]
    assert (heat.cause, heat.level, heat.placeholders["raised_by"]) == ("heat_held", 3, "heat_temperature")


def test_a_board_that_says_the_same_over_and_over_knows_nothing_of_heat() -> None:
    pack = Watched()
    pack.run(10, **HOT)
    for _ in range(2 * 130):
        assessment = pack.repeat()
    assert ("data_frozen", 2) in causes(assessment)
    assert assessment.monitoring_lost
    for _ in range(2 * 600):
        assessment = pack.repeat()
    assert assessment.thermal.level is None
    (heat,) = [finding for finding in assessment.findings if finding.key == "heat"]
    assert heat.level is GuardianLevel.CRITICAL, "what was known last is held"
    assert not pack.run(60, **HOT).monitoring_lost


def test_temperatures_that_move_are_seen_whatever_stands_still() -> None:
    pack = Watched()
    pack.run(120, current_a=-0.1)
    for number in range(2 * 600):
        temperature_c = round(22 + number * 3 / 120, 1)
        assessment = pack.frame(current_a=-0.1, temperature_1_c=temperature_c, temperature_2_c=22.0)
        assert not assessment.monitoring_lost
    assert ("data_frozen", 2) in causes(assessment)
    assert found_of_heat(assessment) == [GuardianLevel.CRITICAL]
    assert assessment.thermal.hottest_c == pytest.approx(52, abs=0.5)


def test_being_blind_makes_nothing_better() -> None:
    pack = Watched()
    pack.run(10, **VERY_HOT)
    for _ in range(30):
        assessment = pack.silence(30)
    assert assessment.thermal.level is None
    assert assessment.level is GuardianLevel.EMERGENCY
    assert ("data_stale", 2) in causes(assessment)
    assert assessment.monitoring_lost


def test_a_silence_that_was_wanted_is_no_stale_data() -> None:
    wanted, lost = Watched(), Watched()
    for pack in (wanted, lost):
        pack.run(10)
        pack.now_s += 900
    wanted.guardian.excuse(wanted.now_s)
    assert wanted.frame().level is GuardianLevel.OK
    assert causes(lost.frame()) == [("data_stale", 2)]


def test_readings_far_apart_are_no_loss() -> None:
    seldom = Watched(ProtectionConfig(frame_period_s=300))
    seldom.run(2)
    assert not seldom.silence(800).monitoring_lost
    assert seldom.silence(200).monitoring_lost


def test_probes_keep_their_place() -> None:
    pack = Watched()
    assert pack.frame(temperature_1_c=None).probes == ("temperature_2",)
    assert pack.run(1, temperature_4_c=21.0).probes == ("temperature_2", "temperature_1", "temperature_4")
    assessment = pack.restarted().run(12, temperature_2_c=44.0)
    assert assessment.probes == ("temperature_2", "temperature_1", "temperature_4")
    (heat,) = [each for each in assessment.findings if each.key == "heat"]
    assert heat.placeholders["probe"] == "temperature_2"


def test_a_sagging_cell_is_counted_from_one() -> None:
    pack = Watched()
    pack.run(1200, cells_v=(3.3,) * 16, current_a=0.0)
    sagging = (*(3.3,) * 6, 3.1, *(3.3,) * 9)
    assessment = pack.run(120, cells_v=sagging, current_a=0.0)
    (heat,) = [each for each in assessment.findings if each.key == "heat"]
    assert heat.cause == "heat_cell_sag"
    assert heat.placeholders["cell"] == "7"


def test_heat_is_judged_by_the_chemistry() -> None:
    lto = Watched(ProtectionConfig(chemistry=Chemistry.LTO))
    assert "heat" not in {finding.key for finding in lto.run(10, temperature_1_c=49.0, temperature_2_c=49.0).findings}
    pack = Watched()
    pack.settings = None
    assert pack.run(10, temperature_1_c=41.0, temperature_2_c=41.0).thermal.level is ThermalLevel.NORMAL
    li_ion = pack.run(600, temperature_1_c=41.0, temperature_2_c=41.0, chemistry=Chemistry.LI_ION)
    assert li_ion.thermal.level is ThermalLevel.COOL
    assert [crossing.threshold_c for crossing in li_ion.thermal.crossings] == [45, 50, 55, 60]


@pytest.mark.parametrize("capacity_ah", [0.0, nan, inf, -280.0, None])
def test_a_capacity_that_cant_be_is_left_out(capacity_ah: float | None) -> None:
    pack = Watched()
    pack.settings = replace(SETTINGS_32S, nominal_capacity_ah=capacity_ah)
    assert pack.run(30).level is GuardianLevel.OK


def test_restart_keeps_what_nobody_has_seen_until_he_has() -> None:
    pack = Watched()
    assert pack.run(10, **HIGH | VERY_HOT).level is GuardianLevel.EMERGENCY
    again = pack.restarted()
    assessment = again.run(10)
    assert {"cell_high", "pack_high"} <= set(assessment.unacknowledged)
    assert assessment.level is GuardianLevel.EMERGENCY
    assert again.guardian.state()["latched"] == sorted(assessment.protection.latched)
    again.guardian.acknowledge()
    assert again.guardian.state()["latched"] == []
    assert again.run(1).unacknowledged == ()


def test_what_is_critical_outlasts_a_restart_until_it_is_released() -> None:
    pack = Watched()
    pack.run(10, **HIGH)
    below: dict[str, Any] = {"cells_v": (3.56,) * 16, "pack_voltage_v": 56.96}
    critical = {("cell_high", 3), ("pack_high", 3)}
    assert critical <= set(causes(pack.run(300, **below)))
    pack.guardian.acknowledge()
    again = pack.restarted()
    assert critical <= set(causes(again.frame(**below)))
    held = again.run(300, **below)
    assert critical <= set(causes(held))
    assert held.unacknowledged == (), "the owner has seen it"
    assert not critical & set(causes(again.run(70)))
    assert not critical & set(causes(again.restarted().run(10)))


def test_an_alarm_outlasts_a_restart_and_is_news_when_it_comes_anew() -> None:
    alarm: dict[str, Any] = {"alarm_bits": 1 << Alarm.CELL_OVERVOLTAGE}
    pack = Watched()
    pack.run(10, **alarm)
    pack.guardian.acknowledge()
    again = pack.restarted()
    assert ("bms_alarm", 3) in causes(again.frame())
    assert ("bms_alarm", 3) in causes(again.run(55))
    over = again.run(10)
    assert (causes(over), over.unacknowledged) == ([], ())
    assert again.guardian.state()["critical"] == []
    assert again.run(10, **alarm).unacknowledged == ("bms_alarm_cell_overvoltage",)


def test_a_spread_outlasts_no_restart_after_which_nobody_knows_what_it_says() -> None:
    pack = Watched()
    assert ("spread_top", 3) in causes(pack.run(10, cells_v=(3.20, *(3.45,) * 15)))
    again = pack.restarted(chemistry=None)
    again.settings = None
    assert causes(again.run(70, chemistry=None)) == [("limits_unknown", 1)]


def test_restart_in_an_overcharge_keeps_what_the_cells_are_of() -> None:
    """A board that doesn't say it has LFP cells that look like Li-ion meanwhile."""
    pack = Watched()
    pack.run(10, cells_v=(3.3,) * 16, chemistry=None)
    again = pack.restarted()
    assessment = again.run(2, cells_v=(3.3,) * 15 + (3.75,), chemistry=None)
    assert ("cell_high", 3) in causes(assessment)
    assert ("spread_top", 3) in causes(assessment)
    assert "limits_unknown" not in {cause for cause, _ in causes(again.run(70, chemistry=None))}
    assert pack.restarted(chemistry="lead").guardian.state()["chemistry"] is None


def test_a_chemistry_that_the_owner_chose_ends_with_his_choice() -> None:
    pack = Watched(ProtectionConfig(chemistry=Chemistry.LTO))
    pack.settings = None
    pack.run(2, chemistry=Chemistry.LTO)
    assert pack.guardian.state()["chemistry"] is None


@pytest.mark.parametrize(
    ("temperature_c", "level"),
    [(44.0, 1), (49.0, 2), (56.0, 3), (66.0, 4)],
    ids=["cool", "reduce", "stop", "emergency"],
)
def test_restart_keeps_the_level_of_heat_also_while_no_probe_says_anything(temperature_c: float, level: int) -> None:
    pack = Watched()
    before = pack.run(10, temperature_1_c=temperature_c, temperature_2_c=temperature_c)
    again = pack.restarted()
    blind = {"temperature_1_c": None, "temperature_2_c": None}
    first = again.frame(**blind)
    assert first.thermal.level is None
    critical = {hazard.cause: Level.CRITICAL for hazard in before.protection.hazards if hazard.level is Level.CRITICAL}
    assert dict(causes(first)) == critical | {"heat_held": level}
    held = again.run(600, **blind)
    assert dict(causes(held)) == critical | {"heat_held": level, "probe_lost": Level.WARNING}
    (heat,) = [each for each in held.findings if each.key == "heat"]
    assert heat.placeholders["raised_by"] == f"heat_{before.thermal.causes[0].cause}"
    assert again.run(10).thermal.level == level
    assert found_of_heat(again.frame()) == [level]


def test_probes_that_are_all_broken_are_missed_after_a_restart_too() -> None:
    blind: dict[str, Any] = {"temperature_1_c": None, "temperature_2_c": None}
    pack = Watched()
    pack.run(10)
    assert pack.run(90, **blind).monitoring_lost
    again = pack.restarted()
    assert not again.run(59, **blind).monitoring_lost
    after = again.run(5, **blind)
    assert after.monitoring_lost
    assert ("probe_lost", Level.WARNING) in causes(after)
    assert not again.run(1).monitoring_lost
    never = Watched()
    assert not never.run(600, **blind).monitoring_lost, "nobody can miss what was never there"


@pytest.mark.parametrize("stored", [None, [], {"raised_by": "no cause"}, {"raised_by": ["heat_spike"], "probe": "x"}])
def test_what_raised_a_level_is_left_out_where_it_cannot_be_read(stored: object) -> None:
    pack = Watched()
    pack.run(10, **HOT)
    again = pack.restarted(raised_by=stored)
    findings = again.frame(temperature_1_c=None, temperature_2_c=None).findings
    (held,) = [each for each in findings if each.key == "heat"]
    assert (held.cause, held.level, held.placeholders) == ("heat_held", 3, {})


def test_another_chemistry_counts_from_the_second_frame_on() -> None:
    pack = Watched()
    pack.run(10, chemistry=Chemistry.LFP)
    before = pack.guardian.heat_config, dict(pack.guardian.limits)
    pack.frame(chemistry=Chemistry.LI_ION)
    assert (pack.guardian.heat_config, pack.guardian.limits) == before
    pack.frame(chemistry=Chemistry.LI_ION)
    assert pack.guardian.heat_config != before[0]
    pack.run(1, chemistry=Chemistry.LFP)
    assert (pack.guardian.heat_config, pack.guardian.limits) == before


def test_what_has_ended_does_not_come_back_with_blindness() -> None:
    pack = Watched()
    pack.run(10, temperature_1_c=44.0, temperature_2_c=44.0)
    again = pack.restarted()
    assert again.run(1800, temperature_1_c=25.0, temperature_2_c=25.0).level is GuardianLevel.OK
    assert "heat" not in {finding.key for finding in again.silence(1000).findings}


@pytest.mark.parametrize(
    "odd",
    [
        {"cells_v": (3.3,) * 15 + (3.59,)},
        {"temperature_1_c": 33.0},
        {"alarm_bits": 1 << 4},
        {"cells_v": (3.3,) * 15 + (4.9,)},
    ],
    ids=["cell", "probe", "alarm", "impossible cell"],
)
def test_what_says_something_grave_for_the_first_time_is_asked_again(odd: dict[str, Any]) -> None:
    pack = Watched()
    pack.run(30)
    assert not pack.guardian.wants_another()
    pack.frame(**odd)
    assert pack.guardian.wants_another()
    pack.frame()
    assert not pack.guardian.wants_another()


@pytest.mark.parametrize(("before_c", "hot_c", "level"), [(40.0, 46.0, 1), (45.0, 51.0, 2), (61.0, 66.0, 4)])
def test_a_pack_that_is_read_seldom_is_asked_again_at_each_level_of_heat(
    before_c: float, hot_c: float, level: int
) -> None:
    pack = Watched(ProtectionConfig(frame_period_s=600))
    pack.settings = replace(SETTINGS_32S, charge_overtemperature_c=70.0, discharge_overtemperature_c=70.0)
    for temperature_c in (before_c, before_c, before_c, hot_c):
        pack.now_s += 600
        before = pack.frame(temperature_1_c=temperature_c, temperature_2_c=temperature_c)
    assert before.thermal.level is not None
    assert before.thermal.level < level
    assert pack.guardian.wants_another()
    assert pack.frame(temperature_1_c=hot_c, temperature_2_c=hot_c).thermal.level == level
    assert not pack.guardian.wants_another()


def test_a_pack_that_is_read_seldom_is_asked_until_a_hot_start_is_believed() -> None:
    pack = Watched(ProtectionConfig(frame_period_s=600), {"probes": ["temperature_1", "temperature_2"]})
    hot_c = (70.0, 70.0, 70.1, 70.0, 70.1)
    for temperature_c in hot_c:
        level = pack.frame(temperature_1_c=temperature_c, temperature_2_c=28.0, mos_temperature_c=35.0).level
        assert pack.guardian.wants_another() is (level < GuardianLevel.EMERGENCY)
    assert level is GuardianLevel.EMERGENCY


@pytest.mark.parametrize(
    "hot", [{"temperature_1_c": 105.0}, {"mos_temperature_c": 105.0}, {"mos_temperature_c": 127.0}]
)
def test_the_first_temperature_ever_is_no_more_certain_than_others(hot: dict[str, Any]) -> None:
    pack = Watched()
    assert pack.frame(**hot).level is GuardianLevel.OK
    assert "hot" not in " ".join(finding.key for finding in pack.run(60).findings)


def test_what_can_not_be_asked_again_is_not() -> None:
    pack = Watched()
    pack.run(30)
    pack.frame(cells_v=(3.3,) * 15 + (3.59,))
    assert pack.guardian.wants_another()
    pack.repeat()
    assert pack.guardian.wants_another(), "the same frame once more is no answer"
    pack.run(5, cells_v=(3.3, *(None,) * 15))
    assert not pack.guardian.wants_another(), "nor will the cell answer ever"


def test_what_is_critical_already_or_takes_time_is_not_asked_again() -> None:
    pack = Watched()
    pack.run(30, cells_v=(3.3,) * 15 + (3.53,))
    assert not pack.guardian.wants_another()
    pack.run(1, cells_v=(3.3,) * 15 + (3.59,))
    assert not pack.guardian.wants_another()


def test_what_comes_from_one_spot_wants_to_be_acknowledged() -> None:
    pack = Watched()
    pack.run(60)
    for step in range(120):
        assessment = pack.frame(temperature_1_c=round(21.5 + step * 0.1, 1))
    assert assessment.unacknowledged == ("heat",)
    pack.guardian.acknowledge()
    assert pack.silence(1).unacknowledged == ()


def test_an_emergency_ends_by_hand_once_it_has_been_cool_for_an_hour() -> None:
    pack = Watched()
    pack.run(10, **VERY_HOT)
    assert not pack.guardian.reset(pack.now_s)
    for temperature_c in range(66, 30, -1):
        pack.run(20, temperature_1_c=temperature_c, temperature_2_c=temperature_c)
    pack.run(3000, temperature_1_c=30.0, temperature_2_c=30.0)
    pack.guardian.acknowledge()
    assert not pack.guardian.reset(pack.now_s)
    assert pack.run(700, temperature_1_c=30.0, temperature_2_c=30.0).level is GuardianLevel.EMERGENCY
    assert pack.guardian.reset(pack.now_s)
    assert pack.frame().level is GuardianLevel.OK


@pytest.mark.parametrize(
    "stored",
    [[], 7, {"latched": 3, "probes": [1, "attic"], "thermal": "x"}, {"probes": None, "thermal": {"level": [9]}}],
)
def test_what_is_stored_and_makes_no_sense_is_left_out(stored: object) -> None:
    assert Watched(restored=stored).run(10).level is GuardianLevel.OK


def test_a_restart_learns_no_slow_fault_whatever_the_settings_say() -> None:
    """The settings come with the first frame, and the engine goes by them before it has seen a probe."""
    pack = Watched()
    pack.settings = replace(SETTINGS_32S, nominal_capacity_ah=100.0, mos_overtemperature_c=85.0)
    pack.run(1200, temperature_1_c=25.0, temperature_2_c=24.0)
    temperature_c = 25.0
    while temperature_c < 26.2:
        temperature_c += 0.1
        before = pack.run(30, temperature_1_c=round(temperature_c, 1), temperature_2_c=24.0)
    again = pack.restarted()
    again.settings = pack.settings
    after = again.run(10, temperature_1_c=round(temperature_c, 1), temperature_2_c=24.0)
    assert before.thermal.difference_c is not None
    assert before.thermal.difference_c > 0.8
    assert after.thermal.difference_c == pytest.approx(before.thermal.difference_c, abs=0.1)


@pytest.mark.parametrize(
    "changes",
    [{"mos_overtemperature_c": 85.0}, {"charge_overtemperature_c": 62.0}, {"nominal_capacity_ah": 200.0}],
    ids=["mos", "threshold", "capacity"],
)
def test_a_changed_setting_ends_no_event(changes: dict[str, Any]) -> None:
    pack = Watched()
    pack.run(60)
    for step in range(120):
        before = pack.frame(temperature_1_c=round(21.5 + step * 0.1, 1))
    (since_s,) = [finding.since_s for finding in before.findings if finding.key == "heat"]
    pack.settings = replace(SETTINGS_32S, **changes)
    after = pack.frame(temperature_1_c=33.5)
    (heat,) = [finding for finding in after.findings if finding.key == "heat"]
    assert (heat.level, heat.since_s) == (GuardianLevel.CRITICAL, since_s)
    assert heat.cause != "heat_held"
    assert after.unacknowledged == ("heat",)
    assert after.thermal.difference_c == pytest.approx(before.thermal.difference_c, abs=0.5)


@pytest.mark.parametrize("value_c", [25.0, 0.0, -200.0])
def test_one_reading_makes_no_probe(value_c: float) -> None:
    pack = Watched()
    pack.run(60)
    for _ in range(3):
        assert pack.frame(temperature_5_c=value_c).probes == ("temperature_1", "temperature_2")
        pack.frame()
    assert pack.run(600).thermal.probe_faults == ()


def test_what_never_reads_a_temperature_is_no_probe_and_costs_the_others_nothing() -> None:
    """Some boards read 0.0 where there is no probe."""
    pack = Watched()
    assessment = pack.run(1200, temperature_4_c=0.0, temperature_5_c=0.0)
    assert assessment.probes == ("temperature_1", "temperature_2")
    assert assessment.thermal.probe_faults == ()
    remembered = pack.guardian.state()["thermal"]
    assert isinstance(remembered, dict)
    assert remembered["habits_c"] == [pytest.approx(-0.25, abs=0.01), pytest.approx(0.25, abs=0.01)]


def test_a_probe_that_turns_up_late_is_taken_in_with_its_second_reading() -> None:
    pack = Watched()
    pack.run(60)
    assert pack.frame(temperature_4_c=21.0).probes == ("temperature_1", "temperature_2")
    assert pack.frame(temperature_4_c=21.0).probes == ("temperature_1", "temperature_2", "temperature_4")
    assert pack.run(600, temperature_4_c=21.0).thermal.probe_faults == ()


BLIND = {"temperature_1_c": None, "temperature_2_c": None}


def cooled() -> Watched:
    """Return a pack of which the emergency may be ended by hand."""
    pack = Watched()
    pack.run(10, **VERY_HOT)
    for temperature_c in range(66, 30, -1):
        pack.run(20, temperature_1_c=temperature_c, temperature_2_c=temperature_c)
    pack.run(3700, temperature_1_c=30.0, temperature_2_c=30.0)
    return pack


@pytest.mark.parametrize("sure", [True, False])
def test_an_emergency_does_not_end_by_hand_while_nobody_sees_the_pack(*, sure: bool) -> None:
    pack = cooled()
    assert pack.silence(61).monitoring_lost
    assert not pack.guardian.reset(pack.now_s, sure=sure)
    assert pack.run(1, temperature_1_c=30.0, temperature_2_c=30.0).level is GuardianLevel.EMERGENCY
    assert pack.guardian.reset(pack.now_s, sure=sure)


def test_an_hour_of_blindness_is_no_hour_of_coolness() -> None:
    pack = Watched()
    pack.run(10, **VERY_HOT)
    for temperature_c in range(66, 30, -1):
        pack.run(20, temperature_1_c=temperature_c, temperature_2_c=temperature_c)
    pack.silence(3600)
    assert not pack.guardian.reset(pack.now_s)
    pack.run(10, temperature_1_c=30.0, temperature_2_c=30.0)
    assert not pack.guardian.reset(pack.now_s)
    assert not pack.guardian.reset(pack.now_s, sure=True), "the probes answer: they say when it is cool"


def test_an_emergency_of_burnt_probes_ends_when_somebody_has_looked() -> None:
    pack = Watched()
    pack.run(10, **VERY_HOT)
    assert pack.run(3500, **BLIND).level is GuardianLevel.EMERGENCY
    assert not pack.guardian.reset(pack.now_s, sure=True)
    pack.run(200, **BLIND)
    assert not pack.guardian.reset(pack.now_s)
    assert pack.guardian.reset(pack.now_s, sure=True)
    assert "heat" not in {finding.key for finding in pack.run(60, **BLIND).findings}
    assert "heat" not in {finding.key for finding in pack.restarted().run(60, **BLIND).findings}
    assert not pack.guardian.reset(pack.now_s, sure=True)


def test_an_emergency_of_probes_that_never_answer_after_a_restart_ends_when_somebody_has_looked() -> None:
    pack = Watched()
    pack.run(10, **VERY_HOT)
    again = pack.restarted()
    assert again.run(60, **BLIND).level is GuardianLevel.EMERGENCY
    assert not again.guardian.reset(again.now_s, sure=True), "that they answer may be a matter of a minute"
    again.run(3600, **BLIND)
    assert not again.guardian.reset(again.now_s)
    assert again.guardian.reset(again.now_s, sure=True)
    assert "heat" not in {finding.key for finding in again.run(1, **BLIND).findings}


def test_the_period_of_a_pack_that_is_asked_seldom_is_no_gap() -> None:
    pack = Watched(ProtectionConfig(frame_period_s=600))
    cools_c = [66 - 0.5 * number for number in range(80)]
    below = next(number for number, temperature_c in enumerate(cools_c) if temperature_c < 45)
    for number, temperature_c in enumerate(cools_c[: below + 8]):
        assert number > below + 5 or not pack.guardian.reset(pack.now_s)
        pack.now_s += 600
        pack.run(0.5, temperature_1_c=temperature_c, temperature_2_c=temperature_c - 0.1)
    assert pack.guardian.reset(pack.now_s), "for an hour it was cool"


def test_a_pack_that_is_asked_seldom_is_seen_for_longer() -> None:
    pack = Watched(ProtectionConfig(frame_period_s=300))
    pack.run(10, **VERY_HOT)
    for minute in range(0, 25 * 60, 5):
        pack.now_s += 300
        temperature_c = max(30.0, 66.0 - minute / 5)
        pack.run(0.5, temperature_1_c=temperature_c, temperature_2_c=temperature_c)
    pack.silence(290)
    assert pack.guardian.reset(pack.now_s)


@pytest.mark.parametrize("action", [None, *BalanceAction])
def test_balancers(action: BalanceAction | None) -> None:
    guardian = Guardian(ProtectionConfig())
    for number in range(60):
        assessment = guardian.step(telemetry_balancer(counter=number, balance_action=action), None, None, number / 2)
    assert assessment.thermal.level is ThermalLevel.NORMAL
