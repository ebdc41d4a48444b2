"""Numbers: which there are, between what they can be set, and that they show only what the board says."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from homeassistant.components.number.const import DOMAIN as NUMBER
from homeassistant.components.number.const import SERVICE_SET_VALUE
from homeassistant.const import ATTR_ENTITY_ID, STATE_UNKNOWN, Platform
from homeassistant.core import Context, HomeAssistant
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError
from homeassistant.helpers import entity_registry as er

from custom_components.jk_bms.bms.link import LinkProblem
from custom_components.jk_bms.bms.registers import SETTINGS_BY_KEY, Danger, Kind
from custom_components.jk_bms.bms.telemetry import Chemistry
from custom_components.jk_bms.bms.writing import Outcome
from custom_components.jk_bms.number import NUMBERS

from .pack_values import DEVICE_INFO_32S, SETTINGS_32S, telemetry_32s
from .packs import BALANCER, PACK_24S, PACK_32S, PACK_JK04, PACK_V19, Pack, Packs

pytestmark = pytest.mark.usefixtures("all_enabled")

UNIT = "unit_of_measurement"


def present(pack: Pack) -> set[str]:
    """Return the keys of a pack's numbers."""
    return {description.key for description in NUMBERS if pack.entity_id(Platform.NUMBER, description.key) is not None}


async def set_number(hass: HomeAssistant, pack: Pack, key: str, value: float, context: Context | None = None) -> None:
    data = {ATTR_ENTITY_ID: pack.get(key, Platform.NUMBER).entity_id, "value": value}
    await hass.services.async_call(NUMBER, SERVICE_SET_VALUE, data, blocking=True, context=context)


async def test_numbers_of_a_board_that_has_them_all(packs: Packs) -> None:
    pack = await packs.add(*PACK_V19, permission="all")
    expected = {
        key: setting
        for key, setting in SETTINGS_BY_KEY.items()
        if setting.kind is Kind.NUMBER and setting.danger is Danger.SETTING and key != "clock_s"
    }
    assert present(pack) == set(expected)
    for key, setting in expected.items():
        state = pack.get(key, Platform.NUMBER)
        attributes = state.attributes
        assert state.state != STATE_UNKNOWN, key
        assert (attributes["mode"], attributes["step"]) == ("box", setting.step), key
        assert attributes[UNIT].replace("μ", "µ") == setting.unit, key


async def test_numbers_of_other_boards(packs: Packs) -> None:
    older = await packs.add(*PACK_32S, permission="all")
    missing = {
        *("discharge_undertemperature_c", "discharge_undertemperature_recovery_c"),  # software 19
        *("requested_charge_time_h", "requested_float_time_h"),  # this one doesn't say them
        *("emergency_duration_min", "rebulk_state_of_charge_pct"),
    }
    everything = {description.key for description in NUMBERS}
    assert present(older) == everything - missing

    of_24s = await packs.add(*PACK_24S, address="C8:47:80:00:00:02", permission="all")
    assert present(of_24s) == everything - missing - {
        *("discharge_precharge_time_s", "smart_sleep_delay_h"),
        *("heating_start_temperature_c", "heating_stop_temperature_c"),
    }
    balancing = {"balance_start_voltage_v", "balance_trigger_voltage_v", "balance_current_limit_a"}
    of_jk04 = await packs.add(*PACK_JK04, address="C8:47:80:00:00:03", permission="all")
    assert present(of_jk04) == balancing | {"power_off_voltage_v"}
    of_balancer = await packs.add(*BALANCER, address="C8:47:80:00:00:04", permission="all")
    assert present(of_balancer) == balancing


async def test_what_a_board_says_later_gets_its_number_then(packs: Packs) -> None:
    info, settings, telemetry = PACK_V19
    pack = await packs.add(info, telemetry, permission="all")
    assert "cell_overvoltage_v" not in present(pack)
    await pack.give(settings)
    assert pack.value("cell_overvoltage_v", Platform.NUMBER) == "3.6"


@pytest.mark.parametrize("permission", ["read_only", "switches"])
async def test_no_numbers_without_permission(packs: Packs, permission: str) -> None:
    pack = await packs.add(*PACK_V19, permission=permission)
    assert present(pack) == set()


