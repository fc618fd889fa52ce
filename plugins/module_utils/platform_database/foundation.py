# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What must be there before the shared tables: the platform's roles, who is a member of what, rights on the database, a closed catalogue."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ..clients import postgresql
from ..common.errors import OpsError
from . import catalogue
from .names import APPLICATION, CENSUS, GATE, HEALTH, HEARTBEAT, MIGRATIONS, MONITOR, OPERATIONS, OWNER, POOLER, TABLES, TENANTS, VARIABLE

if TYPE_CHECKING:
    import psycopg

SELF_MANAGED = "postgresql"
RDS = "rds"
DRIVERS = (SELF_MANAGED, RDS)

# role -> attributes that must hold. A login role is made without a password: nobody can log in as it until it has one.
ROLES: Mapping[str, Mapping[str, bool]] = {
    OWNER: {"LOGIN": False, "SUPERUSER": False, "BYPASSRLS": False, "CREATEROLE": False, "CREATEDB": False},
    MIGRATIONS: {"LOGIN": True, "SUPERUSER": False, "BYPASSRLS": True},
    APPLICATION: {"LOGIN": True, "SUPERUSER": False, "BYPASSRLS": False, "CREATEROLE": False, "CREATEDB": False, "REPLICATION": False},
    OPERATIONS: {"LOGIN": True, "SUPERUSER": False, "BYPASSRLS": False, "CREATEROLE": True},
    TENANTS: {"LOGIN": False, "SUPERUSER": False, "BYPASSRLS": False, "CREATEROLE": False, "CREATEDB": False, "REPLICATION": False},
    GATE: {"LOGIN": False, "SUPERUSER": False, "BYPASSRLS": False, "CREATEROLE": False, "CREATEDB": False, "REPLICATION": False},
    CENSUS: {"LOGIN": False, "SUPERUSER": False, "BYPASSRLS": False, "CREATEROLE": False, "CREATEDB": False, "REPLICATION": False},
    HEALTH: {"LOGIN": True, "SUPERUSER": False, "BYPASSRLS": False, "CREATEROLE": False, "CREATEDB": False, "REPLICATION": False},
    HEARTBEAT: {"LOGIN": True, "SUPERUSER": False, "BYPASSRLS": False, "CREATEROLE": False, "CREATEDB": False, "REPLICATION": False},
}
# group -> members; the second value: with the right to admit others
MEMBERSHIPS: Mapping[str, Mapping[str, bool]] = {
    OWNER: {MIGRATIONS: False},
    # The owner hands functions over to the gate.
    GATE: {OWNER: False},
    # Migrations hand the function over to it. Not the owner: it would see every row then.
    CENSUS: {MIGRATIONS: False},
    TENANTS: {GATE: False, OPERATIONS: True},
    MONITOR: {OPERATIONS: False, HEALTH: False},
    "pg_signal_backend": {OPERATIONS: False},
}
SETTINGS: Mapping[str, Mapping[str, str]] = {
    APPLICATION: {"search_path": f"{TABLES}, pg_temp", VARIABLE: ""},
    # A statement that row-level security would narrow down is an error for migrations, not a silently partial success.
    MIGRATIONS: {"row_security": "off"},
}
DATABASE_RIGHTS: Mapping[str, tuple[str, ...]] = {
    APPLICATION: ("CONNECT",),
    MIGRATIONS: ("CONNECT",),
    OPERATIONS: ("CONNECT", "CREATE"),
    TENANTS: ("CONNECT",),
    POOLER: ("CONNECT",),
    HEALTH: ("CONNECT",),
    HEARTBEAT: ("CONNECT",),
}
PUBLIC_EXTENSION_READERS = (MONITOR,)
WIDTHS = ("starelid", "staattnum", "stainherit", "stanullfrac", "stawidth")
_COLUMNS = {
    "LOGIN": "rolcanlogin",
    "SUPERUSER": "rolsuper",
    "BYPASSRLS": "rolbypassrls",
    "CREATEROLE": "rolcreaterole",
    "CREATEDB": "rolcreatedb",
    "REPLICATION": "rolreplication",
}

_OWN = """
SELECT rolsuper, has_schema_privilege(%(monitor)s, 'public', 'USAGE'),
       EXISTS (SELECT FROM pg_roles o WHERE o.rolname = %(operations)s AND has_column_privilege(o.oid, 'pg_catalog.pg_authid', 'rolpassword', 'SELECT')),
       has_column_privilege(%(monitor)s, 'pg_catalog.pg_statistic', 'stawidth', 'SELECT')
FROM pg_roles WHERE rolname = current_user
"""
_ROLES = """
SELECT rolname, jsonb_build_object('rolcanlogin', rolcanlogin, 'rolsuper', rolsuper, 'rolbypassrls', rolbypassrls, 'rolcreaterole', rolcreaterole,
                                   'rolcreatedb', rolcreatedb, 'rolreplication', rolreplication), coalesce(rolconfig, '{}')
FROM pg_roles WHERE rolname = ANY(%s)
"""
_MEMBERS = """
SELECT pg_get_userbyid(roleid), pg_get_userbyid(member), bool_or(admin_option) FROM pg_auth_members
WHERE pg_get_userbyid(roleid) = ANY(%s) GROUP BY 1, 2
"""
_DATABASE = """
SELECT current_database(), CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE pg_get_userbyid(a.grantee) END, a.privilege_type
FROM pg_database d, aclexplode(coalesce(d.datacl, acldefault('d', d.datdba))) a WHERE d.datname = current_database() AND a.grantee <> d.datdba
"""
_PUBLIC = """
SELECT 'SCHEMA', 'public', a.privilege_type FROM pg_namespace n, aclexplode(coalesce(nspacl, acldefault('n', nspowner))) a
WHERE nspname = 'public' AND a.grantee = 0
UNION ALL
SELECT 'TABLE', c.relname, a.privilege_type FROM pg_class c, aclexplode(c.relacl) a
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'v', 'm', 'S', 'f', 'p') AND a.grantee = 0
"""


