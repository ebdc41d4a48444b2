"""The smallest device a radio can carry: what is written comes back as notifications."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from simulator.peripheral import Characteristic, Enter, GattError, Notify, Service, no_keyboard

FFE0 = "0000ffe0-0000-1000-8000-00805f9b34fb"
FFE1 = "0000ffe1-0000-1000-8000-00805f9b34fb"
WRITE_HANDLE = 3
NOTIFY_HANDLE = 5


@dataclass(eq=False)
class Echo:
    """Lists FFE1 twice, to write and to notify, as the newest JK module does."""

    address: str = "C8:47:80:00:00:01"
    name: str = "JK_Echo"
    rssi: int = -60
    manufacturer_data: Mapping[int, bytes] = field(default_factory=lambda: {0x0B65: bytes.fromhex("88a0c84780000001")})
    service_uuids: tuple[str, ...] = (FFE0,)
    services: tuple[Service, ...] = (
        Service(
            FFE0,
            1,
            (
                Characteristic(FFE1, WRITE_HANDLE, ("write-without-response", "write")),
                Characteristic(FFE1, NOTIFY_HANDLE, ("notify",)),
            ),
        ),
    )
    mtu: int = 23
    bonded: bool = False
    connectable: bool = True
    refuses: int | None = None
    """ATT error code of every request until a bond exists."""
    pairing_error: int | None = None
    written: list[bytes] = field(default_factory=list)
    subscribed: set[int] = field(default_factory=set)
    drop: Callable[[], None] | None = None
    """Drops the link; None while no client is there."""
    _notify: Notify | None = None

    def connected(self, notify: Notify, disconnect: Callable[[], None]) -> None:
        self.connectable = False
        self._notify, self.drop = notify, disconnect

    def disconnected(self) -> None:
        self.connectable = True
        self._notify = self.drop = None
        self.subscribed.clear()

    def subscribe(self, handle: int, *, enabled: bool) -> None:
        self._check()
        (self.subscribed.add if enabled else self.subscribed.discard)(handle)

    def write(self, handle: int, data: bytes) -> None:
        self._check()
        assert handle == WRITE_HANDLE
        self.written.append(data)
        if self._notify and NOTIFY_HANDLE in self.subscribed:
            for start in range(0, len(data), self.mtu - 3):
                self._notify(NOTIFY_HANDLE, data[start : start + self.mtu - 3])

    def pair(self, enter: Enter = no_keyboard) -> None:
        if self.pairing_error is not None:
            raise GattError(self.pairing_error)
        self.refuses = None
        self.bonded = True

    def _check(self) -> None:
        if self.refuses is not None:
            raise GattError(self.refuses)
