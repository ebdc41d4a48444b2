"""What the owner orders: cooling, an emergency stop, acknowledging, resetting, and a trial of everything."""

from __future__ import annotations

import asyncio
from copy import deepcopy
from dataclasses import replace
from typing import Any, cast
from unittest.mock import patch

import pytest
from homeassistant.const import ATTR_DEVICE_ID, ATTR_ENTITY_ID, STATE_OFF, STATE_ON, STATE_UNAVAILABLE, Platform
from homeassistant.core import Context, HomeAssistant
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError, Unauthorized
from homeassistant.util.json import JsonObjectType
from probatio import Invalid
from pytest_homeassistant_custom_component.common import MockUser

from custom_components.jk_bms.acting import Acting
from custom_components.jk_bms.battery.acting.interface import Mode, Target
from custom_components.jk_bms.bms.link import LinkProblem
from custom_components.jk_bms.const import DOMAIN

from .acting_home import NEVER, Appliance, Plant, notifications, plug_in
from .pack_values import DEVICE_INFO_32S
from .packs import PACK_JK04, Pack, Packs
from .test_acting import BURNING_C, CHARGE_OFF, DISCHARGE_OFF, HOT_C, WARM_C

CHARGE_ON = ("charge_switch", True)
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
    if service == "emergency_stop":
        plant.answer_at_once()
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
    plant.answer_at_once()
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


async def test_cooling_too_often(packs: Packs, fan: Appliance) -> None:
    plant = await Plant.add(packs, **COOLING)
    for _ in range(6):
        await call(plant, "trigger_cooling")
        await plant.run(2)
        await call(plant, "trigger_cooling", stop=True)
        await plant.run(2)
    with pytest.raises(HomeAssistantError, match=r"fan\.rack has been started six times within an hour"):
        await call(plant, "trigger_cooling")
    assert fan.calls.count("turn_on") == 6
    fan.set(STATE_ON)
    assert (await call(plant, "trigger_cooling"))["cooling"] is True, "somebody else has started it"


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
        "board_charge": "not_possible",
        "board_discharge": "not_possible",
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


async def test_emergency_stop_of_a_board_whose_mosfet_does_not_open(packs: Packs, hass: HomeAssistant) -> None:
    plant = await Plant.add(packs)
    await plant.run(2)
    plant.welded = True
    task = hass.async_create_task(call(plant, "emergency_stop", confirm=True))
    while not task.done():
        await plant.run(1)
    charge, discharge = cast("list[dict[str, Any]]", task.result()["targets"])
    assert plant.pack.link.written[:2] == [CHARGE_OFF, DISCHARGE_OFF]
    assert (charge["result"], discharge["result"]) == ("failed", "off")
    assert charge["reason"] == "The board of Keller took the order, but has not been seen to switch the current off"


async def test_an_order_without_anything_to_do_is_kept(
    packs: Packs, hass: HomeAssistant, hass_storage: dict[str, Any]
) -> None:
    plant = await Plant.add(packs)
    plant.pack.link.give(replace(plant.settings, charge_switch=False, discharge_switch=False))
    await plant.run(2)
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
    await plant.run(60)
    assert failed_actions(plant.pack) == {"board_charge", "board_discharge"}
    await plant.pack.link.pause(600)
    with pytest.raises(HomeAssistantError, match="Keller may only be read"):
        await call(plant, "emergency_stop", confirm=True)
    other = await Plant.add(packs, address="C8:47:80:00:00:02")
    await other.pack.link.pause(600)
    with pytest.raises(HomeAssistantError, match="out of reach or paused"):
        await call(other, "emergency_stop", confirm=True)


def failed_actions(pack: Pack) -> set[str]:
    """Return what is said to have failed."""
    return {
        each.placeholders["target"]
        for each in pack.coordinator.state.assessment.findings
        if each.cause == "action_failed"
    }


