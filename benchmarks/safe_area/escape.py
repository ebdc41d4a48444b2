"""How early is it seen that a pack leaves its safe area, and how early is it kept from it?

Times count from the true violation: the moment at which the quantity of the cells, not of their readings, passes the
limit of that level, or else the fault. A level may be there before: readings are off by their tolerances, on either
side.

Each way is gone twice. Once the guardian only watches, and the board trips. The other time it may stop charge and
discharge from level 3 on, by the board and where that is welded by the owner's switches.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import Final

from benchmarks.safe_area.keeper import Keeper
from benchmarks.safe_area.ways import BLINDING, RESTS_A, TRUTHS, WAYS, Way
from benchmarks.safe_area.world import World
from custom_components.jk_bms.battery.acting.reasons import ALARM_CURES, CHARGE, CURES, DISCHARGE, NONE, Ways
from custom_components.jk_bms.battery.chemistry import chemistry_of
from custom_components.jk_bms.battery.guardian import GuardianLevel
from custom_components.jk_bms.battery.hazards import FAMILIES, LEVELS, Kind, Level
from custom_components.jk_bms.battery.thresholds import Thresholds

FAULT_S: Final = 120.0
"""How long all is well before a fault."""
AFTERWARDS_S: Final = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """What was seen of one way; times in s."""

    name: str
    expected: str
    slow: bool
    seen: bool
    """Whether the expected level was there; and where nothing is heard any more, that this was said."""
    after_violation_s: dict[str, float | None]
    """Of each level up to the expected one; negative where it was there before the true quantity was beyond its limit,
    None where the true quantity never was."""
    all_in_all_after_fault_s: dict[str, float]
    """Of the guardian's levels, whatever they were for: heat, the board's alarms, other hazards."""
    monitoring_lost_after_fault_s: float | None
    """When it was said that no temperature is known; None where it never was."""
    board_trips_after_fault_s: float | None
    warned_before_trip_s: float | None
    """By a hazard of the same family; None where the board doesn't trip, negative where it trips first."""
    advised_before_trip_s: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Acted:
    """What was done on one way; times in s."""

    name: str
    violated: bool
    """Whether the true quantity ever passed the limit of critical."""
    ordered_after_violation_s: float | None
    """When the current was told to stop."""
    ordered_after_fault_s: float | None
    stopped_after_order_s: float | None
    board_was_first: bool
    """Whether the board had to stop it."""
    failed_after_order_s: float | None
    """When it said that it can't."""
    still_flows: bool


class Marks:
    """What happened first when, in s after the fault."""

    def __init__(self) -> None:
        self.first_s: dict[object, float] = {}

    def note(self, what: object, happened: object, now_s: float) -> None:
        """Write down that something happened, if it did, for the first time."""
        if happened:
            self.first_s.setdefault(what, now_s - FAULT_S)

    def between(self, earlier: object, later: object) -> float | None:
        """Return how long after one thing another happened; None if either never did."""
        if earlier not in self.first_s or later not in self.first_s:
            return None
        return round(self.first_s[later] - self.first_s[earlier], 1)


def begin(way: Way) -> tuple[World, Keeper]:
    """Live until the fault.

    Raises RuntimeError if the pack isn't healthy until then.
    """
    keeper = Keeper(way.step_s)
    world = World(keeper, **way.start)
    if way.prepare:
        way.prepare(world)
    while world.now_s < FAULT_S:
        world.advance(way.step_s)
    if keeper.assessment is None or keeper.assessment.level > Level.ADVISORY:
        raise RuntimeError(f"{way.name}: {keeper.assessment} before the fault")
    way.fault(world)
    return world, keeper


