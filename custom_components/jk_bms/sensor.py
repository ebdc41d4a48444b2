"""Sensors: tables of what is measured, derived, set and known of the link."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import MISSING, fields
from operator import attrgetter
from typing import Final, override

from homeassistant.components.sensor import (
    RestoreSensor,
    SensorDeviceClass,
    SensorEntity,
    SensorExtraStoredData,
    SensorStateClass,
)
from homeassistant.const import (
    SIGNAL_STRENGTH_DECIBELS_MILLIWATT,
    EntityCategory,
    UnitOfElectricPotential,
    UnitOfEnergy,
    UnitOfRatio,
    UnitOfTime,
)
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .battery.advice import Advice
from .bms.layout import CELL_SLOTS_32S
from .bms.link import LinkState
from .bms.registers import SETTINGS_BY_KEY
from .bms.telemetry import BalanceAction, ChargeState, Settings
from .coordinator import JkBmsConfigEntry
from .entity import JkBmsEntity, Value, async_add_existing
from .guardian_sensor import GUARDIAN_SENSORS
from .pack_state import PackState
from .publishing import Delta
from .quantities import QUANTITIES
from .sensor_kinds import CELL_VOLTAGE, JkBmsSensorDescription, charge, current, power, temperature, voltage

PARALLEL_UPDATES = 0

_MILLIOHMS: Final = "mΩ"

_IN_TURN: Final = Delta()
_PACK_VOLTAGE: Final = Delta(significant=0.1, dead_band=0.02)
_BALANCE_CURRENT: Final = Delta(dead_band=0.1)
_STATE_OF_CHARGE: Final = Delta(significant=1, dead_band=0.05)
_ENERGY: Final = Delta(dead_band=0.001)
_HOURS: Final = Delta(significant=1, relative=0.1, dead_band=0.05)
_CHARGE_STATE_TIME: Final = Delta(significant=300, dead_band=300)
_RUN_TIME: Final = Delta(dead_band=3600)
_SIGNAL: Final = Delta(dead_band=3)


def _timer(key: str, value_fn: Callable[[PackState], Value]) -> JkBmsSensorDescription:
    """Seconds that the board counts down; off by default, as they change with every frame while they run."""
    return JkBmsSensorDescription(
        key=key,
        value_fn=value_fn,
        delta=_IN_TURN,
        device_class=SensorDeviceClass.DURATION,
        native_unit_of_measurement=UnitOfTime.SECONDS,
        entity_category=EntityCategory.DIAGNOSTIC,
        entity_registry_enabled_default=False,
    )


def _hours_to_go(key: str, value_fn: Callable[[PackState], Value]) -> JkBmsSensorDescription:
    return JkBmsSensorDescription(
        key=key,
        value_fn=value_fn,
        exists_fn=lambda state: (
            state.telemetry.current_a is not None and state.telemetry.remaining_capacity_ah is not None
        ),
        delta=_HOURS,
        device_class=SensorDeviceClass.DURATION,
        native_unit_of_measurement=UnitOfTime.HOURS,
        suggested_display_precision=1,
    )


def _cell_voltage(cell: int) -> JkBmsSensorDescription:
    def value(state: PackState) -> float | None:
        voltages_v = state.telemetry.cell_voltages_v
        return voltages_v[cell - 1] if cell <= len(voltages_v) else None

    return JkBmsSensorDescription(
        key=f"cell_{cell}_voltage",
        translation_key="cell_voltage",
        translation_placeholders={"cell": str(cell)},
        value_fn=value,
        exists_fn=lambda state: cell <= len(state.telemetry.cell_voltages_v),
        delta=CELL_VOLTAGE,
        device_class=SensorDeviceClass.VOLTAGE,
        native_unit_of_measurement=UnitOfElectricPotential.VOLT,
        state_class=SensorStateClass.MEASUREMENT,
        suggested_display_precision=3,
    )


def _lead_resistance(cell: int) -> JkBmsSensorDescription:
    def value(state: PackState) -> float | None:
        resistances_ohm = state.telemetry.lead_resistances_ohm
        return round(resistances_ohm[cell - 1] * 1000, 3) if cell <= len(resistances_ohm) else None

    return JkBmsSensorDescription(
        key=f"cell_{cell}_lead_resistance",
        translation_key="lead_resistance",
        translation_placeholders={"cell": str(cell)},
        value_fn=value,
        delta=_IN_TURN,
        native_unit_of_measurement=_MILLIOHMS,
        state_class=SensorStateClass.MEASUREMENT,
        suggested_display_precision=0,
        entity_category=EntityCategory.DIAGNOSTIC,
        entity_registry_enabled_default=False,
    )


def _pack_voltage(state: PackState) -> float | None:
    """Return what the board measures; the oldest ones leave the summing up to us."""
    return state.telemetry.pack_voltage_v or state.telemetry.sum_of_cells_v


def _average_cell_voltage(state: PackState) -> float | None:
    average_v = state.telemetry.average_cell_voltage_v
    return None if average_v is None else round(average_v, 4)


def _positive_part(value: float | None) -> float | None:
    return None if value is None else max(value, 0.0)


def _discharge_power(state: PackState) -> float | None:
    power_w = state.telemetry.power_w
    return None if power_w is None else max(0.0, -power_w)


def _fine_state_of_charge(state: PackState) -> float | None:
    remaining_ah, full_ah = state.telemetry.remaining_capacity_ah, state.telemetry.full_charge_capacity_ah
    return round(100 * remaining_ah / full_ah, 2) if remaining_ah is not None and full_ah else None


def _nominal_capacity(state: PackState) -> float | None:
    return None if state.settings is None or state.board.is_balancer else state.settings.nominal_capacity_ah


_BALANCE_ACTIONS: Final = {action: action.name.lower() for action in BalanceAction}


def _balance_action(state: PackState) -> str | None:
    action = state.telemetry.balance_action
    return None if action is None else _BALANCE_ACTIONS[action]


def _finding(finding: Advice) -> dict[str, object]:
    return {
        "key": finding.key,
        "present": finding.present,
        "recommended": finding.recommended,
        "unit": SETTINGS_BY_KEY[finding.key].unit,
        "reason": finding.reason,
    }


_PACK: Final = (
    voltage("pack_voltage", _pack_voltage, delta=_PACK_VOLTAGE, precision=2),
    current("current", attrgetter("telemetry.current_a")),
    power("power", attrgetter("telemetry.power_w")),
    power("charge_power", lambda state: _positive_part(state.telemetry.power_w)),
    power("discharge_power", _discharge_power),
    JkBmsSensorDescription(
        key="state_of_charge",
        value_fn=attrgetter("telemetry.state_of_charge_pct"),
        delta=_STATE_OF_CHARGE,
        device_class=SensorDeviceClass.BATTERY,
        native_unit_of_measurement=UnitOfRatio.PERCENTAGE,
        state_class=SensorStateClass.MEASUREMENT,
    ),
    JkBmsSensorDescription(
        key="state_of_charge_fine",
        value_fn=_fine_state_of_charge,
        delta=_STATE_OF_CHARGE,
        native_unit_of_measurement=UnitOfRatio.PERCENTAGE,
        state_class=SensorStateClass.MEASUREMENT,
        suggested_display_precision=2,
    ),
    JkBmsSensorDescription(
        key="state_of_health",
        value_fn=attrgetter("telemetry.state_of_health_pct"),
        native_unit_of_measurement=UnitOfRatio.PERCENTAGE,
        state_class=SensorStateClass.MEASUREMENT,
    ),
    charge("remaining_capacity", attrgetter("telemetry.remaining_capacity_ah")),
    charge("full_charge_capacity", attrgetter("telemetry.full_charge_capacity_ah")),
    charge("nominal_capacity", _nominal_capacity),
    JkBmsSensorDescription(
        key="stored_energy",
        value_fn=attrgetter("stored_energy_kwh"),
        delta=Delta(significant=0.1, relative=0.01, dead_band=0.005),
        device_class=SensorDeviceClass.ENERGY_STORAGE,
        native_unit_of_measurement=UnitOfEnergy.KILO_WATT_HOUR,
        state_class=SensorStateClass.MEASUREMENT,
        suggested_display_precision=2,
    ),
    JkBmsSensorDescription(
        key="cycles",
        value_fn=attrgetter("telemetry.cycle_count"),
        state_class=SensorStateClass.TOTAL_INCREASING,
    ),
    charge(
        "throughput",
        attrgetter("telemetry.cycle_capacity_ah"),
        state_class=SensorStateClass.TOTAL_INCREASING,
    ),
    _hours_to_go("time_to_full", attrgetter("time_to_go.to_full_h")),
    _hours_to_go("time_to_empty", attrgetter("time_to_go.to_empty_h")),
    JkBmsSensorDescription(
        key="charge_state",
        value_fn=attrgetter("telemetry.charge_state"),
        device_class=SensorDeviceClass.ENUM,
        options=list(ChargeState),
    ),
    JkBmsSensorDescription(
        key="charge_state_time",
        value_fn=attrgetter("telemetry.charge_state_time_s"),
        delta=_CHARGE_STATE_TIME,
        device_class=SensorDeviceClass.DURATION,
        native_unit_of_measurement=UnitOfTime.SECONDS,
        suggested_unit_of_measurement=UnitOfTime.MINUTES,
        suggested_display_precision=0,
    ),
    JkBmsSensorDescription(
        key="run_time",
        value_fn=attrgetter("telemetry.run_time_s"),
        delta=_RUN_TIME,
        device_class=SensorDeviceClass.DURATION,
        native_unit_of_measurement=UnitOfTime.SECONDS,
        suggested_unit_of_measurement=UnitOfTime.DAYS,
        suggested_display_precision=1,
        entity_category=EntityCategory.DIAGNOSTIC,
    ),
    JkBmsSensorDescription(
        key="event_log_count",
        value_fn=attrgetter("telemetry.event_log_count"),
        entity_category=EntityCategory.DIAGNOSTIC,
        entity_registry_enabled_default=False,
    ),
    JkBmsSensorDescription(
        key="settings_to_review",
        value_fn=lambda state: None if state.findings is None else len(state.findings),
        attributes_fn=lambda state: {"findings": [_finding(finding) for finding in state.findings or ()]},
        entity_category=EntityCategory.DIAGNOSTIC,
    ),
    JkBmsSensorDescription(
        key="writes_today",
        value_fn=attrgetter("writes_today"),
        of_link=True,
        entity_category=EntityCategory.DIAGNOSTIC,
        entity_registry_enabled_default=False,
    ),
    JkBmsSensorDescription(
        key="limits_return",
        value_fn=attrgetter("returns_at"),
        exists_fn=lambda state: state.writes_today is not None,
        of_link=True,
        device_class=SensorDeviceClass.TIMESTAMP,
        entity_category=EntityCategory.DIAGNOSTIC,
    ),
)

_CELLS: Final = (
    *(_cell_voltage(cell) for cell in range(1, CELL_SLOTS_32S + 1)),
    *(_lead_resistance(cell) for cell in range(1, CELL_SLOTS_32S + 1)),
    voltage("average_cell_voltage", _average_cell_voltage),
    voltage("lowest_cell_voltage", attrgetter("telemetry.lowest_cell_voltage_v")),
    voltage("highest_cell_voltage", attrgetter("telemetry.highest_cell_voltage_v")),
    voltage("delta_cell_voltage", attrgetter("telemetry.delta_cell_voltage_v")),
    # Which of two equal cells is the lowest changes with every frame: no matter for a message of its own. Without a
    # state class each change would be a line in the activity log, too.
    JkBmsSensorDescription(
        key="lowest_cell",
        value_fn=attrgetter("telemetry.lowest_cell"),
        delta=_IN_TURN,
        state_class=SensorStateClass.MEASUREMENT,
    ),
    JkBmsSensorDescription(
        key="highest_cell",
        value_fn=attrgetter("telemetry.highest_cell"),
        delta=_IN_TURN,
        state_class=SensorStateClass.MEASUREMENT,
    ),
    # While balancing, charge is taken from one cell and given to another in turns of a few seconds.
    current("balance_current", lambda state: round(state.telemetry.balance_current_a, 3), delta=_BALANCE_CURRENT),
    JkBmsSensorDescription(
        key="balance_action",
        value_fn=_balance_action,
        device_class=SensorDeviceClass.ENUM,
        options=list(_BALANCE_ACTIONS.values()),
        entity_registry_enabled_default=False,
    ),
)

_TEMPERATURES: Final = (
    *(temperature(f"temperature_{probe}", attrgetter(f"telemetry.temperature_{probe}_c")) for probe in (1, 2, 4, 5)),
    temperature("mos_temperature", attrgetter("telemetry.mos_temperature_c")),
    current("heater_current", attrgetter("telemetry.heater_current_a")),
)

_TIMERS: Final = tuple(
    _timer(name, attrgetter(f"telemetry.{name}_s"))
    for name in (
        "discharge_overcurrent_release",
        "discharge_short_circuit_release",
        "charge_overcurrent_release",
        "charge_short_circuit_release",
        "undervoltage_release",
        "overvoltage_release",
        "emergency_countdown",
    )
)

ENERGIES: Final = tuple(
    JkBmsSensorDescription(
        key=key,
        value_fn=value_fn,
        exists_fn=lambda state: state.telemetry.power_w is not None,
        delta=_ENERGY,
        device_class=SensorDeviceClass.ENERGY,
        native_unit_of_measurement=UnitOfEnergy.KILO_WATT_HOUR,
        state_class=SensorStateClass.TOTAL_INCREASING,
        suggested_display_precision=2,
    )
    for key, value_fn in (
        ("energy_charged", attrgetter("energy.charged_kwh")),
        ("energy_discharged", attrgetter("energy.discharged_kwh")),
    )
)

_LINK: Final = (
    JkBmsSensorDescription(
        key="link_state",
        value_fn=attrgetter("link.state"),
        attributes_fn=lambda state: {"problem": state.link.problem},
        of_link=True,
        device_class=SensorDeviceClass.ENUM,
        options=list(LinkState),
        entity_category=EntityCategory.DIAGNOSTIC,
    ),
    JkBmsSensorDescription(
        key="carrier",
        value_fn=attrgetter("carrier"),
        exists_fn=lambda _: True,
        of_link=True,
        entity_category=EntityCategory.DIAGNOSTIC,
    ),
    JkBmsSensorDescription(
        key="signal_strength",
        value_fn=attrgetter("signal_strength_dbm"),
        exists_fn=lambda _: True,
        delta=_SIGNAL,
        of_link=True,
        device_class=SensorDeviceClass.SIGNAL_STRENGTH,
        native_unit_of_measurement=SIGNAL_STRENGTH_DECIBELS_MILLIWATT,
        state_class=SensorStateClass.MEASUREMENT,
        entity_category=EntityCategory.DIAGNOSTIC,
        entity_registry_enabled_default=False,
    ),
    JkBmsSensorDescription(
        key="frames_good",
        value_fn=attrgetter("frames_good"),
        delta=_IN_TURN,
        of_link=True,
        state_class=SensorStateClass.TOTAL_INCREASING,
        entity_category=EntityCategory.DIAGNOSTIC,
        entity_registry_enabled_default=False,
    ),
    JkBmsSensorDescription(
        key="frames_rejected",
        value_fn=attrgetter("frames_rejected"),
        delta=_IN_TURN,
        of_link=True,
        state_class=SensorStateClass.TOTAL_INCREASING,
        entity_category=EntityCategory.DIAGNOSTIC,
    ),
    JkBmsSensorDescription(
        key="last_frame_age",
        value_fn=lambda state: round(state.age_s),
        delta=_IN_TURN,
        of_link=True,
        device_class=SensorDeviceClass.DURATION,
        native_unit_of_measurement=UnitOfTime.SECONDS,
        entity_category=EntityCategory.DIAGNOSTIC,
        entity_registry_enabled_default=False,
    ),
)


_SHOWN_ELSEWHERE: Final = {
    "generation",
    "nominal_capacity_ah",
    "charge_switch",
    "discharge_switch",
    "balancer_switch",
    "control_bits",
    "lead_resistance_calibrations_uohm",  # what the board reports there is not understood
}


def _setting(name: str, *, on_balancers: bool) -> JkBmsSensorDescription:
    stem, _, unit = name.rpartition("_")
    quantity = QUANTITIES.get(unit)

    def value(state: PackState) -> float | None:
        if state.settings is None or (state.board.is_balancer and not on_balancers):
            return None
        setting: float | None = getattr(state.settings, name)
        return setting if isinstance(setting, int | None) else round(setting, 4)

    return JkBmsSensorDescription(
        key=f"setting_{stem if quantity else name}",
        value_fn=value,
        device_class=quantity.sensor_class if quantity else None,
        native_unit_of_measurement=quantity.unit if quantity else None,
        suggested_display_precision=quantity.precision if quantity else None,
        entity_category=EntityCategory.DIAGNOSTIC,
        entity_registry_enabled_default=False,
    )


_SETTINGS: Final = tuple(
    # What every generation has, a stand-alone balancer has too; of the rest it sends a BMS's defaults.
    _setting(field.name, on_balancers=field.default is MISSING)
    for field in fields(Settings)
    if field.name not in _SHOWN_ELSEWHERE
)

SENSORS: Final = (*_PACK, *_CELLS, *_TEMPERATURES, *GUARDIAN_SENSORS, *_TIMERS, *_LINK, *_SETTINGS)


async def async_setup_entry(
    _hass: HomeAssistant, entry: JkBmsConfigEntry, async_add_entities: AddConfigEntryEntitiesCallback
) -> None:
    """Set up the sensors of a pack."""
    async_add_existing(entry, async_add_entities, SENSORS, JkBmsSensor)
    async_add_existing(entry, async_add_entities, ENERGIES, JkBmsEnergySensor)


class JkBmsSensor(JkBmsEntity, SensorEntity):
    """A value of the pack."""

    entity_description: JkBmsSensorDescription

    @property
    @override
    def native_value(self) -> Value:
        """The value that was last published."""
        return self._value


class JkBmsEnergySensor(JkBmsSensor, RestoreSensor):
    """Energy over the life of the entity: what was restored plus what the meter has counted since."""

    _restored_kwh = 0.0

    @override
    async def async_added_to_hass(self) -> None:
        """Go on from where the last run ended."""
        await super().async_added_to_hass()
        last = await self.async_get_last_sensor_data()
        if last is not None and isinstance(last.native_value, int | float):
            self._restored_kwh = float(last.native_value)

    @property
    @override
    def native_value(self) -> float:
        """The energy that was last published."""
        assert isinstance(self._value, int | float)
        return round(self._restored_kwh + self._value, 4)

    @property
    @override
    def extra_restore_state_data(self) -> SensorExtraStoredData:
        """The energy up to the last frame, published or not."""
        counted = self.entity_description.value_fn(self.coordinator.state)
        assert isinstance(counted, int | float)
        return SensorExtraStoredData(self._restored_kwh + counted, UnitOfEnergy.KILO_WATT_HOUR)
