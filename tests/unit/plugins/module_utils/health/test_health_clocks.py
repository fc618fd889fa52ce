# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Clocks: how far one is from ours, and whose is wrong when many are heard."""

from __future__ import annotations

import json
from datetime import timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.leanvibe.ops.plugins.module_utils.health import catalogue, clocks, majority
from ansible_collections.leanvibe.ops.plugins.module_utils.health.arguments import REPORT
from ansible_collections.leanvibe.ops.plugins.module_utils.health.conclude import conclude
from ansible_collections.leanvibe.ops.plugins.module_utils.health.history import moment
from ansible_collections.leanvibe.ops.plugins.module_utils.health.model import Check, Finding
from ansible_collections.leanvibe.ops.plugins.module_utils.health.results import Run
from ansible_collections.leanvibe.ops.plugins.module_utils.health.runner import Link, run_checks
from ansible_collections.leanvibe.ops.plugins.module_utils.health.sinks import SINKS

DEFAULTS: dict[str, Any] = {name: spec.get("default") for name, spec in {**REPORT, **SINKS}.items()}
NOON = "2026-11-21T12:00:00Z"


@pytest.mark.parametrize(
    ("before", "there", "after", "step", "expected"),
    [
        (10.0, 10.5, 11.0, 0.0, 0.0),
        (10.0, 9.0, 11.0, 0.0, -1.0),
        (10.0, 131.0, 11.0, 0.0, 120.0),
        (10.9, 10.0, 10.95, 1.0, 0.0),  # rounded down
        (12.5, 10.0, 12.6, 1.0, -1.5),
        (9.9, 11.0, 10.0, 1.0, 1.0),
    ],
)
def test_what_was_right_at_any_moment_of_the_question_is_right(before: float, there: float, after: float, step: float, expected: float) -> None:
    assert clocks.nearest(clocks.span(before, there, after, step)) == pytest.approx(expected)


def test_a_header_tells_the_time_or_nothing() -> None:
    noon = moment(NOON)
    date = format_datetime(noon, usegmt=True)
    assert clocks.by_header(date, noon.timestamp() + 0.75, noon.timestamp() + 0.75) == (-0.75, 0.25)
    assert clocks.by_header(date, noon.timestamp() + 61, noon.timestamp() + 62) == (-62, -60)
    assert [clocks.by_header(text, 1.0, 2.0) for text in (None, "", "yesterday")] == [None, None, None]


def a_run(region: str, ahead: float | clocks.Span, system: str = "redis") -> Run:
    """What an endpoint says whose clock is so far ahead of ours."""
    found = ahead if isinstance(ahead, tuple) else (ahead, ahead)
    check: Check[Any] = Check(
        id=f"{system}.clock", question="How far?", system=system, query="TIME", runbook="r", threshold=clocks.THRESHOLD,
        run=lambda session: [clocks.seen(session, f"{system}.clock", found)],
    )  # fmt: skip
    link: Link[Any] = Link(connect=lambda _s: 1, answers=lambda _c, _s: 1, close=lambda _c: None)
    return run_checks([check], link, system=system, region=region)


def settled(*ahead: float | clocks.Span) -> dict[str, tuple[str, Any]]:
    """Verdict and measurement by place."""
    runs = [a_run(f"r{number}", seconds) for number, seconds in enumerate(ahead)]
    items, done = majority.settle([item for run in runs for item in run.items], runs)
    assert len(done) == ("health.clock" in {item["id"] for item in items})
    return {item["subject"].split("/")[0] if item["id"] != "health.clock" else "ours": (item["verdict"], item["observed"]) for item in items}


def test_who_is_alone_is_wrong() -> None:
    assert settled(0.0, 0.2, -0.3) == {"r0": ("ok", 0.0), "r1": ("ok", 0.2), "r2": ("ok", 0.3), "ours": ("ok", 0.0)}
    assert settled(0.0, 120.0, 0.0) == {"r0": ("ok", 0.0), "r1": ("critical", 120.0), "r2": ("ok", 0.0), "ours": ("ok", 0.0)}
    # All seem to be behind: it is us, once, and not they.
    assert settled(-120.0, -120.1, -119.9) == {"r0": ("ok", 0.0), "r1": ("ok", 0.1), "r2": ("ok", 0.1), "ours": ("critical", 120.0)}
    # Two wrong clocks, one of them ours: the one that agrees with nobody is still found.
    assert settled(-5.0, -5.0, 0.0, -5.0) == {"r0": ("ok", 0.0), "r1": ("ok", 0.0), "r2": ("degraded", 5.0), "r3": ("ok", 0.0), "ours": ("degraded", 5.0)}


