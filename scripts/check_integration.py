"""Say offline what Home Assistant's hassfest and HACS' validation would object to.

Both are container images that run on GitHub (.github/workflows/validate.yml) and have the last word; this finds what
goes wrong in everyday work: the manifest, the texts in all languages, icons, services and hacs.json.
"""

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import cast

from homeassistant.const import Platform
from homeassistant.util.json import load_json_object
from homeassistant.util.yaml import load_yaml_dict

type Json = dict[str, Json] | list[Json] | str | int | float | bool | None

PROJECT = Path(__file__).parent.parent
INTEGRATION = PROJECT / "custom_components/jk_bms"

WANTED = {"codeowners", "documentation", "domain", "integration_type", "iot_class", "issue_tracker", "name", "version"}
ALLOWED = WANTED | {
    *("after_dependencies", "bluetooth", "config_flow", "dependencies", "loggers"),
    *("quality_scale", "requirements", "single_config_entry"),
}
IOT_CLASSES = {
    *("assumed_state", "calculated", "cloud_polling", "cloud_push", "local_polling", "local_push"),
}
INTEGRATION_TYPES = {"device", "entity", "hardware", "helper", "hub", "service", "system"}
MATCHERS = {
    *("connectable", "local_name", "manufacturer_data_start", "manufacturer_id", "service_data_uuid", "service_uuid"),
}
# Sections of a translation file
SECTIONS = {
    *("common", "config", "device", "entity", "exceptions", "issues", "options", "selector", "services", "title"),
}
ICON_SECTIONS = {"entity", "services"}
HACS_KEYS = {
    *("country", "filename", "hide_default_branch", "homeassistant", "name", "persistent_directory", "zip_release"),
}
# What an integration may import without depending on it, beside the entity platforms
ALWAYS_THERE = {"diagnostics", "homeassistant", "persistent_notification", "repairs", "system_health"}

SLUG = re.compile(r"[a-z0-9]+(?:[-_][a-z0-9]+)*")
UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
BAD_TEXTS = {
    "HTML": re.compile(r"</?[a-zA-Z]"),
    "a URL, which belongs into a placeholder": re.compile(r"https?://|\bwww\."),
    "a reference that only core's build resolves": re.compile(r"\[%key:"),
    "a placeholder in single quotes": re.compile(r"'\{\w+\}'"),
    "a blank at an end": re.compile(r"^\s|\s$"),
}


def load(path: Path) -> dict[str, Json]:
    """Read a JSON or YAML file whose top level is an object; a missing file is an empty one."""
    if not path.exists():
        return {}
    return cast("dict[str, Json]", load_json_object(path) if path.suffix == ".json" else load_yaml_dict(path))


def child(node: Json, *path: str) -> dict[str, Json]:
    """Walk down; an empty object where there is nothing."""
    for name in path:
        node = node.get(name) if isinstance(node, dict) else None
    return node if isinstance(node, dict) else {}


def texts(node: Json, path: str = "") -> Iterator[tuple[str, str]]:
    """Give every leaf with its dotted path."""
    if isinstance(node, dict):
        for name, value in node.items():
            yield from texts(value, f"{path}.{name}" if path else name)
    else:
        yield path, str(node)


def check_manifest(folder: Path) -> Iterator[str]:
    """Check manifest.json."""
    manifest = load(folder / "manifest.json")
    for key in sorted(WANTED - manifest.keys()):
        yield f"{key} is missing"
    for key in sorted(manifest.keys() - ALLOWED):
        yield f"{key} is unknown"
    if list(manifest) != sorted(manifest, key=lambda key: (key != "domain", key != "name", key)):
        yield "keys are not in order: domain, name, then by the alphabet"
    if manifest.get("domain") != folder.name:
        yield f"the domain is not {folder.name}, as the folder"
    if manifest.get("iot_class") not in IOT_CLASSES:
        yield "iot_class is unknown"
    if manifest.get("integration_type") not in INTEGRATION_TYPES:
        yield "integration_type is unknown"
    if not re.fullmatch(r"\d+\.\d+\.\d+((a|b|rc)\d+)?", str(manifest.get("version"))):
        yield "version is not like 1.2.3 or 1.2.3b4"
    for owner in cast("list[str]", manifest.get("codeowners", [])):
        if not owner.startswith("@"):
            yield f"code owner {owner} has no @"
    for key in ("documentation", "issue_tracker"):
        if not str(manifest.get(key)).startswith("https://"):
            yield f"{key} is no https address"
    for matcher in cast("list[dict[str, Json]]", manifest.get("bluetooth", [])):
        if unknown := matcher.keys() - MATCHERS:
            yield f"bluetooth matcher has {', '.join(sorted(unknown))}"
        if re.search(r"[*?\[]", str(matcher.get("local_name", ""))[:3]):
            yield "bluetooth matcher has a wildcard in the first three characters of local_name"
        for key in matcher.keys() & {"service_uuid", "service_data_uuid"}:
            if not UUID.fullmatch(str(matcher[key])):
                yield f"bluetooth matcher's {key} is no full UUID in lower case"
    if manifest.get("config_flow") and not (folder / "config_flow.py").exists():
        yield "config_flow.py is missing"


