# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every check of the application: silent on a healthy one, exactly what is broken on a broken one, unknown for what could not be seen."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.module_utils.testing import patch_module_args
from ansible_collections.leanvibe.ops.plugins.module_utils.common.errors import Unreachable
from ansible_collections.leanvibe.ops.plugins.module_utils.health.comparisons import compare
from ansible_collections.leanvibe.ops.plugins.module_utils.health.results import Run
from ansible_collections.leanvibe.ops.plugins.module_utils.health.runner import Selection, run_checks
from ansible_collections.leanvibe.ops.plugins.module_utils.health.systems import backend
from ansible_collections.leanvibe.ops.plugins.module_utils.health.systems.backend import latency, link
from ansible_collections.leanvibe.ops.plugins.module_utils.health.systems.backend.service import Service
from ansible_collections.leanvibe.ops.plugins.modules import health_backend
from backend_fakes import PROBE, PROVISIONER, TENANTS, Application, Counters, said
from websockets.sync.server import serve

ROOT = Path(__file__).resolve().parents[7]
SILENT = Unreachable("no answer within 3 s")
HTML = said(200, "<!doctype html><title>Sign in to the hotel's network</title>", "text/html")
OPTIONS = {"pages": ["/", "/docs"], "journey_tenant": "acme", "revenue": "app_revenue_usd"}
MORE = "# TYPE app_revenue_usd gauge\napp_revenue_usd 1250.5\n"
BEFORE = {
    "response_ms": [10.0] * 5,
    "jobs_done": 40,
    "jobs_failed": 0,
    "metrics": {
        "at": 0.0,
        "started": 1000.0,
        "answered": 0,
        "failed": 0,
        "tenants": {},
        "tenants_failed": {},
        "buckets": {"0.1": 0, "0.2": 0, "inf": 0},
    },
}
# Checks that say nothing about these answers: without TLS there is no certificate, and the WebSocket has tests of its own.
ELSEWHERE = ("backend.certificate", "backend.websocket")


def look(
    app: Application, *, before: Mapping[str, Any] | None = BEFORE, without: Any = ELSEWHERE, worker: bool = True, direct: bool = True, **change: Any
) -> Run:
    """A run over the application."""
    accounts = change.pop("accounts", {"probe": PROBE, "provisioner": PROVISIONER})
    app.counters.more = app.counters.more or MORE
    way = replace(link.link({"url": "http://app"}), connect=lambda _seconds: Service(app, app if direct else None, app if worker else None, accounts))  # type: ignore[arg-type]
    options = {**OPTIONS, "counters_before": before, **change.pop("options", {})}
    selection = Selection(without=without, writes=change.pop("writes", True), only=change.pop("only", ()))
    tenants = change.pop("tenants", TENANTS)
    return run_checks(backend.CHECKS, way, system="backend", region="us-east-1", selection=selection, options=options, tenants=tenants, **change)


def bad(run: Run) -> dict[str, str]:
    """What is neither ok nor left out: check and the end of the subject -> verdict."""
    found = {}
    for item in run.items:
        if item["verdict"] != "ok" and item["id"] not in ELSEWHERE:
            found[(item["id"].removeprefix("backend.") + item["subject"].removeprefix("us-east-1/backend"))] = item["verdict"]
    return found


def item(run: Run, check: str) -> dict[str, Any]:
    return next(one for one in run.items if one["id"] == f"backend.{check}")


def test_a_healthy_application_has_no_findings_and_keeps_nothing() -> None:
    app = Application()
    run = look(app)
    assert bad(run) == {}
    assert {done.outcome for done in run.checks if done.id not in ELSEWHERE} == {"executed"}
    assert (app.accounts, app.projects) == ({}, {})
    assert app.asked.count("GET /metrics") == 1
    assert item(run, "revenue")["observed"] == 1250.5
    assert item(run, "active_tenants")["observed"] == 2
    assert item(run, "failed_jobs")["observed"] == 0
    assert run.facts["version"] == "1.2.3"
    assert run.facts["counters"]["metrics"]["answered"] == 1000


