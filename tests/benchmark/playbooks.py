# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the two sides: our playbook, and the usual tasks in loops. Both with the same ansible.cfg and the sandbox's inventory."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from . import measure, population
from .settings import CHECKOUT, PRIMARY, USUAL, BenchmarkError, Settings
from .state import State, redis

ANSIBLE = str(Path(sys.executable).parent / "ansible-playbook")
TIERS = CHECKOUT / "roles/tiers/defaults/main.yml"


def ours(
    settings: Settings,
    declared: Sequence[Mapping[str, Any]],
    *,
    selection: list[str] | None = None,
    check: bool = False,
    memory: bool = False,
    environment: Mapping[str, str] | None = None,
) -> measure.Measured:
    """One run of playbooks/tenants.yml over these tenants. Raises BenchmarkError unless it ends well."""
    # A machine that is busy with something else must not let the leases run out between two tasks.
    given: dict[str, Any] = {"tenants": list(declared), "report_dir": str(settings.work / "reports"), "tenants_lease_ttl": 600}
    if selection is not None:
        given["tenant_selection"] = selection
    variables = settings.write("ours.json", given)
    command = [ANSIBLE, "-i", "inventories/sandbox", "playbooks/tenants.yml", "-e", f"@{variables}", *(["--check"] if check else [])]
    done = measure.run(command, {**settings.environment, **(environment or {})}, settings.work / "ours.log", timeout=900, memory=memory)
    if done.status:
        raise BenchmarkError(f"our playbook ended with {done.status}:\n{done.output[-4000:]}")
    return done


def report(settings: Settings) -> dict[str, Any]:
    """The report of our last run that was no check."""
    found: dict[str, Any] = json.loads((settings.work / "reports/tenants/latest.json").read_text(encoding="utf-8"))
    return found


def model(settings: Settings, tenants: Sequence[Mapping[str, Any]], states: Mapping[str, State]) -> dict[str, Any]:
    """What a user of the usual tasks would have in files of his own, read from tenants that our playbook made: one of each tier."""
    by_tier = {str(tenant["tier"]): states[str(tenant["id"])][f"kubernetes {PRIMARY}"] for tenant in tenants}
    first = str(tenants[0]["id"])
    objects, bucket = states[first][f"kubernetes {PRIMARY}"], states[first][f"object_store {PRIMARY}"]["bucket"]
    actions = {statement["Sid"]: statement["Action"] for statement in bucket["policy"]["Statement"]}
    line = next(line for line in redis.ask(settings, PRIMARY, "ACL", "LIST").splitlines() if line.startswith(f"user tenant-{first} "))
    return {
        "network_policies": {name.split()[1]: content["spec"] for name, content in objects.items() if name.startswith("NetworkPolicy ")},
        "limits": {tier: found["LimitRange tenant-limits"]["spec"]["limits"] for tier, found in by_tier.items()},
        "quotas": {tier: found["ResourceQuota tenant-quota"]["spec"]["hard"] for tier, found in by_tier.items()},
        "rules": objects["Role tenant"]["rules"],
        "redis_commands": [word for word in line.split()[2:] if word[0] in "+-" and word != "-@all"],
        "object_actions": actions["TenantObjects"],
        "bucket_actions": actions["TenantBucket"],
    }


def usual(settings: Settings, tenants: Sequence[Mapping[str, Any]], known: Mapping[str, Any], *, memory: bool = False, tags: str = "all") -> measure.Measured:
    """One run of the usual tasks over these tenants ; ``known`` is what model() returns. Its output says how long each task took."""
    given = {"usual_tenants": list(tenants), "usual_passwords": population.passwords(tenants), "usual_model": known, "usual_versitygw": versitygw(settings)}
    variables = settings.write("usual.json", given)
    files = [argument for place in (TIERS, USUAL / "variables.yml", variables) for argument in ("-e", f"@{place}")]
    command = [ANSIBLE, "-i", "inventories/sandbox", *files, str(USUAL / "playbook.yml"), "--tags", tags]
    environment = {**settings.environment, "ANSIBLE_CALLBACKS_ENABLED": "ansible.posix.profile_tasks", "PROFILE_TASKS_TASK_OUTPUT_LIMIT": "all"}
    done = measure.run(command, environment, settings.work / "usual.log", timeout=3600, memory=memory)
    if done.status:
        raise BenchmarkError(f"the usual tasks ended with {done.status}:\n{done.output[-4000:]}")
    return done


def usual_systems(output: str) -> dict[str, float]:
    """Seconds that the tasks of each system took, from the output of a run of the usual tasks."""
    seconds: dict[str, float] = {}
    for place in sorted(USUAL.glob("*.yml")):
        tasks = yaml.safe_load(place.read_text(encoding="utf-8"))
        names = [task["name"] for task in tasks if "hosts" not in task] if isinstance(tasks, list) else []
        for name in names:
            found = re.search(rf"^{re.escape(name)} -+ (\d+\.\d+)s$", output, re.MULTILINE)
            if found:
                seconds[place.stem] = seconds.get(place.stem, 0.0) + float(found[1])
    return seconds


def versitygw(settings: Settings) -> str:
    """The gateway's own client: the program that the sandbox runs."""
    programs = json.loads((Path(settings.sandbox["data"]) / "binaries.json").read_text(encoding="utf-8"))
    return str(programs["versitygw"])
