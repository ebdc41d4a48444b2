"""The event entity that tells of every alarm when it is raised and when it is cleared."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, override

from homeassistant.components.event import EventEntity, EventEntityDescription
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .bms.alarms import alarms
from .coordinator import JkBmsConfigEntry, JkBmsCoordinator
from .entity import JkBmsEntity, PackDescription, async_add_existing
from .pack_state import PackState

PARALLEL_UPDATES = 0

RAISED: Final = "raised"
CLEARED: Final = "cleared"


@dataclass(frozen=True, kw_only=True)
class JkBmsEventDescription(PackDescription, EventEntityDescription):
    """An event of the pack."""


def _alarm_bits(state: PackState) -> int | None:
    return state.telemetry.alarm_bits


ALARM: Final = JkBmsEventDescription(
    key="alarm",
    value_fn=lambda _: None,  # only an event is news, and whether there can be any
    exists_fn=lambda state: _alarm_bits(state) is not None,
    event_types=[RAISED, CLEARED],
)


async def async_setup_entry(
    _hass: HomeAssistant, entry: JkBmsConfigEntry, async_add_entities: AddConfigEntryEntitiesCallback
) -> None:
    """Set up the alarm event of a pack."""
    async_add_existing(entry, async_add_entities, [ALARM], JkBmsAlarmEvent)


class JkBmsAlarmEvent(JkBmsEntity, EventEntity):
    """Compares each frame's alarms with those of the frame before; what stood at the start is no news."""

    entity_description: JkBmsEventDescription

    def __init__(self, coordinator: JkBmsCoordinator, description: JkBmsEventDescription) -> None:
        super().__init__(coordinator, description)
        self._known = _alarm_bits(coordinator.state) or 0

    @callback
    @override
    def _handle_coordinator_update(self) -> None:
        super()._handle_coordinator_update()
        known, bits = self._known, _alarm_bits(self.coordinator.state)
        if bits is None or bits == known:
            return
        self._known = bits
        for alarm in alarms(bits ^ known):
            self._trigger_event(
                RAISED if bits >> alarm & 1 else CLEARED, {"alarm": alarm.key, "severity": alarm.severity}
            )
            self.async_write_ha_state()
