"""The documents for users: every entity is in them, and what they point to is there."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
from homeassistant.util.yaml import parse_yaml

from custom_components.jk_bms.action_event import GUARDIAN_ACTION
from custom_components.jk_bms.binary_sensor import BINARY_SENSORS
from custom_components.jk_bms.button import ACKNOWLEDGE, EMERGENCY_STOP, READ_AGAIN, RESTART, SET_CLOCK
from custom_components.jk_bms.event import ALARM, SETTING_CHANGED
from custom_components.jk_bms.log_event import LOG_ENTRY
from custom_components.jk_bms.number import NUMBERS
from custom_components.jk_bms.select import GUARDIAN_MODE, SELECTS
from custom_components.jk_bms.sensor import ENERGIES, SENSORS
from custom_components.jk_bms.switch import COOLING, PAUSE, SETTING_SWITCHES

PROJECT = Path(__file__).parent.parent
ACTIONS: Any = parse_yaml((PROJECT / "custom_components/jk_bms/services.yaml").read_text(encoding="utf-8"))
DOCUMENTS = [PROJECT / "README.md", PROJECT / "CONTRIBUTING.md", *sorted((PROJECT / "docs").glob("*.md"))]
DESCRIPTIONS = {
    "sensor": (*SENSORS, *ENERGIES),
    "binary_sensor": BINARY_SENSORS,
    "button": (READ_AGAIN, ACKNOWLEDGE, EMERGENCY_STOP, SET_CLOCK, RESTART),
    "event": (ALARM, SETTING_CHANGED, LOG_ENTRY, GUARDIAN_ACTION),
    "number": NUMBERS,
    "select": (GUARDIAN_MODE, *SELECTS),
    "switch": (PAUSE, COOLING, *SETTING_SWITCHES),
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


def calls(example: object) -> Iterator[tuple[str, set[str]]]:
    """Yield the own actions that an example in YAML calls, with the fields that it gives."""
    match example:
        case {"action": str(action), **more}:
            domain, _, name = action.partition(".")
            if domain == "jk_bms":
                assert more["target"]
                data = more.get("data", {})
                assert isinstance(data, dict)
                yield name, set(data)
        case dict() | list():
            for each in example.values() if isinstance(example, dict) else example:
                yield from calls(each)


def test_every_action_is_described_and_called_as_it_is() -> None:
    text = (PROJECT / "docs/actions.md").read_text(encoding="utf-8")
    for name, action in ACTIONS.items():
        assert f"`jk_bms.{name}`" in text
        for field in action.get("fields", {}):
            assert f"`{field}`" in text, (name, field)

    called = set()
    for document in DOCUMENTS:
        for example in re.findall(
            r"^```yaml$(.+?)^```$", document.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
        ):
            for name, given in calls(parse_yaml(example)):
                fields = ACTIONS[name].get("fields", {})
                assert {field for field, about in fields.items() if about.get("required")} <= given <= fields.keys()
                called.add(name)
    assert called >= {"set_charge_limits", "save_settings", "get_event_log"}


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
