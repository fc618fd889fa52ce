# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One service of the AWS API through boto3: time-outs, repetitions, errors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..common.errors import AccessDenied, OpsError, Unreachable

ATTEMPTS = 2
_DENIED = frozenset(
    {
        "AccessDenied",
        "AccessDeniedException",
        "UnauthorizedOperation",
        "InvalidClientTokenId",
        "SignatureDoesNotMatch",
        "ExpiredToken",
        "InvalidAccessKeyId",
    }
)


class AwsError(OpsError):
    """AWS refused a call. ``code`` is its error code, for example ``NoSuchBucketPolicy``."""

    def __init__(self, message: str, code: str) -> None:
        super().__init__(message, code=code)
        self.code = code


class AwsClient:
    """A boto3 client. Safe for threads. ``requests`` counts calls."""

    def __init__(self, client: Any, where: str) -> None:
        self.requests = 0
        self._client = client
        self._where = where

    def call(self, operation: str, **arguments: Any) -> dict[str, Any]:
        """Call an operation by its method name. Raises AccessDenied, Unreachable, AwsError; arguments are never shown."""
        from botocore import exceptions

        self.requests += 1
        try:
            answer: dict[str, Any] = getattr(self._client, operation)(**arguments)
        except exceptions.ClientError as error:
            code = str(error.response.get("Error", {}).get("Code", ""))
            text = str(error.response.get("Error", {}).get("Message", ""))
            if code in _DENIED:
                raise AccessDenied(f"{self._where} refuses {operation} ({code}): our account needs the right for it, or its keys are wrong. {text}") from error
            raise AwsError(f"{self._where} answered to {operation}: {code}: {text}", code) from error
        except exceptions.NoCredentialsError as error:
            raise AccessDenied(f"{self._where}: no AWS credentials: give connection.access_key and secret_key, or set up a profile or role") from error
        except (exceptions.ConnectionError, exceptions.HTTPClientError) as error:
            raise Unreachable(f"{self._where} did not answer {operation}: {type(error).__name__}") from error
        except exceptions.BotoCoreError as error:
            raise OpsError(f"{self._where}: {operation} could not be sent: {type(error).__name__}") from error
        return answer

    def pages(self, operation: str, key: str, marker: str = "Marker", following: str = "Marker", **arguments: Any) -> list[dict[str, Any]]:
        """All items of a listing: the answers' lists ``key``, as long as an answer holds ``following``, which the next call gets as ``marker``."""
        items: list[dict[str, Any]] = []
        while True:
            answer = self.call(operation, **arguments)
            items += answer.get(key) or []
            if not answer.get(following):
                return items
            arguments[marker] = answer[following]


def connect(service: str, connection: Mapping[str, Any], timeout: float, concurrency: int) -> AwsClient:
    """A client of a service. ``connection``: ``region`` and optionally ``endpoint_url``, ``access_key``, ``secret_key``,
    ``session_token`` (else boto3's usual sources).

    ``timeout``: seconds for one call, repetitions included.
    """
    import boto3
    from botocore.config import Config

    region = str(connection.get("region") or "")
    if not region:
        raise OpsError(f"connection.region is missing: name the AWS region of {service}")
    config = Config(
        connect_timeout=timeout / ATTEMPTS,
        read_timeout=timeout / ATTEMPTS,
        retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
        max_pool_connections=concurrency,
    )
    session: Any = boto3.session.Session()  # its typed overloads want a literal name
    client = session.client(
        service,
        region_name=region,
        endpoint_url=connection.get("endpoint_url") or None,
        aws_access_key_id=connection.get("access_key") or None,
        aws_secret_access_key=connection.get("secret_key") or None,
        aws_session_token=connection.get("session_token") or None,
        config=config,
    )
    return AwsClient(client, f"AWS {service} in {region}")
