"""The minutes before something became critical."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from math import nan
from typing import Any

import pytest

from custom_components.jk_bms.battery.event_recorder import EVENTS_KEPT, CriticalEvent, EventRecorder

from ..pack_values import telemetry_32s
from .pack_life import FRAME_S, Watched, cells

AT = "2026-11-22T10:00:00+00:00"


class Recording:
    """A pack's life, recorded."""

    def __init__(self, watched: Watched | None = None) -> None:
        self.watched = watched or Watched()
        self.recorder = EventRecorder()

    def frame(self, at: str = AT, **changes: Any) -> CriticalEvent | None:
        pack = self.watched
        assessment = pack.frame(**changes)
        return self.recorder.step(pack.guardian, pack.last, pack.settings, assessment, pack.now_s, at)

    def run(self, seconds: float, highest_v: float = 3.3, **changes: Any) -> list[CriticalEvent]:
        frames = [
            self.frame(cells_v=cells(highest_v), current_a=10 + number % 2, **changes)
            for number in range(round(seconds / FRAME_S))
        ]
        return [event for event in frames if event]


def findings(event: CriticalEvent) -> list[tuple[str, str, str]]:
    assert isinstance(event.assessment, dict)
    return [(each["key"], each["level"], each["cause"]) for each in event.assessment["findings"]]


def test_an_event() -> None:
    recording = Recording()
    assert recording.run(400) == []
    (event,) = recording.run(2, 3.59)
    assert recording.recorder.events == (event,)
    assert event.at == AT
    written: Any = event
    assert written.assessment["findings"][0] == {
        "key": "cell_high", "family": "cell_voltage", "level": "critical", "cause": "cell_high", "for_s": 0.5,
        "placeholders": {"value": "3.590", "limit": "3.570", "cell": "1"},
    }  # fmt: skip
    hazard = written.assessment["protection"]["hazards"][0]
    assert (hazard["kind"], hazard["value"], hazard["limit"]) == ("cell_high", 3.59, 3.57)
    assert written.assessment["protection"]["latched"] == ["cell_high", "pack_high"]
    assert written.telemetry["cell_voltages_v"] == [3.59] * 16
    assert (written.telemetry["chemistry"], written.telemetry["balance_action"]) == ("lfp", "off")
    assert written.settings["cell_overvoltage_v"] == 3.6
    assert written.limits["cell_high"] == [3.5, 3.52, 3.57]


def one_spot_heats(recording: Recording) -> list[CriticalEvent]:
    frames = [recording.frame(temperature_1_c=round(21.5 + step * 0.1, 1)) for step in range(120)]
    return [event for event in frames if event]


def test_an_event_of_heat() -> None:
    recording = Recording()
    recording.run(400)
    event: Any
    (event,) = one_spot_heats(recording)
    assert findings(event)[0] == ("heat", "critical", "heat_difference")
    thermal = event.assessment["thermal"]
    cause = thermal["causes"][0]
    assert (thermal["level"], cause["cause"], cause["level"]) == ("stop", "difference", "stop")
    assert [each["threshold_c"] for each in thermal["crossings"]] == [45, 50, 55, 60]
    assert event.assessment["probes"][cause["probe"]] == "temperature_1"
    assert event.limits["heat"]["thresholds"]["stop_c"] == pytest.approx(53, abs=2)
    assert event.limits["heat"]["joule_c_s_a2"] is None
    assert event.minutes_before()[-1]["level"] == 3


def test_an_emergency_is_another_event() -> None:
    recording = Recording()
    recording.run(60)
    assert len(one_spot_heats(recording)) == 1
    events = [recording.frame(temperature_1_c=66 + step / 10) for step in range(40)]
    assert ("heat", "emergency") in [findings(event)[0][:2] for event in events if event]


