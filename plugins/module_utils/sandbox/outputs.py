# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a running sandbox leaves in ``.sandbox``: kubeconfigs, addresses, secrets, and a file for the shell to source."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any

from ..common.lazy import LazyModule
from . import files
from .context import Context
from .parts.etcd import Etcd
from .parts.kubernetes import KubeApiserver
from .parts.monitoring import NodeExporter
from .parts.object_store import ObjectStore
from .settings import REGIONS

if TYPE_CHECKING:
    import yaml
else:
    yaml = LazyModule("yaml")

FILES = ("sandbox.yml", "credentials.yml", "env", "ca.crt", "pg_service.conf", "pgpass")
CLIENTS = ("kubectl", "etcdctl", "psql", "pg_dump", "pg_restore", "pg_isready", "pgbackrest", "redis-cli", "cypher-shell", "neo4j-admin")


def addresses(context: Context) -> dict[str, Any]:
    """Where every part is, without secrets."""
    directory = context.settings.directory
    regions = {region: _region(context, region) for region in REGIONS}
    return {
        "name": context.settings.name,
        "port_base": context.settings.port_base,
        "data": str(context.data),
        "ca_file": str(directory / "ca.crt"),
        "regions": regions,
        "traffic": context.traffic is not None,
        "stripe_mock": {"endpoint": f"http://localhost:{context.port('stripe_mock', None)}"},
        "aws": {"endpoint": f"http://localhost:{context.port('aws', None)}"},
    }


def _region(context: Context, region: str) -> dict[str, Any]:
    def port(what: str) -> int:
        return context.port(what, region)

    etcd = Etcd(context, region)
    return {
        "kubernetes": {
            "server": f"https://127.0.0.1:{port('kube_apiserver')}",
            "kubeconfig": str(context.settings.directory / region / "kubeconfig"),
            "context": f"sandbox-{region}",
            "health_kubeconfig": str(context.settings.directory / region / "kubeconfig-health"),
            "controllers": {
                "kube-controller-manager": f"https://127.0.0.1:{port('kube_controller_manager')}/healthz",
                "kube-scheduler": f"https://127.0.0.1:{port('kube_scheduler')}/healthz",
                "kwok": f"http://127.0.0.1:{port('kwok')}/healthz",
            },
        },
        "etcd": {
            "endpoint": f"https://127.0.0.1:{port('etcd')}",
            "ca_file": str(etcd.ca_file),
            "cert_file": str(etcd.client_pair("admin").certificate),
            "key_file": str(etcd.client_pair("admin").key),
        },
        "postgresql": {"host": "localhost", "port": port("postgresql")},
        "pgbouncer": {"host": "localhost", "port": port("pgbouncer")},
        "redis": {"host": "localhost", "port": port("redis"), "tls_port": port("redis_tls")},
        "neo4j": {"uri": f"bolt://localhost:{port('neo4j')}"},
        "object_store": {"endpoint": f"https://localhost:{port('object_store')}", "backup_bucket": ObjectStore(context, region).backup_bucket},
        "backend": {"url": f"http://localhost:{port('front_backend')}", "direct_url": f"http://localhost:{port('backend')}"},
        "worker": {"url": f"http://localhost:{port('worker')}"},
        **{name: {"url": f"http://localhost:{port(name)}"} for name in ("prometheus", "alertmanager", "postgres_exporter", "redis_exporter")},
        "node_exporter": {"url": f"http://localhost:{port('node_exporter')}", "textfiles": str(NodeExporter(context, region).textfiles)},
        "toxiproxy": {"endpoint": f"http://localhost:{port('toxiproxy')}"},
        "pgbackrest": {"configuration": str(context.home("pgbackrest", region) / "pgbackrest.conf"), "stanza": "leanvibe"},
        "application": {
            "postgresql": {
                "host": "localhost",
                "port": port("front_pgbouncer"),
                "database": "leanvibe",
                "options": {"sslmode": "verify-full", "sslrootcert": str(context.settings.directory / "ca.crt")},
            },
            "redis": {"host": "localhost", "port": port("front_redis"), "tls": False},
            "neo4j": {"uri": f"bolt://localhost:{port('front_neo4j')}"},
            "object_store": {"endpoint": f"https://localhost:{port('front_object_store')}"},
        },
        "links": {"postgresql": port("link_postgresql"), "redis": port("link_redis")},
    }


