# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is compared between primary and standby."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.leanvibe.ops.plugins.module_utils.health.comparisons import compare
from ansible_collections.leanvibe.ops.plugins.module_utils.health.results import Run
from ansible_collections.leanvibe.ops.plugins.module_utils.health.systems.postgresql import COMPARISONS, configuration
from postgresql_fakes import MEBIBYTE, setting

EAST, WEST = "us-east-1", "us-west-2"


def compared(name: str, fact: str, east: Any, west: Any) -> dict[str, tuple[str, Any]]:
    runs = [Run("postgresql", region, facts={} if value is None else {fact: value}) for region, value in ((EAST, east), (WEST, west))]
    items, _done = compare([about for about in COMPARISONS if about.id == f"postgresql.{name}"], runs, {"postgresql": [EAST, WEST]})
    return {item["subject"]: (item["verdict"], item["observed"]) for item in items}


def server(recovering: bool, identifier: str = "1") -> dict[str, Any]:
    return {"recovering": recovering, "identifier": identifier}


@pytest.mark.parametrize(
    ("east", "west", "expected"),
    [
        (server(False), server(True), {"control/postgresql": "ok"}),
        (server(True), server(True), {"control/postgresql": "critical"}),
        (server(False), server(False), {"control/postgresql": "critical"}),
        (server(False), server(True, "2"), {"control/postgresql": "ok", f"{WEST}/postgresql/identity": "critical"}),
        (server(False), None, {"control/postgresql": "unknown"}),
    ],
)
def test_one_primary(east: Any, west: Any, expected: dict[str, str]) -> None:
    assert {subject: verdict for subject, (verdict, _value) in compared("one_primary", "server", east, west).items()} == expected


def beat(recovering: bool, at: float | None, reason: str = "") -> dict[str, Any]:
    return {"recovering": recovering, "at": at, "reason": reason}


@pytest.mark.parametrize(
    ("east", "west", "expected"),
    [
        (beat(False, 1000.0), beat(True, 998.0), {f"{WEST}/postgresql": ("ok", 2.0)}),
        # The standby was read a moment later.
        (beat(False, 1000.0), beat(True, 1001.0), {f"{WEST}/postgresql": ("ok", 0.0)}),
        (beat(False, 1000.0), beat(True, 960.0), {f"{WEST}/postgresql": ("degraded", 40.0)}),
        (beat(False, 1000.0), beat(True, 600.0), {f"{WEST}/postgresql": ("critical", 400.0)}),
        (beat(False, None, "no table"), beat(True, None, "no table"), {"control/postgresql": ("skipped", None)}),
        (beat(True, 1.0), beat(True, 1.0), {"control/postgresql": ("skipped", None)}),
        (beat(False, 1000.0), None, {"control/postgresql": ("unknown", None)}),
    ],
)
def test_replication_lag(east: Any, west: Any, expected: dict[str, Any]) -> None:
    assert compared("replication_lag", "heartbeat", east, west) == expected


def both(**changed: str) -> tuple[dict[str, Any], dict[str, Any]]:
    usual = {"max_connections": "100", "shared_buffers": "8192 8kB", "work_mem": "2048 kB"}
    return {"recovering": False, "values": usual}, {"recovering": True, "values": {**usual, **changed}}


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({}, {f"{WEST}/postgresql": ("ok", 3)}),
        ({"max_connections": "99"}, {f"{WEST}/postgresql/max_connections": ("critical", None)}),
        ({"max_connections": "101"}, {f"{WEST}/postgresql/max_connections": ("degraded", None)}),
        ({"work_mem": "4096 kB"}, {f"{WEST}/postgresql/work_mem": ("degraded", None)}),
        ({"only_here": "1"}, {f"{WEST}/postgresql": ("ok", 3)}),
    ],
)
def test_settings(changed: dict[str, str], expected: dict[str, Any]) -> None:
    assert compared("settings", "settings", *both(**changed)) == expected


def test_what_is_a_servers_own_or_secret_is_not_compared() -> None:
    rows = [
        setting("work_mem", "2048", unit="kB"),
        setting("primary_conninfo", "password=hunter2"),
        setting("archive_command", "push --key=hunter2"),
        setting("ssl_passphrase_command", "echo hunter2"),
        setting("krb_server_keyfile", "FILE:/etc/krb5.keytab"),
        setting("unix_socket_directories", "/run"),
        setting("myapp.token", "hunter2"),
        setting("statement_timeout", "3000", source="client"),
        setting("search_path", "x", source="user"),
        setting("port", "5432"),
    ]
    assert configuration.compared({row["name"]: row for row in rows}) == {"work_mem": "2048 kB"}


def unused(days: float | None, **sizes: float) -> dict[str, Any]:
    return {"seconds": None if days is None else days * 86400, "least": 8 * MEBIBYTE, "sizes": {name.replace("__", "."): size for name, size in sizes.items()}}


@pytest.mark.parametrize(
    ("east", "west", "expected"),
    [
        (unused(40), unused(40), {"control/postgresql": ("ok", 0)}),
        (unused(40, a__x=80.0 * MEBIBYTE), unused(40, a__x=80.0 * MEBIBYTE), {"control/postgresql/a.x": ("degraded", 80.0 * MEBIBYTE)}),
        (unused(40, a__x=9.0 * MEBIBYTE), unused(40, a__x=9.0 * MEBIBYTE), {"control/postgresql/a.x": ("ok", 9.0 * MEBIBYTE)}),
        # The standby reads it.
        (unused(40, a__x=80.0 * MEBIBYTE), unused(40), {"control/postgresql": ("ok", 0)}),
        (unused(40, a__x=80.0 * MEBIBYTE), unused(29, a__x=80.0 * MEBIBYTE), {"control/postgresql": ("skipped", None)}),
        (unused(None, a__x=80.0 * MEBIBYTE), unused(40, a__x=80.0 * MEBIBYTE), {"control/postgresql": ("skipped", None)}),
        (unused(40), None, {"control/postgresql": ("unknown", None)}),
    ],
)
def test_unused_indexes(east: Any, west: Any, expected: dict[str, Any]) -> None:
    assert compared("unused_indexes", "unused_indexes", east, west) == expected
