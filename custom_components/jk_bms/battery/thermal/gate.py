"""Is this reading of a probe a temperature, or is it what a wire, a decoder or an absent probe makes of one?

A cell of some kilograms can't jump; what jumps is confirmed first: upwards at the second sample, downwards, where
nobody is in a hurry, at the sixth. A jump to a constant is no heat at all: heat moves. Values that probes and decoders
are known to invent are never taken at once.
"""

from __future__ import annotations

from math import exp
from typing import Final, TypeIs

from .interface import ProbeFaultReason

_SENTINELS_C: Final = frozenset({-40.0, 0.0, 85.0, 100.0, 125.0, 127.0})
"""Those within the range that a probe can take; -200, -127, 255 and the like fall out anyway."""
_SENTINEL_DRIFT_C: Final = 0.35
_COLDEST_C: Final = -45.0
_HOTTEST_C: Final = 250.0
_SATURATES_ABOVE_C: Final = 150.0
_REJECTS_DECAY_S: Final = 900.0
_MANY_REJECTS: Final = 3.0
_MOST_REJECTS: Final = 4.0
"""More are not remembered: a contact that is mended shall be believed again within five minutes."""
_BAD_DECAY_S: Final = 120.0
_BAD_SHARE: Final = 0.2
_MENDED_SHARE: Final = 0.05
_FAULT_AFTER_S: Final = 300.0
_FAULT_FRAMES: Final = 3
_CHANGES_TO_PROVE: Final = 3
_CONFIRMED: Final = 2
_SUSPECT_FALL_C: Final = 5.0
_FALL_SUSPECT_S: Final = 7200.0
_RETURN_C: Final = 1.5
_ASKED: Final = 5
_COPIES: Final = 8
"""As many changes in a row to just what the MOSFETs have: there is no probe, the board repeats them in its place."""
_MIRROR_C: Final = 3.0
_STUCK_AFTER_S: Final = 1800.0
_STUCK_MOVE_C: Final = 0.8


def may_be_temperature(raw_c: float | None) -> TypeIs[float]:
    """Whether a reading is none of those that are invented, and in the range of what is there."""
    return raw_c is not None and _COLDEST_C <= raw_c <= _HOTTEST_C and raw_c not in _SENTINELS_C


class _Chain:
    """Readings that are no step of a temperature, one after the other, until enough of them agree."""

    __slots__ = ("after_silence", "count", "differs", "first_c", "first_s", "last_c", "last_s")

    def __init__(self, raw_c: float, now_s: float, count: int, *, after_silence: bool) -> None:
        self.first_c = self.last_c = raw_c
        self.first_s = self.last_s = now_s
        self.count = count
        """Without those that are known to be invented."""
        self.differs = False
        self.after_silence = after_silence

    def is_near(self, raw_c: float, now_s: float) -> bool:
        """Whether a temperature may have gone there since the last one."""
        return abs(raw_c - self.last_c) <= 3.0 + 0.3 * (now_s - self.last_s)


class _Trouble:
    """What is remembered of frames without a temperature until they are long gone."""

    __slots__ = ("frames", "share", "since_s")

    def __init__(self) -> None:
        self.share = 0.0
        self.since_s: float | None = None
        """None once it looks mended."""
        self.frames = 0


