"""A board's log as an owner published it, with what the phone app showed for it (esphome-jk-bms, issue 116)."""

from __future__ import annotations

from custom_components.jk_bms.bms.telemetry import LogEntry

REAL_LOG = (
    LogEntry(497_855, 0x01),
    LogEntry(580_503, 0x01),
    LogEntry(585_063, 0x1B),
    LogEntry(585_121, 0x1C),
)
AGES_S = ((24 * 60 + 14) * 60 + 41, (60 + 17) * 60 + 13, 73, 15)
"""What the app showed: before 1 d 14 min 41 s, 1 h 17 min 13 s, 1 min 13 s and 15 s."""
