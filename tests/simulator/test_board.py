"""The board on its pack: what it measures and counts, how it answers, what a write may change."""

from __future__ import annotations

import json
import struct
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest

from custom_components.jk_bms.bms.alarms import Alarm
from custom_components.jk_bms.bms.board import Board as Known
from custom_components.jk_bms.bms.board import generation_by_structure
from custom_components.jk_bms.bms.frames import Command
from custom_components.jk_bms.bms.layout import CELL_INFO, CONTROL_BITS, DEVICE_INFO, SETTINGS, FrameType, Generation
from custom_components.jk_bms.bms.registers import ORDER, SETTINGS_BY_KEY, Instruction, Kind, Setting, conflicts
from custom_components.jk_bms.bms.telemetry import (
    BalanceAction,
    ChargeState,
    Chemistry,
    DeviceInfo,
    LogEntry,
    Settings,
    Telemetry,
    decode_device_info,
    decode_event_log,
    decode_settings,
    decode_telemetry,
)
from simulator.board import SENSOR_V_PER_A, Board
from simulator.models import (
    JK_B2A8S20P,
    JK_B2A16S,
    JK_DZ11B2A24S,
    JK_PB2A16S15P,
    JK_PB2A16S20P,
    JK_PB2A16S20P_V19,
    MODELS,
    Model,
)
from simulator.pack import Missing, Pack
from tests.shared import SHARED


def board_on(model: Model = JK_PB2A16S20P, cells: int = 8, soc: float = 0.5, **more: Any) -> Board:
    probes = 4 if model.major >= 14 else 2
    return Board(Pack(cells, 280, seed=3, state_of_charge=soc, probe_count=probes), model, seed=4, **more)


def known(board: Board) -> Known:
    model = board.model
    return Known(model.generation, model.major, model.is_balancer)


def telemetry(board: Board) -> Telemetry:
    return decode_telemetry(board.cell_info_frame(), known(board))


def settings(board: Board) -> Settings:
    return decode_settings(board.answer(Command.SETTINGS_AND_STREAM, b"")[0], known(board))


def info(board: Board) -> DeviceInfo:
    return decode_device_info(board.answer(Command.DEVICE_INFO, b"")[0], board.model.generation)


def codes(board: Board) -> list[int]:
    return [entry.code for entry in decode_event_log(board.answer(Command.EVENT_LOG, b"")[0])]


def flowing(current_a: float) -> Any:
    return lambda _dt_s, _voltage_v: current_a


@pytest.mark.parametrize("model", MODELS, ids=lambda model: f"{model.name}-{model.software_version}")
def test_frames_say_what_the_board_measured(model: Model) -> None:
    board = board_on(model, load=flowing(20 if model.rating_a else 0))
    board.advance(10)
    measured = board.measurement
    seen = telemetry(board)
    assert seen.cell_voltages_v == pytest.approx(measured.cell_voltages_v, abs=1e-6)
    assert seen.lead_resistances_ohm == pytest.approx(measured.lead_resistances_ohm, abs=1e-6)
    assert seen.average_cell_voltage_v == pytest.approx(sum(measured.cell_voltages_v) / 8, abs=0.000_6)
    assert seen.reported_delta_cell_voltage_v == pytest.approx(seen.delta_cell_voltage_v, abs=1e-6)
    assert (seen.reported_highest_cell, seen.reported_lowest_cell) == (seen.highest_cell, seen.lowest_cell)
    assert seen.balance_action is BalanceAction(measured.balance_action)
    assert seen.run_time_s == int(board.run_time_s)
    assert generation_by_structure(board.cell_info_frame()) is model.generation
    if model.generation is not Generation.JK04:
        assert seen.pack_voltage_v == measured.pack_voltage_v
    if model.rating_a:
        assert seen.current_a == measured.current_a > 15
        assert seen.power_magnitude_w == pytest.approx(abs(seen.power_w or 0), abs=0.001)
        assert seen.remaining_capacity_ah == measured.remaining_ah
        assert seen.full_charge_capacity_ah == 280
        assert seen.state_of_charge_pct == 50
        assert seen.state_of_health_pct == 100
        assert (seen.temperature_1_c, seen.temperature_2_c) == measured.probe_temperatures_c[:2]
        assert (seen.charge_mosfet, seen.discharge_mosfet) == (True, True)
    if model.major >= 14:
        assert (seen.temperature_4_c, seen.temperature_5_c) == measured.probe_temperatures_c[2:]
        assert seen.coarse_pack_voltage_v == pytest.approx(seen.pack_voltage_v, abs=0.01)
    if model.is_balancer:
        assert (seen.state_of_charge_pct, seen.current_a, seen.charge_mosfet) == (None, None, None)
        assert CELL_INFO[model.generation].read(board.cell_info_frame())["remaining_capacity_ah"] == 0


