"""What the voltage of one cell says: chapter 3.6 of the guide."""

from __future__ import annotations

import pytest

from custom_components.jk_bms.battery.thermal.config import ThermalConfig
from custom_components.jk_bms.battery.thermal.witness import Sag, VoltageWitness

OHM = 0.4e-3
CONFIG = ThermalConfig()
NO_PLATEAU = ThermalConfig(plateau_v=None)


class Cells:
    """A witness that has seen 16 cells at rest, or under a steady current, for some time."""

    def __init__(self, current_a: float = 0.0, minutes: float = 20, config: ThermalConfig = CONFIG) -> None:
        self.witness = VoltageWitness(config, ())
        self.offsets_v = [0.001 * (cell % 5 - 2) for cell in range(16)]
        self.current_a = current_a
        self.ohms = [OHM] * 16
        self.level_v = 3.3
        self.now_s = 0.0
        self.balancing: tuple[int, ...] | None = ()
        self.feed(minutes * 60)

    def feed(self, seconds: float, sag_v: float = 0.0, fall_v_s: float = 0.0, cell: int = 7) -> Sag:
        sag = Sag.NONE
        for index in range(int(seconds / 5)):
            self.now_s += 5.0
            voltages_v = [
                round(self.level_v + offset_v + ohm * self.current_a, 3)
                for offset_v, ohm in zip(self.offsets_v, self.ohms, strict=True)
            ]
            voltages_v[cell] = round(voltages_v[cell] - sag_v - fall_v_s * index * 5, 3)
            self.witness.step(tuple(voltages_v), self.current_a, self.balancing, self.now_s)
            sag = max(sag, self.witness.sag)
        return sag


@pytest.mark.parametrize(
    ("sag_v", "seconds", "expected"),
    [
        (0.022, 600, Sag.NONE),
        (0.030, 15, Sag.NONE),
        (0.030, 30, Sag.CLEAR),
        (0.080, 130, Sag.SHORT),
    ],
)
def test_depth_and_time(sag_v: float, seconds: float, expected: Sag) -> None:
    assert Cells().feed(seconds, sag_v) is expected


def test_a_resting_cell_that_goes_on_falling_has_a_short() -> None:
    cells = Cells()
    assert cells.feed(200, 0.030, 0.0001) is Sag.SHORT
    assert cells.witness.cell == 7
    assert cells.witness.sag_v == pytest.approx(-0.05, abs=0.003)


def test_a_resting_cell_that_stays_is_only_clear() -> None:
    assert Cells().feed(600, 0.030) is Sag.CLEAR


def test_a_cell_that_falls_under_load_is_only_clear() -> None:
    assert Cells(-100.0).feed(200, 0.030, 0.0001) is Sag.CLEAR


def test_the_habit_of_a_cell_is_no_sag() -> None:
    cells = Cells(minutes=1)
    cells.offsets_v[7] = -0.1
    fresh = Cells(minutes=0)
    fresh.offsets_v[7] = -0.1
    assert fresh.feed(1200) is Sag.NONE
    assert cells.feed(1200) is Sag.SHORT


def test_habits_are_kept_over_a_restart() -> None:
    cells = Cells()
    again = VoltageWitness(CONFIG, cells.witness.habits_v)
    cells.witness = again
    assert cells.feed(60, 0.030) is Sag.CLEAR


def test_resistance_of_a_cell_is_learned_from_the_load() -> None:
    cells = Cells()
    cells.ohms[7] = OHM + 0.15e-3
    for _ in range(20):
        cells.current_a = -60.0
        cells.feed(300)
        cells.current_a = 60.0
        cells.feed(300)
    cells.current_a = -100.0
    assert cells.feed(300) is Sag.NONE


def test_resistance_that_nobody_could_learn_is_no_sag() -> None:
    cells = Cells()
    cells.ohms[7] = OHM + 0.2e-3
    cells.current_a = -150.0
    cells.level_v -= 150.0 * OHM
    cells.now_s += 3600
    assert cells.feed(3600) is Sag.NONE
    assert cells.feed(300, 0.030) is Sag.CLEAR


@pytest.mark.parametrize("what", ["moving", "balancing it", "balancing some", "knee", "no plateau", "no current"])
def test_when_it_cannot_be_told(what: str) -> None:
    cells = Cells(config=NO_PLATEAU if what == "no plateau" else CONFIG)
    if what == "balancing it":
        cells.balancing = (7,)
    if what == "balancing some":
        cells.balancing = None
    if what == "knee":
        cells.level_v = 3.45
    sag = Sag.NONE
    for index in range(60):
        if what == "moving":
            cells.current_a = 20.0 * (index % 2)
        if what == "no current":
            cells.witness.step((3.3,) * 15 + (3.2,), None, (), cells.now_s)
            sag = max(sag, cells.witness.sag)
        else:
            sag = max(sag, cells.feed(5, 0.08))
    assert sag is Sag.NONE


@pytest.mark.parametrize(("seconds", "expected"), [(890, Sag.NONE), (930, Sag.CLEAR)])
def test_after_an_end_of_the_curve_cells_have_a_quarter_of_an_hour(seconds: float, expected: Sag) -> None:
    cells = Cells()
    cells.level_v = 3.45
    cells.feed(60)
    cells.level_v = 3.3
    assert cells.feed(seconds, 0.030) is expected


