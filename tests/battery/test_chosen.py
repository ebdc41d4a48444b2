"""Protection and heat as one: what can be chosen, what holds without a choice, what can't be gone by."""

from __future__ import annotations

import pytest

from custom_components.jk_bms.battery.chosen import Choice
from custom_components.jk_bms.battery.thermal.chosen import KEYS as HEAT_KEYS
from custom_components.jk_bms.battery.thresholds import Problem, Thresholds
from custom_components.jk_bms.bms.telemetry import Chemistry

from ..pack_values import SETTINGS_32S

LFP = Chemistry.LFP


def test_all_numbers() -> None:
    assert Choice(LFP, SETTINGS_32S).keys() == (*Thresholds(LFP, SETTINGS_32S).keys(), *HEAT_KEYS)
    unknown_keys = Choice(None, SETTINGS_32S).keys()
    assert "cell_high_warning" not in unknown_keys, "a voltage of what?"


@pytest.mark.parametrize(
    ("key", "number", "derived", "accepted"),
    [
        ("cell_high_warning", 3.51, 3.52, (3.5, 3.57)),
        ("cell_high_release", 0.07, 0.05, (0.01, 0.15)),
        ("heat_cool", 40, 43, (43, 47)),
    ],
)
def test_a_number(key: str, number: float, derived: float, accepted: tuple[float, float]) -> None:
    usual = Choice(LFP, SETTINGS_32S)
    assert usual.value(key) == usual.derived(key) == derived
    assert usual.accepted_range(key) == accepted
    chosen = Choice(LFP, SETTINGS_32S, {key: number})
    assert (chosen.value(key), chosen.derived(key)) == (number, derived)


def test_what_is_derived_depends_on_the_other_choices() -> None:
    assert Choice(LFP, SETTINGS_32S, {"heat_reduce": 40, "heat_cool": 38}).derived("heat_cool") == 39


def test_problems_of_both() -> None:
    chosen = Choice(LFP, SETTINGS_32S, {"mos_hot_warning": 90, "heat_stop": 60, "heat_cool": 44})
    assert chosen.problems() == (Problem("mos_hot_warning", 90, 70, 87), Problem("heat_stop", 60, 49, 52))


def test_how_often_frames_come_counts() -> None:
    assert Choice(LFP, SETTINGS_32S, frame_period_s=300).value("data_stale_advisory") == 900


@pytest.mark.parametrize("key", ["cell_high", "cell_high_worst", "gravity_warning", "spread_plateau_critical"])
def test_no_such_number(key: str) -> None:
    assert Thresholds(LFP, SETTINGS_32S).value(key) is None
