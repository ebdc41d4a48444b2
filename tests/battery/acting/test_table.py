"""Each row of the table of what happens and what is done about it."""

from __future__ import annotations

from dataclasses import replace

from custom_components.jk_bms.battery.acting import actor
from custom_components.jk_bms.battery.acting.interface import Cooling, Detail, Mode, Result
from custom_components.jk_bms.battery.hazards import Kind

from .scene import (
    BY_BOARD,
    BY_BOTH,
    CHARGE,
    CHARGE_OFF,
    CHARGER,
    CONTACTOR,
    DISCHARGE,
    FAN,
    INVERTER,
    Scene,
    hazard,
    heat,
)


def rows() -> list[str]:
    lines = [line for line in (actor.__doc__ or "").splitlines() if line.startswith("| ")]
    return [line.split("|")[1].strip() for line in lines[1:]]


def test_every_row_has_its_test() -> None:
    names = {f"test_{row.replace(',', '').replace(chr(39), '').replace(' ', '_')}" for row in rows()}
    assert len(names) > 20
    assert names <= set(globals()), names - set(globals())


def at_level_3(scene: Scene) -> Scene:
    """Let it be level 3 for long enough that everything is off."""
    scene.get(3)
    scene.run(70)
    assert scene.on[CHARGE] is scene.on[DISCHARGE] is False
    scene.mark()
    return scene


def test_restart_at_level_3() -> None:
    again = at_level_3(Scene()).restarted()
    thermal, again.thermal = again.thermal, None
    again.run(20)
    again.thermal = thermal
    again.run(600)
    assert again.ordered == []
    again.get(2)
    again.run(5)
    assert again.orders == [(DISCHARGE, True)]


def test_no_probe_at_all() -> None:
    scene = Scene()
    scene.probes = ()
    scene.get(None)
    scene.hazards = (hazard(Kind.CELL_HIGH),)
    scene.run(10)
    assert scene.orders == [CHARGE_OFF]
    scene.hazards = ()
    scene.fresh = False
    scene.run(600)
    assert scene.orders == [CHARGE_OFF]
    scene.fresh = True
    scene.run(70)
    assert scene.orders == [CHARGE_OFF, (CHARGE, True)]


def test_restart_at_level_4() -> None:
    scene = Scene()
    scene.get(4)
    again = scene.restarted()
    assert again.step().latched
    again.get(0)
    again.run(7200, every_s=5)
    assert [order for order in again.orders if order[0] is not FAN] == []
    assert again.decision.latched
    again.on[CHARGE] = True
    assert again.step().commands[0].target is CHARGE
    cool = scene.restarted()
    cool.thermal = heat(0)
    cool.run(3700, every_s=5)
    assert [order for order in cool.orders if order[0] is not FAN] == []


def test_restart_in_the_time_of_grace() -> None:
    scene = Scene()
    scene.get(3)
    scene.run(20)
    assert scene.on[DISCHARGE]
    again = scene.restarted(after_s=30)
    again.run(60)
    (after_s,) = [after_s for after_s, target, _ in again.ordered if target is DISCHARGE]
    assert 8 <= after_s <= 10
    # What ended it at once isn't forgotten either.
    hot = Scene(replace(BY_BOARD, grace_s=600))
    hot.get(3, hottest_c=58.0)
    again = hot.restarted()
    again.thermal = heat(3)
    again.run(120)
    assert again.ordered == []


def test_restart_while_it_cools() -> None:
    scene = Scene()
    scene.get(1)
    scene.run(200)
    again = scene.restarted(after_s=100)
    again.thermal = heat(0)
    again.run(600, every_s=5)
    (ended,) = again.ordered
    assert ended[1:] == (FAN, False)
    assert 290 <= ended[0] <= 305
    # And what hadn't begun yet begins without a frame.
    gone = Scene()
    gone.on[FAN] = None
    gone.get(1)
    back = gone.restarted()
    back.thermal, back.fresh = None, False
    back.on[FAN] = False
    back.step()
    assert back.orders == [(FAN, True)]
    assert back.decision.commands[0].cause == "heat_temperature"


