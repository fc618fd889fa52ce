# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The sandbox's secrets: made once, kept with the data, shown to people in ``credentials.yml``."""

from __future__ import annotations

import json
import secrets
from pathlib import Path
from typing import Any

from ..common.errors import OpsError
from . import files
from .settings import REGIONS

POSTGRESQL_ROLES = (
    "postgres",
    "leanvibe_migrations",
    "leanvibe_app",
    "leanvibe_operations",
    "leanvibe_health",
    "leanvibe_heartbeat",
    "leanvibe_registry",
    "leanvibe_registry_health",
    "replication",
    "pgbouncer_auth",
)
PGBOUNCER_USERS = ("pgbouncer_admin", "pgbouncer_health")
REDIS_USERS = ("operations", "application", "health", "monitoring", "replication")
# The key that signs tokens, the platform's accounts in the API, and what the passwords of the traffic's users are made from.
BACKEND = ("signing_key", "probe", "provisioner", "traffic", "traffic_users")
# The account of the health checks (health) is made by the operation health_reader, as elsewhere.
OBJECT_STORE_ACCOUNTS = ("root", "operations", "backups", "health")
_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"


def _password() -> str:
    return secrets.token_hex(20)


def _access_key() -> dict[str, str]:
    return {"access_key_id": "LV" + "".join(secrets.choice(_ALPHABET) for _position in range(18)), "secret_access_key": secrets.token_hex(20)}


def complete(known: dict[str, Any]) -> dict[str, Any]:
    """All secrets that a sandbox has: those known stay as they are, those missing are made."""

    def keep(before: Any, names: tuple[str, ...]) -> dict[str, str]:
        return {name: (before or {}).get(name) or _password() for name in names}

    stores = known.get("object_store") or {}
    return {
        "postgresql": keep(known.get("postgresql"), POSTGRESQL_ROLES),
        "pgbouncer": keep(known.get("pgbouncer"), PGBOUNCER_USERS),
        "redis": keep(known.get("redis"), REDIS_USERS),
        "neo4j": keep(known.get("neo4j"), REGIONS),
        "object_store": {
            region: {account: (stores.get(region) or {}).get(account) or _access_key() for account in OBJECT_STORE_ACCOUNTS} for region in REGIONS
        },
        "backend": keep(known.get("backend"), BACKEND),
        "pgbackrest": keep(known.get("pgbackrest"), ("cipher_pass",)),
    }


def load(path: Path) -> dict[str, Any]:
    """The secrets kept in ``path``; empty if there is no such file yet."""
    try:
        stored = json.loads(path.read_text())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise OpsError(f"{path} cannot be read ({error}): without its secrets the sandbox's data are lost; purge it with -e sandbox_purge=true") from error
    if not isinstance(stored, dict):
        raise OpsError(f"{path} does not hold the sandbox's secrets; purge it with -e sandbox_purge=true")
    return stored


def ensure(path: Path) -> tuple[dict[str, Any], bool]:
    """The complete secrets, and whether the file had to be written."""
    known = load(path)
    whole = complete(known)
    return whole, files.write(path, json.dumps(whole, indent=2, sort_keys=True) + "\n")
