"""What the guardian decides is carried out: with what works, lags, fails or is missing, over restarts and silence."""

from __future__ import annotations

import asyncio
from typing import Any
from unittest.mock import patch

import pytest
from homeassistant.components.climate.const import HVACMode
from homeassistant.config_entries import ConfigEntryDisabler, ConfigEntryState
from homeassistant.const import STATE_OFF, STATE_ON, STATE_UNAVAILABLE, STATE_UNKNOWN, Platform
from homeassistant.core import CoreState, Event, HomeAssistant
from homeassistant.exceptions import HomeAssistantError
from homeassistant.setup import async_setup_component
from pytest_homeassistant_custom_component.common import async_fire_time_changed

from custom_components.jk_bms.bms.link import LinkProblem
from custom_components.jk_bms.coordinator import START_TIMEOUT_S

from .acting_home import Appliance, Plant, notifications
from .fake_link import FakeLink
from .pack_values import DEVICE_INFO_32S, telemetry_32s
from .packs import Packs

WARM_C = 44.0
"""Level 1."""
HEATED_C = 49.0
HOT_C = 56.0
"""Level 3, but not too hot for a time of grace."""
BURNING_C = 67.0
COOL_C = 25.0
FAN: dict[str, Any] = {"cooling_entity": "fan.rack"}
CHARGE_OFF = ("charge_switch", False)
DISCHARGE_OFF = ("discharge_switch", False)
BOARD: dict[str, Any] = {"stop_charge": True, "stop_discharge": True, "both_off": True}


def events(hass: HomeAssistant, key: str = "guardian_action") -> list[dict[str, Any]]:
    """Return, as they come, the attributes of what an event entity tells."""
    told: list[dict[str, Any]] = []

    def take(event: Event[Any]) -> None:
        state = event.data["new_state"]
        if state and event.data["entity_id"].endswith(key) and state.state not in (STATE_UNKNOWN, STATE_UNAVAILABLE):
            told.append(dict(state.attributes))

    hass.bus.async_listen("state_changed", take)
    return told


@pytest.mark.parametrize("domain", ["fan", "switch", "humidifier", "input_boolean"])
async def test_cooling(packs: Packs, hass: HomeAssistant, domain: str) -> None:
    cooler = Appliance(hass, f"{domain}.cooler")
    told = events(hass)
    plant = await Plant.add(packs, celsius=WARM_C, cooling_entity=cooler.entity_id)
    await plant.run(5)
    assert cooler.calls == ["turn_on"]
    assert plant.value("cooling", Platform.SWITCH) == STATE_ON
    last = plant.pack.get("last_action")
    assert (last.state, last.attributes["result"], last.attributes["cause"]) == (
        "cooling",
        "started",
        "heat_temperature",
    )
    assert last.attributes["mode"] == "act"
    assert [each["event_type"] for each in told] == ["ordered", "started"]
    assert (told[0]["action"], told[0]["target"], told[0]["cause"]) == ("cooling", "cooling", "heat_temperature")

    plant.celsius = COOL_C
    took_s = await plant.until(lambda: len(cooler.calls) > 1, within_s=3600, every_s=10)
    assert took_s > 580, "not before the least time to run"
    await plant.run(10)
    assert cooler.calls == ["turn_on", "turn_off"]
    assert plant.value("cooling", Platform.SWITCH) == STATE_OFF
    assert [each["event_type"] for each in told] == ["ordered", "started", "ordered", "ended"]
    assert plant.pack.get("last_action").attributes["result"] == "ended", "and not started once more"
    assert notifications(hass) == {}