def test_restart_after_an_order_nobody_answered() -> None:
    scene = Scene()
    scene.deaf = {CHARGE, FAN}
    scene.thermal = heat(3)
    scene.step()
    scene.on[FAN] = True  # It was heard, but too late for us.
    scene.deaf = set()
    again = scene.restarted()
    again.run(30)
    assert again.orders == [(CHARGE, False), (DISCHARGE, False)]


def test_link_lost_at_level_2() -> None:
    scene = Scene()
    scene.get(2)
    assert scene.on[FAN]
    scene.run(60)
    limit_a = scene.decision.limit_a
    scene.mark()
    scene.fresh, scene.thermal = False, heat(2, hottest_c=None, helps=False, hold_a=None, blind_since_s=scene.now_s)
    scene.run(900, every_s=5)
    scene.thermal = heat(None, hottest_c=None, helps=False, hold_a=None, blind_since_s=scene.now_s)
    scene.run(7200, every_s=5)
    assert scene.ordered == []
    assert scene.on[FAN]
    assert scene.decision.limit_a == limit_a == 100.0
    scene.thermal = heat(1, hottest_c=None, helps=False, hold_a=None)
    scene.run(600, every_s=5)
    assert scene.decision.limit_a == 100.0


def test_link_lost_at_level_3() -> None:
    scene = Scene(BY_BOTH)
    scene.step()
    scene.thermal, scene.fresh = heat(3), False
    scene.run(30, every_s=5)
    assert scene.orders == [(FAN, True), (CHARGER, False)]
    assert scene.failing == ["board_charge"]
    scene.run(60, every_s=5)
    assert scene.orders[2:] == [(INVERTER, False)]
    scene.mark()
    scene.fresh = True
    scene.step()
    assert scene.orders == [(CHARGE, False), (DISCHARGE, False)]
    assert scene.step().findings == ()


def test_link_back_after_level_3() -> None:
    scene = at_level_3(Scene())
    scene.fresh = False
    scene.run(600, every_s=5)
    scene.fresh, scene.thermal = True, heat(0)
    scene.run(59)
    assert (DISCHARGE, True) not in scene.orders
    scene.run(2)
    assert (DISCHARGE, True) in scene.orders


def test_no_temperatures_at_level_3() -> None:
    scene = at_level_3(Scene())
    scene.run(60)
    scene.thermal = heat(None, hottest_c=None, helps=False, blind_since_s=scene.now_s)
    scene.run(3600, every_s=5)
    scene.thermal = heat(0, hottest_c=None, helps=False, blind_since_s=scene.now_s)
    scene.run(3600, every_s=5)
    assert scene.ordered == []


def test_paused_for_the_phone_app_at_level_3() -> None:
    scene = Scene(BY_BOTH)
    scene.step()
    scene.fresh = False
    scene.on[CHARGE] = scene.on[DISCHARGE] = None
    scene.thermal = heat(3)
    scene.run(90, every_s=5)
    assert scene.orders == [(FAN, True), (CHARGER, False), (INVERTER, False)]
    scene.mark()
    scene.fresh = True
    scene.on[CHARGE] = scene.on[DISCHARGE] = True
    scene.run(5)
    assert scene.orders == [(CHARGE, False), (DISCHARGE, False)]


def test_cooling_not_there() -> None:
    scene = Scene()
    scene.on[FAN] = None
    scene.get(1)
    scene.run(13)
    assert scene.failing == []
    scene.run(3)
    assert scene.failing == ["cooling"]
    assert scene.results == [(FAN, True, Result.FAILED, Detail.NOT_THERE)]
    scene.run(3600, every_s=5)
    assert scene.ordered == []
    scene.on[FAN] = False
    scene.step()
    assert scene.orders == [(FAN, True)]
    assert scene.step().findings == ()
    # Being blind meanwhile doesn't say that it wouldn't help.
    blind = Scene()
    blind.on[FAN] = None
    blind.get(1)
    blind.thermal = heat(1, hottest_c=None, helps=False, blind_since_s=blind.now_s)
    blind.step()
    blind.on[FAN] = False
    blind.step()
    assert blind.orders == [(FAN, True)]
    # It is counted from when it went.
    again = Scene()
    again.deaf = {FAN}
    again.on[FAN] = None
    again.get(1)
    again.run(10)
    again.on[FAN] = False
    again.step()
    again.on[FAN] = None
    again.run(20)
    assert again.failing == []
    again.run(20)
    assert again.failing == ["cooling"]
    # What comes back is not kept waiting for the next try.
    tried = Scene()
    tried.deaf = {FAN}
    tried.get(1)
    tried.run(16)
    tried.mark()
    tried.on[FAN] = None
    tried.step()
    tried.on[FAN] = False
    tried.step()
    assert tried.orders == [(FAN, True)]


