"""What of a board can be written: one table, from which entities, services, docs and the simulated boards are made.

The layout tables say how a value lies in a frame (type, scale); here stands by which register it is written on which
generation, how many bytes that takes, and which values make sense. The registers 0x21 to 0x26, 0x68 and 0x6C mean
different things on different generations, so nothing may be written before the generation is certain.

Sources: esphome-jk-bms' numbers, switches and selects, the register map of the vendor's Modbus document, and what the
vendor's app was recorded to write. Registers 0x29 and 0x2C follow the numbering; nobody has recorded them.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from itertools import combinations
from math import inf, isclose, isfinite
from typing import Final

from .board import Board
from .layout import CELL_INFO, CELL_SLOTS_24S, CONTROL_BITS, DEVICE_INFO, SETTINGS, Field, FrameType, Generation
from .telemetry import DeviceInfo, Settings, Telemetry

type SettingValue = float | bool | str
"""A number in the setting's unit, a switch, the number of a choice, or a text."""
type Saying = Settings | DeviceInfo | Telemetry
"""A frame that says what a setting is."""


class Kind(StrEnum):
    """What sort of value a setting takes."""

    NUMBER = "number"
    SWITCH = "switch"
    CHOICE = "choice"
    TEXT = "text"


class Danger(StrEnum):
    """How careful one has to be with a setting."""

    SWITCH = "switch"
    """One of the three main switches: they can be turned back at any time."""
    SETTING = "setting"
    DANGEROUS = "dangerous"
    """A wrong value makes the board misjudge the pack: only with a confirmation in the very call."""


