# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""health_postgresql and health_pgbouncer as Ansible calls them, as far as no server is needed."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from typing import Any

import pytest
from ansible.module_utils.testing import patch_module_args
from ansible_collections.leanvibe.ops.plugins.module_utils.health.results import Run
from ansible_collections.leanvibe.ops.plugins.module_utils.health.systems import pgbouncer, postgresql
from ansible_collections.leanvibe.ops.plugins.modules import health_pgbouncer, health_postgresql

SYSTEMS = [
    (health_postgresql, postgresql.CHECKS, {"database": "leanvibe", "driver": "postgresql"}),
    (health_pgbouncer, pgbouncer.CHECKS, {"driver": "pgbouncer"}),
]


def run(module: Any, capsys: pytest.CaptureFixture[str], port: int, more: dict[str, Any], **arguments: Any) -> Run:
    connection = {"host": "127.0.0.1", "port": port, "username": "somebody", "password": "hush", "sslmode": "disable", **more}
    with patch_module_args({"region": "us-east-1", "connection": connection, **arguments}), pytest.raises(SystemExit):
        module.main()
    text = capsys.readouterr().out
    assert "hush" not in json.dumps(json.loads(text)["run"])
    result = json.loads(text)
    assert (result["changed"], result.get("failed")) == (False, None)
    return Run.from_mapping(result["run"])


@pytest.mark.parametrize(("module", "checks", "more"), SYSTEMS)
def test_a_server_that_is_not_there_is_unknown_and_no_failure(module: Any, checks: Any, more: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    found = run(module, capsys, 1, more)
    assert [item["id"] for item in found.items] == [check.id for check in checks]
    assert {item["verdict"] for item in found.items} == {"unknown"}
    assert all("127.0.0.1:1 cannot be worked with" in item["message"] for item in found.items)


@pytest.fixture
def silent() -> Iterator[int]:
    """A port that lets everybody in and says nothing."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener.getsockname()[1]


@pytest.mark.parametrize(("module", "checks", "more"), SYSTEMS)
def test_a_server_that_says_nothing_costs_its_time_out_once(
    module: Any, checks: Any, more: dict[str, Any], silent: int, capsys: pytest.CaptureFixture[str]
) -> None:
    began = time.monotonic()
    found = run(module, capsys, silent, more, connect_timeout=2.0)
    assert time.monotonic() - began < 4
    assert len(found.items) == len(checks)
    assert {item["verdict"] for item in found.items} == {"unknown"}


@pytest.mark.parametrize(("module", "checks", "more"), SYSTEMS)
def test_declared_absent(module: Any, checks: Any, more: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    found = run(module, capsys, 1, more, absent="not in this region", _ansible_check_mode=True)
    assert {(item["verdict"], item["message"]) for item in found.items} == {("skipped", "not in this region")}