@pytest.mark.parametrize(
    ("modes", "before", "on", "off"),
    [
        ([HVACMode.OFF, HVACMode.HEAT, HVACMode.COOL], "off", "set_hvac_mode cool", "set_hvac_mode off"),
        ([HVACMode.OFF, HVACMode.HEAT, HVACMode.FAN_ONLY], "heat", "set_hvac_mode fan_only", "set_hvac_mode heat"),
        ([HVACMode.AUTO], "off", "turn_on", "turn_off"),
        ([HVACMode.OFF, HVACMode.COOL], STATE_UNKNOWN, "set_hvac_mode cool", "set_hvac_mode off"),
    ],
)
async def test_an_air_conditioner(
    packs: Packs, hass: HomeAssistant, modes: list[HVACMode], before: str, on: str, off: str
) -> None:
    """It must not heat when it is told to cool, and heats again afterwards if it did before."""
    cooler = Appliance(hass, "climate.cellar", before, hvac_modes=modes)
    plant = await Plant.add(packs, celsius=WARM_C, cooling_entity=cooler.entity_id)
    await plant.run(5)
    assert cooler.calls == [on]
    await plant.pack.coordinator.acting.async_stop_cooling()
    assert cooler.calls == [on, off]
    assert cooler.state == ("off" if before == STATE_UNKNOWN else before)


async def test_an_air_conditioner_that_lags_heats_again(packs: Packs, hass: HomeAssistant) -> None:
    modes = [HVACMode.OFF, HVACMode.HEAT, HVACMode.COOL]
    cooler = Appliance(hass, "climate.cellar", "heat", hvac_modes=modes)
    cooler.obeys = False
    plant = await Plant.add(packs, celsius=WARM_C, cooling_entity=cooler.entity_id)
    await plant.run(20)
    cooler.obeys = True
    cooler.set("dry")
    await plant.run(40)
    await plant.pack.coordinator.acting.async_stop_cooling()
    assert cooler.state == "heat"


async def test_an_air_conditioner_heats_again_after_a_restart(packs: Packs, hass: HomeAssistant) -> None:
    modes = [HVACMode.OFF, HVACMode.HEAT, HVACMode.COOL]
    cooler = Appliance(hass, "climate.cellar", "heat", hvac_modes=modes)
    plant = await Plant.add(packs, celsius=WARM_C, cooling_entity=cooler.entity_id)
    await plant.run(5)
    await plant.again()
    await plant.run(5)
    assert cooler.calls == ["set_hvac_mode cool"]
    acting = plant.pack.coordinator.acting
    cooler.fails_with = HomeAssistantError("no reply")
    with pytest.raises(HomeAssistantError, match="no reply"):
        await acting.async_stop_cooling()
    cooler.fails_with = None
    await plant.run(20)
    assert cooler.state == "heat", "also if it has to be told twice"


async def test_a_script(packs: Packs, hass: HomeAssistant) -> None:
    opened = Appliance(hass, "cover.hatch", None)
    steps = [{"action": "cover.turn_on", "target": {"entity_id": "cover.hatch"}}]
    assert await async_setup_component(hass, "script", {"script": {"cool": {"sequence": steps}}})
    plant = await Plant.add(packs, celsius=WARM_C, cooling_entity="script.cool")
    await plant.run(60)
    assert opened.calls == ["turn_on"]
    assert plant.value("cooling", Platform.SWITCH) == STATE_ON
    await plant.again()
    await plant.run(60)
    assert opened.calls == ["turn_on"], "it has been run"
    await plant.pack.coordinator.acting.async_stop_cooling()
    assert plant.value("cooling", Platform.SWITCH) == STATE_OFF


async def test_a_script_that_takes_its_time_is_stopped(packs: Packs, hass: HomeAssistant) -> None:
    steps = [{"delay": "01:00:00"}]
    assert await async_setup_component(hass, "script", {"script": {"cool": {"sequence": steps}}})
    plant = await Plant.add(packs, celsius=WARM_C, cooling_entity="script.cool")
    await plant.run(5)
    state = hass.states.get("script.cool")
    assert state
    assert state.state == STATE_ON
    await plant.pack.coordinator.acting.async_stop_cooling()
    await plant.settle()
    state = hass.states.get("script.cool")
    assert state
    assert state.state == STATE_OFF


