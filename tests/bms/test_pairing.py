"""Bonds: made when a board asks for one, made anew when it is lost, and left alone where nobody asks."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from typing import cast
from unittest.mock import AsyncMock, patch

import bleak_retry_connector
import pytest
from bleak.exc import BleakError
from dbus_fast import BusType, MessageType
from dbus_fast.aio import MessageBus

from custom_components.jk_bms.bms import pairing
from custom_components.jk_bms.bms.bonding import PAIRING_TIMEOUT_S, Bonding
from custom_components.jk_bms.bms.gatt import PAIRING_PROBLEMS
from custom_components.jk_bms.bms.link import Link, LinkError, LinkProblem, LinkState, LinkStatus, probe
from custom_components.jk_bms.bms.pairing import Agent
from custom_components.jk_bms.bms.receiver import Reading
from custom_components.jk_bms.bms.telemetry import Telemetry
from simulator.bleak_radio import Air, AirClient, FakeBleakClient, Stack
from simulator.bluez import Bus, path_of

from .clock import FakeClock, settle
from .scripted import ScriptedBoard, device_info

PASSCODE = "471100"


class Bench:
    """A board in the air that wants a bond, and links to it."""

    def __init__(self, stack: Stack) -> None:
        self.clock = FakeClock()
        self.board = ScriptedBoard(self.clock, wants_bond=True, pairing_error=None)
        self.air = Air([self.board], stack)
        self.values: list[object] = []
        self.statuses: list[LinkStatus] = []
        self.links: list[Link] = []
        self.client_class: type[FakeBleakClient] = FakeBleakClient

    def _on_reading(self, reading: Reading) -> None:
        self.values.append(reading.value)

    async def start(self, passcode: str | None = None) -> Link:
        link = Link(
            "pack",
            lambda: self.air.device(self.board.address),
            self._on_reading,
            self.statuses.append,
            passcode=passcode,
            now=self.clock.now,
            sleep=self.clock.sleep,
            jitter=lambda: 1.0,
            client_class=self.client_class,
        )
        self.links.append(link)
        await link.start()
        return link

    async def settled(self, passcode: str | None = None) -> LinkProblem | None:
        """Return what keeps a new link from values once it has given up, None if nothing does."""
        link = await self.start(passcode)
        await self.clock.until(lambda: self.telemetry or link.status.problem in PAIRING_PROBLEMS)
        return link.status.problem

    @property
    def telemetry(self) -> list[Telemetry]:
        return [value for value in self.values if isinstance(value, Telemetry)]

    @property
    def problems(self) -> set[LinkProblem]:
        return {status.problem for status in self.statuses if status.problem}

    async def lose_bond(self) -> None:
        """Let the board forget its bond, lose the link, and let time pass until there are values again."""
        self.board.bonded = False
        await self.lose_link()

    async def lose_link(self) -> None:
        self.values.clear()
        assert self.board.drop
        self.board.drop()
        await self.clock.until(lambda: self.telemetry)
        assert self.telemetry


@pytest.fixture
def stack() -> Stack:
    return Stack.BLUEZ


@pytest.fixture
async def bench(stack: Stack) -> AsyncIterator[Bench]:
    bench = Bench(stack)
    with (
        patch.object(bleak_retry_connector, "wait_for_disconnect", AsyncMock()),
        patch.object(bleak_retry_connector.bluez, "get_global_bluez_manager_with_timeout", AsyncMock()) as manager,
        patch.object(pairing, "MessageBus", bench.air.bluez.bus),
    ):
        manager.return_value = None
        yield bench
        for link in bench.links:
            await link.stop()
        assert bench.board.drop is None, "a client is left connected"
        assert not bench.air.bluez.buses, "an agent is left behind"


BOTH_STACKS = pytest.mark.parametrize("stack", Stack, ids=lambda stack: stack.name)
PROXY_ONLY = pytest.mark.parametrize("stack", [Stack.ESPHOME], ids=["ESPHOME"])


@BOTH_STACKS
async def test_board_that_asks_is_paired_without_a_passcode(bench: Bench) -> None:
    assert await bench.settled() is None
    assert bench.problems == {LinkProblem.CONNECTION_FAILED}, "the owner has nothing to do"
    assert bench.board.pairings == 1
    await bench.clock.run(60)
    await bench.lose_link()
    assert bench.board.pairings == 1, "a bond outlasts the link"


@BOTH_STACKS
async def test_board_that_does_not_ask_is_not_paired(bench: Bench) -> None:
    bench.board.wants_bond = False
    assert await bench.settled() is None
    for _ in range(5):
        await bench.lose_link()
    assert bench.board.pairings == 0


@BOTH_STACKS
async def test_passcode_that_nobody_asks_for_does_no_harm(bench: Bench) -> None:
    assert await bench.settled(PASSCODE) is None
    assert bench.board.pairings == 1
    assert not bench.problems, "who has a pass code wants a bond"


async def test_right_passcode_through_bluez(bench: Bench) -> None:
    bench.board.passcode = int(PASSCODE)
    assert await bench.settled(PASSCODE) is None
    assert bench.air.bonds == {bench.board.address}
    assert not bench.air.bluez.agents, "it is there for the time of the pairing only"


@pytest.mark.parametrize(
    ("stack", "passcode", "problem"),
    [
        (Stack.BLUEZ, "471101", LinkProblem.WRONG_PASSCODE),
        (Stack.BLUEZ, None, LinkProblem.PAIRING_NEEDED),
        (Stack.ESPHOME, PASSCODE, LinkProblem.PASSCODE_NOT_ASKED),
        (Stack.ESPHOME, None, LinkProblem.PAIRING_NEEDED),
    ],
)
async def test_refusal_says_what_is_missing(bench: Bench, passcode: str | None, problem: LinkProblem) -> None:
    bench.board.passcode = int(PASSCODE)
    assert await bench.settled(passcode) is problem
    pairings = bench.board.pairings
    await bench.clock.run(3600)
    assert bench.board.pairings == pairings, "a refusal is final"


async def test_board_that_refuses_before_it_asks(bench: Bench) -> None:
    bench.board.pairing_error = 0x05
    assert await bench.settled(PASSCODE) is LinkProblem.PASSCODE_NOT_ASKED


@pytest.mark.parametrize(
    ("stack", "passcode"), [(Stack.BLUEZ, PASSCODE), (Stack.ESPHOME, None)], ids=["BlueZ", "proxy"]
)
async def test_lost_bond_is_made_anew(bench: Bench, passcode: str | None) -> None:
    bench.board.passcode = None if passcode is None else int(passcode)
    assert await bench.settled(passcode) is None
    for _ in range(2):
        await bench.clock.run(60)
        bench.statuses.clear()
        pairings = bench.board.pairings
        await bench.lose_bond()
        assert bench.board.pairings == pairings + 1
        assert bench.problems <= {LinkProblem.CONNECTION_FAILED}


async def test_lost_bond_of_a_board_that_drops_every_link(bench: Bench) -> None:
    board = bench.board
    board.info, board.wants_bond = device_info(software=b"19.30"), False
    assert await bench.settled(PASSCODE) is None
    await bench.clock.run(60)
    board.drops_after_s = 3.0
    board.bonded = False
    assert board.drop
    board.drop()
    await bench.clock.until(lambda: board.bonded)
    board.drops_after_s = None
    await bench.clock.run(60)
    assert bench.links[0].status.state is LinkState.CONNECTED
    assert board.pairings == 2


@PROXY_ONLY
async def test_bond_that_is_lost_for_good(bench: Bench) -> None:
    assert await bench.settled() is None
    await bench.clock.run(60)
    bench.board.bonded, bench.board.pairing_error = False, 0x05
    assert bench.board.drop
    bench.board.drop()
    link = bench.links[0]
    await bench.clock.until(lambda: link.status.problem is LinkProblem.PAIRING_NEEDED)
    bench.board.wants_bond = False
    assert await bench.clock.until(lambda: link.status.state is LinkState.CONNECTED, 700) > 500, "it may be helped"


@PROXY_ONLY
async def test_proxy_that_is_too_old_to_pair(bench: Bench) -> None:
    error = NotImplementedError("Pairing is not available in this version ESPHome; Upgrade the ESPHome version")
    with patch.object(AirClient, "pair", side_effect=error):
        assert await bench.settled() is LinkProblem.PAIRING_NEEDED
        assert await bench.settled(PASSCODE) is LinkProblem.PASSCODE_NOT_ASKED


@pytest.mark.parametrize(
    ("stack", "passcode"), [(Stack.BLUEZ, PASSCODE), (Stack.ESPHOME, None)], ids=["BlueZ", "proxy"]
)
async def test_pairing_that_meets_a_bad_signal_is_tried_again(bench: Bench, passcode: str | None) -> None:
    refused, lost = BleakError("Pairing failed due to error: 5"), BleakError("Not connected")
    outcomes = [refused, refused, lost] if passcode else [lost]
    pair = AirClient.pair

    async def fails_at_first(client: AirClient) -> None:
        if outcomes:
            raise outcomes.pop(0)
        await pair(client)

    with patch.object(AirClient, "pair", fails_at_first):
        assert await bench.settled(passcode) is None
    assert not outcomes
    assert bench.board.bonded
    assert bench.problems == {LinkProblem.CONNECTION_FAILED}


class Endless:
    """Pairings that don't come to an end, but for those that come before."""

    def __init__(self, *outcomes: Exception) -> None:
        self.begun = 0
        self._outcomes = list(outcomes)

    async def __call__(self) -> None:
        if self._outcomes:
            raise self._outcomes.pop(0)
        self.begun += 1
        await asyncio.Event().wait()


