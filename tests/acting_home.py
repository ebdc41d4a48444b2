"""A pack whose board obeys, and a home with things that it can drive: they work, lag, fail, hang or are missing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any, cast

import pytest
from homeassistant.components import persistent_notification
from homeassistant.const import ATTR_DEVICE_ID, ATTR_ENTITY_ID, STATE_OFF, STATE_ON, STATE_UNKNOWN, Platform
from homeassistant.core import Context, HomeAssistant, ServiceCall, split_entity_id
from homeassistant.helpers import config_validation as cv
from homeassistant.util.hass_dict import HassKey
from homeassistant.util.json import JsonObjectType
from pytest_homeassistant_custom_component.common import async_fire_time_changed

from custom_components.jk_bms.battery.acting.interface import Record
from custom_components.jk_bms.bms.telemetry import Settings
from custom_components.jk_bms.const import DOMAIN

from .pack_values import DEVICE_INFO_32S, SETTINGS_32S, telemetry_32s
from .packs import ADDRESS, Pack, Packs

NEVER = 99
COOLING: dict[str, Any] = {"cooling_entity": "fan.rack", "guardian_mode": "off"}
SWITCHES: dict[str, Any] = {
    "stop_charge_switch": "input_boolean.charger",
    "stop_discharge_switch": "input_boolean.inverter",
    "both_off_switch": "input_boolean.contactor",
}
_APPLIANCES: HassKey[list[Appliance]] = HassKey("appliances")
_SETTINGS = replace(SETTINGS_32S, charge_overtemperature_c=80.0, discharge_overtemperature_c=80.0)
_THRESHOLDS = {
    f"{kind}_hot_{level}": celsius
    for kind in ("charge", "discharge")
    for level, celsius in {"advisory": 70, "warning": 71, "critical": 72}.items()
}
"""What is found of heat comes first."""
_MOSFETS_WARMER_K = 3.0
_FASTEST_C_PER_S = 1 / 60
_STEPS = 40
"""Turns of the event loop that everything is done in that waits for nothing."""


class Appliance:
    """An entity of somebody else, and what it was asked for."""

    def __init__(self, hass: HomeAssistant, entity_id: str, state: str | None = STATE_OFF, **attributes: Any) -> None:
        self.hass = hass
        self.entity_id = entity_id
        self.attributes = attributes
        self.calls: list[str] = []
        self.told: list[bool] = []
        """Whether the owner had been told, and automations too, at each call."""
        self.obeys = True
        self.fails_with: Exception | None = None
        self.hangs = False
        self.sticks_after = NEVER
        """Calls that it obeys, before it does so no more, or fails with `fails_with`."""
        hass.data.setdefault(_APPLIANCES, []).append(self)
        if state is not None:
            self.set(state)

    @property
    def state(self) -> str:
        state = self.hass.states.get(self.entity_id)
        assert state
        return state.state

    def set(self, state: str) -> None:
        self.hass.states.async_set(self.entity_id, state, self.attributes)

    async def serve(self, call: ServiceCall) -> None:
        mode = call.data.get("hvac_mode")
        self.calls.append(call.service if mode is None else f"{call.service} {mode}")
        alarms = [state.state for state in self.hass.states.async_all("event") if state.entity_id.endswith("_alarm")]
        self.told.append(bool(notifications(self.hass)) and STATE_UNKNOWN not in alarms)
        if self.hangs:
            await asyncio.Event().wait()
        stuck = len(self.calls) > self.sticks_after
        if self.fails_with and (stuck or self.sticks_after == NEVER):
            raise self.fails_with
        if self.obeys and not stuck:
            self.set(mode or (STATE_ON if call.service == "turn_on" else STATE_OFF))


def plug_in(hass: HomeAssistant) -> None:
    """Have the appliances take the calls, in place of the platforms that a pack's entities brought with them."""
    appliances = {appliance.entity_id: appliance for appliance in hass.data.get(_APPLIANCES, [])}

    async def serve(call: ServiceCall) -> None:
        for entity_id in cv.ensure_list(call.data[ATTR_ENTITY_ID]):
            await appliances[entity_id].serve(call)

    for domain in {split_entity_id(entity_id)[0] for entity_id in appliances}:
        for service in ("turn_on", "turn_off", "set_hvac_mode"):
            hass.services.async_register(domain, service, serve)


def notifications(hass: HomeAssistant) -> dict[str, persistent_notification.Notification]:
    """Return what is told to the owner at present."""
    return persistent_notification._async_get_or_create_notifications(hass)


