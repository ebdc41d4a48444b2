"""The simulator as a program: what it prints, what it obeys, how it ends."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from argparse import ArgumentTypeError
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from custom_components.jk_bms.bms.alarms import Alarm
from custom_components.jk_bms.bms.frames import Command
from custom_components.jk_bms.bms.receiver import Receiver, Verdict
from simulator.__main__ import FASTEST, CommandError, carry_out, main, speed
from simulator.fleet import Member, carried, demo, load_test

PROJECT = Path(__file__).parents[2]


@asynccontextmanager
async def simulator(*arguments: str, stdin: int = PIPE, stderr: int | None = None) -> AsyncIterator[Process]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "simulator", *arguments, cwd=PROJECT, stdin=stdin, stdout=PIPE, stderr=stderr
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def said(process: Process) -> Any:
    assert process.stdout
    return json.loads(await process.stdout.readline())


async def until_ready(process: Process) -> tuple[list[Any], list[Any]]:
    proxies = []
    while "ready" not in (line := await said(process)):
        proxies.append(line)
    return proxies, line["packs"]


@pytest.mark.enable_socket
async def test_demo_announces_itself_obeys_and_ends_with_its_pipe() -> None:
    async with simulator("--speed", "6") as process:
        proxies, packs = await until_ready(process)
        assert [proxy["proxy"] for proxy in proxies] == ["bluetooth-proxy-1", "bluetooth-proxy-2"]
        assert {proxy["host"] for proxy in proxies} == {"127.0.0.1"}
        assert len({proxy["mac"] for proxy in proxies}) == 2
        assert [pack["name"] for pack in packs] == ["JK_PB2A16S20P", "JK_PB2A16S15P", "JK_B2A8S20P"]
        assert process.stdin
        process.stdin.write(b'{"pack": 0, "set": "current", "a": 20}\n{"pack": 3, "fault": "drop"}\n')
        assert (await said(process))["time"] > 0
        assert "IndexError" in (await said(process))["error"]
        process.stdin.close()
        assert await process.wait() == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_ends_by_signal(number: signal.Signals) -> None:
    async with simulator("--packs", "4", "--proxies", "3", stdin=DEVNULL) as process:
        proxies, packs = await until_ready(process)
        assert (len(proxies), len(packs)) == (3, 4)
        os.kill(process.pid, number)
        assert await process.wait() == 0


def test_demo_has_two_generations() -> None:
    packs = [(m.firmware.model.software_version, len(m.firmware.board.pack.cells)) for m in demo(seed=1, speed=1)]
    assert packs == [("15.41", 16), ("14.20", 16), ("10.07", 8)]


def test_a_fleet_is_spread_over_proxies() -> None:
    members = load_test(16, seed=1, speed=1)
    assert len({member.firmware.address for member in members}) == 16
    proxies = carried(members, proxies=None, slots=3)
    assert len(proxies) == 6
    held = [len(proxy._peripherals) for proxy in proxies]
    assert sum(held) == 16
    assert max(held) == 3


def test_same_seed_same_fleet() -> None:
    def life(seed: int) -> list[bytes]:
        frames = []
        for member in demo(seed=seed, speed=1):
            member.firmware.board.advance(600)
            frames.append(member.firmware.board.cell_info_frame())
        return frames

    assert life(1) == life(1) != life(2)


def test_at_the_highest_speed_frames_are_still_believed() -> None:
    for member in demo(seed=1, speed=FASTEST):
        board, receiver = member.firmware.board, Receiver()
        receiver.feed(board.answer(Command.DEVICE_INFO, b"")[0], 0)
        verdicts: Counter[Verdict] = Counter()
        for number in range(4000):
            board.advance(0.55 * FASTEST)
            verdicts.update(reading.verdict for reading in receiver.feed(board.cell_info_frame(), 0.55 * number))
        assert verdicts[Verdict.ACCEPTED] > 3950


@pytest.mark.parametrize("text", ["0", "-1", "121", "nan"])
def test_a_speed_that_nothing_can_follow_is_refused(text: str) -> None:
    assert speed("2.5") == 2.5
    with pytest.raises(ArgumentTypeError):
        speed(text)


@pytest.mark.parametrize(
    "arguments",
    [("--packs", "0"), ("--packs", "-3"), ("--packs", "many"), ("--packs", "256"), ("--proxies", "0"),
     ("--proxies", "256"), ("--slots", "0"), ("--slots", "1.5"), ("--port", "-1"), ("--port", "65536")],
    ids=" ".join,
)  # fmt: skip
def test_numbers_out_of_range_are_refused(arguments: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(list(arguments))
    assert f"argument {arguments[0]}: {arguments[1]}: a whole number from " in capsys.readouterr().err


@pytest.mark.enable_socket
async def test_a_port_that_is_taken_is_named() -> None:
    async with simulator("--packs", "1") as first:
        (proxy,), _ = await until_ready(first)
        async with simulator("--packs", "1", "--port", str(proxy["port"]), stderr=PIPE) as second:
            _, errors = await second.communicate()
            assert second.returncode == 1
    assert errors.startswith(b"bluetooth-proxy-1: ")
    assert errors.count(b"\n") == 1


@pytest.fixture
def members() -> list[Member]:
    return demo(seed=1, speed=1)


def do(members: list[Member], **command: object) -> dict[str, object]:
    return carry_out(members, json.dumps(command))


def test_current_is_set_and_given_back(members: list[Member]) -> None:
    board = members[0].firmware.board
    do(members, pack=0, set="current", a=-33.5)
    board.advance(2)
    assert board.pack.current_a == -33.5
    do(members, pack=0, set="current", a=None)
    board.advance(60)
    assert board.pack.current_a > 0


def test_a_ripple_is_of_the_house_or_set(members: list[Member]) -> None:
    board = members[0].firmware.board
    board.advance(60)
    assert board.ripple_a == pytest.approx(0.02 * board.pack.current_a)
    assert board.ripple_a > 0
    do(members, pack=0, set="ripple", a=5)
    board.advance(1)
    assert board.ripple_a == 5
    do(members, pack=0, set="current", a=-33.5)
    board.advance(1)
    assert board.ripple_a == 5
    do(members, pack=0, set="ripple", a=None)
    board.advance(1)
    assert board.ripple_a == 0
    with pytest.raises(CommandError):
        do(members, pack=0, set="ripple", a=-1)


def test_settings_air_and_alarms_are_set(members: list[Member]) -> None:
    board = members[1].firmware.board
    do(members, pack=1, set="ambient", c=-3)
    assert board.pack.ambient_c == -3
    do(members, pack=1, set="setting", name="cell_overvoltage_v", value=3.5)
    assert board.settings["cell_overvoltage_v"] == 3.5
    with pytest.raises(CommandError):
        do(members, pack=1, set="setting", name="cell_overvoltage_v", value=3.1)
    do(members, pack=1, alarm="cell_overvoltage")
    assert board.alarms == {Alarm.CELL_OVERVOLTAGE}
    do(members, pack=1, alarm="cell_overvoltage", on=False)
    assert board.alarms == frozenset()


def test_the_app_writes_behind_our_back(members: list[Member]) -> None:
    board = members[0].firmware.board
    do(members, pack=0, app="cell_overvoltage_v", value=3.55)
    assert board.settings["cell_overvoltage_v"] == 3.55
    do(members, pack=0, app="charge_switch", value=False)
    assert board.pack.charge_mosfet_on is False
    do(members, pack=0, app="user_data", value="cellar")
    assert board.device_info["user_data"] == b"cellar"


def test_rest_is_noise_and_nothing_else(members: list[Member]) -> None:
    board = members[0].firmware.board
    do(members, pack=0, set="current", a=100)
    board.advance(600)
    do(members, pack=0, set="rest")
    board.advance(5)
    rested = [cell.voltage_v for cell in board.pack.cells]
    currents_a = []
    for _ in range(600):
        board.advance(1)
        currents_a.append(board.pack.measure().current_a)
    assert [cell.voltage_v for cell in board.pack.cells] == pytest.approx(rested, abs=1e-4)
    assert 0.03 < max(currents_a) <= 0.05
    assert -0.03 > min(currents_a) >= -0.05


def test_texts_are_set(members: list[Member]) -> None:
    do(members, pack=0, set="text", name="device_passcode", value="4711#door")
    assert b"4711#door" in members[0].firmware.board.answer(Command.DEVICE_INFO, b"")[0]


async def test_link_is_told_of(members: list[Member]) -> None:
    def link() -> tuple[object, object]:
        answer = do(members, pack=0, tell="link")
        return answer["connected"], answer["frames_sent"]

    firmware = members[0].firmware
    firmware.send_cell_info()
    assert link() == (False, 0)
    firmware.connected(lambda _handle, _data: None, lambda: None)
    firmware.send_cell_info()
    assert link() == (True, 0), "nobody listens yet"
    firmware.subscribe(firmware._notify_handle, enabled=True)
    firmware.send_cell_info()
    do(members, pack=0, fault="drop")
    firmware.send_cell_info()
    assert link() == (True, 2), "what is lost on the way was sent"
    firmware.disconnected()
    assert link() == (False, 2)


def test_settings_are_told(members: list[Member]) -> None:
    do(members, pack=0, app="cell_overvoltage_v", value=3.55)
    do(members, pack=0, app="uart1_protocol", value=1)
    settings = do(members, pack=0, tell="settings")["settings"]
    assert isinstance(settings, dict)
    assert (settings["cell_overvoltage_v"], settings["uart1_protocol"]) == (3.55, 1)
    assert "serial_number" not in settings


def test_a_short_is_made_and_ended_and_its_heat_is_told(members: list[Member]) -> None:
    do(members, pack=0, set="current", a=0)
    do(members, pack=0, fault="short", w=300, cell=7)
    members[0].firmware.board.advance(120)
    do(members, pack=0, fault="short", w=0, cell=7)
    cells_c = do(members, pack=0, tell="cells")["cells_c"]
    assert isinstance(cells_c, list)
    assert cells_c.index(max(cells_c)) == 6
    assert cells_c[6] - min(cells_c) == pytest.approx(6, abs=0.5)
    assert members[0].firmware.board.pack.cells[6].short_w == 0


def test_a_fan_is_set_and_what_flows_is_told(members: list[Member]) -> None:
    do(members, pack=0, set="fan", share=1)
    do(members, pack=0, set="current", a=20)
    do(members, pack=0, app="charge_switch", value=False)
    members[0].firmware.board.advance(5)
    told = do(members, pack=0, tell="cells")
    del told["time"], told["cells_c"]
    assert told == {"current_a": 0, "charge_mosfet": False, "discharge_mosfet": True, "fan": 1}


@pytest.mark.parametrize(
    ("command", "attribute", "value"),
    [
        ({"fault": "drop", "count": 3}, "drop", 3),
        ({"fault": "damage"}, "damage", 1),
        ({"fault": "duplicate", "count": 2}, "duplicate", 2),
        ({"fault": "stall"}, "stalled", True),
        ({"fault": "silent"}, "silent_stream", True),
        ({"fault": "refuse"}, "refuses", True),
        ({"fault": "slow", "times": 4}, "slowness", 4),
        ({"fault": "lose"}, "loss", 0.05),
        ({"fault": "lose", "share": 0}, "loss", 0),
        ({"fault": "lose_writes"}, "lost_writes", 1),
        ({"fault": "refuse_writes", "count": 3}, "refused_writes", 3),
        ({"fault": "unacknowledge_writes"}, "unacknowledged_writes", 1),
        ({"fault": "drop_on_writes"}, "dropping_writes", 1),
        ({"fault": "unanswer", "count": 2}, "unanswered", 2),
        ({"fault": "slow_memory", "s": 3}, "slow_memory_s", 3),
        ({"fault": "pause_after_writes"}, "pause_s", 1),
    ],
)
def test_faults(members: list[Member], command: dict[str, object], attribute: str, value: object) -> None:
    do(members, pack=2, **command)
    assert getattr(members[2].firmware.faults, attribute) == value


def test_being_there_or_not(members: list[Member]) -> None:
    for fault in ("busy", "out_of_range"):
        do(members, pack=0, fault=fault)
        assert not members[0].firmware.connectable
        do(members, pack=0, fault=fault, on=False)
        assert members[0].firmware.connectable


@pytest.mark.parametrize(
    "line", ["", "{}", "[]", '{"pack": 0}', '{"pack": 0, "set": "moon"}', '{"pack": 0, "alarm": "moon"}',
             '{"pack": 0, "fault": "drop", "count": "many"}', '{"pack": 0, "set": "current", "a": "x"}',
             '{"pack": 0, "set": "text", "name": "moon", "value": "x"}', '{"pack": 0, "tell": "moon"}',
             '{"pack": 0, "set": "text", "name": "power_on_count", "value": "x"}', '{"pack": 0, "fault": "moon"}',
             '{"pack": 0, "fault": "lose", "share": 2}', '{"pack": 0, "fault": "slow_memory", "s": "long"}',
             '{"pack": 0, "app": "moon", "value": 1}', '{"pack": 0, "app": "cell_overvoltage_v"}',
             '{"pack": 0, "app": "cell_overvoltage_v", "value": 9}',
             '{"pack": 0, "app": "charge_switch", "value": []}', '{"pack": 0, "set": "fan", "share": 2}',
             '{"pack": 0, "fault": "short", "w": 300, "cell": 0}',
             '{"pack": 0, "fault": "short", "w": 300, "cell": 17}',
             '{"pack": 0, "fault": "short", "w": -1, "cell": 7}', '{"pack": 0, "fault": "short"}'],
)  # fmt: skip
def test_nonsense_is_refused(members: list[Member], line: str) -> None:
    with pytest.raises(CommandError):
        carry_out(members, line)
