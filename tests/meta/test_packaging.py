# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The artifact holds what a user needs, runs by full names from an installation, and nothing else is in it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent


def ansible(*command: str, cwd: Path, collections: Path) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}", "ANSIBLE_COLLECTIONS_PATH": str(collections), "ANSIBLE_NOCOLOR": "1"}
    env.pop("ANSIBLE_CONFIG", None)
    return subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, timeout=300, check=False, stdin=subprocess.DEVNULL)


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A collections folder with the built artifact installed, away from the checkout; the tarball lies beside it."""
    folder = tmp_path_factory.mktemp("artifact")
    built = ansible("ansible-galaxy", "collection", "build", "--output-path", str(folder), str(ROOT), cwd=folder, collections=folder)
    assert built.returncode == 0, built.stderr
    tarball = next(folder.glob("leanvibe-ops-*.tar.gz"))
    done = ansible("ansible-galaxy", "collection", "install", "--no-deps", "-p", str(folder), str(tarball), cwd=folder, collections=folder)
    assert done.returncode == 0, done.stderr
    return folder


def test_artifact_holds_no_more_than_it_should(installed: Path) -> None:
    with tarfile.open(next(installed.glob("leanvibe-ops-*.tar.gz"))) as tarball:
        names = tarball.getnames()
    top = {name.split("/")[0] for name in names}
    assert top <= {
        "CONTRIBUTING.md",
        "FILES.json",
        "MANIFEST.json",
        "LICENSE",
        "README.md",
        "changelogs",
        "docs",
        "meta",
        "playbooks",
        "plugins",
        "requirements",
        "roles",
        "tests",
    }, top
    assert not [name for name in names if name.endswith((".pyc", ".log")) or "__pycache__" in name or name.startswith("inventories")]


def test_artifact_holds_every_file_of_plugins_roles_and_playbooks(installed: Path) -> None:
    listing = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", "plugins", "roles", "playbooks"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    expected = {name for name in listing.stdout.splitlines() if (ROOT / name).is_file()}
    missing = sorted(name for name in expected if not (installed / "ansible_collections/leanvibe/ops" / name).is_file())
    assert not missing, f"not in the artifact: {missing[:10]}"


@pytest.mark.parametrize("playbook", sorted(path.stem for path in (ROOT / "playbooks").glob("*.yml")))
def test_installed_playbook_is_found_by_its_full_name(installed: Path, playbook: str) -> None:
    shutil.copytree(ROOT / "inventories/development", installed / "inventory", dirs_exist_ok=True)
    outcome = ansible("ansible-playbook", "-i", "inventory", "--syntax-check", f"leanvibe.ops.{playbook}", cwd=installed, collections=installed)
    assert outcome.returncode == 0, outcome.stderr
