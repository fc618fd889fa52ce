# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The checks of PostgreSQL, in the order in which they run: first whether it is there at all, last what needs time to have passed."""

from __future__ import annotations

from ...model import Check, Comparison
from . import (
    availability,
    certificate,
    clock,
    configuration,
    counters,
    heartbeat,
    indexes,
    isolation,
    replication,
    sequences,
    sessions,
    slots,
    storage,
    vacuum,
    wraparound,
)
from .server import Server

CHECKS: tuple[Check[Server], ...] = (
    availability.ROLE,
    availability.WRITABLE,
    clock.CLOCK,
    heartbeat.HEARTBEAT,
    replication.STANDBYS,
    replication.RECEIVER,
    replication.REPLAY,
    slots.SLOTS,
    slots.SLOT_WAL,
    sessions.CONNECTIONS,
    sessions.LIMITS,
    sessions.BLOCKED,
    sessions.IDLE,
    sessions.LONG,
    sessions.PREPARED,
    storage.CHECKSUMS,
    storage.ARCHIVING,
    storage.QUEUE,
    wraparound.TRANSACTIONS,
    wraparound.MULTIXACTS,
    configuration.PENDING,
    isolation.ISOLATION,
    vacuum.AUTOVACUUM,
    vacuum.BLOAT,
    indexes.INVALID,
    indexes.DUPLICATE,
    indexes.INDEX_USE,
    sequences.SEQUENCES,
    certificate.CERTIFICATE,
    counters.CACHE,
    counters.DEADLOCKS,
    counters.TEMPORARY,
)
COMPARISONS: tuple[Comparison, ...] = (
    availability.ONE_PRIMARY,
    heartbeat.LAGGING,
    configuration.SETTINGS,
    indexes.UNUSED,
)
