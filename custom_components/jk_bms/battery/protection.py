"""Is the pack inside its safe operating area, and can what the board says be gone by?

The levels of a hazard are where `thresholds` has them and are confirmed and released as `debounce` says. Which hazards
are looked at depends on what the pack does. Cold harms cells that are charged: charging while too cold is a hazard, a
cold pack is none. Once raised it stays until it is warm enough, or stopping the charge would clear the way for the next
one. Where the current is unknown, what the board lets flow may flow. A spread is judged where it says something: near
the top, near the bottom, and at rest in the middle.

What can't be is never used, but never passed over either: a cell that reads what no cell can is a hazard of its own,
and what the other cells say releases nothing meanwhile. Nor is a hazard over because it is gone for a few seconds: a
lead that breaks in every other frame is a broken lead, and a charge that stutters a charge.
While nothing is heard, or the same over and over, all levels stay as they are, and the age of the data is a hazard. A
frame that was delivered twice is one frame.

What was critical when Home Assistant ended is so when it starts, until the frames release it: what was switched off for
it stays off as long as it would have without the restart.

What the pack is judged by doesn't get lost either. The chemistry, once known, is kept until another is: where the board
doesn't say it, overcharged cells look like those of another one. So is the last limit of the board that was known.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from math import inf, isfinite
from typing import Final

from ..bms.alarms import Alarm, alarms
from ..bms.telemetry import Chemistry, Settings, Telemetry
from .chemistry import chemistry_of
from .data_quality import MOSFETS, Probes, Pulse, temperatures_c
from .debounce import Bounds, Pace, Watch
from .hazards import Family, Hazard, Kind, Level
from .thresholds import PACES, Limits, Thresholds, Zones, zones

_LOWEST_CELL_V: Final = 1.0
_HIGHEST_CELL_V: Final = 4.5
_CELL_JUMP_V: Final = 0.30
_CELL_JUMP_RATE: Final = 0.1
"""A cell that jumps in one frame, while the current changed by less than this rate, has to say it twice."""
_MISMATCH_V: Final = 0.25
_MISMATCH_SHARE: Final = 0.005
_FLOWS_A: Final = 1.0
"""The boards' zero may be off by that much."""
_REST_RATE: Final = 0.05
_IMPOSSIBLE_RATINGS: Final = 3.0
_GONE_AFTER_S: Final = 5.0
"""What comes and goes is gone after so long."""

ALARM_LEVELS: Final[Mapping[Alarm, Level]] = {
    **dict.fromkeys(set(Alarm) - {Alarm.DEFAULT_PASSWORD}, Level.CRITICAL),
    **dict.fromkeys((Alarm.LEAD_RESISTANCE, Alarm.CELL_COUNT, Alarm.PCL_MODULE), Level.WARNING),
    **dict.fromkeys((Alarm.TEMPERATURE_SENSOR, Alarm.GPS_DISCONNECTED, Alarm.GPS_LOCK), Level.ADVISORY),
}
"""What an alarm of the board is as a hazard; the default password, which healthy packs have, is none."""
_NO_HAZARD: Final = 1 << Alarm.DEFAULT_PASSWORD

_HOLDS_BACK: Final[Mapping[Alarm, int]] = {Alarm.CHARGE_UNDERTEMPERATURE: 1, Alarm.DISCHARGE_UNDERTEMPERATURE: -1}
"""Alarms that are grave only as long as a current flows in that direction: else nobody is harmed by the cold."""

