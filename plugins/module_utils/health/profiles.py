# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which checks a run is about. Every day: all but those that are for a diagnosis only (``profiles`` of the check). After a deployment: what is listed here.

The list follows Deployment Procedures, "Post-Deployment Verification", and what a deployment may break besides. There is no load test in it, and no tenant is
made for it: the journey acts for one that is there, and cleans up.
"""

from __future__ import annotations

from collections.abc import Mapping

from .model import POST_DEPLOY, About

# Item of the guide -> checks.
AFTER_DEPLOYMENT: Mapping[str, tuple[str, ...]] = {
    "health": ("backend.up", "backend.database", "backend.cache", "backend.graph", "backend.versions"),
    "business logic": ("backend.journey", "backend.sign_in", "backend.authorization", "backend.websocket", "backend.billing", "external.billing"),
    "background jobs": ("backend.worker", "backend.jobs", "backend.backlog", "backend.failed_jobs"),
    "performance": ("backend.response", "backend.database_response", "backend.latency"),
    "customer impact": ("backend.errors", "backend.tenant_errors", "backend.active_tenants", "backend.pages"),
    "rollout": (
        "kubernetes.workloads", "kubernetes.rollouts", "kubernetes.pods_ready", "kubernetes.pods_crashes", "kubernetes.pods_pending",
        "kubernetes.pods_images", "kubernetes.pods_config", "kubernetes.jobs", "kubernetes.warning_events",
    ),
    "migrations": (
        "postgresql.role", "postgresql.writable", "postgresql.connections", "postgresql.blocked", "postgresql.long_transactions",
        "postgresql.invalid_indexes", "postgresql.isolation", "postgresql.heartbeat", "postgresql.replication_lag", "pgbouncer.pools",
        "redis.up", "neo4j.up", "neo4j.indexes", "neo4j.constraints",
    ),
    # What tells of all the rest, and of the error rate and the service levels of the guides.
    "alerts": ("monitoring.prometheus", "monitoring.targets", "monitoring.metrics", "monitoring.alerts"),
}  # fmt: skip
_AFTER_DEPLOYMENT = frozenset(name for names in AFTER_DEPLOYMENT.values() for name in names)


def belongs(about: About, profile: str) -> bool:
    """Whether a check or comparison is part of runs with this profile."""
    return profile in about.profiles and (profile != POST_DEPLOY or about.id in _AFTER_DEPLOYMENT)
