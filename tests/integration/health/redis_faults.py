# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Faults of Redis: how each is made and undone on a pair, and the checks that it may raise, written down before it is run."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import redis
from module_runs import EAST, WEST, eventually
from redis_pair import MIB, Node, Pair
from wrong_clocks import clock

_BUSY = """
local function microseconds() local now = redis.call('TIME') return now[1] * 1000000 + now[2] end
local ends = microseconds() + tonumber(ARGV[1])
repeat until microseconds() > ends
"""


@dataclass(frozen=True)
class Fault:
    """``make`` breaks and mends; it may yield arguments for the look. ``may``: (check, region) of what must be raised, and nothing else."""

    name: str
    make: Callable[[Pair], Any]
    may: frozenset[tuple[str, str]]
    arguments: Mapping[str, Any] = field(default_factory=dict)


def may(*names: str) -> frozenset[tuple[str, str]]:
    """``maxmemory@east`` is redis.maxmemory in us-east-1."""
    regions = {"east": EAST, "west": WEST, "control": "control"}
    return frozenset((f"redis.{name.split('@')[0]}", regions[name.split("@")[1]]) for name in names)


def setting(where: str, **changed: Any) -> Callable[[Pair], Any]:
    """Other settings on one of the nodes."""
    return lambda pair: getattr(pair, where).settings(**changed)


@contextmanager
def full(pair: Pair) -> Iterator[None]:
    """As much memory allowed as makes 93 %."""
    with pair.primary.client() as client:
        client.set("hc:filling", "x" * 8 * MIB)
        eventually(pair.whole, "the replica")
        memory = client.info("memory")
        used = memory["used_memory"] - memory["mem_not_counted_for_evict"]
        try:
            with pair.primary.settings(maxmemory=int(used / 0.93)):
                yield
        finally:
            client.delete("hc:filling")


def _status(node: Node, name: str, value: str) -> Callable[[], bool]:
    return lambda: node.info("persistence")[name] == value and not node.info("persistence")["aof_rewrite_in_progress"]


@contextmanager
def snapshot_fails(pair: Pair) -> Iterator[None]:
    """A folder is where the file has to be."""
    node, place = pair.primary, pair.primary.data / "dump.rdb"
    with node.client() as client:
        place.unlink(missing_ok=True)
        (place / "in-the-way").mkdir(parents=True)
        try:
            client.bgsave()
            eventually(lambda: node.info("persistence")["rdb_last_bgsave_status"] == "err", "the failure of the snapshot")
            yield
        finally:
            (place / "in-the-way").rmdir()
            place.rmdir()
            eventually(lambda: not node.info("persistence")["rdb_bgsave_in_progress"], "the end of the snapshot")
            client.bgsave()
            eventually(lambda: node.info("persistence")["rdb_last_bgsave_status"] == "ok", "a snapshot that goes well")


@contextmanager
def rewrite_fails(pair: Pair) -> Iterator[None]:
    """Folders are where the rewritten file has to be."""
    node = pair.replica
    folder = node.data / "appendonlydir"
    number = max(int(path.name.split(".")[-3]) for path in folder.glob("*.base.*")) + 1
    places = [folder / f"appendonly.aof.{one}.base.{kind}" for one in range(number, number + 4) for kind in ("rdb", "aof")]
    with node.client() as client:
        for place in places:
            (place / "in-the-way").mkdir(parents=True)
        try:
            client.bgrewriteaof()
            eventually(_status(node, "aof_last_bgrewrite_status", "err"), "the failure of the rewrite")
            yield
        finally:
            for place in places:
                (place / "in-the-way").rmdir()
                place.rmdir()
            client.bgrewriteaof()
            eventually(_status(node, "aof_last_bgrewrite_status", "ok"), "a rewrite that goes well")


