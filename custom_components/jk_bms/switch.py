"""The switch that lets go of the pack for a while, so that the phone app can connect."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, override

from homeassistant.components.switch import SwitchEntity, SwitchEntityDescription
from homeassistant.const import EntityCategory
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .bms.link import LinkState
from .coordinator import JkBmsConfigEntry
from .entity import JkBmsEntity, PackDescription, async_add_existing

PARALLEL_UPDATES = 1


@dataclass(frozen=True, kw_only=True)
class JkBmsSwitchDescription(PackDescription, SwitchEntityDescription):
    """A switch of the link."""


PAUSE: Final = JkBmsSwitchDescription(
    key="pause",
    value_fn=lambda state: state.link.state is LinkState.PAUSED,
    attributes_fn=lambda state: {"paused_until": state.paused_until},
    of_link=True,
    entity_category=EntityCategory.CONFIG,
)


async def async_setup_entry(
    _hass: HomeAssistant, entry: JkBmsConfigEntry, async_add_entities: AddConfigEntryEntitiesCallback
) -> None:
    """Set up the pause switch of a pack."""
    async_add_existing(entry, async_add_entities, [PAUSE], JkBmsPauseSwitch)


class JkBmsPauseSwitch(JkBmsEntity, SwitchEntity):
    """On while the link is paused; the link goes off the pause by itself when the time is over."""

    entity_description: JkBmsSwitchDescription

    @property
    @override
    def is_on(self) -> bool:
        """Whether the link is paused."""
        return bool(self._value)

    @override
    async def async_turn_on(self, **kwargs: object) -> None:
        """Let go of the pack."""
        await self.coordinator.link.pause(self.coordinator.pause_s)

    @override
    async def async_turn_off(self, **kwargs: object) -> None:
        """Connect again before the time is over."""
        self.coordinator.link.resume()
