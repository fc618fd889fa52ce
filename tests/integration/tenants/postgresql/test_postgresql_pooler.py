# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The way that applications come: DATABASE_URL of the tenant's Secret, through PgBouncer in transaction mode, on the platform's own database."""

# ruff: noqa: S608 - an attacker puts SQL together

from __future__ import annotations

import base64
import contextlib
import secrets
import subprocess
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg import sql

EAST = "us-east-1"


class Platform:
    """The platform's database, two tenants in it, and what their Secrets hold."""

    def __init__(self, lab: Any, clusters: Any, credentials: dict[str, Any]) -> None:
        self.lab, self.clusters = lab, clusters
        self.pooler_password = credentials["pgbouncer"]["pgbouncer_admin"]
        self.tenants = [lab.tenant("pool-a"), lab.tenant("pool-b")]
        self.secrets: dict[str, dict[str, str]] = {}

    def module(self, **change: Any) -> dict[str, Any]:
        from ansible_collections.leanvibe.ops.plugins.modules import tenants_postgresql

        arguments = {"region": EAST, "tenants": self.tenants, "tiers": self.lab.tiers, "secrets": {EAST: self.clusters.connection(EAST)}}
        arguments["connection"] = self.lab.connection("leanvibe_operations", database="leanvibe")
        return self.lab.module(tenants_postgresql, {**arguments, **change})

    def superuser(self) -> psycopg.Connection[Any]:
        return self.lab.superuser(database="leanvibe")

    def make(self) -> None:
        for tenant in self.tenants:
            self.clusters.made.add(f"tenant-{tenant['id']}")
        self.clusters.module(EAST, "prepare", self.tenants)
        done = self.module()
        assert [item["verdict"] for item in done["results"]] == ["succeeded"] * 2, done
        for tenant in self.tenants:
            data = self.clusters.get(EAST, "secret", "tenant-credentials", "-n", f"tenant-{tenant['id']}")["data"]
            self.secrets[tenant["id"]] = {key: base64.b64decode(value).decode() for key, value in data.items()}
        with self.application() as session:
            for tenant in self.tenants:
                with session.transaction():
                    session.execute("SELECT set_config('rls.tenant_id', %s, true)", (tenant["id"],))
                    session.execute("INSERT INTO users (tenant_id, email, display_name) VALUES (%s, 'a@b.c', %s)", (tenant["id"], tenant["id"]))

    def remove(self) -> None:
        with self.superuser() as session:
            for tenant in self.tenants:
                role = sql.Identifier(self.lab.role(tenant))
                session.execute("DELETE FROM leanvibe.users WHERE tenant_id = %s", (tenant["id"],))
                session.execute("DELETE FROM leanvibe_private.tenant_roles WHERE tenant_id = %s", (tenant["id"],))
                session.execute("DELETE FROM leanvibe.tenants WHERE tenant_id = %s", (tenant["id"],))
                session.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = %s", (self.lab.role(tenant),))
                session.execute(sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(role))
                if session.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (self.lab.role(tenant),)).fetchone():
                    session.execute(sql.SQL("DROP ROLE {}").format(role))

    def application(self) -> psycopg.Connection[Any]:
        """One of the application's clients, through the pooler."""
        address = self.lab.sandbox["regions"][EAST]["pgbouncer"]
        return psycopg.connect(
            host=address["host"],
            port=address["port"],
            dbname="leanvibe",
            user="leanvibe_app",
            password=self.lab.passwords["leanvibe_app"],
            sslmode="verify-full",
            sslrootcert=self.lab.sandbox["ca_file"],
            autocommit=True,
            prepare_threshold=None,
            connect_timeout=10,
        )

    def psql(self, tenant: dict[str, Any], script: str) -> str:
        """psql with DATABASE_URL and nothing else; what it printed, errors included. The URL is not in the list of processes."""
        url = self.secrets[tenant["id"]]["DATABASE_URL"]
        script = f"\\set QUIET 1\n\\set VERBOSITY verbose\n\\pset format unaligned\n{script}"
        parts = psycopg.conninfo.conninfo_to_dict(url)
        environment = {f"PG{name}": str(parts[key]) for name, key in (("HOST", "host"), ("PORT", "port"), ("USER", "user"), ("PASSWORD", "password"))}
        environment |= {
            "PGDATABASE": str(parts["dbname"]),
            "PGSSLMODE": str(parts["sslmode"]),
            "PGSSLROOTCERT": str(parts["sslrootcert"]),
            "PATH": "/usr/bin:/bin",
        }
        done = subprocess.run(["psql", "-X"], input=script, capture_output=True, text=True, timeout=60, env=environment, check=False)
        return done.stdout + done.stderr


