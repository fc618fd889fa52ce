# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PostgreSQL on a server of one's own: stored verifiers can be read, so a password that somebody else changed is noticed."""

from __future__ import annotations

from typing import LiteralString

from ...common import scram


class SelfManaged:
    """Needs SELECT on pg_authid for the operations account."""

    @property
    def verifiers(self) -> LiteralString:
        """Straight from pg_authid."""
        return "SELECT rolname, rolpassword FROM pg_authid WHERE rolname = ANY(%(names)s)"

    @property
    def closes_catalogue(self) -> bool:
        """A superuser can, so it must be closed."""
        return True

    def holds(self, password: str, verifier: str | None, proof: str | None) -> bool:
        """By the proof that we kept, in microseconds; where it does not fit, by recomputing the verifier."""
        if verifier is None:
            return False
        return proof == scram.proof(password, verifier) or scram.matches(password, verifier)

    def proof(self, password: str, verifier: str) -> str:
        """Bound to the verifier, so that it is void when somebody sets another one."""
        return scram.proof(password, verifier)

    def notes(self, exposed: int) -> list[str]:  # noqa: ARG002 - the interface's
        """Nothing to say."""
        return []
