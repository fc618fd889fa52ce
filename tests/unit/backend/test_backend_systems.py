# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tokens and passwords; a database that hangs; a Redis that refuses to write; the worker's jobs; what a configuration must hold."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from leanvibe_backend import configuration, tenants, tokens, worker
from leanvibe_backend.configuration import Cache, Database
from leanvibe_backend.database import Sessions, Unavailable
from leanvibe_backend.store import Store
from redis import exceptions


def test_a_password_is_recognised_and_nothing_else_is() -> None:
    kept = tokens.hashed("correct horse")
    assert tokens.matches("correct horse", kept)
    assert kept != tokens.hashed("correct horse")
    assert not tokens.matches("wrong", kept)
    assert not tokens.matches("correct horse", None)
    assert not tokens.matches("correct horse", "plain")
    assert tokens.opens("x", tokens.digest("x"))
    assert not tokens.opens("x", None)


def test_nobody_spares_time_by_having_no_account() -> None:
    began = time.perf_counter()
    tokens.matches("x", tokens.hashed_nothing())
    there = time.perf_counter() - began
    began = time.perf_counter()
    tokens.matches("x", None)
    assert time.perf_counter() - began > there / 5


def test_a_token_ends() -> None:
    principal = tokens.Principal("ada", "acme")
    assert tokens.verify("k" * 40, tokens.issue("k" * 40, principal)) == principal
    with pytest.raises(tokens.Refused, match="expired"):
        tokens.verify("k" * 40, tokens.issue("k" * 40, principal, now=time.time() - tokens.LIFETIME_SECONDS - 1))


def test_the_platforms_rights_reach_only_so_far() -> None:
    assert tokens.Principal("p", None, frozenset({"accounts"})).may_act_for("acme", "accounts")
    assert not tokens.Principal("p", None, frozenset({"accounts"})).may_act_for("acme")
    assert not tokens.Principal("p", "globex", frozenset({"accounts"})).may_act_for("acme", "accounts")


@pytest.fixture
def silent() -> Iterator[int]:
    """A port that takes connections and never says anything, as a server does that was paused."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(20)
        yield int(listener.getsockname()[1])


def test_a_database_that_hangs_costs_its_time_and_no_more(silent: int) -> None:
    sessions = Sessions(Database({"host": "127.0.0.1", "port": silent, "dbname": "x", "user": "x", "sslmode": "disable"}), "test", seconds=1.0)

    async def ask() -> None:
        async with sessions.transaction("acme"):
            pytest.fail("there is nobody")

    began = time.monotonic()
    with pytest.raises(Unavailable, match="database"):
        asyncio.run(ask())
    assert time.monotonic() - began < 5.0


def test_a_database_that_is_not_there_is_told_at_once() -> None:
    sessions = Sessions(Database({"host": "127.0.0.1", "port": 1, "dbname": "x", "user": "x"}), "test")

    async def ask() -> None:
        async with sessions.transaction(None):
            pytest.fail("there is nobody")

    began = time.monotonic()
    with pytest.raises(Unavailable, match="refused"):
        asyncio.run(ask())
    assert time.monotonic() - began < 1.0


def test_a_redis_that_hangs_costs_its_time_and_no_more(silent: int) -> None:
    store = Store(Cache((("127.0.0.1", silent),), "u", "p"), "us-east-1")
    began = time.monotonic()
    with pytest.raises(Unavailable):
        asyncio.run(store.ping())
    assert time.monotonic() - began < 6.0


def test_writes_go_where_they_are_taken_and_stay_there() -> None:
    store = Store(Cache((("127.0.0.1", 1), ("127.0.0.1", 2)), "u", "p"), "us-west-2")
    replica, primary = store._clients
    asked: list[Any] = []

    async def work(client: Any) -> str:
        asked.append(client)
        if client is replica:
            raise exceptions.ReadOnlyError("You can't write against a read only replica.")
        return "done"

    assert asyncio.run(store.write(work)) == "done"
    assert asyncio.run(store.write(work)) == "done"
    assert asked == [replica, primary, primary]

    async def away(client: Any) -> str:
        raise exceptions.ReadOnlyError("read only") if client is replica else exceptions.ConnectionError("gone")

    # What counts is why the server that took writes does not, not that the replica is one.
    with pytest.raises(Unavailable, match="gone"):
        asyncio.run(store.write(away))


class Asked:
    """Sessions that note the tenant."""

    def __init__(self) -> None:
        self.bound: list[str | None] = []

    @asynccontextmanager
    async def transaction(self, tenant: str | None) -> Any:
        self.bound.append(tenant)
        yield None


def test_a_job_is_done_as_its_tenant(monkeypatch: pytest.MonkeyPatch) -> None:
    async def count(_connection: Any, _tenant: str) -> int:
        return 7

    monkeypatch.setattr(tenants, "count_projects", count)
    sessions: Any = Asked()
    assert asyncio.run(worker.perform({"kind": "count_projects", "tenant": "acme"}, sessions)) == {"projects": 7}
    assert sessions.bound == ["acme"]
    with pytest.raises(ValueError, match="no job of the kind 'x'"):
        asyncio.run(worker.perform({"kind": "x"}, sessions))


def test_what_goes_on_failing_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    spoken = worker.Spoken("heartbeat")
    for _attempt in range(3):
        spoken.fails(Unavailable("database", "gone"))
    spoken.works()
    spoken.works()
    assert [record.message for record in caplog.records] == ["heartbeat: database: gone", "heartbeat: works again"]


def test_a_configuration_shows_no_secret(tmp_path: Path) -> None:
    file = tmp_path / "configuration.json"
    content = {
        "region": "us-east-1", "port": 1, "signing_key": "hidden", "database": {"password": "hidden"}, "heartbeat": {"password": "hidden"},
        "cache": {"endpoints": [["localhost", 6379]], "username": "application", "password": "hidden"},
        "graph": {"uri": "bolt://localhost", "username": "neo4j", "password": "hidden"},
        "billing": {"url": "http://localhost", "key": "hidden"},
        "accounts": {"probe": {"digest": "hidden", "scopes": []}},
        "traffic": {"urls": {}, "tenants": ["acme"], "account": "traffic", "password": "hidden", "seed": "hidden"},
    }  # fmt: skip
    file.write_text(json.dumps(content))
    found = configuration.load(file)
    assert found.cache is not None
    assert found.cache.endpoints == (("localhost", 6379),)
    assert "hidden" not in repr(found)


def test_threads_are_not_left_behind() -> None:
    assert {thread.name for thread in threading.enumerate() if "redis" in thread.name.lower()} == set()
