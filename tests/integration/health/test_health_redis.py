# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""health_redis: silent while all is well, on the sandbox and on a pair of our own; for each fault exactly the checks that it may raise."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from ansible_collections.leanvibe.ops.plugins.module_utils.sandbox.context import Context
from ansible_collections.leanvibe.ops.plugins.module_utils.sandbox.parts.redis import Redis as RedisPart
from ansible_collections.leanvibe.ops.plugins.module_utils.sandbox.settings import Settings
from module_runs import EAST, WEST, compared, eventually, look, wrong
from redis_faults import FAULTS, Fault
from redis_pair import OPTIONS, Pair, pause, server_program

REGIONS = (EAST, WEST)
USUALLY_SKIPPED = {EAST: {"redis.replication_link"}, WEST: {"redis.replicas", "redis.replication_lag_bytes", "redis.replication_lag_seconds"}}


@pytest.fixture(scope="module")
def pair(sandbox: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    made = Pair(server_program(sandbox["data"]), tmp_path_factory.mktemp("hc-redis"))
    try:
        made.start()
        yield made
    finally:
        made.stop()


@pytest.fixture
def platform(sandbox: dict[str, Any], credentials: dict[str, Any]) -> Callable[..., list[dict[str, Any]]]:
    """Everything that is found on the sandbox's two nodes, as the inventory declares them."""

    def both(username: str = "health", **arguments: Any) -> list[dict[str, Any]]:
        runs = []
        for region in REGIONS:
            place = sandbox["regions"][region]["redis"]
            connection = {"host": place["host"], "port": place["port"], "username": username, "password": credentials["redis"][username]}
            options = {**OPTIONS[region], "acl_file": f"{sandbox['data']}/{region}/redis/users.acl"}
            runs.append(look("redis", region, connection, options=options, **arguments))
        return [*(item for run in runs for item in run.items), *compared(runs)]

    return both


@pytest.mark.parametrize("username", ["health", "operations"])
def test_a_healthy_sandbox_has_no_finding_that_is_not_ok(platform: Callable[..., list[dict[str, Any]]], username: str) -> None:
    for _time in range(3):
        items = platform(username)
        assert wrong(items) == {}
        skipped = {(item["subject"].split("/")[0], item["id"]) for item in items if item["verdict"] == "skipped"}
        assert skipped == {
            (region, name) for region, names in USUALLY_SKIPPED.items() for name in names - ({"redis.replicas"} if region == WEST else set())
        } | {(WEST, "redis.replicas")}


def test_a_healthy_pair_has_no_finding_that_is_not_ok(pair: Pair) -> None:
    began = time.monotonic()
    assert wrong(pair.both()) == {}
    assert time.monotonic() - began < 6


@pytest.mark.faults(sample=1)
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name.replace(" ", "-"))
def test_a_fault_is_found_and_nothing_else(pair: Pair, fault: Fault, catalogue: Any) -> None:
    with fault.make(pair) as more:
        # What is compared with an earlier run of the primary says nothing about the replica; it is seen to be another server's.
        items = pair.both(**{**fault.arguments, **(more or {})})
        found = wrong(items)
        catalogue.judge(f"redis: {fault.name}", fault.may, found, [item for item in items if item["verdict"] not in ("ok", "skipped")])
        assert set(found.values()) <= {"degraded", "critical"}
        assert "hunter2-hunter2" not in str(items)
    eventually(pair.whole, "the replication of the pair")
    assert wrong(pair.both()) == {}


def test_the_account_may_look_and_nothing_else(pair: Pair) -> None:
    with pair.primary.client() as ours:
        ours.set("hc:secret", "x")
        with pair.primary.client("health") as client:
            for command in (
                ("GET", "hc:secret"),
                ("SET", "hc:x", "y"),
                ("KEYS", "*"),
                ("SCAN", "0"),
                ("CONFIG", "GET", "masterauth"),
                ("CONFIG", "SET", "maxmemory", "1"),
                ("ACL", "SETUSER", "health", "+@all"),
                ("ACL", "SAVE"),
                ("SLOWLOG", "RESET"),
                ("FLUSHALL",),
                ("SHUTDOWN",),
                ("REPLICAOF", "NO", "ONE"),
                ("PSYNC", "?", "-1"),
                ("CLIENT", "KILL", "TYPE", "normal"),
            ):
                with pytest.raises(redis.exceptions.NoPermissionError):
                    client.execute_command(*command)
        ours.delete("hc:secret")


@pytest.mark.parametrize(
    ("taken", "may"),
    [
        ("-slowlog|get", {"redis.slowlog"}),
        ("-acl|list", {"redis.users", "redis.acl_saved"}),
        ("-time", {"redis.clock"}),
    ],
)
def test_a_right_that_is_missing_is_named(pair: Pair, taken: str, may: set[str]) -> None:
    with pair.primary.client() as client:
        try:
            client.execute_command("ACL", "SETUSER", "health", taken)
            client.acl_save()
            items = pair.look(EAST).items
        finally:
            client.execute_command("ACL", "SETUSER", "health", taken.replace("-", "+", 1))
            client.acl_save()
    unknown = {item["id"]: item["message"] for item in items if item["verdict"] not in ("ok", "skipped")}
    assert set(unknown) == may
    assert all("a right is missing" in message and taken.replace("-", "+", 1) in message for message in unknown.values())


