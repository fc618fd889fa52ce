# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""sandbox, sandbox_info and sandbox_fault as Ansible calls them."""

from __future__ import annotations

import json
from types import ModuleType
from typing import Any

import pytest
from ansible.module_utils.testing import patch_module_args
from ansible_collections.leanvibe.ops.plugins.module_utils.common.errors import Conflict
from ansible_collections.leanvibe.ops.plugins.modules import sandbox, sandbox_fault, sandbox_info

FAULT = {"directory": "/s", "component": "redis", "region": "us-east-1", "fault": "pause"}


def call(module: ModuleType, capsys: pytest.CaptureFixture[str], **given: Any) -> dict[str, Any]:
    with patch_module_args(given), pytest.raises(SystemExit):
        module.main()
    return dict(json.loads(capsys.readouterr().out))


@pytest.mark.parametrize(("state", "called"), [("started", "start"), ("stopped", "stop")])
def test_the_state_decides_what_is_called(state: str, called: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Any] = []
    for name in ("start", "stop"):
        monkeypatch.setattr(sandbox.operations, name, lambda parameters, check, name=name: seen.append((name, parameters["purge"], check)) or {"changed": True})
    assert call(sandbox, capsys, directory="/s", state=state, binaries={"etcd": "/etcd"}, _ansible_check_mode=True)["changed"] is True
    assert seen == [(called, False, True)]


def test_programs_are_needed_to_start(capsys: pytest.CaptureFixture[str]) -> None:
    returned = call(sandbox, capsys, directory="/s")
    assert returned["failed"] is True
    assert "binaries" in returned["msg"]


@pytest.mark.parametrize(
    ("module", "name", "given"),
    [(sandbox, "stop", {"directory": "/s", "state": "stopped"}), (sandbox_info, "info", {"directory": "/s"}), (sandbox_fault, "inject", FAULT)],
)
def test_an_error_of_ours_fails_with_its_details(
    module: ModuleType, name: str, given: dict[str, Any], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_arguments: Any) -> dict[str, Any]:
        raise Conflict("port 21010 is taken", port=21010)

    monkeypatch.setattr(module.operations, name, fail)
    returned = call(module, capsys, **given)
    assert (returned["failed"], returned["msg"], returned["port"]) == (True, "port 21010 is taken", 21010)


def test_an_unknown_fault_is_refused_before_anything_is_looked_at(capsys: pytest.CaptureFixture[str]) -> None:
    returned = call(sandbox_fault, capsys, **{**FAULT, "fault": "explode"})
    assert "value of fault must be one of" in returned["msg"]


def test_a_fault_gets_its_delay(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sandbox_fault.operations, "inject", lambda parameters, check: {"changed": False, "seen": parameters["latency_ms"], "check": check})
    assert call(sandbox_fault, capsys, **FAULT)["seen"] == 500
    assert call(sandbox_fault, capsys, **FAULT, latency_ms=20)["seen"] == 20
