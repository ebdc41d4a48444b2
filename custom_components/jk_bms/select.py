"""Selects: how far the guardian goes, what the ports of the board speak, what its buzzer and dry contacts tell."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, override

from homeassistant.components.select import SelectEntity, SelectEntityDescription
from homeassistant.const import EntityCategory, Platform
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .battery.acting.interface import Mode
from .bms.registers import SETTINGS_BY_KEY, Kind, Setting
from .coordinator import JkBmsConfigEntry
from .entity import (
    JkBmsEntity,
    JkBmsSettingEntity,
    PackDescription,
    SettingDescription,
    async_add_allowed,
    async_add_existing,
)
from .pack_state import PackState, said_of

PARALLEL_UPDATES = 0  # what is urgent waits for nothing; that writes keep apart is up to the link


@dataclass(frozen=True, kw_only=True)
class JkBmsSelectDescription(SettingDescription, SelectEntityDescription):
    """A choice that is made."""


@dataclass(frozen=True, kw_only=True)
class JkBmsModeDescription(PackDescription, SelectEntityDescription):
    """A choice that is kept here."""


GUARDIAN_MODE: Final = JkBmsModeDescription(
    key="guardian_mode",
    value_fn=lambda state: state.acting.mode,
    of_link=True,
    options=list(Mode),
    entity_category=EntityCategory.CONFIG,
)


def _chosen(setting: Setting) -> Callable[[PackState], str | None]:
    def value(state: PackState) -> str | None:
        said = said_of(setting, state)
        return setting.choices_on(state.device_info).get(said) if isinstance(said, int) else None

    return value


SELECTS: Final = tuple(
    JkBmsSelectDescription(key=setting.key, setting=setting, danger=setting.danger, value_fn=_chosen(setting))
    for setting in SETTINGS_BY_KEY.values()
    if setting.kind is Kind.CHOICE
)


async def async_setup_entry(
    _hass: HomeAssistant, entry: JkBmsConfigEntry, async_add_entities: AddConfigEntryEntitiesCallback
) -> None:
    """Set up the selects of a pack."""
    async_add_existing(entry, async_add_entities, [GUARDIAN_MODE], JkBmsModeSelect)
    async_add_allowed(entry, async_add_entities, Platform.SELECT, SELECTS, JkBmsSelect)


class JkBmsModeSelect(JkBmsEntity, SelectEntity):
    """How far the guardian goes by itself; it counts at once and is kept in the options."""

    entity_description: JkBmsModeDescription

    @property
    @override
    def current_option(self) -> Mode:
        """The present mode."""
        return self.coordinator.state.acting.mode

    @override
    async def async_select_option(self, option: str) -> None:
        """Go that far from now on."""
        self.coordinator.acting.set_mode(Mode(option))


class JkBmsSelect(JkBmsSettingEntity, SelectEntity):
    """A choice among what the board offers; what it does not offer, or is not known here, is shown as unknown."""

    entity_description: JkBmsSelectDescription

    @property
    @override
    def options(self) -> list[str]:
        """What the board offers."""
        return list(self.entity_description.setting.choices_on(self.coordinator.state.device_info).values())

    @property
    @override
    def current_option(self) -> str | None:
        """What was last published."""
        assert self._value is None or isinstance(self._value, str)
        return self._value

    @override
    async def async_select_option(self, option: str) -> None:
        """Make the choice."""
        await self._change_to(self.entity_description.setting.choices.index(option))
