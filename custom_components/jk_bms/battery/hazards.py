"""What can be wrong with a pack, how bad it is, and how that is said."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import Final

from ..bms.alarms import Alarm


class Level(IntEnum):
    """How bad it is. An advisory is for a quiet hour, a warning for today, a critical one for now."""

    OK = 0
    ADVISORY = 1
    WARNING = 2
    CRITICAL = 3


LEVELS: Final = (Level.ADVISORY, Level.WARNING, Level.CRITICAL)
"""Those that something is wrong at, least first."""


class Family(StrEnum):
    """What a hazard belongs to."""

    CELL_VOLTAGE = "cell_voltage"
    PACK_VOLTAGE = "pack_voltage"
    SPREAD = "spread"
    TEMPERATURE = "temperature"
    CURRENT = "current"
    BMS_FAULT = "bms_fault"
    DATA = "data"


class Kind(StrEnum):
    """What is wrong."""

    CELL_HIGH = "cell_high"
    CELL_LOW = "cell_low"
    PACK_HIGH = "pack_high"
    PACK_LOW = "pack_low"
    SPREAD_TOP = "spread_top"
    SPREAD_PLATEAU = "spread_plateau"
    SPREAD_BOTTOM = "spread_bottom"
    CHARGE_COLD = "charge_cold"
    CHARGE_HOT = "charge_hot"
    DISCHARGE_COLD = "discharge_cold"
    DISCHARGE_HOT = "discharge_hot"
    MOS_HOT = "mos_hot"
    PROBE_SPREAD = "probe_spread"
    CHARGE_CURRENT = "charge_current"
    DISCHARGE_CURRENT = "discharge_current"
    CHARGE_MOSFET = "charge_mosfet"
    """A charge current although the charge MOSFET is off."""
    DISCHARGE_MOSFET = "discharge_mosfet"
    BMS_ALARM = "bms_alarm"
    CELL_COUNT = "cell_count"
    CELL_READING = "cell_reading"
    """A voltage that no cell has: a dead cell, or a broken sense lead."""
    VOLTAGE_MISMATCH = "voltage_mismatch"
    CURRENT_READING = "current_reading"
    PROBE_LOST = "probe_lost"
    DATA_STALE = "data_stale"
    DATA_FROZEN = "data_frozen"
    LIMITS_UNKNOWN = "limits_unknown"
    """Nobody has said of which chemistry the cells are: their voltages are judged by the board's limits at best."""


FAMILIES: Final = {
    **dict.fromkeys((Kind.CELL_HIGH, Kind.CELL_LOW), Family.CELL_VOLTAGE),
    **dict.fromkeys((Kind.PACK_HIGH, Kind.PACK_LOW), Family.PACK_VOLTAGE),
    **dict.fromkeys((Kind.SPREAD_TOP, Kind.SPREAD_PLATEAU, Kind.SPREAD_BOTTOM), Family.SPREAD),
    **dict.fromkeys(
        (
            Kind.CHARGE_COLD,
            Kind.CHARGE_HOT,
            Kind.DISCHARGE_COLD,
            Kind.DISCHARGE_HOT,
            Kind.MOS_HOT,
            Kind.PROBE_SPREAD,
        ),
        Family.TEMPERATURE,
    ),
    **dict.fromkeys(
        (Kind.CHARGE_CURRENT, Kind.DISCHARGE_CURRENT, Kind.CHARGE_MOSFET, Kind.DISCHARGE_MOSFET), Family.CURRENT
    ),
    Kind.BMS_ALARM: Family.BMS_FAULT,
    **dict.fromkeys(
        (
            Kind.CELL_COUNT,
            Kind.CELL_READING,
            Kind.VOLTAGE_MISMATCH,
            Kind.CURRENT_READING,
            Kind.PROBE_LOST,
            Kind.DATA_STALE,
            Kind.DATA_FROZEN,
            Kind.LIMITS_UNKNOWN,
        ),
        Family.DATA,
    ),
}
_DECIMALS: Final = {
    Family.CELL_VOLTAGE: 3,
    Family.PACK_VOLTAGE: 2,
    Family.SPREAD: 3,
    Family.TEMPERATURE: 1,
    Family.CURRENT: 1,
    Family.BMS_FAULT: 0,
    Family.DATA: 0,
}
_DECIMALS_OF_READINGS: Final = {Kind.CELL_READING: 3, Kind.VOLTAGE_MISMATCH: 2}
_FORMATS: Final = {kind: f".{_DECIMALS_OF_READINGS.get(kind, _DECIMALS[family])}f" for kind, family in FAMILIES.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Hazard:
    """One thing that is wrong. Values are in V, A, °C, K or s, whatever the kind is about."""

    kind: Kind
    level: Level
    value: float | None
    """As last seen."""
    limit: float | None
    """That of the level."""
    since_s: float
    """Monotonic time of the first frame that showed it."""
    cell: int | None = None
    """Number of the cell, from 1."""
    probe: str | None = None
    """Name of the field that the probe is read from, without its unit."""
    alarm: Alarm | None = None

    @property
    def key(self) -> str:
        """What tells the hazards of a pack apart."""
        return self.kind.value if self.alarm is None else f"{self.kind}_{self.alarm.key}"

    @property
    def family(self) -> Family:
        """What it belongs to."""
        return FAMILIES[self.kind]

    @property
    def cause(self) -> str:
        """Translation key of the sentence that says it."""
        return self.kind.value

    @property
    def placeholders(self) -> dict[str, str]:
        """What goes into the sentence; a probe and an alarm by their own translation keys."""
        placeholders: dict[str, str] = {}
        if self.value is not None:
            placeholders["value"] = format(self.value, _FORMATS[self.kind])
        if self.limit is not None:
            placeholders["limit"] = format(self.limit, _FORMATS[self.kind])
        if self.cell is not None:
            placeholders["cell"] = str(self.cell)
        if self.probe is not None:
            placeholders["probe"] = self.probe
        if self.alarm is not None:
            placeholders["alarm"] = self.alarm.key
        return placeholders
