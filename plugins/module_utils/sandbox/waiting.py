# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Waiting for something to become true, by the monotonic clock."""

from __future__ import annotations

import time
from collections.abc import Callable

from ..common.errors import OpsError, Unreachable


class NotReady(OpsError):
    """It does not answer yet, or not as it should; asking again may help."""


def wait_until(check: Callable[[], None], timeout: float, what: str, *, interval: float = 0.1, still_possible: Callable[[], None] | None = None) -> None:
    """Call ``check`` every ``interval`` seconds until it stops raising NotReady; raise Unreachable after ``timeout`` seconds.

    ``still_possible`` may raise to end the wait early, for instance when the process has died.
    """
    deadline = time.monotonic() + timeout
    while True:
        try:
            check()
            return
        except NotReady as error:
            if time.monotonic() >= deadline:
                raise Unreachable(f"{what} was not ready within {timeout:g} s: {error.message}") from error
        if still_possible is not None:
            still_possible()
        time.sleep(interval)
