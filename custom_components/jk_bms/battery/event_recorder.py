"""What was the pack like in the minutes before it became critical?

Once a second a frame goes into a ring of five minutes, as the few numbers that tell the story. When something becomes
critical, or an emergency, the ring is packed and kept with all that the board said at that moment, what was made of it
and the limits that were gone by. The last twenty events are kept. What comes and goes is kept once in five minutes: the
ring holds the rest. What lasts longer than that is kept then.
"""

from __future__ import annotations

from base64 import b85decode, b85encode
from collections import deque
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import cache
from math import isfinite
from struct import Struct, pack
from struct import error as struct_error
from typing import Any, Final
from zlib import compress, decompress
from zlib import error as zlib_error

from ..bms.telemetry import Settings, Telemetry
from .as_json import Json, as_json
from .guardian import HEAT, HEAT_HELD, Assessment, Guardian, GuardianLevel

EVENTS_KEPT: Final = 20
RING_S: Final = 300
STEP_S: Final = 1.0
_EARLY_S: Final = 0.1
"""Frames don't come on the second: one that is hardly early is not left out."""
_COLUMNS: Final = {
    "pack_voltage_v": 0.01,
    "temperature_1_c": 0.1,
    "temperature_2_c": 0.1,
    "temperature_4_c": 0.1,
    "temperature_5_c": 0.1,
    "mos_temperature_c": 0.1,
    "state_of_charge_pct": 1.0,
    "charge_mosfet": 1.0,
    "discharge_mosfet": 1.0,
}
"""What is kept of a frame beside current and cells, by the field of Telemetry, with the step it is kept in."""
_CELL_STEP_V: Final = 0.001
_CURRENT_STEP_A: Final = 0.1
_UNKNOWN: Final = -0x8000
_HIGHEST: Final = 0x7FFF
_TIME: Final = Struct("<d")
_NO_CELL: Final = pack("<h", _UNKNOWN)


@dataclass(frozen=True, slots=True, kw_only=True)
class CriticalEvent:
    """One moment at which something became critical; all of it is JSON."""

    at: str
    """In ISO 8601."""
    assessment: Json
    """What was made of it: findings, hazards, and heat with its causes and forecasts."""
    telemetry: Json
    settings: Json
    limits: Json
    """By hazard the limits of advisory, warning and critical; of heat, what it is judged by."""
    cells: int
    before: str
    """The five minutes before, packed."""

    def minutes_before(self) -> list[dict[str, Any]]:
        """Return the five minutes before, oldest first; `time_s` counts up to 0, the moment itself."""
        return [_unpacked(numbers) for numbers in self._rows()]

    def _rows(self) -> Iterator[tuple[Any, ...]]:
        return _row(self.cells).iter_unpack(decompress(b85decode(self.before)))

    @classmethod
    def restored(cls, stored: object) -> CriticalEvent | None:
        """Return the event that was stored; None for what is none, or can't be unpacked."""
        if not isinstance(stored, dict):
            return None
        try:
            event = cls(**stored)
            event._rows()
        except AttributeError, TypeError, ValueError, struct_error, zlib_error:
            return None
        return event


