"""Every text that the code asks for is there, in every language, and nothing else."""

from __future__ import annotations

import ast
import inspect
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import probatio
import pytest
from homeassistant.core import HomeAssistant
from homeassistant.helpers import entity_registry as er

import custom_components.jk_bms
from custom_components.jk_bms.advice_repair import ReviewFlow
from custom_components.jk_bms.battery.advice import ADVISED, Reason
from custom_components.jk_bms.bms.link import LinkMode, LinkProblem
from custom_components.jk_bms.bms.writing import Outcome
from custom_components.jk_bms.changes import NOT_WRITTEN
from custom_components.jk_bms.config_flow import OPTIONS_SCHEMA, JkBmsConfigFlow
from custom_components.jk_bms.const import CONF_MODE, CONF_PERMISSION
from custom_components.jk_bms.interruption import INTERRUPTED
from custom_components.jk_bms.loans import NOT_RETURNED
from custom_components.jk_bms.permission import Permission
from custom_components.jk_bms.repairs import Issue

from .packs import BALANCER, PACK_24S, PACK_JK04, PACK_V19, Packs

FOLDER = Path(custom_components.jk_bms.__file__).parent
LANGUAGES = sorted(path.stem for path in (FOLDER / "translations").glob("*.json"))
LONG_TEXT = 25
"""From this length on, two languages don't share a text by chance."""


def load(name: str) -> dict[str, Any]:
    content = json.loads((FOLDER / name).read_text(encoding="utf-8"))
    assert isinstance(content, dict)
    return content


