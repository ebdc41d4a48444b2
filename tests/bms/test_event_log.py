"""The codes of the event log, held against what others have found and against the alarms."""

from __future__ import annotations

import pytest

from custom_components.jk_bms.bms.alarms import Alarm
from custom_components.jk_bms.bms.event_log import LOG_KEYS, UNKNOWN, LogCode, meaning

from ..real_log import REAL_LOG


def test_a_real_log() -> None:
    assert [meaning(entry.code) for entry in REAL_LOG] == [
        ("boot", None),
        ("boot", None),
        ("charge_undertemperature", None),
        ("charge_undertemperature_cleared", None),
    ]


def test_protections_are_noted_in_pairs_in_the_order_of_the_alarms() -> None:
    """Fourteen of them from 0x0B to 0x26, as other readers of these boards have it, and one that came later."""
    left_out = {Alarm.LEAD_RESISTANCE, Alarm.CELL_COUNT}
    # The sensor and the link to the coprocessor stand together, ahead of what is too high or too low.
    first = [Alarm.MOS_OVERTEMPERATURE, Alarm.CURRENT_SENSOR, Alarm.COPROCESSOR_LINK]
    alarms = [*first, *(alarm for alarm in list(Alarm)[:16] if alarm not in {*first, *left_out})]
    pairs = [code for alarm in alarms for code in (alarm.key, f"{alarm.key}_cleared")]
    assert [meaning(code)[0] for code in range(0x0B, 0x27)] == pairs
    assert meaning(0x48) == ("discharge_undertemperature", None)
    assert meaning(0x49) == ("discharge_undertemperature_cleared", None)


@pytest.mark.parametrize(
    ("code", "key", "cell"),
    [
        (0x01, "boot", None),
        (0x03, "app_charge_off", None),
        (0x0A, "remote_discharge_on", None),
        (0x27, "watchdog_reset", None),
        (0x2B, "emergency_over", None),
        (0x37, "rs485_discharge_on", None),
        (0x3B, "clock_set", None),
        (0x44, "factory_lfp", None),
        (0x64, "cell_overcharge", 1),
        (0x83, "cell_overcharge", 32),
        (0xC8, "cell_overdischarge", 1),
        (0xD3, "cell_overdischarge", 12),
        (0xE7, "cell_overdischarge", 32),
        (0x00, UNKNOWN, None),
        (0x4A, UNKNOWN, None),
        (0x63, UNKNOWN, None),
        (0x84, UNKNOWN, None),
        (0xE8, UNKNOWN, None),
        (0xFF, UNKNOWN, None),
    ],
)
def test_codes(code: int, key: str, cell: int | None) -> None:
    assert meaning(code) == (key, cell)


def test_every_code_has_a_key() -> None:
    assert {meaning(code)[0] for code in range(256)} == set(LOG_KEYS)
    assert len(LOG_KEYS) == len(set(LOG_KEYS)) == 0x49 + 3
    assert sorted(LogCode) == list(range(0x01, 0x4A))
