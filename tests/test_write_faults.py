"""What goes wrong while Home Assistant changes a pack: nothing wrong is shown, nothing half-done is left unsaid.

Home Assistant, the integration and its link are real; the board, its radio and time are simulated. In every test each
state of a setting is held against what the board has at that moment, and each write against what was asked for: neither
charging nor discharging is ever switched by mistake.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable
from copy import deepcopy
from typing import Any, Final
from unittest.mock import patch

import pytest
from homeassistant.config_entries import ConfigEntry, ConfigEntryState
from homeassistant.const import (
    EVENT_HOMEASSISTANT_STOP,
    EVENT_STATE_CHANGED,
    STATE_UNAVAILABLE,
    STATE_UNKNOWN,
    Platform,
)
from homeassistant.core import Event, EventStateChangedData, HomeAssistant, callback
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers import issue_registry as ir
from homeassistant.setup import async_setup_component

from custom_components.jk_bms.bms.frames import Command
from custom_components.jk_bms.bms.gatt import ASKS
from custom_components.jk_bms.bms.link import LinkState
from custom_components.jk_bms.bms.registers import SETTINGS_BY_KEY, Kind, Setting
from custom_components.jk_bms.bms.writing import ATTEMPTS, READ_ATTEMPTS
from custom_components.jk_bms.const import CONF_PERMISSION, DOMAIN
from custom_components.jk_bms.errors import async_names
from custom_components.jk_bms.memory import Author
from custom_components.jk_bms.permission import Permission
from simulator.firmware import Firmware

from .radio import Radio

OVERVOLTAGE, FULL = "cell_overvoltage_v", "soc_100_cell_voltage_v"
CHARGE, DISCHARGE, BALANCE = "charge_current_limit_a", "discharge_current_limit_a", "balance_current_limit_a"
LESS: Final = {CHARGE: 40.0, DISCHARGE: 50.0, BALANCE: 1.0}
FORMER_DISCHARGE_A: Final = 100.0
MAIN_SWITCHES: Final = (SETTINGS_BY_KEY["charge_switch"], SETTINGS_BY_KEY["discharge_switch"])
_PLATFORMS: Final = {
    Kind.NUMBER: Platform.NUMBER,
    Kind.SWITCH: Platform.SWITCH,
    Kind.CHOICE: Platform.SELECT,
}


class Home:
    """A Home Assistant that may change everything in its one pack, and whoever looks over its shoulder."""

    def __init__(self, hass: HomeAssistant, radio: Radio, board: Firmware, entry: ConfigEntry) -> None:
        self.hass = hass
        self.clock = radio.clock
        self.board = board
        self.entry = entry
        self.wrongly_shown: list[str] = []
        self._settings = {
            entity_id: setting
            for setting in SETTINGS_BY_KEY.values()
            if setting.kind in _PLATFORMS and (entity_id := self.entity_id(setting.key, _PLATFORMS[setting.kind]))
        }
        hass.bus.async_listen(EVENT_STATE_CHANGED, self._look)

    async def done[T](self, work: Awaitable[T]) -> T:
        """Let time pass until the work is done."""
        task = asyncio.ensure_future(work)
        await self.clock.until(task.done)
        return await task

    async def call(self, domain: str, service: str, **data: Any) -> Any:
        """Call a service as an automation does; return what it answers."""
        answers = domain == DOMAIN
        return await self.hass.services.async_call(domain, service, data, blocking=True, return_response=answers)

    async def set(self, key: str, value: float) -> None:
        """Set a number."""
        await self.call("number", "set_value", entity_id=self.entity_id(key), value=value)

    async def fails_to_set(self, key: str, value: float, message: str) -> None:
        """Set a number, and be told why that didn't work."""
        with pytest.raises(HomeAssistantError, match=message):
            await self.done(self.set(key, value))

    def entity_id(self, key: str, platform: Platform = Platform.NUMBER) -> str | None:
        return er.async_get(self.hass).async_get_entity_id(platform, DOMAIN, f"{self.board.address}_{key}")

    def shown(self, key: str, platform: Platform = Platform.NUMBER) -> str:
        state = self.hass.states.get(self.entity_id(key, platform) or "")
        assert state
        return state.state

    def has(self, key: str) -> float:
        """Return what the board itself goes by."""
        return self.board.board.settings[key]

    async def names(self, *keys: str) -> str:
        """Return how settings are called in messages."""
        return ", ".join(map(await async_names(self.hass), keys))

    @property
    def storage(self) -> str:
        """The key of what is remembered of the pack."""
        return f"{DOMAIN}.{self.entry.entry_id}"

    @property
    def results(self) -> list[tuple[str, object, str]]:
        """What is remembered of changes: the key, the value that was to be written, what became of it."""
        return [(change.key, change.new, change.result) for change in self.entry.runtime_data.changes.memory.changes]

    @property
    def issue(self) -> ir.IssueEntry | None:
        """What is told of an interruption."""
        return ir.async_get(self.hass).async_get_issue(DOMAIN, f"interrupted_{self.entry.entry_id}")

    async def connected(self) -> None:
        await self.clock.until(lambda: self.entry.runtime_data.link.status.state is LinkState.CONNECTED)
        await self.clock.run(5)

    @callback
    def _look(self, event: Event[EventStateChangedData]) -> None:
        setting, state = self._settings.get(event.data["entity_id"]), event.data["new_state"]
        if setting is None or state is None or state.state in (STATE_UNAVAILABLE, STATE_UNKNOWN):
            return
        if _meant(setting, state.state) != (truth := self._truth(setting)):
            self.wrongly_shown.append(f"{setting.key}: {state.state}, but the board has {truth}")

    def _truth(self, setting: Setting) -> float | bool:
        board = self.board.board
        if setting.key == "emergency":
            return board._emergency_s > 0
        kept = board.settings.get(setting.field_name, board.device_info.get(setting.field_name))
        assert isinstance(kept, int | float)
        return bool(int(kept) >> setting.index & 1) if setting.index is not None else kept


