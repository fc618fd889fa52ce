# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is used, built or installed, and what is missing for it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.leanvibe.ops.plugins.module_utils.common.errors import OpsError
from ansible_collections.leanvibe.ops.plugins.module_utils.sandbox.binaries import ensure, planning
from ansible_collections.leanvibe.ops.plugins.module_utils.sandbox.binaries.catalogue import COMPONENTS, Component

Make = Callable[[Path, str], Path]


def only(component: Component, machine: planning.Machine) -> planning.Decision:
    plan = planning.plan([component], machine)
    assert plan.problems == ()
    return plan.decisions[0]


def test_nothing_there_means_build(world: Any, demo: Component) -> None:
    decision = only(demo, world.with_go().machine())
    assert (decision.action, decision.source, decision.toolchain) == ("build", "built", "go1.26.8")
    assert decision.paths == {"demo": world.top / "cache/binaries/demo/1.2.3-go1.26.8/bin/demo"}


def test_a_plan_changes_nothing(world: Any, demo: Component, jars: Component, store: Component) -> None:
    planning.plan([demo, jars, store], world.with_go().with_java().machine(is_root=True))
    assert not (world.top / "cache").exists()


@pytest.mark.parametrize("where", ["variable", "kubebuilder", "path"])
def test_what_is_there_is_used_and_needs_no_go(world: Any, demo: Component, make_program: Make, where: str) -> None:
    folder = world.bin if where == "path" else world.top / "elsewhere"
    path = make_program(folder / "demo", "1.2.9")
    world.environment |= {"variable": {"LEANVIBE_OPS_DEMO": str(path)}, "kubebuilder": {"KUBEBUILDER_ASSETS": str(folder)}, "path": {}}[where]
    decision = only(demo, world.machine())
    assert (decision.action, decision.source, decision.version, decision.paths) == ("use", "found", "1.2.9", {"demo": path})


def test_the_variable_goes_before_all_others(world: Any, demo: Component, make_program: Make) -> None:
    for name in ("variable", "assets", "bin"):
        make_program(world.top / name / "demo", "1.2.0")
    world.environment |= {"LEANVIBE_OPS_DEMO": str(world.top / "variable/demo"), "KUBEBUILDER_ASSETS": str(world.top / "assets")}
    assert only(demo, world.machine()).paths["demo"].parent.name == "variable"
    del world.environment["LEANVIBE_OPS_DEMO"]
    assert only(demo, world.machine()).paths["demo"].parent.name == "assets"


@pytest.mark.parametrize("origin", ["path", "kubebuilder"])
def test_an_incompatible_one_is_not_used_and_the_detail_says_why(world: Any, demo: Component, make_program: Make, origin: str) -> None:
    folder = world.bin if origin == "path" else world.top / "assets"
    make_program(folder / "demo", "1.3.0")
    world.environment |= {"KUBEBUILDER_ASSETS": str(folder)} if origin == "kubebuilder" else {}
    machine = world.with_go().machine()
    plan = planning.plan([demo], machine)
    assert plan.decisions[0].action == "build"
    detail = ensure.as_result(plan, machine, applied=False)["demo"]["detail"]
    assert detail == f"would be built: built from source by go1.26.8; {folder / 'demo'} is not used: its version is 1.3.0, 1.2.x is wanted"


def test_a_program_that_hangs_or_fails_is_no_program(world: Any, demo: Component, make_script: Make) -> None:
    make_script(world.bin / "demo", "#!/bin/sh\necho demo version v1.2.3\nexit 1\n")
    decision = only(demo, world.with_go().machine())
    assert decision.action == "build"
    assert "does not tell its version" in decision.notes[0]


@pytest.mark.parametrize(("version", "said"), [("1.3.0", "its version is 1.3.0, 1.2.x is wanted"), (None, "there is nothing at this path")])
def test_a_variable_that_names_something_unsuitable_is_an_error(world: Any, demo: Component, make_program: Make, version: str | None, said: str) -> None:
    path = world.top / "mine/demo"
    if version:
        make_program(path, version)
    world.environment["LEANVIBE_OPS_DEMO"] = str(path)
    plan = planning.plan([demo], world.with_go().machine())
    assert plan.decisions == ()
    assert plan.problems == (f"LEANVIBE_OPS_DEMO={path}: {said}; point it to another one, or unset it",)


def test_a_build_of_another_go_counts_only_when_there_is_no_go_to_build_with(world: Any, demo: Component) -> None:
    machine = world.with_go("1.26.8").machine()
    ensure.apply(planning.plan([demo], machine), machine)
    assert only(demo, world.machine()).action == "use"
    assert only(demo, world.with_go("1.27.0").machine()).action == "build"
    (world.bin / "go").unlink()
    assert only(demo, world.machine()).action == "use"
    assert only(demo, world.with_go("1.19.8").machine()).action == "use"


