# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The modules health_redis, health_neo4j and health_aws as Ansible runs them: arguments in, JSON out."""

from __future__ import annotations

import importlib
import json
import socket
from typing import Any

import pytest
import yaml
from ansible.module_utils.testing import patch_module_args
from ansible_collections.leanvibe.ops.plugins.module_utils.health.results import Run

CONNECTIONS: dict[str, dict[str, Any]] = {
    "health_redis": {"host": "127.0.0.1", "port": 1, "username": "health", "password": "hunter2"},
    "health_neo4j": {"uri": "bolt://127.0.0.1:1", "password": "hunter2"},
    "health_aws": {"region": "us-east-1", "endpoint_url": "http://127.0.0.1:1", "access_key": "key", "secret_key": "hunter2"},
}


def run(name: str, capsys: pytest.CaptureFixture[str], **change: Any) -> Run:
    module = importlib.import_module(f"ansible_collections.leanvibe.ops.plugins.modules.{name}")
    arguments = {"region": "us-east-1", "connection": CONNECTIONS[name], "connect_timeout": 1, **change}
    with patch_module_args(arguments), pytest.raises(SystemExit) as ended:
        module.main()
    answer = json.loads(capsys.readouterr().out)
    assert "hunter2" not in json.dumps({key: value for key, value in answer.items() if key != "invocation"})
    assert (ended.value.code or 0, answer["changed"]) == (0, False)
    return Run.from_mapping(answer["run"])


@pytest.mark.parametrize("name", CONNECTIONS)
def test_a_system_that_is_away_makes_all_its_checks_unknown(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    found = run(name, capsys)
    checks = importlib.import_module(f"ansible_collections.leanvibe.ops.plugins.module_utils.health.systems.{name.removeprefix('health_')}").CHECKS
    assert {item["id"] for item in found.items} == {check.id for check in checks}
    assert {item["verdict"] for item in found.items} == {"unknown"}


@pytest.mark.parametrize("name", CONNECTIONS)
def test_a_system_that_accepts_and_says_nothing_costs_its_time_out_once(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        place = {
            "health_redis": {"port": port},
            "health_neo4j": {"uri": f"bolt://127.0.0.1:{port}"},
            "health_aws": {"endpoint_url": f"http://127.0.0.1:{port}"},
        }
        found = run(name, capsys, connection={**CONNECTIONS[name], **place[name]})
    assert {item["verdict"] for item in found.items} == {"unknown"}
    assert found.seconds < 2.5


@pytest.mark.parametrize("name", CONNECTIONS)
def test_what_is_declared_absent_is_not_connected_to(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    found = run(name, capsys, absent="declared absent here")
    assert {item["verdict"] for item in found.items} == {"skipped"}


@pytest.mark.parametrize("name", CONNECTIONS)
def test_secrets_of_the_connection_are_marked_and_all_of_it_is_documented(name: str) -> None:
    options = importlib.import_module(f"ansible_collections.leanvibe.ops.plugins.modules.{name}").CONNECTION
    assert all(options[key].get("no_log") for key in ("password", "secret_key", "session_token") if key in options)
    fragment = importlib.import_module(f"ansible_collections.leanvibe.ops.plugins.doc_fragments.connection_{name.removeprefix('health_')}")
    assert set(yaml.safe_load(fragment.ModuleDocFragment.DOCUMENTATION)["options"]["connection"]["suboptions"]) == set(options)
