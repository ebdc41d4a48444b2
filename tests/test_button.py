"""Buttons: read again, set the clock, restart the board."""

from __future__ import annotations

import pytest
from freezegun.api import FrozenDateTimeFactory
from homeassistant.components.button.const import DOMAIN as BUTTON
from homeassistant.components.button.const import SERVICE_PRESS
from homeassistant.const import ATTR_ENTITY_ID, Platform
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError
from homeassistant.helpers import entity_registry as er

from custom_components.jk_bms.bms.link import LinkProblem
from custom_components.jk_bms.bms.writing import Outcome
from custom_components.jk_bms.const import DOMAIN

from .packs import BALANCER, PACK_24S, PACK_32S, PACK_JK04, PACK_V19, Pack, Packs


async def press(hass: HomeAssistant, pack: Pack, key: str = "read_again") -> None:
    target = {ATTR_ENTITY_ID: pack.get(key, Platform.BUTTON).entity_id}
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


@pytest.mark.parametrize("permission", ["read_only", "switches"])
async def test_no_other_buttons_without_permission(packs: Packs, permission: str) -> None:
    pack = await packs.add(*PACK_V19, permission=permission)
    assert pack.entity_id(Platform.BUTTON, "set_clock") is None
    assert pack.entity_id(Platform.BUTTON, "restart") is None


async def test_which_boards_have_which_buttons(packs: Packs) -> None:
    for number, (values, set_clock, restart) in enumerate(
        (
            (PACK_V19, True, True),
            (PACK_32S, False, True),  # this one doesn't tell its clock
            (PACK_24S, False, False),
            (PACK_JK04, False, False),
            (BALANCER, False, False),
        ),
        start=1,
    ):
        pack = await packs.add(*values, address=f"C8:47:80:00:00:0{number}", permission="all")
        found = tuple(pack.entity_id(Platform.BUTTON, key) is not None for key in ("set_clock", "restart"))
        assert found == (set_clock, restart)


async def test_they_are_off_by_default(packs: Packs, hass: HomeAssistant) -> None:
    pack = await packs.add(*PACK_V19, permission="all")
    for key in ("set_clock", "restart"):
        entity_id = pack.entity_id(Platform.BUTTON, key)
        assert entity_id
        entry = er.async_get(hass).async_get(entity_id)
        assert entry
        assert (entry.disabled_by, entry.entity_category) == ("integration", "config")


@pytest.mark.usefixtures("all_enabled")
async def test_set_clock(packs: Packs, hass: HomeAssistant, freezer: FrozenDateTimeFactory) -> None:
    await hass.config.async_set_time_zone("Europe/Berlin")
    pack = await packs.add(*PACK_V19, permission="all")
    freezer.move_to("2026-12-01 22:30:10.900000+00:00")  # in Berlin 23:30:10
    await pack.give(PACK_V19[-1])
    await press(hass, pack, "set_clock")
    assert pack.link.written == [("clock_s", 2_526 * 86_400 + 23 * 3600 + 30 * 60 + 10)]


@pytest.mark.usefixtures("all_enabled")
async def test_restart(packs: Packs, hass: HomeAssistant) -> None:
    pack = await packs.add(*PACK_V19, permission="all")
    await press(hass, pack, "restart")
    assert pack.link.written == [("restart", True)]


@pytest.mark.parametrize("key", ["set_clock", "restart"])
@pytest.mark.usefixtures("all_enabled")
async def test_a_permission_that_is_taken_back(packs: Packs, hass: HomeAssistant, key: str) -> None:
    pack = await packs.add(*PACK_V19, permission="all")
    hass.config_entries.async_update_entry(pack.entry, options={})
    await hass.config_entries.async_unload(pack.entry.entry_id)
    await packs.set_up(pack, *PACK_V19)
    with pytest.raises(ServiceValidationError) as raised:
        await press(hass, pack, key)
    assert raised.value.translation_key == "needs_permission_all"
    assert pack.link.written == []


@pytest.mark.usefixtures("all_enabled")
async def test_a_clock_that_the_board_does_not_take(packs: Packs, hass: HomeAssistant) -> None:
    pack = await packs.add(*PACK_V19, permission="all")
    pack.link.outcomes["clock_s"] = Outcome.REFUSED
    with pytest.raises(HomeAssistantError) as raised:
        await press(hass, pack, "set_clock")
    assert raised.value.translation_key == "write_refused"
