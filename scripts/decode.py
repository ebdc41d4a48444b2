"""Decodes what a JK BMS sent: one JSON object a line for each frame, and a summary in the last line.

Takes frames or notification logs (raw bytes, hex lines, btsnoop or tshark text, Home Assistant debug logs, Python
bytes), recordings (JSON files with `frames`) and the diagnostics that Home Assistant lets download. Pass codes, serial
numbers, names and addresses are masked unless `--unmasked`.
"""

from __future__ import annotations

import argparse
import ast
import json
import re
import struct
import sys
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Self

# The wire code is imported without the integration around it, which would need Home Assistant.
sys.path.append(str(Path(__file__).resolve().parent.parent / "custom_components" / "jk_bms"))

from bms.board import Board, board_of, confirmed
from bms.frames import COMMAND_HEADER, HEADER, checksum
from bms.layout import (
    CELL_INFO,
    CONTROL_BITS,
    DEVICE_INFO,
    FRAME_LENGTH,
    SECRET_FIELDS,
    SETTINGS,
    FrameType,
    Generation,
    Layout,
)
from bms.receiver import GENERATION_NOT_CONFIRMED, SAID_ONCE, Reading, Receiver, Verdict
from bms.telemetry import DeviceInfo, Settings, Telemetry

FRAME_TYPES: Final = {
    FrameType.SETTINGS: "settings",
    FrameType.CELL_INFO: "cell_info",
    FrameType.DEVICE_INFO: "device_info",
    FrameType.EVENT_LOG: "logbook",
}
UNITS: Final = {"v": "V", "a": "A", "ah": "Ah", "w": "W", "c": "C"}
TELEMETRY_NAMES: Final = {
    "cell_voltages_v": "cell_voltages_V",
    "lead_resistances_ohm": "cell_resistances_ohm",
    "average_cell_voltage_v": "avg_cell_voltage_V",
    "state_of_charge_pct": "soc_pct",
    "state_of_health_pct": "soh_pct",
    "remaining_capacity_ah": "remaining_Ah",
    "full_charge_capacity_ah": "full_Ah",
    "cycle_capacity_ah": "cycle_capacity_Ah",
    "run_time_s": "runtime_s",
    "mos_temperature_c": "mos_temp_C",
    "temperature_sensor_mask": "sensor_mask",
    "alarm_bits": "alarm_bitmask",
    "charge_mosfet": "charging_mosfet",
    "discharge_mosfet": "discharging_mosfet",
    "heater_current_a": "heating_current_A",
    "charge_state": "charge_status",
    "charge_state_time_s": "charge_status_time_s",
    "event_log_count": "detail_log_count",
}
SETTINGS_NAMES: Final = {
    "cell_undervoltage_v": "cell_uvp_V",
    "cell_undervoltage_recovery_v": "cell_uvpr_V",
    "cell_overvoltage_v": "cell_ovp_V",
    "cell_overvoltage_recovery_v": "cell_ovpr_V",
    "soc_100_cell_voltage_v": "soc100_voltage_V",
    "soc_0_cell_voltage_v": "soc0_voltage_V",
    "requested_charge_voltage_v": "rcv_V",
    "requested_float_voltage_v": "rfv_V",
    "charge_current_limit_a": "max_charge_current_A",
    "charge_overcurrent_delay_s": "charge_ocp_delay_s",
    "charge_overcurrent_recovery_s": "charge_ocp_recovery_s",
    "discharge_current_limit_a": "max_discharge_current_A",
    "discharge_overcurrent_delay_s": "discharge_ocp_delay_s",
    "discharge_overcurrent_recovery_s": "discharge_ocp_recovery_s",
    "short_circuit_recovery_s": "scp_recovery_s",
    "short_circuit_delay_us": "scp_delay_us",
    "balance_current_limit_a": "max_balance_current_A",
    "charge_overtemperature_c": "charge_otp_C",
    "charge_overtemperature_recovery_c": "charge_otpr_C",
    "discharge_overtemperature_c": "discharge_otp_C",
    "discharge_overtemperature_recovery_c": "discharge_otpr_C",
    "charge_undertemperature_c": "charge_utp_C",
    "charge_undertemperature_recovery_c": "charge_utpr_C",
    "discharge_undertemperature_c": "discharge_utp_C",
    "discharge_undertemperature_recovery_c": "discharge_utpr_C",
    "mos_overtemperature_c": "mos_otp_C",
    "mos_overtemperature_recovery_c": "mos_otpr_C",
    "balance_start_voltage_v": "start_balance_voltage_V",
    "heating_start_temperature_c": "heating_start_C",
    "heating_stop_temperature_c": "heating_stop_C",
}
JK04_SETTINGS_NAMES: Final = {
    "balancer_switch": "balancer",
    "balance_start_voltage_v": "balancing_start_voltage_V",
}
DEVICE_INFO_NAMES: Final = {
    "hardware_version": "hw_version",
    "software_version": "sw_version",
    "up_time_s": "uptime_s",
    "requested_charge_time_h": "rcv_time_h",
    "requested_float_time_h": "rfv_time_h",
}
MASK: Final = "***"
SHOWN: Final = 120
"""What a message shows of an input at most: it may be a frame in hex."""
SUMMARY: Final = ("good", "bad_sum", "implausible", "bytes_dropped")

