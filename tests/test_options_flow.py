"""The options: what each form offers, takes, refuses, and leaves alone."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any
from unittest.mock import patch

import probatio
import pytest
from homeassistant.config_entries import ConfigEntryState, ConfigFlowResult
from homeassistant.const import Platform
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType, InvalidData
from homeassistant.helpers import config_validation as cv

from custom_components.jk_bms.battery.acting.interface import Mode
from custom_components.jk_bms.battery.chosen import Choice
from custom_components.jk_bms.battery.hazards import Family
from custom_components.jk_bms.battery.thermal.chosen import KEYS as HEAT_KEYS
from custom_components.jk_bms.bms.telemetry import Chemistry
from custom_components.jk_bms.options_flow import MENU

from .fake_link import FakeLink
from .pack_values import SETTINGS_32S
from .packs import PACK_32S, Pack, Packs

LINK: dict[str, Any] = {"advanced": {}}
NOTHING: dict[str, dict[str, Any]] = {
    "cooling": {},
    "reduce": {},
    "stop_charge": {},
    "stop_discharge": {},
    "both_off": {},
}
USUAL_ACTIONS = {
    "cooling_level": 1,
    "cooling_minutes": 10,
    "stop_charge": False,
    "stop_charge_level": 3,
    "stop_discharge": False,
    "stop_discharge_level": 3,
    "keep_supplied": False,
    "both_off": False,
    "both_off_level": 4,
}
LFP = Choice(Chemistry.LFP, SETTINGS_32S)
NO_THRESHOLD: dict[str, dict[str, float]] = {
    family: {} for family in (*(family.value for family in Family if family is not Family.BMS_FAULT), "heat")
}


@pytest.fixture
async def pack(packs: Packs) -> AsyncIterator[Pack]:
    """Return a pack that is there again after each reload."""
    with patch.object(FakeLink, "first", PACK_32S):
        yield await packs.add(*PACK_32S)


async def form(pack: Pack, step: str) -> ConfigFlowResult:
    """Open one form of the options."""
    flow = pack.hass.config_entries.options
    result = await flow.async_init(pack.entry.entry_id)
    assert (result["type"], result["step_id"]) == (FlowResultType.MENU, "init")
    result = await flow.async_configure(result["flow_id"], {"next_step_id": step})
    assert (result["type"], result["step_id"]) == (FlowResultType.FORM, step)
    return result


async def submit(pack: Pack, result: ConfigFlowResult, entered: Mapping[str, object]) -> ConfigFlowResult:
    """Submit the form at hand, and wait until what comes of it holds."""
    result = await pack.hass.config_entries.options.async_configure(result["flow_id"], dict(entered))
    await pack.hass.async_block_till_done()
    return result


async def choose(pack: Pack, step: str, entered: Mapping[str, object]) -> dict[str, Any]:
    """Fill in one form; return the options that the entry has then."""
    result = await submit(pack, await form(pack, step), entered)
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert pack.entry.state is ConfigEntryState.LOADED
    return dict(pack.entry.options)


def fields(result: ConfigFlowResult) -> dict[str, Any]:
    """Return the fields of a form as the frontend gets them, by name."""
    listed = probatio.to_field_list(result["data_schema"], custom_serializer=cv.custom_serializer)
    assert isinstance(listed, list)
    return {each["name"]: each for each in listed}


def within(result: ConfigFlowResult, section: str) -> dict[str, Any]:
    """Return the fields of a section, by name."""
    return {each["name"]: each for each in fields(result)[section]["schema"]}


def suggested(listed: Mapping[str, Any]) -> dict[str, object]:
    """Return what the fields are filled with."""
    return {
        name: field["description"]["suggested_value"]
        for name, field in listed.items()
        if "suggested_value" in field.get("description", {})
    }


async def test_menu(hass: HomeAssistant, pack: Pack) -> None:
    result = await hass.config_entries.options.async_init(pack.entry.entry_id)
    assert result["menu_options"] == list(MENU)


@pytest.mark.parametrize("step", MENU)
async def test_who_has_many_packs_sees_which_one_it_is(pack: Pack, step: str) -> None:
    menu = await pack.hass.config_entries.options.async_init(pack.entry.entry_id)
    for result in (menu, await form(pack, step)):
        given = result["description_placeholders"]
        assert given is not None
        assert given["name"] == "Keller"


async def test_each_form_leaves_the_options_of_the_others(pack: Pack) -> None:
    await choose(pack, "link", LINK | {"mode": "live", "permission": "switches"})
    await choose(pack, "guardian", {"guardian_mode": "act", "ambient_entity": "sensor.cellar"})
    await choose(pack, "actions", NOTHING | {"stop_charge": {"stop_charge": True}})
    await choose(pack, "thresholds", NO_THRESHOLD | {"heat": {"heat_cool": 44}})
    assert await choose(pack, "link", LINK | {"permission": "all"}) == {
        "permission": "all",
        "mode": "live",
        "interval": 60,
        "publish_interval": 60,
        "pause_minutes": 10,
        "writes_per_day": 50,
        "guardian_mode": "act",
        "ambient_entity": "sensor.cellar",
        **USUAL_ACTIONS,
        "stop_charge": True,
        "thresholds": {"heat_cool": 44},
    }


# Reading and changing


async def test_link(pack: Pack) -> None:
    result = await form(pack, "link")
    assert list(fields(result)) == ["permission", "mode", "interval", "advanced"]
    entered = {
        "permission": "switches",
        "mode": "periodic",
        "interval": 300.0,
        "advanced": {"publish_interval": 5, "pause_minutes": 20, "writes_per_day": 30.0},
    }
    options = await choose(pack, "link", entered)
    assert options == {
        "permission": "switches",
        "mode": "periodic",
        "interval": 300,
        "publish_interval": 5,
        "pause_minutes": 20,
        "writes_per_day": 30,
    }
    assert pack.coordinator.stale_after_s == 600, "the new options hold from now on"

    result = await form(pack, "link")
    assert suggested(fields(result)) == {"permission": "switches", "mode": "periodic", "interval": 300}
    assert suggested(within(result, "advanced")) == {"publish_interval": 5, "pause_minutes": 20, "writes_per_day": 30}


async def test_nothing_may_be_changed_unless_the_owner_says_so(pack: Pack) -> None:
    options = await choose(pack, "link", LINK)
    assert (options["permission"], options["writes_per_day"]) == ("read_only", 50)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"permission": "some"}, "permission"),
        ({"mode": "often"}, "mode"),
        ({"interval": 29}, "interval"),
        ({"interval": 3601}, "interval"),
        ({"advanced": {"publish_interval": 0, "pause_minutes": 10}}, "publish_interval"),
        ({"advanced": {"publish_interval": 901, "pause_minutes": 10}}, "publish_interval"),
        ({"advanced": {"publish_interval": 60, "pause_minutes": 121}}, "pause_minutes"),
        ({"advanced": {"writes_per_day": 0}}, "writes_per_day"),
        ({"advanced": {"writes_per_day": 501}}, "writes_per_day"),
    ],
)
async def test_link_out_of_range_is_refused(pack: Pack, change: dict[str, object], field: str) -> None:
    good = {"mode": "live", "interval": 60, "advanced": {"publish_interval": 60, "pause_minutes": 10}}
    result = await form(pack, "link")
    with pytest.raises(InvalidData) as refused:
        await submit(pack, result, good | change)
    assert field in str(refused.value.schema_errors)
    assert (await submit(pack, result, good))["type"] is FlowResultType.CREATE_ENTRY


async def test_what_the_guardian_needs_is_not_forbidden_by_the_way(pack: Pack) -> None:
    await choose(pack, "link", LINK | {"permission": "switches"})
    await choose(pack, "actions", NOTHING | {"stop_charge": {"stop_charge": True}})
    result = await submit(pack, await form(pack, "link"), LINK | {"permission": "read_only", "interval": 90})
    assert result["errors"] == {"permission": "guardian_needs_switches"}
    assert suggested(fields(result))["interval"] == 90, "what was entered stays"
    result = await submit(pack, result, LINK | {"permission": "switches", "interval": 90})
    assert result["type"] is FlowResultType.CREATE_ENTRY
    await choose(pack, "actions", NOTHING)
    assert (await choose(pack, "link", LINK))["permission"] == "read_only"


# The guardian


async def test_guardian(pack: Pack) -> None:
    listed = fields(await form(pack, "guardian"))
    modes = listed["guardian_mode"]
    assert (modes["selector"]["select"]["options"], modes["default"]) == (list(Mode), "dry_run")
    entered = {"guardian_mode": "watch", "chemistry": "lto", "ambient_entity": "weather.home"}
    assert await choose(pack, "guardian", entered) == entered
    result = await form(pack, "guardian")
    assert suggested(fields(result)) == entered

    result = await submit(pack, result, {"guardian_mode": "act", "chemistry": "auto"})
    assert pack.entry.options == {"guardian_mode": "act"}, (
        "the chemistry is the board's, and nobody says how warm it is"
    )


# What the guardian may do


async def test_actions(pack: Pack) -> None:
    entered: dict[str, dict[str, Any]] = {
        "cooling": {"cooling_entity": "fan.box", "cooling_level": "2", "cooling_minutes": 5.0},
        "reduce": {"reduce_level": "1"},
        "stop_charge": {"stop_charge_switch": "switch.charger", "stop_charge_level": "2"},
        "stop_discharge": {"keep_supplied": True},
        "both_off": {"both_off_level": "3"},
    }
    options = {
        **USUAL_ACTIONS,
        "cooling_entity": "fan.box",
        "cooling_level": 2,
        "cooling_minutes": 5,
        "reduce_level": 1,
        "stop_charge_switch": "switch.charger",
        "stop_charge_level": 2,
        "keep_supplied": True,
        "both_off_level": 3,
    }
    assert await choose(pack, "actions", entered) == options
    result = await form(pack, "actions")
    assert {name for name, field in fields(result).items() if field["expanded"]} == {"cooling", "reduce", "stop_charge"}
    again = {name: suggested(within(result, name)) for name in fields(result)}
    assert again["cooling"] == entered["cooling"]
    assert again["reduce"] == entered["reduce"]
    assert again["stop_charge"] == entered["stop_charge"] | {"stop_charge": False}

    assert await choose(pack, "actions", NOTHING) == USUAL_ACTIONS, "what is left empty is not done"
    assert suggested(within(await form(pack, "actions"), "reduce")) == {}


@pytest.mark.parametrize("stop", ["stop_charge", "stop_discharge", "both_off"])
async def test_stopping_by_the_board_asks_for_permission(pack: Pack, stop: str) -> None:
    entered = NOTHING | {stop: {stop: True}, "cooling": {"cooling_entity": "fan.box"}}
    result = await submit(pack, await form(pack, "actions"), entered)
    assert (result["type"], result["step_id"]) == (FlowResultType.MENU, "permission")
    assert result["description_placeholders"] == {"name": "Keller"}
    assert pack.entry.options == {}

    result = await submit(pack, result, {"next_step_id": "actions"})
    assert {name for name, field in fields(result).items() if field["expanded"]} == {"cooling", stop}
    assert suggested(within(result, stop))[stop] is True
    assert suggested(within(result, "cooling"))["cooling_entity"] == "fan.box", "what was entered stays"

    result = await submit(pack, result, entered)
    result = await submit(pack, result, {"next_step_id": "allow_switches"})
    if stop != "stop_charge":
        assert (result["step_id"], pack.entry.options) == ("supply", {})
        result = await submit(pack, result, {})
    assert result["type"] is FlowResultType.CREATE_ENTRY
    options = USUAL_ACTIONS | {stop: True, "cooling_entity": "fan.box", "permission": "switches"}
    assert pack.entry.options == options


async def test_whoever_does_not_want_the_board_to_be_switched_goes_back(pack: Pack) -> None:
    result = await submit(pack, await form(pack, "actions"), NOTHING | {"stop_charge": {"stop_charge": True}})
    result = await submit(pack, result, {"next_step_id": "actions"})
    result = await submit(pack, result, NOTHING)
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert pack.entry.options == USUAL_ACTIONS


@pytest.mark.parametrize(
    "ends",
    [
        {"stop_discharge": {"stop_discharge": True}},
        {"stop_discharge": {"stop_discharge_switch": "switch.inverter"}},
        {"both_off": {"both_off": True}},
        {"both_off": {"both_off_switch": "switch.contactor"}},
    ],
)
async def test_who_ends_the_discharge_is_told_what_goes_dark(pack: Pack, ends: dict[str, Any]) -> None:
    await choose(pack, "link", LINK | {"permission": "switches"})
    before = dict(pack.entry.options)
    result = await submit(pack, await form(pack, "actions"), NOTHING | ends)
    assert (result["type"], result["step_id"]) == (FlowResultType.FORM, "supply")
    assert result["description_placeholders"] == {"name": "Keller"}
    assert pack.entry.options == before
    result = await submit(pack, result, {})
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert pack.entry.options == before | USUAL_ACTIONS | next(iter(ends.values()))

    more = NOTHING | ends | {"cooling": {"cooling_entity": "fan.box"}}
    assert (await choose(pack, "actions", more))["cooling_entity"] == "fan.box", "and is told once"


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"cooling": {"cooling_entity": "light.box"}}, "cooling_entity"),
        ({"cooling": {"cooling_level": "4"}}, "cooling_level"),
        ({"cooling": {"cooling_minutes": 0}}, "cooling_minutes"),
        ({"stop_charge": {"stop_charge_switch": "fan.box"}}, "stop_charge_switch"),
        ({"stop_charge": {"stop_charge_level": "1"}}, "stop_charge_level"),
        ({"both_off": {"both_off_level": "2"}}, "both_off_level"),
        ({"reduce": {"reduce_level": "4"}}, "reduce_level"),
    ],
)
async def test_what_makes_no_sense_is_refused(pack: Pack, wrong: dict[str, Any], field: str) -> None:
    result = await form(pack, "actions")
    with pytest.raises(InvalidData) as refused:
        await submit(pack, result, NOTHING | wrong)
    assert field in str(refused.value.schema_errors)
    assert (await submit(pack, result, NOTHING))["type"] is FlowResultType.CREATE_ENTRY


async def test_one_thing_is_for_one_action(pack: Pack) -> None:
    """A fan can't be the contactor, and an inverter not on for the one current and off for the other."""
    entered = NOTHING | {
        "cooling": {"cooling_entity": "switch.a"},
        "stop_charge": {"stop_charge_switch": "switch.b"},
        "stop_discharge": {"stop_discharge_switch": "switch.b"},
        "both_off": {"both_off_switch": "switch.a"},
    }
    result = await submit(pack, await form(pack, "actions"), entered)
    assert result["errors"] == {"stop_discharge": "used_twice", "both_off": "used_twice"}


