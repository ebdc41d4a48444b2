"""When cooling begins and ends, by itself and by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest

from custom_components.jk_bms.battery.acting.interface import ActionsConfig, Cooling, Detail, Mode, Result

from .scene import BY_BOARD, CHARGE, COOL, FAN, Scene, heat


def test_cooling_that_is_not_there_when_it_should_end() -> None:
    scene = Scene(replace(BY_BOARD, cooling=Cooling(least_run_s=60)))
    scene.get(1)
    scene.get(0)
    scene.on[FAN] = None
    scene.run(120)
    assert scene.failing == []
    scene.on[FAN] = True
    scene.run(2)
    assert scene.on[FAN] is False


def test_cooling_stopped_by_hand_at_the_wall() -> None:
    scene = Scene()
    scene.get(1)
    scene.run(120)
    scene.on[FAN] = False
    scene.run(600, every_s=5)
    assert scene.orders == [COOL]
    assert scene.results[-1] == (FAN, True, Result.ENDED, Detail.BY_HAND)
    # That the air outside was warmer for a while doesn't make it another matter.
    scene.get(1, helps=False)
    scene.get(1)
    assert scene.orders == [COOL]
    scene.get(2)
    assert scene.orders == [COOL, COOL]


def test_cooling_ends_when_it_helps_no_longer() -> None:
    scene = Scene()
    scene.get(2)
    scene.get(2, helps=False)
    scene.run(590)
    assert scene.on[FAN]
    scene.run(15)
    assert scene.on[FAN] is False


@pytest.mark.parametrize("mode", list(Mode))
def test_cooling_by_hand_ends_by_itself(mode: Mode) -> None:
    scene = Scene(mode=mode)
    scene.step()
    scene.actor.cool(scene.now_s)
    scene.mark()
    scene.run(700, every_s=1)
    assert [(round(after_s), on) for after_s, _, on in scene.ordered] == [(1, True), (600, False)]
    assert {record.cause for record in scene.records if record.on} == {"by_hand"}
    scene.actor.cool(scene.now_s, until_s=scene.now_s + 20)
    assert scene.step().cooling_by_hand
    assert scene.decision.cooling_until_s == scene.now_s + 19.5
    scene.mark()
    scene.run(21)
    assert [(after_s, on) for after_s, _, on in scene.ordered] == [(19.5, False)]
    assert not scene.decision.cooling_by_hand
    assert scene.decision.cooling_until_s is None


def test_cooling_by_hand_until_it_is_cool() -> None:
    scene = Scene(mode=Mode.WATCH)
    scene.thermal = heat(0, hottest_c=35.0, helps=False)
    scene.actor.cool(scene.now_s, until_c=30.0)
    scene.run(3600, every_s=5)
    assert scene.on[FAN]
    scene.thermal, scene.fresh = heat(0, hottest_c=25.0), False
    scene.run(60)
    scene.fresh = True
    scene.thermal = heat(0, hottest_c=None)
    scene.run(60)
    assert scene.on[FAN]
    scene.thermal = heat(0, hottest_c=30.0)
    scene.run(1)
    assert scene.on[FAN] is False
    scene.thermal = heat(0, hottest_c=35.0)
    scene.actor.cool(scene.now_s, until_c=30.0)
    scene.run(12 * 3600 - 10, every_s=10)
    assert scene.on[FAN]
    scene.run(20)
    assert scene.on[FAN] is False


def test_cooling_by_hand_without_anything_to_cool_with() -> None:
    scene = Scene(ActionsConfig())
    scene.on[FAN] = None
    scene.actor.cool(scene.now_s)
    scene.run(20)
    assert scene.failing == ["cooling"]
    scene.run(600, every_s=5)
    assert scene.failing == []


def test_cooling_by_hand_goes_over_into_what_the_level_asks_for() -> None:
    scene = Scene()
    scene.actor.cool(scene.now_s, until_s=scene.now_s + 100)
    scene.run(50)
    scene.get(1)
    scene.run(600, every_s=5)
    assert scene.orders == [COOL]
    scene.get(0)
    scene.run(10)
    assert scene.orders == [COOL, (FAN, False)]


def test_stopping_the_cooling_by_hand() -> None:
    scene = Scene()
    scene.get(1)
    scene.actor.stop_cooling()
    scene.run(600, every_s=5)
    assert scene.orders == [COOL, (FAN, False)]
    scene.actor.cool(scene.now_s)
    scene.run(10)
    assert scene.orders[2:] == [COOL]
    scene.actor.stop_cooling()
    scene.run(10)
    assert scene.orders[3:] == [(FAN, False)]
    assert not scene.decision.cooling_by_hand
    scene.actor.cool(scene.now_s)
    scene.run(10)
    scene.actor.stop_cooling()
    scene.actor.cool(scene.now_s)
    scene.run(10)
    assert scene.orders[4:] == [COOL]
    scene.actor.stop_cooling()
    scene.run(10)
    scene.mark()
    scene.get(2)
    assert scene.orders == [COOL]
    scene.get(0)
    scene.run(500, every_s=5)
    assert scene.orders == [COOL]


def test_cooling_can_be_stopped_in_an_emergency() -> None:
    scene = Scene()
    scene.get(4)
    scene.actor.stop_cooling()
    scene.run(600, every_s=5)
    assert [order for order in scene.orders if order[0] is FAN] == [COOL, (FAN, False)]
    assert scene.on[CHARGE] is False
    other = Scene()
    other.get(4)
    other.run(60)
    other.on[FAN] = False
    other.run(60)
    assert [order for order in other.orders if order[0] is FAN] == [COOL]


def test_the_least_time_of_cooling_that_is_wanted_again_while_it_ends() -> None:
    scene = Scene(replace(BY_BOARD, cooling=Cooling(least_run_s=60)))
    scene.get(1)
    scene.get(0)
    scene.run(58)
    scene.deaf = {FAN}
    scene.run(3)
    assert scene.orders[-1] == (FAN, False)
    scene.deaf = set()
    scene.get(1)
    scene.mark()
    scene.get(0)
    scene.run(70)
    ((after_s, *_),) = scene.ordered
    assert 55 < after_s < 65


def test_cooling_by_hand_that_is_stopped_at_the_wall_is_over() -> None:
    scene = Scene(mode=Mode.WATCH)
    scene.actor.cool(scene.now_s, until_s=scene.now_s + 3600)
    scene.run(60)
    scene.on[FAN] = False
    scene.run(1)
    assert not scene.decision.cooling_by_hand
    assert scene.orders == [COOL]
