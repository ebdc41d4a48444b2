"""A board that follows a script: it answers commands with given frames and sends cell info at its pace."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import cycle
from typing import Any

from bleak.uuids import normalize_uuid_16

from custom_components.jk_bms.bms.frames import ACKNOWLEDGE, Command, command
from custom_components.jk_bms.bms.layout import CELL_INFO, DEVICE_INFO, SETTINGS, FrameType, Generation
from custom_components.jk_bms.bms.telemetry import LogEntry
from simulator.encode import encode, encode_event_log
from simulator.peripheral import Characteristic, Enter, GattError, Notify, Service, no_keyboard

from .clock import FakeClock

FFE0, FFE1, FFE2, FFE3 = (normalize_uuid_16(uuid) for uuid in (0xFFE0, 0xFFE1, 0xFFE2, 0xFFE3))

type Table = tuple[Service, ...]


def table(*characteristics: Characteristic) -> Table:
    return (Service(normalize_uuid_16(0x1800), 1, ()), Service(FFE0, 2, characteristics))


ONE_CHARACTERISTIC = table(
    Characteristic(FFE2, 0x10, ("write-without-response",)),
    Characteristic(FFE1, 0x12, ("write-without-response", "write", "notify")),
)
TWO_OF_ONE_UUID = table(
    Characteristic(FFE1, 3, ("write-without-response", "write")), Characteristic(FFE1, 5, ("notify",))
)
B5A24S = table(
    Characteristic(FFE1, 0x10, ("write-without-response", "write", "notify")),
    Characteristic(FFE2, 0x13, ("write-without-response", "write", "notify")),
    Characteristic(FFE3, 0x16, ("write",)),
)
B2A16S = table(
    Characteristic(FFE1, 0x0A, ("write", "notify")),
    Characteristic(FFE2, 0x0D, ("write", "notify")),
    Characteristic(FFE3, 0x10, ("write",)),
)


def device_info(model: bytes = b"JK_B2A8S20P", software: bytes = b"11.48", **texts: bytes) -> bytes:
    values = {"model": model, "hardware_version": b"11.XA", "software_version": software, **texts}
    return encode(FrameType.DEVICE_INFO, DEVICE_INFO[Generation.JK02_32S], values)


def settings(generation: Generation = Generation.JK02_32S, cell_count: int = 8) -> bytes:
    values = {"cell_count": cell_count, "power_off_voltage_v": 2.5, "balance_start_voltage_v": 3.4}
    return encode(FrameType.SETTINGS, SETTINGS[generation], values)


def cell_info(cells: int = 8, generation: Generation = Generation.JK02_32S, **changes: float) -> bytes:
    voltage_v = 3.3
    values: dict[str, Any] = {
        "cell_voltages_v": (voltage_v,) * cells,
        "cell_mask": (1 << cells) - 1,
        "average_cell_voltage_v": voltage_v if cells else 0,
        "pack_voltage_v": voltage_v * cells,
        "coarse_pack_voltage_v": voltage_v * cells,
        "state_of_charge_pct": 50,
        "remaining_capacity_ah": 140,
        "full_charge_capacity_ah": 280,
        "temperature_1_c": 20,
        "temperature_2_c": 20,
        "mos_temperature_c": 20,
        "temperature_sensor_mask": 7,
        **changes,
    }
    return encode(FrameType.CELL_INFO, CELL_INFO[generation], values)


EVENT_LOG = (LogEntry(10, 0x01), LogEntry(20, 0x02))


@dataclass(eq=False)
class ScriptedBoard:
    """What goes wrong is set on it, before or while a client is connected."""

    clock: FakeClock
    address: str = "C8:47:80:00:00:01"
    name: str = "JK_Test"
    rssi: int = -60
    manufacturer_data: Mapping[int, bytes] = field(default_factory=dict)
    service_uuids: tuple[str, ...] = (FFE0,)
    services: Table = ONE_CHARACTERISTIC
    mtu: int = 247
    bonded: bool = False
    connectable: bool = True

    info: bytes | None = field(default_factory=device_info)
    settings: bytes | None = field(default_factory=settings)
    log: bytes | None = field(default_factory=lambda: encode_event_log(EVENT_LOG, len(EVENT_LOG)))
    stream: tuple[bytes, ...] = field(default_factory=lambda: (cell_info(),))
    """Cell info frames, sent over and over; none: the board never streams."""
    chunk: int = 128
    ignored: int = 0
    """So many of the coming commands are not heard."""
    drops_after_s: float | None = None
    """It drops every link after so long."""
    refuses: int | None = None
    """ATT error code of a subscription."""
    wants_bond: bool = False
    """It refuses a subscription until there is a bond."""
    pairing_error: int | None = 0x05
    """ATT error code of a pairing."""
    passcode: int | None = None
    """What has to be entered for a bond."""
    wants_info_first: bool = True
    """It streams only after 0x97, then 0x96, as newer firmware does."""

    connections: int = 0
    pairings: int = 0
    written: list[tuple[float, bytes]] = field(default_factory=list)
    handles: set[tuple[str, int]] = field(default_factory=set)
    drop: Callable[[], None] | None = None
    _notify: Notify | None = None
    _listener: int | None = None
    _introduced: bool = False
    _streaming: bool = False

    def connected(self, notify: Notify, disconnect: Callable[[], None]) -> None:
        assert self.connectable, "two clients at once"
        self.connectable = False
        self.connections += 1
        self._notify, self.drop = notify, disconnect
        self._introduced = self._streaming = False
        if self.drops_after_s is not None:
            self.clock.call_later(self.drops_after_s, disconnect)

    def disconnected(self) -> None:
        self.connectable = True
        self._notify = self._listener = self.drop = None

    def subscribe(self, handle: int, *, enabled: bool) -> None:
        if self.refuses is not None:
            raise GattError(self.refuses)
        if self.wants_bond and not self.bonded:
            raise GattError(0x05)
        self.handles.add(("notify", handle))
        self._listener = handle if enabled else None

    def write(self, handle: int, data: bytes) -> None:
        self.handles.add(("write", handle))
        self.written.append((self.clock.now(), data))
        if self.ignored:
            self.ignored -= 1
            return
        match data:
            case _ if data == command(Command.DEVICE_INFO):
                self._introduced = True
                self._answer(self.info)
            case _ if data == command(Command.SETTINGS_AND_STREAM):
                self._answer(self.settings)
                if self.stream and not self._streaming and (self._introduced or not self.wants_info_first):
                    self._streaming = True
                    self.clock.call_later(0.5, self._streamer(self._notify, cycle(self.stream)))
            case _ if data == command(Command.EVENT_LOG):
                self._answer(self.log)
            case _:
                raise AssertionError(f"a command that is not for reading: {data.hex()}")

    def pair(self, enter: Enter = no_keyboard) -> None:
        self.pairings += 1
        if self.pairing_error is not None:
            raise GattError(self.pairing_error)
        if self.passcode is not None and enter() != self.passcode:
            raise GattError(0x05)
        self.bonded = True

    @property
    def commands(self) -> list[int]:
        return [data[4] for _, data in self.written]

    def send(self, data: bytes) -> None:
        """Notify, in pieces, if there is a client that listens."""
        if self._notify and self._listener is not None:
            for start in range(0, len(data), self.chunk):
                self._notify(self._listener, data[start : start + self.chunk])

    def _answer(self, frame: bytes | None) -> None:
        if frame is not None:
            self.clock.call_later(0.1, lambda: self.send(frame + ACKNOWLEDGE))

    def _streamer(self, notify: Notify | None, frames: Any) -> Callable[[], None]:
        def send_next() -> None:
            if self._notify is notify and self.stream:
                self.send(next(frames))
                self.clock.call_later(0.5, send_next)
            else:
                self._streaming = False

        return send_next
