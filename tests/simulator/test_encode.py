"""The encoder against real frames: what a table claims to know must come back byte for byte."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from custom_components.jk_bms.bms.frames import checksum
from custom_components.jk_bms.bms.layout import (
    CELL_INFO,
    DEVICE_INFO,
    EVENT_LOG_ENTRY,
    EVENT_LOG_FIRST_ENTRY,
    FRAME_LENGTH,
    SETTINGS,
    FrameType,
    Generation,
    Layout,
    Value,
)
from custom_components.jk_bms.bms.telemetry import LogEntry, decode_event_log
from simulator.encode import encode, encode_event_log
from tests.shared import CAPTURES, needs_captures

LAYOUTS = {FrameType.CELL_INFO: CELL_INFO, FrameType.SETTINGS: SETTINGS, FrameType.DEVICE_INFO: DEVICE_INFO}
VARIANTS: dict[str, Generation] = {**{str(g): g for g in Generation}, "pb_rs485": Generation.JK02_32S}


def recorded() -> Iterator[Any]:
    for path in sorted(CAPTURES.glob("*.json")):
        capture = json.loads(path.read_text(encoding="utf-8"))
        if generation := VARIANTS.get(capture["variant"]):
            for number, frame in enumerate(capture["frames"]):
                if frame["type"] in ("cell_info", "settings", "device_info"):
                    yield pytest.param(bytes.fromhex(frame["hex"]), generation, id=f"{path.stem}-{number}")


def covered(layout: Layout) -> list[int]:
    payload = [at for field in layout.fields for at in range(field.offset, field.offset + field.size)]
    return [*range(6), *payload]


@needs_captures
@pytest.mark.parametrize(("frame", "generation"), recorded())
def test_real_frame_comes_back(frame: bytes, generation: Generation) -> None:
    frame_type = FrameType(frame[4])
    layout = LAYOUTS[frame_type][generation]
    again = encode(frame_type, layout, layout.read(frame), counter=frame[5])
    assert [(at, again[at]) for at in covered(layout)] == [(at, frame[at]) for at in covered(layout)]
    assert len(again) == FRAME_LENGTH
    assert again[-1] == checksum(again[:-1])


@needs_captures
def test_recordings_hold_every_generation_and_frame() -> None:
    seen = {(FrameType(p.values[0][4]), p.values[1]) for p in recorded()}
    assert seen == {(frame_type, generation) for frame_type in LAYOUTS for generation in Generation}


def test_numbers_are_rounded_not_cut() -> None:
    # 1.001 * 1000 is 1000.9999999999999 in floating point.
    layout = CELL_INFO[Generation.JK02_32S]
    values: dict[str, Value] = {"cell_voltages_v": (1.001, 3.299_6), "current_a": -0.000_6, "mos_temperature_c": -0.26}
    frame = encode(FrameType.CELL_INFO, layout, values)
    assert frame[6:10] == (1001).to_bytes(2, "little") + (3300).to_bytes(2, "little")
    assert frame[158:162] == b"\xff\xff\xff\xff"
    assert frame[144:146] == (-3).to_bytes(2, "little", signed=True)


def test_short_arrays_texts_and_missing_values_are_zero() -> None:
    frame = encode(FrameType.DEVICE_INFO, DEVICE_INFO[Generation.JK02_24S], {"model": b"JK-1"}, counter=0x1FE)
    assert frame[:22] == b"\x55\xaa\xeb\x90\x03\xfeJK-1" + bytes(12)
    assert frame[22:-1] == bytes(277)
    cells = encode(FrameType.CELL_INFO, CELL_INFO[Generation.JK04], {"cell_voltages_v": (1.0,)})
    assert cells[6:14] == b"\x00\x00\x80\x3f" + bytes(4)


def test_names_of_other_generations_are_left_out() -> None:
    layout = CELL_INFO[Generation.JK02_24S]
    assert encode(FrameType.CELL_INFO, layout, {"clock_s": 5}) == encode(FrameType.CELL_INFO, layout, {})


def test_filler_counts_into_the_sum() -> None:
    frame = encode(FrameType.CELL_INFO, CELL_INFO[Generation.JK02_24S], {}, filler={168: b"\x8f\x06"})
    assert frame[168:170] == b"\x8f\x06"
    assert frame[-1] == checksum(frame[:-1])


def test_event_log_keeps_stale_slots_behind_the_count() -> None:
    slots = [LogEntry(5, 0x01), LogEntry(60, 0xD3), LogEntry(7, 0x02)]
    frame = encode_event_log(slots, 2, counter=9)
    assert frame[4:11] == b"\x05\x09\x02\x00\x00\x00\x00"
    assert EVENT_LOG_ENTRY.unpack_from(frame, EVENT_LOG_FIRST_ENTRY + 10) == (7, 0x02)
    assert decode_event_log(frame) == tuple(slots[:2])
    assert len(frame) == FRAME_LENGTH


def test_event_log_never_outgrows_its_frame() -> None:
    assert len(encode_event_log([LogEntry(n, 1) for n in range(80)], 80)) == FRAME_LENGTH
