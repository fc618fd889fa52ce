# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""With tenant A's Secret and nothing else: nothing of tenant B is read, written, counted or listed.

``PROBES`` are scripts that A runs. What they print must not hold B's marker, and must stay the same whatever B does (three rows or many): that catches
counting and estimating as well as reading. Afterwards B's data must be as they were. test_postgresql_mutations.py proves that the probes notice.
"""

from __future__ import annotations

import hashlib
import re
import subprocess
from typing import Any

import psycopg
import pytest
from probes import PROBES, attempt
from psycopg import sql

MARK_B = "secretB9k"


def fingerprint(lab: Any, tenant: dict[str, Any]) -> str:
    """All that B has in shared tables and in its own schema, as superuser."""
    digest = hashlib.sha256()
    for table in ("tenants", "users", "projects", "project_members", "tasks", "api_keys", "audit_events", "billing_accounts", "subscriptions"):
        query = sql.SQL("SELECT t::text FROM {} t WHERE tenant_id = %s ORDER BY 1").format(sql.Identifier("leanvibe", table))
        digest.update(repr(lab.rows(query, tenant["id"])).encode())
    for column, relation in (("note", "ledger"), ("last_value", "numbers")):
        query = sql.SQL("SELECT {}::text FROM {} ORDER BY 1").format(sql.Identifier(column), sql.Identifier(lab.role(tenant), relation))
        digest.update(repr(lab.rows(query)).encode())
    return digest.hexdigest()


@pytest.fixture(scope="module")
def transcripts(lab: Any, pair: Any) -> dict[str, tuple[str, str]]:
    """What each probe prints while B has little, and while B has much; B's data in between are compared, too."""
    attacker, victim = pair
    before = fingerprint(lab, victim)
    first = {probe.name: attempt(lab, probe, attacker, victim) for probe in PROBES}
    assert fingerprint(lab, victim) == before, "a probe changed what B has"
    lab.fill(victim, f"{MARK_B}more", 200)
    with lab.as_tenant(victim) as session:
        session.execute("INSERT INTO ledger SELECT g FROM generate_series(100, 5000) g")
        session.execute("SELECT nextval('numbers') FROM generate_series(1, 100)")
    with lab.superuser() as session:
        session.execute("ANALYZE")
        session.execute("SELECT pg_stat_force_next_flush()")
    again = {probe.name: attempt(lab, probe, attacker, victim) for probe in PROBES}
    return {name: (first[name], again[name]) for name in first}


@pytest.mark.parametrize("probe", PROBES, ids=lambda probe: probe.name)
def test_nothing_of_the_other_tenant_shows(probe: Any, transcripts: dict[str, tuple[str, str]]) -> None:
    little, much = transcripts[probe.name]
    assert MARK_B not in little + much
    assert little == much, "what A sees depends on what B has"
    if probe.sees:
        assert re.search(probe.sees, little), f"the probe did not do what it is for: {little}"


def test_own_rows_are_there(lab: Any, pair: Any) -> None:
    """The probes would also be green if nobody saw anything."""
    attacker, _victim = pair
    with lab.as_tenant(attacker) as session:
        assert session.execute("SELECT count(*) FROM leanvibe_shared.users").fetchone() == (3,)
        assert session.execute("SELECT tasks, done FROM leanvibe_shared.project_progress").fetchall() == [(1, 0)] * 3
        project = session.execute("INSERT INTO leanvibe_shared.projects (name) VALUES ('mine') RETURNING tenant_id, project_id").fetchall()[0]
        assert project[0] == attacker["id"]
        session.execute("UPDATE leanvibe_shared.projects SET description = 'changed' WHERE name = 'mine'")
        assert lab.rows("SELECT description FROM leanvibe.projects WHERE project_id = %s", project[1]) == [("changed",)]
        assert session.execute("DELETE FROM leanvibe_shared.projects WHERE name = 'mine'").rowcount == 1


