# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""tenants_redis on the sandbox's two nodes: create, modify, suspend, each checked and done, first and again, and read back with redis-cli."""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from stores import EAST, WEST, changes, verdicts

if TYPE_CHECKING:
    from stores import Stores

REGIONS = (EAST, WEST)


@pytest.fixture(scope="module")
def tenants(stores: Stores) -> list[dict[str, Any]]:
    return stores.prepared("cache-a", "cache-b")


def cycle(stores: Stores, region: str, tenants: list[dict[str, Any]], expected: list[tuple[str, str]]) -> dict[str, Any]:
    """Check, check again, do, do again. Checks write nothing and say what the run then does; the last does nothing."""
    before = [stores.acl(region, tenant) for tenant in tenants]
    first, second = (stores.run("redis", region, tenants, check=True) for _time in range(2))
    assert [stores.acl(region, tenant) for tenant in tenants] == before
    assert first["diff"] == second["diff"]
    done = stores.run("redis", region, tenants)
    assert set(verdicts(done).values()) == {"succeeded"}
    assert (changes(done), done["diff"]) == (changes(first), first["diff"])
    assert [(tenant_id, action) for tenant_id, _object, action in changes(done)] == expected
    after = [stores.acl(region, tenant) for tenant in tenants]
    assert all(memory == kept for memory, kept in after), "memory and file differ"
    again = stores.run("redis", region, tenants)
    assert (again["changed"], changes(again)) == (False, [])
    assert [stores.acl(region, tenant) for tenant in tenants] == after
    return done


@pytest.mark.parametrize("region", REGIONS)
def test_create_modify_suspend(stores: Stores, tenants: list[dict[str, Any]], region: str) -> None:
    one, two = tenants
    cycle(stores, region, tenants, [(one["id"], "create"), (two["id"], "create")])
    memory, _kept = stores.acl(region, one)
    assert f" ~tenant:{one['id']}:* " in memory
    assert f" &tenant:{one['id']}:* " in memory
    assert stores.redis_cli(region, "PING", tenant=one, port=stores.connection("redis", region)["port"]).strip() == "PONG"

    stores.redis_cli(region, "ACL", "SETUSER", f"tenant-{one['id']}", "~*", "&*", "+@all", ">weak")
    stores.redis_cli(region, "ACL", "SAVE")
    done = cycle(stores, region, tenants, [(one["id"], "update")])
    assert set(done["results"][0]["changes"][0]["fields"]) == {"password", "keys", "channels", "commands"}
    assert stores.acl(region, one)[0] == memory

    suspended = [{**one, "state": "suspended"}, two]
    cycle(stores, region, suspended, [(one["id"], "update")])
    assert "WRONGPASS" in stores.redis_cli(region, "PING", tenant=one, port=stores.connection("redis", region)["port"])
    assert stores.redis_cli(region, "PING", tenant=two, port=stores.connection("redis", region)["port"]).strip() == "PONG"
    cycle(stores, region, tenants, [(one["id"], "update")])


def test_a_suspended_tenant_s_session_ends_and_its_data_stays(stores: Stores, tenants: list[dict[str, Any]]) -> None:
    one = tenants[0]
    stores.run("redis", EAST, tenants)
    key = f"tenant:{one['id']}:kept"
    assert stores.redis_cli(EAST, "SET", key, "1", tenant=one).strip() == "OK"
    connected = f"user=tenant-{one['id']} "
    import redis

    session = redis.Redis.from_url(stores.secret(one)["REDIS_URL"], retry=None, socket_timeout=5)
    assert session.get(key) == b"1"
    assert connected in stores.redis_cli(EAST, "CLIENT", "LIST")
    stores.run("redis", EAST, [{**one, "state": "suspended"}])
    assert connected not in stores.redis_cli(EAST, "CLIENT", "LIST")
    with pytest.raises((redis.AuthenticationError, redis.ConnectionError)):
        session.get(key)
    assert stores.redis_cli(EAST, "GET", key).strip() == "1"
    stores.run("redis", EAST, tenants)
    assert stores.redis_cli(EAST, "GET", key, tenant=one).strip() == "1"
    session.close()


