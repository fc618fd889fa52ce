# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tenants on Neo4j Community: a node ``(:Tenant {id})`` each, the constraint that makes it one, and the indexes by which an application finds a
tenant's nodes (property ``tenant_id``).

Community has one database and no rights: every user is an administrator. So no tenant gets an account, and what separates tenants in the graph
is the application. That is said in every result.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, LiteralString

from ...clients.neo4j import Neo4jClient
from ...common.errors import Conflict, OpsError
from ...common.leases import AnyLease, Lease
from ..arguments import TenantsRequest
from ..model import MANAGED_BY, Change, SystemResult, Tenant, TenantResult

SYSTEM = "neo4j"
NOTE = (
    "Neo4j Community: isolation in the graph is the application's. Every user of this edition is an administrator, so no tenant gets an account and the "
    "NEO4J_ keys are left out of the Secrets; a suspended tenant is marked (state), and it is the application that refuses it"
)


@dataclass(frozen=True)
class SchemaRule:
    """A constraint or index of ours. ``create`` must hold the names again: Cypher takes no parameters there."""

    name: str
    kind: str  # as SHOW CONSTRAINTS and SHOW INDEXES call it
    label: str
    properties: tuple[str, ...]
    create: LiteralString


RULES = (
    SchemaRule(
        "leanvibe_tenant_id",
        "UNIQUENESS",
        "Tenant",
        ("id",),
        "CREATE CONSTRAINT leanvibe_tenant_id IF NOT EXISTS FOR (n:Tenant) REQUIRE n.id IS UNIQUE",
    ),
    SchemaRule("leanvibe_user_tenant", "RANGE", "User", ("tenant_id",), "CREATE INDEX leanvibe_user_tenant IF NOT EXISTS FOR (n:User) ON (n.tenant_id)"),
    SchemaRule(
        "leanvibe_project_tenant",
        "RANGE",
        "Project",
        ("tenant_id",),
        "CREATE INDEX leanvibe_project_tenant IF NOT EXISTS FOR (n:Project) ON (n.tenant_id)",
    ),
)


@dataclass(frozen=True)
class Actual:
    """Our schema rules that are there, by name, and the properties of tenants' nodes that are ours, by tenant."""

    rules: Mapping[str, tuple[str, str, tuple[str, ...]]]
    nodes: Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Plan:
    """Rules to create, and per tenant the properties to set (none: nothing) with the change that this is."""

    rules: tuple[SchemaRule, ...]
    writes: Mapping[str, Mapping[str, Any]]
    changes: Mapping[str, Change]
    undeclared: tuple[str, ...]


def properties(tenant: Tenant) -> dict[str, str]:
    """What we keep on a tenant's node. Other properties are the application's."""
    return {"name": tenant.name, "tier": tenant.tier, "region": tenant.region, "state": tenant.state, "managed_by": MANAGED_BY}


def observe(client: Neo4jClient, tenants: Sequence[Tenant]) -> Actual:
    """Read constraints, indexes and nodes: three statements. Raises OpsError, Conflict if a name of ours is something else."""
    rules = {}
    for row in (
        *client.rows("SHOW CONSTRAINTS YIELD name, type, labelsOrTypes, properties WHERE name STARTS WITH 'leanvibe_' RETURN *"),
        *client.rows(
            "SHOW INDEXES YIELD name, type, labelsOrTypes, properties, owningConstraint, state "
            "WHERE name STARTS WITH 'leanvibe_' AND owningConstraint IS NULL RETURN *"
        ),
    ):
        if row.get("state") == "FAILED":
            raise OpsError(f"{client.where}: index {row['name']} has failed; drop it, and the next run makes it again")
        rules[str(row["name"])] = (str(row["type"]), ",".join(row["labelsOrTypes"] or []), tuple(row["properties"] or []))
    for rule in RULES:
        if rule.name in rules and rules[rule.name] != (rule.kind, rule.label, rule.properties):
            raise Conflict(f"{client.where}: {rule.name} is there and is not {rule.kind} of {rule.label}{list(rule.properties)}; rename or drop it")
    rows = client.rows(
        "MATCH (t:Tenant) WHERE t.id IN $ids OR t.managed_by = $ours RETURN t.id AS id, t {.name, .tier, .region, .state, .managed_by} AS properties",
        ids=[tenant.id for tenant in tenants],
        ours=MANAGED_BY,
    )
    return Actual(rules, {str(row["id"]): row["properties"] for row in rows})


def plan(tenants: Sequence[Tenant], declared_ids: frozenset[str], actual: Actual) -> Plan:
    """Compare. Pure."""
    writes: dict[str, Mapping[str, Any]] = {}
    changes: dict[str, Change] = {}
    for tenant in tenants:
        wanted, found = properties(tenant), actual.nodes.get(tenant.id)
        differing = [key for key, value in wanted.items() if found is None or found.get(key) != value]
        if not differing:
            continue
        writes[tenant.id] = wanted
        before = None if found is None else {key: found.get(key) for key in differing}
        changes[tenant.id] = Change("node :Tenant", "create" if found is None else "update", differing, before, {key: wanted[key] for key in differing})
    undeclared = sorted(tenant_id for tenant_id, found in actual.nodes.items() if found.get("managed_by") == MANAGED_BY and tenant_id not in declared_ids)
    return Plan(tuple(rule for rule in RULES if rule.name not in actual.rules), writes, changes, tuple(undeclared))


def apply(plan_: Plan, client: Neo4jClient, lease: AnyLease) -> None:
    """Create what is missing of the schema, then set all nodes in one statement (and transaction). Raises OpsError, LeaseLost."""
    for rule in plan_.rules:
        lease.check()
        client.rows(rule.create)
    if plan_.writes:
        lease.check()
        rows = [{"id": tenant_id, "properties": dict(wanted)} for tenant_id, wanted in plan_.writes.items()]
        client.rows("UNWIND $rows AS row MERGE (t:Tenant {id: row.id}) SET t += row.properties", rows=rows)


def run(client: Neo4jClient, request: TenantsRequest, params: Mapping[str, Any], check_mode: bool) -> SystemResult:
    """One call on Neo4j Community. Raises OpsError."""
    plan_ = plan(request.tenants, request.declared_ids, observe(client, request.tenants))
    if not check_mode and (plan_.rules or plan_.writes):
        with Lease.from_params(params.get("lease")) as lease:
            apply(plan_, client, lease)
    results = [TenantResult(tenant.id, "succeeded", [plan_.changes[tenant.id]] if tenant.id in plan_.changes else []) for tenant in request.tenants]
    observed = {tenant.id: {"edition": "community", "isolation": "application"} for tenant in request.tenants}
    platform = [Change(f"{rule.kind.lower()} {rule.name}", "create", after={rule.label: list(rule.properties)}) for rule in plan_.rules]
    return SystemResult(SYSTEM, request.region, results, list(plan_.undeclared), [NOTE], observed, client.requests, platform)
