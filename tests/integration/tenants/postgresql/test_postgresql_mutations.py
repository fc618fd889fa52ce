# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One protection is dropped at a time: the audit names it, somebody gets at what is not his, provisioning is refused; restored, all is well again.

Protections that belong to the whole server (attributes and memberships of the platform's roles) are judged in tests/unit instead.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import psycopg
import pytest

Pair = tuple[dict[str, Any], dict[str, Any]]
Leak = Callable[[Any, Pair], bool]


def fetch(session: Any, statement: str, *parameters: Any) -> Any:
    """Rows, or None if the server refuses."""
    try:
        cursor = psycopg.ClientCursor(session)
        cursor.execute(statement, parameters)
        return cursor.fetchall() if cursor.description else [cursor.statusmessage]
    except psycopg.Error:
        return None


def tenant_reads(statement: str, *before: str) -> Leak:
    """A gets a row that holds B's marker or id."""

    def leak(lab: Any, pair: Pair) -> bool:
        with lab.as_tenant(pair[0]) as session:
            for item in before:
                fetch(session, item.format(b_id=pair[1]["id"]))
            shown = repr(fetch(session, statement.format(b_id=pair[1]["id"], b=lab.role(pair[1]))))
        return "secretB9k" in shown or pair[1]["id"] in shown

    return leak


def tenant_does(statement: str) -> Leak:
    """The server lets A do something (it is undone)."""

    def leak(lab: Any, pair: Pair) -> bool:
        with lab.as_tenant(pair[0]) as session, session.transaction(force_rollback=True):
            return fetch(session, statement.format(b_id=pair[1]["id"], b=lab.role(pair[1]))) is not None

    return leak


def application_does(statement: str, tenant: int | None = None) -> Leak:
    """The application gets rows (or is let do something) without a tenant, or as one of the pair (0: A)."""

    def leak(lab: Any, pair: Pair) -> bool:
        with lab.as_application() as session, session.transaction(force_rollback=True):
            if tenant is not None:
                session.execute("SELECT set_config('rls.tenant_id', %s, true)", (pair[tenant]["id"],))
            return bool(fetch(session, statement.format(b_id=pair[1]["id"])))

    return leak


def owner_reads(lab: Any, _pair: Pair) -> bool:
    """The owner itself, as which views and functions of the platform may run."""
    with lab.connect("leanvibe_migrations") as session:
        session.execute("SET ROLE leanvibe_owner")
        session.execute("SET row_security = on")
        return session.execute("SELECT count(*) FROM leanvibe.users").fetchone() != (0,)


def others_counted(lab: Any, pair: Pair) -> bool:
    """A plan that A sees tells how many rows were filtered out."""
    with lab.as_tenant(pair[0]) as session:
        for name in ("enable_indexscan", "enable_bitmapscan"):
            session.execute("SELECT set_config(%s, 'off', false)", (name,))
        return "Rows Removed by Filter" in repr(fetch(session, "EXPLAIN (ANALYZE) SELECT * FROM leanvibe.users"))


def plan_printed(lab: Any, pair: Pair) -> bool:
    """A makes the server print the plan behind its view."""
    printed: list[str] = []
    with lab.as_tenant(pair[0]) as session:
        session.add_notice_handler(lambda notice: printed.append(str(notice.message_detail)))
        session.execute("SET client_min_messages = log")
        session.execute("SET debug_print_plan = on")
        session.execute("SELECT * FROM leanvibe_shared.users")
    return any(node in text for text in printed for node in ("INDEXSCAN", "SEQSCAN", "BITMAPHEAPSCAN"))


def taken(lab: Any, pair: Pair) -> bool:
    """A learns that somebody has a value."""
    with lab.as_tenant(pair[0]) as session, session.transaction(force_rollback=True):
        return fetch(session, "INSERT INTO leanvibe_shared.projects (name) VALUES ('secretB9k0')") is None


def points_across(lab: Any, pair: Pair) -> bool:
    """A row of A points to a project of B."""
    project = lab.rows("SELECT min(project_id::text) FROM leanvibe.projects WHERE tenant_id = %s", pair[1]["id"])[0][0]
    with lab.as_tenant(pair[0]) as session, session.transaction(force_rollback=True):
        return fetch(session, "INSERT INTO leanvibe_shared.tasks (project_id, title) VALUES (%s, 'x')", project) is not None


def health_reads(statement: str, *before: str) -> Leak:
    """Who looks at the platform's health gets a value of B's, not only how many rows there are."""

    def leak(lab: Any, pair: Pair) -> bool:
        with lab.connect("leanvibe_health") as session:
            for item in before:
                fetch(session, item)
            shown = repr(fetch(session, statement.format(b_id=pair[1]["id"])))
        return "secretB9k" in shown or pair[1]["id"] in shown

    return leak


def census_reads(lab: Any, _pair: Pair) -> bool:
    """The role that counts gets a value; migrations alone can become it."""
    with lab.connect("leanvibe_migrations") as session:
        session.execute("SET ROLE leanvibe_census")
        session.execute("SET row_security = on")
        return "secretB9k" in repr(fetch(session, "SELECT email FROM leanvibe.users"))


def application_counts(lab: Any, pair: Pair) -> bool:
    """The application learns how many rows each tenant has."""
    with lab.as_application() as session:
        return pair[1]["id"] in repr(fetch(session, "SELECT * FROM leanvibe_private.tenant_rows('users', 100)"))


CENSUS = "leanvibe_private.tenant_rows(name, real)"


@dataclass(frozen=True)
class Mutation:
    """How to drop a protection and how to restore it, which rule must name it, and who then gets what."""

    name: str
    drop: str
    restore: str
    rule: str
    leak: Leak


RULE = "tenant_id = (SELECT leanvibe_private.session_tenant())"
MUTATIONS = (
    Mutation(
        "ENABLE",
        "ALTER TABLE leanvibe.users DISABLE ROW LEVEL SECURITY",
        "ALTER TABLE leanvibe.users ENABLE ROW LEVEL SECURITY",
        "rls-disabled",
        tenant_reads("SELECT * FROM leanvibe_shared.users"),
    ),
    Mutation(
        "ENABLE, seen by the application",
        "ALTER TABLE leanvibe.tasks DISABLE ROW LEVEL SECURITY",
        "ALTER TABLE leanvibe.tasks ENABLE ROW LEVEL SECURITY",
        "rls-disabled",
        application_does("SELECT * FROM tasks"),
    ),
    Mutation(
        "FORCE", "ALTER TABLE leanvibe.users NO FORCE ROW LEVEL SECURITY", "ALTER TABLE leanvibe.users FORCE ROW LEVEL SECURITY", "rls-not-forced", owner_reads
    ),
    Mutation(
        "USING of the application",
        "ALTER POLICY application ON leanvibe.users USING (true)",
        "ALTER POLICY application ON leanvibe.users USING (tenant_id = (SELECT NULLIF(current_setting('rls.tenant_id', true), '')))",
        "policy-using",
        application_does("SELECT * FROM users"),
    ),
    Mutation(
        "closed when unset",
        "ALTER POLICY application ON leanvibe.users USING (tenant_id = current_setting('rls.tenant_id', true) OR current_setting('rls.tenant_id', true) = '')",
        "ALTER POLICY application ON leanvibe.users USING (tenant_id = (SELECT NULLIF(current_setting('rls.tenant_id', true), '')))",
        "policy-using",
        application_does("SELECT * FROM users"),
    ),
    Mutation(
        "WITH CHECK of the application",
        "ALTER POLICY application ON leanvibe.users WITH CHECK (true)",
        "ALTER POLICY application ON leanvibe.users WITH CHECK (tenant_id = (SELECT NULLIF(current_setting('rls.tenant_id', true), '')))",
        "policy-check",
        application_does("INSERT INTO users (tenant_id, email, display_name) VALUES ('{b_id}', 'x', 'x')", tenant=0),
    ),
    Mutation(
        "WITH CHECK of tenants",
        "ALTER POLICY tenant ON leanvibe.projects WITH CHECK (true)",
        f"ALTER POLICY tenant ON leanvibe.projects WITH CHECK ({RULE})",
        "policy-check",
        tenant_does("INSERT INTO leanvibe_shared.projects (tenant_id, name) VALUES ('{b_id}', 'x')"),
    ),
    Mutation(
        "tenants bound by their session",
        "ALTER POLICY tenant ON leanvibe.users USING (tenant_id = (SELECT current_setting('rls.tenant_id', true)))",
        f"ALTER POLICY tenant ON leanvibe.users USING ({RULE})",
        "policy-using",
        tenant_reads("SELECT * FROM leanvibe_shared.users", "SET rls.tenant_id = '{b_id}'"),
    ),
    Mutation(
        "role of the policy",
        "ALTER POLICY operations ON leanvibe.tenants TO leanvibe_operations, leanvibe_gate",
        "ALTER POLICY operations ON leanvibe.tenants TO leanvibe_operations",
        "policy-role",
        tenant_reads("SELECT * FROM leanvibe_shared.tenants"),
    ),
    Mutation(
        "no other policy",
        "CREATE POLICY helpful ON leanvibe.tasks USING (true)",
        "DROP POLICY helpful ON leanvibe.tasks",
        "policy-extra",
        tenant_reads("SELECT * FROM leanvibe_shared.tasks"),
    ),
    Mutation(
        "identity of the session",
        "CREATE OR REPLACE FUNCTION leanvibe_private.session_tenant() RETURNS text LANGUAGE sql STABLE PARALLEL SAFE SECURITY DEFINER"
        " SET search_path = pg_catalog, pg_temp AS $$SELECT current_setting('rls.tenant_id', true)$$",
        "CREATE OR REPLACE FUNCTION leanvibe_private.session_tenant() RETURNS text LANGUAGE sql STABLE PARALLEL SAFE SECURITY DEFINER"
        " SET search_path = pg_catalog, pg_temp AS $$SELECT r.tenant_id FROM leanvibe_private.tenant_roles AS r WHERE r.role_name = session_user$$",
        "identity",
        tenant_reads("SELECT * FROM leanvibe_shared.users", "SET rls.tenant_id = '{b_id}'"),
    ),
    Mutation(
        "security_invoker",
        "ALTER VIEW leanvibe.project_progress SET (security_invoker = false); ALTER VIEW leanvibe.project_progress OWNER TO leanvibe_migrations;"
        " GRANT SELECT ON leanvibe.project_progress TO leanvibe_app",
        "ALTER VIEW leanvibe.project_progress OWNER TO leanvibe_owner; ALTER VIEW leanvibe.project_progress SET (security_invoker = true)",
        "view-definer",
        application_does("SELECT * FROM project_progress"),
    ),
    Mutation(
        "no TRUNCATE",
        "GRANT TRUNCATE ON leanvibe.audit_events TO leanvibe_app",
        "REVOKE TRUNCATE ON leanvibe.audit_events FROM leanvibe_app",
        "grant",
        application_does("TRUNCATE audit_events", tenant=0),
    ),
    Mutation(
        "no right on the tables themselves",
        "GRANT USAGE ON SCHEMA leanvibe TO leanvibe_tenants; GRANT SELECT ON leanvibe.users TO leanvibe_tenants",
        "REVOKE SELECT ON leanvibe.users FROM leanvibe_tenants; REVOKE USAGE ON SCHEMA leanvibe FROM leanvibe_tenants",
        "grant",
        others_counted,
    ),
    Mutation(
        "pinned plans",
        "ALTER FUNCTION leanvibe_private.users_rows() RESET ALL; ALTER FUNCTION leanvibe_private.users_rows() SET search_path = pg_catalog, pg_temp",
        "ALTER FUNCTION leanvibe_private.users_rows() SET row_security = on; ALTER FUNCTION leanvibe_private.users_rows() SET enable_seqscan = off;"
        " ALTER FUNCTION leanvibe_private.users_rows() SET enable_indexscan = on; ALTER FUNCTION leanvibe_private.users_rows() SET debug_print_plan = off;"
        " ALTER FUNCTION leanvibe_private.users_rows() SET client_min_messages = warning",
        "function-pins",
        plan_printed,
    ),
    Mutation(
        "no definer functions",
        "CREATE FUNCTION leanvibe_shared.report() RETURNS SETOF leanvibe.users LANGUAGE sql SECURITY DEFINER AS 'SELECT * FROM leanvibe.users';"
        " GRANT EXECUTE ON FUNCTION leanvibe_shared.report() TO leanvibe_tenants",
        "DROP FUNCTION leanvibe_shared.report()",
        "function-owner",
        tenant_reads("SELECT * FROM leanvibe_shared.report()"),
    ),
    Mutation(
        "who counts reads one column",
        "GRANT SELECT (email) ON leanvibe.users TO leanvibe_census",
        "REVOKE SELECT (email) ON leanvibe.users FROM leanvibe_census",
        "census-right",
        census_reads,
    ),
    Mutation(
        "the policy of who counts",
        "ALTER POLICY census ON leanvibe.users TO leanvibe_census, leanvibe_app",
        "ALTER POLICY census ON leanvibe.users TO leanvibe_census",
        "policy-role",
        application_does("SELECT * FROM users"),
    ),
    Mutation(
        "who may have it counted",
        f"GRANT EXECUTE ON FUNCTION {CENSUS} TO leanvibe_app; GRANT USAGE ON SCHEMA leanvibe_private TO leanvibe_app",
        f"REVOKE EXECUTE ON FUNCTION {CENSUS} FROM leanvibe_app; REVOKE USAGE ON SCHEMA leanvibe_private FROM leanvibe_app",
        "census-caller",
        application_counts,
    ),
    Mutation(
        "tenants have nothing counted",
        f"GRANT EXECUTE ON FUNCTION {CENSUS} TO PUBLIC; GRANT USAGE ON SCHEMA leanvibe_private TO leanvibe_tenants",
        f"REVOKE EXECUTE ON FUNCTION {CENSUS} FROM PUBLIC; REVOKE USAGE ON SCHEMA leanvibe_private FROM leanvibe_tenants",
        "function-definer",
        tenant_reads("SELECT * FROM leanvibe_private.tenant_rows('users', 100)"),
    ),
    Mutation(
        "what is counted is counted only",
        "CREATE FUNCTION leanvibe_private.more() RETURNS SETOF text LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp"
        " AS 'SELECT tenant_id FROM leanvibe.users'; ALTER FUNCTION leanvibe_private.more() OWNER TO leanvibe_census;"
        " GRANT EXECUTE ON FUNCTION leanvibe_private.more() TO leanvibe_health",
        "DROP FUNCTION leanvibe_private.more()",
        "census-function",
        health_reads("SELECT * FROM leanvibe_private.more()"),
    ),
    Mutation(
        "unique within a tenant",
        "CREATE UNIQUE INDEX too_wide ON leanvibe.projects (name)",
        "DROP INDEX leanvibe.too_wide",
        "unique",
        taken,
    ),
    Mutation(
        "references within a tenant",
        "ALTER TABLE leanvibe.projects ADD CONSTRAINT p UNIQUE (project_id); ALTER TABLE leanvibe.tasks DROP CONSTRAINT tasks_tenant_id_project_id_fkey;"
        " ALTER TABLE leanvibe.tasks ADD CONSTRAINT f FOREIGN KEY (project_id) REFERENCES leanvibe.projects (project_id)",
        "ALTER TABLE leanvibe.tasks DROP CONSTRAINT f; ALTER TABLE leanvibe.projects DROP CONSTRAINT p; ALTER TABLE leanvibe.tasks"
        " ADD FOREIGN KEY (tenant_id, project_id) REFERENCES leanvibe.projects (tenant_id, project_id) ON DELETE CASCADE",
        "reference",
        points_across,
    ),
    Mutation(
        "a table that nobody protected",
        "CREATE TABLE leanvibe.forgotten AS SELECT tenant_id, email FROM leanvibe.users; ALTER TABLE leanvibe.forgotten OWNER TO leanvibe_owner;"
        " GRANT SELECT ON leanvibe.forgotten TO leanvibe_app",
        "DROP TABLE leanvibe.forgotten",
        "policy-missing",
        application_does("SELECT * FROM forgotten"),
    ),
    Mutation(
        "a table without tenants",
        "CREATE TABLE leanvibe.everybody AS SELECT email FROM leanvibe.users; ALTER TABLE leanvibe.everybody OWNER TO leanvibe_owner;"
        " GRANT SELECT ON leanvibe.everybody TO leanvibe_app",
        "DROP TABLE leanvibe.everybody",
        "no-tenant",
        application_does("SELECT * FROM everybody"),
    ),
    Mutation(
        "a copy of rows",
        "CREATE MATERIALIZED VIEW leanvibe_shared.copied AS SELECT * FROM leanvibe.users; GRANT SELECT ON leanvibe_shared.copied TO leanvibe_tenants",
        "DROP MATERIALIZED VIEW leanvibe_shared.copied",
        "unprotectable",
        tenant_reads("SELECT * FROM leanvibe_shared.copied"),
    ),
    Mutation(
        "schema public",
        "GRANT USAGE, CREATE ON SCHEMA public TO PUBLIC",
        "REVOKE ALL ON SCHEMA public FROM PUBLIC",
        "schema-create",
        tenant_does("CREATE TABLE public.trap (a int)"),
    ),
    Mutation(
        "temporary tables",
        "GRANT TEMPORARY ON DATABASE {database} TO PUBLIC",
        "REVOKE TEMPORARY ON DATABASE {database} FROM PUBLIC",
        "database-grant",
        tenant_does("CREATE TEMP TABLE trap (a int)"),
    ),
)
OPENINGS = (
    ("pg_class", "GRANT SELECT ON pg_catalog.pg_class TO PUBLIC", tenant_does("SELECT reltuples FROM pg_class WHERE relname = 'ledger'")),
    (
        "pg_stat_activity",
        "GRANT SELECT ON pg_stat_activity TO PUBLIC; GRANT EXECUTE ON FUNCTION pg_stat_get_activity(int) TO PUBLIC",
        tenant_does("SELECT count(*) FROM pg_stat_activity"),
    ),
    ("pg_relation_size", "GRANT EXECUTE ON FUNCTION pg_catalog.pg_relation_size(regclass, text) TO PUBLIC", None),
)


def execute(lab: Any, statements: str) -> None:
    with lab.superuser() as session:
        session.execute(statements.replace("{database}", lab.database))


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.name)
def test_a_dropped_protection_is_noticed(mutation: Mutation, lab: Any, pair: Pair) -> None:
    assert not mutation.leak(lab, pair), "there is a leak before anything was dropped"
    execute(lab, mutation.drop)
    try:
        assert mutation.rule in {finding.rule for finding in lab.audit().findings}
        assert mutation.leak(lab, pair), "the protection was dropped, and nobody notices"
        outcome = lab.run([lab.tenant("newcomer")])["results"][0]
        assert outcome["verdict"] == "refused"
        assert "platform_database" in outcome["message"]
    finally:
        execute(lab, mutation.restore)
    assert not mutation.leak(lab, pair)
    assert lab.audit().findings == ()


