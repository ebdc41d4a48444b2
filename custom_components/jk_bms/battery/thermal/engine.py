"""How serious is the heat of this pack, and where does it go?

Every frame passes the gates, the fast slopes and the comparison of the probes; every five seconds the slow slopes, the
model of the pack and the forecast follow. Nothing grows: what is kept is some numbers a probe and four a cell.

It began as the reference engine of the guide on thermal trends. What was tried beyond it, and gave, in the scenarios
there (delay to a level as a share of the reference's, mean over the faults; error of a forecast of 25 to 35 minutes):

- The slope at which a probe leaves the others leads its difference by eight minutes, four for level 3, and what is far
  above a threshold waits for less: 0.70 instead of 1. A lead of eight minutes for level 3 too gave 0.63, and a false
  level 3 for the tab of a healthy cell at 3 C.
- Habits of the probes against a common level instead of bases against the median of the others: a probe that comes or
  goes doesn't move the differences of the rest.
- A time constant of 5.2 hours, as an owner's JK pack has it, instead of the 3.75 of heat capacity over the cabinet's
  walls: the cells cool through the air between, 1.1 to 0.5 minutes. Longer memories of the slope made it worse (2.1 at
  a slope noise of 6e-13): what drifts is the heat itself.
- For a swinging load the mean of the square of the current since the last lasting step, up to an hour, the lag of the
  probes in the input, and a slope with a memory of a quarter of an hour: 18 to 4 minutes. For steady heating that
  slope is worse, 2.4 for 0.5, so it is used for swings only.
- The heating by current is learned from the swings, by the sensitivity of the prediction to it: from a tenth of the
  prior on within minutes; least squares over ten-minute means take days, and the sun for the charger.
- Habits are learned within an hour for six hours after the heater, and the thresholds take as long to come back: two
  months of winter with a probe on an end cell gave 22 false differences before, 2 with the first and none with both.
- What heats all cells tells the unlike ones apart: 0.25 of the heat that has come since the habits were learned, by
  load or unexplained, and 0.02 of all warmth, on top of the thresholds. A false difference in 9 of 40 runs of common
  heat and heavy loads before, one of level 3; none since, nor level 3 for a heater mat that nobody tells of, which the
  load alone leaves. Delays stay at 0.72 of the reference's. To learn the shares of each probe in load, warmth
  and heater instead leaves no less than habits do (least squares over two months, 0.54 for 0.57 °C on an end cell in
  winter, 0.48 for 0.30 on another in spring).
- The voltage witness within 3.15 to 3.40 V cried 91 times a year, all at the ends of the curve or with a habit learned
  there; by the voltage without the load, 3.20 to 3.346 V for a quarter of an hour, not once in 90 days.
- The second of two surprising readings moves the slow slope, not the first: in return no single frame raises a level.
- A growing slope as a forecast of its own (accelerating heat) was left out: every load step looks like one for a
  quarter of an hour.
- What was loaded and rests for a minute is forecast without the load: 50 °C within half an hour, which never came, was
  said for 0.32 % of the time of healthy recordings before and is for 0.13 % since.
- A surprise of 0.2 °C, three times the noise, is no level, but a slow link is asked for frames at once for half a
  minute: of crushed cells that are polled each 30 s 93 % are seen before the voltage collapses, 78 % before; only 82 %
  have any poll between the first degree and the collapse.
- One steady slope for the pack instead of one a probe saves 1 kB of 13; forecasts for a swinging load are off by 8
  minutes then instead of 5.
- Probes far from a crushed cell have risen by 1.5 °C 11 s before the collapse or later in four of six recordings; two
  frames later it is seen (8.6 s), a shorter memory of the fast slope changes nothing, and a level for less than that
  would be one for every load.
- A short seen by the voltage of its cell alone: level 3 after two minutes at rest, wherever the probes are, where
  temperature takes 80; the sags that were measured this way are simulated ones.
"""

from __future__ import annotations

from dataclasses import replace
from math import inf, isfinite
from typing import Final, TypedDict

from .causes import Causes
from .config import ThermalConfig
from .difference import THRESHOLDS_C, Unlikeness, heater_factor, median, median_of_others
from .forecast import ahead_c, crossing_s
from .gate import ProbeGate, may_be_temperature
from .interface import (
    LOCAL_CAUSES,
    Cause,
    Crossing,
    ProbeFault,
    ThermalAssessment,
    ThermalCause,
    ThermalLevel,
    ThermalSample,
)
from .levels import Ladder
from .mosfet import Mosfets
from .pack_model import Load, PackModel
from .probe import Probe
from .unexplained import ALARM_C, UnexplainedHeating
from .witness import Sag, VoltageWitness