async def test_a_script_that_does_not_run(packs: Packs, hass: HomeAssistant) -> None:
    cooler = Appliance(hass, "script.cool")
    plant = await Plant.add(packs, celsius=WARM_C, cooling_entity="script.cool")
    await plant.run(20)
    assert cooler.calls == ["turn_on", "turn_on"]
    assert plant.pack.get("guardian_level").attributes["causes"][0]["cause"] == "action_failed"
    assert "script.cool didn't run" in next(iter(notifications(hass).values()))["message"]


async def test_what_the_board_holds_off_by_itself_did_not_fail(packs: Packs, hass: HomeAssistant) -> None:
    plant = await Plant.add(packs, stop_charge=True)
    await plant.run(10, cells_v=(3.62,) * 16)
    assert plant.pack.link.written == [CHARGE_OFF]
    await plant.run(600, every_s=2, charge_mosfet=False, current_a=0.0)
    assert plant.pack.link.written == [CHARGE_OFF, ("charge_switch", True)]
    assert plant.records[-1].result == "verified"
    assert plant.value("guardian_level") == "ok"


async def test_what_answers_late_has_answered(packs: Packs, hass: HomeAssistant) -> None:
    fan = Appliance(hass, "fan.rack")
    fan.obeys = False
    plant = await Plant.add(packs, celsius=WARM_C, **FAN)
    await plant.run(12)
    fan.set(STATE_ON)
    await plant.run(60)
    assert fan.calls == ["turn_on"]
    assert [result for _, result, _ in plant.results] == ["pending", "verified"]


@pytest.mark.parametrize("error", [HomeAssistantError("the relay sticks"), KeyError("the relay sticks")])
async def test_what_fails_is_tried_again_and_said(packs: Packs, hass: HomeAssistant, error: Exception) -> None:
    fan = Appliance(hass, "fan.rack")
    fan.fails_with = error
    alarms = events(hass, "alarm")
    plant = await Plant.add(packs, celsius=WARM_C, **FAN)
    await plant.run(15)
    assert fan.calls == ["turn_on"] * 2
    level = plant.pack.get("guardian_level")
    assert level.state == "warning"
    assert level.attributes["causes"][0] == {
        "key": "action_cooling",
        "level": "warning",
        "cause": "action_failed",
        "since": level.attributes["causes"][0]["since"],
        "action": "cooling",
        "target": "cooling",
    }
    assert [(each["event_type"], each["alarm"]) for each in alarms] == [("raised", "guardian_action_failed")]
    (notification,) = notifications(hass).values()
    assert notification["title"] == "Keller: an action failed"
    assert "An action failed: Cooling, Cooling, " in notification["message"]
    assert "the relay sticks" in notification["message"]

    fan.fails_with = None
    await plant.run(40)
    assert fan.calls == ["turn_on"] * 3
    assert plant.value("guardian_level") == "advisory"
    assert notifications(hass) == {}
    assert alarms[-1]["event_type"] == "cleared"


async def test_what_hangs_stops_nothing_else(packs: Packs, hass: HomeAssistant) -> None:
    fan, charger = Appliance(hass, "fan.rack"), Appliance(hass, "switch.charger", STATE_ON)
    fan.hangs = True
    plant = await Plant.add(packs, celsius=HOT_C, stop_charge_switch="switch.charger", **FAN)
    await plant.run(5)
    assert charger.calls == ["turn_off"]
    for _ in range(12):
        await plant.silence(1)
        await plant.run(1)
    assert fan.calls == ["turn_on", "turn_on"]
    for message in notifications(hass).values():
        assert "Fan" not in message
    await hass.config_entries.async_unload(plant.pack.entry.entry_id)
    assert plant.pack.entry.state.value == "not_loaded"


async def test_one_order_at_a_time(packs: Packs, hass: HomeAssistant) -> None:
    """What is ordered while another order hangs comes after it."""
    fan = Appliance(hass, "fan.rack")
    fan.hangs = True
    plant = await Plant.add(packs, celsius=WARM_C, **FAN)
    await plant.run(3)
    fan.hangs = False
    stopping = hass.async_create_task(plant.pack.coordinator.acting.async_stop_cooling())
    await plant.settle()
    assert (fan.calls, stopping.done()) == (["turn_on"], False)
    for _ in range(16):
        await plant.silence(1)
    assert fan.calls == ["turn_on", "turn_off"]
    await stopping


