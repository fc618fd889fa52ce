# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Carries out a plan: installs and builds what is not there, one after another, saying how far it is."""

from __future__ import annotations

from typing import Any

from ...common.errors import OpsError
from ...common.progress import Progress
from . import building, debian, versions
from .catalogue import DebianPackages
from .command import orderly_end
from .lock import exclusive
from .planning import Decision, Machine, MissingPrerequisites, Plan, java_of, packages

PENDING_WORD = {"use": "", "build": "would be built: ", "install": "would be installed: "}


def changes(plan: Plan) -> bool:
    """Whether anything is to be built or installed. Raises MissingPrerequisites if that cannot be done."""
    if plan.problems:
        raise MissingPrerequisites(plan.problems)
    return bool(plan.pending)


def apply(plan: Plan, machine: Machine) -> bool:
    """Install and build what is pending; True if this run did any of it. Raises MissingPrerequisites before anything is done, BuildFailed later."""
    if not changes(plan):
        return False
    installs = [decision for decision in plan.pending if decision.action == "install"]
    builds = [decision for decision in plan.pending if decision.action == "build"]
    total = len(builds) + (1 if installs else 0)
    with orderly_end():
        if installs:
            _install(installs, machine, total)
        done = [_build(decision, machine, number, total) for number, decision in enumerate(builds, 2 if installs else 1)]
    return bool(installs) or any(done)


def _install(decisions: list[Decision], machine: Machine, total: int) -> None:
    wanted = packages(decisions)
    services: list[str] = []
    for decision in decisions:
        recipe = decision.component.recipe
        if isinstance(recipe, DebianPackages) and not any(debian.is_installed(package) for package in recipe.packages):
            services.extend(recipe.services)
    log = machine.cache.root / "logs" / "debian.log"
    with Progress.step(f"installing {', '.join(wanted)} from Debian", number=1, total=total) as step:
        debian.install(wanted, services, environment=machine.environment, log=log, say=step.note)
    for decision in decisions:
        lacking = [str(path) for path in decision.paths.values() if not path.exists()]
        if lacking:
            raise OpsError(f"{decision.detail} is installed, but {', '.join(lacking)} is not there; log: {log}", log=str(log))


def _build(decision: Decision, machine: Machine, number: int, total: int) -> bool:
    """Build one component, unless another run has done so while this one waited for the lock."""
    component, cache = decision.component, machine.cache
    with (
        Progress.step(f"building {component.label}", number=number, total=total, unit=_unit(decision)) as step,
        exclusive(cache.lock, f"building {component.label}", step.note),
    ):
        step.note("")
        if cache.built(component, decision.toolchain) is not None:
            return False
        with cache.building(component, decision.toolchain) as folder:
            building.build(component, folder, toolchains=machine.toolchains, log=cache.log(component), step=step)
    return True


def _unit(decision: Decision) -> str:
    return "jars" if decision.component.name == "neo4j" else "packages"


def as_result(plan: Plan, machine: Machine, *, applied: bool) -> dict[str, dict[str, Any]]:
    """What the module returns: for each program its path, version, source and how it came to be."""
    result: dict[str, dict[str, Any]] = {}
    for decision in plan.decisions:
        detail = decision.detail if applied else f"{PENDING_WORD[decision.action]}{decision.detail}"
        detail = "; ".join((detail, *decision.notes))
        version = _installed_version(decision) if applied and decision.action == "install" else decision.version
        for name, path in decision.paths.items():
            result[name] = {"path": str(path), "version": version, "source": decision.source, "detail": detail}
    for name, (path, version) in java_of(machine, plan.decisions).items():
        result[name] = {"path": str(path), "version": version, "source": "found", "detail": "Java of this machine"}
    return result


def diff(plan: Plan) -> dict[str, dict[str, str]]:
    """What is pending, before and after."""
    return {
        "before": {decision.component.name: "absent" for decision in plan.pending},
        "after": {decision.component.name: f"{decision.version}, {decision.detail}" for decision in plan.pending},
    }


def _installed_version(decision: Decision) -> str:
    main = next(iter(decision.paths.values()))
    found = versions.ask(main, decision.component.ask)
    if found is None or not versions.compatible(found, decision.component):
        raise OpsError(f"{main} was installed, but its version is {found or 'unknown'}; {versions.wanted(decision.component)}")
    return found
