"""Frames made by the tables, for tests of what lies above them."""

from __future__ import annotations

from typing import Any

from custom_components.jk_bms.bms.layout import CELL_INFO, DEVICE_INFO, SETTINGS, FrameType, Generation, Value
from simulator.encode import encode

CELLS_V = (3.301, 3.302, 3.300, 3.299, 3.301, 3.303, 3.300, 3.298) * 2


def cell_info(
    generation: Generation = Generation.JK02_32S,
    cells_v: tuple[float, ...] = CELLS_V,
    current_a: float = 10.0,
    *,
    run_time_s: int = 100_000,
    **changes: Value,
) -> bytes:
    """Return a cell info frame that agrees with itself but for the changes."""
    present = [cell for cell in cells_v if cell]
    total = sum(present)
    values: dict[str, Any] = {
        "cell_voltages_v": cells_v,
        "lead_resistances_ohm": (0.08,) * len(cells_v),
        "cell_mask": (1 << len(cells_v)) - 1,
        "average_cell_voltage_v": total / len(present) if present else 0.0,
        "reported_delta_cell_voltage_v": max(present, default=0.0) - min(present, default=0.0),
        "highest_cell_index": cells_v.index(max(present)) if present else 0,
        "lowest_cell_index": cells_v.index(min(present)) if present else 0,
        "pack_voltage_v": total,
        "coarse_pack_voltage_v": total,
        "power_magnitude_w": abs(total * current_a),
        "current_a": current_a,
        "charge_current_sensor_v": max(0.0, current_a) * 0.002_64,
        "discharge_current_sensor_v": max(0.0, -current_a) * 0.002_64,
        "temperature_1_c": 21.5,
        "temperature_2_c": 21.9,
        "temperature_4_c": 21.2,
        "temperature_5_c": 20.9,
        "mos_temperature_c": 24.0,
        "mos_temperature_copy_c": 24.0,
        "temperature_sensor_mask": 0xFF,
        "state_of_charge_pct": 60,
        "remaining_capacity_ah": 168.0,
        "full_charge_capacity_ah": 280.0,
        "cycle_count": 12,
        "cycle_capacity_ah": 3360.0,
        "state_of_health_pct": 100,
        "run_time_s": run_time_s,
        "system_up_time_s": run_time_s - 50_000,
        "clock_s": run_time_s + 1_000_000,
        "time_to_sleep_s": 86_400,
        "charge_mosfet": 1,
        "discharge_mosfet": 1,
        "voltage_reference_v": 3.0,
    } | changes
    return encode(FrameType.CELL_INFO, CELL_INFO[generation], values)


def settings(generation: Generation = Generation.JK02_32S, **changes: Value) -> bytes:
    """Return a settings frame."""
    values: dict[str, Any] = {
        "cell_count": 16,
        "cell_overvoltage_v": 3.65,
        "cell_undervoltage_v": 2.7,
        "charge_switch": 1,
        "balance_start_voltage_v": 3.42,
        "balance_trigger_voltage_v": 0.005,
        "balance_current_limit_a": 2.0,
        "power_off_voltage_v": 2.5,
        "charge_undertemperature_c": -20.0,
        "nominal_capacity_ah": 280.0,
    } | changes
    return encode(FrameType.SETTINGS, SETTINGS[generation], values)


def device_info(
    model: str = "JK_PB2A16S20P", software: str = "15.41", hardware: str = "15A", **changes: Value
) -> bytes:
    """Return a device info frame."""
    values: dict[str, Any] = {
        "model": model.encode(),
        "hardware_version": hardware.encode(),
        "software_version": software.encode(),
        "power_on_count": 3,
    } | changes
    return encode(FrameType.DEVICE_INFO, DEVICE_INFO[Generation.JK02_32S], values)