class Plant:
    """One pack with its frames: the MOSFETs and the current follow what is written to the board."""

    def __init__(self, packs: Packs, pack: Pack) -> None:
        self.packs = packs
        self.pack = pack
        self.hass = pack.hass
        self.celsius = self.reads_c = 25.0
        """Where the temperature is going, and where it is."""
        self.current_a = 20.0
        self.spread_c = 0.6
        """By how much the second probe is cooler."""
        self.welded = False
        """The MOSFET of the charge is on whatever it is told."""
        self.number = 0
        self.records: list[Record] = []
        self.listen()

    def listen(self) -> None:
        self.pack.coordinator.acting.listen(self.records.append)

    def answer_at_once(self) -> None:
        """Have the board say what it has become as soon as it is written to."""
        self.pack.link.after_writing = lambda: self.pack.link.give(self.frame())

    @classmethod
    async def add(
        cls, packs: Packs, *, address: str = ADDRESS, celsius: float = 25.0, spread_c: float = 0.6, **options: Any
    ) -> Plant:
        first = telemetry_32s(
            temperature_1_c=celsius,
            temperature_2_c=celsius - spread_c,
            mos_temperature_c=celsius + _MOSFETS_WARMER_K,
        )
        options = {"guardian_mode": "act", "permission": "switches", "thresholds": _THRESHOLDS} | options
        pack = await packs.add(DEVICE_INFO_32S, _SETTINGS, first, address=address, **options)
        plug_in(pack.hass)
        plant = cls(packs, pack)
        plant.celsius = plant.reads_c = celsius
        plant.spread_c = spread_c
        return plant

    async def again(self) -> None:
        """Restart Home Assistant, as far as this pack is concerned."""
        first = DEVICE_INFO_32S, self.settings, self.frame()
        await self.hass.config_entries.async_unload(self.pack.entry.entry_id)
        await self.packs.set_up(self.pack, *first)
        self.listen()

    @property
    def settings(self) -> Settings:
        settings = self.pack.link.said[Settings]
        assert isinstance(settings, Settings)
        return settings

    def frame(self, **changes: Any) -> Any:
        self.number += 1
        charges, discharges = self.welded or bool(self.settings.charge_switch), bool(self.settings.discharge_switch)
        flows = charges if self.current_a > 0 else discharges
        values: dict[str, Any] = {
            "counter": self.number % 256,
            "current_a": (self.current_a if flows else 0.0) + self.number % 2 / 1000,
            "charge_mosfet": charges,
            "discharge_mosfet": discharges,
            "temperature_1_c": round(self.reads_c + 0.1 * (self.number % 3 == 0), 1),
            "temperature_2_c": round(self.reads_c - self.spread_c + 0.1 * (self.number % 4 == 0), 1),
            "mos_temperature_c": round(self.reads_c + _MOSFETS_WARMER_K, 1),
        }
        return telemetry_32s(**values | changes)

    async def run(self, seconds: float, *, every_s: float = 1.0, **changes: Any) -> None:
        """Have frames for a while, and what they lead to."""
        for _ in range(int(seconds / every_s)):
            self.packs.tick(every_s)
            step_c = _FASTEST_C_PER_S * every_s
            self.reads_c += max(-step_c, min(step_c, self.celsius - self.reads_c))
            self.pack.link.give(self.frame(**changes))
            await self.settle()

    async def silence(self, seconds: float, *, every_s: float = 1.0) -> None:
        """Hear nothing for a while."""
        for _ in range(int(seconds / every_s)):
            self.packs.tick(every_s)
            async_fire_time_changed(self.hass)
            await self.settle()

    async def settle(self) -> None:
        """Have done what can be done now; what waits goes on waiting, and nobody waits for it."""
        for _ in range(_STEPS):
            await asyncio.sleep(0)

    async def until(self, done: Callable[[], bool], *, within_s: float, every_s: float = 1.0) -> float:
        """Have frames until something is so; return after how many seconds."""
        for second in range(int(within_s / every_s) + 1):
            if done():
                return second * every_s
            await self.run(every_s, every_s=every_s)
        raise AssertionError("it did not come to that")

    def value(self, key: str, platform: Platform = Platform.SENSOR) -> str:
        return self.pack.value(key, platform)

    @property
    def results(self) -> list[tuple[str, str, bool]]:
        """What was told of, in short."""
        return [(record.target or record.action, record.result, record.on) for record in self.records]


async def call(plant: Plant, service: str, *, context: Context | None = None, **data: Any) -> JsonObjectType:
    """Call an action; return its answer for the pack."""
    device = plant.pack.coordinator.device
    assert device
    target = {ATTR_DEVICE_ID: device.id}
    if service == "emergency_stop":
        plant.answer_at_once()
    answer = await plant.hass.services.async_call(
        DOMAIN, service, target | data, blocking=True, return_response=True, context=context
    )
    assert answer
    (one,) = cast("list[JsonObjectType]", answer["packs"])
    return one


@pytest.fixture
async def fan(hass: HomeAssistant) -> Appliance:
    """What cools."""
    return Appliance(hass, "fan.rack")


@pytest.fixture
async def switches(hass: HomeAssistant) -> list[Appliance]:
    """What switches charge, discharge and both."""
    return [Appliance(hass, entity_id, STATE_ON) for entity_id in SWITCHES.values()]
