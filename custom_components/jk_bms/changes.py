"""Everything that changes a pack goes through here: it is approved, written, read back and recorded.

A change is approved before a byte is sent. Then each value is written, one after the other, and the first that fails
ends it. What is being written is remembered until it is done, so that a stop of Home Assistant in between leaves
nothing half-done unsaid.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Coroutine, Mapping
from contextlib import asynccontextmanager, nullcontext, suppress
from datetime import datetime
from typing import Any, Final

from homeassistant.config_entries import ConfigEntry
from homeassistant.core import Context, HomeAssistant
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError
from homeassistant.util import dt as dt_util

from .approval import EMERGENCY, Approval, Values
from .bms.layout import FrameType, Generation
from .bms.link import Link, LinkError, PausedError
from .bms.registers import (
    SETTINGS_BY_KEY,
    Conflict,
    Danger,
    Instruction,
    Kind,
    Setting,
    SettingValue,
    conflicts,
    in_safe_order,
    numbers,
)
from .bms.writing import GenerationUncertainError, Outcome, Writer
from .const import DOMAIN
from .errors import async_names, in_words, paused, value_in_words
from .memory import Author, Change, Loan, MemoryStore, PackMemory
from .pack_state import PackState, said_of
from .permission import Permission

UNCHANGED: Final = "unchanged"
"""The board said the wanted value already; nothing was written."""
NOT_WRITTEN: Final = "not_written"
"""It was to be written, but something before it failed."""
_LOADING: Final = set(Instruction) - {Instruction.RESTART, Instruction.SHUT_DOWN}
"""The commands that change settings."""
_SUCCESSES: Final = {Outcome.VERIFIED, Outcome.SENT}

HOME_ASSISTANT: Final = Author("home_assistant")
HIDDEN: Final = "…"
"""Stands in the record for a text: what the owner wrote is nobody else's business."""
_RUNNERS: Final = ("automation", "script")
INSTRUCTED_FOR_S: Final = 60.0
"""Settings that change within this time of a command such as "load defaults" were changed by it."""


