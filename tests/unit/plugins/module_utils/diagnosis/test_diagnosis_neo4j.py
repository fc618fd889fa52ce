# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whose the graph is: counted by index on Community, told by metrics on Enterprise, and never a zero where nothing was counted."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.leanvibe.ops.plugins.module_utils.diagnosis import neo4j
from ansible_collections.leanvibe.ops.plugins.module_utils.health.model import Finding, NoData, NotApplicable, Session
from ansible_collections.leanvibe.ops.plugins.module_utils.health.results import item

NODES, RELATIONSHIPS = neo4j.IN_DEPTH
USER = {"labels": ["User"], "properties": ["tenant_id"]}
TENANT = {"labels": ["Tenant"], "properties": ["id"]}


def tenant(name: str, nodes: int, relationships: int = 0) -> dict[str, Any]:
    return {"tenant": name, "nodes": nodes, "relationships": relationships}


class Graph:
    """A server of either edition; remembers its statements."""

    def __init__(self, *counted: dict[str, Any], indexes: list[dict[str, Any]] | None = None, whole: tuple[int, int] = (0, 0), **metrics: float) -> None:
        self.counted, self.indexes, self.whole, self.metrics = list(counted), [USER, TENANT] if indexes is None else indexes, whole, metrics
        self.asked: list[str] = []

    def rows(self, statement: str, _database: str | None = None, /, **_parameters: Any) -> list[dict[str, Any]]:
        self.asked.append(statement)
        if "dbms.components" in statement:
            return [{"name": "Neo4j Kernel", "version": "5.26.12", "edition": "enterprise" if self.metrics else "community"}]
        if "neo4j.metrics" in statement:
            return [{"name": f"neo4j.metrics:name={name.replace('__', '-')}", "attributes": {"Value": {"value": v}}} for name, v in self.metrics.items()]
        answers = {neo4j._INDEXES: self.indexes, neo4j._NODES: [{"nodes": self.whole[0]}], neo4j._RELATIONSHIPS: [{"relationships": self.whole[1]}]}
        return answers.get(statement, self.counted)


def look(graph: Graph, diagnosed: str = "", check: Any = NODES) -> list[Finding]:
    session: Session[Any] = Session(graph, "neo4j", "here", {"diagnosed_tenant": diagnosed})
    return list(check.run(session))


def told(found: list[Finding], check: Any = NODES) -> list[tuple[str, str, Any]]:
    made = [item(check, finding, "here/neo4j") for finding in found]
    return [(one["subject"].removeprefix("here/neo4j").strip("/"), one["verdict"], one["observed"]) for one in made]


def test_the_biggest_tenant_comes_first_and_what_is_nobodys_is_in_the_whole() -> None:
    counted = [tenant("a", 150_000, 600_000), tenant("b", 30_000, 10), tenant("a", 30_000, 0)]  # one row for each label
    graph = Graph(*counted, whole=(220_000, 1_000_000))
    found = look(graph)
    assert told(found) == [("tenant/a", "degraded", 81.82), ("tenant/b", "ok", 13.64)]
    assert found[0].message == "a: 180000 nodes of 220000 nodes of the graph (labels Tenant, User); number 1 of 2 tenants that take any"
    assert found[0].evidence == "10000 nodes are no tenant's (without a tenant's id in an index)"
    assert told(look(graph, check=RELATIONSHIPS), RELATIONSHIPS) == [("tenant/a", "degraded", 60.0), ("tenant/b", "ok", 0.0)]
    assert told(look(graph, "c")) == [("tenant/c", "ok", 0.0)]


def test_both_checks_ask_once_and_the_same_number_of_statements_for_any_number_of_tenants() -> None:
    for tenants in (1, 500):
        graph = Graph(*(tenant(f"t{number}", 10) for number in range(tenants)), whole=(10_000, 0))
        session: Session[Any] = Session(graph, "neo4j", "here")
        for check in neo4j.IN_DEPTH:
            list(check.run(session))
        assert len(graph.asked) == 5


