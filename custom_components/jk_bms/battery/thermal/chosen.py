"""Where does each level of heat begin on one pack, after what its owner chose, and how far may he go?

What is to happen before the board protects its cells by itself begins at least 3 °C below that. The board has a limit
for each direction, and the higher one counts: charging alone is held inside of its own by protection. An emergency is
what goes on beyond: it is not pulled below where it is usual, or a hot day would become one. A choice that the board's
settings have overtaken is held inside, and `problems` says so, as with the thresholds of protection.

Each number has a key: `heat_` and the name of its field without the unit.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from ...bms.telemetry import Chemistry, Settings
from ..thresholds import Problem
from .config import THRESHOLDS, Thresholds

INSIDE_C: Final = 3.0
"""How far below the board's own protection a level begins."""
_APART_C: Final = 1.0
_LOWER_C: Final = 15.0
_HIGHER_C: Final = 5.0
"""How far from what is usual a number may be chosen."""
_BOARDS_LIMITS_C: Final = (30.0, 120.0)
_PREFIX: Final = "heat_"
_UNIT: Final = "_c"
_ABOVE: Final[Mapping[str, tuple[str, ...]]] = {
    "emergency_c": (),
    "violent_emergency_c": ("emergency_c",),
    "stop_forecast_c": (),
    "stop_c": ("violent_emergency_c",),
    "stop_release_c": ("stop_c",),
    "reduce_forecast_c": ("stop_forecast_c",),
    "reduce_c": ("stop_c",),
    "target_c": ("reduce_c",),
    "cool_forecast_c": ("reduce_forecast_c",),
    "cool_c": ("reduce_c",),
    "cool_release_c": ("cool_c", "cool_forecast_c"),
}
"""Each number, with those that lie above it."""
_EMERGENCIES: Final = ("emergency_c", "violent_emergency_c")
KEYS: Final = tuple(_PREFIX + name.removesuffix(_UNIT) for name in reversed(tuple(_ABOVE)))
"""The mildest first."""


@dataclass(frozen=True, slots=True)
class HeatThresholds:
    """All temperatures of one pack: those of its chemistry, moved by the board's settings and the owner's choice."""

    chemistry: Chemistry | None
    settings: Settings | None
    chosen: Mapping[str, float] = field(default_factory=dict)

    def all(self) -> Thresholds:
        """Return what is gone by. A level is never less strict than the one above it."""
        numbers: dict[str, float] = {}
        for name, above in _ABOVE.items():
            wanted_c = self.chosen.get(_key(name), self._usual(name))
            bounds_c = (self._highest(name), *(numbers[each] - _APART_C for each in above))
            numbers[name] = min((max(wanted_c, self._usual(name) - _LOWER_C), *bounds_c))
        return Thresholds(**numbers, shown_c=_usual(self.chemistry).shown_c)

    def value(self, key: str) -> float | None:
        """Return the number of a key that is gone by, in °C; None for no key of heat."""
        number: float | None = getattr(self.all(), _name(key)) if key in KEYS else None
        return number

    def accepted_range(self, key: str) -> tuple[float, float] | None:
        """Return between what a number may be chosen, ends included, in °C; None for no key of heat."""
        if key not in KEYS:
            return None
        name, numbers = _name(key), self.all()
        below = (each for each, above in _ABOVE.items() if name in above)
        lowest_c = max((self._usual(name) - _LOWER_C, *_moved(numbers, below, _APART_C)))
        highest_c = min((self._highest(name), *_moved(numbers, _ABOVE[name], -_APART_C)))
        return min(lowest_c, highest_c), highest_c

    def problems(self) -> tuple[Problem, ...]:
        """Return the chosen numbers that lie outside of their range: beyond the board's, or in the wrong order."""
        return tuple(
            Problem(key, value, *accepted)
            for key, value in self.chosen.items()
            if (accepted := self.accepted_range(key)) is not None and not accepted[0] <= value <= accepted[1]
        )

    def _usual(self, name: str) -> float:
        usual_c: float = getattr(_usual(self.chemistry), name)
        return usual_c

    def _highest(self, name: str) -> float:
        usual_c, board_c = self._usual(name), self._inside_of_board()
        if board_c is None:
            return usual_c + _HIGHER_C
        return min(usual_c + _HIGHER_C, max(usual_c, board_c) if name in _EMERGENCIES else board_c)

    def _inside_of_board(self) -> float | None:
        """Return how hot a level may begin by the board's own protection; None where nothing is known of that."""
        if self.settings is None:
            return None
        said_c = (self.settings.charge_overtemperature_c, self.settings.discharge_overtemperature_c)
        lowest_c, highest_c = _BOARDS_LIMITS_C
        possible_c = [limit_c for limit_c in said_c if limit_c is not None and lowest_c <= limit_c <= highest_c]
        return max(possible_c) - INSIDE_C if possible_c else None


def _usual(chemistry: Chemistry | None) -> Thresholds:
    """Return the temperatures of a chemistry; for an unknown one those of what most boards are in."""
    return THRESHOLDS[chemistry or Chemistry.LFP]


def _key(name: str) -> str:
    return _PREFIX + name.removesuffix(_UNIT)


def _name(key: str) -> str:
    return key.removeprefix(_PREFIX) + _UNIT


def _moved(numbers: Thresholds, names: Iterable[str], by_c: float) -> list[float]:
    return [getattr(numbers, name) + by_c for name in names]
