# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The application of one region of the sandbox, to be broken and mended: its processes, the ways to and from it, a tenant of the test's own."""

from __future__ import annotations

import configparser
import contextlib
import json
import secrets
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psutil
import psycopg
from ansible_collections.leanvibe.ops.plugins.module_utils.sandbox.supervisor import Supervisor
from health_cluster import look

PROVISION = "INSERT INTO leanvibe.tenants (tenant_id, name, tier, region, state) VALUES (%s, %s, 'enterprise', %s, 'active')"
# A machine that many share is slow at times; the checks' own figures are for the faults that slow the application down.
PATIENT = {
    **{f"backend.{check}[enterprise]": {"degraded": 3000, "critical": 9000} for check in ("response", "database_response")},
    "backend.up": {"degraded": 2.5, "critical": 3},
    "backend.websocket": {"degraded": 5, "critical": 9},
    "backend.journey": {"degraded": 15, "critical": 20},
}


def process_of(data: str, *words: str) -> psutil.Process:
    """The one process of this sandbox's folder ``data`` in whose command line all the words are. Raises AssertionError unless there is exactly one."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        line = process.info["cmdline"] or []
        if all(any(word in part for part in line) for word in words) and any(f"{data}/" in part for part in line):
            found.append(process)
    assert len(found) == 1, f"{len(found)} processes with {words} in {data}, and only one may be stopped"
    return found[0]


@contextlib.contextmanager
def killed(data: str, program: str, process: psutil.Process) -> Iterator[None]:
    """A server that has died; afterwards the sandbox's supervisor starts it, and nothing else is touched."""
    settings = configparser.RawConfigParser(strict=False)
    settings.read(Path(data) / "supervisord.conf", encoding="utf-8")
    supervisor = Supervisor(Path(data), Path(settings["unix_http_server"]["file"]))
    process.kill()
    eventually(lambda: program not in supervisor.pids(), f"the end of {program}")
    try:
        yield
    finally:
        supervisor.start(program)


@contextlib.contextmanager
def paused(process: psutil.Process) -> Iterator[None]:
    process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        process.send_signal(signal.SIGCONT)


def eventually(question: Callable[[], bool], what: str, seconds: float = 60.0) -> None:
    ends = time.monotonic() + seconds
    while not question():
        assert time.monotonic() < ends, f"{what} did not come within {seconds:g} s"
        time.sleep(0.2)


