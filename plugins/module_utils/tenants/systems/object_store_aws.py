# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tenants on Amazon S3: an IAM user without any rights of its own, and a bucket whose policy names it.

Not run against the real service: tested on moto. Two things are AWS's way and not ours:

- IAM issues keys itself and takes none. A key whose id stands in the tenant's Secret must have been issued for the tenant's user before; as long as
  it was not, the tenant fails with the steps to take, and no key is made up or changed.
- Names of buckets are global. A tenant has one bucket, in one region: the placement of the object store is ``home``.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ...clients.aws import AwsClient, AwsError, connect
from ...common.concurrency import each
from ...common.errors import OpsError
from ...common.leases import AnyLease, Lease
from ..arguments import TenantsRequest
from ..credentials import TenantCredentials
from ..model import LABEL_MANAGED_BY, LABEL_TENANT, MANAGED_BY, Change, SystemResult, Tenant
from . import object_store_buckets as common
from .object_store_buckets import Bucket, Outcome
from .object_store_policy import bucket_policy, parse_policy, same_policy
from .planned_credentials import Credentials, credentials_of

PATH = "/leanvibe/tenants/"
NOTE = "Amazon S3: not run against the real service; storage_bytes is neither enforced nor measured here (CloudWatch's BucketSizeBytes tells it)"
_FOREIGN_KEY = (
    "IAM has not issued the key {key} of the Secret, and takes no key from outside. Run `aws iam create-access-key --user-name {user}`, put its AccessKeyId "
    "and SecretAccessKey into S3_ACCESS_KEY_ID and S3_SECRET_ACCESS_KEY of the Secret of the home region, and run this again"
)
_CLOSED = {"BlockPublicAcls": True, "IgnorePublicAcls": True, "BlockPublicPolicy": True, "RestrictPublicBuckets": True}


@dataclass(frozen=True)
class User:
    """An IAM user: ARN, rights that it has beside its bucket's policy, and its keys (id → Active or Inactive)."""

    arn: str
    rights: tuple[str, ...]
    keys: Mapping[str, str]


@dataclass(frozen=True)
class Actual:
    """``arn_prefix``: of our tenants' users. ``regions``: where our account's buckets are. ``grants`` of a Bucket: what keeps it from being closed."""

    arn_prefix: str
    users: Mapping[str, User]
    regions: Mapping[str, str]
    buckets: Mapping[str, Bucket]


@dataclass(frozen=True)
class Step:
    """What is to be written for one tenant, in this order."""

    tenant: Tenant
    create_user: bool = False
    create_bucket: bool = False
    close: bool = False
    versioning: bool = False
    policy: dict[str, Any] | None = None
    keys: tuple[tuple[str, str], ...] = ()  # key id, status to set
    changes: tuple[Change, ...] = ()
    verdict: str = "succeeded"
    message: str = ""


@dataclass(frozen=True)
class Clients:
    """The three services."""

    s3: AwsClient
    iam: AwsClient
    sts: AwsClient

    @property
    def requests(self) -> int:
        return self.s3.requests + self.iam.requests + self.sts.requests


def observe(clients: Clients, tenants: Sequence[Tenant], concurrency: int) -> Actual:
    """Read users with their rights and the list of buckets in bulk; keys (one request a tenant) and buckets (four) singly: there is no bulk read of them."""
    prefix = _arn_prefix(str(clients.sts.call("get_caller_identity")["Arn"]))
    details = clients.iam.pages("get_account_authorization_details", "UserDetailList", Filter=["User"])
    names = {tenant.bucket for tenant in tenants}
    details = [user for user in details if user.get("Path") == PATH]
    keys: dict[str, dict[str, str]] = {}
    selected = [str(user["UserName"]) for user in details if user["UserName"] in names]
    for outcome in each(selected, lambda name: clients.iam.pages("list_access_keys", "AccessKeyMetadata", UserName=name), concurrency):
        if outcome.error:
            raise outcome.error
        keys[outcome.item] = {key["AccessKeyId"]: key["Status"] for key in outcome.result or []}
    users = {user["UserName"]: User(user["Arn"], _rights(user), keys.get(user["UserName"], {})) for user in details}
    listed = clients.s3.pages("list_buckets", "Buckets", "ContinuationToken", "ContinuationToken", MaxBuckets=1000)
    regions = {bucket["Name"]: bucket.get("BucketRegion") or "" for bucket in listed if common.tenant_of_bucket(bucket["Name"])}
    buckets = {}
    for read in each([name for name in regions if name in names], lambda name: _read_bucket(clients.s3, name), concurrency):
        if read.error and not isinstance(read.error, OpsError):
            raise read.error
        buckets[read.item] = read.result or Bucket(problem=str(read.error))
    return Actual(prefix, users, regions, buckets)


