"""What protection makes of cells and probes that are missing, of readings that can't be, of silence and frozen data."""

from __future__ import annotations

from dataclasses import replace
from math import inf, isfinite, nan

import pytest

from custom_components.jk_bms.battery.hazards import Kind, Level
from custom_components.jk_bms.battery.protection import (
    ProtectionAssessment,
    ProtectionConfig,
)
from custom_components.jk_bms.bms.alarms import Alarm

from ..pack_values import SETTINGS_32S
from .pack_life import BARE, FRAME_S, Frame, Life, probes, volts


def test_a_cell_without_voltage() -> None:
    life = Life()
    missing = (3.3,) * 7 + (None,) + (3.3,) * 8
    life.run(1, cells_v=missing)
    assert life.level(Kind.CELL_COUNT) is Level.OK
    life.run(FRAME_S, cells_v=missing)
    assert life.level(Kind.CELL_COUNT) is Level.CRITICAL
    hazard = life.hazard(Kind.CELL_COUNT)
    assert hazard
    assert hazard.value == 15
    life = Life()
    life.run(2, cells_v=(3.3,) * 15)
    assert life.level(Kind.CELL_COUNT) is Level.CRITICAL
    unknown = Life(settings=None)
    unknown.run(2, cells_v=(3.3,) * 15)
    assert unknown.assessment.level is Level.OK
    unknown.run(2, cells_v=missing)
    assert unknown.level(Kind.CELL_COUNT) is Level.CRITICAL


def test_a_cell_that_is_missing_now_and_then() -> None:
    life = Life()
    life.run(10)
    whole, lost = (3.3,) * 16, (3.3,) * 7 + (None,) + (3.3,) * 8
    for _ in range(2):
        life.frame(cells_v=lost)
        life.run(4, cells_v=whole)
    assert life.level(Kind.CELL_COUNT) is Level.OK
    life.frame(cells_v=lost)
    assert life.level(Kind.CELL_COUNT) is Level.CRITICAL
    life.run(4, cells_v=whole)
    hazard = life.hazard(Kind.CELL_COUNT)
    assert hazard
    assert hazard.value == 15, "which is what is wrong"
    life.run(62, cells_v=whole)
    assert life.level(Kind.CELL_COUNT) is Level.OK
    for _ in range(10):
        life.frame(cells_v=lost)
        life.run(6, cells_v=whole)
    assert life.level(Kind.CELL_COUNT) is Level.OK, "each of them was over"


@pytest.mark.parametrize("hidden_v", [None, 0.5])
@pytest.mark.parametrize(
    ("kind", "bad_v", "good_v"),
    [
        (Kind.CELL_HIGH, 3.58, 3.3),
        (Kind.CELL_LOW, 2.79, 3.2),
        (Kind.SPREAD_TOP, 3.65, 3.3),
        (Kind.SPREAD_BOTTOM, 2.85, 3.2),
    ],
)
def test_a_cell_that_is_read_in_every_other_frame_hides_nothing(
    kind: Kind, bad_v: float, good_v: float, hidden_v: float | None
) -> None:
    bad, hidden = (good_v,) * 4 + (bad_v,) + (good_v,) * 11, (good_v,) * 4 + (hidden_v,) + (good_v,) * 11
    life, plain = Life(), Life()
    for _ in range(30):
        life.frame(cells_v=bad)
        life.frame(cells_v=hidden)
        plain.run(1, cells_v=bad)
    assert plain.level(kind) > Level.OK
    assert life.level(kind) is plain.level(kind)
    # ... nor does it once it isn't read any more
    life.run(300, cells_v=hidden)
    hazard, expected = life.hazard(kind), plain.hazard(kind)
    assert hazard
    assert expected
    assert (hazard.level, hazard.value, hazard.cell) == (expected.level, expected.value, expected.cell)
    life.run(200, cells_v=(3.35,) * 16)
    assert life.assessment.level is Level.OK


def test_the_other_cells_are_judged_while_one_is_missing() -> None:
    life = Life()
    life.run(2, cells_v=(3.3,) * 7 + (None, 3.58) + (3.3,) * 7)
    assert life.level(Kind.CELL_HIGH) is Level.CRITICAL
    rest = Life(BARE)
    rest.run(601, cells_v=(3.3,) * 7 + (None, 3.25) + (3.3,) * 7, current_a=0.5)
    assert rest.level(Kind.SPREAD_PLATEAU) is Level.WARNING


