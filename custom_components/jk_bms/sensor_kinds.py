"""Sensors by what they measure: unit, classes, digits, and how much of a change matters."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from homeassistant.components.sensor import SensorDeviceClass, SensorEntityDescription, SensorStateClass
from homeassistant.const import (
    UnitOfElectricCurrent,
    UnitOfElectricPotential,
    UnitOfPower,
    UnitOfTemperature,
)

from .entity import PackDescription, Value
from .pack_state import PackState
from .publishing import Delta

_AMPERE_HOURS: Final = "Ah"

CELL_VOLTAGE: Final = Delta(significant=0.005, dead_band=0.001)
TEMPERATURE: Final = Delta(significant=0.5, dead_band=0.2)
_CURRENT: Final = Delta(significant=1, relative=0.03, dead_band=0.1)
_POWER: Final = Delta(significant=50, relative=0.03, dead_band=5)
_CHARGE: Final = Delta(significant=1, relative=0.01, dead_band=0.1)


@dataclass(frozen=True, kw_only=True)
class JkBmsSensorDescription(PackDescription, SensorEntityDescription):
    """A sensor of the pack."""


def voltage(
    key: str, value_fn: Callable[[PackState], Value], *, delta: Delta = CELL_VOLTAGE, precision: int = 3
) -> JkBmsSensorDescription:
    """Return the description of a voltage in V."""
    return JkBmsSensorDescription(
        key=key,
        value_fn=value_fn,
        delta=delta,
        device_class=SensorDeviceClass.VOLTAGE,
        native_unit_of_measurement=UnitOfElectricPotential.VOLT,
        state_class=SensorStateClass.MEASUREMENT,
        suggested_display_precision=precision,
    )


def current(
    key: str,
    value_fn: Callable[[PackState], Value],
    *,
    exists_fn: Callable[[PackState], bool] | None = None,
    delta: Delta = _CURRENT,
    of_link: bool = False,
) -> JkBmsSensorDescription:
    """Return the description of a current in A."""
    return JkBmsSensorDescription(
        key=key,
        value_fn=value_fn,
        exists_fn=exists_fn,
        delta=delta,
        of_link=of_link,
        device_class=SensorDeviceClass.CURRENT,
        native_unit_of_measurement=UnitOfElectricCurrent.AMPERE,
        state_class=SensorStateClass.MEASUREMENT,
        suggested_display_precision=2,
    )


def power(key: str, value_fn: Callable[[PackState], Value]) -> JkBmsSensorDescription:
    """Return the description of a power in W."""
    return JkBmsSensorDescription(
        key=key,
        value_fn=value_fn,
        delta=_POWER,
        device_class=SensorDeviceClass.POWER,
        native_unit_of_measurement=UnitOfPower.WATT,
        state_class=SensorStateClass.MEASUREMENT,
        suggested_display_precision=0,
    )


def temperature(
    key: str, value_fn: Callable[[PackState], Value], *, exists_fn: Callable[[PackState], bool] | None = None
) -> JkBmsSensorDescription:
    """Return the description of a temperature in °C."""
    return JkBmsSensorDescription(
        key=key,
        value_fn=value_fn,
        exists_fn=exists_fn,
        delta=TEMPERATURE,
        device_class=SensorDeviceClass.TEMPERATURE,
        native_unit_of_measurement=UnitOfTemperature.CELSIUS,
        state_class=SensorStateClass.MEASUREMENT,
        suggested_display_precision=1,
    )


def charge(
    key: str,
    value_fn: Callable[[PackState], Value],
    *,
    state_class: SensorStateClass = SensorStateClass.MEASUREMENT,
) -> JkBmsSensorDescription:
    """Return the description of a charge in Ah."""
    return JkBmsSensorDescription(
        key=key,
        value_fn=value_fn,
        delta=_CHARGE,
        native_unit_of_measurement=_AMPERE_HOURS,
        state_class=state_class,
        suggested_display_precision=1,
    )
