"""How often does a healthy pack cry wolf? Blocks of sixty days of sun, loads, weather, a heater, and a bad link.

The pack is that of `simulator.thermal_pack`, stepped by seconds; since it is linear below 70 °C, ten of its steps are
one product with a matrix that is found by stepping it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from math import cos, pi, sin
from random import Random
from typing import Final

import numpy as np

from benchmarks.heat.course import LEVELS, Course
from benchmarks.heat.helpers import Episodes, rules
from benchmarks.heat.scenarios import CURRENT_NOISE_A, LOST_SHARE, PROBE_NOISE_C
from benchmarks.heat.voltages import CellVoltages
from custom_components.jk_bms.battery.thermal.config import ThermalConfig
from custom_components.jk_bms.battery.thermal.engine import ThermalEngine
from custom_components.jk_bms.battery.thermal.interface import ThermalSample
from simulator.thermal_pack import CELLS, Surroundings, ThermalPack

DAYS: Final = 60
DAY_S: Final = 86_400
POLL_S: Final = 10
PROBES: Final = 4
ALARM_GAP_S: Final = 3600.0
SETTLING_S: Final = 900.0

WRONG_SAMPLES: Final = 40
WRONG_C: Final = (0.0, -200.0, 85.0, 100.0, 255.0, None)
DISCONNECTIONS: Final = 6
DISCONNECTED_C: Final = (0.0, -200.0, -40.0, 44.0)
GAPS: Final = 60

LINEAR_BELOW_C: Final = 70.0


class TenSeconds:
    """A pack that lives ten seconds at once."""

    def __init__(self, seed: int, start_c: float, probe_cells: tuple[int, ...]) -> None:
        self._pack = ThermalPack(seed, 0.0, probe_cells=probe_cells)
        size = CELLS + 2 + len(probe_cells)
        columns = [self._after(unit, Surroundings(ambient_c=0.0)) for unit in np.eye(size)]
        nothing = np.zeros(size)
        square = self._after(nothing, Surroundings(current_a=1.0, ambient_c=0.0))
        entropic = self._after(nothing, Surroundings(current_a=1.0, ambient_c=0.0, entropic_w_per_a=1.0)) - square
        ambient = self._after(nothing, Surroundings(ambient_c=1.0))
        sun = self._after(nothing, Surroundings(ambient_c=0.0, sun_w=1.0))
        heater = self._after(nothing, Surroundings(ambient_c=0.0, heater_w=1.0))
        self._matrix = np.column_stack([*columns, square, entropic, ambient, sun, heater])
        self._state = np.concatenate([np.full(size, start_c), np.zeros(5)])
        self._size = size

    def _after(self, state: np.ndarray, acting: Surroundings) -> np.ndarray:
        pack = self._pack
        values = state.tolist()
        pack.cells_c, (pack.air_c, pack.mosfet_c) = values[:CELLS], values[CELLS : CELLS + 2]
        pack.probes_c = values[CELLS + 2 :]
        for _ in range(POLL_S):
            pack.step(acting)
        return np.array([*pack.cells_c, pack.air_c, pack.mosfet_c, *pack.probes_c])

    def step(self, acting: Surroundings) -> tuple[float, list[float]]:
        """Live on; return the temperatures of the MOSFETs and of the probes.

        Raises ValueError for a pack that gets so hot that it heats itself.
        """
        current_a = acting.current_a
        self._state[self._size :] = (
            current_a**2,
            acting.entropic_w_per_a * current_a,
            acting.ambient_c,
            acting.sun_w,
            acting.heater_w,
        )
        self._state[: self._size] = self._matrix @ self._state
        if self._state[:CELLS].max() > LINEAR_BELOW_C:
            raise ValueError("this pack heats itself: it can't be stepped by a matrix")
        values: list[float] = self._state[CELLS + 1 : self._size].tolist()
        return values[0], values[1:]


@dataclass(slots=True)
class Block:
    """What sixty days brought."""

    number: int
    hours: float = 0.0
    local: dict[int, int] = field(default_factory=dict)
    """Alarms by what speaks for one hot spot, by level."""
    any: dict[int, int] = field(default_factory=dict)
    local_s: float = 0.0
    """Time with such a reason for level 1 or more."""
    alarms: list[tuple[float, int, str]] = field(default_factory=list)
    """Day, level, and causes of the first of each."""
    hottest_c: float = 0.0
    naive: dict[str, int] = field(default_factory=dict)
    """Alarms of the rules that owners use, of the same frames."""


def surroundings(number: int) -> Iterator[tuple[float, Surroundings]]:
    """Yield what acts on the pack, every ten seconds of sixty days."""
    random = Random(f"year {number}")
    weather = [random.gauss(0, 3) for _ in range(DAYS + 1)]
    clouds = [random.uniform(0.2, 1.0) for _ in range(DAYS)]
    load_a, flicker = 0.0, 1.0
    for t in range(0, DAYS * DAY_S, POLL_S):
        day, second = divmod(t, DAY_S)
        hour = second / 3600
        date = number * DAYS + t / DAY_S
        ambient_c = (
            12
            - 11 * cos(2 * pi * (date - 20) / 365)
            + weather[day] * (1 - hour / 24)
            + weather[day + 1] * hour / 24
            + 5 * sin(2 * pi * (hour - 9) / 24)
        )
        if t % 600 == 0:
            load_a = random.gammavariate(1.2, 22)
        if t % 120 == 0:
            flicker = random.uniform(0.85, 1.15)
        solar = sin(pi * (hour - 6.5) / 11) if 6.5 < hour < 17.5 else 0.0
        sun = sin(pi * (hour - 9) / 7) if 9 < hour < 16 else 0.0
        yield (
            float(t),
            Surroundings(
                min(max(130 * solar * clouds[day] - load_a * flicker - 8, -200.0), 140.0),
                ambient_c,
                120 * sun * clouds[day],
                200.0 if ambient_c < 6 and t % 1800 < 500 else 0.0,
                entropic_w_per_a=0.06 * sin(2 * pi * t / (12 * 3600)),
            ),
        )


class BadLink:
    """What goes wrong between the probes and the engine in a block."""

    def __init__(self, number: int) -> None:
        random = Random(f"link {number}")
        self._random = random
        frames = DAYS * DAY_S // POLL_S
        self._wrong = {
            random.randrange(frames): (random.randrange(PROBES), random.choice(WRONG_C)) for _ in range(WRONG_SAMPLES)
        }
        self._disconnected = [
            (start, start + 60 * random.uniform(1, 67), random.randrange(PROBES), random.choice(DISCONNECTED_C))
            for start in (random.uniform(0, DAYS * DAY_S) for _ in range(DISCONNECTIONS))
        ]
        self._gaps = [
            (start, start + 60 * random.uniform(1, 60))
            for start in (random.uniform(0, DAYS * DAY_S) for _ in range(GAPS))
        ]

    def probes_c(self, t: float, true_c: list[float]) -> tuple[float | None, ...] | None:
        """Return what arrives of the probes, None if nothing does."""
        gauss = self._random.gauss
        if self._random.random() < LOST_SHARE or any(start <= t < end for start, end in self._gaps):
            return None
        seen: list[float | None] = [round(value + gauss(0, PROBE_NOISE_C), 1) for value in true_c]
        for start, end, probe, value_c in self._disconnected:
            if start <= t < end:
                seen[probe] = value_c
        if wrong := self._wrong.get(int(t) // POLL_S):
            seen[wrong[0]] = wrong[1]
        return tuple(seen)


def run(number: int) -> Block:
    """Live through a block. Every other pack has a thermometer in the room."""
    random = Random(f"board {number}")
    link = BadLink(number)
    cells = CellVoltages(number)
    course = Course(ThermalEngine(ThermalConfig()), gap_s=ALARM_GAP_S)
    block = Block(number)
    naive = {name: (rule, Episodes(ALARM_GAP_S)) for name, rule in rules().items()}
    pack: TenSeconds | None = None
    counted = dict.fromkeys(LEVELS, 0)
    for t, acting in surroundings(number):
        if pack is None:
            pack = TenSeconds(number, acting.ambient_c, tuple(sorted(random.sample(range(CELLS), PROBES))))
        mosfet_c, true_c = pack.step(acting)
        cells_v = cells.after(POLL_S, acting.current_a)
        probes_c = link.probes_c(t, true_c)
        sample = probes_c and ThermalSample(
            probes_c,
            mos_temperature_c=round(mosfet_c + random.gauss(0, PROBE_NOISE_C), 1),
            current_a=round(acting.current_a + random.gauss(0, CURRENT_NOISE_A), 3),
            cell_voltages_v=cells_v,
            heating=acting.heater_w > 0,
            ambient_c=round(acting.ambient_c, 1) if number % 2 else None,
        )
        said = course.take(sample or None, t)
        if probes_c:
            for rule, episodes in naive.values():
                episodes.take(t, on=rule.alarms(t, probes_c))
        block.hottest_c = max(block.hottest_c, *true_c)
        for level in LEVELS:
            if (starts := len(course.any[level].starts_s)) > counted[level]:
                counted[level] = starts
                causes = "+".join(f"{cause.cause}:{cause.level}" for cause in said.causes[:3])
                block.alarms.append((round(t / DAY_S, 3), level, causes))
    block.hours = DAYS * 24.0
    block.local = {level: len(episodes.starts_s) for level, episodes in course.local.items()}
    block.any = {level: len(episodes.starts_s) for level, episodes in course.any.items()}
    block.naive = {name: len(episodes.starts_s) for name, (_, episodes) in naive.items()}
    block.local_s = course.local[1].on_s
    return block
