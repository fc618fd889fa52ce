# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A cluster of the running sandbox for tests of its health checks: kubectl to break and mend it, the module to look at it."""

from __future__ import annotations

import contextlib
import importlib
import io
import json
import os
import secrets
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psutil
import pytest
from ansible.module_utils.testing import patch_module_args

MODULES = "ansible_collections.leanvibe.ops.plugins.modules"
Object = dict[str, Any]
POD_SECURITY = {"runAsNonRoot": True, "runAsUser": 1000, "seccompProfile": {"type": "RuntimeDefault"}}
NOWHERE = {"hc/nowhere": "true"}


def ago(**how: float) -> str:
    """A time of the API."""
    return (datetime.now(UTC) - timedelta(**how)).strftime("%Y-%m-%dT%H:%M:%SZ")


def look(system: str, **parameters: Any) -> Object:
    """Run the module health_<system> as Ansible does and return what it found."""
    module = importlib.import_module(f"{MODULES}.health_{system}")
    output = io.StringIO()
    with patch_module_args({**parameters, "_ansible_check_mode": False}), contextlib.redirect_stdout(output), pytest.raises(SystemExit) as ended:
        module.main()
    answer = json.loads(output.getvalue())
    assert ended.value.code == 0, answer
    assert answer["changed"] is False
    return dict(answer["run"])


def verdicts(run: Object) -> dict[tuple[str, str], str]:
    """``(check, subject)`` of everything that is not ok."""
    return {(one["id"].partition(".")[2], one["subject"]): one["verdict"] for one in run["items"] if one["verdict"] != "ok"}


def told(run: Object) -> str:
    """Everything that is not ok, to be read by whoever's test fails."""
    return json.dumps([one for one in run["items"] if one["verdict"] != "ok"], indent=1)


def server_of(data: str, region: str, name: str) -> psutil.Process:
    """The one server of that name whose program and files lie in this sandbox's folder ``data``: several sandboxes may run on a machine.

    Raises AssertionError unless there is exactly one, so that nothing of anybody else's is ever stopped.
    """
    found = []
    for process in psutil.process_iter(["name", "cmdline"]):
        line = process.info["cmdline"] or []
        if process.info["name"] == name and line and line[0].startswith(f"{data}/") and any(f"{data}/{region}/" in word for word in line[1:]):
            found.append(process)
    assert len(found) == 1, f"{len(found)} servers {name} of {region} in {data}, and only one may be stopped"
    return found[0]


