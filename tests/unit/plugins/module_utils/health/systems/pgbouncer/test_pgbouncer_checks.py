# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each check of PgBouncer on prepared answers of its console."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest import mock

import psycopg
import pytest
from ansible_collections.leanvibe.ops.plugins.module_utils.health.results import Run
from ansible_collections.leanvibe.ops.plugins.module_utils.health.runner import Selection, run_checks
from ansible_collections.leanvibe.ops.plugins.module_utils.health.systems.pgbouncer import CHECKS, console, pooling
from ansible_collections.leanvibe.ops.plugins.module_utils.health.systems.postgresql import certificate

PARAMS = {"host": "pool.example.com", "port": 6432, "database": "pgbouncer", "username": "pgbouncer_health", "sslmode": "verify-full"}
OWN = {"database": "pgbouncer", "user": "pgbouncer", "cl_waiting": 0}
POOL = {
    "database": "leanvibe",
    "user": "leanvibe_app",
    "cl_waiting": 0,
    "maxwait": 0,
    "maxwait_us": 0,
    "sv_active": 1,
    "sv_login": 0,
    "pool_mode": "transaction",
}
DATABASE = {"name": "leanvibe", "paused": 0, "disabled": 0, "max_connections": 70, "current_connections": 4}


def healthy() -> dict[str, Any]:
    return {
        "SHOW POOLS": [OWN, POOL],
        "SHOW DATABASES": [{**DATABASE, "name": "pgbouncer"}, DATABASE],
        "SHOW LISTS": [{"list": "used_clients", "items": 12}],
        "SHOW CONFIG": [{"key": "max_client_conn", "value": "100"}],
    }


class Prepared(console.Console):
    def __init__(self, answers: Mapping[str, Any]) -> None:
        super().__init__(connection=None, params=PARAMS)  # type: ignore[arg-type]
        self.answers = answers
        self.asked: list[str] = []

    def show(self, command: Any) -> Any:
        self.asked.append(command)
        answer = self.answers[command]
        if isinstance(answer, Exception):
            raise answer
        return answer


def look(changed: Mapping[str, Any] | None = None, only: str = "", shown: Callable[..., Any] = lambda _params: None) -> Run:
    made = Prepared({**healthy(), **(changed or {})})
    link = replace(console.link(PARAMS), connect=lambda _seconds: made, close=lambda _console: None)
    with mock.patch.object(certificate, "served", shown):
        run = run_checks(CHECKS, link, system="pgbouncer", region="us-east-1", selection=Selection(only=[only] if only else ()))
    run.facts["asked"] = made.asked
    return run


def certificate_for(days: float) -> bytes:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "pool.example.com")])
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(7)
    builder = builder.not_valid_before(now - timedelta(days=90)).not_valid_after(now + timedelta(days=days))
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)


def bad(run: Run) -> dict[str, str]:
    return {item["subject"].removeprefix("us-east-1/pgbouncer").removeprefix("/"): item["verdict"] for item in run.items if item["verdict"] != "ok"}


def test_a_healthy_pooler() -> None:
    run = look(shown=lambda _params: certificate_for(90))
    assert bad(run) == {}
    assert {done.id for done in run.checks} == {check.id for check in CHECKS}
    assert sorted(run.facts["asked"]) == sorted(healthy())


@pytest.mark.parametrize(
    ("check", "changed", "expected"),
    [
        ("pools", {"SHOW POOLS": [OWN, {**POOL, "cl_waiting": 2, "maxwait": 2}]}, {}),
        ("pools", {"SHOW POOLS": [OWN, {**POOL, "cl_waiting": 2, "maxwait": 3, "maxwait_us": 5}]}, {"leanvibe/leanvibe_app": "degraded"}),
        ("pools", {"SHOW POOLS": [OWN, {**POOL, "cl_waiting": 2, "maxwait": 16}]}, {"leanvibe/leanvibe_app": "critical"}),
        ("pools", {"SHOW POOLS": [OWN]}, {}),
        ("pools", {"SHOW POOLS": []}, {"": "unknown"}),
        ("clients", {"SHOW LISTS": [{"list": "used_clients", "items": 80}]}, {"": "degraded"}),
        ("clients", {"SHOW LISTS": [{"list": "used_clients", "items": 95}]}, {"": "critical"}),
        ("clients", {"SHOW LISTS": []}, {"": "unknown"}),
        ("databases", {"SHOW DATABASES": [{**DATABASE, "paused": 1}]}, {"leanvibe": "critical"}),
        ("databases", {"SHOW DATABASES": [{**DATABASE, "disabled": 1}]}, {"leanvibe": "critical"}),
        ("databases", {"SHOW DATABASES": [{**DATABASE, "current_connections": 70}]}, {"leanvibe/full": "degraded"}),
        ("databases", {"SHOW DATABASES": [{**DATABASE, "max_connections": 0, "current_connections": 70}]}, {}),
        ("databases", {"SHOW DATABASES": [{**DATABASE, "name": "pgbouncer"}]}, {"": "unknown"}),
    ],
)
def test_one_thing_is_different(check: str, changed: dict[str, Any], expected: dict[str, str]) -> None:
    assert bad(look(changed, only=f"pgbouncer.{check}")) == expected


def test_a_tenant_who_waits_is_named() -> None:
    (item,) = look({"SHOW POOLS": [{**POOL, "user": "tenant_acme_corp", "cl_waiting": 1, "maxwait": 9}]}, only="pgbouncer.pools").items
    assert (item["tenants"], item["observed"]) == (["acme-corp"], 9.0)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (psycopg.DatabaseError("not allowed"), "stats_users"),
        (psycopg.OperationalError("server closed the connection unexpectedly"), "cannot be worked with"),
        (psycopg.OperationalError("FATAL: password authentication failed"), "refuses user pgbouncer_health"),
    ],
)
def test_what_errors_mean(error: Exception, words: str) -> None:
    (item,) = look({"SHOW DATABASES": error}, only="pgbouncer.databases").items
    assert item["verdict"] == "unknown"
    assert words in item["message"]


@pytest.mark.parametrize(("text", "value"), [("12", 12), ("-1", -1), ("3.5", "3.5"), ("", ""), (None, None), ("transaction", "transaction")])
def test_numbers_come_as_numbers(text: Any, value: Any) -> None:
    assert console._value(text) == value


def test_the_runbook_speaks_of_every_check() -> None:
    text = (Path(__file__).parents[7] / "docs" / console.RUNBOOK).read_text(encoding="utf-8")
    assert all(f"\n## {check.runbook.split('#')[1]}\n" in text for check in CHECKS)
    assert {check.system for check in CHECKS} == {console.SYSTEM}
    assert pooling.WAITING in CHECKS
