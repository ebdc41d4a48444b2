"""What is wrong with a pack, all in all: protection and heat, in one order of levels.

The levels of heat are those of hazards, and emergency is one more. Heat is judged first: a reading that its gates don't
take for a temperature is none to protection either, but a probe that is lost. What is known worst is held while nothing
new is: being blind never makes a pack look better.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import IntEnum
from math import inf, isfinite
from typing import Final

from ..bms.telemetry import BalanceAction, Chemistry, Settings, Telemetry
from .data_quality import MOSFETS, PROBES, READINGS
from .hazards import Hazard, Kind
from .protection import ProtectionAssessment, ProtectionConfig, ProtectionEngine
from .thermal.chosen import HeatThresholds
from .thermal.config import ThermalConfig
from .thermal.engine import ThermalEngine
from .thermal.gate import ProbeGate, may_be_temperature
from .thermal.interface import Cause, ThermalAssessment, ThermalSample
from .thresholds import Limits

HEAT: Final = "heat"
"""Key and family of what is found of heat."""
HEAT_HELD: Final = "heat_held"
"""Nothing speaks for the level any more, if perhaps for a lower one, but it is not over yet."""
RAISED_BY: Final = "raised_by"
"""Placeholder of what is held: the translation key of the cause that raised it."""
CAUSES: Final = (*Kind, *(f"{HEAT}_{cause}" for cause in Cause), HEAT_HELD)
"""Translation keys of all causes."""
SHOWN_C: Final = (45.0, 50.0, 55.0, 60.0)
"""For which the time until then is published, whatever the cells are of."""
_CAPACITIES_AH: Final = (1.0, 5000.0)
_MOS_LIMITS_C: Final = (50.0, 150.0)
_PLACES: Final = ("probe", "cell")
_LOST_AFTER_PERIODS: Final = 3.0
_STANDS_STILL_S: Final = 60.0
_SEEN_FOR_S: Final = 60.0
_LOOK_AFTER_S: Final = 3600.0


class GuardianLevel(IntEnum):
    """How bad it is, all in all."""

    OK = 0
    ADVISORY = 1
    WARNING = 2
    CRITICAL = 3
    EMERGENCY = 4


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong."""

    key: str
    """What tells the findings of a pack apart."""
    family: str
    level: GuardianLevel
    cause: str
    """Translation key of the sentence that says it."""
    since_s: float
    placeholders: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Assessment:
    """What is known of the safety of a pack at one moment."""

    level: GuardianLevel
    findings: tuple[Finding, ...]
    """The worst first; of two alike the older."""
    protection: ProtectionAssessment
    thermal: ThermalAssessment
    probes: tuple[str, ...]
    """The fields, without their unit, that the probes of the thermal assessment are read from."""
    monitoring_lost: bool
    """No temperature was heard of for longer than readings are apart."""

    @property
    def unacknowledged(self) -> tuple[str, ...]:
        """Keys of what became critical and nobody has said yet that he has seen it."""
        heat = (HEAT,) if self.thermal.acknowledgement_wanted else ()
        return (*sorted(self.protection.latched), *heat)


