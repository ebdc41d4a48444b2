"""Run a real Home Assistant against the simulator's Bluetooth proxies, set up through its own HTTP API.

For `scripts/demo`, the end-to-end tests and benchmarks/load.py:

    async with Simulator(["--packs", "demo"]) as simulator, DemoHome(folder, port=free_port()) as home:
        await home.add_proxies(simulator.proxies)
        await home.confirm_packs(simulator.packs)

Everything listens on the loopback address only, and every process ends with its `async with`.
"""

import asyncio
import json
import os
import secrets
import shutil
import socket
from asyncio.subprocess import DEVNULL, PIPE, STDOUT, Process
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self, TypedDict, cast

import aiohttp

PROJECT = Path(__file__).parent.parent
DEMO_PYTHON = PROJECT / ".venv-demo/bin/python"
DEMO_HOME = PROJECT / ".cache/demo/home"
FAN = "fan.battery_fan"
ROOM = "sensor.cellar_temperature"
CREDENTIALS = "credentials.json"
HOST = "127.0.0.1"
DOMAIN = "jk_bms"
USER = "demo"

START_WITHIN_S = 120
STOP_WITHIN_S = 30
CONFIRM_WITHIN_S = 120
ENABLE_WITHIN_S = 60
RELOAD_WITHIN_S = 60
POLL_S = 0.2

CONFIGURATION = """\
homeassistant:
  name: JK BMS demo
  country: DE
  currency: EUR
  unit_system: metric
frontend:
config:
diagnostics:
history:
logbook:
energy:
recorder:
bluetooth:
input_boolean:
  battery_fan:
    name: Relay of the battery fan
template:
  - fan:
      name: Battery fan
      unique_id: battery_fan
      state: "{{ is_state('input_boolean.battery_fan', 'on') }}"
      turn_on:
        action: input_boolean.turn_on
        target: {entity_id: input_boolean.battery_fan}
      turn_off:
        action: input_boolean.turn_off
        target: {entity_id: input_boolean.battery_fan}
  - sensor:
      name: Cellar temperature
      unique_id: cellar_temperature
      state: 20
      device_class: temperature
      unit_of_measurement: °C
logger:
  default: warning
  logs:
    custom_components.jk_bms: info
"""


class DemoError(Exception):
    """What keeps the demo from running, in words for the one who started it."""


@dataclass(frozen=True, slots=True)
class Proxy:
    """A simulated ESPHome Bluetooth proxy, as the simulator announces it."""

    name: str
    host: str
    port: int
    mac: str


@dataclass(frozen=True, slots=True)
class Pack:
    """A simulated pack, as the simulator announces it."""

    name: str
    address: str


@dataclass(frozen=True, slots=True)
class SimulatedLink:
    """A link as the simulated board sees it."""

    connected: bool
    frames_sent: int
    """Over all connections that there have been."""


@dataclass(frozen=True, slots=True)
class SimulatedCells:
    """What is true of a pack, whatever its board measures and Home Assistant shows."""

    cells_c: tuple[float, ...]
    current_a: float
    charge_mosfet: bool
    discharge_mosfet: bool
    fan: float
    """Share of its full speed."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """How to get into the Home Assistant: as a person, and as a program (a long-lived access token)."""

    user: str
    password: str
    token: str


class Message(TypedDict, total=False):
    """A line of the simulator: a proxy, that all is ready, or the answer to a command."""

    proxy: str
    host: str
    port: int
    mac: str
    ready: bool
    packs: list[dict[str, str]]
    time: float
    connected: bool
    frames_sent: int
    cells_c: list[float]
    current_a: float
    charge_mosfet: bool
    discharge_mosfet: bool
    fan: float
    settings: dict[str, float]
    error: str


class FlowResult(TypedDict, total=False):
    """What a step of a config flow leads to."""

    type: str
    flow_id: str
    step_id: str
    reason: str
    errors: dict[str, str] | None
    data_schema: list[dict[str, object]]


class Flow(TypedDict):
    """A config flow that waits for someone."""

    flow_id: str
    handler: str
    context: dict[str, str]


class Entry(TypedDict):
    """A config entry."""

    entry_id: str
    title: str
    state: str


class RegisteredEntity(TypedDict):
    """An entity as the registry knows it."""

    entity_id: str
    unique_id: str
    platform: str
    disabled_by: str | None


class State(TypedDict):
    """The state of an entity."""

    entity_id: str
    state: str
    attributes: dict[str, object]


def free_port() -> int:
    """Find a TCP port on the loopback address that nothing listens on."""
    with socket.create_server((HOST, 0)) as server:
        return cast("int", server.getsockname()[1])


async def _end(process: Process, within_s: float = STOP_WITHIN_S) -> None:
    """Ask a child process to end, and make it end if it doesn't."""
    if process.returncode is not None:
        return
    process.terminate()
    try:
        await asyncio.wait_for(process.wait(), within_s)
    except TimeoutError:
        process.kill()
        await process.wait()


