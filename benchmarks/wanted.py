"""Is what was measured as it is wanted: at most so much of each?"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from typing import Any


def against(limits: Mapping[str, float], figures: Mapping[str, float]) -> dict[str, dict[str, float | bool]]:
    """Return of each figure with a limit what it may be, what it is, and whether that is met."""
    return {
        name: {"at_most": limit, "measured": figures[name], "met": figures[name] <= limit}
        for name, limit in limits.items()
    }


def print_report(report: Mapping[str, Any], *, as_json: bool) -> None:
    """Print a report as JSON, or just what it says under "wanted"."""
    if as_json:
        json.dump(report, sys.stdout, indent=2, ensure_ascii=False)
        print()
        return
    for name, figure in report["wanted"].items():
        verdict = "met" if figure["met"] else "NOT MET"
        print(f"{name:55}{figure['measured']:>10}   wanted: at most {figure['at_most']:g}, {verdict}")
