# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The API server itself, and the controllers that act on what it holds."""

from __future__ import annotations

import re
import statistics
import time
from collections.abc import Iterable, Iterator
from typing import Any

from ....clients.kubernetes import Object, Plain, Resource
from ....common.errors import OpsError, Unreachable
from ....reports.model import CRITICAL, OK
from ... import clocks
from ...model import Check, Finding, NoData, NotApplicable, Threshold
from ..folding import told
from .cluster import NAMESPACES, SYSTEM, Cluster, Run, check, listed, stamp

LEASES = Resource("coordination.k8s.io/v1", "Lease", "leases")
API_SERVICES = Resource("apiregistration.k8s.io/v1", "APIService", "apiservices", namespaced=False)
CONTROLLERS = ("kube-controller-manager", "kube-scheduler")
_STEP = re.compile(r"^\[([+-])\](\S+)", re.MULTILINE)
_READS = 3  # the median of three does not take one pause of the network for a slow API


def _ready(session: Run) -> Iterator[Finding]:
    major, minor = session.client.version
    session.facts["version"] = {"major": major, "minor": minor, "release": session.client.release}
    answer = _said(session)
    steps = _STEP.findall(answer.text)
    failed = [name for sign, name in steps if sign == "-"]
    if answer.status == 200 and steps and not failed:
        yield Finding(observed=0, verdict=OK, message=f"{len(steps)} of its checks passed; version {session.client.release}")
    elif failed:
        yield Finding(observed=len(failed), verdict=CRITICAL, message=f"not ready: {', '.join(failed)} failed", evidence=answer.text[-2000:])
    elif answer.status >= 500:
        yield Finding(verdict=CRITICAL, message=f"not ready: status {answer.status}", evidence=answer.text[-2000:])
    else:
        raise NoData(f"/readyz?verbose answered status {answer.status} without naming a check; is there a proxy in between? {answer.text[:60]}")


def _said(session: Run) -> Plain:
    """What /readyz says, asked for once."""
    return session.once("readyz", lambda cluster: cluster.api.plain("/readyz?verbose"))


def _without_store(text: str) -> bool:
    return any(sign == "-" and name.startswith("etcd") for sign, name in _STEP.findall(text))


def _latency(session: Run) -> Iterator[Finding]:
    """Without its store the API server answers nothing that follows: that is said at once, instead of waiting for it."""
    try:
        gone = _without_store(_said(session).text)
    except OpsError:
        gone = False  # kubernetes.api_ready tells why it could not be asked; reading an object needs none of it
    if gone:
        raise Unreachable(f"Kubernetes at {session.client.api.server} does not reach its store (etcd)")
    took = []
    for _time in range(_READS):
        began = time.monotonic()
        session.client.api.get(NAMESPACES, None, "default")
        took.append(time.monotonic() - began)
    yield Finding(observed=round(statistics.median(took), 4), message=f"median of {_READS} reads of one object; the slowest took {max(took):.3f} s")


def _clock(session: Run) -> Iterator[Finding]:
    api = session.client.api
    yield clocks.asked(session, f"{SYSTEM}.clock", lambda: api.plain("/version").date, f"{api.server}/version")


def _lease(item: Object) -> tuple[str, str, str]:
    spec = item.get("spec") or {}
    return str(item["metadata"]["name"]), str(spec.get("holderIdentity") or ""), str(spec.get("renewTime") or "")


