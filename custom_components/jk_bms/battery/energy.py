"""How much energy went in and out, and how much is stored?

The boards count charge, not energy. Between two frames the power is taken as a straight line (trapezoid), charging and
discharging apart. Over a gap longer than the age limit of the data nothing is counted: nobody knows what happened.
Nominal cell voltages are those of the cell makers' data sheets.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from ..bms.telemetry import Chemistry, Settings, Telemetry
from .chemistry import chemistry_of

_WS_PER_KWH: Final = 3_600_000
NOMINAL_CELL_VOLTAGE_V: Final = {Chemistry.LFP: 3.2, Chemistry.LI_ION: 3.65, Chemistry.LTO: 2.3}


@dataclass(frozen=True, slots=True)
class Energy:
    """Energy since the meter was made."""

    charged_kwh: float = 0
    discharged_kwh: float = 0


class EnergyMeter:
    """Integrates the power of every frame; gaps longer than `longest_gap_s` seconds are left out."""

    def __init__(self, longest_gap_s: float) -> None:
        self._longest_gap_s = longest_gap_s
        self._last: tuple[float, float] | None = None
        self._charged_ws = 0.0
        self._discharged_ws = 0.0

    def step(self, telemetry: Telemetry, now_s: float) -> Energy:
        """Take a frame at a monotonic time in seconds; return the totals. A board without current stays at zero."""
        power_w = telemetry.power_w
        if power_w is None:
            self._last = None
        else:
            if self._last is not None and now_s - self._last[1] <= self._longest_gap_s:
                last_w, last_s = self._last
                half_s = (now_s - last_s) / 2
                self._charged_ws += (max(last_w, 0) + max(power_w, 0)) * half_s
                self._discharged_ws -= (min(last_w, 0) + min(power_w, 0)) * half_s
            self._last = power_w, now_s
        return Energy(self._charged_ws / _WS_PER_KWH, self._discharged_ws / _WS_PER_KWH)


def stored_energy_kwh(telemetry: Telemetry, settings: Settings | None) -> float | None:
    """Return the remaining charge at nominal voltage: the energy that can be had, give or take the losses."""
    chemistry = chemistry_of(telemetry, settings)
    if chemistry is None or telemetry.remaining_capacity_ah is None:
        return None
    nominal_v = NOMINAL_CELL_VOLTAGE_V[chemistry] * telemetry.cell_count
    return round(telemetry.remaining_capacity_ah * nominal_v / 1000, 3)
