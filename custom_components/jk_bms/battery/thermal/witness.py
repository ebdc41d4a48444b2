"""Does the voltage of one cell say that current flows inside it?

A short of 300 W draws 90 A within its cell: the voltage sags by some tens of mV at once, by twice that after minutes,
wherever the thermometers are. Each cell has a habit and a resistance of its own, both against the median of all; what
remains below them is the sag. It can be read while the current is steady, nobody balances and the pack is on the flat
part of its curve. A pack at rest in which one cell alone goes on falling has a short: nothing else makes a resting cell
do so.
"""

from __future__ import annotations

from array import array
from enum import IntEnum
from itertools import pairwise
from math import exp, isnan, nan
from typing import Final

from .config import ThermalConfig

_CLEAR_V: Final = -0.025
_HELD_HABIT_V: Final = -0.005
_CLEAR_AFTER_S: Final = 20.0
_SHORT_AFTER_S: Final = 120.0
_SHORT_FALL_V: Final = 0.005
_SHORT_ANYWAY_V: Final = -0.060
_FAR_V: Final = 0.060
"""No healthy cell is that far above the others on the flat part of its curve: it is what a sense lead makes of one."""
_HIGHEST_HABIT_V: Final = 0.025
"""What a cell loses when it loses such a habit is no clear sag yet."""
_MIRRORED_SHARE: Final = 0.25
_HABIT_S: Final = 1800.0
_HELD_HABIT_S: Final = 43_200.0
_RESISTANCE_S: Final = 7200.0
_STEADY_SHARE: Final = 0.05
_STEADY_S: Final = 30.0
_REST_S: Final = 600.0
_COLLAPSE_SHARE: Final = 0.75
_OHM_AH: Final = 0.4e-3 * 280
_RELAXATION_S: Final = 180.0
_PLATEAU_S: Final = 900.0
"""After an end of the curve the cells need some time to agree again."""
_HIGHEST_V: Final = 10.0
_LEAST_CELLS: Final = 4
_HIGHEST_RESISTANCE_OHM: Final = 0.2e-3


class Sag(IntEnum):
    """How sure the sag of one cell is."""

    NONE = 0
    CLEAR = 1
    SHORT = 2