@pytest.mark.parametrize("state", [None, STATE_UNAVAILABLE])
async def test_what_is_not_there_is_driven_as_soon_as_it_is(
    packs: Packs, hass: HomeAssistant, state: str | None
) -> None:
    fan = Appliance(hass, "fan.rack", state)
    plant = await Plant.add(packs, celsius=WARM_C, **FAN)
    await plant.run(20)
    assert fan.calls == []
    assert plant.value("cooling", Platform.SWITCH) == STATE_UNKNOWN
    assert plant.pack.get("last_action").attributes["detail"] == "not_there"
    assert plant.value("guardian_level") == "warning"
    fan.set(STATE_OFF)
    await plant.settle()
    assert fan.calls == ["turn_on"], "without waiting for a frame"
    await plant.run(2)
    assert plant.value("guardian_level") == "advisory"


async def test_what_is_not_there_yet_has_not_failed(packs: Packs, hass: HomeAssistant) -> None:
    fan = Appliance(hass, "fan.rack", None)
    hass.set_state(CoreState.starting)
    plant = await Plant.add(packs, celsius=WARM_C, **FAN)
    await plant.run(120, every_s=5)
    assert plant.value("guardian_level") == "advisory"
    assert notifications(hass) == {}
    hass.set_state(CoreState.running)
    await plant.run(5)
    assert plant.value("guardian_level") == "warning"
    fan.set(STATE_OFF)
    await plant.run(5)
    assert plant.value("guardian_level") == "advisory"


@pytest.mark.parametrize(("mode", "asked"), [("live", 0), ("periodic", 1)])
async def test_a_board_that_is_read_seldom_is_asked_at_once(packs: Packs, mode: str, asked: int) -> None:
    plant = await Plant.add(packs, mode=mode, interval=60, celsius=HOT_C, stop_charge=True)
    changes = plant.pack.coordinator.changes
    with patch.object(changes, "async_read", side_effect=HomeAssistantError("gone again")) as read:
        await plant.run(5)
    assert read.call_count == asked
    assert plant.pack.link.written == [CHARGE_OFF]
    assert "failed" not in {result for _, result, _ in plant.results}


async def test_an_unknown_state_can_be_driven(packs: Packs, hass: HomeAssistant) -> None:
    fan = Appliance(hass, "fan.rack", STATE_UNKNOWN)
    await (await Plant.add(packs, celsius=WARM_C, **FAN)).run(3)
    assert fan.calls == ["turn_on"]


async def test_gone_at_the_moment_of_the_order(packs: Packs, hass: HomeAssistant) -> None:
    """Whoever drives it by hand is told."""
    fan = Appliance(hass, "fan.rack")
    plant = await Plant.add(packs, **FAN)
    fan.set(STATE_UNAVAILABLE)
    acting = plant.pack.coordinator.acting
    with pytest.raises(HomeAssistantError, match=r"fan.rack isn't available"):
        await acting.async_cool()
    with pytest.raises(HomeAssistantError, match=r"fan.rack isn't available"):
        await acting.driven[next(iter(acting.driven))].async_drive(on=True)


@pytest.mark.parametrize("mode", ["dry_run", "watch", "off"])
async def test_other_modes_send_nothing(packs: Packs, hass: HomeAssistant, mode: str) -> None:
    fan, charger = Appliance(hass, "fan.rack"), Appliance(hass, "switch.charger", STATE_ON)
    told = events(hass)
    plant = await Plant.add(
        packs, celsius=HOT_C, guardian_mode=mode, stop_charge_switch="switch.charger", **FAN, **BOARD
    )
    await plant.run(120)
    assert (fan.calls, charger.calls) == ([], [])
    assert plant.pack.link.written == []
    assert {each["event_type"] for each in told} == ({"would_start"} if mode == "dry_run" else set())
    would = [each["target"] for each in told]
    assert sorted(would) == (
        ["board_charge", "board_discharge", "cooling", "switch_charge"] if mode == "dry_run" else []
    )


