"""The cell against the formulas and figures it is built from."""

from __future__ import annotations

from math import exp

import pytest

from simulator.cell import Cell, open_circuit_voltage_v, temperature_factor


def rested(state_of_charge: float, **arguments: float) -> Cell:
    return Cell(headroom_ah=280 * (1 - state_of_charge), **arguments)


@pytest.mark.parametrize(
    ("state_of_charge", "voltage_v"),
    [
        (0.0, 2.286),
        (0.005, 2.683),
        (0.075, 3.146),
        (0.125, 3.207),
        (0.50, 3.2995),
        (0.925, 3.3433),
        (0.985, 3.3522),
        (0.995, 3.3963),
        (1.0, 3.5305),
        # between two points of the table
        (0.04, 3.016),
        (0.525, 3.30025),
        (0.9970, 3.450),
        (0.99514, 3.400),
        (0.99264, 3.380),
    ],
)
def test_open_circuit_voltage(state_of_charge: float, voltage_v: float) -> None:
    assert open_circuit_voltage_v(state_of_charge) == pytest.approx(voltage_v, abs=2e-4)


def test_open_circuit_voltage_goes_straight_on_outside_the_table() -> None:
    assert open_circuit_voltage_v(1.01) - open_circuit_voltage_v(1.0) == pytest.approx(0.268, abs=0.002)
    assert open_circuit_voltage_v(0.0) - open_circuit_voltage_v(-0.01) == pytest.approx(0.79, abs=0.01)


@pytest.mark.parametrize(
    ("temperature_c", "factor"),
    [(-20, 2.6), (-10, 2.6), (0, 1.9), (10, 1.43), (25, 1.0), (40, 0.795), (55, 0.795), (5, (1.9 * 1.43) ** 0.5)],
)
def test_resistance_by_temperature(temperature_c: float, factor: float) -> None:
    assert temperature_factor(temperature_c) == pytest.approx(factor, rel=1e-3)


def test_a_step_of_current_shows_the_ohmic_part_at_once_and_the_two_relaxations_later() -> None:
    cell = rested(0.5)
    cell.step(0.001, -100.0)
    assert open_circuit_voltage_v(0.5) - cell.voltage_v == pytest.approx(0.022, rel=0.01)
    cell.step(29.999, -100.0)
    assert cell.fast_v == pytest.approx(-0.010 * (1 - exp(-1)), rel=0.01)
    assert cell.slow_v == pytest.approx(-0.015 * (1 - exp(-30 / 900)), rel=0.01)


def test_relaxation_has_both_time_constants() -> None:
    cell = rested(0.5)
    cell.fast_v, cell.slow_v = 0.010, 0.015
    cell.step(30.0, 0.0)
    assert cell.fast_v == pytest.approx(0.010 / 2.71828, rel=1e-4)
    cell.step(870.0, 0.0)
    assert cell.slow_v == pytest.approx(0.015 / 2.71828, rel=1e-4)


def test_relaxation_does_not_depend_on_the_step() -> None:
    fine, coarse = rested(0.5), rested(0.5)
    for _ in range(60):
        fine.step(1.0, 50.0)
    coarse.step(60.0, 50.0)
    assert fine.voltage_v == pytest.approx(coarse.voltage_v, abs=1e-4)


def test_hysteresis_opens_towards_the_branch_of_the_current_and_holds_at_rest() -> None:
    cell = rested(0.5)
    for _ in range(3600):
        cell.step(1.0, 28.0)
    assert cell.hysteresis == pytest.approx(1.0, abs=1e-3)
    for _ in range(8):
        cell.step(1800.0, 0.0)
    assert cell.hysteresis == pytest.approx(1.0, abs=1e-3)
    assert cell.voltage_v - open_circuit_voltage_v(cell.state_of_charge) == pytest.approx(0.019, abs=1e-4)
    cell.step(360.0, -28.0)  # 1 % of the capacity back: a reversal is 1 - 1/e done
    assert cell.hysteresis == pytest.approx(-1 + 2 * exp(-1), abs=1e-3)


