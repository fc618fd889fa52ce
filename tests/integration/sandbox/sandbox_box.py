# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A sandbox as the modules see it, without Ansible around it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ansible_collections.leanvibe.ops.plugins.module_utils.sandbox import operations, processes
from ansible_collections.leanvibe.ops.plugins.module_utils.sandbox.context import Context
from ansible_collections.leanvibe.ops.plugins.module_utils.sandbox.settings import resolve


class Box:
    """A sandbox as the modules see it, without Ansible around it."""

    def __init__(self, directory: Path, data: Path | None = None, port_base: int | None = None, binaries: dict[str, str] | None = None) -> None:
        self.parameters: dict[str, Any] = {"directory": str(directory), "data_dir": str(data) if data else None, "port_base": port_base, "binaries": binaries}

    def use(self, parameters: dict[str, Any]) -> Box:
        """The sandbox of another process's Box."""
        self.parameters = parameters
        return self

    def up(self) -> dict[str, Any]:
        return operations.start(self.parameters, False)

    def down(self, *, purge: bool = False) -> dict[str, Any]:
        return operations.stop({**self.parameters, "purge": purge}, False)

    def status(self) -> dict[str, Any]:
        return operations.info(self.parameters)

    def fault(self, component: str, region: str | None, fault: str, latency_ms: int = 500) -> dict[str, Any]:
        return operations.inject({**self.parameters, "component": component, "region": region, "fault": fault, "latency_ms": latency_ms}, False)

    def component(self, name: str, region: str | None) -> dict[str, Any]:
        return next(item for item in self.status()["components"] if item["component"] == name and item["region"] == (region or ""))

    def context(self) -> Context:
        return Context(resolve(self.parameters["directory"], self.parameters["data_dir"], self.parameters["port_base"]))

    def processes(self) -> dict[str, processes.Group]:
        return processes.find(self.context().data)
