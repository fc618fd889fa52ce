# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every rule of the audit: green evidence, one thing changed, and the rule that must name it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.leanvibe.ops.plugins.module_utils.platform_database import names
from ansible_collections.leanvibe.ops.plugins.module_utils.platform_database.audit_rules import (
    PINS,
    SAFE_PATH,
    SESSION_TENANT,
    TENANT_ROWS,
    Constraint,
    Evidence,
    Function,
    Policy,
    Relation,
    Role,
    Schema,
    judge,
)

OWNER = names.OWNER
USERS = Relation("leanvibe", "users", "r", OWNER, True, True, (), True, frozenset({("leanvibe_app", "SELECT"), ("leanvibe_gate", "SELECT")}))
PLANS = Relation("leanvibe", "plans", "r", OWNER, False, False, (), None, frozenset({("leanvibe_app", "SELECT")}))
VIEW = Relation("leanvibe", "progress", "v", OWNER, False, False, ("security_invoker=true",), True, frozenset({("leanvibe_app", "SELECT")}))
WINDOW = Relation("leanvibe_shared", "users", "v", OWNER, False, False, ("security_invoker=true",), True, frozenset({("leanvibe_tenants", "SELECT")}))
POLICIES = [Policy("leanvibe", "users", name, True, "*", (role,), rule, rule) for name, (role, rule) in names.POLICIES.items()]
KEY = Constraint("index", "leanvibe", "users", "", "users_pkey", ("tenant_id", "user_id"))
REFERENCE = Constraint("reference", "leanvibe", "users", "leanvibe.users", "f", ("tenant_id=tenant_id", "boss=user_id"))
TO_PLAN = Constraint("reference", "leanvibe", "users", "leanvibe.plans", "p", ("plan=plan",))
IDENTITY = Function("leanvibe_private", "session_tenant", OWNER, True, (SAFE_PATH,), SESSION_TENANT, frozenset({("leanvibe_tenants", "EXECUTE")}))
ROWS = Function("leanvibe_private", "users_rows", names.GATE, True, tuple(PINS), "SELECT", frozenset({("leanvibe_tenants", "EXECUTE")}))
CENSUS = Function(
    "leanvibe_private", "tenant_rows", names.CENSUS, True, (SAFE_PATH, "row_security=on"), TENANT_ROWS, frozenset({("leanvibe_health", "EXECUTE")})
)
COUNTED = Policy("leanvibe", "users", "census", True, "r", (names.CENSUS,), "true", None)
LOOKUP = Function("pgbouncer", "user_lookup", "postgres", True, (), "…", frozenset({("pgbouncer_auth", "EXECUTE")}))
SCHEMAS = [
    Schema("leanvibe", OWNER, frozenset({("leanvibe_app", "USAGE")})),
    Schema("leanvibe_shared", OWNER, frozenset({("leanvibe_tenants", "USAGE")})),
    Schema("leanvibe_private", OWNER, frozenset({("leanvibe_operations", "USAGE")})),
    Schema("public", "pg_database_owner", frozenset({("pg_monitor", "USAGE")})),
]
PLAIN = Role("x", False, False, False, False, False, False, ())
ROLES = {
    OWNER: replace(PLAIN, name=OWNER, member_of=("leanvibe_gate",)),
    "leanvibe_app": replace(PLAIN, name="leanvibe_app", login=True),
    "leanvibe_tenants": replace(PLAIN, name="leanvibe_tenants"),
    "leanvibe_gate": replace(PLAIN, name="leanvibe_gate", member_of=("leanvibe_tenants",)),
    names.CENSUS: replace(PLAIN, name=names.CENSUS),
    "leanvibe_migrations": replace(PLAIN, name="leanvibe_migrations", login=True, bypass=True, member_of=(OWNER, names.CENSUS)),
    "leanvibe_health": replace(PLAIN, name="leanvibe_health", login=True, member_of=("pg_monitor",)),
    "postgres": replace(PLAIN, name="postgres", superuser=True, bypass=True, login=True),
}
GREEN = Evidence(
    relations=[USERS, PLANS, VIEW, WINDOW],
    policies=[*POLICIES, COUNTED],
    constraints=[KEY, REFERENCE, TO_PLAN],
    functions=[IDENTITY, ROWS, CENSUS, LOOKUP],
    schemas=SCHEMAS,
    roles=ROLES,
    database_grants=frozenset({("leanvibe_tenants", "CONNECT"), ("leanvibe_operations", "CREATE")}),
    exemptions={
        ("table", "leanvibe.plans"): "price list",
        ("reference", "leanvibe.users -> leanvibe.plans"): "price list",
        ("function", "leanvibe_private.session_tenant"): "identity",
    },
    census=frozenset({("leanvibe.users", "tenant_id", "SELECT")}),
)


