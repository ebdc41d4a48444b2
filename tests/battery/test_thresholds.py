"""Limits stay inside of the board's own, and so does what the owner chooses."""

from __future__ import annotations

from dataclasses import replace
from math import isfinite, nan
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from custom_components.jk_bms.battery.chemistry import safe_range
from custom_components.jk_bms.battery.hazards import FAMILIES, Kind
from custom_components.jk_bms.battery.thresholds import Limits, Problem, Thresholds, zones
from custom_components.jk_bms.bms.telemetry import Chemistry, Settings

from ..pack_values import SETTINGS_32S, SETTINGS_JK04

LFP = Chemistry.LFP
OWN = {
    Kind.CELL_HIGH: "cell_overvoltage_v",
    Kind.CELL_LOW: "cell_undervoltage_v",
    Kind.PACK_HIGH: "cell_overvoltage_v",
    Kind.PACK_LOW: "cell_undervoltage_v",
    Kind.CHARGE_COLD: "charge_undertemperature_c",
    Kind.CHARGE_HOT: "charge_overtemperature_c",
    Kind.DISCHARGE_COLD: "discharge_undertemperature_c",
    Kind.DISCHARGE_HOT: "discharge_overtemperature_c",
    Kind.MOS_HOT: "mos_overtemperature_c",
}
FALLING = {Kind.CELL_LOW, Kind.PACK_LOW, Kind.CHARGE_COLD, Kind.DISCHARGE_COLD}


def set_to(own: dict[str, Any]) -> Settings:
    return replace(SETTINGS_32S, **own)


def limits_of(kind: Kind, settings: Settings | None = SETTINGS_32S, chemistry: Chemistry = LFP) -> Limits:
    limits = Thresholds(chemistry, settings).of(kind)
    assert limits
    return limits


@pytest.mark.parametrize(
    ("kind", "own", "expected"),
    [
        (Kind.CELL_HIGH, 3.65, (3.5, 3.55, 3.6)),
        (Kind.CELL_HIGH, 3.60, (3.5, 3.52, 3.57)),
        (Kind.CELL_HIGH, 3.55, (3.46, 3.47, 3.52)),
        (Kind.CELL_HIGH, 4.0, (3.5, 3.55, 3.6)),
        (Kind.CELL_HIGH, 3.50, (3.4663, 3.47, 3.4888)),  # charged to 3.45 V every day
        (Kind.CELL_HIGH, 3.40, (3.391, 3.392, 3.397)),
        (Kind.CELL_LOW, 2.5, (3.0, 2.9, 2.7)),
        (Kind.CELL_LOW, 2.7, (3.0, 2.9, 2.8)),
        (Kind.CELL_LOW, 3.0, (3.2, 3.15, 3.1)),
        (Kind.CHARGE_COLD, -20, (5, 2, 0)),
        (Kind.CHARGE_COLD, 2, (5, 3.5, 2.5)),
        (Kind.CHARGE_HOT, 70, (45, 50, 55)),
        (Kind.CHARGE_HOT, 50, (42, 45, 47)),
        (Kind.DISCHARGE_COLD, -10, (-5, -8.5, -9.5)),
        (Kind.DISCHARGE_HOT, 55, (45, 50, 52)),
        (Kind.MOS_HOT, 100, (70, 80, 90)),
        (Kind.MOS_HOT, 80, (65, 72, 77)),
    ],
)
def test_derived_from_the_board(kind: Kind, own: float, expected: tuple[float, ...]) -> None:
    assert limits_of(kind, set_to({OWN[kind]: own})).limits == expected


