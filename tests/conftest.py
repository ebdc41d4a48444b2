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
def surroundings(request: pytest.FixtureRequest) -> None:
    """Stop the clock, where a test does, before anything is told a time by it, and let Home Assistant find us.

    The tests that want neither stay fast without them.
    """
    for wanted, needed in (("freezer", "freezer"), ("hass", "enable_custom_integrations")):
        if wanted in request.fixturenames:
            request.getfixturevalue(needed)


@pytest.fixture
def freezer() -> Iterator[FrozenDateTimeFactory]:
    """Freeze the time at a date before any of a test: one that moves it to its date never turns it back."""
    with freeze_time("2026-01-01 12:00:00+00:00") as frozen:
        yield cast("FrozenDateTimeFactory", frozen)
