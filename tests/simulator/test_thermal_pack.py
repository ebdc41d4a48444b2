"""The pack that gets hot, against laws of physics and against a table of what another implementation made of it."""

from __future__ import annotations

from statistics import median
from typing import Final

import pytest

from benchmarks.heat.detection import MARKS_C
from benchmarks.heat.scenarios import Play, Scenario, read
from simulator.heat import AIR_J_PER_K, CELL_J_PER_K
from simulator.thermal_pack import CELLS, Surroundings, ThermalPack
from tests.shared import SCENARIOS, needs_scenarios

LOOKED_AT: Final = ("f01", "f03", "f04", "f05", "f07", "f08", "f09", "f10", "f12", "f13", "m02", "m03", "m04", "m07")
"""Rows that pass a mark or more within a few hours."""


def lived(pack: ThermalPack, acting: Surroundings, seconds: int) -> ThermalPack:
    for _ in range(seconds):
        pack.step(acting)
    return pack


def heat_j(pack: ThermalPack) -> float:
    return sum(pack.cells_c) * CELL_J_PER_K + pack.air_c * AIR_J_PER_K


def test_nothing_happens_to_a_pack_in_a_room_as_warm_as_itself() -> None:
    pack = lived(ThermalPack(1, 21.0), Surroundings(ambient_c=21.0), 3600)
    assert pack.cells_c == pytest.approx([21.0] * CELLS)
    assert [pack.air_c, pack.mosfet_c, *pack.probes_c] == pytest.approx([21.0] * 6)


@pytest.mark.parametrize(
    ("acting", "watts"),
    [
        (Surroundings(fault_w=300.0), 300.0),
        (Surroundings(heater_w=200.0), 200.0),
        (Surroundings(sun_w=150.0), 150.0),
        (Surroundings(current_a=-100.0, entropic_w_per_a=-0.06), 16 * 6.0),
        (Surroundings(current_a=100.0, entropic_w_per_a=-0.06), -16 * 6.0),
    ],
)
def test_heat_that_comes_in_is_there(acting: Surroundings, watts: float) -> None:
    pack = ThermalPack(1, 25.0, enclosure_w_per_k=0.0)
    joule_w = sum(acting.current_a**2 * ohm for ohm in pack._ohm)
    before_j = heat_j(pack)
    lived(pack, acting, 600)
    assert heat_j(pack) - before_j == pytest.approx((watts + joule_w) * 600, rel=1e-9)


def test_only_the_faulty_cell_gets_the_fault_and_its_neighbours_follow() -> None:
    pack = lived(ThermalPack(1, 25.0, fault_cell=5), Surroundings(fault_w=300.0), 600)
    rise_c = [cell_c - 25 for cell_c in pack.cells_c]
    assert rise_c[5] == pytest.approx(300 / CELL_J_PER_K * 600, rel=0.1)
    assert 0 < rise_c[4] < rise_c[5] / 20
    assert 0 < rise_c[3] < rise_c[4] / 20


def test_a_probe_is_late_and_feels_some_air() -> None:
    pack = ThermalPack(1, 25.0, probe_cells=(5,), fault_cell=5)
    lived(pack, Surroundings(fault_w=300.0), 600)
    felt_c = 0.93 * pack.cells_c[5] + 0.07 * pack.air_c
    before_c = pack.cells_c[5]
    pack.step(Surroundings(fault_w=300.0))
    assert felt_c - pack.probes_c[0] == pytest.approx(45 * 0.93 * (pack.cells_c[5] - before_c), rel=0.05)
    lived(pack, Surroundings(), 900)
    assert pack.probes_c[0] == pytest.approx(0.93 * pack.cells_c[5] + 0.07 * pack.air_c, abs=0.4)


def test_mosfets_settle_62_degrees_above_the_air_at_200_amperes() -> None:
    pack = lived(ThermalPack(1, 25.0), Surroundings(current_a=-200.0), 4000)
    assert pack.mosfet_c - pack.air_c == pytest.approx(62.4, abs=1.0)


def test_the_pack_takes_some_six_hours_to_cool_and_half_of_that_with_a_fan() -> None:
    hours = []
    for fan in (0.0, 1.0):
        pack = ThermalPack(1, 45.0)
        acting = Surroundings(ambient_c=25.0, fan=fan)
        seconds = 0
        while sum(pack.cells_c) / CELLS - 25 > 20 / 2.71828:
            pack.step(acting)
            seconds += 1
        hours.append(seconds / 3600)
    # 108 kJ/K over 10.6 W/K to the air and 8 W/K to the room, one after the other.
    assert hours[0] == pytest.approx(108e3 / (1 / (1 / 10.6 + 1 / 8)) / 3600, rel=0.1)
    assert hours[1] < 0.55 * hours[0]


@pytest.mark.parametrize(("temperature_c", "rate_c_s"), [(115.0, 0.02 / 60), (200.0, 1.0)])
def test_a_hot_cell_heats_itself(temperature_c: float, rate_c_s: float) -> None:
    pack = ThermalPack(1, temperature_c)
    pack.step(Surroundings(ambient_c=temperature_c))
    assert pack.cells_c[8] - temperature_c == pytest.approx(rate_c_s, rel=0.12)
    assert pack.running_away is (temperature_c == 200.0)


def test_a_cell_burns_out() -> None:
    pack = lived(ThermalPack(1, 200.0), Surroundings(ambient_c=200.0), 300)
    assert not pack.running_away
    assert 440 < max(pack.cells_c) < 490


def test_the_same_seed_is_the_same_pack() -> None:
    acting = Surroundings(current_a=150.0)
    one, same, other = (lived(ThermalPack(seed, 25.0), acting, 600).cells_c for seed in (1, 1, 2))
    assert one == same != other


def marks_min(scenario: Scenario, seed: int) -> dict[str, float]:
    """Return the minutes from the onset at which the model passes what the table has of it."""
    found: dict[str, float] = {}
    wanted = {name for name in (*MARKS_C, "ref_runaway_min") if scenario.reference[name] is not None}
    for moment in Play(scenario, seed, poll_s=5.0).moments():
        after_min = max((moment.t_s - scenario.onset_s) / 60, 0.0)
        if moment.pack.running_away:
            found.setdefault("ref_runaway_min", after_min)
        hottest = {"cells": max(moment.pack.cells_c), "probes": max(moment.pack.probes_c)}
        for name, (where, threshold_c) in MARKS_C.items():
            if hottest[where] >= threshold_c:
                found.setdefault(name, after_min)
        if wanted <= found.keys():
            break
    return found


@needs_scenarios
def test_it_is_where_the_reference_was_within_what_another_draw_of_cells_moves() -> None:
    off = []
    for scenario in read(SCENARIOS):
        if scenario.name not in LOOKED_AT:
            continue
        found = marks_min(scenario, seed=1)
        for name in (*MARKS_C, "ref_runaway_min"):
            reference = scenario.reference[name]
            if reference is None:
                assert name not in found or found[name] > 200, (scenario.name, name)
                continue
            assert name in found, (scenario.name, name)
            assert found[name] == pytest.approx(reference, rel=0.15, abs=0.3), (scenario.name, name)
            off.append(abs(found[name] - reference) / max(reference, 1.0))
    assert len(off) > 50
    assert median(off) < 0.02
