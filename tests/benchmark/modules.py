# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs our modules one at a time, as Ansible runs them: the very files that it sent, with the parameters that the role gave them.

A check of the playbook that keeps its files is where they come from, so that nothing here repeats what the role says.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import measure, playbooks
from .settings import BenchmarkError, Settings


@dataclass(frozen=True)
class Module:
    """One call of a module on one endpoint. ``place`` is where its parameters lie; they hold secrets."""

    name: str
    region: str
    phase: str
    wrapper: Path
    place: Path
    parameters: dict[str, Any]


def capture(settings: Settings, tenants: list[dict[str, Any]]) -> dict[tuple[str, str, str], Module]:
    """The calls of a run over these tenants, by module, region and phase (kubernetes: prepare, finish; else empty)."""
    remote = settings.work / "remote"
    environment = {"ANSIBLE_KEEP_REMOTE_FILES": "1", "ANSIBLE_REMOTE_TEMP": str(remote), "ANSIBLE_PIPELINING": "0"}
    playbooks.ours(settings, tenants, check=True, environment=environment)
    found: dict[tuple[str, str, str], Module] = {}
    for wrapper in sorted(remote.glob("ansible-tmp-*/AnsiballZ_tenants_*.py")):
        done = measure.run([sys.executable, str(wrapper), "explode"], settings.environment, settings.work / "explode.log", timeout=60)
        place = wrapper.parent / "debug_dir" / "args"
        if done.status or not place.is_file():
            raise BenchmarkError(f"Ansible's wrapper {wrapper.name} cannot be taken apart: {done.output[-500:]}")
        parameters = json.loads(place.read_text(encoding="utf-8"))["ANSIBLE_MODULE_ARGS"]
        name = wrapper.stem.removeprefix("AnsiballZ_tenants_")
        module = Module(name, str(parameters.get("region", "")), str(parameters.get("phase", "")), wrapper, place, parameters)
        found[module.name, module.region, module.phase] = module
    return found


def call(settings: Settings, module: Module, tenants: list[Mapping[str, Any]], **changed: Any) -> tuple[measure.Measured, dict[str, Any]]:
    """Run it for these tenants, for real and without a lease; its result. Raises BenchmarkError if it fails, or fails a tenant."""
    parameters = {**module.parameters, **changed, "tenants": tenants, "_ansible_check_mode": False, "_ansible_diff": False, "_ansible_verbosity": 0}
    parameters.pop("lease", None)
    module.place.write_text(json.dumps({"ANSIBLE_MODULE_ARGS": parameters}), encoding="utf-8")
    done = measure.run([sys.executable, str(module.wrapper), "execute"], settings.environment, settings.work / "module.log", timeout=600, memory=True)
    try:
        result: dict[str, Any] = json.loads(done.output[done.output.index("{") :])
    except ValueError as error:
        raise BenchmarkError(f"tenants_{module.name} answered no JSON: {done.output[-1000:]}") from error
    if result.get("failed"):
        raise BenchmarkError(f"tenants_{module.name} failed: {result.get('msg')}")
    bad = [item for item in result["results"] if item["verdict"] != "succeeded"]
    if bad:
        raise BenchmarkError(f"tenants_{module.name} failed {len(bad)} tenants, the first: {bad[0]}")
    return done, result