async def test_switched_off_the_guardian_says_nothing_and_goes_on_learning(packs: Packs, hass: HomeAssistant) -> None:
    alarms = events(hass, "alarm")
    plant = await Plant.add(packs, guardian_mode="off")
    await plant.run(10, cells_v=(3.62,) * 16)
    assert plant.value("guardian_level") == STATE_UNAVAILABLE
    assert plant.value("hazard_cell_voltage", Platform.BINARY_SENSOR) == STATE_UNAVAILABLE
    assert plant.value("guardian_mode", Platform.SELECT) == "off"
    assert (alarms, notifications(hass)) == ([], {})
    plant.pack.coordinator.acting.set_mode(type(plant.pack.coordinator.acting.mode)("watch"))
    await plant.settle()
    assert plant.value("guardian_level") == "critical"
    assert "guardian_cell_high" in {each["alarm"] for each in alarms}
    assert notifications(hass)


async def test_cells_that_bear_less_heat_have_no_time_of_grace(packs: Packs) -> None:
    plant = await Plant.add(packs, celsius=54.0, chemistry="li_ion", thresholds={}, **BOARD)
    await plant.run(5)
    assert plant.pack.link.written == [CHARGE_OFF, DISCHARGE_OFF]


async def test_stopping_by_the_board(packs: Packs, hass: HomeAssistant) -> None:
    plant = await Plant.add(packs, celsius=HOT_C, **BOARD)
    await plant.run(5)
    assert plant.pack.link.written == [CHARGE_OFF]
    assert ("board_charge", "verified", False) in plant.results
    (notification,) = notifications(hass).values()
    assert notification["title"] == "Keller: look at it now"
    assert "- It is too hot: " in notification["message"]
    await plant.run(60)
    assert plant.pack.link.written == [CHARGE_OFF, DISCHARGE_OFF]
    changes = plant.pack.coordinator.changes.memory.changes
    assert [(change.key, change.by.kind) for change in changes] == [
        ("charge_switch", "home_assistant"),
        ("discharge_switch", "home_assistant"),
    ]


async def test_the_owner_is_told_before_anything_is_switched(packs: Packs, hass: HomeAssistant) -> None:
    contactor = Appliance(hass, "switch.contactor", STATE_ON)
    alarms = events(hass, "alarm")
    plant = await Plant.add(packs, celsius=BURNING_C, both_off_switch="switch.contactor", both_off=True)
    await plant.run(10)
    assert contactor.told == [True]
    assert "emergency" in {each["level"] for each in alarms}
    assert {*plant.pack.link.written} == {CHARGE_OFF, DISCHARGE_OFF}
    (notification,) = notifications(hass).values()
    assert notification["title"] == "Keller: EMERGENCY"
    assert "Leave the room" in notification["message"]


async def test_automations_are_told_before_anything_is_switched(packs: Packs, hass: HomeAssistant) -> None:
    charger = Appliance(hass, "switch.charger", STATE_ON)
    plant = await Plant.add(packs, celsius=HOT_C, stop_charge_switch="switch.charger")
    await plant.run(10)
    assert charger.told == [True]


async def test_without_permission_it_says_so(packs: Packs, hass: HomeAssistant) -> None:
    plant = await Plant.add(packs, celsius=HOT_C, permission="read_only", **BOARD)
    told = events(hass)
    await plant.run(5)
    assert plant.pack.link.written == []
    assert ("board_charge", "refused", False) in plant.results
    assert "refused" in {each["event_type"] for each in told}
    (notification,) = notifications(hass).values()
    assert "Stop charging, Board: charging, Keller may only be read" in notification["message"]


