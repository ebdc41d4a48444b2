"""One pack from the link to the states: start, age of the data, when it is published, end."""

from __future__ import annotations

import logging
import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from unittest.mock import Mock, patch

import pytest
from bleak.backends.device import BLEDevice
from habluetooth import BluetoothServiceInfoBleak, get_manager
from homeassistant.components import bluetooth
from homeassistant.config_entries import ConfigEntryState
from homeassistant.const import (
    EVENT_HOMEASSISTANT_STOP,
    EVENT_STATE_CHANGED,
    EVENT_STATE_REPORTED,
    STATE_UNAVAILABLE,
    Platform,
)
from homeassistant.core import Event, HomeAssistant, callback
from homeassistant.helpers import device_registry as dr
from homeassistant.helpers.entity_component import async_update_entity

from custom_components.jk_bms import coordinator as module
from custom_components.jk_bms.bms.link import LinkMode, LinkProblem, LinkState
from custom_components.jk_bms.bms.receiver import Verdict

from .fake_link import FakeLink
from .pack_values import DEVICE_INFO_32S, SETTINGS_32S, telemetry_32s
from .packs import ADDRESS, PACK_32S, Packs

OF_LINK = [
    (Platform.SENSOR, "link_state"),
    (Platform.SENSOR, "carrier"),
    (Platform.SENSOR, "frames_rejected"),
    (Platform.SENSOR, "guardian_level"),
    (Platform.SENSOR, "thermal_level"),
    (Platform.SENSOR, "thermal_cause"),
    (Platform.SENSOR, "last_action"),
    (Platform.BINARY_SENSOR, "hazard_data"),
    (Platform.BINARY_SENSOR, "monitoring_lost"),
    (Platform.EVENT, "alarm"),
    (Platform.EVENT, "guardian_action"),
    (Platform.SELECT, "guardian_mode"),
    (Platform.SWITCH, "pause"),
    (Platform.BUTTON, "read_again"),
    (Platform.BUTTON, "acknowledge"),
]


def advertisement(rssi: int) -> BluetoothServiceInfoBleak:
    return BluetoothServiceInfoBleak(
        name="JK_Keller",
        address=ADDRESS,
        rssi=rssi,
        manufacturer_data={},
        service_data={},
        service_uuids=["0000ffe0-0000-1000-8000-00805f9b34fb"],
        source="local",
        device=BLEDevice(ADDRESS, "JK_Keller", {}),
        advertisement=Mock(),
        connectable=True,
        time=0,
        tx_power=None,
    )


def count_writes(hass: HomeAssistant) -> Callable[[], int]:
    """Count every state that is written from now on, also one that is as it was."""
    writes = 0

    @callback
    def count(_event: Event[Any]) -> None:
        nonlocal writes
        writes += 1

    @callback
    def every(_data: Any) -> bool:
        return True

    hass.bus.async_listen(EVENT_STATE_CHANGED, count)
    hass.bus.async_listen(EVENT_STATE_REPORTED, count, event_filter=every)
    return lambda: writes


async def test_link_is_made_as_the_options_say(packs: Packs) -> None:
    live = await packs.add(*PACK_32S)
    assert live.entry.state is ConfigEntryState.LOADED
    assert (live.link.mode, live.coordinator.pause_s) == (LinkMode.LIVE, 600)
    assert live.coordinator.stale_after_s == 20
    assert live.link.find_device() is None

    periodic = await packs.add(*PACK_32S, address="C8:47:80:00:00:02", mode="periodic", interval=300, pause_minutes=3)
    assert (periodic.link.mode, periodic.link.interval_s) == (LinkMode.PERIODIC, 300)
    assert periodic.coordinator.pause_s == 180
    assert periodic.coordinator.stale_after_s == 600


@pytest.mark.parametrize("problem", LinkProblem)
async def test_second_failure_ends_the_start(packs: Packs, problem: LinkProblem) -> None:
    pack = await packs.add(fails_with=problem)
    assert pack.entry.state is ConfigEntryState.SETUP_RETRY
    assert pack.entry.error_reason_translation_key == f"link_{problem}"


async def test_one_failure_is_forgiven(packs: Packs) -> None:
    with patch.object(FakeLink, "failing_attempts", 1):
        pack = await packs.add(*PACK_32S, fails_with=LinkProblem.CONNECTION_FAILED)
    assert pack.entry.state is ConfigEntryState.LOADED


