"""From notifications to values that may be believed: assembler, generation, decoding and plausibility in one place."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from .board import Board, board_of, confirmed
from .frames import FrameAssembler
from .layout import FrameType, Generation
from .plausibility import Plausibility, device_info_problem, settings_problem
from .telemetry import (
    DeviceInfo,
    LogEntry,
    Settings,
    Telemetry,
    decode_device_info,
    decode_event_log,
    decode_settings,
    decode_telemetry,
)


class Verdict(StrEnum):
    """What became of a frame with a right sum."""

    ACCEPTED = "accepted"
    WAITING = "waiting"
    """Nothing in the frame confirms what it says: the next one has to say the same before anything is believed."""
    REJECTED = "rejected"


type EventLog = tuple[LogEntry, ...]


@dataclass(frozen=True, slots=True)
class Reading:
    """A frame with what it says and whether that may be believed. Only accepted values are to be shown."""

    frame: bytes
    frame_type: FrameType
    generation: Generation
    verdict: Verdict
    reason: str | None
    value: Telemetry | Settings | DeviceInfo | EventLog


class Receiver:
    """Takes the notifications of one board, in order, over any number of connections."""

    def __init__(self, board: Board | None = None) -> None:
        self.board = board or Board()
        self.assembler = FrameAssembler()
        self.plausibility = Plausibility()
        self.last_frames: dict[FrameType, bytes] = {}
        """The last accepted frame of each type."""
        self.implausible = 0
        """Frames with a right sum that were not believed."""

    def feed(self, data: bytes | bytearray, now_s: float) -> list[Reading]:
        """Return what the frames say that are complete with these bytes; `now_s` is a monotonic time in seconds."""
        return [self._read(frame, now_s) for frame in self.assembler.feed(data)]

    def link_lost(self) -> None:
        """Forget the beginning of a frame: the rest of it will not come."""
        self.assembler.reset()
