"""How are thresholds grouped, measured and named where the owner sees them?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from homeassistant.const import UnitOfElectricCurrent, UnitOfElectricPotential, UnitOfTemperature, UnitOfTime
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.translation import async_get_cached_translations

from .battery.hazards import FAMILIES, Family, Kind
from .battery.thermal.chosen import KEYS as HEAT_KEYS
from .battery.thresholds import RELEASE, Problem
from .const import DOMAIN

HEAT: Final = "heat"
_UNITS: Final[Mapping[Family, str]] = {
    Family.CELL_VOLTAGE: UnitOfElectricPotential.VOLT,
    Family.PACK_VOLTAGE: UnitOfElectricPotential.VOLT,
    Family.SPREAD: UnitOfElectricPotential.VOLT,
    Family.TEMPERATURE: UnitOfTemperature.CELSIUS,
    Family.CURRENT: UnitOfElectricCurrent.AMPERE,
    Family.DATA: UnitOfTime.SECONDS,
}


def group_of(key: str) -> str:
    """Return what a threshold belongs to: heat, or a family of hazards."""
    return HEAT if key in HEAT_KEYS else FAMILIES[_kind_of(key)].value


def unit_of(key: str) -> str | None:
    """Return the unit of a threshold; None for a share."""
    if key in HEAT_KEYS:
        return UnitOfTemperature.CELSIUS
    kind, releases = _kind_of(key), key.endswith(RELEASE)
    family = FAMILIES[kind]
    if family is Family.SPREAD and releases:
        return None
    if kind is Kind.PROBE_SPREAD or (family is Family.TEMPERATURE and releases):
        return UnitOfTemperature.KELVIN
    return _UNITS[family]


def in_words(key: str, value: float) -> str:
    """Return a number with its unit."""
    unit = unit_of(key)
    return f"{value:g} {unit}" if unit else f"{value:g}"


def range_in_words(key: str, accepted: tuple[float, float]) -> str:
    """Return between what a number may be."""
    lowest, highest = accepted
    return f"{lowest:g} … {in_words(key, highest)}"


@callback
def problems_in_words(hass: HomeAssistant, problems: Iterable[Problem]) -> str:
    """Return each threshold that can't be gone by, with what it is and might be, in the language of Home Assistant."""
    texts = async_get_cached_translations(hass, hass.config.language, "options", DOMAIN)
    step = f"component.{DOMAIN}.options.step.thresholds.sections"
    return "; ".join(
        f"{texts[f'{step}.{group_of(problem.key)}.data.{problem.key}']}: {in_words(problem.key, problem.value)} "
        f"({range_in_words(problem.key, (problem.lowest, problem.highest))})"
        for problem in problems
    )


def _kind_of(key: str) -> Kind:
    return Kind(key.rpartition("_")[0])