def test_a_wrong_password_is_unknown_and_not_well(pair: Pair) -> None:
    run = look("redis", EAST, {**pair.primary.connection(), "password": "wrong-and-nowhere-else"})
    assert {item["verdict"] for item in run.items} == {"unknown"}
    assert "WRONGPASS" in run.items[0]["message"]
    without = look("redis", EAST, {**pair.primary.connection(), "password": None})
    assert {item["verdict"] for item in without.items} == {"unknown"}
    assert "NOAUTH" in without.items[0]["message"]


def test_a_full_server_says_why_we_are_not_let_in(pair: Pair) -> None:
    with pair.primary.client() as client, pair.primary.settings(maxclients=1):
        client.ping()
        run = look("redis", EAST, pair.primary.connection())
    assert {item["verdict"] for item in run.items} == {"unknown"}
    assert "max number of clients reached" in run.items[0]["message"]


def test_a_paused_replica_is_unknown_once_and_its_primary_tells_of_it(pair: Pair) -> None:
    pause(pair.replica, True)
    try:
        with pair.primary.client() as client:
            for number in range(24):
                client.set(f"hc:burst:{number}", "x" * 256 * 1024)
        time.sleep(5.5)
        began = time.monotonic()
        west = pair.look(WEST)
        assert time.monotonic() - began < 5
        assert {item["verdict"] for item in west.items} == {"unknown"}
        assert set(wrong(pair.look(EAST).items)) == {("redis.replication_lag_bytes", EAST), ("redis.replication_lag_seconds", EAST)}
    finally:
        pause(pair.replica, False)
        with pair.primary.client() as client:
            client.delete(*(f"hc:burst:{number}" for number in range(24)))
    eventually(pair.whole, "the replication of the pair")
    assert wrong(pair.both()) == {}


def test_a_killed_server_is_unknown_at_once(pair: Pair) -> None:
    pair.replica.stop()
    try:
        began = time.monotonic()
        run = pair.look(WEST)
        assert time.monotonic() - began < 1
        assert {item["verdict"] for item in run.items} == {"unknown"}
        eventually(lambda: pair.primary.info("replication")["connected_slaves"] == 0, "the loss of the replica")
        assert set(wrong(pair.look(EAST).items)) == {("redis.replicas", EAST)}
    finally:
        pair.start()
    assert wrong(pair.both()) == {}


def test_looking_leaves_nothing(pair: Pair) -> None:
    with pair.primary.client() as client:
        before = (client.info("persistence")["rdb_changes_since_last_save"], client.dbsize(), client.acl_list(), client.config_get("*"))
        pair.look(EAST)
        assert (client.info("persistence")["rdb_changes_since_last_save"], client.dbsize(), client.acl_list(), client.config_get("*")) == before
        assert all(one["user"] == "operations" for one in client.client_list(_type="normal"))


@pytest.mark.faults(sample=1)
@pytest.mark.parametrize("may", [{("redis.replication_link", WEST), ("redis.replicas", EAST)}], ids=["cut"])
def test_regions_that_are_cut_off(
    platform: Callable[..., list[dict[str, Any]]], run_playbook: Callable[..., subprocess.CompletedProcess[str]], may: set[tuple[str, str]]
) -> None:
    fault = {"component": "redis_link", "region": EAST}
    try:
        done = run_playbook("sandbox_fault", extra_vars={**fault, "fault": "cut"})
        assert done.returncode == 0, done.stdout
        eventually(lambda: set(wrong(platform())) == may, "the finding of the cut", 40)
    finally:
        assert run_playbook("sandbox_fault", extra_vars={**fault, "fault": "heal"}).returncode == 0
    eventually(lambda: wrong(platform()) == {}, "health after the cut", 60)


def test_a_sandbox_that_is_older_than_the_account_gets_it(
    platform: Callable[..., list[dict[str, Any]]], sandbox: dict[str, Any], credentials: dict[str, Any], sandbox_dir: Path
) -> None:
    part = RedisPart(Context(Settings(sandbox_dir, Path(sandbox["data"]), sandbox["port_base"])), WEST)
    place = sandbox["regions"][WEST]["redis"]
    with redis.Redis(host=place["host"], port=place["port"], username="operations", password=credentials["redis"]["operations"]) as client:
        try:
            assert client.acl_deluser("health") == 1
            client.acl_save()
        finally:
            made = part.configure()
    assert made == ["user health made"]
    assert part.configure() == []
    assert wrong(platform()) == {}


def test_the_inventory_s_declarations_are_taken(checkout: Path, ansible_env: dict[str, str]) -> None:
    """The module through Ansible, with the inventory's connection and options."""
    arguments = "region={{ leanvibe_ops_region }} connection={{ leanvibe_ops_health_redis }} options={{ health_options }}"
    command = ["ansible", "redis", "-i", "inventories/sandbox", "-m", "leanvibe.ops.health_redis", "-a", arguments]
    done = subprocess.run(command, cwd=checkout, env=ansible_env, capture_output=True, text=True, timeout=120, check=False, stdin=subprocess.DEVNULL)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("verdict: ok") > 40
    assert not any(f"verdict: {verdict}" in done.stdout for verdict in ("critical", "degraded", "unknown"))
