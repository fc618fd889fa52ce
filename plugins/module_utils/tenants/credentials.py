# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A tenant's credentials: generated once, kept in the Kubernetes Secret ``tenant-credentials`` of its home region.

The Secret is written first with ``leanvibe.ai/credentials-state: pending``, then the systems are set, then it is marked
``current``. Systems read it from Kubernetes themselves; credentials never travel through Ansible variables.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, unquote, urlencode, urlsplit

from .model import Tenant

SECRET_NAME = "tenant-credentials"  # noqa: S105  a name, not a secret
ANNOTATION_GENERATION = "leanvibe.ai/credentials-generation"
ANNOTATION_STATE = "leanvibe.ai/credentials-state"
PENDING = "pending"
CURRENT = "current"
NEO4J_KEYS = ("NEO4J_URI", "NEO4J_USERNAME", "NEO4J_PASSWORD", "NEO4J_DATABASE")
KEYS = (
    "DATABASE_URL",
    "DATABASE_SCHEMA",
    "REDIS_URL",
    "REDIS_PREFIX",
    *NEO4J_KEYS,
    "S3_ENDPOINT",
    "S3_BUCKET",
    "S3_PREFIX",
    "S3_ACCESS_KEY_ID",
    "S3_SECRET_ACCESS_KEY",
)


@dataclass(frozen=True)
class TenantCredentials:
    """The secrets of one tenant; ``repr`` does not show them."""

    generation: int
    state: str
    postgresql_password: str = field(repr=False)
    redis_password: str = field(repr=False)
    s3_access_key_id: str
    s3_secret_access_key: str = field(repr=False)
    neo4j_password: str | None = field(repr=False, default=None)


def generate(tenant: Tenant, with_neo4j: bool) -> TenantCredentials:
    """Make the first generation, pending. 256 bits each; URL-safe, so that no client must quote them."""
    return TenantCredentials(
        generation=1,
        state=PENDING,
        postgresql_password=secrets.token_urlsafe(32),
        redis_password=secrets.token_urlsafe(32),
        s3_access_key_id=f"{tenant.bucket}-{secrets.token_hex(4)}",
        s3_secret_access_key=secrets.token_urlsafe(32),
        neo4j_password=secrets.token_urlsafe(32) if with_neo4j else None,
    )


def secret_data(tenant: Tenant, credentials: TenantCredentials, endpoints: Mapping[str, Any]) -> dict[str, str]:
    """What the Secret holds in one region, in clear text (the API wants it base64-encoded).

    ``endpoints`` is one region's entry of ``leanvibe_ops_application_endpoints``:
    ``{"postgresql": {"host", "port", "database", "options"}, "redis": {"host", "port", "tls"}, "neo4j": {"uri", "database"?}, "object_store": {"endpoint"}}``.
    """
    database = endpoints["postgresql"]
    user = tenant.database_name
    query = urlencode(database.get("options") or {})
    redis = endpoints["redis"]
    scheme = "rediss" if redis.get("tls") else "redis"
    data = {
        "DATABASE_URL": f"postgresql://{user}:{quote(credentials.postgresql_password, safe='')}@{database['host']}:{database['port']}/{database['database']}"
        + (f"?{query}" if query else ""),
        "DATABASE_SCHEMA": user,
        "REDIS_URL": f"{scheme}://{tenant.redis_user}:{quote(credentials.redis_password, safe='')}@{redis['host']}:{redis['port']}/0",
        "REDIS_PREFIX": tenant.redis_prefix,
        "S3_ENDPOINT": str(endpoints["object_store"]["endpoint"]),
        "S3_BUCKET": tenant.bucket,
        "S3_PREFIX": "",
        "S3_ACCESS_KEY_ID": credentials.s3_access_key_id,
        "S3_SECRET_ACCESS_KEY": credentials.s3_secret_access_key,
    }
    if credentials.neo4j_password is not None:
        data["NEO4J_URI"] = str(endpoints["neo4j"]["uri"])
        data["NEO4J_USERNAME"] = tenant.database_name
        data["NEO4J_PASSWORD"] = credentials.neo4j_password
        data["NEO4J_DATABASE"] = tenant.namespace
    return data


def from_secret(data: Mapping[str, str], annotations: Mapping[str, str]) -> TenantCredentials:
    """Read a Secret's (decoded) data back. Raises ValueError naming the key that is missing or malformed, never its value."""
    missing = [key for key in KEYS if key not in data and key not in NEO4J_KEYS]
    if missing:
        raise ValueError(f"keys missing: {', '.join(missing)}")
    passwords = {}
    for key in ("DATABASE_URL", "REDIS_URL"):
        try:
            password = urlsplit(data[key]).password
        except ValueError:  # its text may quote the value
            password = None
        if not password:
            raise ValueError(f"{key} holds no password")
        passwords[key] = unquote(password)
    state = annotations.get(ANNOTATION_STATE, "")
    generation = annotations.get(ANNOTATION_GENERATION, "")
    if state not in (PENDING, CURRENT) or not generation.isdecimal():
        raise ValueError(f"annotations {ANNOTATION_STATE} and {ANNOTATION_GENERATION} are missing or malformed")
    return TenantCredentials(
        generation=int(generation),
        state=state,
        postgresql_password=passwords["DATABASE_URL"],
        redis_password=passwords["REDIS_URL"],
        s3_access_key_id=data["S3_ACCESS_KEY_ID"],
        s3_secret_access_key=data["S3_SECRET_ACCESS_KEY"],
        neo4j_password=data.get("NEO4J_PASSWORD"),
    )
