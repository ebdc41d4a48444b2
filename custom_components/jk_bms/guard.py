"""When is the guardian of a pack asked, and what does it remember over restarts?

What it has learned is small and written now and then. What became critical is large and rare: it has a file of its own,
written at once. Neither keeps a pack from being watched when it can't be read.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Final

from homeassistant.core import CALLBACK_TYPE, HomeAssistant, callback
from homeassistant.helpers.event import async_track_time_interval
from homeassistant.helpers.storage import Store
from homeassistant.util import dt as dt_util

from .battery.event_recorder import EventRecorder
from .battery.guardian import Assessment, Guardian
from .bms.telemetry import Settings, Telemetry
from .const import DOMAIN
from .restoring import async_restored

_LOGGER = logging.getLogger(__name__)

SILENT_AFTER_S: Final = 5
SAVED_AFTER_S: Final = 10
"""How long what the owner has to see is on its way to the storage."""
SAVED_EVERY_S: Final = 1800
"""What is learned of the heat changes slowly."""
_VERSION: Final = 1


def _store(hass: HomeAssistant, entry_id: str) -> Store[dict[str, object]]:
    return Store[dict[str, object]](hass, _VERSION, f"{DOMAIN}.{entry_id}.guardian", atomic_writes=True)


def _event_store(hass: HomeAssistant, entry_id: str) -> Store[list[dict[str, Any]]]:
    return Store[list[dict[str, Any]]](
        hass,
        _VERSION,
        f"{DOMAIN}.{entry_id}.guardian_events",
        atomic_writes=True,
        serialize_in_event_loop=False,  # events are never changed
    )


async def async_forget(hass: HomeAssistant, entry_id: str) -> None:
    """Leave nothing of a pack's guardian behind."""
    await _store(hass, entry_id).async_remove()
    await _event_store(hass, entry_id).async_remove()


class Guard:
    """Runs the guardian of one pack: on every frame, and while none come unless the owner wants it so."""

    def __init__(
        self,
        hass: HomeAssistant,
        entry_id: str,
        make_guardian: Callable[[object], Guardian],
        *,
        is_paused: Callable[[], bool],
        on_news: Callable[[], None],
    ) -> None:
        self._hass = hass
        self._make_guardian = make_guardian
        self._store = _store(hass, entry_id)
        self._event_store = _event_store(hass, entry_id)
        self._is_paused = is_paused
        self._on_news = on_news
        self._stepped_s = self._saved_s = hass.loop.time()
        self._remembered: tuple[object, ...] = ()
        """What of the memory can't wait, as it was last handed to the storage."""
        self._cancel_timer: CALLBACK_TYPE | None = None
        self._restored: object = None
        self.guardian: Guardian
        """From the first frame on: what it goes by depends on what board it is."""
        self.recorder: EventRecorder
        """From the start on."""
        self.assessment: Assessment | None = None
        """The last one; None before the first frame."""

    async def async_start(self) -> None:
        """Remember, and begin to watch."""
        self._restored = await async_restored(self._store)
        self.recorder = EventRecorder(await async_restored(self._event_store))
        if self.recorder.damaged:
            _LOGGER.warning("What is damaged in %s is left out", self._event_store.key)
        self._cancel_timer = async_track_time_interval(
            self._hass, self._check_silence, timedelta(seconds=SILENT_AFTER_S), cancel_on_shutdown=True
        )

    async def async_stop(self) -> None:
        """Write down what has to be remembered."""
        if self._cancel_timer is None:
            return
        self._cancel_timer()
        self._cancel_timer = None
        if self.assessment is not None:
            await self._store.async_save(self.guardian.state())

    def acknowledge(self) -> None:
        """The owner has seen what was critical; what may end by that ends with the next frames."""
        self.guardian.acknowledge()
        self._look_again()

    def reset(self, *, sure: bool = False) -> bool:
        """End an emergency by hand; return whether that could be: see `Guardian.reset`."""
        ended = self.guardian.reset(self._hass.loop.time(), sure=sure)
        self._store.async_delay_save(self.guardian.state, SAVED_AFTER_S)
        self._look_again()
        return ended

    def step(self, telemetry: Telemetry, settings: Settings | None, ambient_c: float | None, now_s: float) -> None:
        """Take a frame, and the temperature around the pack."""
        if self.assessment is None:
            self.guardian = self._make_guardian(self._restored)
        self._stepped_s = now_s
        assessment = self.guardian.step(telemetry, settings, ambient_c, now_s)
        self._take(assessment, now_s)
        at = dt_util.utcnow().isoformat(timespec="seconds")
        if self.recorder.step(self.guardian, telemetry, settings, assessment, now_s, at):
            self._hass.async_create_task(
                self._event_store.async_save(self.recorder.state()), "JK BMS: a critical event is written down"
            )

    def wants_another(self) -> bool:
        """Return whether the next frame is wanted at once: what the last one said may be grave, but says it alone."""
        return self.guardian.wants_another()

    @callback
    def _check_silence(self, _now: datetime) -> None:
        now_s = self._hass.loop.time()
        if self.assessment is None or now_s - self._stepped_s < SILENT_AFTER_S:
            return
        if self._is_paused():
            self.guardian.excuse(now_s)
            return
        before = self.assessment
        assessment = self.guardian.silent(now_s)
        self._take(assessment, now_s)
        if assessment != before:
            self._on_news()

    def _look_again(self) -> None:
        now_s = self._hass.loop.time()
        self._take(self.guardian.silent(now_s), now_s)
        self._on_news()

    def _take(self, assessment: Assessment, now_s: float) -> None:
        self.assessment = assessment
        critical, level = self.guardian.critical, assessment.thermal.level
        remembered = (assessment.unacknowledged, critical, level, assessment.probes)
        if remembered != self._remembered or now_s - self._saved_s >= SAVED_EVERY_S:
            self._remembered, self._saved_s = remembered, now_s
            self._store.async_delay_save(self.guardian.state, SAVED_AFTER_S)
