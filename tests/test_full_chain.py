"""From a short inside a cell to what is done about it: simulated cells, a board, its radio, a whole Home Assistant."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from scripts.demo_home import DemoHome, Simulator, State, free_port

from .whole_home import NEEDS_A_HOME, OnePack

SPEED: Final = 10
"""What the cells live for every second of the guardian: to it, a short of 300 W is one of 3 kW."""
WATTS: Final = 300
CELL: Final = 7
CHARGE_A: Final = 60
WITHIN_S: Final = 90
POLL_S: Final = 0.2
LEVELS: Final = ("cool", "reduce", "stop")

pytestmark = [*NEEDS_A_HOME]


class Chronicle:
    """When something was first seen to be so, in seconds after the fault."""

    def __init__(self, home: DemoHome, began_s: float) -> None:
        self._home = home
        self._began_s = began_s
        self.at_s: dict[str, float] = {}

    async def until(self, **wanted: Callable[[dict[str, State]], bool]) -> None:
        """Look until all that is wanted has been seen."""
        async with asyncio.timeout(WITHIN_S):
            while wanted.keys() - self.at_s.keys():
                states = await self._home.states()
                now_s = time.monotonic()
                for name, holds in wanted.items():
                    if name not in self.at_s and holds(states):
                        self.at_s[name] = now_s - self._began_s
                        print(f"{self.at_s[name]:6.1f} s  {name}")
                await asyncio.sleep(POLL_S)


async def test_a_short_is_seen_level_by_level(tmp_path: Path) -> None:
    arguments = ["--packs", "1", "--speed", str(SPEED)]
    async with (
        Simulator(arguments, log=tmp_path / "simulator.log") as simulator,
        DemoHome(tmp_path / "home", port=free_port()) as home,
    ):
        await home.add_proxies(simulator.proxies)
        await home.confirm_packs(simulator.packs)
        pack = OnePack(home, simulator.packs[0], await home.entity_ids())
        await simulator.command(pack=0, set="current", a=CHARGE_A)
        await pack.until("thermal_level", "normal".__eq__)
        assert (await pack.state("guardian_level"))["state"] == "ok"

        began_s = await simulator.command(pack=0, fault="short", w=WATTS, cell=CELL)
        print(f"\n{WATTS} W inside a cell, {SPEED} times as fast:")
        seen = Chronicle(home, began_s)
        thermal_level, alarm = pack.entity_id("thermal_level"), pack.entity_id("alarm")
        await seen.until(
            **{level: lambda states, level=level: states[thermal_level]["state"] == level for level in LEVELS},
            alarm=lambda states: states[alarm]["attributes"].get("level") == "critical",
        )
    assert sorted(LEVELS, key=seen.at_s.__getitem__) == list(LEVELS)
