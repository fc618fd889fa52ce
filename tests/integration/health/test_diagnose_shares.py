# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whose the rows and the graph are, on the sandbox: counts are what a superuser counts, who counts sees nothing else, and what cannot be counted is no zero."""

from __future__ import annotations

import re
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import neo4j
import psycopg
import pytest
from ansible_collections.leanvibe.ops.plugins.module_utils.diagnosis import neo4j as in_graph
from ansible_collections.leanvibe.ops.plugins.module_utils.diagnosis.postgresql import rows
from ansible_collections.leanvibe.ops.plugins.module_utils.diagnosis.ranking import rank, tenants_part
from ansible_collections.leanvibe.ops.plugins.module_utils.health.results import Run
from ansible_collections.leanvibe.ops.plugins.module_utils.platform_database import foundation
from ansible_collections.leanvibe.ops.plugins.module_utils.platform_database.audit import audit
from ansible_collections.leanvibe.ops.plugins.module_utils.reports.model import Item
from module_runs import EAST, WEST, look, module_result
from psycopg import sql

pytestmark = pytest.mark.sandbox
ROWS = "postgresql.tenant_rows"
STEP = '''"""A table that came later."""
from alembic import op
from protections import tenant_table
revision = "0099"
down_revision = "{previous}"

def upgrade():
    op.execute("CREATE TABLE leanvibe.notes (tenant_id text NOT NULL REFERENCES leanvibe.tenants, note int)")
    tenant_table("notes")
'''
FILL = """
INSERT INTO leanvibe.notes SELECT CASE n %% 20 WHEN 0 THEN %(small)s WHEN 1 THEN %(other)s ELSE %(big)s END, n FROM generate_series(1, 1200000) n
"""
CALL = "SELECT * FROM leanvibe_private.tenant_rows(%s, %s)"


class Shared:
    """A database of our own, made by the shipped modules and migrations and one that came later, in which a tenant has 90 % of the rows."""

    def __init__(self, sandbox: dict[str, Any], credentials: dict[str, Any], migrations: Path) -> None:
        self.sandbox, self.passwords, self.migrations = sandbox, {**credentials["postgresql"]}, migrations
        self.id = f"ds{secrets.token_hex(3)}"
        self.big, self.small, self.other = (f"{self.id}-{name}" for name in ("big", "small", "other"))
        self.role = f"tenant_{self.id}_big"

    def connection(self, username: str, database: str = "") -> dict[str, Any]:
        address = self.sandbox["regions"][EAST]["postgresql"]
        tls = {"sslmode": "verify-full", "sslrootcert": self.sandbox["ca_file"]}
        return {
            "host": address["host"],
            "port": address["port"],
            "database": database or self.id,
            "username": username,
            "password": self.passwords[username],
            **tls,
        }

    def connect(self, username: str = "postgres", database: str = "") -> psycopg.Connection[Any]:
        given = self.connection(username, database)
        given |= {"dbname": given.pop("database"), "user": given.pop("username")}
        return psycopg.connect(**given, connect_timeout=10, autocommit=True, prepare_threshold=None)

    def tell(self, *statements: Any, database: str = "") -> None:
        with self.connect(database=database) as session:
            for statement in statements:
                session.execute(statement)

    def make(self) -> None:
        self.tell(sql.SQL("CREATE DATABASE {} OWNER leanvibe_owner").format(sql.Identifier(self.id)), database="postgres")
        assert module_result("database_foundation", {"connection": self.connection("postgres")})["changed"]
        arguments = {"connection": self.connection("leanvibe_migrations"), "migrations": str(self.migrations)}
        assert module_result("database_migrate", {**arguments, "version_schema": "leanvibe_private", "isolation": True})["changed"]
        self.passwords[self.role] = secrets.token_urlsafe(16)
        role = sql.Identifier(self.role)
        with self.connect() as session:
            session.execute(sql.SQL("CREATE ROLE {} LOGIN PASSWORD {} IN ROLE leanvibe_tenants").format(role, sql.Literal(self.passwords[self.role])))
            for tenant in (self.big, self.small, self.other):
                session.execute("INSERT INTO leanvibe.tenants VALUES (%s, 'x', 'team', 'us-east-1', 'active')", (tenant,))
                session.execute("INSERT INTO leanvibe.users (tenant_id, email, display_name) VALUES (%s, 'planted-9k@example.com', 'x')", (tenant,))
            session.execute(FILL, {"big": self.big, "small": self.small, "other": self.other})

    def remove(self) -> None:
        self.tell(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(self.id)), database="postgres")
        self.tell(sql.SQL("DROP ROLE IF EXISTS {}").format(sql.Identifier(self.role)), database="postgres")

    def counted(self) -> dict[str, int]:
        """An independent count: a superuser's, of every table with a tenant."""
        found: dict[str, int] = {}
        with self.connect() as session:
            tables = session.execute("SELECT relname FROM pg_class c WHERE relkind = 'r' AND relnamespace = 'leanvibe'::regnamespace AND relname <> 'plans'")
            for (table,) in tables.fetchall():
                one = session.execute(sql.SQL("SELECT tenant_id, count(*) FROM {} GROUP BY 1").format(sql.Identifier("leanvibe", table)))
                for tenant, number in one.fetchall():
                    found[tenant] = found.get(tenant, 0) + number
        return found

    def look(self, tenant: str = "") -> Run:
        options = {"role": "primary", "diagnosed_tenant": tenant}
        return look("postgresql", EAST, self.connection("leanvibe_health"), profile="diagnose", only=[ROWS], options=options, budget=60, connect_timeout=30)


