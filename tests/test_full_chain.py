"""From a short inside a cell to what is done about it: simulated cells, a board, its radio, a whole Home Assistant."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final, cast

import pytest

from custom_components.jk_bms.permission import Permission
from scripts.demo import ACTIONS, turn_fan
from scripts.demo_home import FAN, DemoHome, SimulatedCells, Simulator, State, free_port

from .whole_home import NEEDS_A_HOME, OnePack

SPEED: Final = 10
"""What the cells live for every second of the guardian: to it, a short of 300 W is one of 3 kW."""
WATTS: Final = 300
CELL: Final = 7
CHARGE_A: Final = 60
WITHIN_S: Final = 120
POLL_S: Final = 0.2
LEVELS: Final = ("cool", "reduce", "stop")

pytestmark = [*NEEDS_A_HOME]


@dataclass(frozen=True, slots=True)
class Sight:
    """All that can be seen at a moment: by a person, and by somebody beside the pack."""

    states: dict[str, State]
    notifications: list[str]
    """Their titles."""
    cells: SimulatedCells


async def look(home: DemoHome, simulator: Simulator) -> Sight:
    notifications = cast("list[dict[str, str]]", await home.command("persistent_notification/get"))
    return Sight(await home.states(), [each["title"] for each in notifications], await simulator.cells(0))


async def chronicle(
    home: DemoHome, simulator: Simulator, began_s: float, wanted: Mapping[str, Callable[[Sight], bool]]
) -> tuple[dict[str, float], Sight]:
    """Look until all that is wanted has been so; return after how many seconds each was, and the last sight."""
    at_s: dict[str, float] = {}
    while missing := wanted.keys() - at_s.keys():
        await asyncio.sleep(POLL_S)
        sight = await look(home, simulator)
        now_s = time.monotonic() - began_s
        if now_s > WITHIN_S:
            pytest.fail(f"not within {WITHIN_S} s: {', '.join(sorted(missing))}")
        for name, holds in wanted.items():
            if name in missing and holds(sight):
                at_s[name] = now_s
                print(f"{now_s:6.1f} s  {max(sight.cells.cells_c):4.1f} °C  {name}")
    return at_s, sight


async def test_a_short_is_seen_and_acted_upon(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        arguments = ["--packs", "1", "--speed", str(SPEED)]
        simulator = await stack.enter_async_context(Simulator(arguments, log=tmp_path / "simulator.log"))
        home = await stack.enter_async_context(DemoHome(tmp_path / "home", port=free_port()))
        await home.add_proxies(simulator.proxies)
        (entry,) = await home.confirm_packs(simulator.packs)
        await home.set_options(entry, permission=Permission.SWITCHES, advanced={})
        await home.set_options(entry, "actions", **ACTIONS)
        await home.set_options(entry, "guardian", guardian_mode="act", chemistry="auto")
        pack = OnePack(home, simulator.packs[0], await home.entity_ids())
        fan = asyncio.create_task(turn_fan(home, simulator))
        stack.callback(fan.cancel)
        await simulator.command(pack=0, set="current", a=CHARGE_A)
        await pack.until("thermal_level", "normal".__eq__)
        await pack.until("guardian_level", "ok".__eq__)
        before = await look(home, simulator)
        assert before.cells.charge_mosfet
        assert before.cells.current_a == CHARGE_A
        assert before.cells.fan == 0
        assert not before.notifications

        began_s = await simulator.command(pack=0, fault="short", w=WATTS, cell=CELL)
        print(f"\n{WATTS} W inside a cell, {SPEED} times as fast:")

        def is_in(key: str, state: str) -> Callable[[Sight], bool]:
            entity_id = pack.entity_id(key)
            return lambda sight: sight.states[entity_id]["state"] == state

        last_action = pack.entity_id("last_action")
        at_s, then = await chronicle(
            home,
            simulator,
            began_s,
            {level: is_in("thermal_level", level) for level in LEVELS}
            | {
                "the fan is on": lambda sight: sight.states[FAN]["state"] == "on",
                "the fan turns": lambda sight: sight.cells.fan == 1,
                "an alarm": lambda sight: (
                    sight.states[pack.entity_id("alarm")]["attributes"].get("level") == "critical"
                ),
                "a notification": lambda sight: any(entry["title"] in title for title in sight.notifications),
                "the board opens its charge MOSFET": lambda sight: not sight.cells.charge_mosfet,
                "no charge flows": lambda sight: sight.cells.current_a == 0,
                "it is shown": is_in("charge_mosfet", "off"),
                "it is verified": lambda sight: (
                    sight.states[last_action]["state"] == "stop_charge"
                    and sight.states[last_action]["attributes"]["result"] == "started"
                ),
            },
        )
    assert sorted(LEVELS, key=at_s.__getitem__) == list(LEVELS)
    assert at_s["cool"] <= at_s["the fan is on"] < at_s["stop"]
    assert at_s["stop"] <= at_s["the board opens its charge MOSFET"]
    assert then.cells.discharge_mosfet, "what lives on the pack is given time"
