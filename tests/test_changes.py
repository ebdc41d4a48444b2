"""What may be changed, what becomes of a change, and what is remembered of it."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest
from homeassistant.components.event import ATTR_EVENT_TYPE
from homeassistant.components.repairs import ConfirmRepairFlow
from homeassistant.const import EVENT_HOMEASSISTANT_FINAL_WRITE, Platform
from homeassistant.core import Context, CoreState, HomeAssistant
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError
from homeassistant.helpers import issue_registry as ir
from homeassistant.util import dt as dt_util

from custom_components.jk_bms.bms.layout import CONTROL_BITS
from custom_components.jk_bms.bms.link import LinkProblem
from custom_components.jk_bms.bms.registers import SETTINGS_BY_KEY, Instruction, SettingValue
from custom_components.jk_bms.bms.writing import ATTEMPTS, Outcome
from custom_components.jk_bms.changes import HOME_ASSISTANT, Changes
from custom_components.jk_bms.const import CONF_PERMISSION, DOMAIN
from custom_components.jk_bms.memory import CHANGES_KEPT, Author, Change, Loan, MemoryStore
from custom_components.jk_bms.pack_state import register_of, said_of
from custom_components.jk_bms.permission import Permission
from custom_components.jk_bms.repairs import async_create_fix_flow

from .pack_values import DEVICE_INFO_32S, SETTINGS_24S, SETTINGS_32S, SETTINGS_JK04, telemetry_32s
from .packs import BALANCER, PACK_24S, PACK_32S, PACK_JK04, PACK_V19, Pack, Packs

CALIBRATED = 1.01
"""A reading that is to be corrected by one percent."""
CALIBRATED_24S = (*PACK_24S, replace(SETTINGS_24S, lead_resistance_calibrations_uohm=(0,) * 24))
ALL = {CONF_PERMISSION: Permission.ALL}


@pytest.fixture
async def pack(packs: Packs) -> Pack:
    """A pack that may be changed in everything."""
    return await packs.add(*PACK_32S, **ALL)


def changes(pack: Pack) -> Changes:
    return pack.coordinator.changes


async def refused(pack: Pack, values: dict[str, SettingValue], **options: Any) -> str:
    """Try a change that must not be made; return the message, having seen that not a byte was sent."""
    with pytest.raises(ServiceValidationError) as raised:
        await changes(pack).async_apply(values, **options)
    assert pack.link.written == []
    assert not changes(pack).memory.changes
    return str(raised.value)


async def test_a_change_is_written_read_back_and_recorded(pack: Pack) -> None:
    (change,) = await changes(pack).async_apply({"charge_current_limit_a": 40.04})
    assert pack.link.written == [("charge_current_limit_a", 40.0)]
    assert pack.coordinator.state.settings
    assert pack.coordinator.state.settings.charge_current_limit_a == 40
    assert (change.key, change.old, change.new, change.result) == ("charge_current_limit_a", 100, 40, "verified")
    assert change.by == HOME_ASSISTANT
    assert changes(pack).memory.changes == [change]
    assert changes(pack).memory.plan == {}


async def test_what_is_set_already_is_not_written_again(pack: Pack) -> None:
    (change,) = await changes(pack).async_apply({"charge_current_limit_a": 100})
    assert change.result == "unchanged"
    assert pack.link.written == []
    assert changes(pack).memory.changes == []


@pytest.mark.parametrize(
    ("permission", "key", "message"),
    [
        (Permission.READ_ONLY, "charge_switch", "may only be read"),
        (Permission.READ_ONLY, "charge_current_limit_a", "may not be changed"),
        (Permission.SWITCHES, "charge_current_limit_a", "may not be changed"),
        (Permission.SWITCHES, "cell_count", "may not be changed"),
    ],
)
async def test_without_permission(packs: Packs, permission: Permission, key: str, message: str) -> None:
    pack = await packs.add(*PACK_32S, permission=permission)
    assert message in await refused(pack, {key: 1})


async def test_nothing_may_be_changed_at_first(packs: Packs) -> None:
    pack = await packs.add(*PACK_32S)
    assert changes(pack).approval.permission is Permission.READ_ONLY


async def test_permission_for_the_switches(packs: Packs) -> None:
    pack = await packs.add(*PACK_32S, permission=Permission.SWITCHES)
    await changes(pack).async_apply({"charge_switch": False})
    assert pack.link.written == [("charge_switch", False)]


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("charge_current_limit_a", 0.9, "0.9 A is out of range .* allowed are 1 A to 200 A"),
        ("charge_current_limit_a", 201, "201 A is out of range .* allowed are 1 A to 200 A"),
        ("cell_overvoltage_v", 4.36, "4.36 V is out of range .* allowed are 1.2 V to 4.35 V"),
        ("cell_overvoltage_v", float("nan"), "nan V is out of range"),
        ("charge_current_limit_a", float("inf"), "inf A is out of range"),
        ("charge_switch", 2, "2 is out of range .* allowed are Off to On"),
        ("uart1_protocol", 99, "doesn't offer this .* It offers: "),
        ("user_data", "more than thirteen", "a text of at most 13 plain characters"),
        ("user_data", "Käfer", "a text of at most 13 plain characters"),
        ("user_data", 5, "a text of at most 13 plain characters"),
        ("voltage_calibration_v", 3.0, "doesn't have"),
    ],
)
async def test_out_of_range(pack: Pack, key: str, value: SettingValue, message: str) -> None:
    await pack.give(replace(DEVICE_INFO_32S, uart1_protocol=1, uart1_protocol_mask=3), telemetry_32s())
    with pytest.raises(ServiceValidationError, match=message):
        await changes(pack).async_apply({key: value}, confirm=True)
    assert pack.link.written == []


@pytest.mark.parametrize(
    ("values", "lower", "higher"),
    [
        ({"cell_overvoltage_v": 3.4}, "OVPR: cell overvoltage recovery", "OVP: cell overvoltage protection"),
        ({"cell_undervoltage_v": 2.9}, "UVP: cell undervoltage protection", "SOC 0 %: cell voltage"),
        (
            {"charge_undertemperature_c": 9.0},
            "UTP: charge undertemperature protection",
            "UTPR: charge undertemperature recovery",
        ),
    ],
)
async def test_wrong_order_names_both(pack: Pack, values: dict[str, SettingValue], lower: str, higher: str) -> None:
    message = await refused(pack, values)
    assert f'"{lower}"' in message
    assert f'"{higher}"' in message
    assert "has to stay below" in message


async def test_several_are_written_in_an_order_that_the_board_accepts(pack: Pack) -> None:
    settings = pack.coordinator.state.settings
    assert settings
    assert settings.cell_overvoltage_v
    assert settings.cell_overvoltage_recovery_v
    higher = {"cell_overvoltage_recovery_v": 3.62, "cell_overvoltage_v": 3.64}
    await pack.give(
        replace(
            settings,
            cell_overvoltage_v=3.6,
            cell_overvoltage_recovery_v=3.5,
            soc_100_cell_voltage_v=0,
            requested_charge_voltage_v=0,
            requested_float_voltage_v=0,
        )
    )
    await changes(pack).async_apply(higher)
    assert [key for key, _ in pack.link.written] == ["cell_overvoltage_v", "cell_overvoltage_recovery_v"]
    pack.link.written.clear()
    await changes(pack).async_apply({"cell_overvoltage_v": 3.5, "cell_overvoltage_recovery_v": 3.4})
    assert [key for key, _ in pack.link.written] == ["cell_overvoltage_recovery_v", "cell_overvoltage_v"]


@pytest.mark.parametrize(
    ("first", "key", "value"),
    [
        (PACK_32S, "cell_count", 15),
        (PACK_32S, "nominal_capacity_ah", 300.5),
        (PACK_32S, "temperature_sensors_disabled", True),
        (PACK_32S, "pack_voltage_calibration_v", 1.01),
        (PACK_32S, "current_calibration_a", 1.01),
        (CALIBRATED_24S, "lead_resistance_calibration_1_uohm", 1234),
        (PACK_JK04, "voltage_calibration_v", 3.0123456),
    ],
)
async def test_dangerous_ones_need_a_confirmation(
    packs: Packs, first: tuple[Any, ...], key: str, value: SettingValue
) -> None:
    pack = await packs.add(*first, **ALL)
    if value == CALIBRATED:
        reading = said_of(SETTINGS_BY_KEY[key], pack.coordinator.state)
        assert isinstance(reading, float)
        value = round(abs(reading) * CALIBRATED, 3)
    assert "Repeat the action" in await refused(pack, {key: value})
    await changes(pack).async_apply({key: value}, confirm=True)
    assert pack.link.written == [(key, value)]


@pytest.mark.parametrize(
    ("key", "value", "limit"),
    [
        ("cell_overvoltage_v", 3.7, "3.65 V"),
        ("charge_overtemperature_c", 75.0, "60 °C"),
        ("charge_undertemperature_c", -5.0, "0 °C"),
        ("discharge_overcurrent_delay_s", 600, "300 s"),
    ],
)
async def test_no_protection_is_loosened_beyond_what_is_safe(pack: Pack, key: str, value: float, limit: str) -> None:
    assert f"beyond what is safe for the cells of Keller, which is {limit}" in await refused(pack, {key: value})
    await changes(pack).async_apply({key: value}, confirm=True)
    assert pack.link.written == [(key, value)]


async def test_an_unsafe_protection_may_be_tightened(pack: Pack) -> None:
    await pack.give(replace(SETTINGS_32S, charge_overtemperature_c=75.0))
    await changes(pack).async_apply({"charge_overtemperature_c": 70.0})
    assert pack.link.written == [("charge_overtemperature_c", 70.0)]


async def test_a_calibration_far_from_the_reading_is_a_slip(pack: Pack) -> None:
    reading = pack.coordinator.state.telemetry.pack_voltage_v
    assert reading
    message = await refused(pack, {"pack_voltage_calibration_v": reading / 2}, confirm=True)
    assert "is far from what Keller measures at the moment" in message


async def test_a_reading_that_was_right_already_proves_nothing(pack: Pack) -> None:
    reading = pack.coordinator.state.telemetry.current_a
    assert reading
    (change,) = await changes(pack).async_apply({"current_calibration_a": abs(reading) * 1.005}, confirm=True)
    assert change.result == "sent"
    (change,) = await changes(pack).async_apply({"current_calibration_a": abs(reading) * 1.2}, confirm=True)
    assert change.result == "verified"


async def test_a_generation_that_is_not_certain(pack: Pack) -> None:
    pack.link.receiver.board = replace(pack.link.receiver.board, confirmed=False)
    await pack.give(SETTINGS_32S)
    with pytest.raises(HomeAssistantError, match="haven't shown yet which kind of board it is"):
        await changes(pack).async_apply({"charge_current_limit_a": 40})
    with pytest.raises(HomeAssistantError, match="haven't shown yet which kind of board it is"):
        await changes(pack).async_instruct(Instruction.RESTART)
    assert pack.link.written == []


@pytest.mark.parametrize(
    ("outcome", "message"),
    [
        (Outcome.REFUSED, 'Keller didn\'t take 40 A for "Charge current limit"'),
        (Outcome.UNKNOWN, "the board didn't say what became of it"),
    ],
)
async def test_a_write_that_fails_is_an_error_and_the_old_value_stays(
    pack: Pack, outcome: Outcome, message: str
) -> None:
    pack.link.outcomes["charge_current_limit_a"] = outcome
    with pytest.raises(HomeAssistantError, match=message):
        await changes(pack).async_apply({"charge_current_limit_a": 40})
    assert pack.coordinator.state.settings == SETTINGS_32S
    assert [each.result for each in changes(pack).memory.changes] == [outcome]
    assert changes(pack).memory.plan == {}


async def test_the_first_refusal_of_several_ends_it(pack: Pack) -> None:
    pack.link.outcomes["discharge_current_limit_a"] = Outcome.REFUSED
    wanted: dict[str, SettingValue] = {
        "charge_current_limit_a": 40,
        "discharge_current_limit_a": 90,
        "balance_current_limit_a": 1.5,
    }
    with pytest.raises(HomeAssistantError) as raised:
        await changes(pack).async_apply(wanted)
    assert "Written before: Charge current limit." in str(raised.value)
    assert "Not written any more: Balance current limit" in str(raised.value)
    assert [each.result for each in changes(pack).memory.changes] == ["verified", "refused", "not_written"]


async def test_a_link_that_is_lost(pack: Pack) -> None:
    pack.link.writing_fails_with = LinkProblem.OUT_OF_RANGE
    with pytest.raises(HomeAssistantError, match="can't be heard"):
        await changes(pack).async_apply({"charge_current_limit_a": 40})
    pack.link.writing_fails_with = None
    await pack.give(telemetry_32s())
    assert pack.link.written == []  # nothing was queued


async def test_a_link_that_is_lost_between_two_writes(pack: Pack) -> None:
    async def lose() -> None:
        pack.link.writing_fails_with = LinkProblem.CONNECTION_FAILED

    pack.link.while_writing = lose
    with pytest.raises(HomeAssistantError, match='lost before "Discharge current limit" could be written'):
        await changes(pack).async_apply({"charge_current_limit_a": 40, "discharge_current_limit_a": 90})
    assert [each.result for each in changes(pack).memory.changes] == ["verified", "not_written"]


async def test_not_during_a_pause(pack: Pack) -> None:
    await pack.link.pause(600)
    with pytest.raises(HomeAssistantError, match="is paused until"):
        await changes(pack).async_apply({"charge_current_limit_a": 40})


async def test_a_caller_that_gives_up_leaves_nothing_half_done(pack: Pack, hass: HomeAssistant) -> None:
    writing, go_on = asyncio.Event(), asyncio.Event()

    async def while_writing() -> None:
        writing.set()
        await go_on.wait()

    pack.link.while_writing = while_writing
    applying = asyncio.create_task(
        changes(pack).async_apply({"charge_current_limit_a": 40, "discharge_current_limit_a": 90})
    )
    await writing.wait()
    applying.cancel()
    with pytest.raises(asyncio.CancelledError):
        await applying
    go_on.set()
    await hass.async_block_till_done()
    assert [each.result for each in changes(pack).memory.changes] == ["verified", "verified"]


async def test_two_at_once_come_one_after_the_other(pack: Pack) -> None:
    first, second = await asyncio.gather(
        changes(pack).async_apply({"charge_current_limit_a": 40}),
        changes(pack).async_apply({"charge_current_limit_a": 50}),
    )
    assert (first[0].old, first[0].new, second[0].old, second[0].new) == (100, 40, 40, 50)


async def test_an_emergency_does_not_wait_for_what_takes_long(pack: Pack, hass: HomeAssistant) -> None:
    """Charging is switched off between two values of a set; what was being written goes on after it."""
    writing, go_on = asyncio.Event(), asyncio.Event()

    async def while_writing() -> None:
        if not writing.is_set():
            writing.set()
            await go_on.wait()

    pack.link.while_writing = while_writing
    limits: dict[str, SettingValue] = {"charge_current_limit_a": 40, "discharge_current_limit_a": 90}
    both = asyncio.create_task(changes(pack).async_apply(limits))
    await writing.wait()
    (change,) = await changes(pack).async_apply({"charge_switch": False})
    assert change.result == "verified"
    assert list(changes(pack).memory.plan) == list(limits)
    go_on.set()
    assert [each.result for each in await both] == ["verified", "verified"]
    assert changes(pack).memory.plan == {}
    await hass.async_block_till_done()


async def test_each_time_that_something_was_sent_counts(pack: Pack) -> None:
    pack.link.outcomes["charge_current_limit_a"] = Outcome.REFUSED
    with pytest.raises(HomeAssistantError):
        await changes(pack).async_apply({"charge_current_limit_a": 40})
    assert changes(pack).memory.writes_so_far() == ATTEMPTS


async def test_settings_of_another_version_are_forgotten(pack: Pack, packs: Packs, hass: HomeAssistant) -> None:
    memory = changes(pack).memory
    memory.plan = {"no_such_setting": 1}
    memory.loans = {"no_such_setting": Loan(1, (2,), dt_util.utcnow())}
    memory.snapshots = {"before": {"no_such_setting": 1, "cell_count": 16}}
    await changes(pack).async_save()
    await hass.config_entries.async_unload(pack.entry.entry_id)
    await packs.set_up(pack, *PACK_32S)
    memory = changes(pack).memory
    assert (memory.plan, memory.loans, memory.snapshots) == ({}, {}, {"before": {"cell_count": 16}})


async def test_what_was_changed_meanwhile_is_noticed_before_the_write(pack: Pack) -> None:
    """The app has set something since the settings were last read: its value is the old one, and the order's."""
    pack.link.said[type(SETTINGS_32S)] = replace(SETTINGS_32S, charge_current_limit_a=33)
    (change,) = await changes(pack).async_apply({"charge_current_limit_a": 40})
    assert change.old == 33


