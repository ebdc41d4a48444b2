"""Adding a pack: it is found or its address typed, and really read before there is an entry."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Mapping
from functools import partial
from typing import Any, Final, override

import probatio
from bluetooth_data_tools import human_readable_name
from homeassistant.components import bluetooth
from homeassistant.components.bluetooth import BluetoothServiceInfoBleak
from homeassistant.components.bluetooth.match import ble_device_matches
from homeassistant.config_entries import (
    SOURCE_REAUTH,
    SOURCE_RECONFIGURE,
    ConfigEntry,
    ConfigFlow,
    ConfigFlowResult,
)
from homeassistant.const import CONF_ADDRESS
from homeassistant.core import callback
from homeassistant.helpers.selector import (
    SelectOptionDict,
    SelectSelector,
    SelectSelectorConfig,
    SelectSelectorMode,
    TextSelector,
    TextSelectorConfig,
    TextSelectorType,
)
from homeassistant.loader import async_get_bluetooth

from .bms.gatt import PAIRING_PROBLEMS
from .bms.link import LinkError, LinkProblem, Probe, probe
from .const import CONF_PASSCODE, DOMAIN
from .coordinator import JkBmsConfigEntry, name_for_log
from .errors import carrier, reachability
from .guardian_options import CONF_GUARDIAN_MODE, DEFAULT_MODE
from .options_flow import MODE_SELECTOR, JkBmsOptionsFlow

_LOGGER = logging.getLogger(__name__)

UNKNOWN_PROBLEM: Final = "unknown"
_ADDRESS: Final = re.compile(r"(?:[0-9A-F]{2}:){5}[0-9A-F]{2}")
_PASSCODE: Final = re.compile(r"[0-9]{1,6}")
"""A passkey of Bluetooth Low Energy is a number of up to six digits."""
_NOT_MEASURED: Final = "-"


PASSCODE_SCHEMA: Final = probatio.Schema(
    {probatio.Required(CONF_PASSCODE): TextSelector(TextSelectorConfig(type=TextSelectorType.PASSWORD))}
)
PACK_SCHEMA: Final = probatio.Schema({probatio.Required(CONF_GUARDIAN_MODE, default=DEFAULT_MODE): MODE_SELECTOR})


class JkBmsConfigFlow(ConfigFlow, domain=DOMAIN):
    """Every way in leads through `connect`, which reads the pack, to `pack`, which shows what it says."""

    VERSION = 1

    def __init__(self) -> None:
        self._address = ""
        self._name = ""
        self._passcode: str | None = None
        self._scan: asyncio.Task[None] | None = None
        self._reading: asyncio.Task[Probe] | None = None
        self._probe: Probe | None = None
        self._problem: str | None = None
        self._last_form = ""

    @staticmethod
    @callback
    @override
    def async_get_options_flow(config_entry: JkBmsConfigEntry) -> JkBmsOptionsFlow:
        """Return the flow for the options."""
        return JkBmsOptionsFlow()

    @override
    async def async_step_bluetooth(self, discovery_info: BluetoothServiceInfoBleak) -> ConfigFlowResult:
        """Take up a board that Home Assistant has heard."""
        await self.async_set_unique_id(discovery_info.address)
        self._abort_if_unique_id_configured()
        self._address = discovery_info.address
        self._name = human_readable_name(None, discovery_info.name, discovery_info.address)
        self.context["title_placeholders"] = {"name": self._name}
        return await self.async_step_bluetooth_confirm()

    async def async_step_bluetooth_confirm(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Ask before connecting: a phone app could not connect meanwhile."""
        if user_input is not None:
            return await self.async_step_connect()
        if self._problem == LinkProblem.NOT_A_JK_BMS:
            return self.async_abort(reason=self._problem, description_placeholders={"name": self._name})
        return self._form("bluetooth_confirm")

    @override
    async def async_step_user(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Look around for boards, which takes about ten seconds."""
        if self._scan is None:
            self._scan = self.hass.async_create_task(
                bluetooth.async_request_active_scan(self.hass), f"{DOMAIN} scan", eager_start=False
            )
        if not self._scan.done():
            return self.async_show_progress(step_id="user", progress_action="scan", progress_task=self._scan)
        await self._scan
        return self.async_show_progress_done(next_step_id="pick")

    async def async_step_pick(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Let the user pick a board that was found, or type an address."""
        errors = {}
        found = await self._found()
        if user_input is not None:
            address = user_input[CONF_ADDRESS].strip().upper().replace("-", ":")
            if address in found or _ADDRESS.fullmatch(address):
                await self.async_set_unique_id(address, raise_on_progress=False)
                self._abort_if_unique_id_configured()
                self._address = address
                self._name = found[address].name if address in found else address
                return await self.async_step_connect()
            self._problem = None
            errors[CONF_ADDRESS] = "invalid_address"
        options = [
            SelectOptionDict(value=address, label=f"{info.name} ({address}, {info.rssi} dBm)")
            for address, info in found.items()
        ]
        selector = (
            SelectSelector(SelectSelectorConfig(options=options, custom_value=True, mode=SelectSelectorMode.DROPDOWN))
            if options
            else TextSelector()
        )
        schema = probatio.Schema({probatio.Required(CONF_ADDRESS): selector})
        last = user_input or ({CONF_ADDRESS: self._address} if self._address else {})
        return self._form("pick", self.add_suggested_values_to_schema(schema, last), errors)

    async def async_step_reconfigure(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Offer to read the pack anew, as after a change of its board, its settings or the way to it."""
        if user_input is not None:
            return await self.async_step_connect()
        entry = self._get_reconfigure_entry()
        self._take_up(entry)
        self._passcode = entry.data.get(CONF_PASSCODE)
        return self._form("reconfigure")

    async def async_step_reauth(self, _entry_data: Mapping[str, Any]) -> ConfigFlowResult:
        """Take up a pack that refuses the bond that it wants."""
        self._take_up(self._get_reauth_entry())
        return await self.async_step_reauth_confirm()

    async def async_step_reauth_confirm(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Ask for the pass code of a pack that is set up."""
        return await self._ask_passcode("reauth_confirm", user_input)

    async def async_step_passcode(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Ask for the pass code of a pack that has just refused a bond without one, or with another."""
        return await self._ask_passcode("passcode", user_input)

    async def async_step_connect(self, _user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Connect and read one good set of frames."""
        if self._reading is None:
            self._reading = self.hass.async_create_task(self._read(), f"{DOMAIN} probe", eager_start=False)
        if not self._reading.done():
            return self.async_show_progress(
                step_id="connect",
                progress_action="connect",
                description_placeholders={"name": self._name},
                progress_task=self._reading,
            )
        self._problem = None
        try:
            self._probe = await self._reading
        except LinkError as error:
            self._problem = error.problem
        except Exception:
            _LOGGER.exception("Unexpected error while reading a pack")
            self._problem = UNKNOWN_PROBLEM
        self._reading = None
        if self._problem in PAIRING_PROBLEMS:
            if self._passcode is None:
                self._problem = None  # a question, no mistake
            return self.async_show_progress_done(
                next_step_id="reauth_confirm" if self.source == SOURCE_REAUTH else "passcode"
            )
        return self.async_show_progress_done(next_step_id=self._last_form if self._problem else "pack")

    async def async_step_pack(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Show what the pack says; the entry comes after that."""
        assert self._probe
        if self.source == SOURCE_REAUTH:
            return self.async_update_and_abort(self._get_reauth_entry())
        if user_input is None:
            telemetry, info = self._probe.telemetry, self._probe.device_info
            voltage_v = telemetry.pack_voltage_v or telemetry.sum_of_cells_v
            soc_pct = telemetry.state_of_charge_pct
            return self.async_show_form(
                step_id="pack",
                data_schema=None if self.source == SOURCE_RECONFIGURE else PACK_SCHEMA,
                description_placeholders={
                    "name": self._name,
                    "model": info.model,
                    "software": info.software_version,
                    "cells": str(telemetry.cell_count),
                    "voltage": _NOT_MEASURED if voltage_v is None else f"{voltage_v:.2f}",
                    "soc": _NOT_MEASURED if soc_pct is None else str(soc_pct),
                },
            )
        if self.source == SOURCE_RECONFIGURE:
            return self.async_update_and_abort(self._get_reconfigure_entry())
        self._abort_if_unique_id_configured()
        return self.async_create_entry(
            title=self._title(self._probe), data={CONF_ADDRESS: self._address} | self._secret, options=user_input
        )

    @property
    def _secret(self) -> dict[str, str]:
        return {} if self._passcode is None else {CONF_PASSCODE: self._passcode}

    def _take_up(self, entry: ConfigEntry) -> None:
        self._address = entry.data[CONF_ADDRESS]
        self._name = entry.title

    async def _ask_passcode(self, step_id: str, user_input: dict[str, Any] | None) -> ConfigFlowResult:
        errors = {}
        if user_input is not None:
            passcode = user_input[CONF_PASSCODE].strip()
            if _PASSCODE.fullmatch(passcode):
                self._passcode = passcode
                return await self.async_step_connect()
            self._problem = None
            errors[CONF_PASSCODE] = "invalid_passcode"
        return self._form(step_id, PASSCODE_SCHEMA, errors)

    async def _read(self) -> Probe:
        find_device = partial(bluetooth.async_ble_device_from_address, self.hass, self._address, connectable=True)
        reading = partial(probe, name_for_log(self._address), find_device, passcode=self._passcode)
        if self.source not in (SOURCE_RECONFIGURE, SOURCE_REAUTH):
            return await reading()
        # A board takes one client only, and the entry may be holding it.
        entries = self.hass.config_entries
        entry = entries.async_get_known_entry(self.context["entry_id"])
        await entries.async_unload(entry.entry_id)
        try:
            read = await reading()
            entries.async_update_entry(entry, data=entry.data | self._secret)
            return read
        finally:
            # Not by a reload, which would end this flow if it is about the pass code.
            self.hass.async_create_task(entries.async_setup(entry.entry_id), f"{DOMAIN} set up anew")

    async def _found(self) -> dict[str, BluetoothServiceInfoBleak]:
        """Return the boards in reach that have no entry, nearest first."""
        matchers = [matcher for matcher in await async_get_bluetooth(self.hass) if matcher["domain"] == DOMAIN]
        configured = self._async_current_ids(include_ignore=False)
        found = [
            info
            for info in bluetooth.async_discovered_service_info(self.hass, connectable=True)
            if info.address not in configured and any(ble_device_matches(matcher, info) for matcher in matchers)
        ]
        return {info.address: info for info in sorted(found, key=lambda info: info.rssi, reverse=True)}

    def _form(
        self, step_id: str, schema: probatio.Schema | None = None, errors: dict[str, str] | None = None
    ) -> ConfigFlowResult:
        """Show a form that leads to `connect`, with what went wrong there the last time."""
        self._last_form = step_id
        reason = ""
        if self._problem:
            errors = {"base": self._problem}
            reason = reachability(self.hass, self._address)
        return self.async_show_form(
            step_id=step_id,
            data_schema=schema,
            errors=errors,
            description_placeholders={
                "name": self._name,
                "reason": reason,
                "carrier": carrier(self.hass, self._address),
            },
        )

    def _title(self, read: Probe) -> str:
        """Return the name that the owner gave the pack, unless it is the serial number; told apart from a namesake."""
        info = read.device_info
        name = info.device_name
        if not name or (info.serial_number and name.startswith(info.serial_number)):
            name = info.model or "JK BMS"
        if any(entry.title == name for entry in self._async_current_entries(include_ignore=False)):
            name = human_readable_name(None, name, self._address)
        return name
