"""Everything that is known of one probe."""

from __future__ import annotations

from typing import Final

from .difference import Difference
from .gate import ProbeGate
from .slopes import FastSlope, SlowSlope

_VIOLENT_C_S: Final = 1.0
_VIOLENT_FOR_S: Final = 3.0
_STEADY_SHARE: Final = 1e-3
_APART_SIGMAS: Final = 3.0
_HELD_S: Final = 60.0
_LOST_AFTER_S: Final = 10.0
_LOST_FRAMES: Final = 3
_LOST_RISING_C_S: Final = 3.0 / 60
_CANDIDATE_S: Final = 30.0
_LOST_HELD_S: Final = 600.0
_SURPRISE_C: Final = 0.2
_SURPRISE_STEPS: Final = 1.5
_WATCHED_S: Final = 30.0
_NEVER: Final = float("-inf")


class Probe:
    """Gate, slopes and difference of one probe, and what has to be held for a while."""

    __slots__ = (
        "_candidate_s",
        "_judged",
        "_lost_s",
        "_missed",
        "_surprised_s",
        "_violent_s",
        "count",
        "difference",
        "fast",
        "gate",
        "leaving_c_s",
        "lost_until_s",
        "lost_while_stopping",
        "mean_c",
        "slow",
        "spike_until_s",
        "steady",
        "sum_c",
        "violent_until_s",
    )

    def __init__(self, slope_noise_c2_s3: float, habit_c: float | None) -> None:
        self.gate = ProbeGate()
        self.fast = FastSlope()
        self.slow = SlowSlope(slope_noise_c2_s3)
        self.steady = SlowSlope(slope_noise_c2_s3 * _STEADY_SHARE)
        self.difference = Difference(habit_c)
        self.leaving_c_s = 0.0
        """How fast it leaves the others, as of the last slow step."""
        self.mean_c: float | None = None
        """Mean of the last seconds that had a temperature."""
        self.sum_c = 0.0
        self.count = 0
        self._violent_s = 0.0
        self._missed = 0
        self._lost_s = 0.0
        self._judged = False
        self._candidate_s = _NEVER
        self.lost_while_stopping = False
        self._surprised_s = _NEVER
        self.spike_until_s = self.violent_until_s = self.lost_until_s = _NEVER

    def take(self, value_c: float, now_s: float) -> None:
        """Go on with the temperature that the gate has just let through."""
        gate = self.gate
        self._missed = 0
        self._judged = False
        self._candidate_s = _NEVER
        if gate.rejoined:
            gate.rejoined = False
            self.difference.habit_c = None
        if gate.jump_slope_c_s is not None:
            self.fast.jump(value_c, gate.jump_slope_c_s, now_s)
            if gate.spike:
                self.spike_until_s = now_s + _HELD_S
            elif gate.jump_slope_c_s == 0.0:
                self.slow.since_s = None
        else:
            self.fast.step(value_c, now_s)
        if gate.previous_c is not None and value_c > gate.previous_c and gate.jump_slope_c_s != 0.0:
            since_s = now_s - gate.previous_s
            if value_c - gate.previous_c >= _VIOLENT_C_S * since_s:
                self._violent_s += since_s
                if self._violent_s >= _VIOLENT_FOR_S:
                    self.violent_until_s = now_s + _HELD_S
            else:
                self._violent_s = 0.0
        else:
            self._violent_s = 0.0
        self.sum_c += value_c
        self.count += 1

    def slow_step(self, now_s: float, explained_c_s: float, swing_c_s: float, step_c: float) -> None:
        """Let the slow slopes see the mean of the last seconds.

        The steady one is exact, but late; where it can't be true any more it starts from the quick one.
        """
        value_c = self.sum_c / self.count
        self.mean_c, self.sum_c, self.count = value_c, 0.0, 0
        slow, steady = self.slow, self.steady
        slow.step(value_c, now_s, explained_c_s, step_c)
        steady.step(value_c, now_s, explained_c_s, step_c)
        apart_c_s = abs(slow.slope_c_s - steady.slope_c_s)
        if apart_c_s > _APART_SIGMAS * slow.slope_sigma_c_s + swing_c_s or slow.since_s == now_s:
            steady.follow(slow)

    def waits(self, now_s: float, step_c: float) -> bool:
        """Return whether one more frame would tell: a jump wants to be confirmed, a surprise to be looked at, and one
        that is silent while it rises may have died."""
        accepted = self.gate.accepted_s == now_s
        if accepted and self.fast.error_c > max(_SURPRISE_C, _SURPRISE_STEPS * step_c):
            self._surprised_s = now_s
        if now_s - self._surprised_s < _WATCHED_S:
            return True
        dies = self.fast.slope_c_s > _LOST_RISING_C_S and self._missed < _LOST_FRAMES - 1
        return not accepted and (dies or self.gate.waits(now_s))

    def miss(self, now_s: float, *, stopping: bool) -> None:
        """Take a frame that had no temperature of this probe: one that dies while it rises counts as risen.

        `stopping`: the pack is at level 3 already.
        """
        gate = self.gate
        if gate.accepted_c is None:
            return
        waiting = gate.rising_candidate(now_s)
        if waiting is not None:
            self._candidate_s = now_s if waiting else _NEVER
            return
        if self._missed == 0:
            self._lost_s = now_s
        self._missed += 1
        if self._missed >= _LOST_FRAMES and not self._judged and now_s - gate.accepted_s >= _LOST_AFTER_S:
            self._judged = True
            if self.fast.slope_c_s > _LOST_RISING_C_S or self._lost_s - self._candidate_s < _CANDIDATE_S:
                self.lost_until_s = now_s + _LOST_HELD_S
                self.lost_while_stopping = stopping
