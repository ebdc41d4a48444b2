"""Chemistries, and what is safe for them."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest

from custom_components.jk_bms.battery.chemistry import chemistry_of, loosens_beyond_safe, safe_range
from custom_components.jk_bms.bms.registers import SETTINGS_BY_KEY
from custom_components.jk_bms.bms.telemetry import Chemistry, Settings

from ..pack_values import SETTINGS_24S, SETTINGS_32S, SETTINGS_JK04, telemetry_24s, telemetry_32s, telemetry_jk04

LFP, LI_ION, LTO = Chemistry


@pytest.mark.parametrize(
    ("overvoltage_v", "chemistry"),
    [
        (4.2, LI_ION),
        (3.901, LI_ION),
        (3.9, LFP),
        (3.65, LFP),
        (3.0, LFP),
        (0, None),
        (None, None),
    ],
)
def test_chemistry_of_boards_that_do_not_tell(overvoltage_v: float | None, chemistry: Chemistry | None) -> None:
    assert chemistry_of(telemetry_24s(), replace(SETTINGS_24S, cell_overvoltage_v=overvoltage_v)) is chemistry


@pytest.mark.parametrize(
    ("cells_v", "chemistry"), [((2.4, 2.41), LTO), ((2.4, None, 2.999), LTO), ((2.9, 3.0), None), ((), None)]
)
def test_lto_has_cells_like_lto(cells_v: tuple[float | None, ...], chemistry: Chemistry | None) -> None:
    """An over-voltage protection far too low must not let the others be set as for LTO, such as charging at -30 °C."""
    settings = replace(SETTINGS_24S, cell_overvoltage_v=2.999)
    assert chemistry_of(telemetry_24s(cell_voltages_v=cells_v), settings) is chemistry


@pytest.mark.parametrize(
    ("cells_v", "chemistry"), [((3.4, 3.7), LFP), ((3.4, 3.701), None), ((3.9, 3.95), None), ((), LFP)]
)
def test_lfp_has_no_cells_like_li_ion(cells_v: tuple[float | None, ...], chemistry: Chemistry | None) -> None:
    """Li-ion cells may be charged with care; what is safe for LFP would let them be discharged too far."""
    settings = replace(SETTINGS_24S, cell_overvoltage_v=3.9)
    assert chemistry_of(telemetry_24s(cell_voltages_v=cells_v), settings) is chemistry


def test_chemistry_that_is_told_counts_more() -> None:
    assert chemistry_of(telemetry_32s(chemistry=LTO), SETTINGS_32S) is LTO
    assert chemistry_of(telemetry_32s(chemistry=LTO), None) is LTO


def test_chemistry_that_nothing_tells() -> None:
    assert chemistry_of(telemetry_24s(), None) is None
    assert chemistry_of(telemetry_jk04(), SETTINGS_JK04) is None


@pytest.mark.parametrize(
    ("key", "chemistry", "bounds"),
    [
        ("cell_overvoltage_v", LFP, (None, 3.65)),
        ("cell_overvoltage_recovery_v", LI_ION, (None, 4.2)),
        ("soc_100_cell_voltage_v", LTO, (None, 2.8)),
        ("requested_charge_voltage_v", LFP, (None, 3.65)),
        ("requested_float_voltage_v", LFP, (None, 3.65)),
        ("cell_undervoltage_v", LFP, (2.5, None)),
        ("cell_undervoltage_v", LI_ION, (2.8, None)),
        ("cell_undervoltage_recovery_v", LTO, (1.5, None)),
        ("power_off_voltage_v", LFP, (2.0, None)),
        ("charge_overtemperature_c", LTO, (None, 60)),
        ("discharge_overtemperature_recovery_c", LFP, (None, 60)),
        ("charge_undertemperature_c", LFP, (0, None)),
        ("charge_undertemperature_c", LTO, (-30, None)),
        ("discharge_undertemperature_c", LI_ION, (-20, None)),
        ("mos_overtemperature_c", LFP, (None, 100)),
        ("charge_overcurrent_delay_s", LFP, (None, 30)),
        ("discharge_overcurrent_delay_s", LFP, (None, 300)),
        ("short_circuit_delay_us", LFP, (None, 1500)),
        ("temperature_sensors_disabled", LI_ION, (None, 0)),
        ("heating_stop_temperature_c", LFP, (None, 60)),
        ("balance_start_voltage_v", LFP, (None, None)),
        ("nonsense", LFP, (None, None)),
    ],
)
def test_safe_ranges(key: str, chemistry: Chemistry, bounds: tuple[float | None, float | None]) -> None:
    assert safe_range(key, chemistry) == bounds


@pytest.mark.parametrize("key", [*(field.name for field in fields(Settings)), *SETTINGS_BY_KEY])
def test_what_is_safe_for_unknown_cells_is_safe_for_all(key: str) -> None:
    lowest, highest = safe_range(key, None)
    for chemistry in Chemistry:
        known_lowest, known_highest = safe_range(key, chemistry)
        assert (lowest is None, highest is None) == (known_lowest is None, known_highest is None)
        assert lowest is None or known_lowest is None or lowest >= known_lowest
        assert highest is None or known_highest is None or highest <= known_highest
    limits = [safe_range(key, chemistry) for chemistry in Chemistry]
    assert lowest in {limit[0] for limit in limits}
    assert highest in {limit[1] for limit in limits}, "no stricter than the strictest"


def test_every_protection_is_a_setting_that_can_be_written() -> None:
    from custom_components.jk_bms.battery.chemistry import _SAFE

    for protections in _SAFE.values():
        assert protections.keys() <= SETTINGS_BY_KEY.keys()


@pytest.mark.parametrize(
    ("key", "present", "wanted", "limit"),
    [
        ("cell_overvoltage_v", 3.6, 3.65, None),
        ("cell_overvoltage_v", 3.6, 3.651, 3.65),
        ("cell_overvoltage_v", 3.8, 3.7, None),
        ("cell_overvoltage_v", 3.8, 3.8, None),
        ("cell_overvoltage_v", 3.8, 3.81, 3.65),
        ("cell_overvoltage_v", None, 3.7, 3.65),
        ("cell_undervoltage_v", 2.6, 2.5, None),
        ("cell_undervoltage_v", 2.6, 2.499, 2.5),
        ("cell_undervoltage_v", 2.0, 2.4, None),
        ("cell_undervoltage_v", 2.0, 1.9, 2.5),
        ("cell_undervoltage_v", None, 2.4, 2.5),
        ("charge_undertemperature_c", 2, -1, 0),
        ("charge_undertemperature_c", -20, -10, None),
        ("temperature_sensors_disabled", False, True, 0),
        ("temperature_sensors_disabled", True, False, None),
        ("balance_start_voltage_v", 3.42, 1.2, None),
    ],
)
def test_only_what_loosens_beyond_what_is_safe_is_told(
    key: str, present: float | None, wanted: float, limit: float | None
) -> None:
    told = loosens_beyond_safe(key, present, wanted, LFP)
    assert told == limit
    assert (told is None) is (limit is None)
