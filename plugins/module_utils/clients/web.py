# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bounded requests over HTTP(S): in time and in size, without repetitions, without following anybody elsewhere."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from ..common.errors import OpsError, Unreachable
from ..common.lazy import LazyModule

if TYPE_CHECKING:
    import urllib3
else:
    urllib3 = LazyModule("urllib3")

MOST_BYTES = 8 * 2**20


@dataclass(frozen=True)
class Answer:
    """What came back. ``where`` is the request in words, ``seconds`` is the time until the last byte; names of headers are in lower case."""

    where: str
    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    seconds: float = 0.0

    @property
    def content_type(self) -> str:
        """Without its parameters."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()


def _basic(name: str, password: str) -> str:
    return f"Basic {base64.b64encode(f'{name}:{password}'.encode()).decode()}"


class NotTrusted(Unreachable):
    """There is somebody, whose certificate or TLS is not accepted. Nothing was sent."""


class Web:
    """One address. ``seconds`` bounds each request as a whole and may be changed between them. Certificates must be signed by ``ca_file``, or else by whom
    the system trusts. ``pool`` is urllib3's."""

    def __init__(self, base: str, seconds: float, ca_file: str | None = None, pool: urllib3.PoolManager | None = None) -> None:
        parts = urlsplit(base)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise OpsError(f"{base!r} is no address of the form https://host[:port]")
        self.base = base.rstrip("/")
        self.seconds = seconds
        self.ca_file = ca_file
        self._pool = pool or urllib3.PoolManager(num_pools=2, ca_certs=ca_file, cert_reqs="CERT_REQUIRED")

    @property
    def tls(self) -> tuple[str, int] | None:
        """Host and port of the certificate; None if there is none."""
        parts = urlsplit(self.base)
        return (str(parts.hostname), parts.port or 443) if parts.scheme == "https" else None

    def request(self, method: str, path: str, body: object = None, token: str = "", login: tuple[str, str] | None = None) -> Answer:
        """Send one request; ``path`` may be a whole address elsewhere, ``body`` goes as JSON. Every status is an answer. Raises Unreachable, OpsError.

        ``token`` is sent as bearer token, or ``login`` (name, password) as basic authentication.
        """
        headers = {"Accept": "application/json, */*;q=0.1"}
        headers |= {"Content-Type": "application/json"} if body is not None else {}
        headers |= {"Authorization": f"Bearer {token}"} if token else {"Authorization": _basic(*login)} if login else {}
        url = path if "://" in path else self.base + path
        where = f"{method} {url}"
        began = time.monotonic()
        try:
            response = self._pool.request(
                method, url, body=None if body is None else json.dumps(body).encode(), headers=headers, retries=False, redirect=False,
                preload_content=False, timeout=urllib3.Timeout(total=self.seconds),
            )  # fmt: skip
            try:
                content = self._read(response, where, began)
            except BaseException:
                response.close()
                raise
            response.release_conn()
        except (urllib3.exceptions.HTTPError, OSError) as error:
            kind = NotTrusted if isinstance(error, urllib3.exceptions.SSLError) else Unreachable
            raise kind(f"{where}: {self._why(error)}") from error
        named = {name.lower(): value for name, value in response.headers.items()}
        return Answer(where, response.status, content, named, time.monotonic() - began)

    def _read(self, response: urllib3.BaseHTTPResponse, where: str, began: float) -> bytes:
        content = bytearray()
        while part := response.read1(65536):
            content += part
            if len(content) > MOST_BYTES:
                raise OpsError(f"{where}: more than {MOST_BYTES >> 20} MiB came, and the rest was not read")
            if time.monotonic() - began > self.seconds:
                raise Unreachable(f"{where}: the answer did not end within {self.seconds:g} s")
        return bytes(content)

    def _why(self, error: Exception) -> str:
        if isinstance(error, urllib3.exceptions.SSLError):
            return f"its certificate or TLS is not accepted ({error})"
        if isinstance(error, urllib3.exceptions.TimeoutError) and not isinstance(error, urllib3.exceptions.NewConnectionError):
            return f"no answer within {self.seconds:g} s"
        return f"no answer ({error})" if str(error) else f"no answer ({type(error).__name__})"

    def close(self) -> None:
        """Close all connections."""
        self._pool.clear()
