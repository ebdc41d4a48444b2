"""What the owner orders: cooling, an emergency stop, acknowledging, resetting, and a trial of everything."""

from __future__ import annotations

from typing import Any, cast

import pytest
from homeassistant.const import ATTR_DEVICE_ID, ATTR_ENTITY_ID, STATE_OFF, STATE_ON, STATE_UNAVAILABLE, Platform
from homeassistant.core import Context, HomeAssistant
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError, Unauthorized
from homeassistant.util.json import JsonObjectType
from probatio import Invalid
from pytest_homeassistant_custom_component.common import MockUser

from custom_components.jk_bms.const import DOMAIN

from .acting_home import NEVER, Appliance, Plant, notifications
from .packs import Packs
from .test_acting import BURNING_C, CHARGE_OFF, DISCHARGE_OFF, HOT_C, WARM_C

COOLING: dict[str, Any] = {"cooling_entity": "fan.rack", "guardian_mode": "off"}
SWITCHES: dict[str, Any] = {
    "stop_charge_switch": "input_boolean.charger",
    "stop_discharge_switch": "input_boolean.inverter",
    "both_off_switch": "input_boolean.contactor",
}


async def call(plant: Plant, service: str, *, context: Context | None = None, **data: Any) -> JsonObjectType:
    """Call an action; return its answer for the pack."""
    device = plant.pack.coordinator.device
    assert device
    target = {ATTR_DEVICE_ID: device.id}
    answer = await plant.hass.services.async_call(
        DOMAIN, service, target | data, blocking=True, return_response=True, context=context
    )
    assert answer
    (one,) = cast("list[JsonObjectType]", answer["packs"])
    return one


async def turn(plant: Plant, service: str) -> None:
    """Use the switch for cooling."""
    target = {ATTR_ENTITY_ID: plant.pack.entity_id(Platform.SWITCH, "cooling")}
    await plant.hass.services.async_call("switch", service, target, blocking=True)


async def press(plant: Plant) -> None:
    """Press the button for the emergency stop."""
    target = {ATTR_ENTITY_ID: plant.pack.entity_id(Platform.BUTTON, "emergency_stop")}
    await plant.hass.services.async_call("button", "press", target, blocking=True)


@pytest.fixture
async def fan(hass: HomeAssistant) -> Appliance:
    return Appliance(hass, "fan.rack")


@pytest.fixture
async def switches(hass: HomeAssistant) -> list[Appliance]:
    """What switches charge, discharge and both."""
    return [Appliance(hass, entity_id, STATE_ON) for entity_id in SWITCHES.values()]


async def test_cooling_for_a_while(packs: Packs, fan: Appliance) -> None:
    plant = await Plant.add(packs, **COOLING)
    half_an_hour: dict[str, Any] = {"for": {"minutes": 30}}
    answer = await call(plant, "trigger_cooling", **half_an_hour)
    assert answer["cooling"] is True
    ends = plant.pack.get("cooling", Platform.SWITCH).attributes["until"]
    assert answer["until"] == ends.isoformat()
    await plant.run(1790, every_s=10)
    assert fan.calls == ["turn_on"]
    await plant.run(30, every_s=10)
    assert fan.calls == ["turn_on", "turn_off"]
    assert plant.pack.get("cooling", Platform.SWITCH).attributes["until"] is None


async def test_cooling_down_to_a_temperature(packs: Packs, fan: Appliance) -> None:
    plant = await Plant.add(packs, celsius=35, **COOLING)
    await plant.run(5)
    await call(plant, "trigger_cooling", until_temperature=30)
    plant.celsius = 25
    await plant.run(240, every_s=5)
    assert fan.calls == ["turn_on"]
    await plant.run(120, every_s=5)
    assert fan.calls == ["turn_on", "turn_off"]


async def test_cooling_for_its_least_time_and_no_more(packs: Packs, fan: Appliance) -> None:
    plant = await Plant.add(packs, cooling_minutes=5, **COOLING)
    await call(plant, "trigger_cooling")
    await plant.run(330, every_s=10)
    assert fan.calls == ["turn_on", "turn_off"]
    await call(plant, "trigger_cooling")
    assert (await call(plant, "trigger_cooling", stop=True)) == {
        "device_id": plant.pack.coordinator.device and plant.pack.coordinator.device.id,
        "pack": "Keller",
        "cooling": False,
        "until": None,
    }


