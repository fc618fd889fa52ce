# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""kwok in the place of a cluster's nodes, and what is in the cluster before anybody uses it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from ...health.systems.kubernetes import rights
from .. import commands, files, web
from ..supervisor import Program
from ..waiting import NotReady, wait_until
from . import kwok_stages
from .kubernetes import HEALTH_READER, ControlPlane, KubeApiserver

NODES = 3
NODE_CAPACITY = {"cpu": "64", "memory": "256Gi", "pods": "1000", "ephemeral-storage": "1Ti"}


class Kwok(ControlPlane):
    """Plays the kubelets: nodes stay ready, pods become ready and end, no container runs."""

    component = "kwok"

    @property
    def ports(self) -> tuple[int, ...]:
        return (self.context.port("kwok", self.region),)

    def requires(self) -> tuple[str, ...]:
        return (KubeApiserver(self.context, self.region).id,)

    def prepare(self) -> list[str]:
        done = self.prepare_client("kwok", ("system:masters",))
        if files.write(self.home / "stages.yaml", kwok_stages.configuration(), 0o600, self.account):
            done.append("stages written")
        return done

    def program(self) -> Program:
        flags = {
            "config": self.home / "stages.yaml",
            "kubeconfig": self.home / "kubeconfig",
            "manage-all-nodes": "true",
            "node-ip": "127.0.0.1",
            "node-lease-duration-seconds": 40,
            "server-address": f"127.0.0.1:{self.ports[0]}",
        }
        return self.as_program("kwok", flags, environment={"KWOK_WORKDIR": str(self.home)})

    def probe(self, timeout: float = 5.0) -> str:
        answer = web.request("GET", f"http://127.0.0.1:{self.ports[0]}/healthz", timeout=timeout)
        if answer.status != 200:
            raise NotReady(f"kwok in {self.region} is not healthy: {answer.body[-300:].decode(errors='replace')}")
        return self._version()

    def _version(self) -> str:
        said = commands.run([str(self.context.binary("kwok")), "--version"], account=self.account, directory=Path("/"), data=self.context.data, timeout=5)
        found = re.search(r"v(\d+\.\d+\.\d+)", said)
        return found.group(1) if found else said.strip()

    def ready(self) -> None:
        answer = web.request("GET", f"http://127.0.0.1:{self.ports[0]}/healthz")
        if answer.status != 200:
            raise NotReady(f"kwok in {self.region} is not healthy: {answer.body[-300:].decode(errors='replace')}")

    def configure(self) -> list[str]:
        done: list[str] = []
        # An API server whose store has just come back calls itself ready, and takes its time for the first writes.
        wait_until(lambda: done.extend(self._nodes()), 60, f"nodes of {self.region}")
        wait_until(self._nodes_ready, 30, f"nodes of {self.region}")
        wait_until(lambda: done.extend(self._rights()), 60, f"rights in {self.region}")
        return done

    def _nodes(self) -> list[str]:
        """The nodes, made where they are missing."""
        there = {item["metadata"]["name"] for item in self.api("GET", "/api/v1/nodes").json()["items"]}
        missing = [node for node in map(self._node, range(NODES)) if node["metadata"]["name"] not in there]
        for node in missing:
            answer = self.api("POST", "/api/v1/nodes", node)
            if answer.status != 201:
                raise NotReady(f"node {node['metadata']['name']} cannot be made: {answer.body[-300:].decode(errors='replace')}")
        return [f"node {node['metadata']['name']} made" for node in missing]

    def _rights(self) -> list[str]:
        """What who may only look may see: the role that the collection declares, written when it differs."""
        done = []
        for resource, wanted in ((rights.CLUSTER_ROLE, rights.reader()), (rights.CLUSTER_ROLE_BINDING, rights.binding(HEALTH_READER))):
            name = wanted["metadata"]["name"]
            found = self.api("GET", resource.path(None, name))
            there = found.json() if found.status == 200 else {}
            if all(there.get(key) == value for key, value in wanted.items() if key in ("rules", "roleRef", "subjects")) and there:
                continue
            method, path = ("PUT", resource.path(None, name)) if there else ("POST", resource.path())
            answer = self.api(method, path, wanted)
            if answer.status not in (200, 201):
                raise NotReady(f"{resource.kind} {name} cannot be written: {answer.body[-300:].decode(errors='replace')}")
            done.append(f"{resource.kind} {name} written")
        return done

    def _nodes_ready(self) -> None:
        items = self.api("GET", "/api/v1/nodes").json()["items"]
        ready = sum(any(c["type"] == "Ready" and c["status"] == "True" for c in item["status"].get("conditions", [])) for item in items)
        if ready < NODES:
            raise NotReady(f"{ready} of {NODES} nodes of {self.region} are ready")

    def _node(self, number: int) -> dict[str, Any]:
        name = f"{self.region}-node-{number}"
        labels = {
            "kubernetes.io/hostname": name,
            "kubernetes.io/os": "linux",
            "kubernetes.io/arch": "amd64",
            "node.kubernetes.io/instance-type": "kwok",
            "topology.kubernetes.io/region": str(self.region),
            "topology.kubernetes.io/zone": f"{self.region}{'abc'[number % 3]}",
            "type": "kwok",
        }
        return {
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": {"name": name, "labels": labels, "annotations": {"kwok.x-k8s.io/node": "fake", "node.alpha.kubernetes.io/ttl": "0"}},
            "status": {"allocatable": NODE_CAPACITY, "capacity": NODE_CAPACITY},
        }
