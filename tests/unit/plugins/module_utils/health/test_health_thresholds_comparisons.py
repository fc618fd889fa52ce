# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Thresholds, answers that hold nothing, and comparisons between endpoints."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.leanvibe.ops.plugins.module_utils.common.errors import OpsError
from ansible_collections.leanvibe.ops.plugins.module_utils.health import catalogue, reading
from ansible_collections.leanvibe.ops.plugins.module_utils.health.comparisons import compare, completed, finding
from ansible_collections.leanvibe.ops.plugins.module_utils.health.model import Check, Comparison, Finding, NoData, NotApplicable, Side, Threshold
from ansible_collections.leanvibe.ops.plugins.module_utils.health.results import COULD_NOT_RUN, Done, Run
from ansible_collections.leanvibe.ops.plugins.module_utils.health.runner import Selection
from ansible_collections.leanvibe.ops.plugins.module_utils.health.thresholds import judge, mistakes, with_overrides

LAG = Threshold(degraded=30, critical=300, unit="s", source="guide")
HITS = Threshold(degraded=0.95, critical=0.8, worse="lower", source="guide")


@pytest.mark.parametrize(
    ("value", "threshold", "verdict"),
    [
        (0, LAG, "ok"),
        (29.999, LAG, "ok"),
        (30, LAG, "degraded"),
        (299, LAG, "degraded"),
        (300, LAG, "critical"),
        (1e9, LAG, "critical"),
        (-1, LAG, "ok"),
        (0.99, HITS, "ok"),
        (0.95, HITS, "degraded"),
        (0.8, HITS, "critical"),
        (0, HITS, "critical"),
        (5, Threshold(critical=5, source="x"), "critical"),
        (5, Threshold(degraded=5, source="x"), "degraded"),
        (0, Threshold(degraded=0, source="x"), "degraded"),
        (float("nan"), LAG, "unknown"),
        (float("inf"), LAG, "unknown"),
        (True, LAG, "unknown"),
        (None, LAG, "unknown"),
    ],
)
def test_a_value_at_the_threshold_belongs_to_it(value: Any, threshold: Threshold, verdict: str) -> None:
    assert judge(value, threshold) == verdict


@pytest.mark.parametrize("wrong", [{}, {"degraded": 3, "critical": 2}, {"degraded": 2, "critical": 3, "worse": "lower"}, {"degraded": 1, "worse": "more"}])
def test_a_threshold_that_makes_no_sense_cannot_be_made(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        Threshold(source="x", **wrong)


def a_check(name: str, threshold: Threshold | None = LAG, variants: dict[str, Threshold] | None = None) -> Check[Any]:
    return Check(
        id=f"postgresql.{name}", system="postgresql", question="?", query="q", runbook="r", threshold=threshold, variants=variants or {}, run=lambda _s: []
    )


CHECKS = [a_check("replication_lag"), a_check("cache_hits", HITS), a_check("up", None), a_check("latency", None, {"team": LAG})]


def test_an_inventorys_figures_replace_the_checks_and_say_so() -> None:
    changed = with_overrides(CHECKS, {"postgresql.replication_lag": {"degraded": 5}, "postgresql.latency[team]": {"critical": 999}, "redis.x": {"degraded": 1}})
    lag, team = changed[0].threshold, changed[3].variants["team"]
    assert lag is not None
    assert (lag.degraded, lag.critical, lag.unit, lag.source) == (5, 300, "s", "inventory (health_thresholds)")
    assert (team.degraded, team.critical) == (30, 999)
    assert changed[1].threshold == HITS
    never = with_overrides(CHECKS, {"postgresql.replication_lag": {"critical": None}})[0].threshold
    assert never is not None
    assert judge(1e9, never) == "degraded"


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ({"postgresql.replicaton_lag": {"degraded": 1}}, "postgresql.replicaton_lag is no check; did you mean postgresql.replication_lag?"),
        ({"postgresql.latency[tema]": {"degraded": 1}}, "did you mean postgresql.latency[team]?"),
        ({"postgresql.up": {"degraded": 1}}, "has no threshold"),
        ({"postgresql.replication_lag": 5}, "must be a mapping with degraded, critical or both"),
        ({"postgresql.replication_lag": {}}, "must be a mapping"),
        ({"postgresql.replication_lag": {"warning": 5}}, "must be a mapping"),
        ({"postgresql.replication_lag": {"degraded": "5"}}, "degraded must be a number (s)"),
        ({"postgresql.replication_lag": {"degraded": True}}, "degraded must be a number"),
        ({"postgresql.replication_lag": {"degraded": 500}}, "must lie beyond degraded"),
        ({"postgresql.cache_hits": {"degraded": 0.5}}, "lower is worse"),
        ({"postgresql.replication_lag": {"degraded": None, "critical": None}}, "needs degraded or critical"),
    ],
)
def test_mistakes_in_thresholds_are_named(override: dict[str, Any], said: str) -> None:
    assert said in mistakes(override, CHECKS)[0]


