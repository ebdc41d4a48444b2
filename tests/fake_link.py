"""A link without a radio: what a test says was received, was received; what is written becomes what a test wants."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

from custom_components.jk_bms.bms.board import Board, board_of
from custom_components.jk_bms.bms.layout import FrameType
from custom_components.jk_bms.bms.link import LinkError, LinkMode, LinkProblem, LinkState, LinkStatus, PausedError
from custom_components.jk_bms.bms.receiver import Reading, Receiver, Verdict
from custom_components.jk_bms.bms.registers import Instruction, Setting, SettingValue
from custom_components.jk_bms.bms.telemetry import DeviceInfo, LogEntry, Settings, Telemetry
from custom_components.jk_bms.bms.writing import ATTEMPTS, GenerationUncertainError, Outcome

_FRAME_TYPES: dict[type, FrameType] = {
    Telemetry: FrameType.CELL_INFO,
    Settings: FrameType.SETTINGS,
    DeviceInfo: FrameType.DEVICE_INFO,
    tuple: FrameType.EVENT_LOG,
}


class FakeWriter:
    """Stands in for `Writer`: a board that takes every value, but for those that a test has other outcomes for."""

    def __init__(self, link: FakeLink) -> None:
        self.board = link.receiver.board
        self.sent = 0
        self._link = link

    async def settings(self) -> Settings:
        return self._ask(Settings)

    async def device_info(self) -> DeviceInfo:
        return self._ask(DeviceInfo)

    async def telemetry(self) -> Telemetry:
        return self._ask(Telemetry)

    async def write(self, setting: Setting, value: SettingValue) -> Outcome:
        link = self._link
        self._check_link()
        link.written.append((setting.key, value))
        outcome = link.outcomes.get(setting.key, Outcome.VERIFIED)
        self.sent += ATTEMPTS if outcome is Outcome.REFUSED else 1
        await link.while_writing()
        if outcome is Outcome.VERIFIED and (said := next(each for each in link.said.values() if _says(each, setting))):
            link.give(_with(said, setting, value))
            link.after_writing()
        return outcome

    async def instruct(self, instruction: Instruction) -> Outcome:
        self._check_link()
        self._link.written.append((instruction.key, True))
        self.sent += 1
        return self._link.outcomes.get(instruction.key, Outcome.SENT)

    def _ask[T: (Telemetry, Settings, DeviceInfo)](self, kind: type[T]) -> T:
        self._check_link()
        said = self._link.said.get(kind)
        if said is None:
            raise LinkError(LinkProblem.NO_DATA)
        assert isinstance(said, kind)
        self._link.give(said)
        return said

    def _check_link(self) -> None:
        if self._link.writing_fails_with is not None:
            raise LinkError(self._link.writing_fails_with)


def _says(value: Telemetry | Settings | DeviceInfo, setting: Setting) -> bool:
    return _FRAME_TYPES[type(value)] is setting.said_in


def _with(
    said: Telemetry | Settings | DeviceInfo, setting: Setting, value: SettingValue
) -> Telemetry | Settings | DeviceInfo:
    """Return what is said with one setting changed."""
    present = getattr(said, setting.field_name)
    if setting.index is not None and isinstance(present, int):
        value = present & ~(1 << setting.index) | int(value) << setting.index
    elif setting.key == "emergency":
        value = 1800 if value else 0
    changed: dict[str, Any] = {setting.field_name: value}
    if isinstance(present, tuple) and setting.index is not None:
        changed[setting.field_name] = (*present[: setting.index], value, *present[setting.index + 1 :])
    return replace(said, **changed)


class FakeLink:
    """Stands in for `Link`; gives `first` as soon as it is started, then what `give` and `report` are told."""

    first: tuple[Telemetry | Settings | DeviceInfo, ...] = ()
    fails_with: LinkProblem | None = None
    """Why every attempt to connect fails."""
    failing_attempts = 2
    in_doubt = False

    def __init__(
        self,
        name: str,
        find_device: Callable[[], object],
        on_reading: Callable[[Reading], None],
        on_status: Callable[[LinkStatus], None],
        *,
        mode: LinkMode,
        interval_s: float,
        passcode: str | None,
        now: Callable[[], float],
    ) -> None:
        self.name = name
        self.find_device = find_device
        self.mode = mode
        self.interval_s = interval_s
        self.passcode = passcode
        self.now = now
        self.receiver = Receiver()
        self.status = LinkStatus()
        self.heard_dbm: list[int | None] = []
        self.refreshed = 0
        self.read_again_wanted = 0
        self.refresh_fails_with: LinkProblem | None = None
        self.log: tuple[LogEntry, ...] = ()
        self.log_reads = 0
        self.log_fails_with: LinkProblem | None = None
        self.writing_fails_with: LinkProblem | None = None
        self.said: dict[type, Telemetry | Settings | DeviceInfo] = {}
        """What was last received, by type: what the board says when it is asked."""
        self.written: list[tuple[str, SettingValue]] = []
        self.outcomes: dict[str, Outcome] = {}
        """What becomes of a write of a key, if not that the board takes it."""
        self.while_writing: Callable[[], Awaitable[None]] = lambda: asyncio.sleep(0)
        self.after_writing: Callable[[], None] = lambda: None
        self.started = False
        self._on_reading = on_reading
        self._on_status = on_status

    async def start(self) -> None:
        self.started = True
        self.report(state=LinkState.CONNECTING)
        for attempt in range(1, self.failing_attempts + 1 if self.fails_with else 1):
            self.report(state=LinkState.DISCONNECTED, problem=self.fails_with, failures=attempt)
        if self.first:
            self.report(state=LinkState.CONNECTED, problem=None, connects=1, source="hci0")
            self.give(*self.first)

    async def stop(self) -> None:
        if self.started:
            self.started = False
            self.report(state=LinkState.DISCONNECTED, problem=None, source=None)

    async def pause(self, duration_s: float) -> None:
        self.report(state=LinkState.PAUSED, paused_until_s=self.now() + duration_s, source=None)

    def resume(self) -> None:
        self.report(state=LinkState.CONNECTED, paused_until_s=None, source="hci0")

    def seen(self, rssi_dbm: int | None = None) -> None:
        self.heard_dbm.append(rssi_dbm)

    def read_again(self) -> None:
        self.read_again_wanted += 1

    async def refresh(self) -> None:
        if self.status.paused_until_s is not None:
            raise PausedError(self.status.paused_until_s)
        if self.refresh_fails_with is not None:
            raise LinkError(self.refresh_fails_with)
        self.refreshed += 1

    async def read_event_log(self) -> tuple[LogEntry, ...]:
        self.log_reads += 1
        if self.status.paused_until_s is not None:
            raise PausedError(self.status.paused_until_s)
        if self.log_fails_with is not None:
            raise LinkError(self.log_fails_with)
        return self.log

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[FakeWriter]:
        if self.status.paused_until_s is not None:
            raise PausedError(self.status.paused_until_s)
        if not self.receiver.board.confirmed:
            raise GenerationUncertainError
        writer = FakeWriter(self)
        writer._check_link()
        yield writer

    def report(self, **changes: Any) -> None:
        """Change the status."""
        self.status = replace(self.status, **changes)
        self._on_status(self.status)

    def give(self, *values: Telemetry | Settings | DeviceInfo | tuple[()], verdict: Verdict = Verdict.ACCEPTED) -> None:
        """Receive frames that say these values."""
        for value in values:
            if isinstance(value, DeviceInfo):
                known, board = self.receiver.board, board_of(value.model, value.software_version)
                if known.confirmed and known.software_major == board.software_major:
                    board = replace(board, generation=known.generation, confirmed=True)
                self.receiver.board = board
            elif isinstance(value, Telemetry):
                self.receiver.board = replace(self.receiver.board, generation=value.generation, confirmed=True)
            if not isinstance(value, tuple):
                self.said[type(value)] = value
            self.receiver.assembler.counters.good += 1
            self._on_reading(
                Reading(b"", _FRAME_TYPES[type(value)], self.receiver.board.generation, verdict, None, value)
            )


def board(link: FakeLink) -> Board:
    """The board that the link believes to be connected to."""
    return link.receiver.board
