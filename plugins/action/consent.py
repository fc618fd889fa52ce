# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ask whether something that cannot be undone may go ahead; documented in plugins/modules/consent.py."""

from __future__ import annotations

import getpass
import os
from datetime import UTC, datetime
from typing import Any

from ansible.plugins.action import ActionBase

from ..module_utils.common.errors import InvalidInput
from ..module_utils.guard.policy import Act, Consent, read_policy, refusals

ARGUMENTS: dict[str, Any] = {
    "what": {"type": "str", "required": True},
    "thing": {"type": "str", "required": True},
    "everything": {"type": "bool", "default": False},
    "brings": {"type": "str"},
    "confirm": {"type": "str"},
    "confirm_environment": {"type": "str"},
    "approval": {"type": "dict"},
    "operator": {"type": "str"},
}


class ActionModule(ActionBase):
    """Runs once for the whole play, on the controller, without a connection."""

    BYPASS_HOST_LOOP = True
    TRANSFERS_FILES = False
    _requires_connection = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Fail with everything that is missing from the consent, or return it for the report. Check mode says it and goes on."""
        result = super().run(tmp, task_vars)
        _validation, args = self.validate_argument_spec(argument_spec=ARGUMENTS)
        variables = self._templar.template({name: (task_vars or {}).get(name) for name in ("leanvibe_ops_environment", "leanvibe_ops_environment_policy")})
        operators = _operators(args["operator"])
        act = Act(args["what"], args["thing"], args["everything"], args["brings"])
        try:
            policy = read_policy(str(variables["leanvibe_ops_environment"]), variables["leanvibe_ops_environment_policy"])
            problems = refusals(policy, act, Consent(args["confirm"], args["confirm_environment"], args["approval"], operators), datetime.now(UTC))
            if problems and not self._task.check_mode:
                raise InvalidInput(f"refused to {act.what} in {policy.environment}", problems)
        except InvalidInput as error:
            result.update(failed=True, msg=error.message)
            return result
        approval = {key: str(value) for key, value in (args["approval"] or {}).items()}
        consent = {"what": act.what, "thing": act.thing, "environment": policy.environment, "operators": list(operators), "approval": approval}
        result.update(changed=False, granted=not problems, problems=problems, consent=consent)
        if problems:
            result["warnings"] = [f"a run without --check would be refused: {problem}" for problem in problems]
        return result


def _operators(given: str | None) -> tuple[str, ...]:
    """Every name of the person at the keyboard: the given one, the account, and the one behind sudo."""
    try:
        account = getpass.getuser()
    except (KeyError, OSError):  # a container whose user has no name
        account = f"uid {os.getuid()}"
    names = (given, account, os.environ.get("SUDO_USER"))
    return tuple(dict.fromkeys(name for name in names if name))
