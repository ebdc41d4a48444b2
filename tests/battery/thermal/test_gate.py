"""What is a temperature, and what only looks like one: chapter 3.1 of the guide, line by line."""

from __future__ import annotations

import pytest

from custom_components.jk_bms.battery.thermal.gate import ProbeGate
from custom_components.jk_bms.battery.thermal.interface import ProbeFaultReason

FLICKER = (25.0, 25.1, 25.0, 25.0, 25.1)


class Fed:
    """A gate that has seen a quiet probe for a while."""

    def __init__(self, start_c: float = 25.0, frame_s: float = 5.0, frames: int = 120) -> None:
        self.gate = ProbeGate()
        self.now_s = self.last_s = 0.0
        self.frame_s = frame_s
        self.offset_c = start_c - 25.0
        self.quiet(frames)

    def quiet(self, frames: int) -> None:
        for index in range(frames):
            self.feed(round(FLICKER[index % 5] + self.offset_c, 1))

    def feed(self, *values_c: float | None, mos_c: float | None = None, slope_c_s: float = 0.0) -> list[bool]:
        taken = []
        for value_c in values_c:
            self.now_s += self.frame_s
            since_s, self.last_s = self.now_s - self.last_s, self.now_s
            taken.append(self.gate.step(value_c, self.now_s, since_s, slope_c_s, None, mos_c))
        return taken

    def silence(self, seconds: float) -> None:
        self.now_s += seconds

    @property
    def counts(self) -> bool:
        return self.gate.counts(self.now_s)

    @property
    def fault(self) -> ProbeFaultReason | None:
        return None if self.gate.fault is None else self.gate.fault[0]


def test_quiet_probe_counts_and_has_no_fault() -> None:
    fed = Fed()
    assert fed.counts
    assert fed.fault is None


@pytest.mark.parametrize("value_c", [None, -45.1, -73.0, -127.0, -200.0, -273.1, 250.1, 255.0, 2550.0])
def test_outside_the_range_is_no_sample(value_c: float | None) -> None:
    fed = Fed()
    assert fed.feed(value_c, value_c) == [False, False]
    assert fed.feed(25.1) == [True]


def test_above_250_after_150_is_250() -> None:
    fed = Fed()
    fed.gate.accepted_c = 248.0
    assert fed.feed(360.1, slope_c_s=1.0) == [True]
    assert fed.gate.accepted_c == 250.0


@pytest.mark.parametrize("value_c", [-40.0, 0.0, 85.0, 100.0, 125.0, 127.0])
@pytest.mark.parametrize("times", [1, 2, 720])
def test_a_jump_onto_a_sentinel_is_never_taken(value_c: float, times: int) -> None:
    fed = Fed()
    assert not any(fed.feed(*[value_c] * times))
    assert fed.feed(25.1) == [True]


def test_drifting_through_a_sentinel_is_normal() -> None:
    fed = Fed(84.5)
    assert fed.feed(84.7, 84.9, 85.0, 85.2) == [True] * 4


@pytest.mark.parametrize(
    ("silence_s", "value_c", "taken"),
    [
        (0, 27.0, True),
        (0, 27.2, False),
        (0, 23.0, True),
        (0, 22.9, False),
        (300, 30.5, True),
        (300, 31.0, False),
        (36_000, 33.4, True),
        (36_000, 33.6, False),
    ],
)
def test_band_widens_with_silence(silence_s: float, value_c: float, *, taken: bool) -> None:
    fed = Fed()
    fed.feed(25.0)
    fed.silence(silence_s)
    assert fed.feed(value_c) == [taken]


def test_band_does_not_widen_for_a_probe_that_talks_nonsense() -> None:
    fed = Fed()
    fed.feed(*[44.0] * 120)
    assert fed.feed(30.5) == [False]


def test_band_goes_with_the_slope() -> None:
    assert Fed().feed(29.0, slope_c_s=0.5) == [True]
    assert Fed().feed(29.0) == [False]


