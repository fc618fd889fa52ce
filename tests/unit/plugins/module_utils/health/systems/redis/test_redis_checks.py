# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Redis: each check on a node that is well, degraded, critical, says nothing, and refuses."""

from __future__ import annotations

import re
import socket
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.leanvibe.ops.plugins.module_utils.common.errors import AccessDenied, OpsError, Unreachable
from ansible_collections.leanvibe.ops.plugins.module_utils.health.model import NoData
from ansible_collections.leanvibe.ops.plugins.module_utils.health.systems.redis import CHECKS, COMPARISONS, rates, replication
from ansible_collections.leanvibe.ops.plugins.module_utils.health.systems.redis.node import Info, Node
from ansible_collections.leanvibe.ops.plugins.module_utils.health.systems.redis_rights import COMMANDS, READ_ONLY_RULES
from redis_fakes import HASH, MIB, PRIMARY, REPLICA_OF, USERS, FakeNode, info, item_of, look, wrong

ROOT = Path(__file__).resolve().parents[7]
CONFUSED = "ip=10.0.0.2,port=6379,state=online"


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """An interval that need not be waited for."""
    monkeypatch.setattr(rates, "INTERVAL", 0.0)
    monkeypatch.setattr(replication, "_PAUSE", 0.0)


def ahead(**change: Any) -> dict[str, Any]:
    """A later reading: 10 s on."""
    return {"server_time_usec": int((time.time() + 10) * 1e6), **change}


def test_a_node_that_is_well_is_well() -> None:
    run = look(FakeNode(info(), later=ahead(expired_keys=200)))
    assert wrong(run) == {}
    assert {done.id for done in run.checks} == {check.id for check in CHECKS}
    assert [done.id for done in run.checks if done.outcome != "executed"] == ["redis.replication_link", "redis.acl_saved"]


def test_a_replica_that_is_well_is_well() -> None:
    run = look(FakeNode(info(**REPLICA_OF)), role="replica")
    assert wrong(run) == {}
    assert "last said something 1 s ago" in item_of(run, "redis.replication_link")["message"]


