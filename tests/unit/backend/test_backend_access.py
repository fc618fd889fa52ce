# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may do what with the API: the token decides, whatever else a request says. Database and Redis are stand-ins that note whom they were asked for."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import jwt
import pytest
from leanvibe_backend import access, api, application, live, tenants, tokens
from leanvibe_backend.configuration import Account, Cache, Configuration, Database
from leanvibe_backend.database import Unavailable
from leanvibe_backend.dependencies import Dependencies
from starlette.routing import Route
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

KEY = "k" * 40
PROJECT = "5f0c1d1e-7a35-4e0a-9a3e-0a9d1b6f3a10"
ROWS = {
    "acme": {"tenant_id": "acme", "name": "Acme", "tier": "team", "region": "us-east-1", "state": "active"},
    "frozen": {"tenant_id": "frozen", "name": "Frozen", "tier": "team", "region": "us-east-1", "state": "suspended"},
}


class FakeSessions:
    """Notes for which tenant each transaction was opened."""

    def __init__(self) -> None:
        self.bound: list[str | None] = []
        self.broken = False

    @asynccontextmanager
    async def transaction(self, tenant: str | None) -> AsyncIterator[str | None]:
        if self.broken:
            raise Unavailable("database", "secret details of the server")
        self.bound.append(tenant)
        yield tenant


class FakeStore:
    """A queue that takes everything."""

    def __init__(self) -> None:
        self.jobs: list[tuple[str, str | None]] = []

    async def add(self, kind: str, tenant: str | None = None) -> str:
        self.jobs.append((kind, tenant))
        return PROJECT

    async def job(self, tenant: str, job: str) -> dict[str, Any] | None:
        return {"id": job, "tenant": tenant} if tenant == "acme" else None

    async def state(self) -> dict[str, Any]:
        return {"last_done": None, "done": 0, "failed": 0, "waiting": 0}

    async def ping(self) -> None:
        return None


@pytest.fixture
def sessions() -> FakeSessions:
    return FakeSessions()


@pytest.fixture
def store() -> FakeStore:
    return FakeStore()


@pytest.fixture
def client(sessions: FakeSessions, store: FakeStore, monkeypatch: pytest.MonkeyPatch) -> TestClient:
    users: dict[tuple[str, str], str] = {}

    async def tenant(_connection: Any, tenant_id: str) -> dict[str, Any] | None:
        return ROWS.get(tenant_id)

    async def user(_connection: Any, tenant_id: str, email: str) -> dict[str, Any] | None:
        return {"password_hash": users[tenant_id, email]} if (tenant_id, email) in users else None

    async def put_user(_connection: Any, tenant_id: str, email: str, _name: str, password_hash: str) -> str:
        users[tenant_id, email] = password_hash
        return PROJECT

    async def delete_user(_connection: Any, tenant_id: str, email: str) -> bool:
        return users.pop((tenant_id, email), None) is not None

    async def add_project(_connection: Any, _tenant: str, name: str, _description: str) -> dict[str, Any]:
        if name == "taken":
            raise tenants.Conflict("there is one already")
        return {"project_id": PROJECT, "name": name}

    async def projects(_connection: Any, tenant_id: str) -> list[dict[str, Any]]:
        return [{"name": f"of {tenant_id}"}]

    for name, stand_in in {"tenant": tenant, "user": user, "put_user": put_user, "delete_user": delete_user, "add_project": add_project}.items():
        monkeypatch.setattr(tenants, name, stand_in)
    monkeypatch.setattr(tenants, "projects", projects)
    accounts = {"probe": Account(tokens.digest("probe-password"), ()), "provisioner": Account(tokens.digest("provisioner-password"), ("accounts",))}
    configuration = Configuration("us-east-1", 0, Database({}), cache=Cache((("localhost", 1),), "u", "p"), signing_key=KEY, accounts=accounts)
    app = application.api(configuration)
    app.state.services = access.Services(configuration, sessions, store, Dependencies(sessions, store, None))  # type: ignore[arg-type]
    # Without ``with``: the lifespan would connect to real systems.
    return TestClient(app, raise_server_exceptions=False)


def bearer(name: str = "ada@acme.example", tenant: str | None = "acme", *scopes: str, **change: Any) -> dict[str, str]:
    return {"Authorization": f"Bearer {tokens.issue(KEY, tokens.Principal(name, tenant, frozenset(scopes)), **change)}"}


