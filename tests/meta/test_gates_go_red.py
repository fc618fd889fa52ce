# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each gate is red when what it guards is broken on purpose."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent
GATES = ("lint", "docs", "unit", "meta", "sanity", "integration", "molecule", "faults", "bench")


def run(*command: str, cwd: Path = ROOT, **environment: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}", "ANSIBLE_NOCOLOR": "1", **environment}
    return subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, timeout=300, check=False, stdin=subprocess.DEVNULL)


def skeleton(folder: Path) -> Path:
    """A small collection with the checkout's settings: one role, one playbook, one module of ours."""
    for name in ("pyproject.toml", ".yamllint", ".ansible-lint", "ansible.cfg", "galaxy.yml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, folder / name)
    shutil.copytree(ROOT / "meta", folder / "meta")
    (folder / "playbooks").mkdir()
    (folder / "playbooks/good.yml").write_text(
        "---\n- name: Greet\n  hosts: localhost\n  gather_facts: false\n  tasks:\n    - name: Say hello\n      ansible.builtin.debug:\n        msg: Hello\n",
        encoding="utf-8",
    )
    return folder


def test_ruff_is_red(tmp_path: Path) -> None:
    folder = skeleton(tmp_path)
    (folder / "good.py").write_text('"""Good."""\n\nA = 1\n', encoding="utf-8")
    assert run("ruff", "check", ".", cwd=folder).returncode == 0
    (folder / "bad.py").write_text("import os\n", encoding="utf-8")
    assert "F401" in run("ruff", "check", ".", cwd=folder).stdout


def test_mypy_is_red(tmp_path: Path) -> None:
    good, bad = tmp_path / "good.py", tmp_path / "bad.py"
    good.write_text("def f(a: int) -> int:\n    return a\n", encoding="utf-8")
    bad.write_text("def f(a):\n    return a\n", encoding="utf-8")
    settings = ("mypy", "--config-file", str(ROOT / "pyproject.toml"))
    assert run(*settings, str(good), cwd=tmp_path).returncode == 0
    assert "no-untyped-def" in run(*settings, str(bad), cwd=tmp_path).stdout


def test_yamllint_is_red(tmp_path: Path) -> None:
    folder = skeleton(tmp_path)
    assert run("yamllint", "--strict", "playbooks", cwd=folder).returncode == 0
    (folder / "playbooks/bad.yml").write_text("a: 1\na: 2\n", encoding="utf-8")
    assert "duplication" in run("yamllint", "--strict", "playbooks", cwd=folder).stdout


def test_ansible_lint_is_red(tmp_path: Path) -> None:
    folder = skeleton(tmp_path)
    run("git", "init", "--quiet", cwd=folder)
    good = run("ansible-lint", "--offline", "playbooks/good.yml", cwd=folder)
    assert good.returncode == 0, good.stdout + good.stderr
    (folder / "playbooks/bad.yml").write_text(
        "---\n- name: Bad\n  hosts: localhost\n  tasks:\n    - name: Not a full name, and it hides its error\n      command: ls\n      ignore_errors: "
        + "true\n",
        encoding="utf-8",
    )
    bad = run("ansible-lint", "--offline", "playbooks/bad.yml", cwd=folder)
    assert bad.returncode != 0
    assert "fqcn" in bad.stdout


def test_documentation_gate_is_red(tmp_path: Path) -> None:
    for name in ("plugins", "roles", "playbooks", "meta", "docs"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("galaxy.yml", "README.md"):
        shutil.copy(ROOT / name, tmp_path / name)
    command = ("antsibull-docs", "lint-collection-docs", "--plugin-docs", "--validate-collection-refs=self", "--skip-rstcheck", ".")
    victim = tmp_path / "plugins/modules/tenants_redis.py"
    text = victim.read_text(encoding="utf-8")
    victim.write_text(text.replace("short_description: ", "short_description: See O(no_such_option). ", 1), encoding="utf-8")
    broken = run(*command, cwd=tmp_path)
    assert broken.returncode != 0
    assert "no_such_option" in broken.stdout


def test_changelog_gate_is_red(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "changelogs", tmp_path / "changelogs")
    shutil.copy(ROOT / "galaxy.yml", tmp_path / "galaxy.yml")
    assert run("antsibull-changelog", "lint", cwd=tmp_path).returncode == 0
    (tmp_path / "changelogs/fragments/bad.yml").write_text("---\nno_such_section:\n  - text\n", encoding="utf-8")
    assert run("antsibull-changelog", "lint", cwd=tmp_path).returncode != 0


def test_tests_gate_is_red_when_nothing_is_collected(tmp_path: Path) -> None:
    assert run("pytest", "-q", "-c", str(ROOT / "pyproject.toml"), "--rootdir", str(tmp_path), str(tmp_path), cwd=tmp_path).returncode != 0


@pytest.mark.parametrize("gate", GATES)
def test_the_runner_knows_the_gate_and_passes_its_verdict_on(gate: str, tmp_path: Path) -> None:
    """Every program that a gate calls is replaced by one that fails: the runner must say so and exit non-zero."""
    shutil.copytree(ROOT / "scripts", tmp_path / "scripts")
    programs = tmp_path / ".venv/bin"
    programs.mkdir(parents=True)
    for name in ("ruff", "antsibull-docs", "pytest", "python", "ansible-playbook", "molecule", "ansible-galaxy"):
        (programs / name).write_text("#!/bin/sh\nexit 3\n", encoding="utf-8")
        (programs / name).chmod(0o755)
    outcome = run("bash", "scripts/gates", gate, cwd=tmp_path, LEANVIBE_OPS_VENV=".venv")
    assert outcome.returncode == 1
    assert "FAILED" in outcome.stdout


def test_runner_goes_on_after_a_red_gate_and_stays_red(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "scripts", tmp_path / "scripts")
    programs = tmp_path / ".venv/bin"
    programs.mkdir(parents=True)
    (programs / "antsibull-docs").write_text("#!/bin/sh\nexit 3\n", encoding="utf-8")
    (programs / "pytest").write_text("#!/bin/sh\nexit 0\n", encoding="utf-8")
    for program in programs.iterdir():
        program.chmod(0o755)
    outcome = run("bash", "scripts/gates", "docs", "unit", cwd=tmp_path, LEANVIBE_OPS_VENV=".venv")
    assert outcome.returncode == 1
    assert [line.split()[:2] for line in outcome.stdout.splitlines() if line.startswith(("docs ", "unit "))] == [["docs", "FAILED"], ["unit", "passed"]]


def test_ci_calls_the_second_command() -> None:
    text = (ROOT / ".ci/run").read_text(encoding="utf-8")
    assert "make test" in text
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    line = next(line for line in makefile.splitlines() if "scripts/gates lint docs" in line)
    assert line.split()[1:] == ["lint", "docs", "unit", "meta", "sanity", "integration", "molecule"]
