"""How a board's answers leave its Bluetooth module: cut into notifications, with what else runs over the serial line.

The module passes on what the board's serial line brings, in pieces of its own making: by the connection's MTU, by its
buffer, or by whenever it looks. All styles here were seen in recordings of real boards.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from random import Random
from typing import Final

from custom_components.jk_bms.bms.frames import ACKNOWLEDGE

ATT_HEADER: Final = 3
CHATTER: Final = b"AT\r\n"
CHATTER_PERIOD_S: Final = 0.15
GLUED_CHATTER_CHANCE: Final = 0.2
SHORTEST_DRIFT: Final = 5
CARRY_CHANCE: Final = 0.3


class Chatter(Enum):
    """Whether the module's own `AT` lines leak out."""

    NONE = auto()
    GLUED = auto()
    """In front of some frames, and behind acknowledges."""
    FLOOD = auto()
    """Also as notifications of their own, all the time."""


@dataclass(frozen=True, slots=True)
class Style:
    """How notifications are cut, and where acknowledges and chatter go."""

    mtu: int
    burst: int | None = None
    """Bytes that the module takes from the line at once; each burst is cut by the MTU. None: a whole message."""
    drifting: bool = False
    """Cut anywhere, and in the stream the end of a frame may wait for the beginning of the next."""
    acknowledge_glued: bool = False
    """The acknowledge comes in one piece with the frame before it."""
    chatter: Chatter = Chatter.NONE


TWENTIES: Final = Style(mtu=23)
"""15 times 20 bytes: the smallest MTU. The acknowledge follows as a sixteenth."""
IN_128: Final = Style(mtu=131)
"""128 + 128 + 44 bytes."""
IN_128_GLUED: Final = Style(mtu=131, acknowledge_glued=True)
"""128 + 128 + 64 with an acknowledge."""
HALVES: Final = Style(mtu=188, burst=150)
"""150 + 150 bytes."""
QUARTERS: Final = Style(mtu=131, burst=150)
"""128 + 22 + 128 + 22 bytes."""
FLOODED_QUARTERS: Final = Style(mtu=131, burst=150, chatter=Chatter.FLOOD)
DRIFTING: Final = Style(mtu=83, drifting=True)
"""5 to 80 bytes."""
LARGE: Final = Style(mtu=247)
"""244 + 56 bytes."""
LARGE_GLUED: Final = Style(mtu=247, acknowledge_glued=True, chatter=Chatter.GLUED)
"""An answer of 324 bytes."""
FLOODED_TWENTIES: Final = Style(mtu=23, chatter=Chatter.FLOOD)


class Notifier:
    """Turns answers into notifications in one style. Where the style leaves it to chance, `random` decides."""

    def __init__(self, style: Style, random: Random) -> None:
        self._style = style
        self._random = random
        self._carry = b""

    def notifications(self, frames: Sequence[bytes], *, acknowledged: bool) -> list[bytes]:
        """Return the notifications, each of at most MTU - 3 bytes, of an answer."""
        style = self._style
        messages = [(b"", frame) for frame in frames]
        if style.chatter is not Chatter.NONE:
            messages = [
                (CHATTER if self._random.random() < GLUED_CHATTER_CHANCE else b"", frame) for _, frame in messages
            ]
        if acknowledged:
            tail = ACKNOWLEDGE + (b"" if style.chatter is Chatter.NONE else CHATTER)
            if style.acknowledge_glued and messages:
                front, frame = messages[-1]
                messages[-1] = (front, frame + tail)
            else:
                messages.append((b"", tail))
        if style.drifting:
            line = b"".join(front + message for front, message in messages)
            return self._drift(line, may_wait=not acknowledged)
        return [piece for front, message in messages for piece in self._pieces(front, message)]

    def _pieces(self, front: bytes, message: bytes) -> Iterator[bytes]:
        longest = self._style.mtu - ATT_HEADER
        burst = self._style.burst or len(message)
        for start in range(0, len(message), burst):
            taken = message[start : start + burst]
            if start == 0:
                taken = front + taken
            for at in range(0, len(taken), longest):
                yield taken[at : at + longest]

    def _drift(self, data: bytes, *, may_wait: bool) -> list[bytes]:
        longest = self._style.mtu - ATT_HEADER
        line = self._carry + data
        self._carry = b""
        first = self._random.randint(SHORTEST_DRIFT, longest)
        pieces = [line[:first], *(line[at : at + longest] for at in range(first, len(line), longest))]
        if may_wait and self._random.random() < CARRY_CHANCE:
            self._carry = pieces.pop()
        return pieces
