"""Switches: what the board may do, cooling by hand, and the one that lets go of the pack for the phone app."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from operator import attrgetter
from typing import Final, override

from homeassistant.components.switch import SwitchEntity, SwitchEntityDescription
from homeassistant.const import EntityCategory, Platform
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .bms.link import LinkState
from .bms.registers import SETTINGS_BY_KEY, Danger, Kind, Setting
from .coordinator import JkBmsConfigEntry
from .entity import (
    JkBmsEntity,
    JkBmsSettingEntity,
    PackDescription,
    SettingDescription,
    async_add_allowed,
    async_add_existing,
)
from .pack_state import PackState, said_of

PARALLEL_UPDATES = 0  # what is urgent waits for nothing; that writes keep apart is up to the link

COOLED_BY_HAND_FOR_S: Final = 3600


@dataclass(frozen=True, kw_only=True)
class JkBmsSwitchDescription(PackDescription, SwitchEntityDescription):
    """A switch of the link."""


@dataclass(frozen=True, kw_only=True)
class JkBmsSettingSwitchDescription(SettingDescription, SwitchEntityDescription):
    """A switch of the board."""


PAUSE: Final = JkBmsSwitchDescription(
    key="pause",
    value_fn=lambda state: state.link.state is LinkState.PAUSED,
    attributes_fn=lambda state: {"paused_until": state.paused_until},
    of_link=True,
    entity_category=EntityCategory.CONFIG,
)


COOLING: Final = JkBmsSwitchDescription(
    key="cooling",
    value_fn=attrgetter("acting.cooling"),
    exists_fn=lambda state: state.acting.config.cooling is not None,
    attributes_fn=lambda state: {
        "by_hand": state.acting.decision.cooling_by_hand,
        "until": state.acting.cooling_until,
    },
    of_link=True,
)


def _emergency(state: PackState) -> dict[str, int | None]:
    return {"remaining_s": state.telemetry.emergency_countdown_s}


def _setting(setting: Setting) -> JkBmsSettingSwitchDescription:
    return JkBmsSettingSwitchDescription(
        key=setting.key,
        setting=setting,
        danger=setting.danger,
        value_fn=partial(said_of, setting),
        attributes_fn=_emergency if setting.key == "emergency" else None,
        attributes_in_turn=True,
        entity_registry_enabled_default=setting.danger is Danger.SWITCH,
    )


SETTING_SWITCHES: Final = tuple(
    _setting(setting)
    for setting in SETTINGS_BY_KEY.values()
    if setting.kind is Kind.SWITCH and setting.danger is not Danger.DANGEROUS
)


async def async_setup_entry(
    _hass: HomeAssistant, entry: JkBmsConfigEntry, async_add_entities: AddConfigEntryEntitiesCallback
) -> None:
    """Set up the switches of a pack."""
    async_add_existing(entry, async_add_entities, [PAUSE], JkBmsPauseSwitch)
    async_add_existing(entry, async_add_entities, [COOLING], JkBmsCoolingSwitch)
    async_add_allowed(entry, async_add_entities, Platform.SWITCH, SETTING_SWITCHES, JkBmsSettingSwitch)


class JkBmsPauseSwitch(JkBmsEntity, SwitchEntity):
    """On while the link is paused; the link goes off the pause by itself when the time is over."""

    entity_description: JkBmsSwitchDescription

    @property
    @override
    def is_on(self) -> bool:
        """Whether the link is paused."""
        return bool(self._value)

    @override
    async def async_turn_on(self, **kwargs: object) -> None:
        """Let go of the pack."""
        await self.coordinator.link.pause(self.coordinator.pause_s)

    @override
    async def async_turn_off(self, **kwargs: object) -> None:
        """Connect again before the time is over."""
        self.coordinator.link.resume()


class JkBmsCoolingSwitch(JkBmsEntity, SwitchEntity):
    """On while the cooling runs, whoever started it; switched on by hand it goes off by itself after a while."""

    entity_description: JkBmsSwitchDescription

    @property
    @override
    def is_on(self) -> bool | None:
        """What was last published."""
        return None if self._value is None else bool(self._value)

    @override
    async def async_turn_on(self, **kwargs: object) -> None:
        """Cool for a while."""
        until_s = self.hass.loop.time() + COOLED_BY_HAND_FOR_S
        await self.coordinator.acting.async_cool(until_s=until_s)

    @override
    async def async_turn_off(self, **kwargs: object) -> None:
        """End cooling, also what the guardian has started."""
        await self.coordinator.acting.async_stop_cooling()


class JkBmsSettingSwitch(JkBmsSettingEntity, SwitchEntity):
    """On or off as the board says; switching waits until it says the new state."""

    entity_description: JkBmsSettingSwitchDescription
    _unrecorded_attributes = frozenset({"remaining_s"})

    @property
    @override
    def is_on(self) -> bool | None:
        """What was last published."""
        return None if self._value is None else bool(self._value)

    @override
    async def async_turn_on(self, **kwargs: object) -> None:
        """Switch on."""
        await self._change_to(value=True)

    @override
    async def async_turn_off(self, **kwargs: object) -> None:
        """Switch off."""
        await self._change_to(value=False)