@pytest.mark.parametrize("lost", [False, True], ids=["heard", "link lost"])
async def test_a_contactor_stands_in_for_a_board_that_may_not_be_switched(
    packs: Packs, hass: HomeAssistant, switches: list[Appliance], lost: bool
) -> None:
    contactor = switches[2]
    plant = await Plant.add(packs, permission="read_only", both_off_switch=contactor.entity_id)
    await plant.run(2)
    if lost:
        await plant.pack.link.pause(7200)
    answer = await call(plant, "emergency_stop", confirm=True)
    results = {each["target"]: each for each in cast("list[dict[str, Any]]", answer["targets"])}
    assert {target: each["result"] for target, each in results.items()} == {
        "board_charge": "not_possible",
        "board_discharge": "not_possible",
        "switch_both": "off",
    }
    assert "may only be read" in results["board_charge"]["reason"]
    for _ in range(60):
        await (plant.silence(2) if lost else plant.run(2, current_a=0.0))
        assert failed_actions(plant.pack) == set()
    (notification,) = notifications(hass).values()
    assert notification["title"] == "Keller: off until you reset it"


async def test_a_contactor_that_does_not_end_the_current_stands_in_for_nothing(
    packs: Packs, switches: list[Appliance]
) -> None:
    contactor = switches[2]
    plant = await Plant.add(packs, permission="read_only", both_off_switch=contactor.entity_id)
    await plant.run(2)
    await call(plant, "emergency_stop", confirm=True)
    for current_a, current in ((20.0, "charge"), (-20.0, "discharge")):
        await plant.run(60, current_a=current_a)
        assert failed_actions(plant.pack) == {f"board_{current}"}
    await plant.run(2, current_a=0.0)
    assert failed_actions(plant.pack) == set()
    contactor.obeys = False
    contactor.set(STATE_ON)
    await plant.run(60, current_a=0.0)
    assert failed_actions(plant.pack) == {"board_charge", "board_discharge", "switch_both"}
    plant.pack.coordinator.acting.reset()
    assert failed_actions(plant.pack) == set()


async def test_who_chose_the_board_is_told_that_it_may_not_be_switched(packs: Packs, switches: list[Appliance]) -> None:
    options: dict[str, Any] = {"both_off": True, "both_off_switch": switches[2].entity_id}
    plant = await Plant.add(packs, permission="read_only", **options)
    await plant.run(2)
    await call(plant, "emergency_stop", confirm=True)
    await plant.run(60, current_a=0.0)
    assert failed_actions(plant.pack) == {"board_charge", "board_discharge"}


async def test_a_board_without_switches(packs: Packs, hass: HomeAssistant, switches: list[Appliance]) -> None:
    options: dict[str, Any] = {"both_off_switch": switches[2].entity_id, "permission": "switches"}
    pack = await packs.add(*PACK_JK04, **options)
    plug_in(hass)
    acting = pack.coordinator.acting
    done = await acting.async_emergency_stop(charge=True, discharge=True)
    assert {target: result for target, (result, _) in done.items()} == {
        "board_charge": "not_possible",
        "board_discharge": "not_possible",
        "switch_both": "off",
    }
    assert "doesn't have" in (done[Target.BOARD_CHARGE][1] or "")
    for _ in range(10):
        await packs.advance(5)
    assert failed_actions(pack) == set()
    switches[2].set(STATE_UNAVAILABLE)
    await packs.advance(20)
    assert failed_actions(pack) == {"board_charge", "board_discharge", "switch_both"}


