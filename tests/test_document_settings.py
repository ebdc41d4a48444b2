"""docs/settings.md says what the table of registers says, and how it says it."""

from __future__ import annotations

from custom_components.jk_bms.bms.registers import SETTINGS_BY_KEY, Instruction
from scripts.document_settings import DOCUMENT, document


def test_the_page_is_what_the_table_gives() -> None:
    assert DOCUMENT.read_text(encoding="utf-8") == document(), "run: python -m scripts.document_settings"


def test_everything_is_in_it() -> None:
    page = document()
    for key in (*SETTINGS_BY_KEY, *(instruction.key for instruction in Instruction)):
        assert f"| `{key}` |" in page


def test_ranges_that_differ_say_of_which_generation() -> None:
    rows = {line.split("|")[2].strip(): line for line in document().splitlines() if line.startswith("|")}
    assert (
        "| JK04: 1 … 4.25; 24S, 32S: 1.2 … 4.25 | 0.001 | All |  | 0x58 | 0x26 | 0x22 |"
        in rows["`balance_start_voltage_v`"]
    )
    assert "| h | 0 … 25.5 | 0.1 | All | 15 |  |  | 0xB3 |" in rows["`requested_charge_time_h`"]
    assert "| up to 13 characters | All |" in rows["`user_data`"]
    assert "| Switches |  | 0x1D | 0x1D |" in rows["`charge_switch`"]
