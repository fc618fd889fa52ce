# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tenants as declared and as found, their history, runs, and leases with fencing tokens."""

from __future__ import annotations

from alembic import op

revision = "0001"
down_revision = None

# Tenants' roles may live on the same server: none of them may look in here.
CLOSED = """
DO $$ BEGIN
    EXECUTE format('REVOKE ALL ON DATABASE %I FROM PUBLIC', current_database());
    REVOKE ALL ON SCHEMA public FROM PUBLIC;
END $$
"""

# One row: which environment this platform is, so that a run with another environment's inventory is refused.
MARK = """
CREATE TABLE platform_mark (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    environment text NOT NULL,
    kind text NOT NULL,
    marked_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    marked_by text NOT NULL
)
"""

RUNS = """
CREATE TABLE runs (
    run_id text PRIMARY KEY,
    operation text NOT NULL,
    environment text NOT NULL,
    owner text NOT NULL,
    started timestamptz NOT NULL DEFAULT clock_timestamp(),
    finished timestamptz,
    verdict text,
    counts jsonb NOT NULL DEFAULT '{}',
    report text
)
"""

TENANTS = """
CREATE TABLE tenants (
    id text PRIMARY KEY CHECK (id ~ '^[a-z]([a-z0-9-]{0,38}[a-z0-9])?$'),
    name text NOT NULL,
    tier text NOT NULL,
    region text NOT NULL,
    state text NOT NULL,
    contacts jsonb NOT NULL,
    overrides jsonb NOT NULL,
    first_declared timestamptz NOT NULL DEFAULT clock_timestamp(),
    last_declared timestamptz NOT NULL DEFAULT clock_timestamp(),
    last_changed timestamptz NOT NULL DEFAULT clock_timestamp(),
    last_run text NOT NULL REFERENCES runs (run_id)
)
"""

TENANT_SYSTEMS = """
CREATE TABLE tenant_systems (
    tenant text NOT NULL REFERENCES tenants (id) ON DELETE CASCADE,
    system text NOT NULL,
    region text NOT NULL,
    verdict text NOT NULL,
    message text NOT NULL,
    observed jsonb NOT NULL,
    last_change timestamptz,
    last_seen timestamptz NOT NULL DEFAULT clock_timestamp(),
    last_run text NOT NULL REFERENCES runs (run_id),
    PRIMARY KEY (tenant, system, region)
)
"""

# No foreign key to tenants: what was done to a tenant is known after the tenant itself is gone.
TENANT_HISTORY = """
CREATE TABLE tenant_history (
    entry bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant text NOT NULL,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    who text NOT NULL,
    run_id text NOT NULL,
    subject text NOT NULL,
    from_value jsonb,
    to_value jsonb
)
"""

# A holder is one run; its leases stand and fall with it. ttl is how long a lease lasts without renewal.
LEASE_HOLDERS = """
CREATE TABLE lease_holders (
    token bigint PRIMARY KEY DEFAULT nextval('lease_tokens'),
    owner text NOT NULL,
    operation text NOT NULL,
    run_id text NOT NULL,
    host text NOT NULL,
    place text NOT NULL,
    pid integer NOT NULL,
    started bigint NOT NULL,
    ttl interval NOT NULL CHECK (ttl > interval '0'),
    taken_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    heartbeat_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    expires_at timestamptz NOT NULL
)
"""

LEASES = """
CREATE TABLE leases (
    name text PRIMARY KEY,
    token bigint NOT NULL REFERENCES lease_holders (token) ON DELETE CASCADE
)
"""

LEASE_WORKERS = """
CREATE TABLE lease_workers (
    token bigint NOT NULL REFERENCES lease_holders (token) ON DELETE CASCADE,
    host text NOT NULL,
    place text NOT NULL,
    pid integer NOT NULL,
    started bigint NOT NULL,
    registered_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (token, host, place, pid, started)
)
"""

UPGRADE = (
    CLOSED,
    MARK,
    RUNS,
    TENANTS,
    TENANT_SYSTEMS,
    TENANT_HISTORY,
    "CREATE INDEX tenant_history_by_tenant ON tenant_history (tenant, entry)",
    "CREATE SEQUENCE lease_tokens",
    LEASE_HOLDERS,
    LEASES,
    "CREATE INDEX leases_by_token ON leases (token)",
    LEASE_WORKERS,
)


def upgrade() -> None:
    for statement in UPGRADE:
        op.execute(statement)


def downgrade() -> None:
    for table in ("lease_workers", "leases", "lease_holders", "tenant_history", "tenant_systems", "tenants", "runs", "platform_mark"):
        op.drop_table(table)
    op.execute("DROP SEQUENCE lease_tokens")
