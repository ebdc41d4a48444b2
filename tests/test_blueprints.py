"""The blueprints: Home Assistant takes them, and they act when they should."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from homeassistant.const import STATE_UNAVAILABLE, STATE_UNKNOWN
from homeassistant.core import HomeAssistant, ServiceCall
from homeassistant.setup import async_setup_component
from pytest_homeassistant_custom_component.common import async_mock_service

BLUEPRINTS = Path(__file__).parent.parent / "blueprints/automation"
EVENT = "event.keller_alarm"
CHARGE = "sensor.keller_state_of_charge"
RAISED = {"event_type": "raised", "alarm": "cell_overvoltage", "severity": "alarm"}


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


async def show(hass: HomeAssistant, entity_id: str, state: str, attributes: dict[str, str] | None = None) -> None:
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


async def test_low_charge(hass: HomeAssistant, notified: list[ServiceCall]) -> None:
    await show(hass, CHARGE, "25")
    await automate(hass, "low_charge", charges=[CHARGE], limit=20)
    await show(hass, CHARGE, "20")
    assert not notified
    await show(hass, CHARGE, "19")
    await show(hass, CHARGE, "18")
    assert [call.data["message"].rpartition(" has ")[2] for call in notified] == ["19 % left."]
