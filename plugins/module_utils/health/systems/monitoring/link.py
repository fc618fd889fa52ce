# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the health checks reach the monitoring. Two servers, so two runs side by side: if one is silent, the other still tells."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

from ....clients.web import NotTrusted, Web
from ...arguments import run_from
from ...clocks import FACT
from ...model import Check
from ...results import Run
from ...runner import Link
from . import OF_ALERTMANAGER, OF_PROMETHEUS
from .server import SYSTEM, Server

REQUEST_SECONDS = 4.0
# Documented by leanvibe.ops.health_monitoring.
CONNECTION: dict[str, Any] = {
    "prometheus_url": {"type": "str", "required": True},
    "alertmanager_url": {"type": "str", "required": True},
    "token": {"type": "str", "no_log": True},
    "username": {"type": "str"},
    "password": {"type": "str", "no_log": True},
    "ca_file": {"type": "path"},
}
CONNECTION_RULES: dict[str, Any] = {"required_together": [["username", "password"]], "mutually_exclusive": [["token", "username"]]}


def link(url: str, connection: Mapping[str, Any]) -> Link[Server]:
    """The link to one of the servers."""

    def connect(seconds: float) -> Server:
        login = (str(connection["username"]), str(connection["password"])) if connection.get("username") else None
        server = Server(Web(url, seconds, connection.get("ca_file")), connection.get("token") or "", login)
        with suppress(NotTrusted):  # what is wrong with it the first check tells
            server.web.request("GET", "/-/ready")  # any answer will do: what it says is a check's business
        return server

    return Link(connect=connect, answers=_answers, close=lambda server: server.web.close(), limit=_limit, loads=("urllib3", "prometheus_client.parser"))


def _limit(server: Server, seconds: float) -> None:
    server.web.seconds = min(seconds, REQUEST_SECONDS)


def _answers(server: Server, seconds: float) -> object:
    server.web.seconds = seconds
    return server.web.request("GET", "/-/ready")


def run(params: Mapping[str, Any], more: Sequence[Check[Server]] = ()) -> dict[str, Any]:
    """One call of the module health_monitoring: what the checks found. ``more`` are further checks of Prometheus."""
    connection = params["connection"]
    parts: Sequence[tuple[str, Sequence[Check[Server]]]] = (("prometheus_url", (*OF_PROMETHEUS, *more)), ("alertmanager_url", OF_ALERTMANAGER))
    with ThreadPoolExecutor(max_workers=len(parts)) as pool:
        first, second = pool.map(lambda part: run_from(params, SYSTEM, part[1], link(str(connection[part[0]]), connection)), parts)
    both = Run(SYSTEM, params["region"], first.items + second.items, first.checks + second.checks, seconds=max(first.seconds, second.seconds))
    both.facts = {**first.facts, **second.facts, FACT: {**first.facts.get(FACT, {}), **second.facts.get(FACT, {})}}
    return both.to_mapping()
