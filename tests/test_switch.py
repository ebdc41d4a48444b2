"""Switches: the pause for the phone app, and what the board may do."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from homeassistant.components.switch.const import DOMAIN as SWITCH
from homeassistant.const import ATTR_ENTITY_ID, SERVICE_TURN_OFF, SERVICE_TURN_ON, Platform
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError
from homeassistant.helpers import entity_registry as er
from homeassistant.util import dt as dt_util

from custom_components.jk_bms.bms.layout import CONTROL_BITS
from custom_components.jk_bms.bms.link import LinkProblem, LinkState
from custom_components.jk_bms.bms.writing import Outcome
from custom_components.jk_bms.const import DOMAIN
from custom_components.jk_bms.switch import SETTING_SWITCHES

from .pack_values import SETTINGS_32S, telemetry_32s
from .packs import BALANCER, PACK_24S, PACK_32S, PACK_JK04, PACK_V19, Pack, Packs

MAIN = {"charge_switch", "discharge_switch", "balancer_switch"}


async def switch(hass: HomeAssistant, pack: Pack, service: str, key: str = "pause") -> None:
    target = {ATTR_ENTITY_ID: pack.get(key, Platform.SWITCH).entity_id}
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


def present(pack: Pack) -> set[str]:
    """Return the keys of a pack's switches, the pause left out."""
    return {
        description.key
        for description in SETTING_SWITCHES
        if pack.entity_id(Platform.SWITCH, description.key) is not None
    }


@pytest.mark.parametrize(
    ("permission", "keys"),
    [
        ("read_only", set()),
        ("switches", MAIN),
        ("all", MAIN | {"emergency"} | set(CONTROL_BITS) - {"temperature_sensors_disabled"}),
    ],
)
async def test_which_there_are_with_which_permission(packs: Packs, permission: str, keys: set[str]) -> None:
    pack = await packs.add(*PACK_V19, permission=permission)
    assert present(pack) == keys


async def test_which_there_are_on_other_boards(packs: Packs) -> None:
    for number, (values, keys) in enumerate(
        ((PACK_24S, MAIN), (PACK_JK04, {"balancer_switch"}), (BALANCER, {"balancer_switch"})), start=1
    ):
        pack = await packs.add(*values, address=f"C8:47:80:00:00:0{number}", permission="all")
        assert present(pack) == keys


async def test_only_the_main_switches_are_on_by_default(packs: Packs, hass: HomeAssistant) -> None:
    pack = await packs.add(*PACK_V19, permission="all")
    registry = er.async_get(hass)
    for key in present(pack):
        entity_id = pack.entity_id(Platform.SWITCH, key)
        assert entity_id
        entry = registry.async_get(entity_id)
        assert entry
        assert entry.entity_category == "config"
        assert (entry.disabled_by is None) is (key in MAIN), key


@pytest.mark.usefixtures("all_enabled")
async def test_what_they_show(packs: Packs) -> None:
    info, _, telemetry = PACK_V19
    settings = replace(SETTINGS_32S, discharge_switch=False, control_bits=1 << CONTROL_BITS.index("smart_sleep"))
    pack = await packs.add(info, settings, telemetry, permission="all")
    on = {key for key in present(pack) if pack.value(key, Platform.SWITCH) == "on"}
    assert on == {"charge_switch", "balancer_switch", "smart_sleep"}


@pytest.mark.parametrize("key", ["charge_switch", "smart_sleep"])
@pytest.mark.usefixtures("all_enabled")
async def test_switching_is_shown_when_the_board_says_it(packs: Packs, hass: HomeAssistant, key: str) -> None:
    pack = await packs.add(*PACK_V19, permission="all")
    assert pack.value(key, Platform.SWITCH) == "on"
    seen: list[str] = []

    async def look() -> None:
        seen.append(pack.value(key, Platform.SWITCH))

    pack.link.while_writing = look
    await switch(hass, pack, SERVICE_TURN_OFF, key)
    assert pack.value(key, Platform.SWITCH) == "off"
    await switch(hass, pack, SERVICE_TURN_ON, key)
    assert pack.value(key, Platform.SWITCH) == "on"
    assert (seen, pack.link.written) == (["on", "off"], [(key, False), (key, True)])
    assert "assumed_state" not in pack.get(key, Platform.SWITCH).attributes


@pytest.mark.parametrize("outcome", [Outcome.REFUSED, Outcome.UNKNOWN])
async def test_what_the_board_did_not_confirm_is_not_shown(packs: Packs, hass: HomeAssistant, outcome: Outcome) -> None:
    pack = await packs.add(*PACK_V19, permission="switches")
    pack.link.outcomes["charge_switch"] = outcome
    with pytest.raises(HomeAssistantError) as raised:
        await switch(hass, pack, SERVICE_TURN_OFF, "charge_switch")
    assert raised.value.translation_key == f"write_{outcome}"
    assert pack.value("charge_switch", Platform.SWITCH) == "on"


async def test_a_permission_that_is_taken_back(packs: Packs, hass: HomeAssistant) -> None:
    pack = await packs.add(*PACK_V19, permission="switches")
    hass.config_entries.async_update_entry(pack.entry, options={})
    await hass.config_entries.async_unload(pack.entry.entry_id)
    await packs.set_up(pack, *PACK_V19)
    assert pack.value("charge_switch", Platform.SWITCH) == "on"
    with pytest.raises(ServiceValidationError) as raised:
        await switch(hass, pack, SERVICE_TURN_OFF, "charge_switch")
    assert raised.value.translation_key == "needs_permission_switches"
    assert (pack.value("charge_switch", Platform.SWITCH), pack.link.written) == ("on", [])


async def test_out_of_reach_only_the_action_says_so(packs: Packs, hass: HomeAssistant) -> None:
    """Home Assistant leaves out what is unavailable, as the documentation of the actions tells."""
    pack = await packs.add(*PACK_V19, permission="switches")
    await packs.advance(30)
    assert pack.value("charge_switch", Platform.SWITCH) == "unavailable"
    pack.link.writing_fails_with = LinkProblem.OUT_OF_RANGE
    await switch(hass, pack, SERVICE_TURN_OFF, "charge_switch")
    target = {ATTR_ENTITY_ID: pack.entity_id(Platform.SWITCH, "charge_switch")}
    with pytest.raises(HomeAssistantError, match="can't be heard"):
        await hass.services.async_call(
            DOMAIN, "write_setting", {**target, "setting": "charge_switch", "value": False}, blocking=True
        )
    assert pack.link.written == []


@pytest.mark.usefixtures("all_enabled")
async def test_emergency_counts_down(packs: Packs, hass: HomeAssistant) -> None:
    pack = await packs.add(*PACK_V19, permission="all", publish_interval=60)
    state = pack.get("emergency", Platform.SWITCH)
    assert (state.state, state.attributes["remaining_s"]) == ("off", 0)

    await switch(hass, pack, SERVICE_TURN_ON, "emergency")
    assert pack.link.written == [("emergency", True)]
    for after_s, remaining_s, shown_s in ((1, 1799, 1800), (60, 1739, 1739), (1, 1738, 1739)):
        packs.tick(after_s)
        await pack.give(telemetry_32s(emergency_countdown_s=remaining_s))
        state = pack.get("emergency", Platform.SWITCH)
        assert (state.state, state.attributes["remaining_s"]) == ("on", shown_s)
    await pack.give(telemetry_32s(emergency_countdown_s=0))
    state = pack.get("emergency", Platform.SWITCH)
    assert (state.state, state.attributes["remaining_s"]) == ("off", 0)