@pytest.mark.parametrize(("ahead", "verdict"), [(0.0, "ok"), (-7.0, "degraded"), (120.0, "critical"), (None, "unknown")])
def test_its_clock_is_compared_with_ours(ahead: float | None, verdict: str) -> None:
    assert item(look(Application(ahead=ahead)), "clock")["verdict"] == verdict


NEEDS = {"database": "db", "cache": "cache", "graph": "graph", "billing": "billing"}
TIERS = ("enterprise", "team")
OF_METRICS = ("latency", "errors", "tenant_errors", "active_tenants")
ANSWERS: dict[str, tuple[dict[str, Any], dict[str, str]]] = {
    "health says no": (
        {"GET /health": said(503, {"status": "stopping"})},
        {"up": "critical", "worker": "critical", "response": "unknown", "response_baseline": "unknown"},
    ),
    "health is HTML": ({"GET /health": HTML}, {"up": "unknown", "worker": "unknown"}),
    "health is empty": ({"GET /health": said(200, "", "")}, {"up": "unknown", "worker": "unknown"}),
    "health is not found": (
        {"GET /health": said(404, {"error": "?"})},
        {"up": "unknown", "worker": "unknown", "response": "unknown", "response_baseline": "unknown"},
    ),
    "the database is gone": (
        {"GET /health/db": said(503, {"status": "unavailable", "detail": "refused"})},
        {"database": "critical", "database_response": "unknown", "journey": "unknown"},
    ),
    "the database hangs": ({"GET /health/db": SILENT}, {"database": "unknown", "database_response": "unknown", "journey": "unknown"}),
    "the cache is gone": ({"GET /health/cache": said(503, {})}, {"cache": "critical"}),
    "the cache is slow": ({"GET /health/cache": said(200, {"status": "ok", "latency_ms": 200})}, {"cache": "degraded"}),
    "the cache is very slow": ({"GET /health/cache": said(200, {"status": "ok", "latency_ms": 1000})}, {"cache": "critical"}),
    "the graph is slow": ({"GET /health/graph": said(200, {"status": "ok", "latency_ms": 500})}, {"graph": "degraded"}),
    "the graph is very slow": ({"GET /health/graph": said(200, {"status": "ok", "latency_ms": 2000})}, {"graph": "critical"}),
    "billing is slow": ({"GET /health/billing": said(200, {"status": "ok", "latency_ms": 3000})}, {"billing": "degraded"}),
    "the graph is HTML": ({"GET /health/graph": HTML}, {"graph": "unknown"}),
    "billing answers with a list": ({"GET /health/billing": said(200, [])}, {"billing": "unknown"}),
    "billing says no figure": ({"GET /health/billing": said(200, {"status": "ok"})}, {"billing": "unknown"}),
    "no jobs": (
        {"GET /health/worker": said(503, {"detail": "it ended its last job 70 s ago"})},
        {"jobs": "critical", "backlog": "skipped", "failed_jobs": "skipped"},
    ),
    "a page is gone": ({"GET /docs": said(404, {"error": "?"})}, {"pages/docs": "critical"}),
    "a page fails": ({"GET /": said(502, "Bad gateway", "text/plain")}, {"pages/home": "critical"}),
    "a page is empty": ({"GET /": said(200, "", "text/html")}, {"pages": "unknown"}),
    "a page leads elsewhere": ({"GET /": said(302, "", "text/html")}, {"pages/home": "critical"}),
    "the token is not taken": ({"GET /api/v1/me": said(401, {"error": "?"})}, {"sign_in": "critical"}),
    "one is somebody else": ({"GET /api/v1/me": said(200, {"name": "root"})}, {"sign_in": "critical"}),
    "who one is fails": ({"GET /api/v1/me": said(500, {"error": "?"})}, {"sign_in": "critical"}),
    "signing in is HTML": ({"POST /api/v1/sign-in": HTML}, {"sign_in": "unknown", "authorization": "unknown", "journey": "unknown"}),
    "signing in fails": ({"POST /api/v1/sign-in": said(500, {})}, {"sign_in": "unknown", "authorization": "unknown", "journey": "unknown"}),
    "signing in without a token": ({"POST /api/v1/sign-in": said(200, {})}, {"sign_in": "unknown", "authorization": "unknown", "journey": "unknown"}),
    "everybody may read everything": (
        {"GET /api/v1/tenants/*": said(200, {"projects": []})},
        {
            **{f"authorization/{who}": "critical" for who in ("stranger", "unsigned", "other_tenant")},
            "journey": "critical",
        },
    ),
    "refusing fails": (
        {"GET /api/v1/tenants/*": said(500, {"error": "?"})},
        {
            **{f"authorization/{who}": "critical" for who in ("stranger", "unsigned", "other_tenant")},
            "journey": "critical",
            "journey/left_behind": "degraded",
        },
    ),
    "metrics are HTML": ({"GET /metrics": HTML}, {**dict.fromkeys(OF_METRICS, "unknown"), "revenue": "unknown"}),
    "metrics are refused": (
        {"GET /metrics": said(403, "no", "text/plain")},
        {**dict.fromkeys(OF_METRICS, "unknown"), "revenue": "unknown"},
    ),
    "metrics are no metrics": (
        {"GET /metrics": said(200, "what {{{ is this", "text/plain")},
        {**dict.fromkeys(OF_METRICS, "unknown"), "revenue": "unknown"},
    ),
    "metrics are another program's": (
        {"GET /metrics": said(200, "# TYPE app_revenue_usd gauge\napp_revenue_usd 1\n", "text/plain")},
        dict.fromkeys(OF_METRICS, "unknown"),
    ),
    "the API is slow": (
        {"GET /health": said(200, {"status": "ok"}, seconds=0.45)},
        {"response/enterprise": "critical", "response_baseline": "degraded"},
    ),
    "the database is slow": (
        {"GET /health/db": said(200, {"status": "ok", "latency_ms": 70.0})},
        {"database_response/enterprise": "degraded"},
    ),
}


