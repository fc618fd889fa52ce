# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every check of the monitoring: nothing wrong on a healthy one, exactly what is broken on a broken one, unknown for what was not measured."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import yaml
from ansible_collections.leanvibe.ops.plugins.module_utils.clients.web import Answer
from ansible_collections.leanvibe.ops.plugins.module_utils.common.errors import Unreachable
from ansible_collections.leanvibe.ops.plugins.module_utils.health.runner import Link, run_checks
from ansible_collections.leanvibe.ops.plugins.module_utils.health.systems.monitoring import CHECKS, OF_ALERTMANAGER, OF_PROMETHEUS
from ansible_collections.leanvibe.ops.plugins.module_utils.health.systems.monitoring.link import run
from ansible_collections.leanvibe.ops.plugins.module_utils.health.systems.monitoring.server import Server
from ansible_collections.leanvibe.ops.plugins.modules import health_monitoring

ROOT = Path(__file__).resolve().parents[7]
NOW = datetime(2026, 11, 21, 6, 0, 0, tzinfo=UTC)
OPTIONS = {"jobs": ["app"], "metrics": ["app_up"], "timestamps": {"app_time_seconds": 60}}
JSON = {"content-type": "application/json"}
RUNTIME = {"reloadConfigSuccess": True, "lastConfigTime": "t", "corruptionCount": 0, "startTime": "2026-11-01T00:00:00Z", "storageRetention": "2d or 1KB"}
FIGURES = {
    "prometheus_tsdb_storage_blocks_bytes": 100.0,
    "prometheus_tsdb_retention_limit_bytes": 1000.0,
    "prometheus_tsdb_head_series": 900.0,
    "alertmanager_config_last_reload_successful": 1.0,
}
Found = set[tuple[str, str, str]]


