# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The tenants that are made. Tenants of the same number have the same tier and region on every side, so that sides can be compared."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

from .settings import REGIONS

TIERS = ("developer", "team", "enterprise")
OURS = "bench"
USUAL = "usual"
PREFIXES = (OURS, USUAL)


def tenants(prefix: str, count: int, home: str | None = None) -> list[dict[str, Any]]:
    """``count`` declarations ``<prefix>-001`` …, tiers in turn, homes in turn (or all in ``home``)."""
    return [
        {
            "id": f"{prefix}-{number:03d}",
            "name": f"Benchmark {prefix} {number:03d}",
            "tier": TIERS[number % len(TIERS)],
            "region": home or REGIONS[number // len(TIERS) % len(REGIONS)],
            "contacts": {kind: f"Benchmark <{kind}@example.com>" for kind in ("primary", "technical", "billing")},
        }
        for number in range(1, count + 1)
    ]


def passwords(tenants: Iterable[Mapping[str, Any]]) -> dict[str, dict[str, str]]:
    """Credentials by tenant, as a user would have them ready in a vault: of the same form and strength as ours, and the same in every call."""
    return {str(tenant["id"]): dict(_passwords(str(tenant["id"]))) for tenant in tenants}


@cache
def _passwords(tenant_id: str) -> Mapping[str, str]:
    return {
        "postgresql": secrets.token_urlsafe(32),
        "redis": secrets.token_urlsafe(32),
        "s3_access_key_id": f"tenant-{tenant_id}-{secrets.token_hex(4)}",
        "s3_secret_access_key": secrets.token_urlsafe(32),
    }


def kind(tenant: dict[str, Any]) -> tuple[str, str]:
    """Tenants of one kind must have the same state but for their names and secrets."""
    return tenant["tier"], tenant["region"]
