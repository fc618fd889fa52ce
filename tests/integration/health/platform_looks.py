# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""All endpoints of the sandbox looked at as playbooks/health.yml does, without Ansible in between: for faults that are made one after another."""

from __future__ import annotations

import contextlib
import importlib
import io
import json
import multiprocessing
import os
import subprocess
from pathlib import Path
from typing import Any

from ansible.module_utils.testing import patch_module_args
from ansible_collections.leanvibe.ops.plugins.module_utils.health import catalogue
from ansible_collections.leanvibe.ops.plugins.module_utils.health.gathering import gather
from ansible_collections.leanvibe.ops.plugins.module_utils.health.model import Comparison
from ansible_collections.leanvibe.ops.plugins.module_utils.health.runner import Selection

# What the role hands to each endpoint's module, written down by Ansible from the inventory.
PLAY = """
- hosts: control:kubernetes:postgresql:pgbouncer:redis:neo4j:object_store:backend:external:monitoring:aws
  gather_facts: false
  tasks:
    - ansible.builtin.include_vars: "{{ looks_vars }}"
    - ansible.builtin.copy:
        dest: "{{ looks_dir }}/{{ inventory_hostname }}.json"
        mode: "0600"
        content: "{{ looks | to_json }}"
      vars:
        __health_inputs: {counters_before: {}}
        __health_tenants: {declared_ids: "{{ tenants | map(attribute='id') | list }}"}
        looks:
          system: "{{ leanvibe_ops_system }}"
          region: "{{ leanvibe_ops_region }}"
          connection: "{{ __health_connection }}"
          options: "{{ __health_told | combine(health_options | default({})) }}"
          tenants: "{{ tenants }}"
          thresholds: "{{ health_thresholds | default({}) }}"
"""
BAD = ("degraded", "critical", "unknown")
# Tenants of other tests, and what they did to the servers.
MADE_BY_TESTS = ("control.undeclared", "control.runs", "redis.slowlog")


def _module(given: dict[str, Any]) -> dict[str, Any]:
    """In a process of its own: what one module says of one endpoint."""
    module = importlib.import_module(f"ansible_collections.leanvibe.ops.plugins.modules.health_{given['system']}")
    output = io.StringIO()
    arguments = {name: given[name] for name in ("region", "connection", "options", "tenants", "thresholds", "only")}
    arguments |= {"writes": False, "connect_timeout": 20.0, "budget": 60.0}
    with (
        patch_module_args(arguments),
        contextlib.redirect_stdout(output),
        contextlib.suppress(SystemExit),
    ):
        module.main()
    answer = json.loads(output.getvalue())
    return {"system": given["system"], "region": given["region"], "run": answer.get("run"), "error": answer.get("msg", "")}


class Platform:
    """The sandbox's endpoints. ``look`` asks all of them, side by side."""

    def __init__(self, checkout: Path, environment: dict[str, str], folder: Path) -> None:
        play = folder / "looks.yml"
        play.write_text(PLAY, encoding="utf-8")
        given = {"looks_dir": str(folder), "looks_vars": str(checkout / "roles/health/vars/main.yml")}
        command = ["ansible-playbook", "-i", "inventories/sandbox", str(play), "-e", json.dumps(given)]
        done = subprocess.run(command, cwd=checkout, env=environment, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr
        self.endpoints = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.json"))]

    def look(self, only: tuple[str, ...] = ()) -> list[dict[str, Any]]:
        """All findings, those of comparisons too."""
        given = [{**endpoint, "only": list(only)} for endpoint in self.endpoints]
        with multiprocessing.get_context("fork").Pool(min(len(given), 4 * (os.cpu_count() or 2))) as pool:
            runs = pool.map(_module, given, chunksize=1)
        expected: dict[str, list[str]] = {}
        for endpoint in self.endpoints:
            expected.setdefault(endpoint["system"], []).append(endpoint["region"])
        across = [about for about in catalogue.everything() if isinstance(about, Comparison)]
        return gather(runs, expected, Selection(only=only), across).items


def bad(items: list[dict[str, Any]]) -> dict[tuple[str, str], str]:
    """(check, place) of what somebody must look at, with its verdict."""
    wrong = [item for item in items if item["verdict"] in BAD and item["id"] not in MADE_BY_TESTS]
    return {(item["id"], "/".join(str(item["subject"]).split("/")[:2])): item["verdict"] for item in wrong}
