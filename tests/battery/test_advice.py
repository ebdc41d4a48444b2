"""The advice on settings: what it finds, and that it can be followed one setting at a time."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from custom_components.jk_bms.battery.advice import ADVISED, Advice, Adviser, Reason, advise, factory, review
from custom_components.jk_bms.battery.chemistry import loosens_beyond_safe
from custom_components.jk_bms.bms.board import Board, board_of, confirmed
from custom_components.jk_bms.bms.layout import CONTROL_BITS, Generation
from custom_components.jk_bms.bms.registers import ORDER, SETTINGS_BY_KEY, conflicts, numbers
from custom_components.jk_bms.bms.telemetry import (
    Chemistry,
    DeviceInfo,
    Settings,
    decode_device_info,
    decode_settings,
)

from ..pack_values import (
    DEVICE_INFO_24S,
    DEVICE_INFO_32S,
    DEVICE_INFO_BALANCER,
    DEVICE_INFO_JK04,
    SETTINGS_24S,
    SETTINGS_32S,
    SETTINGS_JK04,
    telemetry_24s,
    telemetry_32s,
    telemetry_balancer,
    telemetry_jk04,
)
from ..shared import CAPTURES, needs_captures

FLOAT_MODE = 1 << CONTROL_BITS.index("charging_float_mode")
SMART_SLEEP = 1 << CONTROL_BITS.index("smart_sleep")

INFO = replace(DEVICE_INFO_32S, requested_charge_time_h=1.0, requested_float_time_h=12.0)
WELL_SET: Settings = replace(
    SETTINGS_32S,
    control_bits=FLOAT_MODE,
    charge_overtemperature_c=50.0,
    charge_overtemperature_recovery_c=45.0,
)
ON_24S = replace(
    SETTINGS_24S,
    charge_current_limit_a=80.0,
    discharge_current_limit_a=100.0,
    balance_current_limit_a=0.6,
    soc_100_cell_voltage_v=0.0,
    soc_0_cell_voltage_v=0.0,
    requested_charge_voltage_v=0.0,
    requested_float_voltage_v=0.0,
)
FACTORY_LFP: dict[str, Any] = {
    "cell_overvoltage_recovery_v": 3.55,
    "soc_100_cell_voltage_v": 3.56,
    "requested_charge_voltage_v": 0.0,
    "requested_float_voltage_v": 0.0,
    "cell_undervoltage_v": 2.6,
    "soc_0_cell_voltage_v": 2.62,
    "cell_undervoltage_recovery_v": 2.65,
    "balance_start_voltage_v": 3.0,
    "balance_trigger_voltage_v": 0.01,
    "charge_current_limit_a": 25.0,
    "discharge_overcurrent_delay_s": 300,
    "charge_overtemperature_c": 70.0,
    "charge_overtemperature_recovery_c": 60.0,
    "discharge_overtemperature_c": 70.0,
    "discharge_overtemperature_recovery_c": 60.0,
    "charge_undertemperature_c": -20.0,
    "charge_undertemperature_recovery_c": -10.0,
    "mos_overtemperature_c": 100.0,
    "mos_overtemperature_recovery_c": 80.0,
}


def board(info: DeviceInfo) -> Board:
    return replace(board_of(info.model, info.software_version), confirmed=True)


def findings(settings: Settings, info: DeviceInfo = INFO) -> dict[str, Advice]:
    """Return what deviates on a board of 32 slots."""
    found = review(settings, info, telemetry_32s(), board(info))
    assert found is not None
    return {finding.key: finding for finding in found}


def finding(key: str, info: DeviceInfo = INFO, **changes: Any) -> tuple[float, float | None, float | None]:
    """Return what is recommended for one setting, and its range, where it is the only one that deviates."""
    found = findings(replace(WELL_SET, **changes), info)
    assert list(found) == [key]
    return found[key].recommended, found[key].lowest, found[key].highest


def test_a_pack_that_is_set_well_needs_no_review() -> None:
    assert findings(WELL_SET) == {}
    assert review(ON_24S, DEVICE_INFO_24S, telemetry_24s(), board(DEVICE_INFO_24S)) == ()


def test_what_boards_come_with_from_the_factory() -> None:
    found = findings(replace(SETTINGS_32S, **FACTORY_LFP))
    assert {key: (each.present, each.recommended) for key, each in found.items()} == {
        "charge_undertemperature_c": (-20, 2),
        "charge_undertemperature_recovery_c": (-10, 5),
        "balance_start_voltage_v": (3.0, 3.42),
        "charge_overtemperature_c": (70, 50),
        "charge_overtemperature_recovery_c": (60, 45),
        "discharge_overtemperature_c": (70, 55),
        "discharge_overtemperature_recovery_c": (60, 50),
        "cell_undervoltage_recovery_v": (2.65, 2.95),
        "discharge_overcurrent_delay_s": (300, 60),
        "mos_overtemperature_c": (100, 80),
        "mos_overtemperature_recovery_c": (80, 70),
    }
    weighty = [key for key, each in found.items() if each.weighty]
    assert weighty == [
        "charge_undertemperature_c",
        "charge_undertemperature_recovery_c",
        "balance_start_voltage_v",
        "charge_overtemperature_c",
        "discharge_overtemperature_c",
    ]
    assert list(found)[:7] == [
        *weighty[:4],
        "charge_overtemperature_recovery_c",
        "discharge_overtemperature_c",
        "discharge_overtemperature_recovery_c",
    ], "what is in the way of a weighty one is among them"
    assert found["charge_undertemperature_c"].after == ("charge_undertemperature_recovery_c",)
    assert found["charge_undertemperature_recovery_c"].after == ()
    assert found["charge_undertemperature_c"].reason is Reason.CHARGE_UNDERTEMPERATURE


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("cell_overvoltage_v", 3.7, (3.6, 3.55, 3.65)),
        ("cell_overvoltage_v", 3.5, (3.6, 3.55, 3.65)),
        ("cell_overvoltage_recovery_v", 3.56, (3.44, 3.35, 3.55)),
        ("soc_100_cell_voltage_v", 3.44, (3.445, 3.441, 3.449)),
        ("requested_charge_voltage_v", 3.6, (3.45, 3.442, 3.599)),
        ("requested_float_voltage_v", 3.44, (3.35, 2.951, 3.439)),
        ("cell_undervoltage_v", 2.45, (2.7, 2.5, 3.0)),
        ("cell_undervoltage_recovery_v", 2.79, (2.95, 2.8, 3.2)),
        ("soc_0_cell_voltage_v", 2.95, (2.75, 2.701, 2.949)),
        ("power_off_voltage_v", 2.66, (2.5, 2.0, 2.65)),
        ("power_off_voltage_v", 1.2, (2.5, 2.0, 2.65)),
        ("balance_start_voltage_v", 3.0, (3.42, 3.38, 3.44)),
        ("balance_start_voltage_v", 3.441, (3.42, 3.38, 3.44)),
        ("balance_trigger_voltage_v", 0.02, (0.005, 0.003, 0.015)),
        ("balance_current_limit_a", 2.5, (2.0, None, 2.0)),
        ("charge_current_limit_a", 150.0, (140.0, None, 140.0)),
        ("charge_overcurrent_delay_s", 60, (30, None, 30)),
        ("discharge_current_limit_a", 201.0, (200.0, None, 200.0)),
        ("discharge_overcurrent_delay_s", 300, (60, None, 60)),
        ("short_circuit_delay_us", 2000, (1500, None, 1500)),
        ("charge_overtemperature_c", 65.0, (50, None, 60)),
        ("charge_overtemperature_recovery_c", 50.0, (45, None, 49)),
        ("discharge_overtemperature_c", 61.0, (55, None, 60)),
        ("discharge_overtemperature_recovery_c", 55.0, (50, None, 54)),
        ("charge_undertemperature_c", -1.0, (2, 0, None)),
        ("charge_undertemperature_recovery_c", 2.0, (5, 3, None)),
        ("mos_overtemperature_c", 95.0, (80, None, 90)),
        ("mos_overtemperature_recovery_c", 90.0, (70, None, 89)),
    ],
)
def test_ranges(key: str, value: float, expected: tuple[float, float | None, float | None]) -> None:
    changes: dict[str, Any] = {key: value}
    found = findings(replace(WELL_SET, **changes))
    assert (found[key].recommended, found[key].lowest, found[key].highest) == expected
    assert found[key].present == value


ENDS = [
    pytest.param(key, limit, id=f"{key} {limit}")
    for key, advice in (advise(WELL_SET, INFO, telemetry_32s(), board(INFO)) or {}).items()
    for limit in (advice.lowest, advice.highest)
    if limit is not None
]


@pytest.mark.parametrize(("key", "limit"), ENDS)
def test_the_ends_of_a_range_are_accepted(key: str, limit: float) -> None:
    changes: dict[str, Any] = {key: limit}
    in_settings = hasattr(WELL_SET, key)
    settings, info = replace(WELL_SET, **changes) if in_settings else WELL_SET, INFO
    assert key not in findings(settings, info if in_settings else replace(info, **changes))


def test_there_is_advice_for_what_a_board_has() -> None:
    assert {end.values[0] for end in ENDS} > {"cell_overvoltage_v", "requested_float_time_h"}
    assert (advise(WELL_SET, INFO, telemetry_32s(), board(INFO)) or {}).keys() == {*ADVISED} - {"smart_sleep_voltage_v"}


def test_the_float_voltage_keeps_its_place_above_the_undervoltage_recovery() -> None:
    changes: dict[str, Any] = {
        "cell_undervoltage_v": 3.0,
        "soc_0_cell_voltage_v": 3.05,
        "cell_undervoltage_recovery_v": 3.26,
    }
    assert finding("cell_undervoltage_recovery_v", **changes) == (3.1, 3.1, 3.25)


def test_smart_sleep_counts_while_it_is_on() -> None:
    assert findings(replace(WELL_SET, smart_sleep_voltage_v=3.5)) == {}
    assert finding("smart_sleep_voltage_v", smart_sleep_voltage_v=3.5, control_bits=SMART_SLEEP) == (3.3, None, 3.35)


def test_charge_times_count_in_float_mode() -> None:
    info = replace(INFO, requested_charge_time_h=2.0)
    assert finding("requested_charge_time_h", info) == (1, 0.1, 1)
    assert findings(replace(WELL_SET, control_bits=0), info) == {}
    assert finding("requested_float_time_h", replace(INFO, requested_float_time_h=25.0)) == (12, 6, 24)


def test_boards_without_requested_voltages_charge_to_what_the_guide_says() -> None:
    settings = replace(ON_24S, cell_overvoltage_recovery_v=3.3, balance_start_voltage_v=3.46)
    found = review(settings, DEVICE_INFO_24S, telemetry_24s(), board(DEVICE_INFO_24S))
    assert found is not None
    assert [(each.key, each.recommended) for each in found] == [
        ("cell_overvoltage_recovery_v", 3.45),
        ("balance_start_voltage_v", 3.42),
    ]


def test_balancing_starts_below_a_low_charge_voltage() -> None:
    settings = replace(
        WELL_SET,
        cell_overvoltage_recovery_v=3.39,
        soc_100_cell_voltage_v=3.395,
        requested_charge_voltage_v=3.41,
    )
    assert findings(settings)["balance_start_voltage_v"].recommended == 3.39
    assert findings(replace(settings, balance_start_voltage_v=3.39)) == {}


@pytest.mark.parametrize(
    ("capacity_ah", "model", "charge_a", "discharge_a", "balance_a"),
    [
        (280.0, "JK_PB2A16S20P", 140.0, 200.0, 2.0),
        (400.0, "JK_PB2A16S20P", 160.0, 200.0, 2.0),
        (100.0, "JK_PB2A16S10P", 50.0, 100.0, 2.0),
        (10.1, "JK_PB2A16S20P", 5.0, 10.1, 1.0),
        (280.0, "something else", 140.0, 280.0, 15.0),
        (2.0, "JK_PB2A16S20P", 1.0, 2.0, None),
        (0.0, "JK_PB2A16S20P", 160.0, 200.0, 2.0),
        (0.0, "something else", None, None, None),
    ],
)
def test_currents_by_capacity_and_rating(
    capacity_ah: float, model: str, charge_a: float | None, discharge_a: float | None, balance_a: float | None
) -> None:
    info = replace(INFO, model=model)
    advised = advise(replace(WELL_SET, nominal_capacity_ah=capacity_ah), info, telemetry_32s(), board(info))
    assert advised is not None
    keys = ("charge_current_limit_a", "discharge_current_limit_a", "balance_current_limit_a")
    assert [advised[key].recommended if key in advised else None for key in keys] == [charge_a, discharge_a, balance_a]


def test_a_quick_protection_is_not_advised_against() -> None:
    quick = replace(WELL_SET, charge_overcurrent_delay_s=2, discharge_overcurrent_delay_s=3, short_circuit_delay_us=5)
    assert findings(quick) == {}


def test_a_recovery_that_no_register_can_hold_is_not_advised() -> None:
    assert "charge_undertemperature_recovery_c" not in findings(replace(WELL_SET, charge_undertemperature_c=20.0))


@pytest.mark.parametrize(
    ("settings", "info", "telemetry"),
    [
        (WELL_SET, INFO, telemetry_32s(chemistry=Chemistry.LI_ION)),
        (replace(WELL_SET, cell_overvoltage_v=4.2), INFO, telemetry_32s(chemistry=None)),
        (SETTINGS_32S, DEVICE_INFO_BALANCER, telemetry_balancer()),
        (SETTINGS_JK04, DEVICE_INFO_JK04, telemetry_jk04()),
    ],
    ids=["Li-ion", "set to Li-ion", "balancer", "JK04"],
)
def test_packs_without_advice(settings: Settings, info: DeviceInfo, telemetry: Any) -> None:
    assert review(settings, info, telemetry, board(info)) is None
    assert Adviser().step(settings, info, telemetry, board(info), {}) is None


def test_every_reason_is_used() -> None:
    from custom_components.jk_bms.battery.advice import _RULES

    assert {rule.reason for rule in _RULES} == set(Reason)


def test_factory_values() -> None:
    on_32s, on_24s = board(INFO), board(DEVICE_INFO_24S)
    assert factory("charge_undertemperature_c", on_32s) == -20
    assert (factory("mos_overtemperature_c", on_32s), factory("mos_overtemperature_c", on_24s)) == (100, 90)
    assert (factory("balance_current_limit_a", on_32s), factory("balance_current_limit_a", on_24s)) == (2, 0.6)
    assert factory("balance_current_limit_a", Board()) is None
    assert factory("nominal_capacity_ah", on_32s) is None
    for settings, info in ((SETTINGS_32S, INFO), (SETTINGS_24S, DEVICE_INFO_24S)):
        for key in numbers(settings):
            register = SETTINGS_BY_KEY[key].register_on(board(info), info)
            value = factory(key, board(info))
            assert value is None or register is None or register.lowest <= value <= register.highest, key


def _chain(draw: st.DrawFn, *keys: str, lowest: float, highest: float, step: float) -> dict[str, Any]:
    """Return values that rise from key to key."""
    steps = round((highest - lowest) / step)
    raw = draw(st.lists(st.integers(0, steps), min_size=len(keys), max_size=len(keys), unique=True))
    return {key: round(lowest + value * step, 4) for key, value in zip(keys, sorted(raw), strict=True)}


@st.composite
def ordered_settings(draw: st.DrawFn) -> Settings:
    """Return any settings that a board takes: each voltage and each temperature on its side of the others."""
    values = _chain(draw, *ORDER[0], lowest=1.2, highest=3.9, step=0.001)
    for limit in ("charge_overtemperature", "discharge_overtemperature"):
        values |= _chain(draw, f"{limit}_recovery_c", f"{limit}_c", lowest=30, highest=80, step=0.5)
    values |= _chain(draw, *ORDER[1], lowest=-45, highest=20, step=0.5)
    values |= _chain(draw, "mos_overtemperature_recovery_c", "mos_overtemperature_c", lowest=50, highest=110, step=1)
    if draw(st.booleans()):
        values |= {"requested_charge_voltage_v": 0.0, "requested_float_voltage_v": 0.0}
        if draw(st.booleans()):
            values["soc_100_cell_voltage_v"] = 0.0
    values["balance_start_voltage_v"] = round(draw(st.floats(1.2, 4.25)), 3)
    values["nominal_capacity_ah"] = draw(st.sampled_from((10.0, 100.0, 280.0, 1000.0)))
    values["charge_current_limit_a"] = draw(st.sampled_from((25.0, 150.0, 200.0)))
    return replace(WELL_SET, **values)


@given(ordered_settings(), st.data())
def test_following_the_advice_in_any_order_ends_well(settings: Settings, data: st.DataObject) -> None:
    """Each recommended value can be written by itself, stays in the range of the board, and never has to be changed."""
    telemetry, info, its = telemetry_32s(), INFO, board(INFO)
    left = review(settings, info, telemetry, its) or ()
    while left:
        ready = [finding for finding in left if not finding.after]
        assert ready, "there is always one that can be written"
        chosen = data.draw(st.sampled_from(ready))
        register = SETTINGS_BY_KEY[chosen.key].register_on(its, info)
        assert register is not None
        assert register.lowest <= chosen.recommended <= register.highest
        assert SETTINGS_BY_KEY[chosen.key].rounded(chosen.recommended) == chosen.recommended
        assert loosens_beyond_safe(chosen.key, None, chosen.recommended, Chemistry.LFP) is None
        written: dict[str, Any] = {chosen.key: chosen.recommended}
        settings = replace(settings, **written)
        assert not conflicts(numbers(settings), frozenset({chosen.key}))
        before = {finding.key: finding.recommended for finding in left if finding.key != chosen.key}
        left = review(settings, info, telemetry, its) or ()
        assert {finding.key: finding.recommended for finding in left} == before
    for chain in ORDER:
        assert not conflicts(numbers(settings), frozenset(chain) - {"discharge_undertemperature_c"})


def _recorded() -> list[Any]:
    cases = []
    for path in sorted(CAPTURES.glob("*.json")):
        frames = [bytes.fromhex(frame.get("hex", "").replace(" ", "")) for frame in _frames(path)]
        kinds = {frame[4]: frame for frame in frames if len(frame) >= 300}
        if kinds.keys() >= {1, 2, 3}:
            cases.append(pytest.param(kinds, id=path.stem))
    return cases


def _frames(path: Path) -> list[dict[str, Any]]:
    frames: list[dict[str, Any]] = json.loads(path.read_text())["frames"]
    return frames


@needs_captures
@pytest.mark.parametrize("frames", _recorded())
def test_recorded_boards_are_never_told_to_leave_what_is_safe(frames: dict[int, bytes]) -> None:
    info = decode_device_info(frames[3], Generation.JK02_32S)
    its = confirmed(board_of(info.model, info.software_version), frames[2])
    settings = decode_settings(frames[1], its)
    present = numbers(settings, info)
    for each in review(settings, info, telemetry_32s(chemistry=None), its) or ():
        assert loosens_beyond_safe(each.key, each.present, each.recommended, Chemistry.LFP) is None
        assert bool(conflicts({**present, each.key: each.recommended}, frozenset({each.key}))) is bool(each.after)


def test_the_adviser_judges_again_when_something_has_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    from custom_components.jk_bms.battery import advice

    judged: list[Settings] = []

    def counted(settings: Settings, *others: Any) -> tuple[Advice, ...] | None:
        judged.append(settings)
        return review(settings, *others)

    monkeypatch.setattr(advice, "review", counted)
    adviser, its, accepted = Adviser(), board(INFO), dict[str, float]()
    assert adviser.step(None, INFO, telemetry_32s(), its, accepted) is None
    cold = replace(WELL_SET, charge_undertemperature_c=-5.0)
    for _ in range(3):
        assert [each.key for each in adviser.step(cold, INFO, telemetry_32s(), its, accepted) or ()] == [
            "charge_undertemperature_c"
        ]
    assert len(judged) == 1
    assert adviser.step(WELL_SET, INFO, telemetry_32s(), its, accepted) == ()
    assert adviser.step(WELL_SET, INFO, telemetry_32s(chemistry=Chemistry.LTO), its, accepted) is None
    assert len(judged) == 3


def test_what_the_owner_accepts_is_found_again_when_it_changes() -> None:
    adviser, its = Adviser(), board(INFO)
    accepted = {"charge_undertemperature_c": -5.0}
    cold = replace(WELL_SET, charge_undertemperature_c=-5.0)
    assert adviser.step(cold, INFO, telemetry_32s(), its, accepted) == ()
    assert len(adviser.step(cold, INFO, telemetry_32s(), its, {}) or ()) == 1
    colder = replace(cold, charge_undertemperature_c=-6.0)
    assert len(adviser.step(colder, INFO, telemetry_32s(), its, accepted) or ()) == 1