class VoltageWitness:
    """The cells of one pack."""

    __slots__ = (
        "_at_s",
        "_clear_s",
        "_clear_v",
        "_collapse",
        "_collapsed",
        "_config",
        "_covariance",
        "_current_mean_a",
        "_current_var_a2",
        "_good_v",
        "_habit_v",
        "_last_v",
        "_learned_s",
        "_plateau_s",
        "_rest_s",
        "_slow_a",
        "_steady_a",
        "_steady_s",
        "cell",
        "sag",
        "sag_v",
    )

    def __init__(self, config: ThermalConfig, habits_v: tuple[float | None, ...]) -> None:
        self._config = config
        self._plateau_s = float("-inf")
        self._slow_a = 0.0
        # Boards tell millivolts: four bytes are a thousand times finer.
        self._habit_v = array("f", [nan if habit_v is None else habit_v for habit_v in habits_v])
        """NaN where nothing has been learned yet, or what has been holds no more."""
        self._covariance, self._good_v, self._last_v = [array("f", [0.0] * len(habits_v)) for _ in range(3)]
        self._learned_s = 0.0 if all(habit_v is None for habit_v in habits_v) else _HABIT_S
        self._current_mean_a = 0.0
        self._current_var_a2 = 0.0
        self._steady_a: float | None = None
        self._steady_s = 0.0
        self._rest_s: float | None = None
        self._at_s: float | None = None
        self._clear_s = 0.0
        self._clear_v = 0.0
        self._collapse = self._collapsed = -1
        self.sag = Sag.NONE
        self.sag_v: float | None = None
        self.cell: int | None = None

    def adapt(self, config: ThermalConfig) -> None:
        """Go by another capacity or plateau; what the cells are used to stays."""
        self._config = config

    @property
    def habits_v(self) -> tuple[float | None, ...]:
        """What is worth keeping, to the µV; None for a cell of which there is nothing."""
        return tuple([None if isnan(habit_v) else round(habit_v, 6) for habit_v in self._habit_v])

    @property
    def _steady_share_a(self) -> float:
        return _STEADY_SHARE * self._config.capacity_ah

    def step(
        self,
        voltages_v: tuple[float | None, ...],
        current_a: float | None,
        balancing: tuple[int, ...] | None,
        now_s: float,
    ) -> None:
        """Take the cells of one frame, the current and the cells that are balanced (None: nobody knows which)."""
        since_s = 0.0 if self._at_s is None else min(now_s - self._at_s, 60.0)
        self._at_s = now_s
        self.sag, self.sag_v, self.cell = Sag.NONE, None, None
        if len(voltages_v) > len(self._habit_v):
            self._add(len(voltages_v) - len(self._habit_v))
        ordered = sorted(
            [voltage_v for voltage_v in voltages_v if voltage_v is not None and 0.0 < voltage_v < _HIGHEST_V]
        )
        if not ordered:
            return
        median_v = ordered[len(ordered) // 2]
        if ordered[-1] > median_v + _FAR_V:
            voltages_v = _without_leads(voltages_v, median_v)
        self._see_collapse(voltages_v, median_v + _FAR_V)
        if len(ordered) >= _LEAST_CELLS:
            self._compare(voltages_v, median_v, current_a, balancing, since_s, now_s)
        if self._collapsed >= 0:
            self.sag, self.cell = max(self.sag, Sag.CLEAR), self._collapsed

    def _add(self, count: int) -> None:
        """Take cells in; those that a frame says nothing of are kept, for the next one may."""
        self._habit_v.extend([nan] * count)
        for kept in (self._covariance, self._good_v, self._last_v):
            kept.extend([0.0] * count)

    def _see_collapse(self, voltages_v: tuple[float | None, ...], highest_v: float) -> None:
        """A quarter of a cell's voltage gone at once, in two frames, against what it had in two others.

        More than `highest_v` it never had, whatever was read.
        """
        fallen = -1
        good_v, last_v = self._good_v, self._last_v
        for cell, voltage_v in enumerate(voltages_v):
            if voltage_v is not None and 0.0 < voltage_v < _HIGHEST_V:
                if voltage_v < _COLLAPSE_SHARE * good_v[cell]:
                    fallen = cell
                else:
                    good_v[cell], last_v[cell] = min(voltage_v, last_v[cell], highest_v), voltage_v
        self._collapsed = fallen if fallen == self._collapse else -1
        self._collapse = fallen

    def _steady(self, current_a: float, now_s: float) -> bool:
        share_a = self._steady_share_a
        if self._steady_a is None or abs(current_a - self._steady_a) > share_a:
            self._steady_a, self._steady_s = current_a, now_s
        if abs(current_a) > share_a:
            self._rest_s = None
        elif self._rest_s is None:
            self._rest_s = now_s
        return now_s - self._steady_s >= _STEADY_S

    def _on_plateau(self, median_v: float, current_a: float, since_s: float, now_s: float) -> bool:
        """Whether the pack has been on the flat part of its curve for some time, by its voltage without the load."""
        self._slow_a += (current_a - self._slow_a) * (1.0 - exp(-since_s / _RELAXATION_S))
        open_v = median_v - _OHM_AH / self._config.capacity_ah * (current_a + self._slow_a)
        plateau_v = self._config.plateau_v
        if plateau_v is None or not plateau_v[0] < open_v < plateau_v[1]:
            self._plateau_s = now_s
        return now_s - self._plateau_s >= _PLATEAU_S

    def _compare(
        self,
        voltages_v: tuple[float | None, ...],
        median_v: float,
        current_a: float | None,
        balancing: tuple[int, ...] | None,
        since_s: float,
        now_s: float,
    ) -> None:
        if current_a is None:
            return
        steady = self._steady(current_a, now_s)
        if not self._on_plateau(median_v, current_a, since_s, now_s) or not steady or balancing is None:
            self._clear_s = 0.0
            return
        habit_v, covariance = self._habit_v, self._covariance
        first = self._learned_s == 0.0
        self._learned_s += max(since_s, 1e-3)
        share = since_s / min(self._learned_s, _HABIT_S)
        held_share = since_s / _HELD_HABIT_S
        forget = 1.0 - exp(-since_s / _RESISTANCE_S)
        off_a = current_a - self._current_mean_a
        self._current_mean_a += off_a * (1.0 if first else forget)
        self._current_var_a2 += (off_a * off_a - self._current_var_a2) * (0.0 if first else forget)
        known = self._current_var_a2 > self._steady_share_a**2
        # A current that is new, as after a gap, brings out resistances that nobody has learned yet.
        unknown_v = abs(off_a) * _HIGHEST_RESISTANCE_OHM
        worst_v, worst = 0.0, -1
        for cell, voltage_v in enumerate(voltages_v):
            if voltage_v is None or not 0.0 < voltage_v <= median_v + _FAR_V or cell in balancing:
                continue
            away_v = voltage_v - median_v - habit_v[cell]
            if isnan(away_v):
                habit_v[cell] = min(voltage_v - median_v, _HIGHEST_HABIT_V)
                continue
            covariance[cell] += (off_a * away_v - covariance[cell]) * forget
            if known:
                ohm = covariance[cell] / self._current_var_a2
                sag_v = away_v - off_a * max(-_HIGHEST_RESISTANCE_OHM, min(ohm, _HIGHEST_RESISTANCE_OHM))
            else:
                sag_v = away_v - max(-unknown_v, min(away_v, unknown_v))
            if sag_v > _FAR_V:  # a lead that was mended: what came of it holds no more
                habit_v[cell], covariance[cell] = nan, 0.0
                continue
            learned_v = habit_v[cell] + sag_v * (held_share if sag_v < _HELD_HABIT_V else share)
            habit_v[cell] = min(learned_v, _HIGHEST_HABIT_V)
            if sag_v < worst_v:
                worst_v, worst = sag_v, cell
        if worst >= 0:
            self.sag_v, self.cell = worst_v, worst
        self._judge(worst_v, since_s, now_s)

    def _judge(self, sag_v: float, since_s: float, now_s: float) -> None:
        if sag_v >= _CLEAR_V:
            self._clear_s = 0.0
        else:
            if self._clear_s == 0.0:
                self._clear_v = sag_v
            self._clear_s = min(self._clear_s + max(since_s, 1e-3), _SHORT_AFTER_S)
        resting = self._rest_s is not None and now_s - self._rest_s >= _REST_S
        falling = sag_v < self._clear_v - _SHORT_FALL_V or sag_v < _SHORT_ANYWAY_V
        if self._clear_s >= _SHORT_AFTER_S and resting and falling:
            self.sag = Sag.SHORT
        elif self._clear_s >= _CLEAR_AFTER_S:
            self.sag = Sag.CLEAR


def _without_leads(voltages_v: tuple[float | None, ...], median_v: float) -> tuple[float | None, ...]:
    """Leave out the cells on either side of a bad sense lead: what the one has too much its neighbour lacks."""
    left_v = list(voltages_v)
    for cell, (one_v, next_v) in enumerate(pairwise(voltages_v)):
        if one_v is not None and next_v is not None:
            one_away_v, next_away_v = one_v - median_v, next_v - median_v
            mirrored = abs(one_away_v + next_away_v) < _MIRRORED_SHARE * abs(one_away_v - next_away_v)
            if mirrored and max(one_away_v, next_away_v) > _FAR_V:
                left_v[cell] = left_v[cell + 1] = None
    return tuple(left_v)
