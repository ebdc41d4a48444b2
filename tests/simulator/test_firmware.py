"""A device as a client meets it: through its GATT table, in time, with everything that can go wrong."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest

from custom_components.jk_bms.bms.frames import ACKNOWLEDGE, Command, FrameAssembler, command
from custom_components.jk_bms.bms.layout import FrameType
from custom_components.jk_bms.bms.receiver import Receiver, Verdict
from custom_components.jk_bms.bms.registers import Instruction
from custom_components.jk_bms.bms.telemetry import DeviceInfo, Settings, Telemetry
from simulator.bleak_radio import Air, FakeBleakClient
from simulator.firmware import UNPAIRED_DROP_S, Firmware
from simulator.models import (
    FFE0,
    FFE1,
    JK_B2A8S20P,
    JK_B2A16S,
    JK_B5A24S,
    JK_BD4A20S4P,
    JK_BD6A17S6P,
    JK_PB2A16S15P,
    JK_PB2A16S20P,
    JK_PB2A16S20P_V19,
    JK_PB2A16S20P_V19_BONDED,
    MODELS,
    Model,
    Pairing,
)
from simulator.notifications import CHATTER, TWENTIES
from simulator.pack import Pack
from simulator.peripheral import GattError, Peripheral
from tests.bms.clock import FakeClock, settle

IDS = [f"{model.name}-{model.software_version}" for model in MODELS]


clients: list[Client] = []


@pytest.fixture(autouse=True)
async def let_go() -> AsyncIterator[None]:
    """A device works for as long as its client is there."""
    yield
    for client in clients:
        client.device.disconnected()
    clients.clear()
    await settle()


class Client:
    """What a client has from a device: its notifications, and the frames in them."""

    def __init__(self, clock: FakeClock, model: Model = JK_PB2A16S20P, **more: Any) -> None:
        self.clock = clock
        probes = 4 if model.major >= 14 else 2
        pack = Pack(8, 280, seed=2, probe_count=probes)
        self.device = Firmware(pack, model, now=clock.now, sleep=clock.sleep, **more)
        clients.append(self)
        self.notifications: list[bytes] = []
        self.frames: list[bytes] = []
        self.lost = 0
        self.assembler = FrameAssembler()
        characteristics = [char for service in self.device.services for char in service.characteristics]
        ours = [char for char in characteristics if char.uuid == FFE1]
        self.notify_handle = next(char.handle for char in ours if "notify" in char.properties)
        self.write_handle = next(char.handle for char in ours if "write" in char.properties)

    def connect(self, *, subscribed: bool = True) -> None:
        assert self.device.connectable
        self.device.connected(self._notified, self._lost)
        if subscribed:
            self.device.subscribe(self.notify_handle, enabled=True)

    def ask(self, register: int, value: bytes = b"") -> None:
        self.device.write(self.write_handle, command(register, value))

    async def start(self) -> None:
        self.connect()
        self.ask(Command.DEVICE_INFO)
        await self.clock.run(0.2)
        self.ask(Command.SETTINGS_AND_STREAM)
        await self.clock.run(0.2)

    def types(self) -> list[int]:
        return [frame[4] for frame in self.frames]

    def clear(self) -> None:
        self.notifications.clear()
        self.frames.clear()

    def _notified(self, handle: int, data: bytes) -> None:
        assert handle == self.notify_handle
        self.notifications.append(data)
        self.frames += self.assembler.feed(data)

    def _lost(self) -> None:
        self.lost += 1
        self.device.disconnected()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@contextmanager
def refused(code: int) -> Iterator[None]:
    with pytest.raises(GattError) as error:
        yield
    assert error.value.code == code


def test_firmware_is_a_peripheral(clock: FakeClock) -> None:
    peripheral: Peripheral = Client(clock).device
    assert peripheral.connectable


@pytest.mark.parametrize("model", MODELS, ids=IDS)
async def test_every_model_can_be_read(clock: FakeClock, model: Model) -> None:
    client = Client(clock, model, seed=9)
    client.device.bonded = True
    await client.start()
    for said_once in (Command.DEVICE_INFO, Command.SETTINGS_AND_STREAM):
        client.ask(said_once)
        await client.clock.run(0.2)
    await client.clock.run(20)
    receiver = Receiver()
    readings = [reading for data in client.notifications for reading in receiver.feed(data, clock.now())]
    assert receiver.board.generation is model.generation
    assert receiver.board.is_balancer is model.is_balancer
    assert {reading.frame_type for reading in readings} == {
        FrameType.DEVICE_INFO,
        FrameType.SETTINGS,
        FrameType.CELL_INFO,
    }
    believed = [reading.value for reading in readings if reading.verdict is Verdict.ACCEPTED]
    assert {type(value) for value in believed} == {DeviceInfo, Settings, Telemetry}
    assert [r.reason for r in readings if r.verdict is Verdict.REJECTED] == []
    assert receiver.assembler.counters.bad_sum == 0
    cells = client.types().count(FrameType.CELL_INFO)
    assert cells == pytest.approx(20 / model.frame_period_s, rel=0.05)


async def test_answers_take_their_time_and_come_in_order(clock: FakeClock) -> None:
    client = Client(clock)
    client.connect()
    client.ask(Command.DEVICE_INFO)
    client.ask(Command.SETTINGS_AND_STREAM)
    await clock.run(0.039)
    assert client.notifications == []
    await clock.run(0.14)
    assert client.types()[:1] == [FrameType.DEVICE_INFO]
    await clock.run(0.17)
    assert client.types() == [FrameType.DEVICE_INFO, FrameType.SETTINGS, FrameType.DEVICE_INFO]


@pytest.mark.parametrize(("model", "period_s"), [(JK_BD6A17S6P, 0.43), (JK_B2A8S20P, 0.55)])
async def test_stream_keeps_the_boards_pace(clock: FakeClock, model: Model, period_s: float) -> None:
    client = Client(clock, model)
    await client.start()
    client.clear()
    await clock.run(60)
    assert len(client.frames) == pytest.approx(60 / period_s, abs=2)
    assert set(client.types()) == {FrameType.CELL_INFO}


async def test_newer_boards_stream_only_after_device_info_was_asked_for(clock: FakeClock) -> None:
    client = Client(clock)
    client.connect()
    client.ask(Command.SETTINGS_AND_STREAM)
    await clock.run(10)
    assert client.types() == [FrameType.SETTINGS, FrameType.DEVICE_INFO]
    client.ask(Command.DEVICE_INFO)
    await clock.run(10)
    assert FrameType.CELL_INFO in client.types()


async def test_a_board_may_want_the_clock_first(clock: FakeClock) -> None:
    client = Client(clock, replace(JK_PB2A16S20P_V19, stream_after=frozenset({0x97, 0x96, 0x6C})))
    await client.start()
    await clock.run(5)
    assert FrameType.CELL_INFO not in client.types()
    client.ask(0x6C, (200_000_000).to_bytes(4, "little"))
    await clock.run(5)
    assert FrameType.CELL_INFO in client.types()


async def test_asking_twice_does_not_double_the_stream(clock: FakeClock) -> None:
    client = Client(clock)
    await client.start()
    client.ask(Command.SETTINGS_AND_STREAM)
    await clock.run(1)
    client.clear()
    await clock.run(11)
    assert len(client.frames) == pytest.approx(20, abs=1)


async def test_a_write_is_acknowledged_and_read_back(clock: FakeClock) -> None:
    client = Client(clock, JK_B2A8S20P)
    client.connect()
    client.ask(0x1D, b"\0\0\0\0")
    await clock.run(0.2)
    assert client.notifications == [ACKNOWLEDGE]
    client.ask(0x04, (9999).to_bytes(4, "little"))
    await clock.run(0.2)
    assert client.notifications == [ACKNOWLEDGE] * 2
    client.ask(Command.SETTINGS_AND_STREAM)
    await clock.run(0.2)
    assert client.frames[0][118:122] == b"\0\0\0\0"
    assert client.frames[0][18:20] == (3600).to_bytes(2, "little")


async def test_event_log_is_sent_for_the_asking(clock: FakeClock) -> None:
    client = Client(clock)
    client.connect()
    client.ask(Command.EVENT_LOG)
    await clock.run(0.2)
    assert client.types() == [FrameType.EVENT_LOG]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        command(Command.DEVICE_INFO)[:-1],
        command(Command.DEVICE_INFO)[:-1] + b"\0",
        b"\0" + command(Command.DEVICE_INFO)[1:],
        b"\xaa\x55\x90\xeb\x97\x0e" + bytes(13) + bytes([(0xAA + 0x55 + 0x90 + 0xEB + 0x97 + 0x0E) & 0xFF]),
    ],
)
async def test_what_is_no_command_is_ignored(clock: FakeClock, data: bytes) -> None:
    client = Client(clock)
    client.connect()
    client.device.write(client.write_handle, data)
    await clock.run(1)
    assert client.notifications == []


async def test_nothing_is_sent_without_a_subscription(clock: FakeClock) -> None:
    client = Client(clock, JK_PB2A16S15P)
    client.connect(subscribed=False)
    client.ask(Command.DEVICE_INFO)
    await clock.run(5)
    assert client.notifications == []
    client.device.subscribe(client.notify_handle, enabled=True)
    await clock.run(1)
    assert client.notifications
    client.device.subscribe(client.notify_handle, enabled=False)
    client.clear()
    await clock.run(5)
    assert client.notifications == []


async def test_everything_ends_with_the_link(clock: FakeClock) -> None:
    client = Client(clock, JK_PB2A16S15P)
    await client.start()
    client.device.disconnected()
    client.clear()
    await clock.run(5)
    assert client.notifications == []
    assert client.device.connectable
    # A new client has to ask anew, for both.
    client.connect()
    await clock.run(5)
    assert client.frames == []
    client.ask(Command.SETTINGS_AND_STREAM)
    await clock.run(5)
    assert client.types() == [FrameType.SETTINGS, FrameType.DEVICE_INFO]


async def test_chatter_floods_between_frames(clock: FakeClock) -> None:
    client = Client(clock, JK_PB2A16S15P)
    await client.start()
    client.clear()
    await clock.run(15)
    assert client.notifications.count(CHATTER) == pytest.approx(100, abs=1)


async def test_acknowledge_right_behind_device_info_in_notifications_of_20_bytes(clock: FakeClock) -> None:
    client = Client(clock, replace(JK_PB2A16S20P_V19, style=TWENTIES))
    client.connect()
    client.ask(Command.DEVICE_INFO)
    await clock.run(0.2)
    assert [len(data) for data in client.notifications] == [20] * 16
    assert client.notifications[-1] == ACKNOWLEDGE


def handles(model: Model) -> dict[str, list[tuple[int, set[str]]]]:
    table: dict[str, list[tuple[int, set[str]]]] = {}
    for service in model.module.services:
        for char in service.characteristics:
            if service.uuid == FFE0:
                table.setdefault(char.uuid[4:8], []).append((char.handle, set(char.properties)))
    return table


def test_tables_are_those_of_real_modules() -> None:
    no_response = {"write-without-response"}
    write = no_response | {"write"}
    both = write | {"notify"}
    assert handles(JK_PB2A16S20P) == {"ffe2": [(0x10, no_response)], "ffe1": [(0x12, both)]}
    assert handles(JK_B5A24S) == {"ffe1": [(0x10, both)], "ffe2": [(0x13, both)], "ffe3": [(0x16, write)]}
    assert handles(JK_B2A16S) == {"ffe1": [(0x0A, both)], "ffe2": [(0x0D, both)], "ffe3": [(0x10, write)]}
    assert handles(JK_BD4A20S4P) == {"ffe1": [(3, write), (5, {"notify"})]}
    others = {service.uuid[4:8] for service in JK_PB2A16S20P.module.services}
    assert {"180a", "180f", "ffc0"} <= others


async def test_only_the_right_characteristic_is_heard(clock: FakeClock) -> None:
    client = Client(clock)
    client.connect()
    client.device.write(0x10, command(Command.DEVICE_INFO))
    await clock.run(1)
    assert client.notifications == []
    with refused(0x01):
        client.device.write(0x99, command(Command.DEVICE_INFO))
    with refused(0x03):
        Client(clock, JK_BD4A20S4P).device.write(5, b"")


def test_advertisement_holds_the_address(clock: FakeClock) -> None:
    device = Client(clock, address="C8:47:80:12:34:56").device
    assert device.manufacturer_data == {0x0B65: bytes.fromhex("88a0c84780123456")}
    assert FFE0 in device.service_uuids
    assert device.name == "JK_PB2A16S20P"
    device.name = "Keller"
    assert device.board.device_info["device_name"] == b"Keller"
    assert Client(clock, JK_BD4A20S4P).device.manufacturer_data == {0x4B4A: b"\0\1"}


def test_addresses_differ_by_seed_within_the_makers_block(clock: FakeClock) -> None:
    addresses = {Client(clock, seed=seed).device.address for seed in range(50)}
    assert len(addresses) == 50
    assert all(address.startswith("C8:47:80:") and len(address) == 17 for address in addresses)


async def test_one_client_at_a_time(clock: FakeClock) -> None:
    client = Client(clock)
    client.connect()
    assert not client.device.connectable
    assert client.device.is_connected
    client.device.disconnected()
    assert client.device.connectable


async def test_busy_and_out_of_range_lose_the_link_and_silence_the_device(clock: FakeClock) -> None:
    def busy(device: Firmware, *, gone: bool) -> None:
        device.busy = gone

    def away(device: Firmware, *, gone: bool) -> None:
        device.in_range = not gone

    switches: list[Callable[..., None]] = [busy, away]
    for switch in switches:
        client = Client(clock)
        client.connect()
        switch(client.device, gone=True)
        await settle()
        assert client.lost == 1
        assert not client.device.connectable
        switch(client.device, gone=False)
        assert client.device.connectable
    client.device.busy, client.device.in_range = True, False
    client.device.in_range = True
    assert not client.device.connectable


async def test_a_board_that_switches_off_is_gone(clock: FakeClock) -> None:
    client = Client(clock)
    await client.start()
    client.ask(Instruction.SHUT_DOWN)
    await clock.run(1)
    assert client.lost == 1
    assert not client.device.connectable
    client.device.board.load = lambda _dt_s, _voltage_v: 10.0
    await clock.run(1)
    client.device.catch_up()
    assert client.device.connectable


@pytest.mark.parametrize("pairing", [Pairing.OR_ERROR, Pairing.OR_DROP])
async def test_a_board_that_wants_a_bond(clock: FakeClock, pairing: Pairing) -> None:
    client = Client(clock, replace(JK_PB2A16S20P_V19_BONDED, pairing=pairing))
    client.connect(subscribed=False)
    if pairing is Pairing.OR_ERROR:
        with refused(0x05):
            client.device.subscribe(client.notify_handle, enabled=True)
        with refused(0x05):
            client.ask(Command.DEVICE_INFO)
        client.device.disconnected()
    else:
        await clock.run(UNPAIRED_DROP_S - 0.1)
        assert client.lost == 0
        await clock.run(0.2)
        assert client.lost == 1
    client.connect(subscribed=False)
    client.device.pair()
    client.device.subscribe(client.notify_handle, enabled=True)
    client.ask(Command.DEVICE_INFO)
    await clock.run(10)
    assert client.types() == [FrameType.DEVICE_INFO]
    client.device.disconnected()
    # The bond outlasts the link.
    await client.start()
    assert client.device.is_connected


def test_a_bond_that_takes_the_passcode(clock: FakeClock) -> None:
    device = Client(clock, replace(JK_PB2A16S20P_V19_BONDED, asks_passcode=True)).device
    with refused(0x05):
        device.pair()
    with refused(0x05):
        device.pair(lambda: 4321)
    assert not device.bonded
    device.pair(lambda: 1234)
    assert device.bonded


def test_an_older_module_cannot_bond(clock: FakeClock) -> None:
    with refused(0x06):
        Client(clock).device.pair()


async def test_dropped_damaged_and_doubled_notifications(clock: FakeClock) -> None:
    client = Client(clock)
    await client.start()
    await clock.run(0.5)
    client.clear()
    sound: list[bytes] = []
    for fault in ("none", "drop", "damage", "duplicate"):
        if fault != "none":
            setattr(client.device.faults, fault, 1)
        client.device.send_cell_info()
        got, frames = list(client.notifications), len(client.frames)
        if fault == "none":
            sound = got
            assert frames == 1
        elif fault == "drop":
            assert [len(data) for data in got][-1:] == [56]
            assert frames == 0
        elif fault == "damage":
            changed = int.from_bytes(got[0][-200:]) ^ int.from_bytes(sound[0][-200:])
            assert len(got) == len(sound)
            assert changed or got[0][:44] != sound[0][:44]
            assert frames == 0
        else:
            assert got[0] == got[1]
        assert (client.device.faults.drop, client.device.faults.damage, client.device.faults.duplicate) == (0, 0, 0)
        client.clear()
        client.assembler.reset()


async def test_damage_flips_one_bit(clock: FakeClock) -> None:
    client = Client(clock, JK_B2A8S20P)
    client.connect()
    client.device.faults.damage = 1
    client.ask(0x1D, b"\1")
    await clock.run(0.2)
    (data,) = client.notifications
    assert (int.from_bytes(data) ^ int.from_bytes(ACKNOWLEDGE)).bit_count() == 1


async def test_a_stalled_device_keeps_the_link_and_says_nothing(clock: FakeClock) -> None:
    client = Client(clock, JK_PB2A16S15P)
    await client.start()
    client.device.faults.stalled = True
    client.clear()
    client.ask(Command.DEVICE_INFO)
    await clock.run(30)
    assert client.notifications == []
    assert client.device.is_connected
    client.device.faults.stalled = False
    await clock.run(2)
    assert client.frames


OVERVOLTAGE = 0x04


def overvoltage_mv(client: Client) -> int:
    return round(1000 * client.device.board.settings["cell_overvoltage_v"])


async def written(client: Client, millivolts: int) -> int:
    """Write an over-voltage and let the answer come; return what the board has then."""
    client.clear()
    client.ask(OVERVOLTAGE, millivolts.to_bytes(4, "little"))
    await client.clock.run(0.2)
    return overvoltage_mv(client)


async def test_writes_that_are_lost_refused_or_not_acknowledged(clock: FakeClock) -> None:
    client = Client(clock, JK_B2A8S20P)
    client.connect()
    faults = client.device.faults
    faults.lost_writes, faults.refused_writes, faults.unacknowledged_writes = 1, 1, 1
    assert await written(client, 3610) == 3600
    assert client.notifications == [], "lost"
    assert await written(client, 3620) == 3600
    assert client.notifications == [], "refused, and the acknowledge is lost"
    faults.refused_writes = 1
    assert await written(client, 3630) == 3600
    assert client.notifications == [ACKNOWLEDGE], "refused"
    faults.unacknowledged_writes = 1
    assert await written(client, 3640) == 3640
    assert client.notifications == []
    assert await written(client, 3650) == 3650
    assert client.notifications == [ACKNOWLEDGE]


async def test_the_link_drops_between_a_write_and_its_acknowledge(clock: FakeClock) -> None:
    client = Client(clock, JK_B2A8S20P)
    client.connect()
    client.device.faults.dropping_writes = 1
    client.ask(Command.SETTINGS_AND_STREAM)
    await clock.run(0.2)
    assert client.lost == 0, "a question is no write"
    assert await written(client, 3610) == 3610
    assert (client.lost, client.notifications) == (1, [])
    client.connect()
    assert await written(client, 3620) == 3620
    assert client.lost == 1


async def test_questions_that_stay_without_an_answer(clock: FakeClock) -> None:
    client = Client(clock, JK_B2A8S20P)
    client.connect()
    client.device.faults.unanswered = 2
    for asked in (Command.DEVICE_INFO, Command.SETTINGS_AND_STREAM, Command.DEVICE_INFO):
        client.ask(asked)
        await clock.run(0.2)
    assert client.notifications[:2] == [ACKNOWLEDGE] * 2
    assert client.types() == [FrameType.DEVICE_INFO]


async def test_slow_memory_says_the_old_value_for_a_while(clock: FakeClock) -> None:
    client = Client(clock, JK_B2A8S20P)
    client.connect()
    client.device.faults.slow_memory_s = 3
    assert await written(client, 3610) == 3600
    assert client.notifications == [ACKNOWLEDGE]
    client.device.disconnected()
    await clock.run(2.7)
    client.device.catch_up()
    assert overvoltage_mv(client) == 3600
    await clock.run(0.4)
    client.device.catch_up()
    assert overvoltage_mv(client) == 3610


async def test_a_stream_that_pauses_after_a_write(clock: FakeClock) -> None:
    client = Client(clock)
    await client.start()
    client.device.faults.pause_s = 2
    await clock.run(2)
    await written(client, 3610)
    client.clear()
    await clock.run(1.7)
    assert client.frames == []
    await clock.run(2)
    assert set(client.types()) == {FrameType.CELL_INFO}


async def test_a_share_of_the_notifications_is_lost(clock: FakeClock) -> None:
    client = Client(clock, JK_BD6A17S6P)
    await client.start()
    client.clear()
    client.device.faults.loss = 0.05
    await clock.run(600)
    # Three notifications make a frame.
    assert len(client.notifications) == pytest.approx(0.95 * 3 * 600 / 0.43, rel=0.02)
    assert len(client.frames) == pytest.approx(0.95**3 * 600 / 0.43, rel=0.03)


async def test_the_app_changes_a_setting_behind_our_back(clock: FakeClock) -> None:
    client = Client(clock)
    await client.start()
    client.clear()
    client.device.app_changes("cell_overvoltage_v", 3.6)
    assert overvoltage_mv(client) == 3600
    await clock.run(5)
    assert set(client.types()) == {FrameType.CELL_INFO}, "nobody is told"
    with pytest.raises(ValueError, match="not taken"):
        client.device.app_changes("cell_overvoltage_v", 3.4)


async def test_a_restart_takes_the_link_and_no_more(clock: FakeClock) -> None:
    client = Client(clock)
    await client.start()
    client.ask(Instruction.RESTART)
    await clock.run(1)
    assert client.lost == 1
    assert client.device.board.up_time_s < 1
    assert client.device.connectable
    client.connect()
    await clock.run(5)
    assert client.lost == 1


async def test_a_silent_stream_answers_all_else(clock: FakeClock) -> None:
    client = Client(clock)
    client.device.faults.silent_stream = True
    await client.start()
    await clock.run(10)
    assert set(client.types()) == {FrameType.DEVICE_INFO, FrameType.SETTINGS}
    client.device.faults.silent_stream = False
    client.ask(Command.SETTINGS_AND_STREAM)
    await clock.run(2)
    assert FrameType.CELL_INFO in client.types()


async def test_a_slow_device_takes_longer_for_everything(clock: FakeClock) -> None:
    client = Client(clock)
    client.device.faults.slowness = 10
    client.connect()
    client.ask(Command.DEVICE_INFO)
    await clock.run(0.39)
    assert client.frames == []
    await clock.run(1.4)
    client.ask(Command.SETTINGS_AND_STREAM)
    await clock.run(2)
    client.clear()
    await clock.run(55)
    assert len(client.frames) == pytest.approx(10, abs=1)


async def test_refused_and_dropped_links(clock: FakeClock) -> None:
    client = Client(clock)
    client.device.faults.refuses = True
    client.connect()
    await settle()
    assert client.lost == 1
    client.device.faults.refuses = False
    client.connect()
    await settle()
    assert client.lost == 1
    client.device.drop_link()
    await settle()
    assert client.lost == 2
    client.device.drop_link()
    await settle()
    assert client.lost == 2


async def test_the_pack_lives_faster_by_the_speed(clock: FakeClock) -> None:
    client = Client(clock, speed=60, load=lambda _dt_s, _voltage_v: -28.0)
    before = client.device.board.run_time_s
    await client.start()
    await clock.run(60 - 0.4)
    client.device.catch_up()
    assert client.device.board.run_time_s - before == pytest.approx(3600)
    assert client.device.board.measurement.remaining_ah == pytest.approx(140 - 28, abs=1.5)


async def test_same_seed_same_notifications(clock: FakeClock) -> None:
    heard = []
    for _ in range(2):
        client = Client(FakeClock(), JK_B5A24S, seed=12)
        client.device.faults.damage = 5
        client.device.faults.loss = 0.1
        await client.start()
        await client.clock.run(10)
        heard.append(client.notifications)
    assert heard[0] == heard[1]


async def test_over_the_radio(clock: FakeClock) -> None:
    """The whole way: bleak's client, the in-process radio, the module, the board."""
    client = Client(clock, JK_BD4A20S4P)
    air = Air([client.device])
    assembler = FrameAssembler()
    frames: list[bytes] = []
    async with FakeBleakClient(air.device(client.device.address)) as bleak:
        (service,) = [service for service in bleak.services if service.uuid == FFE0]
        write, notify = service.characteristics
        await bleak.start_notify(notify, lambda _, data: frames.extend(assembler.feed(data)))
        await bleak.write_gatt_char(write, command(Command.DEVICE_INFO), response=False)
        await clock.run(0.5)
        assert [frame[4] for frame in frames] == [FrameType.DEVICE_INFO]
        client.device.drop_link()
        await settle()
        assert not bleak.is_connected