# Only where a line begins, and only if something follows: the end of a payload looks the same.
TIMESTAMP: Final = re.compile(
    r"^[\[(]?((\d{4}-\d\d-\d\d[T ])?\d\d:\d\d:\d\d([.,]\d+)?(Z|[+-]\d\d:?\d\d)?|\d+\.\d+)[\])]?\s+(?=\S)"
)
ADDRESS: Final = re.compile(r"(?<![:0-9A-Fa-f])([0-9A-Fa-f]{2}[:_]){5}[0-9A-Fa-f]{2}(?!:?[0-9A-Fa-f])")
UUID: Final = re.compile(r"[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")
LITERAL: Final = re.compile(r"""\bb(['"])(?:\\.|(?!\1)[^\\])*\1""")
HEX_LINE: Final = re.compile(r"(?:<+|RX:?|>)?\s*((?:[0-9A-Fa-f]{2}[ :.,-]{0,2})+)", re.IGNORECASE)
HEX_RUN: Final = re.compile(
    r"(?<![0-9A-Z])(?:(?:[0-9A-F]{2}[ :.-]?){3,}[0-9A-F]{2}|(?:0x[0-9A-F]{2}[ ,]{1,2}){3,}0x[0-9A-F]{2})(?![0-9A-Z])",
    re.IGNORECASE,
)

type Json = dict[str, Any]


class InputError(Exception):
    """An input that can't be decoded, in words for whoever gave it."""


def bytes_of(line: str) -> bytes | None:
    """Return the payload that a line of a log shows, None if it shows none or one that the client sent."""
    line = TIMESTAMP.sub("", line.strip())
    data = b""
    if literal := LITERAL.search(line):
        with suppress(SyntaxError, ValueError):
            data = ast.literal_eval(literal[0])
    else:
        for other in (ADDRESS, UUID):
            line = other.sub("\t", line).strip() or line
        bare = HEX_LINE.fullmatch(line.split("#")[0].strip())
        text = bare[1] if bare else max(HEX_RUN.findall(line), key=len, default="")
        data = bytes.fromhex(re.sub(r"0x|[^0-9A-F]", "", text, flags=re.IGNORECASE))
    is_request = data.startswith(COMMAND_HEADER) and data[4:5] != b"\xc8"
    return None if not data or is_request else data


def read(name: str) -> Json | list[bytes]:
    """Return the recording or the notifications in a file, in standard input (-) or in the name itself, as hex.

    Raises InputError when there is neither.
    """
    data = name.encode(errors="replace")
    if name == "-":
        data = sys.stdin.buffer.read()
    else:
        with suppress(OSError, ValueError):
            data = Path(name).read_bytes()
    text = data.decode("utf-8-sig", "replace")
    if text.lstrip().startswith("{"):
        with suppress(AttributeError, TypeError, ValueError, RecursionError):
            if recording := recording_in(json.loads(text)):
                return recording
    if b"\0" in data:
        return [data]
    notifications = [payload for line in text.splitlines() if (payload := bytes_of(line))]
    if not notifications:
        raise InputError(f"nothing to decode in {name[:SHOWN]!r}")
    return notifications


