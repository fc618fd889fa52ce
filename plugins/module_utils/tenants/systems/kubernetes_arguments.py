# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The arguments that tenants_kubernetes has besides the common ones; documented there."""

from __future__ import annotations

from typing import Any

_PORT: dict[str, Any] = {"port": {"type": "int", "required": True}, "protocol": {"type": "str", "choices": ["TCP", "UDP"], "default": "TCP"}}
_EGRESS: dict[str, Any] = {"cidr": {"type": "str", "required": True}, "ports": {"type": "list", "elements": "dict", "required": True, "options": _PORT}}

ARGUMENTS: dict[str, dict[str, Any]] = {
    "phase": {"type": "str", "required": True, "choices": ["prepare", "finish"]},
    "ready": {"type": "list", "elements": "str", "default": []},
    "application_endpoints": {"type": "dict", "required": True},
    "neo4j_isolation": {"type": "bool", "default": False},
    "network": {
        "type": "dict",
        "apply_defaults": True,
        "options": {
            "dns_namespace": {"type": "str", "default": "kube-system"},
            "dns_labels": {"type": "dict", "default": {"k8s-app": "kube-dns"}},
            "platform_namespaces": {"type": "list", "elements": "str", "default": ["leanvibe-production"]},
            "monitoring_namespaces": {"type": "list", "elements": "str", "default": ["leanvibe-monitoring"]},
            "egress": {"type": "list", "elements": "dict", "default": [], "options": _EGRESS},
        },
    },
}
