"""Boards that want a bond, in a Home Assistant that reaches them through a proxy."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from unittest.mock import AsyncMock, patch

import bleak_retry_connector
import pytest
from homeassistant.config_entries import SOURCE_REAUTH, ConfigEntryState
from homeassistant.core import HomeAssistant

from custom_components.jk_bms.bms.link import LinkProblem, LinkState
from custom_components.jk_bms.diagnostics import async_get_config_entry_diagnostics
from simulator.models import JK_PB2A16S20P_V19_BONDED, Pairing

from .radio import Radio

WITHOUT_PASSCODE = JK_PB2A16S20P_V19_BONDED
WITH_PASSCODE = replace(WITHOUT_PASSCODE, asks_passcode=True)
PASSCODE = "471100"


@pytest.fixture(autouse=True)
def no_real_time() -> Iterator[None]:
    """Let the connector not wait for a device to become free."""
    with patch.object(bleak_retry_connector, "wait_for_disconnect", AsyncMock()):
        yield


@pytest.mark.parametrize("pairing", [Pairing.OR_ERROR, Pairing.OR_DROP])
async def test_board_that_asks_for_no_passcode(hass: HomeAssistant, radio: Radio, pairing: Pairing) -> None:
    board = radio.add(replace(WITHOUT_PASSCODE, pairing=pairing))
    entry = await radio.set_up()
    assert entry.state is ConfigEntryState.LOADED
    link = entry.runtime_data.link
    await radio.clock.run(30)
    assert board.bonded
    board.bonded = False
    board.drop_link()
    await radio.clock.until(lambda: board.bonded)
    await radio.clock.run(30)
    assert link.status.state is LinkState.CONNECTED
    assert not any(entry.async_get_active_flows(hass, {SOURCE_REAUTH}))


async def test_passcode_that_a_proxy_cannot_enter(hass: HomeAssistant, radio: Radio) -> None:
    radio.add(WITH_PASSCODE, device_info={"device_passcode": PASSCODE.encode()})
    (flow,) = await radio.found()
    result = await radio.submit(flow)
    assert (result["step_id"], result["errors"]) == ("passcode", {})
    result = await radio.submit(result, passcode=PASSCODE)
    assert (result["step_id"], result["errors"]) == ("passcode", {"base": LinkProblem.PASSCODE_NOT_ASKED})
    placeholders = result["description_placeholders"]
    assert placeholders
    assert placeholders["carrier"].startswith("air"), "it says what can't do it"


async def test_passcode_stays_between_the_entry_and_the_board(
    hass: HomeAssistant, radio: Radio, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    board = radio.add(WITH_PASSCODE, device_info={"device_passcode": PASSCODE.encode()})
    board.bonded = True
    entry = await radio.set_up()
    hass.config_entries.async_update_entry(entry, data={**entry.data, "passcode": PASSCODE})
    board.bonded = False
    radio.air.bonds.clear()
    await hass.config_entries.async_unload(entry.entry_id)
    caplog.clear()
    hass.async_create_task(hass.config_entries.async_setup(entry.entry_id))
    await radio.clock.until(lambda: any(entry.async_get_active_flows(hass, {SOURCE_REAUTH})))
    (flow,) = entry.async_get_active_flows(hass, {SOURCE_REAUTH})
    assert entry.state is ConfigEntryState.SETUP_RETRY
    assert entry.error_reason_translation_key == "link_passcode_not_asked"
    diagnostics = await async_get_config_entry_diagnostics(hass, entry)
    form = await hass.config_entries.flow.async_configure(flow["flow_id"])
    told = [str(diagnostics), repr(entry), str(entry.reason), str(form)]
    told += [record.getMessage() for record in caplog.records if "custom_components" in record.name]
    assert not [text for text in told if PASSCODE in text]
