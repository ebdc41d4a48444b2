"""The simulated proxy under ESPHome's own API client, and under the real Home Assistant integrations."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from unittest.mock import patch

import bleak_retry_connector
import pytest
from aioesphomeapi import BluetoothProxyFeature
from aioesphomeapi.api_pb2 import (
    BluetoothGATTNotifyDataResponse,
    BluetoothLERawAdvertisementsResponse,
)
from aioesphomeapi.client import APIClient
from aioesphomeapi.core import BluetoothConnectionDroppedError, BluetoothGATTAPIError, TimeoutAPIError
from aioesphomeapi.model import BluetoothScannerMode, BluetoothScannerState, BluetoothScannerStateResponse
from bleak.exc import BleakError
from bluetooth_data_tools import mac_to_int, parse_advertisement_data_bytes
from homeassistant.components import bluetooth
from homeassistant.config_entries import SOURCE_USER
from homeassistant.const import CONF_HOST, CONF_PORT
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from homeassistant.setup import async_setup_component

from simulator import proxy as proxy_module
from simulator.proxy import Proxy

from .echo import FFE0, FFE1, NOTIFY_HANDLE, WRITE_HANDLE, Echo

SWITCH_HANDLE = NOTIFY_HANDLE + 1
LOOPBACK = "127.0.0.1"
PROXY_MAC = "02:00:00:00:00:AA"

pytestmark = pytest.mark.usefixtures("socket_enabled")


@pytest.fixture(autouse=True)
def quick_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proxy_module, "ADVERTISING_INTERVAL_S", 0.01)


@pytest.fixture
def echoes() -> list[Echo]:
    return [Echo(address=f"C8:47:80:00:00:0{number}", name=f"JK_Echo{number}") for number in range(1, 4)]


@pytest.fixture
async def proxy(echoes: list[Echo]) -> AsyncIterator[Proxy]:
    proxy = Proxy("hall", PROXY_MAC, echoes, slots=2)
    await proxy.start()
    yield proxy
    await proxy.stop()


@pytest.fixture
async def client(proxy: Proxy) -> AsyncIterator[APIClient]:
    client = APIClient(LOOPBACK, proxy.port, None)
    await client.connect(login=True)
    yield client
    await client.disconnect()


class Watch:
    """Calls of a callback, to be waited for."""

    def __init__(self) -> None:
        self._calls: asyncio.Queue[tuple[object, ...]] = asyncio.Queue()

    def __call__(self, *args: object) -> None:
        self._calls.put_nowait(args)

    async def next(self) -> tuple[object, ...]:
        async with asyncio.timeout(5):
            return await self._calls.get()


async def connect(client: APIClient, echo: Echo) -> Watch:
    states = Watch()
    await client.bluetooth_device_connect(
        mac_to_int(echo.address), states, feature_flags=BluetoothProxyFeature.REMOTE_CACHING, address_type=0, timeout=5
    )
    assert await states.next() == (True, echo.mtu, 0)
    return states


async def subscribe(client: APIClient, echo: Echo, on_notify: Callable[[int, bytearray], None]) -> None:
    address = mac_to_int(echo.address)
    await client.bluetooth_gatt_start_notify(address, NOTIFY_HANDLE, on_notify)
    await client.bluetooth_gatt_write_descriptor(address, SWITCH_HANDLE, b"\x01\x00")


async def test_device_info(client: APIClient) -> None:
    info = await client.device_info()
    assert (info.name, info.mac_address, info.bluetooth_mac_address) == ("hall", PROXY_MAC, PROXY_MAC)
    assert client.api_version
    flags = BluetoothProxyFeature(info.bluetooth_proxy_feature_flags_compat(client.api_version))
    assert flags == BluetoothProxyFeature(0b1111111)
    assert await client.list_entities_services() == ([], [])


async def test_advertisements(client: APIClient, echoes: list[Echo]) -> None:
    echoes[0].service_uuids = (FFE0, "f000ffc0-0451-4000-b000-000000000000", "0000fee7-0000-1000-8000-00805f9b34fb")
    echoes[1].connectable = False
    batches: Watch = Watch()
    unsubscribe = client.subscribe_bluetooth_le_raw_advertisements(batches)
    for _ in range(2):
        (batch,) = await batches.next()
        assert isinstance(batch, BluetoothLERawAdvertisementsResponse)
        assert [adv.address for adv in batch.advertisements] == [mac_to_int(echoes[i].address) for i in (0, 2)]
        assert all(abs(adv.rssi - echoes[0].rssi) <= 3 for adv in batch.advertisements)
        name, uuids, _, manufacturer_data, _ = parse_advertisement_data_bytes(batch.advertisements[0].data)
        assert name == "JK_Echo1"
        assert set(uuids) == set(echoes[0].service_uuids)
        assert manufacturer_data == echoes[0].manufacturer_data
    unsubscribe()


async def test_scanner_state_follows_the_subscription(client: APIClient) -> None:
    states = Watch()
    client.subscribe_bluetooth_scanner_state(states)
    client.subscribe_bluetooth_le_raw_advertisements(lambda _: None)
    for mode in BluetoothScannerMode.ACTIVE, BluetoothScannerMode.PASSIVE:
        (state,) = await states.next()
        assert isinstance(state, BluetoothScannerStateResponse)
        assert (state.state, state.mode) == (BluetoothScannerState.RUNNING, mode)
        assert state.configured_mode is BluetoothScannerMode.ACTIVE
        client.bluetooth_scanner_set_mode(BluetoothScannerMode.PASSIVE)


async def test_services(client: APIClient, echoes: list[Echo]) -> None:
    await connect(client, echoes[0])
    (service,) = (await client.bluetooth_gatt_get_services(mac_to_int(echoes[0].address))).services
    assert (service.uuid, service.handle) == (FFE0, 1)
    write, notify = service.characteristics
    assert (write.uuid, write.handle, write.properties, write.descriptors) == (FFE1, WRITE_HANDLE, 0x0C, [])
    assert (notify.uuid, notify.handle, notify.properties) == (FFE1, NOTIFY_HANDLE, 0x10)
    (switch,) = notify.descriptors
    assert (switch.uuid, switch.handle) == ("00002902-0000-1000-8000-00805f9b34fb", SWITCH_HANDLE)


async def test_writes_come_back_as_notifications(client: APIClient, echoes: list[Echo]) -> None:
    echo = echoes[0]
    address = mac_to_int(echo.address)
    echo.mtu = 247
    await connect(client, echo)
    received = Watch()
    await subscribe(client, echo, received)
    frame = bytes(range(250)) + bytes(50)
    await client.bluetooth_gatt_write(address, WRITE_HANDLE, frame, response=False)
    assert await received.next() == (NOTIFY_HANDLE, bytearray(frame[:244]))
    assert await received.next() == (NOTIFY_HANDLE, bytearray(frame[244:]))
    await client.bluetooth_gatt_write(address, WRITE_HANDLE, b"answered", response=True)
    assert await received.next() == (NOTIFY_HANDLE, bytearray(b"answered"))

    await client.bluetooth_gatt_write_descriptor(address, SWITCH_HANDLE, b"\x00\x00")
    assert echo.subscribed == set()


async def test_notifications_need_both_the_proxy_and_the_device(client: APIClient, echoes: list[Echo]) -> None:
    address = mac_to_int(echoes[0].address)
    await connect(client, echoes[0])
    assert client._connection
    passed_on = Watch()
    client._connection.add_message_callback(passed_on, (BluetoothGATTNotifyDataResponse,))
    stop, _ = await client.bluetooth_gatt_start_notify(address, NOTIFY_HANDLE, lambda *_: None)
    await client.bluetooth_gatt_write(address, WRITE_HANDLE, b"device off", response=True)
    await client.bluetooth_gatt_write_descriptor(address, SWITCH_HANDLE, b"\x01\x00")
    await client.bluetooth_gatt_write(address, WRITE_HANDLE, b"both on", response=True)
    await stop()
    await client.bluetooth_gatt_write(address, WRITE_HANDLE, b"proxy off", response=True)
    await client.bluetooth_gatt_start_notify(address, NOTIFY_HANDLE, lambda *_: None)
    await client.bluetooth_gatt_write(address, WRITE_HANDLE, b"both again", response=True)
    for data in b"both on", b"both again":
        (message,) = await passed_on.next()
        assert isinstance(message, BluetoothGATTNotifyDataResponse)
        assert (message.address, message.handle, message.data) == (address, NOTIFY_HANDLE, data)


async def test_slots(client: APIClient, echoes: list[Echo]) -> None:
    slots = Watch()
    addresses = [mac_to_int(echo.address) for echo in echoes]
    client.subscribe_bluetooth_connections_free(slots)
    assert await slots.next() == (2, 2, [])
    await connect(client, echoes[0])
    assert await slots.next() == (1, 2, [addresses[0]])
    await connect(client, echoes[1])
    assert await slots.next() == (0, 2, addresses[:2])

    refused = Watch()
    await client.bluetooth_device_connect(
        addresses[2], refused, feature_flags=BluetoothProxyFeature.REMOTE_CACHING, address_type=0, timeout=5
    )
    assert await refused.next() == (False, 0, 0)
    assert echoes[2].connectable

    await client.bluetooth_device_disconnect(addresses[0], timeout=5)
    assert await slots.next() == (1, 2, [addresses[1]])
    assert [echo.connectable for echo in echoes] == [True, False, True]


async def test_slots_of_others(proxy: Proxy, client: APIClient) -> None:
    slots = Watch()
    client.subscribe_bluetooth_connections_free(slots)
    assert await slots.next() == (2, 2, [])
    proxy.occupy(2)
    free, limit, allocated = await slots.next()
    assert (free, limit) == (0, 2)
    assert isinstance(allocated, list)
    assert len(allocated) == 2
    proxy.occupy(0)
    assert await slots.next() == (2, 2, [])


async def test_disconnecting_what_is_not_connected_is_answered(client: APIClient, echoes: list[Echo]) -> None:
    await client.bluetooth_device_disconnect(mac_to_int(echoes[0].address), timeout=5)


@pytest.mark.parametrize(("by_device", "reason"), [(True, 0x13), (False, 0x08)])
async def test_dropped_link(proxy: Proxy, client: APIClient, echoes: list[Echo], by_device: bool, reason: int) -> None:
    states = await connect(client, echoes[0])
    if by_device:
        assert echoes[0].drop
        echoes[0].drop()
    else:
        proxy.drop(echoes[0].address)
    assert await states.next() == (False, 0, reason)
    assert echoes[0].connectable
    with pytest.raises(BluetoothGATTAPIError, match="error=-1"):
        await client.bluetooth_gatt_write(mac_to_int(echoes[0].address), WRITE_HANDLE, b"", response=True)
    await connect(client, echoes[0])


async def test_attempt_waits_for_the_device_and_holds_its_slot(client: APIClient, echoes: list[Echo]) -> None:
    slots = Watch()
    client.subscribe_bluetooth_connections_free(slots)
    assert await slots.next() == (2, 2, [])
    echoes[0].connectable = False
    attempt = asyncio.create_task(connect(client, echoes[0]))
    assert await slots.next() == (1, 2, [mac_to_int(echoes[0].address)])
    assert not attempt.done()
    echoes[0].connectable = True
    await attempt
    assert not echoes[0].connectable


async def test_no_answer(proxy: Proxy, client: APIClient, echoes: list[Echo]) -> None:
    slots = Watch()
    client.subscribe_bluetooth_connections_free(slots)
    assert await slots.next() == (2, 2, [])
    proxy.unanswered.add(echoes[0].address)
    with pytest.raises(TimeoutAPIError, match="disconnect timed out: False"):
        await client.bluetooth_device_connect(
            mac_to_int(echoes[0].address),
            lambda *_: None,
            feature_flags=BluetoothProxyFeature.REMOTE_CACHING,
            address_type=0,
            timeout=0.05,
        )
    assert echoes[0].connectable
    assert await slots.next() == (1, 2, [mac_to_int(echoes[0].address)])
    assert await slots.next() == (2, 2, [])


@pytest.mark.parametrize("code", [0x05, 0x0F])
async def test_refusals_until_paired(client: APIClient, echoes: list[Echo], code: int) -> None:
    echo = echoes[0]
    address = mac_to_int(echo.address)
    echo.refuses = echo.pairing_error = code
    await connect(client, echo)
    with pytest.raises(BluetoothGATTAPIError, match=f"handle={SWITCH_HANDLE} error={code} "):
        await subscribe(client, echo, lambda *_: None)
    with pytest.raises(BluetoothGATTAPIError, match=f"handle={WRITE_HANDLE} error={code} "):
        await client.bluetooth_gatt_write(address, WRITE_HANDLE, b"x", response=True)
    refused = await client.bluetooth_device_pair(address)
    assert (refused.paired, refused.error) == (False, code)

    echo.pairing_error = None
    assert not (await client.bluetooth_device_unpair(address)).success, "there is no bond yet"
    assert (await client.bluetooth_device_pair(address)).paired
    echo.bonded = False
    assert not (await client.bluetooth_device_pair(address)).paired, "the device has forgotten what the proxy knows"
    echo.bonded = True
    assert (await client.bluetooth_device_pair(address)).paired
    await client.bluetooth_gatt_write(address, WRITE_HANDLE, b"x", response=True)
    assert echo.written == [b"x"]
    assert (await client.bluetooth_device_unpair(address)).success
    assert (await client.bluetooth_device_clear_cache(address)).success


async def test_what_is_not_there(client: APIClient, echoes: list[Echo]) -> None:
    address = mac_to_int(echoes[0].address)
    with pytest.raises(BluetoothGATTAPIError, match="error=-1"):
        await client.bluetooth_gatt_get_services(address)
    await connect(client, echoes[0])
    with pytest.raises(BluetoothGATTAPIError, match="Read not permitted"):
        await client.bluetooth_gatt_read(address, NOTIFY_HANDLE)
    with pytest.raises(BluetoothGATTAPIError, match="Read not permitted"):
        await client.bluetooth_gatt_read_descriptor(address, SWITCH_HANDLE)
    with pytest.raises(BluetoothGATTAPIError, match="Invalid handle"):
        await client.bluetooth_gatt_write_descriptor(address, 99, b"\x01\x00")


async def test_connection_lost_while_waiting_for_an_answer(client: APIClient, echoes: list[Echo]) -> None:
    echo = echoes[0]
    await connect(client, echo)

    def drop() -> None:
        assert echo.drop
        echo.drop()

    with patch.object(echo, "pair", drop), pytest.raises(BluetoothConnectionDroppedError):
        await client.bluetooth_device_pair(mac_to_int(echo.address))


async def test_proxy_gone_and_back(proxy: Proxy, echoes: list[Echo]) -> None:
    gone = asyncio.Event()

    async def on_stop(_: bool) -> None:
        gone.set()

    client = APIClient(LOOPBACK, proxy.port, None)
    await client.connect(login=True, on_stop=on_stop)
    await connect(client, echoes[0])
    await proxy.stop()
    async with asyncio.timeout(5):
        await gone.wait()
    assert echoes[0].connectable

    await proxy.start(port=proxy.port)
    await client.connect(login=True)
    await connect(client, echoes[0])
    await client.disconnect()


async def test_client_that_leaves_lets_go_of_its_devices(proxy: Proxy, client: APIClient, echoes: list[Echo]) -> None:
    other = APIClient(LOOPBACK, proxy.port, None)
    await other.connect(login=True)
    await connect(other, echoes[0])
    with pytest.raises(BluetoothGATTAPIError, match="error=-1"):
        await client.bluetooth_gatt_get_services(mac_to_int(echoes[0].address))
    slots = Watch()
    client.subscribe_bluetooth_connections_free(slots)
    assert await slots.next() == (1, 2, [mac_to_int(echoes[0].address)])
    await other.disconnect()
    assert await slots.next() == (2, 2, [])
    assert echoes[0].connectable


async def test_two_proxies_share_a_device(client: APIClient, echoes: list[Echo]) -> None:
    second = Proxy("loft", "02:00:00:00:00:BB", echoes)
    await second.start()
    other = APIClient(LOOPBACK, second.port, None)
    await other.connect(login=True)
    await connect(client, echoes[0])
    batches = Watch()
    other.subscribe_bluetooth_le_raw_advertisements(batches)
    (batch,) = await batches.next()
    assert isinstance(batch, BluetoothLERawAdvertisementsResponse)
    assert mac_to_int(echoes[0].address) not in [adv.address for adv in batch.advertisements]
    attempt = asyncio.create_task(connect(other, echoes[0]))
    await client.bluetooth_device_disconnect(mac_to_int(echoes[0].address), timeout=5)
    await attempt
    await other.disconnect()
    await second.stop()


@pytest.mark.usefixtures("enable_bluetooth", "mock_async_zeroconf")
async def test_home_assistant_hears_and_connects_through_it(
    hass: HomeAssistant, proxy: Proxy, echoes: list[Echo]
) -> None:
    assert await async_setup_component(hass, "homeassistant", {})
    heard = asyncio.Event()
    cancel = bluetooth.async_register_callback(
        hass,
        lambda *_: heard.set(),
        bluetooth.BluetoothCallbackMatcher(address=echoes[0].address, connectable=True),
        bluetooth.BluetoothScanningMode.ACTIVE,
    )
    flow = await hass.config_entries.flow.async_init("esphome", context={"source": SOURCE_USER})
    flow = await hass.config_entries.flow.async_configure(flow["flow_id"], {CONF_HOST: LOOPBACK, CONF_PORT: proxy.port})
    assert flow["type"] is FlowResultType.CREATE_ENTRY
    async with asyncio.timeout(5):
        await heard.wait()
    cancel()

    infos = {info.address: info for info in bluetooth.async_discovered_service_info(hass)}
    assert {echo.address for echo in echoes} <= infos.keys()
    info = infos[echoes[0].address]
    assert (info.name, info.service_uuids, info.source) == ("JK_Echo1", [FFE0], PROXY_MAC)
    assert info.manufacturer_data == echoes[0].manufacturer_data

    device = bluetooth.async_ble_device_from_address(hass, echoes[0].address, connectable=True)
    assert device is not None
    lost = asyncio.Event()
    client = await bleak_retry_connector.establish_connection(
        bleak_retry_connector.BleakClientWithServiceCache, device, "echo", disconnected_callback=lambda _: lost.set()
    )
    with pytest.raises(BleakError, match="Multiple Characteristics"):
        await client.start_notify(FFE1, lambda *_: None)
    received = Watch()
    await client.start_notify(NOTIFY_HANDLE, lambda char, data: received(char.handle, data))
    await client.write_gatt_char(WRITE_HANDLE, b"over the proxy", response=False)
    assert await received.next() == (NOTIFY_HANDLE, bytearray(b"over the proxy"))
    assert not echoes[0].connectable

    proxy.drop(echoes[0].address)
    async with asyncio.timeout(5):
        await lost.wait()
    assert not client.is_connected
    assert await hass.config_entries.async_unload(flow["result"].entry_id)
    await hass.async_block_till_done()
