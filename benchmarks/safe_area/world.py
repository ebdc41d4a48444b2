"""A pack, the board that guards it, and a link that may fail: what is heard of them, and what is true.

What the board sends goes as bytes through the receiver, with its doubts. Whoever listens is asked every five seconds
while nothing comes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from enum import Enum
from random import Random
from typing import Final, Protocol, override

from custom_components.jk_bms.bms.frames import Command
from custom_components.jk_bms.bms.receiver import Receiver, Verdict
from custom_components.jk_bms.bms.telemetry import Settings, Telemetry
from simulator.board import Board, Load
from simulator.models import JK_PB2A16S20P
from simulator.pack import Pack

CAPACITY_AH: Final = 280.0
CELLS: Final = 16
FRAME_S: Final = 0.5
ASKED_EVERY_S: Final = 5.0
ADVISED: Final[Mapping[str, float]] = {
    "cell_overvoltage_v": 3.6,
    "cell_overvoltage_recovery_v": 3.44,
    "cell_undervoltage_v": 2.7,
    "cell_undervoltage_recovery_v": 2.95,
    "charge_overtemperature_c": 50.0,
    "charge_overtemperature_recovery_c": 45.0,
    "discharge_overtemperature_c": 55.0,
    "discharge_overtemperature_recovery_c": 50.0,
    "charge_undertemperature_c": 2.0,
    "charge_undertemperature_recovery_c": 5.0,
    "mos_overtemperature_c": 80.0,
    "mos_overtemperature_recovery_c": 70.0,
    "charge_current_limit_a": 140.0,
    "charge_overcurrent_delay_s": 30.0,
    "discharge_current_limit_a": 200.0,
    "discharge_overcurrent_delay_s": 60.0,
    "smart_sleep_voltage_v": 3.3,
    "soc_0_cell_voltage_v": 2.8,
}


class Link(Enum):
    """What becomes of the frames."""

    UP = "up"
    DOWN = "down"
    FROZEN = "frozen"
    """The last one comes again and again."""
    STUCK = "stuck"
    """Cells and current stand still, the counters don't."""


class Listener(Protocol):
    """Who judges what is heard."""

    def hear(self, telemetry: Telemetry, settings: Settings | None, now_s: float) -> None:
        """Take a frame."""

    def miss(self, now_s: float) -> None:
        """Take note that none came."""


class FaultyPack(Pack):
    """A pack whose MOSFETs may be welded: they conduct, whatever the board says."""

    charge_welded = False
    discharge_welded = False

    @override
    def _advance(self, dt_s: float, current_a: float) -> None:
        said = self.charge_mosfet_on, self.discharge_mosfet_on
        self.charge_mosfet_on |= self.charge_welded
        self.discharge_mosfet_on |= self.discharge_welded
        super()._advance(dt_s, current_a)
        self.charge_mosfet_on, self.discharge_mosfet_on = said


