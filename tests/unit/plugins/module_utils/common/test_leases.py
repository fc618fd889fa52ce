# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The worker's side of a lease: registered at the first write, renewed, lost for good when the registry says so or stays silent."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
from ansible_collections.leanvibe.ops.plugins.module_utils.common.errors import LeaseLost, Unreachable
from ansible_collections.leanvibe.ops.plugins.module_utils.common.leases import Lease, NoLease

TTL = 60.0


class Registry:
    """Stands for the database: how long the lease lasts (None: it is gone), and what was asked of it."""

    def __init__(self) -> None:
        self.ttl: float | None = TTL
        self.down = False
        self.statements: list[str] = []
        self.closed = 0
        self.renewed = threading.Event()

    def connect(self) -> Any:
        if self.down:
            raise Unreachable("registry away")
        return self

    @contextmanager
    def transaction(self) -> Iterator[None]:
        yield

    def execute(self, statement: str, _parameters: Any) -> Any:
        if self.down:
            raise psycopg.OperationalError("gone")
        self.statements.append(statement.split(maxsplit=1)[0])
        self.renewed.set()
        return self

    def fetchone(self) -> tuple[float] | None:
        return None if self.ttl is None else (self.ttl,)

    def close(self) -> None:
        self.closed += 1


class Clock:
    def __init__(self) -> None:
        self.time = 1000.0

    def __call__(self) -> float:
        return self.time


@pytest.fixture
def registry() -> Registry:
    return Registry()


@pytest.fixture
def clock() -> Clock:
    return Clock()


def lease(registry: Registry, clock: Clock, first_renewal: float = 3600) -> Lease:
    return Lease(registry.connect, 7, "tenants run r1 of ada", clock=clock, first_renewal=first_renewal)


def test_who_writes_nothing_asks_nothing(registry: Registry, clock: Clock) -> None:
    with lease(registry, clock):
        pass
    assert registry.statements == []


def test_the_first_check_registers_and_later_ones_are_free(registry: Registry, clock: Clock) -> None:
    with lease(registry, clock) as held:
        for _ in range(100):
            held.check()
        assert registry.statements == ["UPDATE", "INSERT"]
    assert registry.statements == ["UPDATE", "INSERT", "DELETE"]
    assert registry.closed == 1


def test_a_lease_that_was_taken_over_forbids_every_write(registry: Registry, clock: Clock) -> None:
    registry.ttl = None
    with lease(registry, clock) as held:
        for _ in range(2):
            with pytest.raises(LeaseLost, match=r"token 7.*run it again"):
                held.check()
    assert "INSERT" not in registry.statements


def test_silence_for_as_long_as_the_lease_lasts_loses_it_for_good(registry: Registry, clock: Clock) -> None:
    with lease(registry, clock) as held:
        held.check()
        clock.time += TTL - 0.001
        held.check()
        clock.time += 0.001
        with pytest.raises(LeaseLost, match="not confirmed by the registry for 60 s"):
            held.check()
        clock.time -= 10
        with pytest.raises(LeaseLost):
            held.check()


def test_an_unreachable_registry_at_the_first_write_is_said_as_such(registry: Registry, clock: Clock) -> None:
    registry.down = True
    with lease(registry, clock) as held, pytest.raises(Unreachable, match="registry away"):
        held.check()


def test_the_thread_registers_a_process_that_takes_its_time(registry: Registry, clock: Clock) -> None:
    with lease(registry, clock, first_renewal=0.01) as held:
        assert registry.renewed.wait(10)
        held.check()
    assert registry.statements.count("INSERT") == 1


def test_the_thread_notices_a_takeover_between_checks(registry: Registry, clock: Clock) -> None:
    registry.ttl = 0.04
    with lease(registry, clock, first_renewal=0.01) as held:
        held.check()
        registry.ttl = None
        registry.renewed.clear()
        assert registry.renewed.wait(10)
        assert held._thread is not None
        held._thread.join(10)
        with pytest.raises(LeaseLost, match="released, or taken over"):
            held.check()


def test_a_registry_that_comes_back_in_time_is_renewed_with_a_new_session(registry: Registry, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ansible_collections.leanvibe.ops.plugins.module_utils.common.leases.RETRY_SECONDS", 0.01)
    with lease(registry, clock, first_renewal=0.01) as held:
        held.check()
        registry.down = True
        while registry.closed == 0:
            clock.time += 0
        registry.down = False
        registry.renewed.clear()
        assert registry.renewed.wait(10)
        held.check()


def test_time_counts_from_before_the_question_was_sent(registry: Registry, clock: Clock) -> None:
    slow = registry.execute

    def execute(statement: str, parameters: Any) -> Any:
        clock.time += 50
        return slow(statement, parameters)

    registry.execute = execute  # type: ignore[method-assign]
    with lease(registry, clock) as held, pytest.raises(LeaseLost, match="not confirmed"):
        held.check()


def test_without_the_parameter_there_is_no_lease_to_lose() -> None:
    with Lease.from_params(None) as held:
        held.check()
        assert isinstance(held, NoLease)
