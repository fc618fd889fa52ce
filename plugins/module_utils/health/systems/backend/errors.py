# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What failed since the last run: of all requests, and of each tenant's."""

from __future__ import annotations

from collections.abc import Iterator

from ...model import Finding, NotApplicable, Threshold
from ..folding import told
from .metrics import window
from .service import Run, check

# Fewer requests are not judged by their share, unless so many failed that chance is no explanation.
REQUESTS, FAILURES = 50, 5
TENANT_REQUESTS, TENANT_FAILURES = 20, 3
LIMITS = Threshold(degraded=1, critical=5, unit="%", source="guides: alert and roll back at 5 %; 1 % is ours, twenty times the enterprise error budget")


def _enough(answered: float, failed: float, requests: int, failures: int) -> bool:
    return answered >= requests or failed >= failures


def _errors(session: Run) -> Iterator[Finding]:
    found = window(session)
    if not _enough(found.answered, found.failed, REQUESTS, FAILURES):
        raise NotApplicable(f"{found.answered:.0f} requests of users since the last run, {found.failed:.0f} failed; a share needs {REQUESTS}")
    share = 100 * found.failed / found.answered
    yield Finding(observed=round(share, 3), message=f"{found.failed:.0f} of {found.answered:.0f} requests of users failed (5xx) in {found.seconds:.0f} s")


def _tenants(session: Run) -> Iterator[Finding]:
    found = window(session)
    findings = []
    for tenant, answered in found.tenants.items():
        failed = found.tenants_failed.get(tenant, 0.0)
        if _enough(answered, failed, TENANT_REQUESTS, TENANT_FAILURES):
            message = f"{failed:.0f} of its {answered:.0f} requests failed (5xx) in {found.seconds:.0f} s"
            findings.append(Finding(observed=round(100 * failed / answered, 3), name=tenant, tenants=(tenant,), message=message))
    if not findings:
        raise NotApplicable(f"no tenant has made {TENANT_REQUESTS} requests since the last run, or had {TENANT_FAILURES} fail")
    yield from told(session, findings, len(findings), "tenants with requests")


CHECKS = (
    check("errors", "What share of users' requests failed since the last run?", _errors,
          "curl -sS DIRECT_URL/metrics | grep leanvibe_http_requests_total, twice", LIMITS),
    check("tenant_errors", "Whose requests failed since the last run?", _tenants,
          "curl -sS DIRECT_URL/metrics | grep leanvibe_tenant_requests_total, twice", LIMITS),
)  # fmt: skip
