"""Does what the guardian may have to switch answer? Each thing is driven once, watched, and put back.

While something is tried the policy takes it for unchanged. If anything has to be switched off in earnest meanwhile, the
trial ends, and what it would have put back is left until all is calm, or for good if it is needed as it is. If the pack
is unloaded or Home Assistant stops, it is put back at once. What there is no time for is remembered for the next start.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import Final

from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HassJob, HomeAssistant, callback
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError
from homeassistant.util.hass_dict import HassKey

from .acting import ANSWERS_WITHIN_S, Acting
from .battery.acting.interface import BOARD, Action, ActionsConfig, Target
from .battery.guardian import GuardianLevel
from .const import DOMAIN
from .errors import async_message

_LOGGER = logging.getLogger(__name__)

RETRY_S: Final = 60.0
LONGEST_RETRY_S: Final = 3600.0
"""What doesn't go back is ordered less and less often: the board's memory wears."""
_TURN: Final[HassKey[asyncio.Lock]] = HassKey(f"{DOMAIN}_trial")
"""Held while a pack is tried: not all are to be without current at once, and they may share a fan."""
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
    """Something had to be switched in earnest, or the pack was unloaded."""


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


class Trials:
    """Tries out what one pack may have to switch."""

    def __init__(self, hass: HomeAssistant, entry: ConfigEntry, acting: Acting) -> None:
        self._hass = hass
        self._entry = entry
        self._acting = acting
        self._trial: asyncio.Task[list[Trial]] | None = None
        self._ends = False

    @callback
    def start(self) -> None:
        """Put back what a trial has left that was cut off."""
        self._entry.async_on_unload(self._hass.async_add_shutdown_job(HassJob(self.async_end)))
        for target, before in list(self._acting.tried.items()):
            self._put_back_later(target, before=before)

    async def async_end(self) -> None:
        """Put back at once what is being tried; as far as that isn't seen in time, it is left for the next start."""
        self._ends = True
        if self._trial is not None:
            self._acting.look_again()
            await asyncio.wait([self._trial])

    @property
    def _may_begin(self) -> bool:
        """Whether nothing is critical, and nothing has been switched, not even for another trial."""
        under_way = self._trial is not None and not self._trial.done()
        return self._is_calm and not (under_way or self._acting.tried or self._ends)

    @property
    def _is_calm(self) -> bool:
        return self._may_put_back() and not self._acting.decision.held

    async def async_try(self) -> list[Trial] | None:
        """Try everything once it is the turn of this pack, to the end even if whoever asked gives up meanwhile.

        Return None if it can't be now, or something has to be switched in earnest by then.
        """
        if not self._may_begin:
            return None
        turn = self._hass.data.setdefault(_TURN, asyncio.Lock())
        await turn.acquire()
        if not self._may_begin:
            turn.release()
            return None
        self._trial = self._entry.async_create_task(self._hass, self._try_all(), f"{DOMAIN} trial")
        self._trial.add_done_callback(lambda _: turn.release())
        return await asyncio.shield(self._trial)

    async def _try_all(self) -> list[Trial]:
        return [await self._try(target, actions) for target, actions in to_try(self._acting.state.config).items()]

    async def _try(self, target: Target, actions: tuple[Action, ...]) -> Trial:
        acting = self._acting
        trial = partial(Trial, actions=actions, target=target)
        before = acting.is_on(target)
        if self._ends or not self._is_calm:
            return trial(outcome=Outcome.INTERRUPTED)
        if before is None:
            return trial(outcome=Outcome.NOT_THERE)
        if before is (target is Target.COOLING):
            return trial(outcome=Outcome.LEFT_ALONE)
        try:
            await acting.async_begin_trial(target, before=before)
        except ServiceValidationError as error:
            return trial(outcome=Outcome.FAILED, reason=await async_message(self._hass, error))
        began_s = self._hass.loop.time()
        outcome, reason = await self._drive(target, on=not before)
        seconds = round(self._hass.loop.time() - began_s, 1) if outcome is Outcome.ANSWERED else None
        if target not in acting.tried or not self._may_put_back():
            self._put_back_later(target, before=before)
            return trial(outcome=Outcome.INTERRUPTED, seconds=seconds)
        back, problem = await self._drive(target, on=before)
        is_back, is_needed = acting.is_on(target) is before, target not in acting.tried
        if not self._ends or (is_back and back is Outcome.ANSWERED):
            acting.end_trial(target)
        if self._ends or is_needed:
            outcome = Outcome.INTERRUPTED
        elif not is_back:
            outcome, reason = Outcome.NOT_PUT_BACK, problem
        return trial(outcome=outcome, seconds=seconds, reason=reason)

    async def _drive(self, target: Target, *, on: bool) -> tuple[Outcome, str | None]:
        """Switch something and wait until that is seen; return what came of it."""
        acting = self._acting
        try:
            await acting.async_drive(target, on=on)
            async with asyncio.timeout(ANSWERS_WITHIN_S):
                await acting.async_see(lambda: self._ends or acting.is_on(target) is on)
        except TimeoutError:
            return Outcome.SILENT, None
        except HomeAssistantError as error:
            return Outcome.FAILED, await async_message(self._hass, error)
        except Exception as error:
            # An integration may raise anything, and what was switched has to be put back all the same.
            _LOGGER.exception("%s: %s could not be tried", self._entry.title, target)
            return Outcome.FAILED, str(error)
        return Outcome.ANSWERED, None

    def _put_back_later(self, target: Target, *, before: bool) -> None:
        self._entry.async_create_background_task(
            self._hass, self._put_back(target, before=before), f"{DOMAIN} end of a trial"
        )

    async def _put_back(self, target: Target, *, before: bool) -> None:
        """Put back what a trial has left, as soon as it is there and nothing speaks for leaving it."""
        acting, loop = self._acting, self._hass.loop
        not_before_s, wait_s = loop.time(), RETRY_S

        def is_over() -> bool:
            return target not in acting.tried or acting.is_on(target) is before

        def is_time() -> bool:
            there = acting.is_on(target) is not None
            return is_over() or (there and self._may_put_back() and loop.time() >= not_before_s)

        while target in acting.tried:
            await acting.async_see(is_time)
            if is_over():
                acting.end_trial(target)
            else:
                outcome, reason = await self._drive(target, on=before)
                _LOGGER.info("%s: %s is put back after a trial: %s", self._entry.title, target, reason or outcome)
                not_before_s, wait_s = loop.time() + wait_s, min(2 * wait_s, LONGEST_RETRY_S)

    def _may_put_back(self) -> bool:
        """Whether nothing speaks for leaving off what is off."""
        assessment, decision = self._acting.assessment, self._acting.decision
        critical = assessment is None or assessment.level >= GuardianLevel.CRITICAL
        return not (critical or decision.latched or decision.held - {Target.COOLING})
