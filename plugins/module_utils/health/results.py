# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run over checks came to, and how findings become report items. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from ..common.redaction import redact, redact_text
from ..reports.model import CHECK_VERDICTS, OK, SKIPPED, UNKNOWN
from .model import About, Finding, Threshold
from .thresholds import is_number, judge

EXECUTED, COULD_NOT_RUN = "executed", "could_not_run"
CONTROL = "control"


@dataclass(frozen=True)
class Done:
    """What became of one check at one place (region/system): executed, skipped or could_not_run; ``seconds`` it took; ``reason`` if not executed."""

    id: str
    place: str
    outcome: str
    seconds: float = 0.0
    reason: str = ""


@dataclass
class Run:
    """What a run over checks returns to the controller: items in the report's form, what became of each check, and facts for comparisons."""

    system: str
    region: str
    items: list[dict[str, Any]] = field(default_factory=list)
    checks: list[Done] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)
    seconds: float = 0.0

    @property
    def place(self) -> str:
        """How subjects begin."""
        return f"{self.region}/{self.system}"

    def to_mapping(self) -> dict[str, Any]:
        """JSON, for a module's result."""
        return {
            "system": self.system,
            "region": self.region,
            "items": self.items,
            "checks": [asdict(done) for done in self.checks],
            "facts": self.facts,
            "seconds": round(self.seconds, 3),
        }

    @classmethod
    def from_mapping(cls, data: Mapping[str, Any]) -> Run:
        """Read a module's result. Raises KeyError or TypeError if it is none."""
        checks = [Done(**done) for done in data["checks"]]
        return cls(str(data["system"]), str(data["region"]), list(data["items"]), checks, dict(data["facts"]), float(data["seconds"]))


def plain(value: Any) -> Any:
    """``value`` as JSON can hold it. A float that is not finite becomes its name, so that nobody takes it for a number."""
    if isinstance(value, Decimal):
        value = float(value)
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, (datetime, date)):
        return value.isoformat()
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain(item) for item in value]
    return str(value)


def _figure(value: Any) -> str:
    return f"{value:.6g}" if is_number(value) else str(value)


def _said(finding: Finding, verdict: str, observed: Any, threshold: Threshold | None, about: About) -> str:
    """The finding's message, or one made of what was measured; a verdict that somebody must act on never stands without words."""
    if finding.message or verdict == OK:
        return finding.message
    if threshold is None or observed is None:
        return f"{about.question} {verdict}, and the check says no more"
    limit = next((figure for figure in (getattr(threshold, verdict, None),) if figure is not None), None)
    unit = f" {threshold.unit}" if threshold.unit else ""
    return f"{about.question} {_figure(observed)}{unit}" + (f", {verdict} from {_figure(limit)}{unit}" if limit is not None else "")


def item(about: About, finding: Finding, place: str) -> dict[str, Any]:
    """A finding as an item of the report, judged if the check left that to its threshold. Missing or unusable values are unknown."""
    observed = plain(finding.observed)
    threshold = about.limits(finding.variant)
    verdict, message = finding.verdict, finding.message
    if verdict is None and threshold is None:
        verdict, message = UNKNOWN, f"the check gave a value and no verdict, and has no threshold to judge by. {message}".strip()
    elif verdict is None and not is_number(observed):
        verdict, message = UNKNOWN, f"nothing was measured that could be judged ({'no value' if observed is None else observed}). {message}".strip()
    elif verdict is None and threshold is not None:
        verdict = judge(observed, threshold)
    if verdict not in (*CHECK_VERDICTS, SKIPPED):
        verdict, message = UNKNOWN, f"the check gave a verdict that does not exist: {finding.verdict}"
    said = message if message != finding.message else _said(finding, str(verdict), observed, threshold, about)
    if finding.region is not None:
        place = f"{finding.region}/{about.system}"
    made = {
        "id": about.id,
        "subject": f"{place}/{finding.name}" if finding.name else place,
        "verdict": verdict,
        "observed": redact(observed),
        "unit": finding.unit or (threshold.unit if threshold else None),
        "threshold": threshold.to_mapping() if threshold else None,
        "message": redact_text(said),
        "evidence": redact_text(finding.evidence) if finding.evidence else None,
        "runbook": about.runbook,
        "tenants": sorted(set(finding.tenants)),
        "query": redact_text(finding.query or about.query),
    }
    return made | ({"capacity": finding.capacity} if is_number(finding.capacity) else {})


def whole(about: About, place: str, verdict: str, reason: str) -> dict[str, Any]:
    """The one item of a check that could not run or was skipped."""
    return item(about, Finding(verdict=verdict, message=reason), place)


def outcome_of(items: Sequence[Mapping[str, Any]]) -> str:
    """A check of which all findings are unknown has measured nothing."""
    verdicts = {one["verdict"] for one in items}
    if verdicts == {SKIPPED}:
        return SKIPPED
    return COULD_NOT_RUN if verdicts <= {UNKNOWN, SKIPPED} else EXECUTED
