# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""tenants_object_store on the sandbox's two gateways: create, modify, suspend, each checked and done, first and again, read back with boto3."""

from __future__ import annotations

import json
import random
import signal
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError
from stores import EAST, WEST, changes, verdicts

if TYPE_CHECKING:
    from stores import Stores


@pytest.fixture(scope="module")
def tenants(stores: Stores) -> list[dict[str, Any]]:
    return stores.prepared("files-a", "files-b")


def state(stores: Stores, region: str, tenant: Mapping[str, Any]) -> dict[str, Any]:
    """A tenant's bucket as root sees it with boto3, and whether its key works."""
    store, bucket = stores.s3(region), f"tenant-{tenant['id']}"
    if bucket not in {found["Name"] for found in store.list_buckets()["Buckets"]}:
        return {}
    try:
        policy = json.loads(store.get_bucket_policy(Bucket=bucket)["Policy"])
    except ClientError as error:
        policy = {"none": error.response["Error"]["Code"]}
    return {
        "policy": policy,
        "versioning": store.get_bucket_versioning(Bucket=bucket).get("Status"),
        "grants": [grant["Permission"] for grant in store.get_bucket_acl(Bucket=bucket)["Grants"]],
        "ownership": store.get_bucket_ownership_controls(Bucket=bucket)["OwnershipControls"]["Rules"],
        "works": works(stores, region, tenant),
    }


def works(stores: Stores, region: str, tenant: Mapping[str, Any]) -> str:
    """What the tenant is answered when it writes and reads with the key of its Secret."""
    client, bucket = stores.tenant_s3(tenant, region), f"tenant-{tenant['id']}"
    try:
        version = client.put_object(Bucket=bucket, Key="probe", Body=b"")["VersionId"]
        return "yes" if client.get_object(Bucket=bucket, Key="probe")["VersionId"] == version else "no"
    except ClientError as error:
        return str(error.response["Error"]["Code"])


def cycle(stores: Stores, region: str, tenants: list[dict[str, Any]], expected: list[tuple[str, str]]) -> dict[str, Any]:
    """Check, check again, do, do again. Checks write nothing and say what the run then does; the last does nothing."""
    before = [state(stores, region, tenant) for tenant in tenants]
    first, second = (stores.run("object_store", region, tenants, check=True) for _time in range(2))
    assert [state(stores, region, tenant) for tenant in tenants] == before
    assert first["diff"] == second["diff"]
    done = stores.run("object_store", region, tenants)
    assert set(verdicts(done).values()) == {"succeeded"}
    assert (changes(done), done["diff"]) == (changes(first), first["diff"])
    assert sorted((changed.split(" ")[0], action) for _tenant, changed, action in changes(done)) == expected
    after = [state(stores, region, tenant) for tenant in tenants]
    again = stores.run("object_store", region, tenants)
    assert (again["changed"], changes(again)) == (False, [])
    assert [state(stores, region, tenant) for tenant in tenants] == after
    return done


