"""What `scripts/demo` shows: three simulated packs, or what the guardian makes of a fault in one of them."""

import argparse
import asyncio
import shutil
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import cast

import aiohttp

from scripts.demo_home import DEMO_HOME, FAN, ROOM, DemoError, DemoHome, Entry, Pack, Simulator, State
from scripts.demo_page import PAGE, page

FAULT_HOME = DEMO_HOME.with_name("fault")
"""Made anew each time: what the guardian remembers of one fault is not for the next."""
FIRST_PROXY_PORT = 16053
RESTART_EXIT_CODE = 100  # homeassistant.const: someone pressed "restart" and expects whoever started it to do so
LOOK_S = 1.0

WATCHED = 0
"""The pack in which everything may be tried, and something goes wrong."""
CELLS = 16
HOTTEST = "temperature_2"
"""The probe on the cell in which it does, unless told otherwise."""
ACTIONS = {
    "cooling": {"cooling_entity": FAN},
    "reduce": {"reduce_level": "2"},
    "stop_charge": {"stop_charge": True},
    "stop_discharge": {"stop_discharge": True},
    "both_off": {"both_off": True},
}
"""The form of what the guardian may do: all there is, each from its usual level."""
TOLD = ("guardian_level", "thermal_level", "thermal_cause", "last_action", "charge_mosfet", "discharge_mosfet")
"""What is written down as it changes, by keys of entities."""
UNKNOWN = ("unknown", "unavailable")


@dataclass(frozen=True, slots=True)
class Short:
    """A short inside a cell, counted from 1, that begins some seconds from now."""

    watts: float
    cell: int
    after_s: float


async def turn_fan(home: DemoHome, simulator: Simulator) -> None:
    """Let the fan of the simulated pack turn as Home Assistant's does, for ever."""
    while True:
        with suppress(aiohttp.ClientError, DemoError):  # nobody answers while Home Assistant restarts
            state = cast("State", await home.request("GET", f"/api/states/{FAN}"))
            await simulator.command(pack=WATCHED, set="fan", share=float(state["state"] == "on"))
        await asyncio.sleep(LOOK_S)


async def tell(home: DemoHome, entity_id: Callable[[str], str], began_s: float) -> None:
    """Write down what changes from now on, and a line each minute, for ever."""
    told = (*map(entity_id, TOLD), FAN)
    known: dict[str, str] = {}
    next_minute = 1
    while True:
        with suppress(aiohttp.ClientError, DemoError):
            states = await home.states()
            minutes, seconds = divmod(round(time.monotonic() - began_s), 60)
            now = {str(states[each]["attributes"]["friendly_name"]): states[each]["state"] for each in told}
            news = [f"{name}: {state}" for name, state in now.items() if known.get(name, state) != state]
            known = now
            if news or minutes >= next_minute:
                next_minute = minutes + 1
                hottest, until = (states[entity_id(key)]["state"] for key in (HOTTEST, "time_to_60_c"))
                expected = f"60 °C in {float(until):.0f} min" if until not in UNKNOWN else ""
                for each in news or [""]:
                    print(f"  {minutes:3}:{seconds:02}  {hottest:>5} °C  {expected:15}  {each}".rstrip(), flush=True)
        await asyncio.sleep(LOOK_S)


async def fail(home: DemoHome, simulator: Simulator, entity_id: Callable[[str], str], short: Short) -> None:
    """Let the short begin, and tell what comes of it."""
    await asyncio.sleep(short.after_s)
    began_s = await simulator.command(pack=WATCHED, fault="short", w=short.watts, cell=short.cell)
    print(f"    0:00            A short of {short.watts:g} W begins inside cell {short.cell}.", flush=True)
    await tell(home, entity_id, began_s)


async def furnish(home: DemoHome, pack: Pack, entry: Entry, guardian_mode: str) -> Callable[[str], str]:
    """Make one pack ready to try everything on, with a page; return what finds its entities by their keys.

    What its owner has changed since the page is there stays so.
    """
    dashboards = cast("list[dict[str, str]]", await home.command("lovelace/dashboards/list"))
    is_furnished = any(dashboard["url_path"] == PAGE for dashboard in dashboards)
    if not is_furnished:
        await home.set_options(entry, permission="all", advanced={})
        await home.set_options(entry, "actions", **ACTIONS)
        await home.set_options(entry, "guardian", guardian_mode=guardian_mode, chemistry="auto", ambient_entity=ROOM)
    entity_ids = await home.entity_ids()

    def entity_id(key: str) -> str:
        return entity_ids[f"{pack.address}_{key}"]

    if not is_furnished:
        dashboard = {"url_path": PAGE, "title": "Guardian", "icon": "mdi:shield-half-full", "mode": "storage"}
        await home.command("lovelace/dashboards/create", **dashboard)
        await home.command("lovelace/config/save", url_path=PAGE, config=page(entity_id))
    return entity_id


