# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What tenant A tries with its own session. ``{b}`` is B's role and schema, ``{b_id}`` its id; a script goes on after errors."""

# ruff: noqa: S608, ISC004 - an attacker puts SQL together

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import psycopg

VOLATILE = re.compile(r"(Planning|Execution) Time: .*|\d+\.\d+ ms|0x[0-9a-f]+")


@dataclass(frozen=True)
class Probe:
    """One script. ``sees``: a pattern of what it must print, so that it proves something (a refusal or A's own data)."""

    name: str
    script: tuple[str, ...]
    sees: str = ""


EXPLAIN = "EXPLAIN (ANALYZE, VERBOSE, TIMING OFF, SUMMARY OFF)"
NO_INDEX = ("SET enable_indexscan = off", "SET enable_bitmapscan = off", "SET enable_seqscan = on")
DENIED = r"permission denied|must be|must have|row-level security|does not exist"
SHARED = ("tenants", "users", "projects", "project_members", "tasks", "api_keys", "audit_events", "billing_accounts", "subscriptions", "project_progress")
VARIABLES = (
    "SET rls.tenant_id = '{b_id}'",
    "SELECT set_config('rls.tenant_id', '{b_id}', false)",
    "SET search_path = {b}, leanvibe, leanvibe_shared, leanvibe_private, public, pg_temp",
    "SET row_security = off",
    "SET session_replication_role = replica",
    "SET ROLE leanvibe_tenants",
    "SET default_transaction_read_only = off",
)

