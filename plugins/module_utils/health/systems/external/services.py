# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the checks of services outside the platform look with. Each is looked at only if the inventory names it; one that is silent costs its time-out once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ....clients.web import Web
from ...model import Check, Finding, NotApplicable, Session, Threshold
from ..answers import certificate

SYSTEM = "external"
SECONDS = 3.0


@dataclass
class Services:
    """``declared`` is what the inventory names: billing, identity, mail. ``webs`` are the addresses that were asked."""

    declared: Mapping[str, Mapping[str, Any]]
    webs: list[Web] = field(default_factory=list)

    def named(self, name: str) -> Mapping[str, Any]:
        """What the inventory says about a service. Raises NotApplicable."""
        found = self.declared.get(name)
        if not found:
            raise NotApplicable(f"not configured: the inventory names none (leanvibe_ops_external.{name})")
        return found

    def web(self, address: str, ca_file: str | None) -> Web:
        """A bounded client of an address. Raises OpsError."""
        web = Web(address, SECONDS, ca_file)
        self.webs.append(web)
        return web


Run = Session[Services]


def reached(session: Run, name: str, web: Web) -> Web:
    """The client of a service that answers as far as its certificate; where not even that comes, nobody waits for it again. Raises Unreachable."""
    if web.tls is not None:
        shown(session, name, web)
    return web


def shown(session: Run, name: str, web: Web) -> Finding:
    """How long a service's certificate lasts, looked at once. ``web`` must be one with TLS."""
    address = web.tls or ("", 0)
    return session.once(f"certificate/{name}", lambda _services: certificate(session, address, web.ca_file, SECONDS, name=name))


def check(name: str, question: str, run: Callable[[Run], Iterable[Finding]], query: str, threshold: Threshold | None = None, **more: Any) -> Check[Services]:
    """A check of this system."""
    return Check(
        id=f"{SYSTEM}.{name}", question=question, system=SYSTEM, run=run, query=query, runbook=f"runbooks/{SYSTEM}.md#{name}", threshold=threshold, **more
    )
