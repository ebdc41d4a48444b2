"""Changing a board: a setting is written, and then the board is asked what it has taken.

A board acknowledges whatever it hears and ignores what it doesn't take, so only reading back proves anything.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import Final

from .board import Board
from .frames import Command, command
from .gatt import Clock, Connection, LinkError, LinkProblem, is_telemetry
from .layout import FrameType
from .receiver import Reading, Verdict
from .registers import Instruction, Setting, SettingValue
from .telemetry import DeviceInfo, Settings, Telemetry

ATTEMPTS: Final = 3
"""So often a setting is written that isn't taken: notifications get lost, and boards are busy at times."""
READ_ATTEMPTS: Final = 2
"""So often an answer may fail to come, though asked for twice, before a change is given up that hasn't begun."""
RELUCTANCE_S: Final = 0.5
"""A board that still says the old value may be about to take the new one: flash memory is slow."""
MEASURED_TIMEOUT_S: Final = 5.0
"""Longest wait for cell info that shows what was written: some nine frames."""

_QUESTIONS: Final = {
    FrameType.SETTINGS: Command.SETTINGS_AND_STREAM,
    FrameType.DEVICE_INFO: Command.DEVICE_INFO,
}


class Outcome(StrEnum):
    """What became of a write."""

    VERIFIED = "verified"
    """The board says the new value."""
    REFUSED = "refused"
    """The board says another value, though written three times."""
    UNKNOWN = "unknown"
    """It was sent, but the board didn't say what became of it."""
    SENT = "sent"
    """It was sent, and there is nothing by which the board would confirm it."""


class GenerationUncertainError(Exception):
    """No cell info has confirmed yet what the registers of the board mean."""


@dataclass(slots=True)
class Writer:
    """A connection for changes, to a board whose generation is certain."""

    connection: Connection
    board: Board
    clock: Clock
    turn: asyncio.Lock
    """Held from a write until it is read back."""
    sent: int = 0
    """How often something was sent that changes the board."""

    async def settings(self) -> Settings:
        """Return the settings as they are now. Raises LinkError."""
        said = await self._ask(FrameType.SETTINGS)
        assert isinstance(said, Settings)
        return said

    async def device_info(self) -> DeviceInfo:
        """Return the device info as it is now. Raises LinkError."""
        said = await self._ask(FrameType.DEVICE_INFO)
        assert isinstance(said, DeviceInfo)
        return said

    async def telemetry(self) -> Telemetry:
        """Return what the next cell info says that is believed. Raises LinkError."""
        reading = await self.connection.reading(is_telemetry, MEASURED_TIMEOUT_S)
        if reading is None:
            raise LinkError(LinkProblem.NO_DATA)
        assert isinstance(reading.value, Telemetry)
        return reading.value

    async def write(self, setting: Setting, value: SettingValue) -> Outcome:
        """Write a value and read it back. Raises LinkError if the link was lost before anything was sent.

        A calibration is written once: what is measured may be another current by the time of a second attempt.
        """
        generation = self.board.generation
        data = command(setting.registers[generation].number, setting.encode(value, generation))
        async with self.turn:
            self._check_link()
            outcome = Outcome.UNKNOWN
            try:
                for _ in range(1 if setting.is_calibration else ATTEMPTS):
                    await self._send(data)
                    outcome = await self._outcome(setting, value)
                    if outcome is Outcome.REFUSED and setting.said_in in _QUESTIONS:
                        await self.clock.sleep(RELUCTANCE_S)
                        outcome = await self._outcome(setting, value)
                    if outcome is Outcome.VERIFIED:
                        break
            except LinkError:
                return Outcome.UNKNOWN
            return outcome

    async def instruct(self, instruction: Instruction) -> Outcome:
        """Send a command without a value. Raises LinkError if the link was lost before anything was sent."""
        async with self.turn:
            self._check_link()
            try:
                await self._send(command(instruction))
            except LinkError:
                return Outcome.UNKNOWN
            return Outcome.SENT

    async def _send(self, data: bytes) -> None:
        self.sent += 1
        await self.connection.send(data)

    def _check_link(self) -> None:
        if self.connection.lost.is_set():
            raise self.connection.loss()

    async def _ask(self, frame_type: FrameType) -> Settings | DeviceInfo:
        for _ in range(READ_ATTEMPTS):
            answer = await self.connection.ask(_QUESTIONS[frame_type], frame_type)
            if answer is not None and answer.verdict is Verdict.ACCEPTED:
                assert isinstance(answer.value, Settings | DeviceInfo)
                return answer.value
        raise LinkError(LinkProblem.NO_DATA)

    async def _outcome(self, setting: Setting, value: SettingValue) -> Outcome:
        """Return what the board says of a value that was sent. Raises LinkError when the link is lost."""
        question = _QUESTIONS.get(setting.said_in)
        if question is None:
            return await self._outcome_as_measured(setting, value)
        answer = await self.connection.ask(question, setting.said_in)
        if answer is None or answer.verdict is not Verdict.ACCEPTED:
            return Outcome.UNKNOWN
        return Outcome.VERIFIED if self._shows(setting, value, answer) else Outcome.REFUSED

    async def _outcome_as_measured(self, setting: Setting, value: SettingValue) -> Outcome:
        sent_s = self.clock.now()
        shown = await self.connection.reading(partial(self._shows, setting, value), MEASURED_TIMEOUT_S)
        if shown:
            return Outcome.VERIFIED
        return Outcome.REFUSED if self.connection.last_cell_info_s > sent_s else Outcome.UNKNOWN

    def _shows(self, setting: Setting, value: SettingValue, reading: Reading) -> bool:
        """Whether a reading that is believed says what was written."""
        if reading.frame_type is not setting.said_in or reading.verdict is not Verdict.ACCEPTED:
            return False
        assert not isinstance(reading.value, tuple)
        return setting.agrees(setting.said(reading.value), value, self.board.generation)
