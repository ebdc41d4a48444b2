"""Where each value lies in the 300-byte frames: one table per frame type and generation, for decoder and simulator.

Offsets count from the first byte of the frame (0x55); numbers are little endian. A raw number divided by `divisor` is
the value in the unit that its name ends in. JK02 boards come in two generations that share nearly all fields at other
offsets, so one row gives both; None means that the generation does not have the field.

Sources: the frame descriptions of esphome-jk-bms, aiobmsble and batmon-ha, checked against recorded traffic of 36
board and firmware combinations. Where they disagree, the recorded traffic decided.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from operator import truediv
from typing import Any, Final

FRAME_LENGTH: Final = 300
CELL_SLOTS_24S: Final = 24
CELL_SLOTS_32S: Final = 32
TEMPERATURE_MISSING_C: Final = -200.0
"""What a board reports for a probe that is not connected (raw -2000)."""
EVENT_LOG_CAPACITY: Final = 50
"""Entries that fit an event log frame."""


class FrameType(IntEnum):
    """Byte 4 of a frame."""

    SETTINGS = 0x01
    CELL_INFO = 0x02
    DEVICE_INFO = 0x03
    EVENT_LOG = 0x05


class Generation(StrEnum):
    """How a board lays out its settings and cell info frames."""

    JK04 = "jk04"
    JK02_24S = "jk02_24s"
    JK02_32S = "jk02_32s"


@dataclass(frozen=True, slots=True)
class Field:
    """One value of a frame, or an array of `count` values of the same kind.

    `code` is the letter of the struct module (B H I unsigned, b h i signed, f float32) or, for text, such as "16s".
    """

    name: str
    offset: int
    code: str
    divisor: int = 1
    count: int = 1

    @property
    def size(self) -> int:
        """Bytes that the field takes in the frame."""
        return struct.calcsize(f"<{self.code}") * self.count

    @property
    def bits(self) -> int:
        """The field's bits in a frame that is read as one little-endian number."""
        return ((1 << 8 * self.size) - 1) << 8 * self.offset

    @property
    def is_text(self) -> bool:
        """Whether the field is a NUL-terminated string."""
        return self.code.endswith("s")


type Value = float | bytes | tuple[float, ...]
"""A number in the field's unit, the raw bytes of a text, or an array of numbers."""


class Layout:
    """The fields of one frame type, compiled so that a whole frame is read in a few calls."""

    def __init__(self, *fields: Field) -> None:
        self.fields: Final = tuple(sorted(fields, key=lambda field: field.offset))
        scalars = [field for field in self.fields if field.count == 1]
        scaled = [field for field in scalars if field.divisor != 1]
        plain = [field for field in scalars if field.divisor == 1]
        self.scalar_names: Final = tuple(field.name for field in (*scaled, *plain))
        """Names of the fields that are no arrays, in the order of `scalars`."""
        self._divisors = tuple(field.divisor for field in scaled)
        self._scaled = struct.Struct(_format(scaled))
        self._plain = struct.Struct(_format(plain))
        self._arrays = tuple(
            (field.name, struct.Struct(f"<{field.count}{field.code}"), field.offset, (field.divisor,) * field.count)
            for field in self.fields
            if field.count > 1
        )
        self.bits = sum(field.bits for field in self.fields)
        """The bits of all fields in a frame that is read as one little-endian number."""

    def scalars(self, frame: bytes) -> list[Any]:
        """Return the fields that are no arrays, numbers in their units."""
        return [*map(truediv, self._scaled.unpack_from(frame), self._divisors), *self._plain.unpack_from(frame)]

    def arrays(self, frame: bytes, used: int | None = None) -> dict[str, tuple[float, ...]]:
        """Return the arrays by name, of each the first `used` values only, numbers in their units."""
        values = {}
        for name, array, offset, divisors in self._arrays:
            numbers = array.unpack_from(frame, offset)[:used]
            values[name] = numbers if divisors[0] == 1 else tuple(map(truediv, numbers, divisors))
        return values

    def read(self, frame: bytes) -> dict[str, Value]:
        """Return every field of the frame by name, numbers in their units."""
        return dict(zip(self.scalar_names, self.scalars(frame), strict=True)) | self.arrays(frame)


def _format(fields: list[Field]) -> str:
    """Return the struct format that reads the fields, in order of their offsets, and skips what lies between them."""
    parts, position = ["<"], 0
    for field in fields:
        parts += [f"{field.offset - position}x", field.code]
        position = field.offset + field.size
    return "".join(parts)


