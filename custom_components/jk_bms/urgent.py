"""What does the owner have to know at once, and when is it taken back?

One notification for each pack: it changes with what is wrong, not with every reading, and stays until that is over and
has been acknowledged. Whoever waves it away is told again when there is something else to say. Home Assistant forgets
notifications with a restart: what stood then is told again, once, until the pack is heard.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from homeassistant.components import persistent_notification
from homeassistant.config_entries import SIGNAL_CONFIG_ENTRY_CHANGED, ConfigEntry, ConfigEntryChange
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import device_registry as dr
from homeassistant.helpers.dispatcher import async_dispatcher_connect
from homeassistant.helpers.translation import async_get_cached_translations, async_get_translations
from homeassistant.util.hass_dict import HassKey

from .battery.acting.interface import ACTION_FAILED, Mode, Target
from .battery.guardian import HEAT, RAISED_BY, Assessment, Finding, GuardianLevel
from .battery.hazards import Kind
from .const import DOMAIN

_CAUSE: Final = f"component.{DOMAIN}.entity.sensor.guardian_level.state_attributes.cause.state"
_NAMES: Final = {
    RAISED_BY: f"{_CAUSE}.{{}}",
    "alarm": f"component.{DOMAIN}.entity.binary_sensor.alarm_{{}}.name",
    "probe": f"component.{DOMAIN}.entity.sensor.{{}}.name",
    "action": f"component.{DOMAIN}.selector.action.options.{{}}",
    "target": f"component.{DOMAIN}.selector.target.options.{{}}",
}
"""Where the placeholders that are translation keys are translated."""
_OUTLASTING: Final = ("emergency", "critical", "stopped")
"""What is told again after a restart."""
_STARTED: Final[HassKey[set[str]]] = HassKey(f"{DOMAIN}_started")
"""Entries that were set up since Home Assistant started: one that is again, or over and over, was not restarted."""


def _id(entry_id: str) -> str:
    return f"{DOMAIN}_{entry_id}"


@callback
def withdraw(hass: HomeAssistant, entry_id: str) -> None:
    """Take back what the owner of a pack was told."""
    persistent_notification.async_dismiss(hass, _id(entry_id))


@callback
def withdraw_from_disabled(hass: HomeAssistant) -> None:
    """Take back what stands of a pack, be it loaded or out of reach, once its owner disables it."""

    @callback
    def look(_change: ConfigEntryChange, entry: ConfigEntry) -> None:
        if entry.domain == DOMAIN and entry.disabled_by:
            withdraw(hass, entry.entry_id)

    async_dispatcher_connect(hass, SIGNAL_CONFIG_ENTRY_CHANGED, look)


class Urgent:
    """Tells the owner of one pack."""

    def __init__(self, hass: HomeAssistant, entry: ConfigEntry) -> None:
        self._hass = hass
        self._entry = entry
        self._language = hass.config.language
        self._told: object = ...
        """What was said last, without its readings; None if nothing is wrong."""
        self.kind: str | None = None
        """Which text stands."""

    async def async_start(self) -> None:
        """Have the words ready: there is no time to look for them later."""
        for category in ("entity", "selector"):
            await async_get_translations(self._hass, self._language, category, [DOMAIN])

    @callback
    def remind(self, kind: object) -> None:
        """Say what stood before a restart, as long as the pack hasn't been heard."""
        started = self._hass.data.setdefault(_STARTED, set())
        first = self._entry.entry_id not in started
        started.add(self._entry.entry_id)
        if kind in _OUTLASTING:
            self.kind = str(kind)
            if first:
                self._create(self.kind, "before")

    @callback
    def tell(
        self, assessment: Assessment | None, mode: Mode, failures: Mapping[Target, str], *, stopped: bool = False
    ) -> None:
        """Say what is wrong, unless it has been said. `stopped`: something is off, and stays so until it is reset."""
        if assessment is None:
            return
        urgent = [
            finding
            for finding in assessment.findings
            if (mode is not Mode.OFF and finding.level >= _told_from(finding)) or finding.cause == ACTION_FAILED
        ]
        kind = _kind(assessment, urgent, mode, stopped=stopped)
        told = (kind, [_told_by(each) for each in urgent], dict(failures)) if kind else None
        if told == self._told:
            return
        self._told, self.kind = told, kind
        if kind is None:
            withdraw(self._hass, self._entry.entry_id)
            return
        if kind == "over":
            sentences = [self._former(key) for key in assessment.unacknowledged]
        else:
            sentences = [self._sentence(each, failures, assessment.thermal.hottest_c) for each in urgent]
        done = self._option("off" if stopped else "not_off").format(page=self._page())
        self._create(kind, kind, found="\n".join(f"- {sentence}" for sentence in sentences), done=done)

    def _create(self, title: str, text: str, **details: str) -> None:
        persistent_notification.async_create(
            self._hass,
            self._option(text).format(page=self._page(), **details),
            title=self._option(f"{title}_title").format(name=self._entry.title),
            notification_id=_id(self._entry.entry_id),
        )

    def _former(self, key: str) -> str:
        """Return the words for what was critical, by its key."""
        texts = self._texts("entity")
        alarm = texts.get(_NAMES["alarm"].format(key.removeprefix(f"{Kind.BMS_ALARM}_")))
        return alarm or texts.get(f"{_CAUSE}.{key}", key)

    def _sentence(self, finding: Finding, failures: Mapping[Target, str], hottest_c: float | None) -> str:
        texts = self._texts("entity") | self._texts("selector")
        details = [texts.get(_NAMES[name].format(key), key) for name, key in _named(finding).items() if name in _NAMES]
        if cell := finding.placeholders.get("cell"):
            details.append(self._option("cell").format(cell=cell))
        if finding.key == HEAT and hottest_c is not None:
            details.append(self._option("hottest").format(temperature=f"{hottest_c:.1f}"))
        if reason := failures.get(Target(finding.placeholders["target"])) if finding.cause == ACTION_FAILED else None:
            details.append(reason)
        sentence = texts[f"{_CAUSE}.{finding.cause}"]
        return f"{sentence}: {', '.join(details)}" if details else sentence

    def _page(self) -> str:
        """Return where the pack is shown, with the button to acknowledge; before it has a page, where it will be."""
        devices = dr.async_entries_for_config_entry(dr.async_get(self._hass), self._entry.entry_id)
        return f"/config/devices/device/{devices[0].id}" if devices else f"/config/integrations/integration/{DOMAIN}"

    def _option(self, key: str) -> str:
        return self._texts("selector")[f"component.{DOMAIN}.selector.urgent.options.{key}"]

    def _texts(self, category: str) -> dict[str, str]:
        return async_get_cached_translations(self._hass, self._language, category, DOMAIN)