def test_cooling_gone_while_it_runs() -> None:
    scene = Scene()
    scene.get(1)
    scene.run(60)
    scene.mark()
    scene.on[FAN] = None
    scene.run(20)
    assert scene.failing == ["cooling"]
    scene.on[FAN] = False
    scene.run(20)
    assert scene.orders == [(FAN, True)]
    assert scene.failing == []
    scene.on[FAN] = None
    scene.run(20)
    scene.on[FAN] = True
    scene.run(20)
    assert scene.orders == [(FAN, True)]
    assert scene.failing == []


def test_cooling_on_before() -> None:
    scene = Scene()
    scene.on[FAN] = True
    scene.get(1)
    assert FAN not in scene.decision.held
    scene.run(1200, every_s=5)
    scene.get(0)
    scene.run(1200, every_s=5)
    assert scene.ordered == []


def test_charge_off_before() -> None:
    scene = Scene()
    scene.on[CHARGE] = False
    scene.get(3)
    scene.run(120)
    scene.get(0)
    scene.run(3700, every_s=5)
    assert [order for order in scene.orders if order[0] is CHARGE] == []
    assert (DISCHARGE, True) in scene.orders


def test_off_by_the_board_itself_and_still_switched_on() -> None:
    scene = Scene(replace(BY_BOARD, stop_discharge=None))
    scene.on[CHARGE], scene.barred = False, {CHARGE}
    scene.get(3)
    scene.run(30)
    assert (CHARGE, False) not in scene.orders
    scene.on[CHARGE], scene.barred, scene.deaf = True, set(), {CHARGE}
    for command in scene.step().commands:
        scene.actor.failed(command, scene.now_s)
    scene.on[CHARGE], scene.barred = False, {CHARGE}
    scene.step()
    scene.deaf.clear()
    scene.run(30)
    assert scene.orders.count((CHARGE, False)) == 2, "it would come back by itself"
    assert not scene.barred
    scene.barred = {CHARGE}
    scene.run(30)
    assert (CHARGE, False, Result.ENDED, Detail.BY_HAND) in scene.results, "somebody switched it on"
    # What is to stay off for good must not depend on us to be switched off when the board lets go of it.
    emergency, stopped = Scene(), Scene(mode=Mode.WATCH)
    for each in (emergency, stopped):
        each.on[CHARGE], each.barred = False, {CHARGE}
    emergency.get(4)
    stopped.actor.emergency_stop(charge=True, discharge=False)
    stopped.run(1)
    assert (CHARGE, False) in emergency.orders
    assert stopped.orders == [(CHARGE, False)]
    assert stopped.results[-1] == (CHARGE, False, Result.VERIFIED, "")


def test_switched_on_by_hand_at_level_3() -> None:
    scene = at_level_3(Scene())
    scene.on[CHARGE] = True
    scene.run(600, every_s=5)
    assert scene.ordered == []
    assert scene.results == [(CHARGE, False, Result.ENDED, Detail.BY_HAND)]
    assert CHARGE not in scene.decision.held
    scene.get(2)  # It comes anew.
    scene.get(3)
    assert (CHARGE, False) in scene.orders
    scene.run(60)
    scene.on[CHARGE] = True
    scene.run(60)
    scene.mark()
    scene.get(4)  # It rises.
    assert (CHARGE, False) in scene.orders


def test_switched_on_by_hand_at_level_4() -> None:
    scene = Scene()
    scene.get(4)
    for _ in range(10):
        scene.run(60)
        scene.mark()
        scene.on[DISCHARGE] = True
        scene.step()
        assert scene.orders == [(DISCHARGE, False)]


