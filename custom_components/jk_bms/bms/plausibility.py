"""Whether a frame with a right sum may be believed.

An 8-bit sum lets 1 damaged frame in 256 through, so each cell info frame is also held against itself (cells against
their average, spread and pack voltage, power against voltage and current, charge against capacities) and against the
last frame that was believed. What the frame's own redundancy confirms is taken at once: a load step is seen in the
frame that brings it. What nothing confirms - a raised alarm, a switched MOSFET, a jumping probe, a counter out of step
- makes the frame wait for the next one to say the same. A contradiction inside the frame (a broken sense lead does
that for good), or many changes that have nothing to do with each other, have to come three times. A frame that the next
one does not repeat was damaged, and is counted.

The limits come from recorded traffic of 36 board and firmware combinations, none of which may be refused. The board
measures cells, pack voltage, current and power one after the other, so under a rippling load they agree less; how much
is learned from the frames that were believed.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from math import isfinite
from operator import sub
from typing import Final, cast

from .layout import CELL_INFO, Generation
from .telemetry import STILL_BITS, BalanceAction, DeviceInfo, Settings, Telemetry

_CELL_RANGE_V: Final = (0.5, 5.0)
_AVERAGE_V: Final = {Generation.JK04: 0.003_5, Generation.JK02_24S: 0.003_1, Generation.JK02_32S: 0.003_1}
_REPORTED_DELTA_V: Final = 0.025
_EXTREME_CELL_V: Final = 0.030
_PACK_VOLTAGE_SHARE: Final = 0.02
_STATE_OF_CHARGE_PCT: Final = 2.0
_TEMPERATURE_C: Final = 150
_CURRENT_A: Final = 2000
_CAPACITY_AH: Final = 20_000
_IDLE_BALANCE_CURRENT_A: Final = 0.5
_POWER_CURRENT_A: Final = 0.3
_POWER_CURRENT_SHARE: Final = 0.03

_AVERAGE_DRIFT_V: Final = {Generation.JK04: 0.004, Generation.JK02_24S: 0.001_6, Generation.JK02_32S: 0.001_6}
_LONE_CELL_V: Final = 0.050
_PACK_VOLTAGE_DRIFT_V: Final = 0.025
_PACK_VOLTAGE_DRIFT_V_PER_A: Final = 0.004
_COARSE_VOLTAGE_DRIFT_V: Final = 0.060
_TEMPERATURE_STEP_K: Final = 2.0
_TEMPERATURE_RATE_K_PER_S: Final = 0.2
_CHARGE_STEP_AH: Final = 0.05
_COUNTER_STEP_S: Final = 5
_CLOCK_DRIFT_S: Final = 2
_CLOCK_DRIFT_SHARE: Final = 0.01
_RESISTANCE_STEP_OHM: Final = 0.05
_BALANCE_CURRENT_STEP_A: Final = 1.0
_REFERENCE_STEP_V: Final = 0.1
_HEATER_STEP_A: Final = 1.0

_SENSOR_CURRENT_A: Final = 3.0
"""From this current on the raw reading of the current sensor is large enough to learn its ratio."""
_SENSOR_LIMIT_A: Final = 1.5
_SENSOR_LIMIT_SHARE: Final = 0.05

_MANY_REPETITIONS: Final = 2
_MANY_DOUBTS: Final = 3
_COME_TOGETHER: Final = {
    # What a protection does to the frame, all at once
    "alarm_bits", "charge_mosfet", "discharge_mosfet", "event_log_count", "heating", "heater current",
    "discharge over-current release", "discharge short-circuit release", "charge over-current release",
    "charge short-circuit release", "under-voltage release", "over-voltage release", "emergency countdown",
}  # fmt: skip
_INSISTING_FRAMES: Final = 10
_INSISTING_WITHIN_S: Final = 15
_KNOWN_FOR_S: Final = 60
"""How long a doubt that has been overcome is not raised again after it was last seen."""
_ALWAYS_DOUBTED: Final = {"alarm_bits", "charge_mosfet", "discharge_mosfet"}
_DUPLICATE_WITHIN_S: Final = 0.2
"""The same bytes again before the board can have measured anew are the same frame, delivered twice."""
_SPREADS: Final = 4
"""How many mean errors a measurement may be off."""
_SPREAD_SHARE: Final = 0.1
_LOOSE: Final = 4
"""How much further a frame may lie from the one that waits than from the one that was believed: a fast change goes on
while it waits, and must not have to stand still to be believed."""

_QUIET_FIELDS: Final = (
    "cell_mask", "lead_resistance_warnings", "alarm_bits", "full_charge_capacity_ah", "cycle_count",
    "state_of_health_pct", "precharge", "user_alarm", "charge_mosfet", "discharge_mosfet", "precharging",
    "temperature_sensor_mask", "heating", "current_correction", "charger_plugged", "event_log_count",
    "pcl_module_state", "chemistry", "charge_state", "dry_contacts",
)  # fmt: skip
"""Fields that rarely change and that nothing else in the frame confirms: one bit of difference has to come twice."""


_BITS_OF_QUIET_FIELDS: Final = {
    generation: {each.name: each.bits for each in layout.fields if each.name in _QUIET_FIELDS}
    for generation, layout in CELL_INFO.items()
}


@dataclass(slots=True)
class _Spread:
    """How far two measurements of the same thing lie apart on average, which under a rippling load is far.

    The board takes cells, pack voltage, current and power one after the other. Only believed frames count.
    """

    mean: float = 0.0

    def limit(self, floor: float) -> float:
        """Return how far apart they may lie; `floor` is the limit of a steady load."""
        return max(floor, _SPREADS * self.mean)

    def learn(self, error: float) -> None:
        """Take the error of a believed frame into account."""
        self.mean += _SPREAD_SHARE * (error - self.mean)


@dataclass(slots=True)
class _Seen:
    """A frame as later ones are held against it."""

    bits: int
    telemetry: Telemetry
    cells_v: tuple[float, ...]
    spread_v: float
    now_s: float
    contradictions: tuple[str, ...]
    average_residual_v: float
    pack_voltage_residual_v: float
    power_error_a: float
    sensor_error_a: float = 0.0


class Plausibility:
    """Judges the cell info frames of one board, one after the other."""

    def __init__(self) -> None:
        self.refused = 0
        """Frames that waited and were not repeated."""
        self._believed: _Seen | None = None
        self._waiting: _Seen | None = None
        self._repetitions = 0
        self._sensor_v_per_a = 0.0
        """Ratio of the raw current sensor, learned; 0 on boards that do not report it."""
        self._sensor_learned_at_a = 0.0
        self._pack_voltage_spread_v = _Spread()
        self._power_spread_a = _Spread()
        self._sensor_spread_a = _Spread()
        self._held: list[tuple[float, tuple[str, ...]]] = []
        """When frames were held in a row, and what they were doubted for."""
        self._known: dict[str, float] = {}
        """What the board insists on, whatever we think of it, and when it did so last."""

    def judge(self, frame: bytes, telemetry: Telemetry, now_s: float) -> str | None:
        """Return None if the frame may be believed at once, else what in it has to be said again."""
        seen = _see(frame, telemetry, now_s)
        doubts = self._doubts(seen)
        waiting = self._waiting
        if waiting is not None:
            if seen.bits == waiting.bits and now_s - waiting.now_s < _DUPLICATE_WITHIN_S:
                return ", ".join(doubts)
            if doubts and self._is_repetition(seen, waiting):
                self._repetitions += 1
                if self._repetitions >= self._needed_repetitions(seen, doubts):
                    doubts = []
            else:
                self.refused += 1
                self._repetitions = 0
        if doubts and self._insists(doubts, now_s):
            doubts = []
        if doubts:
            self._waiting = seen
            return ", ".join(doubts)
        self._believe(seen)
        return None

    def _believe(self, seen: _Seen) -> None:
        for contradiction in seen.contradictions:
            self._known[contradiction] = seen.now_s
        if self._believed is not None:
            self._pack_voltage_spread_v.learn(_pack_voltage_error_v(seen, self._believed))
        self._power_spread_a.learn(seen.power_error_a)
        self._learn_sensor(seen)
        self._believed, self._waiting, self._repetitions = seen, None, 0
        self._held.clear()

    def _doubts(self, seen: _Seen) -> list[str]:
        believed = self._believed
        if believed is None:
            return ["first frame", *self._news(seen)]
        doubts = _unconfirmed_changes(seen, believed, 1, self._pack_voltage_spread_v)
        if seen.contradictions:
            doubts += self._news(seen)
        power_floor_a = _POWER_CURRENT_A + _POWER_CURRENT_SHARE * abs(seen.telemetry.current_a or 0.0)
        if seen.power_error_a > self._power_spread_a.limit(power_floor_a) >= believed.power_error_a:
            doubts.append("current against power")
        if self._sensor_contradicts(seen, believed):
            doubts.append("current against its sensor")
        return self._without_known(doubts, seen.now_s) if self._known and doubts else doubts

    def _without_known(self, doubts: list[str], now_s: float) -> list[str]:
        """Return the doubts that the board has not overcome, and take note of those that it has."""
        self._known = {doubt: at_s for doubt, at_s in self._known.items() if now_s - at_s <= _KNOWN_FOR_S}
        for doubt in doubts:
            if doubt in self._known:
                self._known[doubt] = now_s
        return [doubt for doubt in doubts if doubt not in self._known]

    def _news(self, seen: _Seen) -> list[str]:
        """Return the contradictions that the board has not insisted on before."""
        return [what for what in seen.contradictions if what not in self._known]

    def _is_repetition(self, seen: _Seen, waiting: _Seen) -> bool:
        """Whether the frame says what the one that waits has said, so that neither was damaged."""
        if set(self._news(seen)) != set(self._news(waiting)):
            return False
        return all(
            change in self._known for change in _unconfirmed_changes(seen, waiting, _LOOSE, self._pack_voltage_spread_v)
        )

    def _needed_repetitions(self, seen: _Seen, doubts: list[str]) -> int:
        """Return how many frames have to say the same: a block that is lost or zeroed may well be so twice."""
        unrelated = [doubt for doubt in doubts if doubt not in _COME_TOGETHER]
        return _MANY_REPETITIONS if self._news(seen) or len(unrelated) >= _MANY_DOUBTS else 1

    def _insists(self, doubts: list[str], now_s: float) -> bool:
        """Whether frame after frame is doubted for the same, and not by chance any more.

        A number that nobody knows the meaning of may run on for good, and the reading of a broken sense lead jumps from
        frame to frame; a pack must not stay unseen for that. Damage with a right sum does not come ten times in a row.
        """
        self._held = [held for held in self._held if now_s - held[0] <= _INSISTING_WITHIN_S]
        self._held.append((now_s, tuple(doubts)))
        if len(self._held) < _INSISTING_FRAMES:
            return False
        of_most = Counter(doubt for _, held in self._held for doubt in held)
        for doubt, times in of_most.items():
            if 2 * times >= len(self._held) and doubt not in _ALWAYS_DOUBTED:
                self._known[doubt] = now_s
        return all(doubt in self._known for doubt in doubts)

    def _learn_sensor(self, seen: _Seen) -> None:
        t = seen.telemetry
        magnitude_a = abs(t.current_a or 0.0)
        if magnitude_a:
            self._sensor_spread_a.learn(seen.sensor_error_a)
        # The reading is in whole millivolts: the larger the current, the better the ratio.
        if magnitude_a >= max(_SENSOR_CURRENT_A, self._sensor_learned_at_a / 2):
            self._sensor_v_per_a = (_sensor_v(t, t.current_a or 0.0) or 0.0) / magnitude_a
            self._sensor_learned_at_a = magnitude_a

    def _sensor_contradicts(self, seen: _Seen, before: _Seen) -> bool:
        """Whether the raw reading of the current sensor, which did fit the current, does not any more.

        Voltage, power and current lie side by side, so that one foreign block can bring all three in agreement.
        """
        current_a = seen.telemetry.current_a
        if not self._sensor_v_per_a or current_a is None:
            return False
        # A current of 0 has the direction of the one before.
        sensor_v = _sensor_v(seen.telemetry, current_a or before.telemetry.current_a or 0.0) or 0.0
        magnitude_a = abs(current_a)
        seen.sensor_error_a = abs(sensor_v / self._sensor_v_per_a - magnitude_a)
        floor_a = max(_SENSOR_LIMIT_A, _SENSOR_LIMIT_SHARE * magnitude_a)
        return seen.sensor_error_a > self._sensor_spread_a.limit(floor_a) >= before.sensor_error_a


def _sensor_v(t: Telemetry, current_a: float) -> float | None:
    """Return the raw reading of the sensor that measures currents of this direction."""
    return t.charge_current_sensor_v if current_a > 0 else t.discharge_current_sensor_v


def _pack_voltage_error_v(seen: _Seen, before: _Seen) -> float:
    return abs(seen.pack_voltage_residual_v - before.pack_voltage_residual_v)


def _see(frame: bytes, telemetry: Telemetry, now_s: float) -> _Seen:
    try:
        cells = cast("tuple[float, ...]", telemetry.cell_voltages_v)
        total_v = sum(cells)
    except TypeError:  # one is None
        cells = telemetry.known_cell_voltages_v
        total_v = sum(cells)
    highest_v, lowest_v = (max(cells), min(cells)) if cells else (0.0, 0.0)
    average_v = telemetry.average_cell_voltage_v
    average_residual_v = 0.0 if average_v is None else average_v - total_v / len(cells)
    pack_voltage_v, current_a = telemetry.pack_voltage_v, telemetry.current_a
    power_error_a = 0.0
    if pack_voltage_v and current_a is not None and telemetry.power_magnitude_w is not None:
        power_error_a = abs(abs(current_a) - telemetry.power_magnitude_w / pack_voltage_v)
    return _Seen(
        int.from_bytes(frame, "little"),
        telemetry,
        cells,
        highest_v - lowest_v,
        now_s,
        tuple(contradictions(telemetry, cells, highest_v, lowest_v, average_residual_v, total_v)),
        average_residual_v,
        (pack_voltage_v or total_v) - total_v,
        power_error_a,
    )


def contradictions(
    telemetry: Telemetry,
    cells: tuple[float, ...],
    highest_v: float,
    lowest_v: float,
    average_residual_v: float,
    total_v: float,
) -> list[str]:
    """Return what in a frame contradicts the rest of it, or physics."""
    t = telemetry
    found = []
    if cells:
        if not (lowest_v > _CELL_RANGE_V[0] and highest_v < _CELL_RANGE_V[1]):
            found.append("cell voltage out of range")
        if not abs(average_residual_v) <= _AVERAGE_V[t.generation]:
            found.append("cells against their average")
        if not abs(t.reported_delta_cell_voltage_v - (highest_v - lowest_v)) <= _REPORTED_DELTA_V:
            found.append("cells against their spread")
        if t.cell_mask.bit_count() < len(cells):
            found.append("cells against their mask")
        if not (_near(t, t.reported_highest_cell, highest_v) and _near(t, t.reported_lowest_cell, lowest_v)):
            found.append("cells against the highest and lowest")
        if t.pack_voltage_v is not None and abs(t.pack_voltage_v - total_v) > _PACK_VOLTAGE_SHARE * total_v:
            found.append("cells against the pack voltage")
        if t.full_charge_capacity_ah is not None and not 0 < t.full_charge_capacity_ah < _CAPACITY_AH:
            found.append("capacity out of range")
    if t.balance_action is None:
        found.append("balance action")
    if t.generation is Generation.JK04:
        return found
    if t.balance_action is BalanceAction.OFF and abs(t.balance_current_a) > _IDLE_BALANCE_CURRENT_A:
        found.append("balance current against balancing")
    if t.coarse_pack_voltage_v is not None and t.pack_voltage_v is not None:
        if abs(t.coarse_pack_voltage_v - t.pack_voltage_v) > _PACK_VOLTAGE_SHARE * t.pack_voltage_v + 0.01:
            found.append("the two pack voltages")
    if t.state_of_charge_pct is not None:
        full_ah, remaining_ah = t.full_charge_capacity_ah, t.remaining_capacity_ah
        if t.state_of_charge_pct > 100:
            found.append("state of charge out of range")
        elif full_ah and remaining_ah is not None:
            if abs(t.state_of_charge_pct - 100 * remaining_ah / full_ah) > _STATE_OF_CHARGE_PCT:
                found.append("state of charge against the capacities")
    if t.state_of_health_pct is not None and t.state_of_health_pct > 100:
        found.append("state of health out of range")
    if t.current_a is not None and abs(t.current_a) > _CURRENT_A:
        found.append("current out of range")
    for probe_c in _probes_c(t):
        if probe_c is not None and not -_TEMPERATURE_C <= probe_c <= _TEMPERATURE_C:
            found.append("temperature out of range")
            break
    return found


def _near(t: Telemetry, cell: int, voltage_v: float) -> bool:
    """Whether the cell that the board names shows the voltage, or nearly."""
    if cell > len(t.cell_voltages_v):
        return False
    named_v = t.cell_voltages_v[cell - 1]
    return named_v is not None and abs(named_v - voltage_v) <= _EXTREME_CELL_V


_PROBE_NAMES: Final = ("T1", "T2", "T4", "T5", "MOSFET temperature", "copy of the MOSFET temperature")


def _probes_c(t: Telemetry) -> tuple[float | None, ...]:
    return (
        t.temperature_1_c,
        t.temperature_2_c,
        t.temperature_4_c,
        t.temperature_5_c,
        t.mos_temperature_c,
        t.mos_temperature_copy_c,
    )


def _unconfirmed_changes(seen: _Seen, before: _Seen, slack: int, pack_voltage_spread_v: _Spread) -> list[str]:
    """Return what has changed by more than time explains with nothing in the frame to confirm it."""
    t, b = seen.telemetry, before.telemetry
    if t.generation is not b.generation:
        return ["generation"]
    passed_s = _passed_s(t, b, max(0.0, seen.now_s - before.now_s))
    found = _changes_of_cells(seen, before, slack, pack_voltage_spread_v)
    found += _changes_of_time(t, b, passed_s)
    if t.generation is not Generation.JK04:
        found += _changes_of_charge(t, b, passed_s)
        found += _changes_of_temperature(t, b, passed_s, slack)
    changed = (seen.bits ^ before.bits) & STILL_BITS[t.generation]
    if changed:
        found += [name for name, bits in _BITS_OF_QUIET_FIELDS[t.generation].items() if changed & bits]
        found += _changes_of_what_stands_still(t, b, passed_s)
    return found


def _changes_of_temperature(t: Telemetry, b: Telemetry, passed_s: float, slack: int) -> list[str]:
    found = []
    probes_c, probes_before_c = _probes_c(t), _probes_c(b)
    if probes_c != probes_before_c:
        limit_k = (_TEMPERATURE_STEP_K + _TEMPERATURE_RATE_K_PER_S * passed_s) * slack
        for name, new, old in zip(_PROBE_NAMES, probes_c, probes_before_c, strict=True):
            if new != old and _stepped(new, old, limit_k):
                found.append(name)
    if b.mos_temperature_c == b.mos_temperature_copy_c and t.mos_temperature_c != t.mos_temperature_copy_c:
        found.append("the two MOSFET temperatures")
    return found


def _changes_of_what_stands_still(t: Telemetry, b: Telemetry, passed_s: float) -> list[str]:
    found = []
    if t.lead_resistances_ohm != b.lead_resistances_ohm and not (
        # JK02 boards measure their leads only while they balance.
        (t.balancing or b.balancing or t.generation is Generation.JK04)
        and all(
            abs(new - old) <= _RESISTANCE_STEP_OHM
            for new, old in zip(t.lead_resistances_ohm, b.lead_resistances_ohm, strict=False)
        )
    ):
        found.append("balance-lead resistance")
    for name, new, old in (
        ("discharge over-current release", t.discharge_overcurrent_release_s, b.discharge_overcurrent_release_s),
        ("discharge short-circuit release", t.discharge_short_circuit_release_s, b.discharge_short_circuit_release_s),
        ("charge over-current release", t.charge_overcurrent_release_s, b.charge_overcurrent_release_s),
        ("charge short-circuit release", t.charge_short_circuit_release_s, b.charge_short_circuit_release_s),
        ("under-voltage release", t.undervoltage_release_s, b.undervoltage_release_s),
        ("over-voltage release", t.overvoltage_release_s, b.overvoltage_release_s),
        ("emergency countdown", t.emergency_countdown_s, b.emergency_countdown_s),
        ("time to sleep", t.time_to_sleep_s, b.time_to_sleep_s),
    ):
        if new != old and new is not None and old is not None and not old - passed_s - _COUNTER_STEP_S <= new <= old:
            found.append(name)
    if _stepped(t.voltage_reference_v, b.voltage_reference_v, _REFERENCE_STEP_V):
        found.append("voltage reference")
    if t.heating is b.heating and _stepped(t.heater_current_a, b.heater_current_a, _HEATER_STEP_A):
        found.append("heater current")
    return found


def _passed_s(t: Telemetry, b: Telemetry, waited_s: float) -> float:
    """Return the time between two frames: what we have waited, or more if two clocks of the board agree on it.

    Notifications can be held up on their way and then come all at once.
    """
    run_s = t.run_time_s - b.run_time_s
    if run_s > waited_s and t.system_up_time_s is not None and b.system_up_time_s is not None:
        if abs(t.system_up_time_s - b.system_up_time_s - run_s) <= _CLOCK_DRIFT_S:
            return run_s
    return waited_s


def _stepped(new: float | None, old: float | None, limit: float) -> bool:
    """Whether a value has come, gone, or moved by more than the limit."""
    if new is None or old is None:
        return new is not old
    return not abs(new - old) <= limit


def _changes_of_cells(seen: _Seen, before: _Seen, slack: int, pack_voltage_spread_v: _Spread) -> list[str]:
    t, b = seen.telemetry, before.telemetry
    if len(t.cell_voltages_v) != len(b.cell_voltages_v):
        return ["number of cells"]
    found = []
    if t.cell_voltages_v != b.cell_voltages_v:
        if len(seen.cells_v) != len(before.cells_v):
            return ["number of cells"]
        # A cell that runs away on its own moves the average by a share that the frame's own average has to show.
        if not abs(seen.average_residual_v - before.average_residual_v) <= _AVERAGE_DRIFT_V[t.generation] * slack:
            found.append("cells against their average")
        elif (
            seen.spread_v + before.spread_v > _LONE_CELL_V
            and _lone_step_v(seen, before) > _LONE_CELL_V * slack
            and not _confirmed_by_spread(seen)
        ):
            found.append("a lone cell")
    if t.pack_voltage_v is not None:
        current_step_a = abs((t.current_a or 0.0) - (b.current_a or 0.0))
        limit_v = pack_voltage_spread_v.limit(_PACK_VOLTAGE_DRIFT_V + _PACK_VOLTAGE_DRIFT_V_PER_A * current_step_a)
        if _pack_voltage_error_v(seen, before) > limit_v * slack:
            found.append("cells against the pack voltage")
        if t.coarse_pack_voltage_v is not None and b.coarse_pack_voltage_v is not None and b.pack_voltage_v is not None:
            drift_v = (t.coarse_pack_voltage_v - t.pack_voltage_v) - (b.coarse_pack_voltage_v - b.pack_voltage_v)
            if abs(drift_v) > (_COARSE_VOLTAGE_DRIFT_V + limit_v) * slack:
                found.append("the two pack voltages")
    if t.balance_action is b.balance_action:
        if not abs(t.balance_current_a - b.balance_current_a) <= _BALANCE_CURRENT_STEP_A:
            found.append("balance current")
    elif t.generation is Generation.JK04:
        found.append("balance action")
    return found


def _lone_step_v(seen: _Seen, before: _Seen) -> float:
    """Return by how much the cell that left the others most has left them."""
    steps_v: tuple[float, ...] = tuple(map(sub, seen.cells_v, before.cells_v))
    common_v = (seen.telemetry.average_cell_voltage_v or 0.0) - (before.telemetry.average_cell_voltage_v or 0.0)
    return max(max(steps_v) - common_v, common_v - min(steps_v))


def _confirmed_by_spread(seen: _Seen) -> bool:
    """Whether the board's own spread fits the cells closely enough to vouch for one that jumped."""
    return abs(seen.telemetry.reported_delta_cell_voltage_v - seen.spread_v) <= 0.1 * _LONE_CELL_V


