"""Repairs: what has been wrong for long and only the owner can set right. Each is taken back when it is over.

A missing pass code is a flow of Home Assistant's own, which is started and ended here like the rest.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from homeassistant.components.repairs import ConfirmRepairFlow, RepairsFlow
from homeassistant.config_entries import SOURCE_REAUTH
from homeassistant.core import CALLBACK_TYPE, HomeAssistant, callback
from homeassistant.helpers import issue_registry as ir
from homeassistant.helpers.event import async_track_time_interval
from homeassistant.util import dt as dt_util
from homeassistant.util.hass_dict import HassKey

from .advice_repair import ReviewFlow
from .bms.gatt import PAIRING_PROBLEMS
from .bms.link import LinkProblem, LinkState
from .const import DOMAIN
from .coordinator import JkBmsConfigEntry
from .interruption import INTERRUPTED
from .loans import NOT_RETURNED
from .setup_checks import SetupChecks, forget_hints

CHECK_EVERY: Final = timedelta(minutes=1)
BUSY_FOR: Final = timedelta(minutes=10)
"""The phone app is often open for a while; nobody forgets it for less."""
JUDGE_EVERY: Final = timedelta(minutes=5)
JUDGE_FRAMES: Final = 100
"""Frames that a share is made of: some minutes of a live link, a few hours of one that reads once in a while."""
BAD_SHARE: Final = 0.5
GOOD_SHARE: Final = 0.25
"""Below this the trouble is over; between the two it is as it was."""


class Issue(StrEnum):
    """The repairs, by their translation key."""

    BUSY = "busy"
    BAD_FRAMES = "bad_frames"
    SETTINGS_TO_REVIEW = "settings_to_review"


_SEVERITY: Final = {
    Issue.BUSY: ir.IssueSeverity.WARNING,
    Issue.BAD_FRAMES: ir.IssueSeverity.WARNING,
    Issue.SETTINGS_TO_REVIEW: ir.IssueSeverity.WARNING,
}


_BUSY_SINCE: Final[HassKey[dict[str, datetime]]] = HassKey(f"{DOMAIN}_busy_since")
"""Since when the packs that can't be set up are in use by another device, by entry: each attempt starts anew."""

_ENTRY_ID: Final = "entry_id"


def _issue_id(entry: JkBmsConfigEntry, issue: Issue) -> str:
    return f"{issue}_{entry.entry_id}"


@callback
def report(hass: HomeAssistant, entry: JkBmsConfigEntry, issue: Issue, *, present: bool) -> None:
    """Raise the issue of a pack, or take it back."""
    if not present:
        ir.async_delete_issue(hass, DOMAIN, _issue_id(entry, issue))
        return
    ir.async_create_issue(
        hass,
        DOMAIN,
        _issue_id(entry, issue),
        data={_ENTRY_ID: entry.entry_id},
        is_fixable=issue is Issue.SETTINGS_TO_REVIEW,
        severity=_SEVERITY[issue],
        translation_key=issue,
        translation_placeholders={"name": entry.title},
    )


async def async_create_fix_flow(
    hass: HomeAssistant, issue_id: str, data: dict[str, str | int | float | None] | None
) -> RepairsFlow:
    """Return the flow that leads through the settings to review, or the one that only wants to be read."""
    if issue_id.startswith(INTERRUPTED):
        return ConfirmRepairFlow()
    assert data
    return ReviewFlow(hass.config_entries.async_get_known_entry(str(data[_ENTRY_ID])))


@callback
def delete_issues(hass: HomeAssistant, entry: JkBmsConfigEntry) -> None:
    """Take back the issues of a pack that come from watching it."""
    judge_setup(hass, entry, None)
    for issue in Issue:
        report(hass, entry, issue, present=False)


@callback
def forget(hass: HomeAssistant, entry: JkBmsConfigEntry) -> None:
    """Take back all issues of a pack that is removed, also what its owner was to read in any case."""
    delete_issues(hass, entry)
    forget_hints(hass, entry)
    for told in (INTERRUPTED, NOT_RETURNED):
        ir.async_delete_issue(hass, DOMAIN, f"{told}_{entry.entry_id}")


