"""BlueZ as its clients see it over D-Bus, as far as pairing goes: agents, bonds, and what is known of a device.

`BlueZ.bus` stands in for dbus_fast's `MessageBus`. Interfaces and errors are those of BlueZ's documentation.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import count

from dbus_fast import BusType, Message, MessageType, Variant

SERVICE = ":1.2"
"""The name that BlueZ has on the bus, beside org.bluez."""
ADAPTER_PATH = "/org/bluez/hci0"

type Handler = Callable[[Message], Message | None]


def path_of(address: str) -> str:
    """Return where BlueZ keeps a device."""
    return f"{ADAPTER_PATH}/dev_{address.replace(':', '_')}"


class Bus:
    """One client's connection to the bus."""

    def __init__(self, bluez: BlueZ) -> None:
        self.name = f":1.{next(bluez.names)}"
        self.agent_path: str | None = None
        self._bluez = bluez
        self._handlers: list[Handler] = []

    async def connect(self) -> Bus:
        """Join the bus."""
        self._bluez.buses.append(self)
        return self

    def disconnect(self) -> None:
        """Leave the bus: BlueZ then takes the agent off its list."""
        self._bluez.buses.remove(self)
        if self in self._bluez.agents:
            self._bluez.agents.remove(self)

    def add_message_handler(self, handler: Handler) -> None:
        """Let the client have what arrives."""
        self._handlers.append(handler)

    async def call(self, message: Message) -> Message:
        """Return what BlueZ answers."""
        message.sender, message.serial = self.name, next(self._bluez.names)
        reply = self._bluez.answer(self, message)
        reply.sender = SERVICE
        return reply

    def ask(self, member: str, signature: str, body: list[str | int], *, sender: str = SERVICE) -> Message | None:
        """Return what the agent answers; None if it says nothing."""
        question = Message(
            path=self.agent_path,
            interface="org.bluez.Agent1",
            member=member,
            signature=signature,
            body=body,
            sender=sender,
            serial=next(self._bluez.names),
        )
        replies = [reply for handler in self._handlers if (reply := handler(question))]
        return replies[0] if replies else None


class BlueZ:
    """The daemon: `bonds` are the addresses of the devices that it has a bond with."""

    def __init__(self, bonds: set[str]) -> None:
        self.bonds = bonds
        self.names = count(100)
        self.buses: list[Bus] = []
        self.agents: list[Bus] = []
        """Those that were registered; the last is the one that is asked."""

    def bus(self, *, bus_type: BusType) -> Bus:
        """Return a connection to the system bus."""
        assert bus_type is BusType.SYSTEM
        return Bus(self)

    def passkey(self, address: str) -> int | None:
        """Return what the agent enters for a device; None without an agent, and if it turns the question down."""
        if not self.agents:
            return None
        reply = self.agents[-1].ask("RequestPasskey", "o", [path_of(address)])
        assert reply, "an agent answers"
        return None if reply.message_type is MessageType.ERROR else reply.body[0]

    def answer(self, bus: Bus, message: Message) -> Message:
        """Return the reply to a call of a client."""
        match message.member, message.body:
            case "RegisterAgent", [path, "KeyboardOnly"]:
                bus.agent_path = path
                self.agents.insert(0, bus)
                return Message.new_method_return(message)
            case "RequestDefaultAgent", [path] if path == bus.agent_path:
                self.agents.remove(bus)
                self.agents.append(bus)
                return Message.new_method_return(message)
            case "GetManagedObjects", []:
                device = {"org.bluez.Device1": {"Paired": Variant("b", True)}}  # noqa: FBT003 - D-Bus has it so
                objects = dict.fromkeys(map(path_of, self.bonds), device)
                return Message.new_method_return(message, "a{oa{sa{sv}}}", [{ADAPTER_PATH: {}, **objects}])
            case "RemoveDevice", [path] if message.path == ADAPTER_PATH:
                self.bonds -= {bonded for bonded in self.bonds if path_of(bonded) == path}
                return Message.new_method_return(message)
        return Message.new_error(message, "org.freedesktop.DBus.Error.UnknownMethod", str(message.member))
