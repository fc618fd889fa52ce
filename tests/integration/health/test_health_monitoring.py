# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""health_monitoring: silent while all is well, on the sandbox and on a Prometheus of our own; for each fault exactly the findings written down before."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from health_cluster import look, told, verdicts
from monitoring_clinic import FAULTS, Clinic, Found

REGIONS = ("us-east-1", "us-west-2")


@pytest.fixture
def clinic(sandbox: dict[str, Any], tmp_path: Path) -> Iterator[Clinic]:
    made = Clinic(Path(sandbox["data"]), tmp_path)
    try:
        made.well()
        yield made
    finally:
        made.end()


def found(run: dict[str, Any]) -> Found:
    """Check, what follows the place in the subject, and verdict; ports and ids of silences, which nobody knows before, left out."""
    names = set()
    for (check, subject), verdict in verdicts(run).items():
        name = subject.partition("/monitoring")[2].lstrip("/").partition(":")[0]
        names.add((check, "*" if check == "silences" and name else name, verdict))
    return names


def test_nothing_is_found_where_nothing_is_wrong(clinic: Clinic) -> None:
    for _time in range(3):
        run = clinic.look()
        assert verdicts(run) == {}, told(run)
        assert {done["outcome"] for done in run["checks"]} == {"executed"}
    assert run["seconds"] < 3


@pytest.mark.parametrize("region", REGIONS)
def test_the_sandbox_is_watched_as_its_inventory_declares(region: str, sandbox: dict[str, Any]) -> None:
    parts = sandbox["regions"][region]
    options = {
        "jobs": ["prometheus", "alertmanager", "node_exporter", "postgres_exporter", "redis_exporter", "backend", "worker"],
        "metrics": ["pg_up", "redis_up", "node_load1", "leanvibe_http_requests_total", "leanvibe_worker_last_done_timestamp_seconds"],
        "timestamps": {"node_time_seconds": 60},
    }
    connection = {"prometheus_url": parts["prometheus"]["url"], "alertmanager_url": parts["alertmanager"]["url"]}
    run = look("monitoring", region=region, connection=connection, options=options)
    # What other tests did to the platform may still alert.
    assert {check for check, _subject in verdicts(run)} <= {"alerts"}, told(run)
    assert {done["outcome"] for done in run["checks"]} == {"executed"}


@pytest.mark.faults(sample=4)
@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_found_and_nothing_else(clinic: Clinic, name: str, catalogue: Any) -> None:
    do, may = FAULTS[name]
    do(clinic)
    began = time.monotonic()
    run = clinic.look()
    assert time.monotonic() - began < 10
    catalogue.judge(f"monitoring: {name}", may, found(run), told(run))


def test_alerts_are_told_with_their_tenants_and_with_how_long_they_were_there(clinic: Clinic) -> None:
    FAULTS["alert fires"][0](clinic)
    run = clinic.look(only=["monitoring.alerts"])
    (loud, day) = run["items"]
    assert (loud["subject"], loud["tenants"], loud["observed"]) == ("us-east-1/monitoring/Loud", ["acme"], 1)
    assert (day["verdict"], day["observed"]) == ("ok", 1)
    assert day["message"] == "within 24 h fired Loud (0 min); pending only were none"


def test_what_is_not_declared_is_skipped_and_too_few_peers_are_told(clinic: Clinic) -> None:
    run = clinic.look(options={})
    assert found(run) == {("metrics", "", "skipped"), ("stale_data", "", "skipped")}
    run = clinic.look(options={"peers": 2, "watchdog": ""}, only=["monitoring.alertmanager_cluster", "monitoring.watchdog", "monitoring.delivery"])
    assert found(run) == {("alertmanager_cluster", "", "degraded"), ("watchdog", "", "skipped"), ("delivery", "", "skipped")}
