"""What a JK board guards against: when an alarm comes, which MOSFET it opens, and when it goes again.

Limits, releases and times are the board's settings, by the names of the settings frame. What no setting governs is
marked below: there the board's own figures are not published, and ours are of the usual size.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from custom_components.jk_bms.bms.alarms import Alarm
from simulator.pack import Measurement

VOLTAGE_DELAY_S = 2.0
TEMPERATURE_DELAY_S = 2.0
SHORT_CIRCUIT_FACTOR = 3.0
"""A current this many times the limit counts as a short circuit. Its delay is in µs: none, for a simulation."""

type Settings = Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One protection. It trips when the reading is beyond `limit` for the delay, and releases when it's back behind
    `release` and `hold` is over. Times are settings by name, or seconds."""

    alarm: Alarm
    reading: Callable[[Measurement], float | None]
    limit: str
    release: str
    delay: str | float
    hold: str | None = None
    falling: bool = False
    """Beyond means below."""
    opens_charge: bool = False
    opens_discharge: bool = False

    def is_beyond(self, measurement: Measurement, limit: float) -> bool | None:
        """Whether the reading is beyond a limit; None without a reading."""
        reading = self.reading(measurement)
        if reading is None:
            return None
        return reading < limit if self.falling else reading > limit


def connected_cells_v(measurement: Measurement) -> list[float]:
    """Return the readings of the cells that are there."""
    return [voltage for voltage in measurement.cell_voltages_v if voltage]


def _highest_cell_v(measurement: Measurement) -> float | None:
    return max(connected_cells_v(measurement), default=None)


def _lowest_cell_v(measurement: Measurement) -> float | None:
    return min(connected_cells_v(measurement), default=None)


def _mean_cell_v(measurement: Measurement) -> float | None:
    # JK has no limits for the pack: those of a cell, times the cells, serve.
    cells = len(connected_cells_v(measurement))
    return measurement.pack_voltage_v / cells if cells else None


def _warmest_c(measurement: Measurement) -> float | None:
    return max((probe for probe in measurement.probe_temperatures_c if probe is not None), default=None)


def _coldest_c(measurement: Measurement) -> float | None:
    return min((probe for probe in measurement.probe_temperatures_c if probe is not None), default=None)


RULES = (
    Rule(
        alarm=Alarm.CELL_OVERVOLTAGE,
        reading=_highest_cell_v,
        limit="cell_overvoltage_v",
        release="cell_overvoltage_recovery_v",
        delay=VOLTAGE_DELAY_S,
        opens_charge=True,
    ),
    Rule(
        alarm=Alarm.PACK_OVERVOLTAGE,
        reading=_mean_cell_v,
        limit="cell_overvoltage_v",
        release="cell_overvoltage_recovery_v",
        delay=VOLTAGE_DELAY_S,
        opens_charge=True,
    ),
    Rule(
        alarm=Alarm.CELL_UNDERVOLTAGE,
        reading=_lowest_cell_v,
        limit="cell_undervoltage_v",
        release="cell_undervoltage_recovery_v",
        delay=VOLTAGE_DELAY_S,
        falling=True,
        opens_discharge=True,
    ),
    Rule(
        alarm=Alarm.PACK_UNDERVOLTAGE,
        reading=_mean_cell_v,
        limit="cell_undervoltage_v",
        release="cell_undervoltage_recovery_v",
        delay=VOLTAGE_DELAY_S,
        falling=True,
        opens_discharge=True,
    ),
    Rule(
        alarm=Alarm.CHARGE_OVERCURRENT,
        reading=lambda measurement: measurement.current_a,
        limit="charge_current_limit_a",
        release="charge_current_limit_a",
        delay="charge_overcurrent_delay_s",
        hold="charge_overcurrent_recovery_s",
        opens_charge=True,
    ),
    Rule(
        alarm=Alarm.DISCHARGE_OVERCURRENT,
        reading=lambda measurement: -measurement.current_a,
        limit="discharge_current_limit_a",
        release="discharge_current_limit_a",
        delay="discharge_overcurrent_delay_s",
        hold="discharge_overcurrent_recovery_s",
        opens_discharge=True,
    ),
    Rule(
        alarm=Alarm.CHARGE_SHORT_CIRCUIT,
        reading=lambda measurement: measurement.current_a / SHORT_CIRCUIT_FACTOR,
        limit="charge_current_limit_a",
        release="charge_current_limit_a",
        delay=0.0,
        hold="short_circuit_recovery_s",
        opens_charge=True,
    ),
    Rule(
        alarm=Alarm.DISCHARGE_SHORT_CIRCUIT,
        reading=lambda measurement: -measurement.current_a / SHORT_CIRCUIT_FACTOR,
        limit="discharge_current_limit_a",
        release="discharge_current_limit_a",
        delay=0.0,
        hold="short_circuit_recovery_s",
        opens_discharge=True,
    ),
    Rule(
        alarm=Alarm.CHARGE_OVERTEMPERATURE,
        reading=_warmest_c,
        limit="charge_overtemperature_c",
        release="charge_overtemperature_recovery_c",
        delay=TEMPERATURE_DELAY_S,
        opens_charge=True,
    ),
    Rule(
        alarm=Alarm.DISCHARGE_OVERTEMPERATURE,
        reading=_warmest_c,
        limit="discharge_overtemperature_c",
        release="discharge_overtemperature_recovery_c",
        delay=TEMPERATURE_DELAY_S,
        opens_discharge=True,
    ),
    Rule(
        alarm=Alarm.CHARGE_UNDERTEMPERATURE,
        reading=_coldest_c,
        limit="charge_undertemperature_c",
        release="charge_undertemperature_recovery_c",
        delay=TEMPERATURE_DELAY_S,
        falling=True,
        opens_charge=True,
    ),
    Rule(
        alarm=Alarm.DISCHARGE_UNDERTEMPERATURE,
        reading=_coldest_c,
        limit="discharge_undertemperature_c",
        release="discharge_undertemperature_recovery_c",
        delay=TEMPERATURE_DELAY_S,
        falling=True,
        opens_discharge=True,
    ),
    Rule(
        alarm=Alarm.MOS_OVERTEMPERATURE,
        reading=lambda measurement: measurement.mos_temperature_c,
        limit="mos_overtemperature_c",
        release="mos_overtemperature_recovery_c",
        delay=TEMPERATURE_DELAY_S,
        opens_charge=True,
        opens_discharge=True,
    ),
)


