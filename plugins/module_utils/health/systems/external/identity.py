# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The identity provider: what it publishes for OpenID Connect, and the keys that its tokens are verified with."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from ....clients.web import Web
from ....reports.model import CRITICAL
from ...model import Finding, Threshold
from ..answers import failed, json_answer, unexpected
from .services import Run, check, reached

PATH = "/.well-known/openid-configuration"
# OpenID Connect Discovery 1.0, section 3: what sign-in cannot do without.
NEEDED = ("issuer", "authorization_endpoint", "token_endpoint", "jwks_uri")


def _document(web: Web, path: str) -> tuple[dict[str, Any], Finding | None, float]:
    answer = web.request("GET", path)
    if answer.status >= 500:
        return {}, failed(answer), answer.seconds
    if answer.status != 200:
        raise unexpected(answer, "200")
    return json_answer(answer), None, answer.seconds


def _identity(session: Run) -> Iterator[Finding]:
    named = session.client.named("identity")
    issuer = str(named["issuer"])
    web = reached(session, "identity", session.client.web(issuer, named.get("ca_file")))
    found, bad, seconds = _document(web, PATH)
    if bad is not None:
        yield bad
        return
    missing = [name for name in NEEDED if not isinstance(found.get(name), str)]
    if missing:
        yield Finding(verdict=CRITICAL, message=f"{issuer}{PATH} lacks {', '.join(missing)}: nobody can sign in with it")
        return
    if found["issuer"] != issuer:
        yield Finding(verdict=CRITICAL, message=f"{issuer}{PATH} is that of {found['issuer']}: tokens of one are refused as the other's")
        return
    keys_at = str(found["jwks_uri"])
    if urlsplit(keys_at).scheme != urlsplit(issuer).scheme:
        yield Finding(verdict=CRITICAL, message=f"{issuer} publishes its keys at {keys_at}, which is not protected as it is itself")
        return
    answered, bad, more = _document(web, keys_at)
    keys = answered.get("keys") or ()
    if bad is None and not keys:
        bad = Finding(verdict=CRITICAL, message=f"{keys_at} publishes no keys: no token can be verified")
    yield bad or Finding(observed=round(seconds + more, 4), message=f"publishes its configuration and {len(keys)} keys ({seconds + more:.3f} s)")


CHECKS = (
    check("identity", "Does the identity provider publish what signing in needs?", _identity, f"curl -sS ISSUER{PATH}; curl -sS JWKS_URI",
          Threshold(degraded=1, critical=3, unit="s", source="ours: people wait to get in"), timeout=12.0),
)  # fmt: skip