async def test_cooling_by_the_switch(packs: Packs, fan: Appliance) -> None:
    plant = await Plant.add(packs, **COOLING)
    assert plant.value("cooling", Platform.SWITCH) == STATE_OFF
    await turn(plant, "turn_on")
    await plant.settle()
    cooling = plant.pack.get("cooling", Platform.SWITCH)
    assert (cooling.state, cooling.attributes["by_hand"]) == (STATE_ON, True)
    await turn(plant, "turn_off")
    await plant.settle()
    assert fan.calls == ["turn_on", "turn_off"]
    assert plant.value("cooling", Platform.SWITCH) == STATE_OFF
    fan.fails_with = HomeAssistantError("stuck")
    with pytest.raises(HomeAssistantError, match=r"Keller: not everything could be switched. stuck"):
        await turn(plant, "turn_on")
    fan.fails_with = None
    await plant.run(15)
    assert fan.state == STATE_ON
    fan.fails_with = HomeAssistantError("stuck")
    with pytest.raises(HomeAssistantError, match="stuck"):
        await turn(plant, "turn_off")


async def test_nothing_to_cool_with(packs: Packs) -> None:
    plant = await Plant.add(packs)
    assert plant.pack.entity_id(Platform.SWITCH, "cooling") is None
    with pytest.raises(ServiceValidationError, match="has nothing to cool with"):
        await call(plant, "trigger_cooling")
    with pytest.raises(Invalid):
        await call(plant, "trigger_cooling", until_temperature=90)


async def test_emergency_stop_needs_the_confirmation_and_an_administrator(packs: Packs, hass: HomeAssistant) -> None:
    plant = await Plant.add(packs)
    with pytest.raises(ServiceValidationError, match="Repeat the action with the confirmation"):
        await call(plant, "emergency_stop")
    user = MockUser().add_to_hass(hass)
    with pytest.raises(Unauthorized):
        await call(plant, "emergency_stop", context=Context(user_id=user.id), confirm=True)
    assert plant.pack.link.written == []


@pytest.mark.parametrize(
    ("current", "stopped", "written"),
    [
        ("charge", ["board_charge", "switch_charge"], [CHARGE_OFF]),
        ("discharge", ["board_discharge", "switch_discharge"], [DISCHARGE_OFF]),
        (
            "both",
            ["board_charge", "board_discharge", "switch_charge", "switch_discharge", "switch_both"],
            [CHARGE_OFF, DISCHARGE_OFF],
        ),
    ],
)
async def test_emergency_stop(
    packs: Packs, switches: list[Appliance], current: str, stopped: list[str], written: list[tuple[str, bool]]
) -> None:
    plant = await Plant.add(packs, guardian_mode="off", **SWITCHES)
    await plant.run(2)
    answer = await call(plant, "emergency_stop", current=current, confirm=True)
    targets = cast("list[dict[str, Any]]", answer["targets"])
    assert [each["target"] for each in targets] == stopped
    assert {each["result"] for each in targets} == {"off"}
    assert targets[0]["entity_id"] is None
    assert targets[1]["entity_id"] == (None if current == "both" else switches[current == "discharge"].entity_id)
    assert plant.pack.link.written == written
    off = [each.entity_id for each in switches if each.state == STATE_OFF]
    assert len(off) == len(stopped) - len(written)
    await plant.run(7200, every_s=20)
    assert off == [each.entity_id for each in switches if each.state == STATE_OFF], "it does not come back by itself"


async def test_emergency_stop_says_what_is_not_off(packs: Packs, switches: list[Appliance]) -> None:
    plant = await Plant.add(packs, permission="read_only", **SWITCHES)
    await plant.run(2)
    switches[2].fails_with = HomeAssistantError("welded")
    answer = await call(plant, "emergency_stop", confirm=True)
    results = {each["target"]: each for each in cast("list[dict[str, Any]]", answer["targets"])}
    assert {target: each["result"] for target, each in results.items()} == {
        "board_charge": "failed",
        "board_discharge": "failed",
        "switch_charge": "off",
        "switch_discharge": "off",
        "switch_both": "failed",
    }
    assert "may only be read" in results["board_charge"]["reason"]
    assert results["switch_both"]["reason"] == "welded"


async def test_emergency_stop_that_nothing_comes_of(
    packs: Packs, hass: HomeAssistant, switches: list[Appliance]
) -> None:
    plant = await Plant.add(packs, **SWITCHES)
    await plant.run(2)
    charger, _, contactor = switches
    charger.obeys = False
    contactor.fails_with = HomeAssistantError("welded")
    for _ in range(2):
        task = hass.async_create_task(call(plant, "emergency_stop", confirm=True))
        while not task.done():
            await plant.run(1)
        results = {each["target"]: each for each in cast("list[dict[str, Any]]", task.result()["targets"])}
        assert {target: each["result"] for target, each in results.items()} == {
            "board_charge": "off",
            "board_discharge": "off",
            "switch_charge": "failed",
            "switch_discharge": "off",
            "switch_both": "failed",
        }
        assert results["switch_charge"]["reason"] == "input_boolean.charger didn't answer in time"
        assert results["switch_both"]["reason"] == "welded", "also while it isn't tried again yet"


