"""A radio for tests in one process: bleak's client classes, with simulated devices at the other end.

`Air` holds the devices. A `BLEDevice` of it works with `FakeBleakClient`, and `AirScanner` offers the same devices to
Home Assistant's Bluetooth manager, whose own wrapper then connects to them. Both use `AirClient`, a bleak backend, so
that everything above it is bleak's real code: resolving characteristics, the ambiguity of a UUID listed twice, retries.
"""

from __future__ import annotations

import asyncio
from collections.abc import Buffer, Callable, Iterable, Iterator
from enum import Enum, auto
from functools import partial
from typing import TYPE_CHECKING, Any, cast, override

from aioesphomeapi import BluetoothGATTError
from aioesphomeapi.api_pb2 import BluetoothGATTErrorResponse
from aioesphomeapi.core import BluetoothGATTAPIError
from bleak import BleakClient
from bleak.backends.characteristic import BleakGATTCharacteristic
from bleak.backends.client import BaseBleakClient, NotifyCallback
from bleak.backends.descriptor import BleakGATTDescriptor
from bleak.backends.device import BLEDevice
from bleak.backends.service import BleakGATTService, BleakGATTServiceCollection
from bleak.exc import BleakDBusError, BleakDeviceNotFoundError, BleakError, BleakGATTProtocolError
from bleak.uuids import normalize_uuid_16, normalize_uuid_str
from bluetooth_data_tools import mac_to_int, monotonic_time_coarse
from habluetooth import BaseHaRemoteScanner, HaBluetoothConnector, usage

from .bluez import BlueZ, path_of
from .peripheral import GattError, Peripheral, Service

if TYPE_CHECKING:
    from bleak.assigned_numbers import CharacteristicPropertyName

DEFAULT_MTU = 23
ATT_HEADER_SIZE = 3
READ_NOT_PERMITTED = 0x02
KEY_MISSING = 0x06
GENERIC_ACCESS = Service(normalize_uuid_16(0x1800), 1, ())


class Stack(Enum):
    """Whose words an error has: an ESPHome proxy answers a GATT error otherwise than a local BlueZ adapter."""

    ESPHOME = auto()
    BLUEZ = auto()


class ConnectFault(Enum):
    """How one attempt to connect fails."""

    NOT_FOUND = auto()
    """The adapter has lost the device."""
    NO_SLOT = auto()
    """The proxy has no free connection slot."""
    TIMEOUT = auto()
    """The device doesn't answer; the time is taken as passed."""
    STALL = auto()
    """Nothing comes back until the caller gives up."""
    DROP = auto()
    """The link comes up and is lost at once."""


class Air:
    """The simulated devices in reach, and what goes wrong when one connects to them."""

    def __init__(self, peripherals: Iterable[Peripheral] = (), stack: Stack = Stack.ESPHOME) -> None:
        self.peripherals = {peripheral.address: peripheral for peripheral in peripherals}
        self.stack = stack
        self.bonds: set[str] = set()
        """Addresses that the adapter or proxy has a bond with, whether or not the devices know of it still."""
        self.bluez = BlueZ(self.bonds)
        self.stale_caches: set[str] = set()
        """Addresses whose services come out of a stale cache, without their own, until a client clears it."""
        self._faults: dict[str, Iterator[ConnectFault]] = {}

    def device(self, address: str) -> BLEDevice:
        """Return what a scanner would hand out for the device."""
        details: dict[str, object] = {"air": self}
        if self.stack is Stack.BLUEZ:
            details["path"] = path_of(address)
        return BLEDevice(address, self.peripherals[address].name, details)

    def advertised(self) -> list[Peripheral]:
        """Return the devices that can be heard: in range, and held by no client."""
        return [peripheral for peripheral in self.peripherals.values() if peripheral.connectable]

    def fail_connects(self, address: str, faults: Iterable[ConnectFault]) -> None:
        """Let each coming attempt to connect meet the next of the faults; once they are used up it works again."""
        self._faults[address] = iter(faults)

    def next_fault(self, address: str) -> ConnectFault | None:
        """Take the fault that the present attempt meets, None if it meets none."""
        return next(self._faults.get(address, iter(())), None)


