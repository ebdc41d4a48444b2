"""What keeps a pack from being read, in words for its owner."""

from __future__ import annotations

from typing import TypedDict

from homeassistant.components import bluetooth
from homeassistant.components.bluetooth import BluetoothReachabilityIntent
from homeassistant.core import HomeAssistant, callback

from .bms.link import LinkError
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
def in_words(hass: HomeAssistant, name: str, address: str, error: LinkError) -> Translation:
    """Return the message for the problem of a pack."""
    return Translation(
        translation_domain=DOMAIN,
        translation_key=f"link_{error.problem}",
        translation_placeholders={"name": name, "reason": reachability(hass, address)},
    )
