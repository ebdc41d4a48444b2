"""Everything that is known of one probe."""

from __future__ import annotations

from typing import Final

from .difference import Difference
from .gate import ProbeGate
from .slopes import SILENCE_S, FastSlope, SlowSlope

_VIOLENT_C_S: Final = 1.0
_VIOLENT_FOR_S: Final = 3.0
_READY_S: Final = 180.0
_SETTLED_S: Final = 600.0
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


class _Missing:
    """What is remembered while frames have no temperature of a probe."""

    __slots__ = ("candidate_s", "frames", "judged", "since_s")

    def __init__(self) -> None:
        self.frames = 0
        self.since_s = 0.0
        self.candidate_s = _NEVER
        """When a jump last waited for its confirmation."""
        self.judged = False


class Probe:
    """Gate, slopes and difference of one probe, and what has to be held for a while."""

    __slots__ = (
        "_followed_s",
        "_following_s",
        "_missing",
        "_surprised_s",
        "_violent_s",
        "count",
        "difference",
        "fast",
        "gate",
        "leaving_c_s",
        "lost_until_s",
        "lost_while_stopping",
        "slow",
        "spike_until_s",
        "steady",
        "sum_c",
        "violent_until_s",
    )

    def __init__(self, habit_c: float | None) -> None:
        self.gate = ProbeGate()
        self.fast = FastSlope()
        self.slow = SlowSlope()
        self.steady = SlowSlope()
        self._following_s: float | None = None
        """Since when the slow slopes follow it without a break, and when they last did."""
        self._followed_s = 0.0
        self.difference = Difference(habit_c)
        self.leaving_c_s = 0.0
        """How fast it leaves the others, as of the last slow step."""
        self.sum_c = 0.0
        """Of the temperatures since the last slow step."""
        self.count = 0
        self._violent_s = 0.0
        self._missing: _Missing | None = None
        self.lost_while_stopping = False
        self._surprised_s = _NEVER
        self.spike_until_s = self.violent_until_s = self.lost_until_s = _NEVER

    def take(self, value_c: float, now_s: float) -> None:
        """Go on with the temperature that the gate has just let through."""
        gate = self.gate
        self._missing = None
        if gate.rejoined:
            gate.rejoined = False
            self.difference.habit_c = None
        if gate.jump_slope_c_s is not None:
            self.fast.jump(value_c, gate.jump_slope_c_s)
            if gate.spike:
                self.spike_until_s = now_s + _HELD_S
            elif gate.jump_slope_c_s == 0.0:
                self._following_s = None
        else:
            self.fast.step(value_c, None if gate.previous_c is None else now_s - gate.previous_s)
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

    def slow_step(
        self, now_s: float, explained_c_s: float, swing_c_s: float, step_c: float, slope_noise_c2_s3: float
    ) -> float:
        """Let the slow slopes see the mean of the last seconds; return it.

        The steady one is exact, but late; where it can't be true any more it starts from the quick one.
        """
        value_c = self.sum_c / self.count
        self.sum_c, self.count = 0.0, 0
        slow, steady = self.slow, self.steady
        since_s, self._followed_s = now_s - self._followed_s, now_s
        if self._following_s is None or since_s > SILENCE_S:
            self._following_s = now_s
            slow.restart(value_c)
            steady.follow(slow)
            return value_c
        slow.step(value_c, since_s, explained_c_s, step_c, slope_noise_c2_s3)
        steady.step(value_c, since_s, explained_c_s, step_c, slope_noise_c2_s3 * _STEADY_SHARE)
        if abs(slow.slope_c_s - steady.slope_c_s) > _APART_SIGMAS * slow.slope_sigma_c_s + swing_c_s:
            steady.follow(slow)
        return value_c

    def ready(self, now_s: float) -> bool:
        """Whether the slow slopes have followed for long enough to be asked."""
        return (
            self._following_s is not None
            and self._followed_s - self._following_s >= _READY_S
            and now_s - self._followed_s < _READY_S
        )

    def settled(self, now_s: float) -> bool:
        """Whether one odd reading can't bend the slow slopes any more."""
        return self._following_s is not None and now_s - self._following_s >= _SETTLED_S

    def waits(self, now_s: float, step_c: float) -> bool:
        """Return whether one more frame would tell: a jump wants to be confirmed, a surprise to be looked at, and one
        that is silent while it rises may have died."""
        accepted = self.gate.accepted_s == now_s
        if accepted and self.fast.error_c > max(_SURPRISE_C, _SURPRISE_STEPS * step_c):
            self._surprised_s = now_s
        watched = now_s - self._surprised_s < _WATCHED_S
        if accepted or watched:
            return watched
        missed = 0 if self._missing is None else self._missing.frames
        dies = self.fast.slope_c_s > _LOST_RISING_C_S and missed < _LOST_FRAMES - 1
        return dies or self.gate.waits(now_s)

    def miss(self, now_s: float, *, stopping: bool) -> None:
        """Take a frame that had no temperature of this probe: one that dies while it rises counts as risen.

        `stopping`: the pack is at level 3 already.
        """
        gate = self.gate
        if gate.accepted_c is None:
            return
        missing = self._missing = self._missing or _Missing()
        waiting = gate.rising_candidate(now_s)
        if waiting is not None:
            missing.candidate_s = now_s if waiting else _NEVER
            return
        if missing.frames == 0:
            missing.since_s = now_s
        missing.frames += 1
        if missing.frames >= _LOST_FRAMES and not missing.judged and now_s - gate.accepted_s >= _LOST_AFTER_S:
            missing.judged = True
            if self.fast.slope_c_s > _LOST_RISING_C_S or missing.since_s - missing.candidate_s < _CANDIDATE_S:
                self.lost_until_s = now_s + _LOST_HELD_S
                self.lost_while_stopping = stopping
