"""Simulated packs behind simulated Bluetooth proxies, until told to stop or until the program that started it is gone.

    python -m simulator [--packs demo|N] [--proxies P] [--slots 3] [--speed N] [--seed S] [--port P]

Prints a JSON line for each proxy, then {"ready": true, "packs": [...]}. Takes commands as JSON lines from a pipe and
answers each with a line: {"time": T}, the monotonic time in seconds at which the change took effect, or {"error": ...}.

    {"pack": 0, "set": "current", "a": 20}            null gives the pack back to its house
    {"pack": 0, "set": "ripple", "a": 5}              the current swings so much (standard deviation) within 50 ms; null
                                                      gives it back to the house; with a current that is set: none
    {"pack": 0, "set": "rest"}                        no current but the noise of its measurement, and settled cells
    {"pack": 0, "set": "ambient", "c": 35}
    {"pack": 0, "set": "fan", "share": 1}             of its full speed; 0 is off
    {"pack": 0, "set": "text", "name": "device_passcode", "value": "4711"}
    {"pack": 0, "set": "setting", "name": "cell_overvoltage_v", "value": 3.4}
                                                      whatever its range; the next is checked as every write
    {"pack": 0, "app": "cell_overvoltage_v", "value": 3.55}   what a phone's app does behind our back
    {"pack": 0, "alarm": "cell_overvoltage", "on": true}
    {"pack": 0, "fault": "disconnect"}                or drop, damage, duplicate (with "count"), stall, refuse, busy,
                                                      out_of_range, silent (with "on"), slow (with "times"), lose
                                                      (with the "share" of the notifications that is lost for good)
    {"pack": 0, "fault": "short", "w": 300, "cell": 7}   inside a cell, counted from 1; of 0 W it is over
    {"pack": 0, "fault": "lose_writes"}               or refuse_writes, unacknowledge_writes, drop_on_writes, unanswer
                                                      (with "count"), slow_memory, pause_after_writes (with "s")
    {"pack": 0, "tell": "link"}                       answered also with "connected" and "frames_sent"
    {"pack": 0, "tell": "cells"}                      answered also with what is true of them: "cells_c", "current_a",
                                                      "charge_mosfet", "discharge_mosfet", and "fan"
    {"pack": 0, "tell": "settings"}                   answered also with "settings": all numbers that the board goes by
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import stat
import sys
import time
from collections.abc import Callable, Sequence

from custom_components.jk_bms.bms.alarms import Alarm
from simulator.firmware import Firmware
from simulator.fleet import Member, carried, demo, load_test

TICK_S = 1.0
"""How often a pack that no one listens to lives on."""
SLOTS = 3
MOST = 255
"""Proxies are told apart by a byte of their address."""
FASTEST = 120.0
"""A minute of the pack from frame to frame. Much faster, and no change looks like one that a pack could have made."""

_COUNTED = {
    "drop": "drop",
    "damage": "damage",
    "duplicate": "duplicate",
    "lose_writes": "lost_writes",
    "refuse_writes": "refused_writes",
    "unacknowledge_writes": "unacknowledged_writes",
    "drop_on_writes": "dropping_writes",
    "unanswer": "unanswered",
}
"""The faults that a count is set for, by their names in commands."""


class CommandError(Exception):
    """A command that can't be carried out, in words for whoever sent it."""


def carry_out(members: Sequence[Member], line: str) -> dict[str, object]:
    """Carry out a command; return the answer with the monotonic time of the change. Raises CommandError."""
    told: dict[str, object] = {}
    try:
        command = json.loads(line)
        member = members[command["pack"]]
        member.firmware.catch_up()
        if "set" in command:
            _set(member, command)
        elif "alarm" in command:
            member.firmware.board.force_alarm(Alarm[command["alarm"].upper()], raised=command.get("on", True))
        elif "app" in command:
            member.firmware.app_changes(command["app"], command["value"])
        elif command.get("tell") == "link":
            told = {"connected": member.firmware.is_connected, "frames_sent": member.firmware.frames_sent}
        elif command.get("tell") == "cells":
            pack = member.firmware.board.pack
            told = {
                "cells_c": [round(cell.temperature_c, 2) for cell in pack.cells],
                "current_a": pack.current_a,
                "charge_mosfet": pack.charge_mosfet_on,
                "discharge_mosfet": pack.discharge_mosfet_on,
                "fan": pack.fan,
            }
        elif command.get("tell") == "settings":
            kept = member.firmware.board.settings | member.firmware.board.device_info
            told = {"settings": {name: value for name, value in kept.items() if isinstance(value, int | float)}}
        else:
            _set_fault(member.firmware, command)
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise CommandError(f"{line.strip()}: {error!r}") from error
    return {"time": time.monotonic(), **told}


def _set(member: Member, command: dict[str, object]) -> None:
    match command:
        case {"set": "current", "a": int() | float() | None as current_a}:
            member.site.set_current_a = current_a
        case {"set": "ripple", "a": int() | float() | None as ripple_a} if (ripple_a or 0) >= 0:
            member.site.set_ripple_a = ripple_a
        case {"set": "rest"}:
            member.site.set_current_a = 0.0
            member.firmware.board.pack.settle()
        case {"set": "text", "name": str() as name, "value": str() as text}:
            if not isinstance(member.firmware.board.device_info[name], bytes):
                raise TypeError(f"{name} is no text")
            member.firmware.board.device_info[name] = text.encode()
        case {"set": "ambient", "c": int() | float() as ambient_c}:
            member.firmware.board.pack.ambient_c = ambient_c
        case {"set": "fan", "share": int() | float() as share} if 0 <= share <= 1:
            member.firmware.board.pack.fan = share
        case {"set": "setting", "name": str() as name, "value": int() | float() as value}:
            if not member.firmware.board.set(name, value):
                raise ValueError(f"{name} has to keep its place among the others")
        case _:
            raise ValueError("no such thing to set")


