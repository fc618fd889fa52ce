# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The graph as the checks see it: one driver, the server's edition, what it tells about its process (JMX), and its metrics where it has them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, LiteralString

from ....clients.neo4j import SYSTEM_DATABASE, Neo4jClient, connect
from ...model import NoData, NotApplicable, Session
from ...reading import single
from ...runner import Link

SYSTEM = "neo4j"
COMMUNITY, ENTERPRISE = "community", "enterprise"
_CLOSING = 0.5
# The database of users may be the one that is away; `system` is there as long as the server is, and takes no RETURN 1.
_SMALLEST: LiteralString = "CALL dbms.components() YIELD edition RETURN edition"


def component(session: Session[Neo4jClient]) -> tuple[str, str]:
    """Version and edition of the server. Raises NoData."""

    def read(client: Neo4jClient) -> tuple[str, str]:
        # No WHERE: the database system does not take it after CALL.
        rows = client.rows("CALL dbms.components() YIELD name, versions, edition RETURN name, versions[0] AS version, edition", SYSTEM_DATABASE)
        rows = [row for row in rows if row["name"] == "Neo4j Kernel"]
        row = single(rows, "dbms.components")
        return str(row["version"]), str(row["edition"])

    version, edition = session.once("component", read)
    session.facts["version"] = version
    return version, edition


def needs_enterprise(session: Session[Neo4jClient], what: str) -> None:
    """Raises NotApplicable on Community, with what Community has not or does not tell."""
    if component(session)[1] == COMMUNITY:
        raise NotApplicable(f"Neo4j Community {what}")


def beans(session: Session[Neo4jClient]) -> dict[str, dict[str, Any]]:
    """Attributes of the server's process by the bean's name: memory pools and the operating system. One statement in a run. Raises NoData."""

    def read(client: Neo4jClient) -> dict[str, dict[str, Any]]:
        found = dict(_beans(client.rows("CALL dbms.queryJmx('java.lang:*') YIELD name, attributes RETURN name, attributes", SYSTEM_DATABASE)))
        if not found:
            raise NoData("dbms.queryJmx told nothing about the server's process")
        return found

    return session.once("beans", read)


def metrics(session: Session[Neo4jClient]) -> dict[str, float]:
    """Enterprise's metrics by name (``neo4j.dbms.page_cache.hit_ratio``). Raises NoData if they are switched off."""

    def read(client: Neo4jClient) -> dict[str, float]:
        rows = client.rows("CALL dbms.queryJmx('neo4j.metrics:*') YIELD name, attributes RETURN name, attributes", SYSTEM_DATABASE)
        found = {}
        for bean, attributes in _beans(rows):
            value = attributes.get("Value", attributes.get("Count"))
            name = dict(part.partition("=")[::2] for part in bean.partition(":")[2].split(",")).get("name", "")
            if isinstance(value, (int, float)):
                found[name] = float(value)
        if not found:
            raise NoData("there are no metrics in JMX; switch them on (server.metrics.enabled, server.metrics.jmx.enabled)")
        return found

    return session.once("metrics", read)


def metric(session: Session[Neo4jClient], ending: str) -> dict[str, float]:
    """All metrics whose name ends so. Raises NoData if there is none."""
    found = {name: value for name, value in metrics(session).items() if name.endswith(ending)}
    if not found:
        raise NoData(f"there is no metric …{ending}; see server.metrics.filter")
    return found


def _beans(rows: list[dict[str, Any]]) -> Iterator[tuple[str, dict[str, Any]]]:
    for row in rows:
        yield str(row["name"]), {name: _plain(attribute["value"]) for name, attribute in row["attributes"].items() if isinstance(attribute, Mapping)}


def _plain(value: Any) -> Any:
    """Composite values come with a description around them."""
    return value["properties"] if isinstance(value, Mapping) and "properties" in value else value


def _open(connection: Mapping[str, Any], seconds: float) -> Neo4jClient:
    client = connect(connection, seconds)
    client.rows(_SMALLEST, SYSTEM_DATABASE)
    return client


def _answers(client: Neo4jClient, seconds: float) -> None:
    client.bound(seconds)
    client.rows(_SMALLEST, SYSTEM_DATABASE)


def _close(client: Neo4jClient) -> None:
    client.bound(_CLOSING)
    client.__exit__()


def link(connection: Mapping[str, Any]) -> Link[Neo4jClient]:
    """How the runner reaches the graph. ``connection``: see connection_neo4j."""
    return Link(
        connect=lambda seconds: _open(connection, seconds),
        answers=_answers,
        limit=lambda client, seconds: client.bound(seconds),
        close=_close,
        loads=("neo4j",),
    )
