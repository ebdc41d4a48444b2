"""What live packs cost a Home Assistant, and how soon it knows of a change: `python -m benchmarks.load [--json]`.

A real Home Assistant with its recorder, in a process of its own, reads simulated packs of 16 cells through simulated
Bluetooth proxies. Four stretches follow each other:

- idle: the proxies are connected, no pack has been added. What it costs is taken off all that follows;
- live: houses and panels as the simulator invents them, nobody looks on;
- changes: alarms and current steps at random moments, each timed from the pack to the message of Home Assistant's
  WebSocket. An alarm needs a second frame that says the same, a current step is confirmed by its own frame;
- rest: no current but the noise of its measurement (±50 mA), cells that only seem to move (±1 mV).

Wants what `scripts/setup --demo` makes, and Linux: .venv-demo/bin/python -m benchmarks.load

CPU is that of Home Assistant's process and its children. States are the rows that the recorder has written for the
entities of the integration. Lost is a frame that a pack sent and the integration didn't get whole.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sqlite3
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, closing, suppress
from dataclasses import asdict, dataclass
from math import ceil
from pathlib import Path
from random import Random
from statistics import quantiles
from tempfile import TemporaryDirectory
from typing import Any, Final, cast

from benchmarks.wanted import against, print_report
from scripts.demo_home import DemoHome, Entry, Pack, Simulator, free_port

SLOTS: Final = 3
SETTLE_S: Final = 30
"""From a change of everything to the beginning of a stretch."""
COMMIT_S: Final = 7
"""The recorder writes every 5 s."""
IN_FLIGHT_S: Final = 0.5
KNOWN_WITHIN_S: Final = 10
ALARM: Final = "cell_overvoltage"
STEPS_A: Final = (40.0, -40.0)
MEASURED_WITHIN_A: Final = 2.0
"""The simulated sensors are 1 % and up to 1 A off."""
PAUSE_S: Final = (1.0, 3.0)
"""From one change in a pack to the next: anywhere between two frames."""
HOUR_S: Final = 3600

WANTED: Final = {
    "alarm_p99_s": 1.25,
    "current_step_p99_s": 0.75,
    "frames_lost": 0,
    "cpu_s_per_pack_hour": 8,
    "resting_states_per_pack_hour": 1500,
}


@dataclass(frozen=True, slots=True)
class Sample:
    """Counts that only grow, at one moment."""

    at_s: float
    wall_s: float
    cpu_s: float
    database_bytes: int
    frames_sent: int
    frames_good: int
    frames_rejected: int
    drops: int


@dataclass(frozen=True, slots=True)
class Stretch:
    """What a stretch cost for each pack and hour, above idle."""

    seconds: float
    cpu_s_per_pack_hour: float
    states_per_pack_hour: float
    database_bytes_per_pack_hour: float
    frames_sent: int
    frames_lost: int
    frames_rejected: int
    links_dropped: int
    memory_mib: float
    states_per_hour_by_key: dict[str, float]


@dataclass(frozen=True, slots=True)
class Delays:
    """Seconds from a change in a pack to its state in Home Assistant."""

    changes: int
    p50_s: float
    p99_s: float
    max_s: float

    @classmethod
    def of(cls, delays_s: Sequence[float]) -> Delays:
        """Sum up."""
        percentiles = quantiles(delays_s, n=100, method="inclusive")
        return cls(len(delays_s), *(round(value, 3) for value in (percentiles[49], percentiles[98], max(delays_s))))


class Process:
    """A process and its children, as the kernel keeps account of them."""

    def __init__(self, session: int) -> None:
        self._session = session
        """Its id; it has a session of its own."""

    @property
    def cpu_s(self) -> float:
        """CPU time of all of them, also of those that have ended."""
        return sum(sum(map(int, stat[11:15])) for stat in self._stats()) / os.sysconf("SC_CLK_TCK")

    @property
    def memory_mib(self) -> float:
        """Resident memory."""
        pages = sum(int(stat[21]) for stat in self._stats())
        return round(pages * os.sysconf("SC_PAGE_SIZE") / 2**20, 1)

    def _stats(self) -> list[list[str]]:
        stats = []
        for path in Path("/proc").glob("[0-9]*/stat"):
            with suppress(FileNotFoundError, ProcessLookupError):
                stats.append(path.read_text(encoding="utf-8").rpartition(")")[2].split())
        return [stat for stat in stats if int(stat[3]) == self._session]


class Load:
    """A Home Assistant with packs, measured from outside."""

    def __init__(self, simulator: Simulator, home: DemoHome, folder: Path) -> None:
        self._simulator = simulator
        self._home = home
        self._packs = simulator.packs
        self._process = Process(home.pid)
        self._database = f"file:{folder}/home-assistant_v2.db?mode=ro"
        self._entries: list[Entry] = []
        self._entity_ids: dict[str, str] = {}
        self._idle: tuple[float, float] = (0.0, 0.0)
        """CPU seconds and database bytes a second."""

    async def idle(self, seconds: float) -> dict[str, float]:
        """Measure what the proxies alone cost."""
        await asyncio.sleep(SETTLE_S)
        before, after = await self._over(seconds)
        passed_s = after.at_s - before.at_s
        self._idle = (
            (after.cpu_s - before.cpu_s) / passed_s,
            (after.database_bytes - before.database_bytes) / passed_s,
        )
        return {
            "seconds": round(passed_s, 1),
            "cpu_s_per_hour": round(self._idle[0] * HOUR_S, 1),
            "memory_mib": self._process.memory_mib,
        }

    async def add_packs(self) -> None:
        """Add all packs, and wait until they are read in peace."""
        self._entries = await self._home.confirm_packs(self._packs)
        await asyncio.sleep(SETTLE_S)
        self._entity_ids = await self._home.entity_ids()

    async def stretch(self, seconds: float) -> Stretch:
        """Measure what the packs cost as they are."""
        before, after = await self._over(seconds)
        passed_s = after.at_s - before.at_s
        pack_hours = passed_s / HOUR_S * len(self._packs)
        idle_cpu, idle_bytes = self._idle
        states = self._states_written(before.wall_s, after.wall_s)
        sent = after.frames_sent - before.frames_sent
        return Stretch(
            seconds=round(passed_s, 1),
            cpu_s_per_pack_hour=round((after.cpu_s - before.cpu_s - idle_cpu * passed_s) / pack_hours, 2),
            states_per_pack_hour=round(states.total() / pack_hours),
            database_bytes_per_pack_hour=round(
                (after.database_bytes - before.database_bytes - idle_bytes * passed_s) / pack_hours
            ),
            frames_sent=sent,
            frames_lost=sent - (after.frames_good - before.frames_good),
            frames_rejected=after.frames_rejected - before.frames_rejected,
            links_dropped=after.drops - before.drops,
            memory_mib=self._process.memory_mib,
            states_per_hour_by_key={key: round(count / pack_hours, 1) for key, count in states.most_common(12)},
        )

    async def changes(self, seconds: float, seed: int) -> dict[str, Delays]:
        """Measure how soon a change is known; all packs at the same time, each for itself."""
        delays_s: dict[str, list[float]] = {"alarm": [], "current_step": []}
        ends_s = time.monotonic() + seconds
        async with self._watch(f"alarm_{ALARM}", "current") as watch, asyncio.TaskGroup() as group:
            for number, pack in enumerate(self._packs):
                group.create_task(self._change(number, pack, watch, delays_s, ends_s, Random(f"{seed} {number}")))
        return {what: Delays.of(each_s) for what, each_s in delays_s.items()}

    async def rest(self) -> None:
        """Let all packs rest."""
        for number in range(len(self._packs)):
            await self._simulator.command(pack=number, set="rest")
        await asyncio.sleep(SETTLE_S)

    async def _over(self, seconds: float) -> tuple[Sample, Sample]:
        before = await self._sample()
        await asyncio.sleep(seconds)
        after = await self._sample()
        await asyncio.sleep(COMMIT_S)
        return before, after

    async def _sample(self) -> Sample:
        """Count everything while no frame is under way."""
        at_s, wall_s, cpu_s = time.monotonic(), time.time(), self._process.cpu_s
        await self._stall(on=True)
        await asyncio.sleep(IN_FLIGHT_S)
        links = [await self._simulator.link(number) for number in range(len(self._packs))]
        downloads = [json.loads(await self._home.diagnostics(entry))["data"] for entry in self._entries]
        await self._stall(on=False)
        counters = [download["counters"] for download in downloads]
        return Sample(
            at_s=at_s,
            wall_s=wall_s,
            cpu_s=cpu_s,
            database_bytes=self._database_bytes(),
            frames_sent=sum(link.frames_sent for link in links),
            frames_good=sum(counter["good"] for counter in counters),
            frames_rejected=sum(counter["bad_sum"] + counter["implausible"] for counter in counters),
            drops=sum(download["link"]["drops"] for download in downloads),
        )

    async def _stall(self, *, on: bool) -> None:
        for number in range(len(self._packs)):
            await self._simulator.command(pack=number, fault="stall", on=on)

    def _database_bytes(self) -> int:
        with closing(sqlite3.connect(self._database, uri=True)) as database:
            (pages,) = database.execute("PRAGMA page_count").fetchone()
            (page_size,) = database.execute("PRAGMA page_size").fetchone()
        return cast("int", pages * page_size)

    def _states_written(self, since_s: float, until_s: float) -> Counter[str]:
        """Count the states of the packs' entities between two times, by the key of the entity."""
        keys = {entity_id: unique_id.split("_", 1)[1] for unique_id, entity_id in self._entity_ids.items()}
        with closing(sqlite3.connect(self._database, uri=True)) as database:
            rows = database.execute(
                "SELECT states_meta.entity_id, count(*) FROM states JOIN states_meta USING (metadata_id)"
                " WHERE last_updated_ts >= ? AND last_updated_ts < ? GROUP BY metadata_id",
                (since_s, until_s),
            ).fetchall()
        counts: Counter[str] = Counter()
        for entity_id, count in rows:
            if entity_id in keys:
                counts[keys[entity_id]] += count
        return counts

    @asynccontextmanager
    async def _watch(self, *keys: str) -> AsyncIterator[Watch]:
        wanted = [self._entity_ids[f"{pack.address}_{key}"] for pack in self._packs for key in keys]
        async with self._home.websocket(self._home.credentials.token) as websocket:
            await websocket.send_json({"id": 1, "type": "subscribe_entities", "entity_ids": wanted})
            watch = Watch()
            listening = asyncio.create_task(watch.listen(websocket))
            yield watch
            listening.cancel()

    async def _change(
        self, number: int, pack: Pack, watch: Watch, delays_s: Mapping[str, list[float]], ends_s: float, random: Random
    ) -> None:
        alarm, current = (self._entity_ids[f"{pack.address}_{key}"] for key in (f"alarm_{ALARM}", "current"))

        async def timed(what: str, known: asyncio.Future[float], **command: object) -> None:
            changed_s = await self._simulator.command(pack=number, **command)
            delays_s[what].append(await asyncio.wait_for(known, KNOWN_WITHIN_S) - changed_s)
            await asyncio.sleep(random.uniform(*PAUSE_S))

        # What the house takes may lie so near to the first step that it is none.
        await self._simulator.command(pack=number, set="current", a=STEPS_A[-1])
        await asyncio.sleep(random.uniform(*PAUSE_S))
        while time.monotonic() < ends_s:
            for step_a in STEPS_A:
                known = watch.expect(current, _near(step_a))
                await timed("current_step", known, set="current", a=step_a)
            for state in ("on", "off"):
                known = watch.expect(alarm, state.__eq__)
                await timed("alarm", known, alarm=ALARM, on=state == "on")
        await self._simulator.command(pack=number, set="current", a=None)


