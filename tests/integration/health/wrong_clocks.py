# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Servers whose clock is wrong.

Programs that ask the C library for the time of day are told another one by libfaketime (their monotonic clock stays). Go's programs ask the kernel, which has
one time of day for all: before these stands a proxy that changes every time which the server itself tells, and nothing behind it.
"""

from __future__ import annotations

import json
import re
import ssl
import threading
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime, parsedate_to_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import urllib3
from extra_programs import program

SECONDS = "%Y-%m-%dT%H:%M:%S"
_TIME = re.compile(rb'((?<!"renewTime"):\s*")(2\d{3}-\d\d-\d\dT\d\d:\d\d:\d\d)')
KEPT = ("host", "authorization", "accept", "content-type", "x-amz-date", "x-amz-content-sha256")


def moment(text: str) -> datetime:
    return datetime.strptime(text, SECONDS).replace(tzinfo=UTC)


def clock(seconds: float) -> dict[str, str]:
    """The environment of a process whose clock is so far ahead."""
    program("faketime")
    (library,) = Path("/usr/lib").glob("*/faketime/libfaketime.so.1")
    # libfaketime needs memory before it is ready, and another allocator than glibc's (Redis' jemalloc) asks for the time before it is.
    return {"LD_PRELOAD": f"{library} libc.so.6", "FAKETIME": f"{seconds:+g}s", "FAKETIME_DONT_FAKE_MONOTONIC": "1", "FAKETIME_DONT_RESET": "1"}


class Proxy:
    """Stands before an HTTP server and tells times that are ``ahead`` seconds later. ``pair`` is its certificate and key if it is to speak TLS itself."""

    def __init__(self, upstream: str, ahead: float, pair: tuple[str, str] | None = None, **tls: Any) -> None:
        self.ahead = ahead
        told, base = self, upstream.rstrip("/")
        pool = urllib3.PoolManager(retries=False, timeout=20.0, **tls)

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                headers = {name: value for name, value in self.headers.items() if name.lower() in KEPT}
                answer = pool.request(self.command, base + self.path, headers=headers, redirect=False)
                body = told.later(self.path, answer.data)
                self.send_response_only(answer.status)
                for name, value in answer.headers.items():
                    if name.lower() == "date":
                        self.send_header(name, format_datetime(parsedate_to_datetime(value) + timedelta(seconds=told.ahead), usegmt=True))
                    elif name.lower() not in ("content-length", "transfer-encoding", "connection", "content-encoding"):
                        self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body if self.command != "HEAD" else b"")

            def do_HEAD(self) -> None:
                self.do_GET()

            def log_message(self, *_words: Any) -> None:
                """Nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        if pair is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*pair)
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.url = f"{'http' if pair is None else 'https'}://localhost:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def later(self, path: str, body: bytes) -> bytes:
        """Times in JSON, and Prometheus' answer to ``time()``. Leases are renewed by others' clocks, and the year 1 means never."""
        if urlsplit(path).query == "query=time()":
            answer = json.loads(body)
            answer["data"]["result"][1] = str(float(answer["data"]["result"][1]) + self.ahead)
            return json.dumps(answer).encode()
        return _TIME.sub(lambda found: found[1] + (moment(found[2].decode()) + timedelta(seconds=self.ahead)).strftime(SECONDS).encode(), body)

    def end(self) -> None:
        self._server.shutdown()
        self._server.server_close()
