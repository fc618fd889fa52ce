# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the checks of the application look with: its API as users reach it, the process behind it, and what they ask more than once."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ....clients.web import Answer, Web
from ....common.errors import AccessDenied
from ....reports.model import OK
from ...model import Check, Finding, NoData, NotApplicable, Session, Threshold
from ..answers import failed, json_answer, unexpected

SYSTEM = "backend"
REQUEST_SECONDS = 3.0
# The application waits for what it needs before it says that it does not come.
HEALTH_SECONDS = 5.0
SIGN_IN = "/api/v1/sign-in"


@dataclass
class Service:
    """``users`` is the address that users come in by, ``direct`` that of one process without what stands before it, ``worker`` that of the background jobs.

    ``accounts`` are the platform's own by role (probe, provisioner), each with account and password. ``ends`` is when the check that runs must be done
    (monotonic clock).
    """

    users: Web
    direct: Web | None = None
    worker: Web | None = None
    accounts: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    ends: float = 0.0

    def left(self) -> float:
        """Seconds that the check has left."""
        return self.ends - time.monotonic()

    def webs(self) -> list[Web]:
        """All addresses."""
        return [web for web in (self.users, self.direct, self.worker) if web is not None]


Run = Session[Service]


def limit(service: Service, seconds: float) -> None:
    """The check that runs has ``seconds``, and each of its requests no more than REQUEST_SECONDS of them."""
    service.ends = time.monotonic() + seconds
    for web in service.webs():
        web.seconds = min(seconds, REQUEST_SECONDS)


def token_of(service: Service, role: str) -> str:
    """Sign in with one of the platform's accounts. Raises NotApplicable, AccessDenied, NoData."""
    account = service.accounts.get(role)
    if not account:
        raise NotApplicable(f"not configured: the inventory names no account for it (leanvibe_ops_backend.{role})")
    answer = service.users.request("POST", SIGN_IN, body={"account": account["account"], "password": account["password"]})
    if answer.status in (401, 403):
        raise AccessDenied(f"{answer.where} refused the account {account['account']} ({answer.status}): its password in the inventory is not the application's")
    if answer.status != 200:
        raise NoData(f"{answer.where} answered {answer.status} where 200 and a token were expected")  # not its words: they may hold the token
    token = json_answer(answer).get("token")
    if not isinstance(token, str) or not token:
        raise NoData(f"{answer.where} answered 200, and with no token")
    return token


def probe_token(session: Run) -> str:
    """The token of the probe's account, asked for once."""
    return session.once("token", lambda service: token_of(service, "probe"))


def health_of(session: Run, name: str) -> Answer:
    """What GET /health/<name> answers, asked for once."""

    def ask(service: Service) -> Answer:
        service.users.seconds = min(service.left(), HEALTH_SECONDS)
        return service.users.request("GET", f"/health/{name}")

    return session.once(f"health/{name}", ask)


def well(answer: Answer) -> dict[str, Any] | None:
    """What a health endpoint says if it is well, None if it says that it is not. Raises NoData if it says neither."""
    if answer.status == 200:
        found = json_answer(answer)
        if found.get("status") != "ok":
            raise unexpected(answer, '{"status": "ok"}')
        return found
    if answer.status < 500:
        raise unexpected(answer, "200, or 503 with a reason,")
    return None


def health_finding(answer: Answer, said: Callable[[Mapping[str, Any]], Finding]) -> Finding:
    """The finding of a health endpoint: what ``said`` makes of it when it is well."""
    found = well(answer)
    return failed(answer) if found is None else said(found)


def direct(service: Service) -> Web:
    """The address of one process. Raises NotApplicable if the inventory names none."""
    if service.direct is None:
        raise NotApplicable("not configured: the inventory names no address of one process of the application (leanvibe_ops_backend.direct_url)")
    return service.direct


def number(found: Mapping[str, Any], name: str, where: str) -> float:
    """A figure of a JSON answer. Raises NoData if it is none."""
    value = found.get(name)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise NoData(f"{where} says no {name}")
    return float(value)


def tiers_here(session: Run) -> dict[str, list[str]]:
    """Tiers that have declared tenants in this region, with their ids. Raises NotApplicable if there are none: nobody was promised anything here."""
    found: dict[str, list[str]] = {}
    for tenant in session.tenants:
        if tenant.get("region") == session.region and tenant.get("state") != "suspended":
            found.setdefault(str(tenant.get("tier")), []).append(str(tenant["id"]))
    if not found:
        raise NotApplicable("no tenants are declared in this region, so nobody was promised anything")
    return found


def fine(observed: Any, message: str, **more: Any) -> Finding:
    """A finding that is ok."""
    return Finding(observed=observed, verdict=OK, message=message, **more)


def check(name: str, question: str, run: Callable[[Run], Iterable[Finding]], query: str, threshold: Threshold | None = None, **more: Any) -> Check[Service]:
    """A check of this system."""
    return Check(
        id=f"{SYSTEM}.{name}", question=question, system=SYSTEM, run=run, query=query, runbook=f"runbooks/{SYSTEM}.md#{name}", threshold=threshold, **more
    )
