# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the checks of a cluster stand on: schedules, names of workloads, the link over HTTP, the comparison of regions, the module."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.leanvibe.ops.plugins.module_utils.health import catalogue
from ansible_collections.leanvibe.ops.plugins.module_utils.health.comparisons import compare
from ansible_collections.leanvibe.ops.plugins.module_utils.health.results import Run
from ansible_collections.leanvibe.ops.plugins.module_utils.health.systems.kubernetes import CHECKS, COMPARISONS
from ansible_collections.leanvibe.ops.plugins.module_utils.health.systems.kubernetes.cron import Schedule
from ansible_collections.leanvibe.ops.plugins.module_utils.health.systems.kubernetes.link import run
from ansible_collections.leanvibe.ops.plugins.module_utils.health.systems.kubernetes.pods import workload_of
from ansible_collections.leanvibe.ops.plugins.modules import health_kubernetes

ROOT = Path(__file__).resolve().parents[7]


@pytest.mark.parametrize(
    ("schedule", "zone", "after", "due"),
    [
        ("0 3 * * *", None, "2026-11-21T02:59:59", "2026-11-21T03:00"),
        ("0 3 * * *", None, "2026-11-21T03:00:00", "2026-11-22T03:00"),
        ("*/15 * * * *", None, "2026-11-21T10:16:00", "2026-11-21T10:30"),
        ("5/20 * * * *", None, "2026-11-21T10:26:00", "2026-11-21T10:45"),
        ("0 9-17/4 * * mon-fri", None, "2026-11-20T17:00:00", "2026-11-23T09:00"),
        ("0 0 1,15 * 7", None, "2026-11-21T00:00:00", "2026-11-22T00:00"),
        ("0 0 13 * fri", None, "2026-11-21T00:00:00", "2026-11-27T00:00"),
        ("30 4 29 feb *", None, "2026-11-21T00:00:00", "2028-02-29T04:30"),
        ("@hourly", None, "2026-11-21T23:30:00", "2026-11-22T00:00"),
        ("@weekly", None, "2026-11-21T00:00:00", "2026-11-22T00:00"),
        ("0 2 * * *", "Europe/Berlin", "2026-11-21T00:30:00", "2026-11-21T01:00"),
        ("0 2 * * *", "America/New_York", "2026-11-21T06:30:00", "2026-11-21T07:00"),
        ("0 0 31 2 *", None, "2026-11-21T00:00:00", None),
    ],
)
def test_when_a_schedule_is_due(schedule: str, zone: str | None, after: str, due: str | None) -> None:
    found = Schedule.parse(schedule, zone).after(datetime.fromisoformat(after).replace(tzinfo=UTC))
    assert (found.strftime("%Y-%m-%dT%H:%M") if found else None) == due


@pytest.mark.parametrize("schedule", ["", "* * * *", "60 * * * *", "* * * * * *", "*/0 * * * *", "5-1 * * * *", "x * * * *", "@sometimes"])
def test_a_schedule_that_is_none(schedule: str) -> None:
    with pytest.raises(ValueError):
        Schedule.parse(schedule)


@pytest.mark.parametrize(
    ("owner", "workload"),
    [
        (("ReplicaSet", "web-5d8f"), "Deployment/web"),
        (("ReplicaSet", "by-hand"), "ReplicaSet/by-hand"),
        (("StatefulSet", "store"), "StatefulSet/store"),
        (("Job", "nightly-29384710"), "Job/nightly"),
        (("Job", "migrate-7"), "Job/migrate-7"),
        (("Node", "n1"), "Pod/p"),
        (None, "Pod/p"),
    ],
)
def test_findings_name_what_stays_the_same(owner: tuple[str, str] | None, workload: str) -> None:
    owners = [{"kind": owner[0], "name": owner[1], "controller": True}] if owner else []
    assert workload_of({"name": "p", "labels": {"pod-template-hash": "5d8f"}, "ownerReferences": owners}) == workload


@pytest.mark.parametrize(
    ("east", "west", "expected"),
    [
        ((1, 36), (1, 36), {"control/kubernetes": "ok"}),
        ((1, 36), (1, 35), {"us-west-2/kubernetes": "ok"}),
        ((1, 34), (1, 36), {"us-east-1/kubernetes": "degraded"}),
    ],
)
def test_regions_should_run_the_same_release(east: tuple[int, int], west: tuple[int, int], expected: dict[str, str]) -> None:
    runs = []
    for region, (major, minor) in (("us-east-1", east), ("us-west-2", west)):
        runs.append(Run("kubernetes", region, facts={"version": {"major": major, "minor": minor, "release": f"v{major}.{minor}.0"}}))
    items, _done = compare(COMPARISONS, runs, {"kubernetes": ["us-east-1", "us-west-2"]})
    assert {one["subject"]: one["verdict"] for one in items} == expected