def test_jump_up_is_taken_at_the_second_sample() -> None:
    fed = Fed()
    assert fed.feed(40.0, 45.0) == [False, True]
    assert fed.gate.spike
    # 20 °C in 10 s overall, 5 °C in 5 s within the chain: the lower slope goes on.
    assert fed.gate.jump_slope_c_s == pytest.approx(1.0)


def test_after_three_rejects_it_takes_five() -> None:
    fed = Fed()
    for _ in range(3):
        fed.feed(45.0, 25.1)
    assert fed.feed(40.0, 41.0, 42.0, 43.0, 44.0) == [False, False, False, False, True]
    assert not fed.gate.spike


def test_rejects_are_forgotten() -> None:
    fed = Fed()
    for _ in range(3):
        fed.feed(45.0, 25.1)
    fed.quiet(240)
    assert fed.feed(40.0, 45.0) == [False, True]


def test_fall_takes_six_and_its_way_back_is_no_spike() -> None:
    fed = Fed()
    assert fed.feed(21.0, 20.9, 20.9, 21.0, 20.8, 20.9) == [False] * 5 + [True]
    assert fed.gate.jump_slope_c_s == 0.0
    assert fed.feed(25.0, 25.1) == [False, True]
    assert not fed.gate.spike
    assert fed.gate.jump_slope_c_s == 0.0


def test_great_fall_counts_no_more_until_it_is_back() -> None:
    fed = Fed()
    fed.feed(*[10.0, 10.1] * 100)
    assert not fed.counts
    assert fed.fault is ProbeFaultReason.REJECTED
    fed.feed(25.0, 25.1)
    assert fed.counts
    assert fed.fault is None


def test_great_fall_is_believed_after_two_hours_with_a_new_habit() -> None:
    fed = Fed()
    fed.feed(*[10.0, 10.1] * 800)
    assert fed.counts
    assert fed.gate.rejoined


def test_constant_after_a_gap_waits_a_minute_and_counts_when_it_has_moved_three_times() -> None:
    fed = Fed()
    fed.silence(120)
    taken = fed.feed(*[44.0] * 14)
    assert taken == [False] * 12 + [True] * 2
    assert not fed.counts
    fed.feed(*[44.0] * 80)
    assert fed.fault is ProbeFaultReason.STUCK
    fed.feed(44.1, 44.0)
    assert not fed.counts
    fed.feed(44.1)
    assert fed.counts
    assert fed.fault is None


@pytest.mark.parametrize("value_c", [44.0, 30.0])
def test_constant_without_a_gap_is_never_taken(value_c: float) -> None:
    fed = Fed()
    assert not any(fed.feed(*[value_c] * 720))
    assert fed.fault is ProbeFaultReason.REJECTED
    fed.quiet(60)
    assert fed.fault is None


def test_lost_sign_is_never_taken() -> None:
    fed = Fed(1.0)
    assert not any(fed.feed(*[100.1, 100.2, 100.3] * 20))


def test_mirrored_value_is_not_taken_but_passing_it_is() -> None:
    fed = Fed()
    assert not any(fed.feed(*[75.0, 74.9, 75.1] * 20))
    assert Fed().feed(60.0, 75.0) == [False, True]


def test_value_of_the_mosfets_is_not_taken() -> None:
    fed = Fed()
    assert not any(fed.feed(33.0, 33.1, 33.2, mos_c=value_c)[0] for value_c in (33.0,))


def test_probe_that_always_repeats_the_mosfets_is_none() -> None:
    fed = Fed()
    for index in range(20):
        value_c = 25.0 + 0.1 * (index % 2)
        fed.feed(value_c, mos_c=value_c)
    assert not fed.counts
    fed.feed(25.2, mos_c=25.0)
    assert fed.counts


