"""What is remembered over a restart, and what of it can't be read."""

from __future__ import annotations

from dataclasses import replace

import pytest

from custom_components.jk_bms.battery.acting.interface import Mode

from .scene import BY_BOARD, CHARGE, CHARGE_OFF, COOL, FAN, Scene, heat


def test_what_was_done_last_is_remembered() -> None:
    scene = Scene()
    assert scene.step().last is None
    assert scene.restarted().step().last is None
    scene.get(3)
    scene.run(10)
    last = scene.decision.last
    assert last is not None
    again = scene.restarted(after_s=30)
    again.thermal = None
    again.step()
    assert again.records == []
    assert again.decision.last == replace(last, at_s=5.0 - 30.0 - (scene.now_s - last.at_s))


def test_a_limit_is_remembered() -> None:
    scene = Scene()
    scene.get(2)
    again = scene.restarted()
    again.thermal = None
    again.run(60)
    assert again.decision.limit_a == 100.0
    again.thermal = heat(0)
    again.run(60)
    assert again.decision.limit_a == pytest.approx(100.0 + 14.0, abs=0.5)


def test_limits_are_remembered() -> None:
    scene = Scene(replace(BY_BOARD, stop_discharge=None))
    for _ in range(3):
        scene.get(3)
        scene.run(60)
        scene.get(0)
        scene.run(60)
    again = scene.restarted()
    again.run(600, every_s=5)
    assert (CHARGE, True) not in again.orders
    again.run(3600, every_s=5)
    assert (CHARGE, True) in again.orders


def test_a_decision_by_hand_is_remembered() -> None:
    scene = Scene()
    scene.get(3)
    scene.run(20)
    scene.on[CHARGE] = True
    scene.run(1)
    again = scene.restarted()
    again.run(20)
    assert CHARGE_OFF not in again.orders


def test_cooling_by_hand_is_remembered() -> None:
    for until_c in (None, 30.0):
        scene = Scene(mode=Mode.WATCH)
        scene.actor.cool(scene.now_s, until_s=scene.now_s + 3600, until_c=until_c)
        scene.run(10)
        again = scene.restarted(after_s=1800)
        again.run(1700, every_s=5)
        assert again.orders == []
        again.thermal = heat(0, hottest_c=30.0)
        again.step()
        assert again.orders == ([] if until_c is None else [(FAN, False)])
        again.run(200, every_s=5)
        assert again.orders == [(FAN, False)]


@pytest.mark.parametrize(
    "restored",
    [
        None,
        [],
        {},
        {"drives": [], "spent": 3, "heat": "hot", "ordered": 4, "limit_a": "x", "cooling_for_s": -5, "latched": 1},
        {"drives": {"cooling": 5, "board_charge": {"stage": "done"}}, "spent": {"cooling": "x"}, "heat": 17},
        {"drives": {"board_charge": {"stage": "flying", "action": "stop_charge", "age_s": 3}}, "heat": True},
        {"drives": {"board_charge": {"stage": "idle", "action": "stop_charge", "age_s": 0, "undone": 3}}},
        {"spent": {"board_charge": [-3, "x", None, float("nan"), float("inf")]}, "stopping_for_s": "x"},
        {"drives": {"cooling": {"stage": [], "action": {}, "age_s": []}}, "ordered": [1, None, "both"]},
        {"last": {"at_s": "x"}},
        {"drives": {"cooling": {"stage": "done", "action": "cooling", "age_s": -5}}},
        {"cooling_for_s": float("inf"), "limit_a": float("nan")},
        {"last": {"at_s": 1, "action": "cooling", "result": "verified", "target": "moon"}},
        {"last": {"at_s": 1, "action": [], "result": {}}},
    ],
)
def test_what_cannot_be_read_is_left_out(restored: object) -> None:
    scene = Scene(restored=restored)
    scene.thermal = None
    scene.step()
    scene.thermal = heat(0)
    scene.step()
    assert scene.records == []
    scene.get(3)
    assert scene.orders == [COOL, CHARGE_OFF]
