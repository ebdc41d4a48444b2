"""What has to be known of a pack, and where does it become too hot?

LFP by the table of levels of the guide: 45 °C is where chargers have to throttle, 55 to 60 °C where data sheets end.
Cells of NMC age faster in heat and run away from lower temperatures (5 °C earlier); LTO is rated 10 °C further. What a
pack makes of its current is a prior, from thick prismatic cells of 280 Ah with 0.5 mΩ and 5.8 kJ/K each; the engine
learns its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from ...bms.telemetry import Chemistry
from .interface import ThermalLevel

_JOULE_C_S_A2: Final = 8.6e-8
_JOULE_CAPACITY_AH: Final = 280


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Temperatures in °C at which a level is entered: by what is, and by what is forecast."""

    cool_c: float = 43
    reduce_c: float = 48
    stop_c: float = 55
    emergency_c: float = 65
    violent_emergency_c: float = 60
    """A violent rise is an emergency from here on."""
    cool_forecast_c: float = 45
    """Within 30 minutes."""
    reduce_forecast_c: float = 50
    """Within 20 minutes."""
    stop_forecast_c: float = 58
    """Within 5 minutes."""
    cool_release_c: float = 42
    """Level 1 ends when the forecast for the next 30 minutes stays below."""
    stop_release_c: float = 45
    """Levels 3 and 4 end below."""
    target_c: float = 45
    """What the current is held for."""
    shown_c: tuple[float, ...] = (45, 50, 55, 60)
    """For which the time until then is published."""

    def reached(self, temperature_c: float) -> tuple[ThermalLevel, float] | None:
        """Return the highest level that a temperature speaks for, and where that begins."""
        if temperature_c < self.cool_c:
            return None
        if temperature_c < self.reduce_c:
            return ThermalLevel.COOL, self.cool_c
        if temperature_c < self.stop_c:
            return ThermalLevel.REDUCE, self.reduce_c
        if temperature_c < self.emergency_c:
            return ThermalLevel.STOP, self.stop_c
        return ThermalLevel.EMERGENCY, self.emergency_c

    def shifted(self, by_c: float) -> Thresholds:
        """Return the same ladder `by_c` °C higher."""
        return Thresholds(
            self.cool_c + by_c,
            self.reduce_c + by_c,
            self.stop_c + by_c,
            self.emergency_c + by_c,
            self.violent_emergency_c + by_c,
            self.cool_forecast_c + by_c,
            self.reduce_forecast_c + by_c,
            self.stop_forecast_c + by_c,
            self.cool_release_c + by_c,
            self.stop_release_c + by_c,
            self.target_c + by_c,
            tuple(shown_c + by_c for shown_c in self.shown_c),
        )


THRESHOLDS: Final = {
    Chemistry.LFP: Thresholds(),
    Chemistry.LI_ION: Thresholds().shifted(-5),
    Chemistry.LTO: Thresholds().shifted(10),
}


@dataclass(frozen=True, slots=True)
class ThermalConfig:
    """One pack."""

    capacity_ah: float = 280
    thresholds: Thresholds = THRESHOLDS[Chemistry.LFP]
    mos_limit_c: float | None = 100
    """The MOSFETs' over-temperature protection as the board has it; None where it is unknown."""
    time_constant_s: float = 5.2 * 3600
    """How long the pack takes to get to 63 % of the way to the temperature of its surroundings."""
    slope_noise_c2_s3: float = 2e-11
    """How fast the heat of the pack may change by itself; 2e-8 for bare cells of some Ah."""
    plateau_v: tuple[float, float] | None = (3.20, 3.346)
    """The flat part of the resting cells' curve, where sagging can be told from being emptier; None: there is none."""
    frame_period_s: float = 0.5
    """How far frames are apart."""
    joule_c_s_a2: float | None = None
    """Heating by the square of the current; None: that of cells of this capacity."""

    @property
    def joule_prior_c_s_a2(self) -> float:
        """°C/s per A²."""
        if self.joule_c_s_a2 is not None:
            return self.joule_c_s_a2
        return _JOULE_C_S_A2 * (_JOULE_CAPACITY_AH / self.capacity_ah) ** 2
