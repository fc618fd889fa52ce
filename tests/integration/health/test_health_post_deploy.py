# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""playbooks/health.yml after a deployment: the guide's items and no others, with the journey; in check mode without it."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest
from ansible_collections.leanvibe.ops.plugins.module_utils.health.profiles import AFTER_DEPLOYMENT

pytestmark = [pytest.mark.sandbox, pytest.mark.usefixtures("provisioned")]
Play = Callable[..., subprocess.CompletedProcess[str]]
LISTED = {name for names in AFTER_DEPLOYMENT.values() for name in names}
LEFT = """
SELECT (SELECT count(*) FROM leanvibe.users WHERE email LIKE 'health-%%@journey.invalid')
     + (SELECT count(*) FROM leanvibe.projects WHERE name LIKE 'leanvibe-health-%%')
"""


def left(sandbox: dict[str, Any], credentials: dict[str, Any]) -> int:
    """Users and projects of journeys, whoever's."""
    with psycopg.connect(
        host="localhost", port=sandbox["regions"]["us-east-1"]["postgresql"]["port"], dbname="leanvibe", user="postgres",
        password=credentials["postgresql"]["postgres"], sslmode="verify-full", sslrootcert=sandbox["ca_file"],
    ) as connection:  # fmt: skip
        row = connection.execute(LEFT, ()).fetchone()
    return int(row[0]) if row else -1


def test_after_a_deployment(run_playbook: Play, sandbox: dict[str, Any], credentials: dict[str, Any], tmp_path: Path) -> None:
    before = left(sandbox, credentials)
    run_playbook("health", extra_vars={"report_dir": str(tmp_path), "profile": "post_deploy", "health_connect_timeout": 20})
    found = json.loads((tmp_path / "health/latest.json").read_text(encoding="utf-8"))
    assert {item["id"] for item in found["items"] if not item["id"].startswith("health.")} == LISTED
    mine = [item for item in found["items"] if item["id"].startswith(("backend.", "external.")) and item["verdict"] in ("critical", "unknown")]
    assert mine == []
    journeys = [item for item in found["items"] if item["id"] == "backend.journey"]
    assert {(item["subject"], item["verdict"]) for item in journeys} == {(f"{region}/backend", "ok") for region in ("us-east-1", "us-west-2")}
    assert left(sandbox, credentials) == before


def test_in_check_mode_nobody_travels(run_playbook: Play, tmp_path: Path) -> None:
    given = {"report_dir": str(tmp_path), "profile": "post_deploy", "health_only": ["backend.journey", "backend.up"], "health_connect_timeout": 20}
    done = run_playbook("health", "--check", extra_vars=given)
    assert done.returncode == 0, done.stdout[-3000:]
    report = next(tmp_path.glob("health/*-check.json"))
    found = json.loads(report.read_text(encoding="utf-8"))["items"]
    assert {(item["id"], item["verdict"]) for item in found} == {("backend.journey", "skipped"), ("backend.up", "ok")}
    assert all("may only read" in item["message"] for item in found if item["id"] == "backend.journey")
