"""What every test needs: Home Assistant's Bluetooth classes instead of bleak's, and our package instead of another."""

from __future__ import annotations

# ruff: noqa: E402, F401 - to import them is the point, in this order; pytest finds fixtures here
from habluetooth.usage import install_multiple_bleak_catcher

install_multiple_bleak_catcher()

# The plugin brings a package of the same name, which wins unless ours is imported first.
from collections.abc import Iterator
from typing import cast

import pytest
from freezegun import freeze_time
from freezegun.api import FrozenDateTimeFactory

import custom_components

from .acting_home import fan, switches
from .packs import all_enabled, packs
from .radio import radio


@pytest.fixture(autouse=True)
def home_assistant_finds_us(request: pytest.FixtureRequest) -> None:
    """Let each test that has a Home Assistant load custom integrations; the others stay fast without one."""
    if "hass" in request.fixturenames:
        request.getfixturevalue("enable_custom_integrations")


@pytest.fixture
def freezer() -> Iterator[FrozenDateTimeFactory]:
    """Freeze the time long before any date of a test: one that moves it to its date never turns it back."""
    with freeze_time("2026-01-01 12:00:00+00:00") as frozen:
        yield cast("FrozenDateTimeFactory", frozen)