_USUAL: Final = Pace()
# Whether it is so, or how much of it there is: the limits are none of the pack's.
_IF_SO: Final = {
    Level.ADVISORY: Bounds((1, inf, inf), (0, inf, inf)),
    Level.WARNING: Bounds((inf, 1, inf), (inf, 0, inf)),
    Level.CRITICAL: Bounds((inf, inf, 1), (inf, inf, 0)),
}
_HELD_BACK: Final = Bounds((1, inf, 2), (0, inf, 1))
"""Of an alarm that is grave only if there is a current, too."""
_FINDINGS: Final[Mapping[Kind, tuple[Pace, Bounds]]] = {
    Kind.CELL_COUNT: (Pace(frames=(3, 3, 3)), _IF_SO[Level.CRITICAL]),
    Kind.CELL_READING: (_USUAL, _IF_SO[Level.CRITICAL]),
    Kind.VOLTAGE_MISMATCH: (Pace(after_s=(0, 0, 0), frames=(5, 5, 5)), _IF_SO[Level.ADVISORY]),
    Kind.CURRENT_READING: (_USUAL, _IF_SO[Level.WARNING]),
    Kind.PROBE_LOST: (_USUAL, Bounds((1, 2, inf), (0, 1, inf))),
    Kind.LIMITS_UNKNOWN: (_USUAL, _IF_SO[Level.ADVISORY]),
}
_OFF: Final = Bounds()


@dataclass(frozen=True, slots=True, kw_only=True)
class ProtectionConfig:
    """What the owner chose."""

    chemistry: Chemistry | None = None
    """Of the cells, where the board doesn't say it, or wrongly."""
    thresholds: Mapping[str, float] = field(default_factory=dict)
    """Numbers to go by instead of the derived ones, by the keys of `Thresholds`."""
    frame_period_s: float = 0.5
    """How often a frame is to be expected."""
    rated_current_a: float | None = None
    """By the board's model; three times that can't be a current."""


@dataclass(frozen=True, slots=True)
class ProtectionAssessment:
    """What is wrong with a pack at one moment."""

    level: Level = Level.OK
    """The gravest of all hazards."""
    hazards: tuple[Hazard, ...] = ()
    """The gravest first; of two alike the older."""
    latched: frozenset[str] = frozenset()
    """Keys of the hazards that became critical since the owner last acknowledged, whether they still are or not."""

    def level_of(self, family: Family) -> Level:
        """Return the gravest level of a family."""
        return max((hazard.level for hazard in self.hazards if hazard.family is family), default=Level.OK)


