"""The guardian in Home Assistant: what its entities show, what a silent link and a restart make of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from unittest.mock import patch

import pytest
from homeassistant.const import ATTR_ENTITY_ID, EVENT_HOMEASSISTANT_STOP, STATE_UNAVAILABLE, STATE_UNKNOWN, Platform
from homeassistant.core import HomeAssistant
from homeassistant.util import dt as dt_util

from custom_components.jk_bms.battery.hazards import Family
from custom_components.jk_bms.bms.telemetry import Telemetry
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


def stored(hass_storage: dict[str, Any], pack: Pack, what: str = "guardian") -> Any:
    entry = hass_storage.get(f"jk_bms.{pack.entry.entry_id}.{what}")
    return None if entry is None else entry["data"]


def causes(pack: Pack) -> set[str]:
    return {each["cause"] for each in pack.get("guardian_level").attributes["causes"]}


async def restart(packs: Packs, pack: Pack, first: Telemetry | None = None) -> None:
    await packs.hass.config_entries.async_unload(pack.entry.entry_id)
    await packs.set_up(pack, *PACK_32S[:-1], first or telemetry_32s())


ONE_HIGH = {"cells_v": (3.3,) * 15 + (3.62,)}


def hot(temperature_c: float | None) -> dict[str, Any]:
    return {"temperature_1_c": temperature_c, "temperature_2_c": temperature_c}


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
    began_at = dt_util.utcnow()
    await Frames(packs, pack).run(3, cells_v=(3.3,) * 5 + (3.62,) + (3.3,) * 10)
    level = pack.get("guardian_level")
    assert (level.state, level.attributes["cause"]) == ("critical", "cell_high")
    assert level.attributes["unacknowledged"][0] == "cell_high"
    since = level.attributes["causes"][0]["since"]
    assert 0 <= (dt_util.utcnow() - (dt_util.parse_datetime(since) or began_at)).total_seconds() <= 4
    assert level.attributes["causes"][0] == {
        "key": "cell_high",
        "level": "critical",
        "cause": "cell_high",
        "since": since,
        "value": "3.620",
        "limit": "3.570",
        "cell": "6",
    }
    on = [family for family in Family if is_on(pack, f"hazard_{family}")]
    assert on == [Family.CELL_VOLTAGE, Family.SPREAD]
    (hazard,) = pack.get("hazard_cell_voltage", Platform.BINARY_SENSOR).attributes["hazards"]
    assert hazard["cause"] == "cell_high"


async def test_since_when_stays_the_same_unless_the_clock_is_set(packs: Packs) -> None:
    pack = await packs.add(*PACK_32S)
    frames = Frames(packs, pack)

    async def since() -> str:
        await frames.run(70, cells_v=(3.3,) * 15 + (3.62,))
        said: str = pack.get("guardian_level").attributes["causes"][0]["since"]
        return said

    first = await since()
    assert await since() == first
    began_at = dt_util.parse_datetime(first)
    with patch("homeassistant.util.dt.utcnow", lambda: datetime.now(UTC) + timedelta(hours=1)):
        later_at = dt_util.parse_datetime(await since())
    assert began_at
    assert later_at
    assert later_at - began_at == pytest.approx(timedelta(hours=1), abs=timedelta(seconds=3))


async def test_another_cause_of_the_same_level_is_told_at_once(packs: Packs) -> None:
    pack = await packs.add(*PACK_32S)
    frames = Frames(packs, pack)
    await frames.run(3, **ONE_HIGH)
    assert pack.get("guardian_level").attributes["cause"] == "cell_high"
    await frames.run(67, current_a=130.0)
    level = pack.get("guardian_level")
    assert (level.state, level.attributes["cause"]) == ("critical", "charge_current")


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

    await restart(packs, pack)
    assert pack.value("guardian_level") == "critical", "it has not been released yet"
    await Frames(packs, pack).run(200)
    assert pack.value("guardian_level") == "ok"
    assert "cell_high" in pack.get("guardian_level").attributes["unacknowledged"]


@pytest.mark.parametrize(
    ("temperature_c", "level", "heat"),
    [(44, "advisory", "cool"), (49, "warning", "reduce"), (56, "critical", "stop"), (66, "emergency", "emergency")],
)
@pytest.mark.parametrize("first_c", [None, 25.0, "hot"])
async def test_restart_at_each_level_of_heat(
    packs: Packs, temperature_c: float, level: str, heat: str, first_c: float | str | None
) -> None:
    """The guardian's level is there with the first frame, whatever it says or doesn't, and stays; two frames tell of
    what it is, if it still is."""
    pack = await packs.add(*PACK_32S)
    await Frames(packs, pack).run(30, current_a=0.0, **hot(temperature_c))
    assert (pack.value("guardian_level"), pack.value("thermal_level")) == (level, heat)

    now_c = temperature_c if first_c == "hot" else first_c
    assert not isinstance(now_c, str)
    await restart(packs, pack, telemetry_32s(counter=77, current_a=0.0, **hot(now_c)))
    assert (pack.value("guardian_level"), pack.value("thermal_level")) == (level, STATE_UNKNOWN)
    assert "heat_held" in causes(pack)
    attributes = pack.get("guardian_level").attributes
    named_first = ("discharge_hot", None) if level == "critical" else ("heat_held", "heat_temperature")
    assert (attributes["cause"], attributes["raised_by"]) == named_first

    await Frames(packs, pack).run(70, current_a=0.0, **hot(now_c))
    known = heat if now_c is not None else STATE_UNKNOWN
    least = "warning" if now_c is None and level == "advisory" else level  # that all probes are gone is a warning
    assert (pack.value("guardian_level"), pack.value("thermal_level")) == (least, known)
    assert ("heat_temperature" in causes(pack)) == (first_c == "hot")


async def test_restart_while_critical(packs: Packs) -> None:
    high = {"cells_v": (3.62,) * 16}
    pack = await packs.add(*PACK_32S)
    frames = Frames(packs, pack)
    await frames.run(3, **high)
    assert pack.value("guardian_level") == "critical"

    await restart(packs, pack, telemetry_32s(counter=77, **high))
    level = pack.get("guardian_level")
    assert (level.state, level.attributes["cause"]) == ("critical", "cell_high"), "beyond the board's own limit"

    near = {"cells_v": (3.58,) * 16}
    await restart(packs, pack, telemetry_32s(counter=78, **near))
    level = pack.get("guardian_level")
    assert (level.state, level.attributes["cause"]) == ("critical", "cell_high"), "it isn't over yet"
    assert "cell_high" in level.attributes["unacknowledged"]
    await Frames(packs, pack).run(200)
    await restart(packs, pack, telemetry_32s(counter=79, **near))
    level = pack.get("guardian_level")
    assert (level.state, level.attributes["cause"]) == ("ok", None), "one frame of it proves nothing"
    await Frames(packs, pack).run(1, **near)
    assert pack.value("guardian_level") == "critical"


async def test_what_became_critical_is_written_down_at_once_and_survives(
    packs: Packs, hass_storage: dict[str, Any]
) -> None:
    pack = await packs.add(*PACK_32S)
    frames = Frames(packs, pack)
    await frames.run(60)
    assert stored(hass_storage, pack, "guardian_events") is None
    await frames.run(3, **ONE_HIGH)
    (event,) = stored(hass_storage, pack, "guardian_events")
    happened = dt_util.parse_datetime(event["at"])
    assert happened
    assert (dt_util.utcnow() - happened).total_seconds() == pytest.approx(2.5, abs=1)
    assert event["assessment"]["findings"][0]["key"] == "cell_high"

    await restart(packs, pack)
    (kept,) = pack.coordinator.guard.recorder.events
    assert len(kept.minutes_before()) == pytest.approx(60, abs=3)
    await Frames(packs, pack).run(60, **ONE_HIGH)
    assert len(stored(hass_storage, pack, "guardian_events")) == 1, "it is the same one still"
    await Frames(packs, pack).run(200)
    await Frames(packs, pack).run(200, **ONE_HIGH)
    assert len(stored(hass_storage, pack, "guardian_events")) == 2


@pytest.mark.parametrize(
    ("what", "entry"),
    [
        ("guardian_events", {"version": 1, "data": {"no": "list"}}),
        ("guardian_events", {"version": 1, "data": [{"at": 1}]}),
        ("guardian_events", {"version": 9, "data": []}),
        ("guardian_events", {"data": []}),
        ("guardian", {"version": 9, "data": {}}),
        ("guardian", {"version": 0, "data": {}}),
        ("acting", {"version": 9, "data": {}}),
        ("acting", {"data": {}}),
    ],
)
async def test_a_damaged_file_keeps_no_pack_from_being_watched(
    packs: Packs,
    hass: HomeAssistant,
    hass_storage: dict[str, Any],
    caplog: pytest.LogCaptureFixture,
    what: str,
    entry: dict[str, Any],
) -> None:
    pack = await packs.add(*PACK_32S)
    await hass.config_entries.async_unload(pack.entry.entry_id)
    hass_storage[f"jk_bms.{pack.entry.entry_id}.{what}"] = entry
    caplog.clear()
    await packs.set_up(pack, *PACK_32S)
    assert pack.value("guardian_level") == "ok"
    assert len([record for record in caplog.records if "left out" in record.getMessage()]) == 1
    await Frames(packs, pack).run(3, **ONE_HIGH)
    (event,) = stored(hass_storage, pack, "guardian_events")
    assert event["cells"] == 16


@pytest.mark.parametrize(("mode", "asked"), [("periodic", 1), ("live", 0)])
async def test_what_says_something_grave_alone_is_read_again(packs: Packs, mode: str, asked: int) -> None:
    pack = await packs.add(*PACK_32S, mode=mode, interval=60)
    frames = Frames(packs, pack)
    await frames.run(10)
    assert pack.link.read_again_wanted == asked, "a start is believed from the second frame on"
    await frames.run(0.5, alarm_bits=1 << 4)
    assert pack.link.read_again_wanted == 2 * asked
    await frames.run(10)
    assert pack.link.read_again_wanted == 2 * asked


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
    await Frames(packs, pack).run(3, cells_v=(3.62,) * 16)
    assert stored(hass_storage, pack, "guardian_events")
    await hass.config_entries.async_remove(pack.entry.entry_id)
    await hass.async_block_till_done()
    assert not [key for key in hass_storage if pack.entry.entry_id in key]


async def test_what_was_critical_is_acknowledged_by_a_button(packs: Packs, hass: HomeAssistant) -> None:
    pack = await packs.add(*PACK_32S)
    frames = Frames(packs, pack)
    await frames.run(3, cells_v=(3.62,) * 16)
    assert pack.get("guardian_level").attributes["unacknowledged"]
    button = {ATTR_ENTITY_ID: pack.entity_id(Platform.BUTTON, "acknowledge")}
    await hass.services.async_call("button", "press", button, blocking=True)
    await frames.run(150)
    assert not pack.get("guardian_level").attributes["unacknowledged"]


async def test_an_emergency_is_ended_by_hand_only(packs: Packs) -> None:
    pack = await packs.add(*PACK_32S)
    frames = Frames(packs, pack)
    await frames.run(10, **hot(66))
    guard = pack.coordinator.guard
    assert not guard.reset()
    for temperature_c in range(66, 30, -1):
        packs.tick(20)
        await frames.run(1, **hot(temperature_c))
    guard.acknowledge()
    for _ in range(60):
        packs.tick(60)
        await frames.run(1, **hot(30))
    assert pack.value("thermal_level") == "emergency"
    packs.tick(0.2)
    assert guard.reset()
    assert pack.value("thermal_level") == "normal"
