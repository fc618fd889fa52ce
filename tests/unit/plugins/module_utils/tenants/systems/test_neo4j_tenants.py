# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tenants on Neo4j: which edition, what Community and Enterprise are asked, and in which order."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.leanvibe.ops.plugins.module_utils.common.errors import Conflict, LeaseLost, OpsError
from ansible_collections.leanvibe.ops.plugins.module_utils.common.leases import NoLease
from ansible_collections.leanvibe.ops.plugins.module_utils.tenants.credentials import TenantCredentials
from ansible_collections.leanvibe.ops.plugins.module_utils.tenants.model import Tenant
from ansible_collections.leanvibe.ops.plugins.module_utils.tenants.systems import neo4j as entry
from ansible_collections.leanvibe.ops.plugins.module_utils.tenants.systems import neo4j_community as community
from ansible_collections.leanvibe.ops.plugins.module_utils.tenants.systems import neo4j_enterprise as enterprise

PASSWORD = "hunter2-hunter2"
HOSTILE = "x'}) DETACH DELETE t //"


class Graph:
    """Answers by the first words of a statement; keeps statement, database and parameters."""

    where = "Neo4j test"

    def __init__(self, error: Exception | None = None, failing: str = "", **rows: Any) -> None:
        self.answers = {key.replace("_", " "): value for key, value in rows.items()}
        self.error, self.failing = error, failing
        self.asked: list[tuple[str, str | None, dict[str, Any]]] = []
        self.requests = 0

    def rows(self, statement: str, database: str | None = None, /, **parameters: Any) -> list[dict[str, Any]]:
        self.asked.append((statement, database, parameters))
        if self.error and statement.startswith(self.failing):
            raise self.error
        return next((answer for start, answer in self.answers.items() if statement.startswith(start)), [])


def tenant(name: str = "a", **change: Any) -> Tenant:
    return Tenant(**{"id": name, "name": "A", "tier": "team", "region": "us-east-1", **change})


def credentials(password: str | None = PASSWORD, generation: int = 1) -> TenantCredentials:
    return TenantCredentials(generation, "current", "p", "r", "k", "s", password)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([], "unknown"),
        ([{"version": "5.26.0", "edition": "aura"}], "aura"),
        ([{"version": "4.4.1", "edition": "community"}], "needs? Neo4j 5"),
    ],
)
def test_an_edition_that_is_not_known_gets_no_tenants(rows: list[dict[str, Any]], message: str) -> None:
    with pytest.raises(OpsError, match=message):
        entry.edition(Graph(CALL=rows))
    assert entry.edition(Graph(CALL=[{"version": "5.26.12", "edition": "community"}])) == "community"


def rules() -> dict[str, tuple[str, str, tuple[str, ...]]]:
    return {rule.name: (rule.kind, rule.label, rule.properties) for rule in community.RULES}


def test_community_a_tenant_is_a_node_with_what_is_declared() -> None:
    plan = community.plan([tenant()], frozenset({"a"}), community.Actual({}, {}))
    assert [rule.name for rule in plan.rules] == [rule.name for rule in community.RULES]
    assert plan.writes == {"a": {"name": "A", "tier": "team", "region": "us-east-1", "state": "active", "managed_by": "leanvibe.ops"}}
    assert plan.changes["a"].action == "create"


def test_community_what_is_as_it_must_be_is_left_alone() -> None:
    nodes = {"a": {**community.properties(tenant()), "application": "own"}}
    plan = community.plan([tenant()], frozenset({"a"}), community.Actual(rules(), nodes))
    assert (plan.rules, plan.writes, plan.changes) == ((), {}, {})


def test_community_only_what_differs_is_shown_and_undeclared_nodes_of_ours_are_listed() -> None:
    other = community.properties(tenant("b"))
    actual = community.Actual(rules(), {"a": community.properties(tenant()), "b": other, "c": {**other, "managed_by": None}, "d": other})
    plan = community.plan([tenant(tier="enterprise", state="suspended")], frozenset({"a", "d"}), actual)
    assert list(plan.changes["a"].fields) == ["tier", "state"]
    assert plan.changes["a"].before == {"tier": "team", "state": "active"}
    assert plan.undeclared == ("b",)


