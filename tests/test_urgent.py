"""What the owner is told at once leads to where something can be done about it."""

from __future__ import annotations

import json
from pathlib import Path
from unittest.mock import patch

import pytest
from homeassistant.core import HomeAssistant
from homeassistant.helpers import device_registry as dr

import custom_components.jk_bms
from custom_components.jk_bms.battery.acting.interface import Mode
from custom_components.jk_bms.urgent import Urgent

from .acting_home import Plant, notifications
from .packs import Packs

HOT_C = 56.0
TRANSLATIONS = Path(custom_components.jk_bms.__file__).parent / "translations"


async def test_a_notification_links_to_the_pack(packs: Packs, hass: HomeAssistant) -> None:
    plant = await Plant.add(packs, celsius=HOT_C)
    await plant.run(5)
    (device,) = dr.async_entries_for_config_entry(dr.async_get(hass), plant.pack.entry.entry_id)
    (notification,) = notifications(hass).values()
    assert f"[Acknowledge alarm](/config/devices/device/{device.id})" in notification["message"]


async def test_a_pack_without_a_page_yet_is_among_the_others(packs: Packs, hass: HomeAssistant) -> None:
    plant = await Plant.add(packs, celsius=HOT_C)
    await plant.run(5)
    urgent = Urgent(hass, plant.pack.entry)
    await urgent.async_start()
    with patch("homeassistant.helpers.device_registry.async_entries_for_config_entry", return_value=[]):
        urgent.tell(plant.pack.coordinator.acting.assessment, Mode.WATCH, {})
    (notification,) = notifications(hass).values()
    assert "(/config/integrations/integration/jk_bms)" in notification["message"]


async def test_what_is_not_over_yet_is_told_with_what_raised_it(packs: Packs, hass: HomeAssistant) -> None:
    plant = await Plant.add(packs, celsius=HOT_C)
    await plant.run(5)
    plant.celsius = HOT_C - 14
    await plant.run(600)
    (notification,) = notifications(hass).values()
    assert "- What was found about its heat is not over yet: It is too hot, Temperature T1" in notification["message"]


async def test_what_stays_off_is_told_until_it_is_reset(packs: Packs, hass: HomeAssistant) -> None:
    plant = await Plant.add(packs)
    acting = plant.pack.coordinator.acting
    await plant.run(5)
    assert notifications(hass) == {}
    acting.set_mode(Mode.OFF)
    stopping = hass.async_create_task(acting.async_emergency_stop(charge=True, discharge=False))
    await plant.run(15)
    await stopping
    (notification,) = notifications(hass).values()
    assert notification["title"] == "Keller: off until you reset it"
    acting.reset()
    await plant.run(5)
    assert notifications(hass) == {}


@pytest.mark.parametrize("language", ["en", "de"])
@pytest.mark.parametrize("kind", ["critical", "over"])
def test_what_has_to_be_acknowledged_says_where(language: str, kind: str) -> None:
    texts = json.loads((TRANSLATIONS / f"{language}.json").read_text(encoding="utf-8"))
    button = texts["entity"]["button"]["acknowledge"]["name"]
    assert f"[{button}]({{page}})" in texts["selector"]["urgent"]["options"][kind]
