# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Light, steady traffic: what a few people would do, for tenants that are there, cleaned up when it ends."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import itertools
import json
import uuid
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
from websockets.asyncio.client import connect
from websockets.exceptions import WebSocketException

from .configuration import Configuration, Traffic
from .metrics import TRAFFIC

PAUSE_SECONDS = 1.0
REQUEST_SECONDS = 8.0
FAREWELL_SECONDS = 4.0
EMAIL = "traffic@sandbox.invalid"
NAME = "Synthetic traffic"
# A tenant that was refused (it does not exist here, or is suspended) is asked for again after so many rounds.
PATIENCE = 60


class Failed(Exception):
    """The service gave another answer than it should."""


class Visitor:
    """One region's visitor; ``tokens`` are those of the tenants that let it in."""

    def __init__(self, region: str, url: str, traffic: Traffic, client: httpx.AsyncClient) -> None:
        self.region = region
        self.url = url
        self.traffic = traffic
        self.client = client
        self.tokens: dict[str, str] = {}
        self.refused: dict[str, int] = {}
        self.made: set[str] = set()

    def _password(self, tenant: str) -> str:
        return hmac.new(self.traffic.seed.encode(), tenant.encode(), hashlib.sha256).hexdigest()

    async def ask(self, method: str, path: str, good: tuple[int, ...], *, token: str | None = None, body: object = None) -> httpx.Response:
        """One request. Raises Failed when the answer is none of ``good``."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        answer = await self.client.request(method, self.url + path, headers=headers, json=body)
        if answer.status_code not in good:
            raise Failed(f"{method} {path} -> {answer.status_code}")
        return answer

    async def sign_in(self, body: dict[str, str]) -> str:
        """A token."""
        return str((await self.ask("POST", "/api/v1/sign-in", (200,), body=body)).json()["token"])

    async def enter(self, tenant: str) -> str | None:
        """A token for ``tenant``, its account made before if need be; None where it is not let in."""
        if tenant in self.tokens:
            return self.tokens[tenant]
        if self.refused.get(tenant, 0) > 0:
            self.refused[tenant] -= 1
            return None
        platform = await self.sign_in({"account": self.traffic.account, "password": self.traffic.password})
        account = {"display_name": NAME, "password": self._password(tenant)}
        answer = await self.ask("PUT", f"/api/v1/tenants/{tenant}/accounts/{EMAIL}", (200, 403, 404), token=platform, body=account)
        if answer.status_code != 200:
            self.refused[tenant] = PATIENCE
            return None
        self.made.add(tenant)
        self.tokens[tenant] = await self.sign_in({"tenant": tenant, "email": EMAIL, "password": self._password(tenant)})
        return self.tokens[tenant]

    async def look(self) -> None:
        """Somebody who is not signed in."""
        await self.ask("GET", "/", (200,))
        await self.ask("GET", "/health", (200,))

    async def read(self, tenant: str, token: str) -> None:
        """Somebody looks at his projects."""
        await self.ask("GET", f"/api/v1/tenants/{tenant}", (200,), token=token)
        await self.ask("GET", f"/api/v1/tenants/{tenant}/projects", (200,), token=token)

    async def write(self, tenant: str, token: str) -> None:
        """Somebody makes a project and thinks better of it."""
        projects = f"/api/v1/tenants/{tenant}/projects"
        made = await self.ask("POST", projects, (201,), token=token, body={"name": f"traffic-{uuid.uuid4()}", "description": NAME})
        await self.ask("DELETE", f"{projects}/{made.json()['project_id']}", (204,), token=token)

    async def work(self, tenant: str, token: str) -> None:
        """Somebody gives the worker a job."""
        await self.ask("POST", f"/api/v1/tenants/{tenant}/jobs", (202,), token=token)

    async def talk(self, _tenant: str, token: str) -> None:
        """Somebody opens a WebSocket."""
        address = self.url.replace("http", "ws", 1) + "/ws"
        async with asyncio.timeout(REQUEST_SECONDS), connect(address, open_timeout=REQUEST_SECONDS, close_timeout=1) as socket:
            await socket.send(json.dumps({"token": token}))
            await socket.recv()
            await socket.send(json.dumps({"type": "ping"}))
            if json.loads(await socket.recv()).get("type") != "pong":
                raise Failed("no pong")

    async def step(self, name: str, tenant: str | None, work: Callable[[], Awaitable[None]]) -> None:
        """Do one thing and count how it went; what goes wrong ends this step only."""
        try:
            await work()
            outcome = "ok"
        except (Failed, httpx.HTTPError, WebSocketException, OSError, TimeoutError, ValueError, KeyError):
            outcome = "failed"
            if tenant is not None:
                self.tokens.pop(tenant, None)
        TRAFFIC.labels(self.region, name, outcome).inc()

    async def round(self, number: int) -> None:
        """What happens in one second or so."""
        await self.step("look", None, self.look)
        tenants = self.traffic.tenants
        if not tenants:
            return
        tenant = tenants[number % len(tenants)]
        found: list[str] = []

        async def enter() -> None:
            token = await self.enter(tenant)
            found.extend([token] if token else [])

        await self.step("enter", tenant, enter)
        if not found:
            return
        kinds: list[tuple[int, str, Callable[[str, str], Awaitable[None]]]] = [
            (1, "read", self.read), (3, "write", self.write), (5, "work", self.work), (8, "talk", self.talk),
        ]  # fmt: skip
        for every, name, work in kinds:
            if number % every == 0 and tenant in self.tokens:
                await self.step(name, tenant, lambda work=work: work(tenant, found[0]))  # type: ignore[misc]

    async def leave(self) -> None:
        """Take away the accounts that were made."""
        if not self.made:
            return
        platform = await self.sign_in({"account": self.traffic.account, "password": self.traffic.password})
        for tenant in sorted(self.made):
            await self.ask("DELETE", f"/api/v1/tenants/{tenant}/accounts/{EMAIL}", (204, 403, 404), token=platform)


async def visit(region: str, url: str, traffic: Traffic) -> None:
    """One region's traffic, until it is cancelled."""
    async with httpx.AsyncClient(timeout=REQUEST_SECONDS, trust_env=False) as client:
        visitor = Visitor(region, url, traffic, client)
        try:
            for number in itertools.count():
                await visitor.round(number)
                # A token lives for fifteen minutes.
                if number % 600 == 599:
                    visitor.tokens.clear()
                await asyncio.sleep(PAUSE_SECONDS)
        finally:

            async def farewell() -> None:
                async with asyncio.timeout(FAREWELL_SECONDS):
                    await visitor.leave()

            await visitor.step("leave", None, farewell)


async def drive(configuration: Configuration) -> None:
    """Traffic to every region. Raises ValueError without a description of it."""
    traffic: Any = configuration.traffic
    if traffic is None:
        raise ValueError("the configuration describes no traffic")
    async with asyncio.TaskGroup() as group:
        for region, url in traffic.urls.items():
            group.create_task(visit(region, url, traffic))