def recording_in(parsed: Json) -> Json | None:
    """Return the recording that a JSON file is, or what diagnostics hold as one; None if it's neither."""
    if "frames" in parsed:
        return parsed
    data = parsed.get("data")
    if not isinstance(data, dict) or not isinstance(frames := data.get("last_frames"), dict):
        return None
    device: Json = next(iter(data.get("device") or []), {})
    return {
        "model": device.get("model"),
        "sw": device.get("sw_version"),
        "frames": [{"type": frame_type, "hex": frame} for frame_type, frame in frames.items()],
    }


def pieces(notifications: Iterable[bytes]) -> Iterator[bytes]:
    """Return the notifications cut so that each piece completes one frame at most, and verdicts come one by one."""
    for data in notifications:
        for at in range(0, len(data), FRAME_LENGTH):
            yield data[at : at + FRAME_LENGTH]


def values_of(reading: Reading, *, masked: bool) -> Json:
    """Return what a frame says, under the names that recordings use."""
    value = reading.value
    if isinstance(value, Telemetry):
        return telemetry_values(value)
    if isinstance(value, Settings):
        return settings_values(value)
    if isinstance(value, DeviceInfo):
        return device_info_values(value, masked=masked)
    return {"logbook_count": len(value), "logbook": [[entry.run_time_s, f"0x{entry.code:02X}"] for entry in value]}


def telemetry_values(t: Telemetry) -> Json:
    """Return a cell info frame's values."""
    skipped = ("generation", "counter", "temperature_1_c", "temperature_2_c", "temperature_4_c", "temperature_5_c")
    values = {
        TELEMETRY_NAMES.get(name) or with_unit(name): plain(getattr(t, name))
        for name in Telemetry.__slots__
        if name not in skipped
    }
    probes = {number: getattr(t, f"temperature_{number}_c") for number in (1, 2, 4, 5)}
    values |= {f"temp_T{number}_C": probe for number, probe in probes.items() if probe is not None}
    values["temps_C"] = [probe for probe in probes.values() if probe is not None]
    values |= {
        "cell_count": t.cell_count,
        "min_cell_voltage_V": plain(t.lowest_cell_voltage_v),
        "max_cell_voltage_V": plain(t.highest_cell_voltage_v),
        "min_voltage_cell": t.lowest_cell,
        "max_voltage_cell": t.highest_cell,
        "delta_cell_voltage_V": plain(t.delta_cell_voltage_v),
        "power_W": plain(t.power_w),
        "balancing": t.balancing,
        "alarms": None if t.alarms is None else [alarm.key for alarm in t.alarms],
    }
    if t.generation is Generation.JK04:
        values["pack_voltage_sum_of_cells_V"] = plain(t.sum_of_cells_v)
    return {name: value for name, value in values.items() if value is not None}


def settings_values(s: Settings) -> Json:
    """Return a settings frame's values."""
    names = SETTINGS_NAMES | (JK04_SETTINGS_NAMES if s.generation is Generation.JK04 else {})
    values = {
        f"setting_{names.get(name) or with_unit(name)}": plain(getattr(s, name))
        for name in Settings.__slots__
        if name != "generation"
    }
    values |= {f"setting_{bit}": s.control(bit) for bit in CONTROL_BITS}
    return {name: value for name, value in values.items() if value is not None}


def device_info_values(info: DeviceInfo, *, masked: bool) -> Json:
    """Return a device info frame's values, those that nobody else should read masked."""
    values = {}
    for name in DeviceInfo.__slots__:
        value = getattr(info, name)
        if value is not None:
            values[DEVICE_INFO_NAMES.get(name) or with_unit(name)] = MASK if masked and name in SECRET_FIELDS else value
    return values


def with_unit(name: str) -> str:
    """Return a field's name with its unit as recordings write it."""
    stem, _, unit = name.rpartition("_")
    return f"{stem}_{UNITS[unit]}" if stem and unit in UNITS else name


def plain(value: object) -> object:
    """Return a value as JSON has it, float32 numbers without the digits that they do not have."""
    if isinstance(value, float):
        return round(value, 6)
    if isinstance(value, tuple):
        return [plain(item) for item in value]
    return value


