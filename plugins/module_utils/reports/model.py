# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every operation reports, in one form: operations that look (checks) and operations that act."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..common.redaction import redact, redact_text

SCHEMA = "leanvibe.ops/report/v1"

OK, DEGRADED, UNKNOWN, CRITICAL = "ok", "degraded", "unknown", "critical"
SUCCEEDED, PARTIAL, FAILED, REFUSED = "succeeded", "partial", "failed", "refused"
SKIPPED = "skipped"

# Worst first. Unknown is never ok, so it stands above what is known to be merely degraded.
CHECK_VERDICTS = (CRITICAL, UNKNOWN, DEGRADED, OK)
ACTION_VERDICTS = (FAILED, REFUSED, SUCCEEDED)
# What a playbook ends well with.
GOOD = (OK, DEGRADED, SUCCEEDED)


@dataclass(frozen=True)
class Item:
    """One thing that was looked at or done. ``subject`` is ``region/system`` or ``region/system/tenant``; ``since`` is when a finding was first seen.

    ``query`` repeats the measurement by hand. ``status`` compares with the last run: new, worse or open. ``waiver`` says why a finding is set aside, with
    its real ``verdict``. ``trend`` holds the values of the last runs and this one, oldest first; ``forecast`` is when it will be full (health/trends.py).
    """

    id: str
    subject: str
    verdict: str
    message: str = ""
    tenants: Sequence[str] = ()
    changed: bool = False
    changes: Sequence[Mapping[str, Any]] = ()
    observed: Any = None
    unit: str | None = None
    threshold: Mapping[str, Any] | None = None
    evidence: str | None = None
    runbook: str | None = None
    since: str | None = None
    query: str | None = None
    status: str | None = None
    waiver: Mapping[str, Any] | None = None
    trend: Sequence[float | None] = ()
    forecast: Mapping[str, Any] | None = None

    def to_mapping(self, acting: bool) -> dict[str, Any]:
        """The form of the JSON report, redacted."""
        data: dict[str, Any] = {"id": self.id, "subject": self.subject, "verdict": self.verdict}
        if acting:
            data |= {"changed": self.changed, "message": redact_text(self.message), "tenants": list(self.tenants)}
            if self.changes:
                data["changes"] = redact(list(self.changes))
            if self.evidence:
                data["evidence"] = redact_text(self.evidence)
            return data
        more = {
            "query": redact_text(self.query) if self.query else None,
            "status": self.status,
            "waiver": redact(dict(self.waiver)) if self.waiver else None,
            "trend": list(self.trend),
            "forecast": dict(self.forecast) if self.forecast else None,
        }
        data |= {
            "observed": redact(self.observed),
            "unit": self.unit,
            "threshold": dict(self.threshold) if self.threshold is not None else None,
            "message": redact_text(self.message),
            "evidence": redact_text(self.evidence) if self.evidence else None,
            "runbook": self.runbook,
            "tenants": list(self.tenants),
            "since": self.since,
        }
        return data | {name: value for name, value in more.items() if value}


@dataclass(frozen=True)
class TenantRow:
    """A tenant as tables of reports name it."""

    id: str
    name: str = ""
    tier: str = ""
    region: str = ""
    state: str = ""


@dataclass(frozen=True)
class Insights:
    """What a report of checks says beyond its items.

    ``executed``, ``skipped`` and ``could_not_run`` count checks, not findings. ``decision`` says why the run fails or does not. ``compared_with`` is when
    the last run began. ``resolved`` and ``unseen`` are findings of the last run (id, subject, verdict, since); the latter were not looked at this time.
    ``changes`` (at, what, where, who, tenants, before) are those of the last day, ``before`` the findings that came after one. ``runs`` are the last
    runs and this one (started, verdict). ``questions`` says what each check asks.
    """

    profile: str
    executed: int
    skipped: int
    could_not_run: int
    failed: bool
    decision: str
    compared_with: str | None = None
    resolved: Sequence[Mapping[str, Any]] = ()
    unseen: Sequence[Mapping[str, Any]] = ()
    changes: Sequence[Mapping[str, Any]] = ()
    runs: Sequence[Mapping[str, Any]] = ()
    questions: Mapping[str, str] = field(default_factory=dict)

    def to_mapping(self) -> dict[str, Any]:
        """The form of the JSON report, redacted."""
        return {
            "profile": self.profile,
            "checks": {"executed": self.executed, "skipped": self.skipped, "could_not_run": self.could_not_run},
            "failed": self.failed,
            "decision": self.decision,
            "compared_with": self.compared_with,
            "resolved": [dict(one) for one in self.resolved],
            "unseen": [dict(one) for one in self.unseen],
            "changes": redact([dict(one) for one in self.changes]),
            "runs": [dict(one) for one in self.runs],
            "questions": dict(self.questions),
        }


@dataclass(frozen=True)
class Report:
    """One run of one operation. ``acting`` tells operations that act from those that look; times are ISO 8601 in UTC.

    ``diagnosis`` is what a diagnosis says on top of its findings (diagnosis/conclude.py).
    """

    operation: str
    environment: str
    regions: Sequence[str]
    run_id: str
    check_mode: bool
    started: str
    finished: str
    acting: bool
    items: Sequence[Item]
    tenants: Sequence[TenantRow] = field(default_factory=tuple)
    notes: Sequence[str] = field(default_factory=tuple)
    insights: Insights | None = None
    diagnosis: Mapping[str, Any] | None = None

    @property
    def counts(self) -> dict[str, int]:
        """How many items have which verdict."""
        counts = dict.fromkeys((*(reversed(ACTION_VERDICTS) if self.acting else reversed(CHECK_VERDICTS)), SKIPPED), 0)
        for item in self.items:
            counts[item.verdict] += 1
        return counts

    @property
    def verdict(self) -> str:
        """Of a look: the worst of its items. Of an act: succeeded if nothing failed or was refused, partial if something else succeeded."""
        counts = self.counts
        if not self.acting:
            return next((verdict for verdict in CHECK_VERDICTS if counts[verdict]), OK)
        if not counts[FAILED] and not counts[REFUSED]:
            return SUCCEEDED
        if counts[SUCCEEDED]:
            return PARTIAL
        return FAILED if counts[FAILED] else REFUSED

    @property
    def changed(self) -> int:
        """How many items changed something (in check mode: would change)."""
        return sum(item.changed for item in self.items)

    @property
    def problems(self) -> list[Item]:
        """Items that somebody must look at, worst first."""
        order = ACTION_VERDICTS[:-1] if self.acting else CHECK_VERDICTS[:-1]
        return sorted((item for item in self.items if item.verdict in order), key=lambda item: order.index(item.verdict))

    def to_mapping(self) -> dict[str, Any]:
        """The JSON report. Raises KeyError if an item has a verdict that this kind of operation does not know."""
        data = {
            "schema": SCHEMA,
            "operation": self.operation,
            "environment": self.environment,
            "regions": list(self.regions),
            "run_id": self.run_id,
            "check_mode": self.check_mode,
            "started": self.started,
            "finished": self.finished,
            "verdict": self.verdict,
            "counts": self.counts,
            "notes": [redact_text(note) for note in self.notes],
            "tenants": [vars(tenant) for tenant in self.tenants],
            "items": [item.to_mapping(self.acting) for item in self.items],
        }
        data |= {"health": self.insights.to_mapping()} if self.insights is not None else {}
        return data | ({"diagnosis": redact(dict(self.diagnosis))} if self.diagnosis is not None else {})
