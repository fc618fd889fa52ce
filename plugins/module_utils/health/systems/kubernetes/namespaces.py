# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Namespaces that were deleted and do not go."""

from __future__ import annotations

from collections.abc import Iterable

from ...model import Finding, Threshold
from ..folding import told
from .cluster import Run, check, spaces


def _leaving(session: Run) -> Iterable[Finding]:
    everything = spaces(session)
    found = [
        Finding(
            observed=session.client.minutes(space.leaving_since),
            name=space.name,
            tenants=space.tenants,
            message=f"deleted {session.client.minutes(space.leaving_since)} min ago; {'; '.join(space.problems) or 'its conditions do not say why it stays'}",
        )
        for space in everything.values()
        if space.leaving_since is not None
    ]
    return told(session, found, len(everything), "namespaces")


CHECKS = (
    check(
        "namespaces_terminating",
        "Are namespaces stuck on their way out?",
        _leaving,
        "kubectl get namespaces --field-selector status.phase=Terminating; kubectl describe namespace NAME",
        "list namespaces",
        threshold=Threshold(degraded=15, unit="min", source="ours: an emptied namespace goes within seconds, pods' grace periods take minutes"),
    ),
)