def watch(number: int) -> Watched:
    """Go one way, of a number from 0, and only watch."""
    way = WAYS[number]
    world, keeper = begin(way)
    kinds = (way.kind,) if way.from_fault else _family(way.kind)
    limits = true_limits(world, way)
    marks = Marks()
    expected = {("level", way.level), *(("monitoring lost",) if way.kind in BLINDING else ())}
    done = {("violation", way.level), *expected, *(("tripped",) if way.trips else ())}
    end_s = FAULT_S + 3600 * way.hours
    while world.now_s < end_s:
        world.advance(way.step_s)
        now_s = world.now_s
        assert keeper.assessment
        for level, limit in limits.items():
            marks.note(("violation", level), is_beyond(world, way, limit), now_s)
            marks.note(("level", level), keeper.level(way.kind) >= level, now_s)
        for overall in tuple(GuardianLevel)[1:]:
            marks.note(overall, keeper.assessment.level >= overall, now_s)
        marks.note("monitoring lost", keeper.assessment.monitoring_lost, now_s)
        marks.note("advised", keeper.level(*kinds), now_s)
        marks.note("warned", keeper.level(*kinds) >= Level.WARNING, now_s)
        marks.note("tripped", way.trips and has_tripped(world, way), now_s)
        if done <= marks.first_s.keys():
            end_s = min(end_s, now_s + AFTERWARDS_S)
    return Watched(
        name=way.name,
        expected=f"{way.kind} {way.level.name.lower()}",
        slow=way.slow,
        seen=expected <= marks.first_s.keys(),
        after_violation_s={
            level.name.lower(): marks.between(("violation", level), ("level", level)) for level in limits
        },
        all_in_all_after_fault_s={
            level.name.lower(): marks.first_s[level] for level in GuardianLevel if level in marks.first_s
        },
        monitoring_lost_after_fault_s=marks.first_s.get("monitoring lost"),
        board_trips_after_fault_s=marks.first_s.get("tripped"),
        advised_before_trip_s=marks.between("advised", "tripped"),
        warned_before_trip_s=marks.between("warned", "tripped"),
    )


def cures(way: Way) -> Ways:
    """Return which currents have to stop for what is expected of a way to end."""
    return CURES.get(way.kind, NONE) if way.alarm is None else ALARM_CURES[way.alarm]


def acts_on(way: Way) -> bool:
    """Whether what is expected of a way is something to act upon."""
    return way.level is Level.CRITICAL and bool(cures(way))


def has_tripped(world: World, way: Way) -> bool:
    """Whether the board itself stops the current that harms, or any where none does more than another."""
    guards = world.board.protections
    if cures(way) == CHARGE:
        return guards.bars_charge
    if cures(way) == DISCHARGE:
        return guards.bars_discharge
    return bool(guards.alarms)


def act(number: int) -> Acted:
    """Go one way, of a number from 0, and stop what can be stopped."""
    way = WAYS[number]
    world, keeper = begin(way)
    keeper.act(world, has_switches=way.has_switches)
    assert keeper.hands
    limit = true_limits(world, way)[way.level]
    marks = Marks()
    end_s = FAULT_S + 3600 * way.hours
    while world.now_s < end_s:
        world.advance(way.step_s)
        now_s = world.now_s
        flows = abs(world.pack.current_a) > RESTS_A
        marks.note("violation", is_beyond(world, way, limit), now_s)
        marks.note("ordered", keeper.hands.ordered, now_s)
        marks.note("stopped", keeper.hands.ordered and not flows, now_s)
        marks.note("tripped", has_tripped(world, way), now_s)
        marks.note("failed", keeper.hands.failed, now_s)
        if {"ordered", "stopped"} <= marks.first_s.keys() or "failed" in marks.first_s:
            end_s = min(end_s, now_s + AFTERWARDS_S)
    first_s = marks.first_s
    return Acted(
        name=way.name,
        violated="violation" in first_s,
        ordered_after_fault_s=first_s.get("ordered"),
        ordered_after_violation_s=marks.between("violation", "ordered"),
        stopped_after_order_s=marks.between("ordered", "stopped"),
        board_was_first="tripped" in first_s and first_s["tripped"] <= first_s.get("ordered", inf),
        failed_after_order_s=marks.between("ordered", "failed"),
        still_flows=flows,
    )


def true_limits(world: World, way: Way) -> dict[Level, float | None]:
    """Return the limits of the levels up to the expected one, as numbers that grow with the danger."""
    assert world.telemetry
    chemistry = chemistry_of(world.telemetry, world.settings)
    limits = Thresholds(chemistry, world.settings).of(way.kind)
    if way.from_fault or limits is None:
        return {way.level: None}
    sign = -1 if limits.row.falls else 1
    return {
        level: sign * limit
        for level, limit in zip(LEVELS, limits.limits, strict=True)
        if level <= way.level and limit is not None
    }


def is_beyond(world: World, way: Way, limit: float | None) -> bool:
    """Whether the true quantity is beyond a limit; without one the fault itself is the violation."""
    return limit is None or TRUTHS[way.kind](world) >= limit


def _family(kind: Kind) -> tuple[Kind, ...]:
    return tuple(other for other in Kind if FAMILIES[other] is FAMILIES[kind])
