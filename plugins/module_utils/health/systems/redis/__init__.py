# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Redis: checks of one node, and comparisons between nodes.

Health options of a node: ``role`` (primary or replica), ``replicas`` (how many follow it), ``purpose`` (store or cache), ``appendonly`` (true),
``snapshot_seconds`` (3600; 0 for none), ``slowlog_window`` (3600), ``acl_file`` (a path here that shows the node's), ``acl_local_users`` (users of this
node only), ``acl_tenants_everywhere`` (true), ``counters_before`` (the fact ``counters`` of the last run).
"""

from __future__ import annotations

from . import access, acl, load, memory, persistence, rates, replication, settings

# Those that need a second reading come last: by then, part of the interval has passed.
CHECKS = (
    access.UP,
    access.AUTHENTICATION,
    access.LATENCY,
    access.CLOCK,
    replication.ROLE,
    replication.LINK,
    replication.REPLICAS,
    replication.LAG_BYTES,
    replication.LAG_SECONDS,
    persistence.AOF_ENABLED,
    persistence.AOF_WRITE,
    persistence.AOF_REWRITE,
    persistence.RDB_SAVE,
    persistence.RDB_AGE,
    memory.MAXMEMORY,
    memory.MEMORY,
    memory.POLICY,
    memory.FRAGMENTATION,
    load.CLIENTS,
    load.BLOCKED,
    load.SLOWLOG,
    acl.USERS,
    acl.SAVED,
    rates.EVICTIONS,
    rates.REJECTED,
    rates.EXPIRATIONS,
)

COMPARISONS = (replication.SOURCE, acl.PARITY, settings.VERSIONS, settings.SETTINGS)
