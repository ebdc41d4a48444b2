"""Data that lives, and temperatures that can be."""

from __future__ import annotations

from dataclasses import replace
from math import nan

import pytest

from custom_components.jk_bms.battery.data_quality import Probes, Pulse, temperatures_c

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


def test_a_counter_that_has_gone_round_between_two_visits_has_moved() -> None:
    pulse = Pulse()
    for visit in range(6):
        frame = telemetry_32s(current_a=0.0, counter=7 + (visit == 1), run_time_s=128 * visit)
        assert pulse.step(frame, 128 * visit)
        assert pulse.frozen_s == 0
    assert not pulse.step(frame, 128 * 6), "a board that has hung up says all the same"
    assert pulse.frozen_s == 128


def test_what_a_frame_says_of_temperatures() -> None:
    frame = telemetry_32s(temperature_1_c=21.5, temperature_2_c=None, temperature_4_c=nan, mos_temperature_c=-200.0)
    assert temperatures_c(frame) == {"temperature_1": 21.5, "mos_temperature": -200.0}


def test_of_several() -> None:
    probes = Probes()
    four_c = {"temperature_1": 20.5, "temperature_2": 19.0, "temperature_4": 23.0, "temperature_5": 21.0}
    probes.step(four_c | {"mos_temperature": 60.0})
    assert (probes.coldest, probes.warmest) == ((19.0, "temperature_2"), (23.0, "temperature_4"))
    assert (probes.spread_k, probes.lost) == (4, None)
    probes.step(four_c)
    assert (probes.lost, probes.all_lost) == ("mos_temperature", False)
    probes.step({"temperature_1": 19.0, "temperature_2": 19.0})
    assert (probes.spread_k, probes.lost, probes.all_lost) == (0, "temperature_4", False)
    probes.step({"temperature_5": 19.0})
    assert (probes.spread_k, probes.lost, probes.all_lost) == (None, "temperature_1", False)
    assert probes.coldest == probes.warmest == (19.0, "temperature_5")


@pytest.mark.parametrize(
    ("before", "now", "lost", "all_lost"),
    [
        ((), (), None, False),
        ((), ("temperature_2",), None, False),
        (("temperature_2",), (), "temperature_2", True),
        (("temperature_2",), ("mos_temperature",), "temperature_2", True),
        (("mos_temperature",), (), "mos_temperature", False),
        (("temperature_2", "temperature_1"), ("temperature_4",), "temperature_1", False),
    ],
)
def test_what_was_there_before_a_restart_is_missed(
    before: tuple[str, ...], now: tuple[str, ...], lost: str | None, all_lost: bool
) -> None:
    probes = Probes(before)
    probes.step(dict.fromkeys(now, 21.0))
    assert (probes.lost, probes.all_lost) == (lost, all_lost)
