"""In which ways does a pack leave its safe area, or seem to?

After two minutes in which all is well something happens that the board alone doesn't keep from happening: an inverter
ignores limits, the cells get too cold or too warm for what flows, a sensor fails, a MOSFET is welded, nothing more is
heard. What is expected is the level of one hazard; others may be raised on the way.

Slow are the ways in which the true quantity takes more than two minutes from where everyday use ends (3.45 V, the
reserve, the limit of the advisory) to the board's own limit: currents of a tenth of the capacity or less, and heat and
cold of a room. A board at 3.5 V leaves 66 s at 0.1 C.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from benchmarks.safe_area.world import CELLS, FRAME_S, Link, World
from custom_components.jk_bms.battery.hazards import Kind, Level
from custom_components.jk_bms.bms.alarms import Alarm
from simulator.pack import Jump, Missing, OpenWire, Stuck

type Change = Callable[[World], None]
type Truth = Callable[[World], float]

RESTS_A: Final = 1.0
TOP_V, BOTTOM_V = 3.40, 3.10
"""Where a spread is one of the top, and of the bottom."""
HARMLESS: Final = -1000.0
BLINDING: Final = frozenset({Kind.DATA_FROZEN, Kind.DATA_STALE})
"""With these no temperature is known any more: that has to be said as well."""

TRUTHS: Final[Mapping[Kind, Truth]] = {
    Kind.CELL_HIGH: lambda world: world.highest_v,
    Kind.CELL_LOW: lambda world: -world.lowest_v,
    Kind.PACK_HIGH: lambda world: world.pack.voltage_v / CELLS,
    Kind.PACK_LOW: lambda world: -world.pack.voltage_v / CELLS,
    Kind.SPREAD_TOP: lambda world: world.highest_v - world.lowest_v if world.highest_v >= TOP_V else HARMLESS,
    Kind.SPREAD_BOTTOM: lambda world: world.highest_v - world.lowest_v if world.lowest_v <= BOTTOM_V else HARMLESS,
    Kind.CHARGE_COLD: lambda world: -world.coldest_c if world.pack.current_a > RESTS_A else HARMLESS,
    Kind.DISCHARGE_COLD: lambda world: -world.coldest_c if world.pack.current_a < -RESTS_A else HARMLESS,
    Kind.CHARGE_HOT: lambda world: world.hottest_c if world.pack.current_a > RESTS_A else HARMLESS,
    Kind.DISCHARGE_HOT: lambda world: world.hottest_c,
    Kind.MOS_HOT: lambda world: world.pack.heat.mosfet_c,
    Kind.CHARGE_CURRENT: lambda world: world.pack.current_a,
    Kind.DISCHARGE_CURRENT: lambda world: -world.pack.current_a,
}
"""The true quantities, of the cells and not of their readings, as numbers that grow with the danger."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """One way out of the safe area."""

    name: str
    kind: Kind
    level: Level = Level.CRITICAL
    start: Mapping[str, Any] = field(default_factory=dict)
    """What the world starts with."""
    prepare: Change | None = None
    fault: Change
    from_fault: bool = False
    """Whether the violation is the fault itself, not a quantity beyond its limit."""
    slow: bool = False
    step_s: float = FRAME_S
    hours: float = 1.0
    trips: bool = True
    """Whether the board's own protection sees it, sooner or later."""
    alarm: Alarm | None = None
    """Of the board, where that is the hazard."""
    has_switches: bool = False
    """Whether the owner lets charger and inverter be switched as well: a welded MOSFET can't be opened."""


def flows(current_a: float) -> Change:
    def change(world: World) -> None:
        world.current_a = current_a

    return change


def linked(link: Link) -> Change:
    def change(world: World) -> None:
        world.link = link

    return change


def loses(share: float) -> Change:
    def change(world: World) -> None:
        world.lost_share = share

    return change


def all_of(*changes: Change) -> Change:
    def change(world: World) -> None:
        for each in changes:
            each(world)

    return change


def heated(watts: float, *cells: int) -> Change:
    def change(world: World) -> None:
        for cell in cells:
            world.pack.cells[cell].heater_w = watts

    return change


