"""Every way through the flows, also after something went wrong on it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from typing import Any
from unittest.mock import AsyncMock, patch

import probatio
import pytest
from habluetooth import BluetoothServiceInfoBleak
from homeassistant.config_entries import (
    SOURCE_BLUETOOTH,
    SOURCE_IGNORE,
    SOURCE_USER,
    ConfigEntryState,
    ConfigFlowResult,
)
from homeassistant.const import CONF_ADDRESS
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from homeassistant.helpers import config_validation as cv
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.jk_bms.bms.board import Board
from custom_components.jk_bms.bms.gatt import PAIRING_PROBLEMS
from custom_components.jk_bms.bms.layout import Generation
from custom_components.jk_bms.bms.link import LinkError, LinkProblem, Probe
from custom_components.jk_bms.bms.telemetry import DeviceInfo, Telemetry
from custom_components.jk_bms.const import DOMAIN

from .advertisements import ADDRESS, JK, NAME, advertisement, hear

pytestmark = pytest.mark.usefixtures("enable_bluetooth")

SECOND_ADDRESS = "20:21:11:00:00:02"


def a_probe(
    *,
    model: str = "JK_PB2A16S20P",
    device_name: str = NAME,
    serial_number: str = "",
    pack_voltage_v: float | None = 53.214,
    state_of_charge_pct: int | None = 87,
) -> Probe:
    info = DeviceInfo(
        model=model,
        hardware_version="15A",
        software_version="15.41",
        up_time_s=1,
        power_on_count=1,
        manufacturing_date="240101",
        device_name=device_name,
        device_passcode="1234",
        serial_number=serial_number,
        user_data="",
        setup_passcode="",
    )
    telemetry = Telemetry(
        generation=Generation.JK02_32S,
        counter=1,
        cell_voltages_v=(3.3, 3.4, 3.35),
        lead_resistances_ohm=(0.0,) * 3,
        cell_mask=7,
        average_cell_voltage_v=3.35,
        reported_delta_cell_voltage_v=0.1,
        reported_highest_cell=2,
        reported_lowest_cell=1,
        run_time_s=1,
        balance_current_a=0,
        balance_action=None,
        pack_voltage_v=pack_voltage_v,
        state_of_charge_pct=state_of_charge_pct,
    )
    return Probe(device_info=info, telemetry=telemetry, board=Board())


@pytest.fixture(autouse=True)
def probe() -> Iterator[AsyncMock]:
    with patch("custom_components.jk_bms.config_flow.probe", AsyncMock(return_value=a_probe())) as mock:
        yield mock


@pytest.fixture(autouse=True)
def setup_entry() -> Iterator[AsyncMock]:
    with patch("custom_components.jk_bms.async_setup_entry", AsyncMock(return_value=True)) as mock:
        yield mock


@pytest.fixture(autouse=True)
def unload_entry() -> Iterator[AsyncMock]:
    with patch("custom_components.jk_bms.async_unload_entry", AsyncMock(return_value=True)) as mock:
        yield mock


@pytest.fixture
def scan() -> Iterator[AsyncMock]:
    with patch("homeassistant.components.bluetooth.async_request_active_scan", AsyncMock()) as mock:
        yield mock


def flow_of(hass: HomeAssistant, result: ConfigFlowResult) -> ConfigFlowResult:
    """Return where a flow is now."""
    return hass.config_entries.flow.async_get(result["flow_id"])


async def go_on(hass: HomeAssistant, result: ConfigFlowResult, user_input: dict[str, object]) -> ConfigFlowResult:
    """Submit the form at hand, and wait until what it starts is through."""
    result = await hass.config_entries.flow.async_configure(result["flow_id"], user_input)
    if result["type"] is FlowResultType.SHOW_PROGRESS:
        await hass.async_block_till_done()
        result = await hass.config_entries.flow.async_configure(result["flow_id"])
    return result


async def discovered(hass: HomeAssistant, info: BluetoothServiceInfoBleak | None = None) -> ConfigFlowResult:
    """Let Home Assistant hear a board, and return the flow that it starts by itself."""
    hear(info or advertisement())
    await hass.async_block_till_done(wait_background_tasks=True)
    (result,) = hass.config_entries.flow.async_progress_by_handler(DOMAIN)
    assert result["step_id"] == "bluetooth_confirm"
    return result


async def picking(hass: HomeAssistant) -> ConfigFlowResult:
    """Start the flow that a user starts, up to the choice of a pack."""
    result = await hass.config_entries.flow.async_init(DOMAIN, context={"source": SOURCE_USER})
    assert (result["type"], result["progress_action"]) == (FlowResultType.SHOW_PROGRESS, "scan")
    await hass.async_block_till_done()
    result = await hass.config_entries.flow.async_configure(result["flow_id"])
    assert (result["type"], result["step_id"]) == (FlowResultType.FORM, "pick")
    return result


def shown(result: ConfigFlowResult) -> list[dict[str, Any]]:
    """Return the fields of a form as the frontend gets them."""
    fields = probatio.to_field_list(result["data_schema"], custom_serializer=cv.custom_serializer)
    assert isinstance(fields, list)
    return fields


def said(result: ConfigFlowResult) -> Mapping[str, str]:
    """Return what the texts of a form are filled with."""
    placeholders = result["description_placeholders"]
    assert placeholders is not None
    return placeholders


def offered(result: ConfigFlowResult) -> list[str]:
    """Return the labels of the packs to choose from; none where the address can only be typed."""
    (field,) = shown(result)
    if "text" in field["selector"]:
        return []
    assert field["selector"]["select"]["custom_value"], "an address can be typed, too"
    return [option["label"] for option in field["selector"]["select"]["options"]]


@pytest.fixture
def entry(hass: HomeAssistant) -> MockConfigEntry:
    entry = MockConfigEntry(domain=DOMAIN, title=NAME, unique_id=ADDRESS, data={CONF_ADDRESS: ADDRESS})
    entry.add_to_hass(hass)
    return entry


@pytest.mark.parametrize(
    "info",
    [advertisement(), advertisement("20:25:03:00:00:01", "JK-BD4A8S-4P", manufacturer_data={JK: b"\0\1"})],
    ids=["usual module", "small module"],
)
async def test_discovery_shows_the_pack_before_adding_it(
    hass: HomeAssistant, probe: AsyncMock, info: BluetoothServiceInfoBleak
) -> None:
    result = await discovered(hass, info)
    tail = info.address.replace(":", "")[-4:]
    assert result["context"]["title_placeholders"] == {"name": f"{info.name} ({tail})"}
    probe.assert_not_awaited()

    result = await go_on(hass, result, {})
    probe.assert_awaited_once()
    assert (result["type"], result["step_id"]) == (FlowResultType.FORM, "pack")
    assert result["description_placeholders"] == {
        "name": f"{info.name} ({tail})",
        "model": "JK_PB2A16S20P",
        "software": "15.41",
        "cells": "3",
        "voltage": "53.21",
        "soc": "87",
    }
    assert not hass.config_entries.async_entries(DOMAIN)

    result = await go_on(hass, result, {})
    assert (result["type"], result["title"]) == (FlowResultType.CREATE_ENTRY, NAME)
    assert result["data"] == {CONF_ADDRESS: info.address}
    assert result["options"] == {"guardian_mode": "dry_run"}, "the recommended first week"
    assert result["result"].unique_id == info.address


@pytest.mark.parametrize(
    "info",
    [
        advertisement(service_uuids=()),
        advertisement(manufacturer_data={}),
        advertisement(manufacturer_data={0x0B65: b"\x88\xa1\0\0\0\0\0\0"}),
        advertisement(name="JK_B2A8S20P", manufacturer_data={0x004C: b"\x88\xa0"}),
        advertisement(connectable=False),
    ],
    ids=["no service", "no manufacturer", "other data", "only the name", "not connectable"],
)
async def test_what_is_no_board_is_not_discovered(hass: HomeAssistant, info: BluetoothServiceInfoBleak) -> None:
    hear(info)
    await hass.async_block_till_done(wait_background_tasks=True)
    assert not hass.config_entries.flow.async_progress_by_handler(DOMAIN)


@pytest.mark.usefixtures("entry")
async def test_discovery_of_a_known_pack_ends(hass: HomeAssistant) -> None:
    result = await hass.config_entries.flow.async_init(
        DOMAIN, context={"source": SOURCE_BLUETOOTH}, data=advertisement()
    )
    assert (result["type"], result["reason"]) == (FlowResultType.ABORT, "already_configured")


async def test_progress_is_shown_while_the_pack_is_read(hass: HomeAssistant, probe: AsyncMock) -> None:
    answer = asyncio.Event()

    async def slow(*_: object, **_options: object) -> Probe:
        await answer.wait()
        return a_probe()

    probe.side_effect = slow
    result = await discovered(hass)
    for _ in range(2):
        result = await hass.config_entries.flow.async_configure(result["flow_id"], {})
        assert (result["type"], result["progress_action"]) == (FlowResultType.SHOW_PROGRESS, "connect")
    answer.set()
    await hass.async_block_till_done()
    assert flow_of(hass, result)["step_id"] == "pack"
    probe.assert_awaited_once()


@pytest.mark.parametrize("problem", sorted(set(LinkProblem) - PAIRING_PROBLEMS - {LinkProblem.NOT_A_JK_BMS}))
async def test_discovered_pack_is_added_after_a_problem(
    hass: HomeAssistant, probe: AsyncMock, problem: LinkProblem
) -> None:
    probe.side_effect = LinkError(problem)
    result = await go_on(hass, await discovered(hass), {})
    assert (result["step_id"], result["errors"]) == ("bluetooth_confirm", {"base": problem})
    assert "last advertisement" in said(result)["reason"]

    probe.side_effect = None
    result = await go_on(hass, result, {})
    assert result["step_id"] == "pack"
    assert (await go_on(hass, result, {}))["type"] is FlowResultType.CREATE_ENTRY


async def test_unexpected_error_is_told_and_logged(
    hass: HomeAssistant, probe: AsyncMock, caplog: pytest.LogCaptureFixture
) -> None:
    probe.side_effect = EOFError("the bus is gone")
    result = await go_on(hass, await discovered(hass), {})
    assert result["errors"] == {"base": "unknown"}
    assert "the bus is gone" in caplog.text
    probe.side_effect = None
    result = await go_on(hass, result, {})
    assert (await go_on(hass, result, {}))["type"] is FlowResultType.CREATE_ENTRY


async def test_discovered_device_that_is_no_board_ends_the_flow(hass: HomeAssistant, probe: AsyncMock) -> None:
    probe.side_effect = LinkError(LinkProblem.NOT_A_JK_BMS)
    result = await go_on(hass, await discovered(hass), {})
    assert (result["type"], result["reason"]) == (FlowResultType.ABORT, "not_a_jk_bms")
    assert result["description_placeholders"] == {"name": "Garage (3456)"}


async def test_user_picks_from_what_is_near(hass: HomeAssistant, entry: MockConfigEntry, scan: AsyncMock) -> None:
    hear(advertisement())
    hear(advertisement("C8:47:80:00:00:0A", "Far", rssi=-90))
    hear(advertisement(SECOND_ADDRESS, "Near", rssi=-50, manufacturer_data={JK: b"\0\1"}))
    hear(advertisement("AA:00:00:00:00:01", "JK_Toy", manufacturer_data={}))
    result = await picking(hass)
    scan.assert_awaited_once()
    assert offered(result) == ["Near (20:21:11:00:00:02, -50 dBm)", "Far (C8:47:80:00:00:0A, -90 dBm)"]

    result = await go_on(hass, result, {CONF_ADDRESS: SECOND_ADDRESS})
    assert (result["step_id"], said(result)["name"]) == ("pack", "Near")
    result = await go_on(hass, result, {})
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert result["data"] == {CONF_ADDRESS: SECOND_ADDRESS}
    assert result["title"] == "Garage (0002)", "both packs call themselves Garage"
    assert entry.title == "Garage"


@pytest.mark.usefixtures("scan")
@pytest.mark.parametrize("typed", [" c8:47:80:12:34:56 ", "C8-47-80-12-34-56"])
async def test_user_types_an_address(hass: HomeAssistant, typed: str) -> None:
    result = await picking(hass)
    assert offered(result) == []
    result = await go_on(hass, result, {CONF_ADDRESS: "C8:47:80"})
    assert (result["step_id"], result["errors"]) == ("pick", {CONF_ADDRESS: "invalid_address"})
    result = await go_on(hass, result, {CONF_ADDRESS: typed})
    assert (result["step_id"], said(result)["name"]) == ("pack", ADDRESS)
    result = await go_on(hass, result, {})
    assert (result["type"], result["result"].unique_id) == (FlowResultType.CREATE_ENTRY, ADDRESS)


@pytest.mark.usefixtures("scan")
@pytest.mark.parametrize("problem", sorted(set(LinkProblem) - PAIRING_PROBLEMS))
async def test_user_goes_on_after_a_problem(hass: HomeAssistant, probe: AsyncMock, problem: LinkProblem) -> None:
    probe.side_effect = LinkError(problem)
    result = await go_on(hass, await picking(hass), {CONF_ADDRESS: ADDRESS})
    assert (result["step_id"], result["errors"]) == ("pick", {"base": problem})
    assert said(result)["reason"]
    schema = result["data_schema"]
    assert schema
    assert next(iter(schema.schema)).description == {"suggested_value": ADDRESS}

    result = await go_on(hass, result, {CONF_ADDRESS: "nonsense"})
    assert result["errors"] == {CONF_ADDRESS: "invalid_address"}
    probe.side_effect = None
    result = await go_on(hass, result, {CONF_ADDRESS: ADDRESS})
    assert (await go_on(hass, result, {}))["type"] is FlowResultType.CREATE_ENTRY


@pytest.mark.usefixtures("scan", "entry")
async def test_user_types_the_address_of_a_known_pack(hass: HomeAssistant, probe: AsyncMock) -> None:
    result = await go_on(hass, await picking(hass), {CONF_ADDRESS: ADDRESS})
    assert (result["type"], result["reason"]) == (FlowResultType.ABORT, "already_configured")
    probe.assert_not_awaited()


@pytest.mark.usefixtures("scan")
async def test_pack_added_meanwhile_is_not_added_twice(hass: HomeAssistant) -> None:
    first = await go_on(hass, await picking(hass), {CONF_ADDRESS: ADDRESS})
    MockConfigEntry(domain=DOMAIN, unique_id=ADDRESS).add_to_hass(hass)
    result = await go_on(hass, first, {})
    assert (result["type"], result["reason"]) == (FlowResultType.ABORT, "already_configured")


@pytest.mark.usefixtures("scan")
async def test_ignored_pack_can_be_picked(hass: HomeAssistant) -> None:
    MockConfigEntry(domain=DOMAIN, unique_id=ADDRESS, source=SOURCE_IGNORE).add_to_hass(hass)
    hear(advertisement())
    result = await picking(hass)
    assert offered(result) == [f"Garage ({ADDRESS}, -60 dBm)"]
    result = await go_on(hass, result, {CONF_ADDRESS: ADDRESS})
    result = await go_on(hass, result, {})
    assert result["type"] is FlowResultType.CREATE_ENTRY


@pytest.mark.parametrize(
    ("read", "title"),
    [
        (a_probe(device_name="", serial_number="40110480520"), "JK_PB2A16S20P"),
        (a_probe(device_name="40110480520-01", serial_number="40110480520"), "JK_PB2A16S20P"),
        (a_probe(device_name="Garage 2"), "Garage 2"),
        (a_probe(device_name="", model=""), "JK BMS"),
    ],
    ids=["no name", "serial number as name", "own name", "says nothing"],
)
async def test_title(hass: HomeAssistant, probe: AsyncMock, read: Probe, title: str) -> None:
    probe.return_value = read
    result = await go_on(hass, await discovered(hass), {})
    assert (await go_on(hass, result, {}))["title"] == title


@pytest.mark.parametrize(
    ("read", "voltage", "soc"),
    [
        (a_probe(pack_voltage_v=None, state_of_charge_pct=None), "10.05", "-"),
        (a_probe(state_of_charge_pct=0), "53.21", "0"),
    ],
    ids=["JK04", "empty"],
)
async def test_what_a_board_does_not_measure(
    hass: HomeAssistant, probe: AsyncMock, read: Probe, voltage: str, soc: str
) -> None:
    probe.return_value = read
    result = await go_on(hass, await discovered(hass), {})
    assert (said(result)["voltage"], said(result)["soc"]) == (voltage, soc)


@pytest.mark.usefixtures("scan")
async def test_probe_asks_for_the_device_when_it_needs_it(hass: HomeAssistant, probe: AsyncMock) -> None:
    await go_on(hass, await picking(hass), {CONF_ADDRESS: ADDRESS})
    name, find_device = probe.await_args_list[0].args
    assert name == f"pack …{ADDRESS[-5:]}", "the log gets no name and no address"
    assert find_device() is None
    hear(advertisement())
    assert find_device().address == ADDRESS


async def test_reconfigure_lets_go_reads_and_reloads(
    hass: HomeAssistant, entry: MockConfigEntry, probe: AsyncMock, setup_entry: AsyncMock, unload_entry: AsyncMock
) -> None:
    assert await hass.config_entries.async_setup(entry.entry_id)
    states = []

    async def read(*_: object, **_options: object) -> Probe:
        states.append(entry.state)
        return a_probe()

    probe.side_effect = read
    result = await entry.start_reconfigure_flow(hass)
    assert (result["type"], result["step_id"]) == (FlowResultType.FORM, "reconfigure")
    result = await go_on(hass, result, {})
    assert (result["step_id"], said(result)["name"]) == ("pack", NAME)
    result = await go_on(hass, result, {})
    assert (result["type"], result["reason"]) == (FlowResultType.ABORT, "reconfigure_successful")
    await hass.async_block_till_done()
    assert states == [ConfigEntryState.NOT_LOADED]
    assert entry.state is ConfigEntryState.LOADED
    assert setup_entry.await_count == 2
    unload_entry.assert_awaited_once()


@pytest.mark.parametrize("problem", sorted(set(LinkProblem) - PAIRING_PROBLEMS))
async def test_reconfigure_goes_on_after_a_problem(
    hass: HomeAssistant, entry: MockConfigEntry, probe: AsyncMock, problem: LinkProblem
) -> None:
    assert await hass.config_entries.async_setup(entry.entry_id)
    probe.side_effect = LinkError(problem)
    result = await go_on(hass, await entry.start_reconfigure_flow(hass), {})
    assert (result["step_id"], result["errors"]) == ("reconfigure", {"base": problem})
    assert entry.state is ConfigEntryState.LOADED
    probe.side_effect = None
    result = await go_on(hass, result, {})
    result = await go_on(hass, result, {})
    assert result["reason"] == "reconfigure_successful"


async def test_reconfigure_given_up_leaves_the_pack_loaded(
    hass: HomeAssistant, entry: MockConfigEntry, probe: AsyncMock
) -> None:
    assert await hass.config_entries.async_setup(entry.entry_id)
    reading = asyncio.Event()

    async def endless(*_: object, **_options: object) -> None:
        reading.set()
        await asyncio.Event().wait()

    probe.side_effect = endless
    result = await entry.start_reconfigure_flow(hass)
    result = await hass.config_entries.flow.async_configure(result["flow_id"], {})
    await reading.wait()
    states = [entry.state]
    hass.config_entries.flow.async_abort(result["flow_id"])
    await hass.async_block_till_done()
    states.append(entry.state)
    assert states == [ConfigEntryState.NOT_LOADED, ConfigEntryState.LOADED]


# The pass code


@pytest.fixture
def wants_passcode(probe: AsyncMock) -> list[str | None]:
    """Let the pack refuse every pass code but 1234; return what it is told."""
    told: list[str | None] = []

    async def refuse(*_: object, passcode: str | None) -> Probe:
        told.append(passcode)
        match passcode:
            case None:
                raise LinkError(LinkProblem.PAIRING_NEEDED)
            case "1234":
                return a_probe()
        raise LinkError(LinkProblem.WRONG_PASSCODE)

    probe.side_effect = refuse
    return told


async def test_new_pack_that_wants_a_passcode(hass: HomeAssistant, wants_passcode: list[str | None]) -> None:
    result = await go_on(hass, await discovered(hass), {})
    assert (result["step_id"], result["errors"]) == ("passcode", {}), "a question, no mistake"
    (field,) = shown(result)
    assert field["selector"]["text"]["type"] == "password"
    assert said(result)["name"]

    for wrong in ("abc", "1234567", ""):
        result = await go_on(hass, result, {"passcode": wrong})
        assert (result["step_id"], result["errors"]) == ("passcode", {"passcode": "invalid_passcode"})
    result = await go_on(hass, result, {"passcode": "4321"})
    assert (result["step_id"], result["errors"]) == ("passcode", {"base": LinkProblem.WRONG_PASSCODE})
    result = await go_on(hass, result, {"passcode": " 1234 "})
    assert result["step_id"] == "pack"
    result = await go_on(hass, result, {})
    assert result["result"].data == {CONF_ADDRESS: ADDRESS, "passcode": "1234"}
    assert wants_passcode == [None, "4321", "1234"]


async def test_passcode_that_cannot_be_entered(hass: HomeAssistant, probe: AsyncMock) -> None:
    probe.side_effect = LinkError(LinkProblem.PAIRING_NEEDED)
    result = await go_on(hass, await discovered(hass), {})
    probe.side_effect = LinkError(LinkProblem.PASSCODE_NOT_ASKED)
    result = await go_on(hass, result, {"passcode": "1234"})
    assert result["errors"] == {"base": LinkProblem.PASSCODE_NOT_ASKED}
    probe.side_effect = LinkError(LinkProblem.OUT_OF_RANGE)
    result = await go_on(hass, result, {"passcode": "1234"})
    assert (result["step_id"], result["errors"]) == ("passcode", {"base": LinkProblem.OUT_OF_RANGE})


async def test_reauth(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    wants_passcode: list[str | None],
    setup_entry: AsyncMock,
    caplog: pytest.LogCaptureFixture,
) -> None:
    hass.config_entries.async_update_entry(entry, data={**entry.data, "passcode": "4321", "other": 1})
    assert await hass.config_entries.async_setup(entry.entry_id)
    result = await entry.start_reauth_flow(hass)
    assert (result["type"], result["step_id"], result["errors"]) == (FlowResultType.FORM, "reauth_confirm", {})
    assert said(result)["name"] == NAME
    assert "4321" not in str(result)

    result = await go_on(hass, result, {"passcode": "5678"})
    assert (result["step_id"], result["errors"]) == ("reauth_confirm", {"base": LinkProblem.WRONG_PASSCODE})
    assert entry.state is ConfigEntryState.LOADED
    assert entry.data["passcode"] == "4321", "what is known to be wrong is not kept"

    result = await go_on(hass, result, {"passcode": "1234"})
    assert (result["type"], result["reason"]) == (FlowResultType.ABORT, "reauth_successful")
    await hass.async_block_till_done()
    assert entry.data == {CONF_ADDRESS: ADDRESS, "passcode": "1234", "other": 1}
    assert entry.state is ConfigEntryState.LOADED
    assert setup_entry.await_count == 3
    assert wants_passcode == ["5678", "1234"]
    assert not [code for code in ("5678", "4321") if code in caplog.text]


async def test_reconfigure_knows_the_passcode(
    hass: HomeAssistant, entry: MockConfigEntry, wants_passcode: list[str | None]
) -> None:
    hass.config_entries.async_update_entry(entry, data={**entry.data, "passcode": "4321"})
    result = await go_on(hass, await entry.start_reconfigure_flow(hass), {})
    assert (result["step_id"], result["errors"]) == ("passcode", {"base": LinkProblem.WRONG_PASSCODE})
    result = await go_on(hass, await go_on(hass, result, {"passcode": "1234"}), {})
    assert result["reason"] == "reconfigure_successful"
    assert entry.data["passcode"] == "1234"
    assert wants_passcode == ["4321", "1234"]