async def test_a_permission_that_is_taken_back_leaves_the_value_and_refuses(packs: Packs, hass: HomeAssistant) -> None:
    pack = await packs.add(*PACK_V19, permission="all")
    before = present(pack)
    hass.config_entries.async_update_entry(pack.entry, options={"permission": "switches"})
    await hass.config_entries.async_unload(pack.entry.entry_id)
    await packs.set_up(pack, *PACK_V19)

    assert present(pack) == before
    assert pack.value("cell_overvoltage_v", Platform.NUMBER) == "3.6"
    with pytest.raises(ServiceValidationError) as raised:
        await set_number(hass, pack, "cell_overvoltage_v", 3.55)
    assert raised.value.translation_key == "needs_permission_all"
    assert pack.link.written == []


async def test_a_number_that_was_deleted_stays_away(packs: Packs, hass: HomeAssistant) -> None:
    pack = await packs.add(*PACK_V19, permission="all")
    hass.config_entries.async_update_entry(pack.entry, options={})
    await hass.config_entries.async_unload(pack.entry.entry_id)
    entity_id = pack.entity_id(Platform.NUMBER, "cell_overvoltage_v")
    assert entity_id
    er.async_get(hass).async_remove(entity_id)
    await packs.set_up(pack, *PACK_V19)
    assert pack.entity_id(Platform.NUMBER, "cell_overvoltage_v") is None


@pytest.mark.parametrize(
    ("key", "value", "shown"),
    [
        ("cell_overvoltage_v", 3.65, "3.65"),
        ("charge_current_limit_a", 80.04, "80.0"),
        ("charge_overcurrent_delay_s", 12, "12"),
        ("discharge_undertemperature_c", -15, "-15"),
        ("requested_charge_time_h", 1.5, "1.5"),
        ("rebulk_state_of_charge_pct", 40, "40"),
    ],
)
async def test_a_change_is_shown_when_the_board_says_it(
    packs: Packs, hass: HomeAssistant, key: str, value: float, shown: str
) -> None:
    pack = await packs.add(*PACK_V19, permission="all")
    seen: list[str] = []

    async def look() -> None:
        seen.append(pack.value(key, Platform.NUMBER))

    before = pack.value(key, Platform.NUMBER)
    pack.link.while_writing = look
    await set_number(hass, pack, key, value)
    assert seen == [before], "shown before the board has said it"
    assert float(pack.value(key, Platform.NUMBER)) == float(shown)
    ((written, new),) = pack.link.written
    assert (written, new) == (key, float(shown))


async def test_who_made_a_change_is_known(packs: Packs, hass: HomeAssistant) -> None:
    pack = await packs.add(*PACK_V19, permission="all")
    user = await hass.auth.async_create_user("Anna")
    await set_number(hass, pack, "cell_overvoltage_v", 3.65, Context(user_id=user.id))
    (change,) = pack.coordinator.changes.memory.changes
    assert (change.key, change.old, change.new, change.by.name) == ("cell_overvoltage_v", 3.6, 3.65, "Anna")


@pytest.mark.parametrize("outcome", [Outcome.REFUSED, Outcome.UNKNOWN])
async def test_a_change_that_the_board_did_not_confirm_changes_nothing(
    packs: Packs, hass: HomeAssistant, outcome: Outcome
) -> None:
    pack = await packs.add(*PACK_V19, permission="all")
    pack.link.outcomes["cell_overvoltage_v"] = outcome
    with pytest.raises(HomeAssistantError) as raised:
        await set_number(hass, pack, "cell_overvoltage_v", 3.65)
    assert raised.value.translation_key == f"write_{outcome}"
    assert pack.value("cell_overvoltage_v", Platform.NUMBER) == "3.6"


async def test_no_link(packs: Packs, hass: HomeAssistant) -> None:
    pack = await packs.add(*PACK_V19, permission="all")
    pack.link.writing_fails_with = LinkProblem.OUT_OF_RANGE
    with pytest.raises(HomeAssistantError) as raised:
        await set_number(hass, pack, "cell_overvoltage_v", 3.65)
    assert raised.value.translation_key == "link_out_of_range"
    assert pack.value("cell_overvoltage_v", Platform.NUMBER) == "3.6"


