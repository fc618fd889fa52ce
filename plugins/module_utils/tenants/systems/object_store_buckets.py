# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the drivers of object stores have in common: names, reading and writing of buckets, results."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ...clients.object_store import S3Client, S3Error
from ...common.concurrency import each
from ...common.errors import LeaseLost, OpsError
from ...common.progress import Progress
from ..arguments import TenantsRequest
from ..model import TENANT_ID, Change, SystemResult, Tenant, TenantResult
from .object_store_policy import parse_policy, policy_shown

SYSTEM = "object_store"
BUCKET_PREFIX = "tenant-"
_KEY = re.compile(r"^tenant-(?P<id>.+)-[0-9a-f]{8}$")
NOT_MEASURED = "storage_bytes: S3 cannot hold a bucket to an amount of storage; not measured in this run (measure: true does)"


@dataclass(frozen=True)
class Bucket:
    """A bucket as it is. ``grants``: ids that its ACL names beside its owner; ``problem``: why it could not be read, "" if it could."""

    owner: str = ""
    versioned: bool = False
    policy: dict[str, Any] | None = None
    grants: tuple[str, ...] = ()
    problem: str = ""


def tenant_of_key(access: str) -> str | None:
    """The tenant that an access key id of our making belongs to, or None: ``tenant-<id>-<8 hex digits>``."""
    match = _KEY.fullmatch(access)
    return match["id"] if match and TENANT_ID.fullmatch(match["id"]) else None


def tenant_of_bucket(name: str) -> str | None:
    """The tenant that a bucket belongs to by its name, or None."""
    tenant_id = name.removeprefix(BUCKET_PREFIX)
    return tenant_id if name.startswith(BUCKET_PREFIX) and TENANT_ID.fullmatch(tenant_id) else None


def read_buckets(client: S3Client, names: Sequence[str], owners: Mapping[str, str], concurrency: int) -> dict[str, Bucket]:
    """Read policy, versioning and ACL of buckets: three requests each, because S3 has no bulk read of them; ``concurrency`` buckets at a time.

    A bucket that cannot be read has a ``problem``; Unreachable is raised only by what is asked before and after.
    """
    found: dict[str, Bucket] = {}
    for outcome in each(names, lambda name: _read_bucket(client, name, owners[name]), concurrency):
        if outcome.result is not None:
            found[outcome.item] = outcome.result
        elif isinstance(outcome.error, OpsError):
            found[outcome.item] = Bucket(owners[outcome.item], problem=outcome.error.message)
        elif outcome.error is not None:
            raise outcome.error
    return found


def _read_bucket(client: S3Client, name: str, owner: str) -> Bucket:
    path = f"/{name}"
    try:
        policy = parse_policy(client.request("GET", path, {"policy": ""}).body)
    except S3Error as error:
        if error.code != "NoSuchBucketPolicy":
            raise
        policy = None
    versioning = client.request("GET", path, {"versioning": ""}).xml().findtext("Status")
    acl = client.request("GET", path, {"acl": ""}).xml()
    grantees = {grant.findtext("Grantee/ID") or grant.findtext("Grantee/URI") or "unknown" for grant in acl.iter("Grant")}
    return Bucket(owner, versioning == "Enabled", policy, tuple(sorted(grantees - {owner})))


def bucket_changes(name: str, bucket: Bucket | None, policy: dict[str, Any] | None, needs_policy: bool) -> list[Change]:
    """The differences of a bucket from what it must be, as they are shown. ``policy``: the wanted one."""
    if bucket is None:
        after: dict[str, Any] = {"versioned": True, "public": False}
        return [Change(f"bucket {name}", "create", after={**after, "policy": policy_shown(policy)} if needs_policy else after)]
    before: dict[str, Any] = {}
    wanted: dict[str, Any] = {}
    if not bucket.versioned:
        before["versioned"], wanted["versioned"] = False, True
    if bucket.grants:
        before["acl"], wanted["acl"] = ["owner", *bucket.grants], ["owner"]
    if needs_policy:
        before["policy"], wanted["policy"] = policy_shown(bucket.policy), policy_shown(policy)
    return [Change(f"bucket {name}", "update", sorted(wanted), before, wanted)] if wanted else []


def put_versioning(client: S3Client, bucket: str) -> None:
    """Switch versioning on."""
    body = b'<VersioningConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Status>Enabled</Status></VersioningConfiguration>'
    client.request("PUT", f"/{bucket}", {"versioning": ""}, body=body)


def put_policy(client: S3Client, bucket: str, policy: dict[str, Any]) -> None:
    """Set a bucket's policy."""
    client.request("PUT", f"/{bucket}", {"policy": ""}, body=json.dumps(policy, separators=(",", ":")).encode())


@dataclass(frozen=True)
class Outcome:
    """What became of one tenant: changes made (in check mode: to be made), and what went wrong."""

    tenant: Tenant
    changes: tuple[Change, ...]
    verdict: str = "succeeded"
    message: str = ""


def outcome(tenant: Tenant, changes: tuple[Change, ...], verdict: str, message: str, problems: Mapping[str, str]) -> Outcome:
    """What became of a planned step, given what went wrong when it was written. A tenant whose writing failed shows no changes."""
    failed = problems.get(tenant.id)
    return Outcome(tenant, (), "failed", failed) if failed else Outcome(tenant, changes, verdict, message)


def write_each(steps: Iterable[Any], write: Callable[[Any], None], concurrency: int) -> dict[str, str]:
    """Write the steps, ``concurrency`` at a time; return tenant id → what went wrong. Raises anything that is not one tenant's (LeaseLost, bugs)."""
    problems: dict[str, str] = {}
    todo = list(steps)
    with Progress.step("writing tenants to the object store", unit="tenants", units=len(todo)) as progress:
        for outcome in each(todo, write, concurrency):
            progress.advance()
            if isinstance(outcome.error, OpsError) and not isinstance(outcome.error, LeaseLost):
                problems[outcome.item.tenant.id] = outcome.error.message
            elif outcome.error is not None:
                raise outcome.error
    return problems


def result(request: TenantsRequest, outcomes: Sequence[Outcome], undeclared: Iterable[str], requests: int, notes: Iterable[str]) -> SystemResult:
    """The answer of a call."""
    results = [TenantResult(outcome.tenant.id, outcome.verdict, list(outcome.changes), outcome.message) for outcome in outcomes]
    observed = {outcome.tenant.id: {"bucket": outcome.tenant.bucket, "access": outcome.tenant.active} for outcome in outcomes if outcome.verdict == "succeeded"}
    return SystemResult(SYSTEM, request.region, results, sorted(set(undeclared)), notes=list(notes), observed=observed, requests=requests)