@pytest.mark.parametrize("model", MODELS, ids=lambda model: f"{model.name}-{model.software_version}")
def test_settings_and_device_info_are_those_of_the_model(model: Model) -> None:
    board = board_on(model, settings={"balance_trigger_voltage_v": 0.012})
    shown = settings(board)
    assert shown.cell_count == 8
    assert shown.balance_trigger_voltage_v == pytest.approx(0.012)
    assert shown.balancer_switch is True
    assert shown.power_off_voltage_v == pytest.approx(model.settings["power_off_voltage_v"])
    device = info(board)
    assert (device.model, device.hardware_version, device.software_version) == (
        model.name,
        model.hardware_version,
        model.software_version,
    )
    assert len(device.serial_number) == 11
    assert device.device_passcode == "1234"
    frames = board.answer(Command.SETTINGS_AND_STREAM, b"")
    assert [frame[4] for frame in frames] == ([1, 3] if model.repeats_device_info else [1])


def test_model_settings_and_values_have_names_that_the_tables_know() -> None:
    for model in MODELS:
        assert set(model.settings) <= {field.name for field in SETTINGS[model.generation].fields}
        assert set(model.constants) <= {field.name for field in CELL_INFO[model.generation].fields}
        assert set(model.device_info) <= {field.name for field in DEVICE_INFO[model.generation].fields}
    names = {field.name for layout in CELL_INFO.values() for field in layout.fields}
    assert set(board_on(JK_PB2A16S20P_V19)._cell_info()) <= names


def test_unnamed_bytes_lie_where_no_field_does() -> None:
    for model in MODELS:
        layout = CELL_INFO[model.generation]
        taken = {at for field in layout.fields for at in range(field.offset, field.offset + field.size)}
        unnamed = {at + index for at, data in model.unnamed.items() for index in range(len(data))}
        assert not unnamed & taken
        assert max(unnamed, default=0) < 299


def test_every_frame_counts_on() -> None:
    board = board_on()
    counters = [board.cell_info_frame()[5] for _ in range(300)]
    assert {(after - before) % 256 for before, after in pairwise(counters)} == {1}


def test_same_seed_same_bytes() -> None:
    lives = []
    for _ in range(2):
        board = board_on(load=flowing(-30))
        board.advance(100)
        lives.append([board.cell_info_frame(), *board.answer(Command.SETTINGS_AND_STREAM, b"")])
    assert lives[0] == lives[1]


def write(board: Board, register: int, value: bytes) -> None:
    assert board.answer(register, value) == []


def u32(value: int) -> bytes:
    return value.to_bytes(4, "little", signed=value < 0)


def payload(key: str, value: float | str, generation: Generation = Generation.JK02_32S) -> tuple[int, bytes]:
    """Return what writes a setting: its register and the bytes that go into it."""
    setting = SETTINGS_BY_KEY[key]
    return setting.registers[generation].number, setting.encode(value, generation)


def frames_said(board: Board) -> dict[Command, dict[str, Any]]:
    """Return all that settings and device info say, by field."""
    layouts = {Command.SETTINGS_AND_STREAM: SETTINGS, Command.DEVICE_INFO: DEVICE_INFO}
    return {
        command: layout[board.model.generation].read(board.answer(command, b"")[0])
        for command, layout in layouts.items()
    }


def others_than(setting: Setting, said: dict[Command, dict[str, Any]]) -> list[dict[str, Any]]:
    return [{name: value for name, value in fields.items() if name != setting.field_name} for fields in said.values()]


MODEL_OF = {Generation.JK04: JK_B2A16S, Generation.JK02_24S: JK_B2A8S20P, Generation.JK02_32S: JK_PB2A16S20P_V19}
PROTOCOLS: dict[str, float] = {f"uart{port}_protocol_mask": 0x67FF for port in (1, 2, 3)}


def kept_by(generation: Generation) -> list[Setting]:
    """Return what is said in settings or device info."""
    return [
        setting
        for setting in SETTINGS_BY_KEY.values()
        if generation in setting.registers and setting.said_in is not FrameType.CELL_INFO
    ]


@pytest.mark.parametrize("generation", Generation)
def test_each_register_changes_its_value_and_no_other(generation: Generation) -> None:
    for setting in kept_by(generation):
        check_that_it_alone_changes(setting, generation)


