# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The bounded client on real servers: nothing takes longer, is bigger or leads further than it says."""

from __future__ import annotations

import base64
import gzip
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from ansible_collections.leanvibe.ops.plugins.module_utils.clients import web
from ansible_collections.leanvibe.ops.plugins.module_utils.clients.web import Web
from ansible_collections.leanvibe.ops.plugins.module_utils.common.errors import OpsError, Unreachable

Answering = Callable[[BaseHTTPRequestHandler], None]


def plain(status: int, body: bytes, **headers: str) -> Answering:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    return answer


def dripping(handler: BaseHTTPRequestHandler) -> None:
    """A byte every tenth of a second: each of them is in time."""
    handler.send_response(200)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    for _ in range(30):
        handler.wfile.write(b"x")
        time.sleep(0.1)


@pytest.fixture
def server() -> Iterator[dict[str, Any]]:
    """``answers`` are by path; ``asked`` are the requests with their headers and bodies."""
    script: dict[str, Any] = {"answers": {}, "asked": []}

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            script["asked"].append((self.command, self.path, dict(self.headers), body))
            try:
                script["answers"][self.path](self)
            except OSError:
                self.close_connection = True

        def do_POST(self) -> None:
            self.do_GET()

        def log_message(self, *_words: Any) -> None:
            """Nothing is logged."""

    listening = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    listening.daemon_threads = True
    threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    script["base"] = f"http://127.0.0.1:{listening.server_address[1]}"
    yield script
    listening.shutdown()
    listening.server_close()


def test_what_is_sent_and_what_comes_back(server: dict[str, Any]) -> None:
    server["answers"]["/a"] = plain(503, b'{"a": 1}', Content_Type="Application/JSON; charset=utf-8")
    client = Web(server["base"] + "/", 2.0)
    answer = client.request("POST", "/a", body={"b": 2}, token="t0ken")
    method, path, headers, body = server["asked"][0]
    assert (method, path, headers["Authorization"], headers["Content-Type"], body) == ("POST", "/a", "Bearer t0ken", "application/json", b'{"b": 2}')
    assert (answer.status, answer.body, answer.content_type) == (503, b'{"a": 1}', "application/json")
    assert answer.where == f"POST {server['base']}/a"
    assert 0 < answer.seconds < 2
    client.close()


def test_name_and_password_are_sent_as_basic_authentication(server: dict[str, Any]) -> None:
    server["answers"]["/a"] = plain(200, b"")
    client = Web(server["base"], 2.0)
    client.request("GET", "/a", login=("health", "pässword:1"))
    client.request("GET", "/a")
    given = [headers.get("Authorization") for _method, _path, headers, _body in server["asked"]]
    assert given[1] is None
    assert base64.b64decode(str(given[0]).removeprefix("Basic ")).decode() == "health:pässword:1"
    client.close()


@pytest.mark.parametrize("packed", [False, True])
def test_an_answer_in_pieces_comes_whole(server: dict[str, Any], packed: bool) -> None:
    content = b"0123456789" * 20000
    sent = gzip.compress(content) if packed else content

    def pieces(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Transfer-Encoding", "chunked")
        if packed:
            handler.send_header("Content-Encoding", "gzip")
        handler.end_headers()
        for start in range(0, len(sent), 70000):
            piece = sent[start : start + 70000]
            handler.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
        handler.wfile.write(b"0\r\n\r\n")

    server["answers"] = {"/": pieces, "/b": plain(200, b"the next")}
    client = Web(server["base"], 5.0)
    assert client.request("GET", "/").body == content
    assert client.request("GET", "/b").body == b"the next"  # on the same connection


def test_a_whole_address_is_asked_elsewhere(server: dict[str, Any]) -> None:
    server["answers"]["/b"] = plain(200, b"there")
    assert Web("http://127.0.0.1:1", 2.0).request("GET", server["base"] + "/b").body == b"there"


def test_nobody_is_followed_elsewhere(server: dict[str, Any]) -> None:
    server["answers"] = {"/a": plain(302, b"", Location="/b"), "/b": plain(200, b"no")}
    answer = Web(server["base"], 2.0).request("GET", "/a", token="t0ken")
    assert answer.status == 302
    assert [path for _method, path, _headers, _body in server["asked"]] == ["/a"]


@pytest.mark.parametrize("answer", [lambda _handler: time.sleep(3), dripping], ids=["silent", "dripping"])
def test_what_takes_too_long_ends(server: dict[str, Any], answer: Answering) -> None:
    server["answers"]["/"] = answer
    began = time.monotonic()
    with pytest.raises(Unreachable, match=r"0\.5 s"):
        Web(server["base"], 0.5).request("GET", "/")
    assert time.monotonic() - began < 1.3


def test_what_is_too_big_is_not_read(server: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web, "MOST_BYTES", 2**20)
    server["answers"]["/"] = plain(200, b"x" * (3 * 2**20))
    with pytest.raises(OpsError, match="more than 1 MiB"):
        Web(server["base"], 5.0).request("GET", "/")


def test_nobody_there_half_an_answer_and_no_tls(server: dict[str, Any]) -> None:
    with pytest.raises(Unreachable, match="no answer"):
        Web("http://127.0.0.1:1", 1.0).request("GET", "/")
    with pytest.raises(Unreachable, match="not accepted"):
        Web(server["base"].replace("http", "https"), 1.0).request("GET", "/")

    def half(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "100")
        handler.end_headers()
        handler.wfile.write(b"half")
        handler.close_connection = True

    server["answers"]["/"] = half
    with pytest.raises(Unreachable):
        Web(server["base"], 1.0).request("GET", "/")


def test_an_address_must_be_one() -> None:
    for wrong in ("localhost:80", "ftp://host", "", "https://"):
        with pytest.raises(OpsError, match="no address"):
            Web(wrong, 1.0)
    assert Web("https://host", 1.0).tls == ("host", 443)
    assert Web("http://host", 1.0).tls is None
