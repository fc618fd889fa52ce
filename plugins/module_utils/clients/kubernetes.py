# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A small Kubernetes client: plain JSON over one pool of connections, with time-outs, repetitions and errors that say what to do.

It knows nothing of tenants. It is safe to use from several threads. Server-side apply is its way to write.
"""

from __future__ import annotations

import builtins
import http
import json
import math
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from random import SystemRandom
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, TypeVar
from urllib.parse import quote, urlencode, urlsplit

from ..common.errors import AccessDenied, Conflict, OpsError, Unreachable
from .kubernetes_config import Access, load

if TYPE_CHECKING:
    import urllib3

PAGE = 2000  # objects asked for at a time; a list of more is continued
_PAUSES = (0.1, 0.3, 0.9, 2.0, 4.0)  # seconds before a repetition, with up to half more at random
_SPREAD = SystemRandom()
_CONNECT = 3.0  # seconds for TCP and TLS

Object = dict[str, Any]
Shape = TypeVar("Shape")


class AlreadyExists(Conflict):
    """The object that was to be created is there already."""


class Changed(Conflict):
    """The object was changed since it was read (resourceVersion or uid differs)."""


class RejectedError(OpsError):
    """The API answered, and refuses this object; the message is the API's."""


class NotServedError(OpsError):
    """The API server does not serve this kind of object."""


@dataclass(frozen=True)
class Resource:
    """A kind of object and where it is served."""

    api_version: str
    kind: str
    plural: str
    namespaced: bool = True

    def path(self, namespace: str | None = None, name: str | None = None) -> str:
        """URL path of a collection (no name) or an object; without a namespace, the collection in all namespaces."""
        parts = ["/api" if "/" not in self.api_version else "/apis", self.api_version]
        if self.namespaced and namespace is not None:
            parts += ["namespaces", quote(namespace, safe="")]
        parts.append(self.plural)
        if name is not None:
            parts.append(quote(name, safe=""))
        return "/".join(parts)


@dataclass(frozen=True)
class Plain:
    """An answer that is no object: its status, its text, and the server's clock (the header ``Date``, "" if it said none)."""

    status: int
    text: str
    date: str = ""


