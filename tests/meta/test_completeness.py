# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Nothing that ships is without documentation, tests, or its place in the groups; names of the contract are there."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
MODULES = sorted(path for path in (ROOT / "plugins/modules").glob("*.py") if path.name != "__init__.py")
ROLES = sorted(path for path in (ROOT / "roles").iterdir() if path.is_dir())
PLAYBOOKS = sorted((ROOT / "playbooks").glob("*.yml"))
SCENARIOS = sorted(path.parent for path in (ROOT / "molecule").glob("*/molecule.yml"))
INVENTORIES = ("sandbox", "development", "staging", "production")


def documentation(module: Path) -> dict[str, Any]:
    """A module's DOCUMENTATION as data."""
    for node in ast.parse(module.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "DOCUMENTATION" and isinstance(node.value, ast.Constant):
            return yaml.safe_load(str(node.value.value))
    raise AssertionError(f"{module} has no DOCUMENTATION")


def test_there_is_something_to_check() -> None:
    assert len(MODULES) >= 8
    assert len(ROLES) >= 4
    assert {path.stem for path in PLAYBOOKS} >= {"sandbox_up", "sandbox_down", "sandbox_status", "sandbox_fault", "tenants", "tenant_status"}
    assert {path.name for path in SCENARIOS} >= {"default"}


def test_action_group_holds_exactly_the_modules() -> None:
    runtime = yaml.safe_load((ROOT / "meta/runtime.yml").read_text(encoding="utf-8"))
    assert runtime["action_groups"]["all"] == [module.stem for module in MODULES]


@pytest.mark.parametrize("module", MODULES, ids=lambda path: path.stem)
def test_module_documents_its_attributes(module: Path) -> None:
    text = module.read_text(encoding="utf-8")
    fragments = documentation(module).get("extends_documentation_fragment", [])
    attributes = documentation(module).get("attributes", {})
    assert any("attributes" in fragment for fragment in fragments) or {"check_mode", "diff_mode"} <= set(attributes), f"{module.stem}: attributes"
    if (ROOT / f"plugins/action/{module.name}").is_file():  # the module is the documentation of an action plugin
        assert documentation(module)["attributes"]["check_mode"]["support"] == "full", f"{module.stem} must support check mode"
    else:
        assert "supports_check_mode=True" in text, f"{module.stem} must support check mode"


@pytest.mark.parametrize("module", MODULES, ids=lambda path: path.stem)
def test_module_is_named_by_a_unit_and_an_integration_test(module: Path) -> None:
    for folder in ("tests/unit", "tests/integration"):
        texts = (path.read_text(encoding="utf-8") for path in (ROOT / folder).rglob("*.py"))
        playbooks = (path.read_text(encoding="utf-8") for path in (ROOT / "roles").rglob("tasks/*.yml")) if folder == "tests/integration" else ()
        named = any(re.search(rf"\b{module.stem}\b", text) for text in (*texts, *playbooks))
        assert named, f"no test in {folder} names the module {module.stem}"


@pytest.mark.parametrize("role", ROLES, ids=lambda path: path.name)
def test_role_is_complete(role: Path) -> None:
    missing = [need for need in ("README.md", "meta/argument_specs.yml", "meta/main.yml", "defaults/main.yml", "tasks/main.yml") if not (role / need).is_file()]
    assert not missing, f"role {role.name}: {', '.join(missing)} missing"
    specs = yaml.safe_load((role / "meta/argument_specs.yml").read_text(encoding="utf-8"))["argument_specs"]
    assert all(spec.get("description") and spec.get("short_description") for spec in specs.values()), f"role {role.name}: an entry point without a description"


@pytest.mark.parametrize("role", ROLES, ids=lambda path: path.name)
def test_role_readme_says_what_an_operator_needs(role: Path) -> None:
    text = (role / "README.md").read_text(encoding="utf-8").lower()
    missing = [word for word in ("idempotent", "rollback") if word not in text]
    assert not missing, f"role {role.name}: its README says nothing about {missing}"


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda path: path.name)
def test_scenario_can_fail(scenario: Path) -> None:
    needed = ("create.yml", "destroy.yml") if scenario.name == "default" else ("converge.yml", "verify.yml")
    missing = [need for need in needed if not (scenario / need).is_file()]
    assert not missing, f"scenario {scenario.name}: without {missing} Molecule passes having done nothing"


@pytest.mark.parametrize("playbook", PLAYBOOKS, ids=lambda path: path.stem)
def test_playbook_is_a_page_and_documented(playbook: Path) -> None:
    text = playbook.read_text(encoding="utf-8")
    assert text.count("\n") <= 80, f"{playbook.name} is longer than a page; logic belongs in roles"
    documents = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "README.md", *(ROOT / "docs").glob("*.md")))
    assert playbook.stem in documents, f"neither README.md nor docs/ mention {playbook.stem}"


def test_inventories_are_there() -> None:
    assert {path.name for path in (ROOT / "inventories").iterdir() if path.is_dir()} == set(INVENTORIES)


def test_execution_environment_has_the_runtime_requirements() -> None:
    def names(path: str) -> set[str]:
        lines = (ROOT / path).read_text(encoding="utf-8").splitlines()
        return {line.strip() for line in lines if line.strip() and not line.startswith("#")}

    runtime = {line for line in names("requirements/runtime.in") if not line.startswith("ansible-core")}
    assert names("meta/ee-requirements.txt") == runtime


@pytest.mark.parametrize("name", ["runtime", "development"])
def test_requirements_are_pinned_and_hashed(name: str) -> None:
    text = (ROOT / f"requirements/{name}.txt").read_text(encoding="utf-8")
    pins = re.findall(r"^[a-z0-9][\w.\[\]-]*==", text, re.MULTILINE | re.IGNORECASE)
    assert len(pins) > 20
    for block in re.split(r"\n(?=[a-z0-9])", text, flags=re.IGNORECASE):
        if re.match(r"[a-z0-9][\w.\[\]-]*==", block, re.IGNORECASE):
            assert "--hash=sha256:" in block, f"{name}.txt: {block.splitlines()[0]} has no hash"
