# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The end of a diagnosis: who it is about, the report with its schema, the bundle without secrets."""

from __future__ import annotations

import hashlib
import io
import json
import stat
import tarfile
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.leanvibe.ops.plugins.module_utils.common.errors import InvalidInput, OpsError
from ansible_collections.leanvibe.ops.plugins.module_utils.diagnosis import bundle
from ansible_collections.leanvibe.ops.plugins.module_utils.diagnosis.arguments import FIXED, REPORT
from ansible_collections.leanvibe.ops.plugins.module_utils.diagnosis.conclude import about, perform
from ansible_collections.leanvibe.ops.plugins.module_utils.reports.schema import report_schema
from ansible_collections.leanvibe.ops.plugins.module_utils.reports.writer import put
from jsonschema import Draft202012Validator

AREAS = ["infrastructure", "application", "database", "dependencies", "business_logic"]
SECRET = "planted-and-nowhere-else"


def found(name: str, subject: str, verdict: str = "ok", **more: Any) -> dict[str, Any]:
    usual = {"id": name, "subject": subject, "verdict": verdict, "observed": None, "unit": None, "threshold": None, "message": f"{name} says {verdict}"}
    return {**usual, "evidence": None, "runbook": "diagnose.md", "tenants": [], "query": "q", **more}


def endpoint(system: str, *items: dict[str, Any], **facts: Any) -> dict[str, Any]:
    checks = [{"id": name, "place": f"us-east-1/{system}", "outcome": "executed", "seconds": 0.1, "reason": ""} for name in {item["id"] for item in items}]
    run = {"system": system, "region": "us-east-1", "items": list(items), "checks": checks, "facts": facts, "seconds": 0.1}
    return {"system": system, "region": "us-east-1", "run": run}


STATEMENT = {"observed": 400.0, "unit": "s/h", "message": f"<script>SELECT 1</script> password={SECRET}"}
ENDPOINTS = [
    endpoint(
        "postgresql",
        found("postgresql.statements", "us-east-1/postgresql/app/1", "degraded", **STATEMENT),
        found("postgresql.tenant_statements", "us-east-1/postgresql/tenant/acme", "degraded", observed=80, unit="%", tenants=["acme"]),
        found("postgresql.round_trip", "us-east-1/postgresql", observed=0.2, unit="ms"),
        counters={"statements": {"at": 5.0}},
    ),
    endpoint("kubernetes", found("kubernetes.nodes_ready", "us-east-1/kubernetes")),
    endpoint("backend", found("backend.up", "us-east-1/backend"), found("backend.journey", "us-east-1/backend")),
]


def params(folder: Path, **more: Any) -> dict[str, Any]:
    usual = {name: option.get("default") for name, option in REPORT.items()}
    given = {"run_id": "r1", "started": "2026-11-21T06:00:00Z", "environment": "sandbox", "regions": ["us-east-1"], "report_dir": str(folder)}
    return {**FIXED, **usual, **given, "endpoints": json.dumps(ENDPOINTS), **more}


def latest(folder: Path) -> dict[str, Any]:
    return dict(json.loads((folder / "diagnose/latest.json").read_text(encoding="utf-8")))


@pytest.mark.parametrize(("selected", "chosen", "expected"), [([], False, ""), (["a", "b"], False, ""), (["a"], True, "a")])
def test_it_is_about_one_tenant_or_the_platform(selected: list[str], chosen: bool, expected: str) -> None:
    assert about(selected, chosen) == expected


@pytest.mark.parametrize("selected", [[], ["a", "b"]])
def test_anything_else_is_refused(selected: list[str]) -> None:
    with pytest.raises(InvalidInput, match=f"chooses {len(selected)} tenants"):
        about(selected, chosen=True)


def test_the_report_has_areas_ranking_and_plan_and_obeys_its_schema(tmp_path: Path) -> None:
    result = perform(params(tmp_path, tenant="acme"))
    report = latest(tmp_path)
    Draft202012Validator(report_schema()).validate(report)
    assert result["areas"] == dict(zip(AREAS, ["ok", "ok", "degraded", "unknown", "ok"], strict=True))
    assert [(one["rank"], one["id"], one["effect"], one["unit"], one["phase"]) for one in report["diagnosis"]["ranking"]] == [
        (1, "postgresql.statements", 400.0, "s/h", "tuning and capacity"),
        (2, "postgresql.tenant_statements", 80.0, "%", "architecture"),
        (3, "diagnose.area", None, None, "quick wins"),
    ]
    assert [phase["findings"] for phase in report["diagnosis"]["plan"]] == [[3], [1], [2]]
    # Of the dependencies nothing is known, and that fails the run.
    assert (result["verdict"], result["failing"], report["diagnosis"]["tenant"]) == ("unknown", True, "acme")
    assert [item["subject"] for item in report["items"] if item["id"] == "diagnose.area"] == ["control/dependencies"]
    assert perform(params(tmp_path, fail_on=["critical"]))["failing"] is False


