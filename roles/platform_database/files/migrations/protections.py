# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a migration calls for every shared table. The audit that follows each run refuses a table without it (docs/isolation-postgresql.md).

Migrations that have run stay as they are in databases: change what these functions make only together with a migration that makes it again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from alembic import op
from psycopg import sql

EVERYTHING = ("SELECT", "INSERT", "UPDATE", "DELETE")
# Whatever a tenant sets in its session: plans behind its views use indexes that start with tenant_id, so that the number of pages read tells nothing about
# others, and nothing about these plans is printed.
PINNED = {
    "search_path": "pg_catalog, pg_temp",
    "row_security": "on",
    "enable_seqscan": "off",
    "enable_indexscan": "on",
    "enable_bitmapscan": "on",
    "enable_indexonlyscan": "on",
    "max_parallel_workers_per_gather": "0",
    "jit": "off",
    "debug_print_parse": "off",
    "debug_print_rewritten": "off",
    "debug_print_plan": "off",
    "client_min_messages": "warning",
}
OPTIONS = sql.SQL(" ").join(
    sql.SQL("SET {} TO {}").format(sql.Identifier(name), sql.SQL(", ").join(sql.Literal(item.strip()) for item in value.split(",")))
    for name, value in PINNED.items()
)

APPLICATION_POLICY = sql.SQL(
    "CREATE POLICY application ON {table} TO leanvibe_app"
    " USING (tenant_id = (SELECT NULLIF(current_setting('rls.tenant_id', true), '')))"
    " WITH CHECK (tenant_id = (SELECT NULLIF(current_setting('rls.tenant_id', true), '')))"
)
TENANT_POLICY = sql.SQL(
    "CREATE POLICY tenant ON {table} TO leanvibe_tenants"
    " USING (tenant_id = (SELECT leanvibe_private.session_tenant()))"
    " WITH CHECK (tenant_id = (SELECT leanvibe_private.session_tenant()))"
)
CENSUS_POLICY = sql.SQL("CREATE POLICY census ON {table} FOR SELECT TO leanvibe_census USING (true)")
CENSUS_FUNCTION = sql.SQL("""
CREATE FUNCTION leanvibe_private.tenant_rows(shared_table name, percent real) RETURNS TABLE (tenant text, counted bigint)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET row_security = on SET lock_timeout = '2s' AS {body}
""")
CENSUS_BODY = """
BEGIN
    IF percent < 100 THEN
        RETURN QUERY EXECUTE format('SELECT t.tenant_id, count(*) FROM leanvibe.%I AS t TABLESAMPLE SYSTEM ($1) GROUP BY t.tenant_id', shared_table)
            USING percent;
    ELSE
        RETURN QUERY EXECUTE format('SELECT t.tenant_id, count(*) FROM leanvibe.%I AS t GROUP BY t.tenant_id', shared_table);
    END IF;
END
"""
UNCOUNTED = """
SELECT c.relname FROM pg_class c WHERE c.relnamespace = 'leanvibe'::regnamespace AND c.relkind IN ('r', 'p') AND c.relrowsecurity
  AND EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'tenant_id' AND NOT a.attisdropped)
  AND NOT EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = c.oid AND p.polname = 'census')
ORDER BY 1
"""
ROWS_FUNCTION = sql.SQL("CREATE FUNCTION {function}() RETURNS TABLE ({types}) LANGUAGE sql STABLE SECURITY DEFINER {options} AS {body}")
WRITE_FUNCTION = sql.SQL("CREATE FUNCTION {function}() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER {options} AS {body}")
WRITE_BODY = sql.SQL("""
BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO {table} ({columns}) VALUES ({new});
        RETURN NEW;
    ELSIF TG_OP = 'UPDATE' THEN
        UPDATE {table} AS t SET {changes} WHERE {key};
        IF NOT FOUND THEN RETURN NULL; END IF;
        RETURN NEW;
    END IF;
    DELETE FROM {table} AS t WHERE {key};
    IF NOT FOUND THEN RETURN NULL; END IF;
    RETURN OLD;
END
""")
COLUMNS = """
SELECT a.attname, format_type(a.atttypid, a.atttypmod), pg_get_expr(d.adbin, d.adrelid),
       EXISTS (SELECT FROM pg_index i WHERE i.indrelid = a.attrelid AND i.indisprimary AND a.attnum = ANY(i.indkey))
FROM pg_attribute a LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
WHERE a.attrelid = to_regclass(%s) AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum
"""


