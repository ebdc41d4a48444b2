"""What each level of heat and each hazard leads to, what is ordered by hand, and what a dry run says."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from custom_components.jk_bms.battery.acting.interface import (
    ActionsConfig,
    Cooling,
    Detail,
    Mode,
    Result,
    Stop,
    Target,
)
from custom_components.jk_bms.battery.acting.reasons import ALARM_CURES, CURES
from custom_components.jk_bms.battery.acting.reduction import LOCAL_RATE
from custom_components.jk_bms.battery.hazards import Kind, Level
from custom_components.jk_bms.battery.protection import ALARM_LEVELS
from custom_components.jk_bms.bms.alarms import Alarm

from .scene import (
    BY_BOARD,
    BY_BOTH,
    CAPACITY_AH,
    CHARGE,
    CHARGER,
    CONTACTOR,
    DISCHARGE,
    FAN,
    INVERTER,
    USUAL,
    Scene,
    hazard,
    heat,
)

COOL, OFF, STOP = (FAN, True), (CHARGE, False), (DISCHARGE, False)


@pytest.mark.parametrize(
    ("level", "known", "at_once", "within_70_s", "limit_a"),
    [
        (0, {}, [], [], None),
        (1, {}, [COOL], [], None),
        (1, {"helps": False}, [], [], None),
        (2, {}, [COOL], [], 100.0),
        (2, {"hold_a": 0.0}, [COOL], [], 0.0),
        (2, {"local": True}, [COOL], [], 56.0),
        (2, {"local": True, "hold_a": 30.0}, [COOL], [], 30.0),
        (2, {"local": True, "hold_a": None}, [COOL], [], 56.0),
        (2, {"hold_a": None}, [COOL], [], None),
        (2, {"hold_a": 300.0}, [COOL], [], 300.0),
        (2, {"local": True, "cause_level": 1}, [COOL], [], 100.0),
        (3, {}, [COOL, OFF], [STOP], 100.0),
        (3, {"local": True, "hottest_c": 57.9}, [COOL, OFF], [STOP], 56.0),
        (3, {"hottest_c": 58.0}, [COOL, OFF, STOP], [], 100.0),
        (3, {"hottest_c": None}, [COOL, OFF], [STOP], 100.0),
        (4, {}, [COOL, OFF, STOP], [], 0.0),
        (4, {"helps": False}, [OFF, STOP], [], 0.0),
    ],
)
def test_what_a_level_of_heat_leads_to(
    level: int,
    known: dict[str, Any],
    at_once: list[tuple[Target, bool]],
    within_70_s: list[tuple[Target, bool]],
    limit_a: float | None,
) -> None:
    scene = Scene()
    scene.step()
    scene.thermal = heat(level, **known)
    scene.step()
    assert scene.orders == at_once
    scene.mark()
    scene.run(59)
    assert scene.orders == []
    scene.run(11)
    assert scene.orders == within_70_s
    assert [scene.step().limit_a for _ in range(3)] == [limit_a] * 3
    assert scene.decision.latched is (level == 4)
    causes = {record.cause for record in scene.records if record.on is (record.target is FAN)}
    assert causes <= {"heat_temperature"}


def test_the_levels_are_the_owners() -> None:
    config = ActionsConfig(
        cooling=Cooling(level=3, least_run_s=0),
        reduce_level=1,
        stop_charge=Stop(level=1, by_switch=True),
        stop_discharge=Stop(level=2, by_board=True),
        both_off=Stop(level=3, by_switch=True),
        capacity_ah=CAPACITY_AH,
        grace_s=0,
    )
    scene = Scene(config)
    scene.get(1)
    assert scene.orders == [(CHARGER, False)]
    assert scene.decision.limit_a == 100.0
    scene.get(2)
    assert scene.orders[1:] == [STOP]
    scene.get(3)
    assert scene.orders[2:] == [COOL, (CONTACTOR, False)]


def test_nothing_is_done_that_was_not_allowed() -> None:
    scene = Scene(ActionsConfig(capacity_ah=CAPACITY_AH))
    scene.hazards = (hazard(Kind.CELL_HIGH), hazard(Kind.CELL_LOW))
    scene.get(4, local=True)
    scene.run(600, every_s=5)
    assert scene.records == []
    assert not scene.decision.latched


def test_in_an_emergency_what_makes_the_current_goes_off_first() -> None:
    scene = Scene(BY_BOTH)
    scene.get(4)
    assert [target for target, _ in scene.orders] == [FAN, CHARGER, INVERTER, CHARGE, DISCHARGE, CONTACTOR]


def test_what_is_put_back_comes_in_the_other_order() -> None:
    scene = Scene(replace(BY_BOTH, both_off=Stop(level=3, by_switch=True)))
    scene.get(3)
    scene.run(70)
    scene.mark()
    scene.get(0)
    assert [target for target, on in scene.orders if on] == [CONTACTOR, DISCHARGE, INVERTER, CHARGER]
    assert {record.cause for record in scene.records if record.on} == {"over"}
    # The fourth order of the hour is for stopping.
    assert (CHARGE, True, Result.LIMITED, "") in scene.results
    scene.run(3600, every_s=5)
    assert scene.orders[-1] == (CHARGE, True)
    assert [record.result for record in scene.records].count(Result.LIMITED) == 1


def test_the_house_is_kept_supplied() -> None:
    config = replace(BY_BOARD, keep_supplied=True)
    scene = Scene(config)
    scene.get(3, hottest_c=60.0)
    scene.run(600, every_s=5)
    assert scene.orders == [COOL, OFF]
    assert scene.decision.limit_a == 28.0
    scene.get(4)
    assert scene.orders == [COOL, OFF, STOP]
    only = Scene(replace(config, reduce_level=None))
    only.get(2)
    assert only.decision.limit_a is None
    only.get(3)
    assert only.decision.limit_a == 28.0
    # Against an empty cell only stopping helps.
    only.hazards = (hazard(Kind.CELL_LOW),)
    only.step()
    assert only.orders[-1] == STOP


def test_a_grace_that_ended_does_not_begin_again() -> None:
    scene = Scene()
    scene.run(120)
    scene.get(3, hottest_c=58.5)
    scene.run(5)
    scene.get(3, hottest_c=57.0)
    scene.run(120)
    assert scene.orders == [COOL, OFF, STOP]
    assert scene.on[DISCHARGE] is False
    scene.get(2)
    scene.run(3700, every_s=5)
    scene.mark()
    scene.get(3)
    assert scene.orders == [OFF]


CHARGE_HAZARDS = [
    Kind.CELL_HIGH,
    Kind.PACK_HIGH,
    Kind.CHARGE_COLD,
    Kind.CHARGE_HOT,
    Kind.CHARGE_CURRENT,
    Kind.CHARGE_MOSFET,
    Kind.CELL_COUNT,
]
DISCHARGE_HAZARDS = [
    Kind.CELL_LOW,
    Kind.PACK_LOW,
    Kind.DISCHARGE_COLD,
    Kind.DISCHARGE_HOT,
    Kind.DISCHARGE_CURRENT,
    Kind.DISCHARGE_MOSFET,
]
BOTH_HAZARDS = [Kind.MOS_HOT, Kind.CELL_READING]


@pytest.mark.parametrize("kind", [kind for kind in Kind if kind is not Kind.BMS_ALARM])
def test_what_a_hazard_leads_to(kind: Kind) -> None:
    scene = Scene()
    scene.step()
    scene.hazards = (hazard(kind, Level.WARNING),)
    scene.run(120)
    assert scene.orders == []
    scene.hazards = (hazard(kind),)
    scene.step()
    expected = [OFF] * (kind in CHARGE_HAZARDS + BOTH_HAZARDS) + [STOP] * (kind in DISCHARGE_HAZARDS + BOTH_HAZARDS)
    assert scene.orders == expected
    scene.run(5)
    scene.hazards = ()
    scene.run(5)
    # Of two the discharge comes back first; the fourth order of the hour is for stopping.
    assert scene.orders == expected + [(target, True) for target, _ in expected[-1:]]
    assert {record.cause for record in scene.records if not record.on} <= {kind.value}


def test_the_worst_is_the_cause() -> None:
    for hazards in ((Kind.CELL_HIGH, Kind.CHARGE_HOT), (Kind.CHARGE_HOT, Kind.CELL_HIGH)):
        scene = Scene(ActionsConfig(stop_charge=Stop(level=2, by_board=True)))
        levels = {Kind.CELL_HIGH: Level.WARNING, Kind.CHARGE_HOT: Level.CRITICAL}
        scene.hazards = tuple(hazard(kind, levels[kind]) for kind in hazards)
        assert [command.cause for command in scene.step().commands] == ["charge_hot"]


def test_only_what_needs_both_currents_stopped_asks_for_both() -> None:
    both = Stop(level=2, by_switch=True)
    for kind, expected in ((Kind.CELL_HIGH, []), (Kind.CELL_LOW, []), (Kind.MOS_HOT, [(CONTACTOR, False)])):
        scene = Scene(ActionsConfig(both_off=both))
        scene.hazards = (hazard(kind, Level.WARNING),)
        scene.step()
        assert scene.orders == expected


@pytest.mark.parametrize("alarm", list(Alarm))
def test_what_an_alarm_of_the_board_leads_to(alarm: Alarm) -> None:
    """By the table of the guide: over-voltage never bars the discharge, under-voltage never the charge."""
    name = alarm.key
    both = {1, 3, 7, 10, 14, 17, 21, 24}
    charge = both | {2, 4, 5, 6, 8, 9, 16}
    discharge = both | {11, 12, 13, 15, 20, 25, 26, 27}
    scene = Scene(replace(BY_BOARD, stop_charge=Stop(level=2, by_board=True)))
    scene.hazards = (hazard(Kind.BMS_ALARM, ALARM_LEVELS[alarm], alarm),)
    scene.step()
    assert scene.orders == [OFF] * (alarm in charge) + [STOP] * (alarm in discharge), name


def test_no_alarm_asks_for_more_than_its_level_allows() -> None:
    assert {alarm for alarm in ALARM_CURES if ALARM_LEVELS[alarm] < Level.WARNING} == set()
    assert set(CURES) == {*CHARGE_HAZARDS, *DISCHARGE_HAZARDS, *BOTH_HAZARDS}


def test_a_decision_by_hand_is_not_about_what_comes_after_it() -> None:
    scene = Scene()
    scene.hazards = (hazard(Kind.CELL_HIGH),)
    scene.run(120)
    scene.on[CHARGE] = True
    scene.run(60)
    scene.mark()
    scene.hazards = (hazard(Kind.CELL_HIGH), hazard(Kind.CHARGE_HOT))
    scene.run(60)
    assert scene.orders == [OFF]
    # The other one is over, and against the first he has decided.
    scene.hazards = (hazard(Kind.CELL_HIGH),)
    scene.run(2)
    assert scene.orders == [OFF, (CHARGE, True)]
    # Whichever of the two actions they ask for.
    both = Scene(replace(BY_BOARD, both_off=Stop(level=3, by_board=True)))
    both.hazards = (hazard(Kind.CELL_HIGH), hazard(Kind.MOS_HOT))
    both.run(30)
    both.on[CHARGE] = True
    both.run(30)
    both.hazards = (hazard(Kind.CELL_HIGH),)
    both.mark()
    both.run(20)
    assert both.orders == [(DISCHARGE, True)]
    # Each that comes anew is another one.
    other = Scene()
    other.hazards = (hazard(Kind.CELL_HIGH), hazard(Kind.CHARGE_HOT))
    other.run(30)
    other.on[CHARGE] = True
    other.run(30)
    other.hazards = (hazard(Kind.CELL_HIGH),)
    other.run(30)
    assert other.orders == [OFF]
    other.hazards = (hazard(Kind.CELL_HIGH), hazard(Kind.CHARGE_HOT))
    other.run(30)
    assert other.orders == [OFF, OFF]


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
    assert [order for order in scene.orders if order[0] is CHARGE] == [OFF, (CHARGE, True)]


def test_an_order_on_its_way_is_taken_back() -> None:
    scene = Scene()
    scene.deaf = {CHARGE, FAN}
    scene.run(120)
    scene.get(3)
    scene.get(0)
    scene.actor.stop_cooling()
    scene.step()
    assert [order for order in scene.orders if order[0] is CHARGE] == [OFF, (CHARGE, True)]
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
    assert scene.orders == [STOP]
    assert (DISCHARGE, False, Result.VERIFIED, "") in scene.results


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


@pytest.mark.parametrize("mode", list(Mode))
@pytest.mark.parametrize(
    ("charge", "discharge", "expected"),
    [
        (True, False, [(CHARGER, False), OFF]),
        (False, True, [(INVERTER, False), STOP]),
        (True, True, [(CHARGER, False), (INVERTER, False), OFF, STOP, (CONTACTOR, False)]),
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
    assert scene.orders == [OFF, STOP]
    again = scene.restarted()
    again.run(60)
    assert again.decision.held == {CHARGE, DISCHARGE}


def test_an_emergency_stop_goes_only_to_the_switches_that_were_named() -> None:
    scene = Scene(BY_BOARD)
    scene.actor.emergency_stop(charge=True, discharge=True)
    scene.step()
    assert scene.orders == [OFF, STOP]


def test_a_second_emergency_stop_does_not_end_the_first() -> None:
    scene = Scene()
    scene.actor.emergency_stop(charge=True, discharge=False)
    scene.run(20)
    scene.actor.emergency_stop(charge=False, discharge=True)
    scene.run(20)
    scene.on[CHARGE] = True
    scene.step()
    assert scene.orders == [OFF, STOP, OFF]


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
    assert scene.orders[0] == OFF
    # Nor does it wait for the next try.
    waiting = Scene()
    waiting.deaf = {CHARGE}
    waiting.get(3)
    waiting.run(75)
    waiting.mark()
    waiting.get(4)
    assert waiting.ordered[0][0] == 0.5
    assert OFF in waiting.orders


@pytest.mark.parametrize("mode", [Mode.OFF, Mode.WATCH])
def test_nothing_is_done_while_only_watching(mode: Mode) -> None:
    scene = Scene(BY_BOTH, mode)
    scene.get(4)
    scene.run(600, every_s=5)
    assert scene.records == []
    assert scene.decision.limit_a is None
    assert not scene.decision.latched


def test_a_dry_run_says_what_would_have_been_done() -> None:
    scene = Scene(BY_BOTH, Mode.DRY_RUN)
    scene.current_a = 120.0
    scene.get(3)
    scene.run(70)
    scene.get(1)
    scene.run(60)
    scene.get(0)
    scene.run(5000, every_s=5)
    assert scene.ordered == []
    assert scene.decision.findings == ()
    assert scene.decision.held == frozenset()
    assert [(target, on) for target, on, *_ in scene.results] == [
        (None, False),
        (FAN, True),
        (CHARGER, False),
        (CHARGE, False),
        (INVERTER, False),
        (DISCHARGE, False),
        (DISCHARGE, True),
        (INVERTER, True),
        (CHARGER, True),
        (FAN, False),
        (None, True),
        (CHARGE, True),
    ]
    assert {result for _, _, result, _ in scene.results} == {Result.WOULD}
    assert scene.decision.last == scene.records[-1]
    # What is off by itself would not have been switched off.
    scene.mark()
    scene.on[CHARGE] = False
    scene.get(3)
    assert OFF not in scene.orders
    assert (CHARGE, False, Result.WOULD, "") not in scene.results


def test_a_dry_run_begins_anew() -> None:
    scene = Scene(mode=Mode.DRY_RUN)
    for mode in (Mode.DRY_RUN, Mode.WATCH, Mode.DRY_RUN):
        scene.mode = mode
        scene.get(3)
    assert [on for target, on, *_ in scene.results if target is CHARGE] == [False, False]


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


def test_cells_that_bear_more_heat_keep_their_time_of_grace() -> None:
    scene = Scene(BY_BOARD)
    scene.actor.adapt(280.0, 68.0)
    scene.get(3, hottest_c=67.5)
    assert STOP not in scene.orders
    scene.get(3, hottest_c=68.0)
    assert STOP in scene.orders


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
    assert OFF not in again.orders


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
    assert scene.orders == [COOL, OFF]


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


def test_a_dry_run_with_a_board_that_holds_something_off() -> None:
    scene = Scene(mode=Mode.DRY_RUN)
    scene.get(3)
    scene.run(30)
    scene.on[CHARGE], scene.barred = False, {CHARGE}
    scene.mark()
    scene.run(30)
    assert CHARGE not in {record.target for record in scene.records}


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