@pytest.fixture(autouse=True)
def _now(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is NOW, also for us."""
    monkeypatch.setattr(time, "time", lambda: NOW.timestamp() + 0.5)


def ago(seconds: float) -> str:
    return (NOW - timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%S.123456789Z")


def target(job: str = "app", **change: Any) -> dict[str, Any]:
    labels = {"job": job, "instance": f"{job}:80"}
    return {"labels": labels, "health": "up", "lastError": "", "lastScrape": ago(5), "scrapeInterval": "15s", **change}


def rule(name: str = "Watchdog", **change: Any) -> dict[str, Any]:
    return {"name": name, "type": "alerting", "health": "ok", **change}


def alert(name: str = "Watchdog", **labels: str) -> dict[str, str]:
    return {"alertname": name, "alertstate": "firing", **labels}


def silence(*matchers: tuple[str, str, bool, bool], hours: float = 10, by: str = "bob", state: str = "active") -> dict[str, Any]:
    told = [{"name": name, "value": value, "isRegex": regex, "isEqual": equal} for name, value, regex, equal in matchers]
    ends = ago(-3600 * hours)
    return {"id": "s1", "status": {"state": state}, "matchers": told, "createdBy": by, "comment": "why", "endsAt": ends}


@dataclass
class Monitoring:
    """Both servers in memory, healthy unless told otherwise. ``instead``: path -> an answer in place of the usual one, or an error."""

    runtime: dict[str, Any] = field(default_factory=lambda: {**RUNTIME})
    targets: list[dict[str, Any]] = field(default_factory=lambda: [target(), target("db")])
    groups: list[dict[str, Any]] = field(default_factory=lambda: [{"name": "g", "interval": 15, "lastEvaluation": ago(4), "rules": [rule()]}])
    alerts: list[dict[str, str]] = field(default_factory=lambda: [alert()])
    day: dict[tuple[str, str], float] = field(default_factory=lambda: {("Watchdog", "firing"): 5760.0})
    present: list[str] = field(default_factory=lambda: ["app_up"])
    ages: list[float] = field(default_factory=lambda: [3.0])
    reported: list[float] = field(default_factory=lambda: [0.0])
    failing: dict[str, float] = field(default_factory=dict)
    lost: list[float] = field(default_factory=lambda: [0.0])
    figures: dict[str, float] = field(default_factory=lambda: {**FIGURES})
    cluster: dict[str, Any] = field(default_factory=lambda: {"status": "ready", "peers": [{}, {}]})
    arrived: list[dict[str, Any]] = field(default_factory=lambda: [{"labels": {"alertname": "Watchdog"}, "updatedAt": ago(40), "status": {"silencedBy": []}}])
    silences: list[dict[str, Any]] = field(default_factory=list)
    instead: dict[str, Any] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    base: str = "http://monitoring"
    tls: tuple[str, int] | None = None

    def _vector(self, query: str) -> list[tuple[dict[str, str], float]]:
        if "count_over_time" in query:
            return [({"alertname": name, "alertstate": state}, count) for (name, state), count in self.day.items()]
        if query.startswith("ALERTS"):
            return [(labels, 1.0) for labels in self.alerts if "{" not in query or f'"{labels["alertname"]}"' in query]
        if query.startswith("count by"):
            return [({"__name__": name}, 1.0) for name in self.present if name in query]
        if query.startswith("abs(time()"):
            return [({"job": "app", "instance": "app:80"}, age) for age in self.ages]
        if "_last_scrape_error" in query:
            return [({"__name__": "app_exporter_last_scrape_error", "job": "app", "instance": "app:80"}, value) for value in self.reported]
        if query.startswith("label_replace(increase("):
            return [({"what": name}, self.failing.get(name, 0.0)) for name in ("wal_writes_failed", "compactions_failed")] if self.lost else []
        assert query.startswith("sum(increase("), query
        return [({}, value) for value in self.lost]

    def _body(self, path: str) -> Any:
        parts = urlsplit(path)
        if parts.path == "/api/v1/query":
            (query,) = parse_qs(parts.query)["query"]
            if query == "time()":
                return {"status": "success", "data": {"resultType": "scalar", "result": [NOW.timestamp(), str(NOW.timestamp())]}}
            result = [{"metric": labels, "value": [0, str(value)]} for labels, value in self._vector(query)]
            return {"status": "success", "data": {"resultType": "vector", "result": result}}
        data = {
            "/api/v1/status/runtimeinfo": self.runtime,
            "/api/v1/targets": {"activeTargets": self.targets},
            "/api/v1/rules": {"groups": self.groups},
        }
        if parts.path in data:
            return {"status": "success", "data": data[parts.path]}
        return {"/api/v2/status": {"cluster": self.cluster}, "/api/v2/alerts": self.arrived, "/api/v2/silences": self.silences}[parts.path]

    def request(self, _method: str, path: str, body: object = None, token: str = "", login: tuple[str, str] | None = None) -> Answer:
        assert body is None
        assert (token, login) == ("geheim", None)
        self.asked.append(path)
        given = next((answer for start, answer in self.instead.items() if path.startswith(start)), None)
        if isinstance(given, Exception):
            raise given
        if given is not None:
            return Answer(f"GET {self.base}{path}", *given)
        date = {"date": format_datetime(NOW, usegmt=True)}
        if path == "/-/ready":
            return Answer(f"GET {self.base}{path}", 200, b"Ready.", {"content-type": "text/plain", **date}, 0.01)
        if path == "/metrics":
            text = "".join(f"{name} {value}\n" for name, value in self.figures.items())
            return Answer(f"GET {self.base}{path}", 200, text.encode(), {"content-type": "text/plain"})
        return Answer(f"GET {self.base}{path}", 200, json.dumps(self._body(path)).encode(), {**JSON, **date})


def look(monitoring: Monitoring, checks: Any = CHECKS, options: dict[str, Any] | None = None) -> list[dict[str, Any]]:
    link: Link[Server] = Link(connect=lambda _s: Server(monitoring, "geheim"), answers=lambda _c, _s: 1, close=lambda _c: None)  # type: ignore[arg-type]
    return run_checks(checks, link, system="monitoring", region="us-east-1", options=OPTIONS if options is None else options).items


def found(items: list[dict[str, Any]]) -> Found:
    """What is not ok: check, what follows the place in the subject, verdict."""
    return {
        (item["id"].partition(".")[2], item["subject"].partition("/monitoring")[2].lstrip("/"), item["verdict"]) for item in items if item["verdict"] != "ok"
    } - {(f"{name}_certificate", "", "skipped") for name in ("prometheus", "alertmanager")}


def test_nothing_is_wrong_where_nothing_is_and_every_check_says_something() -> None:
    monitoring = Monitoring()
    items = look(monitoring)
    assert found(items) == set()
    assert {item["id"] for item in items} == {check.id for check in CHECKS}
    assert len(monitoring.asked) == len(set(monitoring.asked)) == 19


def change(**fields: Any) -> Callable[[], Monitoring]:
    return lambda: Monitoring(**fields)


CLOCKS: dict[str, tuple[float, Found]] = {
    "right": (0.0, set()),
    "ahead": (-8.0, {("prometheus_clock", "", "degraded"), ("alertmanager_clock", "", "degraded")}),
    "behind": (40.0, {("prometheus_clock", "", "critical"), ("alertmanager_clock", "", "critical")}),
}


@pytest.mark.parametrize("name", CLOCKS)
def test_clocks_are_compared_with_ours(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    ours, expected = CLOCKS[name]
    monkeypatch.setattr(time, "time", lambda: NOW.timestamp() + 0.5 + ours)
    assert found(look(Monitoring())) == expected


EVERYTHING = silence(("alertname", ".+", True, True), ("severity", "nothing-like-it", False, False))
CASES: dict[str, tuple[Callable[[], Monitoring], Found]] = {
    "not ready": (
        change(instead={"/-/ready": (503, b"Service Unavailable")}),
        {("prometheus", "", "critical"), ("alertmanager", "", "critical")} | {("delivery", "", "unknown")},
    ),
    "slow": (
        change(instead={"/-/ready": (200, b"", {"date": format_datetime(NOW, usegmt=True)}, 2.0)}),
        {("prometheus", "", "degraded"), ("alertmanager", "", "degraded")},
    ),
    "reload failed": (change(runtime={**RUNTIME, "reloadConfigSuccess": False}), {("prometheus_config", "", "critical")}),
    "damaged": (change(runtime={**RUNTIME, "corruptionCount": 2}), {("storage", "corruption", "critical")}),
    "nearly full": (change(figures={**FIGURES, "prometheus_tsdb_storage_blocks_bytes": 900.0}), {("storage", "size", "degraded")}),
    "full as it is meant to be": (
        change(figures={**FIGURES, "prometheus_tsdb_storage_blocks_bytes": 1000.0}, runtime={**RUNTIME, "storageRetention": "1KB"}),
        set(),
    ),
    "without a size": (change(figures={**FIGURES, "prometheus_tsdb_retention_limit_bytes": 0.0}), set()),
    "cannot write": (change(failing={"wal_writes_failed": 1.2}), {("writes", "wal_writes_failed", "critical")}),
    "no targets": (change(targets=[]), {("targets", "", "critical"), ("scrapes", "", "unknown")}),
    "job gone": (change(targets=[target("db")]), {("targets", "app", "critical")}),
    "all of a job down": (change(targets=[target(), target("db", health="down", lastError="refused")]), {("targets", "db", "critical")}),
    "some of a job down": (change(targets=[target(), target(health="down", lastError="refused")]), {("targets", "app", "degraded")}),
    "not asked yet": (change(targets=[target(), target("db", health="unknown", lastScrape="0001-01-01T00:00:00Z")]), {("targets", "db", "unknown")}),
    "asked too seldom": (change(targets=[target(), target("db", lastScrape=ago(46))]), {("scrapes", "db/db:80", "degraded")}),
    "hardly asked": (change(targets=[target(lastScrape=ago(151))]), {("scrapes", "app/app:80", "critical")}),
    "tells of the past": (change(ages=[3.0, 61.0]), {("stale_data", "app_time_seconds/app/app:80", "degraded")}),
    "tells of long ago": (change(ages=[600.0]), {("stale_data", "app_time_seconds/app/app:80", "critical")}),
    "tells no time": (change(ages=[]), {("stale_data", "app_time_seconds", "unknown")}),
    "cannot read": (change(reported=[0.0, 1.0]), {("exporters", "app/app:80", "degraded")}),
    "nobody tells of himself": (change(reported=[]), set()),
    "rule fails": (
        change(groups=[{"name": "g", "interval": 15, "lastEvaluation": ago(4), "rules": [rule(), rule("Bad", health="err", lastError="many-to-many")]}]),
        {("rules", "g/Bad", "critical")},
    ),
    "rule waits": (
        change(groups=[{"name": "g", "interval": 15, "lastEvaluation": "0001-01-01T00:00:00Z", "rules": [rule(health="unknown")]}]),
        {("rules", "g/Watchdog", "unknown"), ("rule_groups", "g", "unknown")},
    ),
    "no rules": (change(groups=[]), {("rules", "", "critical"), ("rule_groups", "", "unknown")}),
    "recording only": (
        change(groups=[{"name": "g", "interval": 15, "lastEvaluation": ago(4), "rules": [rule(type="recording")]}]),
        {("rules", "", "critical")},
    ),
    "group late": (change(groups=[{"name": "g", "interval": 15, "lastEvaluation": ago(46), "rules": [rule()]}]), {("rule_groups", "g", "degraded")}),
    "group stands": (change(groups=[{"name": "g", "interval": 15, "lastEvaluation": ago(151), "rules": [rule()]}]), {("rule_groups", "g", "critical")}),
    "metric missing": (change(present=["other"]), {("metrics", "app_up", "degraded")}),
    "warning": (change(alerts=[alert(), alert("Slow", severity="warning")]), {("alerts", "Slow", "degraded")}),
    "severe": (change(alerts=[alert(), alert("Down", severity="critical"), alert("Down", severity="warning")]), {("alerts", "Down", "critical")}),
    "without severity": (change(alerts=[alert(), alert("Odd")]), {("alerts", "Odd", "degraded")}),
    "pending": (change(alerts=[alert(), {**alert("Down", severity="critical"), "alertstate": "pending"}]), set()),
    "for information": (change(alerts=[alert(), alert("Note", severity="info")]), set()),
    "no watchdog": (change(alerts=[], day={}), {("watchdog", "", "critical")}),
    "notification lost": (
        change(lost=[1.0]),
        {("notifications", name, "degraded") for name in ("prometheus_errors", "prometheus_dropped", "alertmanager")},
    ),
    "dropped while it starts": (
        change(lost=[1.0], runtime={**RUNTIME, "startTime": ago(179)}),
        {("notifications", name, "degraded") for name in ("prometheus_errors", "alertmanager")},
    ),
    "many lost": (change(lost=[10.0]), {("notifications", name, "critical") for name in ("prometheus_errors", "prometheus_dropped", "alertmanager")}),
    "does not scrape itself": (change(lost=[]), {("notifications", "", "unknown"), ("writes", "", "unknown")}),
    "routing refused": (change(figures={**FIGURES, "alertmanager_config_last_reload_successful": 0.0}), {("alertmanager_config", "", "critical")}),
    "other metrics": (change(figures={}), {("storage", "", "unknown"), ("alertmanager_config", "", "unknown")}),
    "settling": (change(cluster={"status": "settling", "peers": []}), {("alertmanager_cluster", "", "degraded")}),
    "alone": (change(cluster={"status": "disabled", "peers": None}), set()),
    "arrives late": (change(arrived=[{"labels": {"alertname": "Watchdog"}, "updatedAt": ago(160)}]), {("delivery", "", "degraded")}),
    "does not arrive any more": (change(arrived=[{"labels": {"alertname": "Watchdog"}, "updatedAt": ago(301)}]), {("delivery", "", "critical")}),
    "nothing arrives": (change(arrived=[]), {("delivery", "", "critical")}),
    "silence on everything": (change(silences=[EVERYTHING]), {("silences", "s1", "critical")}),
    "silence on something": (change(silences=[silence(("alertname", ".+", True, True), ("job", "db", False, True))]), set()),
    "silence on all but": (change(silences=[silence(("severity", "none", False, False))]), {("silences", "s1", "critical")}),
    "silence by a pattern that is none": (change(silences=[silence(("alertname", "(", True, True))]), set()),
    "silence that is over": (change(silences=[{**EVERYTHING, "status": {"state": "expired"}}]), set()),
    "own silence ends": (change(silences=[silence(("job", "db", False, True), hours=0.5, by="leanvibe.ops")]), {("silences", "s1", "degraded")}),
    "somebody's silence ends": (change(silences=[silence(("job", "db", False, True), hours=0.5)]), set()),
}


@pytest.mark.parametrize("name", CASES)
def test_what_is_broken_is_found_and_nothing_else(name: str) -> None:
    monitoring, expected = CASES[name]
    items = look(monitoring())
    assert found(items) == expected, [item for item in items if item["verdict"] != "ok"]


ANSWERS = {
    "HTML": ((200, b"<!doctype html><title>Sign in</title>", {"content-type": "text/html"}), "text/html where JSON was expected"),
    "HTML that says it is JSON": ((200, b"<!doctype html><title>Sign in</title>", JSON), "HTML where JSON was expected"),
    "half": ((200, b'{"status": "success", "data": {"resu', JSON), "where JSON was expected"),
    "nothing": ((200, b"", JSON), "nothing where JSON was expected"),
    "an error": ((422, b'{"status": "error", "error": "parse error"}', JSON), "parse error"),
    "not found": ((404, b"404 page not found", {"content-type": "text/plain"}), "text/plain where JSON was expected"),
    "a list": ((200, b"[]", JSON), "list"),
    "other JSON": ((200, b'{"status": "success", "data": {}}', JSON), ""),
    "a refusal": ((401, b"no", {}), "a right is missing"),
    "silence": (Unreachable("no answer within 4 s"), "no answer within 4 s"),
}


def unknown(checks: Any) -> Found:
    """All but what needs no answer, and is skipped here."""
    return {(name, "", "unknown") for check in checks if not (name := check.id.partition(".")[2]).endswith("_certificate")}


@pytest.mark.parametrize("answer", ANSWERS)
def test_an_answer_that_is_none_is_unknown_for_every_check_of_prometheus(answer: str) -> None:
    given, words = ANSWERS[answer]
    items = look(Monitoring(instead={"/api/": given, "/metrics": given}), OF_PROMETHEUS)
    assert found(items) == unknown(OF_PROMETHEUS)
    assert all(words in item["message"] for item in items if item["verdict"] == "unknown")


@pytest.mark.parametrize("answer", ["HTML", "HTML that says it is JSON", "half", "nothing", "not found", "a refusal", "silence"])
def test_an_answer_that_is_none_is_unknown_for_every_check_of_alertmanager(answer: str) -> None:
    given, _words = ANSWERS[answer]
    items = look(Monitoring(instead={"/api/": given, "/metrics": given}), OF_ALERTMANAGER)
    assert found(items) == unknown(OF_ALERTMANAGER)


def test_alerts_of_a_day_are_told_apart_with_their_tenants() -> None:
    alerts = [alert(), alert("Slow", severity="warning", tenant="acme", job="app", instance="a:1"), alert("Slow", severity="warning", tenant_id="globex")]
    groups = [{"name": "g", "interval": 30, "lastEvaluation": ago(4), "rules": [rule(), rule("Slow"), rule("Over")]}]
    day = {("Watchdog", "firing"): 9.0, ("Slow", "firing"): 4.0, ("Slow", "pending"): 2.0, ("Over", "firing"): 20.0, ("Nearly", "pending"): 3.0}
    items = look(Monitoring(alerts=alerts, groups=groups, day=day), [check for check in CHECKS if check.id == "monitoring.alerts"])
    slow, told = items
    assert (slow["observed"], slow["tenants"], slow["message"]) == (2, ["acme", "globex"], "fires: app a:1")
    assert told["message"] == "within 24 h fired Over (10 min), Slow (2 min); pending only were Nearly"
    assert (told["observed"], told["verdict"]) == (2, "ok")


def test_what_is_not_declared_is_skipped_and_nonsense_is_refused() -> None:
    assert found(look(Monitoring(), options={})) == {("metrics", "", "skipped"), ("stale_data", "", "skipped")}
    assert found(look(Monitoring(alerts=[], arrived=[]), options={**OPTIONS, "watchdog": ""})) == {("watchdog", "", "skipped"), ("delivery", "", "skipped")}
    assert found(look(Monitoring(), options={**OPTIONS, "max_series": 1000})) == {("storage", "series", "degraded")}
    assert found(look(Monitoring(), options={**OPTIONS, "peers": 3})) == {("alertmanager_cluster", "", "degraded")}
    wrong = {"metrics": ['up"} or vector(1) #'], "timestamps": {"app_time_seconds": 0}, "jobs": "app", "silences_by": "bob"}
    items = look(Monitoring(), options=wrong)
    assert found(items) == {(name, "", "unknown") for name in ("metrics", "stale_data", "targets", "silences")}
    assert "is no name of a metric" in next(item["message"] for item in items if item["id"] == "monitoring.metrics")


def test_two_servers_that_do_not_answer_are_unknown_each(monkeypatch: pytest.MonkeyPatch) -> None:
    params = {"region": "us-east-1", "profile": "daily", "only": [], "without": [], "writes": False, "thresholds": {}, "options": {}, "tenants": []}
    connection = {"prometheus_url": "http://localhost:1", "alertmanager_url": "http://localhost:1"}
    done = run({**params, "absent": None, "connect_timeout": 1.0, "budget": 5.0, "connection": connection})
    assert [check["id"] for check in done["checks"]] == [check.id for check in CHECKS]
    assert {check["outcome"] for check in done["checks"]} == {"could_not_run"}
    absent = run({**params, "absent": "not here", "connect_timeout": 1.0, "budget": 5.0, "connection": connection})
    assert {item["verdict"] for item in absent["items"]} == {"skipped"}


def test_the_module_documents_what_it_takes_and_every_check_has_its_chapter() -> None:
    documented = yaml.safe_load(health_monitoring.DOCUMENTATION)
    assert set(documented["options"]["connection"]["suboptions"]) == set(health_monitoring.CONNECTION)
    runbook = (ROOT / "docs/runbooks/monitoring.md").read_text(encoding="utf-8")
    chapters = {line[3:] for line in runbook.splitlines() if line.startswith("## ")}
    assert chapters == {check.id.partition(".")[2] for check in CHECKS}