@dataclass
class Decoder:
    """Reads notifications and keeps the lines to print; a frame that waits gets its verdict from the next one."""

    masked: bool
    generation: Generation | None = None
    board: Board | None = None
    lines: list[Json] = field(default_factory=list)
    corrupt: list[Json] = field(default_factory=list)
    """The lines of frames that a recording holds because they are bad."""
    good: int = 0
    bad_sum: int = 0
    implausible: int = 0
    bytes_dropped: int = 0

    def __iadd__(self, other: Self) -> Self:
        """Take over what another one has decoded."""
        self.lines += other.lines
        for name in SUMMARY:
            setattr(self, name, getattr(self, name) + getattr(other, name))
        return self

    def stream(self, notifications: Iterable[bytes]) -> None:
        """Decode notifications that came one after the other over one connection."""
        receiver = Receiver(Board(self.generation, confirmed=True) if self.generation else self.board)
        counters = receiver.assembler.counters
        waiting: Json | None = None
        bad_sum = refused = frames = 0
        for piece in pieces(notifications):
            readings = receiver.feed(piece, float(frames))
            if any(reading.reason in (SAID_ONCE, GENERATION_NOT_CONFIRMED) for reading in readings):
                # Nobody can ask a log again: what it says once has to do.
                readings = [again for reading in readings for again in receiver.read(reading.frame, float(frames))]
            for _ in range(counters.bad_sum - bad_sum):
                self.lines.append(self._line(None, "bad sum"))
            bad_sum = counters.bad_sum
            if self.generation:
                receiver.board = Board(self.generation, receiver.board.software_major, confirmed=True)
            for reading in readings:
                frames += 1
                line = self._line(reading, reading.reason)
                if reading.frame_type is FrameType.CELL_INFO:
                    if waiting is not None and receiver.implausible == refused:
                        waiting |= {"accepted": True, "reason": None}
                    waiting = line if reading.verdict is Verdict.WAITING else None
                refused = receiver.implausible
                if not self._supersedes(line):
                    self.lines.append(line)
        self._settle(waiting, receiver)
        receiver.link_lost()
        self.good += counters.good
        self.bad_sum += counters.bad_sum
        self.implausible += receiver.implausible
        self.bytes_dropped += counters.bytes_dropped

    def _settle(self, waiting: Json | None, receiver: Receiver) -> None:
        """Give the last frame its verdict, now that no other can confirm it: it is good unless it contradicts itself.

        Settings that waited for a cell info frame to settle the generation are read by what is known of the board.
        """
        for line in self.lines:
            if line["reason"] == GENERATION_NOT_CONFIRMED and receiver.board.certain:
                line |= {"accepted": True, "reason": None}
        if waiting is not None and waiting["reason"] == "first frame":
            waiting |= {"accepted": True, "reason": None}
        elif waiting is not None:
            self.implausible += 1

    def _supersedes(self, line: Json) -> bool:
        """Whether a settings frame was read again because its generation has become known; replaces the old line."""
        if line["type"] == "settings":
            for old in reversed(self.lines):
                if old["type"] == "settings" and not old["accepted"] and old["counter"] == line["counter"]:
                    old.update(line)
                    return True
        return False

    def _line(self, reading: Reading | None, reason: str | None) -> Json:
        if reading is None:
            return dict.fromkeys(("type", "generation", "counter")) | {
                "accepted": False, "reason": reason, "values": {},
            }  # fmt: skip
        return {
            "type": FRAME_TYPES[reading.frame_type],
            "generation": reading.generation.value,
            "counter": reading.frame[5],
            "accepted": reading.verdict is Verdict.ACCEPTED,
            "reason": reason,
            "values": values_of(reading, masked=self.masked),
        }

    def recording(self, recording: Json) -> None:
        """Decode a recording: its single frames were not one after the other, its notifications were."""
        self.board = self._board_of(recording)
        shares_a_bus = recording.get("transport") == "rs485"
        for entry in recording["frames"]:
            if entry["type"] == "raw_notifications":
                chunks = [bytes.fromhex(chunk) for chunk in entry["chunks"]]
                # Several packs answer on one bus, and nothing in a frame tells whose it is.
                for stream in self._split(chunks) if shares_a_bus else [chunks]:
                    self.stream(stream)
            elif "hex" in entry and not entry["type"].startswith("uart"):
                before = len(self.lines)
                self.stream([bytes.fromhex(entry["hex"] + entry.get("trailing_hex", ""))])
                if "corrupt" in entry["type"]:
                    self.corrupt += self.lines[before:]
        for frame in modbus_frames(recording):
            self.stream([frame])

    @staticmethod
    def _split(chunks: list[bytes]) -> Iterator[list[bytes]]:
        for part in re.split(b"(?=" + re.escape(HEADER) + b")", b"".join(chunks)):
            yield [part]

    @staticmethod
    def _board_of(recording: Json) -> Board:
        """Return what the recording as a whole says of the board."""
        board = board_of(recording.get("model") or "", recording.get("sw") or "")
        for entry in recording["frames"]:
            if entry["type"] == "cell_info":
                board = confirmed(board, bytes.fromhex(entry["hex"]))
        return board