FAULTS: dict[str, tuple[dict[str, Any], dict[str, Any], dict[str, str]]] = {
    "role": ({}, {"role": "replica"}, {"redis.role": "critical"}),
    "role misspelt": ({}, {"role": "replca"}, {"redis.role": "unknown"}),
    "writable replica": ({**REPLICA_OF, "slave_read_only": 0}, {"role": "replica"}, {"redis.role": "degraded"}),
    "link down": (
        {**REPLICA_OF, "master_link_status": "down", "master_link_down_since_seconds": 42},
        {"role": "replica"},
        {"redis.replication_link": "critical"},
    ),
    "link never up": (
        {**REPLICA_OF, "master_link_status": "down", "master_link_down_since_seconds": -1},
        {"role": "replica"},
        {"redis.replication_link": "critical"},
    ),
    "copying": ({**REPLICA_OF, "master_link_status": "down", "master_sync_in_progress": 1}, {"role": "replica"}, {"redis.replication_link": "degraded"}),
    "primary is silent": ({**REPLICA_OF, "master_last_io_seconds_ago": 31}, {"role": "replica"}, {"redis.replication_link": "degraded"}),
    "no replica": ({"connected_slaves": 0, "slave0": None}, PRIMARY, {"redis.replicas": "critical"}),
    "one of two replicas": ({}, {"replicas": 2}, {"redis.replicas": "degraded"}),
    "half the backlog": (
        {"slave0": f"{CONFUSED},offset={1000},lag=0", "master_repl_offset": 1000 + MIB // 2},
        PRIMARY,
        {"redis.replication_lag_bytes": "degraded"},
    ),
    "beyond the backlog": ({"master_repl_offset": 2 * MIB}, PRIMARY, {"redis.replication_lag_bytes": "critical"}),
    "slow acknowledgements": ({"slave0": f"{CONFUSED},offset=1000,lag=6"}, PRIMARY, {"redis.replication_lag_seconds": "degraded"}),
    "no acknowledgements": ({"slave0": f"{CONFUSED},offset=1000,lag=31"}, PRIMARY, {"redis.replication_lag_seconds": "critical"}),
    "no aof": ({"aof_enabled": 0}, PRIMARY, {"redis.aof_enabled": "critical"}),
    "aof write": ({"aof_last_write_status": "err"}, PRIMARY, {"redis.aof_write": "critical"}),
    "aof rewrite": ({"aof_last_bgrewrite_status": "err"}, PRIMARY, {"redis.aof_bgrewrite": "critical"}),
    "snapshot failed": ({"rdb_last_bgsave_status": "err"}, PRIMARY, {"redis.rdb_save": "critical"}),
    "snapshot late": ({"rdb_changes_since_last_save": 5, "rdb_last_save_time": int(time.time()) - 4500}, PRIMARY, {"redis.rdb_age": "degraded"}),
    "snapshot very late": ({"rdb_changes_since_last_save": 5, "rdb_last_save_time": int(time.time()) - 99999}, PRIMARY, {"redis.rdb_age": "critical"}),
    "snapshot hangs": (
        {"rdb_changes_since_last_save": 5, "rdb_bgsave_in_progress": 1, "rdb_current_bgsave_time_sec": 4000},
        PRIMARY,
        {"redis.rdb_age": "degraded"},
    ),
    "never a snapshot, and nothing else": (
        {"rdb_changes_since_last_save": 5, "rdb_last_bgsave_time_sec": -1, "aof_enabled": 0},
        {"appendonly": False},
        {"redis.rdb_age": "degraded"},
    ),
    "never a snapshot where some are declared": (
        {"rdb_changes_since_last_save": 5, "rdb_last_bgsave_time_sec": -1},
        {"snapshot_seconds": 3600},
        {"redis.rdb_age": "degraded"},
    ),
    "no maxmemory": ({"maxmemory": 0}, PRIMARY, {"redis.maxmemory": "degraded"}),
    "nearly full": ({"used_memory": 240 * MIB}, PRIMARY, {"redis.memory": "degraded"}),
    "full": ({"used_memory": 255 * MIB}, PRIMARY, {"redis.memory": "critical"}),
    "no maxmemory, machine nearly full": (
        {"maxmemory": 0, "used_memory": 7600 * MIB},
        PRIMARY,
        {"redis.maxmemory": "degraded", "redis.memory": "degraded"},
    ),
    "store that evicts": ({"maxmemory_policy": "allkeys-lru"}, PRIMARY, {"redis.maxmemory_policy": "degraded"}),
    "cache that does not": ({}, {"purpose": "cache"}, {"redis.maxmemory_policy": "degraded"}),
    "fragmented": ({"mem_fragmentation_bytes": 200 * MIB, "mem_fragmentation_ratio": "1.6"}, PRIMARY, {"redis.fragmentation": "degraded"}),
    "badly fragmented": ({"mem_fragmentation_bytes": 200 * MIB, "mem_fragmentation_ratio": "3.1"}, PRIMARY, {"redis.fragmentation": "critical"}),
    "many clients": ({"connected_clients": 8000}, PRIMARY, {"redis.clients": "degraded"}),
    "all clients": ({"connected_clients": 9900}, PRIMARY, {"redis.clients": "critical"}),
    "waiting clients": ({"blocked_clients": 5000}, PRIMARY, {"redis.blocked_clients": "degraded"}),
    "overdue keys": ({"expired_stale_perc": "31.0"}, PRIMARY, {"redis.expirations": "degraded"}),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_found_and_nothing_else(name: str) -> None:
    change, options, expected = FAULTS[name]
    assert wrong(look(FakeNode(info(**change)), **options)) == expected


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"rdb_changes_since_last_save": 5, "rdb_bgsave_in_progress": 1, "rdb_current_bgsave_time_sec": 0}, "being taken for 0 s"),
        ({"rdb_changes_since_last_save": 0}, "nothing was written since"),
    ],
)
def test_an_old_snapshot_of_unchanged_data_is_not_late(change: dict[str, Any], message: str) -> None:
    item = item_of(look(FakeNode(info(**change)), "redis.rdb_age"), "redis.rdb_age")
    assert (item["verdict"], item["observed"]) == ("ok", 0)
    assert message in item["message"]


