# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""tenants_postgresql: create, modify, suspend and resume, each in check mode and for real, first and again; drift; refusals.

What is there is read by sessions of our own.
"""

# ruff: noqa: S608 - names of the test's own roles

from __future__ import annotations

import hashlib
from typing import Any

import psycopg
import pytest
from psycopg import sql


def snapshot(lab: Any, tenant: dict[str, Any]) -> tuple[Any, ...]:
    """All catalogue rows of a tenant, with the transactions that wrote them: equal means that nothing was written."""
    name = lab.role(tenant)
    return (
        lab.rows("SELECT xmin::text, a::text FROM pg_authid a WHERE rolname = %s", name),
        lab.rows("SELECT s.xmin::text, s::text FROM pg_db_role_setting s JOIN pg_roles r ON r.oid = setrole WHERE rolname = %s ORDER BY 2", name),
        lab.rows("SELECT m.xmin::text, m::text FROM pg_auth_members m JOIN pg_roles r ON r.oid IN (roleid, member) WHERE rolname = %s ORDER BY 2", name),
        lab.rows("SELECT xmin::text, n::text FROM pg_namespace n WHERE nspname = %s", name),
        lab.rows("SELECT t.xmin::text, t::text FROM leanvibe.tenants t WHERE tenant_id = %s", tenant["id"]),
        lab.rows("SELECT t.xmin::text, t::text FROM leanvibe_private.tenant_roles t WHERE tenant_id = %s", tenant["id"]),
    )


def effective(lab: Any, tenant: dict[str, Any]) -> dict[str, Any]:
    """What the tenant's own session finds itself held to."""
    with lab.as_tenant(tenant) as session:
        names = ("search_path", "statement_timeout", "idle_in_transaction_session_timeout")
        # The session's own options come first, so the role's default is asked for where it is kept.
        settings = {name: session.execute("SELECT reset_val FROM pg_settings WHERE name = %s", (name,)).fetchall()[0][0] for name in names}
    limit = lab.rows("SELECT rolconnlimit FROM pg_roles WHERE rolname = %s", lab.role(tenant))[0][0]
    return {"limit": limit, "search_path": settings["search_path"], "idle": settings["idle_in_transaction_session_timeout"]}


def test_cycle(lab: Any) -> None:
    tenant = lab.tenant("cycle")
    name = lab.role(tenant)
    stages = (
        (tenant, {"limit": 5, "search_path": f"{name}, pg_temp", "idle": "30000"}),
        ({**tenant, "tier": "enterprise", "name": "Tenant with a new name"}, {"limit": 40, "search_path": f"{name}, pg_temp", "idle": "60000"}),
        ({**tenant, "tier": "enterprise", "name": "Tenant with a new name", "state": "suspended"}, None),
        ({**tenant, "tier": "enterprise", "name": "Tenant with a new name"}, {"limit": 40, "search_path": f"{name}, pg_temp", "idle": "60000"}),
    )
    for declared, expected in stages:
        before = snapshot(lab, tenant)
        checked = lab.run([declared], check=True)
        again = lab.run([declared], check=True)
        assert snapshot(lab, tenant) == before, "a check wrote something"
        assert checked["changed"]
        assert checked["diff"] == again["diff"]
        done = lab.run([declared])
        assert done["results"][0]["verdict"] == "succeeded", done
        assert done["diff"] == checked["diff"], "the check said something else than the run did"
        after = snapshot(lab, tenant)
        assert after != before
        repeated = lab.run([declared])
        assert not repeated["changed"]
        assert snapshot(lab, tenant) == after, "an unchanged tenant was written"
        row = lab.rows("SELECT name, tier, region, state FROM leanvibe.tenants WHERE tenant_id = %s", tenant["id"])
        assert row == [(declared["name"], declared["tier"], declared["region"], declared.get("state", "active"))]
        assert done["observed"][tenant["id"]]["login"] is (expected is not None)
        assert repeated["observed"][tenant["id"]] == done["observed"][tenant["id"]]
        if expected is None:
            with pytest.raises(psycopg.OperationalError, match="not permitted to log in"):
                lab.as_tenant(tenant)
        else:
            assert effective(lab, tenant) == expected


