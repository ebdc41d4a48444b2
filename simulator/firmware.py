"""A JK device as the air sees it: the board on its pack, behind its Bluetooth module, with faults on demand.

All waiting is done by the `sleep` that is handed in and all time is read from `now`, so a test decides what time is.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass
from random import Random
from typing import Final

from custom_components.jk_bms.bms.frames import COMMAND_HEADER, COMMAND_LENGTH, COMMAND_VALUE_LENGTH, Command, checksum
from custom_components.jk_bms.bms.layout import Value
from custom_components.jk_bms.bms.registers import SettingValue
from simulator.board import Board, Load
from simulator.models import FFE1, JK_PB2A16S20P, Model, Pairing
from simulator.notifications import CHATTER, CHATTER_PERIOD_S, Chatter, Notifier
from simulator.pack import Pack
from simulator.peripheral import Enter, GattError, Notify, no_keyboard

ANSWER_S: Final = (0.04, 0.17)
"""Shortest and longest time to an answer."""
PERIOD_JITTER: Final = 0.02
UNPAIRED_DROP_S: Final = 3.0

INVALID_HANDLE: Final = 0x01
WRITE_NOT_PERMITTED: Final = 0x03
INSUFFICIENT_AUTHENTICATION: Final = 0x05
PAIRING_NOT_SUPPORTED: Final = 0x06
"""ATT error codes, but for the last: "request not supported"."""

_QUESTIONS: Final = frozenset(Command)

type Sleep = Callable[[float], Awaitable[None]]


@dataclass(slots=True)
class Faults:
    """What goes wrong, to be changed at any time. Counts run down as notifications go out, or commands come in."""

    loss: float = 0.0
    """Share of the notifications that are lost, here and there."""
    drop: int = 0
    """So many notifications are lost."""
    damage: int = 0
    """So many have a bit flipped."""
    duplicate: int = 0
    """So many come twice."""
    stalled: bool = False
    """Nothing comes, though the link stays up."""
    silent_stream: bool = False
    """Everything is answered, but no cell info comes."""
    refuses: bool = False
    """A link goes down as soon as it's up."""
    slowness: float = 1.0
    """Answers and cell info take this many times as long."""
    lost_writes: int = 0
    """So many writes don't reach the board."""
    refused_writes: int = 0
    """So many are acknowledged, and nothing changes."""
    unacknowledged_writes: int = 0
    """So many are carried out, and not acknowledged."""
    dropping_writes: int = 0
    """So many are carried out, and the link is gone before they are acknowledged."""
    unanswered: int = 0
    """So many questions get an acknowledge and no frames."""
    slow_memory_s: float = 0.0
    """So long after a write the board still has what it had before."""
    pause_s: float = 0.0
    """So long after a write there is no cell info."""


