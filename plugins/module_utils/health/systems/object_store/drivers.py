# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The two kinds of stores: versitygw over signed requests of our own, Amazon S3 through boto3 (not run against the real service)."""

from __future__ import annotations

import ssl
import time
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from ....clients.aws import AwsClient, AwsError
from ....clients.aws import connect as connect_aws
from ....clients.object_store import S3Client, S3Error
from ....clients.object_store import connect as connect_s3
from ....common.errors import Unreachable
from ...clocks import by_header
from ...model import NoData
from .store import Driver, Lock, Names, denied

_DAYS_OF_YEAR = 365
_NO_LOCK = ("ObjectLockConfigurationNotFoundError", "ObjectLockConfigurationNotFound", "NoSuchObjectLockConfiguration")
_PAGES = 20  # of a thousand names each: an answer that never ends is no answer


def _retention(mode: str | None, days: str | int | None, years: str | int | None) -> Lock:
    return Lock(str(mode or ""), int(days or 0) + _DAYS_OF_YEAR * int(years or 0))


class Versitygw:
    """A gateway that we manage."""

    def __init__(self, client: S3Client, endpoint: str, ca_file: str | None) -> None:
        parts = urlsplit(endpoint)
        self.where = client.where
        self.address: tuple[str, int] | None = (str(parts.hostname), parts.port or 443)
        self.ca_file = ca_file
        self._client = client
        self._endpoint = endpoint.rstrip("/")

    def names(self) -> Names:
        found: set[str] = set()
        query: dict[str, str] = {"max-buckets": "1000"}
        before, began = time.time(), time.monotonic()
        seconds, ahead = 0.0, None
        for page in range(_PAGES):
            answer = self._client.request("GET", "/", query)
            if page == 0:
                seconds, ahead = time.monotonic() - began, by_header(answer.headers.get("Date"), before, time.time())
            root = answer.xml()
            if root.tag != "ListAllMyBucketsResult":
                raise NoData(f"{self.where} answered to GET / with {root.tag}, which is no list of buckets")
            found.update(element.findtext("Name") or "" for element in root.iter("Bucket"))
            following = root.findtext("ContinuationToken")
            if not following:
                break
            query["continuation-token"] = following
        return Names(frozenset(found - {""}), seconds, ahead)

    def exists(self, bucket: str) -> bool:
        try:
            self._client.request("HEAD", f"/{bucket}")
        except S3Error as error:
            if error.status == 404:
                return False
            if error.status == 403:
                raise denied(self.where, f"see the bucket {bucket}") from error
            raise
        return True

    def versioning(self, bucket: str) -> str:
        return self._client.request("GET", f"/{bucket}", {"versioning": ""}).xml().findtext("Status") or ""

    def lock(self, bucket: str) -> Lock | None:
        try:
            root = self._client.request("GET", f"/{bucket}", {"object-lock": ""}).xml()
        except S3Error as error:
            if error.code in _NO_LOCK:
                return None
            raise
        if root.findtext("ObjectLockEnabled") != "Enabled":
            return None
        rule = "Rule/DefaultRetention"
        return _retention(root.findtext(f"{rule}/Mode"), root.findtext(f"{rule}/Days"), root.findtext(f"{rule}/Years"))

    def open_for(self, bucket: str) -> str:
        """By asking without a signature: what answers anything but a refusal is open."""
        import urllib3

        tls = ssl.create_default_context(cafile=self.ca_file)
        url = f"{self._endpoint}/{bucket}" + ("?list-type=2&max-keys=1" if bucket else "")
        pool = urllib3.PoolManager(ssl_context=tls, retries=False)
        try:
            answer = pool.request("GET", url, timeout=urllib3.Timeout(total=self._client.timeout), redirect=False)
        except urllib3.exceptions.HTTPError as error:
            raise Unreachable(f"{self.where} did not answer GET {url}: {type(error).__name__}") from error
        finally:
            pool.clear()
        if answer.status in (401, 403, 404):
            return ""
        if answer.status >= 300:
            raise NoData(f"{self.where} answered an unsigned request with status {answer.status}: neither let in nor refused")
        return "a request without a signature"

    def sizes(self, bucket: str) -> Iterator[tuple[list[int], bool]]:
        query = {"list-type": "2", "max-keys": "1000"}
        while True:
            root = self._client.request("GET", f"/{bucket}", query).xml()
            if root.tag != "ListBucketResult":
                raise NoData(f"{self.where} answered to a list of {bucket} with {root.tag}")
            more = root.findtext("NextContinuationToken") if root.findtext("IsTruncated") == "true" else None
            yield [int(one.findtext("Size") or 0) for one in root.iter("Contents")], bool(more)
            if not more:
                return
            query["continuation-token"] = more

    def limit(self, seconds: float) -> None:
        self._client.timeout = seconds

    def close(self) -> None:
        self._client.__exit__(None, None, None)