@dataclass
class Region:
    """One region's application, with a tenant of its own."""

    sandbox: dict[str, Any]
    credentials: dict[str, Any]
    name: str
    tenant: str = field(default_factory=lambda: f"hc-{secrets.token_hex(4)}")

    def __post_init__(self) -> None:
        self.parts = self.sandbox["regions"][self.name]
        self.data = str(self.sandbox["data"])
        self.api = httpx.Client(base_url=self.parts["backend"]["direct_url"], timeout=20, trust_env=False)
        self.toxiproxy = httpx.Client(base_url=self.parts["toxiproxy"]["endpoint"], timeout=10, trust_env=False)

    def superuser(self) -> psycopg.Connection[Any]:
        return psycopg.connect(
            host="localhost", port=self.sandbox["regions"]["us-east-1"]["postgresql"]["port"], dbname="leanvibe", user="postgres",
            password=self.credentials["postgresql"]["postgres"], sslmode="verify-full", sslrootcert=self.sandbox["ca_file"], autocommit=True,
        )  # fmt: skip

    def rows(self, query: str, *values: Any) -> list[Any]:
        with self.superuser() as connection:
            cursor = connection.execute(query, values)  # type: ignore[call-overload]  # the tests' own texts
            return list(cursor.fetchall()) if cursor.description else []

    def make(self) -> None:
        self.rows(PROVISION, self.tenant, self.tenant, self.name)

    def clean(self) -> None:
        for table in ("projects", "users", "tenants"):
            self.rows(f"DELETE FROM leanvibe.{table} WHERE tenant_id = %s", self.tenant)  # noqa: S608 - one of three words

    def left(self) -> tuple[int, int]:
        """Projects and users of the tenant."""
        return tuple(self.rows(f"SELECT count(*) FROM leanvibe.{table} WHERE tenant_id = %s", self.tenant)[0][0] for table in ("projects", "users"))  # type: ignore[return-value]  # noqa: S608

    def connection(self, **change: Any) -> dict[str, Any]:
        accounts = {name: {"account": name, "password": self.credentials["backend"][name]} for name in ("probe", "provisioner")}
        addresses = {"url": self.parts["backend"]["url"], "direct_url": self.parts["backend"]["direct_url"], "worker_url": self.parts["worker"]["url"]}
        return {**addresses, **accounts, **change}

    def look(self, *, connection: dict[str, Any] | None = None, options: dict[str, Any] | None = None, **change: Any) -> dict[str, Any]:
        """The module over this region."""
        tenants = [{"id": self.tenant, "tier": "enterprise", "region": self.name}, {"id": "hc-another", "tier": "team", "region": "elsewhere"}]
        given = {"thresholds": PATIENT, "budget": 60.0, **change}
        told = {"pages": ["/", "/docs"], "journey_tenant": self.tenant, **(options or {})}
        return look("backend", region=self.name, connection=connection or self.connection(), options=told, tenants=tenants, **given)

    def process(self, role: str) -> psutil.Process:
        return process_of(self.data, "leanvibe_backend", role, f"/{self.name}/")

    @contextlib.contextmanager
    def cut(self, way: str) -> Iterator[None]:
        """A way of toxiproxy that leads nowhere."""
        assert self.toxiproxy.post(f"/proxies/{way}", json={"enabled": False}).json()["enabled"] is False
        try:
            yield
        finally:
            assert self.toxiproxy.post(f"/proxies/{way}", json={"enabled": True}).json()["enabled"] is True

    @contextlib.contextmanager
    def _toxic(self, way: str, kind: str, **attributes: int) -> Iterator[None]:
        toxic = {"name": "hc", "type": kind, "stream": "downstream", "attributes": attributes}
        assert self.toxiproxy.post(f"/proxies/{way}/toxics", json=toxic).status_code == 200
        try:
            yield
        finally:
            assert self.toxiproxy.delete(f"/proxies/{way}/toxics/hc").status_code == 204

    def slow(self, way: str, latency_ms: int) -> contextlib.AbstractContextManager[None]:
        """A way on which answers come later."""
        return self._toxic(way, "latency", latency=latency_ms)

    def hangs(self, way: str) -> contextlib.AbstractContextManager[None]:
        """A way on which nothing comes back, and connections stay."""
        return self._toxic(way, "timeout", timeout=0)

    def well(self) -> bool:
        """Whether the application reaches all it needs, as it says itself."""
        with contextlib.suppress(httpx.HTTPError):  # just started
            answers = [self.api.get(f"/health/{name}") for name in ("db", "cache", "graph", "worker", "billing")]
            return all(answer.status_code == 200 for answer in answers)
        return False

    def user(self) -> dict[str, str]:
        """The headers of a user of the tenant."""
        provisioner = self.api.post("/api/v1/sign-in", json={"account": "provisioner", "password": self.credentials["backend"]["provisioner"]}).json()
        email, password = "hc@example.com", secrets.token_hex(8)
        body = {"display_name": "Tester", "password": password}
        made = self.api.put(f"/api/v1/tenants/{self.tenant}/accounts/{email}", json=body, headers={"Authorization": f"Bearer {provisioner['token']}"})
        assert made.status_code == 200, made.text
        token = self.api.post("/api/v1/sign-in", json={"tenant": self.tenant, "email": email, "password": password}).json()["token"]
        return {"Authorization": f"Bearer {token}"}

    def worker_state(self) -> dict[str, Any]:
        return dict(json.loads(self.api.get("/health/worker").text))
