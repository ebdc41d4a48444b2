"""A pack of cells in series and the JK board's view of it: what flows, and what the board reads.

Protections and their delays are the firmware's business: it looks at `Pack.measure` and works the two MOSFETs.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import IntEnum
from math import ceil
from random import Random

from simulator.cell import REFERENCE_CAPACITY_AH, Cell
from simulator.heat import Heat

FEWEST_CELLS, MOST_CELLS = 3, 32
LONGEST_STEP_S = 5.0
"""A longer step is divided, so that a balancing phase is never stepped over and heat goes its way smoothly."""

BALANCE_PHASE_S = 5.0
"""Drain and charge alternate, so half of the nominal current moves on average."""
BALANCE_EFFICIENCY = 0.85
OPEN_WIRE_SHIFT_V = 0.8
"""What a cut sense lead takes from the reading of one neighbour and gives to the other."""


class BalanceAction(IntEnum):
    """As the board reports it."""

    OFF = 0
    CHARGING = 1
    DRAINING = 2


@dataclass(frozen=True, slots=True)
class BoardSettings:
    """The settings that measuring, counting and balancing depend on; the rest belongs to the firmware."""

    balancer_enabled: bool = True
    balance_start_v: float = 3.42
    balance_trigger_v: float = 0.005
    balance_current_a: float = 2.0
    soc_100_voltage_v: float = 3.445
    soc_0_voltage_v: float = 2.80


@dataclass(frozen=True, slots=True)
class Stuck:
    """The sensor stands at a value, whatever happens."""

    value: float


@dataclass(frozen=True, slots=True)
class Jump:
    """The sensor is off by an amount."""

    by: float


@dataclass(frozen=True, slots=True)
class Missing:
    """Nothing is connected: a cell or the current reads 0, a probe has no value."""


@dataclass(frozen=True, slots=True)
class OpenWire:
    """The sense lead between this cell and the next is cut: the two read wrong in opposite directions."""


type SensorError = Stuck | Jump | Missing


@dataclass(frozen=True, slots=True)
class MeasuringErrors:
    """What a board gets wrong for good; noise comes on top of it."""

    cell_offsets_v: tuple[float, ...]
    probe_offsets_k: tuple[float, ...]
    current_gain: float
    current_offset_a: float
    dead_zone_a: float
    """A smaller true current reads 0."""
    voltage_calibration: float = 1.0
    """What the board multiplies voltages by before it says them, and currents by the next."""
    current_calibration: float = 1.0
    cell_noise_v: float = 0.001
    current_noise_a: float = 0.05
    probe_noise_k: float = 0.07

    @classmethod
    def drawn(cls, random: Random, cell_count: int, probe_count: int) -> MeasuringErrors:
        """Draw a usual board: cells ±3 mV, probes ±1 K, current ±1 % and 0.3 to 1 A off, blind below 0.3 to 0.5 A."""
        return cls(
            cell_offsets_v=tuple(random.uniform(-0.003, 0.003) for _ in range(cell_count)),
            probe_offsets_k=tuple(random.uniform(-1, 1) for _ in range(probe_count)),
            current_gain=random.uniform(0.99, 1.01),
            current_offset_a=random.choice((-1, 1)) * random.uniform(0.3, 1.0),
            dead_zone_a=random.uniform(0.3, 0.5),
        )


@dataclass(frozen=True, slots=True)
class Measurement:
    """What the board knows, in the resolution of its frames: mV, mA, 0.1 °C, mΩ.

    It takes the cells, the pack voltage, the current and its sensor's raw reading 10 to 50 ms apart.
    """

    cell_voltages_v: tuple[float, ...]
    """0 is what the board reads where no cell is connected."""
    pack_voltage_v: float
    """Measured on its own: within 2 mV of the sum of the cells unless a cell reading is wrong."""
    current_a: float
    sensor_current_a: float
    """The current behind the raw reading of its sensor."""
    probe_temperatures_c: tuple[float | None, ...]
    mos_temperature_c: float
    balance_current_a: float
    """Negative while draining a cell."""
    balance_action: BalanceAction
    lead_resistances_ohm: tuple[float, ...]
    highest_cell: int
    """Index from 0."""
    lowest_cell: int
    state_of_charge: float
    """Fraction."""
    remaining_ah: float
    full_ah: float
    cycles: int
    throughput_ah: float
    state_of_health_pct: int


class Balancer:
    """Carries charge from the highest to the lowest cell by a store that it fills and empties in turn."""

    __slots__ = ("_left_s", "_receiver", "_stored_as", "action", "cell", "current_a")

    def __init__(self) -> None:
        self.action = BalanceAction.OFF
        self.cell = 0
        """The cell in work; meaningless while off."""
        self.current_a = 0.0
        """Of that cell: negative while it's drained."""
        self._receiver = 0
        self._stored_as = 0.0
        self._left_s = 0.0

    def step(self, dt_s: float, readings_v: list[float], settings: BoardSettings) -> None:
        """Decide what flows during the next `dt_s`. A move once begun is finished, unless switched off."""
        if not settings.balancer_enabled:
            self._stored_as = 0.0
            self.action = BalanceAction.OFF
        elif self.action is BalanceAction.DRAINING and self._left_s <= 0:
            self.action, self.cell = BalanceAction.CHARGING, self._receiver
        elif self.action is BalanceAction.OFF or (self.action is BalanceAction.CHARGING and self._stored_as < 1e-9):
            self._choose(readings_v, settings)

        if self.action is BalanceAction.DRAINING:
            self.current_a = -settings.balance_current_a
            self._stored_as += settings.balance_current_a * dt_s * BALANCE_EFFICIENCY
            self._left_s -= dt_s
        elif self.action is BalanceAction.CHARGING:
            self.current_a = min(settings.balance_current_a, self._stored_as / dt_s)
            self._stored_as -= self.current_a * dt_s
        else:
            self.current_a = 0.0

    def _choose(self, readings_v: list[float], settings: BoardSettings) -> None:
        highest_v = max(readings_v)
        lowest_v = _lowest_v(readings_v)
        if highest_v >= settings.balance_start_v and highest_v - lowest_v >= settings.balance_trigger_v:
            self.action = BalanceAction.DRAINING
            self.cell = readings_v.index(highest_v)
            self._receiver = readings_v.index(lowest_v)
            self._left_s = BALANCE_PHASE_S
        else:
            self.action = BalanceAction.OFF


