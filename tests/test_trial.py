"""Does what the guardian may have to switch answer? All of it is tried, and put back whatever comes."""

from __future__ import annotations

import asyncio
from copy import deepcopy
from typing import Any, cast
from unittest.mock import patch

import pytest
from homeassistant.const import ATTR_DEVICE_ID, STATE_OFF, STATE_ON, STATE_UNAVAILABLE
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError

from custom_components.jk_bms.acting import Acting
from custom_components.jk_bms.battery.acting.interface import Mode, Target
from custom_components.jk_bms.bms.link import LinkProblem
from custom_components.jk_bms.const import DOMAIN

from .acting_home import COOLING, NEVER, SWITCHES, Appliance, Plant, call
from .pack_values import DEVICE_INFO_32S
from .packs import Packs
from .test_acting import CHARGE_OFF, HOT_C, WARM_C

CHARGE_ON = ("charge_switch", True)


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
