"""The ways out of the safe area lead out of it, and what is measured of them is what happened."""

from __future__ import annotations

from dataclasses import replace
from unittest.mock import patch

import pytest

from benchmarks.safe_area import escape
from benchmarks.safe_area.escape import Acted, Marks, Watched, acts_on, begin
from benchmarks.safe_area.holds import hold
from benchmarks.safe_area.keeper import Keeper
from benchmarks.safe_area.ways import TRUTHS, WAYS, Way, flows
from benchmarks.safe_area.world import Link, World
from custom_components.jk_bms.battery.acting.interface import Target
from custom_components.jk_bms.battery.hazards import Kind, Level
from custom_components.jk_bms.bms.telemetry import Settings, Telemetry


class Ears:
    """Notes when something was heard, and when nothing was."""

    def __init__(self) -> None:
        self.heard: list[tuple[float, Telemetry]] = []
        self.missed_s: list[float] = []

    def hear(self, telemetry: Telemetry, settings: Settings | None, now_s: float) -> None:
        assert settings is None or settings.cell_overvoltage_v == pytest.approx(3.6)
        self.heard.append((now_s, telemetry))

    def miss(self, now_s: float) -> None:
        self.missed_s.append(now_s)


def number_of(name: str) -> int:
    return next(number for number, way in enumerate(WAYS) if way.name == name)


def watch(way: Way, monkeypatch: pytest.MonkeyPatch) -> Watched:
    monkeypatch.setattr(escape, "WAYS", (way,))
    return escape.watch(0)


def act(way: Way, monkeypatch: pytest.MonkeyPatch) -> Acted:
    monkeypatch.setattr(escape, "WAYS", (way,))
    return escape.act(0)


def test_every_hazard_has_a_way() -> None:
    assert len(WAYS) >= 40
    assert len({way.name for way in WAYS}) == len(WAYS)
    # A simulated board always says of which chemistry its cells are, or has settings that tell.
    assert {way.kind for way in WAYS} == set(Kind) - {Kind.LIMITS_UNKNOWN}
    assert all(way.from_fault or way.kind in TRUTHS for way in WAYS)
    assert sum(way.slow for way in WAYS) >= 15


def test_marks_are_of_the_first_time() -> None:
    marks = Marks()
    for what, happened, now_s in (("seen", 0, 121.0), ("seen", 1, 125.0), ("seen", 1, 130.0), ("over", 1, 140.0)):
        marks.note(what, happened, now_s)
    assert marks.first_s == {"seen": 5.0, "over": 20.0}
    assert (marks.between("seen", "over"), marks.between("over", "seen")) == (15.0, -15.0)
    assert marks.between("seen", "never") is None


def test_a_way_that_is_watched_and_one_that_is_ended() -> None:
    number = number_of("overcharge, 50 A")
    watched, acted = escape.watch(number), escape.act(number)
    assert watched.seen
    assert watched.warned_before_trip_s is not None
    assert 10 < watched.warned_before_trip_s < 120
    assert watched.monitoring_lost_after_fault_s is None
    assert watched.board_trips_after_fault_s is not None
    assert watched.board_trips_after_fault_s > watched.all_in_all_after_fault_s["warning"]
    assert list(watched.after_violation_s) == ["advisory", "warning", "critical"]
    assert all(after_s is not None and after_s < 90 for after_s in watched.after_violation_s.values())
    assert (acted.violated, acted.board_was_first, acted.still_flows) == (True, False, False)
    assert acted.stopped_after_order_s is not None
    assert acted.stopped_after_order_s < 5


def test_what_never_happens_is_not_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    calm = Way(name="nothing", kind=Kind.CELL_HIGH, fault=flows(1.0), hours=0.01)
    watched = watch(calm, monkeypatch)
    assert not watched.seen
    assert watched.after_violation_s == {"advisory": None, "warning": None, "critical": None}
    assert watched.warned_before_trip_s is None
    acted = act(replace(calm, start={"current_a": 20.0}, fault=flows(20.0)), monkeypatch)
    assert (acted.violated, acted.ordered_after_fault_s, acted.still_flows) == (False, None, True)


def test_a_board_that_is_faster_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    shorted = WAYS[number_of("short circuit")]
    watched = watch(shorted, monkeypatch)
    assert watched.warned_before_trip_s is not None
    assert watched.warned_before_trip_s < 0
    assert act(shorted, monkeypatch).board_was_first


