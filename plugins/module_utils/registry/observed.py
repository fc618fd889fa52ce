# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What runs found and did, per tenant, system and region, as the registry keeps it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from .desired import Run
from .leases import fence

if TYPE_CHECKING:
    import psycopg

    Session = psycopg.Connection[tuple[Any, ...]]

# One statement: what it writes to history is decided by what stood there before it (all its parts see the same snapshot).
_RECORD = """
WITH seen AS (
    SELECT * FROM jsonb_to_recordset(%(rows)s::jsonb)
        AS row (tenant text, system text, region text, verdict text, message text, observed jsonb, changes jsonb)
    WHERE tenant IN (SELECT id FROM tenants)
), remembered AS (
    INSERT INTO tenant_history (tenant, who, run_id, subject, from_value, to_value)
    SELECT seen.tenant, %(owner)s, %(run_id)s, seen.region || '/' || seen.system,
        CASE WHEN old.tenant IS NULL THEN NULL ELSE jsonb_build_object('verdict', old.verdict, 'message', old.message) END,
        jsonb_build_object('verdict', seen.verdict, 'message', seen.message, 'changes', seen.changes)
    FROM seen LEFT JOIN tenant_systems AS old USING (tenant, system, region)
    WHERE old.tenant IS NULL OR old.verdict <> seen.verdict OR old.message <> seen.message OR seen.changes <> '[]'
)
INSERT INTO tenant_systems AS known (tenant, system, region, verdict, message, observed, last_change, last_run)
SELECT tenant, system, region, verdict, message, coalesce(observed, '{}'), CASE WHEN changes <> '[]' THEN clock_timestamp() END, %(run_id)s FROM seen
ON CONFLICT (tenant, system, region) DO UPDATE SET
    verdict = excluded.verdict, message = excluded.message, last_run = excluded.last_run, last_seen = clock_timestamp(),
    observed = CASE WHEN excluded.observed = '{}' THEN known.observed ELSE excluded.observed END,
    last_change = coalesce(excluded.last_change, known.last_change)
"""
_FINISH = """
UPDATE runs SET finished = clock_timestamp(), verdict = %(verdict)s, counts = %(counts)s::jsonb, report = %(report)s WHERE run_id = %(run_id)s
"""
_TENANTS = """
SELECT id, name, tier, region, state, first_declared, last_declared, last_changed FROM tenants WHERE %(all)s OR id = ANY(%(ids)s) ORDER BY id
"""
_SYSTEMS = """
SELECT tenant, system, region, verdict, message, observed, last_change, last_seen FROM tenant_systems
WHERE %(all)s OR tenant = ANY(%(ids)s) ORDER BY tenant, system, region
"""
_LAST_RUNS = """
SELECT DISTINCT ON (operation) operation, run_id, owner, started, finished, verdict, counts FROM runs ORDER BY operation, started DESC
"""


@dataclass(frozen=True)
class Observation:
    """One tenant in one system and region after a run."""

    tenant: str
    system: str
    region: str
    verdict: str
    message: str
    observed: Mapping[str, Any] = field(default_factory=dict)
    changes: Sequence[Mapping[str, Any]] = ()


@dataclass(frozen=True)
class Known:
    """What the registry says about tenants; mappings with the columns' names, times as ISO 8601 in UTC."""

    tenants: list[dict[str, Any]]
    systems: list[dict[str, Any]]
    runs: list[dict[str, Any]]


def record(session: Session, observations: Iterable[Observation], run: Run, token: int | None) -> None:
    """Keep what a run found, and remember what is different from before, in one transaction that the lease fences."""
    rows = json.dumps([vars(observation) | {"changes": list(observation.changes)} for observation in observations])
    with session.transaction():
        if token is not None:
            fence(session, token)
        session.execute(_RECORD, {"rows": rows, "owner": run.owner, "run_id": run.run_id})


def finish(session: Session, run: Run, verdict: str, counts: Mapping[str, int], report: str) -> None:
    """Close the run's row; a row without an end belongs to a run that was killed."""
    session.execute(_FINISH, {"run_id": run.run_id, "verdict": verdict, "counts": json.dumps(dict(counts)), "report": report})


def _time(value: Any) -> Any:
    return value.strftime("%Y-%m-%dT%H:%M:%SZ") if isinstance(value, datetime) else value


def read(session: Session, ids: Sequence[str] | None) -> Known:
    """Read desired and observed state of the given tenants (None: of all), and the last run of each operation."""
    wanted = {"all": ids is None, "ids": list(ids or ())}

    def rows(query: Any, names: tuple[str, ...]) -> list[dict[str, Any]]:
        return [dict(zip(names, map(_time, row), strict=True)) for row in session.execute(query, wanted).fetchall()]

    return Known(
        rows(_TENANTS, ("id", "name", "tier", "region", "state", "first_declared", "last_declared", "last_changed")),
        rows(_SYSTEMS, ("tenant", "system", "region", "verdict", "message", "observed", "last_change", "last_seen")),
        rows(_LAST_RUNS, ("operation", "run_id", "owner", "started", "finished", "verdict", "counts")),
    )
