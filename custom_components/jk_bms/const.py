"""Names, defaults and limits that the whole integration shares."""

from __future__ import annotations

from typing import Final

DOMAIN: Final = "jk_bms"
MANUFACTURER: Final = "Jikong"

CONF_PASSCODE: Final = "passcode"
"""What a board asks for when a bond is made; its entry has it only if the board wants one."""
CONF_PERMISSION: Final = "permission"
"""What may be changed in the pack."""
CONF_MODE: Final = "mode"
CONF_INTERVAL: Final = "interval"
"""Seconds from one reading to the next in periodic mode."""
CONF_PUBLISH_INTERVAL: Final = "publish_interval"
"""Seconds after which a value is published that has changed, but not significantly; in live mode."""
CONF_PAUSE_MINUTES: Final = "pause_minutes"
"""How long the pause switch lets go of the pack."""
CONF_WRITES_PER_DAY: Final = "writes_per_day"
"""Changes a day after which more are refused."""
CONF_ACCEPTED_SETTINGS: Final = "accepted_settings"
"""Settings that are not as advised, by key, with the value that the owner wants all the same; in the entry's data."""

DEFAULT_INTERVAL_S: Final = 60
MIN_INTERVAL_S: Final = 30
MAX_INTERVAL_S: Final = 3600
DEFAULT_PUBLISH_INTERVAL_S: Final = 60
MIN_PUBLISH_INTERVAL_S: Final = 1
MAX_PUBLISH_INTERVAL_S: Final = 900
DEFAULT_PAUSE_MINUTES: Final = 10
MIN_PAUSE_MINUTES: Final = 1
MAX_PAUSE_MINUTES: Final = 120
DEFAULT_WRITES_PER_DAY: Final = 50
"""Boards keep their settings in flash memory, which wears out."""
MIN_WRITES_PER_DAY: Final = 1
MAX_WRITES_PER_DAY: Final = 500
