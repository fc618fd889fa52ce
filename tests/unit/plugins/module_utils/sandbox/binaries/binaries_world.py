# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A machine of tiny scripts, on which builds take no time."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path

from ansible_collections.leanvibe.ops.plugins.module_utils.sandbox.binaries.cache import Cache
from ansible_collections.leanvibe.ops.plugins.module_utils.sandbox.binaries.catalogue import Component, DebianPackages, GoBuild, MavenBuild, Version
from ansible_collections.leanvibe.ops.plugins.module_utils.sandbox.binaries.planning import Machine

GO = """#!/bin/sh
echo "$GOFLAGS|$CGO_ENABLED|$PWD|$*" >> {calls}
case "$1" in
version) echo "go version go{version} linux/amd64" ;;
list) echo "go: downloading example.test/a v1.0.0" >&2; echo example.test/a; echo example.test/cmd/demo ;;
build)
    [ -z "$FAKE_FAIL" ] || {{ echo "a.go:1: undefined: x" >&2; exit 1; }}
    while [ "$1" != -o ]; do shift; done
    echo example.test/a >&2
    printf half > "$2"
    /bin/sleep "${{FAKE_SLEEP:-0}}"
    printf '#!/bin/sh\\necho demo version v%s\\n' "${{FAKE_VERSION:-1.2.3}}" > "$2"
    /bin/chmod +x "$2"
    ;;
esac
"""
MAVEN = """#!/bin/sh
echo "$*" >> {calls}
[ "$1" != --version ] || {{ echo "Apache Maven 3.8.7"; exit 0; }}
for argument in "$@"; do case "$argument" in -DoutputDirectory=*) out="${{argument#*=}}" ;; esac; done
/bin/mkdir -p "$out"
printf '%s' "${{FAKE_JAR:-kernel}}" > "$out/neo4j-kernel-5.1.2.jar"
echo "Downloaded from central: https://example.test/neo4j-kernel-5.1.2.jar (1 kB at 1 kB/s)"
"""
JAVAC = """#!/bin/sh
[ "$1" != -version ] || { echo "javac 17.0.15"; exit 0; }
while [ "$1" != -d ]; do shift; done
/bin/mkdir -p "$2/x" && echo class > "$2/x/Main.class"
"""
JAVA = """#!/bin/sh
echo 'openjdk version "17.0.15" 2025-04-15' >&2
"""

DEMO = Component("demo", "1.2.3", "MIT", GoBuild("demo", "example.test/cmd/demo", ("-X example.test.Version=1.2.3",)), kubebuilder=True)
JARS = Component(
    "jars", "5.1.2", "MIT", MavenBuild("jars", (("jars-admin", "org.example.Admin"),)), Version((), r"neo4j-kernel-(\d+\.\d+\.\d+)\.jar"),
    programs=(("jars", "lib"), ("jars-admin", "bin/jars-admin")),
)  # fmt: skip
STORE = Component(
    "store", "7.0", "BSD-3-Clause", DebianPackages(("store-server",), "/usr/bin", needs=("/usr/share/store/extra",), services=("store.service",)),
    Version(same=1, pattern=r"(\d+\.\d+)"), programs=(("store", "store"), ("store-cli", "store-cli")),
)  # fmt: skip


def script(path: Path, text: str) -> Path:
    """An executable file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    path.chmod(0o755)
    return path


def program(path: Path, version: str) -> Path:
    """A program that says its version."""
    return script(path, f"#!/bin/sh\necho {path.name} version v{version}\n")


@dataclass
class World:
    """A machine below a folder; ``environment`` may be changed before ``machine()``."""

    top: Path
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def bin(self) -> Path:
        return self.top / "bin"

    @property
    def calls(self) -> list[str]:
        path = self.top / "calls"
        return path.read_text(encoding="utf-8").splitlines() if path.exists() else []

    def with_go(self, version: str = "1.26.8") -> World:
        script(self.bin / "go", GO.format(calls=self.top / "calls", version=version))
        return self

    def with_java(self) -> World:
        for name, text in (("java", JAVA), ("javac", JAVAC), ("mvn", MAVEN.format(calls=self.top / "calls"))):
            script(self.bin / name, text)
        return self

    def with_debian(self, version: str = "7.0.15") -> World:
        program(self.top / "root/usr/bin/store", version)
        program(self.top / "root/usr/bin/store-cli", version)
        extra = self.top / "root/usr/share/store/extra"
        extra.parent.mkdir(parents=True, exist_ok=True)
        extra.touch()
        return self

    def machine(self, *, is_root: bool = False) -> Machine:
        environment = {"PATH": str(self.bin), "HOME": str(self.top), **self.environment}
        return Machine(environment, Cache(self.top / "cache"), self.top / "builds", root=self.top / "root", is_root=is_root)


def make(top: Path) -> World:
    """A machine with recipes and without tools."""
    builds = top / "builds"
    (builds / "demo").mkdir(parents=True)
    (builds / "demo/go.mod").write_text("module demo\n\ngo 1.26.0\n", encoding="utf-8")
    (builds / "jars/src").mkdir(parents=True)
    (builds / "jars/src/Main.java").write_text("class Main {}\n", encoding="utf-8")
    (builds / "jars/jars.sha256").write_text(f"{hashlib.sha256(b'kernel').hexdigest()}  neo4j-kernel-5.1.2.jar\n", encoding="utf-8")
    (top / "bin").mkdir()
    return World(top)
