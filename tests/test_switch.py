"""The pause for the phone app."""

from __future__ import annotations

from datetime import timedelta

from homeassistant.components.switch.const import DOMAIN as SWITCH
from homeassistant.const import ATTR_ENTITY_ID, SERVICE_TURN_OFF, SERVICE_TURN_ON, Platform
from homeassistant.core import HomeAssistant
from homeassistant.util import dt as dt_util

from custom_components.jk_bms.bms.link import LinkState

from .packs import PACK_32S, Pack, Packs


async def switch(hass: HomeAssistant, pack: Pack, service: str) -> None:
    target = {ATTR_ENTITY_ID: pack.get("pause", Platform.SWITCH).entity_id}
    await hass.services.async_call(SWITCH, service, target, blocking=True)


async def test_pause_and_resume(packs: Packs, hass: HomeAssistant) -> None:
    pack = await packs.add(*PACK_32S, pause_minutes=5)
    state = pack.get("pause", Platform.SWITCH)
    assert (state.state, state.attributes["paused_until"]) == ("off", None)

    await switch(hass, pack, SERVICE_TURN_ON)
    state = pack.get("pause", Platform.SWITCH)
    assert state.state == "on"
    until = state.attributes["paused_until"]
    assert abs(until - dt_util.utcnow() - timedelta(minutes=5)) <= timedelta(seconds=1)
    assert pack.value("link_state") == "paused"

    await packs.advance(60)
    assert pack.value("pause", Platform.SWITCH) == "on"
    await switch(hass, pack, SERVICE_TURN_OFF)
    assert pack.value("pause", Platform.SWITCH) == "off"
    assert pack.link.status.state is LinkState.CONNECTED


async def test_the_end_of_a_pause_by_itself(packs: Packs, hass: HomeAssistant) -> None:
    pack = await packs.add(*PACK_32S)
    await switch(hass, pack, SERVICE_TURN_ON)
    pack.link.report(state=LinkState.CONNECTING, paused_until_s=None)
    state = pack.get("pause", Platform.SWITCH)
    assert (state.state, state.attributes["paused_until"]) == ("off", None)