@dataclass(frozen=True, slots=True)
class Register:
    """A register of one generation: its number, the bytes it takes, and the least and the greatest number."""

    number: int
    length: int
    lowest: float = 0
    highest: float = inf


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One thing that can be written."""

    key: str
    registers: Mapping[Generation, Register]
    kind: Kind = Kind.NUMBER
    danger: Danger = Danger.SETTING
    step: float = 1
    choices: tuple[str, ...] = ()
    """The names of the numbers from 0 on that a choice can take."""
    said_in: FrameType = FrameType.SETTINGS
    """The frame in which the board says what it has taken."""
    shown_by: str = ""
    """Name of the frame's field, where it isn't the key."""
    index: int | None = None
    """The bit of the field, or the element of an array, that is meant."""
    tolerance: tuple[float, float] = (0, 0)
    """By how much, absolutely and relatively, what is measured may differ from what was written."""
    first_software: int = 0
    """Software that is the first to have it."""
    needs: str = ""
    """Name of a value of the device info that is 0 on boards without it."""
    on_balancers: bool = False
    """Whether stand-alone balancers have it."""

    @property
    def field_name(self) -> str:
        """Name of the field of the frame that shows the value."""
        return self.shown_by or self.key

    @property
    def is_measured(self) -> bool:
        """Whether what the board says of it goes on changing by itself, so that only a write makes it right."""
        return self.tolerance != (0, 0)

    @property
    def is_calibration(self) -> bool:
        """Whether writing it corrects a reading."""
        return self.tolerance[1] > 0

    @property
    def unit(self) -> str | None:
        """The unit of a number, which its key ends in."""
        return _UNITS.get(self.key.rpartition("_")[2]) if self.kind is Kind.NUMBER else None

    def register_on(self, board: Board, info: DeviceInfo | None = None) -> Register | None:
        """Return the board's register with its range, narrowed by the board's rating; None if it has no such."""
        register = self.registers.get(board.generation)
        if register is None or (board.is_balancer and not self.on_balancers):
            return None
        if (board.software_major or 0) < self.first_software:
            return None
        if self.needs and not (info and getattr(info, self.needs)):
            return None
        rating = board.ratings.get(self.key)
        if rating is None or rating >= register.highest:
            return register
        return Register(register.number, register.length, register.lowest, rating)

    def choices_on(self, info: DeviceInfo) -> dict[int, str]:
        """Return the choices by number; of protocols those only that the board offers."""
        mask: int | None = getattr(info, f"{self.key}_mask", None)
        return {number: name for number, name in enumerate(self.choices) if mask is None or mask >> number & 1}

    def rounded(self, value: SettingValue) -> SettingValue:
        """Return a number rounded to the step, as it is written; other values as they are."""
        if self.kind is not Kind.NUMBER or isinstance(value, str) or not isfinite(value):
            return value
        return round(round(value / self.step) * self.step, 7)

    def encode(self, value: SettingValue, generation: Generation) -> bytes:
        """Return the bytes that go into the register, little endian, rounded to the register's own unit.

        Raises ValueError for what the register can't hold, such as a text of more than 13 bytes.
        """
        register = self.registers[generation]
        if isinstance(value, str):
            text = value.encode("ascii")
            if len(text) > register.length:
                raise ValueError(f"{self.key} takes at most {register.length} bytes")
            return text
        shape = _FIELDS[generation, self.said_in, self.field_name]
        if shape.code == "f":
            return struct.pack("<f", value)
        try:
            return round(value * shape.divisor).to_bytes(register.length, "little", signed=shape.code.islower())
        except OverflowError as error:
            raise ValueError(f"{self.key} can't hold {value}") from error

    def decode(self, data: bytes, generation: Generation) -> SettingValue:
        """Return what the bytes of a register say, in the setting's unit."""
        if self.kind is Kind.TEXT:
            return data.decode("ascii", "replace")
        shape = _FIELDS[generation, self.said_in, self.field_name]
        if shape.code == "f":
            number: float = struct.unpack("<f", data)[0]
            return number
        raw = int.from_bytes(data, "little", signed=shape.code.islower())
        if self.kind is Kind.SWITCH:
            return raw != 0
        return raw if shape.divisor == 1 else raw / shape.divisor

    def said(self, saying: Saying) -> SettingValue | None:
        """Return the value that a frame says; None if it says nothing of it."""
        said: SettingValue | tuple[float, ...] | None = getattr(saying, self.field_name, None)
        if self.index is None or said is None:
            assert not isinstance(said, tuple)
            return bool(said) if said is not None and self.kind is Kind.SWITCH else said
        if isinstance(said, tuple):
            return said[self.index] if self.index < len(said) else None
        assert isinstance(said, int)
        return bool(said >> self.index & 1)

    def is_absent_at(self, said: SettingValue | None, register: Register) -> bool:
        """Whether what a board says means that it doesn't have the setting: nothing, or a 0 that isn't in its range."""
        return said is None or (self.kind is Kind.NUMBER and said == 0 and register.lowest > 0)

    def agrees(self, said: SettingValue | None, value: SettingValue, generation: Generation) -> bool:
        """Whether what a frame says is what was written: in the register's own unit, or as good as it's measured."""
        if said is None:
            return False
        if isinstance(value, str):
            return said == value.strip()  # as texts are read
        assert not isinstance(said, str)
        if self.is_measured:
            absolute, relative = self.tolerance
            return isclose(abs(said), value, abs_tol=absolute, rel_tol=relative)
        return self.encode(said, generation) == self.encode(value, generation)


class Instruction(IntEnum):
    """The commands without a value that change something; 32-slot boards only. The board confirms none of them."""

    SHUT_DOWN = 0x65
    RESTART = 0x66
    LOAD_LI_ION_DEFAULTS = 0x68
    LOAD_LFP_DEFAULTS = 0x69
    LOAD_LTO_DEFAULTS = 0x6A
    FACTORY_RESET = 0x9D

    @property
    def key(self) -> str:
        """The name in services and translations."""
        return self.name.lower()

    @property
    def danger(self) -> Danger:
        """All but a restart take away what the owner has set, or the board itself."""
        return Danger.SETTING if self is Instruction.RESTART else Danger.DANGEROUS