def relations(changed: Relation, *, instead_of: Relation = USERS) -> dict[str, Any]:
    return {"relations": [changed if relation is instead_of else relation for relation in GREEN.relations]}


def policies(**change: Any) -> dict[str, Any]:
    return {"policies": [replace(POLICIES[0], **change), POLICIES[1], COUNTED]}


def counted(**change: Any) -> dict[str, Any]:
    return {"policies": [*POLICIES, replace(COUNTED, **change)]}


def census(**change: Any) -> dict[str, Any]:
    return {"functions": [IDENTITY, ROWS, replace(CENSUS, **change)]}


def counts(*right: tuple[str, str, str]) -> dict[str, Any]:
    return {"census": GREEN.census | set(right)}


def functions(*more: Function, **change: Any) -> dict[str, Any]:
    return {"functions": [IDENTITY, replace(ROWS, **change), LOOKUP, *more]}


def roles(name: str, **change: Any) -> dict[str, Any]:
    return {"roles": {**ROLES, name: replace(ROLES[name], **change)}}


def schema(name: str, *grant: tuple[str, str]) -> dict[str, Any]:
    return {"schemas": [replace(item, grants=item.grants | set(grant)) if item.name == name else item for item in SCHEMAS]}


def granted(relation: Relation, *grant: tuple[str, str]) -> dict[str, Any]:
    return relations(replace(relation, grants=relation.grants | set(grant)), instead_of=relation)


FOREIGN = Relation("public", "notes", "r", "somebody", False, False, (), None, frozenset({("PUBLIC", "SELECT")}))
HELPER = Function("public", "helper", "postgres", True, (), "…", frozenset({("PUBLIC", "EXECUTE")}))

