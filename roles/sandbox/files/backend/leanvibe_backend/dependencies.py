# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether what the service needs answers it: each question is short, bounded, and tells what was wrong."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

from .configuration import Billing, Graph
from .database import Sessions, Unavailable
from .store import Store

if TYPE_CHECKING:
    import neo4j

GRAPH_SECONDS = 4.0
# The worker gives itself something to do every ten seconds.
WORKER_SILENCE_SECONDS = 60.0
BILLING_SECONDS = 4.0
CHECKS = ("db", "cache", "graph", "worker", "billing")


class GraphDatabase:
    """Neo4j, connected to when somebody asks: its driver is slow to load and most processes never need it."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._driver: neo4j.AsyncDriver | None = None

    def _connect(self) -> neo4j.AsyncDriver:
        import neo4j

        return neo4j.AsyncGraphDatabase.driver(
            self._graph.uri, auth=(self._graph.username, self._graph.password), max_connection_pool_size=2, connection_timeout=GRAPH_SECONDS / 2,
            connection_acquisition_timeout=GRAPH_SECONDS, max_transaction_retry_time=0, telemetry_disabled=True,
        )  # fmt: skip

    async def ping(self) -> None:
        """Run a query. Raises Unavailable."""
        from neo4j import Query
        from neo4j.exceptions import DriverError, Neo4jError

        try:
            async with asyncio.timeout(GRAPH_SECONDS):
                if self._driver is None:
                    self._driver = self._connect()
                async with self._driver.session(database="neo4j") as session:
                    answer = await session.run(Query("RETURN 1 AS one", timeout=GRAPH_SECONDS))
                    await answer.single(strict=True)
        except TimeoutError as error:
            raise Unavailable("graph", f"no answer within {GRAPH_SECONDS:g} s") from error
        except (DriverError, Neo4jError, OSError) as error:
            raise Unavailable("graph", str(error) or type(error).__name__) from error

    async def close(self) -> None:
        """Close the driver if there is one."""
        if self._driver is not None:
            await self._driver.close()


class Dependencies:
    """The systems that the service works with."""

    def __init__(self, sessions: Sessions, store: Store, graph: GraphDatabase | None, billing: Billing | None = None) -> None:
        self.sessions = sessions
        self.store = store
        self.graph = graph
        self.billing = billing

    async def _database(self) -> dict[str, Any]:
        async with self.sessions.transaction(None) as connection:
            # The role that answers and what it sees without a tenant: nothing, or row-level security does not hold.
            cursor = await connection.execute("SELECT current_user AS role, pg_is_in_recovery() AS read_only")
            return dict(await cursor.fetchone() or {})

    async def _cache(self) -> dict[str, Any]:
        await self.store.ping()
        return {}

    async def _graph(self) -> dict[str, Any]:
        if self.graph is not None:
            await self.graph.ping()
        return {}

    async def _worker(self) -> dict[str, Any]:
        state = await self.store.state()
        age = None if state["last_done"] is None else time.time() - state["last_done"]
        if age is None or age > WORKER_SILENCE_SECONDS:
            said = "it has never ended a job" if age is None else f"it ended its last job {age:.0f} s ago"
            raise Unavailable("worker", said)
        return {**state, "age_seconds": round(age, 3)}

    async def _billing(self) -> dict[str, Any]:
        if self.billing is None:
            raise Unavailable("billing", "it is not configured")
        import httpx

        try:
            async with httpx.AsyncClient(timeout=BILLING_SECONDS, trust_env=False) as client:
                answer = await client.get(f"{self.billing.url}/v1/balance", headers={"Authorization": f"Bearer {self.billing.key}"})
                kind = answer.json().get("object") if answer.status_code == 200 else None
        except (httpx.HTTPError, ValueError) as error:
            raise Unavailable("billing", str(error) or type(error).__name__) from error
        if kind != "balance":
            raise Unavailable("billing", f"it answers {answer.status_code}, and not with a balance")
        return {}

    async def check(self, name: str) -> tuple[bool, dict[str, Any]]:
        """One of ``CHECKS``: whether it is well, and what there is to say."""
        ask = {"db": self._database, "cache": self._cache, "graph": self._graph, "worker": self._worker, "billing": self._billing}[name]
        began = time.monotonic()
        try:
            found = await ask()
            well, detail = True, {"status": "ok", **found}
        except Unavailable as error:
            well, detail = False, {"status": "unavailable", "detail": str(error)}
        return well, {**detail, "latency_ms": round((time.monotonic() - began) * 1000, 2)}
