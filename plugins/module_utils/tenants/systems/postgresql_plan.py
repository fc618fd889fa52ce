# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What differs between a declared tenant and what PostgreSQL holds of it, and the statements that remove the difference. Pure: no I/O here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ...common.errors import OpsError
from ...platform_database.names import OPERATIONS, TENANTS
from ..credentials import TenantCredentials
from ..model import Change, Tenant
from .postgresql_driver import Driver
from .postgresql_state import Actual, RoleState, SchemaState

if TYPE_CHECKING:
    from psycopg import sql

REDACTED = "(redacted)"
RIGHTS = frozenset({"USAGE", "CREATE"})


@dataclass
class TenantPlan:
    """What to do for one tenant: ``statements`` in one transaction, then the sessions of the role ended if ``terminate``.

    ``password``: to be set with the transaction; its verifier is made when it runs. ``verdict`` and ``message``: what is known before anything is written.
    """

    tenant: Tenant
    verdict: str = "succeeded"
    message: str = ""
    changes: list[Change] = field(default_factory=list)
    statements: list[sql.Composed] = field(default_factory=list)
    password: str | None = field(default=None, repr=False)
    terminate: bool = False

    @property
    def writes(self) -> bool:
        """Whether there is anything to do."""
        return bool(self.statements or self.password is not None or self.terminate)


def plan(tenant: Tenant, limits: Mapping[str, Any], credentials: TenantCredentials | OpsError, actual: Actual, driver: Driver) -> TenantPlan:
    """Compare one tenant with what was read. ``limits``: the section postgresql of its tier."""
    name = tenant.database_name
    role, schema, row = actual.roles.get(name), actual.schemas.get(name), actual.rows.get(tenant.id)
    refusal = _foreign(tenant, actual) or _in_use(tenant, limits, actual) or _unprotected(tenant, actual, driver)
    if refusal:
        return TenantPlan(tenant, "refused", refusal)
    result = TenantPlan(tenant)
    _role(result, role, _wanted(tenant, limits))
    _password(result, role, credentials, actual, driver)
    if role is not None:
        _settings(result, role, _wanted_settings(tenant, limits), actual.database)
        _memberships(result, role)
    _schema(result, schema, actual.account)
    _rows(result, row.row if row else None, bool(row and row.bound))
    sessions = actual.sessions.get(name, 0)
    if not tenant.active and (sessions or (role is not None and role.login)):
        result.terminate = True
        if sessions:
            result.changes.append(Change(f"sessions of {name}", "delete", ("sessions",), {"sessions": sessions}, {"sessions": 0}))
    if role is None:
        _new_role(result, _wanted(tenant, limits), _wanted_settings(tenant, limits))
    return result


def _foreign(tenant: Tenant, actual: Actual) -> str:
    """Why the names are not ours to touch; empty if they are (or nothing is there)."""
    name = tenant.database_name
    role, schema, row = actual.roles.get(name), actual.schemas.get(name), actual.rows.get(tenant.id)
    if not (row and row.bound) and name not in actual.members:
        there = [
            what
            for what, found in ((f"role {name}", role), (f"schema {name}", schema), (f"rows of {tenant.id} in the shared tables", row))
            if found is not None
        ]
        if there:
            return (
                f"{' and '.join(there)} exist, but belong to no tenant of ours (somebody else's, or left over from an earlier tenant). "
                "Nothing was changed: take them away or choose another id."
            )
    if schema is not None and schema.owner != actual.account:
        return f"schema {name} is owned by {schema.owner}, not by {actual.account}; find out why, then ALTER SCHEMA {name} OWNER TO {actual.account}"
    if role is not None and role.above_us:
        return f"role {name} has SUPERUSER, REPLICATION or BYPASSRLS; find out who gave it that, and take it away as a superuser"
    return ""


def _in_use(tenant: Tenant, limits: Mapping[str, Any], actual: Actual) -> str:
    name, wanted = tenant.database_name, int(limits["connection_limit"])
    role, sessions = actual.roles.get(name), actual.sessions.get(tenant.database_name, 0)
    if tenant.active and role is not None and role.connection_limit != wanted and sessions > wanted:
        return (
            f"role {name} has {sessions} sessions now, more than the new limit of {wanted} (its limit is {role.connection_limit}). "
            "Nothing was changed: end some, then run again."
        )
    return ""


def _unprotected(tenant: Tenant, actual: Actual, driver: Driver) -> str:
    """Nobody is let in while tenants are not kept apart; taking access away goes on."""
    problems = len(actual.audit.findings) + (len(actual.audit.exposed) if driver.closes_catalogue else 0)
    if problems and (tenant.active or tenant.database_name not in actual.roles):
        return f"the database does not keep tenants apart ({problems} findings, see the notes). Run the role leanvibe.ops.platform_database, then again."
    return ""


