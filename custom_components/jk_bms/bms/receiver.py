"""From notifications to values that may be believed: assembler, generation, decoding and plausibility in one place."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from .board import Board, board_of, confirmed
from .frames import FrameAssembler
from .layout import DEVICE_INFO, FrameType, Generation
from .plausibility import Plausibility, device_info_problem, settings_problem
from .telemetry import (
    DeviceInfo,
    LogEntry,
    Settings,
    Telemetry,
    TelemetryDecoder,
    decode_device_info,
    decode_event_log,
    decode_settings,
)

GENERATION_NOT_CONFIRMED: Final = "generation not confirmed"
SAID_ONCE: Final = "said only once so far"

_PAYLOAD: Final = 6
_UP_TIME: Final = next(
    slice(field.offset, field.offset + field.size)
    for field in DEVICE_INFO[Generation.JK02_32S].fields
    if field.name == "up_time_s"
)
_FRAME_TYPES: Final = {int(frame_type): frame_type for frame_type in FrameType}


class Verdict(StrEnum):
    """What became of a frame with a right sum."""

    ACCEPTED = "accepted"
    WAITING = "waiting"
    """Nothing in the frame confirms what it says: the next one has to say the same before anything is believed."""
    REJECTED = "rejected"


type Value = Telemetry | Settings | DeviceInfo | tuple[LogEntry, ...]


@dataclass(frozen=True, slots=True)
class Reading:
    """A frame with what it says and whether that may be believed. Only accepted values are to be shown."""

    frame: bytes
    frame_type: FrameType
    generation: Generation
    verdict: Verdict
    reason: str | None
    value: Value


class Receiver:
    """Takes the notifications of one board, in order, over any number of connections."""

    def __init__(self, board: Board | None = None) -> None:
        self.board = board or Board()
        self.assembler = FrameAssembler()
        self.last_frames: dict[FrameType, bytes] = {}
        """The last accepted frame of each type."""
        self.software_version: str | None = None
        """What the board last said, if only once: one that wants a bond may be gone before it says it again."""
        self._decoder = TelemetryDecoder(self.board)
        self._plausibility = Plausibility()
        self._rejected = 0
        self._said: dict[FrameType, bytes] = {}
        """What settings and device info said last, believed or not."""
        self._settings_frame: bytes | None = None
        """Settings that were said twice, to be read anew when the generation is settled."""
        self._generation_settled = self.board.confirmed

    @property
    def implausible(self) -> int:
        """Frames with a right sum that were not believed."""
        return self._rejected + self._plausibility.refused

    def feed(self, data: bytes | bytearray, now_s: float) -> list[Reading]:
        """Return what the frames say that are complete with these bytes; `now_s` is a monotonic time in seconds."""
        return [reading for frame in self.assembler.feed(data) for reading in self.read(frame, now_s)]

    def link_lost(self) -> None:
        """Forget the beginning of a frame: the rest of it will not come."""
        self.assembler.reset()

    def read(self, frame: bytes, now_s: float) -> list[Reading]:
        """Return what one whole frame says."""
        match _FRAME_TYPES[frame[4]]:
            case FrameType.CELL_INFO:
                return self._read_cell_info(frame, now_s)
            case FrameType.SETTINGS:
                return [self._read_settings(frame)]
            case FrameType.DEVICE_INFO:
                return [self._read_device_info(frame)]
        return [self._reading(frame, self.board, decode_event_log(frame))]

    def _read_cell_info(self, frame: bytes, now_s: float) -> list[Reading]:
        board = self.board if self.board.confirmed else confirmed(self.board, frame)
        if board is not self._decoder.board:
            self._decoder = TelemetryDecoder(board)
        telemetry = self._decoder.decode(frame)
        if not board.certain:
            return [self._reading(frame, board, telemetry, waits_for="generation unknown")]
        doubt = self._plausibility.judge(frame, telemetry, now_s)
        readings = [self._reading(frame, board, telemetry, waits_for=doubt)]
        if doubt is None and not (self._generation_settled and board is self.board):
            # A board without cells is settled by its version, and once more by its structure when it has cells.
            self.board, self._generation_settled = board, True
            if self._settings_frame:
                readings.append(self._read_settings(self._settings_frame))
        return readings

    def _read_settings(self, frame: bytes) -> Reading:
        twice = self._says_it_again(FrameType.SETTINGS, frame[_PAYLOAD:-1])
        settings = decode_settings(frame, self.board)
        self._settings_frame = frame if twice else None
        if not self._generation_settled:
            return self._reading(frame, self.board, settings, waits_for=GENERATION_NOT_CONFIRMED)
        problem = settings_problem(settings)
        return self._reading(frame, self.board, settings, problem=problem, waits_for=None if twice else SAID_ONCE)

    def _says_it_again(self, frame_type: FrameType, content: bytes) -> bool:
        """Whether a frame says what the one before has said: its sum proves little, and it has no redundancy."""
        said, self._said[frame_type] = self._said.get(frame_type), content
        return content == said

    def _read_device_info(self, frame: bytes) -> Reading:
        info = decode_device_info(frame, Generation.JK02_32S)
        problem = device_info_problem(info)
        twice = self._says_it_again(FrameType.DEVICE_INFO, frame[_PAYLOAD : _UP_TIME.start] + frame[_UP_TIME.stop : -1])
        if problem is None:
            self.software_version = info.software_version
            if not twice:
                return self._reading(frame, self.board, info, waits_for=SAID_ONCE)
            board = board_of(info.model, info.software_version)
            known = self.board
            if known.confirmed and board.software_major in (known.software_major, None):
                board = replace(board, generation=known.generation, confirmed=True)
            elif board.software_major != known.software_major:
                self._generation_settled = False
            self.board = board
            info = decode_device_info(frame, board.generation)
        return self._reading(frame, self.board, info, problem=problem)

    def _reading(
        self, frame: bytes, board: Board, value: Value, *, problem: str | None = None, waits_for: str | None = None
    ) -> Reading:
        """Return the reading, and keep account of it."""
        frame_type = _FRAME_TYPES[frame[4]]
        verdict = Verdict.REJECTED if problem else Verdict.WAITING if waits_for else Verdict.ACCEPTED
        if verdict is Verdict.ACCEPTED:
            self.last_frames[frame_type] = frame
        elif verdict is Verdict.REJECTED:
            self._rejected += 1
        return Reading(frame, frame_type, board.generation, verdict, problem or waits_for, value)
