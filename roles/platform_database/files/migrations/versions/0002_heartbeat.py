# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A row per region that is written every few seconds, by which it is known how late standbys are; and what health checks may read.

The time of the last transaction says nothing while nobody writes, and stands still when a standby is cut off.
"""

from __future__ import annotations

from alembic import op

revision = "0002"
down_revision = "0001"

STATEMENTS = (
    """
    CREATE TABLE leanvibe_private.heartbeat (
        region text PRIMARY KEY,
        written_at timestamptz NOT NULL DEFAULT clock_timestamp(),
        sequence bigint NOT NULL DEFAULT 1
    ) WITH (fillfactor = 50, autovacuum_vacuum_threshold = 1000)
    """,
    "GRANT USAGE ON SCHEMA leanvibe_private TO leanvibe_heartbeat, pg_monitor",
    "GRANT SELECT, INSERT, UPDATE ON leanvibe_private.heartbeat TO leanvibe_heartbeat",
    "GRANT SELECT ON leanvibe_private.heartbeat TO leanvibe_operations, pg_monitor",
    # What is exempt on purpose, for the audit.
    "GRANT SELECT ON leanvibe_private.exemptions TO pg_monitor",
    # How far they have come, not what they are used for.
    "GRANT SELECT ON ALL SEQUENCES IN SCHEMA leanvibe TO pg_monitor",
    "ALTER DEFAULT PRIVILEGES IN SCHEMA leanvibe GRANT SELECT ON SEQUENCES TO pg_monitor",
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)