def _wanted(tenant: Tenant, limits: Mapping[str, Any]) -> dict[str, Any]:
    return {"login": tenant.active, "connection_limit": int(limits["connection_limit"]), "inherit": True, "powers": False, "expires": False}


def _wanted_settings(tenant: Tenant, limits: Mapping[str, Any]) -> dict[str, str]:
    return {
        "search_path": f"{tenant.database_name}, pg_temp",
        "statement_timeout": str(int(limits["statement_timeout_ms"])),
        "idle_in_transaction_session_timeout": str(int(limits["idle_in_transaction_timeout_ms"])),
    }


def _words(fields: Mapping[str, Any]) -> sql.Composed:
    """Options of CREATE ROLE and ALTER ROLE. (NOSUPERUSER and its like are not ours to say, and the default.)"""
    from psycopg import sql

    options: dict[str, sql.Composable] = {
        "login": sql.SQL("LOGIN" if fields.get("login") else "NOLOGIN"),
        "connection_limit": sql.SQL("CONNECTION LIMIT {}").format(sql.Literal(fields.get("connection_limit"))),
        # The rights of the group reach a session only if they are inherited.
        "inherit": sql.SQL("INHERIT"),
        "powers": sql.SQL("NOCREATEROLE NOCREATEDB"),
        "expires": sql.SQL("VALID UNTIL 'infinity'"),
    }
    return sql.SQL(" ").join([options[name] for name in fields])


def _role(result: TenantPlan, role: RoleState | None, wanted: Mapping[str, Any]) -> None:
    from psycopg import sql

    if role is None:
        return
    name = result.tenant.database_name
    different = {key: value for key, value in wanted.items() if getattr(role, key) != value}
    if different:
        before = {key: getattr(role, key) for key in different}
        result.changes.append(Change(f"role {name}", "update", tuple(different), before, different))
        result.statements.append(sql.SQL("ALTER ROLE {} {}").format(sql.Identifier(name), _words(different)))


def _new_role(result: TenantPlan, wanted: Mapping[str, Any], settings: Mapping[str, str]) -> None:
    """Put the role first: schema and rows refer to it."""
    from psycopg import sql

    name = result.tenant.database_name
    wanted = {key: value for key, value in wanted.items() if key != "expires"}
    after = {**wanted, **settings, "groups": [TENANTS], "password": REDACTED}
    result.changes = [Change(f"role {name}", "create", tuple(after), None, after), *(change for change in result.changes if change.object != f"role {name}")]
    create = sql.SQL("CREATE ROLE {} {} IN ROLE {}").format(sql.Identifier(name), _words(wanted), sql.Identifier(TENANTS))
    result.statements = [create, *(_set(name, key, value) for key, value in settings.items()), *result.statements]


def _set(role: str, key: str, value: str) -> sql.Composed:
    from psycopg import sql

    items = sql.SQL(", ").join(sql.Literal(item.strip()) for item in value.split(","))
    return sql.SQL("ALTER ROLE {} SET {} TO {}").format(sql.Identifier(role), sql.Identifier(key), items)


def _password(result: TenantPlan, role: RoleState | None, credentials: TenantCredentials | OpsError, actual: Actual, driver: Driver) -> None:
    name = result.tenant.database_name
    if isinstance(credentials, OpsError):
        result.verdict, result.message = "failed", f"the password was not looked at: {credentials.message}"
        return
    row = actual.rows.get(result.tenant.id)
    if role is None or not driver.holds(credentials.postgresql_password, actual.verifiers.get(name), row.proof if row else None):
        result.password = credentials.postgresql_password
        if role is not None:
            result.changes.append(Change(f"role {name}", "update", ("password",), {"password": REDACTED}, {"password": f"{REDACTED}, from the Secret"}))


def _settings(result: TenantPlan, role: RoleState, wanted: Mapping[str, str], database: str) -> None:
    from psycopg import sql

    name = result.tenant.database_name
    different = {key: value for key, value in wanted.items() if role.settings.get(key) != value}
    if different:
        before = {key: role.settings.get(key) for key in different}
        result.changes.append(Change(f"settings of {name}", "update", tuple(different), before, different))
        result.statements += [_set(name, key, value) for key, value in different.items()]
    over = {key: value for key, value in role.local_settings.items() if key in wanted}
    if over:
        result.changes.append(Change(f"settings of {name} in {database}", "delete", tuple(over), over, None))
        reset = sql.SQL("ALTER ROLE {} IN DATABASE {} RESET {}")
        result.statements += [reset.format(sql.Identifier(name), sql.Identifier(database), sql.Identifier(key)) for key in over]


