"""Whether a board wants a bond. It doesn't say so: it fails as one does that is hardly heard."""

from __future__ import annotations

import re
from typing import Final

from .gatt import UNBONDED_DROP_S, LinkError, LinkProblem
from .receiver import Receiver

FIRST_SOFTWARE_WITH_BONDING: Final = (19, 30)
FAILURES_THAT_TELL: Final = 3
"""So many in a row are no matter of the signal any more."""

_VERSION: Final = re.compile(r"[Vv]?(\d+)\.(\d+)")


class Bonding:
    """Follows the links to one board, and tells the need of a bond from a weak signal."""

    def __init__(self, receiver: Receiver) -> None:
        self._receiver = receiver
        self._failures = 0
        self._needless = False

    @property
    def suspected(self) -> bool:
        """Whether the last failure was like that of a board that wants a bond."""
        return self._failures > 0

    def lasted(self, duration_s: float) -> None:
        """Take note of how long a link lasted: who is not dropped within seconds needs no bond."""
        self._needless |= duration_s >= UNBONDED_DROP_S

    def read_well(self) -> None:
        """Take note of a link that was let go with what it was made for."""
        self._failures = 0

    def judge(self, error: LinkError) -> LinkProblem:
        """Return what a failure means, after those before it."""
        suspicious = error.like_unbonded and not self._needless and self._may_be_wanted()
        self._failures = self._failures + 1 if suspicious else 0
        return LinkProblem.PAIRING_NEEDED if self._failures >= FAILURES_THAT_TELL else error.problem

    def _may_be_wanted(self) -> bool:
        """Whether the board, if it has ever introduced itself, has software that talks to bonded clients only."""
        version = _VERSION.match(self._receiver.software_version or "")
        return version is not None and (int(version[1]), int(version[2])) >= FIRST_SOFTWARE_WITH_BONDING
