"""Print what the manifests of Home Assistant's integrations ask for, for those named and all they depend on.

Home Assistant installs these at run time; having them beforehand makes tests and demo work without internet, at
exactly the versions that the installed Home Assistant pins. What is installed already is left out: that is core's own,
or pinned on purpose in pyproject.toml.

    .venv/bin/python scripts/ha_requirements.py bluetooth_adapters esphome | uv pip install -r -
"""

import json
import sys
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import homeassistant.components
from homeassistant.util.package import parse_requirement_safe

CORE = Path(homeassistant.components.__path__[0])
OWN = Path(__file__).parent.parent / "custom_components"


def requirements(domains: Iterable[str]) -> set[str]:
    """Collect the requirements of the integrations, the dependencies' included."""
    found: set[str] = set()
    seen: set[str] = set()
    waiting = list(domains)
    while waiting:
        domain = waiting.pop()
        if domain in seen:
            continue
        seen.add(domain)
        folder = next((path for path in (OWN / domain, CORE / domain) if path.is_dir()), None)
        if folder is None:
            sys.exit(f"Home Assistant has no integration {domain!r}")
        if not (manifest := folder / "manifest.json").is_file():
            continue  # the base of an own integration that is only being built
        content = json.loads(manifest.read_text(encoding="utf-8"))
        found.update(content.get("requirements", ()))
        waiting.extend(content.get("dependencies", ()))
    return found


def installed(requirement: str) -> bool:
    """Tell whether any version of the required package is here."""
    parsed = parse_requirement_safe(requirement)
    try:
        return parsed is not None and bool(version(parsed.name))
    except PackageNotFoundError:
        return False


def main() -> None:
    """Print one requirement a line; `default` stands for what Home Assistant always starts."""
    domains = set(sys.argv[1:])
    if "default" in domains:
        from homeassistant.bootstrap import CORE_INTEGRATIONS, DEFAULT_INTEGRATIONS

        domains = domains - {"default"} | CORE_INTEGRATIONS | DEFAULT_INTEGRATIONS
    print(*sorted(name for name in requirements(domains) if not installed(name)), sep="\n")


if __name__ == "__main__":
    main()
