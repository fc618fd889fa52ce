# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every check and comparison there is: one line per system. Ids in inputs (thresholds, waivers, selections) are looked up here."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ..diagnosis.catalogue import EVERYTHING as IN_DEPTH
from .model import About
from .systems import aws, backend, control, external, kubernetes, monitoring, neo4j, object_store, pgbouncer, postgresql, redis

# Each system's CHECKS and COMPARISONS.
SYSTEMS: tuple[Sequence[About], ...] = (
    (*aws.CHECKS, *aws.COMPARISONS),
    (*backend.CHECKS, *backend.COMPARISONS),
    (*control.CHECKS, *control.COMPARISONS),
    (*external.CHECKS, *external.COMPARISONS),
    (*kubernetes.CHECKS, *kubernetes.COMPARISONS),
    (*monitoring.CHECKS, *monitoring.COMPARISONS),
    (*neo4j.CHECKS, *neo4j.COMPARISONS),
    (*object_store.CHECKS, *object_store.COMPARISONS),
    (*pgbouncer.CHECKS, *pgbouncer.COMPARISONS),
    (*postgresql.CHECKS, *postgresql.COMPARISONS),
    (*redis.CHECKS, *redis.COMPARISONS),
    IN_DEPTH,
)

# What the health run finds about itself. Cannot be waived.
RUN, ENDPOINT, HISTORY, WAIVERS, SINKS = "health.run", "health.endpoint", "health.history", "health.waivers", "health.sinks"
CLOCK = "health.clock"
OURS = (RUN, ENDPOINT, HISTORY, WAIVERS, SINKS, CLOCK)


def everything(systems: Iterable[Sequence[About]] = SYSTEMS) -> list[About]:
    """All of them. Raises ValueError if two have the same id."""
    found: dict[str, About] = {}
    for about in (one for system in systems for one in system):
        if found.setdefault(about.id, about) is not about:
            raise ValueError(f"two checks have the id {about.id}")
    return list(found.values())
