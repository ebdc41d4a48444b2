"""The link, over bleak's own client classes, against a board that follows a script. No test waits for real time."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Callable, Iterator
from itertools import pairwise, repeat
from typing import Any, override
from unittest.mock import AsyncMock, Mock, patch

import bleak_retry_connector
import pytest
from bleak.backends.device import BLEDevice
from bleak.exc import BleakError

from custom_components.jk_bms.bms.frames import ACKNOWLEDGE, Command
from custom_components.jk_bms.bms.gatt import source_of
from custom_components.jk_bms.bms.layout import FrameType, Generation
from custom_components.jk_bms.bms.link import (
    MOST_READS,
    Link,
    LinkError,
    LinkMode,
    LinkProblem,
    LinkState,
    LinkStatus,
    PausedError,
    Probe,
    probe,
)
from custom_components.jk_bms.bms.receiver import Reading, Verdict
from custom_components.jk_bms.bms.telemetry import DeviceInfo, Settings, Telemetry
from simulator.bleak_radio import Air, ConnectFault, FakeBleakClient, Stack
from simulator.peripheral import Characteristic, Service
from tests.shared import CAPTURES, needs_captures

from .clock import FakeClock, settle
from .scripted import (
    B2A16S,
    B5A24S,
    EVENT_LOG,
    FFE1,
    ONE_CHARACTERISTIC,
    TWO_OF_ONE_UUID,
    ScriptedBoard,
    Table,
    cell_info,
    device_info,
    settings,
    table,
)

INFO, STREAM, LOG = Command.DEVICE_INFO, Command.SETTINGS_AND_STREAM, Command.EVENT_LOG
FIRST_TIME = [INFO, INFO, STREAM, STREAM]
"""What a board is asked on its first connection: it has to say everything twice."""

UNBELIEVABLE = (
    cell_info(state_of_charge_pct=120),
    cell_info(balance_action=9),
    cell_info(remaining_capacity_ah=400),
    cell_info(temperature_1_c=190),
    cell_info(average_cell_voltage_v=3.9),
    cell_info(pack_voltage_v=90, coarse_pack_voltage_v=90),
)
"""No two doubts the same: what a board says again and again is believed at last."""


class Bench:
    """A board in the air, and a link to it with all that it tells."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.board = ScriptedBoard(self.clock)
        self.air = Air([self.board])
        self.in_reach = True
        self.client_class: type[FakeBleakClient] = FakeBleakClient
        self.readings: list[Reading] = []
        self.on_reading: Callable[[], None] = lambda: None
        """What is done with each of them."""
        self.statuses: list[LinkStatus] = []
        self.links: list[Link] = []

    def find_device(self) -> BLEDevice | None:
        return self.air.device(self.board.address) if self.in_reach else None

    def link(self, mode: LinkMode = LinkMode.LIVE, interval_s: float = 60) -> Link:
        link = Link(
            "pack",
            self.find_device,
            self.take,
            self.statuses.append,
            mode=mode,
            interval_s=interval_s,
            now=self.clock.now,
            sleep=self.clock.sleep,
            jitter=lambda: 1.0,
            client_class=self.client_class,
        )
        self.links.append(link)
        return link

    def take(self, reading: Reading) -> None:
        self.readings.append(reading)
        self.on_reading()

    async def started(self, mode: LinkMode = LinkMode.LIVE, interval_s: float = 60) -> Link:
        """Return a link that has come to its first values."""
        link = self.link(mode, interval_s)
        await link.start()
        await self.clock.until(lambda: self.telemetry)
        return link

    def probing(self) -> asyncio.Task[Probe]:
        return asyncio.create_task(
            probe("pack", self.find_device, now=self.clock.now, sleep=self.clock.sleep, client_class=self.client_class)
        )

    async def probed(self) -> Probe:
        work = self.probing()
        await self.clock.until(work.done)
        return await work

    @property
    def telemetry(self) -> list[Telemetry]:
        return [value for value in self.accepted if isinstance(value, Telemetry)]

    @property
    def accepted(self) -> list[object]:
        return [reading.value for reading in self.readings if reading.verdict is Verdict.ACCEPTED]

    @property
    def states(self) -> list[LinkState]:
        return [status.state for status in self.statuses]

    @property
    def problems(self) -> set[LinkProblem]:
        return {status.problem for status in self.statuses if status.problem}

    async def fails(self, link: Link) -> LinkProblem | None:
        """Start the link and return what keeps it from connecting, after the first attempt."""
        await link.start()
        await self.clock.until(lambda: link.status.failures or link.status.connects)
        return link.status.problem


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    bench = Bench()
    with patch.object(bleak_retry_connector, "wait_for_disconnect", AsyncMock()):
        yield bench
        for link in bench.links:
            await link.stop()
        assert bench.board.drop is None, "a client is left connected"


@pytest.fixture
def board(bench: Bench) -> ScriptedBoard:
    return bench.board


@pytest.fixture
def clock(bench: Bench) -> FakeClock:
    return bench.clock


# Connecting


async def test_introduction_before_stream(bench: Bench, board: ScriptedBoard, clock: FakeClock) -> None:
    link = await bench.started()
    assert board.commands == FIRST_TIME
    subscribed_s = 1000.0
    assert board.written[0][0] == pytest.approx(subscribed_s + 0.2)
    assert link.status.state is LinkState.CONNECTED
    assert link.status.problem is None
    assert link.status.connects == 1
    assert bench.states == [LinkState.CONNECTING, LinkState.CONNECTED]
    assert {type(value) for value in bench.accepted} == {DeviceInfo, Settings, Telemetry}

    before = len(bench.telemetry)
    await clock.run(10)
    assert len(bench.telemetry) - before == 20
    assert board.commands == FIRST_TIME


async def test_what_is_known_is_said_once(bench: Bench, board: ScriptedBoard, clock: FakeClock) -> None:
    link = await bench.started()
    for told in (FIRST_TIME, [INFO, STREAM], FIRST_TIME):
        assert board.commands == told
        await link.pause(10)
        board.written.clear()
        if told == [INFO, STREAM]:
            board.info, board.settings = device_info(software=b"11.52"), settings(cell_count=4)
        await clock.run(15)
    assert link.status.connects == 4
    assert board.commands == [INFO, STREAM]
    versions = [value.software_version for value in bench.accepted if isinstance(value, DeviceInfo)]
    assert versions == ["11.48", "11.48", "11.52", "11.52"]


