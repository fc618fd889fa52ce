# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tenants on Amazon S3, on moto: create, again, suspend, drift, and keys that only IAM can issue. The real service was never asked."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import boto3
import pytest
from ansible_collections.leanvibe.ops.plugins.module_utils.clients.aws import AwsClient
from ansible_collections.leanvibe.ops.plugins.module_utils.common.errors import OpsError
from ansible_collections.leanvibe.ops.plugins.module_utils.tenants.credentials import TenantCredentials
from ansible_collections.leanvibe.ops.plugins.module_utils.tenants.systems import object_store as entry
from ansible_collections.leanvibe.ops.plugins.module_utils.tenants.systems import object_store_aws as system
from moto import mock_aws

NAME = "tenant-rn"
TIERS = {"team": {"object_store": {"storage_bytes": 1}}}


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    with mock_aws():
        made = {service: boto3.client(service, region_name="us-west-2") for service in ("s3", "iam", "sts")}
        # A client takes half a second to make; the driver gets these too.
        monkeypatch.setattr(system, "connect", lambda service, _connection, _timeout, _concurrency: AwsClient(made[service], "AWS test"))
        yield made


def run(monkeypatch: pytest.MonkeyPatch, key: Any, *, check: bool = False, region: str = "us-west-2", **change: Any) -> dict[str, Any]:
    secret = key if isinstance(key, OpsError) else TenantCredentials(1, "current", "p", "r", key, "s")
    monkeypatch.setattr(system, "credentials_of", lambda request, check_mode: {tenant.id: secret for tenant in request.tenants})
    tenant = {"id": "rn", "name": "RN", "tier": "team", "region": region, **change}
    params = {
        "region": region,
        "tenants": [tenant],
        "declared_ids": None,
        "tiers": TIERS,
        "secrets": {},
        "concurrency": 2,
        "timeout": 5,
        "connection": {"driver": "aws", "region": region},
    }
    return entry.run(params, check_mode=check)


def verdict(answer: Mapping[str, Any]) -> tuple[str, bool]:
    return answer["results"][0]["verdict"], answer["changed"]


def state(aws: Mapping[str, Any]) -> dict[str, Any]:
    """Everything that the driver may write, read with boto3."""
    s3, iam = aws["s3"], aws["iam"]
    keys = {key["AccessKeyId"]: key["Status"] for key in iam.list_access_keys(UserName=NAME)["AccessKeyMetadata"]}
    return {
        "policy": json.loads(s3.get_bucket_policy(Bucket=NAME)["Policy"]),
        "versioning": s3.get_bucket_versioning(Bucket=NAME)["Status"],
        "block": s3.get_public_access_block(Bucket=NAME)["PublicAccessBlockConfiguration"],
        "ownership": s3.get_bucket_ownership_controls(Bucket=NAME)["OwnershipControls"]["Rules"],
        "region": s3.get_bucket_location(Bucket=NAME)["LocationConstraint"],
        "keys": keys,
    }


