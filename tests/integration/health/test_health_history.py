# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs that are kept in the registry database: read back as they were, per environment and operation, few, and honest about what cannot be read."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from ansible_collections.leanvibe.ops.plugins.module_utils.common.errors import OpsError
from ansible_collections.leanvibe.ops.plugins.module_utils.health.history import FORMAT, Known, Past
from ansible_collections.leanvibe.ops.plugins.module_utils.health.history_registry import RegistryStore
from ansible_collections.leanvibe.ops.plugins.module_utils.registry.schema import bring_up

pytestmark = pytest.mark.sandbox
NOW = datetime.now(UTC).replace(microsecond=0)


class Registry:
    """The sandbox's registry, and an environment's name that no other test has."""

    def __init__(self, connection: dict[str, Any]) -> None:
        self.connection = connection
        self.environment = f"hh-{secrets.token_hex(3)}"

    def store(self, operation: str = "health", **more: Any) -> RegistryStore:
        return RegistryStore(self.connection, operation, **more)

    def past(self, age: timedelta, run_id: str, environment: str = "") -> Past:
        began = (NOW - age).strftime(FORMAT)
        found = Known("redis.memory", "us-east-1/redis", "critical", began, began)
        values = {("redis.memory", "us-east-1/redis"): 71.5}
        return Past(environment or self.environment, run_id, began, "critical", "daily", {found.key: found}, values, {"us-east-1/redis": {"evicted": 3}})

    def tell(self, statement: Any, *values: Any) -> list[tuple[Any, ...]]:
        """As an independent client."""
        known = self.connection
        with psycopg.connect(
            host=known["host"], port=known["port"], dbname=known["database"], user=known["username"], password=known["password"],
            sslmode="verify-full", sslrootcert=known["sslrootcert"], autocommit=True,
        ) as session:  # fmt: skip
            done = session.execute(statement, values)
            return done.fetchall() if done.description else []

    def kept(self) -> list[tuple[Any, ...]]:
        return self.tell("SELECT operation, run_id FROM health_runs WHERE environment = %s ORDER BY started", self.environment)


@pytest.fixture
def registry(sandbox: dict[str, Any], credentials: dict[str, Any], checkout: Path) -> Iterator[Registry]:
    address = sandbox["regions"]["us-east-1"]["postgresql"]
    connection = {
        "host": address["host"],
        "port": address["port"],
        "database": "leanvibe_ops",
        "username": "leanvibe_registry",
        "password": credentials["postgresql"]["leanvibe_registry"],
        "sslmode": "verify-full",
        "sslrootcert": sandbox["ca_file"],
    }
    bring_up(connection, str(checkout / "roles/registry/files/migrations"), check=False)
    made = Registry(connection)
    yield made
    made.tell("DELETE FROM health_runs WHERE environment LIKE %s", f"{made.environment}%")


def test_runs_are_read_back_as_they_were_oldest_first_and_nobody_elses(registry: Registry) -> None:
    older, newer = registry.past(timedelta(days=2), "r1"), registry.past(timedelta(days=1), "r2")
    for past in (newer, older, registry.past(timedelta(hours=1), "r3", f"{registry.environment}-other")):
        registry.store().add(past)
    registry.store("diagnose").add(registry.past(timedelta(hours=2), "d1"))
    loaded = registry.store().load(registry.environment, NOW)
    assert (list(loaded.runs), list(loaded.problems)) == ([older, newer], [])
    assert registry.kept() == [("health", "r1"), ("health", "r2"), ("diagnose", "d1")]


def test_few_are_kept_and_old_ones_go(registry: Registry) -> None:
    registry.store("diagnose").add(registry.past(timedelta(days=400), "d1"))
    for day in (100, 4, 3, 2, 1):
        registry.store(keep_runs=3).add(registry.past(timedelta(days=day), f"r{day}"))
    assert registry.kept() == [("diagnose", "d1"), ("health", "r3"), ("health", "r2"), ("health", "r1")]
    registry.store(keep_days=1).add(registry.past(timedelta(), "r0"))
    assert registry.kept() == [("diagnose", "d1"), ("health", "r1"), ("health", "r0")]


def test_what_cannot_be_read_and_a_wrong_clock_are_told_and_one_that_ended_before_us_is_not(registry: Registry) -> None:
    good = registry.past(timedelta(days=1), "r1")
    for past in (good, registry.past(timedelta(minutes=10), "r2"), registry.past(timedelta(days=-300), "r3")):
        registry.store().add(past)
    registry.tell("INSERT INTO health_runs VALUES (%s, 'health', 'broken', %s, '{\"schema\": ')", registry.environment, NOW - timedelta(days=3))
    loaded = registry.store().load(registry.environment, NOW - timedelta(hours=1))
    assert list(loaded.runs) == [good]
    assert len(loaded.problems) == 2
    assert "cannot be read" in loaded.problems[0]
    assert "run r3" in loaded.problems[1]


def test_a_registry_that_is_away_is_a_problem_and_a_run_that_cannot_be_kept_an_error(registry: Registry) -> None:
    away = RegistryStore({**registry.connection, "port": 1}, "health")
    loaded = away.load(registry.environment, NOW)
    assert not loaded.runs
    assert "The registry cannot be reached" in loaded.problems[0]
    with pytest.raises(OpsError, match="cannot be kept in the registry"):
        away.add(registry.past(timedelta(), "r1"))


def test_a_history_of_nothing_is_refused(registry: Registry) -> None:
    with pytest.raises(OpsError, match="at least 1"):
        registry.store(keep_runs=0)
