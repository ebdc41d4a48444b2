"""What all entities share: the device, when they are available, and when they publish."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import override

from homeassistant.const import EntityCategory, Platform
from homeassistant.core import callback
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers.device_registry import CONNECTION_BLUETOOTH, DeviceInfo
from homeassistant.helpers.entity import Entity, EntityDescription
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback
from homeassistant.helpers.update_coordinator import CoordinatorEntity

from .battery.acting.interface import Mode
from .bms.registers import Danger, Setting, SettingValue
from .const import DOMAIN, MANUFACTURER
from .coordinator import JkBmsConfigEntry, JkBmsCoordinator
from .pack_state import PackState, register_of
from .publishing import Delta

type Value = str | float | datetime | None


@dataclass(frozen=True, kw_only=True)
class PackDescription(EntityDescription):
    """What an entity shows of the pack."""

    value_fn: Callable[[PackState], Value]
    exists_fn: Callable[[PackState], bool] | None = None
    """Whether the device has it; unless told otherwise, as soon as there is a value."""
    attributes_fn: Callable[[PackState], Mapping[str, object]] | None = None
    attributes_in_turn: bool = False
    """Whether attributes alone are no news ahead of their turn, such as a countdown."""
    prompt_attribute: str | None = None
    """The one that is news at once all the same, such as a cause."""
    delta: Delta | None = None
    """How much of a change is news; None where every change is."""
    of_link: bool = False
    """Whether it is about the link, and therefore available without fresh data."""
    of_guardian: bool = False
    """Whether there is nothing to show while the guardian is switched off."""

    def exists(self, state: PackState) -> bool:
        """Return whether the device has what the entity shows."""
        return self.value_fn(state) is not None if self.exists_fn is None else self.exists_fn(state)


@dataclass(frozen=True, kw_only=True)
class ChangeDescription(PackDescription):
    """What an entity changes in the pack."""

    danger: Danger
    entity_category: EntityCategory | None = EntityCategory.CONFIG
    entity_registry_enabled_default: bool = False


@dataclass(frozen=True, kw_only=True)
class SettingDescription(ChangeDescription):
    """A setting of the pack that an entity shows and changes."""

    setting: Setting

    @override
    def exists(self, state: PackState) -> bool:
        """Return whether the board has the setting."""
        return register_of(self.setting, state) is not None


@callback
def async_add_existing[DescriptionT: PackDescription](
    entry: JkBmsConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
    descriptions: Iterable[DescriptionT],
    create: Callable[[JkBmsCoordinator, DescriptionT], Entity],
) -> None:
    """Add the entities that the device has, and each of the others as soon as it turns out to have it."""
    coordinator = entry.runtime_data
    missing = list(descriptions)

    @callback
    def add() -> None:
        state = coordinator.state
        found = [description for description in missing if description.exists(state)]
        for description in found:
            missing.remove(description)
        if found:
            async_add_entities([create(coordinator, description) for description in found])

    add()
    entry.async_on_unload(coordinator.async_add_listener(add))


@callback
def async_add_allowed[DescriptionT: ChangeDescription](
    entry: JkBmsConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
    platform: Platform,
    descriptions: Iterable[DescriptionT],
    create: Callable[[JkBmsCoordinator, DescriptionT], Entity],
) -> None:
    """Add the entities whose changes the owner allows, and those from when he did: they go on showing the value."""
    coordinator = entry.runtime_data
    registry = er.async_get(coordinator.hass)
    wanted = (
        description
        for description in descriptions
        if coordinator.changes.approval.allows(description.danger)
        or registry.async_get_entity_id(platform, DOMAIN, unique_id(coordinator, description))
    )
    async_add_existing(entry, async_add_entities, wanted, create)


def unique_id(coordinator: JkBmsCoordinator, description: PackDescription) -> str:
    """Return what tells an entity of a pack from all others of its platform."""
    return f"{coordinator.address}_{description.key}"


class JkBmsEntity(CoordinatorEntity[JkBmsCoordinator]):
    """Shows one value of the pack, as it was last published."""

    _attr_has_entity_name = True
    entity_description: PackDescription

    def __init__(self, coordinator: JkBmsCoordinator, description: PackDescription) -> None:
        super().__init__(coordinator)
        self.entity_description = description
        self._attr_unique_id = unique_id(coordinator, description)
        self._attr_translation_key = description.translation_key or description.key
        info = coordinator.state.device_info
        self._attr_device_info = DeviceInfo(
            connections={(CONNECTION_BLUETOOTH, coordinator.address)},
            name=coordinator.config_entry.title,
            manufacturer=MANUFACTURER,
            model=info.model,
            hw_version=info.hardware_version,
            sw_version=info.software_version,
            serial_number=info.serial_number or None,
        )
        self._value: Value = None
        self._attributes: Mapping[str, object] | None = None
        self._available = False
        self._take_news(in_turn=True)

    @property
    @override
    def available(self) -> bool:
        """Whether the value is young enough to be shown."""
        return self._available

    @property
    @override
    def extra_state_attributes(self) -> Mapping[str, object] | None:
        """The attributes of the description, if it has any."""
        return self._attributes

    @override
    async def async_added_to_hass(self) -> None:
        """Take the state as it is now; there may have been frames since the entity was made."""
        await super().async_added_to_hass()
        self._take_news(in_turn=True)

    @callback
    @override
    def _handle_coordinator_update(self) -> None:
        if self._take_news(in_turn=self.coordinator.in_turn):
            self.async_write_ha_state()

    def _take_news(self, *, in_turn: bool) -> bool:
        """Take over what is to be published; return whether there is any. Runs twice a second for every entity."""
        state, description = self.coordinator.data, self.entity_description
        value = description.value_fn(state)
        attributes = None if description.attributes_fn is None else description.attributes_fn(state)
        available = (state.fresh or description.of_link) and not (
            description.of_guardian and state.acting.mode is Mode.OFF
        )
        prompt = description.prompt_attribute
        waits = (
            description.attributes_in_turn
            and not in_turn
            and (prompt is None or (attributes or {}).get(prompt) == (self._attributes or {}).get(prompt))
        )
        if available is self._available and (waits or attributes == self._attributes):
            published = self._value
            if value == published:
                return False
            delta = description.delta
            if (
                delta is not None
                and isinstance(value, int | float)
                and isinstance(published, int | float)
                and not delta.is_news(published, value, in_turn=in_turn)
            ):
                return False
        self._value, self._attributes, self._available = value, attributes, available
        return True


class JkBmsSettingEntity(JkBmsEntity):
    """Shows a setting as the board last said it, and changes it."""

    entity_description: SettingDescription

    async def _change_to(self, value: SettingValue) -> None:
        """Write the setting and read it back. Raises HomeAssistantError; what is shown is then as before."""
        key = self.entity_description.setting.key
        await self.coordinator.changes.async_apply({key: value}, context=self._context)
