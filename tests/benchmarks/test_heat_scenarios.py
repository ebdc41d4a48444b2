"""What the columns of a table of scenarios mean."""

from __future__ import annotations

import pytest

from benchmarks.heat.scenarios import Board, Play, Scenario, corruption, profile
from custom_components.jk_bms.battery.thermal.interface import ThermalSample
from simulator.thermal_pack import Surroundings, ThermalPack


@pytest.mark.parametrize(
    ("text", "at", "values"),
    [
        ("c:-20", (0, 9e9), (-20, -20)),
        ("s:0=-5,3600=-200,5400=-5", (0, 3599, 3600, 5399, 5400), (-5, -5, -200, -200, -5)),
        ("s:60=7", (0, 60), (0, 7)),
        ("r:3600,10800,300", (0, 3600, 7200, 10800, 99999), (0, 0, 150, 300, 300)),
        ("r:0,100,10,20", (50,), (25,)),
        ("q:-150,-5,600,300", (0, 299, 300, 599, 600), (-150, -150, -5, -5, -150)),
        ("h:-150,60,1500", (0, 375, 1125), (-150, -90, -210)),
        ("d:22,8,3600,28800", (0, 3600, 16200, 28800), (22, 22, 30, 22)),
    ],
)
def test_profiles(text: str, at: tuple[float, ...], values: tuple[float, ...]) -> None:
    course = profile(text)
    assert [course(t) for t in at] == pytest.approx(list(values))


def test_what_is_no_profile_says_so() -> None:
    with pytest.raises(ValueError, match="no profile: 'x:1'"):
        profile("x:1")
    with pytest.raises(ValueError, match="no corruption: 'melt:1'"):
        corruption("melt:1", 5.0)


def frames(text: str, temperatures_c: tuple[float, ...] = (20.0,) * 20) -> list[float | None]:
    """Return what becomes of one probe of two, polled every 5 s; nan would be a frame that doesn't come."""
    spoil = corruption(text, 5.0)
    spoilt = [spoil(ThermalSample((value, 1.0)), 5.0 * poll) for poll, value in enumerate(temperatures_c)]
    return [None if sample is None else sample.probes_c[0] for sample in spoilt]


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("", {}),
        ("spike:0:0,-200:25", {5: 0, 10: -200, 15: 0}),
        ("spike2:0:85:50", {10: 85, 11: 85}),
        ("hold:0:-200:10:20", {2: -200, 3: -200}),
        ("allzero:50", {10: 0}),
        ("gap:10:20", {2: None, 3: None}),
        ("spike:1:0:25", {}),
        ("hold:0:44:10:15;gap:20:25", {2: 44, 4: None}),
    ],
)
def test_corruptions(text: str, wrong: dict[int, float | None]) -> None:
    assert frames(text) == [wrong.get(poll, 20.0) for poll in range(20)]


def test_corruptions_that_go_by_the_value() -> None:
    rising = tuple(float(value) for value in range(145, 165))
    assert frames("die:0:150", rising) == [*rising[:6], *[-200.0] * 14]
    assert frames("stick:0:10:20", rising)[:5] == [145, 146, 146, 146, 149]
    assert frames("wrapneg:0", (1.0, 0.0, -0.4, -5.0)) == [1.0, 0.0, 100.4, 105.0]


def test_a_loose_contact_is_now_and_then() -> None:
    values = frames("loose:0:-5:0.33:0:1000", (20.0,) * 200)
    assert set(values) == {20.0, 15.0}
    assert 40 < values.count(15.0) < 95


def test_a_board_loses_two_per_cent_and_reads_tenths() -> None:
    board, pack = Board(1, corruption("", 5.0)), ThermalPack(1, 25.0)
    measured = [board.measure(pack, Surroundings(current_a=10.0), 0.0) for _ in range(5000)]
    read = [sample.probes_c[0] or 0.0 for sample in measured if sample is not None]
    assert measured.count(None) == pytest.approx(100, abs=40)
    assert min(read) >= 24.7
    assert max(read) <= 25.3
    assert all(value == round(value, 1) for value in read)


def scenario(what: str, fault: str, current: str = "c:0") -> Scenario:
    return Scenario(
        "x", "fault", what, 600, 0.0, 5.0, None,
        (current, "c:25", "c:0", "c:0", "c:0", fault, "c:0"), 3, 8.0, (1, 3), "", {}, None,
    )  # fmt: skip


def test_a_shorted_cell_sags_at_once_and_twice_as_much_later() -> None:
    voltages = [moment.cells_v for moment in Play(scenario("a short", "s:0=0,60=300"), 1).moments()]
    sag = [cells_v[3] - sorted(cells_v)[8] for cells_v in voltages]
    usual = sum(sag[:12]) / 12
    assert 0.025 < usual - sag[14] < 0.055
    assert 1.6 < (usual - sag[-1]) / (usual - sag[14]) < 2.4


def test_heat_from_outside_sags_nothing() -> None:
    voltages = [moment.cells_v for moment in Play(scenario("external heat", "s:0=0,60=300"), 1).moments()]
    assert abs(voltages[0][3] - voltages[-1][3]) < 0.005


def test_a_bad_terminal_heats_by_the_square_of_what_is_let_through() -> None:
    play = Play(scenario("bad terminal", "c:60", "c:-100"), 1)
    next(play.moments())
    assert play.acting.fault_w == 60
    play.limit_discharge_a = 50.0
    list(play.moments())
    assert (play.acting.current_a, play.acting.fault_w) == (-50, 15)


def test_lasting_changes_are_the_start_the_onset_and_every_step() -> None:
    assert scenario("x", "s:0=0,3600=5", "s:0=1,7200=0").lasting_changes_s == [0, 3600, 7200]