@pytest.mark.parametrize("name", ANSWERS)
def test_what_an_answer_means(name: str) -> None:
    instead, expected = ANSWERS[name]
    assert bad(look(Application(instead=dict(instead)))) == expected


def test_a_wrong_password_is_a_missing_right_and_shown_nowhere() -> None:
    run = look(Application(), accounts={"probe": {"account": "probe", "password": "recognisable-and-wrong"}, "provisioner": PROVISIONER})
    assert bad(run) == {"sign_in": "unknown", "authorization": "unknown"}
    assert all("a right is missing" in one["message"] for one in run.items if one["verdict"] == "unknown")
    assert "recognisable-and-wrong" not in str(run)


@pytest.mark.parametrize("answer", [said(201, {"token": "recognisable-opaque"}), said(200, {"access_token": "recognisable-opaque"})])
def test_a_token_that_comes_otherwise_is_shown_nowhere(answer: Any) -> None:
    run = look(Application(instead={"POST /api/v1/sign-in": answer}))
    assert bad(run) == {"sign_in": "unknown", "authorization": "unknown", "journey": "unknown"}
    app = Application()
    app.instead["PUT *"] = lambda _body: app.instead.update({"POST /api/v1/sign-in": answer})
    mine = look(app)
    assert bad(mine) == {"journey": "critical"}
    assert "recognisable-opaque" not in str(run) + str(mine)


def test_what_is_not_configured_is_skipped_and_says_so() -> None:
    options: dict[str, Any] = {"pages": None, "journey_tenant": None, "revenue": None}
    run = look(Application(), worker=False, direct=False, accounts={}, options=options)
    assert bad(run) == dict.fromkeys(["pages", "sign_in", "authorization", "worker", *OF_METRICS, "revenue", "journey"], "skipped")
    assert all("not configured" in done.reason for done in run.checks if done.outcome == "skipped" and done.id not in ELSEWHERE)


