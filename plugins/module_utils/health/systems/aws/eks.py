# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""EKS: clusters and their node groups. What runs in them is Kubernetes' to tell."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ....clients.aws import AwsClient, AwsError
from ....reports.model import CRITICAL, DEGRADED, OK
from ...model import Check, Finding, Session
from .account import SYSTEM, TIMEOUT, Account, departures, missing, named

_KNOWN = frozenset({"version"})
_MOST = 20  # node groups of a cluster that are looked at; each is a request


def _issues(thing: Mapping[str, Any]) -> str:
    return "; ".join(f"{issue.get('code')}: {issue.get('message')}" for issue in (thing.get("health") or {}).get("issues") or [])


def _judged(name: str, thing: Mapping[str, Any], what: str) -> Finding:
    status, issues = str(thing["status"]), _issues(thing)
    if status == "ACTIVE" and not issues:
        return Finding(observed=status, verdict=OK, name=name, message=f"{what} is active, version {thing.get('version')}")
    verdict = DEGRADED if status in ("ACTIVE", "UPDATING") else CRITICAL
    return Finding(observed=status, verdict=verdict, name=name, message=f"{what} is {status}{': ' if issues else ''}{issues}")


def _node_groups(eks: AwsClient, cluster: str) -> Iterator[Finding]:
    names = eks.pages("list_nodegroups", "nodegroups", "nextToken", "nextToken", clusterName=cluster)
    for group in names[:_MOST]:
        answer = eks.call("describe_nodegroup", clusterName=cluster, nodegroupName=str(group))
        yield _judged(f"{cluster}/{group}", answer["nodegroup"], f"node group {group}")
    if len(names) > _MOST:
        yield Finding(observed=len(names), verdict=DEGRADED, name=f"{cluster}/further", message=f"{len(names) - _MOST} more node groups were not looked at")


def _clusters(session: Session[Account]) -> Iterator[Finding]:
    declared = named(session, "eks_clusters", "EKS cluster", _KNOWN)
    eks = session.client.service("eks")
    for name, wanted in declared.items():
        try:
            cluster = eks.call("describe_cluster", name=name)["cluster"]
        except AwsError as error:
            if error.code != "ResourceNotFoundException":
                raise
            yield missing(name, "EKS cluster")
            continue
        yield _judged(name, cluster, "the cluster")
        yield from departures(name, wanted, {"version": cluster.get("version")})
        yield from _node_groups(eks, name)


CLUSTERS = Check(
    id="aws.eks_clusters",
    question="Are the clusters and their node groups active, without issues that AWS knows of?",
    system=SYSTEM,
    query="aws eks describe-cluster --name <name>; aws eks describe-nodegroup --cluster-name <name> --nodegroup-name <group>",
    runbook="runbooks/aws.md#eks_clusters",
    grants=("eks:DescribeCluster", "eks:ListNodegroups", "eks:DescribeNodegroup"),
    timeout=TIMEOUT,
    run=_clusters,
)
