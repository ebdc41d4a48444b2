"""How early is danger seen and ended, and how often is it only imagined: `python -m benchmarks.protection [--json]`.

Ways out: a simulated pack behind a simulated board with JK's protections is driven out of its safe area in sixty ways
(`safe_area.ways`). For each: how long after the true quantity has passed a limit the level is there; how long before
the board's own protection trips there is a warning; how soon the current is stopped where the guardian may
(`safe_area.escape`). And what is held and ordered while the link is lost and over a restart (`safe_area.holds`).

Healthy use: five packs live a year each, and what is found wrong with them is wrong (`safe_area.healthy`).

Takes about ten minutes on two cores; `--years 0` leaves out the years.
"""

from __future__ import annotations

import argparse
import os
from collections import Counter
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from time import perf_counter
from typing import Any, Final

from benchmarks.safe_area import escape, healthy
from benchmarks.safe_area.escape import Acted, Watched
from benchmarks.safe_area.healthy import Lived
from benchmarks.safe_area.holds import Held, hold
from benchmarks.safe_area.ways import WAYS
from benchmarks.wanted import against, print_report
from custom_components.jk_bms.battery.hazards import Level

YEARS: Final = 5
WARNED_BEFORE_S: Final = 60.0
WANTED: Final = {
    "ways_not_seen": 0,
    "slow_ways_warned_less_than_60_s_before_the_board": 0,
    "critical_ways_neither_ended_nor_said_to_have_failed": 0,
    "levels_not_held_without_a_link": 0,
    "orders_without_a_link_or_repeated_after_a_restart": 0,
    "wrong_criticals": 0,
    "wrong_warnings_a_pack_year": 1,
}


def of_ways(watched: Sequence[Watched], acted: Sequence[Acted]) -> dict[str, float]:
    """Return what is wanted of the ways out."""
    before_s = [each.warned_before_trip_s for each in watched if each.slow]
    return {
        "ways_not_seen": sum(not each.seen for each in watched),
        "slow_ways_warned_less_than_60_s_before_the_board": sum(
            warned_s is not None and warned_s < WARNED_BEFORE_S for warned_s in before_s
        ),
        "critical_ways_neither_ended_nor_said_to_have_failed": sum(
            each.still_flows and each.failed_after_order_s is None for each in acted
        ),
    }


def of_holds(held: Sequence[Held]) -> dict[str, float]:
    """Return what is wanted of lost links and restarts."""
    return {
        "levels_not_held_without_a_link": sum(not each.held for each in held),
        "orders_without_a_link_or_repeated_after_a_restart": sum(
            each.orders_while_lost + each.orders_repeated for each in held
        ),
    }


def of_lives(lives: Iterable[Lived], years: float) -> dict[str, float]:
    """Return what is wanted of healthy packs; all that is found wrong with them counts."""
    rises: Counter[str] = Counter()
    for lived in lives:
        for name, count in lived.rises.items():
            rises[name.rpartition(" ")[2]] += count
    return {
        "wrong_criticals": rises["critical"] + rises["emergency"],
        "wrong_warnings_a_pack_year": round(rises["warning"] / max(years, 1), 2),
    }


def by_place(lives: Iterable[Lived]) -> dict[str, dict[str, Any]]:
    """Return what each place has brought, all its seasons together."""
    places: dict[str, dict[str, Any]] = {}
    for lived in lives:
        if (known := places.get(lived.place)) is None:
            places[lived.place] = asdict(lived) | {"rises": Counter(lived.rises)}
            continue
        known["rises"].update(lived.rises)
        known["first_on_day"] = lived.first_on_day | known["first_on_day"]
        for name, choose in (("highest_v", max), ("lowest_v", min), ("coldest_c", min), ("hottest_c", max)):
            known[name] = choose(known[name], getattr(lived, name))
        for name in ("days", "full_charges", "emptied"):
            known[name] += getattr(lived, name)
    return places


def measure(years: int) -> dict[str, Any]:
    """Measure everything; return the figures."""
    started_s = perf_counter()
    numbers = range(len(WAYS))
    with ProcessPoolExecutor(os.process_cpu_count()) as pool:
        # The longest first.
        days = [pool.submit(healthy.live_a_day, number) for number in range(len(healthy.PLACES)) if years]
        outages = [pool.submit(healthy.lose_the_link_daily, years) for _ in range(bool(years))]
        seasons = [
            pool.submit(healthy.live_a_season, year, season)
            for year in range(years)
            for season in range(healthy.SEASONS)
        ]
        watches = [pool.submit(escape.watch, number) for number in numbers]
        acts = [pool.submit(escape.act, number) for number in numbers if escape.acts_on(WAYS[number])]
        holds = [pool.submit(hold, level, acts=acts_too) for level in Level for acts_too in (False, True)]
        watched, acted = [each.result() for each in watches], [each.result() for each in acts]
        held = [each.result() for each in holds]
        lived_days, lost = [each.result() for each in days], [each.result() for each in outages]
        lived = [each.result() for each in seasons]
    figures = of_ways(watched, acted) | of_holds(held) | of_lives((*lived, *lived_days, *lost), years)
    return {
        "machine": {"cores": os.process_cpu_count(), "load_average": round(os.getloadavg()[0], 1)},
        "seconds": round(perf_counter() - started_s, 1),
        "wanted": against(WANTED, figures),
        "ways": [asdict(each) for each in watched],
        "actions": [asdict(each) for each in acted],
        "held": [asdict(each) for each in held],
        "healthy": {
            "pack_years": years,
            "places": by_place(lived),
            "days_at_the_full_rate": by_place(lived_days),
            "daily_outages": by_place(lost),
        },
    }


def print_table(report: dict[str, Any]) -> None:
    """Print what matters of it."""
    acted = {each["name"]: each for each in report["actions"]}
    print(f"{'':81}{'level after':>14}{'lost after':>14}{'warned before':>14}{'ordered after':>14}{'stopped':>10}")
    for way in report["ways"]:
        after_s = list(way["after_violation_s"].values())[-1]
        action = acted.get(way["name"], {})
        times = (
            after_s,
            way["monitoring_lost_after_fault_s"],
            way["warned_before_trip_s"],
            action.get("ordered_after_violation_s"),
        )
        stopped = action.get("stopped_after_order_s")
        if action.get("failed_after_order_s") is not None:
            stopped = "failed"
        columns = "".join(f"{'' if each is None else each:>14}" for each in times)
        print(f"{way['name']:55}{way['expected']:26}{columns}{'' if stopped is None else stopped:>10}")
    print("times in s: level and order after the true violation of the limit; lost: said that no temperature is known,")
    print("after the fault; warned before the board trips; stopped after the order\n")
    for kind in ("places", "days_at_the_full_rate", "daily_outages"):
        for place, lived in report["healthy"][kind].items():
            print(f"{kind}, {place}: {lived['days']:g} days, wrongly found: {dict(lived['rises'])}")
    print("seconds:", report["seconds"])


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.protection", description=__doc__.partition(":")[0] + "."
    )
    parser.add_argument(
        "--years", type=int, default=YEARS, help=f"pack-years of healthy use (default {YEARS}), 0 for none"
    )
    parser.add_argument("--json", action="store_true", help="print all figures as JSON")
    options = parser.parse_args()
    report = measure(options.years)
    if not options.json:
        print_table(report)
    print_report(report, as_json=options.json)


if __name__ == "__main__":
    main()
