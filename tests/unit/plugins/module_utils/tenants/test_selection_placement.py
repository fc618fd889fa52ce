# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which tenants a run is about, and where each of them belongs."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.leanvibe.ops.plugins.module_utils.common.errors import InvalidInput
from ansible_collections.leanvibe.ops.plugins.module_utils.tenants.model import Tenant
from ansible_collections.leanvibe.ops.plugins.module_utils.tenants.placement import place
from ansible_collections.leanvibe.ops.plugins.module_utils.tenants.selection import select

REGIONS = ["us-east-1", "us-west-2"]
TIERS = ["developer", "team", "enterprise"]
TENANTS = [
    {"id": "acme", "tier": "enterprise", "region": "us-east-1"},
    {"id": "globex", "tier": "team", "region": "us-west-2", "state": "suspended"},
    {"id": "hooli", "tier": "team", "region": "us-east-1"},
]
EVERYWHERE = {"kubernetes": {"us-east-1": "all", "us-west-2": "all"}, "postgresql": {"us-east-1": "all", "us-west-2": "replica"}}
STANDBY = {"postgresql": {"us-east-1": ["us-west-2"]}}


@pytest.mark.parametrize(
    ("selection", "chosen"),
    [
        (None, {"acme", "globex", "hooli"}),
        ([], set()),
        (["acme"], {"acme"}),
        ("acme", {"acme"}),
        ("acme,globex", {"acme", "globex"}),
        ("acme globex", {"acme", "globex"}),
        ('["acme", "tier:team"]', {"acme", "globex", "hooli"}),
        (["tier:team"], {"globex", "hooli"}),
        (["region:us-east-1"], {"acme", "hooli"}),
        (["state:active"], {"acme", "hooli"}),
        (["state:suspended", "acme"], {"acme", "globex"}),
        (["tier:developer"], set()),
    ],
)
def test_selections(selection: Any, chosen: set[str]) -> None:
    assert select(TENANTS, selection, TIERS, REGIONS) == (chosen, [])


@pytest.mark.parametrize(
    ("selection", "part"),
    [
        (["ghost"], "no declared tenant has the id 'ghost'"),
        (["tier:gold"], "'tier:gold' matches nothing"),
        (["region:mars"], "'region:mars' matches nothing"),
        (["state:gone"], "'state:gone' matches nothing"),
        (["name:acme"], "begins with none of"),
        ("", "leave the variable out"),
        ([5], "is not an id"),
        ({"id": "acme"}, "is not an id"),
        ("[acme", "no declared tenant"),
    ],
)
def test_a_term_that_matches_nothing_is_a_problem(selection: Any, part: str) -> None:
    _chosen, problems = select(TENANTS, selection, TIERS, REGIONS)
    assert len(problems) == 1
    assert part in problems[0]


def tenant(tenant_id: str, region: str, **overrides: Any) -> Tenant:
    return Tenant(tenant_id, tenant_id, "team", region, overrides=overrides)


def ids(placed: Any, region: str, word: str) -> list[str]:
    return [one.id for one in placed.lists[region][word]]


def test_everybody_is_placed_everywhere_and_at_home() -> None:
    placed = place([tenant("acme", "us-east-1"), tenant("globex", "us-west-2")], EVERYWHERE, STANDBY, REGIONS)
    assert ids(placed, "us-east-1", "all") == ["acme", "globex"]
    assert ids(placed, "us-east-1", "home") == ["acme"]
    assert ids(placed, "us-west-2", "home") == ["globex"]
    assert placed.refused == {}


def test_residency_keeps_a_tenant_out_of_a_region_that_nothing_copies_to() -> None:
    placed = place([tenant("acme", "us-east-1", data_residency="US-East")], EVERYWHERE, {}, REGIONS)
    assert ids(placed, "us-east-1", "all") == ["acme"]
    assert ids(placed, "us-west-2", "all") == []
    assert placed.kept_out["us-west-2"] == ["acme"]


def test_residency_that_a_standby_would_break_refuses_the_tenant_and_nobody_else() -> None:
    placed = place([tenant("acme", "us-east-1", data_residency=["us-east-1"]), tenant("hooli", "us-east-1")], EVERYWHERE, STANDBY, REGIONS)
    assert list(placed.refused) == ["acme"]
    assert "postgresql copies what is in us-east-1 to us-west-2" in placed.refused["acme"]
    assert ids(placed, "us-east-1", "all") == ["hooli"]


def test_a_copy_into_an_allowed_region_is_no_reason_to_refuse() -> None:
    assert place([tenant("acme", "us-east-1", data_residency=REGIONS)], EVERYWHERE, STANDBY, REGIONS).refused == {}


def test_a_system_that_holds_only_home_tenants_copies_only_theirs() -> None:
    at_home = {"postgresql": {"us-east-1": "home", "us-west-2": "home"}}
    assert place([tenant("acme", "us-west-2", data_residency=["us-west-2"])], at_home, STANDBY, REGIONS).refused == {}


def test_a_table_with_holes_is_refused_with_all_of_them() -> None:
    with pytest.raises(InvalidInput) as caught:
        place([], {"redis": {"us-east-1": "some", "mars": "all"}}, {"redis": {"us-east-1": ["venus"]}}, REGIONS)
    assert len(caught.value.problems) == 4
