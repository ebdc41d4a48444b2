"""The link to one board: when to connect, how long to hold it, and what to do when it fails.

One task runs from start to stop. It sits out a pause, connects, and then holds the link (live) or reads one good set
and lets go (periodic); after a loss it comes back at once, after failures less and less often. Home Assistant's stack
finds the device and picks the adapter. What is sent changes nothing in the board, but for what `writing` is had for.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import partial
from typing import Final

from bleak.backends.device import BLEDevice
from bleak_retry_connector import BleakClientWithServiceCache

from .board import Board, speaks_as_known
from .bonding import Bonding
from .frames import Command
from .gatt import PAIRING_PROBLEMS, Clock, Connection, Establish, LinkError, LinkProblem, connect, is_telemetry
from .layout import FrameType
from .receiver import Reading, Receiver
from .telemetry import DeviceInfo, LogEntry, Telemetry, decode_device_info
from .writing import GenerationUncertainError, Writer

__all__ = ["Link", "LinkError", "LinkMode", "LinkProblem", "LinkState", "LinkStatus", "PausedError", "Probe", "probe"]

LOGGER = logging.getLogger(__name__)

SILENCE_S: Final = 5.0
"""Time without cell info after which the board is asked again: it sends some every 0.43 to 0.55 s."""
SETTINGS_EVERY_S: Final = 600.0
"""The app on a phone changes settings, and a board says them only when asked."""
TELEMETRY_TIMEOUT_S: Final = 10.0
"""Longest wait for cell info that is believed; the first frame ever needs a second one to agree."""
MOST_READS: Final = 6
"""Readings in a row after which a periodic link is let go, whoever wants more of them."""
STABLE_S: Final = 10.0
"""A link that lasted longer is not one that fails again and again."""
LONGEST_RETRY_S: Final = 60.0
HOPELESS_RETRY_S: Final = 600.0
PAIRING_RETRY_S: Final = 60.0
"""Rest of a board that refused a bond and is heard: its owner may have paired it."""
PROBE_TIMEOUT_S: Final = 90.0
"""Long enough to find out that a board wants a bond, and to make one."""
GOOD_SIGNAL_DBM: Final = -85
"""A device that was last heard at least that well has not just gone out of range."""

_HOPELESS: Final = PAIRING_PROBLEMS | {LinkProblem.NOT_A_JK_BMS}
_SILENT: Final = {LinkProblem.OUT_OF_RANGE, LinkProblem.BUSY}
_MOST_DOUBLINGS: Final = 6


class LinkMode(StrEnum):
    """How long the link is held."""

    LIVE = "live"
    PERIODIC = "periodic"


class LinkState(StrEnum):
    """What the link is doing."""

    CONNECTING = "connecting"
    CONNECTED = "connected"
    WAITING = "waiting"
    """Let go on purpose until the next periodic read."""
    PAUSED = "paused"
    DISCONNECTED = "disconnected"
    """Lost, about to try again, or stopped."""


_ATTEMPT_IS_OVER: Final = {LinkState.CONNECTED, LinkState.DISCONNECTED, LinkState.PAUSED}


class PausedError(LinkError):
    """There is no link because it is paused, until a monotonic time in seconds."""

    def __init__(self, until_s: float) -> None:
        super().__init__(LinkProblem.CONNECTION_FAILED)
        self.until_s = until_s


@dataclass(frozen=True, slots=True)
class LinkStatus:
    """State of the link, and what has become of it since the start. Times are monotonic seconds."""

    state: LinkState = LinkState.DISCONNECTED
    problem: LinkProblem | None = None
    """Why the last attempt failed or the link was lost; None once connected."""
    paused_until_s: float | None = None
    connects: int = 0
    drops: int = 0
    """Links that were lost, not let go."""
    failures: int = 0
    """Attempts that never came to a stream of cell info."""
    connected_since_s: float | None = None
    source: str | None = None
    """The proxy, or the adapter such as hci0, through which the device was found."""


@dataclass(frozen=True, slots=True)
class Probe:
    """What a board says of itself when it is tried out."""

    device_info: DeviceInfo
    telemetry: Telemetry
    board: Board


type Switches = tuple[bool | None, bool | None]


def _switches(reading: Reading) -> Switches:
    """Return what a cell info frame says of the MOSFETs for charging and for discharging."""
    assert isinstance(reading.value, Telemetry)
    return reading.value.charge_mosfet, reading.value.discharge_mosfet


class Link:
    """Keeps a link to one board in one of the modes, and delivers what the board says.

    `name` stands in debug messages. `find_device` returns the device as the Bluetooth stack knows it now, or None if
    it isn't heard. `on_reading` gets every frame, also those that must not be believed; `on_status` every change.
    What these raise is logged once and never ends the link. `jitter` returns a number from 0 to 1. `passcode` is what
    the board may ask for when a bond is made.
    """

    def __init__(
        self,
        name: str,
        find_device: Callable[[], BLEDevice | None],
        on_reading: Callable[[Reading], None],
        on_status: Callable[[LinkStatus], None],
        *,
        mode: LinkMode = LinkMode.LIVE,
        interval_s: float = 60,
        passcode: str | None = None,
        now: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        jitter: Callable[[], float] = random.random,
        client_class: type[BleakClientWithServiceCache] = BleakClientWithServiceCache,
    ) -> None:
        self.receiver: Final = Receiver()
        self.status = LinkStatus()
        self._name = name
        self._find_device = find_device
        self._on_reading = on_reading
        self._on_status = on_status
        self._faults: set[str] = set()
        self._mode = mode
        self._interval_s = interval_s
        self._clock = Clock(now, sleep)
        self._jitter = jitter

        self._task: asyncio.Task[None] | None = None
        self._paused_until_s: float | None = None
        self._activity: asyncio.Timeout | None = None
        """What a pause interrupts."""
        self._at_rest = asyncio.Event()
        """Set while paused or stopped, when the device is free for others."""
        self._wake = asyncio.Event()
        """Ends the present wait: a pause, a back-off, the time between two reads."""
        self._connection: Connection | None = None
        """The connection while it streams."""
        self._attempt_over = asyncio.Event()
        self._changing = asyncio.Lock()
        self._again = False
        """Whether a periodic link is to read once more before it lets go."""
        self._guests = 0
        self._guest_left = asyncio.Event()

        self._failures_in_a_row = 0
        self._failed_s = now()
        self._bonding = Bonding(self.receiver, self._clock, passcode)
        self._establish = partial(self._bonding.establish, client_class)
        self._heard_s: float | None = None
        self._heard_dbm: int | None = None
        self._lost_s: float | None = None
        """When the device vanished while it was ours; None if it was let go on purpose."""

    @property
    def in_doubt(self) -> bool:
        """Whether the board may want a bond, which the coming attempts find out."""
        return self._bonding.in_doubt

    async def start(self) -> None:
        """Start connecting; returns at once."""
        if self._task is None:
            self._at_rest.clear()
            self._task = asyncio.create_task(self._run(), name=f"JK BMS link {self._name}")

    async def stop(self) -> None:
        """Let go of the device and end."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait((task,))

    async def pause(self, duration_s: float) -> None:
        """Let go of the device for a while, so that another client can have it; returns once it is free."""
        if self._task is None:
            return
        self._paused_until_s = self._clock.now() + duration_s
        self._wake.set()
        if self._activity is not None:
            self._activity.reschedule(0)
            self._activity = None
        await self._at_rest.wait()

    def resume(self) -> None:
        """End a pause early."""
        if self._paused_until_s is not None:
            self._paused_until_s = None
            self._wake.set()

    def seen(self, rssi_dbm: int | None = None) -> None:
        """Take note of an advertisement. A device that was silent is free again, so it is connected at once."""
        now_s, problem = self._clock.now(), self.status.problem
        self._heard_s, self._heard_dbm = now_s, rssi_dbm
        if self.status.state is not LinkState.DISCONNECTED:
            return
        rested = now_s - self._failed_s >= PAIRING_RETRY_S
        if problem in _SILENT or (problem in PAIRING_PROBLEMS and rested):
            self._wake.set()

    def read_again(self) -> None:
        """Take one more reading before a periodic link is let go, a few in a row at most; its rhythm stays.

        For whoever was just given one: without a connection there is nothing to stay for.
        """
        self._again = True

    async def refresh(self) -> None:
        """Ask for device info and settings anew; what is not connected at the moment, connects.

        Raises LinkError; PausedError if a pause is in the way.
        """
        async with self._visit() as connection:
            await self._ask(connection, Command.DEVICE_INFO, FrameType.DEVICE_INFO)
            await self._ask(connection, Command.SETTINGS_AND_STREAM, FrameType.SETTINGS)

    async def read_event_log(self) -> tuple[LogEntry, ...]:
        """Return the board's event log, oldest first. Raises LinkError, also for boards that keep none."""
        async with self._visit() as connection:
            reading = await self._ask(connection, Command.EVENT_LOG, FrameType.EVENT_LOG)
            assert isinstance(reading.value, tuple)
            return reading.value

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[Writer]:
        """Have the board for changes. A live link that is lost is not waited for: the change fails.

        Several may have it at once; each value is written and read back by itself. Raises LinkError, PausedError if a
        pause is in the way, GenerationUncertainError if nothing may be written yet.
        """
        if self._mode is LinkMode.LIVE and self._connection is None and self._paused_until_s is None:
            raise LinkError(self.status.problem or LinkProblem.CONNECTION_FAILED)
        async with self._visit() as connection:
            board, frame = self.receiver.board, connection.last_cell_info
            if frame is None or not speaks_as_known(board, frame):
                raise GenerationUncertainError
            yield Writer(connection, board, self._clock, self._changing)

    async def _run(self) -> None:
        try:
            while True:
                await self._sit_out_pause()
                with suppress(TimeoutError):  # this is how a pause interrupts
                    async with asyncio.timeout(None) as self._activity:
                        await self._rest(await self._attempt())
                self._activity = None
        finally:
            self._activity = None
            self._report(replace(self.status, state=LinkState.DISCONNECTED, problem=None, paused_until_s=None))
            self._at_rest.set()

    async def _sit_out_pause(self) -> None:
        self._at_rest.set()
        while self._paused_until_s is not None:
            self._report(
                replace(self.status, state=LinkState.PAUSED, problem=None, paused_until_s=self._paused_until_s)
            )
            await self._rest(self._paused_until_s - self._clock.now())
            if self._paused_until_s is not None and self._paused_until_s <= self._clock.now():
                self._paused_until_s = None
        self._at_rest.clear()

    async def _attempt(self) -> float:
        """Connect, and stay until the link is let go or lost; return how long to rest then, in seconds."""
        started_s = self._clock.now()
        self._report(replace(self.status, state=LinkState.CONNECTING, paused_until_s=None))
        try:
            await self._hold()
        except LinkError as error:
            return self._failed(self._bonding.judge(error), started_s)
        except Exception as error:  # noqa: BLE001 - whatever is wrong, nobody else would connect again
            self._log_fault("connecting", error)
            return self._failed(LinkProblem.CONNECTION_FAILED, started_s)
        self._failures_in_a_row = 0
        self._bonding.read_well()
        self._report(replace(self.status, state=LinkState.WAITING))
        return max(0.0, started_s + self._interval_s - self._clock.now())

    async def _hold(self) -> None:
        """Have the link for as long as the mode wants it. Raises LinkError when it fails or is lost."""
        connection = await connect(
            self._name, self._find_device, self.receiver, self._deliver, self._clock, self._establish
        )
        try:
            await connection.start_stream()
            self._connected(connection)
            if self._mode is LinkMode.LIVE:
                await self._watch(connection)
            else:
                await self._read_once(connection)
        finally:
            self._connection = None
            if self.status.connected_since_s is not None:
                self._bonding.lasted(self._clock.now() - self.status.connected_since_s)
            await connection.close()

    def _connected(self, connection: Connection) -> None:
        self._connection, self._lost_s = connection, None
        self._report(
            replace(
                self.status,
                state=LinkState.CONNECTED,
                problem=None,
                connects=self.status.connects + 1,
                connected_since_s=self._clock.now(),
                source=connection.source,
            )
        )

    async def _watch(self, connection: Connection) -> None:
        """Stay with the stream; a board that falls silent is asked again, and for all its settings from time to time.

        A MOSFET that switches may have been told to by a setting. Raises LinkError when the link is lost.
        """
        switches: Switches | None = None
        settings_due_s = self._clock.now() + SETTINGS_EVERY_S

        def shows_others(reading: Reading) -> bool:
            return is_telemetry(reading) and _switches(reading) != switches

        while True:
            due_s = min(connection.last_cell_info_s + SILENCE_S, settings_due_s)
            news = await connection.reading(shows_others, due_s - self._clock.now())
            switched = news is not None and switches is not None
            if news is not None:
                switches = _switches(news)
            if connection.last_cell_info_s + SILENCE_S <= self._clock.now():
                await connection.start_stream()
            elif settings_due_s <= self._clock.now():
                await connection.ask(Command.DEVICE_INFO, FrameType.DEVICE_INFO)
                await connection.ask(Command.SETTINGS_AND_STREAM, FrameType.SETTINGS)
                settings_due_s = self._clock.now() + SETTINGS_EVERY_S
            elif switched:
                await connection.ask(Command.SETTINGS_AND_STREAM, FrameType.SETTINGS)

    async def _read_once(self, connection: Connection) -> None:
        """Stay until there is cell info to be believed, and nobody wants to ask for more. Raises LinkError."""
        for _ in range(MOST_READS):
            self._again = False
            if await connection.reading(is_telemetry, TELEMETRY_TIMEOUT_S) is None:
                raise LinkError(LinkProblem.NO_DATA)
            if not self._again:
                break
        while self._guests:
            self._guest_left.clear()
            await self._guest_left.wait()

    def _failed(self, problem: LinkProblem, started_s: float) -> float:
        """Take note of a failure or a loss; return how long to rest, in seconds."""
        self._failed_s = now_s = self._clock.now()
        status = self.status
        if problem in _SILENT:
            problem = self._problem_of_silence(problem, started_s)
        if status.connected_since_s is None:
            status = replace(status, failures=status.failures + 1)
        else:
            self._lost_s = now_s
            if now_s - status.connected_since_s >= STABLE_S:
                self._failures_in_a_row = 0
            status = replace(status, drops=status.drops + 1)
        self._failures_in_a_row += 1
        self._report(replace(status, state=LinkState.DISCONNECTED, problem=problem))
        retry_s = self._retry_s(problem)
        LOGGER.debug("%s: %s, trying again in %.1f s", self._name, problem, retry_s)
        return retry_s

    def _retry_s(self, problem: LinkProblem) -> float:
        """Return how long to wait before the next attempt: nothing at first, then longer and longer."""
        if self._failures_in_a_row == 1:
            return 0.0
        if problem in _HOPELESS:
            return HOPELESS_RETRY_S
        doublings = min(self._failures_in_a_row - 2, _MOST_DOUBLINGS)
        return min(2.0**doublings, LONGEST_RETRY_S) * (1 + self._jitter()) / 2

    def _problem_of_silence(self, problem: LinkProblem, started_s: float) -> LinkProblem:
        """Return why a device doesn't answer. A held device is silent, so what was last heard of it tells."""
        heard_s, lost_s = self._heard_s, self._lost_s
        if heard_s is not None and heard_s > started_s:
            return LinkProblem.CONNECTION_FAILED
        if lost_s is not None and (heard_s is None or heard_s < lost_s):
            return LinkProblem.OUT_OF_RANGE  # nobody else can have taken it while it was ours
        if heard_s is None:
            return problem
        near = self._heard_dbm is None or self._heard_dbm >= GOOD_SIGNAL_DBM
        return LinkProblem.BUSY if near else LinkProblem.OUT_OF_RANGE

    async def _rest(self, duration_s: float) -> None:
        with suppress(TimeoutError):
            await self._clock.within(self._wake.wait(), duration_s)
        self._wake.clear()

    @asynccontextmanager
    async def _visit(self) -> AsyncIterator[Connection]:
        """Have the connection to ask for something. Raises LinkError, PausedError if that is why there is none."""
        self._guests += 1
        try:
            yield await self._connection_now()
        except LinkError as error:
            if self._paused_until_s is not None:
                raise PausedError(self._paused_until_s) from error
            raise
        finally:
            self._guests -= 1
            self._guest_left.set()

    async def _connection_now(self) -> Connection:
        """Return the connection; connect at once if there is none. Raises LinkError."""
        if self._connection is None and self._task is not None and self._paused_until_s is None:
            self._attempt_over.clear()
            if self.status.state is not LinkState.CONNECTING:
                self._wake.set()
            await self._attempt_over.wait()
        if self._connection is None:
            raise LinkError(self.status.problem or LinkProblem.CONNECTION_FAILED)
        return self._connection

    async def _ask(self, connection: Connection, question: Command, answer: FrameType) -> Reading:
        reading = await connection.ask(question, answer)
        if reading is None:
            raise LinkError(LinkProblem.NO_DATA)
        return reading

    def _report(self, status: LinkStatus) -> None:
        if status.state is not LinkState.CONNECTED:
            status = replace(status, connected_since_s=None, source=None)
        if status.state in _ATTEMPT_IS_OVER:
            self._attempt_over.set()
        if status != self.status:
            self.status = status
            try:
                self._on_status(status)
            except Exception as error:  # noqa: BLE001 - a fault of who listens is not one of the link
                self._log_fault("telling the status", error)

    def _deliver(self, reading: Reading) -> None:
        try:
            self._on_reading(reading)
        except Exception as error:  # noqa: BLE001 - a fault of who listens is not one of the link
            self._log_fault("delivering a reading", error)

    def _log_fault(self, doing: str, error: Exception) -> None:
        """Log what must not happen, the first time only: it may come with every frame."""
        if doing not in self._faults:
            self._faults.add(doing)
            LOGGER.error("%s: unexpected error while %s", self._name, doing, exc_info=error)


