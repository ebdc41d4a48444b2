"""How early danger is seen, and how often wrongly: `python -m benchmarks.protection [--json]`.

Ways out: a simulated pack behind a simulated board with JK's protections is driven out of its safe area in forty ways.
What the board sends goes through the receiver, with its doubts, to the engine. For each way: when the true quantity -
of the cells, not of their readings - passes the limit of the level that is expected, or else when the fault began; how
long after that the level is there; how long before the board's own protection trips a warning is. Slow are the ways in
which the quantity needs more than two minutes from the limit of the warning to the board's: currents of a tenth of the
capacity or less, and heat and cold of the room. There a warning a minute before the trip is wanted.

Healthy use: five packs live a year each with a house, panels and a charger that obeys, in a cellar of 7 to 31 °C, with
settings as they are advised. So that this takes minutes, the pack is looked at once a minute, every 30 s when it is
full, every 10 s when it is nearly full or empty, mostly in two frames half a second apart. What is seen twice a minute
apart counts as seen in between, so the debounce lets more through than it would. Beside that a day of each season at
the full rate, and the link: an outage of 10 to 60 s each day of five years.

Cost: microseconds and bytes of state, for 16 cells and 5 probes, over a million frames.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from enum import Enum
from math import pi, sin
from random import Random
from statistics import median
from time import thread_time
from typing import Any, Final, override
from unittest.mock import patch

from custom_components.jk_bms.battery.debounce import Bounds, Pace
from custom_components.jk_bms.battery.event_recorder import EventRecorder
from custom_components.jk_bms.battery.guardian import Guardian
from custom_components.jk_bms.battery.hazards import FAMILIES, Kind, Level
from custom_components.jk_bms.battery.protection import ProtectionAssessment, ProtectionConfig, ProtectionEngine
from custom_components.jk_bms.battery.thresholds import Limits, Zones
from custom_components.jk_bms.bms.alarms import Alarm
from custom_components.jk_bms.bms.frames import Command
from custom_components.jk_bms.bms.receiver import Receiver, Verdict
from custom_components.jk_bms.bms.telemetry import Settings, Telemetry
from simulator.board import Board
from simulator.charger import DAY_S, Charger, House
from simulator.models import JK_PB2A16S20P
from simulator.pack import Missing, OpenWire, Pack, Stuck

CAPACITY_AH: Final = 280.0
CELLS: Final = 16
ADVISED: Final = {
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
FAULT_S: Final = 120.0
"""How long all is well before a fault."""
AFTERWARDS_S: Final = 30.0
TICK_S: Final = 5.0
"""How often the engine is asked while no frame comes."""

COARSE_S: Final = 60.0
FULL_S: Final = 30.0
FINE_S: Final = 10.0
RESTS_A: Final = 3.0
FRAME_S: Final = 0.5
TOP_V: Final = 3.38
BOTTOM_V: Final = 3.12
CHARGE_A: Final = 100.0
DISCHARGE_A: Final = 140.0
EMPTY_V: Final = 3.0
"""A house's inverter stops discharging at 48 V."""
YEARS: Final = 5
YEAR_DAYS: Final = 365
OUTAGE_S: Final = (10.0, 60.0)

WANTED: Final = {
    "ways_not_seen": 0,
    "slow_ways_warned_less_than_60_s_before": 0,
    "wrong_critical_in_5_years": 0,
    "wrong_warnings_a_year": 1,
    "us_per_frame": 60,
}