def test_switched_on_in_the_phone_app_during_a_pause_at_level_3() -> None:
    scene = at_level_3(Scene())
    scene.fresh = False
    scene.run(120, every_s=5)
    scene.fresh = True
    scene.on[CHARGE] = True
    scene.run(120)
    assert scene.ordered == []
    assert scene.results == [(CHARGE, False, Result.ENDED, Detail.BY_HAND)]


def test_no_permission() -> None:
    scene = Scene()
    scene.deaf = {CHARGE}
    scene.thermal = heat(3)
    scene.step()
    (command,) = [each for each in scene.decision.commands if each.target is CHARGE]
    scene.actor.failed(command, scene.now_s, refused=True)
    scene.step()
    assert (CHARGE, False, Result.REFUSED, Detail.ERROR) in scene.results
    assert scene.failing == ["board_charge"]
    scene.mark()
    scene.run(11)
    assert scene.orders == [(CHARGE, False)]


def test_no_answer() -> None:
    scene = Scene(BY_BOTH)
    scene.deaf = {CHARGER}
    scene.thermal = heat(3)
    scene.step()
    scene.mark()
    scene.run(39)
    assert scene.failing == []
    scene.run(2)
    assert scene.failing == ["switch_charge"]
    assert scene.decision.findings[0].level == 3
    (finding,) = scene.decision.findings
    scene.run(400)
    assert scene.decision.findings == (finding,)
    # Fifteen seconds of waiting, then ten, thirty and sixty.
    tried = [round(after_s) for after_s, target, _ in scene.ordered if target is CHARGER]
    assert tried == [25, 70, 145]  # Four an hour with the first.
    assert [record.result for record in scene.records if record.target is CHARGER] == [
        Result.FAILED,
        Result.FAILED,
        Result.LIMITED,
    ]
    scene.on[CHARGER] = False
    assert scene.step().findings == ()
    emergency = Scene()
    emergency.deaf = {CHARGE}
    emergency.get(4)
    emergency.run(600)
    tried = [round(after_s) for after_s, target, _ in emergency.ordered if target is CHARGE]
    assert tried == [0, 20, 60, 130, 200, 270, 340, 410, 480, 550]


def test_off_and_yet_a_current() -> None:
    scene = Scene()
    scene.current_a = 1.5
    scene.thermal = heat(3)
    scene.run(11)
    assert (CHARGE, False, Result.FAILED, Detail.CURRENT_FLOWS) in scene.results
    scene.run(60)
    assert "board_charge" in scene.failing
    scene.current_a = 0.9
    scene.run(1)
    assert "board_charge" not in scene.failing
    assert (CHARGE, False, Result.VERIFIED, "") in scene.results
    # The other way round it is a discharge, and no business of the charge's switch.
    other = Scene()
    other.current_a = -50.0
    other.get(3)
    assert (CHARGE, False, Result.VERIFIED, "") in other.results
    other.run(80)
    assert (DISCHARGE, False, Result.FAILED, Detail.CURRENT_FLOWS) in other.results


def test_ordered_too_often() -> None:
    scene = Scene(replace(BY_BOARD, stop_discharge=None))
    for _ in range(10):
        scene.get(3)
        scene.run(60)
        scene.get(0)
        scene.run(60)
    # Off, on, off; the fourth is kept for stopping.
    assert [order for order in scene.orders if order[0] is CHARGE] == [(CHARGE, False), (CHARGE, True), (CHARGE, False)]
    assert (CHARGE, True, Result.LIMITED, "") in scene.results
    assert scene.failing == []
    for _ in range(2):
        scene.get(3)
        scene.run(20)
        scene.on[CHARGE] = True
        scene.get(3)
        scene.get(0)
    scene.get(3)
    assert (CHARGE, False, Result.LIMITED, "") in scene.results
    assert scene.failing == ["board_charge"]
    scene.run(10)
    assert scene.results.count((CHARGE, False, Result.LIMITED, "")) == 1
    scene.get(0)
    assert scene.failing == []
    scene.run(3600, every_s=5)
    assert scene.on[CHARGE]
    scene.mark()
    scene.get(4)
    assert (CHARGE, False) in scene.orders


