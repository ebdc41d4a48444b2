"""What does a frame cost the whole guardian, of a healthy pack and of one with four findings, and what does it keep?

Processor time, so that what else the machine does isn't counted: `python -m benchmarks.heat.guarding` prints JSON.
"""

from __future__ import annotations

import gc
import json
from dataclasses import replace
from itertools import chain
from random import Random
from statistics import median
from time import thread_time
from typing import Final

from benchmarks.heat.cost import BATCH, FRAME_S
from benchmarks.heat.scenarios import PROBE_NOISE_C
from benchmarks.heat.voltages import NOISE_V, OFFSET_V
from benchmarks.weight import weigh
from custom_components.jk_bms.battery.debounce import Bounds, Pace
from custom_components.jk_bms.battery.guardian import Assessment, Guardian
from custom_components.jk_bms.battery.protection import ProtectionConfig
from custom_components.jk_bms.battery.thermal.config import ThermalConfig
from custom_components.jk_bms.battery.thresholds import Limits, Zones
from custom_components.jk_bms.bms.alarms import Alarm
from custom_components.jk_bms.bms.frames import Command
from custom_components.jk_bms.bms.receiver import Receiver
from custom_components.jk_bms.bms.telemetry import Settings, Telemetry
from simulator.board import Board
from simulator.models import JK_PB2A16S20P
from simulator.pack import Pack

RECORDED: Final = 9 * BATCH
"""A multiple of the nine frames after which the slow slopes are due: at the same place of the loop they are, too."""
FRAMES: Final = 1_000_000
FINDINGS: Final = 4
AMBIENT_C: Final = 24.0
_GONE_BY: Final = (Bounds, Limits, Pace, ProtectionConfig, Settings, Telemetry, ThermalConfig, Zones)
"""Limits, choices and the last frame: a guardian goes by them, but keeps nothing in them."""


def healthy_frames(count: int) -> tuple[list[Telemetry], Settings]:
    """Return frames of a pack of 16 cells and 5 probes, charged with 50 A and as if it never became full; its settings.

    They can be had over and over: the last is followed by the first without a jump.
    """
    board, receiver = Board(Pack(16), JK_PB2A16S20P), Receiver()
    sent = chain(
        board.answer(Command.DEVICE_INFO, b""),
        board.answer(Command.SETTINGS_AND_STREAM, b""),
        (board.cell_info_frame() for _ in range(3)),
    )
    said = [reading.value for frame in sent for reading in receiver.feed(frame, 0.0)]
    settings = next(value for value in said if isinstance(value, Settings))
    first = next(value for value in reversed(said) if isinstance(value, Telemetry))
    random = Random(1)
    means_v = [3.31 + random.gauss(0, OFFSET_V) for _ in first.cell_voltages_v]

    def noisy_c(mean_c: float) -> float:
        return round(mean_c + random.gauss(0, PROBE_NOISE_C), 1)

    return [
        replace(
            first,
            counter=number % 256,
            run_time_s=first.run_time_s + number // 2,
            cell_voltages_v=(voltages_v := tuple(round(mean_v + random.gauss(0, NOISE_V), 3) for mean_v in means_v)),
            pack_voltage_v=round(sum(voltages_v), 2),
            current_a=round(50 + random.gauss(0, 0.2), 3),
            temperature_1_c=noisy_c(28),
            temperature_2_c=noisy_c(28),
            temperature_4_c=noisy_c(28),
            temperature_5_c=noisy_c(28),
            mos_temperature_c=noisy_c(35),
        )
        for number in range(count)
    ], settings


def with_findings(frames: list[Telemetry]) -> list[Telemetry]:
    """Return the same with one cell too high, which makes two findings, and two alarms of the board."""
    random = Random(2)
    bits = 1 << Alarm.CELL_OVERVOLTAGE | 1 << Alarm.LEAD_RESISTANCE
    found = []
    for frame in frames:
        voltages_v = (*frame.cell_voltages_v[:-1], round(3.62 + random.gauss(0, 0.001), 3))
        total_v = round(sum(filter(None, voltages_v)), 2)
        found.append(replace(frame, cell_voltages_v=voltages_v, pack_voltage_v=total_v, alarm_bits=bits))
    return found


def measure(frames: list[Telemetry], settings: Settings, count: int) -> tuple[dict[str, float], Assessment]:
    """Return what frames cost, in a loop, and what the guardian keeps in the beginning and in the end.

    The loop is gone round whole: at the same place in it as much is known, and not just by chance.
    """
    count += -count % RECORDED
    guardian = Guardian(ProtectionConfig())
    early, now_s = (0, 0), 0.0
    batches_us: list[float] = []
    for fed in range(0, RECORDED + count, BATCH):
        if fed == RECORDED:
            gc.collect()
            early = weigh(guardian, _GONE_BY)
            batches_us.clear()
        batch = frames[fed % RECORDED : fed % RECORDED + BATCH]
        started_s = thread_time()
        for frame in batch:
            now_s += FRAME_S
            assessment = guardian.step(frame, settings, AMBIENT_C, now_s)
        batches_us.append((thread_time() - started_s) / BATCH * 1e6)
    late = weigh(guardian, _GONE_BY)
    return {
        "us_per_frame_median": round(median(batches_us), 1),
        "us_per_frame_best": round(min(batches_us), 1),
        "frames": count,
        "bytes_of_objects": late[0],
        "bytes_of_numbers": late[1],
        "bytes_of_objects_grown": late[0] - early[0],
        "bytes_of_numbers_grown": late[1] - early[1],
    }, assessment


def run(count: int) -> dict[str, dict[str, float]]:
    """Measure both packs over so many frames."""
    frames, settings = healthy_frames(RECORDED)
    healthy, calm = measure(frames, settings, count)
    faulty, alarmed = measure(with_findings(frames), settings, count)
    assert not calm.findings
    assert len(alarmed.findings) == FINDINGS, alarmed.findings
    return {"healthy": healthy, "with_findings": faulty}


if __name__ == "__main__":
    print(json.dumps(run(FRAMES), indent=2))