@pytest.mark.parametrize(
    ("services", "notify", "write"),
    [
        pytest.param(ONE_CHARACTERISTIC, 0x12, 0x12, id="one"),
        pytest.param(TWO_OF_ONE_UUID, 5, 3, id="FFE1 twice"),
        pytest.param(B5A24S, 0x10, 0x10, id="B5A24S"),
        pytest.param(B2A16S, 0x0A, 0x0A, id="B2A16S"),
        pytest.param(
            table(Characteristic(FFE1, 7, ("write",)), Characteristic(FFE1, 9, ("write-without-response", "notify"))),
            9,
            9,
            id="without response preferred",
        ),
    ],
)
async def test_characteristics_by_property(
    bench: Bench, board: ScriptedBoard, services: Table, notify: int, write: int
) -> None:
    board.services = services
    responses: list[bool] = []

    class Client(FakeBleakClient):
        @override
        async def write_gatt_char(self, char_specifier: Any, data: Any, response: bool | None = None) -> None:
            assert response is not None
            responses.append(response)
            await super().write_gatt_char(char_specifier, data, response)

    bench.client_class = Client
    await bench.started()
    assert board.handles == {("notify", notify), ("write", write)}
    assert set(responses) == {services is B2A16S}


async def test_stale_service_cache_is_cleared(bench: Bench, board: ScriptedBoard) -> None:
    bench.air.stale_caches.add(board.address)
    link = await bench.started()
    assert board.connections == 2
    assert (link.status.connects, link.status.failures) == (1, 0)


@pytest.mark.parametrize(
    ("details", "source"),
    [
        ({"path": "/org/bluez/hci1/dev_C8_47_80_00_00_01"}, "hci1"),
        ({"source": "A0:00:00:00:00:01"}, "A0:00:00:00:00:01"),
        (None, None),
    ],
)
def test_source(details: object, source: str | None) -> None:
    assert source_of(BLEDevice("C8:47:80:00:00:01", None, details)) == source


# Traps


async def test_acknowledge_glued_on_in_small_notifications(bench: Bench, board: ScriptedBoard) -> None:
    board.chunk = 20
    await bench.started()
    assert board.commands == FIRST_TIME
    assert bench.links[0].receiver.assembler.counters.bytes_dropped == 4 * len(ACKNOWLEDGE)


async def test_single_byte_notifications(bench: Bench, board: ScriptedBoard) -> None:
    board.chunk = 1
    await bench.started()
    assert bench.telemetry[0].cell_voltages_v == (3.3,) * 8


@pytest.mark.parametrize("version", [b"", b"beta", b"\xff\xfe"])
async def test_version_that_says_nothing(bench: Bench, board: ScriptedBoard, version: bytes) -> None:
    board.info = device_info(software=version)
    link = await bench.started()
    assert link.receiver.board.generation is Generation.JK02_32S
    assert link.status.state is LinkState.CONNECTED


async def test_jk04_with_a_version_of_jk02(bench: Bench, board: ScriptedBoard) -> None:
    board.info = device_info(b"JK-B5A24S", b"8.0.3M")
    board.settings, board.stream = settings(Generation.JK04), (cell_info(24, Generation.JK04),)
    await bench.started()
    assert bench.telemetry[0].generation is Generation.JK04
    assert [value.generation for value in bench.accepted if isinstance(value, Settings)] == [Generation.JK04]


async def test_text_that_is_no_utf8(bench: Bench, board: ScriptedBoard) -> None:
    board.info = device_info(device_name=b"B\xbfus", user_data=b"\xff\xfe")
    await bench.started()
    assert [value.device_name for value in bench.accepted if isinstance(value, DeviceInfo)] == ["B\ufffdus"]


async def test_no_cells(bench: Bench, board: ScriptedBoard) -> None:
    board.stream = (cell_info(0),)
    link = await bench.started()
    assert bench.telemetry[0].cell_voltages_v == ()
    assert link.status.state is LinkState.CONNECTED


async def test_active_balancer(bench: Bench, board: ScriptedBoard) -> None:
    board.info = device_info(b"JK_DZ11B2A24S", b"11.03")
    link = await bench.started()
    assert link.receiver.board.is_balancer
    assert link.status.problem is None


async def test_settings_and_info_but_no_stream(bench: Bench, board: ScriptedBoard, clock: FakeClock) -> None:
    board.stream = ()
    link = bench.link()
    assert await bench.fails(link) is LinkProblem.NO_DATA
    assert board.commands == [*FIRST_TIME, INFO, STREAM, STREAM], "asked again, and nothing sent that changes the board"
    assert any(isinstance(reading.value, DeviceInfo) for reading in bench.readings)

    board.stream = (cell_info(),)
    await clock.until(lambda: bench.telemetry)
    assert link.status.state is LinkState.CONNECTED


@pytest.mark.parametrize("ignored", [1, 2, 3])
async def test_unheard_commands_are_repeated(bench: Bench, board: ScriptedBoard, ignored: int) -> None:
    board.ignored = ignored
    link = await bench.started()
    assert len(board.written) > ignored + 1
    assert link.status.failures == 0


async def test_board_that_never_introduces_itself(bench: Bench, board: ScriptedBoard) -> None:
    board.info = None
    link = await bench.started()
    assert board.commands == [INFO, INFO, STREAM, STREAM]
    assert link.status.state is LinkState.CONNECTED


async def test_rejected_answer_is_asked_for_again(bench: Bench, board: ScriptedBoard) -> None:
    board.info = device_info(model=b"\x01\x02")
    await bench.started()
    assert board.commands == [INFO, INFO, STREAM, STREAM]
    assert not any(isinstance(value, DeviceInfo) for value in bench.accepted)


async def test_answer_that_comes_only_once(bench: Bench, board: ScriptedBoard, clock: FakeClock) -> None:
    link = bench.link()
    await link.start()
    await clock.until(lambda: board.written)
    board.ignored = 2
    await clock.until(lambda: bench.telemetry)
    assert board.commands == [INFO, INFO, INFO, STREAM, STREAM], "an answer earns one more question, no more"
    assert not any(isinstance(value, DeviceInfo) for value in bench.accepted)
    assert clock.now() - 1000.0 < 6.0


async def test_damaged_answer_is_corrected(bench: Bench, board: ScriptedBoard, clock: FakeClock) -> None:
    right, board.settings = board.settings, settings(cell_count=9)
    link = bench.link()
    await link.start()
    await clock.until(lambda: len(board.written) == 3)
    board.settings = right
    await clock.until(lambda: bench.telemetry)
    await clock.run(1)
    assert not any(isinstance(value, Settings) for value in bench.accepted), "it has said two things"
    refreshing = asyncio.create_task(link.refresh())
    await clock.until(refreshing.done)
    assert [value.cell_count for value in bench.accepted if isinstance(value, Settings)] == [8]


def capture(name: str) -> list[dict[str, Any]]:
    frames: list[dict[str, Any]] = json.loads((CAPTURES / f"{name}.json").read_text())["frames"]
    return frames


