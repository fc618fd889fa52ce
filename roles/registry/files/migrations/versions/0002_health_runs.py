# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What earlier runs of health and diagnose found, for those who run them where no file stays."""

from __future__ import annotations

from alembic import op

revision = "0002"
down_revision = "0001"

HEALTH_RUNS = """
CREATE TABLE health_runs (
    environment text NOT NULL,
    operation text NOT NULL,
    run_id text NOT NULL,
    started timestamptz NOT NULL,
    document text NOT NULL,
    PRIMARY KEY (environment, operation, started, run_id)
)
"""


def upgrade() -> None:
    op.execute(HEALTH_RUNS)


def downgrade() -> None:
    op.drop_table("health_runs")