WORKER: dict[str, tuple[dict[str, Any], dict[str, str]]] = {
    "late": ({"age_seconds": 30.0}, {"jobs": "degraded"}),
    "very late": ({"age_seconds": 60.0}, {"jobs": "critical"}),
    "queue": ({"waiting": 100}, {"backlog": "degraded"}),
    "long queue": ({"waiting": 1000}, {"backlog": "critical"}),
    "some fail": ({"done": 49, "failed": 1}, {"failed_jobs": "degraded"}),
    "most fail": ({"done": 41, "failed": 9}, {"failed_jobs": "critical"}),
    "nothing ended": ({"done": 40}, {}),
    "the counters began anew": ({"done": 2}, {"failed_jobs": "skipped"}),
    "no figures": ({"waiting": "many", "age_seconds": None}, {"jobs": "unknown", "backlog": "unknown"}),
}


@pytest.mark.parametrize("name", WORKER)
def test_what_the_worker_says(name: str) -> None:
    state, expected = WORKER[name]
    app = Application()
    app.worker_state |= state
    assert bad(look(app)) == expected


def slow(second: int, fifth: int) -> dict[str, int]:
    return {"0.1": 1000 - second - fifth, "0.2": 1000 - second - fifth, "0.5": 1000 - fifth, "+Inf": 1000}


COUNTED: dict[str, tuple[Counters, dict[str, str]]] = {
    "one in a hundred fails": (Counters(failed=10), {"errors": "degraded"}),
    "one in twenty fails": (Counters(failed=50), {"errors": "critical"}),
    "few, and most fail": (
        Counters(answered=6, failed=5, times={"0.1": 6, "+Inf": 6}, tenants={}),
        {"errors": "critical", "latency": "skipped", "tenant_errors": "skipped"},
    ),
    "few": (
        Counters(answered=49, failed=4, times={"0.1": 99, "+Inf": 99}, tenants={"acme": (17, 2)}),
        dict.fromkeys(("latency", "errors", "tenant_errors"), "skipped"),
    ),
    "a tenant's requests fail": (Counters(tenants={"acme": (380, 20), "globex": (600, 0)}), {"tenant_errors/acme": "critical"}),
    "some of a tenant's requests fail": (Counters(tenants={"acme": (97, 3), "globex": (600, 0)}), {"tenant_errors/acme": "degraded"}),
    # 6 % between 0.2 and 0.5 s: the 95th lies a sixth into it, the 99th five sixths.
    "slow for some": (Counters(times=slow(60, 0)), {"latency/enterprise/p95": "degraded"}),
    "slow for many": (Counters(times=slow(500, 20)), {"latency/enterprise/p95": "critical", "latency/enterprise/p99": "degraded"}),
    "enough for p95 only": (Counters(answered=400, times={"0.1": 400, "+Inf": 400}), {}),
    "started anew": (Counters(started=2000.0), {}),
    "another process": (Counters(started=-5.0), dict.fromkeys(OF_METRICS, "skipped")),
}


@pytest.mark.parametrize("name", COUNTED)
def test_what_the_application_has_counted_since_the_last_run(name: str) -> None:
    counters, expected = COUNTED[name]
    run = look(Application(counters=counters))
    assert bad(run) == expected
    for one in run.items:
        if one["id"] in ("backend.latency", "backend.tenant_errors") and one["verdict"] in ("degraded", "critical"):
            assert one["tenants"] == ["acme"], one


def test_the_first_run_compares_with_nothing_and_leaves_its_counters() -> None:
    run = look(Application(), before=None)
    assert bad(run) == dict.fromkeys([*OF_METRICS, "failed_jobs", "response_baseline"], "skipped")
    assert all(
        "first reading" in done.reason or "0 earlier runs" in done.reason for done in run.checks if done.outcome == "skipped" and done.id not in ELSEWHERE
    )
    assert set(run.facts["counters"]) == {"metrics", "jobs_done", "jobs_failed", "response_ms"}
    json.dumps(run.facts, allow_nan=False)


