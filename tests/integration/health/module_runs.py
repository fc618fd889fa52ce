# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Modules of health checks as Ansible runs them, in this process, and what they found."""

from __future__ import annotations

import contextlib
import importlib
import io
import json
import time
from collections.abc import Callable, Mapping
from typing import Any

from ansible.module_utils.testing import patch_module_args
from ansible_collections.leanvibe.ops.plugins.module_utils.health.comparisons import compare
from ansible_collections.leanvibe.ops.plugins.module_utils.health.results import Run

EAST, WEST = "us-east-1", "us-west-2"
Found = dict[tuple[str, str], str]


def module_result(name: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """What one call of a module returns; it must not fail."""
    module = importlib.import_module(f"ansible_collections.leanvibe.ops.plugins.modules.{name}")
    output = io.StringIO()
    with patch_module_args(dict(arguments)), contextlib.redirect_stdout(output), contextlib.suppress(SystemExit):
        module.main()
    result = dict(json.loads(output.getvalue()))
    assert not result.get("failed"), result
    return result


def look(system: str, region: str, connection: Mapping[str, Any], **arguments: Any) -> Run:
    """One call of the module of a system."""
    result = module_result(f"health_{system}", {"region": region, "connection": dict(connection), **arguments})
    secret = connection.get("password") or connection.get("secret_key")
    assert secret is None or len(secret) < 8 or secret not in json.dumps(result["run"])
    return Run.from_mapping(result["run"])


def compared(runs: list[Run]) -> list[dict[str, Any]]:
    """What the comparisons of the runs' system find."""
    system = runs[0].system
    comparisons = importlib.import_module(f"ansible_collections.leanvibe.ops.plugins.module_utils.health.systems.{system}").COMPARISONS
    return compare(comparisons, runs, {system: [run.region for run in runs]})[0]


def wrong(items: list[dict[str, Any]]) -> Found:
    """What is neither ok nor skipped: (check, region) -> verdict."""
    return {(item["id"], item["subject"].split("/")[0]): item["verdict"] for item in items if item["verdict"] not in ("ok", "skipped")}


def eventually(done: Callable[[], Any], what: str, seconds: float = 30.0) -> None:
    """Wait until it is so."""
    ends = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < ends, f"{what} did not come within {seconds:g} s"
        time.sleep(0.1)
