# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PgBouncer in transaction pooling: the way in which the application comes to PostgreSQL."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ...common.lazy import LazyModule
from .. import files
from ..part import Part
from ..settings import REGIONS
from ..supervisor import Program
from ..waiting import NotReady
from .postgresql import Postgresql
from .toxiproxy import Toxiproxy

if TYPE_CHECKING:
    import psycopg
else:
    psycopg = LazyModule("psycopg")

# Both regions' poolers may come to one server: 2 x 70 + 2 x 15 server connections leave 30 of 200 for operations,
# replication and the superuser.
SERVER_CONNECTIONS = 70
READ_ONLY_CONNECTIONS = 15


class Pgbouncer(Part):
    """``leanvibe`` leads to the primary wherever it is, ``leanvibe_local`` to the region's own server (a standby is read-only)."""

    component = "pgbouncer"
    system = "pgbouncer"
    when_changed = "HUP"

    @property
    def ports(self) -> tuple[int, ...]:
        return (self.context.port("pgbouncer", self.region),)

    def requires(self) -> tuple[str, ...]:
        servers = tuple(Postgresql(self.context, region).id for region in REGIONS)
        return (*servers, Toxiproxy(self.context, self.region).id)

    def _target(self) -> int:
        """The port at which this region reaches the primary: its own server's, or the link's."""
        own = Postgresql(self.context, self.region)
        return self.context.port("link_postgresql", self.region) if own.follows and not own.other.follows else own.ports[0]

    def prepare(self) -> list[str]:
        owner = self.account
        done = ["folder made"] if files.directory(self.home, 0o700, owner) else []
        if self.context.issue_server(self.component, self.region, owner):
            done.append("certificate made")
        secrets = self.context.secrets
        users = {"pgbouncer_auth": secrets["postgresql"]["pgbouncer_auth"], **secrets["pgbouncer"]}
        changed = files.write(self.home / "users.txt", "".join(f'"{name}" "{password}"\n' for name, password in users.items()), 0o600, owner)
        if changed | files.write(self.home / "pgbouncer.ini", self._configuration(), 0o600, owner):
            done.append("configuration written")
        return done

    def _configuration(self) -> str:
        pair = self.context.server_pair(self.component, self.region)
        own = Postgresql(self.context, self.region).ports[0]
        values: dict[str, object] = {
            "listen_addr": "127.0.0.1",
            "listen_port": self.ports[0],
            "unix_socket_dir": "",
            "auth_type": "scram-sha-256",
            "auth_file": self.home / "users.txt",
            "auth_user": "pgbouncer_auth",
            "auth_query": "SELECT username, verifier FROM pgbouncer.user_lookup($1)",
            "admin_users": "pgbouncer_admin",
            # May look at the console, and change nothing.
            "stats_users": "pgbouncer_health",
            "pool_mode": "transaction",
            # A tenant of the smallest tier may have 5 connections, and both regions' poolers come to the same server.
            "default_pool_size": 2,
            # What a client sets for its session must not reach the next one, which gets the same connection.
            "server_reset_query": "DISCARD ALL",
            "server_reset_query_always": 1,
            "max_client_conn": 2000,
            "server_idle_timeout": 30,
            "server_connect_timeout": 5,
            "server_login_retry": 2,
            "query_wait_timeout": 30,
            "client_tls_sslmode": "require",
            "client_tls_cert_file": pair.certificate,
            "client_tls_key_file": pair.key,
            "server_tls_sslmode": "verify-full",
            "server_tls_ca_file": self.context.ca_file,
            "ignore_startup_parameters": "extra_float_digits",
            "log_connections": 0,
            "log_disconnections": 0,
            "stats_period": 3600,
        }
        databases = {
            "leanvibe": f"host=localhost port={self._target()} dbname=leanvibe max_db_connections={SERVER_CONNECTIONS}",
            "leanvibe_local": f"host=localhost port={own} dbname=leanvibe max_db_connections={READ_ONLY_CONNECTIONS}",
        }
        lines = ["[databases]", *(f"{name} = {target}" for name, target in databases.items())]
        return "\n".join([*lines, "[pgbouncer]", *(f"{key} = {value}" for key, value in values.items())]) + "\n"

    def program(self) -> Program:
        argv = (str(self.context.binary("pgbouncer")), str(self.home / "pgbouncer.ini"))
        # SIGINT lets running transactions end; whoever takes the sandbox down does not wait for clients.
        return Program(name=self.id, argv=argv, directory=self.home, user=self.account.name, stop_signal="TERM")

    def probe(self, timeout: float = 5.0) -> str:
        try:
            with psycopg.connect(
                host="localhost",
                port=self.ports[0],
                dbname="pgbouncer",
                user="pgbouncer_admin",
                password=self.context.secrets["pgbouncer"]["pgbouncer_admin"],
                sslmode="verify-full",
                sslrootcert=str(self.context.ca_file),
                connect_timeout=max(2, int(timeout)),
                autocommit=True,
            ) as connection:
                row = connection.execute("SHOW VERSION").fetchone()
        except psycopg.Error as error:
            raise NotReady(f"PgBouncer in {self.region} does not answer: {str(error).strip()}") from error
        found = re.search(r"\d+(\.\d+)+", str(row[0]) if row else "")
        return found.group() if found else ""

    def ready(self) -> None:
        """It is ready when the application's role gets an answer from the database through it."""
        try:
            with psycopg.connect(
                host="localhost",
                port=self.ports[0],
                dbname="leanvibe",
                user="leanvibe_app",
                password=self.context.secrets["postgresql"]["leanvibe_app"],
                sslmode="verify-full",
                sslrootcert=str(self.context.ca_file),
                connect_timeout=5,
                autocommit=True,
            ) as connection:
                connection.execute("SELECT 1")
        except psycopg.Error as error:
            raise NotReady(f"PgBouncer in {self.region} does not reach the database: {str(error).strip()}") from error
