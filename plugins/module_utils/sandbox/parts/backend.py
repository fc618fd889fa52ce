# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The backend service: the application's API, its worker, and light traffic through both. Its sources lie in the role's files/backend."""

from __future__ import annotations

import hashlib
import json
import sys
from abc import abstractmethod
from typing import Any

from .. import files, web
from ..part import Part
from ..settings import REGIONS
from ..supervisor import Program
from ..waiting import NotReady
from .neo4j import USERNAME as NEO4J_USERNAME
from .pgbouncer import Pgbouncer
from .redis import Redis
from .stripe_mock import KEY, StripeMock
from .toxiproxy import Toxiproxy

PACKAGE = "leanvibe_backend"
# The platform's own accounts in the API, and what each may do: probe only signs in, the others make users of tenants.
ACCOUNTS: dict[str, tuple[str, ...]] = {"probe": (), "provisioner": ("accounts",), "traffic": ("accounts",)}


class Service(Part):
    """One process of the service: a Python program of the checkout's environment, so it runs as the caller. ``role`` is what it is."""

    system = "backend"
    role: str
    stop_signal = "TERM"

    @property
    def ports(self) -> tuple[int, ...]:
        return (self.context.port(self.component, self.region),)

    @property
    def address(self) -> str:
        return f"http://localhost:{self.ports[0]}"

    @abstractmethod
    def configuration(self) -> dict[str, Any]:
        """What this role needs, and no secret beyond that."""

    def _sources(self) -> str:
        """Changes when the service's code does, and with it the configuration: then the process is started anew."""
        whole = hashlib.sha256()
        for path in sorted((self.context.source("backend") / PACKAGE).glob("*.py")):
            whole.update(path.name.encode() + b"\0" + path.read_bytes())
        return whole.hexdigest()

    def prepare(self) -> list[str]:
        done = ["folder made"] if files.directory(self.home, 0o700, self.account) else []
        content = {"region": self.region or "", "port": self.ports[0], "sources": self._sources(), **self.configuration()}
        if files.write(self.home / "configuration.json", json.dumps(content, indent=2, sort_keys=True) + "\n", 0o600, self.account):
            done.append("configuration written")
        return done

    def program(self) -> Program:
        argv = (sys.executable, "-m", PACKAGE, self.role, str(self.home / "configuration.json"))
        environment = {"PYTHONPATH": str(self.context.source("backend")), "PYTHONDONTWRITEBYTECODE": "1"}
        return Program(name=self.id, argv=argv, directory=self.home, user=self.account.name, environment=environment)

    def probe(self, timeout: float = 5.0) -> str:
        answer = web.request("GET", f"{self.address}/health", timeout=timeout)
        if answer.status != 200:
            raise NotReady(f"{self.id} answers {answer.status}")
        return str(answer.json()["version"])

    def database(self, role: str) -> dict[str, Any]:
        """psycopg's parameters, the way the application goes: through the front, to PgBouncer."""
        return {
            "host": "localhost",
            "port": self.context.port("front_pgbouncer", self.region),
            "dbname": "leanvibe",
            "user": role,
            "password": self.context.secrets["postgresql"][role],
            "sslmode": "verify-full",
            "sslrootcert": str(self.context.ca_file),
        }

    def cache(self) -> dict[str, Any]:
        """Redis of this region, and the other region's, which takes the writes while this one's is a replica."""
        endpoints = [("localhost", self.context.port(name, self.region)) for name in ("front_redis", "link_redis")]
        return {"endpoints": endpoints, "username": "application", "password": self.context.secrets["redis"]["application"]}

    def requires(self) -> tuple[str, ...]:
        return tuple(kind(self.context, self.region).id for kind in (Toxiproxy, Pgbouncer, Redis))


class Backend(Service):
    """The API of one region."""

    component = "backend"
    role = "api"

    def configuration(self) -> dict[str, Any]:
        secrets = self.context.secrets["backend"]
        return {
            "database": self.database("leanvibe_app"),
            "cache": self.cache(),
            "graph": {
                "uri": f"bolt://localhost:{self.context.port('front_neo4j', self.region)}",
                "username": NEO4J_USERNAME,
                "password": self.context.secrets["neo4j"][self.region],
            },
            "billing": {"url": StripeMock(self.context, None).address, "key": KEY},
            "signing_key": secrets["signing_key"],
            "accounts": {name: {"digest": hashlib.sha256(secrets[name].encode()).hexdigest(), "scopes": list(scopes)} for name, scopes in ACCOUNTS.items()},
        }

    def ready(self) -> None:
        """It is ready when it reaches its database; Neo4j, which takes its time, is not waited for."""
        self.probe()
        answer = web.request("GET", f"{self.address}/health/db")
        if answer.status != 200:
            raise NotReady(f"{self.id} does not reach its database: {answer.body[:300].decode(errors='replace')}")


class Worker(Service):
    """Does the jobs of its region's queue and writes the replication heartbeat."""

    component = "worker"
    role = "worker"

    def configuration(self) -> dict[str, Any]:
        return {"database": self.database("leanvibe_app"), "heartbeat": self.database("leanvibe_heartbeat"), "cache": self.cache()}


class Traffic(Service):
    """Light, steady traffic to both regions; a part of the sandbox only while it is switched on."""

    component = "traffic"
    role = "traffic"

    def requires(self) -> tuple[str, ...]:
        return tuple(kind(self.context, region).id for region in REGIONS for kind in (Backend, Worker))

    def configuration(self) -> dict[str, Any]:
        secrets = self.context.secrets["backend"]
        return {
            "traffic": {
                "urls": {region: f"http://localhost:{self.context.port('front_backend', region)}" for region in REGIONS},
                "tenants": list(self.context.traffic or ()),
                "account": "traffic",
                "password": secrets["traffic"],
                "seed": secrets["traffic_users"],
            }
        }
