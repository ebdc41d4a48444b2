"""Packs in Home Assistant over links without a radio, and time that a test moves."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from unittest.mock import PropertyMock, patch

import pytest
from freezegun.api import FrozenDateTimeFactory
from homeassistant.const import CONF_ADDRESS, Platform
from homeassistant.core import HomeAssistant, State
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers.entity import Entity
from pytest_homeassistant_custom_component.common import MockConfigEntry, async_fire_time_changed

from custom_components.jk_bms.bms.telemetry import DeviceInfo, Settings, Telemetry
from custom_components.jk_bms.const import DOMAIN
from custom_components.jk_bms.coordinator import JkBmsCoordinator

from .fake_link import FakeLink
from .pack_values import (
    DEVICE_INFO_24S,
    DEVICE_INFO_32S,
    DEVICE_INFO_BALANCER,
    DEVICE_INFO_JK04,
    DEVICE_INFO_V19,
    SETTINGS_24S,
    SETTINGS_32S,
    SETTINGS_JK04,
    telemetry_24s,
    telemetry_32s,
    telemetry_balancer,
    telemetry_jk04,
)

ADDRESS = "C8:47:80:00:00:01"

PACK_32S = (DEVICE_INFO_32S, SETTINGS_32S, telemetry_32s())
PACK_V19 = (DEVICE_INFO_V19, SETTINGS_32S, telemetry_32s(clock_s=1_000))
PACK_24S = (DEVICE_INFO_24S, SETTINGS_24S, telemetry_24s())
PACK_JK04 = (DEVICE_INFO_JK04, SETTINGS_JK04, telemetry_jk04())
BALANCER = (DEVICE_INFO_BALANCER, SETTINGS_32S, telemetry_balancer())


class Pack:
    """One pack in Home Assistant."""

    def __init__(self, hass: HomeAssistant, entry: MockConfigEntry) -> None:
        self.hass = hass
        self.entry = entry

    @property
    def coordinator(self) -> JkBmsCoordinator:
        coordinator = self.entry.runtime_data
        assert isinstance(coordinator, JkBmsCoordinator)
        return coordinator

    @property
    def link(self) -> FakeLink:
        assert isinstance(self.coordinator.link, FakeLink)
        return self.coordinator.link

    def entity_id(self, platform: Platform, key: str) -> str | None:
        """Return the entity of a description, if there is one, disabled or not."""
        return er.async_get(self.hass).async_get_entity_id(platform, DOMAIN, f"{self.entry.data[CONF_ADDRESS]}_{key}")

    def get(self, key: str, platform: Platform = Platform.SENSOR) -> State:
        """Return the state of an entity."""
        entity_id = self.entity_id(platform, key)
        assert entity_id, f"no {platform} {key}"
        state = self.hass.states.get(entity_id)
        assert state, f"{entity_id} has no state"
        return state

    def value(self, key: str, platform: Platform = Platform.SENSOR) -> str:
        """Return the state of an entity as a string."""
        return self.get(key, platform).state

    async def give(self, *values: Telemetry | Settings | DeviceInfo) -> None:
        """Receive frames that say these values."""
        self.link.give(*values)
        await self.hass.async_block_till_done()


class Packs:
    """Adds packs to Home Assistant, and moves the time."""

    def __init__(self, hass: HomeAssistant, freezer: FrozenDateTimeFactory) -> None:
        self.hass = hass
        self._freezer = freezer

    async def add(
        self,
        *first: Telemetry | Settings | DeviceInfo,
        address: str = ADDRESS,
        title: str = "Keller",
        fails_with: Any = None,
        **options: Any,
    ) -> Pack:
        """Set up an entry whose link gives these values, or fails."""
        entry = MockConfigEntry(
            domain=DOMAIN, title=title, unique_id=address, data={CONF_ADDRESS: address}, options=options
        )
        entry.add_to_hass(self.hass)
        pack = Pack(self.hass, entry)
        await self.set_up(pack, *first, fails_with=fails_with)
        return pack

    async def set_up(self, pack: Pack, *first: Telemetry | Settings | DeviceInfo, fails_with: Any = None) -> None:
        """Set up an entry again."""
        with patch.multiple(FakeLink, first=first, fails_with=fails_with):
            await self.hass.config_entries.async_setup(pack.entry.entry_id)
            await self.hass.async_block_till_done()

    def tick(self, seconds: float) -> None:
        """Move the time without running what is due."""
        self._freezer.tick(timedelta(seconds=seconds))

    async def advance(self, seconds: float) -> None:
        """Move the time, then run what is due."""
        self.tick(seconds)
        async_fire_time_changed(self.hass)
        await self.hass.async_block_till_done()


@pytest.fixture
def packs(
    hass: HomeAssistant,
    enable_bluetooth: None,
    enable_custom_integrations: None,
    freezer: FrozenDateTimeFactory,
) -> Iterator[Packs]:
    """Return what adds packs to Home Assistant."""
    with patch("custom_components.jk_bms.coordinator.Link", FakeLink):
        yield Packs(hass, freezer)


@pytest.fixture
def all_enabled() -> Iterator[None]:
    """Also enable the entities that are off by default."""
    with patch.object(Entity, "entity_registry_enabled_default", PropertyMock(return_value=True)):
        yield
