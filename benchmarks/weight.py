"""How much does an object keep: as objects of Python, and as the numbers that it could do with?"""

from __future__ import annotations

import sys
from array import array
from collections.abc import Collection, Mapping
from enum import Enum
from types import FunctionType, MethodType, ModuleType
from typing import Final

NUMBER_BYTES: Final = 8
_NOBODYS: Final = (type, ModuleType, FunctionType, MethodType, Enum, str)


def weigh(root: object, shared: tuple[type, ...] = ()) -> tuple[int, int]:
    """Return the bytes of an object with all that hangs on it, and those of its numbers alone.

    A number is one of eight bytes, in an array one of its own size. Objects of the `shared` types, names and functions
    are left out: others hold them as well.
    """
    seen: set[int] = set()
    objects_bytes = numbers_bytes = 0
    waiting: list[object] = [root]
    while waiting:
        value = waiting.pop()
        if value is None or isinstance(value, (bool, *shared, *_NOBODYS)):
            continue
        if isinstance(value, (int, float)):
            numbers_bytes += NUMBER_BYTES
        if id(value) in seen or (isinstance(value, int) and -6 < value < 257):
            continue  # small integers exist once
        seen.add(id(value))
        objects_bytes += sys.getsizeof(value)
        if isinstance(value, array):
            numbers_bytes += len(value) * value.itemsize
        elif isinstance(value, Mapping):
            waiting += [*value.keys(), *value.values()]
        elif isinstance(value, Collection) and not isinstance(value, (bytes, bytearray)):
            waiting += value
        slots = [name for kind in type(value).__mro__ for name in getattr(kind, "__slots__", ())]
        waiting += [getattr(value, name) for name in slots if hasattr(value, name)]
        waiting += [vars(value)] if hasattr(value, "__dict__") else []
    return objects_bytes, numbers_bytes
