# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A primary and a replica of the same program and configuration as the sandbox's, in a folder of the test's own: they can be broken without harming anybody."""

from __future__ import annotations

import hashlib
import os
import secrets
import signal
import socket
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil
import redis
from ansible_collections.leanvibe.ops.plugins.module_utils.health.results import Run
from ansible_collections.leanvibe.ops.plugins.module_utils.health.systems.redis_rights import READ_ONLY_RULES
from module_runs import EAST, WEST, compared, eventually, look

MIB = 1024 * 1024
OPTIONS: dict[str, dict[str, Any]] = {
    EAST: {"role": "primary", "replicas": 1, "snapshot_seconds": 3600},
    WEST: {"role": "replica", "replicas": 0, "snapshot_seconds": 3600},
}


def server_program(data: str) -> str:
    """The program that the sandbox's servers run."""
    for process in psutil.process_iter(["cmdline"]):
        words = process.info["cmdline"] or []
        if any(word.startswith(data) and word.endswith("redis.conf") for word in words):
            return str(words[0])
    raise AssertionError("no Redis of the sandbox is running; bring it up: make sandbox-up")


class Node:
    """One server."""

    def __init__(self, program: str, folder: Path, passwords: dict[str, str], source: int | None = None) -> None:
        self.program, self.folder, self.passwords = program, folder, passwords
        with socket.create_server(("127.0.0.1", 0)) as listener:
            self.port = int(listener.getsockname()[1])
        self.data = folder / "data"
        self.data.mkdir(parents=True)
        self.acl_file = folder / "users.acl"
        hashed = {name: hashlib.sha256(password.encode()).hexdigest() for name, password in passwords.items()}
        self.acl_file.write_text(
            f"user default off resetkeys resetchannels -@all\nuser operations on #{hashed['operations']} ~* &* +@all\n"
            f"user health on #{hashed['health']} {READ_ONLY_RULES}\n",
            encoding="utf-8",
        )
        values: list[tuple[str, object]] = [
            ("bind", "127.0.0.1"),
            ("port", self.port),
            ("dir", self.data),
            ("aclfile", self.acl_file),
            ("appendonly", "yes"),
            ("maxmemory", 256 * MIB),
            ("maxmemory-policy", "noeviction"),
            ("masteruser", "operations"),
            ("masterauth", passwords["operations"]),
            ("repl-timeout", 30),
            ("repl-ping-replica-period", 2),
            ("repl-diskless-sync-delay", 0),
            ("shutdown-timeout", 0),
        ]
        if source is not None:
            values.append(("replicaof", f"127.0.0.1 {source}"))
        (folder / "redis.conf").write_text("".join(f"{name} {value}\n" for name, value in values), encoding="utf-8")
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, environment: Mapping[str, str] | None = None) -> None:
        """``environment``: variables besides ours."""
        given = {**os.environ, **(environment or {})}
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen([self.program, str(self.folder / "redis.conf")], stdout=log, stderr=log, cwd=self.folder, env=given)
        eventually(self.answers, f"Redis in {self.folder}")

    def stop(self) -> None:
        if self.process is not None:
            self.process.send_signal(signal.SIGCONT)
            self.process.kill()
            self.process.wait(10)
            self.process = None

    def answers(self) -> bool:
        with suppress(redis.RedisError), self.client() as client:
            return bool(client.ping())
        return False

    def client(self, username: str = "operations") -> Any:
        return redis.Redis(
            host="127.0.0.1",
            port=self.port,
            username=username,
            password=self.passwords[username],
            socket_timeout=10,
            decode_responses=True,
            single_connection_client=True,
        )

    def connection(self, username: str = "health") -> dict[str, Any]:
        return {"host": "127.0.0.1", "port": self.port, "username": username, "password": self.passwords[username]}

    @contextmanager
    def settings(self, **changed: Any) -> Iterator[None]:
        """Other settings, for a while."""
        with self.client() as client:
            before = {name: client.config_get(name.replace("_", "-"))[name.replace("_", "-")] for name in changed}
            try:
                for name, value in changed.items():
                    client.config_set(name.replace("_", "-"), value)
                yield
            finally:
                for name, value in before.items():
                    client.config_set(name.replace("_", "-"), value)

    def info(self, section: str) -> dict[str, Any]:
        with self.client() as client:
            return dict(client.info(section))


class Pair:
    """The primary stands for us-east-1, the replica for us-west-2."""

    def __init__(self, program: str, folder: Path) -> None:
        self.folder, self.program = folder, program
        self.passwords = {name: secrets.token_hex(16) for name in ("operations", "health")}
        self.primary = Node(program, folder / "primary", self.passwords)
        self.replica = Node(program, folder / "replica", self.passwords, self.primary.port)

    def start(self) -> None:
        for node in (self.primary, self.replica):
            if node.process is None:
                node.start()
        eventually(self.whole, "the replication of the pair")

    def whole(self) -> bool:
        """Whether the replica follows, with all that was written."""
        try:
            primary, replica = self.primary.info("replication"), self.replica.info("replication")
        except redis.RedisError:
            return False
        return (
            replica.get("master_link_status") == "up"
            and primary.get("connected_slaves") == 1
            and primary["slave0"]["state"] == "online"
            and primary["slave0"]["lag"] <= 1
            and primary["master_repl_offset"] - primary["slave0"]["offset"] < 1000
        )

    def stop(self) -> None:
        for node in (self.primary, self.replica):
            node.stop()

    def node(self, region: str) -> Node:
        return self.primary if region == EAST else self.replica

    def look(self, region: str, **arguments: Any) -> Run:
        node = self.node(region)
        options = {**OPTIONS[region], "acl_file": str(node.acl_file), **arguments.pop("options", {})}
        return look("redis", region, node.connection(), options=options, **arguments)

    def both(self, **arguments: Any) -> list[dict[str, Any]]:
        runs = [self.look(region, **arguments) for region in (EAST, WEST)]
        return [*(item for run in runs for item in run.items), *compared(runs)]


def pause(node: Node, paused: bool) -> None:
    """Stop a server as a whole, or let it go on."""
    assert node.process is not None
    os.kill(node.process.pid, signal.SIGSTOP if paused else signal.SIGCONT)
