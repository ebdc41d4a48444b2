"""Values of packs as tests want them: a frame's worth of telemetry, and what goes with it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from custom_components.jk_bms.bms.layout import Generation
from custom_components.jk_bms.bms.telemetry import (
    BalanceAction,
    ChargeState,
    Chemistry,
    DeviceInfo,
    Settings,
    Telemetry,
)

_SECRETS: dict[str, Any] = {
    "device_name": "Keller",
    "device_passcode": "1234",
    "serial_number": "506036N4000000A",
    "user_data": "Input Userda",
    "setup_passcode": "123456",
}

DEVICE_INFO_32S = DeviceInfo(
    model="JK_PB2A16S20P",
    hardware_version="15A",
    software_version="15.41",
    up_time_s=360_000,
    power_on_count=7,
    manufacturing_date="240101",
    **_SECRETS,
)
DEVICE_INFO_V19 = replace(
    DEVICE_INFO_32S,
    hardware_version="19A",
    software_version="19.10",
    uart1_protocol=1,
    uart1_protocol_mask=0x1FFFF,
    uart2_protocol=5,
    uart2_protocol_mask=0x0022,
    uart3_protocol=0,
    uart3_protocol_mask=0x0001,
    can_protocol=2,
    can_protocol_mask=0x3FFF,
    buzzer_trigger=0,
    dry_contact_1_trigger=1,
    dry_contact_2_trigger=10,
    requested_charge_time_h=1.0,
    requested_float_time_h=2.5,
    emergency_duration_min=30,
    rebulk_state_of_charge_pct=50,
)
"""A board that has every setting of 32 slots."""
DEVICE_INFO_24S = replace(DEVICE_INFO_32S, model="JK-BD6A20S10P", hardware_version="10.XW", software_version="10.07")
DEVICE_INFO_JK04 = replace(DEVICE_INFO_32S, model="JK-B2A16S", hardware_version="3.0", software_version="3.3.0")
DEVICE_INFO_BALANCER = replace(
    DEVICE_INFO_32S, model="JK_DZ11B2A24S", hardware_version="11.XA", software_version="11.41"
)

_ALL_GENERATIONS: dict[str, Any] = {
    "counter": 1,
    "balance_current_a": 0.0,
    "balance_action": BalanceAction.OFF,
    "run_time_s": 86_400,
}
_JK02: dict[str, Any] = {
    "lead_resistance_warnings": 0,
    "current_a": 10.0,
    "temperature_1_c": 21.5,
    "temperature_2_c": 22.0,
    "mos_temperature_c": 25.1,
    "temperature_sensor_mask": 0x07,
    "alarm_bits": 0,
    "state_of_charge_pct": 60,
    "remaining_capacity_ah": 168.0,
    "full_charge_capacity_ah": 280.0,
    "cycle_count": 12,
    "cycle_capacity_ah": 3360.0,
    "state_of_health_pct": 100,
    "precharge": 0,
    "charge_mosfet": True,
    "discharge_mosfet": True,
}


def _cells(cells_v: tuple[float | None, ...]) -> dict[str, Any]:
    known = [voltage for voltage in cells_v if voltage is not None]
    return {
        "cell_voltages_v": cells_v,
        "lead_resistances_ohm": tuple(0.05 + 0.001 * number for number in range(len(cells_v))),
        "cell_mask": (1 << len(cells_v)) - 1,
        "average_cell_voltage_v": round(sum(known) / len(known), 3),
        "reported_delta_cell_voltage_v": round(max(known) - min(known), 3),
        "reported_highest_cell": cells_v.index(max(known)) + 1,
        "reported_lowest_cell": cells_v.index(min(known)) + 1,
    }


def ladder(count: int) -> tuple[float, ...]:
    """Cells that rise by 1 mV each, from 3.3 V."""
    return tuple(round(3.3 + 0.001 * number, 3) for number in range(count))


def telemetry_32s(cells_v: tuple[float | None, ...] = ladder(16), **changes: Any) -> Telemetry:
    """A board of software 15 with T1, T2 and the MOSFET's probe."""
    values: dict[str, Any] = {
        **_ALL_GENERATIONS,
        **_JK02,
        **_cells(cells_v),
        "pack_voltage_v": round(sum(filter(None, cells_v)), 3),
        "user_alarm": 0,
        "precharging": False,
        "balancer_working": False,
        "discharge_overcurrent_release_s": 0,
        "discharge_short_circuit_release_s": 0,
        "charge_overcurrent_release_s": 0,
        "charge_short_circuit_release_s": 0,
        "undervoltage_release_s": 0,
        "overvoltage_release_s": 0,
        "heating": False,
        "heater_current_a": 0.0,
        "emergency_countdown_s": 0,
        "charger_plugged": False,
        "system_up_time_s": 86_400.0,
        "event_log_count": 34,
        "time_to_sleep_s": 86_400,
        "chemistry": Chemistry.LFP,
        "charge_state": ChargeState.BULK,
        "charge_state_time_s": 600,
        "dry_contact_1": False,
        "dry_contact_2": False,
    }
    return Telemetry(generation=Generation.JK02_32S, **values | changes)