async def test_the_order_of_the_limits(packs: Packs, hass: HomeAssistant) -> None:
    pack = await packs.add(*PACK_V19, permission="all")
    with pytest.raises(ServiceValidationError) as raised:
        await set_number(hass, pack, "cell_overvoltage_v", 3.44)
    assert raised.value.translation_key == "wrong_order"
    assert pack.link.written == []


@pytest.mark.parametrize(
    ("key", "lowest", "highest"),
    [
        ("cell_overvoltage_v", 1.2, 3.65),  # LFP
        ("charge_undertemperature_c", 0, 20),
        ("charge_current_limit_a", 1, 200),  # what the model is rated for
        ("balance_current_limit_a", 0.3, 2),
        ("smart_sleep_delay_h", 1, 100),
    ],
)
async def test_bounds(packs: Packs, hass: HomeAssistant, key: str, lowest: float, highest: float) -> None:
    pack = await packs.add(*PACK_V19, permission="all")
    attributes = pack.get(key, Platform.NUMBER).attributes
    assert (attributes["min"], attributes["max"]) == (lowest, highest)
    for value in (lowest - 0.1, highest + 0.1):
        with pytest.raises(ServiceValidationError) as raised:
            await set_number(hass, pack, key, value)
        assert raised.value.translation_key == "out_of_range"
    assert pack.link.written == []


async def test_bounds_follow_the_chemistry(packs: Packs) -> None:
    info, settings, _ = PACK_V19
    pack = await packs.add(info, settings, telemetry_32s(chemistry=Chemistry.LFP), permission="all", publish_interval=1)
    assert pack.get("cell_overvoltage_v", Platform.NUMBER).attributes["max"] == 3.65
    packs.tick(2)
    await pack.give(telemetry_32s(chemistry=Chemistry.LI_ION))
    assert pack.get("cell_overvoltage_v", Platform.NUMBER).attributes["max"] == 4.2


async def test_a_value_beyond_the_bounds_is_shown_and_can_only_be_tightened(packs: Packs, hass: HomeAssistant) -> None:
    factory = replace(SETTINGS_32S, charge_undertemperature_c=-20.0, charge_undertemperature_recovery_c=-10.0)
    pack = await packs.add(DEVICE_INFO_32S, factory, telemetry_32s(), permission="all")
    state = pack.get("charge_undertemperature_c", Platform.NUMBER)
    assert (state.state, state.attributes["min"]) == ("-20.0", -20)
    await set_number(hass, pack, "charge_undertemperature_c", -15)
    with pytest.raises(ServiceValidationError):
        await set_number(hass, pack, "charge_undertemperature_c", -21)
    assert pack.link.written == [("charge_undertemperature_c", -15)]


async def test_a_setting_that_the_board_stops_having_keeps_its_bounds(packs: Packs) -> None:
    pack = await packs.add(*PACK_V19, permission="all", publish_interval=1)
    packs.tick(2)
    await pack.give(replace(SETTINGS_32S, smart_sleep_delay_h=0), telemetry_32s())
    state = pack.get("smart_sleep_delay_h", Platform.NUMBER)
    assert (state.state, state.attributes["min"], state.attributes["max"]) == ("0", 1, 100)


@pytest.mark.parametrize(
    ("key", "device_class", "unit"),
    [
        ("cell_overvoltage_v", "voltage", "V"),
        ("charge_current_limit_a", "current", "A"),
        ("charge_overtemperature_c", "temperature", "°C"),
        ("short_circuit_delay_us", "duration", "μs"),
        ("emergency_duration_min", "duration", "min"),
        ("rebulk_state_of_charge_pct", None, "%"),
    ],
)
async def test_quantities(packs: Packs, key: str, device_class: str | None, unit: str) -> None:
    pack = await packs.add(*PACK_V19, permission="all")
    attributes: Any = pack.get(key, Platform.NUMBER).attributes
    assert (attributes.get("device_class"), attributes[UNIT]) == (device_class, unit)


async def test_the_oldest_boards_say_floats(packs: Packs) -> None:
    info, settings, telemetry = PACK_JK04
    in_float32 = replace(settings, balance_start_voltage_v=3.4200000762939453)
    pack = await packs.add(info, in_float32, telemetry, permission="all")
    assert pack.value("balance_start_voltage_v", Platform.NUMBER) == "3.42"
