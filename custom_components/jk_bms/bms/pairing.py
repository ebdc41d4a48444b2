"""Making a bond: how a device is paired anew, with its pass code where the Bluetooth stack can be told one.

BlueZ asks an agent for the pass code, which is there for the time of one pairing (org.bluez.Agent1 and AgentManager1 in
BlueZ's documentation). An ESPHome proxy can't be told any: its API knows a request to pair and what came of it.
"""

from __future__ import annotations

import asyncio
import logging
import re
from typing import Final, Protocol

from bleak.backends.device import BLEDevice
from bleak_retry_connector import BleakClientWithServiceCache
from dbus_fast import BusType, Message
from dbus_fast.aio import MessageBus

from .gatt import Clock, LinkError, LinkProblem

LOGGER = logging.getLogger(__name__)

REDISCOVERY_S: Final = 5.0
"""BlueZ doesn't know a device whose bond was removed until it has heard it again."""

_BLUEZ: Final = "org.bluez"
_AGENT_MANAGER: Final = "org.bluez.AgentManager1"
_AGENT: Final = "org.bluez.Agent1"
_AGENT_PATH: Final = "/jk_bms/agent"
_ENTERS_ONLY: Final = "KeyboardOnly"
_REJECTED: Final = "org.bluez.Error.Rejected"
# Each stack has its own words for it, and no type.
_REFUSED: Final = re.compile(
    r"authentication ?(failed|canceled|rejected|timeout)|pairing (failed|is not available)", re.IGNORECASE
)


_ONE_PAIRING: Final = asyncio.Lock()
"""BlueZ asks the last agent that has come, so there can be one at a time."""


class Connector(Protocol):
    """`establish_connection` to a certain device."""

    async def __call__(self, *, max_attempts: int, pair: bool) -> BleakClientWithServiceCache:
        """Return a client that is connected, and paired if that is wanted."""


async def make_bond(
    connect: Connector, device: BLEDevice, passcode: str | None, clock: Clock
) -> BleakClientWithServiceCache:
    """Return a client that is connected and has a new bond; an old one is of no use any more.

    Raises LinkError if the device refuses, else whatever `connect` raises.
    """
    on_bluez = isinstance(device.details, dict) and "path" in device.details
    if on_bluez and passcode:
        return await _pair_on_bluez(connect, device.address, passcode, clock)
    try:
        return await connect(max_attempts=1, pair=True)
    except Exception as error:
        if not _REFUSED.search(str(error)):
            raise
        if not on_bluez and (client := await _pair_after_unpairing(connect)):
            return client
        problem = LinkProblem.PASSCODE_NOT_ASKED if passcode else LinkProblem.PAIRING_NEEDED
        raise LinkError(problem) from error


async def _pair_after_unpairing(connect: Connector) -> BleakClientWithServiceCache | None:
    """Pair once more after the proxy has forgotten its bond: the device may have lost its own. None if that fails."""
    client = await connect(max_attempts=1, pair=False)
    try:
        await client.unpair()
        await client.pair()
    except BaseException as error:
        await client.disconnect()
        if not isinstance(error, Exception):
            raise
        return None
    return client


async def _pair_on_bluez(connect: Connector, address: str, passcode: str, clock: Clock) -> BleakClientWithServiceCache:
    async with _ONE_PAIRING:
        bus = await MessageBus(bus_type=BusType.SYSTEM).connect()
        agent = Agent(bus, address, passcode)
        try:
            await agent.register()
            if await agent.forget_bond():
                await clock.sleep(REDISCOVERY_S)
            return await connect(max_attempts=1, pair=True)
        except Exception as error:
            if not _REFUSED.search(str(error)):
                raise
            raise LinkError(LinkProblem.WRONG_PASSCODE if agent.asked else LinkProblem.PASSCODE_NOT_ASKED) from error
        finally:
            # BlueZ takes the agent of who leaves the bus off its list; that needs no waiting, also when cancelled.
            bus.disconnect()


class Agent:
    """Answers what BlueZ asks about one device, on whichever adapter; questions about others are turned down."""

    def __init__(self, bus: MessageBus, address: str, passcode: str) -> None:
        self.asked = False
        """Whether the device wanted the pass code."""
        self._bus = bus
        self._node = f"/dev_{address.replace(':', '_')}"
        self._passcode = passcode
        self._bluez: str | None = None
        """Who may ask."""

    async def register(self) -> None:
        """Become the agent that BlueZ asks, whoever it was that asked it to pair."""
        self._bus.add_message_handler(self._answer)
        reply = await self._call("/org/bluez", _AGENT_MANAGER, "RegisterAgent", "os", _AGENT_PATH, _ENTERS_ONLY)
        self._bluez = reply.sender
        await self._call("/org/bluez", _AGENT_MANAGER, "RequestDefaultAgent", "o", _AGENT_PATH)

    async def forget_bond(self) -> bool:
        """Remove the device from the adapters that are paired with it; return whether there are any."""
        known = await self._call("/", "org.freedesktop.DBus.ObjectManager", "GetManagedObjects")
        paired = [
            path
            for path, interfaces in known.body[0].items()
            if path.endswith(self._node) and interfaces["org.bluez.Device1"]["Paired"].value
        ]
        for path in paired:
            await self._call(path.removesuffix(self._node), "org.bluez.Adapter1", "RemoveDevice", "o", path)
        return bool(paired)

    async def _call(self, path: str, interface: str, member: str, signature: str = "", *body: str) -> Message:
        return await self._bus.call(
            Message(
                destination=_BLUEZ,
                path=path,
                interface=interface,
                member=member,
                signature=signature,
                body=list(body),
            )
        )

    def _answer(self, message: Message) -> Message | None:
        if message.interface != _AGENT or message.sender != self._bluez:
            return None
        match message.member, message.body:
            case "Release" | "Cancel", _:
                return Message.new_method_return(message)
            case member, [str(path), *_] if path.endswith(self._node):
                return self._answer_about_device(message, member)
        return Message.new_error(message, _REJECTED, "")

    def _answer_about_device(self, message: Message, member: str | None) -> Message:
        match member:
            case "RequestPasskey":
                self.asked = True
                return Message.new_method_return(message, "u", [int(self._passcode)])
            case "RequestPinCode":
                self.asked = True
                return Message.new_method_return(message, "s", [self._passcode])
            case "RequestConfirmation" | "RequestAuthorization" | "AuthorizeService":
                return Message.new_method_return(message)
        return Message.new_error(message, _REJECTED, "")
