# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Accounts that may only look: how they are made, what a run of the health checks tells with nothing else, and that they can write nothing.

What each of their rights is needed for is in test_health_reader_rights.py.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest
import redis
from ansible_collections.leanvibe.ops.plugins.module_utils.clients.neo4j import SYSTEM_DATABASE, Neo4jError, connect
from ansible_collections.leanvibe.ops.plugins.module_utils.health.catalogue import everything
from ansible_collections.leanvibe.ops.plugins.module_utils.health.systems.neo4j_rights import GRANTS
from ansible_collections.leanvibe.ops.plugins.module_utils.health_reader import neo4j
from botocore.exceptions import ClientError
from health_cluster import Cluster
from reader_cases import CASES, EAST, act, postgresql, s3

pytestmark = pytest.mark.sandbox
Play = Callable[..., subprocess.CompletedProcess[str]]
WEST = "us-west-2"
REGION = "leanvibe_ops_sandbox_region"
SECRETS = "leanvibe_ops_sandbox_credentials"
# On versitygw the policies of tenants' buckets are the tenants operation's.
UNSEEN = {("object_store.tenant_buckets", f"{region}/object_store") for region in (EAST, WEST)}
UNSEEN |= {("object_store.tenant_versioning", f"{region}/object_store") for region in (EAST, WEST)}


@pytest.mark.parametrize("system", CASES)
def test_an_account_is_made_and_set_back_and_left_alone(system: str, sandbox: dict[str, Any], sandbox_dir: Path, credentials: dict[str, Any]) -> None:
    with CASES[system](sandbox, sandbox_dir, credentials).at_work() as case:
        before = case.state()
        would = act(system, check=True, **case.arguments)
        assert (would["changed"], would["run"]["verdict"]) == (True, "succeeded")
        assert case.state() == before
        done = act(system, **case.arguments)
        assert done["run"] == {**would["run"], "notes": done["run"]["notes"]}
        good = case.state()
        assert good != before
        assert act(system, **case.arguments)["changed"] is False
        case.drift()
        drifted = case.state()
        assert drifted != good
        assert act(system, check=True, **case.arguments)["changed"] is True
        assert case.state() == drifted
        back = act(system, **case.arguments)
        assert back["run"]["changes"]
        assert {change["action"] for change in back["run"]["changes"]} == {"update"}
        assert case.state() == good
        assert act(system, **case.arguments)["changed"] is False


def test_statements_for_neo4j_enterprise_are_known_to_its_parser(sandbox: dict[str, Any], credentials: dict[str, Any]) -> None:
    """Community knows the language of Enterprise and refuses to obey it."""
    texts = (neo4j.CREATE_ROLE, neo4j.PRIVILEGES, neo4j.ROLES, neo4j.GRANT_ROLE, *GRANTS)
    with connect({"uri": sandbox["regions"][EAST]["neo4j"]["uri"], "password": credentials["neo4j"][EAST]}, 60) as client:
        for text in texts:
            with pytest.raises(Neo4jError) as refused:
                client.rows(text, SYSTEM_DATABASE, role="hr_never", user="hr_never")
            assert "Syntax" not in refused.value.code, text
            assert "Unsupported" in refused.value.message or "not supported" in refused.value.message.lower(), refused.value.message
        # What Community obeys, too.
        assert client.rows(neo4j.USERS, SYSTEM_DATABASE, user="hr_never") == []


