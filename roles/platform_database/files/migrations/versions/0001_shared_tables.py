# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tenants, their users, projects and tasks, under row-level security.

Keys and references include tenant_id, so that no row can point to another tenant's, and a value that another tenant has is never "taken".
"""

from __future__ import annotations

from alembic import op
from protections import exempt, tenant_table, tenant_view

revision = "0001"
down_revision = None

SCHEMAS = (
    "CREATE SCHEMA leanvibe",
    "CREATE SCHEMA leanvibe_shared",
    "GRANT USAGE ON SCHEMA leanvibe TO leanvibe_app, leanvibe_gate, leanvibe_operations",
    "GRANT USAGE ON SCHEMA leanvibe_shared TO leanvibe_tenants",
    "GRANT USAGE ON SCHEMA leanvibe_private TO leanvibe_operations",
    # Functions are for nobody unless somebody is named.
    "ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC",
    "GRANT SELECT ON leanvibe_private.alembic_version TO leanvibe_operations",
)

TENANTS = (
    """
    CREATE TABLE leanvibe.tenants (
        tenant_id text PRIMARY KEY CHECK (tenant_id ~ '^[a-z]([a-z0-9-]{0,38}[a-z0-9])?$'),
        name text NOT NULL,
        tier text NOT NULL,
        region text NOT NULL,
        state text NOT NULL CHECK (state IN ('active', 'suspended')),
        created_at timestamptz NOT NULL DEFAULT now(),
        updated_at timestamptz NOT NULL DEFAULT now()
    )
    """,
    # Ids have no underscore, so the name of the role says one tenant only; the row says that there is such a tenant.
    """
    CREATE TABLE leanvibe_private.tenant_roles (
        role_name name PRIMARY KEY CHECK (role_name = 'tenant_' || replace(tenant_id, '-', '_')),
        tenant_id text NOT NULL UNIQUE REFERENCES leanvibe.tenants,
        credential_proof text,
        created_at timestamptz NOT NULL DEFAULT now()
    )
    """,
    """
    CREATE TABLE leanvibe_private.exemptions (
        kind text NOT NULL CHECK (kind IN ('table', 'function', 'policy', 'reference', 'index')),
        object text NOT NULL,
        reason text NOT NULL,
        PRIMARY KEY (kind, object)
    )
    """,
    """
    CREATE FUNCTION leanvibe_private.session_tenant() RETURNS text LANGUAGE sql STABLE PARALLEL SAFE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    AS 'SELECT r.tenant_id FROM leanvibe_private.tenant_roles AS r WHERE r.role_name = session_user'
    """,
    "REVOKE ALL ON FUNCTION leanvibe_private.session_tenant() FROM PUBLIC",
    "GRANT EXECUTE ON FUNCTION leanvibe_private.session_tenant() TO leanvibe_tenants",
    "GRANT SELECT, INSERT, UPDATE, DELETE ON leanvibe_private.tenant_roles TO leanvibe_operations",
    "GRANT SELECT ON leanvibe_private.exemptions TO leanvibe_operations",
)

TABLES = (
    """
    CREATE TABLE leanvibe.plans (
        plan text PRIMARY KEY,
        title text NOT NULL,
        monthly_price_cents integer NOT NULL CHECK (monthly_price_cents >= 0)
    )
    """,
    """
    CREATE TABLE leanvibe.users (
        tenant_id text NOT NULL REFERENCES leanvibe.tenants,
        user_id uuid NOT NULL DEFAULT gen_random_uuid(),
        email text NOT NULL,
        display_name text NOT NULL,
        password_hash text,
        created_at timestamptz NOT NULL DEFAULT now(),
        PRIMARY KEY (tenant_id, user_id)
    )
    """,
    "CREATE UNIQUE INDEX users_email ON leanvibe.users (tenant_id, lower(email))",
    """
    CREATE TABLE leanvibe.projects (
        tenant_id text NOT NULL REFERENCES leanvibe.tenants,
        project_id uuid NOT NULL DEFAULT gen_random_uuid(),
        name text NOT NULL,
        description text NOT NULL DEFAULT '',
        owner_user_id uuid,
        created_at timestamptz NOT NULL DEFAULT now(),
        PRIMARY KEY (tenant_id, project_id),
        UNIQUE (tenant_id, name),
        FOREIGN KEY (tenant_id, owner_user_id) REFERENCES leanvibe.users (tenant_id, user_id)
    )
    """,
    """
    CREATE TABLE leanvibe.project_members (
        tenant_id text NOT NULL REFERENCES leanvibe.tenants,
        project_id uuid NOT NULL,
        user_id uuid NOT NULL,
        role text NOT NULL DEFAULT 'member' CHECK (role IN ('owner', 'member', 'viewer')),
        PRIMARY KEY (tenant_id, project_id, user_id),
        FOREIGN KEY (tenant_id, project_id) REFERENCES leanvibe.projects (tenant_id, project_id) ON DELETE CASCADE,
        FOREIGN KEY (tenant_id, user_id) REFERENCES leanvibe.users (tenant_id, user_id) ON DELETE CASCADE
    )
    """,
    "CREATE INDEX project_members_user ON leanvibe.project_members (tenant_id, user_id)",
    """
    CREATE TABLE leanvibe.tasks (
        tenant_id text NOT NULL REFERENCES leanvibe.tenants,
        task_id uuid NOT NULL DEFAULT gen_random_uuid(),
        project_id uuid NOT NULL,
        parent_task_id uuid,
        title text NOT NULL,
        state text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'active', 'done', 'dropped')),
        assignee_user_id uuid,
        created_at timestamptz NOT NULL DEFAULT now(),
        PRIMARY KEY (tenant_id, task_id),
        FOREIGN KEY (tenant_id, project_id) REFERENCES leanvibe.projects (tenant_id, project_id) ON DELETE CASCADE,
        FOREIGN KEY (tenant_id, parent_task_id) REFERENCES leanvibe.tasks (tenant_id, task_id),
        FOREIGN KEY (tenant_id, assignee_user_id) REFERENCES leanvibe.users (tenant_id, user_id)
    )
    """,
    "CREATE INDEX tasks_project ON leanvibe.tasks (tenant_id, project_id, state)",
    "CREATE INDEX tasks_assignee ON leanvibe.tasks (tenant_id, assignee_user_id)",
    """
    CREATE TABLE leanvibe.api_keys (
        tenant_id text NOT NULL REFERENCES leanvibe.tenants,
        api_key_id uuid NOT NULL DEFAULT gen_random_uuid(),
        user_id uuid NOT NULL,
        name text NOT NULL,
        key_hash bytea NOT NULL,
        created_at timestamptz NOT NULL DEFAULT now(),
        expires_at timestamptz,
        revoked_at timestamptz,
        PRIMARY KEY (tenant_id, api_key_id),
        UNIQUE (tenant_id, key_hash),
        FOREIGN KEY (tenant_id, user_id) REFERENCES leanvibe.users (tenant_id, user_id) ON DELETE CASCADE
    )
    """,
    # One sequence for all tenants: gaps in its numbers tell how much others do, so tenants do not see them.
    """
    CREATE TABLE leanvibe.audit_events (
        tenant_id text NOT NULL REFERENCES leanvibe.tenants,
        event_id bigint GENERATED ALWAYS AS IDENTITY,
        at timestamptz NOT NULL DEFAULT now(),
        actor text NOT NULL,
        action text NOT NULL,
        subject text NOT NULL,
        details jsonb NOT NULL DEFAULT '{}',
        PRIMARY KEY (tenant_id, event_id)
    )
    """,
    "CREATE INDEX audit_events_at ON leanvibe.audit_events (tenant_id, at)",
    """
    CREATE TABLE leanvibe.billing_accounts (
        tenant_id text PRIMARY KEY REFERENCES leanvibe.tenants,
        invoice_email text NOT NULL,
        currency text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
        created_at timestamptz NOT NULL DEFAULT now()
    )
    """,
    """
    CREATE TABLE leanvibe.subscriptions (
        tenant_id text NOT NULL REFERENCES leanvibe.billing_accounts,
        subscription_id uuid NOT NULL DEFAULT gen_random_uuid(),
        plan text NOT NULL REFERENCES leanvibe.plans,
        status text NOT NULL CHECK (status IN ('trial', 'active', 'past_due', 'cancelled')),
        period_start timestamptz NOT NULL,
        period_end timestamptz NOT NULL CHECK (period_end > period_start),
        PRIMARY KEY (tenant_id, subscription_id)
    )
    """,
)

PROGRESS = """
CREATE VIEW {schema}.project_progress WITH (security_invoker = true) AS
SELECT p.tenant_id, p.project_id, p.name, count(t.task_id) AS tasks, count(t.task_id) FILTER (WHERE t.state = 'done') AS done
FROM {schema}.projects AS p LEFT JOIN {schema}.tasks AS t ON t.tenant_id = p.tenant_id AND t.project_id = p.project_id
GROUP BY p.tenant_id, p.project_id, p.name
"""

READ_ONLY = ("SELECT",)
APPEND_ONLY = ("SELECT", "INSERT")


def upgrade() -> None:
    for statement in (*SCHEMAS, *TENANTS, *TABLES):
        op.execute(statement)
    tenant_table("tenants", READ_ONLY)
    for name in ("users", "projects", "project_members", "tasks", "api_keys", "billing_accounts", "subscriptions"):
        tenant_table(name)
    tenant_table("audit_events", APPEND_ONLY)
    op.execute("CREATE POLICY operations ON leanvibe.tenants TO leanvibe_operations USING (true) WITH CHECK (true)")
    op.execute("GRANT SELECT, INSERT, UPDATE ON leanvibe.tenants TO leanvibe_operations")
    exempt("policy", "leanvibe.tenants.operations", "provisioning keeps this table; it holds no tenant's own data")
    op.execute("GRANT SELECT ON leanvibe.plans TO leanvibe_app")
    exempt("table", "leanvibe.plans", "the price list, the same for everybody; only migrations write it")
    exempt("reference", "leanvibe.subscriptions -> leanvibe.plans", "points at the price list")
    exempt("function", "leanvibe_private.session_tenant", "says which tenant the session's role is; takes no argument")
    op.execute(PROGRESS.format(schema="leanvibe"))
    op.execute("GRANT SELECT ON leanvibe.project_progress TO leanvibe_app")
    tenant_view("tenants")
    tenant_view("users", hide=("password_hash",))
    for name in ("projects", "project_members", "tasks"):
        tenant_view(name, write=True)
    tenant_view("api_keys", hide=("key_hash",))
    tenant_view("audit_events", hide=("event_id",))
    tenant_view("billing_accounts")
    tenant_view("subscriptions")
    op.execute(PROGRESS.format(schema="leanvibe_shared"))
    op.execute("GRANT SELECT ON leanvibe_shared.project_progress TO leanvibe_tenants")
