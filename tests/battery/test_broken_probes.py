"""Broken probes are no heat and no cold, to nobody; real heat is both to heat and to protection."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from random import Random
from typing import Any

import pytest

from benchmarks.heat.scenarios import Play, read
from custom_components.jk_bms.battery.guardian import Assessment, Guardian, GuardianLevel
from custom_components.jk_bms.battery.hazards import Kind, Level
from custom_components.jk_bms.battery.protection import ProtectionConfig

from ..pack_values import SETTINGS_32S, telemetry_32s
from ..shared import SCENARIOS, needs_scenarios
from .pack_life import FRAME_S, Watched

FIELDS = ("temperature_1_c", "temperature_2_c", "temperature_4_c", "temperature_5_c")
POLL_S = 5.0
PLAYED_S = 3 * 3600
FACTORY = replace(
    SETTINGS_32S,
    charge_overtemperature_c=70.0,
    discharge_overtemperature_c=70.0,
    charge_undertemperature_c=-20.0,
    charge_current_limit_a=200.0,
    discharge_current_limit_a=200.0,
)
"""Boards whose own limits are far off."""

type Wrong = Callable[[float, float], float | None]
"""What is read instead of a temperature, by it and that of the MOSFETs."""


def constant(value_c: float | None) -> Wrong:
    return lambda _true_c, _mos_c: value_c


CONSTANTS_C = (
    -273.1, -200.0, -127.0, -73.0, -40.0, -39.0, 0.0, 44.0, 60.0, 85.0, 100.0, 105.0, 110.0, 125.0, 127.0, 255.0,
    2550.0, None,
)  # fmt: skip
WRONG: dict[str, Wrong] = {
    **{str(value_c): constant(value_c) for value_c in CONSTANTS_C},
    "100 - T": lambda true_c, _mos_c: round(100 - true_c, 1),
    "15 low": lambda true_c, _mos_c: round(true_c - 15, 1),
    "the MOSFETs'": lambda _true_c, mos_c: mos_c,
}


class Polled(Watched):
    """A pack whose probes all have about the same temperature, asked every five seconds."""

    def __init__(self, mean_c: float, current_a: float) -> None:
        super().__init__()
        self.settings = FACTORY
        self._mean_c, self._current_a = mean_c, current_a
        self._random = Random(1)

    def poll(self, frames: int, wrong: Wrong | None = None, probe: int = 0) -> list[Assessment]:
        said = []
        for _ in range(frames):
            self.now_s += POLL_S - FRAME_S
            read_c: dict[str, Any] = {field: self._noisy_c(self._mean_c) for field in FIELDS}
            mos_c = self._noisy_c(self._mean_c + 8)
            if wrong is not None:
                read_c[FIELDS[probe]] = wrong(read_c[FIELDS[probe]], mos_c)
            current_a = self._current_a + self.frames % 2 / 1000
            said.append(self.frame(current_a=current_a, mos_temperature_c=mos_c, **read_c))
        return said

    def _noisy_c(self, mean_c: float) -> float:
        return round(mean_c + self._random.gauss(0, 0.04), 1)


def found(said: list[Assessment]) -> dict[str, int]:
    """The highest level of each that was found wrong."""
    levels: dict[str, int] = {}
    for assessment in said:
        for finding in assessment.findings:
            levels[finding.key] = max(levels.get(finding.key, 0), finding.level)
    return levels


@pytest.mark.parametrize(("mean_c", "current_a"), [(25, -20), (-4, -20), (8, 20)])
@pytest.mark.parametrize("value", WRONG)
def test_a_broken_probe_is_no_danger(value: str, mean_c: float, current_a: float) -> None:
    pack, wrong = Polled(mean_c, current_a), WRONG[value]
    pack.poll(60)
    for frames in (1, 2):
        for probe in range(4):
            assert found(pack.poll(frames, wrong, probe) + pack.poll(30)) == {}
    broken = pack.poll(720, wrong, probe=list(WRONG).index(value) % 4)
    assert found(broken) == {"probe_lost": Level.ADVISORY}
    assert broken[120].thermal.probe_faults, "after ten minutes"
    mended = pack.poll(60)[-1]
    assert (mended.findings, mended.thermal.probe_faults) == ((), ())


@needs_scenarios
@pytest.mark.parametrize(
    ("name", "allowed"),
    [
        ("g01", {}),
        ("g02", {"probe_lost": 1}),
        ("g03", {"probe_lost": 1, "charge_cold": 1}),  # at 3 °C it is
        ("g04", {"probe_lost": 1, "heat": 1, "charge_hot": 1, "mos_hot": 1}),  # at 150 A for hours
        ("g05", {}),
        ("g06", {"probe_lost": 1}),
        ("g07", {"probe_lost": 1, "discharge_cold": 1}),
        ("g08", {"data_stale": 2}),
        ("g09", {"data_stale": 2}),
    ],
)
def test_glitches_of_the_guide(name: str, allowed: dict[str, int]) -> None:
    levels = found(played(name))
    assert levels.keys() <= allowed.keys()
    assert all(level <= allowed[key] for key, level in levels.items())


@needs_scenarios
@pytest.mark.parametrize("name", ["g10", "g11"])
def test_a_short_that_begins_in_a_gap_or_kills_its_probe_is_seen_by_both(name: str) -> None:
    levels = found(played(name))
    assert (levels["heat"], levels["discharge_hot"]) == (GuardianLevel.EMERGENCY, Level.CRITICAL)


def played(name: str) -> list[Assessment]:
    (scenario,) = [each for each in read(SCENARIOS) if each.name == name]
    guardian, said = Guardian(ProtectionConfig()), []
    for number, moment in enumerate(Play(scenario, 1, with_voltages=False).moments(PLAYED_S)):
        if moment.sample is None:
            continue
        values: dict[str, Any] = dict(zip(FIELDS, moment.sample.probes_c, strict=True))
        telemetry = telemetry_32s(
            counter=number % 256,
            run_time_s=int(moment.t_s),
            current_a=moment.sample.current_a,
            mos_temperature_c=moment.sample.mos_temperature_c,
            **values,
        )
        said.append(guardian.step(telemetry, FACTORY, moment.sample.ambient_c, moment.t_s + 1000))
    return said


@pytest.mark.parametrize("poll_s", [0.5, 1.0, 5.0, 30.0])
def test_violent_heat_is_seen_by_protection_as_soon_as_by_the_gate(poll_s: float) -> None:
    pack = Watched()
    pack.settings = FACTORY

    def poll(temperature_c: float) -> Assessment:
        pack.now_s += poll_s - FRAME_S
        return pack.frame(temperature_1_c=round(temperature_c, 1), temperature_2_c=25.0)

    for number in range(60):
        poll(25.0 + number % 2 / 10)
    seen_s: list[float] = []
    for number in range(1, 1 + int(40 / poll_s) + 2):
        rise_c = 3.0 * poll_s * number
        assessment = poll(25.0 + rise_c)
        if assessment.protection.level is Level.CRITICAL:
            seen_s.append(number * poll_s)
    assert seen_s, "55 °C are there after 10 s"
    assert seen_s[0] <= 10 + 2 * poll_s
    assert assessment.level is GuardianLevel.EMERGENCY


def test_heat_that_is_there_at_the_start_takes_two_frames() -> None:
    pack = Watched()
    hot: dict[str, Any] = {"temperature_1_c": 105.0, "temperature_2_c": 104.0, "mos_temperature_c": 110.0}
    assert pack.frame(**hot).level is GuardianLevel.OK
    hazards = {hazard.kind: hazard.level for hazard in pack.frame(**hot).protection.hazards}
    assert hazards[Kind.CHARGE_HOT] is hazards[Kind.MOS_HOT] is Level.CRITICAL


@pytest.mark.parametrize("value_c", [-39.0, 60.0, 105.0, 110.0])
def test_a_constant_that_is_there_at_the_start_has_to_move_first(value_c: float) -> None:
    pack = Polled(25, -20)
    said = pack.poll(120, constant(value_c))
    assert found(said) == {}
    assert said[-1].thermal.probe_faults, "it is told"


@pytest.mark.parametrize("broken_c", [-200.0, -127.0, 85.0, 120.0])
def test_of_two_probes_at_the_start_the_good_one_is_believed(broken_c: float) -> None:
    pack = Watched()
    pack.run(5)
    again = pack.restarted()
    cold: dict[str, Any] = {"temperature_1_c": -3.0, "temperature_2_c": broken_c, "mos_temperature_c": 4.0}
    assessment = again.run(2, current_a=20.0, **cold)
    assert {hazard.kind: hazard.probe for hazard in assessment.protection.hazards} == {
        Kind.CHARGE_COLD: "temperature_1"
    }


def test_a_start_asks_for_a_second_frame() -> None:
    pack = Watched()
    pack.frame()
    assert pack.guardian.wants_another()
    pack.frame()
    assert not pack.guardian.wants_another()


@pytest.mark.parametrize(("hot_c", "gap_s"), [(93.0, 60.0), (65.0, 60.0), (45.0, 600.0)])
def test_mosfets_that_cool_down_unseen_are_believed(hot_c: float, gap_s: float) -> None:
    pack = Watched()
    pack.run(30, mos_temperature_c=25.0)
    for step in range(60):
        pack.run(2, mos_temperature_c=round(25 + (hot_c - 25) * step / 59, 1))
    pack.now_s += gap_s
    cooled = pack.run(90, mos_temperature_c=30.0)
    assert cooled.thermal.mos_temperature_c == 30.0
    assert "probe_lost" not in {finding.key for finding in cooled.findings}
    assert "mos_hot" not in {finding.key for finding in pack.run(200, mos_temperature_c=30.0).findings}


def test_a_cell_far_too_hot_at_the_start_counts_as_soon_as_it_has_moved() -> None:
    pack = Polled(25, -20)
    random = Random(2)
    said = pack.poll(6, lambda _true_c, _mos_c: round(80 + random.gauss(0, 0.1), 1))
    assert said[-1].level is GuardianLevel.EMERGENCY


def test_a_socket_without_a_probe_that_reads_as_the_mosfets_is_no_probe() -> None:
    pack = Polled(25, -20)
    said = pack.poll(200, WRONG["the MOSFETs'"], probe=1)
    assert found(said) == {}
    assert said[-1].probes == ("temperature_1", "temperature_4", "temperature_5")
    for once_c in (-200.0, 0.0, 44.0):
        said = pack.poll(1, constant(once_c), probe=1) + pack.poll(60, WRONG["the MOSFETs'"], probe=1)
        assert (found(said), len(said[-1].probes)) == ({}, 3)
    assert pack.poll(6)[-1].probes == ("temperature_1", "temperature_4", "temperature_5", "temperature_2")


def test_probes_that_all_are_as_warm_as_the_mosfets_at_the_start_are_believed() -> None:
    pack = Watched()
    fields = dict.fromkeys((*FIELDS, "mos_temperature_c"), 48.0)
    assert found([pack.frame(**fields) for _ in range(4)])["heat"] is GuardianLevel.WARNING


def test_mosfets() -> None:
    pack = Watched()
    pack.run(30, mos_temperature_c=40.0)
    assert "mos_hot" not in found([pack.frame(mos_temperature_c=127.0) for _ in range(100)])
    pack.run(30, mos_temperature_c=40.0)
    assert pack.frame(mos_temperature_c=95.0).level is GuardianLevel.OK
    assert pack.guardian.wants_another()
    pack.frame(mos_temperature_c=95.1)
    assert found([pack.frame(mos_temperature_c=95.2)])["mos_hot"] is GuardianLevel.CRITICAL
