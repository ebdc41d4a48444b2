"""Which settings of the board should the owner look at, and what would be better?

For LFP cells, from the owner's manuals of JK's boards and what has proven itself with 16 cells in series: charging ends
at 3.45 V per cell, so that the over-voltage protection is never needed, and the balancer works near that voltage only,
because in between a cell's voltage says next to nothing of its charge. Values in the accepted range are left alone.

Voltages hang together, boards refuse some that are out of order, and nothing is written but one setting at a time. So a
value that stays is what the next is judged by: each setting gets a target, which is what it is if that is accepted and
what is recommended if not, and all targets together are in order. If one can't be written while the others are as they
are, those in its way have targets of their own, which have to be written first.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from math import floor
from operator import is_
from typing import Final

from ..bms.board import Board
from ..bms.layout import Generation
from ..bms.registers import SETTINGS_BY_KEY, Register, conflicts, numbers
from ..bms.telemetry import Chemistry, DeviceInfo, Settings, Telemetry
from .chemistry import chemistry_of, loosens_beyond_safe

_FACTORY: Final = {
    # The manual's values for LFP; where it has none, those of recorded boards that nobody had changed
    "cell_overvoltage_v": 3.6,
    "cell_overvoltage_recovery_v": 3.55,
    "cell_undervoltage_v": 2.6,
    "cell_undervoltage_recovery_v": 2.65,
    "power_off_voltage_v": 2.5,
    "smart_sleep_voltage_v": 3.5,
    "balance_start_voltage_v": 3.0,
    "balance_trigger_voltage_v": 0.01,
    "charge_current_limit_a": 25.0,
    "charge_overcurrent_delay_s": 30.0,
    "charge_overcurrent_recovery_s": 60.0,
    "discharge_overcurrent_delay_s": 300.0,
    "discharge_overcurrent_recovery_s": 60.0,
    "short_circuit_delay_us": 1500.0,
    "short_circuit_recovery_s": 60.0,
    "charge_overtemperature_c": 70.0,
    "charge_overtemperature_recovery_c": 60.0,
    "discharge_overtemperature_c": 70.0,
    "discharge_overtemperature_recovery_c": 60.0,
    "charge_undertemperature_c": -20.0,
    "charge_undertemperature_recovery_c": -10.0,
    "mos_overtemperature_c": 100.0,
    "mos_overtemperature_recovery_c": 80.0,
}
_FACTORY_24S: Final = _FACTORY | {
    "cell_overvoltage_recovery_v": 3.4,
    "cell_undervoltage_recovery_v": 3.0,
    "smart_sleep_voltage_v": 0.6,
    "mos_overtemperature_c": 90.0,
    "mos_overtemperature_recovery_c": 70.0,
}
_RATED_AT_FACTORY: Final = {"discharge_current_limit_a", "balance_current_limit_a"}

_FLAT_BELOW_V: Final = 3.38
"""Below this a cell's voltage hardly depends on its charge: 5 mV are 4 to 35 Ah of a 280 Ah cell."""
_CHARGE_V: Final = 3.45
_FLOAT_V: Final = 3.35


class Reason(StrEnum):
    """Why a setting is advised: the key of a text."""

    CELL_OVERVOLTAGE = "cell_overvoltage"
    CELL_OVERVOLTAGE_RECOVERY = "cell_overvoltage_recovery"
    CHARGE_ORDER = "charge_order"
    FLOAT_VOLTAGE = "float_voltage"
    CELL_UNDERVOLTAGE = "cell_undervoltage"
    CELL_UNDERVOLTAGE_RECOVERY = "cell_undervoltage_recovery"
    SOC_0 = "soc_0"
    POWER_OFF = "power_off"
    SMART_SLEEP = "smart_sleep"
    BALANCE_START = "balance_start"
    BALANCE_TRIGGER = "balance_trigger"
    BALANCE_CURRENT = "balance_current"
    CHARGE_CURRENT = "charge_current"
    DISCHARGE_CURRENT = "discharge_current"
    OVERCURRENT_DELAY = "overcurrent_delay"
    SHORT_CIRCUIT_DELAY = "short_circuit_delay"
    RETRY = "retry"
    CELL_OVERTEMPERATURE = "cell_overtemperature"
    CHARGE_UNDERTEMPERATURE = "charge_undertemperature"
    MOS_OVERTEMPERATURE = "mos_overtemperature"
    TEMPERATURE_RECOVERY = "temperature_recovery"
    CHARGE_TIMES = "charge_times"


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    """What is advised for one setting, in the setting's own unit."""

    key: str
    present: float
    recommended: float
    lowest: float | None
    """The range that is accepted; None for an end that is open."""
    highest: float | None
    reason: Reason
    deviates: bool
    """Whether what is set lies outside the range."""
    weighty: bool
    """Whether it deviates so far that cells are at risk, or that the balancer does harm."""
    after: tuple[str, ...]
    """Settings that the recommended value would be in the wrong order with: they have to change before."""


