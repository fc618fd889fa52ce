# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a diagnosis looks at in PostgreSQL, beyond the checks of every day."""

from __future__ import annotations

from ...health.model import Check
from ...health.systems.postgresql.server import Server
from ..network import round_trip
from . import indexes, locks, reads, rows, sizes, statements

IN_DEPTH: tuple[Check[Server], ...] = (
    round_trip("postgresql", lambda server: server.rows("SELECT 1 AS one"), "\\timing on; SELECT 1"),
    locks.LOCKS,
    statements.STATEMENTS,
    statements.TENANTS,
    indexes.MISSING,
    reads.READS,
    reads.DELAY,
    sizes.SCHEMAS,
    rows.ROWS,
)