def test_a_big_share_of_a_small_graph_is_fine() -> None:
    assert told(look(Graph(tenant("a", 99_999), whole=(100_000, 0)))) == [("tenant/a", "ok", 100.0)]


def test_an_empty_graph_is_a_zero_that_was_measured_and_one_without_an_index_is_none() -> None:
    assert told(look(Graph())) == [("", "ok", 0)]
    for indexes in (
        [],
        [{"labels": ["User"], "properties": ["email"]}, {"labels": ["User"], "properties": ["tenant_id", "email"]}, {"labels": None, "properties": None}],
    ):
        with pytest.raises(NotApplicable, match="no index holds tenant_id"):
            look(Graph(indexes=indexes, whole=(10, 0)))


def test_a_counter_that_says_nothing_is_no_zero() -> None:
    class Silent(Graph):
        def rows(self, statement: str, database: str | None = None, /, **parameters: Any) -> list[dict[str, Any]]:
            return [] if statement == neo4j._NODES else super().rows(statement, database, **parameters)

    with pytest.raises(NoData, match="one row was expected"):
        look(Silent(tenant("a", 5)))


def test_indexes_with_tenants_ids_and_nothing_else() -> None:
    both = {"labels": ["Tenant"], "properties": ["tenant_id"]}
    wide = {"labels": ["Task"], "properties": ["tenant_id", "at"]}
    assert neo4j.keys([USER, TENANT, both, wide, {"labels": ["User"], "properties": ["id"]}]) == [("Tenant", "id"), ("User", "tenant_id")]


def test_a_node_is_counted_with_the_first_of_its_labels() -> None:
    first, second = neo4j.counting([("Project", "tenant_id"), ("User", "tenant_id")]).split(" UNION ALL ")
    assert first.startswith("MATCH (n:Project) USING INDEX n:Project(tenant_id) WHERE n.tenant_id IS NOT NULL RETURN ")
    assert second.startswith("MATCH (n:User) USING INDEX n:User(tenant_id) WHERE n.tenant_id IS NOT NULL AND NOT n:Project RETURN ")


@pytest.mark.parametrize("label", ["A B", "A`) DETACH DELETE n //", "A\\u0060) DELETE n //", "", "9", "Ä"])
def test_a_label_that_would_need_quoting_never_gets_into_a_statement(label: str) -> None:
    with pytest.raises(ValueError, match="cannot stand in a statement"):
        neo4j.counting([(label, "tenant_id")])
    graph = Graph(tenant("a", 5), indexes=[USER, {"labels": [label], "properties": ["tenant_id"]}], whole=(10, 0))
    (found,) = look(graph)
    assert f"labels that could not be asked about: {label}" in str(found.evidence)
    assert not [statement for statement in graph.asked if label and label in statement and "MATCH (n:" in statement and label != "9"]


@pytest.mark.parametrize("kind", ["count", "ids_in_use"])
def test_enterprise_tells_by_its_metrics(kind: str) -> None:
    of = {"tenant__a__b": (180_000.0, 1.0), "tenant__c": (20_000.0, 3.0), "neo4j": (0.0, 0.0)}
    metrics = {f"neo4j.database.{name}.{kind}.{what}": both[place] for name, both in of.items() for place, what in enumerate(("node", "relationship"))}
    graph = Graph(**metrics)
    assert told(look(graph)) == [("tenant/a-b", "degraded", 90.0), ("tenant/c", "ok", 10.0)]
    assert told(look(graph, check=RELATIONSHIPS), RELATIONSHIPS) == [("tenant/c", "ok", 75.0), ("tenant/a-b", "ok", 25.0)]


def test_enterprise_without_these_metrics_is_unknown() -> None:
    with pytest.raises(NoData, match=r"there is no metric …\.ids_in_use\.node"):
        look(Graph(**{"neo4j.database.neo4j.page_cache.hit_ratio": 1.0}))