def test_nothing_secret_shows(lab: Any) -> None:
    tenant = lab.tenant("quiet")
    password = lab.secret(tenant).postgresql_password
    results = [lab.run([tenant], check=True), lab.run([tenant])]
    lab.secrets.pop(tenant["id"])
    results.append(lab.run([tenant]))
    verifier = lab.rows("SELECT rolpassword FROM pg_authid WHERE rolname = %s", lab.role(tenant))[0][0]
    assert verifier.startswith("SCRAM-SHA-256$4096:")
    shown = repr(results)
    for secret in (password, lab.secret(tenant).postgresql_password, verifier, verifier.split("$")[2]):
        assert secret not in shown
    assert "password" in results[2]["results"][0]["changes"][0]["fields"]
    assert lab.rows("SELECT count(*) FROM pg_stat_statements WHERE query LIKE '%%' || %s || '%%'", password) == [(0,)]
    lab.as_tenant(tenant).close()


def test_suspending_ends_sessions(lab: Any) -> None:
    tenant = lab.tenant("busy")
    lab.run([tenant])
    session = lab.as_tenant(tenant)
    checked = lab.run([{**tenant, "state": "suspended"}], check=True)
    assert session.execute("SELECT 1").fetchone() == (1,)
    done = lab.run([{**tenant, "state": "suspended"}])
    assert done["diff"] == checked["diff"]
    assert done["diff"]["before"][f"{tenant['id']}: sessions of {lab.role(tenant)}"] == {"sessions": 1}
    with pytest.raises(psycopg.OperationalError):
        session.execute("SELECT 1")


def drift_cases(lab: Any, tenant: dict[str, Any], other: dict[str, Any]) -> dict[str, tuple[str, str]]:
    """What somebody did behind our back -> the object that a run repairs."""
    name, stranger = lab.role(tenant), lab.role(other)
    return {
        "password": (f"ALTER ROLE {name} PASSWORD 'else'", f"role {name}"),
        "password gone": (f"ALTER ROLE {name} PASSWORD NULL", f"role {name}"),
        "limit": (f"ALTER ROLE {name} CONNECTION LIMIT 100", f"role {name}"),
        "login": (f"ALTER ROLE {name} NOLOGIN", f"role {name}"),
        "powers": (f"ALTER ROLE {name} CREATEROLE CREATEDB", f"role {name}"),
        "inherit": (f"ALTER ROLE {name} NOINHERIT", f"role {name}"),
        "expiry": (f"ALTER ROLE {name} VALID UNTIL '2020-01-01'", f"role {name}"),
        "setting": (f"ALTER ROLE {name} SET statement_timeout = 0", f"settings of {name}"),
        "settings gone": (f"ALTER ROLE {name} RESET ALL", f"settings of {name}"),
        "setting here": (f"ALTER ROLE {name} IN DATABASE {lab.database} SET search_path = public", f"settings of {name} in {lab.database}"),
        "out of the group": (f"REVOKE leanvibe_tenants FROM {name}", f"memberships of {name}"),
        "may admit": (f"GRANT leanvibe_tenants TO {name} WITH ADMIN OPTION", f"memberships of {name}"),
        "another group": (f"GRANT pg_read_all_data TO {name}", f"memberships of {name}"),
        "admitted": (f"GRANT {name} TO {stranger}", f"memberships of {name}"),
        "right lost": (f"REVOKE CREATE ON SCHEMA {name} FROM {name}", f"schema {name}"),
        "right given": (f"GRANT USAGE ON SCHEMA {name} TO {stranger}", f"schema {name}"),
        "right for all": (f"GRANT USAGE ON SCHEMA {name} TO PUBLIC", f"schema {name}"),
        "right to pass on": (f"GRANT USAGE ON SCHEMA {name} TO {name} WITH GRANT OPTION", f"schema {name}"),
        "row": (f"UPDATE leanvibe.tenants SET tier = 'enterprise' WHERE tenant_id = '{tenant['id']}'", "row in leanvibe.tenants"),
        "binding": (f"DELETE FROM leanvibe_private.tenant_roles WHERE role_name = '{name}'", "row in leanvibe_private.tenant_roles"),
        "schema gone": (f"DROP SCHEMA {name}", f"schema {name}"),
        "role gone": (f"DROP OWNED BY {name}; DROP ROLE {name}", f"role {name}"),
    }