@contextmanager
def disk_full(pair: Pair) -> Iterator[None]:
    """The next file that is appended to is a device that is always full."""
    node = pair.primary
    folder = node.data / "appendonlydir"
    number = max(int(path.name.split(".")[-3]) if path.name.endswith(".aof") else 0 for path in folder.glob("*.incr.*")) + 1
    with node.client() as client:
        eventually(_status(node, "aof_last_bgrewrite_status", "ok"), "the end of an earlier rewrite")
        (folder / f"appendonly.aof.{number}.incr.aof").symlink_to("/dev/full")
        try:
            client.bgrewriteaof()
            eventually(lambda: not node.info("persistence")["aof_rewrite_in_progress"], "the end of the rewrite")
            client.set("hc:lost", "x")
            eventually(lambda: node.info("persistence")["aof_last_write_status"] == "err", "the failure to write")
            yield
        finally:
            client.config_set("appendonly", "no")
            client.config_set("appendonly", "yes")
            eventually(lambda: node.info("persistence")["aof_last_write_status"] == "ok", "a write that goes well")
            eventually(lambda: not node.info("persistence")["aof_rewrite_in_progress"], "the end of the rewrite")
            client.delete("hc:lost")


@contextmanager
def late_snapshot(pair: Pair) -> Iterator[None]:
    """Something was changed, and no snapshot is ever due by the server's own settings."""
    with pair.primary.settings(save=""), pair.primary.client() as client:
        client.set("hc:changed", time.time())
        try:
            time.sleep(2.2)
            yield
        finally:
            client.delete("hc:changed")


@contextmanager
def slow_command(pair: Pair) -> Iterator[None]:
    """A script that takes its time."""
    with pair.primary.client() as client:
        try:
            client.eval(_BUSY, 0, 200000)
            yield
        finally:
            client.slowlog_reset()


def user(where: str, name: str, *rules: str, saved: bool = False) -> Callable[[Pair], Any]:
    """Another user, or other rules of one, on one node."""

    @contextmanager
    def make(pair: Pair) -> Iterator[None]:
        node = getattr(pair, where)
        with node.client() as client:
            try:
                client.execute_command("ACL", "SETUSER", name, *rules)
                if saved:
                    client.acl_save()
                yield
            finally:
                client.acl_deluser(name) if name != "default" else client.execute_command("ACL", "SETUSER", name, "reset", "off", "sanitize-payload")
                client.acl_save()

    return make


@contextmanager
def clients(pair: Pair, count: int, *command: Any) -> Iterator[None]:
    """So many connections, each perhaps in a command that does not end."""
    with ExitStack() as stack:
        for _number in range(count):
            client = stack.enter_context(pair.primary.client())
            client.ping()
            if command:
                client.connection.send_command(*command)
        try:
            yield
        finally:
            for number in range(len(command) and count):
                with pair.primary.client() as client:
                    client.rpush("hc:list", number)


@contextmanager
def many_clients(pair: Pair) -> Iterator[None]:
    with pair.primary.settings(maxclients=20), clients(pair, 15):
        yield


@contextmanager
def waiting_clients(pair: Pair) -> Iterator[None]:
    with pair.primary.settings(maxclients=40), clients(pair, 21, "BLPOP", "hc:list", 0):
        yield


@contextmanager
def turned_away(pair: Pair) -> Iterator[dict[str, Any]]:
    """Between an earlier run and this one, somebody found no place."""
    earlier = pair.look(EAST).facts["counters"]
    time.sleep(1)
    with pair.primary.settings(maxclients=10), ExitStack() as stack:
        try:
            for _number in range(12):
                stack.enter_context(pair.primary.client()).ping()
        except redis.RedisError:
            pass
        else:
            raise AssertionError("nobody was turned away")
    yield {"options": {"counters_before": earlier}}


@contextmanager
def evicting(pair: Pair) -> Iterator[dict[str, Any]]:
    """A store that threw keys away since the earlier run."""
    earlier = pair.look(EAST).facts["counters"]
    with pair.primary.client() as client, pair.primary.settings(maxmemory_policy="allkeys-random"):
        time.sleep(1)
        client.set("hc:goes", "x" * MIB)
        with pair.primary.settings(maxmemory=1):
            client.get("hc:any")
            eventually(lambda: client.info("stats")["evicted_keys"] > earlier["evicted_keys"], "an eviction")
    yield {"options": {"counters_before": earlier}}


@contextmanager
def promoted(pair: Pair) -> Iterator[None]:
    """Two primaries."""
    with pair.replica.client() as client:
        try:
            client.execute_command("REPLICAOF", "NO", "ONE")
            eventually(lambda: pair.primary.info("replication")["connected_slaves"] == 0, "the loss of the replica")
            yield
        finally:
            client.execute_command("REPLICAOF", "127.0.0.1", pair.primary.port)