def check_that_it_alone_changes(setting: Setting, generation: Generation) -> None:
    board = board_on(MODEL_OF[generation], settings={"soc_100_cell_voltage_v": 3.45}, device_info={**PROTOCOLS})
    register = setting.registers[generation]
    before = frames_said(board)
    asked = Command.DEVICE_INFO if setting.said_in is FrameType.DEVICE_INFO else Command.SETTINGS_AND_STREAM
    old = before[asked][setting.field_name]
    if setting.kind is Kind.TEXT:
        write(board, register.number, b"cellar")
        assert info(board).user_data == "cellar"
    else:
        if isinstance(old, tuple):
            old = old[setting.index or 0]
        elif setting.index is not None:
            old = old >> setting.index & 1
        new = setting.rounded(old + setting.step)
        assert not isinstance(new, str)
        if new > register.highest or "current_limit" in setting.key:
            new = setting.rounded(old - setting.step)
        elif new < register.lowest:
            new = register.lowest
        write(board, register.number, setting.encode(new, generation))
        shown = info(board) if asked is Command.DEVICE_INFO else settings(board)
        assert setting.agrees(setting.said(shown), new, generation), setting.key
    assert others_than(setting, frames_said(board)) == others_than(setting, before), setting.key


@pytest.mark.parametrize("generation", Generation)
def test_a_write_of_another_length_is_ignored(generation: Generation) -> None:
    board = board_on(MODEL_OF[generation], device_info={**PROTOCOLS})
    before = frames_said(board)
    for setting in kept_by(generation):
        register = setting.registers[generation]
        if setting.kind is not Kind.TEXT:
            for length in {0, 1, 2, 3, 4, 5} - {register.length}:
                write(board, register.number, b"\1".ljust(length, b"\0")[:length])
                write(board, register.number, bytes(length))
    assert frames_said(board) == before


NAMES = {
    (Generation.JK04, 0x1C): "cell_count",
    (Generation.JK04, 0x20): "power_off_voltage_v",
    (Generation.JK04, 0x44): "voltage_calibration_v",
    (Generation.JK04, 0x64): "balance_trigger_voltage_v",
    (Generation.JK04, 0x68): "balance_current_limit_a",
    (Generation.JK04, 0x6C): "balancer_switch",
    (Generation.JK02_32S, 0x25): "discharge_precharge_time_s",
    (Generation.JK02_32S, 0x27): "heating_allowed",
    (Generation.JK02_32S, 0x2A): "port_rs485",
    (Generation.JK02_32S, 0x37): "heating_start_temperature_c",
    (Generation.JK02_32S, 0x38): "heating_stop_temperature_c",
}


@pytest.mark.skipif(not (SHARED / "protocol").is_dir(), reason="no recordings of the app")
def test_what_the_app_was_recorded_to_write_is_taken() -> None:
    recorded = json.loads((SHARED / "protocol/app-commands.json").read_text(encoding="utf-8"))["commands"]
    models = {model.name: model for model in MODELS}
    written = set()
    for entry in recorded:
        generation, register = Generation(entry["variant"]), int(entry["register"], 16)
        data = bytes.fromhex(entry["full_hex"])
        if (generation, register) not in NAMES:
            assert register in (Command.SETTINGS_AND_STREAM, Command.DEVICE_INFO, 0x6C)
            continue
        name = NAMES[generation, register]
        board = board_on(models[entry["model"]], settings={"heating_start_temperature_c": 0})
        write(board, register, data[6 : 6 + data[5]])
        shown = settings(board)
        value = data[6 : 6 + data[5]]
        expected = struct.unpack("<f", value)[0] if data[5] == 4 and generation is Generation.JK04 else value[0]
        seen = shown.control(name) if name in CONTROL_BITS else getattr(shown, name)
        assert seen == expected, entry
        written.add((generation, register))
    assert written == set(NAMES)


@pytest.mark.parametrize(
    ("register", "raw"),
    [
        (0x04, 4351),  # above 4.35 V
        (0x02, 1199),
        (0x0C, 201_000),  # above what the board is built for
        (0x0C, 999),
        (0x13, 2001),
        (0x18, -460),
        (0x14, 801),
        (0x1C, 33),
        (0x1D, 2),
        (0x27, 2),
        (0x39, 0),
        (0x37, 101),
        (0xA5, 11),  # a protocol that the board doesn't offer
        (0xA9, 15),
        (0xB5, 0),
        (0xB7, 51),
    ],
)
def test_a_value_out_of_range_is_not_taken(register: int, raw: int) -> None:
    board = board_on()
    before = frames_said(board)
    length = board._registers[register][1].length
    write(board, register, u32(raw)[:length])
    assert frames_said(board) == before


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 2.0 - 1e-3, 3.7 + 1e-3])
def test_a_float_out_of_range_is_not_taken(value: float) -> None:
    board = board_on(JK_B2A16S)
    write(board, 0x20, struct.pack("<f", value))
    assert settings(board).power_off_voltage_v == 3.0


