"""What the options of an entry mean to the guardian."""

from __future__ import annotations

from typing import Any

import pytest
from homeassistant.const import Platform

from custom_components.jk_bms.battery.acting.interface import ActionsConfig, Cooling, Mode, Stop, Target
from custom_components.jk_bms.battery.protection import ProtectionConfig
from custom_components.jk_bms.bms.link import LinkMode
from custom_components.jk_bms.bms.telemetry import Chemistry
from custom_components.jk_bms.guardian_options import GuardianOptions, guardian_options, mode_of

from .pack_values import telemetry_32s
from .packs import PACK_32S, Pack, Packs
from .test_guard import Frames


def causes(pack: Pack) -> set[str]:
    return {finding.cause for finding in pack.coordinator.state.assessment.findings}


def test_nothing_chosen_is_a_dry_run_that_does_nothing() -> None:
    assert guardian_options({}) == GuardianOptions(
        mode=Mode.DRY_RUN,
        ambient_entity=None,
        protection=ProtectionConfig(),
        heat={},
        actions=ActionsConfig(),
        entities={},
    )


@pytest.mark.parametrize("mode", Mode)
def test_mode(mode: Mode) -> None:
    assert mode_of({"guardian_mode": str(mode)}) is mode
    assert guardian_options({"guardian_mode": str(mode)}).mode is mode


def test_what_the_guardian_goes_by() -> None:
    options = guardian_options(
        {
            "chemistry": "lto",
            "ambient_entity": "sensor.cellar",
            "thresholds": {"cell_high_warning": 2.68, "heat_cool": 50.0, "heat_cool_release": 48.0},
        },
        rated_current_a=200,
    )
    assert options.protection == ProtectionConfig(
        chemistry=Chemistry.LTO, thresholds={"cell_high_warning": 2.68}, rated_current_a=200
    )
    assert options.heat == {"heat_cool": 50.0, "heat_cool_release": 48.0}
    assert options.ambient_entity == "sensor.cellar"


@pytest.mark.parametrize(
    ("options", "period_s"),
    [
        ({}, 0.5),
        ({"mode": LinkMode.LIVE, "interval": 300}, 0.5),
        ({"mode": LinkMode.PERIODIC}, 60),
        ({"mode": LinkMode.PERIODIC, "interval": 300}, 300),
    ],
)
def test_how_often_frames_are_to_be_expected(options: dict[str, Any], period_s: float) -> None:
    assert guardian_options(options).protection.frame_period_s == period_s


def test_actions() -> None:
    options = guardian_options(
        {
            "cooling_entity": "fan.box",
            "cooling_level": 2,
            "cooling_minutes": 5,
            "reduce_level": 1,
            "stop_charge": True,
            "stop_charge_switch": "switch.charger",
            "stop_charge_level": 2,
            "stop_discharge": False,
            "stop_discharge_switch": "switch.inverter",
            "both_off": True,
            "both_off_level": 3,
            "keep_supplied": True,
        }
    )
    assert options.actions == ActionsConfig(
        cooling=Cooling(level=2, least_run_s=300),
        reduce_level=1,
        stop_charge=Stop(level=2, by_board=True, by_switch=True),
        stop_discharge=Stop(level=3, by_switch=True),
        both_off=Stop(level=3, by_board=True),
        keep_supplied=True,
    )
    assert options.entities == {
        Target.COOLING: "fan.box",
        Target.SWITCH_CHARGE: "switch.charger",
        Target.SWITCH_DISCHARGE: "switch.inverter",
    }


def test_usual_levels_of_actions() -> None:
    options = guardian_options(
        {"cooling_entity": "fan.box", "stop_charge": True, "stop_discharge": True, "both_off_switch": "switch.all"}
    )
    assert options.actions == ActionsConfig(
        cooling=Cooling(level=1, least_run_s=600),
        stop_charge=Stop(level=3, by_board=True),
        stop_discharge=Stop(level=3, by_board=True),
        both_off=Stop(level=4, by_switch=True),
    )


async def test_the_model_of_the_board_says_what_no_current_can_be(packs: Packs) -> None:
    pack = await packs.add(*PACK_32S)  # JK_PB2A16S20P: 200 A
    frames = Frames(packs, pack)
    await frames.run(30, current_a=599.0)
    assert "current_reading" not in causes(pack)
    await frames.run(30, current_a=601.0)
    assert "current_reading" in causes(pack)


async def test_frames_count_once_the_board_has_said_which_it_is(packs: Packs) -> None:
    info, settings, telemetry = PACK_32S
    pack = await packs.add(telemetry, settings, info, telemetry_32s(counter=2))
    await Frames(packs, pack).run(30, current_a=601.0)
    assert "current_reading" in causes(pack)


@pytest.mark.usefixtures("all_enabled")
async def test_the_chosen_chemistry_is_that_of_the_advice_too(packs: Packs) -> None:
    pack = await packs.add(*PACK_32S, chemistry="li_ion", permission="all")
    assert pack.coordinator.state.findings is None, "there is advice for LFP only"
    overvoltage = pack.get("cell_overvoltage_v", Platform.NUMBER).attributes
    assert overvoltage["max"] == 4.2
    lfp = await packs.add(*PACK_32S, address="C8:47:80:00:00:02", title="LFP", permission="all")
    assert lfp.coordinator.state.findings is not None
    assert lfp.get("cell_overvoltage_v", Platform.NUMBER).attributes["max"] == 3.65
