# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An application in memory that the checks of health_backend look at: well unless a test says otherwise, and it knows what is left in it."""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from email.utils import formatdate
from typing import Any

from ansible_collections.leanvibe.ops.plugins.module_utils.clients.web import Answer

PROBE, PROVISIONER = {"account": "probe", "password": "probe-password"}, {"account": "provisioner", "password": "provisioner-password"}
TENANTS = (
    {"id": "acme", "tier": "enterprise", "region": "us-east-1"},
    {"id": "globex", "tier": "team", "region": "us-east-1"},
    {"id": "far-away", "tier": "developer", "region": "us-west-2"},
)


def said(status: int, body: Any, content_type: str = "application/json", seconds: float = 0.01) -> Answer:
    """An answer; ``body`` is JSON unless it is text."""
    content = body.encode() if isinstance(body, str) else json.dumps(body).encode()
    return Answer("GET http://app", status, content, {"content-type": content_type}, seconds)


@dataclass
class Counters:
    """What the application has counted. ``times`` are upper bounds in s -> cumulated answers."""

    started: float = 1000.0
    answered: int = 1000
    failed: int = 0
    times: Mapping[str, int] = field(default_factory=lambda: {"0.1": 900, "0.2": 1000, "+Inf": 1000})
    tenants: Mapping[str, tuple[int, int]] = field(default_factory=lambda: {"acme": (600, 0), "globex": (400, 0)})
    more: str = ""

    def text(self) -> str:
        lines = [
            "# TYPE process_start_time_seconds gauge",
            f"process_start_time_seconds {self.started}",
            "# TYPE leanvibe_http_requests_total counter",
            f'leanvibe_http_requests_total{{method="GET",route="/api/v1/me",status="200"}} {self.answered - self.failed}',
            f'leanvibe_http_requests_total{{method="GET",route="/api/v1/me",status="503"}} {self.failed}',
            'leanvibe_http_requests_total{method="GET",route="/health",status="503"} 7000',
            "# TYPE leanvibe_http_request_seconds histogram",
            *(f'leanvibe_http_request_seconds_bucket{{method="GET",route="/api/v1/me",le="{bound}"}} {count}' for bound, count in self.times.items()),
            'leanvibe_http_request_seconds_bucket{method="GET",route="/health",le="0.1"} 0',
            'leanvibe_http_request_seconds_bucket{method="GET",route="/health",le="+Inf"} 7000',
            "# TYPE leanvibe_tenant_requests_total counter",
        ]
        for tenant, (good, failed) in self.tenants.items():
            lines += [f'leanvibe_tenant_requests_total{{tenant="{tenant}",outcome="{how}"}} {n}' for how, n in (("ok", good), ("failed", failed))]
        return "\n".join([*lines, self.more]) + "\n"


@dataclass
class Application:
    """``instead`` are answers, errors or functions (of the body) by "METHOD path"; a path may end in * for all that begin so. ``asked`` are all requests."""

    instead: dict[str, Any] = field(default_factory=dict)
    counters: Counters = field(default_factory=Counters)
    worker_state: dict[str, Any] = field(default_factory=lambda: {"done": 50, "failed": 0, "waiting": 0, "age_seconds": 4.0})
    base: str = "http://app"
    tls: Any = None
    ca_file: Any = None
    seconds: float = 3.0
    ahead: float | None = 0.0
    accounts: dict[str, str] = field(default_factory=dict)
    projects: dict[str, dict[str, str]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    _numbers: Any = field(default_factory=itertools.count)

    def request(self, method: str, path: str, body: Any = None, token: str = "") -> Answer:
        self.asked.append(f"{method} {path}")
        answer = self._instead(f"{method} {path}")
        if isinstance(answer, Exception):
            raise answer
        if callable(answer):
            answer = answer(body)
        answer = answer or self._answer(method, path, body, token)
        date = {"date": formatdate(time.time() + self.ahead, usegmt=True)} if self.ahead is not None else {}
        return replace(answer, headers={**answer.headers, **date})

    def _instead(self, asked: str) -> Any:
        found = [value for name, value in self.instead.items() if name == asked or (name.endswith("*") and asked.startswith(name[:-1]))]
        return found[0] if found else None

    def _answer(self, method: str, path: str, body: Any, token: str) -> Answer:
        if path == "/health":
            return said(200, {"status": "ok", "version": "1.2.3", "region": "us-east-1"})
        if path == "/health/worker":
            return said(200, {"status": "ok", **self.worker_state})
        if path.startswith("/health/"):
            return said(200, {"status": "ok", "latency_ms": 5.0})
        if path == "/metrics":
            return said(200, self.counters.text(), "text/plain; version=1.0.0; charset=utf-8")
        if path in ("/", "/docs"):
            return said(200, "<!doctype html><title>LeanVibe</title>", "text/html")
        if path == "/api/v1/sign-in":
            return self._sign_in(body)
        if not token.startswith("token-of-"):
            return said(401, {"error": "no valid token"})
        name = token.removeprefix("token-of-")
        if path == "/api/v1/me":
            return said(200, {"name": name, "tenant": None, "scopes": []})
        return self._tenant(method, path, body, name)

    def _sign_in(self, body: Any) -> Answer:
        good = [account for account in (PROBE, PROVISIONER) if body.get("account") == account["account"] and body["password"] == account["password"]]
        if good:
            return said(200, {"token": f"token-of-{body['account']}"})
        if body.get("email") and self.accounts.get(body["email"]) == body["password"]:
            return said(200, {"token": f"token-of-user@{body['tenant']}"})
        return said(401, {"error": "unknown, or not the password"})

    def _tenant(self, method: str, path: str, body: Any, name: str) -> Answer:
        tenant, _slash, rest = path.removeprefix("/api/v1/tenants/").partition("/")
        if rest.startswith("accounts/") and name == "provisioner":
            return self._account(method, rest.removeprefix("accounts/").replace("%40", "@"), body)
        if name != f"user@{tenant}":
            return said(403, {"error": "this is not yours"})
        if rest == "jobs":
            return said(202, {"id": "j1"})
        if rest.startswith("jobs/"):
            return said(200, {"state": "done"})
        return self._project(method, rest.removeprefix("projects").strip("/"), body)

    def _account(self, method: str, email: str, body: Any) -> Answer:
        if method == "PUT":
            self.accounts[email] = body["password"]
            return said(200, {"email": email})
        return said(204 if self.accounts.pop(email, None) else 404, "")

    def _project(self, method: str, number: str, body: Any) -> Answer:
        if method == "POST":
            made = {"project_id": f"p{next(self._numbers)}", "name": body["name"], "created_at": datetime.now(UTC).isoformat()}
            self.projects[made["project_id"]] = made
            return said(201, made)
        if method == "DELETE":
            return said(204 if self.projects.pop(number, None) else 404, "")
        if not number:
            return said(200, {"projects": list(self.projects.values())})
        return said(200, self.projects[number]) if number in self.projects else said(404, {"error": "there is no such project"})

    def leave(self, name: str, age: timedelta) -> None:
        """A project that is there already."""
        number = f"p{next(self._numbers)}"
        self.projects[number] = {"project_id": number, "name": name, "created_at": (datetime.now(UTC) - age).isoformat()}

    def close(self) -> None:
        """Nothing is open."""
