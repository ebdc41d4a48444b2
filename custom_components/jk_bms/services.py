"""The actions that Home Assistant offers for packs: limits, settings and copies of them, commands, log, clock, pause.

Each is for one or more packs and answers, if asked to, what became of it for each. What can do harm is for
administrators and wants a confirmation.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import asdict
from datetime import timedelta
from functools import partial
from typing import Any, Final

import probatio
from homeassistant.auth.permissions.const import POLICY_CONTROL
from homeassistant.config_entries import ConfigEntryState
from homeassistant.core import HomeAssistant, ServiceCall, ServiceResponse, SupportsResponse, callback
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError, Unauthorized
from homeassistant.helpers import config_validation as cv
from homeassistant.helpers.service import async_extract_config_entry_ids
from homeassistant.util import dt as dt_util
from homeassistant.util.json import JsonObjectType, JsonValueType

from .battery.advice import advise, factory
from .battery.event_recorder import CriticalEvent
from .bms.link import LinkError, PausedError
from .bms.registers import SETTINGS_BY_KEY, Danger, Instruction, Kind, Setting, SettingValue
from .board_clock import clock_now_s
from .const import DEFAULT_PAUSE_MINUTES, DOMAIN, MAX_PAUSE_MINUTES, MIN_PAUSE_MINUTES
from .coordinator import JkBmsConfigEntry, JkBmsCoordinator
from .errors import async_message, async_names, in_words, paused
from .guardian_services import GUARDIAN_SERVICES
from .log_book import async_read_log
from .memory import Change
from .pack_state import register_of, said_of

type Answer = JsonObjectType
"""What an action answers for one pack."""
type Handler = Callable[[JkBmsCoordinator, ServiceCall], Awaitable[Answer]]

ATTR_COMMAND: Final = "command"
ATTR_CONFIRM: Final = "confirm"
ATTR_DRY_RUN: Final = "dry_run"
ATTR_FOR: Final = "for"
ATTR_MINUTES: Final = "minutes"
ATTR_MINUTES_BEFORE: Final = "minutes_before"
ATTR_NAME: Final = "name"
ATTR_SETTING: Final = "setting"
ATTR_VALUE: Final = "value"

LIMITS: Final = {
    "overvoltage_protection": "cell_overvoltage_v",
    "charge_voltage": "requested_charge_voltage_v",
    "float_voltage": "requested_float_voltage_v",
    "charge_current": "charge_current_limit_a",
    "discharge_current": "discharge_current_limit_a",
}
"""The fields of `set_charge_limits`, and the settings that they are."""
SHORTEST_LOAN: Final = timedelta(minutes=1)
LONGEST_LOAN: Final = timedelta(days=31)
LONGEST_NAME: Final = 50


async def _set_charge_limits(coordinator: JkBmsCoordinator, call: ServiceCall) -> Answer:
    values = {key: call.data[name] for name, key in LIMITS.items() if name in call.data}
    if not values:
        raise ServiceValidationError(translation_domain=DOMAIN, translation_key="no_limit_given")
    duration: timedelta | None = call.data.get(ATTR_FOR)
    until = None if duration is None else (dt_util.utcnow() + duration).replace(microsecond=0)
    changes = await coordinator.changes.async_apply(
        values, context=call.context, confirm=call.data[ATTR_CONFIRM], until=until
    )
    return {"changes": list(map(_change, changes)), "until": None if until is None else until.isoformat()}


async def _write_setting(coordinator: JkBmsCoordinator, call: ServiceCall) -> Answer:
    setting = SETTINGS_BY_KEY[call.data[ATTR_SETTING]]
    changes = await coordinator.changes.async_apply(
        {setting.key: _value_of(setting, call.data[ATTR_VALUE])},
        context=call.context,
        confirm=call.data[ATTR_CONFIRM],
    )
    return _change(changes[0])


async def _get_settings(coordinator: JkBmsCoordinator, _call: ServiceCall) -> Answer:
    state = await coordinator.changes.async_read()
    names = await async_names(coordinator.hass)
    assert state.settings  # just read
    advised = advise(state.settings, state.device_info, state.telemetry, state.board) or {}
    settings: list[JsonValueType] = []
    for key, setting in SETTINGS_BY_KEY.items():
        register = register_of(setting, state)
        if register is None or setting.kind is Kind.TEXT:
            continue
        advice = advised.get(key)
        is_number = setting.kind is Kind.NUMBER
        settings.append(
            {
                ATTR_SETTING: key,
                "name": names(key),
                ATTR_VALUE: _shown(setting, said_of(setting, state)),
                "unit": setting.unit,
                "lowest": register.lowest if is_number else None,
                "highest": register.highest if is_number else None,
                "step": setting.step if is_number else None,
                "choices": list(setting.choices_on(state.device_info).values()) or None,
                "factory": factory(key, state.board),
                "recommended": advice.recommended if advice else None,
                "deviates": advice.deviates if advice else None,
                "needs_confirmation": setting.danger is Danger.DANGEROUS,
                "allowed": coordinator.changes.approval.allows(setting.danger),
            }
        )
    return {"settings": settings}


async def _save_settings(coordinator: JkBmsCoordinator, call: ServiceCall) -> Answer:
    saved = await coordinator.snapshots.async_save(call.data[ATTR_NAME])
    return {"saved": len(saved), "snapshots": [*coordinator.snapshots.names]}


async def _restore_settings(coordinator: JkBmsCoordinator, call: ServiceCall) -> Answer:
    found = await coordinator.snapshots.async_differences(call.data[ATTR_NAME])
    answer: Answer = {
        "differences": [
            {
                ATTR_SETTING: each.key,
                "present": _shown(SETTINGS_BY_KEY[each.key], each.present),
                "saved": _shown(SETTINGS_BY_KEY[each.key], each.saved),
                "possible": each.possible,
            }
            for each in found
        ]
    }
    if not call.data[ATTR_DRY_RUN]:
        changes = await coordinator.snapshots.async_restore(
            call.data[ATTR_NAME], context=call.context, confirm=call.data[ATTR_CONFIRM]
        )
        answer["changes"] = list(map(_change, changes))
    return answer


async def _get_changes(coordinator: JkBmsCoordinator, _call: ServiceCall) -> Answer:
    memory = coordinator.changes.memory
    return {
        "changes": list(map(_change, memory.changes)),
        "writes_today": memory.writes_so_far(),
        "writes_per_day": coordinator.changes.approval.writes_per_day,
        "snapshots": [*coordinator.snapshots.names],
        "to_return": [
            {
                ATTR_SETTING: key,
                ATTR_VALUE: _shown(SETTINGS_BY_KEY[key], loan.former),
                "at": loan.until.isoformat(),
            }
            for key, loan in memory.loans.items()
        ],
    }


async def _get_event_log(coordinator: JkBmsCoordinator, _call: ServiceCall) -> Answer:
    try:
        return {"entries": await async_read_log(coordinator)}
    except PausedError as error:
        raise paused(coordinator.hass, coordinator.name, error) from error
    except LinkError as error:
        raise HomeAssistantError(**in_words(coordinator.hass, coordinator.name, coordinator.address, error)) from error


async def _get_guardian_events(coordinator: JkBmsCoordinator, call: ServiceCall) -> Answer:
    unpack = partial(_events, coordinator.guard.recorder.events, minutes_before=call.data[ATTR_MINUTES_BEFORE])
    return {"events": await coordinator.hass.async_add_executor_job(unpack)}


def _events(events: Sequence[CriticalEvent], *, minutes_before: bool) -> list[JsonValueType]:
    """Return events as JSON, newest first."""
    found: list[JsonValueType] = []
    for event in reversed(events):
        said = asdict(event)
        del said["cells"], said["before"]
        found.append(said | {ATTR_MINUTES_BEFORE: event.minutes_before()} if minutes_before else said)
    return found


async def _send_command(coordinator: JkBmsCoordinator, call: ServiceCall) -> Answer:
    instruction = Instruction[call.data[ATTR_COMMAND].upper()]
    change = await coordinator.changes.async_instruct(
        instruction, context=call.context, confirm=call.data[ATTR_CONFIRM]
    )
    return _change(change)


async def _set_clock(coordinator: JkBmsCoordinator, call: ServiceCall) -> Answer:
    changes = await coordinator.changes.async_apply({"clock_s": clock_now_s()}, context=call.context)
    return _change(changes[0])


async def _pause(coordinator: JkBmsCoordinator, call: ServiceCall) -> Answer:
    duration = timedelta(minutes=call.data[ATTR_MINUTES])
    await coordinator.link.pause(duration.total_seconds())
    return {"until": (dt_util.utcnow() + duration).replace(microsecond=0).isoformat()}


async def _resume(coordinator: JkBmsCoordinator, _call: ServiceCall) -> Answer:
    coordinator.link.resume()
    return {}


def _change(change: Change) -> Answer:
    setting = SETTINGS_BY_KEY.get(change.key)
    return {
        "at": change.at.isoformat(timespec="seconds"),
        ATTR_SETTING: change.key,
        "old": _shown(setting, change.old),
        "new": _shown(setting, change.new),
        "by": change.by.kind,
        "by_name": change.by.name,
        "result": change.result,
    }


def _shown(setting: Setting | None, value: SettingValue | None) -> SettingValue | None:
    """Return a value as the user knows it: the name of a choice, a number without the digits of floating point."""
    if setting is None or value is None or isinstance(value, str):
        return value
    if setting.kind is Kind.CHOICE and int(value) < len(setting.choices):
        return setting.choices[int(value)]
    return value if isinstance(value, int) else round(value, 7)


def _value_of(setting: Setting, value: object) -> SettingValue:
    """Return what the user means by a value. Raises ServiceValidationError."""
    try:
        match setting.kind:
            case Kind.SWITCH:
                return cv.boolean(value)
            case Kind.CHOICE:
                text = str(value)
                return setting.choices.index(text) if text in setting.choices else int(text)
            case Kind.TEXT:
                return str(value)
        return float(str(value))
    except (ValueError, probatio.Invalid) as error:
        raise ServiceValidationError(
            translation_domain=DOMAIN,
            translation_key="no_such_value",
            translation_placeholders={"setting": setting.key, "value": str(value)},
        ) from error


_CONFIRM: Final = {probatio.Optional(ATTR_CONFIRM, default=False): cv.boolean}
_NAME: Final = {
    probatio.Required(ATTR_NAME): probatio.All(cv.string, str.strip, probatio.Length(min=1, max=LONGEST_NAME))
}
_SERVICES: Final[dict[str, tuple[Handler, dict[Any, Any], SupportsResponse]]] = {
    "set_charge_limits": (
        _set_charge_limits,
        {probatio.Optional(name): probatio.Coerce(float) for name in LIMITS}
        | _CONFIRM
        | {
            probatio.Optional(ATTR_FOR): probatio.All(
                cv.positive_time_period, probatio.Range(min=SHORTEST_LOAN, max=LONGEST_LOAN)
            )
        },
        SupportsResponse.OPTIONAL,
    ),
    "write_setting": (
        _write_setting,
        {
            probatio.Required(ATTR_SETTING): probatio.In(list(SETTINGS_BY_KEY)),
            probatio.Required(ATTR_VALUE): probatio.Any(bool, int, float, cv.string),
        }
        | _CONFIRM,
        SupportsResponse.OPTIONAL,
    ),
    "get_settings": (_get_settings, {}, SupportsResponse.ONLY),
    "save_settings": (_save_settings, _NAME, SupportsResponse.OPTIONAL),
    "restore_settings": (
        _restore_settings,
        {**_NAME, probatio.Optional(ATTR_DRY_RUN, default=True): cv.boolean, **_CONFIRM},
        SupportsResponse.OPTIONAL,
    ),
    "get_changes": (_get_changes, {}, SupportsResponse.ONLY),
    "get_event_log": (_get_event_log, {}, SupportsResponse.ONLY),
    "get_guardian_events": (
        _get_guardian_events,
        {probatio.Optional(ATTR_MINUTES_BEFORE, default=False): cv.boolean},
        SupportsResponse.ONLY,
    ),
    "send_command": (
        _send_command,
        {probatio.Required(ATTR_COMMAND): probatio.In([each.key for each in Instruction]), **_CONFIRM},
        SupportsResponse.OPTIONAL,
    ),
    "set_clock": (_set_clock, {}, SupportsResponse.OPTIONAL),
    "pause": (
        _pause,
        {
            probatio.Optional(ATTR_MINUTES, default=DEFAULT_PAUSE_MINUTES): probatio.All(
                probatio.Coerce(int), probatio.Range(min=MIN_PAUSE_MINUTES, max=MAX_PAUSE_MINUTES)
            )
        },
        SupportsResponse.OPTIONAL,
    ),
    "resume": (_resume, {}, SupportsResponse.OPTIONAL),
    **GUARDIAN_SERVICES,
}


_READING: Final = {"get_settings", "get_changes", "get_event_log", "get_guardian_events"}


@callback
def async_setup_services(hass: HomeAssistant) -> None:
    """Register the actions; they are there also while no pack is."""
    for name, (handler, fields, response) in _SERVICES.items():
        schema = probatio.All(
            probatio.Schema({**cv.TARGET_SERVICE_FIELDS, **fields}),
            cv.has_at_least_one_key(*map(str, cv.TARGET_SERVICE_FIELDS)),
        )
        hass.services.async_register(DOMAIN, name, _for_packs(handler), schema, response)


def _for_packs(handler: Handler) -> Callable[[ServiceCall], Coroutine[Any, Any, ServiceResponse]]:
    """Return what runs an action for all packs of a call at once; what failed is raised when all have ended."""

    async def run(call: ServiceCall) -> ServiceResponse:
        await _check_user(call)
        answers = await asyncio.gather(
            *(_serve(handler, entry, call) for entry in await _entries(call)), return_exceptions=True
        )
        if errors := [answer for answer in answers if isinstance(answer, BaseException)]:
            raise await _in_one(call.hass, errors)
        packs: list[JsonValueType] = [answer for answer in answers if not isinstance(answer, BaseException)]
        return {"packs": packs} if call.return_response else None

    return run


async def _serve(handler: Handler, entry: JkBmsConfigEntry, call: ServiceCall) -> Answer:
    """Run an action for one pack. Raises ServiceValidationError if it isn't set up, and what the action raises."""
    if entry.state is not ConfigEntryState.LOADED:
        raise ServiceValidationError(
            translation_domain=DOMAIN,
            translation_key="pack_not_loaded",
            translation_placeholders={"name": entry.title},
        )
    coordinator = entry.runtime_data
    answer = await handler(coordinator, call)
    device = coordinator.device
    return {"device_id": device.id if device else None, "pack": coordinator.name, **answer}


