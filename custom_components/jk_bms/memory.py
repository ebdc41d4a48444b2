"""What is remembered of a pack over restarts: its changes, what was begun, what has to be returned, saved settings."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from datetime import date, datetime
from typing import Any, Final

from homeassistant.core import HomeAssistant
from homeassistant.helpers.storage import Store
from homeassistant.util import dt as dt_util

from .bms.registers import SETTINGS_BY_KEY, Conflict, SettingValue
from .const import DOMAIN

CHANGES_KEPT: Final = 200
_VERSION: Final = 1


@dataclass(frozen=True, slots=True)
class Author:
    """Who wanted a change: an automation or script by its entity, a user by name, or Home Assistant itself."""

    kind: str
    name: str | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that was written, or was to be."""

    at: datetime
    key: str
    old: SettingValue | None
    new: SettingValue | None
    by: Author
    result: str


@dataclass(frozen=True, slots=True)
class Loan:
    """A setting that was changed for a time: what it was, and when that returns."""

    former: SettingValue
    values: tuple[SettingValue, ...]
    """What it was changed to, latest first; more than one if it was changed again meanwhile."""
    until: datetime
    disorder: tuple[Conflict, ...] = ()
    """What was in the wrong order before, and may be so again."""


@dataclass(slots=True)
class PackMemory:
    """The memory of one pack; whoever changes it saves it."""

    changes: list[Change] = field(default_factory=list)
    """The last 200, oldest first."""
    day: date = date.min
    writes_today: int = 0
    """Writes on `day`, in local time."""
    plan: dict[str, SettingValue] = field(default_factory=dict)
    """What is being written at the moment, in that order; left over only if Home Assistant stopped meanwhile."""
    loans: dict[str, Loan] = field(default_factory=dict)
    snapshots: dict[str, dict[str, SettingValue]] = field(default_factory=dict)
    """Saved settings, by the name that the user gave them."""

    def note(self, change: Change) -> None:
        """Add a change to the record."""
        self.changes = [*self.changes, change][-CHANGES_KEPT:]

    def count_writes(self, writes: int) -> None:
        """Count writes of today."""
        self.writes_today, self.day = self.writes_so_far() + writes, dt_util.now().date()

    def writes_so_far(self) -> int:
        """Return the writes of today."""
        return self.writes_today if self.day == dt_util.now().date() else 0


def _known[T](values: dict[str, T]) -> dict[str, T]:
    """Return what is of settings that there still are, should another version have written it down."""
    return {key: value for key, value in values.items() if key in SETTINGS_BY_KEY}


class MemoryStore:
    """Keeps the memory of one pack in Home Assistant's storage."""

    def __init__(self, hass: HomeAssistant, entry_id: str) -> None:
        self._store = Store[dict[str, Any]](hass, _VERSION, f"{DOMAIN}.{entry_id}", atomic_writes=True)

    async def load(self) -> PackMemory:
        """Return what is remembered."""
        stored = await self._store.async_load()
        if stored is None:
            return PackMemory()
        return PackMemory(
            changes=[
                Change(**{**change, "at": datetime.fromisoformat(change["at"]), "by": Author(**change["by"])})
                for change in stored["changes"]
            ],
            day=date.fromisoformat(stored["day"]),
            writes_today=stored["writes_today"],
            plan=_known(stored["plan"]),
            loans={
                key: Loan(
                    loan["former"],
                    tuple(loan["values"]),
                    datetime.fromisoformat(loan["until"]),
                    tuple(Conflict(**each) for each in loan["disorder"]),
                )
                for key, loan in _known(stored["loans"]).items()
            },
            snapshots={name: _known(values) for name, values in stored["snapshots"].items()},
        )

    async def save(self, memory: PackMemory) -> None:
        """Write the memory down; returns when it is."""
        await self._store.async_save(asdict(memory) | {"day": memory.day.isoformat()})

    async def remove(self) -> None:
        """Forget the pack."""
        await self._store.async_remove()
