"""What was changed for a time returns when it is over, whatever happened meanwhile."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest
from homeassistant.const import STATE_UNKNOWN, Platform
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers import issue_registry as ir
from homeassistant.helpers.issue_registry import IssueEntry
from homeassistant.util import dt as dt_util
from pytest_homeassistant_custom_component.common import async_fire_time_changed

from custom_components.jk_bms.bms.link import LinkProblem
from custom_components.jk_bms.bms.registers import SettingValue
from custom_components.jk_bms.bms.writing import Outcome
from custom_components.jk_bms.const import CONF_PERMISSION, DEFAULT_WRITES_PER_DAY, DOMAIN
from custom_components.jk_bms.loans import NOT_RETURNED
from custom_components.jk_bms.permission import Permission

from .pack_values import SETTINGS_32S, telemetry_32s
from .packs import PACK_32S, Pack, Packs

CHARGE, DISCHARGE = "charge_current_limit_a", "discharge_current_limit_a"
FLOAT = "requested_float_voltage_v"
FORMER = SETTINGS_32S.charge_current_limit_a


@pytest.fixture
async def pack(packs: Packs) -> Pack:
    """A pack that may be changed in everything."""
    return await packs.add(*PACK_32S, permission=Permission.ALL)


async def lend(pack: Pack, values: dict[str, SettingValue], minutes: float = 60) -> None:
    """Change settings for a time."""
    until = dt_util.utcnow() + timedelta(minutes=minutes)
    await pack.coordinator.changes.async_apply(values, until=until)


async def later(pack: Pack, packs: Packs, minutes: float) -> None:
    """Let time pass; the pack goes on sending."""
    await packs.advance(60 * minutes)
    await pack.give(telemetry_32s())


def issue(pack: Pack, hass: HomeAssistant) -> IssueEntry | None:
    return ir.async_get(hass).async_get_issue(DOMAIN, f"{NOT_RETURNED}_{pack.entry.entry_id}")


def current(pack: Pack) -> float | None:
    assert pack.coordinator.state.settings
    return pack.coordinator.state.settings.charge_current_limit_a


async def test_the_former_value_returns(pack: Pack, packs: Packs) -> None:
    await lend(pack, {CHARGE: 40})
    await later(pack, packs, 59)
    assert current(pack) == 40
    await later(pack, packs, 1.1)
    assert current(pack) == FORMER
    assert pack.coordinator.changes.memory.loans == {}
    assert [change.new for change in pack.coordinator.changes.memory.changes] == [40, FORMER]


async def test_also_after_a_restart(pack: Pack, packs: Packs, hass: HomeAssistant) -> None:
    await lend(pack, {CHARGE: 40})
    await hass.config_entries.async_unload(pack.entry.entry_id)
    packs.tick(30 * 60)
    lent = replace(SETTINGS_32S, charge_current_limit_a=40.0)
    await packs.set_up(pack, PACK_32S[0], lent, PACK_32S[2])
    assert pack.link.written == []
    await later(pack, packs, 31)
    assert pack.link.written == [(CHARGE, FORMER)]


async def test_at_once_if_it_was_over_before_the_restart(pack: Pack, packs: Packs, hass: HomeAssistant) -> None:
    await lend(pack, {CHARGE: 40})
    await hass.config_entries.async_unload(pack.entry.entry_id)
    packs.tick(2 * 60 * 60)
    await packs.set_up(pack, PACK_32S[0], replace(SETTINGS_32S, charge_current_limit_a=40.0), PACK_32S[2])
    await later(pack, packs, 0.1)
    assert pack.link.written == [(CHARGE, FORMER)]


async def test_when_the_link_is_back(pack: Pack, packs: Packs, hass: HomeAssistant) -> None:
    await lend(pack, {CHARGE: 40})
    pack.link.writing_fails_with = LinkProblem.OUT_OF_RANGE
    await later(pack, packs, 61)
    told = issue(pack, hass)
    assert told
    assert told.translation_placeholders
    assert told.translation_placeholders["settings"] == "Charge current limit: 40 A → 100 A"
    assert "can't be heard" in told.translation_placeholders["reason"]
    assert pack.link.written == [(CHARGE, 40)]
    pack.link.writing_fails_with = None
    await later(pack, packs, 1.1)
    assert current(pack) == FORMER
    assert issue(pack, hass) is None


async def test_a_return_that_the_board_refuses_is_tried_again(pack: Pack, packs: Packs, hass: HomeAssistant) -> None:
    await lend(pack, {CHARGE: 40, DISCHARGE: 60})
    pack.link.outcomes[DISCHARGE] = Outcome.REFUSED
    await later(pack, packs, 61)
    assert current(pack) == FORMER
    assert issue(pack, hass)
    assert list(pack.coordinator.changes.memory.loans) == [DISCHARGE]
    del pack.link.outcomes[DISCHARGE]
    await later(pack, packs, 1.1)
    assert pack.coordinator.changes.memory.loans == {}
    assert issue(pack, hass) is None


async def test_what_somebody_has_changed_since_is_left_alone(pack: Pack, packs: Packs) -> None:
    await lend(pack, {CHARGE: 40})
    await pack.give(replace(SETTINGS_32S, charge_current_limit_a=55.0))  # by the app
    pack.link.written.clear()
    await later(pack, packs, 61)
    assert pack.link.written == []
    assert pack.coordinator.changes.memory.loans == {}


async def test_a_change_for_good_ends_it(pack: Pack, packs: Packs) -> None:
    await lend(pack, {CHARGE: 40})
    await pack.coordinator.changes.async_apply({CHARGE: 30})
    await later(pack, packs, 61)
    assert current(pack) == 30


async def test_the_same_value_for_good_ends_it_too(pack: Pack, packs: Packs) -> None:
    await lend(pack, {CHARGE: 40})
    await pack.coordinator.changes.async_apply({CHARGE: 40})
    await later(pack, packs, 61)
    assert current(pack) == 40


async def test_a_change_for_good_that_fails_does_not_end_it(pack: Pack, packs: Packs) -> None:
    await lend(pack, {CHARGE: 40})
    pack.link.outcomes[CHARGE] = Outcome.REFUSED
    with pytest.raises(HomeAssistantError):
        await pack.coordinator.changes.async_apply({CHARGE: 30})
    del pack.link.outcomes[CHARGE]
    await later(pack, packs, 61)
    assert current(pack) == FORMER


async def test_what_is_changed_again_returns_to_what_it_was_at_first(pack: Pack, packs: Packs) -> None:
    await lend(pack, {CHARGE: 40}, minutes=60)
    await lend(pack, {CHARGE: 50}, minutes=120)
    await later(pack, packs, 61)
    assert current(pack) == 50
    await later(pack, packs, 60)
    assert current(pack) == FORMER


async def test_a_second_change_that_the_board_refuses_leaves_the_first_as_it_was(pack: Pack, packs: Packs) -> None:
    await lend(pack, {CHARGE: 40}, minutes=60)
    pack.link.outcomes[CHARGE] = Outcome.REFUSED
    with pytest.raises(HomeAssistantError):
        await lend(pack, {CHARGE: 50}, minutes=120)
    del pack.link.outcomes[CHARGE]
    await later(pack, packs, 61)
    assert current(pack) == FORMER


@pytest.mark.parametrize("taken", [True, False])
async def test_a_second_change_of_unknown_fate(pack: Pack, packs: Packs, *, taken: bool) -> None:
    await lend(pack, {CHARGE: 40}, minutes=60)
    pack.link.outcomes[CHARGE] = Outcome.UNKNOWN
    with pytest.raises(HomeAssistantError):
        await lend(pack, {CHARGE: 50}, minutes=60)
    del pack.link.outcomes[CHARGE]
    await pack.give(replace(SETTINGS_32S, charge_current_limit_a=50.0 if taken else 40.0))
    await later(pack, packs, 61)
    assert current(pack) == FORMER


async def test_a_first_change_that_the_board_refuses_is_nothing_to_return(pack: Pack) -> None:
    pack.link.outcomes[CHARGE] = Outcome.REFUSED
    with pytest.raises(HomeAssistantError):
        await lend(pack, {CHARGE: 40})
    assert pack.coordinator.changes.memory.loans == {}


async def test_what_is_set_already_is_nothing_to_return(pack: Pack) -> None:
    await lend(pack, {CHARGE: FORMER or 0})
    assert pack.coordinator.changes.memory.loans == {}


async def test_the_way_back_is_counted_on_the_way_there(packs: Packs) -> None:
    pack = await packs.add(*PACK_32S, permission=Permission.ALL, writes_per_day=2)
    with pytest.raises(HomeAssistantError, match="2 times a day"):
        await lend(pack, {CHARGE: 40, DISCHARGE: 60})
    await lend(pack, {CHARGE: 40})
    await pack.coordinator.changes.async_apply({CHARGE: 41})
    assert pack.coordinator.changes.memory.loans == {}
    pack.coordinator.changes.memory.writes_today = 0
    await lend(pack, {CHARGE: 40})
    pack.coordinator.changes.memory.writes_today = 2
    await later(pack, packs, 61)
    assert current(pack) == 41


async def test_without_permission_any_more_the_owner_is_told(pack: Pack, packs: Packs, hass: HomeAssistant) -> None:
    await lend(pack, {CHARGE: 40})
    hass.config_entries.async_update_entry(pack.entry, options={CONF_PERMISSION: Permission.READ_ONLY})
    await hass.config_entries.async_unload(pack.entry.entry_id)
    await packs.set_up(pack, PACK_32S[0], replace(SETTINGS_32S, charge_current_limit_a=40.0), PACK_32S[2])
    await later(pack, packs, 61)
    assert pack.link.written == []
    told = issue(pack, hass)
    assert told
    assert told.translation_placeholders
    assert "may not be changed from Home Assistant" in told.translation_placeholders["reason"]


async def test_nothing_is_watched_after_the_pack_is_gone(pack: Pack, packs: Packs, hass: HomeAssistant) -> None:
    await lend(pack, {CHARGE: 40})
    link = pack.link
    await hass.config_entries.async_unload(pack.entry.entry_id)
    await packs.advance(2 * 60 * 60)
    assert link.written == [(CHARGE, 40)]


async def test_when_it_returns_is_shown(pack: Pack, packs: Packs) -> None:
    assert pack.value("limits_return") == STATE_UNKNOWN
    until = (dt_util.utcnow() + timedelta(minutes=60)).replace(microsecond=0)
    await lend(pack, {CHARGE: 40})
    await pack.give(telemetry_32s())
    assert pack.value("limits_return") == until.isoformat()
    await later(pack, packs, 61)
    await pack.give(telemetry_32s())
    assert pack.value("limits_return") == STATE_UNKNOWN


async def test_writes_are_counted(packs: Packs, all_enabled: None) -> None:
    pack = await packs.add(*PACK_32S, permission=Permission.ALL)
    assert pack.value("writes_today") == "0"
    await pack.coordinator.changes.async_apply({CHARGE: 40})
    await pack.give(telemetry_32s())
    assert pack.value("writes_today") == "1"


async def test_who_may_change_nothing_needs_no_counter(packs: Packs) -> None:
    pack = await packs.add(*PACK_32S)
    assert pack.entity_id(Platform.SENSOR, "writes_today") is None
    assert pack.entity_id(Platform.SENSOR, "limits_return") is None


async def test_a_caller_that_gives_up_has_it_returned_all_the_same(
    pack: Pack, packs: Packs, hass: HomeAssistant
) -> None:
    """As an automation that is started anew ends its own run, while the pack is busy with another change."""
    writing, go_on = asyncio.Event(), asyncio.Event()

    async def while_writing() -> None:
        writing.set()
        await go_on.wait()

    pack.link.while_writing = while_writing
    other = asyncio.create_task(pack.coordinator.changes.async_apply({DISCHARGE: 60}))
    await writing.wait()
    assert pack.coordinator.device
    data = {"device_id": pack.coordinator.device.id, "charge_current": 40, "for": {"minutes": 60}}
    lending = asyncio.create_task(hass.services.async_call(DOMAIN, "set_charge_limits", data, blocking=True))
    for _ in range(10):
        await asyncio.sleep(0)
    lending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await lending
    go_on.set()
    await other
    await hass.async_block_till_done()
    assert current(pack) == 40
    await later(pack, packs, 61)
    assert current(pack) == FORMER


async def test_what_is_lent_anew_while_it_is_about_to_return_stays(pack: Pack, packs: Packs) -> None:
    """As by an automation that lends for an hour every hour."""
    await lend(pack, {CHARGE: 40})
    lock = pack.coordinator.changes._lock
    await lock.acquire()
    packs.tick(60 * 60)
    async_fire_time_changed(packs.hass)
    for _ in range(10):
        await asyncio.sleep(0)
    again = asyncio.create_task(lend(pack, {CHARGE: 50}))
    for _ in range(10):
        await asyncio.sleep(0)
    lock.release()
    await again
    await packs.hass.async_block_till_done()
    assert current(pack) == 50
    await later(pack, packs, 61)
    assert current(pack) == FORMER


async def test_a_return_that_is_under_way_when_the_pack_goes_is_left_to_the_next_start(
    pack: Pack, packs: Packs, hass: HomeAssistant
) -> None:
    await lend(pack, {CHARGE: 40})
    link = pack.link

    async def while_writing() -> None:
        link.while_writing = lambda: asyncio.sleep(0)
        link.outcomes[CHARGE] = Outcome.UNKNOWN
        hass.async_create_task(hass.config_entries.async_unload(pack.entry.entry_id))
        await asyncio.sleep(0)

    link.while_writing = while_writing
    await packs.advance(61 * 60)
    written = len(link.written)
    await packs.advance(60)
    await packs.advance(60)
    assert len(link.written) == written


async def test_what_needs_no_return_any_more_is_no_reason_to_complain(
    pack: Pack, packs: Packs, hass: HomeAssistant
) -> None:
    await lend(pack, {CHARGE: 40})
    await pack.coordinator.changes.async_apply({CHARGE: 30})
    pack.link.writing_fails_with = LinkProblem.OUT_OF_RANGE
    await later(pack, packs, 61)
    assert issue(pack, hass) is None


async def test_a_board_that_refuses_is_not_written_to_every_minute(pack: Pack, packs: Packs) -> None:
    """Its memory doesn't bear that: a day of refusals stays below the writes that an owner has in a day."""
    await lend(pack, {CHARGE: 40})
    pack.link.outcomes[CHARGE] = Outcome.REFUSED
    await packs.advance(60 * 60)
    for _ in range(24 * 60):
        await packs.advance(60)
    assert 10 < len(pack.link.written) < DEFAULT_WRITES_PER_DAY


