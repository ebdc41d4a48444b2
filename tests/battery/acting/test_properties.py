"""Whatever happens in whatever order, what must never be done isn't."""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import Any

from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from custom_components.jk_bms.battery.acting.interface import (
    BOARD,
    BY_HAND,
    ActionsConfig,
    Cooling,
    Mode,
    Target,
)
from custom_components.jk_bms.battery.hazards import Kind, Level

from .scene import BY_BOARD, BY_BOTH, FAN, Scene, hazard, heat

HOUR_S = 3600.0
CONFIGS = [BY_BOARD, BY_BOTH, replace(BY_BOTH, cooling=Cooling(least_run_s=5), keep_supplied=True), ActionsConfig()]
AFTER_S = st.sampled_from([0.0, 0.5, 2.0, 11.0, 16.0, 61.0, 61.0, 700.0, 1900.0])
KINDS = [Kind.CELL_HIGH, Kind.CELL_LOW, Kind.MOS_HOT, Kind.DATA_STALE]

events = st.one_of(
    st.tuples(
        st.just("heat"),
        st.sampled_from([None, 0, 0, 0, 1, 1, 2, 3, 3, 4]),
        st.fixed_dictionaries(
            {
                "local": st.booleans(),
                "helps": st.booleans(),
                "hottest_c": st.sampled_from([None, 20.0, 59.0]),
                "hold_a": st.sampled_from([None, 0.0, 90.0]),
                "blind_since_s": st.sampled_from([None, None, 0.0]),
            }
        ),
    ),
    st.tuples(st.just("unknown")),
    st.tuples(st.just("hazards"), st.lists(st.tuples(st.sampled_from(KINDS), st.sampled_from(Level)), max_size=3)),
    st.tuples(st.just("fresh"), st.booleans()),
    st.tuples(st.just("mode"), st.sampled_from([Mode.ACT, Mode.ACT, *Mode])),
    st.tuples(st.just("by hand"), st.sampled_from(Target), st.sampled_from([True, False, None])),
    st.tuples(st.just("deaf"), st.sampled_from(Target)),
    st.tuples(st.just("current"), st.sampled_from([None, 0.0, 120.0, -120.0])),
    st.tuples(st.just("held elsewhere"), st.sets(st.sampled_from(Target))),
    st.tuples(st.just("fails"), st.booleans()),
    st.tuples(st.just("cool"), st.sampled_from([None, 30.0, 5000.0]), st.sampled_from([None, 25.0])),
    st.tuples(st.just("stop cooling")),
    st.tuples(st.just("emergency stop"), st.booleans(), st.booleans()),
    st.tuples(st.just("reset")),
    st.tuples(st.just("restart"), st.sampled_from([0.0, 60.0, 4000.0])),
    st.tuples(st.just("nothing")),
)