async def test_packs_share_a_thing_for_the_same_action_only(pack: Pack, packs: Packs) -> None:
    """One fan may cool both; what is on for the one and off for the other would be switched to and fro."""
    pack.hass.config.language = "de"
    await packs.add(
        *PACK_32S,
        address="C8:47:80:00:00:02",
        title="Garage",
        cooling_entity="switch.fan",
        stop_charge_switch="switch.charger",
    )
    entered = NOTHING | {
        "cooling": {"cooling_entity": "switch.charger"},
        "stop_charge": {"stop_charge_switch": "switch.fan"},
    }
    result = await submit(pack, await form(pack, "actions"), entered)
    assert result["errors"] == {"cooling": "used_elsewhere", "stop_charge": "used_elsewhere"}
    assert result["description_placeholders"]
    named = result["description_placeholders"]["elsewhere"]
    assert sorted(named.split(", ")) == ["Garage (Kühlen)", "Garage (Laden stoppen)"]
    entered = NOTHING | {
        "cooling": {"cooling_entity": "switch.fan"},
        "stop_charge": {"stop_charge_switch": "switch.charger"},
    }
    assert (await submit(pack, result, entered))["type"] is FlowResultType.CREATE_ENTRY


async def test_the_packs_own_switches_are_no_switches_of_the_owners(pack: Pack) -> None:
    own = pack.entity_id(Platform.SWITCH, "pause")
    assert own
    selector = within(await form(pack, "actions"), "stop_charge")["stop_charge_switch"]["selector"]["entity"]
    assert own in selector["exclude_entities"]


