"""The table of the safe operating area."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import pairwise
from math import inf, nan
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from custom_components.jk_bms.battery.hazards import FAMILIES, Family, Kind, Level
from custom_components.jk_bms.battery.protection import (
    ALARM_LEVELS,
    ProtectionAssessment,
    ProtectionConfig,
    ProtectionEngine,
)
from custom_components.jk_bms.bms.alarms import Alarm
from custom_components.jk_bms.bms.telemetry import Chemistry, Settings, Telemetry

from ..pack_values import SETTINGS_32S, SETTINGS_JK04, telemetry_32s, telemetry_balancer, telemetry_jk04
from .pack_life import BARE, FRAME_S, Frame, Life, probes, volts

A, W, C = Level.ADVISORY, Level.WARNING, Level.CRITICAL
TABLE: list[tuple[Kind, Level, Frame, Frame, float, Frame, Frame]] = [
    # hazard, level, the last frame below it, the first at it, its delay in s, the last frame that doesn't release it,
    # the first that does
    (Kind.CELL_HIGH, A, volts(3.499), volts(3.5), 60, volts(3.451), volts(3.45)),
    (Kind.CELL_HIGH, W, volts(3.549), volts(3.55), 10, volts(3.501), volts(3.5)),
    (Kind.CELL_HIGH, C, volts(3.599), volts(3.6), 0, volts(3.551), volts(3.55)),
    (Kind.CELL_LOW, A, volts(3.001), volts(3.0), 60, volts(3.099), volts(3.1)),
    (Kind.CELL_LOW, W, volts(2.901), volts(2.9), 10, volts(2.999), volts(3.0)),
    (Kind.CELL_LOW, C, volts(2.701), volts(2.7), 0, volts(2.799), volts(2.8)),
    (Kind.PACK_HIGH, W, volts(3.549), volts(3.55), 10, volts(3.501), volts(3.5)),
    (Kind.PACK_LOW, C, volts(2.701), volts(2.7), 0, volts(2.799), volts(2.8)),
    (Kind.SPREAD_TOP, A, volts(3.4, 3.35), volts(3.4, 3.349), 60, volts(3.4, 3.364), volts(3.4, 3.365)),
    (Kind.SPREAD_TOP, W, volts(3.4, 3.28), volts(3.4, 3.279), 10, volts(3.4, 3.315), volts(3.4, 3.316)),
    (Kind.SPREAD_TOP, C, volts(3.4, 3.2), volts(3.4, 3.199), 0, volts(3.4, 3.259), volts(3.4, 3.26)),
    (Kind.SPREAD_TOP, A, volts(3.399, 3.3), volts(3.4, 3.3), 60, volts(3.4, 3.36), volts(3.399, 3.3)),
    (
        Kind.SPREAD_PLATEAU, A, volts(3.3, 3.28, current_a=0.5), volts(3.3, 3.279, current_a=0.5), 600,
        volts(3.3, 3.285, current_a=0.5), volts(3.3, 3.286, current_a=0.5),
    ),
    (
        Kind.SPREAD_PLATEAU, W, volts(3.3, 3.26, current_a=0.5), volts(3.3, 3.259, current_a=0.5), 600,
        volts(3.3, 3.271, current_a=0.5), volts(3.3, 3.272, current_a=0.5),
    ),
    (Kind.SPREAD_BOTTOM, A, volts(3.25, 3.1), volts(3.251, 3.1), 60, volts(3.21, 3.1), volts(3.205, 3.1)),
    (Kind.SPREAD_BOTTOM, W, volts(3.4, 3.1), volts(3.401, 3.1), 10, volts(3.311, 3.1), volts(3.31, 3.1)),
    (Kind.CHARGE_COLD, A, probes(5), probes(4.9), 60, probes(6.9), probes(7)),
    (Kind.CHARGE_COLD, W, probes(2), probes(1.9), 10, probes(3.9), probes(4)),
    (Kind.CHARGE_COLD, C, probes(0.1), probes(20, -0.1), 0, probes(1.9), probes(2)),
    (Kind.CHARGE_HOT, A, probes(45), probes(45.1), 60, probes(42.1), probes(42)),
    (Kind.CHARGE_HOT, W, probes(50), probes(45, 50.1), 10, probes(47.1), probes(47)),
    (Kind.CHARGE_HOT, C, probes(54.9), probes(55), 0, probes(52.1), probes(52)),
    (
        Kind.DISCHARGE_COLD, A, probes(-5, current_a=-20), probes(-5.1, current_a=-20), 60,
        probes(-3.1, current_a=-20), probes(-3, current_a=-20),
    ),
    (
        Kind.DISCHARGE_COLD, W, probes(-10, current_a=-20), probes(-10.1, current_a=-20), 10,
        probes(-8.1, current_a=-20), probes(-8, current_a=-20),
    ),
    (
        Kind.DISCHARGE_COLD, C, probes(-19.9, current_a=-20), probes(-20, current_a=-20), 0,
        probes(-18.1, current_a=-20), probes(-18, current_a=-20),
    ),
    (
        Kind.DISCHARGE_HOT, A, probes(45, current_a=-20), probes(45.1, current_a=-20), 60,
        probes(42.1, current_a=-20), probes(42, current_a=-20),
    ),
    (
        Kind.DISCHARGE_HOT, W, probes(50, current_a=-20), probes(50.1, current_a=-20), 10,
        probes(47.1, current_a=-20), probes(47, current_a=-20),
    ),
    (
        Kind.DISCHARGE_HOT, C, probes(54.9, current_a=0), probes(55, current_a=0), 0,
        probes(52.1, current_a=0), probes(52, current_a=0),
    ),
    (Kind.MOS_HOT, A, {"mos_temperature_c": 70.0}, {"mos_temperature_c": 70.1}, 60,
     {"mos_temperature_c": 65.1}, {"mos_temperature_c": 65.0}),
    (Kind.MOS_HOT, W, {"mos_temperature_c": 80.0}, {"mos_temperature_c": 80.1}, 10,
     {"mos_temperature_c": 75.1}, {"mos_temperature_c": 75.0}),
    (Kind.MOS_HOT, C, {"mos_temperature_c": 89.9}, {"mos_temperature_c": 90.0}, 0,
     {"mos_temperature_c": 85.1}, {"mos_temperature_c": 85.0}),
    (Kind.PROBE_SPREAD, A, probes(20, 28), probes(20, 28.1), 600, probes(20, 26.1), probes(20, 26)),
    (Kind.PROBE_SPREAD, W, probes(20, 35), probes(20, 35.1), 10, probes(20, 33.1), probes(20, 33)),
    (Kind.CHARGE_CURRENT, A, {"current_a": 90.0}, {"current_a": 90.1}, 10, {"current_a": 85.1}, {"current_a": 84.9}),
    (Kind.CHARGE_CURRENT, W, {"current_a": 99.9}, {"current_a": 100.1}, 3, {"current_a": 85.1}, {"current_a": 84.9}),
    (Kind.CHARGE_CURRENT, C, {"current_a": 119.9}, {"current_a": 120.1}, 0, {"current_a": 85.1}, {"current_a": 84.9}),
    (Kind.DISCHARGE_CURRENT, A, {"current_a": -135.0}, {"current_a": -135.1}, 10,
     {"current_a": -127.6}, {"current_a": -127.4}),
    (Kind.DISCHARGE_CURRENT, W, {"current_a": -149.9}, {"current_a": -150.1}, 3,
     {"current_a": -127.6}, {"current_a": -127.4}),
    (Kind.DISCHARGE_CURRENT, C, {"current_a": -179.9}, {"current_a": -180.1}, 0,
     {"current_a": -127.6}, {"current_a": -127.4}),
    (Kind.CHARGE_MOSFET, W, {"charge_mosfet": False, "current_a": 0.99},
     {"charge_mosfet": False, "current_a": 1.01}, 10,
     {"charge_mosfet": False, "current_a": 0.95}, {"charge_mosfet": True, "current_a": 20.0}),
    (Kind.DISCHARGE_MOSFET, W, {"discharge_mosfet": True, "current_a": -20.0},
     {"discharge_mosfet": False, "current_a": -1.01}, 10,
     {"discharge_mosfet": False, "current_a": -0.95}, {"discharge_mosfet": False, "current_a": -0.5}),
]  # fmt: skip


def ids(row: Any) -> str | None:
    return f"{row.name.lower()}" if isinstance(row, Kind | Level) else ""


@pytest.mark.parametrize(("kind", "level", "below", "at", "delay_s", "held", "released"), TABLE, ids=ids)
def test_table(kind: Kind, level: Level, below: Frame, at: Frame, delay_s: float, held: Frame, released: Frame) -> None:
    life = Life(BARE)
    life.run(delay_s + 70, **below)
    assert life.level(kind) < level

    life = Life(BARE)
    began_s = life.now_s + FRAME_S
    life.run(delay_s or FRAME_S, **at)
    assert life.level(kind) < level, "not before its time, nor in one frame"
    life.run(FRAME_S, **at)
    assert life.level(kind) is level
    hazard = life.hazard(kind)
    assert hazard
    assert hazard.since_s == began_s
    assert life.assessment.level_of(FAMILIES[kind]) >= level

    life.run(120, **held)
    assert life.level(kind) is level
    life.run(60, **released)
    assert life.level(kind) is level
    life.run(FRAME_S, **released)
    assert life.level(kind) < level


def test_levels_fall_one_at_a_time() -> None:
    life = Life(BARE)
    life.run(70, **volts(3.61))
    assert life.level(Kind.CELL_HIGH) is Level.CRITICAL
    seen: list[tuple[Level, float]] = []
    for _ in range(400):
        life.run(FRAME_S, **volts(3.3))
        if not seen or seen[-1][0] is not life.level(Kind.CELL_HIGH):
            seen.append((life.level(Kind.CELL_HIGH), life.now_s))
    assert [level for level, _ in seen] == [Level.CRITICAL, Level.WARNING, Level.ADVISORY, Level.OK]
    assert [after - before for (_, before), (_, after) in pairwise(seen[1:])] == [60.5, 60.5]


def test_one_frame_beyond_the_board_itself_is_enough() -> None:
    life = Life()
    life.run(10, **volts(3.56))
    life.frame(**volts(3.601))
    assert life.level(Kind.CELL_HIGH) is Level.CRITICAL
    life = Life()
    life.run(10, **volts(2.9, current_a=-20))
    life.frame(**volts(2.699), current_a=-20)
    assert life.level(Kind.CELL_LOW) is Level.CRITICAL


def test_a_cell_that_jumps_has_to_say_it_twice() -> None:
    life = Life()
    life.run(5, **volts(3.3))
    levels = []
    for _ in range(2):
        life.frame(**volts(3.65, 3.3))
        levels.append(life.level(Kind.CELL_HIGH))
    assert levels == [Level.OK, Level.CRITICAL]
    # ... unless the current did
    life = Life()
    life.run(5, **volts(3.0), current_a=0.0)
    life.frame(**volts(2.65), current_a=-200.0)
    assert life.level(Kind.CELL_LOW) is Level.CRITICAL


def test_a_jump_where_nothing_was_before() -> None:
    life = Life()
    life.frame(cells_v=(3.3,) * 15)
    life.frame(cells_v=(3.3,) * 15 + (3.65,))
    assert life.level(Kind.CELL_HIGH) is Level.CRITICAL
    life = Life()
    life.frame(cells_v=(3.3,) * 15 + (None, 3.3))
    life.frame(cells_v=(3.3,) * 15 + (3.65, 3.3))
    assert life.level(Kind.CELL_HIGH) is Level.CRITICAL


def test_says_which_cell_and_what_is_the_limit() -> None:
    life = Life()
    life.run(5, **volts(3.58))
    hazard = life.hazard(Kind.CELL_HIGH)
    assert hazard
    assert hazard.cause == "cell_high"
    assert hazard.placeholders == {"cell": "1", "value": "3.580", "limit": "3.570"}
    assert hazard.family is Family.CELL_VOLTAGE
    hazard = life.hazard(Kind.PACK_HIGH)
    assert hazard
    assert hazard.placeholders == {"value": "57.28", "limit": "57.12"}
    life = Life(BARE)
    life.run(5, **probes(20, 56))
    hazard = life.hazard(Kind.CHARGE_HOT)
    assert hazard
    assert hazard.placeholders == {"probe": "temperature_2", "value": "56.0", "limit": "55.0"}


@pytest.mark.parametrize(
    ("frame", "kind", "cell"),
    [
        (volts(3.5, 3.2), Kind.SPREAD_TOP, 3),
        (volts(3.2, 2.95), Kind.SPREAD_BOTTOM, 5),
    ],
)
def test_a_spread_is_that_of_the_cell_which_is_at_the_end_first(frame: Frame, kind: Kind, cell: int) -> None:
    life = Life(BARE)
    life.run(61, **frame)
    hazard = life.hazard(kind)
    assert hazard
    assert hazard.cell == cell


def test_cold_is_a_hazard_only_to_what_flows() -> None:
    life = Life()
    life.run(300, current_a=0.5, **probes(-3))
    life.run(300, current_a=-20.0, **probes(-3))
    assert life.assessment.level is Level.OK
    life.run(1, current_a=5.0, **probes(-3))
    assert life.level(Kind.CHARGE_COLD) is Level.CRITICAL
    # Stopping the charge is no release, it would clear the way for the next one.
    life.run(3600, current_a=0.0, **probes(-3))
    assert life.level(Kind.CHARGE_COLD) is Level.CRITICAL
    life.run(200, current_a=0.0, **probes(9))
    assert life.level(Kind.CHARGE_COLD) is Level.OK


def test_heat_is_one_whatever_flows() -> None:
    life = Life()
    life.run(300, current_a=0.0, **probes(49))
    assert life.level(Kind.CHARGE_HOT) is Level.WARNING, "the board is about to bar the charge"
    assert life.level(Kind.DISCHARGE_HOT) is Level.ADVISORY
    life.run(1, current_a=20.0, **probes(49))
    assert life.level(Kind.CHARGE_HOT) is Level.CRITICAL


def test_two_short_charges_are_not_one() -> None:
    life = Life(BARE)
    for _ in range(4):
        life.run(8, current_a=5.0, **probes(1))
        life.run(8, current_a=0.0, **probes(1))
    assert life.level(Kind.CHARGE_COLD) is Level.OK


@pytest.mark.parametrize(
    ("temperature_c", "charge_a", "charges_s", "pauses_s", "kind", "level"),
    [
        (1.0, 40.0, 7.5, 0.5, Kind.CHARGE_COLD, Level.WARNING),
        (4.0, 40.0, 1.0, 4.5, Kind.CHARGE_COLD, Level.ADVISORY),
        (-10.0, 40.0, 0.5, 0.5, Kind.CHARGE_COLD, Level.CRITICAL),
        (-25.0, -40.0, 0.5, 4.5, Kind.DISCHARGE_COLD, Level.CRITICAL),
        (56.0, 40.0, 0.5, 0.5, Kind.CHARGE_HOT, Level.CRITICAL),
        (56.0, 40.0, 0.5, 0.5, Kind.DISCHARGE_HOT, Level.CRITICAL),
    ],
)
def test_a_current_that_stutters_flows(
    temperature_c: float, charge_a: float, charges_s: float, pauses_s: float, kind: Kind, level: Level
) -> None:
    life = Life(BARE)
    for _ in range(30):
        life.run(charges_s, current_a=charge_a, **probes(temperature_c))
        life.run(pauses_s, current_a=0.0, **probes(temperature_c))
    assert life.level(kind) is level


def test_a_current_that_nobody_knows_may_be_what_the_board_lets_flow() -> None:
    life = Life(BARE)
    life.run(2, current_a=None, **probes(-10))
    assert life.level(Kind.CHARGE_COLD) is Level.CRITICAL
    assert life.level(Kind.DISCHARGE_COLD) is Level.OK
    life = Life(BARE)
    life.run(2, current_a=None, charge_mosfet=False, **probes(-25))
    assert life.level(Kind.CHARGE_COLD) is Level.OK
    assert life.level(Kind.DISCHARGE_COLD) is Level.CRITICAL
    life = Life(BARE)
    life.run(2, current_a=nan, **probes(56))
    assert life.level(Kind.CHARGE_HOT) is life.level(Kind.DISCHARGE_HOT) is Level.CRITICAL
    unswitched = Life(BARE)
    unswitched.run(300, current_a=None, charge_mosfet=None, discharge_mosfet=None, **probes(-25))
    assert unswitched.assessment.level is Level.OK


def test_a_spread_at_rest_stays_until_it_is_seen_at_rest_again() -> None:
    life = Life(BARE)
    life.run(601, **volts(3.3, 3.25, current_a=0.5))
    assert life.level(Kind.SPREAD_PLATEAU) is Level.WARNING
    life.run(600, **volts(3.3, 3.29, current_a=50.0))
    assert life.level(Kind.SPREAD_PLATEAU) is Level.WARNING
    # ... and a load in between begins the ten minutes anew
    life = Life(BARE)
    for _ in range(4):
        life.run(400, **volts(3.3, 3.25, current_a=0.5))
        life.run(10, **volts(3.3, 3.25, current_a=50.0))
    assert life.level(Kind.SPREAD_PLATEAU) is Level.OK


@pytest.mark.parametrize("alarm", sorted(ALARM_LEVELS))
def test_alarms_of_the_board(alarm: Alarm) -> None:
    life = Life()
    life.run(70, alarm_bits=1 << alarm, current_a=-10.0 if alarm is Alarm.DISCHARGE_UNDERTEMPERATURE else 10.0)
    (hazard,) = life.assessment.hazards
    assert (hazard.level, hazard.alarm, hazard.key) == (ALARM_LEVELS[alarm], alarm, f"bms_alarm_{alarm.key}")
    assert hazard.placeholders == {"alarm": alarm.key}
    assert life.assessment.level_of(Family.BMS_FAULT) is hazard.level
    life.run(60)
    assert life.assessment.hazards
    held_back = alarm in (Alarm.CHARGE_UNDERTEMPERATURE, Alarm.DISCHARGE_UNDERTEMPERATURE)
    life.run(62 if held_back else 1)  # there is a level between
    assert not life.assessment.hazards


def test_alarms_in_time() -> None:
    life = Life()
    levels = [life.frame(alarm_bits=1 << Alarm.CELL_OVERVOLTAGE).level for _ in range(2)]
    assert levels == [Level.OK, Level.CRITICAL]


@pytest.mark.parametrize(
    ("alarm", "harmful_a"), [(Alarm.CHARGE_UNDERTEMPERATURE, 20.0), (Alarm.DISCHARGE_UNDERTEMPERATURE, -20.0)]
)
def test_the_board_holds_back_in_the_cold_what_nobody_asks_for(alarm: Alarm, harmful_a: float) -> None:
    life = Life()
    for current_a in (0.0, 0.5, -harmful_a):
        life.run(600, alarm_bits=1 << alarm, current_a=current_a)
        assert life.assessment.level is Level.ADVISORY
    assert not life.assessment.latched
    life.run(1, alarm_bits=1 << alarm, current_a=harmful_a)
    assert life.level(Kind.BMS_ALARM) is Level.CRITICAL
    life.run(61, alarm_bits=1 << alarm, current_a=0.0)
    assert life.level(Kind.BMS_ALARM) is Level.ADVISORY
    unknown = Life()
    unknown.run(1, alarm_bits=1 << alarm, current_a=None)
    assert unknown.level(Kind.BMS_ALARM) is Level.CRITICAL, "nobody knows that nothing flows"


def test_the_default_password_is_no_hazard() -> None:
    life = Life()
    assert set(Alarm) - ALARM_LEVELS.keys() == {Alarm.DEFAULT_PASSWORD}
    life.run(300, alarm_bits=1 << Alarm.DEFAULT_PASSWORD)
    assert life.assessment == ProtectionAssessment()


def test_latched_until_acknowledged() -> None:
    life = Life()
    life.run(2, **volts(3.59))
    assert life.assessment.latched == {"cell_high", "pack_high"}
    life.run(300, **volts(3.3))
    assert life.assessment.level is Level.OK
    assert life.assessment.latched == {"cell_high", "pack_high"}
    restarted = Life(latched=life.assessment.latched)
    restarted.run(5)
    assert restarted.assessment.latched == {"cell_high", "pack_high"}
    assert restarted.engine.acknowledge() == ProtectionAssessment()
    restarted.run(5)
    assert not restarted.assessment.latched


def test_what_is_acknowledged_while_it_is_critical_is_latched_when_it_comes_again() -> None:
    life = Life()
    life.run(2, **volts(3.59))
    assert life.engine.acknowledge().level is Level.CRITICAL
    life.run(2, **volts(3.59))
    assert not life.assessment.latched
    life.run(120, **volts(3.5))
    life.run(2, **volts(3.59))
    assert "cell_high" in life.assessment.latched


def test_without_a_chemistry_cells_are_not_judged() -> None:
    life = Life(settings=SETTINGS_JK04)
    life.run(61, **volts(4.1, chemistry=None))
    assert [hazard.kind for hazard in life.assessment.hazards] == [Kind.LIMITS_UNKNOWN]
    chosen = Life(settings=SETTINGS_JK04, config=ProtectionConfig(chemistry=Chemistry.LI_ION))
    chosen.run(61, **volts(4.1, chemistry=None))
    assert chosen.assessment.level is Level.OK
    chosen.run(2, **volts(4.21, chemistry=None))
    assert chosen.level(Kind.CELL_HIGH) is Level.CRITICAL


@pytest.mark.parametrize(
    ("settings", "kind", "below_v", "at_v", "released_v"),
    [
        (SETTINGS_32S, Kind.CELL_HIGH, 3.569, 3.57, 3.52),
        (SETTINGS_32S, Kind.CELL_LOW, 2.801, 2.80, 2.90),
        (replace(SETTINGS_32S, cell_overvoltage_v=3.9), Kind.CELL_HIGH, 3.869, 3.87, 3.82),
        (replace(SETTINGS_32S, cell_overvoltage_v=2.75, cell_undervoltage_v=1.8), Kind.CELL_HIGH, 2.719, 2.72, 2.67),
    ],
)
def test_without_a_chemistry_cells_are_judged_by_the_board_s_limits(
    settings: Settings, kind: Kind, below_v: float, at_v: float, released_v: float
) -> None:
    life = Life(settings)
    life.frame(**volts(3.75, chemistry=None))
    assert life.engine.chemistry is None, "the board's over-voltage protection and the cells contradict each other"
    life.run(70, **volts(released_v, chemistry=None))
    life.run(70, **volts(below_v, chemistry=None))
    assert life.level(kind) is Level.OK
    life.frame(**volts(at_v, chemistry=None))
    assert life.level(kind) is Level.OK
    life.frame(**volts(at_v, chemistry=None))
    assert life.level(kind) is Level.CRITICAL
    life.run(61, **volts(released_v, chemistry=None))
    assert life.level(kind) is Level.OK
    assert life.level(Kind.LIMITS_UNKNOWN) is Level.ADVISORY


def test_a_chemistry_once_known_is_kept_until_another_is() -> None:
    life = Life()
    life.run(5, **volts(3.3, chemistry=None))
    life.settings = replace(SETTINGS_32S, balance_trigger_voltage_v=0.01)
    life.run(2, **volts(3.75, 3.5, chemistry=None))
    assert life.engine.chemistry == "lfp"
    assert life.level(Kind.CELL_HIGH) is life.level(Kind.SPREAD_TOP) is Level.CRITICAL
    life.settings = None
    life.run(200, **volts(3.3, chemistry=None))
    assert life.assessment.level is Level.OK
    life.settings = replace(SETTINGS_32S, cell_overvoltage_v=4.2)
    life.run(2, **volts(4.1, chemistry=None))
    assert life.engine.chemistry == "li_ion"


def test_settings_move_the_limits_at_once() -> None:
    life = Life(BARE)
    life.run(70, **volts(3.53))
    assert life.level(Kind.CELL_HIGH) is Level.ADVISORY
    life.settings = replace(SETTINGS_32S, cell_overvoltage_v=3.55)
    life.run(1, **volts(3.53))
    assert life.level(Kind.CELL_HIGH) is Level.CRITICAL


def test_a_limit_that_gets_lost_is_gone_by_as_it_was() -> None:
    life = Life(replace(SETTINGS_32S, charge_current_limit_a=0.0))
    life.run(10, current_a=500.0)
    assert life.level(Kind.CHARGE_CURRENT) is Level.OK, "without a limit there is nothing to be beyond"
    life.settings = SETTINGS_32S
    life.run(10, current_a=130.0)
    assert life.level(Kind.CHARGE_CURRENT) is Level.CRITICAL
    life.settings = replace(SETTINGS_32S, charge_current_limit_a=None)
    life.run(300, current_a=130.0)
    hazard = life.hazard(Kind.CHARGE_CURRENT)
    assert hazard
    assert (hazard.level, hazard.limit) == (Level.CRITICAL, 120.0)
    seen = []
    for _ in range(400):
        life.frame(current_a=20.0)
        if life.level(Kind.CHARGE_CURRENT) not in seen:
            seen.append(life.level(Kind.CHARGE_CURRENT))
    assert seen == [Level.CRITICAL, Level.WARNING, Level.ADVISORY, Level.OK]
    life.run(10, current_a=130.0)
    assert life.level(Kind.CHARGE_CURRENT) is Level.CRITICAL


def test_owner_s_threshold() -> None:
    life = Life(BARE, ProtectionConfig(thresholds={"mos_hot_critical": 85.0}))
    life.run(1, mos_temperature_c=85.0)
    assert life.level(Kind.MOS_HOT) is Level.CRITICAL


@pytest.mark.parametrize(
    "telemetry",
    [
        telemetry_jk04(),
        telemetry_balancer(),
        telemetry_32s(cells_v=(3.3,) * 16, full_charge_capacity_ah=None),
        replace(telemetry_32s(), cell_voltages_v=(), pack_voltage_v=None, current_a=None),
    ],
)
@pytest.mark.parametrize("settings", [None, SETTINGS_JK04, SETTINGS_32S])
def test_boards_of_all_kinds(telemetry: Telemetry, settings: Settings | None) -> None:
    engine = ProtectionEngine(ProtectionConfig())
    for second in range(5):
        engine.step(replace(telemetry, counter=second), settings, second)
        assert engine.stale(second).level in Level


# --- whatever comes ---

NUMBERS = st.one_of(st.none(), st.floats(-300, 300), st.sampled_from([nan, inf, -inf, 0.0, -200.0, 85.0]))
VOLTAGES = st.one_of(st.floats(2.4, 3.8), st.none(), st.sampled_from([0.0, 0.5, 4.6, nan, inf, -inf]))
FRAMES = st.fixed_dictionaries(
    {
        "cell_voltages_v": st.one_of(
            st.floats(2.4, 3.8).map(lambda voltage_v: (voltage_v,) * 16),
            st.lists(VOLTAGES, max_size=17).map(tuple),
        ),
        "pack_voltage_v": NUMBERS,
        "current_a": NUMBERS,
        "temperature_1_c": NUMBERS,
        "temperature_2_c": NUMBERS,
        "mos_temperature_c": NUMBERS,
        "alarm_bits": st.one_of(st.none(), st.just(0), st.integers(0, 2**32 - 1)),
        "charge_mosfet": st.sampled_from([True, False, None]),
        "counter": st.integers(0, 3),
        "run_time_s": st.integers(0, 3),
        "chemistry": st.sampled_from([None, *Chemistry]),
    }
)
MOMENTS = st.tuples(st.sampled_from([-5.0, 0.0, 0.5, 0.5, 0.5, 10.0, 61.0, 700.0, 1e6]), st.one_of(st.none(), FRAMES))


@given(st.lists(st.tuples(MOMENTS, st.sampled_from([None, SETTINGS_32S, SETTINGS_JK04, BARE])), max_size=30))
@settings(deadline=None)
def test_whatever_comes(moments: list[tuple[tuple[float, Frame | None], Settings | None]]) -> None:
    engine, now_s = ProtectionEngine(ProtectionConfig(rated_current_a=200)), 0.0
    levels: dict[str, Level] = {}
    for (passed_s, frame), board in moments:
        now_s += passed_s
        if frame is None:
            assessment = engine.stale(now_s)
        else:
            assessment = engine.step(replace(telemetry_32s(), **frame), board, now_s)
        json.dumps([hazard.placeholders for hazard in assessment.hazards], allow_nan=False)
        assert all("nan" not in text for hazard in assessment.hazards for text in hazard.placeholders.values())
        assert assessment.level == max((hazard.level for hazard in assessment.hazards), default=Level.OK)
        present = {hazard.key: hazard.level for hazard in assessment.hazards}
        assert len(present) == len(assessment.hazards)
        for key, level in levels.items():
            now = present.get(key, Level.OK)
            # A level that lies between may not exist.
            assert now >= level - (2 if key.startswith("bms_alarm") or key == "charge_mosfet" else 1) or now is Level.OK
        critical = {key for key, level in present.items() if level is Level.CRITICAL}
        assert critical - {key for key, level in levels.items() if level is Level.CRITICAL} <= assessment.latched
        levels = present


@given(frame=FRAMES, before=st.integers(1, 20))
@settings(deadline=None)
def test_never_from_one_frame_within_the_board_s_limits(frame: Frame, before: int) -> None:
    life = Life()
    life.run(before)
    calm = replace(telemetry_32s(), counter=200, run_time_s=86_400 + int(life.now_s) + 1)
    life.engine.step(
        replace(calm, **frame | {"counter": 201, "chemistry": Chemistry.LFP}), SETTINGS_32S, life.now_s + 0.5
    )
    after = life.engine.step(calm, SETTINGS_32S, life.now_s + 1)
    outright = {
        Kind.CELL_HIGH, Kind.CELL_LOW, Kind.PACK_HIGH, Kind.PACK_LOW, Kind.CHARGE_COLD, Kind.CHARGE_HOT,
        Kind.DISCHARGE_COLD, Kind.DISCHARGE_HOT, Kind.MOS_HOT,
    }  # fmt: skip
    for hazard in after.hazards:
        assert hazard.kind in outright
        assert hazard.level is Level.CRITICAL


@given(st.integers(2, 300), st.floats(3.57, 3.5999))
@settings(deadline=None, max_examples=20)
def test_rises_in_the_second_frame_and_stays(frames: int, highest_v: float) -> None:
    life = Life()
    for number in range(frames):
        life.frame(current_a=10 + number % 2, **volts(round(highest_v, 4)))
        assert life.level(Kind.CELL_HIGH) is (Level.CRITICAL if number else Level.OK)
