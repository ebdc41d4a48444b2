"""The protections against their settings: trip after the delay, release by hysteresis or time, open the right one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from custom_components.jk_bms.bms.alarms import Alarm
from simulator.models import JK_PB2A16S20P_V19
from simulator.pack import BalanceAction, Measurement
from simulator.protections import RULES, SHORT_CIRCUIT_FACTOR, Protections

SETTINGS = {
    **JK_PB2A16S20P_V19.settings,
    "cell_overvoltage_v": 3.65,
    "cell_overvoltage_recovery_v": 3.44,
    "cell_undervoltage_v": 2.7,
    "cell_undervoltage_recovery_v": 2.9,
    "charge_current_limit_a": 60.0,
    "charge_overcurrent_delay_s": 3.0,
    "charge_overcurrent_recovery_s": 60.0,
    "discharge_current_limit_a": 100.0,
    "discharge_overcurrent_delay_s": 300.0,
    "discharge_overcurrent_recovery_s": 50.0,
    "short_circuit_recovery_s": 5.0,
    "charge_overtemperature_c": 50.0,
    "charge_overtemperature_recovery_c": 45.0,
    "discharge_overtemperature_c": 60.0,
    "discharge_overtemperature_recovery_c": 55.0,
}
CALM = Measurement(
    cell_voltages_v=(3.3,) * 4,
    pack_voltage_v=13.2,
    current_a=0.0,
    sensor_current_a=0.0,
    probe_temperatures_c=(20.0, 21.0),
    mos_temperature_c=25.0,
    balance_current_a=0.0,
    balance_action=BalanceAction.OFF,
    lead_resistances_ohm=(0.1,) * 4,
    highest_cell=0,
    lowest_cell=0,
    state_of_charge=0.5,
    remaining_ah=50.0,
    full_ah=100.0,
    cycles=1,
    throughput_ah=100.0,
    state_of_health_pct=100,
)


def readings(**changes: Any) -> Measurement:
    return replace(CALM, **changes)


def cell(voltage_v: float) -> Measurement:
    return readings(cell_voltages_v=(3.3, voltage_v, 3.3, 3.3))


def pack(voltage_v: float) -> Measurement:
    return readings(pack_voltage_v=voltage_v)


def current(current_a: float) -> Measurement:
    return readings(current_a=current_a)


def probe(temperature_c: float) -> Measurement:
    return readings(probe_temperatures_c=(20.0, temperature_c))


def mosfet(temperature_c: float) -> Measurement:
    return readings(mos_temperature_c=temperature_c)


# alarm, readings that trip it, readings that are just not beyond, readings between limit and release, delay
BY_HYSTERESIS = [
    (Alarm.CELL_OVERVOLTAGE, cell(3.651), cell(3.65), cell(3.45), 2),
    (Alarm.PACK_OVERVOLTAGE, pack(14.61), pack(14.6), pack(13.8), 2),
    (Alarm.CELL_UNDERVOLTAGE, cell(2.699), cell(2.7), cell(2.89), 2),
    (Alarm.PACK_UNDERVOLTAGE, pack(10.79), pack(10.8), pack(11.5), 2),
    (Alarm.CHARGE_OVERTEMPERATURE, probe(50.1), probe(50.0), probe(45.1), 2),
    (Alarm.DISCHARGE_OVERTEMPERATURE, probe(60.1), probe(60.0), probe(55.1), 2),
    (Alarm.CHARGE_UNDERTEMPERATURE, probe(4.9), probe(5.0), probe(6.9), 2),
    (Alarm.DISCHARGE_UNDERTEMPERATURE, probe(-20.1), probe(-20.0), probe(-15.1), 2),
    (Alarm.MOS_OVERTEMPERATURE, mosfet(100.1), mosfet(100.0), mosfet(80.1), 2),
]


@pytest.mark.parametrize(("alarm", "beyond", "just_not", "between", "delay_s"), BY_HYSTERESIS)
def test_voltage_and_temperature(
    alarm: Alarm, beyond: Measurement, just_not: Measurement, between: Measurement, delay_s: int
) -> None:
    protections = Protections(SETTINGS)
    protections.step(100, just_not, SETTINGS)
    assert alarm not in protections.alarms

    for _ in range(delay_s - 1):
        protections.step(1, beyond, SETTINGS)
        assert alarm not in protections.alarms
    assert (alarm, True) in protections.step(1, beyond, SETTINGS)
    assert alarm in protections.alarms

    protections.step(1000, between, SETTINGS)
    assert alarm in protections.alarms
    assert (alarm, False) in protections.step(1, CALM, SETTINGS)
    assert protections.alarms == frozenset()


def test_a_short_excess_is_forgotten() -> None:
    protections = Protections(SETTINGS)
    for _ in range(5):
        protections.step(1.9, cell(3.7), SETTINGS)
        protections.step(0.1, CALM, SETTINGS)
    assert protections.alarms == frozenset()


@pytest.mark.parametrize(
    ("alarm", "beyond", "just_not", "delay_s", "hold_s"),
    [
        (Alarm.CHARGE_OVERCURRENT, current(60.1), current(60), 3, 60),
        (Alarm.DISCHARGE_OVERCURRENT, current(-100.1), current(-100), 300, 50),
        (Alarm.CHARGE_SHORT_CIRCUIT, current(60.1 * SHORT_CIRCUIT_FACTOR), current(60 * SHORT_CIRCUIT_FACTOR), 0, 5),
        (Alarm.DISCHARGE_SHORT_CIRCUIT, current(-301), current(-300), 0, 5),
    ],
)
def test_current_is_released_after_its_time(
    alarm: Alarm, beyond: Measurement, just_not: Measurement, delay_s: float, hold_s: float
) -> None:
    protections = Protections(SETTINGS)
    protections.step(1000, just_not, SETTINGS)
    assert alarm not in protections.alarms
    protections.step(0, CALM, SETTINGS)
    if delay_s:
        protections.step(delay_s - 0.1, beyond, SETTINGS)
        assert alarm not in protections.alarms
    protections.step(0.1, beyond, SETTINGS)
    assert alarm in protections.alarms
    assert protections.release_in_s(alarm) == hold_s

    # The open MOSFET has ended the current; the release waits all the same.
    protections.step(hold_s - 1, CALM, SETTINGS)
    assert protections.release_in_s(alarm) == 1
    assert alarm in protections.alarms
    protections.step(1, CALM, SETTINGS)
    assert alarm not in protections.alarms
    assert protections.release_in_s(alarm) == 0


def test_which_mosfet_each_opens() -> None:
    opens = {rule.alarm: (rule.opens_charge, rule.opens_discharge) for rule in RULES}
    assert opens == {
        Alarm.CELL_OVERVOLTAGE: (True, False),
        Alarm.PACK_OVERVOLTAGE: (True, False),
        Alarm.CELL_UNDERVOLTAGE: (False, True),
        Alarm.PACK_UNDERVOLTAGE: (False, True),
        Alarm.CHARGE_OVERCURRENT: (True, False),
        Alarm.DISCHARGE_OVERCURRENT: (False, True),
        Alarm.CHARGE_SHORT_CIRCUIT: (True, False),
        Alarm.DISCHARGE_SHORT_CIRCUIT: (False, True),
        Alarm.CHARGE_OVERTEMPERATURE: (True, False),
        Alarm.DISCHARGE_OVERTEMPERATURE: (False, True),
        Alarm.CHARGE_UNDERTEMPERATURE: (True, False),
        Alarm.DISCHARGE_UNDERTEMPERATURE: (False, True),
        Alarm.MOS_OVERTEMPERATURE: (True, True),
    }


def test_barred_as_long_as_any_alarm_says_so() -> None:
    protections = Protections(SETTINGS)
    protections.step(5, readings(cell_voltages_v=(3.3, 2.6, 3.3, 3.7)), SETTINGS)
    assert (protections.bars_charge, protections.bars_discharge) == (True, True)
    protections.step(5, cell(2.6), SETTINGS)
    assert (protections.bars_charge, protections.bars_discharge) == (False, True)


def test_a_lost_probe_releases_nothing_and_trips_nothing() -> None:
    protections = Protections(SETTINGS)
    lost = readings(probe_temperatures_c=(None, None))
    protections.step(5, lost, SETTINGS)
    assert protections.alarms == frozenset()
    protections.step(5, probe(52), SETTINGS)
    protections.step(100, lost, SETTINGS)
    assert protections.alarms == {Alarm.CHARGE_OVERTEMPERATURE}


def test_cells_that_are_not_there_are_not_empty() -> None:
    protections = Protections(SETTINGS)
    protections.step(5, readings(cell_voltages_v=(0.0,) * 4, pack_voltage_v=0.0), SETTINGS)
    protections.step(5, cell(0.0), SETTINGS)
    assert Alarm.CELL_UNDERVOLTAGE not in protections.alarms
    assert Alarm.PACK_UNDERVOLTAGE not in protections.alarms


def test_a_board_without_the_settings_does_not_guard() -> None:
    protections = Protections({"cell_count", "balancer_switch"})
    assert protections.step(1000, cell(4.5), {}) == []
    assert not protections.bars_charge
