"""Every entity has a name and an icon, in every language."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from homeassistant.components.event import EventEntityDescription
from homeassistant.components.sensor import SensorEntityDescription
from homeassistant.const import Platform

from custom_components.jk_bms import (
    action_event,
    binary_sensor,
    button,
    event,
    log_event,
    number,
    select,
    sensor,
    switch,
)
from custom_components.jk_bms.battery.acting.interface import (
    ACTION,
    ACTION_FAILED,
    BY_HAND,
    OVER,
    Action,
    Detail,
    Mode,
    Target,
)
from custom_components.jk_bms.battery.data_quality import READINGS
from custom_components.jk_bms.battery.guardian import CAUSES, HEAT, HEAT_HELD, GuardianLevel
from custom_components.jk_bms.battery.hazards import Family
from custom_components.jk_bms.bms.alarms import Alarm, Severity
from custom_components.jk_bms.bms.layout import FrameType
from custom_components.jk_bms.bms.link import LinkProblem
from custom_components.jk_bms.bms.registers import SETTINGS_BY_KEY, Kind
from custom_components.jk_bms.entity import PackDescription, SettingDescription

ROOT = Path(__file__).parent.parent / "custom_components" / "jk_bms"
LANGUAGES = {path.stem: json.loads(path.read_text()) for path in (ROOT / "translations").glob("*.json")}
ICONS: dict[str, Any] = json.loads((ROOT / "icons.json").read_text())["entity"]

DESCRIPTIONS: dict[Platform, tuple[PackDescription, ...]] = {
    Platform.BINARY_SENSOR: binary_sensor.BINARY_SENSORS,
    Platform.BUTTON: (
        button.READ_AGAIN,
        button.ACKNOWLEDGE,
        button.EMERGENCY_STOP,
        button.SET_CLOCK,
        button.RESTART,
    ),
    Platform.EVENT: (event.ALARM, event.SETTING_CHANGED, log_event.LOG_ENTRY, action_event.GUARDIAN_ACTION),
    Platform.NUMBER: number.NUMBERS,
    Platform.SELECT: (select.GUARDIAN_MODE, *select.SELECTS),
    Platform.SENSOR: (*sensor.SENSORS, *sensor.ENERGIES),
    Platform.SWITCH: (switch.PAUSE, switch.COOLING, *switch.SETTING_SWITCHES),
}
ALL = [(platform, description) for platform, descriptions in DESCRIPTIONS.items() for description in descriptions]


def key(description: PackDescription) -> str:
    return description.translation_key or description.key


def test_keys_are_unique() -> None:
    for descriptions in DESCRIPTIONS.values():
        keys = [description.key for description in descriptions]
        assert len(keys) == len(set(keys))


@pytest.mark.parametrize("language", LANGUAGES)
def test_names_are_there_and_used(language: str) -> None:
    strings = LANGUAGES[language]["entity"]
    assert {platform: set(keys) for platform, keys in strings.items()} == {
        platform: {key(description) for description in descriptions} for platform, descriptions in DESCRIPTIONS.items()
    }
    for platform, description in ALL:
        name = strings[platform][key(description)]["name"]
        assert name.strip()
        assert ("{cell}" in name) is (description.translation_placeholders is not None)
    for platform in DESCRIPTIONS:
        names = [entity["name"] for entity in strings[platform].values()]
        assert len(names) == len(set(names))


@pytest.mark.parametrize("language", LANGUAGES)
def test_states_are_translated(language: str) -> None:
    strings = LANGUAGES[language]["entity"]
    for platform, description in ALL:
        options = None
        if isinstance(description, SensorEntityDescription):
            options = description.options
        elif isinstance(description, select.JkBmsSelectDescription):
            options = list(description.setting.choices)
        elif isinstance(description, select.JkBmsModeDescription):
            options = list(Mode)
        assert list(strings[platform][key(description)].get("state", {})) == list(options or ())
    problems = strings["sensor"]["link_state"]["state_attributes"]["problem"]["state"]
    assert list(problems) == list(LinkProblem)
    attributes = strings["event"]["alarm"]["state_attributes"]
    assert list(attributes["alarm"]["state"]) == [
        *(alarm.key for alarm in Alarm),
        *(f"{event.GUARDIAN}_{cause}" for cause in (*CAUSES, ACTION_FAILED)),
    ]
    assert list(attributes["source"]["state"]) == [event.BOARD, event.GUARDIAN]
    told = [level.name.lower() for level in GuardianLevel if level >= GuardianLevel.WARNING]
    assert list(attributes["level"]["state"]) == told
    causes = strings["sensor"]["guardian_level"]["state_attributes"]["cause"]["state"]
    assert list(causes) == [*CAUSES, ACTION_FAILED]
    of_heat = {cause: text for cause, text in causes.items() if cause.startswith(HEAT) and cause != HEAT_HELD}
    assert attributes["raised_by"]["state"] == of_heat
    assert strings["sensor"]["guardian_level"]["state_attributes"]["raised_by"] == attributes["raised_by"]
    assert list(attributes["severity"]["state"]) == list(Severity)
    families = (*(family for family in Family if family is not Family.BMS_FAULT), HEAT, ACTION)
    assert list(attributes["family"]["state"]) == list(families)
    assert attributes["probe"]["state"] == {probe: strings["sensor"][probe]["name"] for probe in READINGS}
    assert attributes["action"]["state"] == LANGUAGES[language]["selector"]["action"]["options"]
    assert attributes["target"]["state"] == LANGUAGES[language]["selector"]["target"]["options"]
    assert all(attributes[name]["name"] for name in ("key", "since", "value", "limit", "slope", "cell"))
    assert isinstance(event.ALARM, EventEntityDescription)
    assert list(attributes["event_type"]["state"]) == event.ALARM.event_types
    attributes = strings["event"]["setting_changed"]["state_attributes"]
    assert isinstance(event.SETTING_CHANGED, EventEntityDescription)
    assert list(attributes["event_type"]["state"]) == event.SETTING_CHANGED.event_types
    log = strings["event"]["log_entry"]["state_attributes"]
    assert list(log["event_type"]["state"]) == log_event.LOG_ENTRY.event_types
    assert list(attributes["key"]["state"]) == [
        setting.key
        for setting in SETTINGS_BY_KEY.values()
        if setting.kind is not Kind.TEXT and setting.said_in is not FrameType.CELL_INFO
    ]


@pytest.mark.parametrize("language", LANGUAGES)
def test_actions_are_called_the_same_everywhere(language: str) -> None:
    strings = LANGUAGES[language]["entity"]
    selector = LANGUAGES[language]["selector"]
    last = strings["sensor"]["last_action"]
    told = strings["event"]["guardian_action"]["state_attributes"]
    assert last["state"] == told["action"]["state"] == selector["action"]["options"]
    assert list(last["state"]) == list(Action)
    assert last["state_attributes"]["result"]["state"] == told["event_type"]["state"]
    assert list(told["event_type"]["state"]) == action_event.GUARDIAN_ACTION.event_types
    assert told["level"]["state"] == strings["sensor"]["thermal_level"]["state"]
    causes = strings["sensor"]["guardian_level"]["state_attributes"]["cause"]["state"]
    for attributes in (last["state_attributes"], told):
        assert attributes["target"]["state"] == selector["target"]["options"]
        assert list(attributes["target"]["state"]) == list(Target)
        assert list(attributes["detail"]["state"]) == list(Detail)
        assert list(attributes["cause"]["state"]) == [*CAUSES, BY_HAND, OVER]
        assert all(causes[cause] == attributes["cause"]["state"][cause] for cause in CAUSES)
        assert attributes["mode"]["state"] == strings["select"]["guardian_mode"]["state"]


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_setting_has_one_name(language: str) -> None:
    """Numbers, selects, switches, the event and the errors call it the same."""
    names = LANGUAGES[language]["selector"]["setting"]["options"]
    strings = LANGUAGES[language]["entity"]
    assert set(names) == set(SETTINGS_BY_KEY)
    for key, name in strings["event"]["setting_changed"]["state_attributes"]["key"]["state"].items():
        assert name == names[key]
    for platform, description in ALL:
        if isinstance(description, SettingDescription) and description is not button.SET_CLOCK:
            assert strings[platform][description.key]["name"] == names[description.key]


def test_both_languages() -> None:
    assert set(LANGUAGES) == {"en", "de"}


def test_icons_belong_to_entities() -> None:
    for platform, icons in ICONS.items():
        assert set(icons) <= {key(description) for description in DESCRIPTIONS[Platform(platform)]}


def test_who_has_no_icon_by_its_class_has_one() -> None:
    without = [
        description.key
        for platform, description in ALL
        if not description.device_class and key(description) not in ICONS[platform]
    ]
    assert without == []