REFUSED = BleakError("Pairing failed due to error: 5")


async def test_pairing_without_an_end(bench: Bench) -> None:
    with patch.object(AirClient, "pair", pairing_for_ever := Endless(REFUSED, REFUSED)):
        link = await bench.start(PASSCODE)
        await bench.clock.until(lambda: pairing_for_ever.begun)
        assert len(bench.air.bluez.agents) == 1
        assert await bench.clock.until(lambda: not bench.air.bluez.agents) == PAIRING_TIMEOUT_S
        assert link.status.problem is LinkProblem.CONNECTION_FAILED


@pytest.mark.parametrize(
    ("stack", "outcomes"), [(Stack.BLUEZ, [REFUSED] * 2), (Stack.ESPHOME, [REFUSED] * 3)], ids=["BlueZ", "proxy"]
)
async def test_stop_in_the_midst_of_a_pairing(bench: Bench, outcomes: list[Exception]) -> None:
    bench.air.bonds.add(bench.board.address)
    with patch.object(AirClient, "pair", pairing_for_ever := Endless(*outcomes)):
        link = await bench.start(PASSCODE)
        await bench.clock.until(lambda: pairing_for_ever.begun)
        assert not bench.board.connectable
        await link.stop()
        await settle()
    assert bench.board.connectable
    assert not bench.air.bluez.buses


