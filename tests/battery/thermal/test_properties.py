"""What holds whatever a board sends: any sequence of frames, gaps, nonsense and restarts."""

from __future__ import annotations

import json
from dataclasses import fields, is_dataclass
from math import isfinite, nan

from hypothesis import given, settings
from hypothesis import strategies as st

from custom_components.jk_bms.battery.thermal.config import ThermalConfig
from custom_components.jk_bms.battery.thermal.engine import ThermalEngine
from custom_components.jk_bms.battery.thermal.interface import ThermalAssessment, ThermalSample

from .feeding import Pack

SENTINELS_C = (0.0, 85.0, 100.0, 125.0, 127.0, 255.0, -40.0, -127.0, -200.0, -273.1, 2550.0, nan, None)

temperatures = st.one_of(
    st.sampled_from(SENTINELS_C),
    st.floats(-60, 300).map(lambda value: round(value, 1)),
    st.floats(24, 27).map(lambda value: round(value, 1)),
)
samples = st.builds(
    ThermalSample,
    probes_c=st.integers(0, 5).flatmap(lambda count: st.tuples(*[temperatures] * count)),
    mos_temperature_c=temperatures,
    current_a=st.one_of(st.none(), st.floats(allow_nan=True, allow_infinity=True), st.floats(-300, 300)),
    cell_voltages_v=st.lists(st.one_of(st.none(), st.floats(0, 4.5)), max_size=16).map(tuple),
    heating=st.booleans(),
    balancing_cells=st.one_of(st.none(), st.just(()), st.just((3,))),
    ambient_c=st.one_of(st.none(), st.just(nan), st.floats(-40, 60)),
)
steps_s = st.one_of(st.sampled_from((0.5, 1.0, 5.0, 30.0)), st.floats(-5, 20_000))
courses = st.lists(
    st.tuples(steps_s, st.one_of(st.none(), samples, samples), st.integers(0, 30), st.booleans()), max_size=25
)


def check(value: object) -> None:
    """No number that isn't one, anywhere."""
    if isinstance(value, float):
        assert isfinite(value)
    elif is_dataclass(value):
        for each in fields(value):
            check(getattr(value, each.name))
    elif isinstance(value, tuple):
        for item in value:
            check(item)


@settings(max_examples=150, deadline=None)
@given(courses)
def test_no_exception_no_nan_and_down_one_at_a_time(
    course: list[tuple[float, ThermalSample | None, int, bool]],
) -> None:
    engine = ThermalEngine(ThermalConfig())
    now_s = 0.0
    level = 0
    for step_s, sample, times, restarts in course:
        for _ in range(1 + times):
            now_s += step_s
            said: ThermalAssessment = engine.step(sample, now_s)
            check(said)
            for cause in said.causes:
                assert said.level is None or cause.level <= said.level
            if said.level is not None:
                assert said.level >= level - 1
                level = int(said.level)
        if restarts:
            engine = ThermalEngine(ThermalConfig(), json.loads(json.dumps(engine.remember(), allow_nan=False)))


@settings(max_examples=100, deadline=None)
@given(
    probe=st.integers(0, 3),
    value_c=temperatures,
    frame_s=st.sampled_from((0.5, 1.0, 5.0, 30.0)),
    before=st.integers(5, 60),
    lost=st.booleans(),
)
def test_one_frame_with_one_wrong_probe_raises_nothing(
    *, probe: int, value_c: float | None, frame_s: float, before: int, lost: bool
) -> None:
    pack = Pack(frame_s=frame_s)
    for _ in range(before):
        pack.frame()
    pack.frame({probe: value_c})
    if lost:
        pack.silence(1)
    for _ in range(60):
        pack.frame()
    assert pack.highest() == 0


@settings(max_examples=60, deadline=None)
@given(
    probe=st.integers(0, 3),
    value_c=st.one_of(st.sampled_from(SENTINELS_C), st.just(44.0)),
    frames=st.integers(1, 400),
    gap_min=st.sampled_from((0, 0, 2, 20)),
    frame_s=st.sampled_from((1.0, 5.0, 10.0)),
)
def test_a_probe_that_reads_a_constant_raises_nothing(
    *, probe: int, value_c: float | None, frames: int, gap_min: int, frame_s: float
) -> None:
    pack = Pack(frame_s=frame_s)
    pack.run(10)
    pack.now_s += 60 * gap_min
    for _ in range(frames):
        pack.frame({probe: value_c})
    pack.now_s += 60 * gap_min
    pack.run(10)
    assert pack.highest() == 0
    assert pack.said[-1].probe_faults == ()


@settings(max_examples=30, deadline=None)
@given(rise_c_min=st.floats(1.0, 30.0), frame_s=st.sampled_from((0.5, 2.0, 5.0)), probe=st.integers(0, 3))
def test_the_level_rises_at_once_with_its_cause(*, rise_c_min: float, frame_s: float, probe: int) -> None:
    pack = Pack(frame_s=frame_s)
    pack.run(10)
    pack.run(8, {probe: rise_c_min})
    for said in pack.said:
        if said.causes and said.level is not None:
            assert said.level >= max(cause.level for cause in said.causes)
    assert pack.highest() >= 3
