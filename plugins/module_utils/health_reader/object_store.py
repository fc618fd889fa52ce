# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The account of the health checks on an object store: on versitygw one of role ``user`` that the policies of the buckets of backups name; on Amazon S3
a policy of IAM. Policies of tenants' buckets belong to the operation tenants and are not touched.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hmac import compare_digest
from typing import Any

from ..clients.object_store import S3Client, S3Error, connect
from ..clients.versitygw import USER, Account, VersitygwAdmin
from ..health.systems.aws_rights import S3_ACTIONS, SID, bucket_statement, policy
from ..tenants.systems.object_store_buckets import put_policy
from ..tenants.systems.object_store_policy import parse_policy, policy_shown, same_policy
from .iam import ensure
from .model import Change, Plan, Reader, nobody, refused

SYSTEM = "object_store"
POLICY = "leanvibe-health-s3"
NOTE = (
    "versitygw gives rights bucket by bucket, and the policies of tenants' buckets are those of playbooks/tenants.yml: for this account "
    "object_store.tenant_buckets and object_store.tenant_versioning stay unknown (docs/runbooks/object_store.md#rights)"
)


@dataclass(frozen=True)
class Actual:
    """Accounts by access key id, owners of buckets, and policies of the buckets of backups (None: the bucket has none)."""

    accounts: Mapping[str, Account] = field(repr=False)
    owners: Mapping[str, str]
    policies: Mapping[str, dict[str, Any] | None]


@dataclass(frozen=True)
class Step:
    """An account to make or to set, or the policy of a bucket."""

    account: Account | None = None
    create: bool = False
    bucket: str = ""
    policy: dict[str, Any] | None = None


def observe(client: S3Client, buckets: Sequence[str]) -> Actual:
    """Two requests, and one for each bucket of backups. Raises OpsError."""
    admin = VersitygwAdmin(client)
    accounts, owners = admin.accounts(), admin.owners()
    return Actual(accounts, owners, {bucket: _policy(client, bucket) for bucket in buckets if bucket in owners})


def _policy(client: S3Client, bucket: str) -> dict[str, Any] | None:
    try:
        return parse_policy(client.request("GET", f"/{bucket}", {"policy": ""}).body)
    except S3Error as error:
        if error.code != "NoSuchBucketPolicy":
            raise
        return None


def plan(reader: Reader, ours: str, buckets: Sequence[str], actual: Actual) -> Plan:
    """Compare. Pure."""
    if conflict := reader.conflict(ours):
        return refused(reader.name, conflict)
    if not reader.password:
        return refused(reader.name, f"account {reader.name} needs a secret key: set it in leanvibe_ops_health_object_store")
    there = actual.accounts.get(reader.name)
    owned = sorted(bucket for bucket, owner in actual.owners.items() if owner == reader.name)
    if owned or (there is not None and there.role != USER):
        what = f"owns {', '.join(owned)}" if owned else f"has the role {there.role if there else ''}"
        return refused(reader.name, f"account {reader.name} {what}, and has more to do than to look: give the health checks one of their own")
    foreign = [bucket for bucket in buckets if bucket.startswith("tenant-")]
    if foreign:
        return refused(reader.name, f"{', '.join(foreign)}: a tenant's bucket, whose policy is that of playbooks/tenants.yml; take it out of backup_buckets")
    wanted = Account(reader.name, reader.password, USER)
    steps, changes = [], []
    if there is None:
        steps.append(Step(wanted, create=True))
        changes.append(Change(f"account {reader.name}", "create", after={"role": USER}))
    elif not compare_digest(there.secret.encode(), wanted.secret.encode()):
        steps.append(Step(wanted))
        changes.append(Change(f"account {reader.name}", "update", ["secret"], "another (not shown)", "the inventory's (not shown)"))
    for bucket, before in actual.policies.items():
        after = _with(before, bucket_statement(bucket, reader.name))
        if not same_policy(before, after):
            steps.append(Step(bucket=bucket, policy=after))
            changes.append(Change(f"bucket {bucket}", "update", ["policy"], policy_shown(before), policy_shown(after)))
    missing = [bucket for bucket in buckets if bucket not in actual.owners]
    notes = [NOTE, *(f"there is no bucket {bucket}, so nobody was named in its policy" for bucket in missing)]
    return Plan(reader.name, steps, changes, notes=notes)


def _with(before: dict[str, Any] | None, statement: dict[str, Any]) -> dict[str, Any]:
    """A policy that says the same as before, and of the reader exactly this."""
    policy_ = dict(before or {"Version": "2012-10-17"})
    statements = policy_.get("Statement", [])
    others = [one for one in (statements if isinstance(statements, list) else [statements]) if one.get("Sid") != SID]
    return {**policy_, "Statement": [*others, statement]}


def apply(steps: Sequence[Step], client: S3Client) -> None:
    """Write: the account first, because a policy may name accounts only that exist. Raises OpsError."""
    admin = VersitygwAdmin(client)
    for step in steps:
        if step.account is not None and step.create:
            admin.create(step.account)
        elif step.account is not None:
            admin.update(step.account)
        elif step.policy is not None:
            put_policy(client, step.bucket, step.policy)


def run(params: Mapping[str, Any], check_mode: bool) -> dict[str, Any]:
    """One call of the module health_reader_object_store. Raises OpsError."""
    connection, account = params["connection"], params["account"]
    if connection.get("driver") == "aws":
        if not params["user"]:
            made = nobody("health_reader_iam_user", "leanvibe_ops_object_store")
        else:
            made = ensure(connection, params["user"], POLICY, policy(S3_ACTIONS), params["timeout"], check_mode)
    elif not account:
        made = nobody("leanvibe_ops_health_object_store", "leanvibe_ops_object_store")
    else:
        reader = Reader(account["access_key"], account.get("secret_key"))
        with connect(connection, params["timeout"]) as client:
            made = plan(reader, str(connection.get("access_key") or ""), params["backup_buckets"], observe(client, params["backup_buckets"]))
            if not check_mode:
                apply(made.steps, client)
    return made.to_exit(SYSTEM, params["region"])
