# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Buckets, their settings and policies, read with boto3, and the gateway's accounts and owners, read from its admin API."""

from __future__ import annotations

import json
import ssl
import urllib.request
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from xml.etree import ElementTree

import boto3
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

from ..settings import REGIONS, Settings

PREFIX = "tenant-"
# What a setting that was never made answers.
_ABSENT = frozenset(
    {
        "NoSuchBucketPolicy",
        "NoSuchTagSet",
        "NoSuchLifecycleConfiguration",
        "ObjectLockConfigurationNotFoundError",
        "NotImplemented",
        "NoSuchCORSConfiguration",
        "ServerSideEncryptionConfigurationNotFoundError",
        "OwnershipControlsNotFoundError",
        "NoSuchPublicAccessBlockConfiguration",
        "MethodNotAllowed",
    }
)


def read(settings: Settings, ids: Sequence[str]) -> dict[str, dict[str, dict[str, Any]]]:
    """``{"object_store <region>": {tenant: {"bucket": …, "account": …}}}``."""
    return {f"object_store {region}": _region(settings, region, ids) for region in REGIONS}


def client(settings: Settings, region: str, access_key: str, secret_key: str, endpoint: str | None = None) -> Any:
    """A boto3 client of a region's store."""
    return boto3.client(
        "s3",
        endpoint_url=endpoint or settings.region(region)["object_store"]["endpoint"],
        region_name=region,
        aws_access_key_id=access_key,
        aws_secret_access_key=secret_key,
        verify=settings.sandbox["ca_file"],
        config=Config(max_pool_connections=16, connect_timeout=5, read_timeout=20, retries={"max_attempts": 2}, s3={"addressing_style": "path"}),
    )


def _region(settings: Settings, region: str, ids: Sequence[str]) -> dict[str, dict[str, Any]]:
    root = settings.credentials["object_store"][region]["root"]
    store = client(settings, region, root["access_key_id"], root["secret_access_key"])
    owners = {element.findtext("Name"): element.findtext("Owner") for element in admin(settings, region, "list-buckets") if element.tag == "Buckets"}
    accounts = {element.findtext("Access") or "": element.findtext("Role") for element in admin(settings, region, "list-users") if element.tag == "Accounts"}
    present = {bucket["Name"] for bucket in store.list_buckets()["Buckets"]}
    named = [tenant_id for tenant_id in ids if PREFIX + tenant_id in present]
    with ThreadPoolExecutor(8) as pool:
        buckets = dict(zip(named, pool.map(lambda tenant_id: _bucket(store, PREFIX + tenant_id), named), strict=True))
    found: dict[str, dict[str, Any]] = {}
    for tenant_id, content in buckets.items():
        found[tenant_id] = {"bucket": {**content, "owner": owners.get(PREFIX + tenant_id)}}
    for access, role in accounts.items():
        tenant_id = access.removeprefix(PREFIX).rpartition("-")[0]
        if access.startswith(PREFIX) and tenant_id in ids:
            found.setdefault(tenant_id, {})[f"account {access}"] = role
    return found


def _bucket(store: Any, name: str) -> dict[str, Any]:
    policy = _setting(lambda: store.get_bucket_policy(Bucket=name)["Policy"])
    return {
        "policy": json.loads(policy) if policy else None,
        "versions": _setting(lambda: store.get_bucket_versioning(Bucket=name).get("Status")),
        "tags": _setting(lambda: sorted((tag["Key"], tag["Value"]) for tag in store.get_bucket_tagging(Bucket=name)["TagSet"])),
        "lock": _setting(lambda: store.get_object_lock_configuration(Bucket=name)["ObjectLockConfiguration"]),
        "ownership": _setting(lambda: store.get_bucket_ownership_controls(Bucket=name)["OwnershipControls"]),
        "grants": _setting(lambda: sorted((grant["Grantee"].get("ID", ""), grant["Permission"]) for grant in store.get_bucket_acl(Bucket=name)["Grants"])),
    }


def _setting(ask: Callable[[], Any]) -> Any:
    try:
        return ask()
    except ClientError as error:
        if error.response["Error"]["Code"] in _ABSENT:
            return None
        raise


def admin(settings: Settings, region: str, call: str) -> list[ElementTree.Element]:
    """One call of the gateway's admin API, as its root; the answer's elements without namespaces."""
    root = settings.credentials["object_store"][region]["root"]
    url = f"{settings.region(region)['object_store']['endpoint']}/{call}"
    request = AWSRequest(method="PATCH", url=url, data=b"")
    S3SigV4Auth(Credentials(root["access_key_id"], root["secret_access_key"]), "s3", region).add_auth(request)
    plain = urllib.request.Request(url, data=b"", method="PATCH", headers=dict(request.headers.items()))  # noqa: S310 - the sandbox's, https
    with urllib.request.urlopen(plain, timeout=20, context=ssl.create_default_context(cafile=settings.sandbox["ca_file"])) as answer:  # noqa: S310
        body = answer.read()
    elements = list(ElementTree.fromstring(body).iter()) if body else []  # noqa: S314 - the sandbox's own store
    for element in elements:
        element.tag = element.tag.rpartition("}")[2]
    return elements
