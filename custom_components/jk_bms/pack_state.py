"""All that is known of one pack at one moment."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from .battery.advice import Advice
from .battery.energy import Energy
from .battery.flow import Flow
from .battery.time_to_go import TimeToGo
from .bms.board import Board
from .bms.link import LinkStatus
from .bms.telemetry import DeviceInfo, Settings, Telemetry


@dataclass(frozen=True, slots=True, kw_only=True)
class PackState:
    """All that is known of a pack at one moment. Times are monotonic seconds of the event loop."""

    board: Board
    device_info: DeviceInfo
    telemetry: Telemetry
    settings: Settings | None
    flow: Flow | None
    energy: Energy
    """Since the integration was started; the entities add what they remember of before."""
    time_to_go: TimeToGo
    stored_energy_kwh: float | None
    findings: tuple[Advice, ...] | None
    """Settings to review, without those that the owner wants as they are; None where there is no advice."""
    writes_today: int | None
    """Changes that were written today; None where none may be."""
    returns_at: datetime | None
    """When the first of what was changed for a time returns."""
    fresh: bool
    """Whether the telemetry is young enough to be shown."""
    last_frame_s: float
    """When the telemetry came."""
    age_s: float
    """Time since the last frame."""
    frames_good: int
    frames_rejected: int
    link: LinkStatus
    carrier: str | None
    """Name of the adapter or proxy that carries the link."""
    paused_until: datetime | None
    signal_strength_dbm: int | None
