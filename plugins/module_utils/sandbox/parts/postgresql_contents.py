# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The platform's roles, databases and rights in a PostgreSQL server: everything but tables, which migrations make."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ...common.lazy import LazyModule
from ...health_reader import registry

if TYPE_CHECKING:
    import psycopg
    from psycopg import sql
else:
    psycopg = LazyModule("psycopg")
    sql = LazyModule("psycopg.sql")


REGISTRY = "leanvibe_ops"
DATABASES = {"leanvibe": "leanvibe_owner", REGISTRY: "leanvibe_registry"}
# attribute keywords of each role; a role without LOGIN has no password
ROLES = {
    "leanvibe_owner": ("NOLOGIN",),
    "leanvibe_migrations": ("LOGIN",),
    "leanvibe_app": ("LOGIN",),
    "leanvibe_operations": ("LOGIN", "CREATEROLE"),
    "leanvibe_health": ("LOGIN",),
    "leanvibe_heartbeat": ("LOGIN",),
    "leanvibe_registry": ("LOGIN",),
    "leanvibe_registry_health": ("LOGIN",),
    "replication": ("LOGIN", "REPLICATION"),
    "pgbouncer_auth": ("LOGIN",),
}
MEMBERSHIPS = {
    "leanvibe_owner": ("leanvibe_migrations",),
    "pg_monitor": ("leanvibe_operations",),
    "pg_read_all_settings": ("leanvibe_operations",),
}
LOOKUP = """
CREATE OR REPLACE FUNCTION pgbouncer.user_lookup(IN name text, OUT username text, OUT verifier text) RETURNS record
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    SELECT rolname::text, rolpassword FROM pg_catalog.pg_authid
    WHERE rolname = name AND rolcanlogin AND NOT rolsuper AND NOT rolreplication
      AND (rolvaliduntil IS NULL OR rolvaliduntil > pg_catalog.now())
$$
"""


def matches(password: str, verifier: str | None) -> bool:
    """Whether a stored SCRAM-SHA-256 verifier (RFC 5803) is one of this password."""
    if not verifier or not verifier.startswith("SCRAM-SHA-256$"):
        return False
    _scheme, work, keys = verifier.split("$")
    iterations, salt = work.split(":")
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), base64.b64decode(salt), int(iterations))
    stored = hashlib.sha256(hmac.new(salted, b"Client Key", hashlib.sha256).digest()).digest()
    return hmac.compare_digest(base64.b64encode(stored).decode(), keys.split(":")[0])


def roles_and_databases(connection: psycopg.Connection[Any], passwords: Mapping[str, str]) -> list[str]:
    """Roles with their passwords and memberships, and the databases; returns what was made or changed."""
    done = []
    known = dict(connection.execute("SELECT rolname, rolpassword FROM pg_authid").fetchall())
    for role, attributes in ROLES.items():
        if role not in known:
            keywords = sql.SQL(" ").join(sql.SQL(attribute) for attribute in attributes)
            connection.execute(sql.SQL("CREATE ROLE {} {}").format(sql.Identifier(role), keywords))
            done.append(f"role {role} made")
        if role in passwords and not matches(passwords[role], known.get(role)):
            # The server sees the verifier only, so that no log of its can hold the password.
            verifier = connection.pgconn.encrypt_password(passwords[role].encode(), role.encode(), b"scram-sha-256").decode()
            connection.execute(sql.SQL("ALTER ROLE {} PASSWORD {}").format(sql.Identifier(role), sql.Literal(verifier)))
            done.append(f"password of {role} set")
    members = set(
        connection.execute("SELECT g.rolname, m.rolname FROM pg_auth_members JOIN pg_roles g ON g.oid = roleid JOIN pg_roles m ON m.oid = member").fetchall()
    )
    for group, names in MEMBERSHIPS.items():
        for name in names:
            if (group, name) not in members:
                connection.execute(sql.SQL("GRANT {} TO {}").format(sql.Identifier(group), sql.Identifier(name)))
                done.append(f"{name} made a member of {group}")
    there = {row[0] for row in connection.execute("SELECT datname FROM pg_database").fetchall()}
    for database, owner in DATABASES.items():
        if database not in there:
            connection.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(sql.Identifier(database), sql.Identifier(owner)))
            done.append(f"database {database} made")
    for database in ("postgres", "template1", "leanvibe_ops"):
        granted = connection.execute(
            "SELECT 1 FROM pg_database, aclexplode(coalesce(datacl, acldefault('d', datdba))) a WHERE datname = %s AND a.grantee = 0", (database,)
        ).fetchone()
        if granted:
            connection.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(sql.Identifier(database)))
            done.append(f"{database} closed to the public")
    return done


def inside(connection: psycopg.Connection[Any], database: str) -> list[str]:
    """Extensions, schemas and rights inside one database; returns what was made or changed."""
    done = []
    if not _exists(connection, "SELECT 1 FROM pg_extension WHERE extname = 'pg_stat_statements'"):
        connection.execute("CREATE EXTENSION pg_stat_statements")
        done.append(f"pg_stat_statements made in {database}")
    # PostgreSQL 15 leaves CREATE on public to its owner; an older dump may have given it back.
    if _exists(connection, "SELECT 1 FROM pg_namespace, aclexplode(nspacl) a WHERE nspname = 'public' AND a.grantee = 0 AND a.privilege_type = 'CREATE'"):
        connection.execute("REVOKE CREATE ON SCHEMA public FROM PUBLIC")
        done.append(f"public in {database} closed for new objects")
    if database == "leanvibe":
        done += _application(connection)
    if database == REGISTRY:
        done += _registry(connection)
    return done


def _registry(connection: psycopg.Connection[Any]) -> list[str]:
    """What who looks at the registry may read: also the tables that migrations make later."""
    role, owner = "leanvibe_registry_health", DATABASES[REGISTRY]
    steps, changes = registry.rights(role, owner, registry.observe(connection, role, owner))
    registry.apply(steps, connection)
    return [f"{change.object} given" for change in changes]


def _application(connection: psycopg.Connection[Any]) -> list[str]:
    done = []
    if not _exists(connection, "SELECT 1 WHERE has_database_privilege('leanvibe_operations', 'leanvibe', 'CREATE')"):
        connection.execute("GRANT CREATE ON DATABASE leanvibe TO leanvibe_operations")
        done.append("leanvibe_operations may make schemas")
    if not _exists(connection, "SELECT 1 WHERE has_table_privilege('leanvibe_operations', 'pg_catalog.pg_authid', 'SELECT')"):
        connection.execute("GRANT SELECT ON pg_catalog.pg_authid TO leanvibe_operations")
        done.append("leanvibe_operations may compare password verifiers")
    if not _exists(connection, "SELECT 1 FROM pg_proc JOIN pg_namespace n ON n.oid = pronamespace WHERE nspname = 'pgbouncer' AND proname = 'user_lookup'"):
        with connection.transaction():
            connection.execute("CREATE SCHEMA IF NOT EXISTS pgbouncer")
            connection.execute(LOOKUP)
            connection.execute("REVOKE ALL ON FUNCTION pgbouncer.user_lookup(text) FROM PUBLIC")
            connection.execute("GRANT USAGE ON SCHEMA pgbouncer TO pgbouncer_auth")
            connection.execute("GRANT EXECUTE ON FUNCTION pgbouncer.user_lookup(text) TO pgbouncer_auth")
        done.append("PgBouncer's user look-up made")
    return done


def _exists(connection: psycopg.Connection[Any], query: Any) -> bool:
    return connection.execute(query).fetchone() is not None
