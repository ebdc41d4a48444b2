"""One connection to a board: its characteristics, asking and being answered, and what a failure means.

When to connect, and what to do about a failure, is the link's part.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import Final

from bleak import BleakClient
from bleak.backends.characteristic import BleakGATTCharacteristic
from bleak.backends.device import BLEDevice
from bleak.backends.service import BleakGATTServiceCollection
from bleak.uuids import normalize_uuid_16
from bleak_retry_connector import (
    BleakAbortedError,
    BleakClientWithServiceCache,
    BleakNotFoundError,
    BleakOutOfConnectionSlotsError,
    device_source,
)

from .frames import Command, command
from .layout import FrameType
from .receiver import Reading, Receiver, Verdict

LOGGER = logging.getLogger(__name__)

SERVICE_UUID: Final = normalize_uuid_16(0xFFE0)
CHARACTERISTIC_UUID: Final = normalize_uuid_16(0xFFE1)
_GENERIC_SERVICES: Final = {normalize_uuid_16(0x1800), normalize_uuid_16(0x1801)}

GATT_TIMEOUT_S: Final = 15.0
SETTLE_S: Final = 0.2
"""Pause between subscribing and the first command, as every client that never failed keeps it."""
ANSWER_TIMEOUT_S: Final = 2.0
"""Boards answer within 0.17 s; fifteen notifications over a busy proxy take longer."""
ASKS: Final = 2
"""So often what stays without an answer is asked for."""
STREAM_TIMEOUT_S: Final = 3.0
"""Boards send cell info every 0.55 s, and pause for up to a second after a command."""
STREAM_ROUNDS: Final = 2

UNBONDED_DROP_S: Final = 10.0
"""Boards that want a bond drop a link without one within seconds."""

# ATT errors 0x05 and 0x0F and failed pairing have no type that all backends share, only these words.
_WANTS_BOND: Final = re.compile(
    r"insufficient (authentication|encryption)|authentication ?failed|pairing (failed|is not available)", re.IGNORECASE
)
_NO_SERVICES: Final = re.compile(r"(discover|get) services", re.IGNORECASE)


class LinkProblem(StrEnum):
    """Why there are no values."""

    OUT_OF_RANGE = "out_of_range"
    NO_SLOT = "no_slot"
    BUSY = "busy"
    """The device is near but silent: another client holds it (or it has just been switched off)."""
    PAIRING_NEEDED = "pairing_needed"
    """The device wants a bond, and refuses one without a pass code."""
    WRONG_PASSCODE = "wrong_passcode"
    PASSCODE_NOT_ASKED = "passcode_not_asked"
    """The device refuses a bond, and what connects to it gave no way to enter the pass code that there is."""
    NO_DATA = "no_data"
    """Connected, but the board sends no cell info."""
    NOT_A_JK_BMS = "not_a_jk_bms"
    CONNECTION_FAILED = "connection_failed"


PAIRING_PROBLEMS: Final = frozenset(
    {LinkProblem.PAIRING_NEEDED, LinkProblem.WRONG_PASSCODE, LinkProblem.PASSCODE_NOT_ASKED}
)


class LinkError(Exception):
    """There is no link, or no answer over it."""

    def __init__(self, problem: LinkProblem, *, like_unbonded: bool = False) -> None:
        super().__init__(problem.value)
        self.problem = problem
        self.like_unbonded = like_unbonded
        """Whether a board that wants a bond fails in this way, too."""


class CharacteristicsMissingError(LinkError):
    """The services of the device, as discovered or cached, have nothing to talk to a board with."""


@dataclass(frozen=True, slots=True)
class Clock:
    """Time as it is given from outside: monotonic seconds, and a sleep."""

    now: Callable[[], float]
    sleep: Callable[[float], Awaitable[None]]

    async def within[T](self, awaitable: Awaitable[T], timeout_s: float) -> T:
        """Return what the awaitable gives. Raises TimeoutError, and cancels it, if that takes longer.

        Work that was cancelled by somebody else, as backends do when they go away, counts as late, not as our end.
        """
        work, alarm = asyncio.ensure_future(awaitable), asyncio.ensure_future(self.sleep(timeout_s))
        try:
            await asyncio.wait((work, alarm), return_when=asyncio.FIRST_COMPLETED)
            if work.done() and not work.cancelled():
                return work.result()
            raise TimeoutError
        finally:
            work.cancel()
            alarm.cancel()
            await asyncio.gather(work, alarm, return_exceptions=True)


type Establish = Callable[[BLEDevice, str, Callable[[BleakClient], None]], Awaitable[BleakClientWithServiceCache]]
"""Connects to a device, under a name for the log, and says when the link is lost. Raises what bleak raises."""


@dataclass(frozen=True, slots=True)
class Ports:
    """Where a module is listened to and spoken to: one characteristic, or two of the same UUID."""

    notify: BleakGATTCharacteristic
    write: BleakGATTCharacteristic

    @property
    def write_with_response(self) -> bool:
        """Whether the module offers no write without response, which is what all other clients use."""
        return "write-without-response" not in self.write.properties


def choose_ports(services: BleakGATTServiceCollection) -> Ports | None:
    """Return the characteristics to use, by their properties: the newest modules list the same UUID twice."""
    candidates = [
        characteristic
        for service in services
        if service.uuid == SERVICE_UUID
        for characteristic in service.characteristics
        if characteristic.uuid == CHARACTERISTIC_UUID
    ]
    notify = [each for each in candidates if "notify" in each.properties]
    write = [each for each in candidates if "write-without-response" in each.properties]
    write += [each for each in candidates if "write" in each.properties]
    return Ports(notify[0], write[0]) if notify and write else None


def source_of(device: BLEDevice) -> str | None:
    """Return the proxy or the adapter that hears the device, as far as the backend's details say."""
    details = device.details
    if isinstance(details, dict) and "path" in details:
        return str(details["path"]).split("/")[3]  # BlueZ: /org/bluez/hci0/dev_C8_47_80_00_00_01
    return device_source(device)