class EventRecorder:
    """Records one pack. `restored` is what `state` said before a restart; what of it can't be read is left out."""

    def __init__(self, restored: object = None) -> None:
        stored = restored if isinstance(restored, list) else []
        events = [event for each in stored if (event := CriticalEvent.restored(each)) is not None]
        self.events: tuple[CriticalEvent, ...] = tuple(events)[-EVENTS_KEPT:]
        """Oldest first."""
        self.damaged: Final = restored is not None and (restored is not stored or len(events) < len(stored))
        """Whether something was left out."""
        self._ring: deque[bytes] = deque(maxlen=int(RING_S / STEP_S))
        self._next_s = 0.0
        self._recorded_s: dict[tuple[str, GuardianLevel], float] = {}
        """When each finding was recorded last, by its key and level."""
        self._critical: dict[str, GuardianLevel] | None = None
        """What is critical or worse, as of the last step; None before the first."""

    def step(
        self,
        guardian: Guardian,
        telemetry: Telemetry,
        settings: Settings | None,
        assessment: Assessment,
        now_s: float,
        at: str,
    ) -> CriticalEvent | None:
        """Take a frame and what a guardian made of it, at a monotonic time in s and a time of the world in ISO 8601.

        Return the event if it is one.
        """
        if self._critical is None:
            self._critical = dict.fromkeys(guardian.resumed, GuardianLevel.CRITICAL)
        news = self._news(self._critical, assessment, now_s)
        if news or now_s >= self._next_s or now_s < self._next_s - STEP_S:
            self._next_s = now_s + STEP_S - _EARLY_S
            self._write(telemetry, assessment.level, now_s)
        if not news:
            return None
        self._recorded_s |= dict.fromkeys(news, now_s)
        cells, before = self._packed(now_s)
        event = CriticalEvent(
            at=at,
            assessment=as_json(assessment, now_s),
            telemetry=as_json(telemetry, now_s),
            settings=as_json(settings, now_s),
            limits=limits_as_json(guardian),
            cells=cells,
            before=before,
        )
        self.events = (*self.events, event)[-EVENTS_KEPT:]
        return event

    def state(self) -> list[dict[str, Any]]:
        """Return the events as JSON, oldest first."""
        return [asdict(event) for event in self.events]

    def _news(
        self, before: dict[str, GuardianLevel], assessment: Assessment, now_s: float
    ) -> list[tuple[str, GuardianLevel]]:
        """Return what has become critical, or worse, with this frame; what a restart only remembers hasn't."""
        critical = self._critical = dict[str, GuardianLevel]()
        if assessment.level < GuardianLevel.CRITICAL:
            return []
        news: list[tuple[str, GuardianLevel]] = []
        for each in assessment.findings:
            if each.level < GuardianLevel.CRITICAL:
                continue
            known, recorded_s = before.get(each.key, GuardianLevel.OK), self._recorded_s.get((each.key, each.level))
            critical[each.key] = each.level
            if each.cause == HEAT_HELD and each.key in before:
                critical[each.key] = known
            if each.level <= known or each.cause == HEAT_HELD:
                continue
            if recorded_s is None or now_s - recorded_s >= RING_S:
                news.append((each.key, each.level))
            else:
                critical[each.key] = known  # it is news again when the five minutes are over
        return news

    def _write(self, telemetry: Telemetry, level: int, now_s: float) -> None:
        voltages_v = telemetry.cell_voltages_v
        self._ring.append(
            _row(len(voltages_v)).pack(
                now_s,
                level,
                _number(telemetry.current_a, _CURRENT_STEP_A),
                *(_number(getattr(telemetry, name), step) for name, step in _COLUMNS.items()),
                *(_number(voltage_v, _CELL_STEP_V) for voltage_v in voltages_v),
            )
        )

    def _packed(self, now_s: float) -> tuple[int, str]:
        """Return the most cells of any row of the last five minutes, and these rows, oldest first, packed.

        Others are unknown: a lead that breaks takes its cell out of the frames, and is what the rows are looked at for.
        """
        recent = []
        for row in self._ring:
            (written_s,) = _TIME.unpack_from(row)
            if 0 <= now_s - written_s <= RING_S:
                recent.append(_TIME.pack(written_s - now_s) + row[_TIME.size :])
        widest = max(map(len, recent))
        rows = (row + _NO_CELL * ((widest - len(row)) // len(_NO_CELL)) for row in recent)
        return (widest - _row(0).size) // len(_NO_CELL), b85encode(compress(b"".join(rows), level=9)).decode()


@cache
def _row(cells: int) -> Struct:
    """Time in s and level, then current, columns and cells in their steps."""
    return Struct(f"<dB{1 + len(_COLUMNS) + cells}h")


def _number(value: float | None, step: float) -> int:
    if value is None or not isfinite(value):
        return _UNKNOWN
    return max(-_HIGHEST, min(_HIGHEST, round(value / step)))


def _value(number: int, step: float) -> float | None:
    return None if number == _UNKNOWN else round(number * step, 3)


def _unpacked(numbers: tuple[Any, ...]) -> dict[str, Any]:
    time_s, level, current, *others = numbers
    return {
        "time_s": round(time_s, 2),
        "level": level,
        "current_a": _value(current, _CURRENT_STEP_A),
        **{name: _value(number, step) for number, (name, step) in zip(others, _COLUMNS.items(), strict=False)},
        "cell_voltages_v": [_value(number, _CELL_STEP_V) for number in others[len(_COLUMNS) :]],
    }


def limits_as_json(guardian: Guardian) -> Json:
    """Return what a guardian goes by at present."""
    limits: dict[str, Json] = {kind.value: list(each.limits) for kind, each in guardian.limits.items()}
    return limits | {HEAT: as_json(guardian.heat_config, 0)}
