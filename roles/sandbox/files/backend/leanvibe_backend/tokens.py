# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who calls: passwords, and the short-lived tokens that they are exchanged for."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets
import time
from dataclasses import dataclass

import jwt

LIFETIME_SECONDS = 900
ALGORITHM = "HS256"
ISSUER = "leanvibe-backend"
# scrypt with 16 MiB: about 50 ms of one core.
COST = {"n": 2**14, "r": 8, "p": 1}


class Refused(Exception):
    """The caller is not who it says, or its token is not (or no longer) valid."""


@dataclass(frozen=True)
class Principal:
    """Who calls, told by a token alone. ``tenant`` is None for the platform's own accounts."""

    name: str
    tenant: str | None
    scopes: frozenset[str] = frozenset()

    def may_act_for(self, tenant: str, scope: str | None = None) -> bool:
        """Whether it belongs to ``tenant``, or has the platform's right ``scope`` on all of them."""
        return self.tenant == tenant or (self.tenant is None and scope is not None and scope in self.scopes)


def issue(key: str, principal: Principal, *, now: float | None = None) -> str:
    """A signed token for ``LIFETIME_SECONDS``."""
    at = int(time.time() if now is None else now)
    claims = {"iss": ISSUER, "sub": principal.name, "tenant": principal.tenant, "scopes": sorted(principal.scopes), "iat": at, "exp": at + LIFETIME_SECONDS}
    return jwt.encode(claims, key, algorithm=ALGORITHM)


def verify(key: str, token: str) -> Principal:
    """Who a token was given to. Raises Refused."""
    try:
        claims = jwt.decode(token, key, algorithms=[ALGORITHM], issuer=ISSUER, options={"require": ["exp", "iat", "sub", "iss"]})
    except jwt.InvalidTokenError as error:
        raise Refused(f"the token is not valid: {error}") from error
    tenant, scopes = claims.get("tenant"), claims.get("scopes")
    if not (tenant is None or isinstance(tenant, str)) or not isinstance(scopes, list):
        raise Refused("the token is not valid: its claims are not ours")
    return Principal(claims["sub"], tenant, frozenset(scopes))


def bearer(header: str | None) -> str:
    """The token of an Authorization header. Raises Refused."""
    scheme, _space, token = (header or "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise Refused("there is no bearer token")
    return token.strip()


def digest(password: str) -> str:
    """What is kept of a random password of the platform; too long to be guessed, so it needs no slow hash."""
    return hashlib.sha256(password.encode()).hexdigest()


def opens(password: str, kept: str | None) -> bool:
    """Whether a platform account's password is the one whose digest is kept."""
    return hmac.compare_digest(digest(password), kept or digest(secrets.token_hex(8)))


def hashed(password: str) -> str:
    """What is kept of a person's password: ``scrypt$<salt>$<key>``. Takes about 50 ms."""
    salt = secrets.token_bytes(16)
    key = hashlib.scrypt(password.encode(), salt=salt, dklen=32, **COST)
    return f"scrypt${base64.b64encode(salt).decode()}${base64.b64encode(key).decode()}"


def matches(password: str, kept: str | None) -> bool:
    """Whether ``password`` is the one that was hashed. As slow when there is none, so that time does not tell who has an account."""
    try:
        _scheme, salt, key = (kept or hashed_nothing()).split("$")
        there = hashlib.scrypt(password.encode(), salt=base64.b64decode(salt), dklen=32, **COST)
        return hmac.compare_digest(there, base64.b64decode(key)) and kept is not None
    except (ValueError, binascii.Error):
        return False


def hashed_nothing() -> str:
    """The form of a hash that no password has."""
    return f"scrypt${base64.b64encode(bytes(16)).decode()}${base64.b64encode(bytes(32)).decode()}"