def test_a_run_over_one_check_keeps_the_other_counters() -> None:
    run = look(Application(), only=["backend.failed_jobs"])
    assert run.facts["counters"] == {**BEFORE, "jobs_done": 50, "jobs_failed": 0}


def test_a_series_without_a_value_is_not_zero() -> None:
    app = Application(counters=Counters(more="# TYPE app_revenue_usd gauge\n"))
    assert bad(look(app)) == {"revenue": "unknown"}


def test_without_tenants_nobody_was_promised_anything() -> None:
    assert bad(look(Application(), tenants=())) == dict.fromkeys(["response", "database_response", "latency"], "skipped")
    gone = [{**TENANTS[0], "state": "suspended"}]
    assert bad(look(Application(), tenants=gone)) == dict.fromkeys(["response", "database_response", "latency"], "skipped")


def test_targets_are_those_of_the_role_tiers() -> None:
    catalogue = yaml.safe_load((ROOT / "roles/tiers/defaults/main.yml").read_text(encoding="utf-8"))["tiers_catalogue"]
    promised = {tier: tuple(parts["sla"][name] for name in ("api_p95_ms", "api_p99_ms", "database_p95_ms")) for tier, parts in catalogue.items()}
    assert promised == latency.PROMISED


def test_percentiles() -> None:
    assert latency.percentile(list(range(1, 101)), 0.95) == 95
    assert latency.percentile([7.0], 0.95) == 7
    assert latency.quantile({0.1: 90, 0.2: 100, float("inf"): 100}, 0.95) == pytest.approx(0.15)
    assert latency.quantile({0.1: 50, 0.2: 60, float("inf"): 100}, 0.95) == 0.2  # beyond the last bound
    assert latency.quantile({0.1: 100, float("inf"): 100}, 0.5) == pytest.approx(0.05)


def test_half_of_the_answers_decide_and_the_rest_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    seconds = iter([0.01, *[0.01, 0.01, 0.3] * 13, 0.9, 0.9])  # the first is the check up's own
    run = look(
        Application(instead={"GET /health": lambda _body: said(200, {"status": "ok"}, seconds=next(seconds))}),
        worker=False,
        only=["backend.up", "backend.response"],
    )
    assert bad(run) == {}
    assert "p50 10 ms, p95 300 ms, worst 900 ms" in item(run, "response")["message"]


BASELINES: dict[str, tuple[list[float], float, str]] = {
    "as usual": ([140.0] * 5, 0.15, "ok"),
    "three times as long": ([50.0] * 5, 0.15, "degraded"),
    "three times as long, and nobody notices": ([5.0] * 5, 0.09, "ok"),
    "four runs": ([50.0] * 4, 0.15, "skipped"),
}


@pytest.mark.parametrize("name", BASELINES)
def test_the_median_beside_that_of_earlier_runs(name: str) -> None:
    earlier, seconds, verdict = BASELINES[name]
    app = Application(instead={"GET /health": said(200, {"status": "ok"}, seconds=seconds)})
    run = look(app, before={"response_ms": earlier}, only=["backend.response_baseline"])
    assert [one["verdict"] for one in run.items] == [verdict]
    assert run.facts["counters"]["response_ms"] == [*earlier, seconds * 1000]


def test_no_more_medians_are_kept_than_are_needed() -> None:
    run = look(Application(), before={"response_ms": [5.0] * 20}, only=["backend.response_baseline"])
    assert run.facts["counters"]["response_ms"] == [*[5.0] * 19, 10.0]


