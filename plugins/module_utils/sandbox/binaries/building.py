# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Builds one component into a folder, by Go or by Maven."""

from __future__ import annotations

import hashlib
import shutil
import zipfile
from collections.abc import Mapping
from pathlib import Path

from ...common.progress import Step
from . import command, versions
from .catalogue import NEO4J_JVM_OPTIONS, Component, DebianPackages, GoBuild, MavenBuild
from .toolchains import Tool, Toolchains, go_environment

SECONDS_TO_BUILD = 3600.0
SECONDS_TO_LIST = 900.0
SUMS = "jars.sha256"
WORK = ".work"
OUR_JAR = "leanvibe-sandbox.jar"


def build(component: Component, into: Path, *, toolchains: Toolchains, log: Path, step: Step) -> None:
    """Build ``component`` into the folder ``into`` and make sure that it runs. Raises BuildFailed."""
    recipe = component.recipe
    log.parent.mkdir(parents=True, exist_ok=True)
    log.write_text("", encoding="utf-8")
    if isinstance(recipe, DebianPackages):
        raise TypeError(f"{component.name} is not something to build")
    # The recipe's folder may be read-only, and nothing may be written into a checkout.
    work = into / WORK
    shutil.copytree(toolchains.builds / recipe.folder, work)
    if isinstance(recipe, GoBuild):
        _build_go(component, recipe, into, work, toolchains=toolchains, log=log, step=step)
    else:
        _build_maven(component, recipe, into, work, toolchains=toolchains, log=log, step=step)
    shutil.rmtree(work)
    _check(component, into, log)


def _present(tool: Tool | None, name: str, component: Component) -> Tool:
    if tool is None:
        raise command.BuildFailed(f"{component.label}: {name} has gone since the plan was made")
    return tool


def _check(component: Component, into: Path, log: Path) -> None:
    main = into / next(iter(component.provides.values()))
    answer = versions.ask(main, component.ask)
    if answer != component.version:
        raise command.BuildFailed(f"{component.label} was built, but says that its version is {answer or 'unknown'}; log: {log}", log=str(log))


def _build_go(component: Component, recipe: GoBuild, into: Path, work: Path, *, toolchains: Toolchains, log: Path, step: Step) -> None:
    go = _present(toolchains.go, "Go", component)
    environment = go_environment(toolchains.environment)
    flags = ["-trimpath", "-buildvcs=false", "-ldflags", " ".join(("-s", "-w", *recipe.ldflags))]

    def downloading(line: str) -> None:
        if line.startswith("go: downloading "):
            step.note(line.removeprefix("go: "))

    # What has to be compiled, so that progress has an end; what Go has in its own cache is not among it.
    argv = [str(go.path), "list", "-deps", *flags, "-f", "{{if .Stale}}{{.ImportPath}}{{end}}", recipe.package]
    listed = command.run(component.label, argv, folder=work, environment=environment, log=log, timeout=SECONDS_TO_LIST, each_line=downloading)
    stale = {line for line in listed if line and not line.startswith("go: ")}
    # The main package itself is always stale, and what takes its time after the others is the linker.
    others = stale - {recipe.package}
    step.note("" if others else "linking")
    step.expect(len(others))

    def compiled(line: str) -> None:
        if line in others:
            others.remove(line)
            step.advance()
            step.note("" if others else "linking")

    (into / "bin").mkdir()
    argv = [str(go.path), "build", "-v", *flags, "-o", str(into / "bin" / component.name), recipe.package]
    command.run(component.label, argv, folder=work, environment=environment, log=log, timeout=SECONDS_TO_BUILD, each_line=compiled)


def _build_maven(component: Component, recipe: MavenBuild, into: Path, work: Path, *, toolchains: Toolchains, log: Path, step: Step) -> None:
    maven, javac = _present(toolchains.maven, "Maven", component), _present(toolchains.javac, "javac", component)
    lib = into / "lib"
    sums = read_sums(work / SUMS)
    step.expect(len(sums))

    def downloaded(line: str) -> None:
        if "Downloaded from" in line and ".jar" in line:
            step.advance()

    goal = ["dependency:copy-dependencies", "-DincludeScope=runtime", f"-DoutputDirectory={lib}"]
    argv = [str(maven.path), "--batch-mode", "--strict-checksums", "-Dstyle.color=never", "--file", "pom.xml", *goal]
    environment = toolchains.environment
    command.run(component.label, argv, folder=work, environment=environment, log=log, timeout=SECONDS_TO_BUILD, each_line=downloaded)
    check_sums(component, lib, sums, log)
    classes = work / "classes"
    sources = sorted(str(path) for path in (work / "src").rglob("*.java"))
    argv = [str(javac.path), "--release", "17", "-cp", f"{lib}/*", "-d", str(classes), *sources]
    command.run(component.label, argv, folder=work, environment=environment, log=log, timeout=SECONDS_TO_LIST)
    with zipfile.ZipFile(lib / OUR_JAR, "w", zipfile.ZIP_DEFLATED) as jar:
        for path in sorted(classes.rglob("*.class")):
            jar.write(path, path.relative_to(classes).as_posix())
    (into / "bin").mkdir()
    for name, main in recipe.scripts:
        _write_script(into / "bin" / name, main)


def _write_script(path: Path, main: str) -> None:
    text = (
        "#!/bin/sh\n"
        'here=$(dirname "$(readlink -f "$0")")\n'
        f'exec "${{JAVA_HOME:+$JAVA_HOME/bin/}}java" {" ".join(NEO4J_JVM_OPTIONS)} -cp "$here/../lib/*" {main} "$@"\n'
    )
    path.write_text(text, encoding="utf-8")
    path.chmod(0o755)


def read_sums(path: Path) -> Mapping[str, str]:
    """Names of files and their SHA-256, as sha256sum writes them."""
    pairs = (line.split(maxsplit=1) for line in path.read_text(encoding="utf-8").splitlines() if line)
    return {name: digest for digest, name in pairs}


def check_sums(component: Component, folder: Path, wanted: Mapping[str, str], log: Path) -> None:
    """Raise BuildFailed unless ``folder`` holds exactly the files of ``wanted``, unchanged."""
    there = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}
    wrong = sorted(name for name in there.keys() | wanted.keys() if there.get(name) != wanted.get(name))
    if wrong:
        what = f"{', '.join(wrong[:5])}{' …' if len(wrong) > 5 else ''}"
        raise command.BuildFailed(f"{component.label}: {len(wrong)} jar(s) are not those of {SUMS}: {what}; log: {log}", log=str(log))
