"""What a pack is connected to: a house with panels on its roof, and the charger-inverter between them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import exp, pi, sin
from random import Random

DAY_S = 86400.0
SUNRISE_H, SUNSET_H = 6.5, 17.5
EVENING_H = (18.0, 23.0)
CLOUD_S = 120.0
APPLIANCE_S = 600.0

# Rates in multiples of the capacity per hour: most days fill the pack, a night takes about three quarters of it.
SUN_RATE = 0.30
BASE_RATE = 0.02
EVENING_RATE = 0.08
APPLIANCE_RATE = 0.08
APPLIANCE_CHANCE = 0.12


@lru_cache(maxsize=256)
def _draw(name: str) -> float:
    """A number from 0 to 1 that belongs to a name for ever."""
    return Random(name).random()


@dataclass(frozen=True, slots=True)
class House:
    """A house fit for a pack of `capacity_ah`; its days differ by `seed` and by date."""

    capacity_ah: float
    seed: int = 1

    def current_a(self, t_s: float) -> float:
        """What the sun leaves over (positive) or the house lacks (negative), in A, `t_s` seconds after a midnight."""
        day, second = divmod(t_s, DAY_S)
        hour = second / 3600
        rate = -BASE_RATE
        if SUNRISE_H < hour < SUNSET_H:
            haze = 0.5 + 0.5 * self._chance("day", day)
            cloud = 0.85 + 0.3 * self._chance("cloud", t_s // CLOUD_S)
            rate += SUN_RATE * haze * cloud * sin(pi * (hour - SUNRISE_H) / (SUNSET_H - SUNRISE_H))
        if EVENING_H[0] <= hour < EVENING_H[1]:
            rate -= EVENING_RATE
        appliance = self._chance("appliance", t_s // APPLIANCE_S) / APPLIANCE_CHANCE
        if appliance < 1:
            rate -= APPLIANCE_RATE * (0.5 + appliance)
        return rate * self.capacity_ah

    def _chance(self, what: str, number: float) -> float:
        return _draw(f"{self.seed} {what} {int(number)}")


class Charger:
    """A charger-inverter that charges up to a voltage limit and stops discharging below another.

    Its charge current moves towards what is allowed with a lag, and no faster than 2.5 A/s for each volt that is
    left to the charge voltage limit; above that limit it moves towards 0. The limits may be changed while it runs.
    """

    GAIN_A_PER_VS = 2.5
    RESTART_V_PER_CELL = 0.10
    """Discharge begins again that much above the discharge voltage limit."""

    def __init__(
        self,
        *,
        cell_count: int,
        charge_current_limit_a: float = 140.0,
        discharge_current_limit_a: float = 140.0,
        lag_s: float = 10.0,
    ) -> None:
        self.charge_voltage_limit_v = 3.45 * cell_count
        self.discharge_voltage_limit_v = 2.95 * cell_count
        self.charge_current_limit_a = charge_current_limit_a
        self.discharge_current_limit_a = discharge_current_limit_a
        self.lag_s = lag_s
        self._restart_v = self.RESTART_V_PER_CELL * cell_count
        self._charge_a = 0.0
        self._empty = False

    def step(self, dt_s: float, wanted_a: float, pack_voltage_v: float) -> float:
        """Give the current in A for the next `dt_s`, of what the house offers (positive) or asks for (negative)."""
        threshold_v = self.discharge_voltage_limit_v + (self._restart_v if self._empty else 0.0)
        self._empty = pack_voltage_v < threshold_v
        if wanted_a <= 0:
            self._charge_a = 0.0
            return 0.0 if self._empty else max(wanted_a, -self.discharge_current_limit_a)
        left_v = self.charge_voltage_limit_v - pack_voltage_v
        target_a = min(wanted_a, self.charge_current_limit_a) if left_v > 0 else 0.0
        towards_a = (target_a - self._charge_a) * (1 - exp(-dt_s / self.lag_s))
        self._charge_a = max(0.0, self._charge_a + min(towards_a, self.GAIN_A_PER_VS * left_v * dt_s))
        return self._charge_a