JOURNEY: dict[str, tuple[dict[str, Any], dict[str, str], str]] = {
    "no such tenant": ({"PUT *": said(404, {"error": "no"})}, {"journey": "unknown"}, "make an account"),
    "not allowed": ({"PUT *": said(403, {"error": "no"})}, {"journey": "unknown"}, "a right is missing"),
    "accounts fail": ({"PUT *": said(500, {"error": "no"})}, {"journey": "critical"}, "make an account"),
    "accounts hang": ({"PUT *": SILENT}, {"journey": "unknown"}, "make an account"),
    "projects cannot be made": ({"POST /api/v1/tenants/acme/projects": said(500, {})}, {"journey": "critical"}, "make a project"),
    "a project has no number": ({"POST /api/v1/tenants/acme/projects": said(201, {})}, {"journey": "critical"}, "project_id"),
    "another project is read": ({"GET /api/v1/tenants/acme/projects/*": said(200, {"name": "x"})}, {"journey": "critical"}, "read the project"),
    "another tenant's data are shown": ({"GET /api/v1/tenants/far-away/projects": said(200, {"projects": []})}, {"journey": "critical"}, "be refused"),
    "the job fails": ({"GET /api/v1/tenants/acme/jobs/j1": said(200, {"state": "failed"})}, {"journey": "critical"}, "it is failed"),
    "jobs are HTML": ({"GET /api/v1/tenants/acme/jobs/j1": HTML}, {"journey": "unknown"}, "wait for the job"),
}


@pytest.mark.parametrize("name", JOURNEY)
def test_where_a_journey_ends_and_that_nothing_is_left(name: str) -> None:
    instead, expected, words = JOURNEY[name]
    app = Application(instead=dict(instead))
    run = look(app, tenants=(TENANTS[0], TENANTS[2]))
    assert bad(run) == expected
    assert words in item(run, "journey")["message"]
    assert (app.accounts, app.projects) == ({}, {})


def test_a_project_that_was_made_although_no_answer_came_is_taken_away() -> None:
    app = Application()

    def made(body: dict[str, str]) -> None:
        app.leave(body["name"], timedelta(0))
        raise SILENT

    app.instead["POST /api/v1/tenants/acme/projects"] = made
    run = look(app)
    assert bad(run) == {"journey": "unknown"}
    assert "make a project" in item(run, "journey")["message"]
    assert (app.accounts, app.projects) == ({}, {})


def test_what_cannot_be_taken_away_is_said_and_a_later_run_takes_it() -> None:
    app = Application(instead={"DELETE *": said(500, {"error": "no"})})
    run = look(app)
    assert bad(run) == {"journey": "critical", "journey/left_behind": "degraded"}
    assert len(app.projects) == len(app.accounts) == 1
    app.instead.clear()
    app.projects[next(iter(app.projects))]["created_at"] = "2026-01-01T00:00:00+00:00"
    app.leave("leanvibe-health-under-way", timedelta(minutes=5))
    app.leave("the tenant's own", timedelta(days=400))
    assert bad(look(app)) == {}
    assert sorted(project["name"] for project in app.projects.values()) == ["leanvibe-health-under-way", "the tenant's own"]
    assert app.accounts == {}


def test_two_operators_who_look_at_once_are_no_outage() -> None:
    """The other run ends first, and takes the account of both away."""
    app = Application()

    def robbed(_body: object) -> Any:
        app.accounts.clear()
        return said(403, {"error": "no such account"})

    app.instead["POST /api/v1/tenants/acme/jobs"] = robbed
    run = look(app)
    assert bad(run) == {"journey": "unknown"}
    assert "another health run took the account" in item(run, "journey")["message"]
    assert app.accounts == {}


def test_a_run_that_may_only_read_sends_nothing_that_writes() -> None:
    app = Application()
    run = look(app, writes=False)
    assert bad(run) == {"journey": "skipped"}
    assert {asked for asked in app.asked if not asked.startswith("GET ")} == {"POST /api/v1/sign-in"}


def test_versions_are_compared() -> None:
    def run(region: str, version: str) -> Run:
        return Run("backend", region, facts={"version": version})

    for versions, verdict in ((("1.0", "1.0"), "ok"), (("1.0", "1.1"), "degraded"), (("1.0", ""), "unknown")):
        runs = [run(region, version) for region, version in zip(("us-east-1", "us-west-2"), versions, strict=True)]
        items, _done = compare(backend.COMPARISONS, runs, {"backend": ["us-east-1", "us-west-2"]}, Selection())
        assert [one["verdict"] for one in items] == [verdict]


