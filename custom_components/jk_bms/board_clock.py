"""What time is it for a board? It counts seconds, and the app sets it right after connecting."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from homeassistant.util import dt as dt_util

BASE: Final = datetime(2020, 1, 1)  # noqa: DTZ001 - local time, wherever the board is


def clock_now_s() -> int:
    """Return the seconds from 2020-01-01 00:00 until now, both in local time: what register 0x6C takes.

    Recorded traffic of the app shows that it counts from that day. Local time is an assumption: no recording tells it
    from UTC.
    """
    return int((dt_util.now().replace(tzinfo=None) - BASE).total_seconds())