@dataclass(frozen=True)
class Actual:
    """What was found in one database."""

    database: str
    superuser: bool
    roles: Mapping[str, Mapping[str, bool]]
    settings: Mapping[str, Mapping[str, str]]
    members: Mapping[tuple[str, str], bool]
    database_rights: frozenset[tuple[str, str]]
    public: Sequence[tuple[str, str, str]]
    monitor_uses_public: bool
    reads_verifiers: bool
    monitor_reads_widths: bool
    openings: Sequence[catalogue.Opening]


@dataclass
class Step:
    """One difference: what it is about, what it was, what it becomes, and the statements that make it so."""

    object: str
    before: Any
    after: Any
    statements: list[Any] = field(repr=False)


def observe(connection: psycopg.Connection[tuple[Any, ...]]) -> Actual:
    """A constant number of queries."""
    own = connection.execute(_OWN, {"monitor": MONITOR, "operations": OPERATIONS}).fetchone()
    roles: dict[str, Mapping[str, bool]] = {}
    settings: dict[str, Mapping[str, str]] = {}
    wanted = sorted({*ROLES, *MEMBERSHIPS, *DATABASE_RIGHTS})
    for name, attributes, configuration in connection.execute(_ROLES, (wanted,)).fetchall():
        roles[name] = attributes
        settings[name] = dict(item.split("=", 1) for item in configuration)
    members = {(group, member): admin for group, member, admin in connection.execute(_MEMBERS, (sorted(MEMBERSHIPS),)).fetchall()}
    rights = connection.execute(_DATABASE).fetchall()
    database = connection.execute("SELECT current_database()").fetchone()
    return Actual(
        database=str(database[0]) if database else "",
        superuser=bool(own and own[0]),
        roles=roles,
        settings=settings,
        members=members,
        database_rights=frozenset((grantee, right) for _database, grantee, right in rights),
        public=connection.execute(_PUBLIC).fetchall(),
        monitor_uses_public=bool(own and own[1]),
        reads_verifiers=bool(own and own[2]),
        monitor_reads_widths=bool(own and own[3]),
        openings=catalogue.openings(*catalogue.observe(connection)),
    )


def plan(actual: Actual, driver: str) -> list[Step]:
    """What to do, in order. Pure. On RDS nobody may change the catalogue's rights or give BYPASSRLS: both are left out (see ``notes``)."""
    from psycopg import sql

    steps = [*_roles(actual, driver), *_memberships(actual), *_settings(actual), *_database(actual), *_public(actual)]
    if driver == SELF_MANAGED:
        if not actual.reads_verifiers:
            # To notice a password that somebody else changed.
            grant = sql.SQL("GRANT SELECT (rolname, rolpassword) ON pg_catalog.pg_authid TO {}").format(sql.Identifier(OPERATIONS))
            steps.append(Step(f"verifiers for {OPERATIONS}", False, True, [grant]))
        if not actual.monitor_reads_widths:
            # How wide rows are, for an estimate of bloat; none of the values that statistics hold.
            columns = sql.SQL(", ").join(sql.Identifier(column) for column in WIDTHS)
            grant = sql.SQL("GRANT SELECT ({}) ON pg_catalog.pg_statistic TO {}").format(columns, sql.Identifier(MONITOR))
            steps.append(Step(f"widths for {MONITOR}", False, True, [grant]))
        for opening in actual.openings:
            before = {"public": opening.revoke, "missing": list(opening.grant)}
            steps.append(Step(opening.object, before, {"public": False, "missing": []}, catalogue.statements(opening)))
    return steps


def notes(actual: Actual, driver: str) -> list[str]:
    """What this driver cannot do, for the report."""
    if driver == SELF_MANAGED:
        return []
    return [
        f"RDS has no superuser: {len(actual.openings)} parts of PostgreSQL's catalogue (sizes, counters, activity) stay readable for every tenant",
        f"RDS has no superuser: {MIGRATIONS} cannot have BYPASSRLS; backfills lift FORCE for their own transaction instead",
    ]


