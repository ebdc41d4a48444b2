"""When does a value that changes twice a second become a state? Send-on-delta: at once if it matters, else in its turn.

A state costs a database row and a message to every open browser. A significant change is published with the frame that
brings it. Everything else waits for the publish interval, and what then lies within the dead band of the published
value stays as it is: a resting pack is quiet, and no published value is ever further off than the dead band at a turn.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import Final

_ROUNDING: Final = 1e-9
"""3.305 - 3.300 is a little less than 0.005 in binary."""


@dataclass(frozen=True, slots=True)
class Delta:
    """How much of a change matters, in the unit of the value."""

    significant: float = inf
    """Published at once from this much on ..."""
    relative: float = 0
    """... if it is this share of the published value, too."""
    dead_band: float = 0
    """Not published at all up to this much."""

    def is_news(self, published: float, value: float, *, in_turn: bool) -> bool:
        """Return whether `value` replaces `published`, either in its turn at the publish interval or ahead of it."""
        change = abs(value - published)
        if in_turn:
            return change > self.dead_band + _ROUNDING
        return change >= self.significant - _ROUNDING and change >= self.relative * abs(published) - _ROUNDING
