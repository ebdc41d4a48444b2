"""How is carried out what the guardian decides, and what the owner orders?

A command is a task of its own, so that no frame waits for it; of several for one target the newest follows the one that
runs. What came of it is not what a service says but what is seen afterwards: that is for the `Actor` to judge, which is
asked again whenever something that is driven changes. The owner is told before anything is switched.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Iterable
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import filterfalse
from typing import Final

from homeassistant.config_entries import ConfigEntry
from homeassistant.core import CALLBACK_TYPE, CoreState, Event, EventStateChangedData, HomeAssistant, callback
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError
from homeassistant.helpers.event import async_track_state_change_event, async_track_time_interval
from homeassistant.helpers.storage import Store
from homeassistant.util import dt as dt_util
from homeassistant.util.hass_dict import HassKey

from .battery.acting.actor import Actor
from .battery.acting.interface import BOARD, Command, Decision, Mode, Record, Seen, Target
from .battery.acting.reasons import stops
from .battery.guardian import Assessment, Finding
from .bms.link import LinkMode
from .bms.registers import Danger
from .bms.telemetry import Settings, Telemetry
from .changes import Changes
from .const import CONF_MODE, DOMAIN
from .driving import Driven
from .errors import async_message
from .guard import SILENT_AFTER_S, Guard
from .guardian_options import CONF_GUARDIAN_MODE, guardian_options, mode_of
from .pack_state import ActingState
from .restoring import async_restored
from .urgent import Urgent, withdraw

_LOGGER = logging.getLogger(__name__)

ANSWERS_WITHIN_S: Final = 15
"""Time that an entity has to carry out a command; the board is given what its link takes."""
ORDER_TAKES_S: Final = 30
"""How long who gives an order by hand is kept waiting to hear what came of it."""
NO_GRACE_ABOVE_STOP_C: Final = 3
"""58 °C for LFP, where the discharge has to stop at once rather than after a minute."""
SAVED_AFTER_S: Final = 1
_VERSION: Final = 1
BOARD_KEYS: Final = {Target.BOARD_CHARGE: "charge_switch", Target.BOARD_DISCHARGE: "discharge_switch"}
"""The settings that they are."""

_PACKS: Final[HassKey[dict[str, Acting]]] = HassKey(f"{DOMAIN}_acting")
"""Those that run, by entry: packs may share a fan or a contactor."""
_LEFT: Final[HassKey[dict[str, Collection[str]]]] = HassKey(f"{DOMAIN}_left")
"""The entities that those that don't run, such as while a pack is out of reach, have left as they need them."""

_ENDED_BY: Final = {
    Target.BOARD_CHARGE: (Target.SWITCH_CHARGE, Target.SWITCH_BOTH),
    Target.BOARD_DISCHARGE: (Target.SWITCH_DISCHARGE, Target.SWITCH_BOTH),
}
"""What else ends the current that a switch of the board ends."""
_FLOWS_A: Final = 1.0

type Failures = dict[Target, str]
"""Why the last command for a target failed, in the language of Home Assistant."""


def _store(hass: HomeAssistant, entry_id: str) -> Store[dict[str, object]]:
    return Store[dict[str, object]](hass, _VERSION, f"{DOMAIN}.{entry_id}.acting", atomic_writes=True)


async def async_forget_acts(hass: HomeAssistant, entry_id: str) -> None:
    """Leave nothing behind of what was done for a pack, nor of what its owner was told."""
    await _store(hass, entry_id).async_remove()
    withdraw(hass, entry_id)


def _kept(decision: Decision) -> tuple[object, ...]:
    """Return what must not be lost of a decision that needs nothing done."""
    return decision.held, decision.latched, decision.cooling_until_s


class Stopped(StrEnum):
    """What came of an emergency stop for one thing."""

    OFF = "off"
    FAILED = "failed"
    NOT_POSSIBLE = "not_possible"
    """The board may not be switched, or can't, but the owner's own switch has ended its current."""


