"""What a board says, as values: the types, and how they are made from a frame. Knows nothing of Bluetooth.

SI units stand in the names; positive current charges the battery; what a board does not have, or does not know at the
moment, is None.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields, make_dataclass
from enum import IntEnum, StrEnum
from typing import Any, Final, cast

from .alarms import Alarm, alarms
from .board import Board
from .layout import (
    CELL_INFO,
    CONTROL_BITS,
    DEVICE_INFO,
    EVENT_LOG,
    EVENT_LOG_CAPACITY,
    EVENT_LOG_ENTRY,
    EVENT_LOG_FIRST_ENTRY,
    SETTINGS,
    TEMPERATURE_MISSING_C,
    Generation,
    Layout,
)


class BalanceAction(IntEnum):
    """What the active balancer does at the moment."""

    OFF = 0
    CHARGING = 1
    DISCHARGING = 2


class ChargeState(StrEnum):
    """Stage of a charge, as boards from software 15 on report it."""

    BULK = "bulk"
    ABSORPTION = "absorption"
    FLOAT = "float"


class Chemistry(StrEnum):
    """Cell chemistry that the board is set to."""

    LFP = "lfp"
    LI_ION = "li_ion"
    LTO = "lto"


_LIVELY: Final = {
    # What changes from frame to frame, under load at least
    "cell_voltages_v", "average_cell_voltage_v", "reported_delta_cell_voltage_v", "highest_cell_index",
    "lowest_cell_index", "pack_voltage_v", "coarse_pack_voltage_v", "power_magnitude_w", "current_a",
    "charge_current_sensor_v", "discharge_current_sensor_v", "balance_current_a", "balance_action",
    "remaining_capacity_ah", "cycle_capacity_ah", "run_time_s", "system_up_time_s", "clock_s", "charge_state_time_s",
    "temperature_1_c", "temperature_2_c", "temperature_4_c", "temperature_5_c", "mos_temperature_c",
    "mos_temperature_copy_c",
}  # fmt: skip
_LIVELY_LAYOUTS: Final = {
    generation: Layout(*(each for each in layout.fields if each.name in _LIVELY))
    for generation, layout in CELL_INFO.items()
}
_STILL_LAYOUTS: Final = {
    generation: Layout(*(each for each in layout.fields if each.name not in _LIVELY))
    for generation, layout in CELL_INFO.items()
}
STILL_BITS: Final = {generation: layout.bits for generation, layout in _STILL_LAYOUTS.items()}
"""The bits of a frame, read as one little-endian number, that seldom change."""
_CELL_SLOTS: Final = {
    generation: (each.offset, each.offset + each.size, each.size // each.count)
    for generation, layout in CELL_INFO.items()
    for each in layout.fields
    if each.name == "cell_voltages_v"
}
_BALANCE_ACTIONS: Final = {int(action): action for action in BalanceAction}
_CHARGE_STATES: Final = dict(enumerate(ChargeState))
_CHEMISTRIES: Final = dict(enumerate(Chemistry))

FIRST_SOFTWARE_WITH_FIVE_PROBES: Final = 14
FIRST_SOFTWARE_WITH_CHARGE_STATE: Final = 15

# Bits of the "sensors present" mask
_PROBES: Final = {
    "mos_temperature_c": 0x01,
    "mos_temperature_copy_c": 0x01,
    "temperature_1_c": 0x02,
    "temperature_2_c": 0x04,
    "temperature_4_c": 0x10,
    "temperature_5_c": 0x20,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Telemetry:
    """One cell info frame.

    The tuples reach to the last cell that shows a voltage; a cell in between without one (an open sense lead) is None.
    Cells are counted from 1.
    """

    generation: Generation
    counter: int
    cell_voltages_v: tuple[float | None, ...]
    lead_resistances_ohm: tuple[float, ...]
    cell_mask: int
    average_cell_voltage_v: float | None
    reported_delta_cell_voltage_v: float
    reported_highest_cell: int
    reported_lowest_cell: int
    run_time_s: int
    balance_current_a: float
    balance_action: BalanceAction | None
    lead_resistance_warnings: int | None = None
    pack_voltage_v: float | None = None
    coarse_pack_voltage_v: float | None = None
    power_magnitude_w: float | None = None
    current_a: float | None = None
    temperature_1_c: float | None = None
    temperature_2_c: float | None = None
    temperature_4_c: float | None = None
    temperature_5_c: float | None = None
    mos_temperature_c: float | None = None
    mos_temperature_copy_c: float | None = None
    temperature_sensor_mask: int | None = None
    alarm_bits: int | None = None
    state_of_charge_pct: int | None = None
    remaining_capacity_ah: float | None = None
    full_charge_capacity_ah: float | None = None
    cycle_count: int | None = None
    cycle_capacity_ah: float | None = None
    state_of_health_pct: int | None = None
    precharge: int | None = None
    user_alarm: int | None = None
    charge_mosfet: bool | None = None
    discharge_mosfet: bool | None = None
    precharging: bool | None = None
    balancer_working: bool | None = None
    discharge_overcurrent_release_s: int | None = None
    discharge_short_circuit_release_s: int | None = None
    charge_overcurrent_release_s: int | None = None
    charge_short_circuit_release_s: int | None = None
    undervoltage_release_s: int | None = None
    overvoltage_release_s: int | None = None
    heating: bool | None = None
    heater_current_a: float | None = None
    emergency_countdown_s: int | None = None
    current_correction: int | None = None
    charge_current_sensor_v: float | None = None
    discharge_current_sensor_v: float | None = None
    voltage_reference_v: float | None = None
    charger_plugged: bool | None = None
    system_up_time_s: float | None = None
    clock_s: int | None = None
    event_log_count: int | None = None
    time_to_sleep_s: int | None = None
    pcl_module_state: int | None = None
    chemistry: Chemistry | None = None
    charge_state: ChargeState | None = None
    charge_state_time_s: int | None = None
    dry_contact_1: bool | None = None
    dry_contact_2: bool | None = None

    @property
    def known_cell_voltages_v(self) -> tuple[float, ...]:
        """The voltages of the cells that show one."""
        cells = self.cell_voltages_v
        if None in cells:
            return tuple(voltage for voltage in cells if voltage is not None)
        return cast("tuple[float, ...]", cells)

    @property
    def highest_cell_voltage_v(self) -> float | None:
        """Voltage of the highest cell."""
        return max(self.known_cell_voltages_v, default=None)

    @property
    def lowest_cell_voltage_v(self) -> float | None:
        """Voltage of the lowest cell."""
        return min(self.known_cell_voltages_v, default=None)

    @property
    def delta_cell_voltage_v(self) -> float | None:
        """Highest minus lowest cell of this very frame; the board's own figure is of another instant."""
        known = self.known_cell_voltages_v
        return round(max(known) - min(known), 6) if known else None

    @property
    def highest_cell(self) -> int | None:
        """Number of the highest cell, from 1."""
        highest = self.highest_cell_voltage_v
        return None if highest is None else self.cell_voltages_v.index(highest) + 1

    @property
    def lowest_cell(self) -> int | None:
        """Number of the lowest cell, from 1."""
        lowest = self.lowest_cell_voltage_v
        return None if lowest is None else self.cell_voltages_v.index(lowest) + 1

    @property
    def cell_count(self) -> int:
        """Cells that the board sees."""
        return len(self.known_cell_voltages_v)

    @property
    def sum_of_cells_v(self) -> float | None:
        """Sum of all cells: the pack voltage of boards that report none."""
        known = self.known_cell_voltages_v
        return round(sum(known), 6) if known else None

    @property
    def power_w(self) -> float | None:
        """Power into the battery; the board reports the magnitude only, so it is voltage times current."""
        if self.pack_voltage_v is None or self.current_a is None:
            return None
        return round(self.pack_voltage_v * self.current_a, 3)

    @property
    def balancing(self) -> bool | None:
        """Whether the balancer moves charge at the moment."""
        return None if self.balance_action is None else self.balance_action is not BalanceAction.OFF

    @property
    def alarms(self) -> tuple[Alarm, ...] | None:
        """The alarms that are raised; None for a generation without alarm bits."""
        return None if self.alarm_bits is None else alarms(self.alarm_bits)