class ProtectionEngine:
    """Watches one pack.

    Of before a restart: `latched` is what was critical and not acknowledged, `critical` what was so in the end,
    `probes` are those it had, and `heard_chemistry` is what was known by then.
    """

    def __init__(
        self,
        config: ProtectionConfig,
        latched: frozenset[str] = frozenset(),
        probes: Collection[str] = (),
        heard_chemistry: Chemistry | None = None,
        critical: frozenset[str] = frozenset(),
    ) -> None:
        self.config: Final = config
        self.heard_chemistry = heard_chemistry
        """What the board has said or shown last that its cells are; not what the owner chose."""
        self.limits: dict[Kind, Limits] = {}
        """The limits that are gone by at present."""
        self._settings: Settings | None = None
        self._identified: Telemetry | None = None
        self._said_chemistry: Chemistry | None = None
        self._zones: Zones | None = None
        self._watches: Final = {
            **{kind: Watch(pace, bounds) for kind, (pace, bounds) in _FINDINGS.items()},
            **{kind: Watch(pace, _OFF) for kind, pace in PACES.items()},
        }
        self._alarms: dict[Alarm, Watch] = {}
        self._alarm_bits = 0
        """Those that there are watches for."""
        self._pulse = Pulse()
        self._probes = Probes(probes)
        self._now_s = self._judged_s = -inf
        self._present_s: dict[Kind, float] = {}
        """When what comes and goes was last there."""
        self._cell_count = 0
        self.critical = critical
        """Keys of the hazards that are critical at present."""
        self._resumes = critical
        self._assessment = ProtectionAssessment(latched=latched)
        self._derive()

    @property
    def chemistry(self) -> Chemistry | None:
        """What the cells are judged as."""
        return self.config.chemistry or self.heard_chemistry

    @property
    def waits(self) -> bool:
        """Whether something was seen that another frame would make critical."""
        return any(watch.waits(self._judged_s) for watch in (*self._watches.values(), *self._alarms.values()))

    def identify(self, telemetry: Telemetry, settings: Settings | None) -> None:
        """Find out by what a frame has to be judged, together with the settings as last read; `step` does it, too.

        Another chemistry than before counts from the second frame on that says it.
        """
        before, said = self._identified, telemetry.chemistry
        if telemetry is before and settings is self._settings:
            return
        self._identified = telemetry
        if before is not None and said is not before.chemistry:
            said = self._said_chemistry
        if settings is not self._settings or said is not self._said_chemistry:
            self._settings, self._said_chemistry = settings, said
            if self.config.chemistry is None and said is telemetry.chemistry:
                self.heard_chemistry = chemistry_of(telemetry, settings) or self.heard_chemistry
            self._derive()

    @property
    def frozen(self) -> bool:
        """Whether the board, as of the last frame, says the same over and over."""
        return self._watches[Kind.DATA_FROZEN].level is not Level.OK

    def step(
        self,
        telemetry: Telemetry,
        settings: Settings | None,
        now_s: float,
        believed_c: Mapping[str, float] | None = None,
    ) -> ProtectionAssessment:
        """Take a frame at a monotonic time in seconds, and the settings as last read; return what is wrong.

        `believed_c` are those of its temperatures, by probe, that can be; all that it says if nobody has looked.
        """
        now_s = self._now_s = max(now_s, self._now_s)
        self.identify(telemetry, settings)
        if self._resumes:
            self._resume(now_s)
        before = self._pulse.last
        silent_s = self._pulse.silent_s(now_s)
        self._watches[Kind.DATA_STALE].step(silent_s, now_s, value=silent_s)
        news = self._pulse.step(telemetry, now_s)
        frozen_s = self._pulse.frozen_s
        self._watches[Kind.DATA_FROZEN].step(frozen_s, now_s, value=frozen_s)
        if news:
            self._judged_s = now_s
            self._judge(telemetry, before, temperatures_c(telemetry) if believed_c is None else believed_c, now_s)
        return self._assess()

    def stale(self, now_s: float) -> ProtectionAssessment:
        """Return what is wrong at a time at which no frame came."""
        now_s = self._now_s = max(now_s, self._now_s)
        silent_s, watch = self._pulse.silent_s(now_s), self._watches[Kind.DATA_STALE]
        if silent_s >= watch.bounds.first:  # what brings release is frames, not that none was due yet
            watch.step(silent_s, now_s, value=silent_s)
        return self._assess()

    def excuse(self, now_s: float) -> None:
        """Take note that the silence up to now was wanted, such as in a pause: it is no stale data."""
        self._pulse.excuse(now_s)

    def acknowledge(self) -> ProtectionAssessment:
        """Take note that the owner has seen what was critical; return what is wrong."""
        assessment = self._assessment
        self._assessment = ProtectionAssessment(assessment.level, assessment.hazards)
        return self._assessment

    def _resume(self, now_s: float) -> None:
        """Go on with what was critical before a restart."""
        kinds = [kind for kind in self._watches if kind in self._resumes]
        raised = [alarm for alarm in sorted(ALARM_LEVELS) if f"{Kind.BMS_ALARM}_{alarm.key}" in self._resumes]
        self._alarms = {alarm: _alarm_watch(alarm) for alarm in raised}
        for watch in (*[self._watches[kind] for kind in kinds], *self._alarms.values()):
            watch.resume(Level.CRITICAL, now_s)
        self._resumes = frozenset()

    def _derive(self) -> None:
        """Find the limits anew; what has a level keeps it, and is released by the new ones."""
        thresholds = Thresholds(self.chemistry, self._settings, self.config.thresholds, self.config.frame_period_s)
        self._zones = zones(self.chemistry)
        derived = thresholds.all()
        self.limits = self.limits | derived
        for kind, limits in derived.items():
            self._watches[kind].bounds = limits.bounds(thresholds.outright(kind))

    def _judge(
        self, telemetry: Telemetry, before: Telemetry | None, believed_c: Mapping[str, float], now_s: float
    ) -> None:
        current_a = self._judge_current(telemetry, now_s)
        self._judge_cells(telemetry, before, current_a, now_s)
        if current_a is None:
            charges, discharges = telemetry.charge_mosfet is True, telemetry.discharge_mosfet is True
        else:
            charges, discharges = current_a > _FLOWS_A, current_a < -_FLOWS_A
        self._judge_temperatures(believed_c, now_s, charges=charges, discharges=discharges)
        self._judge_alarms(telemetry, current_a, now_s)
        self._watches[Kind.LIMITS_UNKNOWN].step(self._zones is None, now_s)

    def _judge_current(self, telemetry: Telemetry, now_s: float) -> float | None:
        """Return the current if it can be one."""
        watches = self._watches
        current_a, rated_a = telemetry.current_a, self.config.rated_current_a
        if current_a is None:
            return None
        possible = isfinite(current_a) and (not rated_a or abs(current_a) <= _IMPOSSIBLE_RATINGS * rated_a)
        if not possible:
            watches[Kind.CURRENT_READING].step(1, now_s, value=current_a if isfinite(current_a) else None)
            return None
        watches[Kind.CURRENT_READING].leave(now_s)
        for charge_a, limit, flows, closed in (
            (current_a, Kind.CHARGE_CURRENT, Kind.CHARGE_MOSFET, telemetry.charge_mosfet),
            (-current_a, Kind.DISCHARGE_CURRENT, Kind.DISCHARGE_MOSFET, telemetry.discharge_mosfet),
        ):
            watches[limit].step(charge_a, now_s, value=charge_a)
            if closed is False:
                watches[flows].step(charge_a, now_s, value=charge_a)
            else:
                watches[flows].leave(now_s)
        return current_a

    def _judge_cells(
        self, telemetry: Telemetry, before: Telemetry | None, current_a: float | None, now_s: float
    ) -> None:
        watches = self._watches
        cells = telemetry.cell_voltages_v
        expected = self._settings.cell_count if self._settings else 0
        count = self._cell_count = expected or len(cells)
        missing = count - len(cells) + cells.count(None)
        possible_v = [each for each in cells if each is not None and _LOWEST_CELL_V <= each <= _HIGHEST_CELL_V]
        impossible = len(cells) - cells.count(None) - len(possible_v)
        if missing:
            watches[Kind.CELL_COUNT].step(1, now_s, value=count - missing)
        if impossible:
            self._find_impossible_cell(cells, now_s)
        for kind, present in ((Kind.CELL_COUNT, missing != 0), (Kind.CELL_READING, impossible != 0)):
            if self._is_gone(kind, now_s, present=present):
                watches[kind].leave(now_s)
        whole = not (missing or impossible)
        mismatched = whole and self._judge_sum(telemetry, sum(possible_v), now_s)
        if not possible_v:
            return
        if (pack_v := telemetry.pack_voltage_v) and isfinite(pack_v):
            mean_v = pack_v / count
            watches[Kind.PACK_HIGH].step(mean_v, now_s, value=pack_v, trusted=not mismatched)
            watches[Kind.PACK_LOW].step(-mean_v, now_s, value=pack_v, trusted=not mismatched)
        highest_v, lowest_v = max(possible_v), min(possible_v)
        self._judge_cell(Kind.CELL_HIGH, highest_v, highest_v, telemetry, before, now_s, whole=whole)
        self._judge_cell(Kind.CELL_LOW, lowest_v, -lowest_v, telemetry, before, now_s, whole=whole)
        if self._zones is not None:
            self._judge_spread(self._zones, highest_v, lowest_v, telemetry, current_a, now_s, whole=whole)
        else:
            self._watches[Kind.SPREAD_TOP].leave(now_s)  # only of before a restart: nobody knows any more what it says

    def _is_gone(self, kind: Kind, now_s: float, *, present: bool) -> bool:
        """Return whether what comes and goes hasn't been there for a while."""
        if present:
            self._present_s[kind] = now_s
        return now_s - self._present_s.get(kind, -inf) >= _GONE_AFTER_S

    def _find_impossible_cell(self, cells: tuple[float | None, ...], now_s: float) -> None:
        number, reading_v = next(
            (number, each)
            for number, each in enumerate(cells, 1)
            if each is not None and not _LOWEST_CELL_V <= each <= _HIGHEST_CELL_V
        )
        value = reading_v if isfinite(reading_v) else None
        self._watches[Kind.CELL_READING].step(1, now_s, value=value, cell=number)

    def _judge_sum(self, telemetry: Telemetry, total_v: float, now_s: float) -> bool:
        """Hold the pack voltage against the cells; return whether they disagree."""
        pack_v = telemetry.pack_voltage_v
        if pack_v is None or not isfinite(pack_v):
            return False
        off_v = abs(pack_v - total_v)
        mismatched = off_v > max(_MISMATCH_V, _MISMATCH_SHARE * total_v)
        self._watches[Kind.VOLTAGE_MISMATCH].step(mismatched, now_s, value=off_v)
        return mismatched

    def _judge_cell(
        self,
        kind: Kind,
        voltage_v: float,
        danger: float,
        telemetry: Telemetry,
        before: Telemetry | None,
        now_s: float,
        *,
        whole: bool,
    ) -> None:
        watch = self._watches[kind]
        if watch.is_calm_at(danger):
            return
        number = telemetry.cell_voltages_v.index(voltage_v)
        trusted = not self._jumps(number, telemetry, before)
        watch.step(danger, now_s, value=voltage_v, cell=number + 1, trusted=trusted, whole=whole)

    def _jumps(self, number: int, telemetry: Telemetry, before: Telemetry | None) -> bool:
        """Whether a cell, counted from 0, jumped in one frame without the current having done so."""
        if before is None or number >= len(before.cell_voltages_v):
            return False
        voltage_v, before_v = telemetry.cell_voltages_v[number], before.cell_voltages_v[number]
        if voltage_v is None or before_v is None or abs(voltage_v - before_v) <= _CELL_JUMP_V:
            return False
        step_a = abs((telemetry.current_a or 0) - (before.current_a or 0))
        return step_a < _CELL_JUMP_RATE * (self._capacity_ah(telemetry) or inf)

    def _judge_spread(
        self,
        spans: Zones,
        highest_v: float,
        lowest_v: float,
        telemetry: Telemetry,
        current_a: float | None,
        now_s: float,
        *,
        whole: bool,
    ) -> None:
        watches = self._watches
        cells, capacity_ah = telemetry.cell_voltages_v, self._capacity_ah(telemetry)
        spread_v = round(highest_v - lowest_v, 6)
        for kind, says, first_v in (
            (Kind.SPREAD_TOP, highest_v >= spans.top_v, highest_v),
            (Kind.SPREAD_BOTTOM, lowest_v <= spans.bottom_v, lowest_v),
        ):
            if says:
                watches[kind].step(spread_v, now_s, value=spread_v, cell=cells.index(first_v) + 1, whole=whole)
            elif whole:
                watches[kind].leave(now_s)
        rests = current_a is not None and capacity_ah is not None and abs(current_a) < _REST_RATE * capacity_ah
        if rests and spans.plateau_v[0] <= lowest_v and highest_v <= spans.plateau_v[1]:
            cell = cells.index(highest_v) + 1
            watches[Kind.SPREAD_PLATEAU].step(spread_v, now_s, value=spread_v, cell=cell, whole=whole)
        else:
            watches[Kind.SPREAD_PLATEAU].pause()

    def _capacity_ah(self, telemetry: Telemetry) -> float | None:
        nominal_ah = self._settings.nominal_capacity_ah if self._settings else None
        return nominal_ah or telemetry.full_charge_capacity_ah or None

    def _judge_temperatures(
        self, believed_c: Mapping[str, float], now_s: float, *, charges: bool, discharges: bool
    ) -> None:
        watches, probes = self._watches, self._probes
        probes.step(believed_c)
        if probes.lost is None:
            watches[Kind.PROBE_LOST].leave(now_s)
        else:
            watches[Kind.PROBE_LOST].step(2 if probes.all_lost else 1, now_s, probe=probes.lost)
        if probes.coldest and probes.warmest:
            only_charges = charges and not discharges
            coldest_c, coldest = probes.coldest
            warmest_c, warmest = probes.warmest
            for kind, danger, value_c, probe, up_to in (
                (Kind.CHARGE_COLD, -coldest_c, coldest_c, coldest, Level.CRITICAL if charges else Level.OK),
                (Kind.DISCHARGE_COLD, -coldest_c, coldest_c, coldest, Level.CRITICAL if discharges else Level.OK),
                # What is hot at rest is no less so, and the board bars the charge whether there is one or not.
                (Kind.CHARGE_HOT, warmest_c, warmest_c, warmest, Level.CRITICAL if charges else Level.WARNING),
                (Kind.DISCHARGE_HOT, warmest_c, warmest_c, warmest, Level.OK if only_charges else Level.CRITICAL),
            ):
                watch, harms = watches[kind], up_to is Level.CRITICAL
                if not watch.is_calm_at(danger) and (self._is_gone(kind, now_s, present=harms) or harms):
                    watch.step(danger, now_s, value=value_c, probe=probe, up_to=up_to)
        if probes.spread_k is not None and probes.warmest:
            watches[Kind.PROBE_SPREAD].step(probes.spread_k, now_s, value=probes.spread_k, probe=probes.warmest[1])
        elif watches[Kind.PROBE_LOST].level and not probes.all_lost:  # a difference that nobody can tell any more
            watches[Kind.PROBE_SPREAD].leave(now_s)
        if (mos_c := believed_c.get(MOSFETS)) is not None:
            watches[Kind.MOS_HOT].step(mos_c, now_s, value=mos_c, probe=MOSFETS)

    def _judge_alarms(self, telemetry: Telemetry, current_a: float | None, now_s: float) -> None:
        if telemetry.alarm_bits is None:
            return
        bits = telemetry.alarm_bits & ~_NO_HAZARD
        if not (bits or self._alarms):
            return
        if bits != self._alarm_bits:
            self._alarm_bits = bits
            for alarm in alarms(bits):
                if alarm not in self._alarms:
                    self._alarms[alarm] = _alarm_watch(alarm)
        for alarm, watch in tuple(self._alarms.items()):
            raised = bits >> alarm & 1
            flows = current_a is None or current_a * _HOLDS_BACK.get(alarm, 0) > _FLOWS_A
            watch.step(raised << flows, now_s)
            if watch.is_idle:
                del self._alarms[alarm]

    def _assess(self) -> ProtectionAssessment:
        """Return what all watches have come to; the last assessment again if nothing was and nothing is wrong."""
        before = self._assessment
        hazards = [self._hazard(kind, watch) for kind, watch in self._watches.items() if watch.level]
        hazards += [self._hazard(Kind.BMS_ALARM, watch, alarm) for alarm, watch in self._alarms.items() if watch.level]
        if not (hazards or before.hazards):
            return before
        hazards.sort(key=lambda hazard: (-hazard.level, hazard.since_s))
        latched = before.latched
        critical = frozenset([hazard.key for hazard in hazards if hazard.level is Level.CRITICAL])
        if critical != self.critical:
            latched |= critical - self.critical
            self.critical = critical
        level = hazards[0].level if hazards else Level.OK
        self._assessment = ProtectionAssessment(level, tuple(hazards), latched)
        return self._assessment

    def _hazard(self, kind: Kind, watch: Watch, alarm: Alarm | None = None) -> Hazard:
        value, cell, probe = watch.seen
        limits = self.limits.get(kind)
        limit = None if limits is None else limits.limits[watch.level - 1]
        if limit is not None and kind in (Kind.PACK_HIGH, Kind.PACK_LOW):
            limit *= self._cell_count
        return Hazard(
            kind=kind,
            level=watch.level,
            value=value,
            limit=limit,
            since_s=watch.since_s,
            cell=cell,
            probe=probe,
            alarm=alarm,
        )


def _alarm_watch(alarm: Alarm) -> Watch:
    return Watch(_USUAL, _HELD_BACK if alarm in _HOLDS_BACK else _IF_SO[ALARM_LEVELS[alarm]])
