# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tenants on ElastiCache: moto where it can, botocore's model of the API where moto cannot. The real service was never asked."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from ansible_collections.leanvibe.ops.plugins.module_utils.clients.aws import AwsClient
from ansible_collections.leanvibe.ops.plugins.module_utils.common.errors import OpsError
from ansible_collections.leanvibe.ops.plugins.module_utils.common.leases import NoLease
from ansible_collections.leanvibe.ops.plugins.module_utils.tenants.credentials import TenantCredentials
from ansible_collections.leanvibe.ops.plugins.module_utils.tenants.model import Tenant
from ansible_collections.leanvibe.ops.plugins.module_utils.tenants.systems import redis_elasticache as system
from ansible_collections.leanvibe.ops.plugins.module_utils.tenants.systems.redis_acl import parse_access_string
from botocore.stub import ANY, Stubber
from moto import mock_aws

PASSWORD = "hunter2-hunter2-hunter2"
ARN = "arn:aws:elasticache:us-east-1:1:user:"


def tenant(name: str = "a", **change: Any) -> Tenant:
    return Tenant(name, "A", "team", "us-east-1", **change)


def credentials(generation: int = 1) -> TenantCredentials:
    return TenantCredentials(generation, "current", "p", PASSWORD, "k", "s")


def cache_user(declared: Tenant, access: str = "", generation: str = "1") -> system.CacheUser:
    acl = parse_access_string(declared.redis_user, access or system.access_string(declared))
    return system.CacheUser(acl, system.user_id(declared), generation=generation)


def planned(declared: Tenant, *users: system.CacheUser, members: set[str] | None = None, secret: Any = None) -> system.Step:
    actual = system.Actual({user.acl.name: user for user in users}, frozenset(members if members is not None else {user.user_id for user in users}))
    steps, _undeclared = system.plan([declared], frozenset({declared.id}), {declared.id: secret or credentials()}, actual)
    return steps[0]


@pytest.fixture
def boto() -> Iterator[Any]:
    with mock_aws():
        yield boto3.client("elasticache", region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x")


def test_users_are_created_and_read_back_on_moto(boto: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    client = AwsClient(boto, "AWS test")
    step = planned(tenant())
    system._write_user(step, client)
    boto.create_user(UserId="other", UserName="other", Engine="redis", AccessString="on ~* +@all", NoPasswordRequired=True)
    monkeypatch.setattr(boto, "describe_user_groups", lambda **_arguments: {"UserGroups": [{"UserIds": ["tenant-a"]}]}, raising=False)
    actual = system.observe(client, "group", 4)
    assert set(actual.users) == {"tenant-a"}
    assert actual.users["tenant-a"] == cache_user(tenant())
    steps, undeclared = system.plan([tenant()], frozenset({"a"}), {"a": credentials()}, actual)
    assert (steps[0].changes, undeclared) == ((), [])
    assert system.plan([], frozenset(), {}, actual)[1] == ["a"]


def test_changes_and_the_group_are_what_the_api_takes(boto: Any) -> None:
    modify = planned(tenant(state="suspended"), cache_user(tenant(), generation="0"), members=set())
    assert (modify.call, modify.join, modify.changes[0].fields) == ("modify", True, ["access", "password", "group"])
    with Stubber(boto) as stub:
        expected = {"UserId": "tenant-a", "AccessString": system.access_string(tenant(state="suspended")), "AuthenticationMode": ANY}
        stub.add_response("modify_user", {"ARN": ARN + "tenant-a"}, expected)
        stub.add_response("add_tags_to_resource", {}, {"ResourceName": ARN + "tenant-a", "Tags": [{"Key": system.TAG_GENERATION, "Value": "1"}]})
        stub.add_response("modify_user_group", {}, {"UserGroupId": "group", "UserIdsToAdd": ["tenant-a"]})
        assert system.apply([modify], AwsClient(boto, "AWS test"), "group", NoLease(), 1) == {}
        stub.assert_no_pending_responses()


def test_a_group_that_cannot_be_changed_fails_those_who_join(boto: Any) -> None:
    with Stubber(boto) as stub:
        stub.add_response("create_user", {"ARN": ARN}, dict.fromkeys(("UserId", "UserName", "Engine", "AccessString", "AuthenticationMode", "Tags"), ANY))
        stub.add_client_error("modify_user_group", "InvalidUserGroupState")
        problems = system.apply([planned(tenant())], AwsClient(boto, "AWS test"), "group", NoLease(), 1)
    assert "not in the group" in problems["a"]


def test_what_is_as_it_must_be_is_left_alone_and_nothing_secret_is_shown() -> None:
    step = planned(tenant(), cache_user(tenant()))
    assert (step.changes, step.call, step.join) == ((), "", False)
    assert PASSWORD not in repr(planned(tenant()))


@pytest.mark.parametrize("access", ["on ~* -@all +get", "on ~tenant:a:* resetchannels &tenant:a:* +@all", "off ~tenant:a:*"])
def test_other_rights_are_undone_without_touching_the_password(access: str) -> None:
    step = planned(tenant(), cache_user(tenant(), access))
    assert (step.call, step.password, step.changes[0].fields) == ("modify", None, ["access"])


def test_without_the_secret_rights_are_set_and_the_tenant_fails() -> None:
    step = planned(tenant(), cache_user(tenant(), "on ~*"), secret=OpsError("no Secret"))
    assert (step.call, step.password, step.problem) == ("modify", None, "no Secret")
    assert planned(tenant(), secret=OpsError("no Secret")).call == ""


def test_a_full_group_refuses_before_anything_is_written() -> None:
    members = {f"u{number}" for number in range(system.GROUP_SIZE)}
    step = planned(tenant(), members=members)
    assert (step.call, step.join) == ("", False)
    assert "full" in step.problem


def test_ids_fit_and_stay_apart() -> None:
    long = [tenant("a" * 39 + end) for end in "bc"]
    ids = [system.user_id(one) for one in (tenant(), *long)]
    assert ids[0] == "tenant-a"
    assert len(set(ids)) == 3
    assert all(len(made) <= system.LONGEST_USER_ID for made in ids)