class Amazon:
    """Amazon S3. Its certificate is Amazon's business; who gets in is what the public access block says."""

    address: tuple[str, int] | None = None
    ca_file: str | None = None

    def __init__(self, client: AwsClient, where: str) -> None:
        self.where = where
        self._client = client

    def names(self) -> Names:
        before, began = time.time(), time.monotonic()
        answer = self._client.call("list_buckets", MaxBuckets=1000)
        seconds = time.monotonic() - began
        ahead = by_header((answer.get("ResponseMetadata") or {}).get("HTTPHeaders", {}).get("date"), before, time.time())
        found = {str(bucket["Name"]) for bucket in answer.get("Buckets") or []}
        for _page in range(_PAGES):
            if not answer.get("ContinuationToken"):
                break
            answer = self._client.call("list_buckets", MaxBuckets=1000, ContinuationToken=answer["ContinuationToken"])
            found |= {str(bucket["Name"]) for bucket in answer.get("Buckets") or []}
        return Names(frozenset(found), seconds, ahead)

    def exists(self, bucket: str) -> bool:
        try:
            self._client.call("head_bucket", Bucket=bucket)
        except AwsError as error:
            if error.code in ("404", "NoSuchBucket"):
                return False
            if error.code == "403":
                raise denied(self.where, f"see the bucket {bucket}") from error
            raise
        return True

    def versioning(self, bucket: str) -> str:
        return str(self._client.call("get_bucket_versioning", Bucket=bucket).get("Status") or "")

    def lock(self, bucket: str) -> Lock | None:
        try:
            found: Mapping[str, Any] = self._client.call("get_object_lock_configuration", Bucket=bucket).get("ObjectLockConfiguration") or {}
        except AwsError as error:
            if error.code in _NO_LOCK:
                return None
            raise
        if found.get("ObjectLockEnabled") != "Enabled":
            return None
        retention = (found.get("Rule") or {}).get("DefaultRetention") or {}
        return _retention(retention.get("Mode"), retention.get("Days"), retention.get("Years"))

    def open_for(self, bucket: str) -> str:
        if not bucket:
            return ""
        try:
            block = self._client.call("get_public_access_block", Bucket=bucket).get("PublicAccessBlockConfiguration") or {}
        except AwsError as error:
            if error.code != "NoSuchPublicAccessBlockConfiguration":
                raise
            block = {}
        missing = [name for name in ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets") if not block.get(name)]
        return f"its public access block, which lacks {', '.join(missing)}" if missing else ""

    def sizes(self, bucket: str) -> Iterator[tuple[list[int], bool]]:
        arguments: dict[str, Any] = {"Bucket": bucket}
        while True:
            answer = self._client.call("list_objects_v2", **arguments)
            more = answer.get("NextContinuationToken") if answer.get("IsTruncated") else None
            yield [int(one["Size"]) for one in answer.get("Contents") or []], bool(more)
            if not more:
                return
            arguments["ContinuationToken"] = more

    def limit(self, seconds: float) -> None:
        """boto3 takes its time-outs when the client is made."""

    def close(self) -> None:
        """boto3 closes what it opened."""


def connect(connection: Mapping[str, Any], seconds: float) -> Driver:
    """The driver of a connection (leanvibe.ops.connection_object_store); nothing is sent yet. Raises OpsError."""
    if connection.get("driver") == "aws":
        return Amazon(connect_aws("s3", connection, seconds, 8), f"Amazon S3 in {connection['region']}")
    client = connect_s3(connection, seconds)
    return Versitygw(client, str(connection["endpoint"]), connection.get("ca_file"))
