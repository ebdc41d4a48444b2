"""The notification styles against the patterns in recordings of real boards."""

from __future__ import annotations

from random import Random

import pytest

from custom_components.jk_bms.bms.frames import ACKNOWLEDGE, FrameAssembler
from custom_components.jk_bms.bms.layout import CELL_INFO, FrameType, Generation
from simulator.encode import encode
from simulator.notifications import (
    CHATTER,
    DRIFTING,
    FLOODED_QUARTERS,
    HALVES,
    IN_128,
    IN_128_GLUED,
    LARGE,
    LARGE_GLUED,
    QUARTERS,
    TWENTIES,
    Notifier,
    Style,
)

FRAMES = [
    encode(FrameType.CELL_INFO, CELL_INFO[Generation.JK02_32S], {"cell_voltages_v": (3.3,) * 16}, counter)
    for counter in range(200)
]
ALL = [TWENTIES, IN_128, IN_128_GLUED, HALVES, QUARTERS, FLOODED_QUARTERS, DRIFTING, LARGE, LARGE_GLUED]


def lengths(style: Style, frames: int, *, acknowledged: bool) -> list[int]:
    return [len(n) for n in Notifier(style, Random(3)).notifications(FRAMES[:frames], acknowledged=acknowledged)]


@pytest.mark.parametrize(
    ("style", "frame", "answer"),
    [
        (TWENTIES, [20] * 15, [20] * 16),
        (IN_128, [128, 128, 44], [128, 128, 44, 20]),
        (IN_128_GLUED, [128, 128, 44], [128, 128, 64]),
        (HALVES, [150, 150], [150, 150, 20]),
        (QUARTERS, [128, 22, 128, 22], [128, 22, 128, 22, 20]),
        (LARGE, [244, 56], [244, 56, 20]),
    ],
)
def test_cut_as_recorded(style: Style, frame: list[int], answer: list[int]) -> None:
    assert lengths(style, 1, acknowledged=False) == frame
    assert lengths(style, 1, acknowledged=True) == answer
    assert lengths(style, 2, acknowledged=True) == frame + answer


def test_a_write_is_answered_by_the_acknowledge_alone() -> None:
    for style in ALL:
        stream = b"".join(Notifier(style, Random(1)).notifications([], acknowledged=True))
        assert stream.removesuffix(CHATTER) == ACKNOWLEDGE


def test_glued_acknowledge_with_chatter_makes_324_bytes() -> None:
    sizes = {
        sum(len(n) for n in Notifier(LARGE_GLUED, Random(seed)).notifications(FRAMES[:1], acknowledged=True))
        for seed in range(20)
    }
    assert sizes == {324, 328}


def test_chatter_in_front_lengthens_the_first_burst() -> None:
    notifier = Notifier(FLOODED_QUARTERS, Random(1))
    patterns = {tuple(map(len, notifier.notifications([frame], acknowledged=False))) for frame in FRAMES}
    assert patterns == {(128, 22, 128, 22), (128, 26, 128, 22)}


def test_drifting_cuts_headers_anywhere() -> None:
    notifier = Notifier(DRIFTING, Random(1))
    pieces = [piece for frame in FRAMES for piece in notifier.notifications([frame], acknowledged=False)]
    assert {len(piece) for piece in pieces} >= set(range(5, 81))
    assert any(piece.find(b"\x55\xaa\xeb\x90") > 0 for piece in pieces)
    assert b"".join(pieces) in b"".join(FRAMES)


@pytest.mark.parametrize("style", ALL)
def test_no_notification_is_too_long_and_no_frame_is_lost(style: Style) -> None:
    notifier = Notifier(style, Random(5))
    assembler = FrameAssembler()
    arrived = []
    for number, frame in enumerate([*FRAMES, FRAMES[0]]):
        for piece in notifier.notifications([frame], acknowledged=number % 3 == 0):
            assert 0 < len(piece) <= style.mtu - 3
            arrived += assembler.feed(piece)
    assert arrived[: len(FRAMES)] == FRAMES
    assert assembler.counters.bad_sum == 0