async def test_emergency_stop_by_the_button(packs: Packs, switches: list[Appliance]) -> None:
    plant = await Plant.add(packs, permission="read_only", both_off_switch="input_boolean.contactor")
    await plant.run(2)
    await press(plant)
    assert switches[2].state == STATE_OFF
    third = await Plant.add(
        packs, address="C8:47:80:00:00:03", permission="read_only", stop_charge_switch="input_boolean.charger"
    )
    await third.run(2)
    with pytest.raises(HomeAssistantError, match="may only be read"):
        await press(third)
    assert switches[0].state == STATE_OFF, "what could be done is done"
    other = await Plant.add(packs, address="C8:47:80:00:00:02")
    await other.run(2)
    await press(other)
    assert other.pack.link.written == [CHARGE_OFF, DISCHARGE_OFF]
    await other.run(2)
    assert other.value("last_action") == "both_off"


@pytest.mark.parametrize(
    ("platform", "slow", "urgent", "written"),
    [
        (Platform.BUTTON, ("press", "read_again"), ("press", "emergency_stop"), [CHARGE_OFF, DISCHARGE_OFF]),
        (Platform.SWITCH, ("turn_on", "pause"), ("turn_off", "charge_switch"), [CHARGE_OFF]),
    ],
)
async def test_what_is_urgent_waits_for_nothing(
    packs: Packs,
    hass: HomeAssistant,
    platform: Platform,
    slow: tuple[str, str],
    urgent: tuple[str, str],
    written: list[tuple[str, bool]],
) -> None:
    """Neither a button nor a switch of the same pack that takes its time."""
    plant = await Plant.add(packs)
    await plant.run(2)
    released = asyncio.Event()

    async def hang(*_: object) -> None:
        await released.wait()

    async def use(service: str, key: str) -> None:
        target = {ATTR_ENTITY_ID: plant.pack.entity_id(platform, key)}
        await hass.services.async_call(platform, service, target, blocking=True)

    link = plant.pack.link
    with patch.object(link, "refresh", hang), patch.object(link, "pause", hang):
        tasks = [hass.async_create_task(use(*slow)), hass.async_create_task(use(*urgent))]
        await plant.settle()
        ordered = list(link.written)
        released.set()
        await plant.run(2)
        await asyncio.gather(*tasks)
    assert ordered == written


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
    assert (await call(plant, "reset_emergency"))["level"] == "ok"
    await plant.run(60)
    assert plant.pack.link.written == [CHARGE_OFF, DISCHARGE_OFF], "nothing is switched on by that"
    (notification,) = notifications(hass).values()
    assert notification["title"] == "Keller: over, but not acknowledged"
    for key in ("charge_switch", "discharge_switch"):
        await plant.pack.coordinator.changes.async_apply({key: True})
    await plant.run(4000, every_s=10)
    on = [(key, True) for key, _ in (CHARGE_OFF, DISCHARGE_OFF)]
    assert plant.pack.link.written[2:] == on, "what the owner switches on then stays on"


async def test_an_emergency_whose_probes_have_died_ends_when_somebody_has_looked(packs: Packs) -> None:
    plant = await Plant.add(packs, celsius=BURNING_C)
    await plant.run(10)
    dead: dict[str, Any] = {"temperature_1_c": None, "temperature_2_c": None, "mos_temperature_c": 25.0}
    for _ in range(2):
        await plant.run(3000, every_s=10, **dead)
        with pytest.raises(ServiceValidationError, match="The hottest reads -"):
            await call(plant, "reset_emergency")
    assert (await call(plant, "reset_emergency", confirm=True))["level"] == "critical", "it was too hot to charge"
    await plant.run(60, **dead)
    assert "heat" not in {each["key"] for each in plant.pack.get("guardian_level").attributes["causes"]}
    with pytest.raises(ServiceValidationError, match="no emergency of Keller"):
        await call(plant, "reset_emergency", confirm=True)


async def test_the_limit_of_a_reset_is_that_of_the_cells(packs: Packs) -> None:
    plant = await Plant.add(packs, celsius=62, chemistry="li_ion", thresholds={})
    await plant.run(10)
    with pytest.raises(ServiceValidationError, match=r"below 40 °C for an hour"):
        await call(plant, "reset_emergency")