def _memberships(result: TenantPlan, role: RoleState) -> None:
    """Exactly one group. PostgreSQL 15 lets every role admit others to itself: that is undone."""
    from psycopg import sql

    name = result.tenant.database_name
    statements = []
    if not {TENANTS, f"{TENANTS}*"} & set(role.groups):
        statements.append(sql.SQL("GRANT {} TO {}").format(sql.Identifier(TENANTS), sql.Identifier(name)))
    for group in role.groups:
        if group == f"{TENANTS}*":
            statements.append(sql.SQL("REVOKE ADMIN OPTION FOR {} FROM {}").format(sql.Identifier(TENANTS), sql.Identifier(name)))
        elif group != TENANTS:
            statements.append(sql.SQL("REVOKE {} FROM {}").format(sql.Identifier(group.rstrip("*")), sql.Identifier(name)))
    strangers = [member for member in role.members if member != OPERATIONS]
    statements += [sql.SQL("REVOKE {} FROM {}").format(sql.Identifier(name), sql.Identifier(member)) for member in strangers]
    if statements:
        before = {"groups": sorted(role.groups), "members": sorted(role.members)}
        after = {"groups": [TENANTS], "members": sorted(set(role.members) - set(strangers))}
        result.changes.append(Change(f"memberships of {name}", "update", tuple(key for key in before if before[key] != after[key]), before, after))
        result.statements += statements


def _schema(result: TenantPlan, schema: SchemaState | None, account: str) -> None:
    """The schema is ours, so that its tenant can neither drop or rename it nor let others in; what it makes in there is its own."""
    from psycopg import sql

    name = result.tenant.database_name
    identifier = sql.Identifier(name)
    wanted = {(name, right) for right in RIGHTS}
    grants = schema.grants if schema else frozenset()
    strangers = sorted({grantee for grantee, right in grants - wanted})
    if schema is None:
        after = {"owner": account, "grants": {name: sorted(RIGHTS)}}
        result.changes.append(Change(f"schema {name}", "create", tuple(after), None, after))
        result.statements.append(sql.SQL("CREATE SCHEMA {}").format(identifier))
    elif grants != wanted:
        before = {"grants": sorted(f"{grantee} {right}" for grantee, right in grants)}
        result.changes.append(Change(f"schema {name}", "update", ("grants",), before, {"grants": sorted(f"{grantee} {right}" for grantee, right in wanted)}))
    for grantee in strangers:
        who = sql.SQL("PUBLIC") if grantee == "PUBLIC" else sql.Identifier(grantee)
        result.statements.append(sql.SQL("REVOKE ALL ON SCHEMA {} FROM {} CASCADE").format(identifier, who))
    if not wanted <= grants or name in strangers:
        result.statements.append(sql.SQL("GRANT USAGE, CREATE ON SCHEMA {} TO {}").format(identifier, identifier))


def _rows(result: TenantPlan, row: Mapping[str, str] | None, bound: bool) -> None:
    from psycopg import sql

    tenant = result.tenant
    wanted = {"name": tenant.name, "tier": tenant.tier, "region": tenant.region, "state": tenant.state}
    if row is None:
        columns = sql.SQL(", ").join(sql.Identifier(key) for key in ("tenant_id", *wanted))
        values = sql.SQL(", ").join(sql.Literal(value) for value in (tenant.id, *wanted.values()))
        result.changes.append(Change("row in leanvibe.tenants", "create", tuple(wanted), None, wanted))
        result.statements.append(sql.SQL("INSERT INTO leanvibe.tenants ({}) VALUES ({})").format(columns, values))
    elif row != wanted:
        different = {key: value for key, value in wanted.items() if row[key] != value}
        assignments = sql.SQL(", ").join(sql.SQL("{} = {}").format(sql.Identifier(key), sql.Literal(value)) for key, value in different.items())
        result.changes.append(Change("row in leanvibe.tenants", "update", tuple(different), {key: row[key] for key in different}, different))
        update = sql.SQL("UPDATE leanvibe.tenants SET {}, updated_at = now() WHERE tenant_id = {}")
        result.statements.append(update.format(assignments, sql.Literal(tenant.id)))
    if not bound:
        names = {"role_name": tenant.database_name, "tenant_id": tenant.id}
        result.changes.append(Change("row in leanvibe_private.tenant_roles", "create", tuple(names), None, names))
        insert = sql.SQL("INSERT INTO leanvibe_private.tenant_roles (role_name, tenant_id) VALUES ({}, {})")
        result.statements.append(insert.format(sql.Literal(tenant.database_name), sql.Literal(tenant.id)))