class LinkState(Enum):
    """What becomes of the frames."""

    UP = "up"
    DOWN = "down"
    FROZEN = "frozen"
    """The last one comes again and again."""
    STUCK_MEASUREMENT = "stuck measurement"
    """Cells and current stand still, the counters don't."""


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
    """A pack, its board, the link and the engine."""

    def __init__(
        self,
        *,
        seed: int = 1,
        state_of_charge: float = 0.5,
        ambient_c: float = 20.0,
        current_a: float = 0.0,
        settings: dict[str, float] | None = None,
        frame_period_s: float = FRAME_S,
    ) -> None:
        self.pack = FaultyPack(
            CELLS, CAPACITY_AH, seed=seed, state_of_charge=state_of_charge, ambient_c=ambient_c, probe_count=4
        )
        self.current_a = current_a
        self.board = Board(
            self.pack,
            JK_PB2A16S20P,
            seed=seed,
            settings=ADVISED | (settings or {}),
            load=lambda _dt_s, _voltage_v: self.current_a,
        )
        self.link = LinkState.UP
        self.receiver = Receiver()
        self.engine = ProtectionEngine(ProtectionConfig(frame_period_s=frame_period_s))
        self.assessment = ProtectionAssessment()
        self.settings: Settings | None = None
        self.telemetry: Telemetry | None = None
        self.now_s = 0.0
        self._told_s = 0.0
        for _ in range(3):
            for command in (Command.DEVICE_INFO, Command.SETTINGS_AND_STREAM):
                for frame in self.board.answer(command, b""):
                    self._read(frame)
            self._read(self.board.cell_info_frame())

    def advance(self, dt_s: float) -> None:
        """Live on for `dt_s`, then let a frame come, if any comes."""
        self.board.advance(dt_s)
        self.now_s += dt_s
        match self.link:
            case LinkState.UP:
                self.hear()
            case LinkState.FROZEN if self.telemetry:
                self._judge(self.telemetry)
            case LinkState.STUCK_MEASUREMENT if self.telemetry:
                run_time_s = int(self.board.run_time_s)
                self._judge(replace(self.telemetry, counter=run_time_s % 256, run_time_s=run_time_s))
            case LinkState.DOWN if self.now_s - self._told_s >= TICK_S:
                self._told_s = self.now_s
                self.assessment = self.engine.stale(self.now_s)

    def hear(self) -> None:
        """Let the board send a frame."""
        self._read(self.board.cell_info_frame())

    def measure_again(self) -> None:
        """Let the board measure and send once more, half a second later."""
        self.now_s += FRAME_S
        self.board._measure()
        self.hear()

    def restart(self) -> None:
        """Let Home Assistant be restarted: only what was latched is remembered."""
        self.engine = ProtectionEngine(self.engine.config, self.assessment.latched)
        self.assessment = self.engine.stale(self.now_s)

    def level(self, kinds: tuple[Kind, ...]) -> Level:
        """Return the gravest level of some kinds."""
        return max((hazard.level for hazard in self.assessment.hazards if hazard.kind in kinds), default=Level.OK)

    def limit(self, kind: Kind, level: Level) -> float | None:
        """Return a limit that the engine goes by."""
        limits = self.engine.limits.get(kind)
        return None if limits is None else limits.limits[level - 1]

    def _read(self, frame: bytes) -> None:
        for reading in self.receiver.read(frame, self.now_s):
            if reading.verdict is not Verdict.ACCEPTED:
                continue
            if isinstance(reading.value, Settings):
                self.settings = reading.value
            elif isinstance(reading.value, Telemetry):
                self.telemetry = reading.value
                self._judge(reading.value)

    def _judge(self, telemetry: Telemetry) -> None:
        self.assessment = self.engine.step(telemetry, self.settings, self.now_s)


# --- the truth ---

type Truth = Callable[[World], float]


def hottest_c(world: World) -> float:
    return max(cell.temperature_c for cell in world.pack.cells)


def coldest_c(world: World) -> float:
    return min(cell.temperature_c for cell in world.pack.cells)


def highest_v(world: World) -> float:
    return max(cell.voltage_v for cell in world.pack.cells)


def lowest_v(world: World) -> float:
    return min(cell.voltage_v for cell in world.pack.cells)


TRUTHS: Final[dict[Kind, tuple[int, Truth]]] = {
    # Which way the danger lies, and the true quantity; where it takes a current, a harmless value without it
    Kind.CELL_HIGH: (1, highest_v),
    Kind.CELL_LOW: (-1, lowest_v),
    Kind.CHARGE_COLD: (-1, lambda world: coldest_c(world) if world.pack.current_a > 1 else 99.0),
    Kind.DISCHARGE_COLD: (-1, lambda world: coldest_c(world) if world.pack.current_a < -1 else 99.0),
    Kind.CHARGE_HOT: (1, lambda world: hottest_c(world) if world.pack.current_a > 1 else -99.0),
    Kind.DISCHARGE_HOT: (1, hottest_c),
    Kind.MOS_HOT: (1, lambda world: world.pack.heat.mosfet_c),
    Kind.CHARGE_CURRENT: (1, lambda world: world.pack.current_a),
    Kind.DISCHARGE_CURRENT: (1, lambda world: -world.pack.current_a),
}