async def test_what_cell_info_shows_is_read_anew_before_the_write(pack: Pack) -> None:
    """A periodic link has last heard of it long ago: the emergency mode has ended by itself, the load was switched."""
    await pack.give(telemetry_32s(emergency_countdown_s=60, current_a=-20.0))
    pack.link.said[type(telemetry_32s())] = telemetry_32s(emergency_countdown_s=0, current_a=-2.0)
    (change,) = await changes(pack).async_apply({"emergency": True})
    assert (change.old, change.result) == (False, "verified")
    assert pack.link.written == [("emergency", True)]
    with pytest.raises(ServiceValidationError, match="20 A is far from what Keller measures at the moment, -2 A"):
        await changes(pack).async_apply({"current_calibration_a": 20}, confirm=True)


async def test_writes_of_a_day(packs: Packs) -> None:
    pack = await packs.add(*PACK_32S, permission=Permission.ALL, writes_per_day=2)
    await changes(pack).async_apply({"charge_current_limit_a": 40})
    await changes(pack).async_apply({"charge_current_limit_a": 41})
    with pytest.raises(ServiceValidationError, match="written to 2 times today, and 2 times a day are allowed"):
        await changes(pack).async_apply({"charge_current_limit_a": 42})
    with pytest.raises(ServiceValidationError, match="2 times a day"):
        await changes(pack).async_instruct(Instruction.RESTART)
    # Switching off is always possible; switching on again has time.
    await changes(pack).async_apply({"charge_switch": False, "discharge_switch": False})
    with pytest.raises(ServiceValidationError, match="4 times today"):
        await changes(pack).async_apply({"charge_switch": True})
    await packs.advance(24 * 3600)
    await pack.give(telemetry_32s())
    await changes(pack).async_apply({"charge_switch": True})