def shorted(cell: int, watts: float) -> Change:
    def change(world: World) -> None:
        world.pack.cells[cell].short_w = watts

    return change


def ahead(ah: float) -> Change:
    def change(world: World) -> None:
        world.pack.cells[5].charge_ah += ah

    return change


def weak(share: float) -> Change:
    return lambda world: world.pack.cells[5].lose_capacity(share)


def contact(ohm: float) -> Change:
    def change(world: World) -> None:
        world.pack.cells[5].contact_ohm = ohm

    return change


def welded(*, charge: bool = False, discharge: bool = False) -> Change:
    def change(world: World) -> None:
        world.pack.charge_welded, world.pack.discharge_welded = charge, discharge

    return change


def switched_off(name: str) -> Change:
    return lambda world: world.board.change(name, 0.0)


def misread(error: Stuck | Missing | Jump | OpenWire, *cells: int) -> Change:
    return lambda world: world.pack.cell_errors.update(dict.fromkeys(cells, error))


def felt_wrong(error: Stuck | Missing, *probes: int) -> Change:
    return lambda world: world.pack.probe_errors.update(dict.fromkeys(probes, error))


def current_stuck(current_a: float) -> Change:
    def change(world: World) -> None:
        world.pack.current_error = Stuck(current_a)

    return change


def room(ambient_c: float) -> Change:
    def change(world: World) -> None:
        world.pack.ambient_c = ambient_c

    return change


def raised(alarm: Alarm) -> Change:
    return lambda world: world.board.force_alarm(alarm, raised=True)


EVERY: Final = tuple(range(CELLS))
NEARLY_FULL: Final = {"state_of_charge": 0.985}
NEARLY_EMPTY: Final = {"state_of_charge": 0.05}
A, W = Level.ADVISORY, Level.WARNING

