# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What differs between PostgreSQL servers of one's own and managed ones; each variant is a file beside this one."""

from __future__ import annotations

from typing import LiteralString, Protocol


class Driver(Protocol):
    """One variant of PostgreSQL."""

    @property
    def verifiers(self) -> LiteralString | None:
        """Query for (role, verifier) of the roles in the parameter ``names``; None if they cannot be read."""

    @property
    def closes_catalogue(self) -> bool:
        """Whether an open catalogue is a missing protection (true) or a fact of the service (false)."""

    def holds(self, password: str, verifier: str | None, proof: str | None) -> bool:
        """Whether the role's password is this one, as far as this variant can tell. Pure."""

    def proof(self, password: str, verifier: str) -> str:
        """What is kept beside the role, for ``holds``, when the password is set by this verifier. Pure."""

    def notes(self, exposed: int) -> list[str]:
        """What a reader of the report must know about this variant. ``exposed``: open parts of the catalogue."""


def driver(name: str) -> Driver:
    """The driver of a connection's option ``driver``."""
    if name == "rds":
        from .postgresql_rds import Rds

        return Rds()
    from .postgresql_self_managed import SelfManaged

    return SelfManaged()
