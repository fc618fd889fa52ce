# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the application answers, and what it says about what it needs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

from ....reports.model import CRITICAL, OK
from ... import clocks
from ...model import Finding, NotApplicable, Threshold
from ...thresholds import judge
from ..answers import certificate, failed, unexpected, words
from ..expiry import THRESHOLD, VARIANTS
from .service import Run, check, fine, health_finding, health_of, number, well

_LOOKS = 3


def _up(session: Run) -> Iterator[Finding]:
    answer = session.once("health", lambda service: service.users.request("GET", "/health"))

    def said(found: Mapping[str, Any]) -> Finding:
        session.facts["version"] = str(found.get("version", ""))
        return Finding(observed=round(answer.seconds, 4), message=f"version {found.get('version', 'unknown')} answered in {answer.seconds:.3f} s")

    yield health_finding(answer, said)


def _needs(name: str, session: Run) -> Iterator[Finding]:
    """One late answer is a moment's; what is late three times is slow. How soon the database answers is judged elsewhere (backend.database_response)."""
    limits = session.limits("")
    answer = health_of(session, name)
    found = well(answer)
    took = []
    while found is not None:
        took.append(number(found, "latency_ms", answer.where))
        if limits is None or judge(took[-1], limits) == OK or len(took) == _LOOKS:
            message = "answers the application" + (f"; of {len(took)} answers the slowest took {max(took):.0f} ms" if len(took) > 1 else "")
            yield Finding(observed=min(took), unit="ms", verdict=OK if limits is None else None, message=message)
            return
        answer = session.client.users.request("GET", f"/health/{name}")
        found = well(answer)
    yield failed(answer)


def _pages(session: Run) -> Iterator[Finding]:
    """Absolute addresses that the inventory names, or paths of the application."""
    pages = session.options.get("pages")
    if not pages:
        raise NotApplicable("not configured: the inventory names no public pages (option pages)")
    for page in pages:
        name = str(page).strip("/") or "home"
        answer = session.client.users.request("GET", str(page))
        if answer.status >= 500:
            yield failed(answer, name=name)
        elif answer.status != 200:
            yield Finding(verdict=CRITICAL, name=name, message=f"{answer.where} answered {answer.status} where a page was expected: {words(answer)}")
        elif not answer.body.strip() or answer.content_type != "text/html":
            raise unexpected(answer, "a page (HTML)")
        else:
            yield fine(round(answer.seconds, 4), f"{len(answer.body)} bytes in {answer.seconds:.3f} s", unit="s", name=name)


def _certificate(session: Run) -> Iterator[Finding]:
    address = session.client.users.tls
    if address is None:
        raise NotApplicable("users reach it without TLS, as the inventory says (leanvibe_ops_backend.url)")
    yield certificate(session, address, session.client.users.ca_file, session.client.users.seconds)


def _clock(session: Run) -> Iterator[Finding]:
    """Of a process if there is a way to one: what stands before them has a clock of its own."""
    web = session.client.direct or session.client.users
    yield clocks.asked(session, "backend.clock", lambda: web.request("GET", "/health").headers.get("date"), f"{web.base}/health")


_SLOW = "guides: what one dependency takes, a request that needs it takes, too; API calls are promised at p95 within 200 ms (enterprise) or 500 ms (team)"
NEEDS: dict[str, tuple[str, str, Threshold | None]] = {
    "db": ("database", "its database", None),
    "cache": ("cache", "its cache", Threshold(degraded=200, critical=1000, unit="ms", source=_SLOW)),
    "graph": ("graph", "its graph", Threshold(degraded=500, critical=2000, unit="ms", source=_SLOW)),
    "billing": ("billing", "the payment provider, with the application's own key", Threshold(degraded=3000, unit="ms", source="ours: a person pays and waits")),
}
CHECKS = (
    check("certificate", "How long is the certificate good for that users are shown?", _certificate,
          "openssl s_client -connect HOST:443 -servername HOST </dev/null | openssl x509 -noout -enddate", THRESHOLD, variants=VARIANTS),
    check("up", "Does the application answer its users, and how soon?", _up, "curl -sS -i URL/health",
          Threshold(degraded=1, critical=3, unit="s", source="ours: it needs nothing for this answer; load balancers give up after some seconds")),
    check("clock", "How far is the application's clock from ours?", _clock, "curl -sSI DIRECT_URL/health | grep -i '^date'; date -u", clocks.BY_HEADER),
    *(
        check(name, f"Does the application reach {what}, and how soon?", partial(_needs, path), f"curl -sS -i URL/health/{path}", limits, timeout=8.0)
        for path, (name, what, limits) in NEEDS.items()
    ),
    check("pages", "Are the public pages there (application, documentation)?", _pages, "curl -sS -i PAGE", timeout=12.0),
)  # fmt: skip
