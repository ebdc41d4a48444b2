"""Time for tests: it passes only when told to, and then everything that is due happens in order."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Callable
from itertools import count

SETTLE_TURNS = 60
"""Turns of the event loop after which everything that waits for no time has happened."""


class FakeClock:
    """A monotonic clock and its sleep."""

    def __init__(self, now_s: float = 1000.0) -> None:
        self._now_s = now_s
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._order = count()

    def now(self) -> float:
        return self._now_s

    def call_later(self, delay_s: float, action: Callable[[], None]) -> None:
        heapq.heappush(self._due, (self._now_s + delay_s, next(self._order), action))

    async def sleep(self, duration_s: float) -> None:
        over = asyncio.Event()
        self.call_later(duration_s, over.set)
        await over.wait()

    async def run(self, duration_s: float) -> None:
        """Let time pass."""
        await self.until(lambda: False, duration_s)

    async def until(self, reached: Callable[[], object], limit_s: float = 600) -> float:
        """Let time pass until something is so, or the limit; return the seconds that took."""
        start_s, end_s = self._now_s, self._now_s + limit_s
        await settle()
        while not reached() and self._due and self._due[0][0] <= end_s:
            self._now_s, _, action = heapq.heappop(self._due)
            action()
            await settle()
        if not reached():
            self._now_s = end_s
        return self._now_s - start_s


async def settle() -> None:
    for _ in range(SETTLE_TURNS):
        await asyncio.sleep(0)