@pytest.fixture(scope="module")
def readers(run_playbook: Play, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The sandbox's accounts that may only look, made by the playbook; its report."""
    folder = tmp_path_factory.mktemp("readers")
    done = run_playbook("health_reader", extra_vars={"report_dir": str(folder), "health_reader_timeout": 60}, timeout=590)
    assert done.returncode == 0, done.stdout[-3000:]
    return dict(json.loads((folder / "health_reader/latest.json").read_text(encoding="utf-8")))


def only_readers(credentials: dict[str, Any]) -> dict[str, Any]:
    """Variables of an operator who was given nothing but accounts that may only look: of the sandbox's secrets he has theirs.

    Neo4j Community has no such account, and AWS' stand-in checks none.
    """
    kept = {
        "postgresql": ("leanvibe_health", "leanvibe_registry_health"),
        "pgbouncer": ("pgbouncer_health",),
        "redis": ("health",),
        "neo4j": (EAST, WEST),
        "backend": ("probe",),
    }
    theirs: dict[str, Any] = {system: {name: credentials[system][name] for name in names} for system, names in kept.items()}
    theirs["object_store"] = {region: {"health": credentials["object_store"][region]["health"]} for region in (EAST, WEST)}
    tls = {"sslmode": "verify-full", "sslrootcert": "{{ leanvibe_ops_ca_file }}"}

    def database(system: str, user: str, secret: str, name: str, region: str = REGION) -> dict[str, str]:
        where = {"host": f"{{{{ {region}.{system}.host }}}}", "port": f"{{{{ {region}.{system}.port }}}}", "database": name}
        return {**where, **tls, "username": user, "password": f"{{{{ {SECRETS}.{secret}.{user} }}}}"}

    platform = database("postgresql", "leanvibe_health", "postgresql", "leanvibe")
    registry = database("postgresql", "leanvibe_registry_health", "postgresql", "leanvibe_ops", f"leanvibe_ops_sandbox.regions['{EAST}']")
    cluster = {"kubeconfig": f"{{{{ {REGION}.kubernetes.health_kubeconfig }}}}", "context": f"{{{{ {REGION}.kubernetes.context }}}}"}
    store = f"{SECRETS}.object_store[leanvibe_ops_region].health"
    return {
        SECRETS: theirs,
        "leanvibe_ops_kubernetes": cluster,
        "leanvibe_ops_postgresql": {**platform, "driver": "postgresql"},
        "leanvibe_ops_postgresql_migrations": platform,
        "leanvibe_ops_postgresql_superuser": platform,
        "leanvibe_ops_pgbouncer": {**database("pgbouncer", "pgbouncer_health", "pgbouncer", "pgbouncer"), "driver": "pgbouncer"},
        "leanvibe_ops_registry": registry,
        "leanvibe_ops_registry_superuser": registry,
        "leanvibe_ops_redis": {
            "driver": "self_managed",
            "host": f"{{{{ {REGION}.redis.host }}}}",
            "port": f"{{{{ {REGION}.redis.port }}}}",
            "username": "health",
            "password": f"{{{{ {SECRETS}.redis.health }}}}",
        },
        "leanvibe_ops_object_store": {
            "driver": "versitygw",
            "endpoint": f"{{{{ {REGION}.object_store.endpoint }}}}",
            "region": "{{ leanvibe_ops_region }}",
            "access_key": f"{{{{ {store}.access_key_id }}}}",
            "secret_key": f"{{{{ {store}.secret_access_key }}}}",
            "ca_file": "{{ leanvibe_ops_ca_file }}",
        },
        "leanvibe_ops_backend": {
            "url": f"{{{{ {REGION}.backend.url }}}}",
            "direct_url": f"{{{{ {REGION}.backend.direct_url }}}}",
            "worker_url": f"{{{{ {REGION}.worker.url }}}}",
            "probe": {"account": "probe", "password": f"{{{{ {SECRETS}.backend.probe }}}}"},
        },
    }


def health(run_playbook: Play, folder: Path, **more: Any) -> list[dict[str, Any]]:
    """The findings of a run of the health checks."""
    given = {"report_dir": str(folder), "health_connect_timeout": 60, "health_budget": 180, **more}
    done = run_playbook("health", extra_vars=given, timeout=590)
    path = folder / "health/latest.json"
    assert path.is_file(), done.stdout[-3000:]
    return list(json.loads(path.read_text(encoding="utf-8"))["items"])


def by_verdict(items: list[dict[str, Any]]) -> dict[tuple[str, str], set[str]]:
    """(check, region/system) -> its verdicts, of which any that is neither unknown nor skipped says that it looked."""
    found: dict[tuple[str, str], set[str]] = {}
    for item in items:
        place = "/".join(item["subject"].split("/")[:2])
        word = item["verdict"] if item["verdict"] in ("unknown", "skipped") else "looked"
        found.setdefault((item["id"], place), set()).add(word)
    return found


@pytest.mark.usefixtures("provisioned")
def test_with_nothing_but_accounts_that_look_a_run_tells_the_same(
    readers: dict[str, Any], run_playbook: Play, credentials: dict[str, Any], tmp_path: Path
) -> None:
    assert {item["verdict"] for item in readers["items"]} <= {"succeeded", "skipped"}
    everybody = by_verdict(health(run_playbook, tmp_path / "powerful"))
    items = health(run_playbook, tmp_path / "readers", **only_readers(credentials))
    readers_see = by_verdict(items)
    assert set(readers_see) == set(everybody)
    writing = {about.id for about in everything() if getattr(about, "writes", False)}
    less = {key for key, verdicts in everybody.items() if "looked" in verdicts and "looked" not in readers_see[key]}
    skipped = {key for key in less if readers_see[key] == {"skipped"}}
    assert {check for check, _place in skipped} == writing
    assert less - skipped == UNSEEN, [item["message"] for item in items if item["verdict"] == "unknown"]
    lacking = [item for item in items if (item["id"], "/".join(item["subject"].split("/")[:2])) in UNSEEN]
    assert all("a right is missing" in item["message"] and "This check needs: s3:" in item["message"] for item in lacking)
    assert {key for key, verdicts in readers_see.items() if "unknown" in verdicts} == UNSEEN


def test_who_looks_at_redis_can_neither_write_nor_read_a_key(readers: dict[str, Any], sandbox: dict[str, Any], credentials: dict[str, Any]) -> None:
    assert readers["verdict"] == "succeeded"
    for region in (EAST, WEST):
        where = sandbox["regions"][region]["redis"]
        with redis.Redis(host=where["host"], port=where["port"], username="health", password=credentials["redis"]["health"], socket_timeout=30) as client:
            assert client.ping()
            for command in (("SET", "hr", "1"), ("GET", "hr"), ("DEL", "hr"), ("CONFIG", "GET", "masterauth"), ("ACL", "SETUSER", "health", "+@all")):
                with pytest.raises(redis.exceptions.NoPermissionError):
                    client.execute_command(*command)


def test_who_looks_at_kubernetes_can_neither_write_nor_read_a_secret(readers: dict[str, Any], sandbox: dict[str, Any], sandbox_dir: Path) -> None:
    assert readers["verdict"] == "succeeded"
    cluster = Cluster(sandbox, sandbox_dir, EAST)
    own = ("--kubeconfig", sandbox["regions"][EAST]["kubernetes"]["health_kubeconfig"])
    assert "kube-system" in cluster.kubectl("get", "namespaces", "-o", "name", *own)
    for command in (
        ("create", "configmap", "hr", "-n", "default"),
        ("get", "secrets", "-A"),
        ("get", "configmaps", "-n", "default"),
        ("delete", "namespace", "default", "--dry-run=server"),
        ("create", "clusterrolebinding", "hr", "--clusterrole=cluster-admin", "--user=leanvibe-health"),
    ):
        with pytest.raises(AssertionError, match="forbidden"):
            cluster.kubectl(*command, *own)


WRITES = {
    "leanvibe_health": (
        "leanvibe",
        ("INSERT INTO leanvibe_private.heartbeat VALUES ('hr')", "SELECT * FROM leanvibe.users", "CREATE TABLE public.hr (a int)"),
    ),
    "leanvibe_registry_health": (
        "leanvibe_ops",
        (
            "INSERT INTO runs (run_id, operation, environment, owner) VALUES ('hr', 'x', 'x', 'x')",
            "UPDATE platform_mark SET kind = 'x'",
            "DELETE FROM leases",
            "SELECT nextval('lease_tokens')",
            "CREATE TABLE public.hr (a int)",
        ),
    ),
}


@pytest.mark.parametrize("user", WRITES)
def test_who_looks_at_postgresql_and_the_registry_can_write_nothing(
    readers: dict[str, Any], sandbox: dict[str, Any], credentials: dict[str, Any], user: str
) -> None:
    database, statements = WRITES[user]
    assert readers["verdict"] == "succeeded"
    with postgresql(sandbox, credentials, database, user) as session:
        assert session.execute("SELECT current_user").fetchone() == (user,)
        for statement in statements:
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                session.execute(statement)  # type: ignore[call-overload]


def test_who_looks_at_pgbouncer_can_change_nothing(readers: dict[str, Any], sandbox: dict[str, Any], credentials: dict[str, Any]) -> None:
    assert readers["verdict"] == "succeeded"
    where = sandbox["regions"][EAST]["pgbouncer"]
    parts = {"host": where["host"], "port": where["port"], "dbname": "pgbouncer", "sslmode": "verify-full", "sslrootcert": sandbox["ca_file"]}
    session = psycopg.connect(**parts, user="pgbouncer_health", password=credentials["pgbouncer"]["pgbouncer_health"], autocommit=True)
    with session.cursor() as cursor:
        assert cursor.execute("SHOW VERSION").fetchone()
        for command in ("PAUSE", "RELOAD", "KILL leanvibe"):
            with pytest.raises(psycopg.Error, match="admin access needed"):
                cursor.execute(command)
    session.close()


def test_who_looks_at_the_object_store_can_neither_write_nor_read_an_object(
    readers: dict[str, Any], sandbox: dict[str, Any], credentials: dict[str, Any]
) -> None:
    assert readers["verdict"] == "succeeded"
    client = s3(sandbox, credentials["object_store"][EAST]["health"])
    bucket = sandbox["regions"][EAST]["object_store"]["backup_bucket"]
    assert client.get_bucket_versioning(Bucket=bucket)["Status"] == "Enabled"
    there = s3(sandbox, credentials["object_store"][EAST]["root"]).list_objects_v2(Bucket=bucket, MaxKeys=1)["Contents"][0]["Key"]
    for call in (
        lambda: client.put_object(Bucket=bucket, Key="hr", Body=b"x"),
        lambda: client.get_object(Bucket=bucket, Key=there),
        lambda: client.delete_object(Bucket=bucket, Key=there),
        lambda: client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Suspended"}),
        lambda: client.delete_bucket_policy(Bucket=bucket),
        lambda: client.create_bucket(Bucket="hr-never"),
    ):
        with pytest.raises(ClientError, match=r"AccessDenied|Access Denied"):
            call()
