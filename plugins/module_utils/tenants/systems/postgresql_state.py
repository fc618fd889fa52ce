# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads what PostgreSQL holds of tenants, in a constant number of queries for any number of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ...platform_database.audit import Audit, audit
from ...platform_database.names import TENANT_PREFIX, TENANTS
from .postgresql_driver import Driver

if TYPE_CHECKING:
    import psycopg

ROLES = """
SELECT r.rolname, r.rolsuper OR r.rolreplication OR r.rolbypassrls, r.rolcreaterole OR r.rolcreatedb, r.rolinherit, r.rolcanlogin, r.rolconnlimit,
       r.rolvaliduntil IS NOT NULL AND r.rolvaliduntil <> 'infinity',
       coalesce((SELECT s.setconfig FROM pg_db_role_setting s WHERE s.setrole = r.oid AND s.setdatabase = 0), '{}'),
       coalesce((SELECT s.setconfig FROM pg_db_role_setting s JOIN pg_database d ON d.oid = s.setdatabase
                 WHERE s.setrole = r.oid AND d.datname = current_database()), '{}'),
       ARRAY(SELECT pg_get_userbyid(m.roleid)::text || CASE WHEN m.admin_option THEN '*' ELSE '' END FROM pg_auth_members m WHERE m.member = r.oid),
       ARRAY(SELECT pg_get_userbyid(m.member)::text FROM pg_auth_members m WHERE m.roleid = r.oid)
FROM pg_roles r WHERE r.rolname = ANY(%(names)s)
"""
SCHEMAS = """
SELECT n.nspname, pg_get_userbyid(n.nspowner)::text,
       ARRAY(SELECT ARRAY[CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE pg_get_userbyid(a.grantee)::text END,
                          a.privilege_type || CASE WHEN a.is_grantable THEN '*' ELSE '' END]
             FROM aclexplode(n.nspacl) a WHERE a.grantee <> n.nspowner)
FROM pg_namespace n WHERE n.nspname = ANY(%(names)s)
"""
ROWS = """
SELECT coalesce(t.tenant_id, r.tenant_id), r.role_name, r.credential_proof, t.name, t.tier, t.region, t.state
FROM leanvibe.tenants t FULL JOIN leanvibe_private.tenant_roles r ON r.tenant_id = t.tenant_id
"""
MEMBERS = "SELECT pg_get_userbyid(m.member)::text FROM pg_auth_members m JOIN pg_roles g ON g.oid = m.roleid WHERE g.rolname = %(group)s"
SESSIONS = "SELECT usename, count(*)::int FROM pg_stat_activity WHERE usename = ANY(%(names)s) GROUP BY usename"
SIZES = """
SELECT n.nspname, coalesce(sum(pg_total_relation_size(c.oid)), 0)::bigint
FROM pg_namespace n LEFT JOIN pg_class c ON c.relnamespace = n.oid AND c.relkind IN ('r', 'm', 'S') WHERE n.nspname = ANY(%(names)s) GROUP BY n.nspname
"""
SERVER = "SELECT pg_is_in_recovery(), current_user, current_database()"
LAG = """
SELECT (SELECT status FROM pg_stat_wal_receiver), pg_wal_lsn_diff(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn())::bigint,
       extract(epoch FROM clock_timestamp() - pg_last_xact_replay_timestamp())::float8
"""


@dataclass(frozen=True)
class RoleState:
    """A role as it is. Groups end in ``*`` where the role may admit others; ``settings`` hold in all databases, ``local_settings`` in this one."""

    above_us: bool  # SUPERUSER, REPLICATION or BYPASSRLS, which only a superuser can take away
    powers: bool  # CREATEROLE or CREATEDB
    inherit: bool
    login: bool
    connection_limit: int
    expires: bool
    settings: Mapping[str, str]
    local_settings: Mapping[str, str]
    groups: Sequence[str]
    members: Sequence[str]


@dataclass(frozen=True)
class SchemaState:
    """A schema as it is; rights (role or PUBLIC, right) end in ``*`` where they may be passed on."""

    owner: str
    grants: frozenset[tuple[str, str]]


@dataclass(frozen=True)
class RowState:
    """What the tables say of a tenant: its row in leanvibe.tenants (None: absent), and whether a role is bound to it."""

    row: Mapping[str, str] | None
    bound: bool
    proof: str | None = field(repr=False)


@dataclass(frozen=True)
class Actual:
    """All that was read. Keyed by role or schema name, ``rows`` by tenant id."""

    recovering: bool
    account: str
    database: str
    roles: Mapping[str, RoleState]
    verifiers: Mapping[str, str | None] = field(repr=False)
    schemas: Mapping[str, SchemaState]
    rows: Mapping[str, RowState]
    members: frozenset[str]
    sessions: Mapping[str, int]
    sizes: Mapping[str, int]
    audit: Audit
    requests: int


def observe(connection: psycopg.Connection[tuple[Any, ...]], driver: Driver, names: Sequence[str], measure: bool) -> Actual:
    """Read everything about the roles and schemas ``names``, and who else is there. The audit is read in the same session."""
    parameters = {"names": list(names), "group": TENANTS}
    judgement = audit(connection)
    recovering, account, database = connection.execute(SERVER).fetchall()[0]
    roles = {
        name: RoleState(above, powers, inherit, login, limit, expires, _settings(everywhere), _settings(here), groups, members)
        for name, above, powers, inherit, login, limit, expires, everywhere, here, groups, members in connection.execute(ROLES, parameters).fetchall()
    }
    verifiers = dict(connection.execute(driver.verifiers, parameters).fetchall()) if driver.verifiers is not None else {}
    schemas = {
        name: SchemaState(owner, frozenset((grantee, right) for grantee, right in grants))
        for name, owner, grants in connection.execute(SCHEMAS, parameters).fetchall()
    }
    rows = {
        tenant_id: RowState({"name": name, "tier": tier, "region": region, "state": state} if name is not None else None, role is not None, proof)
        for tenant_id, role, proof, name, tier, region, state in connection.execute(ROWS).fetchall()
    }
    members = frozenset(name for (name,) in connection.execute(MEMBERS, parameters).fetchall() if name.startswith(TENANT_PREFIX))
    sessions = dict(connection.execute(SESSIONS, parameters).fetchall())
    sizes = dict(connection.execute(SIZES, parameters).fetchall()) if measure else {}
    requests = 17 + (driver.verifiers is not None) + measure
    return Actual(recovering, account, database, roles, verifiers, schemas, rows, members, sessions, sizes, judgement, requests)


def _settings(configuration: Sequence[str]) -> dict[str, str]:
    return dict(item.split("=", 1) for item in configuration)
