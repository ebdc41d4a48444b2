"""How often is something wrong found with a healthy pack?

Five packs live a year each with a house, panels and a charger that obeys: in a cellar, in a shed, in the sun, with a
board that was set with more caution than needed, and with one as its makers set it. Most days of the year fill them,
and the balancer evens out at the top; in winter the sun hardly does, and they are emptied down to the reserve. Cells
differ within their specification, one of them runs ahead. Readings are off and noisy, and the link breaks off at times.

So that this takes minutes, a pack is looked at every two minutes, every minute while it is charged or rests full or
empty, every 10 s while it is nearly full or empty; if not as often as every ten seconds, then in two frames half a
second apart. What is seen a minute apart counts as seen in between, so the debounce lets more through than it would.
What the board knows is told without the way over bytes. What takes a finer look has one: a day of each place at the
full rate, and an outage of the link a day for years, of which only what happens around it is lived.

Heat is judged in those days only. `benchmarks.thermal` has years for it, with what probes, sun and heaters do.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from math import ceil, cos, pi
from random import Random
from typing import Final, Protocol
from unittest.mock import patch

from benchmarks.safe_area.keeper import RATED_A, Keeper
from benchmarks.safe_area.world import CAPACITY_AH, CELLS, FRAME_S, Link, Listener, World
from custom_components.jk_bms.battery.guardian import GuardianLevel
from custom_components.jk_bms.battery.hazards import Hazard
from custom_components.jk_bms.battery.protection import ProtectionAssessment, ProtectionConfig, ProtectionEngine
from custom_components.jk_bms.bms.telemetry import Settings, Telemetry
from simulator.charger import DAY_S, Charger, House

YEAR_DAYS: Final = 365
SEASONS: Final = 4
COARSE_S: Final = 120.0
CHARGING_S: Final = 60.0
LONGEST_STEP_S: Final = 30.0
RESTING_S: Final = 60.0
FINE_S: Final = 10.0
CONTROLLED_S: Final = 5.0
"""How often a charger has to look at the voltage that it is to keep."""
RESTS_A: Final = 3.0
TOP_V: Final = 3.38
BOTTOM_V: Final = 3.12
COLDEST_DAY: Final = 15
WINTER_SUN: Final = 0.25
"""Of what a summer's day has to offer."""
RUNS_AHEAD_AH: Final = 0.3
"""A cell of a pack that wasn't full for weeks is ahead of the others by that much."""
LOST_SHARE: Final = 0.03
GAPS_A_DAY: Final = 0.3
GAP_S: Final = (60.0, 480.0)
RESTARTS_A_DAY: Final = 0.1
RESTART_S: Final = (30.0, 240.0)
OUTAGE_S: Final = (10.0, 60.0)
AROUND_OUTAGE_S: Final = 75.0
AROUND_OUTAGE_STEP_S: Final = 2.5
DAY_FRAME_S: Final = 1.0
RIPPLE: Final = 0.02
"""Of the current, as an inverter makes it."""
HALF: Final = 0.5
RESERVE_REACHED_V, RECOVERED_V = 0.05, 0.2


@lru_cache(maxsize=256)
def _drawn(name: str) -> float:
    return Random(name).gauss()


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a pack is, and how it is set up."""

    name: str
    mean_c: float
    season_k: float
    day_k: float
    weather_k: float
    """Standard deviation from day to day."""
    settings: Mapping[str, float] = field(default_factory=dict)
    charge_v: float = 3.45
    """Where its charger stops, a cell."""
    reserve_v: float = 3.0
    """Where its inverter stops, a cell."""
    charges_above_c: float | None = None
    """Where it is colder its charger doesn't, by a sensor of its own; None where it needs none."""
    charge_a: float = 100.0
    discharge_a: float = 140.0

    def ambient_c(self, time_s: float) -> float:
        """Return the temperature of the room or of the air."""
        day, hour = time_s / DAY_S, time_s % DAY_S / DAY_S
        weather_k = [self.weather_k * _drawn(f"{self.name} {int(day) + n}") for n in (0, 1)]
        return (
            self.mean_c
            - self.season_k * cos(2 * pi * (day - COLDEST_DAY) / YEAR_DAYS)
            - self.day_k * cos(2 * pi * (hour - 0.17))
            + weather_k[0] * (1 - hour)
            + weather_k[1] * hour
        )


