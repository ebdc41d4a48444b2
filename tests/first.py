"""Loaded before every plugin of pytest (`-p tests.first`), so that Home Assistant's works with the newest release, too.

Home Assistant puts other modules in the place of httpx and voluptuous, which only works while nobody has imported them.
And the plugin, made for the release before, looks for a function where that release had it.
"""

# ruff: noqa: I001 - the order is the point
import homeassistant  # noqa: F401
from pytest_homeassistant_custom_component import patch_json, patch_recorder, patch_time  # noqa: F401 - as the plugin does

from homeassistant.components import logger
from homeassistant.components.logger import helpers

vars(logger).setdefault("_clear_logger_overwrites", vars(helpers)["_clear_logger_overwrites"])