async def test_acknowledge(packs: Packs, hass: HomeAssistant) -> None:
    plant = await Plant.add(packs)
    await plant.run(5, cells_v=(3.62,) * 16)
    answer = await call(plant, "acknowledge_alarm")
    assert "cell_high" in cast("list[str]", answer["acknowledged"])
    await plant.run(600, every_s=5)
    assert (await call(plant, "acknowledge_alarm"))["acknowledged"] == []
    assert notifications(hass) == {}


def begin_trial(plant: Plant) -> asyncio.Task[dict[str, dict[str, Any]]]:
    """Begin to try everything; what comes of it is told by target."""

    async def try_all() -> dict[str, dict[str, Any]]:
        answer = await call(plant, "test_actions", confirm=True)
        return {each["target"]: each for each in cast("list[dict[str, Any]]", answer["tried"])}

    return plant.hass.async_create_task(try_all())


async def tried(plant: Plant) -> dict[str, dict[str, Any]]:
    """Try everything while frames come."""
    trial = begin_trial(plant)
    while not trial.done():
        await plant.run(1)
    return trial.result()


def remembered(plant: Plant, storage: dict[str, Any]) -> dict[str, bool]:
    """Return what is written down of a trial."""
    found = storage[f"{DOMAIN}.{plant.pack.entry.entry_id}.acting"]["data"]["tried"]
    assert isinstance(found, dict)
    return dict(found)


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


async def test_packs_are_tried_one_after_the_other(packs: Packs, hass: HomeAssistant, fan: Appliance) -> None:
    """Never are all switched off in the same moment, and the fan that they share is tried by one at a time."""
    cellar = await Plant.add(packs, stop_discharge=True, **COOLING)
    garage = await Plant.add(packs, address="C8:47:80:00:00:02", stop_discharge=True, **COOLING)
    plants = [cellar, garage]
    for plant in plants:
        await plant.run(2)
    devices = [plant.pack.coordinator.device for plant in plants]
    target = {ATTR_DEVICE_ID: [device.id for device in devices if device]}
    task = hass.async_create_task(
        hass.services.async_call(
            DOMAIN, "test_actions", {**target, "confirm": True}, blocking=True, return_response=True
        )
    )
    fan.obeys = False
    while not task.done():
        for plant in plants:
            await plant.run(1)
            assert any(plant.settings.discharge_switch for plant in plants)
        if fan.calls:
            fan.set(STATE_ON if fan.calls[-1] == "turn_on" else STATE_OFF)  # it takes its time
    packs_tried = cast("list[dict[str, Any]]", (task.result() or {})["packs"])
    results = [[each["result"] for each in tried["tried"]] for tried in packs_tried]
    assert results == [["answered", "answered"]] * 2
    assert fan.calls == ["turn_on", "turn_off"] * 2


async def test_the_next_pack_waits_for_a_trial_that_nobody_waits_for(packs: Packs, hass: HomeAssistant) -> None:
    cellar = await Plant.add(packs, stop_discharge=True)
    garage = await Plant.add(packs, address="C8:47:80:00:00:02", stop_discharge=True)
    for plant in (cellar, garage):
        await plant.run(2)
    given_up = hass.async_create_task(cellar.pack.coordinator.trials.async_try())
    while cellar.settings.discharge_switch:
        await cellar.run(1)
    given_up.cancel()
    next_one = hass.async_create_task(garage.pack.coordinator.trials.async_try())
    await garage.run(3)
    assert (given_up.cancelled(), garage.pack.link.written) == (True, [])
    while not next_one.done():
        for plant in (cellar, garage):
            await plant.run(1)
            assert any(plant.settings.discharge_switch for plant in (cellar, garage))
    assert [trial.outcome for trial in next_one.result() or ()] == ["answered"]
    assert [key for key, _ in cellar.pack.link.written] == ["discharge_switch"] * 2


