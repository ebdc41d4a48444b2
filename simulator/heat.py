"""Where heat goes in a pack: cells in a row, the air around them that a fan moves, probes, MOSFETs.

The figures are those of sixteen prismatic cells of 280 Ah in one cabinet, which takes some six hours to get to 63 % of
the way to the temperature of its room; what stores or passes heat scales with capacity and number of cells. A cell
that gets hot enough goes on by itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from math import exp
from typing import Final

REFERENCE_CELLS: Final = 16
CELL_J_PER_K: Final = 5800.0
NEIGHBOUR_W_PER_K: Final = 0.45
AIR_W_PER_K: Final = 0.6
"""From a cell to the air around it, without a fan."""
END_FACTOR: Final = 1.8
AIR_J_PER_K: Final = 15_000.0
"""Air and enclosure."""
ENCLOSURE_W_PER_K: Final = 8.0
"""From the enclosure to the room, without a fan."""
PROBE_S: Final = 45.0
PROBE_CONTACT: Final = 0.93
"""Share of the cell in what a probe feels; the rest is the air."""
MOSFET_S: Final = 400.0
MOSFET_K_PER_A2: Final = 1.56e-3
FAN_ON_CELLS, FAN_ON_ENCLOSURE = 0.8, 1.5
"""How much more heat a fan moves from the cells to the air, and from there to the room."""

ZERO_CELSIUS_K: Final = 273.15
RUNAWAY_C_PER_S: Final = 1.0
_SELF_HEATING_FROM_C: Final = 70.0
_SELF_HEATING_C_PER_S: Final = 7.6e15
_SELF_HEATING_K: Final = 17_300.0
"""0.02 °C/min at 115 °C, 1 °C/s at 200 °C."""
_SELF_HEATING_MOST_C_PER_S: Final = 25.0
_SELF_HEATING_ENDS_C: Final = 260.0
"""What a cell has in it: it cools after this much heat of its own."""


class Heat:
    """Temperatures of one pack, all of them the same at first.

    `losses` says how much more than usual each cell loses to the air, `size` how big a cell is against one of 280 Ah.
    """

    __slots__ = (
        "_air_j_per_k",
        "_burnt_c",
        "_cell_j_per_k",
        "_fan",
        "_loss_w_per_k",
        "_neighbour_w_per_k",
        "_to_air_w_per_k",
        "air_c",
        "cells_c",
        "enclosure_w_per_k",
        "mosfet_c",
        "probe_cells",
        "probes_c",
        "running_away",
    )

    def __init__(
        self,
        start_c: float,
        losses: Sequence[float],
        probe_cells: Sequence[int],
        *,
        size: float = 1.0,
        enclosure_w_per_k: float = ENCLOSURE_W_PER_K,
    ) -> None:
        cell_count = len(losses)
        cabinet = size * cell_count / REFERENCE_CELLS
        self._cell_j_per_k = CELL_J_PER_K * size
        self._neighbour_w_per_k = NEIGHBOUR_W_PER_K * size
        self._air_j_per_k = AIR_J_PER_K * cabinet
        self._loss_w_per_k = [AIR_W_PER_K * loss * size for loss in losses]
        for end in (0, -1):
            self._loss_w_per_k[end] *= END_FACTOR
        self.enclosure_w_per_k = enclosure_w_per_k * cabinet
        self.probe_cells = tuple(probe_cells)
        self.cells_c = [start_c] * cell_count
        self.air_c = start_c
        self.probes_c = [start_c] * len(self.probe_cells)
        self.mosfet_c = start_c
        self.running_away = False
        """Whether some cell heats itself by 1 °C/s."""
        self._burnt_c = [0.0] * cell_count
        self._fan = 0.0
        self._to_air_w_per_k = self._loss_w_per_k

    def flow(
        self,
        dt_s: float,
        cells_w: Sequence[float],
        *,
        current_a: float,
        ambient_c: float,
        fan: float = 0.0,
        air_w: float = 0.0,
    ) -> None:
        """Let heat come into each cell, the MOSFETs and the air, and go its way, for 5 s at most.

        `current_a` is what heats the MOSFETs, `fan` the share of its full speed.
        """
        if fan != self._fan:
            self._fan = fan
            moved = 1 + FAN_ON_CELLS * fan
            self._to_air_w_per_k = [loss * moved for loss in self._loss_w_per_k]
        air_c = self.air_c
        cells_c = self.cells_c
        cell_j_per_k = self._cell_j_per_k
        neighbour_w_per_k = self._neighbour_w_per_k
        lost_w = [loss * (cell_c - air_c) for loss, cell_c in zip(self._to_air_w_per_k, cells_c, strict=True)]
        passed_w = [neighbour_w_per_k * (cell_c - next_c) for cell_c, next_c in pairwise(cells_c)]
        following_c = [
            cell_c + dt_s * (source - lost + received - passed) / cell_j_per_k
            for cell_c, source, lost, received, passed in zip(
                cells_c, cells_w, lost_w, (0.0, *passed_w), (*passed_w, 0.0), strict=True
            )
        ]
        self.running_away = max(cells_c) > _SELF_HEATING_FROM_C and self._heat_by_themselves(dt_s, following_c)
        self.probes_c = [
            probe_c + dt_s * (PROBE_CONTACT * cells_c[cell] + (1 - PROBE_CONTACT) * air_c - probe_c) / PROBE_S
            for probe_c, cell in zip(self.probes_c, self.probe_cells, strict=True)
        ]
        self.mosfet_c += dt_s * (air_c + MOSFET_K_PER_A2 * current_a**2 - self.mosfet_c) / MOSFET_S
        to_room_w_per_k = self.enclosure_w_per_k * (1 + FAN_ON_ENCLOSURE * fan)
        self.air_c += dt_s * (sum(lost_w) + air_w - to_room_w_per_k * (air_c - ambient_c)) / self._air_j_per_k
        self.cells_c = following_c

    def _heat_by_themselves(self, dt_s: float, following_c: list[float]) -> bool:
        fastest = 0.0
        for cell, cell_c in enumerate(self.cells_c):
            if cell_c > _SELF_HEATING_FROM_C and self._burnt_c[cell] < _SELF_HEATING_ENDS_C:
                rate = _SELF_HEATING_C_PER_S * exp(-_SELF_HEATING_K / (cell_c + ZERO_CELSIUS_K))
                rate = min(rate, _SELF_HEATING_MOST_C_PER_S)
                following_c[cell] += dt_s * rate
                self._burnt_c[cell] += dt_s * rate
                fastest = max(fastest, rate)
        return fastest >= RUNAWAY_C_PER_S
