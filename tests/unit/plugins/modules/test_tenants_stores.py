# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The modules tenants_redis, tenants_neo4j and tenants_object_store as Ansible runs them: arguments in, JSON out."""

from __future__ import annotations

import importlib
import json
from typing import Any

import pytest
import yaml
from ansible.module_utils.testing import patch_module_args

CONNECTIONS: dict[str, dict[str, Any]] = {
    "tenants_redis": {"host": "127.0.0.1", "port": 1, "password": "hunter2"},
    "tenants_neo4j": {"uri": "bolt://127.0.0.1:1", "password": "hunter2"},
    "tenants_object_store": {"endpoint": "https://127.0.0.1:1", "region": "us-east-1", "access_key": "key", "secret_key": "hunter2"},
}
TENANT = {"id": "a", "name": "A", "tier": "team", "region": "us-east-1"}


def run(name: str, capsys: pytest.CaptureFixture[str], **change: Any) -> tuple[int, dict[str, Any]]:
    module = importlib.import_module(f"ansible_collections.leanvibe.ops.plugins.modules.{name}")
    arguments = {"region": "us-east-1", "tenants": [], "tiers": {"team": {}}, "connection": CONNECTIONS[name], "timeout": 1, **change}
    with patch_module_args(arguments), pytest.raises(SystemExit) as ended:
        module.main()
    output = capsys.readouterr().out
    assert "hunter2" not in json.dumps({key: value for key, value in json.loads(output).items() if key != "invocation"})
    return int(ended.value.code or 0), json.loads(output)


@pytest.mark.parametrize("name", CONNECTIONS)
def test_no_tenants_is_no_work(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, answer = run(name, capsys)
    assert (code, answer["changed"], answer["results"]) == (0, False, [])
    assert answer["system"] == name.removeprefix("tenants_")


@pytest.mark.parametrize("name", CONNECTIONS)
def test_a_system_that_is_away_fails_the_module_and_names_it(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, answer = run(name, capsys, tenants=[TENANT])
    assert code == 1
    assert "127.0.0.1:1" in answer["msg"]


@pytest.mark.parametrize("name", CONNECTIONS)
def test_problems_of_the_arguments_are_told_all_at_once(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, answer = run(name, capsys, tenants=[TENANT, TENANT, {**TENANT, "id": "B/.."}], concurrency=0)
    assert code == 1
    assert len(answer["problems"]) == 3


@pytest.mark.parametrize("name", CONNECTIONS)
def test_secrets_of_the_connection_are_marked(name: str) -> None:
    module = importlib.import_module(f"ansible_collections.leanvibe.ops.plugins.modules.{name}")
    options = module.CONNECTION
    assert all(options[key].get("no_log") for key in ("password", "secret_key") if key in options)
    fragment = importlib.import_module(f"ansible_collections.leanvibe.ops.plugins.doc_fragments.connection_{name.removeprefix('tenants_')}")
    documented = yaml.safe_load(fragment.ModuleDocFragment.DOCUMENTATION)["options"]["connection"]["suboptions"]
    assert set(documented) == set(options)