@pytest.mark.parametrize(
    "values",
    [(), (DEVICE_INFO_32S, SETTINGS_32S), (SETTINGS_32S, telemetry_32s())],
    ids=["nothing", "no cells", "no info"],
)
async def test_start_waits_for_telemetry_and_device_info(packs: Packs, values: tuple[Any, ...]) -> None:
    with patch.object(module, "START_TIMEOUT_S", 0):
        pack = await packs.add(*values)
    assert pack.entry.state is ConfigEntryState.SETUP_RETRY


async def test_settings_are_not_waited_for(packs: Packs) -> None:
    pack = await packs.add(DEVICE_INFO_32S, telemetry_32s())
    assert pack.entity_id(Platform.SENSOR, "nominal_capacity") is None
    await pack.give(SETTINGS_32S)
    assert pack.value("nominal_capacity") == "280.0"


@pytest.mark.parametrize("known", [True, False], ids=["to the device", "before there is one"])
async def test_new_firmware_reaches_the_device(packs: Packs, hass: HomeAssistant, known: bool) -> None:
    new = replace(DEVICE_INFO_32S, model="JK_PB2A16S30P", hardware_version="15A", software_version="15.99")
    if known:
        pack = await packs.add(*PACK_32S)
        await pack.give(new)
    else:
        pack = await packs.add(DEVICE_INFO_32S, new, SETTINGS_32S, telemetry_32s())
    (device,) = dr.async_entries_for_config_entry(dr.async_get(hass), pack.entry.entry_id)
    assert (device.model, device.hw_version, device.sw_version) == ("JK_PB2A16S30P", "15A", "15.99")


async def test_only_what_may_be_believed_is_shown(packs: Packs) -> None:
    pack = await packs.add(*PACK_32S)
    for verdict in (Verdict.WAITING, Verdict.REJECTED):
        pack.link.give(telemetry_32s(state_of_charge_pct=3), verdict=verdict)
    pack.link.give(())
    assert pack.value("state_of_charge") == "60"
    assert pack.coordinator.state.telemetry.state_of_charge_pct == 60


async def test_data_too_old_is_not_shown(packs: Packs, hass: HomeAssistant, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "custom_components.jk_bms")
    pack = await packs.add(*PACK_32S)
    for _ in range(3):
        await packs.advance(19)
        assert pack.value("current") == "10.0"
        await pack.give(telemetry_32s())

    packs.tick(19)
    await packs.advance(1)
    shown = [state for state in hass.states.async_all() if state.state != STATE_UNAVAILABLE]
    assert {state.entity_id for state in shown} == {pack.entity_id(*key) for key in OF_LINK}
    await packs.advance(100)
    assert pack.coordinator.state.age_s == pytest.approx(120, abs=1)

    await pack.give(telemetry_32s(current_a=11.5))
    assert pack.value("current") == "11.5"
    await packs.advance(19)
    await pack.give(telemetry_32s())
    await packs.advance(19)
    assert pack.value("current") == "10.0"
    await packs.advance(1)
    assert pack.value("current") == STATE_UNAVAILABLE
    messages = told(caplog)
    assert len(messages) == 3
    assert "no data for 20 s" in messages[0]
    assert messages[1] == "Keller: the data is back"
    assert "no data for 20 s" in messages[2]