async def test_probe_with_a_passcode(bench: Bench) -> None:
    bench.board.passcode = int(PASSCODE)

    async def probed(passcode: str | None) -> object:
        work = asyncio.ensure_future(
            probe(
                "pack",
                lambda: bench.air.device(bench.board.address),
                passcode=passcode,
                now=bench.clock.now,
                sleep=bench.clock.sleep,
                client_class=FakeBleakClient,
            )
        )
        await bench.clock.until(work.done)
        return work.exception() or work.result()

    for passcode, problem in ((None, LinkProblem.PAIRING_NEEDED), ("1", LinkProblem.WRONG_PASSCODE)):
        error = await probed(passcode)
        assert isinstance(error, LinkError)
        assert error.problem is problem
    assert not isinstance(await probed(PASSCODE), Exception)
    assert bench.board.connectable


@BOTH_STACKS
@pytest.mark.parametrize("accepted", [True, False])
async def test_passcode_is_told_to_nobody(bench: Bench, caplog: pytest.LogCaptureFixture, *, accepted: bool) -> None:
    caplog.set_level(logging.DEBUG)
    bench.board.passcode = int(PASSCODE) + (not accepted)
    raised: list[BaseException] = []
    judge = Bonding.judge

    def keep(bonding: Bonding, error: LinkError) -> LinkProblem:
        raised.append(error)
        return judge(bonding, error)

    with patch.object(Bonding, "judge", keep):
        await bench.settled(PASSCODE)
    assert raised
    told = [caplog.text, repr(vars(bench.links[0])), repr(bench.statuses)]
    for error in raised:
        chain: BaseException | None = error
        while chain:
            told.append(repr(chain))
            chain = chain.__cause__ or chain.__context__
    assert not [text for text in told if PASSCODE in text]