_UNITS: Final = {
    "v": "V", "a": "A", "c": "°C", "us": "µs", "s": "s", "min": "min", "h": "h", "ah": "Ah", "pct": "%", "uohm": "µΩ",
}  # fmt: skip
_FIELDS: Final[Mapping[tuple[Generation, FrameType, str], Field]] = {
    (generation, frame_type, each.name): each
    for frame_type, layouts in (
        (FrameType.SETTINGS, SETTINGS),
        (FrameType.DEVICE_INFO, DEVICE_INFO),
        (FrameType.CELL_INFO, CELL_INFO),
    )
    for generation, layout in layouts.items()
    for each in layout.fields
}

_JK04, _24S, _32S = Generation.JK04, Generation.JK02_24S, Generation.JK02_32S
_UART: Final = (
    "gps_4g", "jk_rs485_modbus_115200", "niu", "china_tower_1_1", "pace", "pylontech_rs485", "growatt", "voltronic",
    "china_tower_2_0", "wow", "jk_lcd_2_0", "user_1", "user_2", "jk_modbus_9600", "pylontech_9600", "jk_pb_lcd", "lin",
)  # fmt: skip
_CAN: Final = (
    "jk_250k", "deye", "pylontech", "growatt", "victron", "megarevo", "jk_500k", "invt", "goodwe", "fss", "must",
    "luxpower", "user_1", "user_2",
)  # fmt: skip
_TRIGGERS: Final = (
    "off", "low_state_of_charge", "pack_overvoltage", "pack_undervoltage", "cell_overvoltage", "cell_undervoltage",
    "charge_overcurrent", "discharge_overcurrent", "battery_overtemperature", "mos_overtemperature", "system_alarm",
    "battery_low_temperature", "remote", "above_state_of_charge", "mos_abnormal",
)  # fmt: skip
_FIRST_WITH_CHARGE_STATE: Final = 15
_FIRST_WITH_DISCHARGE_UNDERTEMPERATURE: Final = 19
_FIRST_CONTROL_BIT: Final = 0x27
_FIRST_LEAD_CALIBRATION: Final = 0x27


def _jk02(
    number: int, lowest: float, highest: float, *, on_24s: int | None = None, length: int = 4
) -> dict[Generation, Register]:
    """Return a register of both JK02 generations; `on_24s` is its number there if it has another."""
    return {
        _24S: Register(on_24s or number, length, lowest, highest),
        _32S: Register(number, length, lowest, highest),
    }


def _32s(number: int, lowest: float, highest: float, *, length: int = 4) -> dict[Generation, Register]:
    return {_32S: Register(number, length, lowest, highest)}


def _jk04(number: int, lowest: float, highest: float, *, length: int = 4) -> dict[Generation, Register]:
    return {_JK04: Register(number, length, lowest, highest)}


def _volts(key: str, registers: Mapping[Generation, Register], *, on_balancers: bool = False) -> Setting:
    return Setting(key=key, registers=registers, step=0.001, on_balancers=on_balancers)


def _celsius(key: str, number: int, lowest: float, highest: float) -> Setting:
    return Setting(key=key, registers=_jk02(number, lowest, highest), step=0.1)


def _whole_celsius(key: str, number: int, first_software: int = 0) -> Setting:
    return Setting(key=key, registers=_32s(number, -40, 100, length=1), first_software=first_software)


def _seconds(key: str, number: int) -> Setting:
    return Setting(key=key, registers=_jk02(number, 2, 600))


def _main_switch(key: str, registers: Mapping[Generation, Register], *, on_balancers: bool = False) -> Setting:
    return Setting(key=key, registers=registers, kind=Kind.SWITCH, danger=Danger.SWITCH, on_balancers=on_balancers)


def _choice(key: str, number: int, choices: tuple[str, ...], *, needs: str, length: int) -> Setting:
    return Setting(
        key=key,
        registers=_32s(number, 0, len(choices) - 1, length=length),
        kind=Kind.CHOICE,
        choices=choices,
        said_in=FrameType.DEVICE_INFO,
        needs=needs,
    )


def _of_device_info(key: str, number: int, lowest: float, highest: float, step: float = 1) -> Setting:
    return Setting(
        key=key,
        registers=_32s(number, lowest, highest, length=1),
        step=step,
        said_in=FrameType.DEVICE_INFO,
        first_software=_FIRST_WITH_CHARGE_STATE,
    )


