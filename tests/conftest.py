"""What every test needs: Home Assistant's Bluetooth classes instead of bleak's, and our package instead of another."""

from __future__ import annotations

from habluetooth.usage import install_multiple_bleak_catcher

install_multiple_bleak_catcher()

# The plugin brings a package of the same name, which wins unless ours is imported first.
import custom_components  # noqa: E402, F401