PROBES = (
    *(Probe(f"read {name}", (f"SELECT * FROM leanvibe_shared.{name} ORDER BY 1, 2, 3", f"SELECT count(*) FROM leanvibe_shared.{name}")) for name in SHARED),
    *(Probe(f"read base {name}", (f"SELECT * FROM leanvibe.{name}", f"SELECT count(*) FROM leanvibe.{name}"), DENIED) for name in SHARED),
    Probe("read after setting variables", (*VARIABLES, *(f"SELECT * FROM leanvibe_shared.{name} ORDER BY 1, 2, 3" for name in SHARED), "SELECT * FROM ledger")),
    Probe("other schema", ("SELECT * FROM {b}.ledger", "SELECT * FROM {b}.notes", "SELECT {b}.whisper()", "SELECT nextval('{b}.numbers')"), DENIED),
    Probe(
        "write other schema",
        ("INSERT INTO {b}.ledger VALUES (99)", "CREATE TABLE {b}.x (a int)", "DROP TABLE {b}.ledger", "ALTER SCHEMA {b} RENAME TO x"),
        DENIED,
    ),
    Probe(
        "become",
        ("SET ROLE {b}", "SET SESSION AUTHORIZATION {b}", "SET SESSION AUTHORIZATION postgres", "SET ROLE leanvibe_gate", "SET ROLE leanvibe_app"),
        DENIED,
    ),
    Probe(
        "count everybody's rows",
        (
            "SELECT * FROM leanvibe_private.tenant_rows('users', 100)",
            "SELECT * FROM leanvibe_private.tenant_rows('users'::name, 50::real)",
            "SET ROLE leanvibe_census",
            "SELECT tenant_id, count(*) FROM leanvibe.users GROUP BY 1",
            "SELECT prosrc FROM pg_proc WHERE proname = 'tenant_rows'",
            "CREATE FUNCTION counted() RETURNS bigint LANGUAGE plpgsql AS 'BEGIN RETURN (SELECT count(*) FROM leanvibe.users); END'",
            "ALTER FUNCTION counted() OWNER TO leanvibe_census",
            "SELECT counted()",
            "DROP FUNCTION counted()",
        ),
        DENIED,
    ),
    Probe(
        "insert for the other",
        (
            "INSERT INTO leanvibe_shared.projects (tenant_id, name) VALUES ('{b_id}', 'x')",
            "INSERT INTO leanvibe_shared.tasks (tenant_id, project_id, title) VALUES ('{b_id}', gen_random_uuid(), 'x')",
            "INSERT INTO leanvibe.projects (tenant_id, name) VALUES ('{b_id}', 'x')",
            "COPY leanvibe.projects FROM STDIN",
        ),
        "row-level security",
    ),
    Probe(
        "move rows",
        (
            "BEGIN",
            "UPDATE leanvibe_shared.projects SET tenant_id = '{b_id}'",
            "ROLLBACK",
            "UPDATE leanvibe_shared.tasks SET tenant_id = '{b_id}'",
            "UPDATE leanvibe_shared.projects SET description = 'x' WHERE tenant_id = '{b_id}' RETURNING *",
            "DELETE FROM leanvibe_shared.projects WHERE tenant_id = '{b_id}' RETURNING *",
            "DELETE FROM leanvibe_shared.users",
        ),
        "row-level security",
    ),
    Probe(
        "references to the other's rows",
        ("INSERT INTO leanvibe_shared.tasks (project_id, title) SELECT '{b_project}', 'x'", "UPDATE leanvibe_shared.projects SET owner_user_id = '{b_user}'"),
        "violates foreign key",
    ),
    Probe(
        "values that the other has",
        ("BEGIN", "INSERT INTO leanvibe_shared.projects (name) VALUES ('sec' || 'retB9k0') RETURNING 'taken by nobody'", "ROLLBACK"),
        "taken by nobody",
    ),
    Probe("truncate", tuple(f"TRUNCATE leanvibe{suffix}.tasks CASCADE" for suffix in ("", "_shared")), r"permission denied|is not a table"),
    Probe("lock", ("BEGIN", "LOCK TABLE leanvibe.tasks IN ACCESS EXCLUSIVE MODE", "ROLLBACK"), DENIED),
    Probe(
        "references on shared tables", ("CREATE TABLE probe_fk (t text, u uuid, FOREIGN KEY (t, u) REFERENCES leanvibe.users (tenant_id, user_id))",), DENIED
    ),
    Probe("plans", (*NO_INDEX, *(f"{EXPLAIN} SELECT * FROM leanvibe_shared.{name}" for name in SHARED)), "Function Scan"),
    Probe(
        "plans with filters",
        (
            *NO_INDEX,
            f"{EXPLAIN} SELECT * FROM leanvibe_shared.users WHERE tenant_id = '{{b_id}}'",
            f"{EXPLAIN} SELECT * FROM leanvibe_shared.tasks WHERE title > 'a'",
        ),
    ),
    Probe(
        "plans of writes",
        (*NO_INDEX, "BEGIN", f"{EXPLAIN} UPDATE leanvibe_shared.tasks SET title = title", f"{EXPLAIN} DELETE FROM leanvibe_shared.tasks", "ROLLBACK"),
    ),
    Probe("plans of base tables", ("EXPLAIN SELECT * FROM leanvibe.users", "EXPLAIN SELECT * FROM leanvibe.users WHERE tenant_id = '{b_id}'"), DENIED),
    Probe("plans of the other's tables", ("EXPLAIN SELECT * FROM {b}.ledger",), DENIED),
    Probe(
        "printed plans",
        (
            "SET client_min_messages = log",
            "SET debug_print_plan = on",
            "SET debug_print_rewritten = on",
            "TABLE leanvibe_shared.users",
            "DELETE FROM leanvibe_shared.tasks WHERE false",
        ),
    ),
    Probe(
        "leaky function",
        (
            "CREATE OR REPLACE FUNCTION spy(text) RETURNS bool COST 0.0001 LANGUAGE plpgsql AS $$ BEGIN RAISE NOTICE '%', $1; RETURN true; END $$",
            "SELECT count(*) FROM leanvibe_shared.users WHERE spy(email)",
            "SELECT count(*) FROM leanvibe_shared.tasks WHERE spy(title)",
        ),
        "ownA4f",
    ),
    Probe(
        "definer of its own",
        (
            "CREATE OR REPLACE FUNCTION mine() RETURNS bigint LANGUAGE sql SECURITY DEFINER SET search_path = {b}, leanvibe"
            " AS 'SELECT count(*) FROM leanvibe_shared.users'",
            "SELECT mine()",
        ),
    ),
    Probe(
        "shadow names",
        (
            "CREATE OR REPLACE FUNCTION current_setting(text, bool) RETURNS text LANGUAGE sql AS $$ SELECT '{b_id}' $$",
            "CREATE OR REPLACE FUNCTION session_tenant() RETURNS text LANGUAGE sql AS $$ SELECT '{b_id}' $$",
            "SET search_path = {a}, pg_catalog",
            "SELECT * FROM leanvibe_shared.users ORDER BY 3",
            "DROP FUNCTION {a}.current_setting, {a}.session_tenant",
        ),
    ),
    Probe(
        "shadow operator",
        (
            "CREATE FUNCTION yes(text, text) RETURNS bool LANGUAGE sql AS 'SELECT true'",
            "CREATE OPERATOR {a}.= (FUNCTION = yes, LEFTARG = text, RIGHTARG = text)",
            "SET search_path = {a}, pg_catalog",
            "SELECT count(*) FROM leanvibe_shared.users",
            "DROP FUNCTION {a}.yes(text, text) CASCADE",
        ),
    ),
    Probe(
        "replace the identity",
        (
            "CREATE OR REPLACE FUNCTION leanvibe_private.session_tenant() RETURNS text LANGUAGE sql AS $$ SELECT '{b_id}' $$",
            "INSERT INTO leanvibe_private.tenant_roles VALUES ('{a}', '{b_id}')",
            "TABLE leanvibe_private.tenant_roles",
            "TABLE leanvibe_private.exemptions",
        ),
        DENIED,
    ),
    Probe(
        "change the protection",
        (
            "ALTER TABLE leanvibe.users DISABLE ROW LEVEL SECURITY",
            "DROP POLICY tenant ON leanvibe.users",
            "ALTER VIEW leanvibe_shared.users SET (security_invoker = false)",
            "CREATE OR REPLACE VIEW leanvibe_shared.users AS SELECT 1",
            "GRANT leanvibe_gate TO {a}",
        ),
        DENIED,
    ),
    Probe(
        "row counters",
        (
            "SELECT reltuples FROM pg_class",
            "SELECT relpages FROM pg_class",
            "SELECT * FROM pg_class",
            "SELECT * FROM pg_stat_user_tables",
            "SELECT * FROM pg_statio_all_tables",
            "SELECT pg_stat_get_live_tuples({b_ledger})",
            "SELECT pg_stat_get_tuples_inserted({b_ledger})",
            "SELECT pg_stat_get_xact_tuples_inserted({b_ledger})",
        ),
        DENIED,
    ),
    Probe(
        "statistics",
        (
            "SELECT * FROM pg_stats WHERE schemaname IN ('{b}', 'leanvibe')",
            "SELECT * FROM pg_stats_ext WHERE schemaname = 'leanvibe'",
            "SELECT * FROM pg_statistic",
        ),
        DENIED,
    ),
    Probe(
        "sizes",
        (
            "SELECT pg_relation_size({b_ledger})",
            "SELECT pg_table_size({b_ledger})",
            "SELECT pg_total_relation_size({b_ledger})",
            "SELECT pg_indexes_size({b_ledger})",
            "SELECT pg_database_size(current_database())",
            "SELECT pg_tablespace_size('pg_default')",
            "SELECT pg_relation_size({users})",
        ),
        DENIED,
    ),
    Probe(
        "activity",
        (
            "SELECT * FROM pg_stat_activity",
            "SELECT * FROM pg_stat_get_activity(NULL)",
            "SELECT pg_stat_get_backend_idset()",
            "SELECT * FROM pg_stat_ssl",
            "SELECT * FROM pg_stat_database",
            "SELECT pg_stat_get_db_numbackends(oid) FROM pg_database",
            "SELECT * FROM pg_stat_statements",
            "SELECT * FROM public.pg_stat_statements",
            "SELECT * FROM pg_stat_replication",
        ),
        DENIED,
    ),
    Probe(
        "locks",
        (
            "SELECT * FROM pg_locks",
            "SELECT * FROM pg_lock_status()",
            "SELECT pg_advisory_lock(1)",
            "SELECT pg_try_advisory_lock(1)",
            "SELECT pg_try_advisory_xact_lock(1)",
            "SELECT * FROM pg_prepared_xacts",
        ),
        DENIED,
    ),
    Probe(
        "roles",
        (
            "SELECT rolconnlimit FROM pg_roles",
            "SELECT rolcanlogin FROM pg_roles",
            "SELECT rolconfig FROM pg_roles",
            "SELECT * FROM pg_user",
            "SELECT * FROM pg_authid",
            "SELECT * FROM pg_shadow",
            "SELECT * FROM pg_db_role_setting",
            "SELECT * FROM pg_auth_members",
        ),
        DENIED,
    ),
    Probe(
        "sources",
        (
            "SELECT prosrc FROM pg_proc",
            "SELECT pg_get_functiondef({b_whisper})",
            "SELECT pg_get_function_sqlbody({b_whisper})",
            "SELECT ev_action FROM pg_rewrite",
            "SELECT pg_get_viewdef({b_notes})",
            "SELECT pg_get_viewdef({b_notes}, true)",
            "SELECT definition FROM pg_views",
            "SELECT routine_definition FROM information_schema.routines WHERE specific_schema = '{b}'",
        ),
        DENIED,
    ),
    Probe(
        "information schema",
        (
            "SELECT table_schema, table_name FROM information_schema.tables WHERE table_schema IN ('{b}', 'leanvibe', 'leanvibe_private')",
            "SELECT * FROM information_schema.columns WHERE table_schema = '{b}'",
            "SELECT schema_name FROM information_schema.schemata WHERE schema_name = '{b}'",
        ),
    ),
    Probe(
        "sequences",
        (
            "SELECT last_value FROM {b}.numbers",
            "SELECT last_value FROM pg_sequences WHERE schemaname IN ('{b}', 'leanvibe')",
            "SELECT pg_sequence_last_value({b_numbers})",
            "SELECT last_value FROM leanvibe.audit_events_event_id_seq",
            "SELECT event_id FROM leanvibe_shared.audit_events",
        ),
        DENIED,
    ),
    Probe(
        "large objects",
        (
            "SELECT lo_create(0)",
            "SELECT lo_get(1)",
            "SELECT lo_import('/etc/passwd')",
            "SELECT lo_from_bytea(0, 'x')",
            "SELECT * FROM pg_largeobject_metadata",
            "SELECT * FROM pg_largeobject",
        ),
        DENIED,
    ),
    Probe(
        "the server's files and programs",
        (
            "COPY (SELECT 1) TO PROGRAM 'id'",
            "COPY ledger FROM '/etc/passwd'",
            "SELECT pg_read_file('PG_VERSION')",
            "SELECT pg_ls_dir('.')",
            "SELECT * FROM pg_ls_waldir()",
        ),
        DENIED,
    ),
    Probe(
        "extensions and languages",
        (
            "CREATE EXTENSION dblink",
            "CREATE EXTENSION postgres_fdw",
            "CREATE LANGUAGE plpython3u",
            "CREATE EVENT TRIGGER e ON ddl_command_start EXECUTE FUNCTION spy()",
            "CREATE PUBLICATION p FOR ALL TABLES",
            "CREATE SUBSCRIPTION s CONNECTION '' PUBLICATION p",
        ),
        DENIED,
    ),
    Probe(
        "places for objects",
        (
            "CREATE TABLE public.x (a int)",
            "CREATE SCHEMA x",
            "CREATE TEMP TABLE x (a int)",
            "CREATE TABLE leanvibe_shared.x (a int)",
            "SELECT 1 FROM pg_temp.x",
        ),
        DENIED,
    ),
    Probe(
        "own schema is not its own to give",
        ("ALTER SCHEMA {a} RENAME TO x", "DROP SCHEMA {a} CASCADE", "ALTER SCHEMA {a} OWNER TO {b}", "REASSIGN OWNED BY {a} TO {b}"),
        DENIED,
    ),
    Probe(
        "own role",
        (
            "ALTER ROLE {a} CONNECTION LIMIT 1000",
            "ALTER ROLE {a} SUPERUSER",
            "ALTER ROLE {a} BYPASSRLS",
            "ALTER ROLE {a} CREATEROLE",
            "CREATE ROLE x",
            "GRANT leanvibe_owner TO {a}",
            "ALTER ROLE {b} PASSWORD 'x'",
        ),
        DENIED,
    ),
    Probe(
        "write-ahead log and control data",
        ("SELECT pg_current_wal_lsn()", "SELECT * FROM pg_control_checkpoint()", "SELECT pg_notification_queue_usage()", "SELECT pg_last_committed_xact()"),
        DENIED,
    ),
    Probe(
        "everything as XML",
        ("SELECT database_to_xml(true, true, '')", "SELECT schema_to_xml('{b}', true, true, '')", "SELECT table_to_xml({b_ledger}, true, true, '')"),
        "ownA4f",
    ),
    Probe("terminate", ("SELECT pg_terminate_backend(pid) FROM pg_stat_activity", "SELECT pg_cancel_backend(1)"), DENIED),
    Probe(
        "names resolved in the other's schema",
        ("SELECT '{b}.ledger'::regclass", "SELECT to_regclass('{b}.ledger')", "SELECT to_regclass('{b}.nothing')", "SELECT '{b}.whisper()'::regprocedure"),
        DENIED,
    ),
    Probe(
        "cursors and prepared statements",
        (
            "SELECT name FROM pg_cursors",
            "SELECT name, statement FROM pg_prepared_statements",
            "DECLARE c CURSOR WITH HOLD FOR SELECT * FROM leanvibe_shared.users ORDER BY 3",
            "FETCH ALL FROM c",
        ),
        "ownA4f",
    ),
    Probe(
        "a materialized copy",
        ("CREATE MATERIALIZED VIEW copied AS SELECT * FROM leanvibe_shared.users", "SELECT count(*) FROM copied", "DROP MATERIALIZED VIEW copied"),
    ),
    Probe(
        "rules and triggers on the views",
        (
            "CREATE RULE r AS ON INSERT TO leanvibe_shared.users DO ALSO SELECT 1",
            "CREATE TRIGGER t INSTEAD OF INSERT ON leanvibe_shared.users FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()",
        ),
        DENIED,
    ),
)


