"""Where does each level of each hazard begin, inside of what the board itself protects against?

The levels are those of the safe operating area that 16-cell LFP packs have proven themselves in; Li-ion and LTO have
presets of the same shape. Whatever is set, a level begins inside of the board's own protection and of what the cells'
data sheets allow (`chemistry.safe_range`): the board's own settings move ours, never the other way round. So does what
the owner chooses: a choice that the board's settings have overtaken is held inside, and `problems` says so.

Each number has a key, the kind of the hazard and what it is of it: `cell_high_warning`, `mos_hot_release`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum, auto
from math import inf, isfinite, nextafter
from typing import Final

from ..bms.telemetry import Chemistry, Settings
from .chemistry import safe_range
from .debounce import Bounds, Pace
from .hazards import FAMILIES, LEVELS, Kind

type Triple = tuple[float | None, float | None, float | None]
"""A number for each level, advisory first; None for a level that doesn't exist."""

RELEASE: Final = "release"
_HIGHEST_RELEASE: Final = 0.95
"""A level is released below this share of its limit, wherever the release is said to be."""
_NAMES: Final = tuple(level.name.lower() for level in LEVELS)
_LATER_SETTINGS: Final = {"discharge_undertemperature_c": "discharge_undertemperature_recovery_c"}
"""Settings that not all boards have, with their recoveries: those that don't say 0 or -2 °C for both."""


_USUAL: Final = Pace()
_TEN_MINUTES: Final = Pace(after_s=(600, 600, 0))
_CURRENT: Final = Pace(after_s=(10, 3, 0))


class Release(Enum):
    """What the number of a release means."""

    MARGIN = auto()
    """That much on the safe side of the level's limit."""
    SHARE = auto()
    """That share of the level's limit."""
    VALUE = auto()
    """That value, whatever the level."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One hazard as the table has it."""

    limits: Triple
    """Absolute, or shares of the board's setting where `of_setting`."""
    release: float
    release_by: Release = Release.MARGIN
    releases: tuple[float, float]
    """The least and the largest number that a release may have."""
    falls: bool = False
    """Whether it is the low values that are dangerous."""
    above: tuple[bool, bool, bool] = (False, False, False)
    """Whether a level begins beyond its limit rather than at it."""
    setting: str | None = None
    """The board's own limit."""
    inside: Triple = (0, 0, 0)
    """How far inside of the board's limit each level begins."""
    of_setting: bool = False
    by_setting_only: bool = False
    """Whether nothing but the board's limit says anything, neither the table nor the cells' data sheets."""
    everyday: tuple[float, float] | None = None
    """How far everyday use goes, and how far from there the board's limit has to be for the whole of `inside`."""
    tightest: float
    """The least dangerous limit that makes sense: beyond it lies everyday use."""
    pace: Pace = _USUAL


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of one hazard on one pack, in its own unit: V, A, °C, K or s."""

    row: Row
    limits: Triple
    release: float

    def release_of(self, number: int) -> float | None:
        """Return where the level of a number from 0 is released; None for a level that doesn't exist."""
        limit = self.limits[number]
        if limit is None:
            return None
        if self.row.release_by is Release.VALUE:
            return min(self.release, _HIGHEST_RELEASE * limit)
        if self.row.release_by is Release.SHARE:
            return limit * self.release
        return limit + self.release if self.row.falls else limit - self.release

    def bounds(self, outright: float | None) -> Bounds:
        """Return the limits as numbers that grow with the danger; `outright` is the board's own limit."""
        sign = -1 if self.row.falls else 1
        limits, releases = [], []
        for number, limit in enumerate(self.limits):
            danger = inf if limit is None else sign * limit
            limits.append(nextafter(danger, inf) if self.row.above[number] else danger)
            release = self.release_of(number)
            releases.append(inf if release is None else round(sign * release, 6))
        return Bounds(tuple(limits), tuple(releases), inf if outright is None else sign * outright)


@dataclass(frozen=True, slots=True)
class Zones:
    """Where, by the cells' voltages, a spread says what."""

    top_v: float
    plateau_v: tuple[float, float]
    bottom_v: float