async def test_who_it_was(pack: Pack, hass: HomeAssistant) -> None:
    user = await hass.auth.async_create_user("Anna")
    context = Context(user_id=user.id)
    (change,) = await changes(pack).async_apply({"charge_current_limit_a": 40}, context=context)
    assert change.by == Author("user", "Anna")
    run = Context(parent_id="trigger")
    hass.states.async_set("automation.winter", "on", context=run)
    (change,) = await changes(pack).async_apply({"charge_current_limit_a": 41}, context=run)
    assert change.by == Author("automation", "automation.winter")
    (change,) = await changes(pack).async_apply({"charge_current_limit_a": 42}, context=Context())
    assert change.by == HOME_ASSISTANT
    (change,) = await changes(pack).async_apply({"charge_current_limit_a": 43}, context=Context(user_id="gone"))
    assert change.by == HOME_ASSISTANT


async def test_what_the_owner_wrote_is_nobodys_business(pack: Pack) -> None:
    (change,) = await changes(pack).async_apply({"user_data": "my secret"})
    assert pack.link.written == [("user_data", "my secret")]
    assert (change.old, change.new) == ("…", "…")
    pack.link.outcomes["user_data"] = Outcome.REFUSED
    with pytest.raises(HomeAssistantError) as raised:
        await changes(pack).async_apply({"user_data": "another one"})
    assert "another one" not in str(raised.value)