def attempt(lab: Any, probe: Probe, attacker: dict[str, Any], victim: dict[str, Any]) -> str:
    """Run one probe in a fresh session of the attacker; everything that it printed, errors and notices included."""
    names = targets(lab, attacker, victim)
    printed: list[str] = []
    with lab.as_tenant(attacker) as session:
        session.add_notice_handler(lambda notice: printed.append(f"{notice.severity}: {notice.message_primary} {notice.message_detail or ''}"))
        for template in probe.script:
            statement = template
            for name, value in names.items():
                statement = statement.replace("{" + name + "}", value)
            try:
                cursor = session.execute(statement)
                printed.append(f"{cursor.statusmessage}")
                printed += [repr(row) for row in (cursor.fetchall() if cursor.description else ())]
            except psycopg.Error as error:
                session.rollback() if session.info.transaction_status == psycopg.pq.TransactionStatus.INERROR else None
                detail = error.diag.message_detail or ""
                printed.append(f"ERROR {error.diag.message_primary or error} {detail}")
    return VOLATILE.sub("", "\n".join(printed))


def targets(lab: Any, attacker: dict[str, Any], victim: dict[str, Any]) -> dict[str, str]:
    """Names and object ids, as superuser: an attacker can guess them."""
    b = lab.role(victim)
    oid = lab.rows(
        "SELECT (%s || '.ledger')::regclass::oid::int, (%s || '.notes')::regclass::oid::int, (%s || '.numbers')::regclass::oid::int,"
        " (%s || '.whisper()')::regprocedure::oid::int, 'leanvibe.users'::regclass::oid::int,"
        " (SELECT min(project_id::text) FROM leanvibe.projects WHERE tenant_id = %s), (SELECT min(user_id::text) FROM leanvibe.users WHERE tenant_id = %s)",
        *(b, b, b, b),
        victim["id"],
        victim["id"],
    )[0]
    keys = ("b_ledger", "b_notes", "b_numbers", "b_whisper", "users", "b_project", "b_user")
    return {"a": lab.role(attacker), "b": b, "a_id": attacker["id"], "b_id": victim["id"]} | dict(zip(keys, map(str, oid), strict=True))