def _controllers(session: Run) -> Iterable[Finding]:
    """Their leases tell wherever controllers elect a leader; where there is one of each, the inventory may name the addresses of their health."""
    addresses: dict[str, Any] = dict(session.options.get("controllers") or {})
    found = []
    for name, url in addresses.items():
        problem = _unwell(session.client, str(url))
        if problem:
            found.append(Finding(verdict=CRITICAL, name=name, message=f"{name} is not healthy: {problem}", query=f"GET {url}"))
    leases = {name: renewed for name, _holder, renewed in listed(session, LEASES, _lease, namespace="kube-system") if name in CONTROLLERS}
    for name, renewed in leases.items():
        since = stamp(renewed)
        if since is None:
            raise NoData(f"the lease kube-system/{name} says not when it was renewed")
        age = round(max(0.0, (session.client.now - since).total_seconds()), 1)
        found.append(Finding(observed=age, name=name, message=f"{name}: nobody has held the leader's lease for {age:g} s"))
    looked_at = len(addresses) + len(leases)
    if not looked_at:
        raise NotApplicable(
            "controllers leave no lease in kube-system (they elect no leader, or the provider hides them), and the option controllers names no addresses"
        )
    return told(session, found, looked_at, "controllers")


def _unwell(cluster: Cluster, url: str) -> str:
    """Why a controller's health address does not answer 200, "" if it does."""
    import urllib3

    pool = urllib3.PoolManager(ssl_context=cluster.api.access.tls, retries=False)
    try:
        answer = pool.request("GET", url, timeout=urllib3.Timeout(total=min(2.0, cluster.api.timeout)), redirect=False)
    except urllib3.exceptions.HTTPError as error:
        return f"{url} does not answer ({type(error).__name__})"
    finally:
        pool.clear()
    return "" if answer.status == 200 else f"{url} answers {answer.status}: {answer.data[:200].decode('utf-8', 'replace')}"


def _service(item: Object) -> tuple[str, bool, str]:
    spec, status = item.get("spec") or {}, item.get("status") or {}
    available = next((one for one in status.get("conditions") or [] if one["type"] == "Available"), None)
    fine = not spec.get("service") or (available is not None and available["status"] == "True")
    return str(item["metadata"]["name"]), fine, str((available or {}).get("message") or "it has not been tried yet")


def _api_services(session: Run) -> Iterable[Finding]:
    services = listed(session, API_SERVICES, _service)
    bad = [Finding(verdict=CRITICAL, name=name, message=f"{name} is not served: {reason}") for name, fine, reason in services if not fine]
    return told(session, bad, len(services), "groups of the API")


def answers(cluster: Cluster, _seconds: float) -> None:
    """The smallest answer that says that the API server lives and reaches its store. Raises Unreachable."""
    answer = cluster.api.plain("/readyz?verbose")
    if _without_store(answer.text):
        raise Unreachable(f"Kubernetes at {cluster.api.server} does not reach its store (etcd)")
    if answer.status >= 500 and not _STEP.search(answer.text):
        raise OpsError(f"Kubernetes at {cluster.api.server} answers status {answer.status}")


CHECKS: tuple[Check[Cluster], ...] = (
    check("api_ready", "Is the API server ready, with everything that it needs?", _ready, "kubectl get --raw '/readyz?verbose'", "get on the path /readyz"),
    check(
        "api_latency",
        "How long does reading one object take?",
        _latency,
        "time kubectl get namespace default",
        "get namespaces",
        threshold=Threshold(degraded=1, critical=5, unit="s", source="Kubernetes' own objective: 99 % of calls on one object take at most 1 s"),
    ),
    check(
        "clock",
        "How far is the API server's clock from ours?",
        _clock,
        "curl -sSI SERVER/version | grep -i '^date'; date -u",
        "",
        threshold=clocks.BY_HEADER,
    ),
    check(
        "controllers",
        "Are the controller manager and the scheduler at work?",
        _controllers,
        "kubectl get leases -n kube-system kube-controller-manager kube-scheduler",
        "list leases (coordination.k8s.io) in kube-system",
        threshold=Threshold(degraded=30, critical=120, unit="s", source="a leader renews every 2 s and loses its lease after 15 s (defaults of Kubernetes)"),
    ),
    check(
        "api_services",
        "Is every group of the API served that others provide?",
        _api_services,
        "kubectl get apiservices",
        "list apiservices (apiregistration.k8s.io)",
    ),
)
