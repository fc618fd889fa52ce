# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tenants in PostgreSQL: a role, a schema, and the rows that bind the role to its tenant in the shared tables.

Files beside this one: postgresql_state.py reads, postgresql_plan.py compares (pure), postgresql_driver.py says what differs on managed services.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ...clients import postgresql as client
from ...common import scram
from ...common.concurrency import each
from ...common.errors import LeaseLost, OpsError
from ...common.leases import AnyLease, Lease
from ..arguments import TenantsRequest
from ..model import SystemResult, TenantResult
from . import postgresql_state as state
from .planned_credentials import credentials_of
from .postgresql_driver import Driver, driver
from .postgresql_plan import TenantPlan, plan
from .postgresql_state import Actual

if TYPE_CHECKING:
    import psycopg

CONNECTION: dict[str, Any] = {**client.CONNECTION, "driver": {"type": "str", "default": "postgresql", "choices": ["postgresql", "rds"]}}
SYSTEM = "postgresql"
# More sessions than this do not make DDL faster: they wait for each other's locks on the catalogue and for the write-ahead log.
SESSIONS = 6
REPLAY_POLL_SECONDS = 0.5


def run(params: Mapping[str, Any], check_mode: bool) -> dict[str, Any]:
    """Everything the module does. Raises OpsError if the system as a whole cannot be worked with."""
    request = TenantsRequest.from_params(params)
    if not request.tenants:
        return SystemResult(SYSTEM, request.region, []).to_exit()
    connection, chosen = params["connection"], driver(params["connection"]["driver"])
    credentials = credentials_of(request, check_mode)
    names = [tenant.database_name for tenant in request.tenants]

    def look(opened: psycopg.Connection[tuple[Any, ...]]) -> tuple[Actual, list[TenantPlan]]:
        actual = state.observe(opened, chosen, names, params["measure"])
        return actual, [plan(tenant, request.limits(tenant, SYSTEM), credentials[tenant.id], actual, chosen) for tenant in request.tenants]

    with client.session(connection, request.timeout) as opened:
        actual, plans = look(opened)
        _same_role(actual, params["replica"], client.address(connection))
        if params["replica"]:
            return _replica(opened, look, request, check_mode, chosen).to_exit()
    result = _result(request, actual, chosen)
    if check_mode:
        result.results = [TenantResult(item.tenant.id, item.verdict, item.changes, item.message) for item in plans]
    else:
        with Lease.from_params(params.get("lease")) as lease:
            result.results = apply(plans, connection, lease, chosen, min(request.concurrency, SESSIONS), request.timeout)
        result.requests += 3 * sum(1 for item in plans if item.writes)
    for item, done in zip(plans, result.results, strict=True):
        result.observed[item.tenant.id] = _observed(item, request, actual, bool(item.writes and done.changes and not check_mode))
    return result.to_exit()


def _same_role(actual: Actual, replica: bool, where: str) -> None:
    if actual.recovering and not replica:
        raise OpsError(f"{where} is a standby, where nothing can be written. Correct the address, or declare the region a replica in leanvibe_ops_placement.")
    if replica and not actual.recovering:
        raise OpsError(f"{where} is declared a replica but is a primary, so nobody replicates into it. After a failover, correct leanvibe_ops_placement.")


def _result(request: TenantsRequest, actual: Actual, chosen: Driver) -> SystemResult:
    known = {tenant_id for tenant_id, row in actual.rows.items() if row.bound}
    # A role without a row still shows its tenant: ids have no underscore.
    known |= {name.removeprefix("tenant_").replace("_", "-") for name in actual.members}
    notes = [f"{finding.object}: {finding.message}" for finding in actual.audit.findings]
    if chosen.closes_catalogue and actual.audit.exposed:
        notes.append(f"open to every role, and should not be: {', '.join(actual.audit.exposed[:10])}" + (" and more" if len(actual.audit.exposed) > 10 else ""))
    notes += chosen.notes(len(actual.audit.exposed))
    if actual.sizes:
        notes.append("schema_bytes: measured, not enforced (PostgreSQL has no quota for a schema)")
    return SystemResult(SYSTEM, request.region, [], sorted(known - request.declared_ids), notes, {}, actual.requests)


