"""The diagnostics download: all that helps to find a fault, and nothing that tells whose pack it is.

What identifies is left out rather than looked for: the entry's title and address, the name on the air, the serial
number, the ids of entities. Two texts of others may still hold an address (names of scanners), so addresses are cut in
those.
"""

from __future__ import annotations

import re
from dataclasses import asdict
from typing import Final

from homeassistant.components import bluetooth
from homeassistant.config_entries import ConfigEntryState
from homeassistant.const import CONF_ADDRESS
from homeassistant.core import HomeAssistant, split_entity_id
from homeassistant.helpers import device_registry as dr

from .acting import Acting
from .battery.acting.interface import BOARD
from .battery.as_json import Json, as_json
from .battery.event_recorder import limits_as_json
from .battery.guardian import Assessment
from .bms.frames import checksum
from .bms.layout import DEVICE_INFO, SECRET_FIELDS, FrameType, Generation
from .bms.link import LinkStatus
from .changes import Changes
from .coordinator import JkBmsConfigEntry, JkBmsCoordinator
from .errors import reachability
from .guard import Guard
from .guardian_options import ENTITY_OPTIONS

_SECRET_SPANS: Final = tuple(
    # The generation with the most fields: where the others have none there is nothing to lose.
    slice(field.offset, field.offset + field.size)
    for field in DEVICE_INFO[Generation.JK02_32S].fields
    if field.name in SECRET_FIELDS
)
_ADDRESS: Final = re.compile(r"\b((?:[0-9A-F]{2}:){3})[0-9A-F]{2}:[0-9A-F]{2}:[0-9A-F]{2}\b", re.IGNORECASE)
_MANUFACTURER_PREFIX_SIZE: Final = 2
"""Bytes of the manufacturer data that are the same on all boards; the address follows."""


async def async_get_config_entry_diagnostics(hass: HomeAssistant, entry: JkBmsConfigEntry) -> dict[str, Json]:
    """Return the diagnostics of one pack; nothing is asked of the board."""
    diagnostics: dict[str, Json] = {
        "entry": {"state": entry.state.value, "source": entry.source, "options": _options(entry)},
        "device": _device(hass, entry),
        "bluetooth": _bluetooth(hass, entry.data[CONF_ADDRESS]),
    }
    if entry.state is ConfigEntryState.LOADED:
        diagnostics |= _pack(entry.runtime_data, hass.loop.time())
    return diagnostics


def _options(entry: JkBmsConfigEntry) -> dict[str, Json]:
    """Return what was chosen; of entities only what kind they are, for their ids are made of the owner's names."""
    return {
        key: f"{split_entity_id(value)[0]}.…" if key in ENTITY_OPTIONS else value
        for key, value in entry.options.items()
    }


def _pack(coordinator: JkBmsCoordinator, now_s: float) -> dict[str, Json]:
    """Return what is known of a pack that could be read."""
    receiver, state = coordinator.receiver, coordinator.state
    return {
        "board": {
            **asdict(receiver.board),
            "newer_than_known": receiver.board.newer_than_known,
            "certain": receiver.board.certain,
        },
        "last_frames": {
            frame_type.name.lower(): _without_secrets(frame_type, frame).hex()
            for frame_type, frame in sorted(receiver.last_frames.items())
        },
        "counters": {**asdict(receiver.assembler.counters), "implausible": receiver.implausible},
        "timing": {
            "last_frame_age_s": round(state.age_s, 1),
            "stale_after_s": coordinator.stale_after_s,
            "run_time_s": state.telemetry.run_time_s,
        },
        "link": _link(coordinator.link.status, now_s),
        "changes": _changes(coordinator.changes),
        "guardian": _guardian(coordinator.guard, state.assessment, now_s),
        "acting": _acting(coordinator.acting, now_s),
    }


