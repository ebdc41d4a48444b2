"""The assembler against every dirt that a stream of notifications has been seen to carry."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from custom_components.jk_bms.bms.frames import ACKNOWLEDGE, HEADER, Command, FrameAssembler, checksum, command
from custom_components.jk_bms.bms.layout import FRAME_LENGTH, FrameType

CHATTER = b"AT\r\n"


def frame(counter: int = 0, frame_type: int = FrameType.CELL_INFO, filler: int = 0x11) -> bytes:
    body = HEADER + bytes((frame_type, counter)) + bytes((filler,)) * (FRAME_LENGTH - 7)
    return body + bytes((checksum(body),))


def assemble(*chunks: bytes) -> tuple[list[bytes], FrameAssembler]:
    assembler = FrameAssembler()
    return [found for chunk in chunks for found in assembler.feed(chunk)], assembler


def cut(stream: bytes, *sizes: int) -> list[bytes]:
    """Cut a stream into chunks of the sizes, over and over."""
    chunks, position, turn = [], 0, 0
    while position < len(stream):
        size = sizes[turn % len(sizes)]
        chunks.append(stream[position : position + size])
        position, turn = position + size, turn + 1
    return chunks


@pytest.mark.parametrize(
    "sizes",
    [(1,), (20,), (128, 128, 44), (128, 128, 64), (128, 22), (150,), (5, 80, 33, 7), (244, 56), (384,), (900,)],
    ids=str,
)
def test_every_chunking_gives_the_same_frames(sizes: tuple[int, ...]) -> None:
    frames = [frame(counter) for counter in range(3)]
    stream = frames[0] + ACKNOWLEDGE + frames[1] + CHATTER * 5 + frames[2]
    found, assembler = assemble(*cut(stream, *sizes))
    assert found == frames
    assert assembler.counters.good == 3
    assert assembler.counters.bad_sum == 0


def test_a_flood_of_chatter_leaves_nothing_behind() -> None:
    assembler = FrameAssembler()
    for _ in range(10_000):
        assert assembler.feed(CHATTER) == []
    assert len(assembler._buffer) < len(HEADER)
    assert assembler.feed(frame()) == [frame()]


def test_memory_stays_bounded_whatever_arrives() -> None:
    assembler = FrameAssembler()
    for _ in range(200):
        assembler.feed(HEADER * 1000)
        assert len(assembler._buffer) < FRAME_LENGTH


def test_a_header_split_over_two_notifications() -> None:
    found, _ = assemble(CHATTER + frame()[:2], frame()[2:])
    assert found == [frame()]


def test_joining_in_the_middle_of_a_frame() -> None:
    found, assembler = assemble(frame(1)[172:], frame(2))
    assert found == [frame(2)]
    assert assembler.counters.bytes_dropped == FRAME_LENGTH - 172


def test_a_lost_notification_costs_one_frame_and_no_more() -> None:
    found, assembler = assemble(frame(1)[:128], frame(1)[256:], frame(2), frame(3))
    assert found == [frame(2), frame(3)]
    assert assembler.counters.bad_sum == 1
    assert assembler.counters.bytes_dropped == 172


def test_a_header_inside_a_bad_buffer_is_found_again() -> None:
    """A frame that broke off is followed at once by a good one: both lie in the first 300 bytes."""
    found, _ = assemble(frame(1)[:278] + frame(2) + frame(3))
    assert found == [frame(2), frame(3)]


def test_a_frame_and_part_of_the_next_in_one_notification() -> None:
    found, _ = assemble(frame(1) + frame(2)[:84], frame(2)[84:])
    assert found == [frame(1), frame(2)]


def test_an_unknown_type_is_no_frame() -> None:
    found, assembler = assemble(frame(frame_type=0x04), frame(1))
    assert found == [frame(1)]
    assert assembler.counters.bad_sum == 1


def test_reset_forgets_the_beginning_of_a_frame() -> None:
    assembler = FrameAssembler()
    assembler.feed(frame(1)[:200])
    assembler.reset()
    assert assembler.feed(frame(1)[200:]) == []
    assert assembler.feed(frame(2)) == [frame(2)]
    assert assembler.counters.bad_sum == 0


parts = st.lists(
    st.one_of(
        st.builds(frame, st.integers(0, 255), st.sampled_from(FrameType), st.integers(0, 255)),
        st.sampled_from((CHATTER, ACKNOWLEDGE, HEADER, frame()[:150], b"")),
        st.binary(max_size=40),
    ),
    max_size=8,
)


@given(parts, st.lists(st.integers(1, 400), min_size=1, max_size=12))
def test_rechunking_never_changes_what_is_found(stream_parts: list[bytes], sizes: list[int]) -> None:
    stream = b"".join(stream_parts)
    whole, at_once = assemble(stream)
    chunked, in_pieces = assemble(*cut(stream, *sizes))
    assert chunked == whole
    assert in_pieces.counters == at_once.counters
    assert in_pieces.counters.good * FRAME_LENGTH + in_pieces.counters.bytes_dropped + len(in_pieces._buffer) == len(
        stream
    )


@given(st.lists(st.binary(max_size=700), max_size=20))
def test_no_input_raises(chunks: list[bytes]) -> None:
    assemble(*chunks)


def test_commands() -> None:
    assert command(Command.DEVICE_INFO) == bytes.fromhex("aa5590eb9700" + "00" * 13 + "11")
    assert command(0x1F, (1).to_bytes(4, "little")) == bytes.fromhex("aa5590eb1f0401000000" + "00" * 9 + "9e")
    assert len(command(0x9F, bytes(13))) == 20
    with pytest.raises(ValueError, match="at most 13"):
        command(0x9F, bytes(14))