async def test_commands(pack: Pack) -> None:
    change = await changes(pack).async_instruct(Instruction.RESTART)
    assert (change.key, change.result) == ("restart", "sent")
    for dangerous in set(Instruction) - {Instruction.RESTART}:
        with pytest.raises(ServiceValidationError, match="Repeat the action"):
            await changes(pack).async_instruct(dangerous)
        assert (await changes(pack).async_instruct(dangerous, confirm=True)).result == "sent"
    pack.link.writing_fails_with = LinkProblem.BUSY
    with pytest.raises(HomeAssistantError, match="in use by another device"):
        await changes(pack).async_instruct(Instruction.RESTART)


async def test_a_command_whose_caller_gives_up_is_recorded(pack: Pack, hass: HomeAssistant) -> None:
    async with changes(pack)._lock:
        commanding = asyncio.create_task(changes(pack).async_instruct(Instruction.RESTART))
        for _ in range(10):
            await asyncio.sleep(0)
        commanding.cancel()
    await hass.async_block_till_done()
    assert [each.key for each in changes(pack).memory.changes] == ["restart"]


async def test_loaded_settings_are_shown_at_once(pack: Pack) -> None:
    pack.link.said[type(SETTINGS_32S)] = replace(SETTINGS_32S, charge_current_limit_a=25.0)
    await changes(pack).async_instruct(Instruction.FACTORY_RESET, confirm=True)
    assert pack.coordinator.state.settings
    assert pack.coordinator.state.settings.charge_current_limit_a == 25
    pack.link.said.pop(type(SETTINGS_32S))
    assert (await changes(pack).async_instruct(Instruction.LOAD_LFP_DEFAULTS, confirm=True)).result == "sent"