_TICK_S: Final = 4.5
_BLIND_AFTER_S: Final = 60.0
_UNKNOWN_AFTER_S: Final = 600.0
_HEATED_FOR_S: Final = 3600.0
_LAST_S: Final = 10_800.0
_SPREAD_AFTER_S: Final = 600.0
_SPREAD_C: Final = (8.0, 15.0)
_BEGUN_S: Final = 1e-3
_SPREAD_FOR_S: Final = 86_400.0
_STILL_AFTER_S: Final = 600.0
_DRIFT_C_S: Final = 0.015 / 60
"""Cells that are cooled unequally drift apart like this while all get hot."""
_STILL_RISING_C_S: Final = 0.01 / 60
_RISING_C_S: Final = 0.02 / 60
_FAST_C_MIN: Final = (3.0, 8.0)
_MOST_A: Final = 1000.0
"""The settings of the boards end at 600 A; one wrong frame must not explain an hour of heat."""
_SECOND_C_S: Final = 3.0 / 60
_SAG_MV: Final = 25.0
_STRANGE_C: Final = 25.0
"""No pack that was left alone is that uneven."""
_FAN_GAIN_C: Final = 2.0
_COLD_C: Final = 10.0
_REST_SHARE: Final = 0.05
_REST_AFTER_S: Final = 60.0
_SWINGING_SHARE: Final = 0.3
_SWING: Final = 0.2
_NEVER: Final = float("-inf")

type _Going = tuple[int, float, float, float, float]
"""A probe, its level and slope, and their standard errors."""
type _Forecast = tuple[ThermalLevel, float, float, float, int]
"""What a forecast speaks for, the temperature that is forecast and its limit, and the slope of which probe."""


class Memory(TypedDict):
    """What is worth keeping over a restart, for JSON."""

    habits_c: list[float | None]
    """Of each probe, as with the cells: None where nothing has been learned."""
    model: list[float]
    mosfets: list[float]
    cell_habits_v: list[float | None]
    level: list[float]