@dataclass(frozen=True, slots=True, kw_only=True)
class _Preset:
    """What is different for each chemistry."""

    zones: Zones
    high_v: Triple
    inside_high_v: Triple
    everyday_v: tuple[float, float]
    tightest_high_v: float
    low_v: Triple
    inside_low_v: Triple
    tightest_low_v: float
    spread_top_v: Triple
    spread_plateau_v: Triple
    charge_cold_c: Triple
    discharge_cold_c: Triple


_PRESETS: Final = {
    Chemistry.LFP: _Preset(
        zones=Zones(3.40, (3.20, 3.33), 3.10),
        high_v=(3.50, 3.55, 3.60),
        inside_high_v=(0.09, 0.08, 0.03),
        everyday_v=(3.47, 0.08),
        tightest_high_v=3.42,
        low_v=(3.00, 2.90, 2.70),
        inside_low_v=(0.20, 0.15, 0.10),
        tightest_low_v=3.20,
        spread_top_v=(0.05, 0.12, 0.20),
        spread_plateau_v=(0.02, 0.04, None),
        charge_cold_c=(5, 2, 0),
        discharge_cold_c=(-5, -10, -20),
    ),
    # A healthy Li-ion pack is charged to 4.15 V, and its voltage rises by 10 mV a percent to the end: the levels lie
    # closer together. There is no plateau, so what rests in the middle may differ more.
    Chemistry.LI_ION: _Preset(
        zones=Zones(4.05, (3.60, 4.00), 3.40),
        high_v=(4.17, 4.19, 4.20),
        inside_high_v=(0.04, 0.03, 0.015),
        everyday_v=(4.15, 0.05),
        tightest_high_v=4.05,
        low_v=(3.30, 3.20, 3.00),
        inside_low_v=(0.20, 0.15, 0.10),
        tightest_low_v=3.50,
        spread_top_v=(0.05, 0.12, 0.20),
        spread_plateau_v=(0.03, 0.06, None),
        charge_cold_c=(5, 2, 0),
        discharge_cold_c=(-5, -10, -20),
    ),
    Chemistry.LTO: _Preset(
        zones=Zones(2.50, (2.15, 2.35), 2.05),
        high_v=(2.65, 2.70, 2.75),
        inside_high_v=(0.09, 0.08, 0.03),
        everyday_v=(2.60, 0.10),
        tightest_high_v=2.50,
        low_v=(1.95, 1.90, 1.70),
        inside_low_v=(0.20, 0.15, 0.10),
        tightest_low_v=2.10,
        spread_top_v=(0.04, 0.08, 0.14),
        spread_plateau_v=(0.02, 0.04, None),
        charge_cold_c=(-15, -20, -30),
        discharge_cold_c=(-15, -20, -30),
    ),
}
_ABOVE: Final = (True, True, True)
_ABOVE_BELOW_CRITICAL: Final = (True, True, False)


def _voltages(preset: _Preset) -> dict[Kind, Row]:
    high = Row(
        limits=preset.high_v,
        setting="cell_overvoltage_v",
        inside=preset.inside_high_v,
        everyday=preset.everyday_v,
        tightest=preset.tightest_high_v,
        release=0.05,
        releases=(0.01, 0.15),
    )
    low = Row(
        limits=preset.low_v,
        setting="cell_undervoltage_v",
        inside=preset.inside_low_v,
        tightest=preset.tightest_low_v,
        release=0.10,
        releases=(0.02, 0.30),
        falls=True,
    )
    # JK's boards have no limits for the pack: it is judged by its mean cell, which is measured on its own.
    return {Kind.CELL_HIGH: high, Kind.CELL_LOW: low, Kind.PACK_HIGH: high, Kind.PACK_LOW: low}


def _voltages_of_the_board() -> dict[Kind, Row]:
    """Return where cells of an unknown chemistry are about to be beyond what the board bears."""
    tightest_high_v = min(preset.tightest_high_v for preset in _PRESETS.values())
    tightest_low_v = max(preset.tightest_low_v for preset in _PRESETS.values())
    return {
        kind: replace(
            row,
            limits=(None, None, -inf if row.falls else inf),
            by_setting_only=True,
            everyday=None,
            tightest=tightest_low_v if row.falls else tightest_high_v,
        )
        for kind, row in _voltages(_PRESETS[Chemistry.LFP]).items()
    }