async def test_an_order_without_anything_to_do_is_kept(
    packs: Packs, hass: HomeAssistant, hass_storage: dict[str, Any]
) -> None:
    plant = await Plant.add(packs)
    await plant.run(2, charge_mosfet=False, discharge_mosfet=False, current_a=0.0)
    await call(plant, "emergency_stop", confirm=True)
    assert plant.pack.link.written == []
    await plant.silence(3)
    key = f"{DOMAIN}.{plant.pack.entry.entry_id}.acting"
    assert hass_storage[key]["data"]["actor"]["ordered"] == ["charge", "discharge"]
    await call(plant, "reset_emergency")
    await plant.silence(3)
    assert hass_storage[key]["data"]["actor"]["ordered"] == []


async def test_emergency_stop_that_stops_nothing(packs: Packs, hass: HomeAssistant) -> None:
    plant = await Plant.add(packs, permission="read_only")
    assert plant.pack.entity_id(Platform.BUTTON, "emergency_stop") is None
    with pytest.raises(HomeAssistantError, match="Keller may only be read"):
        await call(plant, "emergency_stop", confirm=True)
    await plant.pack.link.pause(600)
    with pytest.raises(HomeAssistantError, match="out of reach or paused"):
        await call(plant, "emergency_stop", confirm=True)


async def test_emergency_stop_by_the_button(packs: Packs, switches: list[Appliance]) -> None:
    plant = await Plant.add(packs, permission="read_only", both_off_switch="input_boolean.contactor")
    await plant.run(2)
    with pytest.raises(HomeAssistantError, match="may only be read"):
        await press(plant)
    assert switches[2].state == STATE_OFF, "what could be done is done"
    other = await Plant.add(packs, address="C8:47:80:00:00:02")
    await other.run(2)
    await press(other)
    assert other.pack.link.written == [CHARGE_OFF, DISCHARGE_OFF]
    await other.run(2)
    assert other.value("last_action") == "both_off"


async def test_reset_after_an_emergency_stop(packs: Packs, switches: list[Appliance]) -> None:
    plant = await Plant.add(packs, both_off_switch="input_boolean.contactor")
    await plant.run(2)
    with pytest.raises(ServiceValidationError, match="no emergency of Keller"):
        await call(plant, "reset_emergency")
    await call(plant, "emergency_stop", confirm=True)
    await plant.run(15)
    switches[2].set(STATE_ON)
    await plant.run(2)
    assert switches[2].state == STATE_OFF, "it stands until it is reset"
    assert (await call(plant, "reset_emergency"))["level"] == "ok"
    assert switches[2].state == STATE_OFF
    switches[2].set(STATE_ON)
    await plant.run(120)
    assert switches[2].state == STATE_ON


async def test_reset_after_an_emergency(packs: Packs, hass: HomeAssistant) -> None:
    plant = await Plant.add(packs, celsius=BURNING_C, both_off=True)
    await plant.run(10)
    assert plant.value("guardian_level") == "emergency"
    with pytest.raises(ServiceValidationError, match=r"below 45 °C for an hour .* The hottest reads 67"):
        await call(plant, "reset_emergency")
    plant.celsius = 30
    await plant.run(4500, every_s=10)
    with pytest.raises(ServiceValidationError, match=r"The hottest reads 30"):
        await call(plant, "reset_emergency")
    await plant.run(1200, every_s=10)
    packs.tick(1)
    assert (await call(plant, "reset_emergency"))["level"] == "critical"
    await plant.run(60)
    assert plant.pack.link.written == [CHARGE_OFF, DISCHARGE_OFF], "nothing is switched on by that"


async def test_acknowledge(packs: Packs, hass: HomeAssistant) -> None:
    plant = await Plant.add(packs)
    await plant.run(5, cells_v=(3.62,) * 16)
    answer = await call(plant, "acknowledge_alarm")
    assert "cell_high" in cast("list[str]", answer["acknowledged"])
    await plant.run(600, every_s=5)
    assert (await call(plant, "acknowledge_alarm"))["acknowledged"] == []
    assert notifications(hass) == {}


async def tried(plant: Plant) -> dict[str, dict[str, Any]]:
    """Try everything while frames come; return what came of it, by target."""
    device = plant.pack.coordinator.device
    assert device
    task = plant.hass.async_create_task(call(plant, "test_actions", confirm=True))
    while not task.done():
        await plant.run(1)
    answer = task.result()
    return {each["target"]: each for each in cast("list[dict[str, Any]]", answer["tried"])}


