# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every program that the sandbox runs: one entry per component. What a newcomer adds for a new part of the sandbox stands here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ...common.errors import InvalidInput


@dataclass(frozen=True)
class GoBuild:
    """``go build`` of ``package`` in the module ``folder`` (go.mod and go.sum below the role's files/builds)."""

    folder: str
    package: str
    ldflags: tuple[str, ...] = ()


@dataclass(frozen=True)
class MavenBuild:
    """The jars that pom.xml of ``folder`` names, checked against its jars.sha256, our own sources, and scripts that start a main class."""

    folder: str
    scripts: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class DebianPackages:
    """Debian's packages. ``folder`` is where they put the programs; ``needs`` are files without which they are incomplete.

    ``services`` are what a package would start by itself at the next boot of a machine on which we have just installed it.
    """

    packages: tuple[str, ...]
    folder: str
    needs: tuple[str, ...] = ()
    services: tuple[str, ...] = ()


@dataclass(frozen=True)
class Version:
    """How a program is asked for its version: its arguments and the pattern of the answer; without arguments, a file's name beside it is the answer.

    ``same`` leading numbers must be equal in what is found and what is wanted; the first two must not be lower.
    """

    arguments: tuple[str, ...] = ("--version",)
    pattern: str = r"(\d+\.\d+\.\d+)"
    same: int = 2


@dataclass(frozen=True)
class Component:
    """One component. ``programs`` maps the names of what it provides to paths below the build, or below Debian's folder; the first one is asked its version.

    ``revision`` counts changes of the recipe that leave the version as it is. What is ``extra`` is no part of a sandbox, and there only when asked for.
    """

    name: str
    version: str
    licence: str
    recipe: GoBuild | MavenBuild | DebianPackages
    ask: Version = Version()
    programs: tuple[tuple[str, str], ...] = ()
    kubebuilder: bool = False
    revision: int = 1
    extra: bool = False

    @property
    def provides(self) -> dict[str, str]:
        """Names of programs and their relative paths."""
        return dict(self.programs) or {self.name: f"bin/{self.name}"}

    @property
    def variable(self) -> str:
        """The environment variable that names a program to be used instead."""
        return "LEANVIBE_OPS_" + self.name.upper().replace("-", "_")

    @property
    def label(self) -> str:
        """``etcd 3.6.8``."""
        return f"{self.name} {self.version}"


KUBERNETES = "1.36.3"
ETCD = "3.6.8"
NEO4J = "5.26.12"
NEO4J_SERVER_CLASS = "ai.leanvibe.sandbox.Neo4jServer"
NEO4J_ADMIN_CLASS = "org.neo4j.cli.AdminTool"
CYPHER_SHELL_CLASS = "org.neo4j.shell.Main"
NEO4J_JVM_OPTIONS = ("--add-opens=java.base/java.nio=ALL-UNNAMED", "--add-opens=java.base/java.lang=ALL-UNNAMED")
POSTGRESQL = "15"

_MAJOR, _MINOR = KUBERNETES.split(".")[:2]
_KUBERNETES_LDFLAGS = tuple(
    f"-X {package}.{name}={value}"
    for package in ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version")
    for name, value in (("gitVersion", f"v{KUBERNETES}"), ("gitMajor", _MAJOR), ("gitMinor", _MINOR), ("gitTreeState", "clean"))
)


def _kubernetes(name: str, *arguments: str, kubebuilder: bool = False) -> Component:
    recipe = GoBuild("kubernetes", f"k8s.io/kubernetes/cmd/{name}", _KUBERNETES_LDFLAGS)
    return Component(name, KUBERNETES, "Apache-2.0", recipe, Version(arguments or ("--version",), r"v(\d+\.\d+\.\d+)"), kubebuilder=kubebuilder)


def _exporter(name: str, version: str, licence: str) -> Component:
    recipe = DebianPackages((name,), "/usr/bin", services=(f"{name}.service",))
    return Component(name, version, licence, recipe, Version(same=1), programs=((name, name),))


