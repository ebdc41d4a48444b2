"""The pack of the closed loop does what is decided."""

from __future__ import annotations

import pytest

from benchmarks.heat import acting
from benchmarks.heat.acting import run
from benchmarks.heat.scenarios import Scenario


def scenario(what: str, start_c: float, current: str, fault: str = "c:0") -> Scenario:
    return Scenario(
        "x", "fault", what, 600, 0.0, 5.0, start_c,
        (current, "c:25", "c:0", "c:0", "c:0", fault, "c:0"), 5, 8.0, (1, 5, 10, 14), "", {}, None,
    )  # fmt: skip


@pytest.fixture(autouse=True)
def _two_hours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(acting, "ENDURED_S", 7200.0)


def test_a_warm_pack_is_cooled_and_its_current_held() -> None:
    cooled = run(scenario("load", 48.5, "c:-200"), 1)
    assert (cooled.highest, cooled.charge_stopped_after_min, cooled.discharge_stopped) == (2, None, False)
    assert cooled.lowest_limit_a < 200
    assert cooled.fan_starts_per_h == 1
    assert cooled.hottest_cell_c < 52
    # A fan that failed is switched on, too, and no air moves: it has to be done by less current.
    hotter = run(scenario("load, fan stops", 48.5, "c:-200"), 1)
    assert hotter.fan_starts_per_h == 1
    assert hotter.lowest_limit_a < cooled.lowest_limit_a - 5


def test_a_hot_pack_is_switched_off_until_it_is_cool() -> None:
    stopped = run(scenario("load", 59.0, "c:-200"), 1)
    assert stopped.charge_stopped_after_min is not None
    assert stopped.charge_stopped_after_min < 0.5
    assert stopped.discharge_stopped
    assert stopped.last_cell_c < 56


def test_after_a_runaway_everything_stays_off() -> None:
    over = run(scenario("short", 30.0, "c:50", "c:2000"), 1)
    assert over.last_level == 4
    assert over.discharge_stopped
