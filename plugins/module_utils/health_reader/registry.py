# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The health checks' role in the registry's database: it reads the registry's tables, those of later releases too, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, LiteralString

from ..clients import postgresql
from ..common.errors import AccessDenied
from ..common.scram import matches, verifier
from ..registry.connection import session
from .model import Change, Plan, Reader, nobody, refused

if TYPE_CHECKING:
    import psycopg
    from psycopg import sql

SYSTEM = "control"
SELECT = "SELECT"
_ATTRIBUTES = {"rolsuper": "SUPERUSER", "rolbypassrls": "BYPASSRLS", "rolcreaterole": "CREATEROLE", "rolcreatedb": "CREATEDB", "rolreplication": "REPLICATION"}

_ME: LiteralString = """
SELECT current_user, current_database(), rolsuper OR rolcreaterole, has_column_privilege('pg_catalog.pg_authid', 'rolpassword', 'SELECT')
FROM pg_roles WHERE rolname = current_user
"""
_ROLE: LiteralString = """
SELECT rolcanlogin, jsonb_build_object('rolsuper', rolsuper, 'rolbypassrls', rolbypassrls, 'rolcreaterole', rolcreaterole,
                                       'rolcreatedb', rolcreatedb, 'rolreplication', rolreplication),
       ARRAY(SELECT pg_get_userbyid(roleid)::text FROM pg_auth_members WHERE member = r.oid ORDER BY 1)
FROM pg_roles r WHERE rolname = %(role)s
"""
_PASSWORD: LiteralString = "SELECT rolpassword FROM pg_catalog.pg_authid WHERE rolname = %(role)s"  # noqa: S105
# kind, name, right; only what was given to the role itself: PUBLIC has nothing here, and memberships are looked at above.
_GIVEN: LiteralString = """
SELECT 'DATABASE', datname::text, a.privilege_type FROM pg_database, aclexplode(datacl) a
WHERE datname = current_database() AND pg_get_userbyid(a.grantee) = %(role)s
UNION ALL
SELECT 'SCHEMA', nspname::text, a.privilege_type FROM pg_namespace, aclexplode(nspacl) a WHERE pg_get_userbyid(a.grantee) = %(role)s
UNION ALL
SELECT CASE relkind WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END, relname::text, a.privilege_type FROM pg_class, aclexplode(relacl) a
WHERE relnamespace = 'public'::regnamespace AND pg_get_userbyid(a.grantee) = %(role)s
UNION ALL
SELECT 'DEFAULT', defaclobjtype::text, a.privilege_type FROM pg_default_acl, aclexplode(defaclacl) a
WHERE defaclnamespace = 'public'::regnamespace AND pg_get_userbyid(defaclrole) = %(owner)s AND pg_get_userbyid(a.grantee) = %(role)s
"""
_TABLES: LiteralString = "SELECT relname::text FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'v', 'm')"


@dataclass(frozen=True)
class Actual:
    """The registry as our account sees it. ``lets_in``: whether the wanted password is the role's; None: not looked at."""

    ours: str
    database: str
    makes_roles: bool
    exists: bool
    login: bool = False
    attributes: Mapping[str, bool] = field(default_factory=dict)
    groups: tuple[str, ...] = ()
    given: frozenset[tuple[str, str, str]] = frozenset()
    tables: frozenset[str] = frozenset()
    verifier: str | None = field(default=None, repr=False)
    reads_verifiers: bool = False
    lets_in: bool | None = None


def observe(connection: psycopg.Connection[Any], role: str, owner: str) -> Actual:
    """At most five queries. ``owner``: who makes the registry's tables. Raises psycopg.Error."""
    who = {"role": role, "owner": owner}
    ours, database, makes_roles, reads = connection.execute(_ME).fetchone() or ("", "", False, False)
    tables = frozenset(name for (name,) in connection.execute(_TABLES).fetchall())
    found = connection.execute(_ROLE, who).fetchone()
    if found is None:
        return Actual(ours, database, bool(makes_roles), exists=False, tables=tables, reads_verifiers=bool(reads))
    stored = connection.execute(_PASSWORD, who).fetchone() if reads else None
    given = frozenset((kind, name, right) for kind, name, right in connection.execute(_GIVEN, who).fetchall())
    login, attributes, groups = found
    return Actual(ours, database, bool(makes_roles), True, login, attributes, tuple(groups), given, tables, stored[0] if stored else None, bool(reads))


def wanted(database: str, tables: frozenset[str]) -> frozenset[tuple[str, str, str]]:
    """What the role is to have, as (kind, name, right): health/systems/registry_rights.py says it in words."""
    return frozenset(
        {("DATABASE", database, "CONNECT"), ("SCHEMA", "public", "USAGE"), ("DEFAULT", "r", SELECT), *(("TABLE", name, SELECT) for name in tables)}
    )


def plan(reader: Reader, owner: str, actual: Actual) -> Plan:
    """Compare. Pure."""
    if conflict := reader.conflict(actual.ours, owner, "postgres"):
        return refused(reader.name, conflict)
    if not reader.password:
        return refused(reader.name, f"role {reader.name} needs a password: set it in leanvibe_ops_health_registry")
    if not actual.exists and not actual.makes_roles:
        message = f"there is no role {reader.name}, and {actual.ours} may make none: set leanvibe_ops_registry_superuser, or have a superuser make it"
        return refused(reader.name, message)
    statements, fields = _role(reader, actual)
    changes = [Change(f"role {reader.name}", "update" if actual.exists else "create", fields)] if statements else []
    more, differences = rights(reader.name, owner, actual)
    return Plan(reader.name, [*statements, *more], [*changes, *differences])


