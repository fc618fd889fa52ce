# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""tenants_postgresql, database_migrate and database_foundation as Ansible runs them, as far as no server is needed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.testing import patch_module_args
from ansible_collections.leanvibe.ops.plugins.modules import database_foundation, database_migrate, tenants_postgresql

NOWHERE = {"host": "127.0.0.1", "port": 1, "database": "leanvibe", "username": "somebody", "password": "hush", "sslmode": "disable"}
TENANT = {"id": "acme", "name": "Acme", "tier": "team", "region": "us-east-1"}
TIERS = {"team": {"postgresql": {"connection_limit": 5, "statement_timeout_ms": 1000, "idle_in_transaction_timeout_ms": 1000}}}


def run(module: Any, arguments: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    with patch_module_args(arguments), pytest.raises(SystemExit):
        module.main()
    return dict(json.loads(capsys.readouterr().out))


def test_no_tenants_no_connection(capsys: pytest.CaptureFixture[str]) -> None:
    result = run(tenants_postgresql, {"region": "us-east-1", "tenants": [], "tiers": TIERS, "connection": NOWHERE}, capsys)
    assert (result["changed"], result["results"], result.get("failed")) == (False, [], None)


@pytest.mark.parametrize("check", [True, False])
def test_a_server_that_is_not_there(check: bool, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "env.py").touch()
    (tmp_path / "versions").mkdir()
    (tmp_path / "versions" / "a.py").write_text('revision = "a"\ndown_revision = None\n', encoding="utf-8")
    cases: list[tuple[Any, dict[str, Any]]] = [
        (tenants_postgresql, {"region": "us-east-1", "tenants": [TENANT], "tiers": TIERS, "timeout": 2}),
        (database_foundation, {"timeout": 2}),
        (database_migrate, {"migrations": str(tmp_path), "timeout": 2}),
    ]
    for module, arguments in cases:
        result = run(module, {**arguments, "connection": NOWHERE, "_ansible_check_mode": check}, capsys)
        assert result["failed"]
        assert "127.0.0.1:1 cannot be worked with" in result["msg"]
        assert "hush" not in json.dumps(result)


def test_a_folder_without_migrations(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    result = run(database_migrate, {"connection": NOWHERE, "migrations": str(tmp_path)}, capsys)
    assert "no folder of migrations" in result["msg"]


def test_all_problems_with_arguments_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    tenants = [TENANT, TENANT, {**TENANT, "id": "no; DROP TABLE"}, {**TENANT, "id": "x", "tier": "none"}]
    result = run(tenants_postgresql, {"region": "us-east-1", "tenants": tenants, "tiers": TIERS, "connection": NOWHERE}, capsys)
    assert len(result["problems"]) == 3