_TABLE: Final = (
    _main_switch("charge_switch", _jk02(0x1D, 0, 1)),
    _main_switch("discharge_switch", _jk02(0x1E, 0, 1)),
    _main_switch("balancer_switch", _jk02(0x1F, 0, 1) | _jk04(0x6C, 0, 1, length=1), on_balancers=True),
    # Cell voltages
    _volts("cell_overvoltage_v", _jk02(0x04, 1.2, 4.35)),
    _volts("cell_overvoltage_recovery_v", _jk02(0x05, 1.2, 4.35)),
    _volts("cell_undervoltage_v", _jk02(0x02, 1.2, 4.35)),
    _volts("cell_undervoltage_recovery_v", _jk02(0x03, 1.2, 4.35)),
    _volts("power_off_voltage_v", _jk02(0x0B, 1.2, 4.35) | _jk04(0x20, 2.0, 3.7)),
    # The app's map ends these at 3.65 V, but a board with Li-ion cells was recorded with 4.18 V.
    _volts("soc_100_cell_voltage_v", _jk02(0x07, 0.003, 4.35)),
    _volts("soc_0_cell_voltage_v", _jk02(0x08, 0.003, 4.35)),
    _volts("requested_charge_voltage_v", _jk02(0x09, 0.003, 4.35)),
    _volts("requested_float_voltage_v", _jk02(0x0A, 0.003, 4.35)),
    _volts("smart_sleep_voltage_v", _jk02(0x01, 0.003, 3.65)),
    # Currents
    Setting(key="charge_current_limit_a", registers=_jk02(0x0C, 1, 600), step=0.1),
    _seconds("charge_overcurrent_delay_s", 0x0D),
    _seconds("charge_overcurrent_recovery_s", 0x0E),
    Setting(key="discharge_current_limit_a", registers=_jk02(0x0F, 1, 1200), step=0.1),
    _seconds("discharge_overcurrent_delay_s", 0x10),
    _seconds("discharge_overcurrent_recovery_s", 0x11),
    Setting(key="short_circuit_delay_us", registers=_jk02(0x21, 0, 1_000_000, on_24s=0x25)),
    _seconds("short_circuit_recovery_s", 0x12),
    # Balancer
    _volts("balance_start_voltage_v", _jk02(0x22, 1.2, 4.25, on_24s=0x26) | _jk04(0x58, 1.0, 4.25), on_balancers=True),
    _volts("balance_trigger_voltage_v", _jk02(0x06, 0.003, 1.0) | _jk04(0x64, 0.002, 1.0), on_balancers=True),
    Setting(
        key="balance_current_limit_a",
        registers=_jk02(0x13, 0.3, 15) | _jk04(0x68, 0.1, 10),
        step=0.1,
        on_balancers=True,
    ),
    # Temperatures
    _celsius("charge_overtemperature_c", 0x14, 30, 80),
    _celsius("charge_overtemperature_recovery_c", 0x15, 30, 80),
    _celsius("discharge_overtemperature_c", 0x16, 30, 80),
    _celsius("discharge_overtemperature_recovery_c", 0x17, 30, 80),
    _celsius("charge_undertemperature_c", 0x18, -45, 20),
    _celsius("charge_undertemperature_recovery_c", 0x19, -45, 20),
    _celsius("mos_overtemperature_c", 0x1A, 50, 110),
    _celsius("mos_overtemperature_recovery_c", 0x1B, 50, 110),
    _whole_celsius("discharge_undertemperature_c", 0x3A, _FIRST_WITH_DISCHARGE_UNDERTEMPERATURE),
    _whole_celsius("discharge_undertemperature_recovery_c", 0x3B, _FIRST_WITH_DISCHARGE_UNDERTEMPERATURE),
    _whole_celsius("heating_start_temperature_c", 0x37),
    _whole_celsius("heating_stop_temperature_c", 0x38),
    # Time
    Setting(key="discharge_precharge_time_s", registers=_32s(0x25, 0, 255)),
    Setting(key="smart_sleep_delay_h", registers=_32s(0x39, 1, 100, length=1)),
    _of_device_info("requested_charge_time_h", 0xB3, 0, 25.5, step=0.1),
    _of_device_info("requested_float_time_h", 0xB4, 0, 25.5, step=0.1),
    _of_device_info("emergency_duration_min", 0xB5, 1, 255),
    _of_device_info("rebulk_state_of_charge_pct", 0xB7, 0, 50),
    # What the ports speak, and what the buzzer and the dry contacts tell
    _choice("uart1_protocol", 0xA5, _UART, needs="uart1_protocol_mask", length=1),
    _choice("uart2_protocol", 0xA8, _UART, needs="uart2_protocol_mask", length=1),
    _choice("uart3_protocol", 0xB6, _UART, needs="uart3_protocol_mask", length=1),
    _choice("can_protocol", 0xA6, _CAN, needs="can_protocol_mask", length=1),
    # Software that can be told what its ports speak can be told this, too.
    _choice("buzzer_trigger", 0xA9, _TRIGGERS, needs="uart1_protocol_mask", length=1),
    _choice("dry_contact_1_trigger", 0xAA, _TRIGGERS, needs="uart1_protocol_mask", length=2),
    _choice("dry_contact_2_trigger", 0xAB, _TRIGGERS, needs="uart1_protocol_mask", length=2),
    *(
        Setting(
            key=name,
            registers=_32s(_FIRST_CONTROL_BIT + bit, 0, 1),
            kind=Kind.SWITCH,
            # Without its probes a board protects from no temperature.
            danger=Danger.DANGEROUS if name == "temperature_sensors_disabled" else Danger.SETTING,
            shown_by="control_bits",
            index=bit,
        )
        for bit, name in enumerate(CONTROL_BITS)
    ),
    Setting(
        key="emergency",
        registers=_32s(0x6B, 0, 1),
        kind=Kind.SWITCH,
        said_in=FrameType.CELL_INFO,
        shown_by="emergency_countdown_s",
    ),
    Setting(
        key="clock_s",
        registers=_32s(0x6C, 0, 2**32 - 1),
        said_in=FrameType.CELL_INFO,
        tolerance=(10, 0),  # it goes on while the answer is on its way
    ),
    # What the board takes the pack to be, and how it measures
    Setting(
        key="cell_count",
        registers={_JK04: Register(0x1C, 2, 1, 24), _24S: Register(0x1C, 4, 2, 24), _32S: Register(0x1C, 4, 2, 32)},
        danger=Danger.DANGEROUS,
        on_balancers=True,
    ),
    Setting(key="nominal_capacity_ah", registers=_jk02(0x20, 2, 20_000), step=0.001, danger=Danger.DANGEROUS),
    Setting(
        key="pack_voltage_calibration_v",
        registers=_jk02(0x64, 2, 150, on_24s=0x21),
        step=0.001,
        danger=Danger.DANGEROUS,
        said_in=FrameType.CELL_INFO,
        shown_by="pack_voltage_v",
        tolerance=(0.02, 0.002),  # the cells go on living, and are read to a millivolt each
    ),
    Setting(
        key="current_calibration_a",
        registers=_jk02(0x67, 1, 1200, on_24s=0x24),
        step=0.001,
        danger=Danger.DANGEROUS,
        said_in=FrameType.CELL_INFO,
        shown_by="current_a",
        tolerance=(0.3, 0.02),  # a load is never quite steady
    ),
    # The app computes this one; the smallest step that keeps what it was seen to write.
    Setting(key="voltage_calibration_v", registers=_jk04(0x44, 2.8, 3.2), step=1e-7, danger=Danger.DANGEROUS),
    *(
        Setting(
            key=f"lead_resistance_calibration_{index + 1}_uohm",
            registers={_24S: Register(_FIRST_LEAD_CALIBRATION + index, 4, 0, 1_000_000)},
            danger=Danger.DANGEROUS,
            shown_by="lead_resistance_calibrations_uohm",
            index=index,
        )
        for index in range(CELL_SLOTS_24S)
    ),
    Setting(
        key="user_data",
        registers={_24S: Register(0x9F, 13), _32S: Register(0x9F, 13)},
        kind=Kind.TEXT,
        said_in=FrameType.DEVICE_INFO,
    ),
)