def test_all_mistakes_are_named_at_once_and_correct_ones_are_none() -> None:
    assert len(mistakes({"a.b": {}, "postgresql.up": {"degraded": 1}, "postgresql.replication_lag": {"degraded": 1}}, CHECKS)) == 2


def test_a_catalogue_holds_each_id_once() -> None:
    assert [about.id for about in catalogue.everything([CHECKS])] == [one.id for one in CHECKS]
    with pytest.raises(ValueError, match="two checks have the id"):
        catalogue.everything([CHECKS, [a_check("up")]])
    assert len(catalogue.everything()) == sum(len(system) for system in catalogue.SYSTEMS)


@pytest.mark.parametrize("rows", [[], [1, 2]])
def test_not_one_row_is_no_data(rows: list[int]) -> None:
    with pytest.raises(NoData, match=f"{len(rows)} came"):
        reading.single(rows, "pg_stat_replication")
    assert reading.single([7], "x") == 7


def test_null_is_no_data_and_zero_is_a_value() -> None:
    assert reading.measured(0, "lag") == 0
    with pytest.raises(NoData, match="which is not 0"):
        reading.measured(None, "lag")


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("", "answered with nothing"),
        (b" \n", "answered with nothing"),
        ("<!DOCTYPE html><title>Sign in</title>", "HTML where JSON was expected: <!DOCTYPE"),
        ("<html>503</html>", "HTML"),
        ('{"half": ', "something else"),
    ],
)
def test_what_is_no_json_is_no_data(body: str | bytes, said: str) -> None:
    with pytest.raises(NoData, match=said):
        reading.json_of(body, "https://api/health")
    assert reading.json_of(b'{"a": 0}', "x") == {"a": 0}


@pytest.mark.parametrize(
    "answer",
    [
        {"status": "success", "data": {"resultType": "vector", "result": []}},
        {"status": "error", "error": "parse error"},
        {"status": "success", "data": {"resultType": "matrix", "result": [1]}},
        {"status": "success"},
        [],
        None,
    ],
)
def test_an_empty_vector_is_no_data_and_not_zero(answer: Any) -> None:
    with pytest.raises(NoData):
        reading.vector(answer, "increase(tenant_signups_total[24h])")


def test_all_series_of_a_vector_count_and_a_zero_is_a_value() -> None:
    result = [{"metric": {"region": "a"}, "value": [1, "0"]}, {"metric": {"region": "b"}, "value": [1, "2.5"]}]
    assert reading.vector({"status": "success", "data": {"resultType": "vector", "result": result}}, "x") == [({"region": "a"}, 0.0), ({"region": "b"}, 2.5)]


def test_having_looked_at_nothing_is_not_fine_unless_said_why() -> None:
    assert reading.reviewed([], 3, "indexes")[0].message == "3 indexes, nothing wrong"
    assert reading.reviewed([], 0, "slots", none_is_fine="nothing replicates")[0].verdict == "ok"
    bad = [Finding(verdict="degraded", message="x")]
    assert reading.reviewed(bad, 3, "indexes") == bad
    with pytest.raises(NoData, match="no indexes to look at"):
        reading.reviewed([], 0, "indexes")


def comparison(work: Any) -> Comparison:
    return Comparison(
        id="postgresql.settings_parity",
        system="postgresql",
        question="?",
        query="SHOW ALL",
        runbook="r",
        fact="settings",
        told_by="postgresql.settings",
        compare=work,
    )


def differing(sides: Any) -> Any:
    for side in sides[1:]:
        different = side.fact != sides[0].fact
        yield finding(side, name="wal_level", verdict="degraded" if different else "ok", message="differs" if different else "")


def a_run(region: str, facts: dict[str, Any], *reasons: str) -> Run:
    checks = [Done("postgresql.settings", f"{region}/postgresql", COULD_NOT_RUN, 0, reason) for reason in reasons]
    return Run("postgresql", region, [], checks, facts)