async def test_a_pack_that_is_unloaded_while_others_are_tried_is_not_tried(packs: Packs, hass: HomeAssistant) -> None:
    cellar = await Plant.add(packs, stop_discharge=True)
    garage = await Plant.add(packs, address="C8:47:80:00:00:02", stop_discharge=True)
    for plant in (cellar, garage):
        await plant.run(2)
    first, second = [hass.async_create_task(each.pack.coordinator.trials.async_try()) for each in (cellar, garage)]
    link = garage.pack.link
    await garage.settle()
    await hass.config_entries.async_unload(garage.pack.entry.entry_id)
    while not (first.done() and second.done()):
        await cellar.run(1)
    assert second.result() is None
    assert link.written == []


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


@pytest.mark.parametrize("error", [None, HomeAssistantError("welded"), KeyError("welded")])
async def test_a_trial_that_can_not_be_undone(packs: Packs, fan: Appliance, error: Exception | None) -> None:
    plant = await Plant.add(packs, **COOLING)
    fan.sticks_after, fan.fails_with = 1, error
    result = (await tried(plant))["cooling"]
    assert (result["result"], result["reason"]) == ("not_put_back", str(error) if error else None)


async def test_a_trial_ends_when_it_becomes_earnest(packs: Packs, fan: Appliance, switches: list[Appliance]) -> None:
    plant = await Plant.add(packs, **{**COOLING, "guardian_mode": "act", "stop_charge_switch": switches[0].entity_id})
    await plant.run(5)
    fan.obeys = False
    trial = begin_trial(plant)
    await plant.run(3)
    await plant.run(8, cells_v=(3.62,) * 16)
    assert switches[0].calls == ["turn_off"]
    fan.obeys = True
    fan.set(STATE_ON)
    await plant.settle()
    results = {target: each["result"] for target, each in (await trial).items()}
    assert results == {"cooling": "interrupted", "switch_charge": "interrupted"}
    await plant.run(60, cells_v=(3.62,) * 16)
    assert fan.calls == ["turn_on"]
    await plant.until(lambda: fan.state == STATE_OFF, within_s=1200, every_s=5)
    assert (fan.calls, switches[0].calls) == (["turn_on", "turn_off"], ["turn_off", "turn_on"])


async def test_what_is_needed_while_it_is_tried_is_not_put_back(packs: Packs, fan: Appliance) -> None:
    plant = await Plant.add(packs, **COOLING)
    await plant.run(2)
    fan.obeys = False
    trial = begin_trial(plant)
    await plant.settle()
    fan.obeys = True
    await call(plant, "trigger_cooling")
    assert (await trial)["cooling"]["result"] == "interrupted"
    await plant.run(60)
    assert (fan.calls, fan.state) == (["turn_on", "turn_on"], STATE_ON)


async def test_cooling_meanwhile_leaves_nothing_switched_off(
    packs: Packs, fan: Appliance, switches: list[Appliance]
) -> None:
    contactor = switches[2]
    plant = await Plant.add(packs, **COOLING, both_off_switch=contactor.entity_id)
    await plant.run(2)
    contactor.obeys = False
    trial = begin_trial(plant)
    await plant.settle()
    assert contactor.calls == ["turn_off"]
    await call(plant, "trigger_cooling")
    contactor.obeys = True
    contactor.set(STATE_OFF)
    await plant.settle()
    assert (await trial)["switch_both"]["result"] == "answered"
    assert (contactor.state, fan.state) == (STATE_ON, STATE_ON)


