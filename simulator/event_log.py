"""A board's event log: the last 50 things that happened, each with the run time and a code.

Codes: the decoding tables of esphome-jk-bms and of readers of the newer Bluetooth modules agree on them.
"""

from __future__ import annotations

from enum import IntEnum

from custom_components.jk_bms.bms.alarms import Alarm
from custom_components.jk_bms.bms.layout import EVENT_LOG_CAPACITY
from custom_components.jk_bms.bms.telemetry import LogEntry


class Event(IntEnum):
    """Codes of what a board does or is told, other than the protections."""

    BOOT = 0x01
    SHUTDOWN = 0x02
    APP_CHARGE_OFF = 0x03
    APP_CHARGE_ON = 0x04
    APP_DISCHARGE_OFF = 0x05
    APP_DISCHARGE_ON = 0x06
    EMERGENCY_ON = 0x29
    EMERGENCY_OFF = 0x2A
    EMERGENCY_OVER = 0x2B
    APP_SHUTDOWN = 0x2C
    CLOCK_SET = 0x3B
    CELL_COUNT = 0x3C
    FACTORY_LI_ION = 0x43
    FACTORY_LFP = 0x44
    FACTORY_LTO = 0x45


FIRST_CELL_OVERVOLTAGE = 0x64
FIRST_CELL_UNDERVOLTAGE = 0xC8

_RAISED = {
    Alarm.MOS_OVERTEMPERATURE: 0x0B,
    Alarm.CURRENT_SENSOR: 0x0D,
    Alarm.COPROCESSOR_LINK: 0x0F,
    Alarm.CELL_OVERVOLTAGE: 0x11,
    Alarm.PACK_OVERVOLTAGE: 0x13,
    Alarm.CHARGE_OVERCURRENT: 0x15,
    Alarm.CHARGE_SHORT_CIRCUIT: 0x17,
    Alarm.CHARGE_OVERTEMPERATURE: 0x19,
    Alarm.CHARGE_UNDERTEMPERATURE: 0x1B,
    Alarm.CELL_UNDERVOLTAGE: 0x1D,
    Alarm.PACK_UNDERVOLTAGE: 0x1F,
    Alarm.DISCHARGE_OVERCURRENT: 0x21,
    Alarm.DISCHARGE_SHORT_CIRCUIT: 0x23,
    Alarm.DISCHARGE_OVERTEMPERATURE: 0x25,
    Alarm.DISCHARGE_UNDERTEMPERATURE: 0x48,
}
"""The clearing of each has the code behind it."""


class EventLog:
    """The log as it lies in the board's memory: `slots`, of which the first `count` are valid."""

    def __init__(self) -> None:
        # What the factory's test left behind is still there, behind the count.
        self.slots = [LogEntry(2, Event.BOOT), LogEntry(40, 0x1D), LogEntry(41, 0x1E), LogEntry(95, Event.SHUTDOWN)]
        self.count = 0
        self.total = 0
        """Entries ever made; the frame holds the last 50."""

    def add(self, run_time_s: float, code: int) -> None:
        """Note something that happened."""
        entry = LogEntry(int(run_time_s), code)
        self.total += 1
        if self.count < EVENT_LOG_CAPACITY:
            self.slots[self.count : self.count + 1] = [entry]
            self.count += 1
        else:
            self.slots = [*self.slots[1:], entry]

    def add_alarm(self, run_time_s: float, alarm: Alarm, *, raised: bool) -> None:
        """Note that an alarm came or went, if the log has a code for it."""
        if alarm in _RAISED:
            self.add(run_time_s, _RAISED[alarm] if raised else _RAISED[alarm] + 1)
        elif alarm is Alarm.CELL_COUNT and raised:
            self.add(run_time_s, Event.CELL_COUNT)
