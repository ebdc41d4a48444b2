"""Saved settings: a copy of all that the board is set to, by a name, and the way back to it.

What switches the pack on and off, the clock and the calibrations of the measurement aren't part of it, nor are texts.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from homeassistant.core import Context
from homeassistant.exceptions import ServiceValidationError

from .bms.layout import FrameType
from .bms.registers import SETTINGS_BY_KEY, Danger, Kind, Setting, SettingValue, conflicts
from .changes import Changes
from .const import DOMAIN
from .memory import Change
from .pack_state import PackState, register_of, said_of

MOST_SNAPSHOTS: Final = 10


@dataclass(frozen=True, slots=True)
class Difference:
    """A setting that isn't what it was when it was saved."""

    key: str
    present: SettingValue | None
    saved: SettingValue
    possible: bool
    """Whether this board has the setting."""


def settings_of(state: PackState) -> dict[str, SettingValue]:
    """Return the settings that a snapshot holds, as the board says them."""
    return {
        key: said
        for key, setting in SETTINGS_BY_KEY.items()
        if _is_kept(setting) and register_of(setting, state) and (said := said_of(setting, state)) is not None
    }


def _is_kept(setting: Setting) -> bool:
    return (
        setting.said_in is not FrameType.CELL_INFO
        and "calibration" not in setting.key
        and setting.kind is not Kind.TEXT
        and setting.danger is not Danger.SWITCH
    )


def differences(saved: dict[str, SettingValue], state: PackState) -> list[Difference]:
    """Return what of the saved settings differs from what the board says."""
    result = []
    for key, value in saved.items():
        setting = SETTINGS_BY_KEY[key]
        said, possible = said_of(setting, state), register_of(setting, state) is not None
        if not possible or not setting.agrees(said, value, state.board.generation):
            result.append(Difference(key, said, value, possible))
    return result


class Snapshots:
    """The saved settings of one pack."""

    def __init__(self, changes: Changes) -> None:
        self._changes = changes

    @property
    def names(self) -> list[str]:
        """The names of what is saved, oldest first."""
        return list(self._changes.memory.snapshots)

    async def async_save(self, name: str) -> dict[str, SettingValue]:
        """Save the settings as they are now; an older copy of that name is replaced. Raises HomeAssistantError."""
        snapshots = self._changes.memory.snapshots
        if name not in snapshots and len(snapshots) >= MOST_SNAPSHOTS:
            raise ServiceValidationError(
                translation_domain=DOMAIN,
                translation_key="too_many_snapshots",
                translation_placeholders={"most": str(MOST_SNAPSHOTS), "names": ", ".join(snapshots)},
            )
        saved = settings_of(await self._changes.async_read())
        snapshots.pop(name, None)
        snapshots[name] = saved
        await self._changes.async_save()
        return saved

    async def async_differences(self, name: str) -> list[Difference]:
        """Return what has changed since it was saved. Raises HomeAssistantError."""
        saved = self._saved(name)
        return differences(saved, await self._changes.async_read())

    async def async_restore(self, name: str, *, context: Context | None, confirm: bool) -> list[Change]:
        """Write back what has changed since, in a safe order; the first refusal ends it. Raises HomeAssistantError."""
        found = [each for each in await self.async_differences(name) if each.possible]
        saved = {key: value for key, value in self._saved(name).items() if not isinstance(value, str)}
        return await self._changes.async_restore(
            {each.key: each.saved for each in found},
            context=context,
            confirm=confirm,
            disorder=conflicts(saved, frozenset(saved)),
        )

    def _saved(self, name: str) -> dict[str, SettingValue]:
        try:
            return self._changes.memory.snapshots[name]
        except KeyError:
            raise ServiceValidationError(
                translation_domain=DOMAIN,
                translation_key="no_such_snapshot",
                translation_placeholders={"snapshot": name, "names": ", ".join(self.names) or "-"},
            ) from None