@dataclass(frozen=True, slots=True)
class _Row:
    """A field of both JK02 generations: its offset in each, None where it is absent."""

    name: str
    at_24s: int | None
    at_32s: int | None
    code: str
    divisor: int = 1
    count_24s: int = 1
    count_32s: int = 1

    def field(self, generation: Generation) -> Field | None:
        """Return the row as a field of one generation."""
        is_24s = generation is Generation.JK02_24S
        offset = self.at_24s if is_24s else self.at_32s
        count = self.count_24s if is_24s else self.count_32s
        return None if offset is None else Field(self.name, offset, self.code, self.divisor, count)


def _jk02(rows: tuple[_Row, ...], generation: Generation) -> Layout:
    return Layout(*(field for row in rows if (field := row.field(generation))))


_JK02_CELL_INFO: Final = (
    _Row("cell_voltages_v", 6, 6, "H", 1000, CELL_SLOTS_24S, CELL_SLOTS_32S),
    _Row("cell_mask", 54, 70, "I"),
    _Row("average_cell_voltage_v", 58, 74, "H", 1000),
    _Row("reported_delta_cell_voltage_v", 60, 76, "H", 1000),
    _Row("highest_cell_index", 62, 78, "B"),
    _Row("lowest_cell_index", 63, 79, "B"),
    _Row("lead_resistances_ohm", 64, 80, "H", 1000, CELL_SLOTS_24S, CELL_SLOTS_32S),
    _Row("mos_temperature_c", 134, 144, "h", 10),
    _Row("lead_resistance_warnings", 114, 146, "I"),
    _Row("pack_voltage_v", 118, 150, "I", 1000),
    _Row("power_magnitude_w", 122, 154, "I", 1000),
    _Row("current_a", 126, 158, "i", 1000),
    _Row("temperature_1_c", 130, 162, "h", 10),
    _Row("temperature_2_c", 132, 164, "h", 10),
    _Row("alarm_bits", 136, None, "H"),
    _Row("alarm_bits", None, 166, "I"),
    _Row("balance_current_a", 138, 170, "h", 1000),
    _Row("balance_action", 140, 172, "B"),
    _Row("state_of_charge_pct", 141, 173, "B"),
    _Row("remaining_capacity_ah", 142, 174, "I", 1000),
    _Row("full_charge_capacity_ah", 146, 178, "I", 1000),
    _Row("cycle_count", 150, 182, "I"),
    _Row("cycle_capacity_ah", 154, 186, "I", 1000),
    _Row("state_of_health_pct", 158, 190, "B"),
    _Row("precharge", 159, 191, "B"),
    _Row("user_alarm", None, 192, "H"),
    _Row("run_time_s", 162, 194, "I"),
    _Row("charge_mosfet", 166, 198, "B"),
    _Row("discharge_mosfet", 167, 199, "B"),
    _Row("precharging", None, 200, "B"),
    _Row("balancer_working", None, 201, "B"),
    _Row("discharge_overcurrent_release_s", None, 202, "H"),
    _Row("discharge_short_circuit_release_s", None, 204, "H"),
    _Row("charge_overcurrent_release_s", None, 206, "H"),
    _Row("charge_short_circuit_release_s", None, 208, "H"),
    _Row("undervoltage_release_s", None, 210, "H"),
    _Row("overvoltage_release_s", None, 212, "H"),
    _Row("temperature_sensor_mask", 182, 214, "B"),
    _Row("heating", None, 215, "B"),
    _Row("emergency_countdown_s", None, 218, "H"),
    # No source names the next five and the up time for 24-slot boards; recorded frames show them 32 bytes before the
    # place of 32-slot boards, like all around them: the sensors follow the current, the up time runs in tenths.
    _Row("current_correction", 188, 220, "H"),
    _Row("charge_current_sensor_v", 190, 222, "H", 1000),
    _Row("discharge_current_sensor_v", 192, 224, "H", 1000),
    _Row("voltage_reference_v", 194, 226, "f"),
    _Row("coarse_pack_voltage_v", None, 234, "H", 100),
    _Row("heater_current_a", None, 236, "h", 1000),
    _Row("charger_plugged", None, 245, "B"),
    _Row("system_up_time_s", 214, 246, "I", 10),
    _Row("mos_temperature_copy_c", None, 254, "h", 10),
    _Row("temperature_4_c", None, 256, "h", 10),
    _Row("temperature_5_c", None, 258, "h", 10),
    _Row("clock_s", None, 262, "I"),
    _Row("event_log_count", None, 266, "I"),
    _Row("time_to_sleep_s", None, 270, "I"),
    _Row("pcl_module_state", None, 274, "B"),
    _Row("chemistry", None, 275, "B"),
    _Row("charge_state_time_s", None, 278, "H"),
    _Row("charge_state", None, 280, "B"),
    _Row("dry_contacts", None, 281, "B"),
)