async def test_commands_are_for_newer_boards(packs: Packs) -> None:
    pack = await packs.add(*PACK_24S, **ALL)
    with pytest.raises(ServiceValidationError, match="doesn't have"):
        await changes(pack).async_instruct(Instruction.FACTORY_RESET, confirm=True)
    assert pack.link.written == []


async def test_commands_need_permission(packs: Packs) -> None:
    pack = await packs.add(*PACK_32S, permission=Permission.SWITCHES)
    with pytest.raises(ServiceValidationError, match="may not be changed"):
        await changes(pack).async_instruct(Instruction.RESTART)


async def test_whose_change_it_was(pack: Pack, packs: Packs) -> None:
    def last() -> str:
        return str(pack.get("setting_changed", Platform.EVENT).attributes[ATTR_EVENT_TYPE])

    async def by_the_app(current_a: float) -> None:
        await pack.give(replace(SETTINGS_32S, charge_current_limit_a=current_a))

    await changes(pack).async_apply({"charge_current_limit_a": 40})
    assert last() == "changed_here"
    await by_the_app(30)
    assert last() == "changed_elsewhere"
    await by_the_app(40)
    assert last() == "changed_elsewhere", "what was written here once doesn't count for ever"
    pack.link.outcomes["charge_current_limit_a"] = Outcome.REFUSED
    with pytest.raises(HomeAssistantError):
        await changes(pack).async_apply({"charge_current_limit_a": 50})
    await by_the_app(50)
    assert last() == "changed_elsewhere", "what the board refused wasn't made here"
    await changes(pack).async_instruct(Instruction.LOAD_LFP_DEFAULTS, confirm=True)
    await by_the_app(25)
    assert last() == "changed_here"
    await packs.advance(61)
    await pack.give(telemetry_32s())
    await by_the_app(26)
    assert last() == "changed_elsewhere"


