# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Indexes that do their work, and the constraints and indexes that tenants' nodes need."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ....clients.neo4j import Neo4jClient
from ....reports.model import CRITICAL, DEGRADED, OK
from ....tenants.systems.neo4j_community import RULES
from ...model import Check, Finding, Session
from ...reading import single
from .graph import COMMUNITY, SYSTEM, component

_GRANTS = ("GRANT SHOW INDEX ON DATABASE * TO <role>", "GRANT SHOW CONSTRAINT ON DATABASE * TO <role>")


def _all_indexes(session: Session[Neo4jClient]) -> list[dict[str, Any]]:
    statement = "SHOW INDEXES YIELD name, state, populationPercent, type, failureMessage, owningConstraint"
    return session.once("indexes", lambda client: client.rows(statement))


def _indexes(session: Session[Neo4jClient]) -> Iterator[Finding]:
    rows = _all_indexes(session)
    well = 0
    for row in rows:
        name, percent = str(row["name"]), float(row["populationPercent"] or 0)
        if row["state"] == "ONLINE":
            well += 1
        elif row["state"] == "FAILED":
            # The first line says what is wrong; what follows is a stack, and may show values.
            first = (str(row["failureMessage"] or "").strip().splitlines() or [""])[0].split(" Note that", maxsplit=1)[0][:200]
            yield Finding(observed="FAILED", verdict=CRITICAL, name=name, message=f"index {name} has failed and is not used: {first}")
        else:
            yield Finding(
                observed=round(percent, 1),
                unit="%",
                verdict=DEGRADED,
                name=name,
                message=f"index {name} is {row['state']}, {percent:.0f} % done; until then it is not used",
            )
    if well == len(rows):
        message = f"{well} indexes, all online" if rows else "no indexes (neo4j.constraints says whether there should be)"
        yield Finding(observed=well, verdict=OK, message=message)


def _tenants(session: Session[Neo4jClient]) -> int:
    """How many tenants' nodes of ours there are; Neo4j keeps that number. Only on Community: on Enterprise, tenants have databases."""
    if component(session)[1] != COMMUNITY:
        return 0
    return int(single(session.client.rows("MATCH (t:Tenant) RETURN count(t) AS tenants"), "the number of tenants")["tenants"])


def _wanted(session: Session[Neo4jClient]) -> tuple[set[str], set[str]]:
    """Names of constraints and of other indexes that must be there: ours where there are tenants, and those that the inventory declares."""
    ours = RULES if _tenants(session) else ()
    constraints = {rule.name for rule in ours if rule.kind == "UNIQUENESS"}
    indexes = {rule.name for rule in ours} - constraints
    return constraints | set(_names(session.options, "constraints")), indexes | set(_names(session.options, "indexes"))


def _names(options: Mapping[str, Any], key: str) -> Iterable[str]:
    return (str(name) for name in options.get(key, ()))


def _constraints(session: Session[Neo4jClient]) -> Iterator[Finding]:
    wanted, wanted_indexes = _wanted(session)
    there = {str(row["name"]) for row in session.client.rows("SHOW CONSTRAINTS YIELD name RETURN name")}
    indexes = {str(row["name"]) for row in _all_indexes(session)}
    missing = sorted(wanted - there)
    for name in missing:
        yield Finding(
            observed="missing", verdict=CRITICAL, name=name, message=f"constraint {name} is missing: nothing keeps the same thing from being there twice"
        )
    without = sorted(wanted_indexes - indexes)
    for name in without:
        yield Finding(observed="missing", verdict=DEGRADED, name=name, message=f"index {name} is missing: queries for one tenant go through all tenants' nodes")
    if not missing and not without:
        message = (
            f"{len(wanted)} constraints and {len(wanted_indexes)} indexes that must be there are"
            if wanted or wanted_indexes
            else "no tenants are in this graph, and none is declared"
        )
        yield Finding(observed=len(there), verdict=OK, message=message)


INDEXES = Check(
    id="neo4j.indexes",
    question="Are all indexes online?",
    system=SYSTEM,
    query="SHOW INDEXES YIELD name, state, populationPercent, failureMessage",
    runbook="runbooks/neo4j.md#indexes",
    grants=_GRANTS,
    timeout=8.0,
    run=_indexes,
)

CONSTRAINTS = Check(
    id="neo4j.constraints",
    question="Are the constraints and indexes there that tenants' data need?",
    system=SYSTEM,
    query="SHOW CONSTRAINTS YIELD name; SHOW INDEXES YIELD name",
    runbook="runbooks/neo4j.md#constraints",
    grants=_GRANTS,
    timeout=8.0,
    run=_constraints,
)
