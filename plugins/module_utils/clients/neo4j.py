# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One Neo4j server or cluster over Bolt: connect, time-outs, errors. Queries are constants of ours, values always parameters."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any, LiteralString, TypeVar

from ..common.errors import AccessDenied, OpsError, Unreachable

Value = TypeVar("Value")

# Documented by leanvibe.ops.connection_neo4j.
CONNECTION: dict[str, Any] = {
    "uri": {"type": "str", "required": True},
    "username": {"type": "str", "default": "neo4j"},
    "password": {"type": "str", "required": True, "no_log": True},
    "database": {"type": "str", "default": "neo4j"},
    "ca_file": {"type": "path"},
}

SYSTEM_DATABASE = "system"
SCHEMES = ("bolt", "bolt+s", "neo4j", "neo4j+s")  # not +ssc: it trusts any certificate


class Neo4jError(OpsError):
    """Neo4j refused a statement. ``code`` is its status code, for example ``Neo.ClientError.Statement.SyntaxError``."""

    def __init__(self, message: str, code: str) -> None:
        super().__init__(message, code=code)
        self.code = code


class Neo4jClient:
    """A driver for one address. Safe for threads. ``requests`` counts statements. ``tls`` is address and file of certificates, if TLS is used."""

    def __init__(self, driver: Any, where: str, database: str, timeout: float) -> None:
        self.where = where
        self.database = database
        self.requests = 0
        self.tls: tuple[str, str | None] | None = None
        self._driver = driver
        self._timeout = timeout

    def __enter__(self) -> Neo4jClient:
        return self

    def __exit__(self, *_unused: object) -> None:
        # A server that hangs would hold up the farewell too.
        _within(self._timeout, self._driver.close)

    def bound(self, seconds: float) -> None:
        """From now on, statements have ``seconds``, on the server too."""
        self._timeout = seconds

    def rows(self, statement: LiteralString, database: str | None = None, /, **parameters: Any) -> list[dict[str, Any]]:
        """Run one statement in a transaction of its own and return its rows.

        Raises Unreachable, AccessDenied, Neo4jError; parameters are never shown.
        """
        import neo4j

        query = neo4j.Query(statement, timeout=self._timeout)

        def run() -> list[dict[str, Any]]:
            with self._driver.session(database=database or self.database) as session:
                return [dict(record) for record in session.run(query, parameters)]

        self.requests += 1
        done, rows, error = _within(self._timeout, run)
        if not done:
            raise Unreachable(f"{self.where} did not answer within {self._timeout:g} s ({_first_words(statement)} …)")
        if error is not None:
            raise self._error(error, statement) from error
        return rows or []

    def _error(self, error: Exception, statement: str) -> Exception:
        from neo4j import exceptions

        what = f"{_first_words(statement)} …"
        if isinstance(error, exceptions.AuthError):
            return AccessDenied(f"{self.where} refuses our name and password: {error.code}")
        if isinstance(error, exceptions.Forbidden):
            return AccessDenied(f"{self.where} refuses `{what}`: our account lacks the right for it ({error.code})")
        if isinstance(error, (exceptions.ServiceUnavailable, exceptions.SessionExpired, OSError)):
            return Unreachable(f"{self.where} cannot be reached: {error}")
        if isinstance(error, exceptions.TransientError):
            return Unreachable(f"{self.where} is busy with `{what}`: {error.code}")
        if isinstance(error, exceptions.Neo4jError):
            return Neo4jError(f"{self.where} refuses `{what}`: {error.code}: {error.message}", error.code or "")
        if isinstance(error, exceptions.DriverError):
            return Unreachable(f"{self.where}: {type(error).__name__}: {error}")
        return error


def _within(seconds: float, work: Callable[[], Value]) -> tuple[bool, Value | None, Exception | None]:
    """Run ``work`` for so long: the driver itself waits for ever for a server that is connected and says nothing (paused, cut off).

    Returns whether it ended, its value and its exception. A thread that did not end is left to the process's end.
    """
    outcome: list[tuple[Value | None, Exception | None]] = []

    def target() -> None:
        try:
            outcome.append((work(), None))
        except Exception as error:
            outcome.append((None, error))

    thread = threading.Thread(target=target, name="neo4j", daemon=True)
    thread.start()
    thread.join(seconds)
    if not outcome:
        return False, None, None
    return True, *outcome[0]


def _first_words(statement: str) -> str:
    return " ".join(statement.split()[:3])


def connect(connection: Mapping[str, Any], timeout: float) -> Neo4jClient:
    """A client. ``connection``: see CONNECTION. Nothing is sent yet. Raises OpsError on an address that is not one."""
    import neo4j

    uri = str(connection["uri"])
    options: dict[str, Any] = {}
    scheme, _separator, rest = uri.partition("://")
    if scheme not in SCHEMES or not rest:
        raise OpsError(f"connection.uri {uri!r} cannot be used: it must begin with {', '.join(f'{name}://' for name in SCHEMES)}")
    if connection.get("ca_file"):
        uri = f"{scheme.removesuffix('+s')}://{rest}"  # the driver takes certificates of ours only without +s
        options = {"encrypted": True, "trusted_certificates": neo4j.TrustCustomCAs(str(connection["ca_file"]))}
    try:
        driver = neo4j.GraphDatabase.driver(
            uri,
            auth=(str(connection.get("username") or "neo4j"), str(connection["password"])),
            connection_timeout=timeout,
            connection_acquisition_timeout=timeout,
            max_transaction_retry_time=0,
            telemetry_disabled=True,
            notifications_min_severity="OFF",
            **options,
        )
    except (ValueError, neo4j.exceptions.ConfigurationError, OSError) as error:
        raise OpsError(f"connection.uri {uri!r} cannot be used: {error}") from error
    client = Neo4jClient(driver, f"Neo4j {uri}", str(connection.get("database") or "neo4j"), timeout)
    if options or scheme.endswith("+s"):
        client.tls = (uri, connection.get("ca_file"))
    return client
