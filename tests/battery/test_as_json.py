"""What the engines say, written down."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, nan

import pytest

from custom_components.jk_bms.battery.as_json import as_json
from custom_components.jk_bms.battery.hazards import Kind, Level
from custom_components.jk_bms.bms.telemetry import BalanceAction, Chemistry


@dataclass
class Inner:
    since_s: float
    blind_since_s: float | None
    level: Level


@dataclass
class Outer:
    name: str
    inner: tuple[Inner, ...]
    limits: dict[Kind, list[float | None]]
    latched: frozenset[str]


def test_names_for_numbers_and_ages_for_times() -> None:
    outer = Outer("a", (Inner(990.06, None, Level.CRITICAL),), {Kind.CELL_HIGH: [3.5, None]}, frozenset("cab"))
    assert as_json(outer, 1000) == {
        "name": "a",
        "inner": [{"for_s": 9.9, "blind_for_s": None, "level": "critical"}],
        "limits": {"cell_high": [3.5, None]},
        "latched": ["a", "b", "c"],
    }
    assert as_json(Inner(1000, 940, Level.OK), 1000) == {"for_s": 0, "blind_for_s": 60, "level": "ok"}


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (None, None), (True, True), (7, 7), ("x", "x"), (nan, None), (-inf, None), (8.6e-8 / 3, 2.866667e-8),
        (3.3330001, 3.333), (Chemistry.LFP, "lfp"), (BalanceAction.OFF, "off"),
    ],
)  # fmt: skip
def test_values(value: object, written: object) -> None:
    assert as_json(value, 0) == written
    assert type(as_json(value, 0)) is type(written)


def test_what_there_is_no_json_for() -> None:
    with pytest.raises(TypeError):
        as_json(object(), 0)
