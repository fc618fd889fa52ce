# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A Kubernetes control plane."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...common.lazy import LazyModule
from .. import files, pki, web
from ..part import Part
from ..settings import REGIONS
from ..supervisor import Program
from ..waiting import NotReady
from .etcd import Etcd

if TYPE_CHECKING:
    import yaml
else:
    yaml = LazyModule("yaml")

HEALTH_READER = "leanvibe-health"
SERVICE_NAMES = ("kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local")
BUILD_INFO = re.compile(rb'git_version="v([^"]+)"')


class ControlPlane(Part):
    """What the parts of one cluster have in common."""

    system = "kubernetes"

    @property
    def etcd(self) -> Etcd:
        """The cluster's store."""
        return Etcd(self.context, self.region)

    @property
    def authority(self) -> pki.Authority:
        """The cluster's authority, of its API server and of its clients."""
        return self.context.cluster_authority("kubernetes", str(self.region))

    @property
    def ca_file(self) -> Path:
        """Its certificate, where every user can read it."""
        return self.context.data / str(self.region) / "kubernetes-ca.crt"

    @property
    def server(self) -> str:
        """The API server's URL."""
        return f"https://127.0.0.1:{self.context.port('kube_apiserver', self.region)}"

    @property
    def pair(self) -> pki.Pair:
        """The component's own client certificate."""
        return pki.Pair(self.home / "tls" / "client.crt", self.home / "tls" / "client.key")

    @property
    def admin(self) -> pki.Pair:
        """The operator's client certificate."""
        home = self.context.home("admin", self.region)
        return pki.Pair(home / "tls" / "client.crt", home / "tls" / "client.key")

    @property
    def health_reader(self) -> pki.Pair:
        """The client certificate of who may only look (``leanvibe-health``)."""
        home = self.context.home("admin", self.region)
        return pki.Pair(home / "tls" / "health.crt", home / "tls" / "health.key")

    @property
    def serving(self) -> pki.Pair:
        """The component's server certificate."""
        return self.context.server_pair(self.component, self.region)

    def kubeconfig(self, pair: pki.Pair) -> str:
        """A kubeconfig that holds the certificates themselves, for the holder of ``pair``."""
        name = f"sandbox-{self.region}"
        encoded = {key: _base64(path) for key, path in {"ca": self.ca_file, "certificate": pair.certificate, "key": pair.key}.items()}
        return yaml.safe_dump(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "clusters": [{"name": name, "cluster": {"server": self.server, "certificate-authority-data": encoded["ca"]}}],
                "users": [{"name": name, "user": {"client-certificate-data": encoded["certificate"], "client-key-data": encoded["key"]}}],
                "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
                "current-context": name,
            },
            sort_keys=False,
        )

    def prepare_client(self, user: str, groups: tuple[str, ...] = ()) -> list[str]:
        """The component's folder, client certificate and kubeconfig."""
        done = ["folder made"] if files.directory(self.home, 0o700, self.account) else []
        self.authority.ensure()
        files.write(self.ca_file, self.authority.pair.certificate.read_bytes(), 0o644)
        if self.authority.issue(self.pair, user, organizations=groups, owner=self.account):
            done.append("client certificate made")
        if files.write(self.home / "kubeconfig", self.kubeconfig(self.pair), 0o600, self.account):
            done.append("kubeconfig written")
        return done

    def as_program(self, binary: str, flags: Mapping[str, object], **options: Any) -> Program:
        """The component with ``--flag=value`` for each of ``flags``."""
        argv = (str(self.context.binary(binary)), *(f"--{key}={value}" for key, value in flags.items()))
        return Program(name=self.id, argv=argv, directory=self.home, user=self.account.name, **options)

    def api(self, method: str, path: str, body: Mapping[str, Any] | None = None, timeout: float = 5.0) -> web.Answer:
        """A request to the API server as the operator."""
        return web.request(
            method,
            self.server + path,
            ca_file=self.ca_file,
            client=self.admin,
            body=json.dumps(body).encode() if body is not None else None,
            headers={"Content-Type": "application/json", "Accept": "application/json"},
            timeout=timeout,
        )


