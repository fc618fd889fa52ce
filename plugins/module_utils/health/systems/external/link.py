# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the health checks reach services outside the platform."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...arguments import run_from
from ...runner import Link
from . import CHECKS
from .mail import NONE, STARTTLS, TLS
from .services import SYSTEM, Services

# Documented by leanvibe.ops.health_external.
CONNECTION: dict[str, Any] = {
    "billing": {"type": "dict", "options": {"url": {"type": "str", "required": True}, "ca_file": {"type": "path"}}},
    "identity": {"type": "dict", "options": {"issuer": {"type": "str", "required": True}, "ca_file": {"type": "path"}}},
    "mail": {
        "type": "dict",
        "options": {
            "host": {"type": "str", "required": True},
            "port": {"type": "int", "default": 587},
            "security": {"type": "str", "default": STARTTLS, "choices": [STARTTLS, TLS, NONE]},
            "ca_file": {"type": "path"},
        },
    },
}


def link(connection: Mapping[str, Any]) -> Link[Services]:
    """Each service is its own: that one is silent says nothing about the others, so there is nothing that all of them hang on."""
    return Link(
        connect=lambda _seconds: Services({name: connection[name] for name in CONNECTION if connection.get(name)}),
        answers=lambda _services, _seconds: None,
        close=_close,
        loads=("urllib3",),
    )


def _close(services: Services) -> None:
    for web in services.webs:
        web.close()


def run(params: Mapping[str, Any]) -> dict[str, Any]:
    """One call of the module health_external: what the checks found."""
    return run_from(params, SYSTEM, CHECKS, link(params["connection"])).to_mapping()
