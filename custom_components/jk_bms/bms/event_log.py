"""What an entry of a board's event log says: the one table of its codes.

The codes are those of esphome-jk-bms and of readers of the newer Bluetooth modules, which agree; what a real log of a
few entries holds (esphome-jk-bms, issue 116) fits them. They have the names of the alarms where they tell of one.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final

from .layout import CELL_INFO, Generation


class LogCode(IntEnum):
    """What a board notes. A protection is noted when it sets in, and with `_CLEARED` when it is over."""

    BOOT = 0x01
    SHUTDOWN = 0x02
    APP_CHARGE_OFF = 0x03
    APP_CHARGE_ON = 0x04
    APP_DISCHARGE_OFF = 0x05
    APP_DISCHARGE_ON = 0x06
    REMOTE_CHARGE_OFF = 0x07
    REMOTE_CHARGE_ON = 0x08
    REMOTE_DISCHARGE_OFF = 0x09
    REMOTE_DISCHARGE_ON = 0x0A
    MOS_OVERTEMPERATURE = 0x0B
    MOS_OVERTEMPERATURE_CLEARED = 0x0C
    CURRENT_SENSOR = 0x0D
    CURRENT_SENSOR_CLEARED = 0x0E
    COPROCESSOR_LINK = 0x0F
    COPROCESSOR_LINK_CLEARED = 0x10
    CELL_OVERVOLTAGE = 0x11
    CELL_OVERVOLTAGE_CLEARED = 0x12
    PACK_OVERVOLTAGE = 0x13
    PACK_OVERVOLTAGE_CLEARED = 0x14
    CHARGE_OVERCURRENT = 0x15
    CHARGE_OVERCURRENT_CLEARED = 0x16
    CHARGE_SHORT_CIRCUIT = 0x17
    CHARGE_SHORT_CIRCUIT_CLEARED = 0x18
    CHARGE_OVERTEMPERATURE = 0x19
    CHARGE_OVERTEMPERATURE_CLEARED = 0x1A
    CHARGE_UNDERTEMPERATURE = 0x1B
    CHARGE_UNDERTEMPERATURE_CLEARED = 0x1C
    CELL_UNDERVOLTAGE = 0x1D
    CELL_UNDERVOLTAGE_CLEARED = 0x1E
    PACK_UNDERVOLTAGE = 0x1F
    PACK_UNDERVOLTAGE_CLEARED = 0x20
    DISCHARGE_OVERCURRENT = 0x21
    DISCHARGE_OVERCURRENT_CLEARED = 0x22
    DISCHARGE_SHORT_CIRCUIT = 0x23
    DISCHARGE_SHORT_CIRCUIT_CLEARED = 0x24
    DISCHARGE_OVERTEMPERATURE = 0x25
    DISCHARGE_OVERTEMPERATURE_CLEARED = 0x26
    WATCHDOG_RESET = 0x27
    DISCHARGE_SHORT_CIRCUIT_2 = 0x28
    EMERGENCY_ON = 0x29
    EMERGENCY_OFF = 0x2A
    EMERGENCY_OVER = 0x2B
    APP_SHUTDOWN = 0x2C
    BUTTON_SHUTDOWN = 0x2D
    DISCHARGE_SWITCH_ON_FAILED = 0x2E
    RS485_SHUTDOWN = 0x2F
    CAN_CHARGE_OFF = 0x30
    CAN_CHARGE_ON = 0x31
    CAN_DISCHARGE_OFF = 0x32
    CAN_DISCHARGE_ON = 0x33
    RS485_CHARGE_OFF = 0x34
    RS485_CHARGE_ON = 0x35
    RS485_DISCHARGE_OFF = 0x36
    RS485_DISCHARGE_ON = 0x37
    SLEEP = 0x38
    CHARGE_MOSFET = 0x39
    DISCHARGE_MOSFET = 0x3A
    CLOCK_SET = 0x3B
    CELL_COUNT = 0x3C
    BUTTON_EMERGENCY_ON = 0x3D
    BUTTON_EMERGENCY_OFF = 0x3E
    BUTTON_HEATING = 0x3F
    DISCHARGE_OVERCURRENT_2 = 0x40
    DISCHARGE_OVERCURRENT_3 = 0x41
    SHORT_CIRCUIT_RELEASE_FAILED = 0x42
    FACTORY_LI_ION = 0x43
    FACTORY_LFP = 0x44
    FACTORY_LTO = 0x45
    REMOTE_EMERGENCY_ON = 0x46
    REMOTE_EMERGENCY_OFF = 0x47
    DISCHARGE_UNDERTEMPERATURE = 0x48
    DISCHARGE_UNDERTEMPERATURE_CLEARED = 0x49


FIRST_CELL_OVERCHARGE: Final = 0x64
FIRST_CELL_OVERDISCHARGE: Final = 0xC8
"""Code of the first cell; the others follow."""

CELL_OVERCHARGE: Final = "cell_overcharge"
CELL_OVERDISCHARGE: Final = "cell_overdischarge"
UNKNOWN: Final = "unknown"

LOG_KEYS: Final = (*(code.name.lower() for code in LogCode), CELL_OVERCHARGE, CELL_OVERDISCHARGE, UNKNOWN)
"""Everything that `meaning` returns, for entities, services and translations."""

_KEYS: Final = {int(code): code.name.lower() for code in LogCode}
_CELLS: Final = next(field.count for field in CELL_INFO[Generation.JK02_32S].fields if field.name == "cell_voltages_v")


def meaning(code: int) -> tuple[str, int | None]:
    """Return the key of what happened, and the cell that it happened to, counted from 1, where the code names one."""
    for key, first in ((CELL_OVERCHARGE, FIRST_CELL_OVERCHARGE), (CELL_OVERDISCHARGE, FIRST_CELL_OVERDISCHARGE)):
        if first <= code < first + _CELLS:
            return key, code - first + 1
    return _KEYS.get(code, UNKNOWN), None