@contextmanager
def link_down(pair: Pair) -> Iterator[None]:
    """The replica looks for its primary where nobody is."""
    with pair.replica.client() as client:
        try:
            client.execute_command("REPLICAOF", "127.0.0.1", 1)
            eventually(lambda: pair.primary.info("replication")["connected_slaves"] == 0, "the loss of the replica")
            yield
        finally:
            client.execute_command("REPLICAOF", "127.0.0.1", pair.primary.port)


@contextmanager
def another_primary(pair: Pair) -> Iterator[None]:
    """The replica follows a server that is not the declared one."""
    other = Node(pair.program, pair.folder / f"other-{time.monotonic_ns()}", pair.passwords)
    other.start()
    with pair.replica.client() as client:
        try:
            client.execute_command("REPLICAOF", "127.0.0.1", other.port)
            eventually(lambda: pair.replica.info("replication")["master_link_status"] == "up", "the link to the other")
            eventually(lambda: pair.primary.info("replication")["connected_slaves"] == 0, "the loss of the replica")
            yield
        finally:
            client.execute_command("REPLICAOF", "127.0.0.1", pair.primary.port)
            other.stop()


def wrong_clock(where: str, seconds: float) -> Callable[[Pair], Any]:
    """A node that was started by another time of day."""

    @contextmanager
    def made(pair: Pair) -> Iterator[None]:
        node: Node = getattr(pair, where)
        try:
            node.stop()
            node.start(clock(seconds))
            eventually(pair.whole, "the replication of the pair")
            yield
        finally:
            node.stop()
            node.start()

    return made


FAULTS = (
    Fault("no maxmemory", setting("primary", maxmemory=0), may("maxmemory@east", "settings@west")),
    Fault("a store that evicts", setting("replica", maxmemory_policy="allkeys-lru"), may("maxmemory_policy@west", "settings@west")),
    Fault("memory nearly full", full, may("memory@east", "settings@west")),
    Fault("no append-only file", setting("replica", appendonly="no"), may("aof_enabled@west", "settings@west")),
    Fault("the disk of the append-only file is full", disk_full, may("aof_write@east", "up@east")),
    Fault("the rewrite of the append-only file fails", rewrite_fails, may("aof_bgrewrite@west")),
    Fault("the snapshot fails", snapshot_fails, may("rdb_save@east", "up@east")),
    Fault(
        "no snapshot of what was changed",
        late_snapshot,
        may("rdb_age@east", "rdb_age@west"),
        {"thresholds": {"redis.rdb_age": {"degraded": 1}}, "options": {"snapshot_seconds": 0.5}},
    ),
    Fault("a slow command", slow_command, may("slowlog@east")),
    Fault("strangers are let in", user("primary", "default", "on", "nopass", "+ping"), may("authentication@east", "acl_saved@east", "acl_parity@west")),
    Fault("a user without a password", user("replica", "hc-open", "on", "nopass", "+get"), may("users@west", "acl_saved@west", "acl_parity@west")),
    Fault("a user on one node only", user("replica", "hc-user", "on", ">hunter2-hunter2", "~hc:*", "+get", saved=True), may("acl_parity@west")),
    Fault("a user that is not saved", user("primary", "tenant-hc", "on", ">hunter2-hunter2", "~hc:*", "+get"), may("acl_saved@east", "acl_parity@west")),
    Fault("many clients", many_clients, may("clients@east", "settings@west")),
    Fault("clients that wait", waiting_clients, may("blocked_clients@east", "settings@west")),
    Fault("clients were turned away", turned_away, may("rejected_connections@east")),
    Fault("keys were thrown away", evicting, may("evictions@east")),
    Fault("two primaries", promoted, may("role@west", "replicas@east")),
    Fault("a writable replica", setting("replica", replica_read_only="no"), may("role@west")),
    Fault("the link is down", link_down, may("replication_link@west", "replicas@east")),
    Fault("the primary's clock is ahead", wrong_clock("primary", 120), may("clock@east")),
    Fault("the replica's clock is behind", wrong_clock("replica", -120), may("clock@west")),
    Fault("another primary", another_primary, may("replication_source@west", "replicas@east")),
)