@pytest.fixture
def sockets() -> Iterator[dict[str, Any]]:
    """A WebSocket server; ``says`` is what it answers, in order."""
    script: dict[str, Any] = {"says": [{"type": "ready"}, {"type": "pong"}], "heard": []}

    def talk(socket: Any) -> None:
        for answer in script["says"]:
            script["heard"].append(json.loads(socket.recv(timeout=5)))
            if answer is None:
                socket.close(4401)
            else:
                socket.send(answer if isinstance(answer, str) else json.dumps(answer))

    with serve(talk, "127.0.0.1", 0) as server:
        script["base"] = "http://127.0.0.1:" + str(server.socket.getsockname()[1])
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield script
        server.shutdown()


SOCKETS: dict[str, tuple[list[Any], str]] = {
    "well": ([{"type": "ready"}, {"type": "pong"}], "ok"),
    "refused": ([None], "critical"),
    "another answer": ([{"type": "ready"}, {"type": "error"}], "critical"),
    "HTML": (["<html>"], "unknown"),
    "silent": ([], "critical"),
}


@pytest.mark.parametrize("name", SOCKETS)
def test_the_websocket(sockets: dict[str, Any], name: str) -> None:
    sockets["says"], verdict = SOCKETS[name]
    app = Application(base=sockets["base"])
    run = look(app, without=(), only=["backend.websocket"])
    assert [one["verdict"] for one in run.items] == [verdict]
    if name == "well":
        assert sockets["heard"] == [{"token": "token-of-probe"}, {"type": "ping"}]


def test_a_websocket_that_nobody_serves_is_unknown() -> None:
    run = look(Application(base="http://127.0.0.1:1"), without=(), only=["backend.websocket"])
    assert [one["verdict"] for one in run.items] == ["unknown"]


def test_the_module_tells_of_every_check_when_nobody_answers(capsys: pytest.CaptureFixture[str]) -> None:
    connection = {"url": "http://127.0.0.1:1", "probe": PROBE}
    with patch_module_args({"region": "us-east-1", "connection": connection}), pytest.raises(SystemExit) as ended:
        health_backend.main()
    answer = json.loads(capsys.readouterr().out)
    assert ended.value.code == 0
    assert answer["changed"] is False
    assert {one["verdict"] for one in answer["run"]["items"]} == {"unknown"}
    assert [done["id"] for done in answer["run"]["checks"]] == [check.id for check in backend.CHECKS]
    assert "probe-password" not in json.dumps(answer)


def test_in_check_mode_nothing_is_to_write(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = {"region": "us-east-1", "connection": {"url": "http://127.0.0.1:1"}, "only": ["backend.journey"], "_ansible_check_mode": True}
    with patch_module_args(arguments), pytest.raises(SystemExit):
        health_backend.main()
    assert [one["verdict"] for one in json.loads(capsys.readouterr().out)["run"]["items"]] == ["skipped"]


def test_one_late_answer_is_a_moments_and_three_are_slow() -> None:
    for times, verdict, asked in (([900, 30], "ok", 2), ([900, 800, 30], "ok", 3), ([900, 700, 800], "degraded", 3)):
        late = iter(times)
        application = Application({"GET /health/graph": lambda _body, late=late: said(200, {"status": "ok", "latency_ms": next(late)})})
        (item,) = look(application, only=["backend.graph"]).items
        assert (item["verdict"], item["observed"], application.asked.count("GET /health/graph")) == (verdict, min(times), asked)
        assert f"of {asked} answers the slowest took 900 ms" in item["message"]


def test_an_answer_that_fails_after_a_late_one_is_critical() -> None:
    answers = iter([said(200, {"status": "ok", "latency_ms": 900}), said(503, {"detail": "gone"})])
    (item,) = look(Application({"GET /health/graph": lambda _body: next(answers)}), only=["backend.graph"]).items
    assert item["verdict"] == "critical"
