# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""AWS Signature Version 4 of requests to S3 (https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html).

botocore signs too, but importing it costs 0.25 s of CPU and sending through it about 2 ms a request, which is most of what a run without changes
takes. Unit tests hold this against botocore's signatures.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from datetime import datetime
from urllib.parse import quote

ALGORITHM = "AWS4-HMAC-SHA256"
_UNRESERVED = "-_.~"


def canonical_query(query: Mapping[str, str]) -> str:
    """A query string as it is signed and sent: sorted, everything but unreserved characters escaped."""
    return "&".join(f"{quote(name, safe=_UNRESERVED)}={quote(value, safe=_UNRESERVED)}" for name, value in sorted(query.items()))


def canonical_path(path: str) -> str:
    """A path as it is signed and sent."""
    return quote(path, safe="/" + _UNRESERVED)


class Signer:
    """Signs requests with one key. Safe for threads."""

    def __init__(self, access_key: str, secret_key: str, region: str, service: str = "s3") -> None:
        self._access_key = access_key
        self._secret_key = secret_key
        self._scope = f"{region}/{service}/aws4_request"
        self._parts = (region, service, "aws4_request")
        self._key: tuple[str, bytes] = ("", b"")

    def headers(self, method: str, host: str, path: str, query: Mapping[str, str], extra: Mapping[str, str], body: bytes, now: datetime) -> dict[str, str]:
        """All headers of a request, ``Authorization`` among them. ``extra``: headers in lower case; ``now``: UTC."""
        stamp = now.strftime("%Y%m%dT%H%M%SZ")
        day = stamp[:8]
        digest = hashlib.sha256(body).hexdigest()
        headers = {**extra, "host": host, "x-amz-content-sha256": digest, "x-amz-date": stamp}
        names = sorted(headers)
        signed = ";".join(names)
        lines = "".join(f"{name}:{' '.join(headers[name].split())}\n" for name in names)
        request = f"{method}\n{canonical_path(path)}\n{canonical_query(query)}\n{lines}\n{signed}\n{digest}"
        text = f"{ALGORITHM}\n{stamp}\n{day}/{self._scope}\n{hashlib.sha256(request.encode()).hexdigest()}"
        signature = hmac.new(self._signing_key(day), text.encode(), hashlib.sha256).hexdigest()
        headers["authorization"] = f"{ALGORITHM} Credential={self._access_key}/{day}/{self._scope}, SignedHeaders={signed}, Signature={signature}"
        return headers

    def _signing_key(self, day: str) -> bytes:
        known_day, key = self._key
        if known_day != day:
            key = f"AWS4{self._secret_key}".encode()
            for part in (day, *self._parts):
                key = hmac.new(key, part.encode(), hashlib.sha256).digest()
            self._key = (day, key)
        return key
