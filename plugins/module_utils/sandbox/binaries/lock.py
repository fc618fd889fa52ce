# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A lock between processes that ends with its holder and says who that is."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from ...common.errors import Conflict

SECONDS_BETWEEN_TRIES = 0.5
SECONDS_TO_WAIT = 2 * 3600.0


@contextmanager
def exclusive(path: Path, purpose: str, say: Callable[[str], None], seconds: float = SECONDS_TO_WAIT) -> Iterator[None]:
    """Hold the lock file ``path``; while another process has it, ``say`` who and wait. Raises Conflict after ``seconds``."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+", encoding="utf-8") as file:
        give_up = time.monotonic() + seconds
        while not _try(file.fileno()):
            file.seek(0)
            other = file.read().strip() or "another run"
            if time.monotonic() >= give_up:
                raise Conflict(f"{other} still holds {path} after {seconds:.0f} s: wait for it or end it, then try again")
            say(f"waiting for {other}")
            time.sleep(min(SECONDS_BETWEEN_TRIES, max(0.0, give_up - time.monotonic())))
        file.truncate(0)
        file.write(f"process {os.getpid()} ({purpose})\n")
        file.flush()
        try:
            yield
        finally:
            file.truncate(0)


def _try(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