BOTH = {"postgresql": ["us-east-1", "us-west-2"]}


def test_sides_are_compared_and_the_wrong_one_is_the_subject() -> None:
    runs = [a_run("us-east-1", {"settings": {"wal_level": "logical"}}), a_run("us-west-2", {"settings": {"wal_level": "replica"}})]
    items, done = compare([comparison(differing)], runs, BOTH)
    assert [(one["subject"], one["verdict"]) for one in items] == [("us-west-2/postgresql/wal_level", "degraded")]
    assert [(one.id, one.place, one.outcome) for one in done] == [("postgresql.settings_parity", "control/postgresql", "executed")]


@pytest.mark.parametrize(
    ("runs", "said"),
    [
        ([], "nothing was heard of us-east-1/postgresql; nothing was heard of us-west-2/postgresql"),
        ([a_run("us-east-1", {"settings": {}})], "nothing was heard of us-west-2"),
        ([a_run("us-east-1", {"settings": {}}), a_run("us-west-2", {})], "us-west-2/postgresql did not say its settings"),
        ([a_run("us-east-1", {"settings": {}}), a_run("us-west-2", {}, "paused")], "did not say its settings (paused)"),
    ],
)
def test_a_missing_side_is_unknown_and_named(runs: list[Run], said: str) -> None:
    items, done = compare([comparison(differing)], runs, BOTH)
    assert [one["verdict"] for one in items] == ["unknown"]
    assert said in items[0]["message"]
    assert done[0].outcome == COULD_NOT_RUN


def test_a_fact_that_is_empty_is_a_fact() -> None:
    runs = [a_run("us-east-1", {"settings": {}}), a_run("us-west-2", {"settings": {}})]
    assert [one["verdict"] for one in compare([comparison(differing)], runs, BOTH)[0]] == ["ok"]


def nothing(_sides: Any) -> list[Finding]:
    return []


def breaks(_sides: Any) -> list[Finding]:
    raise KeyError("wal_level")


def says_no(_sides: Any) -> list[Finding]:
    raise NotApplicable("logical replication is not used")


def says_why(_sides: Any) -> list[Finding]:
    raise OpsError("formats differ")


@pytest.mark.parametrize(
    ("work", "verdict", "said"),
    [(nothing, "unknown", "nothing was compared"), (breaks, "unknown", "KeyError"), (says_no, "skipped", "not used"), (says_why, "unknown", "formats differ")],
)
def test_a_comparison_that_fails_or_finds_nothing_is_never_ok(work: Any, verdict: str, said: str) -> None:
    runs = [a_run("us-east-1", {"settings": {}}), a_run("us-west-2", {"settings": {}})]
    items, _done = compare([comparison(work), comparison(differing)], runs, BOTH)
    assert (items[0]["verdict"], items[1]["verdict"]) == (verdict, "ok")
    assert said in items[0]["message"]


def test_with_one_declared_side_there_is_nothing_to_compare() -> None:
    items, done = compare([comparison(differing)], [a_run("us-east-1", {"settings": {}})], {"postgresql": ["us-east-1"]})
    assert (items[0]["verdict"], done[0].outcome) == ("skipped", "skipped")
    assert "only in us-east-1 by declaration" in items[0]["message"]


def test_comparisons_are_selected_like_checks() -> None:
    left_out, _done = compare([comparison(differing)], [], BOTH, Selection(without=["postgresql.settings_parity"]))
    assert left_out[0]["verdict"] == "skipped"
    assert compare([comparison(differing)], [], BOTH, Selection(only=["postgresql.other"])) == ([], [])
    assert Side("a", 1).region == "a"


def test_what_a_comparison_compares_is_told_by_a_check_of_its_system_in_its_profiles() -> None:
    known = {about.id: about for about in catalogue.everything()}
    across = [about for about in known.values() if isinstance(about, Comparison)]
    assert across
    for comparison in across:
        teller = known[comparison.told_by]
        assert isinstance(teller, Check)
        assert teller.system == comparison.system
        assert set(comparison.profiles) <= set(teller.profiles), comparison.id


def test_a_run_that_is_only_about_a_comparison_is_about_what_it_needs_too() -> None:
    known = catalogue.everything()
    assert completed(["postgresql.settings", "postgresql.role", "postgresql.one_primary"], known) == [
        "postgresql.settings",
        "postgresql.role",
        "postgresql.one_primary",
        "postgresql.pending_restart",
    ]
    assert completed([], known) == []
