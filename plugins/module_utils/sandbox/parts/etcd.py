# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""etcd: the store of a Kubernetes cluster."""

from __future__ import annotations

from pathlib import Path

from .. import files, pki, web
from ..part import Part
from ..supervisor import Program
from ..waiting import NotReady


class Etcd(Part):
    """One member per cluster; TLS both ways, with an authority of its own."""

    component = "etcd"
    system = "kubernetes"

    @property
    def ports(self) -> tuple[int, ...]:
        return (self.context.port("etcd", self.region), self.context.port("etcd_peer", self.region))

    @property
    def _authority(self) -> pki.Authority:
        return self.context.cluster_authority("etcd", str(self.region))

    @property
    def _server(self) -> pki.Pair:
        return self.context.server_pair(self.component, self.region)

    def client_pair(self, component: str) -> pki.Pair:
        """Where the client certificate of a component (the API server, the operator's ``admin``) lies."""
        home = self.context.home(component, self.region)
        return pki.Pair(home / "tls" / "etcd-client.crt", home / "tls" / "etcd-client.key")

    @property
    def ca_file(self) -> Path:
        """The authority's certificate, where every user can read it."""
        return self.context.data / str(self.region) / "etcd-ca.crt"

    def prepare(self) -> list[str]:
        done = []
        if files.directory(self.home, 0o700, self.account) | files.directory(self.home / "data", 0o700, self.account):
            done.append("data folder made")
        self._authority.ensure()
        files.write(self.ca_file, self._authority.pair.certificate.read_bytes(), 0o644)
        if self._authority.issue(self._server, "etcd", names=pki.LOOPBACK, owner=self.account):
            done.append("certificate made")
        files.directory(self.context.home("admin", self.region))
        self._authority.issue(self.client_pair("admin"), "admin")
        return done

    def program(self) -> Program:
        client, peer = (f"https://127.0.0.1:{port}" for port in self.ports)
        server = self._server
        argv = {
            "name": str(self.region),
            "data-dir": self.home / "data",
            "listen-client-urls": client,
            "advertise-client-urls": client,
            "listen-peer-urls": peer,
            "initial-advertise-peer-urls": peer,
            "initial-cluster": f"{self.region}={peer}",
            "client-cert-auth": "true",
            "trusted-ca-file": self.ca_file,
            "cert-file": server.certificate,
            "key-file": server.key,
            "peer-client-cert-auth": "true",
            "peer-trusted-ca-file": self.ca_file,
            "peer-cert-file": server.certificate,
            "peer-key-file": server.key,
            "quota-backend-bytes": 4 * 1024**3,
            # A killed process loses nothing that it wrote; only a crash of the machine would, and then a sandbox is made anew.
            "unsafe-no-fsync": "true",
            "log-level": "warn",
        }
        return Program(
            name=self.id,
            argv=(str(self.context.binary("etcd")), *(f"--{key}={value}" for key, value in argv.items())),
            directory=self.home,
            user=self.account.name,
        )

    def probe(self, timeout: float = 5.0) -> str:
        url = f"https://127.0.0.1:{self.ports[0]}"
        client = self.client_pair("admin")
        health = web.request("GET", f"{url}/health", ca_file=self.ca_file, client=client, timeout=timeout)
        if health.status != 200 or health.json().get("health") != "true":
            raise NotReady(f"etcd in {self.region} says it is not healthy: {health.body[:200]!r}")
        return str(web.request("GET", f"{url}/version", ca_file=self.ca_file, client=client, timeout=timeout).json()["etcdserver"])