@pytest.fixture(scope="module")
def shared(sandbox: dict[str, Any], credentials: dict[str, Any], checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shared]:
    migrations = tmp_path_factory.mktemp("shared") / "migrations"
    shutil.copytree(checkout / "roles/platform_database/files/migrations", migrations, ignore=shutil.ignore_patterns("__pycache__"))
    last = max(path.name[:4] for path in (migrations / "versions").glob("[0-9]*.py"))
    (migrations / "versions/0099_notes.py").write_text(STEP.format(previous=last), encoding="utf-8")
    made = Shared(sandbox, credentials, migrations)
    try:
        made.make()
        yield made
    finally:
        made.remove()


def items_of(run: Run) -> list[Item]:
    names = ("id", "subject", "verdict", "message", "tenants", "observed", "unit", "threshold", "evidence", "runbook", "query")
    return [Item(**{name: item[name] for name in names}) for item in run.items]


def told(run: Run) -> dict[str, tuple[str, int]]:
    """Tenant -> verdict and the rows or nodes that its message tells, in the report's order."""
    shown = {item["tenants"][0]: (item["verdict"], re.search(r": (\d+) ", item["message"])) for item in run.items if item["tenants"]}
    return {tenant: (verdict, int(match[1]) if match else -1) for tenant, (verdict, match) in shown.items()}


def test_the_tenant_with_nine_tenths_of_the_rows_is_first_and_all_counts_are_a_superusers(shared: Shared) -> None:
    counts = shared.counted()
    assert counts == {shared.big: 1_080_002, shared.small: 60_002, shared.other: 60_002}
    run = shared.look()
    assert told(run) == {shared.big: ("degraded", 1_080_002), shared.other: ("ok", 60_002), shared.small: ("ok", 60_002)}
    assert [item["observed"] for item in run.items] == [round(100 * number / sum(counts.values()), 2) for number in (1_080_002, 60_002, 60_002)]
    assert "notes: 1080000 rows\ntenants: 1 rows\nusers: 1 rows" in str(run.items[0]["evidence"])
    (first,) = rank(items_of(run))
    assert (first.item.tenants, first.unit, first.effect, first.phase) == ([shared.big], "%", 90.0, "architecture")
    assert tenants_part(items_of(run))[0].tenants == [shared.big]
    assert told(shared.look(shared.small)) == {shared.small: ("ok", 60_002)}
    assert told(shared.look("nobody")) == {"nobody": ("ok", 0)}