def execute(statement: sql.Composable, **names: sql.Composable) -> None:
    """Run one statement, its names filled in."""
    _session().execute(statement.format(**names) if isinstance(statement, sql.SQL) and names else statement)


def _session() -> Any:
    return op.get_bind().connection.driver_connection


def _list(names: Sequence[str], prefix: str = "") -> sql.Composed:
    return sql.SQL(", ").join(sql.SQL(prefix) + sql.Identifier(name) for name in names)


def _words(words: Sequence[str]) -> sql.Composed:
    return sql.SQL(", ").join(sql.SQL(word) for word in words)


def tenant_table(name: str, application: Sequence[str] = EVERYTHING) -> None:
    """Put a table of schema leanvibe, which has a column tenant_id, under row-level security for both audiences.

    ``application``: what the application may do with its tenant's rows.
    """
    table = sql.Identifier("leanvibe", name)
    for statement in (
        sql.SQL("ALTER TABLE {table} ENABLE ROW LEVEL SECURITY"),
        sql.SQL("ALTER TABLE {table} FORCE ROW LEVEL SECURITY"),
        APPLICATION_POLICY,
        TENANT_POLICY,
        sql.SQL("REVOKE ALL ON {table} FROM PUBLIC"),
        sql.SQL("GRANT {rights} ON {table} TO leanvibe_app"),
    ):
        execute(statement, table=table, rights=_words(application))
    _counted(name)


def _counted(name: str) -> None:
    """Let the rows of a table be counted by tenant: who counts sees the column tenant_id, and nothing else of them."""
    table = sql.Identifier("leanvibe", name)
    execute(CENSUS_POLICY, table=table)
    execute(sql.SQL("GRANT SELECT (tenant_id) ON {table} TO leanvibe_census"), table=table)


def census() -> None:
    """Make the function that counts rows by tenant for health checks, and let it count every table that there is under row-level security."""
    for (name,) in _session().execute(UNCOUNTED).fetchall():
        _counted(name)
    execute(sql.SQL("GRANT USAGE ON SCHEMA leanvibe TO leanvibe_census"))
    execute(CENSUS_FUNCTION, body=sql.Literal(CENSUS_BODY))
    function = sql.SQL("leanvibe_private.tenant_rows(name, real)")
    execute(sql.SQL("REVOKE ALL ON FUNCTION {function} FROM PUBLIC"), function=function)
    execute(sql.SQL("GRANT EXECUTE ON FUNCTION {function} TO leanvibe_health"), function=function)
    execute(sql.SQL("GRANT CREATE ON SCHEMA leanvibe_private TO leanvibe_census"))
    # The owner is no member of the role, or it would see every row; leanvibe_migrations is, and reaches every row anyway.
    execute(sql.SQL("RESET ROLE"))
    execute(sql.SQL("ALTER FUNCTION {function} OWNER TO leanvibe_census"), function=function)
    execute(sql.SQL("SET LOCAL ROLE leanvibe_owner"))
    execute(sql.SQL("REVOKE CREATE ON SCHEMA leanvibe_private FROM leanvibe_census"))


def tenant_view(name: str, hide: Sequence[str] = (), write: bool = False) -> None:
    """Let tenants' own roles see their rows of a table as leanvibe_shared.<name>, without the columns ``hide``; with ``write`` also change them.

    They have no right on the table itself: EXPLAIN ANALYZE would count the rows of others that were filtered out, and statistics of others' values
    would show in its estimates. A function hides its plan.
    """
    columns = [row for row in _session().execute(COLUMNS, (f"leanvibe.{name}",)).fetchall() if row[0] not in hide]
    names = [row[0] for row in columns]
    table, view = sql.Identifier("leanvibe", name), sql.Identifier("leanvibe_shared", name)
    rows = sql.Identifier("leanvibe_private", f"{name}_rows")
    body = sql.SQL("SELECT {} FROM {} AS t").format(_list(names, "t."), table)
    types = sql.SQL(", ").join(sql.Identifier(row[0]) + sql.SQL(" ") + sql.SQL(row[1]) for row in columns)
    execute(ROWS_FUNCTION, function=rows, types=types, options=OPTIONS, body=sql.Literal(body.as_string(_session())))
    execute(sql.SQL("GRANT SELECT ({columns}) ON {table} TO leanvibe_gate"), columns=_list(names), table=table)
    execute(sql.SQL("CREATE VIEW {view} WITH (security_invoker = true) AS SELECT {columns} FROM {rows}()"), view=view, columns=_list(names), rows=rows)
    _hand_over(rows)
    execute(sql.SQL("REVOKE ALL ON {view} FROM PUBLIC"), view=view)
    execute(sql.SQL("GRANT SELECT ON {view} TO leanvibe_tenants"), view=view)
    if write:
        _writable(name, columns)