def _meant(setting: Setting, state: str) -> float | bool:
    match setting.kind:
        case Kind.SWITCH:
            return state == "on"
        case Kind.CHOICE:
            return setting.choices.index(state)
    return float(state)


@pytest.fixture
async def home(
    hass: HomeAssistant, hass_storage: dict[str, Any], all_enabled: None, radio: Radio
) -> AsyncIterator[Home]:
    board = radio.add()
    entry = await radio.set_up()
    hass.config_entries.async_update_entry(entry, options={CONF_PERMISSION: Permission.ALL})
    reloading = asyncio.ensure_future(hass.config_entries.async_reload(entry.entry_id))
    await radio.clock.until(reloading.done)
    assert entry.state is ConfigEntryState.LOADED
    home = Home(hass, radio, board, entry)
    before = [home.has(setting.key) for setting in MAIN_SWITCHES]
    with patch.object(board, "write", wraps=board.write) as write:
        yield home
    await home.clock.run(5)
    assert home.wrongly_shown == []
    written = {call.args[1][4] for call in write.call_args_list}
    assert Command.SETTINGS_AND_STREAM in written, "it looked away"
    numbers = {register.number for setting in MAIN_SWITCHES for register in setting.registers.values()}
    assert not written & numbers
    assert [home.has(setting.key) for setting in MAIN_SWITCHES] == before
    assert board.board.pack.charge_mosfet_on
    assert board.board.pack.discharge_mosfet_on


async def test_a_write_that_is_lost(home: Home) -> None:
    home.board.faults.lost_writes = ATTEMPTS - 1
    await home.done(home.set(OVERVOLTAGE, 3.6))
    assert home.shown(OVERVOLTAGE) == "3.6"
    home.board.faults.lost_writes = ATTEMPTS
    await home.fails_to_set(OVERVOLTAGE, 3.55, "didn't take 3.55 V for")
    assert home.shown(OVERVOLTAGE) == "3.6"
    assert home.results == [(OVERVOLTAGE, 3.6, "verified"), (OVERVOLTAGE, 3.55, "refused")]


async def test_an_acknowledge_that_is_lost(home: Home) -> None:
    home.board.faults.unacknowledged_writes = 1
    await home.done(home.set(OVERVOLTAGE, 3.6))
    assert home.shown(OVERVOLTAGE) == "3.6"
    assert home.results == [(OVERVOLTAGE, 3.6, "verified")]


async def test_a_write_that_the_board_rejects(home: Home) -> None:
    home.board.faults.refused_writes = ATTEMPTS
    await home.fails_to_set(OVERVOLTAGE, 3.6, "The setting is what it was before")
    assert home.shown(OVERVOLTAGE) == "3.65"
    assert home.results == [(OVERVOLTAGE, 3.6, "refused")]


async def test_the_first_of_several_that_the_board_rejects(home: Home) -> None:
    taken: list[int] = []

    def take(register: int, value: bytes) -> None:
        taken.append(register)
        home.board.faults.refused_writes = 0 if len(taken) == 1 else 1
        Firmware._take(home.board, register, value)

    limits = {"overvoltage_protection": 3.6, "charge_current": 50, "discharge_current": 60}
    with patch.object(home.board, "_take", take), pytest.raises(HomeAssistantError) as raised:
        await home.done(home.call(DOMAIN, "set_charge_limits", entity_id=home.entity_id(CHARGE), **limits))
    written, left = await home.names(OVERVOLTAGE), await home.names(DISCHARGE)
    assert f"Written before: {written}. Not written any more: {left}" in str(raised.value)
    home.board.faults.refused_writes = 0
    assert len(taken) == 1 + ATTEMPTS
    assert home.results == [(OVERVOLTAGE, 3.6, "verified"), (CHARGE, 50, "refused"), (DISCHARGE, 60, "not_written")]
    assert (home.shown(OVERVOLTAGE), home.shown(CHARGE)) == ("3.6", "60.0")