async def test_a_board_that_fails(packs: Packs, hass: HomeAssistant) -> None:
    plant = await Plant.add(packs, celsius=HOT_C, **BOARD)
    plant.pack.link.writing_fails_with = LinkProblem.NO_DATA
    await plant.run(30)
    assert plant.pack.link.written == []
    assert "action_failed" in {finding.cause for finding in plant.pack.coordinator.state.assessment.findings}
    plant.pack.link.writing_fails_with = None
    await plant.run(30)
    assert plant.pack.link.written == [CHARGE_OFF]


async def test_it_comes_back_by_itself_but_not_after_an_emergency(packs: Packs, hass: HomeAssistant) -> None:
    charger = Appliance(hass, "switch.charger", STATE_ON)
    plant = await Plant.add(packs, stop_charge_switch="switch.charger")
    await plant.run(10, cells_v=(3.62,) * 16)
    assert charger.calls == ["turn_off"]
    assert plant.value("guardian_level") == "critical"
    await plant.until(lambda: len(charger.calls) > 1, within_s=1200, every_s=5)
    assert charger.calls == ["turn_off", "turn_on"]
    (notification,) = notifications(hass).values()
    assert notification["title"] == "Keller: over, but not acknowledged"
    plant.pack.coordinator.guard.acknowledge()
    await plant.run(5)
    assert notifications(hass) == {}


@pytest.mark.parametrize("celsius", [WARM_C, HEATED_C, HOT_C, BURNING_C])
async def test_a_restart_repeats_nothing(packs: Packs, hass: HomeAssistant, celsius: float) -> None:
    fan, contactor = Appliance(hass, "fan.rack"), Appliance(hass, "switch.contactor", STATE_ON)
    plant = await Plant.add(packs, celsius=celsius, both_off_switch="switch.contactor", **FAN, **BOARD)
    await plant.run(90)
    written = plant.pack.link.written
    assert fan.calls == ["turn_on"]
    await plant.again()
    await plant.run(90)
    assert fan.calls == ["turn_on"]
    assert contactor.calls == (["turn_off"] if celsius == BURNING_C else [])
    assert plant.pack.link.written == []
    assert len(written) == (2 if celsius >= HOT_C else 0)
    plant.celsius = COOL_C
    await plant.run(7200, every_s=10)
    assert (STATE_ON in contactor.state) is (celsius != BURNING_C)
    assert plant.pack.link.written == (
        [("discharge_switch", True), ("charge_switch", True)] if celsius == HOT_C else []
    )


async def test_what_a_full_cell_switched_off_stays_off_over_a_restart_until_it_has_rested(packs: Packs) -> None:
    plant = await Plant.add(packs, **BOARD)
    await plant.run(10, cells_v=(3.62,) * 16)
    assert plant.pack.link.written == [("charge_switch", False)]
    await plant.run(5, cells_v=(3.56,) * 16)
    await plant.again()
    await plant.run(300, cells_v=(3.56,) * 16)
    assert (plant.value("guardian_level"), plant.pack.link.written) == ("critical", [])
    await plant.until(lambda: plant.pack.link.written == [("charge_switch", True)], within_s=300)


async def test_a_memory_that_is_damaged(packs: Packs, hass: HomeAssistant, hass_storage: dict[str, Any]) -> None:
    fan = Appliance(hass, "fan.rack")
    plant = await Plant.add(packs, celsius=WARM_C, **FAN)
    await plant.run(5)
    first = plant.pack.link.said.values()
    await hass.config_entries.async_unload(plant.pack.entry.entry_id)
    hass_storage[f"jk_bms.{plant.pack.entry.entry_id}.acting"]["data"] = ["what is this?"]
    await packs.set_up(plant.pack, *first)
    assert fan.state == STATE_ON


async def test_a_lost_link_holds_everything(packs: Packs, hass: HomeAssistant) -> None:
    fan = Appliance(hass, "fan.rack")
    plant = await Plant.add(packs, celsius=HEATED_C, spread_c=20, reduce_level=2, **FAN, **BOARD)
    assert plant.value("heat_current_limit") == STATE_UNKNOWN
    await plant.run(700, every_s=10)  # one spot is far warmer than the other
    assert plant.value("heat_current_limit") == "56.0"
    await plant.silence(3600, every_s=30)
    assert (fan.calls, plant.pack.link.written) == (["turn_on"], [])
    assert plant.value("heat_current_limit") == "56.0"
    assert plant.value("cooling", Platform.SWITCH) == STATE_ON


