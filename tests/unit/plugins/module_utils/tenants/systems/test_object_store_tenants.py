# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tenants on object stores: policies, the plan for versitygw, and its writes."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from typing import Any

import pytest
from ansible_collections.leanvibe.ops.plugins.module_utils.clients.object_store import Answer, S3Error
from ansible_collections.leanvibe.ops.plugins.module_utils.clients.versitygw import Account
from ansible_collections.leanvibe.ops.plugins.module_utils.common.errors import LeaseLost, OpsError, Unreachable
from ansible_collections.leanvibe.ops.plugins.module_utils.common.leases import NoLease
from ansible_collections.leanvibe.ops.plugins.module_utils.tenants.credentials import TenantCredentials
from ansible_collections.leanvibe.ops.plugins.module_utils.tenants.model import Tenant
from ansible_collections.leanvibe.ops.plugins.module_utils.tenants.systems import object_store as entry
from ansible_collections.leanvibe.ops.plugins.module_utils.tenants.systems import object_store_buckets as common
from ansible_collections.leanvibe.ops.plugins.module_utils.tenants.systems import object_store_versitygw as system
from ansible_collections.leanvibe.ops.plugins.module_utils.tenants.systems.object_store_buckets import Bucket, tenant_of_bucket, tenant_of_key
from ansible_collections.leanvibe.ops.plugins.module_utils.tenants.systems.object_store_policy import bucket_policy, parse_policy, same_policy

KEY, SECRET = "tenant-a-00c0ffee", "hunter2-hunter2"
POLICY = bucket_policy("tenant-a", [KEY], active=True, deny_in_clear=False)
DENIED = bucket_policy("tenant-a", [KEY], active=False, deny_in_clear=False)
AS_IT_MUST_BE = Bucket("ops", versioned=True, policy=POLICY)
ACCOUNT = Account(KEY, SECRET)


def tenant(**change: Any) -> Tenant:
    return Tenant("a", "A", "team", "us-east-1", **change)


def credentials(secret: str = SECRET, access: str = KEY) -> TenantCredentials:
    return TenantCredentials(1, "current", "p", "r", access, secret)


def planned(declared: Tenant, bucket: Bucket | None = AS_IT_MUST_BE, *accounts: Account, secret: Any = None) -> system.Step:
    found = {account.access: account for account in (*accounts, Account("ops", "x", "admin"))}
    owners = {"tenant-a": bucket.owner} if bucket else {}
    actual = system.Actual(found, owners, {"tenant-a": bucket} if bucket else {})
    steps, _undeclared = system.plan([declared], frozenset({"a"}), {"a": secret or credentials()}, actual)
    return steps[0]


def test_a_policy_names_the_tenant_s_key_and_its_bucket_only() -> None:
    for statement in POLICY["Statement"]:
        assert statement["Effect"] == "Allow"
        assert statement["Principal"] == {"AWS": [KEY]}
        assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "true"}}
        assert set(statement["Resource"]) <= {"arn:aws:s3:::tenant-a", "arn:aws:s3:::tenant-a/*"}
    actions = {action for statement in POLICY["Statement"] for action in statement["Action"]}
    assert "s3:PutObject" in actions
    assert not [action for action in actions if "*" in action or "Policy" in action or "Acl" in action or "Lock" in action or action.startswith("s3:PutBucket")]
    assert not actions & {"s3:DeleteObjectVersion", "s3:DeleteBucket", "s3:BypassGovernanceRetention", "s3:PutLifecycleConfiguration"}
    assert [statement["Effect"] for statement in DENIED["Statement"]] == ["Deny"]


def test_policies_are_compared_by_what_they_say() -> None:
    other = copy.deepcopy(POLICY)
    other["Statement"].reverse()
    other["Statement"][1]["Action"].reverse()
    other["Statement"][0]["Resource"] = other["Statement"][0]["Resource"][0]
    other["Statement"][0]["Condition"] = {"Bool": {"aws:SecureTransport": True}}
    assert same_policy(POLICY, json.loads(json.dumps(other)))
    assert not same_policy(POLICY, DENIED)
    assert not same_policy(POLICY, None)
    more = copy.deepcopy(POLICY)
    more["Statement"].append({"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::tenant-a/*"})
    assert not same_policy(POLICY, more)
    without_tls = copy.deepcopy(POLICY)
    del without_tls["Statement"][0]["Condition"]
    assert not same_policy(POLICY, without_tls)