@pytest.mark.parametrize(
    ("register", "raw", "good", "name"),
    [
        (0x04, 3445, 3446, "cell_overvoltage_v"),  # not above SOC 100 %
        (0x05, 3445, 3443, "cell_overvoltage_recovery_v"),  # not below SOC 100 %
        (0x07, 3650, 3649, "soc_100_cell_voltage_v"),  # not below OVP
        (0x07, 3444, 3446, "soc_100_cell_voltage_v"),  # not above OVP recovery
        (0x02, 2901, 2900, "cell_undervoltage_v"),
        (0x03, 2700, 2701, "cell_undervoltage_recovery_v"),
    ],
)
def test_a_value_out_of_order_is_not_taken(register: int, raw: int, good: int, name: str) -> None:
    board = board_on()
    before = settings(board)
    write(board, register, u32(raw))
    assert settings(board) == before
    write(board, register, u32(good))
    change: dict[str, Any] = {name: good / 1000}
    assert settings(board) == replace(before, **change)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("soc_0_cell_voltage_v", 3.0),  # above the recovery
        ("requested_float_voltage_v", 3.5),  # above the recovery
        ("requested_charge_voltage_v", 3.4),  # below SOC 100 %
        ("power_off_voltage_v", 2.8),
        ("heating_start_temperature_c", 60),
        ("charge_undertemperature_c", 10),
    ],
)
def test_an_order_that_only_we_insist_on_is_none_of_the_boards(key: str, value: float) -> None:
    board = board_on()
    write(board, *payload(key, value))
    assert SETTINGS_BY_KEY[key].said(settings(board)) == value


def test_registers_of_the_other_generation_do_something_else_or_nothing() -> None:
    old, new = board_on(JK_B2A8S20P), board_on()
    write(old, 0x22, u32(3300))
    write(new, 0x26, u32(3300))
    assert settings(old).balance_start_voltage_v == 3.0
    assert settings(new).balance_start_voltage_v == 3.42
    for number in (0x6C, 0x6B, 0xB3):
        write(old, number, u32(1))
        write(old, number, b"\1")
    for instruction in Instruction:
        write(old, instruction, b"")
    assert settings(old) == settings(board_on(JK_B2A8S20P))
    assert old.powered
    assert old.log.count == 1
    assert old.answer(Command.EVENT_LOG, b"") == []


@pytest.mark.parametrize("bit", range(16))
def test_each_control_bit_has_its_register(bit: int) -> None:
    board = board_on(settings={"control_bits": 0x5A5A})
    other = 0x5A5A ^ 1 << bit
    write(board, 0x27 + bit, u32(other >> bit & 1))
    assert settings(board).control_bits == other
    write(board, 0x27 + bit, u32(7))
    assert settings(board).control_bits == other


def test_switches_work_the_mosfets_at_once_and_are_logged() -> None:
    board = board_on(load=flowing(30))
    board.advance(5)
    write(board, 0x1D, u32(0))
    assert (telemetry(board).charge_mosfet, telemetry(board).discharge_mosfet) == (False, True)
    board.advance(5)
    assert telemetry(board).current_a == 0
    write(board, 0x1E, u32(0))
    assert telemetry(board).discharge_mosfet is False
    write(board, 0x1D, u32(1))
    write(board, 0x1D, u32(1))
    write(board, 0x1E, u32(1))
    board.advance(5)
    assert (telemetry(board).current_a or 0) > 20
    assert codes(board) == [0x01, 0x03, 0x05, 0x04, 0x06]


def test_balancer_follows_its_settings() -> None:
    board = board_on(soc=0.6)
    board.pack.cells[2].charge_ah += 100
    assert telemetry(board).balance_action is BalanceAction.OFF
    board.advance(1)
    write(board, 0x22, u32(3200))
    board.advance(2)
    assert telemetry(board).balancing is True
    assert telemetry(board).balancer_working is True
    write(board, 0x1F, u32(0))
    board.advance(2)
    assert telemetry(board).balancing is False


def test_a_bad_balance_lead_is_warned_of_and_stops_the_balancer() -> None:
    board = board_on(settings={"balance_start_voltage_v": 3.2}, soc=0.6)
    board.pack.cells[2].charge_ah += 100
    board.advance(2)
    board.advance(2)
    assert telemetry(board).balancing is True
    board.pack.lead_resistances_ohm[4] = 0.6
    board.advance(2)
    board.advance(2)
    seen = telemetry(board)
    assert seen.alarms == (Alarm.LEAD_RESISTANCE,)
    assert seen.lead_resistance_warnings == 1 << 4
    assert seen.balancing is False
    board.pack.lead_resistances_ohm[4] = 0.1
    board.advance(2)
    board.advance(2)
    assert telemetry(board).alarms == ()
    assert telemetry(board).balancing is True


def test_capacity_that_is_written_is_counted_with() -> None:
    board = board_on()
    write(board, 0x20, u32(200_000))
    board.advance(1)
    assert telemetry(board).full_charge_capacity_ah == 200
    assert settings(board).nominal_capacity_ah == 200


