"""Settings that were changed for a time: their former values return when it is over, whatever happens meanwhile.

The loans are remembered over restarts. A value that somebody has changed since is left alone: the loan is void. As long
as a return fails, the owner is told, and it is tried again: every minute, but less and less often where that writes.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from homeassistant.core import CALLBACK_TYPE, HomeAssistant, callback
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers import issue_registry as ir
from homeassistant.helpers.event import async_track_point_in_utc_time
from homeassistant.util import dt as dt_util

from .bms.registers import SETTINGS_BY_KEY
from .changes import Changes
from .const import DOMAIN
from .errors import async_message, async_names, value_in_words
from .memory import Loan
from .pack_state import said_of

NOT_RETURNED: Final = "not_returned"
"""The repair's translation key, and how its id begins."""
RETRY_AFTER: Final = timedelta(minutes=1)
LONGEST_RETRY: Final = timedelta(hours=1)
"""A board that goes on refusing is written to some thirty times in the first day."""


class Loans:
    """Gives back, for one pack, what is due."""

    def __init__(self, hass: HomeAssistant, name: str, entry_id: str, changes: Changes) -> None:
        self._hass = hass
        self._name = name
        self._issue_id = f"{NOT_RETURNED}_{entry_id}"
        self._changes = changes
        changes.on_loan = self.watch
        self._cancel: CALLBACK_TYPE | None = None
        self._stopped = False
        self._returning = False
        self._not_before = dt_util.utcnow()
        self._retry_after = RETRY_AFTER

    @callback
    def watch(self) -> None:
        """Wait for what is due next."""
        if self._returning:
            return
        due = min((loan.until for loan in self._changes.memory.loans.values()), default=None)
        self._wait_until(due and max(due, self._not_before))

    @callback
    def stop(self) -> None:
        """Wait no more, whatever is still on its way: the next start goes on from what is remembered."""
        self._stopped = True
        self._wait_until(None)

    @callback
    def _wait_until(self, due: datetime | None) -> None:
        if self._cancel:
            self._cancel()
            self._cancel = None
        if due is not None and not self._stopped:
            self._cancel = async_track_point_in_utc_time(self._hass, self._give_back, due)

    async def _give_back(self, now: datetime) -> None:
        self._cancel, self._returning = None, True
        recorded = self._changes.memory.changes
        try:
            await self._give_back_due(now)
        except HomeAssistantError as error:
            await self._report(error)
            self._not_before = dt_util.utcnow() + self._retry_after
            written = self._changes.memory.changes is not recorded
            self._retry_after = min(2 * self._retry_after, LONGEST_RETRY) if written else RETRY_AFTER
        else:
            ir.async_delete_issue(self._hass, DOMAIN, self._issue_id)
            self._retry_after = RETRY_AFTER
        finally:
            self._returning = False
        self.watch()

    async def _give_back_due(self, now: datetime) -> None:
        loans = self._changes.memory.loans
        if all(loan.until > now for loan in loans.values()):
            return
        state = await self._changes.async_read()
        due: dict[str, Loan] = {}
        for key, loan in list(loans.items()):
            if loan.until > now:
                continue
            setting = SETTINGS_BY_KEY[key]
            said = said_of(setting, state)
            if any(setting.agrees(said, value, state.board.generation) for value in loan.values):
                due[key] = loan
            else:
                del loans[key]
        if due:
            await self._changes.async_return(due)
        await self._changes.async_save()

    async def _report(self, error: HomeAssistantError) -> None:
        """Tell the owner what is still changed, and why."""
        names = await async_names(self._hass)
        if self._stopped:
            return
        ir.async_create_issue(
            self._hass,
            DOMAIN,
            self._issue_id,
            is_fixable=False,
            severity=ir.IssueSeverity.WARNING,
            translation_key=NOT_RETURNED,
            translation_placeholders={
                "name": self._name,
                "settings": ", ".join(
                    f"{names(key)}: {value_in_words(self._hass, SETTINGS_BY_KEY[key], loan.values[0])}"
                    f" → {value_in_words(self._hass, SETTINGS_BY_KEY[key], loan.former)}"
                    for key, loan in self._changes.memory.loans.items()
                    if loan.until <= dt_util.utcnow()
                ),
                "reason": await async_message(self._hass, error),
            },
        )
