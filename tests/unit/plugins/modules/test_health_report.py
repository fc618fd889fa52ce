# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""health_report as Ansible calls it: the module, the action plugin that shows the summary, and the filter that collects the runs."""

from __future__ import annotations

import contextlib
import importlib
import io
import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.module_utils.testing import patch_module_args
from ansible_collections.leanvibe.ops.plugins.action import health_report as action
from ansible_collections.leanvibe.ops.plugins.filter.health_runs import FilterModule
from ansible_collections.leanvibe.ops.plugins.module_utils.health.arguments import HEALTH, REPORT
from ansible_collections.leanvibe.ops.plugins.module_utils.health.sinks import SINKS

CHECKOUT = Path(__file__).resolve().parents[4]
ITEM = {
    "id": "redis.memory",
    "subject": "us-east-1/redis",
    "verdict": "critical",
    "message": "full",
    "observed": 99,
    "runbook": "r",
    "query": "INFO",
    "tenants": [],
}
RUN = {
    "system": "redis",
    "region": "us-east-1",
    "items": [ITEM],
    "checks": [{"id": "redis.memory", "place": "us-east-1/redis", "outcome": "executed", "seconds": 0.1, "reason": ""}],
    "facts": {},
    "seconds": 0.2,
}
NEEDED = {"run_id": "r1", "started": "2026-11-21T06:00:00Z", "environment": "sandbox"}


def call(check: bool = False, **arguments: Any) -> dict[str, Any]:
    """Run the module's main() and return its result."""
    module = importlib.import_module("ansible_collections.leanvibe.ops.plugins.modules.health_report")
    output = io.StringIO()
    with patch_module_args({**arguments, "_ansible_check_mode": check}), contextlib.redirect_stdout(output), pytest.raises(SystemExit):
        module.main()
    return dict(json.loads(output.getvalue()))


def test_it_writes_the_report_and_says_that_the_run_fails_without_failing_itself(tmp_path: Path) -> None:
    result = call(**NEEDED, report_dir=str(tmp_path), endpoints=[{"system": "redis", "region": "us-east-1", "run": RUN}])
    assert (result["changed"], result["verdict"], result["failing"], result.get("failed")) == (False, "critical", True, None)
    assert json.loads((tmp_path / "health/latest.json").read_text(encoding="utf-8"))["verdict"] == "critical"
    assert (tmp_path / "health/latest.html").is_file()


def test_check_mode_replaces_nothing(tmp_path: Path) -> None:
    result = call(check=True, **NEEDED, report_dir=str(tmp_path), endpoints=[])
    assert (result["verdict"], [path.suffix for path in sorted((tmp_path / "health").iterdir())]) == ("unknown", [".html", ".json"])
    assert result["path"].endswith("-check.json")


def test_wrong_inputs_fail_with_every_problem() -> None:
    result = call(step="inputs", thresholds={"redis.nothing_at_all": {"degraded": 1}}, waivers=[{}], fail_on=["ok"])
    assert result["failed"] is True
    assert len(result["problems"]) == 1 + 5 + 1


def test_what_conclude_needs_is_asked_for() -> None:
    result = call()
    assert result["failed"] is True
    assert "run_id" in result["msg"]


def test_the_documentation_names_exactly_the_parameters() -> None:
    module = importlib.import_module("ansible_collections.leanvibe.ops.plugins.modules.health_report")
    own = set(yaml.safe_load(module.DOCUMENTATION)["options"])
    assert own == {*REPORT, *SINKS} - {"history_registry"}  # documented by a fragment
    fragment = importlib.import_module("ansible_collections.leanvibe.ops.plugins.doc_fragments.health_checks").ModuleDocFragment
    documented = yaml.safe_load(fragment.DOCUMENTATION)["options"]
    assert {name: option.get("default") for name, option in documented.items()} == {name: spec.get("default") for name, spec in HEALTH.items()}


def test_the_filter_collects_as_data_or_text() -> None:
    hostvars = {"a": {"leanvibe_ops_region": "us-east-1", "leanvibe_ops_system": "redis", "__health_run": {"run": RUN}}}
    collect = FilterModule().filters()["health_runs"]
    expected = [{"system": "redis", "region": "us-east-1", "run": RUN}]
    assert collect(hostvars, ["a"]) == expected
    assert json.loads(collect(hostvars, ["a"], text=True)) == expected
    assert collect(hostvars, ["a"], {"__other": "x"}) == []


@pytest.mark.parametrize("show", [True, False])
def test_the_summary_is_shown_in_the_verdicts_colours_if_wanted(show: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[tuple[str, str | None]] = []

    class Screen:
        def display(self, text: str, color: str | None = None) -> None:
            shown.append((text, color))

    class Task:
        args = {"show": show}  # noqa: RUF012 - stands for one task

    monkeypatch.setattr(action, "Display", Screen)
    monkeypatch.setattr(action.ActionBase, "run", lambda *_arguments: {})
    monkeypatch.setattr(action.ActionModule, "_execute_module", lambda *_a, **_k: {"summary": "health: CRITICAL\n\n  UNKNOWN  x: y\nplain", "failing": True})
    plugin = action.ActionModule.__new__(action.ActionModule)
    plugin._task = Task()
    assert plugin.run(task_vars={})["failing"] is True
    colours = action.constants
    expected = [("health: CRITICAL", colours.COLOR_ERROR), ("", None), ("  UNKNOWN  x: y", colours.COLOR_UNREACHABLE), ("plain", None)]
    assert shown == (expected if show else [])