def modbus_frames(recording: Json) -> Iterator[bytes]:
    """Return register dumps of the RS485 port as the frames that hold the same fields, big endian there."""
    blocks: dict[int, bytearray] = {}
    for entry in recording["frames"]:
        if entry["type"] == "modbus_registers":
            start = int(entry["start_address"], 16)
            block = blocks.setdefault(start & ~0x1FF, bytearray(294))
            for number, word in enumerate(entry["words"]):
                at = (start & 0x1FF) + 2 * number
                block[at : at + 2] = bytes.fromhex(word)
    kinds: dict[int, tuple[FrameType, Layout]] = {
        0x1000: (FrameType.SETTINGS, SETTINGS[Generation.JK02_32S]),
        0x1200: (FrameType.CELL_INFO, CELL_INFO[Generation.JK02_32S]),
        0x1400: (FrameType.DEVICE_INFO, DEVICE_INFO[Generation.JK02_32S]),
    }
    for address, block in sorted(blocks.items(), reverse=True):
        frame_type, layout = kinds[address]
        frame = bytearray(HEADER + bytes((frame_type, 0)) + block)
        for each in layout.fields:
            width = 1 if each.is_text else each.size // each.count
            for at in range(each.offset, each.offset + each.size, width):
                frame[at : at + width] = frame[at : at + width][::-1]
        frame[-1] = checksum(frame[:-1])
        yield bytes(frame)


RESOLUTION: Final = 0.0006
FROM_DEVICE_INFO: Final = ("model", "hw_version", "sw_version")
NOT_COMPARED: Final = (
    "tolerance_note", "pack_addresses_seen", "probed_addresses", "rs485_address",
    "setting_heating_start_C", "setting_heating_stop_C",  # seen in the app, but their registers were not dumped
)  # fmt: skip


def check(recording: Json, decoder: Decoder, *, masked: bool = True) -> list[str]:
    """Return where the decoded values differ from what the recording's source gives, and frames judged wrongly.

    `masked` leaves secrets out of the words, not out of the comparison.
    """
    expected = recording.get("expected") or {}
    lines = [line for line in decoder.lines if line not in decoder.corrupt]
    complaints = [f"{line['type']} {line['counter']}: {line['reason']}" for line in lines if not line["accepted"]]
    complaints += ["a frame that is bad was accepted" for line in decoder.corrupt if line["accepted"]]
    cell_infos = [line["values"] for line in lines if line["type"] == "cell_info"]
    values: Json = {}
    for line in reversed(lines):
        if line["type"] != "cell_info":
            values |= line["values"]
    if cell_infos:
        values |= cell_infos[recording.get("expected_frame") or 0]
    rounded = "tolerance_note" in expected
    types = {line["type"] for line in lines}
    if not lines and expected:
        complaints.append("no frame of the Bluetooth protocol in it")
    for name, wanted in expected.items():
        if name in NOT_COMPARED or not lines or (name in FROM_DEVICE_INFO and "device_info" not in types):
            continue
        found = found_for(name, values, cell_infos)
        # The board measures the spread at another instant than the cells; sources give the one or the other.
        also = values.get("reported_delta_cell_voltage_V") if name == "delta_cell_voltage_V" else found
        if not (agrees(name, found, wanted, rounded=rounded) or agrees(name, also, wanted, rounded=rounded)):
            is_secret = masked and name in SECRET_FIELDS
            shown, seen = (MASK, MASK) if is_secret else (repr(wanted), repr(found))
            complaints.append(f"{name}: expected {shown}, got {seen}")
    return complaints


