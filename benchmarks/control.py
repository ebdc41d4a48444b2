"""How soon a change is proved, and whether what is said of it is true: `python -m benchmarks.control [--json]`.

Delays: a real Home Assistant, in a process of its own, changes settings of simulated packs through a simulated
Bluetooth proxy, as its frontend would: by service calls over the WebSocket. Timed is from the call until it is answered
and the entity shows the new value, which it does only when the board has said it twice. The boards stream every 0.55 s.

Honesty: what the integration changes goes through its own checks, over its own link, to simulated boards of all three
generations that lose 5 % of their notifications. Every write is any setting of the board with any value in range and in
order, and is then held against what the board really has. So that this takes minutes, there is no process and no
sleeping here: time is simulated.

- verified: the board has it
- sent: nothing was claimed, since the reading that was calibrated proves nothing
- refused: an error says that the board hasn't taken it, and it hasn't
- unknown: an error says that nobody knows
- not_begun: an error says that the board didn't answer, and nothing was sent
- untrue: anything else; wanted is none

Left out are values that end the experiment: a power-off voltage above the cells, and calibrations that are more than
5 % off. Whatever became of a write, what is shown after the next reading has to be what the board has, and so has every
reading that is believed in between.

Wants what `scripts/setup --demo` makes: .venv-demo/bin/python -m benchmarks.control
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from itertools import cycle
from pathlib import Path
from random import Random
from string import ascii_letters, digits
from tempfile import TemporaryDirectory
from types import MappingProxyType
from typing import Any, Final, cast, override
from unittest.mock import patch

from homeassistant import loader
from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers import translation

from benchmarks.load import Delays, Watch
from benchmarks.wanted import against, print_report
from custom_components.jk_bms.bms.board import Board
from custom_components.jk_bms.bms.frames import Command
from custom_components.jk_bms.bms.layout import FrameType
from custom_components.jk_bms.bms.link import Link
from custom_components.jk_bms.bms.receiver import Reading, Verdict
from custom_components.jk_bms.bms.registers import (
    SETTINGS_BY_KEY,
    Kind,
    Register,
    Saying,
    Setting,
    SettingValue,
    conflicts,
    numbers,
)
from custom_components.jk_bms.bms.telemetry import (
    DeviceInfo,
    Settings,
    Telemetry,
    TelemetryDecoder,
    decode_device_info,
    decode_settings,
)
from custom_components.jk_bms.bms.writing import Outcome
from custom_components.jk_bms.changes import NOT_WRITTEN, Changes
from custom_components.jk_bms.const import CONF_PERMISSION, CONF_WRITES_PER_DAY, DOMAIN
from custom_components.jk_bms.errors import async_names
from custom_components.jk_bms.memory import MemoryStore, PackMemory
from custom_components.jk_bms.pack_state import PackState, register_of, said_of
from custom_components.jk_bms.permission import Permission
from scripts.demo_home import DemoHome, Pack, Simulator, free_port
from simulator.bleak_radio import Air, FakeBleakClient
from simulator.firmware import Firmware
from simulator.models import JK_B2A8S20P, JK_B2A16S, JK_PB2A16S20P, Model
from simulator.pack import Pack as Cells
from tests.bms.clock import FakeClock

PACKS: Final = 3
WRITES_PER_DAY: Final = 500
KNOWN_WITHIN_S: Final = 30
PAUSE_S: Final = (0.5, 1.5)
"""From one call to the next: anywhere between two frames."""
NUMBER: Final = "charge_current_limit_a"
CHOICE: Final = "buzzer_trigger"
SWITCHES: Final = ("charge_switch", "discharge_switch", "balancer_switch")

MODELS: Final = (JK_PB2A16S20P, JK_B2A8S20P, JK_B2A16S)
LOSS: Final = 0.05
LOAD_A: Final = -40.0
HIGHEST_POWER_OFF_V: Final = 2.5
CALIBRATED_WITHIN: Final = 0.05
LEAST_READING_A: Final = 10.0
CLOCK_WITHIN_S: Final = 60 * 365 * 24 * 3600
DRAWS: Final = 100
SAID_IN: Final = {
    FrameType.DEVICE_INFO: "device_info",
    FrameType.SETTINGS: "settings",
    FrameType.CELL_INFO: "telemetry",
}
UNTRUE: Final = "untrue"
NOT_BEGUN: Final = "not_begun"

WANTED: Final = {"p50_s": 1.0, "p99_s": 3.0, UNTRUE: 0, "wrong_readings": 0}


class Control:
    """One pack, changed by service calls from outside."""

    def __init__(
        self, home: DemoHome, pack: Pack, entity_ids: dict[str, str], watch: Watch, delays_s: dict[str, list[float]]
    ) -> None:
        self._home = home
        self._pack = pack
        self._entity_ids = entity_ids
        self._watch = watch
        self._delays_s = delays_s
        self._calls = 0

    async def run(self, rounds: int, random: Random) -> None:
        """Change a number, a switch and a choice in turn, so many times each."""
        switches = cycle((key, service) for key in SWITCHES for service in ("off", "on"))
        numbers_a, choices = random.sample(range(20, 140), rounds), cycle(SETTINGS_BY_KEY[CHOICE].choices[1:8])
        async with self._home.websocket(self._home.credentials.token) as websocket:
            for number_a in numbers_a:
                await self._timed(websocket, "number.set_value", NUMBER, _is(number_a), value=number_a)
                await asyncio.sleep(random.uniform(*PAUSE_S))
                key, state = next(switches)
                await self._timed(websocket, f"switch.turn_{state}", key, state.__eq__)
                await asyncio.sleep(random.uniform(*PAUSE_S))
                writing = {"setting": CHOICE, "value": next(choices)}
                await self._timed(websocket, f"{DOMAIN}.write_setting", CHOICE, writing["value"].__eq__, **writing)
                await asyncio.sleep(random.uniform(*PAUSE_S))

    async def _timed(
        self, websocket: Any, service: str, key: str, holds: Callable[[str], bool], **data: object
    ) -> None:
        domain, _, name = service.partition(".")
        entity_id = self._entity_ids[f"{self._pack.address}_{key}"]
        self._calls += 1
        call = {"domain": domain, "service": name, "service_data": data, "target": {"entity_id": entity_id}}
        shown = self._watch.expect(entity_id, holds)
        called_s = time.monotonic()
        await websocket.send_json({"id": self._calls, "type": "call_service", **call})
        answer = await websocket.receive_json()
        answered_s = time.monotonic()
        if not answer["success"]:
            raise RuntimeError(f"{service} {key}: {answer['error']['message']}")
        shown_s = await asyncio.wait_for(shown, KNOWN_WITHIN_S)
        self._delays_s.setdefault(service, []).append(max(answered_s, shown_s) - called_s)


def _is(number: float) -> Callable[[str], bool]:
    return lambda state: _is_known(state) and float(state) == number


def _is_known(state: str) -> bool:
    return state not in {"unknown", "unavailable"}


async def measure_delays(rounds: int, seed: int) -> tuple[dict[str, list[float]], str]:
    """Return the delays of all calls by service, and the version of Home Assistant."""
    delays_s: dict[str, list[float]] = {}
    with TemporaryDirectory() as folder:
        async with (
            Simulator(["--packs", str(PACKS), "--seed", str(seed)], log=Path(folder, "simulator.log")) as simulator,
            DemoHome(Path(folder, "home"), port=free_port()) as home,
        ):
            await home.add_proxies(simulator.proxies)
            for entry in await home.confirm_packs(simulator.packs):
                await home.set_options(entry, permission=Permission.ALL, advanced={CONF_WRITES_PER_DAY: WRITES_PER_DAY})
            keys = [f"{pack.address}_{key}" for pack in simulator.packs for key in (NUMBER, CHOICE)]
            await home.enable(keys)
            entity_ids = await home.entity_ids()
            wanted = [
                entity_ids[f"{pack.address}_{key}"] for pack in simulator.packs for key in (NUMBER, CHOICE, *SWITCHES)
            ]
            async with asyncio.timeout(2 * KNOWN_WITHIN_S):
                states = await home.states()
                while not all(entity_id in states and _is_known(states[entity_id]["state"]) for entity_id in wanted):
                    await asyncio.sleep(1)
                    states = await home.states()
            async with home.websocket(home.credentials.token) as websocket:
                await websocket.send_json({"id": 1, "type": "subscribe_entities", "entity_ids": wanted})
                watch = Watch()
                listening = asyncio.create_task(watch.listen(websocket))
                async with asyncio.TaskGroup() as group:
                    for number, pack in enumerate(simulator.packs):
                        control = Control(home, pack, entity_ids, watch, delays_s)
                        group.create_task(control.run(rounds, Random(f"{seed} {number}")))
                listening.cancel()
            version = cast("dict[str, str]", await home.request("GET", "/api/config"))["version"]
    return delays_s, version


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """As much of the state of a pack as changing it asks for."""

    board: Board
    device_info: DeviceInfo
    telemetry: Telemetry
    settings: Settings


class KeptInMind(MemoryStore):
    """A memory that isn't written down."""

    @override
    async def save(self, memory: PackMemory) -> None:
        pass