def test_snapshots_that_were_never_taken_are_not_missed_where_the_append_only_file_keeps_everything() -> None:
    run = look(FakeNode(info(rdb_changes_since_last_save=5, rdb_last_bgsave_time_sec=-1)), "redis.rdb_age")
    assert [item["verdict"] for item in run.items] == ["skipped"]


def test_snapshots_and_aof_may_be_declared_off() -> None:
    run = look(FakeNode(info(aof_enabled=0, rdb_changes_since_last_save=9)), appendonly=False, snapshot_seconds=0)
    assert wrong(run) == {}
    assert {item["id"] for item in run.items if item["verdict"] == "skipped"} >= {"redis.rdb_age", "redis.aof_write", "redis.aof_bgrewrite"}


def test_a_burst_is_not_taken_for_a_replica_that_is_behind() -> None:
    node = FakeNode(info(master_repl_offset=3 * MIB), later={"master_repl_offset": 1200})
    assert wrong(look(node, "redis.replication_lag_bytes")) == {}


def test_what_a_stranger_is_answered_decides() -> None:
    for answer, verdict in (("PONG", "critical"), ("NOPERM", "degraded"), ("NOAUTH", "ok")):
        node = FakeNode(info())
        node.stranger = answer
        assert item_of(look(node, "redis.authentication"), "redis.authentication")["verdict"] == verdict
    node = FakeNode(info())
    node.user = "default"
    assert wrong(look(node)) == {"redis.authentication": "degraded"}


def test_a_node_that_refuses_writes_is_looked_at_nevertheless() -> None:
    node = FakeNode(info(rdb_last_bgsave_status="err"))
    node.pong = "MISCONF"
    assert wrong(look(node)) == {"redis.up": "critical", "redis.rdb_save": "critical"}


def serve(listener: socket.socket, answers: list[bytes]) -> None:
    client, _address = listener.accept()
    with client:
        for answer in answers:
            client.recv(1000)
            client.sendall(answer)
        client.recv(1000)


@pytest.mark.parametrize(
    ("answers", "stranger"),
    [
        ([b"-NOAUTH Authentication required.\r\n", b"+OK\r\n", b"+PONG\r\n"], "NOAUTH"),
        ([b"-NOAUTH Authentication required.\r\n", b"+OK\r\n", b"-MISCONF Errors writing to the AOF file\r\n"], "NOAUTH"),
        ([b"-MISCONF Errors writing to the AOF file\r\n", b"+OK\r\n", b"+PONG\r\n"], "MISCONF"),
        ([b"+PONG\r\n", b"+OK\r\n", b"+PONG\r\n"], "PONG"),
    ],
)
def test_a_node_is_asked_before_and_after_the_login(answers: list[bytes], stranger: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, args=(listener, answers))
        thread.start()
        node = Node({"host": "127.0.0.1", "port": listener.getsockname()[1], "username": "health", "password": "x"}, 2)
        assert node.stranger == stranger
        node.close()
        thread.join(5)


@pytest.mark.parametrize(
    ("answers", "expected", "message"),
    [
        ([b"-ERR max number of clients reached\r\n"], OpsError, "max number of clients"),
        ([b"-NOAUTH Authentication required.\r\n", b"-WRONGPASS invalid\r\n"], AccessDenied, "WRONGPASS"),
        ([b"-NOAUTH Authentication required.\r\n", b"+OK\r\n", b"-LOADING in memory\r\n"], Unreachable, "LOADING"),
    ],
)
def test_a_node_that_does_not_let_us_in_says_why(answers: list[bytes], expected: type[OpsError], message: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, args=(listener, answers))
        thread.start()
        with pytest.raises(expected, match=message):
            Node({"host": "127.0.0.1", "port": listener.getsockname()[1], "username": "health", "password": "x"}, 2)
        thread.join(5)


def test_a_clock_that_is_off() -> None:
    for off, verdict in ((0.0, "ok"), (-2.5, "degraded"), (40.0, "critical")):
        node = FakeNode(info())
        node.off = off
        item = item_of(look(node, "redis.clock"), "redis.clock")
        assert item["verdict"] == verdict, item
        assert item["observed"] == pytest.approx(abs(off), abs=0.05)


def entry(age: float, milliseconds: float, *command: str) -> list[Any]:
    return [1, int(time.time() - age), int(milliseconds * 1000), list(command), "10.0.0.9:1", ""]


