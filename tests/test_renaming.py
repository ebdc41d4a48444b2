"""Whoever renames an entity that the guardian drives need not think of the guardian."""

from __future__ import annotations

import logging
from typing import Any
from unittest.mock import patch

import pytest
from homeassistant.config_entries import ConfigEntryState
from homeassistant.const import STATE_ON
from homeassistant.core import HomeAssistant
from homeassistant.helpers import entity_registry as er

from custom_components.jk_bms.bms.link import LinkProblem

from .acting_home import Appliance, Plant, plug_in
from .fake_link import FakeLink
from .packs import Packs
from .test_acting import COOL_C, FAN, WARM_C


async def test_what_is_renamed_is_driven_on(packs: Packs, hass: HomeAssistant) -> None:
    registry = er.async_get(hass)
    registry.async_get_or_create("fan", "test", "1", suggested_object_id="rack")
    room = registry.async_get_or_create("sensor", "test", "2", suggested_object_id="room")
    fan = Appliance(hass, "fan.rack")
    plant = await Plant.add(packs, celsius=WARM_C, ambient_entity=room.entity_id, **FAN)
    await plant.run(5)
    assert fan.calls == ["turn_on"]

    renamed = Appliance(hass, "fan.cellar", None)
    plug_in(hass)
    before: dict[str, Any] = dict(plant.pack.entry.options)
    with patch.object(FakeLink, "first", tuple(plant.pack.link.said.values())):
        registry.async_update_entity("fan.rack", new_entity_id="fan.cellar")
        hass.states.async_remove("fan.rack")
        renamed.set(STATE_ON)
        await hass.async_block_till_done()
        assert plant.pack.entry.options == before | {"cooling_entity": "fan.cellar"}
        registry.async_update_entity(room.entity_id, new_entity_id="sensor.hall")
        await hass.async_block_till_done()
    assert plant.pack.entry.options == before | {"cooling_entity": "fan.cellar", "ambient_entity": "sensor.hall"}
    plant.celsius = COOL_C
    await plant.until(lambda: bool(renamed.calls), within_s=3600, every_s=10)
    assert (fan.calls, renamed.calls) == (["turn_on"], ["turn_off"])


@pytest.mark.parametrize("stays_in", [ConfigEntryState.SETUP_RETRY, ConfigEntryState.NOT_LOADED])
async def test_renaming_is_followed_while_the_pack_is_not_loaded(
    packs: Packs, hass: HomeAssistant, stays_in: ConfigEntryState
) -> None:
    registry = er.async_get(hass)
    registry.async_get_or_create("fan", "test", "1", suggested_object_id="rack")
    Appliance(hass, "fan.rack")
    plant = await Plant.add(packs, **FAN)
    garage = await Plant.add(packs, address="C8:47:80:00:00:02")
    entry, other = plant.pack.entry, dict(garage.pack.entry.options)
    await hass.config_entries.async_unload(entry.entry_id)
    if stays_in is ConfigEntryState.SETUP_RETRY:
        await packs.set_up(plant.pack, fails_with=LinkProblem.NO_DATA)
    registry.async_update_entity("fan.rack", new_entity_id="fan.cellar")
    await hass.async_block_till_done()
    assert (entry.options["cooling_entity"], entry.state) == ("fan.cellar", stays_in)
    assert garage.pack.entry.options == other


async def test_other_changes_of_an_entity_are_none_of_our_business(
    packs: Packs, hass: HomeAssistant, caplog: pytest.LogCaptureFixture
) -> None:
    registry = er.async_get(hass)
    registry.async_get_or_create("fan", "test", "1", suggested_object_id="rack")
    Appliance(hass, "fan.rack")
    plant = await Plant.add(packs, **FAN)
    coordinator = plant.pack.coordinator
    registry.async_update_entity("fan.rack", name="Fan of the rack")
    registry.async_remove("fan.rack")
    await hass.async_block_till_done()
    assert plant.pack.coordinator is coordinator
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert plant.pack.entry.options["cooling_entity"] == "fan.rack"