CELL_INFO: Final = {
    Generation.JK04: Layout(
        Field("cell_voltages_v", 6, "f", count=CELL_SLOTS_24S),
        Field("lead_resistances_ohm", 102, "f", count=25),
        Field("average_cell_voltage_v", 202, "f"),
        Field("reported_delta_cell_voltage_v", 206, "f"),
        Field("cell_mask", 214, "I"),
        Field("highest_cell_index", 218, "B"),
        Field("lowest_cell_index", 219, "B"),
        Field("balance_action", 220, "B"),
        Field("balance_current_a", 222, "f"),
        Field("run_time_s", 286, "I"),
    ),
    Generation.JK02_24S: _jk02(_JK02_CELL_INFO, Generation.JK02_24S),
    Generation.JK02_32S: _jk02(_JK02_CELL_INFO, Generation.JK02_32S),
}

_JK02_SETTINGS: Final = (
    _Row("smart_sleep_voltage_v", 6, 6, "I", 1000),
    _Row("cell_undervoltage_v", 10, 10, "I", 1000),
    _Row("cell_undervoltage_recovery_v", 14, 14, "I", 1000),
    _Row("cell_overvoltage_v", 18, 18, "I", 1000),
    _Row("cell_overvoltage_recovery_v", 22, 22, "I", 1000),
    _Row("balance_trigger_voltage_v", 26, 26, "I", 1000),
    _Row("soc_100_cell_voltage_v", 30, 30, "I", 1000),
    _Row("soc_0_cell_voltage_v", 34, 34, "I", 1000),
    _Row("requested_charge_voltage_v", 38, 38, "I", 1000),
    _Row("requested_float_voltage_v", 42, 42, "I", 1000),
    _Row("power_off_voltage_v", 46, 46, "I", 1000),
    _Row("charge_current_limit_a", 50, 50, "I", 1000),
    _Row("charge_overcurrent_delay_s", 54, 54, "I"),
    _Row("charge_overcurrent_recovery_s", 58, 58, "I"),
    _Row("discharge_current_limit_a", 62, 62, "I", 1000),
    _Row("discharge_overcurrent_delay_s", 66, 66, "I"),
    _Row("discharge_overcurrent_recovery_s", 70, 70, "I"),
    _Row("short_circuit_recovery_s", 74, 74, "I"),
    _Row("balance_current_limit_a", 78, 78, "I", 1000),
    _Row("charge_overtemperature_c", 82, 82, "i", 10),
    _Row("charge_overtemperature_recovery_c", 86, 86, "i", 10),
    _Row("discharge_overtemperature_c", 90, 90, "i", 10),
    _Row("discharge_overtemperature_recovery_c", 94, 94, "i", 10),
    _Row("charge_undertemperature_c", 98, 98, "i", 10),
    _Row("charge_undertemperature_recovery_c", 102, 102, "i", 10),
    _Row("mos_overtemperature_c", 106, 106, "i", 10),
    _Row("mos_overtemperature_recovery_c", 110, 110, "i", 10),
    _Row("cell_count", 114, 114, "I"),
    _Row("charge_switch", 118, 118, "I"),
    _Row("discharge_switch", 122, 122, "I"),
    _Row("balancer_switch", 126, 126, "I"),
    _Row("nominal_capacity_ah", 130, 130, "I", 1000),
    _Row("short_circuit_delay_us", 134, 134, "I"),
    _Row("balance_start_voltage_v", 138, 138, "I", 1000),
    _Row("lead_resistance_calibrations_uohm", 158, 142, "I", 1, CELL_SLOTS_24S, CELL_SLOTS_32S),
    _Row("device_address", None, 270, "I"),
    _Row("discharge_precharge_time_s", None, 274, "I"),
    _Row("control_bits", None, 282, "H"),
    _Row("heating_start_temperature_c", None, 284, "b"),
    _Row("heating_stop_temperature_c", None, 285, "b"),
    _Row("smart_sleep_delay_h", None, 286, "B"),
    _Row("discharge_undertemperature_c", None, 296, "b"),
    _Row("discharge_undertemperature_recovery_c", None, 297, "b"),
)

