# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PostgreSQL: a primary in the first region, a hot standby that streams from it in the other."""

from __future__ import annotations

import contextlib
import getpass
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...common.lazy import LazyModule
from .. import commands, files
from ..part import Part
from ..settings import REGIONS
from ..supervisor import Program
from ..waiting import NotReady
from . import postgresql_contents
from .toxiproxy import Toxiproxy

if TYPE_CHECKING:
    import psycopg
else:
    psycopg = LazyModule("psycopg")

PRIMARY_REGION = REGIONS[0]
MAX_CONNECTIONS = 200
STANZA = "leanvibe"

CONFIGURATION = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_permissions": "0700",
    "max_connections": MAX_CONNECTIONS,
    "shared_buffers": "64MB",
    "work_mem": "2MB",
    "password_encryption": "scram-sha-256",
    "ssl": "on",
    "ssl_min_protocol_version": "TLSv1.2",
    "wal_level": "replica",
    "max_wal_senders": 10,
    "max_replication_slots": 10,
    # A standby that stays away must not fill the primary's disk.
    "max_slot_wal_keep_size": "1GB",
    "max_wal_size": "512MB",
    "hot_standby": "on",
    "hot_standby_feedback": "on",
    "wal_receiver_timeout": "10s",
    "wal_sender_timeout": "10s",
    "wal_retrieve_retry_interval": "1s",
    "archive_mode": "on",
    # What a disaster may cost is at most this much of writes that the standby has not seen either.
    "archive_timeout": "60s",
    "row_security": "on",
    "log_connections": "off",
    "log_line_prefix": "%m [%p] %q%u@%d ",
    "log_timezone": "UTC",
    "timezone": "UTC",
    "track_io_timing": "on",
    "shared_preload_libraries": "pg_stat_statements",
}