# Thresholds


async def test_thresholds(pack: Pack) -> None:
    result = await form(pack, "thresholds")
    shown = {name: within(result, name) for name in fields(result)}
    assert list(shown) == list(NO_THRESHOLD)
    assert sorted(key for keys in shown.values() for key in keys) == sorted(LFP.keys())
    assert all(field["expanded"] is False for field in fields(result).values())
    said = result["description_placeholders"] or {}
    assert (said["cell_high_warning"], said["cell_high_warning_range"]) == ("3.52 V", "3.5 … 3.57 V")
    assert (said["spread_top_critical"], said["spread_top_critical_range"]) == ("0.2 V", "0.12 … 0.3 V")
    assert (said["spread_top_release"], said["spread_top_release_range"]) == ("0.7", "0.3 … 0.95")
    assert said["mos_hot_release"] == "5 K"
    assert said["probe_spread_advisory"] == "8 K"
    assert (said["heat_stop"], said["heat_stop_range"]) == ("52 °C", "49 … 52 °C")
    assert said["data_stale_warning"] == "600 s"
    assert said["charge_current_warning"] == "100 A"

    chosen = NO_THRESHOLD | {"cell_voltage": {"cell_high_warning": 3.51}, "heat": {"heat_cool": 44, "heat_stop": 50}}
    options = await choose(pack, "thresholds", chosen)
    assert options == {"thresholds": {"cell_high_warning": 3.51, "heat_cool": 44, "heat_stop": 50}}
    result = await form(pack, "thresholds")
    assert suggested(within(result, "heat")) == {"heat_cool": 44, "heat_stop": 50}
    assert (result["description_placeholders"] or {})["heat_cool"] == "43 °C", "it says what holds without it"

    assert await choose(pack, "thresholds", NO_THRESHOLD) == {}, "what is left empty is derived"


