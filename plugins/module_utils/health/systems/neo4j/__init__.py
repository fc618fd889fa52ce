# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Neo4j: checks of one server or cluster, and a comparison between regions.

Health options: ``constraints`` and ``indexes`` (names that must be there besides ours), ``counters_before`` (the fact ``counters`` of the last run).
"""

from __future__ import annotations

from . import access, certificate, process, schema, transactions
from .versions import VERSIONS

CHECKS = (
    access.UP,
    access.AUTHENTICATION,
    access.LATENCY,
    access.CLOCK,
    access.DATABASES,
    access.CLUSTER,
    access.REPLICATION_LAG,
    transactions.TRANSACTIONS,
    transactions.BLOCKED,
    transactions.FAILED,
    schema.INDEXES,
    schema.CONSTRAINTS,
    process.HEAP,
    process.FILES,
    process.PAGE_CACHE,
    process.CHECKPOINTS,
    certificate.CERTIFICATE,
)

COMPARISONS = (VERSIONS,)