@pytest.mark.parametrize(
    ("chemistry", "high", "low", "cold"),
    [
        (Chemistry.LFP, (3.5, 3.55, 3.6), (3.0, 2.9, 2.7), (5, 2, 0)),
        (Chemistry.LI_ION, (4.17, 4.19, 4.2), (3.3, 3.2, 3.0), (5, 2, 0)),
        (Chemistry.LTO, (2.65, 2.7, 2.75), (1.95, 1.9, 1.7), (-15, -20, -30)),
    ],
)
def test_presets(
    chemistry: Chemistry, high: tuple[float, ...], low: tuple[float, ...], cold: tuple[float, ...]
) -> None:
    assert limits_of(Kind.CELL_HIGH, None, chemistry).limits == high
    assert limits_of(Kind.CELL_LOW, None, chemistry).limits == low
    assert limits_of(Kind.CHARGE_COLD, None, chemistry).limits == cold
    assert zones(chemistry)
    assert limits_of(Kind.SPREAD_TOP, None, chemistry)


def test_what_nobody_knows_has_no_limits() -> None:
    nothing_said = Thresholds(LFP, SETTINGS_JK04)
    assert nothing_said.of(Kind.CHARGE_CURRENT) is None
    assert nothing_said.accepted_range("charge_current_warning") is None
    assert nothing_said.of(Kind.CELL_HIGH) == limits_of(Kind.CELL_HIGH, None)
    unknown = Thresholds(None, SETTINGS_32S)
    assert zones(None) is None
    assert Thresholds(None, None).of(Kind.CELL_HIGH) is None
    assert Thresholds(None, None).outright(Kind.CELL_HIGH) is None
    assert unknown.of(Kind.SPREAD_TOP) is None
    assert unknown.of(Kind.MOS_HOT) == limits_of(Kind.MOS_HOT)
    for nothing in (0.0, nan, None):
        assert limits_of(Kind.CELL_HIGH, replace(SETTINGS_32S, cell_overvoltage_v=nothing)).limits[2] == 3.6
    assert limits_of(Kind.CHARGE_COLD, replace(SETTINGS_32S, charge_undertemperature_c=0.0)).limits[2] == 0.5


@pytest.mark.parametrize(
    ("kind", "own_v", "critical_v", "outermost_v"),
    [
        (Kind.CELL_HIGH, 3.6, 3.57, 2.5),
        (Kind.PACK_HIGH, 2.8, 2.77, 2.5),
        (Kind.CELL_LOW, 2.7, 2.8, 3.5),
        (Kind.PACK_LOW, 1.5, 1.6, 3.5),
    ],
)
def test_of_an_unknown_chemistry_only_what_the_board_bears_is_known(
    kind: Kind, own_v: float, critical_v: float, outermost_v: float
) -> None:
    thresholds = Thresholds(None, replace(SETTINGS_32S, cell_overvoltage_v=own_v, cell_undervoltage_v=own_v))
    limits = thresholds.of(kind)
    assert limits
    assert limits.limits == (None, None, critical_v)
    assert thresholds.outright(kind) == own_v
    assert thresholds.accepted_range(f"{kind}_critical") == tuple(sorted((critical_v, outermost_v)))
    assert thresholds.accepted_range(f"{kind}_warning") is None


@pytest.mark.parametrize("chemistry", Chemistry)
def test_warnings_lie_above_everyday_use(chemistry: Chemistry) -> None:
    everyday_v = {Chemistry.LFP: 3.47, Chemistry.LI_ION: 4.15, Chemistry.LTO: 2.60}[chemistry]
    for own_v in (everyday_v + 0.02, everyday_v + 0.05, everyday_v + 0.2):
        limits = limits_of(Kind.CELL_HIGH, set_to({"cell_overvoltage_v": own_v}), chemistry)
        advisory_v, warning_v, critical_v = filter(None, limits.limits)
        assert everyday_v <= warning_v < critical_v < own_v
        assert advisory_v < warning_v


@pytest.mark.parametrize(("own", "recovery"), [(0, 0), (-2, -2), (-2, None), (-2, -5)])
def test_boards_that_do_not_protect_against_discharge_in_the_cold(own: int, recovery: int | None) -> None:
    says_so = set_to({"discharge_undertemperature_c": own, "discharge_undertemperature_recovery_c": recovery})
    assert limits_of(Kind.DISCHARGE_COLD, says_so).limits == (-5, -10, -20)
    assert Thresholds(LFP, says_so).outright(Kind.DISCHARGE_COLD) == -20


