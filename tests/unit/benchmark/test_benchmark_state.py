# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the benchmark takes for the same: a side that does less, or otherwise, must be found out, whatever its tenants are called."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from benchmark import population, state
from benchmark.output import Report
from benchmark.settings import REGIONS

TENANTS = population.tenants("bench", 7)
USUAL = population.tenants("usual", 1)


def made(tenant: dict[str, Any], key: str) -> state.State:
    """A small state as the readers return it."""
    tenant_id, role = tenant["id"], "tenant_" + tenant["id"].replace("-", "_")
    return {
        "kubernetes us-east-1": {
            f"Namespace tenant-{tenant_id}": {"metadata": {"name": f"tenant-{tenant_id}", "labels": {"leanvibe.ai/tenant-id": tenant_id}}},
            "ConfigMap tenant-config": {"data": {"tenant_name": tenant["name"], "tenant_id": tenant_id}},
            "Secret tenant-credentials": {"data": {"S3_ACCESS_KEY_ID": key, "DATABASE_URL": f"postgresql://{role}:<password>@db/leanvibe"}},
        },
        "postgresql": {"role": {"login": True, "settings": [f"search_path={role}, pg_temp"]}},
        "object_store us-east-1": {f"account {key}": "user", "bucket": {"policy": {"Principal": [key]}}},
    }


@pytest.fixture
def states() -> dict[str, state.State]:
    """Complete states of all tenants, each with a key of its own."""
    return {tenant["id"]: made(tenant, f"tenant-{tenant['id']}-{number:08x}") for number, tenant in enumerate([*TENANTS, *USUAL])}


def test_the_same_but_for_names_and_secrets(states: dict[str, state.State]) -> None:
    assert state.compare([*TENANTS, *USUAL], states) == []


@pytest.mark.parametrize(
    ("place", "name", "what"),
    [
        ("kubernetes us-east-1", "ConfigMap tenant-config", "ConfigMap tenant-config is missing"),
        ("postgresql", "role", "nothing in postgresql"),
        ("object_store us-east-1", "bucket", "bucket is missing"),
    ],
)
def test_a_missing_object_is_found(states: dict[str, state.State], place: str, name: str, what: str) -> None:
    del states["usual-001"][place][name]
    assert any(what in problem for problem in state.compare([*TENANTS, *USUAL], states))


def test_a_different_content_is_found(states: dict[str, state.State]) -> None:
    changed = copy.deepcopy(states)
    changed["usual-001"]["postgresql"]["role"]["login"] = False
    problems = state.compare([*TENANTS, *USUAL], changed)
    assert problems == ["usual-001 is not as bench-001: postgresql / role / login: false instead of true"]


def test_something_too_much_is_found(states: dict[str, state.State]) -> None:
    states["bench-007"]["kubernetes us-east-1"]["Role more"] = {}
    assert state.compare(TENANTS, states) == ["bench-007 is not as bench-001: kubernetes us-east-1 / Role more is too much"]


def test_another_tenants_name_is_not_taken_for_its_own(states: dict[str, state.State]) -> None:
    states["usual-001"]["kubernetes us-east-1"]["ConfigMap tenant-config"]["data"]["tenant_id"] = "bench-001"
    assert len(state.compare([*TENANTS, *USUAL], states)) == 1


def test_a_side_that_made_nothing_is_found_even_alone(states: dict[str, state.State]) -> None:
    alone = [USUAL[0]]
    problems = state.compare(alone, {"usual-001": {place: {} for place in states["usual-001"]}})
    assert problems == ["usual-001: nothing in kubernetes us-east-1", "usual-001: nothing in postgresql", "usual-001: nothing in object_store us-east-1"]


def test_tenants_of_one_number_are_of_one_kind_on_both_sides() -> None:
    assert [population.kind(tenant) for tenant in population.tenants("usual", 7)] == [population.kind(tenant) for tenant in TENANTS]
    assert {population.kind(tenant) for tenant in population.tenants("bench", 10)} == {(tier, region) for tier in population.TIERS for region in REGIONS}


def test_a_missed_expectation_is_shown_and_named() -> None:
    report = Report({"tenants": 1})
    report.add("usual / ours", 12.0, "times", expected=">= 100", met=False)
    assert "NOT MET" in report.table()
