"""Where heat goes in a pack: sixteen cells of 280 Ah in a row, the air around them, probes, MOSFETs.

`simulator.pack` has one temperature for each cell and loses heat straight to the room, which is enough for a board to
live with. This one is what early warning of heat is proved against: the enclosure has air of its own that a fan moves,
sun and heater mats are uneven, cells differ, and a cell that gets hot enough goes on by itself. The pack as a whole
takes some six hours to get to 63 % of the way to the temperature of its room.

Any heat goes into a cell at `fault_w`. Positive current charges.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import exp
from random import Random
from typing import Final

CELLS: Final = 16
CELL_J_PER_K: Final = 5800.0
NEIGHBOUR_W_PER_K: Final = 0.45
CELL_OHM: Final = 0.5e-3
"""With its share of the busbars."""
AIR_W_PER_K: Final = 0.6
"""From a cell to the air around it, without a fan."""
END_FACTOR: Final = 1.8
AIR_J_PER_K: Final = 15_000.0
"""Air and enclosure."""
PROBE_S: Final = 45.0
PROBE_CONTACT: Final = 0.93
"""Share of the cell in what a probe feels; the rest is the air."""
MOSFET_S: Final = 400.0
MOSFET_K_PER_A2: Final = 1.56e-3
FAN_ON_CELLS, FAN_ON_ENCLOSURE = 0.8, 1.5
"""How much more heat a fan moves from the cells to the air, and from there to the room."""

_SELF_HEATING_FROM_C: Final = 70.0
_SELF_HEATING_C_PER_S: Final = 7.6e15
_SELF_HEATING_K: Final = 17_300.0
"""0.02 °C/min at 115 °C, 1 °C/s at 200 °C."""
_SELF_HEATING_MOST_C_PER_S: Final = 25.0
_SELF_HEATING_ENDS_C: Final = 260.0
"""What a cell has in it: it cools after this much heat of its own."""
RUNAWAY_C_PER_S: Final = 1.0
_ZERO_CELSIUS_K: Final = 273.15

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


class ThermalPack:
    """Temperatures of one pack, all of them the same at first. The same seed gives the same cells.

    A drawn pack has cells whose resistances differ by 8 % and whose losses differ by 5 % (standard deviations).
    """

    __slots__ = (
        "_acting",
        "_burnt_c",
        "_loss_w_per_k",
        "_ohm",
        "_sources_w",
        "_to_air_w",
        "air_c",
        "cells_c",
        "enclosure_w_per_k",
        "fault_cell",
        "mosfet_c",
        "probe_cells",
        "probes_c",
        "running_away",
    )

    def __init__(
        self,
        seed: int,
        start_c: float,
        *,
        probe_cells: Sequence[int] = (1, 5, 10, 14),
        fault_cell: int = 0,
        enclosure_w_per_k: float = 8.0,
    ) -> None:
        birth = Random(f"thermal {seed}")
        self._ohm = [CELL_OHM * (1 + 0.08 * birth.gauss()) for _ in range(CELLS)]
        self._loss_w_per_k = [AIR_W_PER_K * (1 + 0.05 * birth.gauss()) for _ in range(CELLS)]
        for end in (0, -1):
            self._loss_w_per_k[end] *= END_FACTOR
        self.enclosure_w_per_k = enclosure_w_per_k
        self.probe_cells = tuple(probe_cells)
        self.fault_cell = fault_cell
        self.cells_c = [start_c] * CELLS
        self.air_c = start_c
        self.probes_c = [start_c] * len(self.probe_cells)
        self.mosfet_c = start_c
        self.running_away = False
        """Whether some cell heats itself by 1 °C/s."""
        self._burnt_c = [0.0] * CELLS
        self._acting: Surroundings | None = None
        self._sources_w: list[float] = []
        self._to_air_w: list[float] = []

    def step(self, acting: Surroundings) -> None:
        """Live for one second."""
        if acting is not self._acting:
            self._act(acting)
        air_c = self.air_c
        cells_c = self.cells_c
        lost_w = [loss * (cell_c - air_c) for loss, cell_c in zip(self._to_air_w, cells_c, strict=True)]
        passed_w = [NEIGHBOUR_W_PER_K * (cell_c - next_c) for cell_c, next_c in pairwise(cells_c)]
        following_c = [
            cell_c + (source - lost + received - passed) / CELL_J_PER_K
            for cell_c, source, lost, received, passed in zip(
                cells_c, self._sources_w, lost_w, (0.0, *passed_w), (*passed_w, 0.0), strict=True
            )
        ]
        self.running_away = max(cells_c) > _SELF_HEATING_FROM_C and self._heat_by_themselves(following_c)
        self.probes_c = [
            probe_c + (PROBE_CONTACT * cells_c[cell] + (1 - PROBE_CONTACT) * air_c - probe_c) / PROBE_S
            for probe_c, cell in zip(self.probes_c, self.probe_cells, strict=True)
        ]
        self.mosfet_c += (air_c + MOSFET_K_PER_A2 * acting.current_a**2 - self.mosfet_c) / MOSFET_S
        to_room = self.enclosure_w_per_k * (1 + FAN_ON_ENCLOSURE * acting.fan)
        self.air_c += (sum(lost_w) + acting.sun_w / 2 - to_room * (air_c - acting.ambient_c)) / AIR_J_PER_K
        self.cells_c = following_c

    def _act(self, acting: Surroundings) -> None:
        """Work out what stays the same for as long as the surroundings do."""
        current_a = acting.current_a
        self._sources_w = [
            current_a**2 * ohm + acting.entropic_w_per_a * current_a + acting.heater_w * heater + acting.sun_w / 2 * sun
            for ohm, heater, sun in zip(self._ohm, _HEATER_SHARE, _SUN_SHARE, strict=True)
        ]
        self._sources_w[self.fault_cell] += acting.fault_w
        moved = 1 + FAN_ON_CELLS * acting.fan
        self._to_air_w = [loss * moved for loss in self._loss_w_per_k]
        self._acting = acting

    def _heat_by_themselves(self, following_c: list[float]) -> bool:
        fastest = 0.0
        for cell, cell_c in enumerate(self.cells_c):
            if cell_c > _SELF_HEATING_FROM_C and self._burnt_c[cell] < _SELF_HEATING_ENDS_C:
                rate = _SELF_HEATING_C_PER_S * exp(-_SELF_HEATING_K / (cell_c + _ZERO_CELSIUS_K))
                rate = min(rate, _SELF_HEATING_MOST_C_PER_S)
                following_c[cell] += rate
                self._burnt_c[cell] += rate
                fastest = max(fastest, rate)
        return fastest >= RUNAWAY_C_PER_S
