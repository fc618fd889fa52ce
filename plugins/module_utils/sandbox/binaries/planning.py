# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which program is used, built or installed for each component, and what is missing for that: decided before anything is done."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from ...common.errors import OpsError
from . import versions
from .cache import Cache
from .catalogue import JAVA, Component, DebianPackages, GoBuild, MavenBuild
from .toolchains import JAVA_NEEDED, MAVEN_NEEDED, Toolchains, go_needed

KUBEBUILDER = "KUBEBUILDER_ASSETS"


class MissingPrerequisites(OpsError):
    """Something must be installed by hand first; the message names everything that is missing, each with the command that mends it."""

    def __init__(self, problems: Sequence[str]) -> None:
        text = "\n".join(f"- {problem}" for problem in problems)
        super().__init__(f"{len(problems)} prerequisite(s) of the sandbox's programs missing, nothing was built or installed:\n{text}", problems=list(problems))


@dataclass(frozen=True)
class Decision:
    """What is done for one component: ``use``, ``build`` or ``install``.

    ``paths`` is where its programs are, or will be. ``version`` is the found one, or the wanted one. ``toolchain`` is what builds it.
    ``notes`` say why something that was found is not used.
    """

    component: Component
    action: str
    paths: Mapping[str, Path]
    version: str
    source: str
    detail: str
    toolchain: str = ""
    notes: tuple[str, ...] = ()


@dataclass
class Machine:
    """What the decisions depend on."""

    environment: Mapping[str, str]
    cache: Cache
    builds: Path
    root: Path = Path("/")
    is_root: bool = field(default_factory=lambda: os.geteuid() == 0)
    toolchains: Toolchains = field(init=False)

    def __post_init__(self) -> None:
        self.toolchains = Toolchains(self.environment, self.builds)

    def which(self, name: str) -> Path | None:
        """A program of the machine's PATH."""
        found = shutil.which(name, path=self.environment.get("PATH", os.defpath))
        return Path(found) if found else None

    def place(self, path: str) -> Path:
        """An absolute path of the machine."""
        return self.root / path.lstrip("/")


@dataclass(frozen=True)
class Plan:
    """All decisions, and everything that keeps them from being carried out."""

    decisions: tuple[Decision, ...]
    problems: tuple[str, ...]

    @property
    def pending(self) -> tuple[Decision, ...]:
        """What is not there yet."""
        return tuple(decision for decision in self.decisions if decision.action != "use")


def plan(components: Sequence[Component], machine: Machine) -> Plan:
    """Decide for each component; asks programs for their versions and changes nothing. Raises OpsError without recipes."""
    folders = {component.recipe.folder for component in components if not isinstance(component.recipe, DebianPackages)}
    lacking = sorted(folder for folder in folders if not (machine.builds / folder).is_dir())
    if lacking:
        raise OpsError(f"{machine.builds} holds no recipes for {', '.join(lacking)}: builds_dir is to be the folder files/builds of the role sandbox")
    decisions, problems = [], []
    for component in components:
        decision, problem = decide(component, machine)
        problems.extend(problem)
        if decision is not None:
            decisions.append(decision)
    problems.extend(_missing_tools(decisions, machine))
    problems.extend(_missing_packages(decisions, machine))
    return Plan(tuple(decisions), tuple(problems))


