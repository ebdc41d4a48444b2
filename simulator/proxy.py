"""A simulated ESPHome Bluetooth proxy: Home Assistant reaches simulated devices through it as through a real one.

It speaks ESPHome's native API in plaintext over TCP: each message is 0x00, the length and the number of the message as
varints, then protobuf. Messages and their numbers come from `aioesphomeapi`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from random import Random
from typing import Protocol, cast, override
from uuid import UUID

from aioesphomeapi import BluetoothProxyFeature
from aioesphomeapi.api_pb2 import (
    BluetoothConnectionsFreeResponse,
    BluetoothDeviceClearCacheResponse,
    BluetoothDeviceConnectionResponse,
    BluetoothDevicePairingResponse,
    BluetoothDeviceRequest,
    BluetoothDeviceUnpairingResponse,
    BluetoothGATTCharacteristic,
    BluetoothGATTDescriptor,
    BluetoothGATTErrorResponse,
    BluetoothGATTGetServicesDoneResponse,
    BluetoothGATTGetServicesRequest,
    BluetoothGATTGetServicesResponse,
    BluetoothGATTNotifyDataResponse,
    BluetoothGATTNotifyRequest,
    BluetoothGATTNotifyResponse,
    BluetoothGATTReadDescriptorRequest,
    BluetoothGATTReadRequest,
    BluetoothGATTService,
    BluetoothGATTWriteDescriptorRequest,
    BluetoothGATTWriteRequest,
    BluetoothGATTWriteResponse,
    BluetoothLERawAdvertisement,
    BluetoothLERawAdvertisementsResponse,
    BluetoothScannerSetModeRequest,
    BluetoothScannerStateResponse,
    DeviceInfoRequest,
    DeviceInfoResponse,
    DisconnectRequest,
    DisconnectResponse,
    HelloRequest,
    HelloResponse,
    ListEntitiesDoneResponse,
    ListEntitiesRequest,
    PingRequest,
    PingResponse,
    SubscribeBluetoothConnectionsFreeRequest,
    SubscribeBluetoothLEAdvertisementsRequest,
    UnsubscribeBluetoothLEAdvertisementsRequest,
)
from aioesphomeapi.ble_defs import BLEConnectionError
from aioesphomeapi.core import MESSAGE_TYPE_TO_PROTO
from aioesphomeapi.model import BluetoothDeviceRequestType, BluetoothScannerMode, BluetoothScannerState
from bleak.assigned_numbers import CHARACTERISTIC_PROPERTIES, AdvertisementDataType
from bleak.uuids import normalize_uuid_16, normalize_uuid_str
from bluetooth_data_tools import mac_to_int

from .peripheral import GattError, Peripheral, Service

API_VERSION = (1, 10)
ESPHOME_VERSION = "2026.10.0"
FEATURES = (
    BluetoothProxyFeature.PASSIVE_SCAN
    | BluetoothProxyFeature.ACTIVE_CONNECTIONS
    | BluetoothProxyFeature.REMOTE_CACHING
    | BluetoothProxyFeature.PAIRING
    | BluetoothProxyFeature.CACHE_CLEARING
    | BluetoothProxyFeature.RAW_ADVERTISEMENTS
    | BluetoothProxyFeature.FEATURE_STATE_AND_MODE
)
ADVERTISING_INTERVAL_S = 1.0
RSSI_SPREAD_DB = 3
PUBLIC_ADDRESS = 0
GENERAL_DISCOVERABLE_LE_ONLY = b"\x06"
NOTIFICATION_SWITCH = normalize_uuid_16(0x2902)
INVALID_HANDLE = 0x01
READ_NOT_PERMITTED = 0x02
KEY_MISSING = 0x06
NOT_CONNECTED = -1
"""ESPHome's own code beside those of ATT."""


class Message(Protocol):
    """A protobuf message; the library brings no types of them."""

    def SerializeToString(self) -> bytes:  # noqa: N802 - as protobuf has it
        """Return the message as it travels."""


