"""Binary sensors: alarms one by one and in sum, and what the pack does."""

from __future__ import annotations

from dataclasses import replace

import pytest
from homeassistant.const import Platform

from custom_components.jk_bms.battery.hazards import Family
from custom_components.jk_bms.binary_sensor import MATTER_MOST
from custom_components.jk_bms.bms.alarms import Alarm
from custom_components.jk_bms.bms.telemetry import BalanceAction

from .acting_home import Plant
from .pack_values import SETTINGS_32S, telemetry_32s
from .packs import BALANCER, PACK_24S, PACK_32S, PACK_JK04, Pack, Packs
from .test_acting import HEATED_C


def is_on(pack: Pack, key: str) -> bool:
    state = pack.value(key, Platform.BINARY_SENSOR)
    assert state in ("on", "off")
    return state == "on"


def test_sixteen_matter() -> None:
    assert len(MATTER_MOST) == 16


@pytest.mark.usefixtures("all_enabled")
@pytest.mark.parametrize("alarm", Alarm)
async def test_each_bit_has_its_sensor(packs: Packs, alarm: Alarm) -> None:
    pack = await packs.add(*PACK_32S)
    await pack.give(telemetry_32s(alarm_bits=1 << alarm))
    assert [other for other in Alarm if is_on(pack, f"alarm_{other.key}")] == [alarm]
    await pack.give(telemetry_32s())
    assert not is_on(pack, f"alarm_{alarm.key}")


async def test_boards_have_the_alarms_of_their_generation(packs: Packs) -> None:
    pack = await packs.add(*PACK_24S)
    there = [alarm for alarm in Alarm if pack.entity_id(Platform.BINARY_SENSOR, f"alarm_{alarm.key}")]
    assert there == list(range(16))
    oldest = await packs.add(*PACK_JK04, address="C8:47:80:00:00:02")
    assert oldest.entity_id(Platform.BINARY_SENSOR, "alarm_cell_count") is None
    assert oldest.entity_id(Platform.BINARY_SENSOR, "problem") is None


async def test_problem_sums_up(packs: Packs) -> None:
    pack = await packs.add(*PACK_32S)
    assert not is_on(pack, "problem")
    await pack.give(telemetry_32s(alarm_bits=1 << Alarm.DEFAULT_PASSWORD | 1 << Alarm.GPS_DISCONNECTED))
    assert not is_on(pack, "problem")
    for bits, listed in (
        (1 << Alarm.LEAD_RESISTANCE, ["lead_resistance"]),
        (1 << Alarm.LEAD_RESISTANCE | 1 << Alarm.CELL_OVERVOLTAGE, ["lead_resistance", "cell_overvoltage"]),
        (1 << Alarm.CELL_OVERVOLTAGE | 1 << Alarm.DEFAULT_PASSWORD, ["cell_overvoltage"]),
    ):
        await pack.give(telemetry_32s(alarm_bits=bits))
        assert is_on(pack, "problem")
        assert pack.get("problem", Platform.BINARY_SENSOR).attributes["alarms"] == listed


async def test_allowed_is_not_conducting(packs: Packs) -> None:
    pack = await packs.add(*PACK_32S)
    await pack.give(telemetry_32s(charge_mosfet=False))
    assert not is_on(pack, "charge_mosfet")
    assert is_on(pack, "charge_allowed")
    await pack.give(replace(SETTINGS_32S, charge_switch=False))
    assert not is_on(pack, "charge_allowed")
    assert is_on(pack, "discharge_allowed")


async def test_charging_and_discharging(packs: Packs) -> None:
    pack = await packs.add(*PACK_32S)
    for current_a, expected in ((10.0, (True, False)), (0.05, (False, False)), (-4.0, (False, True))):
        await pack.give(telemetry_32s(current_a=current_a))
        assert (is_on(pack, "charging"), is_on(pack, "discharging")) == expected


async def test_balancing(packs: Packs) -> None:
    pack = await packs.add(*PACK_32S)
    assert not is_on(pack, "balancing")
    await pack.give(telemetry_32s(balance_action=BalanceAction.CHARGING))
    assert is_on(pack, "balancing")
    await pack.give(telemetry_32s(balance_action=None))
    assert pack.value("balancing", Platform.BINARY_SENSOR) == "unknown"


@pytest.mark.usefixtures("all_enabled")
async def test_control_bits(packs: Packs) -> None:
    pack = await packs.add(*PACK_32S)
    assert is_on(pack, "setting_port_rs485")
    assert is_on(pack, "setting_smart_sleep")
    assert not is_on(pack, "setting_heating_allowed")
    await pack.give(replace(SETTINGS_32S, control_bits=1))
    assert not is_on(pack, "setting_port_rs485")
    assert is_on(pack, "setting_heating_allowed")


async def test_a_balancer_allows_nothing(packs: Packs) -> None:
    pack = await packs.add(*BALANCER)
    for key in ("charge_allowed", "charge_mosfet", "charging", "setting_smart_sleep"):
        assert pack.entity_id(Platform.BINARY_SENSOR, key) is None
    assert is_on(pack, "balancing")


async def test_heat_is_a_hazard_of_the_temperature(packs: Packs) -> None:
    """Also what only the forecast or the difference between the probes tells."""
    plant = await Plant.add(packs, celsius=HEATED_C, spread_c=20)
    await plant.run(5)
    hazard = plant.pack.get("hazard_temperature", Platform.BINARY_SENSOR)
    assert hazard.state == "on"
    assert "heat" in [each["key"] for each in hazard.attributes["hazards"]]
    others = [family for family in Family if family not in (Family.TEMPERATURE, Family.DATA)]
    assert [plant.value(f"hazard_{family}", Platform.BINARY_SENSOR) for family in others] == ["off"] * len(others)