# --- the ways ---


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """One way out of the safe area."""

    name: str
    kind: Kind
    level: Level = Level.CRITICAL
    start: dict[str, Any] = field(default_factory=dict)
    """What the world starts with."""
    prepare: Callable[[World], None] | None = None
    fault: Callable[[World], None]
    """What happens after two minutes."""
    from_fault: bool = False
    """Whether the violation is the fault itself, not a quantity beyond its limit."""
    slow: bool = False
    step_s: float = FRAME_S
    hours: float = 1.0
    trips: bool = True
    """Whether the board's own protection sees it, sooner or later."""


def flows(current_a: float) -> Callable[[World], None]:
    def change(world: World) -> None:
        world.current_a = current_a

    return change


def linked(state: LinkState) -> Callable[[World], None]:
    def change(world: World) -> None:
        world.link = state

    return change


def both(*changes: Callable[[World], None]) -> Callable[[World], None]:
    def change(world: World) -> None:
        for each in changes:
            each(world)

    return change


def heat(cell: int, watts: float) -> Callable[[World], None]:
    def change(world: World) -> None:
        world.pack.cells[cell].heater_w = watts

    return change


def short(cell: int, watts: float) -> Callable[[World], None]:
    def change(world: World) -> None:
        world.pack.cells[cell].short_w = watts

    return change


def runner(ah: float) -> Callable[[World], None]:
    def change(world: World) -> None:
        world.pack.cells[5].charge_ah += ah

    return change


def contact(ohm: float) -> Callable[[World], None]:
    def change(world: World) -> None:
        world.pack.cells[5].contact_ohm = ohm

    return change


def weld(*, charge: bool = False, discharge: bool = False) -> Callable[[World], None]:
    def change(world: World) -> None:
        world.pack.charge_welded, world.pack.discharge_welded = charge, discharge

    return change


def switched_off(name: str) -> Callable[[World], None]:
    return lambda world: world.board.change(name, 0.0)


def cell_error(cell: int, error: Stuck | Missing | OpenWire) -> Callable[[World], None]:
    return lambda world: world.pack.cell_errors.update({cell: error})


def probe_error(probe: int, error: Stuck | Missing) -> Callable[[World], None]:
    return lambda world: world.pack.probe_errors.update({probe: error})


def current_stuck(current_a: float) -> Callable[[World], None]:
    def change(world: World) -> None:
        world.pack.current_error = Stuck(current_a)

    return change


def room(ambient_c: float) -> Callable[[World], None]:
    def change(world: World) -> None:
        world.pack.ambient_c = ambient_c

    return change


NEARLY_FULL: Final = {"state_of_charge": 0.985}
NEARLY_EMPTY: Final = {"state_of_charge": 0.05}
KEEPS_FROM_HEAT: Final = {"charge_overtemperature_c": 70.0, "discharge_overtemperature_c": 70.0}
A, W, C = Level.ADVISORY, Level.WARNING, Level.CRITICAL

