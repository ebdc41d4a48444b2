"""What is true of the guardian whatever comes: frames, gaps, nonsense, silence, restarts.

Heat: a level is entered at once when its causes are there, and left for the next lower one, over restarts, too. No
level comes from one frame alone, however strange, unless two probes jump up in it: these confirm each other.
Protection takes one frame for one thing: what lies beyond the board's own limit, where the board itself would act. Of
its levels a restart keeps the critical ones, until frames release them, and that nobody has seen them.
Being blind lowers nothing, and what is published or stored is finite.
"""

from __future__ import annotations

import json
from dataclasses import fields, is_dataclass, replace
from math import inf, isfinite, nan
from typing import Any

from hypothesis import example, given, note
from hypothesis import settings as how
from hypothesis import strategies as st

from custom_components.jk_bms.battery.event_recorder import EventRecorder
from custom_components.jk_bms.battery.guardian import CAUSES, HEAT, Assessment, Guardian
from custom_components.jk_bms.battery.hazards import Family, Hazard, Kind, Level
from custom_components.jk_bms.battery.protection import ProtectionConfig
from custom_components.jk_bms.bms.telemetry import Chemistry, Settings, Telemetry

from ..pack_values import SETTINGS_32S, telemetry_32s
from .pack_life import Watched

BLIND = replace(
    telemetry_32s(),
    cell_voltages_v=(None,) * 16,
    pack_voltage_v=None,
    current_a=None,
    temperature_1_c=None,
    temperature_2_c=None,
    mos_temperature_c=None,
    alarm_bits=None,
    charge_mosfet=None,
    discharge_mosfet=None,
)
"""A frame that says nothing but that it came."""
BEYOND = {
    Kind.CELL_HIGH: ("cell_overvoltage_v", 1, 1),
    Kind.PACK_HIGH: ("cell_overvoltage_v", 1, 16),
    Kind.CELL_LOW: ("cell_undervoltage_v", -1, 1),
    Kind.PACK_LOW: ("cell_undervoltage_v", -1, 16),
    Kind.CHARGE_HOT: ("charge_overtemperature_c", 1, 1),
    Kind.DISCHARGE_HOT: ("discharge_overtemperature_c", 1, 1),
    Kind.CHARGE_COLD: ("charge_undertemperature_c", -1, 1),
    Kind.DISCHARGE_COLD: ("discharge_undertemperature_c", -1, 1),
    Kind.MOS_HOT: ("mos_overtemperature_c", 1, 1),
}
"""What one frame is enough for: the board's own limit, in which direction it is one, and for how many cells."""


def finite(value: object) -> bool:
    """Whether there is no number in it that isn't one."""
    if isinstance(value, float):
        return isfinite(value)
    if is_dataclass(value):
        return all(finite(getattr(value, each.name)) for each in fields(value))
    return all(map(finite, value)) if isinstance(value, tuple) else True


def heat_of(assessment: Assessment) -> int:
    """The level of heat; it is that which the guardian stands by while no temperature is known."""
    return max((each.level for each in assessment.findings if each.key == HEAT), default=0)


def is_beyond(hazard: Hazard, pack_settings: Settings) -> bool:
    """Whether the board's own limit is exceeded."""
    if hazard.kind not in BEYOND or hazard.value is None:
        return False
    name, sign, cells = BEYOND[hazard.kind]
    limit: float = getattr(pack_settings, name)
    return sign * hazard.value / cells > sign * limit


class Course:
    """A guardian with its recorder; after each step, what has to be true is."""

    def __init__(self) -> None:
        self.guardian = Guardian(ProtectionConfig())
        self.recorder = EventRecorder()
        self.now_s = 1000.0
        self.count = 0
        self.temperature_c = 25.0
        self.settings: Settings | None = SETTINGS_32S
        self.before: Assessment | None = None
        self.hazards: tuple[Hazard, ...] = ()
        """As of the last step, none after a restart."""

    def frame(self, after_s: float, telemetry: Telemetry, ambient_c: float | None = 20.0) -> None:
        self.now_s += after_s
        self.count += 1
        telemetry = replace(telemetry, counter=self.count % 256)
        assessment = self.guardian.step(telemetry, self.settings, ambient_c, self.now_s)
        self.recorder.step(self.guardian, telemetry, self.settings, assessment, self.now_s, "")
        self.check(assessment)

    def ramp(self, frames: int, after_s: float, rise_c: float) -> None:
        """Both probes follow the temperature, one of them a little behind."""
        for number in range(frames):
            self.temperature_c = min(max(self.temperature_c + rise_c, -30.0), 90.0)
            probes_c = round(self.temperature_c, 1), round(self.temperature_c - 0.3 * (number % 3), 1)
            self.frame(after_s, telemetry_32s(temperature_1_c=probes_c[0], temperature_2_c=probes_c[1]))

    def nonsense(self, after_s: float, values: dict[str, Any], ambient_c: float | None) -> None:
        self.frame(after_s, telemetry_32s(**values), ambient_c)

    def silence(self, after_s: float) -> None:
        self.now_s += after_s
        before, hazards = self.before, self.hazards
        assessment = self.guardian.silent(self.now_s)
        assert before is None or heat_of(assessment) >= heat_of(before)
        levels = {hazard.key: hazard.level for hazard in assessment.protection.hazards}
        assert all(levels[hazard.key] >= hazard.level for hazard in hazards)
        self.check(assessment)

    def blind(self, after_s: float) -> None:
        before, hazards = self.before, self.hazards
        self.frame(after_s, BLIND)
        assert self.before
        assert before is None or heat_of(self.before) >= heat_of(before)
        levels = {hazard.key: hazard.level for hazard in self.hazards}
        for hazard in hazards:
            if hazard.family is not Family.DATA:
                assert levels.get(hazard.key, Level.OK) >= hazard.level

    def restart(self) -> None:
        stored = json.loads(json.dumps(self.guardian.state(), allow_nan=False))
        events = json.loads(json.dumps(self.recorder.state(), allow_nan=False))
        self.guardian = Guardian(ProtectionConfig(), stored)
        self.recorder = EventRecorder(events)
        self.hazards = ()
        assert not self.recorder.damaged

    def check(self, assessment: Assessment) -> None:
        assert finite(assessment.findings)
        assert finite(assessment.thermal)
        assert finite(assessment.protection.hazards)
        assert assessment.level == max((each.level for each in assessment.findings), default=0)
        assert {each.cause for each in assessment.findings} <= set(CAUSES)
        heat, thermal = heat_of(assessment), assessment.thermal
        assert heat >= (0 if self.before is None else heat_of(self.before) - 1), "down one at a time"
        if thermal.level is not None:
            assert heat == thermal.level
            assert heat >= max((cause.level for cause in thermal.causes), default=0), "up at once"
        self.before, self.hazards = assessment, assessment.protection.hazards


