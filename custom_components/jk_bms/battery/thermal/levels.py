"""When does a level begin, and when does it end?

Up at once, down one at a time and slowly. Level 1 ends after a quarter of an hour without a cause and without a warm
forecast, level 2 after a quarter of an hour without a cause, level 3 when it is cool and has not risen for half an hour
- and somebody has seen it, if it came from one spot -, level 4 only by hand, and then altogether: it has been cool for
an hour, and who says so is not to be told a minute later that it is critical. Of the time between two frames no more
than a minute, or two periods of a pack that is asked seldom, counts as quiet or cool: nobody knows what was in a gap.
And no level ends in a frame that says no temperature.
"""

from __future__ import annotations

from typing import Final

from .interface import ThermalLevel

_QUIET_S: Final = 900.0
_FALLING_S: Final = 1800.0
_COOL_S: Final = 3600.0
_HEARD_S: Final = 60.0
_HEARD_PERIODS: Final = 2.0


class Ladder:
    """The level of one pack."""

    __slots__ = ("_caused_s", "_cool_s", "_heard_s", "_local", "_rising_s", "_stepped_s", "level", "since_s")

    def __init__(self, remembered: tuple[float, ...], frame_period_s: float = 0.5) -> None:
        self._heard_s: Final = max(_HEARD_S, _HEARD_PERIODS * frame_period_s)
        self.level = ThermalLevel.NORMAL
        self._local = False
        if len(remembered) == 2 and remembered[0] in set(ThermalLevel):
            self.level, self._local = ThermalLevel(int(remembered[0])), bool(remembered[1])
        self.since_s = self._caused_s = self._rising_s = self._stepped_s = 0.0
        self._cool_s: float | None = None

    @property
    def remembered(self) -> list[float]:
        """What is worth keeping: a restart is no reason to leave a level."""
        return [float(self.level), float(self._local)]

    def begin(self, now_s: float) -> None:
        """Start the clocks."""
        self.since_s = self._caused_s = self._rising_s = self._stepped_s = now_s

    @property
    def acknowledgement_wanted(self) -> bool:
        """Whether it came from one spot and nobody has seen it yet."""
        return self._local and self.level >= ThermalLevel.STOP

    def step(
        self, wanted: ThermalLevel, now_s: float, *, heard: bool, local: bool, warm: bool, hot: bool, rising: bool
    ) -> ThermalLevel:
        """Take the level that the causes speak for.

        `heard`: some temperature is of this frame. `local`: one of level 3 or 4 is of one spot. `warm`: the forecast
        keeps level 1. `hot`: too hot for leaving level 3. `rising`: some probe still rises.
        """
        gap_s = now_s - self._stepped_s - self._heard_s
        self._stepped_s = now_s
        if gap_s > 0.0:
            self._caused_s += gap_s
            self._rising_s += gap_s
            if self._cool_s is not None:
                self._cool_s += gap_s
        if hot:
            self._cool_s = None
        elif self._cool_s is None:
            self._cool_s = now_s
        if rising:
            self._rising_s = now_s
        self._local |= local
        level = self.level
        if wanted >= level and wanted > ThermalLevel.NORMAL:
            self._caused_s = now_s
        if wanted > level:
            self._enter(wanted, now_s)
        elif heard and wanted < level and self._may_fall(now_s, warm=warm, hot=hot):
            self._enter(ThermalLevel(level - 1), now_s)
        return self.level

    def _may_fall(self, now_s: float, *, warm: bool, hot: bool) -> bool:
        if now_s - self._caused_s < _QUIET_S:
            return False
        match self.level:
            case ThermalLevel.COOL:
                return not warm
            case ThermalLevel.REDUCE:
                return True
            case ThermalLevel.STOP:
                return not hot and now_s - self._rising_s >= _FALLING_S and not self._local
        return False

    def _enter(self, level: ThermalLevel, now_s: float) -> None:
        self.level, self.since_s, self._caused_s = level, now_s, now_s
        if level < ThermalLevel.STOP:
            self._local = False

    def acknowledge(self) -> None:
        """Somebody has seen it."""
        self._local = False

    def reset(self, now_s: float, *, sure: bool = False) -> bool:
        """End level 4; return whether it had been cool for an hour, or somebody is sure of it."""
        cool = self._cool_s is not None and now_s - self._cool_s >= _COOL_S
        if self.level is not ThermalLevel.EMERGENCY or not (cool or sure):
            return False
        self._enter(ThermalLevel.NORMAL, now_s)
        return True
