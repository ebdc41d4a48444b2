"""Binary sensors: what the pack does and may do, every alarm by itself, and one that sums them up."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from operator import attrgetter
from typing import Final, override

from homeassistant.components.binary_sensor import BinarySensorEntity, BinarySensorEntityDescription
from homeassistant.components.binary_sensor.const import BinarySensorDeviceClass
from homeassistant.const import EntityCategory
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .battery.flow import Flow
from .battery.guardian import HEAT, Finding, GuardianLevel
from .battery.hazards import Family
from .bms.alarms import Alarm, Severity, alarms
from .bms.layout import CONTROL_BITS, Generation
from .coordinator import JkBmsConfigEntry
from .entity import JkBmsEntity, PackDescription, async_add_existing
from .pack_state import PackState, described, has_probe

PARALLEL_UPDATES = 0

ALARM_BITS_24S: Final = 16
"""Width of the alarm word of 24-slot boards."""

MATTER_MOST: Final = frozenset(
    {
        Alarm.MOS_OVERTEMPERATURE,
        Alarm.CELL_COUNT,
        Alarm.CURRENT_SENSOR,
        Alarm.CELL_OVERVOLTAGE,
        Alarm.PACK_OVERVOLTAGE,
        Alarm.CHARGE_OVERCURRENT,
        Alarm.CHARGE_SHORT_CIRCUIT,
        Alarm.CHARGE_OVERTEMPERATURE,
        Alarm.CHARGE_UNDERTEMPERATURE,
        Alarm.CELL_UNDERVOLTAGE,
        Alarm.PACK_UNDERVOLTAGE,
        Alarm.DISCHARGE_OVERCURRENT,
        Alarm.DISCHARGE_SHORT_CIRCUIT,
        Alarm.DISCHARGE_OVERTEMPERATURE,
        Alarm.CHARGE_MOSFET,
        Alarm.DISCHARGE_MOSFET,
    }
)
"""The alarms of what harms a battery in any installation; the others are off by default."""

_PROBLEMS: Final = sum(1 << alarm for alarm in Alarm if alarm.severity is not Severity.HINT)


@dataclass(frozen=True, kw_only=True)
class JkBmsBinarySensorDescription(PackDescription, BinarySensorEntityDescription):
    """A binary sensor of the pack."""


def _flows(flow: Flow) -> Callable[[PackState], bool | None]:
    return lambda state: None if state.flow is None else state.flow is flow


def _switch(name: str) -> Callable[[PackState], bool | None]:
    """Return a switch of the settings; stand-alone balancers report a BMS's defaults there."""

    def value(state: PackState) -> bool | None:
        if state.settings is None or state.board.is_balancer:
            return None
        switch: bool | None = getattr(state.settings, name)
        return switch

    return value


def _control(name: str) -> JkBmsBinarySensorDescription:
    def value(state: PackState) -> bool | None:
        return None if state.settings is None or state.board.is_balancer else state.settings.control(name)

    return JkBmsBinarySensorDescription(
        key=f"setting_{name}",
        value_fn=value,
        entity_category=EntityCategory.DIAGNOSTIC,
        entity_registry_enabled_default=False,
    )


def _alarm(alarm: Alarm) -> JkBmsBinarySensorDescription:
    def value(state: PackState) -> bool | None:
        bits = state.telemetry.alarm_bits
        return None if bits is None else bits >> alarm & 1 == 1

    def exists(state: PackState) -> bool:
        telemetry = state.telemetry
        return telemetry.alarm_bits is not None and (
            telemetry.generation is Generation.JK02_32S or alarm < ALARM_BITS_24S
        )

    return JkBmsBinarySensorDescription(
        key=f"alarm_{alarm.key}",
        value_fn=value,
        exists_fn=exists,
        device_class=BinarySensorDeviceClass.PROBLEM,
        entity_category=EntityCategory.DIAGNOSTIC,
        entity_registry_enabled_default=alarm in MATTER_MOST,
    )


def _problem(state: PackState) -> bool | None:
    bits = state.telemetry.alarm_bits
    return None if bits is None else bits & _PROBLEMS != 0


def _problems(state: PackState) -> dict[str, list[str]]:
    return {"alarms": [alarm.key for alarm in alarms((state.telemetry.alarm_bits or 0) & _PROBLEMS)]}


_MEASURED: Final[dict[Family, Callable[[PackState], bool]]] = {
    Family.PACK_VOLTAGE: lambda state: state.telemetry.pack_voltage_v is not None,
    Family.TEMPERATURE: has_probe,
    Family.CURRENT: lambda state: state.telemetry.current_a is not None,
    Family.BMS_FAULT: lambda state: state.telemetry.alarm_bits is not None,
}
"""Whether a board measures what a family is about; the others are about what all measure."""


