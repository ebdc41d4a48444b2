"""Where do the MOSFETs go, and is the board cooled as usual?

A first-order lag of 400 s towards what surrounds them plus k·I². k begins with 1.5 mK/A² and is learned under load.
What is worse than usual is said once ten hours of load have told what is usual.
"""

from __future__ import annotations

from math import exp
from typing import Final

_LAG_S: Final = 400.0
_FIRST_K_C_A2: Final = 1.5e-3
_K_MEMORY_S: Final = 72_000.0
_KNOWN_AFTER_S: Final = 36_000.0
_POOR_FACTOR: Final = 1.6
_POOR_AFTER_S: Final = 600.0


class Mosfets:
    """The MOSFETs of one board."""

    __slots__ = ("_heated_a2", "_learned_s", "_poor_s", "k_c_a2", "poor")

    def __init__(self, learned: tuple[float, ...]) -> None:
        known = len(learned) == 2 and learned[0] > 0.0
        self.k_c_a2, self._learned_s = learned if known else (_FIRST_K_C_A2, 0.0)
        self._heated_a2: float | None = None
        self._poor_s = 0.0
        self.poor = False

    @property
    def learned(self) -> tuple[float, float]:
        """What is worth keeping: k in °C/A², and the seconds of load that it was learned in."""
        return self.k_c_a2, self._learned_s

    def heat(self, square_a2: float, since_s: float) -> None:
        """Take the mean square of the current over the last seconds."""
        heated_a2 = square_a2 if self._heated_a2 is None else self._heated_a2
        heated_a2 += (square_a2 - heated_a2) * (1.0 - exp(-since_s / _LAG_S))
        self._heated_a2 = heated_a2

    def step(self, mos_c: float, cells_c: float | None, since_s: float, *, loaded: bool) -> None:
        """Take a temperature; `loaded`: the current is high enough to tell how well the board is cooled."""
        heated_a2 = self._heated_a2
        if not loaded or cells_c is None or not heated_a2:
            self._poor_s = 0.0
            self.poor = False
            return
        k_c_a2 = max(mos_c - cells_c, 0.0) / heated_a2
        step_s = min(since_s, 60.0)
        if k_c_a2 > _POOR_FACTOR * self.k_c_a2 and self._learned_s >= _KNOWN_AFTER_S:
            self._poor_s += step_s
            self.poor = self._poor_s >= _POOR_AFTER_S
        else:
            self._poor_s, self.poor = 0.0, False
        self._learned_s = min(self._learned_s + step_s, _KNOWN_AFTER_S)
        self.k_c_a2 += (k_c_a2 - self.k_c_a2) * step_s / _K_MEMORY_S

    def ahead_c(self, mos_c: float, mean_a2: float, horizon_s: float) -> float:
        """Return the temperature after `horizon_s` at this mean square of the current."""
        return mos_c + self.k_c_a2 * (mean_a2 - (self._heated_a2 or 0.0)) * (1.0 - exp(-horizon_s / _LAG_S))
