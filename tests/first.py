"""Loaded before every plugin of pytest (`-p tests.first`), so that Home Assistant's works with the newest release, too.

Home Assistant puts other modules in the place of httpx and voluptuous, which only works while nobody has imported them.
And the plugin, made for the release before, looks for a function where that release had it.
"""

# ruff: noqa: F401, I001 - to import them is the point, in the order in which the plugin does
import homeassistant
from pytest_homeassistant_custom_component import patch_json, patch_recorder, patch_time

from homeassistant.components import logger
from homeassistant.components.logger import helpers

vars(logger).setdefault("_clear_logger_overwrites", vars(helpers)["_clear_logger_overwrites"])