SETTINGS: Final = {
    Generation.JK04: Layout(
        Field("cell_count", 34, "B"),
        Field("power_off_voltage_v", 38, "f"),
        Field("voltage_calibration_v", 74, "f"),
        Field("balance_start_voltage_v", 98, "f"),
        Field("balance_trigger_voltage_v", 106, "f"),
        Field("balance_current_limit_a", 110, "f"),
        Field("balancer_switch", 114, "B"),
    ),
    Generation.JK02_24S: _jk02(_JK02_SETTINGS, Generation.JK02_24S),
    Generation.JK02_32S: _jk02(_JK02_SETTINGS, Generation.JK02_32S),
}

CONTROL_BITS: Final = (
    "heating_allowed",
    "temperature_sensors_disabled",
    "gps_heartbeat",
    "port_rs485",
    "display_always_on",
    "special_charger",
    "smart_sleep",
    "pcl_module_disabled",
    "timed_stored_data",
    "charging_float_mode",
    "button_emergency",
    "dry_contact_intermittent",
    "discharge_ocp2",
    "discharge_ocp3",
    "gps_lock_charging",
    "gps_lock_discharging",
)
"""The bits of the settings' `control_bits`, from bit 0."""

_DEVICE_INFO_ALL: Final = (
    Field("model", 6, "16s"),
    Field("hardware_version", 22, "8s"),
    Field("software_version", 30, "8s"),
    Field("up_time_s", 38, "I"),
    Field("power_on_count", 42, "I"),
    Field("device_name", 46, "16s"),
    Field("device_passcode", 62, "16s"),
    Field("manufacturing_date", 78, "8s"),
    Field("serial_number", 86, "16s"),
    Field("user_data", 102, "16s"),
    Field("setup_passcode", 118, "16s"),
)

DEVICE_INFO: Final = {
    Generation.JK04: Layout(*_DEVICE_INFO_ALL),
    Generation.JK02_24S: Layout(*_DEVICE_INFO_ALL),
    Generation.JK02_32S: Layout(
        *_DEVICE_INFO_ALL,
        Field("user_data_2", 134, "16s"),
        Field("uart1_protocol", 184, "B"),
        Field("can_protocol", 185, "B"),
        Field("uart1_protocol_mask", 186, "I"),
        Field("hardware_options", 190, "12s"),
        Field("can_protocol_mask", 202, "I"),
        Field("uart2_protocol", 218, "B"),
        Field("uart2_protocol_mask", 219, "I"),
        Field("buzzer_trigger", 234, "B"),
        Field("dry_contact_1_trigger", 235, "B"),
        Field("dry_contact_2_trigger", 236, "B"),
        Field("buzzer_trigger_value", 238, "i"),
        Field("buzzer_release_value", 242, "i"),
        Field("dry_contact_1_trigger_value", 246, "i"),
        Field("dry_contact_1_release_value", 250, "i"),
        Field("dry_contact_2_trigger_value", 254, "i"),
        Field("dry_contact_2_release_value", 258, "i"),
        Field("data_stored_period_s", 262, "I"),
        Field("requested_charge_time_h", 266, "B", 10),
        Field("requested_float_time_h", 267, "B", 10),
        Field("can_library_version", 268, "B"),
        Field("emergency_duration_min", 269, "B"),
        Field("uart3_protocol", 270, "B"),
        Field("uart3_protocol_mask", 271, "I"),
        Field("rebulk_state_of_charge_pct", 278, "B"),
    ),
}

EVENT_LOG: Final = Layout(Field("count", 6, "I"))
EVENT_LOG_ENTRY: Final = struct.Struct("<IB")
"""One entry: seconds of run time, code."""
EVENT_LOG_FIRST_ENTRY: Final = 11

SECRET_FIELDS: Final = ("device_name", "device_passcode", "serial_number", "user_data", "setup_passcode", "user_data_2")
"""Fields of the device info frame that never reach a log or a diagnostics file: pass codes lie there in clear text,
the name is often the serial number, and the free texts hold what the owner wrote."""