def _spreads(preset: _Preset) -> dict[Kind, Row]:
    return {
        kind: Row(
            limits=limits,
            above=_ABOVE,
            tightest=0.01,
            release=0.7,
            release_by=Release.SHARE,
            releases=(0.3, 0.95),
            pace=pace,
        )
        for kind, limits, pace in (
            (Kind.SPREAD_TOP, preset.spread_top_v, _USUAL),
            (Kind.SPREAD_PLATEAU, preset.spread_plateau_v, _TEN_MINUTES),
            (Kind.SPREAD_BOTTOM, (0.15, 0.30, None), _USUAL),
        )
    }


def _cold(limits: Triple, setting: str, tightest: float) -> Row:
    return Row(
        limits=limits,
        setting=setting,
        inside=(3, 1.5, 0.5),
        above=_ABOVE_BELOW_CRITICAL,
        tightest=tightest,
        release=2,
        releases=(0.5, 5),
        falls=True,
    )


def _hot(setting: str) -> Row:
    return Row(
        limits=(45, 50, 55),
        setting=setting,
        inside=(8, 5, 3),
        above=_ABOVE_BELOW_CRITICAL,
        tightest=30,
        release=3,
        releases=(0.5, 10),
    )


def _current(setting: str) -> Row:
    return Row(
        limits=(0.9, 1.0, 1.2),
        of_setting=True,
        setting=setting,
        above=_ABOVE,
        tightest=0.1,
        release=0.85,
        release_by=Release.VALUE,
        releases=(0.1, 0.95),
        pace=_CURRENT,
    )


_MOSFET_CURRENT: Final = Row(limits=(None, 1.0, None), above=_ABOVE, tightest=0.5, release=0.1, releases=(0.05, 0.5))


def _common(preset: _Preset) -> dict[Kind, Row]:
    return {
        Kind.CHARGE_COLD: _cold(preset.charge_cold_c, "charge_undertemperature_c", 15),
        Kind.CHARGE_HOT: _hot("charge_overtemperature_c"),
        Kind.DISCHARGE_COLD: _cold(preset.discharge_cold_c, "discharge_undertemperature_c", 10),
        Kind.DISCHARGE_HOT: _hot("discharge_overtemperature_c"),
        Kind.MOS_HOT: Row(
            limits=(70, 80, 90),
            setting="mos_overtemperature_c",
            inside=(15, 8, 3),
            above=_ABOVE_BELOW_CRITICAL,
            tightest=40,
            release=5,
            releases=(1, 15),
        ),
        Kind.PROBE_SPREAD: Row(
            limits=(8, 15, None),
            above=_ABOVE,
            tightest=4,
            release=2,
            releases=(0.5, 3),
            pace=Pace(after_s=(600, 10, 0)),
        ),
        Kind.CHARGE_CURRENT: _current("charge_current_limit_a"),
        Kind.DISCHARGE_CURRENT: _current("discharge_current_limit_a"),
        Kind.CHARGE_MOSFET: _MOSFET_CURRENT,
        Kind.DISCHARGE_MOSFET: _MOSFET_CURRENT,
        # How long nothing was heard needs no confirmation. Links come back within a minute as a rule. Being blind harms
        # no cell, so it is not critical by itself; whatever was known last is held meanwhile.
        Kind.DATA_STALE: Row(
            limits=(60, 600, None),
            above=_ABOVE,
            tightest=15,
            release=15,
            release_by=Release.VALUE,
            releases=(5, 60),
            pace=Pace(after_s=(0, 0, 0), frames=(1, 1, 1), release_after_s=30, release_frames=3),
        ),
        Kind.DATA_FROZEN: Row(
            limits=(None, 60, None),
            tightest=20,
            release=5,
            release_by=Release.VALUE,
            releases=(1, 10),
            pace=Pace(after_s=(0, 0, 0), release_after_s=30, release_frames=3),
        ),
    }