WAYS: Final = (
    # Inverters that ignore limits
    Way(name="overcharge, 0.05 C", kind=Kind.CELL_HIGH, start=NEARLY_FULL, fault=flows(14), slow=True),
    Way(name="overcharge, 0.1 C", kind=Kind.CELL_HIGH, start=NEARLY_FULL, fault=flows(28), slow=True),
    Way(name="overcharge, 50 A", kind=Kind.CELL_HIGH, start=NEARLY_FULL, fault=flows(50)),
    Way(name="overcharge, 0.5 C", kind=Kind.CELL_HIGH, start={"state_of_charge": 0.95}, fault=flows(139)),
    Way(
        name="overcharge of a cell 5 Ah ahead, 0.1 C", kind=Kind.CELL_HIGH, start={"state_of_charge": 0.97},
        prepare=ahead(5), fault=flows(28), slow=True,
    ),
    Way(
        name="overcharge of a cell 5 Ah ahead, 0.5 C", kind=Kind.CELL_HIGH, start={"state_of_charge": 0.94},
        prepare=ahead(5), fault=flows(139),
    ),
    Way(
        name="overcharge, 0.1 C, every other frame lost", kind=Kind.CELL_HIGH, start=NEARLY_FULL,
        fault=all_of(loses(0.5), flows(28)), slow=True,
    ),
    Way(
        name="overcharge, 0.1 C, asked every 10 s", kind=Kind.CELL_HIGH, start=NEARLY_FULL, fault=flows(28),
        slow=True, step_s=10,
    ),
    Way(
        name="overcharge, 0.1 C, board at 3.5 V", kind=Kind.CELL_HIGH,
        start=NEARLY_FULL | {"settings": {"cell_overvoltage_v": 3.5, "cell_overvoltage_recovery_v": 3.4}},
        fault=flows(28),
    ),
    Way(
        name="overcharge, 0.05 C, board at 3.5 V", kind=Kind.CELL_HIGH,
        start=NEARLY_FULL | {"settings": {"cell_overvoltage_v": 3.5, "cell_overvoltage_recovery_v": 3.4}},
        fault=flows(14), slow=True,
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
        fault=all_of(welded(charge=True), flows(28)), slow=True, has_switches=True,
    ),
    Way(
        name="overcharge through a welded charge MOSFET, no switch", kind=Kind.CELL_HIGH, start=NEARLY_FULL,
        fault=all_of(welded(charge=True), flows(28)), slow=True,
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
        prepare=weak(0.2), fault=flows(-28), slow=True, hours=3,
    ),
    Way(
        name="spread of a weak cell, 0.1 C", kind=Kind.SPREAD_BOTTOM, level=W, start={"state_of_charge": 0.25},
        prepare=weak(0.2), fault=flows(-28), hours=3,
    ),
    Way(
        name="a cell tapped by 22 Ah, at rest", kind=Kind.SPREAD_PLATEAU, level=A, start={"state_of_charge": 0.2},
        fault=ahead(-22), from_fault=True, trips=False,
    ),
    Way(
        name="deep discharge through a welded MOSFET", kind=Kind.CELL_LOW, start=NEARLY_EMPTY,
        fault=all_of(welded(discharge=True), flows(-28)), slow=True, has_switches=True,
    ),
    Way(
        name="standby drains an empty pack, 2 A", kind=Kind.CELL_LOW, start={"state_of_charge": 0.03},
        fault=flows(-2), slow=True, step_s=5, hours=12,
    ),
    # Cold and heat
    Way(
        name="charging while the room cools", kind=Kind.CHARGE_COLD, start={"ambient_c": 9.0, "state_of_charge": 0.2},
        fault=all_of(room(-15), flows(28)), slow=True, step_s=2, hours=8,
    ),
    Way(
        name="charging while the room cools, board at -20 °C", kind=Kind.CHARGE_COLD,
        start={"ambient_c": 9.0, "state_of_charge": 0.2, "settings": {"charge_undertemperature_c": -20.0}},
        fault=all_of(room(-15), flows(28)), slow=True, step_s=2, hours=8, trips=False,
    ),
    Way(
        name="charge begins at -3 °C, board at -20 °C", kind=Kind.CHARGE_COLD,
        start={"ambient_c": -3.0, "settings": {"charge_undertemperature_c": -20.0}}, fault=flows(28), from_fault=True,
        trips=False,
    ),
    Way(
        name="charge at -3 °C through a welded charge MOSFET", kind=Kind.CHARGE_COLD, start={"ambient_c": -3.0},
        fault=all_of(welded(charge=True), flows(28)), from_fault=True, trips=False, has_switches=True,
    ),
    Way(
        name="discharge at -21 °C", kind=Kind.DISCHARGE_COLD,
        start={"ambient_c": -21.5, "settings": {"charge_undertemperature_c": -30.0}}, fault=flows(-28),
        from_fault=True, trips=False,
    ),
    Way(
        name="charging in a room of 55 °C", kind=Kind.CHARGE_HOT, start={"ambient_c": 35.0, "state_of_charge": 0.1},
        fault=all_of(room(55), flows(56)), slow=True, step_s=2, hours=8,
    ),
    Way(
        name="discharging in a room of 65 °C", kind=Kind.DISCHARGE_HOT,
        start={"ambient_c": 38.0, "state_of_charge": 0.95},
        fault=all_of(room(65), flows(-28)), slow=True, step_s=2, hours=8,
    ),
    Way(
        name="a cell with a probe heated by 100 W at rest", kind=Kind.DISCHARGE_HOT, start={"ambient_c": 30.0},
        fault=heated(100, 2), slow=True, step_s=1, hours=2,
    ),
    Way(
        name="heater mats that don't end, 25 W a cell", kind=Kind.DISCHARGE_HOT, start={"ambient_c": 10.0},
        fault=heated(25, *EVERY), slow=True, step_s=2, hours=8,
    ),
    Way(
        name="short of 100 W in a cell with a probe", kind=Kind.PROBE_SPREAD, level=W, fault=shorted(2, 100),
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
    Way(
        name="short circuit", kind=Kind.BMS_ALARM, alarm=Alarm.DISCHARGE_SHORT_CIRCUIT, fault=flows(-900),
        from_fault=True,
    ),
    Way(
        name="welded charge MOSFET, switched off", kind=Kind.CHARGE_MOSFET, level=W, start={"current_a": 20.0},
        fault=all_of(welded(charge=True), switched_off("charge_switch")), from_fault=True, trips=False,
    ),
    Way(
        name="welded discharge MOSFET, switched off", kind=Kind.DISCHARGE_MOSFET, level=W, start={"current_a": -20.0},
        fault=all_of(welded(discharge=True), switched_off("discharge_switch")), from_fault=True, trips=False,
    ),
    # Sensors
    Way(
        name="a cell's reading stands still while charged", kind=Kind.SPREAD_TOP, level=W, start=NEARLY_FULL,
        fault=all_of(misread(Stuck(3.35), 5), flows(28)), from_fault=True,
    ),
    Way(
        name="all cells' readings stand still while overcharged", kind=Kind.PACK_HIGH, start=NEARLY_FULL,
        fault=all_of(misread(Stuck(3.35), *EVERY), flows(28)), slow=True,
    ),
    Way(
        name="all cells' readings stand still while emptied", kind=Kind.PACK_LOW, start=NEARLY_EMPTY,
        fault=all_of(misread(Stuck(3.1), *EVERY), flows(-28)), slow=True,
    ),
    Way(
        name="a cell's reading falls to 0.6 V", kind=Kind.CELL_READING, fault=misread(Stuck(0.6), 5), from_fault=True,
    ),
    Way(
        name="all cells read 30 mV too little", kind=Kind.VOLTAGE_MISMATCH, level=A,
        fault=misread(Jump(-0.03), *EVERY), from_fault=True, trips=False,
    ),
    Way(
        name="current sensor stands at 900 A", kind=Kind.CURRENT_READING, level=W, start={"current_a": 20.0},
        fault=current_stuck(900.0), from_fault=True,
    ),
    Way(
        name="a probe stands still in a room of 65 °C", kind=Kind.DISCHARGE_HOT,
        start={"ambient_c": 38.0, "state_of_charge": 0.95},
        fault=all_of(felt_wrong(Stuck(38.0), 0), room(65), flows(-28)), slow=True, step_s=2, hours=8,
    ),
    Way(
        name="broken sense lead", kind=Kind.CELL_HIGH, fault=misread(OpenWire(), 5), from_fault=True,
    ),
    Way(
        name="cell without a reading", kind=Kind.CELL_COUNT, fault=misread(Missing(), 5), from_fault=True,
    ),
    Way(
        name="probe lost", kind=Kind.PROBE_LOST, level=A, fault=felt_wrong(Missing(), 0), from_fault=True,
        trips=False,
    ),
    Way(
        name="a probe says 85 °C all at once", kind=Kind.PROBE_LOST, level=A, fault=felt_wrong(Stuck(85.0), 0),
        from_fault=True,
    ),
    Way(
        name="all probes lost", kind=Kind.PROBE_LOST, level=W, fault=felt_wrong(Missing(), 0, 1, 2, 3),
        from_fault=True, trips=False,
    ),
    Way(
        name="overcharge, 0.1 C, current stuck at 0", kind=Kind.CELL_HIGH, start=NEARLY_FULL,
        fault=all_of(current_stuck(0.0), flows(28)), slow=True,
    ),
    # The link and the restart
    Way(
        name="the same frame over and over while charging", kind=Kind.DATA_FROZEN, level=W, start={"current_a": 50.0},
        fault=linked(Link.FROZEN), from_fault=True, trips=False,
    ),
    Way(
        name="measurements stand still, counters don't", kind=Kind.DATA_FROZEN, level=W, start={"current_a": 50.0},
        fault=linked(Link.STUCK), from_fault=True, trips=False,
    ),
    Way(
        name="link lost at rest", kind=Kind.DATA_STALE, level=W, fault=linked(Link.DOWN), from_fault=True,
        trips=False,
    ),
    Way(
        name="link lost while charging", kind=Kind.DATA_STALE, level=W, start={"current_a": 50.0},
        fault=linked(Link.DOWN), from_fault=True, trips=False,
    ),
    Way(
        name="link lost while discharging", kind=Kind.DATA_STALE, level=W, start={"current_a": -50.0},
        fault=linked(Link.DOWN), from_fault=True, trips=False,
    ),
    Way(
        name="an alarm of the board: charge MOSFET", kind=Kind.BMS_ALARM, alarm=Alarm.CHARGE_MOSFET,
        fault=raised(Alarm.CHARGE_MOSFET), from_fault=True, trips=False,
    ),
)  # fmt: skip