def test_community_all_nodes_are_one_statement_and_values_are_parameters() -> None:
    tenants = [tenant(), tenant("b", contacts={"primary": HOSTILE})]
    hostile = Tenant("c", HOSTILE, "team", "us-east-1")
    plan = community.plan([*tenants, hostile], frozenset("abc"), community.Actual({}, {}))
    graph = Graph()
    community.apply(plan, graph, NoLease())
    assert len(graph.asked) == len(community.RULES) + 1
    statement, _database, parameters = graph.asked[-1]
    assert statement.startswith("UNWIND $rows")
    assert [row["id"] for row in parameters["rows"]] == ["a", "b", "c"]
    assert all(HOSTILE not in asked for asked, _database, _parameters in graph.asked)


def test_community_reads_in_three_statements() -> None:
    rule = community.RULES[0]
    graph = Graph(
        SHOW_CONSTRAINTS=[{"name": rule.name, "type": rule.kind, "labelsOrTypes": [rule.label], "properties": list(rule.properties)}],
        MATCH=[{"id": "a", "properties": {"tier": "team"}}],
    )
    actual = community.observe(graph, [tenant()])
    assert actual == community.Actual({rule.name: ("UNIQUENESS", "Tenant", ("id",))}, {"a": {"tier": "team"}})
    assert len(graph.asked) == 3


def test_community_a_name_of_ours_that_is_something_else_is_a_conflict() -> None:
    row = {"name": "leanvibe_tenant_id", "type": "UNIQUENESS", "labelsOrTypes": ["Tenant"], "properties": ["name"]}
    with pytest.raises(Conflict, match="leanvibe_tenant_id"):
        community.observe(Graph(SHOW_CONSTRAINTS=[row]), [])
    with pytest.raises(OpsError, match="has failed"):
        community.observe(Graph(SHOW_INDEXES=[{**row, "name": "leanvibe_user_tenant", "state": "FAILED"}]), [])


PARAMS: dict[str, Any] = {"lease": None}


def request(*tenants: Tenant) -> Any:
    from ansible_collections.leanvibe.ops.plugins.module_utils.tenants.arguments import TenantsRequest

    return TenantsRequest("us-east-1", tenants, frozenset(one.id for one in tenants), {}, {}, 2, 5)


def test_community_says_every_time_that_isolation_is_the_application_s() -> None:
    graph = Graph()
    answer = community.run(graph, request(tenant()), PARAMS, check_mode=True)
    assert "isolation in the graph is the application's" in answer.notes[0]
    assert answer.observed == {"a": {"edition": "community", "isolation": "application"}}
    assert all(asked.startswith(("SHOW", "MATCH")) for asked, _database, _parameters in graph.asked)
    assert [change.object for change in answer.platform] == [f"{rule.kind.lower()} {rule.name}" for rule in community.RULES]


GRANTED = frozenset((action, "tenant-a") for action in enterprise.GRANTED_ACTIONS)


def planned(declared: Tenant, user: enterprise.User | None = None, granted: Any = GRANTED, secret: Any = None) -> enterprise.Step:
    there = user is not None
    roles = {"tenant_a": granted} if granted is not None else {}
    actual = enterprise.Actual(frozenset({"tenant-a"} if there else ()), roles if there else {}, {"tenant_a": user} if user else {})
    steps, _undeclared = enterprise.plan([declared], frozenset({"a"}), {"a": secret or credentials()}, actual)
    return steps[0]


AS_IT_MUST_BE = enterprise.User(frozenset({"tenant_a"}), suspended=False, home="tenant-a", generation=1)


def test_enterprise_a_tenant_gets_database_role_and_user_and_is_let_in_last() -> None:
    step = planned(tenant())
    texts = [statement.text for statement in step.statements]
    assert texts[:2] == [enterprise.CREATE_DATABASE, enterprise.CREATE_ROLE]
    assert texts[2:8] == list(enterprise.GRANTS)
    assert texts[8:] == [enterprise.CREATE_USER, enterprise.REMEMBER, enterprise.SET_HOME, enterprise.GRANT_ROLE, enterprise.ACTIVATE]
    assert "SUSPENDED" in enterprise.CREATE_USER
    assert PASSWORD not in repr(step)