def found_for(name: str, values: Json, cell_infos: list[Json]) -> object:
    """Return our value for a name that a recording expects."""
    match name:
        case "full_Ah_int":
            return int(values["full_Ah"])
        case "temps_C_first2":
            return values["temps_C"][:2]
        case "max_voltage_cell_in_frame":
            return values["reported_highest_cell"]
        case "min_voltage_cell_in_frame":
            return values["reported_lowest_cell"]
        case "heating_current_A_values_seen":
            return sorted({line.get("heating_current_A", 0.0) for line in cell_infos})
        case "battery_type":
            return str(values["chemistry"]).upper()
    return values.get(name)


def agrees(name: str, found: object, wanted: object, *, rounded: bool) -> bool:
    """Whether two values are the same within the resolution of the frame.

    Values read off the phone app are `rounded`, and were read a little apart from the frames.
    """
    if isinstance(wanted, list) and isinstance(found, list):
        if name.endswith("_seen"):
            return all(any(agrees(name, one, other, rounded=rounded) for one in found) for other in wanted)
        return len(found) == len(wanted) and all(
            agrees(name, one, other, rounded=rounded) for one, other in zip(found, wanted, strict=True)
        )
    if isinstance(wanted, bool) or isinstance(found, bool) or not isinstance(wanted, int | float):
        return bool(found == wanted)
    if not isinstance(found, int | float):
        return False
    if rounded and name == "runtime_s":
        return abs(found - wanted) <= 600
    if rounded and isinstance(wanted, float):
        decimals = len(str(wanted).partition(".")[2])
        return abs(found - wanted) <= (0.21 if name.endswith("_C") else 0.501 * 10**-decimals)
    return abs(found - wanted) <= RESOLUTION


def run(options: argparse.Namespace) -> int:
    """Decode and print; returns the exit status. Raises InputError."""
    decoder = Decoder(
        masked=not (options.unmasked or options.check),
        generation=Generation(options.generation) if options.generation else None,
    )
    notifications: list[bytes] = []
    complaints: list[str] = []
    recordings = 0
    for name in options.input:
        found = read(name)
        if isinstance(found, list):
            notifications += found
            continue
        recordings += 1
        part = Decoder(decoder.masked, decoder.generation)
        try:
            part.recording(found)
            complaints += check(found, part, masked=not options.unmasked) if options.check else []
        except (AttributeError, LookupError, TypeError, ValueError, struct.error) as error:
            raise InputError(f"{name[:SHOWN]!r} is no sound recording: {error!r}") from error
        decoder += part
    decoder.stream(notifications)
    if not decoder.lines and not recordings:
        raise InputError(
            f"nothing to decode in {', '.join(repr(name[:SHOWN]) for name in options.input)}: no frame in it"
        )
    if options.check and not options.unmasked:
        for line in decoder.lines:
            for name in SECRET_FIELDS:
                if name in line["values"]:
                    line["values"][name] = MASK
    for line in decoder.lines:
        print(json.dumps(line, ensure_ascii=False))
    summary = {name: getattr(decoder, name) for name in SUMMARY}
    print(json.dumps({"summary": summary}))
    for complaint in complaints:
        print(complaint, file=sys.stderr)
    return 1 if complaints or (options.check and not recordings) else 0


def main(arguments: list[str] | None = None) -> int:
    """Run the command; returns its exit status: 0, 1 for a check that failed, 2 for what can't be decoded."""
    parser = argparse.ArgumentParser(prog="scripts/decode", description=__doc__)
    parser.add_argument("input", nargs="+", metavar="FILE|-|HEX", help="a file, standard input, or bytes in hex")
    parser.add_argument("--generation", choices=list(Generation), help="read frames as of this generation")
    parser.add_argument("--check", action="store_true", help="compare with what a recording expects")
    parser.add_argument("--unmasked", action="store_true", help="show pass codes, serial numbers, names and texts")
    try:
        return run(parser.parse_args(arguments))
    except InputError as error:
        print(f"{parser.prog}: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
