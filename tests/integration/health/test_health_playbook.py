# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""playbooks/health.yml as operators run it: no false alarm, the whole of the rest where one system is silent, and no secret anywhere."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
import urllib3
from ansible_collections.leanvibe.ops.plugins.module_utils.health.catalogue import everything
from ansible_collections.leanvibe.ops.plugins.module_utils.health.model import Comparison
from platform_looks import BAD, MADE_BY_TESTS

pytestmark = pytest.mark.sandbox
Play = Callable[..., subprocess.CompletedProcess[str]]
SYSTEMS = {"control", "kubernetes", "postgresql", "pgbouncer", "redis", "neo4j", "object_store", "backend", "external", "monitoring", "aws"}


@pytest.fixture
def calm(sandbox: dict[str, Any]) -> None:
    """No alert fires any more of what other tests broke: they last a little longer than the fault."""
    firing = {"query": 'ALERTS{alertstate="firing",alertname!="Watchdog"}'}
    ends = time.monotonic() + 240
    for region in sandbox["regions"].values():
        while True:
            alerts = urllib3.request("GET", f"{region['prometheus']['url']}/api/v1/query", fields=firing, timeout=10.0).json()["data"]["result"]
            if not alerts:
                break
            assert time.monotonic() < ends, alerts
            time.sleep(2)


def report(folder: Path) -> dict[str, Any]:
    return dict(json.loads((folder / "health" / "latest.json").read_text(encoding="utf-8")))


def wrong(found: dict[str, Any]) -> list[str]:
    """Findings that somebody has to act on. Tenants of other tests, and what they did to the servers, are no false alarm."""
    bad = [item for item in found["items"] if item["verdict"] in BAD and item["id"] not in MADE_BY_TESTS]
    return [f"{item['id']} {item['subject']} {item['verdict']}: {item['message']}" for item in bad]