@pytest.mark.parametrize("text", [b"", b"[]", b"{", b"null", b'{"Statement": ["x", 3]}', b'{"Statement": 3}'])
def test_what_is_no_policy_of_ours_is_different_and_breaks_nothing(text: bytes) -> None:
    found = parse_policy(text)
    assert not same_policy(found, POLICY)
    step = planned(tenant(), Bucket("ops", True, found), ACCOUNT)
    assert step.policy == POLICY


@pytest.mark.parametrize(
    ("key", "owner"),
    [
        ("tenant-a-00c0ffee", "a"),
        ("tenant-a-b-00c0ffee", "a-b"),
        ("tenant-a-00c0ffee-00c0ffee", "a-00c0ffee"),
        ("tenant-a", None),
        ("tenant-00c0ffee", None),
        ("x-tenant-a-00c0ffee", None),
        ("tenant-A-00c0ffee", None),
        ("tenant-a-00C0FFEE", None),
        ("tenant--00c0ffee", None),
    ],
)
def test_a_key_tells_its_tenant(key: str, owner: str | None) -> None:
    assert tenant_of_key(key) == owner


def test_a_bucket_tells_its_tenant() -> None:
    assert [tenant_of_bucket(name) for name in ("tenant-a-b", "tenant-", "other", "tenant-A")] == ["a-b", None, None, None]


def test_a_new_tenant_gets_key_bucket_and_policy_and_no_secret_is_shown() -> None:
    step = planned(tenant(), None)
    assert (step.create_account, step.create_bucket, step.versioning, step.policy) == (ACCOUNT, True, True, POLICY)
    assert [(change.object, change.action) for change in step.changes] == [(f"key {KEY}", "create"), ("bucket tenant-a", "create")]
    assert SECRET not in repr(step)


def test_what_is_as_it_must_be_is_left_alone() -> None:
    step = planned(tenant(), AS_IT_MUST_BE, ACCOUNT)
    assert step == system.Step(tenant())


@pytest.mark.parametrize(
    ("bucket", "account", "expected"),
    [
        (AS_IT_MUST_BE, Account(KEY, "other"), {"update_account": ACCOUNT}),
        (AS_IT_MUST_BE, Account(KEY, SECRET, "userplus"), {"update_account": ACCOUNT}),
        (AS_IT_MUST_BE, Account(KEY, SECRET, "admin"), {"update_account": ACCOUNT}),
        (Bucket("ops", False, POLICY), ACCOUNT, {"versioning": True}),
        (Bucket("ops", True, None), ACCOUNT, {"policy": POLICY}),
        (Bucket("ops", True, DENIED), ACCOUNT, {"policy": POLICY}),
        (Bucket("root", True, POLICY), ACCOUNT, {}),
        (Bucket("ops", True, POLICY, ("all-users",)), ACCOUNT, {"reset_acl": "ops", "policy": POLICY}),
    ],
)
def test_every_drift_is_undone(bucket: Bucket, account: Account, expected: Mapping[str, Any]) -> None:
    step = planned(tenant(), bucket, account)
    found = {key: value for key, value in step.__dict__.items() if value and key not in ("tenant", "changes", "verdict")}
    assert found == expected
    assert bool(step.changes) is bool(expected)


def test_suspension_denies_and_keeps() -> None:
    step = planned(tenant(state="suspended"), AS_IT_MUST_BE, ACCOUNT)
    assert (step.policy, step.create_bucket, step.stale_accounts) == (DENIED, False, ())
    assert planned(tenant(state="suspended"), Bucket("ops", True, DENIED), ACCOUNT).changes == ()


def test_keys_of_the_tenant_that_are_not_the_secret_s_are_removed() -> None:
    step = planned(tenant(), AS_IT_MUST_BE, ACCOUNT, Account("tenant-a-deadbeef", "old"), Account("tenant-a-b-deadbeef", "another tenant's"))
    assert step.stale_accounts == ("tenant-a-deadbeef",)


@pytest.mark.parametrize("owner", ["tenant-a-00c0ffee", "somebody"])
def test_a_bucket_that_is_not_the_platform_s_is_refused(owner: str) -> None:
    step = planned(tenant(), Bucket(owner, True, POLICY), ACCOUNT, Account("somebody", "x", "user"))
    assert (step.verdict, step.changes) == ("refused", ())
    assert owner in step.message


def test_a_bucket_that_cannot_be_read_is_not_written() -> None:
    step = planned(tenant(), Bucket("ops", problem="answered 500"), ACCOUNT)
    assert (step.verdict, step.changes) == ("failed", ())


