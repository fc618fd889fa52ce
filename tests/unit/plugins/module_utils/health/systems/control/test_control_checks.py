# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The checks of the registry on prepared answers, and health_control as Ansible calls it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import psycopg
import pytest
from ansible.module_utils.testing import patch_module_args
from ansible_collections.leanvibe.ops.plugins.module_utils.health.runner import Selection, run_checks
from ansible_collections.leanvibe.ops.plugins.module_utils.health.systems import control
from ansible_collections.leanvibe.ops.plugins.module_utils.health.systems.control import link, registry, tenants
from ansible_collections.leanvibe.ops.plugins.module_utils.health.systems.postgresql import server
from ansible_collections.leanvibe.ops.plugins.modules import health_control

PARAMS = {"host": "registry.example.com", "port": 5432, "database": "leanvibe_ops", "username": "registry", "sslmode": "verify-full"}
DECLARED = ({"id": "acme", "tier": "team"}, {"id": "globex", "tier": "team"})


def lease(**change: Any) -> dict[str, Any]:
    usual = {"operation": "tenants", "owner": "ada", "run_id": "r1", "leases": 2, "expired": -40.0, "held": 20.0}
    return {**usual, "names": ["tenant/acme", "tenant/globex"], **change}


def last_run(**change: Any) -> dict[str, Any]:
    usual = {"operation": "tenants", "run_id": "r1", "owner": "ada", "verdict": "succeeded", "finished": True, "age": 3600.0, "working": False}
    return {**usual, **change}


def observed(**change: Any) -> dict[str, Any]:
    return {"system": "redis", "region": "us-east-1", "verdict": "succeeded", "number": 2, "tenants": ["acme", "globex"], **change}


WELL: dict[str, Any] = {
    registry._MARK: [{"environment": "sandbox", "kind": "sandbox"}],
    registry._LEASES: [],
    registry._RUNS: [last_run()],
    tenants._KNOWN: [{"id": "acme"}, {"id": "globex"}],
    tenants._NEW: [{"known": 2, "active": 2, "new": 0}],
    tenants._OBSERVED: [observed(), observed(system="postgresql", region="us-west-2", verdict="skipped")],
}


class Prepared(server.Server):
    """Answers by query; an answer that is an exception is raised."""

    def __init__(self, answers: Mapping[str, Any]) -> None:
        super().__init__(connection=None, params=PARAMS)  # type: ignore[arg-type]
        self.answers = answers

    def rows(self, query: Any, values: Any = None) -> Any:
        answer = self.answers[query]
        if isinstance(answer, Exception):
            raise answer
        return answer

    def limit(self, seconds: float) -> None:
        self.limited = seconds


def look(changed: Mapping[str, Any] | None = None, *, only: str = "", declared: Any = DECLARED, **options: Any) -> list[dict[str, Any]]:
    made = Prepared({**WELL, **(changed or {})})
    way = replace(link.link(PARAMS), connect=lambda _seconds: made, close=lambda _server: None, answers=lambda _server, _seconds: None)
    selection = Selection(only=[only] if only else ())
    options = {"declared_ids": ["acme", "globex"], **options}
    return run_checks(control.CHECKS, way, system="control", region="us-east-1", selection=selection, options=options, tenants=declared).items


def verdicts(items: list[dict[str, Any]]) -> dict[str, str]:
    return {f"{item['id']}:{item['subject'].removeprefix('us-east-1/control').removeprefix('/')}": item["verdict"] for item in items}


def test_all_is_well() -> None:
    assert verdicts(look()) == {
        "control.registry:": "ok",
        "control.leases:": "ok",
        "control.runs:": "ok",
        "control.tenants:": "ok",
        "control.undeclared:": "ok",
        "control.signups:": "ok",
    }


