# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The AWS client: pages, and what boto3's errors mean."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.leanvibe.ops.plugins.module_utils.clients.aws import AwsClient, AwsError, connect
from ansible_collections.leanvibe.ops.plugins.module_utils.common.errors import AccessDenied, OpsError, Unreachable
from botocore import exceptions


class Service:
    def __init__(self, answers: list[Any]) -> None:
        self.answers = answers
        self.asked: list[dict[str, Any]] = []

    def list_things(self, **arguments: Any) -> Any:
        self.asked.append(arguments)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


def client_error(code: str) -> Exception:
    return exceptions.ClientError({"Error": {"Code": code, "Message": "told"}}, "ListThings")


def test_pages_are_followed_to_the_end() -> None:
    service = Service([{"Things": [1], "Marker": "m"}, {"Things": [2, 3]}])
    client = AwsClient(service, "AWS test")
    assert client.pages("list_things", "Things", Filter="x") == [1, 2, 3]
    assert service.asked == [{"Filter": "x"}, {"Filter": "x", "Marker": "m"}]
    assert client.requests == 2


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (client_error("AccessDenied"), AccessDenied),
        (client_error("InvalidClientTokenId"), AccessDenied),
        (client_error("NoSuchBucket"), AwsError),
        (exceptions.EndpointConnectionError(endpoint_url="x"), Unreachable),
        (exceptions.ReadTimeoutError(endpoint_url="x"), Unreachable),
        (exceptions.NoCredentialsError(), AccessDenied),
        (exceptions.ParamValidationError(report="Invalid: hunter2"), OpsError),
    ],
)
def test_what_an_error_means(error: Exception, expected: type[OpsError]) -> None:
    with pytest.raises(expected) as raised:
        AwsClient(Service([error]), "AWS test").call("list_things", Password="hunter2")
    assert type(raised.value) is expected
    assert "hunter2" not in str(raised.value)


def test_a_region_is_needed() -> None:
    with pytest.raises(OpsError, match=r"connection\.region is missing"):
        connect("s3", {}, 1, 1)


def test_temporary_keys_are_sent_with_their_token() -> None:
    connection = {"region": "us-east-1", "access_key": "AKID", "secret_key": "k", "session_token": "a-token"}
    signed = connect("s3", connection, 1, 1)._client.generate_presigned_url("get_object", Params={"Bucket": "b", "Key": "k"})
    assert "oken=a-token" in signed
    plain = connect("s3", {**connection, "session_token": None}, 1, 1)._client.generate_presigned_url("get_object", Params={"Bucket": "b", "Key": "k"})
    assert "oken=" not in plain