async def test_the_guardian_goes_by_what_is_chosen(pack: Pack) -> None:
    heat = {"heat_cool": 44, "heat_cool_release": 41}
    await choose(pack, "thresholds", NO_THRESHOLD | {"temperature": {"mos_hot_critical": 85}, "heat": heat})
    guardian = pack.coordinator.guard.guardian
    limits = {kind.value: limits.limits for kind, limits in guardian.limits.items()}
    assert limits["mos_hot"] == (70, 80, 85)
    thresholds = guardian.heat_config.thresholds
    assert (thresholds.cool_c, thresholds.cool_release_c, thresholds.reduce_c) == (44, 41, 48)


@pytest.mark.parametrize(
    ("entered", "problem"),
    [
        ({"cell_voltage": {"cell_high_warning": 3.7}}, "Highest cell: warning: 3.7 V (3.5 … 3.57 V)"),
        ({"cell_voltage": {"cell_high_release": 0.5}}, "Highest cell: release: 0.5 V (0.01 … 0.15 V)"),
        ({"spread": {"spread_top_critical": 0.1, "spread_top_warning": 0.15}}, "warning: 0.15 V (0.05 … 0.1 V)"),
        ({"spread": {"spread_plateau_warning": 0.001}}, "warning: 0.001 V (0.01 … 0.06 V)"),
        ({"heat": {"heat_stop": 53}}, "Level 3, stop: now: 53 °C (49 … 52 °C)"),
        ({"heat": {"heat_cool": 47, "heat_reduce": 47}}, "47 °C (43 … 46 °C)"),
    ],
    ids=[
        "beyond the board",
        "release",
        "order",
        "beyond the table",
        "too near to the board",
        "order of heat",
    ],
)
async def test_thresholds_that_cannot_be(pack: Pack, entered: dict[str, Any], problem: str) -> None:
    result = await submit(pack, await form(pack, "thresholds"), NO_THRESHOLD | entered)
    (section,) = entered
    assert result["errors"] == {section: "out_of_range"}
    assert problem in (result["description_placeholders"] or {})["problems"]
    assert [name for name, field in fields(result).items() if field["expanded"]] == [section]
    assert suggested(within(result, section)) == entered[section], "what was entered stays"
    result = await submit(pack, result, NO_THRESHOLD)
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert "thresholds" not in pack.entry.options


async def test_thresholds_of_cells_that_nobody_hears(hass: HomeAssistant, pack: Pack) -> None:
    chosen = NO_THRESHOLD | {"cell_voltage": {"cell_high_warning": 3.51}, "heat": {"heat_cool": 44}}
    await choose(pack, "thresholds", chosen)
    assert await hass.config_entries.async_unload(pack.entry.entry_id)
    result = await form(pack, "thresholds")
    assert list(fields(result)) == ["temperature", "current", "data", "heat"]
    assert sorted(within(result, "heat")) == sorted(HEAT_KEYS)
    result = await submit(pack, result, {"temperature": {}, "current": {}, "data": {}, "heat": {}})
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert pack.entry.options == {"thresholds": {"cell_high_warning": 3.51}}, "what isn't shown stays"


async def test_thresholds_are_those_of_the_chosen_chemistry(pack: Pack) -> None:
    await choose(pack, "guardian", {"chemistry": "lto"})
    said = (await form(pack, "thresholds"))["description_placeholders"] or {}
    assert (said["cell_high_warning"], said["heat_cool"]) == ("2.7 V", "50 °C")
