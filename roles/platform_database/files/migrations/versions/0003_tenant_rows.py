# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How many rows of the shared tables are whose, for health checks: counts and nothing else (docs/isolation-postgresql.md, "Counting")."""

from __future__ import annotations

from protections import census

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    census()
