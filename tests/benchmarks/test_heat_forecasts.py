"""The figures that forecasts are judged by."""

from __future__ import annotations

from math import inf

import pytest

from benchmarks.heat.forecasts import Score, false_share, mean_error, minutes_until, score, straight_on

BANDS = ((25.0, 35.0), (8.0, 12.0))
MINUTE_S = [60.0 * minute for minute in range(121)]
RISING_C = [25 + minute / 4 for minute in range(121)]
"""A quarter of a degree each minute: 45 °C after 80 minutes, 55 °C after 120."""


def test_minutes_until_count_down_and_begin_anew_after_a_fall() -> None:
    assert minutes_until([0.0, 60.0, 120.0, 180.0, 240.0], [40, 44, 46, 44, 45], 45) == [2, 1, 0, 1, 0]


def test_what_never_comes_is_infinite() -> None:
    assert minutes_until([0.0, 60.0], [46, 44], 45) == [0, inf]


def test_perfect_forecasts_have_no_error_and_each_band_its_frames() -> None:
    minutes = minutes_until(MINUTE_S, RISING_C, 45)
    result = score(MINUTE_S, minutes, minutes, [0.0], BANDS)
    assert result.errors_min == [0, 0]
    assert result.counts == [11, 5]
    assert (result.frames, result.false_frames) == (0, 0)


def test_an_error_counts_by_the_truth_and_not_by_what_was_said() -> None:
    minutes = minutes_until(MINUTE_S, RISING_C, 45)
    result = score(MINUTE_S, minutes, [30.0] * 121, [0.0], BANDS)
    assert result.errors_min == [pytest.approx(30 / 11), pytest.approx(20)]


def test_never_said_of_what_comes_costs_what_is_missing_to_three_hours() -> None:
    minutes = minutes_until(MINUTE_S, RISING_C, 45)
    result = score(MINUTE_S, minutes, [inf] * 121, [0.0], ((30.0, 30.0),))
    assert result.errors_min == [150]


def test_frames_without_a_forecast_and_just_after_a_change_are_not_judged() -> None:
    minutes = minutes_until(MINUTE_S, RISING_C, 45)
    said: list[float | None] = [0.0] * 121
    said[50] = None
    # True 30 minutes lie at minute 50; a change at minute 47 silences 47 to 51.
    result = score(MINUTE_S, minutes, said, [0.0, 47 * 60.0], BANDS)
    assert result.counts[0] == 11 - 5
    result = score(MINUTE_S, minutes, said, [0.0], BANDS)
    assert result.counts[0] == 11 - 1


def test_only_what_is_far_off_or_never_comes_can_be_false() -> None:
    times_s = [600.0 + 60 * frame for frame in range(4)]
    true_min = [inf, 90.1, 90.0, 20.0]
    result = score(times_s, true_min, [30.0, 30.1, 1.0, 1.0], [0.0], BANDS)
    assert (result.frames, result.false_frames) == (2, 1)


def test_means_are_over_rows_and_shares_over_time() -> None:
    long = Score(errors_min=[1.0, 9.0], counts=[1000, 1], frames=1000, false_frames=0)
    short = Score(errors_min=[3.0, 0.0], counts=[1, 0], frames=10, false_frames=10)
    assert mean_error([long, short], 0) == 2.0
    assert mean_error([long, short], 1) == 9.0
    assert mean_error([], 0) is None
    assert false_share([long, short]) == pytest.approx(10 / 1010)
    assert false_share([]) is None


def test_the_first_of_the_probes_decides_when_all_go_on_straight() -> None:
    assert straight_on(45, (25.0, 35.0, None), (1.0, 0.25, 9.0)) == 20
    assert straight_on(45, (25.0, 46.0), (0.0, 0.1)) == 0
    assert straight_on(45, (25.0, 35.0), (0.0, -1.0)) == inf
