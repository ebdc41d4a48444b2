"""What Home Assistant was writing when it was stopped: found out at the next start, and told to the owner."""

from __future__ import annotations

from contextlib import suppress
from typing import Final

from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers import issue_registry as ir

from .changes import Changes
from .const import DOMAIN
from .errors import async_names

INTERRUPTED: Final = "interrupted"
"""The repair's translation key, and how its id begins."""


async def async_tell_of_interruption(hass: HomeAssistant, name: str, entry_id: str, changes: Changes) -> None:
    """Compare what was to be written with what the board says now; say so if not all of it was."""
    if not changes.memory.plan:
        return
    with suppress(HomeAssistantError):  # what isn't known then counts as missing
        await changes.async_read()
    written, missing = await changes.async_end_interrupted()
    if not missing:
        return
    names = await async_names(hass)
    ir.async_create_issue(
        hass,
        DOMAIN,
        f"{INTERRUPTED}_{entry_id}",
        is_fixable=True,
        is_persistent=True,
        severity=ir.IssueSeverity.WARNING,
        translation_key=INTERRUPTED,
        translation_placeholders={
            "name": name,
            "written": ", ".join(map(names, written)) or "-",
            "missing": ", ".join(map(names, missing)),
        },
    )
