"""Set-up, unloading and removal: what goes wrong over links without a radio, the whole over a simulated one."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from datetime import timedelta
from typing import Any
from unittest.mock import patch

import pytest
from homeassistant.config_entries import SOURCE_REAUTH, ConfigEntryState
from homeassistant.const import STATE_UNAVAILABLE
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers import device_registry as dr
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers import issue_registry as ir
from homeassistant.util import dt as dt_util
from pytest_homeassistant_custom_component.common import async_fire_time_changed

from custom_components.jk_bms.bms.gatt import PAIRING_PROBLEMS
from custom_components.jk_bms.bms.link import LinkError, LinkProblem, LinkState
from custom_components.jk_bms.const import DOMAIN
from custom_components.jk_bms.interruption import INTERRUPTED
from custom_components.jk_bms.loans import NOT_RETURNED
from custom_components.jk_bms.permission import Permission

from .pack_values import SETTINGS_32S
from .packs import ADDRESS, PACK_32S, Pack, Packs
from .radio import Radio

LENT_S = 300


async def lend(pack: Pack) -> None:
    """Change a setting for a time."""
    until = dt_util.utcnow() + timedelta(seconds=LENT_S)
    await pack.coordinator.changes.async_apply({"charge_current_limit_a": 40}, until=until)
    pack.coordinator.loans.watch()


def told(hass: HomeAssistant) -> set[str | None]:
    """Return the repairs that the owner is shown."""
    return {issue.translation_key for issue in ir.async_get(hass).issues.values() if issue.domain == DOMAIN}


@pytest.mark.parametrize("problem", list(LinkProblem))
async def test_without_a_reading_home_assistant_tries_again_and_says_why(
    hass: HomeAssistant, packs: Packs, problem: LinkProblem
) -> None:
    pack = await packs.add(fails_with=problem)
    entry = pack.entry
    states = [entry.state]
    assert entry.error_reason_translation_key == f"link_{problem}"
    assert entry.error_reason_translation_placeholders
    assert entry.error_reason_translation_placeholders["name"] == "Keller"
    assert "scanner(s) registered" in entry.error_reason_translation_placeholders["reason"]
    assert entry.reason
    assert ("scanner(s) registered" in entry.reason) is (problem is not LinkProblem.NOT_A_JK_BMS)
    assert any(entry.async_get_active_flows(hass, {SOURCE_REAUTH})) is (problem in PAIRING_PROBLEMS)

    assert await hass.config_entries.async_unload(entry.entry_id)
    await packs.set_up(pack, *PACK_32S)
    states.append(entry.state)
    assert states == [ConfigEntryState.SETUP_RETRY, ConfigEntryState.LOADED]


async def test_unload_lets_go_and_reload_comes_back(hass: HomeAssistant, packs: Packs) -> None:
    pack = await packs.add(*PACK_32S)
    link = pack.link
    assert link.started
    entity_id = pack.get("pack_voltage").entity_id
    assert await hass.config_entries.async_unload(pack.entry.entry_id)
    assert not link.started
    assert link.status.state is LinkState.DISCONNECTED
    state = hass.states.get(entity_id)
    assert state
    assert state.state == STATE_UNAVAILABLE

    await packs.set_up(pack, *PACK_32S)
    assert pack.link is not link
    assert pack.link.started
    assert pack.value("pack_voltage") != STATE_UNAVAILABLE


async def test_failed_start_lets_go(packs: Packs) -> None:
    with patch("custom_components.jk_bms.coordinator.JkBmsCoordinator.async_shutdown") as shutdown:
        await packs.add(fails_with=LinkProblem.NO_DATA)
    shutdown.assert_awaited_once()


async def test_two_packs_of_the_same_name_are_two_devices(hass: HomeAssistant, packs: Packs) -> None:
    first = await packs.add(*PACK_32S)
    second = await packs.add(*PACK_32S, address="C8:47:80:00:00:02")
    devices = dr.async_get(hass)
    assert [len(dr.async_entries_for_config_entry(devices, pack.entry.entry_id)) for pack in (first, second)] == [1, 1]
    assert first.get("pack_voltage").entity_id != second.get("pack_voltage").entity_id

    assert await hass.config_entries.async_unload(first.entry.entry_id)
    assert second.link.started
    assert first.value("pack_voltage") == STATE_UNAVAILABLE
    assert second.value("pack_voltage") != STATE_UNAVAILABLE


@pytest.mark.parametrize("fails_with", [None, LinkProblem.PAIRING_NEEDED], ids=["loaded", "never reached"])
async def test_removal_leaves_nothing(hass: HomeAssistant, packs: Packs, fails_with: LinkProblem | None) -> None:
    pack = await packs.add(*PACK_32S, fails_with=fails_with)
    assert (pack.entry.state is ConfigEntryState.LOADED) is (fails_with is None)
    with patch("homeassistant.components.bluetooth.async_rediscover_address") as rediscover:
        await hass.config_entries.async_remove(pack.entry.entry_id)
        await hass.async_block_till_done()
    rediscover.assert_called_once_with(hass, ADDRESS)
    entry_id = pack.entry.entry_id
    assert not dr.async_entries_for_config_entry(dr.async_get(hass), entry_id)
    assert not er.async_entries_for_config_entry(er.async_get(hass), entry_id)
    assert not told(hass)
    assert not [state for state in hass.states.async_all() if "keller" in state.entity_id]
    assert DOMAIN not in hass.data


async def test_removal_takes_back_what_the_owner_was_to_read(hass: HomeAssistant, packs: Packs) -> None:
    pack = await packs.add(*PACK_32S, permission=Permission.ALL)
    await lend(pack)
    changes = pack.coordinator.changes
    changes.memory.plan = {"cell_overvoltage_v": 3.5}
    await changes.async_save()
    await hass.config_entries.async_unload(pack.entry.entry_id)
    await packs.set_up(pack, *PACK_32S[:1], replace(SETTINGS_32S, charge_current_limit_a=40.0), *PACK_32S[2:])
    pack.link.writing_fails_with = LinkProblem.OUT_OF_RANGE
    await packs.advance(LENT_S + 1)
    assert told(hass) >= {INTERRUPTED, NOT_RETURNED}
    await hass.config_entries.async_remove(pack.entry.entry_id)
    assert not told(hass)


class CutShort:
    """A write that is on its way until its link is gone."""

    def __init__(self, pack: Pack) -> None:
        self.begun = asyncio.Event()
        self.link_is_gone = asyncio.Event()
        pack.link.while_writing = self._write

    async def _write(self) -> None:
        self.begun.set()
        await self.link_is_gone.wait()
        raise LinkError(LinkProblem.CONNECTION_FAILED)


async def test_removal_in_mid_write_leaves_nothing(
    hass: HomeAssistant, packs: Packs, hass_storage: dict[str, Any]
) -> None:
    pack = await packs.add(*PACK_32S, permission=Permission.ALL)
    write = CutShort(pack)
    change = hass.async_create_task(pack.coordinator.changes.async_apply({"charge_current_limit_a": 40}))
    await write.begun.wait()
    removing = hass.async_create_task(hass.config_entries.async_remove(pack.entry.entry_id))
    write.link_is_gone.set()
    await removing
    with pytest.raises(HomeAssistantError, match="was lost before"):
        await change
    await hass.async_block_till_done()
    assert f"{DOMAIN}.{pack.entry.entry_id}" not in hass_storage


async def test_unload_in_the_middle_of_a_return_ends_it(hass: HomeAssistant, packs: Packs) -> None:
    pack = await packs.add(*PACK_32S, permission=Permission.ALL)
    await lend(pack)
    write, loans, link = CutShort(pack), pack.coordinator.loans, pack.link
    packs.tick(LENT_S + 1)
    async_fire_time_changed(hass)
    await write.begun.wait()
    unloading = hass.async_create_task(hass.config_entries.async_unload(pack.entry.entry_id))
    write.link_is_gone.set()
    assert await unloading
    loans.watch()  # as the action does that has lent something
    writes = len(link.written)
    await packs.advance(3600)
    assert len(link.written) == writes
    assert not told(hass), "the next start returns it"


async def test_whole_life_over_the_radio(hass: HomeAssistant, radio: Radio) -> None:
    board = radio.add()
    (flow,) = await radio.found()
    result = await radio.submit(flow)
    assert result["step_id"] == "pack"
    placeholders = result["description_placeholders"]
    assert placeholders
    assert (placeholders["model"], placeholders["cells"]) == ("JK_PB2A16S20P", "16")
    assert float(placeholders["voltage"]) == pytest.approx(board.board.pack.voltage_v, abs=0.05)
    assert board.connectable, "the pack is free while the owner looks at it"
    assert await radio.found()

    result = await radio.submit(result)
    assert result["type"] is FlowResultType.CREATE_ENTRY
    entry = result["result"]
    assert entry.state is ConfigEntryState.LOADED
    assert not board.connectable
    states = {state.entity_id: state for state in hass.states.async_all("sensor")}
    cells = [state for entity_id, state in states.items() if "cell_16" in entity_id]
    assert [float(state.state) for state in cells] == [pytest.approx(3.3, abs=0.2)]
    assert not await radio.found()

    assert await hass.config_entries.async_unload(entry.entry_id)
    assert board.connectable
    assert not await radio.found(), "it is known"

    await hass.config_entries.async_remove(entry.entry_id)
    await hass.async_block_till_done(wait_background_tasks=True)
    assert await radio.found(), "it may be added anew"


async def test_log_of_the_link_gives_nothing_away(radio: Radio, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "custom_components.jk_bms.bms")
    board = radio.add()
    entry = await radio.set_up()
    lines = [record.getMessage() for record in caplog.records if ".bms." in record.name]
    assert {line.split(":")[0] for line in lines} == {"pack …" + board.address[-5:-3]}
    assert not [line for line in lines if board.address in line or board.name in line or entry.title in line]


async def test_proxy_that_goes_and_returns(radio: Radio) -> None:
    board = radio.add()
    entry = await radio.set_up()
    link = entry.runtime_data.link
    radio.unplug()
    board.drop_link()
    await radio.clock.run(30)
    assert (link.status.state, link.status.problem) == (LinkState.DISCONNECTED, LinkProblem.OUT_OF_RANGE)

    radio.plug_in()
    radio.scanner.advertise()
    assert await radio.clock.until(lambda: link.status.state is LinkState.CONNECTED, limit_s=5) < 2
