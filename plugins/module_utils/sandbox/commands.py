# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs that a part runs once (initdb, pg_basebackup, pgbackrest), as the part's user and with a time-out."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from ..common.errors import OpsError, Unreachable
from .files import Account
from .supervisor import MEMBER_VARIABLE, PROGRAM_VARIABLE

HELPER = "helper"


class CommandFailed(OpsError):
    """The program ended with another status than 0; the message carries the end of what it wrote."""


def run(argv: Sequence[str], *, account: Account, directory: Path, data: Path, environment: Mapping[str, str] | None = None, timeout: float = 60.0) -> str:
    """Run ``argv`` and return its standard output. Secrets go into ``environment``, never into ``argv``.

    Raises CommandFailed, or Unreachable when it does not end within ``timeout`` seconds.
    """
    base = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8", "HOME": str(directory), MEMBER_VARIABLE: str(data), PROGRAM_VARIABLE: HELPER}
    switch = account.name is not None and os.geteuid() == 0
    try:
        done = subprocess.run(
            list(argv), env={**base, **(environment or {})}, cwd=directory, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace",
            timeout=timeout, check=False,
            user=account.uid if switch else None, group=account.gid if switch else None, extra_groups=[] if switch else None,
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        raise Unreachable(f"{argv[0]} did not end within {timeout:g} s") from error
    if done.returncode != 0:
        said = (done.stderr.strip() or done.stdout.strip())[-1200:]
        raise CommandFailed(f"{Path(argv[0]).name} failed with exit status {done.returncode}: {said}")
    return done.stdout
