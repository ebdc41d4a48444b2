"""The command that users paste into bug reports: it reads every kind of log, and gives no secret away."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest

from custom_components.jk_bms.bms.frames import ACKNOWLEDGE
from custom_components.jk_bms.bms.layout import Generation
from scripts.decode import Decoder, bytes_of, main

from .bms.builders import cell_info, device_info, settings

SECRETS: dict[str, Any] = {
    "device_name": b"Keller-007",
    "device_passcode": b"4711",
    "serial_number": b"40904490016",
    "setup_passcode": b"987654",
    "user_data": b"Fam. Muster",
    "user_data_2": b"Hauptstr. 5",
}
SESSION = device_info(**SECRETS) + ACKNOWLEDGE + settings() + cell_info() + b"AT\r\n" + cell_info(current_a=-5.0)


def chunks(stream: bytes, size: int = 128) -> list[bytes]:
    return [stream[at : at + size] for at in range(0, len(stream), size)]


FORMATS: dict[str, Callable[[bytes], str]] = {
    "hex lines": lambda data: data.hex(),
    "colons": lambda data: data.hex(":").upper(),
    "arrows": lambda data: f"<<< {data.hex(':')}",
    "blanks and a remark": lambda data: f"{data.hex(' ')} # a notification",
    "tshark": lambda data: f"12:34:56.789012 C8:47:80:12:34:56 host ATT 31 Handle: 0x0012 Value: {data.hex()}",
    "debug log": lambda data: (
        f"2026-11-20 06:42:36.123 DEBUG (MainThread) [custom_components.jk_bms] C8:47:80:12:34:56: {data.hex()}"
    ),
    "tshark fields": lambda data: f"12.345678\t0x0012\t{data.hex(':')}",
    "time and colons": lambda data: f"[06:42:36.123] {data.hex(':')}",
    "epoch and address": lambda data: f"1795243356.123456789\tc8:47:80:12:34:56\t{data.hex(':')}",
    "C": lambda data: f"  {{{', '.join(f'0x{byte:02X}' for byte in data)}}},",
    "python list": lambda data: f"12:34:56 notification: {[f'0x{byte:02x}' for byte in data]}".replace("'", ""),
    "python": lambda data: f"2026-11-20 06:42:36 DEBUG 0000ffe1-0000-1000-8000-00805f9b34fb: {bytearray(data)!r}",
}


def run(text: str, capsys: pytest.CaptureFixture[str], *options: str) -> tuple[list[dict[str, Any]], dict[str, int]]:
    main([*options, text])
    *lines, last = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    return lines, last["summary"]


def standard_input(data: bytes) -> io.TextIOWrapper:
    return io.TextIOWrapper(io.BytesIO(data))


@pytest.mark.parametrize("name", FORMATS)
def test_every_kind_of_log(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log = tmp_path / "log.txt"
    log.write_text("\n".join(FORMATS[name](chunk) for chunk in chunks(SESSION)))
    lines, summary = run(str(log), capsys)
    assert [line["type"] for line in lines] == ["device_info", "settings", "cell_info", "cell_info"]
    assert all(line["accepted"] and line["reason"] is None for line in lines)
    assert summary == {"good": 4, "bad_sum": 0, "implausible": 0, "bytes_dropped": 24}
    assert lines[1]["values"]["setting_start_balance_voltage_V"] == 3.42
    assert lines[3]["values"]["current_A"] == -5.0
    assert lines[3]["values"]["alarms"] == []
    assert lines[3]["generation"] == "jk02_32s"


def test_single_bytes_a_line(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", standard_input("\n".join(f"{byte:02x}" for byte in cell_info()).encode()))
    lines, summary = run("-", capsys)
    assert lines[0]["accepted"]
    assert summary["good"] == 1


def test_what_the_client_sent_is_left_out() -> None:
    assert bytes_of("aa:55:90:eb:97:00:f4:2a:f6:1e:98:d0:e9:9b:64:a8:6a:af:d6:2a") is None
    assert bytes_of(">>> " + "aa5590eb96000000000000000000000000000010") is None
    assert bytes_of(ACKNOWLEDGE.hex()) == ACKNOWLEDGE
    assert bytes_of("2026-11-20 06:42:36 INFO nothing of interest at C8:47:80:12:34:56") is None
    assert bytes_of("") is None


@pytest.mark.parametrize("ending", ["00:00:00", "12:34:56", "12:34:56:78:9a:bc"])
@pytest.mark.parametrize("prefix", ["", "12.34\t0x0012\t", "06:42:36.123 ", "2026-11-20 06:42:36 C8:47:80:12:34:56: "])
def test_a_payload_that_ends_like_a_time_or_an_address(prefix: str, ending: str) -> None:
    payload = "55:aa:eb:90:02:00:00:" + ending
    assert bytes_of(prefix + payload) == bytes.fromhex(payload.replace(":", ""))


@pytest.mark.parametrize(
    "line",
    [r"b'\xZZ'", r"bytearray(b'\x55\xaa\x1')", "b'\N{SNOWMAN} ü'", "b'\0'", "b'" + 40 * r"\x00", "85, 170, 235, 144"],
)
def test_a_line_that_only_looks_like_bytes(line: str) -> None:
    assert bytes_of(line) is None


def test_secrets_are_masked_unless_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([SESSION.hex()]) == 0
    printed = capsys.readouterr().out
    for secret in SECRETS.values():
        assert secret.decode() not in printed
        assert secret.hex() not in printed
    assert main([SESSION.hex(), "--unmasked"]) == 0
    printed = capsys.readouterr().out
    assert all(secret.decode() in printed for secret in SECRETS.values())


def test_damage_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    broken = bytearray(cell_info())
    broken[100] ^= 1
    glitch = cell_info(alarm_bits=1 << 16)
    stream = cell_info() * 2 + bytes(broken) + glitch + cell_info()
    lines, summary = run(stream.hex(), capsys)
    assert [(line["accepted"], line["reason"]) for line in lines] == [
        (True, None),
        (True, None),
        (False, "bad sum"),
        (False, "alarm_bits"),
        (True, None),
    ]
    assert summary == {"good": 4, "bad_sum": 1, "implausible": 1, "bytes_dropped": 300}


def test_a_last_frame_that_contradicts_itself_is_not_accepted(capsys: pytest.CaptureFixture[str]) -> None:
    lines, summary = run(cell_info(average_cell_voltage_v=3.2).hex(), capsys, "--generation", "jk02_32s")
    assert not lines[0]["accepted"]
    assert summary["implausible"] == 1


def test_a_change_that_is_repeated_was_good(capsys: pytest.CaptureFixture[str]) -> None:
    stream = cell_info() * 2 + cell_info(alarm_bits=1 << 16) * 2
    lines, summary = run(stream.hex(), capsys)
    assert all(line["accepted"] for line in lines)
    assert summary["implausible"] == 0


def test_the_generation_can_be_forced(capsys: pytest.CaptureFixture[str]) -> None:
    frame = cell_info(Generation.JK02_24S)
    lines, _ = run(frame.hex(), capsys)
    assert lines[0]["generation"] == "jk02_24s"
    lines, _ = run(frame.hex(), capsys, "--generation", "jk02_32s")
    assert lines[0]["generation"] == "jk02_32s"
    lines, _ = run(settings(Generation.JK04).hex(), capsys, "--generation", "jk04")
    assert lines[0]["values"]["setting_balancing_start_voltage_V"] == 3.42


def recording(tmp_path: Path, **changes: Any) -> str:
    path = tmp_path / "recording.json"
    content = {
        "id": "test", "variant": "jk02_32s", "transport": "ble", "model": "JK_X", "sw": "15.1", "notes": "",
        "frames": [{"type": "cell_info", "hex": cell_info().hex()}], "expected": {"current_A": 10.0},
    }  # fmt: skip
    path.write_text(json.dumps(content | changes))
    return str(path)


def test_check_compares_with_a_recording(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--check", recording(tmp_path)]) == 0
    assert main(["--check", recording(tmp_path, expected={"current_A": 10.1})]) == 1
    assert "current_A: expected 10.1, got 10.0" in capsys.readouterr().err
    assert main(["--check", recording(tmp_path, frames=[])]) == 1
    bad = bytearray(cell_info())
    bad[50] ^= 4
    frames = [{"type": "cell_info", "hex": cell_info().hex()}, {"type": "cell_info", "hex": bad.hex()}]
    assert main(["--check", recording(tmp_path, frames=frames)]) == 1
    frames[1]["type"] = "corrupt_cell_info"
    assert main(["--check", recording(tmp_path, frames=frames)]) == 0


def test_a_recording_that_should_be_bad_but_is_not(tmp_path: Path) -> None:
    frames = [{"type": "corrupt_cell_info", "hex": cell_info().hex()}]
    assert main(["--check", recording(tmp_path, frames=frames, expected={})]) == 1


def test_check_tells_no_secret(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    frames = [{"type": "device_info", "hex": device_info(**SECRETS).hex()}]
    path = recording(tmp_path, frames=frames, expected={name: f"not {value!r}" for name, value in SECRETS.items()})
    assert main(["--check", path]) == 1
    printed = capsys.readouterr()
    assert printed.err.count("expected ***, got ***") == len(SECRETS)
    assert not any(secret.decode() in printed.out + printed.err for secret in SECRETS.values())
    assert main(["--check", "--unmasked", path]) == 1
    assert "got '40904490016'" in capsys.readouterr().err


def test_check_of_a_recording_that_expects_nothing(tmp_path: Path) -> None:
    assert main(["--check", recording(tmp_path, expected=None)]) == 0
    path = tmp_path / "bare.json"
    path.write_text(json.dumps({"frames": [{"type": "cell_info", "hex": cell_info().hex()}]}))
    assert main(["--check", str(path)]) == 0


@pytest.mark.parametrize("indent", [None, 2])
def test_diagnostics(indent: int | None, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    frames = {"settings": settings(), "cell_info": cell_info(), "device_info": device_info(**SECRETS)}
    device = [{"model": "JK_PB2A16S20P", "hw_version": "15A", "sw_version": "15.41"}]
    path = tmp_path / "diagnostics.json"
    content = {
        "home_assistant": {"version": "2026.10.4"},
        "data": {"device": device, "last_frames": {name: frame.hex() for name, frame in frames.items()}},
    }
    path.write_text(json.dumps(content, indent=indent))
    lines, summary = run(str(path), capsys)
    assert [(line["type"], line["accepted"], line["generation"]) for line in lines] == [
        (name, True, "jk02_32s") for name in frames
    ]
    assert summary == {"good": 3, "bad_sum": 0, "implausible": 0, "bytes_dropped": 0}
    assert lines[2]["values"]["serial_number"] == "***"


def test_raw_bytes(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "frames.bin"
    path.write_bytes(SESSION)
    lines, summary = run(str(path), capsys)
    assert [line["type"] for line in lines] == ["device_info", "settings", "cell_info", "cell_info"]
    monkeypatch.setattr("sys.stdin", standard_input(SESSION))
    assert run("-", capsys) == (lines, summary)


SHORT_FRAME = {"type": "cell_info", "hex": "55aaeb9002"}


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (Random(1).randbytes(3_000_000), "nothing to decode in"),
        (b"", "nothing to decode in"),
        (rb"2026-11-20 DEBUG b'\xZZ'", "nothing to decode in"),
        (b"{ this is a log", "nothing to decode in"),
        (100_000 * b'{"a":', "nothing to decode in"),
        (b'{"data": {"entry": {"state": "setup_retry"}}}', "nothing to decode in"),
        (b'{"data": {"device": ["x"], "last_frames": {}}}', "nothing to decode in"),
        (b"{}", "nothing to decode in"),
        (b"41:54:0d:0a", "no frame in it"),
        (b'{"frames": ["x"]}', "is no sound recording"),
        (b'{"frames": [{"type": "cell_info", "hex": "zz"}]}', "is no sound recording"),
        (json.dumps({"frames": [SHORT_FRAME]}).encode(), "is no sound recording"),
    ],
    ids=[
        "random",
        "empty",
        "literal",
        "brace",
        "nested",
        "not loaded",
        "device",
        "object",
        "chatter",
        "frames",
        "hex",
        "short",
    ],
)
def test_odd_files_are_named(content: bytes, reason: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "odd"
    path.write_bytes(content)
    assert main([str(path)]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("scripts/decode: ")
    assert printed.err.count("\n") == 1
    assert reason in printed.err


@pytest.mark.parametrize("name", ["no-such-file.txt", "tests", "two\nlines", 5000 * "x"])
def test_mistyped_paths_are_named(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([name]) == 2
    assert capsys.readouterr().err.startswith(f"scripts/decode: nothing to decode in {name[:120]!r}")


def test_it_needs_no_home_assistant(tmp_path: Path) -> None:
    """Whoever reports a bug may have nothing but Python."""
    script = Path(__file__).parent.parent / "scripts" / "decode.py"
    code = (
        "import runpy, sys; sys.modules['homeassistant'] = sys.modules['bleak'] = None; "
        f"sys.argv[1:] = ['{cell_info().hex()}']; runpy.run_path({str(script)!r}, run_name='__main__')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout.splitlines()[0])["accepted"]


def test_generations_are_settled_within_a_stream() -> None:
    decoder = Decoder(masked=True)
    decoder.stream([device_info(software="8.0.3M"), settings(Generation.JK04), cell_info(Generation.JK04)])
    assert [line["generation"] for line in decoder.lines] == ["jk02_24s", "jk02_24s", "jk04"]
    decoder = Decoder(masked=True)
    decoder.stream([device_info(software="8.0.3M"), settings(Generation.JK04), *[cell_info(Generation.JK04)] * 2])
    assert [line["generation"] for line in decoder.lines][1:] == ["jk04", "jk04", "jk04"]