def test_other_users_are_left_alone_and_undeclared_tenants_are_listed(stores: Stores, tenants: list[dict[str, Any]]) -> None:
    before = [line for line in stores.redis_cli(EAST, "ACL", "LIST").splitlines() if " tenant-" not in line]
    answer = stores.run("redis", EAST, tenants[:1], declared_ids=[])
    assert tenants[1]["id"] in answer["undeclared"]
    assert tenants[0]["id"] not in answer["undeclared"]
    assert [line for line in stores.redis_cli(EAST, "ACL", "LIST").splitlines() if " tenant-" not in line] == before
    assert stores.acl(EAST, tenants[1])[0]


def test_a_tenant_without_a_secret_fails_alone(stores: Stores, tenants: list[dict[str, Any]]) -> None:
    missing = stores.tenant("cache-nosecret")
    answer = stores.run("redis", EAST, [missing, *tenants])
    assert verdicts(answer) == {missing["id"]: "failed", tenants[0]["id"]: "succeeded", tenants[1]["id"]: "succeeded"}
    assert f"tenant-{missing['id']}/tenant-credentials" in answer["results"][0]["message"]
    assert stores.acl(EAST, missing) == ("", "")
    planned = stores.run("redis", EAST, [missing], check=True)
    assert changes(planned) == [(missing["id"], f"user tenant-{missing['id']}", "create")]


def test_memory_is_measured_and_called_that(stores: Stores, tenants: list[dict[str, Any]]) -> None:
    one = tenants[0]
    stores.run("redis", EAST, tenants)
    for number in range(20):
        stores.redis_cli(EAST, "SET", f"tenant:{one['id']}:size{number}", "x" * 10000, tenant=one)
    answer = stores.run("redis", EAST, tenants, measure=True)
    found = answer["observed"][one["id"]]["memory"]
    assert 200_000 < found["bytes"] < 600_000
    assert found["meaning"] == "measured, not enforced"
    assert any("measured, not enforced" in note for note in answer["notes"])
    small = {**stores.clusters.tiers, "developer": {**stores.clusters.tiers["developer"], "redis": {"memory_bytes": 1000}}}
    above = stores.run("redis", EAST, tenants, measure=True, tiers=small)
    assert any(f"{one['id']} uses about" in note for note in above["notes"])
    part = stores.run("redis", EAST, tenants, measure=True, measure_keys=10)
    assert part["observed"][one["id"]]["memory"]["complete"] is False
    assert any("not measured in this run" in note for note in stores.run("redis", EAST, tenants)["notes"])


def killed_somewhere(start: Callable[[], Any], delay: float) -> bool:
    """Start, wait, kill -9. Returns whether it was still running."""
    process = start()
    time.sleep(delay)
    running = process.poll() is None
    process.send_signal(signal.SIGKILL)
    process.wait(10)
    return running


@pytest.mark.faults(sample=2)
@pytest.mark.parametrize("moment", range(10))
def test_a_killed_run_has_done_all_or_nothing_and_the_next_completes_it(stores: Stores, moment: int) -> None:
    tenants = stores.crowd(50)
    delay = random.Random(moment).uniform(0.2, 2.0)
    killed_somewhere(lambda: stores.start("redis", EAST, tenants), delay)
    there = [stores.acl(EAST, tenant) for tenant in (tenants[0], tenants[-1])]
    assert [bool(memory) for memory, _kept in there] in ([True, True], [False, False])
    assert all(memory == kept for memory, kept in there)
    assert set(verdicts(stores.run("redis", EAST, tenants)).values()) == {"succeeded"}
    assert stores.run("redis", EAST, tenants)["changed"] is False
    listed = [line.split()[1] for line in stores.redis_cli(EAST, "ACL", "LIST").splitlines()]
    assert all(listed.count(f"tenant-{tenant['id']}") == 1 for tenant in tenants)
