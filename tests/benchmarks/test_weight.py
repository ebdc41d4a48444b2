"""What objects weigh, and what the guardian does."""

from __future__ import annotations

import sys
from array import array
from dataclasses import dataclass

from benchmarks.heat import guarding
from benchmarks.weight import weigh
from custom_components.jk_bms.battery.hazards import Level


@dataclass(slots=True)
class Slotted:
    values: list[float]
    level: Level = Level.CRITICAL
    name: str = "not counted"
    on: bool = True


class Loose:
    def __init__(self, inner: object) -> None:
        self.inner = inner
        self.again = inner


def test_numbers_are_counted_wherever_they_are() -> None:
    inner = Slotted([1.5, 2.5, 7])
    assert weigh(inner)[1] == 3 * 8
    assert weigh(array("d", [1, 2, 3]))[1] == 3 * 8
    assert weigh(array("f", [1, 2, 3]))[1] == 3 * 4
    assert weigh({1: 2.0})[1] == 2 * 8
    assert weigh(Loose(inner))[1] == 3 * 8, "what is held twice is kept once"


def test_objects_weigh_what_python_says() -> None:
    inner = Slotted([1.5, 1.5])
    expected = sum(map(sys.getsizeof, (inner, inner.values, inner.values[0])))
    assert weigh(inner)[0] == expected
    assert weigh([inner], (Slotted,))[0] == sys.getsizeof([inner])
    assert [weigh(nothing) for nothing in (None, True, Level.OK, "x")] == [(0, 0)] * 4


def test_what_the_guardian_costs() -> None:
    measured = guarding.run(1000)
    for pack in measured.values():
        assert pack["frames"] == guarding.RECORDED
        assert pack["bytes_of_numbers_grown"] == 0
        assert pack["us_per_frame_best"] > 0
        assert 1000 < pack["bytes_of_numbers"] < pack["bytes_of_objects"] < 100_000
    assert measured["with_findings"]["bytes_of_objects"] > measured["healthy"]["bytes_of_objects"]
