"""Levels rise when they are confirmed and fall when they are released."""

from __future__ import annotations

from math import inf

from hypothesis import given
from hypothesis import strategies as st

from custom_components.jk_bms.battery.debounce import Bounds, Pace, Watch
from custom_components.jk_bms.battery.hazards import Level

BOUNDS = Bounds((10, 20, 30), (5, 15, 25), 40)


def watch(bounds: Bounds = BOUNDS) -> Watch:
    return Watch(Pace(), bounds)


def test_what_was_confirmed_before_a_level_is_not_forgotten() -> None:
    watched = watch()
    for second in range(61):
        watched.step(11 + second % 8, second)
    assert watched.level is Level.ADVISORY
    levels = []
    for now_s in (61, 70.9, 71):
        watched.step(20, now_s)
        levels.append(watched.level)
    assert levels == [Level.ADVISORY, Level.ADVISORY, Level.WARNING]
    assert watched.since_s == 0


def test_between_release_and_limit_nothing_happens() -> None:
    watched = watch()
    watched.step(30, 0)
    watched.step(30, 1)
    for second in range(2, 1000):
        watched.step(25.1 if second % 50 else 24, second)
    assert watched.level is Level.CRITICAL


def test_what_is_not_trusted_has_to_come_twice() -> None:
    watched = watch()
    levels = []
    for now_s, danger in enumerate((41, 0, 41, 41)):
        watched.step(danger, now_s, trusted=False)
        levels.append(watched.level)
    assert levels == [Level.OK, Level.OK, Level.OK, Level.CRITICAL]
    assert watched.since_s == 2


def test_what_lies_beyond_the_last_limit_comes_once() -> None:
    watched = watch()
    watched.step(41, 2)
    assert watched.level is Level.CRITICAL
    assert watched.since_s == 2


def test_the_limit_itself_is_not_beyond() -> None:
    watched = watch()
    watched.step(40, 0)
    assert watched.level is Level.OK


def test_levels_that_do_not_exist_are_passed_over() -> None:
    watched = watch(Bounds((10, inf, 30), (5, inf, 25)))
    watched.step(30, 0)
    watched.step(30, 1)
    watched.step(0, 2)
    watched.step(0, 62)
    assert watched.level is Level.ADVISORY


def test_leaving_releases_and_keeps_what_was_seen() -> None:
    watched = watch()
    watched.leave(0)
    assert watched.is_idle
    watched.step(30, 0, value=3.6, cell=4)
    watched.step(30, 1, value=3.6, cell=4)
    watched.leave(2)
    assert watched.seen == (3.6, 4, None)
    watched.leave(62)
    assert watched.level is Level.WARNING


def test_a_pause_says_nothing() -> None:
    watched = watch()
    watched.pause()
    watched.step(30, 0)
    watched.pause()
    assert watched.is_idle
    watched.step(30, 1)
    watched.step(30, 2)
    watched.step(0, 3)
    watched.pause()
    watched.step(0, 63)
    assert watched.level is Level.CRITICAL


def test_what_is_not_whole_can_only_bring_a_level() -> None:
    watched = watch()
    levels = []
    for second, (danger, whole) in enumerate(((30, True), (12, False), (30, True))):
        watched.step(danger, second, whole=whole)
        levels.append(watched.level)
    assert levels == [Level.OK, Level.OK, Level.CRITICAL], "nothing has contradicted it"
    watched.step(0, 3)
    for second in range(4, 200):
        watched.step(0, second, value=0, whole=False)
    assert (watched.level, watched.seen[0]) == (Level.CRITICAL, None), "nothing has released it"
    watched.step(31, 200, value=31, whole=False)
    assert watched.seen[0] == 31
    watched.step(0, 201)
    watched.step(28, 230, value=28, whole=False)
    levels.clear()
    for second in (261, 321):
        watched.step(0, second)
        levels.append(watched.level)
    assert levels == [Level.CRITICAL, Level.WARNING], "part of it was too much already"
    alone = watch()
    alone.step(41, 0, whole=False)
    assert alone.level is Level.CRITICAL


def test_waits_for_what_the_last_frame_said() -> None:
    watched = watch()
    assert not watched.waits(0)
    watched.step(29, 0)
    assert not watched.waits(0)
    watched.step(30, 1)
    assert watched.waits(1)
    watched.step(12, 2, whole=False)
    assert not watched.waits(2)
    watched.step(30, 3)
    assert not watched.waits(3), "it came"
    slow = Watch(Pace(after_s=(60, 10, 1)), BOUNDS)
    slow.step(30, 0)
    assert not slow.waits(0)


def test_other_limits_release_what_is_not_wrong_any_more() -> None:
    watched = watch()
    watched.step(30, 0)
    watched.step(30, 1)
    watched.bounds = Bounds()
    for second in (2, 62, 63, 123, 124, 184):
        watched.step(30, second)
    assert watched.level is Level.OK
    assert watched.is_idle


@given(
    st.lists(
        st.tuples(
            st.floats(0.1, 100),
            st.one_of(st.none(), st.floats(0, 50)),
            st.booleans(),
            st.sampled_from(["step", "leave", "pause"]),
        )
    )
)
def test_rules(moments: list[tuple[float, float | None, bool, str]]) -> None:
    watched, now_s, level, before = watch(), 0.0, Level.OK, 0.0
    for passed_s, danger, trusted, what in moments:
        now_s += passed_s
        if what == "step" and danger is not None:
            watched.step(danger, now_s, trusted=trusted)
            if watched.level > level:
                assert danger >= BOUNDS.limits[watched.level - 1]
                assert (danger > BOUNDS.outright and trusted) or before >= BOUNDS.limits[watched.level - 1]
            elif watched.level < level:
                assert watched.level == level - 1
                assert danger <= BOUNDS.releases[level - 1]
            before = danger
        elif what == "leave":
            watched.leave(now_s)
            assert watched.level in (level, level - 1)
            before = -inf
        elif what == "pause":
            watched.pause()
            assert watched.level is level
            before = -inf
        assert watched.level is Level.OK or watched.since_s <= now_s
        level = watched.level
