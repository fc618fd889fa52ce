# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The API's routes."""

from __future__ import annotations

import asyncio
import time

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route, WebSocketRoute

from . import VERSION, tenants, tokens
from .access import acting, body, caller, identifier, services, tenant_of
from .dependencies import CHECKS
from .live import live
from .metrics import SIGN_INS

STARTED = time.time()
# Checking a password costs 50 ms of a core and 16 MiB: whoever tries many waits.
_passwords = asyncio.Semaphore(2)
PAGE = "<!doctype html><html lang=en><meta charset=utf-8><title>{title}</title><h1>{title}</h1><p>{text}</p></html>"


async def health(request: Request) -> Response:
    """That the process answers; what it needs is asked for by name."""
    region = services(request).configuration.region
    return JSONResponse({"status": "ok", "version": VERSION, "region": region, "uptime_seconds": round(time.time() - STARTED, 1)})


async def health_of(request: Request) -> Response:
    """One of the systems that the service needs; 503 when it does not answer as it should."""
    well, found = await services(request).dependencies.check(request.url.path.rpartition("/")[2])
    return JSONResponse(found, 200 if well else 503)


async def metrics(_request: Request) -> Response:
    """For Prometheus."""
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)


async def sign_in(request: Request) -> Response:
    """A password for a token: ``{"account", "password"}`` of the platform, or ``{"tenant", "email", "password"}``."""
    given = await body(request, "password")
    configuration = services(request).configuration
    if "account" in given:
        account = configuration.accounts.get(given["account"])
        good = tokens.opens(given["password"], account.digest if account else None)
        principal = tokens.Principal(given["account"], None, frozenset(account.scopes)) if account and good else None
    elif "tenant" in given and "email" in given:
        principal = await _user(request, given["tenant"], given["email"], given["password"])
    else:
        raise HTTPException(400, "the body must be an object with account and password, or tenant, email and password")
    SIGN_INS.labels("ok" if principal else "refused").inc()
    if principal is None:
        raise HTTPException(401, "unknown, or not the password")
    request.scope["leanvibe.tenant"] = principal.tenant
    return JSONResponse({"token": tokens.issue(configuration.signing_key, principal), "expires_in": tokens.LIFETIME_SECONDS})


async def _user(request: Request, tenant_id: str, email: str, password: str) -> tokens.Principal | None:
    async with services(request).sessions.transaction(tenant_id) as connection:
        row = await tenants.user(connection, tenant_id, email)
        tenant = await tenants.tenant(connection, tenant_id)
    async with _passwords:
        good = await asyncio.to_thread(tokens.matches, password, row["password_hash"] if row else None)
    if not good or tenant is None:
        return None
    if tenant["state"] != "active":
        raise HTTPException(403, f"the tenant is {tenant['state']}")
    return tokens.Principal(email, tenant_id)


async def me(request: Request) -> Response:
    """Who the caller is."""
    principal = caller(request)
    return JSONResponse({"name": principal.name, "tenant": principal.tenant, "scopes": sorted(principal.scopes)})


async def tenant(request: Request) -> Response:
    """A tenant's own facts."""
    tenant_id = tenant_of(request)
    async with acting(request, tenant_id) as connection:
        return JSONResponse(await tenants.tenant(connection, tenant_id))


async def account(request: Request) -> Response:
    """Make (PUT) or remove (DELETE) a tenant's user; for the platform's accounts with the right ``accounts``."""
    tenant_id = tenant_of(request, "accounts")
    if caller(request).tenant is not None:
        raise HTTPException(403, "accounts are made by the platform")
    email = str(request.path_params["email"])
    if request.method == "DELETE":
        async with acting(request, tenant_id) as connection:
            gone = await tenants.delete_user(connection, tenant_id, email)
        return Response(status_code=204 if gone else 404)
    given = await body(request, "display_name", "password")
    async with _passwords:
        kept = await asyncio.to_thread(tokens.hashed, given["password"])
    async with acting(request, tenant_id) as connection:
        user_id = await tenants.put_user(connection, tenant_id, email, given["display_name"], kept)
    return JSONResponse({"user_id": user_id, "email": email})


async def projects(request: Request) -> Response:
    """A tenant's projects; POST makes one."""
    tenant_id = tenant_of(request)
    if request.method == "GET":
        async with acting(request, tenant_id) as connection:
            return JSONResponse({"projects": await tenants.projects(connection, tenant_id)})
    given = await body(request, "name")
    async with acting(request, tenant_id) as connection:
        made = await tenants.add_project(connection, tenant_id, given["name"], given.get("description", ""))
    return JSONResponse(made, 201)


async def project(request: Request) -> Response:
    """One project; DELETE removes it."""
    tenant_id, project_id = tenant_of(request), identifier(request, "project_id")
    async with acting(request, tenant_id) as connection:
        if request.method == "DELETE":
            return Response(status_code=204 if await tenants.delete_project(connection, tenant_id, project_id) else 404)
        found = await tenants.project(connection, tenant_id, project_id)
    if found is None:
        raise HTTPException(404, "there is no such project")
    return JSONResponse(found)


async def jobs(request: Request) -> Response:
    """Give the worker something to do for a tenant: count its projects."""
    tenant_id = tenant_of(request)
    async with acting(request, tenant_id):
        job = await services(request).store.add("count_projects", tenant_id)
    return JSONResponse({"id": job, "state": "waiting"}, 202)


async def job(request: Request) -> Response:
    """What became of a job."""
    tenant_id = tenant_of(request)
    found = await services(request).store.job(tenant_id, str(identifier(request, "job_id")))
    if found is None:
        raise HTTPException(404, "there is no such job")
    return JSONResponse(found)


async def page(request: Request) -> Response:
    """The public pages: of the application, and of its documentation."""
    title, text = ("Documentation", "How to use LeanVibe.") if request.url.path == "/docs" else ("LeanVibe", "The platform is here.")
    return HTMLResponse(PAGE.format(title=title, text=text))


TENANT = "/api/v1/tenants/{tenant_id}"
ROUTES = (
    Route("/", page),
    Route("/docs", page),
    Route("/health", health),
    *(Route(f"/health/{name}", health_of) for name in CHECKS),
    Route("/metrics", metrics),
    Route("/api/v1/sign-in", sign_in, methods=["POST"]),
    Route("/api/v1/me", me),
    Route(TENANT, tenant),
    Route(f"{TENANT}/accounts/{{email}}", account, methods=["PUT", "DELETE"]),
    Route(f"{TENANT}/projects", projects, methods=["GET", "POST"]),
    Route(f"{TENANT}/projects/{{project_id}}", project, methods=["GET", "DELETE"]),
    Route(f"{TENANT}/jobs", jobs, methods=["POST"]),
    Route(f"{TENANT}/jobs/{{job_id}}", job),
    WebSocketRoute("/ws", live),
)
