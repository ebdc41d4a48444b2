"""Numbers: every limit, delay and threshold of the board that has a value of its own to be set to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final, override

from homeassistant.components.number import NumberEntity, NumberEntityDescription
from homeassistant.components.number.const import NumberMode
from homeassistant.const import Platform
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .battery.chemistry import chemistry_of, safe_range
from .bms.layout import FrameType
from .bms.registers import SETTINGS_BY_KEY, Danger, Kind, Register, Setting
from .coordinator import JkBmsConfigEntry
from .entity import JkBmsSettingEntity, SettingDescription, Value, async_add_allowed
from .pack_state import PackState, register_of, said_of
from .quantities import QUANTITIES

PARALLEL_UPDATES = 0  # what is urgent waits for nothing; that writes keep apart is up to the link


@dataclass(frozen=True, kw_only=True)
class JkBmsNumberDescription(SettingDescription, NumberEntityDescription):
    """A number that is set."""


def _said(setting: Setting) -> Callable[[PackState], Value]:
    def value(state: PackState) -> Value:
        said = said_of(setting, state)
        return round(said, 4) if isinstance(said, float) else said

    return value


def _number(setting: Setting) -> JkBmsNumberDescription:
    quantity = QUANTITIES[setting.key.rpartition("_")[2]]
    return JkBmsNumberDescription(
        key=setting.key,
        setting=setting,
        danger=setting.danger,
        value_fn=_said(setting),
        device_class=quantity.number_class,
        native_unit_of_measurement=quantity.unit,
        native_step=setting.step,
        mode=NumberMode.BOX,
    )


NUMBERS: Final = tuple(
    _number(setting)
    for setting in SETTINGS_BY_KEY.values()
    if setting.kind is Kind.NUMBER
    and setting.danger is not Danger.DANGEROUS
    and setting.said_in is not FrameType.CELL_INFO  # the clock goes on by itself
)


async def async_setup_entry(
    _hass: HomeAssistant, entry: JkBmsConfigEntry, async_add_entities: AddConfigEntryEntitiesCallback
) -> None:
    """Set up the numbers of a pack."""
    async_add_allowed(entry, async_add_entities, Platform.NUMBER, NUMBERS, JkBmsNumber)


def _sensible(setting: Setting, register: Register, state: PackState) -> tuple[float, float]:
    """Return what the board takes and what is safe for its cells, as far as it isn't set to more already."""
    lowest, highest = safe_range(setting.key, chemistry_of(state.telemetry, state.settings))
    said = said_of(setting, state)
    assert isinstance(said, int | float)
    return (
        register.lowest if lowest is None else max(min(lowest, said), register.lowest),
        register.highest if highest is None else min(max(highest, said), register.highest),
    )


class JkBmsNumber(JkBmsSettingEntity, NumberEntity):
    """A number between what the board takes and what is safe; what is set to more than that can only be tightened."""

    entity_description: JkBmsNumberDescription

    @property
    @override
    def native_value(self) -> float | None:
        """What was last published."""
        assert not isinstance(self._value, str | datetime)
        return self._value

    @override
    async def async_set_native_value(self, value: float) -> None:
        """Set the number."""
        await self._change_to(value)

    @override
    def _take_news(self, *, in_turn: bool) -> bool:
        news = super()._take_news(in_turn=in_turn)
        setting, state = self.entity_description.setting, self.coordinator.state
        register = register_of(setting, state) if news or in_turn else None
        if register is None:
            return news
        bounds = _sensible(setting, register, state)
        if bounds == (self.native_min_value, self.native_max_value):
            return news
        self._attr_native_min_value, self._attr_native_max_value = bounds
        return True
