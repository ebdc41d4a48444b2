"""How early is heat seen, how well is it foreseen, and how often is it only imagined: `python -m benchmarks.thermal`.

The thermal engine and the rules that owners build from Home Assistant's helpers meet the same frames:

- 10.1 scenarios of a pack in which something heats, or only seems to, each with five drawn packs;
- 10.2 recordings of real cells, crushed, in a calorimeter, and healthy;
- 10.3 forecasts, against what then came;
- 10.4 healthy years: false alarms (`--years`);
- 10.5 values that no temperature is;
- 10.6 the default actions, carried out on the pack;
- 10.7 what a frame costs.

Recordings and scenarios are read where they lie (`--data`), and parts without them are skipped and say so. What a
figure was for the reference, must be and is aimed at stands beside it. Times are minutes where nothing else is said.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import asdict
from itertools import chain
from math import inf
from pathlib import Path
from time import perf_counter, process_time
from typing import Any, Final

from benchmarks.heat import acting, cost, detection, glitches, guarding, recordings, scenarios, variants, year
from benchmarks.heat.figures import (
    ACTED,
    DAYS_PER_YEAR,
    Figure,
    of_acting,
    of_cost,
    of_detection,
    of_forecasts,
    of_glitches,
    of_model,
    of_recordings,
    of_variants,
    of_years,
)
from benchmarks.heat.scenarios import Scenario

SHARED: Final = Path(os.environ.get("JK_BMS_SHARED", Path(__file__).resolve().parents[2] / "shared")) / "thermal"
SEEDS: Final = (1, 2, 3, 4, 5)
ACTED_SEEDS: Final = (1, 2, 3)
PARTS: Final = ("detection", "recordings", "glitches", "acting", "variants", "cost", "year")
ROWS: Final = ("detection", "runaways", "healthy", "glitches", "acting", "variants")
"""Single runs: of use to whoever wants to know why."""


def timed(function: Callable[..., Any], *arguments: Any, **options: Any) -> tuple[float, Any]:
    """Return the CPU seconds that a call takes, and its result."""
    started = process_time()
    result = function(*arguments, **options)
    return process_time() - started, result


class Work:
    """Things to do in processes, and what comes of them."""

    def __init__(self, pool: ProcessPoolExecutor) -> None:
        self._pool = pool
        self._futures: list[tuple[str, Future[tuple[float, Any]]]] = []
        self.cpu_s: dict[str, float] = defaultdict(float)

    def add(self, part: str, function: Callable[..., Any], *arguments: Any, **options: Any) -> None:
        """Do something when there is a process for it."""
        self._futures.append((part, self._pool.submit(timed, function, *arguments, **options)))

    def results(self) -> dict[str, list[Any]]:
        """Wait and return what came of each part, in the order in which it was added."""
        done: dict[str, list[Any]] = {}
        for part, future in self._futures:
            cpu_s, result = future.result()
            self.cpu_s[part] += cpu_s
            done.setdefault(part, []).append(result)
        self._futures.clear()
        return done


def by_name(results: Iterable[Any]) -> dict[str, list[Any]]:
    """Sort results by the row they are of."""
    sorted_results: dict[str, list[Any]] = {}
    for result in results:
        sorted_results.setdefault(result.name, []).append(result)
    return sorted_results


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=SHARED, help="folder with recordings, and scenarios.csv if it has")
    parser.add_argument("--years", type=float, default=2.0, help="pack-years of the healthy world")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--frames", type=int, default=200_000, help="to time")
    parser.add_argument("--only", choices=PARTS, nargs="+", default=PARTS)
    parser.add_argument("--rows", action="store_true", help="with every single run, in JSON")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    report = run(options)
    if options.json:
        json.dump(report, sys.stdout, indent=1, ensure_ascii=False)
        print()
    else:
        print_table(report)


def run(options: argparse.Namespace) -> dict[str, Any]:
    """Run the parts that are asked for; return everything that is to be known."""
    skipped: dict[str, str] = {}
    table = next((path for path in (options.data / "scenarios.csv", SHARED / "scenarios.csv") if path.is_file()), None)
    rows: list[Scenario] = scenarios.read(table) if table else []
    if not rows:
        skipped["scenarios"] = f"no scenarios.csv in {options.data}: name another folder with --data or JK_BMS_SHARED"
    recorded = recordings.read(options.data) if options.data.is_dir() else []
    if not recorded:
        skipped["recordings"] = f"no recordings in {options.data}: name another folder with --data"

    figures: list[Figure] = []
    report: dict[str, Any] = {"figures": [], "skipped": skipped, "seconds": {}}
    if "cost" in options.only:
        # Alone, so that nothing else is timed.
        engine, guardian = cost.run(options.frames), guarding.run(options.frames)
        report["cost"] = {"engine": engine, "guardian": guardian}
        figures += of_cost(engine, guardian)
    with ProcessPoolExecutor(options.jobs) as pool:
        work = Work(pool)
        started = perf_counter()
        _add(work, options.only, rows, recorded)
        results = work.results()
        report["seconds"]["all but the year world"] = round(perf_counter() - started, 1)
        if detected := results.get("detection"):
            named = by_name(detected)
            figures += of_detection(named, rows) + of_forecasts(named)
            report["model"] = of_model(named, rows)
            report["detection"] = [_plain(result) for result in detected]
        runs, watched = results.get("recordings", []), results.get("healthy", [])
        if runs or watched:
            figures += of_recordings(runs, watched)
            report["runaways"] = [asdict(r) for r in runs if r.is_runaway and r.rate_s == 1 and not r.with_voltage]
            report["healthy"] = [{k: v for k, v in asdict(h).items() if k != "six_minutes"} for h in watched]
        if glitched := results.get("glitches"):
            figures += of_glitches(glitched)
            report["glitches"] = [asdict(g) for g in glitched if _went_wrong(g)]
        if outcomes := results.get("acting"):
            figures += of_acting(outcomes)
            report["acting"] = [asdict(outcome) for outcome in outcomes]
        if varied := results.get("variants"):
            of_rows = list(chain.from_iterable(varied))
            figures += of_variants(of_rows, rows)
            report["variants"] = [asdict(v) for v in of_rows]
        blocks = round(options.years * DAYS_PER_YEAR / year.DAYS)
        if "year" in options.only and blocks:
            started = perf_counter()
            for number in range(blocks):
                work.add("year", year.run, number)
            lived = work.results()["year"]
            report["seconds"]["year world"] = round(perf_counter() - started, 1)
            figures += of_years(lived)
            report["year"] = {
                "alarms": [(block.number, *alarm) for block in lived for alarm in block.alarms if alarm[1] > 1],
                "level_1_causes": Counter(alarm[2] for block in lived for alarm in block.alarms if alarm[1] == 1),
                "hottest_probe_c": round(max(block.hottest_c for block in lived), 1),
            }
        report["cpu_seconds"] = {part: round(cpu_s, 1) for part, cpu_s in work.cpu_s.items()}
    figures.sort(key=lambda figure: figure.section)
    report["figures"] = [
        asdict(figure) | {"meets_must": figure.meets(figure.must), "meets_aim": figure.meets(figure.aim)}
        for figure in figures
    ]
    if not options.rows:
        for part in ROWS:
            report.pop(part, None)
    return {part: _finite(measured) for part, measured in report.items()}


def _add(work: Work, only: Sequence[str], rows: Sequence[Scenario], recorded: Sequence[recordings.Recording]) -> None:
    if "detection" in only:
        for row in rows:
            for seed in SEEDS:
                work.add("detection", detection.run, row, seed, with_rules=seed <= 3)
    if "acting" in only:
        for row in rows:
            if row.name in ACTED:
                for seed in ACTED_SEEDS:
                    work.add("acting", acting.run, row, seed)
    if "variants" in only:
        for row in rows:
            for shown in variants.groups(row):
                work.add("variants", variants.run, row, shown)
    if "recordings" in only:
        for recording in recorded:
            if recording.kind != "abuse":
                work.add("healthy", recordings.watch, recording)
                continue
            for view in recording.views:
                for rate_s in recordings.RATES_S:
                    for draw in range(recordings.DRAWS):
                        work.add("recordings", recordings.run, recording, view, rate_s, draw, with_voltage=False)
                if recording.is_runaway and recording.collapse_s is not None:
                    for draw in range(recordings.DRAWS):
                        work.add("recordings", recordings.run, recording, view, 1.0, draw, with_voltage=True)
    if "glitches" in only:
        for value, length, probe in glitches.cases():
            work.add("glitches", glitches.run, value, length, probe)


def _went_wrong(glitched: glitches.Glitched) -> bool:
    lasting = glitched.length == "an hour"
    return glitched.highest > 0 or (lasting and None in {glitched.reported_after_min, glitched.cleared_after_min})


def _plain(result: detection.Result) -> dict[str, Any]:
    return {name: value for name, value in asdict(result).items() if name not in {"scores", "marks", "naive"}}


def _finite(value: Any) -> Any:
    """Return the same with what is infinite as None and no digits that mean nothing."""
    if isinstance(value, float):
        return None if value in {inf, -inf} else round(value, 3)
    if isinstance(value, Mapping):
        return {str(key): _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    return value


def print_table(report: Mapping[str, Any]) -> None:
    """Print the figures with what they are held against."""
    print(f"{'':8}{'':62}{'reference':>10}{'must':>10}{'aim':>10}{'ours':>10}")
    for figure in report["figures"]:
        numbers = "".join(
            f"{'' if figure[name] is None else f'{figure[name]:.4g}':>10}" for name in ("reference", "must", "aim")
        )
        ours = "never" if figure["ours"] is None else f"{figure['ours']:.4g}"
        verdict = (
            " MUST MISSED" if figure["meets_must"] is False else " aim missed" if figure["meets_aim"] is False else ""
        )
        print(f"{figure['section']:8} {figure['name']:61}{numbers}{ours:>10}{verdict}")
    if "model" in report:
        print(
            "\nthe model against the table, and the helpers: median and worst of",
            len(report["model"]["rows"]),
            "rows, %",
        )
        print(report["model"]["median_off_pct"], report["model"]["worst_off_pct"])
    for part, reason in report["skipped"].items():
        print(f"skipped {part}: {reason}")
    print("seconds:", report["seconds"], "of the processors:", report["cpu_seconds"])


if __name__ == "__main__":
    main()
