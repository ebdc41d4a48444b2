"""What the owner is told at once leads to where something can be done about it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from unittest.mock import patch

import pytest
from homeassistant.components import persistent_notification
from homeassistant.config_entries import ConfigEntryDisabler, ConfigEntryState
from homeassistant.core import HomeAssistant
from homeassistant.helpers import device_registry as dr

import custom_components.jk_bms
from custom_components.jk_bms.battery.acting.interface import Mode
from custom_components.jk_bms.bms.alarms import Alarm
from custom_components.jk_bms.bms.link import LinkProblem
from custom_components.jk_bms.urgent import Urgent

from .acting_home import Plant, notifications
from .packs import Packs

HEATED_C, HOT_C, BURNING_C = 49.0, 56.0, 66.5
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
    (told,) = notifications(hass).values()
    plant.celsius = HOT_C - 14
    await plant.run(600)
    assert list(notifications(hass).values()) == [told], "what was found; that it cools down is no news"
    await plant.again()
    await plant.run(1)
    (notification,) = notifications(hass).values()
    assert "- What was found about its heat is not over yet: It is too hot, Temperature T1" in notification["message"]


@pytest.mark.parametrize(
    ("mode", "said"),
    [("act", "what has been switched off stays off"), ("dry_run", "**The guardian has switched nothing off.**")],
)
async def test_an_emergency_says_what_is_off(packs: Packs, hass: HomeAssistant, mode: str, said: str) -> None:
    plant = await Plant.add(packs, celsius=BURNING_C, guardian_mode=mode, both_off=True)
    await plant.run(10)
    (notification,) = notifications(hass).values()
    assert said in notification["message"]
    assert "{" not in notification["message"]
    assert re.search(r"- It is too hot: Temperature T[12], hottest probe 6[67]\.\d °C", notification["message"])


async def test_heat_that_goes_on_rising_is_told_while_it_can_be_met(packs: Packs, hass: HomeAssistant) -> None:
    plant = await Plant.add(packs, celsius=HEATED_C)
    await plant.run(5)
    assert plant.value("guardian_level") == "warning"
    (notification,) = notifications(hass).values()
    assert notification["title"] == "Keller: it gets too warm"
    plant.celsius = 30.0
    await plant.until(lambda: not notifications(hass), within_s=4000, every_s=10)


async def test_what_is_over_is_told_by_its_name(packs: Packs, hass: HomeAssistant) -> None:
    plant = await Plant.add(packs)
    await plant.run(10, cells_v=(3.62,) * 16)
    await plant.until(lambda: plant.value("guardian_level") == "ok", within_s=1200, every_s=5)
    (notification,) = notifications(hass).values()
    assert notification["title"] == "Keller: over, but not acknowledged"
    assert "- A cell voltage is too high\n" in notification["message"]


async def test_an_alarm_of_the_board_that_is_over_is_told_by_its_name(packs: Packs, hass: HomeAssistant) -> None:
    plant = await Plant.add(packs)
    await plant.run(10, alarm_bits=1 << Alarm.CELL_OVERVOLTAGE)
    await plant.until(lambda: plant.value("guardian_level") == "ok", within_s=1200, every_s=5)
    (notification,) = notifications(hass).values()
    assert "- Alarm: cell overvoltage\n" in notification["message"]


async def start_out_of_reach(plant: Plant, *, anew: bool) -> list[str]:
    """Set a pack up that can't be reached, after a restart of Home Assistant or without; return what is told then."""
    entry, hass = plant.pack.entry, plant.hass
    await hass.config_entries.async_unload(entry.entry_id)
    persistent_notification.async_dismiss(hass, f"jk_bms_{entry.entry_id}")
    if anew:
        hass.data.pop("jk_bms_started")
    await plant.packs.set_up(plant.pack, fails_with=LinkProblem.NO_DATA)
    assert entry.state is ConfigEntryState.SETUP_RETRY
    return [f"{each['title']}: {each['message']}" for each in notifications(hass).values()]


async def test_what_stood_before_a_restart_is_told_once_more(packs: Packs) -> None:
    plant = await Plant.add(packs, celsius=BURNING_C)
    await plant.run(10)
    assert await start_out_of_reach(plant, anew=False) == [], "a reload is no restart"
    (said,) = await start_out_of_reach(plant, anew=True)
    assert said.startswith("Keller: EMERGENCY: It was so when the pack was last heard")
    assert await start_out_of_reach(plant, anew=False) == [], "a pack out of reach is set up over and over"


async def test_a_little_heat_before_a_restart_is_not_told_again(packs: Packs) -> None:
    plant = await Plant.add(packs, celsius=HEATED_C)
    await plant.run(5)
    assert await start_out_of_reach(plant, anew=True) == []


async def test_of_a_pack_that_is_disabled_while_out_of_reach_nothing_is_told(packs: Packs, hass: HomeAssistant) -> None:
    plant = await Plant.add(packs, celsius=BURNING_C)
    await plant.run(10)
    assert await start_out_of_reach(plant, anew=True)
    await hass.config_entries.async_set_disabled_by(plant.pack.entry.entry_id, ConfigEntryDisabler.USER)
    assert notifications(hass) == {}


async def test_of_a_pack_that_is_disabled_nothing_is_told(packs: Packs, hass: HomeAssistant) -> None:
    plant = await Plant.add(packs, celsius=BURNING_C)
    await plant.run(10)
    assert notifications(hass)
    await hass.config_entries.async_set_disabled_by(plant.pack.entry.entry_id, ConfigEntryDisabler.USER)
    assert notifications(hass) == {}


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