class _Range:
    """The accepted range and what is recommended of it, to the millivolt: floating point is finer than a register."""

    def __init__(self, recommended: float, lowest: float | None = None, highest: float | None = None) -> None:
        self.lowest = None if lowest is None else round(lowest, 3)
        self.highest = None if highest is None else round(highest, 3)
        self.recommended = self.nearest(round(recommended, 3))

    def nearest(self, value: float) -> float:
        """Return the value of the range that is nearest."""
        if self.lowest is not None:
            value = max(value, self.lowest)
        return value if self.highest is None else min(value, self.highest)


@dataclass(frozen=True, slots=True)
class _Pack:
    """What the rules judge by: what is set, and the targets of the rules before."""

    settings: Settings
    ratings: Mapping[str, float]
    present: Mapping[str, float]
    """The settings that the board has."""
    targets: dict[str, float] = field(default_factory=dict)

    def lowest_of(self, key: str, share_of_rating: float, rate: float) -> float | None:
        """Return the lower of a share of the rating (in A) and a rate of the capacity (in 1/h), to 0.1 A."""
        bounds = [self.ratings[key] * share_of_rating] if key in self.ratings else []
        if capacity_ah := self.settings.nominal_capacity_ah:
            bounds.append(capacity_ah * rate)
        return floor(round(min(bounds) * 10, 6)) / 10 if bounds else None


@dataclass(frozen=True, slots=True)
class _Rule:
    key: str
    reason: Reason
    judge: Callable[[_Pack], _Range | None]


def _fixed(recommended: float, lowest: float | None = None, highest: float | None = None) -> Callable[[_Pack], _Range]:
    return lambda _: _Range(recommended, lowest, highest)


def _overvoltage_recovery(pack: _Pack) -> _Range:
    overvoltage_v = pack.targets["cell_overvoltage_v"]
    recommended_v = _CHARGE_V - 0.01 if "soc_100_cell_voltage_v" in pack.present else _CHARGE_V
    return _Range(recommended_v, overvoltage_v - 0.25, overvoltage_v - 0.05)


def _requested_charge(pack: _Pack) -> _Range:
    recovery_v = pack.targets["cell_overvoltage_recovery_v"]
    return _Range(max(_CHARGE_V, recovery_v + 0.01), recovery_v + 0.002, pack.targets["cell_overvoltage_v"] - 0.001)


def _soc_100(pack: _Pack) -> _Range:
    above = "requested_charge_voltage_v"
    if above not in pack.present:
        above = "cell_overvoltage_v"
    lowest_v = pack.targets["cell_overvoltage_recovery_v"] + 0.001
    return _Range(_CHARGE_V - 0.005, lowest_v, pack.targets[above] - 0.001)


def _undervoltage_recovery(pack: _Pack) -> _Range:
    undervoltage_v = pack.targets["cell_undervoltage_v"]
    # Up to where the float voltage still has its place below the over-voltage recovery
    return _Range(2.95, undervoltage_v + 0.1, min(undervoltage_v + 0.5, 3.25))


def _soc_0(pack: _Pack) -> _Range:
    undervoltage_v = pack.targets["cell_undervoltage_v"]
    return _Range(undervoltage_v + 0.05, undervoltage_v + 0.001, pack.targets["cell_undervoltage_recovery_v"] - 0.001)


def _power_off(pack: _Pack) -> _Range:
    return _Range(2.5, 2.0, pack.targets["cell_undervoltage_v"] - 0.05)


def _requested_float(pack: _Pack) -> _Range:
    lowest_v = pack.targets["cell_undervoltage_recovery_v"] + 0.001
    return _Range(_FLOAT_V, lowest_v, pack.targets["cell_overvoltage_recovery_v"] - 0.001)


def _smart_sleep(pack: _Pack) -> _Range | None:
    # A full pack rests at the float voltage.
    return _Range(3.3, None, _FLOAT_V) if pack.settings.control("smart_sleep") else None


def _balance_start(pack: _Pack) -> _Range:
    charge_v = _CHARGE_V + 0.01
    if "requested_charge_voltage_v" in pack.present:
        charge_v = pack.targets["requested_charge_voltage_v"]
    highest_v = max(_FLAT_BELOW_V, min(_CHARGE_V, charge_v - 0.01))
    return _Range(min(3.42, charge_v - 0.02), _FLAT_BELOW_V, highest_v)


