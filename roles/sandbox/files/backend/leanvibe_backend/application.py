# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Puts a process together: routes, what they use, and what is counted around every request."""

from __future__ import annotations

import asyncio
import importlib
import logging
import signal
import time
from collections.abc import AsyncIterator, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import Any

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from . import VERSION, metrics
from .access import Services
from .api import ROUTES
from .configuration import Configuration
from .database import Sessions, Unavailable
from .dependencies import Dependencies, GraphDatabase
from .store import Store
from .tenants import Conflict

LOG = logging.getLogger("leanvibe.backend")
STATE_SECONDS = 5.0


class Counted:
    """Counts and times every request by its route, never by its path: paths hold names of tenants."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        status = 500
        began = time.perf_counter()

        async def note(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self.app(scope, receive, note)
        finally:
            route = getattr(scope.get("route"), "path", None) or "other"
            method = scope["method"]
            metrics.REQUESTS.labels(method, route, str(status)).inc()
            metrics.SECONDS.labels(method, route).observe(time.perf_counter() - began)
            if scope.get("leanvibe.tenant"):
                outcome = "failed" if status >= 500 else "refused" if status >= 400 else "ok"
                metrics.TENANT_REQUESTS.labels(scope["leanvibe.tenant"], outcome).inc()


async def _http_error(_request: Request, error: Exception) -> Response:
    status, headers = (error.status_code, error.headers) if isinstance(error, HTTPException) else (500, None)
    return JSONResponse({"error": getattr(error, "detail", "")}, status, headers=headers)


async def _unavailable(_request: Request, error: Exception) -> Response:
    LOG.warning("%s", error)
    return JSONResponse({"error": f"{getattr(error, 'system', 'a system')} is not available"}, 503, headers={"Retry-After": "5"})


async def _conflict(_request: Request, error: Exception) -> Response:
    return JSONResponse({"error": str(error)}, 409)


HANDLERS: dict[Any, Any] = {HTTPException: _http_error, Unavailable: _unavailable, Conflict: _conflict}


async def watch_worker(store: Store) -> None:
    """Keep the gauges of the worker true, whether or not somebody scrapes them."""
    while True:
        with suppress(Unavailable):
            state = await store.state()
            metrics.shown(metrics.QUEUED).set(state["waiting"])
            if state["last_done"] is not None:
                metrics.shown(metrics.LAST_DONE).set(state["last_done"])
        await asyncio.sleep(STATE_SECONDS)


def _ended(task: asyncio.Task[None]) -> None:
    """Work that is meant to last has ended by a mistake: the process must not go on saying that it is well."""
    if not task.cancelled() and task.exception() is not None:
        LOG.error("ended by a mistake", exc_info=task.exception())
        signal.raise_signal(signal.SIGTERM)


@asynccontextmanager
async def beside(*work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Run these as long as the block lasts."""
    tasks = [asyncio.create_task(one) for one in work]
    for task in tasks:
        task.add_done_callback(_ended)
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def warm(graph: GraphDatabase | None) -> None:
    """Load what the first requests would wait for, and everybody with them: on a busy machine these packages take seconds."""
    for package in ("neo4j", "httpx"):
        await asyncio.to_thread(importlib.import_module, package)
    if graph is not None:
        with suppress(Unavailable):  # whether it answers is told by /health/graph
            await graph.ping()


def api(configuration: Configuration) -> Starlette:
    """The API of one region."""
    if configuration.database is None or configuration.cache is None:
        raise ValueError("the API needs a database and a cache")
    database, cache = configuration.database, configuration.cache
    metrics.shown(metrics.SOCKETS)
    metrics.known()
    graph = GraphDatabase(configuration.graph) if configuration.graph else None

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        sessions, store = Sessions(database, "leanvibe-backend"), Store(cache, configuration.region)
        app.state.services = Services(configuration, sessions, store, Dependencies(sessions, store, graph, configuration.billing))
        async with AsyncExitStack() as stack:
            for closing in (sessions.close, store.close, *((graph.close,) if graph else ())):
                stack.push_async_callback(closing)
            await stack.enter_async_context(beside(watch_worker(store), warm(graph)))
            yield

    return _application(list(ROUTES), lifespan, configuration)


def background(configuration: Configuration, work: Coroutine[Any, Any, None]) -> Starlette:
    """A process that mostly does ``work``; it can be asked how it is."""

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        async with beside(work):
            yield

    async def health(_request: Request) -> Response:
        return JSONResponse({"status": "ok", "version": VERSION, "region": configuration.region})

    async def scrape(_request: Request) -> Response:
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

    return _application([Route("/health", health), Route("/metrics", scrape)], lifespan, configuration)


def _application(routes: list[Any], lifespan: Any, configuration: Configuration) -> Starlette:
    metrics.BUILD.info({"version": VERSION, "region": configuration.region})
    return Starlette(routes=routes, lifespan=lifespan, middleware=[Middleware(Counted)], exception_handlers=HANDLERS)