class KubernetesClient:
    """One API server for one process.

    ``timeout``: seconds that one call (of a list: one page) may take, repetitions included. ``connections``: how many calls can be under way.
    ``requests`` counts what was sent, and ``writes`` those that may have changed something.
    """

    def __init__(self, access: Access, field_manager: str, timeout: float, connections: int) -> None:
        try:
            import urllib3
        except ImportError as error:
            raise OpsError(f"{error}; install the collection's requirements/runtime.txt for the Python that runs Ansible") from error
        options: dict[str, Any] = {"num_pools": 2, "maxsize": connections, "block": True, "retries": False, "ssl_context": access.tls}
        if access.server_name:
            options.update(server_hostname=access.server_name, assert_hostname=access.server_name)
        self._manager = urllib3.ProxyManager(access.proxy, **options) if access.proxy else urllib3.PoolManager(**options)
        self._pool = self._manager.connection_from_url(access.server)
        self._prefix = urlsplit(access.server).path.rstrip("/")
        self._access = access
        self._timeout = timeout
        self._count = threading.Lock()
        self.field_manager = field_manager
        self.requests = 0
        self.writes = 0

    @classmethod
    def connect(cls, connection: Mapping[str, Any], field_manager: str, timeout: float, connections: int = 16) -> KubernetesClient:
        """Make a client from ``{"kubeconfig": path, "context": name or None}``; nothing is sent yet. Raises InvalidInput, AccessDenied (exec plugin)."""
        return cls(load(str(connection["kubeconfig"]), connection.get("context"), timeout), field_manager, timeout, connections)

    def __enter__(self) -> KubernetesClient:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._manager.clear()

    @property
    def server(self) -> str:
        """Address of the API server."""
        return self._access.server

    @property
    def timeout(self) -> float:
        """Seconds that one call may take, repetitions included; may be set between calls."""
        return self._timeout

    @timeout.setter
    def timeout(self, seconds: float) -> None:
        self._timeout = seconds

    def list(self, resource: Resource, label_selector: str = "", field_selector: str = "", namespace: str | None = None) -> list[Object]:
        """All objects of a kind, in one request per 2,000. If the API forgets where the list was (410), it is read again from its start."""
        return self.listed(resource, _as_it_is, label_selector, field_selector, namespace)

    def listed(
        self,
        resource: Resource,
        shape: Callable[[Object], Shape],
        label_selector: str = "",
        field_selector: str = "",
        namespace: str | None = None,
    ) -> builtins.list[Shape]:
        """What ``shape`` makes of each object of a kind: like list(), but only what is needed is kept while pages are read."""
        selectors = {name: value for name, value in (("labelSelector", label_selector), ("fieldSelector", field_selector)) if value}
        for _attempt in range(3):
            items: builtins.list[Shape] = []
            query = {"limit": str(PAGE), **selectors}
            while True:
                page = self._call("GET", resource.path(namespace), query=query, gone_is_none=True)
                if page is None:
                    break
                items += map(shape, page["items"])
                if not page["metadata"].get("continue"):
                    return items
                query["continue"] = page["metadata"]["continue"]
        raise Unreachable(f"the list of {resource.plural} at {self.server} expired three times while it was read; is the API server overloaded?")

    def get(self, resource: Resource, namespace: str | None, name: str) -> Object | None:
        """One object, or None if the API says that it does not exist."""
        return self._call("GET", resource.path(namespace, name), missing_is_none=True)

    def plain(self, path: str) -> Plain:
        """GET something that is no object (``/readyz?verbose``, ``/metrics``), once. Errors of the server are answers, not exceptions.

        Raises Unreachable; AccessDenied if the API does not know us or lets us not.
        """
        import urllib3

        token = self._access.bearer()
        try:
            response = self._send("GET", f"{self._prefix}{path}", None, "", token, self._timeout, accept="*/*")
        except urllib3.exceptions.HTTPError as error:
            raise Unreachable(f"Kubernetes at {self.server} does not answer GET {path} within {self._timeout:g} s ({_reason(error)})") from error
        if response.status in (http.HTTPStatus.UNAUTHORIZED, http.HTTPStatus.FORBIDDEN):
            _answer(response, "GET", path, self.server)
        return Plain(response.status, response.data.decode("utf-8", "replace"), response.headers.get("Date", ""))

    def serving_certificate(self) -> bytes | None:
        """The certificate that the API server shows us, in DER; None without TLS. One request, on a connection that is used anyway."""
        import urllib3

        try:
            response = self._send("GET", f"{self._prefix}/version", None, "", self._access.bearer(), self._timeout, preload=False)
            socket = getattr(response.connection, "sock", None)
            shown = socket.getpeercert(binary_form=True) if isinstance(socket, ssl.SSLSocket) else None
            response.drain_conn()
            response.release_conn()
        except urllib3.exceptions.HTTPError as error:
            raise Unreachable(f"Kubernetes at {self.server} does not answer GET /version within {self._timeout:g} s ({_reason(error)})") from error
        return shown

    @property
    def access(self) -> Access:
        """How this client logs in."""
        return self._access

    def create(self, resource: Resource, namespace: str | None, body: Mapping[str, Any]) -> Object:
        """Create an object and never change an existing one. Raises AlreadyExists, also if an attempt whose answer got lost has created it."""
        return self._must(self._call("POST", resource.path(namespace), query={"fieldManager": self.field_manager}, body=body))

    def apply(self, resource: Resource, namespace: str | None, body: Mapping[str, Any], *, dry_run: bool = False) -> Object:
        """Server-side apply of the fields that ``body`` has; what other managers hold of these becomes ours, other fields stay theirs."""
        query = {"fieldManager": self.field_manager, "force": "true"}
        if dry_run:
            query["dryRun"] = "All"
        path = resource.path(namespace, str(body["metadata"]["name"]))
        return self._must(self._call("PATCH", path, query=query, body=body, content_type="application/apply-patch+yaml"))

    def merge(self, resource: Resource, namespace: str | None, name: str, body: Mapping[str, Any]) -> Object:
        """JSON merge patch. With ``metadata.resourceVersion`` in the body, raises Changed if the object is another by now."""
        query = {"fieldManager": self.field_manager}
        return self._must(self._call("PATCH", resource.path(namespace, name), query=query, body=body, content_type="application/merge-patch+json"))

    def delete(self, resource: Resource, namespace: str | None, name: str, uid: str) -> None:
        """Delete exactly the object that was read; it is no error if it is gone. Raises Changed if another has its name now."""
        body = {"kind": "DeleteOptions", "apiVersion": "v1", "preconditions": {"uid": uid}}
        self._call("DELETE", resource.path(namespace, name), body=body, missing_is_none=True)

    @staticmethod
    def _must(answer: Object | None) -> Object:
        if answer is None:
            raise Unreachable("the API server gave no answer")
        return answer

    def _call(
        self,
        method: Literal["GET", "POST", "PATCH", "DELETE"],
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
        content_type: str = "application/json",
        missing_is_none: bool = False,
        gone_is_none: bool = False,
    ) -> Object | None:
        """Send until there is an answer or time is up. All that is sent may be repeated: see create() about POST."""
        import urllib3

        url = f"{self._prefix}{path}" + (f"?{urlencode(query)}" if query else "")
        data = json.dumps(body).encode() if body is not None else None
        deadline = time.monotonic() + self._timeout
        refused: str | None = None
        last = ""
        attempt = 0
        while (left := deadline - time.monotonic()) > 0:
            token = self._access.bearer(refused)
            try:
                response = self._send(method, url, data, content_type, token, left)
            except urllib3.exceptions.HTTPError as error:
                if isinstance(error.args[0] if error.args else None, ssl.SSLCertVerificationError):
                    raise Unreachable(f"{self.server} shows a certificate that the kubeconfig's authority did not sign ({_reason(error)})") from error
                last, pause = _reason(error), None
            else:
                if response.status == http.HTTPStatus.UNAUTHORIZED and self._access.plugin is not None and refused is None:
                    refused = token
                    continue
                if response.status != http.HTTPStatus.TOO_MANY_REQUESTS and response.status < http.HTTPStatus.INTERNAL_SERVER_ERROR:
                    if (missing_is_none and response.status == http.HTTPStatus.NOT_FOUND) or (gone_is_none and response.status == http.HTTPStatus.GONE):
                        return None
                    return _answer(response, method, path, self.server)
                last, pause = f"status {response.status}: {_message(response)}", response.headers.get("Retry-After")
            wait = float(pause) if pause and pause.isdecimal() else _PAUSES[min(attempt, len(_PAUSES) - 1)] * (1 + _SPREAD.random() / 2)
            if time.monotonic() + wait >= deadline:
                break
            time.sleep(wait)
            attempt += 1
        raise Unreachable(f"Kubernetes at {self.server} does not answer {method} {path} within {self._timeout:g} s ({last or 'no time was left'})")

    def _send(
        self,
        method: str,
        url: str,
        data: bytes | None,
        content_type: str,
        token: str | None,
        left: float,
        *,
        accept: str = "application/json",
        preload: bool = True,
    ) -> urllib3.BaseHTTPResponse:
        headers = {"Accept": accept, "User-Agent": self.field_manager}
        if data is not None:
            headers["Content-Type"] = content_type
        if token:
            headers["Authorization"] = f"Bearer {token}"
        with self._count:
            self.requests += 1
            self.writes += method != "GET" and "dryRun=All" not in url
        from urllib3 import Timeout

        timeout = Timeout(connect=min(_CONNECT, left), read=left)
        options: dict[str, Any] = {"timeout": timeout, "pool_timeout": math.ceil(left), "retries": False, "redirect": False, "preload_content": preload}
        return self._pool.request(method, url, body=data, headers=headers, **options)


