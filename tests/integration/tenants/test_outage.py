# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One system does not answer: the others' work is done and recorded, the run says partial, and the next one completes it."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from readers import EAST, WEST, Platform, declare

PREFIX = "rpo-"
EVERYTHING = {(system, region) for system in ("kubernetes", "postgresql", "redis", "neo4j", "object_store") for region in (EAST, WEST)}
# Which component is paused where, and the findings that it may cause: (system, region) that cannot succeed for all tenants.
OUTAGES = {
    # Where a tenant's Secret lives: without it, nothing of that tenant that needs a credential can be done anywhere.
    "kubernetes": (WEST, EVERYTHING),
    "redis": (EAST, {("redis", EAST), ("kubernetes", EAST), ("kubernetes", WEST)}),
    "object_store": (WEST, {("object_store", WEST), ("kubernetes", EAST), ("kubernetes", WEST)}),
    "neo4j": (WEST, {("neo4j", WEST), ("kubernetes", EAST), ("kubernetes", WEST)}),
}


@pytest.fixture
def prefix(sandbox: dict[str, Any], credentials: dict[str, Any], sandbox_dir: Path, request: pytest.FixtureRequest) -> Iterator[tuple[Platform, str]]:
    platform = Platform(sandbox, credentials, sandbox_dir)
    name = f"{PREFIX}{request.node.callspec.params['component'].replace('_', '')}-"
    platform.remove(name)
    yield platform, name
    platform.remove(name)


@pytest.fixture
def paused(run_playbook: Callable[..., subprocess.CompletedProcess[str]], request: pytest.FixtureRequest) -> Iterator[Callable[[], None]]:
    component = request.node.callspec.params["component"]
    region = OUTAGES[component][0]

    def fault(what: str) -> subprocess.CompletedProcess[str]:
        return run_playbook("sandbox_fault", extra_vars={"component": component, "region": region, "fault": what}, timeout=120)

    done = fault("pause")
    assert done.returncode == 0, done.stdout[-3000:]

    def resume() -> None:
        resumed = fault("resume")
        assert resumed.returncode == 0, resumed.stdout[-3000:]

    yield resume
    fault("resume")


@pytest.mark.faults(sample=1)
@pytest.mark.parametrize("component", sorted(OUTAGES))
def test_the_others_go_on_and_the_next_run_completes(
    component: str,
    prefix: tuple[Platform, str],
    paused: Callable[[], None],
    run_playbook: Callable[..., subprocess.CompletedProcess[str]],
    tmp_path: Path,
) -> None:
    platform, name = prefix
    tenants = declare(name, 4)
    extra = {"tenants": tenants, "report_dir": str(tmp_path), "tenants_timeout": 3}
    done = run_playbook("tenants", extra_vars=extra, timeout=600)
    report = json.loads((tmp_path / "tenants" / "latest.json").read_text(encoding="utf-8"))
    assert (done.returncode != 0, report["verdict"]) == (True, "partial"), done.stdout[-4000:]
    bad = {tuple(reversed(item["subject"].split("/")[:2])) for item in report["items"] if item["verdict"] not in ("succeeded", "skipped")}
    region, may = OUTAGES[component]
    assert (component, region) in bad
    assert bad <= may
    rows = platform.rows("SELECT system, region, count(*) FROM tenant_systems WHERE tenant LIKE %s AND verdict = 'succeeded' GROUP BY 1, 2", f"{name}%")
    recorded = {(system, where): number for system, where, number in rows}
    at_work = [tenant for tenant in tenants if component != "kubernetes" or tenant["region"] == EAST]
    assert recorded[("postgresql", EAST)] == len(at_work)
    reached = {item["tenants"][0] for item in report["items"] if item["subject"].startswith(f"{EAST}/postgresql/") and item["verdict"] == "succeeded"}
    assert reached == {tenant["id"] for tenant in at_work}
    assert (component, region) not in recorded

    look = run_playbook("tenant_status", extra_vars=extra, timeout=600)
    status = json.loads((tmp_path / "tenant_status" / "latest.json").read_text(encoding="utf-8"))
    assert (look.returncode != 0, status["verdict"]) == (True, "unknown")
    unknown = {tuple(reversed(item["subject"].split("/")[:2])) for item in status["items"] if item["verdict"] == "unknown"}
    assert (component, region) in unknown

    paused()
    done = run_playbook("tenants", extra_vars=extra, timeout=600)
    report = json.loads((tmp_path / "tenants" / "latest.json").read_text(encoding="utf-8"))
    assert (done.returncode, report["verdict"]) == (0, "succeeded"), done.stdout[-4000:]
    assert [what for tenant in tenants for what in platform.credentials_work(tenant["id"], tenant["region"])] == []