def test_a_change_does_not_undo_another_sessions(lab: Any, pair: Any) -> None:
    attacker, _victim = pair
    with lab.as_tenant(attacker) as one, lab.as_tenant(attacker) as other:
        one.execute("INSERT INTO leanvibe_shared.projects (name) VALUES ('both')")
        with one.transaction():
            one.execute("SET TRANSACTION ISOLATION LEVEL READ COMMITTED")
            other.execute("UPDATE leanvibe_shared.projects SET description = 'kept' WHERE name = 'both'")
            one.execute("UPDATE leanvibe_shared.projects SET name = 'both of us' WHERE name = 'both'")
        assert one.execute("DELETE FROM leanvibe_shared.projects WHERE name = 'both of us' RETURNING description").fetchall() == [("kept",)]


def test_application_without_tenant_sees_and_writes_nothing(lab: Any, pair: Any) -> None:
    attacker, _victim = pair
    with lab.as_application() as session:
        for prepare in ((), ("SET rls.tenant_id = ''",), ("RESET rls.tenant_id",), ("SET rls.tenant_id = 'x'", "RESET ALL"), ("DISCARD ALL",)):
            for statement in prepare:
                session.execute(statement)
            assert session.execute("SELECT count(*) FROM users").fetchone() == (0,)
            assert session.execute("DELETE FROM tasks").rowcount == 0
            with pytest.raises(psycopg.errors.InsufficientPrivilege, match="row-level security"):
                session.execute("INSERT INTO users (tenant_id, email, display_name) VALUES (%s, 'x', 'x')", (attacker["id"],))


def test_context_ends_with_its_transaction(lab: Any, pair: Any) -> None:
    attacker, _victim = pair
    with lab.as_application() as session:
        with session.transaction():
            session.execute("SELECT set_config('rls.tenant_id', %s, true)", (attacker["id"],))
            assert session.execute("SELECT count(*) FROM users").fetchone() == (3,)
        assert session.execute("SELECT count(*) FROM users").fetchone() == (0,)
        with session.transaction(force_rollback=True):
            session.execute("SELECT set_config('rls.tenant_id', %s, true)", (attacker["id"],))
        assert session.execute("SELECT count(*) FROM users").fetchone() == (0,)


def in_context(session: Any, tenant: dict[str, Any], statement: str, parameters: tuple[Any, ...]) -> None:
    """One transaction of the application for a tenant."""
    with session.transaction():
        session.execute("SELECT set_config('rls.tenant_id', %s, true)", (tenant["id"],))
        psycopg.ClientCursor(session).execute(statement, parameters)


def test_application_as_one_tenant_cannot_reach_another(lab: Any, pair: Any) -> None:
    attacker, victim = pair
    foreign = lab.rows("SELECT project_id, owner_user_id FROM leanvibe.projects WHERE tenant_id = %s LIMIT 1", victim["id"])[0]
    refused = [
        ("INSERT INTO users (tenant_id, email, display_name) VALUES (%s, 'x', 'x')", (victim["id"],), psycopg.errors.InsufficientPrivilege),
        ("UPDATE users SET tenant_id = %s", (victim["id"],), psycopg.errors.InsufficientPrivilege),
        # A reference to another tenant's project does not exist, with or without its tenant.
        ("INSERT INTO tasks (tenant_id, project_id, title) VALUES (%s, %s, 'x')", (attacker["id"], foreign[0]), psycopg.errors.ForeignKeyViolation),
        ("INSERT INTO tasks (tenant_id, project_id, title) VALUES (%s, %s, 'x')", (victim["id"], foreign[0]), psycopg.errors.InsufficientPrivilege),
        ("UPDATE projects SET owner_user_id = %s", (foreign[1],), psycopg.errors.ForeignKeyViolation),
        ("TRUNCATE users", (), psycopg.errors.InsufficientPrivilege),
        ("DELETE FROM audit_events", (), psycopg.errors.InsufficientPrivilege),
        ("UPDATE tenants SET tier = 'enterprise'", (), psycopg.errors.InsufficientPrivilege),
        ("CREATE TRIGGER t AFTER INSERT ON users EXECUTE FUNCTION suppress_redundant_updates_trigger()", (), psycopg.errors.InsufficientPrivilege),
        ("ALTER TABLE users DISABLE ROW LEVEL SECURITY", (), psycopg.errors.InsufficientPrivilege),
        ("SET LOCAL row_security = off; SELECT count(*) FROM users", (), psycopg.errors.InsufficientPrivilege),
        ("SET ROLE leanvibe_owner", (), psycopg.errors.InsufficientPrivilege),
        ("SET SESSION AUTHORIZATION leanvibe_owner", (), psycopg.errors.InsufficientPrivilege),
        ("CREATE TEMP TABLE x (a int)", (), psycopg.errors.InsufficientPrivilege),
        ("SELECT * FROM leanvibe_private.tenant_roles", (), psycopg.errors.InsufficientPrivilege),
    ]
    with lab.as_application() as session:
        for statement, parameters, error in refused:
            with pytest.raises(error):
                in_context(session, attacker, statement, parameters)
        with session.transaction():
            session.execute("SELECT set_config('rls.tenant_id', %s, true)", (attacker["id"],))
            for view in ("users", "projects", "tasks", "project_progress", "tenants"):
                query = sql.SQL("SELECT DISTINCT tenant_id FROM {}").format(sql.Identifier(view))
                assert session.execute(query).fetchall() == [(attacker["id"],)]
            # The same address in two tenants is nobody's conflict.
            session.execute("INSERT INTO users (tenant_id, email, display_name) VALUES (%s, %s, 'x')", (attacker["id"], f"{MARK_B}0@example.com"))
            session.execute("DELETE FROM users WHERE display_name = 'x'")


