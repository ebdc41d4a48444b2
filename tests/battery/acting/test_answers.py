"""What was ordered, and what came of it: no answer, a late one, a wrong one, one that doesn't last."""

from __future__ import annotations

from dataclasses import replace

from custom_components.jk_bms.battery.acting.interface import Command, Cooling, Detail, Result
from custom_components.jk_bms.battery.hazards import Kind

from .scene import (
    BY_BOARD,
    BY_BOTH,
    CHARGE,
    CHARGE_OFF,
    CHARGER,
    COOL,
    DISCHARGE,
    DISCHARGE_OFF,
    FAN,
    USUAL,
    Scene,
    hazard,
    heat,
)


def test_what_only_says_that_it_did_is_asked_again() -> None:
    scene = Scene(BY_BOTH)
    scene.thermal = heat(3)
    scene.step()
    scene.step()
    assert (CHARGER, False, Result.VERIFIED, "") in scene.results
    for _ in range(2):
        scene.on[CHARGER] = True
        scene.step()
        assert scene.results[-1] == (CHARGER, False, Result.FAILED, Detail.NO_ANSWER)
        scene.run(12)
    assert [order for order in scene.orders if order[0] is CHARGER] == [(CHARGER, False)] * 2
    assert scene.failing == ["switch_charge"]
    scene.run(60)
    assert [order for order in scene.orders if order[0] is CHARGER] == [(CHARGER, False)] * 3
    assert scene.failing == []


def test_what_is_not_wanted_any_more_is_not_asked_again() -> None:
    scene = Scene()
    scene.deaf = {CHARGE}
    scene.get(3)
    scene.run(30)
    scene.get(0)
    scene.mark()
    scene.run(600)
    assert [order for order in scene.orders if order[0] is CHARGE] == []
    assert scene.failing == []
    assert (CHARGE, False, Result.ENDED, "") in scene.results


def test_what_failed_is_no_finding_when_nobody_wants_it_any_more() -> None:
    scene = Scene()
    scene.deaf = {CHARGE}
    scene.hazards = (hazard(Kind.CELL_HIGH),)
    scene.run(45)
    assert scene.failing == ["board_charge"]
    scene.hazards = ()
    assert scene.step().findings == ()
    assert scene.decision.held == {CHARGE}


def test_what_does_not_come_back_is_not_asked_again_while_nothing_is_known() -> None:
    scene = Scene(BY_BOTH)
    scene.get(3)
    scene.run(60)
    scene.deaf = {CHARGER}
    scene.get(0)
    assert (CHARGER, True) in scene.orders
    scene.mark()
    scene.fresh = False
    scene.run(600)
    assert scene.orders == []
    scene.fresh = True
    scene.run(61)
    assert (CHARGER, True) in scene.orders


def test_what_does_not_come_back_is_a_warning_only() -> None:
    scene = Scene(BY_BOTH)
    scene.get(3)
    scene.run(10)
    scene.deaf = {CHARGER}
    scene.get(0)
    scene.run(120)
    (finding,) = scene.decision.findings
    assert (finding.placeholders["target"], finding.level) == ("switch_charge", 2), "nothing flows that shouldn't"


def test_what_is_put_back_lets_the_current_flow() -> None:
    scene = Scene()
    scene.hazards = (hazard(Kind.CELL_HIGH),)
    scene.run(70)
    scene.hazards = ()
    scene.step()
    scene.current_a = 80.0
    scene.step()
    assert scene.results[-1] == (CHARGE, True, Result.VERIFIED, "")


def test_an_answer_that_comes_when_nobody_wants_it_any_more() -> None:
    scene = Scene()
    scene.deaf = {CHARGE}
    scene.run(120)
    scene.get(3)
    scene.thermal = heat(0)
    scene.on[CHARGE] = False
    scene.deaf = set()
    scene.run(2)
    assert scene.on[CHARGE]
    assert [order for order in scene.orders if order[0] is CHARGE] == [CHARGE_OFF, (CHARGE, True)]


def test_an_order_on_its_way_is_taken_back() -> None:
    scene = Scene()
    scene.deaf = {CHARGE, FAN}
    scene.run(120)
    scene.get(3)
    scene.get(0)
    scene.actor.stop_cooling()
    scene.step()
    assert [order for order in scene.orders if order[0] is CHARGE] == [CHARGE_OFF, (CHARGE, True)]
    assert [order for order in scene.orders if order[0] is FAN] == [COOL, (FAN, False)]


def test_what_is_wanted_again_while_it_ends() -> None:
    scene = Scene()
    scene.get(3)
    scene.run(70)
    scene.deaf = {DISCHARGE}
    scene.get(0)
    assert scene.orders[-1] == (DISCHARGE, True)
    scene.mark()
    scene.get(3, hottest_c=58.0)
    assert scene.orders == [DISCHARGE_OFF]
    assert (DISCHARGE, False, Result.VERIFIED, "") in scene.results


