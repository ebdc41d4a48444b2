"""The board between the cells and its Bluetooth module: it measures, guards, counts, keeps settings and answers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from math import ceil
from random import Random
from typing import Final

from custom_components.jk_bms.bms.alarms import Alarm
from custom_components.jk_bms.bms.board import Board as Identity
from custom_components.jk_bms.bms.event_log import FIRST_CELL_OVERCHARGE, FIRST_CELL_OVERDISCHARGE, LogCode
from custom_components.jk_bms.bms.frames import Command
from custom_components.jk_bms.bms.layout import (
    CELL_INFO,
    CELL_SLOTS_24S,
    CONTROL_BITS,
    DEVICE_INFO,
    SETTINGS,
    TEMPERATURE_MISSING_C,
    FrameType,
    Generation,
    Value,
)
from custom_components.jk_bms.bms.registers import (
    SETTINGS_BY_KEY,
    Instruction,
    Kind,
    Register,
    Setting,
    SettingValue,
    conflicts,
)
from custom_components.jk_bms.bms.telemetry import Chemistry, DeviceInfo, decode_device_info
from simulator.encode import encode, encode_event_log
from simulator.event_log import EventLog
from simulator.models import Model
from simulator.pack import LONGEST_STEP_S, BalanceAction, Measurement, Pack
from simulator.presets import PRESETS
from simulator.protections import RULES, Protections, connected_cells_v

type Load = Callable[[float, float], float]
"""What the outside wants to flow: for the next seconds, at a pack voltage in V, a current in A, + charging."""

FIRST_WITH_FIVE_PROBES: Final = 14
FIRST_WITH_CHARGE_STATE: Final = 15

ENFORCED_ORDER: Final = (
    frozenset(("cell_overvoltage_recovery_v", "soc_100_cell_voltage_v", "cell_overvoltage_v")),
    frozenset(("cell_undervoltage_v", "cell_undervoltage_recovery_v")),
)
"""The settings whose order a board insists on. What else the register table puts in order, recorded boards break."""
RANGE_SLACK: Final = 1e-6
"""What a limit may be off by in a float32."""

FACTORY_PASSCODE: Final = b"123456"
HIGHEST_LEAD_RESISTANCE_OHM: Final = 0.5
"""A higher one is warned of and keeps the balancer off; the board's own limit isn't published."""
POWER_OFF_DELAY_S: Final = 10.0
UP_TIME_STEP_S: Final = 300
"""Device info tells the run time as it was last written to the board's memory."""
HEATER_W: Final = 100.0
SENSOR_V_PER_A: Final = 0.002_64
"""Raw reading of the current sensor; 0.0026 to 0.0049 on recorded boards."""

ALARM_TRIGGERS: Final = {
    2: Alarm.PACK_OVERVOLTAGE,
    3: Alarm.PACK_UNDERVOLTAGE,
    4: Alarm.CELL_OVERVOLTAGE,
    5: Alarm.CELL_UNDERVOLTAGE,
    6: Alarm.CHARGE_OVERCURRENT,
    7: Alarm.DISCHARGE_OVERCURRENT,
}
"""Dry contact triggers that follow an alarm."""
CHEMISTRIES: Final = tuple(Chemistry)
"""By the number that cell info says."""
CHARGE_LOW, BATTERY_WARM, MOS_WARM, ANY_ALARM, BATTERY_COLD, CHARGE_HIGH = 1, 8, 9, 10, 11, 13
"""Dry contact triggers that compare a value with the contact's own limits, and the one of all alarms."""


