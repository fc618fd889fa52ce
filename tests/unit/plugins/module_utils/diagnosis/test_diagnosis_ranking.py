# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ranking, plan and areas: every finding once, in the order of what was measured, and nothing made up."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.leanvibe.ops.plugins.module_utils.diagnosis import catalogue as in_depth
from ansible_collections.leanvibe.ops.plugins.module_utils.diagnosis import ranking
from ansible_collections.leanvibe.ops.plugins.module_utils.diagnosis.areas import _CHECKS, _SYSTEMS, AREAS, area_of, areas, unheard
from ansible_collections.leanvibe.ops.plugins.module_utils.health import catalogue
from ansible_collections.leanvibe.ops.plugins.module_utils.health.model import DIAGNOSE
from ansible_collections.leanvibe.ops.plugins.module_utils.reports.model import Item

ROOT = Path(__file__).resolve().parents[5]
VERDICTS = ("ok", "degraded", "critical", "unknown", "skipped")


def item(name: str = "postgresql.statements", verdict: str = "degraded", observed: Any = 400, unit: str | None = "s/h", **more: Any) -> Item:
    return Item(**{"id": name, "subject": "us-east-1/postgresql/x", "verdict": verdict, "observed": observed, "unit": unit, "message": "m", **more})


def names(items: list[Item]) -> list[str]:
    return [one.item.subject for one in ranking.rank(items)]


def test_time_comes_first_then_shares_then_the_rest_by_verdict() -> None:
    found = [
        item(subject="rest degraded", unit="ms", observed=9_999_999),
        item(subject="share 60", unit="%", observed=60),
        item(subject="time 400", observed=400),
        item(subject="share 90", unit="%", observed=90.5),
        item(subject="rest critical", unit=None, observed=None, verdict="critical"),
        item(subject="time 3600", observed=3600),
        item(subject="rest unknown", verdict="unknown", observed=None),
        item(subject="fine", verdict="ok", observed=3500),
        item(subject="skipped", verdict="skipped", observed=3500),
    ]
    expected = ["time 3600", "time 400", "share 90", "share 60", "rest critical", "rest unknown", "rest degraded"]
    assert names(found) == expected
    assert names(found[::-1]) == expected
    assert [(one.rank, one.effect, one.unit) for one in ranking.rank(found)] == [
        (1, 3600.0, "s/h"),
        (2, 400.0, "s/h"),
        (3, 90.5, "%"),
        (4, 60.0, "%"),
        (5, None, None),
        (6, None, None),
        (7, None, None),
    ]


def test_of_the_same_time_what_has_its_way_out_comes_first() -> None:
    both = [item("postgresql.statements", subject="statement"), item("postgresql.missing_indexes", subject="index")]
    assert names(both) == names(both[::-1]) == ["index", "statement"]


@pytest.mark.parametrize(
    "more",
    [
        {"verdict": "unknown"},
        {"observed": None},
        {"observed": "nan"},
        {"observed": float("nan")},
        {"observed": True},
        {"unit": "ms"},
        {"unit": None},
        {"unit": "%", "threshold": {"worse": "lower", "degraded": 90}},
    ],
)
def test_what_was_not_measured_as_an_effect_is_none(more: dict[str, Any]) -> None:
    assert ranking.effect_of(item(**more)) == (None, None)


def test_phases_say_what_a_finding_needs_at_most() -> None:
    expected = {
        "postgresql.missing_indexes": ranking.QUICK,
        "postgresql.lock_trees": ranking.QUICK,
        "kubernetes.nodes_ready": ranking.QUICK,
        "postgresql.statements": ranking.MEDIUM,
        "monitoring.cpu": ranking.MEDIUM,
        "postgresql.tenant_statements": ranking.LONG,
        "postgresql.round_trip": ranking.LONG,
    }
    assert {name: ranking.phase_of(item(name)) for name in expected} == expected
    assert {ranking.phase_of(item(name, verdict="unknown")) for name in expected} == {ranking.QUICK}


def test_checks_that_the_plan_names_exist() -> None:
    known = {about.id for about in catalogue.everything()}
    named = {name for name in ranking._MEDIUM | ranking._LONG if not name.startswith(("backend.", "monitoring."))}
    assert named - known == set()
    assert frozenset() == ranking._MEDIUM & ranking._LONG


@pytest.mark.parametrize("seed", range(25))
def test_the_plan_is_a_partition_of_all_findings(seed: int) -> None:
    """Whatever is found by whichever checks, every finding is in exactly one phase, under its own number."""
    chance = random.Random(seed)
    ids = [about.id for about in catalogue.everything()] + ["health.endpoint", "diagnose.area", "made.up"]
    found = [
        item(
            chance.choice(ids),
            chance.choice(VERDICTS),
            chance.choice([None, 0, 1.5, 4000, "odd"]),
            chance.choice(["s/h", "%", "ms", "B", None]),
            subject=f"us-east-1/system/{number}",
        )
        for number in range(chance.randint(0, 200))
    ]
    ranked = ranking.rank(found)
    phases = ranking.plan(ranked)
    assert [(phase["phase"], phase["when"]) for phase in phases] == [
        ("quick wins", "0-2 weeks"),
        ("tuning and capacity", "2-6 weeks"),
        ("architecture", "6-12 weeks"),
    ]
    assert sorted(number for phase in phases for number in phase["findings"]) == list(range(1, len(ranked) + 1))
    assert sorted(one.item.subject for one in ranked) == sorted(one.subject for one in found if one.verdict in ("degraded", "critical", "unknown"))
    assert not any("improvement" in key for phase in phases for key in phase)


