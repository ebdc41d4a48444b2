"""The minutes before something became critical."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from math import nan

import pytest

from custom_components.jk_bms.battery.event_recorder import EVENTS_KEPT, CriticalEvent, EventRecorder
from custom_components.jk_bms.battery.protection import ProtectionAssessment

from ..pack_values import SETTINGS_32S, telemetry_32s
from .pack_life import FRAME_S, Life, cells

AT = "2026-11-22T10:00:00+00:00"


class Recording:
    """A pack's life, recorded."""

    def __init__(self) -> None:
        self.life = Life()
        self.recorder = EventRecorder()

    def run(self, seconds: float, highest_v: float = 3.3, after_s: float = FRAME_S) -> list[CriticalEvent]:
        events = []
        for number in range(round(seconds / after_s)):
            self.life.frame(after_s, cells_v=cells(highest_v), current_a=10 + number % 2)
            life = self.life
            event = self.recorder.step(life.last, life.settings, life.engine.limits, life.assessment, life.now_s, AT)
            if event:
                events.append(event)
        return events


def test_an_event() -> None:
    recording = Recording()
    assert recording.run(400) == []
    (event,) = recording.run(2, 3.59)
    assert recording.recorder.events == (event,)
    assert event.at == AT
    assert event.hazards[0] == {
        "key": "cell_high", "level": "critical", "value": 3.59, "limit": 3.57, "cell": 1, "probe": None, "for_s": 0.5,
    }  # fmt: skip
    assert event.telemetry["cell_voltages_v"] == [3.59] * 16
    assert event.telemetry["chemistry"] == "lfp"
    assert event.settings
    assert event.settings["cell_overvoltage_v"] == 3.6
    assert event.limits["cell_high"] == [3.5, 3.52, 3.57]


def test_five_minutes_at_one_second() -> None:
    recording = Recording()
    recording.run(400)
    (event,) = recording.run(2, 3.59)
    rows = event.minutes_before()
    assert 299 <= len(rows) <= 301
    times_s = [row["time_s"] for row in rows]
    assert times_s[-1] == 0
    assert times_s[0] == pytest.approx(-299, abs=1)
    assert times_s == sorted(times_s)
    assert rows[0] == {
        "time_s": times_s[0], "level": 0, "current_a": pytest.approx(10.5, abs=0.5), "pack_voltage_v": 52.8,
        "temperature_1_c": 21.5, "temperature_2_c": 22.0, "temperature_4_c": None, "temperature_5_c": None,
        "mos_temperature_c": 25.1, "state_of_charge_pct": 60, "charge_mosfet": 1, "discharge_mosfet": 1,
        "cell_voltages_v": [3.3] * 16,
    }  # fmt: skip
    assert rows[-1]["cell_voltages_v"] == [3.59] * 16
    assert rows[-1]["level"] == 3


def test_what_came_before_a_gap_is_older_than_five_minutes() -> None:
    recording = Recording()
    recording.run(400)
    recording.life.now_s += 280
    (event,) = recording.run(2, 3.59)
    times_s = [row["time_s"] for row in event.minutes_before()]
    assert len(times_s) == pytest.approx(20, abs=2)
    assert times_s[0] == pytest.approx(-300, abs=1)


def test_survives_a_restart() -> None:
    recording = Recording()
    recording.run(10)
    recording.run(2, 3.59)
    stored = json.loads(json.dumps(recording.recorder.state(), allow_nan=False))
    restored = EventRecorder.restored(stored)
    assert restored.events == recording.recorder.events
    assert restored.events[0].minutes_before()[-1]["time_s"] == 0
    assert restored.state() == stored


def test_unknown_and_beyond_what_a_number_can_hold() -> None:
    strange = replace(
        telemetry_32s(),
        cell_voltages_v=(3.3, None, nan, 99.0),
        current_a=nan,
        pack_voltage_v=None,
        mos_temperature_c=9e9,
    )
    recorder = EventRecorder()
    life = Life()
    life.run(2, cells_v=cells(3.59))
    event = recorder.step(strange, None, {}, life.assessment, 0, AT)
    assert event
    json.dumps(recorder.state(), allow_nan=False)
    assert event.settings is None
    (row,) = event.minutes_before()
    assert row["cell_voltages_v"] == [3.3, None, None, 32.767]
    assert (row["current_a"], row["pack_voltage_v"], row["mos_temperature_c"]) == (None, None, 3276.7)


def test_the_same_hazard_once_in_five_minutes() -> None:
    recording = Recording()
    recording.run(10)
    assert len(recording.run(2, 3.59)) == 1
    recording.run(150, 3.4)
    assert recording.run(2, 3.59) == []
    recording.run(200, 3.4)
    assert len(recording.run(2, 3.59)) == 1


def test_the_last_twenty_are_kept_in_little_space() -> None:
    recorder, life = EventRecorder(), Life()
    for number in range(EVENTS_KEPT + 5):
        for second in range(310):
            telemetry = telemetry_32s(cells_v=tuple(3.3 + 0.001 * (second * cell % 5) for cell in range(16)))
            recorder.step(telemetry, SETTINGS_32S, {}, ProtectionAssessment(), number * 400 + second, AT)
        life = Life()
        life.run(2, cells_v=cells(3.59))
        assert recorder.step(life.last, SETTINGS_32S, {}, life.assessment, number * 400 + 311, str(number))
    assert [event.at for event in recorder.events] == [str(number) for number in range(5, EVENTS_KEPT + 5)]
    assert len(json.dumps(recorder.state())) < 250_000
    assert sys.getsizeof(recorder._ring) < 20_000


def test_another_number_of_cells_begins_anew() -> None:
    recording = Recording()
    recording.run(10)
    life, recorder = recording.life, recording.recorder
    life.frame(cells_v=(3.3,) * 15)
    life.frame(cells_v=(3.3,) * 15)
    life.frame(cells_v=(3.3,) * 15)
    event = recorder.step(life.last, life.settings, life.engine.limits, life.assessment, life.now_s, AT)
    assert event
    assert [len(row["cell_voltages_v"]) for row in event.minutes_before()] == [15]


def test_time_that_began_anew() -> None:
    recorder = EventRecorder()
    recorder.step(telemetry_32s(), None, {}, ProtectionAssessment(), 1e6, AT)
    recorder.step(telemetry_32s(), None, {}, ProtectionAssessment(), 5, AT)
    assert recorder._rows == 2