def test_big_tables_are_sampled_and_the_estimate_is_near(shared: Shared, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "BUDGET", 600)
    run = shared.look(shared.big)
    (item,) = run.items
    assert "estimated: notes" in item["message"]
    assert "% of its pages" in item["evidence"]
    assert item["observed"] == pytest.approx(90.0, abs=3)
    assert told(run)[shared.big][1] == pytest.approx(1_080_002, rel=0.25)


def refused(session: psycopg.Connection[Any], statement: str, *values: Any) -> bool:
    try:
        session.execute(statement, values)  # type: ignore[call-overload]
    except (psycopg.errors.InsufficientPrivilege, psycopg.errors.UndefinedTable, psycopg.errors.UndefinedColumn):
        return True
    return False


def test_nobody_else_can_count_and_who_counts_sees_nothing_else(shared: Shared) -> None:
    for account in ("leanvibe_app", shared.role, "leanvibe_operations", "leanvibe_heartbeat"):
        with shared.connect(account) as session:
            assert refused(session, CALL, "notes", 100), account
            assert refused(session, "SET ROLE leanvibe_census"), account
    with shared.connect("leanvibe_app") as session:
        assert session.execute("SELECT count(*) FROM leanvibe.notes").fetchone() == (0,)
    with shared.connect("leanvibe_health") as session:
        counted = session.execute(CALL, ("users", 100)).fetchall()
        assert sorted(counted) == sorted((tenant, 1) for tenant in (shared.big, shared.small, shared.other))
        for statement in ("SELECT tenant_id FROM leanvibe.notes", "SELECT email FROM leanvibe.users", "SET ROLE leanvibe_census"):
            assert refused(session, statement)
        for name in ("plans", "project_progress", "pg_authid", "users AS t; SELECT 1 --", 'users" AS t, leanvibe."plans', "tenant_roles"):
            assert refused(session, CALL, name, 100), name
    with shared.connect("leanvibe_migrations") as session:
        session.execute("SET row_security = on")
        session.execute("SET ROLE leanvibe_owner")
        assert session.execute("SELECT count(*) FROM leanvibe.notes").fetchone() == (0,)  # FORCE still binds the owner
        session.execute("SET ROLE leanvibe_census")
        for statement in ("SELECT * FROM leanvibe.notes", "SELECT email FROM leanvibe.users", "DELETE FROM leanvibe.notes", "SELECT 1 FROM leanvibe.plans"):
            assert refused(session, statement)
    with shared.connect("leanvibe_operations") as session:
        assert audit(session).findings == ()


def test_a_grant_by_mistake_shows_the_health_account_no_row(shared: Shared) -> None:
    shared.tell("GRANT USAGE ON SCHEMA leanvibe TO leanvibe_health", "GRANT SELECT ON leanvibe.notes TO leanvibe_health")
    try:
        with shared.connect("leanvibe_health") as session:
            assert session.execute("SELECT count(*) FROM leanvibe.notes").fetchone() == (0,)
        with shared.connect("leanvibe_operations") as session:
            assert "grant" in {finding.rule for finding in audit(session).findings}
    finally:
        shared.tell("REVOKE ALL ON leanvibe.notes FROM leanvibe_health", "REVOKE USAGE ON SCHEMA leanvibe FROM leanvibe_health")


