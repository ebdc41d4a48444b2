"""Charging, discharging, resting, without flicker."""

from __future__ import annotations

from custom_components.jk_bms.battery.flow import Flow, FlowDetector

from ..pack_values import telemetry_32s, telemetry_jk04


def test_begins_higher_than_it_ends() -> None:
    flow = FlowDetector()
    expected = [
        (0.0, Flow.RESTING), (0.29, Flow.RESTING), (0.3, Flow.CHARGING), (0.1, Flow.CHARGING), (0.09, Flow.RESTING),
        (0.2, Flow.RESTING), (-0.29, Flow.RESTING), (-0.3, Flow.DISCHARGING), (-0.1, Flow.DISCHARGING),
        (-0.09, Flow.RESTING), (20.0, Flow.CHARGING), (-20.0, Flow.DISCHARGING), (5.0, Flow.CHARGING),
    ]  # fmt: skip
    assert [(amperes, flow.step(telemetry_32s(current_a=amperes), 0)) for amperes, _ in expected] == expected


def test_unknown_current() -> None:
    assert FlowDetector().step(telemetry_jk04(), 0) is None
