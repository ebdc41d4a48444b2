"""A link without a radio: what a test says was received, was received."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from custom_components.jk_bms.bms.board import Board, board_of
from custom_components.jk_bms.bms.layout import FrameType
from custom_components.jk_bms.bms.link import LinkError, LinkMode, LinkProblem, LinkState, LinkStatus, PausedError
from custom_components.jk_bms.bms.receiver import Reading, Receiver, Verdict
from custom_components.jk_bms.bms.telemetry import DeviceInfo, Settings, Telemetry

_FRAME_TYPES: dict[type, FrameType] = {
    Telemetry: FrameType.CELL_INFO,
    Settings: FrameType.SETTINGS,
    DeviceInfo: FrameType.DEVICE_INFO,
    tuple: FrameType.EVENT_LOG,
}


class FakeLink:
    """Stands in for `Link`; gives `first` as soon as it is started, then what `give` and `report` are told."""

    first: tuple[Telemetry | Settings | DeviceInfo, ...] = ()
    fails_with: LinkProblem | None = None
    """Why every attempt to connect fails."""
    failing_attempts = 2

    def __init__(
        self,
        name: str,
        find_device: Callable[[], object],
        on_reading: Callable[[Reading], None],
        on_status: Callable[[LinkStatus], None],
        *,
        mode: LinkMode,
        interval_s: float,
        now: Callable[[], float],
    ) -> None:
        self.name = name
        self.find_device = find_device
        self.mode = mode
        self.interval_s = interval_s
        self.now = now
        self.receiver = Receiver()
        self.status = LinkStatus()
        self.heard_dbm: list[int | None] = []
        self.refreshed = 0
        self.refresh_fails_with: LinkProblem | None = None
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

    async def refresh(self) -> None:
        if self.status.paused_until_s is not None:
            raise PausedError(self.status.paused_until_s)
        if self.refresh_fails_with is not None:
            raise LinkError(self.refresh_fails_with)
        self.refreshed += 1

    def report(self, **changes: Any) -> None:
        """Change the status."""
        self.status = replace(self.status, **changes)
        self._on_status(self.status)

    def give(self, *values: Telemetry | Settings | DeviceInfo | tuple[()], verdict: Verdict = Verdict.ACCEPTED) -> None:
        """Receive frames that say these values."""
        for value in values:
            if isinstance(value, DeviceInfo):
                self.receiver.board = board_of(value.model, value.software_version)
            elif isinstance(value, Telemetry):
                self.receiver.board = replace(self.receiver.board, generation=value.generation, confirmed=True)
            self.receiver.assembler.counters.good += 1
            self._on_reading(
                Reading(b"", _FRAME_TYPES[type(value)], self.receiver.board.generation, verdict, None, value)
            )


def board(link: FakeLink) -> Board:
    """The board that the link believes to be connected to."""
    return link.receiver.board