def test_a_tenant_is_made_up_to_the_key_that_iam_must_issue(aws: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    planned = run(monkeypatch, "tenant-rn-00c0ffee", check=True)
    assert aws["s3"].list_buckets()["Buckets"] == []
    done = run(monkeypatch, "tenant-rn-00c0ffee")
    assert planned["results"][0]["changes"] == done["results"][0]["changes"]
    assert verdict(done) == ("failed", True)
    assert "aws iam create-access-key --user-name tenant-rn" in done["results"][0]["message"]
    found = state(aws)
    assert found["keys"] == {}
    assert found["block"] == {"BlockPublicAcls": True, "IgnorePublicAcls": True, "BlockPublicPolicy": True, "RestrictPublicBuckets": True}
    assert (found["versioning"], found["ownership"], found["region"]) == ("Enabled", [{"ObjectOwnership": "BucketOwnerEnforced"}], "us-west-2")
    arn = aws["iam"].get_user(UserName=NAME)["User"]["Arn"]
    assert {json.dumps(entry["Principal"]) for entry in found["policy"]["Statement"]} == {json.dumps({"AWS": [arn]}), '"*"'}
    assert [entry["Effect"] for entry in found["policy"]["Statement"] if entry["Principal"] == "*"] == ["Deny"]
    key = aws["iam"].create_access_key(UserName=NAME)["AccessKey"]["AccessKeyId"]
    assert verdict(run(monkeypatch, key)) == ("succeeded", False)


def test_suspension_switches_keys_off_and_on_again(aws: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    run(monkeypatch, "none")
    key, old = (aws["iam"].create_access_key(UserName=NAME)["AccessKey"]["AccessKeyId"] for _time in range(2))
    assert verdict(run(monkeypatch, key)) == ("succeeded", True)
    assert state(aws)["keys"] == {key: "Active", old: "Inactive"}
    before = state(aws)
    assert verdict(run(monkeypatch, key, check=True, state="suspended")) == ("succeeded", True)
    assert state(aws) == before
    assert verdict(run(monkeypatch, key, state="suspended")) == ("succeeded", True)
    suspended = state(aws)
    assert set(suspended["keys"].values()) == {"Inactive"}
    assert {entry["Effect"] for entry in suspended["policy"]["Statement"]} == {"Deny"}
    assert verdict(run(monkeypatch, key, state="suspended")) == ("succeeded", False)
    run(monkeypatch, key)
    assert state(aws) == before


def test_an_unreadable_secret_does_not_keep_a_suspended_tenant_in(aws: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    run(monkeypatch, "none")
    aws["iam"].create_access_key(UserName=NAME)
    assert verdict(run(monkeypatch, OpsError("no Secret"))) == ("failed", False)
    assert verdict(run(monkeypatch, OpsError("no Secret"), state="suspended")) == ("succeeded", True)
    assert set(state(aws)["keys"].values()) == {"Inactive"}


def test_every_drift_is_undone(aws: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    run(monkeypatch, "none")
    key = aws["iam"].create_access_key(UserName=NAME)["AccessKey"]["AccessKeyId"]
    assert verdict(run(monkeypatch, key)) == ("succeeded", False)
    good, s3 = state(aws), aws["s3"]
    drifts = [
        lambda: s3.put_bucket_versioning(Bucket=NAME, VersioningConfiguration={"Status": "Suspended"}),
        lambda: s3.delete_bucket_policy(Bucket=NAME),
        lambda: s3.put_bucket_policy(Bucket=NAME, Policy=json.dumps({"Version": "2012-10-17", "Statement": good["policy"]["Statement"][:1]})),
        lambda: s3.delete_public_access_block(Bucket=NAME),
        lambda: s3.put_bucket_ownership_controls(Bucket=NAME, OwnershipControls={"Rules": [{"ObjectOwnership": "ObjectWriter"}]}),
        lambda: aws["iam"].update_access_key(UserName=NAME, AccessKeyId=key, Status="Inactive"),
    ]
    for drift in drifts:
        drift()
        assert verdict(run(monkeypatch, key)) == ("succeeded", True)
        assert state(aws) == good
        assert verdict(run(monkeypatch, key)) == ("succeeded", False)


def test_rights_of_the_user_s_own_are_not_overlooked(aws: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    run(monkeypatch, "none")
    key = aws["iam"].create_access_key(UserName=NAME)["AccessKey"]["AccessKeyId"]
    policy = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}
    aws["iam"].put_user_policy(UserName=NAME, PolicyName="everything", PolicyDocument=json.dumps(policy))
    answer = run(monkeypatch, key)
    assert verdict(answer) == ("failed", False)
    assert "inline policy everything" in answer["results"][0]["message"]


def test_a_bucket_is_in_one_region_only(aws: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    aws["iam"].create_user(UserName=NAME, Path=system.PATH)
    clients = system.Clients(*(system.connect(service, {"region": "us-east-1"}, 5, 1) for service in ("s3", "iam", "sts")))
    actual = system.observe(clients, [], 1)
    elsewhere = system.Actual(actual.arn_prefix, actual.users, {NAME: "us-west-2"}, {})
    declared = system.Tenant("rn", "RN", "team", "us-east-1")
    secret = TenantCredentials(1, "current", "p", "r", "k", "s")
    (step,), undeclared = system.plan([declared], frozenset({"rn"}), {"rn": secret}, elsewhere, "us-east-1")
    assert (step.verdict, step.changes, undeclared) == ("refused", (), [])
    assert "us-west-2" in step.message
    assert system.plan([], frozenset(), {}, elsewhere, "us-east-1")[1] == ["rn"]