@pytest.mark.parametrize(
    ("broken", "mended", "verdict", "words"),
    [
        (
            "ALTER FUNCTION leanvibe_private.tenant_rows(name, real) RENAME TO away",
            "ALTER FUNCTION leanvibe_private.away(name, real) RENAME TO tenant_rows",
            "unknown",
            "run the role leanvibe.ops.platform_database",
        ),
        (
            "REVOKE EXECUTE ON FUNCTION leanvibe_private.tenant_rows(name, real) FROM leanvibe_health",
            "GRANT EXECUTE ON FUNCTION leanvibe_private.tenant_rows(name, real) TO leanvibe_health",
            "unknown",
            "This check needs: GRANT leanvibe_health TO <role>.",
        ),
        (
            "DROP POLICY census ON leanvibe.notes",
            "CREATE POLICY census ON leanvibe.notes FOR SELECT TO leanvibe_census USING (true)",
            "unknown",
            "not counted: leanvibe.notes (1 of 10 shared tables)",
        ),
    ],
    ids=["no function", "no right", "a table without policy"],
)
def test_what_cannot_be_counted_is_unknown_with_the_way_out(shared: Shared, broken: str, mended: str, verdict: str, words: str) -> None:
    shared.tell(broken)
    try:
        run = shared.look(shared.big)
    finally:
        shared.tell(mended)
    assert run.items[0]["verdict"] == verdict
    assert words in run.items[0]["message"]
    assert run.items[0]["observed"] is None


def test_a_locked_table_is_not_waited_for(shared: Shared) -> None:
    with shared.connect() as session, session.transaction(force_rollback=True):
        session.execute("LOCK TABLE leanvibe.users IN ACCESS EXCLUSIVE MODE")
        run = shared.look()
    assert [item["verdict"] for item in run.items] == ["unknown"]
    assert "did not finish in time" in run.items[0]["message"]
    assert run.seconds < 10


def test_where_nothing_is_shared_and_on_a_standby_it_is_skipped(shared: Shared, sandbox: dict[str, Any]) -> None:
    run = look("postgresql", EAST, shared.connection("leanvibe_health", "postgres"), profile="diagnose", only=[ROWS], options={"role": "primary"})
    assert [(item["verdict"], item["observed"]) for item in run.items] in ([("skipped", None)], [("unknown", None)])  # it may not even come in
    address = sandbox["regions"][WEST]["postgresql"]
    standby = {**shared.connection("leanvibe_health", "leanvibe"), "host": address["host"], "port": address["port"]}
    run = look("postgresql", WEST, standby, profile="diagnose", only=[ROWS], options={"role": "replica"})
    assert [item["verdict"] for item in run.items] == ["skipped"]


def test_who_counts_is_made_by_the_foundation(shared: Shared) -> None:
    with shared.connect() as session:
        assert [step.object for step in foundation.plan(foundation.observe(session), "postgresql")] == []
        row = session.execute("SELECT rolcanlogin, rolsuper, rolbypassrls, rolcreaterole FROM pg_roles WHERE rolname = 'leanvibe_census'").fetchone()
    assert row == (False, False, False, False)


# The graph

LABEL, PART = "DiagnosedThing", "DiagnosedPart"


class Graph:
    """The graph of one region, by a session of the test's own."""

    def __init__(self, uri: str, password: str) -> None:
        self.connection = {"uri": uri, "username": "neo4j", "password": password}
        self.driver = neo4j.GraphDatabase.driver(uri, auth=("neo4j", password), telemetry_disabled=True, notifications_min_severity="OFF")

    def ask(self, statement: Any, **values: Any) -> list[dict[str, Any]]:
        with self.driver.session() as session:
            return [dict(record) for record in session.run(statement, values)]

    def clear(self) -> None:
        self.ask(f"MATCH (n:{LABEL}) CALL (n) {{ DETACH DELETE n }} IN TRANSACTIONS OF 10000 ROWS")
        for name in ("diagnosed_thing", "diagnosed_part"):
            self.ask(f"DROP INDEX {name} IF EXISTS")


