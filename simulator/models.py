"""The boards that can be simulated: what tells them apart, with the settings that real ones had.

Versions, settings, Bluetooth tables, advertisements and the bytes nobody can name are those of recorded boards.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import Enum, auto
from typing import Final

from custom_components.jk_bms.bms.frames import Command
from custom_components.jk_bms.bms.layout import Generation, Value
from simulator.notifications import (
    DRIFTING,
    FLOODED_QUARTERS,
    FLOODED_TWENTIES,
    HALVES,
    IN_128_GLUED,
    LARGE,
    LARGE_GLUED,
    QUARTERS,
    Style,
)
from simulator.peripheral import Characteristic, Service


def uuid16(number: int) -> str:
    """Return a Bluetooth SIG number as a full UUID."""
    return f"{number:08x}-0000-1000-8000-00805f9b34fb"


FFE0: Final = uuid16(0xFFE0)
FFE1: Final = uuid16(0xFFE1)
FFE2: Final = uuid16(0xFFE2)
FFE3: Final = uuid16(0xFFE3)
FIRMWARE_UPDATE: Final = "f000ffc0-0451-4000-b000-000000000000"

_WRITE: Final = ("write-without-response", "write")
_NOTIFY_WRITE: Final = (*_WRITE, "notify")


class Maker(Enum):
    """What the manufacturer data of an advertisement holds."""

    ADDRESS = auto()
    """Company 0x0B65: the device's address."""
    JK = auto()
    """Company 0x4B4A, which spells "JK": two fixed bytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Module:
    """A Bluetooth module: its address block, advertisement and GATT table."""

    address_block: str
    services: tuple[Service, ...]
    service_uuids: tuple[str, ...]
    maker: Maker = Maker.ADDRESS

    def manufacturer_data(self, address: str) -> dict[int, bytes]:
        """Return the manufacturer data that a device with this address advertises."""
        if self.maker is Maker.JK:
            return {0x4B4A: b"\x00\x01"}
        return {0x0B65: b"\x88\xa0" + bytes.fromhex(address.replace(":", ""))}


def _information(handle: int) -> Service:
    names = (0x2A29, 0x2A24, 0x2A25, 0x2A27, 0x2A26, 0x2A28, 0x2A23, 0x2A2A, 0x2A50)
    return Service(
        uuid16(0x180A),
        handle,
        tuple(Characteristic(uuid16(name), handle + 2 + 2 * index, ("read",)) for index, name in enumerate(names)),
    )


_UPDATE: Final = Service(
    FIRMWARE_UPDATE,
    0x2B,
    (
        Characteristic(FIRMWARE_UPDATE.replace("ffc0", "ffc1"), 0x2D, _NOTIFY_WRITE),
        Characteristic(FIRMWARE_UPDATE.replace("ffc0", "ffc2"), 0x31, _NOTIFY_WRITE),
    ),
)

OLD_MODULE: Final = Module(
    address_block="C8:47:8C",
    services=(
        Service(
            FFE0,
            0x0E,
            (Characteristic(FFE2, 0x10, ("write-without-response",)), Characteristic(FFE1, 0x12, _NOTIFY_WRITE)),
        ),
        _information(0x14),
        Service(uuid16(0x180F), 0x27, (Characteristic(uuid16(0x2A19), 0x29, ("read", "notify")),)),
        _UPDATE,
    ),
    service_uuids=(*map(uuid16, (0x1800, 0x1801, 0x180A, 0x180F, 0xFEE7, 0xFFE0)), FIRMWARE_UPDATE),
)
PB_MODULE: Final = replace(OLD_MODULE, address_block="C8:47:80", service_uuids=(FFE0,))
V19_MODULE: Final = replace(OLD_MODULE, address_block="A4:C1:38", service_uuids=(FFE0, uuid16(0xFEE7)))
B5A24S_MODULE: Final = Module(
    address_block="C8:47:8C",
    services=(
        Service(
            FFE0,
            0x0E,
            (
                Characteristic(FFE1, 0x10, _NOTIFY_WRITE),
                Characteristic(FFE2, 0x13, _NOTIFY_WRITE),
                Characteristic(FFE3, 0x16, _WRITE),
            ),
        ),
    ),
    service_uuids=(FFE0,),
)
B2A16S_MODULE: Final = Module(
    address_block="C8:47:8C",
    services=(
        Service(
            FFE0,
            0x08,
            (
                Characteristic(FFE1, 0x0A, _NOTIFY_WRITE),
                Characteristic(FFE2, 0x0D, _NOTIFY_WRITE),
                Characteristic(FFE3, 0x10, _WRITE),
            ),
        ),
    ),
    service_uuids=(FFE0,),
)
SPLIT_MODULE: Final = Module(
    address_block="20:21:11",
    services=(Service(FFE0, 0x01, (Characteristic(FFE1, 3, _WRITE), Characteristic(FFE1, 5, ("notify",)))),),
    service_uuids=(FFE0,),
    maker=Maker.JK,
)
"""Lists FFE1 twice: one to write, one to notify."""


class Pairing(Enum):
    """Whether a board answers a client that it has no bond with."""

    IMPOSSIBLE = auto()
    """It answers everyone, and can't bond at all."""
    OR_ERROR = auto()
    """It refuses the subscription: insufficient authentication."""
    OR_DROP = auto()
    """It lets the link go after a few seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """A board with its software."""

    name: str
    hardware_version: str
    software_version: str
    major: int
    """What the software is able to, whatever version it reports."""
    generation: Generation
    module: Module
    style: Style
    rating_a: float
    """Highest charge and discharge current that may be set."""
    balance_rating_a: float
    settings: Mapping[str, float]
    """Where the owner starts from; cell count and capacity come from the pack."""
    device_info: Mapping[str, Value] = field(default_factory=dict)
    frame_period_s: float = 0.55
    pairing: Pairing = Pairing.IMPOSSIBLE
    asks_passcode: bool = False
    """Whether a bond takes the device's pass code."""
    stream_after: frozenset[int] = frozenset({Command.SETTINGS_AND_STREAM})
    """What has to be asked for before cell info comes."""
    repeats_device_info: bool = False
    """Whether device info follows the settings."""
    constants: Mapping[str, Value] = field(default_factory=dict)
    """Cell info values that this software never changes."""
    unnamed: Mapping[int, bytes] = field(default_factory=dict)
    """Cell info bytes whose meaning nobody knows."""
    is_balancer: bool = False