class Judge:
    """Knows what was seen and done, and what may be done."""

    def __init__(self, config: ActionsConfig) -> None:
        self.scene = Scene(config)
        self.lived_s = 0.0
        """Over all restarts."""
        self.starts_s: list[float] = []
        self.orders_s: dict[Target, list[float]] = {target: [] for target in Target}
        self.ours: set[Target] = set()
        self.latched = False

    def happen(self, what: str, *how: Any) -> None:
        scene = self.scene
        match what, *how:
            case "heat", level, known:
                scene.thermal = heat(level, **known)
            case ("unknown",):
                scene.thermal = None
            case "hazards", hazards:
                scene.hazards = tuple(hazard(kind, level) for kind, level in hazards if level)
            case "fresh", fresh:
                scene.fresh = fresh
            case "mode", mode:
                scene.mode = mode
            case "by hand", target, on:
                scene.on[target] = on
            case "deaf", target:
                scene.deaf ^= {target}
            case "current", current_a:
                scene.current_a = current_a
            case "held elsewhere", targets:
                scene.held_elsewhere = frozenset(targets)
            case "fails", refused:
                for command in scene.decision.commands:
                    scene.actor.failed(command, scene.now_s, refused=refused)
                    if command.target is FAN:
                        del self.starts_s[len(self.starts_s) - command.on :]
                    elif not scene.decision.latched:
                        self.orders_s[_budget(command.target)].pop()
            case "cool", for_s, until_c:
                until_s = None if for_s is None else scene.now_s + for_s
                scene.actor.cool(scene.now_s, until_s=until_s, until_c=until_c)
            case ("stop cooling",):
                scene.actor.stop_cooling()
            case "emergency stop", charge, discharge:
                scene.actor.emergency_stop(charge=charge, discharge=discharge)
            case ("reset",):
                scene.actor.reset(scene.now_s)
                if self.latched:
                    self.latched, self.ours = False, self.ours & {FAN}
            case "restart", elapsed_s:
                self.lived_s += elapsed_s
                self.scene = scene.restarted(elapsed_s)
                self.scene.mode, self.scene.held_elsewhere = scene.mode, scene.held_elsewhere

    def step(self, after_s: float) -> None:
        scene = self.scene
        before = dict(scene.on)
        decision = scene.step(after_s)
        self.lived_s += after_s
        level = None if scene.thermal is None else scene.thermal.level
        if scene.mode is Mode.ACT and level == 4 and scene.config.both_off is not None:
            self.latched = True
        assert len({command.target for command in decision.commands}) == len(decision.commands)
        for command in decision.commands:
            target, was_on = command.target, before[command.target]
            assert was_on is not None, "what isn't there can't be driven"
            assert scene.fresh or target not in BOARD, "nor can the board while it isn't heard of"
            drives = command.on is (target is FAN)
            if drives:
                assert scene.mode is Mode.ACT or command.cause == BY_HAND, "not allowed to act"
                if was_on is not command.on:
                    self.ours.add(target)
                assert target in self.ours, "it is so already"
            else:
                assert target in self.ours, "it was so before"
                assert target is FAN or not self.latched, "no return after an emergency"
                assert target is FAN or scene.mode is Mode.ACT, "only who acts puts back"
                assert target is FAN or scene.fresh, "not while nothing is known"
            if target is FAN:
                self.starts_s += [self.lived_s] * command.on
            elif not decision.latched:
                self.orders_s[_budget(target)].append(self.lived_s)
        lately = [at_s for at_s in self.starts_s if self.lived_s - at_s < HOUR_S]
        assert len(lately) <= 6, "too many starts"
        for target, orders_s in self.orders_s.items():
            assert sum(self.lived_s - at_s < HOUR_S for at_s in orders_s) <= 4, f"too many orders to {target}"
        if scene.mode is not Mode.ACT:
            assert decision.limit_a is None
        assert decision.limit_a is None or decision.limit_a >= 0
        shared = decision.held & scene.held_elsewhere  # what another pack switched on, and whoever is last switches off
        self.ours = {target for target in self.ours | shared if target in decision.held}


def _budget(target: Target) -> Target:
    return Target.BOARD_CHARGE if target in BOARD else target


@given(st.sampled_from(CONFIGS), st.lists(st.tuples(events, AFTER_S), max_size=60))
@hypothesis_settings(deadline=None, max_examples=300)
def test_never(config: ActionsConfig, life: list[tuple[tuple[Any, ...], float]]) -> None:
    judge = Judge(config)
    judge.step(0.5)
    for event, after_s in life:
        judge.happen(*event)
        judge.step(after_s)


def restless(random: Random) -> tuple[Any, ...]:
    """Return what makes much happen in an hour: levels that come and go, things that answer or don't."""
    match random.randrange(10):
        case 0 | 1 | 2 | 3:
            level = random.choice([0, 0, 0, 1, 2, 3, 3, 3, 4] if random.random() < 0.1 else [0, 1, 3])
            return "heat", level, {"hottest_c": random.choice([50.0, 59.0])}
        case 4:
            kinds = random.sample(KINDS, random.randrange(2))
            return "hazards", [(kind, Level.CRITICAL) for kind in kinds]
        case 5:
            return "by hand", random.choice(list(Target)), random.choice([True, True, False, None])
        case 6:
            return "deaf", random.choice(list(Target))
        case 7:
            return random.choice([("fresh", False), ("fresh", True), ("fresh", True), ("fresh", True)])
        case 8:
            return random.choice([("restart", 20.0), ("reset",), ("unknown",), ("mode", Mode.ACT)])
    return random.choice([("nothing",), ("heat", 0, {"blind_since_s": 0.0}), ("mode", Mode.WATCH), ("mode", Mode.ACT)])


@given(st.sampled_from(CONFIGS[:3]), st.integers(0, 2**32))
@hypothesis_settings(deadline=None, max_examples=40)
def test_never_in_a_restless_life(config: ActionsConfig, seed: int) -> None:
    random = Random(seed)
    judge = Judge(replace(config, cooling=Cooling(least_run_s=5)))
    for _ in range(300):
        judge.happen(*restless(random))
        for _ in range(random.randrange(1, 12)):
            judge.step(random.choice([0.5, 5.0, 20.0]))