def test_enterprise_what_is_as_it_must_be_is_left_alone() -> None:
    assert planned(tenant(), AS_IT_MUST_BE) == enterprise.Step(tenant())


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"generation": 0}, [enterprise.SET_PASSWORD, enterprise.REMEMBER]),
        ({"home": None}, [enterprise.SET_HOME]),
        ({"roles": frozenset()}, [enterprise.GRANT_ROLE]),
        ({"suspended": True}, [enterprise.ACTIVATE]),
    ],
)
def test_enterprise_every_drift_is_undone(change: dict[str, Any], expected: list[str]) -> None:
    user = enterprise.User(**{**AS_IT_MUST_BE.__dict__, **change})
    assert [statement.text for statement in planned(tenant(), user).statements] == expected
    assert [statement.text for statement in planned(tenant(), AS_IT_MUST_BE, GRANTED - {("write", "tenant-a")}).statements] == list(enterprise.GRANTS)


def test_enterprise_suspension_takes_the_role_too() -> None:
    step = planned(tenant(state="suspended"), AS_IT_MUST_BE)
    assert [statement.text for statement in step.statements] == [enterprise.REVOKE_ROLE, enterprise.SUSPEND]
    off = enterprise.User(frozenset(), suspended=True, home="tenant-a", generation=1)
    assert planned(tenant(state="suspended"), off).statements == ()


def test_enterprise_rights_elsewhere_are_refused_and_further_roles_told() -> None:
    step = planned(tenant(), AS_IT_MUST_BE, GRANTED | {("match", "tenant-b")})
    assert (step.verdict, step.statements) == ("refused", ())
    assert "match on tenant-b" in step.message
    extra = planned(tenant(), enterprise.User(frozenset({"tenant_a", "admin"}), suspended=False, home="tenant-a", generation=1))
    assert (extra.verdict, extra.message) == ("failed", "user tenant_a has further roles (admin): revoke them")


@pytest.mark.parametrize("secret", [OpsError("no Secret"), credentials(password=None)])
def test_enterprise_without_a_password_no_user_is_made_and_a_suspended_one_is_shut_out(secret: Any) -> None:
    step = planned(tenant(), secret=secret)
    assert step.verdict == "failed"
    assert not [statement for statement in step.statements if "USER" in statement.text]
    suspended = planned(tenant(state="suspended"), AS_IT_MUST_BE, secret=secret)
    assert [statement.text for statement in suspended.statements] == [enterprise.REVOKE_ROLE, enterprise.SUSPEND]


def test_enterprise_a_tenant_that_fails_does_not_stop_another() -> None:
    both = [planned(tenant()), enterprise.Step(tenant("b"), (enterprise.Statement(enterprise.CREATE_ROLE, {"role": "tenant_b"}),))]
    graph = Graph(OpsError("no room"), "CREATE DATABASE")
    assert enterprise.apply(both, graph, NoLease(), 1) == {"a": "no room"}
    assert [asked for asked, _database, _parameters in graph.asked] == [enterprise.CREATE_DATABASE, enterprise.CREATE_ROLE]
    assert {database for _asked, database, _parameters in graph.asked} == {"system"}


def test_enterprise_a_lost_lease_stops_everything() -> None:
    class Lost(NoLease):
        def check(self) -> None:
            raise LeaseLost("gone")

    graph = Graph()
    with pytest.raises(LeaseLost):
        enterprise.apply([planned(tenant())], graph, Lost(), 1)
    assert graph.asked == []


def test_enterprise_reads_in_five_statements() -> None:
    graph = Graph(
        SHOW_DATABASES=[{"name": "tenant-a"}, {"name": "tenant-gone"}],
        SHOW_ROLES=[{"role": "tenant_a"}],
        SHOW_ALL=[{"role": "tenant_a", "action": action, "graph": graph} for action, graph in GRANTED],
        SHOW_USERS=[{"user": "tenant_a", "roles": ["PUBLIC", "tenant_a"], "suspended": False, "home": "tenant-a"}],
        MATCH=[{"id": "a", "generation": 1}],
    )
    actual = enterprise.observe(graph)
    steps, undeclared = enterprise.plan([tenant()], frozenset({"a"}), {"a": credentials()}, actual)
    assert (len(graph.asked), steps, undeclared) == (5, [enterprise.Step(tenant())], ["gone"])
