"""What keeps a pack from being read or changed, in words for its owner."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import TypedDict

from homeassistant.components import bluetooth
from homeassistant.components.bluetooth import BluetoothReachabilityIntent
from homeassistant.core import HomeAssistant, callback
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers.translation import async_get_translations
from homeassistant.util import dt as dt_util

from .bms.link import LinkError, PausedError
from .bms.registers import Kind, Setting, SettingValue
from .const import DOMAIN


class Translation(TypedDict):
    """How Home Assistant's exceptions take a message."""

    translation_domain: str
    translation_key: str
    translation_placeholders: dict[str, str]


@callback
def reachability(hass: HomeAssistant, address: str) -> str:
    """Return who hears the address how well, and which connections are free, as Home Assistant's Bluetooth says it."""
    return bluetooth.async_address_reachability_diagnostics(hass, address, BluetoothReachabilityIntent.CONNECTION)


@callback
def carrier(hass: HomeAssistant, address: str) -> str:
    """Return the adapter or proxy that hears the address best, through which it is connected; "-" if none does."""
    heard_by = bluetooth.async_scanner_devices_by_address(hass, address, connectable=True)
    best = max(heard_by, key=lambda heard: heard.advertisement.rssi, default=None)
    return best.scanner.name if best else "-"


@callback
def in_words(hass: HomeAssistant, name: str, address: str, error: LinkError) -> Translation:
    """Return the message for the problem of a pack."""
    return Translation(
        translation_domain=DOMAIN,
        translation_key=f"link_{error.problem}",
        translation_placeholders={
            "name": name,
            "reason": reachability(hass, address),
            "carrier": carrier(hass, address),
        },
    )


@callback
def paused(hass: HomeAssistant, name: str, error: PausedError) -> HomeAssistantError:
    """Return the error for what can't be done during a pause."""
    until = dt_util.now() + timedelta(seconds=error.until_s - hass.loop.time())
    return HomeAssistantError(
        translation_domain=DOMAIN,
        translation_key="paused",
        translation_placeholders={"name": name, "until": f"{until:%H:%M}"},
    )


async def async_names(hass: HomeAssistant) -> Callable[[str], str]:
    """Return what gives the name of a setting or command in the language of Home Assistant."""
    translations = await async_get_translations(hass, hass.config.language, "selector", [DOMAIN])

    def name(key: str) -> str:
        return next(
            (
                translated
                for selector in ("setting", "command")
                if (translated := translations.get(f"component.{DOMAIN}.selector.{selector}.options.{key}"))
            ),
            key,
        )

    return name


def value_in_words(setting: Setting, value: SettingValue) -> str:
    """Return a value with its unit; of a choice its key, of a switch 0 or 1."""
    if isinstance(value, str):
        return value
    if setting.kind is Kind.CHOICE and 0 <= int(value) < len(setting.choices):
        return setting.choices[int(value)]
    number = f"{value:g}" if setting.kind is Kind.NUMBER else str(int(value))
    return f"{number} {setting.unit}" if setting.unit else number
