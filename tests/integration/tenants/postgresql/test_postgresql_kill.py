# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""kill -9 while 50 tenants are written: each tenant is there as a whole or not at all, and the next run completes the work."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from typing import Any

import pytest

NUMBER = 50
WORKER = """
import json, sys
sys.path.insert(0, sys.argv[1])
from ansible_collections.leanvibe.ops.plugins.module_utils.tenants.credentials import TenantCredentials
from ansible_collections.leanvibe.ops.plugins.module_utils.tenants.systems import postgresql
given = json.load(sys.stdin)
secrets = {tenant: TenantCredentials(1, "pending", password, "x", "x", "x") for tenant, password in given["passwords"].items()}
postgresql.credentials_of = lambda request, check: secrets
postgresql.run(given["params"], False)
"""


def parts(lab: Any) -> dict[str, set[str]]:
    """What is there of the tenants, each part by its own catalogue; names of roles throughout."""
    like = f"tenant_{lab.prefix.replace('-', '_')}_kill_%"
    identifier = f"{lab.prefix}-kill-%"
    return {
        "role": {name for (name,) in lab.rows("SELECT rolname FROM pg_roles WHERE rolname LIKE %s", like)},
        "password": {name for (name,) in lab.rows("SELECT rolname FROM pg_authid WHERE rolname LIKE %s AND rolpassword IS NOT NULL", like)},
        "settings": {
            name
            for (name,) in lab.rows(
                "SELECT rolname FROM pg_db_role_setting JOIN pg_roles r ON r.oid = setrole WHERE rolname LIKE %s AND cardinality(setconfig) = 3", like
            )
        },
        "group": {
            name
            for (name,) in lab.rows(
                "SELECT m.rolname FROM pg_auth_members JOIN pg_roles m ON m.oid = member JOIN pg_roles g ON g.oid = roleid"
                " WHERE g.rolname = 'leanvibe_tenants' AND m.rolname LIKE %s",
                like,
            )
        },
        "schema": {name for (name,) in lab.rows("SELECT nspname FROM pg_namespace WHERE nspname LIKE %s", like)},
        "right": {
            name for (name,) in lab.rows("SELECT nspname FROM pg_namespace WHERE nspname LIKE %s AND has_schema_privilege(nspname, nspname, 'CREATE')", like)
        },
        "row": {"tenant_" + name.replace("-", "_") for (name,) in lab.rows("SELECT tenant_id FROM leanvibe.tenants WHERE tenant_id LIKE %s", identifier)},
        "binding": {name for (name,) in lab.rows("SELECT role_name FROM leanvibe_private.tenant_roles WHERE tenant_id LIKE %s", identifier)},
    }


@pytest.mark.faults(sample=2)
@pytest.mark.parametrize("after", [0, 1, 4, 9, 15, 22, 29, 36, 43, 49])
def test_killed_run_is_completed_by_the_next(after: int, lab: Any) -> None:
    tenants = [lab.tenant(f"kill-{after}-{number}") for number in range(NUMBER)]
    ours = {lab.role(tenant) for tenant in tenants}
    connection = {"driver": "postgresql", **lab.connection("leanvibe_operations")}
    params = {"region": "us-east-1", "tenants": tenants, "declared_ids": None, "tiers": lab.tiers, "secrets": {}, "lease": None, "concurrency": 16}
    params |= {"timeout": 10, "connection": connection, "replica": False, "measure": False}
    given = json.dumps({"params": params, "passwords": {tenant["id"]: lab.secret(tenant).postgresql_password for tenant in tenants}})
    with subprocess.Popen([sys.executable, "-c", WORKER, str(lab.checkout / "collections")], stdin=subprocess.PIPE, text=True) as worker:
        assert worker.stdin is not None
        worker.stdin.write(given)
        worker.stdin.close()
        wanted = [f"{lab.prefix}-kill-{after}-%"]
        with lab.superuser() as watcher:
            while watcher.execute("SELECT count(*) FROM leanvibe_private.tenant_roles WHERE tenant_id LIKE %s", wanted).fetchall()[0][0] < after:
                assert worker.poll() is None or after >= NUMBER - 1, "the run ended before it could be killed"
                time.sleep(0.001)
        worker.kill()
    # What the server was about to commit when its client vanished is decided a moment later.
    deadline = time.monotonic() + 15
    while lab.rows("SELECT 1 FROM pg_stat_activity WHERE datname = %s AND usename = 'leanvibe_operations'", lab.database):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    found = {name: names & ours for name, names in parts(lab).items()}
    assert len({frozenset(names) for names in found.values()}) == 1, "a tenant was left half done"
    assert after <= len(found["role"])
    done = lab.run(tenants)
    assert {item["verdict"] for item in done["results"]} == {"succeeded"}
    assert {item["tenant"] for item in done["results"] if item["changed"]} == {tenant["id"] for tenant in tenants if lab.role(tenant) not in found["role"]}
    assert all(names & ours == ours for names in parts(lab).values())
    assert not lab.run(tenants)["changed"]
