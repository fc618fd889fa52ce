# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the health checks reach the application."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ....clients.web import Web
from ...arguments import run_from
from ...runner import Link
from . import CHECKS
from .service import SYSTEM, Service, limit

_ACCOUNT: dict[str, Any] = {
    "type": "dict",
    "options": {"account": {"type": "str", "required": True}, "password": {"type": "str", "required": True, "no_log": True}},
}
# Documented by leanvibe.ops.health_backend.
CONNECTION: dict[str, Any] = {
    "url": {"type": "str", "required": True},
    "direct_url": {"type": "str"},
    "worker_url": {"type": "str"},
    "ca_file": {"type": "path"},
    "probe": _ACCOUNT,
    "provisioner": _ACCOUNT,
}


def link(connection: Mapping[str, Any]) -> Link[Service]:
    """The link to the application of a region."""

    def connect(seconds: float) -> Service:
        ca_file = connection.get("ca_file")
        users = Web(str(connection["url"]), seconds, ca_file)
        direct, worker = (Web(str(connection[name]), seconds, ca_file) if connection.get(name) else None for name in ("direct_url", "worker_url"))
        accounts = {role: connection[role] for role in ("probe", "provisioner") if connection.get(role)}
        service = Service(users, direct, worker, accounts)
        users.request("GET", "/health")  # any answer will do: what it says is a check's business
        return service

    return Link(connect=connect, answers=_answers, close=_close, limit=limit, loads=("urllib3", "websockets.sync.client", "prometheus_client.parser"))


def _answers(service: Service, seconds: float) -> object:
    service.users.seconds = seconds
    return service.users.request("GET", "/health")


def _close(service: Service) -> None:
    for web in service.webs():
        web.close()


def run(params: Mapping[str, Any]) -> dict[str, Any]:
    """One call of the module health_backend: what the checks found."""
    return run_from(params, SYSTEM, CHECKS, link(params["connection"])).to_mapping()
