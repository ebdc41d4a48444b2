"""What happens in the rows of a scenarios.csv, frame by frame?

Profiles: `c:v` constant; `s:t0=v0,t1=v1,…` steps; `r:t0,t1,v[,b]` ramp from b to b + v; `q:high,low,period,on_seconds`
square wave; `h:mean,amplitude,period` sine; `d:base,height,t0,t1` half a sine. Corruption is that of the frames, after
everything has been measured. Times are seconds from the start of a row.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import cycle
from math import pi, sin
from pathlib import Path
from random import Random
from typing import Final

from benchmarks.heat.voltages import CellVoltages
from custom_components.jk_bms.battery.thermal.interface import ThermalSample
from simulator.thermal_pack import Surroundings, ThermalPack

type Profile = Callable[[float], float]
type Corruption = Callable[[ThermalSample, float], ThermalSample | None]

LOST_SHARE: Final = 0.02
PROBE_NOISE_C: Final = 0.04
CURRENT_NOISE_A: Final = 0.2
ABSENT_C: Final = -200.0
ACTING: Final = ("current_A", "ambient_C", "sun_W", "heater_W", "fan", "fault_W", "entropic_W_per_A")


@dataclass(frozen=True, slots=True)
class Scenario:
    """A row: what is the case, and what the reference made of it. Minutes count from the onset."""

    name: str
    kind: str
    what: str
    duration_s: int
    onset_s: float
    poll_s: float
    start_c: float | None
    acting: tuple[str, ...]
    fault_cell: int
    enclosure_w_per_k: float
    probe_cells: tuple[int, ...]
    corruption: str
    reference: Mapping[str, float | None]
    max_level_allowed: int | None

    @property
    def is_short(self) -> bool:
        """Whether the fault is inside a cell, so that it sags; a bad terminal or a flame outside isn't."""
        return "short" in self.what

    @property
    def follows_current(self) -> bool:
        """Whether the fault is a resistance: its heat goes with the square of the current."""
        return "terminal" in self.what

    @property
    def loses_probe(self) -> bool:
        """Whether a probe dies of the heat."""
        return "die:" in self.corruption

    @property
    def lasting_changes_s(self) -> list[float]:
        """When the heat changed for good: at the start, at the onset, and at every step of a profile."""
        steps = [float(part.split("=")[0]) for text in self.acting if text[0] == "s" for part in text[2:].split(",")]
        return sorted({0.0, max(self.onset_s, 0.0), *steps})


def read(path: Path) -> list[Scenario]:
    """Read all rows of a table of scenarios."""
    with path.open(newline="", encoding="utf-8") as file:
        return [_scenario(row) for row in csv.DictReader(file)]


def _scenario(row: dict[str, str]) -> Scenario:
    return Scenario(
        row["id"],
        row["class"],
        row["what"],
        round(float(row["hours"]) * 3600),
        float(row["onset_s"]),
        float(row["poll_s"]),
        float(row["start_C"]) if row["start_C"] else None,
        tuple(row[name] for name in ACTING),
        int(row["fault_cell"]),
        float(row["ua_enc_W_per_K"]),
        tuple(map(int, row["probe_cells"].split())),
        row["corruption"],
        {name: float(text) if text else None for name, text in row.items() if name.startswith(("ref_", "base_"))},
        int(row["max_level_allowed"]) if row["max_level_allowed"] else None,
    )


def profile(text: str) -> Profile:
    """Return the course of a quantity over time."""
    kind, _, parameters = text.partition(":")
    if kind == "s":
        steps = [(float(at), float(value)) for at, value in (part.split("=") for part in parameters.split(","))]
        return lambda t: next((value for at, value in reversed(steps) if t >= at), 0.0)
    numbers = [float(number) for number in parameters.split(",")]
    match kind, numbers:
        case "c", [value]:
            return lambda _t: value
        case "r", [start, end, rise, *base]:
            return lambda t: sum(base) + rise * min(max((t - start) / (end - start), 0.0), 1.0)
        case "q", [high, low, period, on]:
            return lambda t: high if t % period < on else low
        case "h", [mean, amplitude, period]:
            return lambda t: mean + amplitude * sin(2 * pi * t / period)
        case "d", [base_value, height, start, end]:
            return lambda t: base_value + (height * sin(pi * (t - start) / (end - start)) if start < t < end else 0.0)
    raise ValueError(f"no profile: {text!r}")


