# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Roles and schemas of the platform's database, and the one form that a protection has. docs/isolation-postgresql.md explains them."""

from __future__ import annotations

OWNER = "leanvibe_owner"  # owns schemas and tables; nobody logs in as it, and FORCE binds it, too
MIGRATIONS = "leanvibe_migrations"  # runs the migrations; a member of OWNER
APPLICATION = "leanvibe_app"  # the application; bound by the variable rls.tenant_id
OPERATIONS = "leanvibe_operations"  # provisions tenants
TENANTS = "leanvibe_tenants"  # group of the tenants' own roles; bound by session_user
GATE = "leanvibe_gate"  # runs the functions behind the tenants' views; bound as TENANTS
POOLER = "pgbouncer_auth"  # looks up verifiers for PgBouncer
CENSUS = "leanvibe_census"  # runs the function that counts rows by tenant; sees the column tenant_id of every row, and no other
HEALTH = "leanvibe_health"  # looks at the health of it all, and writes nothing; a member of pg_monitor
HEARTBEAT = "leanvibe_heartbeat"  # writes the row by which it is known how late standbys are
MONITOR = "pg_monitor"

TABLES = "leanvibe"  # the shared tables
SHARED = "leanvibe_shared"  # the tenants' views of their rows in them
PRIVATE = "leanvibe_private"  # which role is which tenant, what is exempt, revisions; no tenant may look in
SCHEMAS = (TABLES, SHARED, PRIVATE)
HEARTBEAT_TABLE = f"{PRIVATE}.heartbeat"
CENSUS_FUNCTION = f"{PRIVATE}.tenant_rows"

TENANT_COLUMN = "tenant_id"
TENANT_PREFIX = "tenant_"
VARIABLE = "rls.tenant_id"

# As PostgreSQL prints the expressions of the policies (pg_get_expr).
APPLICATION_RULE = "(tenant_id = ( SELECT NULLIF(current_setting('rls.tenant_id'::text, true), ''::text) AS \"nullif\"))"
TENANT_RULE = "(tenant_id = ( SELECT leanvibe_private.session_tenant() AS session_tenant))"
EVERY_ROW = "true"

# name of the policy -> (role, expression); every table with a tenant has the first two, and only tables listed as exempt may have the third.
POLICIES = {
    "application": (APPLICATION, APPLICATION_RULE),
    "tenant": (TENANTS, TENANT_RULE),
}
OPERATIONS_POLICY = ("operations", (OPERATIONS, EVERY_ROW))
# For SELECT only; what keeps rows closed all the same is that the role may read no other column than tenant_id.
CENSUS_POLICY = ("census", (CENSUS, EVERY_ROW))