PLACES: Final = (
    Place(name="cellar", mean_c=14, season_k=6, day_k=1, weather_k=1),
    Place(name="shed", mean_c=9, season_k=12, day_k=4, weather_k=3, charge_a=140, charges_above_c=5),
    Place(name="in the sun", mean_c=20, season_k=11, day_k=7, weather_k=2, charges_above_c=5),
    Place(
        name="set with caution", mean_c=16, season_k=5, day_k=1, weather_k=1,
        settings={
            "cell_overvoltage_v": 3.5, "cell_overvoltage_recovery_v": 3.4, "soc_100_cell_voltage_v": 3.44,
            "cell_undervoltage_v": 2.9, "cell_undervoltage_recovery_v": 3.05,
            "charge_undertemperature_c": 5.0, "charge_undertemperature_recovery_c": 7.0,
        },
        reserve_v=3.1,
    ),
    Place(
        name="as its makers set it", mean_c=18, season_k=5, day_k=2, weather_k=1,
        settings={
            "cell_overvoltage_v": 3.65, "cell_overvoltage_recovery_v": 3.5,
            "cell_undervoltage_v": 2.6, "cell_undervoltage_recovery_v": 3.0,
            "charge_overtemperature_c": 70.0, "charge_overtemperature_recovery_c": 60.0,
            "discharge_overtemperature_c": 70.0, "discharge_overtemperature_recovery_c": 60.0,
            "charge_undertemperature_c": -20.0, "charge_undertemperature_recovery_c": -10.0,
            "mos_overtemperature_c": 100.0, "mos_overtemperature_recovery_c": 80.0,
        },
        charge_v=3.5,
    ),
)  # fmt: skip


@dataclass(slots=True)
class Lived:
    """What was found wrong, and what the pack went through."""

    place: str
    days: float = 0.0
    rises: Counter[str] = field(default_factory=Counter)
    """How often which hazard rose to which level."""
    first_on_day: dict[str, tuple[float, str]] = field(default_factory=dict)
    """Day of the year of the first of each, and what was said."""
    highest_v: float = 0.0
    lowest_v: float = 9.0
    coldest_c: float = 99.0
    hottest_c: float = -99.0
    full_charges: int = 0
    emptied: int = 0


class Found(Protocol):
    """As much of a hazard, or of a finding, as is counted."""

    @property
    def key(self) -> str: ...
    @property
    def level(self) -> int: ...
    @property
    def placeholders(self) -> Mapping[str, str]: ...


class Tally:
    """Counts what comes up in a life that began at a time of the year in s."""

    def __init__(self, lived: Lived, began_s: float) -> None:
        self._lived = lived
        self._began_s = began_s
        self._levels: dict[str, int] = {}

    def take(self, found: Iterable[Found], now_s: float) -> None:
        """Take all that is wrong at a moment."""
        present = {}
        for each in found:
            present[each.key] = each.level
            if each.level > self._levels.get(each.key, 0):
                name = f"{each.key} {GuardianLevel(each.level).name.lower()}"
                self._lived.rises[name] += 1
                day = round((self._began_s + now_s) / DAY_S, 2)
                self._lived.first_on_day.setdefault(name, (day, ", ".join(each.placeholders.values())))
        self._levels = present


class ProtectionOnly:
    """Listens to a pack, and doesn't judge its heat."""

    def __init__(self) -> None:
        self._engine = ProtectionEngine(ProtectionConfig(frame_period_s=COARSE_S, rated_current_a=RATED_A))
        self._assessment = ProtectionAssessment()

    @property
    def found(self) -> tuple[Hazard, ...]:
        """What is wrong at present."""
        return self._assessment.hazards

    def hear(self, telemetry: Telemetry, settings: Settings | None, now_s: float) -> None:
        """Take a frame."""
        self._assessment = self._engine.step(telemetry, settings, now_s)

    def miss(self, now_s: float) -> None:
        """Take note that none came."""
        self._assessment = self._engine.stale(now_s)

    def restart(self, now_s: float) -> None:
        """Let Home Assistant be restarted: only what was latched is remembered."""
        self._engine = ProtectionEngine(self._engine.config, self._assessment.latched)
        self._assessment = self._engine.stale(now_s)


class Home:
    """A place with a pack that lives there from a time of the year on."""

    def __init__(self, place: Place, listener: Listener, began_s: float, seed: int) -> None:
        self.place = place
        self._began_s = began_s
        self._house = House(CAPACITY_AH, seed)
        self._charger = Charger(
            cell_count=CELLS, charge_current_limit_a=place.charge_a, discharge_current_limit_a=place.discharge_a
        )
        self._charger.charge_voltage_limit_v = place.charge_v * CELLS
        self._charger.discharge_voltage_limit_v = place.reserve_v * CELLS
        self.world = World(
            listener, seed=seed, ambient_c=place.ambient_c(began_s), settings={"charge_switch": 1.0, **place.settings}
        )
        self.world.pack.cells[seed % CELLS].charge_ah += RUNS_AHEAD_AH
        self.world.load = self._load

    def change_weather(self) -> None:
        """Let it be as warm as it is now."""
        self.world.pack.ambient_c = self.place.ambient_c(self._time_s)

    @property
    def _time_s(self) -> float:
        return self._began_s + self.world.now_s

    def _load(self, dt_s: float, voltage_v: float) -> float:
        time_s = self._time_s
        wanted_a = self._house.current_a(time_s)
        if wanted_a > 0:
            summer = 0.5 - 0.5 * cos(2 * pi * (time_s / DAY_S - COLDEST_DAY) / YEAR_DAYS)
            wanted_a *= WINTER_SUN + (1 - WINTER_SUN) * summer
            above_c = self.place.charges_above_c
            if above_c is not None and self.world.coldest_c < above_c:
                wanted_a = 0.0
        return self._charger.step(dt_s, wanted_a, voltage_v)