class Bench:
    """A simulated board, a link to it, and what Home Assistant would know of it."""

    def __init__(self, hass: HomeAssistant, model: Model, seed: int) -> None:
        self.clock = FakeClock()
        self.firmware = Firmware(
            Cells(16, 280, seed=seed),
            model,
            seed=seed,
            load=lambda _dt_s, _voltage_v: LOAD_A,
            now=self.clock.now,
            sleep=self.clock.sleep,
        )
        air = Air([self.firmware])
        self._said: dict[str, Any] = {}
        self.written: set[str] = set()
        """Keys of the settings that there was a write of."""
        self.wrong_readings = 0
        """Readings that were believed and aren't what the board has."""
        self.link = Link(
            model.name,
            lambda: air.device(self.firmware.address),
            self._on_reading,
            lambda _: None,
            now=self.clock.now,
            sleep=self.clock.sleep,
            client_class=FakeBleakClient,
        )
        self.changes = Changes(
            hass,
            _entry(model),
            self.firmware.address,
            self.link,
            lambda: self.state,
            KeptInMind(hass, ""),
            PackMemory(),
        )

    async def done[T](self, work: Awaitable[T]) -> T:
        """Let time pass until the work is done."""
        task = asyncio.ensure_future(work)
        await self.clock.until(task.done)
        return await task

    @property
    def state(self) -> PackState:
        """What the coordinator would tell."""
        return cast("PackState", Known(board=self.link.receiver.board, **self._said))

    @property
    def truth(self) -> dict[FrameType, Saying]:
        """What the board would say at this moment, without a radio in between."""
        board, identity = self.firmware.board, self.link.receiver.board
        return {
            FrameType.SETTINGS: decode_settings(board.answer(Command.SETTINGS_AND_STREAM, b"")[0], identity),
            FrameType.DEVICE_INFO: decode_device_info(board.answer(Command.DEVICE_INFO, b"")[0], identity.generation),
            FrameType.CELL_INFO: TelemetryDecoder(identity).decode(board.cell_info_frame()),
        }

    def shows_the_truth(self) -> bool:
        """Whether all settings that are shown are what the board has."""
        truth, state = self.truth, self.state
        return numbers(state.settings, state.device_info) == numbers(
            truth[FrameType.SETTINGS], truth[FrameType.DEVICE_INFO]
        )

    async def start(self) -> None:
        """Connect, and wait until all is known."""
        await self.link.start()
        await self.clock.until(lambda: self._said.keys() == SAID_IN.values())
        self.firmware.faults.loss = LOSS

    async def write(self, random: Random) -> str:
        """Write something, and return what became of it, as far as that is true."""
        key, value = self._draw(random)
        self.written.add(key)
        memory, setting = self.changes.memory, SETTINGS_BY_KEY[key]
        recorded = len(memory.changes)
        try:
            (change,) = await self.done(self.changes.async_apply({key: value}, confirm=True))
            result = change.result
        except HomeAssistantError:
            result = memory.changes[-1].result if memory.changes[recorded:] else NOT_BEGUN
        memory.changes.clear()
        said = setting.said(self.truth[setting.said_in])
        has_it = setting.agrees(said, value, self.link.receiver.board.generation)
        claims = {Outcome.VERIFIED: True, Outcome.REFUSED: False, NOT_WRITTEN: False, NOT_BEGUN: False}
        if claims.get(result, has_it) is not has_it:
            print(f"untrue: {key} = {value}: {result}, but {said}", file=sys.stderr)
            return UNTRUE
        return result

    async def read(self) -> None:
        """Read until there is a good reading."""
        while True:
            try:
                await self.done(self.changes.async_read())
            except HomeAssistantError:
                continue
            return

    def _on_reading(self, reading: Reading) -> None:
        if reading.verdict is not Verdict.ACCEPTED:
            return
        assert not isinstance(reading.value, tuple)
        self._said[SAID_IN[reading.frame_type]] = reading.value
        if reading.frame_type is not FrameType.CELL_INFO:
            self.wrong_readings += numbers(reading.value) != numbers(self.truth[reading.frame_type])

    def _draw(self, random: Random) -> tuple[str, SettingValue]:
        """Return a setting of the board and a value that it doesn't have, in range and in order."""
        state, generation = self.state, self.link.receiver.board.generation
        while True:
            setting = random.choice(list(SETTINGS_BY_KEY.values()))
            register = register_of(setting, state)
            if register is None:
                continue
            present = numbers(state.settings, state.device_info)
            for _ in range(DRAWS):
                value = _value(setting, register, state, random)
                if value is None or setting.agrees(said_of(setting, state), value, generation):
                    break
                if isinstance(value, str) or not conflicts(present | {setting.key: value}, frozenset((setting.key,))):
                    return setting.key, value


