# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Roles, schemas, rights and rows of tenants in PostgreSQL, read with psql from the primary's catalogue."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..settings import PRIMARY, BenchmarkError, Settings

QUERIES = Path(__file__).with_suffix(".sql")
_CHANGING = (
    (re.compile(r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b"), "<uuid>"),
    (re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?([+-]\d{2}:\d{2}|Z)?"), "<time>"),
)


def read(settings: Settings, ids: Sequence[str]) -> dict[str, dict[str, dict[str, Any]]]:
    """``{"postgresql": {tenant: {object: content}}}``; two rows of the same table are numbered."""
    by_name = {"tenant_" + tenant_id.replace("-", "_"): tenant_id for tenant_id in ids}
    found: dict[str, dict[str, Any]] = {}
    for line in query(settings, QUERIES.read_text(encoding="utf-8")).splitlines():
        item = json.loads(line)
        if item["tenant"] in by_name:
            objects = found.setdefault(by_name[item["tenant"]], {})
            name = item["object"] if item["object"] not in objects else f"{item['object']} ({len(objects)})"
            content = json.loads(_steady(json.dumps(item["content"])))
            if isinstance(content, dict):
                # A note of ours by which the next run sees that a password is set; it is no part of what the tenant has.
                content.pop("credential_proof", None)
            objects[name] = content
    return {"postgresql": found}


def _steady(text: str) -> str:
    for pattern, stand_in in _CHANGING:
        text = pattern.sub(stand_in, text)
    return text


def query(settings: Settings, script: str) -> str:
    """Run a script as the server's superuser; what it answers, a line for each row."""
    address = settings.region(PRIMARY)["postgresql"]
    where = f"host={address['host']} port={address['port']} dbname=leanvibe user=postgres sslmode=verify-full sslrootcert={settings.sandbox['ca_file']}"
    environment = {**settings.environment, "PGPASSWORD": settings.credentials["postgresql"]["postgres"], "PGCONNECT_TIMEOUT": "10"}
    command = [settings.program("psql"), "--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "--set", "ON_ERROR_STOP=1", where]
    answer = subprocess.run(command, input=script, env=environment, capture_output=True, text=True, timeout=120, check=False)
    if answer.returncode:
        raise BenchmarkError(f"psql cannot read PostgreSQL in {PRIMARY}: {answer.stderr[-500:]}")
    return answer.stdout