class Pack:
    """Cells in series, a balancer, two MOSFETs, and a board that measures all this imperfectly.

    The same seed gives the same pack and, stepped alike, the same life; measuring changes nothing in it.
    To be changed while it runs: the MOSFETs, `settings`, `errors`, `ambient_c`, `fan`, the sensor errors by index,
    `lead_resistances_ohm`, `full_ah` (the capacity the board counts with), and the faults of each cell.

    Raises ValueError for fewer than 3 or more than 32 cells.
    """

    def __init__(
        self,
        cell_count: int = 16,
        capacity_ah: float = 280.0,
        *,
        seed: int = 1,
        state_of_charge: float = 0.5,
        ambient_c: float = 20.0,
        probe_count: int = 2,
        settings: BoardSettings | None = None,
    ) -> None:
        if not FEWEST_CELLS <= cell_count <= MOST_CELLS:
            raise ValueError(f"{cell_count} cells: a board takes {FEWEST_CELLS} to {MOST_CELLS}")
        birth = Random(f"birth {seed}")
        self._drift_random = Random(f"drift {seed}")
        self._noise_random = Random(f"noise {seed}")
        self._ripple_random = Random(f"ripple {seed}")
        self.cells = [
            Cell(
                capacity_ah,
                capacity_ah=capacity_ah * birth.gauss(1.0, 0.004),
                # A pack balanced at the top: the cells lack the same charge until full, give or take 0.05 %.
                headroom_ah=capacity_ah * (1 - state_of_charge + birth.uniform(0, 0.0005)),
                resistance_factor=birth.gauss(1.0, 0.04),
                contact_ohm=birth.uniform(0.05e-3, 0.10e-3) * 280 / capacity_ah,
                temperature_c=ambient_c,
            )
            for _ in range(cell_count)
        ]
        for cell in self.cells:
            cell.self_discharge_per_month = birth.uniform(0.005, 0.010)
        self.ambient_c = ambient_c
        self.fan = 0.0
        """Share of its full speed, of a fan that moves the air in the cabinet."""
        uneven = Random(f"heat {seed}")
        self.heat = Heat(
            ambient_c,
            losses=[uneven.gauss(1.0, 0.05) for _ in range(cell_count)],
            probe_cells=[int((probe + 0.5) * cell_count / probe_count) for probe in range(probe_count)],
            size=capacity_ah / REFERENCE_CAPACITY_AH,
        )

        self.charge_mosfet_on = True
        self.discharge_mosfet_on = True
        self.current_a = 0.0
        """What really flows."""
        self.settings = settings or BoardSettings()
        self.balancer = Balancer()

        self.errors = MeasuringErrors.drawn(birth, cell_count, probe_count)
        self.cell_errors: dict[int, SensorError | OpenWire] = {}
        self.probe_errors: dict[int, SensorError] = {}
        self.current_error: SensorError | None = None
        middle = (cell_count - 1) / 2
        self.lead_resistances_ohm = [
            0.14 - 0.08 * abs(index - middle) / middle + birth.uniform(-0.003, 0.003) for index in range(cell_count)
        ]
        self._lead_readings_ohm = tuple(self.lead_resistances_ohm)
        self._current_reading_a = 0.0

        self.full_ah = capacity_ah
        self.remaining_ah = capacity_ah * state_of_charge
        self.throughput_ah = 0.0
        """Charge ever drawn, as counted."""
        self.state_of_health_pct = 100

    @property
    def voltage_v(self) -> float:
        """The true voltage of all cells."""
        return sum(cell.voltage_v for cell in self.cells)

    def step(self, dt_s: float, current_a: float) -> None:
        """Live on for `dt_s` seconds while the outside wants `current_a`; an open MOSFET bars its direction."""
        parts = max(1, ceil(dt_s / LONGEST_STEP_S))
        for _ in range(parts):
            self._advance(dt_s / parts, current_a)

    def settle(self) -> None:
        """Let the cells be as after hours of rest, and the board measure such small currents without an offset."""
        for cell in self.cells:
            cell.fast_v = cell.slow_v = 0.0
        self.errors = replace(self.errors, current_offset_a=0.0, dead_zone_a=0.0)

    def measure(self, ripple_a: float = 0.0) -> Measurement:
        """Read everything at this instant, with noise.

        `ripple_a` is the standard deviation of a ripple on the current that flows, too fast for two readings to see
        the same of it.
        """
        errors = self.errors
        random = self._noise_random.random
        noise_v = errors.cell_noise_v
        cells_a, pack_a, current_a, sensor_a = self._ripples_a(ripple_a)
        seen = [
            round(value + cells_a * cell.ohmic_ohm + noise_v * (2 * random() - 1), 3)
            for value, cell in zip(self._cell_readings_v(), self.cells, strict=True)
        ]
        ohmic_ohm = sum(cell.ohmic_ohm for cell in self.cells)
        pack_voltage_v = round(sum(seen) + (pack_a - cells_a) * ohmic_ohm + 0.002 * (2 * random() - 1), 3)
        seen = [round(value, 3) for value in self._with_cell_errors(seen)]
        return Measurement(
            cell_voltages_v=tuple(seen),
            pack_voltage_v=pack_voltage_v,
            current_a=round(self._current_reading_a + self._seen_by_sensor_a(current_a), 3),
            # The raw reading is that from before any calibration.
            sensor_current_a=round(
                (self._current_reading_a + self._seen_by_sensor_a(sensor_a)) / errors.current_calibration, 3
            ),
            probe_temperatures_c=tuple(
                self._probe_reading_c(probe, errors.probe_noise_k * (2 * random() - 1))
                for probe in range(len(self.heat.probes_c))
            ),
            mos_temperature_c=round(self.heat.mosfet_c + errors.probe_noise_k * (2 * random() - 1), 1),
            balance_current_a=round(self.balancer.current_a, 3),
            balance_action=self.balancer.action,
            lead_resistances_ohm=tuple(round(value, 3) for value in self._lead_readings_ohm),
            highest_cell=seen.index(max(seen)),
            lowest_cell=seen.index(_lowest_v(seen)),
            state_of_charge=self.remaining_ah / self.full_ah,
            remaining_ah=round(self.remaining_ah, 3),
            full_ah=round(self.full_ah, 3),
            cycles=int(self.throughput_ah / self.full_ah),
            throughput_ah=round(self.throughput_ah, 3),
            state_of_health_pct=self.state_of_health_pct,
        )

    def _advance(self, dt_s: float, current_a: float) -> None:
        if (current_a > 0 and not self.charge_mosfet_on) or (current_a < 0 and not self.discharge_mosfet_on):
            current_a = 0.0
        self.current_a = current_a

        seen_v = self._with_cell_errors(self._cell_readings_v())
        balancer = self.balancer
        balancer.step(dt_s, seen_v, self.settings)
        balanced = -1
        if balancer.action is not BalanceAction.OFF:
            balanced = balancer.cell
            self._lead_readings_ohm = tuple(self.lead_resistances_ohm)

        for index, cell in enumerate(self.cells):
            cell.step(dt_s, current_a + balancer.current_a if index == balanced else current_a)
        self._spread_heat(dt_s)
        self._count(dt_s, seen_v)

    def _spread_heat(self, dt_s: float) -> None:
        cells, heat = self.cells, self.heat
        heat.cells_c = [cell.temperature_c for cell in cells]
        heat.flow(
            dt_s,
            [cell.heat_w for cell in cells],
            current_a=self.current_a,
            ambient_c=self.ambient_c,
            fan=self.fan,
        )
        for cell, temperature_c in zip(cells, heat.cells_c, strict=True):
            cell.temperature_c = temperature_c

    def _count(self, dt_s: float, seen_v: list[float]) -> None:
        """The board's own bookkeeping: it only knows what it reads."""
        current_a = self._read_current_a()
        self._current_reading_a = current_a
        moved_ah = current_a * dt_s / 3600
        self.throughput_ah += max(0.0, -moved_ah)
        self.remaining_ah = min(max(self.remaining_ah + moved_ah, 0.0), self.full_ah)
        if max(seen_v) >= self.settings.soc_100_voltage_v:
            self.remaining_ah = self.full_ah
        elif _lowest_v(seen_v) <= self.settings.soc_0_voltage_v:
            self.remaining_ah = 0.0

    def _read_current_a(self) -> float:
        errors = self.errors
        true_a = self.current_a
        reading_a = 0.0
        if abs(true_a) >= errors.dead_zone_a:
            noise_a = errors.current_noise_a * (2 * self._drift_random.random() - 1)
            reading_a = (true_a * errors.current_gain + errors.current_offset_a + noise_a) * errors.current_calibration
        if self.current_error is not None:
            return _with_error(reading_a, self.current_error) or 0.0
        return reading_a

    def _ripples_a(self, ripple_a: float) -> tuple[float, float, float, float]:
        """Draw what of the ripple flows at the four instants of a measurement."""
        if not ripple_a or not self.current_a:
            return 0.0, 0.0, 0.0, 0.0
        gauss = self._ripple_random.gauss
        return gauss(0, ripple_a), gauss(0, ripple_a), gauss(0, ripple_a), gauss(0, ripple_a)

    def _seen_by_sensor_a(self, ripple_a: float) -> float:
        """What of a ripple a sensor sees: nothing below the dead zone, or while it stands still or is missing."""
        is_blind = abs(self.current_a) < self.errors.dead_zone_a or isinstance(self.current_error, Stuck | Missing)
        return 0.0 if is_blind else ripple_a * self.errors.current_gain * self.errors.current_calibration

    def _cell_readings_v(self) -> list[float]:
        """The cells as a sound board reads them, noise aside."""
        errors = self.errors
        calibration = errors.voltage_calibration
        return [
            (cell.voltage_v + offset_v) * calibration
            for cell, offset_v in zip(self.cells, errors.cell_offsets_v, strict=True)
        ]

    def _with_cell_errors(self, readings_v: list[float]) -> list[float]:
        if not self.cell_errors:
            return readings_v
        seen_v = list(readings_v)
        for index, error in self.cell_errors.items():
            if isinstance(error, OpenWire):
                seen_v[index] -= OPEN_WIRE_SHIFT_V
                if index + 1 < len(seen_v):
                    seen_v[index + 1] += OPEN_WIRE_SHIFT_V
            else:
                seen_v[index] = _with_error(seen_v[index], error) or 0.0
        return seen_v

    def _probe_reading_c(self, probe: int, noise_k: float) -> float | None:
        value_c = self.heat.probes_c[probe] + self.errors.probe_offsets_k[probe] + noise_k
        error = self.probe_errors.get(probe)
        read_c = value_c if error is None else _with_error(value_c, error)
        return None if read_c is None else round(read_c, 1)


def _lowest_v(readings_v: list[float]) -> float:
    """The lowest of the cells that are connected; 0 without any."""
    return min(filter(None, readings_v), default=0.0)


def _with_error(value: float, error: SensorError) -> float | None:
    match error:
        case Stuck(value=stuck):
            return stuck
        case Jump(by=by):
            return value + by
        case Missing():
            return None