def test_what_another_pack_comes_to_need_while_it_ends() -> None:
    first, second = Scene(replace(BY_BOTH, cooling=None)), Scene(replace(BY_BOTH, cooling=None))

    def run(seconds: float) -> None:
        for _ in range(int(2 * seconds)):
            first.held_elsewhere = second.decision.held & {CHARGER}
            first.step()
            second.on[CHARGER] = first.on[CHARGER]
            second.held_elsewhere = first.decision.held & {CHARGER}
            second.step()
            first.on[CHARGER] = second.on[CHARGER]

    first.thermal = heat(3)
    run(70)
    first.mark()
    first.deaf = {CHARGER}
    first.thermal = heat(0)
    run(1)
    assert (CHARGER, True) in first.orders
    second.thermal = heat(3)
    run(2)
    assert CHARGER in second.decision.held
    assert first.results[-1] == (CHARGER, False, Result.ENDED, Detail.HELD_ELSEWHERE), "it isn't asked again"
    assert (CHARGER, False) not in second.orders
    first.on[CHARGER] = True  # The order was on its way.
    run(12)
    assert (CHARGER, False) in second.orders, "nobody has decided that the second pack may be charged"
    assert first.on[CHARGER] is False
    assert CHARGER in second.decision.held


def test_what_does_not_come_back_is_asked_again_and_said() -> None:
    scene = Scene(replace(BY_BOTH, cooling=Cooling(least_run_s=60)))
    scene.get(1)
    scene.deaf = {FAN}
    scene.get(0)
    scene.run(150)
    assert (FAN, False) in scene.orders
    assert scene.failing == ["cooling"]
    scene.on[FAN] = None
    scene.run(60)
    scene.deaf = set()
    scene.on[FAN] = True
    scene.run(2)
    assert scene.on[FAN] is False
    assert scene.failing == []


def test_what_the_board_holds_off_by_itself_is_put_back_for_all_that() -> None:
    scene = Scene()
    scene.get(3)
    scene.run(30)
    scene.mark()
    scene.holding = {CHARGE}
    scene.get(0)
    scene.run(600, every_s=1)
    assert (CHARGE, True) in scene.orders
    assert scene.orders.count((CHARGE, True)) == 1
    assert (CHARGE, True, Result.VERIFIED, "") in scene.results
    assert scene.failing == []


def test_what_is_read_seldom_is_put_back_too() -> None:
    scene = Scene()
    scene.seldom = True
    for level in (3, 3, *[0] * 6):
        scene.thermal = heat(level)
        scene.run(60, every_s=5)
        scene.thermal = heat(level, hottest_c=None, helps=False, hold_a=None, blind_since_s=scene.now_s)
        scene.run(540, every_s=5)
    assert scene.on == USUAL
    scene.seldom = False
    scene.get(3)
    scene.mark()
    scene.thermal = heat(0, blind_since_s=scene.now_s)
    scene.run(3600, every_s=5)
    assert scene.orders == [], "nothing comes back while it is lost"


def test_a_command_that_failed_is_the_one_that_was_given() -> None:
    scene = Scene()
    scene.thermal = heat(1)
    scene.step()
    (command,) = scene.decision.commands
    other = Command(FAN, not command.on, command.action, command.cause, 1)
    scene.actor.failed(other, scene.now_s)
    scene.run(2)
    scene.actor.failed(command, scene.now_s)
    scene.run(2)
    assert [record.result for record in scene.records] == [Result.PENDING, Result.VERIFIED]


def test_what_never_reached_it_is_not_counted() -> None:
    scene = Scene(replace(BY_BOARD, stop_discharge=None, both_off=None))
    scene.deaf = {CHARGE}
    scene.thermal = heat(3)
    for _ in range(600):
        for command in scene.step(1).commands:
            if command.target is CHARGE:
                scene.actor.failed(command, scene.now_s)
    assert scene.on[CHARGE]
    assert len([order for order in scene.orders if order == (CHARGE, False)]) > 8
    assert (CHARGE, False, Result.LIMITED, "") not in scene.results
    scene.deaf.clear()
    scene.run(61, every_s=1)
    assert not scene.on[CHARGE]


def test_an_error_is_not_waited_for() -> None:
    scene = Scene()
    scene.deaf = {FAN}
    scene.thermal = heat(1)
    scene.step()
    (command,) = scene.decision.commands
    scene.mark()
    scene.actor.failed(command, scene.now_s)
    scene.run(10)
    assert scene.results == [(FAN, True, Result.FAILED, Detail.ERROR)]
    assert scene.failing == []
    assert scene.ordered == [(10.0, FAN, True)]


def test_what_nobody_answered_does_not_fail_once_more() -> None:
    scene = Scene()
    scene.deaf = {FAN}
    scene.thermal = heat(1)
    scene.step()
    (command,) = scene.decision.commands
    scene.run(16)
    assert scene.results[-1] == (FAN, True, Result.FAILED, Detail.NO_ANSWER)
    scene.mark()
    scene.actor.failed(command, scene.now_s)
    scene.step()
    assert scene.records == []


def test_what_is_over_before_it_answers_and_can_not_be_put_back_yet_is_not_forgotten() -> None:
    scene = Scene(replace(BY_BOARD, cooling=None))
    scene.get(3)
    scene.get(0)
    scene.run(70)
    scene.deaf.add(CHARGE)
    scene.get(3)
    scene.get(0)
    assert scene.orders == [CHARGE_OFF, (CHARGE, True), CHARGE_OFF], "what is left is kept for stopping"
    scene.deaf.clear()
    scene.on[CHARGE] = False
    scene.run(3600, every_s=5)
    assert scene.orders[3:] == [(CHARGE, True)]
    assert scene.decision.held == set()