@needs_captures
@pytest.mark.parametrize(
    ("name", "services"),
    [
        ("b1a20s15p-10xw-1007-snoop-mtu150", TWO_OF_ONE_UUID),
        ("b5a24s-8x-803m-snoop-unaligned", B5A24S),
        ("bd6a17s6p-7x-710h-snoop-320", ONE_CHARACTERISTIC),
        ("b2a20s20p-11xw-11288h-snoop", ONE_CHARACTERISTIC),
        ("pb2a16s15p-14xa-1420-snoop-at-flood", ONE_CHARACTERISTIC),
    ],
)
async def test_recorded_traffic(
    bench: Bench, board: ScriptedBoard, clock: FakeClock, name: str, services: Table
) -> None:
    log = next(frame for frame in capture(name) if frame["type"] == "raw_notifications")
    chunks = [bytes.fromhex(chunk) for chunk in log["chunks"]]
    board.services, board.info, board.settings, board.stream = services, None, None, ()
    link = bench.link()
    await link.start()
    await clock.until(lambda: board.written)
    board.chunk = max(map(len, chunks))
    answer: list[bytes] = []
    for chunk in chunks:
        told, asked = len(bench.readings), len(board.written)
        board.send(chunk)
        await clock.run(0.05)
        answer.append(chunk)
        if len(bench.readings) > told:
            if len(board.written) > asked and board.commands[-1] == board.commands[-2]:
                for again in answer:
                    board.send(again)
                    await clock.run(0.05)
            answer.clear()
    info, told_settings, *others = log["expect_frames"]
    frames = {id(reading.frame): reading.frame_type for reading in bench.readings}  # settings may be told twice
    assert [frame_type.name.lower() for frame_type in frames.values()] == [
        info, info, told_settings, told_settings, *others,
    ]  # fmt: skip
    assert board.commands == FIRST_TIME
    assert {type(value) for value in bench.accepted} == {DeviceInfo, Settings, Telemetry}
    assert link.status.state is LinkState.CONNECTED
    assert bench.telemetry


# Losing the link


async def test_back_at_once_after_a_drop(bench: Bench, board: ScriptedBoard, clock: FakeClock) -> None:
    link = await bench.started()
    await clock.run(60)
    assert board.drop
    board.drop()
    await settle()
    before = len(bench.telemetry)
    assert await clock.until(lambda: len(bench.telemetry) > before) <= 2.0
    assert (link.status.connects, link.status.drops, link.status.failures) == (2, 1, 0)
    assert link.status.state is LinkState.CONNECTED


async def test_link_that_drops_again_and_again_backs_off(bench: Bench, board: ScriptedBoard, clock: FakeClock) -> None:
    board.drops_after_s = 2.0
    link = await bench.started()
    await clock.run(600)
    assert 10 < link.status.drops < 20
    board.drops_after_s = None
    await clock.run(120)
    assert link.status.state is LinkState.CONNECTED
    await clock.run(60)
    drops = link.status.drops
    assert board.drop
    board.drop()
    assert await clock.until(lambda: link.status.drops > drops and link.status.state is LinkState.CONNECTED) <= 2.0


async def test_silent_stream_is_asked_for_again(bench: Bench, board: ScriptedBoard, clock: FakeClock) -> None:
    link = await bench.started()
    board.stream = ()
    await clock.run(2)
    board.stream = (cell_info(),)
    assert board.commands == FIRST_TIME
    await clock.run(8)
    assert board.commands == [*FIRST_TIME, INFO, STREAM]
    assert link.status.drops == 0
    assert clock.now() - link.status.connected_since_s > 8 if link.status.connected_since_s else False


async def test_settings_are_asked_for_now_and_then(bench: Bench, board: ScriptedBoard, clock: FakeClock) -> None:
    link = await bench.started()
    await clock.run(590)
    assert board.commands == FIRST_TIME
    board.settings = settings(cell_count=4)
    await clock.run(15)
    assert board.commands == [*FIRST_TIME, INFO, STREAM, STREAM], "what is new is said twice"
    told = [value.cell_count for value in bench.accepted if isinstance(value, Settings)]
    assert told == [8, 4]
    await clock.run(600)
    assert board.commands == [*FIRST_TIME, INFO, STREAM, STREAM, INFO, STREAM]
    assert (link.status.connects, link.status.drops) == (1, 0)
    frames = len(bench.telemetry)
    await clock.run(10)
    assert len(bench.telemetry) == frames + 20, "the stream goes on"


async def test_settings_that_are_not_told(bench: Bench, board: ScriptedBoard, clock: FakeClock) -> None:
    link = await bench.started()
    board.settings = None
    await clock.run(1195)
    assert board.commands == [*FIRST_TIME, INFO, STREAM, STREAM], "asked twice, then left alone for ten minutes"
    assert (link.status.connects, link.status.drops) == (1, 0)


async def test_settings_are_asked_for_when_a_mosfet_switches(
    bench: Bench, board: ScriptedBoard, clock: FakeClock
) -> None:
    both_on, no_charging = (cell_info(charge_mosfet=on, discharge_mosfet=1) for on in (1, 0))
    board.stream = (*(both_on,) * 20, *(no_charging,) * 20)
    await bench.started()
    await clock.until(lambda: not bench.telemetry[-1].charge_mosfet)
    assert board.commands == [*FIRST_TIME, STREAM]
    assert board.written[-1][0] == clock.now(), "at once"
    await clock.run(9)
    assert board.commands == [*FIRST_TIME, STREAM]
    await clock.until(lambda: bench.telemetry[-1].charge_mosfet)
    await clock.run(0.5)
    assert board.commands == [*FIRST_TIME, STREAM, STREAM]
    board.stream = (both_on,)


async def test_silent_link_is_dropped(bench: Bench, board: ScriptedBoard, clock: FakeClock) -> None:
    link = await bench.started()
    board.stream, board.info, board.settings = (), None, None
    assert await clock.until(lambda: link.status.drops) <= 30
    assert link.status.problem is LinkProblem.NO_DATA
    await clock.run(0.1)
    assert board.connections == 2


async def test_loss_while_asking(bench: Bench, board: ScriptedBoard, clock: FakeClock) -> None:
    board.drops_after_s = 1.0
    board.ignored = 1
    link = bench.link()
    assert await bench.fails(link) is LinkProblem.CONNECTION_FAILED
    assert clock.now() - 1000.0 == pytest.approx(1.0), "it doesn't wait for the answer that cannot come"


async def test_loss_together_with_an_answer(bench: Bench, board: ScriptedBoard, clock: FakeClock) -> None:
    def answer_and_drop() -> None:
        assert board.drop
        board.send(device_info())
        board.drop()

    with patch.object(ScriptedBoard, "_answer", lambda *_: clock.call_later(0.1, answer_and_drop)):
        assert await bench.fails(bench.link()) is LinkProblem.CONNECTION_FAILED
    assert clock.now() - 1000.0 == pytest.approx(0.3)