@pytest.mark.parametrize(("raw_c", "reason"), [(-200.0, ProbeFaultReason.REJECTED), (None, ProbeFaultReason.SILENT)])
def test_fault_after_five_minutes_and_none_when_it_is_back(raw_c: float | None, reason: ProbeFaultReason) -> None:
    fed = Fed()
    fed.feed(*[raw_c] * 55)
    assert fed.fault is None
    fed.feed(*[raw_c] * 10)
    assert fed.fault is reason
    began_s = fed.gate.fault[1] if fed.gate.fault else None
    fed.feed(*[raw_c] * 10)
    assert fed.gate.fault == (reason, began_s)
    fed.quiet(60)
    assert fed.fault is None


def test_loose_contact_is_a_fault_and_mended_within_five_minutes() -> None:
    fed = Fed()
    for _ in range(120):
        fed.feed(25.0, 25.1, 20.0)
    assert fed.fault is ProbeFaultReason.REJECTED
    assert fed.gate.accepted_c == 25.1
    fed.quiet(60)
    assert fed.fault is None


def test_gap_of_the_link_is_no_fault() -> None:
    fed = Fed()
    fed.silence(1200)
    fed.feed(45.0)
    assert fed.fault is None


def test_stuck_while_the_others_move() -> None:
    fed = Fed()
    for frame in range(400):
        fed.feed(25.0)
        fed.gate.compare(25.0 + 0.003 * frame, fed.now_s)
    assert fed.fault is ProbeFaultReason.STUCK
    assert not fed.counts
    fed.feed(25.1, 25.0, 25.1)
    assert fed.counts


@pytest.mark.parametrize(("minutes", "stuck"), [(29, False), (31, True)])
def test_stuck_takes_half_an_hour(minutes: int, *, stuck: bool) -> None:
    fed = Fed()
    for frame in range(minutes * 12):
        fed.feed(25.0)
        fed.gate.compare(25.0 if frame == 0 else 27.0, fed.now_s)
    assert (fed.fault is ProbeFaultReason.STUCK) is stuck


def test_still_while_the_others_are_still_is_no_fault() -> None:
    fed = Fed()
    for _ in range(800):
        fed.feed(25.0)
        fed.gate.compare(25.0, fed.now_s)
    assert fed.fault is None


def test_first_value_needs_a_second_one() -> None:
    gate = ProbeGate()
    assert not gate.step(60.0, 0.0, 1.0, 0.0, None)
    assert not gate.step(25.0, 1.0, 1.0, 0.0, None)
    assert gate.step(25.1, 2.0, 1.0, 0.0, None)


def test_first_value_far_from_the_others_has_to_move() -> None:
    gate = ProbeGate()
    for second in range(30):
        gate.step(44.0, second, 1.0, 0.0, 25.0)
    assert not gate.counts(30.0)
    for second, value_c in enumerate((44.1, 44.0, 44.1)):
        gate.step(value_c, 30.0 + second, 1.0, 0.0, 25.0)
    assert gate.counts(33.0)


def test_sentinel_as_first_value_needs_a_probe_that_agrees() -> None:
    gate = ProbeGate()
    assert not any(gate.step(0.0, second, 1.0, 0.0, None) for second in range(10))
    assert gate.step(0.0, 11.0, 1.0, 0.0, 0.3) is False
    assert gate.step(0.0, 12.0, 1.0, 0.0, 0.3)


def test_candidate_is_asked_for_until_it_is_told_from_a_constant() -> None:
    fed = Fed()
    fed.feed(45.0)
    assert fed.gate.waits(fed.now_s)
    fed.feed(*[45.0] * 3)
    assert fed.gate.waits(fed.now_s)
    fed.feed(45.0)
    assert not fed.gate.waits(fed.now_s)


def test_confirmation_from_elsewhere() -> None:
    fed = Fed()
    fed.feed(45.0)
    assert fed.gate.candidate_c(fed.now_s) == 45.0
    fed.gate.confirm(fed.now_s)
    assert fed.gate.accepted_c == 45.0
    assert fed.gate.spike
    # The lower one of the last two: what no single reading can raise.
    assert fed.gate.confirmed_c == pytest.approx(25.1)


def test_nothing_to_confirm_at_first() -> None:
    gate = ProbeGate()
    gate.confirm(0.0)
    assert gate.accepted_c is None
    assert gate.confirmed_c < -40
