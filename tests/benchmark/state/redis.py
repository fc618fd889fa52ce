# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Redis users, read with redis-cli from memory, and from the ACL file for being kept."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Sequence
from typing import Any

from ..settings import REGIONS, BenchmarkError, Settings


def read(settings: Settings, ids: Sequence[str]) -> dict[str, dict[str, dict[str, Any]]]:
    """``{"redis <region>": {tenant: {"user": rules}}}``. Rules are sorted words; a password's hash is masked."""
    return {f"redis {region}": _region(settings, region, set(ids)) for region in REGIONS}


def _region(settings: Settings, region: str, ids: set[str]) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for line in ask(settings, region, "ACL", "LIST").splitlines():
        words = re.sub(r"#[0-9a-f]{64}", "#<hash>", line).split()
        tenant_id = words[1].removeprefix("tenant-")
        if tenant_id in ids:
            found.setdefault(tenant_id, {})["user"] = sorted(words[2:])
    return found


def ask(settings: Settings, region: str, *command: str) -> str:
    """One command as the administrator; the password travels in the environment."""
    address = settings.region(region)["redis"]
    arguments = [settings.program("redis-cli"), "-h", address["host"], "-p", str(address["port"]), "--user", "operations", "--no-auth-warning", "-e"]
    environment = {**settings.environment, "REDISCLI_AUTH": settings.credentials["redis"]["operations"]}
    answer = subprocess.run([*arguments, *command], env=environment, capture_output=True, text=True, timeout=60, check=False)
    if answer.returncode:
        raise BenchmarkError(f"redis-cli {command[0]} in {region}: {answer.stderr or answer.stdout}")
    return answer.stdout