@pytest.fixture(scope="module")
def platform(lab: Any, clusters: Any, credentials: dict[str, Any]) -> Iterator[Platform]:
    made = Platform(lab, clusters, credentials)
    try:
        made.make()
        yield made
    finally:
        made.remove()


def test_with_the_secret_alone(platform: Platform) -> None:
    a, b = platform.tenants
    other = platform.lab.role(b)
    printed = platform.psql(
        a, "SELECT email, display_name FROM leanvibe_shared.users;\nCREATE TABLE kept (a int);\nINSERT INTO kept VALUES (1);\nSELECT * FROM kept;\n\\dt"
    )
    assert f"a@b.c|{a['id']}" in printed
    assert b["id"] not in printed
    assert "ERROR" not in printed
    attacks = (
        f"SET rls.tenant_id = '{b['id']}';\nSELECT * FROM leanvibe_shared.users;",
        f"BEGIN; SELECT set_config('rls.tenant_id', '{b['id']}', true);\nSET LOCAL search_path = {other}, leanvibe; TABLE leanvibe_shared.users; TABLE users;",
        "SET ROLE leanvibe_tenants;\nSELECT display_name FROM leanvibe_shared.users;",
        f"TABLE {other}.kept;\nSET ROLE {other};\nSET SESSION AUTHORIZATION {other};",
        "TABLE leanvibe.users;\nSELECT reltuples FROM pg_class;\nTABLE pg_stat_activity;",
        f"INSERT INTO leanvibe_shared.projects (tenant_id, name) VALUES ('{b['id']}', 'x');",
    )
    for attack in attacks:
        shown = platform.psql(a, attack)
        assert f"|{b['id']}" not in shown.replace(f"'{b['id']}'", "")
        assert f"\n{b['id']}\n" not in shown.replace("set_config\n" + b["id"], "")
    assert "row-level security" in platform.psql(a, attacks[-1])


def leaks(platform: Platform) -> int:
    """How often a client of the application finds what another one left behind in its session: a context, a prepared statement."""
    seen = 0
    for _number in range(10):
        name = sql.Identifier(f"mine_{secrets.token_hex(4)}")
        with platform.application() as careless, platform.application() as next_one:
            careless.execute("SELECT set_config('rls.tenant_id', %s, false)", (platform.tenants[1]["id"],))
            careless.execute(sql.SQL("PREPARE {} AS SELECT 1").format(name))
            seen += next_one.execute("SELECT count(*) FROM users").fetchall()[0][0]
            with contextlib.suppress(psycopg.errors.InvalidSqlStatementName):
                seen += next_one.execute(sql.SQL("EXECUTE {}").format(name)).fetchall()[0][0]
    return seen


def test_what_a_client_leaves_in_its_session_is_gone(platform: Platform) -> None:
    address = platform.lab.sandbox["regions"][EAST]["pgbouncer"]
    console = psycopg.connect(
        host=address["host"],
        port=address["port"],
        dbname="pgbouncer",
        user="pgbouncer_admin",
        password=platform.pooler_password,
        sslmode="verify-full",
        sslrootcert=platform.lab.sandbox["ca_file"],
        autocommit=True,
    )
    assert leaks(platform) == 0
    # Would it be noticed? The pooler without its reset between transactions, for a moment.
    with console:
        console.execute("SET server_reset_query_always = 0")
        try:
            assert leaks(platform) > 0
        finally:
            console.execute("SET server_reset_query_always = 1")
            # Sessions that were given back meanwhile are still as their clients left them.
            console.execute("RECONNECT leanvibe")
    assert leaks(platform) == 0


def test_context_inside_a_transaction_stays_inside(platform: Platform) -> None:
    a, b = platform.tenants
    with platform.application() as one, platform.application() as other:
        for _number in range(10):
            with one.transaction():
                one.execute("SELECT set_config('rls.tenant_id', %s, true)", (a["id"],))
                assert one.execute("SELECT display_name FROM users").fetchall() == [(a["id"],)]
                assert other.execute("SELECT count(*) FROM users").fetchone() == (0,)
                with other.transaction():
                    other.execute("SELECT set_config('rls.tenant_id', %s, true)", (b["id"],))
                    assert other.execute("SELECT display_name FROM users").fetchall() == [(b["id"],)]
            assert one.execute("SELECT count(*) FROM users").fetchone() == (0,)


def test_suspended_tenant_is_out_and_comes_back(platform: Platform) -> None:
    a = platform.tenants[0]
    assert "1\n" in platform.psql(a, "SELECT 1;")
    done = platform.module(tenants=[{**a, "state": "suspended"}])
    assert done["results"][0]["verdict"] == "succeeded"
    assert "ERROR" in platform.psql(a, "SELECT 1;") or "FATAL" in platform.psql(a, "SELECT 1;")
    platform.module(tenants=[a])
    assert "1\n" in platform.psql(a, "SELECT 1;")
