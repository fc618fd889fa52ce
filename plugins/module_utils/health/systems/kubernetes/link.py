# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the health checks reach a cluster."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from ....clients.kubernetes import KubernetesClient
from ...arguments import run_from
from ...model import NoData
from ...reading import json_of
from ...runner import Link
from . import CHECKS
from .api import answers
from .cluster import SYSTEM, Cluster


def _clock(date: str) -> datetime:
    """The server's clock, to the second; ours if it does not say."""
    try:
        return parsedate_to_datetime(date).astimezone(UTC)
    except (TypeError, ValueError):
        return datetime.now(UTC)


def connect(connection: Mapping[str, Any], seconds: float) -> Cluster:
    """Log in and ask for the version. Raises OpsError."""
    api = KubernetesClient.connect(connection, "leanvibe.ops", seconds, connections=2)
    answer = api.plain("/version")
    said = json_of(answer.text, f"{api.server}/version")
    if not isinstance(said, dict) or not said.get("gitVersion"):
        raise NoData(f"{api.server}/version answered status {answer.status} and no version")
    version = tuple(int(re.sub(r"\D", "", str(said.get(part, ""))) or 0) for part in ("major", "minor"))
    now = _clock(answer.date)
    return Cluster(api, (version[0], version[1]), str(said["gitVersion"]), now)


def explain(error: Exception) -> Exception:
    """A body that is not JSON is no data."""
    return NoData(f"the API answered something that is not JSON ({error})") if isinstance(error, json.JSONDecodeError) else error


def link(connection: Mapping[str, Any]) -> Link[Cluster]:
    """The link to the cluster of a kubeconfig."""
    return Link(
        connect=lambda seconds: connect(connection, seconds),
        answers=_answers,
        close=lambda cluster: cluster.api.__exit__(None, None, None),
        limit=_limit,
        explain=explain,
        loads=("urllib3", "yaml"),
    )


def _limit(cluster: Cluster, seconds: float) -> None:
    cluster.api.timeout = seconds


def _answers(cluster: Cluster, seconds: float) -> None:
    _limit(cluster, seconds)
    answers(cluster, seconds)


def run(params: Mapping[str, Any]) -> dict[str, Any]:
    """One call of the module health_kubernetes: what the checks found, and facts for comparisons."""
    done = run_from(params, SYSTEM, CHECKS, link(params["connection"]))
    return done.to_mapping()
