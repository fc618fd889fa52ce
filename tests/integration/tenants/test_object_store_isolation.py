# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""With tenant A's Secret and nothing else, on a real gateway: no data of B can be read, written, counted or listed, whatever trick is tried.

Each probe is also run with a wall taken down, where it must succeed: one that could not notice proves nothing.
"""

from __future__ import annotations

import json
import ssl
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError, HTTPClientError
from stores import EAST

if TYPE_CHECKING:
    from stores import Stores

SECRET_OF_B = b"b has a secret"
PART = 5 * 1024 * 1024


class World:
    """A with its client, B with its data."""

    def __init__(self, stores: Stores, tenants: list[dict[str, Any]]) -> None:
        self.stores = stores
        self.tenants = tenants
        self.a, self.b = (f"tenant-{tenant['id']}" for tenant in tenants)
        self.client = stores.tenant_s3(tenants[0])
        self.root = stores.s3(EAST)
        self.key_of_a = stores.secret(tenants[0])["S3_ACCESS_KEY_ID"]
        self.upload_of_b = ""

    def make_data(self) -> None:
        """B's data, made anew, by B."""
        owner = self.stores.tenant_s3(self.tenants[1])
        for key in ("text", "victim"):
            owner.put_object(Bucket=self.b, Key=key, Body=SECRET_OF_B)
        self.upload_of_b = owner.create_multipart_upload(Bucket=self.b, Key="upload")["UploadId"]
        owner.upload_part(Bucket=self.b, Key="upload", UploadId=self.upload_of_b, PartNumber=1, Body=SECRET_OF_B)
        self.client.put_object(Bucket=self.a, Key="own", Body=b"own")

    def walls_down(self) -> None:
        """Everything in B's bucket is allowed to A as well."""
        resources = [f"arn:aws:s3:::{self.b}", f"arn:aws:s3:::{self.b}/*"]
        keys = [self.key_of_a, self.stores.secret(self.tenants[1])["S3_ACCESS_KEY_ID"]]
        statement = {"Effect": "Allow", "Principal": {"AWS": keys}, "Action": "s3:*", "Resource": resources}
        self.root.put_bucket_policy(Bucket=self.b, Policy=json.dumps({"Version": "2012-10-17", "Statement": [statement]}))

    def anonymous(self, path: str) -> bytes:
        """A request that nobody signed."""
        context = ssl.create_default_context(cafile=self.stores.sandbox["ca_file"])
        url = self.stores.secret(self.tenants[0])["S3_ENDPOINT"] + path
        assert url.startswith("https://")
        with urllib.request.urlopen(url, context=context, timeout=10) as answer:  # noqa: S310 - https, see above
            return bytes(answer.read())


def presigned(world: World) -> bytes:
    url = world.client.generate_presigned_url("get_object", Params={"Bucket": world.b, "Key": "text"})
    return world.anonymous("/" + url.split("/", 3)[3])


def part_copied(world: World) -> Any:
    upload = world.client.create_multipart_upload(Bucket=world.a, Key="stolen")["UploadId"]
    try:
        return world.client.upload_part_copy(Bucket=world.a, Key="stolen", UploadId=upload, PartNumber=1, CopySource={"Bucket": world.b, "Key": "text"})
    finally:
        world.client.abort_multipart_upload(Bucket=world.a, Key="stolen", UploadId=upload)


def copied(world: World, source: Any) -> Any:
    return world.client.copy_object(Bucket=world.a, Key="stolen", CopySource=source)