def decide(component: Component, machine: Machine) -> tuple[Decision | None, list[str]]:
    """The decision for one component, or the problems with what its variable names."""
    named = machine.environment.get(component.variable)
    if named:
        path = Path(named).expanduser().absolute()
        found, reason = _usable(component, path)
        if found is None:
            return None, [f"{component.variable}={named}: {reason}; point it to another one, or unset it"]
        return _found(component, path, found, f"named by {component.variable}"), []
    notes: list[str] = []
    assets = machine.environment.get(KUBEBUILDER) if component.kubebuilder else None
    if assets and (path := Path(assets) / component.name).exists():
        found, reason = _usable(component, path)
        if found is not None:
            return _found(component, path, found, f"found in {KUBEBUILDER}"), []
        notes.append(f"{path} is not used: {reason}")
    if isinstance(component.recipe, DebianPackages):
        return _decide_debian(component, component.recipe, machine, notes)
    toolchain = _toolchain(component, machine)
    built = machine.cache.built(component, toolchain)
    if built is not None:
        return Decision(component, "use", _below(component, built), component.version, "built", "built before", notes=tuple(notes)), []
    path_on = machine.which(component.name) if isinstance(component.recipe, GoBuild) else None
    if path_on is not None:
        found, reason = _usable(component, path_on)
        if found is not None:
            return _found(component, path_on, found, "found on PATH", notes), []
        notes.append(f"{path_on} is not used: {reason}")
    target = machine.cache.folder(component, toolchain or "unknown")
    detail = f"built from source by {toolchain}" if isinstance(component.recipe, GoBuild) else "put together from published jars"
    return Decision(component, "build", _below(component, target), component.version, "built", detail, toolchain or "", tuple(notes)), []


def _decide_debian(component: Component, recipe: DebianPackages, machine: Machine, notes: list[str]) -> tuple[Decision | None, list[str]]:
    names = ", ".join(recipe.packages)
    folder = machine.place(recipe.folder)
    main = folder / component.name
    if main.exists() and all(machine.place(need).exists() for need in recipe.needs):
        found, reason = _usable(component, main)
        if found is None:
            return None, [f"{main} (package {names}): {reason}; name a suitable one in {component.variable}"]
        return Decision(component, "use", _below(component, folder), found, "debian", f"Debian package {names}", notes=tuple(notes)), []
    path_on = machine.which(component.name)
    if path_on is not None and path_on.parent != folder:
        # A link's own folder does not hold what belongs together; a single program may look at the name it is called by.
        path_on = path_on.resolve() if len(component.provides) > 1 else path_on
        found, reason = _usable(component, path_on)
        if found is not None:
            return _found(component, path_on, found, "found on PATH", notes), []
        notes.append(f"{path_on} is not used: {reason}")
    detail = f"Debian package {names}"
    return Decision(component, "install", _below(component, folder), component.version, "debian", detail, notes=tuple(notes)), []


def _toolchain(component: Component, machine: Machine) -> str | None:
    if isinstance(component.recipe, GoBuild):
        go = machine.toolchains.go_for(component.recipe.folder)
        return f"go{go.version}" if go is not None else None
    return machine.toolchains.java_toolchain()


def _usable(component: Component, path: Path) -> tuple[str | None, str]:
    """The version of the program at ``path``, or None and why it will not do."""
    if not path.exists():
        return None, "there is nothing at this path"
    found = versions.ask(path, component.ask)
    if found is None:
        return None, "it does not tell its version"
    if not versions.compatible(found, component):
        return None, f"its version is {found}, {versions.wanted(component)}"
    lacking = [name for name, place in _beside(component, path).items() if not place.exists()]
    return (found, "") if not lacking else (None, f"{', '.join(lacking)} missing beside it")


def _found(component: Component, path: Path, version: str, detail: str, notes: Sequence[str] = ()) -> Decision:
    return Decision(component, "use", _beside(component, path), version, "found", detail, notes=tuple(notes))


def _beside(component: Component, main: Path) -> dict[str, Path]:
    """Where the component's programs are if its first one is at ``main``."""
    relative = PurePosixPath(next(iter(component.provides.values())))
    if len(component.provides) == 1:
        return {next(iter(component.provides)): main}
    base = main.absolute().parents[len(relative.parts) - 1]
    return {name: base / place if number else main for number, (name, place) in enumerate(component.provides.items())}


def _below(component: Component, folder: Path) -> dict[str, Path]:
    return {name: folder / relative for name, relative in component.provides.items()}