async def test_each_returns_in_its_own_time(pack: Pack, packs: Packs) -> None:
    await lend(pack, {CHARGE: 40}, minutes=60)
    await lend(pack, {DISCHARGE: 60}, minutes=120)
    await later(pack, packs, 61)
    assert current(pack) == FORMER
    assert list(pack.coordinator.changes.memory.loans) == [DISCHARGE]
    await later(pack, packs, 60)
    assert pack.coordinator.changes.memory.loans == {}


async def test_the_same_again_and_again_takes_no_more_room(pack: Pack) -> None:
    for _ in range(5):
        await lend(pack, {CHARGE: 40})
    assert pack.coordinator.changes.memory.loans[CHARGE].values == (40,)


async def test_what_was_in_no_order_before_returns_to_that(packs: Packs) -> None:
    """A recorded JK-PB2A16S20P has its float voltage above the over-voltage recovery and the voltage of SoC 100 %."""
    settings = replace(
        SETTINGS_32S,
        cell_overvoltage_recovery_v=3.419,
        soc_100_cell_voltage_v=3.425,
        requested_float_voltage_v=3.43,
        requested_charge_voltage_v=3.45,
    )
    pack = await packs.add(PACK_32S[0], settings, PACK_32S[2], permission=Permission.ALL)
    await lend(pack, {FLOAT: 3.35})
    await later(pack, packs, 61)
    assert pack.coordinator.state.settings == settings


async def test_what_would_be_in_no_order_now_does_not_return(pack: Pack, packs: Packs, hass: HomeAssistant) -> None:
    former = SETTINGS_32S.requested_float_voltage_v
    assert former
    await lend(pack, {FLOAT: former - 0.1})
    await pack.coordinator.changes.async_apply({"cell_overvoltage_recovery_v": former - 0.01})
    await later(pack, packs, 61)
    told = issue(pack, hass)
    assert told
    assert told.translation_placeholders
    assert "has to stay below" in told.translation_placeholders["reason"]
