"""One LFP cell: open-circuit voltage, two RC pairs, hysteresis, and the heat that comes of a current.

The figures are those of 280 Ah prismatic cells at 25 °C; resistance scales with capacity. Where the heat goes is for
`simulator.heat`, which the pack sets each cell's temperature by.
Positive current charges. Faults are plain attributes to change while the cell runs:

- a runner or a low cell: add to or take from `charge_ah`;
- a weak cell: `lose_capacity`;
- high resistance: `resistance_factor` (1 is a good cell);
- a bad contact: `contact_ohm`;
- self-discharge: `self_discharge_per_month` (0.03 is a bad cell);
- heat from outside: `heater_w`; a short inside, which also drains the cell: `short_w`.
"""

from __future__ import annotations

from bisect import bisect_right
from itertools import pairwise
from math import exp, log

from simulator.heat import ZERO_CELSIUS_K

type Knots = tuple[tuple[float, float], ...]
"""Points (x, y) of a curve, x rising."""

REFERENCE_CAPACITY_AH = 280.0
OHMIC_OHM, FAST_OHM, SLOW_OHM = 0.22e-3, 0.10e-3, 0.15e-3
FAST_S, SLOW_S = 30.0, 900.0
"""Time constants of the two RC pairs."""
CHARGE_EFFICIENCY = 0.995
HYSTERESIS_REACH = 0.01
"""Share of the capacity after which a reversal of the current has moved the hysteresis by 1 - 1/e."""
SHORT_REFERENCE_V = 3.3
"""Voltage at which `short_w` is meant; the short itself is a resistance and fades with the cell."""
MONTH_H = 30 * 24.0

# Mean of charge and discharge at 25 °C, SOC in per cent, mV.
_OPEN_CIRCUIT_MV: Knots = (
    *((0, 2286), (0.5, 2683), (1, 2783), (2, 2895), (3, 2967), (5, 3065), (7.5, 3146), (10, 3197), (12.5, 3207)),
    *((15, 3212), (20, 3234), (25, 3255), (30, 3270), (35, 3283), (40, 3292), (45, 3297), (50, 3299.5), (55, 3301)),
    *((60, 3303.5), (65, 3306.5), (70, 3311), (75, 3318.5), (80, 3334.5), (85, 3340), (90, 3342.5), (92.5, 3343.3)),
    *((95, 3344.7), (96, 3345.3), (97, 3346.3), (98, 3348.7), (98.5, 3352.2), (99, 3361.8), (99.5, 3396.3)),
    (100, 3530.5),
)
# Half width, mV: the charge branch lies above the mean, the discharge branch below.
_HYSTERESIS_MV: Knots = (
    *((0, 30), (10, 25), (20, 25), (30, 29), (40, 23), (50, 19), (60, 19), (70, 21), (80, 19), (90, 17), (100, 30)),
)
# dU/dT in 0.1 mV/K.
_ENTROPY: Knots = (
    *((0, -4.9), (10, -1.6), (20, -1.2), (30, -0.44), (40, 0.98), (50, 1.1), (60, 1.3), (70, 1.45), (80, 1.0)),
    *((90, 0.84), (100, 1.2)),
)
_RESISTANCE_CHARGING: Knots = ((0, 0.84), (10, 0.84), (50, 1.0), (90, 1.19), (100, 1.19))
_RESISTANCE_DISCHARGING: Knots = ((0, 1.29), (20, 1.05), (50, 1.0), (70, 0.87), (90, 0.89), (100, 0.89))
# Below 10 °C extrapolated from a measurement at 10, 25 and 40 °C; held at both ends.
_RESISTANCE_BY_TEMPERATURE: Knots = ((-10, 2.6), (0, 1.9), (10, 1.43), (25, 1.0), (40, 0.795))


def _interpolate(knots: Knots, x: float) -> float:
    index = min(max(bisect_right(knots, x, key=lambda knot: knot[0]) - 1, 0), len(knots) - 2)
    (x0, y0), (x1, y1) = knots[index : index + 2]
    return y0 + (y1 - y0) * (x - x0) / (x1 - x0)


def _lines(values: list[float]) -> list[tuple[float, float]]:
    """Start and rise of each piece between neighbours."""
    return [(low, high - low) for low, high in pairwise(values)]


# All knots are multiples of 0.5 % SOC: on that even grid a lookup is one index instead of a search.
_PIECES = 200


def _even(knots: Knots, scale: float) -> list[tuple[float, float]]:
    return _lines([_interpolate(knots, step * 100 / _PIECES) * scale for step in range(_PIECES + 1)])


_VOLTAGE = _even(_OPEN_CIRCUIT_MV, 1e-3)
_HYSTERESIS = _even(_HYSTERESIS_MV, 1e-3)
_HEAT = _even(_ENTROPY, 1e-4)
_CHARGING, _DISCHARGING = (
    [(*v, *h, *e, *r) for v, h, e, r in zip(_VOLTAGE, _HYSTERESIS, _HEAT, _even(resistance, 1.0), strict=True)]
    for resistance in (_RESISTANCE_CHARGING, _RESISTANCE_DISCHARGING)
)
_COLDEST_C, _WARMEST_C = -10, 40
_TEMPERATURE = _lines(
    [
        exp(_interpolate(tuple((t, log(factor)) for t, factor in _RESISTANCE_BY_TEMPERATURE), celsius))
        for celsius in range(_COLDEST_C, _WARMEST_C + 1)
    ]
)


