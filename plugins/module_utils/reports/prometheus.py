# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A report of checks for Prometheus' textfile collector: the run's time, so that a run that stopped is noticed, and a verdict per check and place.

Format: https://prometheus.io/docs/instrumenting/exposition_formats/ (text). It is written out here because the official client library keeps a registry
of live metrics, which a snapshot has no use for.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from .model import CHECK_VERDICTS, SKIPPED, Report
from .sections import moment

# Alerts compare with these, so they are part of the promise: the larger, the worse; skipped is not a measurement.
VALUES = {"ok": 0, "degraded": 1, "unknown": 2, "critical": 3, SKIPPED: -1}
Sample = tuple[Mapping[str, str], float]


def escape(value: str) -> str:
    """A label's value."""
    return value.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')


def _metric(name: str, text: str, samples: Iterable[Sample]) -> list[str]:
    lines = [f"# HELP {name} {text}", f"# TYPE {name} gauge"]
    for labels, value in samples:
        inside = ",".join(f'{label}="{escape(word)}"' for label, word in labels.items())
        lines.append(f"{name}{{{inside}}} {value:.15g}")
    return lines


def _worst(report: Report) -> dict[tuple[str, str], str]:
    """Per check and place, for findings below a place are too many and too short-lived for series."""
    order = (*CHECK_VERDICTS, SKIPPED)
    worst: dict[tuple[str, str], str] = {}
    for item in report.items:
        key = (item.id, "/".join(item.subject.split("/")[:2]))
        if key not in worst or order.index(item.verdict) < order.index(worst[key]):
            worst[key] = item.verdict
    return worst


def render_prometheus(report: Report) -> str:
    """The file's text."""
    base = {"operation": report.operation, "environment": report.environment}
    told = report.insights
    lines = _metric(
        "leanvibe_ops_run_timestamp_seconds", "When the last run of the checks ended. Alert when it is too old.", [(base, moment(report.finished).timestamp())]
    )
    duration = (moment(report.finished) - moment(report.started)).total_seconds()
    lines += _metric("leanvibe_ops_run_duration_seconds", "How long the last run took.", [(base, duration)])
    meaning = "0 ok, 1 degraded, 2 unknown, 3 critical"
    lines += _metric("leanvibe_ops_run_verdict", f"Verdict of the last run: {meaning}.", [(base, VALUES[report.verdict])])
    if told is not None:
        lines += _metric("leanvibe_ops_run_failed", "Whether the last run ended with a failure.", [(base, float(told.failed))])
        checks = (("executed", told.executed), ("skipped", told.skipped), ("could_not_run", told.could_not_run))
        lines += _metric("leanvibe_ops_checks", "Checks of the last run, by what became of them.", [({**base, "outcome": name}, n) for name, n in checks])
    lines += _metric("leanvibe_ops_findings", "Findings of the last run, by verdict.", [({**base, "verdict": word}, n) for word, n in report.counts.items()])
    samples: list[Sample] = []
    for (name, place), verdict in sorted(_worst(report).items()):
        region, _slash, system = place.partition("/")
        samples.append(({**base, "check": name, "region": region, "system": system}, VALUES[verdict]))
    lines += _metric("leanvibe_ops_check_verdict", f"Verdict of a check at a place: {meaning}, -1 skipped.", samples)
    return "\n".join(lines) + "\n"