def leaves(node: object, path: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(node, dict):
        for key, value in node.items():
            yield from leaves(value, f"{path}.{key}" if path else key)
    else:
        assert isinstance(node, str)
        yield path, node


def placeholders(text: str) -> set[str]:
    return set(re.findall(r"\{(\w+)\}", text))


ENGLISH = load("translations/en.json")
TEXTS = dict(leaves(ENGLISH))


def test_languages() -> None:
    assert LANGUAGES == ["de", "en"]


@pytest.mark.parametrize("language", LANGUAGES)
def test_languages_say_the_same(language: str) -> None:
    texts = dict(leaves(load(f"translations/{language}.json")))
    assert texts.keys() == TEXTS.keys()
    for key, text in texts.items():
        assert placeholders(text) == placeholders(TEXTS[key]), key
        assert text, key
        if language != "en" and len(text) >= LONG_TEXT:
            assert text != TEXTS[key], f"{key} is not translated"


def test_every_step_of_the_flow_has_texts() -> None:
    steps = {name.removeprefix("async_step_") for name in vars(JkBmsConfigFlow) if name.startswith("async_step_")}
    assert set(ENGLISH["config"]["step"]) == steps - {"bluetooth", "reauth"}, "these lead to the next at once"
    for step in ENGLISH["config"]["step"].values():
        assert step["title"]
        assert step.get("data", {}).keys() == step.get("data_description", {}).keys()


def test_every_error_of_the_flow_has_a_text() -> None:
    errors = ENGLISH["config"]["error"]
    assert errors.keys() == {*LinkProblem, "unknown", "invalid_address", "invalid_passcode"}
    for problem in LinkProblem:
        assert placeholders(errors[problem]) - {"carrier"} == (
            {"reason"} if problem is not LinkProblem.NOT_A_JK_BMS else set()
        )
    assert ENGLISH["config"]["abort"].keys() == {"already_configured", "not_a_jk_bms"}


@pytest.mark.parametrize(("keyword", "where"), [("progress_action", "progress"), ("step_id", "step")])
def test_what_the_flow_shows_has_a_text(keyword: str, where: str) -> None:
    source = inspect.getsource(JkBmsConfigFlow)
    named = set(re.findall(rf'{keyword}="(\w+)"', source))
    assert named
    assert named <= ENGLISH["config"][where].keys()


def test_every_option_has_texts() -> None:
    step = ENGLISH["options"]["step"]["init"]
    advanced = step["sections"]["advanced"]
    fields = {str(key) for key in OPTIONS_SCHEMA.schema}
    inner = OPTIONS_SCHEMA.schema["advanced"].schema
    assert isinstance(inner, probatio.Schema)
    for texts, keys in ((step, fields - {"advanced"}), (advanced, {str(key) for key in inner.schema})):
        assert texts["data"].keys() == texts["data_description"].keys() == keys
    assert ENGLISH["selector"][CONF_MODE]["options"].keys() == set(LinkMode)
    assert ENGLISH["selector"][CONF_PERMISSION]["options"].keys() == set(Permission)


def test_every_issue_has_texts() -> None:
    more = {INTERRUPTED: {"written", "missing"}, NOT_RETURNED: {"settings", "reason"}}
    assert ENGLISH["issues"].keys() == set(Issue) | more.keys()
    for issue, texts in ENGLISH["issues"].items():
        assert placeholders(texts["title"]) == {"name"}
        if issue != Issue.SETTINGS_TO_REVIEW:
            described = texts["fix_flow"]["step"]["confirm"] if issue == INTERRUPTED else texts
            assert placeholders(described["description"]) == {"name"} | more.get(issue, set())


def test_every_step_of_the_review_has_texts() -> None:
    flow = ENGLISH["issues"][Issue.SETTINGS_TO_REVIEW]["fix_flow"]
    source = inspect.getsource(ReviewFlow)
    shown = {
        step: {*ast.literal_eval(f"[{options}]"), "skip", "accept"}
        for step, options in re.findall(r'_show\("(\w+)",((?: "\w+",)*) \*_LEAVE', source)
    }
    assert {step: texts["menu_options"].keys() for step, texts in flow["step"].items()} == shown
    assert flow["abort"].keys() == set(re.findall(r'reason="(\w+)"', source))
    given = {"name", "setting", "reason", "present", "recommended", "range", "first", "error"}
    used = {name for step in flow["step"].values() for _, text in leaves(step) for name in placeholders(text)}
    assert used == given


def test_every_advice_has_a_reason_and_a_name() -> None:
    assert list(ENGLISH["selector"]["advice"]["options"]) == list(Reason)
    assert ENGLISH["selector"]["setting"]["options"].keys() >= set(ADVISED)


def translation_keys() -> Iterator[tuple[str, str]]:
    """Return each translation key written in the code, with its file; the links' problems for what is put together."""
    for path in sorted(FOLDER.glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.keyword) or node.arg != "translation_key":
                continue
            match node.value:
                case ast.Constant(value=str() as key):
                    yield path.name, key
                case ast.JoinedStr(values=[ast.Constant(value="link_"), ast.FormattedValue()]):
                    yield from ((path.name, f"link_{problem}") for problem in LinkProblem)


@pytest.mark.parametrize(("file", "key"), sorted(set(translation_keys())))
def test_every_translation_key_has_a_text(file: str, key: str) -> None:
    known = {
        *ENGLISH["exceptions"],
        *ENGLISH["selector"],
        *(key for keys in ENGLISH["entity"].values() for key in keys),
    }
    assert key in known, file


def test_every_exception_has_a_reason_to_be() -> None:
    modules = ("approval", "changes", "services", "snapshots")
    source = "".join((FOLDER / f"{module}.py").read_text("utf-8") for module in modules)
    raised = set(re.findall(r'(?:translation_key=|invalid\(\s*|_error\()"(\w+)"', source))
    failed = {Outcome.REFUSED, Outcome.UNKNOWN, NOT_WRITTEN}
    assert ENGLISH["exceptions"].keys() == raised | {
        "paused",
        "needs_permission_switches",
        "needs_permission_all",
        *(f"link_{problem}" for problem in LinkProblem),
        *(f"write_{outcome}{several}" for outcome in failed for several in ("", "_of_several")),
    }
    for key, texts in ENGLISH["exceptions"].items():
        if key.startswith("link_"):
            assert placeholders(texts["message"]) <= {"name", "carrier", "reason"}, key


def test_every_icon_belongs_to_a_named_entity() -> None:
    for platform, icons in load("icons.json")["entity"].items():
        assert icons.keys() <= ENGLISH["entity"][platform].keys(), platform
        for key, icon in icons.items():
            states = ENGLISH["entity"][platform][key].get("state")
            if states:
                assert icon.get("state", {}).keys() <= states.keys(), key


@pytest.mark.usefixtures("all_enabled")
async def test_every_entity_has_a_name(hass: HomeAssistant, packs: Packs) -> None:
    info, settings, telemetry = PACK_V19
    all_probes = (info, settings, replace(telemetry, temperature_4_c=20.0, temperature_5_c=20.0))
    for number, first in enumerate((all_probes, PACK_24S, PACK_JK04, BALANCER), start=1):
        await packs.add(*first, address=f"C8:47:80:00:00:0{number}", title=f"Pack {number}", permission="all")
    entries = er.async_get(hass).entities.values()
    used: dict[str, set[str]] = {}
    for entry in entries:
        assert entry.translation_key, entry.entity_id
        assert entry.translation_key in ENGLISH["entity"][entry.domain], entry.entity_id
        used.setdefault(entry.domain, set()).add(entry.translation_key)
    unused = {
        f"{platform}.{key}"
        for platform, texts in ENGLISH["entity"].items()
        for key in texts.keys() - used.get(platform, set())
    }
    assert not unused