def corruption(text: str, poll_s: float) -> Corruption:
    """Return what spoils the frames of a row; it gives None for a frame that doesn't come."""
    parts = [_corruption(part, poll_s) for part in text.split(";") if part]

    def spoil(sample: ThermalSample, t: float) -> ThermalSample | None:
        spoilt: ThermalSample | None = sample
        for part in parts:
            if spoilt is not None:
                spoilt = part(spoilt, t)
        return spoilt

    return spoil


def with_probe(sample: ThermalSample, probe: int, value_c: float | None) -> ThermalSample:
    """Return the sample with another value of one probe."""
    probes_c = list(sample.probes_c)
    probes_c[probe] = value_c
    return replace(sample, probes_c=tuple(probes_c))


def _corruption(text: str, poll_s: float) -> Corruption:
    match text.split(":"):
        case ["spike", probe, values, every_s]:
            return _Spikes(int(probe), values, float(every_s), 1, poll_s).spoil
        case ["spike2", probe, values, every_s]:
            return _Spikes(int(probe), values, float(every_s), 2, poll_s).spoil
        case ["hold", probe, value, start, end]:
            return lambda sample, t: (
                with_probe(sample, int(probe), float(value)) if float(start) <= t < float(end) else sample
            )
        case ["stick", probe, start, end]:
            return _Sticking(int(probe), float(start), float(end)).spoil
        case ["allzero", every_s]:
            return lambda sample, t: _all_zero(sample) if _begins(t, float(every_s), poll_s) else sample
        case ["loose", probe, offset, probability, start, end]:
            return _Loose(int(probe), float(offset), float(probability), float(start), float(end)).spoil
        case ["wrapneg", probe]:
            return lambda sample, _t: _wrapped(sample, int(probe))
        case ["gap", start, end]:
            return lambda sample, t: None if float(start) <= t < float(end) else sample
        case ["die", probe, value]:
            return _Dying(int(probe), float(value)).spoil
    raise ValueError(f"no corruption: {text!r}")


def _begins(t: float, every_s: float, poll_s: float) -> bool:
    """Whether this is the first frame of a period, the very first one aside."""
    return t >= every_s and t % every_s < poll_s


class _Spikes:
    def __init__(self, probe: int, values: str, every_s: float, length: int, poll_s: float) -> None:
        self._probe, self._every_s, self._length, self._poll_s = probe, every_s, length, poll_s
        self._values_c = cycle([float(value) for value in values.split(",")])
        self._value_c, self._left = 0.0, 0

    def spoil(self, sample: ThermalSample, t: float) -> ThermalSample:
        if _begins(t, self._every_s, self._poll_s):
            self._value_c, self._left = next(self._values_c), self._length
        if not self._left:
            return sample
        self._left -= 1
        return with_probe(sample, self._probe, self._value_c)


class _Sticking:
    def __init__(self, probe: int, start_s: float, end_s: float) -> None:
        self._probe, self._start_s, self._end_s = probe, start_s, end_s
        self._last_c: float | None = None

    def spoil(self, sample: ThermalSample, t: float) -> ThermalSample:
        if self._start_s <= t < self._end_s:
            return with_probe(sample, self._probe, self._last_c)
        self._last_c = sample.probes_c[self._probe]
        return sample


class _Loose:
    def __init__(self, probe: int, offset_c: float, probability: float, start_s: float, end_s: float) -> None:
        self._probe, self._offset_c, self._probability = probe, offset_c, probability
        self._start_s, self._end_s = start_s, end_s
        self._random = Random("loose contact")

    def spoil(self, sample: ThermalSample, t: float) -> ThermalSample:
        value_c = sample.probes_c[self._probe]
        if self._start_s <= t < self._end_s and value_c is not None and self._random.random() < self._probability:
            return with_probe(sample, self._probe, round(value_c + self._offset_c, 1))
        return sample


class _Dying:
    def __init__(self, probe: int, at_c: float) -> None:
        self._probe, self._at_c = probe, at_c
        self._dead = False

    def spoil(self, sample: ThermalSample, _t: float) -> ThermalSample:
        value_c = sample.probes_c[self._probe]
        self._dead = self._dead or (value_c is not None and value_c > self._at_c)
        return with_probe(sample, self._probe, ABSENT_C) if self._dead else sample


def _all_zero(sample: ThermalSample) -> ThermalSample:
    return replace(sample, probes_c=(0.0,) * len(sample.probes_c))


