"""What is ordered in an emergency: by hand, and at level 4 after other orders."""

from __future__ import annotations

import pytest

from custom_components.jk_bms.battery.acting.interface import ActionsConfig, Mode, Target

from .scene import (
    BY_BOARD,
    BY_BOTH,
    CHARGE,
    CHARGE_OFF,
    CHARGER,
    CONTACTOR,
    DISCHARGE,
    DISCHARGE_OFF,
    INVERTER,
    Scene,
)


@pytest.mark.parametrize("mode", list(Mode))
@pytest.mark.parametrize(
    ("charge", "discharge", "expected"),
    [
        (True, False, [(CHARGER, False), CHARGE_OFF]),
        (False, True, [(INVERTER, False), DISCHARGE_OFF]),
        (True, True, [(CHARGER, False), (INVERTER, False), CHARGE_OFF, DISCHARGE_OFF, (CONTACTOR, False)]),
        (False, False, []),
    ],
)
def test_emergency_stop(mode: Mode, charge: bool, discharge: bool, expected: list[tuple[Target, bool]]) -> None:
    scene = Scene(BY_BOTH, mode)
    scene.actor.emergency_stop(charge=charge, discharge=discharge)
    scene.step()
    assert scene.orders == expected
    assert {command.cause for command in scene.decision.commands} <= {"by_hand"}
    assert scene.decision.latched is bool(expected)
    again = scene.restarted()
    again.run(120)
    assert again.orders == []
    for target, _ in expected:
        again.on[target] = True
    again.step()
    assert again.orders == expected
    again.run(20)
    again.actor.reset(again.now_s)
    assert not again.step().latched
    again.run(3700, every_s=5)
    assert again.orders == expected


def test_an_emergency_stop_goes_to_the_board_even_if_it_is_not_configured() -> None:
    scene = Scene(ActionsConfig(), Mode.WATCH)
    scene.actor.emergency_stop(charge=True, discharge=True)
    scene.step()
    assert scene.orders == [CHARGE_OFF, DISCHARGE_OFF]
    again = scene.restarted()
    again.run(60)
    assert again.decision.held == {CHARGE, DISCHARGE}


def test_an_emergency_stop_goes_only_to_the_switches_that_were_named() -> None:
    scene = Scene(BY_BOARD)
    scene.actor.emergency_stop(charge=True, discharge=True)
    scene.step()
    assert scene.orders == [CHARGE_OFF, DISCHARGE_OFF]


def test_a_second_emergency_stop_does_not_end_the_first() -> None:
    scene = Scene()
    scene.actor.emergency_stop(charge=True, discharge=False)
    scene.run(20)
    scene.actor.emergency_stop(charge=False, discharge=True)
    scene.run(20)
    scene.on[CHARGE] = True
    scene.step()
    assert scene.orders == [CHARGE_OFF, DISCHARGE_OFF, CHARGE_OFF]


def test_an_emergency_stop_of_one_current_leaves_the_other_to_the_levels() -> None:
    scene = Scene()
    scene.get(3)
    scene.run(70)
    scene.actor.emergency_stop(charge=True, discharge=False)
    scene.run(10)
    scene.get(0)
    scene.run(70)
    assert (DISCHARGE, True) in scene.orders
    assert scene.on[CHARGE] is False
    scene.mode = Mode.WATCH
    scene.actor.emergency_stop(charge=False, discharge=True)
    scene.run(10)
    scene.actor.reset(scene.now_s)
    scene.mark()
    scene.run(3700, every_s=5)
    assert scene.ordered == []


def test_an_emergency_is_not_held_up_by_what_was_tried_before() -> None:
    scene = Scene()
    scene.deaf = {CHARGE}
    scene.get(3)
    scene.run(600)
    scene.mark()
    scene.get(4)
    assert scene.orders[0] == CHARGE_OFF
    # Nor does it wait for the next try.
    waiting = Scene()
    waiting.deaf = {CHARGE}
    waiting.get(3)
    waiting.run(75)
    waiting.mark()
    waiting.get(4)
    assert waiting.ordered[0][0] == 0.5
    assert CHARGE_OFF in waiting.orders
