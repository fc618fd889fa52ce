# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every server of the standby region killed and paused, every way to it cut and slowed: what may be told of it on the whole platform, and nothing else."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from platform_looks import Platform, bad

pytestmark = pytest.mark.sandbox
EAST, WEST = "us-east-1", "us-west-2"
Play = Callable[..., subprocess.CompletedProcess[str]]
Found = set[tuple[str, str]]


def at(place: str, *ids: str) -> Found:
    """(check, place) of some checks of a place's system."""
    system = place.split("/")[1]
    return {(f"{system}.{name}", place) for name in ids}


# Whoever is asked by Prometheus and does not answer is missed there, too, and alerts last longer than what raised them.
SCRAPED = at(f"{WEST}/monitoring", "alerts", "exporters", "metrics", "targets", "timestamps")


@dataclass(frozen=True)
class Fault:
    """``silent``: endpoints of which nothing but unknown is told. ``must``: what is found as well, at once or after a while. ``may``: what can be found."""

    silent: tuple[str, ...] = ()
    must: Found = field(default_factory=set)
    may: Found = field(default_factory=set)


PROMETHEUS = (
    "alerts", "exporters", "metrics", "notifications", "prometheus", "prometheus_certificate", "prometheus_clock",
    "prometheus_config", "rule_groups", "rules", "scrapes", "stale_data", "storage", "targets",
    "watchdog", "writes",
)  # fmt: skip
ALERTMANAGER = ("alertmanager", "alertmanager_certificate", "alertmanager_clock", "alertmanager_cluster", "alertmanager_config", "delivery", "silences")
CLUSTER = at("control/kubernetes", "versions_differ")
CONTROLLER = Fault((), at(f"{WEST}/kubernetes", "controllers"), at(f"{WEST}/kubernetes", "nodes_ready") | SCRAPED)
EXPORTER = Fault((), at(f"{WEST}/monitoring", "metrics", "targets"), at(f"{WEST}/monitoring", "alerts", "notifications", "stale_data"))
LINKS = (
    at(f"{WEST}/postgresql", "receiver", "replay")
    | at("control/postgresql", "replication_lag")
    | at(f"{EAST}/postgresql", "slots", "standbys")
    | at(f"{EAST}/redis", "replicas", "replication_lag_seconds", "replication_lag_bytes")
    | at(f"{WEST}/redis", "replication_link")
    | at("control/redis", "replication_source")
)
# What an application that cannot reach its database may be late with.
DATABASE = at(f"{WEST}/backend", "database", "database_response", "response", "websocket", "jobs", "worker") | at(f"{WEST}/pgbouncer", "pools")
SERVERS = {
    "postgresql": Fault(
        (f"{WEST}/postgresql",),
        at("control/postgresql", "one_primary", "replication_lag", "settings", "unused_indexes"),
        at(f"{EAST}/postgresql", "slots", "standbys") | SCRAPED,
    ),
    "redis": Fault(
        (f"{WEST}/redis",),
        at("control/redis", "acl_parity", "replication_source", "settings", "versions") | at(f"{WEST}/backend", "cache"),
        at(f"{EAST}/redis", "replicas", "replication_lag_seconds", "replication_lag_bytes") | SCRAPED,
    ),
    "neo4j": Fault((f"{WEST}/neo4j",), at("control/neo4j", "versions") | at(f"{WEST}/backend", "graph"), SCRAPED),
    "object_store": Fault((f"{WEST}/object_store",)),
    "pgbouncer": Fault((f"{WEST}/pgbouncer",), at(f"{WEST}/backend", "database"), DATABASE | SCRAPED),
    "backend": Fault((f"{WEST}/backend",), at("control/backend", "versions"), SCRAPED),
    "worker": Fault((), at(f"{WEST}/backend", "worker"), at(f"{WEST}/backend", "jobs") | at(f"{WEST}/postgresql", "heartbeat") | SCRAPED),
    "prometheus": Fault((), at(f"{WEST}/monitoring", *PROMETHEUS), at(f"{WEST}/monitoring", "delivery", "timestamps")),
    "alertmanager": Fault((), at(f"{WEST}/monitoring", *ALERTMANAGER), at(f"{WEST}/monitoring", "notifications", "targets", "metrics", "alerts")),
    "node_exporter": EXPORTER,
    "postgres_exporter": EXPORTER,
    "redis_exporter": EXPORTER,
    # The API server is there to say that it is not ready.
    "etcd": Fault((f"{WEST}/kubernetes",), at(f"{WEST}/kubernetes", "api_ready"), CLUSTER),
    "kube_apiserver": Fault((f"{WEST}/kubernetes",), CLUSTER),
    "kube_controller_manager": CONTROLLER,
    "kube_scheduler": CONTROLLER,
    "kwok": CONTROLLER,
    "toxiproxy": Fault((f"{WEST}/backend",), at("control/backend", "versions"), LINKS | SCRAPED),
    "aws": Fault((f"{EAST}/aws", f"{WEST}/aws")),
    "stripe_mock": Fault((), at(f"{EAST}/backend", "billing") | at(f"{WEST}/backend", "billing") | at(f"{EAST}/external", "billing")),
}
SHARED = ("aws", "stripe_mock")
CASES = [(component, kind) for component in SERVERS for kind in ("kill", "pause")]