class ThermalEngine:
    """Judges one pack. `remembered` is what an earlier engine of the same pack returned from `remember`."""

    __slots__ = (
        "_accepted_s",
        "_believed_c",
        "_common_c",
        "_config",
        "_crossings",
        "_first_s",
        "_forecasts",
        "_frame_s",
        "_habits_c",
        "_heated_s",
        "_heating_c_s",
        "_hold_a",
        "_knew_habits",
        "_ladder",
        "_load",
        "_median_c",
        "_model",
        "_mos_ahead_c",
        "_mos_c",
        "_mos_gate",
        "_mosfets",
        "_predicted_c",
        "_probes",
        "_rest_s",
        "_result",
        "_since_s",
        "_spread_s",
        "_square_s",
        "_square_sum",
        "_step_c",
        "_tick_s",
        "_unexplained",
        "_unexplained_c_s",
        "_unlikeness",
        "_waiting",
        "_witness",
    )

    def __init__(self, config: ThermalConfig, remembered: object = None) -> None:
        self._config = config
        self._habits_c = _habits(remembered, "habits_c")
        self._knew_habits = any(habit_c is not None for habit_c in self._habits_c)
        self._model = PackModel(config, _remembered(remembered, "model"))
        self._mosfets = Mosfets(_remembered(remembered, "mosfets"))
        self._witness = VoltageWitness(config, _habits(remembered, "cell_habits_v"))
        self._ladder = Ladder(_remembered(remembered, "level"), config.frame_period_s)
        self._mos_gate = ProbeGate(cools_fast=True)
        self._load = Load()
        self._unlikeness = Unlikeness(learned=self._knew_habits)
        self._unexplained = UnexplainedHeating()
        self._probes: list[Probe] = []
        self._since_s: dict[Cause, float] = {}
        self._first_s: float | None = None
        self._frame_s = self._tick_s = 0.0
        self._square_sum = self._square_s = self._rest_s = 0.0
        self._median_c: float | None = None
        self._common_c: float | None = None
        self._accepted_s: float | None = None
        self._believed_c: tuple[float | None, ...] = ()
        self._mos_c: float | None = None
        self._heated_s = _NEVER
        self._step_c = 1.0
        self._spread_s = [0.0, 0.0]
        self._waiting = False
        self._result: ThermalAssessment | None = None
        self._forecasts: tuple[_Forecast, ...] = ()
        self._predicted_c: float | None = None
        self._crossings: tuple[Crossing, ...] = ()
        self._heating_c_s: float | None = None
        self._unexplained_c_s: float | None = None
        self._mos_ahead_c: float | None = None
        self._hold_a: float | None = None

    def adapt(self, config: ThermalConfig) -> None:
        """Go by another capacity, other thresholds, another limit of the MOSFETs or plateau from the next frame on.

        It is the same pack, whatever a setting says: its level, and since when, its slopes and its habits go on. Only
        the model of another capacity begins anew, with the shares of its prior that have been learned.
        """
        before, self._config = self._config, config
        self._witness.adapt(config)
        if config.joule_prior_c_s_a2 != before.joule_prior_c_s_a2:
            self._model = PackModel(config, self._model.learned)

    def step(self, sample: ThermalSample | None, now_s: float) -> ThermalAssessment:
        """Take a frame at a monotonic time in seconds; None if there was none, only time has passed."""
        if self._first_s is None:
            self._first_s = self._frame_s = self._tick_s = now_s
            self._ladder.begin(now_s)
        elif now_s <= self._frame_s and self._result is not None:
            return self._result
        if sample is None:
            self._result = self._silence(self._result, now_s)
            return self._result
        since_s = now_s - self._frame_s
        self._frame_s = now_s
        current_a = _finite(sample.current_a)
        if current_a is not None and abs(current_a) > _MOST_A:
            current_a = None
        if current_a is not None:
            self._square_sum += current_a * current_a * since_s
            self._square_s += since_s
        if sample.heating:
            self._heated_s = now_s
        self._witness.step(sample.cell_voltages_v, current_a, sample.balancing_cells, now_s)
        self._sense(sample, since_s, now_s)
        counting = [index for index, probe in enumerate(self._probes) if probe.gate.counts(now_s)]
        self._compare(counting, since_s, now_s)
        if now_s - self._tick_s >= _TICK_S:
            self._tick(counting, _finite(sample.ambient_c), now_s)
        causes = self._causes(counting, since_s, now_s)
        self._climb(causes, counting, now_s)
        self._result = self._assess(causes, counting, sample, now_s)
        return self._result

    def _silence(self, before: ThermalAssessment | None, now_s: float) -> ThermalAssessment:
        """Return what is known without a frame: until it is blind, what was known with the last one."""
        said = self._assess(() if before is None else before.causes, [], None, now_s)
        if before is None or said.blind_since_s is not None:
            return said
        return replace(
            said,
            hottest_c=before.hottest_c,
            difference_c=before.difference_c,
            difference_probe=before.difference_probe,
            cooling_helps=before.cooling_helps,
        )

    def _sense(self, sample: ThermalSample, since_s: float, now_s: float) -> None:
        """Let the gates and the fast slopes see the frame."""
        raws_c = sample.probes_c
        while len(self._probes) < len(raws_c):
            index = len(self._probes)
            habit_c = self._habits_c[index] if index < len(self._habits_c) else None
            self._probes.append(Probe(habit_c))
        del self._probes[len(raws_c) :]
        median_c, mos_c = self._median_c, sample.mos_temperature_c
        waiting: list[Probe] = []
        missing: list[Probe] = []
        for probe, raw_c in zip(self._probes, raws_c, strict=True):
            gate = probe.gate
            others_c = _strangers_c(raw_c, raws_c, mos_c) if median_c is None else median_c
            if gate.step(_finite(raw_c), now_s, since_s, probe.fast.slope_c_s, others_c, mos_c):
                self._take(probe, now_s)
            elif gate.candidate_c(now_s) is None:
                missing.append(probe)
            else:
                waiting.append(probe)
        candidates_c = {probe.gate.candidate_c(now_s) for probe in waiting}
        if len(candidates_c) > 1 or (waiting and self._witness.sag >= Sag.CLEAR):
            for probe in waiting:
                probe.gate.confirm(now_s)
                self._take(probe, now_s)
            waiting = []
        self._waiting = any(probe.waits(now_s, self._step_c) for probe in self._probes)
        for probe in missing + waiting:
            probe.miss(now_s, stopping=self._ladder.level >= ThermalLevel.STOP)
        self._mos_gate.step(_finite(mos_c), now_s, since_s, 0.0, median_c)
        # What a start finds is believed from the second frame on.
        self._waiting |= self._mos_gate.waits(now_s) or now_s == self._first_s
        self._believed_c = tuple([probe.gate.believed_c(now_s) for probe in self._probes])
        self._mos_c = self._mos_gate.believed_c(now_s)

    def _take(self, probe: Probe, now_s: float) -> None:
        value_c = probe.gate.accepted_c or 0.0  # it has just accepted one
        probe.take(value_c, now_s)
        self._accepted_s = now_s
        if self._step_c > 0.1 and value_c % self._step_c:
            self._step_c = 0.5 if value_c % 0.5 == 0.0 else 0.1

    def _compare(self, counting: list[int], since_s: float, now_s: float) -> None:
        """Follow the difference of each probe to the others."""
        probes = [self._probes[index] for index in counting]
        levels_c = [probe.fast.level_c for probe in probes]
        self._median_c = median(sorted(levels_c)) if levels_c else None
        count = len(probes)
        if count < 2:
            for probe in probes:
                probe.difference.value_c = None
            return
        own_c = _without_habit(probes, levels_c)
        ordered_c = sorted(own_c or levels_c)
        common_c = self._common_c = median(ordered_c)
        if len(own_c) < count:
            for probe, level_c in zip(probes, levels_c, strict=True):
                if probe.difference.habit_c is None:
                    probe.difference.habit_c = level_c - common_c
            own_c = _without_habit(probes, levels_c)
            ordered_c = sorted(own_c)
        values_c = [value_c - median_of_others(ordered_c, value_c) for value_c in own_c]
        heated_s = now_s - self._heated_s
        limit_c = THRESHOLDS_C[0] * heater_factor(heated_s) + self._unlikeness.allowed_c
        # With few probes the one that heats makes the others look cold: they mustn't get used to that either.
        weight = (count - 1) / count if count < 4 else 1.0
        all_suspicious = count < 4 and max(values_c) >= limit_c
        for probe, value_c in zip(probes, values_c, strict=True):
            suspicious = all_suspicious or value_c >= limit_c
            probe.difference.follow(value_c, since_s, weight=weight, heated_s=heated_s, suspicious=suspicious)

    def _heated(self, now_s: float) -> bool:
        return now_s - self._heated_s < _HEATED_FOR_S

    def _tick(self, counting: list[int], ambient_c: float | None, now_s: float) -> None:
        """What is done every five seconds: slow slopes, model, forecast, MOSFETs."""
        since_s = now_s - self._tick_s
        self._tick_s = now_s
        model = self._model
        known = self._square_s > 0.0
        square_a2 = self._square_sum / self._square_s if known else 0.0
        self._square_sum = self._square_s = 0.0
        if known:
            self._load.step(square_a2, since_s)
            self._mosfets.heat(square_a2, since_s)
        if self._common_c is not None:
            # What heats all of them, known or not, heats them unevenly.
            heats_c_s = model.joule_c_s_a2 * self._load.lagged_a2 + max(0.0, self._unexplained_c_s or 0.0)
            self._unlikeness.step(self._common_c, heats_c_s, since_s)
        swing_c_s = _SWING * model.joule_c_s_a2 * self._load.spread_a2
        means_c: dict[int, float] = {}
        for index, probe in enumerate(self._probes):
            if probe.count:
                explained_c_s = model.explained_c_s(probe.slow.level_c, self._load.lagged_a2, ambient_c)
                means_c[index] = probe.slow_step(
                    now_s, explained_c_s, swing_c_s, self._step_c, self._config.slope_noise_c2_s3
                )
            probe.leaving_c_s = 0.0
        ready = [(index, self._probes[index]) for index in counting if self._probes[index].ready(now_s)]
        slopes_c_s = sorted([probe.slow.slope_c_s for _, probe in ready])
        self._unexplained_c_s = median(slopes_c_s) if slopes_c_s else None
        if len(ready) > 1:
            for _, probe in ready:
                if not probe.settled(now_s):
                    continue
                leaving_c_s = probe.slow.slope_c_s - median_of_others(slopes_c_s, probe.slow.slope_c_s)
                doubt_c_s = probe.slow.slope_sigma_c_s + _DRIFT_C_S
                probe.leaving_c_s = max(0.0, leaving_c_s - doubt_c_s) + min(0.0, leaving_c_s + doubt_c_s)
        levels_c = sorted([self._probes[index].fast.level_c for index in counting])
        if len(levels_c) > 1:
            for index in counting:
                probe = self._probes[index]
                probe.gate.compare(median_of_others(levels_c, probe.fast.level_c), now_s)
        disturbed = self._heated(now_s) or since_s > _BLIND_AFTER_S
        if self._unexplained_c_s is not None and self._median_c is not None:
            self._unexplained.step(self._unexplained_c_s * 60.0, since_s, now_s, disturbed=disturbed)
            usual = not disturbed and self._unexplained.sum_c == 0.0 and self._ladder.level <= ThermalLevel.COOL
            model.learn_cooling(self._median_c, square_a2, ambient_c, since_s, usual=usual)
            ready_c = sorted([means_c[index] for index, _ in ready if index in means_c])
            if known and ready_c:
                model.learn_joule(median(ready_c), self._load.lagged_a2, ambient_c, since_s, now_s, self._step_c)
        resting = known and square_a2 < (_REST_SHARE * self._config.capacity_ah) ** 2
        self._rest_s = min(self._rest_s + since_s, _REST_AFTER_S) if resting else 0.0
        # A load that has ended heats no more; one that pauses for a moment does.
        mean_a2 = square_a2 if self._rest_s >= _REST_AFTER_S else self._load.mean_a2 or 0.0
        self._predict(ready, mean_a2, ambient_c)
        self._mos_ahead_c = None
        mos_c = self._mos_gate.accepted_c
        if known and mos_c is not None and self._mos_gate.counts(now_s):
            loaded = square_a2 > (0.3 * self._config.capacity_ah) ** 2
            self._mosfets.step(mos_c, self._median_c, since_s, loaded=loaded)
            self._mos_ahead_c = self._mosfets.ahead_c(mos_c, mean_a2, 900.0)

    def _predict(self, ready: list[tuple[int, Probe]], mean_a2: float, ambient_c: float | None) -> None:
        model, thresholds = self._model, self._config.thresholds
        tau_s = model.tau_s
        swing_c_s = 0.5 * model.joule_c_s_a2 * self._load.spread_a2
        swinging = self._load.spread_a2 > _SWINGING_SHARE * (self._load.mean_a2 or 0.0)
        going: list[_Going] = []
        for index, probe in ready:
            slow = probe.steady if swinging else probe.slow
            slope_c_s = slow.slope_c_s + model.explained_c_s(slow.level_c, mean_a2, ambient_c)
            going.append((index, slow.level_c, slope_c_s, slow.level_sigma_c, slow.slope_sigma_c_s + swing_c_s))
        self._hold_a = None
        # Without a thermometer in the room, what it takes is in what isn't explained, at the temperature of now.
        from_c = self._median_c if ambient_c is None and ready else ambient_c
        if from_c is not None and model.joule_c_s_a2 > 0.0:
            room_c_s = (thresholds.target_c - from_c) / tau_s - (self._unexplained_c_s or 0.0)
            self._hold_a = (max(0.0, room_c_s) / model.joule_c_s_a2) ** 0.5
        if not going:
            self._forecasts, self._crossings = (), ()
            self._predicted_c = self._heating_c_s = None
            return
        forecasts: list[_Forecast] = []
        for level, horizon_s, limit_c in (
            (ThermalLevel.STOP, 300.0, thresholds.stop_forecast_c),
            (ThermalLevel.REDUCE, 1200.0, thresholds.reduce_forecast_c),
            (ThermalLevel.COOL, 1800.0, thresholds.cool_forecast_c),
        ):
            temperature_c, rise_c_s, at = max(
                (ahead_c(level_c, slope_c_s, tau_s, horizon_s), slope_c_s, index)
                for index, level_c, slope_c_s, *_ in going
            )
            if temperature_c >= limit_c and rise_c_s > 0.0:
                forecasts.append((level, temperature_c, limit_c, rise_c_s, at))
        self._forecasts = tuple(forecasts)
        self._predicted_c = temperature_c
        self._heating_c_s = max(slope_c_s for _, _, slope_c_s, *_ in going)
        self._crossings = tuple(_crossing(threshold_c, going, tau_s) for threshold_c in thresholds.shown_c)

    def _causes(self, counting: list[int], since_s: float, now_s: float) -> tuple[ThermalCause, ...]:
        """Return what speaks for a level now."""
        causes = Causes(self._since_s, now_s)
        for index, probe in enumerate(self._probes):
            if now_s < probe.lost_until_s:
                level = ThermalLevel.EMERGENCY if probe.lost_while_stopping else ThermalLevel.STOP
                causes.add(Cause.PROBE_LOST, level, probe.gate.accepted_c, None, probe.fast.slope_c_s, index)
        local = [self._local_level(causes, index, counting, since_s, now_s) for index in counting]
        self._add_joint(causes, counting, local)
        self._add_spread(causes, counting, since_s, now_s)
        for level, temperature_c, limit_c, slope_c_s, index in self._forecasts:
            causes.add(Cause.FORECAST, level, temperature_c, limit_c, slope_c_s, index)
        if self._unexplained.sum_c > ALARM_C and self._unexplained_c_s is not None:
            causes.add(
                Cause.UNEXPLAINED_HEATING, ThermalLevel.COOL, self._unexplained.sum_c, ALARM_C, self._unexplained_c_s
            )
        self._add_mosfets(causes, now_s)
        found = causes.found()
        self._since_s = {cause.cause: cause.since_s for cause in found}
        return found

    def _local_level(self, causes: Causes, index: int, counting: list[int], since_s: float, now_s: float) -> int:
        """Add what one probe speaks for; return the level of what is of this spot."""
        probe = self._probes[index]
        fast_c_s, temperature_c = probe.fast.slope_c_s, probe.gate.confirmed_c
        if (reached := self._config.thresholds.reached(temperature_c)) is not None:
            level, limit_c = reached
            causes.add(Cause.TEMPERATURE, level, temperature_c, limit_c, fast_c_s, index)
        factor = heater_factor(now_s - self._heated_s)
        fresh_s = since_s if probe.gate.accepted_s == now_s else 0.0
        difference, rate = probe.difference.judge(
            fast_c_s,
            probe.leaving_c_s,
            fresh_s,
            factor=factor,
            allowed_c=self._unlikeness.allowed_c,
            step_c=self._step_c,
        )
        if difference:
            value_c = probe.difference.value_c
            limit_c = THRESHOLDS_C[difference - 1] * factor + self._unlikeness.allowed_c
            causes.add(Cause.DIFFERENCE, ThermalLevel(difference), value_c, limit_c, fast_c_s, index)
        if rate:
            causes.add(Cause.FAST_RISE, ThermalLevel(rate), fast_c_s * 60.0, _FAST_C_MIN[rate - 2], fast_c_s, index)
        if now_s < probe.spike_until_s:
            rate = ThermalLevel.STOP
            causes.add(Cause.SPIKE, ThermalLevel.STOP, temperature_c, None, fast_c_s, index)
        if now_s < probe.violent_until_s:
            rate = ThermalLevel.STOP
            agreed_c = self._config.thresholds.violent_emergency_c
            agreed = (
                temperature_c >= agreed_c
                or self._witness.sag >= Sag.CLEAR
                or any(self._probes[other].fast.slope_c_s > _SECOND_C_S for other in counting if other != index)
            )
            worst = ThermalLevel.EMERGENCY if agreed else ThermalLevel.STOP
            causes.add(Cause.VIOLENT, worst, temperature_c, agreed_c, fast_c_s, index)
        return max(difference, rate)

    def _add_joint(self, causes: Causes, counting: list[int], local: list[int]) -> None:
        """Add what several witnesses say together, or one for long."""
        probes = [self._probes[index] for index in counting]
        worst = max(local, default=0)
        witness = self._witness
        if witness.sag >= Sag.CLEAR:
            if worst >= ThermalLevel.STOP:
                level = ThermalLevel.EMERGENCY
            else:
                level = ThermalLevel.STOP if worst or witness.sag is Sag.SHORT else ThermalLevel.COOL
            sag_mv = None if witness.sag_v is None else -witness.sag_v * 1000.0
            causes.add(Cause.CELL_SAG, level, sag_mv, _SAG_MV, cell=witness.cell)
        if worst < ThermalLevel.REDUCE:
            return
        stopping = [probe for probe, level in zip(probes, local, strict=True) if level >= ThermalLevel.STOP]
        fastest_c_s = max((probe.fast.slope_c_s for probe in stopping), default=0.0)
        if len(stopping) > 1 and fastest_c_s * 60.0 > _FAST_C_MIN[1]:
            causes.add(Cause.FAST_RISE, ThermalLevel.EMERGENCY, fastest_c_s * 60.0, _FAST_C_MIN[1], fastest_c_s)
        for index, probe in zip(counting, probes, strict=True):
            if probe.difference.second_s >= _STILL_AFTER_S and probe.leaving_c_s > _STILL_RISING_C_S:
                value_c = probe.difference.value_c
                causes.add(Cause.DIFFERENCE, ThermalLevel.STOP, value_c, None, probe.fast.slope_c_s, index)

    def _add_spread(self, causes: Causes, counting: list[int], since_s: float, now_s: float) -> None:
        """The backstop of the first day of a pack of which nothing was remembered."""
        if self._knew_habits or self._first_s is None or now_s - self._first_s > _SPREAD_FOR_S or len(counting) < 2:
            return
        levels_c = [self._probes[index].fast.level_c for index in counting]
        spread_c = max(levels_c) - min(levels_c)
        for index, limit_c in enumerate(_SPREAD_C):
            if spread_c <= limit_c:
                self._spread_s[index] = 0.0
                continue
            # The first frame counts nothing: of a gap before it nobody knows how much was like that.
            spread_s = self._spread_s[index]
            self._spread_s[index] = min(spread_s + since_s, _SPREAD_AFTER_S) if spread_s else _BEGUN_S
            if self._spread_s[index] >= _SPREAD_AFTER_S:
                probe = counting[levels_c.index(max(levels_c))]
                causes.add(Cause.SPREAD, ThermalLevel(index + 1), spread_c, limit_c, probe=probe)

    def _add_mosfets(self, causes: Causes, now_s: float) -> None:
        limit_c, gate = self._config.mos_limit_c, self._mos_gate
        if limit_c is None or not gate.counts(now_s):
            return
        if gate.confirmed_c >= limit_c - 12.0:
            causes.add(Cause.MOS_TEMPERATURE, ThermalLevel.REDUCE, gate.confirmed_c, limit_c - 12.0)
        if self._mos_ahead_c is not None and self._mos_ahead_c >= limit_c - 10.0:
            causes.add(Cause.MOS_FORECAST, ThermalLevel.COOL, self._mos_ahead_c, limit_c - 10.0)

    def _climb(self, causes: tuple[ThermalCause, ...], counting: list[int], now_s: float) -> None:
        thresholds = self._config.thresholds
        wanted = causes[0].level if causes else ThermalLevel.NORMAL
        if not counting:  # nobody knows whether it has become cool, but it may well have become worse
            wanted = max(wanted, self._ladder.level)
        hottest_c = max((self._probes[index].fast.level_c for index in counting), default=inf)
        predicted_c = hottest_c if self._predicted_c is None else max(hottest_c, self._predicted_c)
        self._ladder.step(
            wanted,
            now_s,
            heard=self._accepted_s == now_s,
            local=any(cause.level >= ThermalLevel.STOP and cause.cause in LOCAL_CAUSES for cause in causes),
            warm=predicted_c >= thresholds.cool_release_c,
            hot=hottest_c >= thresholds.stop_release_c,
            rising=self._heating_c_s is None or self._heating_c_s > _RISING_C_S,
        )

    def _assess(
        self, causes: tuple[ThermalCause, ...], counting: list[int], sample: ThermalSample | None, now_s: float
    ) -> ThermalAssessment:
        last_s = self._accepted_s
        # Probes that have said nothing yet, such as since a restart, are silent since then.
        heard_s = self._first_s if last_s is None and self._probes else last_s
        blind_s = None if heard_s is None or now_s - heard_s <= _BLIND_AFTER_S else heard_s
        unknown = last_s is None or now_s - last_s > _UNKNOWN_AFTER_S
        probes = [(index, self._probes[index]) for index in counting]
        hottest_c = max((probe.fast.level_c for _, probe in probes), default=None)
        differences = [
            (probe.difference.value_c, index) for index, probe in probes if probe.difference.value_c is not None
        ]
        difference_c, difference_probe = max(differences, default=(None, None))
        ladder, witness, ready = self._ladder, self._witness, blind_s is None
        ambient_c = None if sample is None else _finite(sample.ambient_c)
        unexplained_c_s = self._unexplained_c_s if ready else None
        return ThermalAssessment(
            level=None if unknown else ladder.level,
            level_since_s=ladder.since_s,
            causes=causes,
            acknowledgement_wanted=ladder.acknowledgement_wanted,
            hottest_c=hottest_c,
            predicted_c=self._predicted_c if ready else None,
            crossings=self._crossings if ready else (),
            heating_c_min=None if self._heating_c_s is None or not ready else self._heating_c_s * 60.0,
            unexplained_c_min=None if unexplained_c_s is None else unexplained_c_s * 60.0,
            unexplained_c=self._unexplained.sum_c,
            difference_c=difference_c,
            difference_probe=difference_probe,
            hold_current_a=self._hold_a if ready else None,
            sag_mv=None if witness.sag_v is None else -witness.sag_v * 1000.0,
            sag_cell=witness.cell,
            mos_cooling_poor=self._mosfets.poor,
            cooling_helps=hottest_c is not None
            and (ambient_c is None or hottest_c - ambient_c > _FAN_GAIN_C)
            and (hottest_c >= _COLD_C or not self._heated(now_s)),
            temperatures_c=self._believed_c,
            mos_temperature_c=self._mos_c,
            probe_faults=tuple(
                ProbeFault(index, *probe.gate.fault)
                for index, probe in enumerate(self._probes)
                if probe.gate.fault is not None
            ),
            blind_since_s=blind_s,
            confirmation_wanted=self._waiting,
        )

    def remember(self) -> Memory:
        """Return what is worth keeping over a restart."""
        habits_c = list(self._habits_c)
        habits_c += [None] * (len(self._probes) - len(habits_c))
        for index, probe in enumerate(self._probes):
            if probe.difference.learned:
                habits_c[index] = probe.difference.habit_c
        return {
            "habits_c": habits_c,
            "model": list(self._model.learned),
            "mosfets": list(self._mosfets.learned),
            "cell_habits_v": list(self._witness.habits_v),
            "level": self._ladder.remembered,
        }

    def acknowledge(self) -> None:
        """Somebody has seen it: a level 3 that came from one spot may end by itself now."""
        self._ladder.acknowledge()

    def reset(self, now_s: float, *, sure: bool = False) -> bool:
        """End level 4 by hand; return whether it had been cool for an hour, or somebody is sure of it."""
        return self._ladder.reset(now_s, sure=sure)

    @property
    def heard_s(self) -> float | None:
        """When a temperature was last known; None if none has been yet."""
        return self._accepted_s


