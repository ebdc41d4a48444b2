"""Does one spot heat while the others don't?

Every probe has a habit, its usual offset from the others; what remains is the difference. A habit is learned in hours,
and hardly at all while the difference is suspicious: an anomaly must not become the habit. Slopes lead: what a probe
will be in some minutes, if it goes on to leave the others as it does, counts as if it was there.

What heats all cells tells apart those that are only unlike: resistances differ by some 8 %, losses by some 5 %
(standard deviations of thick cells), sun and heater mats give some cells a quarter more. What that can make of the heat
since the habit was learned is allowed on top of the thresholds.
"""

from __future__ import annotations

from math import exp
from typing import Final

_FIRST_LEARNING_S: Final = 600.0
_FIRST_HABIT_S: Final = 200.0
_HABIT_S: Final = 7200.0
_SUSPICIOUS_HABIT_S: Final = 43200.0
_DOUBLED_S: Final = 3600.0
_EVENED_S: Final = 21_600.0
_HEATED_HABITS_S: Final = ((_DOUBLED_S, 1800.0), (_EVENED_S, 3600.0))
"""How long after the heater, and the memory until then."""
_LONGEST_STEP_S: Final = 120.0
_FALLING_C_S: Final = -0.3 / 60
_PATIENCE: Final = (60.0, 60.0, 30.0)
THRESHOLDS_C: Final = (1.0, 2.0, 4.0)
_FAST_C_S: Final = (3.0 / 60, 8.0 / 60)
_FAST_PATIENCE_S: Final = (20.0, 4.0)
_LONGEST_SECOND_S: Final = 900.0
_COARSE_FACTOR: Final = 2.5
_LEAD_S: Final = (480.0, 480.0, 240.0)
_EVENING_S: Final = 3600.0
"""In which a cell shares with its neighbours and the air what it has more than they."""
_UNLIKE_HEAT: Final = 0.25
"""A cell's resistance against the median of the others: 8 % · √(1 + 1/2), two and a half times; one side in the sun."""
_UNLIKE_LOSS: Final = 0.02
"""5 % of 0.6 W/K in 1.5 W/K to air and neighbours, two and a half times, of the 0.4 that is between cells and air."""


def median(ordered: list[float]) -> float:
    """Return the median of values in ascending order."""
    half = len(ordered) // 2
    return ordered[half] if len(ordered) % 2 else (ordered[half - 1] + ordered[half]) / 2.0


def median_of_others(ordered: list[float], own: float) -> float:
    """Return the median of ascending values, of which one is one's own, without it."""
    at = ordered.index(own)
    return median(ordered[:at] + ordered[at + 1 :])


def heater_factor(heated_s: float) -> float:
    """Return by how much the thresholds widen, by the seconds since the heater was on.

    They are doubled for an hour, and back to what they are once the pack has evened out.
    """
    if heated_s >= _EVENED_S:
        return 1.0
    return min(2.0, 1.0 + (_EVENED_S - heated_s) / (_EVENED_S - _DOUBLED_S))


class Unlikeness:
    """How far healthy cells may part, for what the load and the room have done since the habits were learned."""

    __slots__ = ("_habit_heated_c", "_habit_warm_c", "_heated_c", "_learned_s", "allowed_c")

    def __init__(self, *, learned: bool) -> None:
        self._learned_s = _FIRST_LEARNING_S if learned else 0.0
        self._heated_c = self._habit_heated_c = 0.0
        self._habit_warm_c: float | None = None
        self.allowed_c = 0.0

    def step(self, common_c: float, heats_c_s: float, since_s: float) -> None:
        """Take the common temperature, and what has heated all of them over the last seconds."""
        if self._habit_warm_c is None:
            self._habit_warm_c = common_c
        evened = 1.0 - exp(-since_s / _EVENING_S)
        self._heated_c += (heats_c_s * _EVENING_S - self._heated_c) * evened
        step_s = min(since_s, _LONGEST_STEP_S)
        learned = min(1.0, step_s / (_FIRST_HABIT_S if self._learned_s < _FIRST_LEARNING_S else _HABIT_S))
        self._learned_s += step_s
        self._habit_heated_c += (self._heated_c - self._habit_heated_c) * learned
        self._habit_warm_c += (common_c - self._habit_warm_c) * learned
        self.allowed_c = _UNLIKE_HEAT * abs(self._heated_c - self._habit_heated_c) + _UNLIKE_LOSS * abs(
            common_c - self._habit_warm_c
        )


