# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A scratch database on the sandbox's primary, made by the shipped modules, in which protections can be dropped without harming anybody.

Roles belong to the server, so tenants here are named ``pg-<run>-…`` and removed at the end. Read-back is by sessions of our own, never by the collection.
"""

from __future__ import annotations

import contextlib
import io
import json
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
import yaml
from ansible.module_utils.testing import patch_module_args
from psycopg import sql

EAST, WEST = "us-east-1", "us-west-2"
PLATFORM = ("leanvibe_owner", "leanvibe_migrations", "leanvibe_app", "leanvibe_operations", "pgbouncer_auth")


class Lab:
    """One scratch database and the tenants in it."""

    def __init__(self, sandbox: dict[str, Any], credentials: dict[str, Any], checkout: Path) -> None:
        self.sandbox, self.passwords, self.checkout = sandbox, credentials["postgresql"], checkout
        self.run_id = secrets.token_hex(2)
        self.database = f"lab_{self.run_id}"
        self.prefix = f"pg-{self.run_id}"
        self.tiers = yaml.safe_load((checkout / "roles/tiers/defaults/main.yml").read_text(encoding="utf-8"))["tiers_catalogue"]
        self.secrets: dict[str, Any] = {}
        self._reader: psycopg.Connection[Any] | None = None
        self.migrations = checkout / "roles/platform_database/files/migrations"

    # Sessions

    def connection(self, username: str, password: str | None = None, *, database: str | None = None, region: str = EAST) -> dict[str, Any]:
        """A connection as the modules take it."""
        address = self.sandbox["regions"][region]["postgresql"]
        return {
            "host": address["host"],
            "port": address["port"],
            "database": database or self.database,
            "username": username,
            "password": password or self.passwords[username],
            "sslmode": "verify-full",
            "sslrootcert": self.sandbox["ca_file"],
        }

    def connect(self, username: str, password: str | None = None, **change: Any) -> psycopg.Connection[Any]:
        """A session of our own, in autocommit."""
        params = self.connection(username, password, database=change.pop("database", None), region=change.pop("region", EAST))
        return psycopg.connect(
            host=params["host"],
            port=params["port"],
            dbname=params["database"],
            user=username,
            password=params["password"],
            sslmode="verify-full",
            sslrootcert=params["sslrootcert"],
            connect_timeout=10,
            options="-c statement_timeout=20s",
            autocommit=True,
            prepare_threshold=None,
            **change,
        )

    def superuser(self, **change: Any) -> psycopg.Connection[Any]:
        """A superuser's session: reads everything back, and breaks things."""
        return self.connect("postgres", **change)

    def rows(self, query: Any, *parameters: Any) -> list[tuple[Any, ...]]:
        """Independent read-back as superuser, in a session that stays open."""
        if self._reader is None or self._reader.closed:
            self._reader = self.superuser()
        return self._reader.execute(query, parameters).fetchall()

    # Tenants

    def tenant(self, name: str, **change: Any) -> dict[str, Any]:
        """A declaration; its id is ``pg-<run>-<name>``."""
        return {"id": f"{self.prefix}-{name}", "name": f"Tenant {name}", "tier": "developer", "region": EAST, **change}

    def role(self, tenant: dict[str, Any]) -> str:
        return "tenant_" + tenant["id"].replace("-", "_")

    def secret(self, tenant: dict[str, Any]) -> Any:
        """What stands for the tenant's Secret here (test_module_on_real_secrets reads real ones)."""
        from ansible_collections.leanvibe.ops.plugins.module_utils.tenants import credentials, model

        return self.secrets.setdefault(tenant["id"], credentials.generate(model.Tenant.from_mapping(tenant), False))

    def as_tenant(self, tenant: dict[str, Any], **change: Any) -> psycopg.Connection[Any]:
        """A session with what the tenant's Secret holds and nothing else."""
        return self.connect(self.role(tenant), self.secret(tenant).postgresql_password, **change)

    def as_application(self, **change: Any) -> psycopg.Connection[Any]:
        return self.connect("leanvibe_app", **change)

    def run(self, tenants: list[dict[str, Any]], *, check: bool = False, **change: Any) -> dict[str, Any]:
        """The module's work, the Secrets stood for by ``secret``."""
        from ansible_collections.leanvibe.ops.plugins.module_utils.tenants.systems import postgresql

        connection = {"driver": change.pop("driver", "postgresql"), **change.pop("connection", self.connection("leanvibe_operations"))}
        params = {"region": EAST, "tenants": tenants, "declared_ids": None, "tiers": self.tiers, "secrets": {}, "lease": None, "concurrency": 16}
        params |= {"timeout": 10, "connection": connection, "replica": False, "measure": False, **change}
        unreadable = params.pop("unreadable", {})
        original = postgresql.credentials_of
        postgresql.credentials_of = lambda request, _check: {
            tenant.id: unreadable.get(tenant.id) or self.secret(tenant.to_mapping()) for tenant in request.tenants
        }
        try:
            return postgresql.run(params, check)
        finally:
            postgresql.credentials_of = original

    def module(self, module: Any, arguments: dict[str, Any], *, check: bool = False) -> dict[str, Any]:
        """Run a module's main() as Ansible does and return its result."""
        output = io.StringIO()
        given = {**arguments, "_ansible_check_mode": check, "_ansible_diff": True}
        with patch_module_args(given), contextlib.redirect_stdout(output), pytest.raises(SystemExit):
            module.main()
        return dict(json.loads(output.getvalue()))

    def foundation(self, *, check: bool = False) -> dict[str, Any]:
        from ansible_collections.leanvibe.ops.plugins.modules import database_foundation

        return self.module(database_foundation, {"connection": self.connection("postgres")}, check=check)

    def migrate(self, folder: Path | None = None, *, check: bool = False) -> dict[str, Any]:
        from ansible_collections.leanvibe.ops.plugins.modules import database_migrate

        arguments = {"connection": self.connection("leanvibe_migrations"), "migrations": str(folder or self.migrations)}
        return self.module(database_migrate, {**arguments, "version_schema": "leanvibe_private", "isolation": True}, check=check)

    def audit(self) -> Any:
        from ansible_collections.leanvibe.ops.plugins.module_utils.platform_database.audit import audit

        with self.connect("leanvibe_operations") as session:
            return audit(session)

    def fill(self, tenant: dict[str, Any], marker: str, number: int = 3) -> None:
        """Data of one tenant, written by the application; every text holds the marker."""
        with self.as_application() as session, session.transaction():
            session.execute("SELECT set_config('rls.tenant_id', %s, true)", (tenant["id"],))
            for index in range(number):
                word = f"{marker}{index}"
                user = session.execute(
                    "INSERT INTO users (tenant_id, email, display_name, password_hash) VALUES (%s, %s, %s, %s) RETURNING user_id",
                    (tenant["id"], f"{word}@example.com", word, word),
                ).fetchall()[0][0]
                project = session.execute(
                    "INSERT INTO projects (tenant_id, name, owner_user_id) VALUES (%s, %s, %s) RETURNING project_id", (tenant["id"], word, user)
                ).fetchall()[0][0]
                session.execute("INSERT INTO project_members (tenant_id, project_id, user_id) VALUES (%s, %s, %s)", (tenant["id"], project, user))
                session.execute("INSERT INTO tasks (tenant_id, project_id, title) VALUES (%s, %s, %s)", (tenant["id"], project, word))
                session.execute("INSERT INTO api_keys (tenant_id, user_id, name, key_hash) VALUES (%s, %s, %s, %s)", (tenant["id"], user, word, word.encode()))
                session.execute("INSERT INTO audit_events (tenant_id, actor, action, subject) VALUES (%s, %s, 'made', %s)", (tenant["id"], word, word))

    def make(self) -> None:
        with self.superuser(database="postgres") as session:
            session.execute(sql.SQL("CREATE DATABASE {} OWNER leanvibe_owner").format(sql.Identifier(self.database)))
        with self.superuser() as session:
            session.execute(sql.SQL("CREATE EXTENSION pg_stat_statements"))

    def remove(self) -> None:
        if self._reader is not None:
            self._reader.close()
        with self.superuser(database="postgres") as session:
            session.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(self.database)))
            pattern = f"tenant_{self.prefix.replace('-', '_')}_%"
            for (role,) in session.execute("SELECT rolname FROM pg_roles WHERE rolname LIKE %s", (pattern,)).fetchall():
                session.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(role)))


