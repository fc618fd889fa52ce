# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Buckets: the tenants' are there and keep versions, the backups' cannot be emptied before their time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ....common.concurrency import each
from ....reports.model import CRITICAL, DEGRADED, OK
from ...model import Finding, NotApplicable
from ...reading import option
from ..folding import told
from .store import ENABLED, Driver, Run, check, names, there

AT_ONCE = 8  # requests side by side
COMPLIANCE = "COMPLIANCE"


def tenant_buckets(session: Run) -> dict[str, str]:
    """Buckets that declared tenants have here, with the tenant's id. With the option ``placement: home``, only of those whose home this region is."""
    home = session.options.get("placement", "all") == "home"
    return {f"tenant-{one['id']}": str(one["id"]) for one in session.tenants if not home or one.get("region") == session.region}


def backup_buckets(session: Run) -> list[str]:
    """The buckets that the inventory names."""
    return [str(name) for name in option(session, "backup_buckets", list, [])]


def _tenants(session: Run) -> dict[str, str]:
    buckets = tenant_buckets(session)
    if not buckets:
        raise NotApplicable("no tenants are declared for this store in this run")
    return buckets


def _missing(session: Run) -> Iterable[Finding]:
    """Those not in the list are asked for one by one, but no more than are told one by one: a store that lost all is not asked a thousand times."""
    buckets = _tenants(session)
    listed = names(session).buckets
    unlisted = sorted(set(buckets) - listed)
    gone = [bucket for bucket in unlisted[:25] if not there(session, bucket)]
    gone += unlisted[25:]
    found = [
        Finding(verdict=CRITICAL, name=bucket, tenants=(buckets[bucket],), message=f"bucket {bucket} does not exist: run playbooks/tenants.yml")
        for bucket in gone
    ]
    return told(session, found, len(buckets), "tenants' buckets")


def _versioned(session: Run) -> Iterator[Finding]:
    """One request a bucket, several side by side: S3 tells of one bucket at a time."""
    buckets = _tenants(session)
    listed = names(session).buckets
    known = sorted(bucket for bucket in buckets if bucket in listed) or sorted(buckets)
    driver = session.client
    found, gone = [], 0
    for outcome in each(known, driver.versioning, AT_ONCE):
        if getattr(outcome.error, "code", "") == "NoSuchBucket":
            gone += 1  # object_store.tenant_buckets tells of it
            continue
        if outcome.error is not None:
            raise outcome.error
        if outcome.result != ENABLED:
            state = "switched off" if outcome.result else "never switched on"
            message = f"versioning is {state}: what is overwritten or deleted is gone; run playbooks/tenants.yml"
            found.append(Finding(verdict=DEGRADED, name=outcome.item, tenants=(buckets[outcome.item],), message=message))
    if gone == len(known):
        raise NotApplicable("there are none of the tenants' buckets; object_store.tenant_buckets tells which are missing")
    yield from told(session, found, len(known) - gone, "tenants' buckets")


def _backups(session: Run) -> Iterable[Finding]:
    wanted = backup_buckets(session)
    if not wanted:
        raise NotApplicable("not configured: the inventory names no buckets of backups (option backup_buckets)")
    retention = option(session, "backup_retention_days", int, 0)
    found = []
    for bucket in wanted:
        if not there(session, bucket):
            found.append(Finding(verdict=CRITICAL, name=bucket, message=f"bucket {bucket} does not exist: there is no place for backups"))
        else:
            found += _protected(session.client, bucket, retention)
    return told(session, found, len(wanted), "buckets of backups, versioned and locked")


def _protected(store: Driver, bucket: str, retention: int) -> Iterator[Finding]:
    versioning = store.versioning(bucket)
    if versioning != ENABLED:
        yield Finding(verdict=CRITICAL, name=f"{bucket}/versioning", message=f"versioning is {versioning or 'off'}: what is overwritten is gone")
    lock = store.lock(bucket)
    name = f"{bucket}/lock"
    if lock is None or not lock.days:
        what = "has no object lock" if lock is None else "has an object lock without a default retention"
        yield Finding(verdict=CRITICAL, name=name, message=f"{what}: whoever has a key can delete every backup")
    elif lock.mode != COMPLIANCE:
        yield Finding(verdict=DEGRADED, name=name, observed=lock.days, unit="days", message=f"its lock is {lock.mode}, which privileged accounts can lift")
    elif lock.days < retention:
        message = f"objects are locked for {lock.days} days, and {retention} are declared (backup_retention_days)"
        yield Finding(verdict=DEGRADED, name=name, observed=lock.days, unit="days", message=message)
    else:
        yield Finding(verdict=OK, name=name, observed=lock.days, unit="days", message=f"locked for {lock.days} days ({lock.mode})")


CHECKS = (
    check(
        "tenant_buckets",
        "Has every tenant its bucket?",
        _missing,
        "aws s3api list-buckets",
        "s3:ListAllMyBuckets, or s3:ListBucket on the buckets",
    ),
    check(
        "tenant_versioning",
        "Do tenants' buckets keep versions?",
        _versioned,
        "aws s3api get-bucket-versioning --bucket BUCKET",
        "s3:ListAllMyBuckets and s3:GetBucketVersioning",
        timeout=15.0,
        cost="medium",
    ),
    check(
        "backup_buckets",
        "Are backups safe from being deleted before their time?",
        _backups,
        "aws s3api get-object-lock-configuration --bucket BUCKET; aws s3api get-bucket-versioning --bucket BUCKET",
        "s3:ListAllMyBuckets, or s3:ListBucket on the buckets, s3:GetBucketVersioning and s3:GetBucketObjectLockConfiguration",
    ),
)
