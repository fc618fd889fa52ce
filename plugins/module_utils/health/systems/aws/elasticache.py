# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ElastiCache: replication groups, their members, and protection as declared."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ....reports.model import CRITICAL, DEGRADED, OK
from ...model import Check, Finding, Session
from .account import SYSTEM, TIMEOUT, Account, departures, missing, named

_KNOWN = frozenset({"multi_az", "automatic_failover", "encrypted", "tls", "snapshot_retention_days", "members"})
_BUSY = frozenset({"modifying", "snapshotting"})


def _actual(group: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "multi_az": group.get("MultiAZ") == "enabled",
        "automatic_failover": group.get("AutomaticFailover") == "enabled",
        "encrypted": bool(group.get("AtRestEncryptionEnabled")),
        "tls": bool(group.get("TransitEncryptionEnabled")),
        "snapshot_retention_days": int(group.get("SnapshotRetentionLimit") or 0),
        "members": len(group.get("MemberClusters") or []),
    }


def _groups(session: Session[Account]) -> Iterator[Finding]:
    declared = named(session, "elasticache_groups", "ElastiCache replication group", _KNOWN)
    found = session.client.service("elasticache").pages("describe_replication_groups", "ReplicationGroups")
    there = {str(group["ReplicationGroupId"]): group for group in found}
    for name, wanted in declared.items():
        if name not in there:
            yield missing(name, "ElastiCache replication group")
            continue
        group = there[name]
        states = [str(group["Status"]), *(str(node["Status"]) for node in group.get("NodeGroups") or [])]
        wrong = sorted({state for state in states if state != "available"})
        if not wrong:
            yield Finding(observed="available", verdict=OK, name=name, message=f"available, {len(group.get('MemberClusters') or [])} members")
        else:
            verdict = DEGRADED if set(wrong) <= _BUSY else CRITICAL
            yield Finding(observed=wrong[0], verdict=verdict, name=name, message=f"its status is {', '.join(wrong)}")
        yield from departures(name, wanted, _actual(group))


GROUPS = Check(
    id="aws.elasticache_groups",
    question="Are the replication groups available and as declared?",
    system=SYSTEM,
    query="aws elasticache describe-replication-groups --replication-group-id <name>",
    runbook="runbooks/aws.md#elasticache_groups",
    grants=("elasticache:DescribeReplicationGroups",),
    timeout=TIMEOUT,
    run=_groups,
)
