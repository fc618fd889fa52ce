# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The sandbox's PostgreSQL and PgBouncer as the tests of health checks look at them and break them."""

from __future__ import annotations

import contextlib
import io
import json
import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import psycopg
from ansible.module_utils.testing import patch_module_args
from ansible_collections.leanvibe.ops.plugins.module_utils.health.comparisons import compare
from ansible_collections.leanvibe.ops.plugins.module_utils.health.results import Run
from ansible_collections.leanvibe.ops.plugins.module_utils.health.systems.postgresql import COMPARISONS
from ansible_collections.leanvibe.ops.plugins.modules import database_foundation, database_migrate, health_pgbouncer, health_postgresql
from psycopg import sql

EAST, WEST = "us-east-1", "us-west-2"
ROLES = {EAST: "primary", WEST: "standby"}


class Clinic:
    """Looks as the account that may only look, breaks as superuser, and reads back in sessions of its own."""

    def __init__(self, sandbox: dict[str, Any], credentials: dict[str, Any], checkout: Path) -> None:
        self.sandbox, self.passwords, self.poolers, self.checkout = sandbox, credentials["postgresql"], credentials["pgbouncer"], checkout
        self.run_id = secrets.token_hex(2)
        self.database = f"hc_{self.run_id}"

    # Sessions

    def connection(self, username: str, *, region: str = EAST, database: str = "leanvibe", system: str = "postgresql", password: str = "") -> dict[str, Any]:
        """A connection as the modules take it."""
        address = self.sandbox["regions"][region][system]
        known = {**self.poolers, **self.passwords}
        return {
            "host": address["host"],
            "port": address["port"],
            "database": database,
            "username": username,
            "password": password or known[username],
            "sslmode": "verify-full",
            "sslrootcert": self.sandbox["ca_file"],
        }

    def connect(self, username: str, **where: Any) -> psycopg.Connection[Any]:
        """A session of our own, in autocommit."""
        params = self.connection(username, **where)
        return psycopg.connect(
            host=params["host"],
            port=params["port"],
            dbname=params["database"],
            user=username,
            password=params["password"],
            sslmode="verify-full",
            sslrootcert=params["sslrootcert"],
            connect_timeout=10,
            autocommit=True,
            prepare_threshold=None,
        )

    @contextlib.contextmanager
    def superuser(self, **where: Any) -> Iterator[psycopg.Connection[Any]]:
        with self.connect("postgres", **where) as session:
            yield session

    def ask(self, query: Any, *values: Any, **where: Any) -> list[tuple[Any, ...]]:
        """Independent read-back."""
        with self.superuser(**where) as session:
            return session.execute(query, values).fetchall()

    def tell(self, *statements: str, **where: Any) -> None:
        """Statements of the test's own, as superuser."""
        with self.superuser(**where) as session:
            for statement in statements:
                session.execute(sql.SQL(statement))  # type: ignore[arg-type]

    # Looking

    def module(self, module: Any, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """A module's main() as Ansible runs it."""
        output = io.StringIO()
        with patch_module_args(dict(arguments)), contextlib.redirect_stdout(output), contextlib.suppress(SystemExit):
            module.main()
        return dict(json.loads(output.getvalue()))

    def look(self, region: str = EAST, *, database: str = "leanvibe", username: str = "leanvibe_health", password: str = "", **arguments: Any) -> Run:
        """The checks of one server, from the beginning to the end of the module."""
        # Nothing writes to the scratch database but what a test does.
        options = {"role": ROLES[region], "heartbeat": database != self.database, **arguments.pop("options", {})}
        connection = self.connection(username, region=region, database=database, password=password)
        result = self.module(health_postgresql, {"region": region, "connection": connection, "options": options, **arguments})
        assert not result.get("failed"), result
        return Run.from_mapping(result["run"])

    def look_at_pooler(self, region: str = EAST, **arguments: Any) -> Run:
        connection = self.connection("pgbouncer_health", region=region, database="pgbouncer", system="pgbouncer")
        result = self.module(health_pgbouncer, {"region": region, "connection": connection, **arguments})
        assert not result.get("failed"), result
        return Run.from_mapping(result["run"])

    def both(self, **arguments: Any) -> tuple[list[Run], list[dict[str, Any]]]:
        """Both servers, and what is compared between them."""
        runs = [self.look(region, **arguments) for region in (EAST, WEST)]
        compared, _done = compare(COMPARISONS, runs, {"postgresql": [EAST, WEST]})
        return runs, [item for run in runs for item in run.items] + compared

    # A database in which things can be broken without harming anybody

    def make(self) -> None:
        with self.superuser(database="postgres") as session:
            session.execute(sql.SQL("CREATE DATABASE {} OWNER leanvibe_owner").format(sql.Identifier(self.database)))
        self.tell("CREATE EXTENSION pg_stat_statements", database=self.database)
        made = self.module(database_foundation, {"connection": self.connection("postgres", database=self.database)})
        assert not made.get("failed"), made
        folder = str(self.checkout / "roles/platform_database/files/migrations")
        arguments = {"connection": self.connection("leanvibe_migrations", database=self.database), "migrations": folder}
        done = self.module(database_migrate, {**arguments, "version_schema": "leanvibe_private", "isolation": True})
        assert not done.get("failed"), done

    def remove(self) -> None:
        with self.superuser(database="postgres") as session:
            session.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(self.database)))

    def replayed(self) -> None:
        """Wait until the standby has what the primary has written."""
        position = self.ask("SELECT pg_current_wal_lsn()::text")[0][0]
        eventually(lambda: self.ask("SELECT pg_last_wal_replay_lsn() >= %s::pg_lsn", position, region=WEST)[0][0], "replay")


def eventually(condition: Callable[[], Any], what: str, seconds: float = 30.0) -> None:
    """Wait for something that comes by itself."""
    ends = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < ends, f"{what} did not happen within {seconds:g} s"
        time.sleep(0.2)


def wrong(items: list[dict[str, Any]]) -> dict[str, str]:
    """Findings that somebody must look at, with their message."""
    return {f"{item['id']} {item['subject']} {item['verdict']}": item["message"] for item in items if item["verdict"] not in ("ok", "skipped")}