def _environment(context: Context) -> str:
    directory = context.settings.directory
    values = {
        "LEANVIBE_SANDBOX_DIR": str(directory),
        "KUBECONFIG": ":".join(str(directory / region / "kubeconfig") for region in REGIONS),
        "PGSERVICEFILE": str(directory / "pg_service.conf"),
        "PGPASSFILE": str(directory / "pgpass"),
        "LEANVIBE_SANDBOX_CA": str(directory / "ca.crt"),
        "LEANVIBE_SANDBOX_CREDENTIALS": str(directory / "credentials.yml"),
        "LEANVIBE_SANDBOX_AWS": f"http://localhost:{context.port('aws', None)}",
    }
    for region in REGIONS:
        short = region.upper().replace("-", "_")
        for system, entry in _region(context, region).items():
            if system in ("postgresql", "pgbouncer", "redis"):
                values[f"LEANVIBE_SANDBOX_{short}_{system.upper()}"] = f"localhost:{entry['port']}"
            elif system in ("neo4j", "object_store", "toxiproxy", "etcd", "backend", "prometheus", "alertmanager"):
                values[f"LEANVIBE_SANDBOX_{short}_{system.upper()}"] = str(entry.get("uri") or entry.get("url") or entry["endpoint"])
    lines = [f"export {name}={shlex.quote(value)}" for name, value in sorted(values.items())]
    return "\n".join(["# To be sourced by a shell: . .sandbox/env", *lines, f"export PATH={shlex.quote(str(directory / 'bin'))}:$PATH"]) + "\n"


def _services(context: Context) -> tuple[str, str]:
    """psql's service file and password file: ``psql service=us-east-1`` is the operations role on that region's server."""
    services, passwords = [], []
    for region in REGIONS:
        for name, what in ((region, "postgresql"), (f"{region}-pgbouncer", "pgbouncer")):
            port = context.port(what, region)
            tls = f"sslmode=verify-full\nsslrootcert={context.settings.directory / 'ca.crt'}\n"
            services.append(f"[{name}]\nhost=localhost\nport={port}\ndbname=leanvibe\nuser=leanvibe_operations\n{tls}")
            passwords += [f"localhost:{port}:*:{role}:{password}\n" for role, password in context.secrets["postgresql"].items()]
        passwords.append(f"localhost:{context.port('pgbouncer', region)}:*:pgbouncer_admin:{context.secrets['pgbouncer']['pgbouncer_admin']}\n")
    return "\n".join(services), "".join(passwords)


def publish(context: Context) -> list[str]:
    """Write what differs; returns the names of the files written."""
    directory = context.settings.directory
    services, passwords = _services(context)
    contents: dict[str, tuple[str | bytes, int]] = {
        "sandbox.yml": (yaml.safe_dump(addresses(context), sort_keys=False), 0o644),
        "credentials.yml": (yaml.safe_dump(context.secrets, sort_keys=False), 0o600),
        "env": (_environment(context), 0o600),
        "ca.crt": (context.ca_file.read_bytes(), 0o644),
        "pg_service.conf": (services, 0o600),
        "pgpass": (passwords, 0o600),
    }
    for region in REGIONS:
        api = KubeApiserver(context, region)
        files.directory(directory / region, 0o755)
        contents[f"{region}/kubeconfig"] = (api.kubeconfig(api.admin), 0o600)
        contents[f"{region}/kubeconfig-health"] = (api.kubeconfig(api.health_reader), 0o600)
    done = [f"{directory / name} written" for name, (content, mode) in contents.items() if files.write(directory / name, content, mode)]
    return done + _link_clients(context)


def _link_clients(context: Context) -> list[str]:
    folder = context.settings.directory / "bin"
    files.directory(folder, 0o755)
    done = []
    for name in CLIENTS:
        target = context.binaries.get(name)
        if target is None:
            continue
        link = folder / name
        if link.is_symlink() and str(link.readlink()) == target:
            continue
        link.unlink(missing_ok=True)
        link.symlink_to(target)
        done.append(f"{link} linked")
    return done


def withdraw(context: Context) -> list[str]:
    """Remove what ``publish`` wrote, and nothing else; returns the names of what was removed."""
    directory = context.settings.directory
    places = [directory / name for name in (*FILES, *(f"{region}/{name}" for region in REGIONS for name in ("kubeconfig", "kubeconfig-health")))]
    if (directory / "bin").is_dir():
        places += [link for link in (directory / "bin").iterdir() if link.is_symlink()]
    done = []
    for place in places:
        if place.is_symlink() or place.exists():
            place.unlink()
            done.append(f"{place} removed")
    for folder in (*(directory / region for region in REGIONS), directory / "bin"):
        if folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()
    return done
