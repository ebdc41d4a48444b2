"""How is what the engines say written down: with names in place of numbers, and ages in place of times?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from enum import Enum, IntEnum
from math import isfinite
from typing import Final

type Json = Mapping[str, Json] | list[Json] | str | int | float | bool | None

_DIGITS: Final = 7
_TIME, _AGE = "since_s", "for_s"


def as_json(value: object, now_s: float) -> Json:
    """Return a value, or all fields of one, for JSON; `since_s` becomes `for_s`, as of now.

    Raises TypeError for what there is no JSON for.
    """
    match value:
        case IntEnum():
            return value.name.lower()
        case Enum():
            return as_json(value.value, now_s)
        case float():
            return float(f"{value:.{_DIGITS}g}") if isfinite(value) else None
        case None | bool() | int() | str():
            return value
        case Mapping():
            return {str(as_json(key, now_s)): as_json(each, now_s) for key, each in value.items()}
        case tuple() | list():
            return [as_json(each, now_s) for each in value]
        case frozenset():
            return [as_json(each, now_s) for each in sorted(value)]
    if not is_dataclass(value):
        raise TypeError(value)
    found: dict[str, Json] = {}
    for each in fields(value):
        inner = getattr(value, each.name)
        if each.name.endswith(_TIME):
            found[each.name.replace(_TIME, _AGE)] = None if inner is None else round(now_s - inner, 1)
        else:
            found[each.name] = as_json(inner, now_s)
    return found