def _changes_of_time(t: Telemetry, b: Telemetry, passed_s: float) -> list[str]:
    found = []
    run_s = t.run_time_s - b.run_time_s
    if not 0 <= run_s <= passed_s + _COUNTER_STEP_S:
        found.append("run time")
    drift_s = _CLOCK_DRIFT_S + _CLOCK_DRIFT_SHARE * passed_s
    # Older firmware leaves the clocks at 0.
    if (t.system_up_time_s or b.system_up_time_s) and t.system_up_time_s is not None and b.system_up_time_s is not None:
        if not abs(t.system_up_time_s - b.system_up_time_s - run_s) <= drift_s:
            found.append("up time")
    if (t.clock_s or b.clock_s) and t.clock_s is not None and b.clock_s is not None:
        if not abs(t.clock_s - b.clock_s - run_s) <= drift_s:
            found.append("clock")
    if (
        t.charge_state_time_s != b.charge_state_time_s
        and t.charge_state_time_s is not None
        and b.charge_state_time_s is not None
        and not 0 <= t.charge_state_time_s - b.charge_state_time_s <= passed_s + _COUNTER_STEP_S
    ):
        found.append("time in the charge state")
    return found


def _changes_of_charge(t: Telemetry, b: Telemetry, passed_s: float) -> list[str]:
    found = []
    flow_ah = max(abs(t.current_a or 0.0), abs(b.current_a or 0.0)) * passed_s / 3600
    limit_ah = _CHARGE_STEP_AH + 2 * flow_ah
    if _stepped(t.remaining_capacity_ah, b.remaining_capacity_ah, limit_ah):
        found.append("remaining capacity")
    if t.cycle_capacity_ah is not None and b.cycle_capacity_ah is not None:
        if not 0 <= t.cycle_capacity_ah - b.cycle_capacity_ah <= limit_ah:
            found.append("cycle capacity")
    if t.state_of_charge_pct != b.state_of_charge_pct:
        limit_pct = 1 + 100 * limit_ah / (b.full_charge_capacity_ah or 1)
        if _stepped(t.state_of_charge_pct, b.state_of_charge_pct, limit_pct):
            found.append("state of charge")
    return found


def settings_problem(settings: Settings) -> str | None:
    """Return what in a settings frame cannot be a setting, or None.

    The limits are wide on purpose: they tell numbers from noise, not good settings from bad ones.
    """
    for name in Settings.__slots__:
        value = getattr(settings, name)
        if not isinstance(value, float | int) or isinstance(value, bool):
            continue
        for suffix, low, high in (
            ("_v", 0, 5.5), ("_a", 0, 2_000), ("_c", -60, 150), ("_s", 0, 1_000_000), ("_us", 0, 2_000_000),
            ("_ah", 0, _CAPACITY_AH), ("cell_count", 0, 32),
        ):  # fmt: skip
            if name.endswith(suffix) and not (isfinite(value) and low <= value <= high):
                return name
    return None


def device_info_problem(info: DeviceInfo) -> str | None:
    """Return which text of a device info frame is not one that a board would send, or None.

    An empty version is: there are boards that send none. Names and texts of the owner's may hold anything.
    """
    for name in ("model", "hardware_version", "software_version"):
        text: str = getattr(info, name)
        if not (text.isascii() and (text.isprintable() or not text)):
            return name
    return None
