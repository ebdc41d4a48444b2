"""Whether a frame with a right sum may be believed."""

from __future__ import annotations

from .telemetry import DeviceInfo, Settings, Telemetry


class Plausibility:
    """Judges cell info frames one after the other."""

    def judge(self, frame: bytes, telemetry: Telemetry, now_s: float) -> tuple[str, ...]:
        """Return why the frame waits for another to say the same; empty when it may be taken at once."""
        return ()