@pytest.mark.parametrize("slow_s", [0.4, 1.5])
async def test_a_board_that_answers_with_the_old_value(home: Home, slow_s: float) -> None:
    home.board.faults.slow_memory_s = slow_s
    await home.done(home.set(OVERVOLTAGE, 3.6))
    assert home.shown(OVERVOLTAGE) == "3.6"
    assert home.results == [(OVERVOLTAGE, 3.6, "verified")]


async def test_a_board_that_does_not_answer(home: Home) -> None:
    home.board.faults.unanswered = READ_ATTEMPTS * ASKS - 1
    await home.done(home.set(OVERVOLTAGE, 3.6))
    home.board.faults.unanswered = READ_ATTEMPTS * ASKS
    await home.fails_to_set(OVERVOLTAGE, 3.55, "sends no readable data")
    assert home.has(OVERVOLTAGE) == 3.6, "what isn't known isn't changed"
    assert home.results == [(OVERVOLTAGE, 3.6, "verified")]


@pytest.mark.parametrize("taken", [True, False])
async def test_a_link_that_drops_in_mid_write(home: Home, *, taken: bool) -> None:
    home.board.faults.dropping_writes = 1
    home.board.faults.refused_writes = 0 if taken else 1
    await home.fails_to_set(OVERVOLTAGE, 3.6, "the board didn't say what became of it")
    assert home.shown(OVERVOLTAGE) == "3.65", "nothing is known yet"
    assert home.results == [(OVERVOLTAGE, 3.6, "unknown")]
    await home.connected()
    assert home.shown(OVERVOLTAGE) == ("3.6" if taken else "3.65")
    await home.done(home.set(OVERVOLTAGE, 3.55))
    assert home.shown(OVERVOLTAGE) == "3.55"


async def test_no_link_to_write_over(home: Home) -> None:
    await home.done(home.call("switch", "turn_on", entity_id=home.entity_id("pause", Platform.SWITCH)))
    await home.fails_to_set(OVERVOLTAGE, 3.6, "is paused until")
    await home.done(home.call("switch", "turn_off", entity_id=home.entity_id("pause", Platform.SWITCH)))
    await home.connected()
    await home.clock.run(60)
    assert home.has(OVERVOLTAGE) == 3.65, "nothing is written later"
    assert home.results == []


async def _restoring(home: Home) -> asyncio.Task[Any]:
    """Begin to restore three settings, and return when the first is verified and the second has been sent."""
    entity_id = home.entity_id(CHARGE)
    await home.done(home.call(DOMAIN, "save_settings", entity_id=entity_id, name="mine"))
    for key, value in LESS.items():
        home.board.app_changes(key, value)
    restore = home.call(DOMAIN, "restore_settings", entity_id=entity_id, name="mine", dry_run=False)
    restoring = asyncio.ensure_future(restore)
    await home.clock.until(lambda: home.has(DISCHARGE) != LESS[DISCHARGE])
    assert [result for _, _, result in home.results] == ["verified"]
    return restoring


@pytest.mark.parametrize("stopped", [True, False])
async def test_home_assistant_ends_in_mid_restore(home: Home, hass_storage: dict[str, Any], *, stopped: bool) -> None:
    """It has time to write down what it knows; after an unload, that can be seen again."""
    restoring = await _restoring(home)
    if stopped:
        home.hass.bus.async_fire(EVENT_HOMEASSISTANT_STOP)
    else:
        await home.done(home.hass.config_entries.async_unload(home.entry.entry_id))
    with pytest.raises(HomeAssistantError) as raised:
        await home.done(restoring)
    written, left = await home.names(CHARGE), await home.names(BALANCE)
    assert f"Written before: {written}. Not written any more: {left}" in str(raised.value)
    disk = hass_storage[home.storage]["data"]
    assert [each["result"] for each in disk["changes"]] == ["verified", "unknown", "not_written"]
    assert disk["plan"] == {}
    assert (home.has(DISCHARGE), home.has(BALANCE)) == (FORMER_DISCHARGE_A, LESS[BALANCE])
    if stopped:
        return
    await home.done(home.hass.config_entries.async_setup(home.entry.entry_id))
    assert [result for _, _, result in home.results] == ["verified", "unknown", "not_written"]
    await home.connected()
    assert (home.shown(DISCHARGE), home.shown(BALANCE)) == (str(FORMER_DISCHARGE_A), str(LESS[BALANCE]))


