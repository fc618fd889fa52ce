# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""tenants_neo4j on the sandbox's two servers (Community): the cycle, read back with Cypher of the test's own; Enterprise statements before its parser."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import neo4j
import pytest
from neo4j.exceptions import ClientError, Neo4jError
from stores import EAST, WEST, changes, verdicts

if TYPE_CHECKING:
    from stores import Stores


UNSUPPORTED = "Neo.ClientError.Statement.UnsupportedAdministrationCommand"


@pytest.fixture(scope="module")
def tenants(stores: Stores) -> list[dict[str, Any]]:
    return [stores.tenant("graph-a"), stores.tenant("graph-b")]


def nodes(stores: Stores, region: str, tenants: list[dict[str, Any]]) -> list[dict[str, Any]]:
    rows = stores.cypher(region, "MATCH (t:Tenant) WHERE t.id IN $ids RETURN properties(t) AS p ORDER BY t.id", ids=[tenant["id"] for tenant in tenants])
    return [row["p"] for row in rows]


def schema(stores: Stores, region: str) -> set[str]:
    rules = stores.cypher(region, "SHOW CONSTRAINTS YIELD name RETURN name") + stores.cypher(region, "SHOW INDEXES YIELD name RETURN name")
    return {row["name"] for row in rules if row["name"].startswith("leanvibe_")}


def cycle(stores: Stores, region: str, tenants: list[dict[str, Any]], expected: list[tuple[str, str]]) -> dict[str, Any]:
    """Check, check again, do, do again. Checks write nothing and say what the run then does; the last does nothing."""
    before = nodes(stores, region, tenants), schema(stores, region)
    first, second = (stores.run("neo4j", region, tenants, check=True) for _time in range(2))
    assert (nodes(stores, region, tenants), schema(stores, region)) == before
    assert first["diff"] == second["diff"]
    done = stores.run("neo4j", region, tenants)
    assert set(verdicts(done).values()) == {"succeeded"}
    assert (changes(done), done["diff"], done["platform"]) == (changes(first), first["diff"], first["platform"])
    assert sorted((tenant_id, action) for tenant_id, _object, action in changes(done)) == sorted(expected)
    after = nodes(stores, region, tenants)
    again = stores.run("neo4j", region, tenants)
    assert (again["changed"], changes(again)) == (False, [])
    assert nodes(stores, region, tenants) == after
    return done


@pytest.mark.parametrize("region", [EAST, WEST])
def test_create_modify_suspend(stores: Stores, tenants: list[dict[str, Any]], region: str) -> None:
    one, two = tenants
    done = cycle(stores, region, tenants, [(one["id"], "create"), (two["id"], "create")])
    assert schema(stores, region) == {"leanvibe_tenant_id", "leanvibe_user_tenant", "leanvibe_project_tenant"}
    assert any("isolation in the graph is the application's" in note for note in done["notes"])
    stores.cypher(region, "MATCH (t:Tenant {id: $id}) SET t.application = 'own'", id=one["id"])
    hostile = "x'}) DETACH DELETE n //"
    cycle(stores, region, [{**one, "tier": "team", "name": hostile}, two], [(one["id"], "update")])
    found = nodes(stores, region, [one])[0]
    assert (found["tier"], found["name"], found["application"], found["state"]) == ("team", hostile, "own", "active")
    cycle(stores, region, [{**one, "state": "suspended"}, two], [(one["id"], "update")])
    assert nodes(stores, region, [one])[0]["state"] == "suspended"
    cycle(stores, region, tenants, [(one["id"], "update")])


def test_the_constraint_holds_and_is_made_again(stores: Stores, tenants: list[dict[str, Any]]) -> None:
    stores.run("neo4j", EAST, tenants)
    with pytest.raises(ClientError, match="already exists"):
        stores.cypher(EAST, "CREATE (:Tenant {id: $id})", id=tenants[0]["id"])
    stores.cypher(EAST, "DROP INDEX leanvibe_user_tenant")
    done = stores.run("neo4j", EAST, tenants)
    assert done["platform"] == [{"object": "range leanvibe_user_tenant", "action": "create", "fields": []}]
    assert stores.run("neo4j", EAST, tenants)["changed"] is False


def test_undeclared_nodes_of_ours_are_listed_and_left(stores: Stores, tenants: list[dict[str, Any]]) -> None:
    stores.run("neo4j", EAST, tenants)
    answer = stores.run("neo4j", EAST, tenants[:1], declared_ids=[])
    assert tenants[1]["id"] in answer["undeclared"]
    assert len(nodes(stores, EAST, tenants)) == 2


def test_enterprise_statements_are_known_to_the_parser(stores: Stores) -> None:
    """Community parses the commands of Enterprise and then refuses to run them; a mistake in one is another error."""
    from ansible_collections.leanvibe.ops.plugins.module_utils.clients.neo4j import connect
    from ansible_collections.leanvibe.ops.plugins.module_utils.common.errors import OpsError
    from ansible_collections.leanvibe.ops.plugins.module_utils.tenants.systems import neo4j_enterprise as enterprise

    values = {"database": "tenant-rn", "role": "tenant_rn", "user": "tenant_rn", "password": "hunter2-hunter2"}
    writes = [getattr(enterprise, name) for name in ("CREATE_DATABASE", "CREATE_ROLE", "SET_HOME", "SUSPEND", "ACTIVATE", "GRANT_ROLE", "REVOKE_ROLE")]
    unknown: dict[str, str] = {}
    with connect(stores.connection("neo4j", EAST), 20) as client:
        for statement in (*writes, *enterprise.GRANTS, enterprise.CREATE_USER):
            with pytest.raises(OpsError) as refused:
                client.rows(statement, "system", **values)
            known = refused.value.details["code"] == UNSUPPORTED or "not available in community edition" in refused.value.message
            unknown |= {} if known else {statement: refused.value.message}
        with pytest.raises(OpsError) as mistake:
            client.rows("GRANT ACCES ON DATABASE $database TO $role", "system", **values)
        assert client.rows("SHOW USERS YIELD user WHERE user STARTS WITH 'tenant_' RETURN user", "system") == []
    assert unknown == {}
    assert mistake.value.details["code"] == "Neo.ClientError.Statement.SyntaxError"


def code_of(driver: neo4j.Driver, statement: str) -> str:
    """The code of the error that a statement meets, "" if none."""
    try:
        driver.execute_query(neo4j.Query(statement), database_="system")
    except Neo4jError as error:
        return str(error.code)
    return ""


def test_enterprise_names_are_all_shown_by_this_version(stores: Stores) -> None:
    """The columns that the Enterprise driver asks for are those that this version's SHOW commands know."""
    from ansible_collections.leanvibe.ops.plugins.module_utils.tenants.systems import neo4j_enterprise as enterprise

    source = __import__("inspect").getsource(enterprise.observe)
    statements = re.findall(r'"(SHOW [^"]+)"', source)
    assert len(statements) == 4
    connection = stores.connection("neo4j", EAST)
    with neo4j.GraphDatabase.driver(connection["uri"], auth=(connection["username"], connection["password"])) as driver:
        codes = {statement: code_of(driver, statement) for statement in statements}
        assert code_of(driver, "SHOW USERS YIELD user, role RETURN user") == "Neo.ClientError.Statement.SyntaxError"
    assert set(codes.values()) <= {"", UNSUPPORTED}, codes
