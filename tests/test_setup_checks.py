"""Hints about the set-up come when there is a reason, go with it, and are silent once ignored."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from unittest.mock import patch

import pytest
from homeassistant.const import STATE_OFF, STATE_UNAVAILABLE
from homeassistant.core import CoreState, HomeAssistant
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers import issue_registry as ir

from custom_components.jk_bms.battery.thermal.interface import ThermalLevel
from custom_components.jk_bms.bms.telemetry import Chemistry
from custom_components.jk_bms.const import DOMAIN
from custom_components.jk_bms.repairs import Issue
from custom_components.jk_bms.setup_checks import SetupIssue

from .fake_link import FakeLink
from .pack_values import telemetry_32s
from .packs import BALANCER, PACK_32S, PACK_JK04, Pack, Packs
from .test_guard import Frames
from .test_repairs import MINUTE_S, raised

INFO, SETTINGS, TELEMETRY = PACK_32S
FACTORY: dict[str, Any] = {
    "charge_overtemperature_c": 70,
    "discharge_overtemperature_c": 70,
    "charge_undertemperature_c": -20,
}


def hint(hass: HomeAssistant, pack: Pack, issue: SetupIssue) -> ir.IssueEntry:
    """Return a hint that there is."""
    found = ir.async_get(hass).async_get_issue(DOMAIN, f"{issue}_{pack.entry.entry_id}")
    assert found
    return found


def said(hass: HomeAssistant, pack: Pack, issue: SetupIssue) -> dict[str, str]:
    return hint(hass, pack, issue).translation_placeholders or {}


def level_of(pack: Pack) -> ThermalLevel | None:
    return pack.coordinator.state.assessment.thermal.level


@pytest.mark.parametrize("first", [PACK_32S, PACK_JK04, BALANCER], ids=["usual", "no probes", "balancer"])
@pytest.mark.parametrize("mode", ["dry_run", "act"])
async def test_a_pack_that_nothing_is_wrong_with(hass: HomeAssistant, packs: Packs, first: Any, mode: str) -> None:
    await packs.add(*first, guardian_mode=mode)
    await packs.advance(MINUTE_S)
    assert not raised(hass)


@pytest.mark.parametrize(
    ("chemistry", "settings", "found"),
    [
        (Chemistry.LI_ION, FACTORY, {SetupIssue.HOT_LIMITS, SetupIssue.COLD_CHARGE}),
        (Chemistry.LI_ION, {"discharge_overtemperature_c": 61}, {SetupIssue.HOT_LIMITS}),
        (Chemistry.LI_ION, {"discharge_overtemperature_c": 60, "charge_undertemperature_c": 0}, set()),
        (Chemistry.LI_ION, {"charge_undertemperature_c": -1}, {SetupIssue.COLD_CHARGE}),
        (Chemistry.LI_ION, dict.fromkeys(FACTORY), set()),
        (Chemistry.LTO, {"charge_undertemperature_c": -30}, set()),
        (Chemistry.LTO, {"charge_undertemperature_c": -31}, {SetupIssue.COLD_CHARGE}),
        (None, FACTORY | {"cell_overvoltage_v": 0}, {SetupIssue.HOT_LIMITS, SetupIssue.COLD_CHARGE}),
    ],
)
async def test_limits_of_the_board(
    hass: HomeAssistant, packs: Packs, chemistry: Chemistry | None, settings: dict[str, Any], found: set[SetupIssue]
) -> None:
    await packs.add(INFO, replace(SETTINGS, **settings), telemetry_32s(chemistry=chemistry))
    assert raised(hass) == found, "at once, at set-up"


async def test_limits_of_the_board_in_words(hass: HomeAssistant, packs: Packs) -> None:
    settings = replace(SETTINGS, **{**FACTORY, "discharge_overtemperature_c": None})
    pack = await packs.add(INFO, settings, telemetry_32s(chemistry=Chemistry.LI_ION))
    assert said(hass, pack, SetupIssue.HOT_LIMITS) == {
        "name": "Keller",
        "charge": "70 °C",
        "discharge": "-",
        "limit": "60 °C",
    }
    assert said(hass, pack, SetupIssue.COLD_CHARGE) == {"name": "Keller", "present": "-20 °C", "limit": "0 °C"}
    await pack.give(SETTINGS)
    await packs.advance(MINUTE_S)
    assert not raised(hass), "the owner has set them right"


async def test_limits_of_an_lfp_pack_are_among_the_settings_to_review(hass: HomeAssistant, packs: Packs) -> None:
    await packs.add(INFO, replace(SETTINGS, **FACTORY), TELEMETRY)
    await packs.advance(MINUTE_S)
    assert raised(hass) == {Issue.SETTINGS_TO_REVIEW}


async def test_one_probe_only(hass: HomeAssistant, packs: Packs) -> None:
    pack = await packs.add(INFO, SETTINGS, telemetry_32s(temperature_2_c=None))
    assert raised(hass) == {SetupIssue.ONE_PROBE}
    await pack.give(telemetry_32s(counter=2))
    await pack.give(telemetry_32s(counter=3))
    await packs.advance(MINUTE_S)
    assert not raised(hass)


async def test_a_probe_that_has_been_broken_for_ten_minutes(hass: HomeAssistant, packs: Packs) -> None:
    pack = await packs.add(*PACK_32S)
    frames = Frames(packs, pack)
    await frames.run(60)
    await frames.run(800, temperature_2_c=-200.0)
    assert pack.coordinator.state.assessment.thermal.probe_faults
    await packs.advance(MINUTE_S)
    assert not raised(hass), "a fault for eight minutes may be gone in the ninth"
    await frames.run(200, temperature_2_c=-200.0)
    await packs.advance(MINUTE_S)
    assert raised(hass) == {SetupIssue.PROBE_FAULT}
    assert said(hass, pack, SetupIssue.PROBE_FAULT) == {"name": "Keller", "probes": "T2"}
    await frames.run(300)
    await packs.advance(MINUTE_S)
    assert not raised(hass)


@pytest.mark.parametrize(
    ("options", "missing"),
    [
        ({}, False),
        ({"reduce_level": 2}, True),
        ({"stop_charge_switch": "switch.charger"}, True),
        ({"stop_discharge_switch": "switch.inverter", "guardian_mode": "act"}, True),
        ({"both_off_switch": "switch.contactor"}, True),
        ({"reduce_level": 2, "guardian_mode": "watch"}, False),
        ({"reduce_level": 2, "guardian_mode": "off"}, False),
        ({"reduce_level": 2, "cooling_entity": "fan.box"}, False),
    ],
)
async def test_nothing_to_cool_with(hass: HomeAssistant, packs: Packs, options: dict[str, Any], missing: bool) -> None:
    for key, entity_id in options.items():
        if key.endswith(("_switch", "_entity")):
            hass.states.async_set(entity_id, STATE_OFF)
    await packs.add(*PACK_32S, **options)
    assert raised(hass) == ({SetupIssue.NO_COOLING} if missing else set())


async def test_what_is_to_be_driven_does_not_exist(hass: HomeAssistant, packs: Packs) -> None:
    hass.set_state(CoreState.starting)
    hass.states.async_set("switch.inverter", STATE_UNAVAILABLE)
    options: dict[str, Any] = {"cooling_entity": "fan.box", "stop_discharge_switch": "switch.inverter"}
    pack = await packs.add(*PACK_32S, **options, both_off_switch="switch.contactor")
    await packs.advance(MINUTE_S)
    assert not raised(hass), "it may come yet"
    hass.set_state(CoreState.running)
    await packs.advance(MINUTE_S)
    assert raised(hass) == {SetupIssue.ENTITY_MISSING}
    assert said(hass, pack, SetupIssue.ENTITY_MISSING) == {
        "name": "Keller",
        "entities": "fan.box (Cooling), switch.contactor (Everything off)",
    }
    registry = er.async_get(hass)
    entity_id = registry.async_get_or_create("fan", "test", "1", suggested_object_id="box").entity_id
    hass.states.async_set("switch.contactor", STATE_OFF)
    await packs.advance(MINUTE_S)
    assert not raised(hass)
    registry.async_update_entity(entity_id, disabled_by=er.RegistryEntryDisabler.USER)
    await packs.advance(MINUTE_S)
    assert said(hass, pack, SetupIssue.ENTITY_MISSING)["entities"] == "fan.box (Cooling)"
    registry.async_remove(entity_id)
    await packs.advance(MINUTE_S)
    assert raised(hass) == {SetupIssue.ENTITY_MISSING}


@pytest.mark.parametrize(
    ("first", "options", "found"),
    [
        (PACK_32S, {"stop_charge": True}, "Stop charging"),
        (PACK_32S, {"stop_charge": True, "both_off": True}, "Stop charging, Everything off"),
        (PACK_32S, {"stop_charge": True, "guardian_mode": "act"}, "Stop charging"),
        (PACK_32S, {"stop_charge": True, "guardian_mode": "watch"}, None),
        (PACK_32S, {"stop_charge": True, "permission": "switches"}, None),
        (PACK_JK04, {"stop_charge": True, "permission": "all"}, "Stop charging"),
        (PACK_JK04, {"permission": "all"}, None),
    ],
)
async def test_what_the_board_can_not_do(
    hass: HomeAssistant, packs: Packs, first: Any, options: dict[str, Any], found: str | None
) -> None:
    hass.states.async_set("fan.box", STATE_OFF)
    pack = await packs.add(*first, cooling_entity="fan.box", **options)
    assert raised(hass) == ({SetupIssue.NOT_BY_BOARD} if found else set())
    if found:
        assert said(hass, pack, SetupIssue.NOT_BY_BOARD) == {"name": "Keller", "actions": found}


async def test_cooling_that_was_missed_once(hass: HomeAssistant, packs: Packs) -> None:
    pack = await packs.add(*PACK_32S)
    frames = Frames(packs, pack)
    await frames.run(60, temperature_1_c=44.0, temperature_2_c=44.0)
    assert level_of(pack) is ThermalLevel.COOL
    await packs.advance(MINUTE_S)
    assert raised(hass) == {SetupIssue.NO_COOLING}
    for step in range(80):
        temperature_c = max(44 - step * 0.2, 35 + step % 2 / 10)
        await frames.run(30, temperature_1_c=temperature_c, temperature_2_c=temperature_c)
    assert level_of(pack) is ThermalLevel.NORMAL
    await packs.advance(MINUTE_S)
    assert raised(hass) == {SetupIssue.NO_COOLING}, "it may come again"


async def test_thresholds_that_the_board_has_overtaken(hass: HomeAssistant, packs: Packs) -> None:
    chosen = {"cell_high_warning": 3.56, "heat_stop": 52}
    pack = await packs.add(*PACK_32S, thresholds=chosen)
    assert not raised(hass)
    await pack.give(replace(SETTINGS, cell_overvoltage_v=3.55, discharge_overtemperature_c=50))
    await packs.advance(MINUTE_S)
    assert raised(hass) == {SetupIssue.THRESHOLDS_OVERTAKEN}
    assert said(hass, pack, SetupIssue.THRESHOLDS_OVERTAKEN)["thresholds"] == (
        "Highest cell: warning: 3.56 V (3.46 … 3.52 V); Level 3, stop: now: 52 °C (47 … 47 °C)"
    )
    await pack.give(SETTINGS)
    await packs.advance(MINUTE_S)
    assert not raised(hass)


async def test_nothing_is_said_of_settings_that_are_not_known(hass: HomeAssistant, packs: Packs) -> None:
    pack = await packs.add(INFO, TELEMETRY, thresholds={"heat_stop": 90})
    assert not raised(hass)
    await pack.give(SETTINGS)
    await packs.advance(MINUTE_S)
    assert raised(hass) == {SetupIssue.THRESHOLDS_OVERTAKEN}


async def test_what_is_ignored_stays_so_over_a_reload(hass: HomeAssistant, packs: Packs) -> None:
    first = (INFO, SETTINGS, telemetry_32s(temperature_2_c=None))
    pack = await packs.add(*first, reduce_level=2)
    assert raised(hass) == {SetupIssue.ONE_PROBE, SetupIssue.NO_COOLING}
    ir.async_ignore_issue(hass, DOMAIN, hint(hass, pack, SetupIssue.ONE_PROBE).issue_id, ignore=True)

    assert await hass.config_entries.async_unload(pack.entry.entry_id)
    assert raised(hass) == {SetupIssue.ONE_PROBE}, "nobody looks any more, but this is not to come back as new"
    with patch.object(FakeLink, "first", first):
        assert await hass.config_entries.async_setup(pack.entry.entry_id)
    assert hint(hass, pack, SetupIssue.ONE_PROBE).dismissed_version is not None
    assert hint(hass, pack, SetupIssue.NO_COOLING).dismissed_version is None

    assert await hass.config_entries.async_remove(pack.entry.entry_id)
    assert not raised(hass)
