"""The guardian in Home Assistant: what its entities show, what a silent link and a restart make of it."""

from __future__ import annotations

from typing import Any

import pytest
from homeassistant.const import ATTR_ENTITY_ID, EVENT_HOMEASSISTANT_STOP, STATE_UNAVAILABLE, STATE_UNKNOWN, Platform
from homeassistant.core import HomeAssistant

from custom_components.jk_bms.battery.hazards import Family
from custom_components.jk_bms.guard import SAVED_AFTER_S, SAVED_EVERY_S

from .pack_values import telemetry_32s
from .packs import PACK_32S, PACK_JK04, Pack, Packs


class Frames:
    """Gives a pack frames that go on counting."""

    def __init__(self, packs: Packs, pack: Pack) -> None:
        self.packs = packs
        self.pack = pack
        self.number = 0

    async def run(self, seconds: float, **changes: Any) -> None:
        for _ in range(int(seconds * 2)):
            self.packs.tick(0.5)
            self.number += 1
            values = {"counter": self.number % 256, "current_a": 10 + self.number % 2 / 1000}
            self.pack.link.give(telemetry_32s(**values | changes))
        await self.pack.hass.async_block_till_done()


def is_on(pack: Pack, key: str) -> bool:
    return pack.value(key, Platform.BINARY_SENSOR) == "on"


def stored(hass_storage: dict[str, Any], pack: Pack) -> dict[str, Any] | None:
    entry = hass_storage.get(f"jk_bms.{pack.entry.entry_id}.guardian")
    return None if entry is None else entry["data"]


async def test_a_healthy_pack(packs: Packs) -> None:
    pack = await packs.add(*PACK_32S)
    frames = Frames(packs, pack)
    await frames.run(600)
    assert pack.value("guardian_level") == "ok"
    assert pack.get("guardian_level").attributes["cause"] is None
    assert (pack.value("thermal_level"), pack.value("thermal_cause")) == ("normal", "none")
    assert not [family for family in Family if is_on(pack, f"hazard_{family}")]
    assert not is_on(pack, "probe_fault")
    assert not is_on(pack, "monitoring_lost")
    assert pack.value("time_to_45_c") == STATE_UNKNOWN
    assert float(pack.value("heating_rate")) == pytest.approx(0, abs=0.02)
    assert float(pack.value("predicted_temperature")) == pytest.approx(22, abs=1)


async def test_a_hazard_with_its_cause(packs: Packs) -> None:
    pack = await packs.add(*PACK_32S)
    await Frames(packs, pack).run(3, cells_v=(3.3,) * 5 + (3.62,) + (3.3,) * 10)
    level = pack.get("guardian_level")
    assert (level.state, level.attributes["cause"]) == ("critical", "cell_high")
    assert level.attributes["unacknowledged"][0] == "cell_high"
    assert level.attributes["causes"][0] == {
        "key": "cell_high",
        "level": "critical",
        "cause": "cell_high",
        "value": "3.620",
        "limit": "3.570",
        "cell": "6",
    }
    on = [family for family in Family if is_on(pack, f"hazard_{family}")]
    assert on == [Family.CELL_VOLTAGE, Family.SPREAD]
    (hazard,) = pack.get("hazard_cell_voltage", Platform.BINARY_SENSOR).attributes["hazards"]
    assert hazard["cause"] == "cell_high"


@pytest.mark.usefixtures("all_enabled")
async def test_a_pack_that_warms(packs: Packs) -> None:
    pack = await packs.add(*PACK_32S)
    frames = Frames(packs, pack)
    for step in range(60):
        both = {f"temperature_{probe}_c": round(22 + step * 0.25, 1) for probe in (1, 2)}
        await frames.run(30, **both)
    assert float(pack.value("heating_rate")) == pytest.approx(0.5, abs=0.1)
    assert float(pack.value("predicted_temperature")) == pytest.approx(51, abs=4)
    times = [float(pack.value(f"time_to_{temperature_c}_c")) for temperature_c in (45, 50, 55, 60)]
    assert times == sorted(times)
    assert times[0] == pytest.approx(17, abs=4)
    band = pack.get("time_to_45_c").attributes
    assert band["earliest"] <= times[0] <= band["latest"]
    assert float(pack.value("unexplained_heating")) > 0.3
    assert pack.value("thermal_level") in ("cool", "reduce")
    assert pack.value("thermal_cause") != "none"


async def test_small_changes_wait_for_their_turn(packs: Packs, hass: HomeAssistant) -> None:
    pack = await packs.add(*PACK_32S)
    frames = Frames(packs, pack)
    await frames.run(120)
    predicted = pack.get("predicted_temperature")
    await frames.run(20, temperature_1_c=21.6)
    assert pack.get("predicted_temperature").last_updated == predicted.last_updated


