"""The rules that are compared with: the same as what Home Assistant's helpers make of the same states."""

from __future__ import annotations

from random import Random
from typing import Final

import pytest
from freezegun.api import FrozenDateTimeFactory
from homeassistant.core import HomeAssistant
from homeassistant.setup import async_setup_component

from benchmarks.heat.helpers import Above, Derivative, Episodes, Gain, Spread, Steep, Trend

SOURCE: Final = "sensor.probe"


def states(seed: int, count: int) -> list[tuple[float, float | None]]:
    """Return seconds since the last state, and a probe that wanders, jumps, is unknown, and falls silent."""
    random = Random(seed)
    value, result = 20.0, []
    for _ in range(count):
        value += random.choice((0.0, 0.0, 0.0, 0.1, 0.1, -0.1))
        shown = random.choice((value, value, value, value, value, -200.0)) if random.random() < 0.1 else value
        silence_s = random.choice((5.0, 5.0, 5.0, 10.0, 1200.0)) if random.random() < 0.1 else 5.0
        result.append((silence_s, None if random.random() < 0.03 else round(shown, 1)))
    return result


@pytest.mark.parametrize("window_s", [0, 300, 600])
async def test_derivative(hass: HomeAssistant, freezer: FrozenDateTimeFactory, window_s: int) -> None:
    config = {
        "platform": "derivative",
        "name": "slope",
        "source": SOURCE,
        "unit_time": "min",
        "round": 3,
        "time_window": {"seconds": window_s},
    }
    hass.states.async_set(SOURCE, "20.0")
    assert await async_setup_component(hass, "sensor", {"sensor": config})
    await hass.async_block_till_done()
    ours = Derivative(window_s)
    t = 0.0
    ours.report(t, 20.0)
    different = 0
    for silence_s, value in states(seed=window_s, count=400):
        freezer.tick(silence_s)
        t += silence_s
        hass.states.async_set(SOURCE, "unknown" if value is None else str(value))
        await hass.async_block_till_done()
        ours.report(t, value)
        theirs = hass.states.get("sensor.slope")
        assert theirs is not None
        if ours.value is None:
            assert theirs.state == "unknown"
        else:
            assert float(theirs.state) == pytest.approx(ours.value, abs=0.0011), t
            different += ours.value != 0
    assert different > 100


async def test_trend(hass: HomeAssistant, freezer: FrozenDateTimeFactory) -> None:
    config = {
        "platform": "trend",
        "sensors": {"slope": {"entity_id": SOURCE, "max_samples": 20, "sample_duration": 600}},
    }
    assert await async_setup_component(hass, "binary_sensor", {"binary_sensor": config})
    await hass.async_block_till_done()
    ours = Trend(20, 600.0)
    t, compared = 0.0, 0
    for silence_s, value in states(seed=3, count=300):
        freezer.tick(silence_s)
        t += silence_s
        hass.states.async_set(SOURCE, "unknown" if value is None else str(value))
        await hass.async_block_till_done()
        ours.report(t, value)
        theirs = hass.states.get("binary_sensor.slope")
        assert theirs is not None
        if theirs.state != "unavailable":
            assert 60 * theirs.attributes["gradient"] == pytest.approx(ours.value, rel=1e-3, abs=1e-3), t
            compared += ours.value != 0
    assert compared > 200


def test_any_probe_is_enough() -> None:
    assert Above(60.0).alarms(0.0, (None, 60.1))
    assert not Above(60.0).alarms(0.0, (None, 60.0))
    assert Spread(5.0).alarms(0.0, (20.0, None, 25.1))
    assert not Spread(5.0).alarms(0.0, (None, None))
    steep = Steep(1.0, lambda: Derivative(60.0))
    assert not steep.alarms(0.0, (20.0, 20.0))
    assert steep.alarms(60.0, (20.0, 21.1))


def test_gain_looks_back_for_its_age_only() -> None:
    gain = Gain(5.0, 60.0)
    assert not gain.alarms(0.0, (20.0,))
    assert not gain.alarms(50.0, (25.0,))
    assert gain.alarms(55.0, (25.1,))
    assert not gain.alarms(115.0, (25.2,))


def test_an_episode_ends_with_a_pause() -> None:
    episodes = Episodes(gap_s=900.0)
    for t in range(0, 4000, 100):
        episodes.take(float(t), on=t in {100, 200, 1000, 2000}, frame_s=100.0)
    assert episodes.starts_s == [100.0, 2000.0]
    assert episodes.on_s == 400.0
