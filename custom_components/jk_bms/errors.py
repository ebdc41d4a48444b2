"""What keeps a pack from being read or changed, in words for its owner."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import TypedDict

from homeassistant.components import bluetooth
from homeassistant.components.bluetooth import BluetoothReachabilityIntent
from homeassistant.const import STATE_OFF, STATE_ON, Platform
from homeassistant.core import HomeAssistant, callback
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers.translation import async_get_translations, async_translate_state
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


async def async_message(hass: HomeAssistant, error: HomeAssistantError) -> str:
    """Return what an error says in the language of Home Assistant; as a string it speaks English.

    As there, the full stop at the end is left out.
    """
    texts = await async_get_translations(hass, hass.config.language, "exceptions", [DOMAIN])
    text = texts.get(f"component.{DOMAIN}.exceptions.{error.translation_key}.message")
    return str(error) if text is None else text.rstrip(".").format(**error.translation_placeholders or {})


@callback
def value_in_words(hass: HomeAssistant, setting: Setting, value: SettingValue) -> str:
    """Return a value with its unit; of a switch or choice its name in the language of Home Assistant."""
    if isinstance(value, str):
        return value
    if setting.kind is Kind.SWITCH and value in (0, 1):
        return async_translate_state(hass, STATE_ON if value else STATE_OFF, Platform.SWITCH, None, None, None)
    if setting.kind is Kind.CHOICE and 0 <= int(value) < len(setting.choices):
        return async_translate_state(hass, setting.choices[int(value)], Platform.SELECT, DOMAIN, setting.key, None)
    number = f"{value:.0f}" if float(value).is_integer() else f"{value:.7g}"
    return f"{number} {setting.unit}" if setting.unit else number
