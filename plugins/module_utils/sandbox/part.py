# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The interface of a part of the sandbox: at most one server, and how to bring it into its place."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path

from . import files
from .context import Context
from .supervisor import Program


class Part(ABC):
    """One server in one region (or one that both share); subclasses live in ``parts/``, one file per system.

    ``component`` is its name in sandbox_fault and sandbox_status, ``system`` the group that it belongs to.
    """

    component: str
    system: str
    # Seconds; generous, because a server that has died ends the wait at once.
    start_timeout = 180.0
    # What a running server needs when its files have changed: a signal, ``restart``, or nothing.
    when_changed = "restart"
    # The signal that ends the server in good order.
    stop_signal = "TERM"
    # How long, in seconds, a living process that does not answer yet counts as starting and not as unreachable.
    grace = 15.0

    def __init__(self, context: Context, region: str | None) -> None:
        self.context = context
        self.region = region

    @property
    def id(self) -> str:
        """``redis-us-east-1``; the program in supervisord has the same name."""
        return f"{self.component}-{self.region}" if self.region else self.component

    @property
    def account(self) -> files.Account:
        """The user that the server runs as."""
        return files.account_of(self.system)

    @property
    def home(self) -> Path:
        """The server's folder."""
        return self.context.home(self.component, self.region)

    @property
    def ports(self) -> tuple[int, ...]:
        """The TCP ports that the server listens on; the first one is its address."""
        return ()

    @property
    def address(self) -> str:
        """What a client connects to."""
        return f"localhost:{self.ports[0]}" if self.ports else ""

    def requires(self) -> tuple[str, ...]:
        """Ids of parts that must be ready before this one is prepared."""
        return ()

    def outlives(self) -> tuple[str, ...]:
        """Ids of parts that must have stopped before this one stops, beside those that require it."""
        return ()

    @abstractmethod
    def prepare(self) -> list[str]:
        """Make what the server needs before it starts; idempotent. Returns what was done."""

    def program(self) -> Program | None:
        """The server; None for a part that only configures others."""
        return None

    @abstractmethod
    def probe(self, timeout: float = 5.0) -> str:
        """Ask the server something real; returns its version. Raises NotReady when it does not answer as it should."""

    def ready(self) -> None:
        """Raise NotReady until the server can be configured and used by what depends on it."""
        self.probe()

    def configure(self) -> list[str]:
        """Bring the running server's contents (roles, buckets, nodes) into place; idempotent. Returns what was done."""
        return []