@pytest.fixture
def graph(sandbox: dict[str, Any], credentials: dict[str, Any]) -> Iterator[Graph]:
    made = Graph(sandbox["regions"][EAST]["neo4j"]["uri"], credentials["neo4j"][EAST])
    try:
        made.clear()
        made.ask(f"CREATE INDEX diagnosed_thing FOR (n:{LABEL}) ON (n.tenant_id)")
        made.ask(f"CREATE INDEX diagnosed_part FOR (n:{PART}) ON (n.tenant_id)")
        made.ask("CALL db.awaitIndexes(60)")
        yield made
    finally:
        made.clear()
        made.driver.close()


def held(run: Run, check: str) -> list[dict[str, Any]]:
    return [item for item in run.items if item["id"] == check]


def test_the_tenant_with_nine_tenths_of_the_graph_is_first_and_all_counts_are_the_graphs_own(graph: Graph, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(in_graph.JUDGED, in_graph.NODES, 400.0)
    for tenant, number in (("dx-big", 900), ("dx-small", 50), ("dx-other", 49)):
        graph.ask(f"UNWIND range(1, $number) AS i CREATE (:{LABEL} {{tenant_id: $tenant, i: i}})", tenant=tenant, number=number)
    graph.ask(f"MATCH (a:{LABEL} {{tenant_id: 'dx-big'}}) WHERE a.i < 100 CREATE (a)-[:LIKES]->(a)")
    graph.ask(f"MATCH (a:{LABEL} {{tenant_id: 'dx-small', i: 1}}), (b:{LABEL} {{tenant_id: 'dx-big', i: 1}}) CREATE (a)-[:NEXT]->(b)")
    graph.ask(f"MATCH (a:{LABEL} {{tenant_id: 'dx-small'}}) WHERE a.i < 10 SET a:{PART}")  # two labels, each with an index
    own = {row["tenant"]: row["nodes"] for row in graph.ask("MATCH (n) WHERE n.tenant_id STARTS WITH 'dx-' RETURN n.tenant_id AS tenant, count(*) AS nodes")}
    assert own == {"dx-big": 900, "dx-small": 50, "dx-other": 49}
    (whole,) = graph.ask("MATCH (n) RETURN count(n) AS nodes")
    run = look("neo4j", EAST, graph.connection, profile="diagnose", only=["neo4j.tenant_nodes", "neo4j.tenant_relationships"], budget=60, connect_timeout=30)
    nodes = held(run, "neo4j.tenant_nodes")
    assert (nodes[0]["subject"], nodes[0]["verdict"], nodes[0]["observed"]) == (
        f"{EAST}/neo4j/tenant/dx-big",
        "degraded",
        round(90_000 / whole["nodes"], 2),
    )
    assert {tenant: number for tenant, (_verdict, number) in told(Run("neo4j", EAST, items=nodes)).items() if tenant in own} == own
    relationships = held(run, "neo4j.tenant_relationships")
    assert f": 99 relationships of {graph.ask('MATCH ()-[r]->() RETURN count(r) AS n')[0]['n']} relationships" in relationships[0]["message"]
    assert next(one.item.tenants for one in rank(items_of(run))) == ["dx-big"]
    assert tenants_part(items_of(run))[0].tenants == ["dx-big"]
    options = {"diagnosed_tenant": "dx-other"}
    (one,) = held(
        look("neo4j", EAST, graph.connection, profile="diagnose", only=["neo4j.tenant_nodes"], options=options, connect_timeout=30), "neo4j.tenant_nodes"
    )
    assert (one["tenants"], one["verdict"]) == (["dx-other"], "ok")


def test_tenants_nodes_are_found_by_their_index(graph: Graph) -> None:
    with graph.driver.session() as session:
        plan = session.run("EXPLAIN " + in_graph.counting([(PART, "tenant_id"), (LABEL, "tenant_id")])).consume().plan or {}  # type: ignore[operator]
    operators = re.findall(r"'operatorType': '(\w+)", repr(plan))
    assert operators.count("NodeIndexScan") == 2, operators
    assert not {"AllNodesScan", "NodeByLabelScan", "Expand"} & set(operators)