def _draft(generation: Generation) -> type[Any]:
    """Return a class with Telemetry's slots that is not frozen yet, made from what is lively and then what is still.

    A frozen dataclass sets its fields one by one through `object.__setattr__`, which for so many of them takes longer
    than all the rest of decoding. So they are set before it is frozen, which changing the class does.
    """
    lively = (_NAMES_IN_TELEMETRY.get(name, name) for name in _LIVELY_LAYOUTS[generation].scalar_names)
    return make_dataclass("_Draft", [*lively, "cell_voltages_v", "counter", *_STILL_NAMES[generation]], slots=True)


_NAMES_IN_TELEMETRY: Final = {
    "highest_cell_index": "reported_highest_cell",
    "lowest_cell_index": "reported_lowest_cell",
}
_STILL_NAMES: Final = {
    generation: tuple(
        each.name
        for each in fields(Telemetry)
        if each.name not in {"cell_voltages_v", "counter"}
        and each.name not in {_NAMES_IN_TELEMETRY.get(name, name) for name in layout.scalar_names}
    )
    for generation, layout in _LIVELY_LAYOUTS.items()
}
"""The fields of Telemetry that stand still, those included that the generation does not have."""
_DRAFTS: Final = {generation: _draft(generation) for generation in Generation}


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """One settings frame. A value that the generation does not have is None."""

    generation: Generation
    cell_count: int
    power_off_voltage_v: float
    balance_start_voltage_v: float
    balance_trigger_voltage_v: float
    balance_current_limit_a: float
    balancer_switch: bool
    voltage_calibration_v: float | None = None
    smart_sleep_voltage_v: float | None = None
    cell_undervoltage_v: float | None = None
    cell_undervoltage_recovery_v: float | None = None
    cell_overvoltage_v: float | None = None
    cell_overvoltage_recovery_v: float | None = None
    soc_100_cell_voltage_v: float | None = None
    soc_0_cell_voltage_v: float | None = None
    requested_charge_voltage_v: float | None = None
    requested_float_voltage_v: float | None = None
    charge_current_limit_a: float | None = None
    charge_overcurrent_delay_s: int | None = None
    charge_overcurrent_recovery_s: int | None = None
    discharge_current_limit_a: float | None = None
    discharge_overcurrent_delay_s: int | None = None
    discharge_overcurrent_recovery_s: int | None = None
    short_circuit_recovery_s: int | None = None
    short_circuit_delay_us: int | None = None
    charge_overtemperature_c: float | None = None
    charge_overtemperature_recovery_c: float | None = None
    discharge_overtemperature_c: float | None = None
    discharge_overtemperature_recovery_c: float | None = None
    charge_undertemperature_c: float | None = None
    charge_undertemperature_recovery_c: float | None = None
    discharge_undertemperature_c: int | None = None
    discharge_undertemperature_recovery_c: int | None = None
    mos_overtemperature_c: float | None = None
    mos_overtemperature_recovery_c: float | None = None
    charge_switch: bool | None = None
    discharge_switch: bool | None = None
    nominal_capacity_ah: float | None = None
    lead_resistance_calibrations_uohm: tuple[int, ...] | None = None
    device_address: int | None = None
    discharge_precharge_time_s: int | None = None
    control_bits: int | None = None
    heating_start_temperature_c: int | None = None
    heating_stop_temperature_c: int | None = None
    smart_sleep_delay_h: int | None = None

    def control(self, name: str) -> bool | None:
        """Return one of the control bits by its name in `layout.CONTROL_BITS`."""
        return None if self.control_bits is None else bool(self.control_bits >> CONTROL_BITS.index(name) & 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceInfo:
    """One device info frame. What identifies the owner's device, and the pass codes, stay out of its repr."""

    model: str
    hardware_version: str
    software_version: str
    up_time_s: int
    power_on_count: int
    manufacturing_date: str
    device_name: str = field(repr=False)
    device_passcode: str = field(repr=False)
    serial_number: str = field(repr=False)
    user_data: str = field(repr=False)
    setup_passcode: str = field(repr=False)
    user_data_2: str | None = field(default=None, repr=False)
    uart1_protocol: int | None = None
    uart1_protocol_mask: int | None = None
    uart2_protocol: int | None = None
    uart2_protocol_mask: int | None = None
    uart3_protocol: int | None = None
    uart3_protocol_mask: int | None = None
    can_protocol: int | None = None
    can_protocol_mask: int | None = None
    can_library_version: int | None = None
    hardware_options: str | None = None
    buzzer_trigger: int | None = None
    buzzer_trigger_value: int | None = None
    buzzer_release_value: int | None = None
    dry_contact_1_trigger: int | None = None
    dry_contact_1_trigger_value: int | None = None
    dry_contact_1_release_value: int | None = None
    dry_contact_2_trigger: int | None = None
    dry_contact_2_trigger_value: int | None = None
    dry_contact_2_release_value: int | None = None
    data_stored_period_s: int | None = None
    requested_charge_time_h: float | None = None
    requested_float_time_h: float | None = None
    emergency_duration_min: int | None = None
    rebulk_state_of_charge_pct: int | None = None


@dataclass(frozen=True, slots=True)
class LogEntry:
    """One entry of the event log: seconds of run time at which it happened, and its code."""

    run_time_s: int
    code: int


def decode_telemetry(frame: bytes, board: Board) -> Telemetry:
    """Decode a cell info frame of the board's generation."""
    return TelemetryDecoder(board).decode(frame)


class TelemetryDecoder:
    """Decodes the cell info frames of one board, one after the other.

    Most of a frame stands still from one to the next, so that part is decoded only when a bit of it has changed.
    """

    def __init__(self, board: Board) -> None:
        self.board = board
        generation = board.generation
        self._lively = _LIVELY_LAYOUTS[generation]
        self._still_bits = STILL_BITS[generation]
        self._draft = _DRAFTS[generation]
        names = self._lively.scalar_names
        self._index = {name: number for number, name in enumerate(names)}
        self._highest, self._lowest, self._action = map(
            names.index, ("highest_cell_index", "lowest_cell_index", "balance_action")
        )
        self._unknown_without_cells = tuple(
            number for name, number in self._index.items() if name in _UNKNOWN_WITHOUT_CELLS
        )
        self._probes = tuple(number for name, number in self._index.items() if name in _PROBES)
        self._seen = (-1, -1)
        self._still: tuple[object, ...] = ()
        self._absent: tuple[int, ...] = ()
        """Lively fields that the board does not have, whatever its frames say there."""

    def decode(self, frame: bytes) -> Telemetry:
        """Decode a frame, which must be of the board's generation."""
        used = _used_slots(frame, self.board.generation)
        seen = (int.from_bytes(frame, "little") & self._still_bits, used)
        if seen != self._seen:
            self._take_still(frame, used)
            self._seen = seen
        cells = self._lively.arrays(frame, used)["cell_voltages_v"]
        lively = self._lively.scalars(frame)
        lively[self._highest] += 1
        lively[self._lowest] += 1
        lively[self._action] = _BALANCE_ACTIONS.get(lively[self._action])
        for probe in self._probes:
            if lively[probe] == TEMPERATURE_MISSING_C:
                lively[probe] = None
        for absent in self._absent:
            lively[absent] = None
        if not cells:
            for unknown in self._unknown_without_cells:
                lively[unknown] = None
        # A cell without voltage is unknown, not 0 V.
        known = tuple(voltage or None for voltage in cells) if 0 in cells else cells
        draft = self._draft(*lively, known, frame[5], *self._still)
        draft.__class__ = Telemetry
        return cast("Telemetry", draft)

    def _take_still(self, frame: bytes, used: int) -> None:
        """Decode what stands still, and find out which of the lively fields the board does not have."""
        board = self.board
        layout = _STILL_LAYOUTS[board.generation]
        # shapes are those of the layout table
        values: dict[str, Any] = dict(zip(layout.scalar_names, layout.scalars(frame), strict=True))
        values |= layout.arrays(frame, used)
        if board.generation is not Generation.JK04:
            _decode_jk02(values)
            if board.generation is Generation.JK02_32S:
                _decode_32s(values, board)
        if board.is_balancer:
            values |= dict.fromkeys(_ABSENT_ON_BALANCERS)
        if not used:
            values |= dict.fromkeys(_UNKNOWN_WITHOUT_CELLS)
        values["generation"] = board.generation
        self._still = tuple(map(values.get, _STILL_NAMES[board.generation]))
        absent = _absent(board, values.get("temperature_sensor_mask"))
        if board.generation is Generation.JK02_32S and board.software_major is None:
            # Two exact zeros are what software without these probes sends.
            probes = {"temperature_4_c", "temperature_5_c"}
            lively = dict(zip(self._lively.scalar_names, self._lively.scalars(frame), strict=True))
            absent |= probes if all(lively[probe] == 0 for probe in probes) else set()
        self._absent = tuple(number for name, number in self._index.items() if name in absent)


def _used_slots(frame: bytes, generation: Generation) -> int:
    """Return how many cell slots there are up to the last one that shows a voltage."""
    start, end, width = _CELL_SLOTS[generation]
    return -(-len(frame[start:end].rstrip(b"\0")) // width)


_UNKNOWN_WITHOUT_CELLS: Final = {
    # A board that sees no cell says 0 of what it would know by them.
    "average_cell_voltage_v", "state_of_charge_pct", "remaining_capacity_ah",
}  # fmt: skip
_ABSENT_ON_BALANCERS: Final = {
    # The stand-alone balancers send the frame of a BMS with constant zeros where they have nothing to measure.
    "current_a", "power_magnitude_w", "temperature_2_c", "temperature_4_c", "temperature_5_c", "mos_temperature_c",
    "mos_temperature_copy_c", "state_of_charge_pct", "remaining_capacity_ah", "full_charge_capacity_ah", "cycle_count",
    "cycle_capacity_ah", "state_of_health_pct", "charge_mosfet", "discharge_mosfet", "precharging", "heating",
    "heater_current_a", "charge_state", "charge_state_time_s", "dry_contact_1", "dry_contact_2",
}  # fmt: skip


def _decode_jk02(values: dict[str, Any]) -> None:
    """Turn what both JK02 generations report as numbers into what they mean."""
    values["charge_mosfet"] = values["charge_mosfet"] != 0
    values["discharge_mosfet"] = values["discharge_mosfet"] != 0
    # A board that has not seen its cells yet, and 24-slot boards at start, report 0 % health.
    values["state_of_health_pct"] = values["state_of_health_pct"] or None


def _absent(board: Board, sensors: int | None) -> set[str]:
    """Return the lively fields that the board does not have, by its kind, its software and its mask of sensors."""
    absent = set(_ABSENT_ON_BALANCERS) if board.is_balancer else set()
    if board.software_major is not None:
        if board.software_major < FIRST_SOFTWARE_WITH_FIVE_PROBES:
            absent |= {"temperature_4_c", "temperature_5_c"}
        if board.software_major < FIRST_SOFTWARE_WITH_CHARGE_STATE:
            absent.add("charge_state_time_s")
    # A mask of 0 says nothing: old software is not proven to keep it.
    if sensors:
        absent |= {name for name, bit in _PROBES.items() if not sensors & bit}
    return absent


def _decode_32s(values: dict[str, Any], board: Board) -> None:
    """Turn what 32-slot boards report in addition into what it means, as far as the board's software fills it in."""
    for name in ("precharging", "balancer_working", "heating", "charger_plugged"):
        values[name] = values[name] != 0
    if not values["heating"] and (board.software_major or 0) < FIRST_SOFTWARE_WITH_FIVE_PROBES:
        values["heater_current_a"] = None  # software 11 keeps something else there while the heater is off
    if board.software_major is not None and board.software_major >= FIRST_SOFTWARE_WITH_CHARGE_STATE:
        contacts = values["dry_contacts"]
        values["dry_contact_1"], values["dry_contact_2"] = contacts & 2 != 0, contacts & 4 != 0
        values["chemistry"] = _CHEMISTRIES.get(values["chemistry"])
        values["charge_state"] = _CHARGE_STATES.get(values["charge_state"])
    else:
        values["chemistry"] = values["charge_state"] = None


def decode_settings(frame: bytes, board: Board) -> Settings:
    """Decode a settings frame of the board's generation."""
    values: dict[str, Any] = SETTINGS[board.generation].read(frame)  # shapes are those of the layout table
    for name in ("charge_switch", "discharge_switch", "balancer_switch"):
        if name in values:
            values[name] = values[name] != 0
    return Settings(generation=board.generation, **values)


def decode_device_info(frame: bytes, generation: Generation) -> DeviceInfo:
    """Decode a device info frame. Text ends at the first NUL; bytes that are no UTF-8 become replacement characters."""
    values: dict[str, Any] = DEVICE_INFO[generation].read(frame)  # shapes are those of the layout table
    for name, value in values.items():
        if isinstance(value, bytes):
            values[name] = value.split(b"\0", 1)[0].decode("utf-8", "replace").strip()
    return DeviceInfo(**values)


def decode_event_log(frame: bytes) -> tuple[LogEntry, ...]:
    """Decode an event log frame, oldest entry first. Slots after the count hold stale entries and are left out."""
    count = EVENT_LOG.read(frame)["count"]
    assert isinstance(count, int)
    end = EVENT_LOG_FIRST_ENTRY + min(count, EVENT_LOG_CAPACITY) * EVENT_LOG_ENTRY.size
    return tuple(LogEntry(*entry) for entry in EVENT_LOG_ENTRY.iter_unpack(frame[EVENT_LOG_FIRST_ENTRY:end]))
