"""From notifications to readings: generation, verdicts, what waits and what is read again."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from custom_components.jk_bms.bms.frames import HEADER, checksum
from custom_components.jk_bms.bms.layout import FrameType, Generation
from custom_components.jk_bms.bms.receiver import SAID_ONCE, Reading, Receiver, Verdict
from custom_components.jk_bms.bms.telemetry import DeviceInfo, LogEntry, Settings, Telemetry
from simulator.encode import encode_event_log

from .builders import cell_info, device_info, settings


def feed(receiver: Receiver, *frames: bytes) -> list[Reading]:
    return [reading for number, frame in enumerate(frames) for reading in receiver.feed(frame, number / 2)]


def verdicts(readings: list[Reading]) -> list[tuple[FrameType, Verdict]]:
    return [(reading.frame_type, reading.verdict) for reading in readings]


def test_a_session() -> None:
    receiver = Receiver()
    readings = feed(receiver, *[device_info()] * 2, *[settings()] * 2, *[cell_info()] * 2)
    assert verdicts(readings) == [
        (FrameType.DEVICE_INFO, Verdict.WAITING),
        (FrameType.DEVICE_INFO, Verdict.ACCEPTED),
        (FrameType.SETTINGS, Verdict.WAITING),
        (FrameType.SETTINGS, Verdict.WAITING),
        (FrameType.CELL_INFO, Verdict.WAITING),
        (FrameType.CELL_INFO, Verdict.ACCEPTED),
        (FrameType.SETTINGS, Verdict.ACCEPTED),
    ]
    assert isinstance(readings[1].value, DeviceInfo)
    assert isinstance(readings[5].value, Telemetry)
    assert isinstance(readings[6].value, Settings)
    assert receiver.board.confirmed
    assert receiver.implausible == 0
    assert receiver.last_frames[FrameType.CELL_INFO] == cell_info()


def test_the_event_log() -> None:
    (reading,) = feed(Receiver(), encode_event_log([LogEntry(5, 1)], 1))
    assert reading.value == (LogEntry(5, 1),)


@pytest.mark.parametrize(
    ("software", "generation"),
    [
        ("8.0.3M", Generation.JK04),
        ("4.1.7", Generation.JK02_24S),
        ("10.07", Generation.JK02_24S),
        ("10.07", Generation.JK02_32S),
        ("11.21H", Generation.JK02_32S),
        ("25.00", Generation.JK02_32S),
        ("", Generation.JK04),
        ("", Generation.JK02_24S),
        ("beta", Generation.JK02_32S),
    ],
)
def test_the_structure_of_the_first_cells_settles_the_generation(software: str, generation: Generation) -> None:
    receiver = Receiver()
    cells = cell_info(generation)
    said = [*[device_info(software=software)] * 2, *[settings(generation)] * 2]
    readings = feed(receiver, *said, cells, cells)
    assert receiver.board.generation is generation
    told = readings[-1].value
    assert isinstance(told, Settings)
    assert told.generation is generation
    assert told.balance_start_voltage_v == pytest.approx(3.42)


def test_a_board_without_cells_keeps_the_rule_of_its_version() -> None:
    receiver = Receiver()
    empty = cell_info(cells_v=(), cell_mask=0)
    readings = feed(receiver, *[device_info(software="19.07")] * 2, *[settings()] * 2, empty, empty)
    assert verdicts(readings)[-2:] == [(FrameType.CELL_INFO, Verdict.ACCEPTED), (FrameType.SETTINGS, Verdict.ACCEPTED)]
    assert not receiver.board.confirmed
    assert receiver.board.generation is Generation.JK02_32S


def test_neither_version_nor_cells_leaves_everything_waiting() -> None:
    empty = cell_info(cells_v=(), cell_mask=0)
    readings = feed(Receiver(), *[device_info(software="")] * 2, *[settings()] * 2, empty, empty)
    assert [reading.verdict for reading in readings[2:]] == [Verdict.WAITING] * 4
    assert {reading.reason for reading in readings[4:]} == {"generation unknown"}


def test_device_info_again_keeps_what_the_cells_have_shown() -> None:
    receiver = Receiver()
    frames = (*[device_info(software="8.0.3M")] * 2, cell_info(Generation.JK04), cell_info(Generation.JK04))
    feed(receiver, *frames, device_info(software="8.0.3M"))
    assert receiver.board.confirmed
    assert receiver.board.generation is Generation.JK04


def test_new_software_is_looked_at_anew() -> None:
    receiver = Receiver()
    feed(receiver, *[device_info(software="10.07")] * 2, *[cell_info(Generation.JK02_24S)] * 2)
    readings = feed(receiver, *[device_info(software="11.17")] * 2, *[settings()] * 2, *[cell_info()] * 2)
    assert receiver.board.generation is Generation.JK02_32S
    assert [reading.verdict for reading in readings][-2:] == [Verdict.ACCEPTED, Verdict.ACCEPTED]


def test_impossible_settings_and_device_info_are_rejected_and_counted() -> None:
    receiver = Receiver()
    feed(receiver, *[device_info()] * 2, cell_info(), cell_info())
    readings = feed(receiver, settings(cell_overvoltage_v=3_000.0), device_info(software="1\x017"))
    assert [(reading.verdict, reading.reason) for reading in readings] == [
        (Verdict.REJECTED, "cell_overvoltage_v"),
        (Verdict.REJECTED, "software_version"),
    ]
    assert receiver.implausible == 2


def test_a_lost_link_loses_only_the_frame_it_cut() -> None:
    receiver = Receiver()
    feed(receiver, *[device_info()] * 2, cell_info(), cell_info())
    receiver.feed(cell_info()[:100], 10)
    receiver.link_lost()
    (reading,) = receiver.feed(cell_info(), 11)
    assert reading.verdict is Verdict.ACCEPTED


@given(st.lists(st.tuples(st.sampled_from(FrameType), st.binary(min_size=294, max_size=294)), min_size=1, max_size=4))
def test_no_frame_raises_whatever_it_says(frames: list[tuple[FrameType, bytes]]) -> None:
    receiver = Receiver()
    for frame_type, payload in frames:
        body = HEADER + bytes((frame_type,)) + payload
        receiver.feed(body + bytes((checksum(body),)), 0.0)
    assert receiver.assembler.counters.good == len(frames)


def test_what_nothing_in_the_frame_confirms_has_to_be_said_twice() -> None:
    receiver = Receiver()
    feed(receiver, *[device_info()] * 2, *[settings()] * 2, *[cell_info()] * 2)
    damaged, changed = settings(nominal_capacity_ah=17.9), settings(nominal_capacity_ah=314.0)
    readings = feed(receiver, damaged, settings(), settings(), changed, changed)
    assert [(reading.verdict, reading.reason) for reading in readings] == [
        (Verdict.WAITING, SAID_ONCE),
        (Verdict.WAITING, SAID_ONCE),
        (Verdict.ACCEPTED, None),
        (Verdict.WAITING, SAID_ONCE),
        (Verdict.ACCEPTED, None),
    ]
    readings = feed(receiver, device_info(software="10.41"), device_info(up_time_s=5), device_info(up_time_s=9))
    assert [reading.verdict for reading in readings] == [Verdict.WAITING, Verdict.WAITING, Verdict.ACCEPTED]
    assert receiver.board.software_major == 15


def test_settings_said_once_before_the_generation_is_known_wait_for_the_second_time() -> None:
    receiver = Receiver()
    readings = feed(receiver, settings(), *[cell_info()] * 2, settings())
    assert [reading.verdict for reading in readings if reading.frame_type is FrameType.SETTINGS] == [
        Verdict.WAITING,
        Verdict.ACCEPTED,
    ]
