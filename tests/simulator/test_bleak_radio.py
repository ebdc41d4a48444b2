"""The in-process radio under the real `bleak_retry_connector`, and under Home Assistant's Bluetooth manager."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from itertools import repeat
from unittest.mock import AsyncMock, patch

import bleak_retry_connector
import pytest
from bleak.exc import BleakError, BleakGATTProtocolError
from bleak_retry_connector import (
    BleakNotFoundError,
    BleakOutOfConnectionSlotsError,
    establish_connection,
)
from homeassistant.components import bluetooth
from homeassistant.core import HomeAssistant

from simulator.bleak_radio import Air, AirScanner, ConnectFault, FakeBleakClient, Stack

from .echo import FFE0, FFE1, NOTIFY_HANDLE, WRITE_HANDLE, Echo


@pytest.fixture
def echo() -> Echo:
    return Echo()


@pytest.fixture
def air(echo: Echo) -> Air:
    return Air([echo])


@pytest.fixture(autouse=True)
def backoff() -> Iterator[AsyncMock]:
    """Skip the pauses between attempts to connect."""
    with patch.object(bleak_retry_connector, "wait_for_disconnect", AsyncMock()) as pause:
        yield pause


async def connect(air: Air, echo: Echo, lost: list[FakeBleakClient] | None = None) -> FakeBleakClient:
    return await establish_connection(
        FakeBleakClient,
        air.device(echo.address),
        echo.name,
        disconnected_callback=None if lost is None else lost.append,
        ble_device_callback=lambda: air.device(echo.address),
    )


async def settle() -> None:
    await asyncio.sleep(0)


async def test_writes_come_back_as_notifications(air: Air, echo: Echo) -> None:
    client = await connect(air, echo)
    received: list[tuple[int, bytearray]] = []
    await client.start_notify(NOTIFY_HANDLE, lambda char, data: received.append((char.handle, data)))
    await client.write_gatt_char(WRITE_HANDLE, bytes(range(25)), response=False)
    assert received == []
    await settle()
    assert received == [(NOTIFY_HANDLE, bytearray(range(20))), (NOTIFY_HANDLE, bytearray(range(20, 25)))]

    await client.stop_notify(NOTIFY_HANDLE)
    await client.write_gatt_char(WRITE_HANDLE, b"unheard", response=True)
    await settle()
    assert len(received) == 2
    assert echo.written[-1] == b"unheard"


async def test_services_are_bleaks_own(air: Air, echo: Echo) -> None:
    echo.mtu = 247
    client = await connect(air, echo)
    assert client.mtu_size == 247
    service = client.services.get_service(FFE0)
    assert service is not None
    assert [(char.uuid, char.handle, char.properties) for char in service.characteristics] == [
        (FFE1, WRITE_HANDLE, ["write-without-response", "write"]),
        (FFE1, NOTIFY_HANDLE, ["notify"]),
    ]
    assert service.characteristics[0].max_write_without_response_size == 244
    with pytest.raises(BleakError, match="Multiple Characteristics"):
        await client.start_notify(FFE1, lambda *_: None)
    with pytest.raises(BleakError, match="notify or indicate"):
        await client.start_notify(WRITE_HANDLE, lambda *_: None)


async def test_connected_device_is_off_the_air_for_everyone(air: Air, echo: Echo) -> None:
    assert air.advertised() == [echo]
    client = await connect(air, echo)
    assert air.advertised() == []
    with pytest.raises(BleakNotFoundError):
        await connect(air, echo)
    await client.disconnect()
    assert air.advertised() == [echo]
    await (await connect(air, echo)).disconnect()


@pytest.mark.parametrize("by_device", [True, False])
async def test_loss_is_told_once(air: Air, echo: Echo, by_device: bool) -> None:
    lost: list[FakeBleakClient] = []
    client = await connect(air, echo, lost)
    if by_device:
        assert echo.drop
        echo.drop()
        assert lost == []
        await settle()
    else:
        await client.disconnect()
    assert lost == [client]
    assert not client.is_connected
    await client.disconnect()
    assert lost == [client]
    with pytest.raises(BleakError):
        await client.write_gatt_char(WRITE_HANDLE, b"", response=False)


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (ConnectFault.NOT_FOUND, BleakNotFoundError),
        (ConnectFault.NO_SLOT, BleakOutOfConnectionSlotsError),
        (ConnectFault.TIMEOUT, BleakNotFoundError),
    ],
)
async def test_lasting_fault_ends_in_its_error(
    air: Air, echo: Echo, fault: ConnectFault, error: type[BleakError]
) -> None:
    air.fail_connects(echo.address, repeat(fault))
    with pytest.raises(error) as raised:
        await connect(air, echo)
    assert type(raised.value) is error
    assert echo.connectable


async def test_passing_fault_is_retried(air: Air, echo: Echo, backoff: AsyncMock) -> None:
    air.fail_connects(echo.address, [ConnectFault.TIMEOUT, ConnectFault.NOT_FOUND])
    client = await connect(air, echo)
    assert client.is_connected
    assert backoff.await_count == 2


async def test_stall_lasts_until_cancelled(air: Air, echo: Echo) -> None:
    air.fail_connects(echo.address, [ConnectFault.STALL])
    attempt = asyncio.create_task(connect(air, echo))
    for _ in range(5):
        await settle()
    assert not attempt.done()
    attempt.cancel()
    with pytest.raises(asyncio.CancelledError):
        await attempt
    assert echo.connectable


async def test_link_dropped_at_once(air: Air, echo: Echo) -> None:
    air.fail_connects(echo.address, [ConnectFault.DROP])
    lost: list[FakeBleakClient] = []
    client = await connect(air, echo, lost)
    assert client.is_connected
    await settle()
    assert lost == [client]
    assert echo.connectable


async def test_device_out_of_reach(air: Air, echo: Echo) -> None:
    device = air.device(echo.address)
    air.peripherals.clear()
    with pytest.raises(BleakNotFoundError):
        await establish_connection(FakeBleakClient, device, echo.name)


async def test_stale_cache_hides_services_until_cleared(air: Air, echo: Echo) -> None:
    air.stale_caches.add(echo.address)
    client = await connect(air, echo)
    assert client.services.get_service(FFE0) is None
    assert await client.clear_cache()
    await client.disconnect()
    client = await connect(air, echo)
    assert client.services.get_service(FFE0)


@pytest.mark.parametrize(
    ("code", "words"), [(0x05, "error=5 description=Insufficient authentication"), (0x0F, "Insufficient encryption")]
)
async def test_refusal_in_the_words_of_a_proxy(air: Air, echo: Echo, code: int, words: str) -> None:
    echo.refuses = code
    client = await connect(air, echo)
    with pytest.raises(BleakError, match=words):
        await client.start_notify(NOTIFY_HANDLE, lambda *_: None)
    with pytest.raises(BleakError, match=words):
        await client.write_gatt_char(WRITE_HANDLE, b"x", response=True)
    await client.write_gatt_char(WRITE_HANDLE, b"x", response=False)
    assert echo.written == []

    await client.pair()
    await client.start_notify(NOTIFY_HANDLE, lambda *_: None)
    assert echo.subscribed == {NOTIFY_HANDLE}


async def test_refusal_in_the_words_of_bluez(echo: Echo) -> None:
    air = Air([echo], Stack.BLUEZ)
    echo.refuses = echo.pairing_error = 0x05
    client = await connect(air, echo)
    with pytest.raises(BleakGATTProtocolError) as refused:
        await client.start_notify(NOTIFY_HANDLE, lambda *_: None)
    assert refused.value.code == 0x05
    with pytest.raises(BleakError, match="AuthenticationFailed"):
        await client.pair()


async def test_pairing_that_fails_while_connecting_lets_go(air: Air, echo: Echo) -> None:
    echo.pairing_error = 0x05
    with pytest.raises(BleakError, match="Pairing failed due to error: 5"):
        await establish_connection(FakeBleakClient, air.device(echo.address), echo.name, pair=True)
    assert echo.connectable


async def test_nothing_can_be_read(air: Air, echo: Echo) -> None:
    client = await connect(air, echo)
    with pytest.raises(BleakError, match="Read not permitted"):
        await client.read_gatt_char(WRITE_HANDLE)


@pytest.mark.usefixtures("enable_bluetooth")
async def test_home_assistant_hears_and_connects(hass: HomeAssistant, air: Air, echo: Echo) -> None:
    scanner = AirScanner(air)
    unregister = bluetooth.async_register_scanner(hass, scanner)
    scanner.advertise()
    info = bluetooth.async_last_service_info(hass, echo.address)
    assert info is not None
    assert (info.name, info.rssi, info.service_uuids) == (echo.name, echo.rssi, [FFE0])
    assert info.manufacturer_data == echo.manufacturer_data

    device = bluetooth.async_ble_device_from_address(hass, echo.address, connectable=True)
    assert device is not None
    client = await establish_connection(bleak_retry_connector.BleakClientWithServiceCache, device, echo.name)
    received: list[bytearray] = []
    await client.start_notify(NOTIFY_HANDLE, lambda _, data: received.append(data))
    await client.write_gatt_char(WRITE_HANDLE, b"over Home Assistant", response=False)
    await settle()
    assert received == [b"over Home Assistant"]
    await client.disconnect()
    assert echo.connectable
    unregister()
