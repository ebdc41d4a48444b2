"""What the owner lets Home Assistant change in a pack."""

from __future__ import annotations

from enum import StrEnum


class Permission(StrEnum):
    """How far changes go; each step includes the one before it."""

    READ_ONLY = "read_only"
    SWITCHES = "switches"
    ALL = "all"