def _base64(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode()


class KubeApiserver(ControlPlane):
    """The API server: RBAC, quotas, limits and Pod Security are on, service accounts get real tokens."""

    component = "kube-apiserver"

    @property
    def ports(self) -> tuple[int, ...]:
        return (self.context.port("kube_apiserver", self.region),)

    @property
    def address(self) -> str:
        return self.server

    def requires(self) -> tuple[str, ...]:
        return (self.etcd.id,)

    @property
    def accounts_key(self) -> Path:
        """The key that signs service accounts' tokens."""
        return self.home / "service-accounts.key"

    @property
    def _service_address(self) -> str:
        return f"10.{96 + REGIONS.index(str(self.region))}.0.1"

    def prepare(self) -> list[str]:
        done = self.prepare_client("kube-apiserver-kubelet-client", ("system:masters",))
        names = (*pki.LOOPBACK, *SERVICE_NAMES, self._service_address)
        if self.authority.issue(self.serving, "kube-apiserver", names=names, owner=self.account):
            done.append("server certificate made")
        store = self.etcd
        self.context.cluster_authority("etcd", str(self.region)).issue(store.client_pair(self.component), "kube-apiserver", owner=self.account)
        if not self.accounts_key.exists():
            files.write(self.accounts_key, pki.new_signing_key(), 0o600, self.account)
            done.append("service accounts' key made")
        files.directory(self.context.home("admin", self.region))
        self.authority.issue(self.admin, "sandbox-admin", organizations=("system:masters",))
        self.authority.issue(self.health_reader, HEALTH_READER)
        return done

    def program(self) -> Program:
        store = self.etcd
        etcd_client = store.client_pair(self.component)
        flags: dict[str, object] = {
            "bind-address": "127.0.0.1",
            "secure-port": self.ports[0],
            "advertise-address": "127.0.0.1",
            # The service "kubernetes" cannot point at loopback, and no pod runs that would call it.
            "endpoint-reconciler-type": "none",
            "etcd-servers": f"https://127.0.0.1:{store.ports[0]}",
            "etcd-cafile": store.ca_file,
            "etcd-certfile": etcd_client.certificate,
            "etcd-keyfile": etcd_client.key,
            "client-ca-file": self.ca_file,
            "tls-cert-file": self.serving.certificate,
            "tls-private-key-file": self.serving.key,
            "authorization-mode": "Node,RBAC",
            "enable-admission-plugins": "NodeRestriction,LimitRanger,ResourceQuota,PodSecurity,ServiceAccount",
            "service-account-issuer": "https://kubernetes.default.svc.cluster.local",
            "service-account-key-file": self.accounts_key,
            "service-account-signing-key-file": self.accounts_key,
            "service-cluster-ip-range": f"10.{96 + REGIONS.index(str(self.region))}.0.0/16",
            "profiling": "false",
            # A stop must not wait for watches that never end by themselves.
            "shutdown-watch-termination-grace-period": "1s",
        }
        return self.as_program("kube-apiserver", flags, stop_seconds=12)

    def ready(self) -> None:
        answer = self.api("GET", "/readyz")
        if answer.status != 200 or answer.body != b"ok":
            raise NotReady(f"the API server in {self.region} is not ready: {answer.body[-300:].decode(errors='replace')}")

    def probe(self, timeout: float = 5.0) -> str:
        answer = self.api("GET", "/readyz", timeout=timeout)
        if answer.status != 200:
            raise NotReady(f"the API server in {self.region} is not ready: {answer.body[-300:].decode(errors='replace')}")
        return str(self.api("GET", "/version", timeout=timeout).json()["gitVersion"]).removeprefix("v")


class _Controller(ControlPlane):
    """A component that watches the API server and serves its own health over TLS."""

    user: str
    port_name: str

    @property
    def ports(self) -> tuple[int, ...]:
        return (self.context.port(self.port_name, self.region),)

    def requires(self) -> tuple[str, ...]:
        return (KubeApiserver(self.context, self.region).id,)

    def prepare(self) -> list[str]:
        done = self.prepare_client(self.user)
        if self.authority.issue(self.serving, self.component, names=pki.LOOPBACK, owner=self.account):
            done.append("server certificate made")
        return done

    def common_flags(self) -> dict[str, object]:
        """What the controller-manager and the scheduler are told alike."""
        configuration = self.home / "kubeconfig"
        return {
            "kubeconfig": configuration,
            "authentication-kubeconfig": configuration,
            "authorization-kubeconfig": configuration,
            "bind-address": "127.0.0.1",
            "secure-port": self.ports[0],
            "tls-cert-file": self.serving.certificate,
            "tls-private-key-file": self.serving.key,
            "leader-elect": "false",
            "profiling": "false",
        }

    def probe(self, timeout: float = 5.0) -> str:
        url = f"https://127.0.0.1:{self.ports[0]}"
        health = web.request("GET", f"{url}/healthz", ca_file=self.ca_file, timeout=timeout)
        if health.status != 200:
            raise NotReady(f"{self.component} in {self.region} is not healthy: {health.body[-300:].decode(errors='replace')}")
        metrics = web.request("GET", f"{url}/metrics", ca_file=self.ca_file, client=self.admin, timeout=timeout)
        found = BUILD_INFO.search(metrics.body)
        return found.group(1).decode() if found else ""

    def ready(self) -> None:
        health = web.request("GET", f"https://127.0.0.1:{self.ports[0]}/healthz", ca_file=self.ca_file)
        if health.status != 200:
            raise NotReady(f"{self.component} in {self.region} is not healthy: {health.body[-300:].decode(errors='replace')}")


class KubeControllerManager(_Controller):
    """Runs garbage collection, quotas, namespaces, service accounts, roll-outs."""

    component = "kube-controller-manager"
    user = "system:kube-controller-manager"
    port_name = "kube_controller_manager"

    def prepare(self) -> list[str]:
        done = super().prepare()
        key = self.home / "service-accounts.key"
        if files.write(key, KubeApiserver(self.context, self.region).accounts_key.read_bytes(), 0o600, self.account):
            done.append("service accounts' key placed")
        return done

    def program(self) -> Program:
        flags = self.common_flags() | {
            "use-service-account-credentials": "true",
            "service-account-private-key-file": self.home / "service-accounts.key",
            "root-ca-file": self.ca_file,
            # Hundreds of namespaces at once get their service account and root certificate in seconds, not in a minute.
            "kube-api-qps": 200,
            "kube-api-burst": 400,
        }
        return self.as_program("kube-controller-manager", flags)


class KubeScheduler(_Controller):
    """Places pods on the simulated nodes."""

    component = "kube-scheduler"
    user = "system:kube-scheduler"
    port_name = "kube_scheduler"

    def program(self) -> Program:
        return self.as_program("kube-scheduler", self.common_flags())