def _guardian(guard: Guard, assessment: Assessment, now_s: float) -> Json:
    """Return what is wrong, by which limits, what has been learned, and what was critical, newest first."""
    return {
        "assessment": as_json(assessment, now_s),
        "limits": limits_as_json(guard.guardian),
        "remembered": as_json(guard.guardian.state(), now_s),
        "events": [as_json(event, now_s) for event in reversed(guard.recorder.events)],
    }


def _acting(acting: Acting, now_s: float) -> Json:
    """Return what may be done, and what is being done; why something failed is told in words, with the pack's name."""
    state, decision = acting.state, acting.decision
    last = decision.last
    return {
        "mode": state.mode,
        "config": as_json(state.config, now_s),
        "is_on": {target: acting.is_on(target) for target in (*BOARD, *acting.driven)},
        "held": as_json(decision.held, now_s),
        "latched": decision.latched,
        "limit_a": decision.limit_a,
        "cooling_by_hand": decision.cooling_by_hand,
        "last": None
        if last is None
        else {
            "action": last.action,
            "target": last.target,
            "on": last.on,
            "result": last.result,
            "cause": last.cause,
            "detail": last.detail,
            "for_s": round(now_s - last.at_s, 1),
        },
        "failed": list(acting.failures),
    }


def _changes(changes: Changes) -> Json:
    """Return what has been changed here, without the names of users and of copies: these are the owner's."""
    memory = changes.memory
    return {
        "permission": changes.approval.permission,
        "writes_today": memory.writes_so_far(),
        "last": [
            {
                "at": change.at.isoformat(timespec="seconds"),
                "setting": change.key,
                "old": change.old,
                "new": change.new,
                "by": change.by.kind,
                "result": change.result,
            }
            for change in memory.changes
        ],
        "to_return": {key: loan.until.isoformat() for key, loan in memory.loans.items()},
        "copies": len(memory.snapshots),
    }


def _device(hass: HomeAssistant, entry: JkBmsConfigEntry) -> Json:
    registry = dr.async_get(hass)
    return [
        {"model": device.model, "hw_version": device.hw_version, "sw_version": device.sw_version}
        for device in dr.async_entries_for_config_entry(registry, entry.entry_id)
    ]


def _without_secrets(frame_type: FrameType, frame: bytes) -> bytes:
    """Return the frame with what is secret set to zero, and the sum made right again: it would tell of it."""
    if frame_type is not FrameType.DEVICE_INFO:
        return frame
    blanked = bytearray(frame)
    for span in _SECRET_SPANS:
        blanked[span] = bytes(span.stop - span.start)
    blanked[-1] = checksum(blanked[:-1])
    return bytes(blanked)


def _link(status: LinkStatus, now_s: float) -> Json:
    return {
        "state": status.state,
        "problem": status.problem,
        "connects": status.connects,
        "drops": status.drops,
        "failures": status.failures,
        "connected_for_s": None if status.connected_since_s is None else round(now_s - status.connected_since_s, 1),
        "paused_for_s": None if status.paused_until_s is None else round(status.paused_until_s - now_s, 1),
        "source": None if status.source is None else _cut_addresses(status.source),
    }


def _bluetooth(hass: HomeAssistant, address: str) -> Json:
    """Return how Home Assistant hears the board."""
    result: dict[str, Json] = {
        "address": _cut_addresses(address),
        "reachability": _cut_addresses(reachability(hass, address)),
        "advertising_interval_s": bluetooth.async_get_learned_advertising_interval(hass, address),
    }
    if info := bluetooth.async_last_service_info(hass, address, connectable=True):
        result["advertisement"] = {
            "rssi": info.rssi,
            "source": _cut_addresses(info.source),
            "service_uuids": list(info.service_uuids),
            "manufacturer_data": {
                str(company): f"{data[:_MANUFACTURER_PREFIX_SIZE].hex()} of {len(data)} bytes"
                for company, data in info.manufacturer_data.items()
            },
        }
    return result


def _cut_addresses(text: str) -> str:
    """Leave of each address the half that tells the maker of its radio."""
    return _ADDRESS.sub(r"\1**:**:**", text)