def _as_it_is(found: Object) -> Object:
    return found


def _reason(error: Exception) -> str:
    return str(error.args[-1] if error.args else error)[-300:] or type(error).__name__


def _message(response: urllib3.BaseHTTPResponse) -> str:
    return str(_status(response).get("message") or http.HTTPStatus(response.status).phrase)


def _status(response: urllib3.BaseHTTPResponse) -> Object:
    try:
        body = json.loads(response.data)
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


def _answer(response: urllib3.BaseHTTPResponse, method: str, path: str, server: str) -> Object:
    """The object in an answer, or the error that it stands for."""
    if response.status < http.HTTPStatus.MULTIPLE_CHOICES:
        body: Object = json.loads(response.data)
        return body
    status = _status(response)
    message = str(status.get("message") or f"status {response.status}")
    reason = status.get("reason")
    if response.status == http.HTTPStatus.UNAUTHORIZED:
        raise AccessDenied(f"Kubernetes at {server} does not know the credentials of the kubeconfig ({message}); have they expired?")
    # Admission (quota, Pod Security, policies) also answers Forbidden; RBAC's words always name the right that is missing.
    if response.status == http.HTTPStatus.FORBIDDEN and " cannot " in message:
        raise AccessDenied(f"Kubernetes at {server}: {message}")
    if reason == "AlreadyExists":
        raise AlreadyExists(message)
    if response.status == http.HTTPStatus.CONFLICT:
        raise Changed(f"Kubernetes at {server}: {message}")
    if response.status == http.HTTPStatus.NOT_FOUND and not (status.get("details") or {}).get("name"):
        raise NotServedError(f"Kubernetes at {server} does not serve {path}; is its version too old?")
    raise RejectedError(f"Kubernetes at {server} refuses {method} {path}: {message}", reason=reason)