@pytest.mark.parametrize(
    ("entries", "verdict", "observed"),
    [
        ([], "ok", 0),
        ([entry(7200, 5000, "keys", "*")], "ok", 0),
        ([entry(60, 20, "get", "x")], "ok", 20),
        ([entry(60, 1400, "ACL", "SAVE")], "ok", 0),
        ([entry(60, 1400, "acl", "save"), entry(60, 110, "keys", "*")], "degraded", 110),
        ([entry(60, 150, "keys", "tenant:acme:secret"), entry(30, 120, "get", "x")], "degraded", 150),
        ([entry(60, 1500, "sort", "tenant:acme:secret")], "critical", 1500),
    ],
)
def test_only_recent_slow_commands_count_and_arguments_are_not_shown(entries: list[Any], verdict: str, observed: float) -> None:
    node = FakeNode(info())
    node.slow = entries
    item = item_of(look(node, "redis.slowlog"), "redis.slowlog")
    assert (item["verdict"], item["observed"]) == (verdict, observed)
    assert "secret" not in str(item)


def test_rates_are_between_two_readings_and_not_since_the_start() -> None:
    assert wrong(look(FakeNode(info(evicted_keys=5000, rejected_connections=9), later=ahead()))) == {}
    run = look(FakeNode(info(), later=ahead(evicted_keys=50, rejected_connections=17)))
    assert wrong(run) == {"redis.evictions": "critical", "redis.rejected_connections": "critical"}
    assert item_of(run, "redis.evictions")["observed"] == pytest.approx(5, rel=0.05)
    cache = look(FakeNode(info(maxmemory_policy="allkeys-lru"), later=ahead(evicted_keys=50)), purpose="cache")
    assert wrong(cache) == {}
    busy = look(FakeNode(info(maxmemory_policy="allkeys-lru"), later=ahead(evicted_keys=5000)), purpose="cache")
    assert wrong(busy) == {"redis.evictions": "degraded"}


def test_the_reading_of_an_earlier_run_is_used_unless_the_server_began_anew() -> None:
    earlier = look(FakeNode(info())).facts["counters"]
    earlier["at"] -= 3600
    now = FakeNode(info(rejected_connections=9))
    run = look(now, counters_before=earlier)
    assert wrong(run) == {"redis.rejected_connections": "degraded"}
    assert "2 connections turned away in 3599 s" in item_of(run, "redis.rejected_connections")["message"]
    assert now.asked.count("INFO") == 1
    assert wrong(look(FakeNode(info(rejected_connections=9, run_id="r2"), later=ahead()), counters_before=earlier)) == {}
    assert wrong(look(FakeNode(info(rejected_connections=9), later=ahead()), counters_before={"at": "nonsense"})) == {}


def test_users_are_the_same_in_memory_and_file(tmp_path: Path) -> None:
    file = tmp_path / "users.acl"
    file.write_text("\n".join(line.replace("sanitize-payload ", "") for line in USERS), encoding="utf-8")
    node = FakeNode(info())
    assert wrong(look(node, acl_file=str(file))) == {}
    node = FakeNode(info())
    node.users = (*USERS, f"user tenant-new on #{HASH} ~x -@all")
    run = look(node, acl_file=str(file))
    assert wrong(run) == {"redis.acl_saved": "degraded"}
    assert item_of(run, "redis.acl_saved")["tenants"] == ["new"]
    assert HASH not in str(run.to_mapping())


def test_the_mark_of_users_that_could_not_be_saved_is_seen_without_the_file() -> None:
    node = FakeNode(info())
    node.users = (*USERS, "user leanvibe-ops-unsaved off sanitize-payload resetchannels -@all")
    assert wrong(look(node)) == {"redis.acl_saved": "degraded"}
    assert "leanvibe-ops-unsaved" not in look(node).facts["acl"]["users"]


def test_a_file_that_is_not_there_or_is_nonsense_is_unknown(tmp_path: Path) -> None:
    file = tmp_path / "users.acl"
    assert wrong(look(FakeNode(info()), "redis.acl_saved", acl_file=str(file))) == {"redis.acl_saved": "unknown"}
    file.write_text("user x on !broken\n", encoding="utf-8")
    run = look(FakeNode(info()), "redis.acl_saved", acl_file=str(file))
    assert wrong(run) == {"redis.acl_saved": "unknown"}
    assert "broken" not in str(run.items)