class ChargeStage:
    """Bulk until the charge voltage is reached, absorption for its time, then float for its time."""

    BULK, ABSORPTION, FLOAT = range(3)
    REACHED_V_PER_CELL: Final = 0.005

    def __init__(self) -> None:
        self.state = self.BULK
        self.time_s = 0.0

    def step(
        self, dt_s: float, cell_v: float, charging: bool, settings: dict[str, float], times_h: tuple[float, float]
    ) -> None:
        """Live on for `dt_s` at a mean cell voltage; `times_h` are those of absorption and float."""
        self.time_s += dt_s
        absorption_h, float_h = times_h
        if self.state == self.BULK:
            if charging and cell_v >= settings["requested_charge_voltage_v"] - self.REACHED_V_PER_CELL:
                self._enter(self.ABSORPTION)
        elif self.state == self.ABSORPTION:
            if cell_v < settings["requested_float_voltage_v"] - self.REACHED_V_PER_CELL:
                self._enter(self.BULK)
            elif self.time_s >= absorption_h * 3600 and control_bit(settings, "charging_float_mode"):
                self._enter(self.FLOAT)
        elif self.time_s >= float_h * 3600 or cell_v < settings["requested_float_voltage_v"] - 0.05:
            self._enter(self.BULK)

    def _enter(self, state: int) -> None:
        self.state = state
        self.time_s = 0.0


def control_bit(settings: dict[str, float], name: str) -> bool:
    """Return one of the control bits by its name in `layout.CONTROL_BITS`."""
    return bool(int(settings.get("control_bits", 0)) >> CONTROL_BITS.index(name) & 1)


