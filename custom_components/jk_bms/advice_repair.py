"""The repair that goes through the settings to review, one by one: written, skipped or kept, each by a click."""

from __future__ import annotations

from typing import Final

from homeassistant.components.repairs import RepairsFlow, RepairsFlowResult
from homeassistant.config_entries import ConfigEntryState
from homeassistant.core import Context
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers.http import current_request
from homeassistant.helpers.translation import async_get_translations

from .battery.advice import Advice
from .bms.registers import SETTINGS_BY_KEY
from .const import DOMAIN
from .coordinator import JkBmsConfigEntry
from .errors import async_message, async_names, value_in_words

_USER: Final = "hass_user"
"""Where Home Assistant's web server keeps the user of a request."""
_LEAVE: Final = ("skip", "accept")

type Answer = dict[str, str] | None


class ReviewFlow(RepairsFlow):
    """Shows one finding after the other. What is skipped stays to be reviewed, and so does the repair."""

    _finding: Advice

    def __init__(self, entry: JkBmsConfigEntry) -> None:
        self._entry = entry
        self._seen: set[str] = set()
        self._skipped = 0

    async def async_step_init(self, _user_input: Answer = None) -> RepairsFlowResult:
        """Show the first finding."""
        return await self._next()

    async def async_step_finding(self, _user_input: Answer = None) -> RepairsFlowResult:
        """Show a finding that can be written."""
        return await self._show("finding", "write", *_LEAVE)

    async def async_step_blocked(self, _user_input: Answer = None) -> RepairsFlowResult:
        """Show a finding that others have to go before, which were left as they are."""
        return await self._show("blocked", *_LEAVE)

    async def async_step_write(self, _user_input: Answer = None) -> RepairsFlowResult:
        """Write the recommended value."""
        if self._entry.state is not ConfigEntryState.LOADED:
            return self.async_abort(reason="not_connected")
        finding = self._finding
        try:
            await self._entry.runtime_data.changes.async_apply({finding.key: finding.recommended}, context=_context())
        except HomeAssistantError as error:
            return await self._show("not_written", "write", *_LEAVE, error=await async_message(self.hass, error))
        return await self._next()

    async_step_not_written = async_step_write
    """Each step that is shown needs a method, even a menu, whose options have their own."""

    async def async_step_skip(self, _user_input: Answer = None) -> RepairsFlowResult:
        """Leave the setting for another time."""
        self._skipped += 1
        return await self._next()

    async def async_step_accept(self, _user_input: Answer = None) -> RepairsFlowResult:
        """Keep the setting as it is, for good."""
        if self._entry.state is not ConfigEntryState.LOADED:
            return self.async_abort(reason="not_connected")
        self._entry.runtime_data.accept(self._finding)
        return await self._next()

    async def _next(self) -> RepairsFlowResult:
        """Show the next finding: one that can be written, as long as there is any."""
        if self._entry.state is not ConfigEntryState.LOADED:
            return self.async_abort(reason="not_connected")
        findings = [each for each in self._entry.runtime_data.state.findings or () if each.key not in self._seen]
        if not findings:
            if self._skipped:
                return self.async_abort(reason="skipped", description_placeholders={"count": str(self._skipped)})
            return self.async_create_entry(data={})
        self._finding = next((each for each in findings if not each.after), findings[0])
        self._seen.add(self._finding.key)
        return await (self.async_step_blocked() if self._finding.after else self.async_step_finding())

    async def _show(self, step_id: str, *options: str, error: str = "") -> RepairsFlowResult:
        finding, language = self._finding, self.hass.config.language
        names = await async_names(self.hass)
        texts = await async_get_translations(self.hass, language, "selector", [DOMAIN])
        return self.async_show_menu(
            step_id=step_id,
            menu_options=list(options),
            description_placeholders={
                "name": self._entry.title,
                "setting": names(finding.key),
                "reason": texts[f"component.{DOMAIN}.selector.advice.options.{finding.reason}"],
                "present": self._in_words(finding.present),
                "recommended": self._in_words(finding.recommended),
                "range": self._range_in_words(),
                "first": ", ".join(map(names, finding.after)),
                "error": error,
            },
        )

    def _in_words(self, value: float) -> str:
        return value_in_words(self.hass, SETTINGS_BY_KEY[self._finding.key], value)

    def _range_in_words(self) -> str:
        ends = (self._finding.lowest, self._finding.highest)
        lowest, highest = (None if end is None else self._in_words(end) for end in ends)
        if lowest is None:
            return f"≤ {highest}"
        return f"≥ {lowest}" if highest is None else f"{lowest} … {highest}"


def _context() -> Context:
    """Return the context of the user who has clicked, so that the record of changes names them."""
    request = current_request.get()
    user = request.get(_USER) if request else None
    return Context(user_id=user.id if user else None)
