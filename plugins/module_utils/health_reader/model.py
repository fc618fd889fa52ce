# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What making an account that may only look comes to in one system. docs/health.md, "Accounts", says which account each system has."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from ..reports.model import FAILED, REFUSED, SKIPPED, SUCCEEDED
from ..tenants.model import Change

__all__ = ["FAILED", "REFUSED", "SKIPPED", "SUCCEEDED", "Change", "Plan", "Reader", "nobody"]

# What no account of a reader may be called: it is somebody else's.
TENANT_PREFIXES = ("tenant-", "tenant_")


@dataclass(frozen=True)
class Reader:
    """The account that is wanted: its name and, where the system takes one, its password, which is never shown."""

    name: str
    password: str | None = field(default=None, repr=False)

    def conflict(self, *taken: str) -> str:
        """Why the name cannot be a reader's; "" if it can. ``taken``: accounts that have more to do, our own first."""
        if self.name in taken:
            return f"{self.name} is an account that has more to do than to look: give the health checks one of their own"
        if self.name.startswith(TENANT_PREFIXES):
            return f"{self.name} is a tenant's account: give the health checks one of their own"
        return ""


@dataclass(frozen=True)
class Plan:
    """``steps`` are the system's own and make ``changes`` so. With a verdict other than succeeded there are none; the message says the way out."""

    account: str
    steps: Sequence[Any] = ()
    changes: Sequence[Change] = ()
    verdict: str = SUCCEEDED
    message: str = ""
    notes: Sequence[str] = ()

    def to_exit(self, system: str, region: str) -> dict[str, Any]:
        """What the module returns."""
        return {
            "changed": bool(self.changes),
            "run": {
                "system": system,
                "region": region,
                "account": self.account,
                "verdict": self.verdict,
                "message": self.message,
                "changes": [change.to_mapping() for change in self.changes],
                "notes": list(self.notes),
            },
            "diff": {
                "before_header": f"{region}/{system}",
                "after_header": f"{region}/{system}",
                "before": {change.object: change.before for change in self.changes if change.before is not None},
                "after": {change.object: change.after for change in self.changes if change.after is not None},
            },
        }


def nobody(variable: str, usual: str = "") -> Plan:
    """For a system for which the inventory names no account."""
    instead = f" Until then the health checks look with {usual}." if usual else ""
    return Plan("", verdict=SKIPPED, message=f"the inventory names no account for the health checks here: set {variable} (docs/health.md#accounts).{instead}")


def refused(reader: str, message: str, notes: Sequence[str] = ()) -> Plan:
    """For what cannot be done, or is not ours to do."""
    return Plan(reader, verdict=REFUSED, message=message, notes=notes)
