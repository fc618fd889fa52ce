# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a diagnosis looks at in an object store, beyond the checks of every day: how much the tenant keeps there."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from typing import Any

from ..clients.aws import connect as connect_aws
from ..clients.object_store import connect
from ..health.model import DIAGNOSE, Check, Finding, NoData, NotApplicable, Session
from ..health.systems.object_store.store import SYSTEM, Driver
from ..health.systems.ranking import amount
from ..reports.model import OK
from .shares import selected

SECONDS = 10.0
# Of 1000 objects each; beyond, the figure is "at least".
PAGES = 20


def _pages(connection: Mapping[str, Any], bucket: str) -> Iterator[tuple[list[int], bool]]:
    """The sizes of the bucket's objects by page, and whether more follow."""
    if connection.get("driver") == "aws":
        client = connect_aws("s3", connection, SECONDS, 1)
        arguments: dict[str, Any] = {"Bucket": bucket}
        while True:
            answer = client.call("list_objects_v2", **arguments)
            yield [int(one["Size"]) for one in answer.get("Contents") or []], bool(answer.get("IsTruncated"))
            if not answer.get("IsTruncated"):
                return
            arguments["ContinuationToken"] = answer["NextContinuationToken"]
    with connect(connection, SECONDS) as store:
        query = {"list-type": "2", "max-keys": "1000"}
        while True:
            root = store.request("GET", f"/{bucket}", query).xml()
            if root.tag != "ListBucketResult":
                raise NoData(f"{store.where} answered to a list of {bucket} with {root.tag}")
            more = root.findtext("NextContinuationToken") if root.findtext("IsTruncated") == "true" else None
            yield [int(one.findtext("Size") or 0) for one in root.iter("Contents")], bool(more)
            if not more:
                return
            query["continuation-token"] = more


def _objects(connection: Mapping[str, Any], session: Session[Driver]) -> Iterator[Finding]:
    tenant = selected(session)
    if not tenant:
        raise NotApplicable("for one tenant only (tenant_selection): for all of them every bucket would be listed")
    bucket = f"tenant-{tenant}"
    pages = list(itertools.islice(_pages(connection, bucket), PAGES))
    sizes = [size for some, _more in pages for size in some]
    least = "at least " if pages[-1][1] else ""
    biggest = f", the biggest {amount(max(sizes))}" if sizes else ""
    message = f"{tenant}: {least}{len(sizes)} objects, {least}{amount(sum(sizes))}{biggest}"
    yield Finding(observed=sum(sizes), unit="B", verdict=OK, name=f"tenant/{tenant}", tenants=(tenant,), message=message)


def in_depth(connection: Mapping[str, Any]) -> tuple[Check[Driver], ...]:
    """The checks of a store. They ask on a connection of their own: those of every day list no objects."""
    return (
        Check(
            id="object_store.tenant_objects",
            question="How much does the tenant keep here?",
            system=SYSTEM,
            query="aws s3 ls --recursive --summarize s3://tenant-<tenant>",
            runbook="diagnose.md#tenant_objects",
            profiles=(DIAGNOSE,),
            cost="medium",
            timeout=15.0,
            grants=("s3:ListBucket on the tenant's bucket",),
            run=lambda session: _objects(connection, session),
        ),
    )
