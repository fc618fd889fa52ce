# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How much tenants store. Measured, not enforced: S3 has no limit per bucket. All versions count, at most ``most_pages`` pages of 1000 a bucket."""

from __future__ import annotations

from ...clients.object_store import S3Client
from ...common.concurrency import each
from ...common.errors import OpsError
from ..arguments import TenantsRequest
from ..model import SystemResult, Tenant

PAGE = 1000


def measure(client: S3Client, request: TenantsRequest, answer: SystemResult, most_pages: int) -> None:
    """Add each tenant's use to ``answer.observed`` and say in its notes who is above the tier's number, or could not be measured."""
    above = []
    there = [tenant for tenant in request.tenants if tenant.id in answer.observed]
    for outcome in each(there, lambda tenant: _size(client, tenant, most_pages), request.concurrency):
        tenant = outcome.item
        if outcome.result is None:
            if not isinstance(outcome.error, OpsError):
                raise outcome.error or AssertionError(tenant.id)
            above.append(f"{tenant.id} could not be measured: {outcome.error.message}")
            continue
        used, versions, complete = outcome.result
        limit = int(request.limits(tenant, "object_store")["storage_bytes"])
        answer.observed[tenant.id]["storage"] = {
            "bytes": used,
            "versions": versions,
            "limit_bytes": limit,
            "complete": complete,
            "meaning": "measured, not enforced",
        }
        if used > limit:
            above.append(f"{tenant.id} stores {'' if complete else 'at least '}{used} bytes, its tier's number is {limit}")
    answer.requests = client.requests
    answer.notes.append("storage_bytes: measured, not enforced. " + ("; ".join(sorted(above)) if above else "No tenant is above its number."))


def _size(client: S3Client, tenant: Tenant, most_pages: int) -> tuple[int, int, bool]:
    """Bytes and number of all versions, and whether all were seen."""
    size = versions = 0
    query = {"versions": "", "max-keys": str(PAGE)}
    for _page in range(most_pages):
        root = client.request("GET", f"/{tenant.bucket}", query).xml()
        found = list(root.iter("Version"))
        size += sum(int(version.findtext("Size") or 0) for version in found)
        versions += len(found)
        if root.findtext("IsTruncated") != "true":
            return size, versions, True
        query |= {"key-marker": root.findtext("NextKeyMarker") or "", "version-id-marker": root.findtext("NextVersionIdMarker") or ""}
    return size, versions, False