@dataclass(eq=False, slots=True)
class Link:
    """A connection slot in use: by a connection, or by an attempt at one."""

    address: int
    session: Session
    peripheral: Peripheral | None = None
    """None while the device hasn't answered."""
    notifying: set[int] = field(default_factory=set)

    def notify(self, handle: int, data: bytes) -> None:
        """Pass a notification on if the client asked for those of this characteristic."""
        if handle in self.notifying:
            self.session.send(BluetoothGATTNotifyDataResponse(address=self.address, handle=handle, data=data))


class Proxy:
    """A proxy that hears, and connects to, the given devices.

    Several proxies may share a device; one of them at a time holds it. A connection takes one of `slots`, an attempt
    at one too, which lasts until the device answers or the client gives up.
    """

    def __init__(self, name: str, mac: str, peripherals: Iterable[Peripheral], slots: int = 3) -> None:
        self.name = name
        self.mac = mac
        self.port = 0
        self.unanswered: set[str] = set()
        """Addresses of devices that are heard, but never answer an attempt to connect."""
        self.bonds: set[int] = set()
        """Devices that it has made a bond with, whether or not they know of it still."""
        self.links: dict[int, Link] = {}
        self.sessions: set[Session] = set()
        self.mode = BluetoothScannerMode.ACTIVE
        self._slots = slots
        self._others: range = range(0)
        self._peripherals = {mac_to_int(peripheral.address): peripheral for peripheral in peripherals}
        self._random = Random(name)
        self._server: asyncio.Server | None = None
        self._next_round: asyncio.TimerHandle | None = None

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> None:
        """Listen; `port` 0 takes a free one, which `self.port` then names."""
        self._server = await asyncio.get_running_loop().create_server(lambda: Session(self), host, port)
        self.port = self._server.sockets[0].getsockname()[1]
        self._advertise_in_turn()

    async def stop(self) -> None:
        """Vanish as if unplugged, with every link; `start` with the same port brings the proxy back."""
        if self._next_round:
            self._next_round.cancel()
        if self._server:
            self._server.close()
            self._server.abort_clients()
            await self._server.wait_closed()

    def drop(self, address: str) -> None:
        """Lose the link to a device, as at the edge of the range."""
        self.release(mac_to_int(address), BLEConnectionError.ESP_GATT_CONN_TIMEOUT)

    def occupy(self, slots: int) -> None:
        """Let devices that concern nobody here hold this many of the connection slots."""
        self._others = range(1, slots + 1)
        self._announce_slots()

    def connect(self, session: Session, address: int) -> None:
        """Connect a client to a device, at once or as soon as the device answers."""
        link = self.links.get(address)
        if link is None and len(self.links) + len(self._others) < self._slots:
            self.links[address] = link = Link(address, session)
            self._announce_slots()
            self._try(link)
        elif link is None or link.session is not session:
            session.send(BluetoothDeviceConnectionResponse(address=address, connected=False))

    def release(self, address: int, reason: BLEConnectionError) -> None:
        """End a connection, or an attempt at one, and tell the client."""
        if link := self.links.get(address):
            link.session.send(BluetoothDeviceConnectionResponse(address=address, connected=False, error=reason))
            self._free(link)
            self._announce_slots()

    def abandon(self, session: Session) -> None:
        """Let go whatever a client held that is gone."""
        self.sessions.discard(session)
        for link in [link for link in self.links.values() if link.session is session]:
            self._free(link)
        self._announce_slots()

    def _try(self, link: Link) -> None:
        peripheral = self._peripherals.get(link.address)
        if peripheral is None or not peripheral.connectable or peripheral.address in self.unanswered:
            return
        link.peripheral = peripheral
        link.session.send(BluetoothDeviceConnectionResponse(address=link.address, connected=True, mtu=peripheral.mtu))
        peripheral.connected(
            link.notify, lambda: self.release(link.address, BLEConnectionError.ESP_GATT_CONN_TERMINATE_PEER_USER)
        )

    def _free(self, link: Link) -> None:
        del self.links[link.address]
        if link.peripheral:
            link.peripheral.disconnected()

    def slots(self) -> Message:
        """Return how many connection slots there are, and who has them."""
        allocated = [*self.links, *self._others]
        return cast(
            "Message",
            BluetoothConnectionsFreeResponse(limit=self._slots, free=self._slots - len(allocated), allocated=allocated),
        )

    def advertisements(self) -> Message:
        """Return one advertisement of every device that can be heard."""
        return cast(
            "Message",
            BluetoothLERawAdvertisementsResponse(
                advertisements=[
                    BluetoothLERawAdvertisement(
                        address=address,
                        rssi=peripheral.rssi + self._random.randint(-RSSI_SPREAD_DB, RSSI_SPREAD_DB),
                        address_type=PUBLIC_ADDRESS,
                        data=_advertisement(peripheral),
                    )
                    for address, peripheral in self._peripherals.items()
                    if peripheral.connectable
                ]
            ),
        )

    def _announce_slots(self) -> None:
        for session in self.sessions:
            if session.wants_slots:
                session.send(self.slots())

    def _advertise_in_turn(self) -> None:
        for session in self.sessions:
            if session.wants_advertisements:
                session.send(self.advertisements())
        for link in list(self.links.values()):
            if link.peripheral is None:
                self._try(link)
        self._next_round = asyncio.get_running_loop().call_later(
            ADVERTISING_INTERVAL_S * self._random.uniform(0.9, 1.1), self._advertise_in_turn
        )