async def test_what_is_tried_is_taken_over_in_earnest(packs: Packs, switches: list[Appliance]) -> None:
    """It was on before the trial, so it is switched on again when the danger is over."""
    charger = switches[0]
    plant = await Plant.add(packs, stop_charge_switch=charger.entity_id)
    await plant.run(5)
    charger.sticks_after = 1
    trial = begin_trial(plant)
    await plant.run(3)
    assert charger.calls == ["turn_off", "turn_on"]
    assert charger.state == STATE_OFF
    charger.sticks_after = NEVER
    await plant.run(20, cells_v=(3.62,) * 16)
    assert charger.calls == ["turn_off", "turn_on", "turn_off"]
    assert (await trial)["switch_charge"]["result"] == "interrupted"
    await plant.until(lambda: charger.state == STATE_ON, within_s=1200, every_s=5)


async def test_whoever_asked_for_a_trial_may_give_up(packs: Packs, switches: list[Appliance]) -> None:
    charger = switches[0]
    plant = await Plant.add(packs, **SWITCHES)
    await plant.run(2)
    charger.obeys = False
    trial = begin_trial(plant)
    await plant.settle()
    trial.cancel()
    await plant.settle()
    assert (trial.cancelled(), charger.calls) == (True, ["turn_off"])
    with pytest.raises(ServiceValidationError, match="isn't calm"):
        await call(plant, "test_actions", confirm=True)
    charger.obeys = True
    charger.set(STATE_OFF)
    await plant.settle()
    assert [each.calls for each in switches] == [["turn_off", "turn_on"]] * 3


@pytest.mark.parametrize("ends", ["reload", "stop"])
async def test_the_end_of_a_pack_puts_back_what_is_tried(
    packs: Packs, hass: HomeAssistant, hass_storage: dict[str, Any], switches: list[Appliance], ends: str
) -> None:
    plant = await Plant.add(packs, stop_charge=True, **SWITCHES)
    await plant.run(2)
    trial, link = begin_trial(plant), plant.pack.link
    await plant.settle()
    assert link.written == [CHARGE_OFF], "what came of it is told by the next frame"
    await (hass.async_stop() if ends == "stop" else hass.config_entries.async_unload(plant.pack.entry.entry_id))
    assert link.written == [CHARGE_OFF, CHARGE_ON]
    assert {target: each["result"] for target, each in (await trial).items()} == dict.fromkeys(
        ("board_charge", "switch_charge", "switch_discharge", "switch_both"), "interrupted"
    )
    assert [each.calls for each in switches] == [[], [], []]
    assert remembered(plant, hass_storage) == {}


async def test_what_could_not_be_put_back_at_the_end_is_after_the_next_start(
    packs: Packs, hass_storage: dict[str, Any]
) -> None:
    plant = await Plant.add(packs, stop_charge=True)
    await plant.run(2)
    trial = begin_trial(plant)
    await plant.settle()
    assert plant.pack.link.written == [CHARGE_OFF]
    plant.pack.link.writing_fails_with = LinkProblem.NO_DATA
    await plant.again()
    assert (await trial)["board_charge"]["result"] == "interrupted"
    await plant.run(3)
    await plant.silence(2)
    assert plant.pack.link.written == [CHARGE_ON]
    assert remembered(plant, hass_storage) == {}


class Crash:
    """A trial of a charger that a power cut ends; what comes after it is up to a test."""

    def __init__(self, plant: Plant, charger: Appliance, storage: dict[str, Any]) -> None:
        self.plant = plant
        self.charger = charger
        self._storage = storage

    async def happen(self, *, leaves: str) -> None:
        plant, charger, storage = self.plant, self.charger, self._storage
        key = f"{DOMAIN}.{plant.pack.entry.entry_id}.acting"
        drive, written_down = type(plant.pack.coordinator.acting).async_drive, []

        async def note(acting: Acting, target: Target, *, on: bool) -> None:
            written_down.append(remembered(plant, storage))
            await drive(acting, target, on=on)

        charger.obeys = False
        with patch.object(Acting, "async_drive", note):
            trial = begin_trial(plant)
            await plant.settle()
        assert written_down == [{"switch_charge": True}], "before anything is switched"
        left = deepcopy(storage[key])
        while not trial.done():
            await plant.run(1)
        first = (DEVICE_INFO_32S, plant.settings, plant.frame())
        await plant.hass.config_entries.async_unload(plant.pack.entry.entry_id)
        storage[key] = left
        charger.obeys = True
        charger.calls.clear()
        charger.set(leaves)
        await plant.packs.set_up(plant.pack, *first)
        plant.listen()


