# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tests of tenants on the sandbox's clusters share: the module, kubectl as an independent reader, tenants' own kubeconfigs."""

from __future__ import annotations

import contextlib
import io
import json
import secrets
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.module_utils.testing import patch_module_args

EAST, WEST = "us-east-1", "us-west-2"
KINDS = "networkpolicies,configmaps,limitranges,resourcequotas,serviceaccounts,roles,rolebindings,secrets"


class Kubernetes:
    """One run's view of both clusters. Everything that it makes is named ``ka-…`` and removed at its end."""

    def __init__(self, sandbox: dict[str, Any], sandbox_dir: Path, checkout: Path, folder: Path) -> None:
        self.regions = sandbox["regions"]
        self.folder = folder
        self.kubectl_path = str(sandbox_dir / "bin" / "kubectl")
        self.tiers = yaml.safe_load((checkout / "roles/tiers/defaults/main.yml").read_text(encoding="utf-8"))["tiers_catalogue"]
        self.run_id = secrets.token_hex(2)
        self.made: set[str] = set()

    def connection(self, region: str) -> dict[str, str]:
        return {key: self.regions[region]["kubernetes"][key] for key in ("kubeconfig", "context")}

    def tenant(self, name: str, **change: Any) -> dict[str, Any]:
        """A declaration; its id is ``ka-<name>-<run>``."""
        tenant_id = f"ka-{name}-{self.run_id}"
        self.made.add(f"tenant-{tenant_id}")
        return {"id": tenant_id, "name": f"Tenant {name}", "tier": "developer", "region": EAST, **change}

    def params(self, region: str, phase: str, tenants: list[dict[str, Any]], **change: Any) -> dict[str, Any]:
        endpoints = {name: parts["application"] for name, parts in self.regions.items()}
        for parts in endpoints.values():
            parts["postgresql"].setdefault("database", "leanvibe")
        return {
            "region": region,
            "phase": phase,
            "tenants": tenants,
            "tiers": self.tiers,
            "connection": self.connection(region),
            "secrets": {name: self.connection(name) for name in self.regions},
            "application_endpoints": endpoints,
            "timeout": 20,
            **change,
        }

    def module(self, region: str, phase: str, tenants: list[dict[str, Any]], *, check: bool = False, **change: Any) -> dict[str, Any]:
        """Run the module's main() as Ansible does and return its result."""
        # Not at the top: the collection becomes importable after this file is read.
        from ansible_collections.leanvibe.ops.plugins.modules import tenants_kubernetes

        output = io.StringIO()
        arguments = {**self.params(region, phase, tenants, **change), "_ansible_check_mode": check, "_ansible_diff": True}
        with patch_module_args(arguments), contextlib.redirect_stdout(output), pytest.raises(SystemExit):
            tenants_kubernetes.main()
        return dict(json.loads(output.getvalue()))

    def everything(self, tenants: list[dict[str, Any]], **change: Any) -> list[dict[str, Any]]:
        """Both phases in both regions."""
        ready = [item["id"] for item in tenants]
        return [self.module(region, phase, tenants, ready=ready, **change) for phase in ("prepare", "finish") for region in (EAST, WEST)]

    def kubectl(self, region: str, *arguments: str, given: Any = None, kubeconfig: Path | None = None, check: bool = True) -> subprocess.CompletedProcess[str]:
        """kubectl as administrator, or with another kubeconfig. ``given``: an object for ``-f -``."""
        connection = self.connection(region)
        access = ["--kubeconfig", str(kubeconfig)] if kubeconfig else ["--kubeconfig", connection["kubeconfig"], "--context", connection["context"]]
        text = json.dumps(given) if given is not None else None
        command = [self.kubectl_path, *access, "--request-timeout=20s", *arguments]
        done = subprocess.run(command, input=text, capture_output=True, text=True, timeout=60, check=False)
        if check and done.returncode != 0:
            raise AssertionError(f"kubectl {' '.join(arguments)}: {done.stderr}")
        return done

    def get(self, region: str, *arguments: str) -> Any:
        return json.loads(self.kubectl(region, "get", *arguments, "-o", "json", "--show-managed-fields").stdout)

    def snapshot(self, region: str, tenant: dict[str, Any]) -> dict[str, str]:
        """resourceVersion of everything in the tenant's namespace and of the namespace, by kind and name; empty if there is none."""
        namespace = f"tenant-{tenant['id']}"
        found = json.loads(self.kubectl(region, "get", "namespace", namespace, "--ignore-not-found", "-o", "json").stdout or "null")
        if found is None:
            return {}
        items = [found, *self.get(region, KINDS, "-n", namespace)["items"]]
        # The quota controller keeps counts in the quota's status; its spec has no generation to compare instead.
        return {
            f"{item['kind']}/{item['metadata']['name']}": (json.dumps(item["spec"]) if item["kind"] == "ResourceQuota" else item["metadata"]["resourceVersion"])
            for item in items
        }

    def token_kubeconfig(self, region: str, tenant: dict[str, Any], account: str = "tenant") -> Path:
        """A kubeconfig that holds a short-lived token of an account in the tenant's namespace and nothing else."""
        admin = yaml.safe_load(Path(self.connection(region)["kubeconfig"]).read_text(encoding="utf-8"))
        context = next(item["context"] for item in admin["contexts"] if item["name"] == self.connection(region)["context"])
        cluster = next(item["cluster"] for item in admin["clusters"] if item["name"] == context["cluster"])
        token = self.kubectl(region, "create", "token", account, "-n", f"tenant-{tenant['id']}", "--duration", "10m").stdout.strip()
        path = self.folder / f"{region}-{tenant['id']}-{account}"
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "t",
            "clusters": [{"name": "c", "cluster": cluster}],
            "users": [{"name": "u", "user": {"token": token}}],
            "contexts": [{"name": "t", "context": {"cluster": "c", "user": "u", "namespace": f"tenant-{tenant['id']}"}}],
        }
        path.touch(mode=0o600)
        path.write_text(yaml.safe_dump(config), encoding="utf-8")
        return path

    def remove(self) -> None:
        for region in self.regions:
            if self.made:
                self.kubectl(region, "delete", "namespace", "--ignore-not-found", "--wait=false", *sorted(self.made))


@pytest.fixture(scope="session")
def clusters(sandbox: dict[str, Any], sandbox_dir: Path, checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kubernetes]:
    """Both clusters of the running sandbox."""
    made = Kubernetes(sandbox, sandbox_dir, checkout, tmp_path_factory.mktemp("kubernetes"))
    yield made
    made.remove()


@pytest.fixture(scope="session")
def pod() -> Callable[..., dict[str, Any]]:
    """``pod("name", serviceAccountName="x")``: a pod that the restricted Pod Security standard admits, and changes to its spec."""

    def make(name: str, **change: Any) -> dict[str, Any]:
        container = {
            "name": "main",
            "image": "registry.example/app:1",
            "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
            **change.pop("container", {}),
        }
        security = {"runAsNonRoot": True, "runAsUser": 1000, "seccompProfile": {"type": "RuntimeDefault"}}
        spec = {"containers": [container], "securityContext": security, **change}
        return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec}

    return make


@pytest.fixture(scope="session")
def stores(clusters: Kubernetes, sandbox: dict[str, Any], credentials: dict[str, Any], sandbox_dir: Path) -> Iterator[Any]:
    """Redis, Neo4j and the object store of the running sandbox (stores.py)."""
    from stores import Stores, cleaned

    yield from cleaned(Stores(clusters, sandbox, credentials, sandbox_dir))
