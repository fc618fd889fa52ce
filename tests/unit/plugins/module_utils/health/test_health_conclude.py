# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A whole run concluded: what endpoints brought back, the past, waivers and outputs come together, and no gap looks like health."""

from __future__ import annotations

import json
import stat
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.leanvibe.ops.plugins.module_utils.common.errors import InvalidInput, OpsError
from ansible_collections.leanvibe.ops.plugins.module_utils.health.arguments import REPORT
from ansible_collections.leanvibe.ops.plugins.module_utils.health.collecting import collect
from ansible_collections.leanvibe.ops.plugins.module_utils.health.conclude import conclude, perform
from ansible_collections.leanvibe.ops.plugins.module_utils.health.gathering import Gathered
from ansible_collections.leanvibe.ops.plugins.module_utils.health.model import Check, Comparison, Finding, Threshold
from ansible_collections.leanvibe.ops.plugins.module_utils.health.results import Done
from ansible_collections.leanvibe.ops.plugins.module_utils.health.runner import Link, run_checks
from ansible_collections.leanvibe.ops.plugins.module_utils.reports.schema import report_schema
from jsonschema import Draft202012Validator

VALID = Draft202012Validator(report_schema())
PLACE = "us-east-1/redis"


def check(name: str, *found: Finding, **more: Any) -> Check[Any]:
    threshold = Threshold(degraded=80, critical=95, unit="%", source="guide")
    given = {"question": f"How is {name}?", "query": f"INFO {name}", "runbook": f"runbooks/redis.md#{name}", "threshold": threshold}
    return Check(id=f"redis.{name}", system="redis", run=lambda _session: found, **{**given, **more})


PARITY = Comparison(
    id="redis.acl_parity",
    system="redis",
    question="Are the users equal?",
    query="ACL LIST",
    runbook="r",
    fact="acl",
    told_by="postgresql.acl",
    compare=lambda _sides: [Finding(verdict="ok")],
)
KNOWN = [check("memory"), check("evictions"), PARITY]


def run(*checks: Check[Any]) -> dict[str, Any]:
    link = Link(connect=lambda _s: 1, answers=lambda _c, _s: 1, close=lambda _c: None)
    return run_checks(checks, link, system="redis", region="us-east-1").to_mapping()


def params(tmp_path: Path, *runs: dict[str, Any], day: int = 21, **more: Any) -> dict[str, Any]:
    endpoints = [{"system": one["system"], "region": one["region"], "run": one} if "checks" in one else one for one in runs]
    given = {name: spec.get("default") for name, spec in REPORT.items()}
    given |= {"run_id": f"r{day}", "started": f"2026-11-{day:02}T06:00:00Z", "environment": "sandbox", "regions": ["us-east-1"]}
    return {**given, "report_dir": str(tmp_path), "endpoints": json.dumps(endpoints), "expected": {"redis": ["us-east-1"]}, **more}