class Acting:
    """Carries out, for one pack, what is to be done. `is_fresh` says whether frames come and the board can be written
    to; `on_news` is called when something has changed without a frame."""

    def __init__(
        self,
        hass: HomeAssistant,
        entry: ConfigEntry,
        guard: Guard,
        *,
        is_fresh: Callable[[], bool],
        on_news: Callable[[], None],
    ) -> None:
        options = guardian_options(entry.options)
        self._hass = hass
        self._entry = entry
        self._guard = guard
        self._is_fresh = is_fresh
        self._on_news = on_news
        self._read_seldom = entry.options.get(CONF_MODE) == LinkMode.PERIODIC
        self._config = options.actions
        self._store = _store(hass, entry.entry_id)
        self._urgent = Urgent(hass, entry)
        self._telemetry: Telemetry | None = None
        self._settings: Settings | None = None
        self._orders: dict[Target, Command] = {}
        """What is to be done next, by target."""
        self._running: dict[Target, asyncio.Task[None]] = {}
        self._listeners: list[Callable[[Record], None]] = []
        self._cancel: list[CALLBACK_TYPE] = []
        self._looked_s = hass.loop.time()
        self._looked = asyncio.Event()
        """Set for a moment with each look."""
        self._last_at: datetime | None = None
        self._cooling_until: datetime | None = None
        self._actor: Actor
        self._changes: Changes
        self.driven: Final = {
            target: Driven(hass, entity_id, usual=target is not Target.COOLING)
            for target, entity_id in options.entities.items()
        }
        self.tried: dict[Target, bool] = {}
        """What is tried out, or was when that was cut off, with what it was before: taken for unchanged until it is
        driven in earnest."""
        self._chosen_of_board: Final = {
            target for _, stop, _, board, _ in stops(self._config) if stop.by_board for target in board
        }
        self.failures: Failures = {}
        self.decision = Decision()

    @property
    def mode(self) -> Mode:
        """How far the guardian goes by itself."""
        return mode_of(self._entry.options)

    @property
    def assessment(self) -> Assessment | None:
        """What the guardian found, and that actions failed, the worst first; None before the first frame.

        As long as Home Assistant starts, much isn't there yet, and that is no failure.
        """
        found, failed = self._guard.assessment, list(filterfalse(self._is_excused, self.decision.findings))
        if found is None or not failed or self._hass.state is not CoreState.running:
            return found
        findings = sorted((*found.findings, *failed), key=lambda each: (-each.level, each.since_s))
        return replace(found, level=findings[0].level, findings=tuple(findings))

    @property
    def state(self) -> ActingState:
        """What the entities show of it."""
        cooling = self.driven.get(Target.COOLING)
        return ActingState(
            mode=self.mode,
            config=self._config,
            decision=self.decision,
            last_at=self._last_at,
            cooling=None if cooling is None else cooling.is_on,
            cooling_until=self._cooling_until,
        )

    async def async_start(self, changes: Changes) -> None:
        """Remember what was done, and begin to look after it."""
        self._changes = changes
        await self._urgent.async_start()
        loaded = await async_restored(self._store)
        known: dict[str, object] = loaded if isinstance(loaded, dict) else {}
        saved_at = dt_util.parse_datetime(str(known.get("saved_at"))) or dt_util.utcnow()
        elapsed_s = max(0.0, (dt_util.utcnow() - saved_at).total_seconds())
        self._actor = Actor(self._config, known.get("actor"), elapsed_s, self._hass.loop.time())
        if cooling := self.driven.get(Target.COOLING):
            cooling.asked = known.get("asked_to_cool") is True
            former_mode = known.get("former_mode")
            cooling.former_mode = former_mode if isinstance(former_mode, str) else None
        tried = known.get("tried")
        if isinstance(tried, dict):
            self.tried = {target: tried[target] is True for target in (*BOARD, *self.driven) if target in tried}
        self._urgent.remind(known.get("urgent"))
        self._hass.data.setdefault(_PACKS, {})[self._entry.entry_id] = self
        self._hass.data.setdefault(_LEFT, {}).pop(self._entry.entry_id, None)
        self._cancel = [
            async_track_time_interval(
                self._hass, self._check_silence, timedelta(seconds=SILENT_AFTER_S), cancel_on_shutdown=True
            ),
            async_track_state_change_event(
                self._hass, [driven.entity_id for driven in self.driven.values()], self._see_change
            ),
        ]

    async def async_stop(self) -> None:
        """Write down what has to be remembered; what is switched stays as it is."""
        if not self._cancel:
            return
        for cancel in self._cancel:
            cancel()
        self._cancel = []
        del self._hass.data[_PACKS][self._entry.entry_id]
        self._hass.data[_LEFT][self._entry.entry_id] = self.held_entities()
        await self._store.async_save(self._to_remember())

    @callback
    def listen(self, listener: Callable[[Record], None]) -> CALLBACK_TYPE:
        """Have every record told as it is made; the returned function ends it."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    @callback
    def step(self, telemetry: Telemetry | None = None, settings: Settings | None = None) -> None:
        """Decide on what is known now, be it for a frame or for none, and have it carried out."""
        now_s = self._looked_s = self._hass.loop.time()
        if telemetry is not None:
            self._telemetry, self._settings = telemetry, settings
        if telemetry is not None and self._guard.assessment is not None:
            nominal_ah = None if settings is None else settings.nominal_capacity_ah
            stop_c = self._guard.guardian.heat_config.thresholds.stop_c
            self._actor.adapt(nominal_ah or telemetry.full_charge_capacity_ah, stop_c + NO_GRACE_ABOVE_STOP_C)
        before = self.decision
        decision = self.decision = self._actor.step(self._guard.assessment, self._see(), self.mode, now_s)
        if decision.last != before.last:
            self._last_at = None if decision.last is None else self._time_of(decision.last.at_s)
        if decision.cooling_until_s != before.cooling_until_s:
            until_s = decision.cooling_until_s
            self._cooling_until = None if until_s is None else self._time_of(until_s)
        stopped = decision.latched and bool(decision.held - {Target.COOLING})
        told = self._urgent.kind
        self._urgent.tell(self.assessment, self.mode, self.failures, stopped=stopped)
        for record in decision.records:
            _LOGGER.info("%s: %s", self._entry.title, record)
            for listener in self._listeners:
                listener(record)
        for command in decision.commands:
            self.tried.pop(command.target, None)
            self._carry_out(command)
        if decision.commands or decision.records or _kept(decision) != _kept(before) or self._urgent.kind != told:
            self._store.async_delay_save(self._to_remember, SAVED_AFTER_S)
        if decision.held != before.held:
            for other in self._others():
                other.look_again()
        self._looked.set()
        self._looked.clear()

    @callback
    def look_again(self) -> None:
        """Decide without a frame."""
        if not self._cancel:
            return  # a command has ended later than all the rest
        self.step()
        self._on_news()

    @callback
    def set_mode(self, mode: Mode) -> None:
        """Have the guardian go so far by itself, from now on."""
        self._hass.config_entries.async_update_entry(
            self._entry, options={**self._entry.options, CONF_GUARDIAN_MODE: mode.value}
        )
        self.look_again()

    async def async_cool(self, *, until_s: float | None = None, until_c: float | None = None) -> None:
        """Cool by hand until a monotonic time or a temperature. Raises HomeAssistantError if it doesn't, or not yet."""
        self._actor.cool(self._hass.loop.time(), until_s=until_s, until_c=until_c)
        if failures := await self._outcome([Target.COOLING], on=True):
            raise self.not_done(failures.values())
        if Target.COOLING in self.decision.limited and not self.is_on(Target.COOLING):
            raise self._error("cooled_too_often", Target.COOLING)

    async def async_stop_cooling(self) -> None:
        """End cooling by hand. Raises HomeAssistantError if that failed; what else it runs for goes on."""
        self._actor.stop_cooling()
        if failures := await self._outcome([Target.COOLING], on=False):
            raise self.not_done(failures.values())

    async def async_emergency_stop(self, *, charge: bool, discharge: bool) -> dict[Target, tuple[Stopped, str | None]]:
        """Switch off what there is to switch off; return for each what came of it, and why it isn't off."""
        targets = [
            target
            for target, meant in (
                (Target.BOARD_CHARGE, charge),
                (Target.BOARD_DISCHARGE, discharge),
                (Target.SWITCH_CHARGE, charge),
                (Target.SWITCH_DISCHARGE, discharge),
                (Target.SWITCH_BOTH, charge and discharge),
            )
            if meant and (target in BOARD or target in self.driven)
        ]
        self._actor.emergency_stop(charge=charge, discharge=discharge)
        failures = await self._outcome(targets, on=False)
        ordered = [target for target in targets if target not in failures]
        with suppress(TimeoutError):
            async with asyncio.timeout(ANSWERS_WITHIN_S):
                await self.async_see(lambda: all(self.is_on(target) is False for target in ordered))
        for target in ordered:
            if on := self.is_on(target):
                silent = self._error("board_silent" if target in BOARD else "driven_silent", target)
                failures[target] = await async_message(self._hass, silent)
            elif on is None:
                failures[target] = await async_message(self._hass, await self._missing(target))
        return {target: (self._became(target, failures.get(target)), failures.get(target)) for target in targets}

    def not_done(self, reasons: Iterable[str | None]) -> HomeAssistantError:
        """Return the error for an order that was not carried out, or not wholly."""
        return HomeAssistantError(
            translation_domain=DOMAIN,
            translation_key="not_done",
            translation_placeholders={
                "name": self._entry.title,
                "reasons": ". ".join(dict.fromkeys(filter(None, reasons))),
            },
        )

    @callback
    def reset(self) -> None:
        """End what is latched after an emergency or an emergency stop."""
        self._actor.reset(self._hass.loop.time())
        self.look_again()

    async def async_drive(self, target: Target, *, on: bool) -> None:
        """Switch something. Raises what there is to raise; it isn't seen yet when this returns."""
        if target in BOARD:
            await self._changes.async_apply({BOARD_KEYS[target]: on})
            if self._read_seldom:
                with suppress(HomeAssistantError):  # While it is asked, the board tells its state, too.
                    await self._changes.async_read()
            return
        async with asyncio.timeout(ANSWERS_WITHIN_S):
            await self.driven[target].async_drive(on=on)

    async def async_see(self, is_so: Callable[[], bool]) -> None:
        """Wait for a look at the pack after which something is so."""
        while not is_so():
            await self._looked.wait()

    async def async_begin_trial(self, target: Target, *, before: bool) -> None:
        """Take something for unchanged from now on; what it was is written down before anything is switched.

        Raises ServiceValidationError for what the board would not be put back to.
        """
        if target in BOARD:
            self._changes.approval.check_permission(Danger.SWITCH)
            self._changes.approval.check_budget({BOARD_KEYS[target]: before})
        else:
            self.driven[target].take_note()
        self.tried[target] = before
        await self._store.async_save(self._to_remember())

    @callback
    def end_trial(self, target: Target) -> None:
        """Take something for what it is again."""
        self.tried.pop(target, None)
        self._store.async_delay_save(self._to_remember, SAVED_AFTER_S)

    @callback
    def is_on(self, target: Target) -> bool | None:
        """Return whether something is on; None while it isn't there."""
        if target not in BOARD:
            return self.driven[target].is_on
        telemetry = self._telemetry
        if telemetry is None or not self._is_fresh():
            return None
        return telemetry.charge_mosfet if target is Target.BOARD_CHARGE else telemetry.discharge_mosfet

    def _time_of(self, monotonic_s: float) -> datetime:
        return (dt_util.utcnow() + timedelta(seconds=monotonic_s - self._hass.loop.time())).replace(microsecond=0)

    def _see(self) -> Seen:
        on = {target: self.is_on(target) for target in (*BOARD, *self.driven)}
        held = self._held_elsewhere()
        unchanged = {target: before for target, before in self.tried.items() if on[target] is not None}
        return Seen(
            on | unchanged,
            None if self._telemetry is None else self._telemetry.current_a,
            self._is_fresh(),
            frozenset({target for target, driven in self.driven.items() if driven.entity_id in held}),
            frozenset({target for target in BOARD if on[target] is False and self._is_switched_on(target)}),
        )

    def _is_impossible(self, target: Target) -> bool:
        """Whether the owner doesn't let the board be switched, or it has no such switch; it is asked all the same."""
        return target in BOARD and not self._changes.can_write(BOARD_KEYS[target])

    def _is_stood_in_for(self, target: Target) -> bool:
        """Whether a switch of the owner's has ended the current that the board can't."""
        return any(other in self.driven and self.is_on(other) is False for other in _ENDED_BY[target])

    def _became(self, target: Target, reason: str | None) -> Stopped:
        if reason is None:
            return Stopped.OFF
        return Stopped.NOT_POSSIBLE if self._is_impossible(target) and self._is_stood_in_for(target) else Stopped.FAILED

    def _is_excused(self, finding: Finding) -> bool:
        """Whether it is no failure that the board wasn't switched: nobody chose it, it can't be, and others do it.

        They are given time for it; after that the current has to have ended, too.
        """
        target = Target(finding.placeholders["target"])
        if not self._is_impossible(target) or target in self._chosen_of_board:
            return False
        if self._hass.loop.time() - finding.since_s < ANSWERS_WITHIN_S:
            return any(other in self.driven for other in _ENDED_BY[target])
        heard = self._telemetry if self._is_fresh() else None
        current_a = 0.0 if heard is None else heard.current_a or 0.0
        flows = current_a > _FLOWS_A if target is Target.BOARD_CHARGE else current_a < -_FLOWS_A
        return self._is_stood_in_for(target) and not flows

    def _is_switched_on(self, target: Target) -> bool:
        settings = self._settings
        if settings is None:
            return False
        return bool(settings.charge_switch if target is Target.BOARD_CHARGE else settings.discharge_switch)

    def held_entities(self) -> Collection[str]:
        """Return the entities that this pack needs as they are."""
        return [self.driven[target].entity_id for target in self._actor.held if target in self.driven]

    def _held_elsewhere(self) -> set[str]:
        """Return the entities that other packs need as they are; one that its owner has disabled needs nothing."""
        held = {entity_id for other in self._others() for entity_id in other.held_entities()}
        for entry_id, left in self._hass.data[_LEFT].items():
            entry = self._hass.config_entries.async_get_entry(entry_id)
            if entry is not None and not entry.disabled_by:
                held.update(left)
        return held

    def _others(self) -> list[Acting]:
        """Return the packs that share an entity with this one."""
        mine = {driven.entity_id for driven in self.driven.values()}
        return [
            other
            for other in self._hass.data[_PACKS].values()
            if other is not self and any(driven.entity_id in mine for driven in other.driven.values())
        ]

    @callback
    def _check_silence(self, _now: datetime) -> None:
        if self._hass.loop.time() - self._looked_s >= SILENT_AFTER_S:
            self.look_again()

    @callback
    def _see_change(self, _event: Event[EventStateChangedData]) -> None:
        self.look_again()

    @callback
    def _carry_out(self, command: Command) -> None:
        target = command.target
        self._orders[target] = command
        if target not in self._running:
            self._running[target] = self._entry.async_create_background_task(
                # Not before all have been told that there is a reason for it.
                self._hass,
                self._give_orders(target),
                f"{DOMAIN} {target}",
                eager_start=False,
            )

    async def _give_orders(self, target: Target) -> None:
        try:
            while command := self._orders.pop(target, None):
                await self._give(command)
        finally:
            del self._running[target]
        self.look_again()

    async def _give(self, command: Command) -> None:
        target = command.target
        try:
            await self.async_drive(target, on=command.on)
        except HomeAssistantError as error:
            self.failures[target] = await async_message(self._hass, error)
            self._actor.failed(command, self._hass.loop.time(), refused=isinstance(error, ServiceValidationError))
        except TimeoutError:
            self.failures[target] = await async_message(self._hass, self._error("driven_silent", target))
            self._actor.failed(command, self._hass.loop.time())
        except Exception as error:
            # An integration may raise anything, and it must not keep the rest from being done.
            _LOGGER.exception("%s: %s could not be switched", self._entry.title, target)
            self.failures[target] = str(error)
            self._actor.failed(command, self._hass.loop.time())
        else:
            self.failures.pop(target, None)

    async def _missing(self, target: Target) -> HomeAssistantError:
        if target not in BOARD:
            return self._error("driven_unavailable", target)
        if self._is_impossible(target):
            return await self._changes.async_why_not(BOARD_KEYS[target])
        return self._error("board_unreachable", target)

    def _error(self, translation_key: str, target: Target) -> HomeAssistantError:
        driven = self.driven.get(target)
        return HomeAssistantError(
            translation_domain=DOMAIN,
            translation_key=translation_key,
            translation_placeholders={"name": self._entry.title, "entity": driven.entity_id if driven else ""},
        )

    async def _outcome(self, targets: Collection[Target], *, on: bool) -> Failures:
        """Have an order carried out; return what of it is known to have failed."""
        self.look_again()
        if tasks := [self._running[target] for target in targets if target in self._running]:
            await asyncio.wait(tasks, timeout=ORDER_TAKES_S)
        missing = {
            target: await async_message(self._hass, await self._missing(target))
            for target in targets
            if self.is_on(target) is None
        }
        # What the board holds off by itself, and is switched on, comes back when the board likes.
        held = {target for target in BOARD if self._is_switched_on(target)}
        done = {target for target in targets if self.is_on(target) is on} - held
        failed = (set(targets) - done) & self.failures.keys()
        return {target: self.failures[target] for target in failed} | missing

    def _to_remember(self) -> dict[str, object]:
        cooling = self.driven.get(Target.COOLING)
        return {
            "saved_at": dt_util.utcnow().isoformat(),
            "actor": self._actor.state(self._hass.loop.time()),
            "asked_to_cool": cooling is not None and cooling.asked,
            "tried": self.tried,
            "former_mode": None if cooling is None else cooling.former_mode,
            "urgent": self._urgent.kind,
        }