def _at_most(key: str, share_of_rating: float, rate: float) -> Callable[[_Pack], _Range | None]:
    def judge(pack: _Pack) -> _Range | None:
        highest_a = pack.lowest_of(key, share_of_rating, rate)
        return None if highest_a is None else _Range(highest_a, None, highest_a)

    return judge


def _recovery_below(limit: str, recommended_c: float) -> Callable[[_Pack], _Range]:
    def judge(pack: _Pack) -> _Range:
        limit_c = pack.targets[limit]
        return _Range(min(recommended_c, limit_c - 5), None, limit_c - 1)

    return judge


def _undertemperature_recovery(pack: _Pack) -> _Range:
    limit_c = pack.targets["charge_undertemperature_c"]
    return _Range(max(5, limit_c + 3), limit_c + 1)


def _in_float_mode(pack_range: _Range) -> Callable[[_Pack], _Range | None]:
    return lambda pack: pack_range if pack.settings.control("charging_float_mode") else None


_RULES: Final = (
    # A shorter delay than is usual is never advised against: it errs on the safe side.
    _Rule("charge_undertemperature_c", Reason.CHARGE_UNDERTEMPERATURE, _fixed(2, 0)),
    _Rule("charge_undertemperature_recovery_c", Reason.TEMPERATURE_RECOVERY, _undertemperature_recovery),
    _Rule("cell_overvoltage_v", Reason.CELL_OVERVOLTAGE, _fixed(3.6, 3.55, 3.65)),
    _Rule("cell_overvoltage_recovery_v", Reason.CELL_OVERVOLTAGE_RECOVERY, _overvoltage_recovery),
    _Rule("requested_charge_voltage_v", Reason.CHARGE_ORDER, _requested_charge),
    _Rule("soc_100_cell_voltage_v", Reason.CHARGE_ORDER, _soc_100),
    _Rule("cell_undervoltage_v", Reason.CELL_UNDERVOLTAGE, _fixed(2.7, 2.5, 3.0)),
    _Rule("cell_undervoltage_recovery_v", Reason.CELL_UNDERVOLTAGE_RECOVERY, _undervoltage_recovery),
    _Rule("soc_0_cell_voltage_v", Reason.SOC_0, _soc_0),
    _Rule("power_off_voltage_v", Reason.POWER_OFF, _power_off),
    _Rule("requested_float_voltage_v", Reason.FLOAT_VOLTAGE, _requested_float),
    _Rule("requested_charge_time_h", Reason.CHARGE_TIMES, _in_float_mode(_Range(1, 0.1, 1))),
    _Rule("requested_float_time_h", Reason.CHARGE_TIMES, _in_float_mode(_Range(12, 6, 24))),
    _Rule("smart_sleep_voltage_v", Reason.SMART_SLEEP, _smart_sleep),
    _Rule("balance_start_voltage_v", Reason.BALANCE_START, _balance_start),
    _Rule("balance_trigger_voltage_v", Reason.BALANCE_TRIGGER, _fixed(0.005, 0.003, 0.015)),
    _Rule("balance_current_limit_a", Reason.BALANCE_CURRENT, _at_most("balance_current_limit_a", 1, 0.1)),
    _Rule("charge_current_limit_a", Reason.CHARGE_CURRENT, _at_most("charge_current_limit_a", 0.8, 0.5)),
    _Rule("charge_overcurrent_delay_s", Reason.OVERCURRENT_DELAY, _fixed(30, None, 30)),
    _Rule("charge_overcurrent_recovery_s", Reason.RETRY, _fixed(60)),
    _Rule("discharge_current_limit_a", Reason.DISCHARGE_CURRENT, _at_most("discharge_current_limit_a", 1, 1)),
    _Rule("discharge_overcurrent_delay_s", Reason.OVERCURRENT_DELAY, _fixed(60, None, 60)),
    _Rule("discharge_overcurrent_recovery_s", Reason.RETRY, _fixed(60)),
    _Rule("short_circuit_delay_us", Reason.SHORT_CIRCUIT_DELAY, _fixed(1500, None, 1500)),
    _Rule("short_circuit_recovery_s", Reason.RETRY, _fixed(60)),
    _Rule("charge_overtemperature_c", Reason.CELL_OVERTEMPERATURE, _fixed(50, None, 60)),
    _Rule(
        "charge_overtemperature_recovery_c",
        Reason.TEMPERATURE_RECOVERY,
        _recovery_below("charge_overtemperature_c", 45),
    ),
    _Rule("discharge_overtemperature_c", Reason.CELL_OVERTEMPERATURE, _fixed(55, None, 60)),
    _Rule(
        "discharge_overtemperature_recovery_c",
        Reason.TEMPERATURE_RECOVERY,
        _recovery_below("discharge_overtemperature_c", 50),
    ),
    _Rule("mos_overtemperature_c", Reason.MOS_OVERTEMPERATURE, _fixed(80, None, 90)),
    _Rule("mos_overtemperature_recovery_c", Reason.TEMPERATURE_RECOVERY, _recovery_below("mos_overtemperature_c", 70)),
)
"""Each after those that it is judged by."""