@pytest.mark.parametrize(("name", "opening", "leak"), OPENINGS, ids=[name for name, *_rest in OPENINGS])
def test_an_opened_catalogue_is_noticed_and_closed_again(name: str, opening: str, leak: Leak | None, lab: Any, pair: Pair) -> None:
    execute(lab, opening)
    assert any(name in exposed for exposed in lab.audit().exposed)
    assert leak is None or leak(lab, pair)
    assert lab.run([lab.tenant("newcomer")])["results"][0]["verdict"] == "refused"
    checked = lab.foundation(check=True)
    assert [change for change in checked["changes"] if name in change]
    assert lab.foundation()["changes"] == checked["changes"]
    assert lab.foundation()["changed"] is False
    assert lab.audit().exposed == ()
    assert leak is None or not leak(lab, pair)


def test_access_can_be_taken_away_while_protections_are_missing(lab: Any) -> None:
    tenant = lab.tenant("intruder")
    lab.run([tenant])
    execute(lab, "ALTER TABLE leanvibe.users DISABLE ROW LEVEL SECURITY")
    try:
        outcome = lab.run([{**tenant, "state": "suspended"}])
    finally:
        execute(lab, "ALTER TABLE leanvibe.users ENABLE ROW LEVEL SECURITY")
    assert outcome["results"][0]["verdict"] == "succeeded"
    assert any("leanvibe.users" in note for note in outcome["notes"])
    assert lab.rows("SELECT rolcanlogin FROM pg_roles WHERE rolname = %s", lab.role(tenant)) == [(False,)]
