# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tenants on versitygw: an account of role ``user`` and a bucket that the platform owns, with a policy that names the account.

The owner of a bucket and accounts of role ``admin`` are above its policy, and ``userplus`` may create buckets; a tenant is none of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hmac import compare_digest
from typing import Any

from ...clients.object_store import S3Client, S3Error, connect
from ...clients.versitygw import ADMIN, USER, Account, VersitygwAdmin
from ...common.errors import OpsError
from ...common.leases import AnyLease, Lease
from ..arguments import TenantsRequest
from ..credentials import TenantCredentials
from ..model import Change, SystemResult, Tenant
from . import object_store_buckets as common
from .object_store_buckets import Bucket
from .object_store_policy import bucket_policy, same_policy
from .planned_credentials import Credentials, credentials_of


@dataclass(frozen=True)
class Actual:
    """What the gateway holds: accounts and bucket owners of all, details of the selected tenants' buckets."""

    accounts: Mapping[str, Account] = field(repr=False)
    owners: Mapping[str, str]
    buckets: Mapping[str, Bucket]


@dataclass(frozen=True)
class Step:
    """What is to be written for one tenant, in the order in which it is written."""

    tenant: Tenant
    create_account: Account | None = None
    update_account: Account | None = None
    create_bucket: bool = False
    reset_acl: str = ""  # the owner to set again
    versioning: bool = False
    policy: dict[str, Any] | None = None
    stale_accounts: tuple[str, ...] = ()
    changes: tuple[Change, ...] = ()
    verdict: str = "succeeded"
    message: str = ""


def observe(client: S3Client, tenants: Sequence[Tenant], concurrency: int) -> Actual:
    """Read accounts and owners (one request each) and the tenants' buckets (three requests each). Raises OpsError."""
    admin = VersitygwAdmin(client)
    accounts, owners = admin.accounts(), admin.owners()
    names = [tenant.bucket for tenant in tenants if tenant.bucket in owners]
    return Actual(accounts, owners, common.read_buckets(client, names, owners, concurrency))


def plan(tenants: Sequence[Tenant], declared_ids: frozenset[str], credentials: Credentials, actual: Actual) -> tuple[list[Step], list[str]]:
    """Compare; return steps and undeclared tenants. Pure."""
    keys: dict[str, list[str]] = {}
    for access in actual.accounts:
        owner = common.tenant_of_key(access)
        if owner is not None:
            keys.setdefault(owner, []).append(access)
    seen = {*keys, *(found for found in map(common.tenant_of_bucket, actual.owners) if found)}
    steps = [_plan_tenant(tenant, credentials[tenant.id], actual, keys.get(tenant.id, [])) for tenant in tenants]
    return steps, sorted(seen - declared_ids)


def _plan_tenant(tenant: Tenant, credentials: TenantCredentials | OpsError, actual: Actual, keys: Sequence[str]) -> Step:
    exists = tenant.bucket in actual.owners
    bucket = actual.buckets.get(tenant.bucket) if exists else None
    if bucket is not None and bucket.problem:
        return Step(tenant, verdict="failed", message=f"bucket {tenant.bucket} cannot be read, so nothing was changed: {bucket.problem}")
    if bucket is not None and not _is_platform(bucket.owner, actual.accounts):
        message = f"bucket {tenant.bucket} belongs to the account {bucket.owner}, who is above its policy: find out why, then make an admin account its owner"
        return Step(tenant, verdict="refused", message=message)
    changes: list[Change] = []
    create = update = None
    stale: tuple[str, ...] = ()
    message = ""
    if isinstance(credentials, TenantCredentials):
        access = credentials.s3_access_key_id
        if common.tenant_of_key(access) != tenant.id:
            message = f"S3_ACCESS_KEY_ID of the Secret is not of the form {tenant.bucket}-<8 hex digits>; restore the Secret"
            return Step(tenant, verdict="failed", message=message)
        create, update = _plan_account(credentials, actual.accounts.get(access), changes)
        stale = tuple(sorted(key for key in keys if key != access))
        changes += [Change(f"key {key}", "delete", before={"role": actual.accounts[key].role}) for key in stale]
        principals: Sequence[str] = [access]
    else:
        message = credentials.message
        # Without the Secret it is not known which key is the tenant's. Access can be taken away all the same, and is not given.
        principals = [] if tenant.active else sorted(keys)
    policy = bucket_policy(tenant.bucket, principals, tenant.active, deny_in_clear=False) if principals else None
    needs_policy = policy is not None and (bucket is None or bool(bucket.grants) or not same_policy(bucket.policy, policy))
    changes += common.bucket_changes(tenant.bucket, bucket, policy, needs_policy)
    write = policy if needs_policy else None
    if bucket is not None and bucket.grants and write is None:
        write = bucket.policy  # resetting the ACL removes it
    return Step(
        tenant,
        create,
        update,
        not exists,
        bucket.owner if bucket and bucket.grants else "",
        bucket is None or not bucket.versioned,
        write,
        stale,
        tuple(changes),
        "failed" if message else "succeeded",
        message,
    )