def _roles(actual: Actual, driver: str) -> list[Step]:
    from psycopg import sql

    steps = []
    for role, attributes in ROLES.items():
        wanted = {name: value for name, value in attributes.items() if driver == SELF_MANAGED or name not in ("BYPASSRLS", "SUPERUSER", "REPLICATION")}
        known = actual.roles.get(role)
        if known is None:
            different = wanted
            statement = sql.SQL("CREATE ROLE {} {}")
        else:
            different = {name: value for name, value in wanted.items() if known[_COLUMNS[name]] != value}
            statement = sql.SQL("ALTER ROLE {} {}")
        if different or known is None:
            words = sql.SQL(" ").join(sql.SQL(name if value else f"NO{name}") for name, value in different.items())
            before = None if known is None else {name: known[_COLUMNS[name]] for name in different}
            steps.append(Step(f"role {role}", before, dict(different), [statement.format(sql.Identifier(role), words)]))
    return steps


def _memberships(actual: Actual) -> list[Step]:
    from psycopg import sql

    steps = []
    for group, members in MEMBERSHIPS.items():
        for member, admin in members.items():
            known = actual.members.get((group, member))
            if known is None or (admin and not known):
                option = sql.SQL(" WITH ADMIN OPTION" if admin else "")
                grant = sql.SQL("GRANT {} TO {}{}").format(sql.Identifier(group), sql.Identifier(member), option)
                steps.append(Step(f"member {member} of {group}", known is not None, {"admin": admin}, [grant]))
    return steps


def _settings(actual: Actual) -> list[Step]:
    from psycopg import sql

    steps = []
    for role, settings in SETTINGS.items():
        for name, value in settings.items():
            known = actual.settings.get(role, {}).get(name)
            if known != value:
                items = [sql.Literal(item.strip()) for item in value.split(",")]
                statement = sql.SQL("ALTER ROLE {} SET {} TO {}").format(sql.Identifier(role), sql.Identifier(*name.split(".")), sql.SQL(", ").join(items))
                steps.append(Step(f"setting {name} of {role}", known, value, [statement]))
    return steps


def _database(actual: Actual) -> list[Step]:
    from psycopg import sql

    database = sql.Identifier(actual.database)
    steps = []
    public = sorted(right for grantee, right in actual.database_rights if grantee == "PUBLIC")
    if public:
        steps.append(Step(f"database {actual.database} for PUBLIC", public, [], [sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(database)]))
    for role, rights in DATABASE_RIGHTS.items():
        missing = [right for right in rights if (role, right) not in actual.database_rights]
        if missing and (role in ROLES or role in actual.roles):
            words = sql.SQL(", ").join(sql.SQL(right) for right in missing)
            grant = sql.SQL("GRANT {} ON DATABASE {} TO {}").format(words, database, sql.Identifier(role))
            steps.append(Step(f"database {actual.database} for {role}", [], missing, [grant]))
    return steps


def _public(actual: Actual) -> list[Step]:
    from psycopg import sql

    steps = []
    for kind, name in sorted({(kind, name) for kind, name, _right in actual.public}):
        rights = sorted(right for one, other, right in actual.public if (one, other) == (kind, name))
        target = sql.Identifier("public", name) if kind == "TABLE" else sql.Identifier(name)
        words = [sql.SQL("REVOKE ALL ON {} {} FROM PUBLIC").format(sql.SQL(kind), target)]
        if kind == "TABLE":
            words.append(sql.SQL("GRANT SELECT ON TABLE {} TO {}").format(target, sql.Identifier(MONITOR)))
        steps.append(Step(f"{kind.lower()} {name} for PUBLIC", rights, [], words))
    if not actual.monitor_uses_public or any(kind == "SCHEMA" for kind, _name, _right in actual.public):
        # Extensions for operations live there.
        grant = sql.SQL("GRANT USAGE ON SCHEMA public TO {}, {}").format(sql.Identifier(MONITOR), sql.Identifier(OWNER))
        steps.append(Step(f"schema public for {MONITOR}", [], ["USAGE"], [grant]))
    return steps


def run(params: Mapping[str, Any], check_mode: bool) -> dict[str, Any]:
    """Everything the module does. ``params``: connection (with driver), timeout. Raises OpsError."""
    connection = params["connection"]
    driver = connection["driver"]
    with postgresql.session(connection, params["timeout"]) as opened:
        actual = observe(opened)
        if driver == SELF_MANAGED and not actual.superuser:
            raise OpsError(
                f"{postgresql.address(connection)}: {connection['username']} is no superuser, and closing the catalogue needs one. "
                "Give the connection of a superuser (leanvibe_ops_postgresql_superuser), or driver rds for a managed service."
            )
        steps = plan(actual, driver)
        if steps and not check_mode:
            apply(steps, opened)
    return {
        "changed": bool(steps),
        "changes": [step.object for step in steps],
        "notes": notes(actual, driver),
        "diff": {"before": {step.object: step.before for step in steps}, "after": {step.object: step.after for step in steps}},
    }


def apply(steps: Sequence[Step], connection: psycopg.Connection[tuple[Any, ...]]) -> None:
    """All of it in one transaction."""
    with connection.transaction():
        for step in steps:
            for statement in step.statements:
                connection.execute(statement)