def _missing_tools(decisions: Sequence[Decision], machine: Machine) -> list[str]:
    problems: list[str] = []
    builds = [decision.component for decision in decisions if decision.action == "build"]
    go_builds = [component for component in builds if isinstance(component.recipe, GoBuild)]
    problems.extend(_missing_go(go_builds, machine))
    tools = machine.toolchains
    maven_builds = [component.name for component in builds if isinstance(component.recipe, MavenBuild)]
    sudo = "" if machine.is_root else "sudo "
    java = tools.java
    if any(isinstance(decision.component.recipe, MavenBuild) for decision in decisions) and (java is None or int(java.version or 0) < JAVA_NEEDED):
        has = f"{java.path} is {java.version or 'of unknown version'}" if java else "there is none"
        problems.append(f"Java {JAVA_NEEDED} or newer, to run neo4j: {has}; {sudo}apt-get install -y default-jdk-headless, or name one in LEANVIBE_OPS_JAVA")
    if maven_builds and (tools.javac is None or int(tools.javac.version or 0) < JAVA_NEEDED):
        has = f"{tools.javac.path} is {tools.javac.version or 'of unknown version'}" if tools.javac else "there is none"
        problems.append(f"a Java compiler (JDK {JAVA_NEEDED} or newer), for neo4j: {has}; {sudo}apt-get install -y default-jdk-headless")
    if maven_builds and (tools.maven is None or versions.numbers(tools.maven.version) < versions.numbers(MAVEN_NEEDED)):
        has = f"{tools.maven.path} is {tools.maven.version or 'of unknown version'}" if tools.maven else "there is none"
        problems.append(f"Maven {MAVEN_NEEDED} or newer, for neo4j: {has}; {sudo}apt-get install -y maven")
    return problems


def _missing_go(components: Sequence[Component], machine: Machine) -> list[str]:
    folders = {component.recipe.folder for component in components if isinstance(component.recipe, GoBuild)}
    if not folders or all(machine.toolchains.go_for(folder) for folder in folders):
        return []
    needed = max((go_needed(machine.builds, folder) for folder in folders), key=versions.numbers)
    go = machine.toolchains.go
    has = f"{go.path} is {go.version or go.answer}" if go else "there is none"
    names = ", ".join(component.name for component in components)
    platform = {"aarch64": "arm64"}.get(os.uname().machine, "amd64")
    sudo = "" if machine.is_root else "sudo "
    command = f'curl -fsSL https://go.dev/dl/go{needed}.linux-{platform}.tar.gz | {sudo}tar -C /usr/local -xz && export PATH="/usr/local/go/bin:$PATH"'
    return [f"Go {needed} or newer, to build {names}: {has}; {command}"]


def _missing_packages(decisions: Sequence[Decision], machine: Machine) -> list[str]:
    missing = packages(decisions)
    if not missing:
        return []
    if machine.which("apt-get") is None:
        variables = ", ".join(decision.component.variable for decision in decisions if decision.action == "install")
        return [f"Debian's packages {', '.join(missing)}, and this machine has no apt-get: install the programs and name them in {variables}"]
    if machine.is_root:
        return []
    return [f"Debian's packages {', '.join(missing)}: sudo apt-get install -y --no-install-recommends {' '.join(missing)}"]


def packages(decisions: Sequence[Decision]) -> list[str]:
    """Debian's packages that are to be installed."""
    recipes = [decision.component.recipe for decision in decisions if decision.action == "install"]
    return sorted({package for recipe in recipes if isinstance(recipe, DebianPackages) for package in recipe.packages})


def java_of(machine: Machine, decisions: Sequence[Decision]) -> dict[str, tuple[Path, str]]:
    """Java's path and version, if one of the components needs it."""
    java = machine.toolchains.java
    if java is None or not any(isinstance(decision.component.recipe, MavenBuild) for decision in decisions):
        return {}
    return {JAVA: (java.path, java.version)}