class ProbeGate:
    """Takes the raw readings of one probe and lets temperatures through."""

    __slots__ = (
        "_before_fall_c",
        "_chain",
        "_cools_fast",
        "_copies",
        "_fallen_s",
        "_last_raw_s",
        "_others_c",
        "_rejected",
        "_same_since_s",
        "_silence_s",
        "_trouble",
        "_unproven",
        "accepted_c",
        "accepted_s",
        "fault",
        "jump_slope_c_s",
        "previous_c",
        "previous_s",
        "rejoined",
        "spike",
    )

    def __init__(self, *, cools_fast: bool = False) -> None:
        """`cools_fast`: it is no cell, so a fall within minutes, as of MOSFETs after a load, is nothing suspicious."""
        self._cools_fast: Final = cools_fast
        self.accepted_c: float | None = None
        """Last value that was let through, and when."""
        self.accepted_s = 0.0
        self.previous_c: float | None = None
        self.previous_s = 0.0
        self.jump_slope_c_s: float | None = None
        """Set for the frame in which a jump was let through: the slope to go on with."""
        self.spike = False
        """That jump was up, and too fast for anything but heat that is out of hand."""
        self._last_raw_s: float | None = None
        self._silence_s = 0.0
        self._chain: _Chain | None = None
        self._copies = 0
        self._rejected: tuple[float, float] | None = None
        """How many chains have begun of late, as of when."""
        self._before_fall_c: float | None = None
        self._fallen_s: float | None = None
        self.rejoined = False
        """It is believed again after half an hour, but it isn't what it was: its habit has to be learned anew."""
        self._unproven = 0
        self._trouble: _Trouble | None = None
        self._same_since_s = 0.0
        self._others_c: float | None = None
        self.fault: tuple[ProbeFaultReason, float] | None = None
        """What is wrong with it at present, and since when something is."""

    def step(
        self,
        raw_c: float | None,
        now_s: float,
        since_s: float,
        slope_c_s: float,
        others_c: float | None,
        mos_c: float | None = None,
    ) -> bool:
        """Take a reading, the seconds since the frame before, the present slope, the median of the other probes and
        the reading of the MOSFETs.

        Return whether it is a temperature.
        """
        self.jump_slope_c_s = None
        self.spike = False
        if raw_c is not None and mos_c is not None:
            if raw_c != mos_c:
                self._copies = 0
            elif raw_c != self.accepted_c:
                self._copies += 1
        taken = self._take(raw_c, now_s, slope_c_s, others_c, mos_c)
        self._watch(taken, raw_c is not None, now_s, since_s)
        return taken

    def _take(
        self, raw_c: float | None, now_s: float, slope_c_s: float, others_c: float | None, mos_c: float | None
    ) -> bool:
        last_c = self.accepted_c
        if raw_c is not None and raw_c > _HOTTEST_C and last_c is not None and last_c > _SATURATES_ABOVE_C:
            raw_c = _HOTTEST_C
        if raw_c is None or not _COLDEST_C <= raw_c <= _HOTTEST_C:
            return False
        since_raw_s = 0.0 if self._last_raw_s is None else now_s - self._last_raw_s
        self._last_raw_s = now_s
        self._silence_s = max(self._silence_s, since_raw_s)
        if last_c is None:
            return self._begin(raw_c, now_s, others_c)
        if raw_c == last_c:  # as in most frames: nothing has to be reckoned
            self._accept(raw_c, now_s)
            return True
        since_s = now_s - self.accepted_s
        leeway_c = 1.5 + 0.1 * min(since_raw_s, 10.0) + min(0.01 * self._silence_s, 6.0)
        going_c = slope_c_s * min(since_s, 30.0)
        low_c, high_c = last_c + min(0.0, going_c) - leeway_c, last_c + max(0.0, going_c) + leeway_c
        sentinel = raw_c in _SENTINELS_C
        if low_c <= raw_c <= high_c and not (sentinel and abs(raw_c - last_c) > _SENTINEL_DRIFT_C):
            self._accept(raw_c, now_s)
            return True
        # Some boards send 100 - T, or the MOSFETs' temperature in place of a probe's; what rises up to that is real.
        mirrored = (self._chain is None or self._chain.count == 0) and abs(raw_c + last_c - 100.0) <= _MIRROR_C
        chain = self._chain_up(raw_c, now_s, sentinel or mirrored or raw_c == mos_c, last_c, since_raw_s)
        return self._believe(chain, raw_c, now_s, last_c)

    def _begin(self, raw_c: float, now_s: float, others_c: float | None) -> bool:
        """The first value needs a second one, and if it is one of those that are invented, a probe that agrees."""
        near_others = others_c is not None and abs(raw_c - others_c) <= _SUSPECT_FALL_C
        if raw_c in _SENTINELS_C and not near_others:
            return False
        if self._chain is None or not self._chain.is_near(raw_c, now_s):
            self._chain = _Chain(raw_c, now_s, 0, after_silence=False)
            return False
        self._accept(raw_c, now_s)
        self._unproven = 0 if others_c is None or near_others else _CHANGES_TO_PROVE
        return True

    def _chain_up(self, raw_c: float, now_s: float, invented: bool, last_c: float, since_raw_s: float) -> _Chain:
        """Lengthen the chain, or begin another."""
        chain, up = self._chain, raw_c > last_c
        if chain is not None and up == (chain.first_c > last_c):
            if chain.is_near(raw_c, now_s) or (up and raw_c > chain.last_c):
                if not invented:
                    chain.differs |= chain.count > 0 and raw_c != chain.last_c
                    chain.count += 1
                chain.last_c, chain.last_s = raw_c, now_s
                return chain
        self._rejected = min(self._rejects(now_s) + 1.0, _MOST_REJECTS), now_s
        chain = self._chain = _Chain(raw_c, now_s, 0 if invented else 1, after_silence=since_raw_s >= 60.0)
        return chain

    def _believe(self, chain: _Chain, raw_c: float, now_s: float, last_c: float) -> bool:
        """Whether the chain of jumped values is long enough to be one of temperatures."""
        if raw_c >= 95.0 and abs(last_c) <= 4.0 + 0.01 * self._silence_s:
            return False  # a temperature below zero whose sign got lost
        many = self._rejects(now_s) >= _MANY_REJECTS
        up = raw_c > last_c
        if self._cools_fast and not up:
            if chain.count < _CONFIRMED:
                return False
        elif chain.differs:
            if chain.count < ((5 if many else 2) if up else (30 if many else 6)):
                return False
            if up:
                self._jump_up(chain, now_s, last_c, many=many)
                return True
            if not self._unproven:
                if last_c - raw_c > _SUSPECT_FALL_C and now_s - self.accepted_s < _FALL_SUSPECT_S:
                    self._fallen_s = now_s
                self._before_fall_c = last_c
        elif chain.after_silence and chain.count >= 2 and now_s - chain.first_s >= 60.0 and raw_c < 100.0:
            self._unproven = _CHANGES_TO_PROVE + 1  # the jump itself is one
        else:
            return False
        self.jump_slope_c_s = 0.0
        self._accept(raw_c, now_s)
        return True

    def _jump_up(self, chain: _Chain, now_s: float, last_c: float, *, many: bool) -> None:
        raw_c, chain_s = chain.last_c, chain.last_s - chain.first_s
        overall_c_s = (raw_c - last_c) / (now_s - self.accepted_s)
        within_c_s = (raw_c - chain.first_c) / chain_s if chain_s > 0 else overall_c_s
        returned = self._before_fall_c is not None and raw_c <= self._before_fall_c + _RETURN_C
        self.jump_slope_c_s = 0.0 if returned else max(0.0, min(overall_c_s, within_c_s))
        self.spike = raw_c - last_c > 5.0 and overall_c_s > 0.05 and not returned and not many
        self._accept(raw_c, now_s)

    def confirm(self, now_s: float) -> None:
        """Let a first candidate through: something else in the same frame speaks for it, too."""
        if self.accepted_c is not None and self._chain is not None:
            self._jump_up(self._chain, now_s, self.accepted_c, many=False)
            self._watch(taken=True, heard=True, now_s=now_s, since_s=0.0)

    def candidate_c(self, now_s: float) -> float | None:
        """Return an upward jump of this very frame that waits for its confirmation."""
        chain = self._rising_chain(now_s)
        if chain is None or chain.count != 1 or self._rejects(now_s) >= _MANY_REJECTS:
            return None
        return chain.last_c

    def waits(self, now_s: float) -> bool:
        """Return whether one more reading would tell."""
        chain = self._rising_chain(now_s)
        return chain is not None and (bool(self.rising_candidate(now_s)) or 0 < chain.count < _ASKED)

    def rising_candidate(self, now_s: float) -> bool | None:
        """Return whether the jump up that waits in this frame may be one of temperatures; None if none waits."""
        chain = self._rising_chain(now_s)
        if chain is None:
            return None
        return (chain.count == 1 or chain.differs) and self._rejects(now_s) < _MANY_REJECTS

    def _rising_chain(self, now_s: float) -> _Chain | None:
        """Return the chain of this very frame if it is one of a jump up."""
        chain, last_c = self._chain, self.accepted_c
        return chain if chain and last_c is not None and chain.last_s == now_s and chain.last_c > last_c else None

    def _accept(self, value_c: float, now_s: float) -> None:
        if self._fallen_s is not None and self._before_fall_c is not None:
            returned = value_c >= self._before_fall_c - _SUSPECT_FALL_C
            if returned or now_s - self._fallen_s > _FALL_SUSPECT_S:
                self.rejoined, self._fallen_s = not returned, None
        if value_c != self.accepted_c:
            self._same_since_s = now_s
            self._others_c = None
            if self._unproven:
                self._unproven -= 1
        self.previous_c, self.previous_s = self.accepted_c, self.accepted_s
        self.accepted_c, self.accepted_s = value_c, now_s
        self._silence_s = 0.0
        self._chain = None

    def _rejects(self, now_s: float) -> float:
        if self._rejected is None:
            return 0.0
        count, at_s = self._rejected
        return count * exp((at_s - now_s) / _REJECTS_DECAY_S)

    def _watch(self, taken: bool, heard: bool, now_s: float, since_s: float) -> None:
        trouble = self._trouble
        if trouble is None and not taken:
            trouble = self._trouble = _Trouble()
        bad = trouble is not None and self._is_bad(trouble, taken, now_s, since_s)
        reason: ProbeFaultReason | None = None
        if bad:
            reason = ProbeFaultReason.REJECTED if heard else ProbeFaultReason.SILENT
        elif self.fault is not None and self.fault[0] is ProbeFaultReason.STUCK and self._unproven:
            return
        if reason is None and self._fallen_s is not None and now_s - self._fallen_s > _FAULT_AFTER_S:
            reason = ProbeFaultReason.REJECTED
        if reason is None and self._unproven and now_s - self._same_since_s > _FAULT_AFTER_S:
            reason = ProbeFaultReason.STUCK
        self._set_fault(reason, now_s)

    def _is_bad(self, trouble: _Trouble, taken: bool, now_s: float, since_s: float) -> bool:
        """Whether too much is missing, for too long, to call it a probe."""
        decay = exp(-min(since_s, 60.0) / _BAD_DECAY_S)
        trouble.share = trouble.share * decay + (0.0 if taken else 1.0 - decay)
        if not taken:
            if trouble.since_s is None:
                trouble.since_s, trouble.frames = now_s, 0
            trouble.frames += 1
        elif trouble.share < _MENDED_SHARE:
            trouble.since_s = None
            if trouble.share < 1e-3:
                self._trouble = None
        return (
            trouble.since_s is not None
            and now_s - trouble.since_s > _FAULT_AFTER_S
            and trouble.frames >= _FAULT_FRAMES
            and (now_s - self.accepted_s > _FAULT_AFTER_S or trouble.share > _BAD_SHARE)
        )

    def _set_fault(self, reason: ProbeFaultReason | None, now_s: float) -> None:
        self.fault = None if reason is None else (reason, now_s if self.fault is None else self.fault[1])

    def compare(self, others_c: float, now_s: float) -> None:
        """A probe that stands still for half an hour while the others move has come off, or its board has hung up."""
        if self._others_c is None:
            self._others_c = others_c
        elif now_s - self._same_since_s > _STUCK_AFTER_S and abs(others_c - self._others_c) > _STUCK_MOVE_C:
            self._unproven = _CHANGES_TO_PROVE
            self._set_fault(ProbeFaultReason.STUCK, now_s)

    @property
    def begun(self) -> bool:
        """Whether a first reading that may be a temperature waits for a second one."""
        return self.accepted_c is None and self._chain is not None

    @property
    def confirmed_c(self) -> float:
        """The lower one of the last two: what no single reading can raise."""
        if self.accepted_c is None or self.previous_c is None:
            return _COLDEST_C
        return min(self.accepted_c, self.previous_c)

    def believed_c(self, now_s: float) -> float | None:
        """Return the temperature of this very frame; None if it had none that may speak for a level."""
        return self.accepted_c if self.accepted_s == now_s and self.counts(now_s) else None

    def counts(self, now_s: float) -> bool:
        """Return whether its temperature may speak for a level."""
        return (
            self.accepted_c is not None
            and not self._unproven
            and self._fallen_s is None
            and self._copies < _COPIES
            and now_s - self.accepted_s < _FAULT_AFTER_S
        )
