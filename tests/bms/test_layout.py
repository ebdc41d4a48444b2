"""The tables: no byte is claimed twice, and none lies outside of a frame."""

from __future__ import annotations

from itertools import chain

import pytest

from custom_components.jk_bms.bms.layout import (
    CELL_INFO,
    CONTROL_BITS,
    DEVICE_INFO,
    EVENT_LOG_CAPACITY,
    EVENT_LOG_ENTRY,
    EVENT_LOG_FIRST_ENTRY,
    FRAME_LENGTH,
    SECRET_FIELDS,
    SETTINGS,
    Layout,
)

LAYOUTS = [
    pytest.param(layout, id=f"{table} {generation}")
    for table, layouts in (("cell info", CELL_INFO), ("settings", SETTINGS), ("device info", DEVICE_INFO))
    for generation, layout in layouts.items()
]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_no_byte_is_claimed_twice(layout: Layout) -> None:
    claimed = list(chain.from_iterable(range(each.offset, each.offset + each.size) for each in layout.fields))
    assert len(claimed) == len(set(claimed))
    assert min(claimed) >= 6
    assert max(claimed) < FRAME_LENGTH - 1


@pytest.mark.parametrize("layout", LAYOUTS)
def test_read_gives_every_field(layout: Layout) -> None:
    assert layout.read(bytes(FRAME_LENGTH)).keys() == {each.name for each in layout.fields}


def test_the_event_log_fits_its_frame() -> None:
    assert EVENT_LOG_FIRST_ENTRY + EVENT_LOG_CAPACITY * EVENT_LOG_ENTRY.size < FRAME_LENGTH


def test_secrets_are_fields_of_the_device_info() -> None:
    names = {each.name for layout in DEVICE_INFO.values() for each in layout.fields}
    assert set(SECRET_FIELDS) <= names
    assert len(CONTROL_BITS) == 16
