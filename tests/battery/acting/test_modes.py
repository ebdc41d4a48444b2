"""What is done while the guardian doesn't act: nothing, and a dry run says what would have been."""

from __future__ import annotations

from dataclasses import replace

import pytest

from custom_components.jk_bms.battery.acting.interface import Mode, Result

from .scene import BY_BOARD, BY_BOTH, CHARGE, CHARGE_OFF, CHARGER, DISCHARGE, FAN, INVERTER, Scene


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
    assert CHARGE_OFF not in scene.orders
    assert (CHARGE, False, Result.WOULD, "") not in scene.results


def test_a_dry_run_begins_anew() -> None:
    scene = Scene(mode=Mode.DRY_RUN)
    for mode in (Mode.DRY_RUN, Mode.WATCH, Mode.DRY_RUN):
        scene.mode = mode
        scene.get(3)
    assert [on for target, on, *_ in scene.results if target is CHARGE] == [False, False]


def test_a_dry_run_with_a_board_that_holds_something_off() -> None:
    scene = Scene(mode=Mode.DRY_RUN)
    scene.get(3)
    scene.run(30)
    scene.on[CHARGE], scene.barred = False, {CHARGE}
    scene.mark()
    scene.run(30)
    assert CHARGE not in {record.target for record in scene.records}


def test_what_was_never_off_is_not_left_off() -> None:
    scene = Scene(replace(BY_BOARD, stop_discharge=None))
    scene.deaf = {CHARGE}
    scene.get(3)
    scene.run(60)
    scene.mark()
    scene.mode = Mode.WATCH
    scene.step()
    assert [result for result in scene.results if result[0] is CHARGE] == [(CHARGE, False, Result.ENDED, "")]
