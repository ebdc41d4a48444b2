"""The project's own commands: what they check, and that they hand on what they are told."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any, cast

import pytest

from scripts.check_integration import INTEGRATION, problems
from scripts.demo_home import PROJECT
from scripts.ha_requirements import requirements

MANIFEST = {
    "domain": "sample",
    "name": "Sample",
    "bluetooth": [{"connectable": True, "local_name": "JK_*", "service_uuid": "0000ffe0-0000-1000-8000-00805f9b34fb"}],
    "codeowners": ["@someone"],
    "dependencies": ["bluetooth_adapters"],
    "documentation": "https://example.org",
    "integration_type": "device",
    "iot_class": "local_push",
    "issue_tracker": "https://example.org/issues",
    "version": "1.0.0",
}
ENGLISH: dict[str, Any] = {
    "config": {"step": {"user": {"data": {"address": "Address"}, "data_description": {"address": "Of the pack"}}}},
    "entity": {"sensor": {"voltage": {"name": "Voltage of {pack}"}}},
    "services": {"read": {"name": "Read", "description": "Reads again.", "fields": {"what": {"name": "What"}}}},
}
ICONS = {"entity": {"sensor": {"voltage": {"default": "mdi:flash"}}}, "services": {"read": {"service": "mdi:eye"}}}


def write(path: Path, content: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content), encoding="utf-8")


def copy[T](tree: T) -> T:
    return cast("T", json.loads(json.dumps(tree)))


@pytest.fixture
def sample(tmp_path: Path) -> Path:
    """An integration that nothing is wrong with."""
    folder = tmp_path / "custom_components/sample"
    write(folder / "manifest.json", MANIFEST)
    write(folder / "translations/en.json", ENGLISH)
    write(folder / "translations/de.json", ENGLISH)
    write(folder / "icons.json", ICONS)
    write(folder / "services.yaml", {"read": {"fields": {"what": {"example": "all"}}}})
    write(folder / "brand/icon.png", "")
    write(tmp_path / "hacs.json", {"name": "Sample", "homeassistant": "2026.10.0"})
    (folder / "sensor.py").write_text("from homeassistant.components import bluetooth, sensor\n", encoding="utf-8")
    return folder


def test_check_finds_nothing_in_a_good_integration(sample: Path) -> None:
    assert problems(sample) == []


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"version": "one"}, "manifest.json: version is not like 1.2.3 or 1.2.3b4"),
        ({"domain": "other"}, "manifest.json: the domain is not sample, as the folder"),
        ({"zeta": 1}, "manifest.json: zeta is unknown"),
        ({"iot_class": "local"}, "manifest.json: iot_class is unknown"),
        ({"integration_type": "thing"}, "manifest.json: integration_type is unknown"),
        ({"codeowners": ["someone"]}, "manifest.json: code owner someone has no @"),
        ({"documentation": "example.org"}, "manifest.json: documentation is no https address"),
        ({"config_flow": True}, "manifest.json: config_flow.py is missing"),
        ({"dependencies": []}, "imports: sensor.py uses bluetooth, which the manifest doesn't depend on"),
        ({"bluetooth": [{"name": "x"}]}, "manifest.json: bluetooth matcher has name"),
        (
            {"bluetooth": [{"local_name": "J*"}]},
            "manifest.json: bluetooth matcher has a wildcard in the first three characters of local_name",
        ),
        (
            {"bluetooth": [{"service_uuid": "FFE0"}]},
            "manifest.json: bluetooth matcher's service_uuid is no full UUID in lower case",
        ),
    ],
)
def test_check_finds_what_is_wrong_with_a_manifest(sample: Path, change: dict[str, object], problem: str) -> None:
    changed = {**MANIFEST, **change}
    rest = sorted(changed.keys() - {"domain", "name"})
    write(sample / "manifest.json", {key: changed[key] for key in ("domain", "name", *rest)})
    assert problems(sample) == [problem]


def test_check_wants_the_manifest_in_order_and_whole(sample: Path) -> None:
    write(sample / "manifest.json", dict(reversed([item for item in MANIFEST.items() if item[0] != "issue_tracker"])))
    assert problems(sample) == [
        "manifest.json: issue_tracker is missing",
        "manifest.json: keys are not in order: domain, name, then by the alphabet",
        "manifest.json: issue_tracker is no https address",
    ]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("Voltage", "has other placeholders than in English"),
        ("<b>{pack}</b>", "has HTML"),
        ("{pack} on https://example.org", "has a URL, which belongs into a placeholder"),
        ("[%key:x%] {pack}", "has a reference that only core's build resolves"),
        ("'{pack}'", "has a placeholder in single quotes"),
        ("{pack} ", "has a blank at an end"),
    ],
)
def test_check_finds_what_is_wrong_with_a_translation(sample: Path, text: str, problem: str) -> None:
    german = copy(ENGLISH)
    german["entity"]["sensor"]["voltage"]["name"] = text
    write(sample / "translations/de.json", german)
    assert problems(sample) == [f"translations: de.json: entity.sensor.voltage.name {problem}"]


def test_check_wants_all_languages_to_say_the_same(sample: Path) -> None:
    german = copy(ENGLISH)
    german["entity"] = {"sensor": {"voltage": {"name": "{pack}"}, "current": {"name": "Strom"}}}
    del german["services"]
    german["config"]["step"]["user"]["data_description"] = {"address": "Des Packs", "pin": "Nie"}
    write(sample / "translations/de.json", german)
    assert problems(sample) == [
        "translations: de.json: config.step.user.data_description.pin is not in English",
        "translations: de.json: entity.sensor.current.name is not in English",
        "translations: de.json: services.read.description is missing",
        "translations: de.json: services.read.fields.what.name is missing",
        "translations: de.json: services.read.name is missing",
        "translations: de.json: config.step.user.data_description.pin describes no field",
    ]


def test_check_wants_icons_services_and_hacs_to_fit(sample: Path) -> None:
    sensors = {"voltage": {"default": "mdi:a", "state": {"on": "mdi:a"}}, "power": {"default": "b"}}
    icons = {"entity": {"sensor": sensors}, "services": {"write": {"service": "mdi:pen"}}, "views": {}}
    write(sample / "icons.json", icons)
    write(sample / "services.yaml", {"read": {"fields": {"which": {}}}, "pause": {}})
    write(sample.parent.parent / "hacs.json", {"name": "Sample", "zip_release": True, "colour": "red"})
    (sample / "brand/icon.png").unlink()
    assert problems(sample) == [
        "icons.json: views is unknown",
        "icons.json: entity.sensor.power.default is not of mdi:",
        "icons.json: entity.sensor.voltage.on is the default anyway",
        "icons.json: entity.sensor.power has no name in en.json",
        "icons.json: services.write is no service",
        "services.yaml: pause is only in services.yaml",
        "services.yaml: read.what is in one of services.yaml and en.json only",
        "services.yaml: read.which is in one of services.yaml and en.json only",
        "hacs.json: homeassistant is missing",
        "hacs.json: colour is unknown",
        "hacs.json: zip_release needs filename",
        "hacs.json: brand/icon.png is missing",
    ]


def test_this_integration_is_in_order() -> None:
    assert problems(INTEGRATION) == []


def test_requirements_follow_the_dependencies() -> None:
    """`bluetooth_adapters` asks for nothing itself; `bluetooth` and `usb`, which stand below it, do."""
    names = {requirement.split("==")[0] for requirement in requirements(["bluetooth_adapters"])}
    assert {"bleak", "habluetooth", "serialx"} <= names
    assert not names & {"aioesphomeapi", "aioshelly"}  # only after_dependencies


@pytest.fixture
def home(tmp_path: Path) -> dict[str, str]:
    """An environment with nothing in it but the system's commands."""
    return {"HOME": str(tmp_path), "PATH": "/usr/bin:/bin", "JK_BMS_PYTHON": str(tmp_path / "prefix")}


