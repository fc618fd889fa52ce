# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The catalogue agrees with the pinned recipes that ship with the role, and with itself."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from ansible_collections.leanvibe.ops.plugins.module_utils.common.errors import InvalidInput
from ansible_collections.leanvibe.ops.plugins.module_utils.sandbox.binaries import building, catalogue, versions
from ansible_collections.leanvibe.ops.plugins.module_utils.sandbox.binaries.catalogue import COMPONENTS, Component, DebianPackages, GoBuild, MavenBuild

BUILDS = Path(__file__).resolve().parents[6] / "roles/sandbox/files/builds"
GO = [component for component in COMPONENTS if isinstance(component.recipe, GoBuild)]
KUBERNETES = [component for component in GO if component.recipe.folder == "kubernetes"]  # type: ignore[union-attr]


def requirements(folder: str) -> dict[str, str]:
    text = (BUILDS / folder / "go.mod").read_text(encoding="utf-8")
    return dict(re.findall(r"^(?:require\s+|\t)([\w./-]+\.[\w./-]+) v(\S+)", text, re.MULTILINE))


@pytest.mark.parametrize("component", GO, ids=lambda component: component.name)
def test_go_mod_pins_the_version_that_the_catalogue_names(component: Component) -> None:
    assert isinstance(component.recipe, GoBuild)
    pinned = requirements(component.recipe.folder)
    module = max((name for name in pinned if component.recipe.package.startswith(name)), key=len)
    assert pinned[module] == component.version


@pytest.mark.parametrize("component", GO, ids=lambda component: component.name)
def test_go_sum_holds_the_digest_of_the_source_itself(component: Component) -> None:
    assert isinstance(component.recipe, GoBuild)
    pinned = requirements(component.recipe.folder)
    module = max((name for name in pinned if component.recipe.package.startswith(name)), key=len)
    sums = (BUILDS / component.recipe.folder / "go.sum").read_text(encoding="utf-8")
    assert f"{module} v{component.version} h1:" in sums


def test_the_staging_modules_of_kubernetes_are_of_its_version() -> None:
    text = (BUILDS / "kubernetes/go.mod").read_text(encoding="utf-8")
    replaced = re.findall(r"^\t(k8s\.io/\S+) => (k8s\.io/\S+) v0\.(\S+)$", text, re.MULTILINE)
    assert len(replaced) > 25
    assert {version for _name, _target, version in replaced} == {catalogue.KUBERNETES.removeprefix("1.")}
    assert all(name == target for name, target, _version in replaced)


@pytest.mark.parametrize("component", KUBERNETES, ids=lambda component: component.name)
def test_kubernetes_programs_are_told_their_version(component: Component) -> None:
    assert isinstance(component.recipe, GoBuild)
    assert f"-X k8s.io/component-base/version.gitVersion=v{component.version}" in component.recipe.ldflags


def test_every_recipe_is_used_and_there() -> None:
    named = {component.recipe.folder for component in COMPONENTS if isinstance(component.recipe, GoBuild | MavenBuild)}
    assert named == {path.name for path in BUILDS.iterdir() if path.is_dir()}


def test_the_jars_are_pinned_to_the_catalogues_neo4j() -> None:
    pom = (BUILDS / "neo4j/pom.xml").read_text(encoding="utf-8")
    assert f"<neo4j.version>{catalogue.NEO4J}</neo4j.version>" in pom
    assert set(re.findall(r"<version>(\$\{.*)</version>", pom)) == {"${neo4j.version}"}
    sums = building.read_sums(BUILDS / "neo4j" / building.SUMS)
    assert {f"neo4j-kernel-{catalogue.NEO4J}.jar", f"cypher-shell-{catalogue.NEO4J}.jar"} <= sums.keys()
    assert all(re.fullmatch(r"[0-9a-f]{64}", digest) for digest in sums.values())


def test_our_server_class_is_where_the_catalogue_says() -> None:
    source = BUILDS / "neo4j/src" / f"{catalogue.NEO4J_SERVER_CLASS.replace('.', '/')}.java"
    assert "loadPropertiesFromFile" in source.read_text(encoding="utf-8")


def test_names_are_unique() -> None:
    assert len(set(catalogue.PROGRAMS)) == len(catalogue.PROGRAMS)
    assert len({component.variable for component in COMPONENTS}) == len(COMPONENTS)


def test_every_component_is_compatible_with_itself() -> None:
    assert [component.name for component in COMPONENTS if not versions.compatible(component.version, component)] == []


@pytest.mark.parametrize("component", COMPONENTS, ids=lambda component: component.name)
def test_a_component_is_complete(component: Component) -> None:
    assert component.licence
    assert re.fullmatch(r"LEANVIBE_OPS_[A-Z0-9_]+", component.variable)
    if isinstance(component.recipe, DebianPackages):
        assert component.recipe.packages
        assert component.recipe.folder.startswith("/usr/")
        assert next(iter(component.provides)) == component.name


@pytest.mark.parametrize(
    ("name", "found", "usable"),
    [
        ("kubectl", "1.36.0", True),
        ("kubectl", "1.35.9", False),
        ("kubectl", "1.37.0", False),
        ("etcd", "3.6.1", True),
        ("etcd", "3.5.21", False),
        ("postgres", "15.18", True),
        ("postgres", "16.1", False),
        ("redis-server", "7.2.4", True),
        ("redis-server", "6.2.0", False),
        ("redis-server", "8.0.0", False),
        ("pgbackrest", "2.40", False),
        ("pgbackrest", "2.55", True),
        ("pgbouncer", "1.18", True),
        ("openssl", "1.1.1", False),
    ],
)
def test_what_counts_as_compatible(name: str, found: str, usable: bool) -> None:
    component = next(component for component in COMPONENTS if component.name == name)
    assert versions.compatible(found, component) is usable


def test_a_selection_names_programs() -> None:
    assert [component.name for component in catalogue.select(["psql", "kubectl", "java"])] == ["kubectl", "neo4j", "postgres"]
    everything = [component for component in COMPONENTS if component.name not in ("chromium-headless-shell", "faketime")]
    assert list(catalogue.select(None)) == list(catalogue.select([])) == everything
    assert [component.name for component in catalogue.select(["chromium-headless-shell"])] == ["chromium-headless-shell"]


def test_unknown_names_are_refused_all_at_once() -> None:
    with pytest.raises(InvalidInput) as refused:
        catalogue.select(["etcd", "etcdd", "redis"])
    assert len(refused.value.problems) == 2
    assert "etcdd" in refused.value.message
    assert "redis is not one of" in refused.value.message