@pytest.mark.parametrize(
    ("name", "after_s"),
    [
        ("link lost while charging", 65.0),
        ("the same frame over and over while charging", 121.0),
        ("measurements stand still, counters don't", 121.0),
    ],
)
def test_that_monitoring_is_lost_is_said(name: str, after_s: float) -> None:
    watched = escape.watch(number_of(name))
    assert watched.seen
    assert watched.monitoring_lost_after_fault_s == after_s


def test_a_level_without_a_word_of_lost_monitoring_is_not_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    calm = Way(name="well", kind=Kind.DATA_FROZEN, level=Level.OK, fault=flows(0.0), from_fault=True, hours=0.01)
    assert not watch(calm, monkeypatch).seen


def test_a_pack_that_is_not_well_before_the_fault() -> None:
    with pytest.raises(RuntimeError, match=r"charged in the cold: .*CHARGE_COLD"):
        begin(
            Way(
                name="charged in the cold",
                kind=Kind.CELL_HIGH,
                start={"ambient_c": -5.0, "current_a": 20.0, "settings": {"charge_undertemperature_c": -20.0}},
                fault=flows(0.0),
            )
        )


def test_a_welded_mosfet_takes_a_switch() -> None:
    name = "overcharge through a welded charge MOSFET"
    stopped, failed = escape.act(number_of(name)), escape.act(number_of(f"{name}, no switch"))
    assert (stopped.still_flows, stopped.failed_after_order_s) == (False, None)
    assert failed.still_flows
    assert failed.stopped_after_order_s is None
    assert failed.failed_after_order_s is not None
    assert failed.failed_after_order_s < 60


def test_only_what_can_be_ended_is_acted_upon() -> None:
    assert acts_on(WAYS[number_of("deep discharge, 0.1 C")])
    assert not acts_on(WAYS[number_of("link lost at rest")])
    assert not acts_on(WAYS[number_of("probe lost")])


def test_a_link_that_fails() -> None:
    ears = Ears()
    world = World(ears, current_a=20.0)
    for _ in range(10):
        world.advance(0.5)
    assert len({telemetry for _, telemetry in ears.heard[-10:]}) == 10
    world.link = Link.DOWN
    heard = len(ears.heard)
    for _ in range(41):
        world.advance(0.5)
    assert len(ears.heard) == heard
    assert [round(now_s - world.now_s + 20.5, 1) for now_s in ears.missed_s] == [5.0, 10.0, 15.0, 20.0]
    world.link = Link.FROZEN
    world.advance(0.5)
    world.advance(0.5)
    assert ears.heard[-1][1] is ears.heard[-2][1]
    world.link = Link.STUCK
    world.advance(2.0)
    stuck = ears.heard[-1][1]
    assert stuck != ears.heard[-2][1]
    assert (stuck.current_a, stuck.cell_voltages_v) == (ears.heard[-2][1].current_a, ears.heard[-2][1].cell_voltages_v)
    world.link, world.lost_share = Link.UP, 0.5
    heard = len(ears.heard)
    for _ in range(200):
        world.advance(0.5)
    assert 70 < len(ears.heard) - heard < 130


def test_what_is_told_is_what_would_have_been_heard() -> None:
    ears = Ears()
    world = World(ears, ambient_c=3.0, current_a=20.0)
    for _ in range(20):
        world.advance(0.5)
    world.tell()
    told = ears.heard[-1][1]
    with patch.object(world.board, "measure"):
        world.advance(0.5)
        world.tell()
    heard, again = (telemetry for _, telemetry in ears.heard[-2:])
    assert replace(heard, counter=again.counter) == again
    assert (again.alarm_bits, told.charge_mosfet) == (heard.alarm_bits, True)
    assert again.counter != heard.counter


def test_what_is_ordered_without_a_link_fails() -> None:
    keeper = Keeper()
    world = World(keeper, state_of_charge=0.985, current_a=28.0)
    keeper.act(world, has_switches=False)
    while keeper.level(Kind.CELL_HIGH) < Level.CRITICAL:
        world.advance(0.5)
    world.link = Link.DOWN
    assert keeper.hands
    assert [command.target for _, command in keeper.hands.ordered] == [Target.BOARD_CHARGE]
    for _ in range(20):
        world.advance(0.5)
    assert world.board.settings["charge_switch"] == 1
    world.link = Link.UP
    for _ in range(100):
        world.advance(0.5)
    assert world.board.settings["charge_switch"] == 0


def test_critical_is_held_without_a_link_and_over_a_restart() -> None:
    held = hold(Level.CRITICAL, acts=True)
    assert (held.held, held.orders_while_lost, held.orders_repeated) == (True, 0, 0)
    assert held.stale_warning_after_s == 605.0
    again = hold(Level.WARNING, acts=False)
    assert (again.held, again.back_after_restart_s) == (True, 0.5)
