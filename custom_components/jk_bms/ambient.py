"""How warm is it around a pack, by the entity that its owner chose?"""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

from homeassistant.components.climate.const import ATTR_CURRENT_TEMPERATURE
from homeassistant.components.weather.const import ATTR_WEATHER_TEMPERATURE, ATTR_WEATHER_TEMPERATURE_UNIT
from homeassistant.const import ATTR_UNIT_OF_MEASUREMENT, Platform, UnitOfTemperature
from homeassistant.core import CALLBACK_TYPE, Event, EventStateChangedData, HomeAssistant, State, callback
from homeassistant.helpers.event import async_track_state_change_event
from homeassistant.util import dt as dt_util
from homeassistant.util.unit_conversion import TemperatureConverter

STALE_AFTER: Final = timedelta(hours=4)
"""Thermometers that run on batteries report a room that stays as it is once an hour or two."""
_COLDEST_C: Final = -40.0
_WARMEST_C: Final = 60.0


class Ambient:
    """Follows one entity, so that each frame can ask."""

    def __init__(self, hass: HomeAssistant, entity_id: str) -> None:
        self._hass = hass
        self._entity_id = entity_id
        self._state: State | None = None
        self._temperature_c: float | None = None

    @callback
    def start(self) -> CALLBACK_TYPE:
        """Begin to follow; the returned function ends it."""
        self._take(self._hass.states.get(self._entity_id))
        return async_track_state_change_event(self._hass, self._entity_id, self._on_change)

    @property
    def temperature_c(self) -> float | None:
        """°C; None while the entity is missing, silent for hours, or says what no surroundings of a pack are."""
        # Home Assistant writes into the state it has when the same is reported again.
        if self._state is None or dt_util.utcnow() - self._state.last_reported > STALE_AFTER:
            return None
        return self._temperature_c

    @callback
    def _on_change(self, event: Event[EventStateChangedData]) -> None:
        self._take(event.data["new_state"])

    def _take(self, state: State | None) -> None:
        self._state = state
        self._temperature_c = None if state is None else self._read(state)

    def _read(self, state: State) -> float | None:
        said, unit = self._said(state)
        if unit not in TemperatureConverter.VALID_UNITS:
            return None
        try:
            temperature_c = TemperatureConverter.convert(float(said), unit, UnitOfTemperature.CELSIUS)
        except TypeError, ValueError:
            return None
        return temperature_c if _COLDEST_C <= temperature_c <= _WARMEST_C else None

    def _said(self, state: State) -> tuple[Any, Any]:
        """Return what the entity says, and in which unit."""
        attributes = state.attributes
        match state.domain:
            case Platform.WEATHER:
                return attributes.get(ATTR_WEATHER_TEMPERATURE), attributes.get(ATTR_WEATHER_TEMPERATURE_UNIT)
            case Platform.CLIMATE:
                return attributes.get(ATTR_CURRENT_TEMPERATURE), self._hass.config.units.temperature_unit
        return state.state, attributes.get(ATTR_UNIT_OF_MEASUREMENT)
