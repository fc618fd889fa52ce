# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is planned for one tenant, from what was read. (The statements themselves are proven on a real server.)"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.leanvibe.ops.plugins.module_utils.common import scram
from ansible_collections.leanvibe.ops.plugins.module_utils.common.errors import OpsError
from ansible_collections.leanvibe.ops.plugins.module_utils.platform_database.audit import Audit
from ansible_collections.leanvibe.ops.plugins.module_utils.platform_database.audit_rules import Finding
from ansible_collections.leanvibe.ops.plugins.module_utils.tenants.credentials import TenantCredentials
from ansible_collections.leanvibe.ops.plugins.module_utils.tenants.model import Tenant
from ansible_collections.leanvibe.ops.plugins.module_utils.tenants.systems.postgresql_driver import driver
from ansible_collections.leanvibe.ops.plugins.module_utils.tenants.systems.postgresql_plan import TenantPlan, plan
from ansible_collections.leanvibe.ops.plugins.module_utils.tenants.systems.postgresql_state import Actual, RoleState, RowState, SchemaState

TENANT = Tenant("acme-corp", "Acme", "team", "us-east-1")
NAME = "tenant_acme_corp"
LIMITS = {"connection_limit": 15, "statement_timeout_ms": 30000, "idle_in_transaction_timeout_ms": 60000}
PASSWORD = "hush-hush"
CREDENTIALS = TenantCredentials(1, "current", PASSWORD, "r", "k", "s")
VERIFIER = scram.verifier(PASSWORD, b"0123456789abcdef", 1)
SETTINGS = {"search_path": f"{NAME}, pg_temp", "statement_timeout": "30000", "idle_in_transaction_session_timeout": "60000"}
ROLE = RoleState(False, False, True, True, 15, False, SETTINGS, {}, ("leanvibe_tenants",), ())
ROW = RowState({"name": "Acme", "tier": "team", "region": "us-east-1", "state": "active"}, True, scram.proof(PASSWORD, VERIFIER))
SCHEMA = SchemaState("leanvibe_operations", frozenset({(NAME, "USAGE"), (NAME, "CREATE")}))
THERE = Actual(
    recovering=False,
    account="leanvibe_operations",
    database="leanvibe",
    roles={NAME: ROLE},
    verifiers={NAME: VERIFIER},
    schemas={NAME: SCHEMA},
    rows={TENANT.id: ROW},
    members=frozenset({NAME}),
    sessions={},
    sizes={},
    audit=Audit((), (), {}),
    requests=0,
)
EMPTY = replace(THERE, roles={}, verifiers={}, schemas={}, rows={}, members=frozenset())


def planned(actual: Actual, tenant: Tenant = TENANT, credentials: Any = CREDENTIALS, name: str = "postgresql", **limits: int) -> TenantPlan:
    return plan(tenant, {**LIMITS, **limits}, credentials, actual, driver(name))


def with_role(**change: Any) -> Actual:
    return replace(THERE, roles={NAME: replace(ROLE, **change)})


def test_unchanged_means_nothing_to_write() -> None:
    result = planned(THERE)
    assert (result.verdict, result.changes, result.writes) == ("succeeded", [], False)


def test_a_new_tenant() -> None:
    result = planned(EMPTY)
    assert [(change.object, change.action) for change in result.changes] == [
        (f"role {NAME}", "create"),
        (f"schema {NAME}", "create"),
        ("row in leanvibe.tenants", "create"),
        ("row in leanvibe_private.tenant_roles", "create"),
    ]
    words = [statement.as_string(None) for statement in result.statements]
    assert words[0] == f'CREATE ROLE "{NAME}" LOGIN CONNECTION LIMIT 15 INHERIT NOCREATEROLE NOCREATEDB IN ROLE "leanvibe_tenants"'
    assert result.password == PASSWORD
    assert PASSWORD not in repr(result) + repr(words)
    suspended = planned(EMPTY, replace(TENANT, state="suspended"))
    assert "NOLOGIN" in suspended.statements[0].as_string(None)


