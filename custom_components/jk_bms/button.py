"""The button that reads device information and settings again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, override

from homeassistant.components.button import ButtonEntity, ButtonEntityDescription
from homeassistant.const import EntityCategory
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback
from homeassistant.util import dt as dt_util

from .bms.link import LinkError, PausedError
from .const import DOMAIN
from .coordinator import JkBmsConfigEntry
from .entity import JkBmsEntity, PackDescription, async_add_existing
from .errors import in_words

PARALLEL_UPDATES = 1


@dataclass(frozen=True, kw_only=True)
class JkBmsButtonDescription(PackDescription, ButtonEntityDescription):
    """A button of the link."""


READ_AGAIN: Final = JkBmsButtonDescription(
    key="read_again",
    value_fn=lambda _: None,
    exists_fn=lambda _: True,
    of_link=True,
    entity_category=EntityCategory.DIAGNOSTIC,
)


async def async_setup_entry(
    _hass: HomeAssistant, entry: JkBmsConfigEntry, async_add_entities: AddConfigEntryEntitiesCallback
) -> None:
    """Set up the button of a pack."""
    async_add_existing(entry, async_add_entities, [READ_AGAIN], JkBmsReadAgainButton)


class JkBmsReadAgainButton(JkBmsEntity, ButtonEntity):
    """Asks the pack for what it does not send by itself."""

    entity_description: JkBmsButtonDescription

    @override
    async def async_press(self) -> None:
        """Read again."""
        coordinator = self.coordinator
        try:
            await coordinator.link.refresh()
        except PausedError as err:
            until = dt_util.as_local(coordinator.time_of(err.until_s))
            raise HomeAssistantError(
                translation_domain=DOMAIN,
                translation_key="paused",
                translation_placeholders={"name": coordinator.name, "until": f"{until:%H:%M}"},
            ) from err
        except LinkError as err:
            raise HomeAssistantError(**in_words(self.hass, coordinator.name, coordinator.address, err)) from err