def test_drift_is_repaired(lab: Any) -> None:
    """One case after the other on the same tenant; then it must be as new."""
    tenant, other = lab.tenant("drift"), lab.tenant("stranger")
    lab.run([tenant, other])
    for case, (statement, repaired) in drift_cases(lab, tenant, other).items():
        with lab.superuser() as session:
            session.execute(statement)
        broken = snapshot(lab, tenant)
        checked = lab.run([tenant], check=True)
        assert snapshot(lab, tenant) == broken, case
        assert repaired in {change["object"] for change in checked["results"][0]["changes"]}, (case, checked)
        done = lab.run([tenant])
        assert done["results"][0]["verdict"] == "succeeded", (case, done)
        assert done["diff"] == checked["diff"], case
        assert not lab.run([tenant])["changed"], case
        with lab.as_tenant(tenant) as session:
            assert session.execute("SELECT tenant_id, tier FROM leanvibe_shared.tenants").fetchall() == [(tenant["id"], "developer")], case
            session.execute("CREATE TABLE works (a int)")
            session.execute("DROP TABLE works")


def test_a_password_set_by_hand_to_the_right_one_is_left(lab: Any) -> None:
    """Recomputed where the note beside the role does not fit; nothing is written for it."""
    tenant = lab.tenant("byhand")
    lab.run([tenant])
    with lab.superuser() as session:
        statement = sql.SQL("ALTER ROLE {} PASSWORD {}")
        session.execute(statement.format(sql.Identifier(lab.role(tenant)), sql.Literal(lab.secret(tenant).postgresql_password)))
    before = snapshot(lab, tenant)
    assert not lab.run([tenant])["changed"]
    assert snapshot(lab, tenant) == before


def test_what_only_a_superuser_can_undo_is_refused(lab: Any) -> None:
    tenant = lab.tenant("mighty")
    lab.run([tenant])
    for power in ("SUPERUSER", "BYPASSRLS", "REPLICATION"):
        with lab.superuser() as session:
            session.execute(sql.SQL("ALTER ROLE {} {}").format(sql.Identifier(lab.role(tenant)), sql.SQL(power)))
        before = snapshot(lab, tenant)
        outcome = lab.run([{**tenant, "tier": "team"}])["results"][0]
        assert (outcome["verdict"], outcome["changed"]) == ("refused", False)
        assert "superuser" in outcome["message"]
        assert snapshot(lab, tenant) == before
        with lab.superuser() as session:
            session.execute(sql.SQL("ALTER ROLE {} NO{}").format(sql.Identifier(lab.role(tenant)), sql.SQL(power)))


@pytest.mark.parametrize("what", ["role", "schema", "schema of its own owner", "rows"])
def test_names_that_are_not_ours_are_refused(what: str, lab: Any) -> None:
    tenant, bystander = lab.tenant(f"foreign-{hashlib.sha256(what.encode()).hexdigest()[:4]}"), lab.tenant("bystander")
    name = lab.role(tenant)
    making = {
        "role": f"CREATE ROLE {name}",
        "schema": f"CREATE SCHEMA {name}",
        "schema of its own owner": f"CREATE SCHEMA {name} AUTHORIZATION leanvibe_operations",
        "rows": f"INSERT INTO leanvibe.tenants VALUES ('{tenant['id']}', 'x', 'team', 'us-east-1', 'active')",
    }
    removing = {"role": f"DROP ROLE {name}", "rows": f"DELETE FROM leanvibe.tenants WHERE tenant_id = '{tenant['id']}'"}
    with lab.superuser() as session:
        session.execute(making[what])
    before = snapshot(lab, tenant)
    done = lab.run([tenant, bystander])
    assert [item["verdict"] for item in done["results"]] == ["refused", "succeeded"]
    assert "belong to no tenant of ours" in done["results"][0]["message"]
    assert snapshot(lab, tenant) == before
    with lab.superuser() as session:
        session.execute(removing.get(what, f"DROP SCHEMA {name}"))
    assert lab.run([tenant])["results"][0]["verdict"] == "succeeded"