def problem_of(error: Exception) -> LinkProblem:
    """Return what an error of bleak means; a device that is known but doesn't answer counts as busy."""
    if _WANTS_BOND.search(str(error)):
        return LinkProblem.PAIRING_NEEDED
    if isinstance(error, BleakOutOfConnectionSlotsError):
        return LinkProblem.NO_SLOT
    if isinstance(error, BleakNotFoundError | BleakAbortedError):
        return LinkProblem.BUSY
    return LinkProblem.CONNECTION_FAILED


def _answers(answer: FrameType, reading: Reading) -> bool:
    return reading.frame_type is answer and reading.verdict is not Verdict.REJECTED


def is_cell_info(reading: Reading) -> bool:
    """Whether the reading is a cell info frame, believed or not."""
    return reading.frame_type is FrameType.CELL_INFO


def is_telemetry(reading: Reading) -> bool:
    """Whether the reading is a cell info frame that is believed."""
    return is_cell_info(reading) and reading.verdict is Verdict.ACCEPTED


class Connection:
    """A client of its own, from connecting to letting go. Whatever bleak raises comes out as LinkError."""

    def __init__(self, name: str, receiver: Receiver, on_reading: Callable[[Reading], None], clock: Clock) -> None:
        self.lock = asyncio.Lock()
        """Held by whoever talks to the board, from the question to the answer."""
        self.lost = asyncio.Event()
        self.last_cell_info_s = clock.now()
        self.last_cell_info: bytes | None = None
        """The last cell info frame of this connection, believed or not."""
        self.source: str | None = None
        self._name = name
        self._receiver = receiver
        self._on_reading = on_reading
        self._clock = clock
        self._opened_s = clock.now()
        self._client: BleakClientWithServiceCache | None = None
        self._ports: Ports
        self._expected: dict[asyncio.Future[Reading | None], Callable[[Reading], bool]] = {}
        self._lost_early = False

    async def open(self, device: BLEDevice, establish: Establish) -> None:
        """Connect and subscribe. Raises LinkError, and leaves nothing connected then."""
        with self._bleak_errors():
            client = await establish(device, self._name, self._on_disconnect)
        self.source = source_of(device)
        self._client, self._opened_s = client, self._clock.now()
        try:
            await self._subscribe(client)
        except BaseException:
            await self.close()
            raise

    async def _subscribe(self, client: BleakClientWithServiceCache) -> None:
        with self._bleak_errors():
            services = client.services
            ports = choose_ports(services)
            if ports is None:
                problem = self._problem_of_missing(services)
                # What a stack remembers of another firmware, or of a discovery that broke off, never mends by itself.
                await self._clock.within(client.clear_cache(), GATT_TIMEOUT_S)
                raise CharacteristicsMissingError(problem, like_unbonded=True)
            self._ports = ports
            await self._clock.within(client.start_notify(ports.notify, self._on_notification), GATT_TIMEOUT_S)
        LOGGER.debug("%s: listening to handle %s, talking to %s", self._name, ports.notify.handle, ports.write.handle)
        await self._clock.sleep(SETTLE_S)

    async def start_stream(self) -> None:
        """Let the board introduce itself, say its settings and start sending cell info, in the order it insists on.

        Raises LinkError if no cell info comes; whatever else came has been delivered by then.
        """
        for _ in range(STREAM_ROUNDS):
            await self.ask(Command.DEVICE_INFO, FrameType.DEVICE_INFO)
            await self.ask(Command.SETTINGS_AND_STREAM, FrameType.SETTINGS)
            if await self.reading(is_cell_info, STREAM_TIMEOUT_S):
                return
            LOGGER.debug("%s: no cell info", self._name)
        raise LinkError(LinkProblem.NO_DATA)

    async def ask(self, question: Command, answer: FrameType) -> Reading | None:
        """Return the answer to a command; None if there is none, though asked for again. Raises LinkError.

        What an answer says for the first time it has to say twice, and is asked for once more.
        """
        answered: Reading | None = None
        asked = 0
        async with self.lock:
            while asked < (ASKS if answered is None else ASKS + 1):
                asked += 1
                with self._expecting(partial(_answers, answer)) as arrival:
                    LOGGER.debug("%s: asking for %s", self._name, question.name)
                    await self._write(command(question))
                    reading = await self._arrival(arrival, ANSWER_TIMEOUT_S)
                if reading and (answered or reading.verdict is Verdict.ACCEPTED):
                    return reading
                answered = reading or answered
        return answered

    async def send(self, data: bytes) -> None:
        """Send what is answered by nothing that says whether it was taken. Raises LinkError."""
        async with self.lock:
            await self._write(data)

    async def reading(self, wanted: Callable[[Reading], bool], timeout_s: float) -> Reading | None:
        """Return the next reading that is wanted, None if none comes in time. Raises LinkError."""
        with self._expecting(wanted) as arrived:
            return await self._arrival(arrived, timeout_s)

    async def close(self) -> None:
        """Let go of the board; goes on to the end even when cancelled meanwhile. Once for every `open`."""
        client, self._client = self._client, None
        assert client is not None
        self._receiver.link_lost()
        self._end()
        letting_go = asyncio.ensure_future(self._disconnect(client))
        interruption = None
        while not letting_go.done():
            try:
                await asyncio.shield(letting_go)
            except asyncio.CancelledError as error:
                interruption = error
        if interruption:
            raise interruption

    def loss(self) -> LinkError:
        """Return the error that says why the link is lost."""
        return LinkError(LinkProblem.CONNECTION_FAILED, like_unbonded=self._lost_early)

    async def _write(self, data: bytes) -> None:
        with self._bleak_errors():
            if self._client is None:
                raise self.loss()
            ports = self._ports
            writing = self._client.write_gatt_char(ports.write, data, response=ports.write_with_response)
            await self._clock.within(writing, GATT_TIMEOUT_S)

    async def _disconnect(self, client: BleakClientWithServiceCache) -> None:
        try:
            await self._clock.within(client.disconnect(), GATT_TIMEOUT_S)
        except Exception as error:  # noqa: BLE001 - backends raise anything when a bus or a proxy has gone away
            LOGGER.debug("%s: letting go failed: %s", self._name, type(error).__name__)

    @contextmanager
    def _bleak_errors(self) -> Iterator[None]:
        """Tell the errors of bleak and its backends as LinkError."""
        try:
            yield
        except LinkError:
            raise
        except Exception as error:
            LOGGER.debug("%s: %s", self._name, type(error).__name__)
            if self._client and not self._client.is_connected:
                self._on_disconnect(self._client)  # a backend may tell the loss only after the call that met it
                raise self.loss() from error
            like_unbonded = _NO_SERVICES.search(str(error)) is not None
            raise LinkError(problem_of(error), like_unbonded=like_unbonded) from error

    @contextmanager
    def _expecting(self, wanted: Callable[[Reading], bool]) -> Iterator[asyncio.Future[Reading | None]]:
        """Catch the next reading that is wanted, from now on; None if the link is lost before."""
        expected: asyncio.Future[Reading | None] = asyncio.get_running_loop().create_future()
        if self.lost.is_set():
            expected.set_result(None)
        self._expected[expected] = wanted
        try:
            yield expected
        finally:
            del self._expected[expected]

    async def _arrival(self, expected: asyncio.Future[Reading | None], timeout_s: float) -> Reading | None:
        with suppress(TimeoutError):
            reading = await self._clock.within(expected, timeout_s)
            if reading is None:
                raise self.loss()
            return reading
        return None

    def _on_notification(self, _: BleakGATTCharacteristic, data: bytearray) -> None:
        if self._client is None:
            return
        now_s = self._clock.now()
        for reading in self._receiver.feed(data, now_s):
            if is_cell_info(reading):
                self.last_cell_info_s, self.last_cell_info = now_s, reading.frame
            for expected, wanted in self._expected.items():
                if not expected.done() and wanted(reading):
                    expected.set_result(reading)
            self._on_reading(reading)

    def _on_disconnect(self, client: BleakClient) -> None:
        if client is not self._client or self.lost.is_set():
            return
        self._lost_early = self._clock.now() - self._opened_s < UNBONDED_DROP_S
        self._end()

    def _end(self) -> None:
        """Tell everyone who waits for something from the board that it will not come."""
        self.lost.set()
        for expected in self._expected:
            if not expected.done():
                expected.set_result(None)

    def _problem_of_missing(self, services: BleakGATTServiceCollection) -> LinkProblem:
        is_board = self._receiver.assembler.counters.good > 0
        if is_board or all(service.uuid in _GENERIC_SERVICES for service in services):
            return LinkProblem.CONNECTION_FAILED
        return LinkProblem.NOT_A_JK_BMS


async def connect(
    name: str,
    find_device: Callable[[], BLEDevice | None],
    receiver: Receiver,
    on_reading: Callable[[Reading], None],
    clock: Clock,
    establish: Establish,
) -> Connection:
    """Return a connection that listens; once more, with new services, if the remembered ones are of no use.

    Raises LinkError, and leaves nothing connected then.
    """

    async def once() -> Connection:
        device = find_device()
        if device is None:
            raise LinkError(LinkProblem.OUT_OF_RANGE)
        connection = Connection(name, receiver, on_reading, clock)
        await connection.open(device, establish)
        return connection

    try:
        return await once()
    except CharacteristicsMissingError:
        LOGGER.debug("%s: characteristics missing, service cache cleared", name)
        return await once()
    except LinkError as error:
        if error.problem is LinkProblem.NO_SLOT and find_device() is None:
            # The same words tell that no slot is free and that no adapter hears the device any more.
            raise LinkError(LinkProblem.OUT_OF_RANGE) from error
        raise
