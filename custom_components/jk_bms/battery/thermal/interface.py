"""What goes into the thermal engine, and what comes out?

Temperatures are in °C, slopes in °C/min, currents in A with + for charging. Unknown is None. Probes and cells count
from 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, StrEnum


class ThermalLevel(IntEnum):
    """How serious it is; what to do about it is for others to say."""

    NORMAL = 0
    COOL = 1
    REDUCE = 2
    STOP = 3
    EMERGENCY = 4


class Cause(StrEnum):
    """Why a level was entered."""

    TEMPERATURE = "temperature"
    FORECAST = "forecast"
    DIFFERENCE = "difference"
    """One probe is warmer than the others explain."""
    FAST_RISE = "fast_rise"
    """One probe rises faster than load and room can make it."""
    SPIKE = "spike"
    """A confirmed jump."""
    VIOLENT = "violent"
    """1 °C/s or more for three seconds."""
    SPREAD = "spread"
    """The absolute difference between the probes, for as long as nothing is known of what is usual."""
    UNEXPLAINED_HEATING = "unexplained_heating"
    CELL_SAG = "cell_sag"
    """The voltage of one cell falls below what the others and the load explain."""
    PROBE_LOST = "probe_lost"
    """A probe died while it was rising."""
    MOS_TEMPERATURE = "mos_temperature"
    MOS_FORECAST = "mos_forecast"


LOCAL_CAUSES = frozenset(
    {Cause.DIFFERENCE, Cause.FAST_RISE, Cause.SPIKE, Cause.VIOLENT, Cause.SPREAD, Cause.CELL_SAG, Cause.PROBE_LOST}
)
"""One spot heats and the others don't: what a level 3 for one of these ends with is an acknowledgement."""


class ProbeFaultReason(StrEnum):
    """What is wrong with a probe. None of these is heat."""

    SILENT = "silent"
    REJECTED = "rejected"
    """It delivers values that no temperature can take."""
    STUCK = "stuck"
    """Its value stands still while the others move, or it came back from a gap as a constant."""


@dataclass(frozen=True, slots=True)
class ThermalSample:
    """One frame. Only `probes_c` is needed; every other thing that is known makes the engine surer or earlier."""

    probes_c: tuple[float | None, ...]
    """Cell probes as the board reports them, implausible values included; None for one that is absent."""
    mos_temperature_c: float | None = None
    current_a: float | None = None
    cell_voltages_v: tuple[float | None, ...] = ()
    heating: bool = False
    balancing_cells: tuple[int, ...] | None = ()
    """The cells that the balancer discharges or charges now; None where it works on cells that nobody names."""
    ambient_c: float | None = None


@dataclass(frozen=True, slots=True)
class ThermalCause:
    """One reason for a level. Of the same kind only the worst probe is named."""

    cause: Cause
    level: ThermalLevel
    since_s: float
    """Time at which this cause came up, on the clock that the engine is stepped with."""
    value: float | None
    """°C, for a forecast the one that is expected; °C/min for a fast rise, mV for a sag."""
    limit: float | None
    slope_c_min: float | None = None
    probe: int | None = None
    cell: int | None = None


@dataclass(frozen=True, slots=True)
class Crossing:
    """When the first probe gets to a threshold, in minutes from now; None: not within three hours."""

    threshold_c: float
    expected_min: float | None
    earliest_min: float | None
    latest_min: float | None


@dataclass(frozen=True, slots=True)
class ProbeFault:
    """A probe that counts for no level at present."""

    probe: int
    reason: ProbeFaultReason
    since_s: float


@dataclass(frozen=True, slots=True)
class ThermalAssessment:
    """The judgement of one frame."""

    level: ThermalLevel | None
    """None for as long as nothing is known: before the first frame, and after ten minutes without one."""
    level_since_s: float
    causes: tuple[ThermalCause, ...]
    """What speaks for a level now, the worst first. A level is held for longer than its causes last."""
    acknowledgement_wanted: bool
    """The level stays until somebody says that he has seen it."""
    hottest_c: float | None
    predicted_c: float | None
    """The hottest probe in 30 minutes, if things go on as they do."""
    crossings: tuple[Crossing, ...]
    """45, 50, 55 and 60 °C for LFP. Empty while there is no forecast."""
    heating_c_min: float | None
    """Slope of the probe that rises fastest."""
    unexplained_c_min: float | None
    """What neither load nor room explain of it, median of the probes."""
    unexplained_c: float
    """The heat that this has added up to beyond what is tolerated."""
    difference_c: float | None
    """By how much the warmest probe is warmer than usual against the others."""
    difference_probe: int | None
    hold_current_a: float | None
    """The current at which the pack stays below the target temperature (45 °C for LFP) for good."""
    sag_mv: float | None
    """Lowest cell against the others without load and habit; None while it can't be told."""
    sag_cell: int | None
    mos_cooling_poor: bool
    """The MOSFETs run far hotter than their current usually makes them."""
    cooling_helps: bool
    """Moving air would cool: the pack is warmer than the room, or the room is unknown, and nobody heats it."""
    temperatures_c: tuple[float | None, ...]
    """Of each probe, as of the last frame; None where it is not to be believed."""
    mos_temperature_c: float | None
    """Likewise."""
    probe_faults: tuple[ProbeFault, ...]
    blind_since_s: float | None
    """Time of the last frame with a temperature, or of the first without one, once that is a minute ago: monitoring is
    lost. None as long as no probe was ever there."""
    confirmation_wanted: bool
    """A first sample waits for a second one: ask for the next frame at once."""
