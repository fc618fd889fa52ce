# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a process of the service is given: one JSON file, readable by its owner alone."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Database:
    """How PgBouncer is reached: psycopg's parameters (host, port, dbname, user, password, sslmode, sslrootcert)."""

    parameters: Mapping[str, Any] = field(repr=False)


@dataclass(frozen=True)
class Cache:
    """Redis. ``endpoints`` are host and port, the region's own first; only one of them takes writes, whichever it is now."""

    endpoints: tuple[tuple[str, int], ...]
    username: str
    password: str = field(repr=False)


@dataclass(frozen=True)
class Graph:
    """Neo4j over Bolt."""

    uri: str
    username: str
    password: str = field(repr=False)


@dataclass(frozen=True)
class Billing:
    """The payment provider's API (Stripe's), and a key that may read the balance."""

    url: str
    key: str = field(repr=False)


@dataclass(frozen=True)
class Account:
    """An account of the platform, no tenant's: the SHA-256 of its (random, 160 bits) password and what it may do."""

    digest: str = field(repr=False)
    scopes: tuple[str, ...]


@dataclass(frozen=True)
class Traffic:
    """Light traffic: the APIs that it goes to, the tenants that it acts for, and the secret from which its accounts' passwords are made."""

    urls: Mapping[str, str]
    tenants: tuple[str, ...]
    account: str
    password: str = field(repr=False)
    seed: str = field(repr=False)


@dataclass(frozen=True)
class Configuration:
    """One process. Parts that its role does not need are None."""

    region: str
    port: int
    database: Database | None = None
    heartbeat: Database | None = None
    cache: Cache | None = None
    graph: Graph | None = None
    billing: Billing | None = None
    signing_key: str = field(default="", repr=False)
    accounts: Mapping[str, Account] = field(default_factory=dict)
    traffic: Traffic | None = None


def load(path: Path) -> Configuration:
    """Read the file. Raises KeyError or ValueError when it is not what the role wrote."""
    found = json.loads(path.read_text(encoding="utf-8"))
    database, heartbeat = (Database(found[name]) if name in found else None for name in ("database", "heartbeat"))
    cache, graph, billing, traffic = (found.get(name) for name in ("cache", "graph", "billing", "traffic"))
    return Configuration(
        region=found["region"],
        port=int(found["port"]),
        database=database,
        heartbeat=heartbeat,
        cache=Cache(tuple((host, int(port)) for host, port in cache["endpoints"]), cache["username"], cache["password"]) if cache else None,
        graph=Graph(**graph) if graph else None,
        billing=Billing(**billing) if billing else None,
        signing_key=found.get("signing_key", ""),
        accounts={name: Account(entry["digest"], tuple(entry["scopes"])) for name, entry in found.get("accounts", {}).items()},
        traffic=Traffic(**{**traffic, "tenants": tuple(traffic["tenants"])}) if traffic else None,
    )
