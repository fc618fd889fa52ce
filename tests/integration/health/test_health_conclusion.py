# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""health_report inside Ansible: the summary is shown once, plain where there is no terminal, and the files are where it says. Needs no sandbox."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

ITEM = {
    "id": "redis.memory",
    "subject": "us-east-1/redis",
    "verdict": "critical",
    "message": "full",
    "observed": 99,
    "runbook": "r",
    "query": "INFO",
    "tenants": [],
}
DONE = {"id": "redis.memory", "place": "us-east-1/redis", "outcome": "executed", "seconds": 0.1, "reason": ""}
RUN = {"system": "redis", "region": "us-east-1", "items": [ITEM], "checks": [DONE], "facts": {}, "seconds": 0.2}


def play(folder: Path, checkout: Path, arguments: dict[str, Any], *more: str) -> subprocess.CompletedProcess[str]:
    """Run a play of one task on the controller."""
    tasks = [
        {"name": "Report", "leanvibe.ops.health_report": arguments, "register": "report"},
        {
            "name": "Keep",
            "ansible.builtin.copy": {"content": "{{ report | to_json }}", "dest": str(folder / "result.json"), "mode": "0600"},
            "check_mode": False,
        },
    ]
    playbook = folder / "play.yml"
    playbook.write_text(yaml.safe_dump([{"name": "Health", "hosts": "localhost", "gather_facts": False, "tasks": tasks}]), encoding="utf-8")
    environment = {**os.environ, "ANSIBLE_COLLECTIONS_PATH": str(checkout / "collections"), "ANSIBLE_FORCE_COLOR": "0", "LEANVIBE_OPS_PROGRESS": "0"}
    command = [str(Path(sys.executable).parent / "ansible-playbook"), "-i", "localhost,", "-c", "local", "-e", f"ansible_python_interpreter={sys.executable}"]
    return subprocess.run(
        [*command, str(playbook), *more], cwd=folder, env=environment, capture_output=True, text=True, timeout=120, check=False, stdin=subprocess.DEVNULL
    )


@pytest.mark.parametrize("check", [False, True], ids=["real", "check"])
def test_a_run_is_concluded(check: bool, tmp_path: Path, checkout: Path) -> None:
    arguments = {
        "run_id": "r1",
        "started": "2026-11-21T06:00:00Z",
        "environment": "sandbox",
        "regions": ["us-east-1"],
        "report_dir": str(tmp_path / "reports"),
        "endpoints": [{"system": "redis", "region": "us-east-1", "run": RUN}],
        "junit_file": str(tmp_path / "health.xml"),
    }
    ended = play(tmp_path, checkout, arguments, *(["--check"] if check else []))
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert ended.stdout.count("health: CRITICAL") == 1
    assert "\x1b" not in ended.stdout
    result = json.loads((tmp_path / "result.json").read_text(encoding="utf-8"))
    assert (result["verdict"], result["failing"], result["changed"]) == ("critical", True, False)
    assert all(Path(path).is_file() for path in result["paths"])
    assert (tmp_path / "reports/health/latest.json").exists() is not check
    assert (tmp_path / "health.xml").exists() is not check


def test_refused_inputs_name_every_mistake(tmp_path: Path, checkout: Path) -> None:
    ended = play(tmp_path, checkout, {"step": "inputs", "waivers": [{}], "fail_on": ["ok"]})
    assert ended.returncode != 0
    assert "owner is missing" in ended.stdout
    assert "fail_on: ok is no verdict of a finding" in ended.stdout


def test_a_catalogue_of_faults_counts_what_was_missed_and_what_was_false(catalogue: Any) -> None:
    made = type(catalogue)()
    made.judge("right", {"a.b"}, {"a.b"})
    with pytest.raises(AssertionError):
        made.judge("silent", {"a.b", "a.c"}, {"a.c"})
    with pytest.raises(AssertionError):
        made.judge("loud", set(), {"a.d"})
    assert made.lines() == [
        "faults made: 3; findings found 2, missed 1, false 1",
        "  loud: missed nothing, false ['a.d']",
        "  silent: missed ['a.b'], false nothing",
    ]