def test_cooled_too_often() -> None:
    scene = Scene(replace(BY_BOARD, cooling=Cooling(least_run_s=60)))
    starts = []
    for _ in range(20):
        scene.get(1)
        scene.run(30)
        scene.get(0)
        scene.run(90, every_s=1)
    starts = [after_s for after_s, _, on in scene.ordered if on]
    assert len(starts) == 6
    assert scene.on[FAN]
    scene.run(3600, every_s=5)
    ended = [after_s for after_s, _, on in scene.ordered if not on]
    assert len(ended) == 6
    assert ended[-1] - starts[0] >= 3600
    deaf = Scene()
    deaf.deaf = {FAN}
    deaf.get(1)
    deaf.run(3590, every_s=1)
    assert deaf.orders == [(FAN, True)] * 6
    assert (FAN, True, Result.LIMITED, "") in deaf.results
    deaf.run(30, every_s=1)
    assert deaf.orders == [(FAN, True)] * 7


def test_acting_is_left() -> None:
    for mode in (Mode.OFF, Mode.WATCH, Mode.DRY_RUN):
        scene = at_level_3(Scene())
        scene.mode = mode
        scene.step()
        assert scene.orders == [(FAN, False)]
        assert scene.decision.limit_a is None
        left = [(record.target, record.detail) for record in scene.records if record.result is Result.ENDED]
        assert left == [(None, ""), (CHARGE, Detail.LEFT_OFF), (DISCHARGE, Detail.LEFT_OFF)]
        scene.get(0)
        scene.mode = Mode.ACT
        scene.run(3700, every_s=5)
        assert scene.orders == [(FAN, False)]


def test_an_action_taken_out_of_the_options() -> None:
    scene = at_level_3(Scene())
    again = scene.restarted(config=replace(BY_BOARD, stop_charge=None, both_off=None))
    again.run(1)
    assert again.results[0] == (CHARGE, False, Result.ENDED, Detail.LEFT_OFF)
    again.get(0)
    again.run(3700, every_s=5)
    assert (CHARGE, True) not in again.orders
    assert (DISCHARGE, True) in again.orders
    emergency = Scene()
    emergency.get(4)
    again = emergency.restarted(config=replace(BY_BOARD, stop_discharge=None, both_off=None))
    again.get(0)
    again.run(3700, every_s=5)
    assert [order for order in again.orders if order[0] is not FAN] == []


def test_another_pack_holds_it_too() -> None:
    first, second = Scene(), Scene()
    first.get(1)
    second.on, second.held_elsewhere = first.on, first.decision.held
    second.get(1)
    assert second.ordered == []
    assert second.decision.held == {FAN}
    first.held_elsewhere = second.decision.held
    first.get(0)
    first.run(700, every_s=5)
    assert first.orders == [(FAN, True)]
    assert first.results[-1] == (FAN, True, Result.ENDED, Detail.HELD_ELSEWHERE)
    second.held_elsewhere = first.decision.held
    second.get(0)
    second.run(700, every_s=5)
    assert second.orders == [(FAN, False)]


def test_reset_after_level_4() -> None:
    scene = Scene(BY_BOTH)
    scene.get(4)
    scene.run(60)
    assert scene.on[CONTACTOR] is False
    scene.mark()
    scene.thermal = heat(4, hottest_c=25.0)
    scene.run(3700, every_s=5)
    scene.actor.reset(scene.now_s)
    scene.thermal = heat(0)  # as a reset leaves it
    assert not scene.step().latched
    scene.run(3700, every_s=5)
    assert [order for order in scene.orders if order[0] is not FAN] == []
    for target in (CHARGE, DISCHARGE, CHARGER, INVERTER, CONTACTOR):
        scene.on[target] = True
    scene.run(60)
    assert [order for order in scene.orders if order[0] is not FAN] == []
    # A dry run has an emergency of its own.
    dry = Scene(mode=Mode.DRY_RUN)
    dry.get(4)
    dry.get(0)
    dry.actor.reset(dry.now_s)
    dry.run(3700, every_s=5)
    assert [result for result in dry.results if result[0] is CHARGE] == [(CHARGE, False, Result.WOULD, "")]
    dry.get(3)
    assert [result for result in dry.results if result[0] is CHARGE] == [(CHARGE, False, Result.WOULD, "")] * 2
