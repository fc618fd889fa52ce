# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""diagnose_report as Ansible runs it."""

from __future__ import annotations

import contextlib
import io
import json
from pathlib import Path
from typing import Any

from ansible.module_utils.testing import patch_module_args
from ansible_collections.leanvibe.ops.plugins.modules import diagnose_report


def called(module: Any, **arguments: Any) -> dict[str, Any]:
    output = io.StringIO()
    with patch_module_args(arguments), contextlib.redirect_stdout(output), contextlib.suppress(SystemExit):
        module.main()
    return dict(json.loads(output.getvalue()))


def test_two_tenants_are_refused_with_every_problem(tmp_path: Path) -> None:
    given = {"step": "inputs", "started": "2026-11-21T06:00:00Z", "environment": "sandbox", "report_dir": str(tmp_path)}
    result = called(diagnose_report, **given, chosen=True, selected_ids=["acme", "globex"])
    assert result["failed"]
    assert result["problems"] == ["tenant_selection chooses 2 tenants (acme, globex); name one, or leave it out for the platform"]
    assert list(tmp_path.iterdir()) == []


def test_a_conclusion_needs_its_run_and_check_mode_is_a_check(tmp_path: Path) -> None:
    given = {"started": "2026-11-21T06:00:00Z", "environment": "sandbox", "report_dir": str(tmp_path)}
    assert "run_id" in called(diagnose_report, **given)["msg"]
    result = called(diagnose_report, **given, run_id="r1", _ansible_check_mode=True)
    assert (result["verdict"], result["changed"], Path(result["path"]).name) == ("unknown", False, "20261121T060000Z-r1-check.json")
    assert set(result["areas"].values()) == {"unknown"}
