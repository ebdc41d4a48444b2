"""What reading a frame costs, and what damage gets through: `python -m benchmarks.decode [--json]`.

Time: microseconds from three notifications to believed Telemetry, beside the floor (one unpack of the same bytes) and
beside aiobmsble's decoder where that is installed, all in one run.

Damage: a simulated pack lives through a day; of its frames each is damaged in one of four ways and given a right sum.
A value is wrong when it is neither what the undamaged frame says nor what was shown before, to the millivolt and the
like; how much is large stands below. First each damaged frame meets the state that the undamaged stream before it has
left behind. Then, `in_stream`, damaged and undamaged frames come mixed, and everything that is believed counts.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import struct
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from copy import deepcopy
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from random import Random
from statistics import median
from time import perf_counter
from typing import Any, Final, Self

from custom_components.jk_bms.bms.alarms import Alarm
from custom_components.jk_bms.bms.board import Board
from custom_components.jk_bms.bms.frames import checksum
from custom_components.jk_bms.bms.layout import FRAME_LENGTH, Generation
from custom_components.jk_bms.bms.plausibility import Plausibility
from custom_components.jk_bms.bms.receiver import Receiver
from custom_components.jk_bms.bms.telemetry import Telemetry, TelemetryDecoder, decode_telemetry
from scripts.decode import Decoder
from simulator.board import Board as SimulatedBoard
from simulator.charger import Charger, House
from simulator.fleet import CAPACITY_AH, Site
from simulator.models import JK_B2A8S20P, JK_B2A16S, JK_PB2A16S20P, Model
from simulator.pack import Pack

FRAME_PERIOD_S: Final = 0.5
BLOCK: Final = 20
WHOLE_FRAME: Final = struct.Struct("<4sBB146HBB")
PAYLOAD: Final = 6
MODELS: Final = {
    Generation.JK02_32S: JK_PB2A16S20P,
    Generation.JK02_24S: JK_B2A8S20P,
    Generation.JK04: JK_B2A16S,
}
DAMAGES: Final = ("bits", "block lost", "block zeroed", "block of another frame")
ALARM_EVERY: Final = 2000
"""Frames from one alarm raised or cleared to the next, on average."""

DAMAGED_SHARE: Final = 0.05
"""Of the mixed stream. The sum lets 1 in 256 through, so no radio comes near it."""

NOT_SHOWN: Final = {
    # Redundancy of the frame, which no entity shows
    "generation", "counter", "cell_mask", "reported_highest_cell", "reported_lowest_cell",
    "reported_delta_cell_voltage_v", "coarse_pack_voltage_v", "power_magnitude_w", "mos_temperature_copy_c",
    "charge_current_sensor_v", "discharge_current_sensor_v",
}  # fmt: skip
EXACT: Final = {
    "alarm_bits", "charge_mosfet", "discharge_mosfet", "heating", "full_charge_capacity_ah", "cycle_count",
    "state_of_health_pct", "charge_state", "dry_contact_1", "dry_contact_2", "event_log_count",
}  # fmt: skip
LARGE: Final[dict[str, Callable[[float], float]]] = {
    # By how much a value may be off before it is largely wrong
    "cell_voltages_v": lambda _true: 0.050,
    "average_cell_voltage_v": lambda _true: 0.050,
    "pack_voltage_v": lambda true: 0.02 * true,
    "current_a": lambda true: max(2.0, 0.05 * abs(true)),
    "temperature_1_c": lambda _true: 5.0,
    "temperature_2_c": lambda _true: 5.0,
    "temperature_4_c": lambda _true: 5.0,
    "temperature_5_c": lambda _true: 5.0,
    "mos_temperature_c": lambda _true: 5.0,
    "state_of_charge_pct": lambda _true: 5.0,
    "remaining_capacity_ah": lambda _true: 1.0,
    "cycle_capacity_ah": lambda _true: 1.0,
    "run_time_s": lambda _true: 10.0,
    "system_up_time_s": lambda _true: 10.0,
    "clock_s": lambda _true: 10.0,
    "balance_current_a": lambda _true: 1.0,
    "heater_current_a": lambda _true: 1.0,
    "voltage_reference_v": lambda _true: 0.1,
}


def stream(model: Model, seed: int) -> Iterator[bytes]:
    """Yield the cell info frames of a simulated pack's life, alarms included."""
    random = Random(seed)
    cells = 8 if model is JK_B2A8S20P else 16
    pack = Pack(cells, CAPACITY_AH, seed=seed, state_of_charge=random.uniform(0.1, 0.9))
    site = Site(House(CAPACITY_AH, seed), Charger(cell_count=cells), time_s=random.uniform(0, 86_400))
    board = SimulatedBoard(pack, model, seed=seed, load=site.current_a)
    raised: set[Alarm] = set()
    while True:
        board.advance(FRAME_PERIOD_S)
        if random.random() < 1 / ALARM_EVERY:
            alarm = random.choice(list(Alarm)[:16])
            board.force_alarm(alarm, raised=alarm not in raised)
            raised ^= {alarm}
        yield board.cell_info_frame()


