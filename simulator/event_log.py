"""A board's event log: the last 50 things that happened, each with the run time and a code."""

from __future__ import annotations

from custom_components.jk_bms.bms.alarms import Alarm
from custom_components.jk_bms.bms.event_log import LogCode
from custom_components.jk_bms.bms.layout import EVENT_LOG_CAPACITY
from custom_components.jk_bms.bms.telemetry import LogEntry


class EventLog:
    """The log as it lies in the board's memory: `slots`, of which the first `count` are valid."""

    def __init__(self) -> None:
        # What the factory's test left behind is still there, behind the count.
        self.slots = [
            LogEntry(2, LogCode.BOOT),
            LogEntry(40, LogCode.CELL_UNDERVOLTAGE),
            LogEntry(41, LogCode.CELL_UNDERVOLTAGE_CLEARED),
            LogEntry(95, LogCode.SHUTDOWN),
        ]
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
        code = LogCode.__members__.get(alarm.name if raised else f"{alarm.name}_CLEARED")
        if code is not None:
            self.add(run_time_s, code)