def _is_platform(owner: str, accounts: Mapping[str, Account]) -> bool:
    """Root is in no list; every other owner must be an admin account."""
    return common.tenant_of_key(owner) is None and (owner not in accounts or accounts[owner].role == ADMIN)


def _plan_account(credentials: TenantCredentials, account: Account | None, changes: list[Change]) -> tuple[Account | None, Account | None]:
    wanted = Account(credentials.s3_access_key_id, credentials.s3_secret_access_key, USER)
    if account is None:
        changes.append(Change(f"key {wanted.access}", "create", after={"role": USER, "secret": "the Secret's (not shown)"}))
        return wanted, None
    before: dict[str, str] = {}
    after: dict[str, str] = {}
    if not compare_digest(account.secret.encode(), wanted.secret.encode()):
        before["secret"], after["secret"] = "another (not shown)", "the Secret's (not shown)"
    if account.role != wanted.role:
        before["role"], after["role"] = account.role, wanted.role
    if not after:
        return None, None
    changes.append(Change(f"key {wanted.access}", "update", sorted(after), before, after))
    return None, wanted


def apply(steps: Sequence[Step], client: S3Client, lease: AnyLease, concurrency: int) -> dict[str, str]:
    """Write what differs; return tenant id → what went wrong. Each tenant's writes are in an order that never gives too much. Raises LeaseLost."""

    def write(step: Step) -> None:
        lease.check()
        _write(step, client)

    return common.write_each([step for step in steps if step.changes], write, concurrency)


def _write(step: Step, client: S3Client) -> None:
    admin, bucket = VersitygwAdmin(client), step.tenant.bucket
    if step.create_account:
        admin.create(step.create_account)  # first: a policy may name accounts only that exist
    if step.update_account:
        admin.update(step.update_account)
    if step.create_bucket:
        _create_bucket(client, bucket)
    if step.reset_acl:
        admin.set_owner(bucket, step.reset_acl)
    if step.versioning:
        common.put_versioning(client, bucket)
    if step.policy is not None:
        common.put_policy(client, bucket, step.policy)
    for access in step.stale_accounts:
        admin.delete(access)


def _create_bucket(client: S3Client, bucket: str) -> None:
    try:
        client.request("PUT", f"/{bucket}", headers={"x-amz-object-ownership": "BucketOwnerEnforced"})
    except S3Error as error:
        if error.code != "BucketAlreadyOwnedByYou":
            raise


def run(request: TenantsRequest, params: Mapping[str, Any], check_mode: bool) -> SystemResult:
    """One call of the module tenants_object_store with the driver versitygw. Raises OpsError."""
    with connect(params["connection"], request.timeout) as client:
        actual = observe(client, request.tenants, request.concurrency)
        steps, undeclared = plan(request.tenants, request.declared_ids, credentials_of(request, check_mode), actual)
        problems: dict[str, str] = {}
        if not check_mode and any(step.changes for step in steps):
            with Lease.from_params(params.get("lease")) as lease:
                problems = apply(steps, client, lease, request.concurrency)
        outcomes = [common.outcome(step.tenant, step.changes, step.verdict, step.message, problems) for step in steps]
        answer = common.result(request, outcomes, undeclared, client.requests, [])
        if params.get("measure"):
            from .object_store_usage import measure

            measure(client, request, answer, int(params["measure_pages"]))
        else:
            answer.notes.append(common.NOT_MEASURED)
    return answer
