# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads from the catalogue, in a constant number of queries, everything that keeps tenants apart; audit_rules.py judges it.

Nothing here is a list of tables: a table that a migration forgot to protect is found because it exists.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, LiteralString

from ..common.errors import OpsError
from . import audit_queries as queries
from . import catalogue
from .audit_rules import Constraint, Evidence, Finding, Function, Policy, Relation, Role, Schema, judge
from .names import CENSUS, PRIVATE, SCHEMAS, TABLES, TENANT_COLUMN

if TYPE_CHECKING:
    import psycopg


@dataclass(frozen=True)
class Audit:
    """The judgement of one database. ``exposed``: parts of PostgreSQL's catalogue that are open to everybody and need not be (not enforceable on RDS)."""

    findings: tuple[Finding, ...]
    exposed: tuple[str, ...]
    exemptions: Mapping[str, str]

    @property
    def green(self) -> bool:
        """Whether every protection is in place."""
        return not self.findings

    def to_mapping(self) -> dict[str, Any]:
        """For results and reports."""
        return {
            "findings": [finding.to_mapping() for finding in self.findings],
            "exposed": list(self.exposed),
            "exemptions": dict(self.exemptions),
        }


def observe(connection: psycopg.Connection[tuple[Any, ...]]) -> Evidence:
    """Read everything, in ten queries; the account must see definitions (a member of pg_monitor or the owner). Raises OpsError without shared tables."""
    names = {"column": TENANT_COLUMN, "schemas": list(SCHEMAS), "tables": TABLES, "private": PRIVATE, "census": CENSUS}

    def read(query: LiteralString) -> list[tuple[Any, ...]]:
        return connection.execute(query, names).fetchall()

    def granted(query: LiteralString) -> list[list[Any]]:
        return [[*values[:-1], _pairs(values[-1])] for values in read(query)]

    if not read(queries.MADE)[0][0]:
        raise OpsError(f"the database has no schema {PRIVATE}: its shared tables were never made. Run the role leanvibe.ops.platform_database.")
    return Evidence(
        relations=[Relation(*values) for values in granted(queries.RELATIONS)],
        policies=[Policy(*values) for values in read(queries.POLICIES)],
        constraints=[Constraint(*values) for values in read(queries.CONSTRAINTS)],
        functions=[Function(*values) for values in granted(queries.FUNCTIONS)],
        schemas=[Schema(*values) for values in granted(queries.NAMESPACES)],
        roles={values[0]: Role(*values) for values in read(queries.ROLES)},
        database_grants=_pairs(read(queries.DATABASE)[0][0]),
        exemptions={(kind, name): reason for kind, name, reason in read(queries.EXEMPTIONS)},
        census=frozenset((name, column, right) for name, column, right in read(queries.CENSUS)),
    )


def _pairs(grants: Any) -> frozenset[tuple[str, str]]:
    return frozenset((grantee, right) for grantee, right in grants)


def audit(connection: psycopg.Connection[tuple[Any, ...]]) -> Audit:
    """Observe and judge one database."""
    evidence = observe(connection)
    exposed = sorted(opening.object for opening in catalogue.openings(*catalogue.observe(connection)) if opening.revoke)
    return Audit(tuple(judge(evidence)), tuple(exposed), {f"{kind} {name}": reason for (kind, name), reason in evidence.exemptions.items()})


def refuse_unless_green(connection: psycopg.Connection[tuple[Any, ...]]) -> None:
    """For the end of a migration. Raises OpsError naming every protection that would be missing."""
    result = audit(connection)
    if not result.green:
        listed = "\n".join(f"- {finding.object}: {finding.message}" for finding in result.findings)
        raise OpsError(f"tenants would not be kept apart ({len(result.findings)} findings), so everything was undone:\n{listed}", **result.to_mapping())