def damaged(frame: bytes, following: bytes, other: bytes, kind: str, random: Random) -> bytes:
    """Return the frame with one damage and a right sum."""
    body = bytearray(frame)
    at = random.randrange(PAYLOAD, FRAME_LENGTH - BLOCK)
    if kind == "bits":
        for _ in range(random.randint(1, 40)):
            bit = random.randrange(8 * PAYLOAD, 8 * (FRAME_LENGTH - 1))
            body[bit // 8] ^= 1 << bit % 8
    elif kind == "block lost":
        body = body[:at] + body[at + BLOCK :] + following[:BLOCK]
    else:
        body[at : at + BLOCK] = bytes(BLOCK) if kind == "block zeroed" else other[at : at + BLOCK]
    body[-1] = checksum(body[:-1])
    return bytes(body)


@dataclass(slots=True)
class Damage:
    """What became of damaged frames."""

    frames: int = 0
    published: int = 0
    with_wrong_values: int = 0
    large: int = 0
    undamaged_held: int = 0
    wrong_fields: Counter[str] = field(default_factory=Counter)
    large_fields: Counter[str] = field(default_factory=Counter)
    by_kind: Counter[str] = field(default_factory=Counter)

    def __iadd__(self, other: Self) -> Self:
        """Take over what another run has counted."""
        for name in self.__slots__:
            setattr(self, name, getattr(self, name) + getattr(other, name))
        return self


def is_large(name: str, value: Any, true: Any) -> bool:
    """Whether a value is off by more than an owner would shrug at."""
    if name in EXACT or (value is None) is not (true is None):
        return True
    if name not in LARGE:
        return False
    if isinstance(true, tuple):
        return len(value) != len(true) or any(is_large(name, *pair) for pair in zip(value, true, strict=True))
    return bool(abs(value - true) > LARGE[name](true))


SHOWN: Final = [name for name in Telemetry.__slots__ if name not in NOT_SHOWN]


def to_the_last_digit(value: Any) -> Any:
    """Return a value as it is shown: float32 voltages of old boards have digits that nobody sees."""
    if isinstance(value, tuple):
        return tuple(map(to_the_last_digit, value))
    return round(value, 3) if isinstance(value, float) else value


def count_wrong(count: Damage, claimed: Telemetry, true: Telemetry, before: Telemetry | None, kind: str) -> None:
    """Count a frame that was believed, with what it brings that is not so."""
    count.published += 1
    wrong = []
    for name in SHOWN:
        value = to_the_last_digit(getattr(claimed, name))
        if value != to_the_last_digit(getattr(true, name)) and (
            before is None or value != to_the_last_digit(getattr(before, name))
        ):
            wrong.append(name)
    if wrong:
        count.with_wrong_values += 1
        count.by_kind[kind] += 1
        count.wrong_fields.update(wrong)
        large = [name for name in wrong if is_large(name, getattr(claimed, name), getattr(true, name))]
        count.large += bool(large)
        count.large_fields.update(large)


def mixed(generation: Generation, frames: int, seed: int) -> Damage:
    """Feed a stream in which some frames are damaged, and count what is published in the end."""
    model, random, count = MODELS[generation], Random(seed), Damage()
    board = Board(generation, model.major, confirmed=True)
    decoder, reference, plausibility = TelemetryDecoder(board), TelemetryDecoder(board), Plausibility()
    past: list[bytes] = []
    source = stream(model, seed)
    frame = next(source)
    before: Telemetry | None = None
    for number, following in enumerate(islice(source, frames)):
        now_s = number * FRAME_PERIOD_S
        true = reference.decode(frame)
        kind = "none"
        sent = frame
        if number > 3 and random.random() < DAMAGED_SHARE:
            kind = random.choice(DAMAGES)
            sent = damaged(frame, following, random.choice(past), kind, random)
            count.frames += 1
        claimed = decoder.decode(sent)
        if plausibility.judge(sent, claimed, now_s) is None:
            count_wrong(count, claimed, true, before, kind)
            before = claimed
        elif kind == "none":
            count.undamaged_held += 1
        past = [*past[-500:], frame]
        frame = following
    return count


def live(generation: Generation, frames: int, seed: int) -> Damage:
    """Damage each frame of a stream, and count what is published of them."""
    model, random, count = MODELS[generation], Random(seed), Damage()
    board = Board(generation, model.major, confirmed=True)
    decoder, plausibility = TelemetryDecoder(board), Plausibility()
    before: Telemetry | None = None
    past: list[bytes] = []
    source = stream(model, seed)
    frame = next(source)
    for number, following in enumerate(islice(source, frames)):
        now_s = number * FRAME_PERIOD_S
        telemetry = decoder.decode(frame)
        if number > 2:
            kind = random.choice(DAMAGES)
            other = damaged(frame, following, random.choice(past), kind, random)
            claimed = decode_telemetry(other, board)
            count.frames += 1
            if deepcopy(plausibility).judge(other, claimed, now_s) is None:
                count_wrong(count, claimed, telemetry, before, kind)
        if plausibility.judge(frame, telemetry, now_s) is None:
            before = telemetry
        else:
            count.undamaged_held += 1
        if len(past) < 20_000:
            past.append(frame)
        else:
            past[random.randrange(len(past))] = frame
        frame = following
    return count


def damage(
    life: Callable[[Generation, int, int], Damage], generation: Generation, frames: int, jobs: int
) -> dict[str, Any]:
    """Return the figures of damaged streams, lived in several processes."""
    total = Damage()
    with ProcessPoolExecutor(jobs) as pool:
        parts = 4 * jobs
        for part in pool.map(life, [generation] * parts, [frames // parts] * parts, range(parts)):
            total += part
    return {
        "damaged_frames": total.frames,
        "large_wrong_values_published": total.large,
        "large_by_field": dict(total.large_fields),
        "frames_with_a_wrong_value_published_pct": round(100 * total.with_wrong_values / total.frames, 3),
        "undamaged_frames_that_waited_pct": round(100 * total.undamaged_held / (total.frames + 3), 4),
        "wrong_by_damage": dict(total.by_kind.most_common()),
        "wrong_by_field": dict(total.wrong_fields.most_common(8)),
    }


def timing() -> dict[str, Any]:
    """Return microseconds per frame, the best of several rounds each, taken in turns."""
    frames = list(islice(stream(JK_PB2A16S20P, 1), 4000))
    chunks = [(frame[:128], frame[128:256], frame[256:]) for frame in frames]

    def ours() -> float:
        receiver = Receiver(Board(software_major=15, confirmed=True))
        started = perf_counter()
        for number, parts in enumerate(chunks):
            for part in parts:
                receiver.feed(part, number * FRAME_PERIOD_S)
        return perf_counter() - started

    def floor() -> float:
        started = perf_counter()
        for frame in frames:
            WHOLE_FRAME.unpack_from(frame)
        return perf_counter() - started

    contestants: dict[str, Callable[[], float]] = {"ours_us": ours, "floor_us": floor}
    theirs = aiobmsble_decoder(chunks)
    if theirs:
        contestants["aiobmsble_us"] = theirs
    rounds = {name: [run() for _ in range(7)] for name, run in contestants.items()}
    figures: dict[str, Any] = {name: round(1e6 * min(times) / len(frames), 2) for name, times in rounds.items()}
    figures["ours_median_us"] = round(1e6 * median(rounds["ours_us"]) / len(frames), 2)
    if theirs:
        figures["ours_to_aiobmsble"] = round(figures["ours_us"] / figures["aiobmsble_us"], 2)
    return figures


def aiobmsble_decoder(chunks: list[tuple[bytes, bytes, bytes]]) -> Callable[[], float] | None:
    """Return a run of aiobmsble's JK decoder over the same notifications, None where it is not installed."""
    try:
        from aiobmsble.bms.jikong_bms import BMS
        from bleak.backends.device import BLEDevice
    except ImportError:
        return None
    copies = [tuple(bytearray(part) for part in parts) for parts in chunks]

    async def decode() -> float:
        bms = BMS(BLEDevice("C8:47:80:00:00:01", "JK", {"path": "/"}))
        bms._valid_reply, bms._sw_version = 0x02, 15
        started = perf_counter()
        for parts in copies:
            for part in parts:
                bms._notification_handler(None, part)
            await bms._async_update()
        return perf_counter() - started

    return lambda: asyncio.run(decode())


def captures(folder: Path) -> dict[str, Any]:
    """Return how many undamaged frames of the recordings are refused."""
    good = refused = 0
    for path in sorted(folder.glob("*.json")):
        decoder = Decoder(masked=True)
        decoder.recording(json.loads(path.read_text()))
        good += decoder.good
        refused += sum(not line["accepted"] for line in decoder.lines if line not in decoder.corrupt)
    return {"frames": good, "refused": refused}


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=1_000_000, help="damaged frames of the newest generation")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--captures", type=Path, default=Path(__file__).resolve().parents[2] / "shared" / "captures")
    parser.add_argument("--json", action="store_true", help="one line instead of an indented text")
    options = parser.parse_args()
    figures: dict[str, Any] = {"timing": timing()}
    if options.captures.is_dir():
        figures["captures"] = captures(options.captures)
    figures["damage"] = {}
    for generation in MODELS:
        frames = options.frames if generation is Generation.JK02_32S else options.frames // 10
        figures["damage"][generation.value] = damage(live, generation, frames, options.jobs)
    figures["in_stream"] = damage(mixed, Generation.JK02_32S, options.frames, options.jobs)
    json.dump(figures, sys.stdout, indent=None if options.json else 2)
    print()


if __name__ == "__main__":
    main()