@pytest.fixture(scope="session")
def lab(sandbox: dict[str, Any], credentials: dict[str, Any], checkout: Path) -> Iterator[Lab]:
    """The scratch database, made by the shipped modules."""
    made = Lab(sandbox, credentials, checkout)
    made.make()
    try:
        made.foundation()
        made.migrate()
        yield made
    finally:
        made.remove()


MARK = {"a": "ownA4f", "b": "secretB9k"}


@pytest.fixture(scope="session")
def pair(lab: Lab) -> tuple[dict[str, Any], dict[str, Any]]:
    """Tenants A (the attacker) and B (the victim), with data in the shared tables and in their own schemas."""
    tenants = lab.tenant("alpha"), lab.tenant("beta", tier="team")
    outcome = lab.run(list(tenants))
    assert [item["verdict"] for item in outcome["results"]] == ["succeeded", "succeeded"], outcome
    for tenant, marker in zip(tenants, MARK.values(), strict=True):
        lab.fill(tenant, marker)
        with lab.as_tenant(tenant) as session:
            session.execute(sql.SQL("CREATE TABLE ledger (id int PRIMARY KEY, note text DEFAULT {})").format(sql.Literal(marker)))
            session.execute("INSERT INTO ledger SELECT g FROM generate_series(1, 5) g")
            session.execute(sql.SQL("CREATE VIEW notes AS SELECT note || {} AS note FROM ledger").format(sql.Literal(marker)))
            session.execute(sql.SQL("CREATE FUNCTION whisper() RETURNS text LANGUAGE sql AS $$ SELECT {}::text $$").format(sql.Literal(marker)))
            session.execute("CREATE SEQUENCE numbers")
            session.execute("SELECT nextval('numbers')")
    return tenants
