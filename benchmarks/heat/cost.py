"""What does a frame cost, and how much does an engine keep?"""

from __future__ import annotations

import gc
import sys
from array import array
from collections.abc import Mapping
from enum import Enum
from itertools import cycle, islice
from random import Random
from statistics import quantiles
from time import perf_counter
from types import FunctionType, MethodType, ModuleType
from typing import Final

from benchmarks.heat.scenarios import PROBE_NOISE_C
from benchmarks.heat.voltages import CellVoltages
from custom_components.jk_bms.battery.thermal.config import ThermalConfig
from custom_components.jk_bms.battery.thermal.engine import ThermalEngine
from custom_components.jk_bms.battery.thermal.interface import ThermalSample

FRAME_S: Final = 0.5
RECORDED: Final = 7200
BATCH: Final = 1000
NUMBER_BYTES: Final = 8
_SHARED: Final = (type, ModuleType, FunctionType, MethodType, Enum, ThermalConfig)
"""What isn't an engine's own."""


def state_bytes(root: object) -> tuple[int, int]:
    """Return the memory of an object and of all that hangs on it, what every engine shares aside.

    Return, too, what its numbers alone would take as doubles, whatever Python makes of them.
    """
    seen: dict[int, object] = {}
    numbers = 0
    waiting = [root]
    while waiting:
        value = waiting.pop()
        if value is None or isinstance(value, (int, float)):
            numbers += not isinstance(value, Enum)
        elif isinstance(value, array):
            numbers += len(value)
        if id(value) in seen or isinstance(value, _SHARED):
            continue
        # Numbers below 257, None, True and False exist once.
        if value is None or (isinstance(value, int) and -6 < value < 257):
            continue
        seen[id(value)] = value
        if isinstance(value, Mapping):
            waiting.extend([*value.keys(), *value.values()])
        elif isinstance(value, (list, tuple, set, frozenset)) or hasattr(value, "popleft"):
            waiting.extend(value)  # type: ignore[arg-type]
        for kind in type(value).__mro__:
            slots = kind.__dict__.get("__slots__", ())
            names = (slots,) if isinstance(slots, str) else slots
            waiting.extend(getattr(value, name) for name in names if hasattr(value, name))
        waiting.extend(getattr(value, "__dict__", {}).values())
    return sum(map(sys.getsizeof, seen.values())), numbers * NUMBER_BYTES


def run(frames: int) -> dict[str, float]:
    """Time an engine with 16 cells and 5 probes, and weigh it in the beginning and in the end."""
    random = Random(1)
    cells = CellVoltages(1)
    recorded = [
        ThermalSample(
            tuple(round(28 + index / RECORDED + random.gauss(0, PROBE_NOISE_C), 1) for _ in range(5)),
            mos_temperature_c=round(35 + random.gauss(0, PROBE_NOISE_C), 1),
            current_a=round(50 + random.gauss(0, 0.2), 3),
            cell_voltages_v=cells.after(FRAME_S, 50.0),
            ambient_c=24.0,
        )
        for index in range(RECORDED)
    ]
    engine = ThermalEngine(ThermalConfig())
    frame = 0

    def feed(count: int) -> list[float]:
        nonlocal frame
        source = islice(cycle(recorded), frame % RECORDED, None)
        batches_us = []
        for _ in range(count // BATCH):
            batch = list(islice(source, BATCH))
            started = perf_counter()
            for sample in batch:
                engine.step(sample, frame * FRAME_S)
                frame += 1
            batches_us.append(1e6 * (perf_counter() - started) / BATCH)
        return batches_us

    feed(RECORDED // BATCH * BATCH)
    gc.collect()
    _, early = state_bytes(engine)
    batches_us = feed(frames)
    late, numbers = state_bytes(engine)
    return {
        "us_per_frame_median": round(quantiles(batches_us, n=4)[1], 1),
        "us_per_frame_best": round(min(batches_us), 1),
        "frames": len(batches_us) * BATCH,
        "state_bytes": late,
        "state_bytes_of_numbers_early": early,
        "state_bytes_of_numbers": numbers,
    }
