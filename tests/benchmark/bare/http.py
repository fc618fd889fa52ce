# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""HTTP/1.1 over kept TLS connections on one event loop; nothing of an answer is looked at but its status, unless a later request needs it."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

EXPECTED = range(200, 300)


def send(stage: dict[str, Any]) -> int:
    """A request is ``[method, target, headers, body]``; ``list`` with ``patches`` (by namespace) instead of ``sequences`` patches what the list holds."""
    return asyncio.run(_Stage(stage).run())


class _Stage:
    def __init__(self, stage: dict[str, Any]) -> None:
        self.stage = stage
        self.address = urlsplit(stage["url"])
        self.tls = ssl.create_default_context(cafile=stage["ca_file"])
        if stage.get("certificate"):
            self.tls.load_cert_chain(stage["certificate"], stage["key"])
        self.signer = _Signer(self.address.netloc, **stage["sign"]) if stage.get("sign") else None
        self.requests = 0

    async def run(self) -> int:
        if "list" in self.stage:
            listed: list[bytes] = []
            await self.worker(iter([[self.stage["list"]]]), listed)
            sequences = self.patches(listed)
        else:
            sequences = self.stage["sequences"]
        pending = iter(sequences)
        await asyncio.gather(*(self.worker(pending, None) for _number in range(min(self.stage["concurrency"], len(sequences)))))
        return self.requests

    def patches(self, pages: list[bytes]) -> list[list[Any]]:
        sequences = []
        for item in (item for page in pages for item in json.loads(page)["items"]):
            metadata = item["metadata"]
            patch = self.stage["patches"].get(metadata["namespace"])
            if patch is not None:
                patch["metadata"].update(resourceVersion=metadata["resourceVersion"], uid=metadata["uid"])
                method, target, headers, _body = self.stage["patch"]
                sequences.append([[method, target.format(namespace=metadata["namespace"]), headers, json.dumps(patch)]])
        return sequences

    async def worker(self, sequences: Iterator[list[list[Any]]], answers: list[bytes] | None) -> None:
        reader, writer = await asyncio.open_connection(self.address.hostname, self.address.port, ssl=self.tls, limit=2**20)
        for sequence in sequences:
            for method, target, headers, body in sequence:
                content = (body or "").encode()
                fields = self.signer.headers(method, target, headers, content) if self.signer else headers
                lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
                head = f"{method} {target} HTTP/1.1\r\nHost: {self.address.netloc}\r\n{lines}Content-Length: {len(content)}\r\n\r\n"
                writer.write(head.encode() + content)
                status, answer = await _answer(reader, method)
                self.requests += 1
                if status not in EXPECTED:
                    raise SystemExit(f"{method} {target} answered {status}: {answer[:500]!r}")
                if answers is not None:
                    answers.append(answer)
        writer.close()


async def _answer(reader: asyncio.StreamReader, method: str) -> tuple[int, bytes]:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    fields = {name.lower(): value.strip() for name, _colon, value in (line.partition(":") for line in head[1:])}
    status = int(head[0].split()[1])
    if method == "HEAD" or status in (204, 304):
        return status, b""
    if fields.get("transfer-encoding") == "chunked":
        parts = []
        while size := int(await reader.readline(), 16):
            parts.append(await reader.readexactly(size))
            await reader.readexactly(2)
        await reader.readexactly(2)
        return status, b"".join(parts)
    return status, await reader.readexactly(int(fields.get("content-length", 0)))


class _Signer:
    """AWS Signature Version 4 of requests to S3."""

    def __init__(self, host: str, access_key: str, secret_key: str, region: str) -> None:
        self.host, self.access_key, self.region = host, access_key, region
        self.day = datetime.now(UTC).strftime("%Y%m%d")
        key = f"AWS4{secret_key}".encode()
        for part in (self.day, region, "s3", "aws4_request"):
            key = hmac.new(key, part.encode(), hashlib.sha256).digest()
        self.key = key

    def headers(self, method: str, target: str, headers: dict[str, str], body: bytes) -> dict[str, str]:
        path, _mark, query = target.partition("?")
        stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
        digest = hashlib.sha256(body).hexdigest()
        fields = {**headers, "host": self.host, "x-amz-content-sha256": digest, "x-amz-date": stamp}
        names = sorted(fields)
        canonical = "".join(f"{name}:{fields[name]}\n" for name in names)
        request = f"{method}\n{path}\n{query}\n{canonical}\n{';'.join(names)}\n{digest}"
        scope = f"{self.day}/{self.region}/s3/aws4_request"
        text = f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{hashlib.sha256(request.encode()).hexdigest()}"
        signature = hmac.new(self.key, text.encode(), hashlib.sha256).hexdigest()
        del fields["host"]
        return {**fields, "Authorization": f"AWS4-HMAC-SHA256 Credential={self.access_key}/{scope}, SignedHeaders={';'.join(names)}, Signature={signature}"}
