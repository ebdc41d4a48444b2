"""What if an entity that the guardian drives or asks gets another id? The options follow, as its history does."""

from __future__ import annotations

from homeassistant.config_entries import ConfigEntry
from homeassistant.core import CALLBACK_TYPE, Event, HomeAssistant, callback
from homeassistant.helpers.entity_registry import EventEntityRegistryUpdatedData
from homeassistant.helpers.event import async_track_entity_registry_updated_event

from .guardian_options import ENTITY_OPTIONS


@callback
def follow_renaming(hass: HomeAssistant, entry: ConfigEntry) -> CALLBACK_TYPE:
    """Have the options of a pack follow the entities that they name; the returned function ends it."""

    @callback
    def follow(event: Event[EventEntityRegistryUpdatedData]) -> None:
        data = event.data
        if data["action"] != "update" or "old_entity_id" not in data:
            return
        options = {
            key: data["entity_id"] if key in ENTITY_OPTIONS and value == data["old_entity_id"] else value
            for key, value in entry.options.items()
        }
        hass.config_entries.async_update_entry(entry, options=options)
        hass.config_entries.async_schedule_reload(entry.entry_id)

    named = [value for key, value in entry.options.items() if key in ENTITY_OPTIONS]
    return async_track_entity_registry_updated_event(hass, named, follow)
