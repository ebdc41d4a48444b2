"""The pack and what its board makes of it."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from math import sqrt
from statistics import correlation, fmean, stdev

import pytest

from simulator.cell import CHARGE_EFFICIENCY
from simulator.pack import (
    BalanceAction,
    BoardSettings,
    Jump,
    Measurement,
    MeasuringErrors,
    Missing,
    OpenWire,
    Pack,
    Stuck,
)

NO_BALANCING = BoardSettings(balancer_enabled=False)


def exact(pack: Pack) -> None:
    """Give the pack a board without any error."""
    pack.errors = MeasuringErrors(
        cell_offsets_v=(0.0,) * len(pack.cells),
        probe_offsets_k=(0.0,) * len(pack.heat.probe_cells),
        current_gain=1.0,
        current_offset_a=0.0,
        dead_zone_a=0.0,
        cell_noise_v=0.0,
        current_noise_a=0.0,
        probe_noise_k=0.0,
    )


def alike(pack: Pack, state_of_charge: float) -> None:
    """Make all cells the same, so that one of them can differ on purpose."""
    for cell in pack.cells:
        cell.capacity_ah = cell.nominal_ah
        cell.charge_ah = cell.nominal_ah * state_of_charge
        cell.resistance_factor = 1.0
        cell.contact_ohm = 0.0
        cell.self_discharge_per_month = 0.0


def full_pack_with_runner(ahead_ah: float, settings: BoardSettings) -> Pack:
    """Cells at 3.43 V, the third one ahead of them."""
    pack = Pack(settings=NO_BALANCING)
    exact(pack)
    alike(pack, 0.9962)
    pack.cells[2].charge_ah += ahead_ah
    pack.step(0.1, 0.0)
    pack.settings = settings
    return pack


def life(seed: int, *, measured: bool = False) -> list[object]:
    pack = Pack(seed=seed, state_of_charge=0.97)
    for _ in range(300):
        pack.step(1.0, 60.0)
        if measured:
            pack.measure()
    return [*((cell.voltage_v, cell.charge_ah) for cell in pack.cells), pack.remaining_ah]


class TestCells:
    @pytest.mark.parametrize("count", [3, 8, 16, 24, 32])
    def test_any_count(self, count: int) -> None:
        pack = Pack(count, 100.0)
        pack.step(1.0, 10.0)
        measured = pack.measure()
        assert len(measured.cell_voltages_v) == len(measured.lead_resistances_ohm) == count
        assert pack.voltage_v == pytest.approx(count * 3.3, rel=0.01)
        assert max(pack.heat.probe_cells) < count

    @pytest.mark.parametrize("count", [2, 33])
    def test_no_other_count(self, count: int) -> None:
        with pytest.raises(ValueError, match="3 to 32"):
            Pack(count)

    def test_the_seed_decides(self) -> None:
        assert life(7) == life(7)
        assert life(7) != life(8)

    def test_measuring_changes_nothing(self) -> None:
        assert life(7, measured=True) == life(7)

    def test_cells_lack_the_same_charge_at_the_top(self) -> None:
        headrooms_ah = [cell.capacity_ah - cell.charge_ah for cell in Pack(state_of_charge=0.6).cells]
        assert 112.0 <= min(headrooms_ah) < max(headrooms_ah) <= 112.0 + 0.14

    def test_charge_flows_through_every_cell_alike(self) -> None:
        pack = Pack(settings=NO_BALANCING)
        for cell in pack.cells:
            cell.self_discharge_per_month = 0.0
        before_ah = [cell.charge_ah for cell in pack.cells]
        for _ in range(600):
            pack.step(1.0, 84.0)
        for _ in range(600):
            pack.step(1.0, -84.0)
        gained_ah = [cell.charge_ah - before for cell, before in zip(pack.cells, before_ah, strict=True)]
        assert gained_ah == pytest.approx([-14.0 * (1 - CHARGE_EFFICIENCY)] * 16)

    def test_a_long_step_is_many_short_ones(self) -> None:
        fine, coarse = Pack(), Pack()
        for _ in range(720):
            fine.step(5.0, 20.0)
        coarse.step(3600.0, 20.0)
        assert coarse.voltage_v == pytest.approx(fine.voltage_v, abs=1e-9)

    @pytest.mark.parametrize(
        ("charge_on", "discharge_on", "wanted_a", "flowing_a"),
        [
            (True, True, 30.0, 30.0),
            (False, True, 30.0, 0.0),
            (False, True, -30.0, -30.0),
            (True, False, -30.0, 0.0),
            (True, False, 30.0, 30.0),
            (False, False, -30.0, 0.0),
        ],
    )
    def test_an_open_mosfet_bars_its_direction(
        self, *, charge_on: bool, discharge_on: bool, wanted_a: float, flowing_a: float
    ) -> None:
        pack = Pack()
        pack.charge_mosfet_on, pack.discharge_mosfet_on = charge_on, discharge_on
        before_ah = pack.cells[0].charge_ah
        pack.step(60.0, wanted_a)
        assert pack.current_a == flowing_a
        assert (pack.cells[0].charge_ah - before_ah > 1e-3) == (flowing_a > 0)


class TestHeat:
    def test_the_pack_follows_the_room_in_six_hours(self) -> None:
        pack = Pack(ambient_c=20.0)
        pack.ambient_c = 30.0
        pack.step(6.0 * 3600, 0.0)
        assert fmean(cell.temperature_c for cell in pack.cells) == pytest.approx(30 - 10 / 2.71828, abs=0.5)

    def test_a_fan_takes_heat_out(self) -> None:
        still, moved = Pack(ambient_c=25.0), Pack(ambient_c=25.0)
        moved.fan = 1.0
        for pack in (still, moved):
            pack.step(3600.0, -140.0)
            pack.step(3 * 3600.0, 0.0)
        rises_k = [fmean(cell.temperature_c for cell in pack.cells) - 25 for pack in (still, moved)]
        assert 4 < rises_k[0] < 6
        assert rises_k[1] < 0.6 * rises_k[0]

    def test_neighbours_share_heat(self) -> None:
        pack = Pack(ambient_c=25.0)
        pack.cells[5].heater_w = 100.0
        pack.step(600.0, 0.0)
        rises_k = [cell.temperature_c - 25.0 for cell in pack.cells]
        # 0.45 W/K times a mean difference of 5.1 K over 600 s into 5800 J/K, less what the air takes
        assert rises_k[4] == pytest.approx(0.23, abs=0.02)
        assert rises_k[4] == pytest.approx(rises_k[6], rel=0.02)
        assert rises_k[4] > 5 * rises_k[3] > 0
        assert sum(rises_k) * 5800 == pytest.approx(100 * 600, rel=0.04)

    def test_a_short_heats_its_cell_and_no_other(self) -> None:
        pack = Pack(ambient_c=25.0)
        pack.cells[5].short_w = 300.0
        pack.step(300.0, 0.0)
        rises_k = [cell.temperature_c - 25.0 for cell in pack.cells]
        # 300 W / 5800 J/K, and the 91 A in the cell's own resistance; less as the voltage sags.
        assert rises_k[5] / 5 == pytest.approx(3.0, abs=0.15)
        assert max(rises_k[:4] + rises_k[7:]) < 0.05

    def test_a_short_pulls_down_the_voltage_of_its_cell(self) -> None:
        pack = Pack(ambient_c=25.0)
        exact(pack)
        pack.cells[5].short_w = 300.0
        sags_v = []
        for _ in range(2):
            pack.step(60.0, 0.0)
            voltages_v = pack.measure().cell_voltages_v
            sags_v.append(fmean(voltages_v[:5] + voltages_v[6:]) - voltages_v[5])
        assert 0.025 < sags_v[0] < sags_v[1] < 0.08

    def test_a_probe_lags_behind_its_cell(self) -> None:
        pack = Pack(ambient_c=20.0, probe_count=4)
        exact(pack)
        assert pack.heat.probe_cells == (2, 6, 10, 14)
        pack.cells[6].temperature_c = 40.0
        for _ in range(45):
            pack.step(1.0, 0.0)
        cold, warm, *_ = pack.measure().probe_temperatures_c
        assert warm == pytest.approx(20 + 20 * 0.93 * (1 - 1 / 2.71828), abs=0.3)
        assert cold == pytest.approx(20.0, abs=0.1)

    def test_the_mosfet_is_16_k_warmer_than_the_air_at_100_a(self) -> None:
        pack = Pack(ambient_c=20.0)
        exact(pack)
        pack.step(400.0, -100.0)
        assert pack.measure().mos_temperature_c == pytest.approx(20 + 15.6 * (1 - 1 / 2.71828), abs=0.2)
        pack.step(3600.0, -100.0)
        assert pack.measure().mos_temperature_c - pack.heat.air_c == pytest.approx(15.6, abs=0.4)


class TestBalancer:
    def test_drains_the_highest_then_charges_the_lowest(self) -> None:
        pack = full_pack_with_runner(0.3, NO_BALANCING)
        pack.cells[9].charge_ah -= 0.2
        pack.step(0.1, 0.0)
        pack.settings = BoardSettings()
        seen = []
        for _ in range(10):
            pack.step(1.0, 0.0)
            measured = pack.measure()
            seen.append((measured.balance_action, pack.balancer.cell, measured.balance_current_a))
        assert seen[:5] == [(BalanceAction.DRAINING, 2, -2.0)] * 5
        assert [entry[:2] for entry in seen[5:]] == [(BalanceAction.CHARGING, 9)] * 5
        assert sum(current_a for *_, current_a in seen[5:]) == pytest.approx(0.85 * 2.0 * 5)

    def test_moves_one_ampere_on_average_at_its_efficiency(self) -> None:
        pack = full_pack_with_runner(2.0, BoardSettings())
        before_ah = [cell.charge_ah for cell in pack.cells]
        drained_ah = 0.0
        for _ in range(3600):
            pack.step(1.0, 0.0)
            measured = pack.measure()
            if measured.balance_action is BalanceAction.DRAINING:
                drained_ah -= measured.balance_current_a / 3600
        gained_ah = [cell.charge_ah - before for cell, before in zip(pack.cells, before_ah, strict=True)]
        assert drained_ah == pytest.approx(1.0, rel=0.01)
        assert gained_ah[2] == pytest.approx(-1.0, rel=0.01)
        assert sum(gained_ah) - gained_ah[2] == pytest.approx(0.85 * CHARGE_EFFICIENCY, rel=0.01)

    @pytest.mark.parametrize(
        "settings",
        [
            NO_BALANCING,
            BoardSettings(balance_start_v=3.60),
            BoardSettings(balance_trigger_v=0.5),
        ],
    )
    def test_rests_unless_on_high_and_apart(self, settings: BoardSettings) -> None:
        pack = full_pack_with_runner(0.3, settings)
        pack.step(60.0, 0.0)
        measured = pack.measure()
        assert measured.balance_action is BalanceAction.OFF
        assert measured.balance_current_a == 0

    def test_stops_within_the_trigger(self) -> None:
        pack = full_pack_with_runner(0.3, BoardSettings())
        pack.step(3600.0, 0.0)
        assert pack.balancer.action is BalanceAction.OFF
        voltages_v = [cell.voltage_v for cell in pack.cells]
        assert max(voltages_v) - min(voltages_v) < 0.005

    def test_stops_at_once_when_switched_off(self) -> None:
        pack = full_pack_with_runner(0.3, BoardSettings())
        pack.step(1.0, 0.0)
        assert pack.balancer.action is BalanceAction.DRAINING
        pack.settings = NO_BALANCING
        pack.step(1.0, 0.0)
        assert pack.measure().balance_action is BalanceAction.OFF

    def test_what_was_drained_before_a_switch_off_is_not_carried_over_it(self) -> None:
        pack = full_pack_with_runner(2.0, BoardSettings())
        pack.step(5.0, 0.0)
        pack.settings = NO_BALANCING
        pack.step(1.0, 0.0)
        pack.settings = BoardSettings()
        returned_as = 0.0
        for _ in range(10):
            pack.step(1.0, 0.0)
            returned_as += max(0.0, pack.measure().balance_current_a)
        assert returned_as == pytest.approx(0.85 * 2.0 * 5)

    def test_lead_resistances_rise_towards_the_middle_and_are_read_while_balancing(self) -> None:
        pack = full_pack_with_runner(0.3, NO_BALANCING)
        before_ohm = pack.measure().lead_resistances_ohm
        assert before_ohm[0] == pytest.approx(0.06, abs=0.004)
        assert before_ohm[8] == pytest.approx(0.14, abs=0.01)
        pack.lead_resistances_ohm[3] = 0.9
        pack.step(1.0, 0.0)
        assert pack.measure().lead_resistances_ohm == before_ohm
        pack.settings = BoardSettings()
        pack.step(1.0, 0.0)
        assert pack.measure().lead_resistances_ohm[3] == 0.9


class TestMeasuring:
    def test_a_usual_board_is_off_by_a_little(self) -> None:
        offsets_a = []
        for seed in range(20):
            errors = Pack(seed=seed).errors
            assert 0.001 < max(map(abs, errors.cell_offsets_v)) <= 0.003
            assert max(map(abs, errors.probe_offsets_k)) <= 1
            assert 0.99 <= errors.current_gain <= 1.01
            assert 0.3 <= errors.dead_zone_a <= 0.5
            offsets_a.append(errors.current_offset_a)
        assert min(offsets_a) < -0.3
        assert max(offsets_a) > 0.3
        assert all(0.3 <= abs(offset_a) <= 1.0 for offset_a in offsets_a)

    def test_cells_are_read_with_offset_noise_and_in_millivolts(self) -> None:
        pack = Pack(settings=NO_BALANCING)
        pack.step(1.0, 0.0)
        readings_mv = {1000 * pack.measure().cell_voltages_v[4] for _ in range(200)}
        assert all(reading == pytest.approx(round(reading), abs=1e-6) for reading in readings_mv)
        assert 2 <= len(readings_mv) <= 4
        true_mv = 1000 * (pack.cells[4].voltage_v + pack.errors.cell_offsets_v[4])
        assert max(abs(reading - true_mv) for reading in readings_mv) <= 1.5 + 1e-6

    def test_pack_voltage_is_of_the_same_instant_as_its_cells(self) -> None:
        pack = Pack(24)
        apart_mv = set()
        for second in range(200):
            pack.step(1.0, second % 50)
            measured = pack.measure()
            apart_mv.add(round(1000 * (measured.pack_voltage_v - sum(measured.cell_voltages_v))))
        assert apart_mv == {-2, -1, 0, 1, 2}

    def test_under_a_ripple_each_reading_is_of_its_own_instant(self) -> None:
        pack = Pack()
        exact(pack)
        pack.step(1.0, -80.0)
        calm = pack.measure()
        seen = [pack.measure(5.0) for _ in range(2000)]
        currents_a = [one.current_a for one in seen]
        assert fmean(currents_a) == pytest.approx(-80.0, abs=0.5)
        assert stdev(currents_a) == pytest.approx(5.0, rel=0.1)
        assert abs(correlation(currents_a, [one.sensor_current_a for one in seen])) < 0.1
        first_mv, second_mv = ([1000 * one.cell_voltages_v[cell] for one in seen] for cell in (0, 1))
        assert stdev(first_mv) == pytest.approx(5000 * pack.cells[0].ohmic_ohm, rel=0.1)
        assert correlation(first_mv, second_mv) > 0.9, "all cells are of one instant"
        ohmic_ohm = sum(cell.ohmic_ohm for cell in pack.cells)
        assert 0.003 < ohmic_ohm < 0.007
        residuals_v = [one.pack_voltage_v - sum(one.cell_voltages_v) for one in seen]
        assert stdev(residuals_v) == pytest.approx(5.0 * sqrt(2) * ohmic_ohm, rel=0.1)
        assert calm.sensor_current_a == calm.current_a == -80.0

    def test_a_ripple_is_seeded_and_changes_nothing_but_readings(self) -> None:
        def lives(ripple_a: float) -> tuple[list[Measurement], list[float]]:
            pack, seen = Pack(seed=7), []
            for _ in range(20):
                pack.step(1.0, 60.0)
                seen.append(pack.measure(ripple_a))
            return seen, [cell.voltage_v for cell in pack.cells]

        assert lives(3.0) == lives(3.0)
        assert lives(3.0)[0] != lives(0.0)[0]
        assert lives(3.0)[1] == lives(0.0)[1]

    def test_nothing_ripples_that_does_not_flow_or_is_not_seen(self) -> None:
        pack = Pack()
        pack.step(1.0, 0.0)
        assert (pack.measure(5.0).current_a, pack.measure(5.0).sensor_current_a) == (0.0, 0.0)
        pack.step(1.0, 0.2)
        assert pack.measure(5.0).current_a == 0.0, "within the dead zone"
        pack.current_error = Stuck(12.0)
        pack.step(1.0, 60.0)
        assert (pack.measure(5.0).current_a, pack.measure(5.0).sensor_current_a) == (12.0, 12.0)

    def test_highest_and_lowest_are_those_of_the_readings(self) -> None:
        pack = Pack()
        pack.cells[11].charge_ah -= 100
        pack.cell_errors[7] = Jump(0.3)
        pack.step(1.0, 0.0)
        measured = pack.measure()
        assert (measured.highest_cell, measured.lowest_cell) == (7, 11)

    def test_a_current_in_the_dead_zone_reads_zero(self) -> None:
        pack = Pack()
        pack.errors = replace(pack.errors, dead_zone_a=0.4, current_offset_a=0.7, current_gain=1.01)
        for true_a in (0.0, 0.39, -0.39):
            pack.step(1.0, true_a)
            assert pack.measure().current_a == 0.0
        for true_a in (0.41, 50.0, -50.0):
            pack.step(1.0, true_a)
            assert pack.measure().current_a == pytest.approx(1.01 * true_a + 0.7, abs=0.0505)

    def test_a_resting_pack_without_dead_zone_flickers_by_50_ma(self) -> None:
        pack = Pack()
        pack.errors = replace(pack.errors, dead_zone_a=0.0, current_offset_a=0.0)
        currents_a = []
        for _ in range(300):
            pack.step(1.0, 0.0)
            currents_a.append(pack.measure().current_a)
        assert 0.045 < max(currents_a) <= 0.05
        assert -0.045 > min(currents_a) >= -0.05
        assert any(one != other for one, other in pairwise(currents_a))

    def test_probes_read_tenths_with_their_offsets(self) -> None:
        pack = Pack(ambient_c=20.0, probe_count=3)
        pack.errors = replace(pack.errors, probe_offsets_k=(1.0, 0.0, -1.0))
        assert pack.measure().probe_temperatures_c == pytest.approx((21.0, 20.0, 19.0), abs=0.11)
        assert pack.measure().mos_temperature_c == pytest.approx(20.0, abs=0.11)


class TestSensorErrors:
    def test_stuck(self) -> None:
        pack = Pack()
        pack.cell_errors[0] = Stuck(3.333)
        pack.probe_errors[1] = Stuck(44.0)
        pack.current_error = Stuck(12.5)
        for _ in range(3):
            pack.step(60.0, -80.0)
            measured = pack.measure()
            assert measured.cell_voltages_v[0] == 3.333
            assert measured.probe_temperatures_c[1] == 44.0
            assert measured.current_a == 12.5

    def test_jump(self) -> None:
        pack = Pack(settings=NO_BALANCING)
        exact(pack)
        pack.step(1.0, 10.0)
        before = pack.measure()
        pack.cell_errors[3] = Jump(-0.2)
        pack.probe_errors[0] = Jump(15.0)
        pack.current_error = Jump(5.0)
        pack.step(0.001, 10.0)
        after = pack.measure()
        assert after.cell_voltages_v[3] == pytest.approx(before.cell_voltages_v[3] - 0.2, abs=0.0011)
        assert after.probe_temperatures_c[0] == 35.0
        assert after.current_a == 15.0
        assert after.pack_voltage_v == pytest.approx(before.pack_voltage_v, abs=0.006)

    def test_missing(self) -> None:
        pack = Pack()
        pack.cell_errors[15] = Missing()
        pack.probe_errors[0] = Missing()
        pack.current_error = Missing()
        pack.step(1.0, 30.0)
        measured = pack.measure()
        assert measured.cell_voltages_v[15] == 0
        assert measured.lowest_cell != 15
        assert measured.probe_temperatures_c[0] is None
        assert measured.probe_temperatures_c[1] is not None
        assert measured.current_a == 0

    def test_an_open_wire_shifts_two_neighbours_apart(self) -> None:
        pack = Pack(settings=NO_BALANCING)
        exact(pack)
        before = pack.measure()
        pack.cell_errors[6] = OpenWire()
        after = pack.measure()
        assert after.cell_voltages_v[6] == pytest.approx(before.cell_voltages_v[6] - 0.8)
        assert after.cell_voltages_v[7] == pytest.approx(before.cell_voltages_v[7] + 0.8)
        assert sum(after.cell_voltages_v) == pytest.approx(sum(before.cell_voltages_v))

    def test_a_board_without_any_cell_reads_all_zero(self) -> None:
        pack = Pack(8, 100.0)
        pack.cell_errors = {index: Missing() for index in range(8)}
        pack.step(1.0, 0.0)
        measured = pack.measure()
        assert measured.cell_voltages_v == (0,) * 8
        assert measured.state_of_charge == 0
        assert measured.balance_action is BalanceAction.OFF

    def test_the_balancer_believes_its_readings(self) -> None:
        pack = Pack(state_of_charge=0.5)
        exact(pack)
        pack.cell_errors[4] = Stuck(3.5)
        pack.step(1.0, 0.0)
        assert (pack.balancer.action, pack.balancer.cell) == (BalanceAction.DRAINING, 4)


class TestCounting:
    def test_the_board_counts_what_it_reads(self) -> None:
        pack = Pack(state_of_charge=0.5)
        pack.errors = replace(pack.errors, current_gain=1.01, current_offset_a=0.5)
        pack.step(3600.0, -50.0)
        measured = pack.measure()
        assert measured.remaining_ah == pytest.approx(140 - 50 * 1.01 + 0.5, abs=0.02)
        assert measured.state_of_charge == pytest.approx(measured.remaining_ah / 280, abs=1e-5)

    def test_it_does_not_see_a_small_drain(self) -> None:
        pack = Pack(state_of_charge=0.5)
        charge_ah = pack.cells[0].charge_ah
        pack.step(24 * 3600.0, -0.25)
        assert charge_ah - pack.cells[0].charge_ah > 6
        assert pack.measure().remaining_ah == 140.0

    def test_a_cell_at_the_soc_100_voltage_means_full(self) -> None:
        pack = full_pack_with_runner(0.0, replace(NO_BALANCING, soc_100_voltage_v=3.445))
        pack.remaining_ah = 200.0
        pack.step(1.0, 1.0)
        assert pack.measure().state_of_charge < 0.75
        while max(cell.voltage_v for cell in pack.cells) < 3.445:
            assert pack.measure().state_of_charge < 0.75
            pack.step(1.0, 20.0)
        pack.step(1.0, 20.0)
        measured = pack.measure()
        assert measured.state_of_charge == 1.0
        assert measured.remaining_ah == measured.full_ah == 280.0

    def test_a_cell_at_the_soc_0_voltage_means_empty(self) -> None:
        pack = Pack(state_of_charge=0.5)
        pack.cell_errors[2] = Stuck(2.81)
        pack.step(1.0, 0.0)
        assert pack.measure().state_of_charge == 0.5
        pack.cell_errors[2] = Stuck(2.80)
        pack.step(1.0, 0.0)
        assert pack.measure().state_of_charge == 0.0

    def test_the_count_stays_between_empty_and_full(self) -> None:
        pack = Pack(state_of_charge=0.5)
        pack.current_error = Stuck(300.0)
        pack.step(3600.0, 0.0)
        assert pack.measure().remaining_ah == 280.0
        pack.current_error = Stuck(-300.0)
        pack.step(3600.0, 0.0)
        assert pack.measure().remaining_ah == 0.0

    def test_cycles_and_throughput_grow_with_discharge_only(self) -> None:
        pack = Pack(state_of_charge=0.5)
        exact(pack)
        pack.throughput_ah = 2 * 280 - 10.0
        pack.step(1800.0, 40.0)
        measured = pack.measure()
        assert (measured.cycles, measured.throughput_ah) == (1, 550.0)
        pack.step(1800.0, -40.0)
        measured = pack.measure()
        assert (measured.cycles, measured.throughput_ah) == (2, 570.0)


class TestFaults:
    def test_a_runner_and_a_low_cell_part_from_the_others_at_the_top(self) -> None:
        pack = Pack(settings=NO_BALANCING)
        alike(pack, 0.985)
        pack.cells[1].charge_ah += 2.0
        pack.cells[2].charge_ah -= 2.0
        while pack.cells[0].voltage_v < 3.42:
            pack.step(1.0, 28.0)
        runner_v, low_v = pack.cells[1].voltage_v, pack.cells[2].voltage_v
        assert runner_v > 3.55
        assert low_v < 3.40

    def test_a_high_resistance_swaps_sign_with_the_current(self) -> None:
        pack = Pack(settings=NO_BALANCING)
        alike(pack, 0.5)
        pack.cells[3].resistance_factor = 2.0
        apart_v = []
        for current_a in (100.0, -100.0):
            pack.step(1.0, current_a)
            apart_v.append(pack.cells[3].voltage_v - pack.cells[4].voltage_v)
        assert apart_v[0] > 0.02
        assert apart_v[1] < -0.02
