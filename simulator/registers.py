"""Which write register of a board changes which value, and what the board takes.

Sources: esphome-jk-bms' numbers, switches and selects, and what the vendor's app was recorded to write.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import inf
from typing import Final

from custom_components.jk_bms.bms.layout import DEVICE_INFO, SETTINGS, Field, Generation

FIRST_CONTROL_BIT: Final = 0x27
SHUT_DOWN: Final = 0x65
RESTART: Final = 0x66
EMERGENCY: Final = 0x6B
CLOCK: Final = 0x6C
USER_DATA: Final = 0x9F

ORDER: Final = (
    ("cell_undervoltage_v", "cell_undervoltage_recovery_v"),
    ("cell_overvoltage_recovery_v", "cell_overvoltage_v"),
    ("cell_overvoltage_recovery_v", "soc_100_cell_voltage_v"),
    ("soc_100_cell_voltage_v", "cell_overvoltage_v"),
)
"""The first of each pair has to stay below the second; 0 means that the board doesn't have it."""


@dataclass(frozen=True, slots=True)
class Register:
    """What a register holds: a value by its name in the settings or the device info frame, and its range."""

    name: str
    lowest: float = 0
    highest: float = inf


_SWITCH: Final = (0, 1)
_JK02: Final = {
    0x01: Register("smart_sleep_voltage_v", 0.003, 3.65),
    0x02: Register("cell_undervoltage_v", 1.2, 4.35),
    0x03: Register("cell_undervoltage_recovery_v", 1.2, 4.35),
    0x04: Register("cell_overvoltage_v", 1.2, 4.35),
    0x05: Register("cell_overvoltage_recovery_v", 1.2, 4.35),
    0x06: Register("balance_trigger_voltage_v", 0.003, 1.0),
    0x07: Register("soc_100_cell_voltage_v", 0.003, 3.65),
    0x08: Register("soc_0_cell_voltage_v", 0.003, 3.65),
    0x09: Register("requested_charge_voltage_v", 0.003, 3.65),
    0x0A: Register("requested_float_voltage_v", 0.003, 3.65),
    0x0B: Register("power_off_voltage_v", 1.2, 4.35),
    0x0C: Register("charge_current_limit_a", 1, 600),
    0x0D: Register("charge_overcurrent_delay_s", 2, 600),
    0x0E: Register("charge_overcurrent_recovery_s", 2, 600),
    0x0F: Register("discharge_current_limit_a", 1, 1200),
    0x10: Register("discharge_overcurrent_delay_s", 2, 600),
    0x11: Register("discharge_overcurrent_recovery_s", 2, 600),
    0x12: Register("short_circuit_recovery_s", 2, 600),
    0x13: Register("balance_current_limit_a", 0.3, 15),
    0x14: Register("charge_overtemperature_c", 30, 80),
    0x15: Register("charge_overtemperature_recovery_c", 30, 80),
    0x16: Register("discharge_overtemperature_c", 30, 80),
    0x17: Register("discharge_overtemperature_recovery_c", 30, 80),
    0x18: Register("charge_undertemperature_c", -45, 20),
    0x19: Register("charge_undertemperature_recovery_c", -45, 20),
    0x1A: Register("mos_overtemperature_c", 50, 110),
    0x1B: Register("mos_overtemperature_recovery_c", 50, 110),
    0x1D: Register("charge_switch", *_SWITCH),
    0x1E: Register("discharge_switch", *_SWITCH),
    0x1F: Register("balancer_switch", *_SWITCH),
    0x20: Register("nominal_capacity_ah", 2, 20000),
}

REGISTERS: Final[Mapping[Generation, Mapping[int, Register]]] = {
    Generation.JK04: {
        0x1C: Register("cell_count", 1, 24),
        0x20: Register("power_off_voltage_v", 2.0, 3.7),
        0x44: Register("voltage_calibration_v", 2.8, 3.2),
        0x58: Register("balance_start_voltage_v", 1.0, 4.25),
        0x64: Register("balance_trigger_voltage_v", 0.002, 1.0),
        0x68: Register("balance_current_limit_a", 0.1, 10),
        0x6C: Register("balancer_switch", *_SWITCH),
    },
    Generation.JK02_24S: _JK02
    | {
        0x1C: Register("cell_count", 2, 24),
        0x25: Register("short_circuit_delay_us", 0, 1_000_000),
        0x26: Register("balance_start_voltage_v", 1.2, 4.25),
    },
    Generation.JK02_32S: _JK02
    | {
        0x1C: Register("cell_count", 2, 32),
        0x21: Register("short_circuit_delay_us", 0, 1_000_000),
        0x22: Register("balance_start_voltage_v", 1.2, 4.25),
        0x25: Register("discharge_precharge_time_s", 0, 255),
        0x37: Register("heating_start_temperature_c", -40, 100),
        0x38: Register("heating_stop_temperature_c", -40, 100),
        0x39: Register("smart_sleep_delay_h", 1, 100),
        0x3A: Register("discharge_undertemperature_c", -40, 100),
        0x3B: Register("discharge_undertemperature_recovery_c", -40, 100),
        0xA5: Register("uart1_protocol", 0, 20),
        0xA6: Register("can_protocol", 0, 13),
        0xA8: Register("uart2_protocol", 0, 20),
        0xA9: Register("buzzer_trigger", 0, 14),
        0xAA: Register("dry_contact_1_trigger", 0, 14),
        0xAB: Register("dry_contact_2_trigger", 0, 14),
        0xB3: Register("requested_charge_time_h", 0, 25.5),
        0xB4: Register("requested_float_time_h", 0, 25.5),
        0xB5: Register("emergency_duration_min", 1, 255),
        0xB6: Register("uart3_protocol", 0, 20),
        0xB7: Register("rebulk_state_of_charge_pct", 0, 50),
    },
}


def field_of(register: Register, generation: Generation) -> tuple[Field, bool]:
    """Return the frame field that shows what the register holds, and whether it's one of the settings frame."""
    for layout, is_setting in ((SETTINGS[generation], True), (DEVICE_INFO[generation], False)):
        for field in layout.fields:
            if field.name == register.name:
                return field, is_setting
    raise LookupError(register.name)
