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
from homeassistant.helpers import config_validation as cv
from homeassistant.helpers import entity_registry as er

import custom_components.jk_bms
import custom_components.jk_bms.options_flow
from custom_components.jk_bms.advice_repair import ReviewFlow
from custom_components.jk_bms.battery.advice import ADVISED, Reason
from custom_components.jk_bms.bms.link import LinkProblem
from custom_components.jk_bms.bms.writing import Outcome
from custom_components.jk_bms.changes import NOT_WRITTEN
from custom_components.jk_bms.config_flow import JkBmsConfigFlow
from custom_components.jk_bms.interruption import INTERRUPTED
from custom_components.jk_bms.loans import NOT_RETURNED
from custom_components.jk_bms.options_flow import MENU
from custom_components.jk_bms.repairs import Issue
from custom_components.jk_bms.setup_checks import SetupIssue

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


async def test_every_option_has_texts(hass: HomeAssistant, packs: Packs) -> None:
    texts = ENGLISH["options"]["step"]
    assert texts.keys() == {"init", *MENU, "permission", "supply"}
    for part in ("menu_options", "menu_option_descriptions"):
        assert list(texts["init"][part]) == list(MENU)
    pack = await packs.add(*PACK_V19)
    selected = set()
    for step in MENU:
        result = await hass.config_entries.options.async_init(pack.entry.entry_id)
        result = await hass.config_entries.options.async_configure(result["flow_id"], {"next_step_id": step})
        listed = probatio.to_field_list(result["data_schema"], custom_serializer=cv.custom_serializer)
        assert isinstance(listed, list)
        sections = {each["name"]: each["schema"] for each in listed if "schema" in each}
        assert texts[step].get("sections", {}).keys() == sections.keys()
        plain = [each for each in listed if each["name"] not in sections]
        for where, fields in [
            (texts[step], plain),
            *((texts[step]["sections"][name], sections[name]) for name in sections),
        ]:
            names = {each["name"] for each in fields}
            assert where.get("data", {}).keys() == where.get("data_description", {}).keys() == names
            for each in fields:
                if "select" in each["selector"]:
                    selected.add(each["selector"]["select"]["translation_key"])
                    known = ENGLISH["selector"][each["selector"]["select"]["translation_key"]]["options"]
                    assert known.keys() >= set(each["selector"]["select"]["options"]), each["name"]
        given = result["description_placeholders"] or {}
        assert {name for _, text in leaves(texts[step]) for name in placeholders(text)} <= given.keys()
    assert selected == {"permission", "mode", "guardian_mode", "chemistry", "action_level"}


async def test_the_menu_of_the_permission_has_texts(hass: HomeAssistant, packs: Packs) -> None:
    pack = await packs.add(*PACK_V19)
    flow = hass.config_entries.options
    result = await flow.async_init(pack.entry.entry_id)
    result = await flow.async_configure(result["flow_id"], {"next_step_id": "actions"})
    chosen: dict[str, Any] = {"cooling": {}, "reduce": {}, "stop_charge": {"stop_charge": True}}
    result = await flow.async_configure(result["flow_id"], {**chosen, "stop_discharge": {}, "both_off": {}})
    assert result["step_id"] == "permission"
    assert list(ENGLISH["options"]["step"]["permission"]["menu_options"]) == result["menu_options"]


def test_every_error_of_the_options_has_a_text() -> None:
    source = inspect.getsource(custom_components.jk_bms.options_flow)
    raised = set(re.findall(r'(?:errors\[.+\] = |group_of\(.+\): )"(\w+)"', source))
    assert ENGLISH["options"]["error"].keys() == raised


def test_every_issue_has_texts() -> None:
    more: dict[str, set[str]] = {
        INTERRUPTED: {"written", "missing"},
        NOT_RETURNED: {"settings", "reason"},
        **{hint: set() for hint in SetupIssue},
        SetupIssue.HOT_LIMITS: {"charge", "discharge", "limit"},
        SetupIssue.COLD_CHARGE: {"present", "limit"},
        SetupIssue.PROBE_FAULT: {"probes"},
        SetupIssue.ENTITY_MISSING: {"entities"},
        SetupIssue.NOT_BY_BOARD: {"actions"},
        SetupIssue.THRESHOLDS_OVERTAKEN: {"thresholds"},
    }
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
    modules = ("acting", "approval", "changes", "driving", "guardian_services", "services", "snapshots")
    source = "".join((FOLDER / f"{module}.py").read_text("utf-8") for module in modules)
    raised = set(re.findall(r'(?:translation_key=|invalid\(\s*|_error\(\s*)"(\w+)"', source))
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
    options: dict[str, Any] = {"permission": "all", "cooling_entity": "fan.rack", "reduce_level": 2}
    for number, first in enumerate((all_probes, PACK_24S, PACK_JK04, BALANCER), start=1):
        await packs.add(*first, address=f"C8:47:80:00:00:0{number}", title=f"Pack {number}", **options)
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
