# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What can go wrong with PostgreSQL and PgBouncer, made on the real ones; each fault undoes itself."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
from postgresql_clinic import EAST, WEST, Clinic, eventually
from psycopg import sql

Making = Callable[[Clinic], AbstractContextManager[Any]]


@dataclass(frozen=True)
class Fault:
    """``may`` is every check that this fault may raise, written down before it was ever made; all of them must. ``scratch``: seen in the scratch database."""

    name: str
    make: Making
    may: frozenset[str]
    scratch: bool = False
    pooler: str = ""
    arguments: dict[str, Any] = field(default_factory=dict)


def ids(*names: str, system: str = "postgresql") -> frozenset[str]:
    return frozenset(f"{system}.{name}" for name in names)


def lowered(check: str, degraded: float, system: str = "postgresql") -> dict[str, Any]:
    return {"thresholds": {f"{system}.{check}": {"degraded": degraded}}}


@contextlib.contextmanager
def statements(clinic: Clinic, do: tuple[str, ...], undo: tuple[str, ...], **where: Any) -> Iterator[None]:
    try:
        clinic.tell(*do, **where)
        yield
    finally:
        clinic.tell(*undo, **where)


def scratched(*do: str, undo: tuple[str, ...] = ("DROP SCHEMA IF EXISTS hc CASCADE",)) -> Making:
    def make(clinic: Clinic) -> AbstractContextManager[None]:
        return statements(clinic, do, undo, database=clinic.database)

    return make


@contextlib.contextmanager
def invalid_index(clinic: Clinic) -> Iterator[None]:
    where = {"database": clinic.database}
    try:
        clinic.tell("CREATE SCHEMA hc", "CREATE TABLE hc.twice AS SELECT 1 AS a FROM generate_series(1, 2)", **where)
        with contextlib.suppress(psycopg.errors.UniqueViolation):
            clinic.tell("CREATE UNIQUE INDEX CONCURRENTLY twice_a ON hc.twice (a)", **where)
        yield
    finally:
        clinic.tell("DROP SCHEMA IF EXISTS hc CASCADE", **where)


@contextlib.contextmanager
def dead_rows(clinic: Clinic) -> Iterator[None]:
    where = {"database": clinic.database}
    try:
        clinic.tell(
            "CREATE SCHEMA hc",
            "CREATE TABLE hc.dead (a int) WITH (autovacuum_enabled = off)",
            "INSERT INTO hc.dead SELECT generate_series(1, 20000)",
            "DELETE FROM hc.dead",
            **where,
        )
        eventually(lambda: clinic.ask("SELECT n_dead_tup >= 20000 FROM pg_stat_user_tables WHERE relname = 'dead'", **where)[0][0], "statistics")
        yield
    finally:
        clinic.tell("DROP SCHEMA IF EXISTS hc CASCADE", **where)


@contextlib.contextmanager
def hollow(clinic: Clinic) -> Iterator[None]:
    """A tenth of the rows is left, all over the table."""
    where = {"database": clinic.database}

    def cleaned() -> bool:
        # The standby's feedback lets rows go seconds later.
        clinic.tell("VACUUM ANALYZE hc.hollow", **where)
        return bool(clinic.ask("SELECT n_dead_tup = 0 FROM pg_stat_user_tables WHERE relname = 'hollow'", **where)[0][0])

    try:
        clinic.tell(
            "CREATE SCHEMA hc",
            "CREATE TABLE hc.hollow AS SELECT g AS a, repeat('x', 200) AS b FROM generate_series(1, 20000) g",
            "DELETE FROM hc.hollow WHERE a % 10 > 0",
            **where,
        )
        eventually(cleaned, "the removal of dead rows", 60)
        yield
    finally:
        clinic.tell("DROP SCHEMA IF EXISTS hc CASCADE", **where)


@contextlib.contextmanager
def idle(clinic: Clinic) -> Iterator[None]:
    with clinic.connect("leanvibe_app") as session:
        session.execute("BEGIN")
        session.execute("SELECT 1")
        time.sleep(1.2)
        yield
        session.execute("ROLLBACK")


@contextlib.contextmanager
def long_statement(clinic: Clinic) -> Iterator[None]:
    with clinic.connect("leanvibe_app") as session:

        def sleep() -> None:
            with contextlib.suppress(psycopg.errors.QueryCanceled):
                session.execute("SELECT pg_sleep(8)")

        thread = threading.Thread(target=sleep, daemon=True)
        thread.start()
        time.sleep(1.2)
        try:
            yield
        finally:
            session.cancel_safe()
            thread.join(10)