PROBES: dict[str, Callable[[World], Any]] = {
    "get": lambda w: w.client.get_object(Bucket=w.b, Key="text"),
    "head": lambda w: w.client.head_object(Bucket=w.b, Key="text"),
    "part of it": lambda w: w.client.get_object(Bucket=w.b, Key="text", Range="bytes=0-3"),
    "attributes": lambda w: w.client.get_object_attributes(Bucket=w.b, Key="text", ObjectAttributes=["ObjectSize"]),
    "tags": lambda w: w.client.get_object_tagging(Bucket=w.b, Key="text"),
    "signed address": presigned,
    "put": lambda w: w.client.put_object(Bucket=w.b, Key="planted", Body=b""),
    "delete": lambda w: w.client.delete_object(Bucket=w.b, Key="victim"),
    "delete several": lambda w: w.client.delete_objects(Bucket=w.b, Delete={"Objects": [{"Key": "victim"}]}),
    "list": lambda w: w.client.list_objects_v2(Bucket=w.b),
    "list the old way": lambda w: w.client.list_objects(Bucket=w.b),
    "count one": lambda w: w.client.list_objects_v2(Bucket=w.b, MaxKeys=1, Prefix="t"),
    "versions": lambda w: w.client.list_object_versions(Bucket=w.b),
    "uploads": lambda w: w.client.list_multipart_uploads(Bucket=w.b),
    "parts": lambda w: w.client.list_parts(Bucket=w.b, Key="upload", UploadId=w.upload_of_b),
    "part of an upload": lambda w: w.client.upload_part(Bucket=w.b, Key="upload", UploadId=w.upload_of_b, PartNumber=2, Body=b""),
    "abort an upload": lambda w: w.client.abort_multipart_upload(Bucket=w.b, Key="upload", UploadId=w.upload_of_b),
    "start an upload": lambda w: w.client.create_multipart_upload(Bucket=w.b, Key="planted"),
    "copy out": lambda w: copied(w, {"Bucket": w.b, "Key": "text"}),
    "copy out, with a slash before": lambda w: copied(w, f"/{w.b}/text"),
    "copy in": lambda w: w.client.copy_object(Bucket=w.b, Key="planted", CopySource={"Bucket": w.a, "Key": "own"}),
    "copy part of it out": part_copied,
    "is it there": lambda w: w.client.head_bucket(Bucket=w.b),
    "where is it": lambda w: w.client.get_bucket_location(Bucket=w.b),
    "policy": lambda w: w.client.get_bucket_policy(Bucket=w.b),
    "replace its policy": lambda w: w.client.put_bucket_policy(Bucket=w.b, Policy=w.root.get_bucket_policy(Bucket=w.b)["Policy"]),
    "acl": lambda w: w.client.get_bucket_acl(Bucket=w.b),
    "versioning": lambda w: w.client.put_bucket_versioning(Bucket=w.b, VersioningConfiguration={"Status": "Enabled"}),
    "tag its bucket": lambda w: w.client.put_bucket_tagging(Bucket=w.b, Tagging={"TagSet": []}),
}


@pytest.fixture(scope="module")
def world(stores: Stores) -> World:
    tenants = stores.prepared("bucket-a", "bucket-b")
    assert all(result["verdict"] == "succeeded" for result in stores.run("object_store", EAST, tenants)["results"])
    made = World(stores, tenants)
    made.make_data()
    return made


def attempt(probe: Callable[[World], Any], world: World) -> str:
    """``leaked``, the code of the refusal, or ``cut off``: the gateway may close a connection before it has read what it refuses."""
    for _attempt in range(4):
        try:
            answer = probe(world)
            break
        except ClientError as error:
            # The gateway may leave what it refused to read on the connection: the next probe gets a new one.
            world.client.close()
            return str(error.response["Error"]["Code"])
        except urllib.error.HTTPError as error:
            return str(error.code)
        except HTTPClientError:
            world.client.close()
    else:
        return "cut off"
    # Deleting several answers 200 and says in it what was refused.
    refused = answer.get("Errors") if isinstance(answer, dict) else None
    return str(refused[0]["Code"]) if refused else "leaked"


REFUSALS = {"AccessDenied", "403"}


def test_no_probe_gets_at_b(world: World) -> None:
    answers = {name: attempt(probe, world) for name, probe in PROBES.items()}
    assert {name: answer for name, answer in answers.items() if answer not in REFUSALS} == {}
    assert world.root.get_object(Bucket=world.b, Key="text")["Body"].read() == SECRET_OF_B
    keys = {found["Key"] for found in world.root.list_objects_v2(Bucket=world.b)["Contents"]}
    assert keys == {"text", "victim"}
    assert [found["Key"] for found in world.root.list_objects_v2(Bucket=world.a).get("Contents", [])] == ["own"]


