"""Selects: what a board offers, and that they show only what the board says."""

from __future__ import annotations

from dataclasses import replace

import pytest
from homeassistant.components.select.const import DOMAIN as SELECT
from homeassistant.const import ATTR_ENTITY_ID, SERVICE_SELECT_OPTION, STATE_UNKNOWN, Platform
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError

from custom_components.jk_bms.bms.registers import SETTINGS_BY_KEY
from custom_components.jk_bms.bms.telemetry import DeviceInfo
from custom_components.jk_bms.bms.writing import Outcome
from custom_components.jk_bms.select import SELECTS

from .pack_values import DEVICE_INFO_V19
from .packs import BALANCER, PACK_24S, PACK_32S, PACK_JK04, PACK_V19, Pack, Packs

pytestmark = pytest.mark.usefixtures("all_enabled")


def present(pack: Pack) -> set[str]:
    """Return the keys of a pack's selects."""
    return {description.key for description in SELECTS if pack.entity_id(Platform.SELECT, description.key) is not None}


async def select(hass: HomeAssistant, pack: Pack, key: str, option: str) -> None:
    data = {ATTR_ENTITY_ID: pack.get(key, Platform.SELECT).entity_id, "option": option}
    await hass.services.async_call(SELECT, SERVICE_SELECT_OPTION, data, blocking=True)


async def test_options_are_what_the_board_offers(packs: Packs) -> None:
    pack = await packs.add(*PACK_V19, permission="all")
    assert present(pack) == {description.key for description in SELECTS}
    for key, value, options in (
        ("uart1_protocol", "jk_rs485_modbus_115200", list(SETTINGS_BY_KEY["uart1_protocol"].choices)),
        ("uart2_protocol", "pylontech_rs485", ["jk_rs485_modbus_115200", "pylontech_rs485"]),
        ("uart3_protocol", "gps_4g", ["gps_4g"]),
        ("can_protocol", "pylontech", list(SETTINGS_BY_KEY["can_protocol"].choices)),
        ("buzzer_trigger", "off", list(SETTINGS_BY_KEY["buzzer_trigger"].choices)),
        ("dry_contact_1_trigger", "low_state_of_charge", list(SETTINGS_BY_KEY["buzzer_trigger"].choices)),
        ("dry_contact_2_trigger", "system_alarm", list(SETTINGS_BY_KEY["buzzer_trigger"].choices)),
    ):
        state = pack.get(key, Platform.SELECT)
        assert (state.state, state.attributes["options"]) == (value, options), key


async def test_boards_without_a_choice(packs: Packs) -> None:
    for number, values in enumerate((PACK_32S, PACK_24S, PACK_JK04, BALANCER), start=1):
        pack = await packs.add(*values, address=f"C8:47:80:00:00:0{number}", permission="all")
        assert present(pack) == set()


async def test_ports_that_a_board_does_not_have(packs: Packs) -> None:
    info = replace(DEVICE_INFO_V19, uart3_protocol_mask=0)
    pack = await packs.add(info, *PACK_V19[1:], permission="all")
    assert present(pack) == {description.key for description in SELECTS} - {"uart3_protocol"}


@pytest.mark.parametrize(
    "info",
    [replace(DEVICE_INFO_V19, uart2_protocol=200), replace(DEVICE_INFO_V19, uart2_protocol=2)],
    ids=["not known", "not offered"],
)
async def test_a_choice_that_is_none_is_unknown(packs: Packs, info: DeviceInfo) -> None:
    pack = await packs.add(info, *PACK_V19[1:], permission="all")
    assert pack.value("uart2_protocol", Platform.SELECT) == STATE_UNKNOWN


@pytest.mark.parametrize(
    ("key", "option", "number"), [("uart2_protocol", "jk_rs485_modbus_115200", 1), ("buzzer_trigger", "remote", 12)]
)
async def test_a_choice_is_shown_when_the_board_says_it(
    packs: Packs, hass: HomeAssistant, key: str, option: str, number: int
) -> None:
    pack = await packs.add(*PACK_V19, permission="all")
    seen: list[str] = []

    async def look() -> None:
        seen.append(pack.value(key, Platform.SELECT))

    before = pack.value(key, Platform.SELECT)
    pack.link.while_writing = look
    await select(hass, pack, key, option)
    assert (seen, pack.value(key, Platform.SELECT)) == ([before], option)
    assert pack.link.written == [(key, number)]


async def test_what_is_not_offered_is_not_written(packs: Packs, hass: HomeAssistant) -> None:
    pack = await packs.add(*PACK_V19, permission="all")
    with pytest.raises(ServiceValidationError):
        await select(hass, pack, "uart2_protocol", "growatt")
    assert pack.link.written == []


async def test_a_choice_that_the_board_did_not_take_changes_nothing(packs: Packs, hass: HomeAssistant) -> None:
    pack = await packs.add(*PACK_V19, permission="all")
    pack.link.outcomes["uart2_protocol"] = Outcome.REFUSED
    with pytest.raises(HomeAssistantError) as raised:
        await select(hass, pack, "uart2_protocol", "jk_rs485_modbus_115200")
    assert raised.value.translation_key == "write_refused"
    assert pack.value("uart2_protocol", Platform.SELECT) == "pylontech_rs485"


async def test_permission(packs: Packs, hass: HomeAssistant) -> None:
    pack = await packs.add(*PACK_V19, permission="switches")
    assert present(pack) == set()

    hass.config_entries.async_update_entry(pack.entry, options={"permission": "all"})
    await hass.config_entries.async_unload(pack.entry.entry_id)
    await packs.set_up(pack, *PACK_V19)
    assert present(pack) == {description.key for description in SELECTS}

    hass.config_entries.async_update_entry(pack.entry, options={})
    await hass.config_entries.async_unload(pack.entry.entry_id)
    await packs.set_up(pack, *PACK_V19)
    assert pack.value("uart2_protocol", Platform.SELECT) == "pylontech_rs485"
    with pytest.raises(ServiceValidationError) as raised:
        await select(hass, pack, "uart2_protocol", "jk_rs485_modbus_115200")
    assert raised.value.translation_key == "needs_permission_all"
    assert pack.link.written == []
