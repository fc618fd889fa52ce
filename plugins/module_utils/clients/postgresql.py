# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sessions with PostgreSQL: time-outs, TLS, and what the server's errors mean for an operator. Nothing about tenants."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, TypeVar

from ..common.errors import AccessDenied, OpsError, Unreachable

if TYPE_CHECKING:
    import psycopg

Result = TypeVar("Result")

# Documented by the fragment leanvibe.ops.connection_postgresql.
CONNECTION: dict[str, Any] = {
    "host": {"type": "str", "required": True},
    "port": {"type": "int", "default": 5432},
    "database": {"type": "str", "required": True},
    "username": {"type": "str", "required": True},
    "password": {"type": "str", "no_log": True},
    "sslmode": {"type": "str", "default": "verify-full", "choices": ["disable", "prefer", "require", "verify-ca", "verify-full"]},
    "sslrootcert": {"type": "path"},
}
# serialization_failure, deadlock_detected, internal_error ("tuple concurrently updated": two sessions changed the same catalogue row). A lock that was
# not to be had in time is not among them: its time is up.
TRANSIENT = frozenset({"40001", "40P01", "XX000"})
ATTEMPTS = 4


def address(params: Mapping[str, Any]) -> str:
    """How messages name a database."""
    return f"PostgreSQL database {params['database']} at {params['host']}:{params.get('port') or 5432}"


def connect(params: Mapping[str, Any], timeout: int, *, autocommit: bool = True, lock_timeout: int | None = None) -> psycopg.Connection[tuple[Any, ...]]:
    """Open a session whose every statement ends after ``timeout`` seconds (waiting for a lock: ``lock_timeout``, by default the same).

    ``params`` has the keys of CONNECTION. The search path is empty but for pg_catalog, so that every name we use says where it lives.
    Raises Unreachable if the server does not answer in time, AccessDenied if it does not let us in.
    """
    import psycopg

    waiting = timeout if lock_timeout is None else lock_timeout
    settings = (
        f"-c statement_timeout={timeout}s -c lock_timeout={waiting}s -c idle_in_transaction_session_timeout={6 * timeout}s",
        "-c search_path=pg_catalog,pg_temp -c timezone=UTC -c client_min_messages=warning",
    )
    try:
        return psycopg.connect(
            host=params["host"],
            port=int(params.get("port") or 5432),
            dbname=params["database"],
            user=params["username"],
            password=params.get("password"),
            sslmode=params.get("sslmode") or "verify-full",
            sslrootcert=params.get("sslrootcert"),
            connect_timeout=max(2, timeout),
            keepalives_idle=timeout,
            keepalives_interval=max(1, timeout // 3),
            keepalives_count=3,
            tcp_user_timeout=timeout * 1000,
            application_name="leanvibe.ops",
            options=" ".join(settings),
            autocommit=autocommit,
            # Poolers in transaction mode hand each transaction to another session, which does not know the statements that we prepared.
            prepare_threshold=None,
        )
    except psycopg.Error as error:
        raise explain(params, error) from error


def explain(params: Mapping[str, Any], error: psycopg.Error) -> OpsError:
    """Turn the driver's error into one that names the database and the way out. Never shows a statement or a value."""
    from psycopg import errors

    where = address(params)
    what = " ".join(str(error.diag.message_primary or error).split())
    refused = (errors.InvalidPassword, errors.InvalidAuthorizationSpecification)
    if isinstance(error, refused) or "authentication failed" in what:
        return AccessDenied(f"{where} refuses user {params['username']}: {what}. Check the connection's username and password.")
    if isinstance(error, errors.InsufficientPrivilege):
        return AccessDenied(f"{where}: {params['username']} lacks a right: {what}. Run the role leanvibe.ops.platform_database, which grants it.")
    if isinstance(error, errors.ReadOnlySqlTransaction):
        return OpsError(f"{where} is a standby or read-only: {what}. Correct the address, or declare the region a replica in leanvibe_ops_placement.")
    if isinstance(error, (errors.QueryCanceled, errors.LockNotAvailable)):
        return Unreachable(f"{where} did not finish in time: {what}. See which session holds it up (pg_stat_activity), or give more time.")
    if isinstance(error, errors.OperationalError):
        return Unreachable(f"{where} cannot be worked with: {what}. Bring it back, or correct the connection.")
    return OpsError(f"{where}: {what}")


@contextmanager
def session(params: Mapping[str, Any], timeout: int) -> Iterator[psycopg.Connection[tuple[Any, ...]]]:
    """A session for a few statements; the driver's errors leave it as OpsError."""
    import psycopg

    with connect(params, timeout) as connection:
        try:
            yield connection
        except psycopg.Error as error:
            raise explain(params, error) from error


def persistently(work: Callable[[], Result], *, pause: Callable[[float], None] = time.sleep) -> Result:
    """Do ``work`` (one whole transaction), again up to ATTEMPTS times if the server says that concurrency alone was in the way.

    The last error is raised as it is.
    """
    import psycopg

    for attempt in range(1, ATTEMPTS):
        try:
            return work()
        except psycopg.Error as error:
            if error.sqlstate not in TRANSIENT:
                raise
            pause(0.05 * 2**attempt * (0.5 + random.random()))  # noqa: S311 - spreads retries, guards nothing
    return work()


class Sessions:
    """Sessions for several threads: each is used by one thread at a time, opened when there is none to spare, and closed at the end."""

    def __init__(self, params: Mapping[str, Any], timeout: int) -> None:
        self._params = params
        self._timeout = timeout
        self._spare: SimpleQueue[psycopg.Connection[tuple[Any, ...]]] = SimpleQueue()
        self._opened: list[psycopg.Connection[tuple[Any, ...]]] = []
        self._lock = threading.Lock()

    def __enter__(self) -> Sessions:
        return self

    def __exit__(self, *_error: object) -> None:
        for connection in self._opened:
            connection.close()

    @contextmanager
    def session(self) -> Iterator[psycopg.Connection[tuple[Any, ...]]]:
        """One session in autocommit mode; a broken one is not given out again. The driver's errors pass through."""
        try:
            connection = self._spare.get_nowait()
        except Empty:
            connection = connect(self._params, self._timeout)
            with self._lock:
                self._opened.append(connection)
        try:
            yield connection
        finally:
            if not connection.closed and not connection.broken:
                self._spare.put(connection)
