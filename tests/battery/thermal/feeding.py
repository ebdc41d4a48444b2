"""Frames for the thermal engine: a quiet pack, and what a test makes of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import count

from custom_components.jk_bms.battery.thermal.config import ThermalConfig
from custom_components.jk_bms.battery.thermal.engine import ThermalEngine
from custom_components.jk_bms.battery.thermal.interface import Cause, ThermalAssessment, ThermalSample

QUIET_C = 25.0


class Pack:
    """Feeds an engine with probes that follow straight lines, at 0.1 °C, with the flicker of a real board."""

    def __init__(
        self,
        probes: int = 4,
        start_c: float = QUIET_C,
        frame_s: float = 5.0,
        config: ThermalConfig | None = None,
        remembered: object = None,
    ) -> None:
        self.engine = ThermalEngine(config or ThermalConfig(), remembered)
        self.levels_c = [start_c] * probes
        self.frame_s = frame_s
        self.now_s = 0.0
        self.others = ThermalSample(())
        self.said: list[ThermalAssessment] = []
        self._flicker = count()

    def sample(self) -> ThermalSample:
        """Return the frame of now."""
        step = next(self._flicker)
        return replace(
            self.others,
            probes_c=tuple(
                round(level_c + 0.1 * ((7 * step + 3 * probe) % 5 == 0), 1)
                for probe, level_c in enumerate(self.levels_c)
            ),
        )

    def frame(self, wrong: Mapping[int, float | None] | None = None) -> ThermalAssessment:
        """Feed one frame, some of its probes replaced."""
        self.now_s += self.frame_s
        sample = self.sample()
        probes_c: list[float | None] = list(sample.probes_c)
        for probe, value_c in (wrong or {}).items():
            probes_c[probe] = value_c
        return self._step(replace(sample, probes_c=tuple(probes_c)))

    def _step(self, sample: ThermalSample | None) -> ThermalAssessment:
        assessment = self.engine.step(sample, self.now_s)
        self.said.append(assessment)
        return assessment

    def run(
        self,
        minutes: float,
        rises_c_min: Mapping[int, float] | float = 0.0,
        wrong: Callable[[float], Mapping[int, float | None]] | None = None,
    ) -> ThermalAssessment:
        """Feed some minutes in which probes rise."""
        rises = dict.fromkeys(range(len(self.levels_c)), rises_c_min) if isinstance(rises_c_min, float) else rises_c_min
        assessment = None
        for _ in range(max(1, round(minutes * 60 / self.frame_s))):
            for probe, rise_c_min in rises.items():
                self.levels_c[probe] += rise_c_min * self.frame_s / 60
            assessment = self.frame(wrong(self.now_s) if wrong else None)
        assert assessment is not None
        return assessment

    def silence(self, minutes: float) -> ThermalAssessment:
        """Let time pass without frames."""
        self.now_s += minutes * 60
        return self._step(None)

    def highest(self) -> int:
        """Return the highest level that was said."""
        return max(int(assessment.level or 0) for assessment in self.said)


def kinds(assessment: ThermalAssessment) -> dict[Cause, int]:
    """Return the causes and the level that each speaks for."""
    return {cause.cause: int(cause.level) for cause in assessment.causes}