_ROWS: Final[Mapping[Chemistry | None, Mapping[Kind, Row]]] = {
    **{chemistry: _voltages(preset) | _spreads(preset) | _common(preset) for chemistry, preset in _PRESETS.items()},
    # A voltage says nothing without knowing of what, unless the board has limits for it; the temperatures are those of
    # the more delicate cells.
    None: _voltages_of_the_board() | _common(_PRESETS[Chemistry.LFP]),
}
PACES: Final = {kind: row.pace for kind, row in _ROWS[Chemistry.LFP].items()}
"""How each hazard of the table is confirmed and released, of whatever chemistry the cells are."""
_LEAST_SHARE: Final = 0.1
"""Of how far inside of the board's limit the levels begin, with a limit within everyday use."""
_STALE_PERIODS: Final = (3, 4)
"""How many frames may be missing before each level of stale data, whatever that takes."""
_FRESH_PERIODS: Final = 2
"""What comes within so many is on time."""
_LOOSEST_FACTOR: Final = 1.5
"""How far out a level may begin that neither the board nor the cells set an end to, as a factor on the table's last."""
_HIGHEST_SHARES: Final = (1.0, 1.0, 1.5)
"""Of the board's current limit: the board lets it be exceeded for a while, so a level may lie beyond."""


def zones(chemistry: Chemistry | None) -> Zones | None:
    """Return where a spread says what; None without a chemistry."""
    return None if chemistry is None else _PRESETS[chemistry].zones


@dataclass(frozen=True, slots=True)
class Problem:
    """A number of the owner's that can't be gone by, and the range it would have to be in, ends included."""

    key: str
    value: float
    lowest: float
    highest: float


