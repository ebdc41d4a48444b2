"""Whether a board wants a bond, and when one is made. It doesn't say so: it fails as one does that is hardly heard."""

from __future__ import annotations

import re
from collections.abc import Callable
from enum import Enum, auto
from functools import partial
from typing import Final

from bleak import BleakClient
from bleak.backends.device import BLEDevice
from bleak_retry_connector import BleakClientWithServiceCache, establish_connection

from .gatt import PAIRING_PROBLEMS, UNBONDED_DROP_S, Clock, LinkError, LinkProblem
from .pairing import make_bond
from .receiver import Receiver

CONNECT_ATTEMPTS: Final = 2
"""Attempts, of up to 20 s each, before a failure is told; the link then tries again in its own time."""
PAIRING_TIMEOUT_S: Final = 60.0
"""A device has 30 s to answer each step of a pairing (Bluetooth Core, Security Manager)."""
FIRST_SOFTWARE_WITH_BONDING: Final = (19, 30)
FAILURES_THAT_TELL: Final = 3
"""So many in a row are no matter of the signal any more."""
TRIES: Final = 2
"""So often a bond is tried to be made between two good links: the first try may have met a bad signal."""

_VERSION: Final = re.compile(r"[Vv]?(\d+)\.(\d+)")


class _Bond(Enum):
    """What the next connection does about a bond."""

    NONE = auto()
    """Nothing: older modules can't pair at all."""
    USE = auto()
    """Pair if the stack has no bond; a proxy encrypts the link only then."""
    MAKE = auto()
    """Pair anew, whatever bond there is."""


class Bonding:
    """Follows the links to one board, tells the need of a bond from a weak signal, and makes one.

    A refusal is final until a link was good again: it takes the owner to change anything.
    """

    def __init__(self, receiver: Receiver, clock: Clock, passcode: str | None) -> None:
        self._receiver = receiver
        self._clock = clock
        self._passcode = passcode
        self._bond = _Bond.USE if passcode else _Bond.NONE
        self._tries = 0
        self._failures = 0
        self._needless = False

    @property
    def in_doubt(self) -> bool:
        """Whether another attempt tells more: the last failed like that of a board that wants a bond."""
        return self._failures > 0 or self._bond is _Bond.MAKE

    async def establish(
        self,
        client_class: type[BleakClientWithServiceCache],
        device: BLEDevice,
        name: str,
        on_disconnect: Callable[[BleakClient], None],
    ) -> BleakClientWithServiceCache:
        """Return a client that is connected, with the bond that it takes. Raises LinkError and what bleak raises."""
        connect = partial(establish_connection, client_class, device, name, on_disconnect)
        if self._bond is not _Bond.MAKE:
            return await connect(max_attempts=CONNECT_ATTEMPTS, pair=self._bond is _Bond.USE)
        self._tries += 1
        making = make_bond(connect, device, self._passcode, self._clock)
        client = await self._clock.within(making, PAIRING_TIMEOUT_S)
        self._bond = _Bond.USE
        self._failures = 0
        return client

    def lasted(self, duration_s: float) -> None:
        """Take note of how long a link lasted: who is not dropped within seconds needs no bond, or has one."""
        if duration_s >= UNBONDED_DROP_S:
            self._tries = 0
            self._needless |= self._bond is _Bond.NONE

    def read_well(self) -> None:
        """Take note of a link that was let go with what it was made for."""
        self._tries = 0
        self._failures = 0

    def judge(self, error: LinkError) -> LinkProblem:
        """Return what a failure means, after those before it; no word of a bond while one may yet be made."""
        suspicious = error.like_unbonded and not self._needless and self._may_be_wanted()
        self._failures = self._failures + 1 if suspicious else 0
        refused = error.problem in PAIRING_PROBLEMS
        if self._bond is _Bond.MAKE:
            self._bond = _Bond.NONE
            if refused:
                self._tries = TRIES
        if not refused and self._failures < FAILURES_THAT_TELL:
            return error.problem
        if self._tries < TRIES:
            self._bond = _Bond.MAKE
            return LinkProblem.CONNECTION_FAILED
        self._bond = _Bond.NONE
        return error.problem if refused else LinkProblem.PAIRING_NEEDED

    def _may_be_wanted(self) -> bool:
        """Whether the board, if it has ever introduced itself, has software that talks to bonded clients only."""
        version = _VERSION.match(self._receiver.software_version or "")
        return version is not None and (int(version[1]), int(version[2])) >= FIRST_SOFTWARE_WITH_BONDING
