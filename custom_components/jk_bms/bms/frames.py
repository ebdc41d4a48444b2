"""Frames out of a dirty byte stream, and the commands that ask for them. Knows nothing of what a field means.

The Bluetooth module is a bridge to a serial line: notifications come in any size, cut frames anywhere, carry
acknowledges and the module's own `AT` chatter between them, and can get lost.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from .layout import FRAME_LENGTH, FrameType

HEADER: Final = b"\x55\xaa\xeb\x90"
COMMAND_HEADER: Final = b"\xaa\x55\x90\xeb"
COMMAND_LENGTH: Final = 20
COMMAND_VALUE_LENGTH: Final = 13
ACKNOWLEDGE: Final = bytes.fromhex("aa5590ebc8010100000000000000000000000044")
_FRAME_TYPES: Final = frozenset(FrameType)


class Command(IntEnum):
    """The commands that ask for something and change nothing."""

    SETTINGS_AND_STREAM = 0x96
    DEVICE_INFO = 0x97
    EVENT_LOG = 0xA1


def checksum(data: bytes | bytearray | memoryview) -> int:
    """Return the sum of all bytes modulo 256, as frames and commands carry it in their last byte."""
    return sum(data) & 0xFF


def command(register: int, value: bytes = b"") -> bytes:
    """Return the 20 bytes that write `value` (little endian, at most 13 bytes) to a register or ask for something.

    Raises ValueError for a longer value.
    """
    if len(value) > COMMAND_VALUE_LENGTH:
        raise ValueError(f"a command carries at most {COMMAND_VALUE_LENGTH} bytes, not {len(value)}")
    body = (COMMAND_HEADER + bytes((register, len(value))) + value).ljust(COMMAND_LENGTH - 1, b"\0")
    return body + bytes((checksum(body),))


@dataclass(slots=True)
class StreamCounters:
    """What became of the bytes since the start."""

    good: int = 0
    """Frames with a right sum and a known type."""
    bad_sum: int = 0
    """Headers after which no frame with a right sum and a known type followed."""
    bytes_dropped: int = 0
    """Bytes outside of good frames: acknowledges, chatter, broken frames."""


class FrameAssembler:
    """Finds the good frames in a stream of notifications of any size; never keeps more bytes than a frame has."""

    def __init__(self) -> None:
        self.counters = StreamCounters()
        self._buffer = bytearray()

    def feed(self, data: bytes | bytearray) -> list[bytes]:
        """Return the frames, each 300 bytes, that are complete with these bytes."""
        buffer = self._buffer
        buffer += data
        frames: list[bytes] = []
        if len(buffer) < FRAME_LENGTH and buffer.startswith(HEADER):
            return frames
        start = 0
        while True:
            header = buffer.find(HEADER, start)
            if header < 0:
                # The last bytes may be the beginning of a header.
                start = max(start, len(buffer) - len(HEADER) + 1)
                break
            if len(buffer) - header < FRAME_LENGTH:
                start = header
                break
            frame = bytes(buffer[header : header + FRAME_LENGTH])
            if (sum(frame) - frame[-1]) & 0xFF == frame[-1] and frame[4] in _FRAME_TYPES:
                self.counters.good += 1
                self.counters.bytes_dropped -= FRAME_LENGTH
                frames.append(frame)
                start = header + FRAME_LENGTH
            else:
                self.counters.bad_sum += 1
                start = header + 1
        self.counters.bytes_dropped += start
        del buffer[:start]
        return frames

    def reset(self) -> None:
        """Forget the beginning of a frame, as after a reconnect: the rest of it will not come."""
        self.counters.bytes_dropped += len(self._buffer)
        self._buffer.clear()