def _set_fault(firmware: Firmware, command: dict[str, object]) -> None:
    faults = firmware.faults
    match {"count": 1, "on": True, "times": 5, "share": 0.05, "s": 1.0} | command:
        case {"fault": "disconnect"}:
            firmware.drop_link()
        case {"fault": str() as name, "count": int() as count} if name in _COUNTED:
            setattr(faults, _COUNTED[name], count)
        case {"fault": "stall", "on": bool() as on}:
            faults.stalled = on
        case {"fault": "silent", "on": bool() as on}:
            faults.silent_stream = on
        case {"fault": "refuse", "on": bool() as on}:
            faults.refuses = on
        case {"fault": "busy", "on": bool() as on}:
            firmware.busy = on
        case {"fault": "out_of_range", "on": bool() as on}:
            firmware.in_range = not on
        case {"fault": "slow", "times": int() | float() as times}:
            faults.slowness = times
        case {"fault": "lose", "share": int() | float() as share} if 0 <= share <= 1:
            faults.loss = share
        case {"fault": "short", "w": int() | float() as watts, "cell": int() as cell} if watts >= 0 < cell:
            firmware.board.pack.cells[cell - 1].short_w = watts
        case {"fault": "slow_memory", "s": int() | float() as slow_s}:
            faults.slow_memory_s = slow_s
        case {"fault": "pause_after_writes", "s": int() | float() as pause_s}:
            faults.pause_s = pause_s
        case _:
            raise ValueError("no such fault")


def say(message: dict[str, object]) -> None:
    """Print a JSON line for the program that started this one."""
    print(json.dumps(message), flush=True)


async def live(members: Sequence[Member]) -> None:
    """Let all packs live on, one after the other, each once a tick."""
    while True:
        for member in members:
            member.firmware.catch_up()
            await asyncio.sleep(TICK_S / len(members))


async def obey(members: Sequence[Member]) -> None:
    """Carry out commands until the pipe is closed; without a pipe there is no one to obey."""
    mode = os.fstat(sys.stdin.fileno()).st_mode
    if not (stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)):
        await asyncio.Event().wait()
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        try:
            say(carry_out(members, line.decode()))
        except CommandError as error:
            say({"error": str(error)})


async def run(arguments: argparse.Namespace) -> None:
    """Run packs and proxies until a signal comes or the pipe is closed."""
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    if arguments.packs == "demo":
        members = demo(seed=arguments.seed, speed=arguments.speed)
        proxies = carried(members, proxies=arguments.proxies or 2, slots=arguments.slots)
    else:
        members = load_test(arguments.packs, seed=arguments.seed, speed=arguments.speed)
        proxies = carried(members, proxies=arguments.proxies, slots=arguments.slots)
    for place, proxy in enumerate(proxies):
        try:
            await proxy.start(port=arguments.port and arguments.port + place)
        except (OSError, OverflowError) as error:
            sys.exit(f"{proxy.name}: {error}")
        say({"proxy": proxy.name, "host": "127.0.0.1", "port": proxy.port, "mac": proxy.mac})
    packs = [{"name": member.firmware.name, "address": member.firmware.address} for member in members]
    say({"ready": True, "packs": packs})

    living, obeying, stopping = (asyncio.ensure_future(work) for work in (live(members), obey(members), stop.wait()))
    await asyncio.wait((living, obeying, stopping), return_when=asyncio.FIRST_COMPLETED)
    for task in (living, obeying, stopping):
        task.cancel()
    for proxy in proxies:
        await proxy.stop()
    # What ended by itself with an error, instead of because it was told to, says so.
    for result in await asyncio.gather(living, obeying, stopping, return_exceptions=True):
        if isinstance(result, Exception):
            raise result


def speed(text: str) -> float:
    """Read a speed that the integration can follow. Raises ArgumentTypeError."""
    number = float(text)
    if not 0 < number <= FASTEST:
        raise argparse.ArgumentTypeError(f"{text}: more than 0 and at most {FASTEST:g} simulated seconds a second")
    return number


def whole(lowest: int, highest: int) -> Callable[[str], int]:
    """Return a reader of whole numbers in a range, which raises ArgumentTypeError."""

    def read(text: str) -> int:
        if not text.isdecimal() or not lowest <= int(text) <= highest:
            raise argparse.ArgumentTypeError(f"{text}: a whole number from {lowest} to {highest}")
        return int(text)

    return read


def packs(text: str) -> str | int:
    """Read which packs are meant. Raises ArgumentTypeError."""
    return text if text == "demo" else whole(1, MOST)(text)


def main(arguments: list[str] | None = None) -> None:
    """Read the command line and run."""
    parser = argparse.ArgumentParser(prog="python -m simulator", description="Simulated JK packs behind proxies.")
    parser.add_argument("--packs", type=packs, default="demo", help="demo (three packs), or how many packs of 16 cells")
    parser.add_argument("--proxies", type=whole(1, MOST), help="how many Bluetooth proxies carry them")
    parser.add_argument("--slots", type=whole(1, MOST), default=SLOTS, help="connections that a proxy can hold")
    parser.add_argument("--speed", type=speed, default=1.0, help=f"simulated seconds a second, up to {FASTEST:g}")
    parser.add_argument("--seed", type=int, default=1, help="the same seed gives the same packs")
    parser.add_argument(
        "--port", type=whole(0, 65535), default=0, help="of the first proxy, the others follow (default: any free)"
    )
    asyncio.run(run(parser.parse_args(arguments)))


if __name__ == "__main__":
    main()
