"""The event entity that tells of what the guardian does, and of what it would do in a dry run."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final, override

from homeassistant.components.event import EventEntity, EventEntityDescription
from homeassistant.core import callback

from .battery.acting.interface import Action, Record, Result, Target
from .entity import JkBmsEntity, PackDescription


class Told(StrEnum):
    """What becomes of an action."""

    ORDERED = "ordered"
    STARTED = "started"
    ENDED = "ended"
    FAILED = "failed"
    REFUSED = "refused"
    LIMITED = "limited"
    WOULD_START = "would_start"
    WOULD_END = "would_end"


_TOLD: Final = {
    Result.PENDING: Told.ORDERED,
    Result.ENDED: Told.ENDED,
    Result.FAILED: Told.FAILED,
    Result.REFUSED: Told.REFUSED,
    Result.LIMITED: Told.LIMITED,
}


def told(record: Record) -> Told:
    """Return what a record is told as: cooling starts when it is switched on, all else when something is off."""
    if (known := _TOLD.get(record.result)) is not None:
        return known
    starts = record.on is (record.target is Target.COOLING)
    if record.result is Result.WOULD:
        return Told.WOULD_START if starts else Told.WOULD_END
    return Told.STARTED if starts else Told.ENDED


@dataclass(frozen=True, kw_only=True)
class JkBmsActionEventDescription(PackDescription, EventEntityDescription):
    """An event of the guardian."""


GUARDIAN_ACTION: Final = JkBmsActionEventDescription(
    key="guardian_action",
    value_fn=lambda _: None,  # only an event is news, and whether there can be any
    exists_fn=lambda _: True,
    event_types=[told.value for told in Told],
    of_link=True,
    of_guardian=True,
)


class JkBmsActionEvent(JkBmsEntity, EventEntity):
    """Tells each step of an action when it is taken; as records come from the policy, none is missed."""

    entity_description: JkBmsActionEventDescription

    @override
    async def async_added_to_hass(self) -> None:
        """Listen."""
        await super().async_added_to_hass()
        self.async_on_remove(self.coordinator.acting.listen(self._hear))

    @callback
    def _hear(self, record: Record) -> None:
        """Tell it after the sensors have been written: an automation reads them as soon as it hears of the event."""
        acting = self.coordinator.acting
        assert acting.assessment  # there are no entities before
        heat, limit_a = acting.assessment.thermal.level, acting.decision.limit_a
        attributes: dict[str, object] = {
            "action": record.action,
            "target": record.target,
            "cause": record.cause,
            "detail": record.detail or None,
            "level": None if heat is None else heat.name.lower(),
            "limit": None if limit_a is None or record.action is not Action.REDUCE else round(limit_a, 1),
            "mode": acting.mode,
        }
        self.hass.loop.call_soon(self._tell, told(record), attributes)

    @callback
    def _tell(self, event_type: Told, attributes: dict[str, object]) -> None:
        self._trigger_event(event_type, attributes)
        self.async_write_ha_state()