def test_a_user_without_a_password_is_critical() -> None:
    node = FakeNode(info())
    node.users = (*USERS, "user tenant-open on nopass sanitize-payload ~tenant:open:* resetchannels -@all +get")
    run = look(node)
    assert wrong(run) == {"redis.users": "critical"}
    assert item_of(run, "redis.users")["tenants"] == ["open"]


def test_elasticache_is_not_asked_for_what_it_does_not_tell() -> None:
    node = FakeNode(info(aof_enabled=0), refused=("ACL LIST",))
    node.driver = "elasticache"
    run = look(node)
    assert wrong(run) == {}
    assert not any(asked.startswith(("ACL LIST", "CONFIG")) for asked in node.asked)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.id)
def test_nothing_in_the_answers_is_unknown_and_never_ok(check: Any, tmp_path: Path) -> None:
    (tmp_path / "users.acl").write_text("", encoding="utf-8")
    node = FakeNode(info(), broken=True)
    run = look(node, check.id, acl_file=str(tmp_path / "users.acl"), **PRIMARY)
    verdicts = {item["verdict"] for item in run.items}
    measured_without_an_answer = {"redis.latency"}  # any answer ends the measurement
    if check.id == "redis.authentication":
        assert verdicts == {"ok", "degraded"}  # a stranger was refused before; who we are is not what was declared
    elif check.id not in measured_without_an_answer:
        assert verdicts == {"unknown"}, run.items


@pytest.mark.parametrize("check", [check for check in CHECKS if check.id != "redis.acl_saved"], ids=lambda check: check.id)
def test_a_missing_right_is_named(check: Any) -> None:
    node = FakeNode(info(), refused=("PING", "INFO", "TIME", "ACL", "SLOWLOG"))
    run = look(node, check.id)
    unknown = [item for item in run.items if item["verdict"] == "unknown"]
    assert len(unknown) == 1
    assert "a right is missing" in unknown[0]["message"]
    assert f"This check needs: {'; '.join(check.grants)}" in unknown[0]["message"]


@pytest.mark.parametrize(
    "name", sorted(set(info()) - {"expired_stale_perc", "mem_not_counted_for_evict", "master_replid", "rdb_bgsave_in_progress", "rdb_current_bgsave_time_sec"})
)
def test_a_field_that_is_missing_makes_what_needs_it_unknown_and_nothing_else_bad(name: str) -> None:
    run = look(FakeNode(info(**{name: None})))
    assert set(wrong(run).values()) <= {"unknown"}, wrong(run)


def test_requests_do_not_depend_on_the_number_of_users() -> None:
    few, many = FakeNode(info()), FakeNode(info())
    many.users = (*USERS, *(f"user tenant-t{number} on #{HASH} ~tenant:t{number}:* -@all +get" for number in range(1000)))
    look(few)
    look(many)
    assert many.asked == few.asked
    assert few.asked.count("ACL LIST") == 1


def test_all_rights_that_checks_name_are_in_the_role_and_the_role_has_no_other() -> None:
    named = {word[1:] for check in CHECKS for grant in check.grants for word in grant.split() if word.startswith("+")}
    assert named == set(COMMANDS)
    assert READ_ONLY_RULES.startswith("resetkeys resetchannels -@all ")


def test_every_check_has_its_chapter_in_the_runbook() -> None:
    text = (ROOT / "docs/runbooks/redis.md").read_text(encoding="utf-8")
    chapters = set(re.findall(r"^## (\S+)$", text, re.MULTILINE))
    assert {about.runbook for about in (*CHECKS, *COMPARISONS)} <= {f"runbooks/redis.md#{chapter}" for chapter in chapters}


def test_info_reads_numbers_and_tells_what_is_none() -> None:
    found = Info("# Server\r\na:1\r\nb:x:y\r\n")
    assert found.number("a") == 1
    assert found["b"] == "x:y"
    assert "c" not in found
    with pytest.raises(NoData, match="no field c"):
        found["c"]
    with pytest.raises(NoData, match="no number"):
        found.number("b")