_JK02_SETTINGS: dict[str, float] = {
    "smart_sleep_voltage_v": 0.6,
    "cell_undervoltage_v": 2.6,
    "cell_undervoltage_recovery_v": 3.0,
    "cell_overvoltage_v": 3.6,
    "cell_overvoltage_recovery_v": 3.4,
    "balance_trigger_voltage_v": 0.01,
    "power_off_voltage_v": 2.5,
    "charge_current_limit_a": 25,
    "charge_overcurrent_delay_s": 30,
    "charge_overcurrent_recovery_s": 60,
    "discharge_current_limit_a": 200,
    "discharge_overcurrent_delay_s": 300,
    "discharge_overcurrent_recovery_s": 60,
    "short_circuit_recovery_s": 60,
    "balance_current_limit_a": 2,
    "charge_overtemperature_c": 70,
    "charge_overtemperature_recovery_c": 60,
    "discharge_overtemperature_c": 70,
    "discharge_overtemperature_recovery_c": 60,
    "charge_undertemperature_c": -20,
    "charge_undertemperature_recovery_c": -10,
    "mos_overtemperature_c": 90,
    "mos_overtemperature_recovery_c": 70,
    "charge_switch": 1,
    "discharge_switch": 1,
    "balancer_switch": 1,
    "short_circuit_delay_us": 1500,
    "balance_start_voltage_v": 3.0,
}
_32S_SETTINGS: dict[str, float] = _JK02_SETTINGS | {
    "soc_100_cell_voltage_v": 3.445,
    "soc_0_cell_voltage_v": 2.64,
    "cell_undervoltage_recovery_v": 2.65,
    "device_address": 1,
    "control_bits": 0,
    "smart_sleep_delay_h": 24,
}
_PB_SETTINGS: dict[str, float] = _32S_SETTINGS | {
    "smart_sleep_voltage_v": 3.5,
    "cell_undervoltage_v": 2.7,
    "cell_undervoltage_recovery_v": 2.901,
    "cell_overvoltage_v": 3.65,
    "cell_overvoltage_recovery_v": 3.444,
    "balance_trigger_voltage_v": 0.005,
    "soc_0_cell_voltage_v": 2.9,
    "requested_charge_voltage_v": 3.45,
    "requested_float_voltage_v": 3.35,
    "charge_current_limit_a": 60,
    "charge_overcurrent_delay_s": 3,
    "discharge_current_limit_a": 100,
    "short_circuit_recovery_s": 5,
    "charge_undertemperature_c": 5,
    "charge_undertemperature_recovery_c": 7,
    "mos_overtemperature_c": 100,
    "mos_overtemperature_recovery_c": 80,
    "balance_start_voltage_v": 3.42,
    "discharge_precharge_time_s": 5,
    "control_bits": 0x200,
    "heating_start_temperature_c": 0,
    "heating_stop_temperature_c": 10,
}
_V19_SETTINGS: dict[str, float] = _PB_SETTINGS | {
    "discharge_undertemperature_c": -20,
    "discharge_undertemperature_recovery_c": -15,
}
_JK04_SETTINGS: dict[str, float] = {
    "power_off_voltage_v": 3.0,
    "voltage_calibration_v": 3.015,
    "balance_start_voltage_v": 3.3,
    "balance_trigger_voltage_v": 0.005,
    "balance_current_limit_a": 2.0,
    "balancer_switch": 1,
}