async def test_loss_noticed_by_a_write_only(bench: Bench) -> None:
    class Client(FakeBleakClient):
        @override
        async def write_gatt_char(self, char_specifier: Any, data: Any, response: bool | None = None) -> None:
            self._backend._disconnected_callback = None
            await self.disconnect()
            raise BleakError("Not connected")

    bench.client_class = Client
    link = bench.link()
    link.receiver.feed(device_info(software=b"19.30"), bench.clock.now())
    await link.start()
    await bench.clock.until(lambda: link.status.failures == 4)
    assert link.status.problem is LinkProblem.PAIRING_NEEDED, "early losses, not writes that failed"


async def test_notification_after_letting_go_is_ignored(bench: Bench) -> None:
    callbacks: list[Any] = []

    class Client(FakeBleakClient):
        @override
        async def start_notify(self, char_specifier: Any, callback: Any, **kwargs: Any) -> None:
            callbacks.append(callback)
            await super().start_notify(char_specifier, callback, **kwargs)

    bench.client_class = Client
    link = await bench.started()
    await link.stop()
    count = len(bench.readings)
    callbacks[0](None, bytearray(cell_info()))
    assert len(bench.readings) == count


async def test_half_a_frame_is_forgotten_with_the_link(bench: Bench, board: ScriptedBoard) -> None:
    link = await bench.started()
    board.send(cell_info()[:100])
    await settle()
    dropped = link.receiver.assembler.counters.bytes_dropped
    await link.pause(10)
    assert link.receiver.assembler.counters.bytes_dropped == dropped + 100


async def test_disconnect_that_fails_or_hangs(bench: Bench, clock: FakeClock) -> None:
    class Client(FakeBleakClient):
        hangs = False

        @override
        async def disconnect(self) -> None:
            await super().disconnect()
            if self.hangs:
                await asyncio.Event().wait()
            raise EOFError

    bench.client_class = Client
    link = await bench.started()
    await link.stop()
    assert link.status.state is LinkState.DISCONNECTED

    await link.start()
    await clock.until(lambda: link.status.connects == 2)
    Client.hangs = True
    stopping = asyncio.create_task(link.stop())
    await clock.until(stopping.done)
    assert stopping.done()


@pytest.mark.parametrize("error", [BleakError("x"), EOFError(), AttributeError("x"), KeyError("x"), OSError()])
@pytest.mark.parametrize("call", ["start_notify", "write_gatt_char", "services", "connect"])
async def test_whatever_bleak_raises_is_survived(
    bench: Bench, board: ScriptedBoard, clock: FakeClock, call: str, error: Exception
) -> None:
    with patch.object(FakeBleakClient, call, **_raising(call, error)):
        link = bench.link()
        assert await bench.fails(link) is LinkProblem.CONNECTION_FAILED
        assert board.connectable
    await clock.until(lambda: bench.telemetry)
    assert link.status.state is LinkState.CONNECTED


def _raising(call: str, error: Exception) -> dict[str, Any]:
    if call == "services":

        def services(_: object) -> object:
            raise error

        return {"new": property(services)}
    return {"side_effect": error}


@pytest.mark.parametrize("call", ["start_notify", "write_gatt_char"])
async def test_work_that_a_backend_cancels(bench: Bench, clock: FakeClock, call: str) -> None:
    class Client(FakeBleakClient):
        @override
        async def disconnect(self) -> None:
            await super().disconnect()
            raise asyncio.CancelledError

    bench.client_class = Client
    link = bench.link()
    with patch.object(Client, call, side_effect=asyncio.CancelledError):
        assert await bench.fails(link) is LinkProblem.CONNECTION_FAILED
    await clock.until(lambda: bench.telemetry)
    assert link.status.state is LinkState.CONNECTED


async def test_call_that_hangs_is_given_up(bench: Bench, clock: FakeClock) -> None:
    with patch.object(FakeBleakClient, "start_notify", lambda *_: asyncio.Event().wait()):
        assert await bench.fails(bench.link()) is LinkProblem.CONNECTION_FAILED
        assert clock.now() == pytest.approx(1015.0)


# Faults of who uses the link


@pytest.mark.parametrize("listener", ["_on_reading", "_on_status"])
async def test_faulty_listener_costs_no_link(
    bench: Bench, board: ScriptedBoard, clock: FakeClock, caplog: pytest.LogCaptureFixture, listener: str
) -> None:
    link = bench.link()
    setattr(link, listener, Mock(side_effect=RuntimeError("entity")))
    await link.start()
    await clock.run(60)
    assert (link.status.state, link.status.connects, board.connections) == (LinkState.CONNECTED, 1, 1)
    await link.pause(10)
    assert board.connectable
    assert await clock.until(lambda: link.status.connects == 2, 15)
    assert [record.levelname for record in caplog.records if record.levelno >= logging.WARNING] == ["ERROR"]