def test_stale_in_periods() -> None:
    limits = Thresholds(LFP, None, {}, 600.0).of(Kind.DATA_STALE)
    assert limits
    assert limits.limits == (1800, 2400, None)


@pytest.mark.parametrize(
    ("key", "value", "lowest", "highest"),
    [
        ("data_stale_advisory", 1800, 1800, 2400),
        ("data_stale_warning", 2400, 1800, 3600),
        ("data_stale_release", 1200, 1200, 1200),
    ],
)
def test_what_is_chosen_for_silence_is_longer_than_frames_are_apart(
    key: str, value: float, lowest: float, highest: float
) -> None:
    thresholds = Thresholds(LFP, None, {key: 15.0}, 600.0)
    assert thresholds.accepted_range(key) == (lowest, highest)
    assert thresholds.value(key) == (value if key != "data_stale_warning" else lowest)


def test_outright_is_the_boards_own_or_what_cells_bear() -> None:
    assert Thresholds(LFP, SETTINGS_32S).outright(Kind.CELL_HIGH) == 3.6
    assert Thresholds(LFP, None).outright(Kind.CELL_HIGH) == 3.65
    assert Thresholds(LFP, None).outright(Kind.CELL_LOW) == 2.5
    assert Thresholds(LFP, SETTINGS_32S).outright(Kind.CHARGE_CURRENT) is None
    assert Thresholds(LFP, SETTINGS_32S).outright(Kind.SPREAD_TOP) is None


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("cell_high_advisory", (3.42, 3.52)),
        ("cell_high_warning", (3.5, 3.57)),
        ("cell_high_critical", (3.52, 3.57)),
        ("cell_high_release", (0.01, 0.15)),
        ("cell_low_advisory", (2.9, 3.2)),
        ("cell_low_critical", (2.8, 2.9)),
        ("charge_cold_critical", (2.5, 3.5)),
        ("charge_current_advisory", (10, 100)),
        ("charge_current_critical", (100, 150)),
        ("charge_current_release", (10, 95)),
        ("spread_plateau_warning", (0.02, 0.06)),
        ("spread_top_critical", (0.12, 0.3)),
        ("probe_spread_warning", (8, 22.5)),
        ("charge_mosfet_warning", (0.5, 1.5)),
        ("data_frozen_warning", (20, 90)),
        ("data_stale_warning", (60, 900)),
        ("spread_plateau_critical", None),
        ("spread_plateau_worst", None),
        ("data_stale_advisory", (15, 600)),
        ("cell_count_critical", None),
        ("nonsense", None),
    ],
)
def test_ranges(key: str, expected: tuple[float, float] | None) -> None:
    assert Thresholds(LFP, SETTINGS_32S).accepted_range(key) == (expected and pytest.approx(expected))


@pytest.mark.parametrize(
    ("chosen", "found"),
    [
        ({"cell_high_warning": 3.56}, ()),
        ({"cell_high_warning": 3.58}, (Problem("cell_high_warning", 3.58, 3.5, 3.57),)),  # beyond the board's 3.60 V
        ({"cell_high_warning": 3.49}, ()),  # the advisory level goes with it
        ({"cell_high_warning": 3.41}, (Problem("cell_high_warning", 3.41, 3.42, 3.57),)),
        (
            {"cell_high_advisory": 3.54, "cell_high_warning": 3.53},
            (Problem("cell_high_advisory", 3.54, 3.42, 3.53),),  # out of order
        ),
        ({"cell_low_critical": 2.75}, (Problem("cell_low_critical", 2.75, 2.8, 2.9),)),
        ({"mos_hot_release": -5.0}, (Problem("mos_hot_release", -5.0, 1, 15),)),  # on the wrong side
        ({"spread_top_release": 1.2}, (Problem("spread_top_release", 1.2, 0.3, 0.95),)),
        ({"charge_current_release": 96.0}, (Problem("charge_current_release", 96.0, 10, 95),)),
        ({"of_another_version": 1.0}, ()),
    ],
)
def test_problems(chosen: dict[str, float], found: tuple[Problem, ...]) -> None:
    assert Thresholds(LFP, SETTINGS_32S, chosen).problems() == found