CASES: list[tuple[str, str, dict[str, Any]]] = [
    ("rls-disabled", "leanvibe.users", relations(replace(USERS, row_security=False))),
    ("rls-not-forced", "leanvibe.users", relations(replace(USERS, forced=False))),
    ("rls-disabled", "leanvibe.users", relations(replace(USERS, kind="p", row_security=False))),
    ("tenant-null", "leanvibe.users", relations(replace(USERS, tenant_column=False))),
    ("no-tenant", "leanvibe.plans", {"exemptions": {key: value for key, value in GREEN.exemptions.items() if key[0] != "table"}}),
    ("owner", "leanvibe.users", relations(replace(USERS, owner="postgres"))),
    ("owner", "leanvibe", {"schemas": [replace(SCHEMAS[0], owner="postgres"), *SCHEMAS[1:]]}),
    ("view-definer", "leanvibe.progress", relations(replace(VIEW, options=()), instead_of=VIEW)),
    ("view-definer", "leanvibe_shared.users", relations(replace(WINDOW, options=("security_invoker=false",)), instead_of=WINDOW)),
    ("unprotectable", "leanvibe.progress", relations(replace(VIEW, kind="m"), instead_of=VIEW)),
    ("unprotectable", "leanvibe.progress", relations(replace(VIEW, kind="f"), instead_of=VIEW)),
    ("unprotectable", "leanvibe_shared.users", relations(replace(WINDOW, kind="r"), instead_of=WINDOW)),
    ("grant", "leanvibe.users", granted(USERS, ("leanvibe_app", "TRUNCATE"))),
    ("grant", "leanvibe.users", granted(USERS, ("leanvibe_app", "REFERENCES"))),
    ("grant", "leanvibe.users", granted(USERS, ("leanvibe_app", "TRIGGER"))),
    ("grant", "leanvibe.users", granted(USERS, ("leanvibe_tenants", "SELECT"))),
    ("grant", "leanvibe.users", granted(USERS, ("PUBLIC", "SELECT"))),
    ("grant", "leanvibe.users", granted(USERS, ("tenant_a", "SELECT"))),
    ("grant", "public.notes", {"relations": [*GREEN.relations, FOREIGN]}),
    ("policy-missing", "leanvibe.users", {"policies": POLICIES[:1]}),
    ("policy-role", "leanvibe.users", policies(roles=("PUBLIC",))),
    ("policy-role", "leanvibe.users", policies(roles=("leanvibe_app", "leanvibe_tenants"))),
    ("policy-command", "leanvibe.users", policies(command="r")),
    ("policy-command", "leanvibe.users", policies(permissive=False)),
    ("policy-using", "leanvibe.users", policies(using="true")),
    ("policy-check", "leanvibe.users", policies(check=None)),
    ("policy-extra", "leanvibe.users", {"policies": [*POLICIES, replace(POLICIES[0], name="more", using="true")]}),
    ("policy-extra", "leanvibe.users", {"policies": [*POLICIES, replace(POLICIES[0], name="operations", roles=("leanvibe_operations",))]}),
    ("policy-role", "leanvibe.users", counted(roles=(names.CENSUS, "leanvibe_app"))),
    ("policy-role", "leanvibe.users", counted(roles=("leanvibe_health",))),
    ("policy-command", "leanvibe.users", counted(command="*")),
    ("policy-using", "leanvibe.users", counted(using="(tenant_id <> 'a')")),
    ("policy-check", "leanvibe.users", counted(command="*", check="true")),
    ("policy-extra", "leanvibe.plans", counted(table="plans")),
    ("census-right", "leanvibe.users", counts(("leanvibe.users", "email", "SELECT"))),
    ("census-right", "leanvibe.users", counts(("leanvibe.users", "", "SELECT"))),
    ("census-right", "leanvibe.users", counts(("leanvibe.users", "tenant_id", "UPDATE"))),
    ("census-right", "public.notes", counts(("public.notes", "tenant_id", "SELECT"))),
    ("census-member", "leanvibe_health", roles("leanvibe_health", member_of=("pg_monitor", names.CENSUS))),
    ("role-member", names.CENSUS, roles(names.CENSUS, member_of=("pg_read_all_data",))),
    ("role-login", names.CENSUS, roles(names.CENSUS, login=True)),
    ("role-bypasses", names.CENSUS, roles(names.CENSUS, bypass=True)),
    ("census-function", "leanvibe_private.tenant_rows", census(source="SELECT 1")),
    ("census-function", "leanvibe_private.tenant_rows", census(definer=False)),
    ("census-function", "leanvibe_private.tenant_rows", census(settings=())),
    ("census-function", "leanvibe_private.more_rows", census(name="more_rows")),
    ("census-caller", "leanvibe_private.tenant_rows", census(grants=frozenset({("PUBLIC", "EXECUTE")}))),
    ("census-caller", "leanvibe_private.tenant_rows", census(grants=frozenset({("leanvibe_app", "EXECUTE")}))),
    ("function-definer", "leanvibe_private.tenant_rows", census(grants=frozenset({("leanvibe_tenants", "EXECUTE")}))),
    ("reference", "leanvibe.users", {"constraints": [replace(REFERENCE, columns=("boss=user_id",))]}),
    ("reference", "leanvibe.users", {"constraints": [replace(REFERENCE, columns=("tenant_id=other", "boss=tenant_id"))]}),
    ("reference", "leanvibe.plans", {"constraints": [replace(REFERENCE, table="plans", columns=("u=user_id",))]}),
    ("unique", "leanvibe.users", {"constraints": [replace(KEY, columns=("user_id",))]}),
    ("identity", "leanvibe_private.session_tenant", {"functions": [ROWS]}),
    ("identity", "leanvibe_private.session_tenant", {"functions": [replace(IDENTITY, source="SELECT 'b'"), ROWS]}),
    ("identity", "leanvibe_private.session_tenant", {"functions": [replace(IDENTITY, owner="postgres"), ROWS]}),
    ("function-pins", "leanvibe_private.users_rows", functions(settings=(SAFE_PATH,))),
    ("function-path", "leanvibe_private.users_rows", functions(settings=("search_path=public",))),
    ("function-owner", "leanvibe_private.users_rows", functions(owner="postgres")),
    ("function-owner", "leanvibe_private.users_rows", functions(owner="leanvibe_migrations")),
    ("function-owner", "leanvibe_private.users_rows", functions(owner="unknown")),
    ("function-definer", "leanvibe_private.users_rows", functions(owner=OWNER)),
    ("function-definer", "leanvibe_shared.users_rows", functions(schema="leanvibe_shared")),
    ("function-definer", "public.helper", functions(HELPER)),
    ("schema-create", "public", schema("public", ("PUBLIC", "CREATE"))),
    ("schema-usage", "public", schema("public", ("PUBLIC", "USAGE"))),
    ("schema-usage", "leanvibe", schema("leanvibe", ("leanvibe_tenants", "USAGE"))),
    ("schema-usage", "leanvibe_private", schema("leanvibe_private", ("leanvibe_app", "USAGE"))),
    ("database-grant", "database", {"database_grants": frozenset({("PUBLIC", "CONNECT")})}),
    ("database-grant", "database", {"database_grants": frozenset({("leanvibe_tenants", "TEMPORARY")})}),
    ("role-bypasses", "leanvibe_app", roles("leanvibe_app", bypass=True)),
    ("role-bypasses", "leanvibe_gate", roles("leanvibe_gate", superuser=True)),
    ("role-bypasses", OWNER, roles(OWNER, bypass=True)),
    ("role-powers", "leanvibe_app", roles("leanvibe_app", create_role=True)),
    ("role-powers", "leanvibe_tenants", roles("leanvibe_tenants", replication=True)),
    ("role-login", OWNER, roles(OWNER, login=True)),
    ("role-login", "leanvibe_gate", roles("leanvibe_gate", login=True)),
    ("role-member", "leanvibe_app", roles("leanvibe_app", member_of=("leanvibe_owner",))),
    ("role-member", "leanvibe_tenants", roles("leanvibe_tenants", member_of=("pg_read_all_data",))),
    ("role-missing", "leanvibe_gate", {"roles": {name: role for name, role in ROLES.items() if name != "leanvibe_gate"}}),
]


