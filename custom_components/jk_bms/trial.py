"""Does what the guardian may have to switch answer? Each thing is driven once, watched, and put back.

While something is tried the policy takes it for unchanged. If it has to switch anything in earnest meanwhile, the trial
ends at once, and nothing is put back.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError

from .acting import ANSWERS_WITHIN_S, Acting
from .battery.acting.interface import BOARD, Action, ActionsConfig, Target
from .errors import async_message

_BY_BOARD = {
    Action.STOP_CHARGE: (Target.BOARD_CHARGE,),
    Action.STOP_DISCHARGE: (Target.BOARD_DISCHARGE,),
    Action.BOTH_OFF: BOARD,
}
_BY_SWITCH = {
    Action.STOP_CHARGE: Target.SWITCH_CHARGE,
    Action.STOP_DISCHARGE: Target.SWITCH_DISCHARGE,
    Action.BOTH_OFF: Target.SWITCH_BOTH,
}


class Outcome(StrEnum):
    """What came of a trial."""

    ANSWERED = "answered"
    SILENT = "silent"
    """It could be ordered, but did not become as ordered."""
    FAILED = "failed"
    NOT_PUT_BACK = "not_put_back"
    """It answered, but is not as it was before."""
    LEFT_ALONE = "left_alone"
    """It is not as it usually is, so somebody needs it that way."""
    NOT_THERE = "not_there"
    INTERRUPTED = "interrupted"


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One thing that was tried, and what for it is there."""

    actions: tuple[Action, ...]
    target: Target
    outcome: Outcome
    seconds: float | None = None
    """Until it was as ordered."""
    reason: str | None = None


def to_try(config: ActionsConfig) -> dict[Target, tuple[Action, ...]]:
    """Return all that may have to be driven, with the actions that would."""
    found: dict[Target, tuple[Action, ...]] = {}
    for action, target in _configured(config):
        found[target] = (*found.get(target, ()), action)
    return found


def _configured(config: ActionsConfig) -> Iterator[tuple[Action, Target]]:
    if config.cooling is not None:
        yield Action.COOLING, Target.COOLING
    stops = {
        Action.STOP_CHARGE: config.stop_charge,
        Action.STOP_DISCHARGE: config.stop_discharge,
        Action.BOTH_OFF: config.both_off,
    }
    for action, stop in stops.items():
        if stop is not None and stop.by_board:
            for target in _BY_BOARD[action]:
                yield action, target
        if stop is not None and stop.by_switch:
            yield action, _BY_SWITCH[action]


async def async_try(hass: HomeAssistant, acting: Acting) -> list[Trial]:
    """Try everything, one after the other."""
    return [await _try(hass, acting, target, actions) for target, actions in to_try(acting.state.config).items()]


async def _try(hass: HomeAssistant, acting: Acting, target: Target, actions: tuple[Action, ...]) -> Trial:
    before = acting.is_on(target)
    if before is None:
        return Trial(actions=actions, target=target, outcome=Outcome.NOT_THERE)
    if before is (target is Target.COOLING):
        return Trial(actions=actions, target=target, outcome=Outcome.LEFT_ALONE)
    acting.tried[target] = before
    began_s = hass.loop.time()
    outcome, seconds, reason = Outcome.ANSWERED, None, None
    try:
        await acting.async_drive(target, on=not before)
        await acting.async_becomes(target, on=not before, within_s=ANSWERS_WITHIN_S)
        seconds = round(hass.loop.time() - began_s, 1)
    except HomeAssistantError as error:
        outcome, reason = Outcome.FAILED, await async_message(hass, error)
    except TimeoutError:
        outcome = Outcome.SILENT
    if target not in acting.tried:
        return Trial(actions=actions, target=target, outcome=Outcome.INTERRUPTED, seconds=seconds)
    try:
        await acting.async_drive(target, on=before)
        await acting.async_becomes(target, on=before, within_s=ANSWERS_WITHIN_S)
    except (HomeAssistantError, TimeoutError) as error:
        if outcome is Outcome.ANSWERED:
            outcome = Outcome.NOT_PUT_BACK
            if isinstance(error, HomeAssistantError):
                reason = await async_message(hass, error)
    finally:
        acting.tried.pop(target, None)
    return Trial(actions=actions, target=target, outcome=outcome, seconds=seconds, reason=reason)
