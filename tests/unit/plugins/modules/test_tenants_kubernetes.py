# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""tenants_kubernetes as Ansible calls it: what reaches the work, and what becomes of its result and its errors."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible.module_utils.testing import patch_module_args
from ansible_collections.leanvibe.ops.plugins.module_utils.common.errors import AccessDenied
from ansible_collections.leanvibe.ops.plugins.modules import tenants_kubernetes

GIVEN = {
    "phase": "prepare",
    "region": "us-east-1",
    "connection": {"kubeconfig": "/nonexistent/kubeconfig"},
    "tenants": [],
    "tiers": {"team": {}},
    "application_endpoints": {
        "us-east-1": {"postgresql": {"host": "h", "port": 1, "database": "d"}, "redis": {"host": "h", "port": 2}, "object_store": {"endpoint": "e"}}
    },
}


def call(capsys: pytest.CaptureFixture[str], **change: Any) -> dict[str, Any]:
    with patch_module_args({**GIVEN, **change}), pytest.raises(SystemExit):
        tenants_kubernetes.main()
    return dict(json.loads(capsys.readouterr().out))


def test_without_tenants_nothing_is_read_and_nothing_changes(capsys: pytest.CaptureFixture[str]) -> None:
    returned = call(capsys)
    assert (returned["changed"], returned["results"], returned["system"]) == (False, [], "kubernetes")


def test_arguments_reach_the_work_with_their_defaults(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[str, Any] = {}

    def run(params: dict[str, Any], **modes: bool) -> dict[str, Any]:
        seen.update(params, **modes)
        return {"changed": True}

    monkeypatch.setattr(tenants_kubernetes, "run", run)
    assert call(capsys, _ansible_check_mode=True, _ansible_diff=True)["changed"] is True
    assert (seen["check_mode"], seen["diff"], seen["concurrency"], seen["timeout"], seen["ready"], seen["neo4j_isolation"]) == (True, True, 16, 10, [], False)
    assert seen["network"] == {
        "dns_namespace": "kube-system",
        "dns_labels": {"k8s-app": "kube-dns"},
        "platform_namespaces": ["leanvibe-production"],
        "monitoring_namespaces": ["leanvibe-monitoring"],
        "egress": [],
    }


def test_an_error_of_ours_fails_the_module_with_its_details(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def run(_params: dict[str, Any], **_modes: bool) -> dict[str, Any]:
        raise AccessDenied("you cannot list secrets", verb="list")

    monkeypatch.setattr(tenants_kubernetes, "run", run)
    returned = call(capsys)
    assert (returned["failed"], returned["msg"], returned["verb"]) == (True, "you cannot list secrets", "list")


def test_a_kubeconfig_that_is_not_there_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    returned = call(capsys, tenants=[{"id": "acme", "name": "Acme", "tier": "team", "region": "us-east-1"}])
    assert returned["failed"] is True
    assert "/nonexistent/kubeconfig" in returned["msg"]


@pytest.mark.parametrize(
    ("change", "said"), [({"phase": "destroy"}, "must be one of: prepare, finish"), ({"tiers": None}, "argument 'tiers' is of type NoneType")]
)
def test_arguments_that_make_no_sense_are_refused(capsys: pytest.CaptureFixture[str], change: dict[str, Any], said: str) -> None:
    returned = call(capsys, **change)
    assert returned["failed"] is True
    assert said in returned["msg"]