async def test_a_trial(packs: Packs, fan: Appliance, switches: list[Appliance]) -> None:
    plant = await Plant.add(packs, stop_charge=True, both_off=True, **{**COOLING, **SWITCHES, "guardian_mode": "act"})
    await plant.run(2)
    results = await tried(plant)
    assert {target: each["result"] for target, each in results.items()} == dict.fromkeys(
        ("cooling", "board_charge", "switch_charge", "switch_discharge", "board_discharge", "switch_both"), "answered"
    )
    assert results["board_charge"]["actions"] == ["stop_charge", "both_off"]
    assert results["cooling"]["entity_id"] == "fan.rack"
    assert results["cooling"]["seconds"] == pytest.approx(0, abs=1)
    assert fan.calls == ["turn_on", "turn_off"]
    assert [each.calls for each in switches] == [["turn_off", "turn_on"]] * 3
    assert [key for key, _ in plant.pack.link.written] == ["charge_switch"] * 2 + ["discharge_switch"] * 2
    await plant.run(120)
    assert fan.calls == ["turn_on", "turn_off"]
    assert plant.records == [], "a trial is no matter of the policy"


async def test_a_trial_of_what_does_not_work(packs: Packs, fan: Appliance, switches: list[Appliance]) -> None:
    charger, inverter, contactor = switches
    plant = await Plant.add(packs, permission="read_only", stop_charge=True, **COOLING, **SWITCHES)
    await plant.run(2)
    fan.obeys = False
    charger.set(STATE_OFF)
    inverter.set(STATE_UNAVAILABLE)
    contactor.fails_with = HomeAssistantError("welded")
    results = await tried(plant)
    assert {target: each["result"] for target, each in results.items()} == {
        "cooling": "silent",
        "board_charge": "failed",
        "switch_charge": "left_alone",
        "switch_discharge": "not_there",
        "switch_both": "failed",
    }
    assert "may only be read" in results["board_charge"]["reason"]
    assert results["switch_both"]["reason"] == "welded"
    assert results["cooling"]["seconds"] is None


@pytest.mark.parametrize("error", [None, HomeAssistantError("welded")])
async def test_a_trial_that_can_not_be_undone(packs: Packs, fan: Appliance, error: Exception | None) -> None:
    plant = await Plant.add(packs, **COOLING)
    fan.sticks_after, fan.fails_with = 1, error
    result = (await tried(plant))["cooling"]
    assert (result["result"], result["reason"]) == ("not_put_back", "welded" if error else None)


async def test_a_trial_ends_when_it_becomes_earnest(packs: Packs, fan: Appliance, switches: list[Appliance]) -> None:
    plant = await Plant.add(packs, **{**COOLING, "guardian_mode": "act", "stop_charge_switch": switches[0].entity_id})
    await plant.run(5)
    fan.obeys = False
    task = plant.hass.async_create_task(call(plant, "test_actions", confirm=True))
    await plant.run(3)
    await plant.run(12, cells_v=(3.62,) * 16)
    assert switches[0].calls == ["turn_off"]
    while not task.done():
        await plant.run(1, cells_v=(3.62,) * 16)
    results = {each["target"]: each["result"] for each in cast("list[dict[str, Any]]", task.result()["tried"])}
    assert results == {"cooling": "interrupted", "switch_charge": "left_alone"}
    assert fan.calls == ["turn_on"]


async def test_what_is_tried_is_taken_over_in_earnest(packs: Packs, switches: list[Appliance]) -> None:
    """It was on before the trial, so it is switched on again when the danger is over."""
    charger = switches[0]
    plant = await Plant.add(packs, stop_charge_switch=charger.entity_id)
    await plant.run(5)
    charger.sticks_after = 1
    task = plant.hass.async_create_task(call(plant, "test_actions", confirm=True))
    await plant.run(3)
    assert charger.calls == ["turn_off", "turn_on"]
    assert charger.state == STATE_OFF
    charger.sticks_after = NEVER
    await plant.run(20, cells_v=(3.62,) * 16)
    assert charger.calls == ["turn_off", "turn_on", "turn_off"]
    assert task.done()
    await plant.until(lambda: charger.state == STATE_ON, within_s=1200, every_s=5)


async def test_when_nothing_is_tried(packs: Packs, fan: Appliance) -> None:
    plant = await Plant.add(packs)
    with pytest.raises(ServiceValidationError, match="Nothing that could be tried out"):
        await call(plant, "test_actions", confirm=True)
    other = await Plant.add(packs, address="C8:47:80:00:00:02", celsius=WARM_C, **{**COOLING, "guardian_mode": "act"})
    with pytest.raises(ServiceValidationError, match="Repeat the action with the confirmation"):
        await call(other, "test_actions")
    await other.run(5)
    with pytest.raises(ServiceValidationError, match="isn't calm"):
        await call(other, "test_actions", confirm=True)
    hot = await Plant.add(packs, address="C8:47:80:00:00:03", celsius=HOT_C, **COOLING)
    await hot.run(5)
    with pytest.raises(ServiceValidationError, match="isn't calm"):
        await call(hot, "test_actions", confirm=True)
    assert fan.calls == ["turn_on"]
