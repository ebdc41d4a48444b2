"""The diagnostics download: what helps is in it, what identifies is not."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from homeassistant.components.diagnostics.const import DOMAIN as DIAGNOSTICS
from homeassistant.core import Context, HomeAssistant
from homeassistant.exceptions import HomeAssistantError
from homeassistant.setup import async_setup_component
from homeassistant.util import dt as dt_util
from pytest_homeassistant_custom_component.typing import ClientSessionGenerator

from custom_components.jk_bms.battery.event_recorder import CriticalEvent
from custom_components.jk_bms.bms.frames import FrameAssembler
from custom_components.jk_bms.bms.layout import SECRET_FIELDS, Generation
from custom_components.jk_bms.bms.link import LinkProblem
from custom_components.jk_bms.bms.telemetry import decode_device_info
from simulator.models import JK_B2A8S20P, JK_PB2A16S20P, Model

from .acting_home import Appliance, Plant
from .pack_values import DEVICE_INFO_32S, SETTINGS_32S, telemetry_32s
from .packs import PACK_32S, Packs
from .radio import Radio

ADDRESS = "C8:47:80:9A:BC:DE"
SECRETS = {
    "device_name": b"Garage Mueller",
    "device_passcode": b"4711#door",
    "serial_number": b"50603N64077",
    "user_data": b"Peter Mueller",
    "setup_passcode": b"geheim0815",
    "user_data_2": b"Tel 0123456789",
}


async def download(hass: HomeAssistant, hass_client: ClientSessionGenerator, entry_id: str) -> str:
    """Return the whole file, as a user gets it."""
    assert await async_setup_component(hass, DIAGNOSTICS, {})
    client = await hass_client()
    response = await client.get(f"/api/diagnostics/config_entry/{entry_id}")
    assert response.status == 200
    text = await response.text()
    assert isinstance(text, str)
    return text


def data_of(text: str) -> dict[str, Any]:
    data = json.loads(text)["data"]
    assert isinstance(data, dict)
    return data


def traces(secret: bytes) -> list[str]:
    """Return the forms in which a secret may turn up in a text."""
    return [secret.decode().lower(), secret.hex(), secret.hex(" "), secret[::-1].hex(), repr(list(secret))]


@pytest.mark.parametrize("model", [JK_PB2A16S20P, JK_B2A8S20P], ids=lambda model: model.name)
async def test_download_tells_no_secret(
    hass: HomeAssistant, hass_client: ClientSessionGenerator, radio: Radio, model: Model
) -> None:
    secrets = SECRETS if model.generation is Generation.JK02_32S else {k: SECRETS[k] for k in list(SECRETS)[:-1]}
    board = radio.add(model, address=ADDRESS, device_info=dict(secrets))
    entry = await radio.set_up()
    assert entry.title == "Garage Mueller"
    assert any(SECRETS["device_passcode"] in frame for frame in board.board.answer(0x97, b"")), "it was really sent"

    text = (await download(hass, hass_client, entry.entry_id)).lower()
    assert '"device_info": "55aaeb90' in text
    for secret in secrets.values():
        for trace in traces(secret):
            assert trace not in text
    address = bytes.fromhex(ADDRESS.replace(":", ""))
    for trace in (ADDRESS, ADDRESS.replace(":", "-"), "9a:bc:de", "9abcde", address.hex(), address[::-1].hex()):
        assert trace.lower() not in text
    assert not re.search(r"(?:[0-9a-f]{2}:){5}[0-9a-f]{2}", text), "no address of anything else either"


async def test_frames_can_still_be_decoded(
    hass: HomeAssistant, hass_client: ClientSessionGenerator, radio: Radio
) -> None:
    radio.add(address=ADDRESS, device_info=dict(SECRETS))
    entry = await radio.set_up()
    frames = data_of(await download(hass, hass_client, entry.entry_id))["last_frames"]
    assert set(frames) == {"settings", "cell_info", "device_info"}
    for frame in frames.values():
        assert FrameAssembler().feed(bytes.fromhex(frame)) == [bytes.fromhex(frame)]
    info = decode_device_info(bytes.fromhex(frames["device_info"]), Generation.JK02_32S)
    assert (info.model, info.software_version) == ("JK_PB2A16S20P", "15.41")
    assert {getattr(info, name) for name in SECRET_FIELDS} == {""}


async def test_what_is_in_it(hass: HomeAssistant, hass_client: ClientSessionGenerator, radio: Radio) -> None:
    board = radio.add(address=ADDRESS, device_info=dict(SECRETS))
    entry = await radio.set_up()
    await radio.clock.run(10)
    data = data_of(await download(hass, hass_client, entry.entry_id))
    assert data["entry"] == {"state": "loaded", "source": "bluetooth", "options": {"guardian_mode": "dry_run"}}
    assert data["device"] == [{"model": "JK_PB2A16S20P", "hw_version": "15A", "sw_version": "15.41"}]
    assert data["board"] == {
        "generation": "jk02_32s",
        "software_major": 15,
        "is_balancer": False,
        "confirmed": True,
        "newer_than_known": False,
        "certain": True,
        "ratings": {
            "cell_count": 16,
            "balance_current_limit_a": 2,
            "charge_current_limit_a": 200,
            "discharge_current_limit_a": 200,
        },
    }
    assert data["counters"]["good"] > 15
    assert data["counters"]["implausible"] == 0
    assert data["timing"]["last_frame_age_s"] < 1
    assert data["timing"]["stale_after_s"] == 20
    link = data["link"]
    assert (link["state"], link["connects"], link["drops"], link["problem"]) == ("connected", 1, 0, None)
    assert link["paused_for_s"] is None
    assert data["bluetooth"]["address"] == "C8:47:80:**:**:**"
    assert "scanner(s) registered" in data["bluetooth"]["reachability"]
    assert data["bluetooth"]["advertisement"]["rssi"] == board.rssi
    assert data["bluetooth"]["advertisement"]["manufacturer_data"] == {"2917": "88a0 of 8 bytes"}


async def test_times_of_the_link(hass: HomeAssistant, hass_client: ClientSessionGenerator, packs: Packs) -> None:
    pack = await packs.add(*PACK_32S)
    now_s = pack.link.now()
    pack.link.report(connected_since_s=now_s - 90, source=None)
    link = data_of(await download(hass, hass_client, pack.entry.entry_id))["link"]
    assert (link["connected_for_s"], link["source"]) == (pytest.approx(90, abs=1), None)
    await pack.link.pause(600)
    data = data_of(await download(hass, hass_client, pack.entry.entry_id))
    assert data["link"]["paused_for_s"] == pytest.approx(600, abs=1)
    assert "advertisement" not in data["bluetooth"], "it was never heard"


async def test_entry_that_is_not_loaded(hass: HomeAssistant, hass_client: ClientSessionGenerator, packs: Packs) -> None:
    pack = await packs.add(fails_with=LinkProblem.BUSY)
    data = data_of(await download(hass, hass_client, pack.entry.entry_id))
    assert data["entry"]["state"] == "setup_retry"
    assert "scanner(s) registered" in data["bluetooth"]["reachability"]


async def test_the_guardian(hass: HomeAssistant, hass_client: ClientSessionGenerator, packs: Packs) -> None:
    secret: dict[str, Any] = {name: f"secret {name}" for name in SECRET_FIELDS}
    pack = await packs.add(replace(DEVICE_INFO_32S, **secret), SETTINGS_32S, telemetry_32s(), title="Mueller")
    for counter in range(2, 60):
        packs.tick(1)
        pack.link.give(telemetry_32s(counter=counter))
    for counter in (60, 61):
        packs.tick(1)
        await pack.give(telemetry_32s(counter=counter, cells_v=(3.3,) * 15 + (3.59,), temperature_2_c=None))
    text = await download(hass, hass_client, pack.entry.entry_id)
    guardian = data_of(text)["guardian"]
    worst = guardian["assessment"]["findings"][0]
    assert (worst["key"], worst["level"], worst["for_s"]) == ("cell_high", "critical", 1)
    assert guardian["assessment"]["protection"]["latched"] == ["cell_high", "spread_top"]
    assert guardian["assessment"]["thermal"]["level"] == "normal"
    assert guardian["assessment"]["thermal"]["hottest_c"] == pytest.approx(22, abs=0.1)
    assert guardian["limits"]["cell_high"] == [3.5, 3.52, 3.57]
    assert guardian["limits"]["heat"]["thresholds"]["cool_c"] == 43
    assert guardian["remembered"]["probes"] == ["temperature_1", "temperature_2"]
    assert guardian["remembered"]["latched"] == ["cell_high", "spread_top"]
    assert set(guardian["remembered"]["thermal"]) >= {"habits_c", "level"}
    (event,) = guardian["events"]
    assert event["assessment"]["findings"][0]["key"] == "cell_high"
    assert event["telemetry"]["cell_voltages_v"][-1] == 3.59
    restored = CriticalEvent.restored(event)
    assert restored
    assert len(restored.minutes_before()) == 61
    assert "secret" not in text
    assert "Mueller" not in text


async def test_what_the_guardian_does(hass: HomeAssistant, hass_client: ClientSessionGenerator, packs: Packs) -> None:
    fan = Appliance(hass, "fan.muellers_cellar")
    fan.fails_with = HomeAssistantError("Mueller")
    plant = await Plant.add(packs, celsius=56.0, cooling_entity=fan.entity_id, stop_charge=True, reduce_level=2)
    entry_id = plant.pack.entry.entry_id
    calm = data_of(await download(hass, hass_client, entry_id))["acting"]
    assert (calm["mode"], calm["held"], calm["failed"], calm["latched"]) == ("act", [], [], False)
    assert calm["last"] is None
    await plant.run(20)
    text = await download(hass, hass_client, entry_id)
    acting = data_of(text)["acting"]
    assert acting["config"]["stop_charge"] == {"level": 3, "by_board": True, "by_switch": False}
    assert acting["is_on"] == {"board_charge": False, "board_discharge": True, "cooling": False}
    assert set(acting["held"]) == {"board_charge", "cooling"}
    assert acting["failed"] == ["cooling"]
    assert (acting["last"]["action"], acting["last"]["result"]) == ("cooling", "failed")
    assert 0 <= acting["last"]["for_s"] < 20
    assert data_of(text)["entry"]["options"]["cooling_entity"] == "fan.…"
    assert "mueller" not in text.lower(), "an entity is called after what it is in, or whose"


async def test_probes_that_are_broken(hass: HomeAssistant, hass_client: ClientSessionGenerator, packs: Packs) -> None:
    pack = await packs.add(*PACK_32S)
    for counter in range(500):
        packs.tick(1)
        lives: dict[str, Any] = {"counter": counter % 256, "current_a": counter % 2 / 1000}
        pack.link.give(telemetry_32s(**lives, temperature_2_c=22 if counter < 100 else None))
    thermal = data_of(await download(hass, hass_client, pack.entry.entry_id))["guardian"]["assessment"]["thermal"]
    assert thermal["probe_faults"] == [{"probe": 1, "reason": "silent", "for_s": pytest.approx(100, abs=10)}]


async def test_changes_without_names(hass: HomeAssistant, hass_client: ClientSessionGenerator, packs: Packs) -> None:
    pack = await packs.add(*PACK_32S, permission="all")
    user = await hass.auth.async_create_user("Peter Mueller")
    until = dt_util.utcnow() + timedelta(hours=1)
    context = Context(user_id=user.id)
    await pack.coordinator.changes.async_apply({"charge_current_limit_a": 40}, context=context, until=until)
    await pack.coordinator.changes.async_apply({"user_data": "Mueller"}, context=context)
    await pack.coordinator.snapshots.async_save("Mueller's settings")
    text = await download(hass, hass_client, pack.entry.entry_id)
    assert "Mueller" not in text
    found = data_of(text)["changes"]
    assert (found["permission"], found["writes_today"], found["copies"]) == ("all", 2, 1)
    assert list(found["to_return"]) == ["charge_current_limit_a"]
    first, second = found["last"]
    assert first.pop("at")
    assert first == {"setting": "charge_current_limit_a", "old": 100.0, "new": 40.0, "by": "user", "result": "verified"}
    assert second["new"] == "…"