OWN_LIMITS = st.fixed_dictionaries(
    {
        "cell_overvoltage_v": st.floats(1.2, 4.35),
        "cell_undervoltage_v": st.floats(1.2, 4.35),
        "charge_overtemperature_c": st.floats(20, 100),
        "discharge_overtemperature_c": st.floats(20, 100),
        "charge_undertemperature_c": st.floats(-45, 20),
        "discharge_undertemperature_c": st.floats(-45, 20),
        "mos_overtemperature_c": st.floats(40, 120),
        "charge_current_limit_a": st.floats(1, 500),
        "discharge_current_limit_a": st.floats(1, 500),
    }
)
KEYS = Thresholds(LFP, SETTINGS_32S).keys()


@given(
    OWN_LIMITS, st.dictionaries(st.sampled_from(KEYS), st.floats(-100, 1000), max_size=8), st.sampled_from(Chemistry)
)
def test_always_in_order_and_inside(own: dict[str, float], chosen: dict[str, float], chemistry: Chemistry) -> None:
    settings = set_to(own | {"discharge_undertemperature_recovery_c": own["discharge_undertemperature_c"] + 5})
    thresholds = Thresholds(chemistry, settings, chosen)
    for kind, limits in thresholds.all().items():
        known = [limit for limit in limits.limits if limit is not None]
        assert all(isfinite(limit) for limit in known)
        assert known == sorted(known, reverse=kind in FALLING)
        if kind in OWN:
            lowest, highest = safe_range(OWN[kind], chemistry)
            if kind in FALLING:
                assert known[-1] > own[OWN[kind]]
                assert lowest is not None
                assert known[-1] >= lowest
            else:
                assert known[-1] < own[OWN[kind]]
                assert highest is not None
                assert known[-1] <= highest
        bounds = limits.bounds(thresholds.outright(kind))
        for release, limit in zip(bounds.releases, bounds.limits, strict=True):
            assert release < limit or not isfinite(limit)


@given(OWN_LIMITS, st.sampled_from([*Chemistry, None]))
def test_what_is_derived_may_be_chosen(own: dict[str, float], chemistry: Chemistry | None) -> None:
    for settings in (set_to(own), None):
        thresholds = Thresholds(chemistry, settings)
        keys = thresholds.keys()
        for key in keys:
            accepted, value = thresholds.accepted_range(key), thresholds.value(key)
            assert accepted is not None
            assert value is not None
            assert -1e3 < accepted[0] <= value <= accepted[1] < 1e4, key


@pytest.mark.parametrize(
    ("own", "key", "expected"),
    [
        ({"cell_undervoltage_v": 3.1}, "cell_low_advisory", (3.25, 3.3)),
        ({"cell_overvoltage_v": 3.42}, "cell_high_advisory", (3.411, 3.412)),
        ({"charge_overtemperature_c": 30}, "charge_hot_advisory", (22, 25)),
        ({"charge_undertemperature_c": 15}, "charge_cold_advisory", (16.5, 18)),
    ],
)
def test_a_strict_board_leaves_room_for_strict_levels(
    own: dict[str, float], key: str, expected: tuple[float, float]
) -> None:
    assert Thresholds(LFP, set_to(own)).accepted_range(key) == pytest.approx(expected)


def test_every_number_has_a_range_around_its_default() -> None:
    for chemistry in Chemistry:
        thresholds = Thresholds(chemistry, SETTINGS_32S)
        keys = thresholds.keys()
        assert keys
        for key in keys:
            accepted = thresholds.accepted_range(key)
            assert accepted
            kind, _, name = key.rpartition("_")
            limits = thresholds.of(Kind(kind))
            assert limits
            value = (
                limits.release if name == "release" else limits.limits[("advisory", "warning", "critical").index(name)]
            )
            assert value is not None
            if chemistry is LFP:  # the settings are those of such a pack
                assert accepted[0] <= value <= accepted[1], key


def test_every_kind_belongs_somewhere() -> None:
    assert set(FAMILIES) == set(Kind)