@pytest.mark.parametrize(("seconds", "expected"), [(590, Sag.CLEAR), (610, Sag.SHORT)])
def test_a_pack_rests_after_ten_minutes(seconds: float, expected: Sag) -> None:
    cells = Cells(-60.0)
    cells.current_a = 0.0
    assert cells.feed(seconds, 0.100) is expected


def test_collapse_needs_two_frames_and_no_neighbours() -> None:
    witness = VoltageWitness(NO_PLATEAU, ())
    for second in range(10):
        witness.step((4.0,), 0.0, (), float(second))
    witness.step((2.9,), 0.0, (), 10.0)
    assert witness.sag is Sag.NONE
    witness.step((2.8,), 0.0, (), 11.0)
    assert (witness.sag, witness.cell) == (Sag.CLEAR, 0)
    witness.step((4.0,), 0.0, (), 12.0)
    assert witness.sag is Sag.NONE


def test_one_wrong_reading_makes_no_collapse_of_all_that_follow() -> None:
    witness = VoltageWitness(NO_PLATEAU, ())
    for second, voltage_v in enumerate((3.3, 3.3, 5.0, 3.3, 3.3, 3.3)):
        witness.step((voltage_v,) * 4, 0.0, (), float(second))
        assert witness.sag is Sag.NONE


BAD_LEADS = [(2.6, 4.0), (0.6, 6.0), (2.9, 3.7), (3.22, 3.38), (3.3, 4.0), (3.3, 9.0)]


@pytest.mark.parametrize(("lower_v", "upper_v"), BAD_LEADS)
@pytest.mark.parametrize("minutes", [0, 60])
def test_bad_lead_is_no_sag_neither_before_nor_after_it_is_mended(
    lower_v: float, upper_v: float, minutes: float
) -> None:
    cells = Cells(minutes=minutes)
    healthy_v = cells.offsets_v.copy()
    cells.offsets_v[7:9] = [lower_v - cells.level_v, upper_v - cells.level_v]
    assert cells.feed(1800) is Sag.NONE
    cells.offsets_v = healthy_v
    assert cells.feed(3600) is Sag.NONE
    for cell in (7, 8):
        assert cells.feed(60, 0.030, cell=cell) is Sag.CLEAR


def test_cell_far_below_that_has_come_back_is_watched_again_soon() -> None:
    cells = Cells(minutes=0)
    cells.offsets_v[7] = -0.7
    cells.feed(600)
    cells.offsets_v[7] = 0.0
    assert cells.feed(10) is Sag.NONE
    assert cells.feed(60, 0.030) is Sag.CLEAR


def test_one_reading_does_not_bring_a_cell_back() -> None:
    cells = Cells(minutes=0)
    cells.offsets_v[7] = -0.1
    cells.feed(600)
    cells.offsets_v[7] = 0.0
    cells.feed(5)
    cells.offsets_v[7] = -0.1
    assert cells.feed(600) is Sag.NONE


def test_what_a_cell_never_had_is_no_collapse() -> None:
    witness = VoltageWitness(NO_PLATEAU, ())
    for second in range(10):
        witness.step((3.3, 3.3, 6.5, 3.3), 0.0, (), float(second))
    for second in range(10, 20):
        witness.step((3.3,) * 4, 0.0, (), float(second))
        assert witness.sag is Sag.NONE


@pytest.mark.parametrize("heard", [0, 15])
def test_frames_that_lack_cells_forget_no_sag(heard: int) -> None:
    cells = Cells()
    cells.feed(60, 0.050)
    for _ in range(2):
        cells.now_s += 5.0
        cells.witness.step((3.3,) * heard, 0.0, (), cells.now_s)
        assert cells.witness.sag is Sag.NONE
    assert cells.feed(30, 0.050) is Sag.CLEAR
    assert cells.witness.sag_v == pytest.approx(-0.05, abs=0.003)
    assert cells.feed(1200) is Sag.NONE


def test_more_cells_forget_nothing_of_the_others() -> None:
    cells = Cells()
    before_v = cells.witness.habits_v
    assert before_v[0] == pytest.approx(-0.002, abs=1e-4)
    cells.offsets_v += [-0.100] * 4
    cells.ohms += [OHM] * 4
    assert cells.feed(1200) is Sag.NONE
    assert cells.witness.habits_v[:16] == pytest.approx(before_v, abs=1e-3)
    assert cells.feed(60, 0.030, cell=19) is Sag.CLEAR


def test_what_was_never_learned_is_not_remembered_as_usual() -> None:
    never = VoltageWitness(NO_PLATEAU, ())
    never.step((3.3,) * 16, 0.0, (), 0.0)
    assert never.habits_v == (None,) * 16
    cells = Cells(minutes=0)
    cells.witness = VoltageWitness(CONFIG, never.habits_v)
    cells.offsets_v[7] = -0.1
    assert cells.feed(1200) is Sag.NONE


def test_missing_cells_are_left_out() -> None:
    cells = Cells()
    for second in range(100):
        cells.witness.step((None, 0.0, *[3.3] * 14), 0.0, (), cells.now_s + second)
    assert cells.witness.sag is Sag.NONE
