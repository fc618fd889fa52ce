# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Signed requests to an S3-compatible store over HTTPS: a connection per thread that is kept, time-outs, repetitions, errors."""

from __future__ import annotations

import http.client
import ssl
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit
from xml.etree import ElementTree

from ..common.errors import AccessDenied, OpsError, Unreachable
from .sigv4 import Signer, canonical_path, canonical_query

# Documented by leanvibe.ops.connection_object_store.
CONNECTION: dict[str, Any] = {
    "driver": {"type": "str", "default": "versitygw", "choices": ["versitygw", "aws"]},
    "endpoint": {"type": "str"},
    "region": {"type": "str", "required": True},
    "access_key": {"type": "str", "no_log": False},
    "secret_key": {"type": "str", "no_log": True},
    "session_token": {"type": "str", "no_log": True},
    "ca_file": {"type": "path"},
    "endpoint_url": {"type": "str"},
}

_DENIED = frozenset({"AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch", "XAdminAccessDenied"})
_AGAIN = frozenset({429, 500, 502, 503, 504})
FIRST_PAUSE_SECONDS = 0.1


class S3Error(OpsError):
    """The store refused a request. ``code`` is S3's error code, for example ``NoSuchBucketPolicy``."""

    def __init__(self, message: str, code: str, status: int) -> None:
        super().__init__(message, code=code, status=status)
        self.code = code
        self.status = status


@dataclass(frozen=True)
class Answer:
    """An answer with a status below 300."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def xml(self) -> ElementTree.Element:
        """The body, without namespaces. Raises OpsError if it is not XML."""
        return parse_xml(self.body)


def parse_xml(body: bytes) -> ElementTree.Element:
    """Read XML and drop namespaces. Raises OpsError."""
    try:
        root = ElementTree.fromstring(body)  # noqa: S314 - from our own store; expat 2.4.1 and newer stops entity expansion
    except ElementTree.ParseError as error:
        raise OpsError(f"the object store answered something that is not XML ({error})") from error
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
    return root


class S3Client:
    """One endpoint and one key. Safe for threads; ``requests`` counts requests sent, repetitions included."""

    def __init__(self, endpoint: str, region: str, access_key: str, secret_key: str, ca_file: str | None, timeout: float) -> None:
        parts = urlsplit(endpoint)
        if parts.scheme != "https" or not parts.hostname:
            raise OpsError(f"the object store's endpoint {endpoint!r} is not https://host[:port]: keys and data do not travel in clear")
        self.where = f"object store {parts.netloc}"
        self.requests = 0
        self._host, self._port, self._netloc = parts.hostname, parts.port or 443, parts.netloc
        self._signer = Signer(access_key, secret_key, region)
        self._timeout = timeout
        try:
            self._tls = ssl.create_default_context(cafile=ca_file or None)
        except OSError as error:
            raise OpsError(f"the certificates in {ca_file} cannot be read: {error}") from error
        self._local = threading.local()
        self._open: list[http.client.HTTPSConnection] = []
        self._lock = threading.Lock()

    @property
    def timeout(self) -> float:
        """Seconds that one request may take, repetitions included; may be set between requests."""
        return self._timeout

    @timeout.setter
    def timeout(self, seconds: float) -> None:
        self._timeout = seconds

    def __enter__(self) -> S3Client:
        return self

    def __exit__(self, *_unused: object) -> None:
        with self._lock:
            for connection in self._open:
                connection.close()
            self._open.clear()

    def request(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
    ) -> Answer:
        """Send a request that may be repeated without harm. ``headers``: names in lower case.

        Raises S3Error, AccessDenied, Unreachable. A broken connection and answers that ask for patience are tried again within the time-out.
        """
        deadline = time.monotonic() + self._timeout
        pause = FIRST_PAUSE_SECONDS
        while True:
            try:
                answer = self._send(method, path, query or {}, headers or {}, body, deadline)
            except ssl.SSLCertVerificationError as error:
                raise Unreachable(f"{self.where}: its certificate is not accepted ({error.verify_message}): name the signer in connection.ca_file") from error
            except (OSError, http.client.HTTPException) as error:
                self._drop()
                if time.monotonic() + pause >= deadline or isinstance(error, ConnectionRefusedError):
                    raise Unreachable(f"{self.where} did not answer {method} {path}: {error or type(error).__name__}") from error
            else:
                if answer.status < 300:
                    return answer
                if body:
                    self._drop()  # a store may refuse before it has read the body, and would take the rest of it for the next request
                if answer.status not in _AGAIN or time.monotonic() + pause >= deadline:
                    raise self._error(answer, method, path)
            time.sleep(pause)
            pause *= 2

    def _send(self, method: str, path: str, query: Mapping[str, str], headers: Mapping[str, str], body: bytes, deadline: float) -> Answer:
        connection = self._connection(max(0.1, deadline - time.monotonic()))
        signed = self._signer.headers(method, self._netloc, path, query, headers, body, datetime.now(UTC))
        target = canonical_path(path) + (f"?{canonical_query(query)}" if query else "")
        self.requests += 1
        connection.request(method, target, body=body or None, headers=signed)
        response = connection.getresponse()
        return Answer(response.status, response.headers, response.read())  # type: ignore[arg-type]  # a Message reads like a Mapping

    def _connection(self, timeout: float) -> http.client.HTTPSConnection:
        connection: http.client.HTTPSConnection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = http.client.HTTPSConnection(self._host, self._port, timeout=timeout, context=self._tls)
            self._local.connection = connection
            with self._lock:
                self._open.append(connection)
        elif connection.sock is not None:
            connection.sock.settimeout(timeout)
        return connection

    def _drop(self) -> None:
        connection = getattr(self._local, "connection", None)
        if connection is not None:
            connection.close()
            self._local.connection = None

    def _error(self, answer: Answer, method: str, path: str) -> OpsError:
        code, text = str(answer.status), ""
        if answer.body.lstrip()[:1] == b"<":
            root = parse_xml(answer.body)
            code, text = root.findtext("Code") or code, root.findtext("Message") or ""
        message = f"{self.where} answered to {method} {path}: {code}: {text}".rstrip(": ")
        if code in _DENIED:
            return AccessDenied(f"{message}. Our account needs the right for it, or its keys are wrong.")
        if answer.status in _AGAIN:
            return Unreachable(message)
        return S3Error(message, code, answer.status)


def connect(connection: Mapping[str, Any], timeout: float) -> S3Client:
    """A client of the store. ``connection``: see CONNECTION. Raises OpsError."""
    missing = [name for name in ("endpoint", "access_key", "secret_key") if not connection.get(name)]
    if missing:
        raise OpsError(f"connection.{missing[0]} of the object store is missing")
    return S3Client(
        str(connection["endpoint"]),
        str(connection["region"]),
        str(connection["access_key"]),
        str(connection["secret_key"]),
        connection.get("ca_file"),
        timeout,
    )