def _arn_prefix(caller: str) -> str:
    _arn, partition, _service, _region, account, _rest = caller.split(":", 5)
    return f"arn:{partition}:iam::{account}:user{PATH}"


def _rights(user: Mapping[str, Any]) -> tuple[str, ...]:
    inline = [f"inline policy {policy['PolicyName']}" for policy in user.get("UserPolicyList") or []]
    attached = [f"policy {policy['PolicyName']}" for policy in user.get("AttachedManagedPolicies") or []]
    return tuple(sorted([*inline, *attached, *(f"group {group}" for group in user.get("GroupList") or [])]))


def _read_bucket(s3: AwsClient, name: str) -> Bucket:
    policy = _or_none(s3, "get_bucket_policy", "NoSuchBucketPolicy", name)
    block = _or_none(s3, "get_public_access_block", "NoSuchPublicAccessBlockConfiguration", name)
    ownership = _or_none(s3, "get_bucket_ownership_controls", "OwnershipControlsNotFoundError", name)
    versioning = s3.call("get_bucket_versioning", Bucket=name).get("Status")
    rules = (ownership or {}).get("OwnershipControls", {}).get("Rules", [])
    open_for = [key for key in _CLOSED if not (block or {}).get("PublicAccessBlockConfiguration", {}).get(key)]
    open_for += [] if [rule.get("ObjectOwnership") for rule in rules] == ["BucketOwnerEnforced"] else ["ACLs"]
    return Bucket("", versioning == "Enabled", parse_policy(policy["Policy"]) if policy else None, tuple(open_for))


def _or_none(s3: AwsClient, operation: str, none: str, bucket: str) -> dict[str, Any] | None:
    try:
        return s3.call(operation, Bucket=bucket)
    except AwsError as error:
        if error.code != none:
            raise
        return None


def plan(tenants: Sequence[Tenant], declared_ids: frozenset[str], credentials: Credentials, actual: Actual, region: str) -> tuple[list[Step], list[str]]:
    """Compare; return steps and undeclared tenants. Pure."""
    found = (common.tenant_of_bucket(name) for name in (*actual.users, *actual.regions))
    return [_plan_tenant(tenant, credentials[tenant.id], actual, region) for tenant in tenants], sorted({name for name in found if name} - declared_ids)


def _plan_tenant(tenant: Tenant, credentials: TenantCredentials | OpsError, actual: Actual, region: str) -> Step:
    name = tenant.bucket
    bucket, user, where = actual.buckets.get(name), actual.users.get(name), actual.regions.get(name)
    if where and where != region:
        message = f"bucket {name} is in {where}: names of buckets are global in AWS, so place the object store `home` and declare region {where}"
        return Step(tenant, verdict="refused", message=message)
    if bucket is not None and bucket.problem:
        return Step(tenant, verdict="failed", message=f"bucket {name} cannot be read, so nothing was changed: {bucket.problem}")
    policy = bucket_policy(name, [user.arn if user else actual.arn_prefix + name], tenant.active, deny_in_clear=True)
    needs_policy = bucket is None or not same_policy(bucket.policy, policy)
    keys, messages = _plan_keys(tenant, credentials, user)
    changes = [] if user else [Change(f"user {name}", "create", after={"path": PATH})]
    changes += common.bucket_changes(name, bucket, policy, needs_policy)
    changes += [Change(f"key {key}", "update", ["status"], {"status": user.keys[key]}, {"status": status}) for key, status in keys if user]
    if user and user.rights:
        messages.append(f"user {name} has rights of its own ({', '.join(user.rights)}), which its bucket's policy cannot take back: remove them")
    return Step(
        tenant,
        user is None,
        bucket is None,
        bucket is None or bool(bucket.grants),
        bucket is None or not bucket.versioned,
        policy if needs_policy else None,
        keys,
        tuple(changes),
        "failed" if messages else "succeeded",
        "; ".join(messages),
    )


