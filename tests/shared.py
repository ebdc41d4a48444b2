"""Where the shared recordings lie: read in place, never copied into the project."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

SHARED = Path(os.environ.get("JK_BMS_SHARED", Path(__file__).resolve().parents[2] / "shared"))
CAPTURES = SHARED / "captures"
SCENARIOS = SHARED / "thermal/scenarios.csv"

needs_captures = pytest.mark.skipif(
    not CAPTURES.is_dir(), reason=f"no recordings at {CAPTURES} (set JK_BMS_SHARED to the folder that holds 'captures')"
)
needs_app_commands = pytest.mark.skipif(
    not (SHARED / "protocol/app-commands.json").is_file(),
    reason=f"no recorded commands at {SHARED} (set JK_BMS_SHARED to the folder that holds 'protocol')",
)
needs_scenarios = pytest.mark.skipif(
    not SCENARIOS.is_file(),
    reason=f"no scenarios at {SCENARIOS} (set JK_BMS_SHARED to the folder that holds 'thermal')",
)
