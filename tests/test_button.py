"""The button that reads again."""

from __future__ import annotations

import pytest
from freezegun.api import FrozenDateTimeFactory
from homeassistant.components.button.const import DOMAIN as BUTTON
from homeassistant.components.button.const import SERVICE_PRESS
from homeassistant.const import ATTR_ENTITY_ID, Platform
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError

from custom_components.jk_bms.bms.link import LinkProblem
from custom_components.jk_bms.const import DOMAIN

from .packs import PACK_32S, Pack, Packs


async def press(hass: HomeAssistant, pack: Pack) -> None:
    target = {ATTR_ENTITY_ID: pack.get("read_again", Platform.BUTTON).entity_id}
    await hass.services.async_call(BUTTON, SERVICE_PRESS, target, blocking=True)


async def test_press(packs: Packs, hass: HomeAssistant) -> None:
    pack = await packs.add(*PACK_32S)
    await packs.advance(30)
    await press(hass, pack)
    assert pack.link.refreshed == 1


@pytest.mark.parametrize("problem", LinkProblem)
async def test_failure_in_plain_words(packs: Packs, hass: HomeAssistant, problem: LinkProblem) -> None:
    pack = await packs.add(*PACK_32S)
    pack.link.refresh_fails_with = problem
    with pytest.raises(HomeAssistantError) as raised:
        await press(hass, pack)
    assert raised.value.translation_domain == DOMAIN
    assert raised.value.translation_key == f"link_{problem}"
    assert "Keller" in str(raised.value)


async def test_not_while_paused(packs: Packs, hass: HomeAssistant, freezer: FrozenDateTimeFactory) -> None:
    await hass.config.async_set_time_zone("Europe/Berlin")
    pack = await packs.add(*PACK_32S)
    freezer.move_to("2026-11-22 20:00:00+00:00")
    await pack.link.pause(600)
    with pytest.raises(HomeAssistantError, match=r"Keller is paused until 21:10, .* Switch the pause off") as raised:
        await press(hass, pack)
    assert (raised.value.translation_domain, raised.value.translation_key) == (DOMAIN, "paused")
