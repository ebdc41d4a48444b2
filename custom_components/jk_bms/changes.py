"""Everything that changes a pack goes through here: what is allowed, what is sensible, and what has become of it.

A change is checked against the permission, the board, the ranges, what is safe for the cells, the order of the settings
and the writes of the day, in this order and before a byte is sent. Then each value is written, read back and recorded,
one after the other, and the first that fails ends it. What is being written is remembered until it is done, so that a
stop of Home Assistant in between leaves nothing half-done unsaid.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import datetime
from math import isclose
from typing import Final

from homeassistant.config_entries import ConfigEntry
from homeassistant.core import Context, HomeAssistant
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError
from homeassistant.util import dt as dt_util

from .battery.chemistry import chemistry_of, loosens_beyond_safe
from .bms.layout import FrameType, Generation
from .bms.link import Link, LinkError, PausedError
from .bms.registers import (
    SETTINGS_BY_KEY,
    Danger,
    Instruction,
    Kind,
    Register,
    Setting,
    SettingValue,
    conflicts,
    in_safe_order,
    numbers,
)
from .bms.telemetry import DeviceInfo, Settings, Telemetry
from .bms.writing import GenerationUncertainError, Outcome, Writer
from .const import CONF_PERMISSION, CONF_WRITES_PER_DAY, DEFAULT_WRITES_PER_DAY, DOMAIN
from .errors import async_names, in_words, paused, value_in_words
from .memory import Author, Change, Loan, MemoryStore, PackMemory
from .pack_state import PackState
from .permission import Permission

UNCHANGED: Final = "unchanged"
"""The board said the wanted value already; nothing was written."""
NOT_WRITTEN: Final = "not_written"
"""It was to be written, but something before it failed."""
_SUCCESSES: Final = {Outcome.VERIFIED, Outcome.SENT}
CALIBRATION_SPAN: Final = 0.25
"""A reading that is further off than this is no matter of calibration but of a broken sensor, or of a slip."""

_STEP: Final = {Danger.SWITCH: Permission.SWITCHES, Danger.SETTING: Permission.ALL, Danger.DANGEROUS: Permission.ALL}
_ALLOWS: Final = {
    Permission.READ_ONLY: frozenset[Permission](),
    Permission.SWITCHES: frozenset({Permission.SWITCHES}),
    Permission.ALL: frozenset({Permission.SWITCHES, Permission.ALL}),
}
_ALWAYS_POSSIBLE: Final = {"charge_switch", "discharge_switch"}
"""What may be switched off however many writes there were today."""
HOME_ASSISTANT: Final = Author("home_assistant")
HIDDEN: Final = "…"
"""Stands in the record for a text: what the owner wrote is nobody else's business."""
_RUNNERS: Final = ("automation", "script")
INSTRUCTED_FOR_S: Final = 60.0
"""Settings that change within this time of a command such as "load defaults" were changed by it."""

type Values = Mapping[str, SettingValue]


def register_of(setting: Setting, state: PackState) -> Register | None:
    """Return the register of a setting with its range on this board; None if the board has no such setting."""
    register = setting.register_on(state.board, state.device_info)
    if register is None or setting.kind is Kind.TEXT:
        return register
    if setting.said_in is FrameType.CELL_INFO:
        return None if said_of(setting, state) is None else register
    return None if setting.is_absent_at(said_of(setting, state), register) else register


def _is_exempt(key: str, value: SettingValue) -> bool:
    return key in _ALWAYS_POSSIBLE and not value


