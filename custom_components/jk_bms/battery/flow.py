"""Does the pack charge, discharge or rest?

The boards read currents below 0.3 to 0.5 A as noise or as nothing, so that is where a flow begins; it ends lower, so
that a current at the limit does not flicker.
"""

from __future__ import annotations

from enum import Enum, auto
from typing import Final

from ..bms.telemetry import Telemetry

_BEGINS_A: Final = 0.3
_ENDS_A: Final = 0.1


class Flow(Enum):
    """Which way the current flows."""

    CHARGING = auto()
    DISCHARGING = auto()
    RESTING = auto()


class FlowDetector:
    """Remembers the flow of one pack."""

    def __init__(self) -> None:
        self._flow: Flow | None = None

    def step(self, telemetry: Telemetry, _now_s: float) -> Flow | None:
        """Take a frame; return the flow, None if the board measures no current."""
        current_a = telemetry.current_a
        if current_a is None:
            self._flow = None
        elif current_a >= (_ENDS_A if self._flow is Flow.CHARGING else _BEGINS_A):
            self._flow = Flow.CHARGING
        elif current_a <= -(_ENDS_A if self._flow is Flow.DISCHARGING else _BEGINS_A):
            self._flow = Flow.DISCHARGING
        else:
            self._flow = Flow.RESTING
        return self._flow