def test_overvoltage_opens_the_charge_mosfet_and_is_logged_with_its_cell() -> None:
    board = board_on(load=flowing(50), settings={"charge_current_limit_a": 100}, soc=0.98)
    board.pack.cells[5].charge_ah += 3
    while not telemetry(board).alarms:
        board.advance(1)
    seen = telemetry(board)
    assert seen.alarms == (Alarm.CELL_OVERVOLTAGE,)
    assert (seen.charge_mosfet, seen.discharge_mosfet) == (False, True)
    assert settings(board).charge_switch is True
    assert seen.state_of_charge_pct == 100
    assert codes(board) == [0x01, 0x11, 0x64 + 5]
    board.load = flowing(-20)
    while telemetry(board).alarms:
        board.advance(1)
    assert telemetry(board).charge_mosfet is True
    assert codes(board)[-1] == 0x12


def test_overcurrent_counts_down_to_its_release() -> None:
    board = board_on(load=flowing(70))
    board.advance(2)
    assert telemetry(board).alarms == ()
    board.advance(2)
    board.advance(10)
    seen = telemetry(board)
    assert seen.alarms == (Alarm.CHARGE_OVERCURRENT,)
    assert seen.charge_overcurrent_release_s == 50
    assert seen.current_a == 0


def test_a_board_without_cells_says_so() -> None:
    board = board_on()
    board.pack.cell_errors = {cell: Missing() for cell in range(8)}
    board.advance(2)
    seen = telemetry(board)
    assert seen.cell_voltages_v == ()
    assert (seen.pack_voltage_v, seen.cell_mask) == (0, 0)
    assert (seen.state_of_charge_pct, seen.state_of_health_pct) == (None, None)
    assert seen.alarms == (Alarm.CELL_COUNT,)
    assert (seen.charge_mosfet, seen.discharge_mosfet) == (False, False)


def test_a_missing_probe_is_missing() -> None:
    board = board_on(JK_PB2A16S20P)
    board.pack.probe_errors = {1: Missing(), 3: Missing()}
    board.advance(1)
    seen = telemetry(board)
    assert (seen.temperature_2_c, seen.temperature_5_c) == (None, None)
    assert seen.temperature_sensor_mask == 0xFF - 0x04
    raw = CELL_INFO[Generation.JK02_32S].read(board.cell_info_frame())
    assert (raw["temperature_2_c"], raw["temperature_5_c"]) == (-200, -200)


def test_factory_password_is_a_hint_of_its_own() -> None:
    board = board_on(device_info={"setup_passcode": b"123456"})
    assert telemetry(board).alarms == (Alarm.DEFAULT_PASSWORD,)


def test_forced_alarm_does_what_a_real_one_does() -> None:
    board = board_on(load=flowing(-10))
    board.force_alarm(Alarm.DISCHARGE_OVERTEMPERATURE, raised=True)
    board.advance(1)
    seen = telemetry(board)
    assert seen.alarms == (Alarm.DISCHARGE_OVERTEMPERATURE,)
    assert (seen.charge_mosfet, seen.discharge_mosfet) == (True, False)
    board.force_alarm(Alarm.DISCHARGE_OVERTEMPERATURE, raised=False)
    assert telemetry(board).discharge_mosfet is True
    assert codes(board) == [0x01, 0x25, 0x26]


def test_clock_starts_at_boot_and_runs_from_what_was_written() -> None:
    board = board_on()
    board.boot()
    board.advance(40)
    assert telemetry(board).clock_s == 40
    write(board, 0x6C, u32(186_592_319))
    board.advance(60)
    assert telemetry(board).clock_s == 186_592_379
    assert telemetry(board).system_up_time_s == 100
    assert codes(board)[-1] == 0x3B


def test_run_time_up_time_and_boots_are_counted() -> None:
    board = board_on()
    first, boots = telemetry(board), info(board).power_on_count
    board.advance(1000)
    assert telemetry(board).run_time_s - first.run_time_s in (999, 1000)
    assert info(board).up_time_s % 300 == 0
    assert 0 <= telemetry(board).run_time_s - info(board).up_time_s < 300
    write(board, Instruction.RESTART, b"")
    assert telemetry(board).system_up_time_s == 0
    assert info(board).power_on_count == boots + 1
    assert telemetry(board).run_time_s >= first.run_time_s + 999


def test_charge_goes_from_bulk_over_absorption_to_float_and_back() -> None:
    charger = {"a": 40.0}

    def charging(dt_s: float, voltage_v: float) -> float:
        charger["a"] = max(0.0, min(40.0, charger["a"] + 20 * dt_s * (8 * 3.452 - voltage_v)))
        return charger["a"]

    times = {"requested_charge_time_h": 0.5, "requested_float_time_h": 1.0}
    board = board_on(load=charging, soc=0.97, device_info=times)
    stages: list[ChargeState | None] = []
    entered = []
    for _ in range(4 * 3600):
        board.advance(1)
        seen = telemetry(board)
        if not stages or seen.charge_state is not stages[-1]:
            stages.append(seen.charge_state)
            entered.append(board.run_time_s)
            assert (seen.charge_state_time_s or 0) <= 1
    assert stages[:4] == [ChargeState.BULK, ChargeState.ABSORPTION, ChargeState.FLOAT, ChargeState.BULK]
    assert entered[2] - entered[1] == pytest.approx(1800, abs=2)
    assert entered[3] - entered[2] == pytest.approx(3600, abs=2)


