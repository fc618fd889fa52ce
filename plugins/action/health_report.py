# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run the module of the same name and show its summary, in colours where there is a terminal; documented in plugins/modules/health_report.py."""

from __future__ import annotations

from typing import Any

from ansible import constants
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

from ..module_utils.reports.health_text import tone

# The operator's own colours (ansible.cfg, section colors). Display leaves them out if the output is no terminal, or ANSIBLE_NOCOLOR is set.
_COLOURS = {"ok": "COLOR_OK", "degraded": "COLOR_CHANGED", "unknown": "COLOR_UNREACHABLE", "critical": "COLOR_ERROR"}


class ActionModule(ActionBase):
    """Adds the display, and nothing else."""

    TRANSFERS_FILES = False
    MODULE = "leanvibe.ops.health_report"

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """The module's result."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        result.update(self._execute_module(module_name=self.MODULE, task_vars=task_vars))
        if self._task.args.get("show", True) and result.get("summary"):
            display = Display()
            for line in str(result["summary"]).splitlines():
                shade = tone(line)
                display.display(line, color=getattr(constants, _COLOURS[shade]) if shade else None)
        return result
