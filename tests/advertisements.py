"""Advertisements as Home Assistant's Bluetooth hands them on."""

from __future__ import annotations

from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementData
from bluetooth_data_tools import monotonic_time_coarse
from habluetooth import BluetoothServiceInfoBleak, get_manager

ADDRESS = "C8:47:80:12:34:56"
NAME = "Garage"
SOURCE = "02:00:00:00:00:01"
FFE0 = "0000ffe0-0000-1000-8000-00805f9b34fb"
JIKONG = 0x0B65
JK = 0x4B4A


def advertisement(
    address: str = ADDRESS,
    name: str | None = NAME,
    *,
    rssi: int = -60,
    manufacturer_data: dict[int, bytes] | None = None,
    service_uuids: tuple[str, ...] = (FFE0,),
    connectable: bool = True,
) -> BluetoothServiceInfoBleak:
    """Return one; unless told otherwise that of a board with the usual module, its address inside."""
    if manufacturer_data is None:
        manufacturer_data = {JIKONG: b"\x88\xa0" + bytes.fromhex(address.replace(":", ""))}
    return BluetoothServiceInfoBleak(
        name=name or address,
        address=address,
        rssi=rssi,
        manufacturer_data=manufacturer_data,
        service_data={},
        service_uuids=list(service_uuids),
        source=SOURCE,
        device=BLEDevice(address, name, {}),
        advertisement=AdvertisementData(name, manufacturer_data, {}, list(service_uuids), None, rssi, ()),
        connectable=connectable,
        time=monotonic_time_coarse(),
        tx_power=None,
    )


def hear(info: BluetoothServiceInfoBleak) -> None:
    """Let Home Assistant hear an advertisement."""
    get_manager().scanner_adv_received(info)
