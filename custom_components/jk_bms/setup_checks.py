"""What about the set-up of a pack leaves its guardian blind, without means, or alone? Hints that the owner may ignore.

Of an LFP pack the board's own limits are among the settings to review, whose repair can also write them: here they are
looked at for packs that there is no such advice for. What is ignored stays ignored until its cause is gone. That the
server may live on the same pack is nothing that can be seen: the options tell who lets the guardian end the discharge.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Final

from homeassistant.core import CoreState, HomeAssistant, callback
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers import issue_registry as ir
from homeassistant.helpers.translation import async_get_cached_translations

from .acting import BOARD_KEYS
from .battery.acting.interface import Action, Mode
from .battery.acting.reasons import stops
from .battery.chemistry import safe_range
from .bms.telemetry import Settings
from .const import DOMAIN
from .coordinator import JkBmsConfigEntry
from .guardian_options import DRIVEN, choice
from .pack_state import PackState
from .threshold_words import problems_in_words

_HOT: Final = ("charge_overtemperature_c", "discharge_overtemperature_c")
_COLD: Final = "charge_undertemperature_c"
_FAULT_LASTS_S: Final = 600


class SetupIssue(StrEnum):
    """The hints, by their translation key."""

    HOT_LIMITS = "hot_limits"
    """The board protects its cells from heat far later than the guardian acts."""
    COLD_CHARGE = "cold_charge"
    ONE_PROBE = "one_probe"
    """Probes can't be compared with each other."""
    PROBE_FAULT = "probe_fault"
    """One of them has said nothing that a temperature could be for ten minutes."""
    NO_COOLING = "no_cooling"
    ENTITY_MISSING = "entity_missing"
    """What is to be driven doesn't exist, or is disabled."""
    NOT_BY_BOARD = "not_by_board"
    """The board is to end a current, and may not be switched or has no such switch."""
    THRESHOLDS_OVERTAKEN = "thresholds_overtaken"
    """The board's settings leave no room for what the owner chose."""