@contextlib.contextmanager
def blocked(clinic: Clinic) -> Iterator[None]:
    where = {"database": clinic.database}
    clinic.tell("CREATE SCHEMA hc", "CREATE TABLE hc.wanted (a int)", **where)
    with clinic.connect("postgres", **where) as holder, clinic.connect("postgres", **where) as waiter:

        def wait() -> None:
            with contextlib.suppress(psycopg.errors.QueryCanceled):
                waiter.execute("LOCK TABLE hc.wanted")

        holder.execute("BEGIN")
        holder.execute("LOCK TABLE hc.wanted")
        thread = threading.Thread(target=lambda: (waiter.execute("BEGIN"), wait()), daemon=True)
        thread.start()
        time.sleep(1.5)
        try:
            yield
        finally:
            holder.execute("ROLLBACK")
            thread.join(10)
            waiter.execute("ROLLBACK")
            clinic.tell("DROP SCHEMA IF EXISTS hc CASCADE", **where)


@contextlib.contextmanager
def full_role(clinic: Clinic) -> Iterator[None]:
    name, password = f"hc_{clinic.run_id}_full", "hc-only-here"
    role, database = sql.Identifier(name), sql.Identifier(clinic.database)
    with clinic.superuser() as session:
        session.execute(sql.SQL("CREATE ROLE {} LOGIN CONNECTION LIMIT 1 PASSWORD {}").format(role, sql.Literal(password)))
        session.execute(sql.SQL("GRANT CONNECT ON DATABASE {} TO {}").format(database, role))
        try:
            with clinic.connect(name, database=clinic.database, password=password):
                yield
        finally:
            session.execute(sql.SQL("REVOKE CONNECT ON DATABASE {} FROM {}").format(database, role))
            session.execute(sql.SQL("DROP ROLE {}").format(role))


def system_setting(name: str, value: str, region: str = EAST) -> Making:
    @contextlib.contextmanager
    def make(clinic: Clinic) -> Iterator[None]:
        try:
            with clinic.superuser(region=region) as session:
                session.execute(sql.SQL("ALTER SYSTEM SET {} = {}").format(sql.Identifier(name), sql.Literal(value)))
                session.execute("SELECT pg_reload_conf()")
            time.sleep(0.5)
            yield
        finally:
            with clinic.superuser(region=region) as session:
                session.execute(sql.SQL("ALTER SYSTEM RESET {}").format(sql.Identifier(name)))
                session.execute("SELECT pg_reload_conf()")
            time.sleep(0.5)

    return make


@contextlib.contextmanager
def archive_fails(clinic: Clinic) -> Iterator[None]:
    with system_setting("archive_command", "false")(clinic):
        clinic.tell("SELECT pg_logical_emit_message(false, 'hc', 'archive me')", "SELECT pg_switch_wal()")
        eventually(lambda: clinic.ask("SELECT last_failed_time > last_archived_time FROM pg_stat_archiver")[0][0], "a failure to archive")
        yield
    clinic.tell("SELECT pg_logical_emit_message(false, 'hc', 'archive me')", "SELECT pg_switch_wal()")
    eventually(lambda: clinic.ask("SELECT last_archived_time > last_failed_time FROM pg_stat_archiver")[0][0], "archiving", 90)


@contextlib.contextmanager
def abandoned_slot(clinic: Clinic) -> Iterator[None]:
    name = f"hc_{clinic.run_id}"
    clinic.ask("SELECT pg_create_physical_replication_slot(%s, true)", name)
    try:
        yield
    finally:
        clinic.ask("SELECT pg_drop_replication_slot(%s)", name)


@contextlib.contextmanager
def paused_replay(clinic: Clinic) -> Iterator[None]:
    """The standby's heartbeat is 40 s older than the primary's, and stays so."""
    beat = (
        "INSERT INTO leanvibe_private.heartbeat (region, written_at) VALUES ('hc', now() - %s * interval '1 second')"
        " ON CONFLICT (region) DO UPDATE SET written_at = excluded.written_at"
    )
    with clinic.connect("leanvibe_heartbeat", database=clinic.database) as writer:
        writer.execute(beat, (40,))
        clinic.replayed()
        clinic.tell("SELECT pg_wal_replay_pause()", region=WEST)
        try:
            eventually(lambda: clinic.ask("SELECT pg_get_wal_replay_pause_state() = 'paused'", region=WEST)[0][0], "the pause")
            writer.execute(beat, (0,))
            yield
        finally:
            clinic.tell("SELECT pg_wal_replay_resume()", region=WEST)
            clinic.tell("DELETE FROM leanvibe_private.heartbeat", database=clinic.database)
            clinic.replayed()