def _told_from(finding: Finding) -> GuardianLevel:
    """Return the level from which a finding is told: heat that goes on rising can still be met in time."""
    return GuardianLevel.WARNING if finding.key == HEAT else GuardianLevel.CRITICAL


def _kind(assessment: Assessment, urgent: list[Finding], mode: Mode, *, stopped: bool) -> str | None:
    """Return which text it is; None if there is nothing to say."""
    if mode is not Mode.OFF:
        if assessment.level is GuardianLevel.EMERGENCY:
            return "emergency"
        if assessment.level is GuardianLevel.CRITICAL:
            return "critical"
        if not urgent and not stopped and assessment.unacknowledged:
            return "over"
    if any(finding.cause == ACTION_FAILED for finding in urgent):
        return ACTION_FAILED
    if urgent and not stopped:
        return "warm"
    return "stopped" if stopped else None


def _told_by(finding: Finding) -> tuple[object, ...]:
    """Return what makes a finding another one for the owner; which of two warm probes is the warmer one doesn't."""
    return (finding.key, finding.level) if finding.key == HEAT else (finding.cause, *_named(finding).items())


def _named(finding: Finding) -> dict[str, str]:
    """Return what tells a finding from one of the same cause, without its readings."""
    return {name: key for name, key in finding.placeholders.items() if name in _NAMES or name == "cell"}
