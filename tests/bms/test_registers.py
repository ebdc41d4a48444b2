"""The table of what can be written, held against what the vendor's app was recorded to write."""

from __future__ import annotations

import json
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from custom_components.jk_bms.bms.board import Board, board_of
from custom_components.jk_bms.bms.frames import Command, command
from custom_components.jk_bms.bms.layout import DEVICE_INFO, SETTINGS, FrameType, Generation
from custom_components.jk_bms.bms.registers import (
    ORDER,
    SETTINGS_BY_KEY,
    Conflict,
    Kind,
    SettingValue,
    conflicts,
    in_safe_order,
)
from tests.shared import SHARED, needs_app_commands

VALUE_FROM: Final = 6
"""The value follows the header, the register and the length; what follows it is filler, random in the app."""

INTENTS: Final[dict[tuple[str, str, str], tuple[str, SettingValue]]] = {
    ("jk04", "0x6C", "00"): ("balancer_switch", False),
    ("jk04", "0x6C", "01"): ("balancer_switch", True),
    ("jk04", "0x20", "00004040"): ("power_off_voltage_v", 3.0),
    ("jk04", "0x20", "cdcc2c40"): ("power_off_voltage_v", 2.7),
    ("jk04", "0x20", "cdcc0c40"): ("power_off_voltage_v", 2.2),
    ("jk04", "0x20", "cdcc4c40"): ("power_off_voltage_v", 3.2),
    ("jk04", "0x68", "00000040"): ("balance_current_limit_a", 2.0),
    ("jk04", "0x68", "00006040"): ("balance_current_limit_a", 3.5),
    ("jk04", "0x68", "00009040"): ("balance_current_limit_a", 4.5),
    ("jk04", "0x44", "66ef4040"): ("voltage_calibration_v", 3.0146117),
    ("jk04", "0x44", "c8cd4340"): ("voltage_calibration_v", 3.0594349),
    ("jk04", "0x44", "717a3e40"): ("voltage_calibration_v", 2.9762232),
    ("jk04", "0x44", "178e4540"): ("voltage_calibration_v", 3.0867975),
    ("jk04", "0x1C", "0f00"): ("cell_count", 15),
    ("jk04", "0x1C", "1000"): ("cell_count", 16),
    ("jk04", "0x1C", "1100"): ("cell_count", 17),
    ("jk04", "0x64", "bc74133c"): ("balance_trigger_voltage_v", 0.009),
    ("jk04", "0x64", "0ad7a33b"): ("balance_trigger_voltage_v", 0.005),
    ("jk04", "0x64", "1b2fdd3d"): ("balance_trigger_voltage_v", 0.108),
    ("jk04", "0x64", "6f12033c"): ("balance_trigger_voltage_v", 0.008),
    ("jk02_32s", "0x6C", "3f2c1f0b"): ("clock_s", 0x0B1F2C3F),
    ("jk02_32s", "0x6C", "692c1f0b"): ("clock_s", 0x0B1F2C69),
    ("jk02_32s", "0x37", "03"): ("heating_start_temperature_c", 3),
    ("jk02_32s", "0x38", "07"): ("heating_stop_temperature_c", 7),
    ("jk02_32s", "0x25", "04000000"): ("discharge_precharge_time_s", 4),
    ("jk02_32s", "0x25", "05000000"): ("discharge_precharge_time_s", 5),
    ("jk02_32s", "0x27", "00000000"): ("heating_allowed", False),
    ("jk02_32s", "0x27", "01000000"): ("heating_allowed", True),
    ("jk02_32s", "0x2A", "00000000"): ("port_rs485", False),
    ("jk02_32s", "0x2A", "01000000"): ("port_rs485", True),
}
"""What the app's user meant, by generation, register and value."""


@needs_app_commands
def test_every_recorded_command_of_the_app() -> None:
    recorded = json.loads((SHARED / "protocol/app-commands.json").read_text())["commands"]
    written = 0
    for each in recorded:
        recording, length = bytes.fromhex(each["full_hex"]), each["length"]
        register = int(each["register"], 16)
        if register in set(Command):
            ours = command(register)
        else:
            key, meant = INTENTS[each["variant"], each["register"], each["value_hex"]]
            setting, generation = SETTINGS_BY_KEY[key], Generation(each["variant"])
            ours = command(setting.registers[generation].number, setting.encode(setting.rounded(meant), generation))
            written += 1
        said = VALUE_FROM + length
        assert ours[:said] == recording[:said], each
        filler = recording[said:19]
        with_their_filler = ours[:said] + filler
        assert with_their_filler + bytes((sum(with_their_filler) & 0xFF,)) == recording
    assert len(recorded) == 47
    assert written == len(INTENTS) + 1  # one of them twice


