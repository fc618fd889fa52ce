# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests for versions of the API that a coming release no longer serves."""

from __future__ import annotations

import re
from collections.abc import Iterable

from ...model import Finding, NoData, Threshold
from ..folding import told
from .cluster import Run, check

_METRIC = re.compile(r"^apiserver_requested_deprecated_apis\{([^}]*)\} (\S+)", re.MULTILINE)
_LABEL = re.compile(r'(\w+)="([^"]*)"')


def _requested(session: Run) -> Iterable[Finding]:
    """The metric counts since the API server started, and tells of that API server only. What no release removes is no finding."""
    answer = session.client.api.plain("/metrics")
    if answer.status != 200 or "apiserver_request_total" not in answer.text:
        raise NoData(f"/metrics answered status {answer.status} without the API server's metrics")
    major, minor = session.client.version
    found, harmless = [], set()
    for labels, value in _METRIC.findall(answer.text):
        if float(value) == 0:
            continue
        known = dict(_LABEL.findall(labels))
        name = f"{known.get('resource', '')}.{known.get('version', '')}.{known.get('group') or 'core'}".lower()
        removed = re.fullmatch(r"(\d+)\.(\d+)", known.get("removed_release", ""))
        if removed is None:
            harmless.add(name)
            continue
        left = (int(removed[1]) - major) * 100 + int(removed[2]) - minor
        message = f"{name} was asked for since the API server started; release {known['removed_release']} does not serve it any more ({left} releases from now)"
        found.append(Finding(observed=left, name=name, message=message))
    what = "deprecated API versions asked for"
    fine = f"no version was asked for that will be removed (deprecated, and kept: {', '.join(sorted(harmless)) or 'none'})"
    return told(session, found, len(found), what, none_is_fine=fine)


CHECKS = (
    check(
        "deprecated_apis",
        "Are versions of the API in use that will be removed?",
        _requested,
        "kubectl get --raw /metrics | grep apiserver_requested_deprecated_apis",
        "get on the path /metrics",
        threshold=Threshold(degraded=2, worse="lower", unit="releases", source="ours: a release comes every four months, and clients take one to be changed"),
        cost="medium",
        timeout=10.0,
    ),
)
