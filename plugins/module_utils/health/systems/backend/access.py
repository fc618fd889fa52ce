# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Signing in for real, and being refused for real."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Iterator

from ....reports.model import CRITICAL, OK
from ...model import Finding
from ..answers import failed, json_answer, unexpected
from .service import Run, check, probe_token

ME = "/api/v1/me"


def projects_of(tenant: str) -> str:
    """Where a tenant's projects are."""
    return f"/api/v1/tenants/{tenant}/projects"


def _sign_in(session: Run) -> Iterator[Finding]:
    token = probe_token(session)
    answer = session.client.users.request("GET", ME, token=token)
    if answer.status >= 500:
        yield failed(answer)
        return
    if answer.status != 200:
        yield Finding(verdict=CRITICAL, message=f"the token that signing in gave is not taken: {answer.where} answered {answer.status}")
        return
    name = json_answer(answer).get("name")
    if name != session.client.accounts["probe"]["account"]:
        yield Finding(verdict=CRITICAL, message=f"signed in as {session.client.accounts['probe']['account']}, and {answer.where} says that we are {name}")
    else:
        yield Finding(verdict=OK, message=f"signed in as {name}")


def _unsigned(tenant: str) -> str:
    """A token that says what one likes, and that nobody has signed (``alg: none``)."""
    now = int(time.time())
    claims = {"iss": "leanvibe-backend", "sub": "probe", "tenant": tenant, "scopes": [], "iat": now, "exp": now + 60}
    parts = (json.dumps(part).encode() for part in ({"alg": "none", "typ": "JWT"}, claims))
    return ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts) + "."


def _authorization(session: Run) -> Iterator[Finding]:
    """Of all tenants one is asked for: the rule is the same for all."""
    tenant = min((str(one["id"]) for one in session.tenants), default="nobody")
    path = projects_of(tenant)
    cases = (
        ("stranger", "", (401,), "without a token"),
        ("unsigned", _unsigned(tenant), (401,), "with a token that nobody signed"),
        ("other_tenant", probe_token(session), (403, 404), "by an account without rights on this tenant"),
    )
    for name, token, good, how in cases:
        answer = session.client.users.request("GET", path, token=token)
        if answer.status in good:
            yield Finding(observed=answer.status, verdict=OK, name=name, message=f"refused {how}")
        elif answer.status < 300:
            message = f"{answer.where} was answered {how} ({answer.status}): data of tenants are open"
            yield Finding(observed=answer.status, verdict=CRITICAL, name=name, message=message, tenants=(tenant,))
        elif answer.status >= 500:
            yield failed(answer, observed=answer.status, name=name)
        else:
            raise unexpected(answer, " or ".join(map(str, good)))


GRANTS = ("an account of the application that may sign in and nothing else (leanvibe_ops_backend.probe)",)
CHECKS = (
    check("sign_in", "Can one sign in, and is one then who one is?", _sign_in,
          "curl -sS -X POST URL/api/v1/sign-in -H 'Content-Type: application/json' -d @account.json", timeout=8.0, grants=GRANTS),
    check("authorization", "Is a forbidden call forbidden: without a token, with an unsigned one, on another's data?", _authorization,
          "curl -sS -i URL/api/v1/tenants/TENANT/projects -H 'Authorization: Bearer TOKEN'", timeout=12.0, grants=GRANTS),
)  # fmt: skip
