# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The modules health_reader_… as Ansible runs them: arguments in, JSON out."""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.testing import patch_module_args

SECRET = "hunter2-never-shown"
SQL = {"host": "127.0.0.1", "port": 1, "database": "x", "username": "operations", "password": SECRET}
GIVEN: dict[str, dict[str, Any]] = {
    "health_reader_kubernetes": {"connection": {"kubeconfig": "/nowhere"}},
    "health_reader_postgresql": {"connection": SQL},
    "health_reader_control": {"registry": SQL, "owner": "leanvibe_registry"},
    "health_reader_pgbouncer": {"connection": SQL},
    "health_reader_redis": {"connection": {"host": "127.0.0.1", "port": 1, "password": SECRET}},
    "health_reader_neo4j": {"connection": {"uri": "bolt://127.0.0.1:1", "password": SECRET}},
    "health_reader_object_store": {"connection": {"endpoint": "https://127.0.0.1:1", "region": "us-east-1", "access_key": "key", "secret_key": SECRET}},
    "health_reader_aws": {"connection": {"region": "us-east-1", "access_key": "key", "secret_key": SECRET}},
}
LOGIN = {"username": "health", "password": SECRET}
ACCOUNTS: dict[str, dict[str, Any]] = {
    "health_reader_kubernetes": {"subject": {"name": "eve"}},
    "health_reader_object_store": {"account": {"access_key": "health", "secret_key": SECRET}},
    "health_reader_aws": {"user": "health"},
}


def run(name: str, capsys: pytest.CaptureFixture[str], **change: Any) -> tuple[int, dict[str, Any]]:
    module = importlib.import_module(f"ansible_collections.leanvibe.ops.plugins.modules.{name}")
    with patch_module_args({"region": "us-east-1", "timeout": 1, **GIVEN[name], **change}), pytest.raises(SystemExit) as ended:
        module.main()
    answer = json.loads(capsys.readouterr().out)
    assert SECRET not in json.dumps(answer)
    return int(ended.value.code or 0), answer


@pytest.mark.parametrize("name", [name for name in GIVEN if name != "health_reader_neo4j"])  # which is asked for its edition first
def test_without_an_account_nothing_is_asked(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, answer = run(name, capsys)
    assert (code, answer["changed"], answer["run"]["verdict"]) == (0, False, "skipped")
    assert answer["run"]["system"] == name.removeprefix("health_reader_")


@pytest.mark.parametrize("name", [name for name in GIVEN if name != "health_reader_aws"])
def test_a_system_that_does_not_answer_fails_the_module_and_is_named(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, answer = run(name, capsys, **ACCOUNTS.get(name, {"account": LOGIN}))
    assert code != 0
    assert answer["failed"]
    assert "/nowhere" in answer["msg"] or "127.0.0.1" in answer["msg"]


def test_elasticache_is_not_asked(capsys: pytest.CaptureFixture[str]) -> None:
    _code, answer = run("health_reader_redis", capsys, connection={"driver": "elasticache", "host": "127.0.0.1"}, account=LOGIN)
    assert answer["run"]["verdict"] == "skipped"
    assert "create-user" in answer["run"]["message"]


def test_a_service_account_needs_its_namespace(capsys: pytest.CaptureFixture[str]) -> None:
    code, answer = run("health_reader_kubernetes", capsys, subject={"kind": "ServiceAccount", "name": "eve"})
    assert code != 0
    assert "namespace" in answer["msg"]


def test_health_reader_report_leaves_the_last_one_alone_in_check_mode(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    module = importlib.import_module("ansible_collections.leanvibe.ops.plugins.modules.health_reader_report")
    given = {"run_id": "1", "started": "2026-11-21T06:00:00Z", "environment": "x", "regions": ["us-east-1"], "report_dir": str(tmp_path), "endpoints": "[]"}
    with patch_module_args({**given, "check": True}), pytest.raises(SystemExit):
        module.main()
    answer = json.loads(capsys.readouterr().out)
    assert (answer["changed"], answer["verdict"]) == (False, "succeeded")
    assert [path.name for path in (tmp_path / "health_reader").glob("*.json")] == ["20261121T060000Z-1-check.json"]