async def test_a_pause_is_made_up_for(packs: Packs, hass: HomeAssistant) -> None:
    """The board can't be switched, what is the owner's can."""
    charger = Appliance(hass, "switch.charger", STATE_ON)
    plant = await Plant.add(packs, celsius=HOT_C, stop_charge_switch="switch.charger", stop_discharge=True)
    await plant.run(3)
    assert charger.calls == ["turn_off"]
    await plant.pack.link.pause(600)
    await plant.silence(120, every_s=5)
    assert plant.pack.link.written == []
    plant.pack.link.resume()
    await plant.run(20)
    assert plant.pack.link.written == [DISCHARGE_OFF]


async def test_one_fan_for_two_packs(packs: Packs, hass: HomeAssistant) -> None:
    fan = Appliance(hass, "fan.rack")
    one = await Plant.add(packs, celsius=WARM_C, **FAN)
    other = await Plant.add(packs, address="C8:47:80:00:00:02", celsius=WARM_C, **FAN)
    third = await Plant.add(packs, address="C8:47:80:00:00:03", celsius=COOL_C, cooling_entity="fan.attic")
    for _ in range(5):
        for plant in (one, other, third):
            plant.pack.link.give(plant.frame())
        await one.silence(1)
    assert {*fan.calls} == {"turn_on"}
    await one.pack.coordinator.acting.async_stop_cooling()
    await one.settle()
    assert {*fan.calls} == {"turn_on"}, "the other needs it"
    await other.pack.coordinator.acting.async_stop_cooling()
    await one.settle()
    assert fan.calls[-1] == "turn_off"


async def test_one_contactor_for_two_packs_of_which_one_is_out_of_reach_since_a_restart(
    packs: Packs, hass: HomeAssistant
) -> None:
    """It is left alone for the one that needed it off and has not been heard, until its owner disables that."""
    contactor = Appliance(hass, "switch.contactor", STATE_ON)
    shared: dict[str, Any] = {"stop_charge": True, "stop_charge_switch": "switch.contactor"}
    lost = await Plant.add(packs, celsius=HOT_C, **shared)
    other = await Plant.add(packs, address="C8:47:80:00:00:02", celsius=HOT_C, **shared)
    for _ in range(90):
        lost.pack.link.give(lost.frame())
        await other.run(1)
    assert contactor.calls == ["turn_off"]
    entry = lost.pack.entry
    await hass.config_entries.async_unload(entry.entry_id)
    await packs.set_up(lost.pack, fails_with=LinkProblem.NO_DATA)
    assert entry.state is ConfigEntryState.SETUP_RETRY
    other.celsius = COOL_C
    await other.run(5400, every_s=20)
    assert contactor.calls == ["turn_off"]
    assert ("ended", "held_elsewhere") in [(record.result, record.detail) for record in other.records]
    await hass.config_entries.async_set_disabled_by(entry.entry_id, ConfigEntryDisabler.USER)
    contactor.set(STATE_ON)
    other.celsius = HOT_C
    await other.run(2400, every_s=20)
    other.celsius = COOL_C
    await other.run(5400, every_s=20)
    assert contactor.calls[-1] == "turn_on"


async def test_mode_changes_count_at_once(packs: Packs, hass: HomeAssistant) -> None:
    fan = Appliance(hass, "fan.rack")
    plant = await Plant.add(packs, celsius=WARM_C, guardian_mode="watch", **FAN)
    await plant.run(5)
    mode = plant.pack.get("guardian_mode", Platform.SELECT)
    assert mode.state == "watch"
    target = {"entity_id": mode.entity_id, "option": "act"}
    coordinator = plant.pack.coordinator
    await hass.services.async_call("select", "select_option", target, blocking=True)
    await plant.settle()
    assert fan.calls == ["turn_on"]
    assert plant.pack.entry.options["guardian_mode"] == "act"
    assert plant.pack.coordinator is coordinator, "no reload"
    await hass.services.async_call("select", "select_option", target | {"option": "dry_run"}, blocking=True)
    await plant.run(700, every_s=10)
    assert fan.calls == ["turn_on", "turn_off"], "what was started is ended when acting is left"