def test_without_float_mode_absorption_does_not_end_by_time() -> None:
    board = board_on(soc=1.0, settings={"control_bits": 0}, device_info={"requested_charge_time_h": 0.1})
    board._stage._enter(board._stage.ABSORPTION)
    board.load = lambda _dt_s, voltage_v: 5.0 if voltage_v < 8 * 3.45 else 0.0
    board.advance(3600)
    assert telemetry(board).charge_state is ChargeState.ABSORPTION


def test_older_software_knows_no_charge_state() -> None:
    board = board_on(JK_PB2A16S15P)
    assert telemetry(board).charge_state is None
    assert telemetry(board).dry_contact_1 is None


@pytest.mark.parametrize(
    ("trigger", "limit", "release", "closed"),
    [(1, 60, 70, True), (1, 40, 45, False), (13, 40, 30, True), (13, 60, 50, False), (8, 15, 10, True),
     (8, 60, 50, False), (11, 30, 35, True), (11, 5, 8, False), (9, 15, 10, True), (9, 90, 80, False)],
)  # fmt: skip
def test_dry_contact_compares(trigger: int, limit: int, release: int, closed: bool) -> None:
    board = board_on(
        device_info={
            "dry_contact_2_trigger": trigger,
            "dry_contact_2_trigger_value": limit,
            "dry_contact_2_release_value": release,
        }
    )
    board.advance(1)
    assert (telemetry(board).dry_contact_1, telemetry(board).dry_contact_2) == (False, closed)


def test_dry_contact_keeps_until_its_release() -> None:
    board = board_on(
        device_info={
            "dry_contact_1_trigger": 8,
            "dry_contact_1_trigger_value": 25,
            "dry_contact_1_release_value": 15,
        }
    )
    for ambient_c, closed in ((20, False), (30, True), (20, True), (5, False)):
        board.pack.ambient_c = ambient_c
        for cell in board.pack.cells:
            cell.temperature_c = ambient_c
        board.advance(600)
        assert telemetry(board).dry_contact_1 is closed


def test_dry_contact_follows_an_alarm() -> None:
    board = board_on(device_info={"dry_contact_1_trigger": 4, "dry_contact_2_trigger": 10})
    board.force_alarm(Alarm.CELL_OVERVOLTAGE, raised=True)
    board.advance(1)
    assert (telemetry(board).dry_contact_1, telemetry(board).dry_contact_2) == (True, True)
    board.force_alarm(Alarm.CELL_OVERVOLTAGE, raised=False)
    board.advance(1)
    assert (telemetry(board).dry_contact_1, telemetry(board).dry_contact_2) == (False, False)


def test_heater_warms_the_cells_between_its_limits() -> None:
    board = board_on(settings={"control_bits": 1, "heating_start_temperature_c": 5, "heating_stop_temperature_c": 8})
    board.pack.ambient_c = 0
    for cell in board.pack.cells:
        cell.temperature_c = 3
    board.advance(300)
    seen = telemetry(board)
    assert seen.heating is True
    assert seen.heater_current_a == pytest.approx(100 / (seen.pack_voltage_v or 1), abs=0.001)
    for cell in board.pack.cells:
        cell.temperature_c = 12
    board.advance(300)
    assert telemetry(board).heating is False
    assert all(cell.heater_w == 0 for cell in board.pack.cells)


def test_emergency_lets_an_empty_pack_discharge_for_its_time() -> None:
    board = board_on(load=flowing(-20), device_info={"emergency_duration_min": 2})
    board.force_alarm(Alarm.CELL_UNDERVOLTAGE, raised=True)
    assert telemetry(board).discharge_mosfet is False
    write(board, 0x6B, u32(1))
    board.advance(50)
    seen = telemetry(board)
    assert seen.emergency_countdown_s == 70
    assert seen.discharge_mosfet is True
    assert (seen.current_a or 0) < -15
    board.advance(70)
    assert telemetry(board).discharge_mosfet is False
    assert codes(board)[-2:] == [0x29, 0x2B]


def test_an_empty_board_switches_off_and_wakes_with_the_charger() -> None:
    board = board_on(soc=0.2)
    board.advance(60)
    assert board.powered
    board.settings["power_off_voltage_v"] = 3.4
    board.advance(15)
    assert not board.powered
    assert board.pack.discharge_mosfet_on is False
    run_time_s = board.run_time_s
    board.advance(600)
    assert board.run_time_s == run_time_s
    board.load = flowing(10)
    board.advance(5)
    assert board.powered
    assert codes(board) == [0x01, 0x02, 0x01]