ADVISED: Final = tuple(rule.key for rule in _RULES)
"""The settings that there is advice for."""


def factory(key: str, board: Board) -> float | None:
    """Return what a setting is when a board for LFP leaves the factory, in its own unit; None where it isn't known."""
    if key in _RATED_AT_FACTORY:
        return board.ratings.get(key)
    return (_FACTORY_24S if board.generation is Generation.JK02_24S else _FACTORY).get(key)


def advise(
    settings: Settings, device_info: DeviceInfo, telemetry: Telemetry, board: Board
) -> Mapping[str, Advice] | None:
    """Return what is advised for each setting that the board has; None for a pack that there is no advice for.

    That is one whose cells are not LFP, or not known to be, and a stand-alone balancer.
    """
    if board.is_balancer or chemistry_of(telemetry, settings) is not Chemistry.LFP:
        return None
    registers: dict[str, Register] = {}
    present: dict[str, float] = {}
    for key, value in numbers(settings, device_info).items():
        register = SETTINGS_BY_KEY[key].register_on(board, device_info)
        if register is not None and not SETTINGS_BY_KEY[key].is_absent_at(value, register):
            registers[key], present[key] = register, value
    pack = _Pack(settings, board.ratings, present)
    return {rule.key: advice for rule in _RULES if (advice := _advice(rule, pack, registers.get(rule.key)))}


def _advice(rule: _Rule, pack: _Pack, register: Register | None) -> Advice | None:
    """Judge one setting, and set its target."""
    judged = rule.judge(pack)
    if judged is None:
        return None
    key, recommended = rule.key, judged.recommended
    if register is None:
        pack.targets[key] = recommended
        return None
    present = pack.present[key]
    writable = min(max(recommended, register.lowest), register.highest)
    deviates = present != judged.nearest(present)
    pack.targets[key] = recommended if deviates else present
    if writable != judged.nearest(writable):
        return None
    too_loose = loosens_beyond_safe(key, None, present, Chemistry.LFP) is not None
    on_the_flat = key == "balance_start_voltage_v" and present < _FLAT_BELOW_V
    return Advice(
        key=key,
        present=present,
        recommended=writable,
        lowest=judged.lowest,
        highest=judged.highest,
        reason=rule.reason,
        deviates=deviates,
        weighty=deviates and (too_loose or on_the_flat),
        after=_in_the_way(key, writable, pack.present) if deviates else (),
    )


def _in_the_way(key: str, value: float, present: Mapping[str, float]) -> tuple[str, ...]:
    """Return the settings that a value would be in the wrong order with."""
    return tuple(
        conflict.higher if conflict.lower == key else conflict.lower
        for conflict in conflicts({**present, key: value}, frozenset({key}))
    )


def review(
    settings: Settings, device_info: DeviceInfo, telemetry: Telemetry, board: Board
) -> tuple[Advice, ...] | None:
    """Return what deviates, first the weighty and what is in their way; None for a pack without advice."""
    advised = advise(settings, device_info, telemetry, board)
    if advised is None:
        return None
    findings = [advice for advice in advised.values() if advice.deviates]
    first = {key for finding in findings if finding.weighty for key in (finding.key, *finding.after)}
    return tuple(sorted(findings, key=lambda finding: finding.key not in first))


class Adviser:
    """Reviews one pack's settings, again only when something has changed that it depends on."""

    def __init__(self) -> None:
        self._judged: tuple[object, ...] | None = None
        self._findings: tuple[Advice, ...] | None = None

    def step(
        self,
        settings: Settings | None,
        device_info: DeviceInfo,
        telemetry: Telemetry,
        board: Board,
        accepted: Mapping[str, float],
    ) -> tuple[Advice, ...] | None:
        """Return what deviates; None without settings, or for a pack that there is no advice for.

        `accepted` are values, by key, that the owner wants just as they are.
        """
        if settings is None:
            return None
        judged = settings, device_info, telemetry.chemistry, board, accepted
        if self._judged is None or not all(map(is_, judged, self._judged)):
            self._judged = judged
            findings = review(settings, device_info, telemetry, board)
            self._findings = findings and tuple(each for each in findings if accepted.get(each.key) != each.present)
        return self._findings
