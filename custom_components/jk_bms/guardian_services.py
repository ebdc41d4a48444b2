"""The actions that are about the guardian: cooling, stopping, acknowledging, and trying out what it may do."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any, Final

import probatio
from homeassistant.core import ServiceCall, SupportsResponse
from homeassistant.exceptions import ServiceValidationError
from homeassistant.helpers import config_validation as cv
from homeassistant.util.json import JsonObjectType

from .acting import Acting, Stopped
from .battery.acting.interface import Target
from .battery.guardian import GuardianLevel
from .const import DOMAIN
from .coordinator import JkBmsCoordinator
from .trial import to_try

type Handler = Callable[[JkBmsCoordinator, ServiceCall], Awaitable[JsonObjectType]]

ATTR_CONFIRM: Final = "confirm"
ATTR_CURRENT: Final = "current"
ATTR_FOR: Final = "for"
ATTR_STOP: Final = "stop"
ATTR_UNTIL_TEMPERATURE: Final = "until_temperature"

CHARGE: Final = "charge"
DISCHARGE: Final = "discharge"
BOTH: Final = "both"

SHORTEST_COOLING: Final = timedelta(minutes=1)
LONGEST_COOLING: Final = timedelta(hours=24)
"""Also how long at most a temperature is tried to be reached."""
COOLING_TO_C: Final = (0.0, 60.0)


async def _trigger_cooling(coordinator: JkBmsCoordinator, call: ServiceCall) -> JsonObjectType:
    """Cool for a time, down to a temperature, whichever comes first, or not any more."""
    acting = coordinator.acting
    if Target.COOLING not in acting.driven:
        raise _invalid("no_cooling", coordinator)
    if call.data[ATTR_STOP]:
        await acting.async_stop_cooling()
    else:
        until_c: float | None = call.data.get(ATTR_UNTIL_TEMPERATURE)
        duration: timedelta | None = call.data.get(ATTR_FOR)
        if duration is None and until_c is not None:
            duration = LONGEST_COOLING
        now_s = coordinator.hass.loop.time()
        until_s = None if duration is None else now_s + duration.total_seconds()
        await acting.async_cool(until_s=until_s, until_c=until_c)
    state = acting.state
    return {
        "cooling": state.cooling,
        "until": None if state.cooling_until is None else state.cooling_until.isoformat(),
    }


async def _emergency_stop(coordinator: JkBmsCoordinator, call: ServiceCall) -> JsonObjectType:
    """Switch currents off by all there is, for good."""
    if not call.data[ATTR_CONFIRM]:
        raise _invalid("stop_needs_confirmation", coordinator)
    currents = call.data[ATTR_CURRENT]
    acting = coordinator.acting
    done = await acting.async_emergency_stop(charge=currents in (CHARGE, BOTH), discharge=currents in (DISCHARGE, BOTH))
    if all(result is Stopped.FAILED for result, _ in done.values()):
        raise acting.not_done(reason for _, reason in done.values())
    return {
        "targets": [
            {
                "target": target,
                "entity_id": _entity_id(acting, target),
                "result": result,
                "reason": reason,
            }
            for target, (result, reason) in done.items()
        ]
    }


async def _acknowledge_alarm(coordinator: JkBmsCoordinator, _call: ServiceCall) -> JsonObjectType:
    """Say that somebody has seen what was critical."""
    unseen = coordinator.state.assessment.unacknowledged
    coordinator.guard.acknowledge()
    return {"acknowledged": list(unseen)}


async def _reset_emergency(coordinator: JkBmsCoordinator, call: ServiceCall) -> JsonObjectType:
    """End an emergency or an emergency stop; what is off stays off."""
    acting, guard = coordinator.acting, coordinator.guard
    emergency = coordinator.state.assessment.level is GuardianLevel.EMERGENCY
    if not (emergency or acting.decision.latched):
        raise _invalid("no_emergency", coordinator)
    if emergency and not guard.reset(sure=call.data[ATTR_CONFIRM]):
        hottest_c = coordinator.state.assessment.thermal.hottest_c
        raise _invalid(
            "not_cool_yet",
            coordinator,
            limit=f"{guard.guardian.heat_config.thresholds.stop_release_c:g} °C",
            temperature="-" if hottest_c is None else f"{hottest_c:.1f} °C",
        )
    acting.reset()
    return {"level": coordinator.state.assessment.level.name.lower()}


async def _test_actions(coordinator: JkBmsCoordinator, call: ServiceCall) -> JsonObjectType:
    """Drive once all that the guardian may drive."""
    acting = coordinator.acting
    if not to_try(acting.state.config):
        raise _invalid("nothing_to_try", coordinator)
    if not call.data[ATTR_CONFIRM]:
        raise _invalid("trial_needs_confirmation", coordinator)
    trials = await coordinator.trials.async_try()
    if trials is None:
        raise _invalid("no_trial_now", coordinator)
    return {
        "tried": [
            {
                "actions": list(trial.actions),
                "target": trial.target,
                "entity_id": _entity_id(coordinator.acting, trial.target),
                "result": trial.outcome,
                "seconds": trial.seconds,
                "reason": trial.reason,
            }
            for trial in trials
        ]
    }


def _entity_id(acting: Acting, target: Target) -> str | None:
    driven = acting.driven.get(target)
    return None if driven is None else driven.entity_id


def _invalid(translation_key: str, coordinator: JkBmsCoordinator, **placeholders: str) -> ServiceValidationError:
    return ServiceValidationError(
        translation_domain=DOMAIN,
        translation_key=translation_key,
        translation_placeholders={"name": coordinator.name, **placeholders},
    )


_CONFIRM: Final = {probatio.Optional(ATTR_CONFIRM, default=False): cv.boolean}
GUARDIAN_SERVICES: Final[dict[str, tuple[Handler, dict[Any, Any], SupportsResponse]]] = {
    "trigger_cooling": (
        _trigger_cooling,
        {
            probatio.Optional(ATTR_STOP, default=False): cv.boolean,
            probatio.Optional(ATTR_FOR): probatio.All(
                cv.positive_time_period, probatio.Range(min=SHORTEST_COOLING, max=LONGEST_COOLING)
            ),
            probatio.Optional(ATTR_UNTIL_TEMPERATURE): probatio.All(
                probatio.Coerce(float), probatio.Range(*COOLING_TO_C)
            ),
        },
        SupportsResponse.OPTIONAL,
    ),
    "emergency_stop": (
        _emergency_stop,
        {probatio.Optional(ATTR_CURRENT, default=BOTH): probatio.In([CHARGE, DISCHARGE, BOTH]), **_CONFIRM},
        SupportsResponse.OPTIONAL,
    ),
    "acknowledge_alarm": (_acknowledge_alarm, {}, SupportsResponse.OPTIONAL),
    "reset_emergency": (_reset_emergency, _CONFIRM, SupportsResponse.OPTIONAL),
    "test_actions": (_test_actions, _CONFIRM, SupportsResponse.OPTIONAL),
}
"""What runs each action, its fields, and whether it answers."""