class Board:
    """A JK board on a pack.

    To be changed while it runs: `load`, `ripple_a`, `settings` by `set`, `device_info`, the pack itself. The same seed,
    stepped alike, gives the same life.
    """

    def __init__(
        self,
        pack: Pack,
        model: Model,
        *,
        seed: int = 1,
        settings: dict[str, float] | None = None,
        device_info: dict[str, Value] | None = None,
        load: Load = lambda _dt_s, _voltage_v: 0.0,
    ) -> None:
        random = Random(f"board {seed}")
        self.pack = pack
        self.model = model
        self.load = load
        self.ripple_a = 0.0
        """Standard deviation of the ripple on the load's current: what is measured a moment apart disagrees by it."""
        self.powered = True
        self.log = EventLog()
        self._factory_settings = {
            **model.settings,
            "cell_count": float(len(pack.cells)),
            "nominal_capacity_ah": pack.full_ah,
        }
        self._factory_info: dict[str, Value] = {
            "model": model.name.encode(),
            "hardware_version": model.hardware_version.encode(),
            "software_version": model.software_version.encode(),
            "device_name": model.name.encode(),
            "serial_number": f"{random.randrange(10**10, 10**11)}".encode() + b"\0" + b"0000",
            **model.device_info,
        }
        self.settings: dict[str, float] = self._factory_settings | (settings or {})
        self.device_info: dict[str, Value] = self._factory_info | (device_info or {})
        self._lead_calibrations_uohm = [0] * CELL_SLOTS_24S
        self._chemistry = Chemistry.LFP
        self._registers = self._own_registers()
        self.protections = Protections({setting.key for setting, _ in self._registers.values()} & set(self.settings))
        self.run_time_s = float(random.randrange(10**6, 4 * 10**7))
        self.up_time_s = float(random.randrange(10**4, 10**6))
        self._clock_ahead_s = 0.0
        """What the clock was set to, beyond the time since the last boot."""
        self._emergency_s = 0.0
        self._below_power_off_s = 0.0
        self._heating = False
        self._contacts = [False, False]
        self._stage = ChargeStage()
        self._forced: frozenset[Alarm] = frozenset()
        self._counter = random.randrange(256)
        self._lead_warnings = 0
        """A bit for each balance lead with too high a resistance."""
        self._apply_settings()
        self.measure()
        self.log.add(self.run_time_s, LogCode.BOOT)

    @property
    def measurement(self) -> Measurement:
        """What the board knows at present; all zero while it sees no cell."""
        return self._measurement

    @property
    def alarms(self) -> frozenset[Alarm]:
        """The alarms that are raised."""
        alarms = self.protections.alarms | self._forced
        if self.model.generation is not Generation.JK02_32S:
            return alarms
        cells = len(connected_cells_v(self._measurement))
        if cells != self.settings["cell_count"]:
            alarms |= {Alarm.CELL_COUNT}
        if self._lead_warnings:
            alarms |= {Alarm.LEAD_RESISTANCE}
        if self.device_info.get("setup_passcode") == FACTORY_PASSCODE:
            alarms |= {Alarm.DEFAULT_PASSWORD}
        return alarms

    def force_alarm(self, alarm: Alarm, *, raised: bool) -> None:
        """Raise an alarm out of the blue, with what it does to the MOSFETs, or take it back."""
        self._forced = self._forced | {alarm} if raised else self._forced - {alarm}
        self.log.add_alarm(self.run_time_s, alarm, raised=raised)
        self._switch_mosfets()

    def advance(self, dt_s: float) -> None:
        """Live on for `dt_s` seconds."""
        parts = ceil(dt_s / LONGEST_STEP_S)
        for _ in range(parts):
            self._step(dt_s / parts)

    def measure(self) -> None:
        """Read cells, current and probes once more, without any time passing."""
        measured = self.pack.measure(self.ripple_a)
        if not connected_cells_v(measured):
            measured = replace(
                measured,
                pack_voltage_v=0.0,
                current_a=0.0,
                sensor_current_a=0.0,
                state_of_charge=0.0,
                remaining_ah=0.0,
            )
        self._measurement = measured

    def answer(self, register: int, value: bytes) -> list[bytes]:
        """Do what a command says; return the frames it's answered with, which are none for a write."""
        if register == Command.DEVICE_INFO:
            return [self._device_info_frame()]
        if register == Command.SETTINGS_AND_STREAM:
            return [self._settings_frame(), *([self._device_info_frame()] if self.model.repeats_device_info else [])]
        if register == Command.EVENT_LOG and self.model.generation is Generation.JK02_32S:
            return [encode_event_log(self.log.slots, self.log.count, self._count())]
        self._write(register, value)
        return []

    def cell_info_frame(self) -> bytes:
        """Return a cell info frame of the present moment."""
        model = self.model
        return encode(FrameType.CELL_INFO, CELL_INFO[model.generation], self._cell_info(), self._count(), model.unnamed)

    def set(self, name: str, value: float) -> bool:
        """Change a setting unless the order of the settings forbids it; tell whether it was changed."""
        settings = self.settings | {name: value}
        for broken in conflicts(settings, frozenset((name,))):
            if any({broken.lower, broken.higher} <= enforced for enforced in ENFORCED_ORDER):
                return False
        self.settings = settings
        self._apply_settings()
        return True

    def change(self, key: str, value: SettingValue) -> None:
        """Take a value as written by the app. Raises KeyError without such a register, ValueError if it isn't taken."""
        setting, generation = SETTINGS_BY_KEY[key], self.model.generation
        if not self._write(setting.registers[generation].number, setting.encode(value, generation)):
            raise ValueError(f"{key}: {value} is not taken")

    def shut_down(self) -> None:
        """Switch off, as for empty cells."""
        self.log.add(self.run_time_s, LogCode.SHUTDOWN)
        self.powered = False
        self._switch_mosfets()

    def boot(self) -> None:
        """Switch on again. Without a battery of its own the clock starts at 0."""
        self.powered = True
        self.up_time_s = self._clock_ahead_s = self._below_power_off_s = self._emergency_s = 0.0
        power_on_count = self.device_info.get("power_on_count", 0)
        assert isinstance(power_on_count, int)
        self.device_info["power_on_count"] = power_on_count + 1
        self.log.add(self.run_time_s, LogCode.BOOT)
        self._switch_mosfets()

    def _step(self, dt_s: float) -> None:
        wanted_a = self.load(dt_s, self._measurement.pack_voltage_v)
        if not self.powered and wanted_a > 0:
            self.boot()
        self.pack.step(dt_s, wanted_a)
        if not self.powered:
            return
        self.run_time_s += dt_s
        self.up_time_s += dt_s
        self.measure()
        for alarm, raised in self.protections.step(dt_s, self._measurement, self.settings):
            self.log.add_alarm(self.run_time_s, alarm, raised=raised)
            if raised and alarm is Alarm.CELL_OVERVOLTAGE:
                self.log.add(self.run_time_s, FIRST_CELL_OVERCHARGE + self._measurement.highest_cell)
            elif raised and alarm is Alarm.CELL_UNDERVOLTAGE:
                self.log.add(self.run_time_s, FIRST_CELL_OVERDISCHARGE + self._measurement.lowest_cell)
        self._check_leads()
        self._end_emergency(dt_s)
        self._heat()
        self._work_contacts()
        if self.model.major >= FIRST_WITH_CHARGE_STATE and (cells := connected_cells_v(self._measurement)):
            times_h = (self._info("requested_charge_time_h"), self._info("requested_float_time_h"))
            mean_v = sum(cells) / len(cells)
            self._stage.step(dt_s, mean_v, self._measurement.current_a > 0, self.settings, times_h)
        self._switch_mosfets()
        self._watch_power_off(dt_s)

    def _switch_mosfets(self) -> None:
        barred = [rule for rule in RULES if rule.alarm in self._forced]
        sees_cells = self.powered and any(self._measurement.cell_voltages_v)
        charge = not self.protections.bars_charge and not any(rule.opens_charge for rule in barred)
        discharge = not self.protections.bars_discharge and not any(rule.opens_discharge for rule in barred)
        if self._emergency_s > 0:
            discharge = True
        self.pack.charge_mosfet_on = sees_cells and charge and self.settings.get("charge_switch") != 0
        self.pack.discharge_mosfet_on = sees_cells and discharge and self.settings.get("discharge_switch") != 0

    def _apply_settings(self) -> None:
        """Let the pack measure, count and balance by the settings."""
        settings, pack = self.settings, self.pack
        pack.settings = replace(
            pack.settings,
            balancer_enabled=bool(settings["balancer_switch"]) and not self._lead_warnings,
            balance_start_v=settings["balance_start_voltage_v"],
            balance_trigger_v=settings["balance_trigger_voltage_v"],
            balance_current_a=settings["balance_current_limit_a"],
            # Boards without these two settings, or with 0 there, know full and empty by their protections.
            soc_100_voltage_v=settings.get("soc_100_cell_voltage_v") or settings.get("cell_overvoltage_v", 4.35),
            soc_0_voltage_v=settings.get("soc_0_cell_voltage_v") or settings.get("cell_undervoltage_v", 1.2),
        )

    def _check_leads(self) -> None:
        warnings = 0
        for index, resistance_ohm in enumerate(self.pack.lead_resistances_ohm):
            if resistance_ohm > HIGHEST_LEAD_RESISTANCE_OHM:
                warnings |= 1 << index
        if warnings != self._lead_warnings:
            self._lead_warnings = warnings
            self._apply_settings()

    def _end_emergency(self, dt_s: float) -> None:
        if self._emergency_s > 0:
            self._emergency_s = max(0.0, self._emergency_s - dt_s)
            if self._emergency_s == 0:
                self.log.add(self.run_time_s, LogCode.EMERGENCY_OVER)

    def _heat(self) -> None:
        probes = [probe for probe in self._measurement.probe_temperatures_c if probe is not None]
        if not probes or not control_bit(self.settings, "heating_allowed"):
            heating = False
        elif self._heating:
            heating = min(probes) < self.settings["heating_stop_temperature_c"]
        else:
            heating = min(probes) <= self.settings["heating_start_temperature_c"]
        if heating is not self._heating:
            self._heating = heating
            for cell in self.pack.cells:
                cell.heater_w = HEATER_W / len(self.pack.cells) if heating else 0.0

    def _work_contacts(self) -> None:
        for index, contact in enumerate(("dry_contact_1", "dry_contact_2")):
            trigger = self._info(f"{contact}_trigger")
            if trigger in ALARM_TRIGGERS:
                self._contacts[index] = ALARM_TRIGGERS[int(trigger)] in self.alarms
            elif trigger == ANY_ALARM:
                self._contacts[index] = bool(self.alarms)
            else:
                limit = self._info(f"{contact}_{'release' if self._contacts[index] else 'trigger'}_value")
                self._contacts[index] = self._is_beyond(int(trigger), limit)

    def _is_beyond(self, trigger: int, limit: float) -> bool:
        measurement = self._measurement
        probes = [probe for probe in measurement.probe_temperatures_c if probe is not None]
        soc_pct = 100 * measurement.state_of_charge
        match trigger:
            case _ if trigger == CHARGE_LOW:
                return soc_pct <= limit
            case _ if trigger == CHARGE_HIGH:
                return soc_pct >= limit
            case _ if trigger == BATTERY_WARM:
                return max(probes, default=limit - 1) >= limit
            case _ if trigger == BATTERY_COLD:
                return min(probes, default=limit + 1) <= limit
            case _ if trigger == MOS_WARM:
                return measurement.mos_temperature_c >= limit
        return False

    def _watch_power_off(self, dt_s: float) -> None:
        cells = connected_cells_v(self._measurement)
        if cells and min(cells) < self.settings["power_off_voltage_v"] and self._measurement.current_a <= 0:
            self._below_power_off_s += dt_s
            if self._below_power_off_s >= POWER_OFF_DELAY_S and self.model.generation is not Generation.JK04:
                self.shut_down()
        else:
            self._below_power_off_s = 0.0

    def _info(self, name: str) -> float:
        value = self.device_info.get(name, 0)
        assert isinstance(value, int | float)
        return value

    def _count(self) -> int:
        self._counter = (self._counter + 1) & 0xFF
        return self._counter

    def _settings_frame(self) -> bytes:
        calibrations_uohm = tuple(self._lead_calibrations_uohm)
        settings: dict[str, Value] = {**self.settings, "lead_resistance_calibrations_uohm": calibrations_uohm}
        return encode(FrameType.SETTINGS, SETTINGS[self.model.generation], settings, self._count())

    def _device_info_frame(self) -> bytes:
        info = self.device_info | {"up_time_s": self.run_time_s // UP_TIME_STEP_S * UP_TIME_STEP_S}
        return encode(FrameType.DEVICE_INFO, DEVICE_INFO[self.model.generation], info, self._count())

    def _cell_info(self) -> dict[str, Value]:
        """Return the values of a cell info frame by their names in the layout tables."""
        model, measured, settings, alarms = self.model, self._measurement, self.settings, self.alarms
        cells = connected_cells_v(measured)
        probes = [TEMPERATURE_MISSING_C if probe is None else probe for probe in measured.probe_temperatures_c]
        # Probes that no one plugged in read as missing; software that knows two leaves the others at 0.
        probes += [TEMPERATURE_MISSING_C] * (4 - len(probes))
        mos_c = measured.mos_temperature_c
        ratio_pct = 100 * measured.state_of_charge
        values: dict[str, Value] = {
            "cell_voltages_v": measured.cell_voltages_v,
            "cell_mask": (1 << len(measured.cell_voltages_v)) - 1 if cells else 0,
            "average_cell_voltage_v": sum(cells) / len(cells) if cells else 0,
            "reported_delta_cell_voltage_v": max(cells) - min(cells) if cells else 0,
            "highest_cell_index": measured.highest_cell,
            "lowest_cell_index": measured.lowest_cell,
            "lead_resistances_ohm": measured.lead_resistances_ohm,
            "lead_resistance_warnings": self._lead_warnings,
            "pack_voltage_v": measured.pack_voltage_v,
            "coarse_pack_voltage_v": int(measured.pack_voltage_v * 100 + 1e-6) / 100,
            "power_magnitude_w": abs(measured.pack_voltage_v * measured.current_a),
            "current_a": measured.current_a,
            "temperature_1_c": probes[0],
            "temperature_2_c": probes[1],
            "mos_temperature_c": mos_c,
            "temperature_sensor_mask": 0x07,
            "alarm_bits": sum(1 << alarm for alarm in alarms),
            "balance_current_a": measured.balance_current_a,
            "balance_action": measured.balance_action,
            "state_of_charge_pct": int(ratio_pct + (0.5 if model.major >= FIRST_WITH_FIVE_PROBES else 0)),
            "remaining_capacity_ah": measured.remaining_ah,
            "full_charge_capacity_ah": measured.full_ah,
            "cycle_count": measured.cycles,
            "cycle_capacity_ah": measured.throughput_ah,
            "state_of_health_pct": measured.state_of_health_pct if cells else 0,
            "run_time_s": int(self.run_time_s),
            "charge_mosfet": self.pack.charge_mosfet_on,
            "discharge_mosfet": self.pack.discharge_mosfet_on,
            "charge_current_sensor_v": max(0.0, measured.sensor_current_a) * SENSOR_V_PER_A,
            "discharge_current_sensor_v": max(0.0, -measured.sensor_current_a) * SENSOR_V_PER_A,
            "system_up_time_s": self.up_time_s,
        }
        if model.generation is Generation.JK02_32S:
            release_in_s = self.protections.release_in_s
            values |= {
                "balancer_working": measured.balance_action is not BalanceAction.OFF,
                "discharge_overcurrent_release_s": release_in_s(Alarm.DISCHARGE_OVERCURRENT),
                "discharge_short_circuit_release_s": release_in_s(Alarm.DISCHARGE_SHORT_CIRCUIT),
                "charge_overcurrent_release_s": release_in_s(Alarm.CHARGE_OVERCURRENT),
                "charge_short_circuit_release_s": release_in_s(Alarm.CHARGE_SHORT_CIRCUIT),
                "temperature_sensor_mask": 0xFF - sum(2 << n for n in (0, 1) if probes[n] == TEMPERATURE_MISSING_C),
                "heating": self._heating,
                "heater_current_a": HEATER_W / measured.pack_voltage_v if self._heating else 0,
                "emergency_countdown_s": self._emergency_s,
                "mos_temperature_copy_c": mos_c,
                "clock_s": int(self.up_time_s + self._clock_ahead_s),
                "event_log_count": self.log.total,
                "time_to_sleep_s": settings.get("smart_sleep_delay_h", 0) * 3600,
            }
        if model.major >= FIRST_WITH_FIVE_PROBES:
            values |= {"temperature_4_c": probes[2], "temperature_5_c": probes[3]}
        if model.major >= FIRST_WITH_CHARGE_STATE:
            values |= {
                "chemistry": CHEMISTRIES.index(self._chemistry),
                "charge_state": self._stage.state,
                "charge_state_time_s": min(self._stage.time_s, 0xFFFF),
                "dry_contacts": sum(2 << index for index, closed in enumerate(self._contacts) if closed),
            }
        return {**values, **model.constants}

    def _own_registers(self) -> dict[int, tuple[Setting, Register]]:
        """Return what can be written, by the number of its register, with the range that this board allows."""
        model = self.model
        ratings = {
            "charge_current_limit_a": model.rating_a,
            "discharge_current_limit_a": model.rating_a,
            "balance_current_limit_a": model.balance_rating_a,
        }
        identity = Identity(model.generation, model.major, model.is_balancer, confirmed=True, ratings=ratings)
        info = self._said_info()
        return {
            register.number: (setting, register)
            for setting in SETTINGS_BY_KEY.values()
            if (register := setting.register_on(identity, info))
        }

    def _said_info(self) -> DeviceInfo:
        generation = self.model.generation
        frame = encode(FrameType.DEVICE_INFO, DEVICE_INFO[generation], self.device_info)
        return decode_device_info(frame, generation)

    def _write(self, number: int, data: bytes) -> bool:
        """Take a write, or keep everything as it is when register, length or value is none for this board."""
        if number not in self._registers:
            if self.model.generation is not Generation.JK02_32S or number not in set(Instruction) or data:
                return False
            self._follow(Instruction(number))
            return True
        setting, register = self._registers[number]
        if setting.kind is Kind.TEXT:
            self.device_info[setting.field_name] = data
            return True
        if len(data) != register.length:
            return False
        value = setting.decode(data, self.model.generation)
        assert not isinstance(value, str)
        if setting.encode(value, self.model.generation) != data:  # a switch has no third position
            return False
        if not register.lowest - RANGE_SLACK <= value <= register.highest + RANGE_SLACK:
            return False
        if setting.kind is Kind.CHOICE and value not in setting.choices_on(self._said_info()):
            return False
        return self._take(setting, value)

    def _take(self, setting: Setting, value: float) -> bool:
        """Let a value that the board has become what it goes by, unless the others forbid it."""
        if setting.said_in is FrameType.CELL_INFO:
            return self._adjust(setting.key, value)
        if setting.said_in is FrameType.DEVICE_INFO:
            self.device_info[setting.field_name] = value
            return True
        if setting.index is None:
            return self.settings.get(setting.key) == value or self._change_setting(setting.key, value)
        if setting.field_name == "control_bits":
            bits = int(self.settings.get("control_bits", 0))
            return self.set("control_bits", bits & ~(1 << setting.index) | int(value) << setting.index)
        self._lead_calibrations_uohm[setting.index] = int(value)
        return True

    def _change_setting(self, key: str, value: float) -> bool:
        before = self.settings.get(key)
        if not self.set(key, value):
            return False
        match key:
            case "charge_switch":
                self.log.add(self.run_time_s, LogCode.APP_CHARGE_ON if value else LogCode.APP_CHARGE_OFF)
            case "discharge_switch":
                self.log.add(self.run_time_s, LogCode.APP_DISCHARGE_ON if value else LogCode.APP_DISCHARGE_OFF)
            case "nominal_capacity_ah":
                self.pack.full_ah = value
            case "voltage_calibration_v" if before:
                self._calibrate_voltage(value / before)
        self._switch_mosfets()
        return True

    def _adjust(self, key: str, value: float) -> bool:
        """Do what no setting keeps, but the pack or the board's clock shows."""
        measured = self._measurement
        match key:
            case "emergency":
                self._emergency_s = self._info("emergency_duration_min") * 60 if value else 0
                self.log.add(self.run_time_s, LogCode.EMERGENCY_ON if value else LogCode.EMERGENCY_OFF)
                self._switch_mosfets()
            case "clock_s":
                self._clock_ahead_s = value - self.up_time_s
                self.log.add(self.run_time_s, LogCode.CLOCK_SET)
            case "pack_voltage_calibration_v" if measured.pack_voltage_v:
                self._calibrate_voltage(value / measured.pack_voltage_v)
            case "current_calibration_a" if measured.current_a:
                errors = self.pack.errors
                factor = errors.current_calibration * value / abs(measured.current_a)
                self.pack.errors = replace(errors, current_calibration=factor)
            case _:
                return False
        return True

    def _calibrate_voltage(self, factor: float) -> None:
        errors = self.pack.errors
        self.pack.errors = replace(errors, voltage_calibration=errors.voltage_calibration * factor)
        self.measure()

    def _follow(self, instruction: Instruction) -> None:
        match instruction:
            case Instruction.SHUT_DOWN:
                self.log.add(self.run_time_s, LogCode.APP_SHUTDOWN)
                self.shut_down()
            case Instruction.RESTART:
                self.boot()
            case Instruction.FACTORY_RESET:
                self.settings = dict(self._factory_settings)
                self.device_info = self._factory_info | {"power_on_count": self._info("power_on_count")}
                self.pack.full_ah = self.settings["nominal_capacity_ah"]
                self._chemistry = Chemistry.LFP
            case _:
                preset = PRESETS[instruction]
                self._chemistry = preset.chemistry
                self.settings |= {name: value for name, value in preset.settings.items() if name in self.settings}
                self.log.add(self.run_time_s, preset.event)
        self._apply_settings()
        self._switch_mosfets()
