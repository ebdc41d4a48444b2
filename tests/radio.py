"""A simulated board that a Home Assistant finds, connects to and reads through its own Bluetooth."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any
from unittest.mock import patch

import pytest
from homeassistant.components import bluetooth
from homeassistant.config_entries import ConfigEntry, ConfigFlowResult
from homeassistant.core import CALLBACK_TYPE, HomeAssistant
from homeassistant.data_entry_flow import FlowResultType

from custom_components.jk_bms.bms.layout import Value
from custom_components.jk_bms.bms.link import Link, Probe, probe
from custom_components.jk_bms.const import DOMAIN
from simulator.bleak_radio import Air, AirScanner
from simulator.firmware import Firmware
from simulator.models import JK_PB2A16S20P, Model
from simulator.pack import Pack

from .bms.clock import FakeClock


class Radio:
    """The air of a Home Assistant, in which time passes only as a test wants."""

    def __init__(self, hass: HomeAssistant) -> None:
        self.hass = hass
        self.clock = FakeClock()
        self.air = Air()
        self.scanner = AirScanner(self.air)
        self.unplug: CALLBACK_TYPE = lambda: None

    def plug_in(self) -> None:
        """Let Home Assistant have the scanner, which it has to begin with."""
        unregister = bluetooth.async_register_scanner(self.hass, self.scanner)

        def unplug() -> None:
            unregister()
            self.unplug = lambda: None

        self.unplug = unplug

    def add(
        self, model: Model = JK_PB2A16S20P, *, address: str | None = None, device_info: dict[str, Value] | None = None
    ) -> Firmware:
        """Put a board with 16 cells into the air."""
        board = Firmware(
            Pack(16, 280.0),
            model,
            address=address,
            device_info=device_info,
            now=self.clock.now,
            sleep=self.clock.sleep,
        )
        self.air.peripherals[board.address] = board
        return board

    async def found(self) -> list[ConfigFlowResult]:
        """Let the boards be heard that are free; return the flows that are open then."""
        self.scanner.advertise()
        await self.hass.async_block_till_done(wait_background_tasks=True)
        return self.hass.config_entries.flow.async_progress_by_handler(DOMAIN)

    async def submit(self, flow: ConfigFlowResult, **user_input: str) -> ConfigFlowResult:
        """Submit a form, and let time pass until what it starts is through."""
        flows = self.hass.config_entries.flow
        task = asyncio.ensure_future(flows.async_configure(flow["flow_id"], user_input))
        await self.clock.until(task.done)
        if task.result()["type"] is not FlowResultType.SHOW_PROGRESS:
            return task.result()
        await self.clock.until(lambda: flows.async_get(flow["flow_id"])["step_id"] != "connect")
        return await flows.async_configure(flow["flow_id"])

    async def set_up(self) -> ConfigEntry:
        """Add the one board there is through its flow."""
        (flow,) = await self.found()
        result = await self.submit(await self.submit(flow))
        entry = result["result"]
        assert isinstance(entry, ConfigEntry)
        return entry

    def link(self, *args: Any, **kwargs: Any) -> Link:
        """Return a link in the board's time."""
        return Link(*args, **kwargs | {"now": self.clock.now, "sleep": self.clock.sleep, "jitter": lambda: 0.0})

    async def probe(self, *args: Any, **kwargs: Any) -> Probe:
        """Read the board once, in its time."""
        return await probe(*args, **kwargs, now=self.clock.now, sleep=self.clock.sleep)


@pytest.fixture
def radio(hass: HomeAssistant, enable_bluetooth: None) -> Iterator[Radio]:
    radio = Radio(hass)
    radio.plug_in()
    with (
        patch("custom_components.jk_bms.coordinator.Link", radio.link),
        patch("custom_components.jk_bms.config_flow.probe", radio.probe),
    ):
        yield radio
    radio.unplug()
