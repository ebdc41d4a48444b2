"""All that is known of one pack at one moment, and what it says of its settings."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from .battery.acting.interface import ActionsConfig, Decision, Mode
from .battery.advice import Advice
from .battery.energy import Energy
from .battery.flow import Flow
from .battery.guardian import Assessment, Finding
from .battery.time_to_go import TimeToGo
from .bms.board import Board
from .bms.layout import FrameType
from .bms.link import LinkStatus
from .bms.registers import Kind, Register, Setting, SettingValue
from .bms.telemetry import DeviceInfo, Settings, Telemetry


@dataclass(frozen=True, slots=True, kw_only=True)
class ActingState:
    """What is done about what the guardian finds."""

    mode: Mode
    config: ActionsConfig
    decision: Decision
    last_at: datetime | None
    """When the last thing was done, or would have been."""
    cooling: bool | None
    """Whether the owner's entity for cooling runs; None without one, and while it isn't there."""
    cooling_until: datetime | None
    """When cooling by hand ends at the latest."""


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
    assessment: Assessment
    """Whether it is safe, as of the last frame or of the silence since."""
    acting: ActingState
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
    zero_at: datetime
    """When the clock of the event loop was 0; it stays the same as long as nobody sets the time of day."""
    age_s: float
    """Time since the last frame."""
    frames_good: int
    frames_rejected: int
    link: LinkStatus
    carrier: str | None
    """Name of the adapter or proxy that carries the link."""
    paused_until: datetime | None
    signal_strength_dbm: int | None


def has_probe(state: PackState) -> bool:
    """Return whether a temperature of the cells has been heard of."""
    return bool(state.assessment.probes)


def described(findings: Iterable[Finding], zero_at: datetime) -> list[dict[str, str]]:
    """Return findings as an attribute says them."""
    return [
        {
            "key": finding.key,
            "level": finding.level.name.lower(),
            "cause": finding.cause,
            "since": (zero_at + timedelta(seconds=finding.since_s)).isoformat(timespec="seconds"),
            **finding.placeholders,
        }
        for finding in findings
    ]


def said_of(setting: Setting, state: PackState) -> SettingValue | None:
    """Return the value of a setting as the board last said it."""
    sayings: dict[FrameType, Settings | DeviceInfo | Telemetry | None] = {
        FrameType.SETTINGS: state.settings,
        FrameType.DEVICE_INFO: state.device_info,
        FrameType.CELL_INFO: state.telemetry,
    }
    saying = sayings[setting.said_in]
    return None if saying is None else setting.said(saying)


def register_of(setting: Setting, state: PackState) -> Register | None:
    """Return the register of a setting with its range on this board; None if the board has no such setting."""
    register = setting.register_on(state.board, state.device_info)
    if register is None or setting.kind is Kind.TEXT:
        return register
    if setting.said_in is FrameType.CELL_INFO:
        return None if said_of(setting, state) is None else register
    return None if setting.is_absent_at(said_of(setting, state), register) else register
