"""A whole Home Assistant in a process of its own, as the tests of the whole see it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from typing import Final

import pytest

from scripts.demo_home import DEMO_PYTHON, DemoHome, Pack, State

SHOWN_WITHIN_S: Final = 20
POLL_S: Final = 0.1

NEEDS_A_HOME: Final = (
    pytest.mark.usefixtures("socket_enabled"),
    pytest.mark.skipif(
        os.environ.get("JK_BMS_SKIP_END_TO_END") == "1", reason="JK_BMS_SKIP_END_TO_END=1 asks to leave it out"
    ),
    pytest.mark.skipif(
        not DEMO_PYTHON.exists() and "CI" not in os.environ,
        reason="there is no .venv-demo with a whole Home Assistant; scripts/setup --demo makes it",
    ),
)


def is_number(state: str) -> bool:
    return state not in {"unknown", "unavailable"} and float(state) == float(state)


class OnePack:
    """What a person sees of the only pack of a home."""

    def __init__(self, home: DemoHome, pack: Pack, entity_ids: dict[str, str]) -> None:
        self._home = home
        self._address = pack.address
        self._entity_ids = entity_ids

    def entity_id(self, key: str) -> str:
        return self._entity_ids[f"{self._address}_{key}"]

    async def state(self, key: str) -> State:
        return (await self._home.states())[self.entity_id(key)]

    async def until(self, key: str, holds: Callable[[str], bool]) -> State:
        """Wait until the state of an entity is as it should be."""
        state = await self.state(key)
        try:
            async with asyncio.timeout(SHOWN_WITHIN_S):
                while not holds(state["state"]):
                    await asyncio.sleep(POLL_S)
                    state = await self.state(key)
        except TimeoutError:
            pytest.fail(f"{state['entity_id']} is still {state['state']} after {SHOWN_WITHIN_S} s")
        return state

    async def switch(self, key: str, service: str) -> None:
        await self._home.request("POST", f"/api/services/switch/{service}", {"entity_id": self.entity_id(key)})

    async def enable(self, *keys: str) -> None:
        await self._home.enable([f"{self._address}_{key}" for key in keys])
        self._entity_ids = await self._home.entity_ids()

    async def call(self, service: str, key: str, **data: object) -> None:
        """Call a service as the frontend does."""
        domain, _, name = service.partition(".")
        target = {"entity_id": self.entity_id(key)}
        await self._home.command("call_service", domain=domain, service=name, service_data=data, target=target)
