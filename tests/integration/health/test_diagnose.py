# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A diagnosis on the sandbox: what is slow is found with its proof and ranked first, who blocks whom is told with the root, and nothing is made up."""

from __future__ import annotations

import contextlib
import hashlib
import json
import secrets
import stat
import subprocess
import tarfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
import redis
from ansible_collections.leanvibe.ops.plugins.module_utils.diagnosis.postgresql import IN_DEPTH
from ansible_collections.leanvibe.ops.plugins.module_utils.diagnosis.ranking import plan, rank
from ansible_collections.leanvibe.ops.plugins.module_utils.health.results import Run
from ansible_collections.leanvibe.ops.plugins.module_utils.reports.model import Item
from jsonschema import Draft202012Validator
from module_runs import EAST, WEST, eventually, look
from psycopg import sql

pytestmark = pytest.mark.sandbox
Play = Callable[..., subprocess.CompletedProcess[str]]
ROWS = 400_000
STATEMENTS = ["postgresql.statements", "postgresql.tenant_statements", "postgresql.missing_indexes"]
AREAS = ["infrastructure", "application", "database", "dependencies", "business_logic"]


class Ward:
    """A database of our own on the sandbox's primary, in which things are slow."""

    def __init__(self, sandbox: dict[str, Any], credentials: dict[str, Any]) -> None:
        self.sandbox, self.passwords = sandbox, {**credentials["postgresql"]}
        self.id = f"dx{secrets.token_hex(3)}"
        self.noisy, self.quiet = f"tenant_{self.id}_noisy", f"tenant_{self.id}_quiet"

    def connect(self, username: str = "postgres", database: str = "") -> psycopg.Connection[Any]:
        address = self.sandbox["regions"][EAST]["postgresql"]
        tls = {"sslmode": "verify-full", "sslrootcert": self.sandbox["ca_file"]}
        where = {"host": address["host"], "port": address["port"], "dbname": database or self.id}
        return psycopg.connect(**where, **tls, user=username, password=self.passwords[username], connect_timeout=10, autocommit=True, prepare_threshold=None)

    def tell(self, *statements: Any, database: str = "") -> None:
        with self.connect(database=database) as session:
            for statement in statements:
                session.execute(statement)

    def make(self) -> None:
        self.tell(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(self.id)), database="postgres")
        for role in (self.noisy, self.quiet):
            self.passwords[role] = secrets.token_urlsafe(16)
            self.tell(sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(sql.Identifier(role), sql.Literal(self.passwords[role])))
        self.tell(
            "CREATE EXTENSION pg_stat_statements",
            "CREATE TABLE big AS SELECT n AS id, md5(n::text) AS note FROM generate_series(1, 400000) n",
            "CREATE TABLE small (id int PRIMARY KEY, value int)",
            "INSERT INTO small VALUES (1, 0), (2, 0), (3, 0)",
            "GRANT SELECT ON big TO leanvibe_health",
            "ANALYZE",
        )

    def remove(self) -> None:
        self.tell(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(self.id)), database="postgres")
        for role in (self.noisy, self.quiet):
            self.tell(sql.SQL("DROP ROLE IF EXISTS {}").format(sql.Identifier(role)), database="postgres")

    def look(self, before: Run | None = None, tenant: str = "", database: str = "", **arguments: Any) -> Run:
        address = self.sandbox["regions"][EAST]["postgresql"]
        tls = {"sslmode": "verify-full", "sslrootcert": self.sandbox["ca_file"]}
        login = {"username": "leanvibe_health", "password": self.passwords["leanvibe_health"], "database": database or self.id}
        options = {"role": "primary", "diagnosed_tenant": tenant, "counters_before": before.facts["counters"] if before else {}}
        connection = {"host": address["host"], "port": address["port"], **login, **tls}
        return look("postgresql", EAST, connection, profile="diagnose", options=options, budget=60, **arguments)