class AirClient(BaseBleakClient):
    """A bleak backend that reaches the devices of the air.

    Notifications and a loss of the link arrive from the event loop, in order, never inside the call that caused them.
    """

    def __init__(
        self,
        address_or_ble_device: BLEDevice,
        *,
        air: Air,
        disconnected_callback: Callable[[], None] | None,
        timeout: float,
        **_: object,
    ) -> None:
        super().__init__(address_or_ble_device, disconnected_callback=disconnected_callback, timeout=timeout)
        self._air = air
        self._name = address_or_ble_device.name or address_or_ble_device.address
        self._peripheral: Peripheral | None = None
        self._notify_callbacks: dict[int, NotifyCallback] = {}

    @property
    @override
    def name(self) -> str:
        return self._name

    @property
    @override
    def mtu_size(self) -> int:
        return self._peripheral.mtu if self._peripheral else DEFAULT_MTU

    @property
    @override
    def is_connected(self) -> bool:
        return self._peripheral is not None

    @override
    async def connect(self, pair: bool, **kwargs: Any) -> None:
        """Connect, or raise what a real backend raises for the fault at hand; `pair` bonds before discovery."""
        await asyncio.sleep(0)
        fault = self._air.next_fault(self.address)
        peripheral = self._air.peripherals.get(self.address)
        if fault is ConnectFault.NOT_FOUND or peripheral is None:
            raise BleakDeviceNotFoundError(self.address, f"Device with address {self.address} was not found.")
        if fault is ConnectFault.NO_SLOT:
            raise TimeoutError("air: No free BLE connection slot became available (limit=3, in use=3)")
        if fault is ConnectFault.STALL:
            await asyncio.Event().wait()
        if fault is ConnectFault.TIMEOUT or not peripheral.connectable:
            raise TimeoutError(f"Timeout waiting for connect response while connecting to {self.address}")
        peripheral.connected(self._notify_soon, self._lose_soon)
        self._peripheral = peripheral
        if pair:
            try:
                await self.pair()
            except BaseException:
                await self.disconnect()
                raise
        stale = self.address in self._air.stale_caches
        self.services = _collection((GENERIC_ACCESS,) if stale else peripheral.services, peripheral.mtu)
        if fault is ConnectFault.DROP:
            self._lose_soon()

    @override
    async def disconnect(self) -> None:
        self._lost()

    def _lose_soon(self) -> None:
        asyncio.get_running_loop().call_soon(self._lost)

    def _lost(self) -> None:
        if self._peripheral is None:
            return
        self._peripheral.disconnected()
        self._peripheral = None
        self._notify_callbacks.clear()
        self.services = BleakGATTServiceCollection()
        if self._disconnected_callback:
            self._disconnected_callback()

    def _notify_soon(self, handle: int, data: bytes) -> None:
        asyncio.get_running_loop().call_soon(self._deliver, handle, data)

    def _deliver(self, handle: int, data: bytes) -> None:
        if callback := self._notify_callbacks.get(handle):
            callback(bytearray(data))

    def _connected(self) -> Peripheral:
        if self._peripheral is None:
            raise BleakError(f"{self.address} is not connected")
        return self._peripheral

    def _gatt_error(self, handle: int, code: int) -> BleakError:
        match self._air.stack:
            case Stack.ESPHOME:
                answer = BluetoothGATTErrorResponse(address=mac_to_int(self.address), handle=handle, error=code)
                return BleakError(str(BluetoothGATTAPIError(BluetoothGATTError.from_pb(answer))))
            case Stack.BLUEZ:
                return BleakGATTProtocolError(code)

    @override
    async def pair(self, *args: Any, **kwargs: Any) -> None:
        try:
            self._bond(self._connected())
        except GattError as error:
            match self._air.stack:
                case Stack.ESPHOME:
                    raise BleakError(f"Pairing failed due to error: {error.code}") from error
                case Stack.BLUEZ:
                    raise BleakDBusError("org.bluez.Error.AuthenticationFailed", ["Authentication Failed"]) from error

    @override
    async def unpair(self) -> None:
        """Forget the bond, as a proxy does; BlueZ forgets the device with it, which is its own story."""
        assert self._air.stack is Stack.ESPHOME
        self._connected()
        if self.address not in self._air.bonds:
            raise BleakError("Unpairing failed due to error: 0")
        self._air.bonds.discard(self.address)

    def _bond(self, peripheral: Peripheral) -> None:
        if self.address not in self._air.bonds:
            peripheral.pair(self._enter)
            self._air.bonds.add(self.address)
        elif self._air.stack is Stack.ESPHOME and not peripheral.bonded:
            raise GattError(KEY_MISSING)

    def _enter(self) -> int | None:
        return self._air.bluez.passkey(self.address) if self._air.stack is Stack.BLUEZ else None

    async def clear_cache(self) -> bool:
        """Forget the services; the next connection discovers them anew."""
        self._air.stale_caches.discard(self.address)
        return True

    @override
    async def read_gatt_char(
        self, characteristic: BleakGATTCharacteristic, *, use_cached: bool = False, **kwargs: Any
    ) -> bytearray:
        self._connected()
        raise self._gatt_error(characteristic.handle, READ_NOT_PERMITTED)

    @override
    async def read_gatt_descriptor(
        self, descriptor: BleakGATTDescriptor, *, use_cached: bool = False, **kwargs: Any
    ) -> bytearray:
        self._connected()
        raise self._gatt_error(descriptor.handle, READ_NOT_PERMITTED)

    @override
    async def write_gatt_char(self, characteristic: BleakGATTCharacteristic, data: Buffer, response: bool) -> None:
        """Write; without `response` a refusal of the device stays unknown, as on the air."""
        try:
            self._connected().write(characteristic.handle, bytes(data))
        except GattError as error:
            if response:
                raise self._gatt_error(characteristic.handle, error.code) from error

    @override
    async def write_gatt_descriptor(self, descriptor: BleakGATTDescriptor, data: Buffer) -> None:
        raise NotImplementedError("bleak itself keeps clients from the only descriptor there is")

    @override
    async def start_notify(
        self, characteristic: BleakGATTCharacteristic, callback: NotifyCallback, **kwargs: Any
    ) -> None:
        peripheral = self._connected()
        handle = characteristic.handle
        if not {"notify", "indicate"} & set(characteristic.properties):
            raise BleakError(f"Characteristic {characteristic.uuid} does not have notify or indicate property set.")
        if handle in self._notify_callbacks:
            raise BleakError(f"Notifications are already enabled on characteristic {characteristic.uuid}")
        self._notify_callbacks[handle] = callback
        try:
            peripheral.subscribe(handle, enabled=True)
        except GattError as error:
            del self._notify_callbacks[handle]
            raise self._gatt_error(handle, error.code) from error

    @override
    async def stop_notify(self, characteristic: BleakGATTCharacteristic) -> None:
        peripheral = self._connected()
        if self._notify_callbacks.pop(characteristic.handle, None):
            peripheral.subscribe(characteristic.handle, enabled=False)