async def test_the_record_survives_a_restart(pack: Pack, packs: Packs, hass: HomeAssistant) -> None:
    await changes(pack).async_apply({"charge_current_limit_a": 40})
    (recorded,) = changes(pack).memory.changes
    await hass.config_entries.async_unload(pack.entry.entry_id)
    await packs.set_up(pack, *PACK_32S)
    assert changes(pack).memory.changes == [recorded]
    assert changes(pack).memory.writes_so_far() == 1
    assert (await MemoryStore(hass, pack.entry.entry_id).load()).changes == [recorded]
    await hass.config_entries.async_remove(pack.entry.entry_id)
    assert (await MemoryStore(hass, pack.entry.entry_id).load()).changes == []


async def test_the_record_has_an_end(pack: Pack) -> None:
    memory = changes(pack).memory
    for number in range(CHANGES_KEPT + 5):
        memory.note(Change(dt_util.utcnow(), "charge_current_limit_a", number, number + 1, HOME_ASSISTANT, "verified"))
    assert [change.old for change in memory.changes] == list(range(5, CHANGES_KEPT + 5))


async def test_a_stop_in_the_middle_is_told_of(pack: Pack, packs: Packs, hass: HomeAssistant) -> None:
    """As after a crash: of three values that were to be written, the first has arrived."""
    changes(pack).memory.plan = {
        "charge_current_limit_a": 100,
        "discharge_current_limit_a": 90.0,
        "balance_current_limit_a": 1.5,
    }
    await changes(pack).async_save()
    await hass.config_entries.async_unload(pack.entry.entry_id)
    await packs.set_up(pack, *PACK_32S)
    issue = ir.async_get(hass).async_get_issue(DOMAIN, f"interrupted_{pack.entry.entry_id}")
    assert issue
    assert issue.translation_placeholders == {
        "name": "Keller",
        "written": "Charge current limit",
        "missing": "Discharge current limit, Balance current limit",
    }
    assert [each.result for each in changes(pack).memory.changes] == ["verified", "not_written", "not_written"]
    assert changes(pack).memory.plan == {}
    flow = await async_create_fix_flow(hass, issue.issue_id, issue.data)
    assert isinstance(flow, ConfirmRepairFlow)


