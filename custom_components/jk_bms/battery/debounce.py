"""Since when has a quantity been beyond a limit, and is that long enough for a level?

A level rises to the highest that is confirmed: beyond its limit for its time, and in two frames at least, whatever time
lies between them. It falls one step at a time, each after the quantity was on the safe side of that level's release for
the release time. Frames that don't know the quantity change nothing, and those that know only part of it, so that what
is worst may be missing, can confirm a level but neither contradict nor release one.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import inf
from typing import Final

from .hazards import LEVELS, Level

_ABSENT: Final = (inf, inf, inf)


@dataclass(frozen=True, slots=True)
class Pace:
    """How long and how often each level has to be seen, advisory first, and how long its release."""

    after_s: tuple[float, float, float] = (60, 10, 0)
    frames: tuple[int, int, int] = (2, 2, 2)
    release_after_s: float = 60
    release_frames: int = 2


@dataclass(frozen=True, slots=True)
class Bounds:
    """The limits of each level and their releases, advisory first, as numbers that grow with the danger.

    A level that doesn't exist is at infinity.
    """

    limits: tuple[float, ...] = _ABSENT
    releases: tuple[float, ...] = _ABSENT
    outright: float = inf
    """Beyond this one frame is enough to be critical."""
    first: float = field(init=False)
    """The lowest limit."""

    def __post_init__(self) -> None:
        """Find it once: every frame asks for it."""
        object.__setattr__(self, "first", min(self.limits))


class _Episode:
    """What is remembered while a quantity is, or was just, beyond a limit."""

    __slots__ = ("beyond", "calm", "cell", "probe", "since_s", "value")

    def __init__(self, now_s: float) -> None:
        self.since_s = now_s
        self.beyond: list[tuple[float, int, float] | None] = [None, None, None]
        """For each level since when, in how many frames and until when the quantity has been beyond its limit."""
        self.calm: tuple[float, int] | None = None
        """The same of the release of the present level."""
        self.value: float | None = None
        self.cell: int | None = None
        self.probe: str | None = None


class Watch:
    """One quantity of one pack."""

    __slots__ = ("_episode", "bounds", "level", "pace")

    def __init__(self, pace: Pace, bounds: Bounds) -> None:
        self.pace = pace
        self.level = Level.OK
        self.bounds = bounds
        """What it goes by, from the next frame on if another is set."""
        self._episode: _Episode | None = None

    def resume(self, level: Level, now_s: float) -> None:
        """Go on with the level of before a restart."""
        self.level, self._episode = level, _Episode(now_s)

    @property
    def since_s(self) -> float:
        """When it began; only while there is a level."""
        assert self._episode
        return self._episode.since_s

    @property
    def seen(self) -> tuple[float | None, int | None, str | None]:
        """Value, cell and probe as last seen; only while there is a level."""
        assert self._episode
        return self._episode.value, self._episode.cell, self._episode.probe

    @property
    def is_idle(self) -> bool:
        """Whether it has neither a level nor anything that may become one."""
        return self._episode is None

    def waits(self, at_s: float) -> bool:
        """Return whether all that is missing to be critical is another frame like the one of a time."""
        if self._episode is None or self.level is Level.CRITICAL or self.pace.after_s[-1]:
            return False
        beyond = self._episode.beyond[-1]
        return beyond is not None and beyond[2] == at_s

    def is_calm_at(self, danger: float) -> bool:
        """Whether a frame with this quantity would change nothing, and need not be looked at."""
        return danger < self.bounds.first and self._episode is None

    def step(
        self,
        danger: float,
        now_s: float,
        *,
        value: float | None = None,
        cell: int | None = None,
        probe: str | None = None,
        up_to: Level = Level.CRITICAL,
        trusted: bool = True,
        whole: bool = True,
    ) -> None:
        """Take the quantity of a new frame as a number that grows with the danger.

        `value`, `cell` and `probe` are what is shown of it. For levels above `up_to` the frame can only bring release;
        what is not `trusted` has to be said twice even beyond the limit that makes one frame enough; what is not
        `whole` may be more dangerous than it looks.
        """
        episode = self._episode
        if episode is None:
            if danger < self.bounds.first or not up_to:
                return
            episode = self._episode = _Episode(now_s)
        if self.level is Level.CRITICAL and up_to is Level.CRITICAL and danger >= self.bounds.limits[-1]:
            episode.calm = None  # it can't be graver
        elif not self._rises(episode, danger, now_s, up_to=up_to, trusted=trusted, whole=whole):
            self._falls(episode, danger, now_s, whole=whole)
        if whole or danger >= self.bounds.limits[self.level - 1]:
            episode.value, episode.cell, episode.probe = value, cell, probe
        if self.level is Level.OK and not any(episode.beyond):
            self._episode = None

    def leave(self, now_s: float) -> None:
        """Take a frame in which the quantity can't be dangerous, whatever it is: what was seen last is kept."""
        if (episode := self._episode) is not None:
            self.step(-inf, now_s, value=episode.value, cell=episode.cell, probe=episode.probe)

    def pause(self) -> None:
        """Take a frame that says nothing: the level stays, but what was to be confirmed begins anew."""
        if (episode := self._episode) is not None:
            episode.beyond = [None, None, None]
            episode.calm = None
            if self.level is Level.OK:
                self._episode = None

    def _rises(
        self, episode: _Episode, danger: float, now_s: float, *, up_to: Level, trusted: bool, whole: bool
    ) -> bool:
        pace, level = self.pace, Level.OK
        if danger > self.bounds.outright and trusted and up_to is Level.CRITICAL:
            level = Level.CRITICAL
        for number, limit in enumerate(self.bounds.limits):
            if danger < limit or number >= up_to:
                if whole:
                    episode.beyond[number] = None
                continue
            since_s, frames, _ = episode.beyond[number] or (now_s, 0, now_s)
            frames += 1
            episode.beyond[number] = since_s, frames, now_s
            if now_s - since_s >= pace.after_s[number] and frames >= pace.frames[number]:
                level = max(level, LEVELS[number])
        if level <= self.level:
            return False
        if self.level is Level.OK:
            episode.since_s = min((each[0] for each in episode.beyond if each), default=now_s)
        self.level = level
        episode.calm = None
        return True

    def _falls(self, episode: _Episode, danger: float, now_s: float, *, whole: bool) -> None:
        level = self.level
        if level is Level.OK:
            return
        if danger > self.bounds.releases[level - 1]:
            episode.calm = None
            return
        if not whole:
            return
        since_s, frames = episode.calm or (now_s, 0)
        frames += 1
        episode.calm = since_s, frames
        if now_s - since_s >= self.pace.release_after_s and frames >= self.pace.release_frames:
            self.level = self._next_below(level)
            episode.calm = None

    def _next_below(self, level: Level) -> Level:
        """Return the next lower level that exists."""
        return next(
            (lower for lower in reversed(LEVELS) if lower < level and self.bounds.limits[lower - 1] < inf), Level.OK
        )
