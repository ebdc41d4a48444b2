"""The pack that early warning of heat is proved against: sixteen cells of 280 Ah, and all that may warm them.

Heat goes its way as in every simulated pack. What comes in is drawn from a few numbers instead of lived by cells:
sun and heater mats are uneven, cells differ, and any heat goes into a cell at `fault_w`. Positive current charges.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Final

from simulator.heat import ENCLOSURE_W_PER_K, Heat

CELLS: Final = 16
CELL_OHM: Final = 0.5e-3
"""With its share of the busbars."""

_HEATER_SHARE: Final = tuple((1.15 if 4 <= cell <= 11 else 0.85) / CELLS for cell in range(CELLS))
_SUN_SHARE: Final = tuple((1.25 - 0.5 * cell / (CELLS - 1)) / CELLS for cell in range(CELLS))


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What acts on the pack for a second."""

    current_a: float = 0.0
    ambient_c: float = 25.0
    sun_w: float = 0.0
    """On the cabinet: half of it reaches the cells, one side more than the other, and half the air."""
    heater_w: float = 0.0
    fan: float = 0.0
    """Share of its full speed."""
    fault_w: float = 0.0
    entropic_w_per_a: float = 0.0
    """Heat of each cell that changes sign with the current."""


class ThermalPack(Heat):
    """A pack that lives by the second. The same seed gives the same cells.

    A drawn pack has cells whose resistances differ by 8 % and whose losses differ by 5 % (standard deviations).
    """

    __slots__ = ("_acting", "_ohm", "_sources_w", "fault_cell")

    def __init__(
        self,
        seed: int,
        start_c: float,
        *,
        probe_cells: Sequence[int] = (1, 5, 10, 14),
        fault_cell: int = 0,
        enclosure_w_per_k: float = ENCLOSURE_W_PER_K,
    ) -> None:
        birth = Random(f"thermal {seed}")
        self._ohm = [CELL_OHM * (1 + 0.08 * birth.gauss()) for _ in range(CELLS)]
        losses = [1 + 0.05 * birth.gauss() for _ in range(CELLS)]
        super().__init__(start_c, losses, probe_cells, enclosure_w_per_k=enclosure_w_per_k)
        self.fault_cell = fault_cell
        self._acting: Surroundings | None = None
        self._sources_w: list[float] = []

    def step(self, acting: Surroundings) -> None:
        """Live for one second."""
        if acting is not self._acting:
            self._act(acting)
        self.flow(
            1.0,
            self._sources_w,
            current_a=acting.current_a,
            ambient_c=acting.ambient_c,
            fan=acting.fan,
            air_w=acting.sun_w / 2,
        )

    def _act(self, acting: Surroundings) -> None:
        """Work out what stays the same for as long as the surroundings do."""
        current_a = acting.current_a
        self._sources_w = [
            current_a**2 * ohm + acting.entropic_w_per_a * current_a + acting.heater_w * heater + acting.sun_w / 2 * sun
            for ohm, heater, sun in zip(self._ohm, _HEATER_SHARE, _SUN_SHARE, strict=True)
        ]
        self._sources_w[self.fault_cell] += acting.fault_w
        self._acting = acting