temperatures = st.one_of(
    st.none(), st.sampled_from((nan, inf, -inf, -40.0, 0.0, 85.0, 100.0, 125.0, 255.0)), st.floats(-60, 200)
)
nonsense = st.fixed_dictionaries(
    {
        "cells_v": st.lists(st.one_of(st.none(), st.floats(0.1, 5.0)), min_size=1, max_size=16).filter(any).map(tuple),
        "pack_voltage_v": st.one_of(st.none(), st.just(nan), st.floats(0, 100)),
        "current_a": st.one_of(st.none(), st.sampled_from((nan, inf, -1e9)), st.floats(-400, 400)),
        **{f"temperature_{probe}_c": temperatures for probe in (1, 2, 4, 5)},
        "mos_temperature_c": temperatures,
        "alarm_bits": st.one_of(st.none(), st.integers(0, (1 << 29) - 1)),
        "chemistry": st.one_of(st.none(), st.sampled_from(Chemistry)),
        "charge_mosfet": st.one_of(st.none(), st.booleans()),
        "heating": st.one_of(st.none(), st.booleans()),
    }
)
times = st.one_of(st.just(0.5), st.sampled_from((0.0, 1.0, 5.0, 30.0)), st.floats(0, 5000))
legs = st.one_of(
    st.tuples(st.just("ramp"), st.integers(2, 60), st.sampled_from((0.5, 1.0, 5.0, 60.0)), st.floats(-1.5, 2)),
    st.tuples(
        st.just("nonsense"), times, nonsense, st.one_of(st.none(), st.just(nan), st.just(inf), st.floats(-40, 60))
    ),
    st.tuples(st.just("silence"), times),
    st.tuples(st.just("blind"), times),
    st.tuples(st.just("restart")),
)


@example([(("ramp", 45, 5.0, 0.3671875), 1), (("ramp", 51, 60.0, -0.346875), 2), (("blind", 30.0), 2)])
@how(max_examples=150, deadline=None)
@given(st.lists(st.tuples(legs, st.integers(1, 4)), max_size=12))
def test_whatever_comes(course: list[tuple[tuple[Any, ...], int]]) -> None:
    pack = Course()
    for (name, *values), times_over in course:
        for _ in range(times_over):
            getattr(pack, name)(*values)


@how(max_examples=60, deadline=None)
@given(nonsense, st.sampled_from((1, 2, 4, 5)), st.integers(8, 38), st.floats(-100, 90))
def test_one_frame_alone_raises_nothing_but_what_the_board_itself_acts_on(
    odd: dict[str, Any], probe: int, temperature_c: int, current_a: float
) -> None:
    """Nor in the minute after it."""
    odd = {
        name: value
        for name, value in odd.items()
        if not name.startswith("temperature_") or name == f"temperature_{probe}_c"
    }
    usual: dict[str, Any] = {"temperature_1_c": temperature_c, "temperature_2_c": temperature_c + 0.5}
    pack = Watched()
    raised: set[str] = set()
    for number in range(170):
        usual["current_a"] = current_a + number % 2 / 1000
        assessment = pack.frame(**usual | odd if number == 20 else usual)
        assert heat_of(assessment) == 0
        hazards = assessment.protection.hazards
        note(str(hazards))
        if number == 20:
            assert all(each.level is Level.CRITICAL and is_beyond(each, SETTINGS_32S) for each in hazards)
            raised = {each.key for each in hazards}
        assert {each.key for each in hazards} <= raised
