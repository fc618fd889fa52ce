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
import urllib3
import yaml
from backend_faults import killed, process_of
from health_cluster import look, told, verdicts
from module_runs import eventually
from monitoring_clinic import FAULTS, OF_ALERTMANAGER, OF_PROMETHEUS, Clinic, Door, Found, silent
from receivers import certificate

CHECKOUT = Path(__file__).resolve().parents[3]

REGIONS = ("us-east-1", "us-west-2")


@pytest.fixture
def clinic(sandbox: dict[str, Any], tmp_path: Path) -> Iterator[Clinic]:
    made = Clinic(Path(sandbox["data"]), tmp_path)
    try:
        made.well()
        yield made
    finally:
        made.end()


WITHOUT_TLS = {("prometheus_certificate", "", "skipped"), ("alertmanager_certificate", "", "skipped")}


def found(run: dict[str, Any]) -> Found:
    """Check, what follows the place in the subject, and verdict; ports and ids of silences, which nobody knows before, left out."""
    names = set()
    for (check, subject), verdict in verdicts(run).items():
        name = subject.partition("/monitoring")[2].lstrip("/").partition(":")[0]
        names.add((check, "*" if check == "silences" and name else name, verdict))
    return names - WITHOUT_TLS


def test_nothing_is_found_where_nothing_is_wrong(clinic: Clinic) -> None:
    for _time in range(3):
        run = clinic.look()
        assert found(run) == set(), told(run)
        assert {done["id"] for done in run["checks"] if done["outcome"] != "executed"} == {f"monitoring.{name}" for name, _of, _verdict in WITHOUT_TLS}
    assert run["seconds"] < 3


def watched(sandbox: dict[str, Any], region: str) -> dict[str, Any]:
    """The sandbox's monitoring of a region, looked at as its inventory declares."""
    parts = sandbox["regions"][region]
    declared = yaml.safe_load((CHECKOUT / "inventories/sandbox/group_vars/monitoring.yml").read_text(encoding="utf-8"))["health_options"]
    connection = {"prometheus_url": parts["prometheus"]["url"], "alertmanager_url": parts["alertmanager"]["url"]}
    return look("monitoring", region=region, connection=connection, options=declared)


def of_the_sandbox(run: dict[str, Any]) -> Found:
    """What is found, but for what alerts: what other tests did to the platform may still."""
    return {one for one in found(run) if one[0] != "alerts" or not one[1]}


@pytest.mark.parametrize("region", REGIONS)
def test_the_sandbox_is_watched_as_its_inventory_declares(region: str, sandbox: dict[str, Any]) -> None:
    run = watched(sandbox, region)
    assert of_the_sandbox(run) == set(), told(run)
    assert {done["id"] for done in run["checks"] if done["outcome"] != "executed"} == {f"monitoring.{name}" for name, _of, _verdict in WITHOUT_TLS}


NODE = {("metrics", name, "degraded") for name in ("node_cpu_seconds_total", "node_filesystem_avail_bytes", "node_memory_MemAvailable_bytes")}
OF_THE_SANDBOX = {
    "node_exporter": NODE | {("targets", "node_exporter", "critical"), ("stale_data", "node_time_seconds", "unknown")},
    "prometheus": silent(OF_PROMETHEUS),
}


@pytest.mark.faults(sample=1)
@pytest.mark.parametrize("component", OF_THE_SANDBOX)
def test_a_process_of_the_sandbox_that_died_is_found(component: str, sandbox: dict[str, Any]) -> None:
    region = REGIONS[1]
    prometheus = sandbox["regions"][region]["prometheus"]["url"]
    targets = {"query": f'up{{job="{component}"}} == 0'}

    def told_so() -> bool:
        return bool(urllib3.request("GET", f"{prometheus}/api/v1/query", fields=targets, timeout=5).json()["data"]["result"])

    process = process_of(str(sandbox["data"]), f"/{region}/{component}/")
    with killed(str(sandbox["data"]), f"{component}-{region}", process):
        if component != "prometheus":
            eventually(told_so, f"up == 0 of {component}")
        run = watched(sandbox, region)
    assert of_the_sandbox(run) == OF_THE_SANDBOX[component], told(run)
    eventually(lambda: not of_the_sandbox(watched(sandbox, region)), "a monitoring that is well again")


@pytest.mark.faults(sample=1)
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


def closed(sandbox: dict[str, Any], folder: Path, **how: float) -> Clinic:
    """Both servers behind TLS and a password."""
    return Clinic(Path(sandbox["data"]), folder, Door(*certificate(folder, **how)))


def test_servers_that_speak_tls_and_ask_for_a_password_are_looked_at_as_others(sandbox: dict[str, Any], tmp_path: Path) -> None:
    clinic = closed(sandbox, tmp_path)
    try:
        clinic.well()
        run = clinic.look()
        assert found(run) == set(), told(run)
        assert {done["outcome"] for done in run["checks"]} == {"executed"}
        shown = [item for item in run["items"] if item["id"].endswith("_certificate")]
        assert [(item["verdict"], item["unit"], "CN=localhost" in item["message"]) for item in shown] == [("ok", "% of its life", True)] * 2
        # Who may not in is told which right is missing, and still how long the certificates last.
        for given in ({"password": "another"}, {"username": None, "password": None}, {"username": None, "password": None, "token": "another"}):
            run = clinic.look(connection=given)
            assert found(run) == silent({*OF_PROMETHEUS, *OF_ALERTMANAGER} - {"prometheus_certificate", "alertmanager_certificate"})
            unknown = [item["message"] for item in run["items"] if item["verdict"] == "unknown"]
            assert all("a right is missing" in message and "leanvibe_ops_monitoring" in message for message in unknown), unknown
            assert "another" not in told(run)
    finally:
        clinic.end()


def test_a_certificate_that_is_not_accepted_is_what_is_told_and_nothing_is_sent(sandbox: dict[str, Any], tmp_path: Path) -> None:
    clinic = closed(sandbox, tmp_path, hours=-0.5)
    try:
        for program in (clinic.prometheus, clinic.alertmanager):
            eventually(program.answers, program.url)
        run = clinic.look()
        critical = {("prometheus_certificate", "", "critical"), ("alertmanager_certificate", "", "critical")}
        rest = {*OF_PROMETHEUS, *OF_ALERTMANAGER} - {name for name, _of, _verdict in critical}
        assert found(run) == critical | silent(rest), told(run)
        assert {"expired" in item["message"] for item in run["items"]} == {True}
    finally:
        clinic.end()
