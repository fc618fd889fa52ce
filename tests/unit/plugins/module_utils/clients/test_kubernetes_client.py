# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Kubernetes client against a scripted API server: repetitions, time-outs, paging, and what each error becomes."""

from __future__ import annotations

import http.server
import json
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from ansible_collections.leanvibe.ops.plugins.module_utils.clients.kubernetes import (
    AlreadyExists,
    Changed,
    KubernetesClient,
    NotServedError,
    RejectedError,
    Resource,
)
from ansible_collections.leanvibe.ops.plugins.module_utils.clients.kubernetes_config import Access
from ansible_collections.leanvibe.ops.plugins.module_utils.common.errors import AccessDenied, Unreachable

CONFIG_MAP = Resource("v1", "ConfigMap", "configmaps")
ROLE = Resource("rbac.authorization.k8s.io/v1", "Role", "roles")
NAMESPACE = Resource("v1", "Namespace", "namespaces", namespaced=False)
OBJECT = {"metadata": {"name": "x"}}

Answer = tuple[int, Any, dict[str, str]] | str  # status, body, headers; or "reset", "hang"


class Server:
    """Answers from a list, then with the last answer for ever; keeps what it was asked."""

    def __init__(self) -> None:
        self.answers: list[Answer] = []
        self.asked: list[dict[str, Any]] = []
        server = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                server.asked.append({"method": self.command, "path": self.path, "headers": dict(self.headers), "body": json.loads(body) if body else None})
                answer = server.answers.pop(0) if len(server.answers) > 1 else server.answers[0]
                if isinstance(answer, str):
                    time.sleep(3 if answer == "hang" else 0)
                    self.close_connection = True
                    self.connection.close()
                    return
                status, content, headers = answer
                data = json.dumps(content).encode()
                self.send_response(status)
                for name, value in {**headers, "Content-Length": str(len(data))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_POST = do_PATCH = do_DELETE = answer  # noqa: N815 (names that http.server looks for)

            def log_message(self, *_arguments: Any) -> None:
                """Keep the tests' output clean."""

        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        threading.Thread(target=self.http.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.http.server_port}"


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    yield made
    made.http.shutdown()
    made.http.server_close()


@pytest.fixture
def client(server: Server) -> KubernetesClient:
    return KubernetesClient(Access(server.url, None, static_token="t0ken"), "leanvibe.ops", timeout=5, connections=4)


def status(code: int, reason: str, message: str, **details: str) -> Answer:
    return code, {"kind": "Status", "reason": reason, "message": message, "details": details}, {}


def test_paths_of_core_and_group_resources() -> None:
    assert CONFIG_MAP.path("ns", "x") == "/api/v1/namespaces/ns/configmaps/x"
    assert CONFIG_MAP.path() == "/api/v1/configmaps"
    assert ROLE.path("ns") == "/apis/rbac.authorization.k8s.io/v1/namespaces/ns/roles"
    assert NAMESPACE.path(None, "a/../b") == "/api/v1/namespaces/a%2F..%2Fb"


def test_apply_is_forced_server_side_apply_with_our_manager(server: Server, client: KubernetesClient) -> None:
    server.answers = [(200, OBJECT, {})]
    client.apply(CONFIG_MAP, "ns", OBJECT)
    (asked,) = server.asked
    assert asked["method"] == "PATCH"
    assert asked["path"] == "/api/v1/namespaces/ns/configmaps/x?fieldManager=leanvibe.ops&force=true"
    assert asked["headers"]["Content-Type"] == "application/apply-patch+yaml"
    assert asked["headers"]["Authorization"] == "Bearer t0ken"
    assert (client.requests, client.writes) == (1, 1)


def test_a_dry_run_and_a_read_are_no_writes(server: Server, client: KubernetesClient) -> None:
    server.answers = [(200, OBJECT, {})]
    client.apply(CONFIG_MAP, "ns", OBJECT, dry_run=True)
    client.get(CONFIG_MAP, "ns", "x")
    assert "dryRun=All" in server.asked[0]["path"]
    assert (client.requests, client.writes) == (2, 0)


@pytest.mark.parametrize(
    "trouble", [status(503, "ServiceUnavailable", "later"), status(500, "InternalError", "etcd"), "reset", status(429, "TooManyRequests", "slow")]
)
def test_trouble_that_passes_is_repeated(server: Server, client: KubernetesClient, trouble: Answer) -> None:
    server.answers = [trouble, trouble, (200, OBJECT, {})]
    assert client.apply(CONFIG_MAP, "ns", OBJECT) == OBJECT
    assert len(server.asked) == 3


def test_retry_after_is_obeyed(server: Server, client: KubernetesClient) -> None:
    server.answers = [(429, {}, {"Retry-After": "1"}), (200, OBJECT, {})]
    began = time.monotonic()
    client.get(CONFIG_MAP, "ns", "x")
    assert time.monotonic() - began >= 1


@pytest.mark.parametrize(("trouble", "said"), [(status(503, "x", "no leader"), "no leader"), ("hang", "timed out"), ("reset", "")])
def test_trouble_that_lasts_is_unreachable_within_the_time_out(server: Server, trouble: Answer, said: str) -> None:
    server.answers = [trouble]
    began = time.monotonic()
    hasty = KubernetesClient(Access(server.url, None), "leanvibe.ops", timeout=2, connections=1)
    with pytest.raises(Unreachable) as caught:
        hasty.get(CONFIG_MAP, "ns", "x")
    assert time.monotonic() - began < 10
    assert "GET /api/v1/namespaces/ns/configmaps/x" in caught.value.message
    assert said in caught.value.message


def test_a_closed_port_is_unreachable() -> None:
    client = KubernetesClient(Access("http://127.0.0.1:9", None), "leanvibe.ops", timeout=1, connections=1)
    with pytest.raises(Unreachable, match=r"127\.0\.0\.1:9 does not answer"):
        client.list(CONFIG_MAP)


def test_pages_are_put_together_and_a_forgotten_list_starts_again(server: Server, client: KubernetesClient) -> None:
    first = (200, {"items": [1, 2], "metadata": {"continue": "here"}}, {})
    last = (200, {"items": [3], "metadata": {}}, {})
    server.answers = [first, status(410, "Expired", "too old"), first, last]
    assert client.list(CONFIG_MAP, "a=b", "metadata.name=x") == [1, 2, 3]
    assert "labelSelector=a%3Db" in server.asked[0]["path"]
    assert "fieldSelector=metadata.name%3Dx" in server.asked[0]["path"]
    assert "continue=here" in server.asked[3]["path"]
    assert "continue" not in server.asked[2]["path"]


def test_a_list_that_always_expires_ends(server: Server, client: KubernetesClient) -> None:
    server.answers = [status(410, "Expired", "too old")]
    with pytest.raises(Unreachable, match="expired three times"):
        client.list(CONFIG_MAP)


@pytest.mark.parametrize(
    ("answer", "error", "said"),
    [
        (status(401, "Unauthorized", "Unauthorized"), AccessDenied, "have they expired"),
        (status(403, "Forbidden", 'User "x" cannot list resource "secrets"'), AccessDenied, "cannot list resource"),
        (status(403, "Forbidden", "pods x is forbidden: exceeded quota"), RejectedError, "exceeded quota"),
        (status(409, "AlreadyExists", "x exists"), AlreadyExists, "x exists"),
        (status(409, "Conflict", "uid"), Changed, "uid"),
        (status(422, "Invalid", "spec.hard: bad"), RejectedError, "spec.hard: bad"),
        (status(404, "NotFound", "the server could not find the requested resource"), NotServedError, "does not serve"),
        (status(404, "NotFound", 'namespaces "ns" not found', name="ns"), RejectedError, 'namespaces "ns" not found'),
    ],
)
def test_answers_become_errors_that_say_what(server: Server, client: KubernetesClient, answer: Answer, error: type[Exception], said: str) -> None:
    server.answers = [answer]
    with pytest.raises(error, match=said):
        client.create(CONFIG_MAP, "ns", OBJECT)
    assert len(server.asked) == 1


def test_create_reports_existing_when_the_answer_of_its_own_attempt_got_lost(server: Server, client: KubernetesClient) -> None:
    server.answers = ["reset", status(409, "AlreadyExists", "x exists")]
    with pytest.raises(AlreadyExists):
        client.create(CONFIG_MAP, "ns", OBJECT)


def test_delete_names_the_object_that_was_read_and_accepts_that_it_is_gone(server: Server, client: KubernetesClient) -> None:
    server.answers = [status(404, "NotFound", "gone", name="x")]
    client.delete(CONFIG_MAP, "ns", "x", "uid-1")
    assert server.asked[0]["body"]["preconditions"] == {"uid": "uid-1"}


def test_get_of_what_is_missing_is_none_but_a_denied_get_is_not(server: Server, client: KubernetesClient) -> None:
    server.answers = [status(404, "NotFound", "gone", name="x"), status(403, "Forbidden", "you cannot get")]
    assert client.get(CONFIG_MAP, "ns", "x") is None
    with pytest.raises(AccessDenied):
        client.get(CONFIG_MAP, "ns", "x")


def test_an_api_behind_a_path_is_asked_there(server: Server) -> None:
    client = KubernetesClient(Access(f"{server.url}/k8s/clusters/c-1", None), "leanvibe.ops", timeout=2, connections=1)
    server.answers = [(200, OBJECT, {})]
    client.get(CONFIG_MAP, "ns", "x")
    assert server.asked[0]["path"] == "/k8s/clusters/c-1/api/v1/namespaces/ns/configmaps/x"


def test_a_refused_plugin_token_is_renewed_once(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    tokens: Iterator[str] = iter(["old", "new", "never"])
    access = Access(server.url, None)
    held: list[str] = [next(tokens)]

    def bearer(refused: str | None = None) -> str:
        if refused == held[0]:
            held[0] = next(tokens)
        return held[0]

    access.plugin = object()  # type: ignore[assignment]
    replaced: Callable[..., str] = bearer
    monkeypatch.setattr(access, "bearer", replaced)
    client = KubernetesClient(access, "leanvibe.ops", timeout=5, connections=1)
    server.answers = [status(401, "Unauthorized", "expired"), (200, OBJECT, {})]
    assert client.get(CONFIG_MAP, "ns", "x") == OBJECT
    assert [asked["headers"]["Authorization"] for asked in server.asked] == ["Bearer old", "Bearer new"]


def test_no_redirect_takes_the_token_elsewhere(server: Server, client: KubernetesClient) -> None:
    server.answers = [(302, {}, {"Location": "http://127.0.0.1:9/"})]
    with pytest.raises(RejectedError):
        client.get(CONFIG_MAP, "ns", "x")
    assert len(server.asked) == 1


def test_what_is_no_object_is_asked_once_and_errors_of_the_server_are_answers(server: Server, client: KubernetesClient) -> None:
    server.answers = [(500, "[-]etcd failed", {})]
    answer = client.plain("/readyz?verbose")
    assert (answer.status, answer.text) == (500, '"[-]etcd failed"')
    assert answer.date.endswith(" GMT")
    assert [asked["path"] for asked in server.asked] == ["/readyz?verbose"]
    assert server.asked[0]["headers"]["Authorization"] == "Bearer t0ken"


def test_a_path_that_we_may_not_read_or_that_stays_silent(server: Server, client: KubernetesClient) -> None:
    server.answers = [status(403, "Forbidden", 'User "x" cannot get path "/metrics"')]
    with pytest.raises(AccessDenied, match="/metrics"):
        client.plain("/metrics")
    server.answers = ["hang"]
    client.timeout = 0.3
    began = time.monotonic()
    with pytest.raises(Unreachable, match=r"GET /readyz within 0\.3 s"):
        client.plain("/readyz")
    assert time.monotonic() - began < 2


def test_a_list_keeps_only_what_is_asked_of_it(server: Server, client: KubernetesClient) -> None:
    server.answers = [(200, {"items": [OBJECT, OBJECT], "metadata": {"continue": "on"}}, {}), (200, {"items": [OBJECT], "metadata": {}}, {})]
    assert client.listed(CONFIG_MAP, lambda item: item["metadata"]["name"], field_selector="type=x") == ["x"] * 3
    assert client.serving_certificate() is None