class Simulator:
    """The simulated packs and the proxies in front of them, in a process of their own."""

    proxies: tuple[Proxy, ...]
    packs: tuple[Pack, ...]

    def __init__(self, arguments: Sequence[str], *, python: Path = DEMO_PYTHON, log: Path | None = None) -> None:
        """Take the arguments of `python -m simulator`; what it logs goes to `log`, or is dropped."""
        self._command = (str(python), "-m", "simulator", *arguments)
        self._log = log
        self._process: Process
        self._talk = asyncio.Lock()

    @property
    def pid(self) -> int:
        """The id of the simulator's process."""
        return self._process.pid

    async def __aenter__(self) -> Self:
        """Start it, and return when all proxies are ready."""
        with (self._log or Path(os.devnull)).open("wb") as log:
            # A session of its own: Ctrl-C in the terminal is ours, so that Home Assistant can leave first.
            self._process = await asyncio.create_subprocess_exec(
                *self._command, cwd=PROJECT, stdin=PIPE, stdout=PIPE, stderr=log, start_new_session=True
            )
        proxies: list[Proxy] = []
        while "ready" not in (message := await self._line()):
            proxies.append(Proxy(message["proxy"], message["host"], message["port"], message["mac"]))
        self.proxies = tuple(proxies)
        self.packs = tuple(Pack(**pack) for pack in message["packs"])
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Stop it."""
        await _end(self._process)

    async def command(self, **command: object) -> float:
        """Change something, as simulator/__main__.py lists it; the monotonic time in seconds when it took effect."""
        return (await self._ask(**command))["time"]

    async def link(self, pack: int) -> SimulatedLink:
        """How a pack's link is from its own side."""
        answer = await self._ask(pack=pack, tell="link")
        return SimulatedLink(answer["connected"], answer["frames_sent"])

    async def cells(self, pack: int) -> SimulatedCells:
        """What is true of a pack."""
        answer = await self._ask(pack=pack, tell="cells")
        return SimulatedCells(
            tuple(answer["cells_c"]),
            answer["current_a"],
            answer["charge_mosfet"],
            answer["discharge_mosfet"],
            answer["fan"],
        )

    async def settings(self, pack: int) -> dict[str, float]:
        """What a pack's board itself goes by: its settings that are numbers, by key."""
        return (await self._ask(pack=pack, tell="settings"))["settings"]

    async def _ask(self, **command: object) -> Message:
        assert self._process.stdin
        async with self._talk:
            self._process.stdin.write(json.dumps(command).encode() + b"\n")
            answer = await self._line()
        if "error" in answer:
            raise DemoError(f"the simulator: {answer['error']}")
        return answer

    async def _line(self) -> Message:
        assert self._process.stdout
        if line := await self._process.stdout.readline():
            return cast("Message", json.loads(line))
        raise DemoError(f"the simulator has ended; see {self._log or 'its log'}")


