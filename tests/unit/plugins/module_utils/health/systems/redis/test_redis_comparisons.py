# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Redis: comparisons between nodes."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.leanvibe.ops.plugins.module_utils.health.comparisons import compare
from ansible_collections.leanvibe.ops.plugins.module_utils.health.results import Run
from ansible_collections.leanvibe.ops.plugins.module_utils.health.systems.redis import COMPARISONS, rates
from redis_fakes import HASH, REPLICA_OF, USERS, FakeNode, info, look

EAST, WEST = "us-east-1", "us-west-2"


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """An interval that need not be waited for."""
    monkeypatch.setattr(rates, "INTERVAL", 0.0)


def both(west: FakeNode, east: FakeNode | None = None, **options: Any) -> list[dict[str, Any]]:
    runs = []
    for region, node in ((EAST, east or FakeNode(info())), (WEST, west)):
        run = look(node, **(options or {"role": "primary"}))
        runs.append(Run("redis", region, run.items, run.checks, run.facts))
    return compare(COMPARISONS, runs, {"redis": [EAST, WEST]})[0]


def wrong(items: list[dict[str, Any]]) -> dict[tuple[str, str], str]:
    return {(item["id"], item["subject"]): item["verdict"] for item in items if item["verdict"] not in ("ok", "skipped")}


def test_nodes_that_are_alike() -> None:
    items = both(FakeNode(info(**REPLICA_OF)))
    assert wrong(items) == {}
    assert {item["id"] for item in items if item["verdict"] == "ok"} == {comparison.id for comparison in COMPARISONS}


def test_a_replica_of_another_primary() -> None:
    items = both(FakeNode(info(**REPLICA_OF, master_replid="xyz")))
    assert wrong(items) == {("redis.replication_source", f"{WEST}/redis"): "critical"}
    for state in ({"master_link_status": "down", "master_link_down_since_seconds": 3}, {"role": "master"}):
        items = both(FakeNode(info(**{**REPLICA_OF, "master_replid": "xyz", **state})))
        assert wrong(items) == {}


def test_users_that_differ_are_named_and_passwords_are_not_shown() -> None:
    node = FakeNode(info(**REPLICA_OF))
    node.users = (USERS[0], USERS[1].replace(HASH, "b" * 64), f"user audit on #{HASH} ~* -@all +get")
    items = both(node)
    assert wrong(items) == {("redis.acl_parity", f"{WEST}/redis"): "degraded"}
    item = next(item for item in items if item["id"] == "redis.acl_parity")
    assert item["observed"] == 3
    assert item["tenants"] == ["acme"]
    assert "tenant-acme missing; audit only here; operations with other rules" in item["message"]
    assert HASH[:12] not in str(items)


def test_the_order_of_rules_makes_no_difference() -> None:
    node = FakeNode(info(**REPLICA_OF))
    node.users = (*USERS[:2], USERS[2].replace("-@all +get +set", "-@all +set +@read"))
    assert wrong(both(node)) == {}


def test_users_of_one_node_only_may_be_declared() -> None:
    node = FakeNode(info(**REPLICA_OF))
    node.users = (*USERS[:2], f"user audit on #{HASH} ~* -@all +get")
    assert wrong(both(node, acl_local_users=["audit"], acl_tenants_everywhere=False)) == {}


def test_elasticache_has_nothing_to_compare() -> None:
    node = FakeNode(info(**REPLICA_OF))
    node.driver = "elasticache"
    items = both(node)
    assert [item["verdict"] for item in items if item["id"] == "redis.acl_parity"] == ["skipped"]


def test_versions_and_settings() -> None:
    items = both(FakeNode(info(**REPLICA_OF, redis_version="6.2.1", maxmemory=0)))
    assert wrong(items) == {("redis.versions", f"{WEST}/redis"): "degraded", ("redis.settings", f"{WEST}/redis"): "degraded"}
    messages = {item["id"]: item["message"] for item in items}
    assert "an older replica" in messages["redis.versions"]
    assert messages["redis.settings"] == f"maxmemory is 0, and 268435456 in {EAST}"


def test_a_side_that_said_nothing_makes_it_unknown() -> None:
    refused = FakeNode(info(**REPLICA_OF), refused=("ACL",))
    assert wrong(both(refused)) == {("redis.acl_parity", "control/redis"): "unknown"}
