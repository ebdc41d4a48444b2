"""What happens at each level when the link is lost for a quarter of an hour, and when Home Assistant is restarted?

A pack is overcharged by 0.1 C until the level is there. What was known is held while nothing is heard, nothing is
ordered and nothing is put back; after a restart the level is there again as soon as it is confirmed, and what was
ordered isn't ordered again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from benchmarks.safe_area.keeper import Keeper
from benchmarks.safe_area.world import FRAME_S, Link, World
from custom_components.jk_bms.battery.hazards import Kind, Level

NEARLY_FULL: Final = 0.985
OVERCHARGE_A: Final = 28.0
LOST_S: Final = 900.0
RESTART_S: Final = 60.0
WATCHED_S: Final = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """What became of one level; times in s."""

    level: str
    acts: bool
    held: bool
    """Neither the level of the hazard nor that of all fell while the link was lost."""
    orders_while_lost: int
    stale_warning_after_s: float | None
    back_after_restart_s: float | None
    """None where what was done has ended it."""
    orders_repeated: int
    """Of those that were given before the restart."""


def hold(level: Level, *, acts: bool) -> Held:
    """Lose the link, and restart, at a level."""
    held, orders_while_lost, stale_s = _lose_link(level, acts=acts)
    back_s, repeated = _restart(level, acts=acts)
    return Held(
        level=level.name.lower(),
        acts=acts,
        held=held,
        orders_while_lost=orders_while_lost,
        stale_warning_after_s=stale_s,
        back_after_restart_s=back_s,
        orders_repeated=repeated,
    )


def _reach(level: Level, *, acts: bool) -> tuple[World, Keeper]:
    keeper = Keeper()
    world = World(keeper, state_of_charge=NEARLY_FULL, current_a=OVERCHARGE_A)
    if acts:
        keeper.act(world, has_switches=False)
    while keeper.level(Kind.CELL_HIGH) < level:
        world.advance(FRAME_S)
    # What is ordered gets carried out.
    for _ in range(4):
        world.advance(FRAME_S)
    return world, keeper


def _orders(keeper: Keeper) -> int:
    return 0 if keeper.hands is None else len(keeper.hands.ordered)


def _lose_link(level: Level, *, acts: bool) -> tuple[bool, int, float | None]:
    world, keeper = _reach(level, acts=acts)
    assert keeper.assessment
    overall, known, orders = keeper.assessment.level, keeper.level(Kind.CELL_HIGH), _orders(keeper)
    world.link = Link.DOWN
    lost_s, held, stale_s = world.now_s, True, None
    while world.now_s < lost_s + LOST_S:
        world.advance(1.0)
        held = held and keeper.level(Kind.CELL_HIGH) is known and keeper.assessment.level >= overall
        if stale_s is None and keeper.level(Kind.DATA_STALE) is Level.WARNING:
            stale_s = world.now_s - lost_s
    return held, _orders(keeper) - orders, stale_s


def _restart(level: Level, *, acts: bool) -> tuple[float | None, int]:
    world, keeper = _reach(level, acts=acts)
    orders = _orders(keeper)
    world.live(RESTART_S)
    keeper.restart(RESTART_S, world.now_s)
    restarted_s, back_s = world.now_s, None
    world.connect()
    while world.now_s < restarted_s + WATCHED_S:
        world.advance(FRAME_S)
        if back_s is None and keeper.level(Kind.CELL_HIGH) >= level:
            back_s = world.now_s - restarted_s
    off = [command for _, command in (keeper.hands.ordered if keeper.hands else ())[orders:] if not command.on]
    return back_s, len(off) if orders else 0