class Session(asyncio.Protocol):
    """A client of the proxy's API."""

    _transport: asyncio.Transport

    def __init__(self, proxy: Proxy) -> None:
        self.wants_advertisements = False
        self.wants_slots = False
        self._proxy = proxy
        self._received = bytearray()

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._proxy.sessions.add(self)

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        self._proxy.abandon(self)

    @override
    def data_received(self, data: bytes) -> None:
        self._received += data
        while packet := _take_packet(self._received):
            number, payload = packet
            if number in MESSAGE_TYPE_TO_PROTO:
                self._answer(MESSAGE_TYPE_TO_PROTO[number].FromString(payload))

    def send(self, message: Message) -> None:
        """Send a message to the client."""
        payload = message.SerializeToString()
        self._transport.write(b"\0" + _varint(len(payload)) + NUMBERS[type(message)] + payload)

    def _answer(self, message: object) -> None:
        match message:
            case HelloRequest():
                major, minor = API_VERSION
                self.send(HelloResponse(api_version_major=major, api_version_minor=minor, name=self._proxy.name))
            case DeviceInfoRequest():
                self.send(
                    DeviceInfoResponse(
                        name=self._proxy.name,
                        friendly_name=self._proxy.name,
                        mac_address=self._proxy.mac,
                        bluetooth_mac_address=self._proxy.mac,
                        esphome_version=ESPHOME_VERSION,
                        manufacturer="Simulated",
                        model="Bluetooth proxy",
                        bluetooth_proxy_feature_flags=FEATURES,
                    )
                )
            case ListEntitiesRequest():
                self.send(ListEntitiesDoneResponse())
            case PingRequest():
                self.send(PingResponse())
            case DisconnectRequest():
                self.send(DisconnectResponse())
                self._transport.close()
            case SubscribeBluetoothLEAdvertisementsRequest():
                self.wants_advertisements = True
                self._send_scanner_state()
                self.send(self._proxy.advertisements())
            case UnsubscribeBluetoothLEAdvertisementsRequest():
                self.wants_advertisements = False
            case BluetoothScannerSetModeRequest():
                self._proxy.mode = BluetoothScannerMode(message.mode)
                self._send_scanner_state()
            case SubscribeBluetoothConnectionsFreeRequest():
                self.wants_slots = True
                self.send(self._proxy.slots())
            case BluetoothDeviceRequest():
                self._answer_device_request(message.address, BluetoothDeviceRequestType(message.request_type))
            case BluetoothGATTGetServicesRequest():
                self._answer_gatt(message, message.address, handle=0)
            case (
                BluetoothGATTNotifyRequest()
                | BluetoothGATTReadRequest()
                | BluetoothGATTReadDescriptorRequest()
                | BluetoothGATTWriteRequest()
                | BluetoothGATTWriteDescriptorRequest()
            ):
                self._answer_gatt(message, message.address, message.handle)

    def _send_scanner_state(self) -> None:
        # An advertisement subscription without one counts as refused, and the client repeats it.
        self.send(
            BluetoothScannerStateResponse(
                state=BluetoothScannerState.RUNNING,
                mode=self._proxy.mode,
                configured_mode=BluetoothScannerMode.ACTIVE,
            )
        )

    def _answer_device_request(self, address: int, request: BluetoothDeviceRequestType) -> None:
        match request:
            case BluetoothDeviceRequestType.DISCONNECT:
                # Answered in any case: a client waits 20 s for it.
                if address in self._proxy.links:
                    self._proxy.release(address, BLEConnectionError.ESP_GATT_CONN_TERMINATE_LOCAL_HOST)
                else:
                    self.send(BluetoothDeviceConnectionResponse(address=address, connected=False))
            case BluetoothDeviceRequestType.PAIR:
                try:
                    self._pair(address)
                except GattError as error:
                    self.send(BluetoothDevicePairingResponse(address=address, paired=False, error=error.code))
                else:
                    self.send(BluetoothDevicePairingResponse(address=address, paired=True))
            case BluetoothDeviceRequestType.UNPAIR:
                bonded = address in self._proxy.bonds
                self._proxy.bonds.discard(address)
                self.send(BluetoothDeviceUnpairingResponse(address=address, success=bonded))
            case BluetoothDeviceRequestType.CLEAR_CACHE:
                self.send(BluetoothDeviceClearCacheResponse(address=address, success=True))
            case _:
                self._proxy.connect(self, address)

    def _pair(self, address: int) -> None:
        peripheral = self._reach(address)
        if address not in self._proxy.bonds:
            peripheral.pair()
            self._proxy.bonds.add(address)
        elif not peripheral.bonded:
            raise GattError(KEY_MISSING)

    def _reach(self, address: int) -> Peripheral:
        link = self._proxy.links.get(address)
        if link is None or link.session is not self or link.peripheral is None:
            raise GattError(NOT_CONNECTED)
        return link.peripheral

    def _answer_gatt(self, request: object, address: int, handle: int) -> None:
        try:
            for answer in self._gatt_answers(request, self._reach(address)):
                self.send(answer)
        except GattError as error:
            self.send(BluetoothGATTErrorResponse(address=address, handle=handle, error=error.code))

    def _gatt_answers(self, request: object, peripheral: Peripheral) -> Iterator[Message]:
        match request:
            case BluetoothGATTGetServicesRequest():
                services = [_service(service) for service in peripheral.services]
                yield BluetoothGATTGetServicesResponse(address=request.address, services=services)
                yield BluetoothGATTGetServicesDoneResponse(address=request.address)
            case BluetoothGATTNotifyRequest():
                # This only makes the proxy listen; the client switches the device on by writing the descriptor.
                notifying = self._proxy.links[request.address].notifying
                (notifying.add if request.enable else notifying.discard)(request.handle)
                yield BluetoothGATTNotifyResponse(address=request.address, handle=request.handle)
            case BluetoothGATTWriteRequest(response=True):
                peripheral.write(request.handle, request.data)
                yield BluetoothGATTWriteResponse(address=request.address, handle=request.handle)
            case BluetoothGATTWriteRequest():
                with suppress(GattError):
                    peripheral.write(request.handle, request.data)
            case BluetoothGATTWriteDescriptorRequest():
                switches = {switch: char for service in peripheral.services for switch, char in _switches(service)}
                if request.handle not in switches:
                    raise GattError(INVALID_HANDLE)
                peripheral.subscribe(switches[request.handle], enabled=any(request.data))
                yield BluetoothGATTWriteResponse(address=request.address, handle=request.handle)
            case _:
                raise GattError(READ_NOT_PERMITTED)


