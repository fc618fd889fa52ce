# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The errors that our operations raise; a module's main() turns them into fail_json(msg, **details)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class OpsError(Exception):
    """Something an operator must know: what is wrong with which thing, and the way out.

    ``details`` is machine-readable, free of secrets, and becomes part of the module's result.
    """

    def __init__(self, message: str, **details: Any) -> None:
        super().__init__(message)
        self.message = message
        self.details: Mapping[str, Any] = details


class InvalidInput(OpsError):
    """The declared input is refused; nothing was touched. ``problems`` lists every one of them."""

    def __init__(self, what: str, problems: list[str]) -> None:
        super().__init__(f"{what}: {len(problems)} problem(s), nothing was changed:\n" + "\n".join(f"- {problem}" for problem in problems), problems=problems)
        self.problems = problems


class Unreachable(OpsError):
    """A system did not answer in time or refused the connection: its state is unknown."""


class AccessDenied(OpsError):
    """A system answered that our account lacks a right; the message names the right."""


class Conflict(OpsError):
    """Somebody else holds what we need (a lease), or the thing changed under our hands."""


class LeaseLost(Conflict):
    """Our lease has expired or was taken over: every further write is forbidden."""
