"""What a radio needs to know of a simulated device: its advertisement, its GATT table and its behaviour.

The firmware implements `Peripheral`; the radios (in-process client, ESPHome proxy) carry it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

type Notify = Callable[[int, bytes], None]
"""Sends one notification: value handle of the characteristic, payload (at most MTU - 3 bytes)."""

type Enter = Callable[[], int | None]
"""Enters the pass code at the client's end; None if that can't be done there."""


def no_keyboard() -> None:
    """Enter nothing."""


class GattError(Exception):
    """An ATT error answered to a request, such as 0x05 (insufficient authentication)."""

    def __init__(self, code: int) -> None:
        super().__init__(f"ATT error 0x{code:02X}")
        self.code = code


@dataclass(frozen=True, slots=True)
class Characteristic:
    """A characteristic of the GATT table; properties are bleak's names, such as "notify"."""

    uuid: str
    handle: int
    properties: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Service:
    """A primary service of the GATT table with its characteristics."""

    uuid: str
    handle: int
    characteristics: tuple[Characteristic, ...]


class Peripheral(Protocol):
    """A device as the air sees it."""

    address: str
    name: str
    rssi: int
    manufacturer_data: Mapping[int, bytes]
    service_uuids: tuple[str, ...]
    services: tuple[Service, ...]
    mtu: int
    bonded: bool
    """Whether it knows the bond that it once made."""
    connectable: bool
    """False while it is out of range, switched off, or any client holds it, also one of these radios (so the device
    sets it in `connected` and clears it in `disconnected`): no advertisement, no second connection."""

    def connected(self, notify: Notify, disconnect: Callable[[], None]) -> None:
        """A client has connected; the device may notify it, or drop it, from now on."""

    def disconnected(self) -> None:
        """The client is gone."""

    def subscribe(self, handle: int, *, enabled: bool) -> None:
        """The client wrote the notification switch of a characteristic. Raises GattError."""

    def write(self, handle: int, data: bytes) -> None:
        """The client wrote a characteristic. Raises GattError."""

    def pair(self, enter: Enter = no_keyboard) -> None:
        """The client asks for bonding, and can enter a pass code. Raises GattError when the device won't have it."""