def test_what_a_restart_remembers_is_no_event() -> None:
    before = Recording()
    before.run(10)
    assert len(one_spot_heats(before)) == 1
    after = Recording(before.watched.restarted())
    assert after.run(60, temperature_1_c=33.5) == []
    assert after.recorder._critical == {"heat": 3}


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
    recording.watched.now_s += 280
    (event,) = recording.run(2, 3.59)
    times_s = [row["time_s"] for row in event.minutes_before()]
    assert len(times_s) == pytest.approx(20, abs=2)
    assert times_s[0] == pytest.approx(-300, abs=1)


def test_survives_a_restart() -> None:
    recording = Recording()
    recording.run(10)
    recording.run(2, 3.59)
    stored = json.loads(json.dumps(recording.recorder.state(), allow_nan=False))
    restored = EventRecorder(stored)
    assert restored.events == recording.recorder.events
    assert restored.events[0].minutes_before()[-1]["time_s"] == 0
    assert restored.state() == stored
    assert not restored.damaged
    assert not EventRecorder().damaged


def stored_event(**changes: Any) -> dict[str, Any]:
    recording = Recording()
    recording.run(2, 3.59)
    (event,) = recording.recorder.state()
    return event | changes


@pytest.mark.parametrize(
    "stored",
    [
        {},
        "events",
        [None],
        [{"at": AT}],
        [stored_event(more=1)],
        [stored_event(before="not packed")],
        [stored_event(before=5)],
        [stored_event(cells=15)],
        [stored_event(cells=-20)],
        [stored_event(cells="many")],
    ],
    ids=str,
)
def test_what_is_damaged_is_left_out(stored: object) -> None:
    recorder = EventRecorder(stored)
    assert recorder.damaged
    assert recorder.events == ()


def test_what_is_whole_beside_something_damaged_is_kept() -> None:
    recorder = EventRecorder([7, stored_event(), {}])
    assert recorder.damaged
    assert [event.at for event in recorder.events] == [AT]


def test_unknown_and_beyond_what_a_number_can_hold() -> None:
    recording = Recording()
    recording.run(2, 3.59)
    pack, recorder = recording.watched, EventRecorder()
    strange = replace(
        telemetry_32s(),
        cell_voltages_v=(3.3, None, nan, 99.0),
        current_a=nan,
        pack_voltage_v=None,
        mos_temperature_c=9e9,
    )
    event = recorder.step(pack.guardian, strange, None, pack.frame(cells_v=cells(3.59)), 0, AT)
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
    recording = Recording()
    for number in range(EVENTS_KEPT + 5):
        for second in range(620):
            recording.frame(cells_v=tuple(3.3 + 0.001 * (second * cell % 5) for cell in range(16)))
        assert not recording.frame(cells_v=cells(3.59))
        assert recording.frame(str(number), cells_v=cells(3.59))
        recording.run(70)
    recorder = recording.recorder
    assert [event.at for event in recorder.events] == [str(number) for number in range(5, EVENTS_KEPT + 5)]
    assert len(json.dumps(recorder.state())) < 350_000
    assert sum(map(sys.getsizeof, recorder._ring)) < 40_000


def test_what_is_critical_for_longer_is_kept_when_the_five_minutes_are_over() -> None:
    recording = Recording()
    recording.run(10)
    assert len(recording.run(2, 3.59)) == 1
    recording.run(100, 3.4)
    assert recording.run(150, 3.59) == []
    assert len(recording.run(600, 3.59)) == 1


def test_the_minutes_before_a_lead_breaks_are_kept() -> None:
    recording = Recording()
    recording.run(10)
    events = [recording.frame(cells_v=(3.3,) * 15) for _ in range(3)]
    assert events[:2] == [None, None]
    assert events[2]
    assert events[2].cells == 16
    rows = [row["cell_voltages_v"] for row in events[2].minutes_before()]
    assert len(rows) > 10
    assert rows[0][-1] is not None
    assert rows[-1] == [3.3] * 15 + [None]


def test_time_that_began_anew() -> None:
    recording = Recording()
    recording.watched.now_s = 1e6
    recording.frame()
    recording.watched.now_s = 5
    recording.frame()
    (event,) = recording.run(2, 3.59)
    assert [row["time_s"] for row in event.minutes_before()] == pytest.approx([-1.0, 0.0], abs=0.6)