@pytest.mark.parametrize("region", [EAST, WEST])
def test_create_modify_suspend(stores: Stores, tenants: list[dict[str, Any]], region: str) -> None:
    one, two = tenants
    root, bucket = stores.s3(region), f"tenant-{one['id']}"
    cycle(stores, region, tenants, [("bucket", "create"), ("bucket", "create"), ("key", "create"), ("key", "create")])
    good = [state(stores, region, tenant) for tenant in tenants]
    assert all(found["works"] == "yes" and found["versioning"] == "Enabled" and found["grants"] == ["FULL_CONTROL"] for found in good)
    assert all(found["ownership"] == [{"ObjectOwnership": "BucketOwnerEnforced"}] for found in good)

    root.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Suspended"})
    statement = {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{bucket}/*"}
    root.put_bucket_policy(Bucket=bucket, Policy=json.dumps({"Version": "2012-10-17", "Statement": [statement]}))
    done = cycle(stores, region, tenants, [("bucket", "update")])
    assert done["results"][0]["changes"][0]["fields"] == ["policy", "versioned"]
    assert [state(stores, region, tenant) for tenant in tenants] == good

    suspended = [{**one, "state": "suspended"}, two]
    cycle(stores, region, suspended, [("bucket", "update")])
    assert [works(stores, region, tenant) for tenant in tenants] == ["AccessDenied", "yes"]
    assert root.get_object(Bucket=bucket, Key="probe")["Body"].read() == b""
    cycle(stores, region, tenants, [("bucket", "update")])
    assert [state(stores, region, tenant) for tenant in tenants] == good


def test_the_key_is_the_secret_s_and_further_keys_go(stores: Stores, tenants: list[dict[str, Any]]) -> None:
    from ansible_collections.leanvibe.ops.plugins.module_utils.clients.object_store import connect
    from ansible_collections.leanvibe.ops.plugins.module_utils.clients.versitygw import Account, VersitygwAdmin

    one = tenants[0]
    stores.run("object_store", EAST, tenants)
    access = stores.secret(one)["S3_ACCESS_KEY_ID"]
    with connect(stores.connection("object_store", EAST), 20) as client:
        admin = VersitygwAdmin(client)
        admin.update(Account(access, "somebody changed it", "userplus"))
        admin.create(Account(f"tenant-{one['id']}-0badc0de", "old"))
        assert works(stores, EAST, one) == "SignatureDoesNotMatch"
        done = stores.run("object_store", EAST, tenants)
        assert {changed: action for _tenant, changed, action in changes(done)} == {f"key tenant-{one['id']}-0badc0de": "delete", f"key {access}": "update"}
        found = {key: account.role for key, account in admin.accounts().items() if key.startswith(f"tenant-{one['id']}-")}
    assert found == {access: "user"}
    assert works(stores, EAST, one) == "yes"


def test_a_bucket_of_somebody_else_is_refused_and_undeclared_ones_are_listed(stores: Stores, tenants: list[dict[str, Any]]) -> None:
    from ansible_collections.leanvibe.ops.plugins.module_utils.clients.object_store import connect
    from ansible_collections.leanvibe.ops.plugins.module_utils.clients.versitygw import VersitygwAdmin

    stores.run("object_store", EAST, tenants)
    one, two = tenants
    with connect(stores.connection("object_store", EAST), 20) as client:
        admin = VersitygwAdmin(client)
        admin.set_owner(f"tenant-{one['id']}", stores.secret(one)["S3_ACCESS_KEY_ID"])
        answer = stores.run("object_store", EAST, [one], declared_ids=[])
        admin.set_owner(f"tenant-{one['id']}", stores.connection("object_store", EAST)["access_key"])
    assert verdicts(answer) == {one["id"]: "refused"}
    assert two["id"] in answer["undeclared"]
    assert not [name for name in answer["undeclared"] if name.startswith("leanvibe-backups")]
    assert verdicts(stores.run("object_store", EAST, tenants)) == {one["id"]: "succeeded", two["id"]: "succeeded"}


def test_a_tenant_without_a_secret_fails_alone_and_is_given_nothing(stores: Stores, tenants: list[dict[str, Any]]) -> None:
    missing = stores.tenant("files-nosecret")
    answer = stores.run("object_store", EAST, [missing, *tenants])
    assert verdicts(answer)[missing["id"]] == "failed"
    assert {verdict for tenant_id, verdict in verdicts(answer).items() if tenant_id != missing["id"]} == {"succeeded"}
    assert f"tenant-{missing['id']}/tenant-credentials" in answer["results"][0]["message"]
    with pytest.raises(ClientError, match="NoSuchBucketPolicy"):
        stores.s3(EAST).get_bucket_policy(Bucket=f"tenant-{missing['id']}")


def test_storage_is_measured_and_called_that(stores: Stores, tenants: list[dict[str, Any]]) -> None:
    one = tenants[0]
    stores.run("object_store", EAST, tenants)
    client = stores.tenant_s3(one)
    for _version in range(3):
        client.put_object(Bucket=f"tenant-{one['id']}", Key="big", Body=b"x" * 100_000)
    answer = stores.run("object_store", EAST, tenants, measure=True)
    found = answer["observed"][one["id"]]["storage"]
    assert found["bytes"] == 300_000
    assert (found["complete"], found["meaning"]) == (True, "measured, not enforced")
    small = {**stores.clusters.tiers, "developer": {**stores.clusters.tiers["developer"], "object_store": {"storage_bytes": 1000}}}
    above = stores.run("object_store", EAST, tenants, measure=True, tiers=small)
    assert any(f"{one['id']} stores" in note for note in above["notes"])


@pytest.mark.faults(sample=2)
@pytest.mark.parametrize("moment", range(10))
def test_a_killed_run_is_completed_by_the_next(stores: Stores, moment: int) -> None:
    tenants = stores.crowd(30)
    process = stores.start("object_store", EAST, tenants)
    ours, root = {f"tenant-{tenant['id']}" for tenant in tenants}, stores.s3(EAST)
    limit = random.Random(moment).randrange(1, len(ours))
    until = time.monotonic() + 60
    # Killed in the middle of the work, wherever that is on a machine as busy as this: once so many buckets are there.
    while process.poll() is None and time.monotonic() < until and len(ours & {found["Name"] for found in root.list_buckets()["Buckets"]}) < limit:
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.wait(10)
    assert set(verdicts(stores.run("object_store", EAST, tenants)).values()) == {"succeeded"}
    assert stores.run("object_store", EAST, tenants)["changed"] is False
    assert {works(stores, EAST, tenant) for tenant in (tenants[0], tenants[-1])} == {"yes"}