def test_who_answers_slowly_is_not_taken_for_wrong() -> None:
    """It told the time at any moment of the question: on a busy machine that takes seconds."""
    assert settled((-121.5, -118.5), (-120.0, -119.99), (-120.01, -120.0), (-123.0, -119.0))["ours"] == ("critical", 120.0)
    found = settled((-121.5, -118.5), (-120.0, -119.99), (-120.01, -120.0), (-123.0, -119.0))
    assert {verdict for place, (verdict, _seconds) in found.items() if place != "ours"} == {"ok"}
    assert {verdict for verdict, _seconds in settled((-2.5, 0.5), (-0.1, 3.0), (0.0, 0.0)).values()} == {"ok"}


def test_without_a_majority_nobody_knows_and_of_two_nobody_can_tell() -> None:
    assert settled(120.0) == {"r0": ("critical", 120.0)}
    assert settled() == {}
    assert settled(120.0, -60.0) == {"r0": ("critical", 120.0), "r1": ("critical", 60.0), "ours": ("unknown", None)}
    assert settled(120.0, 120.0, 0.0)["ours"] == ("unknown", None)


def test_what_was_not_measured_stays_as_it_is() -> None:
    silent = Run("neo4j", "r9", [{"id": "neo4j.clock", "subject": "r9/neo4j", "verdict": "unknown", "observed": None, "threshold": None}])
    runs = [a_run("r0", 90.0), a_run("r1", 90.0), silent]
    items, _done = majority.settle([item for run in runs for item in run.items], runs)
    assert [item["verdict"] for item in items] == ["ok", "ok", "unknown", "critical"]
    assert "90.0 s behind 2 of 2 clocks" in items[-1]["message"]


def test_it_is_the_runs_own_and_has_its_chapter() -> None:
    assert catalogue.CLOCK in catalogue.OURS
    text = (Path(__file__).resolve().parents[5] / "docs/health.md").read_text(encoding="utf-8")
    assert "### Whose clock is wrong" in text


WAIVER = {"check": "redis.memory", "subject": "r0/redis", "reason": "known until the bigger machine comes", "owner": "alice", "expires": "2026-11-21"}


def concluded(tmp_path: Path, ahead: float, at: str) -> dict[str, Any]:
    """A run whose clock is ahead of everybody's; its redis has a finding that is waived until the end of the 21st."""
    runs = [a_run("r0", -ahead), a_run("r1", -ahead), a_run("r0", -ahead, "neo4j")]
    memory: Check[Any] = Check(
        id="redis.memory", question="How full?", system="redis", query="INFO", runbook="r", run=lambda _session: [Finding(verdict="critical", message="full")]
    )
    link: Link[Any] = Link(connect=lambda _s: 1, answers=lambda _c, _s: 1, close=lambda _c: None)
    runs[0].items += run_checks([memory], link, system="redis", region="r0").items
    endpoints = [{"system": run.system, "region": run.region, "run": run.to_mapping()} for run in runs]
    given = {"run_id": at[11:13], "started": at, "environment": "sandbox", "report_dir": str(tmp_path), "endpoints": json.dumps(endpoints)}
    known = [memory, Check(id="redis.clock", question="?", system="redis", query="q", runbook="r", run=lambda _session: [])]
    result = conclude({**DEFAULTS, **given, "waivers": [WAIVER]}, known)
    return dict(json.loads(Path(result["path"]).read_text(encoding="utf-8")))


def test_times_are_put_right_so_that_waivers_and_history_stay_true(tmp_path: Path) -> None:
    late = concluded(tmp_path, 86400.0, "2026-11-22T12:00:00Z")
    assert late["started"] == NOON
    assert [(item["id"], item["verdict"]) for item in late["items"] if item["verdict"] not in ("ok", "skipped")] == [("health.clock", "critical")]
    assert any("not of ours" in note for note in late["notes"])
    # The next run, by a clock that was mended, finds no run of the future.
    after = concluded(tmp_path, 0.0, "2026-11-21T13:00:00Z")
    assert {item["id"] for item in after["items"] if item["verdict"] not in ("ok", "skipped")} == set()
    assert after["health"]["compared_with"] == NOON
    assert [one["id"] for one in after["health"]["resolved"]] == ["health.clock"]


def test_a_time_is_put_back_by_whole_seconds_and_left_alone_otherwise() -> None:
    assert majority.back(NOON, 0.0) == NOON
    assert moment(NOON) - moment(majority.back(NOON, 3600.0)) == timedelta(hours=1)