WAYS: Final = (
    # Inverters that ignore limits
    Way(name="overcharge, 0.05 C", kind=Kind.CELL_HIGH, start=NEARLY_FULL, fault=flows(14), slow=True),
    Way(name="overcharge, 0.1 C", kind=Kind.CELL_HIGH, start=NEARLY_FULL, fault=flows(28), slow=True),
    Way(name="overcharge, 50 A", kind=Kind.CELL_HIGH, start=NEARLY_FULL, fault=flows(50)),
    Way(name="overcharge, 0.5 C", kind=Kind.CELL_HIGH, start={"state_of_charge": 0.95}, fault=flows(139)),
    Way(
        name="overcharge of a cell 5 Ah ahead, 0.1 C", kind=Kind.CELL_HIGH, start={"state_of_charge": 0.97},
        prepare=runner(5), fault=flows(28), slow=True,
    ),
    Way(
        name="overcharge, 0.1 C, board at 3.65 V", kind=Kind.CELL_HIGH,
        start=NEARLY_FULL | {"settings": {"cell_overvoltage_v": 3.65}}, fault=flows(28), slow=True,
    ),
    Way(
        name="overcharge, 0.1 C, board at 4.2 V", kind=Kind.CELL_HIGH,
        start=NEARLY_FULL | {"settings": {"cell_overvoltage_v": 4.2}}, fault=flows(28), slow=True,
    ),
    Way(
        name="overcharge through a welded charge MOSFET", kind=Kind.CELL_HIGH, start=NEARLY_FULL,
        fault=both(weld(charge=True), flows(28)), slow=True,
    ),
    Way(
        name="bad contact at 0.5 C near the top", kind=Kind.SPREAD_TOP, level=W, start={"state_of_charge": 0.95},
        prepare=contact(1.2e-3), fault=flows(139), from_fault=True,
    ),
    Way(name="deep discharge, 0.05 C", kind=Kind.CELL_LOW, start=NEARLY_EMPTY, fault=flows(-14), slow=True, hours=2),
    Way(name="deep discharge, 0.1 C", kind=Kind.CELL_LOW, start=NEARLY_EMPTY, fault=flows(-28), slow=True),
    Way(name="deep discharge, 0.5 C", kind=Kind.CELL_LOW, start={"state_of_charge": 0.1}, fault=flows(-140)),
    Way(
        name="deep discharge of a weak cell, 0.1 C", kind=Kind.CELL_LOW, start={"state_of_charge": 0.25},
        prepare=lambda world: world.pack.cells[5].lose_capacity(0.2), fault=flows(-28), slow=True, hours=3,
    ),
    Way(
        name="deep discharge through a welded MOSFET", kind=Kind.CELL_LOW, start=NEARLY_EMPTY,
        fault=both(weld(discharge=True), flows(-28)), slow=True,
    ),
    Way(
        name="standby drains an empty pack, 2 A", kind=Kind.CELL_LOW, start={"state_of_charge": 0.03},
        fault=flows(-2), slow=True, step_s=5, hours=12,
    ),
    # Cold and heat
    Way(
        name="charging while the room cools", kind=Kind.CHARGE_COLD, start={"ambient_c": 9.0, "state_of_charge": 0.2},
        fault=both(room(-15), flows(28)), slow=True, step_s=2, hours=8,
    ),
    Way(
        name="charging while the room cools, board at -20 °C", kind=Kind.CHARGE_COLD,
        start={"ambient_c": 9.0, "state_of_charge": 0.2, "settings": {"charge_undertemperature_c": -20.0}},
        fault=both(room(-15), flows(28)), slow=True, step_s=2, hours=8, trips=False,
    ),
    Way(
        name="charge begins at -3 °C, board at -20 °C", kind=Kind.CHARGE_COLD,
        start={"ambient_c": -3.0, "settings": {"charge_undertemperature_c": -20.0}}, fault=flows(28), from_fault=True,
        trips=False,
    ),
    Way(
        name="discharge at -21 °C", kind=Kind.DISCHARGE_COLD,
        start={"ambient_c": -21.5, "settings": {"charge_undertemperature_c": -30.0}}, fault=flows(-28),
        from_fault=True, trips=False,
    ),
    Way(
        name="charging in a room of 55 °C", kind=Kind.CHARGE_HOT, start={"ambient_c": 35.0, "state_of_charge": 0.1},
        fault=both(room(55), flows(56)), slow=True, step_s=2, hours=8,
    ),
    Way(
        name="discharging in a room of 60 °C", kind=Kind.DISCHARGE_HOT,
        start={"ambient_c": 38.0, "state_of_charge": 0.95},
        fault=both(room(60), flows(-28)), slow=True, step_s=2, hours=8,
    ),
    Way(
        name="a cell with a probe heated by 100 W at rest", kind=Kind.DISCHARGE_HOT, start={"ambient_c": 30.0},
        fault=heat(2, 100), slow=True, step_s=1, hours=2,
    ),
    Way(
        name="short of 100 W in a cell with a probe", kind=Kind.PROBE_SPREAD, level=W, fault=short(2, 100),
        from_fault=True, step_s=1, hours=2,
    ),
    Way(
        name="MOSFETs at 190 A in a room of 35 °C", kind=Kind.MOS_HOT,
        start={"ambient_c": 35.0, "state_of_charge": 0.9},
        fault=flows(-190), slow=True, step_s=1,
    ),
    # Currents
    Way(name="charge at 110 % of the limit", kind=Kind.CHARGE_CURRENT, level=W, fault=flows(154)),
    Way(name="charge at 130 % of the limit", kind=Kind.CHARGE_CURRENT, fault=flows(182)),
    Way(name="discharge at 110 % of the limit", kind=Kind.DISCHARGE_CURRENT, level=W, fault=flows(-220)),
    Way(name="discharge at 140 % of the limit", kind=Kind.DISCHARGE_CURRENT, fault=flows(-280)),
    Way(name="short circuit", kind=Kind.BMS_ALARM, fault=flows(-900), from_fault=True),
    Way(
        name="welded charge MOSFET, switched off", kind=Kind.CHARGE_MOSFET, level=W, start={"current_a": 20.0},
        fault=both(weld(charge=True), switched_off("charge_switch")), from_fault=True, trips=False,
    ),
    Way(
        name="welded discharge MOSFET, switched off", kind=Kind.DISCHARGE_MOSFET, level=W, start={"current_a": -20.0},
        fault=both(weld(discharge=True), switched_off("discharge_switch")), from_fault=True, trips=False,
    ),
    # Sensors
    Way(
        name="a cell's reading stands still while charged", kind=Kind.SPREAD_TOP, level=W, start=NEARLY_FULL,
        fault=both(cell_error(5, Stuck(3.35)), flows(28)), from_fault=True,
    ),
    Way(
        name="a probe stands still in a room of 60 °C", kind=Kind.DISCHARGE_HOT,
        start={"ambient_c": 38.0, "state_of_charge": 0.95},
        fault=both(probe_error(0, Stuck(38.0)), room(60), flows(-28)), slow=True, step_s=2, hours=8,
    ),
    Way(
        name="broken sense lead", kind=Kind.CELL_HIGH, fault=cell_error(5, OpenWire()), from_fault=True,
    ),
    Way(
        name="cell without a reading", kind=Kind.CELL_COUNT, fault=cell_error(5, Missing()), from_fault=True,
    ),
    Way(
        name="probe lost", kind=Kind.PROBE_LOST, level=A, fault=probe_error(0, Missing()), from_fault=True,
        trips=False,
    ),
    Way(
        name="overcharge, 0.1 C, current stuck at 0", kind=Kind.CELL_HIGH, start=NEARLY_FULL,
        fault=both(current_stuck(0.0), flows(28)), slow=True,
    ),
    # The link and the restart
    Way(
        name="the same frame over and over while charging", kind=Kind.DATA_FROZEN, level=W, start={"current_a": 50.0},
        fault=linked(LinkState.FROZEN), from_fault=True, trips=False,
    ),
    Way(
        name="measurements stand still, counters don't", kind=Kind.DATA_FROZEN, level=W, start={"current_a": 50.0},
        fault=linked(LinkState.STUCK_MEASUREMENT), from_fault=True, trips=False,
    ),
    Way(
        name="link lost at rest", kind=Kind.DATA_STALE, level=W, fault=linked(LinkState.DOWN), from_fault=True,
        trips=False,
    ),
    Way(
        name="an alarm of the board: charge MOSFET", kind=Kind.BMS_ALARM,
        fault=lambda world: world.board.force_alarm(Alarm.CHARGE_MOSFET, raised=True), from_fault=True, trips=False,
    ),
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of one way; times in s."""

    name: str
    expected: str
    level_after_violation_s: float | None
    """Negative where the level was there before the true quantity was beyond its limit."""
    warned_before_trip_s: float | None
    """None where the board doesn't trip."""
    advised_before_trip_s: float | None
    seen: bool
    slow: bool


def measure_way(number: int) -> Outcome:
    """Go one way, of a number from 0."""
    way = WAYS[number]
    world = World(**way.start)
    if way.prepare:
        way.prepare(world)
    kinds = tuple(kind for kind in Kind if FAMILIES[kind] is FAMILIES[way.kind]) if not way.from_fault else (way.kind,)
    first_s: dict[str, float] = {}

    def note(what: str, happened: object) -> None:
        if happened:
            first_s.setdefault(what, world.now_s - FAULT_S)

    while world.now_s < FAULT_S:
        world.advance(way.step_s)
    if world.assessment.level > Level.ADVISORY:
        raise RuntimeError(f"{way.name}: {world.assessment} before the fault")
    way.fault(world)
    end_s = FAULT_S + 3600 * way.hours
    while world.now_s < end_s:
        world.advance(way.step_s)
        note("violation", way.from_fault or is_beyond(world, way))
        note("level", world.level((way.kind,)) >= way.level)
        note("warning", world.level(kinds) >= Level.WARNING)
        note("advisory", world.level(kinds))
        note("trip", world.board.protections.alarms)
        if {"violation", "level"} <= first_s.keys() and ("trip" in first_s or not way.trips):
            end_s = min(end_s, world.now_s + AFTERWARDS_S)
    violation_s = 0.0 if way.from_fault else first_s.get("violation")
    level_s, trip_s = first_s.get("level"), first_s.get("trip")
    return Outcome(
        name=way.name,
        expected=f"{way.kind} {way.level.name.lower()}",
        level_after_violation_s=_between(violation_s, level_s),
        warned_before_trip_s=_between(first_s.get("warning"), trip_s),
        advised_before_trip_s=_between(first_s.get("advisory"), trip_s),
        seen=level_s is not None,
        slow=way.slow,
    )


def is_beyond(world: World, way: Way) -> bool:
    """Whether the true quantity is beyond the limit of the level that is expected."""
    sign, truth = TRUTHS[way.kind]
    limit = world.limit(way.kind, way.level)
    return limit is not None and sign * truth(world) >= sign * limit


def _between(from_s: float | None, until_s: float | None) -> float | None:
    return None if from_s is None or until_s is None else round(until_s - from_s, 1)


def measure_holds() -> dict[str, dict[str, Any]]:
    """Lose the link for a quarter of an hour, and restart, at each level."""
    results = {}
    for level in (Level.OK, Level.ADVISORY, Level.WARNING, Level.CRITICAL):
        world = World(state_of_charge=0.985, current_a=28.0)
        while world.level((Kind.CELL_HIGH,)) < level:
            world.advance(FRAME_S)
        world.restart()
        restarted_s = world.now_s
        world.advance(FRAME_S)
        while world.level((Kind.CELL_HIGH,)) < level:
            world.advance(FRAME_S)
        back_s = world.now_s - restarted_s
        world.link = LinkState.DOWN
        lost_s, lowest, stale_s = world.now_s, level, None
        while world.now_s < lost_s + 900:
            world.advance(1.0)
            lowest = min(lowest, world.level((Kind.CELL_HIGH,)))
            if stale_s is None and world.level((Kind.DATA_STALE,)) is Level.WARNING:
                stale_s = world.now_s - lost_s
        results[level.name.lower()] = {
            "held": lowest is level,
            "stale_warning_after_s": stale_s,
            "back_after_restart_s": back_s,
        }
    return results


# --- healthy use ---


def healthy_world(seed: int, frame_period_s: float) -> tuple[World, House, Charger]:
    """Return a pack in a cellar with a house and a charger that obeys."""
    world = World(seed=seed, ambient_c=12.0, settings={"charge_switch": 1.0}, frame_period_s=frame_period_s)
    house = House(CAPACITY_AH, seed)
    charger = Charger(
        cell_count=CELLS, charge_current_limit_a=CHARGE_A, discharge_current_limit_a=DISCHARGE_A, lag_s=10.0
    )
    charger.discharge_voltage_limit_v = EMPTY_V * CELLS
    return world, house, charger


def cellar_c(time_s: float) -> float:
    """Temperature of the room, coldest in mid-January."""
    season, hour = time_s / DAY_S / YEAR_DAYS, time_s % DAY_S / DAY_S
    return 19 - 9 * sin(2 * pi * (season + 0.21)) + 3 * sin(2 * pi * (hour - 0.4))


def rises(world: World, before: dict[str, Level]) -> Iterator[tuple[str, Level]]:
    """Return which hazards have risen since before, and note how they are now."""
    present = {hazard.key: hazard.level for hazard in world.assessment.hazards}
    for key, level in present.items():
        if level > before.get(key, Level.OK):
            yield key, level
    before.clear()
    before.update(present)


def live_a_year(seed: int, days: float = YEAR_DAYS) -> dict[str, int]:
    """Live a year at the coarse rate; count how often each hazard rose to each level."""
    world, house, charger = healthy_world(seed, COARSE_S)
    found: Counter[str] = Counter()
    levels: dict[str, Level] = {}
    living_s = 0.0

    def load(dt_s: float, voltage_v: float) -> float:
        return charger.step(dt_s, house.current_a(living_s), voltage_v)

    world.board.load = load
    # On the flat part of a charge nothing happens in a minute that shorter steps would show.
    with patch("simulator.pack.LONGEST_STEP_S", COARSE_S), patch("simulator.board.LONGEST_STEP_S", COARSE_S):
        while living_s < days * DAY_S:
            if lowest_v(world) > BOTTOM_V and highest_v(world) < TOP_V:
                step_s = COARSE_S
            else:
                step_s = FULL_S if abs(world.pack.current_a) < RESTS_A else FINE_S
            living_s += step_s
            world.pack.ambient_c = cellar_c(living_s)
            world.advance(step_s - FRAME_S)
            if step_s > FINE_S:
                world.measure_again()
            else:
                world.advance(FRAME_S)
            for key, level in rises(world, levels):
                found[f"{key} {level.name.lower()}"] += 1
    return dict(found)


def live_a_day(season: int) -> dict[str, int]:
    """Live a day at the full rate, of a season from 0 to 3."""
    world, house, charger = healthy_world(season + 1, FRAME_S)
    found: Counter[str] = Counter()
    levels: dict[str, Level] = {}
    living_s = season * YEAR_DAYS / 4 * DAY_S
    random = Random(f"day {season}")

    def load(dt_s: float, voltage_v: float) -> float:
        current_a = charger.step(dt_s, house.current_a(living_s), voltage_v)
        world.board.ripple_a = 0.02 * abs(current_a)
        return current_a

    world.board.load = load
    for _ in range(round(DAY_S / FRAME_S)):
        living_s += FRAME_S
        world.pack.ambient_c = cellar_c(living_s)
        world.link = LinkState.DOWN if random.random() < 0.03 else LinkState.UP
        world.advance(FRAME_S)
        for key, level in rises(world, levels):
            found[f"{key} {level.name.lower()}"] += 1
    return dict(found)


def lose_the_link_daily(years: int = YEARS) -> dict[str, int]:
    """Lose the link once a day for 10 to 60 s; only what happens around it is lived."""
    world = World(current_a=20.0)
    random = Random("outages")
    found: Counter[str] = Counter()
    levels: dict[str, Level] = {}
    for _ in range(years * YEAR_DAYS):
        for state, seconds in ((LinkState.DOWN, random.uniform(*OUTAGE_S)), (LinkState.UP, 75.0)):
            world.link = state
            step_s = FRAME_S if state is LinkState.DOWN else 2.5
            world.current_a = random.choice((20.0, -20.0))
            for _ in range(int(seconds / step_s)):
                world.advance(step_s)
                for key, level in rises(world, levels):
                    found[f"{key} {level.name.lower()}"] += 1
    return dict(found)


# --- cost ---


def frames_of(world: World, count: int) -> list[Telemetry]:
    """Return frames as they come, with a fifth probe's worth of temperatures."""
    frames: list[Telemetry] = []
    while len(frames) < count:
        world.advance(FRAME_S)
        if world.telemetry and world.telemetry not in frames[-1:]:
            frames.append(replace(world.telemetry, mos_temperature_copy_c=world.telemetry.mos_temperature_c))
    return frames


def us_per_frame(step: Callable[[Telemetry, float], object], frames: list[Telemetry], count: int) -> float:
    """Return the processor time, as the median over stretches of a thousand frames."""
    now_s, stretches = 0.0, []
    for _ in range(count // 1000):
        started = thread_time()
        for number in range(1000):
            now_s += FRAME_S
            step(frames[number % len(frames)], now_s)
        stretches.append((thread_time() - started) * 1000)
    return round(median(stretches), 2)


NO_STATE: Final = (Bounds, Pace, Limits, Zones, Telemetry, Settings, ProtectionConfig, Enum, type, str)
"""What an engine refers to, but doesn't make: tables, settings, and the frame that others hold as well."""


def bytes_of(thing: object, seen: set[int] | None = None) -> int:
    """Return the memory of an object and of all that is only its own."""
    seen = set() if seen is None else seen
    if id(thing) in seen or isinstance(thing, NO_STATE) or thing is None:
        return 0
    seen.add(id(thing))
    own = sys.getsizeof(thing)
    names = [name for each in type(thing).__mro__ for name in getattr(each, "__slots__", ())]
    inside: list[object] = [getattr(thing, name, None) for name in names]
    if isinstance(thing, dict):
        inside += [*thing.keys(), *thing.values()]
    elif isinstance(thing, list | tuple | set | frozenset):
        inside += thing
    inside += vars(thing).values() if hasattr(thing, "__dict__") else ()
    return own + sum(bytes_of(each, seen) for each in inside)


def measure_cost(frame_count: int) -> dict[str, Any]:
    """Measure time and memory of the engine and of the recorder."""
    calm = World(current_a=20.0)
    frames = frames_of(calm, 500)
    engine = calm.engine
    us = us_per_frame(lambda frame, now_s: engine.step(frame, calm.settings, now_s), frames, frame_count)
    after_many = bytes_of(engine) - bytes_of(engine.limits)
    wild = World(current_a=139.0, state_of_charge=0.985, ambient_c=54.0, settings=KEEPS_FROM_HEAT)
    wild.pack.charge_welded = True
    wild_frames = [
        replace(frame, cell_voltages_v=(3.66, *frame.cell_voltages_v[1:]), mos_temperature_c=95.0, alarm_bits=0x2010)
        for frame in frames_of(wild, 500)
    ]
    wild_us = us_per_frame(
        lambda frame, now_s: wild.engine.step(frame, wild.settings, now_s), wild_frames, frame_count // 10
    )
    recorder, guardian = EventRecorder(), Guardian(ProtectionConfig())
    assessment = guardian.step(frames[0], calm.settings, None, 0.0)
    recorder_us = us_per_frame(
        lambda frame, now_s: recorder.step(guardian, frame, calm.settings, assessment, now_s, ""),
        frames,
        frame_count // 10,
    )
    fresh = World().engine
    return {
        "frames": frame_count,
        "us_per_frame": us,
        "us_per_frame_with_everything_wrong": wild_us,
        "recorder_us_per_frame": recorder_us,
        "state_bytes": after_many,
        "state_bytes_at_the_start": bytes_of(fresh) - bytes_of(fresh.limits),
        "state_bytes_with_everything_wrong": bytes_of(wild.engine) - bytes_of(wild.engine.limits),
        "hazards_with_everything_wrong": len(wild.engine.stale(wild.now_s).hazards),
        "recorder_bytes": bytes_of(recorder),
    }


# --- all of it ---


def measure(years: int, frame_count: int) -> dict[str, Any]:
    """Measure everything; return the figures."""
    with ProcessPoolExecutor(os.process_cpu_count()) as pool:
        living = [pool.submit(live_a_year, seed) for seed in range(1, years + 1)]
        days = [pool.submit(live_a_day, season) for season in range(4)]
        ways = [pool.submit(measure_way, number) for number in range(len(WAYS))]
        holds, outages = pool.submit(measure_holds), pool.submit(lose_the_link_daily)
        outcomes = [each.result() for each in ways]
        by_year = [each.result() for each in living]
        by_day = [each.result() for each in days]
        held, lost = holds.result(), outages.result()
    cost = measure_cost(frame_count)
    healthy: Counter[str] = Counter()
    for found in (*by_year, *by_day, lost):
        healthy.update(found)
    slow = [each for each in outcomes if each.slow and each.warned_before_trip_s is not None]
    figures: dict[str, float] = {
        "ways_not_seen": sum(not each.seen for each in outcomes),
        "slow_ways_warned_less_than_60_s_before": sum((each.warned_before_trip_s or 0) < 60 for each in slow),
        "wrong_critical_in_5_years": sum(n for key, n in healthy.items() if key.endswith(" critical")),
        "wrong_warnings_a_year": sum(n for key, n in healthy.items() if key.endswith(" warning")) / max(years, 1),
        "us_per_frame": cost["us_per_frame"],
    }
    return {
        "ways": [as_json(each) for each in outcomes],
        "levels_held_and_back": held,
        "healthy": {
            "pack_years": years,
            "rises": dict(healthy),
            "by_year": by_year,
            "days_at_the_full_rate": by_day,
            "daily_outages_for_5_years": lost,
        },
        "cost": cost,
        "wanted": {
            name: {"at_most": limit, "measured": figures[name], "met": figures[name] <= limit}
            for name, limit in WANTED.items()
        },
    }


def as_json(outcome: Outcome) -> dict[str, Any]:
    return {name: getattr(outcome, name) for name in Outcome.__slots__}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.protection", description=__doc__.partition("\n")[0])
    parser.add_argument("--years", type=int, default=YEARS, help=f"of healthy use (default {YEARS})")
    parser.add_argument("--frames", type=int, default=1_000_000, help="for the cost (default a million)")
    parser.add_argument("--json", action="store_true", help="print all figures as JSON")
    options = parser.parse_args()
    result = measure(options.years, options.frames)
    if options.json:
        json.dump(result, sys.stdout, indent=2)
        print()
        return
    for way in result["ways"]:
        after, before = way["level_after_violation_s"], way["warned_before_trip_s"]
        print(f"{way['name']:55} {way['expected']:26} {after!s:>8} s after, warned {before!s:>8} s before the board")
    for name, figure in result["wanted"].items():
        verdict = "met" if figure["met"] else "not met"
        print(f"{name:40} {figure['measured']:>10}   wanted: at most {figure['at_most']:g}, {verdict}")


if __name__ == "__main__":
    main()
