# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Redis session against a server that is played by the test, byte for byte."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import pytest
from ansible_collections.leanvibe.ops.plugins.module_utils.clients.redis import RedisSession, ReplyError, connect
from ansible_collections.leanvibe.ops.plugins.module_utils.common.errors import AccessDenied, OpsError, Unreachable


@pytest.fixture
def pair() -> Iterator[tuple[RedisSession, socket.socket]]:
    ours, theirs = socket.socketpair()
    with RedisSession(ours, "Redis test:1", timeout=0.5) as session, theirs:
        yield session, theirs


def test_commands_are_sent_as_arrays_of_bulk_strings(pair: tuple[RedisSession, socket.socket]) -> None:
    session, server = pair
    server.sendall(b"+PONG\r\n:3\r\n")
    assert session.pipeline([("PING",), ("DEL", "ä", 1)]) == ["PONG", 3]
    assert server.recv(1000) == b"*1\r\n$4\r\nPING\r\n*3\r\n$3\r\nDEL\r\n$2\r\n\xc3\xa4\r\n$1\r\n1\r\n"
    assert session.requests == 2


def test_answers_of_every_kind_are_read_even_in_pieces(pair: tuple[RedisSession, socket.socket]) -> None:
    session, server = pair
    answer = b"*6\r\n$5\r\na\r\nbc\r\n$-1\r\n*0\r\n*-1\r\n:-7\r\n-ERR no\r\n"

    def slowly() -> None:
        for byte in answer:
            server.sendall(bytes([byte]))

    thread = threading.Thread(target=slowly)
    thread.start()
    reply = session.call("X")
    thread.join()
    assert isinstance(reply, list)
    assert reply[:5] == ["a\r\nbc", None, [], None, -7]
    assert isinstance(reply[5], ReplyError)
    assert reply[5].code == "ERR"


def test_an_error_in_a_pipeline_is_an_answer_and_in_a_call_an_exception(pair: tuple[RedisSession, socket.socket]) -> None:
    session, server = pair
    server.sendall(b"-NOPERM no\r\n+OK\r\n-NOPERM no\r\n-LOADING wait\r\n-ERR syntax\r\n")
    first, second = session.pipeline([("ACL", "SETUSER", "x", "#secret"), ("PING",)])
    assert isinstance(first, ReplyError)
    assert second == "OK"
    with pytest.raises(AccessDenied, match="ACL LIST: NOPERM"):
        session.call("ACL", "LIST")
    with pytest.raises(Unreachable, match="not ready"):
        session.call("PING")
    with pytest.raises(OpsError, match="ERR syntax") as error:
        session.call("ACL", "SETUSER", "#secret")
    assert "secret" not in error.value.message


@pytest.mark.parametrize("answer", [b"", b"$100\r\nabc", b"HTTP/1.1 400 Bad Request\r\n\r\n"])
def test_silence_half_an_answer_and_another_protocol_are_unreachable(pair: tuple[RedisSession, socket.socket], answer: bytes) -> None:
    session, server = pair
    server.sendall(answer)
    with pytest.raises(Unreachable, match="did not answer PING"):
        session.call("PING")


def test_a_closed_connection_is_unreachable(pair: tuple[RedisSession, socket.socket]) -> None:
    session, server = pair
    server.close()
    with pytest.raises(Unreachable):
        session.call("PING")


def test_the_time_out_is_for_the_whole_answer() -> None:
    ours, theirs = socket.socketpair()
    ticks = iter([0.0, 0.1, 0.2, 0.3, 99.0])
    with RedisSession(ours, "Redis test:1", timeout=1, clock=lambda: next(ticks)) as session, theirs:
        theirs.sendall(b"*2\r\n")
        with pytest.raises(Unreachable):
            session.call("PING")


def serve(listener: socket.socket, answer: bytes) -> None:
    client, _address = listener.accept()
    with client:
        client.recv(1000)
        client.sendall(answer)
        client.recv(1000)


def test_a_wrong_password_is_denied_and_never_shown() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, args=(listener, b"-WRONGPASS invalid username-password pair\r\n"))
        thread.start()
        with pytest.raises(AccessDenied, match="WRONGPASS") as error:
            connect({"host": "127.0.0.1", "port": listener.getsockname()[1], "username": "operations", "password": "hunter2"}, timeout=2)
        thread.join()
    assert "hunter2" not in error.value.message


def test_nobody_listening_and_no_host_say_what_to_do() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(Unreachable, match=f"127.0.0.1:{port} cannot be reached"):
        connect({"host": "127.0.0.1", "port": port}, timeout=1)
    with pytest.raises(OpsError, match=r"connection\.host is missing"):
        connect({}, timeout=1)
