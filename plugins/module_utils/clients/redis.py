# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A session with one Redis node for administration: connect, log in, send commands in one go, map errors.

Speaks RESP2 (https://redis.io/docs/latest/develop/reference/protocol-spec/) itself: importing the redis package takes longer (0.45 s of CPU, mostly
asyncio and cluster support) than all that is done here for hundreds of tenants.
"""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

from ..common.errors import AccessDenied, OpsError, Unreachable

Reply: TypeAlias = "str | int | list[Reply] | ReplyError | None"

# Documented by leanvibe.ops.connection_redis.
CONNECTION: dict[str, Any] = {
    "driver": {"type": "str", "default": "self_managed", "choices": ["self_managed", "elasticache"]},
    "host": {"type": "str"},
    "port": {"type": "int", "default": 6379},
    "username": {"type": "str", "default": "default"},
    "password": {"type": "str", "no_log": True},
    "tls": {"type": "bool", "default": False},
    "ca_file": {"type": "path"},
    "user_group_id": {"type": "str"},
    "region": {"type": "str"},
    "endpoint_url": {"type": "str"},
    "access_key": {"type": "str", "no_log": False},
    "secret_key": {"type": "str", "no_log": True},
    "session_token": {"type": "str", "no_log": True},
}

_DENIED = ("NOAUTH", "WRONGPASS", "NOPERM")
_BUSY = ("LOADING", "BUSY", "MASTERDOWN")


class ReplyError(Exception):
    """An error that Redis answered to one command. ``code`` is its first word, for example NOPERM."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.code = text.split(" ", 1)[0]


class RedisSession:
    """One connection to one node. Not thread-safe. Every method raises Unreachable if the node does not answer within ``timeout`` seconds."""

    def __init__(self, stream: socket.socket, where: str, timeout: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.where = where
        self.requests = 0
        self._socket = stream
        self._timeout = timeout
        self._clock = clock
        self._deadline = 0.0
        self._buffer = bytearray()

    def __enter__(self) -> RedisSession:
        return self

    def __exit__(self, *_unused: object) -> None:
        self.close()

    def close(self) -> None:
        """End the session."""
        self._socket.close()

    def bound(self, seconds: float) -> None:
        """From now on, answers have ``seconds`` to come."""
        self._timeout = seconds

    def call(self, *command: str | int) -> Reply:
        """Send one command. Raises AccessDenied, Unreachable, or OpsError for any other error that Redis answers."""
        reply = self.pipeline([command])[0]
        if isinstance(reply, ReplyError):
            raise self.error(reply, command)
        return reply

    def pipeline(self, commands: Sequence[Sequence[str | int]]) -> list[Reply]:
        """Send all commands, then read all answers, in order. An error answer is a ReplyError in the list, nothing is raised for it."""
        self._deadline = self._clock() + self._timeout
        self.requests += len(commands)
        try:
            self._arm()
            self._socket.sendall(b"".join(_encode(command) for command in commands))
            return [self._read() for _command in commands]
        except (OSError, EOFError, ValueError) as error:
            self.close()
            raise Unreachable(f"{self.where} did not answer {_name(commands[0])} within {self._timeout:g} s: {error}") from error

    def error(self, reply: ReplyError, command: Sequence[str | int]) -> OpsError:
        """What an error answer means. Only the command's name is shown: arguments may be secret."""
        name = _name(command)
        if reply.code in _DENIED:
            return AccessDenied(f"{self.where} refuses {name}: {reply}. The account needs the right to run it, or its name and password are wrong.")
        if reply.code in _BUSY:
            return Unreachable(f"{self.where} is not ready: {reply}")
        return OpsError(f"{self.where} answered to {name}: {reply}")

    def _arm(self) -> None:
        left = self._deadline - self._clock()
        if left <= 0:
            raise TimeoutError("timed out")
        self._socket.settimeout(left)

    def _more(self) -> None:
        self._arm()
        data = self._socket.recv(262144)
        if not data:
            raise EOFError("the connection was closed")
        self._buffer += data

    def _line(self) -> bytes:
        while True:
            end = self._buffer.find(b"\r\n")
            if end >= 0:
                line = bytes(self._buffer[:end])
                del self._buffer[: end + 2]
                return line
            self._more()

    def _read(self) -> Reply:
        line = self._line()
        kind, rest = line[:1], line[1:]
        if kind == b"+":
            return _text(rest)
        if kind == b"-":
            return ReplyError(_text(rest))
        if kind == b":":
            return int(rest)
        if kind == b"$":
            return self._bulk(int(rest))
        if kind == b"*":
            return None if int(rest) < 0 else [self._read() for _unused in range(int(rest))]
        raise ValueError("this is not the Redis protocol (is the port TLS, or is it another service?)")

    def _bulk(self, length: int) -> str | None:
        if length < 0:
            return None
        while len(self._buffer) < length + 2:
            self._more()
        text = _text(bytes(self._buffer[:length]))
        del self._buffer[: length + 2]
        return text


def _encode(command: Sequence[str | int]) -> bytes:
    parts = [str(part).encode("utf-8", "surrogateescape") for part in command]
    return b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%b\r\n" % (len(part), part) for part in parts)


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


def _name(command: Sequence[str | int]) -> str:
    """A command's name as it may be shown, e.g. ``ACL SETUSER``."""
    words = 2 if str(command[0]) in ("ACL", "CLIENT", "CONFIG", "COMMAND", "MEMORY") else 1
    return " ".join(str(word) for word in command[:words])


def dial(connection: Mapping[str, Any], timeout: float) -> RedisSession:
    """Open a session without logging in. ``connection``: see CONNECTION. Raises Unreachable, OpsError."""
    host, port = str(connection.get("host") or ""), int(connection.get("port") or 6379)
    if not host:
        raise OpsError("connection.host is missing: name the Redis node (one call of the module per node, ACLs do not replicate)")
    where = f"Redis {host}:{port}"
    try:
        stream = socket.create_connection((host, port), timeout=timeout)
        if connection.get("tls"):
            context = ssl.create_default_context(cafile=connection.get("ca_file") or None)
            stream = context.wrap_socket(stream, server_hostname=host)
        stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    except ssl.SSLCertVerificationError as error:
        raise Unreachable(f"{where}: its certificate is not accepted: {error.verify_message}. Name the signing certificate in connection.ca_file.") from error
    except OSError as error:
        raise Unreachable(f"{where} cannot be reached: {error}") from error
    return RedisSession(stream, where, timeout)


def connect(connection: Mapping[str, Any], timeout: float) -> RedisSession:
    """Open a session and log in. ``connection``: see CONNECTION. Raises Unreachable, AccessDenied."""
    session = dial(connection, timeout)
    try:
        if connection.get("password"):
            session.call("AUTH", str(connection.get("username") or "default"), str(connection["password"]))
        session.call("PING")
    except OpsError:
        session.close()
        raise
    return session
