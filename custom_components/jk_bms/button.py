"""Buttons: read again what the board says of itself, acknowledge, stop all currents, set the clock, restart."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, override

from homeassistant.components.button import ButtonEntity, ButtonEntityDescription
from homeassistant.components.button.const import ButtonDeviceClass
from homeassistant.const import EntityCategory, Platform
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .acting import Stopped
from .battery.acting.interface import Target
from .bms.layout import Generation
from .bms.link import LinkError, PausedError
from .bms.registers import SETTINGS_BY_KEY, Danger, Instruction
from .board_clock import clock_now_s
from .coordinator import JkBmsConfigEntry
from .entity import (
    ChangeDescription,
    JkBmsEntity,
    JkBmsSettingEntity,
    PackDescription,
    SettingDescription,
    async_add_allowed,
    async_add_existing,
)
from .errors import in_words, paused
from .pack_state import PackState

PARALLEL_UPDATES = 0  # what is urgent waits for nothing; that writes keep apart is up to the link


@dataclass(frozen=True, kw_only=True)
class JkBmsButtonDescription(PackDescription, ButtonEntityDescription):
    """A button of the link."""


@dataclass(frozen=True, kw_only=True)
class JkBmsRestartDescription(ChangeDescription, ButtonEntityDescription):
    """A button that gives the board an instruction."""


@dataclass(frozen=True, kw_only=True)
class JkBmsSetClockDescription(SettingDescription, ButtonEntityDescription):
    """A button that writes a setting."""


def _takes_instructions(state: PackState) -> bool:
    return state.board.generation is Generation.JK02_32S and not state.board.is_balancer


READ_AGAIN: Final = JkBmsButtonDescription(
    key="read_again",
    value_fn=lambda _: None,
    exists_fn=lambda _: True,
    of_link=True,
    entity_category=EntityCategory.DIAGNOSTIC,
)
ACKNOWLEDGE: Final = JkBmsButtonDescription(
    key="acknowledge",
    value_fn=lambda _: None,
    exists_fn=lambda _: True,
    of_link=True,
)
EMERGENCY_STOP: Final = JkBmsButtonDescription(
    key="emergency_stop",
    value_fn=lambda _: None,
    exists_fn=lambda _: True,
    of_link=True,
)
SET_CLOCK: Final = JkBmsSetClockDescription(
    key="set_clock",
    setting=SETTINGS_BY_KEY["clock_s"],
    danger=Danger.SETTING,
    value_fn=lambda _: None,
)
RESTART: Final = JkBmsRestartDescription(
    key="restart",
    danger=Danger.SETTING,
    value_fn=lambda _: None,
    exists_fn=_takes_instructions,
    device_class=ButtonDeviceClass.RESTART,
)


async def async_setup_entry(
    _hass: HomeAssistant, entry: JkBmsConfigEntry, async_add_entities: AddConfigEntryEntitiesCallback
) -> None:
    """Set up the buttons of a pack."""
    async_add_existing(entry, async_add_entities, [READ_AGAIN], JkBmsReadAgainButton)
    async_add_existing(entry, async_add_entities, [ACKNOWLEDGE], JkBmsAcknowledgeButton)
    coordinator = entry.runtime_data
    if coordinator.changes.approval.allows(Danger.SWITCH) or coordinator.acting.driven.keys() - {Target.COOLING}:
        async_add_existing(entry, async_add_entities, [EMERGENCY_STOP], JkBmsEmergencyStopButton)
    async_add_allowed(entry, async_add_entities, Platform.BUTTON, [SET_CLOCK], JkBmsSetClockButton)
    async_add_allowed(entry, async_add_entities, Platform.BUTTON, [RESTART], JkBmsRestartButton)


class JkBmsReadAgainButton(JkBmsEntity, ButtonEntity):
    """Asks the pack for what it does not send by itself."""

    entity_description: JkBmsButtonDescription

    @override
    async def async_press(self) -> None:
        """Read again."""
        coordinator = self.coordinator
        try:
            await coordinator.link.refresh()
        except PausedError as err:
            raise paused(self.hass, coordinator.name, err) from err
        except LinkError as err:
            raise HomeAssistantError(**in_words(self.hass, coordinator.name, coordinator.address, err)) from err


class JkBmsAcknowledgeButton(JkBmsEntity, ButtonEntity):
    """Says that somebody has seen what was critical; it changes nothing in the board."""

    entity_description: JkBmsButtonDescription

    @override
    async def async_press(self) -> None:
        """Acknowledge."""
        self.coordinator.guard.acknowledge()


class JkBmsEmergencyStopButton(JkBmsEntity, ButtonEntity):
    """Switches charge and discharge off by all there is; that stays so until it is reset."""

    entity_description: JkBmsButtonDescription

    @override
    async def async_press(self) -> None:
        """Stop."""
        acting = self.coordinator.acting
        done = await acting.async_emergency_stop(charge=True, discharge=True)
        if failed := [reason for result, reason in done.values() if result is Stopped.FAILED]:
            raise acting.not_done(failed)


class JkBmsSetClockButton(JkBmsSettingEntity, ButtonEntity):
    """Tells the board what time it is."""

    entity_description: JkBmsSetClockDescription

    @override
    async def async_press(self) -> None:
        """Set the clock of the board to the local time of Home Assistant, in seconds since 2020-01-01 00:00.

        The base is not proven; the app sends such a number right after connecting.
        """
        await self._change_to(clock_now_s())


class JkBmsRestartButton(JkBmsEntity, ButtonEntity):
    """Restarts the board; what it feeds may be without power for a moment."""

    entity_description: JkBmsRestartDescription

    @override
    async def async_press(self) -> None:
        """Restart the board."""
        await self.coordinator.changes.async_instruct(Instruction.RESTART, context=self._context)
