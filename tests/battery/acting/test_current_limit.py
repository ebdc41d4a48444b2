"""How much current a pack is left, and whether that is followed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from custom_components.jk_bms.battery.acting.interface import Mode, Result
from custom_components.jk_bms.battery.acting.reduction import LOCAL_RATE

from .scene import BY_BOARD, CAPACITY_AH, FAN, Scene


def test_the_limit_falls_at_once_and_rises_slowly() -> None:
    scene = Scene()
    scene.get(2, hold_a=100.0)
    scene.get(2, hold_a=50.0)
    assert scene.decision.limit_a == 50.0
    scene.get(2, hold_a=70.0)
    scene.run(59)
    assert scene.decision.limit_a == pytest.approx(64.0)  # 0.05 C a minute
    scene.run(600, every_s=5)
    assert scene.decision.limit_a == 70.0
    scene.get(2, hold_a=None)
    scene.run(600, every_s=5)
    assert scene.decision.limit_a == 70.0
    scene.get(1)
    scene.run(839, every_s=1)
    assert scene.decision.limit_a == pytest.approx(266.0)
    scene.step(600)  # What happened meanwhile nobody knows.
    assert scene.decision.limit_a == pytest.approx(268.33, abs=0.01)
    scene.run(60)
    assert scene.decision.limit_a is None


def test_whether_the_limit_is_followed() -> None:
    scene = Scene()
    scene.current_a = -150.0
    scene.get(2)
    assert scene.results[0] == (None, False, Result.PENDING, "")
    scene.current_a = None
    scene.run(10)
    scene.current_a = -106.1
    scene.run(10)
    assert (None, False, Result.VERIFIED, "") not in scene.results
    scene.current_a = -105.9
    scene.run(10)
    assert scene.results.count((None, False, Result.VERIFIED, "")) == 1
    scene.get(1)
    scene.run(1000, every_s=5)
    assert scene.records[-1].cause == "over"
    assert (None, True, Result.ENDED, "") in scene.results


def test_a_limit_without_a_known_capacity() -> None:
    scene = Scene(replace(BY_BOARD, capacity_ah=None, keep_supplied=True))
    scene.get(3, local=True, hold_a=None)
    assert scene.decision.limit_a is None
    scene.get(2, hold_a=80.0)
    scene.get(2, hold_a=90.0)
    assert scene.decision.limit_a == 90.0
    scene.get(1)
    assert scene.decision.limit_a is None


def test_a_spot_that_heats_is_no_less_one_when_another_cause_comes_first() -> None:
    scene = Scene(BY_BOARD)
    scene.get(2, local=True, hold_a=80.0)
    assert scene.decision.limit_a == LOCAL_RATE * CAPACITY_AH
    scene.get(3, hold_a=80.0)
    scene.run(120)
    assert scene.decision.limit_a == LOCAL_RATE * CAPACITY_AH
    scene.get(1)
    scene.run(120)
    assert scene.decision.limit_a is not None
    assert scene.decision.limit_a > LOCAL_RATE * CAPACITY_AH
    scene.get(2, hold_a=300.0)
    scene.run(120)
    assert scene.decision.limit_a is not None
    assert scene.decision.limit_a > 1.2 * LOCAL_RATE * CAPACITY_AH, "it was another time"


def test_no_current_is_left_in_an_emergency() -> None:
    scene = Scene(BY_BOARD)
    scene.get(4, local=True, hold_a=80.0)
    assert scene.decision.limit_a == 0.0


def test_a_capacity_that_becomes_known() -> None:
    for mode in (Mode.ACT, Mode.DRY_RUN):
        scene = Scene(replace(BY_BOARD, capacity_ah=None), mode)
        scene.get(2, local=True, hold_a=None)
        assert scene.records[0].target is FAN
        scene.actor.adapt(100.0, 58.0)
        scene.get(2, local=True, hold_a=None)
        assert scene.decision.limit_a == (20.0 if mode is Mode.ACT else None)
        assert scene.records[-1].target is None
    again = Scene(replace(BY_BOARD, capacity_ah=None), Mode.DRY_RUN)
    again.actor.adapt(100.0, 58.0)
    again.get(2, local=True, hold_a=None)
    assert again.records[0].target is None
