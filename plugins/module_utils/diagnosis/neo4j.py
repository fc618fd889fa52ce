# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a diagnosis looks at in the graph, beyond the checks of every day: whose nodes and relationships it holds.

Community has one database: tenants' nodes are those with a tenant's id in an index, and each index is read once. Enterprise has a database for each
tenant, and its metrics say how much each holds (not run against the real edition).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, LiteralString

from ..clients.neo4j import Neo4jClient
from ..health.model import DIAGNOSE, Check, Finding, NoData, NotApplicable, Session
from ..health.reading import single
from ..health.systems.neo4j.graph import COMMUNITY, SYSTEM, component, metric
from .shares import HALF, selected, shares

NODES, RELATIONSHIPS = "nodes", "relationships"
# Below that, nobody's share matters.
JUDGED = {NODES: 100_000.0, RELATIONSHIPS: 500_000.0}

# Both are answered from counters, whatever the size of the graph.
_NODES: LiteralString = "MATCH (n) RETURN count(n) AS nodes"
_RELATIONSHIPS: LiteralString = "MATCH ()-[r]->() RETURN count(r) AS relationships"
_INDEXES: LiteralString = (
    "SHOW INDEXES YIELD labelsOrTypes, properties, entityType, type, state "
    "WHERE entityType = 'NODE' AND type = 'RANGE' AND state = 'ONLINE' RETURN labelsOrTypes AS labels, properties"
)
# A tenant's own node has its id; all others say whose they are.
_KEYS = frozenset({("Tenant", "id")})
_PROPERTY = "tenant_id"
# Labels take no parameters. One that needs quoting is not asked about, and that is said.
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_DATABASE = re.compile(r"\.tenant-(?P<id>[a-z0-9-]+)\.(?:count|ids_in_use)\.(?:node|relationship)$")


@dataclass(frozen=True)
class Held:
    """Nodes and relationships by tenant, all that there are, where that was read, and labels that could not be asked about."""

    taken: Mapping[str, Mapping[str, float]]
    whole: Mapping[str, float]
    where: str
    left_out: Sequence[str] = ()


def keys(rows: Iterable[Mapping[str, Any]]) -> list[tuple[str, str]]:
    """Label and property of every index that holds tenants' ids and nothing else, one for each label. Pure."""
    single_ones = {(str(row["labels"][0]), str(row["properties"][0])) for row in rows if len(row["labels"] or []) == len(row["properties"] or []) == 1}
    return sorted({**{label: name for label, name in single_ones if name == _PROPERTY}, **dict(single_ones & _KEYS)}.items())


def counting(found: Sequence[tuple[str, str]]) -> LiteralString:
    """One statement that counts tenants' nodes, and the relationships that begin at them, by index. Pure.

    A node with two such labels is counted with the first only; a relationship belongs to the node where it begins. ``found``: plain names.
    """
    parts = []
    for number, (label, name) in enumerate(found):
        if not (_PLAIN.fullmatch(label) and _PLAIN.fullmatch(name)):
            raise ValueError(f"{label}.{name} cannot stand in a statement")
        others = "".join(f" AND NOT n:{other}" for other, _name in found[:number])
        parts.append(
            f"MATCH (n:{label}) USING INDEX n:{label}({name}) WHERE n.{name} IS NOT NULL{others} "
            f"RETURN toString(n.{name}) AS tenant, count(*) AS nodes, sum(COUNT {{ (n)-->() }}) AS relationships"
        )
    return " UNION ALL ".join(parts)


def _community(client: Neo4jClient) -> Held:
    """Four statements, however many tenants there are."""
    indexed = keys(client.rows(_INDEXES))
    if not indexed:
        raise NotApplicable(f"no index holds {_PROPERTY}: there are no tenants' nodes in this graph, or nobody finds them but by reading all of it")
    plain = [key for key in indexed if _PLAIN.fullmatch(key[0])]
    whole = {
        NODES: float(single(client.rows(_NODES), "the number of nodes")[NODES]),
        RELATIONSHIPS: float(single(client.rows(_RELATIONSHIPS), "the number of relationships")[RELATIONSHIPS]),
    }
    taken: dict[str, dict[str, float]] = {NODES: {}, RELATIONSHIPS: {}}
    for row in client.rows(counting(plain)) if plain else []:
        for what, mine in taken.items():
            mine[str(row["tenant"])] = mine.get(str(row["tenant"]), 0.0) + float(row[what])
    return Held(taken, whole, f"labels {', '.join(label for label, _name in plain)}", [label for label, _name in indexed if (label, _name) not in plain])


def _enterprise(session: Session[Neo4jClient]) -> Held:
    """One statement, that all metrics are read with."""
    taken: dict[str, dict[str, float]] = {}
    whole: dict[str, float] = {}
    for what, ending in ((NODES, "node"), (RELATIONSHIPS, "relationship")):
        try:
            found = metric(session, f".count.{ending}")
        except NoData:
            found = metric(session, f".ids_in_use.{ending}")
        whole[what] = sum(found.values())
        matches = ((_DATABASE.search(name), value) for name, value in found.items())
        taken[what] = {match["id"]: value for match, value in matches if match}
    return Held(taken, whole, "databases of their own")


def held(session: Session[Neo4jClient]) -> Held:
    """Who holds what; asked for once in a run."""

    def read(client: Neo4jClient) -> Held:
        return _community(client) if component(session)[1] == COMMUNITY else _enterprise(session)

    return session.once("tenants' part of the graph", read)


def _share(session: Session[Neo4jClient], what: str) -> list[Finding]:
    graph = held(session)
    taken = {tenant: count for tenant, count in graph.taken[what].items() if count > 0}
    nobodys = graph.whole[what] - sum(taken.values())
    rest = f"{nobodys:.0f} {what} are no tenant's (without a tenant's id in an index)" if nobodys > 0 else ""
    left_out = f"labels that could not be asked about: {', '.join(graph.left_out)}" if graph.left_out else ""
    return shares(
        taken,
        graph.whole[what],
        tenant=selected(session),
        judged_from=JUDGED[what],
        words=lambda value: f"{value:.0f} {what}",
        what=f"of the graph ({graph.where})",
        evidence=lambda _tenant: "; ".join(filter(None, (rest, left_out))),
    )


def _check(name: str, question: str, what: str) -> Check[Neo4jClient]:
    return Check(
        id=f"{SYSTEM}.{name}",
        question=question,
        system=SYSTEM,
        query="MATCH (n:<label>) WHERE n.tenant_id IS NOT NULL RETURN n.tenant_id, count(*), sum(COUNT { (n)-->() })",
        runbook=f"diagnose.md#{name}",
        threshold=HALF,
        profiles=(DIAGNOSE,),
        cost="high",
        timeout=15.0,
        grants=("GRANT SHOW INDEX ON DATABASE * TO <role>", "GRANT EXECUTE ADMIN PROCEDURE dbms.queryJmx ON DBMS TO <role> (Enterprise)"),
        run=lambda session: _share(session, what),
    )


IN_DEPTH: tuple[Check[Neo4jClient], ...] = (
    _check("tenant_nodes", "Which share of the graph's nodes is whose?", NODES),
    _check("tenant_relationships", "Which share of the graph's relationships is whose?", RELATIONSHIPS),
)
