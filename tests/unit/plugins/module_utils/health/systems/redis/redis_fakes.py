# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A Redis node that answers from a table, and a run of all checks over it."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.leanvibe.ops.plugins.module_utils.clients.redis import RedisSession, Reply, ReplyError
from ansible_collections.leanvibe.ops.plugins.module_utils.health.results import Run
from ansible_collections.leanvibe.ops.plugins.module_utils.health.runner import Limits, Link, Selection, run_checks
from ansible_collections.leanvibe.ops.plugins.module_utils.health.systems.redis import CHECKS
from ansible_collections.leanvibe.ops.plugins.module_utils.health.systems.redis.node import Node

MIB = 1024 * 1024
HASH = "a" * 64
USERS = (
    "user default off sanitize-payload resetchannels -@all",
    f"user operations on sanitize-payload #{HASH} ~* &* +@all",
    f"user tenant-acme on sanitize-payload #{HASH} ~tenant:acme:* resetchannels &tenant:acme:* -@all +get +set",
)
CATEGORIES = {"read": ["get"], "write": ["set"], "admin": ["acl|list", "config|get"]}
PRIMARY = {"role": "primary", "replicas": 1}
REPLICA_OF = {"role": "slave", "connected_slaves": 0, "slave_read_only": 1, "master_link_status": "up", "master_last_io_seconds_ago": 1}


def info(**change: Any) -> dict[str, Any]:
    """INFO of a primary with one replica that is well."""
    usual = {
        "redis_version": "7.0.15",
        "run_id": "r1",
        "uptime_in_seconds": 86400,
        "server_time_usec": int(time.time() * 1e6),
        "connected_clients": 20,
        "maxclients": 10000,
        "blocked_clients": 2,
        "used_memory": 20 * MIB,
        "mem_not_counted_for_evict": 0,
        "maxmemory": 256 * MIB,
        "maxmemory_policy": "noeviction",
        "total_system_memory": 8192 * MIB,
        "mem_fragmentation_ratio": "4.20",
        "mem_fragmentation_bytes": 60 * MIB,
        "rdb_changes_since_last_save": 0,
        "rdb_bgsave_in_progress": 0,
        "rdb_current_bgsave_time_sec": -1,
        "rdb_last_bgsave_time_sec": 0,
        "rdb_last_save_time": int(time.time()) - 86400,
        "rdb_last_bgsave_status": "ok",
        "aof_enabled": 1,
        "aof_last_write_status": "ok",
        "aof_last_bgrewrite_status": "ok",
        "evicted_keys": 0,
        "rejected_connections": 7,
        "expired_keys": 100,
        "expired_stale_perc": "0.10",
        "role": "master",
        "master_replid": "abc",
        "master_repl_offset": 1000,
        "repl_backlog_size": MIB,
        "connected_slaves": 1,
        "slave0": "ip=10.0.0.2,port=6379,state=online,offset=1000,lag=0",
    }
    return {**usual, **change}


class FakeNode(Node):
    """Answers from tables. ``later`` is what INFO says from the second time on. ``refused`` are names of commands, ``broken`` answers with nothing."""

    def __init__(self, found: Mapping[str, Any], *, later: Mapping[str, Any] | None = None, refused: Sequence[str] = (), broken: bool = False) -> None:
        self.username = "operations"
        self.driver = "self_managed"
        self.stranger = "NOAUTH"
        self.pong = ""
        self.users: Sequence[str] = USERS
        self.slow: list[Any] = []
        self.user = "operations"
        self.off = 0.0
        self.asked: list[str] = []
        self.found, self.later, self.refused, self.broken = [dict(found)], later, refused, broken

    def bound(self, _seconds: float) -> None:
        """Nothing to bound."""

    def answers(self, _seconds: float) -> None:
        """It does."""

    def close(self) -> None:
        """Nothing to close."""

    def call(self, *command: str | int) -> Reply:
        """As RedisSession."""
        words = [str(word) for word in command]
        self.asked.append(" ".join(words))
        if words[0] in self.refused:
            name = "|".join(words[:2]).lower() if words[0] in ("ACL", "SLOWLOG") else words[0].lower()
            error = ReplyError(f"NOPERM this user has no permissions to run the '{name}' command")
            raise RedisSession.error(type("Where", (), {"where": "Redis test:1"})(), error, command)  # type: ignore[arg-type]
        if self.broken:
            return "" if words[0] in ("PING", "INFO") else []
        return self._answer(words)

    def _answer(self, words: list[str]) -> Reply:
        if words[0] == "INFO":
            now = self.found[0]
            if self.asked.count("INFO") > 1:
                now = {**now, "server_time_usec": now["server_time_usec"] + 1_000_000, **(self.later or {})}
            return "# Server\r\n" + "".join(f"{name}:{value}\r\n" for name, value in now.items() if value is not None)
        if words[0] == "TIME":
            now_there = time.time() + self.off
            return [str(int(now_there)), str(int(now_there % 1 * 1e6))]
        table: dict[str, Reply] = {
            "PING": "PONG",
            "ACL WHOAMI": self.user,
            "ACL LIST": list(self.users),
            "ACL CAT": list(CATEGORIES),
            "SLOWLOG GET 128": self.slow,
        }
        return table[" ".join(words)] if " ".join(words) in table else list(CATEGORIES[words[2]])

    def ping(self) -> str:
        """As Node."""
        return self.pong or str(self.call("PING"))

    def calls(self, commands: Sequence[Sequence[str | int]]) -> list[Reply]:
        """As Node."""
        return [self.call(*command) for command in commands]


def look(node: FakeNode, *only: str, **options: Any) -> Run:
    """A run over the node."""
    link = Link(connect=lambda _seconds: node, answers=lambda _node, _seconds: None, close=lambda _node: None)
    return run_checks(CHECKS, link, system="redis", region="us-east-1", selection=Selection(only=only), limits=Limits(), options=options or PRIMARY)


def wrong(run: Run) -> dict[str, str]:
    """What is neither ok nor skipped."""
    return {item["id"]: item["verdict"] for item in run.items if item["verdict"] not in ("ok", "skipped")}


def item_of(run: Run, name: str) -> dict[str, Any]:
    """The one item of a check."""
    found = [item for item in run.items if item["id"] == name]
    assert len(found) == 1, found
    return found[0]
