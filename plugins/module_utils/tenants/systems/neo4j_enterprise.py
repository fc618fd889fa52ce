# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tenants on Neo4j Enterprise: a database, a role and a user each.

Not run against the real edition: its statements are held against the parser of Neo4j 5 Community, which knows them and refuses to run them.
A password cannot be read back; the generation that was set is kept on a node of the administrators' database.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, LiteralString

from ...clients.neo4j import SYSTEM_DATABASE, Neo4jClient
from ...common.concurrency import each
from ...common.errors import LeaseLost, OpsError
from ...common.leases import AnyLease, Lease
from ..arguments import TenantsRequest
from ..credentials import TenantCredentials
from ..model import MANAGED_BY, Change, SystemResult, Tenant, TenantResult
from .planned_credentials import Credentials, credentials_of

SYSTEM = "neo4j"
ROLE_PREFIX = "tenant_"
NOTE = "Neo4j Enterprise: not run against the real edition"

CREATE_DATABASE: LiteralString = "CREATE DATABASE $database IF NOT EXISTS WAIT 30 SECONDS"
CREATE_ROLE: LiteralString = "CREATE ROLE $role IF NOT EXISTS"
GRANTS: tuple[LiteralString, ...] = (
    "GRANT ACCESS ON DATABASE $database TO $role",
    "GRANT MATCH {*} ON GRAPH $database TO $role",
    "GRANT WRITE ON GRAPH $database TO $role",
    "GRANT NAME MANAGEMENT ON DATABASE $database TO $role",
    "GRANT INDEX MANAGEMENT ON DATABASE $database TO $role",
    "GRANT CONSTRAINT MANAGEMENT ON DATABASE $database TO $role",
)
GRANTED_ACTIONS = frozenset({"access", "match", "write", "token", "index", "constraint"})  # as SHOW PRIVILEGES calls them
CREATE_USER: LiteralString = "CREATE USER $user IF NOT EXISTS SET PLAINTEXT PASSWORD $password SET PASSWORD CHANGE NOT REQUIRED SET STATUS SUSPENDED"
SET_PASSWORD: LiteralString = "ALTER USER $user SET PLAINTEXT PASSWORD $password SET PASSWORD CHANGE NOT REQUIRED"  # noqa: S105
SET_HOME: LiteralString = "ALTER USER $user SET HOME DATABASE $database"
ACTIVATE: LiteralString = "ALTER USER $user SET STATUS ACTIVE"
SUSPEND: LiteralString = "ALTER USER $user SET STATUS SUSPENDED"
GRANT_ROLE: LiteralString = "GRANT ROLE $role TO $user"
REVOKE_ROLE: LiteralString = "REVOKE ROLE $role FROM $user"  # a session that is open loses its rights with it
REMEMBER: LiteralString = "MERGE (t:Tenant {id: $id}) SET t.managed_by = $ours, t.credentials_generation = $generation"


@dataclass(frozen=True)
class User:
    """A user: roles beside PUBLIC, status, home database, generation of the password that we set (0: unknown)."""

    roles: frozenset[str]
    suspended: bool
    home: str | None
    generation: int = 0


@dataclass(frozen=True)
class Actual:
    """Databases, roles with their privileges as (action, graph), users: only those of tenants."""

    databases: frozenset[str]
    roles: Mapping[str, frozenset[tuple[str, str]]]
    users: Mapping[str, User]
    remembered: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Statement:
    """One administrative statement with its parameters. ``system``: on the system database, else on the administrators'."""

    text: LiteralString
    parameters: Mapping[str, Any] = field(repr=False)
    system: bool = True


@dataclass(frozen=True)
class Step:
    """The statements of one tenant, in an order that never gives too much."""

    tenant: Tenant
    statements: tuple[Statement, ...] = ()
    changes: tuple[Change, ...] = ()
    verdict: str = "succeeded"
    message: str = ""


def observe(client: Neo4jClient) -> Actual:
    """Read databases, roles, privileges, users and generations: five statements. Raises OpsError."""
    databases = client.rows("SHOW DATABASES YIELD name WHERE name STARTS WITH 'tenant-' RETURN name", SYSTEM_DATABASE)
    roles: dict[str, set[tuple[str, str]]] = {
        row["role"]: set() for row in client.rows("SHOW ROLES YIELD role WHERE role STARTS WITH 'tenant_' RETURN role", SYSTEM_DATABASE)
    }
    privileges = client.rows(
        "SHOW ALL PRIVILEGES YIELD access, action, graph, role WHERE role STARTS WITH 'tenant_' AND access = 'GRANTED' RETURN role, action, graph",
        SYSTEM_DATABASE,
    )
    for row in privileges:
        roles.setdefault(row["role"], set()).add((row["action"], row["graph"]))
    nodes = client.rows("MATCH (t:Tenant) WHERE t.managed_by = $ours RETURN t.id AS id, t.credentials_generation AS generation", ours=MANAGED_BY)
    generations = {ROLE_PREFIX + str(row["id"]).replace("-", "_"): int(row["generation"] or 0) for row in nodes}
    users = {
        row["user"]: User(frozenset(row["roles"] or []) - {"PUBLIC"}, bool(row["suspended"]), row["home"], generations.get(row["user"], 0))
        for row in client.rows("SHOW USERS YIELD user, roles, suspended, home WHERE user STARTS WITH 'tenant_' RETURN *", SYSTEM_DATABASE)
    }
    found = {role: frozenset(granted) for role, granted in roles.items()}
    return Actual(frozenset(row["name"] for row in databases), found, users, frozenset(str(row["id"]) for row in nodes))