async def show(home: DemoHome, simulator: Simulator, speed: float, short: Short | None) -> None:
    """Set up what there is to see, say where it is, and stay until Home Assistant has ended."""
    await home.add_proxies(simulator.proxies)
    entries = await home.confirm_packs(simulator.packs)
    watched = simulator.packs[WATCHED]
    changeable = next(entry for entry in entries if entry["title"] == watched.name)
    # Much faster than in life, everyday heat looks like a fault: only where one is wanted the guardian acts.
    mode = "dry_run" if short is None else "act"
    entity_id = await furnish(home, watched, changeable, mode)
    print(
        f"\n  {home.address}",
        f"  user      {home.credentials.user}",
        f"  password  {home.credentials.password}",
        f"\nWith {', '.join(entry['title'] for entry in entries)}.",
        f"Settings can be changed in {changeable['title']}; for the others, allow it in their options.",
        "Ctrl-C ends it.",
        sep="\n",
        flush=True,
    )
    async with asyncio.TaskGroup() as beside:
        beside.create_task(turn_fan(home, simulator))
        if short is not None:
            print(
                f"\nThe page is {home.address}/{PAGE}. In {short.after_s:g} s a short begins inside cell {short.cell}:",
                f"it heats the cell by {short.watts:g} W, drains it, and pulls its voltage down.",
                *([] if speed == 1 else [f"At {speed:g} times the speed it looks like {short.watts * speed:g} W."]),
                "The guardian sees the voltage sag, then one probe get warmer than the others, and says when it gets",
                "too hot. It starts the fan, stops the charge, and switches the pack off if nothing else is left.\n",
                sep="\n",
                flush=True,
            )
            beside.create_task(fail(home, simulator, entity_id, short))
        while await home.wait() == RESTART_EXIT_CODE:
            await home.start()
        raise DemoError(f"Home Assistant has ended; see {home.log}")


async def demo(speed: float, port: int, short: Short | None) -> None:
    """Run the demo until it is cancelled."""
    folder = DEMO_HOME if short is None else FAULT_HOME
    folder.parent.mkdir(parents=True, exist_ok=True)
    print("Starting Home Assistant and the simulated packs ...", flush=True)
    # The proxies are where they were the last time, or Home Assistant would wait for them while it starts.
    simulated = ("--packs", "demo", "--speed", str(speed), "--port", str(FIRST_PROXY_PORT))
    async with Simulator(simulated, log=folder.with_name("simulator.log")) as simulator:
        if short is not None:
            shutil.rmtree(folder, ignore_errors=True)
        async with DemoHome(folder, port=port) as home:
            await show(home, simulator, speed, short)


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="scripts/demo", description="Home Assistant with three simulated JK packs.")
    parser.add_argument("--speed", type=float, default=1, help="how much faster the simulated day runs (default 1)")
    parser.add_argument("--port", type=int, default=8123, help="where Home Assistant listens (default 8123)")
    parser.add_argument("--fault", choices=["short"], help="let something go wrong in a pack, in a home made for that")
    parser.add_argument("--watts", type=float, default=300, help="how strong the short is (default 300)")
    parser.add_argument(
        "--cell",
        type=int,
        choices=range(1, CELLS + 1),
        default=7,
        help="where; 3, 7, 11 and 15 have a probe (default 7)",
    )
    parser.add_argument("--after", type=float, default=120, help="seconds from when all is ready (default 120)")
    return parser.parse_args()


def main() -> None:
    """Run the demo from the command line."""
    options = arguments()
    short = Short(options.watts, options.cell, options.after) if options.fault else None

    async def until_told() -> None:
        task = asyncio.current_task()
        assert task
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            asyncio.get_running_loop().add_signal_handler(number, task.cancel)
        await demo(options.speed, options.port, short)

    try:
        try:
            asyncio.run(until_told())
        except asyncio.CancelledError:
            print("\nEnded.")
    except* DemoError as errors:
        sys.exit(f"scripts/demo: {errors.exceptions[0]}")


if __name__ == "__main__":
    main()