def test_a_limit_below_what_is_in_use_is_refused(lab: Any) -> None:
    tenant = lab.tenant("crowd", tier="team")
    lab.run([tenant])
    sessions = [lab.as_tenant(tenant) for _number in range(6)]
    before = snapshot(lab, tenant)
    outcome = lab.run([{**tenant, "tier": "developer"}])["results"][0]
    assert (outcome["verdict"], outcome["changed"]) == ("refused", False)
    assert "6 sessions now, more than the new limit of 5" in outcome["message"]
    assert snapshot(lab, tenant) == before
    sessions.pop().close()
    for session in sessions[4:]:
        session.close()
    assert lab.run([{**tenant, "tier": "developer"}])["results"][0]["verdict"] == "succeeded"
    with pytest.raises(psycopg.OperationalError, match="too many connections"):
        sessions += [lab.as_tenant(tenant) for _number in range(3)]
    for session in sessions:
        session.close()


def test_overrides_and_a_missing_secret(lab: Any) -> None:
    from ansible_collections.leanvibe.ops.plugins.module_utils.common.errors import OpsError

    tenant = lab.tenant("special", overrides={"quotas": {"postgresql": {"connection_limit": 3}}})
    outcome = lab.run([tenant], unreadable={tenant["id"]: OpsError("Secret tenant-x/tenant-credentials in us-east-1 does not exist")})
    result = outcome["results"][0]
    assert (result["verdict"], result["changed"]) == ("failed", True)
    assert "tenant-credentials in us-east-1" in result["message"]
    found = lab.rows("SELECT rolconnlimit, rolpassword FROM pg_authid WHERE rolname = %s", lab.role(tenant))
    assert found == [(3, None)], "everything that needs no password was to be done, and no password made up"
    done = lab.run([tenant])
    assert [change["fields"] for change in done["results"][0]["changes"]] == [["password"]]
    lab.as_tenant(tenant).close()


def test_undeclared_tenants_are_listed_and_left(lab: Any) -> None:
    declared, undeclared = lab.tenant("declared"), lab.tenant("undeclared")
    lab.run([declared, undeclared])
    before = snapshot(lab, undeclared)
    assert undeclared["id"] in lab.run([declared])["undeclared"]
    assert undeclared["id"] not in lab.run([declared], declared_ids=[declared["id"], undeclared["id"]])["undeclared"]
    assert snapshot(lab, undeclared) == before


def test_one_failure_does_not_stop_the_others(lab: Any) -> None:
    """A lock that somebody holds on one tenant's row times out; the others are whole."""
    tenants = [lab.tenant(f"many-{number}") for number in range(6)]
    lab.run(tenants)
    with lab.superuser() as holder, holder.transaction(force_rollback=True):
        holder.execute("SELECT 1 FROM leanvibe.tenants WHERE tenant_id = %s FOR UPDATE", (tenants[2]["id"],))
        before = snapshot(lab, tenants[2])
        done = lab.run([{**tenant, "tier": "team"} for tenant in tenants], timeout=1)
        assert snapshot(lab, tenants[2]) == before, "half done"
    verdicts = {item["tenant"]: item["verdict"] for item in done["results"]}
    assert verdicts.pop(tenants[2]["id"]) == "failed"
    assert set(verdicts.values()) == {"succeeded"}
    assert [item["verdict"] for item in lab.run([{**tenant, "tier": "team"} for tenant in tenants])["results"]] == ["succeeded"] * 6


