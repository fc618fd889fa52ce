# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What builds the programs (Go, Java, Maven): where it is and which version."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from .versions import numbers

SECONDS_TO_ANSWER = 120.0
JAVA_NEEDED = 17
MAVEN_NEEDED = "3.6.3"


@dataclass(frozen=True)
class Tool:
    """A tool of the machine. ``version`` is empty if it did not tell; ``answer`` is then what it said instead."""

    path: Path
    version: str
    answer: str


def go_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment of every go command: modules as pinned, no C, no workspace, this machine's platform; the user's proxies and caches stay."""
    kept = {name: value for name, value in environment.items() if name not in ("GOOS", "GOARCH", "GOBIN")}
    return {**kept, "CGO_ENABLED": "0", "GO111MODULE": "on", "GOFLAGS": "-mod=readonly", "GOWORK": "off"}


def go_needed(builds: Path, folder: str) -> str:
    """The oldest Go that the go.mod of ``folder`` allows."""
    match = re.search(r"^go (\S+)$", (builds / folder / "go.mod").read_text(encoding="utf-8"), re.MULTILINE)
    if match is None:
        raise ValueError(f"{builds / folder / 'go.mod'} does not name a version of Go")
    return match[1]


@dataclass(frozen=True)
class Toolchains:
    """The machine's tools, each asked when somebody wants to know and only once."""

    environment: Mapping[str, str]
    builds: Path

    def _find(self, name: str) -> Path | None:
        search = self.environment.get("PATH", os.defpath)
        if name in ("java", "javac") and self.environment.get("JAVA_HOME"):
            search = f"{self.environment['JAVA_HOME']}/bin{os.pathsep}{search}"
        found = shutil.which(name, path=search)
        return Path(found) if found else None

    def _ask(self, name: str, arguments: list[str], pattern: str, folder: Path | None = None, environment: Mapping[str, str] | None = None) -> Tool | None:
        path = self._find(name)
        return None if path is None else ask_tool(path, arguments, pattern, folder, environment or self.environment)

    @cached_property
    def go(self) -> Tool | None:
        """Go as it is inside our modules, where it may have taken a newer toolchain than it is itself."""
        modules = [path.parent.name for path in sorted(self.builds.glob("*/go.mod"))]
        newest = max(modules, key=lambda folder: numbers(go_needed(self.builds, folder)), default="")
        return self._ask("go", ["version"], r"go version go(\S+)", self.builds / newest, go_environment(self.environment))

    @cached_property
    def java(self) -> Tool | None:
        """What runs Neo4j; the version is the major one."""
        named = self.environment.get("LEANVIBE_OPS_JAVA")
        if named:
            return ask_tool(Path(named), ["-version"], r'version "(\d+)', None, self.environment)
        return self._ask("java", ["-version"], r'version "(\d+)')

    @cached_property
    def javac(self) -> Tool | None:
        """The compiler; the version is the major one."""
        return self._ask("javac", ["-version"], r"javac (\d+)")

    @cached_property
    def maven(self) -> Tool | None:
        """Maven."""
        return self._ask("mvn", ["--version"], r"Apache Maven (\d+\.\d+\.\d+)")

    def go_for(self, folder: str) -> Tool | None:
        """Go, if it is new enough for the module ``folder``."""
        go = self.go
        return go if go is not None and go.version and numbers(go.version) >= numbers(go_needed(self.builds, folder)) else None

    def java_toolchain(self) -> str | None:
        """``java17``; None without Java."""
        return f"java{self.java.version}" if self.java is not None and self.java.version else None


def ask_tool(path: Path, arguments: list[str], pattern: str, folder: Path | None, environment: Mapping[str, str]) -> Tool:
    """Ask a tool for its version."""
    try:
        done = subprocess.run(
            [str(path), *arguments], cwd=folder, env=dict(environment), capture_output=True, text=True, errors="replace",
            stdin=subprocess.DEVNULL, timeout=SECONDS_TO_ANSWER, check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        return Tool(path, "", str(error))
    said = f"{done.stdout}\n{done.stderr}".strip()
    match = re.search(pattern, said) if done.returncode == 0 else None
    return Tool(path, match[1] if match else "", said)
