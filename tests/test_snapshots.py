"""Settings are saved, compared and restored."""

from __future__ import annotations

import struct
from dataclasses import replace
from typing import Any

import pytest
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError

from custom_components.jk_bms.bms.writing import Outcome
from custom_components.jk_bms.permission import Permission
from custom_components.jk_bms.snapshots import MOST_SNAPSHOTS, Difference, Snapshots, settings_of

from .pack_values import SETTINGS_32S, SETTINGS_JK04, telemetry_32s
from .packs import PACK_24S, PACK_32S, PACK_JK04, Pack, Packs


@pytest.fixture
async def pack(packs: Packs) -> Pack:
    """A pack that may be changed in everything."""
    return await packs.add(*PACK_32S, permission=Permission.ALL)


def snapshots(pack: Pack) -> Snapshots:
    return pack.coordinator.snapshots


async def test_what_was_saved_returns_exactly(pack: Pack) -> None:
    await pack.give(replace(SETTINGS_32S, charge_current_limit_a=25.553))  # finer than a user could write it
    await snapshots(pack).async_save("before")
    await pack.coordinator.changes.async_apply({"charge_current_limit_a": 40, "heating_allowed": True})
    assert await snapshots(pack).async_differences("before") == [
        Difference("charge_current_limit_a", 40, 25.553, possible=True),
        Difference("heating_allowed", present=True, saved=False, possible=True),
    ]
    changed = await snapshots(pack).async_restore("before", context=None, confirm=False)
    assert [(each.key, each.new) for each in changed] == [
        ("charge_current_limit_a", 25.553),
        ("heating_allowed", False),
    ]
    assert await snapshots(pack).async_differences("before") == []


async def test_what_is_not_part_of_it(pack: Pack) -> None:
    saved = await snapshots(pack).async_save("all")
    assert not {"charge_switch", "discharge_switch", "balancer_switch", "emergency", "clock_s", "user_data"} & set(
        saved
    )
    assert {"cell_overvoltage_v", "cell_count", "heating_allowed", "nominal_capacity_ah"} <= set(saved)


@pytest.mark.parametrize("first", [PACK_24S, PACK_JK04])
async def test_older_boards(packs: Packs, first: tuple[Any, ...]) -> None:
    pack = await packs.add(*first, permission=Permission.ALL)
    saved = await snapshots(pack).async_save("all")
    assert saved == settings_of(pack.coordinator.state)
    assert "balance_start_voltage_v" in saved
    assert not [key for key in saved if "calibration" in key], "of this board's own parts, and of no other's"


async def test_an_end_of_a_range_that_floats_miss_returns(packs: Packs) -> None:
    """JK04 boards keep 3.7 V as 3.70000005 V, which is beyond what they take."""
    highest_v = struct.unpack("<f", struct.pack("<f", 3.7))[0]
    settings = replace(SETTINGS_JK04, power_off_voltage_v=highest_v)
    pack = await packs.add(PACK_JK04[0], settings, PACK_JK04[2], permission=Permission.ALL)
    await snapshots(pack).async_save("before")
    await pack.coordinator.changes.async_apply({"power_off_voltage_v": 3.0})
    await snapshots(pack).async_restore("before", context=None, confirm=False)
    assert pack.coordinator.state.settings == settings


async def test_it_survives_a_restart(pack: Pack, packs: Packs, hass: HomeAssistant) -> None:
    saved = await snapshots(pack).async_save("before")
    await hass.config_entries.async_unload(pack.entry.entry_id)
    await packs.set_up(pack, *PACK_32S)
    assert snapshots(pack).names == ["before"]
    assert pack.coordinator.changes.memory.snapshots["before"] == saved
    assert await snapshots(pack).async_differences("before") == []


async def test_a_copy_of_the_same_name_is_replaced(pack: Pack) -> None:
    await snapshots(pack).async_save("one")
    await snapshots(pack).async_save("two")
    await pack.coordinator.changes.async_apply({"charge_current_limit_a": 40})
    await snapshots(pack).async_save("one")
    assert snapshots(pack).names == ["two", "one"]
    assert await snapshots(pack).async_differences("one") == []


async def test_there_is_an_end_of_copies(pack: Pack) -> None:
    for number in range(MOST_SNAPSHOTS):
        await snapshots(pack).async_save(f"copy {number}")
    with pytest.raises(ServiceValidationError, match="There are 10 copies already: copy 0, copy 1"):
        await snapshots(pack).async_save("one more")
    await snapshots(pack).async_save("copy 3")


async def test_no_copy_of_that_name(pack: Pack) -> None:
    with pytest.raises(ServiceValidationError, match=r'no copy of settings named "lost"\. There are: -'):
        await snapshots(pack).async_differences("lost")


async def test_the_first_refusal_ends_it_and_says_what_was_written(pack: Pack) -> None:
    await snapshots(pack).async_save("before")
    await pack.coordinator.changes.async_apply(
        {"charge_current_limit_a": 40, "discharge_current_limit_a": 50, "balance_current_limit_a": 1}
    )
    pack.link.outcomes["discharge_current_limit_a"] = Outcome.REFUSED
    with pytest.raises(HomeAssistantError, match=r"Written before: Charge current limit.* any more: Balance current"):
        await snapshots(pack).async_restore("before", context=None, confirm=False)


async def test_what_was_saved_in_no_order_returns_to_that(packs: Packs) -> None:
    """Recorded boards have settings that are in the wrong order among themselves."""
    settings = replace(SETTINGS_32S, soc_0_cell_voltage_v=2.9, cell_undervoltage_recovery_v=2.85)
    pack = await packs.add(PACK_32S[0], settings, PACK_32S[2], permission=Permission.ALL)
    await snapshots(pack).async_save("before")
    await pack.coordinator.changes.async_apply({"cell_undervoltage_recovery_v": 2.95})
    await snapshots(pack).async_restore("before", context=None, confirm=False)
    assert pack.coordinator.state.settings == settings


async def test_dangerous_settings_want_a_confirmation_here_as_well(pack: Pack) -> None:
    await snapshots(pack).async_save("before")
    await pack.coordinator.changes.async_apply({"cell_count": 15}, confirm=True)
    pack.link.written.clear()
    with pytest.raises(ServiceValidationError, match="Repeat the action"):
        await snapshots(pack).async_restore("before", context=None, confirm=False)
    assert pack.link.written == []
    await snapshots(pack).async_restore("before", context=None, confirm=True)
    assert pack.link.written == [("cell_count", 16)]


async def test_settings_that_the_board_has_no_more(pack: Pack) -> None:
    """As after an exchange of the board: what it doesn't have is shown, and left out."""
    await snapshots(pack).async_save("before")
    await pack.give(replace(SETTINGS_32S, smart_sleep_delay_h=0, charge_current_limit_a=40.0), telemetry_32s())
    found = await snapshots(pack).async_differences("before")
    assert Difference("smart_sleep_delay_h", 0, 24, possible=False) in found
    changed = await snapshots(pack).async_restore("before", context=None, confirm=False)
    assert [each.key for each in changed] == ["charge_current_limit_a"]
