"""The register table held against the protocol sheet: table and simulator share one, so only another source tells."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from custom_components.jk_bms.bms.layout import CONTROL_BITS, SETTINGS, Generation
from custom_components.jk_bms.bms.registers import SETTINGS_BY_KEY, Instruction
from tests.shared import SHARED

SHEET = SHARED / "protocol/jk-bms-ble.md"
pytestmark = pytest.mark.skipif(
    not SHEET.is_file(), reason=f"no protocol sheet at {SHEET} (set JK_BMS_SHARED to the folder that holds 'protocol')"
)

DASH = "\N{EN DASH}"
NUMBER = re.compile(r"0x[0-9A-F]{2}\b")
DEVICE_INFO_WRITES = {
    "uart1_protocol": "0xA5 UART1 protocol",
    "uart2_protocol": "0xA8 UART2",
    "uart3_protocol": "0xB6 UART3",
    "can_protocol": "0xA6 CAN protocol",
    "buzzer_trigger": "0xA9 buzzer trigger",
    "requested_charge_time_h": "0xB3 RCV time",
    "requested_float_time_h": "0xB4 RFV time",
    "emergency_duration_min": "0xB5 emergency duration",
    "rebulk_state_of_charge_pct": "0xB7 re-bulk SoC",
    "dry_contact_1_trigger": "0xAA/0xAB dry contact 1/2 trigger (len 2 each)",
}
OTHERS = {
    "emergency": "**0x6B emergency mode**",
    "clock_s": "**0x6C set clock, len 4",
    "user_data": "0x9F set user data (text, up to 13 bytes; also on 24S)",
}
INSTRUCTIONS = {
    Instruction.SHUT_DOWN: "0x65 shut down",
    Instruction.RESTART: "0x66 restart",
    Instruction.FACTORY_RESET: "0x9D factory reset",
    Instruction.LOAD_LI_ION_DEFAULTS: "0x68/69/6A load Li-ion/LFP/LTO defaults",
}


def chapter() -> str:
    """Return chapter 6: settings and the write register of each."""
    text = SHEET.read_text("utf-8")
    return text[text.index("## 6. Settings") : text.index("## 7. Device info")]


def rows(text: str) -> Iterator[list[str]]:
    for line in text.splitlines():
        if re.match(rf"\| *[{DASH}\d]", line):
            yield [cell.strip(" *") for cell in line.strip("|").split("|")]


def numbers(cell: str) -> list[int]:
    return [int(number, 16) for number in NUMBER.findall(cell)]


def offsets(cell: str, *, second: bool) -> list[int]:
    """Return the offsets of a row: "- / 284 / 285" is of 32-slot boards only, "82 / 86" are two of both."""
    if "n" in cell:
        return []
    if cell.startswith(DASH):
        return [int(each) for each in re.findall(r"\d+", cell)] if second else []
    return [int(each) for each in re.findall(r"\d+", cell)]


@pytest.mark.parametrize("generation", [Generation.JK02_24S, Generation.JK02_32S])
def test_jk02(generation: Generation) -> None:
    names = {field.offset: field.name for field in SETTINGS[generation].fields}
    is_32s = generation is Generation.JK02_32S
    found = {}
    for offset, _field, _scale, on_24s, on_32s, length, *_ in rows(chapter().split("### Settings, JK04")[0]):
        if not re.fullmatch(rf"[{DASH}\d /]+", offset):
            continue
        registers = numbers(on_32s) if is_32s and on_32s != "same" else numbers(on_24s)
        for place, register in zip(offsets(offset, second=is_32s), registers, strict=False):
            found[names[place]] = (register, int(length.split()[0]))
    ours = {
        key: (setting.registers[generation].number, setting.registers[generation].length)
        for key, setting in SETTINGS_BY_KEY.items()
        if generation in setting.registers and key in names.values()
    }
    assert ours == found
    assert len(found) == (40 if is_32s else 34)


def test_jk04() -> None:
    text = chapter()
    names = {field.offset: field.name for field in SETTINGS[Generation.JK04].fields}
    found = {
        names[int(offset)]: (int(register, 16), int(length.split()[0]))
        for offset, _field, register, length, *_ in rows(text[text.index("### Settings, JK04") :])
    }
    assert found == {
        key: (setting.registers[Generation.JK04].number, setting.registers[Generation.JK04].length)
        for key, setting in SETTINGS_BY_KEY.items()
        if Generation.JK04 in setting.registers
    }


def test_control_bits() -> None:
    text = chapter()
    found = {}
    for row in rows(text[text.index("Control bits (") :].split("Other 32S writes")[0]):
        for bit, _meaning, register in (row[:3], row[3:6]):
            found[CONTROL_BITS[int(bit)]] = numbers(register)[0]
    assert found == {name: SETTINGS_BY_KEY[name].registers[Generation.JK02_32S].number for name in CONTROL_BITS}


@pytest.mark.parametrize("key", [*DEVICE_INFO_WRITES, *OTHERS])
def test_the_other_writes(key: str) -> None:
    words = (DEVICE_INFO_WRITES | OTHERS)[key]
    assert words in chapter()
    assert SETTINGS_BY_KEY[key].registers[Generation.JK02_32S].number == numbers(words.replace("/", " "))[0]


def test_the_second_dry_contact() -> None:
    setting = SETTINGS_BY_KEY["dry_contact_2_trigger"].registers[Generation.JK02_32S]
    assert (setting.number, setting.length) == (0xAB, 2)


def test_calibrations_of_the_board() -> None:
    for key, words in {
        "pack_voltage_calibration_v": r"voltage calibration \(write pack voltage\) \| mV \| (.*?) \| (.*?) \| 4",
        "current_calibration_a": r"current calibration \(write true current\) \| mA \| (.*?) \| (.*?) \| 4",
    }.items():
        match = re.search(words, chapter())
        assert match
        registers = SETTINGS_BY_KEY[key].registers
        assert [*numbers(match[1]), *numbers(match[2])] == [
            registers[Generation.JK02_24S].number,
            registers[Generation.JK02_32S].number,
        ]


@pytest.mark.parametrize("instruction", INSTRUCTIONS)
def test_instructions(instruction: Instruction) -> None:
    assert INSTRUCTIONS[instruction] in chapter()
    assert instruction == numbers(INSTRUCTIONS[instruction].replace("/", " "))[0]


def test_the_defaults_follow_each_other() -> None:
    assert (Instruction.LOAD_LFP_DEFAULTS, Instruction.LOAD_LTO_DEFAULTS) == (0x69, 0x6A)
