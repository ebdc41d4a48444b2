"""What a board sets at one touch for a chemistry. JK doesn't publish its figures; these are of the usual size."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from custom_components.jk_bms.bms.event_log import LogCode
from custom_components.jk_bms.bms.registers import Instruction
from custom_components.jk_bms.bms.telemetry import Chemistry


@dataclass(frozen=True, slots=True)
class Preset:
    """A chemistry, the code with which the log notes that it was chosen, and its settings."""

    chemistry: Chemistry
    event: LogCode
    settings: Mapping[str, float]


def _settings(
    *, power_off_v: float, empty_v: float, recovered_v: float, balanced_v: float, released_v: float, full_v: float
) -> dict[str, float]:
    return {
        "power_off_voltage_v": power_off_v,
        "cell_undervoltage_v": empty_v,
        "soc_0_cell_voltage_v": empty_v + 0.05,
        "cell_undervoltage_recovery_v": recovered_v,
        "smart_sleep_voltage_v": recovered_v,
        "balance_start_voltage_v": balanced_v,
        "requested_float_voltage_v": released_v - 0.05,
        "cell_overvoltage_recovery_v": released_v,
        "soc_100_cell_voltage_v": full_v - 0.04,
        "requested_charge_voltage_v": full_v - 0.02,
        "cell_overvoltage_v": full_v,
    }


PRESETS: Final[Mapping[Instruction, Preset]] = {
    Instruction.LOAD_LI_ION_DEFAULTS: Preset(
        Chemistry.LI_ION,
        LogCode.FACTORY_LI_ION,
        _settings(power_off_v=2.7, empty_v=2.8, recovered_v=3.2, balanced_v=3.3, released_v=4.1, full_v=4.2),
    ),
    Instruction.LOAD_LFP_DEFAULTS: Preset(
        Chemistry.LFP,
        LogCode.FACTORY_LFP,
        _settings(power_off_v=2.5, empty_v=2.6, recovered_v=3.0, balanced_v=3.3, released_v=3.5, full_v=3.6),
    ),
    Instruction.LOAD_LTO_DEFAULTS: Preset(
        Chemistry.LTO,
        LogCode.FACTORY_LTO,
        _settings(power_off_v=1.7, empty_v=1.8, recovered_v=2.0, balanced_v=2.3, released_v=2.6, full_v=2.7),
    ),
}