async def test_device_that_cannot_be_looked_up(
    bench: Bench, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    link = bench.link()
    with patch.object(link, "_find_device", side_effect=TimeoutError) as find_device:
        assert await bench.fails(link) is LinkProblem.CONNECTION_FAILED
        assert link.status.state is LinkState.DISCONNECTED
        await clock.run(3600)
        assert 60 < find_device.call_count < 80, "every minute at last"
    assert [record.levelname for record in caplog.records if record.levelno >= logging.WARNING] == ["ERROR"]
    assert await clock.until(lambda: bench.telemetry, 70)


# Telling the failures apart


async def test_out_of_range(bench: Bench, clock: FakeClock) -> None:
    bench.in_reach = False
    link = bench.link()
    assert await bench.fails(link) is LinkProblem.OUT_OF_RANGE
    await clock.run(3600)
    assert 60 < link.status.failures < 80, "every minute at last"

    bench.in_reach = True
    link.seen()
    assert await clock.until(lambda: bench.telemetry) <= 3.0


async def test_first_attempts(bench: Bench, clock: FakeClock) -> None:
    bench.in_reach = False
    attempts: list[float] = []
    link = bench.link()
    link._on_status = lambda status: attempts.append(clock.now()) if status.state is LinkState.CONNECTING else None
    await link.start()
    await clock.run(200)
    assert [round(at - attempts[0], 1) for at in attempts] == [0, 0, 1, 3, 7, 15, 31, 63, 123, 183]


async def test_no_free_slot(bench: Bench, board: ScriptedBoard, clock: FakeClock) -> None:
    bench.air.fail_connects(board.address, repeat(ConnectFault.NO_SLOT))
    link = bench.link()
    assert await bench.fails(link) is LinkProblem.NO_SLOT
    await clock.run(0.5)
    failures = link.status.failures
    link.seen()
    await settle()
    assert link.status.failures == failures, "an advertisement frees no slot"


async def test_no_slot_because_nobody_hears_it(bench: Bench, board: ScriptedBoard) -> None:
    def words() -> Iterator[ConnectFault]:
        while True:
            bench.in_reach = False
            yield ConnectFault.NO_SLOT

    bench.air.fail_connects(board.address, words())
    assert await bench.fails(bench.link()) is LinkProblem.OUT_OF_RANGE


async def test_held_by_another_client(bench: Bench, board: ScriptedBoard, clock: FakeClock) -> None:
    board.connectable = False
    link = bench.link()
    assert await bench.fails(link) is LinkProblem.BUSY
    await clock.run(300)
    assert link.status.problem is LinkProblem.BUSY

    board.connectable = True
    link.seen()
    assert await clock.until(lambda: bench.telemetry) <= 3.0


@pytest.mark.parametrize(
    ("rssi_dbm", "problem"),
    [(None, LinkProblem.BUSY), (-60, LinkProblem.BUSY), (-95, LinkProblem.OUT_OF_RANGE)],
)
async def test_taken_while_paused(
    bench: Bench, board: ScriptedBoard, clock: FakeClock, rssi_dbm: int | None, problem: LinkProblem
) -> None:
    link = await bench.started()
    await link.pause(60)
    await clock.run(1)
    link.seen(rssi_dbm)
    board.connectable = bench.in_reach = False
    await clock.until(lambda: link.status.problem)
    assert link.status.problem is problem
    board.connectable = True


async def test_taken_after_it_was_let_go(bench: Bench, board: ScriptedBoard, clock: FakeClock) -> None:
    link = await bench.started()
    assert board.drop
    board.drop()
    await clock.until(lambda: link.status.connects == 2)
    await link.pause(10)
    board.connectable = False
    await clock.until(lambda: link.status.failures)
    assert link.status.problem is LinkProblem.BUSY
    board.connectable = True


async def test_vanished_while_it_was_ours(bench: Bench, board: ScriptedBoard, clock: FakeClock) -> None:
    link = bench.link()
    link.seen(-60)
    await link.start()
    await clock.until(lambda: bench.telemetry)
    await clock.run(30)
    assert board.drop
    board.drop()
    await settle()
    await clock.until(lambda: link.status.state is LinkState.CONNECTED)
    board.drop()
    await settle()
    board.connectable = False
    await clock.until(lambda: link.status.failures)
    assert link.status.problem is LinkProblem.OUT_OF_RANGE
    board.connectable = True


async def test_heard_but_not_reached(bench: Bench, board: ScriptedBoard, clock: FakeClock) -> None:
    link = bench.link()

    def faults() -> Iterator[ConnectFault]:
        while True:
            clock._now_s += 10
            link.seen(-95)
            yield ConnectFault.TIMEOUT

    bench.air.fail_connects(board.address, faults())
    assert await bench.fails(link) is LinkProblem.CONNECTION_FAILED


@pytest.mark.parametrize("stack", Stack)
@pytest.mark.parametrize("code", [0x05, 0x0F])
async def test_refusal_means_pairing(
    bench: Bench, board: ScriptedBoard, clock: FakeClock, stack: Stack, code: int
) -> None:
    bench.air.stack, board.refuses = stack, code
    link = bench.link()
    assert await bench.fails(link) is LinkProblem.CONNECTION_FAILED, "it isn't known yet whether that can be helped"
    await clock.run(590)
    assert link.status.problem is LinkProblem.PAIRING_NEEDED
    assert link.status.failures == 2, "it doesn't insist"
    await clock.run(30)
    assert (link.status.failures, link.status.problem) == (3, LinkProblem.PAIRING_NEEDED)
    assert board.pairings == 1


async def test_other_refusal_is_no_pairing(bench: Bench, board: ScriptedBoard) -> None:
    board.refuses = 0x0E
    assert await bench.fails(bench.link()) is LinkProblem.CONNECTION_FAILED


async def losses(link: Link, clock: FakeClock, more: int) -> None:
    """Let time pass until the link was lost, or not made, that many times more."""
    wanted = link.status.drops + link.status.failures + more
    await clock.until(lambda: link.status.drops + link.status.failures >= wanted)


@pytest.mark.parametrize(
    ("version", "after_s", "problem"),
    [
        (b"19.30", 3.0, LinkProblem.PAIRING_NEEDED),
        (b"19.30", 0.35, LinkProblem.PAIRING_NEEDED),
        (b"V20.01", 0.5, LinkProblem.PAIRING_NEEDED),
        (b"19.30", 30.0, LinkProblem.CONNECTION_FAILED),
        (b"19.27", 3.0, LinkProblem.CONNECTION_FAILED),
        (b"", 3.0, LinkProblem.CONNECTION_FAILED),
    ],
)
async def test_third_drop_within_seconds(
    bench: Bench, board: ScriptedBoard, clock: FakeClock, version: bytes, after_s: float, problem: LinkProblem
) -> None:
    board.info, board.drops_after_s = device_info(software=version), after_s
    link = bench.link()
    await link.start()
    for expected in (*[LinkProblem.CONNECTION_FAILED] * 3, problem):
        await losses(link, clock, 1)
        assert link.status.problem is expected
    connections = board.connections
    await clock.run(120)
    assert (board.connections == connections) is (problem is LinkProblem.PAIRING_NEEDED), "it doesn't insist"
    assert (board.pairings > 0) is (problem is LinkProblem.PAIRING_NEEDED)
    board.drops_after_s = None


@pytest.mark.parametrize("ended", ["lost", "let go"])
async def test_board_that_held_a_link_wants_no_bond(
    bench: Bench, board: ScriptedBoard, clock: FakeClock, ended: str
) -> None:
    board.info = device_info(software=b"19.30")
    link = await bench.started()
    await clock.run(11)
    if ended == "lost":
        assert board.drop
        board.drop()
    else:
        await link.pause(1)
    board.drops_after_s = 3.0
    await clock.until(lambda: link.status.drops == 5)
    assert bench.problems == {LinkProblem.CONNECTION_FAILED}
    board.drops_after_s = None


async def test_early_drops_between_good_reads_say_nothing(bench: Bench, board: ScriptedBoard, clock: FakeClock) -> None:
    board.info = device_info(software=b"19.30")
    link = await bench.started(LinkMode.PERIODIC, 30)
    for _ in range(3):
        await clock.until(lambda: link.status.state is LinkState.WAITING)
        board.drops_after_s = 1.0
        await losses(link, clock, 2)
        board.drops_after_s = None
    assert bench.problems == {LinkProblem.CONNECTION_FAILED}


async def test_board_that_was_paired_meanwhile(bench: Bench, board: ScriptedBoard, clock: FakeClock) -> None:
    board.refuses = 0x05
    link = bench.link()
    await link.start()
    await clock.until(lambda: link.status.failures == 2)
    for _ in range(59):
        await clock.run(1)
        link.seen(-60)
    assert link.status.failures == 2
    await clock.run(1)
    link.seen(-60)
    await clock.until(lambda: link.status.failures == 3, 5)
    board.refuses = None
    for _ in range(61):
        await clock.run(1)
        link.seen(-60)
    assert await clock.until(lambda: bench.telemetry) <= 3


NOTHING = (Service(ONE_CHARACTERISTIC[0].uuid, 1, ()),)
ANOTHER_DEVICE = (*NOTHING, Service("0000180f-0000-1000-8000-00805f9b34fb", 2, ()))


@pytest.mark.parametrize(
    ("services", "version", "problem"),
    [
        (NOTHING, None, LinkProblem.CONNECTION_FAILED),
        (ANOTHER_DEVICE, None, LinkProblem.NOT_A_JK_BMS),
        (table(Characteristic(FFE1, 3, ("read",))), None, LinkProblem.NOT_A_JK_BMS),
        (ANOTHER_DEVICE, b"11.48", LinkProblem.CONNECTION_FAILED),
        (NOTHING, b"19.31", LinkProblem.CONNECTION_FAILED),
    ],
)
async def test_missing_characteristics(
    bench: Bench,
    board: ScriptedBoard,
    clock: FakeClock,
    services: Table,
    version: bytes | None,
    problem: LinkProblem,
) -> None:
    link = bench.link()
    if version is not None:
        link.receiver.feed(device_info(software=version), clock.now())
    board.services = services
    assert await bench.fails(link) is problem
    assert board.connections == 2
    if version == b"19.31":
        await clock.until(lambda: link.status.failures == 4)
        assert link.status.problem is LinkProblem.PAIRING_NEEDED


async def test_discovery_that_breaks_off(bench: Bench, clock: FakeClock) -> None:
    error = BleakError("Failed to get services from remote esp")
    link = bench.link()
    with patch.object(FakeBleakClient, "connect", side_effect=error):
        assert await bench.fails(link) is LinkProblem.CONNECTION_FAILED
        link.receiver.feed(device_info(software=b"19.30"), clock.now())
        await clock.until(lambda: LinkProblem.PAIRING_NEEDED in bench.problems)
        assert link.status.failures == 6, "three since its software is known, and two tries to make a bond"


async def test_board_that_never_says_a_word(bench: Bench, board: ScriptedBoard, clock: FakeClock) -> None:
    info, settings, stream = board.info, board.settings, board.stream
    board.info, board.settings, board.stream = None, None, ()
    link = bench.link()
    assert await bench.fails(link) is LinkProblem.NO_DATA
    await clock.run(60)
    board.info, board.settings, board.stream = info, settings, stream
    assert await clock.until(lambda: bench.telemetry, 70)


async def test_board_whose_frames_are_all_damaged(bench: Bench, board: ScriptedBoard) -> None:
    board.info = board.settings = bytes([*device_info()[:-1], device_info()[-1] ^ 1])
    board.stream = ()
    assert await bench.fails(bench.link()) is LinkProblem.NO_DATA


# Periodic mode


async def test_periodic_reads_one_good_set_and_lets_go(bench: Bench, board: ScriptedBoard, clock: FakeClock) -> None:
    link = await bench.started(LinkMode.PERIODIC, 30)
    await clock.until(lambda: link.status.state is LinkState.WAITING)
    assert board.connectable
    assert clock.now() < 1005.0
    assert {type(value) for value in bench.accepted} == {DeviceInfo, Settings, Telemetry}

    count = len(bench.readings)
    await clock.run(20)
    assert len(bench.readings) == count
    await clock.run(300)
    assert link.status.connects == 11
    assert bench.states[:6] == [
        LinkState.CONNECTING, LinkState.CONNECTED, LinkState.WAITING,
        LinkState.CONNECTING, LinkState.CONNECTED, LinkState.WAITING,
    ]  # fmt: skip
    assert (link.status.drops, link.status.failures) == (0, 0)


async def test_periodic_with_failing_reads(bench: Bench, board: ScriptedBoard, clock: FakeClock) -> None:
    link = await bench.started(LinkMode.PERIODIC, 30)
    await clock.until(lambda: link.status.state is LinkState.WAITING)
    link.seen()
    board.connectable = False
    await clock.run(120)
    assert link.status.state is LinkState.DISCONNECTED
    assert link.status.problem is LinkProblem.BUSY
    assert 2 < link.status.failures < 10

    board.connectable = True
    count = len(bench.telemetry)
    link.seen()
    assert await clock.until(lambda: len(bench.telemetry) > count) <= 3.0
    await clock.until(lambda: link.status.state is LinkState.WAITING)
    assert link.status.problem is None


async def test_periodic_without_a_value_to_believe(bench: Bench, board: ScriptedBoard, clock: FakeClock) -> None:
    board.stream = UNBELIEVABLE
    link = bench.link(LinkMode.PERIODIC, 30)
    await link.start()
    await clock.until(lambda: link.status.drops)
    assert link.status.problem is LinkProblem.NO_DATA
    assert not bench.telemetry


@pytest.mark.parametrize(("wanted", "taken"), [(0, 2), (1, 2), (2, 3), (4, 5), (50, MOST_READS + 1)])
async def test_periodic_takes_a_few_more_readings_if_wanted(
    bench: Bench, clock: FakeClock, wanted: int, taken: int
) -> None:
    link = await bench.started(LinkMode.PERIODIC, 30)
    await clock.until(lambda: link.status.state is LinkState.WAITING)
    started_s = clock.now()
    before = len(bench.telemetry)
    bench.on_reading = lambda: link.read_again() if len(bench.telemetry) - before <= wanted else None
    await clock.run(20)
    assert len(bench.telemetry) == before, "nothing is read out of turn"
    await clock.until(lambda: link.status.connects == 2)
    connected_s = clock.now()
    assert connected_s - started_s < 31
    await clock.until(lambda: link.status.state is LinkState.WAITING)
    assert len(bench.telemetry) - before == taken
    bench.on_reading = lambda: None
    await clock.until(lambda: link.status.connects == 3)
    assert clock.now() - connected_s == pytest.approx(30, abs=0.1), "the rhythm stays"
    assert (link.status.drops, link.status.failures) == (0, 0)


async def test_a_board_that_falls_silent_when_more_is_wanted_is_asked_anew(
    bench: Bench, board: ScriptedBoard, clock: FakeClock
) -> None:
    link = bench.link(LinkMode.PERIODIC, 30)

    def fall_silent() -> None:
        link.read_again()
        if len(bench.telemetry) == 2:
            board.stream = ()

    bench.on_reading = fall_silent
    await link.start()
    await clock.until(lambda: link.status.drops)
    assert link.status.problem is LinkProblem.NO_DATA
    assert clock.now() < 1020


async def test_a_pause_is_not_put_off_by_more_readings(bench: Bench, board: ScriptedBoard, clock: FakeClock) -> None:
    link = bench.link(LinkMode.PERIODIC, 30)
    bench.on_reading = link.read_again
    await link.start()
    await clock.until(lambda: len(bench.telemetry) == 2)
    assert link.status.state is LinkState.CONNECTED
    await link.pause(600)
    assert board.connectable
    count = len(bench.readings)
    link.read_again()
    await clock.run(590)
    assert len(bench.readings) == count


# Pausing and stopping


async def test_pause_lets_go_and_resumes_by_itself(bench: Bench, board: ScriptedBoard, clock: FakeClock) -> None:
    link = await bench.started()
    await link.pause(120)
    assert board.connectable
    assert link.status.state is LinkState.PAUSED
    assert link.status.paused_until_s == clock.now() + 120
    await clock.run(119)
    assert board.connections == 1
    await clock.run(5)
    assert bench.states[-1] is LinkState.CONNECTED
    assert link.status.paused_until_s is None
    assert (link.status.drops, link.status.failures) == (0, 0)


async def test_pause_ended_early_and_prolonged(bench: Bench, clock: FakeClock) -> None:
    link = await bench.started()
    await link.pause(60)
    await clock.run(30)
    await link.pause(60)
    await clock.run(59)
    assert link.status.state is LinkState.PAUSED
    link.seen()
    await clock.run(0.5)
    assert link.status.state is LinkState.PAUSED
    link.resume()
    assert await clock.until(lambda: link.status.state is LinkState.CONNECTED) <= 2.0
    link.resume()
    assert bench.states[-1] is LinkState.CONNECTED


async def test_pause_while_connecting(bench: Bench, board: ScriptedBoard, clock: FakeClock) -> None:
    bench.air.fail_connects(board.address, [ConnectFault.STALL])
    link = bench.link()
    await link.start()
    await settle()
    assert link.status.state is LinkState.CONNECTING
    await link.pause(10)
    assert bench.states[-1] is LinkState.PAUSED
    await clock.run(15)
    assert link.status.connects == 1


MOMENTS = [(0.0, turns) for turns in range(40)] + [(seconds, 0) for seconds in (0.2, 0.25, 0.3, 0.35, 0.45, 1.0, 2.0)]


async def started_until(bench: Bench, moment: tuple[float, int]) -> Link:
    seconds, turns = moment
    link = bench.link()
    await link.start()
    if seconds:
        await bench.clock.run(seconds)
    for _ in range(turns):
        await asyncio.sleep(0)
    return link


async def test_pause_at_every_moment_of_connecting() -> None:
    for moment in MOMENTS:
        bench = Bench()
        link = await started_until(bench, moment)
        await link.pause(10)
        assert link.status.state is LinkState.PAUSED
        assert bench.board.connectable, moment
        assert await bench.clock.until(lambda: link.status.connected_since_s, 60) < 15, moment  # noqa: B023 - asked at once
        await link.stop()
        assert bench.board.connectable


async def test_stop_at_every_moment_of_connecting() -> None:
    for moment in MOMENTS:
        bench = Bench()
        link = await started_until(bench, moment)
        await link.stop()
        assert link.status.state is LinkState.DISCONNECTED
        assert bench.board.connectable, moment
        connections = bench.board.connections
        await bench.clock.run(60)
        assert bench.board.connections == connections


async def test_pause_during_back_off(bench: Bench, clock: FakeClock) -> None:
    bench.in_reach = False
    link = bench.link()
    await link.start()
    await clock.run(20)
    await link.pause(30)
    failures = link.status.failures
    assert (link.status.state, link.status.problem) == (LinkState.PAUSED, None)
    await clock.run(29)
    assert link.status.failures == failures


async def test_pause_before_the_first_step(bench: Bench, board: ScriptedBoard, clock: FakeClock) -> None:
    link = bench.link()
    await link.start()
    await link.pause(10)
    assert link.status.state is LinkState.PAUSED
    assert board.connections == 0
    await clock.run(15)
    assert bench.states[-1] is LinkState.CONNECTED


async def test_pause_of_no_time(bench: Bench, clock: FakeClock) -> None:
    link = await bench.started()
    await link.pause(0)
    await clock.run(5)
    assert link.status.connects == 2


async def test_pause_taken_back_while_letting_go(bench: Bench, clock: FakeClock) -> None:
    link = await bench.started()
    pausing = asyncio.create_task(link.pause(600))
    await asyncio.sleep(0)
    link.resume()
    await clock.until(lambda: link.status.connects == 2, 10)
    assert pausing.done()
    assert link.status.state is LinkState.CONNECTED


async def test_pause_of_a_stopped_link(bench: Bench) -> None:
    link = bench.link()
    await link.pause(10)
    assert link.status == LinkStatus()


async def test_stop_while_pausing_a_link_that_was_lost(bench: Bench, board: ScriptedBoard, clock: FakeClock) -> None:
    released = asyncio.Event()

    class Client(FakeBleakClient):
        @override
        async def disconnect(self) -> None:
            await released.wait()
            await super().disconnect()

    bench.client_class = Client
    board.stream = ()
    link = bench.link()
    await link.start()
    await clock.until(lambda: len(board.written) == 4)
    await clock.run(3.5)  # it gives up, and lets go
    pausing = asyncio.create_task(link.pause(10))
    await settle()
    stopping = asyncio.create_task(link.stop())
    await settle()
    assert not stopping.done(), "it hasn't let go yet"
    released.set()
    await settle()
    assert pausing.done()
    assert stopping.done()
    assert board.connectable


async def test_stop_while_pausing(bench: Bench, board: ScriptedBoard) -> None:
    released = asyncio.Event()

    class Client(FakeBleakClient):
        @override
        async def disconnect(self) -> None:
            await released.wait()
            await super().disconnect()

    bench.client_class = Client
    link = await bench.started()
    pausing = asyncio.create_task(link.pause(10))
    await settle()
    stopping = asyncio.create_task(link.stop())
    await settle()
    assert not stopping.done(), "it hasn't let go yet"
    released.set()
    await settle()
    assert pausing.done()
    assert stopping.done()
    assert board.connectable
    assert link.status.state is LinkState.DISCONNECTED


async def test_stop_during_back_off_and_twice(bench: Bench, clock: FakeClock) -> None:
    bench.in_reach = False
    link = bench.link()
    await link.start()
    await clock.run(20)
    failures = link.status.failures
    await link.stop()
    await link.stop()
    assert (link.status.state, link.status.problem) == (LinkState.DISCONNECTED, None)
    await clock.run(600)
    assert link.status.failures == failures


async def test_start_twice_is_one_link(bench: Bench, board: ScriptedBoard, clock: FakeClock) -> None:
    link = await bench.started()
    await link.start()
    await clock.run(5)
    assert board.connections == 1


# Asking


async def test_refresh_and_event_log(bench: Bench, board: ScriptedBoard, clock: FakeClock) -> None:
    link = await bench.started()
    asking = asyncio.gather(link.refresh(), link.read_event_log())
    await clock.until(asking.done)
    assert (await asking)[1] == EVENT_LOG
    assert sorted(board.commands) == sorted([*FIRST_TIME, INFO, STREAM, LOG])
    answered_s = 0.1
    times = [at for at, _ in board.written[len(FIRST_TIME) :]]
    assert all(later - earlier >= answered_s for earlier, later in pairwise(times)), "one at a time"


async def test_event_log_that_does_not_exist(bench: Bench, board: ScriptedBoard, clock: FakeClock) -> None:
    board.log = None
    link = await bench.started()
    asking = asyncio.create_task(link.read_event_log())
    await clock.until(asking.done)
    with pytest.raises(LinkError) as raised:
        await asking
    assert raised.value.problem is LinkProblem.NO_DATA
    assert link.status.state is LinkState.CONNECTED


async def test_asking_between_two_reads_connects(bench: Bench, board: ScriptedBoard, clock: FakeClock) -> None:
    link = await bench.started(LinkMode.PERIODIC, 3600)
    await clock.until(lambda: link.status.state is LinkState.WAITING)
    asking = asyncio.gather(link.read_event_log(), link.refresh())
    assert await clock.until(asking.done) < 5
    assert (await asking)[0] == EVENT_LOG
    assert board.connections == 2
    await clock.until(lambda: link.status.state is LinkState.WAITING, 5)
    assert board.connectable


async def test_read_waits_for_who_asks(bench: Bench, board: ScriptedBoard, clock: FakeClock) -> None:
    link = await bench.started(LinkMode.PERIODIC, 3600)
    await clock.until(lambda: link.status.state is LinkState.WAITING)
    board.log = None
    asking = asyncio.create_task(link.read_event_log())
    await clock.until(lambda: board.connections == 2)
    await clock.run(3)
    assert link.status.state is LinkState.CONNECTED
    await clock.until(asking.done)
    with pytest.raises(LinkError, match="no_data"):
        await asking
    await clock.until(lambda: link.status.state is LinkState.WAITING, 1)
    assert board.connectable


async def test_asking_while_connecting(bench: Bench, board: ScriptedBoard, clock: FakeClock) -> None:
    link = bench.link()
    await link.start()
    await settle()
    asking = asyncio.create_task(link.read_event_log())
    await clock.until(asking.done)
    assert await asking == EVENT_LOG
    assert board.connections == 1


async def test_asking_in_vain(bench: Bench, clock: FakeClock) -> None:
    bench.in_reach = False
    link = bench.link()
    with pytest.raises(LinkError, match="connection_failed"):
        await link.refresh()
    await link.start()
    await clock.run(100)
    asking = asyncio.create_task(link.refresh())
    assert await clock.until(asking.done) == 0.0
    with pytest.raises(LinkError) as raised:
        await asking
    assert raised.value.problem is LinkProblem.OUT_OF_RANGE
    await link.pause(60)
    with pytest.raises(PausedError) as paused:
        await link.refresh()
    assert paused.value.until_s == clock.now() + 60


async def test_asking_when_a_pause_or_a_drop_comes(bench: Bench, board: ScriptedBoard, clock: FakeClock) -> None:
    link = await bench.started()
    board.log = None
    asking = asyncio.create_task(link.read_event_log())
    waiting = asyncio.create_task(link.refresh())
    await clock.run(1)
    await link.pause(10)
    for task in (asking, waiting):
        with pytest.raises(PausedError):
            await task
    await clock.run(15)

    asking = asyncio.create_task(link.read_event_log())
    await clock.run(1)
    assert board.drop
    board.drop()
    await settle()
    with pytest.raises(LinkError):
        await asking


# Trying out


async def test_probe(bench: Bench, board: ScriptedBoard) -> None:
    result = await bench.probed()
    assert result.device_info.model == "JK_B2A8S20P"
    assert result.telemetry.cell_count == 8
    assert result.telemetry.state_of_charge_pct == 50
    assert result.board.generation is Generation.JK02_32S
    assert board.connectable


async def test_probe_in_vain(bench: Bench, board: ScriptedBoard) -> None:
    async def problem() -> LinkProblem:
        with pytest.raises(LinkError) as raised:
            await bench.probed()
        assert board.drop is None
        return raised.value.problem

    bench.in_reach = False
    assert await problem() is LinkProblem.OUT_OF_RANGE
    bench.in_reach = True
    board.connectable = False
    assert await problem() is LinkProblem.BUSY
    board.connectable = True
    bench.air.fail_connects(board.address, [ConnectFault.STALL])
    assert await problem() is LinkProblem.CONNECTION_FAILED
    bench.air.fail_connects(board.address, [])
    info, board.info = board.info, None
    assert await problem() is LinkProblem.NO_DATA
    board.info, board.stream = info, UNBELIEVABLE
    assert await problem() is LinkProblem.NO_DATA


@pytest.mark.parametrize(
    ("version", "connections", "problem"),
    [(b"19.30", 5, LinkProblem.PAIRING_NEEDED), (b"19.27", 1, LinkProblem.CONNECTION_FAILED)],
)
async def test_probe_of_a_board_that_drops(
    bench: Bench, board: ScriptedBoard, version: bytes, connections: int, problem: LinkProblem
) -> None:
    board.info, board.drops_after_s = device_info(software=version), 0.5
    with pytest.raises(LinkError, match=problem):
        await bench.probed()
    assert board.connections == connections


async def test_probe_outlives_an_early_drop(bench: Bench, board: ScriptedBoard, clock: FakeClock) -> None:
    board.info, board.drops_after_s = device_info(software=b"19.30"), 0.5
    clock.call_later(0.9, lambda: setattr(board, "drops_after_s", None))
    assert (await bench.probed()).telemetry.cell_count == 8
    assert board.connections == 3


async def test_probe_cancelled(bench: Bench, board: ScriptedBoard, clock: FakeClock) -> None:
    work = bench.probing()
    await clock.until(lambda: board.written, 1)
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await work
    await settle()
    assert board.connectable


async def test_frame_types_of_the_answers(bench: Bench) -> None:
    await bench.started()
    assert [reading.frame_type for reading in bench.readings[:5]] == [
        FrameType.DEVICE_INFO, FrameType.DEVICE_INFO, FrameType.SETTINGS, FrameType.SETTINGS, FrameType.CELL_INFO,
    ]  # fmt: skip