@pytest.fixture(scope="module")
def platform(checkout: Path, ansible_env: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Platform:
    return Platform(checkout, ansible_env, tmp_path_factory.mktemp("looks"))


@pytest.fixture
def well(provisioned: None, platform: Platform, run_playbook: Play) -> Iterator[None]:
    """The platform is well before and after; what is dead or paused is brought back."""
    eventually_well(platform)
    yield
    assert run_playbook("sandbox_up").returncode == 0
    eventually_well(platform)


def eventually_well(platform: Platform, seconds: float = 240) -> None:
    ends = time.monotonic() + seconds
    while found := bad(platform.look()):
        assert time.monotonic() < ends, found
        time.sleep(3)


def _judge(platform: Platform, catalogue: Any, name: str, fault: Fault) -> None:
    """Look until what must be found is found, and never more than may be."""
    ends = time.monotonic() + 120
    while True:
        items = platform.look()
        found = bad(items)
        others = {key for key in found if key[1] not in fault.silent} | (found.keys() & fault.must)
        if others - fault.must - fault.may or fault.must <= others or time.monotonic() > ends:
            break
    told = {(item["id"], item["verdict"]) for item in items if "/".join(item["subject"].split("/")[:2]) in fault.silent}
    assert {verdict for check, verdict in told if check not in {check for check, _place in fault.must}} <= {"unknown", "skipped"}, told
    assert bool(told) is bool(fault.silent)
    catalogue.judge(name, fault.must, others - (fault.may - fault.must), found)


@pytest.mark.faults(sample=1)
@pytest.mark.usefixtures("well")
@pytest.mark.parametrize(("component", "kind"), CASES, ids=lambda value: value)
def test_a_server_that_is_lost_is_found_and_nothing_else(platform: Platform, run_playbook: Play, catalogue: Any, component: str, kind: str) -> None:
    fault = SERVERS[component]
    where = {} if component in SHARED else {"region": WEST}
    assert run_playbook("sandbox_fault", extra_vars={"component": component, "fault": kind, **where}).returncode == 0
    _judge(platform, catalogue, f"{component}: {kind}", fault)


# The ways into a region's systems that the application takes, and the replication between regions.
WAYS = {
    ("backend", WEST, "cut"): Fault((f"{WEST}/backend",), at("control/backend", "versions"), SCRAPED),
    ("pgbouncer", WEST, "cut"): Fault((), at(f"{WEST}/backend", "database"), DATABASE | SCRAPED),
    ("pgbouncer", WEST, "slow"): Fault((), at(f"{WEST}/backend", "database_response"), DATABASE | SCRAPED),
    ("redis", WEST, "cut"): Fault((), at(f"{WEST}/backend", "cache"), SCRAPED),
    ("redis", WEST, "slow"): Fault((), at(f"{WEST}/backend", "cache"), SCRAPED),
    ("neo4j", WEST, "cut"): Fault((), at(f"{WEST}/backend", "graph"), SCRAPED),
    ("neo4j", WEST, "slow"): Fault((), at(f"{WEST}/backend", "graph"), SCRAPED),
    # The standby follows over it, and the application there writes over it.
    ("postgresql_link", EAST, "cut"): Fault(
        (), at(f"{WEST}/postgresql", "receiver") | at(f"{EAST}/postgresql", "standbys") | at(f"{WEST}/backend", "database"), LINKS | DATABASE | SCRAPED
    ),
    ("redis_link", EAST, "cut"): Fault((), at(f"{WEST}/redis", "replication_link") | at(f"{EAST}/redis", "replicas"), LINKS | SCRAPED),
}


@pytest.mark.faults(sample=1)
@pytest.mark.usefixtures("well")
@pytest.mark.parametrize(("way", "region", "kind"), WAYS, ids=lambda value: value)
def test_a_way_that_is_cut_or_slow_is_found_and_nothing_else(platform: Platform, run_playbook: Play, catalogue: Any, way: str, region: str, kind: str) -> None:
    fault = WAYS[(way, region, kind)]
    given = {"component": way, "region": region, "fault": kind, "sandbox_latency_ms": 1500}
    assert run_playbook("sandbox_fault", extra_vars=given).returncode == 0
    _judge(platform, catalogue, f"{way} to {region}: {kind}", fault)
