# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fixtures of the tests against the running sandbox (``LEANVIBE_SANDBOX_DIR``, default ``.sandbox`` of the checkout)."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

CHECKOUT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def checkout() -> Path:
    """The root of the checkout."""
    return CHECKOUT


@pytest.fixture(scope="session")
def sandbox_dir() -> Path:
    """The folder of the running sandbox; the tests fail (they are not skipped) when it is not there."""
    folder = Path(os.environ.get("LEANVIBE_SANDBOX_DIR", CHECKOUT / ".sandbox"))
    if not (folder / "sandbox.yml").is_file():
        pytest.fail(f"no sandbox in {folder}; bring it up: make sandbox-up")
    return folder


@pytest.fixture(scope="session")
def sandbox(sandbox_dir: Path) -> dict[str, Any]:
    """Addresses of every part, as sandbox_up wrote them."""
    return yaml.safe_load((sandbox_dir / "sandbox.yml").read_text(encoding="utf-8"))


@pytest.fixture(scope="session")
def credentials(sandbox_dir: Path) -> dict[str, Any]:
    """The sandbox's random secrets."""
    return yaml.safe_load((sandbox_dir / "credentials.yml").read_text(encoding="utf-8"))


@pytest.fixture(scope="session")
def ansible_env(sandbox_dir: Path) -> dict[str, str]:
    """The environment in which the checkout's playbooks run against that sandbox."""
    return {
        **os.environ,
        "ANSIBLE_CONFIG": str(CHECKOUT / "ansible.cfg"),
        "ANSIBLE_COLLECTIONS_PATH": str(CHECKOUT / "collections"),
        "ANSIBLE_NOCOLOR": "1",
        "ANSIBLE_FORCE_COLOR": "0",
        "LEANVIBE_OPS_PROGRESS": "0",
        "LEANVIBE_SANDBOX_DIR": str(sandbox_dir),
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    }


@pytest.fixture(scope="session")
def run_playbook(ansible_env: dict[str, str]) -> Callable[..., subprocess.CompletedProcess[str]]:
    """``run_playbook("tenants", "--check", extra_vars={...}, timeout=120)`` runs a shipped playbook on the sandbox's inventory."""

    def run(name: str, *arguments: str, extra_vars: dict[str, Any] | None = None, timeout: float = 300) -> subprocess.CompletedProcess[str]:
        command = ["ansible-playbook", "-i", "inventories/sandbox", f"playbooks/{name}.yml", *arguments]
        if extra_vars is not None:
            command += ["-e", json.dumps(extra_vars)]
        return subprocess.run(command, cwd=CHECKOUT, env=ansible_env, capture_output=True, text=True, timeout=timeout, check=False, stdin=subprocess.DEVNULL)

    return run