def perform_run(tmp_path: Path, *runs: dict[str, Any], **more: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """The module's result and the report, which is valid whatever happened."""
    result = conclude(params(tmp_path, *runs, **more), KNOWN)
    report = json.loads(Path(result["path"]).read_text(encoding="utf-8"))
    assert not list(VALID.iter_errors(report))
    assert (report["verdict"], report["counts"]) == (result["verdict"], result["counts"])
    return result, report


FULL = Finding(observed=99, name="acme", tenants=["acme"])
WELL = Finding(observed=10)


def test_a_healthy_run_is_ok_and_counts_its_checks(tmp_path: Path) -> None:
    result, report = perform_run(tmp_path, run(check("memory", WELL), check("evictions", WELL)))
    assert (result["verdict"], result["failing"], result["new"]) == ("ok", False, 0)
    assert report["health"]["checks"] == {"executed": 2, "skipped": 1, "could_not_run": 0}
    assert report["health"]["questions"]["redis.memory"] == "How is memory?"
    assert report["items"][0]["query"] == "INFO memory"


@pytest.mark.parametrize(
    ("runs", "said"),
    [
        ((), "no host of this run stands for it"),
        (({"system": "redis", "region": "us-east-1", "error": "module crashed"},), "none of its checks ran: module crashed"),
        (({"system": "redis", "region": "us-east-1", "run": {"items": []}},), "cannot be read"),
        (
            (
                {
                    "system": "redis",
                    "region": "us-east-1",
                    "run": {"system": "redis", "region": "x", "items": [], "checks": [{"odd": 1}], "facts": {}, "seconds": 1},
                },
            ),
            "cannot be read",
        ),
    ],
)
def test_an_endpoint_that_brought_nothing_back_is_unknown(runs: tuple[dict[str, Any], ...], said: str, tmp_path: Path) -> None:
    result, report = perform_run(tmp_path, *runs)
    assert (result["verdict"], result["failing"]) == ("unknown", True)
    assert any(said in item["message"] for item in report["items"] if item["id"] == "health.endpoint")
    assert report["health"]["checks"]["executed"] == 0


def test_a_run_in_which_no_check_was_executed_is_unknown(tmp_path: Path) -> None:
    result, report = perform_run(tmp_path, expected={})
    assert result["verdict"] == "unknown"
    assert "nothing is known about the platform" in report["items"][-1]["message"]
    assert perform_run(tmp_path, run(check("memory")), expected={})[0]["verdict"] == "unknown"


def test_since_new_open_resolved_and_trend_over_three_days(tmp_path: Path) -> None:
    perform_run(tmp_path, run(check("memory", WELL)), day=19)
    second, report = perform_run(tmp_path, run(check("memory", WELL, FULL)), day=20)
    assert second["new"] == 1
    assert [(item["status"], item["since"]) for item in report["items"] if item["verdict"] == "critical"] == [("new", "2026-11-20T06:00:00Z")]
    third, report = perform_run(tmp_path, run(check("memory", WELL, FULL)), day=21)
    assert third["new"] == 0
    assert [(item["status"], item["since"]) for item in report["items"] if item["verdict"] == "critical"] == [("open", "2026-11-20T06:00:00Z")]
    assert report["items"][0]["trend"] == [10, 10, 10]
    assert [run_["verdict"] for run_ in report["health"]["runs"]] == ["ok", "critical", "critical"]
    _fourth, report = perform_run(tmp_path, run(check("memory", WELL)), day=22)
    gone = {"id": "redis.memory", "subject": f"{PLACE}/acme", "verdict": "critical", "since": "2026-11-20T06:00:00Z"}
    assert (report["health"]["resolved"], report["health"]["unseen"]) == ([gone], [])


def test_what_could_not_be_looked_at_again_is_not_resolved(tmp_path: Path) -> None:
    perform_run(tmp_path, run(check("memory", FULL)), day=20)

    def half(_session: Any) -> Any:
        yield WELL
        raise OpsError("then it broke")

    for day, blind in ((21, run(check("memory"))), (22, run(_with(half))), (23, run(check("evictions", WELL)))):
        _result, report = perform_run(tmp_path, blind, day=day)
        assert f"{PLACE}/acme" not in [one["subject"] for one in report["health"]["resolved"]]
        assert [one["since"] for one in report["health"]["unseen"] if one["subject"] == f"{PLACE}/acme"] == ["2026-11-20T06:00:00Z"]
    _result, report = perform_run(tmp_path, run(check("memory", FULL)), day=24)
    assert [item["since"] for item in report["items"] if item["verdict"] == "critical"] == ["2026-11-20T06:00:00Z"]


def _with(work: Any) -> Check[Any]:
    return Check(id="redis.memory", system="redis", question="?", query="q", runbook="r", threshold=Threshold(degraded=80, source="x"), run=work)


@pytest.mark.parametrize(("only_new", "failing"), [(False, [True, True]), (True, [True, False])])
def test_only_new_findings_fail_a_run_if_asked(only_new: bool, failing: list[bool], tmp_path: Path) -> None:
    for day, expected in zip((20, 21), failing, strict=True):
        assert perform_run(tmp_path, run(check("memory", FULL)), day=day, fail_only_new=only_new)[0]["failing"] is expected


def test_a_damaged_history_is_a_finding_and_everything_counts_as_new(tmp_path: Path) -> None:
    perform_run(tmp_path, run(check("memory", FULL)), day=20)
    for path in (tmp_path / "health/history/sandbox").iterdir():
        path.write_text(path.read_text(encoding="utf-8")[:50], encoding="utf-8")
    result, report = perform_run(tmp_path, run(check("memory", FULL)), day=21, fail_only_new=True)
    assert result["failing"] is True
    assert any(item["id"] == "health.history" and item["verdict"] == "degraded" and "everything counts as new" in item["message"] for item in report["items"])


WAIVER = {"check": "redis.memory", "subject": f"{PLACE}/acme", "reason": "until the migration is done", "owner": "alice", "expires": "2026-11-21"}


def test_a_waived_finding_is_shown_and_does_not_fail_and_fails_again_when_it_ends(tmp_path: Path) -> None:
    result, report = perform_run(tmp_path, run(check("memory", WELL, FULL)), waivers=[WAIVER], day=21)
    assert (result["verdict"], result["failing"]) == ("ok", False)
    assert [item["waiver"]["verdict"] for item in report["items"] if "waiver" in item] == ["critical"]
    assert "Waived:" in result["summary"]
    result, report = perform_run(tmp_path, run(check("memory", WELL, FULL)), waivers=[WAIVER], day=22)
    assert (result["verdict"], result["failing"]) == ("critical", True)
    assert [item["since"] for item in report["items"] if item["verdict"] == "critical"] == ["2026-11-21T06:00:00Z"]
    assert [item["verdict"] for item in report["items"] if item["id"] == "health.waivers"] == ["degraded"]
    _result, report = perform_run(tmp_path, run(check("memory", WELL)), waivers=[{**WAIVER, "expires": "2026-12-01"}], day=23)
    assert any("matches nothing" in note for note in report["notes"])


def test_all_mistakes_in_all_inputs_are_named_at_once_and_nothing_is_written(tmp_path: Path) -> None:
    wrong = {"thresholds": {"redis.memry": {"degraded": 1}}, "waivers": [{**WAIVER, "subject": "*"}], "fail_on": ["bad"], "without": ["redis.x"]}
    with pytest.raises(InvalidInput) as refused:
        conclude(params(tmp_path, run(check("memory", WELL)), **wrong), KNOWN)
    assert len(refused.value.problems) == 4
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(InvalidInput, match=r"change 1 needs at .*"):
        conclude(params(tmp_path, changes=[{"what": "x"}]), KNOWN)


def test_inputs_can_be_checked_alone(tmp_path: Path) -> None:
    assert perform(params(tmp_path, step="inputs"))["changed"] is False
    with pytest.raises(InvalidInput, match=r"no\.such is no check"):
        perform(params(tmp_path, step="inputs", thresholds={"no.such": {"degraded": 1}}))
    assert list(tmp_path.iterdir()) == []


def test_a_check_run_replaces_nothing_and_is_not_remembered(tmp_path: Path) -> None:
    outputs = {"prometheus_file": str(tmp_path / "ops.prom"), "junit_file": str(tmp_path / "ops.xml")}
    perform_run(tmp_path, run(check("memory", WELL)), day=20, **outputs)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    result, _report = perform_run(tmp_path, run(check("memory", FULL)), day=21, check=True, **outputs)
    assert result["path"].endswith("-check.json")
    assert {path: path.read_bytes() for path in before} == before
    assert {path.name for path in tmp_path.rglob("*") if path.is_file()} - {path.name for path in before} == {
        "20261121T060000Z-r21-check.json",
        "20261121T060000Z-r21-check.html",
    }


def test_all_outputs_are_written_whole_and_the_exporter_may_read_its_file(tmp_path: Path) -> None:
    result, _report = perform_run(
        tmp_path, run(check("memory", FULL)), prometheus_file=str(tmp_path / "out/ops.prom"), junit_file=str(tmp_path / "out/ops.xml")
    )
    assert [Path(path).name for path in result["paths"]] == ["20261121T060000Z-r21.json", "20261121T060000Z-r21.html", "ops.prom", "ops.xml"]
    assert stat.S_IMODE((tmp_path / "out/ops.prom").stat().st_mode) == 0o644
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["ops.prom", "ops.xml"]


def test_an_output_that_fails_is_a_finding_and_no_crash(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    result, report = perform_run(tmp_path, run(check("memory", WELL)), prometheus_file=str(tmp_path / "file/ops.prom"), history_dir=str(tmp_path / "file"))
    assert (result["verdict"], result["failing"]) == ("degraded", False)
    assert sorted(item["message"].split(" ")[0] for item in report["items"] if item["id"] == "health.sinks")[1] == "The"
    assert "health_prometheus_file" in result["summary"]
    result, report = perform_run(tmp_path, run(check("memory", WELL)), prometheus_file=str(tmp_path / "file/ops.prom"), fail_on=["degraded"], day=22)
    assert result["failing"] is True
    assert report["health"]["failed"] is True


def test_a_report_that_cannot_be_written_leaves_no_memory_of_the_run(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(OpsError, match="Set report_dir"):
        conclude(params(tmp_path / "file", run(check("memory", FULL)), history_dir=str(tmp_path / "history")), KNOWN)
    assert not (tmp_path / "history").exists()


def test_changes_of_the_last_day_stand_beside_what_came_after_them(tmp_path: Path) -> None:
    perform_run(tmp_path, run(check("memory", WELL)), day=20)
    changes = [
        {"at": "2026-11-21T01:00:00Z", "what": "rollout", "where": "us-east-1/kubernetes", "who": "alice"},
        {"at": "2026-11-19T01:00:00Z", "what": "too old"},
        {"at": "2026-11-22T01:00:00Z", "what": "not yet"},
    ]
    result, report = perform_run(tmp_path, run(check("memory", FULL)), day=21, changes=changes)
    assert report["health"]["changes"] == [{**changes[0], "before": [f"redis.memory {PLACE}/acme"]}]
    assert f"rollout  alice  <- before: redis.memory {PLACE}/acme" in result["summary"]
    _result, report = perform_run(tmp_path, run(check("memory", FULL)), day=22, changes=[{"at": "2026-11-21T08:00:00Z", "what": "later"}])
    assert report["health"]["changes"][0]["before"] == []


def test_a_change_before_the_last_run_did_not_bring_what_is_new(tmp_path: Path) -> None:
    perform_run(tmp_path, run(check("memory", WELL)), day=21)
    changes = [{"at": "2026-11-21T05:00:00Z", "what": "before the last run"}, {"at": "2026-11-21T07:00:00Z", "what": "after it"}]
    _result, report = perform_run(tmp_path, run(check("memory", FULL)), run_id="noon", started="2026-11-21T12:00:00Z", changes=changes)
    assert {change["what"]: len(change["before"]) for change in report["health"]["changes"]} == {"before the last run": 0, "after it": 1}


def test_where_a_part_was_not_measured_nothing_is_resolved(tmp_path: Path) -> None:
    perform_run(tmp_path, run(check("memory", FULL)), day=20)
    partly = run(check("memory", WELL, Finding(verdict="unknown", message="one node gave no answer", name="node-2")))
    _result, report = perform_run(tmp_path, partly, day=21)
    assert report["health"]["resolved"] == []
    assert report["health"]["checks"]["executed"] == 1


@pytest.mark.parametrize(
    ("outcome", "reason", "verdict", "looked_at"),
    [("executed", "", "ok", True), ("executed", "ended early", "ok", False), ("executed", "", "unknown", False), ("skipped", "", "skipped", False)],
)
def test_only_what_ran_to_its_end_was_looked_at(outcome: str, reason: str, verdict: str, looked_at: bool) -> None:
    done = Done("redis.memory", PLACE, outcome, 0.1, reason)
    gathered = Gathered([{"id": "redis.memory", "subject": f"{PLACE}/acme", "verdict": verdict}], [done])
    assert (("redis.memory", PLACE) in gathered.looked_at()) is looked_at


def test_what_fills_says_when_it_will_be_full(tmp_path: Path) -> None:
    for day in range(1, 13):
        result, report = perform_run(tmp_path, run(check("memory", Finding(observed=10 + 2 * day, capacity=100))), day=day)
    assert report["items"][0]["forecast"]["days"] == pytest.approx(33, abs=0.2)
    assert report["items"][0]["forecast"]["points"] == 12
    assert "Will be full:" in result["summary"]


def test_comparisons_use_the_facts_that_came_back(tmp_path: Path) -> None:
    sides = [{**run(check("memory", WELL)), "region": region, "facts": {"acl": ["default"]}} for region in ("us-east-1", "us-west-2")]
    _result, report = perform_run(tmp_path, *sides, expected={"redis": ["us-east-1", "us-west-2"]})
    assert [item["verdict"] for item in report["items"] if item["id"] == "redis.acl_parity"] == ["ok"]
    _result, report = perform_run(tmp_path, sides[0], expected={"redis": ["us-east-1", "us-west-2"]}, day=22)
    assert [item["verdict"] for item in report["items"] if item["id"] == "redis.acl_parity"] == ["unknown"]


def test_thresholds_of_the_inventory_count_for_comparisons(tmp_path: Path) -> None:
    lag = replace(PARITY, threshold=Threshold(degraded=30, unit="s", source="guide"), compare=lambda _sides: [Finding(observed=10)])
    sides = [{**run(), "region": region, "facts": {"acl": []}} for region in ("us-east-1", "us-west-2")]
    for thresholds, verdict in (({}, "ok"), ({"redis.acl_parity": {"degraded": 5}}, "degraded")):
        given = params(tmp_path, *sides, expected={"redis": ["us-east-1", "us-west-2"]}, thresholds=thresholds)
        report = json.loads(Path(conclude(given, [lag])["path"]).read_text(encoding="utf-8"))
        assert [item["verdict"] for item in report["items"]] == [verdict]


def test_the_next_run_gets_what_this_one_counted(tmp_path: Path) -> None:
    assert perform(params(tmp_path, step="inputs"))["counters_before"] == {}
    perform_run(tmp_path, {**run(check("memory", WELL)), "facts": {"counters": {"evicted_keys": 7}, "acl": []}}, day=20)
    perform_run(tmp_path, {"system": "redis", "region": "us-east-1", "error": "gone"}, day=21)
    asked = perform(params(tmp_path, step="inputs", started="2026-11-22T06:00:00Z"))
    assert asked["counters_before"] == {PLACE: {"evicted_keys": 7}}
    assert perform(params(tmp_path, step="inputs", environment="production"))["counters_before"] == {}


def test_planted_secrets_are_in_nothing_that_was_written(tmp_path: Path) -> None:
    leak = "redis://ops:hunter2-hunter2@cache/0"
    finding = Finding(verdict="critical", message=leak, evidence=leak, query=leak, observed={"url": leak, "password": "hunter2-hunter2"})
    outputs = {"prometheus_file": str(tmp_path / "ops.prom"), "junit_file": str(tmp_path / "ops.xml")}
    changes = [{"at": "2026-11-21T01:00:00Z", "what": leak}]
    error = {"system": "redis", "region": "us-west-2", "error": leak}
    result, _report = perform_run(tmp_path, run(check("memory", finding)), error, notes=[leak], changes=changes, **outputs)
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(files) == 7
    assert not [path for path in files if "hunter2" in path.read_text(encoding="utf-8")]
    assert "hunter2" not in json.dumps(result)


def test_the_hosts_results_are_collected_with_their_failures() -> None:
    good = run(check("memory", WELL))
    hostvars: dict[str, dict[str, Any]] = {
        "a": {"leanvibe_ops_system": "redis", "leanvibe_ops_region": "us-east-1", "__health_run": {"run": good, "invocation": {"password": "x"}}},
        "b": {"leanvibe_ops_system": "redis", "leanvibe_ops_region": "us-west-2", "__health_run": {"failed": True, "msg": "no such file"}},
        "c": {"leanvibe_ops_system": "redis", "leanvibe_ops_region": "eu", "__health_run": {"skipped": True}},
        "d": {"leanvibe_ops_system": "redis", "leanvibe_ops_region": "ap"},
        "e": {"__application": {"changed": False}},
    }
    found = collect(hostvars, hostvars, {"__health_run": "", "__application": "application"})
    assert found == [
        {"system": "redis", "region": "us-east-1", "run": good},
        {"system": "redis", "region": "us-west-2", "error": "no such file"},
        {"system": "application", "region": "control", "error": "its task ended without a run and without a message"},
    ]