# The agent


@pytest.fixture
async def agent_bus(bench: Bench) -> AsyncIterator[Bus]:
    """The bus of an agent that is there, on which BlueZ asks."""
    bus = await bench.air.bluez.bus(bus_type=BusType.SYSTEM).connect()
    await Agent(cast("MessageBus", bus), bench.board.address, PASSCODE).register()
    yield bus
    bus.disconnect()


OURS = path_of("C8:47:80:00:00:01")
ON_ANOTHER_ADAPTER = OURS.replace("hci0", "hci1")
FOREIGN = path_of("C8:47:80:00:00:02")
SERVICE = "0000ffe0-0000-1000-8000-00805f9b34fb"


@pytest.mark.parametrize(
    ("member", "signature", "body", "answer"),
    [
        ("RequestPasskey", "o", [OURS], [int(PASSCODE)]),
        ("RequestPasskey", "o", [ON_ANOTHER_ADAPTER], [int(PASSCODE)]),
        ("RequestPinCode", "o", [OURS], [PASSCODE]),
        ("RequestConfirmation", "ou", [OURS, 123456], []),
        ("RequestAuthorization", "o", [OURS], []),
        ("AuthorizeService", "os", [OURS, SERVICE], []),
        ("Cancel", "", [], []),
        ("Release", "", [], []),
        ("DisplayPasskey", "ouq", [OURS, 123456, 0], None),
        ("RequestPasskey", "o", [FOREIGN], None),
        ("RequestPinCode", "o", [FOREIGN], None),
        ("RequestConfirmation", "ou", [FOREIGN, 123456], None),
        ("RequestAuthorization", "o", [FOREIGN], None),
        ("AuthorizeService", "os", [FOREIGN, SERVICE], None),
    ],
)
async def test_agent_answers_for_its_device_only(
    agent_bus: Bus, member: str, signature: str, body: list[str | int], answer: list[str | int] | None
) -> None:
    reply = agent_bus.ask(member, signature, body)
    assert reply
    if answer is None:
        assert (reply.message_type, reply.error_name) == (MessageType.ERROR, "org.bluez.Error.Rejected")
        assert PASSCODE not in str(reply.body)
    else:
        assert (reply.message_type, reply.body) == (MessageType.METHOD_RETURN, answer)


async def test_agent_answers_bluez_only(agent_bus: Bus) -> None:
    assert agent_bus.ask("RequestPasskey", "o", [OURS], sender=":1.66") is None


async def test_bonds_of_others_stay(bench: Bench) -> None:
    other = "C8:47:80:00:00:02"
    bench.air.bonds |= {bench.board.address, other}
    bench.board.passcode = int(PASSCODE)
    assert await bench.settled(PASSCODE) is None
    assert bench.air.bonds == {bench.board.address, other}
    assert bench.board.pairings == 1
