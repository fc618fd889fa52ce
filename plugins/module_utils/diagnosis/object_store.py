# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a diagnosis looks at in an object store, beyond the checks of every day: how much the tenant keeps there."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from ..health.model import DIAGNOSE, Check, Finding, NotApplicable, Session
from ..health.systems.object_store.store import SYSTEM, Driver
from ..health.systems.ranking import amount
from ..reports.model import OK
from .shares import selected

# Of 1000 objects each; beyond, the figure is "at least".
PAGES = 20


def _objects(session: Session[Driver]) -> Iterator[Finding]:
    tenant = selected(session)
    if not tenant:
        raise NotApplicable("for one tenant only (tenant_selection): for all of them every bucket would be listed")
    bucket = f"tenant-{tenant}"
    pages = list(itertools.islice(session.client.sizes(bucket), PAGES))
    sizes = [size for some, _more in pages for size in some]
    least = "at least " if pages[-1][1] else ""
    biggest = f", the biggest {amount(max(sizes))}" if sizes else ""
    message = f"{tenant}: {least}{len(sizes)} objects, {least}{amount(sum(sizes))}{biggest}"
    yield Finding(observed=sum(sizes), unit="B", verdict=OK, name=f"tenant/{tenant}", tenants=(tenant,), message=message)


IN_DEPTH: tuple[Check[Driver], ...] = (
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
        run=_objects,
    ),
)
