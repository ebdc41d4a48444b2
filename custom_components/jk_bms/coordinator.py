"""One pack: the link in, `PackState` out to the entities, and when a value is due to be published."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final, override

from bleak.backends.device import BLEDevice
from homeassistant.components import bluetooth
from homeassistant.config_entries import ConfigEntry
from homeassistant.const import CONF_ADDRESS, EVENT_HOMEASSISTANT_STOP
from homeassistant.core import CALLBACK_TYPE, Event, HomeAssistant, callback
from homeassistant.helpers import device_registry as dr
from homeassistant.helpers.event import async_call_later
from homeassistant.helpers.update_coordinator import DataUpdateCoordinator
from homeassistant.util import dt as dt_util

from .acting import Acting
from .ambient import Ambient
from .battery.advice import Advice, Adviser
from .battery.energy import Energy, EnergyMeter, stored_energy_kwh
from .battery.flow import Flow, FlowDetector
from .battery.guardian import Guardian
from .battery.time_to_go import TimeToGo, TimeToGoEstimator
from .bms.gatt import PAIRING_PROBLEMS
from .bms.link import Link, LinkError, LinkMode, LinkProblem, LinkState, LinkStatus
from .bms.receiver import Reading, Verdict
from .bms.telemetry import DeviceInfo, Settings, Telemetry
from .changes import Changes
from .const import (
    CONF_ACCEPTED_SETTINGS,
    CONF_INTERVAL,
    CONF_MODE,
    CONF_PASSCODE,
    CONF_PAUSE_MINUTES,
    CONF_PUBLISH_INTERVAL,
    DEFAULT_INTERVAL_S,
    DEFAULT_PAUSE_MINUTES,
    DEFAULT_PUBLISH_INTERVAL_S,
)
from .guard import Guard
from .guardian_options import CONF_AMBIENT, guardian_options
from .loans import Loans
from .memory import MemoryStore
from .pack_state import PackState
from .snapshots import Snapshots
from .trial import Trials

_LOGGER = logging.getLogger(__name__)

START_TIMEOUT_S: Final = 60
"""Longest wait for the first values."""
START_ATTEMPTS: Final = 2
"""Failures after which the start is given up, and left to Home Assistant to repeat."""
STALE_AFTER_S: Final = 20
"""Age at which live values are not shown any more: some forty frames missed."""
STALE_INTERVALS: Final = 2

_CLOCK_WAS_SET: Final = timedelta(seconds=2)
"""By how much the time of day runs away from that of the event loop only if somebody sets it."""
_LET_GO: Final = {LinkState.PAUSED, LinkState.DISCONNECTED}

type JkBmsConfigEntry = ConfigEntry[JkBmsCoordinator]


def name_for_log(address: str) -> str:
    """Return a name that tells packs apart and gives nothing away: the one they send is often the serial number."""
    return f"pack …{address[-5:]}"


class JkBmsCoordinator(DataUpdateCoordinator[PackState]):
    """Feeds every frame to the engines and hands the outcome to the entities, which publish what is news."""

    config_entry: JkBmsConfigEntry
    changes: Changes
    snapshots: Snapshots
    loans: Loans
    # These three are there from the start of the link on.

    def __init__(self, hass: HomeAssistant, entry: JkBmsConfigEntry) -> None:
        super().__init__(hass, _LOGGER, config_entry=entry, name=entry.title)
        self.address: Final[str] = entry.data[CONF_ADDRESS]
        self.pause_s: Final[float] = 60 * entry.options.get(CONF_PAUSE_MINUTES, DEFAULT_PAUSE_MINUTES)
        mode = LinkMode(entry.options.get(CONF_MODE, LinkMode.LIVE))
        interval_s: float = entry.options.get(CONF_INTERVAL, DEFAULT_INTERVAL_S)
        self._periodic: Final = mode is LinkMode.PERIODIC
        self.stale_after_s: Final = STALE_INTERVALS * interval_s if self._periodic else STALE_AFTER_S
        # What is read that seldom is published each time.
        self._publish_interval_s: float = (
            0 if self._periodic else entry.options.get(CONF_PUBLISH_INTERVAL, DEFAULT_PUBLISH_INTERVAL_S)
        )
        self._now = hass.loop.time
        self.link: Final = Link(
            name_for_log(self.address),
            self._find_device,
            self._on_reading,
            self._on_status,
            mode=mode,
            interval_s=interval_s,
            passcode=entry.data.get(CONF_PASSCODE),
            now=self._now,
        )
        self.receiver: Final = self.link.receiver
        self.in_turn = True
        """Whether the update that the entities are being told of is one that the publish interval asks for."""
        self._first_values: asyncio.Future[None] = hass.loop.create_future()
        self.guard: Final = Guard(
            hass,
            entry.entry_id,
            self._make_guardian,
            is_paused=lambda: self._paused_until is not None,
            on_news=self._on_guard_news,
        )
        self.acting: Final = Acting(
            hass,
            entry,
            self.guard,
            is_fresh=lambda: self._fresh and self._paused_until is None,
            on_news=self._tell,
        )
        self.trials: Final = Trials(hass, entry, self.acting)
        ambient_entity: str | None = entry.options.get(CONF_AMBIENT)
        self._ambient = Ambient(hass, ambient_entity) if ambient_entity else None
        self._chosen_chemistry = guardian_options(entry.options).protection.chemistry
        self._energy_meter = EnergyMeter(self.stale_after_s)
        self._time_to_go = TimeToGoEstimator()
        self._adviser = Adviser()
        self._accepted: dict[str, float] = entry.data.get(CONF_ACCEPTED_SETTINGS, {})
        self._flow = FlowDetector()
        self._zero_at = dt_util.utcnow() - timedelta(seconds=self._now())
        self._next_turn_s = self._now()
        self._last_frame_s = self._now()
        self._fresh = False
        self._missed = False
        """Whether it has been logged that there are no data."""
        self._resumed_s = self._now()
        """When the last pause ended."""
        self._cancel_watchdog: CALLBACK_TYPE | None = None
        self._telemetry: Telemetry | None = None
        self._settings: Settings | None = None
        self._device_info: DeviceInfo | None = None
        self._energy = Energy()
        self._hours_to_go = TimeToGo()
        self._direction: Flow | None = None
        self._carrier: str | None = None
        self._paused_until: datetime | None = None
        self._signal_strength_dbm: int | None = None

    @property
    def state(self) -> PackState:
        """The pack as last heard of."""
        return self.data

    async def async_start(self) -> None:
        """Start the link and wait until the pack is known. Raises LinkError with the reason why it stays unknown."""
        store = MemoryStore(self.hass, self.config_entry.entry_id)
        self.changes = Changes(
            self.hass, self.config_entry, self.address, self.link, lambda: self.state, store, await store.load()
        )
        self.snapshots = Snapshots(self.changes)
        self.loans = Loans(self.hass, self.name, self.config_entry.entry_id, self.changes)
        self.config_entry.async_on_unload(
            self.hass.bus.async_listen_once(EVENT_HOMEASSISTANT_STOP, self._async_home_assistant_stops)
        )
        self.config_entry.async_on_unload(
            # Every advertisement counts: it says that nobody holds the board any more, even if it says nothing new.
            bluetooth.async_register_advertisement_callback(self.hass, self._on_advertisement, self.address)
        )
        if self._ambient:
            self.config_entry.async_on_unload(self._ambient.start())
        await self.guard.async_start()
        await self.acting.async_start(self.changes)
        await self.link.start()
        try:
            async with asyncio.timeout(START_TIMEOUT_S):
                await self._first_values
        except TimeoutError:
            raise LinkError(self.link.status.problem or LinkProblem.NO_DATA) from None
        self.trials.start()
        self.loans.watch()
        self.config_entry.async_on_unload(self.loans.stop)

    @override
    async def async_shutdown(self) -> None:
        """Let go of the pack."""
        await super().async_shutdown()
        if self._cancel_watchdog:
            self._cancel_watchdog()
            self._cancel_watchdog = None
        await self.link.stop()
        await self.acting.async_stop()
        await self.guard.async_stop()

    async def _async_home_assistant_stops(self, _event: Event) -> None:
        await self.async_shutdown()

    @override
    async def _async_update_data(self) -> PackState:
        """Return the state as it is: a refresh by Home Assistant asks the pack for nothing."""
        return self.data

    def time_of(self, monotonic_s: float) -> datetime:
        """Return a moment of the event loop's time in that of the world."""
        return (dt_util.utcnow() + timedelta(seconds=monotonic_s - self._now())).replace(microsecond=0)

    @callback
    def accept(self, finding: Advice) -> None:
        """Remember that the owner wants a setting as it is; it is found again when it changes."""
        self._accepted = self._accepted | {finding.key: finding.present}
        self.hass.config_entries.async_update_entry(
            self.config_entry, data={**self.config_entry.data, CONF_ACCEPTED_SETTINGS: self._accepted}
        )
        self._tell()

    def _make_guardian(self, restored: object) -> Guardian:
        """Return the guardian that the owner wants, for a board that has said which it is."""
        rated_current_a = self.receiver.board.ratings.get("discharge_current_limit_a")
        options = guardian_options(self.config_entry.options, rated_current_a=rated_current_a)
        return Guardian(options.protection, restored, options.heat)

    @callback
    def _find_device(self) -> BLEDevice | None:
        """Return the device if something hears it that can connect; what a lost proxy heard is remembered longer."""
        if not bluetooth.async_scanner_devices_by_address(self.hass, self.address, connectable=True):
            return None
        return bluetooth.async_ble_device_from_address(self.hass, self.address, connectable=True)

    @callback
    def _on_advertisement(self, info: bluetooth.BluetoothServiceInfoBleak) -> None:
        self.link.seen(info.rssi)

    @callback
    def _on_reading(self, reading: Reading) -> None:
        if reading.verdict is not Verdict.ACCEPTED:
            return
        match reading.value:
            case Telemetry() as telemetry:
                self._take(telemetry)
            case Settings() as settings:
                self._settings = settings
                self._tell()
            case DeviceInfo() as device_info:
                if self._device_info not in (None, device_info):
                    self._update_device(device_info)
                self._device_info = device_info
                self._tell()

    @property
    def device(self) -> dr.DeviceEntry | None:
        """The pack's device; None before there are entities."""
        connection = (dr.CONNECTION_BLUETOOTH, self.address)
        return dr.async_get(self.hass).async_get_device_by_connection(connection, self.config_entry.entry_id)

    def _update_device(self, info: DeviceInfo) -> None:
        """Let the device say what the board has become, as after an update of its firmware."""
        if device := self.device:
            dr.async_get(self.hass).async_update_device(
                device.id, model=info.model, hw_version=info.hardware_version, sw_version=info.software_version
            )

    def _take(self, telemetry: Telemetry) -> None:
        now_s = self._now()
        if self._chosen_chemistry is not None:
            # All that depends on it, advice and the limits of what may be written included, is to go by the owner.
            telemetry = replace(telemetry, chemistry=self._chosen_chemistry)
        self._telemetry = telemetry
        self._last_frame_s = now_s
        self._energy = self._energy_meter.step(telemetry, now_s)
        self._hours_to_go = self._time_to_go.step(telemetry, now_s)
        self._direction = self._flow.step(telemetry, now_s)
        if self._device_info is not None:
            ambient_c = self._ambient.temperature_c if self._ambient else None
            self.guard.step(telemetry, self._settings, ambient_c, now_s)
            if self._periodic and self.guard.wants_another():
                self.link.read_again()
        if not self._fresh:
            self._fresh = True
            self._watch(self.stale_after_s)
        self.acting.step(telemetry, self._settings)
        if self._missed:
            self._missed = False
            _LOGGER.info("%s: the data is back", self.name)
        in_turn = now_s >= self._next_turn_s
        if in_turn:
            self._next_turn_s = now_s + self._publish_interval_s
        self._tell(in_turn=in_turn)

    @callback
    def _on_status(self, status: LinkStatus) -> None:
        if not self._first_values.done() and status.problem:
            # What nobody hears is left to Home Assistant, which starts the entry when the board is heard again.
            unheard = status.problem is LinkProblem.OUT_OF_RANGE
            failed = status.failures + status.drops >= START_ATTEMPTS and not self.link.in_doubt
            if unheard or failed or status.problem in PAIRING_PROBLEMS:
                self._first_values.set_exception(LinkError(status.problem))
        if status.source:
            self._carrier = self._name_of_carrier(status.source)
        elif status.state in _LET_GO:
            self._carrier = None
        if self._paused_until is not None and status.paused_until_s is None:
            self._resumed_s = self._now()
        self._paused_until = None if status.paused_until_s is None else self.time_of(status.paused_until_s)
        self._tell()

    def _name_of_carrier(self, source: str) -> str:
        """Return the name of what holds the connection, which need not be what heard the board best before."""
        for scanner in bluetooth.async_current_scanners(self.hass):
            allocations = scanner.get_allocations()
            if allocations and self.address in allocations.allocated:
                return scanner.adapter
        heard_by = bluetooth.async_scanner_by_source(self.hass, source)
        return heard_by.adapter if heard_by else source

    def _watch(self, delay_s: float) -> None:
        if self._cancel_watchdog:
            self._cancel_watchdog()
        self._cancel_watchdog = async_call_later(self.hass, delay_s, self._check_age)

    @callback
    def _check_age(self, _now: datetime) -> None:
        """Find out whether the values have become too old; while they are, keep their age up to date."""
        age_s = self._now() - self._last_frame_s
        if age_s < self.stale_after_s:
            self._watch(self.stale_after_s - age_s)
            return
        self._fresh = False
        wanted = self._paused_until is not None or self._now() - self._resumed_s < self.stale_after_s
        if not (wanted or self._missed):
            self._missed = True
            _LOGGER.info("%s: no data for %.0f s, its entities are unavailable", self.name, age_s)
        self._tell(in_turn=True)
        self._watch(max(self._publish_interval_s, STALE_AFTER_S))

    @callback
    def _on_guard_news(self) -> None:
        """Act on what the guardian says without a frame."""
        self.acting.look_again()

    def _tell(self, *, in_turn: bool = False) -> None:
        """Tell the entities, once the pack is known."""
        assessment = self.acting.assessment
        if self._telemetry is None or self._device_info is None or assessment is None:
            return
        if in_turn or self.data is None:
            info = bluetooth.async_last_service_info(self.hass, self.address, connectable=True)
            self._signal_strength_dbm = None if info is None else info.rssi
        zero_at = dt_util.utcnow() - timedelta(seconds=self._now())
        if abs(zero_at - self._zero_at) > _CLOCK_WAS_SET:
            self._zero_at = zero_at
        counters, changes = self.receiver.assembler.counters, self.changes
        self.in_turn = in_turn
        self.async_set_updated_data(
            PackState(
                board=self.receiver.board,
                device_info=self._device_info,
                telemetry=self._telemetry,
                settings=self._settings,
                flow=self._direction,
                energy=self._energy,
                time_to_go=self._hours_to_go,
                assessment=assessment,
                acting=self.acting.state,
                stored_energy_kwh=stored_energy_kwh(self._telemetry, self._settings),
                findings=self._adviser.step(
                    self._settings, self._device_info, self._telemetry, self.receiver.board, self._accepted
                ),
                writes_today=changes.writes_today,
                returns_at=min((loan.until for loan in changes.memory.loans.values()), default=None),
                fresh=self._fresh,
                last_frame_s=self._last_frame_s,
                zero_at=self._zero_at,
                age_s=self._now() - self._last_frame_s,
                frames_good=counters.good,
                frames_rejected=counters.bad_sum + self.receiver.implausible,
                link=self.link.status,
                carrier=self._carrier,
                paused_until=self._paused_until,
                signal_strength_dbm=self._signal_strength_dbm,
            )
        )
        if not self._first_values.done():
            self._first_values.set_result(None)
