# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Neo4j holds of tenants, read with its driver: nodes and, where the edition has accounts for them, users."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from neo4j import GraphDatabase

from ..settings import REGIONS, Settings

NODES = (
    "MATCH (n) WHERE (n:Tenant AND n.id IN $ids) OR n.tenant_id IN $ids "
    "RETURN coalesce(n.tenant_id, n.id) AS tenant, labels(n) AS labels, properties(n) AS properties"
)


def read(settings: Settings, ids: Sequence[str]) -> dict[str, dict[str, dict[str, Any]]]:
    """``{"neo4j <region>": {tenant: {object: content}}}``."""
    return {f"neo4j {region}": _region(settings, region, ids) for region in REGIONS}


def _region(settings: Settings, region: str, ids: Sequence[str]) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    users = {"tenant_" + tenant_id.replace("-", "_"): tenant_id for tenant_id in ids}
    with GraphDatabase.driver(settings.region(region)["neo4j"]["uri"], auth=("neo4j", settings.credentials["neo4j"][region]), connection_timeout=10) as driver:
        for record in driver.execute_query("SHOW USERS", database_="system").records:
            if record["user"] in users:
                found.setdefault(users[record["user"]], {})["user"] = {"roles": record["roles"], "suspended": record["suspended"]}
        for record in driver.execute_query(NODES, {"ids": list(ids)}).records:
            found.setdefault(record["tenant"], {})[f"node {'/'.join(record['labels'])}"] = dict(record["properties"])
    return found