def test_a_lost_lease_stops_the_writing(lab: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from ansible_collections.leanvibe.ops.plugins.module_utils.common import leases
    from ansible_collections.leanvibe.ops.plugins.module_utils.common.errors import LeaseLost

    def lost(_lease: Any) -> None:
        raise LeaseLost("taken over")

    tenant = lab.tenant("leased")
    monkeypatch.setattr(leases.NoLease, "check", lost)
    with pytest.raises(LeaseLost):
        lab.run([tenant])
    assert not any(snapshot(lab, tenant))


def test_managed_service(lab: Any) -> None:
    """The driver for RDS, on a server whose operations account may not read verifiers. Not run against the real service."""
    tenant = lab.tenant("managed")
    with lab.superuser() as session:
        session.execute("REVOKE ALL (rolname, rolpassword) ON pg_authid FROM leanvibe_operations")
    try:
        done = lab.run([tenant], driver="rds")
        assert done["results"][0]["verdict"] == "succeeded", done
        assert any("RDS" in note for note in done["notes"])
        before = snapshot(lab, tenant)
        assert not lab.run([tenant], driver="rds")["changed"]
        assert snapshot(lab, tenant) == before
        lab.as_tenant(tenant).close()
        lab.secrets.pop(tenant["id"])
        assert lab.run([tenant], driver="rds")["results"][0]["changes"][0]["fields"] == ["password"]
        lab.as_tenant(tenant).close()
    finally:
        lab.foundation()
    # The other driver, looking at the same tenant, finds the verifier right.
    assert not lab.run([tenant])["changed"]


def test_standby_says_what_it_has(lab: Any) -> None:
    from ansible_collections.leanvibe.ops.plugins.module_utils.common.errors import OpsError

    tenant = lab.tenant("replicated")
    standby = lab.connection("leanvibe_operations", region="us-west-2")
    with pytest.raises(OpsError, match="is a standby"):
        lab.run([tenant], connection=standby)
    with pytest.raises(OpsError, match="declared a replica but is a primary"):
        lab.run([tenant], replica=True)
    checked = lab.run([tenant], connection=standby, replica=True, check=True)
    assert checked["results"][0]["verdict"] == "skipped"
    absent = lab.run([tenant], connection=standby, replica=True, timeout=1)
    assert absent["results"][0]["verdict"] == "failed"
    assert "not replicated within 1 s" in absent["results"][0]["message"]
    lab.run([tenant])
    there = lab.run([tenant], connection=standby, replica=True)
    assert (there["results"][0]["verdict"], there["changed"]) == ("succeeded", False), there
    assert any(note.startswith("replica: receiver streaming") for note in there["notes"])


def test_module_on_real_secrets(lab: Any, clusters: Any) -> None:
    """The module as Ansible runs it, the tenant's Secret read from its home region's Kubernetes."""
    from ansible_collections.leanvibe.ops.plugins.modules import tenants_postgresql

    tenant = lab.tenant("real")
    clusters.made.add(f"tenant-{tenant['id']}")
    clusters.module("us-east-1", "prepare", [tenant])
    arguments = {"region": "us-east-1", "tenants": [tenant], "tiers": lab.tiers, "connection": lab.connection("leanvibe_operations"), "measure": True}
    arguments["secrets"] = {"us-east-1": clusters.connection("us-east-1")}
    checked = lab.module(tenants_postgresql, arguments, check=True)
    assert checked["changed"], checked
    assert lab.rows("SELECT 1 FROM pg_roles WHERE rolname = %s", lab.role(tenant)) == []
    assert lab.module(tenants_postgresql, arguments)["results"][0]["verdict"] == "succeeded"
    again = lab.module(tenants_postgresql, arguments)
    assert not again["changed"]
    assert again["observed"][tenant["id"]]["schema_bytes"] == 0
    empty = lab.module(tenants_postgresql, {**arguments, "tenants": [], "connection": {**arguments["connection"], "port": 1}})
    assert empty["results"] == []
    down = lab.module(tenants_postgresql, {**arguments, "connection": {**arguments["connection"], "port": 1}})
    assert down["failed"]
    assert "cannot be worked with" in down["msg"]
