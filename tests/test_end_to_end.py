"""A whole Home Assistant, in a process of its own, finds a simulated pack behind a simulated proxy and shows it."""

from __future__ import annotations

import json
import os
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import pytest

from custom_components.jk_bms.bms.link import LinkState
from custom_components.jk_bms.permission import Permission
from scripts.demo_home import DOMAIN, DemoError, DemoHome, Entry, Pack, Proxy, Simulator, free_port

from .whole_home import NEEDS_A_HOME, OnePack, is_number

PLANTED: Final = {
    "device_passcode": "4711#door",
    "setup_passcode": "geheim0815",
    "serial_number": "50603N64077",
    "user_data": "Peter Mueller",
    "user_data_2": "Tel 0123456789",
}
CHANGES: Final[Sequence[tuple[str, str, dict[str, object]]]] = (
    ("charge_current_limit_a", "number.set_value", {"value": 42.5}),
    ("balance_trigger_voltage_v", "number.set_value", {"value": 0.012}),
    ("buzzer_trigger", "select.select_option", {"option": "low_state_of_charge"}),
    ("charge_switch", "switch.turn_off", {}),
)
SHOWN: Final = {
    "charge_current_limit_a": "42.5",
    "balance_trigger_voltage_v": "0.012",
    "buzzer_trigger": "low_state_of_charge",
    "charge_switch": "off",
}

pytestmark = [*NEEDS_A_HOME]


@asynccontextmanager
async def one_pack(folder: Path, port: int = 0) -> AsyncIterator[Simulator]:
    async with Simulator(["--packs", "1", "--port", str(port)], log=folder / "simulator.log") as simulator:
        for name, text in PLANTED.items():
            await simulator.command(pack=0, set="text", name=name, value=text)
        yield simulator


def near(value: float, within: float) -> Callable[[str], bool]:
    return lambda state: is_number(state) and abs(float(state) - value) <= within


async def shows_its_cells(home: DemoHome, pack: OnePack) -> None:
    await pack.until("cell_16_voltage", is_number)
    states = await home.states()
    cells_v = [float(states[pack.entity_id(f"cell_{cell}_voltage")]["state"]) for cell in range(1, 17)]
    assert all(3.2 < cell_v < 3.45 for cell_v in cells_v)
    assert len(set(cells_v)) > 1
    assert float((await pack.state("pack_voltage"))["state"]) == pytest.approx(sum(cells_v), abs=0.16)
    assert 30 < float((await pack.state("state_of_charge"))["state"]) < 80
    assert 10 < float((await pack.state("temperature_1"))["state"]) < 40
    assert (await pack.state("problem"))["state"] == "off"


async def follows_the_current(simulator: Simulator, pack: OnePack) -> None:
    for current_a in (42.0, -63.0):
        await simulator.command(pack=0, set="current", a=current_a)
        await pack.until("current", near(current_a, within=2.5))
    await pack.until("discharging", "on".__eq__)


async def raises_an_alarm(simulator: Simulator, pack: OnePack) -> None:
    await simulator.command(pack=0, alarm="cell_overvoltage")
    await pack.until("alarm_cell_overvoltage", "on".__eq__)
    assert (await pack.state("problem"))["state"] == "on"
    await simulator.command(pack=0, alarm="cell_overvoltage", on=False)
    await pack.until("alarm_cell_overvoltage", "off".__eq__)


async def lets_go_for_the_phone(simulator: Simulator, pack: OnePack) -> None:
    assert (await simulator.link(0)).connected
    await pack.switch("pause", "turn_on")
    assert not (await simulator.link(0)).connected, "the board is free as soon as the switch has done its work"
    assert (await pack.until("pause", "on".__eq__))["attributes"]["paused_until"]
    await pack.until("link_state", LinkState.PAUSED.__eq__)
    await pack.switch("pause", "turn_off")
    await pack.until("link_state", LinkState.CONNECTED.__eq__)
    assert (await simulator.link(0)).connected