@callback
def judge_setup(hass: HomeAssistant, entry: JkBmsConfigEntry, problem: LinkProblem | None) -> None:
    """Take note of an attempt to set up a pack: of its problem, or of None if the pack is known now.

    Home Assistant makes another after 5 s, then after twice as long each time, up to ten minutes.
    """
    if problem in PAIRING_PROBLEMS:
        entry.async_start_reauth(hass)
    busy_since = hass.data.setdefault(_BUSY_SINCE, {})
    if problem is not LinkProblem.BUSY:
        busy_since.pop(entry.entry_id, None)
        report(hass, entry, Issue.BUSY, present=False)
        return
    now = dt_util.utcnow()
    if now - busy_since.setdefault(entry.entry_id, now) >= BUSY_FOR:
        report(hass, entry, Issue.BUSY, present=True)


class RepairWatch:
    """Looks at the link of one pack once a minute."""

    def __init__(self, hass: HomeAssistant, entry: JkBmsConfigEntry) -> None:
        self._hass = hass
        self._entry = entry
        self._setup = SetupChecks(hass, entry)
        self._connects: int | None = None
        """Connections made when the link was last seen to hold."""
        self._busy_since: datetime | None = None
        self._judged_at = dt_util.utcnow()
        self._judged, self._rejected = self._frames()

    @callback
    def start(self) -> CALLBACK_TYPE:
        """Start to look; the returned function ends it and takes back what was raised."""
        stop = async_track_time_interval(self._hass, self._check, CHECK_EVERY)
        self._setup.check()

        @callback
        def end() -> None:
            stop()
            delete_issues(self._hass, self._entry)
            self._setup.end()

        return end

    @callback
    def _check(self, now: datetime) -> None:
        self._check_pairing()
        self._check_busy(now)
        self._check_frames(now)
        self._check_settings()
        self._setup.check()

    def _check_pairing(self) -> None:
        status = self._entry.runtime_data.link.status
        if status.problem in PAIRING_PROBLEMS:
            self._connects = None
            self._entry.async_start_reauth(self._hass)
            return
        # A board that wants pairing lets a client connect and drops it within seconds: a link counts from the second
        # look on. One that waits for its next read has just read well.
        held = status.state is LinkState.CONNECTED and status.connects == self._connects
        if held or (status.state is LinkState.WAITING and status.problem is None):
            for flow in self._entry.async_get_active_flows(self._hass, {SOURCE_REAUTH}):
                self._hass.config_entries.flow.async_abort(flow["flow_id"])
        self._connects = status.connects if status.state is LinkState.CONNECTED else None

    def _check_busy(self, now: datetime) -> None:
        if self._entry.runtime_data.link.status.problem is not LinkProblem.BUSY:
            self._busy_since = None
            report(self._hass, self._entry, Issue.BUSY, present=False)
            return
        self._busy_since = self._busy_since or now
        if now - self._busy_since >= BUSY_FOR:
            report(self._hass, self._entry, Issue.BUSY, present=True)

    def _check_frames(self, now: datetime) -> None:
        judged, rejected = self._frames()
        frames = judged - self._judged
        if frames < JUDGE_FRAMES or now - self._judged_at < JUDGE_EVERY:
            return
        share = (rejected - self._rejected) / frames
        if share > BAD_SHARE:
            report(self._hass, self._entry, Issue.BAD_FRAMES, present=True)
        elif share < GOOD_SHARE:
            report(self._hass, self._entry, Issue.BAD_FRAMES, present=False)
        self._judged_at, self._judged, self._rejected = now, judged, rejected

    def _check_settings(self) -> None:
        findings = self._entry.runtime_data.state.findings or ()
        weighty = any(finding.weighty for finding in findings)
        report(self._hass, self._entry, Issue.SETTINGS_TO_REVIEW, present=weighty)

    def _frames(self) -> tuple[int, int]:
        """Return the frames seen and those that were not believed, since the link was made."""
        receiver = self._entry.runtime_data.receiver
        counters = receiver.assembler.counters
        return counters.good + counters.bad_sum, counters.bad_sum + receiver.implausible