def test_registers_are_told_apart() -> None:
    for generation in Generation:
        numbers = [
            setting.registers[generation].number
            for setting in SETTINGS_BY_KEY.values()
            if generation in setting.registers
        ]
        assert len(numbers) == len(set(numbers))


def test_the_registers_that_clash() -> None:
    def number(key: str, generation: Generation) -> int:
        return SETTINGS_BY_KEY[key].registers[generation].number

    assert number("pack_voltage_calibration_v", Generation.JK02_24S) == 0x21
    assert number("short_circuit_delay_us", Generation.JK02_32S) == 0x21
    assert number("short_circuit_delay_us", Generation.JK02_24S) == 0x25
    assert number("discharge_precharge_time_s", Generation.JK02_32S) == 0x25
    assert number("balance_start_voltage_v", Generation.JK02_24S) == 0x26
    assert number("balance_start_voltage_v", Generation.JK02_32S) == 0x22
    assert number("balancer_switch", Generation.JK04) == number("clock_s", Generation.JK02_32S) == 0x6C


def test_every_writable_value_is_said_in_a_frame() -> None:
    for setting in SETTINGS_BY_KEY.values():
        layouts = {FrameType.SETTINGS: SETTINGS, FrameType.DEVICE_INFO: DEVICE_INFO}.get(setting.said_in)
        for generation in setting.registers:
            if layouts:
                assert setting.field_name in {field.name for field in layouts[generation].fields}


SETTINGS_OF_GENERATIONS: Final = [
    (setting, generation) for setting in SETTINGS_BY_KEY.values() for generation in setting.registers
]


@given(st.data())
def test_what_is_encoded_is_decoded_to_the_same(data: st.DataObject) -> None:
    setting, generation = data.draw(st.sampled_from(SETTINGS_OF_GENERATIONS))
    register = setting.registers[generation]
    value: SettingValue
    if setting.kind is Kind.TEXT:
        value = data.draw(st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=13))
    elif setting.kind is Kind.SWITCH:
        value = data.draw(st.booleans())
    elif setting.kind is Kind.CHOICE:
        value = data.draw(st.integers(0, len(setting.choices) - 1))
    else:
        value = setting.rounded(data.draw(st.floats(register.lowest, register.highest)))
    payload = setting.encode(value, generation)
    assert setting.decode(payload, generation) == pytest.approx(value, abs=1e-6, rel=1e-6)
    if setting.kind is not Kind.TEXT:
        assert len(payload) == register.length
    assert setting.encode(setting.decode(payload, generation), generation) == payload


@pytest.mark.parametrize(
    ("key", "value", "rounded", "payload"),
    [
        ("cell_overvoltage_v", 3.65, 3.65, "420e0000"),
        ("cell_overvoltage_v", 3.6499999, 3.65, "420e0000"),
        ("cell_overvoltage_v", 3.649, 3.649, "410e0000"),
        ("charge_current_limit_a", 25.56, 25.6, "00640000"),
        ("charge_undertemperature_c", -2.26, -2.3, "e9ffffff"),
        ("discharge_undertemperature_c", -19.6, -20, "ec"),
    ],
)
def test_values_are_rounded_to_the_step(key: str, value: float, rounded: float, payload: str) -> None:
    setting = SETTINGS_BY_KEY[key]
    assert setting.rounded(value) == rounded
    assert setting.encode(setting.rounded(value), Generation.JK02_32S).hex() == payload


def test_what_does_not_fit_a_register_is_an_error() -> None:
    with pytest.raises(ValueError, match="discharge_undertemperature_c can't hold 200"):
        SETTINGS_BY_KEY["discharge_undertemperature_c"].encode(200, Generation.JK02_32S)
    with pytest.raises(ValueError, match="user_data takes at most 13 bytes"):
        SETTINGS_BY_KEY["user_data"].encode("fourteen bytes", Generation.JK02_32S)


