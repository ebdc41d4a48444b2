"""Energy from power, and what is stored."""

from __future__ import annotations

import pytest

from custom_components.jk_bms.battery.energy import Energy, EnergyMeter, stored_energy_kwh
from custom_components.jk_bms.bms.telemetry import Telemetry

from ..pack_values import SETTINGS_32S, SETTINGS_JK04, telemetry_24s, telemetry_32s, telemetry_jk04

KWH_PER_WS = 1 / 3_600_000


def at(power_w: float) -> Telemetry:
    return telemetry_32s(pack_voltage_v=50.0, current_a=power_w / 50)


def test_an_hour_at_constant_power_each_way() -> None:
    meter = EnergyMeter(20)
    for second in range(7201):
        energy = meter.step(at(1000 if second < 3600 else -500), second)
    assert energy.charged_kwh == pytest.approx(1, abs=2e-4)
    assert energy.discharged_kwh == pytest.approx(0.5, abs=2e-4)


def test_trapezoid_keeps_directions_apart() -> None:
    meter = EnergyMeter(20)
    assert meter.step(at(100), 0) == Energy()
    assert meter.step(at(300), 10).charged_kwh == pytest.approx(2000 * KWH_PER_WS)
    crossing = meter.step(at(-100), 20)
    assert crossing.charged_kwh == pytest.approx(3500 * KWH_PER_WS)
    assert crossing.discharged_kwh == pytest.approx(500 * KWH_PER_WS)


def test_a_gap_counts_up_to_the_age_limit_and_not_beyond() -> None:
    meter = EnergyMeter(20)
    meter.step(at(100), 0)
    assert meter.step(at(100), 20).charged_kwh == pytest.approx(2000 * KWH_PER_WS)
    assert meter.step(at(100), 40.1).charged_kwh == pytest.approx(2000 * KWH_PER_WS)
    assert meter.step(at(100), 41.1).charged_kwh == pytest.approx(2100 * KWH_PER_WS)


def test_unknown_power_is_a_gap() -> None:
    meter = EnergyMeter(20)
    meter.step(at(100), 0)
    meter.step(telemetry_jk04(), 1)
    assert meter.step(at(100), 2) == Energy()


def test_stored_energy() -> None:
    assert stored_energy_kwh(telemetry_32s(), SETTINGS_32S) == pytest.approx(168 * 16 * 3.2 / 1000, abs=1e-3)
    assert stored_energy_kwh(telemetry_24s(), None) is None
    assert stored_energy_kwh(telemetry_jk04(), SETTINGS_JK04) is None
    assert stored_energy_kwh(telemetry_32s(remaining_capacity_ah=None), SETTINGS_32S) is None