def told(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return what the coordinator has told the owner of the link."""
    messages = [record.getMessage() for record in caplog.records if record.levelno >= logging.INFO]
    return [message for message in messages if message.startswith("Keller")]


async def test_a_pause_is_no_loss(packs: Packs, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "custom_components.jk_bms")
    pack = await packs.add(*PACK_32S)
    await pack.link.pause(600)
    for _ in range(30):
        await packs.advance(20)
    assert pack.value("current") == STATE_UNAVAILABLE
    pack.link.report(state=LinkState.CONNECTING, paused_until_s=None)
    await packs.advance(10)
    await pack.give(telemetry_32s())
    assert pack.value("current") == "10.0"
    assert told(caplog) == []

    await pack.link.pause(60)
    await packs.advance(60)
    pack.link.report(state=LinkState.DISCONNECTED, problem=LinkProblem.BUSY, paused_until_s=None)
    await packs.advance(10)
    assert told(caplog) == []
    await packs.advance(110)
    assert told(caplog) == ["Keller: no data for 180 s, its entities are unavailable"]
    await pack.give(telemetry_32s())
    assert told(caplog)[1:] == ["Keller: the data is back"]


async def test_periodic_data_lasts_for_two_intervals(packs: Packs) -> None:
    pack = await packs.add(*PACK_32S, mode="periodic", interval=60)
    pack.link.report(state=LinkState.WAITING, source=None)
    await packs.advance(119)
    assert pack.value("current") == "10.0"
    assert pack.value("carrier") == "hci0"
    await packs.advance(1)
    assert pack.value("current") == STATE_UNAVAILABLE
    assert pack.value("link_state") == "waiting"


async def test_periodic_readings_are_all_published(packs: Packs) -> None:
    pack = await packs.add(*PACK_32S, mode="periodic", interval=60)
    packs.tick(59.8)
    await pack.give(telemetry_32s(current_a=10.2))
    assert pack.value("current") == "10.2"


async def test_small_changes_wait_for_their_turn(packs: Packs) -> None:
    pack = await packs.add(*PACK_32S, publish_interval=10)
    packs.tick(9.9)
    await pack.give(telemetry_32s(current_a=10.2, cycle_count=13, temperature_1_c=22.0))
    assert (pack.value("current"), pack.value("cycles"), pack.value("temperature_1")) == ("10.0", "13", "22.0")
    packs.tick(0.1)
    await pack.give(telemetry_32s(current_a=10.2))
    assert pack.value("current") == "10.2"
    packs.tick(0.5)
    await pack.give(telemetry_32s(current_a=10.4))
    assert pack.value("current") == "10.2"
    packs.tick(10)
    await pack.give(telemetry_32s(current_a=10.3))
    assert pack.value("current") == "10.2"


@pytest.mark.parametrize(
    ("key", "changes", "expected"),
    [
        ("current", {"current_a": 11.0}, "11.0"),
        ("power", {"current_a": 11.0}, "582.12"),
        ("pack_voltage", {"pack_voltage_v": 53.02}, "53.02"),
        ("temperature_1", {"temperature_1_c": 21.0}, "21.0"),
        ("state_of_charge", {"state_of_charge_pct": 61}, "61"),
    ],
)
async def test_significant_changes_come_at_once(packs: Packs, key: str, changes: dict[str, Any], expected: str) -> None:
    pack = await packs.add(*PACK_32S)
    packs.tick(0.5)
    await pack.give(telemetry_32s(**changes))
    assert pack.value(key) == expected


async def test_a_cell_that_moves_comes_at_once(packs: Packs) -> None:
    pack = await packs.add(*PACK_32S)
    cells_v = list(telemetry_32s().cell_voltages_v)
    for voltage_v, shown in ((3.307, "3.303"), (3.308, "3.308"), (3.304, "3.308"), (3.303, "3.303")):
        packs.tick(0.5)
        cells_v[3] = voltage_v
        await pack.give(telemetry_32s(tuple(cells_v)))
        assert pack.value("cell_4_voltage") == shown
    cells_v[3] = None
    await pack.give(telemetry_32s(tuple(cells_v)))
    assert pack.value("cell_4_voltage") == "unknown"


async def test_a_resting_pack_is_quiet(packs: Packs, hass: HomeAssistant) -> None:
    """An hour of two frames a second with ±1 mV and ±50 mA of noise; the issue allows 1,500 states."""
    pack = await packs.add(*PACK_32S)
    noise = random.Random(1)
    writes = count_writes(hass)
    charge_ah = 168.0
    for frame in range(7200):
        packs.tick(0.5)
        cells_v = tuple(round(3.3 + noise.choice((-0.001, 0, 0.001)), 3) for _ in range(16))
        pack.link.give(
            telemetry_32s(
                cells_v,
                counter=frame % 256,
                current_a=noise.randint(-50, 50) / 1000,
                temperature_1_c=21.5 + noise.choice((-0.1, 0, 0.1)),
                temperature_2_c=22.0 + noise.choice((-0.1, 0, 0.1)),
                mos_temperature_c=25.1 + noise.choice((-0.1, 0, 0.1)),
                remaining_capacity_ah=charge_ah,
                run_time_s=86_400 + frame // 2,
                system_up_time_s=86_400 + frame / 2,
                charge_state_time_s=600 + frame // 2,
            )
        )
        if frame % 40 == 0:
            await hass.async_block_till_done()
    await hass.async_block_till_done()
    assert 150 < writes() < 600


async def test_an_advertisement_reaches_the_link(packs: Packs) -> None:
    pack = await packs.add(*PACK_32S)
    assert pack.coordinator.state.signal_strength_dbm is None
    get_manager().scanner_adv_received(advertisement(-71))
    assert pack.link.heard_dbm == [-71]
    packs.tick(60)
    await pack.give(telemetry_32s())
    assert pack.coordinator.state.signal_strength_dbm == -71

    link = pack.link
    await pack.hass.config_entries.async_unload(pack.entry.entry_id)
    get_manager().scanner_adv_received(advertisement(-50))
    assert link.heard_dbm == [-71]


async def test_carrier_by_its_name(packs: Packs) -> None:
    pack = await packs.add(*PACK_32S)
    proxy = Mock(adapter="Proxy Keller")
    with patch.object(bluetooth, "async_scanner_by_source", return_value=proxy):
        pack.link.report(source="AA:BB:CC:00:00:01")
    assert pack.value("carrier") == "Proxy Keller"
    pack.link.report(state=LinkState.DISCONNECTED, problem=LinkProblem.OUT_OF_RANGE, source=None)
    assert pack.value("carrier") == "unknown"
    assert pack.value("link_state") == "disconnected"
    assert pack.get("link_state").attributes["problem"] == "out_of_range"


async def test_carrier_that_holds_the_connection(packs: Packs) -> None:
    """It need not be the one that heard the board best before."""
    idle = Mock(adapter="Proxy Idle", get_allocations=Mock(return_value=None))
    other = Mock(adapter="Proxy Other", get_allocations=Mock(return_value=Mock(allocated=["C8:47:80:00:00:02"])))
    holding = Mock(adapter="Proxy Holding", get_allocations=Mock(return_value=Mock(allocated=[ADDRESS])))
    with patch.object(bluetooth, "async_current_scanners", return_value=[idle, other, holding]):
        pack = await packs.add(*PACK_32S)
    assert pack.value("carrier") == "Proxy Holding"


async def test_rejected_frames_are_counted(packs: Packs) -> None:
    pack = await packs.add(*PACK_32S)
    pack.link.receiver.assembler.counters.bad_sum = 3
    packs.tick(60)
    await pack.give(telemetry_32s())
    assert pack.value("frames_rejected") == "3"
    assert pack.coordinator.state.frames_good == 4


async def test_a_refresh_by_home_assistant_changes_nothing(packs: Packs, hass: HomeAssistant) -> None:
    pack = await packs.add(*PACK_32S)
    before = pack.coordinator.state
    await async_update_entity(hass, pack.get("current").entity_id)
    await packs.advance(1)
    assert pack.coordinator.state is before


async def test_unload_and_stop_let_go(packs: Packs, hass: HomeAssistant) -> None:
    first = await packs.add(*PACK_32S)
    second = await packs.add(*PACK_32S, address="C8:47:80:00:00:02")
    links = first.link, second.link
    assert await hass.config_entries.async_unload(first.entry.entry_id)
    assert [link.started for link in links] == [False, True]
    hass.bus.async_fire(EVENT_HOMEASSISTANT_STOP)
    await hass.async_block_till_done()
    assert [link.started for link in links] == [False, False]


async def test_start_that_fails_lets_go(packs: Packs) -> None:
    links: list[FakeLink] = []
    with patch.object(FakeLink, "stop", autospec=True, side_effect=links.append):
        await packs.add(fails_with=LinkProblem.BUSY)
    assert [link.started for link in links] == [True]


async def test_two_packs_with_the_same_name(packs: Packs, hass: HomeAssistant) -> None:
    first = await packs.add(*PACK_32S)
    second = await packs.add(*PACK_32S, address="C8:47:80:00:00:02")
    await second.give(telemetry_32s(current_a=-20.0))
    assert (first.value("current"), second.value("current")) == ("10.0", "-20.0")
    await packs.advance(19)
    await second.give(telemetry_32s(current_a=-20.0))
    await packs.advance(2)
    assert (first.value("current"), second.value("current")) == (STATE_UNAVAILABLE, "-20.0")
