# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""health_control on a registry of its own on the sandbox's server: silent while all is well; for each fault exactly the checks that it may raise."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import psycopg
import pytest
from module_runs import EAST, look, wrong
from psycopg import sql

pytestmark = pytest.mark.sandbox
CHECKOUT = Path(__file__).resolve().parents[3]
DECLARED = [{"id": "hc-acme", "tier": "team", "region": EAST}, {"id": "hc-globex", "tier": "team", "region": EAST}]
RUN = """
INSERT INTO runs (run_id, operation, environment, owner, started, finished, verdict) VALUES ('hc-1', 'tenants', 'sandbox', 'ada', now(), now(), 'succeeded')
"""
TENANT = (
    "INSERT INTO tenants (id, name, tier, region, state, contacts, overrides, last_run) VALUES (%s, 'x', 'team', 'us-east-1', 'active', '{}', '{}', 'hc-1')"
)
SEEN = """
INSERT INTO tenant_systems (tenant, system, region, verdict, message, observed, last_run)
VALUES (%s, 'redis', 'us-east-1', 'succeeded', '', '{}', 'hc-1')
"""
HELD = """
WITH holder AS (
    INSERT INTO lease_holders (owner, operation, run_id, host, place, pid, started, ttl, taken_at, expires_at)
    VALUES ('bob', 'tenants', 'hc-0', 'elsewhere', 'x', 1, 1, '1 min', now() - %(age)s::interval, now() - %(age)s::interval + %(lasts)s::interval)
    RETURNING token
) INSERT INTO leases (name, token) SELECT 'tenant/hc-acme', token FROM holder
"""
# What is done -> the checks that it may raise.
FAULTS: dict[str, tuple[str, Mapping[str, Any], set[str]]] = {
    "a run died and nobody came back": (HELD, {"age": "1 hour", "lasts": "1 minute"}, {"control.leases"}),
    "somebody holds a tenant for a day": (HELD, {"age": "1 day", "lasts": "2 days"}, {"control.leases"}),
    "somebody is at work": (HELD, {"age": "1 minute", "lasts": "2 minutes"}, set()),
    "the last run did not end": ("UPDATE runs SET finished = NULL, verdict = NULL", {}, {"control.runs"}),
    "the last run failed": ("UPDATE runs SET verdict = 'partial'", {}, {"control.runs"}),
    "the last run is overdue": ("UPDATE runs SET finished = now() - interval '3 days'", {}, {"control.runs"}),
    "a tenant was never provisioned": ("DELETE FROM tenants WHERE id = 'hc-globex'", {}, {"control.tenants"}),
    "a tenant failed in one system": ("UPDATE tenant_systems SET verdict = 'failed' WHERE tenant = 'hc-acme'", {}, {"control.tenants"}),
    "a tenant is not declared any more": ("UPDATE tenants SET id = 'hc-initech' WHERE id = 'hc-globex'", {}, {"control.tenants", "control.undeclared"}),
    "the mark is gone": ("DELETE FROM platform_mark", {}, {"control.registry"}),
    "a table is gone": ("DROP TABLE leases", {}, {"control.leases"}),
    "a right is missing": ("REVOKE SELECT ON tenant_systems FROM CURRENT_USER", {}, {"control.tenants"}),
}


@pytest.fixture
def registry(sandbox: dict[str, Any], credentials: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Connection of a registry in which two tenants are provisioned."""
    from ansible_collections.leanvibe.ops.plugins.module_utils.registry.schema import bring_up

    address = sandbox["regions"][EAST]["postgresql"]
    name = f"hc_control_{secrets.token_hex(3)}"
    common = {"host": address["host"], "port": address["port"], "sslmode": "verify-full", "sslrootcert": sandbox["ca_file"]}
    admin = psycopg.connect(**common, dbname="postgres", user="postgres", password=credentials["postgresql"]["postgres"], autocommit=True)
    with admin:
        admin.execute(sql.SQL("CREATE DATABASE {} OWNER leanvibe_registry").format(sql.Identifier(name)))
        try:
            connection = {**common, "database": name, "username": "leanvibe_registry", "password": credentials["postgresql"]["leanvibe_registry"]}
            bring_up(connection, str(CHECKOUT / "roles/registry/files/migrations"), check=False)
            with owner(connection) as session:
                session.execute(RUN)
                session.execute("INSERT INTO platform_mark (environment, kind, marked_by) VALUES ('sandbox', 'sandbox', 'tests')")
                for tenant in DECLARED:
                    session.execute(TENANT, (tenant["id"],))
                    session.execute(SEEN, (tenant["id"],))
            yield connection
        finally:
            admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def owner(connection: Mapping[str, Any]) -> psycopg.Connection[Any]:
    parts = dict(connection)
    parts["dbname"], parts["user"] = parts.pop("database"), parts.pop("username")
    return psycopg.connect(**parts, autocommit=True)


def found(connection: Mapping[str, Any]) -> dict[tuple[str, str], str]:
    options = {"declared_ids": [tenant["id"] for tenant in DECLARED], "schedules": {"tenants": 24}}
    return wrong(look("control", EAST, connection, options=options, tenants=DECLARED, connect_timeout=20).items)


def test_a_registry_in_good_order_raises_nothing(registry: dict[str, Any]) -> None:
    assert found(registry) == {}


@pytest.mark.faults(sample=2)
@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_raises_what_it_may_and_nothing_else(registry: dict[str, Any], fault: str, catalogue: Any) -> None:
    statement, values, expected = FAULTS[fault]
    with owner(registry) as session:
        if "'hc-initech'" in statement:
            session.execute("DELETE FROM tenant_systems WHERE tenant = 'hc-globex'")
        session.execute(statement, values)  # type: ignore[call-overload]
    raised = {check for check, _region in found(registry)}
    catalogue.judge(f"control: {fault}", expected, raised)
    assert raised == expected
