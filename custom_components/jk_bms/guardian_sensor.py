"""Sensors of the guardian: how bad it is and why, where the temperatures are going, and what was done about it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from operator import attrgetter
from typing import Final

from homeassistant.components.sensor import SensorDeviceClass, SensorStateClass
from homeassistant.const import UnitOfElectricCurrent, UnitOfTemperature, UnitOfTime

from .action_event import told
from .battery.acting.interface import Action
from .battery.guardian import RAISED_BY, SHOWN_C, GuardianLevel
from .battery.thermal.interface import Cause, Crossing, ThermalLevel
from .pack_state import PackState, described, has_probe
from .publishing import Delta
from .sensor_kinds import TEMPERATURE, JkBmsSensorDescription, current, temperature

_DEGREES_PER_MINUTE: Final = "°C/min"

_HEATING: Final = Delta(significant=0.2, dead_band=0.02)
_HOLD_CURRENT: Final = Delta(significant=20, relative=0.1, dead_band=1)
_MINUTES_TO_GO: Final = Delta(significant=5, relative=0.2)

_NO_CAUSE: Final = "none"


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)


def _guardian_attributes(state: PackState) -> dict[str, object]:
    assessment = state.assessment
    worst = assessment.findings[0] if assessment.findings else None
    return {
        "cause": worst.cause if worst else None,
        RAISED_BY: worst.placeholders.get(RAISED_BY) if worst else None,
        "causes": described(assessment.findings, state.zero_at),
        "unacknowledged": list(assessment.unacknowledged),
    }


def _thermal_level(state: PackState) -> str | None:
    level = state.assessment.thermal.level
    return None if level is None else level.name.lower()


def _thermal_cause(state: PackState) -> str | None:
    thermal = state.assessment.thermal
    if thermal.level is None:
        return None
    return thermal.causes[0].cause if thermal.causes else _NO_CAUSE


def _crossing(threshold_c: float, state: PackState) -> Crossing | None:
    crossings = state.assessment.thermal.crossings
    return next((crossing for crossing in crossings if crossing.threshold_c == threshold_c), None)


def _time_to(threshold_c: float) -> JkBmsSensorDescription:
    """When the first probe gets there; the attributes say between when and when that is to be expected."""

    def value(state: PackState) -> float | None:
        crossing = _crossing(threshold_c, state)
        return None if crossing is None else _rounded(crossing.expected_min, 0)

    def attributes(state: PackState) -> dict[str, object]:
        crossing = _crossing(threshold_c, state)
        return {
            "earliest": None if crossing is None else _rounded(crossing.earliest_min, 0),
            "latest": None if crossing is None else _rounded(crossing.latest_min, 0),
        }

    return JkBmsSensorDescription(
        key=f"time_to_{threshold_c:.0f}_c",
        value_fn=value,
        exists_fn=has_probe,
        attributes_fn=attributes,
        attributes_in_turn=True,
        delta=_MINUTES_TO_GO,
        device_class=SensorDeviceClass.DURATION,
        native_unit_of_measurement=UnitOfTime.MINUTES,
        suggested_display_precision=0,
        entity_registry_enabled_default=threshold_c in (SHOWN_C[0], SHOWN_C[-1]),
    )


def _heating_rate(key: str, value_fn: Callable[[PackState], float | None], *, on: bool) -> JkBmsSensorDescription:
    return JkBmsSensorDescription(
        key=key,
        value_fn=lambda state: _rounded(value_fn(state), 2),
        exists_fn=has_probe,
        delta=_HEATING,
        native_unit_of_measurement=_DEGREES_PER_MINUTE,
        state_class=SensorStateClass.MEASUREMENT,
        suggested_display_precision=2,
        entity_registry_enabled_default=on,
    )


def _limits(state: PackState) -> bool:
    config = state.acting.config
    return config.reduce_level is not None or (config.keep_supplied and config.stop_discharge is not None)


def _last_action(state: PackState) -> dict[str, object]:
    """Return what there is to say of the last action; as in the event, with what became of it."""
    last = state.acting.decision.last
    return {
        "result": told(last) if last else None,
        "cause": last.cause if last else None,
        "target": last.target if last else None,
        "detail": last.detail or None if last else None,
        "at": state.acting.last_at,
        "mode": state.acting.mode,
    }


_SENSORS: Final = (
    JkBmsSensorDescription(
        key="guardian_level",
        value_fn=lambda state: state.assessment.level.name.lower(),
        attributes_fn=_guardian_attributes,
        attributes_in_turn=True,
        prompt_attribute="cause",
        of_link=True,
        device_class=SensorDeviceClass.ENUM,
        options=[level.name.lower() for level in GuardianLevel],
    ),
    JkBmsSensorDescription(
        key="thermal_level",
        value_fn=_thermal_level,
        exists_fn=has_probe,
        of_link=True,
        device_class=SensorDeviceClass.ENUM,
        options=[level.name.lower() for level in ThermalLevel],
    ),
    JkBmsSensorDescription(
        key="thermal_cause",
        value_fn=_thermal_cause,
        exists_fn=has_probe,
        of_link=True,
        device_class=SensorDeviceClass.ENUM,
        options=[_NO_CAUSE, *Cause],
    ),
    *(_time_to(threshold_c) for threshold_c in SHOWN_C),
    temperature(
        "predicted_temperature",
        lambda state: _rounded(state.assessment.thermal.predicted_c, 1),
        exists_fn=has_probe,
    ),
    _heating_rate("heating_rate", attrgetter("assessment.thermal.heating_c_min"), on=True),
    _heating_rate("unexplained_heating", attrgetter("assessment.thermal.unexplained_c_min"), on=False),
    JkBmsSensorDescription(
        key="probe_difference",
        value_fn=lambda state: _rounded(state.assessment.thermal.difference_c, 1),
        exists_fn=has_probe,
        delta=TEMPERATURE,
        device_class=SensorDeviceClass.TEMPERATURE_DELTA,
        native_unit_of_measurement=UnitOfTemperature.CELSIUS,
        state_class=SensorStateClass.MEASUREMENT,
        suggested_display_precision=1,
        entity_registry_enabled_default=False,
    ),
    JkBmsSensorDescription(
        key="hold_current",
        value_fn=lambda state: _rounded(state.assessment.thermal.hold_current_a, 0),
        exists_fn=lambda state: has_probe(state) and state.telemetry.current_a is not None,
        delta=_HOLD_CURRENT,
        device_class=SensorDeviceClass.CURRENT,
        native_unit_of_measurement=UnitOfElectricCurrent.AMPERE,
        state_class=SensorStateClass.MEASUREMENT,
        suggested_display_precision=0,
        entity_registry_enabled_default=False,
    ),
    current(
        "heat_current_limit",
        lambda state: _rounded(state.acting.decision.limit_a, 1),
        exists_fn=_limits,
        of_link=True,
    ),
    JkBmsSensorDescription(
        key="last_action",
        value_fn=lambda state: None if (last := state.acting.decision.last) is None else last.action,
        exists_fn=lambda _: True,
        attributes_fn=_last_action,
        of_link=True,
        device_class=SensorDeviceClass.ENUM,
        options=list(Action),
    ),
)

GUARDIAN_SENSORS: Final = tuple(replace(description, of_guardian=True) for description in _SENSORS)