def check_imports(folder: Path) -> Iterator[str]:
    """Check that each component used is one to depend on."""
    manifest = load(folder / "manifest.json")
    usable = {folder.name, *Platform, *ALWAYS_THERE}
    for key in ("dependencies", "after_dependencies"):
        usable.update(cast("list[str]", manifest.get(key, [])))
    if "bluetooth_adapters" in usable:
        usable.add("bluetooth")
    for path in sorted(folder.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            used: list[str] = []
            if isinstance(node, ast.ImportFrom) and node.module == "homeassistant.components":
                used = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("homeassistant.components."):
                used = [str(node.module).split(".")[2]]
            for name in used:
                if name not in usable:
                    yield f"{path.name} uses {name}, which the manifest doesn't depend on"


def check_translations(folder: Path) -> Iterator[str]:
    """Check that all languages say the same, and in a way that the frontend can show."""
    english = dict(texts(load(folder / "translations/en.json")))
    if not english:
        yield "en.json is missing"
    for path in sorted((folder / "translations").glob("*.json")):
        content = load(path)
        for section in sorted(content.keys() - SECTIONS):
            yield f"{path.name}: {section} is unknown"
        mine = dict(texts(content))
        for key in sorted(english.keys() ^ mine.keys()):
            yield f"{path.name}: {key} is {'missing' if key in english else 'not in English'}"
        for key in sorted(english.keys() & mine.keys()):
            if set(re.findall(r"\{(\w+)\}", mine[key])) != set(re.findall(r"\{(\w+)\}", english[key])):
                yield f"{path.name}: {key} has other placeholders than in English"
        for key, text in mine.items():
            yield from (f"{path.name}: {key} has {bad}" for bad, sign in BAD_TEXTS.items() if sign.search(text))
            yield from (f"{path.name}: {key} has a bad key" for name in key.split(".") if not SLUG.fullmatch(name))
        for flow in ("config", "options"):
            for step, parts in child(content, flow, "step").items():
                for field in child(parts, "data_description").keys() - child(parts, "data").keys():
                    yield f"{path.name}: {flow}.step.{step}.data_description.{field} describes no field"


def check_icons(folder: Path) -> Iterator[str]:
    """Check that icons belong to something that has a name."""
    icons, english = load(folder / "icons.json"), load(folder / "translations/en.json")
    for section in sorted(icons.keys() - ICON_SECTIONS):
        yield f"{section} is unknown"
    for key, name in texts(icons):
        if not name.startswith("mdi:"):
            yield f"{key} is not of mdi:"
    for platform, entities in child(icons, "entity").items():
        for name, entity in child(entities).items():
            if name not in child(english, "entity", platform):
                yield f"entity.{platform}.{name} has no name in en.json"
            for state, icon in child(entity, "state").items():
                if icon == child(entity).get("default"):
                    yield f"entity.{platform}.{name}.{state} is the default anyway"
    for name in child(icons, "services").keys() - load(folder / "services.yaml").keys():
        yield f"services.{name} is no service"


def check_services(folder: Path) -> Iterator[str]:
    """Check that each service and field has a name and a description, and the other way round."""
    services, english = load(folder / "services.yaml"), child(load(folder / "translations/en.json"), "services")
    for name in sorted(services.keys() ^ english.keys()):
        yield f"{name} is only in {'services.yaml' if name in services else 'en.json'}"
    for name in sorted(services.keys() & english.keys()):
        for part in ("name", "description"):
            if part not in child(english, name):
                yield f"{name} has no {part}"
        for field in sorted(child(services, name, "fields").keys() ^ child(english, name, "fields").keys()):
            yield f"{name}.{field} is in one of services.yaml and en.json only"


def check_hacs(folder: Path) -> Iterator[str]:
    """Check hacs.json and what else HACS wants to find."""
    hacs = load(folder.parent.parent / "hacs.json")
    for key in sorted({"name", "homeassistant"} - hacs.keys()):
        yield f"{key} is missing"
    for key in sorted(hacs.keys() - HACS_KEYS):
        yield f"{key} is unknown"
    if hacs.get("zip_release") and "filename" not in hacs:
        yield "zip_release needs filename"
    if not (folder / "brand/icon.png").exists():
        yield "brand/icon.png is missing"


CHECKS = {
    "manifest.json": check_manifest,
    "imports": check_imports,
    "translations": check_translations,
    "icons.json": check_icons,
    "services.yaml": check_services,
    "hacs.json": check_hacs,
}


def problems(folder: Path) -> list[str]:
    """Run all checks on the folder of an integration."""
    return [f"{name}: {problem}" for name, check in CHECKS.items() for problem in check(folder)]


def main() -> None:
    """Print the problems of this project's integration; exit with 1 if there are any."""
    if found := problems(INTEGRATION):
        sys.exit("\n".join(found))
    print("The integration's files are in order.")


if __name__ == "__main__":
    main()