@dataclass(frozen=True, slots=True)
class Thresholds:
    """All limits of one pack: the table, moved by the board's settings and by what the owner chose."""

    chemistry: Chemistry | None
    settings: Settings | None
    chosen: Mapping[str, float] = field(default_factory=dict)
    frame_period_s: float = 0.5

    def all(self) -> dict[Kind, Limits]:
        """Return the limits of each hazard that has any on this pack."""
        return {kind: limits for kind in _ROWS[self.chemistry] if (limits := self.of(kind)) is not None}

    def of(self, kind: Kind) -> Limits | None:
        """Return the limits of a hazard; None where nothing is known that they could be derived from."""
        row = self._row(kind)
        if row is None or ((row.of_setting or row.by_setting_only) and self._set(row) is None):
            return None
        limits: list[float | None] = []
        bound: float | None = None
        # From critical on down, so that a level is never less strict than the one above it.
        for number in reversed(range(len(LEVELS))):
            limit = self._default(row, number)
            if limit is not None:
                tightest = self._tightest(row, number)
                if (chosen := self.chosen.get(f"{kind}_{_NAMES[number]}")) is not None:
                    limit = min(chosen, tightest) if row.falls else max(chosen, tightest)
                bounds = _known((limit, bound, self._loosest(row, number)))
                limit = bound = round(max(bounds) if row.falls else min(bounds), 4)
            limits.insert(0, limit)
        least, most = (each * self._scale(row) for each in row.releases)
        release = min(max(self.chosen.get(f"{kind}_{RELEASE}", row.release * self._scale(row)), least), most)
        return Limits(row, (limits[0], limits[1], limits[2]), release)

    def outright(self, kind: Kind) -> float | None:
        """Return beyond what one frame is enough: the board's own limit, else what the cells bear; None without any."""
        row = _ROWS[self.chemistry][kind]
        if row.of_setting or row.setting is None:
            return None
        own = self._set(row)
        return self._safe(row) if own is None else own

    def keys(self) -> tuple[str, ...]:
        """Return all numbers that can be chosen on this pack."""
        keys = (f"{kind}_{name}" for kind in self.all() for name in (*_NAMES, RELEASE))
        return tuple(key for key in keys if self.accepted_range(key) is not None)

    def value(self, key: str) -> float | None:
        """Return the number that is gone by; None for a number that this pack doesn't have."""
        limits, name = self._limits_of(key)
        if limits is None:
            return None
        if name == RELEASE:
            return limits.release
        return limits.limits[_NAMES.index(name)] if name in _NAMES else None

    def accepted_range(self, key: str) -> tuple[float, float] | None:
        """Return between what a number may be chosen, ends included; None for a number that this pack doesn't have."""
        limits, name = self._limits_of(key)
        if limits is None:
            return None
        row = limits.row
        scale = self._scale(row)
        if name == RELEASE:
            return row.releases[0] * scale, row.releases[1] * scale
        if name not in _NAMES:
            return None
        number = _NAMES.index(name)
        if limits.limits[number] is None:
            return None
        milder = [self._tightest(row, number), *_known(limits.limits[:number])]
        graver = [self._loosest(row, number), *_known(limits.limits[number + 1 :])]
        return (max(graver), min(milder)) if row.falls else (max(milder), min(graver))

    def problems(self) -> tuple[Problem, ...]:
        """Return the chosen numbers that lie outside of their range: beyond the board's, or in the wrong order."""
        return tuple(
            Problem(key, value, *accepted)
            for key, value in self.chosen.items()
            if (accepted := self.accepted_range(key)) is not None and not accepted[0] <= value <= accepted[1]
        )

    def _limits_of(self, key: str) -> tuple[Limits | None, str]:
        """Return the limits of the hazard that a key belongs to, if there are any on this pack, and what of them."""
        kind, _, name = key.rpartition("_")
        return self.of(Kind(kind)) if kind in FAMILIES else None, name

    def _row(self, kind: Kind) -> Row | None:
        """Return a row of the table; what counts seconds of silence can't be shorter than frames are apart."""
        row = _ROWS[self.chemistry].get(kind)
        if kind is not Kind.DATA_STALE or row is None:
            return row
        advisory_s, warning_s = (periods * self.frame_period_s for periods in _STALE_PERIODS)
        fresh_s = _FRESH_PERIODS * self.frame_period_s
        limits = max(row.limits[0] or 0, advisory_s), max(row.limits[1] or 0, warning_s), None
        least_s, most_s = (max(each, fresh_s) for each in row.releases)
        return replace(
            row,
            limits=limits,
            tightest=max(row.tightest, advisory_s),
            release=max(row.release, fresh_s),
            releases=(least_s, most_s),
        )

    def _default(self, row: Row, number: int) -> float | None:
        """Return a limit as the table has it, on this pack."""
        limit = row.limits[number]
        if limit is None:
            return None
        if row.of_setting:
            return limit * self._scale(row)
        own, inside = self._set(row), self._inside(row, number)
        if own is None or inside is None:
            return limit
        return max(limit, own + inside) if row.falls else min(limit, own - inside)

    def _tightest(self, row: Row, number: int) -> float:
        """Return how far in a level may begin: not within everyday use, unless the board's own limit is that strict."""
        milder = max if row.falls else min
        return round(milder(_known((row.tightest * self._scale(row), self._default(row, number)))), 4)

    def _loosest(self, row: Row, number: int) -> float:
        """Return how far out a level may begin: inside of the board's own limit and of what the cells bear."""
        if row.of_setting:
            return round(_HIGHEST_SHARES[number] * self._scale(row), 4)
        if row.setting is None:
            return round(_LOOSEST_FACTOR * max(_known(row.limits)), 4)
        own, inside = self._set(row), self._inside(row, -1) or 0
        if own is not None:
            own = round(own + inside if row.falls else own - inside, 4)
        strictest = max if row.falls else min
        return strictest(_known((own, self._safe(row))))

    def _inside(self, row: Row, number: int) -> float | None:
        """Return how far inside of the board's limit a level begins: less where that is close to everyday use."""
        own, inside = self._set(row), row.inside[number]
        if own is None or inside is None or row.everyday is None:
            return inside
        everyday, whole = row.everyday
        return inside * min(max((own - everyday) / whole, _LEAST_SHARE), 1)

    def _safe(self, row: Row) -> float | None:
        if row.setting is None or row.by_setting_only:
            return None
        lowest, highest = safe_range(row.setting, self.chemistry)
        return lowest if row.falls else highest

    def _scale(self, row: Row) -> float:
        """Return what the numbers of a row are multiplied by: the board's setting where they are shares of it."""
        return (self._set(row) or 0) if row.of_setting else 1

    def _set(self, row: Row) -> float | None:
        """Return the board's own limit; None where it has none, or says nothing of it."""
        if self.settings is None or row.setting is None:
            return None
        value: float | None = getattr(self.settings, row.setting)
        if value is None or not isfinite(value) or (value == 0 and not row.setting.endswith("_c")):
            return None
        if (recovery := _LATER_SETTINGS.get(row.setting)) is not None:
            recovered: float | None = getattr(self.settings, recovery)
            return value if recovered is not None and value < recovered else None
        return value


def _known(limits: Iterable[float | None]) -> list[float]:
    return [limit for limit in limits if limit is not None]
