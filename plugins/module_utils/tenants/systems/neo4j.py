# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tenants on one Neo4j. The edition is asked for; each has a driver of its own: neo4j_community.py and neo4j_enterprise.py."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...clients.neo4j import Neo4jClient, connect
from ...common.errors import OpsError
from ..arguments import TenantsRequest
from ..model import SystemResult

SYSTEM = "neo4j"


def edition(client: Neo4jClient) -> str:
    """``community`` or ``enterprise``. Raises OpsError if it is neither, or if the version is older than 5."""
    rows = client.rows("CALL dbms.components() YIELD name, versions, edition WHERE name = 'Neo4j Kernel' RETURN versions[0] AS version, edition")
    found, version = (str(rows[0]["edition"]), str(rows[0]["version"])) if rows else ("unknown", "")
    if found not in ("community", "enterprise"):
        raise OpsError(f"{client.where} is of the edition {found!r}; what it can separate is not known, so no tenant is put there")
    if version.split(".", maxsplit=1)[0] in ("3", "4"):
        raise OpsError(f"{client.where} is version {version}: tenants need Neo4j 5 or newer")
    return found


def run(params: Mapping[str, Any], check_mode: bool) -> dict[str, Any]:
    """One call of the module tenants_neo4j. Raises OpsError if the system as a whole cannot be worked with."""
    request = TenantsRequest.from_params(params)
    if not request.tenants:
        return SystemResult(SYSTEM, request.region, []).to_exit()
    with connect(params["connection"], request.timeout) as client:
        if edition(client) == "community":
            from .neo4j_community import run as run_community

            return run_community(client, request, params, check_mode).to_exit()
        from .neo4j_enterprise import run as run_enterprise

        return run_enterprise(client, request, params, check_mode).to_exit()