OWN = (
    ("GET", "/api/v1/tenants/{}"),
    ("GET", "/api/v1/tenants/{}/projects"),
    ("POST", "/api/v1/tenants/{}/projects"),
    ("GET", "/api/v1/tenants/{}/projects/" + PROJECT),
    ("DELETE", "/api/v1/tenants/{}/projects/" + PROJECT),
    ("POST", "/api/v1/tenants/{}/jobs"),
    ("GET", "/api/v1/tenants/{}/jobs/" + PROJECT),
    ("PUT", "/api/v1/tenants/{}/accounts/x@example.com"),
    ("DELETE", "/api/v1/tenants/{}/accounts/x@example.com"),
)


@pytest.mark.parametrize(("method", "path"), OWN)
def test_nobody_is_let_in_without_a_token_and_nobody_into_what_is_not_his(client: TestClient, sessions: FakeSessions, method: str, path: str) -> None:
    body = {"name": "x", "display_name": "x", "password": "x"}
    arguments: dict[str, Any] = {"json": body} if method in ("POST", "PUT") else {}
    for headers, expected in (
        ({}, 401),
        ({"Authorization": "Basic YTpi"}, 401),
        (bearer(now=1_000_000_000), 401),
        ({"Authorization": "Bearer " + jwt.encode({"sub": "x", "tenant": "globex", "scopes": []}, "another" * 6, algorithm="HS256")}, 401),
        ({"Authorization": "Bearer " + jwt.encode({"sub": "x", "tenant": "globex", "scopes": []}, "", algorithm="none")}, 401),
        (bearer(), 403),
        (bearer("probe", None), 403),
        # What a caller says about its tenant anywhere else counts for nothing.
        (bearer() | {"X-Tenant-ID": "globex", "Cookie": "tenant=globex"}, 403),
    ):
        answer = client.request(method, path.format("globex"), headers=headers, **arguments)
        assert answer.status_code == expected, (headers, answer.text)
    assert sessions.bound == []


def test_work_is_bound_to_the_tokens_tenant(client: TestClient, sessions: FakeSessions, store: FakeStore) -> None:
    assert client.get("/api/v1/tenants/acme", headers=bearer()).json()["name"] == "Acme"
    answer = client.get("/api/v1/tenants/acme/projects?tenant_id=globex", headers=bearer() | {"X-Tenant-ID": "globex"})
    assert answer.json() == {"projects": [{"name": "of acme"}]}
    made = client.post("/api/v1/tenants/acme/projects", headers=bearer(), json={"name": "new", "tenant_id": "globex"})
    assert (made.status_code, made.json()["name"]) == (201, "new")
    assert client.post("/api/v1/tenants/acme/projects", headers=bearer(), json={"name": "taken"}).status_code == 409
    assert client.post("/api/v1/tenants/acme/jobs", headers=bearer()).status_code == 202
    assert store.jobs == [("count_projects", "acme")]
    assert set(sessions.bound) == {"acme"}


def test_a_suspended_tenant_and_one_that_is_not_there(client: TestClient) -> None:
    assert client.get("/api/v1/tenants/frozen", headers=bearer(tenant="frozen")).status_code == 403
    assert client.get("/api/v1/tenants/gone", headers=bearer(tenant="gone")).status_code == 404


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'{"name": 1}', b'{"name": ""}', b'{"other": "x"}'])
def test_a_body_that_is_not_what_it_should_be(client: TestClient, body: bytes) -> None:
    assert client.post("/api/v1/tenants/acme/projects", headers=bearer(), content=body).status_code == 400
    assert client.post("/api/v1/tenants/acme/projects", headers=bearer(), content=b"x" * 70000).status_code == 413


def test_sign_in_of_the_platform_gives_only_its_own_rights(client: TestClient) -> None:
    for body in ({"account": "probe", "password": "wrong"}, {"account": "nobody", "password": "probe-password"}):
        assert client.post("/api/v1/sign-in", json=body).status_code == 401
    assert client.post("/api/v1/sign-in", json={"password": "x"}).status_code == 400
    token = client.post("/api/v1/sign-in", json={"account": "probe", "password": "probe-password"}).json()["token"]
    assert client.get("/api/v1/me", headers={"Authorization": f"Bearer {token}"}).json() == {"name": "probe", "tenant": None, "scopes": []}


