"""The blueprints: Home Assistant takes them, and they act when they should."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from freezegun.api import FrozenDateTimeFactory
from homeassistant.const import STATE_UNAVAILABLE, STATE_UNKNOWN
from homeassistant.core import HomeAssistant, ServiceCall
from homeassistant.helpers import device_registry as dr
from homeassistant.setup import async_setup_component
from homeassistant.util import dt as dt_util
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    async_fire_time_changed,
    async_mock_service,
)

BLUEPRINTS = Path(__file__).parent.parent / "blueprints/automation"
EVENT = "event.keller_alarm"
DOING = "event.keller_guardian_action"
CHARGE = "sensor.keller_state_of_charge"
SETTING = "event.keller_setting_changed"
TEMPERATURE = "sensor.keller_temperature_t1"
RAISED = {"event_type": "raised", "alarm": "cell_overvoltage", "severity": "alarm"}
CHANGED: dict[str, str | float] = {
    "event_type": "changed_elsewhere",
    "key": "cell_overvoltage_v",
    "old": 3.6,
    "new": 3.65,
}


@pytest.fixture(name="notified")
async def notified_fixture(hass: HomeAssistant, tmp_path: Path) -> list[ServiceCall]:
    """Return the calls that the blueprints make where nobody has chosen what to do."""
    hass.config.config_dir = str(tmp_path)
    shutil.copytree(BLUEPRINTS, tmp_path / "blueprints/automation")
    calls: list[ServiceCall] = async_mock_service(hass, "persistent_notification", "create")
    return calls


async def automate(hass: HomeAssistant, name: str, **inputs: Any) -> None:
    use = {"path": f"jk_bms/{name}.yaml", "input": inputs}
    assert await async_setup_component(hass, "automation", {"automation": {"use_blueprint": use}})
    await hass.async_block_till_done()
    assert hass.states.async_entity_ids("automation")


async def show(
    hass: HomeAssistant, entity_id: str, state: str, attributes: Mapping[str, str | float] | None = None
) -> None:
    hass.states.async_set(entity_id, state, attributes)
    await hass.async_block_till_done()


async def test_alarm(hass: HomeAssistant, notified: list[ServiceCall]) -> None:
    await show(hass, EVENT, STATE_UNKNOWN)
    await automate(hass, "alarm", alarms=[EVENT])
    await show(hass, EVENT, "2026-11-22T08:00:00.000+00:00", RAISED)
    assert len(notified) == 1
    assert "cell_overvoltage" in notified[0].data["title"]
    assert "raised" in notified[0].data["message"]

    # What is cleared, what hardly matters, and what was there before: all that is quiet unless asked for.
    await show(hass, EVENT, "2026-11-22T08:00:01.000+00:00", RAISED | {"event_type": "cleared"})
    await show(hass, EVENT, "2026-11-22T08:00:02.000+00:00", RAISED | {"severity": "hint"})
    await show(hass, EVENT, STATE_UNAVAILABLE)
    await show(hass, EVENT, "2026-11-22T08:00:00.000+00:00", RAISED)
    assert len(notified) == 1


async def test_guardian_rings_the_phone(hass: HomeAssistant, notified: list[ServiceCall]) -> None:
    app = MockConfigEntry(domain="mobile_app")
    app.add_to_hass(hass)
    phone = dr.async_get(hass).async_get_or_create(
        config_entry_id=app.entry_id, identifiers={("mobile_app", "1")}, name="Anna's phone"
    )
    dr.async_get(hass).async_update_device(phone.id, name_by_user="The loud one")
    calls = async_mock_service(hass, "notify", "mobile_app_anna_s_phone")
    critical = {
        "event_type": "raised",
        "source": "guardian",
        "alarm": "guardian_heat_difference",
        "severity": "alarm",
        "level": "critical",
        "value": "6.1",
        "limit": "4.0",
        "cell": "7",
    }
    await show(hass, EVENT, STATE_UNKNOWN)
    await show(hass, DOING, STATE_UNKNOWN)
    await automate(hass, "guardian", phones=[phone.id], alarms=[EVENT], doings=[DOING])
    await show(hass, EVENT, "2026-11-22T08:00:00.000+00:00", critical)
    (call,) = calls
    assert "guardian_heat_difference" in call.data["title"]
    assert call.data["message"].endswith(", cell 7, 6.1 (limit 4.0).")
    assert call.data["data"]["channel"] == "alarm_stream"
    assert call.data["data"]["push"]["sound"] == {"name": "default", "critical": 1, "volume": 1.0}

    await show(hass, EVENT, "2026-11-22T08:00:01.000+00:00", critical | {"severity": "warning", "level": "warning"})
    await show(hass, DOING, "2026-11-22T08:00:02.000+00:00", {"event_type": "started", "action": "cooling"})
    await show(hass, DOING, "2026-11-22T08:00:03.000+00:00", {"event_type": "failed", "action": "stop_charge"})
    assert [call.data["data"]["channel"] for call in calls[1:]] == ["JK BMS", "JK BMS", "alarm_stream"]
    assert calls[1].data["data"]["push"] == {}
    assert "cooling" in calls[2].data["title"]
    assert calls[3].data["data"]["push"]["interruption-level"] == "critical"

    # What is over, what hardly matters, what would be done in a dry run, and what was there before.
    await show(hass, EVENT, "2026-11-22T08:00:04.000+00:00", critical | {"event_type": "cleared"})
    await show(hass, EVENT, "2026-11-22T08:00:05.000+00:00", critical | {"severity": "hint"})
    await show(hass, DOING, "2026-11-22T08:00:06.000+00:00", {"event_type": "would_start", "action": "cooling"})
    await show(hass, EVENT, STATE_UNAVAILABLE)
    await show(hass, EVENT, "2026-11-22T08:00:00.000+00:00", critical)
    assert len(calls) == 4
    assert not notified


async def test_low_charge(hass: HomeAssistant, notified: list[ServiceCall]) -> None:
    await show(hass, CHARGE, "25")
    await automate(hass, "low_charge", charges=[CHARGE], limit=20)
    await show(hass, CHARGE, "20")
    assert not notified
    await show(hass, CHARGE, "19")
    await show(hass, CHARGE, "18")
    assert [call.data["message"].rpartition(" has ")[2] for call in notified] == ["19 % left."]


async def test_setting_changed(hass: HomeAssistant, notified: list[ServiceCall]) -> None:
    await show(hass, SETTING, STATE_UNKNOWN)
    await automate(hass, "setting_changed", settings=[SETTING])
    await show(hass, SETTING, "2026-11-22T08:00:00.000+00:00", CHANGED)
    assert len(notified) == 1
    assert "cell_overvoltage_v" in notified[0].data["title"]
    assert notified[0].data["message"].endswith(": 3.6 → 3.65")

    # What Home Assistant has changed itself, and what was there before.
    await show(hass, SETTING, "2026-11-22T08:00:01.000+00:00", CHANGED | {"event_type": "changed_here"})
    await show(hass, SETTING, STATE_UNAVAILABLE)
    await show(hass, SETTING, "2026-11-22T08:00:00.000+00:00", CHANGED)
    assert len(notified) == 1


@pytest.mark.usefixtures("notified")
async def test_cold_charge(hass: HomeAssistant, freezer: FrozenDateTimeFactory) -> None:
    """While it is cold the limit is set again before it returns; else, and where nobody knows, it is left alone."""

    async def at(time: str) -> None:
        freezer.move_to(datetime.fromisoformat(f"2026-11-22T{time}:00+00:00"))
        async_fire_time_changed(hass, dt_util.utcnow())
        await hass.async_block_till_done()

    limited = async_mock_service(hass, "jk_bms", "set_charge_limits")
    freezer.move_to(datetime.fromisoformat("2026-11-22T08:01:00+00:00"))
    await show(hass, TEMPERATURE, "10")
    await automate(hass, "cold_charge", pack="keller", temperature=TEMPERATURE)
    await at("08:15")
    assert not limited
    await show(hass, TEMPERATURE, "9.9")
    assert [call.data for call in limited] == [{"device_id": ["keller"], "charge_current": 30, "for": "01:00:00"}]
    await show(hass, TEMPERATURE, "9.8")
    assert len(limited) == 1
    await at("08:30")
    assert len(limited) == 2
    await show(hass, TEMPERATURE, STATE_UNAVAILABLE)
    await at("08:45")
    await show(hass, TEMPERATURE, "10")
    await at("09:00")
    assert len(limited) == 2

    automation = {"entity_id": hass.states.async_entity_ids("automation")}
    await hass.services.async_call("automation", "turn_off", automation, blocking=True)
