# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Health checks of a Kubernetes cluster. Their order is the order in which they run: what is down is found before what depends on it."""

from __future__ import annotations

from ...model import Check, Comparison
from . import api, certificates, deprecations, events, guard, jobs, limits, namespaces, nodes, pod_checks, storage, versions, webhooks, workloads
from .cluster import Cluster

CHECKS: tuple[Check[Cluster], ...] = (
    *api.CHECKS,
    *nodes.CHECKS,
    *namespaces.CHECKS,
    *workloads.CHECKS,
    *pod_checks.CHECKS,
    *jobs.CHECKS,
    *storage.CHECKS,
    *limits.CHECKS,
    *webhooks.CHECKS,
    *guard.CHECKS,
    *events.CHECKS,
    *certificates.CHECKS,
    *deprecations.CHECKS,
)
COMPARISONS: tuple[Comparison, ...] = versions.COMPARISONS
