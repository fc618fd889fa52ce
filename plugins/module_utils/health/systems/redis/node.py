# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A node as the checks see it: one connection that shows first what a stranger is answered, and INFO, asked for once.

What INFO's fields mean: https://redis.io/docs/latest/commands/info/
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ....clients.redis import RedisSession, Reply, ReplyError, dial
from ....common.errors import OpsError, Unreachable
from ...model import NoData, Session
from ...runner import Link

SYSTEM = "redis"
MANAGED = "elasticache"
PRIMARY, REPLICA = "primary", "replica"
# What a primary answers even to PING while it can save nothing and therefore takes no writes.
MISCONFIGURED = "MISCONF"
_ROLES = {"master": PRIMARY, "slave": REPLICA}


def grant(*commands: str) -> tuple[str, ...]:
    """How the right to run these commands is given."""
    return (f"ACL SETUSER <user> {' '.join(f'+{command}' for command in commands)}",)


class Info:
    """The fields of INFO. One that is missing raises NoData."""

    def __init__(self, text: str) -> None:
        pairs = (line.partition(":") for line in text.splitlines() if line and not line.startswith("#"))
        self._fields = {name: value.strip() for name, separator, value in pairs if separator}
        if not self._fields:
            raise NoData("INFO answered with nothing")

    def __getitem__(self, name: str) -> str:
        if name not in self._fields:
            raise NoData(f"INFO has no field {name}; this server does not tell it")
        return self._fields[name]

    def __contains__(self, name: str) -> bool:
        return name in self._fields

    def get(self, name: str) -> str | None:
        """A field that may be missing."""
        return self._fields.get(name)

    def number(self, name: str) -> float:
        """A field that is a number. Raises NoData if it is missing or something else."""
        try:
            return float(self[name])
        except ValueError as error:
            raise NoData(f"INFO's field {name} is no number: {self[name][:40]}") from error

    @property
    def role(self) -> str:
        """PRIMARY or REPLICA."""
        return _ROLES.get(self["role"], self["role"])

    @property
    def now(self) -> float:
        """The server's time when it answered, in seconds since 1970."""
        return self.number("server_time_usec") / 1e6


def ping(session: RedisSession, *codes: str) -> str:
    """What PING is answered with; errors with these codes are answers, too. Raises OpsError for any other error."""
    answer = session.pipeline([("PING",)])[0]
    if isinstance(answer, ReplyError):
        if answer.code not in codes:
            raise session.error(answer, ("PING",))
        return answer.code
    return str(answer)


class Node:
    """One node, logged in. ``stranger`` is what it answered to PING before that. ``driver``: see connection_redis."""

    def __init__(self, connection: Mapping[str, Any], seconds: float) -> None:
        self._connection = connection
        self.driver = str(connection.get("driver") or "self_managed")
        self.username = str(connection.get("username") or "default")
        self.stranger = ""
        self._open = False
        self._session = self._connect(seconds)

    def _connect(self, seconds: float) -> RedisSession:
        session = dial(self._connection, seconds)
        try:
            self.stranger = ping(session, "NOAUTH", "NOPERM", MISCONFIGURED)
            if self._connection.get("password"):
                session.call("AUTH", self.username, str(self._connection["password"]))
            ping(session, MISCONFIGURED)
        except OpsError:
            session.close()
            raise
        self._open = True
        return session

    @property
    def where(self) -> str:
        """How messages call it."""
        return self._session.where

    @property
    def managed(self) -> bool:
        """Whether AWS keeps its users and files."""
        return self.driver == MANAGED

    def bound(self, seconds: float) -> None:
        """Answers have so long to come."""
        self._session.bound(seconds)

    def answers(self, seconds: float) -> None:
        """Make sure that it answers; a connection that was given up is opened again. Raises OpsError."""
        if not self._open:
            self._session = self._connect(seconds)
        self._session.bound(seconds)
        self.ping()

    def ping(self) -> str:
        """PONG, or MISCONFIGURED from a node that answers and refuses all writes. Raises OpsError."""
        try:
            return ping(self._session, MISCONFIGURED)
        except Unreachable:
            self._open = False
            raise

    def call(self, *command: str | int) -> Reply:
        """See RedisSession."""
        try:
            return self._session.call(*command)
        except Unreachable:
            self._open = False
            raise

    def calls(self, commands: Sequence[Sequence[str | int]]) -> list[Reply]:
        """The answers to all commands, sent in one go. Raises AccessDenied, Unreachable, OpsError for the first that is refused."""
        try:
            replies = self._session.pipeline(commands)
        except Unreachable:
            self._open = False
            raise
        for command, reply in zip(commands, replies, strict=True):
            if isinstance(reply, ReplyError):
                raise self._session.error(reply, command)
        return replies

    def info(self) -> Info:
        """All default sections."""
        return Info(str(self.call("INFO") or ""))

    def close(self) -> None:
        """End the session."""
        self._session.close()


def info(session: Session[Node]) -> Info:
    """INFO of the run's beginning. With it goes what comparisons need to know of this node."""

    def read(node: Node) -> Info:
        found = node.info()
        session.facts["node"] = {
            "version": found.get("redis_version"),
            "role": found.role,
            "replication_id": found.get("master_replid"),
            "link": found.get("master_link_status"),
            "settings": {name: found[name] for name in ("maxmemory", "maxmemory_policy", "maxclients", "aof_enabled") if name in found},
        }
        return found

    return session.once("info", read)


def link(connection: Mapping[str, Any]) -> Link[Node]:
    """How the runner reaches a node. ``connection``: see connection_redis."""
    return Link(
        connect=lambda seconds: Node(connection, seconds),
        answers=lambda node, seconds: node.answers(seconds),
        limit=lambda node, seconds: node.bound(seconds),
        close=lambda node: node.close(),
    )
