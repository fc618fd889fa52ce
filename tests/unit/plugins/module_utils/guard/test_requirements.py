# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which values an inventory still owes, over all hosts at once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from ansible_collections.leanvibe.ops.plugins.module_utils.common.errors import InvalidInput
from ansible_collections.leanvibe.ops.plugins.module_utils.guard.requirements import (
    HostView,
    Requirement,
    UndefinedValueError,
    UnreadableValueError,
    gaps,
    read_requirements,
    refuse,
)


def host(name: str, **raw: Any) -> HostView:
    """A host whose variables may be ``undef:<hint>``, ``broken:<why>`` or ``var:<name>``."""

    def evaluate(value: Any) -> Any:
        kind, _colon, rest = str(value).partition(":")
        if kind == "undef":
            raise UndefinedValueError(rest)
        if kind == "broken":
            raise UnreadableValueError(rest)
        if kind == "var":
            if rest not in raw:
                raise UndefinedValueError(f"'{rest}' is undefined")
            return evaluate(raw[rest])
        return value

    return HostView(name, raw, evaluate)


def need(name: str, *systems: str) -> Requirement:
    return Requirement(name, f"what {name} is", f"where {name} is set", systems)


def names(*views: HostView, required: tuple[Requirement, ...] = ()) -> list[tuple[str, list[str]]]:
    return [(gap.name, gap.hosts) for gap in gaps(views, required)]


def test_all_hosts_are_named_in_one_gap() -> None:
    views = [host("pg-1", leanvibe_ops_system="postgresql"), host("pg-2", leanvibe_ops_system="postgresql"), host("r-1", leanvibe_ops_system="redis")]
    assert names(*views, required=(need("address", "postgresql"), need("tenants"))) == [("address", ["pg-1", "pg-2"]), ("tenants", ["pg-1", "pg-2", "r-1"])]


@pytest.mark.parametrize("value", [None, "", "undef:X", "broken:no such file", "var:nowhere"])
def test_value_that_cannot_be_used_is_missing(value: Any) -> None:
    assert names(host("h", secret=value), required=(need("secret"),)) == [("secret", ["h"])]


@pytest.mark.parametrize("value", [0, False, [], {}, "x", {"a": "b"}])
def test_value_that_is_given_is_not_missing(value: Any) -> None:
    assert names(host("h", thing=value), required=(need("thing"),)) == []


@pytest.mark.parametrize(
    ("variables", "missing"),
    [
        ({"pg": {"host": "db"}}, False),
        ({"pg": {}}, True),
        ({}, True),
        ({"pg": "db"}, True),
        ({"pg": {"host": "undef:X"}}, True),
    ],
)
def test_requirement_may_be_a_path(variables: Mapping[str, Any], missing: bool) -> None:
    assert bool(names(host("h", **variables), required=(need("pg.host"),))) is missing


def test_what_hangs_on_a_missing_value_is_not_reported_beside_it() -> None:
    views = [host("h", leanvibe_ops_secret="undef:THE_VARIABLE", leanvibe_ops_pg={"password": "var:leanvibe_ops_secret", "host": "var:leanvibe_ops_address"})]
    required = (need("leanvibe_ops_secret"), need("leanvibe_ops_address"))
    assert names(*views, required=required) == [("leanvibe_ops_address", ["h"]), ("leanvibe_ops_secret", ["h"])]


def test_undeclared_gap_is_found_however_deep() -> None:
    view = host(
        "h", leanvibe_ops_x={"us-east-1": [{"a": "fine"}, {"b": "undef:nobody declared this"}]}, leanvibe_ops_y="broken:Vault is sealed", other="undef:not ours"
    )
    assert names(view) == [("leanvibe_ops_x.us-east-1[1].b", ["h"]), ("leanvibe_ops_y", ["h"])]


def test_refusal_names_everything_and_where_to_set_it() -> None:
    views = [host("a", leanvibe_ops_y="broken:Vault is sealed"), host("b")]
    with pytest.raises(InvalidInput) as caught:
        refuse("production", gaps(views, [need("tenants"), need("address")]), len(views))
    assert caught.value.problems == [
        "address: what address is. To set it: where address is set. Needed by all hosts",
        "tenants: what tenants is. To set it: where tenants is set. Needed by all hosts",
        "leanvibe_ops_y: It could not be read (Vault is sealed). Needed by a",
    ]
    assert "production" in str(caught.value)


def test_nothing_missing_is_no_refusal() -> None:
    missing = gaps([host("a", tenants=[])], [need("tenants")])
    refuse("production", missing, 1)
    assert missing == []


def test_reason_is_told_when_a_source_failed() -> None:
    gap = gaps([host("a", secret="broken:Vault is sealed"), host("b", secret="x")], [need("secret")])[0]
    assert "Vault is sealed" in gap.describe(2)
    assert gap.describe(2).endswith("Needed by a")


def test_malformed_requirements_are_all_named() -> None:
    with pytest.raises(InvalidInput) as caught:
        read_requirements([{"name": "x", "what": "y"}, {"name": "x", "what": "y", "where": "z", "hosts": []}, "text"])
    assert len(caught.value.problems) == 3
    with pytest.raises(InvalidInput):
        read_requirements("text")
    assert read_requirements([{"name": "x", "what": "y", "where": "z", "systems": ["redis"]}]) == [Requirement("x", "y", "z", ("redis",))]


def test_values_that_fail_for_one_reason_are_one_gap() -> None:
    first = host("a", leanvibe_ops_x="broken:no file", leanvibe_ops_y="broken:no file")
    second = host("b", leanvibe_ops_system="redis", leanvibe_ops_redis={"host": "broken:no file"})
    assert names(first, second) == [("leanvibe_ops_redis.host, leanvibe_ops_x, leanvibe_ops_y", ["a", "b"])]


def test_each_host_is_asked_for_its_own_connection_and_one_for_what_all_share() -> None:
    shared = {"leanvibe_ops_registry": "undef:registry"}
    redis = [host(name, leanvibe_ops_system="redis", leanvibe_ops_redis="undef:redis", **shared) for name in ("r-1", "r-2")]
    neo4j = host("n-1", leanvibe_ops_system="neo4j", leanvibe_ops_neo4j="fine", leanvibe_ops_neo4j_more="undef:more", **shared)
    assert names(*redis, neo4j) == [("leanvibe_ops_neo4j_more", ["n-1"]), ("leanvibe_ops_redis", ["r-1", "r-2"]), ("leanvibe_ops_registry", ["r-1"])]


def test_what_serves_another_purpose_is_neither_asked_for_nor_looked_up() -> None:
    view = host(
        "pg", leanvibe_ops_system="postgresql", leanvibe_ops_secret_root="undef:X", leanvibe_ops_postgresql_root={"password": "var:leanvibe_ops_secret_root"}
    )
    looked_up: list[Any] = []

    def evaluate(value: Any) -> Any:
        looked_up.append(value)
        return view.evaluate(value)

    watched = HostView(view.name, view.raw, evaluate)
    required = [Requirement("leanvibe_ops_secret_root", "what", "where", ("postgresql",), ("laying",))]
    assert gaps([watched], required) == []
    assert gaps([watched], required, ["something else"]) == []
    assert not any("root" in str(value) for value in looked_up)
    assert [gap.name for gap in gaps([watched], required, ["laying"])] == ["leanvibe_ops_secret_root"]