async def test_an_orderly_stop_in_the_middle_is_told_of_as_well(pack: Pack, packs: Packs, hass: HomeAssistant) -> None:
    """Whoever asked for the change hears of nothing any more when the link is let go."""

    async def while_writing() -> None:
        if len(pack.link.written) == 2:
            hass.set_state(CoreState.stopping)
            pack.link.writing_fails_with = LinkProblem.CONNECTION_FAILED
            pack.link.outcomes["discharge_current_limit_a"] = Outcome.UNKNOWN

    pack.link.while_writing = while_writing
    with pytest.raises(HomeAssistantError):
        await changes(pack).async_apply(
            {"charge_current_limit_a": 40, "discharge_current_limit_a": 90, "balance_current_limit_a": 1}
        )
    hass.bus.async_fire(EVENT_HOMEASSISTANT_FINAL_WRITE)
    await hass.async_block_till_done()
    hass.set_state(CoreState.running)
    await hass.config_entries.async_unload(pack.entry.entry_id)
    await packs.set_up(pack, PACK_32S[0], replace(SETTINGS_32S, charge_current_limit_a=40.0), PACK_32S[2])
    issue = ir.async_get(hass).async_get_issue(DOMAIN, f"interrupted_{pack.entry.entry_id}")
    assert issue
    assert issue.translation_placeholders == {
        "name": "Keller",
        "written": "Charge current limit",
        "missing": "Discharge current limit, Balance current limit",
    }


