"""Recorded traffic of real boards: what keeps decoder and simulator, which share their tables, both honest."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from custom_components.jk_bms.bms.layout import Generation
from scripts.decode import Decoder, check, main
from tests.shared import CAPTURES, needs_captures

NOT_BLUETOOTH = {
    # The old serial protocol of the GPS port: none of its bytes ever come over Bluetooth.
    "bd-uart-h6x-613s-14s",
    "b2a24s20p-1007-uart",
}
recordings = [
    pytest.param(path, id=path.stem) for path in sorted(CAPTURES.glob("*.json")) if path.stem not in NOT_BLUETOOTH
]

pytestmark = needs_captures


@pytest.mark.parametrize("path", recordings)
def test_a_recording_decodes_to_what_its_source_gives(path: Path) -> None:
    recording = json.loads(path.read_text())
    decoder = Decoder(masked=False)
    decoder.recording(recording)
    assert check(recording, decoder) == []
    assert decoder.lines
    assert decoder.implausible == 0


@pytest.mark.parametrize("path", recordings)
def test_the_generation_is_found(path: Path) -> None:
    recording = json.loads(path.read_text())
    decoder = Decoder(masked=True)
    decoder.recording(recording)
    wanted = recording["variant"] if recording["variant"] in set(Generation) else Generation.JK02_32S
    assert {line["generation"] for line in decoder.lines if line["type"] == "cell_info"} <= {wanted}


@pytest.mark.parametrize("path", recordings)
def test_notifications_give_the_frames_that_were_sent(path: Path) -> None:
    recording = json.loads(path.read_text())
    for entry in recording["frames"]:
        if entry["type"] == "raw_notifications":
            decoder = Decoder(masked=True)
            decoder.recording(recording | {"frames": [entry]})
            assert [line["type"] for line in decoder.lines] == entry["expect_frames"]


def test_a_changed_byte_is_noticed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The check can fail: a recording whose expectation is off by the last digit does not pass."""
    recording = json.loads((CAPTURES / "pb2a16s15p-15a-1538-charging.json").read_text())
    recording["expected"]["current_A"] += 0.001
    path = tmp_path / "recording.json"
    path.write_text(json.dumps(recording))
    assert main(["--check", str(path)]) == 1
    assert "current_A" in capsys.readouterr().err