def plan(tenants: Sequence[Tenant], declared_ids: frozenset[str], credentials: Credentials, actual: Actual) -> tuple[list[Step], list[str]]:
    """Compare; return steps and undeclared tenants. Pure."""
    undeclared = ({name.removeprefix("tenant-") for name in actual.databases} | actual.remembered) - declared_ids
    return [_plan_tenant(tenant, credentials[tenant.id], actual) for tenant in tenants], sorted(undeclared)


def _plan_tenant(tenant: Tenant, credentials: TenantCredentials | OpsError, actual: Actual) -> Step:
    name, database = tenant.database_name, tenant.namespace
    where = {"database": database, "role": name, "user": name}
    granted = actual.roles.get(name)
    foreign = sorted({f"{action} on {graph}" for action, graph in granted or () if graph != database})
    if foreign:
        return Step(tenant, verdict="refused", message=f"role {name} has rights outside its database ({', '.join(foreign)}): revoke them and run this again")
    statements: list[Statement] = []
    changes: list[Change] = []
    if database not in actual.databases:
        statements.append(Statement(CREATE_DATABASE, where))
        changes.append(Change(f"database {database}", "create"))
    if granted is None:
        statements.append(Statement(CREATE_ROLE, where))
    if granted is None or {action for action, _graph in granted} != GRANTED_ACTIONS:
        statements += [Statement(text, where) for text in GRANTS]
        changes.append(Change(f"role {name}", "create" if granted is None else "update", ["privileges"]))
    message = _plan_user(tenant, credentials, actual.users.get(name), where, statements, changes)
    return Step(tenant, tuple(statements), tuple(changes), "failed" if message else "succeeded", message)


def _plan_user(
    tenant: Tenant,
    credentials: TenantCredentials | OpsError,
    user: User | None,
    where: Mapping[str, str],
    statements: list[Statement],
    changes: list[Change],
) -> str:
    """Add what the user needs; return what is in the way."""
    name, message = tenant.database_name, ""
    if isinstance(credentials, OpsError):
        message = credentials.message
    elif credentials.neo4j_password is None:
        message = "the Secret has no NEO4J_PASSWORD, because Neo4j was not Enterprise when it was written: rotate the tenant's credentials"
    fields: list[str] = []
    if not message and isinstance(credentials, TenantCredentials) and (user is None or user.generation != credentials.generation):
        secret = {**where, "password": credentials.neo4j_password}
        statements.append(Statement(SET_PASSWORD if user else CREATE_USER, secret))
        remembered = {"id": tenant.id, "ours": MANAGED_BY, "generation": credentials.generation}
        statements.append(Statement(REMEMBER, remembered, system=False))
        fields.append("password")
    elif user is None:
        return message
    if user is None or user.home != where["database"]:
        statements.append(Statement(SET_HOME, where))
        fields.append("home")
    has_role = user is not None and name in user.roles
    if has_role != tenant.active:
        statements.append(Statement(GRANT_ROLE if tenant.active else REVOKE_ROLE, where))
        fields.append("role")
    if (user.suspended if user else True) == tenant.active:
        statements.append(Statement(ACTIVATE if tenant.active else SUSPEND, where))
        fields.append("status")
    extra = sorted((user.roles if user else frozenset()) - {name})
    if extra:
        message = "; ".join(filter(None, [message, f"user {name} has further roles ({', '.join(extra)}): revoke them"]))
    if fields:
        changes.append(Change(f"user {name}", "update" if user else "create", fields))
    return message


def apply(steps: Sequence[Step], client: Neo4jClient, lease: AnyLease, concurrency: int) -> dict[str, str]:
    """Run the statements, tenants side by side; return tenant id → what went wrong. Raises LeaseLost."""

    def write(step: Step) -> None:
        for statement in step.statements:
            lease.check()
            client.rows(statement.text, SYSTEM_DATABASE if statement.system else None, **statement.parameters)

    problems: dict[str, str] = {}
    for outcome in each([step for step in steps if step.statements], write, concurrency):
        if isinstance(outcome.error, OpsError) and not isinstance(outcome.error, LeaseLost):
            problems[outcome.item.tenant.id] = outcome.error.message
        elif outcome.error is not None:
            raise outcome.error
    return problems


def run(client: Neo4jClient, request: TenantsRequest, params: Mapping[str, Any], check_mode: bool) -> SystemResult:
    """One call on Neo4j Enterprise. Raises OpsError."""
    actual = observe(client)
    steps, undeclared = plan(request.tenants, request.declared_ids, credentials_of(request, check_mode), actual)
    problems: dict[str, str] = {}
    if not check_mode and any(step.statements for step in steps):
        with Lease.from_params(params.get("lease")) as lease:
            problems = apply(steps, client, lease, request.concurrency)
    results = []
    for step in steps:
        failed = problems.get(step.tenant.id, "")
        verdict = "failed" if failed else step.verdict
        results.append(TenantResult(step.tenant.id, verdict, [] if failed else list(step.changes), failed or step.message))
    observed = {result.tenant: {"edition": "enterprise", "isolation": "database"} for result in results if result.verdict == "succeeded"}
    return SystemResult(SYSTEM, request.region, results, undeclared, [NOTE], observed, client.requests)
