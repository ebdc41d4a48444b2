"""Frames as a board sends them: values by name in, 300 bytes out, by the tables that the integration reads with."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Final

from custom_components.jk_bms.bms.frames import HEADER, checksum
from custom_components.jk_bms.bms.layout import (
    EVENT_LOG,
    EVENT_LOG_CAPACITY,
    EVENT_LOG_ENTRY,
    EVENT_LOG_FIRST_ENTRY,
    FRAME_LENGTH,
    Field,
    FrameType,
    Layout,
    Value,
)
from custom_components.jk_bms.bms.telemetry import LogEntry

_PAYLOAD: Final = 6
_BODY_LENGTH: Final = FRAME_LENGTH - 1


class _Encoder:
    """A layout turned round: one struct for the whole frame, and what goes into it in which order."""

    def __init__(self, layout: Layout) -> None:
        parts, position = ["<4sBB"], _PAYLOAD
        for field in layout.fields:
            parts.append(f"{field.offset - position}x{field.count if field.count > 1 else ''}{field.code}")
            position = field.offset + field.size
        parts.append(f"{_BODY_LENGTH - position}x")
        self._struct = struct.Struct("".join(parts))
        self._columns = [(field, (b"",) if field.is_text else (0,) * field.count) for field in layout.fields]

    def body(self, frame_type: FrameType, counter: int, values: Mapping[str, Value]) -> bytes:
        """Return the frame without its sum."""
        raw: list[float | bytes] = []
        for field, blank in self._columns:
            value = values.get(field.name)
            if value is None:
                raw += blank
            elif isinstance(value, tuple):
                raw += [_raw(field, number) for number in value]
                raw += blank[len(value) :]
            else:
                raw.append(value if isinstance(value, bytes) else _raw(field, value))
        return self._struct.pack(HEADER, frame_type, counter & 0xFF, *raw)


def _raw(field: Field, value: float) -> float:
    return value if field.code == "f" else round(value * field.divisor)


_encoder = cache(_Encoder)


def encode(
    frame_type: FrameType,
    layout: Layout,
    values: Mapping[str, Value],
    counter: int = 0,
    filler: Mapping[int, bytes] | None = None,
) -> bytes:
    """Return the frame that says `values`, numbers in the units of their names, texts as bytes.

    A field without a value is 0. Names that the layout doesn't have are left out: each generation has its share of
    what a board knows. `filler` puts bytes at offsets that no field covers. Raises struct.error for what doesn't fit.
    """
    body = _encoder(layout).body(frame_type, counter, values)
    if filler:
        filled = bytearray(body)
        for offset, data in filler.items():
            filled[offset : offset + len(data)] = data
        body = bytes(filled)
    return body + bytes((checksum(body),))


def encode_event_log(slots: Sequence[LogEntry], count: int, counter: int = 0) -> bytes:
    """Return an event log frame: `slots` as they lie in the board's memory, of which the first `count` are valid."""
    entries = b"".join(EVENT_LOG_ENTRY.pack(entry.run_time_s, entry.code) for entry in slots[:EVENT_LOG_CAPACITY])
    return encode(FrameType.EVENT_LOG, EVENT_LOG, {"count": count}, counter, {EVENT_LOG_FIRST_ENTRY: entries})
