"""When levels begin and end: chapter 4 of the guide."""

from __future__ import annotations

import pytest

from custom_components.jk_bms.battery.thermal.interface import ThermalLevel
from custom_components.jk_bms.battery.thermal.levels import Ladder

NORMAL, COOL, REDUCE, STOP, EMERGENCY = ThermalLevel


class Clock:
    """A ladder that is stepped every ten seconds."""

    def __init__(self, remembered: tuple[float, ...] = ()) -> None:
        self.ladder = Ladder(remembered)
        self.ladder.begin(0.0)
        self.now_s = 0.0

    def run(
        self,
        minutes: float,
        wanted: ThermalLevel = NORMAL,
        *,
        local: bool = False,
        warm: bool = False,
        hot: bool = False,
        rising: bool = False,
        heard: bool = True,
    ) -> ThermalLevel:
        level = self.ladder.level
        for _ in range(round(minutes * 6)):
            self.now_s += 10
            before = level
            level = self.ladder.step(wanted, self.now_s, heard=heard, local=local, warm=warm, hot=hot, rising=rising)
            assert level >= before - 1
        return level


def test_no_level_ends_in_a_frame_without_a_temperature() -> None:
    clock = Clock()
    clock.run(1, REDUCE)
    assert clock.run(20, heard=False) is REDUCE
    assert clock.run(1 / 6) is COOL


@pytest.mark.parametrize("level", [COOL, REDUCE, STOP, EMERGENCY])
def test_up_at_once(level: ThermalLevel) -> None:
    clock = Clock()
    assert clock.run(1 / 6, level) is level
    assert clock.ladder.since_s == 10


@pytest.mark.parametrize(
    ("level", "warm", "minutes", "left"),
    [
        (COOL, False, 14, False),
        (COOL, False, 16, True),
        (COOL, True, 60, False),
        (REDUCE, True, 14, False),
        (REDUCE, True, 16, True),
    ],
)
def test_down_after_a_quiet_quarter_of_an_hour(level: ThermalLevel, minutes: float, *, warm: bool, left: bool) -> None:
    clock = Clock()
    clock.run(1, level)
    assert (clock.run(minutes, warm=warm) < level) is left


def test_down_one_at_a_time() -> None:
    clock = Clock()
    clock.run(1, REDUCE)
    assert clock.run(20) is COOL
    assert clock.run(20) is NORMAL


def test_lesser_cause_does_not_hold_a_level() -> None:
    clock = Clock()
    clock.run(1, REDUCE)
    assert clock.run(120, COOL) is COOL


@pytest.mark.parametrize(
    ("hot", "rising", "local", "left"),
    [
        (False, False, False, True),
        (True, False, False, False),
        (False, True, False, False),
        (False, False, True, False),
    ],
)
def test_leaving_level_3(*, hot: bool, rising: bool, local: bool, left: bool) -> None:
    clock = Clock()
    clock.run(1, STOP, local=local)
    assert clock.ladder.acknowledgement_wanted is local
    assert (clock.run(35, hot=hot, rising=rising) is REDUCE) is left


def test_acknowledgement_lets_level_3_end() -> None:
    clock = Clock()
    clock.run(1, STOP, local=True)
    clock.run(60)
    clock.ladder.acknowledge()
    assert not clock.ladder.acknowledgement_wanted
    assert clock.run(1) is REDUCE


def test_level_4_ends_by_hand_after_an_hour_below() -> None:
    clock = Clock()
    clock.run(1, EMERGENCY, local=True, hot=True)
    assert clock.run(59) is EMERGENCY
    assert not clock.ladder.reset(clock.now_s)
    assert clock.run(600) is EMERGENCY
    assert clock.ladder.reset(clock.now_s)
    assert clock.ladder.level is NORMAL, "the owner has seen that it is over"
    assert not clock.ladder.acknowledgement_wanted
    assert not clock.ladder.reset(clock.now_s)


@pytest.mark.parametrize(("level", "left_min"), [(REDUCE, 13), (STOP, 28)])
def test_what_was_in_a_gap_nobody_knows(level: ThermalLevel, left_min: int) -> None:
    clock = Clock()
    clock.run(1, level, rising=True)
    clock.run(1)
    clock.now_s += 3600.0
    assert clock.run(left_min - 1) is level
    assert clock.run(2) < level


def test_a_pack_that_is_asked_seldom_comes_down_too() -> None:
    clock = Clock()
    clock.run(1, COOL)
    for _ in range(14):
        clock.now_s += 590.0
        assert clock.run(1 / 6) is COOL
    clock.now_s += 590.0
    assert clock.run(1 / 6) is NORMAL


def test_an_hour_without_frames_is_no_hour_of_coolness() -> None:
    clock = Clock()
    clock.run(1, EMERGENCY, hot=True)
    clock.run(1)
    clock.now_s += 3600.0
    clock.run(1)
    assert not clock.ladder.reset(clock.now_s)
    clock.run(58)
    assert clock.ladder.reset(clock.now_s)


def test_who_is_sure_ends_level_4_and_no_other() -> None:
    clock = Clock()
    clock.run(1, STOP, hot=True)
    assert not clock.ladder.reset(clock.now_s, sure=True)
    clock.run(1, EMERGENCY, hot=True)
    assert clock.ladder.reset(clock.now_s, sure=True)
    assert clock.ladder.level is NORMAL


def test_level_outlasts_a_restart() -> None:
    clock = Clock()
    clock.run(1, STOP, local=True)
    again = Clock(tuple(clock.ladder.remembered))
    assert again.ladder.acknowledgement_wanted
    assert again.run(60) is STOP


@pytest.mark.parametrize("remembered", [(), (7.0, 0.0), (2.5, 1.0), (3.0,)])
def test_nonsense_is_not_remembered(remembered: tuple[float, ...]) -> None:
    assert Clock(remembered).ladder.level is NORMAL
