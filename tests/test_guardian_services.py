"""What the owner orders: cooling, an emergency stop, acknowledging and resetting."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any, cast
from unittest.mock import patch

import pytest
from homeassistant.const import ATTR_ENTITY_ID, STATE_OFF, STATE_ON, STATE_UNAVAILABLE, Platform
from homeassistant.core import Context, HomeAssistant
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError, Unauthorized
from probatio import Invalid
from pytest_homeassistant_custom_component.common import MockUser

from custom_components.jk_bms.battery.acting.interface import Target
from custom_components.jk_bms.const import DOMAIN

from .acting_home import COOLING, SWITCHES, Appliance, Plant, call, notifications, plug_in
from .packs import PACK_JK04, Pack, Packs
from .test_acting import BURNING_C, CHARGE_OFF, DISCHARGE_OFF


async def turn(plant: Plant, service: str) -> None:
    """Use the switch for cooling."""
    target = {ATTR_ENTITY_ID: plant.pack.entity_id(Platform.SWITCH, "cooling")}
    await plant.hass.services.async_call("switch", service, target, blocking=True)


async def press(plant: Plant) -> None:
    """Press the button for the emergency stop."""
    plant.answer_at_once()
    target = {ATTR_ENTITY_ID: plant.pack.entity_id(Platform.BUTTON, "emergency_stop")}
    await plant.hass.services.async_call("button", "press", target, blocking=True)


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
    await call(plant, "emergency_stop", confirm=True)
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


async def test_emergency_stop_does_not_take_for_off_what_is_lost_sight_of(
    packs: Packs, hass: HomeAssistant, switches: list[Appliance]
) -> None:
    charger = switches[0]
    plant = await Plant.add(packs, stop_charge=True, stop_charge_switch=charger.entity_id)
    await plant.run(2)
    plant.welded = True
    charger.obeys = False
    task = hass.async_create_task(call(plant, "emergency_stop", current="charge", confirm=True))
    await plant.run(3)
    charger.set(STATE_UNAVAILABLE)
    await plant.pack.link.pause(600)
    while not task.done():
        await plant.silence(1)
    with pytest.raises(HomeAssistantError, match=r"out of reach or paused.* input_boolean.charger isn't available"):
        task.result()


async def test_emergency_stop_does_not_take_for_off_what_the_board_itself_holds_off(
    packs: Packs, hass: HomeAssistant
) -> None:
    plant = await Plant.add(packs, permission="read_only", stop_charge=True)
    await plant.run(2, charge_mosfet=False)
    with pytest.raises(HomeAssistantError, match="Keller may only be read"):
        await call(plant, "emergency_stop", current="charge", confirm=True)


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