def pace_s(highest_v: float, lowest_v: float, current_a: float) -> float:
    """Return for how long nothing happens that shorter steps would show."""
    if lowest_v > BOTTOM_V and highest_v < TOP_V:
        return CHARGING_S if current_a > 0 else COARSE_S
    return RESTING_S if abs(current_a) < RESTS_A else FINE_S


def live(world: World, dt_s: float, at_most_s: float) -> None:
    """Live on in steps that are as short as the charger needs them to keep its voltage."""
    steps = ceil(dt_s / at_most_s)
    for _ in range(steps):
        world.live(dt_s / steps)


def live_a_season(number: int, season: int, days: float = YEAR_DAYS / SEASONS) -> Lived:
    """Live through a season, from 0 for that of January, of a year of a number from 0, at the coarse rate."""
    place = PLACES[number % len(PLACES)]
    began_s = season * YEAR_DAYS / SEASONS * DAY_S
    lived = Lived(place.name, days)
    listener = ProtectionOnly()
    home = Home(place, listener, began_s, number + 1)
    world, tally = home.world, Tally(lived, began_s)
    random = Random(f"link {number} {season}")
    gap_ends_s = 0.0
    full = empty = False
    with patch("simulator.pack.LONGEST_STEP_S", LONGEST_STEP_S), patch("simulator.board.LONGEST_STEP_S", COARSE_S):
        while world.now_s < days * DAY_S:
            highest_v, lowest_v = world.highest_v, world.lowest_v
            step_s = pace_s(highest_v, lowest_v, world.pack.current_a)
            if world.now_s >= gap_ends_s:
                if random.random() < GAPS_A_DAY * step_s / DAY_S:
                    gap_ends_s = world.now_s + random.uniform(*GAP_S)
                elif random.random() < RESTARTS_A_DAY * step_s / DAY_S:
                    world.live(random.uniform(*RESTART_S))
                    listener.restart(world.now_s)
                    world.connect()
            home.change_weather()
            frames = 2 if step_s > FINE_S else 1
            live(world, step_s - frames * FRAME_S, CONTROLLED_S if highest_v >= TOP_V else step_s)
            for _ in range(frames):
                if world.now_s >= gap_ends_s:
                    world.tell()
                else:
                    world.live(FRAME_S)
                    listener.miss(world.now_s)
            tally.take(listener.found, world.now_s)
            lived.highest_v, lived.lowest_v = max(lived.highest_v, highest_v), min(lived.lowest_v, lowest_v)
            lived.coldest_c = min(lived.coldest_c, world.coldest_c)
            lived.hottest_c = max(lived.hottest_c, world.hottest_c)
            lived.full_charges += not full and (full := world.pack.remaining_ah == world.pack.full_ah)
            full = full and world.pack.remaining_ah > HALF * world.pack.full_ah
            lived.emptied += not empty and (empty := lowest_v < place.reserve_v + RESERVE_REACHED_V)
            empty = empty and lowest_v < place.reserve_v + RECOVERED_V
    return lived


def live_a_day(number: int) -> Lived:
    """Live a day at a place at the full rate, with all that the guardian judges; each place has another season."""
    place = PLACES[number]
    began_s = number / len(PLACES) * YEAR_DAYS * DAY_S
    lived = Lived(place.name, 1.0)
    keeper = Keeper(DAY_FRAME_S)
    home = Home(place, keeper, began_s, number + 1)
    world, tally = home.world, Tally(lived, began_s)
    world.lost_share = LOST_SHARE
    while world.now_s < DAY_S:
        world.board.ripple_a = RIPPLE * abs(world.pack.current_a)
        home.change_weather()
        world.advance(DAY_FRAME_S)
        tally.take(keeper.found, world.now_s)
    return lived


def lose_the_link_daily(years: int) -> Lived:
    """Lose the link once a day for 10 to 60 s; only what happens around it is lived."""
    lived = Lived("link", float(years * YEAR_DAYS))
    keeper = Keeper()
    world, tally = World(keeper, current_a=20.0), Tally(lived, 0.0)
    random = Random("outages")
    for _ in range(years * YEAR_DAYS):
        for link, seconds in ((Link.DOWN, random.uniform(*OUTAGE_S)), (Link.UP, AROUND_OUTAGE_S)):
            world.link = link
            world.current_a = random.choice((20.0, -20.0))
            for _ in range(int(seconds / AROUND_OUTAGE_STEP_S)):
                world.advance(AROUND_OUTAGE_STEP_S)
                tally.take(keeper.found, world.now_s)
        world.connect()
    return lived
