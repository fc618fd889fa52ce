# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Look at the variables of all hosts of the play before anything is touched; documented in plugins/modules/guard.py."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleError, AnsibleUndefinedVariable
from ansible.plugins.action import ActionBase
from ansible.template import Templar
from ansible.utils.vars import load_extra_vars

from ..module_utils.common.errors import InvalidInput, OpsError
from ..module_utils.guard.policy import kind_refusal, read_policy
from ..module_utils.guard.requirements import HostView, UndefinedValueError, UnreadableValueError, gaps, read_requirements, refuse

#: What an environment is and asks for is said by its inventory, not by whoever runs a command.
PROTECTED = ("leanvibe_ops_approvers", "leanvibe_ops_environment", "leanvibe_ops_environment_policy", "leanvibe_ops_required")


class ActionModule(ActionBase):
    """Runs once for the whole play, on the controller, without a connection."""

    BYPASS_HOST_LOOP = True
    TRANSFERS_FILES = False
    _requires_connection = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Fail with everything that is wrong, or return what the environment is."""
        result = super().run(tmp, task_vars)
        _validation, args = self.validate_argument_spec(
            argument_spec={
                "kinds": {"type": "list", "elements": "str", "default": []},
                "connections": {"type": "bool", "default": True},
                "purposes": {"type": "list", "elements": "str", "default": []},
            }
        )
        variables = task_vars or {}
        try:
            result.update(self._check(variables, args["kinds"], args["purposes"], args["connections"]))
        except OpsError as error:
            result.update(failed=True, msg=error.message)
        return result

    def _check(self, variables: Mapping[str, Any], kinds: Sequence[str], purposes: Sequence[str], connections: bool) -> dict[str, Any]:
        _one_inventory(variables.get("ansible_inventory_sources") or ())
        overridden = sorted(set(load_extra_vars(self._loader)) & set(PROTECTED))
        if overridden:
            raise InvalidInput("extra variables", [f"{name} is said by the inventory and cannot be given by -e" for name in overridden])
        views = [self._view(variables["hostvars"], name) for name in variables["ansible_play_hosts_all"]]
        strangers = [view.name for view in views if "leanvibe_ops_environment" not in view.raw]
        if strangers:
            raise InvalidInput("inventory", [f"{name} is in no environment; give -i inventories/<environment>" for name in strangers])
        first = views[0]
        try:
            environment = str(first.evaluate(first.raw["leanvibe_ops_environment"]))
            policy = first.raw.get("leanvibe_ops_environment_policy")
            # The kind comes first: a sandbox playbook pointed at production should not ask for production's secrets.
            kind = str(first.evaluate(policy.get("kind"))) if isinstance(policy, Mapping) else "unknown"
            unfit = kind_refusal(environment, kind, kinds)
            if unfit is not None:
                raise InvalidInput(f"environment {environment}", [unfit])
            if connections:
                required = read_requirements(first.evaluate(first.raw.get("leanvibe_ops_required", [])))
                refuse(environment, gaps(views, required, purposes), len(views))
            checked = read_policy(environment, first.evaluate(policy))
        except (UndefinedValueError, UnreadableValueError) as error:
            raise InvalidInput("environment policy", [str(error)]) from error
        return {"changed": False, "environment": environment, "kind": checked.kind, "hosts": len(views)}

    def _view(self, hostvars: Any, name: str) -> HostView:
        raw = {**hostvars.raw_get(name), "hostvars": hostvars}
        templar = Templar(loader=self._loader, variables=raw)

        def evaluate(value: Any) -> Any:
            try:
                result = templar.template(value)
                if not isinstance(result, (Mapping, list, tuple)):
                    str(result)  # what is encrypted by Ansible Vault is decrypted only now
                return result
            except AnsibleUndefinedVariable as error:
                raise UndefinedValueError(error.message) from error
            except AnsibleError as error:
                raise UnreadableValueError(error.message) from error

        return HostView(name, raw, evaluate)


def _one_inventory(sources: Sequence[Any]) -> None:
    """Refuse two environments in one run: their hosts share names, so that one would silently lend the other its addresses."""
    folders = {path if path.is_dir() else path.parent for path in (Path(str(source)).resolve() for source in sources)}
    environments = sorted(str(folder) for folder in folders if (folder / "group_vars/all/environment.yml").is_file())
    if len(environments) > 1:
        raise InvalidInput("inventories", [f"more than one environment in a run: {', '.join(environments)}; give one -i"])
