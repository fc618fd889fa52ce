# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""RDS: state, protection and backups as declared, and storage.

Fields: https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_DBInstance.html
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from ....reports.model import CRITICAL, DEGRADED, OK
from ...model import Check, Finding, NoData, NotApplicable, Session, Threshold
from .account import SYSTEM, TIMEOUT, Account, departures, missing, named

_KNOWN = frozenset({"multi_az", "backup_retention_days", "deletion_protection", "encrypted", "replica_of", "engine_version"})
_WORKING = frozenset({"available"})
# States in which it goes on answering: https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/accessing-monitoring.html
_BUSY = frozenset(
    {
        "backing-up",
        "configuring-enhanced-monitoring",
        "configuring-iam-database-auth",
        "configuring-log-exports",
        "converting-to-vpc",
        "modifying",
        "moving-to-vpc",
        "resetting-master-credentials",
        "renaming",
        "storage-config-upgrade",
        "storage-initialization",
        "storage-optimization",
    }
)
_RECENT = timedelta(hours=1)
_GIB = 1024**3


def _instances(session: Session[Account]) -> tuple[dict[str, Mapping[str, Any]], dict[str, Mapping[str, Any]]]:
    """What is declared, and what is there, by name. One listing in a run."""
    declared = named(session, "rds_instances", "RDS instance", _KNOWN)
    there = session.once("rds", lambda account: account.service("rds").pages("describe_db_instances", "DBInstances"))
    return declared, {str(one["DBInstanceIdentifier"]): one for one in there}


def _actual(instance: Mapping[str, Any]) -> dict[str, Any]:
    source = str(instance.get("ReadReplicaSourceDBInstanceIdentifier") or "")
    return {
        "multi_az": bool(instance.get("MultiAZ")),
        "backup_retention_days": int(instance.get("BackupRetentionPeriod") or 0),
        "deletion_protection": bool(instance.get("DeletionProtection")),
        "encrypted": bool(instance.get("StorageEncrypted")),
        "replica_of": source.rpartition(":")[2],
        "engine_version": str(instance.get("EngineVersion")),
    }


def _state(name: str, instance: Mapping[str, Any]) -> Iterator[Finding]:
    status = str(instance["DBInstanceStatus"])
    if status in _WORKING:
        yield Finding(observed=status, verdict=OK, name=name, message=f"available, {instance.get('EngineVersion')}, {instance.get('DBInstanceClass')}")
    else:
        verdict = DEGRADED if status in _BUSY else CRITICAL
        yield Finding(observed=status, verdict=verdict, name=name, message=f"its status is {status}")
    for one in instance.get("StatusInfos") or []:
        if not one.get("Normal", True):
            message = f"{one.get('StatusType')}: {one.get('Status')} {one.get('Message') or ''}".strip()
            yield Finding(observed=one.get("Status"), verdict=CRITICAL, name=f"{name}/{one.get('StatusType')}", message=message)


def _health(session: Session[Account]) -> Iterator[Finding]:
    declared, there = _instances(session)
    for name, wanted in declared.items():
        if name not in there:
            yield missing(name, "RDS instance")
            continue
        yield from _state(name, there[name])
        yield from departures(name, wanted, _actual(there[name]))


def _backups(session: Session[Account]) -> Iterator[Finding]:
    declared, there = _instances(session)
    looked = 0
    for name in declared:
        instance = there.get(name, {})
        if not instance or instance.get("ReadReplicaSourceDBInstanceIdentifier"):
            continue
        looked += 1
        days = int(instance.get("BackupRetentionPeriod") or 0)
        latest = instance.get("LatestRestorableTime")
        if not days:
            yield Finding(verdict=CRITICAL, name=name, message="automatic backups are off (retention of 0 d): it cannot be put back to any time")
        elif not isinstance(latest, datetime):
            yield Finding(verdict=CRITICAL, name=name, message="there is no time to which it could be put back yet")
        else:
            age = max(0.0, (session.now - latest).total_seconds())
            yield Finding(observed=round(age), name=name, message=f"it can be put back to {latest:%Y-%m-%d %H:%M} UTC, {age / 60:.0f} min ago")
    if not looked:
        raise NotApplicable("only replicas are named here, or what is named is not there (aws.rds_instances); a replica is backed up with its source")


