"""What each hazard and each alarm of the board leads to."""

from __future__ import annotations

from dataclasses import replace

import pytest

from custom_components.jk_bms.battery.acting.interface import ActionsConfig, Stop
from custom_components.jk_bms.battery.acting.reasons import ALARM_CURES, CURES
from custom_components.jk_bms.battery.hazards import Kind, Level
from custom_components.jk_bms.battery.protection import ALARM_LEVELS
from custom_components.jk_bms.bms.alarms import Alarm

from .scene import BY_BOARD, CHARGE, CHARGE_OFF, CONTACTOR, DISCHARGE, DISCHARGE_OFF, Scene, hazard

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
    scene.run(61 if kind is Kind.DISCHARGE_HOT else 0.5)
    kinds = {CHARGE_OFF: CHARGE_HAZARDS, DISCHARGE_OFF: DISCHARGE_HAZARDS}
    expected = [order for order in kinds if kind in kinds[order] + BOTH_HAZARDS]
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


@pytest.mark.parametrize("alarm", sorted(ALARM_LEVELS))
def test_what_an_alarm_of_the_board_leads_to(alarm: Alarm) -> None:
    """By the table of the guide: over-voltage never bars the discharge, under-voltage never the charge."""
    name = alarm.key
    both = {1, 3, 7, 10, 14, 17, 21, 24}
    charge = both | {2, 4, 5, 6, 8, 9, 16}
    discharge = both | {11, 12, 13, 15, 20, 25, 26, 27}
    scene = Scene(replace(BY_BOARD, stop_charge=Stop(level=2, by_board=True)))
    scene.hazards = (hazard(Kind.BMS_ALARM, ALARM_LEVELS[alarm], alarm),)
    scene.step()
    assert scene.orders == [CHARGE_OFF] * (alarm in charge) + [DISCHARGE_OFF] * (alarm in discharge), name


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
    assert scene.orders == [CHARGE_OFF]
    # The other one is over, and against the first he has decided.
    scene.hazards = (hazard(Kind.CELL_HIGH),)
    scene.run(2)
    assert scene.orders == [CHARGE_OFF, (CHARGE, True)]
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
    assert other.orders == [CHARGE_OFF]
    other.hazards = (hazard(Kind.CELL_HIGH), hazard(Kind.CHARGE_HOT))
    other.run(30)
    assert other.orders == [CHARGE_OFF, CHARGE_OFF]