def _wrapped(sample: ThermalSample, probe: int) -> ThermalSample:
    value_c = sample.probes_c[probe]
    return sample if value_c is None or value_c >= 0 else with_probe(sample, probe, round(100 - value_c, 1))


class Board:
    """Measures a pack: noise, tenths of a degree, frames that get lost."""

    def __init__(self, seed: int, spoil: Corruption) -> None:
        self._random = Random(f"board {seed}")
        self._spoil = spoil

    def measure(self, pack: ThermalPack, acting: Surroundings, t: float) -> ThermalSample | None:
        """Return the frame of this moment, without cell voltages; None if it doesn't come."""
        gauss = self._random.gauss
        if self._random.random() < LOST_SHARE:
            return None
        sample = ThermalSample(
            tuple([round(probe_c + gauss(0, PROBE_NOISE_C), 1) for probe_c in pack.probes_c]),
            mos_temperature_c=round(pack.mosfet_c + gauss(0, PROBE_NOISE_C), 1),
            current_a=round(acting.current_a + gauss(0, CURRENT_NOISE_A), 3),
            heating=acting.heater_w > 0,
            ambient_c=round(acting.ambient_c, 1),
        )
        return self._spoil(sample, t)


@dataclass(frozen=True, slots=True)
class Moment:
    """One poll: when, what came of it, and what is true."""

    t_s: float
    sample: ThermalSample | None
    pack: ThermalPack
    cells_v: tuple[float, ...]
    """What the board reads of the cells, for those who look at it; may be empty."""


class Play:
    """A scenario that runs for a drawn pack. `fan` and `current_factor` are there for somebody who acts."""

    def __init__(
        self,
        scenario: Scenario,
        seed: int,
        *,
        poll_s: float | None = None,
        probe_cells: Sequence[int] | None = None,
        with_voltages: bool = True,
    ) -> None:
        self.scenario = scenario
        self.poll_s = scenario.poll_s if poll_s is None else poll_s
        self._profiles = [profile(text) for text in scenario.acting]
        ambient_c = self._profiles[1](0.0)
        self.pack = ThermalPack(
            seed,
            ambient_c if scenario.start_c is None else scenario.start_c,
            probe_cells=scenario.probe_cells if probe_cells is None else probe_cells,
            fault_cell=scenario.fault_cell,
            enclosure_w_per_k=scenario.enclosure_w_per_k,
        )
        self._board = Board(seed, corruption(scenario.corruption, self.poll_s))
        self._voltages = CellVoltages(seed) if with_voltages else None
        self.limit_charge_a = self.limit_discharge_a = float("inf")
        """What somebody who acts lets through."""
        self.fan_on = False
        self.acting = Surroundings()
        self._wanted: tuple[float, ...] = ()

    def moments(self, until_s: float | None = None) -> Iterator[Moment]:
        """Yield every poll until the end of the row, or until another time."""
        pack, poll_s = self.pack, self.poll_s
        end_s = self.scenario.duration_s if until_s is None else until_s
        lived_s, poll = 0, 0
        self._act(0.0)
        while (t := poll * poll_s) < end_s:
            while lived_s < int(t):
                self._act(lived_s)
                pack.step(self.acting)
                lived_s += 1
            cells_v: tuple[float, ...] = ()
            if self._voltages is not None:
                short_w = self.acting.fault_w if self.scenario.is_short else 0.0
                cells_v = self._voltages.after(poll_s if poll else 0.0, self.acting.current_a, short_w, pack.fault_cell)
            yield Moment(t, self._board.measure(pack, self.acting, t), pack, cells_v)
            poll += 1

    def _act(self, t: float) -> None:
        wanted = (*(value(t) for value in self._profiles), self.limit_charge_a, self.limit_discharge_a, self.fan_on)
        if wanted == self._wanted:
            return
        self._wanted = wanted
        current_a, ambient_c, sun_w, heater_w, fan, fault_w, entropic, *_ = wanted
        wanted_a, current_a = current_a, min(max(current_a, -self.limit_discharge_a), self.limit_charge_a)
        if self.scenario.follows_current and wanted_a:
            fault_w *= (current_a / wanted_a) ** 2
        self.acting = Surroundings(
            current_a,
            ambient_c,
            sun_w,
            heater_w,
            max(fan, float(self.fan_on)),
            fault_w,
            entropic,
        )