class Watch:
    """Takes the states that Home Assistant sends, and the times they come at."""

    def __init__(self) -> None:
        self._expected: dict[str, tuple[Callable[[str], bool], asyncio.Future[float]]] = {}

    def expect(self, entity_id: str, holds: Callable[[str], bool]) -> asyncio.Future[float]:
        """Return a future of the monotonic time at which the state of the entity is as wanted."""
        future: asyncio.Future[float] = asyncio.get_running_loop().create_future()
        self._expected[entity_id] = holds, future
        return future

    async def listen(self, websocket: Any) -> None:
        """Take what comes until cancelled."""
        async for message in websocket:
            now_s = time.monotonic()
            for entity_id, change in json.loads(message.data).get("event", {}).get("c", {}).items():
                holds, future = self._expected.get(entity_id, (None, None))
                if holds and future and not future.done() and "s" in (new := change.get("+", {})) and holds(new["s"]):
                    future.set_result(now_s)


def _near(current_a: float) -> Callable[[str], bool]:
    return lambda state: abs(float(state) - current_a) <= MEASURED_WITHIN_A


async def measure(packs: int, proxies: int, minutes: float, idle_minutes: float, seed: int) -> dict[str, Any]:
    """Run all stretches; return the figures."""
    arguments = ["--packs", packs, "--proxies", proxies, "--slots", SLOTS, "--seed", seed]
    with TemporaryDirectory() as folder:
        home_folder = Path(folder, "home")
        async with (
            Simulator([str(argument) for argument in arguments], log=Path(folder, "simulator.log")) as simulator,
            DemoHome(home_folder, port=free_port()) as home,
        ):
            await home.add_proxies(simulator.proxies)
            load = Load(simulator, home, home_folder)
            idle = await load.idle(60 * idle_minutes)
            await load.add_packs()
            live = await load.stretch(60 * minutes)
            delays = await load.changes(60 * min(minutes, 3), seed)
            await load.rest()
            rest = await load.stretch(60 * minutes)
            version = cast("dict[str, str]", await home.request("GET", "/api/config"))["version"]
    figures = {
        "alarm_p99_s": delays["alarm"].p99_s,
        "current_step_p99_s": delays["current_step"].p99_s,
        "frames_lost": live.frames_lost + rest.frames_lost,
        "cpu_s_per_pack_hour": live.cpu_s_per_pack_hour,
        "resting_states_per_pack_hour": rest.states_per_pack_hour,
    }
    return {
        "machine": {"cores": os.process_cpu_count(), "home_assistant": version, "load_average": os.getloadavg()[2]},
        "packs": packs,
        "proxies": proxies,
        "slots": SLOTS,
        "idle": idle,
        "live": asdict(live),
        "delays": {what: asdict(each) for what, each in delays.items()},
        "rest": asdict(rest),
        "wanted": against(WANTED, figures),
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.load", description=__doc__.partition("\n")[0])
    parser.add_argument("--packs", type=int, default=16, help="how many packs of 16 cells (default 16)")
    parser.add_argument("--proxies", type=int, help=f"how many proxies carry them (default: {SLOTS} packs each)")
    parser.add_argument("--minutes", type=float, default=5, help="of the live and of the resting stretch (default 5)")
    parser.add_argument("--idle-minutes", type=float, default=2, help="of the stretch without packs (default 2)")
    parser.add_argument("--seed", type=int, default=1, help="the same seed gives the same packs")
    parser.add_argument("--json", action="store_true", help="print all figures as JSON")
    options = parser.parse_args()
    proxies = options.proxies or ceil(options.packs / SLOTS)
    result = asyncio.run(measure(options.packs, proxies, options.minutes, options.idle_minutes, options.seed))
    print_report(result, as_json=options.json)


if __name__ == "__main__":
    main()
