"""How a setting is shown whose name ends in its unit: as a sensor that says it, and as a number that changes it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from homeassistant.components.number.const import NumberDeviceClass
from homeassistant.components.sensor.const import SensorDeviceClass
from homeassistant.const import (
    UnitOfElectricCurrent,
    UnitOfElectricPotential,
    UnitOfRatio,
    UnitOfTemperature,
    UnitOfTime,
)


@dataclass(frozen=True, slots=True)
class Quantity:
    """A unit, what Home Assistant takes it for, and the decimals that a sensor shows."""

    unit: str
    sensor_class: SensorDeviceClass | None = None
    number_class: NumberDeviceClass | None = None
    precision: int | None = None


def _duration(unit: UnitOfTime) -> Quantity:
    return Quantity(unit, SensorDeviceClass.DURATION, NumberDeviceClass.DURATION)


QUANTITIES: Final[Mapping[str, Quantity]] = {
    "v": Quantity(UnitOfElectricPotential.VOLT, SensorDeviceClass.VOLTAGE, NumberDeviceClass.VOLTAGE, 3),
    "a": Quantity(UnitOfElectricCurrent.AMPERE, SensorDeviceClass.CURRENT, NumberDeviceClass.CURRENT, 1),
    "c": Quantity(UnitOfTemperature.CELSIUS, SensorDeviceClass.TEMPERATURE, NumberDeviceClass.TEMPERATURE, 1),
    "us": _duration(UnitOfTime.MICROSECONDS),
    "s": _duration(UnitOfTime.SECONDS),
    "min": _duration(UnitOfTime.MINUTES),
    "h": _duration(UnitOfTime.HOURS),
    "pct": Quantity(UnitOfRatio.PERCENTAGE),
}
"""By the end of the setting's name."""