def _value(setting: Setting, register: Register, state: PackState, random: Random) -> SettingValue | None:
    """Return any value of a setting; None if there is none to be tried."""
    said = said_of(setting, state)
    match setting.kind:
        case Kind.TEXT:
            return "".join(random.choices(ascii_letters + digits, k=random.randint(1, register.length)))
        case Kind.SWITCH:
            return not said
        case Kind.CHOICE:
            return random.choice(list(setting.choices_on(state.device_info)))
    if setting.is_calibration:
        assert isinstance(said, float)
        share = random.uniform(1 - CALIBRATED_WITHIN, 1 + CALIBRATED_WITHIN)
        true = {"pack_voltage_calibration_v": 16 * 3.3, "current_calibration_a": -LOAD_A}[setting.key]
        return setting.rounded(true * share) if abs(said) >= LEAST_READING_A else None
    highest = min(
        register.highest,
        {"power_off_voltage_v": HIGHEST_POWER_OFF_V, "clock_s": CLOCK_WITHIN_S}.get(setting.key, register.highest),
    )
    return setting.rounded(random.uniform(register.lowest, highest))


def _entry(model: Model) -> ConfigEntry:
    return ConfigEntry(
        data={},
        discovery_keys=MappingProxyType({}),
        domain=DOMAIN,
        minor_version=1,
        options={CONF_PERMISSION: Permission.ALL, CONF_WRITES_PER_DAY: sys.maxsize},
        source="user",
        subentries_data=(),
        title=model.name,
        unique_id=None,
        version=1,
    )