@pytest.mark.parametrize(
    ("actual", "expected"),
    [
        (with_role(connection_limit=5), f"role {NAME}"),
        (with_role(login=False), f"role {NAME}"),
        (with_role(powers=True), f"role {NAME}"),
        (with_role(inherit=False), f"role {NAME}"),
        (with_role(expires=True), f"role {NAME}"),
        (with_role(settings={}), f"settings of {NAME}"),
        (with_role(local_settings={"search_path": "public"}), f"settings of {NAME} in leanvibe"),
        (with_role(groups=()), f"memberships of {NAME}"),
        (with_role(groups=("leanvibe_tenants*",)), f"memberships of {NAME}"),
        (with_role(groups=("leanvibe_tenants", "pg_read_all_data")), f"memberships of {NAME}"),
        (with_role(members=("tenant_other",)), f"memberships of {NAME}"),
        (replace(THERE, verifiers={NAME: None}), f"role {NAME}"),
        (replace(THERE, verifiers={NAME: scram.verifier("other", b"0123456789abcdef", 1)}), f"role {NAME}"),
        (replace(THERE, schemas={}), f"schema {NAME}"),
        (replace(THERE, schemas={NAME: replace(SCHEMA, grants=frozenset({(NAME, "USAGE")}))}), f"schema {NAME}"),
        (replace(THERE, schemas={NAME: replace(SCHEMA, grants=SCHEMA.grants | {("PUBLIC", "USAGE")})}), f"schema {NAME}"),
        (replace(THERE, rows={TENANT.id: replace(ROW, row={**(ROW.row or {}), "tier": "developer"})}), "row in leanvibe.tenants"),
        (replace(THERE, rows={TENANT.id: replace(ROW, bound=False)}), "row in leanvibe_private.tenant_roles"),
        (replace(THERE, roles={}, verifiers={}), f"role {NAME}"),
    ],
)
def test_one_difference(actual: Actual, expected: str) -> None:
    result = planned(actual)
    assert (result.verdict, [change.object for change in result.changes]) == ("succeeded", [expected])
    assert result.writes


def test_what_does_not_concern_us_is_left() -> None:
    assert not planned(with_role(settings={**SETTINGS, "work_mem": "1MB"}, local_settings={"work_mem": "2MB"}, members=("leanvibe_operations",))).writes
    # Set by hand to the right password: the proof does not fit, the verifier does.
    assert not planned(replace(THERE, rows={TENANT.id: replace(ROW, proof="old")})).writes


@pytest.mark.parametrize(
    ("actual", "tenant", "says"),
    [
        (replace(EMPTY, roles={NAME: ROLE}), TENANT, f"role {NAME} exist"),
        (replace(EMPTY, schemas={NAME: SCHEMA}), TENANT, f"schema {NAME} exist"),
        (replace(EMPTY, rows={TENANT.id: replace(ROW, bound=False)}), TENANT, "left over from an earlier tenant"),
        (replace(THERE, schemas={NAME: replace(SCHEMA, owner="somebody")}), TENANT, "owned by somebody"),
        (with_role(above_us=True), TENANT, "as a superuser"),
        (replace(with_role(connection_limit=40), sessions={NAME: 16}), TENANT, "16 sessions now, more than the new limit of 15"),
        (replace(THERE, audit=Audit((Finding("x", "y", "z"),), (), {})), TENANT, "does not keep tenants apart (1 findings"),
        (replace(THERE, audit=Audit((), ("pg_catalog.pg_locks",), {})), TENANT, "does not keep tenants apart (1 findings"),
        (replace(EMPTY, audit=Audit((Finding("x", "y", "z"),), (), {})), replace(TENANT, state="suspended"), "does not keep tenants apart"),
    ],
)
def test_refusals_change_nothing(actual: Actual, tenant: Tenant, says: str) -> None:
    result = planned(actual, tenant)
    assert (result.verdict, result.changes, result.writes) == ("refused", [], False)
    assert says in result.message


def test_refused_does_not_mean_always() -> None:
    """The neighbours of the cases above."""
    assert planned(replace(THERE, sessions={NAME: 16})).verdict == "succeeded"
    assert planned(replace(with_role(connection_limit=40), sessions={NAME: 15})).verdict == "succeeded"
    assert planned(replace(THERE, audit=Audit((), ("pg_catalog.pg_locks",), {})), name="rds").verdict == "succeeded"
    suspended = planned(replace(THERE, audit=Audit((Finding("x", "y", "z"),), (), {})), replace(TENANT, state="suspended"))
    assert (suspended.verdict, suspended.terminate) == ("succeeded", True)


def test_suspending_shows_the_sessions_that_end() -> None:
    result = planned(replace(THERE, sessions={NAME: 3}), replace(TENANT, state="suspended"))
    assert [(change.object, change.before) for change in result.changes if change.action == "delete"] == [(f"sessions of {NAME}", {"sessions": 3})]
    done = replace(with_role(login=False), rows={TENANT.id: replace(ROW, row={**(ROW.row or {}), "state": "suspended"})})
    assert not planned(done, replace(TENANT, state="suspended")).writes


def test_without_its_secret_all_else_is_done() -> None:
    result = planned(EMPTY, credentials=OpsError("Secret tenant-acme-corp/tenant-credentials in us-east-1 does not exist"))
    assert result.verdict == "failed"
    assert "us-east-1" in result.message
    assert result.password is None
    assert len(result.changes) == 4


def test_managed_service_knows_passwords_by_its_own_note() -> None:
    noted = driver("rds").proof(PASSWORD, "whatever")
    actual = replace(THERE, verifiers={}, rows={TENANT.id: replace(ROW, proof=noted)})
    assert not planned(actual, name="rds").writes
    assert planned(actual, credentials=replace(CREDENTIALS, postgresql_password="new"), name="rds").password == "new"
    assert planned(replace(actual, rows={TENANT.id: replace(ROW, proof=None)}), name="rds").writes
    assert driver("rds").verifiers is None