def test_where_time_goes_holds_what_is_fine_too() -> None:
    found = [item(observed=3, verdict="ok", subject="a"), item(observed=0, subject="zero"), item(unit="%", subject="share"), item(observed=9, subject="b")]
    assert [one.subject for one in ranking.where_time_goes(found)] == ["b", "a"]
    assert [one.subject for one in ranking.where_time_goes(found, 1)] == ["b"]


def test_of_tenants_the_biggest_shares_are_shown() -> None:
    found = [
        item("redis.tenant_memory", "ok", share, "%", subject=f"us-east-1/redis/tenant/{name}") for name, share in zip("abcde", (1, 5, 3, 4, 2), strict=True)
    ]
    found += [item("redis.tenant_memory", "ok", 0, "%", subject="us-west-2/redis"), item("redis.memory", "ok", 9, "%", subject="us-east-1/redis/tenant/x")]
    assert [one.subject[-1] for one in ranking.tenants_part(found)] == ["b", "d", "c"]


def test_ways_are_those_that_were_measured() -> None:
    found = [item(name, "ok", 3, "ms") for name in ("redis.latency", "postgresql.round_trip", "kubernetes.api_latency", "redis.memory")]
    found.append(item("neo4j.latency", "unknown", None, "ms"))
    assert [one.id for one in ranking.ways(found)] == ["redis.latency", "postgresql.round_trip", "kubernetes.api_latency"]


# Areas


@pytest.mark.parametrize(
    ("check", "subject", "area"),
    [
        ("kubernetes.nodes_ready", "us-east-1/kubernetes", "infrastructure"),
        ("monitoring.cpu", "us-east-1/monitoring/host", "infrastructure"),
        ("something.new", "us-east-1/something", "infrastructure"),
        ("health.history", "control/history", "infrastructure"),
        ("backend.latency", "us-east-1/backend", "application"),
        ("monitoring.routes", "us-east-1/monitoring", "application"),
        ("redis.memory", "us-east-1/redis", "database"),
        ("health.endpoint", "us-west-2/neo4j", "database"),
        ("external.stripe", "us-east-1/external", "dependencies"),
        ("control.tenants", "us-east-1/control", "business_logic"),
        ("backend.journey", "us-east-1/backend", "business_logic"),
    ],
)
def test_every_check_has_its_area(check: str, subject: str, area: str) -> None:
    assert area_of(check, subject) == area


def test_an_area_has_the_worst_verdict_of_its_findings() -> None:
    found = [
        item("redis.up", "ok", subject="a/redis"),
        item("redis.memory", "degraded", subject="a/redis"),
        item("postgresql.role", "skipped", subject="a/postgresql"),
        item("backend.up", "critical", subject="a/backend"),
        item("backend.jobs", "unknown", subject="a/backend"),
        item("kubernetes.up", "ok", subject="a/kubernetes"),
        item("external.mail", "unknown", subject="a/external"),
        item("control.tenants", "skipped", subject="a/control"),
    ]
    told = areas(found)
    assert [(one.name, one.verdict) for one in told] == [
        ("infrastructure", "ok"),
        ("application", "critical"),
        ("database", "degraded"),
        ("dependencies", "unknown"),
        ("business_logic", "unknown"),
    ]
    assert told[2].message == "1 degraded, 1 ok, 1 skipped"
    assert told[4].message == "not one check of it was executed (1 skipped): nothing is known about it"
    # The one that has no finding of its own needs one; that of the mail is there already.
    assert [one.name for one in unheard(told, found)] == ["business_logic"]


def test_nothing_at_all_is_unknown_everywhere() -> None:
    told = areas([])
    assert [one.name for one in told] == list(AREAS)
    assert {one.verdict for one in told} == {"unknown"}
    assert unheard(told, []) == told


# The catalogue


def test_checks_in_depth_belong_to_diagnoses_only_and_only_read() -> None:
    assert {tuple(about.profiles) for about in in_depth.EVERYTHING} == {(DIAGNOSE,)}
    assert [about.id for about in in_depth.EVERYTHING if getattr(about, "writes", False)] == []
    assert {about.id for about in in_depth.EVERYTHING} <= {about.id for about in catalogue.everything()}
    assert len(in_depth.EVERYTHING) == 24


def test_every_check_in_depth_has_its_chapter() -> None:
    text = (ROOT / "docs/diagnose.md").read_text(encoding="utf-8")
    wanted = [about.runbook for about in in_depth.EVERYTHING]
    assert [runbook for runbook in wanted if not runbook.startswith("diagnose.md#") or f"\n### {runbook.partition('#')[2]}\n" not in text] == []


def test_a_diagnosis_looks_at_every_host_that_health_looks_at() -> None:
    plays = {name: yaml.safe_load((ROOT / f"playbooks/{name}.yml").read_text(encoding="utf-8"))[0] for name in ("health", "diagnose")}
    assert plays["diagnose"]["hosts"].split(":") == plays["health"]["hosts"].split(":")


def test_areas_are_told_by_names_that_exist() -> None:
    known = {about.id for about in catalogue.everything()}
    assert set(_SYSTEMS) <= {name.split(".")[0] for name in known}
    assert set(_CHECKS) <= known
    assert set(ranking._MEDIUM | ranking._LONG) <= known