@pytest.mark.parametrize("reading_v", [0.99, 4.51, nan, inf])
def test_a_cell_that_reads_what_no_cell_can(reading_v: float) -> None:
    life = Life()
    strange = (3.3,) * 7 + (reading_v,) + (3.3,) * 8
    life.run(5)
    life.frame(cells_v=strange)
    assert life.assessment.level is Level.OK
    life.frame(cells_v=strange)
    (hazard,) = life.assessment.hazards
    assert (hazard.kind, hazard.level, hazard.cell) == (Kind.CELL_READING, Level.CRITICAL, 8)
    assert hazard.value == (reading_v if isfinite(reading_v) else None)
    assert life.frame(cells_v=(nan,) * 16).level is Level.CRITICAL


def test_cells_against_the_pack_voltage() -> None:
    life = Life()
    off: Frame = {"cells_v": (3.3,) * 16, "pack_voltage_v": 52.8 + 0.27}
    life.run(2, **off)
    assert life.assessment.level is Level.OK
    life.run(FRAME_S, **off)
    assert life.level(Kind.VOLTAGE_MISMATCH) is Level.ADVISORY
    life = Life()
    life.run(60, cells_v=(3.3,) * 16, pack_voltage_v=52.8 + 0.26)
    assert life.assessment.level is Level.OK
    # A pack voltage that the cells contradict has to be said twice.
    life.frame(cells_v=(3.3,) * 16, pack_voltage_v=60.0)
    assert life.assessment.level is Level.OK
    life.frame(cells_v=(3.3,) * 16, pack_voltage_v=60.0)
    assert life.level(Kind.PACK_HIGH) is Level.CRITICAL


def test_a_current_that_can_not_be() -> None:
    life = Life(config=ProtectionConfig(rated_current_a=200))
    life.run(2, current_a=601.0)
    assert life.assessment.level is Level.OK
    life.run(10, current_a=601.0)
    assert [hazard.kind for hazard in life.assessment.hazards] == [Kind.CURRENT_READING]
    life.run(2, current_a=-599.0)
    assert life.level(Kind.DISCHARGE_CURRENT) is Level.CRITICAL
    unrated = Life()
    unrated.run(2, current_a=-1999.0)
    assert unrated.level(Kind.DISCHARGE_CURRENT) is Level.CRITICAL


@pytest.mark.parametrize(
    ("kind", "wrong"),
    [(Kind.PROBE_LOST, {"temperature_2_c": None}), (Kind.CURRENT_READING, {"current_a": 601.0})],
)
def test_what_is_over_says_what_it_was_until_it_is_released(kind: Kind, wrong: Frame) -> None:
    life = Life(config=ProtectionConfig(rated_current_a=200))
    life.run(10)
    life.run(70, **wrong)
    hazard = life.hazard(kind)
    life.run(30)
    assert hazard is not None
    assert life.hazard(kind) == hazard
    life.run(31)
    assert life.assessment.level is Level.OK


def test_a_difference_ends_with_the_probe_that_had_it() -> None:
    life = Life()
    life.run(60, **probes(60, 22))
    assert life.level(Kind.PROBE_SPREAD) is Level.WARNING
    life.run(59, temperature_1_c=None, temperature_2_c=22.0)
    assert life.level(Kind.PROBE_SPREAD) is Level.WARNING, "one frame without it, or some, end nothing"
    life.run(59, temperature_1_c=None, temperature_2_c=22.0)
    assert (life.level(Kind.PROBE_SPREAD), life.level(Kind.PROBE_LOST)) == (Level.WARNING, Level.ADVISORY)
    life.run(66, temperature_1_c=None, temperature_2_c=22.0)
    assert (life.level(Kind.PROBE_SPREAD), life.level(Kind.PROBE_LOST)) == (Level.OK, Level.ADVISORY)


def test_a_difference_between_probes_stays_while_none_is_seen() -> None:
    life = Life()
    life.run(30, **probes(20, 38))
    assert life.level(Kind.PROBE_SPREAD) is Level.WARNING
    life.run(3600, temperature_1_c=None, temperature_2_c=None)
    assert (life.level(Kind.PROBE_SPREAD), life.level(Kind.PROBE_LOST)) == (Level.WARNING, Level.WARNING)


def test_all_probes_lost() -> None:
    life = Life()
    life.run(10)
    life.run(11, temperature_1_c=None, temperature_2_c=None)
    hazard = life.hazard(Kind.PROBE_LOST)
    assert hazard
    assert (hazard.level, hazard.placeholders) == (Level.WARNING, {"probe": "temperature_1"})
    never = Life()
    never.run(300, temperature_1_c=None, temperature_2_c=None)
    assert never.assessment.level is Level.OK


def test_what_is_not_believed_is_lost() -> None:
    life = Life()
    life.run(10, **probes(21.0, 21.0))
    for number in range(2 * 61):
        life.now_s += 0.5
        telemetry = replace(life.last, counter=number, run_time_s=number, current_a=number % 2, temperature_1_c=90.0)
        life.assessment = life.engine.step(telemetry, SETTINGS_32S, life.now_s, {"temperature_2": 21.0})
    assert [(hazard.kind, hazard.probe) for hazard in life.assessment.hazards] == [(Kind.PROBE_LOST, "temperature_1")]


