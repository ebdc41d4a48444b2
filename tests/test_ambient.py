"""The temperature around a pack, from whatever entity its owner chose."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from freezegun.api import FrozenDateTimeFactory
from homeassistant.core import HomeAssistant
from homeassistant.util.unit_system import US_CUSTOMARY_SYSTEM

from custom_components.jk_bms.ambient import STALE_AFTER, Ambient

from .packs import PACK_32S, Packs
from .test_guard import Frames

CELSIUS = {"unit_of_measurement": "°C"}


@pytest.mark.parametrize(
    ("entity_id", "state", "attributes", "temperature_c"),
    [
        ("sensor.cellar", "21.5", CELSIUS, 21.5),
        ("sensor.cellar", "0", CELSIUS, 0),
        ("sensor.cellar", "-40", CELSIUS, -40),
        ("sensor.cellar", "68", {"unit_of_measurement": "°F"}, 20),
        ("sensor.cellar", "293.15", {"unit_of_measurement": "K"}, 20),
        ("weather.home", "sunny", {"temperature": 50.0, "temperature_unit": "°F"}, 10),
        ("weather.home", "sunny", {"temperature": 12, "temperature_unit": "°C"}, 12),
        ("climate.shed", "heat", {"current_temperature": 18.5, "temperature": 21}, 18.5),
    ],
)
async def test_what_entities_say(
    hass: HomeAssistant, entity_id: str, state: str, attributes: dict[str, Any], temperature_c: float
) -> None:
    hass.states.async_set(entity_id, state, attributes)
    ambient = Ambient(hass, entity_id)
    stop = ambient.start()
    assert ambient.temperature_c == pytest.approx(temperature_c)
    stop()


async def test_a_thermostat_in_fahrenheit(hass: HomeAssistant) -> None:
    hass.config.units = US_CUSTOMARY_SYSTEM
    hass.states.async_set("climate.shed", "heat", {"current_temperature": 86})
    ambient = Ambient(hass, "climate.shed")
    stop = ambient.start()
    assert ambient.temperature_c == pytest.approx(30)
    stop()


@pytest.mark.parametrize(
    ("entity_id", "state", "attributes"),
    [
        ("sensor.cellar", "unavailable", CELSIUS),
        ("sensor.cellar", "unknown", CELSIUS),
        ("sensor.cellar", "nan", CELSIUS),
        ("sensor.cellar", "inf", CELSIUS),
        ("sensor.cellar", "60.1", CELSIUS),
        ("sensor.cellar", "-40.1", CELSIUS),
        ("sensor.cellar", "141", {"unit_of_measurement": "°F"}),
        ("sensor.cellar", "21.5", {"unit_of_measurement": "%"}),
        ("sensor.cellar", "21.5", {}),
        ("weather.home", "sunny", {"temperature_unit": "°C"}),
        ("weather.home", "unavailable", {}),
        ("climate.shed", "heat", {"temperature": 21}),
        ("climate.shed", "heat", {"current_temperature": "warm"}),
    ],
)
async def test_what_is_no_temperature(
    hass: HomeAssistant, entity_id: str, state: str, attributes: dict[str, Any]
) -> None:
    hass.states.async_set(entity_id, state, attributes)
    ambient = Ambient(hass, entity_id)
    stop = ambient.start()
    assert ambient.temperature_c is None
    stop()


async def test_it_follows_until_it_is_ended(hass: HomeAssistant) -> None:
    ambient = Ambient(hass, "sensor.cellar")
    stop = ambient.start()
    assert ambient.temperature_c is None, "there is no such entity yet"
    for state, temperature_c in (("21", 21), ("22", 22), ("unavailable", None), ("23", 23)):
        hass.states.async_set("sensor.cellar", state, CELSIUS)
        await hass.async_block_till_done()
        assert ambient.temperature_c == temperature_c
    hass.states.async_remove("sensor.cellar")
    await hass.async_block_till_done()
    assert ambient.temperature_c is None
    stop()
    hass.states.async_set("sensor.cellar", "24", CELSIUS)
    await hass.async_block_till_done()
    assert ambient.temperature_c is None


async def test_a_silent_thermometer_is_not_believed_for_ever(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory
) -> None:
    hass.states.async_set("sensor.cellar", "21", CELSIUS)
    ambient = Ambient(hass, "sensor.cellar")
    stop = ambient.start()
    for _ in range(3):
        freezer.tick(STALE_AFTER)
        assert ambient.temperature_c == 21
        hass.states.async_set("sensor.cellar", "21", CELSIUS)  # the same again is no change, but a report
        await hass.async_block_till_done()
    freezer.tick(STALE_AFTER + timedelta(seconds=1))
    assert ambient.temperature_c is None
    stop()


async def test_the_guardian_hears_of_it(hass: HomeAssistant, packs: Packs) -> None:
    hass.states.async_set("sensor.cellar", "10", CELSIUS)
    pack = await packs.add(*PACK_32S, ambient_entity="sensor.cellar")
    frames = Frames(packs, pack)

    async def now(temperature: str) -> tuple[float, bool]:
        """Return the current that the pack can bear for good, and whether cooling helps."""
        hass.states.async_set("sensor.cellar", temperature, CELSIUS)
        await hass.async_block_till_done()
        await frames.run(300)
        thermal = pack.coordinator.state.assessment.thermal
        assert thermal.hold_current_a is not None
        return thermal.hold_current_a, thermal.cooling_helps

    cold_a, helps = await now("10")
    assert helps
    warm_a, helps = await now("30")
    assert not helps, "the air is warmer than the pack"
    assert warm_a < 0.9 * cold_a
    unknown_a, helps = await now("unavailable")
    assert helps
    assert unknown_a > 1.1 * warm_a, "by the pack's own temperature, which is lower"
    listeners = hass.bus.async_listeners()["state_changed"]
    assert await hass.config_entries.async_unload(pack.entry.entry_id)
    assert hass.bus.async_listeners().get("state_changed", 0) < listeners, "nobody follows it any more"


async def test_nobody_said_how_warm_it_is(hass: HomeAssistant, packs: Packs) -> None:
    pack = await packs.add(*PACK_32S)
    await Frames(packs, pack).run(300)
    thermal = pack.coordinator.state.assessment.thermal
    assert thermal.cooling_helps
    assert thermal.hold_current_a is not None, "by the pack's own temperature"
