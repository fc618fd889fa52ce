# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each right of an account that may only look is needed: without it exactly the checks that name it are unknown, and they name it.

Neo4j Community and AWS' stand-in know no rights: for these, unit tests of their checks do the same.
"""

from __future__ import annotations

import importlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from ansible_collections.leanvibe.ops.plugins.module_utils.health.systems.aws_rights import BUCKET_ACTIONS
from ansible_collections.leanvibe.ops.plugins.module_utils.health.systems.postgresql_rights import RIGHTS
from ansible_collections.leanvibe.ops.plugins.module_utils.health.systems.redis_rights import COMMANDS
from health_cluster import Cluster
from module_runs import look
from psycopg import sql
from reader_cases import EAST, READER, Control, ObjectStore, Redis, act, postgresql

pytestmark = pytest.mark.sandbox
BOUNDS = {"connect_timeout": 60.0, "budget": 180.0}


def checks(system: str) -> tuple[Any, ...]:
    return tuple(importlib.import_module(f"ansible_collections.leanvibe.ops.plugins.module_utils.health.systems.{system}").CHECKS)


def naming(system: str, words: str) -> set[str]:
    """The checks that name a right."""
    return {check.id for check in checks(system) if any(words in grant for grant in check.grants)}


def lacking(system: str, connection: dict[str, Any], **given: Any) -> dict[str, str]:
    """What could not be looked at for lack of a right, with what is said about it."""
    run = look(system, EAST, connection, **BOUNDS, **given)
    unknown = {item["id"]: item["message"] for item in run.items if item["verdict"] == "unknown"}
    assert all("a right is missing" in message for message in unknown.values()), unknown
    return unknown


@pytest.mark.faults(sample=1)
@pytest.mark.parametrize("command", COMMANDS)
def test_redis(command: str, sandbox: dict[str, Any], sandbox_dir: Path, credentials: dict[str, Any]) -> None:
    with Redis(sandbox, sandbox_dir, credentials).at_work() as case:
        act("redis", **case.arguments)
        connection = {**case.arguments["connection"], **case.arguments["account"]}
        options = {"role": "primary", "replicas": 1, "acl_file": str(case.file)}  # type: ignore[attr-defined]
        assert lacking("redis", connection, options=options) == {}
        case.client.execute_command("ACL", "SETUSER", case.name, f"-{command}")  # type: ignore[attr-defined]
        found = lacking("redis", connection, options=options)
    # Without PING there is no session, and no check.
    expected = {check.id for check in checks("redis")} if command == "ping" else naming("redis", f"+{command}")
    assert set(found) == expected
    assert all(f"+{command}" in message or "PING" in message for message in found.values())


TABLES = ("platform_mark", "lease_holders", "leases", "runs", "tenants", "tenant_systems")


@pytest.mark.faults(sample=1)
@pytest.mark.parametrize("table", TABLES)
def test_registry(table: str, sandbox: dict[str, Any], sandbox_dir: Path, credentials: dict[str, Any]) -> None:
    with Control(sandbox, sandbox_dir, credentials).at_work() as case:
        act("control", **case.arguments)
        client, reader = case.client, case.reader  # type: ignore[attr-defined]
        client.execute("INSERT INTO platform_mark (environment, kind, marked_by) VALUES ('sandbox', 'sandbox', 'tests')")
        given = {"options": {"declared_ids": ["hr"]}, "tenants": [{"id": "hr", "tier": "team", "region": EAST}]}
        assert lacking("control", reader, **given) == {}
        client.execute(sql.SQL("REVOKE SELECT ON {} FROM {}").format(sql.Identifier(table), sql.Identifier(case.name)))
        found = lacking("control", reader, **given)
        # What migrations of later releases make is read without another run.
        client.execute("SET ROLE leanvibe_registry")
        client.execute("CREATE TABLE later (a int)")
        client.execute("RESET ROLE")
        assert act("control", check=True, **case.arguments)["run"]["changes"]
        assert ("later", "SELECT") in case.state()[1]
    assert set(found) == {check.id for check in checks("control") if table in check.grants[0].replace(",", " ").split()}
    assert all(f"{table}" in message.partition("This check needs: GRANT SELECT ON")[2] for message in found.values())


@pytest.mark.faults(sample=1)
@pytest.mark.parametrize("action", BUCKET_ACTIONS)
def test_object_store(action: str, sandbox: dict[str, Any], sandbox_dir: Path, credentials: dict[str, Any]) -> None:
    with ObjectStore(sandbox, sandbox_dir, credentials).at_work() as case:
        act("object_store", **case.arguments)
        connection = {**case.connection, **case.arguments["account"]}  # type: ignore[attr-defined]
        options = {"backup_buckets": [case.bucket]}  # type: ignore[attr-defined]
        assert lacking("object_store", connection, options=options) == {}
        policy = case.state()
        policy["Statement"][0]["Action"] = [one for one in BUCKET_ACTIONS if one != action]
        case.client.put_bucket_policy(Bucket=case.bucket, Policy=json.dumps(policy))  # type: ignore[attr-defined]
        found = lacking("object_store", connection, options=options)
    assert set(found) == {"object_store.backup_buckets"}
    assert action in found["object_store.backup_buckets"]


# The right -> the checks that cannot do without. Those of pg_monitor are many; each that is unknown without it names it.
POSTGRESQL = {
    "pg_monitor": set[str](),
    "pg_catalog.pg_statistic": {"postgresql.bloat"},
    "SCHEMA leanvibe_private": {"postgresql.heartbeat", "postgresql.isolation"},
    "leanvibe_private.heartbeat": {"postgresql.heartbeat", "postgresql.isolation"},
    "SEQUENCES": {"postgresql.sequences"},
}


@contextmanager
def without(session: psycopg.Connection[Any], statement: str) -> Iterator[None]:
    """While what a statement grants is taken away."""
    taken = statement.replace("GRANT ", "REVOKE ", 1).replace(" TO ", " FROM ", 1)
    try:
        session.execute(taken)  # type: ignore[call-overload]
        yield
    finally:
        session.execute(statement)  # type: ignore[call-overload]


@pytest.mark.faults(sample=1)
@pytest.mark.parametrize("words", POSTGRESQL)
def test_postgresql(words: str, sandbox: dict[str, Any], credentials: dict[str, Any]) -> None:
    statement = next(right.statement for right in RIGHTS if right.statement.startswith("GRANT") and words in right.statement)
    address = sandbox["regions"][EAST]["postgresql"]
    common = {"host": address["host"], "port": address["port"], "database": "leanvibe", "sslmode": "verify-full", "sslrootcert": sandbox["ca_file"]}
    account = {"username": "leanvibe_health", "password": credentials["postgresql"]["leanvibe_health"]}
    operations = {**common, "username": "leanvibe_operations", "password": credentials["postgresql"]["leanvibe_operations"]}
    reader = {**common, **account}
    assert act("postgresql", connection=operations, account=account)["run"]["verdict"] == "succeeded"
    assert lacking("postgresql", reader) == {}
    with postgresql(sandbox, credentials, "leanvibe") as session, without(session, statement):
        told = act("postgresql", connection=operations, account=account)["run"]
        found = lacking("postgresql", reader)
    assert told["verdict"] == "refused"
    assert statement in told["message"]
    assert "platform_database" in told["message"]
    assert POSTGRESQL[words] <= set(found)
    assert POSTGRESQL[words] == set(found) or (words == "pg_monitor" and len(found) > 8)
    assert all("GRANT" in message and (words in message or words == "pg_monitor") for message in found.values()), found
    assert act("postgresql", connection=operations, account=account)["run"]["verdict"] == "succeeded"


def test_pgbouncer(sandbox: dict[str, Any], credentials: dict[str, Any]) -> None:
    where = sandbox["regions"][EAST]["pgbouncer"]
    common = {"host": where["host"], "port": where["port"], "sslmode": "verify-full", "sslrootcert": sandbox["ca_file"]}
    secrets = credentials["pgbouncer"]
    account = {"username": "pgbouncer_health", "password": secrets["pgbouncer_health"]}
    admin = {**common, "username": "pgbouncer_admin", "password": secrets["pgbouncer_admin"]}
    assert act("pgbouncer", connection=admin, account=account)["run"]["verdict"] == "succeeded"
    assert lacking("pgbouncer", {**common, **account}) == {}
    console = psycopg.connect(**common, dbname="pgbouncer", user="pgbouncer_admin", password=secrets["pgbouncer_admin"], autocommit=True)
    try:
        console.cursor().execute("SET stats_users = 'somebody'")
        told = act("pgbouncer", connection=admin, account=account)["run"]
        found = lacking("pgbouncer", {**common, **account})
    finally:
        console.cursor().execute("RELOAD")
        console.close()
    assert told["verdict"] == "refused"
    assert "stats_users = pgbouncer_health, somebody" in told["message"]
    assert set(found) >= naming("pgbouncer", "stats_users")
    assert all("stats_users" in message or "may not look" in message for message in found.values())


# Every account may read /readyz and /version unless somebody took that away (system:public-info-viewer); the sandbox has no webhooks of services, and asks its
# controllers themselves.
KUBERNETES = (
    "nodes",
    "pods",
    "events",
    "persistentvolumeclaims",
    "storageclasses",
    "resourcequotas",
    "jobs",
    "cronjobs",
    "deployments",
    "poddisruptionbudgets",
    "apiservices",
    "namespaces",
    "validatingadmissionpolicies",
    "mutatingwebhookconfigurations",
    "/metrics",
)


@pytest.mark.faults(sample=1)
@pytest.mark.parametrize("name", KUBERNETES)
def test_kubernetes(name: str, sandbox: dict[str, Any], sandbox_dir: Path) -> None:
    cluster = Cluster(sandbox, sandbox_dir, EAST)
    parts = sandbox["regions"][EAST]["kubernetes"]
    connection = {"kubeconfig": parts["kubeconfig"], "context": parts["context"]}
    arguments: dict[str, Any] = {"connection": connection, "subject": {"kind": "User", "name": "leanvibe-health"}}
    reader = {**connection, "kubeconfig": parts["health_kubeconfig"]}
    options = {"controllers": parts["controllers"], "tls_secrets": []}
    act("kubernetes", **arguments)
    assert lacking("kubernetes", reader, options=options) == {}
    rules = json.loads(cluster.kubectl("get", "clusterrole", READER, "-o", "jsonpath={.rules}"))
    for rule in rules:
        for part in ("resources", "nonResourceURLs"):
            if part in rule:
                rule[part] = [one for one in rule[part] if one != name]
    left = [rule for rule in rules if rule.get("resources") or rule.get("nonResourceURLs")]
    try:
        cluster.kubectl("patch", "clusterrole", READER, "--type=json", "-p", json.dumps([{"op": "replace", "path": "/rules", "value": left}]))
        found = lacking("kubernetes", reader, options=options)
    finally:
        assert act("kubernetes", **arguments)["changed"] is True
    expected = {check.id for check in checks("kubernetes") if any(name in grant.replace(",", " ").split() for grant in check.grants)}
    assert set(found) == expected
    assert all(name in message and READER in message for message in found.values())