@pytest.fixture(scope="module")
def ward(sandbox: dict[str, Any], credentials: dict[str, Any]) -> Iterator[Ward]:
    made = Ward(sandbox, credentials)
    try:
        made.make()
        yield made
    finally:
        made.remove()


def found(run: Run, name: str) -> list[dict[str, Any]]:
    return [item for item in run.items if item["id"] == name]


def bad(run: Run, *names: str) -> set[tuple[str, str]]:
    return {(item["subject"], item["verdict"]) for item in run.items if item["id"] in names and item["verdict"] not in ("ok", "skipped")}


def items_of(run: Run) -> list[Item]:
    names = ("id", "subject", "verdict", "message", "tenants", "observed", "unit", "threshold", "evidence", "runbook", "query")
    return [Item(**{name: item[name] for name in names}) for item in run.items]


def busy(ward: Ward, username: str, query: str, seconds: float, values: tuple[Any, ...] = ()) -> None:
    """The same statement again and again."""
    with ward.connect(username) as session:
        ends = time.monotonic() + seconds
        while time.monotonic() < ends:
            session.execute(query, values)  # type: ignore[call-overload]


def scanned(ward: Ward) -> str:
    """What a plan of the statement does with its table, asked independently."""
    with ward.connect() as session:
        row = session.execute("EXPLAIN (FORMAT JSON) SELECT id FROM big WHERE note = 'x'").fetchone()
    plan_ = row[0][0]["Plan"] if row else {}
    return str((plan_.get("Plans") or [plan_])[0]["Node Type"])


def test_a_slow_statement_is_found_with_its_index_and_ranked_first(ward: Ward) -> None:
    before = ward.look(only=STATEMENTS)
    assert bad(before, "postgresql.missing_indexes") == set()
    busy(ward, "postgres", "SELECT id FROM big WHERE note = %s", 7.0, ("nobody",))
    slow = ward.look(before, only=STATEMENTS)
    assert bad(slow, "postgresql.missing_indexes") == {(f"{EAST}/postgresql/public.big(note)", "degraded")}
    (index,) = (item for item in found(slow, "postgresql.missing_indexes") if item["verdict"] == "degraded")
    assert index["unit"] == "s/h"
    assert index["observed"] > 1000
    assert f"EXPLAIN reads all {ROWS} rows to find 1 " in index["evidence"]
    assert "hypopg is not in this database" in index["evidence"]
    assert "CREATE INDEX CONCURRENTLY ON public.big (note)" in index["message"]
    assert scanned(ward) in ("Seq Scan", "Gather")
    first, second, *_rest = rank(items_of(slow))
    assert (first.item.id, first.unit, first.phase) == ("postgresql.missing_indexes", "s/h", "quick wins")
    assert (second.item.id, second.effect) == ("postgresql.statements", first.effect)
    assert "SELECT id FROM big WHERE note = $1" in second.item.message
    try:
        ward.tell("CREATE INDEX big_note ON big (note)", "ANALYZE big")
        assert scanned(ward) in ("Index Scan", "Bitmap Heap Scan")
        middle = ward.look(slow, only=STATEMENTS)
        busy(ward, "postgres", "SELECT id FROM big WHERE note = %s", 6.0, ("nobody",))
        assert bad(ward.look(middle, only=STATEMENTS), "postgresql.missing_indexes") == set()
    finally:
        ward.tell("DROP INDEX IF EXISTS big_note")


def test_what_may_not_be_explained_is_unknown_and_hides_nothing_else(ward: Ward) -> None:
    """What lacks a right says which; the statements after it are explained all the same."""
    ward.tell("CREATE TABLE closed AS SELECT * FROM big", "ANALYZE closed")
    before = ward.look(only=STATEMENTS)
    try:
        busy(ward, "postgres", "SELECT max(id) FROM closed WHERE note = %s", 6.0, ("nobody",))
        busy(ward, "postgres", "SELECT min(id) FROM big WHERE note = %s", 4.0, ("nobody",))
        run = ward.look(before, only=STATEMENTS)
    finally:
        ward.tell("DROP TABLE closed")
    place = f"{EAST}/postgresql"
    assert bad(run, "postgresql.missing_indexes") == {(f"{place}/not explained", "unknown"), (f"{place}/public.big(note)", "degraded")}
    (item,) = (one for one in found(run, "postgresql.missing_indexes") if one["verdict"] == "unknown")
    assert item["message"].startswith("1 statement(s) that take time could not be explained")
    assert "GRANT SELECT ON" in item["message"]
    assert "permission denied for table closed" in item["evidence"]