SETTINGS_BY_KEY: Final[Mapping[str, Setting]] = {setting.key: setting for setting in _TABLE}
"""All that can be written, by key, in the order of the app."""

ORDER: Final[tuple[tuple[str, ...], ...]] = (
    (
        "power_off_voltage_v",
        "cell_undervoltage_v",
        "soc_0_cell_voltage_v",
        "cell_undervoltage_recovery_v",
        "requested_float_voltage_v",
        "cell_overvoltage_recovery_v",
        "soc_100_cell_voltage_v",
        "requested_charge_voltage_v",
        "cell_overvoltage_v",
    ),
    ("charge_undertemperature_c", "charge_undertemperature_recovery_c"),
    ("charge_overtemperature_recovery_c", "charge_overtemperature_c"),
    ("discharge_undertemperature_c", "discharge_undertemperature_recovery_c"),
    ("discharge_overtemperature_recovery_c", "discharge_overtemperature_c"),
    ("mos_overtemperature_recovery_c", "mos_overtemperature_c"),
    ("heating_start_temperature_c", "heating_stop_temperature_c"),
)
"""Each chain rises from the first to the last. Boards refuse a write that breaks the order around the over-voltage; the
rest is what keeps a protection and its recovery apart. A voltage of 0 is one that the board doesn't have."""


