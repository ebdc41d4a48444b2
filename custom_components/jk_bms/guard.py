"""When is the guardian of a pack asked, and what does it remember over restarts?"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from homeassistant.core import CALLBACK_TYPE, HomeAssistant, callback
from homeassistant.helpers.event import async_track_time_interval
from homeassistant.helpers.storage import Store

from .battery.guardian import Assessment, Guardian
from .battery.protection import ProtectionConfig
from .bms.telemetry import Settings, Telemetry
from .const import DOMAIN

SILENT_AFTER_S: Final = 5
SAVED_AFTER_S: Final = 10
"""How long what the owner has to see is on its way to the storage."""
SAVED_EVERY_S: Final = 1800
"""What is learned of the heat changes slowly."""
_VERSION: Final = 1


def guard_store(hass: HomeAssistant, entry_id: str) -> Store[dict[str, object]]:
    """Return where the guardian's memory of a pack is kept."""
    return Store[dict[str, object]](hass, _VERSION, f"{DOMAIN}.{entry_id}.guardian", atomic_writes=True)


class Guard:
    """Runs the guardian of one pack: on every frame, and while none come unless the owner wants it so."""

    def __init__(
        self,
        hass: HomeAssistant,
        entry_id: str,
        config: ProtectionConfig,
        *,
        is_paused: Callable[[], bool],
        on_news: Callable[[], None],
    ) -> None:
        self._hass = hass
        self._config = config
        self._store = guard_store(hass, entry_id)
        self._is_paused = is_paused
        self._on_news = on_news
        self._stepped_s = self._saved_s = hass.loop.time()
        self._remembered: tuple[object, ...] = ()
        """What of the memory can't wait, as it was last handed to the storage."""
        self._cancel_timer: CALLBACK_TYPE | None = None
        self._guardian: Guardian
        self.assessment: Assessment | None = None
        """The last one; None before the first frame."""

    async def async_start(self) -> None:
        """Remember, and begin to watch."""
        self._guardian = Guardian(self._config, await self._store.async_load())
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
            await self._store.async_save(self._guardian.state())

    def acknowledge(self) -> None:
        """The owner has seen what was critical; what may end by that ends with the next frames."""
        now_s = self._hass.loop.time()
        self._guardian.acknowledge()
        self._guardian.reset(now_s)
        self._take(self._guardian.silent(now_s), now_s)
        self._on_news()

    def step(self, telemetry: Telemetry, settings: Settings | None, now_s: float) -> None:
        """Take a frame."""
        self._stepped_s = now_s
        self._take(self._guardian.step(telemetry, settings, None, now_s), now_s)

    @callback
    def _check_silence(self, _now: datetime) -> None:
        now_s = self._hass.loop.time()
        if self.assessment is None or now_s - self._stepped_s < SILENT_AFTER_S:
            return
        if self._is_paused():
            self._guardian.excuse(now_s)
            return
        before = self.assessment
        assessment = self._guardian.silent(now_s)
        self._take(assessment, now_s)
        if assessment != before:
            self._on_news()

    def _take(self, assessment: Assessment, now_s: float) -> None:
        self.assessment = assessment
        remembered = (assessment.unacknowledged, assessment.thermal.level, assessment.probes)
        if remembered != self._remembered or now_s - self._saved_s >= SAVED_EVERY_S:
            self._remembered, self._saved_s = remembered, now_s
            self._store.async_delay_save(self._guardian.state, SAVED_AFTER_S)