def test_the_lock_tree_of_three_sessions_is_told_with_its_root(ward: Ward) -> None:
    sessions = [ward.connect() for _number in range(3)]
    pids = [session.info.backend_pid for session in sessions]
    waiting: list[threading.Thread] = []

    def later(session: psycopg.Connection[Any], statement: str) -> None:
        def work() -> None:
            with contextlib.suppress(psycopg.Error):
                session.execute(statement)  # type: ignore[arg-type]

        waiting.append(threading.Thread(target=work, daemon=True))
        waiting[-1].start()

    try:
        for session, row in zip(sessions, (1, 2, 3), strict=True):
            session.execute("BEGIN")
            session.execute("UPDATE small SET value = value + 1 WHERE id = %s", (row,))
        later(sessions[1], "UPDATE small SET value = value + 1 WHERE id = 1")
        later(sessions[2], "UPDATE small SET value = value + 1 WHERE id = 2")

        def blocked() -> bool:
            with ward.connect() as observer:
                rows = [observer.execute("SELECT pg_blocking_pids(%s)", (pid,)).fetchone() for pid in pids]
            return [row[0] if row else None for row in rows] == [[], [pids[0]], [pids[1]]]

        eventually(blocked, "the tree")
        time.sleep(1.3)
        run = ward.look(only=["postgresql.lock_trees"])
    finally:
        for session in sessions:
            session.cancel()
        for thread in waiting:
            thread.join(10)
        for session in sessions:
            session.close()
    (item,) = run.items
    assert (item["verdict"], item["observed"], item["unit"]) == ("degraded", 7200, "s/h")
    assert item["message"].startswith(f"root process {pids[0]} (postgres): idle in transaction")
    assert f"pg_terminate_backend({pids[0]})" in item["message"]
    lines = item["evidence"].splitlines()
    assert [line.split(" (")[0] for line in lines] == [f"process {pids[0]}", f"  <- process {pids[1]}", f"    <- process {pids[2]}"]
    eventually(lambda: bad(ward.look(only=["postgresql.lock_trees"]), "postgresql.lock_trees") == set(), "peace")


def test_a_noisy_tenant_has_the_biggest_share(ward: Ward) -> None:
    noisy, quiet = (name.removeprefix("tenant_").replace("_", "-") for name in (ward.noisy, ward.quiet))
    before = ward.look(only=STATEMENTS)
    busy(ward, ward.quiet, "SELECT count(*) FROM generate_series(1, 1000)", 0.5)
    busy(ward, ward.noisy, "SELECT count(*) FROM generate_series(1, 300000)", 7.0)
    run = ward.look(before, only=STATEMENTS)
    first, second, *_others = found(run, "postgresql.tenant_statements")
    assert (first["subject"], first["verdict"], first["tenants"]) == (f"{EAST}/postgresql/tenant/{noisy}", "degraded", [noisy])
    assert second["subject"] == f"{EAST}/postgresql/tenant/{quiet}"
    assert first["observed"] > 50 > second["observed"] > 0
    # Its own statement is told as its.
    assert [item["tenants"] for item in found(run, "postgresql.statements") if item["verdict"] == "degraded"] == [[noisy]]
    (own,) = found(ward.look(before, tenant=quiet, only=STATEMENTS), "postgresql.tenant_statements")
    assert (own["subject"], own["verdict"]) == (f"{EAST}/postgresql/tenant/{quiet}", "ok")
    assert "; number 2 of " in own["message"]


