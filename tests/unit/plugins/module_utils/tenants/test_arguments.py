# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The arguments that all tenants modules share."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.leanvibe.ops.plugins.module_utils.common.errors import InvalidInput
from ansible_collections.leanvibe.ops.plugins.module_utils.tenants.arguments import KUBERNETES_CONNECTION, TenantsRequest, argument_spec

TIERS = {"team": {"kubernetes": {"quota": {"pods": "25", "services": "5"}, "limit_range": {"max": {"cpu": "2"}}}, "redis": {"memory_bytes": 10}}}


def params(**change: Any) -> dict[str, Any]:
    tenant = {"id": "acme", "name": "Acme", "tier": "team", "region": "us-east-1"}
    return {"region": "us-east-1", "tenants": [tenant], "tiers": TIERS, "declared_ids": None, "concurrency": 16, "timeout": 10, **change}


def test_the_specification_accepts_what_the_playbook_gives_and_fills_in_the_rest() -> None:
    given = {"region": "r", "tenants": [], "tiers": {}, "connection": {"kubeconfig": "/k"}}
    checked = ArgumentSpecValidator(argument_spec(KUBERNETES_CONNECTION)).validate(given)
    assert not checked.error_messages
    assert checked.validated_parameters["concurrency"] == 16
    assert checked.validated_parameters["timeout"] == 10
    assert checked.validated_parameters["secrets"] == {}
    assert "secrets" not in argument_spec(None, secrets=False)
    assert "connection" not in argument_spec(None)


def test_the_password_of_the_lease_is_not_logged() -> None:
    lease = argument_spec(None)["lease"]
    assert lease["options"]["registry"]["options"]["password"]["no_log"] is True


def test_all_problems_are_said_at_once() -> None:
    tenants = [{"id": "Bad!", "name": "", "tier": "team", "region": "r"}, {"id": "a", "name": "a", "tier": "gold", "region": "r"}, {"id": "b", "name": "b"}]
    with pytest.raises(InvalidInput) as caught:
        TenantsRequest.from_params(params(tenants=[*tenants, tenants[1]], concurrency=0))
    said = "\n".join(caught.value.problems)
    for part in (
        "concurrency must be at least 1",
        "'Bad!' is not valid",
        "tier 'gold' is not in tiers (team)",
        "'b': tier is missing",
        "tenant a: given more than once",
    ):
        assert part in said


def test_declared_ids_hold_the_tenants_even_when_not_given() -> None:
    assert TenantsRequest.from_params(params()).declared_ids == {"acme"}
    assert TenantsRequest.from_params(params(declared_ids=["other"])).declared_ids == {"acme", "other"}


def test_limits_are_the_tiers_with_the_declarations_overrides_over_them() -> None:
    quotas = {"kubernetes": {"quota": {"pods": "80"}}}
    tenant = {"id": "acme", "name": "Acme", "tier": "team", "region": "r", "overrides": {"quotas": quotas}}
    request = TenantsRequest.from_params(params(tenants=[tenant]))
    assert request.limits(request.tenants[0], "kubernetes") == {"quota": {"pods": "80", "services": "5"}, "limit_range": {"max": {"cpu": "2"}}}
    assert request.limits(request.tenants[0], "redis") == {"memory_bytes": 10}
    assert TIERS["team"]["kubernetes"]["quota"] == {"pods": "25", "services": "5"}