async def test_a_probe_that_dies(packs: Packs) -> None:
    pack = await packs.add(*PACK_32S)
    frames = Frames(packs, pack)
    await frames.run(60)
    await frames.run(600, temperature_2_c=None)
    fault = pack.get("probe_fault", Platform.BINARY_SENSOR)
    assert fault.state == "on"
    assert [each["probe"] for each in fault.attributes["probes"]] == ["temperature_2"]


async def test_oldest_boards_have_no_probe(packs: Packs) -> None:
    pack = await packs.add(*PACK_JK04)
    assert pack.value("guardian_level") == "ok"
    assert pack.entity_id(Platform.SENSOR, "thermal_level") is None
    assert pack.entity_id(Platform.BINARY_SENSOR, "monitoring_lost") is None
    assert pack.entity_id(Platform.BINARY_SENSOR, "hazard_current") is None


async def test_a_silent_link(packs: Packs) -> None:
    pack = await packs.add(*PACK_32S)
    await Frames(packs, pack).run(10)
    for _ in range(14):
        await packs.advance(5)
    assert pack.value("heating_rate") == STATE_UNAVAILABLE
    assert (pack.value("guardian_level"), pack.value("thermal_level")) == ("advisory", "normal")
    assert pack.get("guardian_level").attributes["cause"] == "data_stale"
    assert is_on(pack, "monitoring_lost")
    assert not is_on(pack, "hazard_data")
    for _ in range(120):
        await packs.advance(5)
    assert (pack.value("guardian_level"), pack.value("thermal_level")) == ("warning", STATE_UNKNOWN)
    assert pack.value("thermal_cause") == STATE_UNKNOWN
    assert is_on(pack, "hazard_data")
    await Frames(packs, pack).run(80)
    assert pack.value("guardian_level") == "ok"
    assert not is_on(pack, "monitoring_lost")


async def test_a_pause_is_no_silence(packs: Packs) -> None:
    pack = await packs.add(*PACK_32S)
    frames = Frames(packs, pack)
    await frames.run(10)
    await pack.link.pause(3600)
    for _ in range(60):
        await packs.advance(30)
    assert pack.value("guardian_level") == "ok"
    pack.link.resume()
    await frames.run(10)
    assert pack.value("guardian_level") == "ok"


async def test_restart_keeps_what_nobody_has_seen(
    packs: Packs, hass: HomeAssistant, hass_storage: dict[str, Any]
) -> None:
    pack = await packs.add(*PACK_32S)
    frames = Frames(packs, pack)
    await frames.run(3, cells_v=(3.62,) * 16)
    await packs.advance(SAVED_AFTER_S + 1)
    data = stored(hass_storage, pack)
    assert data
    assert "cell_high" in data["latched"]
    assert data["probes"] == ["temperature_1", "temperature_2"]

    await hass.config_entries.async_unload(pack.entry.entry_id)
    await packs.set_up(pack, *PACK_32S)
    assert pack.value("guardian_level") == "ok"
    assert "cell_high" in pack.get("guardian_level").attributes["unacknowledged"]


async def test_what_is_learned_is_stored_now_and_then_and_at_the_end(
    packs: Packs, hass: HomeAssistant, hass_storage: dict[str, Any]
) -> None:
    pack = await packs.add(*PACK_32S)
    frames = Frames(packs, pack)
    await frames.run(10)
    await packs.advance(SAVED_AFTER_S + 1)
    key = f"jk_bms.{pack.entry.entry_id}.guardian"
    assert stored(hass_storage, pack)
    del hass_storage[key]
    await frames.run(60)
    await packs.advance(SAVED_AFTER_S + 1)
    assert key not in hass_storage
    packs.tick(SAVED_EVERY_S)
    await frames.run(1)
    await packs.advance(SAVED_AFTER_S + 1)
    assert key in hass_storage
    del hass_storage[key]
    hass.bus.async_fire(EVENT_HOMEASSISTANT_STOP)
    await hass.async_block_till_done()
    assert key in hass_storage


async def test_removal_forgets(packs: Packs, hass: HomeAssistant, hass_storage: dict[str, Any]) -> None:
    pack = await packs.add(*PACK_32S)
    await hass.config_entries.async_remove(pack.entry.entry_id)
    await hass.async_block_till_done()
    assert stored(hass_storage, pack) is None


async def test_what_was_critical_is_acknowledged_by_a_button(packs: Packs, hass: HomeAssistant) -> None:
    pack = await packs.add(*PACK_32S)
    frames = Frames(packs, pack)
    await frames.run(3, cells_v=(3.62,) * 16)
    assert pack.get("guardian_level").attributes["unacknowledged"]
    button = {ATTR_ENTITY_ID: pack.entity_id(Platform.BUTTON, "acknowledge")}
    await hass.services.async_call("button", "press", button, blocking=True)
    await frames.run(150)
    assert not pack.get("guardian_level").attributes["unacknowledged"]