def test_tools_keep_working_for_a_tenant(lab: Any, pair: Any) -> None:
    """Closing the catalogue must not close psql's \\d or what libraries look up."""
    import sqlalchemy

    attacker, _victim = pair
    address = lab.connection(lab.role(attacker), lab.secret(attacker).postgresql_password)
    environment = {"PGPASSWORD": lab.secret(attacker).postgresql_password, "PGSSLMODE": "verify-full", "PGSSLROOTCERT": address["sslrootcert"]}
    command = ["psql", "-h", address["host"], "-p", str(address["port"]), "-U", address["username"], "-d", address["database"], "-v", "ON_ERROR_STOP=1", "-X"]
    script = "\\d ledger\n\\dt\n\\dv\n\\df\n\\ds\n\\dn\n\\l\n\\dT\n\\d leanvibe_shared.users\n\\dp\nSELECT count(*) AS rows FROM ledger;"
    done = subprocess.run(command, input=script, capture_output=True, text=True, timeout=30, env={**environment, "PATH": "/usr/bin:/bin"}, check=False)
    assert done.returncode == 0, done.stderr
    assert "ledger_pkey" in done.stdout
    url = sqlalchemy.URL.create("postgresql+psycopg")
    engine = sqlalchemy.create_engine(url, creator=lambda: lab.as_tenant(attacker))
    metadata = sqlalchemy.MetaData()
    sqlalchemy.Table(
        "made_by_orm", metadata, sqlalchemy.Column("id", sqlalchemy.Integer, primary_key=True), sqlalchemy.Column("a", sqlalchemy.String, index=True)
    )
    metadata.create_all(engine)
    seen = sqlalchemy.MetaData()
    seen.reflect(engine, views=True)
    assert {"ledger", "made_by_orm", "notes"} <= set(seen.tables)
    assert {column.name for column in seen.tables["made_by_orm"].columns} == {"id", "a"}
    metadata.drop_all(engine)
    engine.dispose()


def test_dump_by_the_superuser_is_whole(lab: Any, pair: Any) -> None:
    address = lab.connection("postgres")
    environment = {"PGPASSWORD": lab.passwords["postgres"], "PGSSLMODE": "verify-full", "PGSSLROOTCERT": address["sslrootcert"], "PATH": "/usr/bin:/bin"}
    command = [
        "pg_dump",
        "-h",
        address["host"],
        "-p",
        str(address["port"]),
        "-U",
        "postgres",
        "-d",
        address["database"],
        "--data-only",
        "--table=leanvibe.users",
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    assert f"{MARK_B}0" in done.stdout
    assert "ownA4f0" in done.stdout
