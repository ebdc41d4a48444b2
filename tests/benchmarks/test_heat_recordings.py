"""What is read off a recording, and how it is polled."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.heat.recordings import (
    Board,
    Recording,
    fast_rise_s,
    half_voltage_s,
    onset_s,
    read,
    watch,
)
from tests.shared import SCENARIOS, needs_scenarios


def write(path: Path, header: str, rows: list[str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")


@pytest.fixture
def crushed(tmp_path: Path) -> Recording:
    """A cell that heats from second 100 on by 2 °C/s, and whose voltage is gone at second 130."""
    write(
        tmp_path / "abuse/cell.csv",
        "t_s,temp_C,temp5_C,cell_V",
        [f"{t},20.0,{20 + max(0, t - 100) * 2},{4.0 if t < 130 else 1.0}" for t in range(200)],
    )
    [recording] = read(tmp_path)
    return recording


def test_what_no_table_says_is_read_off_the_course(crushed: Recording) -> None:
    assert (crushed.kind, crushed.is_runaway) == ("abuse", True)
    assert (crushed.onset_s, crushed.collapse_s, crushed.fast_s) == (101.0, 130.0, 102.0)


def test_a_flat_folder_is_sorted_by_what_happens(tmp_path: Path) -> None:
    write(tmp_path / "calm.csv", "t_s,temp_C", [f"{t},20.0" for t in range(60)])
    write(tmp_path / "crushed.csv", "t_s,temp_C", [f"{t},{20 + max(0, t - 30) * 2}" for t in range(60)])
    assert {recording.name: recording.kind for recording in read(tmp_path)} == {
        "calm.csv": "normal",
        "crushed.csv": "abuse",
    }


@pytest.mark.parametrize(
    ("header", "rows"),
    [("t_s,temp_C", []), ("name,licence", ["a,b"]), ("t_s,cell_V", ["0,3.3"]), ("t_s,temp_C", ["0,", "1,"])],
)
def test_other_tables_in_a_folder_are_no_recordings(tmp_path: Path, header: str, rows: list[str]) -> None:
    write(tmp_path / "calm.csv", "t_s,temp_C", [f"{t},20.0" for t in range(60)])
    write(tmp_path / "other.csv", header, rows)
    assert [recording.name for recording in read(tmp_path)] == ["calm.csv"]


def test_a_healthy_recording_is_shown_to_the_rules_of_owners_too(tmp_path: Path) -> None:
    """Two hours at 45 °C, then two degrees within two minutes."""
    warm_c = [45.0 if t < 7200 else min(45 + (t - 7200) / 60, 47.0) for t in range(0, 10_800, 10)]
    write(tmp_path / "normal/car.csv", "t_s,temp_C,temp2_C", [f"{10 * n},{c:.1f},30.0" for n, c in enumerate(warm_c)])
    [recording] = read(tmp_path)
    healthy = watch(recording)
    assert "base_spread_gt5" in healthy.naive
    assert "base_fixed60" not in healthy.naive
    assert "statistics_60s_gt5" not in healthy.naive
    assert not healthy.has_current
    assert healthy.never_s > 9000
    # The window still has the rise in it for ten minutes.
    assert healthy.never_false_s["derivative 10 min"] == pytest.approx(600, abs=60)
    assert healthy.never_false_s["ours"] < healthy.never_false_s["derivative 10 min"]


@pytest.mark.parametrize(
    ("chemistry", "capacity_ah", "counts"),
    [("LFP", 2.5, True), ("NMC", 60.0, True), ("", None, True), ("", 3.0, False)],
)
def test_small_cells_are_emptied_in_minutes(
    tmp_path: Path, chemistry: str, capacity_ah: float | None, *, counts: bool
) -> None:
    write(tmp_path / "normal/cell.csv", "t_s,temp_C,current_A", [f"{t},20.0,1.0" for t in range(60)])
    [recording] = read(tmp_path)
    one = replace(recording, chemistry=chemistry, capacity_ah=capacity_ah)
    assert (one.is_house_or_car, one.has_current) == (counts, True)
    assert not replace(one, kind="abuse").is_house_or_car


def test_an_onset_has_to_last() -> None:
    times_s = tuple(float(t) for t in range(120))
    noise = tuple(25.0 if t == 50 else 20.0 if t < 90 else 21.1 for t in range(120))
    assert onset_s(times_s, {"temp": noise}) == 90
    assert onset_s(times_s[:95], {"temp": noise[:95]}) is None
    assert onset_s(times_s, {"temp": (None,) * 31 + noise[31:]}) == 90


def test_no_voltage_has_no_collapse() -> None:
    assert half_voltage_s((0.0, 1.0), (None, None)) is None
    assert half_voltage_s((0.0, 1.0, 2.0), (None, 4.0, 2.1)) is None


def test_a_fast_rise_is_a_degree_a_second_for_three() -> None:
    times_s = (0.0, 1.0, 2.0, 3.0, 4.0)
    assert fast_rise_s(times_s, {"temp": (20.0, 20.0, 22.9, 22.9, 22.9)}) is None
    assert fast_rise_s(times_s, {"temp": (20.0, 20.0, 21.0, 22.0, 23.0)}) == 4


def test_a_board_begins_half_an_hour_before_and_sees_what_its_probes_see(crushed: Recording) -> None:
    assert crushed.views == {"near": ("temp5", "temp"), "far": ("temp",)}
    board = Board(crushed, "near", "any", with_voltage=True)
    polls = list(board.polls(5.0))
    assert -1800 <= polls[0] < -1795
    assert polls[-1] > 194
    frames = {t: board.frame(t) for t in (-100.5, 110.4, 150.0)}
    quiet, hot, dead = frames.values()
    assert quiet is not None
    assert hot is not None
    assert dead is not None
    assert list(quiet.probes_c) == pytest.approx([20.0, 20.0], abs=0.3)
    assert (hot.probes_c, hot.cell_voltages_v) == ((40.0, 20.0), (4.0,))
    assert dead.cell_voltages_v == (1.0,)
    assert [Board(crushed, "near", str(seed), with_voltage=False).frame(1.0) for seed in range(500)].count(
        None
    ) in range(1, 25)


@needs_scenarios
def test_without_its_table_the_folder_reads_much_the_same(tmp_path: Path) -> None:
    folder = SCENARIOS.parent
    listed = {row["file"]: row for row in csv.DictReader((folder / "cases.csv").open(encoding="utf-8"))}
    copied = [path for kind in ("abuse", "normal") for path in sorted((folder / kind).glob("*.csv"))]
    for path in copied:
        target = tmp_path / path.relative_to(folder)
        target.parent.mkdir(exist_ok=True)
        target.symlink_to(path)
    alone = read(tmp_path)
    assert {recording.name for recording in alone if recording.is_runaway} == {
        name for name, row in listed.items() if row["outcome"] == "thermal_runaway" and name.startswith("abuse")
    }
    for recording in alone:
        row = listed[recording.name]
        if row["t_V50pct_s"] and float(row["t_V50pct_s"]) <= recording.times_s[-1]:
            assert recording.collapse_s == pytest.approx(float(row["t_V50pct_s"]), abs=5)
        if row["t_onset_s"] and "maximum" not in row["kind"]:
            assert recording.onset_s == pytest.approx(float(row["t_onset_s"]), abs=2)


def test_what_is_no_number_is_named_with_its_file(tmp_path: Path) -> None:
    write(tmp_path / "calm.csv", "t_s,temp_C", ["0,20.0", "1,n/a"])
    with pytest.raises(ValueError, match=r"calm\.csv, column temp_C: .*n/a"):
        read(tmp_path)