class Postgresql(Part):
    """One server. Which one is primary is read from its data folder, so that a failover outlives the next bring-up."""

    component = "postgresql"
    system = "postgresql"
    when_changed = "HUP"
    # SIGTERM would wait until the last client has gone.
    stop_signal = "INT"

    @property
    def ports(self) -> tuple[int, ...]:
        return (self.context.port("postgresql", self.region),)

    @property
    def data(self) -> Path:
        """PGDATA."""
        return self.home / "data"

    @property
    def initialised(self) -> bool:
        """Whether there is a database cluster."""
        return (self.data / "PG_VERSION").is_file()

    @property
    def follows(self) -> bool:
        """Whether this server is a standby: by its data if it has any, else by its region."""
        return (self.data / "standby.signal").exists() if self.initialised else self.region != PRIMARY_REGION

    @property
    def other(self) -> Postgresql:
        """The server of the other region."""
        return Postgresql(self.context, next(region for region in REGIONS if region != self.region))

    def requires(self) -> tuple[str, ...]:
        return (self.other.id, Toxiproxy(self.context, self.region).id) if self.follows else ()

    def binary(self, name: str) -> str:
        """A program of PostgreSQL's, beside the server itself."""
        return str(self.context.binary("postgres").parent / name)

    def prepare(self) -> list[str]:
        owner = self.account
        done = []
        if files.directory(self.home, 0o700, owner):
            done.append("folder made")
        if self.context.issue_server(self.component, self.region, owner):
            done.append("certificate made")
        if not self.initialised:
            done.append(self._follow() if self.follows else self._create())
        if files.write(self.data / "sandbox.conf", self._configuration(), 0o600, owner):
            done.append("configuration written")
        files.write(self.data / "pg_hba.conf", self._access_rules(), 0o600, owner)
        files.write(self.data / "pg_ident.conf", self._operating_system_users(), 0o600, owner)
        return done

    def _create(self) -> str:
        password = self.home / "initial-password"
        files.write(password, self.context.secrets["postgresql"]["postgres"] + "\n", 0o600, self.account)
        fresh = self._fresh()
        options = ["--username=postgres", "--auth-local=peer", "--auth-host=scram-sha-256", "--data-checksums"]
        options += ["--encoding=UTF8", "--locale=C.UTF-8", "--no-sync"]
        try:
            self._run([self.binary("initdb"), f"--pgdata={fresh}", f"--pwfile={password}", *options])
        finally:
            password.unlink()
        main = fresh / "postgresql.conf"
        files.write(main, main.read_text() + "include 'sandbox.conf'\n", 0o600, self.account)
        fresh.rename(self.data)
        return "database cluster made"

    def _fresh(self) -> Path:
        """A folder to make PGDATA in; it takes its place when it is whole, so that a killed bring-up leaves no half of one."""
        fresh = self.home / "data.new"
        if fresh.exists():
            shutil.rmtree(fresh)
        return fresh

    def _follow(self) -> str:
        self.other.ensure_slot(self.slot)
        fresh = self._fresh()
        way = f"host=localhost port={self.context.port('link_postgresql', self.region)} sslmode=verify-full sslrootcert={self.context.ca_file}"
        connection = f"{way} user=replication application_name={self.slot}"
        argv = [self.binary("pg_basebackup"), f"--pgdata={fresh}", f"--dbname={connection}", f"--slot={self.slot}"]
        argv += ["--wal-method=stream", "--checkpoint=fast", "--no-sync", "--no-password"]
        self._run(argv, {"PGPASSWORD": self.context.secrets["postgresql"]["replication"]}, timeout=300)
        files.write(fresh / "standby.signal", "", 0o600, self.account)
        fresh.rename(self.data)
        return "base backup of the primary taken"

    def _run(self, argv: list[str], environment: dict[str, str] | None = None, timeout: float = 120.0) -> None:
        commands.run(argv, account=self.account, directory=self.home, data=self.context.data, environment=environment, timeout=timeout)

    @property
    def slot(self) -> str:
        """The replication slot that this server uses when it follows."""
        return f"standby_{str(self.region).replace('-', '_')}"

    def _configuration(self) -> str:
        pair = self.context.server_pair(self.component, self.region)
        backup = f"{self.context.binary('pgbackrest')} --config={self.backup_configuration} --stanza={STANZA}"
        upstream = {
            "host": "localhost",
            "port": self.context.port("link_postgresql", self.region),
            "user": "replication",
            "password": self.context.secrets["postgresql"]["replication"],
            "sslmode": "verify-full",
            "sslrootcert": self.context.ca_file,
            "application_name": self.slot,
            "connect_timeout": 5,
        }
        values = CONFIGURATION | {
            "port": self.ports[0],
            "unix_socket_directories": self.context.run,
            "ssl_cert_file": pair.certificate,
            "ssl_key_file": pair.key,
            "ssl_ca_file": self.context.ca_file,
            "archive_command": f"{backup} archive-push %p",
            "cluster_name": f"leanvibe-{self.region}",
            "primary_conninfo": " ".join(f"{key}={value}" for key, value in upstream.items()),
            "primary_slot_name": self.slot,
        }
        return "".join(f"{key} = '{_escaped(value)}'\n" for key, value in values.items())

    @property
    def backup_configuration(self) -> Path:
        """pgBackRest's configuration for this server; the part that archives writes it."""
        return self.context.home("pgbackrest", self.region) / "pgbackrest.conf"

    def _access_rules(self) -> str:
        return (
            "local   all          postgres                   peer map=sandbox\n"
            "hostssl replication  replication  127.0.0.1/32  scram-sha-256\n"
            "hostssl all          replication  127.0.0.1/32  reject\n"
            "hostssl all          all          127.0.0.1/32  scram-sha-256\n"
        )

    def _operating_system_users(self) -> str:
        names = {"root", self.account.name} if self.account.name else {_own_name()}
        return "".join(f"sandbox {name} postgres\n" for name in sorted(filter(None, names)))

    def program(self) -> Program:
        return Program(
            name=self.id,
            argv=(self.binary("postgres"), "-D", str(self.data)),
            directory=self.home,
            user=self.account.name,
            stop_signal=self.stop_signal,
            stop_seconds=12,
        )

    @contextlib.contextmanager
    def connect(self, database: str = "postgres", timeout: float = 5.0) -> Iterator[psycopg.Connection[Any]]:
        """A connection as superuser, in autocommit; statements end after ``timeout`` seconds. Raises NotReady."""
        try:
            connection = psycopg.connect(
                host="localhost",
                port=self.ports[0],
                dbname=database,
                user="postgres",
                password=self.context.secrets["postgresql"]["postgres"],
                sslmode="verify-full",
                sslrootcert=str(self.context.ca_file),
                connect_timeout=max(2, int(timeout)),
                options=f"-c statement_timeout={int(timeout * 1000)}",
                autocommit=True,
            )
        except psycopg.OperationalError as error:
            raise NotReady(f"PostgreSQL in {self.region} does not answer: {str(error).strip()}") from error
        with connection:
            yield connection

    def probe(self, timeout: float = 5.0) -> str:
        with self.connect(timeout=timeout) as connection:
            row = connection.execute("SELECT current_setting('server_version')").fetchone()
        return str(row[0]).split()[0] if row else ""

    def ready(self) -> None:
        with self.connect() as connection:
            recovering = connection.execute("SELECT pg_is_in_recovery()").fetchone()
            streaming = connection.execute("SELECT status FROM pg_stat_wal_receiver").fetchone()
        if self.follows and (streaming is None or streaming[0] != "streaming"):
            raise NotReady(f"the standby in {self.region} does not stream from its primary yet")
        if not self.follows and recovering and recovering[0]:
            raise NotReady(f"PostgreSQL in {self.region} is still recovering")

    def ensure_slot(self, slot: str) -> bool:
        """A physical replication slot on this (primary) server; True if it was made."""
        with self.connect() as connection:
            if connection.execute("SELECT 1 FROM pg_replication_slots WHERE slot_name = %s", (slot,)).fetchone():
                return False
            connection.execute("SELECT pg_create_physical_replication_slot(%s, true)", (slot,))
            return True

    def configure(self) -> list[str]:
        if self.follows:
            return []
        done = []
        with self.connect(timeout=15) as connection:
            done += postgresql_contents.roles_and_databases(connection, self.context.secrets["postgresql"])
        for database in postgresql_contents.DATABASES:
            with self.connect(database, timeout=15) as connection:
                done += postgresql_contents.inside(connection, database)
        return done


def _escaped(value: object) -> str:
    return str(value).replace("'", "''")


def _own_name() -> str:
    return getpass.getuser()