class Changes:
    """The changes of one pack, one at a time."""

    def __init__(
        self,
        hass: HomeAssistant,
        entry: ConfigEntry,
        address: str,
        link: Link,
        state: Callable[[], PackState],
        store: MemoryStore,
        memory: PackMemory,
    ) -> None:
        self.approval: Final = Approval(hass, entry, memory)
        self.memory: Final = memory
        self.on_loan: Callable[[], None] = lambda: None
        """Called when there is something new to return, whatever becomes of who has asked for it."""
        self._hass = hass
        self._entry = entry
        self._name = entry.title
        self._address = address
        self._link = link
        self._state = state
        self._store = store
        self._lock = asyncio.Lock()
        self._made: dict[str, SettingValue] = {}
        """What was written, by key, and not seen to change since."""
        self._instructed_s = -INSTRUCTED_FOR_S

    @property
    def writes_today(self) -> int | None:
        """How often the board was written to today; None where the owner allows no changes."""
        return None if self.approval.permission is Permission.READ_ONLY else self.memory.writes_so_far()

    def made(self, key: str, value: SettingValue) -> bool:
        """Whether a setting became what it is by a write from here; to be asked once for every change that is seen."""
        if self._hass.loop.time() - self._instructed_s < INSTRUCTED_FOR_S:
            return True
        written = self._made.pop(key, None)
        return written is not None and self._agrees(SETTINGS_BY_KEY[key], value, written)

    def can_write(self, key: str) -> bool:
        """Whether the owner lets a setting be changed, and the board has it as far as is known."""
        setting, board = SETTINGS_BY_KEY[key], self._link.receiver.board
        return self.approval.allows(setting.danger) and not (board.confirmed and setting.register_on(board) is None)

    async def async_why_not(self, key: str) -> ServiceValidationError:
        """Return the error for a setting that can't be written."""
        try:
            self.approval.check_permission(SETTINGS_BY_KEY[key].danger)
        except ServiceValidationError as error:
            return error
        return await self.approval.invalid("not_on_this_board", key)

    async def async_save(self) -> None:
        """Write down what is remembered."""
        await self._store.save(self.memory)

    async def async_author(self, context: Context | None) -> Author:
        """Return who stands behind a context: an automation or a script, or else a user."""
        if context is None:
            return HOME_ASSISTANT
        for state in self._hass.states.async_all(_RUNNERS):
            if state.context.id in (context.id, context.parent_id):
                return Author(state.domain, state.entity_id)
        if context.user_id and (user := await self._hass.auth.async_get_user(context.user_id)):
            return Author("user", user.name)
        return HOME_ASSISTANT

    async def async_apply(
        self,
        values: Values,
        *,
        context: Context | None = None,
        confirm: bool = False,
        until: datetime | None = None,
    ) -> list[Change]:
        """Write settings, rounded to their steps, and read them back; return what became of each, in that order.

        `confirm` says that the user knows of the danger; `until` is when the former values have to return. Raises
        ServiceValidationError if nothing was written because it must not be, HomeAssistantError if it went wrong.
        """
        rounded = {key: SETTINGS_BY_KEY[key].rounded(value) for key, value in values.items()}
        return await self._in_whole(rounded, await self.async_author(context), confirm=confirm, until=until)

    async def async_restore(
        self,
        values: Values,
        *,
        context: Context | None = None,
        confirm: bool = False,
        disorder: Collection[Conflict] = (),
    ) -> list[Change]:
        """Write values that the board itself has said before, exactly as they were. Raises as `async_apply` does.

        `disorder` is what was in the wrong order then, and may be so again.
        """
        return await self._in_whole(values, await self.async_author(context), confirm=confirm, disorder=disorder)

    async def async_return(self, due: Mapping[str, Loan]) -> list[Change]:
        """Give back what was changed for a time only: the owner's own values, counted when they were changed."""
        return await self._in_whole(
            {key: loan.former for key, loan in due.items()},
            HOME_ASSISTANT,
            confirm=True,
            due=due,
            disorder=[conflict for loan in due.values() for conflict in loan.disorder],
        )

    async def _in_whole(
        self,
        values: Values,
        author: Author,
        *,
        confirm: bool,
        until: datetime | None = None,
        due: Mapping[str, Loan] | None = None,
        disorder: Collection[Conflict] = (),
    ) -> list[Change]:
        """Check what can be checked at once, then write: to the end even if whoever asked gives up meanwhile."""
        state = self._state()
        for key, value in values.items():
            self.approval.check_permission(SETTINGS_BY_KEY[key].danger)
            await self.approval.check_value(SETTINGS_BY_KEY[key], value, state)
        return await self._to_the_end(
            self._write(values, author, confirm=confirm, until=until, due=due, disorder=disorder)
        )

    async def _to_the_end[T](self, work: Coroutine[Any, Any, T]) -> T:
        """Do it even if whoever asked gives up meanwhile; unloading the entry waits until it is written down."""
        return await asyncio.shield(self._entry.async_create_task(self._hass, work, f"{DOMAIN} change"))

    async def async_instruct(
        self, instruction: Instruction, *, context: Context | None = None, confirm: bool = False
    ) -> Change:
        """Send a command without a value. Raises as `async_apply` does."""
        self.approval.check_permission(instruction.danger)
        if instruction.danger is Danger.DANGEROUS and not confirm:
            raise await self.approval.invalid("needs_confirmation", instruction.key)
        return await self._to_the_end(self._instruct(instruction, await self.async_author(context)))

    async def _instruct(self, instruction: Instruction, author: Author) -> Change:
        async with self._lock, self._writing() as writer:
            if writer.board.generation is not Generation.JK02_32S or writer.board.is_balancer:
                raise await self.approval.invalid("not_on_this_board", instruction.key)
            self.approval.check_budget({instruction.key: True})
            outcome = await self._sent(writer, writer.instruct(instruction))
            self._instructed_s = self._hass.loop.time()
            change = self._note(instruction.key, None, None, author, outcome)
            await self.async_save()
            if instruction in _LOADING:
                with suppress(LinkError):  # it may well start anew
                    await writer.settings()
        return change

    async def async_read(self) -> PackState:
        """Return the state with settings and device info as they are now. Raises HomeAssistantError."""
        async with self._lock, self._writing() as writer:
            await writer.device_info()
            await writer.settings()
        return self._state()

    async def async_end_interrupted(self) -> tuple[list[str], list[str]]:
        """Record what was being written when Home Assistant was stopped; return what the board took, and what not."""
        state = self._state()
        written: list[str] = []
        missing: list[str] = []
        for key, value in self.memory.plan.items():
            said = None if SETTINGS_BY_KEY[key].is_measured else said_of(SETTINGS_BY_KEY[key], state)
            if self._agrees(SETTINGS_BY_KEY[key], said, value):
                written.append(key)
                self._note(key, None, value, HOME_ASSISTANT, Outcome.VERIFIED)
            else:
                missing.append(key)
                self._note(key, said, value, HOME_ASSISTANT, Outcome.UNKNOWN if said is None else NOT_WRITTEN)
        await self._end(self.memory.plan)
        return written, missing

    async def _write(
        self,
        values: Values,
        author: Author,
        *,
        confirm: bool,
        until: datetime | None,
        due: Mapping[str, Loan] | None,
        disorder: Collection[Conflict],
    ) -> list[Change]:
        """Check the values against what the board says now, and write in a safe order those that differ."""
        turn = nullcontext() if EMERGENCY.issuperset(values.items()) else self._lock
        async with turn, self._writing() as writer:
            if due is not None:  # somebody may have lent it anew, or changed it for good, while this had to wait
                values = {key: value for key, value in values.items() if self.memory.loans.get(key) is due[key]}
            state = await self._read(writer, values)
            present = {key: said_of(SETTINGS_BY_KEY[key], state) for key in values}
            wanted = {
                key: value
                for key, value in values.items()
                if SETTINGS_BY_KEY[key].is_measured or not self._agrees(SETTINGS_BY_KEY[key], present[key], value)
            }
            said = numbers(state.settings, state.device_info)
            await self.approval.check_danger(wanted, present, state, confirm=confirm)
            await self.approval.check_order(wanted, said, disorder)
            if due is None:
                self.approval.check_budget(wanted, times=1 if until is None else 2)
            plan = {key: wanted[key] for key in in_safe_order(wanted, said)}
            self.memory.plan |= plan
            loans = dict(self.memory.loans)
            for key, value in values.items():
                if until is not None:
                    self._borrow(key, present[key], value, until, said)
                elif key not in wanted:
                    self.memory.loans.pop(key, None)
            await self.async_save()
            if until is not None:
                self.on_loan()
            done = [
                self._change(key, present[key], value, author, UNCHANGED)
                for key, value in values.items()
                if key not in wanted
            ]
            for key, value in plan.items():
                change = await self._write_one(writer, key, present[key], value, author)
                done.append(change)
                if change.result not in _SUCCESSES:
                    raise await self._broken_off(plan, change, present, loans)
                if until is None:
                    self.memory.loans.pop(key, None)
            await self._end(plan)
            return done

    async def _broken_off(
        self,
        plan: Values,
        failed: Change,
        present: Mapping[str, SettingValue | None],
        loans: dict[str, Loan],
    ) -> HomeAssistantError:
        """End a plan at the write that failed; return the error that says what was and what wasn't written.

        What wasn't written isn't on loan either: that is then as in `loans`, from before the plan. When Home Assistant
        stops, nobody is there to hear it: then all is left as it was written down, for the next start to tell.
        """
        keys = list(plan)
        place = keys.index(failed.key)
        written, left = keys[:place], keys[place + 1 :]
        for key in left:
            self._note(key, present[key], plan[key], failed.by, NOT_WRITTEN)
        for key in left if failed.result == Outcome.UNKNOWN else (failed.key, *left):
            self.memory.loans.pop(key, None)
            if key in loans:
                self.memory.loans[key] = loans[key]
        self.on_loan()
        if not self._hass.is_stopping:
            await self._end(plan)
        names = await async_names(self._hass)
        return HomeAssistantError(
            translation_domain=DOMAIN,
            translation_key=f"write_{failed.result}{'_of_several' if written or left else ''}",
            translation_placeholders={
                "name": self._name,
                "setting": names(failed.key),
                "value": ""
                if failed.new is None
                else value_in_words(self._hass, SETTINGS_BY_KEY[failed.key], failed.new),
                "written": ", ".join(map(names, written)) or "-",
                "left": ", ".join(map(names, left)) or "-",
            },
        )

    def _borrow(
        self, key: str, present: SettingValue | None, value: SettingValue, until: datetime, said: Mapping[str, float]
    ) -> None:
        """Remember what has to return; what is changed for a time once more returns to what it was at first."""
        if loan := self.memory.loans.get(key):
            values = tuple(dict.fromkeys((value, *loan.values)))
            self.memory.loans[key] = Loan(loan.former, values, until, loan.disorder)
        elif present is not None and not self._agrees(SETTINGS_BY_KEY[key], present, value):
            self.memory.loans[key] = Loan(present, (value,), until, tuple(conflicts(said, frozenset({key}))))

    async def _end(self, plan: Values) -> None:
        """Forget a plan that has been carried out, or given up."""
        self.memory.plan = {key: value for key, value in self.memory.plan.items() if key not in plan}
        await self.async_save()

    async def _read(self, writer: Writer, keys: Values) -> PackState:
        """Return the state with what the board says now of the settings that are to be changed."""
        said_in = {SETTINGS_BY_KEY[key].said_in for key in keys}
        if FrameType.DEVICE_INFO in said_in:
            await writer.device_info()
        if FrameType.SETTINGS in said_in:
            await writer.settings()
        if FrameType.CELL_INFO in said_in:
            await writer.telemetry()
        return self._state()

    async def _write_one(
        self, writer: Writer, key: str, old: SettingValue | None, new: SettingValue, author: Author
    ) -> Change:
        setting = SETTINGS_BY_KEY[key]
        self._made[key] = new
        outcome = await self._sent(writer, writer.write(setting, new))
        if outcome in (Outcome.REFUSED, NOT_WRITTEN):
            self._made.pop(key, None)
        if outcome == Outcome.VERIFIED and setting.is_calibration and self._agrees(setting, old, new):
            outcome = Outcome.SENT  # the reading was that good already: it proves nothing
        return self._note(key, old, new, author, outcome)

    async def _sent(self, writer: Writer, sending: Awaitable[Outcome]) -> Outcome | str:
        """Return what became of a write, and count how often it was sent."""
        sent = writer.sent
        try:
            return await sending
        except LinkError:
            return NOT_WRITTEN
        finally:
            self.memory.count_writes(writer.sent - sent)

    @asynccontextmanager
    async def _writing(self) -> AsyncIterator[Writer]:
        """Have the board for changes. Raises HomeAssistantError where the link raises its own."""
        try:
            async with self._link.writing() as writer:
                yield writer
        except GenerationUncertainError as error:
            raise self._error("generation_uncertain") from error
        except PausedError as error:
            raise paused(self._hass, self._name, error) from error
        except LinkError as error:
            raise HomeAssistantError(**in_words(self._hass, self._name, self._address, error)) from error

    def _change(
        self, key: str, old: SettingValue | None, new: SettingValue | None, author: Author, result: str
    ) -> Change:
        if SETTINGS_BY_KEY.get(key, SETTINGS_BY_KEY["user_data"]).kind is Kind.TEXT and new is not None:
            old, new = HIDDEN, HIDDEN
        return Change(dt_util.utcnow(), key, old, new, author, result)

    def _note(
        self, key: str, old: SettingValue | None, new: SettingValue | None, author: Author, result: str
    ) -> Change:
        change = self._change(key, old, new, author, result)
        self.memory.note(change)
        return change

    def _agrees(self, setting: Setting, said: SettingValue | None, value: SettingValue) -> bool:
        generation = self._state().board.generation
        return generation in setting.registers and setting.agrees(said, value, generation)

    def _error(self, translation_key: str) -> HomeAssistantError:
        return HomeAssistantError(
            translation_domain=DOMAIN,
            translation_key=translation_key,
            translation_placeholders={"name": self._name},
        )
