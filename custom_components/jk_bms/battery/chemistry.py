"""Which chemistry are the cells of, and how far may a protection be loosened for it?

The limits are the outermost that are still safe; advice is stricter. LFP: what the cells' data sheets give (EVE LF280K:
3.65 V; 2.50 V, in the cold 2.00 V; charging from 0 to 60 °C, discharging from -20 to 60 °C). Li-ion: 4.20 V, and most
data sheets of 18650 cells end a discharge at 2.75 V ± 0.05 V, none below 2.50 V. LTO: 2.80 V, 1.50 V, and -30 °C both
ways (Toshiba SCiB); 1.20 V is the lowest that a board takes. Delays and the temperature of the MOSFETs have nothing to
do with the cells: those are what JK's boards leave the factory with.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from ..bms.telemetry import Chemistry, Settings, Telemetry

LI_ION_ABOVE_V: Final = 3.9
"""A cell over-voltage protection above this is one of Li-ion cells: LFP ends at 3.65 V, Li-ion at 4.1 V or more."""
LFP_BELOW_V: Final = 3.7
"""LFP cells are full at 3.65 V; one that is higher may be a Li-ion cell that is charged with care."""
LTO_BELOW_V: Final = 3.0
"""A cell over-voltage protection below this is one of LTO cells: an LFP cell would never be charged.

But only with all cells below this as well: else somebody has tightened it beyond all reason, and may not loosen others.
"""


@dataclass(frozen=True, slots=True)
class _Limits:
    """What is safe for the cells of a chemistry."""

    highest_cell_v: float
    lowest_cell_v: float
    lowest_power_off_v: float
    coldest_charge_c: float
    coldest_discharge_c: float


_LIMITS: Final = {
    Chemistry.LFP: _Limits(3.65, 2.50, 2.00, 0, -20),
    Chemistry.LI_ION: _Limits(4.20, 2.80, 2.50, 0, -20),
    Chemistry.LTO: _Limits(2.80, 1.50, 1.20, -30, -30),
}
_SAFE_FOR_ALL: Final = _Limits(2.80, 2.80, 2.50, 0, -20)

_HIGHEST: Final = {
    "charge_overtemperature_c": 60.0,
    "charge_overtemperature_recovery_c": 60.0,
    "discharge_overtemperature_c": 60.0,
    "discharge_overtemperature_recovery_c": 60.0,
    "heating_start_temperature_c": 60.0,
    "heating_stop_temperature_c": 60.0,
    "mos_overtemperature_c": 100.0,
    "mos_overtemperature_recovery_c": 100.0,
    "charge_overcurrent_delay_s": 30.0,
    "discharge_overcurrent_delay_s": 300.0,
    "short_circuit_delay_us": 1500.0,
    "temperature_sensors_disabled": 0.0,
}
"""The same for all chemistries; the control bit at the end switches all protections by temperature off."""


def _safe_ranges(limits: _Limits) -> dict[str, tuple[float | None, float | None]]:
    highest = _HIGHEST | dict.fromkeys(
        (
            "cell_overvoltage_v",
            "cell_overvoltage_recovery_v",
            "soc_100_cell_voltage_v",
            "requested_charge_voltage_v",
            "requested_float_voltage_v",
        ),
        limits.highest_cell_v,
    )
    lowest = {
        "cell_undervoltage_v": limits.lowest_cell_v,
        "cell_undervoltage_recovery_v": limits.lowest_cell_v,
        "power_off_voltage_v": limits.lowest_power_off_v,
        "charge_undertemperature_c": limits.coldest_charge_c,
        "charge_undertemperature_recovery_c": limits.coldest_charge_c,
        "discharge_undertemperature_c": limits.coldest_discharge_c,
        "discharge_undertemperature_recovery_c": limits.coldest_discharge_c,
    }
    return {key: (None, limit) for key, limit in highest.items()} | {
        key: (limit, None) for key, limit in lowest.items()
    }


_SAFE: Final[Mapping[Chemistry | None, Mapping[str, tuple[float | None, float | None]]]] = {
    chemistry: _safe_ranges(limits) for chemistry, limits in (*_LIMITS.items(), (None, _SAFE_FOR_ALL))
}


def chemistry_of(telemetry: Telemetry, settings: Settings | None) -> Chemistry | None:
    """Return what the board says its cells are; else what its cell over-voltage protection fits; None without one."""
    if telemetry.chemistry is not None:
        return telemetry.chemistry
    overvoltage_v = None if settings is None else settings.cell_overvoltage_v
    if not overvoltage_v:
        return None
    if overvoltage_v > LI_ION_ABOVE_V:
        return Chemistry.LI_ION
    highest_cell_v = telemetry.highest_cell_voltage_v
    if overvoltage_v >= LTO_BELOW_V:
        return Chemistry.LFP if highest_cell_v is None or highest_cell_v <= LFP_BELOW_V else None
    return Chemistry.LTO if highest_cell_v is not None and highest_cell_v < LTO_BELOW_V else None


def safe_range(key: str, chemistry: Chemistry | None) -> tuple[float | None, float | None]:
    """Return the lowest and the highest safe value of a setting, in its own unit; None for an end that is open.

    For an unknown chemistry it is what is safe for all.
    """
    return _SAFE[chemistry].get(key, (None, None))


def loosens_beyond_safe(key: str, present: float | None, wanted: float, chemistry: Chemistry | None) -> float | None:
    """Return the safe limit that a change goes beyond; None for one that is safe or no looser than what is set.

    The limit may well be 0. `present` is None where nothing is known of it.
    """
    lowest, highest = safe_range(key, chemistry)
    if highest is not None and wanted > highest and (present is None or wanted > present):
        return highest
    if lowest is not None and wanted < lowest and (present is None or wanted < present):
        return lowest
    return None
