"""The 29 alarm bits of JK02 boards by name, each with how much it matters.

The order is the same in the 16-bit word of 24-slot boards and the 32-bit word of 32-slot boards.
"""

from __future__ import annotations

from enum import IntEnum, StrEnum


class Severity(StrEnum):
    """How much an alarm matters to the owner."""

    HINT = "hint"
    WARNING = "warning"
    ALARM = "alarm"


class Alarm(IntEnum):
    """Bit number of each alarm."""

    LEAD_RESISTANCE = 0
    MOS_OVERTEMPERATURE = 1
    CELL_COUNT = 2
    CURRENT_SENSOR = 3
    CELL_OVERVOLTAGE = 4
    PACK_OVERVOLTAGE = 5
    CHARGE_OVERCURRENT = 6
    CHARGE_SHORT_CIRCUIT = 7
    CHARGE_OVERTEMPERATURE = 8
    CHARGE_UNDERTEMPERATURE = 9
    COPROCESSOR_LINK = 10
    CELL_UNDERVOLTAGE = 11
    PACK_UNDERVOLTAGE = 12
    DISCHARGE_OVERCURRENT = 13
    DISCHARGE_SHORT_CIRCUIT = 14
    DISCHARGE_OVERTEMPERATURE = 15
    CHARGE_MOSFET = 16
    DISCHARGE_MOSFET = 17
    GPS_DISCONNECTED = 18
    DEFAULT_PASSWORD = 19
    DISCHARGE_SWITCH_ON_FAILED = 20
    BATTERY_OVERTEMPERATURE = 21
    TEMPERATURE_SENSOR = 22
    PCL_MODULE = 23
    SHORT_CIRCUIT_RELEASE_FAILED = 24
    DISCHARGE_OVERCURRENT_2 = 25
    DISCHARGE_OVERCURRENT_3 = 26
    DISCHARGE_UNDERTEMPERATURE = 27
    GPS_LOCK = 28

    @property
    def key(self) -> str:
        """Name for entities, events and translations."""
        return self.name.lower()

    @property
    def severity(self) -> Severity:
        """How much the alarm matters.

        The default password is set on healthy packs from the factory, a lost GPS is not the battery's, and a high
        balance-lead resistance calls for a screwdriver, not for an alarm in the night.
        """
        if self in (Alarm.DEFAULT_PASSWORD, Alarm.GPS_DISCONNECTED):
            return Severity.HINT
        if self in (Alarm.LEAD_RESISTANCE, Alarm.TEMPERATURE_SENSOR, Alarm.PCL_MODULE, Alarm.GPS_LOCK):
            return Severity.WARNING
        return Severity.ALARM


def alarms(bits: int) -> tuple[Alarm, ...]:
    """Return the alarms whose bits are set; the three unused bits of the word are ignored."""
    return tuple(alarm for alarm in Alarm if bits >> alarm & 1)