class World:
    """To be changed while it runs: `load`, `link`, `lost_share`, `ambient_c` and faults of the pack."""

    def __init__(
        self,
        listener: Listener,
        *,
        seed: int = 1,
        state_of_charge: float = 0.5,
        ambient_c: float = 20.0,
        current_a: float = 0.0,
        settings: Mapping[str, float] | None = None,
    ) -> None:
        self.listener = listener
        self.pack = FaultyPack(
            CELLS, CAPACITY_AH, seed=seed, state_of_charge=state_of_charge, ambient_c=ambient_c, probe_count=4
        )
        self.load: Load = lambda _dt_s, _voltage_v: self.current_a
        self.current_a = current_a
        """What the outside wants to flow, as long as nobody has given it another load."""
        self.charger_on = self.inverter_on = True
        """What the owner can switch on and off apart from the board."""
        self.board = Board(
            self.pack, JK_PB2A16S20P, seed=seed, settings={**ADVISED, **(settings or {})}, load=self._outside
        )
        self.link = Link.UP
        self.lost_share = 0.0
        self.settings: Settings | None = None
        self.telemetry: Telemetry | None = None
        self.now_s = 0.0
        self._asked_s = 0.0
        self._random = Random(f"link {seed}")
        self.connect()

    @property
    def highest_v(self) -> float:
        """The true voltage of the highest cell."""
        return max(cell.voltage_v for cell in self.pack.cells)

    @property
    def lowest_v(self) -> float:
        """The true voltage of the lowest cell."""
        return min(cell.voltage_v for cell in self.pack.cells)

    @property
    def hottest_c(self) -> float:
        """The true temperature of the hottest cell."""
        return max(cell.temperature_c for cell in self.pack.cells)

    @property
    def coldest_c(self) -> float:
        """The true temperature of the coldest cell."""
        return min(cell.temperature_c for cell in self.pack.cells)

    def connect(self) -> None:
        """Begin to listen; what the receiver knew is gone."""
        self._receiver = Receiver()
        for _ in range(3):
            for command in (Command.DEVICE_INFO, Command.SETTINGS_AND_STREAM):
                for frame in self.board.answer(command, b""):
                    self._read(frame)
            self._read(self.board.cell_info_frame())

    def live(self, dt_s: float) -> None:
        """Let time pass in which nobody listens."""
        self.board.advance(dt_s)
        self.now_s += dt_s

    def advance(self, dt_s: float) -> None:
        """Live on, then let a frame come, if any comes."""
        self.live(dt_s)
        match self.link:
            case Link.UP if not self.lost_share or self._random.random() >= self.lost_share:
                self._read(self.board.cell_info_frame())
            case Link.FROZEN if self.telemetry:
                self._take(self.telemetry)
            case Link.STUCK if self.telemetry:
                run_time_s = int(self.board.run_time_s)
                self._take(replace(self.telemetry, counter=run_time_s % 256, run_time_s=run_time_s))
            case _ if self.now_s - self._asked_s >= ASKED_EVERY_S:
                self._asked_s = self.now_s
                self.listener.miss(self.now_s)

    def tell(self) -> None:
        """Let the board measure once more, and whoever listens know it without the way over bytes and receiver."""
        self.now_s += FRAME_S
        board, pack, last = self.board, self.pack, self.telemetry
        board.measure()
        assert last is not None
        measured = board.measurement
        first_c, second_c, fourth_c, fifth_c = measured.probe_temperatures_c
        self.telemetry = replace(
            last,
            counter=(last.counter + 1) % 256,
            run_time_s=int(board.run_time_s),
            cell_voltages_v=measured.cell_voltages_v,
            pack_voltage_v=measured.pack_voltage_v,
            current_a=measured.current_a,
            temperature_1_c=first_c,
            temperature_2_c=second_c,
            temperature_4_c=fourth_c,
            temperature_5_c=fifth_c,
            mos_temperature_c=measured.mos_temperature_c,
            alarm_bits=sum(1 << alarm for alarm in board.alarms),
            charge_mosfet=pack.charge_mosfet_on,
            discharge_mosfet=pack.discharge_mosfet_on,
        )
        self._take(self.telemetry)

    def _outside(self, dt_s: float, voltage_v: float) -> float:
        current_a = self.load(dt_s, voltage_v)
        return current_a if (self.inverter_on if current_a < 0 else self.charger_on) else 0.0

    def _read(self, frame: bytes) -> None:
        for reading in self._receiver.read(frame, self.now_s):
            if reading.verdict is not Verdict.ACCEPTED:
                continue
            if isinstance(reading.value, Settings):
                self.settings = reading.value
            elif isinstance(reading.value, Telemetry):
                self.telemetry = reading.value
                self._take(reading.value)

    def _take(self, telemetry: Telemetry) -> None:
        self._asked_s = self.now_s
        self.listener.hear(telemetry, self.settings, self.now_s)
