"""What every test needs: Home Assistant's Bluetooth classes instead of bleak's, and our package instead of another."""

from __future__ import annotations

from habluetooth.usage import install_multiple_bleak_catcher

install_multiple_bleak_catcher()

# The plugin brings a package of the same name, which wins unless ours is imported first.
import pytest  # noqa: E402

import custom_components  # noqa: E402, F401

from .packs import all_enabled, packs  # noqa: E402, F401
from .radio import radio  # noqa: E402, F401


@pytest.fixture(autouse=True)
def home_assistant_finds_us(request: pytest.FixtureRequest) -> None:
    """Let each test that has a Home Assistant load custom integrations; the others stay fast without one."""
    if "hass" in request.fixturenames:
        request.getfixturevalue("enable_custom_integrations")
