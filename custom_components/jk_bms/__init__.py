"""JK BMS: a battery pack's board over Bluetooth, read live."""

from __future__ import annotations

from typing import Final

from homeassistant.components import bluetooth
from homeassistant.const import CONF_ADDRESS, Platform
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import ConfigEntryNotReady
from homeassistant.helpers import config_validation as cv
from homeassistant.helpers.typing import ConfigType

from .acting import async_forget_acts
from .bms.link import LinkError
from .const import DOMAIN
from .coordinator import JkBmsConfigEntry, JkBmsCoordinator
from .errors import in_words
from .guard import async_forget
from .interruption import async_tell_of_interruption
from .memory import MemoryStore
from .renaming import follow_renaming
from .repairs import RepairWatch, forget, judge_setup
from .services import async_setup_services
from .urgent import withdraw_from_disabled

PLATFORMS: Final = (
    Platform.BINARY_SENSOR,
    Platform.BUTTON,
    Platform.EVENT,
    Platform.NUMBER,
    Platform.SELECT,
    Platform.SENSOR,
    Platform.SWITCH,
)


CONFIG_SCHEMA: Final = cv.config_entry_only_config_schema(DOMAIN)


async def async_setup(hass: HomeAssistant, _config: ConfigType) -> bool:
    """Register the actions, and follow what concerns packs that aren't loaded, too."""
    async_setup_services(hass)
    follow_renaming(hass)
    withdraw_from_disabled(hass)
    return True


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
    await async_tell_of_interruption(hass, entry.title, entry.entry_id, coordinator.changes)
    await hass.config_entries.async_forward_entry_setups(entry, PLATFORMS)
    entry.async_on_unload(RepairWatch(hass, entry).start())
    return True


async def async_unload_entry(hass: HomeAssistant, entry: JkBmsConfigEntry) -> bool:
    """Put back what is being tried and remove the entities; the coordinator then lets go of the link by itself."""
    await entry.runtime_data.trials.async_end()
    return await hass.config_entries.async_unload_platforms(entry, PLATFORMS)


async def async_remove_entry(hass: HomeAssistant, entry: JkBmsConfigEntry) -> None:
    """Leave nothing behind, and let the pack be found anew."""
    forget(hass, entry)
    await MemoryStore(hass, entry.entry_id).remove()
    await async_forget(hass, entry.entry_id)
    await async_forget_acts(hass, entry.entry_id)
    bluetooth.async_rediscover_address(hass, entry.data[CONF_ADDRESS])
