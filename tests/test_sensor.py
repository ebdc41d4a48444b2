"""Sensors: which a device gets, what they show, what they remember."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from homeassistant.components.sensor import SensorEntityDescription
from homeassistant.const import Platform
from homeassistant.core import HomeAssistant, State
from homeassistant.helpers import device_registry as dr
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers import restore_state
from homeassistant.util import dt as dt_util
from syrupy.assertion import SnapshotAssertion

from custom_components.jk_bms.bms.telemetry import BalanceAction, ChargeState, DeviceInfo, Settings, Telemetry
from custom_components.jk_bms.guardian_sensor import GUARDIAN_SENSORS

from .pack_values import (
    DEVICE_INFO_24S,
    DEVICE_INFO_BALANCER,
    SETTINGS_24S,
    ladder,
    telemetry_24s,
    telemetry_32s,
    telemetry_balancer,
)
from .packs import ADDRESS, BALANCER, PACK_24S, PACK_32S, PACK_JK04, Pack, Packs

DEVICES = pytest.mark.parametrize(
    "values", [PACK_32S, PACK_24S, PACK_JK04, BALANCER], ids=["16 cells 32S", "8 cells 24S", "JK04", "active balancer"]
)

GUARDIAN_LIMIT = next(each for each in GUARDIAN_SENSORS if each.key == "heat_current_limit")


def listing(hass: HomeAssistant, pack: Pack) -> list[str]:
    """Return every entity of a pack in one line: what it is, and what it shows."""
    lines = []
    for entity in er.async_entries_for_config_entry(er.async_get(hass), pack.entry.entry_id):
        state = hass.states.get(entity.entity_id)
        key = entity.unique_id.removeprefix(f"{ADDRESS}_")
        shown = "off by default" if state is None else state.state
        attributes = {} if state is None else dict(state.attributes)
        unit = attributes.pop("unit_of_measurement", "")
        attributes.pop("friendly_name", None)
        attributes.pop("options", None)
        details = ", ".join(f"{name} {value}" for name, value in sorted(attributes.items()))
        category = f" [{entity.entity_category}]" if entity.entity_category else ""
        lines.append(
            f"{entity.entity_id} ({key}){category}: {shown} {unit}".rstrip() + (f"; {details}" if details else "")
        )
    return sorted(lines)


@DEVICES
@pytest.mark.usefixtures("all_enabled")
async def test_every_entity(
    packs: Packs,
    hass: HomeAssistant,
    snapshot: SnapshotAssertion,
    values: tuple[DeviceInfo | Settings | Telemetry, ...],
) -> None:
    pack = await packs.add(*values)
    await pack.give(values[-1])
    assert listing(hass, pack) == snapshot


async def test_what_is_off_by_default(packs: Packs, hass: HomeAssistant, snapshot: SnapshotAssertion) -> None:
    pack = await packs.add(*PACK_32S)
    off = [line.partition(":")[0] for line in listing(hass, pack) if line.endswith("off by default")]
    assert off == snapshot


async def test_device(packs: Packs, hass: HomeAssistant) -> None:
    pack = await packs.add(*PACK_32S)
    (device,) = dr.async_entries_for_config_entry(dr.async_get(hass), pack.entry.entry_id)
    assert device.connections == {(dr.CONNECTION_BLUETOOTH, ADDRESS)}
    assert (device.manufacturer, device.model, device.name) == ("Jikong", "JK_PB2A16S20P", "Keller")
    assert (device.hw_version, device.sw_version) == ("15A", "15.41")
    assert device.serial_number == "506036N4000000A"


async def test_energy_dashboard_takes_them(packs: Packs) -> None:
    pack = await packs.add(*PACK_32S)
    for key in ("energy_charged", "energy_discharged"):
        attributes = pack.get(key).attributes
        assert attributes["device_class"] == "energy"
        assert attributes["state_class"] == "total_increasing"
        assert attributes["unit_of_measurement"] == "kWh"


async def test_energy_counts_every_frame_and_survives_a_reload(packs: Packs, hass: HomeAssistant) -> None:
    pack = await packs.add(*PACK_32S)
    for _ in range(360):
        packs.tick(5)
        await pack.give(telemetry_32s(pack_voltage_v=50.0, current_a=20.0))
    # The first five seconds rise from the 529 W of the first frame.
    assert float(pack.value("energy_charged")) == pytest.approx(0.5, abs=0.02)
    assert pack.value("energy_discharged") == "0.0"
    packs.tick(5)
    await pack.give(telemetry_32s(pack_voltage_v=50.0, current_a=20.0))
    unpublished = pack.coordinator.state.energy.charged_kwh

    await hass.config_entries.async_unload(pack.entry.entry_id)
    await packs.set_up(pack, *PACK_32S)
    assert float(pack.value("energy_charged")) == pytest.approx(unpublished, abs=1e-4)
    for _ in range(12):
        packs.tick(5)
        await pack.give(telemetry_32s(pack_voltage_v=50.0, current_a=-12.0))
    assert float(pack.value("energy_charged")) == pytest.approx(unpublished, abs=1e-3)
    assert float(pack.value("energy_discharged")) == pytest.approx(0.01, abs=1e-3)


@pytest.mark.parametrize(("stored", "expected"), [(1234.5678, "1234.5678"), (None, "0.0")])
async def test_energy_survives_a_restart(
    packs: Packs, hass: HomeAssistant, hass_storage: dict[str, Any], stored: float | None, expected: str
) -> None:
    hass_storage[restore_state.STORAGE_KEY] = {
        "version": restore_state.STORAGE_VERSION,
        "key": restore_state.STORAGE_KEY,
        "data": [
            {
                "state": State("sensor.keller_energy_charged", "unavailable").as_dict(),
                "extra_data": {"native_value": stored, "native_unit_of_measurement": "kWh"},
                "last_seen": dt_util.utcnow().isoformat(),
            }
        ],
    }
    await restore_state.async_get(hass).async_load()
    pack = await packs.add(*PACK_32S)
    assert pack.value("energy_charged") == expected


async def test_cells_and_probes_that_appear_later(packs: Packs, hass: HomeAssistant) -> None:
    pack = await packs.add(
        DEVICE_INFO_24S, SETTINGS_24S, telemetry_24s(ladder(7), temperature_2_c=None, state_of_health_pct=None)
    )
    for key in ("cell_8_voltage", "temperature_2", "state_of_health"):
        assert pack.entity_id(Platform.SENSOR, key) is None
    await pack.give(telemetry_24s(ladder(8)))
    assert pack.value("cell_8_voltage") == "3.307"
    assert pack.value("temperature_2") == "22.0"
    assert pack.value("state_of_health") == "100"
    assert pack.entity_id(Platform.SENSOR, "cell_9_voltage") is None

    packs.tick(60)
    await pack.give(telemetry_24s(ladder(7), temperature_2_c=None))
    assert pack.value("cell_8_voltage") == "unknown"
    assert pack.value("temperature_2") == "unknown"

    await hass.config_entries.async_unload(pack.entry.entry_id)
    await packs.set_up(pack, *PACK_24S)
    assert pack.value("cell_8_voltage") == "3.307"


async def test_a_cell_without_a_voltage_among_others_is_there(packs: Packs) -> None:
    cells_v = (3.3, None, 3.3, 3.31)
    pack = await packs.add(DEVICE_INFO_24S, SETTINGS_24S, telemetry_24s(cells_v))
    assert [pack.value(f"cell_{cell}_voltage") for cell in (1, 2, 3, 4)] == ["3.3", "unknown", "3.3", "3.31"]


async def test_a_pack_without_cells(packs: Packs) -> None:
    telemetry = telemetry_32s(cell_voltages_v=(), lead_resistances_ohm=(), pack_voltage_v=0.0)
    pack = await packs.add(PACK_32S[0], PACK_32S[1], telemetry)
    assert pack.entity_id(Platform.SENSOR, "cell_1_voltage") is None
    assert pack.entity_id(Platform.SENSOR, "highest_cell") is None
    await pack.give(telemetry_32s())
    assert pack.value("cell_1_voltage") == "3.3"


@pytest.mark.usefixtures("all_enabled")
async def test_values(packs: Packs) -> None:
    pack = await packs.add(*PACK_32S)
    packs.tick(60)
    await pack.give(
        telemetry_32s(
            current_a=-28.0,
            pack_voltage_v=52.0,
            balance_action=BalanceAction.DISCHARGING,
            balance_current_a=-1.98,
            charge_state=ChargeState.FLOAT,
            state_of_charge_pct=61,
            remaining_capacity_ah=168.7,
            lead_resistances_ohm=(0.061,) * 16,
        )
    )
    expected = {
        "power": "-1456.0",
        "charge_power": "0.0",
        "discharge_power": "1456.0",
        "balance_action": "discharging",
        "balance_current": "-1.98",
        "charge_state": "float",
        "state_of_charge": "61",
        "state_of_charge_fine": "60.25",
        "remaining_capacity": "168.7",
        "stored_energy": "8.637",
        "highest_cell": "16",
        "lowest_cell": "1",
        "delta_cell_voltage": "0.015",
        "cell_7_lead_resistance": "61.0",
        "setting_cell_overvoltage": "3.6",
        "setting_discharge_undertemperature": "-10",
    }
    assert {key: pack.value(key) for key in expected} == expected


@pytest.mark.parametrize(
    ("options", "is_there"),
    [
        ({}, False),
        ({"keep_supplied": True}, False),
        ({"reduce_level": 2}, True),
        ({"keep_supplied": True, "stop_discharge_switch": "switch.inverter"}, True),
    ],
)
async def test_a_limit_is_shown_where_there_can_be_one(packs: Packs, options: dict[str, Any], is_there: bool) -> None:
    pack = await packs.add(*PACK_32S, **options)
    assert (pack.entity_id(Platform.SENSOR, "heat_current_limit") is not None) is is_there


async def test_a_limit_has_no_more_digits_than_anybody_needs(packs: Packs) -> None:
    pack = await packs.add(*PACK_32S, reduce_level=2)
    state = pack.coordinator.state
    decision = replace(state.acting.decision, limit_a=57.694936014333)
    assert GUARDIAN_LIMIT.value_fn(replace(state, acting=replace(state.acting, decision=decision))) == 57.7


async def test_a_resting_pack_takes_no_negative_nothing(packs: Packs) -> None:
    pack = await packs.add(*PACK_32S[:2], telemetry_32s(current_a=0.0))
    assert [pack.value(key) for key in ("charge_power", "discharge_power")] == ["0.0", "0.0"]


async def test_the_turns_of_the_balancer_make_no_noise(packs: Packs) -> None:
    pack = await packs.add(*PACK_32S)
    packs.tick(60)
    await pack.give(telemetry_32s(balance_current_a=1.9))
    await pack.give(telemetry_32s(balance_current_a=-1.9))
    assert pack.value("balance_current") == "1.9"
    packs.tick(60)
    await pack.give(telemetry_32s(balance_current_a=-1.9))
    assert pack.value("balance_current") == "-1.9"


@pytest.mark.usefixtures("all_enabled")
async def test_a_balancer_that_does_nothing_we_know_of(packs: Packs) -> None:
    pack = await packs.add(DEVICE_INFO_BALANCER, telemetry_balancer(balance_action=None))
    assert pack.entity_id(Platform.SENSOR, "balance_action") is None
    await pack.give(telemetry_balancer())
    assert pack.value("balance_action") == "charging"


async def test_time_to_go(packs: Packs) -> None:
    pack = await packs.add(*PACK_32S)
    assert float(pack.value("time_to_full")) == pytest.approx(11.76, abs=0.01)
    assert pack.value("time_to_empty") == "unknown"


def test_settings_have_no_statistics() -> None:
    from custom_components.jk_bms.sensor import SENSORS

    settings: list[SensorEntityDescription] = [sensor for sensor in SENSORS if sensor.key.startswith("setting_")]
    assert len(settings) > 35
    assert not any(setting.state_class or setting.entity_registry_enabled_default for setting in settings)
