# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The modules of the controller as Ansible calls them: registry, tenants_declared, tenants_lease, tenants_registry, tenants_report.

There is no registry here, so this is also what an operator sees when it is down.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.module_utils.testing import patch_module_args

CHECKOUT = Path(__file__).resolve().parents[4]
TIERS = yaml.safe_load((CHECKOUT / "roles/tiers/defaults/main.yml").read_text(encoding="utf-8"))["tiers_catalogue"]
REGIONS = ["us-east-1", "us-west-2"]
ACME = {"id": "acme", "name": "Acme", "tier": "team", "region": "us-east-1", "contacts": {"primary": "Ada <ada@acme.example.com>"}}
RUN = {"run_id": "r1", "owner": "ada", "operation": "tenants", "environment": "sandbox"}
PLACEMENT = {"redis": {"us-east-1": "all", "us-west-2": "absent"}}
SECRET = "hunter2-hunter2"


def call(name: str, check: bool = False, **arguments: Any) -> dict[str, Any]:
    """Run a module's main() and return its result."""
    module = importlib.import_module(f"ansible_collections.leanvibe.ops.plugins.modules.{name}")
    output = io.StringIO()
    with patch_module_args({**arguments, "_ansible_check_mode": check}), contextlib.redirect_stdout(output), pytest.raises(SystemExit):
        module.main()
    return dict(json.loads(output.getvalue()))


@pytest.fixture
def registry() -> Iterator[dict[str, Any]]:
    """Where nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield {"host": "127.0.0.1", "port": taken.getsockname()[1], "database": "x", "username": "u", "password": SECRET, "sslmode": "disable"}


def test_tenants_declared_returns_the_chosen_in_compact_form() -> None:
    result = call("tenants_declared", tenants=[ACME, {**ACME, "id": "globex"}], selection="acme", tiers=TIERS, regions=REGIONS)
    assert (result["changed"], result["declared_ids"]) == (False, ["acme", "globex"])
    assert result["tenants"] == [{**ACME, "state": "active"}]


def test_tenants_declared_fails_with_every_problem() -> None:
    result = call("tenants_declared", tenants=[{**ACME, "id": False}, {**ACME, "tier": "gold"}], selection=["ghost"], tiers=TIERS, regions=REGIONS)
    assert result["failed"] is True
    assert len(result["problems"]) == 3


MODULES = {
    "registry": {"migrations": str(CHECKOUT / "roles/registry/files/migrations")},
    "tenants_lease": {**RUN, "tenants": ["acme"]},
    "tenants_registry": {**RUN, "tenants": [ACME], "declared_ids": ["acme"], "regions": REGIONS, "placement": PLACEMENT},
}


@pytest.mark.parametrize("check", [False, True], ids=["real", "check"])
@pytest.mark.parametrize("name", MODULES)
def test_without_the_registry_it_says_that_nothing_is_changed(name: str, check: bool, registry: dict[str, Any]) -> None:
    result = call(name, check, registry=registry, timeout=2, **MODULES[name])
    assert result["failed"] is True
    assert "without it nothing is changed" in result["msg"]
    assert f"127.0.0.1:{registry['port']}" in result["msg"]
    assert SECRET not in json.dumps(result)


def test_tenants_registry_refuses_a_table_that_contradicts_itself_before_it_connects(registry: dict[str, Any]) -> None:
    arguments = {**MODULES["tenants_registry"], "placement": {"redis": {"us-east-1": "sometimes"}}}
    result = call("tenants_registry", registry=registry, **arguments)
    assert len(result["problems"]) == 2


def test_tenants_lease_refuses_senseless_times(registry: dict[str, Any]) -> None:
    assert len(call("tenants_lease", registry=registry, ttl=0, lock_wait=-1, **MODULES["tenants_lease"])["problems"]) == 2


REPORT = {
    **RUN,
    "started": "2026-11-21T06:00:00Z",
    "regions": REGIONS,
    "placement": PLACEMENT,
    "timeout": 2,
    "tenants": [ACME],
    "expected": {"us-east-1": {"all": ["acme"], "home": ["acme"]}, "us-west-2": {"all": ["acme"], "home": []}},
    "endpoints": [
        {
            "system": "redis",
            "region": "us-east-1",
            "placement": "all",
            "phases": [{"results": [{"tenant": "acme", "verdict": "succeeded", "changed": False, "changes": [], "message": ""}]}],
        }
    ],
}


def test_tenants_report_leaves_a_report_also_when_the_registry_has_gone_and_is_no_success_then(registry: dict[str, Any], tmp_path: Path) -> None:
    result = call("tenants_report", registry=registry, report_dir=str(tmp_path), **REPORT)
    assert (result["verdict"], result["changed"]) == ("partial", False)
    report = json.loads(Path(result["path"]).read_text(encoding="utf-8"))
    [failed] = [item for item in report["items"] if item["verdict"] == "failed"]
    assert failed["subject"] == "control/registry"
    assert "what was done is not recorded" in failed["message"]
    assert SECRET not in json.dumps(report)


def test_tenants_report_of_a_check_needs_no_registry_and_leaves_latest_alone(registry: dict[str, Any], tmp_path: Path) -> None:
    result = call("tenants_report", registry=registry, report_dir=str(tmp_path), check=True, **REPORT)
    assert result["verdict"] == "succeeded"
    assert sorted(path.name for path in (tmp_path / "tenants").iterdir()) == ["20261121T060000Z-r1-check.html", "20261121T060000Z-r1-check.json"]


def test_tenants_report_of_a_status_without_registry_is_unknown(registry: dict[str, Any], tmp_path: Path) -> None:
    result = call("tenants_report", registry=registry, report_dir=str(tmp_path), **{**REPORT, "operation": "tenant_status"})
    assert (result["verdict"], result["counts"]["ok"]) == ("unknown", 1)


def test_tenants_report_of_a_refusal_records_nothing(registry: dict[str, Any], tmp_path: Path) -> None:
    refusal = {"step": "Take leases", "reason": "held by bob"}
    result = call("tenants_report", registry=registry, report_dir=str(tmp_path), **{**REPORT, "refusal": refusal})
    assert result["verdict"] == "refused"
    assert "held by bob" in result["summary"]


def test_tenants_report_names_a_directory_that_it_cannot_write(registry: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    result = call("tenants_report", registry=registry, report_dir=str(tmp_path / "file"), check=True, **REPORT)
    assert result["failed"] is True
    assert "Set report_dir" in result["msg"]
