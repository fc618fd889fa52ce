# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may call what: the token says who calls, the path says what is asked for, and nothing else in a request is believed."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request

from . import tenants, tokens
from .configuration import Configuration
from .database import Connection, Sessions
from .dependencies import Dependencies
from .store import Store

BODY_BYTES = 65536


@dataclass
class Services:
    """What every request can use; kept in the application's state."""

    configuration: Configuration
    sessions: Sessions
    store: Store
    dependencies: Dependencies


def services(request: Any) -> Services:
    """The services of the application that a request or a WebSocket belongs to."""
    found: Services = request.app.state.services
    return found


def caller(request: Request) -> tokens.Principal:
    """Who calls. Raises 401."""
    try:
        principal = tokens.verify(services(request).configuration.signing_key, tokens.bearer(request.headers.get("authorization")))
    except tokens.Refused as error:
        raise HTTPException(401, str(error), headers={"WWW-Authenticate": "Bearer"}) from error
    # For the count of requests by tenant, which is made when the answer is known.
    request.scope["leanvibe.tenant"] = principal.tenant
    return principal


def tenant_of(request: Request, scope: str | None = None) -> str:
    """The tenant in the path, if the caller may act for it. Raises 401 and 403."""
    principal = caller(request)
    wanted = str(request.path_params["tenant_id"])
    if not principal.may_act_for(wanted, scope):
        # The same answer whether there is such a tenant or not.
        raise HTTPException(403, "this is not yours")
    return wanted


@asynccontextmanager
async def acting(request: Request, tenant_id: str) -> AsyncIterator[Connection]:
    """A transaction for a tenant that exists and is active. Raises 403 and 404."""
    async with services(request).sessions.transaction(tenant_id) as connection:
        row = await tenants.tenant(connection, tenant_id)
        if row is None:
            raise HTTPException(404, "there is no such tenant")
        if row["state"] != "active":
            raise HTTPException(403, f"the tenant is {row['state']}")
        yield connection


async def body(request: Request, *wanted: str) -> dict[str, str]:
    """The texts of a JSON body. Raises 400 and 413."""
    if int(request.headers.get("content-length") or 0) > BODY_BYTES:
        raise HTTPException(413, f"more than {BODY_BYTES} bytes")
    try:
        found = await request.json()
    except ValueError as error:
        raise HTTPException(400, "the body is not JSON") from error
    if not isinstance(found, dict) or not all(isinstance(found.get(name), str) and 0 < len(found[name]) <= 500 for name in wanted):
        raise HTTPException(400, f"the body must be an object with the texts {', '.join(wanted)}")
    return {name: value for name, value in found.items() if isinstance(value, str)}


def identifier(request: Request, name: str) -> uuid.UUID:
    """A UUID in the path. Raises 404: what has no such name is not there."""
    try:
        return uuid.UUID(str(request.path_params[name]))
    except ValueError as error:
        raise HTTPException(404, "there is nothing of this name") from error