def test_without_the_extension_it_is_unknown_and_says_the_way_out(ward: Ward) -> None:
    bare = f"{ward.id}_bare"
    ward.tell(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(bare)), database="postgres")
    try:
        run = ward.look(database=bare, only=[check.id for check in IN_DEPTH])
    finally:
        ward.tell(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(bare)), database="postgres")
    unknown = {item["id"]: item["message"] for item in run.items if item["verdict"] == "unknown"}
    assert set(unknown) == set(STATEMENTS)
    assert all("CREATE EXTENSION pg_stat_statements" in message and "shared_preload_libraries" in message for message in unknown.values())


def test_secrets_in_statements_are_never_shown(ward: Ward) -> None:
    """The server keeps statements that are no queries as they were typed, and what is in a query's comment."""
    planted = [f"planted-{secrets.token_hex(8)}" for _number in range(3)]
    before = ward.look(only=STATEMENTS)
    with ward.connect() as session:
        session.execute(sql.SQL("ALTER ROLE {} PASSWORD {}").format(sql.Identifier(ward.quiet), sql.Literal(planted[0])))
        session.execute(sql.SQL("DO $do$ BEGIN PERFORM pg_sleep(3), {}; END $do$").format(sql.Literal(planted[1])))
        session.execute(sql.SQL("SELECT pg_sleep(3) /* token {} */").format(sql.SQL(planted[2])))  # type: ignore[arg-type]
    with ward.connect() as session:
        kept = " ".join(row[0] for row in session.execute("SELECT query FROM pg_stat_statements").fetchall())
        assert [secret in kept for secret in planted] == [True, True, True]
    run = ward.look(before)
    told = json.dumps(run.to_mapping())
    assert [secret in told for secret in planted] == [False, False, False]
    shown = [item["message"] for item in found(run, "postgresql.statements")]
    assert any("DO $do$ …" in message for message in shown)
    assert any("SELECT pg_sleep($1)" in message for message in shown)


def test_the_tenants_memory_in_redis_is_what_redis_says(ward: Ward, sandbox: dict[str, Any], credentials: dict[str, Any]) -> None:
    address = sandbox["regions"][EAST]["redis"]
    login = {"username": "operations", "password": credentials["redis"]["operations"]}
    client = redis.Redis(host=address["host"], port=address["port"], **login, socket_timeout=10)
    keys = [f"tenant:{ward.id}-big:{number}" for number in range(30)] + [f"tenant:{ward.id}-small:1"]
    try:
        for key in keys:
            client.set(key, b"x" * (100_000 if "-big:" in key else 100))
        connection = {"host": address["host"], "port": address["port"], **login}
        options = {"role": "primary", "diagnosed_tenant": f"{ward.id}-big"}
        run = look("redis", EAST, connection, profile="diagnose", only=["redis.tenant_memory", "redis.commands"], options=options)
        size = sum(client.memory_usage(key) or 0 for key in keys if "-big:" in key)
    finally:
        client.delete(*keys)
    (item,) = found(run, "redis.tenant_memory")
    assert (item["subject"], item["tenants"], item["verdict"]) == (f"{EAST}/redis/tenant/{ward.id}-big", [f"{ward.id}-big"], "ok")
    assert f"{size / 2**20:.1f} MiB of " in item["message"]
    assert item["observed"] > 50
    run = look("redis", EAST, {**connection, "username": "health", "password": credentials["redis"]["health"]}, profile="diagnose", options={"role": "primary"})
    (item,) = found(run, "redis.tenant_memory")
    assert item["verdict"] == "unknown"
    assert "+scan +memory|usage" in item["message"]