@pytest.mark.parametrize("taken", [True, False])
async def test_home_assistant_is_killed_in_mid_restore(
    home: Home, hass_storage: dict[str, Any], *, taken: bool
) -> None:
    """It has no time for anything; what is on its disk is all that the next start knows."""
    restoring = await _restoring(home)
    disk = deepcopy(hass_storage[home.storage])
    await home.done(home.hass.config_entries.async_unload(home.entry.entry_id))
    with pytest.raises(HomeAssistantError):
        await home.done(restoring)
    hass_storage[home.storage] = disk
    if not taken:
        home.board.app_changes(DISCHARGE, LESS[DISCHARGE])
    await home.done(home.hass.config_entries.async_setup(home.entry.entry_id))
    assert home.issue
    assert home.issue.translation_placeholders == {
        "name": home.entry.title,
        "written": await home.names(CHARGE, *([DISCHARGE] if taken else [])),
        "missing": await home.names(*([] if taken else [DISCHARGE]), BALANCE),
    }
    assert [result for _, _, result in home.results] == [
        "verified",
        "verified" if taken else "not_written",
        "not_written",
    ]
    assert home.has(BALANCE) == LESS[BALANCE], "nothing is gone on with behind the owner's back"
    await home.connected()
    assert home.shown(BALANCE) == str(LESS[BALANCE])


async def test_two_automations_write_at_once(home: Home) -> None:
    automations = [
        {
            "id": f"{value_v}",
            "alias": alias,
            "triggers": {"trigger": "event", "event_type": "sunrise"},
            "actions": {
                "action": "number.set_value",
                "target": {"entity_id": home.entity_id(OVERVOLTAGE)},
                "data": {"value": value_v},
            },
        }
        for alias, value_v in (("winter", 3.6), ("holiday", 3.55))
    ]
    assert await async_setup_component(home.hass, "automation", {"automation": automations})
    await home.hass.async_block_till_done()
    home.hass.bus.async_fire("sunrise")
    await home.clock.until(lambda: len(home.results) == 2)
    first, second = home.entry.runtime_data.changes.memory.changes
    assert {first.by, second.by} == {Author("automation", f"automation.{name}") for name in ("winter", "holiday")}
    assert (first.old, first.result, second.old, second.result) == (3.65, "verified", first.new, "verified")
    assert home.has(OVERVOLTAGE) == second.new
    assert home.shown(OVERVOLTAGE) == str(second.new)


async def test_the_app_has_changed_it_meanwhile(home: Home) -> None:
    await home.done(home.set(OVERVOLTAGE, 3.6))
    event = home.hass.states.get(home.entity_id("setting_changed", Platform.EVENT) or "")
    assert event
    assert event.attributes["event_type"] == "changed_here"
    await home.done(home.call("switch", "turn_on", entity_id=home.entity_id("pause", Platform.SWITCH)))
    home.board.app_changes(OVERVOLTAGE, 3.55)
    await home.done(home.call("switch", "turn_off", entity_id=home.entity_id("pause", Platform.SWITCH)))
    await home.connected()
    assert home.shown(OVERVOLTAGE) == "3.55"
    event = home.hass.states.get(event.entity_id)
    assert event
    told = {key: event.attributes[key] for key in ("event_type", "key", "old", "new")}
    assert told == {"event_type": "changed_elsewhere", "key": OVERVOLTAGE, "old": 3.6, "new": 3.55}
    assert home.results == [(OVERVOLTAGE, 3.6, "verified")]


async def test_the_app_changes_another_one_while_it_is_written(home: Home) -> None:
    writing = asyncio.ensure_future(home.set(OVERVOLTAGE, 3.6))
    await home.clock.until(lambda: home.has(OVERVOLTAGE) == 3.6)
    home.board.app_changes(CHARGE, 40)
    await home.done(writing)
    assert (home.shown(OVERVOLTAGE), home.shown(CHARGE)) == ("3.6", "40.0")
    assert home.results == [(OVERVOLTAGE, 3.6, "verified")]


async def test_the_app_makes_a_value_impossible(home: Home) -> None:
    """What Home Assistant knew is out of date; it asks before it writes."""
    home.board.app_changes(FULL, 3.58)
    await home.fails_to_set(OVERVOLTAGE, 3.57, r"\(3.58 V\) has to stay below .* \(3.57 V\)")
    assert home.shown(FULL) == "3.58"
    assert home.shown(OVERVOLTAGE) == "3.65"
    assert home.results == []