async def test_removal_forgets(packs: Packs, hass: HomeAssistant, hass_storage: dict[str, Any]) -> None:
    plant = await Plant.add(packs, celsius=HOT_C, **BOARD)
    await plant.run(5)
    await plant.silence(2)
    key = f"jk_bms.{plant.pack.entry.entry_id}.acting"
    assert key in hass_storage
    assert notifications(hass)
    await hass.config_entries.async_remove(plant.pack.entry.entry_id)
    await hass.async_block_till_done()
    assert key not in hass_storage
    assert notifications(hass) == {}


async def test_what_ends_late_changes_nothing_any_more(packs: Packs, hass: HomeAssistant) -> None:
    plant = await Plant.add(packs)
    await plant.run(1)
    acting, guard = plant.pack.coordinator.acting, plant.pack.coordinator.guard
    await hass.config_entries.async_unload(plant.pack.entry.entry_id)
    looked = acting.decision
    acting.look_again()
    guard.acknowledge()
    assert acting.decision is looked
    await acting.async_stop()


async def test_before_the_first_frame_nobody_is_told_anything(packs: Packs, hass: HomeAssistant) -> None:
    fan = Appliance(hass, "fan.rack")
    listening = asyncio.Event()

    async def start(link: FakeLink) -> None:
        listening.set()

    with patch.object(FakeLink, "start", start):
        setting_up = hass.async_create_task(packs.add(guardian_mode="act", **FAN))
        await listening.wait()  # what is stored is read in a thread, which takes its time
    for _ in range(START_TIMEOUT_S // 5):
        await asyncio.sleep(0)
        packs.tick(5)
        async_fire_time_changed(hass)
        fan.set(STATE_UNAVAILABLE)
        fan.set(STATE_OFF)
    pack = await setting_up
    assert pack.entry.state is ConfigEntryState.SETUP_RETRY
    assert (fan.calls, notifications(hass)) == ([], {})


async def test_before_its_settings_are_known_nobody_knows_who_switched_a_board_off(packs: Packs) -> None:
    off = telemetry_32s(charge_mosfet=False, current_a=0.0)
    pack = await packs.add(DEVICE_INFO_32S, off, guardian_mode="act", permission="switches", stop_charge=True)
    await pack.give(telemetry_32s((3.62,) * 16, charge_mosfet=False, current_a=0.0))
    assert pack.coordinator.state.settings is None
    assert pack.coordinator.acting.decision.held == frozenset()
    assert pack.link.written == []


async def test_frames_are_looked_at_once(packs: Packs) -> None:
    plant = await Plant.add(packs)
    acting = plant.pack.coordinator.acting
    with patch.object(acting, "look_again") as look_again:
        for _ in range(10):
            await plant.silence(1)
            await plant.run(1)
    look_again.assert_not_called()


async def test_the_notification_speaks_german(packs: Packs, hass: HomeAssistant) -> None:
    hass.config.language = "de"
    plant = await Plant.add(packs, celsius=COOL_C)
    await plant.run(3, cells_v=(3.3,) * 5 + (3.62,) + (3.3,) * 10)
    (notification,) = notifications(hass).values()
    assert notification["title"] == "Keller: bitte jetzt ansehen"
    assert "- Eine Zellspannung ist zu hoch: Zelle 6" in notification["message"]
    before = notification["created_at"]
    await plant.run(30, cells_v=(3.3,) * 5 + (3.63,) + (3.3,) * 10)
    (notification,) = notifications(hass).values()
    assert notification["created_at"] == before, "not told anew for every reading"