def open_circuit_voltage_v(state_of_charge: float) -> float:
    """Rest voltage in V, hysteresis aside, of a state of charge as a fraction; straight on outside 0 to 1."""
    position = state_of_charge * _PIECES
    index = min(max(int(position), 0), _PIECES - 1)
    voltage_v, rise_v = _VOLTAGE[index]
    return voltage_v + rise_v * (position - index)


def temperature_factor(temperature_c: float) -> float:
    """Resistance against that at 25 °C: 2.6 at -10 °C, 0.795 at 40 °C, held beyond."""
    above = min(max(temperature_c, _COLDEST_C), _WARMEST_C) - _COLDEST_C
    index = min(int(above), len(_TEMPERATURE) - 1)
    factor, rise = _TEMPERATURE[index]
    return factor + rise * (above - index)


class Cell:
    """A cell of `nominal_ah` that starts at rest, at `headroom_ah` below full."""

    __slots__ = (
        "capacity_ah",
        "charge_ah",
        "contact_ohm",
        "fast_v",
        "heat_w",
        "heater_w",
        "hysteresis",
        "nominal_ah",
        "ohmic_ohm",
        "resistance_factor",
        "self_discharge_per_month",
        "short_w",
        "slow_v",
        "temperature_c",
        "voltage_v",
    )

    def __init__(
        self,
        nominal_ah: float = REFERENCE_CAPACITY_AH,
        *,
        capacity_ah: float | None = None,
        headroom_ah: float = 0.0,
        resistance_factor: float = 1.0,
        contact_ohm: float = 0.0,
        temperature_c: float = 25.0,
    ) -> None:
        self.nominal_ah = nominal_ah
        self.capacity_ah = nominal_ah if capacity_ah is None else capacity_ah
        self.charge_ah = self.capacity_ah - headroom_ah
        self.resistance_factor = resistance_factor
        self.contact_ohm = contact_ohm
        self.temperature_c = temperature_c
        self.self_discharge_per_month = 0.0
        self.heater_w = 0.0
        self.short_w = 0.0
        self.fast_v = 0.0
        self.slow_v = 0.0
        self.hysteresis = 0.0
        self.heat_w = 0.0
        self.ohmic_ohm = contact_ohm
        """What the voltage follows the current by at once, as of the last step."""
        self.voltage_v = open_circuit_voltage_v(self.state_of_charge)

    @property
    def state_of_charge(self) -> float:
        """The true charge as a fraction of the cell's own capacity."""
        return self.charge_ah / self.capacity_ah

    def lose_capacity(self, fraction: float) -> None:
        """Age at once by a fraction of the capacity; what is missing until full stays the same."""
        lost_ah = self.capacity_ah * fraction
        self.capacity_ah -= lost_ah
        self.charge_ah -= lost_ah

    def step(self, dt_s: float, current_a: float) -> None:
        """Let `current_a` flow at the terminals for `dt_s` seconds; exact for the RC pairs at any step."""
        inner_a = current_a
        short_heat_w = 0.0
        if self.short_w:
            short_a = self.voltage_v * self.short_w / SHORT_REFERENCE_V**2
            inner_a -= short_a
            short_heat_w = self.voltage_v * short_a
        capacity_ah = self.capacity_ah
        hours = dt_s / 3600
        if inner_a > 0:
            self.charge_ah += CHARGE_EFFICIENCY * inner_a * hours
            table, branch = _CHARGING, 1.0
        else:
            self.charge_ah += inner_a * hours
            table, branch = _DISCHARGING, -1.0
        if self.self_discharge_per_month:
            self.charge_ah -= self.self_discharge_per_month * self.nominal_ah / MONTH_H * hours

        position = self.charge_ah / capacity_ah * _PIECES
        index = int(position)
        if index >= _PIECES:
            index = _PIECES - 1
        elif index < 0:
            index = 0
        beyond = position - index
        ocv_v, ocv_rise, width_v, width_rise, entropy, entropy_rise, factor, factor_rise = table[index]

        temperature_c = self.temperature_c
        scale = (
            (factor + factor_rise * beyond)
            * temperature_factor(temperature_c)
            * self.resistance_factor
            * (REFERENCE_CAPACITY_AH / self.nominal_ah)
        )
        fast_ohm = FAST_OHM * scale
        slow_ohm = SLOW_OHM * scale
        ohmic_v = inner_a * OHMIC_OHM * scale
        self.ohmic_ohm = OHMIC_OHM * scale + self.contact_ohm
        fast_v = inner_a * fast_ohm
        fast_v += (self.fast_v - fast_v) * exp(-dt_s / FAST_S)
        slow_v = inner_a * slow_ohm
        slow_v += (self.slow_v - slow_v) * exp(-dt_s / SLOW_S)
        self.fast_v = fast_v
        self.slow_v = slow_v
        moved = abs(inner_a) * hours / (HYSTERESIS_REACH * capacity_ah)
        self.hysteresis = branch + (self.hysteresis - branch) * exp(-moved)
        self.voltage_v = (
            ocv_v
            + ocv_rise * beyond
            + (width_v + width_rise * beyond) * self.hysteresis
            + ohmic_v
            + current_a * self.contact_ohm
            + fast_v
            + slow_v
        )

        self.heat_w = (
            inner_a * ohmic_v
            + current_a * current_a * self.contact_ohm
            + fast_v * fast_v / fast_ohm
            + slow_v * slow_v / slow_ohm
            + inner_a * (temperature_c + ZERO_CELSIUS_K) * (entropy + entropy_rise * beyond)
            + short_heat_w
            + self.heater_w
        )
