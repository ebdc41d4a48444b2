"""What is healthy is so, what isn't would be found, and all of it is counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

import pytest

from benchmarks.protection import by_place, of_holds, of_lives, of_ways
from benchmarks.safe_area import healthy
from benchmarks.safe_area.escape import Acted, Watched
from benchmarks.safe_area.healthy import PLACES, Home, Lived, Place, ProtectionOnly, Tally, pace_s
from benchmarks.safe_area.holds import Held
from simulator.charger import DAY_S

CELLAR, SHED = PLACES[0], PLACES[1]
WINTER, SUMMER = 0, 2


@dataclass
class Fault:
    """As much of a hazard as is counted."""

    key: str
    level: int
    placeholders: dict[str, str] = field(default_factory=dict)


def counted(*moments: Iterable[Fault]) -> Lived:
    lived = Lived("anywhere")
    tally = Tally(lived, DAY_S)
    for second, found in enumerate(moments):
        tally.take(found, float(second))
    return lived


def test_each_rise_is_counted_once() -> None:
    high, higher, low = Fault("cell_high", 1), Fault("cell_high", 3, {"value": "3.61"}), Fault("cell_low", 4)
    lived = counted([high], [high], [higher], [high], [higher, low], [], [high])
    assert lived.rises == {"cell_high advisory": 2, "cell_high critical": 2, "cell_low emergency": 1}
    assert lived.first_on_day["cell_high critical"] == (1.0, "3.61")


def test_a_finer_look_where_something_happens() -> None:
    assert pace_s(3.33, 3.29, -20.0) > pace_s(3.34, 3.3, 50.0) >= pace_s(3.45, 3.4, 0.5) > pace_s(3.45, 3.4, 50.0)
    assert pace_s(3.1, 3.0, -20.0) == pace_s(3.45, 3.4, 50.0)


def coldest_and_warmest_c(place: Place) -> tuple[float, float]:
    hourly_c = [place.ambient_c(hour * 3600.0) for hour in range(365 * 24)]
    return min(hourly_c), max(hourly_c)


def test_places_have_winters() -> None:
    coldest_c, warmest_c = coldest_and_warmest_c(SHED)
    assert -20 < coldest_c < -8
    assert 24 < warmest_c < 35
    assert coldest_and_warmest_c(CELLAR)[0] > 3
    assert coldest_and_warmest_c(PLACES[2])[1] > 36


def test_a_charger_that_obeys_does_not_charge_in_the_cold() -> None:
    home = Home(SHED, ProtectionOnly(), 10 * DAY_S, 2)
    flowed_a = []
    while home.world.now_s < DAY_S:
        home.change_weather()
        home.world.live(60.0)
        flowed_a.append(home.world.pack.current_a)
    assert home.world.coldest_c < 5
    assert max(flowed_a) <= 0
    assert min(flowed_a) < -5


def test_a_healthy_day_and_one_that_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    lived = healthy.live_a_season(0, SUMMER, 1.5)
    assert not [name for name in lived.rises if not name.endswith("advisory")]
    assert lived.full_charges
    assert 3.44 < lived.highest_v < 3.5
    overcharged = Place(name="overcharged", mean_c=20, season_k=0, day_k=0, weather_k=0, charge_v=3.62)
    monkeypatch.setattr(healthy, "PLACES", (overcharged,))
    lived = healthy.live_a_season(0, SUMMER, 1.5)
    assert lived.rises["cell_high critical"]
    day, said = lived.first_on_day["cell_high critical"]
    assert 182 < day < 184.1
    assert "3.57" in said


def test_a_winter_s_day_empties_down_to_the_reserve() -> None:
    lived = healthy.live_a_season(0, WINTER, 2)
    assert lived.emptied
    assert 2.95 < lived.lowest_v < 3.05
    assert not [name for name in lived.rises if not name.endswith("advisory")]


def watched(name: str, warned_s: float | None, *, seen: bool = True, slow: bool = True) -> Watched:
    return Watched(
        name=name,
        expected="",
        slow=slow,
        seen=seen,
        after_violation_s={},
        all_in_all_after_fault_s={},
        monitoring_lost_after_fault_s=None,
        board_trips_after_fault_s=None,
        warned_before_trip_s=warned_s,
        advised_before_trip_s=None,
    )


def acted(*, still_flows: bool, failed_s: float | None) -> Acted:
    return Acted(
        name="",
        violated=True,
        ordered_after_violation_s=0,
        ordered_after_fault_s=0,
        stopped_after_order_s=None,
        board_was_first=False,
        failed_after_order_s=failed_s,
        still_flows=still_flows,
    )


def test_figures_of_ways() -> None:
    ways = [
        watched("early", 61),
        watched("late", 59),
        watched("fast", 1, slow=False),
        watched("never trips", None),
        watched("unseen", None, seen=False),
    ]
    acts = [
        acted(still_flows=True, failed_s=None),
        acted(still_flows=True, failed_s=30),
        acted(still_flows=False, failed_s=None),
    ]
    assert list(of_ways(ways, acts).values()) == [1, 1, 1]


def test_figures_of_holds() -> None:
    held = [
        Held(
            level="ok",
            acts=True,
            held=held,
            orders_while_lost=lost,
            stale_warning_after_s=None,
            back_after_restart_s=None,
            orders_repeated=repeated,
        )
        for held, lost, repeated in ((True, 0, 0), (False, 2, 0), (True, 0, 1))
    ]
    assert list(of_holds(held).values()) == [1, 3]


def test_figures_of_lives() -> None:
    here = Lived(
        "here", 10.0, Counter({"a warning": 3, "a critical": 1}), {"a warning": (5.0, "")}, 3.5, 3.0, 5.0, 20.0
    )
    later = Lived("here", 20.0, Counter({"a warning": 1, "b emergency": 1, "b advisory": 9}), {"a warning": (4.0, "")})
    later.highest_v, later.lowest_v, later.coldest_c, later.hottest_c = 3.4, 2.9, 6.0, 30.0
    assert list(of_lives([here, later], 2).values()) == [2, 2.0]
    place = by_place([here, later])["here"]
    assert place["rises"] == {"a warning": 4, "a critical": 1, "b emergency": 1, "b advisory": 9}
    assert (place["days"], place["highest_v"], place["lowest_v"]) == (30.0, 3.5, 2.9)
    assert (place["coldest_c"], place["hottest_c"], place["first_on_day"]["a warning"]) == (5.0, 30.0, (5.0, ""))
