# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""HTTP to the sandbox's own servers: always a time-out, always our authority."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..common.lazy import LazyModule
from . import pki
from .waiting import NotReady

if TYPE_CHECKING:
    import urllib3
else:
    urllib3 = LazyModule("urllib3")


@dataclass(frozen=True)
class Answer:
    """Status, body and headers of an answer; the headers' names in lower case."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)

    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


def request(
    method: str,
    url: str,
    *,
    timeout: float = 5.0,
    ca_file: Path | None = None,
    client: pki.Pair | None = None,
    body: bytes | None = None,
    headers: dict[str, str] | None = None,
) -> Answer:
    """One request without retries. Raises NotReady when no answer comes."""
    options: dict[str, Any] = {}
    if ca_file is not None:
        options |= {"ca_certs": str(ca_file), "cert_reqs": "CERT_REQUIRED"}
    if client is not None:
        options |= {"cert_file": str(client.certificate), "key_file": str(client.key)}
    with urllib3.PoolManager(num_pools=1, **options) as pool:
        try:
            answer = pool.request(method, url, body=body, headers=headers, timeout=timeout, retries=False)
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise NotReady(f"{url} does not answer: {error}") from error
        return Answer(answer.status, answer.data, {name.lower(): value for name, value in answer.headers.items()})