@pytest.fixture
async def crash(packs: Packs, hass_storage: dict[str, Any], switches: list[Appliance]) -> Crash:
    charger = switches[0]
    plant = await Plant.add(packs, stop_charge_switch=charger.entity_id)
    await plant.run(2)
    return Crash(plant, charger, hass_storage)


async def test_a_trial_that_was_cut_off_is_made_good(crash: Crash, hass_storage: dict[str, Any]) -> None:
    await crash.happen(leaves=STATE_OFF)
    plant, charger = crash.plant, crash.charger
    await plant.run(3)
    await plant.silence(2)
    assert charger.calls == ["turn_on"]
    assert remembered(plant, hass_storage) == {}
    charger.set(STATE_OFF)
    await plant.run(90)
    assert charger.calls == ["turn_on"], "once; then it is up to the owner"
    assert plant.records == []


async def test_what_does_not_go_back_is_ordered_less_and_less_often(crash: Crash) -> None:
    await crash.happen(leaves=STATE_UNAVAILABLE)
    plant, charger = crash.plant, crash.charger
    await plant.run(30)
    assert charger.calls == []
    charger.fails_with = HomeAssistantError("welded")
    charger.set(STATE_OFF)
    await plant.run(50)
    assert charger.calls == ["turn_on"]
    await plant.run(60)
    assert charger.calls == ["turn_on"] * 2
    charger.fails_with = None
    await plant.run(60)
    assert charger.calls == ["turn_on"] * 2
    await plant.run(60)
    assert (charger.calls, charger.state) == (["turn_on"] * 3, STATE_ON)


async def test_what_the_owner_has_put_back_is_his(crash: Crash) -> None:
    await crash.happen(leaves=STATE_ON)
    await crash.plant.run(2)
    crash.charger.set(STATE_OFF)
    await crash.plant.run(90)
    assert crash.charger.calls == []


async def test_what_was_left_is_not_put_back_before_all_is_calm(crash: Crash) -> None:
    """In the dry run: who acts has switched it off in earnest by then."""
    plant, charger = crash.plant, crash.charger
    plant.pack.coordinator.acting.set_mode(Mode.DRY_RUN)
    await crash.happen(leaves=STATE_UNAVAILABLE)
    await plant.run(5, cells_v=(3.62,) * 16)
    charger.set(STATE_OFF)
    await plant.run(60, cells_v=(3.62,) * 16)
    assert charger.calls == []
    await plant.until(lambda: charger.state == STATE_ON, within_s=1200, every_s=5)


async def test_what_was_left_is_taken_over_in_earnest(crash: Crash) -> None:
    plant, charger = crash.plant, crash.charger
    await crash.happen(leaves=STATE_UNAVAILABLE)
    await plant.run(5, cells_v=(3.62,) * 16)
    charger.set(STATE_OFF)
    await plant.run(60, cells_v=(3.62,) * 16)
    assert charger.calls == ["turn_off"]
    await plant.until(lambda: charger.state == STATE_ON, within_s=1200, every_s=5)
    assert charger.calls == ["turn_off", "turn_on"]


async def test_a_trial_that_the_board_could_not_be_put_back_from(packs: Packs) -> None:
    plant = await Plant.add(packs, stop_charge=True, writes_per_day=1)
    await plant.run(2)
    plant.pack.coordinator.changes.memory.count_writes(1)
    result = (await tried(plant))["board_charge"]
    assert (result["result"], plant.pack.link.written) == ("failed", [])
    assert "has been written to 1 times today" in result["reason"]


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
