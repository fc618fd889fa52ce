# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Neo4j's client: time-outs against servers that say nothing, and what its errors mean."""

from __future__ import annotations

import socket
import threading
import time
from typing import Any

import pytest
from ansible_collections.leanvibe.ops.plugins.module_utils.clients.neo4j import Neo4jClient, Neo4jError, connect
from ansible_collections.leanvibe.ops.plugins.module_utils.common.errors import AccessDenied, OpsError, Unreachable
from neo4j import exceptions


class Driver:
    """Answers with rows, raises, or hangs until released."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer
        self.seen: list[tuple[str, str, Any]] = []
        self.release = threading.Event()

    def session(self, database: str) -> Any:
        driver = self

        class Session:
            def __enter__(self) -> Any:
                return self

            def __exit__(self, *_unused: object) -> None:
                return None

            def run(self, query: Any, parameters: Any) -> Any:
                driver.seen.append((database, query.text, parameters))
                if driver.answer == "hang":
                    driver.release.wait(10)
                if isinstance(driver.answer, Exception):
                    raise driver.answer
                return driver.answer

        return Session()

    def close(self) -> None:
        if self.answer == "hang":
            self.release.wait(10)


def test_values_are_parameters_and_the_database_is_chosen() -> None:
    driver = Driver([{"a": 1}])
    client = Neo4jClient(driver, "Neo4j test", "graph", 1)
    assert client.rows("RETURN $a AS a", a=1) == [{"a": 1}]
    client.rows("SHOW USERS", "system")
    assert driver.seen == [("graph", "RETURN $a AS a", {"a": 1}), ("system", "SHOW USERS", {})]
    assert client.requests == 2


def test_a_server_that_hangs_is_unreachable_in_time_and_does_not_hold_up_the_end() -> None:
    driver = Driver("hang")
    began = time.monotonic()
    with Neo4jClient(driver, "Neo4j test", "neo4j", 0.2) as client, pytest.raises(Unreachable, match=r"within 0\.2 s"):
        client.rows("RETURN 1")
    assert time.monotonic() - began < 2
    driver.release.set()


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (exceptions.ServiceUnavailable("gone"), Unreachable),
        (exceptions.SessionExpired("gone"), Unreachable),
        (exceptions.AuthError("no"), AccessDenied),
        (exceptions.Forbidden("no"), AccessDenied),
        (exceptions.TransientError("later"), Unreachable),
        (exceptions.ClientError("bad"), Neo4jError),
    ],
)
def test_what_an_error_means(error: Exception, expected: type[OpsError]) -> None:
    client = Neo4jClient(Driver(error), "Neo4j test", "neo4j", 1)
    with pytest.raises(expected) as raised:
        client.rows("CREATE USER $user SET PASSWORD $password", user="u", password="hunter2")
    assert type(raised.value) is expected
    assert "hunter2" not in str(raised.value)


def test_a_bug_is_not_turned_into_an_operator_s_error() -> None:
    with pytest.raises(ZeroDivisionError):
        Neo4jClient(Driver(ZeroDivisionError()), "Neo4j test", "neo4j", 1).rows("RETURN 1")


def test_a_port_that_accepts_and_says_nothing_is_unreachable() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        connection = {"uri": f"bolt://127.0.0.1:{listener.getsockname()[1]}", "username": "neo4j", "password": "x"}
        with connect(connection, timeout=0.5) as client, pytest.raises(Unreachable):
            client.rows("RETURN 1")


def test_an_address_that_is_none_is_refused() -> None:
    with pytest.raises(OpsError, match=r"connection\.uri"):
        connect({"uri": "http://localhost:1", "password": "x"}, timeout=1)