def test_registers_that_clash_do_what_they_do_on_their_generation() -> None:
    balancer, board = board_on(JK_B2A16S), board_on()
    write(balancer, 0x6C, b"\0")
    assert settings(balancer).balancer_switch is False
    write(balancer, 0x68, struct.pack("<f", 1.5))
    assert settings(balancer).balance_current_limit_a == 1.5
    before = settings(board)
    write(board, 0x6C, u32(1000))
    assert settings(board) == before
    assert telemetry(board).clock_s == 1000
    write(board, 0x68, b"")
    assert telemetry(board).chemistry is Chemistry.LI_ION


def test_an_instruction_with_a_value_is_none() -> None:
    board = board_on()
    before = frames_said(board)
    for instruction in Instruction:
        write(board, instruction, b"\1")
    assert frames_said(board) == before
    assert (board.powered, board.log.count) == (True, 1)


@pytest.mark.parametrize(
    ("instruction", "chemistry", "code"),
    [
        (Instruction.LOAD_LI_ION_DEFAULTS, Chemistry.LI_ION, 0x43),
        (Instruction.LOAD_LFP_DEFAULTS, Chemistry.LFP, 0x44),
        (Instruction.LOAD_LTO_DEFAULTS, Chemistry.LTO, 0x45),
    ],
)
def test_defaults_of_a_chemistry(instruction: Instruction, chemistry: Chemistry, code: int) -> None:
    board = board_on()
    before = settings(board)
    write(board, instruction, b"")
    after = settings(board)
    assert telemetry(board).chemistry is chemistry
    assert codes(board)[-1] == code
    voltages = {key: value for key in ORDER[0] if (value := getattr(after, key))}
    assert len(voltages) == 9
    assert conflicts(voltages, frozenset(voltages)) == []
    assert after.cell_overvoltage_v == {"li_ion": 4.2, "lfp": 3.6, "lto": 2.7}[chemistry]
    assert (after.charge_switch, after.cell_count, after.nominal_capacity_ah, after.charge_current_limit_a) == (
        before.charge_switch,
        before.cell_count,
        before.nominal_capacity_ah,
        before.charge_current_limit_a,
    )
    if chemistry is Chemistry.LTO:  # its limits are far below what these cells have
        board.advance(5)
        assert Alarm.CELL_OVERVOLTAGE in board.alarms


def test_defaults_leave_out_what_the_board_does_not_have() -> None:
    board = board_on(JK_DZ11B2A24S)
    write(board, Instruction.LOAD_LI_ION_DEFAULTS, b"")
    assert settings(board).balance_start_voltage_v == 3.3
    assert settings(board).cell_overvoltage_v == 0


def test_factory_reset_takes_back_what_the_owner_has_set() -> None:
    new, board = board_on(), board_on(settings={"charge_current_limit_a": 140}, device_info={"user_data": b"cellar"})
    write(board, *payload("nominal_capacity_ah", 100))
    write(board, *payload("charge_switch", 0))
    write(board, *payload("can_protocol", 2))
    write(board, Instruction.LOAD_LI_ION_DEFAULTS, b"")
    write(board, Instruction.FACTORY_RESET, b"")
    assert frames_said(board) == frames_said(new)
    assert telemetry(board).chemistry is Chemistry.LFP
    assert telemetry(board).charge_mosfet is True
    board.advance(1)
    assert telemetry(board).full_charge_capacity_ah == 280


@pytest.mark.parametrize("model", [JK_B2A8S20P, JK_PB2A16S20P])
def test_a_voltage_that_is_written_is_what_is_read_then(model: Model) -> None:
    board = board_on(model)
    board.advance(1)
    cells_v = board.measurement.cell_voltages_v
    true_v = 1.01 * board.measurement.pack_voltage_v
    write(board, *payload("pack_voltage_calibration_v", true_v, model.generation))
    board.advance(1)
    assert telemetry(board).pack_voltage_v == pytest.approx(true_v, abs=0.02)
    assert telemetry(board).cell_voltages_v == pytest.approx([1.01 * cell_v for cell_v in cells_v], abs=0.004)
    write(board, *payload("pack_voltage_calibration_v", true_v / 1.01, model.generation))
    assert telemetry(board).cell_voltages_v == pytest.approx(cells_v, abs=0.004)


def test_an_old_board_is_calibrated_by_its_reference() -> None:
    board = board_on(JK_B2A16S)
    cells_v = board.measurement.cell_voltages_v
    write(board, *payload("voltage_calibration_v", 3.015 * 1.02, Generation.JK04))
    assert telemetry(board).cell_voltages_v == pytest.approx([1.02 * cell_v for cell_v in cells_v], abs=0.004)