_INFO: dict[str, Value] = {
    "power_on_count": 15,
    "device_passcode": b"1234",
    "manufacturing_date": b"220312",
    "user_data": b"Input Userdata",
    "setup_passcode": b"123456",
}
_PB_INFO: dict[str, Value] = _INFO | {
    "power_on_count": 21,
    "manufacturing_date": b"240914",
    "user_data_2": b"Input Userdata",
    "setup_passcode": b"136913",
    "uart1_protocol": 1,
    "uart1_protocol_mask": 26623,
    "uart2_protocol": 1,
    "uart2_protocol_mask": 26623,
    "can_protocol": 4,
    "can_protocol_mask": 4095,
    "can_library_version": 1,
    "buzzer_trigger": 9,
    "buzzer_trigger_value": 100,
    "buzzer_release_value": 95,
    "dry_contact_1_trigger": 8,
    "dry_contact_1_trigger_value": 60,
    "dry_contact_1_release_value": 50,
    "data_stored_period_s": 3600,
    "requested_charge_time_h": 1.0,
    "requested_float_time_h": 12.0,
    "emergency_duration_min": 30,
}

_UNNAMED_24S: Final[Mapping[int, bytes]] = {
    160: b"\xd3\x05", 168: b"\x8f\x06", 184: b"\x01", 202: b"\xe2\x04", 209: b"\x01", 211: b"\x05",
}  # fmt: skip
_UNNAMED_32S: Final[Mapping[int, bytes]] = {
    216: b"\x01", 239: b"\x01\x01\x01", 243: b"\x06", 260: b"\x90\x03", 287: b"\xfe\xff\x7f\xdd\x2f\x01\x01\xb0\x07",
}  # fmt: skip
_CONSTANTS_JK02: dict[str, Value] = {"current_correction": 919, "voltage_reference_v": 3.0069}

_BOTH: Final = frozenset({Command.DEVICE_INFO, Command.SETTINGS_AND_STREAM})