class Handler(http.server.BaseHTTPRequestHandler):
    """An API server that knows its version, and answers everything else as the test says."""

    answer: tuple[int, str] = (200, "")
    asked: list[str]

    def do_GET(self) -> None:
        self.asked.append(self.path)
        version = json.dumps({"major": "1", "minor": "36+", "gitVersion": "v1.36.3"})
        status, text = (200, version) if self.path == "/version" else self.answer
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_unused: Any) -> None:
        return


@pytest.fixture
def server() -> Iterator[http.server.ThreadingHTTPServer]:
    Handler.asked = []
    made = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=made.serve_forever, daemon=True).start()
    yield made
    made.shutdown()
    made.server_close()


@pytest.fixture
def params(server: http.server.ThreadingHTTPServer, tmp_path: Path) -> dict[str, Any]:
    path = tmp_path / "kubeconfig"
    config = {
        "current-context": "c",
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
        "clusters": [{"name": "c", "cluster": {"server": f"http://127.0.0.1:{server.server_address[1]}"}}],
        "users": [{"name": "u", "user": {"token": "plain"}}],
    }
    path.write_text(yaml.safe_dump(config), encoding="utf-8")
    usual = {"profile": "daily", "only": [], "without": [], "writes": True, "thresholds": {}, "options": {}, "tenants": [], "absent": None}
    return {**usual, "region": "us-east-1", "connect_timeout": 2.0, "budget": 20.0, "connection": {"kubeconfig": str(path), "context": None}}


def outcomes(made: dict[str, Any]) -> set[str]:
    return {done["outcome"] for done in made["checks"]}


def test_html_in_the_place_of_objects_is_no_data(params: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Handler, "answer", (200, "<html>please log in</html>"))
    made = run({**params, "only": ["kubernetes.nodes_ready", "kubernetes.quotas"]})
    assert {one["verdict"] for one in made["items"]} == {"unknown"}
    assert all("not JSON" in one["message"] and "the check itself failed" not in one["message"] for one in made["items"])


def test_who_is_not_known_is_told_so_for_every_check(params: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Handler, "answer", (401, json.dumps({"kind": "Status", "message": "Unauthorized"})))
    made = run({**params, "without": ["kubernetes.certificate_client", "kubernetes.certificate_serving", "kubernetes.clock"]})  # its version is for all
    judged = [one for one in made["items"] if one["verdict"] != "skipped"]
    assert {one["verdict"] for one in judged} == {"unknown"}
    assert all("does not know the credentials" in one["message"] for one in judged)


def test_a_store_that_is_gone_costs_its_time_out_once(params: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Handler, "answer", (500, "[+]ping ok\n[-]etcd failed: reason withheld\n"))
    made = run(params)
    verdicts = {one["id"]: one["verdict"] for one in made["items"]}
    assert verdicts.pop("kubernetes.api_ready") == "critical"
    assert set(verdicts.values()) == {"unknown"}
    assert set(verdicts) == {check.id for check in CHECKS} - {"kubernetes.api_ready"}
    assert made["seconds"] < 9
    assert len({path.split("?")[0] for path in Handler.asked}) <= 4


def test_a_closed_port_is_unknown_at_once(params: dict[str, Any], server: http.server.ThreadingHTTPServer) -> None:
    server.shutdown()
    server.server_close()
    made = run(params)
    assert {one["verdict"] for one in made["items"]} == {"unknown"}
    assert outcomes(made) == {"could_not_run"}
    assert made["seconds"] < 3


def test_the_module_offers_what_it_documents() -> None:
    options = yaml.safe_load(health_kubernetes.DOCUMENTATION)
    assert options["module"] == "health_kubernetes"
    assert set(yaml.safe_load(health_kubernetes.RETURN)["run"]["contains"]) == set(Run("kubernetes", "us-east-1").to_mapping())


def test_every_check_is_in_the_catalogue_and_in_the_runbook() -> None:
    known = {about.id for about in catalogue.everything()}
    text = (ROOT / "docs/runbooks/kubernetes.md").read_text(encoding="utf-8")
    for about in (*CHECKS, *COMPARISONS):
        assert about.id in known
        path, _hash, anchor = about.runbook.partition("#")
        assert path == "runbooks/kubernetes.md"
        assert f"\n## {anchor}\n" in text, f"the runbook says nothing about {anchor}"
    from ansible_collections.leanvibe.ops.plugins.module_utils.health.systems.kubernetes import rights

    shown = [yaml.safe_load(block.partition("```")[0]) for block in text.split("```yaml\n")[1:]]
    assert rights.reader()["rules"] in [block["rules"] for block in shown if block["kind"] == "ClusterRole"]
    assert rights.secrets_reader()["rules"] in [block["rules"] for block in shown if block["kind"] == "ClusterRole"]