class Firmware:
    """A device on a pack, which lives on with time: `speed` seconds for every second of `now`.

    `load` is what the outside wants to flow. Between connections nothing drives it: whoever keeps it calls `catch_up`
    now and then. The same seed, at the same times, gives the same bytes.
    """

    def __init__(
        self,
        pack: Pack,
        model: Model = JK_PB2A16S20P,
        *,
        address: str | None = None,
        seed: int = 1,
        settings: dict[str, float] | None = None,
        device_info: dict[str, Value] | None = None,
        load: Load = lambda _dt_s, _voltage_v: 0.0,
        speed: float = 1.0,
        now: Callable[[], float] = time.monotonic,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self._random = Random(f"module {seed}")
        module = model.module
        low = self._random.randrange(1 << 24)
        self.address = address or f"{module.address_block}:{low >> 16:02X}:{low >> 8 & 255:02X}:{low & 255:02X}"
        self.model = model
        self.board = Board(pack, model, seed=seed, settings=settings, device_info=device_info, load=load)
        self.rssi = -60 - self._random.randrange(25)
        self.manufacturer_data: Mapping[int, bytes] = module.manufacturer_data(self.address)
        self.service_uuids = module.service_uuids
        self.services = module.services
        self.mtu = model.style.mtu
        self.speed = speed
        self.faults = Faults()
        self.frames_sent = 0
        """Frames that went out to a client that listens, whatever became of them then."""
        self.bonded = False
        self.connectable = True
        self._in_range = True
        self._busy = False
        self._now = now
        self._sleep = sleep
        self._caught_up_at = now()
        self._notifier = Notifier(model.style, self._random)
        characteristics = [char for service in self.services for char in service.characteristics if char.uuid == FFE1]
        self._notify_handle = next(char.handle for char in characteristics if "notify" in char.properties)
        self._write_handle = next(char.handle for char in characteristics if "write" in char.properties)
        self._notify: Notify | None = None
        self._disconnect: Callable[[], None] | None = None
        self._subscribed = False
        self._asked: set[int] = set()
        self._commands: asyncio.Queue[tuple[int, bytes]] = asyncio.Queue()
        self._memorised: deque[tuple[float, int, bytes]] = deque()
        """Writes that slow memory hasn't taken yet, with the time when it will have."""
        self._paused_until = now()
        self._tasks: set[asyncio.Task[None]] = set()
        self._streaming = False

    @property
    def name(self) -> str:
        """The name it advertises, which its owner may have changed."""
        name = self.board.device_info["device_name"]
        assert isinstance(name, bytes)
        return name.split(b"\0", 1)[0].decode("utf-8", "replace")

    @name.setter
    def name(self, name: str) -> None:
        self.board.device_info["device_name"] = name.encode()

    @property
    def passkey(self) -> int:
        """The pass code that a bond takes, which its owner may have changed."""
        passcode = self.board.device_info["device_passcode"]
        assert isinstance(passcode, bytes)
        return int(passcode.split(b"\0", 1)[0])

    @property
    def is_connected(self) -> bool:
        """Whether a client of these radios holds it."""
        return self._notify is not None

    @property
    def in_range(self) -> bool:
        """Whether radio waves reach it."""
        return self._in_range

    @in_range.setter
    def in_range(self, in_range: bool) -> None:
        self._in_range = in_range
        self._be_heard_or_not()

    @property
    def busy(self) -> bool:
        """Whether a phone holds it. It can't while another client does: that link is lost first."""
        return self._busy

    @busy.setter
    def busy(self, busy: bool) -> None:
        self._busy = busy
        self._be_heard_or_not()

    def drop_link(self) -> None:
        """Lose the link to the client, if there is one."""
        if self._disconnect:
            asyncio.get_running_loop().call_soon(self._disconnect)

    def catch_up(self) -> None:
        """Let the pack and the board live up to the present."""
        now = self._now()
        elapsed_s, self._caught_up_at = now - self._caught_up_at, now
        was_powered = self.board.powered
        self.board.advance(elapsed_s * self.speed)
        while self._memorised and self._memorised[0][0] <= now:
            _, register, value = self._memorised.popleft()
            self._carry_out(register, value)
        if self.board.powered is not was_powered:
            self._be_heard_or_not()

    def connected(self, notify: Notify, disconnect: Callable[[], None]) -> None:
        """A client has connected; the device may notify it, or drop it, from now on."""
        self._notify, self._disconnect = notify, disconnect
        self.connectable = False
        self._commands = asyncio.Queue()
        self._notifier = Notifier(self.model.style, self._random)
        self._start(self._serve())
        if self.model.style.chatter is Chatter.FLOOD:
            self._start(self._chatter())
        if self.faults.refuses:
            self.drop_link()
        elif self.model.pairing is Pairing.OR_DROP and not self.bonded:
            self._start(self._drop_unpaired())

    def disconnected(self) -> None:
        """The client is gone."""
        self._notify = self._disconnect = None
        self._subscribed = self._streaming = False
        self._asked.clear()
        for task in self._tasks:
            task.cancel()
        self._be_heard_or_not()

    def subscribe(self, handle: int, *, enabled: bool) -> None:
        """The client wrote the notification switch of a characteristic. Raises GattError."""
        if self.model.pairing is Pairing.OR_ERROR and not self.bonded:
            raise GattError(INSUFFICIENT_AUTHENTICATION)
        if handle == self._notify_handle:
            self._subscribed = enabled

    def write(self, handle: int, data: bytes) -> None:
        """The client wrote a characteristic. Raises GattError.

        The board hears the one characteristic that is for it, and ignores what isn't a whole command.
        """
        if self.model.pairing is Pairing.OR_ERROR and not self.bonded:
            raise GattError(INSUFFICIENT_AUTHENTICATION)
        chars = {char.handle: char for service in self.services for char in service.characteristics}
        if handle not in chars:
            raise GattError(INVALID_HANDLE)
        if not {"write", "write-without-response"} & set(chars[handle].properties):
            raise GattError(WRITE_NOT_PERMITTED)
        if (
            handle == self._write_handle
            and len(data) == COMMAND_LENGTH
            and data.startswith(COMMAND_HEADER)
            and checksum(data[:-1]) == data[-1]
            and data[5] <= COMMAND_VALUE_LENGTH
        ):
            self._commands.put_nowait((data[4], data[6 : 6 + data[5]]))

    def pair(self, enter: Enter = no_keyboard) -> None:
        """The client asks for bonding. Raises GattError when the device cannot, or is told a wrong pass code."""
        if self.model.pairing is Pairing.IMPOSSIBLE:
            raise GattError(PAIRING_NOT_SUPPORTED)
        if self.model.asks_passcode and enter() != self.passkey:
            raise GattError(INSUFFICIENT_AUTHENTICATION)
        self.bonded = True

    def app_changes(self, key: str, value: SettingValue) -> None:
        """Let a phone change a setting behind our client's back.

        Raises KeyError if the board has no register for it, ValueError if it doesn't take the value.
        """
        self.catch_up()
        self.board.change(key, value)

    def send_cell_info(self) -> None:
        """Send a cell info frame of the present moment, as the stream does."""
        self.catch_up()
        self._send(self._notifier.notifications([self.board.cell_info_frame()], acknowledged=False), frame_count=1)

    def _be_heard_or_not(self) -> None:
        reachable = self._in_range and not self._busy and self.board.powered
        self.connectable = reachable and not self.is_connected
        if not reachable:
            self.drop_link()

    def _start(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self) -> None:
        while True:
            register, value = await self._commands.get()
            await self._sleep(self._random.uniform(*ANSWER_S) * self.faults.slowness)
            self.catch_up()
            if register in _QUESTIONS:
                self._answer(register)
            else:
                self._take(register, value)
            self._be_heard_or_not()
            self._asked.add(register)
            asked_to_stream = Command.SETTINGS_AND_STREAM in self._asked and self._asked >= self.model.stream_after
            if asked_to_stream and not self._streaming and not self.faults.silent_stream:
                self._streaming = True
                self._start(self._stream())

    def _answer(self, question: int) -> None:
        frames = self.board.answer(question, b"")
        if self.faults.unanswered:
            self.faults.unanswered -= 1
            frames = []
        self._send(self._notifier.notifications(frames, acknowledged=True), frame_count=len(frames))

    def _take(self, register: int, value: bytes) -> None:
        """Take a write, as far as nothing goes wrong with it."""
        faults, now = self.faults, self._now()
        if faults.lost_writes:
            faults.lost_writes -= 1
            return
        self._paused_until = now + faults.pause_s
        if faults.refused_writes:
            faults.refused_writes -= 1
        elif faults.slow_memory_s:
            self._memorised.append((now + faults.slow_memory_s, register, value))
        else:
            self._carry_out(register, value)
        if faults.dropping_writes:
            faults.dropping_writes -= 1
            self.drop_link()
        elif faults.unacknowledged_writes:
            faults.unacknowledged_writes -= 1
        else:
            self._send(self._notifier.notifications([], acknowledged=True))

    def _carry_out(self, register: int, value: bytes) -> None:
        self.board.answer(register, value)
        if not self.board.up_time_s:  # it has just restarted
            self.drop_link()

    async def _stream(self) -> None:
        while True:
            jitter = self._random.uniform(1 - PERIOD_JITTER, 1 + PERIOD_JITTER)
            await self._sleep(self.model.frame_period_s * jitter * self.faults.slowness)
            if (rest_s := self._paused_until - self._now()) > 0:
                await self._sleep(rest_s)
            if not self.faults.silent_stream:
                self.send_cell_info()

    async def _chatter(self) -> None:
        while True:
            await self._sleep(CHATTER_PERIOD_S)
            self._send([CHATTER])

    async def _drop_unpaired(self) -> None:
        await self._sleep(UNPAIRED_DROP_S)
        if not self.bonded:
            self.drop_link()

    def _send(self, notifications: list[bytes], *, frame_count: int = 0) -> None:
        """Send notifications, which are so many frames, with what goes wrong on the way."""
        if self._notify is None or not self._subscribed or self.faults.stalled:
            return
        self.frames_sent += frame_count
        faults = self.faults
        for sound in notifications:
            if faults.drop:
                faults.drop -= 1
                continue
            if faults.loss and self._random.random() < faults.loss:
                continue
            data = sound
            if faults.damage:
                faults.damage -= 1
                data = self._damaged(sound)
            self._notify(self._notify_handle, data)
            if faults.duplicate:
                faults.duplicate -= 1
                self._notify(self._notify_handle, data)

    def _damaged(self, data: bytes) -> bytes:
        flipped = 1 << self._random.randrange(8 * len(data))
        return (int.from_bytes(data, "little") ^ flipped).to_bytes(len(data), "little")
