"""JK BMS: a battery pack's board over Bluetooth, read live."""

from __future__ import annotations

from typing import Final

from homeassistant.components import bluetooth
from homeassistant.const import CONF_ADDRESS, Platform
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import ConfigEntryNotReady

from .bms.link import LinkError
from .coordinator import JkBmsConfigEntry, JkBmsCoordinator
from .errors import in_words
from .memory import MemoryStore
from .repairs import RepairWatch, delete_issues, judge_setup

PLATFORMS: Final = (
    Platform.BINARY_SENSOR,
    Platform.BUTTON,
    Platform.EVENT,
    Platform.NUMBER,
    Platform.SELECT,
    Platform.SENSOR,
    Platform.SWITCH,
)


async def async_setup_entry(hass: HomeAssistant, entry: JkBmsConfigEntry) -> bool:
    """Connect to the pack of an entry and add its entities; without a first reading Home Assistant tries again."""
    coordinator = JkBmsCoordinator(hass, entry)
    try:
        await coordinator.async_start()
    except LinkError as error:
        judge_setup(hass, entry, error.problem)
        raise ConfigEntryNotReady(**in_words(hass, entry.title, entry.data[CONF_ADDRESS], error)) from error
    judge_setup(hass, entry, None)
    entry.runtime_data = coordinator
    await hass.config_entries.async_forward_entry_setups(entry, PLATFORMS)
    entry.async_on_unload(RepairWatch(hass, entry).start())
    return True


async def async_unload_entry(hass: HomeAssistant, entry: JkBmsConfigEntry) -> bool:
    """Remove the entities; the coordinator then lets go of the link by itself."""
    return await hass.config_entries.async_unload_platforms(entry, PLATFORMS)


async def async_remove_entry(hass: HomeAssistant, entry: JkBmsConfigEntry) -> None:
    """Leave nothing behind, and let the pack be found anew."""
    delete_issues(hass, entry)
    await MemoryStore(hass, entry.entry_id).remove()
    bluetooth.async_rediscover_address(hass, entry.data[CONF_ADDRESS])