async def tells_no_secret(home: DemoHome, pack: Pack) -> None:
    (entry,) = await home.entries()
    text = (await home.diagnostics(entry)).lower()
    data = json.loads(text)["data"]
    assert data["entry"]["state"] == "loaded"
    assert data["last_frames"]["device_info"].startswith("55aaeb9003")
    assert data["counters"]["good"] > 0
    secrets = [secret.encode() for secret in PLANTED.values()]
    address = bytes.fromhex(pack.address.replace(":", ""))
    for trace in (
        *(secret.decode().lower() for secret in secrets),
        *(secret.hex() for secret in (*secrets, address, address[::-1])),
        pack.address.lower(),
    ):
        assert trace not in text


@asynccontextmanager
async def comes_back_with_its_proxy(folder: Path, proxy: Proxy, pack: OnePack) -> AsyncIterator[Simulator]:
    await pack.until("link_state", LinkState.DISCONNECTED.__eq__)
    async with one_pack(folder, proxy.port) as simulator:
        await pack.until("link_state", LinkState.CONNECTED.__eq__)
        await simulator.command(pack=0, set="current", a=25)
        await pack.until("current", near(25, within=2))
        yield simulator


async def is_changed_as_far_as_allowed(home: DemoHome, simulator: Simulator, pack: OnePack, entry: Entry) -> None:
    """Half a minute after entities were enabled they are loaded by themselves; all that is left is done by then."""
    before = await simulator.settings(0)
    await home.set_options(entry, permission=Permission.ALL, advanced={})
    await pack.enable("charge_current_limit_a", "balance_trigger_voltage_v", "buzzer_trigger")
    await home.set_options(entry, permission=Permission.READ_ONLY, advanced={})
    for key, service, data in CHANGES:
        with pytest.raises(DemoError, match=rf"{entry['title']} may (only be read|not be changed)"):
            await pack.call(service, key, **data)
    with pytest.raises(DemoError, match="may not be changed"):
        await pack.call(f"{DOMAIN}.write_setting", "pause", setting="cell_overvoltage_v", value=3.6)
    assert await simulator.settings(0) == before

    await home.set_options(entry, permission=Permission.ALL, advanced={})
    for key, service, data in CHANGES:
        assert (await pack.state(key))["state"] != SHOWN[key]
        called_s = time.monotonic()
        await pack.call(service, key, **data)
        await pack.until(key, SHOWN[key].__eq__)
        print(f"{service} {key}: {time.monotonic() - called_s:.2f} s")
    await pack.call(f"{DOMAIN}.write_setting", "pause", setting="cell_overvoltage_v", value=3.6)
    settings = await simulator.settings(0)
    assert {key: value for key, value in settings.items() if value != before[key]} == {
        "charge_current_limit_a": 42.5,
        "balance_trigger_voltage_v": 0.012,
        "buzzer_trigger": 1,
        "charge_switch": 0,
        "cell_overvoltage_v": 3.6,
    }


async def test_a_pack_in_a_real_home_assistant(tmp_path: Path) -> None:
    async with DemoHome(tmp_path / "home", port=free_port()) as home:
        async with one_pack(tmp_path) as simulator:
            (proxy,), (found,) = simulator.proxies, simulator.packs
            await home.add_proxies([proxy])
            (entry,) = await home.confirm_packs([found])
            assert entry["title"] == found.name
            pack = OnePack(home, found, await home.entity_ids())
            await shows_its_cells(home, pack)
            await follows_the_current(simulator, pack)
            await raises_an_alarm(simulator, pack)
            await lets_go_for_the_phone(simulator, pack)
            await tells_no_secret(home, found)
        async with comes_back_with_its_proxy(tmp_path, proxy, pack) as simulator:
            await is_changed_as_far_as_allowed(home, simulator, pack, entry)
    for process in (simulator.pid, home.pid):
        with pytest.raises(ProcessLookupError):
            os.killpg(process, 0)
    log = home.log.read_text(encoding="utf-8")
    assert not [line for line in log.splitlines() if "ERROR" in line and DOMAIN in line]