JK_PB2A16S20P: Final = Model(
    name="JK_PB2A16S20P",
    hardware_version="15A",
    software_version="15.41",
    major=15,
    generation=Generation.JK02_32S,
    module=PB_MODULE,
    style=LARGE_GLUED,
    rating_a=200,
    balance_rating_a=2,
    settings=_PB_SETTINGS,
    device_info=_PB_INFO,
    stream_after=_BOTH,
    repeats_device_info=True,
    constants=_CONSTANTS_JK02,
    unnamed=_UNNAMED_32S,
)
JK_PB2A16S15P: Final = replace(
    JK_PB2A16S20P,
    name="JK_PB2A16S15P",
    hardware_version="14.XA",
    software_version="14.20",
    major=14,
    style=FLOODED_QUARTERS,
    rating_a=150,
    device_info=_PB_INFO | {"manufacturing_date": b"231118", "emergency_duration_min": 0, "can_library_version": 1},
)
JK_PB2A16S20P_V19: Final = replace(
    JK_PB2A16S20P,
    hardware_version="19A",
    software_version="19.05",
    major=19,
    module=V19_MODULE,
    style=FLOODED_TWENTIES,
    settings=_V19_SETTINGS,
)
"""Sends the acknowledge right behind the device info, in notifications of 20 bytes."""
JK_PB2A16S20P_V19_BONDED: Final = replace(
    JK_PB2A16S20P_V19, software_version="19.30", style=LARGE, pairing=Pairing.OR_ERROR
)
JK_B2A20S20P: Final = Model(
    name="JK_B2A20S20P",
    hardware_version="11.XW",
    software_version="11.288H",
    major=11,
    generation=Generation.JK02_32S,
    module=OLD_MODULE,
    style=QUARTERS,
    rating_a=200,
    balance_rating_a=2,
    settings=_32S_SETTINGS,
    device_info=_INFO,
    constants=_CONSTANTS_JK02
    | {
        # This software keeps something else where others have the heater's current, and has none of the rest.
        "heater_current_a": -7.722,
        "clock_s": 0,
        "event_log_count": 0,
        "time_to_sleep_s": 0,
    },
    unnamed=_UNNAMED_32S,
)
JK_BD4A20S4P: Final = replace(
    JK_B2A20S20P,
    name="JK_BD4A20S4P",
    software_version="11.25",
    module=SPLIT_MODULE,
    style=FLOODED_TWENTIES,
    rating_a=40,
    settings=_32S_SETTINGS | {"discharge_current_limit_a": 40},
)
JK_B2A8S20P: Final = Model(
    name="JK_B2A8S20P",
    hardware_version="10.XW",
    software_version="10.07",
    major=10,
    generation=Generation.JK02_24S,
    module=OLD_MODULE,
    style=HALVES,
    rating_a=200,
    balance_rating_a=2,
    settings=_JK02_SETTINGS,
    device_info=_INFO,
    constants=_CONSTANTS_JK02,
    unnamed=_UNNAMED_24S,
)
JK_BD6A17S6P: Final = replace(
    JK_B2A8S20P,
    name="JK-BD6A17S6P",
    hardware_version="7.X",
    software_version="7.1.0H",
    major=7,
    style=IN_128_GLUED,
    rating_a=60,
    balance_rating_a=0.6,
    settings=_JK02_SETTINGS | {"discharge_current_limit_a": 60, "balance_current_limit_a": 0.6},
    frame_period_s=0.43,
)
JK_B2A16S: Final = Model(
    name="JK-B2A16S",
    hardware_version="3.0",
    software_version="3.3.0",
    major=3,
    generation=Generation.JK04,
    module=B2A16S_MODULE,
    style=IN_128_GLUED,
    rating_a=0,
    balance_rating_a=2,
    settings=_JK04_SETTINGS,
    device_info={"power_on_count": 19, "device_passcode": b"1234"},
    unnamed={221: b"\x01", 233: b"\x58\xa8\xd8\x4a\x40", 260: b"\x01\x01", 264: b"\xc8\x01", 295: b"\x48\x22\x40"},
)
JK_B5A24S: Final = replace(
    JK_B2A16S,
    name="JK-B5A24S",
    hardware_version="8.X",
    software_version="8.0.3M",
    major=8,
    module=B5A24S_MODULE,
    style=DRIFTING,
    balance_rating_a=5,
)
"""Reports a version of another generation."""
JK_DZ11B2A24S: Final = Model(
    name="JK_DZ11B2A24S",
    hardware_version="11.XW",
    software_version="11.27",
    major=11,
    generation=Generation.JK02_32S,
    module=OLD_MODULE,
    style=QUARTERS,
    rating_a=0,
    balance_rating_a=2,
    settings={
        "power_off_voltage_v": 2.5,
        "balance_start_voltage_v": 3.3,
        "balance_trigger_voltage_v": 0.005,
        "balance_current_limit_a": 2.0,
        "balancer_switch": 1,
    },
    device_info=_INFO,
    constants=dict.fromkeys(
        (
            "current_a", "power_magnitude_w", "temperature_2_c", "temperature_4_c", "temperature_5_c",
            "mos_temperature_c", "mos_temperature_copy_c", "state_of_charge_pct", "remaining_capacity_ah",
            "full_charge_capacity_ah", "cycle_count", "cycle_capacity_ah", "state_of_health_pct", "charge_mosfet",
            "discharge_mosfet", "clock_s", "event_log_count", "time_to_sleep_s",
        ),
        0,
    ),
    is_balancer=True,
)  # fmt: skip
"""A stand-alone balancer: advertises, and talks, like a BMS, and has nothing to say about most of it."""

MODELS: Final = (
    JK_PB2A16S20P,
    JK_PB2A16S15P,
    JK_PB2A16S20P_V19,
    JK_PB2A16S20P_V19_BONDED,
    JK_B2A20S20P,
    JK_BD4A20S4P,
    JK_B2A8S20P,
    JK_BD6A17S6P,
    JK_B2A16S,
    JK_B5A24S,
    JK_DZ11B2A24S,
)