COMPONENTS: tuple[Component, ...] = (
    Component("etcd", ETCD, "Apache-2.0", GoBuild("etcd", "go.etcd.io/etcd/server/v3"), kubebuilder=True),
    Component("etcdctl", ETCD, "Apache-2.0", GoBuild("etcd", "go.etcd.io/etcd/etcdctl/v3"), Version(("version",))),
    _kubernetes("kube-apiserver", kubebuilder=True),
    _kubernetes("kube-controller-manager"),
    _kubernetes("kube-scheduler"),
    _kubernetes("kubectl", "version", "--client", kubebuilder=True),
    Component("kwok", "0.8.0", "Apache-2.0", GoBuild("kwok", "sigs.k8s.io/kwok/cmd/kwok")),
    Component(
        "versitygw", "1.8.0", "Apache-2.0",
        GoBuild("versitygw", "github.com/versity/versitygw/cmd/versitygw", ("-X main.Version=v1.8.0",)),
    ),
    Component(
        "toxiproxy-server", "2.5.0", "MIT",
        GoBuild("toxiproxy", "github.com/Shopify/toxiproxy/v2/cmd/server", ("-X github.com/Shopify/toxiproxy/v2.Version=2.5.0",)),
    ),
    Component(
        "neo4j", NEO4J, "GPL-3.0-only",
        MavenBuild("neo4j", (("neo4j-admin", NEO4J_ADMIN_CLASS), ("cypher-shell", CYPHER_SHELL_CLASS))),
        Version((), r"neo4j-kernel-(\d+\.\d+\.\d+)\.jar", same=2),
        programs=(("neo4j", "lib"), ("neo4j-admin", "bin/neo4j-admin"), ("cypher-shell", "bin/cypher-shell")),
    ),
    Component(
        "postgres", POSTGRESQL, "PostgreSQL",
        DebianPackages(
            (f"postgresql-{POSTGRESQL}",), f"/usr/lib/postgresql/{POSTGRESQL}/bin",
            needs=(f"/usr/share/postgresql/{POSTGRESQL}/extension/pgcrypto.control",), services=("postgresql.service",),
        ),
        Version(pattern=r"(\d+\.\d+)", same=1),
        programs=tuple((name, name) for name in ("postgres", "initdb", "pg_basebackup", "pg_ctl", "pg_dump", "pg_isready", "pg_restore", "psql")),
    ),
    Component(
        "pgbackrest", "2.45", "MIT", DebianPackages(("pgbackrest",), "/usr/bin"),
        Version(("version",), r"(\d+\.\d+)", same=1), programs=(("pgbackrest", "pgbackrest"),),
    ),
    Component(
        "pgbouncer", "1.18", "ISC", DebianPackages(("pgbouncer",), "/usr/sbin", services=("pgbouncer.service",)),
        Version(pattern=r"(\d+\.\d+)", same=1), programs=(("pgbouncer", "pgbouncer"),),
    ),
    Component(
        "redis-server", "7.0", "BSD-3-Clause", DebianPackages(("redis-server",), "/usr/bin", services=("redis-server.service",)),
        Version(pattern=r"v=(\d+\.\d+\.\d+)", same=1), programs=(("redis-server", "redis-server"),),
    ),
    Component("redis-cli", "7.0", "BSD-3-Clause", DebianPackages(("redis-tools",), "/usr/bin"), Version(same=1), programs=(("redis-cli", "redis-cli"),)),
    Component(
        "prometheus", "2.42", "Apache-2.0", DebianPackages(("prometheus",), "/usr/bin", services=("prometheus.service",)),
        Version(same=1), programs=(("prometheus", "prometheus"), ("promtool", "promtool")),
    ),
    _exporter("prometheus-alertmanager", "0.25", "Apache-2.0"),
    _exporter("prometheus-node-exporter", "1.5", "Apache-2.0"),
    _exporter("prometheus-postgres-exporter", "0.11", "Apache-2.0"),
    _exporter("prometheus-redis-exporter", "1.45", "MIT"),
    Component("stripe-mock", "0.203.0", "MIT", GoBuild("stripe-mock", "github.com/stripe/stripe-mock", ("-X main.version=0.203.0",)), Version(("-version",))),
    Component("openssl", "3.0", "Apache-2.0", DebianPackages(("openssl",), "/usr/bin"), Version(("version",), same=1), programs=(("openssl", "openssl"),)),
    # The tests' browser; Debian's security updates replace whole versions of it.
    Component(
        "chromium-headless-shell", "120.0", "BSD-3-Clause", DebianPackages(("chromium-headless-shell", "fonts-dejavu-core"), "/usr/bin"), Version(same=0),
        programs=(("chromium-headless-shell", "chromium-headless-shell"),), extra=True,
    ),
    # Gives a server of the tests another time of day.
    Component(
        "faketime", "0.9", "GPL-2.0-only", DebianPackages(("faketime", "libfaketime"), "/usr/bin"),
        Version(pattern=r"(\d+\.\d+)"), programs=(("faketime", "faketime"),), extra=True,
    ),
)  # fmt: skip

# What runs Neo4j; found, never installed by us.
JAVA = "java"
PROGRAMS: tuple[str, ...] = (*(name for component in COMPONENTS for name in component.provides), JAVA)


def select(only: Sequence[str] | None) -> tuple[Component, ...]:
    """The components that provide the programs named in ``only``, or all that a sandbox has. Raises InvalidInput with all names that are unknown."""
    if not only:
        return tuple(component for component in COMPONENTS if not component.extra)
    providers = {name: component.name for component in COMPONENTS for name in component.provides}
    providers[JAVA] = providers["neo4j"]
    unknown = sorted(set(only) - providers.keys())
    if unknown:
        raise InvalidInput("programs of the sandbox", [f"{name} is not one of {', '.join(PROGRAMS)}" for name in unknown])
    wanted = {providers[name] for name in only}
    return tuple(component for component in COMPONENTS if component.name in wanted)