async def measure_honesty(writes: int, seed: int) -> dict[str, Any]:
    """Write so often, to all boards together; return what became of it."""
    outcomes: dict[str, Counter[str]] = {}
    written: dict[str, int] = {}
    wrong_readings = wrongly_shown = 0
    # There is no Bluetooth around that could be asked for reasons.
    with (
        TemporaryDirectory() as folder,
        patch("custom_components.jk_bms.errors.reachability", return_value=""),
        patch("custom_components.jk_bms.errors.carrier", return_value=""),
    ):
        hass = HomeAssistant(folder)
        loader.async_setup(hass)
        await translation.async_load_integrations(hass, set())
        await async_names(hass)
        for number, model in enumerate(MODELS):
            bench, random = Bench(hass, model, seed), Random(f"{seed} {model.name}")
            await bench.start()
            name = f"{model.name} {model.software_version}"
            counts = outcomes[name] = Counter()
            for _ in range(number, writes, len(MODELS)):
                counts[await bench.write(random)] += 1
                await bench.read()
                wrongly_shown += not bench.shows_the_truth()
            wrong_readings += bench.wrong_readings
            written[name] = len(bench.written)
            await bench.done(bench.link.stop())
        await hass.async_stop(force=True)
    total = sum(outcomes.values(), Counter[str]())
    return {
        "writes": total.total(),
        "notifications_lost": LOSS,
        "settings_written": written,
        "outcomes": dict(total.most_common()),
        "outcomes_by_board": {name: dict(counts.most_common()) for name, counts in outcomes.items()},
        "wrong_readings_believed": wrong_readings,
        "wrongly_shown_afterwards": wrongly_shown,
    }


async def measure(rounds: int, writes: int, seed: int) -> dict[str, Any]:
    """Measure both; return the figures."""
    honesty = await measure_honesty(writes, seed)
    delays_s, version = await measure_delays(rounds, seed)
    all_s = Delays.of([each_s for of_service_s in delays_s.values() for each_s in of_service_s])
    wrong = honesty["wrong_readings_believed"] + honesty["wrongly_shown_afterwards"]
    figures = {
        "p50_s": all_s.p50_s,
        "p99_s": all_s.p99_s,
        UNTRUE: honesty["outcomes"].get(UNTRUE, 0),
        "wrong_readings": wrong,
    }
    return {
        "machine": {"cores": os.process_cpu_count(), "home_assistant": version, "load_average": os.getloadavg()[2]},
        "packs": PACKS,
        "calls": asdict(all_s),
        "calls_by_service": {service: asdict(Delays.of(each_s)) for service, each_s in delays_s.items()},
        "honesty": honesty,
        "wanted": against(WANTED, figures),
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.control", description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=40, help=f"of 3 calls in each of {PACKS} packs (default 40)")
    parser.add_argument("--writes", type=int, default=10_000, help="with notifications lost (default 10000)")
    parser.add_argument("--seed", type=int, default=1, help="the same seed gives the same packs")
    parser.add_argument("--json", action="store_true", help="print all figures as JSON")
    options = parser.parse_args()
    result = asyncio.run(measure(options.rounds, options.writes, options.seed))
    print_report(result, as_json=options.json)


if __name__ == "__main__":
    main()