def test_words_for_people_hold_the_same_and_nothing_of_systems_is_markup(tmp_path: Path) -> None:
    result = perform(params(tmp_path))
    page = (tmp_path / "diagnose/latest.html").read_text(encoding="utf-8")
    for text in ("diagnosis of the platform", "1. [400 s/h] postgresql.statements", "tuning and capacity (2-6 weeks): 1", "0.2 ms us-east-1/postgresql"):
        assert text in result["summary"]
    assert "<script>SELECT" not in page
    assert "&lt;script&gt;SELECT 1" in page
    assert "Diagnosis of the platform" in page
    assert '<tr><td>dependencies</td><td class="unknown">unknown</td>' in page
    assert SECRET not in page + result["summary"] + json.dumps(latest(tmp_path))


def test_what_was_counted_is_there_for_the_next_run(tmp_path: Path) -> None:
    asked = {"step": "inputs", "chosen": True, "selected_ids": ["acme"], "only": ["postgresql.statements"]}
    told = perform(params(tmp_path, **asked))
    assert "postgresql.statements" in told.pop("checks")
    assert told == {"changed": False, "tenant": "acme", "only": ["postgresql.statements"], "counters_before": {}}
    perform(params(tmp_path))
    later = perform(params(tmp_path, **asked, started="2026-11-21T07:00:00Z"))
    assert later["counters_before"] == {"us-east-1/postgresql": {"statements": {"at": 5.0}}}
    with pytest.raises(InvalidInput, match=r"no\.such_check is no check"):
        perform(params(tmp_path, step="inputs", only=["no.such_check"]))


def test_a_run_that_cannot_be_kept_is_a_finding_in_its_report(tmp_path: Path) -> None:
    (tmp_path / "diagnose").mkdir()
    (tmp_path / "diagnose/history").write_text("a file, where a folder is needed", encoding="utf-8")
    result = perform(params(tmp_path, fail_on=["critical"]))
    report = latest(tmp_path)
    assert [item["verdict"] for item in report["items"] if item["id"] == "health.sinks"] == ["degraded"]
    assert report["diagnosis"]["ranking"][-1]["id"] == "health.sinks"
    assert {one["rank"] for one in report["diagnosis"]["ranking"]} == {number for phase in report["diagnosis"]["plan"] for number in phase["findings"]}
    assert "cannot be kept" in result["summary"]
    Draft202012Validator(report_schema()).validate(report)


def test_a_check_run_leaves_the_latest_report_and_the_history_alone(tmp_path: Path) -> None:
    result = perform(params(tmp_path, check=True))
    assert Path(result["path"]).name == "20261121T060000Z-r1-check.json"
    assert sorted(path.name for path in (tmp_path / "diagnose").iterdir()) == ["20261121T060000Z-r1-check.html", "20261121T060000Z-r1-check.json"]


# The bundle


def test_the_bundle_is_whole_private_and_listed(tmp_path: Path) -> None:
    result = perform(params(tmp_path, bundle=True, hide=["acme", "us-east-1/backend"]))
    packed = tmp_path / "diagnose/20261121T060000Z-r1.tar.gz"
    assert result["paths"][-1] == str(packed)
    assert stat.S_IMODE(packed.stat().st_mode) == 0o600
    with tarfile.open(packed) as tar:
        bodies = {entry.name.removeprefix("20261121T060000Z-r1/"): (tar.extractfile(entry) or io.BytesIO()).read() for entry in tar}
    sums = bodies.pop("SHA256SUMS").decode()
    assert sums == "".join(f"{hashlib.sha256(body).hexdigest()}  {name}\n" for name, body in bodies.items())
    endpoints = ["endpoints/01-us-east-1-postgresql.json", "endpoints/02-us-east-1-kubernetes.json", "endpoints/03-us-east-1-backend.json"]
    assert list(bodies) == [*endpoints, "report.html", "report.json", "summary.txt"]
    everything = b"".join(bodies.values()).decode()
    assert SECRET not in everything
    assert "us-east-1/backend" not in everything  # what is to be hidden is, whatever it looks like
    assert "acme" in everything  # too short to be told from a word


def test_without_being_asked_there_is_no_bundle(tmp_path: Path) -> None:
    perform(params(tmp_path))
    assert list((tmp_path / "diagnose").glob("*.tar.gz")) == []


def test_the_longest_secret_is_hidden_whole() -> None:
    packed = bundle.archive({"a": "x-secret-secret-long-y"}, ["secret-secret", "secret-secret-long"], "f", 0)
    with tarfile.open(fileobj=io.BytesIO(packed)) as tar:
        assert (tar.extractfile("f/a") or io.BytesIO()).read() == b"x-(redacted)-y"
    assert packed == bundle.archive({"a": "x-secret-secret-long-y"}, ["secret-secret-long", "secret-secret"], "f", 0)


def test_a_bundle_that_cannot_be_written_is_an_error_that_says_the_way_out(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OpsError, match="Set report_dir"):
        put(tmp_path / "file" / "x.tar.gz", b"", "report_dir")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file"]