def _observed(item: TenantPlan, request: TenantsRequest, actual: Actual, written: bool) -> dict[str, Any]:
    """What the database holds of one tenant: as it was read, or, where the run has just ``written`` it, as it is declared."""
    name = item.tenant.database_name
    role, sessions = actual.roles.get(name), actual.sessions.get(name, 0)
    seen: dict[str, Any] = {"role": name if role or written else None, "schema": name if name in actual.schemas or written else None}
    if written:
        limit = request.limits(item.tenant, SYSTEM)["connection_limit"]
        seen |= {"login": item.tenant.active, "connection_limit": limit, "sessions": 0 if item.terminate else sessions}
    else:
        seen |= {"login": bool(role and role.login), "connection_limit": role.connection_limit if role else None, "sessions": sessions}
    return seen | ({"schema_bytes": actual.sizes.get(name, 0)} if actual.sizes else {})


def apply(plans: Sequence[TenantPlan], connection: Mapping[str, Any], lease: AnyLease, chosen: Driver, limit: int, timeout: int) -> list[TenantResult]:
    """Write what differs: one transaction per tenant, ``limit`` sessions. A tenant that fails is rolled back and reported; the others go on.

    Raises LeaseLost: then nothing more is written, and what was written is whole.
    """
    results = {item.tenant.id: TenantResult(item.tenant.id, item.verdict, [] if item.writes else item.changes, item.message) for item in plans}
    with client.Sessions(connection, timeout) as sessions:

        def work(item: TenantPlan) -> None:
            verifier = scram.verifier(item.password) if item.password is not None else None
            client.persistently(lambda: _write(item, verifier, sessions, lease, chosen))

        for outcome in each([item for item in plans if item.writes], work, limit):
            result = results[outcome.item.tenant.id]
            if outcome.error is None:
                result.changes = outcome.item.changes
            elif isinstance(outcome.error, LeaseLost):
                raise outcome.error
            else:
                result.verdict, result.message = "failed", _explain(connection, outcome.error)
    return [results[item.tenant.id] for item in plans]


def _explain(connection: Mapping[str, Any], error: Exception) -> str:
    import psycopg

    if isinstance(error, psycopg.Error):
        error = client.explain(connection, error)
    if isinstance(error, OpsError):
        return f"{error.message} Nothing was changed for this tenant."
    raise error


def _write(item: TenantPlan, verifier: str | None, sessions: client.Sessions, lease: AnyLease, chosen: Driver) -> None:
    """One tenant, whole or not at all, in one round trip. The server never sees a password, only its verifier."""
    from psycopg import sql

    statements = list(item.statements)
    name = item.tenant.database_name
    if verifier is not None and item.password is not None:
        set_password = sql.SQL("ALTER ROLE {} PASSWORD {}").format(sql.Identifier(name), sql.Literal(verifier))
        note = sql.SQL("UPDATE leanvibe_private.tenant_roles SET credential_proof = {} WHERE role_name = {}")
        statements += [set_password, note.format(sql.Literal(chosen.proof(item.password, verifier)), sql.Literal(name))]
    with sessions.session() as session:
        lease.check()
        if statements:
            with session.transaction():
                session.execute(sql.SQL("; ").join(statements))
        if item.terminate:
            session.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = %s", (name,))


def _replica(opened: psycopg.Connection[tuple[Any, ...]], look: Any, request: TenantsRequest, check_mode: bool, chosen: Driver) -> SystemResult:
    """Read until everything has been replayed or the time is up; the verdict says what was read, nothing is written."""
    deadline = time.monotonic() + request.timeout
    actual, plans = look(opened)
    while not check_mode and any(item.changes or item.verdict != "succeeded" for item in plans) and time.monotonic() < deadline:
        time.sleep(REPLAY_POLL_SECONDS)
        actual, plans = look(opened)
    receiver, behind, age = opened.execute(state.LAG).fetchall()[0]
    result = _result(request, actual, chosen)
    link = f"receiver {receiver}" if receiver else "no receiver: it is cut off from its primary"
    replayed = "never" if age is None else f"{age:.1f} s ago"
    waiting = "unknown" if behind is None else behind
    result.notes.append(f"replica: {link}; bytes received and not replayed: {waiting}; last transaction replayed: {replayed}")
    for item in plans:
        result.observed[item.tenant.id] = _observed(item, request, actual, False)
        missing = ", ".join(f"{change.object} ({change.action})" for change in item.changes)
        if item.verdict != "succeeded":
            result.results.append(TenantResult(item.tenant.id, item.verdict, message=item.message))
        elif not missing:
            result.results.append(TenantResult(item.tenant.id, "succeeded", message="replicated"))
        elif check_mode:
            result.results.append(TenantResult(item.tenant.id, "skipped", message=f"written on the primary only; not replicated here now: {missing}"))
        else:
            result.results.append(TenantResult(item.tenant.id, "failed", message=f"not replicated within {request.timeout} s: {missing}"))
    return result
