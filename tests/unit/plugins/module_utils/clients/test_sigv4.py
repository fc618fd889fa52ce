# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Our signatures are botocore's."""

from __future__ import annotations

from datetime import UTC, datetime
from unittest import mock

import pytest
from ansible_collections.leanvibe.ops.plugins.module_utils.clients.sigv4 import Signer, canonical_path, canonical_query
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

NOW = datetime(2026, 11, 21, 23, 59, 58, tzinfo=UTC)


@pytest.mark.parametrize(
    ("method", "path", "query", "extra", "body"),
    [
        ("GET", "/tenant-a", {"policy": ""}, {}, b""),
        ("PUT", "/tenant-a", {"versioning": ""}, {"x-amz-object-ownership": "BucketOwnerEnforced"}, b"<a/>"),
        ("PATCH", "/update-user", {"access": "tenant-a-0011aabb"}, {}, b"<Secret>x</Secret>"),
        ("GET", "/tenant-a", {"versions": "", "key-marker": "a b/ü~+&=", "max-keys": "1000"}, {}, b""),
        ("GET", "/bucket/a b/ü~+", {}, {}, b""),
    ],
)
def test_signature_is_the_one_of_botocore(method: str, path: str, query: dict[str, str], extra: dict[str, str], body: bytes) -> None:
    headers = Signer("AKID", "se/cret+", "us-west-2").headers(method, "localhost:26443", path, query, extra, body, NOW)
    url = f"https://localhost:26443{canonical_path(path)}" + (f"?{canonical_query(query)}" if query else "")
    request = AWSRequest(method, url, headers={**extra, "X-Amz-Content-SHA256": headers["x-amz-content-sha256"]}, data=body)
    with mock.patch("botocore.auth.get_current_datetime", return_value=NOW.replace(tzinfo=None)):
        S3SigV4Auth(Credentials("AKID", "se/cret+"), "s3", "us-west-2").add_auth(request)
    assert headers["authorization"] == request.headers["Authorization"]


def test_the_key_of_another_day_is_another() -> None:
    signer = Signer("AKID", "secret", "us-east-1")
    first, same, later = (signer.headers("GET", "h", "/", {}, {}, b"", moment)["authorization"] for moment in (NOW, NOW, NOW.replace(day=22)))
    assert first == same
    assert later.split("Signature=")[1] != first.split("Signature=")[1]
