# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rights that checks of PostgreSQL need, and how the server is asked for each. The role platform_database gives them.

A file of its own, so that who looks after the account need not load the checks.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import LiteralString

ROLE = "leanvibe_health"  # platform_database/names.py
MONITOR = "pg_monitor"


@dataclass(frozen=True)
class Right:
    """``statement`` gives it, as the runbook writes it; ``holds`` is an expression that is true where the role %(role)s has it.

    ``self_managed``: RDS lets nobody give it, and what needs it is ``unknown`` there.
    """

    statement: str
    holds: LiteralString
    self_managed: bool = False


RIGHTS = (
    Right(f"CREATE ROLE {ROLE} LOGIN", "EXISTS (SELECT FROM pg_roles WHERE rolname = %(role)s AND rolcanlogin)"),
    Right(f"GRANT {MONITOR} TO {ROLE}", "pg_has_role(%(role)s, 'pg_monitor', 'USAGE')"),
    Right(f"GRANT CONNECT ON DATABASE leanvibe TO {ROLE}", "has_database_privilege(%(role)s, current_database(), 'CONNECT')"),
    Right(
        f"GRANT SELECT (starelid, staattnum, stainherit, stanullfrac, stawidth) ON pg_catalog.pg_statistic TO {MONITOR}",
        """(SELECT bool_and(has_column_privilege(%(role)s, 'pg_catalog.pg_statistic', name, 'SELECT'))
            FROM unnest(ARRAY['starelid', 'staattnum', 'stainherit', 'stanullfrac', 'stawidth']) AS name)""",
        self_managed=True,
    ),
    Right(
        f"GRANT USAGE ON SCHEMA leanvibe_private TO {MONITOR}",
        "(SELECT coalesce(bool_and(has_schema_privilege(%(role)s, oid, 'USAGE')), false) FROM pg_namespace WHERE nspname = 'leanvibe_private')",
    ),
    Right(
        f"GRANT SELECT ON leanvibe_private.heartbeat, leanvibe_private.exemptions TO {MONITOR}",
        """(SELECT count(*) = 2 AND coalesce(bool_and(has_table_privilege(%(role)s, c.oid, 'SELECT')), false)
            FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace WHERE nspname = 'leanvibe_private' AND relname IN ('heartbeat', 'exemptions'))""",
    ),
    Right(
        f"GRANT SELECT ON ALL SEQUENCES IN SCHEMA leanvibe TO {MONITOR}",
        """(SELECT coalesce(bool_and(has_sequence_privilege(%(role)s, c.oid, 'SELECT')), true)
            FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace WHERE nspname = 'leanvibe' AND relkind = 'S')""",
    ),
)
# What a role that only looks must not have, each with the words for it.
EXCESS: Mapping[str, LiteralString] = {
    "it is a superuser": "(SELECT rolsuper FROM pg_roles WHERE rolname = %(role)s)",
    "it passes by row-level security": "(SELECT rolbypassrls FROM pg_roles WHERE rolname = %(role)s)",
    "it makes roles or databases": "(SELECT rolcreaterole OR rolcreatedb FROM pg_roles WHERE rolname = %(role)s)",
    "it replicates": "(SELECT rolreplication FROM pg_roles WHERE rolname = %(role)s)",
    "it is a member of further roles": """EXISTS (SELECT FROM pg_auth_members m JOIN pg_roles r ON r.oid = m.member
        WHERE r.rolname = %(role)s AND pg_get_userbyid(m.roleid) <> 'pg_monitor')""",
    "it makes schemas in the database": "has_database_privilege(%(role)s, current_database(), 'CREATE')",
    "it writes to tables": """EXISTS (SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
        WHERE relkind IN ('r', 'p', 'v', 'f') AND nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast') AND nspname NOT LIKE 'pg_temp%%'
          AND has_table_privilege(%(role)s, c.oid, 'INSERT, UPDATE, DELETE, TRUNCATE'))""",
    "it reads the tenants' rows": """EXISTS (SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
        WHERE relkind IN ('r', 'p', 'v') AND nspname = 'leanvibe' AND has_table_privilege(%(role)s, c.oid, 'SELECT'))""",
}