def secrets_of(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for item in value.values():
            yield from secrets_of(item)
    elif isinstance(value, list):
        for item in value:
            yield from secrets_of(item)
    elif isinstance(value, str) and len(value) >= 12:
        yield value


@pytest.mark.usefixtures("provisioned", "calm")
def test_a_healthy_platform_is_called_that_and_nothing_tells_a_secret(run_playbook: Play, credentials: dict[str, Any], tmp_path: Path) -> None:
    files = {"health_prometheus_file": str(tmp_path / "health.prom"), "health_junit_file": str(tmp_path / "health.xml")}
    done = run_playbook("health", extra_vars={"report_dir": str(tmp_path), "health_connect_timeout": 20, **files})
    found = report(tmp_path)
    assert wrong(found) == []
    assert done.returncode == 0, done.stdout[-3000:]
    assert {item["id"].split(".")[0] for item in found["items"]} >= SYSTEMS
    assert found["counts"]["ok"] > 150
    written = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert {path.suffix for path in written} >= {".json", ".html", ".prom", ".xml"}
    everything = done.stdout + done.stderr + "".join(path.read_text(encoding="utf-8") for path in written)
    hidden = set(secrets_of(credentials))
    assert len(hidden) > 10
    assert [len(secret) for secret in hidden if secret in everything] == []


@pytest.mark.usefixtures("provisioned", "calm")
@pytest.mark.faults(sample=1)
@pytest.mark.parametrize("traffic", [False, True], ids=["without traffic", "with traffic"])
def test_a_healthy_platform_is_healthy_every_morning(run_playbook: Play, tmp_path: Path, request: pytest.FixtureRequest, traffic: bool) -> None:
    """Twenty runs in a row with the whole catalogue, else three; each knows the one before."""
    assert run_playbook("sandbox_up", extra_vars={"sandbox_traffic": traffic}).returncode == 0
    try:
        for number in range(20 if request.config.getoption("--all-faults") else 3):
            done = run_playbook("health", extra_vars={"report_dir": str(tmp_path), "health_connect_timeout": 20})
            found = report(tmp_path)
            assert (number, wrong(found), done.returncode) == (number, [], 0)
            assert found["health"]["checks"]["could_not_run"] == 0
    finally:
        assert run_playbook("sandbox_up", extra_vars={"sandbox_traffic": False}).returncode == 0


@pytest.mark.usefixtures("provisioned")
def test_a_silent_system_is_unknown_and_the_rest_is_complete(run_playbook: Play, tmp_path: Path) -> None:
    where = {"component": "redis", "region": "us-west-2"}
    assert run_playbook("sandbox_fault", extra_vars={**where, "fault": "pause"}).returncode == 0
    try:
        done = run_playbook("health", extra_vars={"report_dir": str(tmp_path)})
    finally:
        assert run_playbook("sandbox_fault", extra_vars={**where, "fault": "resume"}).returncode == 0
    found = report(tmp_path)
    assert done.returncode != 0
    silent = [item for item in found["items"] if item["subject"].startswith("us-west-2/redis")]
    assert {item["verdict"] for item in silent} == {"unknown"}
    assert len(silent) > 10
    # The primary notices that its replica is gone, comparisons lack a side, and nobody else is touched.
    others = {item["id"].split(".")[0] for item in found["items"] if item["verdict"] in ("critical", "unknown") and not item["subject"].startswith("us-west-2")}
    assert others <= {"redis"}
    assert len({item["id"] for item in found["items"] if item["verdict"] == "ok"}) > 80


@pytest.mark.usefixtures("provisioned")
def test_a_check_run_leaves_the_last_report_alone_and_a_typing_error_is_named(run_playbook: Play, tmp_path: Path) -> None:
    only = {"report_dir": str(tmp_path), "health_only": ["postgresql.connections"], "health_connect_timeout": 20}
    assert run_playbook("health", "--check", extra_vars=only).returncode == 0
    assert not (tmp_path / "health" / "latest.json").exists()
    assert not list(tmp_path.glob("health/history/*"))
    refused = run_playbook("health", extra_vars={**only, "health_only": ["postgresql.conections"]})
    assert refused.returncode != 0
    assert "postgresql.connections" in refused.stdout
    assert not (tmp_path / "health" / "latest.json").exists()


@pytest.mark.usefixtures("provisioned")
def test_a_run_that_is_only_about_comparisons_knows_what_they_need_and_the_registry_keeps_it(
    run_playbook: Play, sandbox: dict[str, Any], credentials: dict[str, Any], tmp_path: Path
) -> None:
    across = [about.id for about in everything() if isinstance(about, Comparison)]
    given = {"report_dir": str(tmp_path), "health_only": across, "health_history": "registry", "health_connect_timeout": 20}
    done = run_playbook("health", extra_vars=given)
    found = report(tmp_path)
    assert wrong(found) == []
    assert done.returncode == 0, done.stdout[-3000:]
    assert {item["id"] for item in found["items"]} >= set(across)
    assert not (tmp_path / "health/history").exists()
    address = sandbox["regions"]["us-east-1"]["postgresql"]
    registry = psycopg.connect(
        host=address["host"], port=address["port"], dbname="leanvibe_ops", user="leanvibe_registry", sslmode="verify-full", sslrootcert=sandbox["ca_file"],
        password=credentials["postgresql"]["leanvibe_registry"],
    )  # fmt: skip
    with registry:
        kept = registry.execute("SELECT document FROM health_runs WHERE run_id = %s", (found["run_id"],)).fetchall()
    assert [json.loads(document)["environment"] for (document,) in kept] == ["sandbox"]


def test_what_the_run_is_limited_away_from_is_unknown(run_playbook: Play, tmp_path: Path) -> None:
    done = run_playbook("health", "--limit", "control:redis", extra_vars={"report_dir": str(tmp_path), "health_connect_timeout": 20})
    found = report(tmp_path)
    assert done.returncode != 0
    assert found["verdict"] in ("critical", "unknown")
    missing = {item["subject"] for item in found["items"] if item["id"] == "health.endpoint" and item["verdict"] == "unknown"}
    assert {"us-east-1/postgresql", "us-west-2/kubernetes"} <= missing
