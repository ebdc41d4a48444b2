"""What the release workflow asks of a tag before it attaches anything to it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import pytest
from homeassistant.util.yaml import load_yaml_dict

PROJECT = Path(__file__).parent.parent
JOBS: Final[Any] = load_yaml_dict(str(PROJECT / ".github/workflows/release.yml"))["jobs"]


def steps(job: str) -> list[dict[str, Any]]:
    found = JOBS[job]["steps"]
    assert isinstance(found, list)
    return found


def test_nothing_is_attached_without_lint_and_tests() -> None:
    commands = [step.get("run") for step in steps("checks")]
    assert commands[-2:] == ["scripts/lint", "scripts/test"]
    assert JOBS["zip"]["needs"] == "checks"


@pytest.mark.parametrize(
    ("tag", "manifest", "project", "good"),
    [
        ("v1.2.3", "1.2.3", "1.2.3", True),
        ("1.2.3", "1.2.3", "1.2.3", True),
        ("v1.2.4", "1.2.3", "1.2.3", False),
        ("v1.2.3", "1.2.3", "1.2.2", False),
        ("v1.2.3", "1.2.2", "1.2.3", False),
        ("v1.2.3", "1.2.3", None, False),
    ],
)
def test_the_tag_has_to_be_the_version(
    tag: str, manifest: str, project: str | None, good: bool, tmp_path: Path
) -> None:
    integration = tmp_path / "custom_components/jk_bms"
    integration.mkdir(parents=True)
    (integration / "manifest.json").write_text(json.dumps({"version": manifest}))
    version = "" if project is None else f'version = "{project}"\n'
    (tmp_path / "pyproject.toml").write_text(
        f'[project]\nname = "jk-bms"\n{version}[tool.mypy]\npython_version = "3.14"\n'
    )
    (script,) = [step["run"] for step in steps("checks") if "TAG" in step.get("env", {})]
    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
    done = subprocess.run(
        ["bash", "-e", "-c", script],
        cwd=tmp_path,
        env={"PATH": path, "TAG": tag},
        check=False,
        capture_output=True,
    )
    assert (done.returncode == 0) is good


def test_the_project_is_ready_for_a_tag() -> None:
    manifest = json.loads((PROJECT / "custom_components/jk_bms/manifest.json").read_text(encoding="utf-8"))
    assert f'\nversion = "{manifest["version"]}"\n' in (PROJECT / "pyproject.toml").read_text(encoding="utf-8")