def test_every_probe_would_notice(world: World) -> None:
    blind = {}
    try:
        for name, probe in PROBES.items():
            world.walls_down()
            world.make_data()
            answer = attempt(probe, world)
            if answer != "leaked":
                blind[name] = answer
    finally:
        for key in ("stolen", "planted"):
            world.root.delete_object(Bucket=world.a, Key=key)
            world.root.delete_object(Bucket=world.b, Key=key)
        restored = world.stores.run("object_store", EAST, world.tenants)
    assert blind == {}
    assert restored["changed"] is True
    assert attempt(PROBES["get"], world) == "AccessDenied"


def test_no_path_leads_out_of_a_bucket(world: World) -> None:
    for key in (f"../{world.b}/text", f"x/../../{world.b}/text", f"./../{world.b}/text", f"..%2f{world.b}%2ftext"):
        for probe in (lambda w, key=key: w.client.get_object(Bucket=w.a, Key=key), lambda w, key=key: copied(w, {"Bucket": w.a, "Key": key})):
            assert attempt(probe, world) != "leaked", key
        planted = key.replace("text", "planted")
        attempt(lambda w, planted=planted: w.client.put_object(Bucket=w.a, Key=planted, Body=b""), world)
    found = {version["Key"] for version in world.root.list_object_versions(Bucket=world.b)["Versions"]}
    assert found <= {"text", "victim", "planted", "upload"}
    assert "planted" not in {entry["Key"] for entry in world.root.list_objects_v2(Bucket=world.b)["Contents"]}


def refused(call: Callable[[], Any]) -> str:
    try:
        call()
    except ClientError as error:
        return str(error.response["Error"]["Code"])
    return "allowed"


def test_a_tenant_sees_and_makes_no_buckets(world: World) -> None:
    assert [found["Name"] for found in world.client.list_buckets()["Buckets"]] in ([], [world.a])
    assert refused(lambda: world.client.create_bucket(Bucket=f"{world.a}-more")) == "AccessDenied"
    assert refused(lambda: world.client.create_bucket(Bucket=world.b)) in ("AccessDenied", "BucketAlreadyExists")