async def probe(
    name: str,
    find_device: Callable[[], BLEDevice | None],
    *,
    passcode: str | None = None,
    timeout_s: float = PROBE_TIMEOUT_S,
    now: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    client_class: type[BleakClientWithServiceCache] = BleakClientWithServiceCache,
) -> Probe:
    """Connect to a board, read what it is and one set of values, and let go. Raises LinkError."""
    clock = Clock(now, sleep)
    try:
        return await clock.within(_probe(name, find_device, clock, client_class, passcode), timeout_s)
    except TimeoutError:
        raise LinkError(LinkProblem.CONNECTION_FAILED) from None


async def _probe(
    name: str,
    find_device: Callable[[], BLEDevice | None],
    clock: Clock,
    client_class: type[BleakClientWithServiceCache],
    passcode: str | None,
) -> Probe:
    receiver = Receiver()
    bonding = Bonding(receiver, clock, passcode)
    establish = partial(bonding.establish, client_class)
    while True:
        try:
            return await _probe_once(name, find_device, receiver, clock, establish)
        except LinkError as error:
            problem = bonding.judge(error)
            if problem in PAIRING_PROBLEMS or not bonding.in_doubt:
                raise LinkError(problem) from error


async def _probe_once(
    name: str,
    find_device: Callable[[], BLEDevice | None],
    receiver: Receiver,
    clock: Clock,
    establish: Establish,
) -> Probe:
    connection = await connect(name, find_device, receiver, lambda _: None, clock, establish)
    try:
        await connection.start_stream()
        reading = await connection.reading(is_telemetry, TELEMETRY_TIMEOUT_S)
    finally:
        await connection.close()
    frame = receiver.last_frames.get(FrameType.DEVICE_INFO)
    if reading is None or frame is None:
        raise LinkError(LinkProblem.NO_DATA)
    assert isinstance(reading.value, Telemetry)
    return Probe(decode_device_info(frame, receiver.board.generation), reading.value, receiver.board)