def test_without_the_secret_access_is_taken_and_never_given() -> None:
    missing = OpsError("no Secret")
    active = planned(tenant(), Bucket("ops", False, None), ACCOUNT, secret=missing)
    assert (active.versioning, active.policy, active.verdict, active.message) == (True, None, "failed", "no Secret")
    new = planned(tenant(), None, secret=missing)
    assert (new.create_bucket, new.policy, new.create_account) == (True, None, None)
    suspended = planned(tenant(state="suspended"), AS_IT_MUST_BE, ACCOUNT, secret=missing)
    assert (suspended.policy, suspended.verdict) == (DENIED, "failed")
    reset = planned(tenant(), Bucket("ops", True, POLICY, ("all-users",)), ACCOUNT, secret=missing)
    assert (reset.reset_acl, reset.policy) == ("ops", POLICY)


def test_a_key_that_is_another_tenant_s_is_refused() -> None:
    step = planned(tenant(), AS_IT_MUST_BE, ACCOUNT, secret=credentials(access="tenant-b-00c0ffee"))
    assert (step.verdict, step.changes) == ("failed", ())


def test_undeclared_buckets_and_keys_are_listed() -> None:
    actual = system.Actual({"tenant-gone-00000000": Account("tenant-gone-00000000", "x")}, {"tenant-old": "ops", "backups": "ops", "tenant-a": "ops"}, {})
    _steps, undeclared = system.plan([], frozenset({"a"}), {}, actual)
    assert undeclared == ["gone", "old"]


class Store:
    """Keeps what is asked; fails where it is told to."""

    def __init__(self, fail: str = "", error: Exception | None = None) -> None:
        self.asked: list[str] = []
        self.fail, self.error = fail, error

    def request(self, method: str, path: str, query: Mapping[str, str] | None = None, headers: Mapping[str, str] | None = None, body: bytes = b"") -> Answer:
        what = f"{method} {path}" + (f"?{next(iter(query))}" if query else "")
        self.asked.append(what)
        if self.error and what == self.fail:
            raise self.error
        return Answer(200, {}, b"")


FIRST_WRITES = ["PATCH /create-user", "PUT /tenant-a", "PUT /tenant-a?versioning", "PUT /tenant-a?policy"]


def test_access_comes_last() -> None:
    store = Store()
    assert system.apply([planned(tenant(), None)], store, NoLease(), 1) == {}
    assert store.asked == FIRST_WRITES


@pytest.mark.parametrize("failing", FIRST_WRITES)
def test_a_run_that_dies_at_any_write_is_completed_by_the_next(failing: str) -> None:
    store = Store(failing, Unreachable("gone"))
    assert system.apply([planned(tenant(), None)], store, NoLease(), 1) == {"a": "gone"}
    done = FIRST_WRITES.index(failing)
    bucket = None if done < 2 else Bucket("ops", versioned=done > 2)
    following = planned(tenant(), bucket, *([ACCOUNT] if done else []))
    again = Store()
    system.apply([following], again, NoLease(), 1)
    assert again.asked == FIRST_WRITES[done:]


def test_a_bucket_that_somebody_made_meanwhile_is_taken_if_it_is_ours() -> None:
    owned = Store("PUT /tenant-a", S3Error("x", "BucketAlreadyOwnedByYou", 409))
    assert system.apply([planned(tenant(), None)], owned, NoLease(), 1) == {}
    foreign = Store("PUT /tenant-a", S3Error("somebody else's", "BucketAlreadyExists", 409))
    assert system.apply([planned(tenant(), None)], foreign, NoLease(), 1) == {"a": "somebody else's"}
    assert foreign.asked == FIRST_WRITES[:2]


def test_a_lost_lease_and_a_bug_are_no_tenant_s_failure() -> None:
    class Lost(NoLease):
        def check(self) -> None:
            raise LeaseLost("gone")

    store = Store()
    with pytest.raises(LeaseLost):
        system.apply([planned(tenant(), None)], store, Lost(), 1)
    assert store.asked == []
    with pytest.raises(ZeroDivisionError):
        system.apply([planned(tenant(), None)], Store("PUT /tenant-a", ZeroDivisionError()), NoLease(), 1)


def test_no_change_is_shown_for_what_failed() -> None:
    step = planned(tenant(), None)
    outcome = common.outcome(step.tenant, step.changes, step.verdict, step.message, {"a": "gone"})
    assert (outcome.changes, outcome.verdict, outcome.message) == ((), "failed", "gone")


def test_no_tenants_ask_nothing_of_the_store() -> None:
    params = {"region": "r", "tenants": [], "declared_ids": None, "tiers": {}, "secrets": {}, "concurrency": 1, "timeout": 1, "connection": {"endpoint": "no"}}
    assert entry.run(params, check_mode=False)["changed"] is False