@pytest.mark.parametrize(
    ("model", "ratings"),
    [
        ("JK_PB2A16S20P", (16, 2, 200)),
        ("JK-B2A24S15P", (24, 2, 150)),
        ("JK-BD6A17S6P", (17, 0.6, 60)),
        ("JK_BD4A20S4P", (20, 0.4, 40)),
        ("JK_B2A25SRP", (25, 2, None)),
        ("JK-B5A24S", (24, 5, None)),
        ("JK_DZ11B2A24S", (24, 2, None)),
        ("something else", (None, None, None)),
    ],
)
def test_ratings_of_a_models_name(model: str, ratings: tuple[float | None, ...]) -> None:
    board = board_of(model, "15.41")
    cells, balance_a, current_a = ratings
    assert board.ratings.get("cell_count") == cells
    assert board.ratings.get("balance_current_limit_a") == balance_a
    assert board.ratings.get("charge_current_limit_a") == current_a
    assert board.ratings.get("discharge_current_limit_a") == current_a


def test_a_rating_narrows_the_range() -> None:
    setting = SETTINGS_BY_KEY["charge_current_limit_a"]
    register = setting.register_on(board_of("JK_PB2A16S15P", "15.41"))
    assert register
    assert (register.lowest, register.highest) == (1, 150)
    unrated = setting.register_on(board_of("JK", "15.41"))
    assert unrated
    assert unrated.highest == 600


def test_what_a_board_does_not_have() -> None:
    def has(key: str, board: Board) -> bool:
        return SETTINGS_BY_KEY[key].register_on(board) is not None

    balancer = board_of("JK_DZ11B2A24S", "11.20")
    assert not has("charge_switch", balancer)
    assert has("balancer_switch", balancer)
    assert not has("discharge_undertemperature_c", board_of("JK_PB2A16S20P", "15.41"))
    assert has("discharge_undertemperature_c", board_of("JK_PB2A16S20P", "19.05"))
    assert not has("emergency", board_of("JK-B2A24S15P", "10.07"))
    assert not has("uart1_protocol", board_of("JK_PB2A16S20P", "15.41"))  # its device info is not known


def test_conflicts_name_both_settings() -> None:
    values = {"cell_overvoltage_v": 3.6, "soc_100_cell_voltage_v": 3.6, "cell_overvoltage_recovery_v": 3.4}
    assert conflicts(values, frozenset({"cell_overvoltage_v"})) == [
        Conflict("soc_100_cell_voltage_v", "cell_overvoltage_v")
    ]
    assert conflicts(values, frozenset({"cell_overvoltage_recovery_v"})) == []
    assert conflicts(values | {"soc_100_cell_voltage_v": 0}, frozenset({"cell_overvoltage_v"})) == []
    # A temperature of 0 is one.
    freezing = {"charge_undertemperature_c": 2.0, "charge_undertemperature_recovery_c": 0.0}
    assert conflicts(freezing, frozenset({"charge_undertemperature_c"}))


def _chain(chain: tuple[str, ...]) -> st.SearchStrategy[dict[str, float]]:
    numbers = st.lists(st.integers(1, 60), min_size=len(chain), max_size=len(chain), unique=True)
    return numbers.map(lambda values: dict(zip(chain, map(float, sorted(values)), strict=True)))


@given(st.data())
def test_no_single_write_breaks_the_order(data: st.DataObject) -> None:
    chain = data.draw(st.sampled_from(ORDER))
    present, wanted = data.draw(_chain(chain)), data.draw(_chain(chain))
    shuffled = dict(data.draw(st.permutations(list(wanted.items()))))
    order = in_safe_order(shuffled, present)
    assert sorted(order) == sorted(chain)
    for key in order:
        present[key] = wanted[key]
        assert conflicts(present, frozenset(chain)) == []


def test_what_is_in_the_wrong_order_already_does_not_stand_in_the_way() -> None:
    present = {"heating_start_temperature_c": 60.0, "heating_stop_temperature_c": 50.0}  # as from the factory
    changes: dict[str, SettingValue] = {"heating_start_temperature_c": 3, "heating_stop_temperature_c": 10}
    assert set(in_safe_order(changes, present)) == set(changes)
