# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every server can be killed and paused by name, status tells, up repairs; ways can be cut, slowed and healed."""

from __future__ import annotations

import contextlib
import socket
import time
from typing import Any

import pytest
import redis
from ansible_collections.leanvibe.ops.plugins.module_utils.common.errors import Conflict

pytestmark = pytest.mark.sandbox
REGIONS = ("us-east-1", "us-west-2")
REGIONAL = (
    "etcd",
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
    "kwok",
    "postgresql",
    "pgbouncer",
    "redis",
    "neo4j",
    "object_store",
    "toxiproxy",
    "backend",
    "worker",
    "prometheus",
    "alertmanager",
    "node_exporter",
    "postgres_exporter",
    "redis_exporter",
)
SERVERS = [*((name, region) for name in REGIONAL for region in REGIONS), ("aws", None), ("stripe_mock", None)]
FRONTS = ("pgbouncer", "redis", "neo4j", "object_store", "backend")


@pytest.mark.faults(sample=3)
@pytest.mark.parametrize(("component", "region"), SERVERS)
def test_a_killed_server_is_dead_until_up_brings_it_back(box: Any, component: str, region: str | None) -> None:
    before = box.component(component, region)
    assert box.fault(component, region, "kill")["changed"] is True
    dead = box.component(component, region)
    assert (dead["state"], dead["pid"], dead["version"], dead["memory_bytes"]) == ("dead", None, "", 0)
    assert box.fault(component, region, "kill")["changed"] is False
    with pytest.raises(Conflict, match="is dead, so it cannot be paused"):
        box.fault(component, region, "pause")
    box.up()
    after = box.component(component, region)
    assert (after["state"], after["version"]) == ("running", before["version"])
    assert after["pid"] != before["pid"]


@pytest.mark.faults(sample=3)
@pytest.mark.parametrize(("component", "region"), SERVERS)
def test_a_paused_server_is_paused_and_not_running(box: Any, component: str, region: str | None) -> None:
    before = box.component(component, region)
    assert box.fault(component, region, "pause")["changed"] is True
    assert box.fault(component, region, "pause")["changed"] is False
    paused = box.component(component, region)
    assert (paused["state"], paused["pid"], paused["version"]) == ("paused", before["pid"], "")
    assert box.fault(component, region, "resume")["changed"] is True
    assert box.fault(component, region, "resume")["changed"] is False
    for _attempt in range(50):
        if box.component(component, region)["state"] == "running":
            break
        time.sleep(0.2)
    assert box.component(component, region) | {"memory_bytes": 0} == before | {"memory_bytes": 0}


def test_up_resumes_what_is_paused_without_a_restart(box: Any) -> None:
    before = box.component("redis", "us-east-1")["pid"]
    box.fault("redis", "us-east-1", "pause")
    assert box.up()["done"] == ["redis-us-east-1: resumed"]
    assert box.component("redis", "us-east-1")["pid"] == before


def test_what_hangs_on_a_dead_server_does_not_count_as_running(box: Any) -> None:
    box.fault("etcd", "us-west-2", "kill")
    assert box.component("etcd", "us-west-2")["state"] == "dead"
    # The API server asks its store at most once a second and gives it two to answer; until then it says it is ready.
    for _attempt in range(50):
        if box.component("kube-apiserver", "us-west-2")["state"] != "running":
            break
        time.sleep(0.2)
    assert box.component("kube-apiserver", "us-west-2")["state"] in ("unreachable", "starting")


def connects(address: str) -> bool:
    """Whether a connection is taken and not closed at once (toxiproxy takes it before it reaches the server)."""
    host, port = address.split(":")
    with contextlib.suppress(OSError), socket.create_connection((host, int(port)), timeout=3) as opened:
        opened.settimeout(0.3)
        try:
            return opened.recv(1) != b""
        except TimeoutError:
            return True
    return False


@pytest.mark.faults(sample=3)
@pytest.mark.parametrize("region", REGIONS)
@pytest.mark.parametrize("component", FRONTS)
def test_a_cut_front_takes_no_connection_and_the_server_goes_on(box: Any, component: str, region: str) -> None:
    front = next(way["address"] for way in box.status()["ways"] if way["name"] == f"{component}_front" and way["region"] == region)
    assert connects(front)
    assert box.fault(f"{component}_front", region, "cut")["changed"] is True
    assert box.fault(f"{component}_front", region, "cut")["changed"] is False
    assert not connects(front)
    found = box.status()
    assert found["problems"] == [f"{component}_front {region} is cut"]
    assert box.fault(f"{component}_front", region, "heal")["changed"] is True
    assert box.fault(f"{component}_front", region, "heal")["changed"] is False
    assert connects(front)


def replica(sandbox: dict[str, Any], credentials: dict[str, Any]) -> dict[str, Any]:
    with redis.Redis(
        port=sandbox["regions"]["us-west-2"]["redis"]["port"], username="operations", password=credentials["redis"]["operations"], socket_timeout=5
    ) as client:
        return dict(client.info("replication"))


def test_a_cut_redis_loses_its_replica_until_it_is_healed(box: Any, sandbox: dict[str, Any], credentials: dict[str, Any]) -> None:
    assert replica(sandbox, credentials)["master_link_status"] == "up"
    box.fault("redis", "us-east-1", "cut")
    for _attempt in range(50):
        if replica(sandbox, credentials)["master_link_status"] == "down":
            break
        time.sleep(0.2)
    assert replica(sandbox, credentials)["master_link_status"] == "down"
    assert {way["name"] for way in box.status()["ways"] if way["state"] == "cut"} == {"redis_front", "redis_link"}
    box.up()
    assert replica(sandbox, credentials)["master_link_status"] == "up"


def test_a_slow_front_answers_late(box: Any, sandbox: dict[str, Any], credentials: dict[str, Any]) -> None:
    def ping() -> float:
        port = sandbox["regions"]["us-east-1"]["application"]["redis"]["port"]
        with redis.Redis(port=port, username="application", password=credentials["redis"]["application"], socket_timeout=10) as client:
            client.ping()
            began = time.monotonic()
            client.ping()
            return time.monotonic() - began

    quick = ping()
    box.fault("redis_front", "us-east-1", "slow", latency_ms=700)
    assert next(way for way in box.status()["ways"] if way["name"] == "redis_front" and way["region"] == "us-east-1")["latency_ms"] == 700
    assert 0.7 <= ping() < 0.7 + quick + 1.0
    assert box.fault("redis_front", "us-east-1", "slow", latency_ms=700)["changed"] is False
    box.fault("redis", "us-east-1", "heal")
    assert ping() < 0.5
