"""How serious is the heat of this pack, and where does it go?"""

from __future__ import annotations

from .config import ThermalConfig
from .interface import ThermalAssessment, ThermalSample


class ThermalEngine:
    """Judges one pack. `remembered` is what an earlier engine of the same pack returned from `remember`."""

    def __init__(self, config: ThermalConfig, remembered: object = None) -> None:
        self._config = config

    def step(self, sample: ThermalSample | None, now_s: float) -> ThermalAssessment:
        """Take a frame at a monotonic time in seconds; None if there was none, only time has passed."""
        raise NotImplementedError

    def remember(self) -> dict[str, object]:
        """Return what is worth keeping over a restart, for JSON."""
        raise NotImplementedError

    def acknowledge(self, now_s: float) -> None:
        """Somebody has seen it: a level 3 that came from one spot may end by itself now."""
        raise NotImplementedError

    def reset(self, now_s: float) -> bool:
        """End level 4 by hand; return whether it was cool for long enough."""
        raise NotImplementedError
