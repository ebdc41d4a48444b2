"""What if an entity that the guardian drives or asks gets another id? The options follow, as its history does."""

from __future__ import annotations

from homeassistant.config_entries import ConfigEntryState
from homeassistant.core import Event, HomeAssistant, callback
from homeassistant.helpers.entity_registry import EVENT_ENTITY_REGISTRY_UPDATED, EventEntityRegistryUpdatedData

from .const import DOMAIN
from .guardian_options import ENTITY_OPTIONS


@callback
def follow_renaming(hass: HomeAssistant) -> None:
    """Have the options of all packs, be they loaded or not, follow the entities that they name."""

    @callback
    def follow(event: Event[EventEntityRegistryUpdatedData]) -> None:
        data = event.data
        if data["action"] != "update" or "old_entity_id" not in data:
            return
        for entry in hass.config_entries.async_entries(DOMAIN):
            renamed = {
                key: data["entity_id"]
                for key, value in entry.options.items()
                if key in ENTITY_OPTIONS and value == data["old_entity_id"]
            }
            if not renamed:
                continue
            hass.config_entries.async_update_entry(entry, options={**entry.options, **renamed})
            if entry.state in (ConfigEntryState.LOADED, ConfigEntryState.SETUP_IN_PROGRESS):
                hass.config_entries.async_schedule_reload(entry.entry_id)

    hass.bus.async_listen(EVENT_ENTITY_REGISTRY_UPDATED, follow)