def _writable(name: str, columns: Sequence[tuple[str, str, str | None, bool]]) -> None:
    names = [row[0] for row in columns]
    table, view = sql.Identifier("leanvibe", name), sql.Identifier("leanvibe_shared", name)
    function = sql.Identifier("leanvibe_private", f"{name}_write")
    # A column that the tenant did not change keeps what another session may have written meanwhile.
    change = sql.SQL("{0} = CASE WHEN NEW.{0} IS DISTINCT FROM OLD.{0} THEN NEW.{0} ELSE t.{0} END")
    key = sql.SQL(" AND ").join(sql.SQL("t.{0} = OLD.{0}").format(sql.Identifier(row[0])) for row in columns if row[3])
    changes = sql.SQL(", ").join(change.format(sql.Identifier(column)) for column in names)
    body = WRITE_BODY.format(table=table, columns=_list(names), new=_list(names, "NEW."), changes=changes, key=key)
    execute(WRITE_FUNCTION, function=function, options=OPTIONS, body=sql.Literal(body.as_string(_session())))
    execute(sql.SQL("GRANT INSERT ({columns}), UPDATE ({columns}), DELETE ON {table} TO leanvibe_gate"), columns=_list(names), table=table)
    for column, _type, default, _key in columns:
        value = sql.SQL("leanvibe_private.session_tenant()") if column == "tenant_id" else sql.SQL(default) if default else None
        if value is not None:
            execute(sql.SQL("ALTER VIEW {view} ALTER COLUMN {column} SET DEFAULT {value}"), view=view, column=sql.Identifier(column), value=value)
    trigger = sql.SQL("CREATE TRIGGER write INSTEAD OF INSERT OR UPDATE OR DELETE ON {view} FOR EACH ROW EXECUTE FUNCTION {function}()")
    execute(trigger, view=view, function=function)
    _hand_over(function)
    execute(sql.SQL("GRANT INSERT, UPDATE, DELETE ON {view} TO leanvibe_tenants"), view=view)


def _hand_over(function: sql.Identifier) -> None:
    """Make the gate the owner of a function that only tenants may call."""
    execute(sql.SQL("REVOKE ALL ON FUNCTION {function}() FROM PUBLIC"), function=function)
    execute(sql.SQL("GRANT EXECUTE ON FUNCTION {function}() TO leanvibe_tenants"), function=function)
    execute(sql.SQL("GRANT CREATE ON SCHEMA leanvibe_private TO leanvibe_gate"))
    execute(sql.SQL("ALTER FUNCTION {function}() OWNER TO leanvibe_gate"), function=function)
    execute(sql.SQL("REVOKE CREATE ON SCHEMA leanvibe_private FROM leanvibe_gate"))


def exempt(kind: str, name: str, reason: str) -> None:
    """Say inside the database that an object is as it is on purpose; the audit refuses what is not said. ``name`` with its schema."""
    _session().execute("INSERT INTO leanvibe_private.exemptions (kind, object, reason) VALUES (%s, %s, %s)", (kind, name, reason))


@contextmanager
def across_tenants(*tables: str) -> Iterator[None]:
    """Reach the rows of every tenant, for a backfill::

        with across_tenants("tasks"):
            op.execute("UPDATE leanvibe.tasks SET state = 'open' WHERE state IS NULL")

    Where leanvibe_migrations has BYPASSRLS, it works as that role. Where nobody can have it (RDS), FORCE is lifted from the tables for this transaction,
    which locks them until it ends. Without this, such a statement is an error: row_security is off.
    """
    bypass = _session().execute("SELECT rolbypassrls FROM pg_roles WHERE rolname = session_user").fetchone()[0]
    if bypass:
        execute(sql.SQL("RESET ROLE"))
    else:
        for name in tables:
            execute(sql.SQL("ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY"), table=sql.Identifier("leanvibe", name))
    yield
    if bypass:
        execute(sql.SQL("SET LOCAL ROLE leanvibe_owner"))
    else:
        for name in tables:
            execute(sql.SQL("ALTER TABLE {table} FORCE ROW LEVEL SECURITY"), table=sql.Identifier("leanvibe", name))
