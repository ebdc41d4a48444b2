"""The house's day and the charger between it and the pack."""

from __future__ import annotations

from math import exp

import pytest

from simulator.charger import Charger, House
from simulator.pack import Pack


def day_ah(house: House, day: int, *, positive: bool) -> float:
    currents_a = (house.current_a(day * 86400.0 + second) for second in range(0, 86400, 60))
    return sum(current_a for current_a in currents_a if (current_a > 0) == positive) / 60


def test_a_day_is_a_function_of_time_seed_and_capacity() -> None:
    times_s = range(0, 86400, 977)
    one = [House(280.0, seed=1).current_a(t_s) for t_s in times_s]
    assert [House(280.0, seed=1).current_a(t_s) for t_s in reversed(times_s)] == one[::-1]
    assert [House(280.0, seed=2).current_a(t_s) for t_s in times_s] != one
    assert [2 * House(140.0, seed=1).current_a(t_s) for t_s in times_s] == pytest.approx(one)
    assert [House(280.0, seed=1).current_a(86400 + t_s) for t_s in times_s] != one


def test_the_sun_charges_by_day_and_the_evening_draws() -> None:
    house = House(280.0)
    for day in range(7):
        midnight_s = day * 86400.0
        assert house.current_a(midnight_s + 12 * 3600) > 10
        assert -60 < house.current_a(midnight_s + 20 * 3600) < -20
        assert house.current_a(midnight_s + 3 * 3600) < 0
        assert 150 < day_ah(house, day, positive=True) < 520
        assert 150 < -day_ah(house, day, positive=False) < 280


def test_the_current_follows_the_offer_with_a_lag() -> None:
    charger = Charger(cell_count=16, lag_s=20.0)
    for _ in range(20):
        current_a = charger.step(1.0, 60.0, 52.0)
    assert current_a == pytest.approx(60 * (1 - exp(-1)), rel=1e-3)


def test_no_more_than_the_limits() -> None:
    charger = Charger(cell_count=16, charge_current_limit_a=40.0, discharge_current_limit_a=30.0)
    for _ in range(300):
        current_a = charger.step(1.0, 90.0, 52.0)
    assert current_a == pytest.approx(40.0)
    assert charger.step(1.0, -90.0, 52.0) == -30.0


def test_near_the_voltage_limit_it_rises_by_its_gain_and_above_it_falls() -> None:
    charger = Charger(cell_count=16)
    assert charger.step(1.0, 100.0, 55.2 - 0.4) == pytest.approx(1.0)
    assert charger.step(1.0, 100.0, 55.2 - 0.4) == pytest.approx(2.0)
    assert charger.step(1.0, 100.0, 55.2 + 0.2) == pytest.approx(1.5)
    for _ in range(5):
        falling_a = charger.step(1.0, 100.0, 55.2 + 0.01)
    assert falling_a == pytest.approx(1.5 * exp(-0.5))


def test_it_stops_discharging_an_empty_pack_until_that_recovered() -> None:
    charger = Charger(cell_count=16)
    assert charger.step(1.0, -20.0, 47.3) == -20.0
    assert charger.step(1.0, -20.0, 47.1) == 0.0
    assert charger.step(1.0, -20.0, 48.7) == 0.0
    assert charger.step(1.0, -20.0, 48.9) == -20.0


def test_it_fills_a_pack_to_its_voltage_limit_without_swinging() -> None:
    pack, charger = Pack(state_of_charge=0.97), Charger(cell_count=16)
    highest_v = 0.0
    for _ in range(7200):
        pack.step(1.0, charger.step(1.0, 50.0, pack.voltage_v))
        highest_v = max(highest_v, pack.voltage_v)
    assert 55.1 < pack.voltage_v < 55.25
    assert highest_v < 55.6
    assert 0 <= pack.current_a < 3


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_week_keeps_the_pack_between_empty_and_full(seed: int) -> None:
    pack, house, charger = Pack(8, 100.0, seed=seed), House(100.0, seed), Charger(cell_count=8)
    charges = []
    for t_s in range(0, 7 * 86400, 5):
        pack.step(5.0, charger.step(5.0, house.current_a(t_s), pack.voltage_v))
        charges.append(pack.cells[0].state_of_charge)
    assert 0.1 < min(charges) < 0.4
    assert 0.98 < max(charges) < 1.01