def _hazards(family: Family) -> JkBmsBinarySensorDescription:
    """On from a warning on; what is only worth a look is in the attributes. Heat is a matter of the temperature."""
    families = (family, HEAT) if family is Family.TEMPERATURE else (family,)

    def found(state: PackState) -> list[Finding]:
        return [finding for finding in state.assessment.findings if finding.family in families]

    def value(state: PackState) -> bool:
        return any(finding.level >= GuardianLevel.WARNING for finding in found(state))

    def attributes(state: PackState) -> dict[str, object]:
        return {"hazards": described(found(state), state.zero_at)}

    return JkBmsBinarySensorDescription(
        key=f"hazard_{family}",
        value_fn=value,
        exists_fn=_MEASURED.get(family),
        attributes_fn=attributes,
        attributes_in_turn=True,
        of_link=family is Family.DATA,
        of_guardian=True,
        device_class=BinarySensorDeviceClass.PROBLEM,
    )


def _probe_faults(state: PackState) -> dict[str, object]:
    assessment = state.assessment
    return {
        "probes": [
            {"probe": assessment.probes[fault.probe], "reason": fault.reason}
            for fault in assessment.thermal.probe_faults
        ]
    }


BINARY_SENSORS: Final = (
    JkBmsBinarySensorDescription(
        key="charging", value_fn=_flows(Flow.CHARGING), device_class=BinarySensorDeviceClass.BATTERY_CHARGING
    ),
    JkBmsBinarySensorDescription(key="discharging", value_fn=_flows(Flow.DISCHARGING)),
    JkBmsBinarySensorDescription(key="charge_mosfet", value_fn=attrgetter("telemetry.charge_mosfet")),
    JkBmsBinarySensorDescription(key="discharge_mosfet", value_fn=attrgetter("telemetry.discharge_mosfet")),
    JkBmsBinarySensorDescription(key="charge_allowed", value_fn=_switch("charge_switch")),
    JkBmsBinarySensorDescription(key="discharge_allowed", value_fn=_switch("discharge_switch")),
    JkBmsBinarySensorDescription(
        key="balancing",
        value_fn=attrgetter("telemetry.balancing"),
        device_class=BinarySensorDeviceClass.RUNNING,
    ),
    JkBmsBinarySensorDescription(
        key="heating", value_fn=attrgetter("telemetry.heating"), device_class=BinarySensorDeviceClass.RUNNING
    ),
    JkBmsBinarySensorDescription(key="dry_contact_1", value_fn=attrgetter("telemetry.dry_contact_1")),
    JkBmsBinarySensorDescription(key="dry_contact_2", value_fn=attrgetter("telemetry.dry_contact_2")),
    JkBmsBinarySensorDescription(
        key="problem", value_fn=_problem, attributes_fn=_problems, device_class=BinarySensorDeviceClass.PROBLEM
    ),
    *(_alarm(alarm) for alarm in Alarm),
    *(_hazards(family) for family in Family),
    JkBmsBinarySensorDescription(
        key="probe_fault",
        value_fn=lambda state: bool(state.assessment.thermal.probe_faults),
        exists_fn=has_probe,
        attributes_fn=_probe_faults,
        of_guardian=True,
        device_class=BinarySensorDeviceClass.PROBLEM,
        entity_category=EntityCategory.DIAGNOSTIC,
    ),
    JkBmsBinarySensorDescription(
        key="monitoring_lost",
        value_fn=attrgetter("assessment.monitoring_lost"),
        exists_fn=has_probe,
        of_link=True,
        of_guardian=True,
        device_class=BinarySensorDeviceClass.PROBLEM,
        entity_category=EntityCategory.DIAGNOSTIC,
    ),
    JkBmsBinarySensorDescription(
        key="setting_balancer_switch",
        value_fn=lambda state: None if state.settings is None else state.settings.balancer_switch,
        entity_category=EntityCategory.DIAGNOSTIC,
        entity_registry_enabled_default=False,
    ),
    *(_control(name) for name in CONTROL_BITS),
)


async def async_setup_entry(
    _hass: HomeAssistant, entry: JkBmsConfigEntry, async_add_entities: AddConfigEntryEntitiesCallback
) -> None:
    """Set up the binary sensors of a pack."""
    async_add_existing(entry, async_add_entities, BINARY_SENSORS, JkBmsBinarySensor)


class JkBmsBinarySensor(JkBmsEntity, BinarySensorEntity):
    """Something of the pack that is or is not."""

    entity_description: JkBmsBinarySensorDescription

    @property
    @override
    def is_on(self) -> bool | None:
        """What was last published."""
        return None if self._value is None else bool(self._value)