def rights(role: str, owner: str, actual: Actual) -> tuple[list[sql.Composed], list[Change]]:
    """What makes the role's rights exactly those that are wanted, and how they differ. Pure."""
    should = wanted(actual.database, actual.tables)
    missing, excess = sorted(should - actual.given), sorted(actual.given - should)
    if not missing and not excess:
        return [], []
    statements = [_revoke(role, owner, *right) for right in excess] + [_grant(role, owner, *right) for right in missing]
    before, after = ([_words(*right) for right in side] for side in (excess, missing))
    return statements, [Change(f"rights of {role}", "update", ["rights"], {"too much": before}, {"lacking": after})]


def _role(reader: Reader, actual: Actual) -> tuple[list[sql.Composed], list[str]]:
    from psycopg import sql

    name = sql.Identifier(reader.name)
    if not actual.exists:
        # The server sees the verifier only, so that no log of its can hold the password.
        return [sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(name, sql.Literal(verifier(str(reader.password))))], []
    fields: list[str] = []
    words: list[sql.SQL | sql.Composed] = []
    if not actual.login:
        fields.append("login")
        words.append(sql.SQL("LOGIN"))
    for attribute, word in _ATTRIBUTES.items():
        if actual.attributes[attribute]:
            fields.append(word.lower())
            words.append(sql.SQL(f"NO{word}"))  # a word of ours
    same = matches(str(reader.password), actual.verifier) if actual.reads_verifiers else actual.lets_in is not False
    if not same:
        fields.append("password")
        words.append(sql.SQL("PASSWORD {}").format(sql.Literal(verifier(str(reader.password)))))
    statements: list[sql.Composed] = [sql.SQL("ALTER ROLE {} {}").format(name, sql.SQL(" ").join(words))] if words else []
    for group in actual.groups:
        fields.append(f"member of {group}")
        statements.append(sql.SQL("REVOKE {} FROM {}").format(sql.Identifier(group), name))
    return statements, fields


def _words(kind: str, name: str, right: str) -> str:
    return f"{right} on tables of later releases" if kind == "DEFAULT" else f"{right} on {kind.lower()} {name}"


def _place(kind: str, name: str) -> sql.Composed:
    from psycopg import sql

    return sql.SQL({"DATABASE": "DATABASE {}", "SCHEMA": "SCHEMA {}", "SEQUENCE": "SEQUENCE public.{}"}.get(kind, "TABLE public.{}")).format(
        sql.Identifier(name)
    )


def _grant(role: str, owner: str, kind: str, name: str, right: str) -> sql.Composed:
    from psycopg import sql

    if kind == "DEFAULT":
        text = sql.SQL("ALTER DEFAULT PRIVILEGES FOR ROLE {} IN SCHEMA public GRANT SELECT ON TABLES TO {}")
        return text.format(sql.Identifier(owner), sql.Identifier(role))
    return sql.SQL("GRANT {} ON {} TO {}").format(_right(right), _place(kind, name), sql.Identifier(role))


def _revoke(role: str, owner: str, kind: str, name: str, right: str) -> sql.Composed:
    from psycopg import sql

    if kind == "DEFAULT":
        of = sql.SQL({"r": "TABLES", "S": "SEQUENCES", "f": "FUNCTIONS", "T": "TYPES"}.get(name, "TABLES"))
        text = sql.SQL("ALTER DEFAULT PRIVILEGES FOR ROLE {} IN SCHEMA public REVOKE {} ON {} FROM {}")
        return text.format(sql.Identifier(owner), _right(right), of, sql.Identifier(role))
    return sql.SQL("REVOKE {} ON {} FROM {}").format(_right(right), _place(kind, name), sql.Identifier(role))


_RIGHTS: Mapping[str, LiteralString] = {
    name: name
    for name in ("SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER", "MAINTAIN", "CONNECT", "CREATE", "TEMPORARY", "USAGE", "EXECUTE")
}


def _right(name: str) -> sql.SQL:
    """A right by its name, of which there are so many and no more. Raises KeyError."""
    from psycopg import sql

    return sql.SQL(_RIGHTS[name])


def apply(steps: Sequence[sql.Composed], connection: psycopg.Connection[Any]) -> None:
    """All in one transaction. Raises psycopg.Error."""
    if not steps:
        return
    with connection.transaction():
        for step in steps:
            connection.execute(step)


def _lets_in(connection: Mapping[str, Any], reader: Reader, timeout: int) -> bool:
    try:
        postgresql.connect({**connection, "username": reader.name, "password": reader.password}, timeout).close()
    except AccessDenied as error:
        return "authentication failed" not in error.message
    return True


def run(params: Mapping[str, Any], check_mode: bool) -> dict[str, Any]:
    """One call of the module health_reader_control. Raises OpsError."""
    registry, account, owner = params["registry"], params["account"], params["owner"]
    if not account:
        return nobody("leanvibe_ops_health_registry", "leanvibe_ops_registry").to_exit(SYSTEM, params["region"])
    reader = Reader(account["username"], account.get("password"))
    with session(registry, params["timeout"]) as connection:
        actual = observe(connection, reader.name, owner)
        if actual.exists and not actual.reads_verifiers and reader.password:
            actual = Actual(**{**vars(actual), "lets_in": _lets_in(registry, reader, params["timeout"])})
        made = plan(reader, owner, actual)
        if not check_mode:
            apply(made.steps, connection)
    return made.to_exit(SYSTEM, params["region"])
