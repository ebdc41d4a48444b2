"""How is an entity of Home Assistant switched on and off, and what does it say of itself?

| entity | on | off | is on |
|---|---|---|---|
| fan, switch, humidifier, input_boolean | turned on | turned off | as it says |
| climate | cools, or moves air if it can't cool | as it was before, else off | unless it is off or heats |
| script | run | stopped if it still runs | as it was last asked for; it has no state that says so |

An air conditioner that is merely turned on may heat: that is only done where it has neither of the two modes.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from homeassistant.components.climate.const import (
    ATTR_HVAC_MODE,
    ATTR_HVAC_MODES,
    SERVICE_SET_HVAC_MODE,
    HVACMode,
)
from homeassistant.const import (
    ATTR_ENTITY_ID,
    SERVICE_TURN_OFF,
    SERVICE_TURN_ON,
    STATE_ON,
    STATE_UNAVAILABLE,
    STATE_UNKNOWN,
    Platform,
)
from homeassistant.core import HomeAssistant, State, split_entity_id
from homeassistant.exceptions import HomeAssistantError

from .const import DOMAIN

_SCRIPT: Final = "script"
_LAST_TRIGGERED: Final = "last_triggered"
_COOLING_MODES: Final = (HVACMode.COOL, HVACMode.FAN_ONLY)
_NOT_COOLING: Final = (HVACMode.OFF, HVACMode.HEAT)


class Driven:
    """One entity that is driven. `usual` is what it is taken for while it doesn't say."""

    def __init__(self, hass: HomeAssistant, entity_id: str, *, usual: bool) -> None:
        self._hass = hass
        self._usual = usual
        self._domain = split_entity_id(entity_id)[0]
        self.entity_id: Final = entity_id
        self.asked = usual
        """What a script was last asked for."""
        self.former_mode: str | None = None
        """What an air conditioner was set to before it was to cool."""

    @property
    def is_on(self) -> bool | None:
        """Whether it is on; None while it isn't there."""
        state = self._hass.states.get(self.entity_id)
        if state is None or state.state == STATE_UNAVAILABLE:
            return None
        if self._domain == _SCRIPT:
            return self.asked
        if state.state == STATE_UNKNOWN:
            return self._usual
        if self._domain == Platform.CLIMATE:
            return state.state not in _NOT_COOLING
        return state.state == STATE_ON

    def take_note(self) -> None:
        """Remember what it is set to, for that is to return."""
        if self._domain == Platform.CLIMATE and (state := self._hass.states.get(self.entity_id)):
            self.former_mode = state.state

    async def async_drive(self, *, on: bool) -> None:
        """Switch it. Raises HomeAssistantError, and whatever its integration raises."""
        state = self._hass.states.get(self.entity_id)
        if state is None or state.state == STATE_UNAVAILABLE:
            raise self._error("driven_unavailable")
        if self._domain == _SCRIPT:
            await self._run(state, on=on)
        elif self._domain == Platform.CLIMATE and (mode := self._mode(state, on=on)) is not None:
            await self._call(SERVICE_SET_HVAC_MODE, **{ATTR_HVAC_MODE: mode})
        else:
            await self._call(SERVICE_TURN_ON if on else SERVICE_TURN_OFF)
        if not on:
            self.former_mode = None

    def _mode(self, state: State, *, on: bool) -> str | None:
        """Return the mode that an air conditioner is to be set to; None if it knows none that would do."""
        known = state.attributes.get(ATTR_HVAC_MODES) or ()
        if on:
            self.take_note()
            return next((mode for mode in _COOLING_MODES if mode in known), None)
        return next((mode for mode in (self.former_mode, HVACMode.OFF) if mode in known), None)

    async def _run(self, state: State, *, on: bool) -> None:
        before = _last_run(state)
        if on or state.state == STATE_ON:
            await self._call(SERVICE_TURN_ON if on else SERVICE_TURN_OFF)
        after = self._hass.states.get(self.entity_id)
        if on and (after is None or _last_run(after) == before):
            raise self._error("script_not_run")
        self.asked = on

    async def _call(self, service: str, **data: str) -> None:
        await self._hass.services.async_call(
            self._domain, service, {ATTR_ENTITY_ID: self.entity_id, **data}, blocking=True
        )

    def _error(self, translation_key: str) -> HomeAssistantError:
        return HomeAssistantError(
            translation_domain=DOMAIN,
            translation_key=translation_key,
            translation_placeholders={"entity": self.entity_id},
        )


def _last_run(state: State) -> datetime | None:
    last: datetime | None = state.attributes.get(_LAST_TRIGGERED)
    return last
