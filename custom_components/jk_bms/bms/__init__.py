"""The wire: JK's protocol and the Bluetooth link. Knows nothing of Home Assistant."""
