# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The parts that a sandbox consists of. A new part is a file in ``parts/`` and a line here."""

from __future__ import annotations

from .context import Context
from .part import Part
from .parts.archive import Archive
from .parts.aws import Aws
from .parts.backend import Backend, Traffic, Worker
from .parts.etcd import Etcd
from .parts.kubernetes import KubeApiserver, KubeControllerManager, KubeScheduler
from .parts.kwok import Kwok
from .parts.monitoring import Alertmanager, NodeExporter, PostgresExporter, Prometheus, RedisExporter
from .parts.neo4j import Neo4j
from .parts.object_store import ObjectStore
from .parts.pgbouncer import Pgbouncer
from .parts.postgresql import Postgresql
from .parts.redis import Redis
from .parts.stripe_mock import StripeMock
from .parts.toxiproxy import Toxiproxy
from .settings import REGIONS
from .supervisor import Program

# In the order in which status lists them.
REGIONAL: tuple[type[Part], ...] = (
    Etcd,
    KubeApiserver,
    KubeControllerManager,
    KubeScheduler,
    Kwok,
    Postgresql,
    Archive,
    Pgbouncer,
    Redis,
    Neo4j,
    ObjectStore,
    Toxiproxy,
    Backend,
    Worker,
    NodeExporter,
    PostgresExporter,
    RedisExporter,
    Prometheus,
    Alertmanager,
)
SHARED: tuple[type[Part], ...] = (Aws, StripeMock)
# What is there only when somebody asks for it.
OPTIONAL: tuple[type[Part], ...] = (Traffic,)


def all_parts(context: Context) -> list[Part]:
    """Every part of the sandbox, region by region; the traffic only while it is switched on."""
    regional = [kind(context, region) for region in REGIONS for kind in REGIONAL]
    shared = (*SHARED, *(OPTIONAL if context.traffic is not None else ()))
    return [*regional, *(kind(context, None) for kind in shared)]


def programs(parts: list[Part]) -> dict[str, Program]:
    """The servers of these parts by the part's id."""
    return {part.id: program for part in parts if (program := part.program()) is not None}