def test_green() -> None:
    assert judge(GREEN) == []


@pytest.mark.parametrize(("rule", "subject", "change"), CASES, ids=[f"{rule}-{number}" for number, (rule, *_rest) in enumerate(CASES)])
def test_one_thing_changed(rule: str, subject: str, change: dict[str, Any]) -> None:
    found = judge(replace(GREEN, **change))
    assert (rule, subject) in {(finding.rule, finding.object) for finding in found}
    assert all(finding.message for finding in found)


def test_what_does_no_harm_is_not_reported() -> None:
    restrictive = replace(POLICIES[0], name="also", permissive=False, using="(state <> 'x')")
    operations = Policy("leanvibe", "users", "operations", True, "*", ("leanvibe_operations",), "true", "true")
    assert judge(replace(GREEN, policies=[*POLICIES, restrictive])) == []
    assert judge(replace(GREEN, policies=[*POLICIES, operations], exemptions={**GREEN.exemptions, ("policy", "leanvibe.users.operations"): "why"})) == []
    # Nobody counts: no hole, and no reason to let nobody in.
    none = {name: role for name, role in ROLES.items() if name != names.CENSUS}
    assert judge(replace(GREEN, policies=POLICIES, functions=[IDENTITY, ROWS, LOOKUP], census=frozenset(), roles=none)) == []
    # Who makes roles may admit himself to any of them, whether he is a member now or not.
    assert judge(replace(GREEN, **roles("postgres", member_of=(names.CENSUS,)))) == []
    # A tenant that admits the application to its own role gives away its own rights only; reconciling it takes them back.
    assert judge(replace(GREEN, **roles("leanvibe_app", member_of=("tenant_a",)))) == []
    assert judge(replace(GREEN, **functions(replace(HELPER, grants=frozenset({("leanvibe_operations", "EXECUTE")}))))) == []


HEARTBEAT = Relation(
    "leanvibe_private", "heartbeat", "r", OWNER, False, False, (), None, frozenset({("leanvibe_heartbeat", "UPDATE"), ("pg_monitor", "SELECT")})
)
SECRETS = replace(HEARTBEAT, name="tenant_roles")


def test_who_writes_the_heartbeat_writes_nothing_else() -> None:
    assert judge(replace(GREEN, relations=[*GREEN.relations, HEARTBEAT])) == []
    found = judge(replace(GREEN, relations=[*GREEN.relations, SECRETS]))
    assert [(finding.rule, finding.object) for finding in found] == [("grant", "leanvibe_private.tenant_roles")]
    more = replace(HEARTBEAT, grants=HEARTBEAT.grants | {("leanvibe_heartbeat", "TRUNCATE")})
    assert [finding.rule for finding in judge(replace(GREEN, relations=[*GREEN.relations, more]))] == ["grant"]
