# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Kubernetes objects, read with kubectl. The Secret's values are masked, but for what they say besides the password."""

from __future__ import annotations

import base64
import json
import re
import subprocess
from collections.abc import Iterable, Sequence
from typing import Any

from ..settings import REGIONS, BenchmarkError, Settings

LABEL = "leanvibe.ai/tenant-id"
KINDS = "namespaces,networkpolicies,configmaps,serviceaccounts,limitranges,resourcequotas,roles,rolebindings,secrets"
# What the API server adds by itself and what says who wrote it when.
_SERVERS = ("uid", "resourceVersion", "creationTimestamp", "generation", "managedFields", "selfLink")
_SECRET = ("S3_SECRET_ACCESS_KEY", "NEO4J_PASSWORD")


def read(settings: Settings, ids: Sequence[str]) -> dict[str, dict[str, dict[str, Any]]]:
    """``{"kubernetes <region>": {tenant: {"Kind name": content}}}``."""
    return {f"kubernetes {region}": _region(settings, region, set(ids)) for region in REGIONS}


def _region(settings: Settings, region: str, ids: set[str]) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for item in listed(settings, region, KINDS):
        tenant_id = item["metadata"]["labels"][LABEL]
        if tenant_id in ids:
            found.setdefault(tenant_id, {})[f"{item['kind']} {item['metadata']['name']}"] = _content(item)
    return found


def listed(settings: Settings, region: str, kinds: str) -> Iterable[dict[str, Any]]:
    """All objects of these kinds that carry our label."""
    access = settings.region(region)["kubernetes"]
    command = [settings.program("kubectl"), "--kubeconfig", access["kubeconfig"], "--context", access["context"], "get", kinds]
    command += ["--all-namespaces", "--selector", LABEL, "--output", "json", "--chunk-size", "2000"]
    answer = subprocess.run(command, capture_output=True, timeout=300, check=False)
    if answer.returncode:
        raise BenchmarkError(f"kubectl cannot read {region}: {answer.stderr.decode()[-500:]}")
    items: list[dict[str, Any]] = json.loads(answer.stdout)["items"]
    return items


def _content(item: dict[str, Any]) -> dict[str, Any]:
    content = {key: value for key, value in item.items() if key not in ("status", "apiVersion", "kind", "data")}
    content["metadata"] = {key: value for key, value in item["metadata"].items() if key not in _SERVERS}
    annotations = dict(content["metadata"].get("annotations") or {})
    content["metadata"]["annotations"] = annotations
    if "data" in item:
        content["data"] = {key: _shown(key, value) for key, value in item["data"].items()} if item["kind"] == "Secret" else item["data"]
    return content


def _shown(key: str, value: str) -> str:
    text = base64.b64decode(value).decode()
    if key in _SECRET:
        return f"<{len(text)} characters>"
    return re.sub(r"(?<=:)[^:/@]+(?=@)", "<password>", text)


def access_keys(objects: dict[str, Any]) -> list[str]:
    """The id of the tenant's key in the object store, from its Secret."""
    data = (objects.get("Secret tenant-credentials") or {}).get("data") or {}
    return [data["S3_ACCESS_KEY_ID"]] if "S3_ACCESS_KEY_ID" in data else []


def secrets(settings: Settings, region: str, ids: Iterable[str]) -> dict[str, dict[str, str]]:
    """The Secrets of these tenants in clear text, to log in with."""
    wanted = set(ids)
    found = {}
    for item in listed(settings, region, "secrets"):
        tenant_id = item["metadata"]["labels"][LABEL]
        if tenant_id in wanted:
            found[tenant_id] = {key: base64.b64decode(value).decode() for key, value in item["data"].items()}
    return found
