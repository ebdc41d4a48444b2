"""Send-on-delta: what is published at once, what in its turn, what not at all."""

from __future__ import annotations

import pytest

from custom_components.jk_bms.publishing import Delta

CELL = Delta(significant=0.005, dead_band=0.001)
CURRENT = Delta(significant=1, relative=0.03, dead_band=0.1)
IN_TURN = Delta()


@pytest.mark.parametrize(
    ("delta", "published", "value", "at_once", "in_turn"),
    [
        (CELL, 3.300, 3.300, False, False),
        (CELL, 3.300, 3.301, False, False),
        (CELL, 3.300, 3.302, False, True),
        (CELL, 3.300, 3.304, False, True),
        (CELL, 3.300, 3.305, True, True),
        (CELL, 3.300, 3.295, True, True),
        (CURRENT, 0.05, -0.05, False, False),
        (CURRENT, 0.0, 0.9, False, True),
        (CURRENT, 0.0, 1.0, True, True),
        (CURRENT, 0.0, -1.0, True, True),
        (CURRENT, -100.0, -102.9, False, True),
        (CURRENT, -100.0, -103.0, True, True),
        (IN_TURN, 4, 5, False, True),
        (IN_TURN, 4, 4_000_000, False, True),
    ],
)
def test_rule(delta: Delta, published: float, value: float, at_once: bool, in_turn: bool) -> None:
    assert delta.is_news(published, value, in_turn=False) is at_once
    assert delta.is_news(published, value, in_turn=True) is in_turn


def test_drift_never_gets_beyond_the_dead_band() -> None:
    published, worst = 3.3, 0.0
    for step in range(1000):
        value = 3.3 + 0.0003 * step
        if CELL.is_news(published, value, in_turn=True):
            published = value
        worst = max(worst, abs(value - published))
    assert worst <= 0.001 + 1e-9