class Cluster:
    """One region's cluster. What it makes is named ``hc-…`` and removed at its end."""

    def __init__(self, sandbox: Object, sandbox_dir: Path, region: str) -> None:
        self.region = region
        self.parts = sandbox["regions"][region]["kubernetes"]
        self.folder = sandbox_dir
        self.data = str(sandbox["data"])
        self.space = f"hc-{secrets.token_hex(3)}"
        self.undo: list[Callable[[], Any]] = []

    def kubectl(self, *arguments: str, given: Any = None, check: bool = True) -> str:
        """kubectl as administrator. ``given``: objects for ``-f -``."""
        command = [str(self.folder / "bin" / "kubectl"), "--kubeconfig", self.parts["kubeconfig"], "--context", self.parts["context"], "--request-timeout=20s"]
        text = json.dumps(given) if given is not None else None
        done = subprocess.run([*command, *arguments], input=text, capture_output=True, text=True, timeout=60, check=False)
        if check and done.returncode != 0:
            raise AssertionError(f"kubectl {' '.join(arguments)}: {done.stderr}")
        return done.stdout

    def create(self, *objects: Object) -> None:
        for one in objects:
            self.kubectl("create", "-f", "-", given=one)

    def status(self, what: str, status: Object, *, space: str | None = "") -> None:
        """Patch the status of an object (``pod/x``)."""
        where = () if space is None else ("-n", space or self.space)
        self.kubectl("patch", what, *where, "--subresource=status", "--type=merge", "-p", json.dumps({"status": status}))

    def until(self, expected: str, *arguments: str, seconds: float = 20) -> None:
        """Wait until kubectl prints ``expected`` (at the beginning)."""
        deadline = time.monotonic() + seconds
        while not (printed := self.kubectl(*arguments, check=False).strip()).startswith(expected):
            assert time.monotonic() < deadline, f"kubectl {' '.join(arguments)} printed {printed!r} instead of {expected!r}"
            time.sleep(0.1)

    def field(self, what: str, path: str, expected: str, *, space: str | None = "") -> None:
        """Wait until a field of an object has a value, as kubectl sees it."""
        where = () if space is None else ("-n", space or self.space)
        self.until(expected, "get", what, *where, "-o", f"jsonpath={{{path}}}")

    def namespace(self, **meta: Any) -> None:
        self.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": self.space, **meta}})
        self.field("serviceaccount/default", ".metadata.name", "default")

    def tenant(self) -> str:
        """Make the namespace that of a tenant; its id."""
        tenant_id = f"t-{self.space}"
        self.kubectl("label", "namespace", self.space, f"leanvibe.ai/tenant-id={tenant_id}", "app.kubernetes.io/managed-by=leanvibe.ops")
        return tenant_id

    def look(self, *, only: tuple[str, ...] = (), health: bool = False, **change: Any) -> Object:
        options = {"controllers": self.parts.get("controllers", {}), **change.pop("options", {})}
        kubeconfig = self.parts["health_kubeconfig"] if health else self.parts["kubeconfig"]
        connection = {"kubeconfig": kubeconfig, "context": self.parts["context"]}
        return look("kubernetes", region=self.region, connection=connection, options=options, only=[f"kubernetes.{name}" for name in only], **change)

    def process(self, name: str) -> psutil.Process:
        """The server of this sandbox and region."""
        return server_of(self.data, self.region, name)

    @contextlib.contextmanager
    def paused(self, name: str) -> Iterator[None]:
        """Stop a server, and let it go on whatever happens."""
        process = self.process(name)
        os.kill(process.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(process.pid, signal.SIGCONT)

    def clean(self) -> None:
        """Undo, last first, everything of it even if a part fails; then the namespace goes."""
        problems = []
        for step in reversed(self.undo):
            try:
                step()
            except AssertionError as error:
                problems.append(str(error))
        self.undo.clear()
        self.kubectl("delete", "namespace", self.space, "--ignore-not-found", "--wait=false")
        assert not problems, problems

    def pod(self, name: str, **spec: Any) -> Object:
        """A pod that the restricted standard admits."""
        labels = spec.pop("labels", {})
        return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": self.space, "labels": labels}, "spec": self.pod_spec(**spec)}

    def pod_spec(self, **spec: Any) -> Object:
        container = {
            "name": "main",
            "image": "registry.example/app:1",
            "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
        }
        return {"containers": [container], "securityContext": POD_SECURITY, **spec}

    def deployment(self, name: str, *, labels: Object | None = None, **spec: Any) -> Object:
        labels = {"app": name, **(labels or {})}
        deadline = spec.pop("deadline", 600)
        template = {"metadata": {"labels": labels}, "spec": self.pod_spec(**spec)}
        body = {"replicas": 1, "progressDeadlineSeconds": deadline, "selector": {"matchLabels": {"app": name}}, "template": template}
        return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name, "namespace": self.space}, "spec": body}

    def waiting(self, name: str, reason: str) -> None:
        """A pod whose container waits for this reason, as a kubelet would say."""
        self.create(self.pod(name))
        self.field(f"pod/{name}", ".status.phase", "Running")
        state = {"waiting": {"reason": reason, "message": "made by a test"}}
        container = {"name": "main", "image": "x", "imageID": "", "ready": False, "restartCount": 0, "state": state}
        ready = {"type": "Ready", "status": "False", "lastTransitionTime": ago(hours=1)}
        self.status(f"pod/{name}", {"containerStatuses": [container], "conditions": [ready]})
        self.field(f"pod/{name}", ".status.containerStatuses[0].state.waiting.reason", reason)
