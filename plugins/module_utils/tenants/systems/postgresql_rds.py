# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PostgreSQL as Amazon RDS and Aurora offer it. Not run against the real service: tested on a server whose operations account has no more rights.

Nobody is a superuser there and nobody reads pg_authid. Whether a password is the right one is known only from what we noted when we set it.
"""

from __future__ import annotations

from ...common import scram


class Rds:
    """Needs CREATEROLE for the operations account, which is a member of pg_monitor and pg_signal_backend."""

    @property
    def verifiers(self) -> None:
        """They cannot be read."""
        return

    @property
    def closes_catalogue(self) -> bool:
        """Nobody can."""
        return False

    def holds(self, password: str, verifier: str | None, proof: str | None) -> bool:  # noqa: ARG002 - the interface's
        """By the note that we made when we set it."""
        return proof is not None and proof == self.proof(password, "")

    def proof(self, password: str, verifier: str) -> str:  # noqa: ARG002 - the interface's
        """Of the password alone."""
        return scram.proof(password, "")

    def notes(self, exposed: int) -> list[str]:
        """What cannot be had there."""
        return [
            "passwords: RDS does not show stored verifiers; one that somebody else changed is not noticed (tenant_credentials sets it again)",
            f"catalogue: {exposed} views and functions with counters, sizes and activity stay open to every tenant, because RDS lets nobody close them",
        ]