@dataclass(frozen=True, slots=True)
class Conflict:
    """Two settings in the wrong order: `lower` would have to be below `higher`."""

    lower: str
    higher: str


def _pairs() -> Iterator[tuple[str, str]]:
    for chain in ORDER:
        yield from combinations(chain, 2)


_PAIRS: Final = tuple(_pairs())


def conflicts(values: Mapping[str, float], keys: frozenset[str]) -> list[Conflict]:
    """Return the pairs with one of the keys in them that are in the wrong order; what isn't in `values` is left out."""
    return [
        Conflict(lower, higher)
        for lower, higher in _PAIRS
        if (lower in keys or higher in keys)
        and lower in values
        and higher in values
        and not _lacks(lower, values)
        and not _lacks(higher, values)
        and values[lower] >= values[higher]
    ]


def _lacks(key: str, values: Mapping[str, float]) -> bool:
    return key.endswith("_v") and values[key] == 0


def in_safe_order(changes: Mapping[str, SettingValue], present: Mapping[str, float]) -> list[str]:
    """Return the keys in an order in which no single write puts two settings in the wrong order.

    What raises the upper end goes first, and what lowers the lower end. Pairs that are in the wrong order already, as
    boards come from the factory, may be so a little longer.
    """
    values, waiting, ordered = dict(present), list(changes), []
    while waiting:
        key = next((each for each in waiting if _fits(each, changes[each], values)), waiting[0])
        waiting.remove(key)
        ordered.append(key)
        _apply(key, changes[key], values)
    return ordered


def _fits(key: str, value: SettingValue, values: dict[str, float]) -> bool:
    keys = frozenset((key,))
    changed = dict(values)
    _apply(key, value, changed)
    return set(conflicts(changed, keys)) <= set(conflicts(values, keys))


def _apply(key: str, value: SettingValue, values: dict[str, float]) -> None:
    if not isinstance(value, str):
        values[key] = value


def numbers(*sayings: Saying | None) -> dict[str, float]:
    """Return the numbers that the frames say of all settings, by key."""
    said = {
        key: value
        for saying in sayings
        if saying is not None
        for key, setting in SETTINGS_BY_KEY.items()
        if setting.said_in is _SAID_IN[type(saying)] and (value := setting.said(saying)) is not None
    }
    return {key: value for key, value in said.items() if not isinstance(value, str)}


_SAID_IN: Final[Mapping[type, FrameType]] = {
    Settings: FrameType.SETTINGS,
    DeviceInfo: FrameType.DEVICE_INFO,
    Telemetry: FrameType.CELL_INFO,
}