@pytest.mark.parametrize(
    ("state_of_charge", "width_v"),
    [(0.0, 0.030), (0.2, 0.025), (0.3, 0.029), (0.35, 0.026), (0.5, 0.019), (0.9, 0.017)],
)
@pytest.mark.parametrize("side", [1.0, -1.0])
def test_hysteresis_width(state_of_charge: float, width_v: float, side: float) -> None:
    cell = rested(state_of_charge)
    cell.hysteresis = side
    cell.step(1.0, 0.0)
    assert cell.voltage_v - open_circuit_voltage_v(state_of_charge) == pytest.approx(side * width_v)


def test_charge_is_counted_with_its_loss() -> None:
    cell = rested(0.5)
    cell.step(3600.0, 14.0)
    assert cell.charge_ah == pytest.approx(140 + 0.995 * 14)
    cell.step(3600.0, -14.0)
    assert cell.charge_ah == pytest.approx(140 - 0.005 * 14)


@pytest.mark.parametrize(
    ("state_of_charge", "current_a", "factor"), [(0.9, 50.0, 1.19), (0.9, -50.0, 0.89), (0.2, -50.0, 1.05)]
)
def test_resistance_depends_on_charge_and_direction(state_of_charge: float, current_a: float, factor: float) -> None:
    cell = rested(state_of_charge)
    cell.step(0.001, current_a)
    assert (cell.voltage_v - open_circuit_voltage_v(state_of_charge)) / current_a == pytest.approx(
        0.22e-3 * factor, rel=0.01
    )


def test_heat_of_a_settled_current_is_joule_and_entropy() -> None:
    cell = rested(0.5)
    cell.fast_v, cell.slow_v = -0.010, -0.015
    cell.step(0.01, -100.0)
    joule_w = 100**2 * 0.47e-3
    assert cell.heat_w == pytest.approx(joule_w - 100 * 298.15 * 1.1e-4, rel=1e-3)


def test_a_heater_is_heat_and_no_current() -> None:
    cell = rested(0.5)
    cell.heater_w = 54.2
    cell.step(100.0, 0.0)
    assert cell.heat_w == pytest.approx(54.2)
    assert cell.charge_ah == 140


def test_a_big_cell_is_the_same_cell_in_parallel() -> None:
    small, big = Cell(100.0, headroom_ah=40.0), Cell(300.0, headroom_ah=120.0)
    for _ in range(600):
        small.step(1.0, 30.0)
        big.step(1.0, 90.0)
    assert big.voltage_v == pytest.approx(small.voltage_v)
    assert big.heat_w == pytest.approx(3 * small.heat_w)


def test_a_short_of_100_w_drains_30_a_and_heats() -> None:
    cell = rested(0.5)
    cell.short_w = 100.0
    sound_v = cell.voltage_v
    cell.step(1.0, 0.0)
    assert sound_v - cell.voltage_v == pytest.approx(0.0067, abs=0.001)  # 30 A through 0.22 mΩ
    cell.step(3599.0, 0.0)
    assert 140 - cell.charge_ah == pytest.approx(30.3, rel=0.02)
    # At 3.29 V the short itself gives 99 W; the 30 A flow through the rest of the cell, too.
    assert cell.heat_w == pytest.approx(99, abs=2)


def test_self_discharge_takes_its_share_of_the_capacity_in_a_month() -> None:
    cell = rested(0.8)
    cell.self_discharge_per_month = 0.03
    for _ in range(30):
        cell.step(86400.0, 0.0)
    assert 0.8 * 280 - cell.charge_ah == pytest.approx(0.03 * 280)


def test_a_weak_cell_keeps_its_headroom() -> None:
    cell = rested(0.9)
    cell.lose_capacity(0.06)
    assert cell.capacity_ah == pytest.approx(280 * 0.94)
    assert cell.capacity_ah - cell.charge_ah == pytest.approx(28.0)


def test_a_bad_contact_adds_to_the_voltage_and_heats() -> None:
    good, bad = rested(0.5), rested(0.5, contact_ohm=0.5e-3)
    for cell in (good, bad):
        cell.step(1.0, -100.0)
    assert good.voltage_v - bad.voltage_v == pytest.approx(0.050)
    assert bad.heat_w - good.heat_w == pytest.approx(5.0)
