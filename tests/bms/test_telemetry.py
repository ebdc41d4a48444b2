"""What the numbers of a frame are turned into."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from custom_components.jk_bms.bms.alarms import Alarm, Severity, alarms
from custom_components.jk_bms.bms.board import Board, board_of
from custom_components.jk_bms.bms.layout import Generation
from custom_components.jk_bms.bms.telemetry import (
    BalanceAction,
    ChargeState,
    Chemistry,
    LogEntry,
    Telemetry,
    decode_device_info,
    decode_event_log,
    decode_settings,
    decode_telemetry,
)
from simulator.encode import encode_event_log

from .builders import cell_info, device_info, settings

PB = Board(software_major=15)
OLD_32S = Board(software_major=11)
OLD_24S = Board(Generation.JK02_24S, software_major=10)


def test_values_and_what_follows_from_them() -> None:
    t = decode_telemetry(cell_info(current_a=-20.0), PB)
    assert t.cell_count == 16
    assert t.cell_voltages_v[0] == 3.301
    assert (t.highest_cell, t.lowest_cell) == (6, 8)
    assert (t.highest_cell_voltage_v, t.lowest_cell_voltage_v, t.delta_cell_voltage_v) == (3.303, 3.298, 0.005)
    assert (t.reported_highest_cell, t.reported_lowest_cell) == (6, 8)
    assert t.power_w == pytest.approx(-20 * 52.808, abs=0.01)
    assert t.sum_of_cells_v == pytest.approx(52.808)
    assert t.charge_mosfet is True
    assert t.alarms == ()
    assert t.balancing is False
    assert len(t.lead_resistances_ohm) == 16


def test_telemetry_is_frozen_and_slotted() -> None:
    t = decode_telemetry(cell_info(), PB)
    assert type(t) is Telemetry
    with pytest.raises(dataclasses.FrozenInstanceError):
        t.current_a = 1.0  # type: ignore[misc]
    assert not hasattr(t, "__dict__")


def test_a_cell_without_voltage_is_unknown_not_zero() -> None:
    cells_v = (3.3, 0.0, 3.3, 3.31)
    t = decode_telemetry(cell_info(cells_v=cells_v), PB)
    assert t.cell_voltages_v == (3.3, None, 3.3, 3.31)
    assert t.cell_count == 3
    assert t.highest_cell == 4
    assert t.lowest_cell == 1


def test_a_board_without_cells_has_no_extremes() -> None:
    t = decode_telemetry(cell_info(cells_v=(), cell_mask=0), PB)
    assert t.cell_voltages_v == ()
    assert t.highest_cell is None
    assert t.lowest_cell_voltage_v is None
    assert t.delta_cell_voltage_v is None
    assert t.sum_of_cells_v is None
    assert (t.average_cell_voltage_v, t.state_of_charge_pct, t.remaining_capacity_ah) == (None, None, None)


@pytest.mark.parametrize(
    ("board", "changes", "probes"),
    [
        (PB, {}, (21.5, 21.9, 21.2, 20.9, 24.0)),
        (PB, {"temperature_5_c": -200.0}, (21.5, 21.9, 21.2, None, 24.0)),
        (PB, {"temperature_4_c": 0.0}, (21.5, 21.9, 0.0, 20.9, 24.0)),
        (PB, {"temperature_sensor_mask": 0b1101_0110}, (21.5, 21.9, 21.2, None, None)),
        (OLD_32S, {}, (21.5, 21.9, None, None, 24.0)),
        (Board(), {"temperature_4_c": 0.0, "temperature_5_c": 0.0}, (21.5, 21.9, None, None, 24.0)),
        (Board(), {}, (21.5, 21.9, 21.2, 20.9, 24.0)),
        (PB, {"temperature_1_c": -12.3}, (-12.3, 21.9, 21.2, 20.9, 24.0)),
    ],
)
def test_probes_that_are_not_there(board: Board, changes: dict[str, Any], probes: tuple[float | None, ...]) -> None:
    t = decode_telemetry(cell_info(**changes), board)
    found = (t.temperature_1_c, t.temperature_2_c, t.temperature_4_c, t.temperature_5_c, t.mos_temperature_c)
    assert found == probes


def test_24s_has_no_more_probes_and_no_32s_fields() -> None:
    t = decode_telemetry(cell_info(Generation.JK02_24S), OLD_24S)
    assert (t.temperature_1_c, t.temperature_4_c, t.mos_temperature_c) == (21.5, None, 24.0)
    assert t.clock_s is None
    assert t.heating is None
    assert t.precharging is None


def test_charge_state_and_contacts_from_software_15_on() -> None:
    frame = cell_info(charge_state=1, charge_state_time_s=77, chemistry=0, dry_contacts=0b100)
    t = decode_telemetry(frame, PB)
    assert (t.charge_state, t.charge_state_time_s, t.chemistry) == (ChargeState.ABSORPTION, 77, Chemistry.LFP)
    assert (t.dry_contact_1, t.dry_contact_2) == (False, True)
    t = decode_telemetry(frame, Board(software_major=14))
    assert (t.charge_state, t.charge_state_time_s, t.chemistry, t.dry_contact_1) == (None, None, None, None)
    t = decode_telemetry(cell_info(charge_state=9, chemistry=9), PB)
    assert (t.charge_state, t.chemistry) == (None, None)


@pytest.mark.parametrize(
    ("board", "heating", "expected"), [(OLD_32S, 0, None), (OLD_32S, 1, 0.5), (PB, 0, 0.5), (PB, 1, 0.5)]
)
def test_heater_current_is_junk_on_old_software(board: Board, heating: int, expected: float | None) -> None:
    assert decode_telemetry(cell_info(heating=heating, heater_current_a=0.5), board).heater_current_a == expected


def test_health_zero_is_unknown() -> None:
    assert decode_telemetry(cell_info(state_of_health_pct=0), PB).state_of_health_pct is None


def test_balance_actions() -> None:
    assert decode_telemetry(cell_info(balance_action=2), PB).balance_action is BalanceAction.DISCHARGING
    t = decode_telemetry(cell_info(balance_action=7), PB)
    assert t.balance_action is None
    assert t.balancing is None


def test_a_balancer_has_only_what_it_measures() -> None:
    board = board_of("JK_DZ11B2A24S", "11.36")
    assert board.is_balancer
    t = decode_telemetry(cell_info(current_a=0.0, state_of_charge_pct=0), board)
    assert t.temperature_1_c == 21.5
    assert t.cell_count == 16
    assert (t.current_a, t.state_of_charge_pct, t.charge_mosfet, t.power_w, t.mos_temperature_c) == (None,) * 5


def test_jk04_says_little() -> None:
    t = decode_telemetry(cell_info(Generation.JK04), Board(Generation.JK04))
    assert t.cell_voltages_v[0] == pytest.approx(3.301, abs=1e-6)
    assert t.alarms is None
    assert (t.pack_voltage_v, t.current_a, t.power_w, t.temperature_1_c) == (None,) * 4
    assert t.sum_of_cells_v == pytest.approx(52.808, abs=1e-4)


def test_alarms_by_name_with_their_severity() -> None:
    assert len(Alarm) == 29
    assert alarms(1 << 4 | 1 << 19 | 1 << 31) == (Alarm.CELL_OVERVOLTAGE, Alarm.DEFAULT_PASSWORD)
    assert Alarm.DEFAULT_PASSWORD.severity is Severity.HINT
    assert Alarm.LEAD_RESISTANCE.severity is Severity.WARNING
    assert Alarm.CHARGE_MOSFET.severity is Severity.ALARM
    assert Alarm.CELL_OVERVOLTAGE.key == "cell_overvoltage"
    t = decode_telemetry(cell_info(alarm_bits=1 << 16), PB)
    assert t.alarms == (Alarm.CHARGE_MOSFET,)


def test_settings() -> None:
    s = decode_settings(settings(control_bits=0x3200, discharge_undertemperature_c=-2), PB)
    assert s.charge_undertemperature_c == -20.0
    assert s.discharge_undertemperature_c == -2
    assert (s.charge_switch, s.discharge_switch) == (True, False)
    assert s.control("charging_float_mode") is True
    assert s.control("heating_allowed") is False
    s = decode_settings(settings(Generation.JK04), Board(Generation.JK04))
    assert s.balance_start_voltage_v == pytest.approx(3.42)
    assert s.charge_switch is None
    assert s.control("smart_sleep") is None


def test_texts_end_at_the_first_nul_and_may_hold_anything() -> None:
    frame = device_info(device_name=b"Keller \xbf\xff", user_data=b"Mario\0\0aa", setup_passcode=b"123456")
    info = decode_device_info(frame, Generation.JK02_32S)
    assert info.model == "JK_PB2A16S20P"
    assert info.device_name == "Keller \N{REPLACEMENT CHARACTER}\N{REPLACEMENT CHARACTER}"
    assert info.user_data == "Mario"
    assert info.setup_passcode == "123456"
    assert "123456" not in repr(info)
    assert "Keller" not in repr(info)


def test_event_log_leaves_stale_slots_out() -> None:
    entries = (LogEntry(10, 0x01), LogEntry(20, 0xD3), LogEntry(30, 0x02))
    assert decode_event_log(encode_event_log(entries, 2)) == entries[:2]
    assert decode_event_log(encode_event_log(entries * 20, 99)) == (entries * 20)[:50]


def test_newer_software_is_read_as_32s_and_said_so() -> None:
    board = board_of("JK_PB2A16S20P", "V23.01")
    assert board.generation is Generation.JK02_32S
    assert board.newer_than_known
    assert not board_of("JK_PB2A16S20P", "20.20").newer_than_known


@pytest.mark.parametrize("version", ["", "beta", "x11"])
def test_a_version_that_says_nothing(version: str) -> None:
    board = board_of("JK_PB2A16S20P", version)
    assert board.software_major is None
    assert not board.certain