def test_debians_programs_are_used_where_they_are(world: Any, store: Component) -> None:
    decision = only(store, world.with_debian().machine())
    assert (decision.action, decision.source, decision.version) == ("use", "debian", "7.0")
    assert decision.paths == {"store": world.top / "root/usr/bin/store", "store-cli": world.top / "root/usr/bin/store-cli"}


def test_a_package_without_its_extras_is_to_be_installed(world: Any, store: Component, make_script: Make) -> None:
    world.with_debian()
    (world.top / "root/usr/share/store/extra").unlink()
    make_script(world.bin / "apt-get", "#!/bin/sh\n")
    plan = planning.plan([store], world.machine(is_root=True))
    assert (plan.decisions[0].action, plan.problems, planning.packages(plan.decisions)) == ("install", (), ["store-server"])


def test_an_old_debian_is_not_mended_by_installing(world: Any, store: Component) -> None:
    plan = planning.plan([store], world.with_debian("6.0.1").machine(is_root=True))
    assert "6.0, 7, at least 7.0, is wanted; name a suitable one in LEANVIBE_OPS_STORE" in plan.problems[0]


def test_programs_that_belong_together_must_be_together(world: Any, store: Component, make_program: Make) -> None:
    make_program(world.top / "opt/store", "7.2.0")
    world.environment["LEANVIBE_OPS_STORE"] = str(world.top / "opt/store")
    assert "store-cli missing beside it" in planning.plan([store], world.machine()).problems[0]
    make_program(world.top / "opt/store-cli", "7.2.0")
    assert only(store, world.machine()).paths["store-cli"] == world.top / "opt/store-cli"


def test_everything_that_is_missing_is_named_at_once(world: Any, demo: Component, jars: Component, store: Component, make_script: Make) -> None:
    make_script(world.bin / "apt-get", "#!/bin/sh\n")
    machine = world.machine()
    with pytest.raises(planning.MissingPrerequisites) as error:
        ensure.apply(planning.plan([demo, jars, store], machine), machine)
    text = error.value.message
    assert len(error.value.details["problems"]) == 5
    assert "Go 1.26.0 or newer, to build demo: there is none; curl -fsSL https://go.dev/dl/go1.26.0.linux-" in text
    assert "Java 17 or newer, to run neo4j: there is none; sudo apt-get install -y default-jdk-headless" in text
    assert "a Java compiler (JDK 17 or newer), for neo4j: there is none" in text
    assert "Maven 3.6.3 or newer, for neo4j: there is none; sudo apt-get install -y maven" in text
    assert "Debian's packages store-server: sudo apt-get install -y --no-install-recommends store-server" in text
    assert not (world.top / "cache").exists()


def test_a_go_that_is_too_old_is_named_with_its_version(world: Any, demo: Component) -> None:
    (problem,) = planning.plan([demo], world.with_go("1.19.8").machine()).problems
    assert f"{world.bin / 'go'} is 1.19.8" in problem


def test_root_needs_no_sudo_and_installs_packages_itself(world: Any, demo: Component, store: Component, make_script: Make) -> None:
    make_script(world.bin / "apt-get", "#!/bin/sh\n")
    (problem,) = planning.plan([demo, store], world.machine(is_root=True)).problems
    assert "sudo" not in problem


def test_without_apt_the_way_out_is_a_variable(world: Any, store: Component) -> None:
    (problem,) = planning.plan([store], world.machine(is_root=True)).problems
    assert "no apt-get: install the programs and name them in LEANVIBE_OPS_STORE" in problem


def test_a_wrong_folder_of_recipes_is_an_error(world: Any, demo: Component) -> None:
    machine = world.with_go().machine()
    machine.builds = world.top / "nowhere"
    with pytest.raises(OpsError, match="holds no recipes for demo"):
        planning.plan([demo], machine)


def test_only_what_is_to_be_built_asks_for_tools(world: Any, store: Component) -> None:
    assert planning.plan([store], world.with_debian().machine()).problems == ()
    assert world.calls == []


def test_the_real_catalogue_can_be_planned_on_a_bare_machine(world: Any) -> None:
    machine = world.machine()
    machine.builds = Path(__file__).resolve().parents[6] / "roles/sandbox/files/builds"
    problems = planning.plan(COMPONENTS, machine).problems
    assert any(problem.startswith("Go ") for problem in problems)
    assert any("postgresql-15" in problem and "redis-server" in problem for problem in problems)