class DemoHome:
    """A Home Assistant process with its configuration in a folder, kept from one start to the next."""

    credentials: Credentials

    def __init__(self, folder: Path, *, port: int, python: Path = DEMO_PYTHON) -> None:
        """Take the folder to keep everything in, the TCP port, and the interpreter that has Home Assistant."""
        self.address = f"http://{HOST}:{port}"
        self.log = folder / "output.log"
        self._folder = folder
        self._secrets = folder / CREDENTIALS
        self._port = port
        self._python = python
        self._process: Process
        self._session: aiohttp.ClientSession

    @property
    def pid(self) -> int:
        """The id of the Home Assistant process."""
        return self._process.pid

    async def __aenter__(self) -> Self:
        """Start it; a folder seen for the first time becomes a home with one user."""
        with socket.socket() as probe:
            if probe.connect_ex((HOST, self._port)) == 0:
                raise DemoError(f"port {self._port} is taken; choose another with --port")
        self._write_configuration()
        self.log.unlink(missing_ok=True)
        self._session = aiohttp.ClientSession(self.address)
        try:
            await self.start()
        except BaseException:
            await self._session.close()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Stop it, with everything written down as on any shutdown."""
        await self._session.close()
        await _end(self._process)

    async def start(self) -> None:
        """Start the process, also again after it ended, and return when Home Assistant says that it runs."""
        password = None if self._secrets.exists() else await self._make_user()
        # All that is used was installed beforehand, one package on purpose in another version than Home Assistant pins.
        self._process = await self._hass("--config", str(self._folder), "--skip-pip")
        try:
            async with asyncio.timeout(START_WITHIN_S):
                await self._until(self._answers)
                if password is not None:
                    await self._make_token(password)
                self.credentials = Credentials(**json.loads(self._secrets.read_text(encoding="utf-8")))
                await self._until(self._runs)
        except BaseException:
            await _end(self._process)
            raise

    async def wait(self) -> int:
        """Wait until the process ends by itself; its exit code."""
        return await self._process.wait()

    async def request(self, method: str, path: str, body: object = None) -> object:
        """Ask the HTTP API as the user; the decoded answer."""
        return cast("object", json.loads(await self.text(method, path, body)))

    async def text(self, method: str, path: str, body: object = None) -> str:
        """Ask the HTTP API as the user; the answer as it is."""
        headers = {"Authorization": f"Bearer {self.credentials.token}"}
        async with self._session.request(method, path, json=body, headers=headers) as response:
            if not response.ok:
                raise DemoError(f"{method} {path}: {response.status} {await response.text()}")
            return await response.text()

    async def command(self, command: str, **arguments: object) -> object:
        """Give one command to the WebSocket API as the user; its result."""
        async with self.websocket(self.credentials.token) as websocket:
            return await ask(websocket, command, **arguments)

    @asynccontextmanager
    async def websocket(self, token: str) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
        """Open the WebSocket API, authenticated."""
        async with self._session.ws_connect("/api/websocket", max_msg_size=0) as websocket:
            await websocket.receive_json()
            await websocket.send_json({"type": "auth", "access_token": token})
            if (answer := await websocket.receive_json())["type"] != "auth_ok":
                raise DemoError(f"Home Assistant refuses the token: {answer}")
            yield websocket

    async def states(self) -> dict[str, State]:
        """All entities' states by entity id."""
        return {state["entity_id"]: state for state in cast("list[State]", await self.request("GET", "/api/states"))}

    async def entries(self, domain: str = DOMAIN) -> list[Entry]:
        """The config entries of an integration."""
        return cast("list[Entry]", await self.command("config_entries/get", domain=domain))

    async def entity_ids(self) -> dict[str, str]:
        """The ids of the integration's enabled entities by their unique ids."""
        return {
            entity["unique_id"]: entity["entity_id"]
            for entity in await self._registered()
            if entity["disabled_by"] is None
        }

    async def enable(self, unique_ids: Collection[str]) -> None:
        """Enable entities that are off by default, once they are there; half a minute later they are loaded."""
        async with asyncio.timeout(ENABLE_WITHIN_S):
            while missing := set(unique_ids) - (await self.entity_ids()).keys():
                for entity in await self._registered():
                    if entity["unique_id"] in missing:
                        update = {"entity_id": entity["entity_id"], "disabled_by": None}
                        await self.command("config/entity_registry/update", **update)
                await asyncio.sleep(POLL_S)

    async def diagnostics(self, entry: Entry) -> str:
        """The diagnostics file of a config entry, as a person downloads it."""
        return await self.text("GET", f"/api/diagnostics/config_entry/{entry['entry_id']}")

    async def add_proxies(self, proxies: Iterable[Proxy]) -> None:
        """Add each proxy as a person would; one that is known already gets its new port."""
        for proxy in proxies:
            result = await self._flow("", {"handler": "esphome"})
            result = await self._flow(result["flow_id"], {"host": proxy.host, "port": proxy.port})
            if result["type"] == "form" and not result.get("errors"):
                result = await self._flow(result["flow_id"], {})
            known = result["type"] == "abort" and result["reason"].startswith("already_configured")
            if result["type"] != "create_entry" and not known:
                raise DemoError(f"Home Assistant doesn't take the proxy {proxy.name}: {result}")

    async def set_options(self, entry: Entry, form: str = "link", **options: object) -> None:
        """Send off one of the forms of an entry's options as a person would, and wait until it is loaded anew.

        What isn't given is as in the form. A form without fields that follows, such as a warning, is confirmed.
        """
        path = "/api/config/config_entries/options/flow"
        result = cast("FlowResult", await self.request("POST", path, {"handler": entry["entry_id"]}))
        path = f"{path}/{result['flow_id']}"
        for answer in ({"next_step_id": form}, options):
            result = cast("FlowResult", await self.request("POST", path, answer))
        if result["type"] == "form" and not result["data_schema"]:
            result = cast("FlowResult", await self.request("POST", path, {}))
        if result["type"] != "create_entry":
            raise DemoError(f"Home Assistant doesn't take these options: {result}")
        async with asyncio.timeout(RELOAD_WITHIN_S):
            await self._until(lambda: self._is_loaded(entry))

    async def confirm_packs(self, packs: Sequence[Pack]) -> list[Entry]:
        """Confirm the discovery of these packs, and of nothing else around; the entries once all are there."""
        addresses = {pack.address for pack in packs}
        answers: dict[str, FlowResult] = {}
        try:
            async with asyncio.timeout(CONFIRM_WITHIN_S):
                while len(entries := await self.entries()) < len(packs):
                    for flow in cast("list[Flow]", await self.command("config_entries/flow/progress")):
                        address = flow["context"].get("unique_id", "")
                        if flow["handler"] == DOMAIN and address in addresses:
                            answers[address] = await self._confirm(flow["flow_id"])
                    await asyncio.sleep(POLL_S)
        except TimeoutError:
            raise DemoError(f"{len(entries)} of {len(packs)} packs after {CONFIRM_WITHIN_S} s: {answers}") from None
        return entries

    async def _registered(self) -> list[RegisteredEntity]:
        registered = cast("list[RegisteredEntity]", await self.command("config/entity_registry/list"))
        return [entity for entity in registered if entity["platform"] == DOMAIN]

    async def _confirm(self, flow_id: str) -> FlowResult:
        """Send off the form that a flow shows; one that is busy goes on by itself."""
        path = f"/api/config/config_entries/flow/{flow_id}"
        shown = cast("FlowResult", await self.request("GET", path))
        return await self._flow(flow_id, {}) if shown["type"] == "form" else shown

    async def _flow(self, flow_id: str, user_input: dict[str, object]) -> FlowResult:
        path = f"/api/config/config_entries/flow/{flow_id}".rstrip("/")
        return cast("FlowResult", await self.request("POST", path, user_input))

    async def _hass(self, *arguments: str) -> Process:
        with self.log.open("ab") as log:
            return await asyncio.create_subprocess_exec(
                self._python,
                *("-m", "homeassistant", *arguments),
                stdin=DEVNULL,
                stdout=log,
                stderr=STDOUT,
                start_new_session=True,
            )

    def _write_configuration(self) -> None:
        if not self._secrets.exists():
            shutil.rmtree(self._folder, ignore_errors=True)  # what a broken-off first start left
        storage = self._folder / ".storage"
        storage.mkdir(parents=True, exist_ok=True)
        (self._folder / "configuration.yaml").write_text(CONFIGURATION, encoding="utf-8")
        loopback = [name for _, name in socket.if_nameindex() if name.startswith("lo")]
        for key, version, data in (
            # In YAML an address is only on trial: without a click in the browser it is taken back after five minutes.
            ("http", 1, {"server_host": [HOST], "server_port": self._port}),
            # Nothing of the demo is told to the network around, and it works where there is none.
            ("core.network", 1, {"configured_adapters": loopback}),
            # All counts as done: the steps ask the internet for things, and adopt this machine's Bluetooth adapter.
            ("onboarding", 4, {"done": ["user", "core_config", "analytics", "integration"]}),
        ):
            content = json.dumps({"version": version, "key": key, "data": data})
            (storage / key).write_text(content, encoding="utf-8")
        components = self._folder / "custom_components"
        components.mkdir(exist_ok=True)
        (components / DOMAIN).unlink(missing_ok=True)
        (components / DOMAIN).symlink_to(PROJECT / "custom_components" / DOMAIN)

    async def _make_user(self) -> str:
        password = secrets.token_hex(4)
        process = await self._hass("--script", "auth", "--config", str(self._folder), "add", USER, password)
        if await process.wait():
            raise DemoError(f"Home Assistant takes no user; see {self.log}")
        return password

    async def _make_token(self, password: str) -> None:
        """Log in as a browser does, and keep what lets programs in from now on."""
        client = {"client_id": f"{self.address}/"}
        flow = await self._post(
            "/auth/login_flow",
            json={**client, "handler": ["homeassistant", None], "redirect_uri": f"{self.address}/"},
        )
        flow = await self._post(
            f"/auth/login_flow/{flow['flow_id']}", json={**client, "username": USER, "password": password}
        )
        tokens = await self._post(
            "/auth/token", data={**client, "grant_type": "authorization_code", "code": flow["result"]}
        )
        async with self.websocket(tokens["access_token"]) as websocket:
            token = await ask(websocket, "auth/long_lived_access_token", client_name="scripts/demo", lifespan=3650)
        self._secrets.touch(mode=0o600)
        self._secrets.write_text(json.dumps({"user": USER, "password": password, "token": token}), encoding="utf-8")

    async def _post(
        self, path: str, *, json: dict[str, object] | None = None, data: dict[str, str] | None = None
    ) -> dict[str, str]:
        async with self._session.post(path, json=json, data=data) as response:
            response.raise_for_status()
            return cast("dict[str, str]", await response.json())

    async def _until(self, condition: Callable[[], Awaitable[bool]]) -> None:
        while not await condition():
            if self._process.returncode is not None:
                raise DemoError(f"Home Assistant ended with {self._process.returncode}; see {self.log}")
            await asyncio.sleep(POLL_S)

    async def _is_loaded(self, entry: Entry) -> bool:
        return any(each["entry_id"] == entry["entry_id"] and each["state"] == "loaded" for each in await self.entries())

    async def _answers(self) -> bool:
        try:
            async with self._session.get("/auth/providers") as response:
                return response.ok
        except aiohttp.ClientConnectionError:
            return False

    async def _runs(self) -> bool:
        return cast("dict[str, str]", await self.request("GET", "/api/config"))["state"] == "RUNNING"


async def ask(websocket: aiohttp.ClientWebSocketResponse, command: str, **arguments: object) -> object:
    """Give the first command on a WebSocket of `DemoHome.websocket`; its result."""
    await websocket.send_json({"id": 1, "type": command, **arguments})
    answer = await websocket.receive_json()
    if not answer["success"]:
        raise DemoError(f"{command}: {answer['error']}")
    return cast("object", answer["result"])
