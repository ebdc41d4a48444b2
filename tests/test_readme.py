"""The documents for users: every entity is in them, and what they point to is there."""

from __future__ import annotations

import json
import re
from itertools import chain
from pathlib import Path

import pytest

from custom_components.jk_bms.binary_sensor import BINARY_SENSORS
from custom_components.jk_bms.button import READ_AGAIN, RESTART, SET_CLOCK
from custom_components.jk_bms.event import ALARM, SETTING_CHANGED
from custom_components.jk_bms.log_event import LOG_ENTRY
from custom_components.jk_bms.number import NUMBERS
from custom_components.jk_bms.select import SELECTS
from custom_components.jk_bms.sensor import ENERGIES, SENSORS
from custom_components.jk_bms.switch import PAUSE, SETTING_SWITCHES

PROJECT = Path(__file__).parent.parent
DOCUMENTS = [PROJECT / "README.md", PROJECT / "CONTRIBUTING.md", *sorted((PROJECT / "docs").glob("*.md"))]
DESCRIPTIONS = {
    "sensor": (*SENSORS, *ENERGIES),
    "binary_sensor": BINARY_SENSORS,
    "button": (READ_AGAIN, SET_CLOCK, RESTART),
    "event": (ALARM, SETTING_CHANGED, LOG_ENTRY),
    "number": NUMBERS,
    "select": SELECTS,
    "switch": (PAUSE, *SETTING_SWITCHES),
}


def anchors(document: Path) -> set[str]:
    """Return what links into a document may name: its headings as GitHub spells them."""
    headings = re.findall(r"^#+ (.+)$", document.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_every_entity_is_listed_with_its_default() -> None:
    texts = json.loads((PROJECT / "custom_components/jk_bms/translations/en.json").read_text(encoding="utf-8"))
    names = {
        texts["entity"][platform][description.translation_key or description.key]["name"].replace("{cell}", "1"): (
            "on" if description.entity_registry_enabled_default else "off"
        )
        for platform, descriptions in DESCRIPTIONS.items()
        for description in descriptions
    }
    rows = re.findall(
        r"^\| (.+?) \| (on|off) \|", (PROJECT / "docs/entities.md").read_text(encoding="utf-8"), re.MULTILINE
    )
    assert {name.partition(", Cell 2")[0]: default for name, default in rows} == names


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: document.name)
def test_links_lead_somewhere(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    links = re.findall(r"\]\(([^)\s]+)\)", text), re.findall(r'(?:src|srcset|href)="([^"]+)"', text)
    for link in chain(*links):
        if link.startswith("https://"):
            continue
        path, _, anchor = link.partition("#")
        target = (document.parent / path).resolve() if path else document
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link