def _without_habit(probes: list[Probe], levels_c: list[float]) -> list[float]:
    """Return the levels of those probes that have a habit, without it."""
    return [
        level_c - probe.difference.habit_c
        for probe, level_c in zip(probes, levels_c, strict=True)
        if probe.difference.habit_c is not None
    ]


def _strangers_c(raw_c: float | None, raws_c: tuple[float | None, ...], mos_c: float | None) -> float | None:
    """Return the median of all readings for one that is far off, when no probe has been believed yet; else None.

    A constant nonsense that is there when Home Assistant starts has to move before it counts, as heat does. Of two the
    one that is farther from the MOSFETs is the odd one.
    """
    known_c = [each_c for each_c in raws_c if may_be_temperature(each_c)]
    if len(known_c) == 2 and may_be_temperature(mos_c):
        known_c.append(mos_c)
    if raw_c is None or not known_c:
        return None
    middle_c = median(sorted(known_c))
    return middle_c if abs(raw_c - middle_c) > _STRANGE_C else None


def _crossing(threshold_c: float, going: list[_Going], tau_s: float) -> Crossing:
    """Return when the first probe gets there.

    The band ends where a level and a slope would that are both off by their standard errors, and the slope by the half
    of what the load swings, too: wider than the root of their squares, and found without a search.
    """
    soonest_s: float | None = None
    soonest = going[0]
    for one in going:
        at_s = crossing_s(one[1], one[2], tau_s, threshold_c)
        if at_s is not None and (soonest_s is None or at_s < soonest_s):
            soonest_s, soonest = at_s, one
    expected_min = _minutes(soonest_s)
    if expected_min is None:
        return Crossing(threshold_c, None, None, None)
    _, level_c, slope_c_s, level_sigma_c, slope_sigma_c_s = soonest
    return Crossing(
        threshold_c,
        expected_min,
        _minutes(crossing_s(level_c + level_sigma_c, slope_c_s + slope_sigma_c_s, tau_s, threshold_c)),
        _minutes(crossing_s(level_c - level_sigma_c, slope_c_s - slope_sigma_c_s, tau_s, threshold_c)),
    )


def _minutes(seconds: float | None) -> float | None:
    return None if seconds is None or seconds > _LAST_S else seconds / 60.0


def _finite(value: float | None) -> float | None:
    return value if value is not None and isfinite(value) else None


def _remembered(memory: object, key: str) -> tuple[float, ...]:
    """Return the numbers stored under a key; none at all if that is not what is there."""
    values = _habits(memory, key)
    return () if None in values else tuple([value for value in values if value is not None])


def _habits(memory: object, key: str) -> tuple[float | None, ...]:
    """Return the same, None for what nothing had been learned of."""
    values = memory.get(key) if isinstance(memory, dict) else None
    if not isinstance(values, list):
        return ()
    known = all(value is None or (isinstance(value, (int, float)) and isfinite(value)) for value in values)
    return tuple([None if value is None else float(value) for value in values]) if known else ()
