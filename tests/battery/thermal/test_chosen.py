"""The temperatures of the levels stay in order and inside of the board's own, whatever the owner chooses."""

from __future__ import annotations

from dataclasses import replace
from math import nan
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from custom_components.jk_bms.battery.thermal.chosen import INSIDE_C, KEYS, HeatThresholds
from custom_components.jk_bms.battery.thermal.config import THRESHOLDS, Thresholds
from custom_components.jk_bms.battery.thresholds import Problem
from custom_components.jk_bms.bms.telemetry import Chemistry, Settings

from ...pack_values import SETTINGS_32S

FACTORY = {"charge_overtemperature_c": 70, "discharge_overtemperature_c": 70}


def set_to(charge_c: float | None, discharge_c: float | None) -> Settings:
    return replace(SETTINGS_32S, charge_overtemperature_c=charge_c, discharge_overtemperature_c=discharge_c)


@pytest.mark.parametrize("chemistry", [*Chemistry, None])
@pytest.mark.parametrize("settings", [None, set_to(None, None), set_to(90, 90), set_to(0, 255)])
def test_usual_where_the_board_leaves_room(chemistry: Chemistry | None, settings: Settings | None) -> None:
    assert HeatThresholds(chemistry, settings).all() == THRESHOLDS[chemistry or Chemistry.LFP]


@pytest.mark.parametrize(
    ("charge_c", "discharge_c", "changed"),
    [
        (70, 70, {}),
        (50, 60, {"stop_forecast_c": 57}),
        (50, 55, {"stop_c": 52, "stop_forecast_c": 52}),
        (55, None, {"stop_c": 52, "stop_forecast_c": 52}),
        (55, 0, {"stop_c": 52, "stop_forecast_c": 52}),
        (
            45,
            45,
            {
                "stop_c": 42,
                "stop_forecast_c": 42,
                "reduce_c": 41,
                "reduce_forecast_c": 41,
                "cool_c": 40,
                "cool_forecast_c": 40,
                "cool_release_c": 39,
                "stop_release_c": 41,
                "target_c": 40,
            },
        ),
    ],
)
def test_inside_of_the_board(charge_c: float | None, discharge_c: float | None, changed: dict[str, Any]) -> None:
    expected = replace(Thresholds(), **changed)
    assert HeatThresholds(None, set_to(charge_c, discharge_c)).all() == expected


@pytest.mark.parametrize(
    ("chosen", "changed"),
    [
        ({"heat_cool": 40}, {"cool_c": 40, "cool_release_c": 39}),
        ({"heat_stop": 46}, {"stop_c": 46, "reduce_c": 45, "target_c": 44}),
        ({"heat_cool": 20}, {"cool_c": 28, "cool_release_c": 27}),
        ({"heat_cool": 60}, {"cool_c": 47}),
        ({"heat_emergency": 90}, {"emergency_c": 67}),
        ({"cell_high_warning": 3.5}, {}),
    ],
    ids=["pulls its release along", "a grave one pulls the milder", "too low", "too high", "emergency", "another's"],
)
def test_what_is_chosen(chosen: dict[str, float], changed: dict[str, Any]) -> None:
    thresholds = HeatThresholds(None, set_to(70, 70), chosen)
    assert thresholds.all() == replace(Thresholds(), **changed)


@pytest.mark.parametrize(
    ("key", "settings", "expected"),
    [
        ("heat_cool", None, (43, 47)),
        ("heat_stop", None, (49, 59)),
        ("heat_stop", set_to(50, 55), (49, 52)),
        ("heat_stop_forecast", None, (51, 63)),
        ("heat_stop_forecast", set_to(50, 55), (51, 52)),
        ("heat_emergency", None, (61, 70)),
        ("heat_emergency", set_to(70, 70), (61, 67)),
        ("heat_emergency", set_to(50, 55), (61, 65)),
        ("heat_cool_release", None, (27, 42)),
        ("heat_stop_release", None, (30, 50)),
        ("heat_target", set_to(30, 30), (25, 25)),
        ("cell_high_warning", None, None),
        ("heat_warning", None, None),
    ],
)
def test_ranges(key: str, settings: Settings | None, expected: tuple[float, float] | None) -> None:
    assert HeatThresholds(None, settings).accepted_range(key) == expected


@pytest.mark.parametrize(
    ("key", "value"), [("heat_cool", 43), ("heat_stop_forecast", 52), ("heat_target", 45), ("mos_hot_warning", None)]
)
def test_values(key: str, value: float | None) -> None:
    assert HeatThresholds(None, set_to(50, 55)).value(key) == value


@pytest.mark.parametrize(
    ("chosen", "found"),
    [
        ({"heat_cool": 40, "heat_reduce": 44, "heat_stop": 50}, ()),
        ({"heat_stop": 53}, (Problem("heat_stop", 53, 49, 52),)),
        ({"heat_cool": 47, "heat_reduce": 47}, (Problem("heat_cool", 47, 43, 46),)),
        ({"heat_cool_release": 44}, (Problem("heat_cool_release", 44, 27, 42),)),
        ({"heat_emergency": 66}, (Problem("heat_emergency", 66, 61, 65),)),
        ({"mos_hot_warning": 200}, ()),
    ],
)
def test_problems(chosen: dict[str, float], found: tuple[Problem, ...]) -> None:
    assert HeatThresholds(None, set_to(50, 55), chosen).problems() == found


def test_no_number_is_no_choice() -> None:
    (problem,) = HeatThresholds(None, None, {"heat_cool": nan}).problems()
    assert problem.key == "heat_cool"


_TEMPERATURES = st.one_of(st.none(), st.floats(-300, 300))


@given(
    chosen=st.dictionaries(st.sampled_from(KEYS), st.floats(-100, 200)),
    chemistry=st.sampled_from([*Chemistry, None]),
    charge_c=_TEMPERATURES,
    discharge_c=_TEMPERATURES,
)
def test_always_in_order_and_inside(
    chosen: dict[str, float], chemistry: Chemistry | None, charge_c: float | None, discharge_c: float | None
) -> None:
    thresholds = HeatThresholds(chemistry, set_to(charge_c, discharge_c), chosen)
    levels: Any = thresholds.all()
    assert levels.cool_release_c < levels.cool_c < levels.reduce_c < levels.stop_c < levels.violent_emergency_c
    assert levels.cool_release_c < levels.cool_forecast_c < levels.reduce_forecast_c < levels.stop_forecast_c
    assert levels.violent_emergency_c < levels.emergency_c
    assert levels.stop_release_c < levels.stop_c
    assert levels.target_c < levels.reduce_c
    limits_c = [limit_c for limit_c in (charge_c, discharge_c) if limit_c is not None and 30 <= limit_c <= 120]
    if limits_c:
        assert max(levels.stop_c, levels.stop_forecast_c) <= max(limits_c) - INSIDE_C
    for key in KEYS:
        lowest_c, highest_c = thresholds.accepted_range(key) or (nan, nan)
        assert lowest_c <= highest_c
    if not thresholds.problems():
        assert all(thresholds.value(key) == number for key, number in chosen.items())
