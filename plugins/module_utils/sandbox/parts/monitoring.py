# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Prometheus and Alertmanager of a region, and the exporters that Prometheus asks: node, PostgreSQL, Redis."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...common.lazy import LazyModule
from .. import files, web
from ..part import Part
from ..supervisor import Program
from ..waiting import NotReady
from . import monitoring_rules
from .backend import Backend, Worker
from .postgresql import Postgresql
from .redis import Redis

if TYPE_CHECKING:
    import yaml
else:
    yaml = LazyModule("yaml")

SCRAPE_SECONDS = 5
RETENTION = "2d"
NODE_COLLECTORS = ("cpu", "diskstats", "filesystem", "loadavg", "meminfo", "netdev", "textfile", "time", "uname", "vmstat")


class Monitor(Part):
    """One program of the monitoring: it listens on one port and needs nobody to start."""

    system = "monitoring"
    # The name of its program among the binaries.
    binary: str
    # The name of the metric that tells its version.
    build_info: str
    home_mode = 0o700

    @property
    def ports(self) -> tuple[int, ...]:
        return (self.context.port(self.component, self.region),)

    @property
    def address(self) -> str:
        return f"http://localhost:{self.ports[0]}"

    @property
    def listen(self) -> str:
        """The option by which all of them are told where to listen."""
        return f"--web.listen-address=127.0.0.1:{self.ports[0]}"

    def prepare(self) -> list[str]:
        done = ["folder made"] if files.directory(self.home, self.home_mode, self.account) else []
        changed = [name for name, content in self.contents().items() if files.write(self.home / name, content, 0o600, self.account)]
        return [*done, *(f"{name} written" for name in changed)]

    def contents(self) -> dict[str, str]:
        """Its files: names in its folder, and what stands in them."""
        return {}

    def arguments(self) -> tuple[str, ...]:
        """What the program is called with."""
        return (self.listen,)

    def environment(self) -> dict[str, str]:
        """Variables of its own; no secrets."""
        return {}

    def program(self) -> Program:
        argv = (str(self.context.binary(self.binary)), *self.arguments())
        return Program(name=self.id, argv=argv, directory=self.home, user=self.account.name, environment=self.environment())

    def probe(self, timeout: float = 5.0) -> str:
        answer = web.request("GET", f"{self.address}/metrics", timeout=timeout)
        found = re.search(rf'^{self.build_info}{{[^}}]*\bversion="([^"]+)"', answer.body.decode(errors="replace"), re.MULTILINE)
        if answer.status != 200 or found is None:
            raise NotReady(f"{self.id} answers {answer.status}, and not with its metrics")
        return found[1]


class Prometheus(Monitor):
    """Scrapes the region's exporters, its backend and worker, and both servers of the monitoring; evaluates a few rules."""

    component = binary = "prometheus"
    build_info = "prometheus_build_info"
    when_changed = "HUP"

    def contents(self) -> dict[str, str]:
        return {"prometheus.yml": yaml.safe_dump(self._configuration(), sort_keys=False), "rules.yml": yaml.safe_dump(monitoring_rules.RULES, sort_keys=False)}

    def _targets(self) -> dict[str, Part]:
        others = (Alertmanager, NodeExporter, PostgresExporter, RedisExporter, Backend, Worker)
        return {kind.component: kind(self.context, self.region) for kind in (Prometheus, *others)}

    def _configuration(self) -> dict[str, Any]:
        jobs = [
            {"job_name": name, "static_configs": [{"targets": [f"localhost:{part.ports[0]}"], "labels": {"region": self.region}}]}
            for name, part in self._targets().items()
        ]
        alertmanager = Alertmanager(self.context, self.region)
        return {
            "global": {
                "scrape_interval": f"{SCRAPE_SECONDS}s",
                "scrape_timeout": f"{SCRAPE_SECONDS - 1}s",
                "evaluation_interval": f"{SCRAPE_SECONDS}s",
                "external_labels": {"environment": "sandbox", "prometheus": self.region},
            },
            "rule_files": [str(self.home / "rules.yml")],
            "alerting": {"alertmanagers": [{"timeout": "4s", "static_configs": [{"targets": [f"localhost:{alertmanager.ports[0]}"]}]}]},
            "scrape_configs": jobs,
        }

    def arguments(self) -> tuple[str, ...]:
        return (
            self.listen,
            f"--config.file={self.home / 'prometheus.yml'}",
            f"--storage.tsdb.path={self.home / 'data'}",
            f"--storage.tsdb.retention.time={RETENTION}",
            "--storage.tsdb.retention.size=512MB",
            "--query.timeout=10s",
            "--log.level=warn",
        )

    def ready(self) -> None:
        """It is ready when its store is."""
        if web.request("GET", f"{self.address}/-/ready").status != 200:
            raise NotReady(f"{self.id} still reads its store")