def telemetry_24s(cells_v: tuple[float | None, ...] = ladder(8), **changes: Any) -> Telemetry:
    """An older board."""
    values = {
        **_ALL_GENERATIONS,
        **_JK02,
        **_cells(cells_v),
        "pack_voltage_v": round(sum(filter(None, cells_v)), 3),
    }
    return Telemetry(generation=Generation.JK02_24S, **values | changes)


def telemetry_jk04(cells_v: tuple[float | None, ...] = ladder(16), **changes: Any) -> Telemetry:
    """One of the oldest boards: cells and a balancer."""
    return Telemetry(generation=Generation.JK04, **_ALL_GENERATIONS | _cells(cells_v) | changes)


def telemetry_balancer(cells_v: tuple[float | None, ...] = ladder(14), **changes: Any) -> Telemetry:
    """A stand-alone active balancer: the frame of a BMS, with what it has nothing to measure for left out."""
    values = {
        **_ALL_GENERATIONS,
        **_cells(cells_v),
        "pack_voltage_v": round(sum(filter(None, cells_v)), 3),
        "temperature_1_c": 19.0,
        "alarm_bits": 0,
        "balance_action": BalanceAction.CHARGING,
        "balance_current_a": 1.2,
    }
    return Telemetry(generation=Generation.JK02_32S, **values | changes)


_SETTINGS: dict[str, Any] = {
    "power_off_voltage_v": 2.5,
    "balance_start_voltage_v": 3.42,
    "balance_trigger_voltage_v": 0.005,
    "balance_current_limit_a": 2.0,
    "balancer_switch": True,
}
_SETTINGS_JK02: dict[str, Any] = {
    "smart_sleep_voltage_v": 3.3,
    "cell_undervoltage_v": 2.7,
    "cell_undervoltage_recovery_v": 2.95,
    "cell_overvoltage_v": 3.6,
    "cell_overvoltage_recovery_v": 3.44,
    "soc_100_cell_voltage_v": 3.445,
    "soc_0_cell_voltage_v": 2.8,
    "requested_charge_voltage_v": 3.45,
    "requested_float_voltage_v": 3.35,
    "charge_current_limit_a": 100.0,
    "charge_overcurrent_delay_s": 30,
    "charge_overcurrent_recovery_s": 60,
    "discharge_current_limit_a": 150.0,
    "discharge_overcurrent_delay_s": 60,
    "discharge_overcurrent_recovery_s": 60,
    "short_circuit_recovery_s": 60,
    "short_circuit_delay_us": 1500,
    "charge_overtemperature_c": 50.0,
    "charge_overtemperature_recovery_c": 45.0,
    "discharge_overtemperature_c": 55.0,
    "discharge_overtemperature_recovery_c": 50.0,
    "charge_undertemperature_c": 2.0,
    "charge_undertemperature_recovery_c": 5.0,
    "mos_overtemperature_c": 90.0,
    "mos_overtemperature_recovery_c": 80.0,
    "charge_switch": True,
    "discharge_switch": True,
    "nominal_capacity_ah": 280.0,
}

SETTINGS_JK04 = Settings(generation=Generation.JK04, cell_count=16, voltage_calibration_v=3.0, **_SETTINGS)
SETTINGS_24S = Settings(generation=Generation.JK02_24S, cell_count=8, **_SETTINGS, **_SETTINGS_JK02)
SETTINGS_32S = Settings(
    generation=Generation.JK02_32S,
    cell_count=16,
    device_address=0,
    discharge_precharge_time_s=10,
    control_bits=0x0048,
    heating_start_temperature_c=2,
    heating_stop_temperature_c=8,
    smart_sleep_delay_h=24,
    discharge_undertemperature_c=-10,
    discharge_undertemperature_recovery_c=-5,
    **_SETTINGS,
    **_SETTINGS_JK02,
)
