# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How kwok plays a kubelet: the stages through which it leads nodes and pods.

A pod labelled ``sandbox.leanvibe.ai/broken`` never becomes ready and shows a container that crashes, so that tests of health
checks have something to find.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...common.lazy import LazyModule

if TYPE_CHECKING:
    import yaml
else:
    yaml = LazyModule("yaml")


BROKEN = "sandbox.leanvibe.ai/broken"

_CONDITIONS = """\
{{ $now := Now }}
conditions:
{{ range NodeConditions }}
- {type: {{ .type | Quote }}, status: {{ .status | Quote }}, reason: {{ .reason | Quote }}, message: {{ .message | Quote }},
   lastHeartbeatTime: {{ $now | Quote }}, lastTransitionTime: {{ or $.metadata.creationTimestamp $now | Quote }}}
{{ end }}
"""
_NODE = (
    _CONDITIONS
    + """\
addresses:
- {type: InternalIP, address: {{ NodeIP | Quote }}}
- {type: Hostname, address: {{ NodeName | Quote }}}
nodeInfo: {architecture: amd64, operatingSystem: linux, osImage: simulated, kernelVersion: simulated, machineID: "", systemUUID: "", bootID: "",
  kubeletVersion: {{ printf "kwok-%s" Version | Quote }}, kubeProxyVersion: "", containerRuntimeVersion: {{ printf "kwok-%s" Version | Quote }}}
phase: Running
"""
)
_ADDRESSES = """\
{{ with PodIPsWith .spec.nodeName ( or .spec.hostNetwork false ) ( or .metadata.uid "" ) ( or .metadata.name "" ) ( or .metadata.namespace "" ) }}
podIP: {{ index . 0 | Quote }}
podIPs:
{{ range . }}
- {ip: {{ . | Quote }}}
{{ end }}
{{ end }}
startTime: {{ $now | Quote }}
phase: Running
"""
_READY = (
    """\
{{ $now := Now }}
conditions:
{{ range $type := list "Initialized" "ContainersReady" "Ready" }}
- {type: {{ $type }}, status: "True", lastTransitionTime: {{ $now | Quote }}}
{{ end }}
containerStatuses:
{{ range .spec.containers }}
- {name: {{ .name | Quote }}, image: {{ .image | Quote }}, ready: true, started: true, restartCount: 0, state: {running: {startedAt: {{ $now | Quote }}}}}
{{ end }}
initContainerStatuses:
{{ range .spec.initContainers }}
- {name: {{ .name | Quote }}, image: {{ .image | Quote }}, ready: true, restartCount: 0,
   state: {terminated: {exitCode: 0, reason: Completed, startedAt: {{ $now | Quote }}, finishedAt: {{ $now | Quote }}}}}
{{ end }}
"""
    + _ADDRESSES
)
_CRASHING = (
    """\
{{ $now := Now }}
conditions:
- {type: Initialized, status: "True", lastTransitionTime: {{ $now | Quote }}}
- {type: ContainersReady, status: "False", reason: ContainersNotReady, lastTransitionTime: {{ $now | Quote }}}
- {type: Ready, status: "False", reason: ContainersNotReady, lastTransitionTime: {{ $now | Quote }}}
containerStatuses:
{{ range .spec.containers }}
- {name: {{ .name | Quote }}, image: {{ .image | Quote }}, ready: false, started: false, restartCount: 5,
   state: {waiting: {reason: CrashLoopBackOff, message: this pod is labelled as broken}}}
{{ end }}
"""
    + _ADDRESSES
)
_COMPLETE = """\
{{ $now := Now }}
containerStatuses:
{{ range .spec.containers }}
- {name: {{ .name | Quote }}, image: {{ .image | Quote }}, ready: false, started: false, restartCount: 0,
   state: {terminated: {exitCode: 0, reason: Completed, startedAt: {{ $now | Quote }}, finishedAt: {{ $now | Quote }}}}}
{{ end }}
phase: Succeeded
"""
_IS_READY = '.status.conditions.[] | select( .type == "Ready" ) | .status'


def _stage(name: str, kind: str, conditions: list[tuple[str, str, str | None]], following: dict[str, Any], delay_ms: int = 0) -> dict[str, Any]:
    expressions = [{"key": key, "operator": operator, **({} if value is None else {"values": [value]})} for key, operator, value in conditions]
    spec: dict[str, Any] = {"resourceRef": {"apiGroup": "v1", "kind": kind}, "selector": {"matchExpressions": expressions}, "next": following}
    if delay_ms:
        spec["delay"] = {"durationMilliseconds": delay_ms}
    return {"apiVersion": "kwok.x-k8s.io/v1alpha1", "kind": "Stage", "metadata": {"name": name}, "spec": spec}


def configuration() -> str:
    """kwok's configuration file."""
    living = (".metadata.deletionTimestamp", "DoesNotExist", None)
    pending = (".status.phase", "In", "Pending")
    broken = f'.metadata.labels["{BROKEN}"]'
    job = (".metadata.ownerReferences.[].kind", "In", "Job")
    stages = [
        _stage("node-joins", "Node", [(_IS_READY, "NotIn", "True")], {"statusTemplate": _NODE}),
        # The node's lease is renewed every few seconds; its status only says once in a while that nothing changed.
        _stage("node-lives", "Node", [(_IS_READY, "In", "True")], {"statusTemplate": _CONDITIONS}, delay_ms=300_000),
        _stage("pod-becomes-ready", "Pod", [living, pending, (_IS_READY, "NotIn", "True"), (broken, "DoesNotExist", None)], {"statusTemplate": _READY}),
        _stage("pod-crashes", "Pod", [living, pending, (broken, "Exists", None)], {"statusTemplate": _CRASHING}),
        _stage("pod-of-job-ends", "Pod", [living, (".status.phase", "In", "Running"), job], {"statusTemplate": _COMPLETE}, delay_ms=200),
        _stage("pod-goes", "Pod", [(".metadata.deletionTimestamp", "Exists", None)], {"delete": True}),
    ]
    return yaml.safe_dump_all(stages, sort_keys=False)