def said_of(setting: Setting, state: PackState) -> SettingValue | None:
    """Return the value of a setting as the board last said it."""
    sayings: dict[FrameType, Settings | DeviceInfo | Telemetry | None] = {
        FrameType.SETTINGS: state.settings,
        FrameType.DEVICE_INFO: state.device_info,
        FrameType.CELL_INFO: state.telemetry,
    }
    saying = sayings[setting.said_in]
    return None if saying is None else setting.said(saying)


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
        self.permission: Final = Permission(entry.options.get(CONF_PERMISSION, Permission.READ_ONLY))
        self.writes_per_day: Final[int] = entry.options.get(CONF_WRITES_PER_DAY, DEFAULT_WRITES_PER_DAY)
        self.memory: Final = memory
        self._hass = hass
        self._name = entry.title
        self._address = address
        self._link = link
        self._state = state
        self._store = store
        self._lock = asyncio.Lock()
        self._made: dict[str, SettingValue] = {}
        """What was written, by key, and not seen to change since."""
        self._instructed_s = -INSTRUCTED_FOR_S

    def allows(self, danger: Danger) -> bool:
        """Whether the owner allowed changes of this kind."""
        return _STEP[danger] in _ALLOWS[self.permission]

    def made(self, key: str, value: SettingValue) -> bool:
        """Whether a setting became what it is by a write from here; to be asked once for every change that is seen."""
        if self._hass.loop.time() - self._instructed_s < INSTRUCTED_FOR_S:
            return True
        written = self._made.pop(key, None)
        return written is not None and self._agrees(SETTINGS_BY_KEY[key], value, written)

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
        self, values: Values, *, context: Context | None = None, confirm: bool = False
    ) -> list[Change]:
        """Write values that the board itself has said before, exactly as they were. Raises as `async_apply` does."""
        return await self._in_whole(values, await self.async_author(context), confirm=confirm)

    async def async_return(self, values: Values) -> list[Change]:
        """Give back what was changed for a time only: the owner's own values, counted when they were changed."""
        return await self._in_whole(values, HOME_ASSISTANT, confirm=True, counted=True)

    async def _in_whole(
        self,
        values: Values,
        author: Author,
        *,
        confirm: bool,
        until: datetime | None = None,
        counted: bool = False,
    ) -> list[Change]:
        """Check what can be checked at once, then write: to the end even if whoever asked gives up meanwhile."""
        state = self._state()
        for key, value in values.items():
            self._check_permission(SETTINGS_BY_KEY[key].danger)
            await self._check_value(SETTINGS_BY_KEY[key], value, state)
        writing = self._write(values, author, confirm=confirm, until=until, counted=counted)
        return await asyncio.shield(self._hass.async_create_task(writing, f"{DOMAIN} write settings"))

    async def async_instruct(
        self, instruction: Instruction, *, context: Context | None = None, confirm: bool = False
    ) -> Change:
        """Send a command without a value. Raises as `async_apply` does."""
        self._check_permission(instruction.danger)
        if instruction.danger is Danger.DANGEROUS and not confirm:
            raise await self._invalid("needs_confirmation", instruction.key)
        author = await self.async_author(context)
        async with self._lock, self._writing() as writer:
            if writer.board.generation is not Generation.JK02_32S or writer.board.is_balancer:
                raise await self._invalid("not_on_this_board", instruction.key)
            self._check_budget(1)
            outcome = await self._sent(writer.instruct(instruction))
            self._instructed_s = self._hass.loop.time()
            change = self._note(instruction.key, None, None, author, outcome)
            await self.async_save()
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
            said = said_of(SETTINGS_BY_KEY[key], state)
            if self._agrees(SETTINGS_BY_KEY[key], said, value):
                written.append(key)
                self._note(key, None, value, HOME_ASSISTANT, Outcome.VERIFIED)
            else:
                missing.append(key)
                self._note(key, said, value, HOME_ASSISTANT, Outcome.UNKNOWN if said is None else NOT_WRITTEN)
        await self._end_plan()
        return written, missing

    async def _write(
        self, values: Values, author: Author, *, confirm: bool, until: datetime | None, counted: bool
    ) -> list[Change]:
        async with self._lock, self._writing() as writer:
            state = await self._read(writer, values)
            present = {key: said_of(SETTINGS_BY_KEY[key], state) for key in values}
            wanted = {
                key: value
                for key, value in values.items()
                if SETTINGS_BY_KEY[key].is_measured or not self._agrees(SETTINGS_BY_KEY[key], present[key], value)
            }
            await self._check_danger(wanted, present, state, confirm=confirm)
            said = numbers(state.settings, state.device_info)
            await self._check_order(wanted, said)
            if not counted:
                writes = sum(not _is_exempt(key, value) for key, value in wanted.items())
                self._check_budget(writes if until is None else 2 * writes)
            plan = in_safe_order(wanted, said)
            self.memory.plan = {key: wanted[key] for key in plan}
            earlier = dict(self.memory.loans)
            if until is not None:
                for key in values:
                    self._borrow(key, present[key], values[key], until)
            await self.async_save()
            done = [
                self._change(key, present[key], value, author, UNCHANGED)
                for key, value in values.items()
                if key not in wanted
            ]
            if until is None:
                for change in done:
                    self.memory.loans.pop(change.key, None)
            for number, key in enumerate(plan):
                change = await self._write_one(writer, key, present[key], wanted[key], author)
                done.append(change)
                if change.result not in _SUCCESSES:
                    rest = plan[number + 1 :]
                    for left in rest:
                        self._note(left, present[left], wanted[left], author, NOT_WRITTEN)
                    for unchanged in rest if change.result == Outcome.UNKNOWN else (key, *rest):
                        self.memory.loans.pop(unchanged, None)
                        if unchanged in earlier:
                            self.memory.loans[unchanged] = earlier[unchanged]
                    await self._end_plan()
                    raise await self._failure(change, plan[:number], rest)
                if until is None:
                    self.memory.loans.pop(key, None)
            await self._end_plan()
            return done

    def _borrow(self, key: str, present: SettingValue | None, value: SettingValue, until: datetime) -> None:
        """Remember what has to return; what is changed for a time once more returns to what it was at first."""
        if loan := self.memory.loans.get(key):
            self.memory.loans[key] = Loan(loan.former, (value, *loan.values), until)
        elif present is not None and not self._agrees(SETTINGS_BY_KEY[key], present, value):
            self.memory.loans[key] = Loan(present, (value,), until)

    async def _end_plan(self) -> None:
        self.memory.plan = {}
        await self.async_save()

    async def _read(self, writer: Writer, keys: Values) -> PackState:
        """Return the state with what the board says now of the settings that are to be changed."""
        said_in = {SETTINGS_BY_KEY[key].said_in for key in keys}
        if FrameType.DEVICE_INFO in said_in:
            await writer.device_info()
        if FrameType.SETTINGS in said_in:
            await writer.settings()
        return self._state()

    async def _write_one(
        self, writer: Writer, key: str, old: SettingValue | None, new: SettingValue, author: Author
    ) -> Change:
        setting = SETTINGS_BY_KEY[key]
        self._made[key] = new
        outcome = await self._sent(writer.write(setting, new))
        if outcome in (Outcome.REFUSED, NOT_WRITTEN):
            self._made.pop(key, None)
        if outcome == Outcome.VERIFIED and setting.is_calibration and self._agrees(setting, old, new):
            outcome = Outcome.SENT  # the reading was that good already: it proves nothing
        return self._note(key, old, new, author, outcome)

    async def _sent(self, sending: Awaitable[Outcome]) -> Outcome | str:
        """Count a write and return what became of it."""
        self.memory.count_write()
        try:
            return await sending
        except LinkError:
            return NOT_WRITTEN

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

    def _check_permission(self, danger: Danger) -> None:
        if not self.allows(danger):
            raise ServiceValidationError(
                translation_domain=DOMAIN,
                translation_key=f"needs_permission_{_STEP[danger]}",
                translation_placeholders={"name": self._name},
            )

    def _check_budget(self, writes: int) -> None:
        if writes and self.memory.writes_so_far() + writes > self.writes_per_day:
            raise ServiceValidationError(
                translation_domain=DOMAIN,
                translation_key="too_many_writes",
                translation_placeholders={
                    "name": self._name,
                    "writes": str(self.memory.writes_so_far()),
                    "limit": str(self.writes_per_day),
                },
            )

    async def _check_value(self, setting: Setting, value: SettingValue, state: PackState) -> None:
        """Raise ServiceValidationError for a value that the board has no register for, or that is out of range."""
        if not state.board.confirmed:
            raise self._error("generation_uncertain")
        register = register_of(setting, state)
        if register is None:
            raise await self._invalid("not_on_this_board", setting.key)
        if setting.kind is Kind.TEXT or isinstance(value, str):
            fits = setting.kind is Kind.TEXT and isinstance(value, str) and value.isascii()
            if not fits or len(str(value)) > register.length:
                raise await self._invalid("not_a_text", setting.key, most=str(register.length))
            return
        if setting.kind is Kind.CHOICE and value not in setting.choices_on(state.device_info):
            raise await self._invalid(
                "not_offered", setting.key, choices=", ".join(setting.choices_on(state.device_info).values())
            )
        if not register.lowest <= value <= register.highest:
            raise await self._invalid(
                "out_of_range",
                setting.key,
                value=value_in_words(setting, value),
                lowest=value_in_words(setting, register.lowest),
                highest=value_in_words(setting, register.highest),
            )

    async def _check_danger(
        self, wanted: Values, present: Mapping[str, SettingValue | None], state: PackState, *, confirm: bool
    ) -> None:
        """Raise ServiceValidationError for what must not be written, or not without the user's confirmation."""
        chemistry = chemistry_of(state.telemetry, state.settings)
        for key, value in wanted.items():
            setting, said = SETTINGS_BY_KEY[key], present[key]
            if isinstance(value, str) or isinstance(said, str):
                continue
            if setting.is_calibration and (said is None or not isclose(abs(said), value, rel_tol=CALIBRATION_SPAN)):
                raise await self._invalid(
                    "not_near_reading",
                    key,
                    value=value_in_words(setting, value),
                    reading="-" if said is None else value_in_words(setting, said),
                )
            if confirm:
                continue
            if setting.danger is Danger.DANGEROUS:
                raise await self._invalid("needs_confirmation", key)
            if (limit := loosens_beyond_safe(key, said, value, chemistry)) is not None:
                raise await self._invalid(
                    "loosens_protection",
                    key,
                    value=value_in_words(setting, value),
                    limit=value_in_words(setting, limit),
                )

    async def _check_order(self, wanted: Values, said: dict[str, float]) -> None:
        values = said | {key: value for key, value in wanted.items() if not isinstance(value, str)}
        if found := conflicts(values, frozenset(wanted)):
            lower, higher = SETTINGS_BY_KEY[found[0].lower], SETTINGS_BY_KEY[found[0].higher]
            names = await async_names(self._hass)
            raise ServiceValidationError(
                translation_domain=DOMAIN,
                translation_key="wrong_order",
                translation_placeholders={
                    "lower": names(lower.key),
                    "lower_value": value_in_words(lower, values[lower.key]),
                    "higher": names(higher.key),
                    "higher_value": value_in_words(higher, values[higher.key]),
                },
            )

    async def _invalid(self, translation_key: str, key: str, **placeholders: str) -> ServiceValidationError:
        names = await async_names(self._hass)
        return ServiceValidationError(
            translation_domain=DOMAIN,
            translation_key=translation_key,
            translation_placeholders={"name": self._name, "setting": names(key), **placeholders},
        )

    def _error(self, translation_key: str) -> HomeAssistantError:
        return HomeAssistantError(
            translation_domain=DOMAIN,
            translation_key=translation_key,
            translation_placeholders={"name": self._name},
        )

    async def _failure(self, change: Change, written: list[str], left: list[str]) -> HomeAssistantError:
        """Return the error that says what a board didn't take, and what of a set was and wasn't written."""
        names, setting = await async_names(self._hass), SETTINGS_BY_KEY[change.key]
        placeholders = {
            "name": self._name,
            "setting": names(change.key),
            "value": "" if change.new is None else value_in_words(setting, change.new),
            "written": ", ".join(map(names, written)) or "-",
            "left": ", ".join(map(names, left)) or "-",
        }
        whole = "" if not written and not left else "_of_several"
        return HomeAssistantError(
            translation_domain=DOMAIN,
            translation_key=f"write_{change.result}{whole}",
            translation_placeholders=placeholders,
        )