def test_silence() -> None:
    life = Life()
    assert life.engine.stale(0) == ProtectionAssessment(), "nobody can miss what has never come"
    life.run(5)
    levels = [life.silence(seconds).level for seconds in (60, 0.5, 539.5, 0.5)]
    assert levels == [Level.OK, Level.ADVISORY, Level.ADVISORY, Level.WARNING]
    hazard = life.hazard(Kind.DATA_STALE)
    assert hazard
    assert hazard.placeholders == {"value": "600", "limit": "600"}
    assert life.silence(3600).level is Level.WARNING
    life.run(30)
    assert life.level(Kind.DATA_STALE) is Level.WARNING
    life.run(1)
    assert life.level(Kind.DATA_STALE) is Level.ADVISORY
    life.run(31)
    assert life.assessment.level is Level.OK


def test_silence_holds_what_was_known() -> None:
    life = Life()
    life.run(2, **volts(3.59))
    for _ in range(100):
        life.silence(60)
        assert life.level(Kind.CELL_HIGH) is Level.CRITICAL
    life.run(1, **volts(3.3))
    assert life.level(Kind.CELL_HIGH) is Level.CRITICAL


def test_a_gap_that_nobody_looked_into() -> None:
    life = Life()
    life.run(5)
    life.frame(after_s=601)
    assert life.level(Kind.DATA_STALE) is Level.WARNING


def test_a_pack_that_is_asked_seldom() -> None:
    life = Life(config=ProtectionConfig(frame_period_s=300))
    for number in range(10):
        life.frame(after_s=300, current_a=number)
    assert life.assessment.level is Level.OK
    levels = [life.silence(seconds).level for seconds in (900, 1, 300)]
    assert levels == [Level.OK, Level.ADVISORY, Level.WARNING]
    # Two frames that say it are enough, whatever time lies between.
    life.frame(after_s=300, **volts(3.56))
    life.frame(after_s=300, **volts(3.56))
    assert life.level(Kind.CELL_HIGH) is Level.WARNING


@pytest.mark.parametrize("period_s", [0.5, 10, 30, 60, 600])
def test_frames_that_come_on_time_again_end_stale_data(period_s: float) -> None:
    life = Life(config=ProtectionConfig(frame_period_s=period_s))

    def frame(after_s: float) -> Level:
        waited_s = 5.0
        while waited_s < after_s:
            life.silence(5)
            waited_s += 5
        life.frame(after_s=after_s - (waited_s - 5), current_a=life.now_s % 7)
        return life.level(Kind.DATA_STALE)

    frame(period_s)
    assert frame(max(700, 5 * period_s)) is Level.WARNING
    frames = max(3, 1 + int(30 / period_s))
    assert [frame(period_s) for _ in range(frames)] == [Level.WARNING] * (frames - 1) + [Level.ADVISORY]
    assert [frame(period_s) for _ in range(frames)] == [Level.ADVISORY] * (frames - 1) + [Level.OK]


def test_a_frame_that_comes_twice_is_one_frame() -> None:
    life = Life()
    life.run(5)
    life.frame(alarm_bits=1 << Alarm.CHARGE_SHORT_CIRCUIT)
    for _ in range(10):
        assert life.repeat().level is Level.OK
    life.frame(alarm_bits=1 << Alarm.CHARGE_SHORT_CIRCUIT)
    assert life.assessment.level is Level.CRITICAL


@pytest.mark.parametrize("frozen", ["all", "counter", "run time", "measurement"])
def test_frozen_data(frozen: str) -> None:
    life = Life()
    life.run(5)
    for second in range(2 * 70):
        stuck: Frame = {"current_a": 10 + second % 2}
        if frozen == "counter":
            stuck["counter"] = 7
        elif frozen == "run time":
            stuck["run_time_s"] = 86_400
        elif frozen == "measurement":
            stuck["current_a"] = 10
        if frozen == "all":
            life.repeat()
        else:
            life.frame(**stuck)
        if second < 2 * 59:
            assert life.assessment.level is Level.OK
    hazard = life.hazard(Kind.DATA_FROZEN)
    assert hazard
    assert hazard.level is Level.WARNING
    life.run(40)
    assert life.assessment.level is Level.OK


def test_boards_whose_clocks_have_never_moved_are_not_frozen() -> None:
    life = Life()
    for second in range(300):
        life.frame(counter=0, run_time_s=0, current_a=second % 7)
    for _ in range(300):
        life.frame(counter=0, current_a=0, **volts(3.3))
    assert life.assessment.level is Level.OK