class Guardian:
    """Watches one pack. `restored` is what `state` said before a restart; what of it can't be read is left out.

    `heat` are the temperatures that the owner chose, in °C by the keys of `HeatThresholds`.
    """

    def __init__(
        self, config: ProtectionConfig, restored: object = None, heat: Mapping[str, float] | None = None
    ) -> None:
        known = restored if isinstance(restored, dict) else {}
        self._config = config
        self._chosen_heat = heat or {}
        self._latched = frozenset(_texts(known.get("latched")))
        self._probes = tuple([probe for probe in _texts(known.get("probes")) if probe in PROBES])
        self._strangers: dict[str, ProbeGate] = {}
        """What has said something in the last frame, but isn't known as a probe yet."""
        self.resumed: Final = frozenset(_texts(known.get("critical")))
        """Keys of what was critical when a restart came: it is so until frames release it."""
        self._protection = ProtectionEngine(
            config, self._latched, self._probes, _chemistry(known.get("chemistry")), self.resumed
        )
        self._chemistry = self._protection.chemistry
        self._thermal_config = self._judge_by(self._chemistry, None)
        self._thermal = ThermalEngine(self._thermal_config, known.get("thermal"))
        self._settings: Settings | None = None
        self._heat = GuardianLevel(int(self._thermal.remember()["level"][0]))
        """As last known: it holds while no temperature is."""
        self._raised_by = _raised_by(known.get(RAISED_BY))
        """What raised it, with where that was; empty if that was forgotten."""
        self._heat_waits = False
        self._began_s = inf
        """When the first frame came."""
        self._said_c: tuple[float | None, ...] = ()
        """What the probes read in the last frame, and last the MOSFETs."""
        self._moved_s = 0.0
        """When one of the temperatures was last another than before."""

    @property
    def limits(self) -> Mapping[Kind, Limits]:
        """What protection goes by at present."""
        return self._protection.limits

    @property
    def critical(self) -> frozenset[str]:
        """Keys of the hazards that are critical at present."""
        return self._protection.critical

    @property
    def heat_config(self) -> ThermalConfig:
        """What heat is judged by at present."""
        return self._thermal_config

    def step(
        self, telemetry: Telemetry, settings: Settings | None, ambient_c: float | None, now_s: float
    ) -> Assessment:
        """Take a frame at a monotonic time in seconds, the settings as last read, and the temperature of the room."""
        self._began_s = min(self._began_s, now_s)
        self._protection.identify(telemetry, settings)
        if settings is not self._settings or self._protection.chemistry is not self._chemistry:
            self._settings, self._chemistry = settings, self._protection.chemistry
            self._adapt(self._chemistry, settings)
        self._meet(telemetry, now_s)
        sample = ThermalSample(
            probes_c=tuple([READINGS[probe](telemetry) for probe in self._probes]),
            mos_temperature_c=telemetry.mos_temperature_c,
            current_a=telemetry.current_a,
            cell_voltages_v=telemetry.cell_voltages_v,
            heating=telemetry.heating is True,
            balancing_cells=() if telemetry.balance_action is BalanceAction.OFF else None,
            ambient_c=ambient_c,
        )
        said_c = *sample.probes_c, sample.mos_temperature_c
        if said_c != self._said_c:
            self._said_c, self._moved_s = said_c, now_s
        # Temperatures that stand still with the rest of a board say nothing: heat must not look as if it had stopped.
        frozen = self._protection.frozen and now_s - self._moved_s > _STANDS_STILL_S
        thermal = self._thermal.step(None if frozen else sample, now_s)
        gated_c = {**dict(zip(self._probes, thermal.temperatures_c, strict=False)), MOSFETS: thermal.mos_temperature_c}
        believed_c = {probe: reading_c for probe, reading_c in gated_c.items() if reading_c is not None}
        self._heat_waits = thermal.confirmation_wanted
        return self._assess(self._protection.step(telemetry, settings, now_s, believed_c), thermal, now_s)

    def wants_another(self) -> bool:
        """Return whether the next frame is wanted at once: what the last one said may be grave, but says it alone."""
        return self._heat_waits or self._protection.waits or self._is_more_than_found()

    def silent(self, now_s: float) -> Assessment:
        """Return what is known at a time at which no frame came."""
        return self._assess(self._protection.stale(now_s), self._thermal.step(None, now_s), now_s)

    def excuse(self, now_s: float) -> None:
        """Take note that the silence up to now was wanted."""
        self._protection.excuse(now_s)

    def acknowledge(self) -> None:
        """Take note that the owner has seen what was critical."""
        self._latched = self._protection.acknowledge().latched
        self._thermal.acknowledge()

    def reset(self, now_s: float, *, sure: bool = False) -> bool:
        """End an emergency by hand; return whether that could be.

        It can once the pack has been cool for an hour and is still seen to be. Burnt probes never say so: after an hour
        of frames in which no temperature was known, `sure` says that somebody has looked.
        """
        heard_s = self._thermal.heard_s
        unheard_s = now_s - (self._began_s if heard_s is None else heard_s)
        looked = sure and unheard_s >= _LOOK_AFTER_S
        blind = unheard_s > max(_SEEN_FOR_S, _LOST_AFTER_PERIODS * self._config.frame_period_s)
        if (blind and not looked) or not self._thermal.reset(now_s, sure=looked):
            return False
        self._heat = GuardianLevel.OK
        return True

    def state(self) -> dict[str, object]:
        """Return what has to be kept over a restart, for JSON."""
        return {
            "chemistry": self._protection.heard_chemistry,
            "critical": sorted(self.critical),
            "latched": sorted(self._latched),
            "probes": list(self._probes),
            RAISED_BY: self._raised_by,
            "thermal": self._thermal.remember(),
        }

    def _meet(self, telemetry: Telemetry, now_s: float) -> None:
        """Take in the probes that turn up, in that order: what has been learned of the others stays theirs.

        The first are taken in with a reading that can be a temperature. Later ones have to say another in the next
        frame: a probe that a single wrong reading made would be missed for good. So would one that isn't there at all,
        but that the board says the temperature of the MOSFETs for: a probe is what says another, if any does.
        """
        first = not self._probes
        mos_c = telemetry.mos_temperature_c
        strangers: dict[str, ProbeGate] = {}
        met: list[str] = []
        for probe in PROBES:
            if probe not in self._probes and (reading_c := READINGS[probe](telemetry)) is not None:
                gate = strangers[probe] = self._strangers.get(probe) or ProbeGate()
                if gate.step(reading_c, now_s, 0.0, 0.0, None) or (first and gate.begun):
                    met.append(probe)
        self._strangers = strangers
        own = [probe for probe in met if READINGS[probe](telemetry) != mos_c]
        self._probes += tuple(own or (met if first else ()))

    def _adapt(self, chemistry: Chemistry | None, settings: Settings | None) -> None:
        """Let the thermal engine go by what the pack turns out to be."""
        self._thermal_config = self._judge_by(chemistry, settings)
        self._thermal.adapt(self._thermal_config)

    def _judge_by(self, chemistry: Chemistry | None, settings: Settings | None) -> ThermalConfig:
        """Return what the heat is judged by; for what is unknown, that of the packs that most boards are in."""
        usual = ThermalConfig()
        capacity_ah = None if settings is None else settings.nominal_capacity_ah
        mos_limit_c = None if settings is None else settings.mos_overtemperature_c
        return replace(
            usual,
            capacity_ah=_within(_CAPACITIES_AH, capacity_ah) or usual.capacity_ah,
            thresholds=replace(HeatThresholds(chemistry, settings, self._chosen_heat).all(), shown_c=SHOWN_C),
            mos_limit_c=_within(_MOS_LIMITS_C, mos_limit_c) or usual.mos_limit_c,
            plateau_v=usual.plateau_v if chemistry in (None, Chemistry.LFP) else None,
            frame_period_s=self._config.frame_period_s,
        )

    def _assess(self, protection: ProtectionAssessment, thermal: ThermalAssessment, now_s: float) -> Assessment:
        probes = self._probes
        self._latched = protection.latched
        if thermal.level is not None:
            self._heat = GuardianLevel(thermal.level)
        findings = [_of_hazard(hazard) for hazard in protection.hazards]
        if self._heat:
            findings.append(self._of_heat(self._heat, thermal))
            findings.sort(key=lambda finding: (-finding.level, finding.since_s))
        blind_since_s = thermal.blind_since_s
        tolerated_s = _LOST_AFTER_PERIODS * self._config.frame_period_s
        return Assessment(
            level=findings[0].level if findings else GuardianLevel.OK,
            findings=tuple(findings),
            protection=protection,
            thermal=thermal,
            probes=probes,
            monitoring_lost=blind_since_s is not None and now_s - blind_since_s > tolerated_s,
        )

    def _is_more_than_found(self) -> bool:
        """Return whether a reading, believed or not yet, would be a higher level if more frames said it."""
        hottest_c = max(filter(may_be_temperature, self._said_c[:-1]), default=-inf)
        reached = self._thermal_config.thresholds.reached(hottest_c)
        return reached is not None and reached[0] > self._heat

    def _of_heat(self, level: GuardianLevel, thermal: ThermalAssessment) -> Finding:
        if not thermal.causes or thermal.causes[0].level < level:
            return Finding(HEAT, HEAT, level, HEAT_HELD, thermal.level_since_s, self._raised_by)
        worst = thermal.causes[0]
        numbers = {"value": worst.value, "limit": worst.limit, "slope": worst.slope_c_min}
        cause = f"{HEAT}_{worst.cause}"
        place: dict[str, str] = {}
        if worst.probe is not None:
            place["probe"] = self._probes[worst.probe]
        if worst.cell is not None:
            place["cell"] = str(worst.cell + 1)
        self._raised_by = {RAISED_BY: cause, **place}
        said = {name: f"{number:.1f}" for name, number in numbers.items() if number is not None}
        return Finding(HEAT, HEAT, level, cause, thermal.level_since_s, said | place)


def _within(range_: tuple[float, float], value: float | None) -> float | None:
    return value if value is not None and isfinite(value) and range_[0] <= value <= range_[1] else None


def _of_hazard(hazard: Hazard) -> Finding:
    return Finding(
        hazard.key, hazard.family, GuardianLevel(hazard.level), hazard.cause, hazard.since_s, hazard.placeholders
    )


def _raised_by(stored: object) -> dict[str, str]:
    known = stored if isinstance(stored, dict) else {}
    if known.get(RAISED_BY) not in CAUSES:
        return {}
    return {name: known[name] for name in (RAISED_BY, *_PLACES) if isinstance(known.get(name), str)}


def _chemistry(stored: object) -> Chemistry | None:
    return next((chemistry for chemistry in Chemistry if chemistry == stored), None)


def _texts(stored: object) -> list[str]:
    return [each for each in stored if isinstance(each, str)] if isinstance(stored, list) else []
