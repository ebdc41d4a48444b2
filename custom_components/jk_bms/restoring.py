"""What does a file in Home Assistant's storage hold that a pack can do without?

A file that can't be read, damaged or written by a newer version, is left out, and said so: it keeps no pack from being
watched. What must not be lost in silence, such as settings that have yet to be returned, is not for this (`memory`).
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any, Final

from homeassistant.helpers.storage import Store

_LOGGER: Final = logging.getLogger(__name__)


async def async_restored[T: Mapping[str, Any] | Sequence[Any]](store: Store[T]) -> T | None:
    """Return what a store holds; None if that is nothing, or can't be read."""
    try:
        return await store.async_load()
    except Exception as error:  # noqa: BLE001 - whatever is wrong with a file, the pack has to be watched
        _LOGGER.warning("%s can't be read and is left out: %s", store.key, error)
        return None