@pytest.mark.parametrize(
    ("selection", "words"),
    [(["no-such-tenant"], "no-such-tenant"), (["acme-corp", "globex"], "tenant_selection chooses 2 tenants (acme-corp, globex); name one")],
)
def test_what_is_not_one_tenant_is_refused_before_anything(run_playbook: Play, tmp_path: Path, selection: list[str], words: str) -> None:
    done = run_playbook("diagnose", extra_vars={"report_dir": str(tmp_path / "reports"), "tenant_selection": selection})
    assert done.returncode != 0
    assert words in done.stdout.replace("\n", " ").replace("    ", "")
    assert "Look at the endpoints" not in done.stdout
    assert not (tmp_path / "reports").exists()


def secrets_of(value: Any) -> set[str]:
    if isinstance(value, dict):
        return {secret for item in value.values() for secret in secrets_of(item)}
    if isinstance(value, list):
        return {secret for item in value for secret in secrets_of(item)}
    return {value} if isinstance(value, str) and len(value) >= 12 else set()


@pytest.mark.usefixtures("provisioned")
def test_a_tenant_is_diagnosed_and_the_bundle_tells_no_secret(run_playbook: Play, credentials: dict[str, Any], checkout: Path, tmp_path: Path) -> None:
    done = run_playbook("diagnose", extra_vars={"report_dir": str(tmp_path), "tenant_selection": "acme-corp", "bundle": True, "diagnose_connect_timeout": 20})
    report = json.loads((tmp_path / "diagnose/latest.json").read_text(encoding="utf-8"))
    schema = json.loads((checkout / "docs/schemas/report-v1.json").read_text(encoding="utf-8"))
    assert [error.message for error in Draft202012Validator(schema).iter_errors(report)] == []
    told = report["diagnosis"]
    assert told["tenant"] == "acme-corp"
    assert [area["area"] for area in told["areas"]] == AREAS
    assert (done.returncode == 0) == (report["verdict"] in ("ok", "degraded"))
    # The plan is a partition of the findings, whatever they are today.
    findings = {(item["id"], item["subject"], item["message"]) for item in report["items"] if item["verdict"] in ("critical", "unknown", "degraded")}
    assert {(one["id"], one["subject"], one["message"]) for one in told["ranking"]} == findings
    assert sorted(number for phase in told["plan"] for number in phase["findings"]) == [one["rank"] for one in told["ranking"]]
    # The tenant's part is told of every system that can tell it.
    part = {item["id"] for item in report["items"] if "/tenant/acme-corp" in item["subject"]}
    wanted = {"postgresql.tenant_size", "postgresql.tenant_statements", "redis.tenant_memory", "kubernetes.tenant_quota", "object_store.tenant_objects"}
    whole = {item["id"] for item in report["items"] if item["message"].startswith("nothing at all is taken")}
    assert wanted - part - whole == set()
    (packed,) = (tmp_path / "diagnose").glob("*.tar.gz")
    assert stat.S_IMODE(packed.stat().st_mode) == 0o600
    with tarfile.open(packed) as tar:
        contents = {entry.name.split("/", 1)[1]: (tar.extractfile(entry) or packed.open("rb")).read() for entry in tar.getmembers()}
        assert {entry.mode for entry in tar.getmembers()} == {0o600}
    sums = dict(reversed(line.split("  ", 1)) for line in contents.pop("SHA256SUMS").decode().splitlines())
    assert sums == {name: hashlib.sha256(body).hexdigest() for name, body in contents.items()}
    assert {"report.json", "report.html", "summary.txt"} < set(contents)
    assert {name.split("-", 1)[1] for name in contents if name.startswith("endpoints/")} >= {f"{EAST}-postgresql.json", f"{WEST}-monitoring.json"}
    hidden = secrets_of(credentials)
    assert len(hidden) > 10
    everything = b"".join(contents.values()) + done.stdout.encode() + (tmp_path / "diagnose/latest.html").read_bytes()
    assert [len(secret) for secret in hidden if secret.encode() in everything] == []


def test_ranking_and_plan_agree_on_what_the_sandbox_says(ward: Ward) -> None:
    ranked = rank(items_of(ward.look()))
    assert sorted(number for phase in plan(ranked) for number in phase["findings"]) == [one.rank for one in ranked]
