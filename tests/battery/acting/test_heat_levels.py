"""What each level of heat leads to, and when that is put back."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from custom_components.jk_bms.battery.acting.interface import ActionsConfig, Cooling, Result, Stop, Target
from custom_components.jk_bms.battery.hazards import Kind

from .scene import (
    BY_BOARD,
    BY_BOTH,
    CAPACITY_AH,
    CHARGE,
    CHARGE_OFF,
    CHARGER,
    CONTACTOR,
    COOL,
    DISCHARGE,
    DISCHARGE_OFF,
    FAN,
    INVERTER,
    Scene,
    hazard,
    heat,
)


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
        (3, {}, [COOL, CHARGE_OFF], [DISCHARGE_OFF], 100.0),
        (3, {"local": True, "hottest_c": 57.9}, [COOL, CHARGE_OFF], [DISCHARGE_OFF], 56.0),
        (3, {"hottest_c": 58.0}, [COOL, CHARGE_OFF, DISCHARGE_OFF], [], 100.0),
        (3, {"hottest_c": None}, [COOL, CHARGE_OFF], [DISCHARGE_OFF], 100.0),
        (4, {}, [COOL, CHARGE_OFF, DISCHARGE_OFF], [], 0.0),
        (4, {"helps": False}, [CHARGE_OFF, DISCHARGE_OFF], [], 0.0),
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
    assert scene.orders[1:] == [DISCHARGE_OFF]
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
    assert scene.orders == [COOL, CHARGE_OFF]
    assert scene.decision.limit_a == 28.0
    scene.get(4)
    assert scene.orders == [COOL, CHARGE_OFF, DISCHARGE_OFF]
    only = Scene(replace(config, reduce_level=None))
    only.get(2)
    assert only.decision.limit_a is None
    only.get(3)
    assert only.decision.limit_a == 28.0
    # Against an empty cell only stopping helps.
    only.hazards = (hazard(Kind.CELL_LOW),)
    only.step()
    assert only.orders[-1] == DISCHARGE_OFF


@pytest.mark.parametrize("level", [0, 3])
def test_cells_too_hot_to_be_discharged_have_the_time_of_grace_of_heat(level: int) -> None:
    scene = Scene()
    scene.hazards = (hazard(Kind.DISCHARGE_HOT),)
    scene.get(level)
    scene.run(58)
    assert DISCHARGE_OFF not in scene.orders
    scene.run(2)
    assert scene.orders[-1] == DISCHARGE_OFF
    supplied = Scene(replace(BY_BOARD, keep_supplied=True))
    supplied.hazards = scene.hazards
    supplied.get(level)
    supplied.run(600, every_s=5)
    assert DISCHARGE_OFF not in supplied.orders
    supplied.get(4)
    assert supplied.orders[-1] == DISCHARGE_OFF


def test_a_grace_that_ended_does_not_begin_again() -> None:
    scene = Scene()
    scene.run(120)
    scene.get(3, hottest_c=58.5)
    scene.run(5)
    scene.get(3, hottest_c=57.0)
    scene.run(120)
    assert scene.orders == [COOL, CHARGE_OFF, DISCHARGE_OFF]
    assert scene.on[DISCHARGE] is False
    scene.get(2)
    scene.run(3700, every_s=5)
    scene.mark()
    scene.get(3)
    assert scene.orders == [CHARGE_OFF]


def test_cells_that_bear_more_heat_keep_their_time_of_grace() -> None:
    scene = Scene(BY_BOARD)
    scene.actor.adapt(280.0, 68.0)
    scene.get(3, hottest_c=67.5)
    assert DISCHARGE_OFF not in scene.orders
    scene.get(3, hottest_c=68.0)
    assert DISCHARGE_OFF in scene.orders
