"""What does a frame cost, and how much does an engine keep?"""

from __future__ import annotations

import gc
from itertools import cycle, islice
from random import Random
from statistics import quantiles
from time import thread_time
from typing import Final

from benchmarks.heat.scenarios import PROBE_NOISE_C
from benchmarks.heat.voltages import CellVoltages
from benchmarks.weight import weigh
from custom_components.jk_bms.battery.thermal.config import ThermalConfig
from custom_components.jk_bms.battery.thermal.engine import ThermalEngine
from custom_components.jk_bms.battery.thermal.interface import ThermalSample

FRAME_S: Final = 0.5
RECORDED: Final = 7200
BATCH: Final = 1000


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
            started = thread_time()
            for sample in batch:
                engine.step(sample, frame * FRAME_S)
                frame += 1
            batches_us.append(1e6 * (thread_time() - started) / BATCH)
        return batches_us

    feed(RECORDED // BATCH * BATCH)
    gc.collect()
    _, early = weigh(engine, (ThermalConfig,))
    batches_us = feed(frames)
    late, numbers = weigh(engine, (ThermalConfig,))
    return {
        "us_per_frame_median": round(quantiles(batches_us, n=4)[1], 1),
        "us_per_frame_best": round(min(batches_us), 1),
        "frames": len(batches_us) * BATCH,
        "state_bytes": late,
        "state_bytes_of_numbers_early": early,
        "state_bytes_of_numbers": numbers,
    }