def _queries(names: Sequence[str]) -> list[dict[str, Any]]:
    return [
        {
            "Id": f"i{number}",
            "MetricStat": {
                "Metric": {"Namespace": "AWS/RDS", "MetricName": "FreeStorageSpace", "Dimensions": [{"Name": "DBInstanceIdentifier", "Value": name}]},
                "Period": 300,
                "Stat": "Minimum",
            },
        }
        for number, name in enumerate(names)
    ]


def _storage(session: Session[Account]) -> Iterator[Finding]:
    declared, there = _instances(session)
    if not session.options.get("cloudwatch", True):
        raise NotApplicable("CloudWatch is declared to be absent (health option cloudwatch)")
    names = [name for name in declared if name in there]
    if not names:
        raise NotApplicable("what is named is not there (aws.rds_instances)")
    now = datetime.now(UTC)
    answer = session.client.service("cloudwatch").call(
        "get_metric_data", StartTime=now - _RECENT, EndTime=now + timedelta(minutes=5), MetricDataQueries=_queries(names), ScanBy="TimestampDescending"
    )
    values = {str(one["Id"]): one.get("Values") or [] for one in answer.get("MetricDataResults") or []}
    silent = []
    for number, name in enumerate(names):
        found = values.get(f"i{number}")
        if not found:
            silent.append(name)
            continue
        # Where storage grows by itself, what counts is how far it may grow.
        allocated = float(there[name]["AllocatedStorage"])
        whole = max(allocated, float(there[name].get("MaxAllocatedStorage") or 0))
        used = max(0.0, allocated - float(found[0]) / _GIB)
        yield Finding(observed=round(100 * used / whole, 2), capacity=100, name=name, message=f"{used:.0f} of {whole:.0f} GiB")
    if silent:
        raise NoData(f"CloudWatch has no FreeStorageSpace of the last hour for {', '.join(silent)}; nothing was measured")


INSTANCES = Check(
    id="aws.rds_instances",
    question="Are the databases available and as declared?",
    system=SYSTEM,
    query="aws rds describe-db-instances --db-instance-identifier <name>",
    runbook="runbooks/aws.md#rds_instances",
    grants=("rds:DescribeDBInstances",),
    timeout=TIMEOUT,
    run=_health,
)

BACKUPS = Check(
    id="aws.rds_backups",
    question="How long ago is the latest time to which a database can be put back?",
    system=SYSTEM,
    query="aws rds describe-db-instances --query 'DBInstances[].[DBInstanceIdentifier,BackupRetentionPeriod,LatestRestorableTime]'",
    runbook="runbooks/aws.md#rds_backups",
    threshold=Threshold(degraded=1800, critical=7200, unit="s", source="RDS saves the log every 5 min; six of these missing are no chance"),
    grants=("rds:DescribeDBInstances",),
    timeout=TIMEOUT,
    run=_backups,
)

STORAGE = Check(
    id="aws.rds_storage",
    question="How much of the storage that a database may have is used?",
    system=SYSTEM,
    query="aws cloudwatch get-metric-data (AWS/RDS, FreeStorageSpace, DBInstanceIdentifier=<name>)",
    runbook="runbooks/aws.md#rds_storage",
    threshold=Threshold(degraded=80, critical=90, unit="%", source="usual practice; a full RDS instance stops (storage-full)"),
    grants=("rds:DescribeDBInstances", "cloudwatch:GetMetricData"),
    timeout=TIMEOUT,
    run=_storage,
)