def test_accounts_are_made_by_the_platform_and_open_their_own_tenant(client: TestClient, sessions: FakeSessions) -> None:
    given = {"display_name": "Ada", "password": "correct horse"}
    provisioner = bearer("provisioner", None, "accounts")
    # A tenant's user cannot claim the platform's right.
    assert client.put("/api/v1/tenants/acme/accounts/a@b.c", headers=bearer("a@b.c", "acme", "accounts"), json=given).status_code == 403
    assert client.put("/api/v1/tenants/acme/accounts/a@b.c", headers=provisioner, json=given).status_code == 200
    assert client.get("/api/v1/tenants/acme/projects", headers=provisioner).status_code == 403
    for wrong in ({"tenant": "acme", "email": "a@b.c", "password": "wrong"}, {"tenant": "frozen", "email": "a@b.c", "password": "correct horse"}):
        assert client.post("/api/v1/sign-in", json=wrong).status_code == 401
    answer = client.post("/api/v1/sign-in", json={"tenant": "acme", "email": "a@b.c", "password": "correct horse"}).json()
    assert answer["expires_in"] <= 900
    assert tokens.verify(KEY, answer["token"]) == tokens.Principal("a@b.c", "acme")
    assert sessions.bound[-1] == "acme"
    assert client.delete("/api/v1/tenants/acme/accounts/a@b.c", headers=provisioner).status_code == 204
    assert client.delete("/api/v1/tenants/acme/accounts/a@b.c", headers=provisioner).status_code == 404


def test_a_database_that_is_away_is_503_and_tells_nothing_about_itself(client: TestClient, sessions: FakeSessions) -> None:
    sessions.broken = True
    answer = client.get("/api/v1/tenants/acme", headers=bearer())
    assert (answer.status_code, "secret" in answer.text) == (503, False)
    assert client.get("/health").status_code == 200
    found = client.get("/health/db")
    assert (found.status_code, found.json()["status"]) == (503, "unavailable")
    # A worker that has never done anything is not well.
    assert client.get("/health/worker").status_code == 503
    assert client.get("/health/cache").json()["status"] == "ok"
    # What is not configured is not well either.
    assert client.get("/health/billing").json()["status"] == "unavailable"
    assert client.get("/health/nothing").status_code == 404


def test_requests_are_counted_by_route_and_not_by_path(client: TestClient) -> None:
    client.get("/api/v1/tenants/acme", headers=bearer())
    client.get("/nothing/here/at/all")
    text = client.get("/metrics").text
    assert 'leanvibe_http_requests_total{method="GET",route="/api/v1/tenants/{tenant_id}",status="200"}' in text
    assert 'leanvibe_tenant_requests_total{outcome="ok",tenant="acme"}' in text
    assert "/nothing" not in text
    # What this process has not measured is not shown as a zero.
    assert "leanvibe_heartbeat" not in text
    assert "leanvibe_worker_last_done" not in text
    assert "leanvibe_websockets" in text


def test_public_pages_are_html(client: TestClient) -> None:
    for path in ("/", "/docs"):
        answer = client.get(path)
        assert (answer.status_code, answer.headers["content-type"].split(";")[0]) == (200, "text/html")


def test_the_websocket_wants_a_token_first(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    with client.websocket_connect("/ws") as socket:
        socket.send_json({"token": bearer()["Authorization"].split()[1]})
        assert socket.receive_json() == {"type": "ready", "tenant": "acme"}
        socket.send_json({"type": "ping"})
        assert socket.receive_json()["type"] == "pong"
        socket.send_text("not json")
        assert socket.receive_json()["type"] == "error"
    with client.websocket_connect("/ws") as socket:
        socket.send_json({"token": "x"})
        with pytest.raises(WebSocketDisconnect) as refused:
            socket.receive_json()
    assert refused.value.code == live.UNAUTHENTICATED
    monkeypatch.setattr(live, "FIRST_MESSAGE_SECONDS", 0.05)
    with client.websocket_connect("/ws") as socket, pytest.raises(WebSocketDisconnect) as late:
        socket.receive_json()
    assert late.value.code == live.TIMED_OUT


def test_every_route_of_a_tenant_is_in_the_table_above() -> None:
    routes = [route for route in api.ROUTES if isinstance(route, Route) and "tenant_id" in route.path]
    asked = {(method, route.path) for route in routes for method, path in OWN if route.path_regex.match(path.format("acme"))}
    assert asked == {(method, route.path) for route in routes for method in (route.methods or set()) - {"HEAD"}}
