"""A pack that is watched frame by frame."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from custom_components.jk_bms.battery.guardian import Assessment, Guardian
from custom_components.jk_bms.battery.hazards import Hazard, Kind, Level
from custom_components.jk_bms.battery.protection import ProtectionAssessment, ProtectionConfig, ProtectionEngine
from custom_components.jk_bms.bms.telemetry import Settings, Telemetry

from ..pack_values import SETTINGS_32S, telemetry_32s

FRAME_S = 0.5
BARE = replace(
    SETTINGS_32S,
    cell_overvoltage_v=3.7,
    cell_undervoltage_v=2.5,
    charge_overtemperature_c=70.0,
    discharge_overtemperature_c=70.0,
    charge_undertemperature_c=-20.0,
    discharge_undertemperature_c=-40,
    mos_overtemperature_c=110.0,
)
"""A board whose own limits lie so far out that the levels are those of the table."""

type Frame = dict[str, Any]
"""What is said in a frame other than usual."""


def cells(highest_v: float, lowest_v: float | None = None, count: int = 16) -> tuple[float, ...]:
    """Cells of which the third is the highest and the fifth the lowest; all alike without a lowest."""
    lowest_v = highest_v if lowest_v is None else lowest_v
    voltages = [round((highest_v + lowest_v) / 2, 4)] * count
    voltages[2], voltages[4] = highest_v, lowest_v
    return tuple(voltages)


def probes(first_c: float, second_c: float | None = None, **changes: Any) -> Frame:
    return {"temperature_1_c": first_c, "temperature_2_c": first_c if second_c is None else second_c, **changes}


def volts(highest_v: float, lowest_v: float | None = None, **changes: Any) -> Frame:
    return {"cells_v": cells(highest_v, lowest_v), **changes}


class Life:
    """Frames of one pack, each with the next count and time."""

    def __init__(
        self,
        settings: Settings | None = SETTINGS_32S,
        config: ProtectionConfig | None = None,
        latched: frozenset[str] = frozenset(),
    ) -> None:
        self.engine = ProtectionEngine(config or ProtectionConfig(), latched)
        self.settings = settings
        self.now_s = 1000.0
        self.assessment = ProtectionAssessment()
        self.last: Telemetry = telemetry_32s()
        self._frames = 0

    def frame(self, after_s: float = FRAME_S, **changes: Any) -> ProtectionAssessment:
        """Let a frame come."""
        self._frames += 1
        self.now_s += after_s
        counted = {"counter": self._frames % 256, "run_time_s": int(86_400 + self.now_s)}
        self.last = telemetry_32s(**counted | changes)
        return self.repeat(after_s=0)

    def repeat(self, after_s: float = FRAME_S) -> ProtectionAssessment:
        """Let the same frame come once more."""
        self.now_s += after_s
        self.assessment = self.engine.step(self.last, self.settings, self.now_s)
        return self.assessment

    def run(self, seconds: float, **changes: Any) -> ProtectionAssessment:
        """Let frames come for a time; they are alike but for count and time, and the current's last digit."""
        current_a = changes.pop("current_a", 10.0)
        for number in range(round(seconds / FRAME_S)):
            wobbling_a = None if current_a is None else current_a * (1 + 1e-6 * (number % 2))
            self.frame(current_a=wobbling_a, **changes)
        return self.assessment

    def silence(self, seconds: float) -> ProtectionAssessment:
        """Let time pass without a frame."""
        self.now_s += seconds
        self.assessment = self.engine.stale(self.now_s)
        return self.assessment

    def hazard(self, kind: Kind) -> Hazard | None:
        """Return the hazard of a kind."""
        return next((hazard for hazard in self.assessment.hazards if hazard.kind is kind), None)

    def level(self, kind: Kind) -> Level:
        """Return the level of a kind."""
        hazard = self.hazard(kind)
        return Level.OK if hazard is None else hazard.level


class Watched:
    """A pack and its guardian: each frame has the next count and time."""

    def __init__(self, config: ProtectionConfig | None = None, restored: object = None) -> None:
        self.guardian = Guardian(config or ProtectionConfig(), restored)
        self.settings: Settings | None = SETTINGS_32S
        self.now_s = 1000.0
        self.frames = 0
        self.last: Telemetry = telemetry_32s()

    def frame(self, **changes: Any) -> Assessment:
        self.now_s += FRAME_S
        self.frames += 1
        current_a = 10 + self.frames % 2 / 1000
        values = {"counter": self.frames % 256, "run_time_s": int(self.now_s), "current_a": current_a}
        self.last = telemetry_32s(**values | changes)
        return self.guardian.step(self.last, self.settings, 20.0, self.now_s)

    def repeat(self) -> Assessment:
        self.now_s += FRAME_S
        return self.guardian.step(self.last, self.settings, 20.0, self.now_s)

    def run(self, seconds: float, **changes: Any) -> Assessment:
        for _ in range(int(seconds / FRAME_S)):
            assessment = self.frame(**changes)
        return assessment

    def silence(self, seconds: float) -> Assessment:
        self.now_s += seconds
        return self.guardian.silent(self.now_s)

    def restarted(self, **damage: object) -> Watched:
        stored = json.loads(json.dumps(self.guardian.state(), allow_nan=False)) | damage
        again = Watched(restored=stored)
        again.frames = self.frames
        return again