@pytest.mark.parametrize("model", [JK_B2A8S20P, JK_PB2A16S20P])
@pytest.mark.parametrize("current_a", [-40.0, 30.0])
def test_a_current_that_is_written_is_what_is_read_then(model: Model, current_a: float) -> None:
    board = board_on(model, load=flowing(current_a))
    board.advance(1)
    sensor_a = board.measurement.sensor_current_a
    assert board.measurement.current_a != pytest.approx(current_a, abs=0.2)
    write(board, *payload("current_calibration_a", abs(current_a), model.generation))
    board.advance(1)
    assert telemetry(board).current_a == pytest.approx(current_a, abs=0.2)
    assert board.measurement.sensor_current_a == pytest.approx(sensor_a, abs=0.2)


def test_what_is_not_seen_can_not_be_calibrated() -> None:
    board = board_on()
    board.pack.cell_errors = {cell: Missing() for cell in range(8)}
    board.advance(1)
    errors = board.pack.errors
    write(board, *payload("pack_voltage_calibration_v", 26))
    write(board, *payload("current_calibration_a", 10))
    assert board.pack.errors == errors


def test_lead_calibrations_are_kept_lead_by_lead() -> None:
    board = board_on(JK_B2A8S20P)
    for lead, value_uohm in ((1, 1200), (24, 7)):
        write(board, *payload(f"lead_resistance_calibration_{lead}_uohm", value_uohm, Generation.JK02_24S))
    assert settings(board).lead_resistance_calibrations_uohm == (1200, *[0] * 22, 7)


def test_a_change_by_the_app_is_checked_like_a_write() -> None:
    board = board_on()
    board.change("cell_overvoltage_v", 3.6)
    assert settings(board).cell_overvoltage_v == 3.6
    with pytest.raises(ValueError, match=r"cell_overvoltage_v: 3\.44 is not taken"):
        board.change("cell_overvoltage_v", 3.44)
    with pytest.raises(KeyError):
        board.change("voltage_calibration_v", 3.0)


def test_a_frame_under_a_ripple_has_its_readings_apart() -> None:
    board = board_on(load=lambda _dt_s, _voltage_v: 50.0)
    layout = CELL_INFO[Generation.JK02_32S]

    def sensors_a() -> list[float]:
        apart = []
        for _ in range(50):
            board.advance(0.5)
            raw = layout.read(board.cell_info_frame())
            voltage_v, current_a, power_w = (raw[n] for n in ("pack_voltage_v", "current_a", "power_magnitude_w"))
            sensor_v = raw["charge_current_sensor_v"]
            assert isinstance(voltage_v, float)
            assert isinstance(current_a, float)
            assert isinstance(sensor_v, float)
            assert power_w == pytest.approx(voltage_v * current_a, abs=0.001)
            apart.append(abs(sensor_v / SENSOR_V_PER_A - current_a))
        return apart

    assert max(sensors_a()) < 0.3
    board.ripple_a = 5.0
    assert max(sensors_a()) > 5.0


def test_event_log_keeps_the_last_fifty_and_counts_all() -> None:
    board = board_on()
    start_s = board.run_time_s
    for number in range(60):
        board.advance(1)
        board.force_alarm(Alarm.CHARGE_OVERTEMPERATURE, raised=number % 2 == 0)
    log = decode_event_log(board.answer(Command.EVENT_LOG, b"")[0])
    assert len(log) == 50
    assert log[0] == LogEntry(int(start_s + 11), 0x19)
    assert log[-1] == LogEntry(int(start_s + 60), 0x1A)
    assert telemetry(board).event_log_count == 61


def test_a_young_log_has_stale_entries_behind_its_count() -> None:
    frame = board_on().answer(Command.EVENT_LOG, b"")[0]
    assert len(decode_event_log(frame)) == 1
    assert any(frame[16:36])


def test_a_balancer_only_balances() -> None:
    board = board_on(JK_DZ11B2A24S, soc=0.6)
    board.pack.cells[2].charge_ah += 100
    board.settings["balance_start_voltage_v"] = 3.2
    board.set("balance_trigger_voltage_v", 0.004)
    board.advance(2)
    board.advance(2)
    assert telemetry(board).balancing is True
    raw = CELL_INFO[Generation.JK02_32S].read(board.cell_info_frame())
    assert raw["alarm_bits"] == 1 << Alarm.DEFAULT_PASSWORD
    assert all(not raw[name] for name in JK_DZ11B2A24S.constants)


def test_a_reported_version_is_not_what_the_board_is_able_to() -> None:
    board = board_on(replace(JK_PB2A16S20P, software_version=""))
    assert info(board).software_version == ""
    assert telemetry(board).charge_state is ChargeState.BULK
