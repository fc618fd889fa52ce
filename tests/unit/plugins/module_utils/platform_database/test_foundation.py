# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the foundation changes, and what it closes in the catalogue."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.leanvibe.ops.plugins.module_utils.platform_database import catalogue, foundation
from ansible_collections.leanvibe.ops.plugins.module_utils.platform_database.catalogue import Function, Relation, openings, statements

READERS = frozenset(catalogue.READERS)


def found(**change: Any) -> foundation.Actual:
    """A database in which nothing is missing."""
    roles = {role: {column: attributes.get(word, False) for word, column in foundation._COLUMNS.items()} for role, attributes in foundation.ROLES.items()}
    actual = foundation.Actual(
        database="leanvibe",
        superuser=True,
        roles=roles,
        settings=foundation.SETTINGS,
        members={(group, member): admin for group, members in foundation.MEMBERSHIPS.items() for member, admin in members.items()},
        database_rights=frozenset((role, right) for role, rights in foundation.DATABASE_RIGHTS.items() for right in rights),
        public=[],
        monitor_uses_public=True,
        reads_verifiers=True,
        monitor_reads_widths=True,
        openings=[],
    )
    return replace(actual, **change)


def test_nothing_to_do() -> None:
    assert foundation.plan(found(), foundation.SELF_MANAGED) == []
    assert foundation.plan(found(), foundation.RDS) == []


@pytest.mark.parametrize(
    ("change", "objects"),
    [
        ({"roles": {}}, [f"role {role}" for role in foundation.ROLES]),
        ({"roles": {**found().roles, "leanvibe_app": {**found().roles["leanvibe_app"], "rolbypassrls": True}}}, ["role leanvibe_app"]),
        ({"members": {key: value for key, value in found().members.items() if key[0] != "leanvibe_gate"}}, ["member leanvibe_owner of leanvibe_gate"]),
        ({"members": {**found().members, ("leanvibe_tenants", "leanvibe_operations"): False}}, ["member leanvibe_operations of leanvibe_tenants"]),
        ({"settings": {}}, ["setting search_path of leanvibe_app", "setting rls.tenant_id of leanvibe_app", "setting row_security of leanvibe_migrations"]),
        ({"database_rights": found().database_rights | {("PUBLIC", "TEMPORARY")}}, ["database leanvibe for PUBLIC"]),
        ({"database_rights": found().database_rights - {("leanvibe_app", "CONNECT")}}, ["database leanvibe for leanvibe_app"]),
        ({"public": [("SCHEMA", "public", "USAGE")]}, ["schema public for PUBLIC", "schema public for pg_monitor"]),
        ({"public": [("TABLE", "pg_stat_statements", "SELECT")]}, ["table pg_stat_statements for PUBLIC"]),
        ({"reads_verifiers": False}, ["verifiers for leanvibe_operations"]),
        ({"monitor_reads_widths": False}, ["widths for pg_monitor"]),
        ({"members": {key: value for key, value in found().members.items() if key[1] != "leanvibe_health"}}, ["member leanvibe_health of pg_monitor"]),
        ({"roles": {**found().roles, "leanvibe_health": {**found().roles["leanvibe_health"], "rolcreaterole": True}}}, ["role leanvibe_health"]),
    ],
)
def test_one_thing_missing(change: dict[str, Any], objects: list[str]) -> None:
    steps = foundation.plan(found(**change), foundation.SELF_MANAGED)
    assert [step.object for step in steps] == objects
    assert all(step.statements for step in steps)


def test_managed_service_leaves_out_what_needs_a_superuser() -> None:
    opening = catalogue.Opening("relation", "pg_locks", "", True, (), ("pg_monitor",))
    actual = found(
        roles={**found().roles, "leanvibe_migrations": {**found().roles["leanvibe_migrations"], "rolbypassrls": False}},
        openings=[opening],
        reads_verifiers=False,
    )
    assert foundation.plan(actual, foundation.RDS) == []
    assert any("1 parts" in note for note in foundation.notes(actual, foundation.RDS))
    assert len(foundation.plan(actual, foundation.SELF_MANAGED)) == 3
    assert foundation.notes(actual, foundation.SELF_MANAGED) == []


def text(opening: catalogue.Opening) -> list[str]:
    return [statement.as_string(None) for statement in statements(opening)]


def test_a_view_of_counters_is_closed_as_a_whole() -> None:
    closed = Relation("pg_stat_activity", {"pid": False, "query": False}, False, READERS)
    assert openings([closed], []) == []
    (opening,) = openings([replace(closed, public=True)], [])
    assert text(opening) == ['REVOKE ALL ON "pg_catalog"."pg_stat_activity" FROM PUBLIC']
    (opening,) = openings([replace(closed, columns={"pid": True, "query": False})], [])
    assert opening.revoke
    (opening,) = openings([replace(closed, readers=frozenset())], [])
    assert (opening.revoke, set(opening.grant)) == (False, set(READERS))


def test_of_a_table_that_clients_need_only_columns_are_closed() -> None:
    columns = {"oid": True, "relname": True, "reltuples": False, "relpages": False}
    closed = Relation("pg_class", columns, False, READERS)
    assert openings([closed], []) == []
    (opening,) = openings([replace(closed, public=True)], [])
    assert text(opening) == ['REVOKE ALL ON "pg_catalog"."pg_class" FROM PUBLIC', 'GRANT SELECT ("oid", "relname") ON "pg_catalog"."pg_class" TO PUBLIC']
    (opening,) = openings([replace(closed, columns={**columns, "reltuples": True})], [])
    assert opening.revoke
    (opening,) = openings([replace(closed, columns={**columns, "relname": False})], [])
    assert (opening.revoke, opening.columns) == (False, ("oid", "relname"))


def test_functions() -> None:
    size = Function("pg_relation_size", "regclass, text", False, READERS)
    lock = Function("pg_advisory_lock", "bigint", False, frozenset(catalogue.LOCKERS))
    harmless = Function("lower", "text", True, frozenset())
    assert openings([], [size, lock, harmless]) == []
    opened = openings([], [replace(size, public=True), replace(lock, callers=READERS)])
    assert text(opened[0]) == ['REVOKE ALL ON FUNCTION "pg_catalog"."pg_relation_size"(regclass, text) FROM PUBLIC']
    assert set(opened[1].grant) == {"leanvibe_app", "leanvibe_migrations"}


@pytest.mark.parametrize("name", ["pg_stats", "pg_stats_ext", "pg_settings", "pg_type", "pg_tables", "pg_namespace", "pg_description", "pg_statistic_ext"])
def test_what_clients_look_up_stays_open(name: str) -> None:
    assert openings([Relation(name, {"a": False}, True, frozenset())], []) == []