async def _in_one(hass: HomeAssistant, errors: list[BaseException]) -> BaseException:
    """Return the error if all packs say the same, one that tells of each if not, and first of all what is a bug."""
    expected = [error for error in errors if isinstance(error, HomeAssistantError)]
    reasons = dict.fromkeys([await async_message(hass, error) for error in expected])
    if len(expected) < len(errors) or len(reasons) == 1:
        return next((error for error in errors if error not in expected), errors[0])
    return HomeAssistantError(
        translation_domain=DOMAIN,
        translation_key="several_packs",
        translation_placeholders={"count": str(len(errors)), "reasons": ". ".join(reasons)},
    )


async def _check_user(call: ServiceCall) -> None:
    """Raise Unauthorized if a user may only look, or is no administrator and wants what can do harm."""
    if call.context.user_id is None or call.service in _READING:
        return
    user = await call.hass.auth.async_get_user(call.context.user_id)
    harmless = not call.data.get(ATTR_CONFIRM) and call.data.get(ATTR_DRY_RUN, True)
    if user is None or not (user.permissions.access_all_entities(POLICY_CONTROL) if harmless else user.is_admin):
        raise Unauthorized(context=call.context, permission=POLICY_CONTROL)


async def _entries(call: ServiceCall) -> list[JkBmsConfigEntry]:
    """Return the packs that a call is for. Raises ServiceValidationError if there are none.

    One that the owner has disabled may lie in the same area; it isn't meant unless nothing else is.
    """
    found: list[JkBmsConfigEntry] = [
        entry
        for entry_id in await async_extract_config_entry_ids(call)
        if (entry := call.hass.config_entries.async_get_entry(entry_id)) and entry.domain == DOMAIN
    ]
    if not found:
        raise ServiceValidationError(translation_domain=DOMAIN, translation_key="no_pack")
    entries = [entry for entry in found if not entry.disabled_by] or found
    return sorted(entries, key=lambda entry: entry.title)