@contextlib.contextmanager
def old_heartbeat(clinic: Clinic) -> Iterator[None]:
    with clinic.connect("leanvibe_heartbeat", database=clinic.database) as writer:
        writer.execute("INSERT INTO leanvibe_private.heartbeat (region, written_at) VALUES ('hc', now() - interval '1 minute')")
    try:
        yield
    finally:
        clinic.tell("DELETE FROM leanvibe_private.heartbeat", database=clinic.database)


@contextlib.contextmanager
def damaged_page(clinic: Clinic) -> Iterator[None]:
    """A copy of the scratch database, file by file, so that no page of it is in memory; one of them is damaged on the disk and then read."""
    copy = sql.Identifier(f"{clinic.database}_damaged")
    where = {"database": f"{clinic.database}_damaged"}
    try:
        clinic.tell("CREATE SCHEMA hc", "CREATE TABLE hc.pages AS SELECT generate_series(1, 5000) AS a", database=clinic.database)
        with clinic.superuser(database="postgres") as session:
            make = sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY file_copy").format(copy, sql.Identifier(clinic.database))
            session.execute(make)
        folder, path = clinic.ask("SELECT current_setting('data_directory'), pg_relation_filepath('hc.pages')", **where)[0]
        with (Path(folder) / path).open("r+b") as file:
            file.seek(8192 * 2 + 4000)
            file.write(b"\xde\xad\xbe\xef")
        with contextlib.suppress(psycopg.errors.DataCorrupted):
            clinic.ask("SELECT sum(a) FROM hc.pages", **where)
        eventually(lambda: clinic.ask("SELECT sum(checksum_failures) > 0 FROM pg_stat_database")[0][0], "the counted failure")
        yield
    finally:
        with clinic.superuser(database="postgres") as session:
            session.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(copy))
        clinic.tell("DROP SCHEMA IF EXISTS hc CASCADE", database=clinic.database)


@contextlib.contextmanager
def deadlock(clinic: Clinic) -> Iterator[dict[str, Any]]:
    before = dict(clinic.look(only=["postgresql.role", "postgresql.deadlocks"]).facts["counters"])
    before["at"] -= 600
    where = {"database": clinic.database}
    clinic.tell("CREATE SCHEMA hc", "CREATE TABLE hc.one (a int)", "CREATE TABLE hc.two (a int)", **where)
    try:
        with clinic.connect("postgres", **where) as first, clinic.connect("postgres", **where) as second:
            for session, table in ((first, "one"), (second, "two")):
                session.execute("BEGIN")
                session.execute(sql.SQL("LOCK TABLE {}").format(sql.Identifier("hc", table)))

            def other() -> None:
                with contextlib.suppress(psycopg.errors.DeadlockDetected):
                    first.execute("LOCK TABLE hc.two")

            thread = threading.Thread(target=other, daemon=True)
            thread.start()
            with contextlib.suppress(psycopg.errors.DeadlockDetected):
                second.execute("LOCK TABLE hc.one")
            thread.join(10)
        eventually(lambda: clinic.ask("SELECT sum(deadlocks) > %s FROM pg_stat_database", before["deadlocks"])[0][0], "the counted deadlock")
        yield {"options": {"counters_before": before}}
    finally:
        clinic.tell("DROP SCHEMA IF EXISTS hc CASCADE", **where)


@contextlib.contextmanager
def spilling(clinic: Clinic) -> Iterator[dict[str, Any]]:
    before = dict(clinic.look(only=["postgresql.role", "postgresql.deadlocks"]).facts["counters"])
    before["at"] -= 100
    with clinic.connect("postgres", database=clinic.database) as session:
        session.execute("SET work_mem = '64kB'")
        session.execute("SELECT count(*) FROM (SELECT g FROM generate_series(1, 300000) g ORDER BY md5(g::text)) s")
    eventually(lambda: clinic.ask("SELECT sum(temp_bytes) > %s FROM pg_stat_database", before["temporary"])[0][0], "counted temporary files")
    yield {"options": {"counters_before": before}}


@contextlib.contextmanager
def waiting_client(clinic: Clinic) -> Iterator[None]:
    """Two clients hold both server connections of the application's pool; a third waits."""
    where = {"system": "pgbouncer", "region": EAST}
    with contextlib.ExitStack() as stack:
        holders = [stack.enter_context(clinic.connect("leanvibe_app", **where)) for _number in range(2)]
        for holder in holders:
            holder.execute("BEGIN")
            holder.execute("SELECT 1")
        third = stack.enter_context(clinic.connect("leanvibe_app", **where))
        thread = threading.Thread(target=lambda: third.execute("SELECT 1"), daemon=True)
        thread.start()
        time.sleep(1.5)
        try:
            yield
        finally:
            for holder in holders:
                holder.execute("ROLLBACK")
            thread.join(10)