class Alertmanager(Monitor):
    """Takes the alerts of its region's Prometheus; nobody is called from here."""

    component = "alertmanager"
    binary = "prometheus-alertmanager"
    build_info = "alertmanager_build_info"
    when_changed = "HUP"

    def contents(self) -> dict[str, str]:
        return {"alertmanager.yml": yaml.safe_dump(monitoring_rules.ROUTING, sort_keys=False)}

    def arguments(self) -> tuple[str, ...]:
        # Without a cluster: each region's stands alone, as the regions do.
        return (
            self.listen,
            f"--config.file={self.home / 'alertmanager.yml'}",
            f"--storage.path={self.home / 'data'}",
            "--cluster.listen-address=",
            "--log.level=warn",
        )


class NodeExporter(Monitor):
    """What the machine does. Files that others leave in ``textfile`` are passed on."""

    component = "node_exporter"
    binary = "prometheus-node-exporter"
    build_info = "node_exporter_build_info"
    # The caller writes into a folder in it, the exporter reads.
    home_mode = 0o755

    @property
    def textfiles(self) -> Path:
        """Where the caller leaves metrics of his own, ``*.prom``."""
        return self.home / "textfile"

    def prepare(self) -> list[str]:
        done = super().prepare()
        return [*done, *(["folder of text files made"] if files.directory(self.textfiles, 0o755) else [])]

    def arguments(self) -> tuple[str, ...]:
        chosen = tuple(f"--collector.{name}" for name in NODE_COLLECTORS)
        return (self.listen, "--collector.disable-defaults", *chosen, f"--collector.textfile.directory={self.textfiles}", "--log.level=warn")


class PostgresExporter(Monitor):
    """What the region's PostgreSQL does, seen by the role that may only look."""

    component = "postgres_exporter"
    binary = "prometheus-postgres-exporter"
    build_info = "postgres_exporter_build_info"

    def contents(self) -> dict[str, str]:
        return {"password": self.context.secrets["postgresql"]["leanvibe_health"]}

    def arguments(self) -> tuple[str, ...]:
        return (self.listen, "--log.level=error")

    def environment(self) -> dict[str, str]:
        port = Postgresql(self.context, self.region).ports[0]
        return {
            "DATA_SOURCE_URI": f"localhost:{port}/leanvibe?sslmode=verify-full&sslrootcert={self.context.ca_file}&connect_timeout=3",
            "DATA_SOURCE_USER": "leanvibe_health",
            "DATA_SOURCE_PASS_FILE": str(self.home / "password"),
        }


class RedisExporter(Monitor):
    """What the region's Redis does, seen by a user that may only look."""

    component = "redis_exporter"
    binary = "prometheus-redis-exporter"
    build_info = "redis_exporter_build_info"

    @property
    def _server(self) -> str:
        return f"redis://localhost:{Redis(self.context, self.region).ports[0]}"

    def contents(self) -> dict[str, str]:
        return {"passwords.json": json.dumps({self._server: self.context.secrets["redis"]["monitoring"]}) + "\n"}

    def arguments(self) -> tuple[str, ...]:
        # It cannot be told to leave CONFIG out; with this it asks for sections of INFO that do not exist, and goes on without settings.
        return (self.listen, f"--redis.password-file={self.home / 'passwords.json'}", "--config-command=INFO")

    def environment(self) -> dict[str, str]:
        return {"REDIS_ADDR": self._server, "REDIS_USER": "monitoring", "REDIS_EXPORTER_LOG_FORMAT": "txt"}