async def test_a_stop_while_a_reading_was_corrected(pack: Pack, packs: Packs, hass: HomeAssistant) -> None:
    """The clock goes on, and a reading may be right by itself: neither tells what became of the write."""
    changes(pack).memory.plan = {"clock_s": 500, "current_calibration_a": abs(telemetry_32s().current_a or 0)}
    await changes(pack).async_save()
    await hass.config_entries.async_unload(pack.entry.entry_id)
    await packs.set_up(pack, *PACK_V19)
    assert [each.result for each in changes(pack).memory.changes] == ["unknown", "unknown"]


async def test_a_stop_after_the_last_write_is_nobodys_business(pack: Pack, packs: Packs, hass: HomeAssistant) -> None:
    changes(pack).memory.plan = {"charge_current_limit_a": 100}
    await changes(pack).async_save()
    await hass.config_entries.async_unload(pack.entry.entry_id)
    await packs.set_up(pack, *PACK_32S)
    assert ir.async_get(hass).async_get_issue(DOMAIN, f"interrupted_{pack.entry.entry_id}") is None


async def test_a_stop_in_the_middle_and_no_settings_to_compare(pack: Pack, packs: Packs, hass: HomeAssistant) -> None:
    changes(pack).memory.plan = {"charge_current_limit_a": 100}
    await changes(pack).async_save()
    await hass.config_entries.async_unload(pack.entry.entry_id)
    await packs.set_up(pack, DEVICE_INFO_32S, telemetry_32s())
    assert [each.result for each in changes(pack).memory.changes] == ["unknown"]
    assert ir.async_get(hass).async_get_issue(DOMAIN, f"interrupted_{pack.entry.entry_id}")


async def test_what_a_balancer_has(packs: Packs) -> None:
    pack = await packs.add(*BALANCER, **ALL)
    state = pack.coordinator.state
    has = {key for key, setting in SETTINGS_BY_KEY.items() if register_of(setting, state)}
    assert has == {
        "balancer_switch",
        "balance_start_voltage_v",
        "balance_trigger_voltage_v",
        "balance_current_limit_a",
        "cell_count",
    }


async def test_what_no_frame_has_said_is_not_there(packs: Packs) -> None:
    pack = await packs.add(DEVICE_INFO_32S, telemetry_32s(), **ALL)
    state = pack.coordinator.state
    assert register_of(SETTINGS_BY_KEY["charge_switch"], state) is None
    assert register_of(SETTINGS_BY_KEY["emergency"], state)


async def test_all_settings_can_be_written_one_by_one(packs: Packs) -> None:
    """The switches, too: each control bit changes itself and nothing else."""
    pack = await packs.add(*PACK_32S, permission=Permission.ALL, writes_per_day=500)
    for name in CONTROL_BITS:
        settings = pack.coordinator.state.settings
        assert settings
        before = settings.control_bits
        assert before is not None
        await changes(pack).async_apply({name: not settings.control(name)}, confirm=True)
        settings = pack.coordinator.state.settings
        assert settings
        assert settings.control_bits == before ^ (1 << CONTROL_BITS.index(name))


async def test_jk04_has_its_own_registers(packs: Packs) -> None:
    pack = await packs.add(*PACK_JK04, **ALL)
    await changes(pack).async_apply({"balance_trigger_voltage_v": 0.009})
    assert pack.link.written == [("balance_trigger_voltage_v", 0.009)]
    assert pack.coordinator.state.settings == replace(SETTINGS_JK04, balance_trigger_voltage_v=0.009)
