"""Data that lives, and temperatures that can be."""

from __future__ import annotations

from dataclasses import replace

import pytest

from custom_components.jk_bms.battery.data_quality import Probes, Pulse

from ..pack_values import telemetry_32s


def test_silence_counts_from_the_last_frame() -> None:
    pulse = Pulse()
    assert pulse.silent_s(100) == 0
    assert pulse.step(telemetry_32s(), 100)
    assert pulse.silent_s(107) == 7
    assert pulse.frozen_s == 0


def test_twice_delivered() -> None:
    pulse, frame = Pulse(), telemetry_32s()
    assert pulse.step(frame, 0)
    assert not pulse.step(replace(frame), 30)
    assert pulse.frozen_s == 30
    assert pulse.step(replace(frame, counter=2), 31)


def test_a_resting_pack_may_say_the_same_for_hours() -> None:
    pulse = Pulse()
    for second in range(3600):
        pulse.step(telemetry_32s(current_a=0.0, counter=second % 256, run_time_s=second), second)
    assert pulse.frozen_s == 0


@pytest.mark.parametrize(
    ("readings_c", "believed_c"),
    [
        ((21.0, 21.3, 22.0), 22.0),
        ((1.0, 0.0, -1.0), -1.0),  # drifts through a sentinel
        ((1.0, 0.0), 0.0),
        ((21.0, 0.0), None),  # leaps onto one
        ((21.0, 85.0, 85.0), None),
        ((0.0,), None),
        ((-41.0,), None),
        ((121.0,), None),
        ((20.0, 42.5), 42.5),
        ((20.0, 42.6), None),  # faster than a cell in runaway
        ((20.0, 60.6, 60.6, 60.6, 60.6), None),
        ((20.0, *(60.6,) * 9), 60.6),  # ... but it insists
        ((20.0, None), None),
    ],
)
def test_probe(readings_c: tuple[float | None, ...], believed_c: float | None) -> None:
    probes = Probes()
    for number, reading_c in enumerate((readings_c[0], *readings_c)):
        probes.step(telemetry_32s(temperature_1_c=reading_c, temperature_2_c=None), number * 0.5)
    assert probes.warmest == probes.coldest == (None if believed_c is None else (believed_c, "temperature_1"))
    assert probes.spread_k is None
    assert (probes.lost is not None) is probes.all_lost is (believed_c is None and len(readings_c) > 1)


def test_what_was_heard_once_is_not_missed() -> None:
    probes = Probes()
    for number, reading_c in enumerate((None, 30.0, None, None, 30.0, 30.0)):
        probes.step(telemetry_32s(temperature_4_c=reading_c), number * 0.5)
        assert probes.lost is None
    probes.step(telemetry_32s(), 3)
    assert probes.lost == "temperature_4"


def test_of_several() -> None:
    probes = Probes()
    four = telemetry_32s(temperature_1_c=20.5, temperature_2_c=19.0, temperature_4_c=23.0, temperature_5_c=21.0)
    probes.step(four, 0)
    assert (probes.coldest, probes.warmest) == ((19.0, "temperature_2"), (23.0, "temperature_4"))
    assert probes.spread_k == 4
    assert not probes.leapt
    probes.step(replace(four, temperature_5_c=26.1), 0.5)
    assert probes.leapt
    probes.step(replace(four, temperature_4_c=None), 1)
    assert (probes.lost, probes.all_lost) == ("temperature_4", False)
    probes.step(replace(four, temperature_1_c=19.0, temperature_4_c=None, temperature_5_c=None), 1.5)
    assert probes.spread_k == 0
