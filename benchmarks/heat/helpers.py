"""What do the rules say that an owner can build from Home Assistant's own helpers?

Each follows one entity per probe. `derivative` and `trend` are those of Home Assistant, computed without it; a test
holds them against it. All are fed as a poll writes states: an unchanged value is reported again.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import Final, Protocol, override

EPISODE_GAP_S: Final = 900.0
"""What comes back sooner is the same alarm."""


class Derivative:
    """The helper `derivative` with the unit min: °C/min over a window; over the last two states with a window of 0."""

    def __init__(self, window_s: float) -> None:
        self._window_s = window_s
        self._points: deque[tuple[float, float]] = deque()
        self._computed_s: float | None = None
        self.value: float | None = 0.0

    def report(self, t: float, state: float | None) -> None:
        """Take a state of the source; None is `unknown`."""
        if state is None:
            self.value = None
            return
        points = self._points
        if not points:
            points.append((t, state))
            return
        if self.value is None:
            # After an unknown state it goes on from the last one that it computed with.
            if self._computed_s is None:
                points.append((t, state))
                return
            while points[-1][0] > self._computed_s:
                points.pop()
        last_t, last = points[-1]
        points.append((t, state))
        if state == last and self.value == 0.0:
            return
        self._computed_s = t
        # Segments that ended before the window are gone, and so is what lies between them.
        start = t - self._window_s
        while len(points) > 2 and points[1][0] <= start:
            points.popleft()
        if t - last_t > self._window_s:
            value = 60 * (state - last) / (t - last_t)
        else:
            (first_t, first), (second_t, second) = points[0], points[1]
            if first_t < start:
                first += (second - first) * (start - first_t) / (second_t - first_t)
            value = 60 * (state - first) / self._window_s
        self.value = round(value, 3)


class Trend:
    """The helper `trend`: °C/min by least squares over the last states that were changes."""

    def __init__(self, samples: int, duration_s: float) -> None:
        self._duration_s = duration_s
        self._samples: deque[tuple[float, float]] = deque(maxlen=samples)
        self._last: float | None = None
        self.value = 0.0

    def report(self, t: float, state: float | None) -> None:
        """Take a state of the source; None is `unknown`."""
        if state == self._last:
            return
        self._last = state
        samples = self._samples
        if state is not None:
            samples.append((t, state))
        while samples and samples[0][0] < t - self._duration_s:
            samples.popleft()
        count = len(samples)
        if count < 2:
            return
        mean_t = sum(at for at, _ in samples) / count
        mean = sum(value for _, value in samples) / count
        self.value = 60 * (
            sum((at - mean_t) * (value - mean) for at, value in samples) / sum((at - mean_t) ** 2 for at, _ in samples)
        )


class Rule(Protocol):
    """Something that is on or off after each frame."""

    def alarms(self, t: float, probes_c: Sequence[float | None]) -> bool:
        """Take a frame and say whether it is on."""


class Above(Rule):
    """A numeric state of any probe."""

    def __init__(self, limit_c: float) -> None:
        self._limit_c = limit_c

    @override
    def alarms(self, t: float, probes_c: Sequence[float | None]) -> bool:
        return any(probe_c is not None and probe_c > self._limit_c for probe_c in probes_c)


class Spread(Rule):
    """The highest probe less the lowest, as a template."""

    def __init__(self, limit_c: float) -> None:
        self._limit_c = limit_c

    @override
    def alarms(self, t: float, probes_c: Sequence[float | None]) -> bool:
        known_c = [probe_c for probe_c in probes_c if probe_c is not None]
        return bool(known_c) and max(known_c) - min(known_c) > self._limit_c


class Gain(Rule):
    """The helper `statistics` with the characteristic `change` over an age: the newest state less the oldest."""

    def __init__(self, limit_c: float, age_s: float) -> None:
        self._limit_c, self._age_s = limit_c, age_s
        self._states: dict[int, deque[tuple[float, float]]] = {}

    @override
    def alarms(self, t: float, probes_c: Sequence[float | None]) -> bool:
        on = False
        for probe, probe_c in enumerate(probes_c):
            states = self._states.setdefault(probe, deque())
            if probe_c is not None:
                states.append((t, probe_c))
            while states and states[0][0] < t - self._age_s:
                states.popleft()
            on = on or (bool(states) and states[-1][1] - states[0][1] > self._limit_c)
        return on


class Steep(Rule):
    """A derivative or trend of each probe."""

    def __init__(self, limit_c_min: float, helper: Callable[[], Derivative | Trend]) -> None:
        self._limit_c_min, self._helper = limit_c_min, helper
        self._helpers: list[Derivative | Trend] = []
        self.slopes_c_min: list[float | None] = []
        """Of each probe, after the last frame."""

    @override
    def alarms(self, t: float, probes_c: Sequence[float | None]) -> bool:
        while len(self._helpers) < len(probes_c):
            self._helpers.append(self._helper())
        for helper, probe_c in zip(self._helpers, probes_c, strict=False):
            helper.report(t, probe_c)
        self.slopes_c_min = [helper.value for helper in self._helpers]
        return any(slope is not None and slope > self._limit_c_min for slope in self.slopes_c_min)


def rules() -> dict[str, Rule]:
    """Return a fresh set of what owners use; the names are those of the columns of scenarios.csv."""
    return {
        "base_fixed60": Above(60.0),
        "base_derivative5min_gt1": Steep(1.0, lambda: Derivative(300.0)),
        "base_derivative10min_gt0.5": Steep(0.5, lambda: Derivative(600.0)),
        "base_trend20_600s_gt0.5": Steep(0.5, lambda: Trend(20, 600.0)),
        "base_derivative_raw_gt3": Steep(3.0, lambda: Derivative(0.0)),
        "base_spread_gt5": Spread(5.0),
        "statistics_60s_gt5": Gain(5.0, 60.0),
    }


class Episodes:
    """Counts alarms: an alarm begins when there was none for a while."""

    def __init__(self, gap_s: float = EPISODE_GAP_S) -> None:
        self._gap_s = gap_s
        self._last_s: float | None = None
        self.starts_s: list[float] = []
        self.on_s = 0.0
        """Time spent on, from each frame that says so to the next."""

    def take(self, t: float, *, on: bool, frame_s: float = 0.0) -> None:
        """Take the state after a frame."""
        if not on:
            return
        if self._last_s is None or t - self._last_s > self._gap_s:
            self.starts_s.append(t)
        self._last_s = t
        self.on_s += frame_s
