"""Hours to full and to empty."""

from __future__ import annotations

import pytest

from custom_components.jk_bms.battery.time_to_go import TimeToGo, TimeToGoEstimator

from ..pack_values import telemetry_32s, telemetry_jk04


def hours(current_a: float, remaining_ah: float) -> TimeToGo:
    return TimeToGoEstimator().step(telemetry_32s(current_a=current_a, remaining_capacity_ah=remaining_ah), 0)


def test_to_empty() -> None:
    assert hours(-28, 140) == TimeToGo(to_empty_h=5)


@pytest.mark.parametrize(
    ("current_a", "remaining_ah", "expected_h"),
    [
        (28, 140, (0.98 * 280 - 140) / 28 + 5.6 / 14),  # the last 2 % at half the current
        (140, 140, (0.98 * 280 - 140) / 140 + 5.6 / 42),  # ... and at no more than 0.3 C
        (28, 277.2, 2.8 / 14),  # within the last 2 %
        (28, 280, 0),
        (28, 281, 0),
    ],
)
def test_to_full(current_a: float, remaining_ah: float, expected_h: float) -> None:
    assert hours(current_a, remaining_ah).to_full_h == pytest.approx(expected_h, abs=0.006)
    assert hours(current_a, remaining_ah).to_empty_h is None


@pytest.mark.parametrize("current_a", [0, 2.7, -2.7])
def test_a_resting_pack_has_no_time(current_a: float) -> None:
    assert hours(current_a, 140) == TimeToGo()


def test_beyond_ten_days_is_none() -> None:
    estimator = TimeToGoEstimator()
    assert (
        estimator.step(telemetry_32s(current_a=-1.1, remaining_capacity_ah=280, full_charge_capacity_ah=100), 0)
        == TimeToGo()
    )


def test_mean_follows_a_step_within_minutes() -> None:
    estimator = TimeToGoEstimator()
    estimator.step(telemetry_32s(current_a=-28, remaining_capacity_ah=140), 0)
    stepped = telemetry_32s(current_a=-56, remaining_capacity_ah=140)
    for second in range(1, 151):
        after = estimator.step(stepped, second)
    assert after.to_empty_h == pytest.approx(140 / (56 - 28 / 2.71828), abs=0.01)
    assert estimator.step(stepped, 7200).to_empty_h == pytest.approx(2.5)


def test_unknown_is_none() -> None:
    estimator = TimeToGoEstimator()
    assert estimator.step(telemetry_jk04(), 0) == TimeToGo()
    assert estimator.step(telemetry_32s(remaining_capacity_ah=None), 0) == TimeToGo()
    assert estimator.step(telemetry_32s(full_charge_capacity_ah=0.0), 0) == TimeToGo()