class FakeBleakClient(usage.ORIGINAL_BLEAK_RETRY_CONNECTOR_CLIENT_WITH_SERVICE_CACHE):
    """bleak's client, with service cache, over the air its device came from.

    It derives from the class as it was before Home Assistant put its own wrapper in that place.
    """

    _backend: AirClient

    def __init__(
        self,
        address_or_ble_device: BLEDevice,
        disconnected_callback: Callable[[BleakClient], None] | None = None,
        services: Iterable[str] | None = None,
        *,
        timeout: float = 30,
        pair: bool = False,
        **_: object,
    ) -> None:
        super().__init__(
            address_or_ble_device,
            disconnected_callback,
            services,
            timeout=timeout,
            pair=pair,
            backend=AirClient,
            air=address_or_ble_device.details["air"],
        )

    @override
    async def clear_cache(self) -> bool:
        return await self._backend.clear_cache()


class AirScanner(BaseHaRemoteScanner):
    """A scanner for Home Assistant's Bluetooth manager that hears the air and connects through it."""

    def __init__(self, air: Air, source: str = "02:00:00:00:00:01", name: str = "air") -> None:
        client = cast("type[BaseBleakClient]", partial(AirClient, air=air))
        super().__init__(source, name, HaBluetoothConnector(client, source, lambda: True), connectable=True)
        self._air = air

    def advertise(self) -> None:
        """Let every device that can be heard send one advertisement."""
        for peripheral in self._air.advertised():
            self._async_on_advertisement(
                peripheral.address,
                peripheral.rssi,
                peripheral.name,
                [normalize_uuid_str(uuid) for uuid in peripheral.service_uuids],
                {},
                dict(peripheral.manufacturer_data),
                None,
                {},
                monotonic_time_coarse(),
            )


def _collection(services: Iterable[Service], mtu: int) -> BleakGATTServiceCollection:
    collection = BleakGATTServiceCollection()
    for service in services:
        bleak_service = BleakGATTService(service, service.handle, normalize_uuid_str(service.uuid))
        collection.add_service(bleak_service)
        for characteristic in service.characteristics:
            collection.add_characteristic(
                BleakGATTCharacteristic(
                    characteristic,
                    characteristic.handle,
                    normalize_uuid_str(characteristic.uuid),
                    cast("list[CharacteristicPropertyName]", list(characteristic.properties)),
                    lambda: mtu - ATT_HEADER_SIZE,
                    bleak_service,
                )
            )
    return collection
