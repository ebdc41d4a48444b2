"""What do the voltages of sixteen cells of 280 Ah look like while one of them is shorted inside?

A short of P watts draws P / 3.3 V inside the cell, which sags by that times 0.3 to 0.5 mΩ at once and by twice as much
after some minutes, and is emptied by it. Healthy cells differ in resistance and charge, too.
"""

from __future__ import annotations

from math import exp
from typing import Final

import numpy as np

from simulator.cell import open_circuit_voltage_v
from simulator.thermal_pack import CELLS

CAPACITY_AH: Final = 280.0
SHORT_V: Final = 3.3
RELAXATION_S: Final = 180.0
NOISE_V: Final = 0.0007
OFFSET_V: Final = 0.002
CHARGE_SPREAD: Final = 0.002
"""Of the state of charge, standard deviation."""
_SHARES: Final = np.linspace(0.0, 1.0, 201)
_OPEN_V: Final = np.array([open_circuit_voltage_v(float(share)) for share in _SHARES])


class CellVoltages:
    """The cells of one drawn pack; it stops at 2 % and at 99.5 %, whatever flows."""

    def __init__(self, seed: int, state_of_charge: float = 0.6) -> None:
        self._random = np.random.default_rng(seed)
        normal = self._random.standard_normal
        self._ohm = self._random.uniform(0.3e-3, 0.5e-3) * (1 + 0.08 * normal(CELLS))
        self._offsets_v = OFFSET_V * normal(CELLS)
        self._charge = state_of_charge
        self._behind = CHARGE_SPREAD * normal(CELLS)
        self._slow_v = np.zeros(CELLS)

    def after(self, dt_s: float, current_a: float, short_w: float = 0.0, short_cell: int = 0) -> tuple[float, ...]:
        """Return the readings in V after `dt_s` seconds of this current."""
        self._charge = min(max(self._charge + current_a * dt_s / 3600 / CAPACITY_AH, 0.02), 0.995)
        through_v = self._ohm * current_a
        if short_w:
            short_a = short_w / SHORT_V
            self._behind[short_cell] -= short_a * dt_s / 3600 / CAPACITY_AH
            through_v[short_cell] -= self._ohm[short_cell] * short_a
        self._slow_v += (through_v - self._slow_v) * (1 - exp(-dt_s / RELAXATION_S))
        readings_v = (
            np.interp(self._charge + self._behind, _SHARES, _OPEN_V)
            + through_v
            + self._slow_v
            + self._offsets_v
            + NOISE_V * self._random.standard_normal(CELLS)
        )
        return tuple(readings_v.round(3).tolist())