def _service(service: Service) -> BluetoothGATTService:
    return BluetoothGATTService(
        uuid=_words(service.uuid),
        handle=service.handle,
        characteristics=[
            BluetoothGATTCharacteristic(
                uuid=_words(char.uuid),
                handle=char.handle,
                properties=sum(flag for flag, name in CHARACTERISTIC_PROPERTIES.items() if name in char.properties),
                descriptors=[
                    BluetoothGATTDescriptor(uuid=_words(NOTIFICATION_SWITCH), handle=switch)
                    for switch, switched in _switches(service)
                    if switched == char.handle
                ],
            )
            for char in service.characteristics
        ],
    )


def _switches(service: Service) -> Iterator[tuple[int, int]]:
    """Yield the handle of each notification switch and that of the value it belongs to, which it follows."""
    for char in service.characteristics:
        if {"notify", "indicate"} & set(char.properties):
            yield char.handle + 1, char.handle


def _words(uuid: str) -> tuple[int, int]:
    number = UUID(normalize_uuid_str(uuid)).int
    return number >> 64, number & (1 << 64) - 1


def _advertisement(peripheral: Peripheral) -> bytes:
    """Return the device's advertising data and scan response, one after the other as a proxy reports them."""
    short, long = b"", b""
    for uuid in peripheral.service_uuids:
        number = UUID(normalize_uuid_str(uuid))
        if normalize_uuid_16(number.fields[0] & 0xFFFF) == str(number):
            short += number.fields[0].to_bytes(2, "little")
        else:
            long += number.bytes[::-1]
    fields = [
        (AdvertisementDataType.FLAGS, GENERAL_DISCOVERABLE_LE_ONLY),
        (AdvertisementDataType.COMPLETE_LIST_SERVICE_UUID16, short),
        (AdvertisementDataType.COMPLETE_LIST_SERVICE_UUID128, long),
        *(
            (AdvertisementDataType.MANUFACTURER_SPECIFIC_DATA, company.to_bytes(2, "little") + data)
            for company, data in peripheral.manufacturer_data.items()
        ),
        (AdvertisementDataType.COMPLETE_LOCAL_NAME, peripheral.name.encode()),
    ]
    return b"".join(bytes((len(data) + 1, kind)) + data for kind, data in fields if data)


def _varint(number: int) -> bytes:
    encoded = bytearray()
    while number > 0x7F:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)


def _take_varint(buffer: bytearray, position: int) -> tuple[int, int]:
    """Return the number at `position` and the position behind it. Raises IndexError when it hasn't arrived whole."""
    number = shift = 0
    while True:
        byte = buffer[position]
        number |= (byte & 0x7F) << shift
        position += 1
        shift += 7
        if byte < 0x80:
            return number, position


def _take_packet(buffer: bytearray) -> tuple[int, bytes] | None:
    """Take the first message, its number and its protobuf, out of `buffer`; None when it hasn't arrived whole."""
    try:
        length, position = _take_varint(buffer, 1)
        number, position = _take_varint(buffer, position)
    except IndexError:
        return None
    if len(buffer) < position + length:
        return None
    payload = bytes(buffer[position : position + length])
    del buffer[: position + length]
    return number, payload


NUMBERS = {message: _varint(number) for number, message in MESSAGE_TYPE_TO_PROTO.items()}