def fake_python(folder: Path) -> Path:
    """A python3.14 that is content with whatever it is asked to prove."""
    folder.mkdir(parents=True)
    path = folder / "python3.14"
    path.write_text("#!/bin/sh\necho Python 3.14.2\n", encoding="utf-8")
    path.chmod(0o755)
    return path


def test_install_python_takes_what_is_on_the_path(home: dict[str, str], tmp_path: Path) -> None:
    python = fake_python(tmp_path / "bin")
    home["PATH"] = f"{python.parent}:{home['PATH']}"
    result = subprocess.run([PROJECT / "scripts/install-python"], env=home, capture_output=True, text=True, check=True)
    assert result.stdout.splitlines() == [str(python)]


def test_install_python_prefers_its_own_prefix_and_skips_a_broken_one(home: dict[str, str], tmp_path: Path) -> None:
    other = fake_python(tmp_path / "bin")
    home["PATH"] = f"{other.parent}:{home['PATH']}"
    own = fake_python(tmp_path / "prefix/usr/bin")
    run = [str(PROJECT / "scripts/install-python")]
    assert subprocess.check_output(run, env=home, text=True, stderr=subprocess.DEVNULL).splitlines()[-1] == str(own)
    own.write_text("#!/bin/sh\nexit 1\n", encoding="utf-8")
    assert subprocess.check_output(run, env=home, text=True, stderr=subprocess.DEVNULL).splitlines()[-1] == str(other)


def test_setup_explains_itself_when_it_does_not_understand() -> None:
    result = subprocess.run([PROJECT / "scripts/setup", "--what"], capture_output=True, text=True, check=False)
    assert result.returncode == 2
    assert "scripts/setup --demo" in result.stderr


def test_scripts_are_commands() -> None:
    for name in ("demo", "install-python", "lint", "setup", "test"):
        assert os.access(PROJECT / "scripts" / name, os.X_OK), name