@contextlib.contextmanager
def disabled_database(clinic: Clinic) -> Iterator[None]:
    with clinic.connect("pgbouncer_admin", region=WEST, system="pgbouncer", database="pgbouncer") as console:
        console.execute("DISABLE leanvibe_local")
        try:
            yield
        finally:
            console.execute("ENABLE leanvibe_local")


@contextlib.contextmanager
def nothing(_clinic: Clinic) -> Iterator[None]:
    yield


TWICE = ("CREATE SCHEMA hc", "CREATE TABLE hc.t (a int)", "CREATE INDEX first ON hc.t (a)", "CREATE INDEX again ON hc.t (a)", "INSERT INTO hc.t VALUES (1)")
NUMBERS = (
    "CREATE SCHEMA hc",
    "CREATE TABLE hc.orders (id int GENERATED ALWAYS AS IDENTITY)",
    "GRANT USAGE ON SCHEMA hc TO pg_monitor",
    "GRANT SELECT ON SEQUENCE hc.orders_id_seq TO pg_monitor",
    "SELECT setval('hc.orders_id_seq', 1700000000)",
)
UNPROTECTED = ("ALTER TABLE leanvibe.tasks DISABLE ROW LEVEL SECURITY",)
PROTECTED = ("ALTER TABLE leanvibe.tasks ENABLE ROW LEVEL SECURITY",)


def read_only(clinic: Clinic) -> AbstractContextManager[None]:
    @contextlib.contextmanager
    def make() -> Iterator[None]:
        name = sql.Identifier(clinic.database)
        with clinic.superuser(database="postgres") as session:
            session.execute(sql.SQL("ALTER DATABASE {} SET default_transaction_read_only = on").format(name))
            try:
                yield
            finally:
                session.execute(sql.SQL("ALTER DATABASE {} RESET default_transaction_read_only").format(name))

    return make()


FAULTS = [
    Fault("an index that could not be built", invalid_index, ids("invalid_indexes"), scratch=True),
    Fault("two equal indexes", scratched(*TWICE), ids("duplicate_indexes"), scratch=True, arguments=lowered("duplicate_indexes", 1)),
    Fault("an integer column that fills up", scratched(*NUMBERS), ids("sequences"), scratch=True),
    Fault("a table that is mostly empty", hollow, ids("bloat"), scratch=True, arguments={"options": {"bloat_bytes": 2**20}}),
    Fault("a shared table without row-level security", scratched(*UNPROTECTED, undo=PROTECTED), ids("isolation"), scratch=True),
    Fault("dead rows, and autovacuum switched off", dead_rows, ids("autovacuum"), scratch=True),
    Fault("a database that is read-only by default", read_only, ids("writable"), scratch=True),
    Fault("a session that waits for a lock", blocked, ids("blocked"), arguments=lowered("blocked", 1)),
    Fault("a session that is idle in its transaction", idle, ids("idle_in_transaction"), arguments=lowered("idle_in_transaction", 1)),
    Fault("a statement that takes long", long_statement, ids("long_transactions"), arguments=lowered("long_transactions", 1)),
    Fault("a role at its limit of connections", full_role, ids("connection_limits")),
    Fault("a slot that nobody uses", abandoned_slot, ids("slots")),
    Fault("an archive that refuses", archive_fails, ids("archiving")),
    Fault("a setting that waits for a restart", system_setting("max_connections", "201"), ids("pending_restart")),
    Fault("a standby with another setting", system_setting("work_mem", "3MB", WEST), ids("settings")),
    Fault("replay that somebody paused", paused_replay, ids("replay", "replication_lag"), scratch=True),
    Fault("a heartbeat that stands still", old_heartbeat, ids("heartbeat"), scratch=True),
    Fault("a page that is damaged on the disk", damaged_page, ids("checksums")),
    Fault("a deadlock", deadlock, ids("deadlocks")),
    Fault("a sort that does not fit", spilling, ids("temporary_files"), arguments=lowered("temporary_files", 0.001)),
    Fault("transaction numbers that run out (threshold lowered)", nothing, ids("wraparound"), arguments=lowered("wraparound", 1e-6)),
    Fault("a client that waits for the pool", waiting_client, ids("pools", system="pgbouncer"), pooler=EAST, arguments=lowered("pools", 0.5, "pgbouncer")),
    Fault("a database that the pooler refuses", disabled_database, ids("databases", system="pgbouncer"), pooler=WEST),
]