class SetupChecks:
    """Looks at one pack; each look is cheap."""

    def __init__(self, hass: HomeAssistant, entry: JkBmsConfigEntry) -> None:
        self._hass = hass
        self._entry = entry
        self._cooling_wanted = False
        """Whether the guardian has missed it."""

    @callback
    def check(self) -> None:
        """Raise what is found, and take back what is over."""
        state = self._entry.runtime_data.state
        self._cooling_wanted |= bool(state.assessment.thermal.level) and state.assessment.thermal.cooling_helps
        found = dict(self._find(state))
        for issue in SetupIssue:
            if issue not in found:
                ir.async_delete_issue(self._hass, DOMAIN, _id(self._entry, issue))
                continue
            ir.async_create_issue(
                self._hass,
                DOMAIN,
                _id(self._entry, issue),
                is_fixable=False,
                severity=ir.IssueSeverity.WARNING,
                translation_key=issue,
                translation_placeholders={"name": self._entry.title, **found[issue]},
            )

    @callback
    def end(self) -> None:
        """Take back what nobody looks at any more, but for what is ignored: taken back, it would be new again."""
        registry = ir.async_get(self._hass)
        for issue in SetupIssue:
            raised = registry.async_get_issue(DOMAIN, _id(self._entry, issue))
            if raised and raised.dismissed_version is None:
                ir.async_delete_issue(self._hass, DOMAIN, raised.issue_id)

    def _find(self, state: PackState) -> Iterator[tuple[SetupIssue, Mapping[str, str]]]:
        if state.board.is_balancer:
            return
        if state.settings is not None:
            yield from self._find_in_settings(state, state.settings)
        if len(state.assessment.probes) == 1:
            yield SetupIssue.ONE_PROBE, {}
        if broken := self._broken_probes(state):
            yield SetupIssue.PROBE_FAULT, {"probes": ", ".join(broken)}
        yield from self._find_in_actions(state)

    def _find_in_actions(self, state: PackState) -> Iterator[tuple[SetupIssue, Mapping[str, str]]]:
        acting = state.acting
        config = acting.config
        acts = any((config.reduce_level, config.stop_charge, config.stop_discharge, config.both_off))
        judged = acting.mode in (Mode.DRY_RUN, Mode.ACT)
        if judged and state.assessment.probes and not config.cooling and (acts or self._cooling_wanted):
            yield SetupIssue.NO_COOLING, {}
        if missing := self._missing():
            yield SetupIssue.ENTITY_MISSING, {"entities": ", ".join(missing)}
        changes = self._entry.runtime_data.changes
        idle = [
            self._name(action)
            for action, stop, _, board, _ in stops(config)
            if stop.by_board and not all(changes.can_write(BOARD_KEYS[target]) for target in board)
        ]
        if judged and idle:
            yield SetupIssue.NOT_BY_BOARD, {"actions": ", ".join(idle)}

    def _missing(self) -> list[str]:
        """Return what is to be driven and doesn't exist; as long as Home Assistant starts, much doesn't yet."""
        if self._hass.state is not CoreState.running:
            return []
        options, states, registry = self._entry.options, self._hass.states, er.async_get(self._hass)

        def exists(entity_id: str) -> bool:
            entry = registry.async_get(entity_id)
            return states.get(entity_id) is not None or (entry is not None and not entry.disabled)

        return [
            f"{options[key]} ({self._name(action)})"
            for action, key in DRIVEN.items()
            if key in options and not exists(options[key])
        ]

    def _name(self, action: Action) -> str:
        texts = async_get_cached_translations(self._hass, self._hass.config.language, "selector", DOMAIN)
        return texts.get(f"component.{DOMAIN}.selector.action.options.{action}", action)

    def _broken_probes(self, state: PackState) -> list[str]:
        """Return the probes whose fault lasts, as their sockets are called."""
        probes, now_s = state.assessment.probes, self._hass.loop.time()
        faults = state.assessment.thermal.probe_faults
        return [
            probes[fault.probe].replace("temperature_", "T")
            for fault in faults
            if now_s - fault.since_s >= _FAULT_LASTS_S
        ]

    def _find_in_settings(self, state: PackState, settings: Settings) -> Iterator[tuple[SetupIssue, Mapping[str, str]]]:
        chosen = choice(self._entry.options, state)
        if problems := chosen.problems():
            yield SetupIssue.THRESHOLDS_OVERTAKEN, {"thresholds": problems_in_words(self._hass, problems)}
        if state.findings is not None:
            return
        limits_c = [getattr(settings, key) for key in _HOT]
        _, highest_c = safe_range(_HOT[0], chosen.chemistry)
        if highest_c is not None and any(limit_c is not None and limit_c > highest_c for limit_c in limits_c):
            charge, discharge = map(_degrees, limits_c)
            yield SetupIssue.HOT_LIMITS, {"charge": charge, "discharge": discharge, "limit": _degrees(highest_c)}
        present_c = settings.charge_undertemperature_c
        lowest_c, _ = safe_range(_COLD, chosen.chemistry)
        if present_c is not None and lowest_c is not None and present_c < lowest_c:
            yield SetupIssue.COLD_CHARGE, {"present": _degrees(present_c), "limit": _degrees(lowest_c)}


@callback
def forget_hints(hass: HomeAssistant, entry: JkBmsConfigEntry) -> None:
    """Take back all hints of a pack that is removed."""
    for issue in SetupIssue:
        ir.async_delete_issue(hass, DOMAIN, _id(entry, issue))


def _id(entry: JkBmsConfigEntry, issue: SetupIssue) -> str:
    return f"{issue}_{entry.entry_id}"


def _degrees(temperature_c: float | None) -> str:
    return "-" if temperature_c is None else f"{temperature_c:g} °C"
