"""The event entity that announces each new entry of the board's own log."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, override

from homeassistant.components.event import EventEntity, EventEntityDescription
from homeassistant.const import EntityCategory
from homeassistant.core import callback
from homeassistant.helpers.debounce import Debouncer

from .bms.event_log import LOG_KEYS
from .bms.link import LinkError, LinkState
from .coordinator import JkBmsCoordinator
from .entity import JkBmsEntity, PackDescription
from .log_book import async_read, newer
from .pack_state import PackState

READ_AT_MOST_EVERY_S: Final = 10
ATTEMPTS: Final = 3
"""How often the log is asked for before the matter is left to rest until there are news again."""


@dataclass(frozen=True, kw_only=True)
class JkBmsLogEventDescription(PackDescription, EventEntityDescription):
    """An event of the board's log."""


LOG_ENTRY: Final = JkBmsLogEventDescription(
    key="log_entry",
    value_fn=lambda _: None,  # only an event is news, and whether there can be any
    exists_fn=lambda state: state.telemetry.event_log_count is not None,
    event_types=list(LOG_KEYS),
    entity_category=EntityCategory.DIAGNOSTIC,
)


def _signs(state: PackState) -> tuple[int | None, int | None]:
    """Return what changes when there is something to note: the count of entries, which early software leaves at 0."""
    return state.telemetry.event_log_count, state.telemetry.alarm_bits


class JkBmsLogEvent(JkBmsEntity, EventEntity):
    """Reads the log when it has grown and announces what is new since the last announcement, or since the start.

    What came while Home Assistant was away is announced once, if anything ever was: the last announcement is all that
    is remembered.
    """

    entity_description: JkBmsLogEventDescription

    def __init__(self, coordinator: JkBmsCoordinator, description: JkBmsLogEventDescription) -> None:
        super().__init__(coordinator, description)
        self._signs = _signs(coordinator.state)
        self._last: tuple[int, int | None] = (coordinator.state.telemetry.run_time_s - 1, None)
        """Run time and code of the entry that is known to be the newest; before any is, the second before the start."""
        self._attempts_left = 0
        self._reading = Debouncer(
            coordinator.hass,
            coordinator.logger,
            cooldown=READ_AT_MOST_EVERY_S,
            immediate=True,
            function=self._async_announce,
            background=True,
        )

    @override
    async def async_added_to_hass(self) -> None:
        """Go on after what was announced last."""
        await super().async_added_to_hass()
        self.async_on_remove(self._reading.async_shutdown)
        announced = self.state_attributes
        if "run_time_s" in announced:
            self._last = announced["run_time_s"], announced["code"]
            self._attempts_left = ATTEMPTS

    @callback
    @override
    def _handle_coordinator_update(self) -> None:
        super()._handle_coordinator_update()
        signs = _signs(self.coordinator.state)
        if signs != self._signs:
            self._signs = signs
            self._attempts_left = ATTEMPTS
        if self._attempts_left:
            self._reading.async_schedule_call()

    async def _async_announce(self) -> None:
        """Read the log, unless that would need a connection of its own, and announce what is new in it."""
        if self.coordinator.state.link.state is not LinkState.CONNECTED:
            return
        attempts_left, self._attempts_left = self._attempts_left - 1, 0
        try:
            book = await async_read(self.coordinator)
        except LinkError:
            self._attempts_left = max(self._attempts_left, attempts_left)
            return
        for entry in newer(book, *self._last):
            attributes = entry.as_json()
            del attributes["event"]
            self._trigger_event(entry.event, attributes)
            self.async_write_ha_state()
        if book:
            self._last = book[-1].run_time_s, book[-1].code
