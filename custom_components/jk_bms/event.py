"""Events: alarms when they are raised and when they are cleared, settings that have changed, entries of the log."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, override

from homeassistant.components.event import EventEntity, EventEntityDescription
from homeassistant.const import EntityCategory
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .action_event import GUARDIAN_ACTION, JkBmsActionEvent
from .battery.acting.interface import Mode
from .battery.guardian import Finding, GuardianLevel
from .battery.hazards import Family
from .bms.alarms import Severity, alarms
from .bms.registers import SETTINGS_BY_KEY, Kind, Setting, numbers
from .coordinator import JkBmsConfigEntry, JkBmsCoordinator
from .entity import JkBmsEntity, PackDescription, async_add_existing
from .log_event import LOG_ENTRY, JkBmsLogEvent
from .pack_state import PackState

PARALLEL_UPDATES = 0

RAISED: Final = "raised"
CLEARED: Final = "cleared"
CHANGED_HERE: Final = "changed_here"
CHANGED_ELSEWHERE: Final = "changed_elsewhere"

BOARD: Final = "board"
GUARDIAN: Final = "guardian"


@dataclass(frozen=True, kw_only=True)
class JkBmsEventDescription(PackDescription, EventEntityDescription):
    """An event of the pack."""


def _alarm_bits(state: PackState) -> int | None:
    return state.telemetry.alarm_bits


def _alarming(state: PackState) -> dict[str, Finding]:
    """Return by key what the guardian has found of its own and alarms the owner of."""
    return {
        finding.key: finding
        for finding in state.assessment.findings
        if finding.level >= GuardianLevel.WARNING and finding.family != Family.BMS_FAULT
    }


ALARM: Final = JkBmsEventDescription(
    key="alarm",
    value_fn=lambda _: None,  # only an event is news, and whether there can be any
    exists_fn=lambda _: True,
    event_types=[RAISED, CLEARED],
    of_link=True,  # that nothing is heard any more is an alarm, too
)

SETTING_CHANGED: Final = JkBmsEventDescription(
    key="setting_changed",
    value_fn=lambda _: None,
    exists_fn=lambda _: True,
    event_types=[CHANGED_HERE, CHANGED_ELSEWHERE],
    entity_category=EntityCategory.DIAGNOSTIC,
)


async def async_setup_entry(
    _hass: HomeAssistant, entry: JkBmsConfigEntry, async_add_entities: AddConfigEntryEntitiesCallback
) -> None:
    """Set up the events of a pack."""
    async_add_existing(entry, async_add_entities, [ALARM], JkBmsAlarmEvent)
    async_add_existing(entry, async_add_entities, [SETTING_CHANGED], JkBmsSettingChangedEvent)
    async_add_existing(entry, async_add_entities, [LOG_ENTRY], JkBmsLogEvent)
    async_add_existing(entry, async_add_entities, [GUARDIAN_ACTION], JkBmsActionEvent)


class JkBmsAlarmEvent(JkBmsEntity, EventEntity):
    """Compares each frame's alarms with those of the frame before; what stood at the start is no news.

    The guardian's warnings and whatever is worse are alarms like the board's own. Those of the board it only repeats,
    so they are told once.
    """

    entity_description: JkBmsEventDescription

    def __init__(self, coordinator: JkBmsCoordinator, description: JkBmsEventDescription) -> None:
        super().__init__(coordinator, description)
        self._known = _alarm_bits(coordinator.state) or 0
        self._found = _alarming(coordinator.state)

    @callback
    @override
    def _handle_coordinator_update(self) -> None:
        super()._handle_coordinator_update()
        self._tell_of_board()
        self._tell_of_guardian()

    def _tell_of_board(self) -> None:
        known, bits = self._known, _alarm_bits(self.coordinator.state)
        if bits is None or bits == known:
            return
        self._known = bits
        for alarm in alarms(bits ^ known):
            self._trigger_event(
                RAISED if bits >> alarm & 1 else CLEARED,
                {"source": BOARD, "alarm": alarm.key, "severity": alarm.severity},
            )
            self.async_write_ha_state()

    def _tell_of_guardian(self) -> None:
        if self.coordinator.state.acting.mode is Mode.OFF:
            self._found = {}  # it is told again when the guardian is back
            return
        before, self._found = self._found, _alarming(self.coordinator.state)
        for key, finding in before.items():
            if key not in self._found:
                self._tell(CLEARED, finding)
        for key, finding in self._found.items():
            if key not in before or finding.level > before[key].level:
                self._tell(RAISED, finding)

    def _tell(self, event_type: str, finding: Finding) -> None:
        self._trigger_event(
            event_type,
            {
                **finding.placeholders,
                "source": GUARDIAN,
                "alarm": f"{GUARDIAN}_{finding.cause}",
                "severity": Severity.WARNING if finding.level is GuardianLevel.WARNING else Severity.ALARM,
                "key": finding.key,
                "level": finding.level.name.lower(),
                "family": finding.family,
                "since": self.coordinator.time_of(finding.since_s).isoformat(),
            },
        )
        self.async_write_ha_state()


class JkBmsSettingChangedEvent(JkBmsEntity, EventEntity):
    """Compares what the board says of its settings with what it said before, be it before a pause or a lost link.

    Texts are left out: what the owner has written into the board is of no concern to the history.
    """

    entity_description: JkBmsEventDescription

    def __init__(self, coordinator: JkBmsCoordinator, description: JkBmsEventDescription) -> None:
        super().__init__(coordinator, description)
        state = coordinator.state
        self._said = (state.settings, state.device_info)
        self._known = numbers(*self._said)

    @callback
    @override
    def _handle_coordinator_update(self) -> None:
        super()._handle_coordinator_update()
        state, known = self.coordinator.state, self._known
        said = (state.settings, state.device_info)
        # Settings come before the first telemetry of a link, when nobody would hear of the event.
        if said == self._said or not state.fresh:
            return
        self._said = said
        news = numbers(*said)
        self._known = known | news
        for key, new in news.items():
            if key not in known or new == known[key]:
                continue
            here = self.coordinator.changes.made(key, new)
            setting = SETTINGS_BY_KEY[key]
            self._trigger_event(
                CHANGED_HERE if here else CHANGED_ELSEWHERE,
                {"key": key, "old": _shown(setting, known[key]), "new": _shown(setting, new)},
            )
            self.async_write_ha_state()


def _shown(setting: Setting, value: float) -> float | str:
    """Return a choice by its name, if it has one, and a number with as many digits as the oldest boards are sure of."""
    if setting.kind is Kind.CHOICE and value < len(setting.choices):
        return setting.choices[int(value)]
    return float(f"{value:.7g}") if isinstance(value, float) else value