class Difference:
    """One probe against the others."""

    __slots__ = ("_above_s", "_fast_s", "_second_s", "habit_c", "learned_s", "value_c")

    def __init__(self, habit_c: float | None) -> None:
        self.habit_c = habit_c
        self.learned_s = 0.0 if habit_c is None else _FIRST_LEARNING_S
        self.value_c: float | None = None
        self._above_s = [0.0, 0.0, 0.0]
        self._fast_s = [0.0, 0.0]
        self._second_s = 0.0

    def follow(self, value_c: float, since_s: float, *, weight: float, heated_s: float, suspicious: bool) -> None:
        """Take what of the offset from the others isn't habit; learn the habit.

        `heated_s`: seconds since the heater was on: it heats unevenly, and the pack takes hours to even out.
        """
        self.value_c = value_c
        step_s = min(since_s, _LONGEST_STEP_S)
        if suspicious:
            memory_s = _SUSPICIOUS_HABIT_S
        elif self.learned_s < _FIRST_LEARNING_S:
            memory_s = _FIRST_HABIT_S
        else:
            memory_s = next((memory_s for until_s, memory_s in _HEATED_HABITS_S if heated_s < until_s), _HABIT_S)
        self.learned_s += step_s
        if self.habit_c is not None:
            self.habit_c += value_c * weight * min(1.0, step_s / memory_s)

    def judge(
        self, fast_c_s: float, leaving_c_s: float, since_s: float, *, factor: float, allowed_c: float, step_c: float
    ) -> tuple[int, int]:
        """Return the levels that the difference and the rate of the probe speak for.

        `leaving_c_s` is how fast the probe leaves the others, `allowed_c` by how much healthy cells may part.
        """
        coarse = step_c >= 0.5
        value_c, above_s, fast_s = self.value_c, self._above_s, self._fast_s
        level = 0
        if value_c is not None:
            # A probe from which the others fall away leads nowhere.
            leaving_c_s = 0.0 if coarse else max(min(leaving_c_s, fast_c_s - _FALLING_C_S), 0.0)
            for index, threshold_c in enumerate(THRESHOLDS_C):
                limit_c = threshold_c * factor + allowed_c
                if coarse:
                    limit_c = max(limit_c, _COARSE_FACTOR * step_c)
                led_c = value_c + _LEAD_S[index] * leaving_c_s
                above = led_c > limit_c and (index > 0 or fast_c_s > _FALLING_C_S)
                if (above or above_s[index]) and self._dwell(
                    above_s, index, above, led_c / limit_c, since_s, _PATIENCE[index]
                ):
                    level = index + 1
        self._second_s = min(self._second_s + since_s, _LONGEST_SECOND_S) if level >= 2 else 0.0
        rate = 0
        for index, limit_c_s in enumerate(_FAST_C_S):
            share = fast_c_s / limit_c_s
            above = share > 1.0
            if (above or fast_s[index]) and self._dwell(fast_s, index, above, share, since_s, _FAST_PATIENCE_S[index]):
                rate = index + 2
        return level, rate

    @property
    def second_s(self) -> float:
        """For how long, in seconds, the second level has been spoken for, a quarter of an hour at most."""
        return self._second_s

    @property
    def learned(self) -> bool:
        """Whether the habit is worth remembering."""
        return self.learned_s >= _FIRST_LEARNING_S

    @staticmethod
    def _dwell(dwelt: list[float], index: int, above: bool, excess: float, since_s: float, patience_s: float) -> bool:
        """Count how long it has been above: the further above, the faster; never in a single frame.

        Only asked while it is above, or has been: neither is so in most frames.
        """
        present = dwelt[index]
        if above:
            present = 1e-3 if present <= 0.0 else min(present + since_s * min(excess * excess, 16.0), 1.5 * patience_s)
        else:
            present = max(0.0, present - since_s)
        dwelt[index] = present
        return present >= patience_s