class _Watch:
    """One rule at work."""

    __slots__ = ("beyond_s", "hold_s", "rule", "tripped")

    def __init__(self, rule: Rule) -> None:
        self.rule = rule
        self.tripped = False
        self.beyond_s = 0.0
        """How long the reading has been beyond the limit."""
        self.hold_s = 0.0
        """How long the release has to wait yet."""

    def step(self, dt_s: float, measurement: Measurement, settings: Settings) -> bool:
        """Look at the readings after another `dt_s`; tell whether the alarm came or went."""
        rule = self.rule
        if self.tripped:
            self.hold_s = max(0.0, self.hold_s - dt_s)
            # A probe that is lost releases nothing.
            if self.hold_s == 0 and rule.is_beyond(measurement, settings[rule.release]) is False:
                self.tripped = False
                self.beyond_s = 0.0
                return True
            return False
        if not rule.is_beyond(measurement, settings[rule.limit]):
            self.beyond_s = 0.0
            return False
        self.beyond_s += dt_s
        delay_s = rule.delay if isinstance(rule.delay, float) else settings[rule.delay]
        if self.beyond_s < delay_s:
            return False
        self.tripped = True
        self.hold_s = settings[rule.hold] if rule.hold else 0.0
        return True


class Protections:
    """All that guards one board; a rule whose settings the board doesn't have doesn't exist for it."""

    def __init__(self, known: Iterable[str]) -> None:
        names = set(known)
        self._watches = [_Watch(rule) for rule in RULES if {rule.limit, rule.release} <= names]

    @property
    def alarms(self) -> frozenset[Alarm]:
        """The alarms that are raised."""
        return frozenset(watch.rule.alarm for watch in self._watches if watch.tripped)

    @property
    def bars_charge(self) -> bool:
        """Whether any of them keeps the charge MOSFET open."""
        return any(watch.tripped and watch.rule.opens_charge for watch in self._watches)

    @property
    def bars_discharge(self) -> bool:
        """Whether any of them keeps the discharge MOSFET open."""
        return any(watch.tripped and watch.rule.opens_discharge for watch in self._watches)

    def release_in_s(self, alarm: Alarm) -> float:
        """Return how long the release of an alarm has to wait yet; 0 if it isn't raised, or waits for no time."""
        return next((watch.hold_s for watch in self._watches if watch.rule.alarm is alarm), 0.0)

    def step(self, dt_s: float, measurement: Measurement, settings: Settings) -> list[tuple[Alarm, bool]]:
        """Look at the readings after another `dt_s`; return the alarms that came (True) or went (False)."""
        return [(watch.rule.alarm, watch.tripped) for watch in self._watches if watch.step(dt_s, measurement, settings)]