def _plan_keys(tenant: Tenant, credentials: TenantCredentials | OpsError, user: User | None) -> tuple[tuple[tuple[str, str], ...], list[str]]:
    """Which keys are to be switched on or off, and what is in the way. Suspended: all off. Active: the Secret's on, others off."""
    keys = user.keys if user else {}
    if not tenant.active:
        return tuple((key, "Inactive") for key, status in sorted(keys.items()) if status != "Inactive"), []
    if isinstance(credentials, OpsError):
        return (), [credentials.message]
    own = credentials.s3_access_key_id
    if own not in keys:
        return (), [_FOREIGN_KEY.format(key=own, user=tenant.bucket)]
    wanted = {key: "Active" if key == own else "Inactive" for key in keys}
    return tuple((key, status) for key, status in sorted(wanted.items()) if keys[key] != status), []


def apply(steps: Sequence[Step], clients: Clients, region: str, lease: AnyLease, concurrency: int, timeout: float) -> dict[str, str]:
    """Write what differs; return tenant id → what went wrong. Raises LeaseLost."""

    def write(step: Step) -> None:
        lease.check()
        _write(step, clients, region, timeout)

    return common.write_each([step for step in steps if step.changes], write, concurrency)


def _write(step: Step, clients: Clients, region: str, timeout: float) -> None:
    name, s3 = step.tenant.bucket, clients.s3
    if step.create_user:
        tags = [{"Key": LABEL_TENANT, "Value": step.tenant.id}, {"Key": LABEL_MANAGED_BY, "Value": MANAGED_BY}]
        _unless(("EntityAlreadyExists",), clients.iam, "create_user", Path=PATH, UserName=name, Tags=tags)
    if step.create_bucket:
        # us-east-1 is the one region that is not named.
        where = {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
        _unless(("BucketAlreadyOwnedByYou",), s3, "create_bucket", Bucket=name, ObjectOwnership="BucketOwnerEnforced", **where)
    if step.close:
        s3.call("put_bucket_ownership_controls", Bucket=name, OwnershipControls={"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]})
        s3.call("put_public_access_block", Bucket=name, PublicAccessBlockConfiguration=_CLOSED)
    if step.versioning:
        s3.call("put_bucket_versioning", Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    if step.policy is not None:
        _put_policy(s3, name, step.policy, timeout)
    for key, status in step.keys:
        clients.iam.call("update_access_key", UserName=name, AccessKeyId=key, Status=status)


def _unless(codes: tuple[str, ...], client: AwsClient, operation: str, **arguments: Any) -> None:
    try:
        client.call(operation, **arguments)
    except AwsError as error:
        if error.code not in codes:
            raise


def _put_policy(s3: AwsClient, bucket: str, policy: dict[str, Any], timeout: float) -> None:
    """S3 refuses a policy that names a user which it does not know yet; IAM's news take some seconds."""
    import json

    deadline = time.monotonic() + timeout
    while True:
        try:
            s3.call("put_bucket_policy", Bucket=bucket, Policy=json.dumps(policy))
        except AwsError as error:
            if error.code != "MalformedPolicy" or time.monotonic() + 1 > deadline:
                raise
            time.sleep(1)
        else:
            return


def run(request: TenantsRequest, params: Mapping[str, Any], check_mode: bool) -> SystemResult:
    """One call of the module tenants_object_store with the driver aws. Raises OpsError."""
    connection = params["connection"]
    region = str(connection["region"])
    made = [connect(service, connection, request.timeout, request.concurrency) for service in ("s3", "iam", "sts")]
    clients = Clients(*made)
    actual = observe(clients, request.tenants, request.concurrency)
    steps, undeclared = plan(request.tenants, request.declared_ids, credentials_of(request, check_mode), actual, region)
    problems: dict[str, str] = {}
    if not check_mode and any(step.changes for step in steps):
        with Lease.from_params(params.get("lease")) as lease:
            problems = apply(steps, clients, region, lease, request.concurrency, request.timeout)
    outcomes: list[Outcome] = [common.outcome(step.tenant, step.changes, step.verdict, step.message, problems) for step in steps]
    return common.result(request, outcomes, undeclared, clients.requests, [NOTE])