@pytest.mark.parametrize(
    ("only", "changed", "expected"),
    [
        ("control.registry", {registry._MARK: []}, {":": "unknown"}),
        ("control.leases", {registry._LEASES: [lease()]}, {":tenants": "ok"}),
        ("control.leases", {registry._LEASES: [lease(held=7 * 3600)]}, {":tenants": "degraded"}),
        ("control.leases", {registry._LEASES: [lease(expired=30)]}, {":tenants/expired": "ok"}),
        ("control.leases", {registry._LEASES: [lease(expired=901)]}, {":tenants/expired": "degraded"}),
        ("control.runs", {registry._RUNS: []}, {":": "ok"}),
        ("control.runs", {registry._RUNS: [last_run(finished=False, working=True)]}, {":": "ok"}),
        ("control.runs", {registry._RUNS: [last_run(finished=False)]}, {":tenants": "degraded"}),
        ("control.runs", {registry._RUNS: [last_run(verdict="partial")]}, {":tenants": "degraded"}),
        ("control.tenants", {tenants._KNOWN: [{"id": "acme"}]}, {":never": "degraded"}),
        ("control.tenants", {tenants._OBSERVED: [observed(verdict="failed")]}, {":us-east-1/redis/failed": "degraded"}),
        ("control.tenants", {tenants._OBSERVED: [observed(verdict="failed", tenants=["stranger"])]}, {":": "ok"}),
        ("control.undeclared", {tenants._KNOWN: [{"id": "acme"}, {"id": "initech"}]}, {":": "degraded"}),
    ],
)
def test_what_each_notices(only: str, changed: dict[str, Any], expected: dict[str, str]) -> None:
    assert verdicts(look(changed, only=only)) == {only + name: verdict for name, verdict in expected.items()}


@pytest.mark.parametrize(("hours", "verdict"), [({"tenants": 2}, "ok"), ({"tenants": 0.5}, "degraded"), ({"backup": 24}, "degraded")])
def test_what_is_overdue(hours: dict[str, float], verdict: str) -> None:
    assert {item["verdict"] for item in look(only="control.runs", schedules=hours)} == {verdict}


def test_findings_name_whom_they_touch() -> None:
    assert look({tenants._KNOWN: [{"id": "acme"}]}, only="control.tenants")[0]["tenants"] == ["globex"]
    assert look({registry._LEASES: [lease(expired=901)]}, only="control.leases")[0]["tenants"] == ["acme", "globex"]


def test_how_many_are_new_is_told_and_none_at_all_is_no_zero() -> None:
    new = look({tenants._NEW: [{"known": 7, "active": 6, "new": 2}]}, only="control.signups")[0]
    assert (new["observed"], new["verdict"]) == (2, "ok")
    assert look({tenants._NEW: [{"known": 0, "active": 0, "new": 0}]}, only="control.signups")[0]["verdict"] == "skipped"
    assert look({tenants._NEW: []}, only="control.signups")[0]["verdict"] == "unknown"


def test_nobody_declared_and_a_run_that_was_not_told_of_all_say_so() -> None:
    assert look(only="control.tenants", declared=())[0]["verdict"] == "skipped"
    assert look(only="control.undeclared", declared_ids=None)[0]["verdict"] == "skipped"


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (psycopg.errors.InsufficientPrivilege("permission denied for table runs"), "GRANT SELECT ON "),
        (psycopg.errors.UndefinedTable("no such table"), "lacks tables of this release"),
    ],
)
def test_what_it_may_not_see_or_is_not_there_is_unknown(error: Exception, words: str) -> None:
    items = look(dict.fromkeys(WELL, error))
    assert {item["verdict"] for item in items} == {"unknown"}
    assert all(words in item["message"] for item in items)


def test_a_registry_that_is_not_there_is_unknown_and_no_failure(capsys: pytest.CaptureFixture[str]) -> None:
    connection = {"host": "127.0.0.1", "port": 1, "username": "somebody", "password": "hush", "database": "leanvibe_ops", "sslmode": "disable"}
    with patch_module_args({"region": "us-east-1", "connection": connection}), pytest.raises(SystemExit):
        health_control.main()
    result = json.loads(capsys.readouterr().out)
    assert result.get("failed") is None
    assert [item["verdict"] for item in result["run"]["items"]] == ["unknown"] * len(control.CHECKS)
    assert "hush" not in json.dumps(result["run"])