def test_a_tenant_cannot_change_what_holds_it(world: World) -> None:
    """In its own bucket: neither policy, ACL, versioning, lock nor lifecycle, nor an end of the bucket or of what it remembers."""
    client, own = world.client, world.a
    version = client.put_object(Bucket=own, Key="own", Body=b"own")["VersionId"]
    open_policy = {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{own}/*"}
    calls: dict[str, Callable[[], Any]] = {
        "policy": lambda: client.put_bucket_policy(Bucket=own, Policy=json.dumps({"Version": "2012-10-17", "Statement": [open_policy]})),
        "no policy": lambda: client.delete_bucket_policy(Bucket=own),
        "bucket": lambda: client.delete_bucket(Bucket=own),
        "versioning": lambda: client.put_bucket_versioning(Bucket=own, VersioningConfiguration={"Status": "Suspended"}),
        "ownership": lambda: client.put_bucket_ownership_controls(Bucket=own, OwnershipControls={"Rules": [{"ObjectOwnership": "ObjectWriter"}]}),
        "acl": lambda: client.put_bucket_acl(Bucket=own, ACL="public-read"),
        "object's acl": lambda: client.put_object_acl(Bucket=own, Key="own", ACL="public-read"),
        "lock": lambda: client.put_object_lock_configuration(Bucket=own, ObjectLockConfiguration={"ObjectLockEnabled": "Enabled"}),
        "old version": lambda: client.delete_object(Bucket=own, Key="own", VersionId=version),
        "cors": lambda: client.put_bucket_cors(Bucket=own, CORSConfiguration={"CORSRules": [{"AllowedMethods": ["GET"], "AllowedOrigins": ["*"]}]}),
    }
    answers = {name: refused(call) for name, call in calls.items()}
    refusals = {"AccessDenied", "AccessControlListNotSupported", "NotImplemented"}
    assert {name: answer for name, answer in answers.items() if answer not in refusals} == {}
    assert {answers[name] for name in ("policy", "no policy", "bucket", "versioning", "old version")} == {"AccessDenied"}


def test_the_administration_is_closed_to_a_tenant(world: World) -> None:
    from ansible_collections.leanvibe.ops.plugins.module_utils.clients.object_store import connect
    from ansible_collections.leanvibe.ops.plugins.module_utils.clients.versitygw import Account, VersitygwAdmin
    from ansible_collections.leanvibe.ops.plugins.module_utils.common.errors import AccessDenied

    secret = world.stores.secret(world.tenants[0])
    keys = {"access_key": secret["S3_ACCESS_KEY_ID"], "secret_key": secret["S3_SECRET_ACCESS_KEY"]}
    with connect({**world.stores.connection("object_store", EAST), **keys}, 20) as client:
        admin = VersitygwAdmin(client)
        calls: list[Callable[[], Any]] = [
            admin.accounts,
            admin.owners,
            lambda: admin.set_owner(world.b, world.key_of_a),
            lambda: admin.delete(world.key_of_a),
            lambda: admin.update(Account(world.key_of_a, "x", "admin")),
            lambda: admin.create(Account("tenant-rn-more-00000000", "x", "admin")),
        ]
        for call in calls:
            with pytest.raises(AccessDenied):
                call()


def test_nobody_unsigned_gets_in_and_that_would_be_noticed(world: World) -> None:
    for path in ("/", f"/{world.b}", f"/{world.b}/text", f"/{world.b}?policy", f"/{world.a}/own"):
        with pytest.raises(urllib.error.HTTPError) as error:
            world.anonymous(path)
        assert error.value.code == 403
    statement = {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{world.b}/*"}
    world.root.put_bucket_policy(Bucket=world.b, Policy=json.dumps({"Version": "2012-10-17", "Statement": [statement]}))
    assert world.anonymous(f"/{world.b}/text") == SECRET_OF_B
    assert world.stores.run("object_store", EAST, world.tenants)["changed"] is True
    with pytest.raises(urllib.error.HTTPError):
        world.anonymous(f"/{world.b}/text")


def test_a_tenant_can_work(world: World) -> None:
    """What the walls leave: objects, versions, tags and uploads in parts, in its own bucket."""
    client, own = world.client, world.a
    first = client.put_object(Bucket=own, Key="own", Body=b"one", Tagging="k=v")["VersionId"]
    client.put_object(Bucket=own, Key="own", Body=b"two")
    assert client.get_object(Bucket=own, Key="own", VersionId=first)["Body"].read() == b"one"
    assert len([version for version in client.list_object_versions(Bucket=own)["Versions"] if version["Key"] == "own"]) >= 2
    client.put_object_tagging(Bucket=own, Key="own", Tagging={"TagSet": [{"Key": "k", "Value": "v"}]})
    upload = client.create_multipart_upload(Bucket=own, Key="large")["UploadId"]
    parts = [
        {"PartNumber": number, "ETag": client.upload_part(Bucket=own, Key="large", UploadId=upload, PartNumber=number, Body=body)["ETag"]}
        for number, body in ((1, b"x" * PART), (2, b"y"))
    ]
    client.complete_multipart_upload(Bucket=own, Key="large", UploadId=upload, MultipartUpload={"Parts": parts})
    assert client.head_object(Bucket=own, Key="large")["ContentLength"] == PART + 1
    client.copy_object(Bucket=own, Key="copy", CopySource={"Bucket": own, "Key": "own"})
    assert {"own", "large", "copy"} <= {entry["Key"] for entry in client.list_objects_v2(Bucket=own)["Contents"]}
    assert client.get_bucket_versioning(Bucket=own)["Status"] == "Enabled"
    client.delete_objects(Bucket=own, Delete={"Objects": [{"Key": "copy"}, {"Key": "large"}]})
